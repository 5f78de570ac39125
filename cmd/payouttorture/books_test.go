//go:build unix

package main

import (
	"slices"
	"testing"
	"time"

	"payout"
	"payout/processor"
	"payout/processor/simulator"
)

// sound are books of three orders that agree: one paid, one declined, and one
// confirmed and never paid; and of one that was refused.
func sound() books {
	eur := func(minor int64) payout.Amount { return payout.Amount{Minor: minor, Currency: "EUR"} }
	made := func(id string, way way, amount string, order payout.OrderID) record {
		return record{wish: wish{ClientOrderID: id, Way: way, Amount: amount, CallbackURL: "good"}, Sends: 1, Acknowledged: []payout.OrderID{order}}
	}
	delivered := []payout.Callback{{State: payout.CallbackDelivered}}
	refused := wish{ClientOrderID: "D", Way: byPayout, Amount: "4.00"}
	return books{
		journal: []record{made("A", byPayout, "1.00", 1), made("B", bySBP, "2.00", 2), made("C", byCheck, "3.00", 3), {wish: refused, Sends: 2, Refused: 2}},
		orders: []order{{1, "A", payout.Approved, eur(100), delivered, nil}, {2, "B", payout.Declined, eur(200), delivered, nil},
			{3, "C", payout.Held, eur(300), nil, nil}},
		rail: []simulator.Entry{{OrderID: 1, Amount: eur(100), State: simulator.StatePaid}, {OrderID: 2, Amount: eur(200), State: simulator.StateDeclined}},
		deliveries: map[string]delivery{"1": {Status: "approved", ClientOrderID: "A", Amount: "1.00", Times: 1, Answered: 1},
			"2": {Status: "declined", ClientOrderID: "B", Amount: "2.00", Times: 2, Answered: 1}},
		never: map[string]bool{"never": true},
	}
}

func at(second int64) time.Time { return time.Unix(second, 0) }

var toldPaid = []payout.LateOutcome{{Result: string(processor.ResultApproved)}}

func rules(b books) (all []string) {
	b.compare(func(rule, _ string) { all = append(all, rule) })
	return all
}

func TestSoundBooksAgree(t *testing.T) {
	for name, change := range map[string]func(*books){
		"as they are": func(*books) {},
		"the callback is due to a receiver that never answers": func(b *books) {
			b.journal[0].CallbackURL, b.orders[0].callbacks = "never", []payout.Callback{{State: payout.CallbackDue}}
		},
		"an order was stored by a request whose answer was lost": func(b *books) { b.journal[0].Acknowledged, b.journal[0].Lost = nil, 1 },
		"a lost request stored nothing":                          func(b *books) { b.journal[3].Lost = 1 },
		"the outcome is the one that was told":                   func(b *books) { b.journal[0].Final = payout.StatusApproved },
		"acknowledged before and after the standby was away": func(b *books) {
			b.alone = []span{{at(1), at(31)}}
			b.journal[0].Promises = []span{{at(0), at(1)}, {at(0), at(31)}, {at(1), at(32)}, {at(32), at(33)}}
		},
		"a status told of it first":            func(b *books) { b.journal[0].Told = []payout.OrderID{1} },
		"the rail told twice that it has paid": func(b *books) { b.orders[0].late = toldPaid },
	} {
		b := sound()
		change(&b)
		if found := rules(b); len(found) > 0 {
			t.Errorf("%s: found %q", name, found)
		}
	}
}

func TestEachBrokenRuleIsFound(t *testing.T) {
	for name, tt := range map[string]struct {
		rule   string
		change func(*books)
	}{
		"an acknowledged order is gone":        {ruleKept, func(b *books) { b.orders = b.orders[1:] }},
		"an acknowledged order has another id": {ruleKept, func(b *books) { b.journal[1].Acknowledged = []payout.OrderID{2, 7} }},
		"paid, and no order": {ruleKept, func(b *books) {
			b.rail = append(b.rail, simulator.Entry{OrderID: 9, Amount: b.orders[0].amount, State: simulator.StatePaid})
		}},
		"acknowledged while there was no standby": {ruleTogether, func(b *books) {
			b.alone, b.journal[0].Promises = []span{{at(1), at(31)}}, []span{{at(1), at(31)}}
		}},
		"a status told of an order that is not there":        {ruleKept, func(b *books) { b.journal[3].Lost, b.journal[3].Told = 1, []payout.OrderID{4} }},
		"a status told of another order":                     {ruleKept, func(b *books) { b.journal[0].Told = []payout.OrderID{2} }},
		"paid twice":                                         {ruleOnce, func(b *books) { b.rail = append(b.rail, b.rail[0]) }},
		"approved and not paid":                              {ruleOutcome, func(b *books) { b.rail = b.rail[1:] }},
		"declined and paid":                                  {ruleOutcome, func(b *books) { b.rail[1].State = simulator.StatePaid }},
		"told late that it was paid, and it was not":         {ruleOutcome, func(b *books) { b.orders[1].late = toldPaid }},
		"not final":                                          {ruleNotStuck, func(b *books) { b.orders[0].stage = payout.Doubtful }},
		"payout-pay was acknowledged, and the order is held": {ruleNotStuck, func(b *books) { b.journal[2].PayAcked = true }},
		"two orders":                                         {"a client_orderid has one order", func(b *books) { b.orders = append(b.orders, order{id: 8, clientOrderID: "A"}) }},
		"stored after a refusal":                             {"what was refused is not stored", func(b *books) { b.orders = append(b.orders, order{id: 8, clientOrderID: "D"}) }},
		"nobody asked":                                       {"an order was asked for", func(b *books) { b.orders = append(b.orders, order{id: 8, clientOrderID: "E"}) }},
		"paid without payout-pay":                            {"what is paid was asked for", func(b *books) { b.rail[1].OrderID, b.rail[1].State = 3, simulator.StatePaid }},
		"another amount was paid":                            {"what is paid was asked for", func(b *books) { b.rail[0].Amount.Minor++ }},
		"another amount is stored": {"an order is stored as it was asked for", func(b *books) {
			b.orders[0].amount.Minor++
		}},
		"another currency is stored": {"an order is stored as it was asked for", func(b *books) { b.orders[0].amount.Currency = "USD" }},
		"another outcome was told":   {"what is final stays as it is", func(b *books) { b.journal[0].Final = payout.StatusDeclined }},
		"no callback":                {ruleTold, func(b *books) { b.orders[0].callbacks = nil }},
		"two callbacks":              {ruleTold, func(b *books) { b.orders[0].callbacks = append(b.orders[0].callbacks, b.orders[1].callbacks...) }},
		"due to one that answers":    {ruleTold, func(b *books) { b.orders[0].callbacks = []payout.Callback{{State: payout.CallbackDue}} }},
		"given up": {ruleTold, func(b *books) {
			b.journal[0].CallbackURL, b.orders[0].callbacks = "never", []payout.Callback{{State: payout.CallbackGivenUp}}
		}},
		"delivered and never received": {ruleTold, func(b *books) { delete(b.deliveries, "1") }},
		"delivered and not answered":   {ruleTold, func(b *books) { b.deliveries["1"] = delivery{Status: "approved", ClientOrderID: "A", Amount: "1.00"} }},
		"another status was sent": {"a callback tells what is stored", func(b *books) {
			b.deliveries["1"] = delivery{Status: "declined", ClientOrderID: "A", Amount: "1.00", Answered: 1}
		}},
		"a callback before the end": {"a callback tells what is stored", func(b *books) { b.deliveries["3"] = delivery{Status: "approved", ClientOrderID: "C", Amount: "3.00"} }},
		"a callback of nothing":     {"a callback tells what is stored", func(b *books) { b.deliveries["9"] = delivery{Status: "approved"} }},
	} {
		b := sound()
		tt.change(&b)
		if found := rules(b); !slices.Contains(found, tt.rule) {
			t.Errorf("%s: found %q, not %q", name, found, tt.rule)
		}
	}
}
