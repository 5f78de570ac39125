package storage

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"payout"
	"payout/vault"
)

// A SealedColumn is a column of sealed values, in a table whose primary key is id.
type SealedColumn struct {
	table, column string
	owner, name   string // SQL of what the place of a value is made of
	place         func(owner int64, name string) string
}

// String returns table.column.
func (c SealedColumn) String() string { return c.table + "." + c.column }

// SealedColumns lists every sealed column: one that is missing here would be
// lost with its old key.
func SealedColumns() []SealedColumn {
	return []SealedColumn{
		{"journal", "content_sealed", "id", "''", func(id int64, _ string) string { return journalPlace(payout.SerialNumber(id)) }},
		{"parties", "control_key_sealed", "0", "login", func(_ int64, login string) string { return controlKeyPlace(login) }},
		{"gates", "settings_sealed", "0", "name", func(_ int64, name string) string { return settingsPlace(name) }},
		{"endpoints", "callback_url_sealed", "id", "''", func(id int64, _ string) string { return endpointPlace(payout.EndpointID(id)) }},
		{"orders", "params_sealed", "id", "''", func(id int64, _ string) string { return place(payout.OrderID(id)) }},
		{"callbacks", "url_sealed", "order_id", "''", func(order int64, _ string) string { return callbackPlace(payout.OrderID(order)) }},
		{"card_refs", "card_sealed", "id", "''", func(id int64, _ string) string { return cardPlace(payout.CardRefID(id)) }},
	}
}

// sealingKey is the counter that holds the id of the key that new values are
// sealed under: in the database, so that all nodes change it together.
const sealingKey = "sealing-key"

const readSealingKey = "SELECT next FROM counters WHERE name = $1"

// SealingKey reads which key the database wants new values sealed under; 0 when
// it was never changed, and the key set's primary is meant.
func (db *DB) SealingKey(ctx context.Context) (vault.KeyID, error) {
	return sealingKeyOf(ctx, db.engine.reader())
}

func sealingKeyOf(ctx context.Context, q querier) (vault.KeyID, error) {
	var id int64
	err := readOne(ctx, q, func(r rows) error { return r.Scan(&id) }, readSealingKey, sealingKey)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, fmt.Errorf("read sealing key: %w", err)
	}
	return vault.KeyID(id), nil
}

// SetSealingKey makes all nodes seal under another key. It waits for the commits
// under way that were sealed under the former one; no later one is.
func (tx *Tx) SetSealingKey(id vault.KeyID) error {
	tx.holdsKey = false // another one is wanted from here on
	if err := tx.conn.changeKey(tx.ctx); err != nil {
		return fmt.Errorf("wait for commits under the former sealing key: %w", err)
	}
	_, err := tx.conn.exec(tx.ctx, `INSERT INTO counters (name, next) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET next = excluded.next`, sealingKey, int64(id))
	if err != nil {
		return fmt.Errorf("store sealing key: %w", err)
	}
	return nil
}

// FollowKey makes the vault seal under the key that the database names, which
// a changed key file may just have brought. Without that key it seals nothing.
func (db *DB) FollowKey(ctx context.Context) error {
	id, err := db.SealingKey(ctx)
	if err != nil {
		return err
	}
	return db.vault.Follow(id)
}

// BeforeSealed is before the first value of every column.
const BeforeSealed = math.MinInt64

// A Resealing tells what became of a few values of a column.
type Resealing struct {
	Last    int64    // the id that was looked at last; the next step begins after it
	More    bool     // there may be values after it
	Changed int      // values that are sealed under the new key now
	Missed  int      // values that somebody else changed, or works on, at this moment
	Broken  []string // what cannot be opened
}

// A sealedValue is one value of a sealed column.
type sealedValue struct {
	id     int64
	place  string
	sealed []byte
}

// Reseal looks at up to limit values of a column, from the id after another one
// on, and seals those that are under other keys under the vault's present key,
// in one short transaction. A value that somebody changes meanwhile is left,
// and a row that is locked is not waited for.
func (db *DB) Reseal(ctx context.Context, c SealedColumn, after int64, limit int) (Resealing, error) {
	values, err := db.sealedValues(ctx, c, after, limit)
	if err != nil {
		return Resealing{}, fmt.Errorf("read %s: %w", c, err)
	}
	done := Resealing{Last: after, More: len(values) == limit}
	var args [][]any
	for _, v := range values {
		done.Last = v.id
		if len(v.sealed) == 0 || vault.KeyOf(v.sealed) == db.vault.Sealing() {
			continue
		}
		plain, err := db.vault.Open(v.sealed, v.place)
		if err != nil {
			done.Broken = append(done.Broken, v.place)
			continue
		}
		again, err := db.vault.Seal(plain, v.place)
		if err != nil {
			return Resealing{}, err
		}
		args = append(args, []any{v.id, again, v.sealed})
	}
	if len(args) == 0 {
		return done, nil
	}
	affected, err := db.exchange(ctx, c, args)
	if err != nil {
		return Resealing{}, fmt.Errorf("seal %s again: %w", c, err)
	}
	for _, n := range affected {
		done.Changed += int(n)
	}
	done.Missed = len(args) - done.Changed
	return done, nil
}

func (db *DB) sealedValues(ctx context.Context, c SealedColumn, after int64, limit int) ([]sealedValue, error) {
	var found []sealedValue
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var v sealedValue
		var owner int64
		var name string
		err := r.Scan(&v.id, &owner, &name, &v.sealed)
		v.place = c.place(owner, name)
		found = append(found, v)
		return err
	}, "SELECT id, "+c.owner+", "+c.name+", "+c.column+" FROM "+c.table+" WHERE id > $1 ORDER BY id LIMIT $2", after, int64(limit))
	return found, err
}

// exchange writes values in the place of others: id, new value, old value.
func (db *DB) exchange(ctx context.Context, c SealedColumn, args [][]any) ([]int64, error) {
	tx, own, err := begin(db.engine)
	if err != nil {
		return nil, err
	}
	defer tx.rollback()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A rotation that has lost its lock unnoticed must not bring a former key back.
	wanted, err := tx.holdKey(own)
	if err != nil {
		return nil, err
	}
	if wanted != anyKey && slices.ContainsFunc(args, func(row []any) bool { return stale(row[1].([]byte), wanted) }) {
		return nil, fmt.Errorf("the sealing key has changed to %s meanwhile", wanted)
	}
	affected, err := tx.each(own, "UPDATE "+c.table+" SET "+c.column+" = $2 {{from rows}} WHERE id = $1 AND "+c.column+` = $3
		AND id IN (SELECT id FROM `+c.table+" WHERE id = $1 {{skip locked}})", args)
	if err != nil {
		return nil, err
	}
	return affected, commit(own, db.engine, tx)
}

// countPage is how many values are counted in one statement.
const countPage = 5000

// CountSealed counts the values of a column by the key that they are sealed
// under, by reading each of them. Under key 0 is what was not sealed here.
func (db *DB) CountSealed(ctx context.Context, c SealedColumn) (map[vault.KeyID]int64, error) {
	counts := make(map[vault.KeyID]int64)
	for after, more := int64(BeforeSealed), true; more; {
		var seen int64
		err := readAll(ctx, db.engine.reader(), func(r rows) error {
			var prefix []byte
			var n, last int64
			err := r.Scan(&prefix, &n, &last)
			if len(prefix) > 0 { // empty: forgotten
				counts[vault.KeyOf(prefix)] += n
			}
			seen, after = seen+n, max(after, last)
			return err
		}, "SELECT substr("+c.column+", 1, 5), count(*), max(id) FROM (SELECT id, "+c.column+" FROM "+c.table+
			" WHERE id > $1 ORDER BY id LIMIT $2) AS page GROUP BY substr("+c.column+", 1, 5)", after, int64(countPage))
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", c, err)
		}
		more = seen == countPage
	}
	return counts, nil
}

// ErrAlone says that somebody else does what only one may do at a time.
var ErrAlone = errors.New("another one runs")

// RotateAlone keeps other rotations of the same database's key away until
// release is called or the process dies; ErrAlone when there is one.
func (db *DB) RotateAlone(ctx context.Context) (release func() error, err error) {
	release, err = db.engine.alone(ctx)
	if err != nil {
		return nil, fmt.Errorf("take the lock of rotations: %w", err)
	}
	return release, nil
}
