package gateway_test

import (
	"errors"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/storage"
	"payout/storage/storagetest"
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
			due time.Time
		}{
			{"as late as a worker may mean", due.Add(-20 * time.Minute), due},
			{"a microsecond later than that", due.Add(-20*time.Minute - time.Microsecond), due.Add(-20*time.Minute - time.Microsecond)},
		} {
			clock = at.Time
			if err := h.Hasten(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := db.NextDue(t.Context(), 1, storage.AllDue); err != nil || got.Sub(at.due).Abs() > time.Microsecond {
				t.Errorf("%s: due at %s, want %s; %v", at.what, got, at.due, err)
			}
		}
		h.workAll()
		if o, err := db.Order(t.Context(), held); err != nil || o.Stage != payout.Held {
			t.Errorf("the order that waits for payout-pay is %+v, %v", o, err)
		}
		if due, err = db.NextDue(t.Context(), 1, storage.AllDue); err != nil || due.After(clock.Add(20*time.Minute)) {
			t.Errorf("worked on again, it is due at %s, %v", due, err)
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
