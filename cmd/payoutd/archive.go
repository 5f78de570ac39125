package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"payout/gateway"
	"payout/storage"
	"payout/vault"
)

type archiveCmd struct {
	stored
	OlderThan months `default:"13mo" env:"PAYOUTD_ARCHIVE_OLDER_THAN" placeholder:"AGE" help:"How long the months have ended whose orders are moved, such as 13mo or 2y (default: ${default}; env $$${env})."`
	To        string `required:"" env:"PAYOUTD_ARCHIVE" placeholder:"FOLDER" help:"Folder for the archives, made when missing (env $$${env})."`
	Keep      bool   `help:"Copy only; the orders stay whole in the database."`
}

// Help tells what an archive is.
func (archiveCmd) Help() string {
	return `Moves what belongs to old orders (what was asked, the Receiver, requests, moves, transactions, callbacks and their attempts), and old requests that were refused, into FOLDER, one SQLite file for each month (UTC) in which orders were made, such as orders-2025-10.db; on SQLite and PostgreSQL alike, while the gateway serves. Run it by cron once a month.

An order goes when it was made and came to its end before that time, and its callback was delivered or given up. Others stay, and go with a later run. Nothing is removed before its copy is on disk, was read again and agrees. What was killed, or has failed, goes on when it is run again: do so before the files are moved away.

Of an archived order the database keeps one short row: its client_orderid never makes a second order, and its status still tells how it ended. A repeated request is refused with 318.

An archive is a database like any other: "payoutd check FILE" and "payoutd order show ID --database FILE" read it; one of a former build after "payoutd migrate" on a copy. What was sealed stays sealed: an archive can be read only with the master key of its time, so keep that after a "payoutd vault rotate" (--keep-old, or a copy of the key file).

The SQLite database does not become smaller; new orders take the place of what was moved. PostgreSQL's autovacuum does the same.`
}

// Run archives.
func (c archiveCmd) Run(ctx context.Context, t terminal) error {
	return c.current(ctx, func(db *storage.DB, v *vault.Vault) error {
		p := newProgress(t.out, "order ids looked at")
		before := c.OlderThan.before(time.Now())
		a := gateway.Archiving{DB: db, Vault: v, Folder: c.To, Before: before, Keep: c.Keep, Now: time.Now, Progress: p.show}
		done, err := a.Run(ctx)
		p.end()
		c.print(t, done, before)
		return err
	})
}

func (c archiveCmd) print(t terminal, done gateway.Archived, before time.Time) {
	deed := "moved"
	if c.Keep {
		deed = "copied"
	}
	t.printf("%d orders from before %s %s.\n", done.Orders, before.Format(time.DateOnly), deed)
	for _, name := range slices.Sorted(maps.Keys(done.Files)) {
		t.printf("  %s  %d\n", filepath.Join(c.To, name), done.Files[name])
	}
	if done.Refused > 0 {
		t.printf("%d refused requests %s.\n", done.Refused, deed)
	}
	var stay []string
	for _, why := range []struct {
		n    int
		text string
	}{{done.Open, "not final"}, {done.Owing, "with a callback that is owed"}, {done.Recent, "ended later"}, {done.Missed, "changed meanwhile"}} {
		if why.n > 0 {
			stay = append(stay, fmt.Sprintf("%d %s", why.n, why.text))
		}
	}
	if len(stay) > 0 {
		t.printf("Old orders that stay: %s; the first is %s.\n", strings.Join(stay, ", "), done.First)
	}
}

// months is an age in whole months.
type months int

const monthsMost = 1200 // a hundred years

// UnmarshalText reads an age such as 13mo or 2y.
func (m *months) UnmarshalText(text []byte) error {
	number, unit := strings.TrimRight(string(text), "moy"), 0
	switch strings.TrimPrefix(string(text), number) {
	case "mo":
		unit = 1
	case "y":
		unit = 12
	}
	n, err := strconv.Atoi(number)
	if unit == 0 || err != nil || number[0] == '+' || n < 1 || n > monthsMost/unit {
		return fmt.Errorf("it must be a number of months or years from 1mo to %dy, such as 13mo or 2y", monthsMost/12)
	}
	*m = months(n * unit)
	return nil
}

// before is the beginning of the first month that has not ended so long ago.
func (m months) before(now time.Time) time.Time {
	now = now.UTC()
	return time.Date(now.Year(), now.Month()-time.Month(m), 1, 0, 0, 0, 0, time.UTC)
}
