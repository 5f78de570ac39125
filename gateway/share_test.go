package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/storage"
	"payout/storage/storagetest"
)

// gauge reads a gauge of the gate "first".
func (h *house) gauge(name string) float64 {
	h.t.Helper()
	return h.gaugeOf("first", name)
}

func (h *house) gaugeOf(gate, name string) float64 {
	h.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(h.Collector())
	families, err := registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && len(m.GetLabel()) == 1 && m.GetLabel()[0].GetValue() == gate {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

const (
	gaugeUnderWay = "payoutd_gate_orders_under_way"
	gaugeLimit    = "payoutd_gate_share_orders"
	gaugeCircuit  = "payoutd_gate_circuit_state"
)

// Together nodes have as many calls to a rail at once as its gate allows, in even
// parts, and one that stops leaves its part to the others.
func TestNodesTogetherHaveAGatesConcurrencyAtMost(t *testing.T) {
	const concurrency = 8 // of the gates of setUpWorld
	db := storagetest.Open(t, storagetest.Postgres(t))
	release := make(chan struct{})
	var byNode [2]atomic.Int64
	rail := &railFunc{} // counts the calls of both
	pays := func(node int) processor.Processor {
		return &countedRail{rail, &byNode[node]}
	}
	rail.pay = func(p processor.Payment) processor.Outcome { <-release; return approve(p) }
	one := newHouse(t, db, pays(0), gateway.Settings{})
	two := moveIn(t, storagetest.Again(t, db), pays(1), gateway.Settings{})
	one.run()
	end := sync.OnceFunc(func() { close(release) })
	t.Cleanup(end) // before the workers are waited for
	await(t, "the first node to have the gate for itself", func() bool { return one.gauge(gaugeLimit) == concurrency })
	for range 2 * concurrency {
		one.pay("1", "")
	}
	await(t, "the first node to use all of it", func() bool { return one.gauge(gaugeUnderWay) == concurrency })
	stop := two.run()
	t.Cleanup(end)
	// The first node's calls are under way; it gives up its part as they end.
	for range 2 * concurrency {
		select {
		case release <- struct{}{}:
		case <-time.After(30 * time.Second):
			t.Fatal("no call to end")
		}
	}
	await(t, "even parts", func() bool { return one.gauge(gaugeLimit) == concurrency/2 && two.gauge(gaugeLimit) == concurrency/2 })
	var last payout.OrderID
	for range 4 * concurrency {
		last = one.pay("1", "")
	}
	await(t, "both nodes to use their parts", func() bool { return byNode[0].Load() == concurrency/2 && byNode[1].Load() == concurrency/2 })
	end()
	one.awaitStage(last, payout.Approved)
	stop()
	await(t, "the first node to have the gate for itself again", func() bool { return one.gauge(gaugeLimit) == concurrency })
	rail.mu.Lock()
	defer rail.mu.Unlock()
	if rail.most != concurrency {
		t.Errorf("%d payments at once on a gate of %d", rail.most, concurrency)
	}
}

// A countedRail also counts the payments under way of one node.
type countedRail struct {
	*railFunc
	paying *atomic.Int64
}

func (r *countedRail) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	r.paying.Add(1)
	defer r.paying.Add(-1)
	return r.railFunc.Payout(ctx, p)
}

// A node that stops, and still waits for a call, shares that call's gate until it ends; where it
// has nothing to do, all is the others' at once.
func TestStoppingNodeLeavesGatesWhereItHasNothingToDo(t *testing.T) {
	const concurrency = 8 // of the gates of setUpWorld
	release := make(chan struct{})
	rail := &railFunc{pay: func(p processor.Payment) processor.Outcome { <-release; return approve(p) }}
	one := newHouse(t, storagetest.Open(t, storagetest.Postgres(t)), rail, gateway.Settings{})
	two := moveIn(t, storagetest.Again(t, one.db), rail, gateway.Settings{})
	stop := one.run()
	await(t, "the first node's part", func() bool { return one.gauge(gaugeLimit) == concurrency })
	one.pay("1", "")
	await(t, "the call to be under way", func() bool { return one.gauge(gaugeUnderWay) == 1 })
	two.run()
	end := sync.OnceFunc(func() { close(release) })
	t.Cleanup(end) // before the workers are waited for
	parts := func(first, second float64) func() bool {
		return func() bool { return two.gauge(gaugeLimit) == first && two.gaugeOf("second", gaugeLimit) == second }
	}
	await(t, "even parts", parts(concurrency/2, concurrency/2))
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	await(t, "the gate that the first node does not use", parts(concurrency/2, concurrency))
	select {
	case <-stopped:
		t.Fatal("the first node has not waited for its call")
	default:
	}
	end()
	<-stopped
	await(t, "all", parts(concurrency, concurrency))
}

// A node that has died keeps its part until it has not been heard of for its life.
func TestDeadNodesPartIsGivenToTheOthers(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	dead := &storage.GatePart{Gate: 1, Concurrency: 8}
	if err := db.ShareGates(t.Context(), 1, 2*time.Second, []*storage.GatePart{dead}); err != nil || dead.Calls != 8 {
		t.Fatal(dead, err)
	}
	h.run()
	await(t, "the node to be told its part", func() bool { return h.gauge(gaugeLimit) >= 0 })
	id := h.pay("1", "")
	// Read in this order: what has no part now had none then.
	if o, err := h.db.Order(t.Context(), id); err != nil || o.Stage != payout.Starting && h.gauge(gaugeLimit) == 0 {
		t.Errorf("%v, %v", o, err)
	}
	h.awaitStage(id, payout.Approved)
	await(t, "the dead node's part", func() bool { return h.gauge(gaugeLimit) == 8 })
}

// A rail that does not answer one node rests for all, and an answer to one wakes it for all.
func TestGateRestsOnAllNodes(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	down := &railFunc{pay: func(processor.Payment) processor.Outcome { return processor.Unsent(errors.New("refused")) }}
	one := newHouse(t, db, down, gateway.Settings{})
	release := make(chan struct{})
	up := &railFunc{pay: func(p processor.Payment) processor.Outcome { <-release; return approve(p) }}
	two := moveIn(t, storagetest.Again(t, db), up, gateway.Settings{})
	heard := func() storage.GateRest {
		part := &storage.GatePart{Gate: 1, Concurrency: 8}
		if err := db.ShareGates(t.Context(), 1, time.Second, []*storage.GatePart{part}); err != nil {
			t.Fatal(err)
		}
		return part.Rest
	}
	stop := one.run()
	await(t, "the first node's part", func() bool { return one.gauge(gaugeLimit) == 8 })
	for range 5 {
		one.pay("1", "")
	}
	await(t, "the rest to be told", func() bool { return heard().Rests > 0 })
	stop()
	two.run()
	end := sync.OnceFunc(func() { close(release) })
	t.Cleanup(end) // before the workers are waited for
	await(t, "the second node to hear of the rest", func() bool { return two.gauge(gaugeCircuit) > 0 })
	told := heard().Version
	end()
	await(t, "the second node to be answered", func() bool { return two.gauge(gaugeCircuit) == 0 })
	await(t, "the end of the rest to be told", func() bool { r := heard(); return r.Version > told && r.Rests == 0 })
}

// A node that is not fit to serve leaves its part to the others, and has it again when it
// is.
func TestUnfitNodeLeavesItsPartToTheOthers(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	one := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	two := moveIn(t, storagetest.Again(t, db), &railFunc{pay: approve}, gateway.Settings{})
	var unfit atomic.Bool
	two.Unfit = func() error {
		if unfit.Load() {
			return errors.New("in the test")
		}
		return nil
	}
	one.run()
	two.run()
	for _, is := range []bool{false, true, false} {
		unfit.Store(is)
		want := [2]float64{4, 4} // of the 8 of the gates of setUpWorld
		if is {
			want = [2]float64{8, 0}
		}
		await(t, fmt.Sprint("the parts when one node is unfit: ", is), func() bool {
			return [2]float64{one.gauge(gaugeLimit), two.gauge(gaugeLimit)} == want
		})
	}
}
