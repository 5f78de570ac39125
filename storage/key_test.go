package storage_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// refusesNewKey checks that no key file is made for a database, and returns why.
func refusesNewKey(t *testing.T, database string) string {
	t.Helper()
	lost := filepath.Join(t.TempDir(), "lost.key")
	db, _, err := storage.OpenWithKey(t.Context(), database, vault.Source{File: lost})
	if err == nil {
		t.Fatalf("opened with a new key; closed: %v", db.Close())
	}
	if !strings.Contains(err.Error(), lost) {
		t.Errorf("the error does not name the file: %v", err)
	}
	if _, err := os.Stat(lost); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key file is there: %v", err)
	}
	return err.Error()
}

func TestNoNewKeyIsMadeForADatabaseWithGatesAlone(t *testing.T) {
	for engine, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			name := database(t)
			db := storagetest.Open(t, name)
			err := db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
				_, err := tx.AddGate(payout.Gate{Name: "Bank", Processor: "simulator", Concurrency: 1, Enabled: true})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if why := refusesNewKey(t, name); !strings.Contains(why, "--key-file") {
				t.Errorf("it does not say what to do: %s", why)
			}
		})
	}
}

// A database that does not say whether it has parties may have some.
func TestNoNewKeyIsMadeWhenPartiesCannotBeCounted(t *testing.T) {
	name := storagetest.Postgres(t)
	unlock, err := storage.Lock(t, storagetest.Open(t, name), "parties")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	refusesNewKey(t, name+"&lock_timeout=100ms")
}
