package gateway

import (
	"sync"
	"time"

	"payout/processor"
)

const (
	circuitTrips = 5                // failures in a row that rest a gate; also the orders tried after a rest
	restFirst    = 2 * time.Second  // first rest
	restMost     = 60 * time.Second // longest rest
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
}

// allows tells how many orders may be sent now, when some are under way.
func (c *circuit) allows(now time.Time, underWay int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case now.Before(c.until):
		return 0
	case c.rests > 0:
		return max(0, circuitTrips-underWay)
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
	case now.Before(c.until):
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
		c.failures, c.rests, c.until = 0, 0, time.Time{}
		return
	}
	if now.Before(c.until) {
		return // a call that began before the rest
	}
	if c.failures++; c.failures < circuitTrips && c.rests == 0 {
		return
	}
	rest := min(restFirst<<min(c.rests, 10), restMost)
	c.until = now.Add(time.Duration(float64(rest) * (0.8 + 0.4*random)))
	c.rests++
	c.failures = 0
}

// asked takes note of the answer to a question about a payment: the rail lives,
// so a rest is over. A question without an answer says nothing of the next payment.
func (c *circuit) asked(o processor.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered(o) && c.rests > 0 {
		c.rests, c.until = 1, time.Time{}
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
