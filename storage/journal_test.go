package storage_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// entry is a journal entry with a value in every field.
func entry(party payout.PartyID, serial payout.SerialNumber) payout.JournalEntry {
	return payout.JournalEntry{Serial: serial, PartyID: party, Share: payout.ShareChanges, At: noon.Add(time.Duration(serial) * time.Second),
		Took: 1500 * time.Microsecond, Command: "v4/payout", EndpointID: 39915, GroupID: 77, ClientOrderID: fmt.Sprintf("INV-%d", serial),
		OrderID: payout.OrderID(1000 + serial), Verdict: payout.VerdictRefused, HTTPStatus: 200, ErrorCode: 1, Reason: "", RemoteAddress: "192.0.2.1", Missed: 3,
		Content: payout.JournalContent{Method: "POST", URL: "https://gate.example.com/paynet/api/v4/payout/39915", Detail: "d", Note: "n", Left: 2,
			OAuth: []payout.JournalPair{{Name: "oauth_nonce", Value: "SEALED-nonce"}}, Query: []payout.JournalPair{{Name: "q", Masked: true}},
			Form: []payout.JournalPair{{Name: "amount", Value: "SEALED-amount"}}, Reply: []payout.JournalPair{{Name: "type", Value: "error"}}}}
}

func journal(t *testing.T, db *storage.DB, entries ...payout.JournalEntry) {
	t.Helper()
	if err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error { return tx.AddJournal(entries) }); err != nil {
		t.Fatal(err)
	}
}

func serials(entries []payout.JournalEntry) (all []int64) {
	for _, e := range entries {
		all = append(all, int64(e.Serial))
	}
	return all
}

func TestJournalEntriesAreReadAsTheyWereStored(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		mine, theirs := addParty(t, db, "mine"), addParty(t, db, "theirs")
		want := entry(mine, 7)
		journal(t, db, want, entry(theirs, 8))
		journal(t, db, entry(mine, 7)) // once more changes nothing
		got, err := db.JournalEntry(t.Context(), mine, 7)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		for party, serial := range map[payout.PartyID]payout.SerialNumber{theirs: 7, mine: 8} {
			if _, err := db.JournalEntry(t.Context(), party, serial); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("party %s reads entry %d: %v", party, serial, err)
			}
		}
		if strings.Contains(storagetest.Dump(t, db), "SEALED-") {
			t.Error("the content is not sealed")
		}
	})
}

func TestJournalIsFilteredAndContinued(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		mine, theirs := addParty(t, db, "mine"), addParty(t, db, "theirs")
		for serial := range payout.SerialNumber(6) {
			e := entry(mine, serial+1)
			e.At = noon.Add(time.Duration(serial/2) * time.Second) // two at a time
			if serial%2 == 0 {
				e.Verdict, e.OrderID, e.ClientOrderID = payout.VerdictOK, 5, "same"
			}
			journal(t, db, e)
		}
		journal(t, db, entry(theirs, 100))
		for _, test := range []struct {
			filter storage.JournalFilter
			limit  int
			want   []int64
		}{
			{storage.JournalFilter{}, 10, []int64{6, 5, 4, 3, 2, 1}},
			{storage.JournalFilter{}, 3, []int64{6, 5, 4}},
			{storage.JournalFilter{Before: noon.Add(time.Second), BeforeSerial: 4}, 3, []int64{3, 2, 1}},
			{storage.JournalFilter{Verdict: payout.VerdictOK}, 10, []int64{5, 3, 1}},
			{storage.JournalFilter{Verdict: payout.VerdictDenied}, 10, nil},
			{storage.JournalFilter{ClientOrderID: "same", OrderID: 5}, 10, []int64{5, 3, 1}},
			{storage.JournalFilter{ClientOrderID: "INV-4"}, 10, []int64{4}},
			{storage.JournalFilter{OrderID: 1004, Verdict: payout.VerdictRefused}, 10, []int64{4}},
		} {
			got, err := db.Journal(t.Context(), mine, test.filter, test.limit)
			if err != nil || !slices.Equal(serials(got), test.want) {
				t.Errorf("%+v: %v, %v, want %v", test.filter, serials(got), err, test.want)
			}
		}
	})
}

func TestJournalIsPrunedByShareAndForgottenByAge(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		mine, theirs := addParty(t, db, "mine"), addParty(t, db, "theirs")
		for serial := range payout.SerialNumber(10) {
			e := entry(mine, serial+1)
			if serial == 0 {
				e.Share = payout.ShareUnproven
			}
			if serial > 5 {
				e.At = noon.Add(5 * time.Second) // several in one moment
			}
			journal(t, db, e, entry(theirs, serial+100))
		}
		read := func(party payout.PartyID) []int64 {
			got, err := db.Journal(t.Context(), party, storage.JournalFilter{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			return serials(got)
		}
		change := func(fn func(*storage.Tx) error) {
			t.Helper()
			if err := db.Transact(t.Context(), noon, fn); err != nil {
				t.Fatal(err)
			}
		}
		change(func(tx *storage.Tx) error { return tx.PruneJournal(mine, payout.ShareChanges, 9) })
		if got := read(mine); len(got) != 10 {
			t.Errorf("what is not too long was pruned: %v", got)
		}
		change(func(tx *storage.Tx) error { return tx.PruneJournal(mine, payout.ShareChanges, 3) })
		if got := read(mine); !slices.Equal(got, []int64{6, 10, 9, 1}) {
			t.Errorf("pruned to %v", got)
		}
		if got := read(theirs); len(got) != 10 {
			t.Errorf("another party's was pruned: %v", got)
		}
		change(func(tx *storage.Tx) error { return tx.ForgetJournal([]payout.PartyID{mine}, noon.Add(5*time.Second)) })
		if got := read(mine); slices.Contains(got, 1) || len(got) == 0 {
			t.Errorf("after forgetting: %v", got)
		}
		if got := read(theirs); len(got) != 10 {
			t.Errorf("another party's was forgotten: %v", got)
		}
	})
}

// Every request that was to change something is found by its serial-number, in
// whatever way it ended, and by its own party only.
func TestRequestsAreFoundBySerialNumber(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		party := addParty(t, db, "mine")
		o := order(t, db, "a")
		o.PartyID = party
		request := func(serial payout.SerialNumber, id payout.OrderID, code payout.ErrCode) *payout.Request {
			return &payout.Request{Serial: serial, PartyID: party, EndpointID: o.EndpointID, Command: "v4/payout", ClientOrderID: "a", OrderID: id,
				ErrorCode: code, RemoteAddress: "192.0.2.1", At: noon}
		}
		o.CreatedAt = noon
		accept(t, db, storage.Acceptance{Request: request(11, o.ID, 0), Order: o, DueAt: noon, Unique: true})
		accept(t, db, storage.Acceptance{Request: request(12, o.ID, 0)})
		accept(t, db, storage.Acceptance{Request: request(13, 0, 1)})
		for serial, want := range map[payout.SerialNumber]*payout.Request{11: request(11, o.ID, 0), 12: request(12, o.ID, 0), 13: request(13, 0, 1)} {
			got, err := db.RequestBySerial(t.Context(), party, serial)
			if diff := cmp.Diff(*want, got); err != nil || diff != "" {
				t.Errorf("%d: %v %s", serial, err, diff)
			}
			if _, err := db.RequestBySerial(t.Context(), party+1, serial); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("another party finds %d: %v", serial, err)
			}
		}
		if _, err := db.RequestBySerial(t.Context(), party, 14); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a serial-number that was never given: %v", err)
		}
	})
}

// A serial-number is looked up by an index, however many requests there are.
func TestSerialNumbersHaveTheirIndex(t *testing.T) {
	name := storagetest.SQLite(t)
	storagetest.Open(t, name)
	direct, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	for query, want := range map[string]string{
		"SELECT id FROM orders WHERE serial = 1 AND party_id = 2":                         "USING INDEX orders_by_serial",
		"SELECT serial FROM requests WHERE order_id = 0 AND serial = 1 AND party_id = 2":  "USING PRIMARY KEY (order_id=? AND serial=?)",
		"SELECT serial FROM requests WHERE order_id > 0 AND serial = 1 AND party_id = 2":  "requests_by_serial (serial=?",
		"SELECT id FROM journal WHERE party_id = 1 AND share = 'reads' AND at_us < 1":     "journal_of_party (party_id=? AND share=? AND at_us<?)",
		"SELECT id FROM journal WHERE party_id = 1 ORDER BY at_us DESC, id DESC LIMIT 50": "journal_of_party (party_id=?)",
		"SELECT id FROM panel_tokens WHERE token_hash = x'00'":                            "USING",
	} {
		var plan strings.Builder
		rows, err := direct.Query("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(detail + "; ")
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan.String(), want) {
			t.Errorf("%s: %s", query, plan.String())
		}
	}
}
