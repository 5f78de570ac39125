package storage

import (
	"context"
	"testing"
	"time"

	"payout/vault"
)

// What the writer has read holds until others write: another process, or a transaction
// of its own that changes it or is rolled back.
func TestWriterNoticesWhatOthersHaveWritten(t *testing.T) {
	db, _ := openSick(t)
	e := db.engine.(*sickEngine).engine.(*sqliteEngine)
	other, err := Open(t.Context(), e.path, db.vault)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	nonce := byte(0)
	store := func(db *DB) {
		t.Helper()
		nonce++
		if got, err := db.Accept(sickNonce(nonce)); err != nil || got.NonceUsed {
			t.Fatalf("nonce %d: %+v, %v", nonce, got, err)
		}
	}
	setKey := func(db *DB, id vault.KeyID, end error) {
		t.Helper()
		if err := db.Transact(t.Context(), time.Now(), func(tx *Tx) error {
			if err := tx.SetSealingKey(id); err != nil {
				return err
			}
			if got, err := tx.conn.holdKey(tx.ctx); err != nil || got != id {
				t.Errorf("in the transaction that sets key %s: key %s, %v", id, got, err)
			}
			return end
		}); err != end {
			t.Fatal(err)
		}
	}
	hold := func() (id vault.KeyID) {
		t.Helper()
		c, ctx, err := begin(e)
		if err != nil {
			t.Fatal(err)
		}
		defer c.rollback()
		if id, err = c.holdKey(ctx); err != nil {
			t.Fatal(err)
		}
		if err := c.commit(ctx); err != nil { // a rollback would forget the key
			t.Fatal(err)
		}
		return id
	}
	claim := func() { _, _ = db.ClaimOrders(nil, 1, AllDue, time.Now(), time.Minute, 1) }
	for _, test := range []struct {
		what   string
		do     func()
		others bool
		key    vault.KeyID
	}{
		{what: "nothing", do: func() {}},
		{what: "a read", do: func() { _, _ = db.SealingKey(context.Background()) }},
		{what: "another process's commit", do: func() { store(other) }, others: true},
		{what: "another process's commit, and one of its own that reads nothing", do: func() { store(other); claim() }, others: true},
		{what: "another process's key", do: func() { setKey(other, 7, nil) }, others: true, key: 7},
		{what: "its own key", do: func() { setKey(db, 8, nil) }, key: 8},
		{what: "its own key, rolled back", do: func() { setKey(db, 9, errSick) }, others: true, key: 8},
	} {
		store(db)
		_ = hold() // known from here on, if anything is
		store(db)
		test.do()
		if key := hold(); e.nonces.stale != test.others || key != test.key && test.key != 0 {
			t.Errorf("after %s: others have written: %t, key %s; want %t, %s", test.what, e.nonces.stale, key, test.others, test.key)
		}
	}
}
