package storage

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"payout"
)

const orderColumns = `id, party_id, endpoint_id, group_id, command, type, client_orderid, currency, amount_minor,
	params_sealed, receiver_mask, receiver_hash, stage, version, gate_position, gate_id, attempts, polls,
	error_code, error_message, created_us, final_us, expires_us, serial`

// An orderRow is an order as stored, its parameters still sealed.
type orderRow struct {
	payout.Order
	params []byte
	err    error // the row holds what cannot be
}

// scanOrder reads the columns of an order, and more that follow them.
func scanOrder(r rows, more ...any) (orderRow, error) {
	var (
		o                       orderRow
		currency                string
		created, final, expires int64
	)
	err := r.Scan(append([]any{&o.ID, &o.PartyID, &o.EndpointID, &o.GroupID, &o.Command, &o.Type, &o.ClientOrderID, &currency,
		&o.Amount.Minor, &o.params, &o.ReceiverMask, &o.ReceiverHash, &o.Stage, &o.Version, &o.GatePosition, &o.GateID,
		&o.Attempts, &o.Polls, &o.ErrorCode, &o.ErrorMessage, &created, &final, &expires, &o.Serial}, more...)...)
	if err != nil {
		return o, err
	}
	o.CreatedAt, o.FinalAt, o.ExpiresAt = fromUS(created), fromUS(final), fromUS(expires)
	if o.Amount.Currency, err = payout.ParseCurrency(currency); err != nil {
		o.err = fmt.Errorf("read %s: its currency: %w", place(o.ID), err)
	}
	return o, nil
}

// open unseals an order's parameters; its error is ErrUnreadable.
func (db *DB) open(row orderRow) (*payout.Order, error) {
	o := &row.Order
	if row.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, row.err)
	}
	if len(row.params) == 0 && o.Stage.Final() {
		o.Archived, o.ReceiverHash = true, nil
		return o, nil
	}
	var err error
	if o.Params, err = db.openParams(o.ID, row.params); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return o, nil
}

// Order reads an order by its id.
func (db *DB) Order(ctx context.Context, id payout.OrderID) (*payout.Order, error) {
	found, err := db.readOrders(ctx, "id = $1", int64(id))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place(id), err)
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return found[0], nil
}

// OrdersByClientID reads at most limit orders of a party that have this
// client_orderid, oldest first.
func (db *DB) OrdersByClientID(ctx context.Context, party payout.PartyID, clientOrderID string, limit int) ([]*payout.Order, error) {
	found, err := db.readOrders(ctx, "party_id = $1 AND client_orderid = $2 ORDER BY repeat_no LIMIT "+literal(limit), int64(party), clientOrderID)
	if err != nil {
		return nil, fmt.Errorf("read orders by client_orderid: %w", err)
	}
	return found, nil
}

// literal is a limit as part of a statement's text, for limits that are constants of
// their callers. SQLite plans a statement whose limit is an argument anew each time.
func literal(limit int) string { return strconv.Itoa(limit) }

// OrdersByReceiver reads at most limit orders whose account or phone has this
// keyed hash, newest first.
func (db *DB) OrdersByReceiver(ctx context.Context, hash []byte, limit int) ([]*payout.Order, error) {
	found, err := db.readOrders(ctx, "receiver_hash = $1 ORDER BY id DESC LIMIT $2", hash, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read orders by receiver: %w", err)
	}
	return found, nil
}

// LatestOrders reads at most limit orders, newest first, of one stage or, when
// stage is empty, of all.
func (db *DB) LatestOrders(ctx context.Context, stage payout.Stage, limit int) ([]*payout.Order, error) {
	found, err := db.readOrders(ctx, "($1 = '' OR stage = $1) ORDER BY id DESC LIMIT $2", string(stage), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("read latest orders: %w", err)
	}
	return found, nil
}

func (db *DB) readOrders(ctx context.Context, where string, args ...any) ([]*payout.Order, error) {
	var found []orderRow
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		o, err := scanOrder(r)
		found = append(found, o)
		return err
	}, "SELECT "+orderColumns+" FROM orders WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	orders := make([]*payout.Order, len(found))
	for i, row := range found {
		var err error
		if orders[i], err = db.open(row); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// Transactions reads an order's attempts, oldest first.
func (db *DB) Transactions(ctx context.Context, id payout.OrderID) ([]payout.Transaction, error) {
	var found []payout.Transaction
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		t := payout.Transaction{OrderID: id}
		var started, ended int64
		err := r.Scan(&t.Attempt, &t.GateID, &t.Reference, &t.Stage, &t.ProcessorTxID, &t.RRN, &t.ApprovalCode, &t.ECI, &t.Advice,
			&t.ErrorCode, &t.ErrorMessage, &started, &ended)
		t.StartedAt, t.EndedAt = fromUS(started), fromUS(ended)
		found = append(found, t)
		return err
	}, `SELECT attempt, gate_id, reference, stage, processor_tx_id, rrn, approval_code, eci, advice,
			error_code, error_message, started_us, ended_us
		FROM transactions WHERE order_id = $1 ORDER BY attempt`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("read transactions of %s: %w", place(id), err)
	}
	return found, nil
}

// A claimOp takes due rows for one worker. It shares its commit with others.
type claimOp struct {
	apply func(context.Context, conn) error
}

// Which says which due orders a worker wants.
type Which bool

// The choices of Which.
const (
	AllDue  Which = false
	SentDue Which = true // only orders that need not be sent: for a gate that is switched off
)

// where is the condition on an order's stage. It is spelled as in the partial
// index that serves it.
func (w Which) where() string {
	if w == SentDue {
		return "due_us > 0 AND stage <> 'starting'"
	}
	return "due_us > 0"
}

// A ClaimedOrder is an order that belongs to its claimer until the lease ends.
type ClaimedOrder struct {
	*payout.Order
	Err error // the row cannot be read: the order has no parameters
}

// ClaimOrders takes up to limit orders of a gate that are due, the longest due
// first, and keeps others from them until the lease ends. A claimed order is
// the caller's to Move or Postpone; if the caller dies, it is due again when
// the lease has ended. An order that cannot be read does not keep the others. A lookout
// is where it begins; nil is the beginning.
func (db *DB) ClaimOrders(l *Lookout, gate payout.GateID, which Which, now time.Time, lease time.Duration, limit int) ([]ClaimedOrder, error) {
	var found []orderRow
	from := us(l.since())
	claim := &claimOp{apply: func(ctx context.Context, tx conn) error {
		found = found[:0]
		return readAll(ctx, tx, func(r rows) error {
			o, err := scanOrder(r)
			found = append(found, o)
			return err
		}, `UPDATE orders SET due_us = $1 WHERE id IN (
				SELECT id FROM orders WHERE gate_id = $2 AND due_us >= $3 AND due_us <= $4 AND `+which.where()+`
				ORDER BY due_us LIMIT $5 {{skip locked}})
			RETURNING `+orderColumns, us(now.Add(lease)), int64(gate), from, us(now), int64(limit))
	}}
	if err := db.commits.submit(&op{claim: claim}); err != nil {
		return nil, fmt.Errorf("claim orders: %w", err)
	}
	claimed := make([]ClaimedOrder, len(found))
	for i, row := range found {
		o, err := db.open(row)
		if err != nil {
			o = &row.Order
		}
		claimed[i] = ClaimedOrder{o, err}
	}
	return claimed, nil
}

// Hasten makes orders of a gate due that are to be worked on only later than never from
// now, which no worker can have meant, and tells how many it were, at most limit. One
// that is being sent is due after the longest lease: its worker may live, and its clock be
// ahead still. Orders that wait for people, or for their expiry, are left alone.
func (tx *Tx) Hasten(gate payout.GateID, never, lease time.Duration, limit int) (int64, error) {
	now, later, err := tx.clocks()
	if err != nil {
		return 0, fmt.Errorf("hasten orders: %w", err)
	}
	n, err := tx.conn.exec(tx.ctx, `UPDATE orders SET due_us = CASE WHEN stage = 'sending' THEN CAST($1 AS BIGINT) ELSE CAST($2 AS BIGINT) END WHERE id IN (
			SELECT id FROM orders WHERE gate_id = $3 AND due_us > $4 AND due_us > 0
				AND (stage = 'checking' OR stage = 'starting' OR stage = 'sending' OR stage = 'pending' OR stage = 'doubtful')
			ORDER BY due_us LIMIT $5 {{skip locked}})`, us(later.Add(lease)), us(now), int64(gate), us(later.Add(never)), int64(limit))
	if err != nil {
		return 0, fmt.Errorf("hasten orders: %w", err)
	}
	return n, nil
}

// NextDue tells when ClaimOrders will find the next order; zero for never.
func (db *DB) NextDue(ctx context.Context, gate payout.GateID, which Which) (time.Time, error) {
	return db.nextDue(ctx, gate, which, 0, math.MaxInt64)
}

// LookForOrders is NextDue for a worker that looks again and again, and then claims: zero
// when none is due within LookAhead.
func (db *DB) LookForOrders(ctx context.Context, l *Lookout, gate payout.GateID, which Which, now time.Time) (time.Time, error) {
	due, err := db.nextDue(ctx, gate, which, us(l.start(now)), us(now.Add(LookAhead)))
	if err == nil {
		l.saw(now, due)
	}
	return due, err
}

func (db *DB) nextDue(ctx context.Context, gate payout.GateID, which Which, from, until int64) (time.Time, error) {
	var due int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&due) },
		"SELECT coalesce(min(due_us), 0) FROM orders WHERE gate_id = $1 AND due_us >= $2 AND due_us <= $3 AND "+which.where(),
		int64(gate), from, until)
	if err != nil {
		return time.Time{}, fmt.Errorf("read next due order: %w", err)
	}
	return fromUS(due), nil
}

// CountMost is how many due orders of a gate, or due callbacks, are counted at most: those
// who read metrics do not wait long, however much is due.
const CountMost = 5000

// CountDue counts the orders of a gate that ClaimOrders would find, at most CountMost.
func (db *DB) CountDue(ctx context.Context, gate payout.GateID, which Which, now time.Time) (int, error) {
	var n int
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&n) },
		"SELECT count(*) FROM (SELECT 1 FROM orders WHERE gate_id = $1 AND due_us <= $2 AND "+which.where()+" LIMIT "+literal(CountMost)+") AS due",
		int64(gate), us(now))
	if err != nil {
		return 0, fmt.Errorf("count due orders: %w", err)
	}
	return n, nil
}

// DoubtfulSince tells since when the order of a gate is doubtful that has been so for
// longest; zero when none is. It looks at the orders that need not be sent, the longest due
// first, at most CountMost: doubtful ones are asked about every few minutes, so where more
// than that are under way, one that stays doubtful is seen now and then.
func (db *DB) DoubtfulSince(ctx context.Context, gate payout.GateID) (time.Time, error) {
	var since int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&since) },
		`SELECT coalesce(min((SELECT at_us FROM moves WHERE order_id = sent.id AND version = sent.version)), 0)
			FROM (SELECT id, version, stage FROM orders WHERE gate_id = $1 AND `+SentDue.where()+" ORDER BY due_us LIMIT "+literal(CountMost)+`) AS sent
			WHERE stage = 'doubtful'`, int64(gate))
	if err != nil {
		return time.Time{}, fmt.Errorf("read oldest doubtful order: %w", err)
	}
	return fromUS(since), nil
}

// CountByStage counts the orders that are not final, by stage.
func (db *DB) CountByStage(ctx context.Context) (map[payout.Stage]int64, error) {
	counts := make(map[payout.Stage]int64)
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var stage payout.Stage
		var n int64
		err := r.Scan(&stage, &n)
		counts[stage] = n
		return err
	}, "SELECT stage, count(*) FROM orders WHERE due_us > 0 GROUP BY stage")
	if err != nil {
		return nil, fmt.Errorf("count orders: %w", err)
	}
	return counts, nil
}

// placeholders returns "$first, $first+1, ..." for n arguments.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}
