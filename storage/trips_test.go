package storage_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// trips counts the round trips of a database's transactions.
type trips struct{ n atomic.Int32 }

func (c *trips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (c *trips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestCommitsTakeFewRoundTrips(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	count := new(trips)
	storage.Trace(t, db, count)
	o := order(t, db, "a")
	sent := &payout.Transaction{OrderID: o.ID, Attempt: 1, GateID: 1, Reference: "r", Stage: payout.Sending, StartedAt: noon}
	move := func(m storage.Move) func() error {
		return func() error {
			m.OrderID, m.At, m.Attempts = o.ID, noon, 1
			moved, err := db.Move(m)
			if err == nil && !moved {
				err = errors.New("the move is lost")
			}
			return err
		}
	}
	for _, c := range []struct {
		what string
		most int32
		do   func() error
	}{
		{"a question", 1, func() error { _, err := db.Accept(onlyNonce("question")); return err }},
		{"an order", 1, func() error {
			a := onlyNonce("order")
			a.Order, a.DueAt, a.Unique = o, noon, true
			_, err := db.Accept(a)
			return err
		}},
		{"the intent to send", 1, move(storage.Move{From: payout.Starting, Event: payout.Send, To: payout.Sending, DueAt: noon, Opens: sent})},
		{"an end with its callback", 1, move(storage.Move{From: payout.Sending, Version: 1, Event: payout.Approve, To: payout.Approved, Closes: sent,
			Callback: &payout.Callback{ID: 1, OrderID: o.ID, Receiver: "merchant.example.com:443", URL: "https://merchant.example.com/cb", DueAt: noon}})},
		{"a callback's attempt", 1, func() error {
			return db.RecordAttempt(payout.CallbackAttempt{CallbackID: 1, Attempt: 1, At: noon, HTTPStatus: 200}, payout.CallbackDelivered, time.Time{})
		}},
	} {
		before := count.n.Load()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		if took := count.n.Load() - before; took > c.most || took == 0 {
			t.Errorf("%s takes %d round trips, want %d at most", c.what, took, c.most)
		}
	}
}

// What waits behind a statement that the server refuses is not run: not the next
// ones, and not the commit.
func TestNothingBehindARefusedStatementIsStored(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db := storagetest.Open(t, database)
		row := func(name string) []any { return []any{name, int64(1)} }
		const insert = "INSERT INTO counters (name, next) {{rows $1, $2}}"
		told, err := storage.Laters(db, insert, [][][]any{{row("first")}, {row("twice"), row("twice")}, {row("last")}})
		if err == nil || errors.Is(err, storage.ErrUnknown) || errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("the commit is told %v, want a refusal", err)
		}
		if told > 1 {
			t.Errorf("%d of three statements were told that they have run", told)
		}
		// The connection that had the transaction is as good as new.
		for range 20 {
			if told, err := storage.Laters(db, insert, nil); told != 0 || err != nil {
				t.Fatal(told, err)
			}
		}
		told, err = storage.Laters(db, insert, [][][]any{{row("first")}, {row("twice")}, {row("last")}})
		if told != 3 || err != nil {
			t.Errorf("what was not stored is stored again: %d told, %v", told, err)
		}
	})
}
