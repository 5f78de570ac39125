package storage

import (
	"context"
	"fmt"
	"time"
)

// serverNow is PostgreSQL's clock, in microseconds since 1970.
const serverNow = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

// Clock tells what time it is at the database server; zero for SQLite, which
// has no clock of its own.
func (db *DB) Clock(ctx context.Context) (time.Time, error) {
	return db.clock(ctx, db.engine.reader())
}

func (db *DB) clock(ctx context.Context, q querier) (time.Time, error) {
	if !db.Shared() {
		return time.Time{}, nil
	}
	var at int64
	err := readOne(ctx, q, func(r rows) error { return r.Scan(&at) },
		"SELECT "+serverNow)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock of the database: %w", err)
	}
	return fromUS(at), nil
}

// clocks are the transaction's Now and the database's clock, the earlier one and the
// later one: where nodes share a database, one whose own clock is off must not decide
// alone what is over, or how far away something is.
func (tx *Tx) clocks() (earlier, later time.Time, err error) {
	there, err := tx.db.clock(tx.ctx, tx.conn)
	switch {
	case err != nil:
		return time.Time{}, time.Time{}, err
	case there.IsZero():
		return tx.Now, tx.Now, nil
	case there.Before(tx.Now):
		return there, tx.Now, nil
	}
	return tx.Now, there, nil
}

// Shared reports whether other machines can use the database too: PostgreSQL, not
// SQLite.
func (db *DB) Shared() bool {
	_, postgres := db.engine.(*postgresEngine)
	return postgres
}
