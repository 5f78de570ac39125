package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"payout/vault"
)

// A postgresEngine is a pool of connections to PostgreSQL.
type postgresEngine struct {
	pool  *pgxpool.Pool
	texts sync.Map // SQL text to its PostgreSQL spelling
	sets  sync.Map // text for one row to its rowSet

	joints sync.Map // text for one caller to the one for several

	careful atomic.Int64 // transactions that will not hope
	most    atomic.Int64 // nanoseconds for a write transaction
	givenUp givenUp
}

// What PostgreSQL says when a transaction has hoped in vain.
const (
	uniqueViolation = "23505"
	invalidText     = "22P02" // of hopedForKey and hopedForRows
)

const idleInTransaction = "25P03" // for too long: the session has ended, and its transaction

// carefulFor is how many transactions do not hope after one that has hoped in vain: who
// sends the same requests again and again costs one in a thousand.
const carefulFor = 1000

// errHopedInVain says that a row is there already or is no longer as it was, or that
// another sealing key is wanted, in a transaction that had hoped for none of it: it is run
// again, and looks.
var errHopedInVain = errors.New("a row is there already or is no longer as it was, or the sealing key has changed")

func openPostgres(ctx context.Context, dsn, name string) (*postgresEngine, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The library's error may quote the URL, and with it the password.
		return nil, fmt.Errorf("open database: the PostgreSQL URL cannot be parsed")
	}
	if config.MaxConns < 8 {
		config.MaxConns = 8
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	// The server gives up a wait for a row before the client gives up the server:
	// then only the write that wants the row is refused. And it drops the locks of
	// a node that has gone without a word. All that requests and workers ask is found by
	// an index (plans_test.go): a plan that was made while a table was small, or before
	// anything was known of it, must not read it from end to end once it is large.
	for name, value := range map[string]string{"lock_timeout": "3s", "idle_in_transaction_session_timeout": "20s",
		"enable_seqscan": "off", "jit": "off"} {
		if config.ConnConfig.RuntimeParams[name] == "" {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	nameSessions(config.ConnConfig.RuntimeParams, name)
	if err := commitSafely(config.ConnConfig.RuntimeParams); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error { watchEnding(c); return nil }
	// One that died in the pool must not be taken: when all of a transaction is sent at
	// once, nobody can tell whether the connection was dead before.
	config.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool {
		return p.IdleDuration > time.Second || !quiet(p.Conn.PgConn().Conn())
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	e := &postgresEngine{pool: pool}
	e.most.Store(int64(transactionMost))
	return e, nil
}

// nameSessions names sessions, for all who look at pg_stat_activity. A name that the URL has
// given stands behind ours: PostgreSQL cuts off the end of a long one.
func nameSessions(parameters map[string]string, name string) {
	if given := parameters["application_name"]; name != "" && given != "" {
		name += ", " + given
	}
	if name != "" {
		parameters["application_name"] = name
	}
}

// commitSafely has the server answer a commit only when it is on disk, on its
// synchronous standby too, however the server is configured: one that forgets a
// commit forgets an acknowledged order, or that a payment was sent, and it is sent
// again.
func commitSafely(parameters map[string]string) error {
	switch given := parameters["synchronous_commit"]; given {
	case "":
		parameters["synchronous_commit"] = "on"
	case "on", "remote_apply":
	default:
		return fmt.Errorf("the PostgreSQL URL has synchronous_commit=%s: it must be on or remote_apply, or payments could be lost and repeated", given)
	}
	return nil
}

func (e *postgresEngine) ping(ctx context.Context) error { return e.pool.Ping(ctx) }

func (e *postgresEngine) close() error { e.pool.Close(); return nil }

// rotationLock is the number of the advisory lock of rotations.
const rotationLock = 7_061_796_881 // nobody else's, we hope: goose has another

// alone locks by a session of its own, which ends with the process.
func (e *postgresEngine) alone(ctx context.Context) (func() error, error) {
	session, err := pgx.ConnectConfig(ctx, e.pool.Config().ConnConfig)
	if err != nil {
		return nil, err
	}
	taken := false
	release := func() error {
		ctx := context.WithoutCancel(ctx)
		var err error
		if taken { // the server notices the end of a session a moment later
			_, err = session.Exec(ctx, "SELECT pg_advisory_unlock($1)", int64(rotationLock))
		}
		return errors.Join(err, session.Close(ctx))
	}
	err = session.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(rotationLock)).Scan(&taken)
	if err == nil && !taken {
		err = ErrAlone
	}
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// transactionMost is the longest time for a write transaction. A server that
// hangs is given up then: writers must not wait for ever.
const transactionMost = 20 * time.Second

// begin sends nothing: BEGIN goes with the first statement.
func (e *postgresEngine) begin() (conn, context.Context, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(e.most.Load()))
	if err := e.givenUp.goOn(ctx, e.pool); err != nil {
		cancel()
		return nil, nil, err
	}
	c, err := e.pool.Acquire(ctx)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	waiting := new(pgx.Batch)
	waiting.Queue("BEGIN")
	return &postgresConn{e: e, c: c, ending: endingOf(c), waiting: waiting, hopes: e.hopes(), cancel: cancel}, ctx, nil
}

// hopes tells whether a transaction that begins may hope.
func (e *postgresEngine) hopes() bool {
	if e.careful.Load() <= 0 {
		return true
	}
	e.careful.Add(-1)
	return false
}

// refused is true of what the server itself said, and of a commit that it
// turned into a rollback. A server that is going down may say so after it has
// committed, and one whose disk has failed a commit panics: the commit may be in its log,
// and there when it is up again. What the library says of a lost connection is no proof, not even
// pgconn.SafeToRetry: it has said so ("conn closed") of commits that were stored.
func (e *postgresEngine) refused(err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return !lastWords(said) && !strings.HasPrefix(said.Code, "57P") && !strings.HasPrefix(said.Code, "08")
	}
	return errors.Is(err, pgx.ErrTxCommitRollback)
}

// lastWords reports whether a session has ended with what the server said, in the middle
// of something; one that had been idle in its transaction has committed nothing.
func lastWords(said *pgconn.PgError) bool {
	severity := cmp.Or(said.SeverityUnlocalized, said.Severity)
	return severity == "PANIC" || severity == "FATAL" && said.Code != idleInTransaction
}

// again is true of serialization failures and deadlocks (PostgreSQL's class 40), and
// of hope in vain.
func (e *postgresEngine) again(err error) bool {
	var said *pgconn.PgError
	return errors.Is(err, errHopedInVain) || errors.As(err, &said) && (said.Code == "40001" || said.Code == "40P01")
}

// held is true of what again is true of, and of a lock that was waited for (55P03).
func (e *postgresEngine) held(err error) bool {
	var said *pgconn.PgError
	return e.again(err) || errors.As(err, &said) && said.Code == "55P03"
}

// passes is true of what stands in the way for a while: other transactions and their
// locks, a server short of something (class 53), one that takes no writes, because it
// is a standby or its disk is full (25006), one whose disk failed a read or a write
// (58030), somebody who has cancelled the statement (57014), and a node that was stopped in
// the middle (25P03).
func (e *postgresEngine) passes(err error) bool {
	if e.held(err) {
		return true
	}
	var said *pgconn.PgError
	return errors.As(err, &said) && (slices.Contains([]string{"25006", "58030", "57014", idleInTransaction}, said.Code) || strings.HasPrefix(said.Code, "53"))
}

func (e *postgresEngine) text(sql string) string {
	if text, ok := e.texts.Load(sql); ok {
		return text.(string)
	}
	text := postgresDialect.sql(sql)
	e.texts.Store(sql, text)
	return text
}

func (e *postgresEngine) useNonces(ctx context.Context, tx conn, nonces []*Nonce, used func(int)) error {
	return storeNonces(ctx, tx, nonces, used)
}

// useSoon is never ok: other nodes must see a nonce before it is used.
func (e *postgresEngine) useSoon(*Nonce) (used, ok bool) { return false, false }

func (e *postgresEngine) waitSoon() bool { return false }

func (e *postgresEngine) forgetNonces(time.Time) {}

// A postgresConn is a write transaction. A round trip costs both sides more than a
// row, so statements wait until somebody wants to know what became of them, and then
// go together. The server leaves out what stands behind one that fails, COMMIT too.
type postgresConn struct {
	e       *postgresEngine
	c       *pgxpool.Conn // nil when the transaction has ended
	ending  *ending
	waiting *pgx.Batch // what was not sent yet
	begun   bool       // BEGIN was sent
	hopes   bool       // see rowSet.hopeful; and the sealing key is hoped to be the same
	hoped   bool       // some were sent, or the key
	cancel  context.CancelFunc
}

func (c *postgresConn) flush(ctx context.Context) error {
	if c.hopes || c.empty() { // BEGIN alone can wait
		return nil
	}
	return c.send(ctx)
}

// empty reports whether nothing was sent, and nothing waits for it.
func (c *postgresConn) empty() bool { return !c.begun && c.waiting.Len() == 1 }

// send sends what waits and reads what became of it.
func (c *postgresConn) send(ctx context.Context) error {
	batch := c.waiting
	if batch.Len() == 0 {
		return nil
	}
	c.waiting, c.begun = new(pgx.Batch), true
	err := c.c.SendBatch(ctx, batch).Close()
	var said *pgconn.PgError
	if c.hoped && errors.As(err, &said) && (said.Code == uniqueViolation || said.Code == invalidText) {
		c.e.careful.Store(carefulFor)
		err = fmt.Errorf("%w: %w", errHopedInVain, err)
	}
	return err
}

func (c *postgresConn) exec(ctx context.Context, sql string, args ...any) (affected int64, err error) {
	c.waiting.Queue(c.e.text(sql), args...).Exec(func(tag pgconn.CommandTag) error {
		affected = tag.RowsAffected()
		return nil
	})
	err = c.send(ctx)
	return affected, err
}

func (c *postgresConn) each(ctx context.Context, text string, args [][]any) (affected []int64, err error) {
	if len(args) == 0 {
		return nil, nil
	}
	if err = c.later(ctx, text, args, func(n []int64) { affected = n }); err == nil {
		err = c.send(ctx)
	}
	return affected, err
}

// later sends a statement once for all rows: see rows.go.
func (c *postgresConn) later(_ context.Context, text string, args [][]any, told func([]int64)) error {
	if len(args) == 0 {
		return nil
	}
	arrays, types, err := columns(args)
	if err != nil {
		return err
	}
	set := c.e.rowSet(text, types)
	if c.hopes && set.hopeful != "" {
		c.hoped = true
		c.waiting.Queue(set.hopeful, arrays...).Exec(func(pgconn.CommandTag) error {
			if told != nil {
				told(slices.Repeat([]int64{1}, len(args)))
			}
			return nil
		})
		return nil
	}
	c.waiting.Queue(set.text, arrays...).Query(func(found pgx.Rows) error {
		affected, err := set.affected(found, args)
		if err == nil && told != nil {
			told(affected)
		}
		return err
	})
	return nil
}

// affected reads which rows a statement has affected.
func (s rowSet) affected(found pgx.Rows, args [][]any) ([]int64, error) {
	affected := make([]int64, len(args))
	switch {
	case s.update:
		var number int64
		for found.Next() {
			if err := found.Scan(&number); err != nil {
				return nil, err
			}
			affected[number-1] = 1
		}
	case len(s.keys) > 0:
		if err := noteStored(found, s.keys, args, affected); err != nil {
			return nil, err
		}
	default:
		found.Close()
	}
	return affected, found.Err()
}

// noteStored finds the rows that an INSERT has stored again by their keys. Of
// two with the same key the first was stored.
func noteStored(found pgx.Rows, keys []int, args [][]any, affected []int64) error {
	var key []byte
	var err error
	first := make(map[string]int, len(args))
	for n, row := range args {
		key = key[:0]
		for _, argument := range keys {
			if key, err = appendKey(key, row[argument]); err != nil {
				return err
			}
		}
		if _, twice := first[string(key)]; !twice {
			first[string(key)] = n
		}
	}
	for found.Next() {
		values, err := found.Values()
		if err != nil {
			return err
		}
		key = key[:0]
		for _, value := range values {
			if key, err = appendKey(key, value); err != nil {
				return err
			}
		}
		n, ok := first[string(key)]
		if !ok {
			return errors.New("the database has stored a row that was not given")
		}
		affected[n] = 1
	}
	return nil
}

// rowSet is a statement for all rows at once. The types of a statement's
// arguments are always the same.
func (e *postgresEngine) rowSet(text string, types []string) rowSet {
	if set, ok := e.sets.Load(text); ok {
		return set.(rowSet)
	}
	set := allRows(postgresDialect.sql(text), types)
	e.sets.Store(text, set)
	return set
}

func (c *postgresConn) query(ctx context.Context, sql string, args ...any) (rows, error) {
	if err := c.send(ctx); err != nil {
		return nil, err
	}
	return c.c.Query(ctx, c.e.text(sql), args...)
}

// sealingKeyLock is the number of the advisory lock that those who store sealed
// values share, and that who changes the sealing key has alone. A lock of its row
// would do, but each batch would write it; and there may be no row yet.
const sealingKeyLock = rotationLock + 1

// holdKey sends two statements. They must be two: one statement sees what was
// committed before it began, and not what it has waited for.
func (c *postgresConn) holdKey(ctx context.Context) (vault.KeyID, error) {
	var id int64
	c.waiting.Queue("SELECT pg_advisory_xact_lock_shared($1)", int64(sealingKeyLock))
	c.waiting.Queue(readSealingKey, sealingKey).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&id); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	if err := c.send(ctx); err != nil {
		return 0, fmt.Errorf("read sealing key: %w", err)
	}
	return vault.KeyID(id), nil
}

// hopedForKey fails when another sealing key than $2 is wanted: what is made a number then
// is the text that the server's log shows.
const hopedForKey = `SELECT CAST(CASE WHEN count(*) = 0 THEN '0' ELSE 'another sealing key is wanted' END AS BIGINT)
	FROM counters WHERE name = $1 AND next <> $2`

// hopeForKey sends two statements as holdKey does, and not at once.
func (c *postgresConn) hopeForKey(id vault.KeyID) bool {
	if c.hopes {
		c.hoped = true
		c.waiting.Queue("SELECT pg_advisory_xact_lock_shared($1)", int64(sealingKeyLock))
		c.waiting.Queue(hopedForKey, sealingKey, int64(id))
	}
	return c.hopes
}

func (c *postgresConn) changeKey(ctx context.Context) error {
	_, err := c.exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(sealingKeyLock))
	return err
}

func (c *postgresConn) relax() { c.waiting.Queue("SET LOCAL synchronous_commit = off") }

func (c *postgresConn) commit(ctx context.Context) error {
	if c.empty() {
		c.end()
		return nil
	}
	c.ending.begins(c.waiting)
	c.waiting.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() == "ROLLBACK" { // a statement had failed before
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	err := c.send(ctx)
	connection := c.c.Conn()
	if connection.IsClosed() { // the library is about to cancel what runs there, and must not
		if ctx.Err() != nil {
			c.e.givenUp.add(connection.PgConn().PID())
		}
		return err
	}
	warning := c.ending.ended()
	if err != nil {
		return err
	}
	c.end()
	if warning != nil {
		return fmt.Errorf("%w: %s", errUnreplicated, warning.Message)
	}
	return nil
}

// rollback ends a transaction that was not committed; after commit it does nothing.
func (c *postgresConn) rollback() {
	if c.c == nil {
		return
	}
	if c.begun && !c.c.Conn().IsClosed() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		// A broken connection cannot roll back, and need not: the server does.
		_, _ = c.c.Exec(ctx, "ROLLBACK")
		cancel()
	}
	c.end()
}

// end gives the connection back; the pool closes one whose transaction has not ended.
func (c *postgresConn) end() {
	c.cancel()
	c.c.Release()
	c.c = nil
}

func (e *postgresEngine) reader() querier { return postgresReader{e} }

type postgresReader struct{ e *postgresEngine }

// query gives up a server that hangs. A context that has ended gives up its place in
// the queue for a connection; a question that was sent is heard out, because ending
// it would end its connection, and a crowd of callers who give up would end them all.
func (r postgresReader) query(ctx context.Context, sql string, args ...any) (rows, error) {
	waiting, cancel := context.WithTimeout(ctx, readMost)
	connection, err := r.e.pool.Acquire(waiting)
	cancel()
	if err != nil {
		return nil, unread(err)
	}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), readMost)
	found, err := connection.Query(asking, r.e.text(sql), args...)
	if err != nil {
		cancel()
		connection.Release()
		return nil, unread(err)
	}
	return heldRows{found, func() { cancel(); connection.Release() }}, nil
}

func (e *postgresEngine) patient() querier { return patientReader{e} }

// A patientReader hears a question out however long it takes, and ends it with its
// context; then its connection ends too.
type patientReader struct{ e *postgresEngine }

func (r patientReader) query(ctx context.Context, sql string, args ...any) (rows, error) {
	found, err := r.e.pool.Query(ctx, r.e.text(sql), args...)
	if err != nil {
		return nil, unread(err)
	}
	return heldRows{found, func() {}}, nil
}

// unread makes the error of a read ErrUnavailable unless the server has answered
// the question itself.
func unread(err error) error {
	var said *pgconn.PgError
	var unconnected *pgconn.ConnectError
	switch {
	case err == nil, errors.Is(err, context.Canceled): // the caller has gone
		return err
	case errors.As(err, &said) && !errors.As(err, &unconnected) && !lastWords(said) && !strings.HasPrefix(said.Code, "57P"):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// heldRows give back their connection when they are closed.
type heldRows struct {
	pgx.Rows
	release func()
}

// Err tells what ended the rows.
func (r heldRows) Err() error { return unread(r.Rows.Err()) }

// Close ends the read.
func (r heldRows) Close() {
	r.Rows.Close()
	r.release()
}
