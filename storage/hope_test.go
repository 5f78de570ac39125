package storage_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// A transaction that hopes that its rows are new and finds one there runs again and
// looks, and the next ones look at once: whether it hopes or not, everybody is told the
// same.
func TestHopeInVainIsTriedAgainAndToldAsEver(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	first := order(t, db, "first")
	accept(t, db, storage.Acceptance{Nonce: nonceFor(time.Hour, "first"), Order: first, Request: request(t, db, first), DueAt: noon, Unique: true})
	if storage.HopedInVain(db) {
		t.Fatal("what was new was there already")
	}
	for _, hopes := range []bool{true, false} {
		for round, again := range []string{"nonce", "order"} {
			if hopes {
				storage.Hope(db)
			}
			name := fmt.Sprint(hopes, round)
			var all sync.WaitGroup
			for i := range 16 {
				id := fmt.Sprint(name, i)
				nonce, clientOrderID, repeats := "n"+id, "o"+id, i%4 == 3
				if repeats && again == "nonce" {
					nonce = "first"
				} else if repeats {
					clientOrderID = "first"
				}
				o := order(t, db, clientOrderID)
				a := storage.Acceptance{Now: noon, Nonce: nonceFor(time.Hour, nonce), Order: o, Request: request(t, db, o), DueAt: noon, Unique: true}
				all.Go(func() {
					got, err := db.Accept(a)
					if err != nil || got.NonceUsed != (repeats && again == "nonce") || got.OrderExists != (repeats && again == "order") {
						t.Errorf("%s, %d: %+v, %v", name, i, got, err)
					}
				})
			}
			all.Wait()
			if !storage.HopedInVain(db) {
				t.Errorf("%s: nobody has hoped", name)
			}
			for i := range 16 {
				if n := len(must(db.OrdersByClientID(t.Context(), 1, fmt.Sprint("o", name, i), 2))); n != 1 && i%4 != 3 {
					t.Errorf("%s, %d: %d orders", name, i, n)
				}
			}
		}
	}
}

// Moves and attempts share a transaction that hopes with others of their kind that come
// too late, because they were made before or because their order is not there any more:
// these store nothing, moves are told so, and the others are stored.
func TestWhatComesTooLateIsLeftOutOfATransactionThatHopes(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	type kind struct {
		what string
		do   func(*payout.Order) (done bool)
		rows func(*payout.Order) int // that it has stored
	}
	move := func(o *payout.Order) bool {
		m := move(o, payout.Send, noon)
		m.Opens = &payout.Transaction{OrderID: o.ID, Attempt: 1, GateID: 5, Reference: "r", Stage: payout.Sending, StartedAt: noon}
		m.Callback = &payout.Callback{ID: payout.CallbackID(o.ID), OrderID: o.ID, Receiver: "example.com:443", URL: "https://example.com/", DueAt: noon}
		moved, err := db.Move(m)
		if err != nil {
			t.Error(err)
		}
		return moved
	}
	attempt := func(o *payout.Order) bool {
		err := db.RecordAttempt(payout.CallbackAttempt{CallbackID: payout.CallbackID(o.ID), Attempt: 1, At: noon, HTTPStatus: 200}, payout.CallbackDelivered, time.Time{})
		if err != nil {
			t.Error(err)
		}
		return true // nobody is told
	}
	var orders []*payout.Order
	made := func(i int) bool { return i%8 == 3 }
	gone := func(i int) bool { return i%8 == 7 }
	for i := range 16 {
		o := order(t, db, fmt.Sprint("o", i))
		if orders = append(orders, o); !gone(i) {
			accept(t, db, storage.Acceptance{Order: o, DueAt: noon, Unique: true})
		}
	}
	for _, k := range []kind{
		{"move", move, func(o *payout.Order) int { return len(must(db.History(t.Context(), o.ID))) }},
		{"attempt", attempt, func(o *payout.Order) int {
			_, attempts, err := db.Callbacks(t.Context(), o.ID)
			return len(must(attempts, err))
		}},
	} {
		for i, o := range orders {
			if made(i) {
				k.do(o)
			}
		}
		storage.Hope(db)
		var all sync.WaitGroup
		for i, o := range orders {
			all.Go(func() {
				if done := k.do(o); k.what == "move" && done == (made(i) || gone(i)) {
					t.Errorf("%s %d: done is %t", k.what, i, done)
				}
			})
		}
		all.Wait()
		if !storage.HopedInVain(db) {
			t.Errorf("%s: nobody has hoped", k.what)
		}
		for i, o := range orders {
			if n := k.rows(o); (n == 0) != gone(i) || n > 1 {
				t.Errorf("%s %d has stored %d rows", k.what, i, n)
			}
		}
	}
}

// A row that is there already is a refusal in a transaction that had hoped for nothing:
// it is not run again.
func TestRowInTheWayOfATransactionThatDoesNotHopeIsRefused(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	row := [][]any{{"twice", int64(1)}}
	for what, hopes := range map[string]bool{
		"INSERT INTO counters (name, next) {{rows $1, $2}}":                                                    false,
		"INSERT INTO counters (name, next) {{rows $1, $2}} ON CONFLICT (name) DO NOTHING {{stored name = $1}}": true,
	} {
		storage.Hope(db)
		_, err := storage.Laters(db, what, [][][]any{row, row})
		if err == nil || errors.Is(err, storage.ErrUnknown) || storage.HopedInVain(db) != hopes {
			t.Errorf("%s: %v, to be run again: %t, want %t", what, err, storage.HopedInVain(db), hopes)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
