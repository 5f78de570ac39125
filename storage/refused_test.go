package storage_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"payout/storage"
)

// closed is what the library says of a connection that was lost: also when the
// commit that was sent over it has been stored.
type closed struct{}

func (closed) Error() string     { return "conn closed" }
func (closed) SafeToRetry() bool { return true }

// A commit counts as refused only if the server has said so and lives on: a refused batch is
// tried again, and what was stored after all would then be refused for its nonce. A server
// that panics, because its disk has failed the log, may find the commit there when it is up again.
func TestLostConnectionIsNoRefusal(t *testing.T) {
	if !pgconn.SafeToRetry(closed{}) {
		t.Fatal("the library does not call it safe")
	}
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{closed{}, false}, {errors.New("unexpected EOF"), false}, {pgx.ErrTxClosed, false},
		{&pgconn.PgError{Code: "57P01"}, false}, {&pgconn.PgError{Code: "08006"}, false},
		{&pgconn.PgError{Severity: "PANIC", Code: "58030"}, false}, {&pgconn.PgError{SeverityUnlocalized: "PANIC", Severity: "PANIK", Code: "53100"}, false},
		{&pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "XX000"}, false}, {&pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "25P03"}, true},
		{&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "58030"}, true}, {&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "53100"}, true},
		{pgx.ErrTxCommitRollback, true}, {&pgconn.PgError{Code: "23505"}, true}, {&pgconn.PgError{Code: "55P03"}, true}, {&pgconn.PgError{Code: "40001"}, true},
	} {
		if got := storage.Refused(tt.err); got != tt.want {
			t.Errorf("%v: refused %v, want %v", tt.err, got, tt.want)
		}
	}
}

// What may be stored later is told apart from what never will be, and, among it, what only
// the writes that want the same rows have to wait for.
func TestRefusalsThatPass(t *testing.T) {
	for code, want := range map[string]struct{ passes, held bool }{
		"40001": {true, true}, "40P01": {true, true}, "55P03": {true, true},
		"25006": {true, false}, "25P03": {true, false}, "53100": {true, false}, "53300": {true, false}, "57014": {true, false}, "58030": {true, false},
		"23505": {}, "23514": {}, "22P02": {}, "42601": {},
	} {
		if passes, held := storage.Passes(&pgconn.PgError{Code: code}); passes != want.passes || held != want.held {
			t.Errorf("%s: passes %v, held %v; want %v", code, passes, held, want)
		}
	}
}
