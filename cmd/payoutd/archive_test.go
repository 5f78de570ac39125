package main

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"payout"
	"payout/storage"
	"payout/vault"
)

func TestAgesAreWholeMonths(t *testing.T) {
	for text, want := range map[string]months{"1mo": 1, "13mo": 13, "2y": 24, "1200mo": 1200, "100y": 1200} {
		var m months
		if err := m.UnmarshalText([]byte(text)); err != nil || m != want {
			t.Errorf("%s is %d months, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "mo", "13", "0mo", "-1mo", "+1mo", "1201mo", "101y", "1m", "1om", "1moy", "1.5y", "13 mo", "1d"} {
		if err := new(months).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is an age", text)
		}
	}
	for _, test := range []struct {
		now  string
		ago  months
		want string
	}{{"2026-11-21T12:00:00Z", 13, "2025-10-01"}, {"2026-03-31T23:59:59Z", 1, "2026-02-01"}, {"2026-01-01T00:00:00Z", 1, "2025-12-01"},
		{"2025-12-31T23:59:59-01:00", 1, "2025-12-01"}} {
		now, err := time.Parse(time.RFC3339, test.now)
		check(t, err)
		if got := test.ago.before(now).Format(time.DateOnly); got != test.want {
			t.Errorf("%d months before %s: %s, want %s", test.ago, test.now, got, test.want)
		}
	}
}

// An oldOrder is an order of former times for the tests of archives.
type oldOrder struct {
	id      string // client_orderid
	created time.Time
	final   bool
}

// addOld stores orders of former times, as the gateway would have: approved, with
// their callback delivered, or doubtful.
func addOld(t *testing.T, db *storage.DB, v *vault.Vault, orders []oldOrder) map[string]payout.OrderID {
	t.Helper()
	ids := make(map[string]payout.OrderID)
	var mu sync.Mutex
	var adding sync.WaitGroup
	queue := make(chan oldOrder)
	for range 16 { // they share commits
		adding.Go(func() {
			for want := range queue {
				id, err := addOldOrder(t.Context(), db, v, want)
				if err != nil {
					t.Errorf("%s: %v", want.id, err)
				}
				mu.Lock()
				ids[want.id] = id
				mu.Unlock()
			}
		})
	}
	for _, want := range orders {
		queue <- want
	}
	close(queue)
	adding.Wait()
	return ids
}

func addOldOrder(ctx context.Context, db *storage.DB, v *vault.Vault, want oldOrder) (payout.OrderID, error) {
	id, err := db.NextOrderID()
	if err != nil {
		return 0, err
	}
	serial, err := db.NextSerial()
	if err != nil {
		return 0, err
	}
	o := &payout.Order{ID: id, PartyID: 1, EndpointID: 39915, Command: "v4/payout", Type: payout.TypePayout, ClientOrderID: want.id,
		Amount: payout.Amount{Minor: 1042, Currency: "EUR"}, Params: map[string]string{"account_number": "5550012345", "server_callback_url": "https://example.com/"},
		ReceiverMask: "******2345", ReceiverHash: []byte{1}, Stage: payout.Starting, GateID: 1, CreatedAt: want.created}
	r := &payout.Request{Serial: serial, PartyID: 1, EndpointID: 39915, Command: o.Command, OrderID: id, ClientOrderID: want.id, At: want.created}
	if _, err := db.Accept(storage.Acceptance{Now: want.created, Order: o, Request: r, DueAt: want.created, Unique: true}); err != nil {
		return 0, err
	}
	attempt := &payout.Transaction{OrderID: id, Attempt: 1, GateID: 1, Reference: payout.Reference(id, 1), Stage: payout.Sending, StartedAt: want.created}
	ended := *attempt
	ended.Stage, ended.EndedAt = payout.Approved, want.created
	end := storage.Move{Event: payout.Approve, Closes: &ended, Receipt: payout.NewReceiptID(v.Hash("receipt", id.String())),
		Callback: &payout.Callback{Receiver: "example.com:443", URL: "https://example.com/", DueAt: want.created}}
	if !want.final {
		ended.Stage, ended.EndedAt = payout.Doubtful, time.Time{}
		end = storage.Move{Event: payout.Lose, DueAt: time.Now().Add(time.Hour), Closes: &ended}
	}
	for version, m := range []storage.Move{{Event: payout.Send, Opens: attempt, DueAt: time.Now().Add(time.Hour)}, end} {
		m.OrderID, m.From, m.Version, m.At, m.GateID, m.Attempts = id, o.Stage, version, want.created, 1, 1
		m.To, _ = o.Stage.Next(m.Event)
		if moved, err := db.Move(m); err != nil || !moved {
			return 0, fmt.Errorf("moved %v: %w", moved, err)
		}
		o.Stage = m.To
	}
	callbacks, _, err := db.Callbacks(ctx, id)
	if err != nil || len(callbacks) == 0 {
		return id, err
	}
	return id, db.RecordAttempt(payout.CallbackAttempt{CallbackID: callbacks[0].ID, Attempt: 1, At: want.created, HTTPStatus: 200}, payout.CallbackDelivered, time.Time{})
}

// monthsAgo is a moment in the middle of a month.
func monthsAgo(n int) time.Time { return months(n).before(time.Now()).AddDate(0, 0, 14) }

func TestArchiveMovesOldOrdersIntoAFileOfEachMonth(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.merchant()
	s.ok("gate", "add", "First")
	s.ok("endpoint", "add", testLogin, "--project", "Main", "--gate", "First", "--id", "39915")
	var ids map[string]payout.OrderID
	s.with(func(db *storage.DB, v *vault.Vault) error {
		ids = addOld(t, db, v, []oldOrder{{"fifteen", monthsAgo(15), true}, {"fourteen", monthsAgo(14), true}, {"doubtful", monthsAgo(14), false},
			{"border", months(13).before(time.Now()).Add(-time.Microsecond), true}, {"young", months(13).before(time.Now()), true}})
		return nil
	})
	archives := s.file("archives")
	if out := s.ok("archive", "--to", archives, "--keep"); !strings.HasPrefix(out, "3 orders from before ") || !strings.Contains(out, " copied.") {
		t.Errorf("--keep: %s", out)
	}
	s.has(s.ok("order", "show", ids["fourteen"].String()), "moves")
	out := s.ok("archive", "--to", archives)
	fourteen := filepath.Join(archives, "orders-"+monthsAgo(14).Format("2006-01")+".db")
	s.has(out, `^3 orders from before [0-9-]+ moved.\n`, regexp.QuoteMeta(fourteen)+"  2\n", "Old orders that stay: 1 not final; the first is "+ids["doubtful"].String())
	s.has(s.ok("archive", "--to", archives), `^0 orders `, "1 not final")

	s.has(s.ok("check"), "The books are in order")
	s.has(s.ok("order", "show", ids["fourteen"].String()), "payout_approved", "archived: .* "+filepath.Base(fourteen))
	s.has(s.ok("order", "show", ids["young"].String()), "attempt 1 on gate 1")
	key := []string{"--key-file", s.keyFile()}
	r := execute(t.Context(), "", append([]string{"order", "show", ids["fourteen"].String(), "--database", fourteen}, key...)...)
	s.has(r.out, `to \*+2345`, "starting  -> sending", "sending   -> approved", "attempt 1 on gate 1", "example.com:443")
	r = execute(t.Context(), "", append([]string{"check", fourteen}, key...)...)
	s.has(r.out, "The books are in order: ids of [0-9]+ orders looked at")
	s.fails(2, "--older-than", "archive", "--to", archives, "--older-than", "13")
	s.fails(2, "--to", "archive")
}

const (
	archiveOld   = 3000 // orders
	archiveKills = 3    // at least
)

// The rule: payoutd archive is killed with SIGKILL at random moments and run again,
// while the gateway pays. Each old order is afterwards whole in its archive, its
// status is told, and its client_orderid is refused; nothing new is touched.
func TestKilledArchiveLosesNothing(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = mathrand.Uint64()
	}
	t.Logf("replay the choices with -kill-seed %d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), killWithin)
	defer cancel()
	tr := newTrial(ctx, t, seed)
	var ids map[string]payout.OrderID
	tr.site.with(func(db *storage.DB, v *vault.Vault) error {
		var orders []oldOrder
		for n := range archiveOld {
			orders = append(orders, oldOrder{fmt.Sprintf("old-%d", n), monthsAgo(16 - n*3/archiveOld), true})
		}
		ids = addOld(t, db, v, orders)
		return nil
	})
	tr.start(ctx)
	var clients sync.WaitGroup
	enough := make(chan struct{})
	for client := range rotationClients {
		clients.Go(func() { tr.payUntil(ctx, enough, client) })
	}
	kills := 0
	for !t.Failed() && tr.archiveAndKill(ctx, kills) {
		kills++
	}
	out, err := tr.archive(ctx).CombinedOutput()
	close(enough)
	clients.Wait()
	if err != nil {
		t.Fatalf("the last archive: %v\n%s", err, out)
	}
	t.Logf("%d archives were killed; %d new orders\n%s", kills, len(tr.orders), out)
	if kills < archiveKills {
		t.Errorf("only %d were killed: there was nothing to disturb", kills)
	}
	tr.wait(ctx, "callbacks of all orders", func() bool { return len(tr.statuses) >= len(tr.orders) })
	tr.askArchived(ctx, ids)
	tr.terminate()
	tr.checkArchived(ctx, ids)
}

func (tr *trial) archive(ctx context.Context) *exec.Cmd {
	archive := exec.CommandContext(ctx, tr.program, "archive", "--to", tr.site.file("archives"), "--database", tr.site.database(), "--key-file", tr.site.keyFile())
	archive.Env = []string{"HOME=" + tr.site.dir}
	return archive
}

// archiveAndKill kills an archive at a random moment, on the average later each
// time; false when it came to its end.
func (tr *trial) archiveAndKill(ctx context.Context, kills int) bool {
	tr.t.Helper()
	archive := tr.archive(ctx)
	var said strings.Builder
	archive.Stderr = &said
	check(tr.t, archive.Start())
	soon := time.AfterFunc(time.Duration(50+tr.random.IntN(150+20*kills))*time.Millisecond, func() { _ = archive.Process.Kill() })
	defer soon.Stop()
	err := archive.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		tr.t.Errorf("the archive ended with %v: %s", err, said.String())
	}
	return err != nil
}

// askArchived asks the gateway about some of the orders that were archived.
func (tr *trial) askArchived(ctx context.Context, ids map[string]payout.OrderID) {
	tr.t.Helper()
	for n := 0; n < archiveOld; n += archiveOld / 10 {
		id := fmt.Sprintf("old-%d", n)
		tr.mu.Lock()
		tr.asked[id] = asked{"5550012345", "10.42"}
		tr.mu.Unlock()
		reply, err := tr.pay(ctx, id)
		if err != nil || reply.Get("error-code") != "318" {
			tr.t.Errorf("%s, sent again, is answered %v, %v", id, reply, err)
		}
		status, err := tr.status(ctx, id)
		if err != nil || status.Get("status") != "approved" || status.Get("paynet-order-id") != ids[id].String() || status.Get("amount") != "10.42" {
			tr.t.Errorf("the status of %s is %v, %v", id, status, err)
		}
		delete(tr.asked, id)
	}
}

// checkArchived looks into all archives.
func (tr *trial) checkArchived(ctx context.Context, ids map[string]payout.OrderID) {
	tr.t.Helper()
	files, err := filepath.Glob(tr.site.file("archives/*.db"))
	if err != nil || len(files) != 3 {
		tr.t.Fatalf("archives are %v, %v", files, err)
	}
	found := 0
	for _, file := range append(files, tr.site.database()) {
		r := execute(ctx, "", "check", file, "--key-file", tr.site.keyFile())
		if r.code != 0 || !strings.Contains(r.out, "The books are in order") {
			tr.t.Errorf("check of %s exits %d: %s%s", file, r.code, r.out, r.err)
		}
	}
	for _, file := range files {
		archive := site{tr.t, tr.site.dir}
		check(tr.t, stored{Database: file, KeyFile: archive.keyFile()}.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
			orders, err := db.LatestOrders(ctx, "", archiveOld)
			check(tr.t, err)
			for _, o := range orders {
				found++
				moves, err1 := db.History(ctx, o.ID)
				_, attempts, err2 := db.Callbacks(ctx, o.ID)
				check(tr.t, errors.Join(err1, err2))
				if ids[o.ClientOrderID] != o.ID || o.Params["account_number"] != "5550012345" || len(moves) != 2 || len(attempts) != 1 {
					tr.t.Errorf("order %s of %s is not whole in %s", o.ID, o.ClientOrderID, file)
				}
			}
			return nil
		}))
	}
	if found != archiveOld {
		tr.t.Errorf("%d orders are archived, want %d", found, archiveOld)
	}
	tr.site.with(func(db *storage.DB, _ *vault.Vault) error {
		for client, id := range ids {
			if o, err := db.Order(ctx, id); err != nil || !o.Archived || o.ClientOrderID != client {
				tr.t.Errorf("order %s of %s in the database: %+v, %v", id, client, o, err)
			}
		}
		for client, id := range tr.orders {
			if o, err := db.Order(ctx, id); err != nil || o.Archived || o.ClientOrderID != client {
				tr.t.Errorf("the new order %s of %s: %+v, %v", id, client, o, err)
			}
		}
		return nil
	})
}
