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

func TestSilentServerIsGivenUpAfterSecondsUnlessTheURLSaysAnother(t *testing.T) {
	for settings, want := range map[string]time.Duration{"": 5 * time.Second, "?connect_timeout=7": 7 * time.Second} {
		got, err := storage.ConnectTimeout(t.Context(), "postgres://127.0.0.1:1/none"+settings)
		if err != nil || got != want {
			t.Errorf("%q: connecting may take %s, %v, want %s", settings, got, err, want)
		}
	}
}
