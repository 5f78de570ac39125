package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"payout"
	"payout/storage"
)

// What a rail has said must not be lost to a database that fails at that moment: its
// storing is insisted on. That the lease ends meanwhile does no harm. Who claims the order
// then asks the rail, and whoever moves the order first leaves the other one's outcome to
// be kept as evidence (lost in work.go).

const (
	insistFirst = 50 * time.Millisecond // before the second try
	insistMost  = 2 * time.Second       // between tries

	// insistPause is how long the others have the database for themselves after a try that
	// took so long: PostgreSQL's lock_timeout. A write that wants a row which another
	// transaction holds keeps those of its commit waiting, new requests too.
	insistPause = 3 * time.Second
)

// insist tries a write again while the database is away, or does not say what became of
// it: for about as long as a lease, or, when the workers are to end, once more. failed is
// called after the first failure that is not the last.
func (g *Gateway) insist(failed func(error), write func() error) error {
	watch := startStopwatch()
	for n := 0; ; n++ {
		try := startStopwatch()
		err := write()
		if !errors.Is(err, storage.ErrUnavailable) && !errors.Is(err, storage.ErrUnknown) || watch.took() >= g.Settings.lease() {
			return err
		}
		if n == 0 {
			failed(err)
		}
		timer := time.NewTimer(max(g.backoff(insistFirst, insistMost, n), min(try.took(), insistPause)))
		select {
		case <-timer.C:
		case <-g.ending():
			timer.Stop()
			return write()
		}
	}
}

// ending is closed when the workers are to end; nil outside of Run.
func (g *Gateway) ending() <-chan struct{} {
	if ending := g.runs.Load(); ending != nil {
		return *ending
	}
	return nil
}

// insistOn stores a move, and insists on it; moved is false when another worker was faster.
// again, unless nil, is called before the second try.
func (g *Gateway) insistOn(m *storage.Move, again func()) (moved bool, err error) {
	unknown := false // whether an earlier try was stored
	failed := func(err error) {
		if again != nil {
			again()
		}
		tx := ""
		if m.Closes != nil {
			tx = m.Closes.ProcessorTxID
		}
		g.Log.Warn("a move could not be stored yet; it is tried again", "order", m.OrderID, "event", m.Event, "processor_tx_id", tx, "error", err)
	}
	err = g.insist(failed, func() (err error) {
		moved, err = g.DB.Move(*m)
		unknown = unknown || errors.Is(err, storage.ErrUnknown)
		if err == nil && !moved && unknown {
			moved, err = g.made(m)
		}
		return err
	})
	return moved, err
}

// made reports whether a move has been made: this one, not another worker's.
func (g *Gateway) made(m *storage.Move) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), leaseMargin/2)
	defer cancel()
	history, err := g.DB.History(ctx, m.OrderID)
	if err != nil {
		return false, fmt.Errorf("%w: %w", storage.ErrUnknown, err)
	}
	return slices.ContainsFunc(history, func(h payout.Moved) bool {
		return h.Version == m.Version+1 && h.Event == m.Event && h.At.UnixMicro() == m.At.UnixMicro()
	}), nil
}
