package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
	"payout/vault"
)

type restoredCmd struct {
	stored
	Skip int64 `default:"10000000" placeholder:"NUMBER" help:"More orders than were made since the backup: so many ids are skipped, and a hundred times as many serial-numbers (default: ${default})."`
	Yes  bool  `help:"Do it. Without this, it is only told what would be done."`
}

// Help tells what a restore takes besides.
func (restoredCmd) Help() string {
	return `Run it once on a restored backup (the copy of "payoutd backup", a PostgreSQL dump, a standby that was promoted and was not synchronous), while no gateway serves and before the first does. A backup does not know what has happened since it was made, and a gateway that serves on it would pay again who has been paid meanwhile.

Ids, serial-numbers and the references of payments that may have been given out since are skipped. Orders that are not final are never sent any more, whatever the backup says of them: their rails are asked what became of them, by the references that they had or would have had. Who was paid becomes approved; of whom the rail knows nothing becomes an error with the code 1005, unpaid, and the Connecting Party may send a new order. That goes for orders too that waited for payout-pay or for their form. Killed, it is run again; run twice, it skips more numbers and does no harm, but what has been accepted in between and is not final is not sent either.

What you have to do besides:
 1. Keep the former gateways from coming back: they would pay from the former database.
 2. Before an SQLite copy is put in the place of the former file, remove that one's log, payoutd.db-wal and payoutd.db-shm (or move them away with it): what opens the copy first, this command too, would put the former log into it for good. Then "payoutd check": the backup must be whole, and be readable with the master key of its time.
 3. Keep Connecting Parties out for two timestamp windows (serve --timestamp-window, after and before): which nonces were used since the backup is lost, and an old request could be sent again.
 4. Requests that were accepted since the backup are lost, and some were paid. Get the rail's list of payments from the time of the backup on; those whose reference (ORDER-ATTEMPT) is no order here are such. Tell the Connecting Parties which of their orders these are, by amount and Receiver, before they send them again: with a lost client_orderid they would be paid a second time. And look there for orders that ended with 1005: the rail is asked about five attempts at each gate, and before a later one that was paid it may have been out of reach for longer.
 5. Repeat what was changed since in the set-up: keys, parties, gates, endpoints, tokens. A gate or key that was switched off is on again.
 6. Orders that stay doubtful: their rail cannot tell; only people can.`
}

const skipMost = 1_000_000_000_000 // an id has 18 digits at most

// Run makes a restored backup safe to serve on.
func (c restoredCmd) Run(ctx context.Context, t terminal) error {
	if c.Skip < 1 || c.Skip > skipMost {
		return fmt.Errorf("--skip must be from 1 to %d", int64(skipMost))
	}
	if err := c.exists(); err != nil {
		return err
	}
	held, err := storage.HeldByOthers(ctx, c.Database)
	if err == nil && held {
		err = gateway.ErrServing
	}
	if err != nil {
		return err
	}
	return c.current(ctx, func(db *storage.DB, v *vault.Vault) error {
		if !c.Yes {
			open, err := db.CountByStage(ctx)
			if err != nil {
				return err
			}
			t.printf("Orders that are not final, by stage: %s. They would not be sent any more; their rails would be asked.\n", byStage(open))
			return errors.New("nothing is changed: run it with --yes if this is a restored backup and no gateway serves")
		}
		p := newProgress(t.out, "orders taken for perhaps sent")
		r := gateway.Restoring{DB: db, Vault: v, Skip: c.Skip, Now: time.Now, Progress: p.show}
		done, err := r.Run(ctx)
		p.end()
		if ctx.Err() != nil {
			return errors.New("stopped: run it again before a gateway serves")
		}
		if err != nil {
			return err
		}
		t.printf("Orders that were not final, by stage: %s. They are not sent any more; their rails will be asked.\n", byStage(done.Asked))
		if n := len(done.Unread); n > 0 {
			t.printf("%d of them cannot be read and wait, the first is %s: see payoutd check.\n", n, done.Unread[0])
		}
		t.printf("The next order has an id from %s on, the next request a serial-number from %s on.\n", done.NextOrder, done.NextSerial)
		t.printf("What else is to be done: payoutd restored --help\n")
		return nil
	})
}

// byStage lists how many orders there are at each stage, such as "2 starting, 1 held".
func byStage(counts map[payout.Stage]int64) string {
	var parts []string
	for _, row := range payout.Stages() {
		if n := counts[row.Stage]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, row.Stage))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
