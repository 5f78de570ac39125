//go:build unix

package main

import (
	"fmt"
	"slices"
	"time"

	"payout"
	"payout/processor"
	"payout/processor/simulator"
)

// A finding is a rule that is broken, and where.
type finding struct{ rule, what string }

// The rules of which planted faults break one.
const (
	ruleKept     = "what was acknowledged is stored"
	ruleTogether = "nothing is acknowledged while there is no standby"
	ruleOnce     = "an order is paid at most once"
	ruleOutcome  = "an order has the outcome that the rail's book has"
	ruleNotStuck = "an acknowledged order ends"
	ruleTold     = "the callback of a final order is delivered, or still due to a receiver that never answers"
)

// An order is what the gateway's book has of it.
type order struct {
	id            payout.OrderID
	clientOrderID string
	stage         payout.Stage
	amount        payout.Amount
	callbacks     []payout.Callback
	late          []payout.LateOutcome // what the rail told when another worker had moved the order
}

// books are the four books.
type books struct {
	journal    []record            // of the clients
	orders     []order             // of the gateway
	rail       []simulator.Entry   // of the rail
	deliveries map[string]delivery // of the receivers, by orderid
	never      map[string]bool     // callback URLs that never answer
	alone      []span              // in which the primary had no standby
}

// compare compares the books, when everything has come to rest.
func (b books) compare(found func(rule, what string)) {
	stored := make(map[string][]order)
	byID := make(map[payout.OrderID]order)
	for _, o := range b.orders {
		stored[o.clientOrderID] = append(stored[o.clientOrderID], o)
		byID[o.id] = o
	}
	known := make(map[string]record)
	for _, r := range b.journal {
		known[r.ClientOrderID] = r
		b.compareClient(r, stored[r.ClientOrderID], found)
	}
	for id := range stored {
		if _, ok := known[id]; !ok {
			found("an order was asked for", "client_orderid "+id)
		}
	}
	b.compareRail(known, byID, found)
	for id, d := range b.deliveries {
		orderID, err := payout.ParseOrderID(id)
		o, ok := byID[orderID]
		if err != nil || !ok || !o.stage.Final() || string(o.stage.Status()) != d.Status || o.clientOrderID != d.ClientOrderID || o.amount.String() != d.Amount {
			found("a callback tells what is stored", fmt.Sprintf("order %s is %s of %s, and its callback told %s %s", id, o.stage, o.amount, d.Status, d.Amount))
		}
	}
}

// compareClient compares what a client knows of an order with the gateway's book.
func (b books) compareClient(r record, stored []order, found func(rule, what string)) {
	name := "client_orderid " + r.ClientOrderID
	switch {
	case len(stored) > 1:
		found("a client_orderid has one order", fmt.Sprintf("%s has %d", name, len(stored)))
	case len(stored) == 0 && len(r.Acknowledged) > 0:
		found(ruleKept, fmt.Sprintf("%s was acknowledged as order %s and is not stored", name, r.Acknowledged[0]))
	case len(stored) == 1 && !r.maybeStored():
		found("what was refused is not stored", fmt.Sprintf("%s has order %s after %d refusals, and no answer was lost", name, stored[0].id, r.Refused))
	}
	for _, promise := range r.Promises {
		if slices.ContainsFunc(b.alone, promise.within) {
			found(ruleTogether, fmt.Sprintf("%s was sent at %s and acknowledged at %s", name, promise.from.Format(time.RFC3339Nano), promise.to.Format(time.RFC3339Nano)))
		}
	}
	for _, id := range r.Told {
		if !slices.ContainsFunc(stored, func(o order) bool { return o.id == id }) {
			found(ruleKept, fmt.Sprintf("%s was told to be order %s, which is not stored", name, id))
		}
	}
	if len(stored) != 1 {
		return
	}
	o := stored[0]
	for _, id := range r.Acknowledged {
		if id != o.id {
			found(ruleKept, fmt.Sprintf("%s was acknowledged as order %s and is stored as %s", name, id, o.id))
		}
	}
	if o.amount.String() != r.Amount || o.amount.Currency != "EUR" {
		found("an order is stored as it was asked for", fmt.Sprintf("%s: %s %s were asked for, %s %s are stored", name, r.Amount, "EUR", o.amount, o.amount.Currency))
	}
	held := o.stage == payout.Held && !r.PayAcked
	switch {
	case !o.stage.Final() && !held:
		found(ruleNotStuck, fmt.Sprintf("order %s is %s", o.id, o.stage))
	case r.Final != "" && r.Final != o.stage.Status():
		found("what is final stays as it is", fmt.Sprintf("order %s was told to be %s and is %s", o.id, r.Final, o.stage))
	}
	if o.stage.Final() {
		b.compareCallbacks(r, o, found)
	}
}

// compareCallbacks compares what a final order owes with what the receivers have.
func (b books) compareCallbacks(r record, o order, found func(rule, what string)) {
	if len(o.callbacks) != 1 {
		found(ruleTold, fmt.Sprintf("order %s has %d callbacks", o.id, len(o.callbacks)))
		return
	}
	d := b.deliveries[o.id.String()]
	switch state := o.callbacks[0].State; {
	case state == payout.CallbackDelivered && d.Answered == 0:
		found(ruleTold, fmt.Sprintf("order %s has a delivered callback that its receiver has not answered", o.id))
	case state == payout.CallbackDelivered, state == payout.CallbackDue && b.never[r.CallbackURL]:
	default:
		found(ruleTold, fmt.Sprintf("the callback of order %s is %s", o.id, state))
	}
}

// compareRail compares what the rail has paid with what was asked for and with
// what the gateway tells.
func (b books) compareRail(known map[string]record, byID map[payout.OrderID]order, found func(rule, what string)) {
	paid := make(map[payout.OrderID]int)
	for _, e := range b.rail {
		if e.State != simulator.StatePaid {
			continue
		}
		paid[e.OrderID]++
		o, ok := byID[e.OrderID]
		r := known[o.clientOrderID]
		switch {
		case !ok:
			found(ruleKept, fmt.Sprintf("the rail has paid order %s, which is not stored", e.OrderID))
		case !r.askedToPay():
			found("what is paid was asked for", fmt.Sprintf("order %s was paid without payout-pay", e.OrderID))
		case e.Amount.String() != r.Amount || e.Amount.Currency != "EUR":
			found("what is paid was asked for", fmt.Sprintf("order %s: %s %s were paid, %s EUR were asked for", e.OrderID, e.Amount, e.Amount.Currency, r.Amount))
		}
	}
	for id, n := range paid {
		if n > 1 {
			found(ruleOnce, fmt.Sprintf("order %s was paid %d times", id, n))
		}
	}
	for id, o := range byID {
		if (o.stage == payout.Approved) != (paid[id] > 0) {
			found(ruleOutcome, fmt.Sprintf("order %s is %s and was paid %d times", id, o.stage, paid[id]))
		}
		for _, l := range o.late {
			if l.Result == string(processor.ResultApproved) && paid[id] == 0 {
				found(ruleOutcome, fmt.Sprintf("order %s was told late to be paid, and was not", id))
			}
		}
	}
}
