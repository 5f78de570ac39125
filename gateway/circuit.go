package gateway

import (
	"sync"
	"time"

	"payout/processor"
	"payout/storage"
)

const (
	circuitTrips = 5                // failures in a row that rest a gate; also the orders tried after a rest
	restFirst    = 2 * time.Second  // first rest
	restMost     = 60 * time.Second // longest rest, give or take a fifth
	longestRest  = restMost * 6 / 5
)

// A circuit rests a gate whose rail is down, so that a dead rail is not
// hammered: after some failures in a row no order is sent for a while; then a few
// at a time are tried until one gets an answer. A few, because one that always
// fails must not stand for all. Orders that were sent are asked about meanwhile.
type circuit struct {
	mu       sync.Mutex
	failures int // in a row
	rests    int // in a row
	until    time.Time

	// Of all nodes (share.go).
	elsewhere int             // of the orders tried after a rest, those that other nodes try
	changes   int             // of rests and until, by this node
	told      int             // of these, those that the others know
	version   int64           // of what was heard last
	news      chan<- struct{} // told of each change; nil: nobody wants to know
}

// left is what is left of the rest, and is asked under the lock. One that began while the
// clock was ahead is no longer than the longest from the moment that it is asked for.
func (c *circuit) left(now time.Time) time.Duration {
	if longest := now.Add(longestRest); c.until.After(longest) {
		c.until = longest
	}
	return max(0, c.until.Sub(now))
}

// allows tells how many orders may be sent now, when so many that are to be sent are under way.
func (c *circuit) allows(now time.Time, underWay int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.left(now) > 0:
		return 0
	case c.rests > 0:
		return max(0, circuitTrips-c.elsewhere-underWay)
	}
	return claimMost
}

// The states of a circuit, as the metrics have them.
const (
	circuitClosed = iota // orders are sent
	circuitTrying        // a few are tried after a rest
	circuitOpen          // the gate rests: no order is sent
)

// state tells whether orders are sent.
func (c *circuit) state(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.left(now) > 0:
		return circuitOpen
	case c.rests > 0:
		return circuitTrying
	}
	return circuitClosed
}

// record counts what a rail that was told to pay or to check answered, or failed
// to answer. random is in [0, 1).
func (c *circuit) record(o processor.Outcome, now time.Time, random float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered(o) {
		if c.failures = 0; c.rests > 0 {
			c.rests, c.until = 0, time.Time{}
			c.changed()
		}
		return
	}
	if c.left(now) > 0 {
		return // a call that began before the rest
	}
	if c.failures++; c.failures < circuitTrips && c.rests == 0 {
		return
	}
	rest := min(restFirst<<min(c.rests, 10), restMost)
	c.until = now.Add(time.Duration(float64(rest) * (0.8 + 0.4*random)))
	c.rests++
	c.failures = 0
	c.changed()
}

// asked takes note of the answer to a question about a payment: the rail lives,
// so a rest is over. A question without an answer says nothing of the next payment.
func (c *circuit) asked(o processor.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered(o) && c.rests > 0 && (c.rests > 1 || !c.until.IsZero()) {
		c.rests, c.until = 1, time.Time{}
		c.changed()
	}
}

func (c *circuit) changed() {
	c.changes++
	select {
	case c.news <- struct{}{}:
	default: // it is known already that there are some
	}
}

// says is what the other nodes are to be told, if anything, and how many changes of
// this node it has in it.
func (c *circuit) says(now time.Time) (rest storage.GateRest, tells bool, changes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return storage.GateRest{Rests: c.rests, Left: c.left(now)}, c.changes > c.told, c.changes
}

// hears takes over what was said last, if another node did: not what this one has said,
// with so many changes, and not while it has more to say. elsewhere is how many of the
// orders after a rest others try.
func (c *circuit) hears(rest storage.GateRest, now time.Time, changes, elsewhere int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := changes > c.told
	c.told, c.elsewhere = changes, elsewhere
	if rest.Version == c.version {
		return
	}
	c.version = rest.Version
	if !said && c.changes == changes {
		c.failures, c.rests, c.until = 0, rest.Rests, time.Time{}
		if rest.Left > 0 {
			c.until = now.Add(min(rest.Left, longestRest))
		}
	}
}

// answered reports whether the rail has said anything.
func answered(o processor.Outcome) bool {
	switch o.Result {
	case processor.ResultUnsent, processor.ResultLost, "":
		return false
	}
	return true
}
