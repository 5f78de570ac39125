//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"payout"
	"payout/client"
	"payout/processor/simulator"
	"payout/sign"
	"payout/storage"
	"payout/vault"
)

const (
	login         = "TortureMerchant"
	endpointID    = 39915
	receiverCount = 5

	restDefault = 6 * time.Minute // for everything to come to rest
)

// A torture is one run.
type torture struct {
	seed                   uint64
	duration               time.Duration
	nodeCount, clientCount int
	rate                   float64
	program                string        // payoutd
	postgres               string        // folder of PostgreSQL's programs
	failover               string        // who promotes the standby
	restMost               time.Duration // for everything to come to rest
	patient                bool          // every fourth client waits longer than a transaction may last
	plan                   []stream
	show                   *show

	dir       string
	pair      pair
	nodes     []*node
	merchants []*merchant
	receivers []*receiver
	party     payout.PartyID
	control   payout.Secret
	key       *rsa.PrivateKey

	mu       sync.Mutex
	made     map[kind]int
	alone    []span // in which the primary had no standby for long
	findings []finding
	seen     map[string]int // findings of a rule
	ended    bool           // everything that was started
}

const findingsMost = 20 // told of each rule

// found notes a finding.
func (t *torture) found(rule, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[rule]++; t.seen[rule] <= findingsMost {
		t.findings = append(t.findings, finding{rule, what})
		t.show.say("FOUND   " + rule + ": " + what)
	}
}

// run sets everything up, makes the faults, lets it come to rest and compares
// the books. A report without an error tells whether something was found.
func (t *torture) run(ctx context.Context) (_ *report, err error) {
	t.made, t.seen = make(map[kind]int), make(map[string]int)
	began := time.Now()
	defer func() {
		down := t.tearDown()
		err, t.ended = errors.Join(err, down), down == nil
	}()
	t.show.phase("setting up")
	if err := t.setUp(ctx); err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	working, stopWorking := context.WithCancel(ctx)
	defer stopWorking()
	sending := make(chan struct{})
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stopWorking()
	for _, m := range t.merchants {
		clients.Go(func() { m.run(working, sending) })
	}
	progress := t.progress()
	defer progress()
	if err := t.makeFaults(ctx); err != nil {
		return nil, err
	}
	close(sending)
	t.show.phase("coming to rest")
	quiet := make(chan struct{})
	go func() { clients.Wait(); close(quiet) }()
	db, v, err := storage.OpenWithKey(ctx, t.database(), t.keySource())
	if err != nil {
		return nil, fmt.Errorf("open the gateway's book: %w", err)
	}
	defer db.Close()
	_ = v
	if err := t.rest(ctx, db, quiet); err != nil {
		return nil, err
	}
	stopWorking()
	clients.Wait()
	for _, n := range t.nodes {
		n.stop()
	}
	t.show.phase("comparing the books")
	r := &report{torture: t, took: time.Since(began)}
	if err := t.compare(ctx, db, r); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	r.findings = t.findings
	return r, nil
}

// database names the primary, without proxies. Nobody disturbs these connections:
// a server that takes long is on a busy machine.
func (t *torture) database() string {
	return databaseURL(t.pair.address(0), t.pair.address(1), serverStarts)
}

func (t *torture) keySource() vault.Source {
	return vault.Source{File: filepath.Join(t.dir, "master.key")}
}

// setUp makes the folder, the servers, the set-up, receivers, nodes and clients.
func (t *torture) setUp(ctx context.Context) error {
	var err error
	if t.dir, err = os.MkdirTemp("", "payouttorture-"); err != nil {
		return err
	}
	if err := os.Chmod(t.dir, 0o711); err != nil { // PostgreSQL may be another user
		return err
	}
	if t.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return err
	}
	t.control = payout.Secret(rand.Text())
	if t.pair, err = newPair(t.failover, t.postgres, t.dir); err != nil {
		return err
	}
	if err := t.pair.setUp(ctx); err != nil {
		return err
	}
	if err := t.addParty(ctx); err != nil {
		return err
	}
	for n := range t.nodeCount {
		one, err := newNode(n+1, t.program, t.dir, t.pair)
		if err != nil {
			return err
		}
		t.nodes = append(t.nodes, one)
	}
	for _, n := range t.nodes {
		if err := n.waitReady(ctx); err != nil {
			return err
		}
	}
	for n := range receiverCount {
		r, err := newReceiver(n, receiverCount, t.seed, t.duration, t.control.Reveal(), t.found)
		if err != nil {
			return err
		}
		t.receivers = append(t.receivers, r)
	}
	for n := range t.clientCount {
		every := time.Duration(float64(time.Second) * float64(t.clientCount) / t.rate)
		m, err := newMerchant(n+1, t.seed, t.dir, t.apis(n+1), t.receivers, every, t.found)
		if err != nil {
			return err
		}
		t.merchants = append(t.merchants, m)
	}
	return nil
}

// apis are a client's ways to all nodes.
func (t *torture) apis(number int) []*client.Client {
	apis := make([]*client.Client, len(t.nodes))
	for i, n := range t.nodes {
		patience := clientTimeout
		if t.patient && number%4 == 0 {
			patience = patientTimeout
		}
		apis[i] = &client.Client{BaseURL: "http://" + n.clients.address() + "/paynet", Login: login, Key: t.key, ControlKey: t.control.Reveal(), Replays: true,
			Attempts: attempts(number), HTTP: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}}
	}
	return apis
}

// addParty makes the Connecting Party, two gates and an endpoint with both.
func (t *torture) addParty(ctx context.Context) error {
	db, _, err := storage.OpenWithKey(ctx, t.database(), t.keySource())
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	return db.Transact(ctx, time.Now(), func(tx *storage.Tx) error {
		party, err := tx.AddParty(payout.ConnectingParty{Login: login, Name: login, ControlKey: t.control, Enabled: true})
		if err != nil {
			return err
		}
		t.party = party
		if err := tx.AddPartyKey(party, payout.PartyKey{Fingerprint: sign.Fingerprint(&t.key.PublicKey), Public: &t.key.PublicKey, Enabled: true}); err != nil {
			return err
		}
		project, err := tx.AddProject(payout.Project{Name: "Torture", Enabled: true})
		if err != nil {
			return err
		}
		var gates []payout.GateID
		for _, name := range []string{"First", "Second"} {
			gate, err := tx.AddGate(payout.Gate{Name: name, Processor: "simulator", Concurrency: 64, Enabled: true, Settings: map[string]string{
				simulator.SettingSilence: "300ms", simulator.SettingDecideAfter: "700ms", simulator.SettingLatency: "10ms"}})
			if err != nil {
				return err
			}
			gates = append(gates, gate)
		}
		_, err = tx.AddEndpoint(payout.Endpoint{ID: endpointID, PartyID: party, ProjectID: project, Gates: gates, Repeat: payout.RepeatReplay, Enabled: true})
		return err
	})
}

// makeFaults carries out the plan, all streams at once, until the time is up, and
// heals what it has broken.
func (t *torture) makeFaults(ctx context.Context) error {
	t.show.phase("waiting for the first orders")
	if err := t.underWay(ctx); err != nil {
		return err
	}
	t.show.phase("making faults")
	making, stop := context.WithTimeout(ctx, t.duration)
	defer stop()
	var streams sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for _, s := range t.plan {
		streams.Go(func() {
			for _, f := range s.faults {
				if wait(making, f.pause) != nil {
					return
				}
				t.show.fault(s, f)
				// What was begun is healed, also after the time is up.
				if err := t.make(ctx, s, f); err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("%s: %w", f.kind, err))
					mu.Unlock()
					stop()
					return
				}
				t.mu.Lock()
				t.made[f.kind]++
				t.mu.Unlock()
			}
		})
	}
	streams.Wait()
	for _, r := range t.receivers {
		r.healed.Store(true)
	}
	return errors.Join(ctx.Err(), failed)
}

// What the clients have in their books before anything is broken. On a machine that is busy
// with something else that takes a while, and a fault that comes before finds nothing that
// could be lost.
const (
	firstOrders = 20
	firstWithin = 30 * time.Second
)

// underWay waits until so many orders were acknowledged.
func (t *torture) underWay(ctx context.Context) error {
	for until := time.Now().Add(firstWithin); tallyOf(t.merchants).acknowledged < firstOrders && time.Now().Before(until); {
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// make makes one fault and heals it.
func (t *torture) make(ctx context.Context, s stream, f fault) error {
	switch f.kind {
	case failover:
		return t.pair.failOver(ctx, f.lasts)
	case loseStandby:
		from, to, err := t.pair.loseStandby(ctx, f.lasts)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.alone = append(t.alone, span{from, to})
		return err
	case restart, killStandby:
		server, err := t.pair.primary(ctx)
		if err != nil {
			return err
		}
		if f.kind == killStandby {
			server = 1 - server
		}
		return t.pair.restart(ctx, server, f.lasts)
	}
	n := t.nodes[s.node]
	switch f.kind {
	case killNode, endNode:
		signal := map[kind]syscall.Signal{killNode: syscall.SIGKILL, endNode: syscall.SIGTERM}[f.kind]
		for !n.signal(signal, max(f.lasts, time.Millisecond)) { // it is about to start
			if err := wait(ctx, 50*time.Millisecond); err != nil {
				return err
			}
		}
		return n.comesBack(ctx)
	case stopNode:
		n.signal(syscall.SIGSTOP, 0)
		err := wait(ctx, f.lasts)
		n.signal(syscall.SIGCONT, 0)
		return err
	}
	proxies, broken, healedByCut := n.database[:], modeOf(f), false
	switch f.kind {
	case cutClients, loseClients, holdClients, slowClients:
		proxies = []*proxy{n.clients}
	}
	switch f.kind {
	case cutDatabase, cutClients, loseDatabase, loseClients:
		healedByCut = true
	}
	for _, p := range proxies {
		p.set(broken)
		if broken.refuse {
			p.cut()
		}
	}
	err := wait(ctx, f.lasts)
	for _, p := range proxies {
		if healedByCut {
			p.cut()
		}
		p.set(mode{})
	}
	return err
}

// modeOf is what a proxy does during a fault.
func modeOf(f fault) mode {
	switch f.kind {
	case cutDatabase, cutClients:
		return mode{refuse: true}
	case loseDatabase, loseClients:
		return mode{holdDown: true}
	case holdDatabase, holdClients:
		return mode{holdUp: true, holdDown: true}
	}
	return mode{delay: f.slow}
}

// rest waits until all clients have their answers and the gateway has nothing to
// do but to call receivers that never answer.
func (t *torture) rest(ctx context.Context, db *storage.DB, quiet <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, t.restMost)
	defer cancel()
	select {
	case <-quiet:
	case <-ctx.Done():
		t.found("every client is answered when everything is healed", "within "+t.restMost.String())
		return nil // the comparison tells more
	}
	var open []payout.OrderID
	for {
		counts, err := db.CountByStage(ctx)
		if err == nil {
			working := int64(0)
			for stage, n := range counts {
				if stage != payout.Held {
					working += n
				}
			}
			if working == 0 {
				open, err = t.undelivered(ctx, db, open)
			}
			if working == 0 && err == nil && len(open) == 0 {
				return nil
			}
		}
		if wait(ctx, time.Second) != nil {
			return nil // the comparison finds what is left
		}
	}
}

// undelivered lists the orders whose callback a receiver could have answered and
// has not, and asks for it again: the timetable's next attempt may be hours
// away. It looks at the orders given, or at all.
func (t *torture) undelivered(ctx context.Context, db *storage.DB, among []payout.OrderID) ([]payout.OrderID, error) {
	if among == nil {
		all, err := t.readOrders(ctx, db)
		if err != nil {
			return nil, err
		}
		among = []payout.OrderID{}
		never := t.neverAnswers()
		for _, o := range all {
			if len(o.callbacks) == 1 && o.callbacks[0].State == payout.CallbackDue && !never["http://"+o.callbacks[0].Receiver+"/callback"] {
				among = append(among, o.id)
			}
		}
	}
	open := []payout.OrderID{}
	for _, id := range among {
		callbacks, _, err := db.Callbacks(ctx, id)
		if err != nil {
			return among, err
		}
		for _, c := range callbacks {
			if c.State == payout.CallbackDelivered {
				continue
			}
			open = append(open, id)
			now := time.Now()
			if c.DueAt.After(now.Add(time.Second)) && !c.LeasedUntil.After(now) {
				if err := db.Transact(ctx, now, func(tx *storage.Tx) error {
					_, err := tx.ResendCallback(t.party, c.ID, "torture", now.Add(-5*time.Second), now.Add(time.Hour))
					return err
				}); err != nil {
					return among, err
				}
			}
		}
	}
	return open, nil
}

// neverAnswers are the URLs of the receivers that never answer.
func (t *torture) neverAnswers() map[string]bool {
	urls := make(map[string]bool)
	for _, r := range t.receivers {
		if r.never {
			urls[r.url] = true
		}
	}
	return urls
}

// readOrders reads the gateway's book.
func (t *torture) readOrders(ctx context.Context, db *storage.DB) ([]order, error) {
	const readers = 8
	all, err := db.LatestOrders(ctx, "", 10_000_000)
	if err != nil {
		return nil, err
	}
	orders := make([]order, len(all))
	errs := make([]error, readers)
	var wait sync.WaitGroup
	for reader := range readers {
		wait.Go(func() {
			for i := reader; i < len(all); i += readers {
				o := all[i]
				callbacks, _, err := db.Callbacks(ctx, o.ID)
				if err != nil {
					errs[reader] = err
					return
				}
				late, err := db.LateOutcomes(ctx, o.ID)
				if err != nil {
					errs[reader] = err
					return
				}
				orders[i] = order{o.ID, o.ClientOrderID, o.Stage, o.Amount, callbacks, late}
			}
		})
	}
	wait.Wait()
	return orders, errors.Join(errs...)
}

// compare compares all books and looks into the logs.
func (t *torture) compare(ctx context.Context, db *storage.DB, r *report) error {
	var err error
	b := books{journal: journalOf(t.merchants), deliveries: deliveriesOf(t.receivers), never: t.neverAnswers(), alone: t.alone}
	if b.orders, err = t.readOrders(ctx, db); err != nil {
		return err
	}
	rail, err := simulator.Open(filepath.Join(t.dir, "rail.db"), simulator.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer rail.Close()
	if b.rail, err = rail.Book(ctx); err != nil {
		return err
	}
	b.compare(t.found)
	if err := db.CheckBooks(ctx, func(f storage.Finding) { t.found(f.Rule, f.What) }, func(string, int64, int64) {}); err != nil {
		return err
	}
	r.count(b)
	for _, n := range t.nodes {
		text, err := os.ReadFile(n.logFile())
		if err != nil {
			return err
		}
		for _, word := range []string{"panic", "DATA RACE", "fatal error"} {
			if at := bytes.Index(text, []byte(word)); at >= 0 {
				line, _, _ := bytes.Cut(text[at:], []byte("\n"))
				t.found("no node panics", fmt.Sprintf("node %d: %.200s", n.number, line))
			}
		}
		r.logged(text)
	}
	return nil
}

// tearDown ends everything that was started.
func (t *torture) tearDown() (err error) {
	for _, n := range t.nodes {
		select {
		case <-n.quit: // stopped already
		default:
			n.stop()
		}
	}
	for _, r := range t.receivers {
		err = errors.Join(err, r.close())
	}
	for _, m := range t.merchants {
		err = errors.Join(err, m.close())
	}
	if t.pair != nil {
		err = errors.Join(err, t.pair.stop())
	}
	return err
}
