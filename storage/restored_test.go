package storage_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// What a process has left of its numbers was given out by another one since the backup.
func TestNumbersThatMayHaveBeenGivenOutSinceABackupAreSkipped(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			database := open(t)
			db := storagetest.Open(t, database)
			order, err := db.NextOrderID() // of a block of 1,000
			if err != nil {
				t.Fatal(err)
			}
			serial, err := db.NextSerial()
			if err != nil {
				t.Fatal(err)
			}
			version, err := db.DirectoryVersion(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var next payout.OrderID
			var nextSerial payout.SerialNumber
			err = db.Transact(t.Context(), noon, func(tx *storage.Tx) (err error) {
				next, nextSerial, err = tx.Restored(7)
				return err
			})
			if err != nil || next != order+1000+7 || nextSerial != serial+1000+700 {
				t.Errorf("the next order is %s after %s, the next serial-number %d after %d: %v", next, order, nextSerial, serial, err)
			}
			d, err := db.Directory(t.Context())
			if err != nil || d.RestoredBelow != next || d.Version == version {
				t.Errorf("restored are those below %s, version %d after %d: %v", d.RestoredBelow, d.Version, version, err)
			}
			other := storagetest.Open(t, database)
			if n, err := other.NextOrderID(); err != nil || n != next {
				t.Errorf("who comes later begins at %s, %v", n, err)
			}
		})
	}
}

func TestDatabaseThatAnotherHasOpenIsSeen(t *testing.T) {
	database := storagetest.SQLite(t)
	held := func(want bool) {
		t.Helper()
		if got, err := storage.HeldByOthers(t.Context(), database); err != nil || got != want {
			t.Errorf("held by others: %t, %v; want %t", got, err, want)
		}
	}
	db, err := storage.Open(t.Context(), database, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	held(true)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	held(false)
}

// A gateway that has the database open counts, whatever the URL calls its sessions, and
// whether or not it shares a gate. Others that have it open do not. Who looks needs no right
// to see other people's sessions.
func TestWhoHasTheDatabaseOpenToServeIsSeen(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url)
	if err := storage.Exec(db, "GRANT SELECT ON gate_shares TO PUBLIC"); err != nil {
		t.Fatal(err)
	}
	powerless, err := storage.Open(t.Context(), url+"&options=-crole%3Dpg_signal_backend", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer powerless.Close()
	if role, err := storage.Setting(t.Context(), powerless, "role"); err != nil || role != "pg_signal_backend" {
		t.Fatal(role, err)
	}
	other, err := storage.Open(t.Context(), url+"&application_name=payoutd+server", nil) // its own name
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	key := vault.Source{File: filepath.Join(t.TempDir(), "master.key")}
	serves := func(db *storage.DB) bool {
		t.Helper()
		serves, err := db.Serving(t.Context(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return serves
	}
	for _, given := range []string{"", "&application_name=payout-" + strings.Repeat("x", 63)} {
		if serves(db) {
			t.Fatalf("it is served before %q", given)
		}
		node, _, err := storage.OpenToServe(t.Context(), url+given, key)
		if err != nil {
			t.Fatal(err)
		}
		if !serves(db) {
			t.Errorf("a gateway is not seen with %q", given)
		}
		if !serves(powerless) {
			t.Errorf("who may see little does not see a gateway with %q", given)
		}
		if err := node.Close(); err != nil {
			t.Fatal(err)
		}
		for serves(db) && t.Context().Err() == nil { // the server notices the end a moment later
			runtime.Gosched()
		}
	}
	part := &storage.GatePart{Gate: 1, Concurrency: 1}
	if err := db.ShareGates(t.Context(), 1, time.Second, []*storage.GatePart{part}); err != nil {
		t.Fatal(err)
	}
	if !serves(db) {
		t.Error("who shares a gate is not seen")
	}
}
