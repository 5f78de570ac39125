package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"payout"
	"payout/vault"
)

// An Acceptance is everything that a request stores, in one commit: all of it
// or, when the nonce was used or the order exists, nothing but the nonce.
type Acceptance struct {
	Now     time.Time
	Nonce   *Nonce          // nil for commands without one
	Request *payout.Request // nil for requests that are not remembered
	Order   *payout.Order   // the new order, or nil
	DueAt   time.Time       // when the new order is to be worked on
	Move    *Move           // what the request does to an existing order, or nil
	Unique  bool            // the order's client_orderid may occur once
	CardRef *payout.CardRef // the card that the request registers, or nil
	Form    []byte          // hash of the token of the new order's form, or nil
}

// NonceAlone reports whether nothing but the nonce is stored: that of a question.
func (a *Acceptance) NonceAlone() bool {
	return a.Request == nil && a.Order == nil && a.Move == nil && a.CardRef == nil
}

// Accepted tells how an acceptance ended.
type Accepted struct {
	NonceUsed   bool // nothing was stored
	OrderExists bool // the nonce was stored; an order has the client_orderid already
	MoveLost    bool // the nonce was stored; the order is no longer where Move saw it
}

// Stored reports whether the request and what it creates are on disk.
func (a Accepted) Stored() bool { return !a.NonceUsed && !a.OrderExists && !a.MoveLost }

type acceptOp struct {
	Acceptance
	params []byte // sealed
	card   []byte // of CardRef, sealed
	move   *moveOp
	result Accepted
}

// Accept stores a request. It shares its commit with other callers; the nonce of a
// question may be stored later.
func (db *DB) Accept(a Acceptance) (Accepted, error) {
	if a.Nonce != nil && a.NonceAlone() {
		if used, ok := db.useSoon(a.Nonce); ok {
			return Accepted{NonceUsed: used}, nil
		}
	}
	o := &acceptOp{Acceptance: a}
	if a.Move != nil {
		o.move = &moveOp{Move: *a.Move}
		if err := db.number(o.move); err != nil {
			return Accepted{}, fmt.Errorf("accept request: %w", err)
		}
	}
	if err := o.seal(db.vault); err != nil {
		return Accepted{}, fmt.Errorf("accept request: %w", err)
	}
	if err := db.commits.submit(&op{accept: o}); err != nil {
		return Accepted{}, fmt.Errorf("accept request: %w", err)
	}
	if o.move != nil && !o.result.NonceUsed {
		o.result.MoveLost = o.move.lost
	}
	return o.result, nil
}

// seal seals what the request stores, or seals it again.
func (o *acceptOp) seal(v *vault.Vault) (err error) {
	if o.Order != nil {
		if o.params, err = sealParams(v, o.Order.ID, o.Order.Params); err != nil {
			return err
		}
	}
	if o.CardRef != nil {
		if o.card, err = seal(v, []byte(o.CardRef.Card.Reveal()), cardPlace(o.CardRef.ID)); err != nil {
			return err
		}
	}
	if o.move != nil {
		return o.move.seal(v)
	}
	return nil
}

// applyOrders stores new orders; one whose client_orderid exists is left out.
func applyOrders(ctx context.Context, tx conn, accepts []*acceptOp) error {
	var with []*acceptOp
	for _, a := range accepts {
		if a.Order != nil {
			with = append(with, a)
		}
	}
	slices.SortStableFunc(with, func(a, b *acceptOp) int {
		return cmp.Or(cmp.Compare(a.Order.PartyID, b.Order.PartyID), cmp.Compare(a.Order.ClientOrderID, b.Order.ClientOrderID))
	})
	args := make([][]any, len(with))
	for i, a := range with {
		o, r := a.Order, cmp.Or(a.Request, new(payout.Request))
		repeat := int64(0)
		if !a.Unique {
			repeat = int64(o.ID)
		}
		args[i] = []any{int64(o.ID), int64(o.PartyID), int64(o.EndpointID), int64(o.GroupID), o.Command, string(o.Type),
			o.ClientOrderID, repeat, o.Amount.Currency.String(), o.Amount.Minor, a.params, o.ReceiverMask, o.ReceiverHash,
			string(o.Stage), int64(o.GatePosition), int64(o.GateID), us(o.CreatedAt), us(o.ExpiresAt), us(a.DueAt),
			int64(r.Serial), r.RemoteAddress, r.Note}
	}
	err := tx.later(ctx, `INSERT INTO orders (id, party_id, endpoint_id, group_id, command, type,
			client_orderid, repeat_no, currency, amount_minor, params_sealed, receiver_mask, receiver_hash,
			stage, gate_position, gate_id, created_us, expires_us, due_us,
			serial, remote_address, note, version, attempts, polls, error_code, error_message, final_us)
		{{rows $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
			0, 0, 0, 0, '', 0}}
		ON CONFLICT (party_id, client_orderid, repeat_no) DO NOTHING {{stored id = $1}}`, args,
		func(stored []int64) {
			for i, a := range with {
				a.result.OrderExists = stored[i] == 0
			}
		})
	if err != nil {
		return fmt.Errorf("store orders: %w", err)
	}
	if !slices.ContainsFunc(with, func(a *acceptOp) bool { return a.Form != nil }) {
		return nil
	}
	if err := tx.flush(ctx); err != nil { // OrderExists may be hoped for, from here on
		return fmt.Errorf("store orders: %w", err)
	}
	var forms [][]any
	for _, a := range with {
		if !a.result.OrderExists && a.Form != nil {
			forms = append(forms, []any{a.Form, int64(a.Order.ID)})
		}
	}
	return applyForms(ctx, tx, forms)
}

// applyRequests stores the requests that did not create an order and whose
// move, if they have one, came through.
func applyRequests(ctx context.Context, tx conn, accepts []*acceptOp) error {
	var args [][]any
	for _, a := range accepts {
		r := a.Request
		if r == nil || a.Order != nil || a.move != nil && a.move.lost {
			continue
		}
		args = append(args, []any{int64(r.Serial), int64(r.PartyID), int64(r.EndpointID), int64(r.GroupID), r.Command,
			r.ClientOrderID, int64(r.OrderID), int64(r.ErrorCode), r.ErrorMessage, r.Note, r.RemoteAddress, us(r.At)})
	}
	err := tx.later(ctx, `INSERT INTO requests (serial, party_id, endpoint_id, group_id, command, client_orderid,
			order_id, error_code, error_message, note, remote_address, at_us)
		{{rows $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12}}`, args, nil)
	if err != nil {
		return fmt.Errorf("store requests: %w", err)
	}
	return nil
}

// Requests reads the requests that belong to an order: first the one that created
// it, then the others, oldest first.
func (db *DB) Requests(ctx context.Context, id payout.OrderID) ([]payout.Request, error) {
	return db.requests(ctx, "", int64(id))
}

// Request reads one request of an order by its serial-number.
func (db *DB) Request(ctx context.Context, id payout.OrderID, serial payout.SerialNumber) (payout.Request, error) {
	found, err := db.requests(ctx, "AND serial = $2", int64(id), int64(serial))
	if err != nil || len(found) == 0 {
		return payout.Request{}, cmp.Or(err, ErrNotFound)
	}
	return found[0], nil
}

// requests reads the request that created an order and those that followed, if
// they also meet a condition; the order's id is $1.
func (db *DB) requests(ctx context.Context, and string, args ...any) ([]payout.Request, error) {
	var found []payout.Request
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var q payout.Request
		var at, follows int64
		err := r.Scan(&follows, &q.Serial, &q.PartyID, &q.EndpointID, &q.GroupID, &q.Command, &q.ClientOrderID, &q.OrderID,
			&q.ErrorCode, &q.ErrorMessage, &q.Note, &q.RemoteAddress, &at)
		q.At = fromUS(at)
		found = append(found, q)
		return err
	}, `SELECT 0 AS follows, serial, party_id, endpoint_id, group_id, command, client_orderid, id AS order_id,
			0 AS error_code, '' AS error_message, note, remote_address, created_us AS at_us
		FROM orders WHERE id = $1 `+and+`
		UNION ALL
		SELECT 1, serial, party_id, endpoint_id, group_id, command, client_orderid, order_id,
			error_code, error_message, note, remote_address, at_us
		FROM requests WHERE order_id = $1 `+and+`
		ORDER BY follows, at_us, serial`, args...)
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	return found, nil
}
