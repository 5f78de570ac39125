package server

import (
	"context"
	"log/slog"
	"time"

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
