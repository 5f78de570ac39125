package storage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// books stores an order that was approved at its second attempt, with its
// callback delivered, as the gateway does.
func books(t *testing.T, db *storage.DB) payout.OrderID {
	t.Helper()
	return booksOf(t, db, "https://example.com/cb", "")
}

// booksOf is books of an order that named a callback URL, of an endpoint that has one, or none.
func booksOf(t *testing.T, db *storage.DB, named, own string) payout.OrderID {
	t.Helper()
	err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
		party, err := tx.AddParty(payout.ConnectingParty{Login: "TestMerchant", ControlKey: "key", Enabled: true})
		if err != nil {
			return err
		}
		project, err := tx.AddProject(payout.Project{Name: "P", Enabled: true})
		if err != nil {
			return err
		}
		gate, err := tx.AddGate(payout.Gate{Name: "G", Processor: "simulator", Concurrency: 1, Enabled: true})
		if err != nil {
			return err
		}
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate}, Repeat: payout.RepeatReplay,
			CallbackURL: own, Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o := order(t, db, "a")
	if named != "" {
		o.Params["server_callback_url"] = named
	}
	accept(t, db, storage.Acceptance{Order: o, Request: request(t, db, o), DueAt: noon, Unique: true, Form: []byte("0123456789abcdef"),
		CardRef: &payout.CardRef{ID: payout.CardRefIDMin, PartyID: 1, OrderID: o.ID, Card: "4444555566661111"}})
	begin := func(attempt int) *payout.Transaction {
		return &payout.Transaction{OrderID: o.ID, Attempt: attempt, GateID: 5, Reference: payout.Reference(o.ID, attempt), Stage: payout.Sending, StartedAt: noon}
	}
	end := func(attempt int, stage payout.Stage) *payout.Transaction {
		return &payout.Transaction{OrderID: o.ID, Attempt: attempt, Stage: stage, EndedAt: noon}
	}
	for version, m := range []storage.Move{
		{Event: payout.Send, Attempts: 1, Opens: begin(1)},
		{Event: payout.Unsent, Attempts: 1, Closes: end(1, payout.Starting)},
		{Event: payout.Send, Attempts: 2, Opens: begin(2)},
		{Event: payout.Approve, Attempts: 2, Closes: end(2, payout.Approved), Receipt: "receipt",
			Callback: &payout.Callback{Receiver: "example.com:443", URL: "https://example.com/cb", DueAt: noon}},
	} {
		m.OrderID, m.From, m.Version, m.At, m.GateID, m.DueAt = o.ID, o.Stage, version, noon, 5, noon
		m.To, _ = o.Stage.Next(m.Event)
		if m.To.Final() {
			m.DueAt = time.Time{}
		}
		if moved, err := db.Move(m); err != nil || !moved {
			t.Fatal(moved, err)
		}
		o.Stage = m.To
	}
	callbacks, _, err := db.Callbacks(t.Context(), o.ID)
	if err != nil || len(callbacks) != 1 {
		t.Fatal(callbacks, err)
	}
	err = db.RecordAttempt(payout.CallbackAttempt{CallbackID: callbacks[0].ID, Attempt: 1, At: noon, HTTPStatus: 200}, payout.CallbackDelivered, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// findings looks at the books and returns the rules that are broken.
func findings(t *testing.T, db *storage.DB) (rules []string) {
	t.Helper()
	var last, total int64
	var told string
	err := db.CheckBooks(t.Context(), func(f storage.Finding) {
		if f.What == "" {
			t.Errorf("%s: by what?", f.Rule)
		}
		rules = append(rules, f.Rule)
	}, func(what string, done, of int64) {
		if what != told && last != total {
			t.Errorf("the progress of %s ends at %d of %d", told, last, total)
		}
		told, last, total = what, done, of
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != total || total == 0 || told != storage.CheckedOrders {
		t.Errorf("the progress ends at %d of %d %s", last, total, told)
	}
	return rules
}

// undecided makes the order of books one that its rail has not decided.
const undecided = "UPDATE orders SET stage = 'doubtful', final_us = 0, due_us = 1"

// spoils are ways to break each rule of the books.
var spoils = map[string][]string{
	"an order's version counts its moves":                                        {"UPDATE orders SET version = version + 1"},
	"an order's moves are numbered from 1 without a gap":                         {"UPDATE moves SET version = version + 1 WHERE version = (SELECT max(version) FROM moves)"},
	"a move begins at the stage where the one before it ended":                   {"UPDATE moves SET from_stage = 'held' WHERE version = 2"},
	"an order stands where its last move led":                                    {"UPDATE orders SET stage = 'declined', error_code = 1"},
	"every move is in the table of moves":                                        {"UPDATE moves SET event = 'lose' WHERE version = 2"},
	"an order begins at a stage where orders may begin":                          {"UPDATE moves SET from_stage = 'pending' WHERE version = 1"},
	"an order's attempts count its transactions":                                 {"UPDATE orders SET attempts = 1"},
	"an approved order has one approved transaction, and no other order has any": {"UPDATE transactions SET stage = 'approved'"},
	"an order's attempts are numbered from 1 without a gap":                      {"UPDATE transactions SET attempt = 3 WHERE attempt = 2"},
	"an order that its rail has not decided has one open transaction, its last, and no other order has any": {
		"UPDATE transactions SET ended_us = 0 WHERE attempt = 2",
		undecided,
		undecided + "; UPDATE transactions SET ended_us = 0",
		undecided + "; UPDATE transactions SET ended_us = 0 WHERE attempt = 1",
		"UPDATE orders SET stage = 'starting', final_us = 0, due_us = 1; UPDATE transactions SET ended_us = 0 WHERE attempt = 2",
	},
	"an open transaction stands where its order stands": {undecided + "; UPDATE transactions SET ended_us = 0, stage = 'pending' WHERE attempt = 2"},
	"an attempt after which its order went on had ended unpaid": {
		"UPDATE transactions SET stage = 'approved' WHERE attempt = 1",
		"UPDATE transactions SET stage = 'sending' WHERE attempt = 1",
		"UPDATE orders SET stage = 'starting', final_us = 0, due_us = 1",
	},
	"an order that its rail decided ended as its last attempt":                      {"UPDATE transactions SET stage = 'failed' WHERE attempt = 2"},
	"a transaction has the reference of its order and attempt":                      {"UPDATE transactions SET reference = order_id || '-1' WHERE attempt = 2"},
	"a late outcome that says approved is of an order that was approved, or may be": {"INSERT INTO late_outcomes (order_id, attempt, gate_id, seen_stage, result, processor_tx_id, rrn, error_code, error_message, at_us) SELECT id, 1, 5, 'sending', 'approved', '', '', 0, '', 1 FROM orders; UPDATE orders SET stage = 'declined', error_code = 1"},
	"an order that was not paid has an error code":                                  {"UPDATE orders SET stage = 'failed'"},
	"an order owes at most one callback, and only when it is final":                 {"INSERT INTO callbacks (id, order_id, receiver, url_sealed, attempts, state, created_us, due_us) SELECT id + 1, order_id, receiver, url_sealed, 0, 'due', 1, 1 FROM callbacks"},
	"an archived order is final, and has left nothing behind":                       {"UPDATE orders SET params_sealed = CAST('' AS BLOB)"},
	"a callback's attempts are all there":                                           {"UPDATE callbacks SET attempts = 2"},
	"a callback counts as delivered when its receiver has answered 200":             {"UPDATE callback_attempts SET http_status = 201"},
	"every move belongs to an order":                                                {"INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note) VALUES (7, 1, 'send', 'starting', 'sending', 1, 0, '')"},
	"every transaction belongs to an order":                                         {"UPDATE transactions SET order_id = 7 WHERE attempt = 1"},
	"every callback belongs to an order":                                            {"UPDATE callbacks SET order_id = 7"},
	"every request that names an order has it":                                      {"INSERT INTO requests (order_id, serial, party_id, endpoint_id, group_id, command, client_orderid, error_code, error_message, note, remote_address, at_us) VALUES (7, 1, 1, 1, 0, 'v4/payout-pay', 'a', 0, '', '', '', 1)"},
	"every receipt is of a final order":                                             {"UPDATE receipts SET order_id = 7"},
	"every form belongs to an order":                                                {"UPDATE forms SET order_id = 7"},
	"every card reference is of an order":                                           {"UPDATE card_refs SET order_id = 7"},
	"an order's id is below the next one to be given":                               {"UPDATE counters SET next = 1000001 WHERE name = 'order'"},
	"a serial-number is below the next one to be given":                             {"UPDATE counters SET next = 1 WHERE name = 'serial'"},
	"a callback's number is below the next one to be given":                         {"UPDATE counters SET next = 1 WHERE name = 'callback'"},
	"every order belongs to an endpoint of its party":                               {"UPDATE orders SET party_id = 2"},
	"what is sealed can be opened":                                                  {"UPDATE callbacks SET url_sealed = params_sealed FROM orders WHERE orders.id = callbacks.order_id"},
	"a final order has a callback if it, or its endpoint, named a callback URL":     {"DELETE FROM callbacks"},
}

// Every rule is broken once, and found.
func TestCheckFindsWhatBreaksARuleOfTheBooks(t *testing.T) {
	rules := storage.BookRules()
	for _, rule := range rules {
		if len(spoils[rule]) == 0 {
			t.Errorf("the rule %q is not tried", rule)
		}
	}
	if len(rules) != len(spoils) {
		t.Errorf("%d rules, %d of them tried", len(rules), len(spoils))
	}
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		books(t, db)
		if broken := findings(t, db); broken != nil {
			t.Fatalf("sound books break %q", broken)
		}
	})
	for rule, ways := range spoils {
		t.Run(rule, func(t *testing.T) { // one text for both engines: one of them will do
			for _, spoil := range ways {
				db := storagetest.Open(t, storagetest.SQLite(t))
				books(t, db)
				for text := range strings.SplitSeq(spoil, "; ") {
					if err := storage.Exec(db, text); err != nil {
						t.Fatal(err)
					}
				}
				if broken := findings(t, db); !slices.Contains(broken, rule) {
					t.Errorf("%s: found are %q", spoil, broken)
				}
			}
		})
	}
}

// An order that its rail has not decided yet, and one whose late outcome was the truth,
// break nothing.
func TestSoundOrdersUnderWayBreakNoRule(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		id := books(t, db)
		for _, text := range []string{"INSERT INTO late_outcomes (order_id, attempt, gate_id, seen_stage, result, processor_tx_id, rrn, error_code, error_message, at_us) SELECT id, 2, 5, 'sending', 'approved', '', '', 0, '', 1 FROM orders",
			"UPDATE orders SET stage = 'doubtful', final_us = 0, due_us = 1", "UPDATE transactions SET stage = 'doubtful', ended_us = 0 WHERE attempt = 2",
			"UPDATE moves SET event = 'lose', to_stage = 'doubtful' WHERE version = 4", "DELETE FROM callbacks", "DELETE FROM callback_attempts", "DELETE FROM receipts"} {
			if err := storage.Exec(db, text); err != nil {
				t.Fatal(err)
			}
		}
		if broken := findings(t, db); broken != nil {
			t.Errorf("order %s breaks %q", id, broken)
		}
	})
}

// An order whose endpoint has a callback URL of its own owes a callback, named or not.
func TestCallbackIsMissedThatOnlyTheEndpointNamed(t *testing.T) {
	for _, test := range []struct {
		named, own string
		owed       bool
	}{{"", "https://example.com/own", true}, {"https://example.com/cb", "", true}, {"", "", false}} {
		db := storagetest.Open(t, storagetest.SQLite(t))
		booksOf(t, db, test.named, test.own)
		if broken := findings(t, db); broken != nil {
			t.Errorf("%+v: sound books break %q", test, broken)
		}
		if err := errors.Join(storage.Exec(db, "DELETE FROM callbacks"), storage.Exec(db, "DELETE FROM callback_attempts")); err != nil {
			t.Fatal(err)
		}
		if broken := findings(t, db); len(broken) > 0 != test.owed {
			t.Errorf("%+v, without its callback: found are %q", test, broken)
		}
	}
}

// What a check asks may take longer than any question of a request, and ends with its context.
func TestCheckEndsWithItsContext(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		books(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.CheckBooks(ctx, func(f storage.Finding) { t.Errorf("found: %+v", f) }, func(string, int64, int64) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

func TestAttemptsAreThoseAtTheGatesAndArchivedOrders(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		attempts := func(gates ...payout.GateID) (all []storage.Attempted) {
			t.Helper()
			if err := db.Attempts(t.Context(), gates, func(a storage.Attempted) { all = append(all, a) }); err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(all, func(a, b storage.Attempted) int { return strings.Compare(a.Reference, b.Reference) })
			return all
		}
		if last, err := db.LastMove(t.Context()); err != nil || !last.IsZero() {
			t.Errorf("before all orders the last move was at %s, %v", last, err)
		}
		id := books(t, db)
		o, err := db.Order(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if last, err := db.LastMove(t.Context()); err != nil || !last.Equal(noon) {
			t.Errorf("the last move was at %s, %v", last, err)
		}
		want := []storage.Attempted{
			{OrderID: id, Reference: payout.Reference(id, 1), Stage: payout.Starting, Ended: true, Amount: o.Amount, ReceiverMask: o.ReceiverMask},
			{OrderID: id, Reference: payout.Reference(id, 2), Stage: payout.Approved, Ended: true, Amount: o.Amount, ReceiverMask: o.ReceiverMask}}
		if diff := cmp.Diff(want, attempts(7, 5)); diff != "" {
			t.Error(diff)
		}
		if all := attempts(7); all != nil {
			t.Errorf("at another gate: %+v", all)
		}
		if err := storage.Exec(db, "UPDATE orders SET params_sealed = CAST('' AS {{bytes}})"); err != nil {
			t.Fatal(err)
		}
		if err := storage.Exec(db, "DELETE FROM transactions"); err != nil {
			t.Fatal(err)
		}
		want = []storage.Attempted{{OrderID: id, Stage: payout.Approved, Ended: true, Amount: o.Amount}}
		if diff := cmp.Diff(want, attempts(5)); diff != "" {
			t.Error(diff)
		}
	})
}
