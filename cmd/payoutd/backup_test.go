package main

import (
	"strings"
	"testing"
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

	// Another book knows nothing of the approved order, and something of another.
	other := newSite(t)
	if r := execute(t.Context(), "", "demo", "cards", "--once", "--dir", other.dir, "--listen", "127.0.0.1:0"); r.code != 0 {
		t.Fatalf("exit %d: %s%s", r.code, r.out, r.err)
	}
	r = s.do("check", backup, "--simulator-book", other.book())
	if r.code != 1 || !strings.Contains(r.out, "BROKEN  what the rail has paid is an order: order ") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
	if r := other.do("check", backup); r.code != 1 || !strings.Contains(r.out, "BROKEN  what is sealed can be opened") {
		t.Errorf("with another master key: exit %d: %s%s", r.code, r.out, r.err)
	}
	s.fails(1, "exists already", "backup", backup)
	s.fails(1, "there is no database", "check", s.file("none.db"))
	s.fails(1, "simulator's book", "check", backup, "--simulator-book", s.file("none.db"))
}
