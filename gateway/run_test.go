package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/callback"
	"payout/gateway"
	"payout/processor"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// A house is a gateway whose workers run, on the real clock.
type house struct {
	t  *testing.T
	db *storage.DB
	*gateway.Gateway
	calls int
}

func newHouse(t *testing.T, db *storage.DB, rail processor.Processor, settings gateway.Settings) *house {
	t.Helper()
	if err := db.Transact(t.Context(), time.Now(), setUpWorld); err != nil {
		t.Fatal(err)
	}
	return moveIn(t, db, rail, settings)
}

// moveIn makes a gateway on a database that has its set-up.
func moveIn(t *testing.T, db *storage.DB, rail processor.Processor, settings gateway.Settings) *house {
	t.Helper()
	policy := callback.Policy{AllowLoopback: true}
	h := &house{t: t, db: db, Gateway: &gateway.Gateway{DB: db, Vault: storagetest.Vault(t, db), Processors: map[string]processor.Processor{"rail": rail},
		URLs: policy, Callbacks: callback.NewSender(callback.Settings{Policy: policy, Now: time.Now}), Settings: settings,
		Now: time.Now, Random: func() float64 { return 0.5 }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	if err := h.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// run starts the workers, and returns what stops them and waits for them, as the end of
// the test does.
func (h *house) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	h.t.Cleanup(func() { stop(); h.Callbacks.Close() })
	return stop
}

// pay sends a payout and returns its order.
func (h *house) pay(account, callbackURL string) payout.OrderID {
	h.t.Helper()
	h.calls++
	serial, err := h.db.NextSerial()
	if err != nil {
		h.t.Fatal(err)
	}
	form := []sign.Pair{{Name: "client_orderid", Value: strconv.Itoa(h.calls)}, {Name: "amount", Value: "1.00"}, {Name: "currency", Value: "USD"}, {Name: "account_number", Value: account}}
	if callbackURL != "" {
		form = append(form, sign.Pair{Name: "server_callback_url", Value: callbackURL})
	}
	r, err := spec.Payout.Parse(form)
	if err != nil {
		h.t.Fatal(err)
	}
	c := &gateway.Call{Command: spec.Payout, Serial: serial, Party: h.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: h.Now()}
	order, err := h.Payout(h.t.Context(), c, r)
	if err != nil {
		h.t.Fatal(err)
	}
	return order.ID
}

// await waits until a condition holds, looking now and then.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited 30 seconds for %s", what)
		}
	}
}

func (h *house) awaitStage(id payout.OrderID, stage payout.Stage) {
	h.t.Helper()
	await(h.t, fmt.Sprintf("order %s to be %s", id, stage), func() bool {
		o, err := h.db.Order(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		return o.Stage == stage
	})
}

// A railFunc is a rail that pays by a function, and counts.
type railFunc struct {
	pay    func(processor.Payment) processor.Outcome
	mu     sync.Mutex
	paying int
	most   int // payments at once
}

func (r *railFunc) Payout(_ context.Context, p processor.Payment) processor.Outcome {
	r.mu.Lock()
	r.paying++
	r.most = max(r.most, r.paying)
	r.mu.Unlock()
	defer func() { r.mu.Lock(); r.paying--; r.mu.Unlock() }()
	return r.pay(p)
}

func (r *railFunc) Status(context.Context, processor.Payment) processor.Outcome {
	return processor.Lost(errors.New("not asked in this test"))
}

func approve(p processor.Payment) processor.Outcome { return processor.Approved("tx-" + p.Reference) }

func TestWorkersPayAndCallBackOnBothEngines(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		called := make(chan string, 100)
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { called <- r.URL.Query().Get("orderid") }))
		defer receiver.Close()
		h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
		h.run()
		want := make(map[string]bool)
		for i := range 40 {
			want[h.pay(strconv.Itoa(i), receiver.URL).String()] = true
		}
		for len(want) > 0 {
			select {
			case id := <-called:
				delete(want, id)
			case <-time.After(30 * time.Second):
				t.Fatalf("%d callbacks did not come", len(want))
			}
		}
	})
}

func TestGateHasItsConcurrencyAtMost(t *testing.T) {
	const concurrency = 8 // of the gates of setUpWorld
	rail := &railFunc{}
	full, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	rail.pay = func(p processor.Payment) processor.Outcome {
		rail.mu.Lock()
		if rail.paying == concurrency {
			once.Do(func() { close(full) })
		}
		rail.mu.Unlock()
		<-release
		return approve(p)
	}
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
	h.run()
	var last payout.OrderID
	for i := range 3 * concurrency {
		last = h.pay(strconv.Itoa(i), "")
	}
	<-full
	close(release)
	h.awaitStage(last, payout.Approved)
	rail.mu.Lock()
	defer rail.mu.Unlock()
	if rail.most > concurrency {
		t.Errorf("%d payments at once on a gate of %d", rail.most, concurrency)
	}
}

func TestSlowReceiverDoesNotDelayTheOthers(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	called := make(chan string, 100)
	quick := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { called <- r.URL.Query().Get("orderid") }))
	defer quick.Close()
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), &railFunc{pay: approve}, gateway.Settings{CallbackConcurrency: 12, CallbackPerReceiver: 4, CallbackTimeout: 10 * time.Second})
	for range 60 {
		h.pay("1", slow.URL) // more than all deliveries at once
	}
	last := h.pay("2", quick.URL)
	h.run()
	select {
	case id := <-called:
		if id != last.String() {
			t.Errorf("callback of order %s", id)
		}
	case <-time.After(8 * time.Second): // before the first slow delivery ends
		t.Error("the quick receiver waits for the slow one")
	}
}

func TestPanicInAConnectorLeavesTheOrderToBeAskedAbout(t *testing.T) {
	rail := &railFunc{pay: func(processor.Payment) processor.Outcome { panic("connector") }}
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
	id := h.pay("1", "")
	if _, err := h.WorkDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	o, err := h.db.Order(t.Context(), id)
	if err != nil || o.Stage != payout.Sending {
		t.Errorf("order stands at %s, %v", o.Stage, err)
	}
}

func TestSwitchedOffGateSeesThroughWhatWasSentAndLetsTheRestWait(t *testing.T) {
	rail := &railFunc{pay: func(p processor.Payment) processor.Outcome {
		if p.Receiver.AccountNumber == "sent" {
			return processor.Accepted("tx")
		}
		return approve(p)
	}}
	db := storagetest.Open(t, storagetest.SQLite(t))
	h := newHouse(t, db, rail, gateway.Settings{PollFirst: time.Millisecond, PollMost: 2 * time.Millisecond, ReloadEvery: 10 * time.Millisecond})
	sent := h.pay("sent", "")
	if _, err := h.WorkDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	turn := func(on bool) {
		t.Helper()
		err := db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error {
			return errors.Join(tx.Switch(storage.SwitchGate, 1, on), tx.Switch(storage.SwitchGate, 2, on))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	turn(false)
	if err := h.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	waits := h.pay("waits", "")
	h.run()
	await(t, "the sent order to be asked about", func() bool {
		o, err := db.Order(t.Context(), sent)
		return err == nil && o.Polls > 2
	})
	if o, err := db.Order(t.Context(), waits); err != nil || o.Stage != payout.Starting || o.Attempts != 0 {
		t.Errorf("the new order stands at %s, %v", o.Stage, err)
	}
	turn(true)
	h.awaitStage(waits, payout.Approved)
}

// A gate whose concurrency is changed while its worker runs allows as many calls at once
// as it says now, no fewer and no more.
func TestTheConcurrencyOfAGateIsFollowedWhileOrdersArePaid(t *testing.T) {
	const before, after = 8, 3 // of the gates of setUpWorld, and then
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		release := make(chan struct{})
		rail := &railFunc{pay: func(p processor.Payment) processor.Outcome { <-release; return approve(p) }}
		h := newHouse(t, db, rail, gateway.Settings{ReloadEvery: 10 * time.Millisecond})
		h.run()
		end := sync.OnceFunc(func() { close(release) })
		t.Cleanup(end) // before the workers are waited for
		set := func(concurrency int) {
			t.Helper()
			err := db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error { return tx.SetGate(1, concurrency, "") })
			if err != nil {
				t.Fatal(err)
			}
			await(t, "the new concurrency", func() bool { return h.Directory().Gates[1].Concurrency == concurrency })
			await(t, "the worker's limit", func() bool { return h.gauge(gaugeLimit) == float64(concurrency) })
		}
		await(t, "the worker's first limit", func() bool { return h.gauge(gaugeLimit) == before })
		set(after)
		var last payout.OrderID
		for range 2 * before {
			last = h.pay("1", "")
		}
		await(t, "as many calls as are allowed now", func() bool { return h.gauge(gaugeUnderWay) == after })
		most := func() int {
			rail.mu.Lock()
			defer rail.mu.Unlock()
			return rail.most
		}
		if n := most(); n > after {
			t.Errorf("%d payments at once on a gate of %d", n, after)
		}
		set(before)
		await(t, "as many as before", func() bool { return h.gauge(gaugeUnderWay) == before })
		end()
		h.awaitStage(last, payout.Approved)
		if n := most(); n > before {
			t.Errorf("%d payments at once on a gate of %d", n, before)
		}
	})
}

// A node that is not fit to serve claims nothing, and goes on by itself when it is.
func TestUnfitNodeClaimsNothingUntilItIsFit(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		m := newMailbox(t)
		h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
		owed := h.callbackOf(m).OrderID
		var unfit atomic.Bool
		var asked atomic.Int64
		unfit.Store(true)
		h.Unfit = func() error {
			if asked.Add(1); unfit.Load() {
				return errors.New("in the test")
			}
			return nil
		}
		id := h.pay("1", "")
		h.run()
		await(t, "the workers to have asked often", func() bool { return asked.Load() >= 12 }) // three kinds of them, each second
		if o, err := db.Order(t.Context(), id); err != nil || o.Stage != payout.Starting {
			t.Errorf("the order is at %s, %v", o.Stage, err)
		}
		if c := h.callback(owed); c.Attempts != 0 || !c.LeasedUntil.IsZero() {
			t.Errorf("the callback was claimed: %+v", c)
		}
		if err := h.ResendCallback(t.Context(), 1, h.callback(owed).ID, "Ann"); !errors.Is(err, gateway.ErrUnfit) {
			t.Errorf("a callback is sent again: %v", err)
		}
		if err := h.Submit(t.Context(), &payout.Order{Stage: payout.AtForm}, nil, gateway.Browser{}); !errors.Is(err, gateway.ErrUnfit) {
			t.Errorf("a form is taken: %v", err)
		}
		unfit.Store(false)
		h.awaitStage(id, payout.Approved)
		await(t, "the callback", func() bool { return h.callback(owed).State == payout.CallbackDelivered })
	})
}
