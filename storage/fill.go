package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"payout"
)

// A PastOrder is an order that was accepted some time ago, sent once and approved.
// Fill makes its id, its serial-number and its history.
type PastOrder struct {
	PartyID       payout.PartyID
	EndpointID    payout.EndpointID
	GateID        payout.GateID
	Command       string // with its version, such as v4/payout
	Type          payout.TransactionType
	ClientOrderID string
	Amount        payout.Amount
	Params        map[string]string
	ReceiverMask  string
	ReceiverHash  []byte
	CreatedAt     time.Time
	CallbackURL   payout.Secret // where a callback was delivered; empty: nowhere
	Receiver      string        // host and port of CallbackURL
}

// fillChunk is how many orders Fill stores in one transaction: PostgreSQL ends one that
// takes long.
const fillChunk = 5000

// What happened to a past order, after its acceptance.
const (
	pastSent     = 2 * time.Millisecond
	pastApproved = 40 * time.Millisecond
)

// Fill stores n past orders as fast as the database takes them: by COPY on
// PostgreSQL, by prepared statements in large transactions on SQLite, and what
// follows from an order by statements that read the orders. It is the fixture of
// measurements with many stored orders; the result is what the same orders would have
// left behind had they come one by one, and CheckBooks finds nothing in it. The
// function gives the i-th order, from 0, that gets the given id, and its receipt;
// several goroutines may call it. A Fill that ends early leaves whole orders.
func (db *DB) Fill(ctx context.Context, n int64, order func(i int64, id payout.OrderID) (PastOrder, payout.ReceiptID, error),
	progress func(done, of int64)) error {
	numbers, err := db.takeNumbers(ctx, n)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	workers := 1
	if _, ok := db.engine.(*postgresEngine); ok {
		workers = 2
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wait       sync.WaitGroup
		mu         sync.Mutex
		next, done int64
	)
	for range workers {
		wait.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				from := next
				next += fillChunk
				mu.Unlock()
				if from >= n {
					return
				}
				c := chunk{from: from, to: min(from+fillChunk, n), first: numbers, order: order}
				if err := db.Transact(ctx, time.Time{}, c.store); err != nil {
					cancel(fmt.Errorf("fill: %w", err))
					return
				}
				mu.Lock()
				done += c.to - c.from
				progress(done, n)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return db.settleDown(ctx)
}

// settleDown does at once what PostgreSQL would do by itself in the next minutes, while
// something is measured.
func (db *DB) settleDown(ctx context.Context) error {
	e, ok := db.engine.(*postgresEngine)
	if !ok {
		return nil
	}
	if _, err := e.pool.Exec(ctx, "VACUUM (ANALYZE)"); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	return nil
}

// numbers are the first ones of those that Fill gives.
type numbers struct{ order, serial, callback int64 }

// takeNumbers takes n of each kind from the counters.
func (db *DB) takeNumbers(ctx context.Context, n int64) (first numbers, err error) {
	err = db.Transact(ctx, time.Time{}, func(tx *Tx) error {
		take := func(name string, first *int64) error {
			return readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(first) },
				"UPDATE counters SET next = next + $1 WHERE name = $2 RETURNING next - $1", n, name)
		}
		return cmp.Or(take("order", &first.order), take("serial", &first.serial), take("callback", &first.callback))
	})
	return first, err
}

// A chunk is orders that Fill stores in one transaction.
type chunk struct {
	from, to int64 // numbers of the orders
	first    numbers
	order    func(i int64, id payout.OrderID) (PastOrder, payout.ReceiptID, error)
}

// pastColumns are those of orders that a chunk gives; the others are always the same.
var pastColumns = []string{"id", "party_id", "endpoint_id", "group_id", "command", "type", "client_orderid", "repeat_no", "currency", "amount_minor",
	"params_sealed", "receiver_mask", "receiver_hash", "stage", "version", "gate_position", "gate_id", "attempts", "polls", "error_code", "error_message",
	"serial", "remote_address", "note", "created_us", "final_us", "expires_us", "due_us"}

func (c chunk) store(tx *Tx) error {
	var orders, receipts, callbacks [][]any
	for i := c.from; i < c.to; i++ {
		id := c.first.order + i
		p, receipt, err := c.order(i, payout.OrderID(id))
		if err != nil {
			return err
		}
		params, err := tx.seal(encodeParams(p.Params), place(payout.OrderID(id)))
		if err != nil {
			return err
		}
		orders = append(orders, []any{id, int64(p.PartyID), int64(p.EndpointID), int64(0), p.Command, string(p.Type), p.ClientOrderID, int64(0),
			p.Amount.Currency.String(), p.Amount.Minor, params, p.ReceiverMask, p.ReceiverHash, string(payout.Approved), int64(2), int64(0),
			int64(p.GateID), int64(1), int64(0), int64(0), "", c.first.serial + i, "127.0.0.1", "", us(p.CreatedAt), us(p.CreatedAt.Add(pastApproved)),
			int64(0), int64(0)})
		receipts = append(receipts, []any{string(receipt), id})
		if p.CallbackURL != "" {
			url, err := tx.seal([]byte(p.CallbackURL.Reveal()), callbackPlace(payout.OrderID(id)))
			if err != nil {
				return err
			}
			callbacks = append(callbacks, []any{c.first.callback + i, id, p.Receiver, url, us(p.CreatedAt.Add(pastApproved))})
		}
	}
	// In the order of their trees, so that each page is written once.
	slices.SortFunc(receipts, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
	if err := tx.copyIn("orders", pastColumns, orders); err != nil {
		return fmt.Errorf("store orders: %w", err)
	}
	if err := applyReceipts(tx.ctx, tx.conn, receipts); err != nil {
		return err
	}
	_, err := tx.conn.each(tx.ctx, `INSERT INTO callbacks (id, order_id, receiver, url_sealed, attempts, state, created_us, due_us)
		{{rows $1, $2, $3, $4, 1, 'delivered', $5, 0}}`, callbacks)
	if err != nil {
		return fmt.Errorf("store callbacks: %w", err)
	}
	return c.storeHistory(tx)
}

// storeHistory stores what follows from the orders of a chunk.
func (c chunk) storeHistory(tx *Tx) error {
	first, end := c.first.order+c.from, c.first.order+c.to
	sent, approved := pastSent.Microseconds(), pastApproved.Microseconds()
	for _, s := range []struct {
		what, sql string
		args      []any
	}{
		{"history", `INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note)
			SELECT id, 1, 'send', 'starting', 'sending', created_us + $3, 0, '' FROM orders WHERE id >= $1 AND id < $2`, []any{first, end, sent}},
		{"history", `INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note)
			SELECT id, 2, 'approve', 'sending', 'approved', final_us, 0, '' FROM orders WHERE id >= $1 AND id < $2`, []any{first, end}},
		{"transactions", `INSERT INTO transactions (order_id, attempt, gate_id, reference, stage, started_us,
				processor_tx_id, rrn, approval_code, error_code, error_message, ended_us)
			SELECT id, 1, gate_id, id || '-1', 'approved', created_us + $3, 'PNTEST-' || id, '187722741', '610669', 0, '', created_us + $4
			FROM orders WHERE id >= $1 AND id < $2`, []any{first, end, sent, approved}},
		{"callback attempts", `INSERT INTO callback_attempts (callback_id, attempt, at_us, duration_us, http_status, error)
			SELECT id, 1, created_us, 5000, 200, '' FROM callbacks WHERE order_id >= $1 AND order_id < $2`, []any{first, end}},
	} {
		if _, err := tx.conn.exec(tx.ctx, s.sql, s.args...); err != nil {
			return fmt.Errorf("store %s: %w", s.what, err)
		}
	}
	return nil
}

// copyIn stores rows as fast as it can be done.
func (tx *Tx) copyIn(table string, columns []string, rows [][]any) error {
	if c, ok := tx.conn.(tellingConn).conn.(*postgresConn); ok {
		if err := c.send(tx.ctx); err != nil {
			return err
		}
		_, err := c.c.Conn().CopyFrom(tx.ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
		return err
	}
	_, err := tx.conn.each(tx.ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") {{rows "+placeholders(1, len(columns))+"}}", rows)
	return err
}
