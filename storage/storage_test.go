package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func order(t *testing.T, db *storage.DB, clientOrderID string) *payout.Order {
	t.Helper()
	id, err := db.NextOrderID()
	if err != nil {
		t.Fatal(err)
	}
	return &payout.Order{ID: id, PartyID: 1, EndpointID: 39915, Command: "v4/payout", Type: payout.TypePayout,
		ClientOrderID: clientOrderID, Amount: payout.Amount{Minor: 1042, Currency: "USD"},
		Params:       map[string]string{"account_number": "1234567890", "purpose": "Цель"},
		ReceiverMask: "******7890", ReceiverHash: []byte{1, 2}, Stage: payout.Starting, GateID: 5, CreatedAt: noon}
}

func accept(t *testing.T, db *storage.DB, a storage.Acceptance) storage.Accepted {
	t.Helper()
	a.Now = noon
	got, err := db.Accept(a)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func request(t *testing.T, db *storage.DB, o *payout.Order) *payout.Request {
	t.Helper()
	serial, err := db.NextSerial()
	if err != nil {
		t.Fatal(err)
	}
	return &payout.Request{Serial: serial, PartyID: o.PartyID, EndpointID: o.EndpointID, Command: "v4/payout", OrderID: o.ID, ClientOrderID: o.ClientOrderID, At: noon}
}

// stored accepts a fresh order and reads it back.
func stored(t *testing.T, db *storage.DB, clientOrderID string) *payout.Order {
	t.Helper()
	o := order(t, db, clientOrderID)
	if got := accept(t, db, storage.Acceptance{Order: o, DueAt: noon, Unique: true}); !got.Stored() {
		t.Fatalf("order was not stored: %+v", got)
	}
	return o
}

func TestAcceptedOrderIsReadBackWhole(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := order(t, db, "a")
		r := request(t, db, o)
		o.Serial = r.Serial
		accept(t, db, storage.Acceptance{Order: o, Request: r, DueAt: noon, Unique: true})
		got, err := db.Order(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, got); diff != "" {
			t.Error(diff)
		}
		requests, err := db.Requests(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]payout.Request{*r}, requests); diff != "" {
			t.Error(diff)
		}
		if _, err := db.Order(t.Context(), o.ID+1); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("unknown order: %v", err)
		}
	})
}

func TestClientOrderIDIsUniquePerPartyUnlessRepeatsAreAllowed(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		stored(t, db, "a")
		again := order(t, db, "a")
		got := accept(t, db, storage.Acceptance{Order: again, Request: request(t, db, again), DueAt: noon, Unique: true})
		if !got.OrderExists {
			t.Error("a second order with the same client_orderid was stored")
		}
		if requests, err := db.Requests(t.Context(), again.ID); err != nil || len(requests) != 0 {
			t.Errorf("the refused order left requests %v, %v", requests, err)
		}
		other := order(t, db, "a")
		other.PartyID = 2
		if got := accept(t, db, storage.Acceptance{Order: other, DueAt: noon, Unique: true}); !got.Stored() {
			t.Error("another party's client_orderid was in the way")
		}
		for range 2 {
			repeat := order(t, db, "a")
			if got := accept(t, db, storage.Acceptance{Order: repeat, DueAt: noon}); !got.Stored() {
				t.Error("an allowed repeat was refused")
			}
		}
		found, err := db.OrdersByClientID(t.Context(), 1, "a", 10)
		if err != nil || len(found) != 3 {
			t.Errorf("%d orders found, want 3: %v", len(found), err)
		}
	})
}

func TestNonceIsUsedOncePerPartyAndTimestamp(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		use := func(timestamp int64, party payout.PartyID, nonce byte) bool {
			n := storage.Nonce{PartyID: party, Timestamp: timestamp, Hash: []byte{nonce}, Expires: noon.Add(time.Minute)}
			got, err := db.Accept(storage.Acceptance{Now: noon.Add(time.Hour), Nonce: &n})
			if err != nil {
				t.Fatal(err)
			}
			return !got.NonceUsed
		}
		if !use(100, 1, 7) {
			t.Error("a fresh nonce was refused")
		}
		if use(100, 1, 7) {
			t.Error("a used nonce was accepted")
		}
		if !use(100, 2, 7) || !use(100, 1, 8) || !use(101, 1, 7) || !use(99, 1, 7) {
			t.Error("another party's or another nonce, or one of another timestamp, was refused")
		}
	})
}

func TestUsedNonceStoresNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		nonce := &storage.Nonce{PartyID: 1, Hash: []byte("n"), Expires: noon.Add(time.Minute)}
		accept(t, db, storage.Acceptance{Nonce: nonce})
		o := order(t, db, "a")
		got := accept(t, db, storage.Acceptance{Nonce: nonce, Order: o, Request: request(t, db, o), DueAt: noon, Unique: true})
		if !got.NonceUsed || got.Stored() {
			t.Errorf("result %+v", got)
		}
		if _, err := db.Order(t.Context(), o.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the order was stored: %v", err)
		}
	})
}

func TestForgetNoncesDeletesExpiredOnesOnlyTheOldestFirst(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		nonce := func(party payout.PartyID, i byte) *storage.Nonce {
			return &storage.Nonce{PartyID: party, Timestamp: 100 + int64(i), Hash: []byte{i}, Expires: noon.Add(time.Duration(i) * time.Second)}
		}
		for i := range byte(10) {
			accept(t, db, storage.Acceptance{Nonce: nonce(1, i)})
			accept(t, db, storage.Acceptance{Nonce: nonce(2, i)})
		}
		// At 4 seconds past noon, 0 to 4 of both parties have expired.
		for step, want := range []int64{3, 3, 3, 1, 0} {
			err := db.Transact(t.Context(), noon.Add(4*time.Second), func(tx *storage.Tx) error {
				deleted, err := tx.ForgetNonces(3)
				if deleted != want {
					t.Errorf("step %d forgets %d, want %d", step, deleted, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i := range byte(10) {
			for _, party := range []payout.PartyID{1, 2} {
				if got := accept(t, db, storage.Acceptance{Nonce: nonce(party, i)}); got.NonceUsed == (i <= 4) {
					t.Errorf("nonce %d of party %d: used %v", i, party, got.NonceUsed)
				}
			}
		}
	})
}

// SQLite inserts eight rows at once: the borders are at multiples of eight.
func TestOfManyRowsThoseAreToldThatWereStored(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var group int64 // rows of different groups do not meet
		insert := func(keys []int) []int64 {
			var args [][]any
			for _, key := range keys {
				args = append(args, []any{group, int64(key), int64(1)})
			}
			stored, err := storage.Each(db, `INSERT INTO nonces (timestamp_s, nonce, expires_us) {{rows $1, $2, $3}}
				ON CONFLICT (timestamp_s, nonce) DO NOTHING {{stored timestamp_s = $1, nonce = $2}}`, args)
			if err != nil {
				t.Fatal(err)
			}
			return stored
		}
		for _, n := range []int{1, 7, 8, 9, 15, 16, 17} {
			for there := range n {
				group++
				if got := insert([]int{there}); !slices.Equal(got, []int64{1}) {
					t.Fatalf("a fresh row: %v", got)
				}
				keys, want, none := make([]int, n), make([]int64, n), make([]int64, n)
				for i := range n {
					keys[i], want[i] = i, 1
				}
				want[there] = 0
				if got := insert(keys); !slices.Equal(got, want) {
					t.Errorf("%d rows, of which row %d is there: stored %v", n, there, got)
				}
				if got := insert(keys); !slices.Equal(got, none) {
					t.Errorf("%d rows again: stored %v", n, got)
				}
				group++
				keys[there], want[there], want[0] = 0, 0, 1 // now twins, unless it is the first itself
				if got := insert(keys); !slices.Equal(got, want) {
					t.Errorf("%d rows, of which row %d is the first again: stored %v", n, there, got)
				}
			}
		}
	})
}

func TestManyIdenticalRequestsAtOnceMakeOneOrder(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const callers = 32
		var made, existed sync.Map
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() {
				o := order(t, db, "same")
				got, err := db.Accept(storage.Acceptance{Now: noon, Order: o, DueAt: noon, Unique: true,
					Nonce: &storage.Nonce{PartyID: 1, Hash: fmt.Append(nil, i), Expires: noon.Add(time.Hour)}})
				switch {
				case err != nil:
					t.Error(err)
				case got.OrderExists:
					existed.Store(i, true)
				default:
					made.Store(i, true)
				}
			})
		}
		wait.Wait()
		if n := length(&made); n != 1 {
			t.Errorf("%d orders were made, want 1", n)
		}
		if n := length(&existed); n != callers-1 {
			t.Errorf("%d callers were told of it, want %d", n, callers-1)
		}
	})
}

func length(m *sync.Map) (n int) {
	m.Range(func(any, any) bool { n++; return true })
	return n
}

func move(o *payout.Order, on payout.Event, due time.Time) storage.Move {
	to, _ := o.Stage.Next(on)
	return storage.Move{OrderID: o.ID, From: o.Stage, Version: o.Version, Event: on, To: to, At: noon, DueAt: due, GateID: o.GateID}
}

func TestMoveHappensOnceAndWritesHistoryTransactionAndCallback(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := stored(t, db, "a")
		send := move(o, payout.Send, noon.Add(time.Minute))
		send.Attempts = 1
		send.Opens = &payout.Transaction{OrderID: o.ID, Attempt: 1, GateID: 5, Reference: payout.Reference(o.ID, 1), Stage: payout.Sending, StartedAt: noon}
		for i, want := range []bool{true, false} {
			moved, err := db.Move(send)
			if err != nil || moved != want {
				t.Fatalf("move %d: %v, %v, want %v", i, moved, err, want)
			}
		}
		o, err := db.Order(t.Context(), o.ID)
		if err != nil || o.Stage != payout.Sending || o.Version != 1 || o.Attempts != 1 {
			t.Fatalf("order after Send: %+v, %v", o, err)
		}
		accept := move(o, payout.Accept, noon.Add(time.Minute))
		accept.Attempts = 1
		accept.Closes = &payout.Transaction{Attempt: 1, Stage: payout.Pending, ProcessorTxID: "PNTEST-1", RRN: "187722741"}
		if moved, err := db.Move(accept); err != nil || !moved {
			t.Fatalf("accept: %v, %v", moved, err)
		}
		o, err = db.Order(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		end := move(o, payout.Approve, time.Time{})
		// What the rail does not repeat stays.
		end.Closes = &payout.Transaction{Attempt: 1, Stage: payout.Approved, ApprovalCode: "610669", EndedAt: noon}
		end.Callback = &payout.Callback{Receiver: "example.com:443", URL: "https://example.com/?secret=1", DueAt: noon}
		if moved, err := db.Move(end); err != nil || !moved {
			t.Fatalf("approve: %v, %v", moved, err)
		}
		history, err := db.History(t.Context(), o.ID)
		if err != nil || len(history) != 3 || history[2].To != payout.Approved || history[2].Version != 3 {
			t.Errorf("history %+v, %v", history, err)
		}
		transactions, err := db.Transactions(t.Context(), o.ID)
		want := []payout.Transaction{{OrderID: o.ID, Attempt: 1, GateID: 5, Reference: payout.Reference(o.ID, 1), Stage: payout.Approved,
			ProcessorTxID: "PNTEST-1", RRN: "187722741", ApprovalCode: "610669", StartedAt: noon, EndedAt: noon}}
		if diff := cmp.Diff(want, transactions); err != nil || diff != "" {
			t.Error(err, diff)
		}
		callbacks, _, err := db.Callbacks(t.Context(), o.ID)
		if err != nil || len(callbacks) != 1 || callbacks[0].State != payout.CallbackDue {
			t.Errorf("callbacks %+v, %v", callbacks, err)
		}
		o, err = db.Order(t.Context(), o.ID)
		if err != nil || !o.FinalAt.Equal(noon) {
			t.Errorf("final order: %+v, %v", o, err)
		}
	})
}

func TestWriteThatTheTablesRefuseFailsAlone(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		var wait sync.WaitGroup
		for i := range 40 {
			wait.Go(func() {
				o := order(t, db, fmt.Sprint(i))
				bad := i%10 == 3
				if bad {
					o.Amount.Minor = 0 // a CHECK of the table
				}
				_, err := db.Accept(storage.Acceptance{Now: noon, Order: o, DueAt: noon, Unique: true})
				if bad != (err != nil) {
					t.Errorf("order %d: %v", i, err)
				}
				if _, err := db.Order(context.Background(), o.ID); bad != errors.Is(err, storage.ErrNotFound) {
					t.Errorf("order %d afterwards: %v", i, err)
				}
			})
		}
		wait.Wait()
	})
}

func TestEightWorkersClaimEachOrderOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		const orders = 200
		for i := range orders {
			stored(t, db, fmt.Sprint(i))
		}
		var mu sync.Mutex
		claimed := make(map[payout.OrderID]int)
		var wait sync.WaitGroup
		for range 8 {
			wait.Go(func() {
				for {
					got, err := db.ClaimOrders(nil, 5, storage.AllDue, noon, time.Minute, 7)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for _, o := range got {
						claimed[o.ID]++
					}
					done := len(claimed) == orders
					mu.Unlock()
					if len(got) == 0 && done {
						return
					}
				}
			})
		}
		wait.Wait()
		for id, n := range claimed {
			if n != 1 {
				t.Errorf("order %s was claimed %d times", id, n)
			}
		}
	})
}

func TestClaimIsForTheGateAndEndsWithItsLease(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := stored(t, db, "a")
		claim := func(gate payout.GateID, at time.Time) int {
			got, err := db.ClaimOrders(nil, gate, storage.AllDue, at, time.Minute, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(got)
		}
		for _, step := range []struct {
			what string
			gate payout.GateID
			at   time.Time
			want int
		}{
			{"another gate", 6, noon, 0},
			{"just before it is due", 5, noon.Add(-time.Microsecond), 0},
			{"when it is due", 5, noon, 1},
			{"just before the lease ends", 5, noon.Add(time.Minute - time.Microsecond), 0},
			{"when the lease has ended", 5, noon.Add(time.Minute), 1},
		} {
			if got := claim(step.gate, step.at); got != step.want {
				t.Errorf("%s: %d claimed, want %d", step.what, got, step.want)
			}
		}
		if err := db.Postpone(o, 3, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		due, err := db.NextDue(t.Context(), 5, storage.AllDue)
		if err != nil || !due.Equal(noon.Add(time.Hour)) {
			t.Errorf("postponed order is due %v, %v", due, err)
		}
	})
}

func TestCallbackClaimsAreSharedAmongReceivers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		owe := func(receiver string, n int) {
			for i := range n {
				o := stored(t, db, fmt.Sprint(receiver, i))
				m := move(o, payout.Decline, time.Time{})
				m.Callback = &payout.Callback{Receiver: receiver, URL: payout.Secret("https://" + receiver), DueAt: noon}
				if moved, err := db.Move(m); err != nil || !moved {
					t.Fatal(moved, err)
				}
			}
		}
		owe("slow:443", 20)
		owe("quick:443", 2)
		claim := func(busy ...string) map[string]int {
			got, err := db.ClaimCallbacks(nil, noon, time.Minute, 10, 3, busy)
			if err != nil {
				t.Fatal(err)
			}
			count := make(map[string]int)
			for _, c := range got {
				count[c.Receiver]++
				if want := payout.Secret("https://" + c.Receiver); c.URL != want {
					t.Errorf("callback to %s has another URL", c.Receiver)
				}
			}
			return count
		}
		if diff := cmp.Diff(map[string]int{"slow:443": 3, "quick:443": 2}, claim()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]int{}, claim("slow:443")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(map[string]int{"slow:443": 3}, claim("quick:443")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCallbackAttemptIsRecordedOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := stored(t, db, "a")
		m := move(o, payout.Decline, time.Time{})
		m.Callback = &payout.Callback{Receiver: "r:80", URL: "http://r/", DueAt: noon}
		if _, err := db.Move(m); err != nil {
			t.Fatal(err)
		}
		got, err := db.ClaimCallbacks(nil, noon, time.Minute, 10, 10, nil)
		if err != nil || len(got) != 1 {
			t.Fatal(got, err)
		}
		attempt := payout.CallbackAttempt{CallbackID: got[0].ID, Attempt: 1, At: noon, Duration: time.Second, HTTPStatus: 500, Error: "HTTP 500"}
		for range 2 { // the second one is a sender that outlived its lease
			if err := db.RecordAttempt(attempt, payout.CallbackDue, noon.Add(10*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		last := payout.CallbackAttempt{CallbackID: got[0].ID, Attempt: 2, At: noon, Duration: time.Second, HTTPStatus: 200}
		if err := db.RecordAttempt(last, payout.CallbackDelivered, time.Time{}); err != nil {
			t.Fatal(err)
		}
		callbacks, attempts, err := db.Callbacks(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]payout.CallbackAttempt{attempt, last}, attempts); diff != "" {
			t.Error(diff)
		}
		if callbacks[0].State != payout.CallbackDelivered || !callbacks[0].DueAt.IsZero() {
			t.Errorf("callback %+v", callbacks[0])
		}
	})
}

func TestNumbersAreNeverRepeatedAcrossRestartsAndNodes(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		other := storagetest.Again(t, db)
		seen := make(map[payout.SerialNumber]bool)
		var mu sync.Mutex
		var wait sync.WaitGroup
		for _, node := range []*storage.DB{db, other} {
			for range 4 {
				wait.Go(func() {
					for range 600 {
						n, err := node.NextSerial()
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if seen[n] {
							t.Errorf("serial number %s came twice", n)
						}
						seen[n] = true
						mu.Unlock()
					}
				})
			}
		}
		wait.Wait()
	})
}

func TestSetUpIsReadBackAndItsVersionGrows(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		before, err := db.DirectoryVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var party payout.PartyID
		err = db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
			party, err = tx.AddParty(payout.ConnectingParty{Login: "TestMerchant", Name: "Test", ControlKey: "key", Enabled: true})
			if err != nil {
				return err
			}
			project, err := tx.AddProject(payout.Project{Name: "P", Enabled: true})
			if err != nil {
				return err
			}
			gate, err := tx.AddGate(payout.Gate{Name: "G", Processor: "simulator", Currencies: []payout.Currency{"USD"},
				Settings: map[string]string{"password": "hidden"}, Required: []string{"purpose"}, AskReceiver: true, Concurrency: 3, Enabled: true})
			if err != nil {
				return err
			}
			endpoint, err := tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate},
				Repeat: payout.RepeatReplay, CallbackURL: "https://example.com/cb", Currency: "USD", Enabled: true})
			if err != nil {
				return err
			}
			_, err = tx.AddGroup(payout.EndpointGroup{PartyID: party, Endpoints: []payout.EndpointID{endpoint}, Enabled: true})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		d, err := db.Directory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d.Version <= before {
			t.Errorf("version %d after %d", d.Version, before)
		}
		if p := d.PartyByLogin("TestMerchant"); p == nil || p.ControlKey.Reveal() != "key" {
			t.Errorf("party %+v", p)
		}
		endpoint := d.Endpoints[39915]
		if endpoint == nil || endpoint.CallbackURL != "https://example.com/cb" || len(endpoint.Gates) != 1 {
			t.Fatalf("endpoint %+v", endpoint)
		}
		if g := d.Gates[endpoint.Gates[0]]; g.Settings["password"] != "hidden" || g.Required[0] != "purpose" || !g.Takes("USD") || g.Takes("EUR") {
			t.Errorf("gate %+v", g)
		}
		err = db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
			_, err := tx.AddParty(payout.ConnectingParty{Login: "TestMerchant"})
			return err
		})
		if !errors.Is(err, storage.ErrExists) {
			t.Errorf("second party of the same login: %v", err)
		}
	})
}

func TestReceiverDataIsSealedInTheDatabase(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		o := order(t, db, "a")
		o.Params = map[string]string{"account_number": "40817810099910004312", "account_name": "Zinaida Secretova"}
		accept(t, db, storage.Acceptance{Order: o, DueAt: noon, Unique: true})
		dump := storagetest.Dump(t, db)
		for _, value := range o.Params {
			if strings.Contains(dump, value) {
				t.Errorf("the database shows %q", value)
			}
		}
	})
}

func TestFailedTransactionLeavesNothing(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		boom := errors.New("boom")
		err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
			if _, err := tx.AddProject(payout.Project{Name: "P", Enabled: true}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		d, err := db.Directory(t.Context())
		if err != nil || len(d.Projects) != 0 {
			t.Errorf("projects %v, %v", d.Projects, err)
		}
	})
}

func TestNoNewKeyIsMadeForADatabaseInUse(t *testing.T) {
	for engine, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			name, key := database(t), filepath.Join(t.TempDir(), "master.key")
			open := func(key string) error {
				db, _, err := storage.OpenWithKey(t.Context(), name, vault.Source{File: key})
				if err != nil {
					return err
				}
				defer db.Close()
				_, err = db.Migrate(t.Context())
				return err
			}
			other := filepath.Join(t.TempDir(), "other.key")
			if err := errors.Join(open(key), open(other)); err != nil {
				t.Fatalf("a database without parties: %v", err)
			}
			db, _, err := storage.OpenWithKey(t.Context(), name, vault.Source{File: key})
			if err != nil {
				t.Fatal(err)
			}
			addParty(t, db, "a")
			if err := errors.Join(db.Close(), open(key)); err != nil {
				t.Fatalf("its own key: %v", err)
			}
			lost := filepath.Join(t.TempDir(), "lost.key")
			if err := open(lost); err == nil || !strings.Contains(err.Error(), lost) {
				t.Errorf("a new key was made: %v", err)
			}
			if _, err := os.Stat(lost); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the key file is there: %v", err)
			}
		})
	}
}

// A row that somebody else has locked stops the write that wants it, and no other.
func TestLockedRowStopsNoOtherWrite(t *testing.T) {
	name := storagetest.Postgres(t)
	separator := "?"
	if strings.Contains(name, "?") {
		separator = "&"
	}
	db := storagetest.Open(t, name+separator+"lock_timeout=100ms")
	locked, err := storage.Lock(t, storagetest.Open(t, name), "parties")
	if err != nil {
		t.Fatal(err)
	}
	defer locked()
	var wait sync.WaitGroup
	var refused atomic.Int32
	for i := range byte(20) {
		wait.Go(func() {
			a := storage.Acceptance{Now: noon, Nonce: &storage.Nonce{PartyID: 1, Hash: []byte{i}, Expires: noon.AddDate(1, 0, 0)}}
			if i%10 == 0 { // a card reference needs the party's row
				a.CardRef = &payout.CardRef{ID: payout.CardRefIDMin + payout.CardRefID(i), PartyID: 1, Card: "4444555566661111"}
			}
			_, err := db.Accept(a)
			if a.CardRef == nil && err != nil {
				t.Errorf("another write: %v", err)
			} else if a.CardRef != nil && err != nil {
				refused.Add(1)
			}
		})
	}
	wait.Wait()
	if refused.Load() != 2 {
		t.Errorf("%d writes were refused by the lock, want 2: the test is wrong", refused.Load())
	}
}
