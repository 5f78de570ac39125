package storage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// addParty stores a party that card references can belong to.
func addParty(t *testing.T, db *storage.DB, login string) payout.PartyID {
	t.Helper()
	var id payout.PartyID
	err := db.Transact(t.Context(), noon, func(tx *storage.Tx) (err error) {
		id, err = tx.AddParty(payout.ConnectingParty{Login: login, Name: login, ControlKey: "key", Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestCardReferenceIsReadByItsPartyOnlyUntilItIsDeleted(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		party, other := addParty(t, db, "a"), addParty(t, db, "b")
		want := payout.CardRef{ID: payout.CardRefIDMin, PartyID: party, OrderID: 1000001, Unique: 7, Card: "4444555566661111", CreatedAt: noon}
		accept(t, db, storage.Acceptance{CardRef: &want})
		got, err := db.CardRef(t.Context(), party, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("read as %#v, want %#v", got, want)
		}
		for _, miss := range []struct {
			party payout.PartyID
			id    payout.CardRefID
		}{{other, want.ID}, {party, want.ID + 1}} {
			if _, err := db.CardRef(t.Context(), miss.party, miss.id); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("party %s, reference %s: %v", miss.party, miss.id, err)
			}
		}
		remove := func() error {
			return db.Transact(t.Context(), noon, func(tx *storage.Tx) error { return tx.DeleteCardRef(want.ID) })
		}
		if err := remove(); err != nil {
			t.Fatal(err)
		}
		if _, err := db.CardRef(t.Context(), party, want.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a deleted reference: %v", err)
		}
		if err := remove(); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("deleted again: %v", err)
		}
		listed, err := db.CardRefs(t.Context(), party, 10)
		if err != nil {
			t.Fatal(err)
		}
		want.Card, want.DeletedAt = "", noon
		if diff := cmp.Diff([]storage.ListedCard{{CardRef: want, Mask: "444455******1111"}}, listed); diff != "" {
			t.Error(diff)
		}
		if strings.Contains(storagetest.Dump(t, db), "4444555566661111") {
			t.Error("the database shows the card")
		}
	})
}

func TestUsedNonceRegistersNoCard(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		party := addParty(t, db, "a")
		nonce := &storage.Nonce{PartyID: party, Hash: []byte{1}, Expires: noon.AddDate(1, 0, 0)}
		accept(t, db, storage.Acceptance{Nonce: nonce})
		ref := payout.CardRef{ID: payout.CardRefIDMin, PartyID: party, Card: "4444555566661111"}
		if got := accept(t, db, storage.Acceptance{Nonce: nonce, CardRef: &ref}); !got.NonceUsed {
			t.Errorf("accepted as %+v", got)
		}
		if _, err := db.CardRef(t.Context(), party, ref.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the card was registered: %v", err)
		}
	})
}
