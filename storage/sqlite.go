package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite" // and it registers the database/sql driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"payout/vault"
)

const (
	sqliteReaders = 4 // connections

	// Page caches, as SQLite counts them: minus KiB. A larger one costs the writer: a
	// commit that has balanced a tree walks through the cache's whole hash table. A
	// reader forgets its pages with every commit of the writer.
	writerCache = "-16384"
	readerCache = "-8192"

	// Bytes in a page of a new database. The log gets whole pages.
	pageSize = "2048"

	// Rows in one INSERT: beginning and ending a statement costs more than a small row.
	rowsAtOnce = 8
)

// A sqliteEngine has one connection that writes and a few that read.
type sqliteEngine struct {
	path  string
	write *sql.DB
	read  *sql.DB

	writing sync.Mutex // held from begin to commit or rollback
	writer  *sql.Conn
	stmts   map[string]*sql.Stmt // prepared on writer
	forRows map[string]rowStmts
	args    []driver.NamedValue // of the statement for rows that runs

	unsettled atomic.Bool // nobody knows yet whether the last commit is in the log

	// What the writer knows of the database while it writes.
	version int64        // SQLite's data version at the writer's last commit; unknown after a rollback
	sealing *vault.KeyID // what the database names; nil: to be read

	nonces nonceSet

	prepared sync.Map // string to *sql.Stmt, prepared on read
	joints   sync.Map // text for one caller to the one for several
}

func openSQLite(ctx context.Context, path string) (*sqliteEngine, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	// The driver ignores options that it does not know, so check reads them back.
	dsn := func(cache string) string {
		query := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "page_size(" + pageSize + ")",
			"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
			"cache_size(" + cache + ")", "wal_autocheckpoint(4096)", "journal_size_limit(67108864)"}}
		return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}).String()
	}
	e := &sqliteEngine{path: path, stmts: make(map[string]*sql.Stmt), forRows: make(map[string]rowStmts), version: unknownVersion, nonces: newNonceSet()}
	var err error
	if e.write, err = sql.Open("sqlite", dsn(writerCache)); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	e.write.SetMaxOpenConns(1)
	if e.read, err = sql.Open("sqlite", dsn(readerCache)); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), e.write.Close())
	}
	e.read.SetMaxOpenConns(sqliteReaders)
	e.read.SetMaxIdleConns(sqliteReaders)
	if err := e.check(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// makePrivate makes the file of a new database, for its owner's eyes only;
// SQLite gives its other files the same mode.
func makePrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return file.Close()
}

// giveToOwnerOf gives a file to the owner of the database, as SQLite does with its
// other files: what root has made must not lock the gateway's own user out.
// A link is not followed: that user could have laid it to any file of root's.
func giveToOwnerOf(database, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	owned, err1 := os.Stat(database)
	named, err2 := os.Lstat(path)
	opened, err3 := file.Stat()
	if err = errors.Join(err1, err2, err3); err == nil && !os.SameFile(named, opened) {
		err = errors.New("it is a link")
	}
	if err == nil {
		err = vault.KeepOwner(file, owned)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = nil // not root, who alone can: whose it is, is as it was
	}
	return errors.Join(err, file.Close())
}

// check makes sure that the settings that money depends on are in force.
func (e *sqliteEngine) check(ctx context.Context) error {
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		if err := e.write.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
			return fmt.Errorf("open database: %w", err)
		}
		if got != want {
			return fmt.Errorf("open database: %s is %q, want %q", pragma, got, want)
		}
	}
	return nil
}

func (e *sqliteEngine) flush(ctx context.Context) (bool, error) {
	var busy, frames, flushed int
	if err := e.read.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &flushed); err != nil {
		return false, fmt.Errorf("put the log into the database: %w", err)
	}
	return busy == 0, nil
}

func (e *sqliteEngine) ping(ctx context.Context) error { return e.read.PingContext(ctx) }

func (e *sqliteEngine) close() error {
	e.writing.Lock()
	defer e.writing.Unlock()
	var err error
	if e.writer != nil {
		for _, s := range e.stmts {
			err = errors.Join(err, s.Close())
		}
		err = errors.Join(err, e.writer.Raw(func(any) (err error) {
			for _, s := range e.forRows {
				err = errors.Join(err, s.close())
			}
			return err
		}), e.writer.Close())
	}
	e.prepared.Range(func(_, s any) bool {
		err = errors.Join(err, s.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(err, e.read.Close(), e.write.Close())
}

// alone locks a second, empty database beside the first one: a lock in the
// first would keep its writers away.
func (e *sqliteEngine) alone(ctx context.Context) (func() error, error) {
	path := e.path + "-rotation"
	if err := makePrivate(path); err != nil {
		return nil, err
	}
	if err := giveToOwnerOf(e.path, path); err != nil {
		return nil, fmt.Errorf("give %s to the owner of the database: %w", path, err)
	}
	locks, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String())
	if err != nil {
		return nil, err
	}
	locks.SetMaxOpenConns(1) // BEGIN and the lock stay on one connection
	_, err = locks.ExecContext(ctx, "BEGIN EXCLUSIVE")
	if codeOf(err) == sqlite3.SQLITE_BUSY {
		err = ErrAlone
	}
	if err != nil {
		return nil, errors.Join(err, locks.Close())
	}
	return locks.Close, nil
}

func (e *sqliteEngine) begin() (conn, context.Context, error) {
	ctx := context.Background()
	e.writing.Lock()
	if e.writer == nil {
		writer, err := e.write.Conn(ctx)
		if err != nil {
			e.writing.Unlock()
			return nil, nil, err
		}
		// A statement for several rows keeps the pages that it changes as they were until
		// it ends: not in a file, for which there may be no place.
		if _, err := writer.ExecContext(ctx, "PRAGMA temp_store = MEMORY"); err != nil {
			e.writing.Unlock()
			return nil, nil, errors.Join(err, writer.Close())
		}
		e.writer = writer
	}
	c := &sqliteConn{e: e}
	err := e.settle(ctx)
	if err == nil {
		_, err = c.exec(ctx, "BEGIN IMMEDIATE")
	}
	if err == nil {
		err = e.notice()
	}
	if err != nil {
		c.rollback()
		return nil, nil, err
	}
	return c, ctx, nil
}

// unknownVersion is none of SQLite's data versions.
const unknownVersion = -1

// notice finds out, at the beginning of a transaction, whether others have written
// since the writer's last commit: then what is known is to be read again.
func (e *sqliteEngine) notice() error {
	version, err := e.dataVersion()
	if version != e.version || version == unknownVersion {
		e.sealing, e.nonces.stale = nil, true
	}
	return err
}

// dataVersion is a number that SQLite changes with each commit of the writer, and when
// the writer begins after a commit of others.
func (e *sqliteEngine) dataVersion() (version int64, err error) {
	version = unknownVersion
	err = e.writer.Raw(func(driverConn any) error {
		v, err := driverConn.(sqlite.FileControl).FileControlDataVersion("main")
		if err == nil {
			version = int64(v)
		}
		return err
	})
	return version, err
}

// settle makes it certain that a commit which the disk has failed is not stored.
// SQLite has forgotten it, but its frames may stand in the log, and whoever reads
// the log after a crash would find them. The next commit stands in their place: once
// that is on disk, they are gone.
func (e *sqliteEngine) settle(ctx context.Context) error {
	if !e.unsettled.Load() {
		return nil
	}
	// It changes nothing, and SQLite writes the page nevertheless.
	if _, err := e.writer.ExecContext(ctx, "PRAGMA user_version = 0"); err != nil {
		return fmt.Errorf("%w: %w", errUnsettled, err)
	}
	e.unsettled.Store(false)
	return nil
}

// errUnsettled says that the disk has failed a commit, and has taken none since.
var errUnsettled = errors.New("a commit has failed on the disk, and none has succeeded since")

// refused is true of what SQLite itself found wrong with a statement. An error
// of the disk at a commit is not among them: the frames may be in the log. A full
// disk is: SQLite says so when a frame could not be written, and a log in which a
// frame of a commit is missing does not have the commit. (It would also say so of
// frames that pad the log after the commit, but writes none where, as on every file
// of ours, a write spares its neighbours: SQLITE_IOCAP_POWERSAFE_OVERWRITE.)
func (e *sqliteEngine) refused(err error) bool {
	switch codeOf(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE,
		sqlite3.SQLITE_ERROR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL:
		return true
	}
	return false
}

// again is never true: one transaction writes at a time.
func (e *sqliteEngine) again(error) bool { return false }

// held is never true: a file that others hold is closed to every write.
func (e *sqliteEngine) held(error) bool { return false }

// codeOf is SQLite's code of an error, without its details; 0 if it is not SQLite's.
func codeOf(err error) int {
	var code interface{ Code() int }
	if !errors.As(err, &code) {
		return 0
	}
	return code.Code() & 0xff
}

// passes is true of a file that others hold, or that takes no writes, and of a full disk.
func (e *sqliteEngine) passes(err error) bool {
	switch codeOf(err) {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL:
		return true
	}
	return false
}

// A sqliteConn is the write transaction that runs.
type sqliteConn struct {
	e    *sqliteEngine
	done bool
}

func (c *sqliteConn) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := c.e.stmts[text]; ok {
		return s, nil
	}
	s, err := c.e.writer.PrepareContext(ctx, sqliteDialect.sql(text))
	if err != nil {
		return nil, err
	}
	c.e.stmts[text] = s
	return s, nil
}

func (c *sqliteConn) exec(ctx context.Context, text string, args ...any) (int64, error) {
	s, err := c.prepare(ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each inserts rows several at a time, as long as each of them can be stored. When
// one cannot, SQLite takes back those of its statement, and each is tried alone.
func (c *sqliteConn) each(ctx context.Context, text string, args [][]any) ([]int64, error) {
	if len(args) == 0 {
		return nil, nil
	}
	affected := make([]int64, 0, len(args))
	// Below database/sql, which would look at each argument again.
	err := c.e.writer.Raw(func(driverConn any) error {
		t, err := c.e.rowStmts(ctx, driverConn.(driver.ConnPrepareContext), text)
		if err != nil {
			return err
		}
		for rows := range slices.Chunk(args, rowsAtOnce) {
			if t.several != nil && len(rows) == rowsAtOnce {
				_, err := c.e.run(ctx, t.several, rows...)
				if err == nil {
					for range rows {
						affected = append(affected, 1)
					}
					continue
				}
				if codeOf(err) != sqlite3.SQLITE_CONSTRAINT {
					return err
				}
			}
			for _, row := range rows {
				n, err := c.e.run(ctx, t.one, row)
				if err != nil {
					return err
				}
				affected = append(affected, n)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return affected, nil
}

// later runs the statement at once: there is no way that could be saved.
func (c *sqliteConn) later(ctx context.Context, text string, args [][]any, told func([]int64)) error {
	affected, err := c.each(ctx, text, args)
	if err == nil && told != nil {
		told(affected)
	}
	return err
}

func (c *sqliteConn) flush(context.Context) error { return nil }

// rowStmts are the statements of one text for many rows, prepared on the writer.
type rowStmts struct {
	one     driver.Stmt
	several driver.Stmt // for rowsAtOnce rows; nil if the text is not fit for that
}

func (t rowStmts) close() error {
	if t.several == nil {
		return t.one.Close()
	}
	return errors.Join(t.one.Close(), t.several.Close())
}

// rowStmts is called by the writer alone.
func (e *sqliteEngine) rowStmts(ctx context.Context, writer driver.ConnPrepareContext, text string) (rowStmts, error) {
	if t, ok := e.forRows[text]; ok {
		return t, nil
	}
	var t rowStmts
	var err error
	if t.one, err = writer.PrepareContext(ctx, sqliteDialect.sql(unnamed(oneRow(text)))); err != nil {
		return t, err
	}
	if several, ok := severalRows(text, rowsAtOnce); ok {
		if t.several, err = writer.PrepareContext(ctx, sqliteDialect.sql(several)); err != nil {
			return t, errors.Join(err, t.one.Close())
		}
	}
	e.forRows[text] = t
	return t, nil
}

// run runs a statement with the arguments of its rows; the writer alone calls it.
func (e *sqliteEngine) run(ctx context.Context, s driver.Stmt, rows ...[]any) (affected int64, err error) {
	e.args = e.args[:0]
	for _, row := range rows {
		for _, value := range row {
			e.args = append(e.args, driver.NamedValue{Ordinal: len(e.args) + 1, Value: value})
		}
	}
	result, err := s.(driver.StmtExecContext).ExecContext(ctx, e.args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c *sqliteConn) query(ctx context.Context, text string, args ...any) (rows, error) {
	s, err := c.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return sqlRowsOf(s.QueryContext(ctx, args...))
}

// holdKey only reads: nobody else writes while this transaction runs.
func (c *sqliteConn) holdKey(ctx context.Context) (vault.KeyID, error) {
	if c.e.sealing == nil {
		id, err := sealingKeyOf(ctx, c)
		if err != nil {
			return 0, err
		}
		c.e.sealing = &id
	}
	return *c.e.sealing, nil
}

// hopeForKey is never ok: to know the key costs nothing.
func (c *sqliteConn) hopeForKey(vault.KeyID) bool { return false }

func (c *sqliteConn) changeKey(context.Context) error {
	c.e.sealing = nil
	return nil
}

// relax does nothing: how safely a transaction is stored is set before it begins.
func (c *sqliteConn) relax() {}

func (c *sqliteConn) commit(ctx context.Context) error {
	_, err := c.exec(ctx, "COMMIT")
	if err != nil {
		if !c.e.refused(err) {
			c.e.unsettled.Store(true)
		}
		return err // rollback follows
	}
	c.done = true
	c.e.version, _ = c.e.dataVersion() // unknown after an error
	c.e.nonces.keep()
	c.e.writing.Unlock()
	return nil
}

// rollback ends a transaction that was not committed; after commit it does nothing.
func (c *sqliteConn) rollback() {
	if c.done {
		return
	}
	c.done = true
	c.e.version, c.e.sealing = unknownVersion, nil
	defer c.e.writing.Unlock()
	// SQLite may have rolled back by itself (a full disk); the error says only that.
	_, _ = c.e.writer.ExecContext(context.Background(), "ROLLBACK")
	c.e.nonces.giveBack()
}

func (e *sqliteEngine) reader() querier { return sqliteReader{e} }

func (e *sqliteEngine) patient() querier { return sqliteReader{e} }

type sqliteReader struct{ e *sqliteEngine }

// query answers nothing while a commit is unsettled: it could say "not found" of an
// order that is there after the next crash.
func (r sqliteReader) query(ctx context.Context, text string, args ...any) (rows, error) {
	if r.e.unsettled.Load() {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errUnsettled)
	}
	s, ok := r.e.prepared.Load(text)
	if !ok {
		fresh, err := r.e.read.PrepareContext(ctx, sqliteDialect.sql(text))
		if err != nil {
			return nil, err
		}
		var loaded bool
		if s, loaded = r.e.prepared.LoadOrStore(text, fresh); loaded {
			if err := fresh.Close(); err != nil {
				return nil, err
			}
		}
	}
	return sqlRowsOf(s.(*sql.Stmt).QueryContext(ctx, args...))
}

// sqlRows makes *sql.Rows close like pgx's rows: its error also shows in Err.
type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { _ = r.Rows.Close() }

func sqlRowsOf(r *sql.Rows, err error) (rows, error) {
	if err != nil {
		return nil, err
	}
	return sqlRows{r}, nil
}
