package storage_test

import (
	"fmt"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// A worker that looks again and again passes over what it has seen not to be due, and what
// was stored too late to be seen then is seen by the next look from the beginning.
func TestLookoutSeesWhatIsStoredLateALittleLater(t *testing.T) {
	const slack, whole = 5 * time.Second, 10 * time.Second
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		late := stored(t, db, "late")
		due := func(at time.Time) {
			t.Helper()
			if err := db.Postpone(late, 0, at); err != nil {
				t.Fatal(err)
			}
		}
		due(noon.Add(time.Hour))
		var l storage.Lookout
		for _, step := range []struct {
			what      string
			at        time.Duration // of the look, after noon
			due       time.Duration // since when the order is due then
			seen      bool
			claimable bool
		}{
			{"it is due later", 0, time.Hour, true, false},
			{"stored as long after it was due as a look bears", 0, -slack, true, true},
			{"stored later than that", 0, -slack - time.Microsecond, false, false},
			{"just before the next look from the beginning", whole - time.Microsecond, -slack - time.Microsecond, false, false},
			{"the look from the beginning", whole, -slack - time.Microsecond, true, true},
			{"what was seen to be due stays in sight", whole + time.Second, -slack - time.Microsecond, true, true},
			{"a clock that went back looks from the beginning", 0, -time.Hour, true, true},
		} {
			now := noon.Add(step.at)
			due(noon.Add(step.due))
			next, err := db.LookForOrders(t.Context(), &l, 5, storage.AllDue, now)
			if err != nil || next.IsZero() == step.seen {
				t.Errorf("%s: the look finds %v, %v", step.what, next, err)
			}
			claimed, err := db.ClaimOrders(&l, 5, storage.AllDue, now, time.Minute, 10)
			if err != nil || len(claimed) == 1 != step.claimable {
				t.Errorf("%s: %d orders are claimed, %v", step.what, len(claimed), err)
			}
		}
	})
}

// The same for callbacks: they have a lookout of their own.
func TestLookoutForCallbacks(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		m := move(stored(t, db, "a"), payout.Decline, time.Time{})
		m.Callback = &payout.Callback{Receiver: "r", URL: "https://r", DueAt: noon.Add(-time.Minute)}
		now := noon
		claim := func() int {
			t.Helper()
			found, err := db.ClaimCallbacks(nil, now, 0, 10, 10, nil)
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		var l storage.Lookout
		look := func(what string, seen bool) {
			t.Helper()
			next, err := db.LookForCallbacks(t.Context(), &l, now)
			if err != nil || next.IsZero() == seen {
				t.Errorf("%s: the look finds %v, %v", what, next, err)
			}
			claimed, err := db.ClaimCallbacks(&l, now, 0, 10, 10, nil)
			if err != nil || len(claimed) == 1 != seen {
				t.Errorf("%s: %d are claimed, %v", what, len(claimed), err)
			}
		}
		look("before there is one", false)
		if moved, err := db.Move(m); err != nil || !moved {
			t.Fatal(moved, err)
		}
		look("stored a minute after it was due", false)
		if claim() != 1 {
			t.Error("without a lookout it is not claimed")
		}
		if err := storage.Exec(db, "UPDATE callbacks SET due_us = $1", noon.Add(-time.Minute).UnixMicro()); err != nil {
			t.Fatal(err)
		}
		now = noon.Add(10 * time.Second)
		look("from the beginning", true)
	})
}

// PostgreSQL's index has an entry of whatever was due until the next vacuum, and until
// nobody can see it any more. A worker that looks and claims must not walk through
// all of them each time.
func TestLookDoesNotWalkThroughWhatWasClaimed(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	for i := range 20 {
		stored(t, db, fmt.Sprint(i))
	}
	storage.HoldSnapshot(t, db)
	var l storage.Lookout
	now := noon
	for range 200 {
		if next, err := db.LookForOrders(t.Context(), &l, 5, storage.AllDue, now); err != nil || next.IsZero() {
			t.Fatal(next, err)
		}
		claimed, err := db.ClaimOrders(&l, 5, storage.AllDue, now, time.Second, 20)
		if err != nil || len(claimed) != 20 {
			t.Fatal(len(claimed), err)
		}
		now = now.Add(time.Second)
	}
	read := func(from time.Time) int64 {
		t.Helper()
		pages, err := storage.PagesRead(t.Context(), db, "SELECT min(due_us) FROM orders WHERE gate_id = 5 AND due_us >= $1 AND due_us > 0", from.UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	if whole, seen := read(time.UnixMicro(0)), read(storage.Since(&l)); whole < 10*seen {
		t.Errorf("a look reads %d pages, one from the beginning %d", seen, whole)
	}
}

func TestTablesThatChangeAreVacuumedEarly(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	for _, table := range []string{"orders", "transactions", "callbacks"} {
		options, err := storage.TableOptions(t.Context(), db, table)
		if err != nil || options != "autovacuum_vacuum_scale_factor=0.02" {
			t.Errorf("%s has %q, %v", table, options, err)
		}
	}
}
