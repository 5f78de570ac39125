package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"payout/storage"
	"payout/vault"
)

type backupCmd struct {
	stored
	File string `arg:"" help:"New file for the copy."`
}

// Help tells what a backup needs besides.
func (backupCmd) Help() string {
	return `The copy is the database as it is at one moment, while the gateway goes on serving. It is an SQLite database with everything in it but the master key: without the key of its time it cannot be read, so keep that too, and elsewhere. Look at the copy with "payoutd check FILE". Before it is put in the place of a former database, that one's files FILE-wal and FILE-shm must be gone too: such a log would be put into the copy. Who goes on from a backup runs "payoutd restored" before the first "payoutd serve".

A PostgreSQL database is backed up by PostgreSQL's own means: pg_basebackup with archived WAL for a copy that can be brought to any moment, or pg_dump. "payoutd check URL" looks at what was restored.`
}

// Run copies the database.
func (c backupCmd) Run(ctx context.Context, t terminal) error {
	return c.existing(ctx, func(db *storage.DB, _ *vault.Vault) error {
		p := newProgress(t.out, "pages copied")
		err := db.Backup(ctx, c.File, p.show)
		p.end()
		if err != nil {
			return err
		}
		info, err := os.Stat(c.File)
		if err != nil {
			return err
		}
		t.printf("%s: %.1f MiB. The master key is not in it.\n", c.File, float64(info.Size())/(1<<20))
		return nil
	})
}

type checkCmd struct {
	stored
	File          string `arg:"" optional:"" placeholder:"FILE|URL" help:"Database to look at, such as a backup (default: that of --database)."`
	SimulatorBook string `env:"PAYOUTD_SIMULATOR_BOOK" placeholder:"FILE" help:"Compare with the book of the simulator rail too (env $$${env})."`
}

// Help tells what is looked at.
func (checkCmd) Help() string {
	return `Every order's stage against its history, its attempts against its transactions, what is owed against what was sent; that everything sealed can be opened with the master key; that ids and serial-numbers cannot be given twice; and, on SQLite, every page of the file. Nothing is changed, and a gateway may go on serving. The exit code is 1 when something is found.

With --simulator-book, each attempt at a gate of the simulator is compared with the rail's payments: that none was paid twice, or after it had ended unpaid, that the approved ones were paid, and by amount, currency and Receiver. When a backup is looked at (FILE|URL), payments that are later than all that it knows are counted and contradict nothing: it cannot know of them. Those are the payments that a restore is about: see "payoutd restored --help". In the database that is in use each of them is a finding.`
}

// Run looks at the books.
func (c checkCmd) Run(ctx context.Context, t terminal) error {
	copied := c.File != ""
	c.Database = cmp.Or(c.File, c.Database)
	return c.current(ctx, func(db *storage.DB, _ *vault.Vault) error {
		p := newProgress(t.out, "")
		findings := 0
		found := func(f storage.Finding) {
			findings++
			p.say("BROKEN  " + f.Rule + ": " + f.What)
		}
		checked, later := int64(0), 0
		err := db.CheckBooks(ctx, found, func(what string, done, total int64) {
			if what == storage.CheckedOrders {
				checked = total
			}
			p.showOf(what, done, total)
		})
		if err == nil && c.SimulatorBook != "" {
			s := simulatorBook{file: c.SimulatorBook, copied: copied, found: found}
			later, err = s.compare(ctx, db)
		}
		p.end()
		if err != nil {
			return err
		}
		if later > 0 {
			t.printf("%d payments of the rail are later than all that this database knows.\n", later)
		}
		if findings > 0 {
			t.printf("%d findings.\n", findings)
			return errQuiet
		}
		t.printf("The books are in order: ids of %d orders looked at.\n", checked)
		return nil
	})
}

// existing runs a function with a database that is there; it makes none and
// changes no tables.
func (s stored) existing(ctx context.Context, fn func(*storage.DB, *vault.Vault) error) error {
	if err := s.exists(); err != nil {
		return err
	}
	db, v, err := storage.OpenWithKey(ctx, s.Database, s.key())
	if err != nil {
		return err
	}
	return errors.Join(fn(db, v), db.Close())
}

// exists returns an error when an SQLite database is not there.
func (s stored) exists() error {
	if !strings.Contains(s.Database, "://") {
		if _, err := os.Stat(strings.TrimPrefix(s.Database, "sqlite:")); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no database %s", s.Database)
		}
	}
	return nil
}

// current is existing, of tables that are those of this build.
func (s stored) current(ctx context.Context, fn func(*storage.DB, *vault.Vault) error) error {
	return s.existing(ctx, func(db *storage.DB, v *vault.Vault) error {
		switch tables, err := db.Tables(ctx); {
		case err != nil:
			return err
		case tables == storage.TablesMissing:
			return errors.New("the database has no tables: payoutd serve and payoutd migrate make them")
		case tables == storage.TablesOlder:
			return errOlder
		}
		return fn(db, v)
	})
}
