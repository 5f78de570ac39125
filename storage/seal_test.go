package storage_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// withKeys opens a database as another node, with a master key of its own.
func withKeys(t *testing.T, database string, set *vault.KeySet) *storage.DB {
	t.Helper()
	text, err := set.Text()
	if err != nil {
		t.Fatal(err)
	}
	db, _, err := storage.OpenWithKey(t.Context(), database, vault.Source{Text: payout.Secret(text)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// A node that slept through a change of key, or was cut off, must not store
// what is lost as soon as the former key is removed.
func TestNodeThatHasNotLookedStoresUnderTheNewKey(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, v, second := twoKeys(t, database)
		var late [4]*storage.DB // each has not looked before its first write
		for i := range late {
			late[i] = withKeys(t, database, v.KeySet())
		}
		second()
		ids := fill(t, late[0])
		accept(t, late[1], storage.Acceptance{Order: order(t, db, "late"), DueAt: noon})
		accept(t, late[2], storage.Acceptance{CardRef: &payout.CardRef{ID: payout.CardRefIDMin + 99, PartyID: 1, OrderID: ids[0],
			Card: "4444555566661111", CreatedAt: noon}})
		moved, err := late[3].Move(storage.Move{OrderID: ids[0], From: payout.Sending, Version: 1, Event: payout.Decline, To: payout.Declined, At: noon,
			Receiver: &storage.Receiver{Params: map[string]string{"account_number": "1234567890"}, Mask: "******7890", Hash: []byte{1}}})
		if err != nil || !moved {
			t.Fatal(moved, err)
		}
		for _, c := range storage.SealedColumns() {
			counts, err := db.CountSealed(t.Context(), c)
			if err != nil || len(counts) != 1 || counts[v.Sealing()] == 0 {
				t.Errorf("%s has %v, want all under %s; %v", c, counts, v.Sealing(), err)
			}
		}
		only, err := v.KeySet().Only(v.Sealing())
		if err != nil {
			t.Fatal(err)
		}
		readEverything(t, withKeys(t, database, only), ids)
	})
}

func TestNodeWithoutTheNewKeyIsRefusedAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, v, second := twoKeys(t, database)
		party := addParty(t, db, "merchant")
		first, err := v.KeySet().Only(v.KeySet().Primary())
		if err != nil {
			t.Fatal(err)
		}
		late := withKeys(t, database, first)
		second()
		nonce := &storage.Nonce{PartyID: party, Hash: []byte("0123456789abcdef"), Expires: noon.Add(time.Hour)}
		o := order(t, db, "a")
		for range 2 { // before and after it knows what it lacks
			if _, err := late.Accept(storage.Acceptance{Now: noon, Nonce: nonce, Order: o, DueAt: noon}); !errors.Is(err, storage.ErrUnavailable) ||
				!strings.Contains(err.Error(), v.Sealing().String()) {
				t.Errorf("an order: %v", err)
			}
		}
		err = late.Transact(t.Context(), noon, func(tx *storage.Tx) error {
			_, err := tx.AddParty(payout.ConnectingParty{Login: "late", ControlKey: "key"})
			return err
		})
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("a party: %v", err)
		}
		if got, err := late.Accept(storage.Acceptance{Now: noon, Nonce: nonce}); err != nil || got.NonceUsed {
			t.Errorf("a request without an order, with the nonce of the refused one: %+v, %v", got, err)
		}
		if _, err := db.Order(t.Context(), o.ID); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the refused order: %v", err)
		}
	})
}

// On SQLite there is one writer at a time. On PostgreSQL a commit that has seen
// the former key must be over before the key changes.
func TestKeyDoesNotChangeUnderACommitThatHasSeenIt(t *testing.T) {
	database := storagetest.Postgres(t)
	db, v, _ := twoKeys(t, database)
	hasty := withKeys(t, database+"&lock_timeout=50ms", v.KeySet())
	change := func(tx *storage.Tx) error { return tx.SetSealingKey(v.KeySet().Newest()) }
	err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
		if wanted, err := storage.HoldKey(t.Context(), tx); err != nil || wanted != 0 {
			t.Errorf("the key is %s, %v", wanted, err)
		}
		if err := hasty.Transact(t.Context(), noon, change); err == nil || !strings.Contains(err.Error(), "lock timeout") {
			t.Errorf("the key changed: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := hasty.Transact(t.Context(), noon, change); err != nil {
		t.Errorf("after the commit: %v", err)
	}
}

func TestCommitThatWaitsForAChangeOfKeySeesIt(t *testing.T) {
	database := storagetest.Postgres(t)
	db, v, _ := twoKeys(t, database)
	addParty(t, db, "merchant")
	late := withKeys(t, database, v.KeySet())
	newest := v.KeySet().Newest()
	o := order(t, db, "a")
	var accepted sync.WaitGroup
	err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
		if err := tx.SetSealingKey(newest); err != nil {
			return err
		}
		accepted.Go(func() {
			if _, err := late.Accept(storage.Acceptance{Now: noon, Order: o, DueAt: noon}); err != nil {
				t.Error(err)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		for n := int64(0); n == 0; {
			var err error
			if n, err = storage.Waiting(ctx, db); err != nil {
				t.Error("the commit does not wait:", err)
				return nil
			}
		}
		return nil
	})
	accepted.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if got := vault.KeyOf(rawParams(t, database, o.ID)); got != newest {
		t.Errorf("the order is under key %s, want %s", got, newest)
	}
}

// A rotation that has lost its lock unnoticed goes on while another one runs.
func TestForgottenRotationDoesNotBringAFormerKeyBack(t *testing.T) {
	eachEngine(t, func(t *testing.T, database string) {
		db, v, second := twoKeys(t, database)
		ids := fill(t, db)
		forgotten := withKeys(t, database, v.KeySet())
		old, err := v.Seal([]byte("{}"), "order "+ids[0].String())
		if err != nil {
			t.Fatal(err)
		}
		second()
		column := sealedColumn(t, "orders.params_sealed")
		_, err = forgotten.Exchange(t.Context(), column, [][]any{{int64(ids[0]), old, rawParams(t, database, ids[0])}})
		if err == nil || !strings.Contains(err.Error(), "has changed") {
			t.Errorf("exchanged: %v", err)
		}
		readEverything(t, db, ids)
	})
}
