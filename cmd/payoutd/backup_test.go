package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payout"
	"payout/storage"
)

func TestBackupIsCheckedAgainstItsRulesAndTheSimulatorsBook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := execute(t.Context(), "", "demo", "payout", "--once", "--dir", s.dir, "--listen", "127.0.0.1:0")
	if r.code != 0 {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	backup := s.file("backup.db")
	s.has(s.ok("backup", backup), "backup.db: [0-9.]+ MiB. The master key is not in it")
	const fine = "The books are in order"
	s.has(s.ok("check"), fine)
	s.has(s.ok("check", backup, "--simulator-book", s.book()), fine)

	// Another book has another payment under the same reference.
	other := newSite(t)
	if r := execute(t.Context(), "", "demo", "cards", "--once", "--dir", other.dir, "--listen", "127.0.0.1:0"); r.code != 0 {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	r = s.do("check", backup, "--simulator-book", other.book())
	if r.code != 1 || !strings.Contains(r.out, "BROKEN  "+rulePaidOrdered+": order ") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := other.do("check", backup); r.code != 1 || !strings.Contains(r.out, "BROKEN  what is sealed can be opened") {
		t.Errorf("with another master key: exit %d: %s%s", r.code, r.out, r.err)
	}
	s.fails(1, "exists already", "backup", backup)
	s.fails(1, "there is no database", "check", s.file("none.db"))
	s.fails(1, "simulator's book", "check", backup, "--simulator-book", s.file("none.db"))
}

// change runs statements on a copy of an SQLite file, and names it.
func change(t *testing.T, file string, statements ...string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	check(t, err)
	changed := filepath.Join(t.TempDir(), filepath.Base(file))
	check(t, os.WriteFile(changed, data, 0o600))
	db, err := sql.Open("sqlite", changed)
	check(t, err)
	for _, statement := range statements {
		_, err := db.Exec(statement)
		check(t, err)
	}
	check(t, db.Close())
	return changed
}

// Every rule of the rail's book is broken once, and found.
func TestCheckFindsWhatDisagreesWithTheSimulatorsBook(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if r := execute(t.Context(), "", "demo", "payout", "--once", "--dir", s.dir, "--listen", "127.0.0.1:0"); r.code != 0 {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	backup := s.file("backup.db")
	s.ok("backup", backup)
	const free, columns = "DROP TRIGGER payments_stay; DROP TRIGGER payments_remain", "reference, type, amount_minor, currency, receiver, tx_id, state, at_us, code, try_next, will, decide_at_us"
	later := "INSERT INTO payments (order_id, " + columns + ") SELECT 7, '7-1', " + strings.Replace(strings.TrimPrefix(columns, "reference, "), "at_us", "at_us + 3600000000", 1) + " FROM payments WHERE state = 'paid'"
	const unpaid = "UPDATE transactions SET stage = 'declined'"
	for _, test := range []struct {
		rule, book, database string
	}{
		{rule: rulePaidOnce, book: "INSERT INTO payments (order_id, " + columns + ") SELECT order_id, " + columns + " FROM payments WHERE state = 'paid'"},
		{rule: rulePaidApproved, book: free + "; DELETE FROM payments"},
		{rule: rulePaidApproved, book: free + "; UPDATE payments SET state = 'declined'"},
		{rule: rulePaidApproved, book: free + "; UPDATE payments SET reference = order_id || '-2'"},
		{rule: ruleNotPaid, database: "UPDATE orders SET stage = 'declined', error_code = 1; " + unpaid},
		{rule: ruleNotPaid, database: "UPDATE orders SET stage = 'starting', final_us = 0, due_us = 1; UPDATE transactions SET stage = 'starting'"},
		{rule: ruleNotPaid, database: "UPDATE orders SET stage = 'declined', error_code = 1, params_sealed = CAST('' AS BLOB); DELETE FROM transactions"},
		{rule: rulePaidOrdered, book: free + "; UPDATE payments SET amount_minor = amount_minor + 1"},
		{rule: rulePaidOrdered, book: free + "; UPDATE payments SET currency = 'CHF'"},
		{rule: rulePaidOrdered, book: free + "; UPDATE payments SET receiver = '****9999'"},
		{rule: rulePaidKnown, book: strings.Replace(later, " + 3600000000", " - 3600000000", 1)},
	} {
		database, book := change(t, backup, strings.Split(test.database, "; ")...), change(t, s.book(), strings.Split(test.book, "; ")...)
		r := execute(t.Context(), "", "check", database, "--simulator-book", book, "--key-file", s.keyFile())
		if r.code != 1 || !strings.Contains(r.out, "BROKEN  "+test.rule+": order ") {
			t.Errorf("%s%s: exit %d: %s%s, want %q", test.book, test.database, r.code, r.out, r.err, test.rule)
		}
	}

	// What the copy cannot know does not contradict it; the database in use must know it.
	book := change(t, s.book(), later)
	before, err := os.ReadFile(book)
	check(t, err)
	r := execute(t.Context(), "", "check", backup, "--simulator-book", book, "--key-file", s.keyFile())
	if r.code != 0 || !strings.Contains(r.out, "1 payments of the rail are later than all that this database knows.") {
		t.Errorf("a payment that is later than the copy: exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := s.do("check", "--simulator-book", book); r.code != 1 || !strings.Contains(r.out, "BROKEN  "+rulePaidKnown+": order 7") {
		t.Errorf("a payment that the database in use does not know: exit %d: %s%s", r.code, r.out, r.err)
	}
	if after, err := os.ReadFile(book); err != nil || string(after) != string(before) {
		t.Errorf("the book was changed: %v", err)
	}

	// An attempt that was approved when the book had been read was paid when it is read again.
	var broken []string
	beside := simulatorBook{file: s.book(), unpaid: map[string]payout.OrderID{"1000001-1": 1_000_001, "1000001-2": 1_000_001},
		found: func(f storage.Finding) { broken = append(broken, f.Rule) }}
	check(t, beside.again(t.Context()))
	if len(broken) != 1 || broken[0] != rulePaidApproved {
		t.Errorf("of one attempt that was paid and one that was not, found are %q", broken)
	}

	// An archived order has kept its amount and its end.
	archived := change(t, backup, "UPDATE orders SET params_sealed = CAST('' AS BLOB), receiver_mask = ''", "DELETE FROM transactions", "DELETE FROM moves",
		"DELETE FROM callback_attempts", "DELETE FROM callbacks", "DELETE FROM receipts")
	r = execute(t.Context(), "", "check", archived, "--simulator-book", s.book(), "--key-file", s.keyFile())
	if r.code != 0 {
		t.Errorf("an archived order: exit %d: %s%s", r.code, r.out, r.err)
	}
}
