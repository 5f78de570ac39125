package main

import (
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

func TestCardReferencesAreListedMaskedAndDeletedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	id := payout.NewCardRefID([8]byte{1})
	s.with(func(db *storage.DB, _ *vault.Vault) error {
		_, err := db.Accept(storage.Acceptance{Now: time.Now(), CardRef: &payout.CardRef{ID: id, PartyID: 1, OrderID: 1000001,
			Unique: 7, Card: "4444555566661111"}})
		return err
	})
	s.has(s.ok("card", "list", testLogin), id.String()+` 444455\*{6}1111 7 1000001`, "active")
	s.fails(1, "must be a card-ref-id", "card", "delete", "12")
	s.fails(1, "not found", "card", "delete", payout.NewCardRefID([8]byte{2}).String())
	s.ok("card", "delete", id.String())
	s.has(s.ok("card", "list", testLogin), id.String()+` 444455\*{6}1111 7 1000001`, "deleted")
	s.fails(1, "not found", "card", "delete", id.String())
	s.fails(1, "nobody", "card", "list", "nobody")
}
