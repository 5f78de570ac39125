package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// past is an order that Fill may store.
func past(i int64, id payout.OrderID) (storage.PastOrder, payout.ReceiptID, error) {
	p := storage.PastOrder{PartyID: 1, EndpointID: 1, GateID: 1, Command: "v4/payout", Type: payout.TypePayout, ClientOrderID: fmt.Sprintf("PAST-%d", i),
		Amount: payout.Amount{Currency: "USD", Minor: 1042}, Params: map[string]string{"account_number": "1234567890"},
		ReceiverMask: "******7890", ReceiverHash: []byte("hash"), CreatedAt: time.Unix(1_700_000_000+i, 0).UTC()}
	if i%10 == 0 {
		p.CallbackURL, p.Receiver = "https://merchant.example/cb", "merchant.example:443"
		p.Params["server_callback_url"] = p.CallbackURL.Reveal()
	}
	return p, payout.NewReceiptID(fmt.Appendf(nil, "%016d", id)), nil
}

func TestFilledBooksAreInOrder(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		addPastEndpoint(t, db)
		const n = 12_345 // more than two chunks
		var last int64
		if err := db.Fill(t.Context(), n, past, func(done, of int64) {
			if of != n || done <= last {
				t.Errorf("progress %d of %d after %d", done, of, last)
			}
			last = done
		}); err != nil {
			t.Fatal(err)
		}
		if last != n {
			t.Errorf("progress ended at %d", last)
		}
		checked := int64(0)
		err := db.CheckBooks(t.Context(), func(f storage.Finding) { t.Errorf("%s: %s", f.Rule, f.What) }, func(_ string, _, of int64) { checked = of })
		if err != nil {
			t.Fatal(err)
		}
		if checked != n {
			t.Errorf("%d orders were looked at, want %d", checked, n)
		}
		found, err := db.OrdersByClientID(t.Context(), 1, "PAST-12344", 2)
		if err != nil || len(found) != 1 {
			t.Fatalf("found %d orders, %v", len(found), err)
		}
		o := found[0]
		if o.Stage != payout.Approved || o.Params["account_number"] != "1234567890" || !o.CreatedAt.Equal(time.Unix(1_700_012_344, 0)) {
			t.Errorf("stored %+v", o)
		}
		transactions, err := db.Transactions(t.Context(), o.ID)
		if err != nil || len(transactions) != 1 || transactions[0].Reference != payout.Reference(o.ID, 1) {
			t.Errorf("its transactions are %+v, %v", transactions, err)
		}
		if next, err := db.NextOrderID(); err != nil || next <= o.ID {
			t.Errorf("the next order gets the id %s after %s, %v", next, o.ID, err)
		}
	})
}

func TestAFillThatCannotGoOnSaysWhy(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		addPastEndpoint(t, db)
		broken := errors.New("no more orders")
		err := db.Fill(t.Context(), 10_000, func(i int64, id payout.OrderID) (storage.PastOrder, payout.ReceiptID, error) {
			if i == 7000 {
				return storage.PastOrder{}, "", broken
			}
			return past(i, id)
		}, func(int64, int64) {})
		if !errors.Is(err, broken) {
			t.Errorf("Fill: %v", err)
		}
		if err := db.CheckBooks(t.Context(), func(f storage.Finding) { t.Errorf("%s: %s", f.Rule, f.What) }, func(string, int64, int64) {}); err != nil {
			t.Error(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Fill(ended, 10, past, func(int64, int64) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("Fill after its context's end: %v", err)
		}
	})
}

// addPastEndpoint makes party 1, gate 1 and endpoint 1.
func addPastEndpoint(t *testing.T, db *storage.DB) {
	t.Helper()
	err := db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error {
		party, err := tx.AddParty(payout.ConnectingParty{Login: "Merchant", Name: "Merchant", ControlKey: "key", Enabled: true})
		if err != nil {
			return err
		}
		project, err := tx.AddProject(payout.Project{Name: "Main", Enabled: true})
		if err != nil {
			return err
		}
		gate, err := tx.AddGate(payout.Gate{Name: "Bank", Processor: "simulator", Concurrency: 1, Enabled: true})
		if err != nil {
			return err
		}
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 1, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate}, Repeat: payout.RepeatReplay, Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
