package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"payout/gateway"
	"payout/storage"
)

// now is the wall clock alone. Go's monotonic clock stands still while the
// machine sleeps, and leases are compared with times that other nodes stored.
func now() time.Time { return time.Now().Round(0) }

// clocksApart is how far the database's clock and ours may be apart without a
// word. Nodes judge each other's leases by their own clocks.
const clocksApart = 2 * time.Second

// warnOfClocks compares the clock of a database server with ours. It is no
// reason not to start: which of the two is wrong, people must find out.
func warnOfClocks(ctx context.Context, db *storage.DB, now func() time.Time, log *slog.Logger) {
	before := now()
	there, err := db.Clock(ctx)
	after := now()
	switch {
	case err != nil:
		log.Warn("the database does not tell its time", "error", err)
	case there.IsZero(): // it is a file, and has no clock
	default:
		if off := outside(there, before, after); off.Abs() > clocksApart {
			log.Warn("the database's clock and ours differ: set both by NTP", "database_ahead", off.String())
		}
	}
}

const (
	clockEvery = 5 * time.Second // between questions to the database, while all is well
	clockSoon  = time.Second     // while it is not, and between looks at our own clock
	clockMost  = 2 * time.Second // longest wait for an answer
	clockJump  = 2 * time.Second // largest jump of our clock that nobody is told of
)

// A clockWatch knows whether our clock may be trusted. On PostgreSQL a node whose clock is
// far from the database's is not fit to serve: it would take the leases of others, or have
// its own taken, and deny who is right about the time. It says so in the log when that
// changes, and when the clock jumps.
type clockWatch struct {
	shared bool // the database has a clock
	clock  func(context.Context) (time.Time, error)
	read   func() (wall time.Time, ran time.Duration) // ran goes on evenly, whatever becomes of the clock
	log    *slog.Logger

	off atomic.Int64 // nanoseconds that the database's clock is ahead of ours while that is too much; else 0

	// Of look alone.
	looked bool
	wall   time.Time     // at the last look
	ran    time.Duration // at the last look
	asked  time.Duration // when the database was asked, by ran
	began  time.Duration // when off began, by ran
}

// readClock makes the read of a clockWatch.
func readClock() func() (time.Time, time.Duration) {
	start := time.Now()
	return func() (time.Time, time.Duration) {
		n := time.Now() // both readings are of the same moment
		return n.Round(0), n.Sub(start)
	}
}

// apart says why our clock is not to be trusted; nil while it is.
func (w *clockWatch) apart() error {
	off := time.Duration(w.off.Load())
	if off == 0 {
		return nil
	}
	return fmt.Errorf("our clock and the database's are %s apart", off.Abs().Round(time.Millisecond))
}

// look compares our clock with what it should be since the last look, and with the
// database's when that is due or something is wrong.
func (w *clockWatch) look(ctx context.Context) {
	wall, ran := w.read()
	jump := wall.Sub(w.wall) - (ran - w.ran)
	jumped := w.looked && jump.Abs() > clockJump
	if jumped {
		w.log.Warn("our clock has jumped, or the machine has slept", "by", jump.String())
	}
	due := !w.looked || jumped || w.off.Load() != 0 || ran-w.asked >= clockEvery
	w.looked, w.wall, w.ran = true, wall, ran
	if w.shared && due {
		w.ask(ctx)
	}
}

// ask compares our clock with the database's. While that does not answer, things are as
// they were.
func (w *clockWatch) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clockMost)
	defer cancel()
	before, from := w.read()
	w.asked = from
	there, err := w.clock(ctx)
	if err != nil {
		return
	}
	_, to := w.read()
	w.note(outside(there, before, before.Add(to-from)))
}

// note keeps how far the database's clock is ahead of ours.
func (w *clockWatch) note(ahead time.Duration) {
	before := w.off.Load() != 0
	switch {
	case ahead.Abs() > gateway.ClocksMost || before && ahead.Abs() > clocksApart:
		w.off.Store(int64(ahead))
	default:
		w.off.Store(0)
	}
	after := w.off.Load() != 0
	switch {
	case !before && after:
		w.began = w.ran
		w.log.Error("our clock and the database's differ too much: requests are refused and no work is begun until they agree; set both by NTP",
			"database_ahead", ahead.String())
	case before && !after:
		w.log.Info("our clock and the database's agree again", "after", (w.ran - w.began).Round(time.Millisecond).String())
	}
}

// run looks until the context ends.
func (w *clockWatch) run(ctx context.Context) {
	tick := time.NewTicker(clockSoon)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// outside tells how long a time is after a span, or before it (negative); 0
// when it is within.
func outside(t, from, to time.Time) time.Duration {
	switch {
	case t.Before(from):
		return t.Sub(from)
	case t.After(to):
		return t.Sub(to)
	}
	return 0
}
