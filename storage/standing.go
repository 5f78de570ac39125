package storage

import (
	"context"
	"fmt"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"payout"
)

// A Standing is an order with its latest transaction.
type Standing struct {
	Order  *payout.Order
	Latest *payout.Transaction // nil before the first
}

// A standingRow is a Standing as stored: the order's parameters are sealed.
type standingRow struct {
	order  orderRow
	latest payout.Transaction
	read   time.Time
}

// An order that has come to its end stays as it is, and is asked about most in the
// minutes after it: its row is kept in memory, sealed as it is. What may change is
// where it is stored (payoutd archive) and under which key.
const (
	endedMost = 20_000           // rows, of about 1 KiB
	endedLife = 10 * time.Minute // of a row
)

type endedOrders = lru.Cache[payout.OrderID, standingRow]

func newEndedOrders() *endedOrders {
	c, err := lru.New[payout.OrderID, standingRow](endedMost)
	if err != nil {
		panic(err) // the size is positive
	}
	return c
}

// standingColumns are those of an order, o, and of its latest transaction, t, if any.
var standingColumns = "o." + strings.Join(strings.Fields(orderColumns), " o.") + `, coalesce(t.attempt, 0), coalesce(t.gate_id, 0), coalesce(t.reference, ''),
	coalesce(t.stage, ''), coalesce(t.processor_tx_id, ''), coalesce(t.rrn, ''), coalesce(t.approval_code, ''), coalesce(t.eci, ''),
	coalesce(t.advice, ''), coalesce(t.error_code, 0), coalesce(t.error_message, ''), coalesce(t.started_us, 0), coalesce(t.ended_us, 0)`

// standingQueries find where orders stand: one by its id, and the oldest two of a party's
// client_orderid.
type standingQueries struct{ byID, byClientID *jointQuery[standingRow] }

func newStandingQueries() standingQueries {
	query := func(which string) *jointQuery[standingRow] {
		return &jointQuery[standingRow]{scan: scanStanding,
			text: "SELECT " + standingColumns + " FROM orders AS o LEFT JOIN transactions AS t ON t.order_id = o.id AND t.attempt = o.attempts WHERE " + which}
	}
	return standingQueries{query("o.id = $1 LIMIT 1"), query("o.party_id = $1 AND o.client_orderid = $2 ORDER BY o.repeat_no LIMIT 2")}
}

// waits is how many callers wait for those who ask at this moment.
func (q standingQueries) waits() int { return q.byID.waits() + q.byClientID.waits() }

func scanStanding(r rows) (s standingRow, err error) {
	var started, ended int64
	t := &s.latest
	s.order, err = scanOrder(r, &t.Attempt, &t.GateID, &t.Reference, &t.Stage, &t.ProcessorTxID, &t.RRN, &t.ApprovalCode, &t.ECI, &t.Advice,
		&t.ErrorCode, &t.ErrorMessage, &started, &ended)
	t.OrderID, t.StartedAt, t.EndedAt = s.order.ID, fromUS(started), fromUS(ended)
	return s, err
}

// Standing reads where an order stands, by its id.
func (db *DB) Standing(ctx context.Context, now time.Time, id payout.OrderID) (Standing, error) {
	found, err := db.standings(ctx, now, db.stand.byID, int64(id))
	switch {
	case err != nil:
		return Standing{}, fmt.Errorf("read %s: %w", place(id), err)
	case len(found) == 0:
		return Standing{}, ErrNotFound
	}
	return found[0], nil
}

// RecentStanding is Standing, but an order that has ended may come from memory: that
// it was archived in the last minutes does not show.
func (db *DB) RecentStanding(ctx context.Context, now time.Time, id payout.OrderID) (Standing, error) {
	if s, ok := db.remembered(now, id); ok {
		return s, nil
	}
	return db.Standing(ctx, now, id)
}

// remembered is where a final order stands that was read a short while ago. What was
// sealed under a key that has gone is read again.
func (db *DB) remembered(now time.Time, id payout.OrderID) (Standing, bool) {
	row, ok := db.ended.Get(id)
	if age := now.Sub(row.read); !ok || age < 0 || age >= endedLife {
		return Standing{}, false
	}
	s, err := db.standing(row)
	return s, err == nil
}

// StandingsByClientID reads where the oldest order of a party stands that has this
// client_orderid, and one more, if there are several.
func (db *DB) StandingsByClientID(ctx context.Context, now time.Time, party payout.PartyID, clientOrderID string) ([]Standing, error) {
	found, err := db.standings(ctx, now, db.stand.byClientID, int64(party), clientOrderID)
	if err != nil {
		return nil, fmt.Errorf("read orders by client_orderid: %w", err)
	}
	return found, nil
}

func (db *DB) standings(ctx context.Context, now time.Time, q *jointQuery[standingRow], args ...any) ([]Standing, error) {
	found, err := q.read(ctx, db.engine, args...)
	if err != nil {
		return nil, err
	}
	standings := make([]Standing, len(found))
	for i, row := range found {
		row.read = now
		if standings[i], err = db.standing(row); err != nil {
			return nil, err
		}
		if o := standings[i].Order; o.Stage.Final() && !o.Archived {
			db.ended.Add(o.ID, row)
		}
	}
	return standings, nil
}

// standing unseals a row.
func (db *DB) standing(row standingRow) (s Standing, err error) {
	if s.Order, err = db.open(row.order); err == nil && row.latest.Attempt > 0 {
		s.Latest = &row.latest
	}
	return s, err
}
