package storage_test

import (
	"testing"
	"time"

	"payout/storage"
	"payout/storage/storagetest"
)

func TestClockIsTheServersAndAFileHasNone(t *testing.T) {
	if at, err := storagetest.Open(t, storagetest.SQLite(t)).Clock(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("SQLite says %s, %v", at, err)
	}
	t.Run("PostgreSQL", func(t *testing.T) {
		db := storagetest.Open(t, storagetest.Postgres(t))
		before := time.Now()
		first, err := db.Clock(t.Context())
		if err != nil || first.Sub(before).Abs() > time.Minute {
			t.Errorf("it is %s there at %s here, %v", first, before, err)
		}
		if second, err := db.Clock(t.Context()); err != nil || !second.After(first) {
			t.Errorf("the clock stands still at %s: %s, %v", first, second, err)
		}
	})
}

// A node whose clock has jumped ahead would forget nonces that the other nodes still
// need: they would take a request twice.
func TestNodeThatIsAheadForgetsNoNonceThatOthersNeed(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	now := time.Now()
	for name, expires := range map[string]time.Time{"needed": now.Add(time.Hour), "expired": now.Add(-time.Hour)} {
		if _, err := db.Accept(storage.Acceptance{Now: now, Nonce: &storage.Nonce{PartyID: 1, Timestamp: 1, Hash: []byte(name), Expires: expires}}); err != nil {
			t.Fatal(err)
		}
	}
	err := db.Transact(t.Context(), now.Add(2*time.Hour), func(tx *storage.Tx) error {
		n, err := tx.ForgetNonces(10)
		if n != 1 {
			t.Errorf("%d are forgotten", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantNonces(t, "then", db, map[string]bool{"needed": true, "expired": false})
}

func TestSilentServerIsGivenUpAfterSecondsUnlessTheURLSaysAnother(t *testing.T) {
	for settings, want := range map[string]time.Duration{"": 5 * time.Second, "?connect_timeout=7": 7 * time.Second} {
		got, err := storage.ConnectTimeout(t.Context(), "postgres://127.0.0.1:1/none"+settings)
		if err != nil || got != want {
			t.Errorf("%q: connecting may take %s, %v, want %s", settings, got, err, want)
		}
	}
}
