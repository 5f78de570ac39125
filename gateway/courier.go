package gateway

import (
	"sync"

	"payout"
	"payout/storage"
)

// A courier delivers callbacks: only so many at once, and to each receiver only its
// share of them, so that a slow one delays only its own. It claims what is due, and
// takes what has just come to be owed from the workers of its process (seat.go says
// why).
type courier struct {
	slots *slots
	most  int           // deliveries at once
	each  int           // of them to one receiver
	eased chan struct{} // signalled when a receiver has ceased to be busy

	lookout storage.Lookout // runCallbacks'

	mu       sync.Mutex
	underWay map[string]int // deliveries, by receiver
	// behind are the receivers that may have due callbacks that were not claimed. Of
	// none of them anything is known until the first claim.
	behind map[string]bool
	known  bool
}

func newCourier(s Settings) *courier {
	return &courier{slots: newSlots(), most: or(s.CallbackConcurrency, 512), each: or(s.CallbackPerReceiver, 32),
		eased: make(chan struct{}, 1), underWay: make(map[string]int)}
}

// half is how many callbacks of one receiver are claimed at once; as many of its share
// as are left may be taken meanwhile.
func (c *courier) half() int { return (c.each + 1) / 2 }

// take takes a slot for a callback that a receiver is about to be owed; false when
// the callback has to wait for its claim.
func (c *courier) take(receiver string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || c.behind[receiver] {
		return false
	}
	if c.underWay[receiver] >= c.each-c.half() || c.slots.take(1, c.most) == 0 {
		c.behind[receiver] = true
		return false
	}
	c.underWay[receiver]++
	return true
}

// leave gives back a slot whose callback was not stored.
func (c *courier) leave(receiver string) {
	c.ended(receiver)
	c.slots.release()
}

// claimed counts a delivery that was claimed.
func (c *courier) claimed(receiver string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay[receiver]++
}

// ended counts the end of a delivery.
func (c *courier) ended(receiver string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.busy(receiver)
	if c.underWay[receiver]--; c.underWay[receiver] == 0 {
		delete(c.underWay, receiver)
	}
	if was && !c.busy(receiver) {
		select {
		case c.eased <- struct{}{}:
		default: // it has been signalled already
		}
	}
}

// busy reports whether what is claimed at once could be more than is left of a
// receiver's share.
func (c *courier) busy(receiver string) bool { return c.underWay[receiver] > c.each-c.half() }

// A portion says how much may be claimed.
type portion struct {
	most int      // callbacks; as many slots are taken
	each int      // callbacks of one receiver
	busy []string // receivers that must not get more
}

// portion tells how much may be claimed, and takes the slots for it.
func (c *courier) portion() portion {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := portion{most: c.slots.take(claimMost, c.most), each: c.half()}
	for receiver := range c.underWay {
		if c.busy(receiver) {
			p.busy = append(p.busy, receiver)
		}
	}
	return p
}

// found notes what the claim of a portion has found. If that was less than it might
// have been, nothing else is due but what is owed to the busy ones, or was stored late
// (storage.Lookout).
func (c *courier) found(p portion, callbacks []payout.Callback) {
	if len(callbacks) >= p.most {
		return
	}
	counts := make(map[string]int)
	for _, f := range callbacks {
		if counts[f.Receiver]++; counts[f.Receiver] == p.each {
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known, c.behind = true, make(map[string]bool)
	for _, receiver := range p.busy {
		c.behind[receiver] = true
	}
}
