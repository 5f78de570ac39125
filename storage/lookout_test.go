package storage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// A worker that looks again and again passes over what it has seen not to be due, and what
// was stored too late to be seen then is seen by the next look from the beginning.
func TestLookoutSeesWhatIsStoredLateALittleLater(t *testing.T) {
	const slack, whole, ahead = 10 * time.Second, 10 * time.Second, storage.LookAhead
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
			{"due later than is looked at", 0, ahead + time.Microsecond, false, false},
			{"due before the worker looks again", 0, ahead, true, false},
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

// A look that failed has seen nothing: the next one is from the beginning too.
func TestLookThatFailedIsMadeAgainFromTheBeginning(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var l storage.Lookout
		if next, err := db.LookForOrders(t.Context(), &l, 5, storage.AllDue, noon); err != nil || !next.IsZero() {
			t.Fatal(next, err)
		}
		o := stored(t, db, "late")
		if err := db.Postpone(o, 0, noon.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		now := noon.Add(10 * time.Second) // a look from the beginning is due
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := db.LookForOrders(gone, &l, 5, storage.AllDue, now); err == nil {
			t.Fatal("the look has not failed")
		}
		if next, err := db.LookForOrders(t.Context(), &l, 5, storage.AllDue, now.Add(time.Second)); err != nil || next.IsZero() {
			t.Errorf("the next look finds %v, %v", next, err)
		}
	})
}

func TestCallbackThatIsStoredLateIsSeenByTheLookFromTheBeginning(t *testing.T) {
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

// PostgreSQL's index has an entry of whatever was due, and of each lease that was given back
// before its end, until the next vacuum, and until nobody can see it any more. A worker that
// looks and claims must not walk through all of them each time.
func TestLookDoesNotWalkThroughWhatWasClaimed(t *testing.T) {
	const orders, claims = 5, 120
	db := storagetest.Open(t, storagetest.Postgres(t))
	for i := range orders {
		stored(t, db, fmt.Sprint(i))
	}
	storage.HoldSnapshot(t, db)
	recorder := storage.Record(db)
	var l storage.Lookout
	now := noon
	for range claims {
		if next, err := db.LookForOrders(t.Context(), &l, 5, storage.AllDue, now); err != nil || next.IsZero() {
			t.Fatal(next, err)
		}
		claimed, err := db.ClaimOrders(&l, 5, storage.AllDue, now, time.Hour, orders)
		if err != nil || len(claimed) != orders {
			t.Fatal(len(claimed), err)
		}
		now = now.Add(10 * time.Second)
		for _, o := range claimed {
			if err := db.Postpone(o.Order, 0, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	texts := slices.DeleteFunc(recorder.Texts(), func(text string) bool { return !strings.Contains(text, "min(due_us)") })
	if len(texts) != 1 {
		t.Fatalf("a look is %q", texts)
	}
	read := func(from, until time.Time) int64 {
		t.Helper()
		pages, err := storage.PagesRead(t.Context(), db, texts[0], 5, from.UnixMicro(), until.UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	last := now.Add(-10 * time.Second) // the last look
	whole := read(time.UnixMicro(0), now.Add(24*time.Hour))
	for what, seen := range map[string]int64{
		"what is due":    read(storage.Since(&l), last.Add(time.Second)),
		"nothing is due": read(now.Add(-9*time.Second), now.Add(-8*time.Second)),
		"due soon":       read(now.Add(-9*time.Second), now.Add(time.Second)),
	} {
		if whole < 10*seen {
			t.Errorf("%s: a look reads %d pages, one over all times %d", what, seen, whole)
		}
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
