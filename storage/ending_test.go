package storage_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"payout/storage"
	"payout/storage/storagetest"
)

// deferred has a COMMIT that stores nonces do something more, as its own part.
func deferred(t *testing.T, db *storage.DB, body string) {
	t.Helper()
	trigger(t, db, "CREATE CONSTRAINT TRIGGER more AFTER INSERT ON nonces DEFERRABLE INITIALLY DEFERRED", body)
}

func trigger(t *testing.T, db *storage.DB, create, body string) {
	t.Helper()
	for _, statement := range []string{
		"CREATE OR REPLACE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN " + strings.ReplaceAll(body, "'", "''") + "; RETURN NEW; END'",
		"DROP TRIGGER IF EXISTS more ON nonces",
		create + " FOR EACH ROW EXECUTE FUNCTION more()",
	} {
		if err := storage.Exec(db, statement); err != nil {
			t.Fatal(err)
		}
	}
}

// session is another session of a test's database.
func session(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	before, _, _ := strings.Cut(url, "?")
	other, err := pgx.Connect(t.Context(), strings.Replace(os.Getenv("PAYOUTD_TEST_POSTGRES"), "/postgres?", before[strings.LastIndexByte(before, '/'):]+"?", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	return other
}

// hanging is a database on PostgreSQL whose commits of nonces hang at the server until they are
// released.
func hanging(t *testing.T) (db *storage.DB, release func()) {
	t.Helper()
	url := storagetest.Postgres(t)
	db = storagetest.Open(t, url+"&lock_timeout=60s")
	deferred(t, db, "PERFORM pg_advisory_xact_lock(1)")
	other := session(t, url)
	exec := func(statement string) {
		t.Helper()
		if _, err := other.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("SELECT pg_advisory_lock(1)")
	return db, func() { exec("SELECT pg_advisory_unlock(1)") }
}

func nonceOf(name string) storage.Acceptance {
	return storage.Acceptance{Now: time.Now(), Nonce: &storage.Nonce{PartyID: 1, Timestamp: 1, Hash: []byte(name), Expires: time.Now().Add(time.Hour)}}
}

// A server that warns while it commits says that the commit is not what it should be: above
// all, that somebody has ended its wait for the standby. Nobody is told that it is stored.
func TestCommitWithAWarningIsUnknown(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	for _, test := range []struct {
		level string
		want  error
	}{{"NOTICE", nil}, {"WARNING", storage.ErrUnknown}, {"NOTICE", nil}} {
		deferred(t, db, "RAISE "+test.level+" 'canceling wait for synchronous replication due to user request'")
		for _, name := range []string{"a", "b"} {
			if _, err := db.Accept(nonceOf(test.level + name + t.Name())); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.level, err, test.want)
			}
			if err := storage.Exec(db, "DELETE FROM nonces"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Who gives up a commit does not cancel it: the server would end its wait for the standby,
// and show everybody an order that a failover takes back.
func TestCommitIsNotCancelled(t *testing.T) {
	db, release := hanging(t)
	storage.LimitTransaction(db, 300*time.Millisecond)
	if _, err := db.Accept(nonceOf("a")); !errors.Is(err, storage.ErrUnknown) {
		t.Fatalf("who gives up is told %v", err)
	}
	const looks = 200 // in which a request to cancel would have come
	for range looks {
		if n, err := storage.Waiting(t.Context(), db); err != nil || n != 1 {
			t.Fatalf("%d commits are waiting (%v), want the one that was given up", n, err)
		}
	}
	release()
	storage.LimitTransaction(db, time.Minute)
	if a, err := whenAvailable(db, nonceOf("a")); err != nil || !a.NonceUsed {
		t.Errorf("when it has gone on: %+v, %v", a, err)
	}
}

// whenAvailable accepts as soon as it is not told that the database is away.
func whenAvailable(db *storage.DB, a storage.Acceptance) (accepted storage.Accepted, err error) {
	for err = storage.ErrUnavailable; errors.Is(err, storage.ErrUnavailable); {
		accepted, err = db.Accept(a)
	}
	return accepted, err
}

// While a commit that was given up goes on at the server, as those that wait for a standby
// do, no other one is begun: each would take one more session, until there are none.
func TestNothingIsCommittedBesideACommitThatWasGivenUp(t *testing.T) {
	db, release := hanging(t)
	storage.LimitTransaction(db, 300*time.Millisecond)
	if _, err := db.Accept(nonceOf("a")); !errors.Is(err, storage.ErrUnknown) {
		t.Fatalf("who gives up is told %v", err)
	}
	storage.LimitTransaction(db, time.Minute)
	for range 20 {
		if _, err := db.Accept(nonceOf("b")); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("the next one is told %v", err)
		}
	}
	if err := db.Writable(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("whether it takes writes: %v", err)
	}
	if n, err := storage.Waiting(t.Context(), db); err != nil || n != 1 {
		t.Errorf("%d commits are waiting (%v), want the one that was given up", n, err)
	}
	if _, err := db.Order(t.Context(), 1); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("a question meanwhile: %v", err)
	}
	release()
	if a, err := whenAvailable(db, nonceOf("b")); err != nil || !a.Stored() {
		t.Errorf("when it has ended: %+v, %v", a, err)
	}
}

// What the server warns of in a statement before the COMMIT is no warning of the commit.
func TestWarningOfAStatementIsNoneOfTheCommit(t *testing.T) {
	db := storagetest.Open(t, storagetest.Postgres(t))
	trigger(t, db, "CREATE TRIGGER more BEFORE INSERT ON nonces", "RAISE WARNING 'database must be vacuumed within 39999999 transactions'")
	for _, name := range []string{"a", "b"} {
		if a, err := db.Accept(nonceOf(name)); err != nil || !a.Stored() {
			t.Errorf("%+v, %v", a, err)
		}
	}
}

// What is given up before its COMMIT was sent is cancelled: it would only keep others
// from what it has locked.
func TestWhatWasNotCommittedIsCancelled(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url+"&lock_timeout=60s")
	other := session(t, url)
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(1)"); err != nil {
		t.Fatal(err)
	}
	storage.LimitTransaction(db, 300*time.Millisecond)
	if err := storage.Exec(db, "SELECT pg_advisory_xact_lock(1)"); err == nil {
		t.Fatal("it was not given up")
	}
	for n := int64(1); n > 0; {
		var err error
		if n, err = storage.Waiting(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
}

// A server that takes no writes, as a standby or one whose disk is full, is not a fault of
// the gateway: nothing is stored, and the client is to come again.
func TestReadOnlyPostgresIsUnavailable(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url)
	other := session(t, url)
	if _, err := other.Exec(t.Context(), "ALTER DATABASE "+other.Config().Database+" SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	sick, err := storage.Open(t.Context(), url, storagetest.Vault(t, db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sick.Close() })
	if _, err := sick.Accept(nonceOf("a")); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("read-only: %v", err)
	}
	if a, err := db.Accept(nonceOf("a")); err != nil || a.NonceUsed {
		t.Errorf("before, or by a session that may write: %+v, %v", a, err)
	}
}
