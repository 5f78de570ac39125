package storage_test

import (
	"slices"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// books stores an order that was approved at its second attempt, with its
// callback delivered, as the gateway does.
func books(t *testing.T, db *storage.DB) payout.OrderID {
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
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate}, Repeat: payout.RepeatReplay, Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o := order(t, db, "a")
	o.Params["server_callback_url"] = "https://example.com/cb"
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
	err := db.CheckBooks(t.Context(), func(f storage.Finding) {
		if f.What == "" {
			t.Errorf("%s: by what?", f.Rule)
		}
		rules = append(rules, f.Rule)
	}, func(done, of int64) { last, total = done, of })
	if err != nil {
		t.Fatal(err)
	}
	if last != total || total == 0 {
		t.Errorf("the progress ends at %d of %d", last, total)
	}
	return rules
}

// Every rule is broken once, and found.
func TestCheckFindsWhatBreaksARuleOfTheBooks(t *testing.T) {
	spoils := map[string]string{
		"an order's version counts its moves":                                        "UPDATE orders SET version = version + 1",
		"an order's moves are numbered from 1 without a gap":                         "UPDATE moves SET version = version + 1 WHERE version = (SELECT max(version) FROM moves)",
		"a move begins at the stage where the one before it ended":                   "UPDATE moves SET from_stage = 'held' WHERE version = 2",
		"an order stands where its last move led":                                    "UPDATE orders SET stage = 'declined', error_code = 1",
		"every move is in the table of moves":                                        "UPDATE moves SET event = 'lose' WHERE version = 2",
		"an order begins at a stage where orders may begin":                          "UPDATE moves SET from_stage = 'pending' WHERE version = 1",
		"an order's attempts count its transactions":                                 "UPDATE orders SET attempts = 1",
		"an approved order has one approved transaction, and no other order has any": "UPDATE transactions SET stage = 'approved'",
		"at most one transaction of an order is open, and none of a final order":     "UPDATE transactions SET ended_us = 0 WHERE attempt = 2",
		"an order that was not paid has an error code":                               "UPDATE orders SET stage = 'failed'",
		"an order owes at most one callback, and only when it is final":              "INSERT INTO callbacks (id, order_id, receiver, url_sealed, attempts, state, created_us, due_us) SELECT id + 1, order_id, receiver, url_sealed, 0, 'due', 1, 1 FROM callbacks",
		"an archived order is final, and has left nothing behind":                    "UPDATE orders SET params_sealed = CAST('' AS BLOB)",
		"a callback's attempts are all there":                                        "UPDATE callbacks SET attempts = 2",
		"a callback counts as delivered when its receiver has answered 200":          "UPDATE callback_attempts SET http_status = 201",
		"every move belongs to an order":                                             "INSERT INTO moves (order_id, version, event, from_stage, to_stage, at_us, serial, note) VALUES (7, 1, 'send', 'starting', 'sending', 1, 0, '')",
		"every transaction belongs to an order":                                      "UPDATE transactions SET order_id = 7 WHERE attempt = 1",
		"every callback belongs to an order":                                         "UPDATE callbacks SET order_id = 7",
		"every request that names an order has it":                                   "INSERT INTO requests (order_id, serial, party_id, endpoint_id, group_id, command, client_orderid, error_code, error_message, note, remote_address, at_us) VALUES (7, 1, 1, 1, 0, 'v4/payout-pay', 'a', 0, '', '', '', 1)",
		"every receipt is of a final order":                                          "UPDATE receipts SET order_id = 7",
		"every form belongs to an order":                                             "UPDATE forms SET order_id = 7",
		"every card reference is of an order":                                        "UPDATE card_refs SET order_id = 7",
		"an order's id is below the next one to be given":                            "UPDATE counters SET next = 1000001 WHERE name = 'order'",
		"a serial-number is below the next one to be given":                          "UPDATE counters SET next = 1 WHERE name = 'serial'",
		"a callback's number is below the next one to be given":                      "UPDATE counters SET next = 1 WHERE name = 'callback'",
		"every order belongs to an endpoint of its party":                            "UPDATE orders SET party_id = 2",
		"what is sealed can be opened":                                               "UPDATE callbacks SET url_sealed = params_sealed FROM orders WHERE orders.id = callbacks.order_id",
		"a final order that named a callback URL has a callback":                     "DELETE FROM callbacks",
	}
	rules := storage.BookRules()
	for _, rule := range rules {
		if spoils[rule] == "" {
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
	for rule, spoil := range spoils {
		t.Run(rule, func(t *testing.T) { // one text for both engines: one of them will do
			db := storagetest.Open(t, storagetest.SQLite(t))
			books(t, db)
			if err := storage.Exec(db, spoil); err != nil {
				t.Fatal(err)
			}
			if broken := findings(t, db); !slices.Contains(broken, rule) {
				t.Errorf("found are %q", broken)
			}
		})
	}
}
