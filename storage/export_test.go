package storage

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"payout"
	"payout/vault"
)

// Exchange is what Reseal does after it has read: each exchange is an id, the
// new value and the one that was read.
func (db *DB) Exchange(ctx context.Context, c SealedColumn, exchanges [][]any) ([]int64, error) {
	return db.exchange(ctx, c, exchanges)
}

// ConnectTimeout is how long a connection to a PostgreSQL server may take.
func ConnectTimeout(ctx context.Context, dsn string) (time.Duration, error) {
	e, err := openPostgres(ctx, dsn, "")
	if err != nil {
		return 0, err
	}
	return e.pool.Config().ConnConfig.ConnectTimeout, e.close()
}

// Sicken is for the tests of other packages' behaviour on a sick database: cut
// makes the n-th commit from now fail, though it may be stored.
func Sicken(db *DB) (cut func(n int, stored bool)) {
	sick := &sickEngine{engine: db.engine}
	db.commits.stop()
	db.engine, db.commits = sick, startCommitter(sick, db.vault, sqlitePace)
	return func(n int, stored bool) {
		sick.set(func(e *sickEngine) { e.cutAt, e.stored = n, stored })
	}
}

// Away is for the same: no transaction begins while the database is away.
func Away(db *DB) (away func(bool)) {
	sick := &sickEngine{engine: db.engine}
	db.commits.stop()
	db.engine, db.commits = sick, startCommitter(sick, db.vault, sqlitePace)
	return func(away bool) {
		sick.set(func(e *sickEngine) {
			if e.beginErr = nil; away {
				e.beginErr = errSick
			}
		})
	}
}

// LimitEnd sets how long a new request may wait for the end of its commit.
func LimitEnd(db *DB, most time.Duration) { db.commits.endMost.Store(int64(most)) }

// LimitTransaction sets how long a write transaction on PostgreSQL may take.
func LimitTransaction(db *DB, most time.Duration) {
	db.engine.(*postgresEngine).most.Store(int64(most))
}

// Lock holds a table's locks until the function is called, for the tests.
func Lock(t *testing.T, db *DB, table string) (func(), error) {
	t.Helper()
	c, ctx, err := begin(db.engine)
	if err != nil {
		return nil, err
	}
	if _, err := c.exec(ctx, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		c.rollback()
		return nil, err
	}
	return c.rollback, nil
}

// Each runs a statement for many rows in a transaction of its own.
func Each(db *DB, text string, args [][]any) (affected []int64, err error) {
	err = db.Transact(context.Background(), time.Time{}, func(tx *Tx) error {
		affected, err = tx.conn.each(tx.ctx, text, args)
		return err
	})
	return affected, err
}

// HopedInVain tells whether a transaction on PostgreSQL has hoped in vain since Hope.
func HopedInVain(db *DB) bool { return db.engine.(*postgresEngine).careful.Load() > 0 }

// Hope lets the next transaction hope.
func Hope(db *DB) { db.engine.(*postgresEngine).careful.Store(0) }

// Exec runs a statement, for the tests of migrations.
func Exec(db *DB, text string, args ...any) error {
	c, ctx, err := begin(db.engine)
	if err != nil {
		return err
	}
	defer c.rollback()
	if _, err := c.exec(ctx, text, args...); err != nil {
		return err
	}
	return c.commit(ctx)
}

// MigrateTo migrates up to a version.
func MigrateTo(ctx context.Context, db *DB, version int64) error {
	provider, closeDB, err := db.migrations()
	if err != nil {
		return err
	}
	defer closeDB()
	_, err = provider.UpTo(ctx, version)
	return err
}

// Waiting counts those who wait for the sealing key in a PostgreSQL database.
func Waiting(ctx context.Context, db *DB) (n int64, err error) {
	err = readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&n) }, `SELECT count(*) FROM pg_locks
		WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	return n, err
}

// HoldKey does what a commit with sealed values does first.
func HoldKey(ctx context.Context, tx *Tx) (vault.KeyID, error) { return tx.conn.holdKey(ctx) }

// BookRules lists the rules of the books.
func BookRules() (rules []string) {
	for _, rule := range append(append([]bookRule{}, wholeRules...), orderRules...) {
		rules = append(rules, rule.rule)
	}
	return append(rules, ruleSealed, ruleOwed)
}

// TableNames lists the tables of a database.
func TableNames(ctx context.Context, db *DB) (names []string, err error) {
	kind := ""
	if _, ok := db.engine.(*sqliteEngine); ok {
		kind = " WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	}
	err = readAll(ctx, db.engine.reader(), func(r rows) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	}, "SELECT name FROM {{tables}}"+kind)
	return names, err
}

// ArchivedColumns lists the columns that archives have, by table.
func ArchivedColumns() map[string][]string {
	columns := make(map[string][]string)
	for _, table := range orderTables {
		columns[table.name] = slices.Clone(table.columns)
	}
	for _, table := range archivedSetUp {
		columns[table.name] = slices.Clone(table.columns)
	}
	return columns
}

// Columns lists the columns of a table in an SQLite database.
func Columns(ctx context.Context, db *DB, table string) (names []string, err error) {
	err = readAll(ctx, db.engine.reader(), func(r rows) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	}, "SELECT name FROM pragma_table_info($1)", table)
	return names, err
}

// AfterCopy runs a function when a copy is in the archive and before the order is
// emptied, until the database is restored.
func AfterCopy(db, archive *DB, fn func()) (restore func()) {
	original := archive.engine
	archive.engine = copiedEngine{original, fn}
	return func() { archive.engine = original }
}

type copiedEngine struct {
	engine
	fn func()
}

func (e copiedEngine) begin() (conn, context.Context, error) {
	c, ctx, err := e.engine.begin()
	return copiedConn{c, e.fn}, ctx, err
}

type copiedConn struct {
	conn
	fn func()
}

func (c copiedConn) commit(ctx context.Context) error {
	err := c.conn.commit(ctx)
	c.fn()
	return err
}

// Unread is unread, for tests.
var Unread = unread

// Setting asks a PostgreSQL database for a setting of its connections.
func Setting(ctx context.Context, db *DB, name string) (value string, err error) {
	err = db.engine.(*postgresEngine).pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// TableOptions asks a PostgreSQL database for the storage parameters of a table.
func TableOptions(ctx context.Context, db *DB, table string) (options string, err error) {
	err = db.engine.(*postgresEngine).pool.QueryRow(ctx, "SELECT coalesce(array_to_string(reloptions, ' '), '') FROM pg_class WHERE oid = $1::regclass", table).Scan(&options)
	return options, err
}

// HoldSnapshot keeps PostgreSQL from forgetting what is changed from now on, as a dump does.
func HoldSnapshot(t *testing.T, db *DB) {
	t.Helper()
	tx, err := db.engine.(*postgresEngine).pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	if _, err := tx.Exec(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT count(*) FROM orders"); err != nil {
		t.Fatal(err)
	}
}

// Since is from where on a lookout claims.
func Since(l *Lookout) time.Time { return l.since() }

// PagesRead tells how many pages PostgreSQL reads for a query that finds one row.
func PagesRead(ctx context.Context, db *DB, text string, args ...any) (pages int64, err error) {
	var plans []struct {
		Plan struct {
			Hit  int64 `json:"Shared Hit Blocks"`
			Read int64 `json:"Shared Read Blocks"`
		}
	}
	err = readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&plans) }, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+text, args...)
	if err != nil || len(plans) == 0 {
		return 0, fmt.Errorf("%d plans: %v", len(plans), err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read, nil
}

// Connections tells how many connections a PostgreSQL database has made so far.
func Connections(db *DB) int64 { return db.engine.(*postgresEngine).pool.Stat().NewConnsCount() }

// Refused tells what PostgreSQL's engine takes for the server's own refusal.
func Refused(err error) bool { return new(postgresEngine).refused(err) }

// Passes tells what PostgreSQL's engine takes for a refusal that passes, and whether that
// is one for the sake of others.
func Passes(err error) (passes, held bool) {
	e := new(postgresEngine)
	return e.passes(err), e.held(err)
}

// EndedLife is how long a final order is remembered.
const EndedLife = endedLife

// Remembers reports whether an order would be read from memory.
func Remembers(db *DB, now time.Time, id payout.OrderID) bool {
	_, ok := db.remembered(now, id)
	return ok
}

// Spoil makes what is remembered of an order unreadable.
func Spoil(db *DB, id payout.OrderID) {
	row, _ := db.ended.Peek(id)
	row.order.params = []byte("spoiled")
	db.ended.Add(id, row)
}

// Trace has a tracer see what goes to a PostgreSQL database from now on.
func Trace(t *testing.T, db *DB, tracer pgx.QueryTracer) {
	t.Helper()
	e := db.engine.(*postgresEngine)
	config := e.pool.Config()
	config.ConnConfig.Tracer = tracer
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	e.pool.Close()
	e.pool = pool
}

// Laters leaves statements for later, commits, and tells how many were told that they
// have run.
func Laters(db *DB, text string, each [][][]any) (told int, err error) {
	c, ctx, err := begin(db.engine)
	if err != nil {
		return 0, err
	}
	defer c.rollback()
	for _, args := range each {
		if err := c.later(ctx, text, args, func([]int64) { told++ }); err != nil {
			return told, err
		}
	}
	return told, commit(ctx, db.engine, c)
}

// Number is what is stored of a nonce beside its timestamp.
func (n *Nonce) Number() int64 { return n.number() }

// ExecTx runs a statement in a transaction.
func ExecTx(tx *Tx, text string, args ...any) error {
	_, err := tx.conn.exec(tx.ctx, text, args...)
	return err
}

// AddCounter adds a counter, whose name must be new.
func AddCounter(tx *Tx, name string) error {
	return ExecTx(tx, "INSERT INTO counters (name, next) VALUES ($1, 0)", name)
}

// ReadTx reads in a transaction what nobody wants to know.
func ReadTx(tx *Tx, text string) error {
	return readAll(tx.ctx, tx.conn, func(rows) error { return nil }, text)
}

// StandTogether asks in one query for several callers where orders stand: by ids, or by
// parties and their client_orderids.
func StandTogether(ctx context.Context, db *DB, callers ...[]any) (standings [][]Standing, err error) {
	q := db.stand.byID
	if len(callers[0]) > 1 {
		q = db.stand.byClientID
	}
	all := make([]*jointCaller[standingRow], len(callers))
	for i, args := range callers {
		all[i] = &jointCaller[standingRow]{args: args}
	}
	if err := q.run(ctx, db.engine, all); err != nil {
		return nil, err
	}
	standings = make([][]Standing, len(all))
	for i, c := range all {
		for _, row := range c.found {
			s, err := db.standing(row)
			if err != nil {
				return nil, err
			}
			standings[i] = append(standings[i], s)
		}
	}
	return standings, nil
}

// JointMost is for how many callers one asks.
func JointMost(db *DB) int { return db.engine.joint().most }

// JointPlans asks in one query for several callers by ids where orders stand, so many times on
// one connection, and counts the plans that the server has made for that time alone.
func JointPlans(ctx context.Context, db *DB, callers, times int) (custom int, err error) {
	e := db.engine.(*postgresEngine)
	text, args, err := e.jointText(db.stand.byID.text, slices.Repeat([][]any{{int64(1)}}, callers))
	if err != nil {
		return 0, err
	}
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	for range times {
		if _, err := c.Exec(ctx, text, args...); err != nil {
			return 0, err
		}
	}
	err = c.QueryRow(ctx, "SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1", text).Scan(&custom)
	return custom, err
}
