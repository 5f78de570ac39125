package gateway

import (
	"context"
	"time"

	"payout/callback"
	"payout/storage"
)

// WorkDue works on the orders that are due now, one after the other, and tells
// how many there were. Run does the same for ever and at once; WorkDue lets a
// test decide what happens when.
func (g *Gateway) WorkDue(ctx context.Context) (int, error) {
	worked := 0
	for _, gate := range storage.Sorted(g.Directory().Gates) {
		orders, err := g.claim(ctx, new(storage.Lookout), gate.ID, storage.AllDue, claimMost)
		if err != nil {
			return worked, err
		}
		for _, o := range orders {
			g.work(gate, o, new(circuit))
			worked++
		}
	}
	return worked, nil
}

// DeliverDue delivers the callbacks that are due now, one after the other, and
// tells how many there were.
func (g *Gateway) DeliverDue(ctx context.Context) (int, error) {
	callbacks, err := g.claimCallbacks(ctx, new(storage.Lookout), portion{most: claimMost, each: claimMost})
	if err != nil {
		return 0, err
	}
	for _, c := range callbacks {
		if err := g.deliver(c, nil); err != nil {
			return 0, err
		}
	}
	return len(callbacks), nil
}

// NextDue tells when WorkDue or DeliverDue will next have something to do; zero
// when everything has come to its end.
func (g *Gateway) NextDue(ctx context.Context) (time.Time, error) {
	next, err := g.DB.NextCallbackDue(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for id := range g.Directory().Gates {
		due, err := g.DB.NextDue(ctx, id, storage.AllDue)
		if err != nil {
			return time.Time{}, err
		}
		if next.IsZero() || !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next, nil
}

const (
	hastenEvery = time.Minute
	hastenMost  = 1000 // orders of a gate, or callbacks, in one transaction

	clocksDiffer  = time.Minute // those of nodes, at most
	earlyAttempts = 11          // of a callback, that are an hour apart at most
)

// Hasten mends what a clock that was ahead has left behind: orders that are to be worked
// on, and callbacks that are to be sent, much later than any node puts them off. Run does
// it each minute.
func (g *Gateway) Hasten(ctx context.Context) error {
	const lease = RailTimeoutMost + leaseBeyond // the longest of any node
	never := 2 * max(g.Settings.pollMost(), lease)
	for id := range g.Directory().Gates {
		hastened, err := g.hasten(ctx, func(tx *storage.Tx) (int64, error) { return tx.Hasten(id, never, lease, hastenMost) })
		if err != nil {
			return err
		}
		if hastened > 0 {
			g.Log.Warn("orders were put off to a time that no worker means; a clock was ahead", "gate", id, "orders", hastened)
			g.wake(id)
		}
	}
	early := max(callback.Longest(earlyAttempts), g.Settings.leaseNever()) + clocksDiffer
	late := max(callback.Longest(callback.Attempts), g.Settings.leaseNever()) + clocksDiffer
	hastened, err := g.hasten(ctx, func(tx *storage.Tx) (int64, error) {
		return tx.HastenCallbacks(earlyAttempts, early, late, hastenMost)
	})
	if err != nil {
		return err
	}
	if hastened > 0 {
		g.Log.Warn("callbacks were put off to a time that no timetable means; a clock was ahead", "callbacks", hastened)
		g.wakeCallbacks()
	}
	return nil
}

// hasten runs what mends some of them in a transaction.
func (g *Gateway) hasten(ctx context.Context, mend func(*storage.Tx) (int64, error)) (hastened int64, err error) {
	err = g.DB.Transact(ctx, g.Now(), func(tx *storage.Tx) (err error) {
		hastened, err = mend(tx)
		return err
	})
	return hastened, err
}
