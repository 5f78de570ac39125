package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"payout/gateway"
	"payout/storage"
	"payout/vault"
)

type vaultCmd struct {
	Status   vaultStatusCmd   `cmd:"" help:"List the keys of the master key and how many sealed values are under each."`
	Rotate   vaultRotateCmd   `cmd:"" help:"Seal everything under a new key, while the gateway serves; what was killed goes on when it is run again."`
	NewKey   vaultNewKeyCmd   `cmd:"" help:"Print the master key with a new key in it, for a master key that is not in a file, or is in files on several machines. First step of two; restart the gateways with it (those with key files notice), then run: payoutd vault rotate."`
	UsedKeys vaultUsedKeysCmd `cmd:"" help:"Print the master key without the keys that nothing is sealed under, for the end of such a rotation."`
}

type vaultStatusCmd struct{ stored }

// Run prints the keys.
func (c vaultStatusCmd) Run(ctx context.Context, t terminal) error {
	return c.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		counts, err := gateway.CountSealed(ctx, db)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(t.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "KEY\tADDED\tSEALED VALUES\tUSE")
		for _, k := range v.KeySet().Keys() {
			added := "not known"
			if !k.AddedAt.IsZero() {
				added = k.AddedAt.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", k.ID, added, counts[k.ID], useOf(k, v.Sealing()))
			delete(counts, k.ID)
		}
		for id, n := range counts {
			fmt.Fprintf(table, "%s\t-\t%d\tNOT IN THE MASTER KEY\n", id, n)
		}
		return table.Flush()
	})
}

// useOf says what a key is for. The primary is what the key set names, but the
// database has the last word.
func useOf(k vault.Key, sealing vault.KeyID) string {
	var uses []string
	if k.ID == sealing {
		uses = append(uses, "seals new values")
	}
	if k.Primary {
		uses = append(uses, "primary")
	}
	return strings.Join(uses, ", ")
}

type vaultRotateCmd struct {
	stored
	Wait    time.Duration `default:"30s" help:"Wait between the steps, until every gateway has looked for the new key (serve --reload-every). With a shorter wait nothing is lost, but a gateway that has not looked may refuse requests for a moment (default: ${default})."`
	AtOnce  int           `default:"200" help:"Values in one transaction (default: ${default})."`
	KeepOld bool          `help:"Leave the old keys in the key file, for reading old backups."`
}

// Help tells the procedure.
func (vaultRotateCmd) Help() string {
	return `With a key file, which must be this database's alone, this is all there is to do: a key is added to the file, running gateways notice it, everything is sealed again under it, each value is looked at, and the old key is removed.

With the key in the environment or behind a key command, or with a copy of the key file on each of several machines: run "payoutd vault new-key", put what it prints where the key is kept, restart the gateways (those with key files need not be), run "payoutd vault rotate" once, and put what "payoutd vault used-keys" prints there at leisure.

The key of the look-up hashes stays as it is. A backup of the database needs the master key of its time.`
}

// Run rotates.
func (c vaultRotateCmd) Run(ctx context.Context, t terminal) error {
	if c.Wait < 0 || c.AtOnce < 1 {
		return errors.New("--wait must not be negative, and --at-once not less than 1")
	}
	return c.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		p := newProgress(t.out, "sealed again")
		r := &gateway.Rotation{DB: db, Vault: v, Wait: c.Wait, AtOnce: c.AtOnce, KeepOld: c.KeepOld, Now: time.Now, Say: p.say, Progress: p.show}
		err := r.Run(ctx)
		p.end()
		if ctx.Err() != nil {
			return errors.New("stopped; run it again, and it goes on")
		}
		return err
	})
}

type vaultNewKeyCmd struct {
	stored
	First bool `help:"Print a first master key, for a new database."`
}

// Run prints the key set with one more key.
func (c vaultNewKeyCmd) Run(ctx context.Context, t terminal) error {
	if c.First {
		set, err := vault.NewKeySet()
		if err != nil {
			return err
		}
		return printKeySet(t, set)
	}
	return c.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		newest := v.KeySet().Newest()
		counts, err := gateway.CountSealed(ctx, db)
		if err != nil {
			return err
		}
		delete(counts, newest)
		if newest != v.Sealing() || len(counts) > 0 {
			return fmt.Errorf("key %s is new, and not everything is sealed under it yet: run payoutd vault rotate", newest)
		}
		set, err := v.KeySet().WithNewKey(time.Now())
		if err != nil {
			return err
		}
		return printKeySet(t, set)
	})
}

type vaultUsedKeysCmd struct{ stored }

// Run prints the key set without unused keys.
func (c vaultUsedKeysCmd) Run(ctx context.Context, t terminal) error {
	return c.with(ctx, func(db *storage.DB, v *vault.Vault) error {
		counts, err := gateway.CountSealed(ctx, db)
		if err != nil {
			return err
		}
		delete(counts, v.Sealing())
		if len(counts) > 0 || v.Sealing() != v.KeySet().Newest() {
			return errors.New("a rotation is not at its end: run payoutd vault rotate")
		}
		set, err := v.KeySet().Only(v.Sealing())
		if err != nil {
			return err
		}
		return printKeySet(t, set)
	})
}

func printKeySet(t terminal, set *vault.KeySet) error {
	text, err := set.Text()
	if err != nil {
		return err
	}
	t.printf("%s\n", text)
	return nil
}
