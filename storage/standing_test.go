package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
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
	byClient, err := db.StandingsByClientID(t.Context(), noon, o.PartyID, o.ClientOrderID)
	if err != nil || len(byClient) != 1 {
		t.Fatalf("by client_orderid: %d, %v", len(byClient), err)
	}
	if diff := cmp.Diff(want, byClient[0]); diff != "" {
		t.Errorf("by client_orderid at %s: %s", order.Stage, diff)
	}
	together(t, db, []storage.Standing{want}, []any{int64(o.ID)}, []any{int64(o.ID + 1)})
	together(t, db, []storage.Standing{want}, []any{int64(o.PartyID), o.ClientOrderID}, []any{int64(o.PartyID + 1), o.ClientOrderID})
	return got
}

// together checks what two callers are told who ask in one query, the second of whom asks
// for what is not there.
func together(t *testing.T, db *storage.DB, want []storage.Standing, asks, nothing []any) {
	t.Helper()
	got, err := storage.StandTogether(t.Context(), db, nothing, asks, asks)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]storage.Standing{nil, want, want}, got); diff != "" {
		t.Errorf("together: %s", diff)
	}
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

// Of the orders with a client_orderid two are enough to know that it is not the only one:
// the oldest, for each who asks.
func TestOfRepeatedOrdersTheOldestTwoAreRead(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var want []payout.OrderID
		for range 3 {
			o := order(t, db, "again")
			accept(t, db, storage.Acceptance{Order: o, DueAt: noon})
			want = append(want, o.ID)
		}
		want = want[:2]
		asks := []any{int64(1), "again"}
		found, err := storage.StandTogether(t.Context(), db, asks, asks)
		if err != nil {
			t.Fatal(err)
		}
		alone, err := db.StandingsByClientID(t.Context(), noon, 1, "again")
		if err != nil {
			t.Fatal(err)
		}
		for i, standings := range append(found, alone) {
			var got []payout.OrderID
			for _, s := range standings {
				got = append(got, s.Order.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("caller %d was told %v, want %v", i, got, want)
			}
		}
	})
}

// However many ask in one query, up to as many as may, each is told of his own order.
func TestEachWhoAsksIsToldOfHisOrder(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		most := storage.JointMost(db)
		ids, names := make([][]any, most), make([][]any, most)
		for i := range most {
			o := stored(t, db, fmt.Sprint("order ", i))
			ids[i], names[i] = []any{int64(o.ID)}, []any{int64(o.PartyID), o.ClientOrderID}
		}
		for _, n := range []int{2, most - 1, most} {
			byID, err1 := storage.StandTogether(t.Context(), db, ids[:n]...)
			byName, err2 := storage.StandTogether(t.Context(), db, names[:n]...)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				if len(byID[i]) != 1 || int64(byID[i][0].Order.ID) != ids[i][0] {
					t.Errorf("caller %d of %d who asks for %v was told %+v", i, n, ids[i], byID[i])
				}
				if len(byName[i]) != 1 || byName[i][0].Order.ClientOrderID != names[i][1] {
					t.Errorf("caller %d of %d who asks for %v was told %+v", i, n, names[i], byName[i])
				}
			}
		}
	})
}

// Many more than may join ask at once, again and again; what PostgreSQL refuses, since it is
// no text, is told to whoever asks for it and to nobody else.
func TestCrowdThatAsksIsAnswered(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		orders := make([]*payout.Order, 3*storage.JointMost(db))
		for i := range orders {
			orders[i] = stored(t, db, fmt.Sprint("order ", i))
		}
		var wait sync.WaitGroup
		for i, o := range orders {
			wait.Go(func() {
				for range 10 {
					if s, err := db.Standing(t.Context(), noon, o.ID); err != nil || s.Order.ClientOrderID != o.ClientOrderID {
						t.Errorf("asking for %s: %+v, %v", o.ID, s.Order, err)
					}
					found, err := db.StandingsByClientID(t.Context(), noon, o.PartyID, o.ClientOrderID)
					if err != nil || len(found) != 1 || found[0].Order.ID != o.ID {
						t.Errorf("asking for %q: %+v, %v", o.ClientOrderID, found, err)
					}
				}
			})
			wait.Go(func() {
				found, err := db.StandingsByClientID(t.Context(), noon, payout.PartyID(i), "no \x00 text")
				if refuses := db.Shared(); len(found) != 0 || (err != nil) != refuses || errors.Is(err, storage.ErrUnavailable) {
					t.Errorf("asking by what is no text: %v, %v", found, err)
				}
			})
		}
		wait.Wait()
	})
}

// A plan for one time takes the server several times as long as to run the query: it keeps one
// for any arguments, when it has seen a few.
func TestQueryForSeveralKeepsItsPlan(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	for i := range 40 {
		stored(t, db, fmt.Sprint("order ", i))
	}
	if err := storage.Exec(db, "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	for _, callers := range []int{2, storage.JointMost(db)} {
		if custom, err := storage.JointPlans(t.Context(), db, callers, 20); err != nil || custom > 5 {
			t.Errorf("%d callers: %d of 20 plans were made for one time, %v", callers, custom, err)
		}
	}
}
