package storage_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"payout/storage"
	"payout/storage/storagetest"
)

// shutOff ends all connections to a PostgreSQL database and lets nobody in, until letIn.
func shutOff(t *testing.T, url string) (letIn func()) {
	t.Helper()
	admin, err := pgx.Connect(t.Context(), os.Getenv("PAYOUTD_TEST_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close(context.Background()) }) // nothing was written
	before, _, _ := strings.Cut(url, "?")
	name := before[strings.LastIndexByte(before, '/')+1:]
	run := func(sql string) {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + name + "'") // waits for their end
	return func() { run("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true") }
}

// A question that the database did not answer is not a fault of the program: the
// client is told to come again. One that it refused is.
func TestReadWithoutAnAnswerIsUnavailable(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url)
	if _, err := db.Order(t.Context(), 1); !errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("before: %v", err)
	}
	letIn := shutOff(t, url)
	for range 20 { // connections that were open, and then new ones
		if _, err := db.Order(t.Context(), 1); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("without a database: %v", err)
		}
		if _, err := db.Standing(t.Context(), noon, 1); !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("where an order stands, without a database: %v", err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Order(gone, 1); !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("for a caller who has gone: %v", err)
	}
	if _, err := db.Standing(gone, noon, 1); !errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("where an order stands, for a caller who has gone: %v", err)
	}
	letIn()
	if _, err := db.Order(t.Context(), 1); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
}

// An order whose connection had died before it was sent is surely not stored: the
// client is told to come again, not that nobody knows.
func TestWriteOnADeadConnectionIsUnavailable(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url)
	accept := func(id string) error {
		o := order(t, db, id)
		_, err := db.Accept(storage.Acceptance{Now: noon, Nonce: nonceFor(time.Hour, id), Order: o, DueAt: noon, Unique: true})
		return err
	}
	if err := accept("before"); err != nil {
		t.Fatal(err)
	}
	letIn := shutOff(t, url)
	for i := range 20 { // connections that were open, and then new ones
		if err := accept(fmt.Sprint("meanwhile ", i)); !errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrUnknown) {
			t.Errorf("without a database: %v", err)
		}
	}
	letIn()
	if err := accept("meanwhile 0"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Connections that the server has ended, as it does when it is started anew, are not
// used: nobody is told of it.
func TestDeadConnectionIsNotTaken(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url)
	for i := range 20 {
		shutOff(t, url)()
		o := order(t, db, fmt.Sprint(i))
		if _, err := db.Accept(storage.Acceptance{Now: noon, Nonce: nonceFor(time.Hour, fmt.Sprint(i)), Order: o, DueAt: noon, Unique: true}); err != nil {
			t.Errorf("an order: %v", err)
		}
		shutOff(t, url)()
		if _, err := db.Order(t.Context(), o.ID); err != nil {
			t.Errorf("a question: %v", err)
		}
	}
}

func TestWhatTheServerSaidOfAQuestionStays(t *testing.T) {
	said := &pgconn.PgError{Code: "42P01", Message: "no such table"}
	if err := storage.Unread(said); errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, said) {
		t.Errorf("what the server said: %v", err)
	}
	down := &pgconn.PgError{Code: "57P01", Message: "terminating connection"}
	if err := storage.Unread(down); !errors.Is(err, storage.ErrUnavailable) || !errors.Is(err, down) {
		t.Errorf("a server that goes down: %v", err)
	}
	if err := storage.Unread(nil); err != nil {
		t.Errorf("no error: %v", err)
	}
}

// A crowd of callers who give up must not end the connections that the others need.
func TestCallerWhoGivesUpEndsNoConnection(t *testing.T) {
	url := storagetest.Postgres(t)
	db := storagetest.Open(t, url)
	before, _, _ := strings.Cut(url, "?")
	other, err := pgx.Connect(t.Context(), strings.Replace(os.Getenv("PAYOUTD_TEST_POSTGRES"), "/postgres?", before[strings.LastIndexByte(before, '/'):]+"?", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	for range 5 { // the first makes the connection
		tx, err := other.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "LOCK TABLE orders"); err != nil {
			t.Fatal(err)
		}
		ctx, giveUp := context.WithCancel(t.Context())
		read := make(chan error)
		go func() { _, err := db.Order(ctx, 1); read <- err }()
		for waiting := 0; waiting == 0; {
			if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
		made := storage.Connections(db)
		giveUp()
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-read; !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the question ended with %v", err)
		}
		if _, err := db.Order(t.Context(), 1); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("the next question ended with %v", err)
		}
		if now := storage.Connections(db); now != made {
			t.Errorf("%d connections were made, and %d after a caller gave up", made, now)
		}
	}
}
