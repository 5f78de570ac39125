package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
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
	if err := h.Decline(t.Context(), id, ""); err == nil || !strings.Contains(err.Error(), "ended already") {
		t.Errorf("declined again: %v", err)
	}
	if err := h.Decline(t.Context(), id+1000, ""); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("unknown order: %v", err)
	}
	for _, stage := range []payout.Event{payout.Send, payout.Lose} {
		sent := h.pay("1", "")
		o, err := db.Order(t.Context(), sent)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range []payout.Event{payout.Send, stage} {
			to, ok := o.Stage.Next(event)
			if !ok {
				continue
			}
			if moved, err := db.Move(storage.Move{OrderID: sent, From: o.Stage, Version: o.Version, Event: event, To: to, At: time.Now(),
				DueAt: time.Now(), GateID: o.GateID}); err != nil || !moved {
				t.Fatal(moved, err)
			}
			o.Stage, o.Version = to, o.Version+1
		}
		if err := h.Decline(t.Context(), sent, ""); err == nil || !strings.Contains(err.Error(), "may have been sent") {
			t.Errorf("declined at %s: %v", o.Stage, err)
		}
	}
}
