package gateway

import (
	"context"
	"math/rand/v2"
	"time"

	"payout/storage"
)

// Nodes on one PostgreSQL share each gate: its concurrency, so that the rail has no more
// calls at once than it takes, and its circuit, so that a rail that is down rests for all.
// Each node says now and then what it has under way and is told its part, an even one,
// which grows as the others give up theirs. A node that cannot say so takes no more orders,
// before the others take it for gone; one that is not fit to serve leaves its part to them.
// Which node an order came to does not matter: those that find no room where they were
// accepted are due, and any node claims them.
const (
	shareEvery  = time.Second
	shareLife   = 5 * time.Second // of a node that is not heard of
	shareMargin = time.Second     // that it stops before that: a call begins a moment after its order was taken
)

// runShares shares the gates, also whenever there is news of one, until the context
// ends, when all workers have ended. Then this node's parts are the others'.
func (g *Gateway) runShares(ctx context.Context, news <-chan struct{}) {
	node := rand.Int64()
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	failing := false
	for ctx.Err() == nil {
		err := g.guarded(func() error { return g.shareGates(ctx, node) })
		if err != nil && !failing && ctx.Err() == nil { // one line for all
			g.Log.Error("share gates failed: it is tried again, and no orders are taken meanwhile, after some seconds", "error", err)
		}
		failing = err != nil && ctx.Err() == nil
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-news:
		}
	}
	if failing {
		return // its parts end as soon by themselves
	}
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareMargin)
	defer cancel()
	if err := g.DB.LeaveGates(leaving, node); err != nil {
		g.Log.Info("gates not left: the other nodes wait until this one's parts end", "error", err)
	}
}

// shareGates tells the other nodes what this one does, and takes its parts.
func (g *Gateway) shareGates(ctx context.Context, node int64) error {
	ctx, cancel := context.WithTimeout(ctx, shareLife)
	defer cancel()
	type pending struct {
		worker  *gateWorker
		changes int
		part    *storage.GatePart
	}
	asked, unfit := startStopwatch(), g.Fit() != nil
	var all []pending
	var parts []*storage.GatePart
	for id, gate := range g.Directory().Gates {
		worker := g.worker(id)
		if worker == nil {
			continue
		}
		p := pending{worker: worker, part: &storage.GatePart{Gate: id, Concurrency: gate.Concurrency}}
		most := min(int(p.worker.part.Load()), gate.Concurrency)
		if most == 0 && g.codes.waits(id) {
			most = 1 // a call that it has had is for the sales that it has taken: it takes no more
		}
		if unfit {
			most = 0
		}
		var closed bool
		p.part.Keeps, p.part.UnderWay, closed = p.worker.slots.lower(most)
		if closed || unfit {
			if p.part.UnderWay == 0 { // left: what it knew of the gate is not so when it comes back
				worker.part.Store(0)
				worker.sole.Store(nil)
				continue
			}
			p.part.Keeps, p.part.Concurrency = p.part.UnderWay, p.part.UnderWay
		}
		p.part.Rest, p.part.Tells, p.changes = p.worker.circuit.says(g.Now())
		all, parts = append(all, p), append(parts, p.part)
	}
	if err := g.DB.ShareGates(ctx, node, shareLife, parts); err != nil {
		return err
	}
	for _, p := range all {
		p.worker.part.Store(int64(storage.EvenPart(p.part.Concurrency, p.part.Nodes, p.part.Rank)))
		if p.part.Nodes > 1 || p.worker.lapsed() { // or nobody has looked meanwhile
			p.worker.sole.Store(nil)
		}
		if p.part.Nodes == 1 {
			p.worker.sole.CompareAndSwap(nil, asked)
		}
		p.worker.circuit.hears(p.part.Rest, g.Now(), p.changes, circuitTrips-storage.EvenPart(circuitTrips, p.part.Nodes, p.part.Rank))
		p.worker.asked.Store(asked)
		p.worker.slots.allow(p.part.Calls)
	}
	return nil
}
