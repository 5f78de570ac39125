package gateway_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// narrow lets the first gate of the house have one order at once; before run.
func (h *house) narrow() { h.Directory().Gates[1].Concurrency = 1 }

func TestNewOrdersDoNotGoBeforeThoseThatWait(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var mu sync.Mutex
		var paid []string
		first, begun := make(chan struct{}), make(chan struct{})
		rail := &railFunc{pay: func(p processor.Payment) processor.Outcome {
			mu.Lock()
			paid = append(paid, p.Reference)
			n := len(paid)
			mu.Unlock()
			if n == 1 {
				close(begun)
				<-first
			}
			return approve(p)
		}}
		h := newHouse(t, db, rail, gateway.Settings{})
		h.narrow()
		h.run()
		orders := []payout.OrderID{h.pay("1", "")}
		<-begun
		orders = append(orders, h.pay("2", "")) // waits
		close(first)
		for i := range 10 {
			orders = append(orders, h.pay(strconv.Itoa(3+i), ""))
		}
		for _, id := range orders {
			h.awaitStage(id, payout.Approved)
		}
		want := []string{payout.Reference(orders[0], 1), payout.Reference(orders[1], 1)}
		if !slices.Equal(paid[:2], want) {
			t.Errorf("paid in the order %v; want %v first", paid, want)
		}
	})
}

func TestOrderThatIsNotStoredGivesItsSeatBack(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
		h.narrow()
		h.run()
		first := h.pay("1", "")
		h.awaitStage(first, payout.Approved)
		for range 3 {
			h.calls-- // the same client_orderid again
			if again := h.pay("1", ""); again != first {
				t.Fatalf("the repeated request made order %s", again)
			}
		}
		serial, err := db.NextSerial()
		if err != nil {
			t.Fatal(err)
		}
		r, err := spec.Payout.Parse([]sign.Pair{{Name: "client_orderid", Value: "other"}, {Name: "amount", Value: "1.00"}, {Name: "currency", Value: "USD"}, {Name: "account_number", Value: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		for i := range 3 { // the same nonce again
			c := &gateway.Call{Command: spec.Payout, Serial: serial, Party: h.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: at}
			c.UseNonce("n", at, time.Minute)
			if _, err := h.Payout(t.Context(), c, r); (err == nil) != (i == 0) {
				t.Fatalf("request %d with the nonce: %v", i, err)
			}
		}
		h.awaitStage(h.pay("2", ""), payout.Approved)
	})
}

// A rail that rested is tried with a new order also while questions about earlier ones are under
// way: they say nothing of the next payment.
func TestQuestionsDoNotStandInTheWayOfTries(t *testing.T) {
	const failures = 5 // in a row that rest a gate; also how many are tried
	var paid atomic.Int64
	rail := &questionedRail{railFunc: &railFunc{}, answer: make(chan struct{})}
	rail.pay = func(p processor.Payment) processor.Outcome {
		if paid.Add(1) <= failures {
			return processor.Lost(errors.New("no answer"))
		}
		return approve(p)
	}
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{PollFirst: time.Millisecond})
	h.run()
	t.Cleanup(func() { close(rail.answer) }) // before the workers are waited for
	for range failures {
		h.pay("1", "")
	}
	await(t, "questions about all of them", func() bool { return rail.asked.Load() == failures })
	h.awaitStage(h.pay("2", ""), payout.Approved)
}

// A questionedRail answers questions when it is let, and counts them.
type questionedRail struct {
	*railFunc
	asked  atomic.Int64
	answer chan struct{}
}

func (r *questionedRail) Status(context.Context, processor.Payment) processor.Outcome {
	r.asked.Add(1)
	<-r.answer
	return processor.Lost(errors.New("no answer"))
}
