package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// restore has a world go on from a copy of its database, as from a backup, and tells what
// was done. All that is known of orders after the copy is forgotten but by the rail.
func (w *world) restore(copied string) gateway.Restored {
	w.t.Helper()
	wrap := w.nodes[0].Processors["rail"]
	for _, n := range w.nodes {
		w.check(n.db.Close())
	}
	w.files = copied
	db, err := storage.Open(w.t.Context(), copied, w.vault)
	w.check(err)
	last := int64(0)
	r := gateway.Restoring{DB: db, Vault: w.vault, Skip: 10_000_000, Now: w.clock, Progress: func(done, total int64) {
		if done != last+1 || done > total {
			w.t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}}
	done, err := r.Run(w.t.Context())
	w.check(err)
	w.check(db.Close())
	for i := range w.nodes {
		w.start(i, func(processor.Processor) processor.Processor { return wrap })
	}
	return done
}

// live takes some steps of a random life.
func (w *world) live(steps int) {
	for range steps {
		switch w.dice.IntN(10) {
		case 0, 1:
			w.newOrder()
		case 2, 3:
			w.confirm()
		case 4:
			w.submit()
		case 5, 6:
			w.jump()
		default:
			_, err := w.node().WorkDue(w.t.Context())
			w.check(err)
		}
	}
}

// Whatever became of orders after a backup was made, who goes on from the backup pays
// nobody again, and finds out who was paid.
func TestRestoredBackupPaysNobodyAgainAndFindsOutWhoWasPaid(t *testing.T) {
	first, last := uint64(1), *simulateSeeds
	if *simulateSeed != 0 {
		first, last = *simulateSeed, *simulateSeed
	}
	ends := make(map[string]int)
	for seed := first; seed <= last && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			w := newWorld(t, seed, honest)
			w.live(40)
			copied := filepath.Join(t.TempDir(), "copy.db")
			w.check(w.nodes[0].db.Backup(t.Context(), copied, func(_, _ int64) {}))
			had := len(w.orders)
			w.live(60)
			lost := w.orders[had:]
			w.orders = w.orders[:had]
			w.told = make(map[string]string)
			w.restore(copied)
			w.sent = make(map[payout.OrderID]string) // the copy does not know all of it
			for _, o := range w.orders {
				if o.command != spec.PayoutForm {
					continue
				}
				if order, err := w.nodes[0].db.Order(t.Context(), o.id); err == nil {
					w.sent[o.id] = order.Params["account_number"]
				}
			}
			w.confirm()
			w.calm.Store(true)
			w.rest()
			if err := w.verifyRestored(ends); err != nil {
				t.Errorf("%v\nreplay: go test ./gateway -run TestRestoredBackup -seed %d", err, seed)
			}
			for id, n := range w.rail.paid {
				if n > 1 {
					t.Errorf("order %s was paid %d times", id, n)
				}
			}
			known := make(map[payout.OrderID]bool)
			for _, o := range append(lost, w.orders...) {
				known[o.id] = true
			}
			before := len(w.orders)
			w.newOrder()
			if id := w.orders[before].id; known[id] {
				t.Errorf("the id %s was given out again", id)
			}
		})
	}
	for _, end := range []string{"approved", "declined", "failed 1005", "event restore"} {
		if ends[end] == 0 && *simulateSeed == 0 {
			t.Errorf("no seed has seen an order: %s", end)
		}
	}
	t.Log(ends)
}

// verifyRestored checks that the orders of a restored backup have ended as the rail knows.
func (w *world) verifyRestored(ends map[string]int) error {
	for _, o := range w.orders {
		order, err := w.nodes[0].db.Order(w.t.Context(), o.id)
		if err != nil {
			return err
		}
		switch paid := w.rail.paid[o.id]; {
		case !order.Stage.Final():
			return fmt.Errorf("order %s rests at %s", o.id, order.Stage)
		case paid > 1 || (order.Stage == payout.Approved) != (paid == 1):
			return fmt.Errorf("order %s is %s and was paid %d times", o.id, order.Stage, paid)
		}
		end := string(order.Stage)
		if order.Stage == payout.Failed {
			end = fmt.Sprintf("failed %d", order.ErrorCode)
		}
		ends[end]++
		history, err := w.nodes[0].db.History(w.t.Context(), o.id)
		if err != nil {
			return err
		}
		for _, m := range history {
			if m.Event == payout.Restore {
				ends["event restore"]++
				if !strings.HasPrefix(m.Note, "restored from a backup") {
					return fmt.Errorf("order %s: the note of its move is %q", o.id, m.Note)
				}
			}
		}
	}
	return nil
}

// A countingRail knows what it has paid, and counts what it is told to send.
type countingRail struct {
	paid   map[string]bool // by reference
	chains map[string]bool // references that it has refused, so that the next gate was tried
	sent   []string
	asked  []string
}

func (r *countingRail) Payout(_ context.Context, p processor.Payment) processor.Outcome {
	r.sent = append(r.sent, p.Reference)
	return approve(p)
}

func (r *countingRail) Charge(ctx context.Context, p processor.Payment) processor.Outcome {
	return r.Payout(ctx, p)
}

func (r *countingRail) Status(_ context.Context, p processor.Payment) processor.Outcome {
	r.asked = append(r.asked, p.Reference)
	switch {
	case r.paid[p.Reference]:
		return approve(p)
	case r.chains[p.Reference]:
		return processor.DeclinedTryNext(payout.CodeDeclined, "")
	}
	return processor.Broken(payout.CodeUnknownToRail, "")
}

// restore notes that the house's database is a restored backup.
func (h *house) restore() gateway.Restored {
	h.t.Helper()
	r := gateway.Restoring{DB: h.db, Vault: h.Vault, Skip: 1000, Now: time.Now, Progress: func(_, _ int64) {}}
	done, err := r.Run(h.t.Context())
	if err == nil {
		err = h.Reload(h.t.Context())
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

// workToTheEnd works until nothing is due now.
func (h *house) workToTheEnd() {
	h.t.Helper()
	for n := 1; n > 0; {
		var err error
		if n, err = h.WorkDue(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// An attempt that never left was followed by another one: as many are asked about.
func TestRestoredOrderIsAskedAboutBeyondAttemptsThatNeverLeft(t *testing.T) {
	for paid, want := range map[int]payout.Stage{1: payout.Approved, 2: payout.Approved, 5: payout.Approved, 6: payout.Failed} {
		t.Run(fmt.Sprint("paid by attempt ", paid), func(t *testing.T) {
			rail := &countingRail{paid: make(map[string]bool)}
			h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
			id := h.pay("1234567890", "")
			rail.paid[payout.Reference(id, paid)] = true
			h.restore()
			h.workToTheEnd()
			o, err := h.db.Order(t.Context(), id)
			if err != nil || o.Stage != want || len(rail.sent) > 0 || len(rail.asked) != min(paid, 5) {
				t.Errorf("the order is %s, was sent as %q and asked about as %q: %v", o.Stage, rail.sent, rail.asked, err)
			}
			if want == payout.Failed && o.ErrorCode != payout.CodeUnknownToRail {
				t.Errorf("it failed with %d", o.ErrorCode)
			}
		})
	}
}

// A rail that refused an order was followed by the next gate.
func TestRestoredOrderIsAskedAboutAtTheNextGateAndNotSentThere(t *testing.T) {
	for _, paid := range []bool{true, false} {
		rail := &countingRail{paid: make(map[string]bool), chains: make(map[string]bool)}
		h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
		id := h.pay("1234567890", "")
		rail.chains[payout.Reference(id, 1)], rail.paid[payout.Reference(id, 2)] = true, paid
		h.restore()
		h.workToTheEnd()
		o, err := h.db.Order(t.Context(), id)
		if err != nil || (o.Stage == payout.Approved) != paid || !o.Stage.Final() || o.GateID != 2 || len(rail.sent) > 0 {
			t.Errorf("paid %t: the order is %s at gate %d, was sent as %q and asked about as %q: %v", paid, o.Stage, o.GateID, rail.sent, rail.asked, err)
		}
	}
}

func TestOrdersMadeAfterARestoreAreSentAndThoseFromBeforeAreNot(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{"SQLite": storagetest.SQLite, "PostgreSQL": storagetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			database := open(t)
			rail := new(countingRail)
			before := newHouse(t, storagetest.Open(t, database), rail, gateway.Settings{})
			old := before.pay("1234567890", "")
			held := before.check()
			before.moveOn(held, payout.Confirm)
			done := before.restore()
			if done.Asked[payout.Starting] != 1 || done.Asked[payout.Held] != 1 || len(done.Unread) > 0 {
				t.Errorf("it tells %+v", done)
			}
			if again := before.restore(); again.NextOrder <= done.NextOrder || again.NextSerial <= done.NextSerial || again.Asked[payout.Sending] != 2 {
				t.Errorf("done again, it tells %+v after %+v", again, done)
			}
			if err := before.Decline(t.Context(), old, ""); err == nil || !strings.Contains(err.Error(), "may have been sent") {
				t.Errorf("declined by the operator: %v", err)
			}

			after := moveIn(t, storagetest.Beside(t, before.db, database), rail, gateway.Settings{})
			after.calls = 100
			young := after.pay("1234567890", "")
			pay, payRequest := after.call(spec.PayoutPay, sign.Pair{Name: "login", Value: "TestMerchant"}, sign.Pair{Name: "client_orderid", Value: "check"},
				sign.Pair{Name: "orderid", Value: held.String()})
			if _, err := after.PayoutPay(t.Context(), pay, payRequest); err != nil { // it may have come before the restore too
				t.Errorf("payout-pay: %v", err)
			}
			after.workToTheEnd()
			if o, err := after.db.Order(t.Context(), young); err != nil || o.Stage != payout.Approved || young < done.NextOrder {
				t.Errorf("the new order is %v, %v", o, err)
			}
			if len(rail.sent) != 1 || rail.sent[0] != payout.Reference(young, 1) {
				t.Errorf("sent are %q", rail.sent)
			}
			for _, id := range []payout.OrderID{old, held} {
				if o, err := after.db.Order(t.Context(), id); err != nil || o.Stage != payout.Failed || o.ErrorCode != payout.CodeUnknownToRail {
					t.Errorf("order %s is %v, %v", id, o, err)
				}
			}
		})
	}
}

// The card code of a charge is gone, and was not when the next gate charged the card.
func TestRestoredChargeIsAskedAboutAtTheNextGateWithoutItsCode(t *testing.T) {
	rail := &countingRail{paid: make(map[string]bool), chains: make(map[string]bool)}
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
	sold, err := h.sell()
	if err != nil {
		t.Fatal(err)
	}
	rail.chains[payout.Reference(sold.ID, 1)], rail.paid[payout.Reference(sold.ID, 2)] = true, true
	h.restore()
	h.Gateway = h.another(rail)
	h.workToTheEnd()
	if o, err := h.db.Order(t.Context(), sold.ID); err != nil || o.Stage != payout.Approved || len(rail.sent) > 0 {
		t.Errorf("the charge is %s, was sent as %q and asked about as %q: %v", o.Stage, rail.sent, rail.asked, err)
	}
}

// A switched-off gate sends nothing, and is asked.
func TestRestoredOrderOfASwitchedOffGateIsAskedAbout(t *testing.T) {
	rail := &countingRail{paid: make(map[string]bool), chains: make(map[string]bool)}
	h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
	id := h.pay("1234567890", "")
	rail.chains[payout.Reference(id, 2)], rail.paid[payout.Reference(id, 4)] = true, true
	err := h.db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error {
		return errors.Join(tx.Switch(storage.SwitchGate, 1, false), tx.Switch(storage.SwitchGate, 2, false))
	})
	if err != nil {
		t.Fatal(err)
	}
	h.restore()
	h.run()
	h.awaitStage(id, payout.Approved)
}

// Whoever serves after a restore that was killed sends no order of the backup either, as
// whoever runs it again.
func TestKilledRestoreLeavesNoOrderToBeSent(t *testing.T) {
	for _, again := range []bool{false, true} {
		rail := new(countingRail)
		h := newHouse(t, storagetest.Open(t, storagetest.SQLite(t)), rail, gateway.Settings{})
		var ids []payout.OrderID
		for range 200 {
			ids = append(ids, h.pay("1234567890", ""))
		}
		ctx, kill := context.WithCancel(t.Context())
		r := gateway.Restoring{DB: h.db, Vault: h.Vault, Skip: 1000, Now: time.Now, Progress: func(_, _ int64) { kill() }}
		if _, err := r.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		counts, err := h.db.CountByStage(t.Context())
		if err != nil || counts[payout.Sending] == 0 || counts[payout.Starting] == 0 {
			t.Fatalf("killed too late or too early: %v, %v", counts, err)
		}
		if again {
			h.restore()
		} else if err := h.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.workToTheEnd()
		for _, id := range ids {
			if o, err := h.db.Order(t.Context(), id); err != nil || o.Stage != payout.Failed {
				t.Fatalf("order %s is %v, %v", id, o, err)
			}
		}
		if len(rail.sent) > 0 {
			t.Errorf("sent were %q", rail.sent)
		}
	}
}

// While a node serves, nothing is noted: it could send, and give out old numbers.
func TestNothingIsRestoredWhileANodeServes(t *testing.T) {
	h := newHouse(t, storagetest.Open(t, storagetest.Postgres(t)), new(countingRail), gateway.Settings{})
	stop := h.run()
	r := gateway.Restoring{DB: h.db, Vault: h.Vault, Skip: 1000, Now: time.Now, Progress: func(_, _ int64) {}}
	await(t, "the node to be seen", func() bool {
		serves, err := h.db.Serving(t.Context(), 5*time.Second)
		return err == nil && serves
	})
	if _, err := r.Run(t.Context()); !errors.Is(err, gateway.ErrServing) {
		t.Errorf("beside a node that serves: %v", err)
	}
	if d, err := h.db.Directory(t.Context()); err != nil || d.RestoredBelow != 0 {
		t.Errorf("noted nevertheless: %d, %v", d.RestoredBelow, err)
	}
	stop()
	if _, err := r.Run(t.Context()); err != nil {
		t.Errorf("after it has ended: %v", err)
	}
}
