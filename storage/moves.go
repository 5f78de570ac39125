package storage

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"payout"
	"payout/vault"
)

// A Move takes an order from one stage to the next: order, history,
// transaction and callback in one commit. It is lost, and stores nothing, when
// the order is no longer at From with its Version.
type Move struct {
	OrderID payout.OrderID
	From    payout.Stage
	Version int // the order's version before the move
	Event   payout.Event
	To      payout.Stage
	At      time.Time
	DueAt   time.Time // when the order is to be looked at next; zero when it is final
	Serial  payout.SerialNumber
	Note    string

	// The order's other columns after the move.
	GatePosition int
	GateID       payout.GateID
	Attempts     int
	ErrorCode    payout.ErrCode
	ErrorMessage string

	Opens    *payout.Transaction // starts with this move
	Closes   *payout.Transaction // changes with this move, by order and attempt
	Callback *payout.Callback    // is owed from this move on; it gets its ID when it has none
	Receiver *Receiver           // who has become known with this move, or nil
	Receipt  payout.ReceiptID    // by which the order can be read from this move on; or empty
}

type moveOp struct {
	Move
	callbackURL []byte // sealed
	params      []byte // of Receiver, sealed
	lost        bool
}

// seal seals what the move stores, or seals it again.
func (o *moveOp) seal(v *vault.Vault) (err error) {
	if o.Callback != nil {
		if o.callbackURL, err = seal(v, []byte(o.Callback.URL.Reveal()), callbackPlace(o.OrderID)); err != nil {
			return err
		}
	}
	if o.Receiver != nil {
		if o.params, err = sealParams(v, o.OrderID, o.Receiver.Params); err != nil {
			return err
		}
	}
	return nil
}

// number gives the callback of a move its number.
func (db *DB) number(o *moveOp) error {
	if o.Callback == nil || o.Callback.ID != 0 {
		return nil
	}
	n, err := db.callbacks.take(db)
	o.Callback.ID = payout.CallbackID(n)
	return err
}

func callbackPlace(id payout.OrderID) string { return "callback of order " + id.String() }

// Move moves an order; moved is false when the move was lost. It shares its
// commit with other callers.
func (db *DB) Move(m Move) (moved bool, err error) {
	o := &moveOp{Move: m}
	if err := cmp.Or(db.number(o), o.seal(db.vault)); err != nil {
		return false, fmt.Errorf("move %s by %s: %w", place(m.OrderID), m.Event, err)
	}
	if err := db.commits.submit(&op{move: o}); err != nil {
		return false, fmt.Errorf("move %s by %s: %w", place(m.OrderID), m.Event, err)
	}
	return !o.lost, nil
}

func applyMoves(ctx context.Context, tx conn, moves []*moveOp) error {
	args := make([][]any, len(moves))
	for i, m := range moves {
		final := int64(0)
		if m.To.Final() {
			final = us(m.At)
		}
		args[i] = []any{int64(m.OrderID), string(m.From), int64(m.Version), string(m.To), us(m.DueAt), final,
			int64(m.GatePosition), int64(m.GateID), int64(m.Attempts), int64(m.ErrorCode), m.ErrorMessage}
	}
	err := change(ctx, tx, `UPDATE orders SET stage = $4, version = version + 1, due_us = $5, final_us = $6,
			gate_position = $7, gate_id = $8, attempts = $9, error_code = $10, error_message = $11, polls = 0 {{from hoped rows}}
		WHERE id = $1 AND stage = $2 AND version = $3`, args,
		func(moved []int64) {
			for i, m := range moves {
				m.lost = moved[i] == 0
			}
		})
	if err != nil {
		return fmt.Errorf("move orders: %w", err)
	}
	var history, opens, closes, callbacks, receivers, receipts [][]any
	for _, m := range moves {
		if m.lost {
			continue
		}
		id := int64(m.OrderID)
		history = append(history, []any{id, int64(m.Version) + 1, string(m.Event), string(m.From), string(m.To), us(m.At), int64(m.Serial), m.Note})
		if t := m.Opens; t != nil {
			opens = append(opens, []any{id, int64(t.Attempt), int64(t.GateID), t.Reference, string(t.Stage), us(t.StartedAt)})
		}
		if t := m.Closes; t != nil {
			closes = append(closes, []any{id, int64(t.Attempt), string(t.Stage), t.ProcessorTxID, t.RRN, t.ApprovalCode, t.ECI, t.Advice,
				int64(t.ErrorCode), t.ErrorMessage, us(t.EndedAt)})
		}
		if c := m.Callback; c != nil {
			callbacks = append(callbacks, []any{int64(c.ID), id, c.Receiver, m.callbackURL, us(m.At), us(c.DueAt), us(c.LeasedUntil)})
		}
		if r := m.Receiver; r != nil {
			receivers = append(receivers, []any{id, m.params, r.Mask, r.Hash})
		}
		if m.Receipt != "" {
			receipts = append(receipts, []any{string(m.Receipt), id})
		}
	}
	if err := applyReceivers(ctx, tx, receivers); err != nil {
		return err
	}
	if err := applyReceipts(ctx, tx, receipts); err != nil {
		return err
	}
	return insertMoved(ctx, tx, history, opens, closes, callbacks)
}

// insertMoved stores what goes with the moves that came through.
func insertMoved(ctx context.Context, tx conn, history, opens, closes, callbacks [][]any) error {
	if err := tx.later(ctx, `INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note)
		{{rows $1, $2, $3, $4, $5, $6, $7, $8}}`, history, nil); err != nil {
		return fmt.Errorf("store history: %w", err)
	}
	if err := tx.later(ctx, `INSERT INTO transactions (order_id, attempt, gate_id, reference, stage, started_us,
			processor_tx_id, rrn, approval_code, error_code, error_message, ended_us)
		{{rows $1, $2, $3, $4, $5, $6, '', '', '', 0, '', 0}}`, opens, nil); err != nil {
		return fmt.Errorf("store transactions: %w", err)
	}
	// What a rail has told once stays when a later answer leaves it out.
	if err := tx.later(ctx, `UPDATE transactions SET stage = $3,
			processor_tx_id = CASE WHEN $4 = '' THEN processor_tx_id ELSE $4 END,
			rrn = CASE WHEN $5 = '' THEN rrn ELSE $5 END,
			approval_code = CASE WHEN $6 = '' THEN approval_code ELSE $6 END,
			eci = CASE WHEN $7 = '' THEN eci ELSE $7 END,
			advice = CASE WHEN $8 = '' THEN advice ELSE $8 END,
			error_code = $9, error_message = $10, ended_us = $11 {{from rows}}
		WHERE order_id = $1 AND attempt = $2`, closes, nil); err != nil {
		return fmt.Errorf("store outcomes: %w", err)
	}
	if err := tx.later(ctx, `INSERT INTO callbacks (id, order_id, receiver, url_sealed, attempts, state, created_us, due_us, leased_us)
		{{rows $1, $2, $3, $4, 0, 'due', $5, $6, $7}}`, callbacks, nil); err != nil {
		return fmt.Errorf("store callbacks: %w", err)
	}
	return nil
}

// A postponeOp lets an order rest without moving it.
type postponeOp struct {
	order *payout.Order
	dueAt time.Time
	polls int
}

// Postpone says when an unmoved order is to be looked at next, and ends the
// caller's lease on it. polls is the number of questions asked so far.
func (db *DB) Postpone(o *payout.Order, polls int, dueAt time.Time) error {
	if err := db.commits.submit(&op{postpone: &postponeOp{o, dueAt, polls}}); err != nil {
		return fmt.Errorf("postpone %s: %w", place(o.ID), err)
	}
	return nil
}

func applyPostpones(ctx context.Context, tx conn, postpones []*postponeOp) error {
	args := make([][]any, len(postpones))
	for i, p := range postpones {
		args[i] = []any{int64(p.order.ID), int64(p.order.Version), us(p.dueAt), int64(p.polls)}
	}
	// The plus keeps PostgreSQL from walking through all due orders to find these.
	err := tx.later(ctx, "UPDATE orders SET due_us = $3, polls = $4 {{from rows}} WHERE id = $1 AND version = $2 AND +due_us > 0", args, nil)
	if err != nil {
		return fmt.Errorf("postpone orders: %w", err)
	}
	return nil
}

// History reads an order's moves, oldest first.
func (db *DB) History(ctx context.Context, id payout.OrderID) ([]payout.Moved, error) {
	var history []payout.Moved
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		m := payout.Moved{OrderID: id}
		var at int64
		err := r.Scan(&m.Version, &m.Event, &m.From, &m.To, &at, &m.Serial, &m.Note)
		m.At = fromUS(at)
		history = append(history, m)
		return err
	}, "SELECT version, event, from_stage, to_stage, at_us, serial, note FROM moves WHERE order_id = $1 ORDER BY version", int64(id))
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", place(id), err)
	}
	return history, nil
}
