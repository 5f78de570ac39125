package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

func TestPanelTokensAreFoundByHashUsedAndRevoked(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		mine, theirs := addParty(t, db, "mine"), addParty(t, db, "theirs")
		want := payout.PanelToken{PartyID: mine, Name: "Ann", CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
		change := func(fn func(*storage.Tx) error) error { return db.Transact(t.Context(), noon, fn) }
		err := change(func(tx *storage.Tx) (err error) { want.ID, err = tx.AddPanelToken(want, []byte("hash-1")); return err })
		if err != nil {
			t.Fatal(err)
		}
		if err := change(func(tx *storage.Tx) error { _, err := tx.AddPanelToken(want, []byte("hash-1")); return err }); err == nil {
			t.Error("two tokens may have one hash")
		}
		reads := func() {
			t.Helper()
			byHash, err1 := db.PanelTokenByHash(t.Context(), []byte("hash-1"))
			byID, err2 := db.PanelToken(t.Context(), want.ID)
			list, err3 := db.PanelTokens(t.Context(), mine)
			if err := errors.Join(err1, err2, err3); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]payout.PanelToken{want, want, want}, append(list, byHash, byID)); diff != "" {
				t.Error(diff)
			}
		}
		reads()
		if _, err := db.PanelTokenByHash(t.Context(), []byte("hash-2")); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("an unknown hash: %v", err)
		}
		if list, err := db.PanelTokens(t.Context(), theirs); err != nil || len(list) != 0 {
			t.Errorf("another party has tokens: %v %v", list, err)
		}
		want.UsedAt = noon
		if err := change(func(tx *storage.Tx) error { return tx.UsePanelToken(want.ID) }); err != nil {
			t.Fatal(err)
		}
		reads()
		if err := change(func(tx *storage.Tx) error { return tx.RevokePanelToken(theirs, want.ID) }); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("another party's token was revoked: %v", err)
		}
		want.RevokedAt = noon
		if err := change(func(tx *storage.Tx) error { return tx.RevokePanelToken(mine, want.ID) }); err != nil {
			t.Fatal(err)
		}
		reads()
		if err := change(func(tx *storage.Tx) error { return tx.RevokePanelToken(mine, want.ID) }); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("it was revoked twice: %v", err)
		}
	})
}

func TestTokenIsGoodUntilItExpiresOrIsRevoked(t *testing.T) {
	token := payout.PanelToken{ExpiresAt: noon}
	if !token.Good(noon.Add(-time.Microsecond)) || token.Good(noon) {
		t.Error("the border of the expiry is wrong")
	}
	token.RevokedAt = noon.Add(-time.Hour)
	if token.Good(noon.Add(-time.Microsecond)) {
		t.Error("a revoked token is good")
	}
}
