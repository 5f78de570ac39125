package gateway

import (
	"context"
	"sync"
	"time"

	"payout"
	"payout/processor"
	"payout/spec"
	"payout/storage"
)

// charge takes an order that charges a card to its rail. It is send, with a card
// code that only the node has that accepted the order: the code is in no database.
func (g *Gateway) charge(rail processor.Processor, gate *payout.Gate, o *payout.Order, c *circuit) error {
	acquirer, ok := rail.(processor.Acquirer)
	if !ok {
		_, err := g.finish(o, payout.Decline, payout.CodeNoGate, "", nil)
		return err
	}
	now := g.Now()
	code, ok := g.codes.get(o.ID, now)
	if ok {
		return g.send(func(ctx context.Context, p processor.Payment) processor.Outcome {
			p.CardCode = code
			return withoutCode(acquirer.Charge(ctx, p), code)
		}, gate, o, c)
	}
	if !g.codeGone(o, now) { // the node that has it will claim it
		return g.DB.Postpone(o, o.Polls+1, now.Add(g.jitter(codeElsewhere+now.Sub(o.CreatedAt)/32)))
	}
	_, err := g.finish(o, payout.Decline, payout.CodeCardCodeGone, "", nil)
	return err
}

// codeGone reports whether no node can have the card code of an order any more: one keeps
// it while its gate rests, or while it has no part of the gate. A node that has been alone
// at the gate for a lease does not wait for a node that has stopped.
func (g *Gateway) codeGone(o *payout.Order, now time.Time) bool {
	age, lease := now.Sub(o.CreatedAt), g.Settings.lease()
	if worker := g.worker(o.GateID); worker != nil && worker.alone() >= lease {
		return age >= lease
	}
	return age >= codeMost+lease
}

// hasPart reports whether this node may call a gate's rail now and then: where there
// are fewer calls than nodes, some may not, and one that has begun to work does not
// know yet.
func (g *Gateway) hasPart(gate payout.GateID) bool {
	worker := g.worker(gate)
	return worker == nil || !g.DB.Shared() || worker.part.Load() > 0
}

// acquires reports whether every gate that an endpoint could use for the
// currency leads to an acquirer.
func (g *Gateway) acquires(d *storage.Directory, e *payout.Endpoint, currency payout.Currency) bool {
	for _, id := range e.Gates {
		gate := d.Gates[id]
		if _, ok := g.Processors[gate.Processor].(processor.Acquirer); gate.Takes(currency) && !ok {
			return false
		}
	}
	return true
}

// checkExpiry refuses a card whose month of expiry is over.
func checkExpiry(r *spec.Request, now time.Time) error {
	if payout.CardExpired(r.Text(spec.ExpireMonth), r.Text(spec.ExpireYear), now) {
		return &payout.Error{Code: payout.CodeCardExpired, Param: spec.ExpireYear.Name}
	}
	return nil
}

const (
	codeMost      = 10 * time.Minute       // longest time that a card code is kept for its charge
	codeElsewhere = 250 * time.Millisecond // until another node has another chance to claim; longer for older orders
)

// cardCodes keeps card codes in memory from the request to the authorisation.
// They are wiped as soon as the rail has been asked, and after codeMost anyway.
type cardCodes struct {
	mu    sync.Mutex
	codes map[payout.OrderID]*cardCode
}

type cardCode struct {
	digits []byte
	gate   payout.GateID // that the order is for at first
	since  time.Time
}

func (c *cardCodes) put(id payout.OrderID, code string, gate payout.GateID, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.codes == nil {
		c.codes = make(map[payout.OrderID]*cardCode)
	}
	c.codes[id] = &cardCode{[]byte(code), gate, now}
}

func (c *cardCodes) get(id payout.OrderID, now time.Time) (payout.Secret, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	code := c.codes[id]
	if code == nil || now.Sub(code.since) >= codeMost {
		return "", false
	}
	return payout.Secret(code.digits), true
}

// waits reports whether there is a code for a charge by a gate.
func (c *cardCodes) waits(gate payout.GateID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, code := range c.codes {
		if code.gate == gate {
			return true
		}
	}
	return false
}

func (c *cardCodes) wipe(id payout.OrderID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if code := c.codes[id]; code != nil {
		clear(code.digits)
		delete(c.codes, id)
	}
}

// sweep wipes what has been kept too long.
func (c *cardCodes) sweep(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, code := range c.codes {
		if now.Sub(code.since) >= codeMost {
			clear(code.digits)
			delete(c.codes, id)
		}
	}
}
