package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"payout"
)

// An archive is an SQLite database like any other, with the orders of one month
// and all that belongs to them. In the gateway's own database an archived order
// keeps its row, because a status must be told for ever and its client_orderid
// must never make a second order; but what is sealed, the Receiver and the remarks
// are emptied (params_sealed is empty then, and only then), and the rows of the
// other tables are gone.
//
// An order is copied, the copy is on disk, it is read again and compared with the
// order, and only then the order is emptied: in one transaction, which keeps
// others from the order meanwhile. Whoever is killed at any moment leaves orders
// that are whole here, or there, or in both.

// An orderTable is a table with rows that belong to orders.
type orderTable struct {
	name    string
	columns []string
	owner   string   // the column of the order's id, or of the callback's
	key     []string // the primary key
	found   finding
}

// A finding is how the rows of orders are found. Joins would do, and be slow: what
// a planner thinks best for a range of ids may be to read a table from end to end.
type finding int

const (
	byOrder    finding = iota // by a range of the orders' ids
	byCallback                // by the callbacks' ids
	byKey                     // by what only the orders' ids tell
)

// The tables of orders. The first is orders itself; callbacks stand before what
// belongs to them.
var orderTables = []orderTable{
	{name: "orders", owner: "id", key: []string{"id"}, columns: []string{"id", "party_id", "endpoint_id", "group_id", "command", "type", "client_orderid", "repeat_no",
		"currency", "amount_minor", "params_sealed", "receiver_mask", "receiver_hash", "stage", "version", "gate_position", "gate_id", "attempts", "polls",
		"error_code", "error_message", "serial", "remote_address", "note", "created_us", "final_us", "expires_us", "due_us"}},
	{name: "requests", owner: "order_id", key: []string{"order_id", "serial"}, columns: []string{"order_id", "serial", "party_id", "endpoint_id", "group_id", "command",
		"client_orderid", "error_code", "error_message", "note", "remote_address", "at_us"}},
	{name: "moves", owner: "order_id", key: []string{"order_id", "version"}, columns: []string{"order_id", "version", "event", "from_stage", "to_stage", "at_us", "serial", "note"}},
	{name: "transactions", owner: "order_id", key: []string{"order_id", "attempt"}, columns: []string{"order_id", "attempt", "gate_id", "reference", "stage", "processor_tx_id",
		"rrn", "approval_code", "error_code", "error_message", "started_us", "ended_us", "eci", "advice"}},
	{name: "callbacks", owner: "order_id", key: []string{"id"}, columns: []string{"id", "order_id", "receiver", "url_sealed", "attempts", "state", "created_us",
		"due_us", "leased_us", "asked_us"}},
	{name: "callback_attempts", owner: "callback_id", found: byCallback, key: []string{"callback_id", "attempt"}, columns: []string{"callback_id",
		"attempt", "at_us", "duration_us", "http_status", "error"}},
	{name: "callback_resends", owner: "callback_id", found: byCallback, key: []string{"callback_id", "at_us"}, columns: []string{"callback_id", "at_us", "asked_by"}},
	{name: "late_outcomes", owner: "order_id", key: []string{"id"}, columns: []string{"id", "order_id", "attempt", "gate_id", "seen_stage", "result", "processor_tx_id",
		"rrn", "error_code", "error_message", "at_us"}},
	{name: "forms", owner: "order_id", key: []string{"token_hash"}, found: byKey, columns: []string{"token_hash", "order_id"}},
	{name: "receipts", owner: "order_id", key: []string{"receipt_id"}, found: byKey, columns: []string{"receipt_id", "order_id"}},
}

// The set-up that an archive has too, so that its orders can be shown: parents first.
var archivedSetUp = []struct {
	name, key string
	columns   []string
}{
	{"counters", "name", []string{"name", "next"}},
	{"parties", "id", []string{"id", "login", "name", "control_key_sealed", "enabled", "created_us"}},
	{"projects", "id", []string{"id", "name", "enabled"}},
	{"gates", "id", []string{"id", "name", "processor", "currencies", "settings_sealed", "required", "concurrency", "descriptor", "enabled", "ask_receiver"}},
	{"endpoints", "id", []string{"id", "party_id", "project_id", "name", "currency", "repeat_policy", "callback_url_sealed", "enabled", "brand_name", "accent",
		"language", "logo"}},
	{"endpoint_groups", "id", []string{"id", "party_id", "name", "enabled"}},
	{"party_keys", "party_id, fingerprint", []string{"party_id", "fingerprint", "public_pem", "enabled", "created_us"}},
	{"endpoint_gates", "endpoint_id, position", []string{"endpoint_id", "position", "gate_id"}},
	{"endpoint_group_members", "group_id, position", []string{"group_id", "position", "endpoint_id"}},
}

// ArchiveMost is how many orders Archive takes at once.
const ArchiveMost = 100

const keysAtOnce = 50 // in one statement

// An OldOrder is what decides whether an order may be archived.
type OldOrder struct {
	ID        payout.OrderID
	CreatedAt time.Time
	FinalAt   time.Time // zero: it is not final
	Owes      bool      // a callback is due or under way
	Archived  bool      // it is archived already

	// What only its id tells: by these its rows in forms and receipts are found.
	Form    []byte
	Receipt payout.ReceiptID
}

// OldOrders reads at most limit orders with ids above another one, by id.
func (db *DB) OldOrders(ctx context.Context, after payout.OrderID, limit int) ([]OldOrder, error) {
	var found []OldOrder
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var o OldOrder
		var created, final, sealed, owed int64
		err := r.Scan(&o.ID, &created, &final, &sealed, &owed)
		o.CreatedAt, o.FinalAt, o.Archived, o.Owes = fromUS(created), fromUS(final), sealed == 0, owed > 0
		found = append(found, o)
		return err
	}, `SELECT id, created_us, final_us, length(params_sealed),
			(SELECT count(*) FROM callbacks AS c WHERE c.order_id = o.id AND +c.due_us > 0)
		FROM orders AS o WHERE id > $1 ORDER BY id LIMIT $2`, int64(after), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read old orders: %w", err)
	}
	return found, nil
}

// archivedCounter is the counter of how far all orders are archived.
const archivedCounter = "archived"

// ArchivedUpTo reads the id up to which all orders are archived; 0 for none.
func (db *DB) ArchivedUpTo(ctx context.Context) (payout.OrderID, error) {
	var id int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&id) }, "SELECT next FROM counters WHERE name = $1", archivedCounter)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("read how far orders are archived: %w", err)
	}
	return payout.OrderID(id), nil
}

// SetArchivedUpTo stores the id up to which all orders are archived.
func (tx *Tx) SetArchivedUpTo(id payout.OrderID) error {
	_, err := tx.conn.exec(tx.ctx, `INSERT INTO counters (name, next) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET next = excluded.next`, archivedCounter, int64(id))
	if err != nil {
		return fmt.Errorf("store how far orders are archived: %w", err)
	}
	return nil
}

// NextMoved finds the least id above another one of an order that has a history; 0 when
// there is none. An archived order has none.
func (db *DB) NextMoved(ctx context.Context, after payout.OrderID) (payout.OrderID, error) {
	var id payout.OrderID
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&id) },
		"SELECT coalesce(min(order_id), 0) FROM moves WHERE order_id > $1", int64(after))
	if err != nil {
		return 0, fmt.Errorf("read the next order with a history: %w", err)
	}
	return id, nil
}

// OrderIDs tells the least and the greatest id of an order; 1 and 0 when there is none.
func (db *DB) OrderIDs(ctx context.Context) (first, last payout.OrderID, err error) {
	least, greatest, err := db.orderIDs(ctx)
	return payout.OrderID(least), payout.OrderID(greatest), err
}

// OpenArchive opens the archive in a file, or makes it, with the set-up as it is
// now. The caller closes it.
func (db *DB) OpenArchive(ctx context.Context, file string) (*DB, error) {
	archive, err := Open(ctx, file, db.vault)
	if err != nil {
		return nil, fmt.Errorf("open archive %s: %w", file, err)
	}
	_, err = archive.Migrate(ctx)
	if err == nil {
		err = db.copySetUp(ctx, archive)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(file))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open archive %s: %w", file, err), archive.Close())
	}
	return archive, nil
}

// syncFolder makes sure that a new file is still there after a loss of power.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// copySetUp reads children before their parents, so that none is without.
func (db *DB) copySetUp(ctx context.Context, archive *DB) error {
	copies := make([][][]any, len(archivedSetUp))
	for i, table := range slices.Backward(archivedSetUp) {
		var err error
		if copies[i], err = readRows(ctx, db.engine.reader(), len(table.columns), "SELECT "+strings.Join(table.columns, ", ")+" FROM "+table.name); err != nil {
			return fmt.Errorf("read %s: %w", table.name, err)
		}
	}
	return archive.Transact(ctx, time.Time{}, func(tx *Tx) error {
		for i, table := range archivedSetUp {
			var set []string
			for _, column := range table.columns {
				set = append(set, column+" = excluded."+column)
			}
			_, err := tx.conn.each(tx.ctx, "INSERT INTO "+table.name+" ("+strings.Join(table.columns, ", ")+") {{rows "+placeholders(1, len(table.columns))+
				"}} ON CONFLICT ("+table.key+") DO UPDATE SET "+strings.Join(set, ", "), copies[i])
			if err != nil {
				return fmt.Errorf("copy %s: %w", table.name, err)
			}
		}
		return nil
	})
}

// readRows reads rows of values that are whole numbers, texts, bytes or truths.
func readRows(ctx context.Context, q querier, columns int, sql string, args ...any) ([][]any, error) {
	var found [][]any
	err := readAll(ctx, q, func(r rows) error {
		row, dest := make([]any, columns), make([]any, columns)
		for i := range row {
			dest[i] = &row[i]
		}
		err := r.Scan(dest...)
		for i := range row {
			if bytes, ok := row[i].([]byte); ok {
				row[i] = append([]byte{}, bytes...) // the driver's own may change; and an empty value is not NULL
			}
		}
		found = append(found, row)
		return err
	}, sql, args...)
	return found, err
}

// An orderCopy is all rows of an order, by table.
type orderCopy [][][]any

// settled reports whether an order has come to its end, and nothing is owed. It
// looks at the copy, which is compared with the order later.
func (c orderCopy) settled() bool {
	if len(c) == 0 || len(c[0]) != 1 {
		return false
	}
	order, callbacks := orderTables[0], orderTables[4]
	if c[0][0][slices.Index(order.columns, "final_us")] == int64(0) || len(c[0][0][slices.Index(order.columns, "params_sealed")].([]byte)) == 0 {
		return false
	}
	return !slices.ContainsFunc(c[4], func(row []any) bool { return row[slices.Index(callbacks.columns, "due_us")] != int64(0) })
}

// copies reads all rows of some orders, which stand next to each other.
func copies(ctx context.Context, q querier, orders []OldOrder) (map[payout.OrderID]orderCopy, error) {
	found := make(map[payout.OrderID]orderCopy, len(orders))
	for _, o := range orders {
		found[o.ID] = make(orderCopy, len(orderTables))
	}
	callbacks := make(map[int64]payout.OrderID)
	for i, table := range orderTables {
		rows, err := table.read(ctx, q, orders, callbacks)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", table.name, err)
		}
		owner := slices.Index(table.columns, table.owner)
		for _, row := range rows {
			number, _ := row[owner].(int64)
			id := payout.OrderID(number)
			if table.found == byCallback {
				id = callbacks[number]
			}
			c := found[id]
			if c == nil {
				continue // another order's
			}
			c[i] = append(c[i], row)
			if table.name == "callbacks" {
				callback, _ := row[0].(int64)
				callbacks[callback] = id
			}
		}
	}
	return found, nil
}

// read reads the rows of a table that belong to some orders, and maybe others.
func (table orderTable) read(ctx context.Context, q querier, orders []OldOrder, callbacks map[int64]payout.OrderID) ([][]any, error) {
	read := func(where string, args ...any) ([][]any, error) {
		return readRows(ctx, q, len(table.columns), "SELECT "+strings.Join(table.columns, ", ")+" FROM "+table.name+" WHERE "+where+
			" ORDER BY "+strings.Join(table.key, ", "), args...)
	}
	var keys []any
	switch table.found {
	case byOrder:
		return read(table.owner+" >= $1 AND "+table.owner+" <= $2", int64(orders[0].ID), int64(orders[len(orders)-1].ID))
	case byCallback:
		for _, id := range slices.Sorted(maps.Keys(callbacks)) {
			keys = append(keys, id)
		}
	case byKey:
		for _, o := range orders {
			keys = append(keys, o.key(table.name))
		}
	}
	var rows [][]any
	for some := range slices.Chunk(keys, keysAtOnce) {
		for len(some) < keysAtOnce { // always as many arguments, so that it is one statement
			some = append(some[:len(some):len(some)], some[0])
		}
		more, err := read(table.key[0]+" IN ("+placeholders(1, keysAtOnce)+")", some...)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// key is by what a row of an order is found in a keyed table.
func (o OldOrder) key(table string) any {
	if table == "forms" {
		return append([]byte{}, o.Form...)
	}
	return string(o.Receipt)
}

// Archive copies settled orders, given by id, at most ArchiveMost, into an archive;
// and unless they are to be kept, it empties them here when the copy is on disk and
// agrees with them. Orders that are not settled, or change meanwhile, stay as they
// are; it tells which were copied or, if they are not kept, emptied.
func (db *DB) Archive(ctx context.Context, archive *DB, orders []OldOrder, keep bool) (map[payout.OrderID]bool, error) {
	if len(orders) == 0 || len(orders) > ArchiveMost || !slices.IsSortedFunc(orders, func(a, b OldOrder) int { return cmp.Compare(a.ID, b.ID) }) {
		return nil, fmt.Errorf("archive %d orders at once: they must be sorted, and 1 to %d", len(orders), ArchiveMost)
	}
	originals, err := copies(ctx, db.engine.reader(), orders)
	if err != nil {
		return nil, fmt.Errorf("archive orders: %w", err)
	}
	settled := slices.DeleteFunc(slices.Clone(orders), func(o OldOrder) bool { return !originals[o.ID].settled() })
	if len(settled) == 0 {
		return nil, nil
	}
	if err := archive.putCopies(ctx, settled, originals); err != nil {
		return nil, fmt.Errorf("archive orders: write the copy: %w", err)
	}
	stored, err := copies(ctx, archive.engine.reader(), settled)
	if err != nil {
		return nil, fmt.Errorf("archive orders: read the copy: %w", err)
	}
	for _, o := range settled {
		if !reflect.DeepEqual(stored[o.ID], originals[o.ID]) {
			return nil, fmt.Errorf("archive orders: the copy of %s is not what was written", place(o.ID))
		}
	}
	done := make(map[payout.OrderID]bool, len(settled))
	if keep {
		for _, o := range settled {
			done[o.ID] = true
		}
		return done, nil
	}
	err = db.Transact(ctx, time.Time{}, func(tx *Tx) error { return tx.empty(settled, stored, done) })
	if err != nil {
		return nil, fmt.Errorf("archive orders: %w", err)
	}
	return done, nil
}

// putCopies stores copies, in the place of those that an archiving which did not
// come to its end has left.
func (db *DB) putCopies(ctx context.Context, orders []OldOrder, originals map[payout.OrderID]orderCopy) error {
	return db.Transact(ctx, time.Time{}, func(tx *Tx) error {
		before, err := copies(tx.ctx, tx.conn, orders)
		if err != nil {
			return err
		}
		for _, o := range orders {
			if c := before[o.ID][0]; len(c) > 0 && !sameOrder(c[0], originals[o.ID][0][0]) {
				return fmt.Errorf("there is another %s in it: it is an archive of another database", place(o.ID))
			}
		}
		if err := tx.forget(orders, before, 0); err != nil {
			return err
		}
		for i, table := range orderTables {
			var args [][]any
			for _, o := range orders {
				args = append(args, originals[o.ID][i]...)
			}
			_, err := tx.conn.each(tx.ctx, "INSERT INTO "+table.name+" ("+strings.Join(table.columns, ", ")+") {{rows "+placeholders(1, len(table.columns))+"}}", args)
			if err != nil {
				return fmt.Errorf("store %s: %w", table.name, err)
			}
		}
		return nil
	})
}

// sameOrder reports whether two rows of orders are of one order, which may have
// changed in between.
func sameOrder(a, b []any) bool {
	for _, column := range []string{"party_id", "client_orderid", "serial", "created_us"} {
		i := slices.Index(orderTables[0].columns, column)
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// forget deletes the rows of orders from the tables, the first ones left out. It
// deletes what was read and nothing else: a request may have come meanwhile.
func (tx *Tx) forget(orders []OldOrder, stored map[payout.OrderID]orderCopy, first int) error {
	for i, table := range slices.Backward(orderTables) {
		if i < first {
			break
		}
		var args [][]any
		for _, o := range orders {
			for _, row := range stored[o.ID][i] {
				key := make([]any, len(table.key))
				for n, column := range table.key {
					key[n] = row[slices.Index(table.columns, column)]
				}
				args = append(args, key)
			}
		}
		var where []string
		for n, column := range table.key {
			where = append(where, fmt.Sprintf("%s = $%d", column, n+1))
		}
		if _, err := tx.conn.each(tx.ctx, "DELETE FROM "+table.name+" {{using rows}} WHERE "+strings.Join(where, " AND "), args); err != nil {
			return fmt.Errorf("delete from %s: %w", table.name, err)
		}
	}
	return nil
}

// empty empties those of the orders that still are what their copies are, and
// notes them as done. It keeps others from them first: who would change an order
// or a callback, or ask for one to be sent again, waits, and finds it archived.
func (tx *Tx) empty(orders []OldOrder, stored map[payout.OrderID]orderCopy, done map[payout.OrderID]bool) error {
	clear(done)
	first, last := int64(orders[0].ID), int64(orders[len(orders)-1].ID)
	for _, lock := range []string{"SELECT id FROM orders WHERE id >= $1 AND id <= $2 ORDER BY id {{for update}}",
		"SELECT id FROM callbacks WHERE order_id >= $1 AND order_id <= $2 ORDER BY id {{for update}}"} {
		if _, err := readRows(tx.ctx, tx.conn, 1, lock, first, last); err != nil {
			return fmt.Errorf("lock: %w", err)
		}
	}
	now, err := copies(tx.ctx, tx.conn, orders)
	if err != nil {
		return err
	}
	same := slices.DeleteFunc(slices.Clone(orders), func(o OldOrder) bool { return !reflect.DeepEqual(now[o.ID], stored[o.ID]) })
	if err := tx.forget(same, now, 1); err != nil {
		return err
	}
	args := make([][]any, len(same))
	for i, o := range same {
		args[i] = []any{int64(o.ID), []byte{}}
		done[o.ID] = true
	}
	_, err = tx.conn.each(tx.ctx, `UPDATE orders SET params_sealed = $2, receiver_hash = $2, receiver_mask = '', remote_address = '', note = '' {{from rows}}
		WHERE id = $1`, args)
	if err != nil {
		return fmt.Errorf("empty orders: %w", err)
	}
	return nil
}

// An OldRequest is a request that was refused: it belongs to no order.
type OldRequest struct {
	Serial payout.SerialNumber
	At     time.Time
}

// RefusedRequests reads at most ArchiveMost refused requests with serial-numbers
// above another one, by serial-number.
func (db *DB) RefusedRequests(ctx context.Context, after payout.SerialNumber) ([]OldRequest, error) {
	var found []OldRequest
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var q OldRequest
		var at int64
		err := r.Scan(&q.Serial, &at)
		q.At = fromUS(at)
		found = append(found, q)
		return err
	}, "SELECT serial, at_us FROM requests WHERE order_id = 0 AND serial > $1 ORDER BY order_id, serial LIMIT $2", int64(after), int64(ArchiveMost))
	if err != nil {
		return nil, fmt.Errorf("read refused requests: %w", err)
	}
	return found, nil
}

// refused reads the rows of some refused requests, sorted by serial-number.
func refused(ctx context.Context, q querier, requests []OldRequest) ([][]any, error) {
	columns := orderTables[1].columns
	rows, err := readRows(ctx, q, len(columns), "SELECT "+strings.Join(columns, ", ")+
		" FROM requests WHERE order_id = 0 AND serial >= $1 AND serial <= $2 ORDER BY order_id, serial",
		int64(requests[0].Serial), int64(requests[len(requests)-1].Serial))
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	serial := slices.Index(columns, "serial")
	return slices.DeleteFunc(rows, func(row []any) bool {
		return !slices.ContainsFunc(requests, func(r OldRequest) bool { return int64(r.Serial) == row[serial] })
	}), nil
}

// ArchiveRefused copies refused requests, sorted by serial-number, into an archive
// and, unless they are to be kept, deletes them here when the copy is on disk and
// agrees with them. They never change.
func (db *DB) ArchiveRefused(ctx context.Context, archive *DB, requests []OldRequest, keep bool) error {
	originals, err := refused(ctx, db.engine.reader(), requests)
	if err != nil {
		return fmt.Errorf("archive refused requests: %w", err)
	}
	columns := orderTables[1].columns
	err = archive.Transact(ctx, time.Time{}, func(tx *Tx) error {
		_, err := tx.conn.each(tx.ctx, "INSERT INTO requests ("+strings.Join(columns, ", ")+") {{rows "+placeholders(1, len(columns))+
			"}} ON CONFLICT (order_id, serial) DO NOTHING", originals)
		return err
	})
	if err != nil {
		return fmt.Errorf("archive refused requests: write the copy: %w", err)
	}
	stored, err := refused(ctx, archive.engine.reader(), requests)
	if err != nil {
		return fmt.Errorf("archive refused requests: read the copy: %w", err)
	}
	if !reflect.DeepEqual(stored, originals) {
		return errors.New("archive refused requests: the copy is not what was written: is it an archive of another database?")
	}
	if keep {
		return nil
	}
	args := make([][]any, len(requests))
	for i, r := range requests {
		args[i] = []any{int64(r.Serial)}
	}
	err = db.Transact(ctx, time.Time{}, func(tx *Tx) error {
		_, err := tx.conn.each(tx.ctx, "DELETE FROM requests {{using rows}} WHERE order_id = 0 AND serial = $1", args)
		return err
	})
	if err != nil {
		return fmt.Errorf("archive refused requests: %w", err)
	}
	return nil
}
