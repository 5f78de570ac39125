package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"payout"
	"payout/processor"
	"payout/storage"
	"payout/vault"
)

// A restored backup does not know what has happened since it was made: an order that it
// has as new may have been sent, and paid, and its form or payout-pay may have come. So
// all of its orders that are not final are taken for perhaps sent, for ever: an attempt of
// theirs is stored as if it were sent, under the reference that it had or would have had,
// and the rail is asked about it. They are never sent again: who was not paid ends as an
// error, and the Connecting Party may send a new order.
//
// What the rail then says takes such an order the way that it has gone before: by the
// next gate if the rail refused, and past attempts that never left, as far as askedOn.

// askedOn is how many more attempts at a gate are asked about when the rail does not know
// one of a restored order: it may never have left, and have been followed by another.
const askedOn = 4

// ErrServing says that gateways serve while none must.
var ErrServing = errors.New("gateways serve on this database, or have it open: stop all of them first (one that was killed counts for some seconds, one whose machine was lost until PostgreSQL ends its sessions)")

// A Restoring makes a restored backup safe to serve on. It may be killed at any moment:
// once it has begun, gateways send none of the orders, and run again it goes on.
type Restoring struct {
	DB       *storage.DB
	Vault    *vault.Vault
	Skip     int64 // more orders than were made since the backup
	Now      func() time.Time
	Progress func(done, total int64) // orders
}

// Restored tells what a Restoring has done.
type Restored struct {
	NextOrder  payout.OrderID
	NextSerial payout.SerialNumber
	Asked      map[payout.Stage]int64 // orders that their rail will be asked about, by the stage that the backup had them at
	Unread     []payout.OrderID       // orders whose rows nobody can read: they wait
}

// Run restores.
func (r *Restoring) Run(ctx context.Context) (done Restored, err error) {
	serves, err := r.DB.Serving(ctx, shareLife)
	if err == nil && serves {
		err = ErrServing
	}
	if err != nil {
		return done, err
	}
	err = r.DB.Transact(ctx, r.Now(), func(tx *storage.Tx) (err error) {
		done.NextOrder, done.NextSerial, err = tx.Restored(r.Skip)
		return err
	})
	if err != nil {
		return done, err
	}
	g := &Gateway{DB: r.DB, Vault: r.Vault, Now: r.Now, Log: slog.New(slog.DiscardHandler)}
	if err := g.Reload(ctx); err != nil {
		return done, err
	}
	if done.Asked, err = r.DB.CountByStage(ctx); err != nil {
		return done, err
	}
	ids, err := r.DB.Unsent(ctx)
	if err != nil {
		return done, err
	}
	done.Unread, err = r.presumeSent(ctx, g, ids)
	return done, err
}

// presumeSent takes orders for sent, several at a time: they share commits.
func (r *Restoring) presumeSent(ctx context.Context, g *Gateway, ids []payout.OrderID) (unread []payout.OrderID, err error) {
	const atOnce = 64
	queue := make(chan payout.OrderID)
	var workers sync.WaitGroup
	var mu sync.Mutex // guards what is below
	done := 0
	for range atOnce {
		workers.Go(func() {
			for id := range queue {
				o, oneErr := r.DB.Order(ctx, id)
				if oneErr == nil && !o.Stage.Final() {
					oneErr = g.presumeSent(o)
				}
				mu.Lock()
				if errors.Is(oneErr, storage.ErrUnreadable) {
					unread = append(unread, id)
				} else {
					err = errors.Join(err, oneErr)
				}
				done++
				r.Progress(int64(done), int64(len(ids)))
				mu.Unlock()
			}
		})
	}
	failed := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return err != nil
	}
	for _, id := range ids {
		if ctx.Err() != nil || failed() {
			break
		}
		queue <- id
	}
	close(queue)
	workers.Wait()
	return unread, errors.Join(err, ctx.Err())
}

// restored reports whether an order comes from a restored backup: then it is never sent.
func (g *Gateway) restored(o *payout.Order) bool { return o.ID < g.Directory().RestoredBelow }

// presumeSent takes a restored order that may have been sent for one that was: its next
// attempt is stored as if a node had died between the intent and the call. Whoever claims
// it next asks the rail.
func (g *Gateway) presumeSent(o *payout.Order) error {
	const why = "restored from a backup: it may have been sent since; the rail is asked, and nothing is sent"
	now := g.Now()
	if _, ok := o.Stage.Next(payout.Restore); ok {
		m := g.move(o, payout.Restore, now)
		m.DueAt, m.Note = now, why
		moved, err := g.DB.Move(*m)
		if err != nil || !moved {
			return err // nil: somebody else has moved it
		}
		o.Stage, o.Version = m.To, o.Version+1
	}
	if o.Stage != payout.Starting {
		return nil // it counts as sent
	}
	intent := g.intent(o, o.GateID, now)
	intent.DueAt, intent.Note = now, why
	if _, err := g.DB.Move(*intent); err != nil {
		return fmt.Errorf("take order %s for sent: %w", o.ID, err)
	}
	g.wake(o.GateID)
	return nil
}

// mayHaveFollowed reports whether a restored order may have had another attempt at the
// same gate after one that the rail does not know.
func (g *Gateway) mayHaveFollowed(o *payout.Order, attempts []payout.Transaction, outcome processor.Outcome) bool {
	if !g.restored(o) || outcome.Result != processor.ResultBroken || outcome.Code != payout.CodeUnknownToRail {
		return false
	}
	unknown := 0 // before this one, in a row
	for i := len(attempts) - 2; i >= 0 && attempts[i].GateID == o.GateID && attempts[i].ErrorCode == payout.CodeUnknownToRail; i-- {
		unknown++
	}
	return unknown < askedOn
}

// askOn goes on to the next attempt of a restored order.
func (g *Gateway) askOn(o *payout.Order, t *payout.Transaction, outcome processor.Outcome) error {
	now := g.Now()
	m := g.move(o, payout.DeclineChain, now)
	m.Closes = told(t, outcome)
	m.Closes.Stage, m.Closes.EndedAt = payout.Declined, now
	m.DueAt, m.Note = now, "restored from a backup: the rail does not know this attempt; the next one at the same gate is asked about"
	moved, err := g.DB.Move(*m)
	if err != nil || !moved {
		return err // nil: another worker has the order
	}
	o.Stage, o.Version = m.To, o.Version+1
	return g.presumeSent(o)
}
