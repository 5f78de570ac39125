package main

import (
	"context"
	"fmt"
	"time"

	"payout"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

// pastDays is how many days ago the first of the orders came that a database is
// filled with; the others come at even distances up to now.
const pastDays = 30

// A pastOrder names an order of the past.
type pastOrder struct {
	merchant      *merchant
	clientOrderID string
	id            payout.OrderID
}

// fillPast fills a house's database with n orders of the past, which merchants sent
// in turn and were paid at once. Every tenth had a callback.
func (h *house) fillPast(ctx context.Context, merchants []*merchant, n int, p *progress) error {
	return h.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		gate, err := gateNamed(ctx, db, gatePaying)
		if err != nil {
			return err
		}
		began, step := time.Now().AddDate(0, 0, -pastDays), pastDays*24*time.Hour/time.Duration(max(n, 1))
		return db.Fill(ctx, int64(n), func(i int64, id payout.OrderID) (storage.PastOrder, payout.ReceiptID, error) {
			m := merchants[i%int64(len(merchants))]
			o := m.pastOrder(gate, pastInvoice(i), began.Add(time.Duration(i)*step), i%10 == 0)
			o.ReceiverHash = v.Hash("receiver", fmt.Sprint(i))
			return o, payout.NewReceiptID(v.Hash("receipt", id.String())), nil
		}, func(done, of int64) { p.show("storing orders on "+h.name, int(done), int(of)) })
	})
}

func pastInvoice(i int64) string { return fmt.Sprintf("PAST-%09d", i) }

// pastOrders are at most so many of the n orders of the past, spread evenly.
func (h *house) pastOrders(ctx context.Context, merchants []*merchant, n, most int) (found []pastOrder, err error) {
	err = h.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		for k := range min(n, most) {
			i := int64(k) * int64(n) / int64(min(n, most))
			m := merchants[i%int64(len(merchants))]
			orders, err := db.OrdersByClientID(ctx, m.id, pastInvoice(i), 1)
			if err != nil {
				return err
			}
			if len(orders) == 0 {
				return fmt.Errorf("order %s of %s is not there", pastInvoice(i), m.login)
			}
			found = append(found, pastOrder{m, pastInvoice(i), orders[0].ID})
		}
		return nil
	})
	return found, err
}

func (m *merchant) pastOrder(gate payout.GateID, clientOrderID string, at time.Time, callback bool) storage.PastOrder {
	o := storage.PastOrder{PartyID: m.id, EndpointID: m.endpoint(gatePaying), GateID: gate, Command: spec.Payout.Path(), Type: spec.Payout.Type,
		ClientOrderID: clientOrderID, Amount: payout.Amount{Currency: "USD", Minor: 1042}, CreatedAt: at, ReceiverMask: "******7890",
		Params: map[string]string{spec.AccountName.Name: "John Q. Public", spec.AccountNumber.Name: "1234567890", spec.RoutingNumber.Name: "15"}}
	if callback {
		o.CallbackURL, o.Receiver = "https://merchant.example/callback", "merchant.example:443"
		o.Params[spec.ServerCallbackURL.Name] = o.CallbackURL.Reveal()
	}
	return o
}

func gateNamed(ctx context.Context, db *storage.DB, name string) (payout.GateID, error) {
	d, err := db.Directory(ctx)
	if err != nil {
		return 0, err
	}
	for id, gate := range d.Gates {
		if gate.Name == name {
			return id, nil
		}
	}
	return 0, fmt.Errorf("there is no gate %s: the database is not payoutbench's", name)
}

// withoutIDs are orders that are asked for by client_orderid alone: those are read from
// the database each time.
func withoutIDs(orders []pastOrder) []pastOrder {
	found := make([]pastOrder, len(orders))
	for i, o := range orders {
		found[i] = pastOrder{o.merchant, o.clientOrderID, 0}
	}
	return found
}

// statuses makes questions for past orders, in turn.
func statuses(command *spec.Command, orders []pastOrder) func(i int) (shot, error) {
	return func(i int) (shot, error) {
		o := orders[i%len(orders)]
		bytes, err := o.merchant.status(command, gatePaying, o.clientOrderID, o.id)
		return shot{bytes: bytes}, err
	}
}
