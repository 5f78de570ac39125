package storage

import "time"

const (
	// lookoutSlack is how late something may be stored, by the clock of the node that
	// looks, to be seen by its next look: the clocks of two nodes may be as far apart
	// (twice gateway.ClocksMost).
	lookoutSlack = 10 * time.Second
	// lookoutWhole is how long after a look from the beginning another one is.
	lookoutWhole = 10 * time.Second
	// LookAhead is how far a look reaches beyond now: a worker looks again within that time.
	LookAhead = time.Second
)

// A Lookout is from where on one worker looks for what is due: from a moment before which
// it has seen that nothing is. PostgreSQL's index keeps an entry of whatever was to be due until it
// is vacuumed, also of leases that were given back long before their end, and a look over all
// times walks through all of them.
//
// What is stored too late for that (see lookoutSlack) is seen by a look from the
// beginning, within lookoutWhole. The zero Lookout is ready; it is for one goroutine, and for
// one gate and Which, or for callbacks.
type Lookout struct {
	from  time.Time // zero: from the beginning
	whole time.Time // when the last look from the beginning was
}

// start is from where on to look now.
func (l *Lookout) start(now time.Time) time.Time {
	if age := now.Sub(l.whole); age < 0 || age >= lookoutWhole {
		l.from, l.whole = time.Time{}, now
	}
	return l.from
}

// saw is told what was due next when the worker looked; zero for nothing.
func (l *Lookout) saw(now, next time.Time) {
	l.from = now.Add(-lookoutSlack)
	if !next.IsZero() && next.Before(l.from) {
		l.from = next
	}
}

// since is from where on to claim what the last look has found; nil claims from the
// beginning.
func (l *Lookout) since() time.Time {
	if l == nil {
		return time.Time{}
	}
	return l.from
}
