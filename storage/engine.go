package storage

import (
	"context"
	"strings"
	"time"

	"payout/vault"
)

// readMost is the longest time for a read that a request waits for, and for its wait for a
// connection or for others.
const readMost = 15 * time.Second

// An engine is one of the two databases. Everything above it is written once:
// the SQL text is the same but for the words of the dialect.
type engine interface {
	// begin starts a write transaction and gives the context for its statements,
	// which is nobody's: callers share transactions, and one that ends in the
	// middle is worse than a caller that waits. On SQLite there is one at a time.
	begin() (conn, context.Context, error)
	// refused reports whether an error of a statement or a commit means that
	// the database has said no: the transaction has surely not been stored.
	refused(error) bool
	// again reports whether a transaction was refused for the sake of others that ran
	// beside it: as a whole, it may succeed at the next attempt.
	again(error) bool
	// passes reports whether an error of a write that was refused is none of what
	// was written: it may succeed later.
	passes(error) bool
	// held reports whether such a write was refused for the sake of others that ran beside
	// it, most often for a row that one of them holds: writes that want other rows may succeed.
	held(error) bool
	// reader reads outside a transaction what has been committed.
	reader() querier
	// jointText is a query's text for several callers at once, and its arguments, from the
	// text and the arguments for one: in front of the columns its rows have the number of the
	// caller whose they are, from 1.
	jointText(text string, args [][]any) (several string, all []any, err error)
	// joint says how callers join.
	joint() joint
	// patient is a reader for questions that may take long, as no request's does; they
	// end with their context.
	patient() querier
	// alone takes a lock that ends with release or with the process; ErrAlone
	// when somebody has it.
	alone(context.Context) (release func() error, err error)
	// useNonces stores nonces in a transaction, and tells by number which were used before:
	// when what was left for later has run. It also stores those of useSoon.
	useNonces(ctx context.Context, tx conn, nonces []*Nonce, used func(i int)) error
	// useSoon uses a nonce at once and stores it with a later commit; it is not ok
	// where a nonce has to be stored first. waitSoon tells whether one is still to be
	// stored.
	useSoon(*Nonce) (used, ok bool)
	waitSoon() bool
	// forgetNonces forgets what memory holds of those that have expired.
	forgetNonces(now time.Time)
	// shareGates and leaveGates are those of DB.
	shareGates(ctx context.Context, node int64, life time.Duration, parts []*GatePart) error
	leaveGates(ctx context.Context, node int64) error
	ping(context.Context) error
	close() error
}

// A querier reads.
type querier interface {
	query(ctx context.Context, sql string, args ...any) (rows, error)
}

// A conn is a write transaction.
type conn interface {
	querier
	exec(ctx context.Context, sql string, args ...any) (affected int64, err error)
	// each runs one statement for many rows of arguments, in one round trip
	// where there is a network, and tells how many rows each one affected; the
	// statement has the words of rows.go.
	each(ctx context.Context, sql string, args [][]any) (affected []int64, err error)
	// later is each for a statement that nobody waits for: where there is a network, it
	// goes with the next one that is waited for, or with the commit, in one round trip.
	// told, unless nil, is called when it has run. An error of the statement may be
	// that of what it goes with.
	later(ctx context.Context, sql string, args [][]any, told func(affected []int64)) error
	// flush waits for what was left for later, until told has been called. A transaction
	// that hopes does not wait, since it is run again when it has hoped in vain: what told
	// sets must mean at its zero value what is hoped for: that all rows are stored or changed.
	flush(context.Context) error
	// holdKey keeps the sealing key as it is until the transaction ends, and reads
	// it as it is then; changeKey waits for those who hold it. hopeForKey holds it as well,
	// in the hope that it is the given one; it is not ok where one does not hope.
	holdKey(context.Context) (vault.KeyID, error)
	hopeForKey(vault.KeyID) (ok bool)
	changeKey(context.Context) error
	// relax lets the commit end before it is on disk, where the engine can do that.
	// It is called first.
	relax()
	commit(context.Context) error
	rollback()
}

// rows is a result being read; it must be closed.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// A dialect replaces words that the two databases spell differently. What is for PostgreSQL
// only ends with its line.
type dialect struct{ words *strings.Replacer }

var (
	sqliteDialect = dialect{strings.NewReplacer(
		"{{id}}", "INTEGER PRIMARY KEY",
		"{{serial}}", "INTEGER PRIMARY KEY",
		"{{bytes}}", "BLOB",
		"{{without rowid}}", "WITHOUT ROWID",
		"{{tables}}", "sqlite_master",
		"{{skip locked}}", "",
		"{{for update}}", "",
		"{{postgres only}}", "-- ")}
	postgresDialect = dialect{strings.NewReplacer(
		"{{id}}", "BIGINT PRIMARY KEY",
		"{{serial}}", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
		"{{bytes}}", "BYTEA",
		"{{without rowid}}", "",
		"{{tables}}", "(SELECT tablename AS name FROM pg_tables WHERE schemaname = ANY (current_schemas(false))) AS tables",
		"{{skip locked}}", "FOR UPDATE SKIP LOCKED",
		"{{for update}}", "FOR UPDATE",
		"{{postgres only}}", "")}
)

func (d dialect) sql(text string) string { return d.words.Replace(text) }
