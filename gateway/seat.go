package gateway

import (
	"sync/atomic"

	"payout"
	"payout/storage"
)

// A request hands the order that it has made to the gate's worker of its own process,
// if that has room: the order is stored with a lease, as if it had been claimed, and
// nobody has to look for it. Who waits longer goes first: while there may be due
// orders that the worker has not claimed, new ones join them. When the process dies,
// others claim the order after its lease. Callbacks do the same (courier.go).

// seatLease is how long a new order belongs to the worker that it is handed to. It
// covers the commit of the order and the move to sending, which has a lease of its own.
// Should it be too short, two workers try that move, and one of them loses it.
const seatLease = leaseMargin

// A gateWorker is what a gate's worker keeps: also for those who hand orders to it,
// and for those who read metrics.
type gateWorker struct {
	circuit circuit
	slots   *slots
	behind  atomic.Bool // orders may be due that were not claimed
}

func newGateWorker() *gateWorker {
	w := &gateWorker{slots: newSlots()}
	w.behind.Store(true) // what is due from earlier is not known yet
	return w
}

// A seat is a slot of a gate's worker that was taken for a new order.
type seat struct {
	worker *gateWorker
	gate   *payout.Gate
}

// takeSeat takes a seat for a new order of a gate, or returns nil: then the order
// has to be due at once, for the gate's worker to claim it.
func (g *Gateway) takeSeat(id payout.GateID) *seat {
	found, runs := g.workers.Load(id)
	gate := g.Directory().Gates[id]
	if !runs || gate == nil || !gate.Enabled {
		return nil
	}
	worker := found.(*gateWorker)
	if worker.behind.Load() || worker.circuit.state(g.Now()) != circuitClosed {
		return nil
	}
	if worker.slots.take(1, gate.Concurrency) == 0 {
		worker.behind.Store(true)
		return nil
	}
	return &seat{worker, gate}
}

// leave gives back a seat whose order was not stored; a nil seat is none.
func (s *seat) leave() {
	if s != nil {
		s.worker.slots.release()
	}
}

// workSeated has an order that was just stored worked on in its seat.
func (g *Gateway) workSeated(s *seat, order *payout.Order) {
	o := *order // the request still answers with its own
	s.worker.slots.use(func() { g.workOnce(s.gate, storage.ClaimedOrder{Order: &o}, &s.worker.circuit) })
}
