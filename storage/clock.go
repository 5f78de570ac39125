package storage

import (
	"context"
	"fmt"
	"time"
)

// Clock tells what time it is at the database server; zero for SQLite, which
// has no clock of its own.
func (db *DB) Clock(ctx context.Context) (time.Time, error) {
	if _, ok := db.engine.(*postgresEngine); !ok {
		return time.Time{}, nil
	}
	var at int64
	err := readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&at) },
		"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT")
	if err != nil {
		return time.Time{}, fmt.Errorf("read the clock of the database: %w", err)
	}
	return fromUS(at), nil
}

// Shared reports whether other machines can use the database too: PostgreSQL, not
// SQLite.
func (db *DB) Shared() bool {
	_, postgres := db.engine.(*postgresEngine)
	return postgres
}
