package storage_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/processor"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
	"payout/vault"
)

// What the gateway does on a sick database stands here, because only the tests of
// this folder can make one sick.

// A counter is a rail that approves and counts.
type counter struct{ payouts, questions int }

func (c *counter) Payout(_ context.Context, p processor.Payment) processor.Outcome {
	c.payouts++
	return processor.Approved("tx-" + p.Reference)
}

func (c *counter) Status(context.Context, processor.Payment) processor.Outcome {
	c.questions++
	return processor.Broken(payout.CodeUnknownToRail, "")
}

// newGateway is a gateway with one party, one gate and endpoint 39915.
func newGateway(t *testing.T, db *storage.DB, v *vault.Vault, rail processor.Processor, clock *time.Time) *gateway.Gateway {
	t.Helper()
	g := &gateway.Gateway{DB: db, Vault: v, Processors: map[string]processor.Processor{"rail": rail}, Now: func() time.Time { return *clock },
		Random: func() float64 { return 0.5 }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	party := addParty(t, db, "TestMerchant")
	err := db.Transact(t.Context(), *clock, func(tx *storage.Tx) error {
		project, err := tx.AddProject(payout.Project{Name: "Main", Enabled: true})
		if err != nil {
			return err
		}
		gate, err := tx.AddGate(payout.Gate{Name: "Bank", Processor: "rail", Concurrency: 8, Enabled: true})
		if err != nil {
			return err
		}
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate}, Repeat: payout.RepeatReplay, Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return g
}

func pay(t *testing.T, g *gateway.Gateway) payout.OrderID {
	t.Helper()
	serial, err := g.DB.NextSerial()
	if err != nil {
		t.Fatal(err)
	}
	r, err := spec.Payout.Parse([]sign.Pair{{Name: "client_orderid", Value: "a"}, {Name: "amount", Value: "1.00"}, {Name: "currency", Value: "USD"},
		{Name: "account_number", Value: "1234567890"}})
	if err != nil {
		t.Fatal(err)
	}
	c := &gateway.Call{Command: spec.Payout, Serial: serial, Party: g.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: g.Now()}
	o, err := g.Payout(t.Context(), c, r)
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// end works until an order is final.
func end(t *testing.T, g *gateway.Gateway, clock *time.Time, id payout.OrderID) *payout.Order {
	t.Helper()
	for range 100 {
		o, err := g.DB.Order(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if o.Stage.Final() {
			return o
		}
		*clock = clock.Add(10 * time.Second)
		if _, err := g.WorkDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the order does not end")
	return nil
}

// When the commit of the intent to send is cut off, nobody knows whether it is
// stored. Nothing may be sent then: if it is not, the order would be sent again.
func TestNothingIsSentOnAnIntentThatMayNotBeStored(t *testing.T) {
	for name, stored := range map[string]bool{"stored": true, "not stored": false} {
		t.Run(name, func(t *testing.T) {
			db := storagetest.Open(t, storagetest.SQLite(t))
			cut := storage.Sicken(db)
			clock, rail := noon, new(counter)
			g := newGateway(t, db, storagetest.Vault(t, db), rail, &clock)
			id := pay(t, g)
			cut(2, stored) // the first commit is the claim's
			if _, err := g.WorkDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if rail.payouts != 0 {
				t.Fatal("it was sent")
			}
			if o := end(t, g, &clock, id); o.Stage != payout.Approved || rail.payouts != 1 || rail.questions != 0 {
				t.Errorf("%s after %d payouts and %d questions", o.Stage, rail.payouts, rail.questions)
			}
		})
	}
}

// When the commit of the outcome is cut off, the order is asked about, or has its
// outcome; it is not sent again.
func TestOutcomeThatMayNotBeStoredIsAskedForAndNotSentAgain(t *testing.T) {
	for name, stored := range map[string]bool{"stored": true, "not stored": false} {
		t.Run(name, func(t *testing.T) {
			db := storagetest.Open(t, storagetest.SQLite(t))
			cut := storage.Sicken(db)
			clock, rail := noon, new(counter)
			g := newGateway(t, db, storagetest.Vault(t, db), rail, &clock)
			id := pay(t, g)
			cut(3, stored) // after the claim's and the intent's
			o := end(t, g, &clock, id)
			if asked := 1; stored {
				asked = 0
				if o.Stage != payout.Approved || rail.questions != asked {
					t.Errorf("%s after %d questions", o.Stage, rail.questions)
				}
			} else if rail.questions != asked {
				t.Errorf("%d questions", rail.questions)
			}
			if rail.payouts != 1 {
				t.Errorf("%d payouts", rail.payouts)
			}
		})
	}
}

// An order that cannot be read has no Receiver: it waits, and no rail is asked.
func TestOrderThatCannotBeReadIsNotSent(t *testing.T) {
	name := storagetest.SQLite(t)
	db := storagetest.Open(t, name)
	clock, rail := noon, new(counter)
	g := newGateway(t, db, storagetest.Vault(t, db), rail, &clock)
	id := pay(t, g)
	wrong, err := vault.Open(filepath.Join(t.TempDir(), "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	blind, err := storage.Open(t.Context(), name, wrong)
	if err != nil {
		t.Fatal(err)
	}
	defer blind.Close()
	g.DB = blind
	for range 5 {
		if _, err := g.WorkDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		clock = clock.Add(time.Minute)
	}
	if rail.payouts != 0 {
		t.Fatal("it was sent")
	}
	g.DB = db
	if o := end(t, g, &clock, id); o.Stage != payout.Approved || rail.payouts != 1 {
		t.Errorf("%s after %d payouts", o.Stage, rail.payouts)
	}
}
