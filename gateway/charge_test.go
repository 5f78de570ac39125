package gateway_test

import (
	"context"
	"errors"
	"math"
	"strconv"
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

// An acquirer charges by a function and remembers the card codes that it saw.
type acquirer struct {
	railFunc
	charge func(attempt int) processor.Outcome
	codes  []string
}

func (a *acquirer) Charge(_ context.Context, p processor.Payment) processor.Outcome {
	a.codes = append(a.codes, p.CardCode.Reveal())
	return a.charge(p.Attempt)
}

// sell sends a sale and returns its order.
func (h *house) sell() (*payout.Order, error) {
	h.t.Helper()
	h.calls++
	serial, err := h.db.NextSerial()
	if err != nil {
		h.t.Fatal(err)
	}
	form := []sign.Pair{{Name: "client_orderid", Value: strconv.Itoa(h.calls)}, {Name: "amount", Value: "1.00"}, {Name: "currency", Value: "USD"},
		{Name: "credit_card_number", Value: "4444555566661111"}, {Name: "card_printed_name", Value: "JOHN SMITH"}, {Name: "expire_month", Value: "12"},
		{Name: "expire_year", Value: "2099"}, {Name: "cvv2", Value: "123"}, {Name: "control", Value: "checked at the door"}}
	r, err := spec.Sale.Parse(form)
	if err != nil {
		h.t.Fatal(err)
	}
	c := &gateway.Call{Command: spec.Sale, Serial: serial, Party: h.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: h.Now()}
	return h.Payout(h.t.Context(), c, r)
}

// another is a second node on the same database, or the first one restarted.
func (h *house) another(rail processor.Processor) *gateway.Gateway {
	h.t.Helper()
	g := &gateway.Gateway{DB: h.DB, Vault: h.Vault, Processors: map[string]processor.Processor{"rail": rail}, URLs: h.URLs,
		Callbacks: h.Callbacks, Settings: h.Settings, Now: h.Now, Random: h.Random, Log: h.Log}
	if err := g.Reload(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return g
}

// workUntil works on a gateway, with the clock going on, until an order is final.
func workUntil(t *testing.T, g *gateway.Gateway, clock *time.Time, id payout.OrderID) *payout.Order {
	t.Helper()
	for range 1000 {
		o, err := g.DB.Order(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if o.Stage.Final() {
			return o
		}
		*clock = clock.Add(time.Second)
		if _, err := g.WorkDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("order %s does not end", id)
	return nil
}

func newAcquirerHouse(t *testing.T, charge func(attempt int) processor.Outcome) (*house, *acquirer, *time.Time) {
	t.Helper()
	rail := &acquirer{charge: charge}
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
	clock := time.Now()
	h.Now = func() time.Time { return clock }
	return h, rail, &clock
}

func TestCardCodeReachesTheRailAgainAfterAnUnsentAttemptAndNeverLater(t *testing.T) {
	h, rail, clock := newAcquirerHouse(t, func(attempt int) processor.Outcome {
		if attempt < 3 {
			return processor.Unsent(errors.New("refused"))
		}
		return processor.Approved("tx")
	})
	o, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	if o = workUntil(t, h.Gateway, clock, o.ID); o.Stage != payout.Approved || len(rail.codes) != 3 || rail.codes[2] != "123" {
		t.Errorf("%s after the codes %q", o.Stage, rail.codes)
	}
}

// The code is in the memory of one node only. Another one leaves the order to it for as
// long as it may have the code, and then says that nothing was charged.
func TestOrderWhoseCardCodeIsGoneIsDeclinedUncharged(t *testing.T) {
	h, rail, clock := newAcquirerHouse(t, func(int) processor.Outcome { return processor.Approved("tx") })
	o, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	began := *clock
	o = workUntil(t, h.another(rail), clock, o.ID)
	if o.Stage != payout.Declined || o.ErrorCode != payout.CodeCardCodeGone || len(rail.codes) != 0 {
		t.Errorf("%s with %d after %d charges", o.Stage, o.ErrorCode, len(rail.codes))
	}
	const may, lease = 10 * time.Minute, 75 * time.Second
	if waited := clock.Sub(began); waited < may+lease || waited > may+2*lease {
		t.Errorf("declined after %s", waited)
	}
}

func TestOrderLeftByAnotherNodeIsChargedByTheOneWithItsCode(t *testing.T) {
	h, rail, clock := newAcquirerHouse(t, func(int) processor.Outcome { return processor.Approved("tx") })
	o, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	other := h.another(rail)
	for _, later := range []time.Duration{0, 80 * time.Second, 8 * time.Minute} { // a gate may rest for longer than a lease
		*clock = clock.Add(later)
		if n, err := other.WorkDue(t.Context()); err != nil || n != 1 || len(rail.codes) != 0 {
			t.Fatalf("after %s the other node worked on %d orders, with %d charges: %v", later, n, len(rail.codes), err)
		}
	}
	if o = workUntil(t, h.Gateway, clock, o.ID); o.Stage != payout.Approved || len(rail.codes) != 1 {
		t.Errorf("%s after %d charges", o.Stage, len(rail.codes))
	}
}

func TestCardCodeIsForgottenAfterTenMinutes(t *testing.T) {
	h, rail, clock := newAcquirerHouse(t, func(int) processor.Outcome { return processor.Approved("tx") })
	o, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	*clock = clock.Add(10 * time.Minute)
	if o = workUntil(t, h.Gateway, clock, o.ID); o.ErrorCode != payout.CodeCardCodeGone || len(rail.codes) != 0 {
		t.Errorf("%s with %d after %d charges", o.Stage, o.ErrorCode, len(rail.codes))
	}
}

func TestSaleIsRefusedWhereNobodyAcquires(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), &railFunc{pay: approve}, gateway.Settings{})
	_, err := h.sell()
	if refusal, ok := errors.AsType[*payout.Error](err); !ok || refusal.Code != payout.CodeNoAcquirer {
		t.Errorf("answered %v", err)
	}
	if orders, err := h.db.LatestOrders(t.Context(), "", 1); err != nil || len(orders) != 0 {
		t.Errorf("%d orders, %v", len(orders), err)
	}
}

// A bank's refusal that comes when the card code is gone already is the outcome:
// no other gate of the chain could charge the card without its code.
func TestLateRefusalOfAChargeIsTheBanks(t *testing.T) {
	h, rail, clock := newAcquirerHouse(t, func(int) processor.Outcome { return processor.Accepted("tx") })
	h.Processors["rail"] = refusing{rail}
	o, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	o = workUntil(t, h.Gateway, clock, o.ID)
	if o.Stage != payout.Declined || o.ErrorCode != payout.CodeInsufficientFunds || len(rail.codes) != 1 {
		t.Errorf("the order is %s with %d after %d charges", o.Stage, o.ErrorCode, len(rail.codes))
	}
}

// A refusing acquirer declines when it is asked, for a reason that another need not share.
type refusing struct{ *acquirer }

func (refusing) Status(context.Context, processor.Payment) processor.Outcome {
	return processor.DeclinedTryNext(payout.CodeInsufficientFunds, "Declined: insufficient funds")
}

// Of two nodes at a gate that takes one call at a time only one may call it. The other takes
// no sale: it alone would have the card's code.
func TestNodeWithoutAPartOfTheGateTakesNoSale(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	sells := func() processor.Processor {
		return &acquirer{railFunc: railFunc{pay: approve}, charge: func(int) processor.Outcome { return processor.Approved("tx") }}
	}
	one := newHouse(t, db, sells(), gateway.Settings{})
	two := moveIn(t, storagetest.Again(t, db), sells(), gateway.Settings{})
	two.calls = 1000 // other client_orderids
	for _, h := range []*house{one, two} {
		h.narrow()
		h.run()
	}
	var sold *payout.Order // by a node that had a part then
	var with, without *house
	for without == nil { // until both know their parts, either may take sales, and what it takes it sells
		for h, other := range map[*house]*house{one: two, two: one} {
			o, err := h.sell()
			switch {
			case err == nil:
				h.awaitStage(o.ID, payout.Approved)
				sold, with = o, h
			case !errors.Is(err, storage.ErrBusy):
				t.Fatal(err)
			case h.gauge(gaugeLimit) == 0 && other.gauge(gaugeLimit) == 1 && with == other:
				without = h
			}
		}
	}
	if o, err := with.sell(); err != nil {
		t.Errorf("the node with the part answered %v", err)
	} else {
		with.awaitStage(o.ID, payout.Approved)
	}
	without.awaitStage(without.pay("1", ""), payout.Approved) // any node can send a payout

	// Asked again for a sale that there is, it tells of it.
	n, err := strconv.Atoi(sold.ClientOrderID)
	if err != nil {
		t.Fatal(err)
	}
	without.calls = n - 1
	if again, err := without.sell(); err != nil || again.ID != sold.ID {
		t.Errorf("asked again: order %v, %v", again, err)
	}
}

// A node that loses its part to one that joins keeps a call for the sales that it has taken
// until they are sent, and then gives it up.
func TestNodeKeepsACallForTheSalesThatItHasTaken(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	tried := make(chan struct{})
	var charges atomic.Int64
	h := newHouse(t, db, &acquirer{charge: func(int) processor.Outcome {
		if charges.Add(1) == 1 { // and no other: five in a row would rest the gate
			close(tried)
			return processor.Unsent(errors.New("refused"))
		}
		return processor.Approved("tx")
	}}, gateway.Settings{PollFirst: 4 * time.Second})
	h.narrow()
	h.run()
	await(t, "the node to have the gate for itself", func() bool { return h.gauge(gaugeLimit) == 1 })
	o, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	<-tried
	joins := func() int { // with the least number of a node, and so the first part
		part := &storage.GatePart{Gate: 1, Concurrency: 1}
		if err := db.ShareGates(t.Context(), math.MinInt64, 5*time.Second, []*storage.GatePart{part}); err != nil {
			t.Fatal(err)
		}
		return part.Calls
	}
	if calls := joins(); calls != 0 {
		t.Errorf("who joins has %d calls at once", calls)
	}
	await(t, "the node to take no more sales", func() bool {
		joins()
		_, err := h.sell()
		return errors.Is(err, storage.ErrBusy)
	})
	await(t, "the sale to be sent again", func() bool {
		joins()
		found, err := db.Order(t.Context(), o.ID)
		return err == nil && found.Stage == payout.Approved
	})
	await(t, "the call to be given up", func() bool { return joins() == 1 })
	if limit := h.gauge(gaugeLimit); limit != 0 {
		t.Errorf("the node may still do %g", limit)
	}
}
