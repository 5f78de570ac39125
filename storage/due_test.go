package storage_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// count checks how many rows are due.
func count(t *testing.T, what string, got func(context.Context) (int, error), want int) {
	t.Helper()
	if n, err := got(t.Context()); err != nil || n != want {
		t.Errorf("%s: %d due, want %d; %v", what, n, want, err)
	}
}

func TestDueOrdersAreCountedByGateWhetherTheyAreToBeSentOrNot(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		due := func(gate payout.GateID, which storage.Which, now time.Time) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) { return db.CountDue(ctx, gate, which, now) }
		}
		for _, id := range []string{"a", "b"} {
			stored(t, db, id)
		}
		sent := stored(t, db, "c")
		if moved, err := db.Move(move(sent, payout.Send, noon.Add(time.Second))); err != nil || !moved {
			t.Fatal(moved, err)
		}
		count(t, "before they are due", due(5, storage.AllDue, noon.Add(-time.Microsecond)), 0)
		count(t, "when two are due", due(5, storage.AllDue, noon), 2)
		count(t, "just before the third is", due(5, storage.AllDue, noon.Add(time.Second-time.Microsecond)), 2)
		count(t, "when the third is", due(5, storage.AllDue, noon.Add(time.Second)), 3)
		count(t, "of those, what was sent", due(5, storage.SentDue, noon.Add(time.Second)), 1)
		count(t, "at another gate", due(6, storage.AllDue, noon.Add(time.Second)), 0)
		if _, err := db.ClaimOrders(nil, 5, storage.AllDue, noon, time.Minute, 2); err != nil {
			t.Fatal(err)
		}
		count(t, "while two are worked on", due(5, storage.AllDue, noon.Add(time.Second)), 1)
	})
}

func TestDueCallbacksAreCounted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		due := func(now time.Time) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) { return db.CountCallbacksDue(ctx, now) }
		}
		count(t, "when there is none", due(noon), 0)
		for i := range 3 {
			m := move(stored(t, db, fmt.Sprint(i)), payout.Decline, time.Time{})
			m.Callback = &payout.Callback{Receiver: "r", URL: "https://r", DueAt: noon.Add(time.Duration(i) * time.Second)}
			if moved, err := db.Move(m); err != nil || !moved {
				t.Fatal(moved, err)
			}
		}
		count(t, "before the first", due(noon.Add(-time.Microsecond)), 0)
		count(t, "when the first is due", due(noon), 1)
		count(t, "when all are", due(noon.Add(2*time.Second)), 3)
		if _, err := db.ClaimCallbacks(nil, noon, time.Minute, 10, 10, nil); err != nil {
			t.Fatal(err)
		}
		count(t, "while one is being delivered", due(noon.Add(2*time.Second)), 2)
	})
}

func TestDueRowsAreCountedUpToALimit(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		fill := func(from, to int) {
			t.Helper()
			numbers := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d)", from, to)
			for _, sql := range []string{
				`INSERT INTO orders (id, party_id, endpoint_id, group_id, command, type, client_orderid, repeat_no, currency, amount_minor, params_sealed,
					receiver_mask, receiver_hash, stage, version, gate_position, gate_id, attempts, polls, error_code, error_message, serial, remote_address,
					note, created_us, final_us, expires_us, due_us) ` + numbers + ` SELECT i, 1, 1, 0, 'v4/payout', 'payout', 'fill-' || i, 0, 'USD', 100,
					CAST('0' AS {{bytes}}), '', CAST('0' AS {{bytes}}), 'starting', 0, 0, 5, 0, 0, 0, '', i, '', '', 1, 0, 0, i FROM n`,
				`INSERT INTO callbacks (id, order_id, receiver, url_sealed, attempts, state, created_us, due_us)
					` + numbers + ` SELECT i, i, 'r', CAST('0' AS {{bytes}}), 0, 'due', 1, i FROM n`,
			} {
				if err := storage.Exec(db, sql); err != nil {
					t.Fatal(err)
				}
			}
		}
		orders := func(ctx context.Context) (int, error) { return db.CountDue(ctx, 5, storage.AllDue, noon) }
		callbacks := func(ctx context.Context) (int, error) { return db.CountCallbacksDue(ctx, noon) }
		fill(1, storage.CountMost-1)
		count(t, "orders, one less than the limit", orders, storage.CountMost-1)
		count(t, "callbacks, one less than the limit", callbacks, storage.CountMost-1)
		fill(storage.CountMost, storage.CountMost+1)
		count(t, "orders, one more than the limit", orders, storage.CountMost)
		count(t, "callbacks, one more than the limit", callbacks, storage.CountMost)
	})
}

// An order is doubtful since the move that made it so, not since it was accepted: it may
// have waited for its payout-pay for a day.
func TestTheOldestDoubtfulOrderIsThatOfTheEarliestMove(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		since := func(what string, gate payout.GateID, want time.Time) {
			t.Helper()
			if got, err := db.DoubtfulSince(t.Context(), gate); err != nil || !got.Equal(want) {
				t.Errorf("%s: since %s, want %s; %v", what, got, want, err)
			}
		}
		// moved moves an order at a time and reads it again.
		moved := func(o *payout.Order, on payout.Event, at time.Time) *payout.Order {
			t.Helper()
			m := move(o, on, at.Add(time.Minute))
			if m.At = at; m.To.Final() {
				m.DueAt = time.Time{}
			}
			if ok, err := db.Move(m); err != nil || !ok {
				t.Fatal(ok, err)
			}
			o, err := db.Order(t.Context(), o.ID)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		stored(t, db, "starting")
		moved(stored(t, db, "sending"), payout.Send, noon)
		since("nothing is doubtful", 5, time.Time{})
		second := moved(moved(stored(t, db, "second"), payout.Send, noon), payout.Lose, noon.Add(time.Hour))
		since("one is", 5, noon.Add(time.Hour))
		first := moved(moved(stored(t, db, "first"), payout.Send, noon), payout.Lose, noon.Add(time.Hour-time.Microsecond))
		since("an earlier one", 5, noon.Add(time.Hour-time.Microsecond))
		if err := db.Postpone(first, 7, noon.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		since("it was asked about again", 5, noon.Add(time.Hour-time.Microsecond))
		since("at another gate", 6, time.Time{})
		moved(first, payout.Approve, noon.Add(2*time.Hour))
		since("it has ended", 5, noon.Add(time.Hour))
		moved(second, payout.Approve, noon.Add(2*time.Hour))
		since("both have", 5, time.Time{})
	})
}
