package storage_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

// nonceFor is a nonce that is kept for a time after its timestamp. SQLite keeps those of
// up to an hour in memory.
func nonceFor(kept time.Duration, name string) *storage.Nonce {
	return &storage.Nonce{PartyID: 1, Timestamp: noon.Unix(), Hash: []byte(name), Expires: noon.Add(kept)}
}

// use tells whether a nonce is fresh for a request that stores more than it, or for a
// question.
func use(t *testing.T, db *storage.DB, n *storage.Nonce, question bool) bool {
	t.Helper()
	a := storage.Acceptance{Now: noon, Nonce: n}
	if !question {
		serial, err := db.NextSerial()
		if err != nil {
			t.Fatal(err)
		}
		a.Request = &payout.Request{Serial: serial, PartyID: n.PartyID, At: noon}
	}
	got, err := db.Accept(a)
	if err != nil {
		t.Fatal(err)
	}
	return !got.NonceUsed
}

var nonceTimes = []time.Duration{time.Minute, time.Hour, time.Hour + time.Nanosecond, 100 * 365 * 24 * time.Hour}

// However long a nonce is kept, whatever request uses it, and however long the same
// nonce is kept when it comes again: it is used once.
func TestNonceIsUsedOnceHoweverLongItIsKeptAndWhateverItComesWith(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for i, first := range nonceTimes {
			for j, then := range nonceTimes {
				for _, questions := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
					name := fmt.Sprint(i, j, questions)
					if !use(t, db, nonceFor(first, name), questions[0]) {
						t.Errorf("%s: kept for %s, it was used before", name, first)
					}
					if use(t, db, nonceFor(then, name), questions[1]) {
						t.Errorf("%s: kept for %s and then %s, it was used twice", name, first, then)
					}
				}
			}
		}
	})
}

// Of requests that come at once with one nonce, orders and questions, one uses it.
func TestOneOfManyUsesANonce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for round, kept := range nonceTimes {
			var fresh atomic.Int32
			var all sync.WaitGroup
			for i := range 32 {
				all.Go(func() {
					if use(t, db, nonceFor(kept, fmt.Sprint("n", round)), i%2 == 0) {
						fresh.Add(1)
					}
				})
			}
			all.Wait()
			if n := fresh.Load(); n != 1 {
				t.Errorf("kept for %s, a nonce was used by %d", kept, n)
			}
		}
	})
}

// What another process has stored is used there; so it is after a restart, also what a
// question has used, which is stored when the database closes at the latest.
func TestNoncesHoldAcrossProcesses(t *testing.T) {
	for name, database := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) { nonceAcross(t, database(t)) })
	}
}

func nonceAcross(t *testing.T, database string) {
	db := storagetest.Open(t, database)
	for _, kept := range nonceTimes {
		beside, err := storage.Open(t.Context(), database, storagetest.Vault(t, db))
		if err != nil {
			t.Fatal(err)
		}
		for i, question := range []bool{false, true} {
			name := fmt.Sprint(kept, i)
			if !use(t, db, nonceFor(kept, "here"+name), false) || use(t, beside, nonceFor(kept, "here"+name), false) {
				t.Errorf("%s: another process takes what this one has stored", name)
			}
			if !use(t, beside, nonceFor(kept, "there"+name), false) || use(t, db, nonceFor(kept, "there"+name), false) {
				t.Errorf("%s: this process takes what another one has stored", name)
			}
			if !use(t, beside, nonceFor(kept, "closed"+name), question) {
				t.Errorf("%s: a fresh nonce was refused", name)
			}
		}
		if err := beside.Close(); err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			if use(t, db, nonceFor(kept, fmt.Sprint("closed", kept, i)), false) {
				t.Errorf("kept for %s, %d: what a closed process had used is taken", kept, i)
			}
		}
	}
}

// SQLite's nonces of a commit expire together, the newest row stays for the number of
// the next one, and what has expired is forgotten by memory too.
func TestForgottenNoncesAreFreshAgainAtTheirMoment(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		forget := func(at time.Time) (deleted int64) {
			t.Helper()
			for {
				var n int64
				err := db.Transact(t.Context(), at, func(tx *storage.Tx) (err error) {
					n, err = tx.ForgetNonces(10)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if deleted += n; n == 0 {
					return deleted
				}
			}
		}
		for i := range 3 { // the second time on top of what the first one has left
			for n := range 30 {
				use(t, db, nonceFor(time.Minute, fmt.Sprint("a", n)), false)
			}
			use(t, db, nonceFor(2*time.Minute, "b"), false)
			if n := forget(noon.Add(time.Minute - time.Microsecond)); n != 0 {
				t.Errorf("round %d: %d forgotten a moment too early", i, n)
			}
			if use(t, db, nonceFor(time.Minute, "a1"), false) {
				t.Errorf("round %d: a nonce is fresh before it is forgotten", i)
			}
			if n := forget(noon.Add(time.Minute)); n != 30 {
				t.Errorf("round %d: %d forgotten, want 30", i, n)
			}
			if use(t, db, nonceFor(2*time.Minute, "b"), false) {
				t.Errorf("round %d: a nonce that has not expired was forgotten", i)
			}
			if n := forget(noon.Add(2 * time.Minute)); n != 1 {
				t.Errorf("round %d: %d forgotten at the end, want 1", i, n)
			}
		}
	})
}
