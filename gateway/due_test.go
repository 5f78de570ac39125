package gateway_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/storage"
	"payout/storage/storagetest"
)

const (
	never  = 2 * (gateway.RailTimeoutMost + margin) // no worker puts off an order for longer
	margin = 15 * time.Second                       // of a lease, beside the call to a rail
)

// A clock that was ahead for a while has put orders off to its own future. They do not
// wait for it; those that wait for people do.
func TestOrdersDoNotWaitForTheFutureOfAClockThatWasAhead(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		rail := &railFunc{pay: func(processor.Payment) processor.Outcome { return processor.Lost(errors.New("no answer")) }}
		settings := gateway.Settings{PollFirst: time.Minute, PollMost: 10 * time.Minute, RailTimeout: time.Minute, ConfirmWithin: 24 * time.Hour}
		h := newHouse(t, db, rail, settings)
		noon := time.Now()
		clock := noon.Add(3 * time.Hour)
		h.Now = func() time.Time { return clock }
		h.pay("1", "")
		held := h.check()
		h.workAll()
		expires, err := db.Order(t.Context(), held)
		if err != nil || expires.Stage != payout.Held {
			t.Fatal(expires, err)
		}
		due, err := db.NextDue(t.Context(), 1, storage.AllDue)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			what string
			time.Time
			hastened bool
		}{
			{"as late as a worker may mean", due.Add(-never), false},
			{"a microsecond later than that", due.Add(-never - time.Microsecond), true},
		} {
			clock = at.Time
			if err := h.Hasten(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := db.NextDue(t.Context(), 1, storage.AllDue); err != nil || at.hastened == got.After(clock) || !at.hastened && !got.Equal(due) {
				t.Errorf("%s: at %s it is due at %s, hastened: %t, %v", at.what, clock, got, at.hastened, err)
			}
		}
		h.workAll()
		if o, err := db.Order(t.Context(), held); err != nil || o.Stage != payout.Held {
			t.Errorf("the order that waits for payout-pay is %+v, %v", o, err)
		}
		if due, err = db.NextDue(t.Context(), 1, storage.AllDue); err != nil || due.After(clock.Add(never)) {
			t.Errorf("worked on again, it is due at %s, %v", due, err)
		}
	})
}

// An order that the rail has yet to confirm waits for a worker, too.
func TestOrderThatIsCheckedDoesNotWaitForTheFutureOfAClockThatWasAhead(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		rail := &checkingRail{check: processor.Lost(errors.New("no answer"))}
		h := newHouse(t, db, rail, gateway.Settings{ConfirmWithin: 3 * 365 * 24 * time.Hour})
		noon := time.Now()
		clock := noon.Add(365 * 24 * time.Hour)
		h.Now = func() time.Time { return clock }
		id := h.check()
		h.workAll()
		clock = noon
		rail.check = processor.Approved("")
		h.workAll()
		if o, err := db.Order(t.Context(), id); err != nil || o.Stage != payout.Checking || o.Polls != 1 {
			t.Fatalf("%+v, %v", o, err)
		}
		if err := h.Hasten(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.workAll()
		if o, err := db.Order(t.Context(), id); err != nil || o.Stage != payout.Held {
			t.Errorf("the order is at %s, %v", o.Stage, err)
		}
	})
}

// A checkingRail confirms by an outcome.
type checkingRail struct {
	railFunc
	check processor.Outcome
}

func (r *checkingRail) Check(context.Context, processor.Payment) processor.Outcome { return r.check }

// An order that is being sent may be with a worker whose clock is ahead still: it is not
// taken from it before the longest call to a rail has ended.
func TestOrderThatIsBeingSentIsTakenFromNobody(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		asked := 0
		rail := &askedRail{railFunc: railFunc{pay: func(processor.Payment) processor.Outcome { panic("killed") }}, asked: &asked}
		h := newHouse(t, db, rail, gateway.Settings{})
		noon := time.Now()
		clock := noon.Add(365 * 24 * time.Hour)
		h.Now = func() time.Time { return clock }
		h.pay("1", "")
		h.workAll()
		clock = noon
		for range 2 { // once is enough
			if err := h.Hasten(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		due, err := db.NextDue(t.Context(), 1, storage.AllDue)
		if lease := gateway.RailTimeoutMost + margin; err != nil || due.Before(noon.Add(lease-time.Microsecond)) || due.After(time.Now().Add(lease)) {
			t.Fatalf("it is due %s after now, want %s; %v", due.Sub(noon), lease, err)
		}
		clock = due.Add(-time.Microsecond)
		if h.workAll(); asked != 0 {
			t.Error("it was taken before the longest lease has ended")
		}
		clock = due
		if h.workAll(); asked != 1 {
			t.Errorf("after it, it was asked about %d times", asked)
		}
	})
}

// An askedRail counts questions.
type askedRail struct {
	railFunc
	asked *int
}

func (r *askedRail) Status(context.Context, processor.Payment) processor.Outcome {
	*r.asked++
	return processor.Lost(errors.New("no answer"))
}

// A node whose clock is behind takes nobody's leases, and what it mends is due for the
// others at once; nor does one that is ahead put off what it mends.
func TestNodeWhoseClockIsOffTakesNobodysLeases(t *testing.T) {
	for what, off := range map[string]time.Duration{"behind": -30 * time.Minute, "ahead": 30 * time.Minute} {
		t.Run(what, func(t *testing.T) {
			db := storagetest.Open(t, storagetest.Postgres(t))
			lost := func(processor.Payment) processor.Outcome { return processor.Lost(errors.New("no answer")) }
			one := newHouse(t, db, &railFunc{pay: lost}, gateway.Settings{})
			two := moveIn(t, storagetest.Again(t, db), &railFunc{pay: lost}, gateway.Settings{})
			two.Now = func() time.Time { return time.Now().Add(off) }
			one.pay("1", "")
			claimed, err := db.ClaimOrders(nil, 1, storage.AllDue, time.Now(), 65*time.Second, 10)
			if err != nil || len(claimed) != 1 {
				t.Fatal(claimed, err)
			}
			leased, err := db.NextDue(t.Context(), 1, storage.AllDue)
			if err != nil {
				t.Fatal(err)
			}
			if err := two.Hasten(t.Context()); err != nil {
				t.Fatal(err)
			}
			if due, err := db.NextDue(t.Context(), 1, storage.AllDue); err != nil || !due.Equal(leased) {
				t.Errorf("the lease that ended at %s ends at %s, %v", leased, due, err)
			}
			if err := db.Postpone(claimed[0].Order, 1, time.Now().Add(365*24*time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := two.Hasten(t.Context()); err != nil {
				t.Fatal(err)
			}
			if due, err := db.NextDue(t.Context(), 1, storage.AllDue); err != nil || due.After(time.Now()) {
				t.Errorf("what was put off for a year is due at %s, %v", due, err)
			}
		})
	}
}

// Nodes may differ in their --rail-timeout.
func TestNodeOfShortCallsTakesNoLeaseOfOneOfLongCalls(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{RailTimeout: time.Second, PollMost: time.Second})
		h.pay("1", "")
		if claimed, err := db.ClaimOrders(nil, 1, storage.AllDue, time.Now(), gateway.RailTimeoutMost+margin, 10); err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		leased, err := db.NextDue(t.Context(), 1, storage.AllDue)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Hasten(t.Context()); err != nil {
			t.Fatal(err)
		}
		if due, err := db.NextDue(t.Context(), 1, storage.AllDue); err != nil || !due.Equal(leased) {
			t.Errorf("the lease that ended at %s ends at %s, %v", leased, due, err)
		}
	})
}

// workAll works on what is due now.
func (h *house) workAll() {
	h.t.Helper()
	if _, err := h.WorkDue(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}
