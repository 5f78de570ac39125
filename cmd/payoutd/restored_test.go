package main

import (
	"testing"

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
