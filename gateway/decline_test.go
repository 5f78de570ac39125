package gateway_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

func TestOperatorDeclinesOnlyWhatWasNotSent(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	id := h.pay("1", "http://127.0.0.1:1/callback")
	if err := h.Decline(t.Context(), id, "the bank has closed the account"); err != nil {
		t.Fatal(err)
	}
	o, err := db.Order(t.Context(), id)
	if err != nil || o.Stage != payout.Declined || o.ErrorCode != payout.CodeNoGate || o.ErrorMessage != "the bank has closed the account" {
		t.Errorf("the order is %+v, %v", o, err)
	}
	callbacks, _, err := db.Callbacks(t.Context(), id)
	if err != nil || len(callbacks) != 1 || callbacks[0].State != payout.CallbackDue {
		t.Errorf("callbacks %+v, %v", callbacks, err)
	}
	history, err := db.History(t.Context(), id)
	if err != nil || len(history) != 1 || history[0].Event != payout.Decline || history[0].Note != "declined by the operator" {
		t.Errorf("history %+v, %v", history, err)
	}
	if err := h.Decline(t.Context(), id, ""); err == nil || !strings.Contains(err.Error(), "ended already") {
		t.Errorf("declined again: %v", err)
	}
	if err := h.Decline(t.Context(), id+1000, ""); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown order: %v", err)
	}
	sent := h.pay("1", "")
	for _, event := range []payout.Event{payout.Send, payout.Lose, payout.Accept} {
		h.moveOn(sent, event)
		if err := h.Decline(t.Context(), sent, ""); err == nil || !strings.Contains(err.Error(), "may have been sent") {
			t.Errorf("declined after %s: %v", event, err)
		}
	}
}

// check accepts a payout-check, which waits for its confirmation.
func (h *house) check() payout.OrderID {
	h.t.Helper()
	serial, err := h.db.NextSerial()
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := spec.PayoutCheck.Parse([]sign.Pair{{Name: "client_orderid", Value: "check"}, {Name: "amount", Value: "1.00"},
		{Name: "currency", Value: "USD"}, {Name: "account_number", Value: "1234567890"}})
	if err != nil {
		h.t.Fatal(err)
	}
	c := &gateway.Call{Command: spec.PayoutCheck, Serial: serial, Party: h.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: time.Now()}
	o, err := h.Payout(h.t.Context(), c, r)
	if err != nil {
		h.t.Fatal(err)
	}
	return o.ID
}

// moveOn moves an order as a worker would.
func (h *house) moveOn(id payout.OrderID, event payout.Event) {
	h.t.Helper()
	o, err := h.db.Order(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	to, ok := o.Stage.Next(event)
	if !ok {
		h.t.Fatalf("no move from %s by %s", o.Stage, event)
	}
	moved, err := h.db.Move(storage.Move{OrderID: id, From: o.Stage, Version: o.Version, Event: event, To: to, At: time.Now(), DueAt: time.Now(), GateID: o.GateID})
	if err != nil || !moved {
		h.t.Fatalf("move by %s: %t, %v", event, moved, err)
	}
}

func TestOperatorDeclinesACheckUntilItIsConfirmed(t *testing.T) {
	for confirmed, want := range map[bool]payout.Stage{false: payout.Declined, true: payout.Held} {
		db := storagetest.Open(t, storagetest.SQLite(t))
		h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
		id := h.check()
		if confirmed {
			h.moveOn(id, payout.Confirm)
		}
		if err := h.Decline(t.Context(), id, ""); confirmed == (err == nil) || confirmed && !strings.Contains(err.Error(), "waits for payout-pay") {
			t.Errorf("confirmed %t: %v", confirmed, err)
		}
		if o, err := db.Order(t.Context(), id); err != nil || o.Stage != want {
			t.Errorf("confirmed %t: the order is %s, %v, want %s", confirmed, o.Stage, err, want)
		}
	}
}

func TestDeclineIsLostToAWorkerThatSends(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	id := h.pay("1", "http://127.0.0.1:1/callback")
	sends := sync.OnceFunc(func() { h.moveOn(id, payout.Send) })
	h.Now = func() time.Time { sends(); return time.Now() } // asked after the order was read
	if err := h.Decline(t.Context(), id, ""); err == nil || !strings.Contains(err.Error(), "has just been moved") {
		t.Errorf("declined: %v", err)
	}
	o, err := db.Order(t.Context(), id)
	if err != nil || o.Stage != payout.Sending {
		t.Errorf("the order is %s, %v", o.Stage, err)
	}
	if callbacks, _, err := db.Callbacks(t.Context(), id); err != nil || len(callbacks) != 0 {
		t.Errorf("callbacks %+v, %v", callbacks, err)
	}
}

func TestReasonOfADeclineIsMaskedAndHasADefault(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	for reason, want := range map[string]string{"no way to 1234567890\n": "no way to ******7890", "": payout.CodeNoGate.Row().Text} {
		id := h.pay("1234567890", "")
		if err := h.Decline(t.Context(), id, reason); err != nil {
			t.Fatal(err)
		}
		if o, err := db.Order(t.Context(), id); err != nil || o.ErrorMessage != want {
			t.Errorf("the Connecting Party is told %q, %v, want %q", o.ErrorMessage, err, want)
		}
	}
}
