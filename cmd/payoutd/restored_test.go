package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

func TestRestoredBackupIsServedOnOnlyWhenItIsSafe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.waiting("")
	const nothing = "nothing is changed: run it with --yes"
	s.fails(1, nothing, "restored")
	s.fails(1, "--skip must be", "restored", "--yes", "--skip", "0")
	s.fails(1, "--skip must be", "restored", "--yes", "--skip", "1000000000001")
	s.with(func(db *storage.DB, _ *vault.Vault) error {
		s.fails(1, "gateways serve on this database", "restored", "--yes") // somebody has it open
		d, err := db.Directory(t.Context())
		if d.RestoredBelow != 0 {
			t.Errorf("noted nevertheless: %s", d.RestoredBelow)
		}
		return err
	})
	s.has(s.ok("restored", "--yes", "--skip", "1000000000000"), "Orders that were not final, by stage: 1 starting.", "The next order has an id from 1000001001001 on")
	s.has(s.ok("restored", "--yes"), "by stage: 1 sending.", "The next order has an id from 1000011001001 on")
	s.has(s.ok("order", "show", id.String()), `starting -> sending by send \(restored from a backup`)
	s.has(s.ok("check"), "The books are in order")
	s.with(func(db *storage.DB, _ *vault.Vault) error {
		next, err := db.NextOrderID()
		if next < payout.OrderID(1000011001001) {
			t.Errorf("the next id is %s", next)
		}
		return err
	})
}

// An order that was paid after the backup was made is not paid again from it: the copy
// asks the rail, the simulator itself, and learns it.
func TestOrderPaidAfterTheBackupIsFoundPaid(t *testing.T) {
	t.Parallel()
	told := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told <- r.URL.Query().Get("status")
		fmt.Fprintln(w, "OK")
	}))
	t.Cleanup(receiver.Close)
	await := func(who string) {
		t.Helper()
		select {
		case status := <-told:
			if status != "approved" {
				t.Errorf("%s tells %s", who, status)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("waited 30 seconds for the callback of %s", who)
		}
	}
	s, restored := newSite(t), newSite(t)
	id := s.waiting(receiver.URL + "/callback").String()
	s.ok("backup", restored.database())
	key, err := os.ReadFile(s.keyFile())
	check(t, err)
	restored.write("master.key", key)
	check(t, os.Symlink(s.book(), restored.book())) // the rail is the same
	s.ok("gate", "enable", "1")
	s.serving()
	await("the original")

	restored.ok("restored", "--yes")
	restored.serving() // its gate is switched off: what was sent is seen through
	await("the copy")
	restored.has(restored.ok("order", "show", id), "payout_approved", "restored from a backup")
	for _, site := range []site{s, restored} {
		site.has(site.ok("check", "--simulator-book", s.book()), "The books are in order")
	}
}
