package storage_test

import (
	"errors"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// keep keeps evidence, after something else in the same transaction.
func keep(t *testing.T, db *storage.DB, before func(*storage.Tx) error) error {
	t.Helper()
	return db.Transact(t.Context(), noon, func(tx *storage.Tx) error {
		if err := before(tx); err != nil {
			return err
		}
		return tx.AddLateOutcome(payout.LateOutcome{OrderID: 1, Attempt: 1, GateID: 1, SeenStage: payout.Approved, Result: "approved"})
	})
}

func nothingBefore(*storage.Tx) error { return nil }

// kept is how often the evidence is there.
func kept(t *testing.T, db *storage.DB) int { return len(must(db.LateOutcomes(t.Context(), 1))) }

// A database that fails in the middle of a transaction has stored nothing of it, and may
// take it later: who insists on it is told so, whatever it was that failed.
func TestTransactionThatPostgresFailsInTheMiddleIsUnavailable(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url+"&lock_timeout=100ms")
	other := session(t, url)
	exec := func(statements ...string) error {
		for _, sql := range statements {
			if _, err := other.Exec(t.Context(), sql); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	raise := func(tx *storage.Tx, code string) error {
		return storage.ExecTx(tx, "DO $$ BEGIN RAISE SQLSTATE '"+code+"'; END $$")
	}
	for what, test := range map[string]struct {
		before func(*storage.Tx) error
		after  string
	}{
		"its session is ended": {before: func(tx *storage.Tx) error {
			must(storage.HoldKey(t.Context(), tx)) // it has begun
			return exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'")
		}},
		"it takes no writes": {before: func(tx *storage.Tx) error { return storage.ExecTx(tx, "SET TRANSACTION READ ONLY") }},
		"another has a lock": {before: func(*storage.Tx) error { return exec("BEGIN", "LOCK TABLE late_outcomes") }, after: "ROLLBACK"},
		"its disk is full":   {before: func(tx *storage.Tx) error { return raise(tx, "53100") }},
		"its disk is full at the commit": {before: func(*storage.Tx) error {
			return exec("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE SQLSTATE ''53100''; END'",
				"CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON late_outcomes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION full_disk()")
		}, after: "DROP FUNCTION full_disk CASCADE"},
		"it was idle for too long": {before: func(tx *storage.Tx) error { return raise(tx, "25P03") }},
		"its session ends in a read": {before: func(tx *storage.Tx) error {
			return storage.ReadTx(tx, "SELECT 1 FROM counters WHERE pg_terminate_backend(pg_backend_pid())")
		}},
	} {
		if err := keep(t, db, test.before); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUnknown) {
			t.Errorf("%s: %v", what, err)
		}
		if test.after != "" {
			_ = exec(test.after)
		}
		if n := kept(t, db); n != 0 {
			t.Errorf("%s: it is kept %d times", what, n)
		}
	}
	if err := keep(t, db, nothingBefore); err != nil || kept(t, db) != 1 {
		t.Errorf("then: %v, kept %d times", err, kept(t, db))
	}
}

func TestTransactionThatSQLitesDiskRefusesIsUnavailable(t *testing.T) {
	disk := storagetest.NewDisk(t)
	db := storagetest.Open(t, disk.Database())
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.InLog() && !c.Sync {
			return storagetest.DiskFull
		}
		return storagetest.DiskFine
	})
	if err := keep(t, db, nothingBefore); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUnknown) {
		t.Errorf("a full disk: %v", err)
	}
	disk.Fail(nil)
	if err := keep(t, db, nothingBefore); err != nil || kept(t, db) != 1 {
		t.Errorf("then: %v, kept %d times", err, kept(t, db))
	}
}

// What is wrong with the transaction itself is no reason to come again.
func TestErrorsOfATransactionsOwnAreToldAsTheyAre(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		own := errors.New("own")
		for what, test := range map[string]struct {
			fn   func(*storage.Tx) error
			want error // or nil: any
		}{
			"its own":     {func(*storage.Tx) error { return own }, own},
			"no such row": {func(tx *storage.Tx) error { _, err := tx.ResendCallback(1, 1, "", noon, noon); return err }, storage.ErrNotFound},
			"a refused row": {func(tx *storage.Tx) error {
				return errors.Join(storage.AddCounter(tx, "twice"), storage.AddCounter(tx, "twice"))
			}, nil},
			"a wrong statement": {func(tx *storage.Tx) error { return storage.ExecTx(tx, "nonsense") }, nil},
		} {
			err := db.Transact(t.Context(), time.Now(), test.fn)
			if err == nil || errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUnknown) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
