package gateway_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/storage"
	"payout/storage/storagetest"
)

// An order that passes from gate to gate must not lie still until a lease ends,
// although its first worker has hardly let go of it.
func TestChainOfGatesGoesOnAtOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db, &railFunc{pay: func(p processor.Payment) processor.Outcome {
			if p.Attempt == 1 {
				return processor.DeclinedTryNext(payout.CodeDeclined, "try another")
			}
			return approve(p)
		}}, gateway.Settings{})
		const orders = 300
		var ids []payout.OrderID
		h.run()
		for range orders {
			ids = append(ids, h.pay("1", ""))
		}
		for _, id := range ids {
			h.awaitStage(id, payout.Approved) // within 30 seconds; a lease is 75
		}
	})
}

// lockedBuffer is a log that workers write and the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// If the rail pays after another node has ended the order, somebody must hear of it.
func TestMoneyThatLeftTooLateIsTold(t *testing.T) {
	storagetest.Each(t, moneyThatLeftTooLate)
}

func moneyThatLeftTooLate(t *testing.T, db *storage.DB) {
	var id payout.OrderID
	rail := &railFunc{pay: func(processor.Payment) processor.Outcome {
		o, err := db.Order(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		moved, err := db.Move(storage.Move{OrderID: id, From: o.Stage, Version: o.Version, Event: payout.Fail, To: payout.Failed, At: time.Now(),
			GateID: o.GateID, Attempts: o.Attempts, ErrorCode: payout.CodeUnknownToRail})
		if err != nil || !moved {
			t.Fatal(moved, err)
		}
		return processor.Approved("THE-MONEY-LEFT")
	}}
	h := newHouse(t, db, rail, gateway.Settings{})
	log, metrics := new(lockedBuffer), prometheus.NewRegistry()
	h.Log, h.Metrics = slog.New(slog.NewTextHandler(log, nil)), gateway.NewMetrics(metrics)
	id = h.pay("1", "")
	if _, err := h.WorkDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.b.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "THE-MONEY-LEFT") {
		t.Errorf("the log says: %s", text)
	}
	late, err := db.LateOutcomes(t.Context(), id)
	if err != nil || len(late) != 1 || late[0].ProcessorTxID != "THE-MONEY-LEFT" || late[0].Result != string(processor.ResultApproved) ||
		late[0].SeenStage != payout.Sending || late[0].Attempt != 1 || late[0].At.IsZero() {
		t.Errorf("the evidence is %+v, %v", late, err)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "payoutd_late_outcomes_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			if result, n := m.GetLabel()[0].GetValue(), m.GetCounter().GetValue(); (n == 1) != (result == string(processor.ResultApproved)) {
				t.Errorf("the metric has %g of %s", n, result)
			}
		}
		return
	}
	t.Error("there is no metric of it")
}

// A payment of which the rail tells two nodes, one when it asks and the other when its lease is
// over, is one payment: one end, one callback, and the second answer is kept.
func TestPaymentThatTheRailTellsTwiceCountsOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		rail := &twiceTold{}
		h := newHouse(t, db, rail, gateway.Settings{})
		var mu sync.Mutex
		clock := time.Now().Add(time.Minute) // what pay makes is due
		h.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return clock }
		other := h.another(rail)
		rail.meanwhile = func() {
			mu.Lock()
			clock = clock.Add(time.Minute + 16*time.Second) // a lease
			mu.Unlock()
			if n, err := other.WorkDue(context.Background()); err != nil || n != 1 {
				t.Errorf("the other node worked on %d orders: %v", n, err)
			}
		}
		id := h.pay("1", "http://127.0.0.1:1/callback")
		if n, err := h.WorkDue(t.Context()); err != nil || n != 1 || rail.told != 2 {
			t.Fatalf("%d orders, told %d times: %v", n, rail.told, err)
		}
		history, err := db.History(t.Context(), id)
		if err != nil || len(history) != 2 || history[1].To != payout.Approved {
			t.Errorf("the history is %+v, %v", history, err)
		}
		transactions, err := db.Transactions(t.Context(), id)
		if err != nil || len(transactions) != 1 || transactions[0].ProcessorTxID != "tx" {
			t.Errorf("the transactions are %+v, %v", transactions, err)
		}
		if callbacks, _, err := db.Callbacks(t.Context(), id); err != nil || len(callbacks) != 1 {
			t.Errorf("%d callbacks, %v", len(callbacks), err)
		}
		if late, err := db.LateOutcomes(t.Context(), id); err != nil || len(late) != 1 || late[0].Result != string(processor.ResultApproved) || late[0].ProcessorTxID != "tx" {
			t.Errorf("the second answer: %+v, %v", late, err)
		}
	})
}

// A twiceTold rail pays once and tells of it twice: whoever asks, and then the one who has sent.
type twiceTold struct {
	meanwhile func()
	told      int
}

func (r *twiceTold) Payout(context.Context, processor.Payment) processor.Outcome {
	r.meanwhile()
	r.told++
	return processor.Approved("tx")
}

func (r *twiceTold) Status(context.Context, processor.Payment) processor.Outcome {
	r.told++
	return processor.Approved("tx")
}
