package storage

import (
	"fmt"
	"sync"
	"time"

	"payout"
)

// Numbers taken from the database at once: by a process that has just started, and
// at most. Each block is twice as large as the one before it: who needs many soon
// writes for them rarely.
const (
	blockFirst = 1000
	blockMost  = 64 * blockFirst
)

// A block is a range of numbers that belongs to this process. What is left of
// it when the process ends is skipped: numbers are never repeated.
type block struct {
	name      string
	hurried   bool // who takes numbers is a new request, which does not wait without end
	mu        sync.Mutex
	next, end int64
	size      int64          // of the block to be fetched; 0 is blockFirst
	fetch     *fetch         // under way, or nil
	fetching  sync.WaitGroup // who gave up waiting does not end the fetch
}

// A fetch takes the next block from the database, for all who wait: when the
// database hangs, they are told together and do not try one after the other.
type fetch struct {
	done chan struct{}
	err  error // valid when done is closed
}

// take waits for a block as long as the database takes; a number for a new request
// has a limit, as its commit has.
func (b *block) take(db *DB) (int64, error) {
	for {
		n, wait, mine := b.try()
		switch {
		case wait == nil:
			return n, nil
		case mine:
			b.fetching.Go(func() { b.finish(wait, db) })
		}
		if !b.await(wait, db) {
			return 0, fmt.Errorf("%w: it has given no %s numbers in time", ErrUnavailable, b.name)
		}
		if wait.err != nil { // whatever became of the block: nobody has a number of it
			return 0, fmt.Errorf("%w: take %s numbers: %v", ErrUnavailable, b.name, wait.err)
		}
	}
}

// await reports whether the fetch has ended in time.
func (b *block) await(f *fetch, db *DB) bool {
	if !b.hurried {
		<-f.done
		return true
	}
	patience := time.NewTimer(time.Duration(db.commits.waitMost.Load()))
	defer patience.Stop()
	select {
	case <-f.done:
		return true
	case <-patience.C:
		return false
	}
}

// try takes a number if there is one, else joins or begins a fetch.
func (b *block) try() (n int64, wait *fetch, mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next < b.end {
		b.next++
		return b.next - 1, nil, false
	}
	if b.fetch == nil {
		b.fetch, mine = &fetch{done: make(chan struct{})}, true
	}
	return 0, b.fetch, mine
}

func (b *block) finish(f *fetch, db *DB) {
	size := max(b.size, blockFirst) // nobody else changes it during a fetch
	end, err := db.nextBlock(b.name, size)
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.err = err; err == nil {
		b.next, b.end = end-size, end
		b.size = min(2*size, blockMost)
	}
	b.fetch = nil
	close(f.done)
}

// nextBlock moves a counter on and returns the end of the block before it.
func (db *DB) nextBlock(name string, size int64) (end int64, err error) {
	c, ctx, err := begin(db.engine)
	if err != nil {
		return 0, err
	}
	defer c.rollback()
	err = readOne(ctx, c, func(r rows) error { return r.Scan(&end) },
		"UPDATE counters SET next = next + $1 WHERE name = $2 RETURNING next", size, name)
	if err != nil {
		return 0, err
	}
	return end, commit(ctx, db.engine, c)
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
