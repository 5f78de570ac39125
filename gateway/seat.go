package gateway

import (
	"sync/atomic"
	"time"

	"payout"
	"payout/storage"
)

// A request hands the order that it has made to the gate's worker of its own process,
// if that has room: the order is stored with a lease, as if it had been claimed, and
// nobody has to look for it. Who waits longer goes first: while there may be due
// orders that the worker has not claimed, new ones join them, except those that were stored
// so late that it has not seen them yet (storage.Lookout). When the process dies,
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
	behind  atomic.Bool  // orders may be due that were not claimed
	sends   atomic.Int64 // slots whose orders are to be sent, not only asked about

	part  atomic.Int64              // even part of the gate's concurrency, as last told
	asked atomic.Pointer[stopwatch] // since what was last told was asked for; nil: nothing was told yet
	sole  atomic.Pointer[stopwatch] // since no other node has been seen at the gate; nil: some are there

	due, sentDue storage.Lookout // runGate's
}

// lookout is where the worker looks for orders.
func (w *gateWorker) lookout(which storage.Which) *storage.Lookout {
	if which == storage.SentDue {
		return &w.sentDue
	}
	return &w.due
}

// newGateWorker makes a worker that tells of what the other nodes should know.
func newGateWorker(news chan<- struct{}) *gateWorker {
	w := &gateWorker{slots: newSlots()}
	w.circuit.news = news
	w.behind.Store(true) // what is due from earlier is not known yet
	w.slots.lower(0)     // until this node knows what it may do beside the others
	return w
}

// take takes slots for calls to a gate's rail, within what all nodes may do.
func (w *gateWorker) take(want int, gate *payout.Gate) int {
	if w.lapsed() {
		return 0
	}
	return w.slots.take(want, gate.Concurrency)
}

// limit is how many orders this node may work on at once.
func (w *gateWorker) limit(gate *payout.Gate) int {
	if w.lapsed() {
		return 0
	}
	return min(gate.Concurrency, w.slots.limit())
}

// lapsed reports whether this node has no part of the gate any more, or not yet. The
// others go by the database's clock, so a step of this machine's must not matter.
func (w *gateWorker) lapsed() bool {
	asked := w.asked.Load()
	return asked == nil || asked.took() >= shareLife-shareMargin
}

// alone is for how long no other node has been seen at the gate.
func (w *gateWorker) alone() time.Duration {
	if sole := w.sole.Load(); sole != nil && !w.lapsed() {
		return sole.took()
	}
	return 0
}

// use works on an order in a slot that was taken.
func (w *gateWorker) use(stage payout.Stage, fn func()) {
	sends := stage == payout.Starting || stage == payout.Checking
	if sends {
		w.sends.Add(1)
	}
	w.slots.use(func() {
		if sends {
			defer w.sends.Add(-1)
		}
		fn()
	})
}

// A seat is a slot of a gate's worker that was taken for a new order.
type seat struct {
	worker *gateWorker
	gate   *payout.Gate
}

// worker is a gate's worker of this process; nil when none runs.
func (g *Gateway) worker(gate payout.GateID) *gateWorker {
	if found, runs := g.workers.Load(gate); runs {
		return found.(*gateWorker)
	}
	return nil
}

// takeSeat takes a seat for a new order of a gate, or returns nil: then the order
// has to be due at once, for the gate's worker to claim it.
func (g *Gateway) takeSeat(id payout.GateID) *seat {
	worker, gate := g.worker(id), g.Directory().Gates[id]
	if worker == nil || gate == nil || !gate.Enabled {
		return nil
	}
	if worker.behind.Load() || worker.circuit.state(g.Now()) != circuitClosed {
		return nil
	}
	if worker.take(1, gate) == 0 {
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
	s.worker.use(o.Stage, func() { g.workOnce(s.gate, storage.ClaimedOrder{Order: &o}, &s.worker.circuit) })
}
