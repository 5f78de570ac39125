package gateway_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
	"payout/storage/storagetest"
)

// A mailbox receives callbacks and answers as told; meanwhile runs while a delivery is under way.
type mailbox struct {
	*httptest.Server
	status    int
	came      int
	meanwhile func()
}

func newMailbox(t *testing.T) *mailbox {
	m := &mailbox{status: http.StatusOK}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		m.came++
		if m.meanwhile != nil {
			m.meanwhile()
		}
		w.WriteHeader(m.status)
	}))
	t.Cleanup(m.Close)
	return m
}

// callbackOf pays an order by a clock that stands still and returns its callback.
func (h *house) callbackOf(m *mailbox) payout.Callback {
	h.t.Helper()
	id := h.pay("1", m.URL)
	if _, err := h.WorkDue(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return h.callback(id)
}

func (h *house) callback(id payout.OrderID) payout.Callback {
	h.t.Helper()
	callbacks, _, err := h.db.Callbacks(h.t.Context(), id)
	if err != nil || len(callbacks) != 1 {
		h.t.Fatal(callbacks, err)
	}
	return callbacks[0]
}

func (h *house) deliver(want int) {
	h.t.Helper()
	if n, err := h.DeliverDue(h.t.Context()); err != nil || n != want {
		h.t.Fatalf("%d callbacks were delivered, want %d: %v", n, want, err)
	}
}

func newResendHouse(t *testing.T, db *storage.DB) (*house, *mailbox, *time.Time) {
	h := newHouse(t, db, &railFunc{pay: approve}, gateway.Settings{})
	clock := time.Now().Add(time.Hour).Truncate(time.Microsecond) // after the orders, which are accepted by the real one
	h.Now = func() time.Time { return clock }
	t.Cleanup(h.Callbacks.Close)
	return h, newMailbox(t), &clock
}

func TestCallbackIsSentAgainOnceForEachWish(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, clock := newResendHouse(t, db)
		c := h.callbackOf(m)
		h.deliver(1)
		party := h.Directory().PartyByLogin("TestMerchant").ID
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); err != nil {
			t.Fatal("right after the first delivery:", err)
		}
		h.deliver(1)
		h.deliver(0)
		wish := *clock
		for _, test := range []struct {
			after time.Duration
			want  error
		}{{0, gateway.ErrResendLater}, {gateway.ResendPause - time.Microsecond, gateway.ErrResendLater}, {gateway.ResendPause, nil}} {
			*clock = wish.Add(test.after)
			if err := h.ResendCallback(t.Context(), party, c.ID, "Bob"); !errors.Is(err, test.want) {
				t.Errorf("after %s: %v, want %v", test.after, err, test.want)
			}
		}
		h.deliver(1)
		if m.came != 3 {
			t.Errorf("%d came, want 3", m.came)
		}
		got := h.callback(c.OrderID)
		if got.State != payout.CallbackDelivered || got.Attempts != 3 || !got.DueAt.IsZero() {
			t.Errorf("%+v", got)
		}
		wishes, err := db.Resends(t.Context(), c.OrderID)
		if err != nil || !slices.EqualFunc(wishes, []string{"Ann", "Bob"}, func(r payout.Resend, by string) bool { return r.By == by && r.CallbackID == c.ID }) {
			t.Errorf("wishes %+v, %v", wishes, err)
		}
	})
}

func TestCallbackOfAnotherPartyCannotBeSentAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, _ := newResendHouse(t, db)
		c := h.callbackOf(m)
		h.deliver(1)
		party := h.Directory().PartyByLogin("TestMerchant").ID
		for _, wrong := range []struct {
			party payout.PartyID
			id    payout.CallbackID
		}{{party + 1, c.ID}, {party, c.ID + 1}} {
			if err := h.ResendCallback(t.Context(), wrong.party, wrong.id, "Eve"); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		h.deliver(0)
		if wishes, err := db.Resends(t.Context(), c.OrderID); err != nil || len(wishes) != 0 {
			t.Errorf("wishes %v, %v", wishes, err)
		}
	})
}

// While a delivery is under way no second one begins, whoever asks.
func TestCallbackUnderWayIsNotSentAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, _ := newResendHouse(t, db)
		c := h.callbackOf(m)
		party := h.Directory().PartyByLogin("TestMerchant").ID
		asked := 0
		m.meanwhile = func() {
			asked++
			if under := h.callback(c.OrderID); !under.LeasedUntil.After(h.Now()) {
				t.Errorf("it does not show that it is under way: %+v", under)
			}
			if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); !errors.Is(err, gateway.ErrResendLater) {
				t.Errorf("asked meanwhile: %v", err)
			}
		}
		h.deliver(1)
		h.deliver(0)
		if asked != 1 || m.came != 1 || h.callback(c.OrderID).State != payout.CallbackDelivered {
			t.Errorf("asked %d, came %d, %+v", asked, m.came, h.callback(c.OrderID))
		}
	})
}

// A worker that has died with a callback keeps it until its lease ends, and no longer.
func TestCallbackOfADeadWorkerIsSentAgainAfterItsLease(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, clock := newResendHouse(t, db)
		c := h.callbackOf(m)
		party := h.Directory().PartyByLogin("TestMerchant").ID
		claimed, err := db.ClaimCallbacks(nil, *clock, time.Minute, 10, 10, nil)
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		began := *clock
		*clock = began.Add(time.Minute - time.Microsecond)
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); !errors.Is(err, gateway.ErrResendLater) {
			t.Errorf("before the lease's end: %v", err)
		}
		*clock = began.Add(time.Minute)
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); err != nil {
			t.Errorf("at the lease's end: %v", err)
		}
		h.deliver(1)
	})
}

// One that was given up gets one more attempt for each wish; one that waits does
// not wait, and goes on by its timetable.
func TestCallbackThatWaitsOrWasGivenUpIsDueAtOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, clock := newResendHouse(t, db)
		m.status = http.StatusInternalServerError
		c := h.callbackOf(m)
		party := h.Directory().PartyByLogin("TestMerchant").ID
		h.deliver(1)
		if c := h.callback(c.OrderID); !c.DueAt.After(*clock) || !c.LeasedUntil.IsZero() {
			t.Fatalf("it does not wait: %+v", c)
		}
		h.deliver(0)
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); err != nil {
			t.Fatal(err)
		}
		h.deliver(1)
		for h.callback(c.OrderID).State == payout.CallbackDue {
			*clock = h.callback(c.OrderID).DueAt
			h.deliver(1)
		}
		given := h.callback(c.OrderID)
		if given.State != payout.CallbackGivenUp {
			t.Fatalf("%+v", given)
		}
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); err != nil {
			t.Fatal(err)
		}
		h.deliver(1)
		if again := h.callback(c.OrderID); again.State != payout.CallbackGivenUp || again.Attempts != given.Attempts+1 {
			t.Errorf("after one more failure: %+v", again)
		}
		*clock = clock.Add(gateway.ResendPause)
		m.status = http.StatusOK
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); err != nil {
			t.Fatal(err)
		}
		h.deliver(1)
		if last := h.callback(c.OrderID); last.State != payout.CallbackDelivered {
			t.Errorf("after the receiver was mended: %+v", last)
		}
	})
}

// A clock that was ahead for a while has put callbacks off to its own future: those that
// failed meanwhile, and those that were only claimed. They do not wait for it.
func TestCallbacksDoNotWaitForTheFutureOfAClockThatWasAhead(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for what, ahead := range map[string]func(*house, *mailbox){
		"failed": func(h *house, m *mailbox) {
			m.status = http.StatusInternalServerError
			h.deliver(1)
			m.status = http.StatusOK
		},
		"claimed": func(h *house, m *mailbox) {
			if claimed, err := h.db.ClaimCallbacks(nil, h.Now(), 45*time.Second, 10, 10, nil); err != nil || len(claimed) != 1 {
				h.t.Fatal(claimed, err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, db *storage.DB) {
				h, m, clock := newResendHouse(t, db)
				c := h.callbackOf(m)
				back := *clock
				*clock = back.Add(year)
				ahead(h, m)
				came := m.came
				*clock = back
				h.deliver(0)
				if err := h.Hasten(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.deliver(1)
				if got := h.callback(c.OrderID); got.State != payout.CallbackDelivered || m.came != came+1 {
					t.Errorf("it came %d times: %+v", m.came-came, got)
				}
			})
		})
	}
}

// A callback that waits by the timetable goes on waiting. In its first hours that is an
// hour at most: clocks that are ahead are so by a time zone more often than by a year.
func TestCallbackIsHastenedOnlyWhenNoTimetableMeansItsTime(t *testing.T) {
	for attempts, never := range map[int]time.Duration{1: 66 * time.Minute, 11: 66 * time.Minute, 12: 26*time.Hour + 24*time.Minute, 29: 26*time.Hour + 24*time.Minute} {
		t.Run(fmt.Sprint("after attempt ", attempts), func(t *testing.T) { hastenedAfter(t, attempts, never+time.Minute) }) // clocks of nodes differ
	}
}

// hastenedAfter sees to it that a callback that waits after an attempt is mended when it is
// due later than never, and not before.
func hastenedAfter(t *testing.T, attempts int, never time.Duration) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, clock := newResendHouse(t, db)
		*clock = clock.Add(72 * time.Hour) // the database's, if it has one, is earlier all the time
		m.status = http.StatusInternalServerError
		c := h.callbackOf(m)
		h.deliver(1)
		for range attempts - 1 {
			*clock = h.callback(c.OrderID).DueAt
			h.deliver(1)
		}
		due := h.callback(c.OrderID).DueAt
		for _, at := range []struct {
			time.Time
			hastened bool
		}{{due.Add(-never), false}, {due.Add(-never - time.Microsecond), true}} {
			*clock = at.Time
			if err := h.Hasten(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := h.callback(c.OrderID).DueAt; at.hastened == got.After(*clock) || !at.hastened && !got.Equal(due) {
				t.Errorf("at %s it is due at %s, hastened: %t", *clock, got, at.hastened)
			}
		}
	})
}

// A lease, and a wish, of a clock that was ahead do not keep people from sending a
// callback again: neither can be that far away.
func TestCallbackIsSentAgainThoughAClockWasAhead(t *testing.T) {
	const most = time.Hour // of a lease
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		h, m, clock := newResendHouse(t, db)
		c := h.callbackOf(m)
		party := h.Directory().PartyByLogin("TestMerchant").ID
		back := *clock
		*clock = back.Add(24 * time.Hour)
		if err := h.ResendCallback(t.Context(), party, c.ID, "Ann"); err != nil {
			t.Fatal(err)
		}
		if claimed, err := db.ClaimCallbacks(nil, *clock, time.Minute, 10, 10, nil); err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		leased := clock.Add(time.Minute)
		for _, test := range []struct {
			at   time.Time
			want error
		}{
			{leased.Add(-most), gateway.ErrResendLater},
			{leased.Add(-most - time.Microsecond), gateway.ErrResendLater}, // the wish is a minute nearer
			{leased.Add(-most - time.Minute - time.Microsecond), nil},
		} {
			*clock = test.at
			if err := h.ResendCallback(t.Context(), party, c.ID, "Bob"); !errors.Is(err, test.want) {
				t.Errorf("%s before the lease's end: %v, want %v", leased.Sub(test.at), err, test.want)
			}
		}
		h.deliver(1)
	})
}
