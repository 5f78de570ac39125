package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"payout/storage"
	"payout/vault"
)

// A Rotation changes the key that everything is sealed under, while gateways
// serve. It may be killed at any moment: the next one goes on where it was.
//
// The order of its steps keeps every value readable. A new key is in the key
// file before the database names it; the database names it before old values
// are sealed again; nobody stores a value under another key from then on
// (storage/seal.go); and an old key is removed only when nothing is under it.
// Between the steps it waits until all gateways have followed, so that none of
// them meets a value whose key it does not have.
type Rotation struct {
	DB       *storage.DB
	Vault    *vault.Vault
	Wait     time.Duration // until all gateways have noticed a change
	AtOnce   int           // values looked at in one step, so that writers wait for a short transaction only
	KeepOld  bool          // leave old keys in the key file
	Now      func() time.Time
	Say      func(string)            // is told each step
	Progress func(done, total int64) // values sealed under the new key, of those that were not
}

// roundsMost is how often values may turn up under an old key before somebody
// has to look at the gateways.
const roundsMost = 5

// Run rotates.
func (r *Rotation) Run(ctx context.Context) error {
	release, err := r.DB.RotateAlone(ctx)
	if errors.Is(err, storage.ErrAlone) {
		return errors.New("another rotation of this database's key, or an archive of its orders, is running")
	}
	if err != nil {
		return err
	}
	return errors.Join(r.run(ctx), release())
}

func (r *Rotation) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.DB.FollowKey, r.addKey, r.use, r.resealUntilNoneIsLeft, r.prove} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return r.removeOld()
}

// addKey adds a key to the key file, unless one is there that an unfinished
// rotation has added. In a finished one the newest key is the file's primary.
func (r *Rotation) addKey(ctx context.Context) error {
	set := r.Vault.KeySet()
	newest := set.Newest()
	switch {
	case newest != r.Vault.Sealing():
		r.sayf("Key %s is in the key set already.", newest)
		return nil
	case !r.Vault.HasFile() && len(set.Keys()) == 1:
		return errors.New("the master key is not in a key file, and has one key only: print one with a new key " +
			"(payoutd vault new-key), put it where the gateways get it from, restart them, and rotate then")
	case !r.Vault.HasFile() || set.Primary() != newest:
		r.sayf("The rotation to key %s goes on.", newest)
		return nil
	}
	set, err := set.WithNewKey(r.Now())
	if err != nil {
		return err
	}
	if err := r.Vault.Replace(set); err != nil {
		return err
	}
	r.sayf("Key %s is added to the key file.", set.Newest())
	return ctx.Err()
}

// use makes all gateways seal under the newest key.
func (r *Rotation) use(ctx context.Context) error {
	newest := r.Vault.KeySet().Newest()
	if newest == r.Vault.Sealing() {
		return nil
	}
	if err := r.wait(ctx, "until every gateway has the new key"); err != nil {
		return err
	}
	if err := r.Vault.CheckFile(newest); err != nil {
		return fmt.Errorf("%w. Has something put the key file back (configuration management, a backup)? "+
			"In the database nothing has changed; stop what does so, and rotate again", err)
	}
	err := r.DB.Transact(ctx, r.Now(), func(tx *storage.Tx) error { return tx.SetSealingKey(newest) })
	if err != nil {
		return err
	}
	r.sayf("New values are sealed under key %s.", newest)
	return errors.Join(r.keepFile(), r.DB.FollowKey(ctx))
}

// keepFile looks whether the key file still has the newest key, which values are
// sealed under already, and writes it again if not: no file at all might have it.
// Then the rotation stops, because what is put back once is put back again.
func (r *Rotation) keepFile() error {
	set := r.Vault.KeySet()
	lacks := r.Vault.CheckFile(set.Newest())
	if !errors.Is(lacks, vault.ErrLacksKey) {
		return lacks
	}
	if err := r.Vault.Replace(set); err != nil {
		return fmt.Errorf("%w, which values are sealed under already, and it cannot be written again: %w", lacks, err)
	}
	return fmt.Errorf("%w, which values are sealed under already, so it is written again. Stop what has put it back (configuration management, a backup), and rotate again", lacks)
}

// resealUntilNoneIsLeft seals again what is under old keys, until a round that
// began long enough after the change of key finds nothing: there may be gateways
// of a former version, which stored what they had sealed without asking again.
func (r *Rotation) resealUntilNoneIsLeft(ctx context.Context) error {
	for round := 1; round <= roundsMost; round++ {
		changed, err := r.resealAll(ctx)
		if err != nil {
			return err
		}
		if changed > 0 {
			r.sayf("%d values are sealed again, under key %s.", changed, r.Vault.Sealing())
		}
		if round > 1 && changed == 0 {
			return nil
		}
		if err := r.wait(ctx, "until every gateway seals under the new key"); err != nil {
			return err
		}
		if err := r.keepFile(); err != nil {
			return err
		}
	}
	return errors.New("somebody still seals under an old key: look for a gateway of a former version, or one that logs \"reload failed\", and rotate again; the old key is kept")
}

// lockedPause is how long a rotation leaves the rows alone that others hold.
const lockedPause = time.Second

// resealAll goes through all columns, again if a row was locked or changed.
func (r *Rotation) resealAll(ctx context.Context) (changed int64, err error) {
	counts, err := CountSealed(ctx, r.DB)
	if err != nil {
		return 0, err
	}
	total := left(counts, r.Vault.Sealing())
	for missed, told := 1, 0; total > 0 && missed > 0; {
		missed = 0
		var broken []string
		for _, column := range storage.SealedColumns() {
			for part := (storage.Resealing{Last: storage.BeforeSealed, More: true}); part.More; {
				if part, err = r.resealPart(ctx, column, part.Last); err != nil {
					return changed, err
				}
				changed += int64(part.Changed)
				missed += part.Missed
				broken = append(broken, part.Broken...)
				r.Progress(changed, max(total, changed))
			}
		}
		if len(broken) > 0 {
			return changed, brokenError(broken)
		}
		if missed > 0 && missed != told {
			r.sayf("%d values are in rows that others hold or have just changed; trying until they let go.", missed)
			told = missed
		}
		if missed > 0 {
			if err := pause(ctx, lockedPause); err != nil {
				return changed, err
			}
		}
	}
	return changed, nil
}

// resealPart makes one step, and leaves the database to the gateway for as long
// as the step has taken.
func (r *Rotation) resealPart(ctx context.Context, c storage.SealedColumn, after int64) (storage.Resealing, error) {
	began := r.Now()
	part, err := r.DB.Reseal(ctx, c, after, r.AtOnce)
	if err != nil || part.Changed+part.Missed == 0 {
		return part, errors.Join(err, ctx.Err())
	}
	return part, pause(ctx, r.Now().Sub(began))
}

func brokenError(places []string) error {
	const shown = 5
	some := strings.Join(places[:min(shown, len(places))], ", ")
	if len(places) > shown {
		some += ", ..."
	}
	return fmt.Errorf("%d values cannot be opened with this master key: %s; everything else is sealed again, and the old key is kept", len(places), some)
}

// prove reads every sealed column once more: nothing may be under an old key.
func (r *Rotation) prove(ctx context.Context) error {
	counts, err := CountSealed(ctx, r.DB)
	if err != nil {
		return err
	}
	newest := r.Vault.Sealing()
	if n := left(counts, newest); n > 0 {
		return fmt.Errorf("%d values are not under key %s: rotate again; the old key is kept", n, newest)
	}
	r.sayf("All %d sealed values were looked at: each is under key %s.", counts[newest], newest)
	return nil
}

// removeOld ends the rotation: the key that everything is under becomes the key
// file's primary, and the others are removed.
func (r *Rotation) removeOld() error {
	set := r.Vault.KeySet()
	newest := r.Vault.Sealing()
	if set.Newest() != newest {
		return fmt.Errorf("key %s was added meanwhile, and everything is under key %s: rotate again; all keys are kept", set.Newest(), newest)
	}
	var old []string
	for _, k := range set.Keys() {
		if k.ID != newest {
			old = append(old, k.ID.String())
		}
	}
	if !r.Vault.HasFile() {
		if len(old) > 0 {
			r.sayf("Nothing needs the old keys (%s): payoutd vault used-keys prints the key set without them.", strings.Join(old, ", "))
		}
		return nil
	}
	ended, err := set.Only(newest)
	if r.KeepOld {
		ended, err = set.WithPrimary(newest)
	}
	if err != nil {
		return err
	}
	if err := r.Vault.Replace(ended); err != nil {
		return err
	}
	if r.KeepOld {
		r.sayf("Key %s is the key file's primary; old keys are kept: %s.", newest, strings.Join(old, ", "))
	} else {
		r.sayf("Key %s is the key file's primary; old keys are removed: %s.", newest, strings.Join(old, ", "))
	}
	return nil
}

func (r *Rotation) sayf(format string, args ...any) { r.Say(fmt.Sprintf(format, args...)) }

func (r *Rotation) wait(ctx context.Context, why string) error {
	r.sayf("Waiting %s, %s.", r.Wait, why)
	return pause(ctx, r.Wait)
}

// CountSealed reads every sealed value and counts them by their keys.
func CountSealed(ctx context.Context, db *storage.DB) (map[vault.KeyID]int64, error) {
	all := make(map[vault.KeyID]int64)
	for _, column := range storage.SealedColumns() {
		counts, err := db.CountSealed(ctx, column)
		if err != nil {
			return nil, err
		}
		for id, n := range counts {
			all[id] += n
		}
	}
	return all, nil
}

// left is how many values are not under a key.
func left(counts map[vault.KeyID]int64, wanted vault.KeyID) (n int64) {
	for id, values := range counts {
		if id != wanted {
			n += values
		}
	}
	return n
}
