package storage

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// A nonceSet has the nonces of an SQLite database in memory. There they are found at
// once, and the database need not be searched: a commit stores its nonces in one row.
// Rows of another process are read before a commit stores its own, so that the set
// lacks nothing that is stored.
//
// What is kept for long would fill the memory: those nonces have rows of their own in
// the table nonces.
type nonceSet struct {
	seed maphash.Seed

	mu      sync.Mutex
	seconds map[int64]*nonceSecond // by oauth_timestamp
	soon    []*Nonce               // used, and to be stored with the next commit
	loaded  bool                   // it was read from the database
	rows    bool                   // the table nonces may have some: it must be searched too

	// The writer alone uses these.
	stale bool  // others may have written since the set was read
	last  int64 // the newest row that is in the set
	taken taken // by the transaction that runs
}

// A nonceSecond is the nonces of one oauth_timestamp: a keyed hash of party and nonce,
// 64 bits each. Two of them being the same by chance would refuse a request: once in
// 10^14 requests when there are a hundred thousand in a second.
type nonceSecond struct {
	seen    map[[8]byte]struct{} // not uint64, whose places in a map take twice the memory
	expires time.Time            // the last one
}

const (
	// longestInMemory is how long after its timestamp a nonce may expire and be kept in
	// memory. It takes about 20 bytes.
	longestInMemory = time.Hour
	// soonMost is how many nonces wait for a commit before the next ones do so
	// themselves: when the disk takes no commits, they must not fill the memory.
	soonMost = 10000
)

// taken is what a transaction has changed in the set, until it ends.
type taken struct {
	fresh []*Nonce
	long  []*Nonce // in the set until the table nonces has them
	soon  []*Nonce
	row   int64 // that stores fresh and soon; 0: none
}

func newNonceSet() nonceSet {
	return nonceSet{stale: true, seed: maphash.MakeSeed(), seconds: make(map[int64]*nonceSecond)}
}

func (n *Nonce) long() bool { return n.Expires.Sub(time.Unix(n.Timestamp, 0)) > longestInMemory }

func (s *nonceSet) key(n *Nonce) (key [8]byte) {
	var place [64]byte
	binary.NativeEndian.PutUint64(key[:], maphash.Bytes(s.seed, append(binary.AppendVarint(place[:0], int64(n.PartyID)), n.Hash...)))
	return key
}

// use reports whether a nonce is fresh, and uses it.
func (s *nonceSet) use(n *Nonce) bool {
	second := s.seconds[n.Timestamp]
	if second == nil {
		second = &nonceSecond{seen: make(map[[8]byte]struct{})}
		s.seconds[n.Timestamp] = second
	}
	if n.Expires.After(second.expires) {
		second.expires = n.Expires
	}
	before := len(second.seen)
	second.seen[s.key(n)] = struct{}{}
	return len(second.seen) > before
}

func (s *nonceSet) remove(nonces []*Nonce) {
	for _, n := range nonces {
		if second := s.seconds[n.Timestamp]; second != nil {
			if delete(second.seen, s.key(n)); len(second.seen) == 0 {
				delete(s.seconds, n.Timestamp)
			}
		}
	}
}

// keep ends a transaction that was committed.
func (s *nonceSet) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.taken.long)
	s.last, s.taken = max(s.last, s.taken.row), taken{}
}

// giveBack ends a transaction that was not: its nonces are fresh again.
func (s *nonceSet) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.taken.fresh)
	s.remove(s.taken.long)
	s.soon = append(s.taken.soon, s.soon...)
	s.taken = taken{}
}

func (e *sqliteEngine) forgetNonces(now time.Time) {
	s := &e.nonces
	s.mu.Lock()
	defer s.mu.Unlock()
	for timestamp, second := range s.seconds {
		if !second.expires.After(now) {
			delete(s.seconds, timestamp)
		}
	}
}

func (e *sqliteEngine) useSoon(n *Nonce) (used, ok bool) {
	s := &e.nonces
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded || s.rows || n.long() || len(s.soon) >= soonMost || e.unsettled.Load() {
		return false, false
	}
	if !s.use(n) {
		return true, true
	}
	s.soon = append(s.soon, n)
	return false, true
}

func (e *sqliteEngine) waitSoon() bool {
	s := &e.nonces
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.soon) > 0
}

func (e *sqliteEngine) useNonces(ctx context.Context, tx conn, nonces []*Nonce, used func(int)) error {
	s := &e.nonces
	if len(nonces) == 0 && !e.waitSoon() {
		return nil
	}
	known, rows := make([]bool, len(nonces)), false
	if s.stale || s.rows {
		var err error
		if known, rows, err = s.read(ctx, tx, nonces); err != nil {
			return fmt.Errorf("read nonces: %w", err)
		}
		s.stale = false
	}
	var batch nonceBatch
	var numbers []int // of the long ones
	s.mu.Lock()
	s.loaded, s.rows = true, rows
	s.taken.soon, s.soon = s.soon, nil
	for _, n := range s.taken.soon {
		batch.add(n)
	}
	for i, n := range nonces {
		switch {
		case known[i] || !s.use(n):
			used(i)
		case n.long():
			s.rows, s.taken.long, numbers = true, append(s.taken.long, n), append(numbers, i)
		default:
			s.taken.fresh = append(s.taken.fresh, n)
			batch.add(n)
		}
	}
	s.mu.Unlock()
	if err := storeNonces(ctx, tx, s.taken.long, func(i int) { used(numbers[i]) }); err != nil {
		return err
	}
	return s.store(ctx, tx, &batch)
}

// read adds the rows that the set lacks, and looks whether the table nonces has some:
// then also which of those that are asked for.
func (s *nonceSet) read(ctx context.Context, tx conn, nonces []*Nonce) (known []bool, some bool, err error) {
	err = readAll(ctx, tx, func(r rows) error {
		var id, expires int64
		var batch []byte
		if err := r.Scan(&id, &expires, &batch); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := eachNonce(batch, fromUS(expires), func(n *Nonce) { s.use(n) }); err != nil {
			return fmt.Errorf("row %d of nonce_batches: %w", id, err)
		}
		s.last = id
		return nil
	}, "SELECT id, expires_us, nonces FROM nonce_batches WHERE id > $1 ORDER BY id", s.last)
	if err != nil {
		return nil, false, err
	}
	err = readAll(ctx, tx, func(rows) error { some = true; return nil }, "SELECT 1 FROM nonces LIMIT 1")
	known = make([]bool, len(nonces))
	for i := 0; some && err == nil && i < len(nonces); i++ {
		n := nonces[i]
		err = readAll(ctx, tx, func(rows) error { known[i] = true; return nil },
			"SELECT 1 FROM nonces WHERE timestamp_s = $1 AND nonce = $2", n.Timestamp, n.number())
	}
	return known, some, err
}

// A nonceBatch becomes a row of nonce_batches.
type nonceBatch struct {
	timestamp int64 // the oldest
	expires   time.Time
	number    int64
	nonces    []byte
}

func (b *nonceBatch) add(n *Nonce) {
	if b.number == 0 || n.Timestamp < b.timestamp {
		b.timestamp = n.Timestamp
	}
	if n.Expires.After(b.expires) {
		b.expires = n.Expires
	}
	b.number++
	b.nonces = appendNonce(b.nonces, n)
}

func (s *nonceSet) store(ctx context.Context, tx conn, b *nonceBatch) error {
	if b.number == 0 {
		return nil
	}
	s.taken.row = s.last + 1
	row := []any{s.taken.row, b.timestamp, us(b.expires), b.number, b.nonces}
	err := tx.later(ctx, "INSERT INTO nonce_batches (id, timestamp_s, expires_us, number, nonces) {{rows $1, $2, $3, $4, $5}}", [][]any{row}, nil)
	if err != nil {
		return fmt.Errorf("store nonces: %w", err)
	}
	return nil
}
