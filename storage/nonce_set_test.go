package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"payout"
)

func shortNonce(i byte) *Nonce {
	now := time.Now()
	return &Nonce{PartyID: 7, Timestamp: now.Unix(), Hash: bytes.Repeat([]byte{i}, 16), Expires: now.Add(10 * time.Minute)}
}

func withRequest(n *Nonce) Acceptance {
	return Acceptance{Now: time.Now(), Nonce: n, Request: &payout.Request{Serial: payout.SerialNumber(n.Hash[0]), At: time.Now()}}
}

// A nonce whose commit has failed is fresh; one whose commit ended with an error
// although it was stored is not.
func TestNonceInMemoryIsFreshUnlessItIsStored(t *testing.T) {
	for _, stored := range []bool{false, true} {
		db, sick := openSick(t)
		sick.set(func(e *sickEngine) {
			if e.after = errSick; !stored {
				e.before, e.after = errSick, nil
			}
		})
		accept := func(n Nonce) (Accepted, error) { return db.Accept(withRequest(&n)) }
		nonce := *shortNonce(1) // with the same timestamp both times
		if _, err := accept(nonce); !errors.Is(err, ErrUnknown) {
			t.Fatalf("stored %v: %v", stored, err)
		}
		sick.set(func(e *sickEngine) { e.before, e.after = nil, nil })
		if got, err := accept(nonce); err != nil || got.NonceUsed != stored {
			t.Errorf("stored %v: %+v, %v", stored, got, err)
		}
	}
}

// A question is answered without a commit, and its nonce is stored within a moment,
// also when the disk has refused it at first. While an order is being stored, and when
// too many wait, a question waits for a commit.
func TestQuestionsNonceIsUsedAtOnceAndStoredSoon(t *testing.T) {
	db, sick := openSick(t)
	question := func(i byte) (Accepted, error) { return db.Accept(Acceptance{Now: time.Now(), Nonce: shortNonce(i)}) }
	if _, err := question(1); err != nil { // reads what is stored
		t.Fatal(err)
	}
	set := &sick.engine.(*sqliteEngine).nonces
	sick.set(func(e *sickEngine) { e.beginErr = errSick })
	if got, err := question(2); err != nil || got.NonceUsed || !db.engine.waitSoon() {
		t.Fatalf("on a sick disk: %+v, %v, waits: %v", got, err, db.engine.waitSoon())
	}
	db.commits.orders.Add(1)
	if _, err := question(3); !errors.Is(err, ErrUnavailable) {
		t.Errorf("beside an order that is being stored: %v", err)
	}
	db.commits.orders.Add(-1)
	for what, sickness := range map[string]func(bool){
		"after a store that failed":           func(is bool) { db.soon.mu.Lock(); db.soon.failed = is; db.soon.mu.Unlock() },
		"after a commit that the disk failed": func(is bool) { sick.engine.(*sqliteEngine).unsettled.Store(is) },
	} {
		sickness(true)
		if _, err := question(3); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
		sickness(false)
	}
	set.mu.Lock()
	for range soonMost - 1 {
		set.soon = append(set.soon, set.soon[0])
	}
	set.mu.Unlock()
	if _, err := question(3); !errors.Is(err, ErrUnavailable) {
		t.Errorf("when too many wait: %v", err)
	}
	set.mu.Lock()
	set.soon = set.soon[:1]
	set.mu.Unlock()
	if err := db.storeWaiting(); !errors.Is(err, ErrUnavailable) || !db.engine.waitSoon() {
		t.Errorf("refused, it does not wait any more: %v", err)
	}
	sick.set(func(e *sickEngine) { e.beginErr = nil })
	if err := db.storeWaiting(); err != nil || db.engine.waitSoon() {
		t.Errorf("stored, it still waits: %v", err)
	}
	stored := 0
	err := readAll(t.Context(), db.engine.reader(), func(r rows) error {
		var batch []byte
		if err := r.Scan(&batch); err != nil {
			return err
		}
		return eachNonce(batch, time.Time{}, func(n *Nonce) { stored++ })
	}, "SELECT nonces FROM nonce_batches")
	if err != nil || stored != 2 {
		t.Errorf("%d nonces are stored, want 2 (%v)", stored, err)
	}
}

// An awayEngine tells when it was asked to begin, and never does.
type awayEngine struct {
	engine
	asked chan time.Time
}

func (e *awayEngine) begin() (conn, context.Context, error) {
	e.asked <- time.Now()
	return nil, nil, errSick
}

func (e *awayEngine) again(error) bool { return false }
func (e *awayEngine) waitSoon() bool   { return true }

// What no other commit stores before is stored by the timer, which tries until it
// succeeds, and by closing.
func TestTimerStoresWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &awayEngine{asked: make(chan time.Time, 10)}
		db := &DB{engine: e, commits: startCommitter(e, nil, sqlitePace)}
		began := time.Now()
		for range 3 {
			db.storeSoon() // the same timer
		}
		for i := range 3 {
			if got, want := (<-e.asked).Sub(began), time.Duration(i+1)*soonAfter; got != want {
				t.Errorf("try %d after %s, want %s", i, got, want)
			}
		}
		synctest.Wait()
		db.stopSoon()
		db.commits.stop()
		if got := len(e.asked); got != 1 {
			t.Errorf("%d tries when it is closed, want one", got)
		}
		db.storeSoon()
		time.Sleep(2 * soonAfter)
		if got := len(e.asked); got != 1 {
			t.Errorf("%d tries after it was closed", got-1)
		}
	})
}

// Closing waits for the store that the timer has begun, and then stores what is left.
func TestClosingWaitsForWhatTheTimerStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &awayEngine{asked: make(chan time.Time)} // begin hangs until somebody reads
		db := &DB{engine: e, commits: startCommitter(e, nil, sqlitePace)}
		db.storeSoon()
		time.Sleep(soonAfter)
		synctest.Wait()
		for range 3 {
			db.storeSoon() // one is under way
		}
		var closed atomic.Bool
		go func() { db.stopSoon(); closed.Store(true) }()
		for i := range 2 {
			if synctest.Wait(); closed.Load() {
				t.Errorf("closed after %d of 2 stores", i)
			}
			<-e.asked
		}
		if synctest.Wait(); !closed.Load() {
			t.Error("it does not close")
		}
		db.commits.stop()
	})
}

// A row that cannot be read may hold any nonce: nothing that has one is accepted.
func TestRowOfNoncesThatCannotBeReadIsNotPassedOver(t *testing.T) {
	db, _ := openSick(t)
	if err := db.Transact(t.Context(), time.Now(), func(tx *Tx) error {
		_, err := tx.conn.exec(tx.ctx, "INSERT INTO nonce_batches (id, timestamp_s, expires_us, number, nonces) VALUES (1, 1, 1, 1, $1)", []byte{1})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := db.Accept(withRequest(shortNonce(1))); !errors.Is(err, errNonceBatch) {
			t.Errorf("accepted: %v", err)
		}
	}
}

func TestNonceBatchIsReadAsItWasWrittenOrNotAtAll(t *testing.T) {
	want := []*Nonce{{PartyID: 1, Timestamp: 1700000000, Hash: []byte("0123456789abcdef")}, {PartyID: 1 << 40, Timestamp: -1, Hash: []byte{}}}
	batch := appendNonce(appendNonce(nil, want[0]), want[1])
	for end := range len(batch) + 1 {
		var got []*Nonce
		err := eachNonce(batch[:end], time.Time{}, func(n *Nonce) { got = append(got, n) })
		whole := end == 0 || end == len(batch) || end == len(appendNonce(nil, want[0]))
		if whole != (err == nil) {
			t.Errorf("of %d bytes %d: %v", len(batch), end, err)
		}
		for i, n := range got {
			if n.PartyID != want[i].PartyID || n.Timestamp != want[i].Timestamp || !bytes.Equal(n.Hash, want[i].Hash) {
				t.Errorf("of %d bytes %d: nonce %d is %+v", len(batch), end, i, n)
			}
		}
		if end == len(batch) && len(got) != 2 {
			t.Errorf("%d nonces", len(got))
		}
	}
}

// What memory does not keep for long leaves nothing there.
func TestNoncesThatAreKeptForLongAreNotInMemory(t *testing.T) {
	db, sick := openSick(t)
	n := shortNonce(1)
	n.Expires = n.Expires.AddDate(1, 0, 0)
	if got, err := db.Accept(withRequest(n)); err != nil || got.NonceUsed {
		t.Fatal(got, err)
	}
	if set := &sick.engine.(*sqliteEngine).nonces; len(set.seconds) != 0 || !set.rows {
		t.Errorf("%d seconds in memory, rows to search: %v", len(set.seconds), set.rows)
	}
}

func BenchmarkNonceSet(b *testing.B) {
	s := newNonceSet()
	n := shortNonce(1)
	for i := 0; b.Loop(); i++ {
		n.Timestamp, n.Hash[0], n.Hash[1], n.Hash[2] = int64(i/17000), byte(i), byte(i>>8), byte(i>>16)
		if !s.use(n) {
			b.Fatal(i)
		}
	}
}

// What is stored must mean the same to the next version: the number of a nonce is that of
// its party and hash, and of nothing else.
func TestNumberOfANonceIsOfItsPartyAndHash(t *testing.T) {
	hash := []byte("0123456789abcdef")
	n := &Nonce{PartyID: 7, Timestamp: 1700000000, Hash: hash, Expires: time.Unix(1, 0)}
	sum := sha256.Sum256(append([]byte{0, 0, 0, 0, 0, 0, 0, 7}, hash...))
	if got, want := n.number(), int64(binary.BigEndian.Uint64(sum[:8])); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if other := (&Nonce{PartyID: 7, Timestamp: 1, Hash: hash}); other.number() != n.number() {
		t.Error("it depends on the timestamp, which has a column of its own")
	}
	for _, other := range []*Nonce{{PartyID: 8, Hash: hash}, {PartyID: 7, Hash: hash[:15]}, {PartyID: 7, Hash: []byte("0123456789abcdeF")}} {
		if other.number() == n.number() {
			t.Errorf("party %d with %q has the same number", other.PartyID, other.Hash)
		}
	}
}
