// Package storage keeps everything in one SQL database, SQLite or PostgreSQL:
// the only package that contains SQL.
//
// Reads are methods of DB. Writes are either methods of Tx, handed out by
// DB.Transact, or the batch methods of DB (Accept, Move, ClaimOrders ...),
// whose callers share commits: see commit.go. An answer may be given as soon
// as a write method has returned: the commit is on disk then, but for nonces of
// questions (nonces.go).
//
// No rules live here: the storage does what it is told, and refuses only what
// the tables cannot hold.
package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"payout/vault"
)

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// ErrBusy says that a request was too late, most often because too many writes are
// waiting. Nothing was stored.
var ErrBusy = errors.New("too much is under way")

// ErrUnavailable says that the database took no write, or did not answer a
// question. Nothing was stored.
var ErrUnavailable = errors.New("the database is not available")

// ErrUnknown says that the database did not tell whether it has stored what it
// was given: all of it, or nothing.
var ErrUnknown = errors.New("it is not known whether the write was stored")

// ErrUnreadable says that a row is there, but holds what cannot be, or what the master key
// does not open.
var ErrUnreadable = errors.New("its row cannot be read")

// A DB is an open database.
type DB struct {
	engine    engine
	vault     *vault.Vault
	commits   *committer
	serials   block
	orders    block
	callbacks block
	ended     *endedOrders
	stand     standingQueries
	soon      soonTimer
	probing   sync.Mutex // guards probe
	probe     *probe     // the write of Writable that is under way, or nil

	probeName string // of the row that Writable writes; nobody else's
}

// IsPostgres tells whether Open takes a database for a PostgreSQL's.
func IsPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// Open opens a database: a postgres:// or postgresql:// URL, or the path of an
// SQLite file, which is made when it does not exist. Call Migrate before use.
func Open(ctx context.Context, database string, v *vault.Vault) (*DB, error) {
	return openAs(ctx, database, "", v)
}

// openAs opens a database; a PostgreSQL's sessions have the name, unless it is empty.
func openAs(ctx context.Context, database, name string, v *vault.Vault) (*DB, error) {
	db := &DB{vault: v, ended: newEndedOrders(), stand: newStandingQueries(), probeName: "probe-" + rand.Text()}
	pace := sqlitePace
	if IsPostgres(database) {
		e, err := openPostgres(ctx, database, name)
		if err != nil {
			return nil, err
		}
		db.engine, pace = e, postgresPace
	} else {
		e, err := openSQLite(ctx, strings.TrimPrefix(database, "sqlite:"))
		if err != nil {
			return nil, err
		}
		db.engine = e
	}
	if err := db.engine.ping(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.engine.close())
	}
	db.serials = block{name: "serial", hurried: true}
	db.orders = block{name: "order", hurried: true}
	db.callbacks = block{name: "callback"}
	db.commits = startCommitter(db.engine, v, pace)
	return db, nil
}

// Close waits for the writes under way and closes the database. No method may
// be called after it.
func (db *DB) Close() error {
	db.stopSoon()
	db.commits.stop()
	for _, b := range []*block{&db.serials, &db.orders, &db.callbacks} {
		b.fetching.Wait()
	}
	return db.engine.close()
}

// Flush puts what SQLite's log has into the database's file, and empties the log; it
// does nothing on PostgreSQL. Who begins to serve calls it: a process that was killed
// when an fsync had failed leaves a log that Linux shows and may not have on disk, and
// what is acknowledged must not be built on that. It reports false when others had the
// database open for too long.
func (db *DB) Flush(ctx context.Context) (bool, error) {
	e, ok := db.engine.(*sqliteEngine)
	if !ok {
		return true, nil
	}
	return e.flush(ctx)
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.engine.ping(ctx) }

// errStillTrying says that an earlier write has not ended yet.
var errStillTrying = errors.New("a write has been waiting since an earlier question")

// A probe is a write that asks whether the database takes writes.
type probe struct {
	done chan struct{}
	err  error // valid when done is closed
}

// Writable tells whether a write reaches the disk now: on a full or read-only
// disk, and on a standby, reads may go on for long. It writes, and waits no longer
// than its context; who asks meanwhile waits for the same write. A write that hangs
// is not joined by a second one.
func (db *DB) Writable(ctx context.Context) error {
	db.probing.Lock()
	p := db.probe
	if p == nil {
		p = &probe{done: make(chan struct{})}
		db.probe = p
		go db.try(context.WithoutCancel(ctx), p)
	}
	db.probing.Unlock()
	select {
	case <-p.done:
		return p.err
	default:
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errStillTrying, ctx.Err())
	}
}

// try writes, for all who wait for the probe.
func (db *DB) try(ctx context.Context, p *probe) {
	p.err = db.Transact(ctx, time.Time{}, func(tx *Tx) error {
		// A row of our own, which waits for nobody's lock. SQLite writes nothing when a
		// row is set to what it is.
		if _, err := tx.conn.exec(tx.ctx, "INSERT INTO counters (name, next) VALUES ($1, 0)", db.probeName); err != nil {
			return err
		}
		_, err := tx.conn.exec(tx.ctx, "DELETE FROM counters WHERE name = $1", db.probeName)
		return err
	})
	db.probing.Lock()
	db.probe = nil
	db.probing.Unlock()
	close(p.done)
}

// A Tx is a write transaction; all its rows carry one Now.
type Tx struct {
	Now  time.Time
	db   *DB
	ctx  context.Context
	conn conn

	wanted   vault.KeyID // the key to seal under
	holdsKey bool        // wanted has been read, and stays as it is until the transaction ends
}

// Transact runs a function in a write transaction, committed when it returns
// nil. When Transact returns nil, the commit is on disk. A context that ends
// before the transaction has begun leaves it undone; later it is seen through. The
// function runs again when other transactions stood in the way of its own. Its own errors
// are told as they are; a database that fails in the middle, or refuses what it may take
// later, is ErrUnavailable.
func (db *DB) Transact(ctx context.Context, now time.Time, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return tries(db.engine, func() error {
		begun, ctx, err := begin(db.engine)
		if err != nil {
			return err
		}
		c := tellingConn{begun, db.engine}
		defer c.rollback()
		if err := fn(&Tx{Now: now, db: db, ctx: ctx, conn: c}); err != nil {
			return err
		}
		return away(db.engine, commit(ctx, db.engine, c))
	})
}

// begin starts a write transaction; its error is ErrUnavailable.
func begin(e engine) (conn, context.Context, error) {
	c, ctx, err := e.begin()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return c, ctx, nil
}

// commit ends a write transaction; its error is ErrUnknown unless the database
// has refused, or was surely not asked.
func commit(ctx context.Context, e engine, c conn) error {
	err := c.commit(ctx)
	switch {
	case err == nil:
		return nil
	case e.refused(err):
		return fmt.Errorf("commit: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// away is the error of a transaction of which nothing was stored: ErrUnavailable if the
// database has gone in the middle, or has refused it for what passes.
func away(e engine, err error) error {
	if err == nil || errors.Is(err, ErrUnknown) || e.refused(err) && !e.passes(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// A tellingConn tells at once which of its errors mean that the database is away: later
// nobody could tell them from those of the function that runs in the transaction.
type tellingConn struct {
	conn
	e engine
}

func (c tellingConn) query(ctx context.Context, sql string, args ...any) (rows, error) {
	found, err := c.conn.query(ctx, sql, args...)
	if err != nil {
		return nil, away(c.e, err)
	}
	return tellingRows{found, c.e}, nil
}

func (c tellingConn) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	affected, err := c.conn.exec(ctx, sql, args...)
	return affected, away(c.e, err)
}

func (c tellingConn) each(ctx context.Context, sql string, args [][]any) ([]int64, error) {
	affected, err := c.conn.each(ctx, sql, args)
	return affected, away(c.e, err)
}

func (c tellingConn) later(ctx context.Context, sql string, args [][]any, told func([]int64)) error {
	return away(c.e, c.conn.later(ctx, sql, args, told))
}

func (c tellingConn) flush(ctx context.Context) error { return away(c.e, c.conn.flush(ctx)) }

func (c tellingConn) holdKey(ctx context.Context) (vault.KeyID, error) {
	id, err := c.conn.holdKey(ctx)
	return id, away(c.e, err)
}

func (c tellingConn) changeKey(ctx context.Context) error { return away(c.e, c.conn.changeKey(ctx)) }

// tellingRows are rows of a tellingConn.
type tellingRows struct {
	rows
	e engine
}

// Err tells what ended the rows.
func (r tellingRows) Err() error { return away(r.e, r.rows.Err()) }

// us is a time as it is stored: microseconds since 1970, 0 for the zero time.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromUS is the inverse of us, in UTC.
func fromUS(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// readOne scans the single row of a query, or returns ErrNotFound.
func readOne(ctx context.Context, q querier, scan func(rows) error, sql string, args ...any) error {
	found := false
	err := readAll(ctx, q, func(r rows) error { found = true; return scan(r) }, sql, args...)
	if err == nil && !found {
		return ErrNotFound
	}
	return err
}

// readAll scans every row of a query.
func readAll(ctx context.Context, q querier, scan func(rows) error, sql string, args ...any) error {
	r, err := q.query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer r.Close()
	for r.Next() {
		if err := scan(r); err != nil {
			return err
		}
	}
	return r.Err()
}
