package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// agrees checks that where an order stands is what its rows say, by id and by
// client_orderid.
func agrees(t *testing.T, db *storage.DB, o *payout.Order) storage.Standing {
	t.Helper()
	order, err := db.Order(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	transactions, err := db.Transactions(t.Context(), o.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := storage.Standing{Order: order}
	if n := len(transactions); n > 0 {
		want.Latest = &transactions[n-1]
	}
	for range 2 {
		got, err := db.RecentStanding(t.Context(), noon, o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("recent at %s: %s", order.Stage, diff)
		}
	}
	got, err := db.Standing(t.Context(), noon, o.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("by id at %s: %s", order.Stage, diff)
	}
	byClient, err := db.StandingsByClientID(t.Context(), noon, o.PartyID, o.ClientOrderID, 2)
	if err != nil || len(byClient) != 1 {
		t.Fatalf("by client_orderid: %d, %v", len(byClient), err)
	}
	if diff := cmp.Diff(want, byClient[0]); diff != "" {
		t.Errorf("by client_orderid at %s: %s", order.Stage, diff)
	}
	return got
}

// An order that is not final is read each time; one that is final may come from
// memory, and is the same.
func TestStandingIsTheOrderAndItsLatestTransaction(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := stored(t, db, "a")
		agrees(t, db, o)
		for attempt := 1; attempt <= 2; attempt++ {
			send := move(o, payout.Send, noon.Add(time.Minute))
			send.Attempts = attempt
			send.Opens = &payout.Transaction{OrderID: o.ID, Attempt: attempt, GateID: 5, Reference: payout.Reference(o.ID, attempt), Stage: payout.Sending, StartedAt: noon}
			follow(t, db, send)
			o = agrees(t, db, o).Order
			ends := move(o, payout.Unsent, noon)
			if attempt == 2 {
				ends = move(o, payout.Approve, time.Time{})
			}
			ends.Attempts = attempt
			ends.Closes = &payout.Transaction{Attempt: attempt, Stage: ends.To, ProcessorTxID: "PNTEST-1", EndedAt: noon}
			follow(t, db, ends)
			o = agrees(t, db, o).Order
		}
		if !o.Stage.Final() {
			t.Fatalf("the order ended as %s", o.Stage)
		}
		got, err := db.RecentStanding(t.Context(), noon, o.ID) // from memory
		if err != nil {
			t.Fatal(err)
		}
		got.Order.Params["purpose"], got.Latest.RRN = "changed", "changed"
		agrees(t, db, o)
		if _, err := db.Standing(t.Context(), noon, o.ID+1); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("an order that does not exist: %v", err)
		}
	})
}

// follow makes a move that must come through.
func follow(t *testing.T, db *storage.DB, m storage.Move) {
	t.Helper()
	if moved, err := db.Move(m); err != nil || !moved {
		t.Fatalf("%s: %v, %v", m.Event, moved, err)
	}
}

// Only what cannot change any more is kept in memory, for a while.
func TestOnlyOrdersThatHaveEndedAreRemembered(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := stored(t, db, "a")
		agrees(t, db, o)
		if storage.Remembers(db, noon, o.ID) {
			t.Error("an order that is not final is remembered")
		}
		follow(t, db, move(o, payout.Decline, time.Time{}))
		agrees(t, db, o)
		for _, age := range []struct {
			time.Duration
			remembered bool
		}{{-time.Second, false}, {0, true}, {storage.EndedLife - time.Second, true}, {storage.EndedLife, false}} {
			if got := storage.Remembers(db, noon.Add(age.Duration), o.ID); got != age.remembered {
				t.Errorf("a final order after %s: remembered %v", age.Duration, got)
			}
		}
		storage.Spoil(db, o.ID)
		agrees(t, db, o) // sealed under a key that has gone: read again
	})
}
