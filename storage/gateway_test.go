package storage_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// A counter is a rail that approves, or says something else, and counts; meanwhile runs
// while a payment is on its way.
type counter struct {
	payouts, questions int
	says               processor.Outcome
	meanwhile          func()
}

func (c *counter) Payout(_ context.Context, p processor.Payment) processor.Outcome {
	c.payouts++
	if c.meanwhile != nil {
		c.meanwhile()
	}
	if c.says.Result != "" {
		return c.says
	}
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

// When the commit of the outcome is cut off, it is tried again, so that nobody has to ask
// for it: whether it was stored or not, the order has its outcome once.
func TestOutcomeWhoseCommitIsCutOffIsStoredAtOnce(t *testing.T) {
	for _, outcome := range []processor.Outcome{processor.Approved("tx"), processor.Accepted("tx")} {
		for name, stored := range map[string]bool{"stored": true, "not stored": false} {
			t.Run(string(outcome.Result)+", "+name, func(t *testing.T) {
				db := storagetest.Open(t, storagetest.SQLite(t))
				cut := storage.Sicken(db)
				clock, rail := noon, &counter{says: outcome}
				g := newGateway(t, db, storagetest.Vault(t, db), rail, &clock)
				id := pay(t, g)
				cut(3, stored) // after the claim's and the intent's
				if _, err := g.WorkDue(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := map[processor.Result]payout.Stage{processor.ResultApproved: payout.Approved, processor.ResultAccepted: payout.Pending}[outcome.Result]
				o, err := db.Order(t.Context(), id)
				if err != nil || o.Stage != want || o.Version != 2 || rail.payouts != 1 {
					t.Errorf("%+v after %d payouts, %v", o, rail.payouts, err)
				}
				if late, err := db.LateOutcomes(t.Context(), id); err != nil || len(late) != 0 {
					t.Errorf("evidence of what is stored: %+v, %v", late, err)
				}
			})
		}
	}
}

// An outcome that comes when another worker has moved the order is kept, though the
// database fails at that moment: at the move, or at the evidence.
func TestLateOutcomeIsKeptThoughTheDatabaseFails(t *testing.T) {
	for name, n := range map[string]int{"at the move": 1, "at the evidence": 2} {
		for stored, rows := range map[bool]int{false: 1, true: n} { // evidence may be stored twice
			t.Run(fmt.Sprint(name, ", stored: ", stored), func(t *testing.T) {
				db := storagetest.Open(t, storagetest.SQLite(t))
				cut := storage.Sicken(db)
				clock, rail := noon, &counter{says: processor.Approved("THE-MONEY-LEFT")}
				g := newGateway(t, db, storagetest.Vault(t, db), rail, &clock)
				id := pay(t, g)
				rail.meanwhile = func() {
					moved, err := db.Move(storage.Move{OrderID: id, From: payout.Sending, Version: 1, Event: payout.Fail, To: payout.Failed, At: clock, GateID: 1, Attempts: 1})
					if err != nil || !moved {
						t.Error(moved, err)
					}
					cut(n, stored)
				}
				if _, err := g.WorkDue(t.Context()); err != nil {
					t.Fatal(err)
				}
				late, err := db.LateOutcomes(t.Context(), id)
				if err != nil || len(late) != rows || late[0].ProcessorTxID != "THE-MONEY-LEFT" || late[0].Result != string(processor.ResultApproved) {
					t.Errorf("the evidence is %+v, %v", late, err)
				}
			})
		}
	}
}

// An outcome that the database does not take before the workers end stands in the log,
// and nothing of the order's Receiver beside it; then the order is asked about.
func TestOutcomeThatCannotBeStoredStandsInTheLog(t *testing.T) {
	db := storagetest.Open(t, storagetest.SQLite(t))
	away := storage.Away(db)
	clock, rail := time.Now(), &counter{says: processor.Approved("THE-MONEY-LEFT")}
	g := newGateway(t, db, storagetest.Vault(t, db), rail, &clock)
	var log lines
	g.Log = slog.New(slog.NewTextHandler(&log, nil))
	id := pay(t, g)
	rail.meanwhile = func() { away(true) }
	ctx, stop := context.WithCancel(t.Context())
	log.on("a move could not be stored yet", stop)
	g.Run(ctx)
	rail.meanwhile = func() {}
	text := log.String()
	for _, level := range []string{"WARN", "ERROR"} {
		found := false
		for line := range strings.Lines(text) {
			found = found || strings.Contains(line, "level="+level) && strings.Contains(line, "order="+id.String()) && strings.Contains(line, "result=approved") &&
				strings.Contains(line, "processor_tx_id=THE-MONEY-LEFT")
		}
		if !found {
			t.Errorf("no line of level %s has the outcome:\n%s", level, text)
		}
	}
	if strings.Contains(text, "1234567890") {
		t.Error("the log has the account number")
	}
	away(false)
	if o := end(t, g, &clock, id); o.Stage != payout.Failed || rail.payouts != 1 || rail.questions != 1 {
		t.Errorf("%s after %d payouts and %d questions", o.Stage, rail.payouts, rail.questions)
	}
}

// Lines are those of a log; some are waited for.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	word string
	then func()
}

// on has a function called when a line has a word.
func (l *lines) on(word string, then func()) { l.word, l.then = word, then }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(string(p), l.word) {
		l.then()
	}
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
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

// A restore tells of orders that nobody can read, and leaves them: they wait. When the
// database does not answer for them it has failed.
func TestRestoreLeavesOnlyOrdersThatNobodyCanRead(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		clock := noon
		g := newGateway(t, db, storagetest.Vault(t, db), new(counter), &clock)
		id := pay(t, g)
		r := gateway.Restoring{DB: db, Vault: g.Vault, Skip: 1000, Now: g.Now, Progress: func(_, _ int64) {}}
		exec := func(statement string) {
			if err := storage.Exec(db, statement); err != nil {
				t.Fatal(err)
			}
		}
		exec("ALTER TABLE orders RENAME COLUMN params_sealed TO away")
		if done, err := r.Run(t.Context()); err == nil || len(done.Unread) > 0 {
			t.Errorf("the database has refused the question: %v, unread are %v", err, done.Unread)
		}
		exec("ALTER TABLE orders RENAME COLUMN away TO params_sealed")
		exec("UPDATE orders SET params_sealed = receiver_hash")
		if done, err := r.Run(t.Context()); err != nil || !slices.Equal(done.Unread, []payout.OrderID{id}) {
			t.Errorf("the order is damaged: %v, unread are %v", err, done.Unread)
		}
	})
}
