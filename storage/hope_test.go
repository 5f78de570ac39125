package storage_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

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
