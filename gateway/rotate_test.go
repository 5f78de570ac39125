package gateway_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// A safe is a database and its master key.
type safe struct {
	t        *testing.T
	database string
	key      vault.Source
	said     []string
}

// eachSafe runs a body with a key file, on both engines.
func eachSafe(t *testing.T, body func(t *testing.T, s *safe)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { body(t, newSafe(t, storagetest.SQLite(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { body(t, newSafe(t, storagetest.Postgres(t))) })
}

const safeParties = 25

func newSafe(t *testing.T, database string) *safe {
	t.Helper()
	s := &safe{t: t, database: database, key: vault.Source{File: filepath.Join(t.TempDir(), "master.key")}}
	db, _ := s.open()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range safeParties {
		s.addParty(db, fmt.Sprintf("party-%d", i))
	}
	return s
}

// open opens the database as another process would.
func (s *safe) open() (*storage.DB, *vault.Vault) {
	s.t.Helper()
	db, v, err := storage.OpenWithKey(s.t.Context(), s.database, s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return db, v
}

func (s *safe) addParty(db *storage.DB, login string) {
	s.t.Helper()
	err := db.Transact(s.t.Context(), time.Now(), func(tx *storage.Tx) error {
		_, err := tx.AddParty(payout.ConnectingParty{Login: login, Name: login, ControlKey: payout.Secret(login), Enabled: true})
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// rotate rotates; meanwhile is called with each line that is said and with each
// step of sealing again.
func (s *safe) rotate(ctx context.Context, db *storage.DB, v *vault.Vault, meanwhile func(said string)) error {
	r := &gateway.Rotation{DB: db, Vault: v, AtOnce: 10, Now: time.Now,
		Say:      func(line string) { s.said = append(s.said, line); meanwhile(line) },
		Progress: func(int64, int64) { meanwhile("") }}
	return r.Run(ctx)
}

// readable checks that a node that starts now reads everything.
func (s *safe) readable() {
	s.t.Helper()
	db, _, err := storage.OpenWithKey(s.t.Context(), s.database, s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	s.reads(db)
}

func (s *safe) reads(db *storage.DB) {
	s.t.Helper()
	d, err := db.Directory(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if len(d.Parties) < safeParties {
		s.t.Errorf("%d parties, want %d", len(d.Parties), safeParties)
	}
	for _, p := range d.Parties {
		if p.ControlKey.Reveal() != p.Login {
			s.t.Errorf("party %s has another control key", p.Login)
		}
	}
}

// allUnder checks that everything is sealed under a key.
func (s *safe) allUnder(key vault.KeyID) {
	s.t.Helper()
	db, _ := s.open()
	counts, err := gateway.CountSealed(s.t.Context(), db)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(counts) != 1 || counts[key] < safeParties {
		s.t.Errorf("sealed are %v, want all under %s", counts, key)
	}
}

func nothing(string) {}

// The rule is that a rotation may end after any of its steps, that the next one
// goes on with the same key, and that everything can be read all the time.
func TestRotationThatIsStoppedGoesOn(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		running, runningVault := s.open() // a node that runs all the time
		stopAt := 0
		for stopped := true; stopped; stopAt++ {
			old := runningVault.Sealing()
			stopped = s.rotateUntil(stopAt, running)
			if stopped {
				db, v := s.open()
				added := v.KeySet().Newest()
				if err := s.rotate(t.Context(), db, v, func(string) { s.reads(running) }); err != nil {
					t.Fatalf("after a stop at step %d: %v", stopAt, err)
				}
				if added != old && v.Sealing() != added {
					t.Errorf("after a stop at step %d another key was added", stopAt)
				}
			}
			if err := running.FollowKey(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys := runningVault.KeySet().Keys()
			if len(keys) != 1 || keys[0].ID == old || !keys[0].Primary {
				t.Errorf("after a stop at step %d the keys are %v, the old one was %s", stopAt, keys, old)
			}
			s.allUnder(keys[0].ID)
		}
		if stopAt < 10 {
			t.Errorf("a rotation has %d steps only: the test is blind", stopAt)
		}
	})
}

// rotateUntil rotates and stops at a step; it reports whether there was one.
func (s *safe) rotateUntil(stopAt int, running *storage.DB) bool {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	defer stop()
	db, v := s.open()
	step := 0
	err := s.rotate(ctx, db, v, func(string) {
		s.reads(running)
		if step == stopAt {
			stop()
		}
		step++
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		s.t.Fatal(err)
	}
	s.readable()
	return err != nil
}

func TestOldKeyIsKeptWhenAskedAndTheNextRotationIsANewOne(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		for n := 2; n <= 3; n++ {
			db, v := s.open()
			r := &gateway.Rotation{DB: db, Vault: v, AtOnce: 10, KeepOld: true, Now: time.Now, Say: nothing, Progress: func(int64, int64) {}}
			if err := r.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys := v.KeySet().Keys()
			if len(keys) != n || !keys[n-1].Primary || v.Sealing() != keys[n-1].ID {
				t.Errorf("rotation %d: the keys are %v", n-1, keys)
			}
			s.allUnder(keys[n-1].ID)
		}
	})
}

// A gateway that does not look (it was stopped, or is cut off) follows at the
// latest when it stores something.
func TestGatewayThatDoesNotLookLosesNothing(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		deaf, _ := s.open()
		db, v := s.open()
		late := 0
		err := s.rotate(t.Context(), db, v, func(string) {
			late++
			s.addParty(deaf, fmt.Sprintf("late-%d", late))
		})
		if err != nil || len(v.KeySet().Keys()) != 1 {
			t.Errorf("%v; the keys are %v", err, v.KeySet().Keys())
		}
		s.addParty(deaf, "last")
		s.readable()
		s.allUnder(v.Sealing())
	})
}

// A gateway that never looked, and was not there during the rotation at all.
func TestGatewayThatSleptThroughARotationLosesNothing(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		asleep, _ := s.open()
		db, v := s.open()
		if err := s.rotate(t.Context(), db, v, nothing); err != nil {
			t.Fatal(err)
		}
		s.addParty(asleep, "late")
		s.readable()
		s.allUnder(v.Sealing())
	})
}

// raw opens the database without the storage.
func (s *safe) raw() *sql.DB {
	s.t.Helper()
	driver, database := "sqlite", s.database
	if strings.HasPrefix(database, "postgres") {
		driver, database = "pgx", strings.Replace(database, "&pool_max_conns=8", "", 1)
	}
	db, err := sql.Open(driver, database)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return db
}

// storesUnasked stores a control key as a gateway of a former version would,
// which did not look when it stored.
func (s *safe) storesUnasked(v *vault.Vault, login string) {
	s.t.Helper()
	sealed, err := v.Seal([]byte(login), "control key of "+login)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.raw().ExecContext(s.t.Context(), "UPDATE parties SET control_key_sealed = $1 WHERE login = $2", sealed, login); err != nil {
		s.t.Fatal(err)
	}
}

func TestOldKeyStaysWhileSomebodySealsUnderIt(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		deaf, former := s.open()
		db, v := s.open()
		err := s.rotate(t.Context(), db, v, func(said string) {
			if strings.HasPrefix(said, "Waiting") {
				s.storesUnasked(former, "party-0")
			}
		})
		if err == nil || !strings.Contains(err.Error(), "still seals under an old key") || len(v.KeySet().Keys()) != 2 {
			t.Errorf("%v; the keys are %v", err, v.KeySet().Keys())
		}
		s.readable()
		if err := deaf.FollowKey(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.rotate(t.Context(), db, v, nothing); err != nil || len(v.KeySet().Keys()) != 1 {
			t.Errorf("after the cure: %v; the keys are %v", err, v.KeySet().Keys())
		}
		s.readable()
	})
}

// A node whose copy of the key file was forgotten stores nothing any more, as
// soon as it looks; it does so every two seconds.
func TestNodeWithoutTheNewKeyStoresNothing(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		db, v := s.open()
		text, err := v.KeySet().Text()
		if err != nil {
			t.Fatal(err)
		}
		forgotten := &safe{t: t, database: s.database, key: vault.Source{Text: payout.Secret(text)}}
		node, _ := forgotten.open()
		g := &gateway.Gateway{DB: node}
		if err := g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.rotate(t.Context(), db, v, nothing); err != nil {
			t.Fatal(err)
		}
		if err := g.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "newer master key") {
			t.Errorf("it does not tell: %v", err)
		}
		err = node.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error {
			_, err := tx.AddParty(payout.ConnectingParty{Login: "new", ControlKey: "x"})
			return err
		})
		if err == nil {
			t.Error("it stores what nobody can open")
		}
		s.allUnder(v.Sealing())
	})
}

// Configuration management, say, puts the key file back, without the new key.
func TestRotationStopsWhenTheKeyFileIsPutBack(t *testing.T) {
	for _, test := range []struct {
		wait int    // during which it is put back
		want string // of the error
		keys int    // in the file then
	}{{1, "nothing has changed", 1}, {2, "written again", 2}} {
		eachSafe(t, func(t *testing.T, s *safe) {
			before, err := os.ReadFile(s.key.File)
			if err != nil {
				t.Fatal(err)
			}
			running, _ := s.open()
			db, v := s.open()
			waits := 0
			err = s.rotate(t.Context(), db, v, func(said string) {
				if !strings.HasPrefix(said, "Waiting") {
					return
				}
				if waits++; waits == test.wait {
					if err := errors.Join(running.FollowKey(t.Context()), os.WriteFile(s.key.File, before, 0o600)); err != nil {
						t.Fatal(err)
					}
				}
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("put back in wait %d: %v", test.wait, err)
			}
			s.readable()
			if err := running.FollowKey(t.Context()); err != nil {
				t.Error(err)
			}
			s.addParty(running, "meanwhile")
			db, v = s.open()
			if got := len(v.KeySet().Keys()); got != test.keys {
				t.Errorf("put back in wait %d: %d keys, want %d", test.wait, got, test.keys)
			}
			if err := s.rotate(t.Context(), db, v, nothing); err != nil {
				t.Error(err)
			}
			s.allUnder(v.Sealing())
		})
	}
}

func TestRotationTellsOfALockedRowAndLeavesItAWhile(t *testing.T) {
	s := newSafe(t, storagetest.Postgres(t))
	held, err := s.raw().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback()
	if _, err := held.ExecContext(t.Context(), "SELECT 1 FROM parties WHERE login = 'party-3' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	const told = "1 values are in rows that others hold"
	db, v := s.open()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	steps := 0 // after it has told
	err = s.rotate(ctx, db, v, func(said string) {
		switch {
		case strings.HasPrefix(said, told):
			stop()
		case ctx.Err() != nil:
			steps++
		}
	})
	if !errors.Is(err, context.Canceled) || steps > 0 {
		t.Errorf("stopped while it pauses: %v after %d steps", err, steps)
	}
	count := 0
	err = s.rotate(t.Context(), db, v, func(said string) {
		if strings.HasPrefix(said, told) {
			count++
			if err := held.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err != nil || count != 1 {
		t.Errorf("told %d times, %v", count, err)
	}
	s.allUnder(v.Sealing())
}

// What was proved is that all is under one key; no other one may be kept alone.
func TestKeyThatIsAddedAtTheEndOfARotationIsNotKeptAlone(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		db, v := s.open()
		err := s.rotate(t.Context(), db, v, func(said string) {
			if !strings.HasPrefix(said, "All ") {
				return
			}
			more, err := v.KeySet().WithNewKey(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Replace(more); err != nil {
				t.Fatal(err)
			}
		})
		if err == nil || !strings.Contains(err.Error(), "all keys are kept") || len(v.KeySet().Keys()) != 3 {
			t.Errorf("%v; the keys are %v", err, v.KeySet().Keys())
		}
		s.readable()
	})
}

func TestSecondRotationAtOnceIsRefused(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		db, v := s.open()
		otherDB, otherVault := s.open()
		tried := false
		err := s.rotate(t.Context(), db, v, func(string) {
			if tried {
				return
			}
			tried = true
			err := s.rotate(t.Context(), otherDB, otherVault, nothing)
			if err == nil || !strings.Contains(err.Error(), "another rotation") {
				t.Errorf("a second rotation: %v", err)
			}
		})
		if err != nil || !tried {
			t.Error(tried, err)
		}
	})
}

// With the key elsewhere than in a file, a new key is brought by whoever keeps
// it, and removed by him.
func TestRotationOfAKeyThatIsNotInAFile(t *testing.T) {
	eachSafe(t, func(t *testing.T, s *safe) {
		_, v := s.open()
		first := v.KeySet()
		elsewhere := func(set *vault.KeySet, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			text, err := set.Text()
			if err != nil {
				t.Fatal(err)
			}
			s.key = vault.Source{Text: payout.Secret(text)}
		}
		elsewhere(first, nil)
		db, v := s.open()
		if err := s.rotate(t.Context(), db, v, nothing); err == nil || !strings.Contains(err.Error(), "vault new-key") {
			t.Errorf("without a new key: %v", err)
		}
		second, err := first.WithNewKey(time.Now())
		elsewhere(second, err)
		for range 2 { // the second one finds nothing to do
			db, v = s.open()
			if err := s.rotate(t.Context(), db, v, nothing); err != nil {
				t.Fatal(err)
			}
		}
		s.allUnder(second.Newest())
		elsewhere(second.Only(second.Newest()))
		s.readable()
	})
}
