package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"payout"
)

// restoredCounter is the counter of the id below which orders come from a restored backup.
const restoredCounter = "restored"

// serialsPerOrder is how much further serial-numbers are moved on than ids of orders:
// each request takes one, also those that only ask.
const serialsPerOrder = 100

// Restored notes that the database is a restored backup. What has happened since it was
// made is not in it: the numbers that were given out since are skipped, supposed that it
// were fewer than skip (of serial-numbers a hundred times as many), and running gateways
// learn which orders may have been sent since (Directory.RestoredBelow). Noted again, it
// does no harm but to skip more. It tells the next order's id and serial-number.
func (tx *Tx) Restored(skip int64) (next payout.OrderID, serial payout.SerialNumber, err error) {
	for _, counter := range []struct {
		name string
		skip int64
		next any
	}{{"order", skip, &next}, {"serial", skip * serialsPerOrder, &serial}, {"callback", skip, new(int64)}} {
		err := readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(counter.next) },
			"UPDATE counters SET next = next + $1 WHERE name = $2 RETURNING next", counter.skip, counter.name)
		if err != nil {
			return 0, 0, fmt.Errorf("move on the %s numbers: %w", counter.name, err)
		}
	}
	_, err = tx.conn.exec(tx.ctx, `INSERT INTO counters (name, next) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET next = excluded.next`, restoredCounter, int64(next))
	if err != nil {
		return 0, 0, fmt.Errorf("note which orders were restored: %w", err)
	}
	return next, serial, tx.changed()
}

// Unsent lists the orders that, as far as the database knows, are not with a rail and
// could still be sent.
func (db *DB) Unsent(ctx context.Context) (ids []payout.OrderID, err error) {
	err = readAll(ctx, db.engine.patient(), func(r rows) error {
		var id payout.OrderID
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT id FROM orders WHERE due_us > 0 AND (stage = 'at_form' OR stage = 'checking' OR stage = 'held' OR stage = 'starting')`)
	if err != nil {
		return nil, fmt.Errorf("list orders that were not sent: %w", err)
	}
	return ids, nil
}

// serving is the name of the sessions of a gateway that serves, or begins it: see nameSessions.
const serving = "payoutd serve"

// Serving reports whether nodes work on the database: one that shares gates for this life,
// or that has it open (OpenToServe), though it has no gate, or is not fit to serve: it has
// numbers of orders that it may give out. On SQLite it cannot be seen here: see HeldByOthers.
func (db *DB) Serving(ctx context.Context, life time.Duration) (serves bool, err error) {
	if !db.Shared() {
		return false, nil
	}
	// What seems to live for long has been stored by a server whose clock was ahead. Everybody
	// may see the names of all sessions.
	err = readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&serves) }, `SELECT
		EXISTS (SELECT FROM gate_shares WHERE expires_us > `+serverNow+" AND expires_us <= "+serverNow+` + 2 * CAST($1 AS BIGINT))
		OR EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name ~ $2)`,
		life.Microseconds(), "^"+serving+"(,|$)")
	if err != nil {
		return false, fmt.Errorf("look whether nodes serve: %w", err)
	}
	return serves, nil
}

// HeldByOthers reports whether another process has an SQLite database open, as a gateway
// that serves has. It is asked before Open; of PostgreSQL it is never true: see Serving.
func HeldByOthers(ctx context.Context, database string) (held bool, err error) {
	if IsPostgres(database) {
		return false, nil
	}
	path := strings.TrimPrefix(database, "sqlite:")
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: url.Values{"_pragma": {"locking_mode(EXCLUSIVE)"}}.Encode()}).String())
	if err != nil {
		return false, fmt.Errorf("look whether the database is in use: %w", err)
	}
	// With a log, every connection shares the lock that this read wants alone.
	_, err = db.ExecContext(ctx, "SELECT count(*) FROM sqlite_master")
	if held = codeOf(err) == sqlite3.SQLITE_BUSY; held {
		err = nil
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return false, fmt.Errorf("look whether the database is in use: %w", err)
	}
	return held, nil
}
