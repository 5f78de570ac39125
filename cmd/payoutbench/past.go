package main

import (
	"context"
	"fmt"
	"sync"
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
// in turn and were paid at once, and returns up to keep of them, spread evenly. Every
// tenth had a callback.
func (h *house) fillPast(ctx context.Context, merchants []*merchant, n, keep int, progress func(done, of int64)) ([]pastOrder, error) {
	var kept []pastOrder
	err := h.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		gate, err := gateNamed(ctx, db, gatePaying)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		began, step := time.Now().AddDate(0, 0, -pastDays), pastDays*24*time.Hour/time.Duration(max(n, 1))
		every := int64(max(1, n/max(keep, 1)))
		prefix := fmt.Sprintf("PAST-%d-", numbers.Add(1))
		return db.Fill(ctx, int64(n), func(i int64, id payout.OrderID) (storage.PastOrder, payout.ReceiptID, error) {
			m := merchants[i%int64(len(merchants))]
			o := m.pastOrder(gate, fmt.Sprintf("%s%09d", prefix, i), began.Add(time.Duration(i)*step), i%10 == 0)
			var err error
			if o.ReceiverHash, err = v.Hash("receiver", fmt.Sprint(i)); err != nil {
				return o, "", err
			}
			receipt, err := v.Hash("receipt", id.String())
			if i%every == 0 {
				mu.Lock()
				kept = append(kept, pastOrder{m, o.ClientOrderID, id})
				mu.Unlock()
			}
			return o, payout.NewReceiptID(receipt), err
		}, progress)
	})
	return kept[:min(len(kept), keep)], err
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

// statuses makes questions for past orders, in turn.
func statuses(command *spec.Command, orders []pastOrder) func(i int) (shot, error) {
	return func(i int) (shot, error) {
		o := orders[i%len(orders)]
		bytes, err := o.merchant.status(command, gatePaying, o.clientOrderID, o.id)
		return shot{bytes: bytes}, err
	}
}
