package gateway

import (
	"sync"
	"time"

	"payout/processor"
)

const (
	circuitTrips = 5                // failures in a row that rest a gate
	restFirst    = 2 * time.Second  // first rest
	restMost     = 60 * time.Second // longest rest
)

// A circuit rests a gate whose rail is down, so that a dead rail is not
// hammered: after some failures in a row the gate pauses; then one order at a
// time is tried until one gets an answer. Orders wait meanwhile.
type circuit struct {
	mu       sync.Mutex
	failures int // in a row
	rests    int // in a row
	until    time.Time
}

// allows tells how many orders may be claimed now, when some are under way.
func (c *circuit) allows(now time.Time, underWay int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case now.Before(c.until):
		return 0
	case c.rests > 0 && underWay > 0:
		return 0 // the one that tries the rail has not come back
	case c.rests > 0:
		return 1
	}
	return claimMost
}

// record counts what a rail that was told to pay or to check answered, or failed
// to answer. Questions about payments do not count: one that the rail cannot
// answer says nothing of the next payment. random is in [0, 1).
func (c *circuit) record(o processor.Outcome, now time.Time, random float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch o.Result {
	case processor.ResultUnsent, processor.ResultLost, "":
	default:
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
