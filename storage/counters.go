package storage

import (
	"fmt"
	"sync"

	"payout"
)

const blockSize = 1000 // numbers taken from the database at once

// A block is a range of numbers that belongs to this process. What is left of
// it when the process ends is skipped: numbers are never repeated.
type block struct {
	name      string
	mu        sync.Mutex
	next, end int64
}

func (b *block) take(db *DB) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == b.end {
		c, ctx, err := begin(db.engine)
		if err != nil {
			return 0, fmt.Errorf("take %s numbers: %w", b.name, err)
		}
		defer c.rollback()
		var end int64
		err = readOne(ctx, c, func(r rows) error { return r.Scan(&end) },
			"UPDATE counters SET next = next + $1 WHERE name = $2 RETURNING next", int64(blockSize), b.name)
		if err != nil {
			return 0, fmt.Errorf("take %s numbers: %w", b.name, err)
		}
		if err := commit(ctx, db.engine, c); err != nil {
			return 0, fmt.Errorf("take %s numbers: %w", b.name, err)
		}
		b.next, b.end = end-blockSize, end
	}
	n := b.next
	b.next++
	return n, nil
}

// NextSerial takes the next serial-number.
func (db *DB) NextSerial() (payout.SerialNumber, error) {
	n, err := db.serials.take(db)
	return payout.SerialNumber(n), err
}

// NextOrderID takes the next paynet-order-id.
func (db *DB) NextOrderID() (payout.OrderID, error) {
	n, err := db.orders.take(db)
	return payout.OrderID(n), err
}
