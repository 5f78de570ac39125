package storage_test

import (
	"errors"
	"testing"
	"time"

	"payout/storage"
	"payout/storage/storagetest"
)

// A write that another transaction stands in the way of is refused for now: the
// client is told to come again, and the writes beside it are stored.
func TestWriteThatIsLockedOutIsUnavailable(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url+"&lock_timeout=200ms")
	tx, err := session(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	nonce := func(name string) *storage.Nonce {
		return &storage.Nonce{PartyID: 1, Timestamp: 1, Hash: []byte(name), Expires: time.Now().Add(time.Hour)}
	}
	if _, err := tx.Exec(t.Context(), "INSERT INTO nonces (timestamp_s, nonce, expires_us) VALUES (1, $1, 1)", nonce("taken").Number()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Accept(storage.Acceptance{Now: time.Now(), Nonce: nonce("taken")}); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("while the nonce is being stored by another: %v", err)
	}
	if a, err := db.Accept(storage.Acceptance{Now: time.Now(), Nonce: nonce("free")}); err != nil || a.NonceUsed {
		t.Errorf("another nonce: %+v, %v", a, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, err := db.Accept(storage.Acceptance{Now: time.Now(), Nonce: nonce("taken")}); err != nil || a.NonceUsed {
		t.Errorf("afterwards: %+v, %v", a, err)
	}
}

// Who is in a commit that hangs at the server waits no longer than his time and is
// told that nobody knows: it is stored when the server goes on.
func TestPostgresThatHangsInACommitIsUnknownAtLast(t *testing.T) {
	db, release := hanging(t)
	nonce := nonceOf("a")
	db.LimitWait(time.Millisecond)
	storage.LimitEnd(db, 100*time.Millisecond)
	err := storage.ErrBusy
	for errors.Is(err, storage.ErrBusy) { // its commit had not begun
		_, err = db.Accept(nonce)
	}
	if !errors.Is(err, storage.ErrUnknown) {
		t.Errorf("who is in it is told %v", err)
	}
	release()
	db.LimitWait(time.Minute)
	storage.LimitEnd(db, time.Minute)
	if a, err := db.Accept(nonce); err != nil || !a.NonceUsed {
		t.Errorf("when it has gone on: %+v, %v", a, err)
	}
}
