package storage

import (
	"context"
	"fmt"
	"math"
	"time"

	"payout"
)

// claimWindow is how many due callbacks are looked at to make up one claim, so
// that a long queue costs no more than a short one.
const claimWindow = 2000

// hastenWindow is how many callbacks are looked at that are due last.
const hastenWindow = 10_000

// ClaimCallbacks takes up to limit callbacks that are due, the longest due
// first, at most each of them for one receiver and none for the busy ones, and
// keeps others from them until the lease ends. A URL that cannot be read is
// empty. A lookout is where it begins; nil is the beginning.
func (db *DB) ClaimCallbacks(l *Lookout, now time.Time, lease time.Duration, limit, each int, busy []string) ([]payout.Callback, error) {
	type row struct {
		payout.Callback
		url []byte
	}
	var found []row
	args := []any{us(now.Add(lease)), us(now), int64(each), int64(limit), int64(claimWindow), us(l.since())}
	notBusy := ""
	if len(busy) > 0 {
		notBusy = "AND receiver NOT IN (" + placeholders(len(args)+1, len(busy)) + ")"
		for _, receiver := range busy {
			args = append(args, receiver)
		}
	}
	claim := &claimOp{apply: func(ctx context.Context, tx conn) error {
		found = found[:0]
		// Not SKIP LOCKED, which window functions exclude: of two nodes that choose the same
		// row, the second waits, sees the new due_us and leaves the row. The plus keeps
		// the index of due callbacks for the inner query: what was chosen is found by id.
		return readAll(ctx, tx, func(r rows) error {
			var c row
			err := r.Scan(&c.ID, &c.OrderID, &c.Receiver, &c.url, &c.Attempts, &c.State)
			found = append(found, c)
			return err
		}, `UPDATE callbacks SET due_us = $1, leased_us = $1 WHERE +due_us > 0 AND +due_us <= $2 AND id IN (
				SELECT id FROM (
					SELECT id, due_us, row_number() OVER (PARTITION BY receiver ORDER BY due_us, id) AS place
					FROM (SELECT id, receiver, due_us FROM callbacks WHERE due_us > 0 AND due_us >= $6 AND due_us <= $2 `+notBusy+`
						ORDER BY due_us LIMIT $5) AS next) AS due
				WHERE place <= $3 ORDER BY due_us LIMIT $4)
			RETURNING id, order_id, receiver, url_sealed, attempts, state`, args...)
	}}
	if err := db.commits.submit(&op{claim: claim}); err != nil {
		return nil, fmt.Errorf("claim callbacks: %w", err)
	}
	callbacks := make([]payout.Callback, len(found))
	for i, c := range found {
		if url, err := db.vault.Open(c.url, callbackPlace(c.OrderID)); err == nil {
			c.URL = payout.Secret(url)
		}
		c.DueAt = now.Add(lease)
		callbacks[i] = c.Callback
	}
	return callbacks, nil
}

type attemptOp struct {
	payout.CallbackAttempt
	state payout.CallbackState
	dueAt time.Time
	late  bool // another one was before it
}

// RecordAttempt stores a try to deliver a callback and what the callback is
// from now on; dueAt is zero unless another try is owed.
func (db *DB) RecordAttempt(a payout.CallbackAttempt, state payout.CallbackState, dueAt time.Time) error {
	if err := db.commits.submit(&op{attempt: &attemptOp{CallbackAttempt: a, state: state, dueAt: dueAt}}); err != nil {
		return fmt.Errorf("record callback attempt: %w", err)
	}
	return nil
}

// applyAttempts stores attempts. One that exists already (its sender was slow,
// and after the lease another node tried too) changes nothing.
func applyAttempts(ctx context.Context, tx conn, attempts []*attemptOp) error {
	changes := make([][]any, len(attempts))
	for i, a := range attempts {
		changes[i] = []any{int64(a.CallbackID), int64(a.Attempt), string(a.state), us(a.dueAt)}
	}
	err := change(ctx, tx, `UPDATE callbacks SET attempts = $2, state = $3, due_us = $4, leased_us = 0 {{from hoped rows}}
		WHERE id = $1 AND attempts = $2 - 1 AND state = 'due'`, changes,
		func(changed []int64) {
			for i, a := range attempts {
				a.late = changed[i] == 0
			}
		})
	if err != nil {
		return fmt.Errorf("change callbacks: %w", err)
	}
	var inserts [][]any
	for _, a := range attempts {
		if !a.late {
			inserts = append(inserts, []any{int64(a.CallbackID), int64(a.Attempt), us(a.At), a.Duration.Microseconds(),
				int64(a.HTTPStatus), a.Error})
		}
	}
	err = tx.later(ctx, `INSERT INTO callback_attempts (callback_id, attempt, at_us, duration_us, http_status, error)
		{{rows $1, $2, $3, $4, $5, $6}}`, inserts, nil)
	if err != nil {
		return fmt.Errorf("store callback attempts: %w", err)
	}
	return nil
}

// HastenCallbacks makes callbacks due that are to be sent only later than late from now,
// or, after so many attempts at most, later than early: no timetable and no lease can have
// meant that. It tells how many it were, at most limit. The latest are looked at, so many
// that a long queue costs no more than a short one.
func (tx *Tx) HastenCallbacks(attempts int, early, late time.Duration, limit int) (int64, error) {
	now, later, err := tx.clocks()
	if err != nil {
		return 0, fmt.Errorf("hasten callbacks: %w", err)
	}
	// The plus is that of ClaimCallbacks.
	n, err := tx.conn.exec(tx.ctx, `UPDATE callbacks SET due_us = $1, leased_us = 0 WHERE +due_us > $2 AND id IN (
			SELECT id FROM (SELECT id, attempts, due_us FROM callbacks WHERE due_us > 0 AND due_us > $2 ORDER BY due_us DESC LIMIT $6) AS latest
			WHERE due_us > $3 OR attempts <= $4 LIMIT $5)`,
		us(now), us(later.Add(early)), us(later.Add(late)), int64(attempts), int64(limit), int64(hastenWindow))
	if err != nil {
		return 0, fmt.Errorf("hasten callbacks: %w", err)
	}
	return n, nil
}

// ResendCallback makes a party's callback due now, and notes who asked for it. It
// reports false, and changes nothing, when the callback is under way or was asked
// for after the time since; ErrNotFound when the party has no such callback. What is
// later than never was noted by a clock that was ahead, and does not count.
func (tx *Tx) ResendCallback(party payout.PartyID, id payout.CallbackID, by string, since, never time.Time) (bool, error) {
	var owner payout.PartyID
	err := readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(&owner) },
		"SELECT o.party_id FROM callbacks AS c JOIN orders AS o ON o.id = c.order_id WHERE c.id = $1", int64(id))
	if err == nil && owner != party {
		err = ErrNotFound
	}
	if err != nil {
		return false, fmt.Errorf("send callback again: %w", err)
	}
	n, err := tx.conn.exec(tx.ctx, `UPDATE callbacks SET state = 'due', due_us = $2, leased_us = 0, asked_us = $2
		WHERE id = $1 AND (leased_us <= $2 OR leased_us > $4) AND (asked_us <= $3 OR asked_us > $4)`,
		int64(id), us(tx.Now), us(since), us(never))
	if err == nil && n == 1 {
		_, err = tx.conn.exec(tx.ctx, "INSERT INTO callback_resends (callback_id, at_us, asked_by) VALUES ($1, $2, $3)",
			int64(id), us(tx.Now), by)
	}
	if err != nil {
		return false, fmt.Errorf("send callback again: %w", err)
	}
	return n == 1, nil
}

// Resends reads who asked for the callbacks of an order to be sent again, oldest
// first.
func (db *DB) Resends(ctx context.Context, id payout.OrderID) ([]payout.Resend, error) {
	var found []payout.Resend
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		var s payout.Resend
		var at int64
		err := r.Scan(&s.CallbackID, &at, &s.By)
		s.At = fromUS(at)
		found = append(found, s)
		return err
	}, `SELECT callback_id, at_us, asked_by FROM callback_resends
		WHERE callback_id IN (SELECT id FROM callbacks WHERE order_id = $1) ORDER BY at_us, callback_id`, int64(id))
	if err != nil {
		return nil, fmt.Errorf("read resends of %s: %w", place(id), err)
	}
	return found, nil
}

// NextCallbackDue tells when the next callback is due; zero when none is owed.
func (db *DB) NextCallbackDue(ctx context.Context) (time.Time, error) {
	return db.nextCallbackDue(ctx, 0, math.MaxInt64)
}

// LookForCallbacks is NextCallbackDue for a worker that looks again and again, and then
// claims: zero when none is due within LookAhead.
func (db *DB) LookForCallbacks(ctx context.Context, l *Lookout, now time.Time) (time.Time, error) {
	due, err := db.nextCallbackDue(ctx, us(l.start(now)), us(now.Add(LookAhead)))
	if err == nil {
		l.saw(now, due)
	}
	return due, err
}

func (db *DB) nextCallbackDue(ctx context.Context, from, until int64) (time.Time, error) {
	var due int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&due) },
		"SELECT coalesce(min(due_us), 0) FROM callbacks WHERE due_us > 0 AND due_us >= $1 AND due_us <= $2", from, until)
	if err != nil {
		return time.Time{}, fmt.Errorf("read next due callback: %w", err)
	}
	return fromUS(due), nil
}

// CountCallbacksDue counts the callbacks that are due, at most CountMost.
func (db *DB) CountCallbacksDue(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&n) },
		"SELECT count(*) FROM (SELECT 1 FROM callbacks WHERE due_us > 0 AND due_us <= $1 LIMIT "+literal(CountMost)+") AS due", us(now))
	if err != nil {
		return 0, fmt.Errorf("count due callbacks: %w", err)
	}
	return n, nil
}

// Callbacks reads the callbacks of an order, without their URLs, and the
// attempts to deliver them, oldest first.
func (db *DB) Callbacks(ctx context.Context, id payout.OrderID) ([]payout.Callback, []payout.CallbackAttempt, error) {
	var callbacks []payout.Callback
	err := readAll(ctx, db.engine.reader(), func(r rows) error {
		c := payout.Callback{OrderID: id}
		var due, leased int64
		err := r.Scan(&c.ID, &c.Receiver, &c.Attempts, &c.State, &due, &leased)
		c.DueAt, c.LeasedUntil = fromUS(due), fromUS(leased)
		callbacks = append(callbacks, c)
		return err
	}, "SELECT id, receiver, attempts, state, due_us, leased_us FROM callbacks WHERE order_id = $1 ORDER BY id", int64(id))
	if err != nil {
		return nil, nil, fmt.Errorf("read callbacks of %s: %w", place(id), err)
	}
	var attempts []payout.CallbackAttempt
	err = readAll(ctx, db.engine.reader(), func(r rows) error {
		var a payout.CallbackAttempt
		var at, duration int64
		err := r.Scan(&a.CallbackID, &a.Attempt, &at, &duration, &a.HTTPStatus, &a.Error)
		a.At, a.Duration = fromUS(at), time.Duration(duration)*time.Microsecond
		attempts = append(attempts, a)
		return err
	}, `SELECT callback_id, attempt, at_us, duration_us, http_status, error FROM callback_attempts
		WHERE callback_id IN (SELECT id FROM callbacks WHERE order_id = $1) ORDER BY callback_id, attempt`, int64(id))
	if err != nil {
		return nil, nil, fmt.Errorf("read callback attempts of %s: %w", place(id), err)
	}
	return callbacks, attempts, nil
}
