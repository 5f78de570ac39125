package storage_test

import (
	"testing"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
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
