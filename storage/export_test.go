package storage

import (
	"context"
	"time"
)

// Exchange is what Reseal does after it has read: each exchange is an id, the
// new value and the one that was read.
func (db *DB) Exchange(ctx context.Context, c SealedColumn, exchanges [][]any) ([]int64, error) {
	return db.exchange(ctx, c, exchanges)
}

// ConnectTimeout is how long a connection to a PostgreSQL server may take.
func ConnectTimeout(ctx context.Context, dsn string) (time.Duration, error) {
	e, err := openPostgres(ctx, dsn)
	if err != nil {
		return 0, err
	}
	return e.pool.Config().ConnConfig.ConnectTimeout, e.close()
}
