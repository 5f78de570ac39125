package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

func TestBackupOfADatabaseInUseIsWhole(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	books(t, db)
	var acknowledged []payout.OrderID
	for i := range 500 {
		acknowledged = append(acknowledged, stored(t, db, fmt.Sprint("before-", i)).ID)
	}
	var stop atomic.Bool
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				o := order(t, db, fmt.Sprint("meanwhile-", w, "-", i))
				if _, err := db.Accept(storage.Acceptance{Now: noon, Order: o, DueAt: noon, Unique: true}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	var done, total int64
	err := db.Backup(t.Context(), file, func(d, of int64) {
		if d < done || d > of {
			t.Errorf("progress %d of %d after %d", d, of, done)
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Error("the copy has its name before it is whole")
		}
		done, total = d, of
	})
	stop.Store(true)
	writers.Wait()
	if err != nil || done != total || total == 0 {
		t.Fatalf("%d of %d pages, %v", done, total, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	backup := storagetest.Beside(t, db, file)
	for _, id := range acknowledged {
		if _, err := backup.Order(t.Context(), id); err != nil {
			t.Fatalf("order %s: %v", id, err)
		}
	}
	if broken := findings(t, backup); broken != nil {
		t.Errorf("the copy breaks %q", broken)
	}
}

func TestBackupReplacesNothingAndLeavesNothingHalf(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	dir := t.TempDir()
	nothing := func(int64, int64) {}
	file := filepath.Join(dir, "copy.db")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Backup(ended, file, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	if err := db.Backup(t.Context(), file, nothing); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stored(t, db, "a")
	if err := db.Backup(t.Context(), file, nothing); err == nil {
		t.Error("a file was replaced")
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("a file was changed: %v", err)
	}
	if err := db.Backup(t.Context(), filepath.Join(dir, "none", "copy.db"), nothing); err == nil {
		t.Error("a folder that is not there")
	}
}

func TestPostgreSQLIsNotBackedUpByUs(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	if err := db.Backup(t.Context(), filepath.Join(t.TempDir(), "copy"), nil); !errors.Is(err, storage.ErrNotSQLite) {
		t.Errorf("%v", err)
	}
}
