package storage

import "context"

// Exchange is what Reseal does after it has read: each exchange is an id, the
// new value and the one that was read.
func (db *DB) Exchange(ctx context.Context, c SealedColumn, exchanges [][]any) ([]int64, error) {
	return db.exchange(ctx, c, exchanges)
}
