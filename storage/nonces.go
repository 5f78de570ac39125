package storage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"payout"
)

// A Nonce is an oauth_nonce that a party has used with a timestamp.
type Nonce struct {
	PartyID   payout.PartyID
	Timestamp int64     // oauth_timestamp
	Hash      []byte    // first 16 bytes of SHA-256 of the nonce
	Expires   time.Time // when it may be forgotten
}

// number is what is stored of a nonce beside its timestamp: the first 64 bits of SHA-256
// of the party and the hash. Two are the same by chance as seldom as in memory (see
// nonceSecond). Who looks for two can only have his own requests refused.
func (n *Nonce) number() int64 {
	var place [64]byte
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64(place[:0], uint64(n.PartyID)), n.Hash...))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// applyNonces stores the nonces of requests, and finds out which were used before.
func applyNonces(ctx context.Context, e engine, tx conn, accepts []*acceptOp) error {
	var with []*acceptOp
	var nonces []*Nonce
	for _, a := range accepts {
		if a.Nonce != nil {
			with, nonces = append(with, a), append(nonces, a.Nonce)
		}
	}
	return e.useNonces(ctx, tx, nonces, func(i int) { with[i].result.NonceUsed = true })
}

// soonAfter is when a nonce is stored at the latest that was to be stored soon.
const soonAfter = 100 * time.Millisecond

// A soonTimer has such nonces stored when no other commit does it before.
type soonTimer struct {
	mu      sync.Mutex
	timer   *time.Timer // nil: none is set, and none is storing
	failed  bool        // the last try
	stopped bool
	storing sync.WaitGroup
}

// useSoon uses a question's nonce without a commit of its own, where the engine can. A
// question changes nothing: when the process is killed before the nonce is stored,
// whoever has the signed question can ask it again. While orders are being stored,
// questions wait for their commits too: a party that polls at full speed would
// otherwise leave them no processor. So they do when nonces could not be stored.
func (db *DB) useSoon(n *Nonce) (used, ok bool) {
	if db.commits.orders.Load() > 0 || db.soon.failing() {
		return false, false
	}
	used, ok = db.engine.useSoon(n)
	if ok && !used {
		db.commits.metrics.Load().noncesStored(1)
		db.storeSoon()
	}
	return used, ok
}

func (t *soonTimer) failing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// storeSoon sets the timer, unless it is set.
func (db *DB) storeSoon() {
	t := &db.soon
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer == nil && !t.stopped {
		t.storing.Add(1)
		t.timer = time.AfterFunc(soonAfter, db.storeDue)
	}
}

// storeDue is the timer's: it stores what waits, and sets the timer for what came
// meanwhile or could not be stored.
func (db *DB) storeDue() {
	t := &db.soon
	defer t.storing.Done()
	err := db.storeWaiting()
	t.mu.Lock()
	t.timer, t.failed = nil, err != nil
	t.mu.Unlock()
	if db.engine.waitSoon() {
		db.storeSoon()
	}
}

// storeWaiting stores what waits to be stored soon.
func (db *DB) storeWaiting() error { return db.commits.submit(&op{accept: new(acceptOp)}) }

// stopSoon stores what waits, for the last time: as after a crash, what cannot be stored
// is forgotten.
func (db *DB) stopSoon() {
	t := &db.soon
	t.mu.Lock()
	t.stopped = true
	if t.timer != nil && t.timer.Stop() {
		t.storing.Done()
	}
	t.mu.Unlock()
	t.storing.Wait()
	if db.engine.waitSoon() {
		_ = db.storeWaiting()
	}
}

// storeNonces stores nonces in a row each, and tells by number which were there
// before. They go in by key order: two nodes that store the same ones do not deadlock.
func storeNonces(ctx context.Context, tx conn, nonces []*Nonce, used func(i int)) error {
	type row struct {
		timestamp, number int64
		of                int
	}
	ordered := make([]row, len(nonces))
	for i, n := range nonces {
		ordered[i] = row{n.Timestamp, n.number(), i}
	}
	slices.SortStableFunc(ordered, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.timestamp, b.timestamp), cmp.Compare(a.number, b.number))
	})
	args := make([][]any, len(nonces))
	for i, r := range ordered {
		args[i] = []any{r.timestamp, r.number, us(nonces[r.of].Expires)}
	}
	err := tx.later(ctx, `INSERT INTO nonces (timestamp_s, nonce, expires_us) {{rows $1, $2, $3}}
		ON CONFLICT (timestamp_s, nonce) DO NOTHING {{stored timestamp_s = $1, nonce = $2}}`, args,
		func(stored []int64) {
			for i, r := range ordered {
				if stored[i] == 0 {
					used(r.of)
				}
			}
		})
	if err != nil {
		return fmt.Errorf("store nonces: %w", err)
	}
	return nil
}

// forgetBatchesAtOnce is how many rows of nonce_batches are looked at in one transaction.
const forgetBatchesAtOnce = 100

// ForgetNonces deletes those of the limit oldest nonces that have expired, and
// tells how many it were. A nonce expires at most a window later than others of
// its timestamp, so what is left at the beginning does not stay long. Where nodes
// share them, one whose clock has jumped ahead forgets no more than the database's
// clock allows: the other nodes would take the same requests again.
func (tx *Tx) ForgetNonces(limit int) (deleted int64, err error) {
	defer func() {
		if err == nil {
			tx.db.commits.metrics.Load().noncesForgotten(deleted)
		}
	}()
	if deleted, err = tx.forgetBatches(); err != nil {
		return 0, fmt.Errorf("forget nonces: %w", err)
	}
	var timestamp, nonce int64 // of the last one that is looked at
	some := false
	err = readAll(tx.ctx, tx.conn, func(r rows) error { some = true; return r.Scan(&timestamp, &nonce) },
		"SELECT timestamp_s, nonce FROM nonces ORDER BY timestamp_s, nonce LIMIT $1", int64(limit))
	if err != nil {
		return 0, fmt.Errorf("look for expired nonces: %w", err)
	}
	if !some {
		return deleted, nil
	}
	expired, _, err := tx.clocks()
	if err != nil {
		return 0, err
	}
	rows, err := tx.conn.exec(tx.ctx, "DELETE FROM nonces WHERE (timestamp_s, nonce) <= ($1, $2) AND expires_us <= $3",
		timestamp, nonce, us(expired))
	if err != nil {
		return 0, fmt.Errorf("forget nonces: %w", err)
	}
	return deleted + rows, nil
}

// forgetBatches deletes those of the oldest rows of nonces that have expired, and tells
// how many nonces they had. The newest row stays, without its nonces: the number of the
// next one follows from it.
func (tx *Tx) forgetBatches() (nonces int64, err error) {
	tx.db.engine.forgetNonces(tx.Now)
	var last int64
	err = readOne(tx.ctx, tx.conn, func(r rows) error { return r.Scan(&last, &nonces) },
		`SELECT coalesce(max(id), 0), CAST(coalesce(sum(number), 0) AS BIGINT)
			FROM (SELECT id, expires_us, number FROM nonce_batches ORDER BY id LIMIT $1) AS oldest WHERE expires_us <= $2`,
		int64(forgetBatchesAtOnce), us(tx.Now))
	if err != nil || nonces == 0 {
		return 0, err
	}
	_, err = tx.conn.exec(tx.ctx, `DELETE FROM nonce_batches WHERE id <= $1 AND expires_us <= $2
			AND id < (SELECT max(id) FROM nonce_batches)`, last, us(tx.Now))
	if err != nil {
		return 0, err
	}
	_, err = tx.conn.exec(tx.ctx, "UPDATE nonce_batches SET number = 0, nonces = $3 WHERE id = $1 AND expires_us <= $2",
		last, us(tx.Now), []byte{})
	return nonces, err
}

// oldestNonce reads the oldest timestamp among the nonces; 0 when there is none.
func (db *DB) oldestNonce(ctx context.Context) (timestamp int64, err error) {
	err = readOne(ctx, db.engine.reader(), func(r rows) error { return r.Scan(&timestamp) },
		`SELECT coalesce(min(timestamp_s), 0) FROM (SELECT min(timestamp_s) AS timestamp_s FROM nonces
			UNION ALL SELECT timestamp_s FROM (SELECT timestamp_s FROM nonce_batches WHERE number > 0 ORDER BY id LIMIT 1) AS batch) AS oldest`)
	return timestamp, err
}

// appendNonce appends a nonce to those of a batch: its timestamp and party, each as a
// varint, the length of its hash, and the hash.
func appendNonce(batch []byte, n *Nonce) []byte {
	batch = binary.AppendVarint(batch, n.Timestamp)
	batch = binary.AppendVarint(batch, int64(n.PartyID))
	return append(append(batch, byte(len(n.Hash))), n.Hash...)
}

var errNonceBatch = errors.New("a row of nonces cannot be read")

// eachNonce calls a function with each nonce of a batch.
func eachNonce(batch []byte, expires time.Time, fn func(*Nonce)) error {
	for len(batch) > 0 {
		timestamp, n := binary.Varint(batch)
		if n <= 0 {
			return errNonceBatch
		}
		party, m := binary.Varint(batch[n:])
		if m <= 0 || len(batch) <= n+m {
			return errNonceBatch
		}
		length := int(batch[n+m])
		batch = batch[n+m+1:]
		if len(batch) < length {
			return errNonceBatch
		}
		fn(&Nonce{PartyID: payout.PartyID(party), Timestamp: timestamp, Hash: batch[:length], Expires: expires})
		batch = batch[length:]
	}
	return nil
}
