package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"payout/storage"
	"payout/storage/storagetest"
)

func onlyNonce(name string) storage.Acceptance {
	now := time.Now()
	return storage.Acceptance{Now: now, Nonce: &storage.Nonce{PartyID: 1, Timestamp: 1, Hash: []byte(name), Expires: now.Add(time.Hour)}}
}

// afterACrash opens a copy of a database's files as they stand: what the next
// process would find if this one were killed now.
func afterACrash(t *testing.T, db *storage.DB, database string) (*storage.DB, string) {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(database + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "copy"+suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copied := filepath.Join(dir, "copy")
	return storagetest.Beside(t, db, copied), copied
}

// wantNonces asks whether nonces are stored, by storing them.
func wantNonces(t *testing.T, when string, db *storage.DB, want map[string]bool) {
	t.Helper()
	for name, stored := range want {
		if got, err := db.Accept(onlyNonce(name)); err != nil || got.NonceUsed != stored {
			t.Errorf("%s: %s is stored: %t, want %t (%v)", when, name, got.NonceUsed, stored, err)
		}
	}
}

// A commit whose fsync fails may be found by the next process, although SQLite has
// forgotten it in this one. So it is unknown, not refused; and until another commit
// stands in its place on disk, nothing is stored and no question answered: "not
// found" might be untrue after the next crash.
func TestCommitThatTheDiskFailsIsUnknownUntilAnotherStandsInItsPlace(t *testing.T) {
	for name, test := range map[string]struct {
		fault  func(storagetest.DiskCall) int32
		stored bool // as the next process finds it
	}{
		"fsync": {func(c storagetest.DiskCall) int32 {
			if c.InLog() && c.Sync {
				return storagetest.DiskUnsynced
			}
			return storagetest.DiskFine
		}, true},
		"write": {func(c storagetest.DiskCall) int32 {
			if c.InLog() && !c.Sync {
				return storagetest.DiskReadOnly
			}
			return storagetest.DiskFine
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			disk := storagetest.NewDisk(t)
			db := storagetest.Open(t, disk.Database())
			wantNonces(t, "at first", db, map[string]bool{"before": false})
			disk.Fail(test.fault)
			if _, err := db.Accept(onlyNonce("unknown")); !errors.Is(err, storage.ErrUnknown) {
				t.Errorf("the commit that fails: %v", err)
			}
			crashed, _ := afterACrash(t, db, disk.Database())
			wantNonces(t, "after a crash", crashed, map[string]bool{"before": true, "unknown": test.stored})
			if _, err := db.Accept(onlyNonce("refused")); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUnknown) {
				t.Errorf("the next one: %v", err)
			}
			if err := db.Writable(t.Context()); err == nil {
				t.Error("the database calls itself writable")
			}
			if _, err := db.StandingsByClientID(t.Context(), noon, 1, "a"); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("where it stands while nobody knows what the disk has: %v", err)
			}
			if _, err := db.OrdersByClientID(t.Context(), 1, "a", 1); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("a question is answered: %v", err)
			}
			disk.Fail(nil)
			if err := db.Writable(t.Context()); err != nil {
				t.Errorf("a healthy disk: %v", err)
			}
			if _, err := db.OrdersByClientID(t.Context(), 1, "a", 1); err != nil {
				t.Errorf("a question then: %v", err)
			}
			want := map[string]bool{"before": true, "unknown": false, "refused": false}
			crashed, _ = afterACrash(t, db, disk.Database())
			wantNonces(t, "after recovery and a crash", crashed, want)
			wantNonces(t, "after recovery", db, want)
		})
	}
}

// Commits of nothing write nothing, and leave what the disk failed where it is.
func TestEmptyCommitSettlesNothing(t *testing.T) {
	disk := storagetest.NewDisk(t)
	db := storagetest.Open(t, disk.Database())
	failing := true
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.InLog() && c.Sync && failing {
			failing = false
			return storagetest.DiskUnsynced
		}
		return storagetest.DiskFine
	})
	if _, err := db.Accept(onlyNonce("unknown")); !errors.Is(err, storage.ErrUnknown) {
		t.Errorf("the commit that fails: %v", err)
	}
	if err := db.Transact(t.Context(), time.Now(), func(*storage.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	if _, err := db.OrdersByClientID(t.Context(), 1, "a", 1); err != nil {
		t.Errorf("a question then: %v", err)
	}
	crashed, _ := afterACrash(t, db, disk.Database())
	wantNonces(t, "after a crash", crashed, map[string]bool{"unknown": false})
}

// A disk that is full at any write of a commit, its last one too, has surely not
// stored it: who asked is told to come again, and need not find out.
func TestCommitThatAFullDiskCutsIsSurelyNotStored(t *testing.T) {
	disk := storagetest.NewDisk(t)
	db := storagetest.Open(t, disk.Database())
	for room, stored := 0, false; !stored; room++ {
		left := room // writes
		disk.Fail(func(c storagetest.DiskCall) int32 {
			if !c.InLog() || c.Sync {
				return storagetest.DiskFine
			}
			if left--; left < 0 {
				return storagetest.DiskFull
			}
			return storagetest.DiskFine
		})
		_, err := db.Accept(onlyNonce("a"))
		if stored = err == nil; !stored && (!errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUnknown)) {
			t.Errorf("room for %d writes: %v", room, err)
		}
		if _, err := db.OrdersByClientID(t.Context(), 1, "a", 1); err != nil {
			t.Errorf("room for %d writes: a question is not answered: %v", room, err)
		}
		crashed, _ := afterACrash(t, db, disk.Database())
		wantNonces(t, "after a crash", crashed, map[string]bool{"a": stored})
		if stored && room < 2 {
			t.Errorf("a commit of %d writes", room)
		}
	}
}

// What a killed process has left in the log is built on only when it is in the
// database: after an fsync that failed, Linux may show a log that is not on disk.
func TestFlushEmptiesTheLog(t *testing.T) {
	disk := storagetest.NewDisk(t)
	db := storagetest.Open(t, disk.Database())
	wantNonces(t, "at first", db, map[string]bool{"a": false})
	killed, database := afterACrash(t, db, disk.Database())
	log := database + "-wal"
	if file, err := os.Stat(log); err != nil || file.Size() == 0 {
		t.Fatalf("the killed process has left no log: %v", err)
	}
	if flushed, err := killed.Flush(t.Context()); err != nil || !flushed {
		t.Errorf("flushed: %t, %v", flushed, err)
	}
	if file, err := os.Stat(log); err != nil || file.Size() != 0 {
		t.Errorf("the log has %d bytes, %v", file.Size(), err)
	}
	wantNonces(t, "then", killed, map[string]bool{"a": true})

	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.Sync {
			return storagetest.DiskUnsynced
		}
		return storagetest.DiskFine
	})
	if flushed, err := db.Flush(t.Context()); err == nil || flushed {
		t.Errorf("a sick disk: flushed: %t, %v", flushed, err)
	}
	disk.Fail(nil)
}

// Every request needs a serial-number, and some a new block of them: while the
// database hangs they are sent away as late as those who wait for their commit.
func TestWhoNeedsNumbersOfAHangingDatabaseIsSentAway(t *testing.T) {
	disk := storagetest.NewDisk(t)
	db := storagetest.Open(t, disk.Database())
	goOn := make(chan struct{})
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.InLog() && c.Sync {
			<-goOn
		}
		return storagetest.DiskFine
	})
	db.LimitWait(time.Millisecond)
	for range 2 {
		if n, err := db.NextSerial(); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("while it hangs: %s, %v", n, err)
		}
		if n, err := db.NextOrderID(); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("while it hangs: %s, %v", n, err)
		}
	}
	close(goOn)
	db.LimitWait(time.Minute)
	first, err := db.NextSerial()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := db.NextSerial(); err != nil || second == first {
		t.Errorf("then: %s and %s, %v", first, second, err)
	}
}
