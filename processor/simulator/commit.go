package simulator

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	_ "modernc.org/sqlite" // registers the database/sql driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const batchMost = 256 // jobs in one commit

// errUnwritten marks errors after which the book is surely as it was.
var errUnwritten = errors.New("nothing was written")

// A book is the SQLite file of a Simulator. One goroutine, which close waits
// for, owns its only connection. Jobs that arrive while a commit is running
// share the next one.
type book struct {
	db    *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // prepared on conn; used inside write only

	jobs  chan job
	stop  chan struct{} // closed by close
	ended chan struct{} // closed when the goroutine has ended

	closing  sync.Once
	closeErr error
}

// A job is work inside the book's transaction.
type job struct {
	do   func() error
	done chan error // of the commit; buffered, because the asker may have left
}

func openBook(path string) (*book, error) {
	dsn, err := dsnOf(path)
	if err != nil {
		return nil, err
	}
	b := &book{stmts: make(map[string]*sql.Stmt), jobs: make(chan job), stop: make(chan struct{}), ended: make(chan struct{})}
	if b.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	b.db.SetMaxOpenConns(1)
	if b.conn, err = connect(b.db); err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	if err := b.transact([]job{{do: b.migrate}}); err != nil {
		return nil, errors.Join(err, b.conn.Close(), b.db.Close())
	}
	go b.run()
	return b, nil
}

// connect opens the connection. While another node gives a new file its
// journal_mode, SQLite refuses at once, whatever the busy_timeout: so it is tried again.
func connect(db *sql.DB) (conn *sql.Conn, err error) {
	const tries, wait = 1000, 10 * time.Millisecond
	for range tries {
		var code interface{ Code() int }
		if conn, err = db.Conn(context.Background()); !errors.As(err, &code) || code.Code()&0xff != sqlite3.SQLITE_BUSY {
			break
		}
		time.Sleep(wait)
	}
	return conn, err
}

// dsnOf names the file to the driver, and makes its folder. A commit need not
// reach the disk (synchronous NORMAL): the book survives the end of its process,
// and a test rail need not survive the end of the power.
func dsnOf(path string) (string, error) {
	query := url.Values{"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(ON)"}}
	if path == "" || path == ":memory:" {
		return ":memory:?" + query.Encode(), nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make its folder: %w", err)
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}).String(), nil
}

// migrate brings a book that is new or older to the present version, and refuses
// one that is newer.
func (b *book) migrate() error {
	ctx := context.Background()
	var version int
	if err := b.conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if version < 0 || version > len(schema) {
		return fmt.Errorf("it has version %d, and this program knows %d", version, len(schema))
	}
	for _, text := range slices.Concat(schema[version:]...) {
		if _, err := b.conn.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// close waits for the commit that is running. What comes later is unwritten.
func (b *book) close() error {
	b.closing.Do(func() {
		close(b.stop)
		<-b.ended
		for _, stmt := range b.stmts {
			b.closeErr = errors.Join(b.closeErr, stmt.Close())
		}
		b.closeErr = errors.Join(b.closeErr, b.conn.Close(), b.db.Close())
	})
	return b.closeErr
}

// write runs do inside a transaction that is committed when write returns nil.
// After an error of kind errUnwritten nothing was written; after any other,
// nobody knows, do may still be running, and what it assigns must not be read.
func (b *book) write(ctx context.Context, do func() error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", errUnwritten, context.Cause(ctx))
	}
	j := job{do: do, done: make(chan error, 1)}
	select {
	case b.jobs <- j:
	case <-b.stop:
		return fmt.Errorf("%w: the simulator is closed", errUnwritten)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnwritten, context.Cause(ctx))
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the commit: %w", context.Cause(ctx))
	}
}

// run commits jobs until close. A job that it has taken is always answered.
func (b *book) run() {
	defer close(b.ended)
	for {
		select {
		case <-b.stop:
			return
		case first := <-b.jobs:
			jobs := b.gather(first)
			err := b.transact(jobs)
			for _, j := range jobs {
				j.done <- err
			}
		}
	}
}

// gather takes the jobs that are waiting when those who are about to send one have had
// their turn: payments come in groups, and a commit costs as much as several rows.
func (b *book) gather(first job) []job {
	jobs := []job{first}
	runtime.Gosched()
	for len(jobs) < batchMost {
		select {
		case j := <-b.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// transact does all jobs in one transaction, or none. BEGIN and COMMIT are sent
// by hand: after a COMMIT that failed, database/sql would not roll back.
func (b *book) transact(jobs []job) error {
	ctx := context.Background()
	if _, err := b.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("%w: %w", errUnwritten, err)
	}
	for _, j := range jobs {
		if err := j.do(); err != nil {
			_, rollbackErr := b.conn.ExecContext(ctx, `ROLLBACK`)
			return fmt.Errorf("%w: %w", errUnwritten, errors.Join(err, rollbackErr))
		}
	}
	if _, err := b.conn.ExecContext(ctx, `COMMIT`); err != nil {
		_, rollbackErr := b.conn.ExecContext(ctx, `ROLLBACK`)
		return fmt.Errorf("commit: %w", errors.Join(err, rollbackErr))
	}
	return nil
}

// prepare returns the statement of a text, and keeps it.
func (b *book) prepare(text string) (*sql.Stmt, error) {
	if stmt, ok := b.stmts[text]; ok {
		return stmt, nil
	}
	stmt, err := b.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	b.stmts[text] = stmt
	return stmt, nil
}
