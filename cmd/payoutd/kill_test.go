package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"payout"
	"payout/processor/simulator"
	"payout/sign"
	"payout/storage"
	"payout/vault"
)

var killSeed = flag.Uint64("kill-seed", 0, "seed of TestKilledGatewayPaysOnceAndLosesNothing; 0 picks one")

const (
	killClients = 8
	killWithin  = 2 * time.Minute // for everything; it takes about 20 s, most of them waiting for leases to end
)

// A trial is a gateway, its clients and its receiver of callbacks.
type trial struct {
	t       *testing.T
	site    site
	program string
	flags   []string // of serve, besides the usual ones
	key     *rsa.PrivateKey
	client  *http.Client
	random  *mathrand.Rand

	receiver string        // URL
	progress chan struct{} // signalled when a count below has grown

	mu        sync.Mutex
	process   *exec.Cmd
	base      string                       // of the API, of the process that runs
	asked     map[string]asked             // by client_orderid
	orders    map[string]payout.OrderID    // acknowledged, by client_orderid
	statuses  map[string]map[string]string // told by callbacks: by orderid, status and client_orderid
	callbacks int
	repeated  map[string]bool // by client_orderid: an answer did not come
}

// killOrders is how many payouts are sent.
func killOrders() int {
	if testing.Short() {
		return 300
	}
	return 1000
}

// asked is what a client wants.
type asked struct{ account, amount string }

// The rule is the first promise of the README: the real program is killed with
// SIGKILL at random moments and started again on the same files; clients repeat
// what was not answered.
func TestKilledGatewayPaysOnceAndLosesNothing(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = mathrand.Uint64()
	}
	t.Logf("replay the choices with -kill-seed %d", seed)
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), killWithin)
	defer cancel()
	tr := newTrial(ctx, t, seed)
	tr.start(ctx)

	plan := tr.plan()
	var clients sync.WaitGroup
	defer clients.Wait()
	work := make(chan string)
	for range killClients {
		clients.Go(func() {
			for id := range work {
				tr.payUntilAnswered(ctx, id)
			}
		})
	}
	clients.Go(func() {
		defer close(work)
		for _, id := range plan {
			work <- id
		}
	})
	kills := tr.killNowAndThen(ctx)
	clients.Wait()
	t.Logf("%d orders are acknowledged after %d kills, %d had to be asked again: %s", len(tr.orders), kills, len(tr.repeated), time.Since(began))
	callbacks := 0
	tr.wait(ctx, "callbacks of all orders", func() bool { callbacks = tr.callbacks; return len(tr.statuses) >= killOrders() })
	t.Logf("all orders are final, %d callbacks came: %s", callbacks, time.Since(began))

	told := tr.askStatuses(ctx)
	tr.terminate()
	tr.checkBook(ctx, told)
	tr.checkOrders(ctx)
}

func newTrial(ctx context.Context, t *testing.T, seed uint64) *trial {
	t.Helper()
	tr := &trial{t: t, site: newSite(t), key: testKey(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: killClients}, Timeout: 10 * time.Second},
		random: mathrand.New(mathrand.NewPCG(seed, 0)), progress: make(chan struct{}, 1),
		asked: make(map[string]asked), orders: make(map[string]payout.OrderID), statuses: make(map[string]map[string]string), repeated: make(map[string]bool)}
	t.Cleanup(tr.client.CloseIdleConnections)
	tr.program = filepath.Join(tr.site.dir, "payoutd")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", tr.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build payoutd: %v\n%s", err, out)
	}
	receiver := httptest.NewServer(http.HandlerFunc(tr.receive))
	t.Cleanup(receiver.Close)
	tr.receiver = receiver.URL + "/callback"
	tr.site.merchant()
	for _, gate := range []string{"First", "Second"} {
		tr.site.ok("gate", "add", gate, "--concurrency", "64", "--set", "silence=300ms", "--set", "decide_after=500ms", "--set", "latency=5ms")
	}
	tr.site.ok("endpoint", "add", testLogin, "--project", "Main", "--gate", "First", "--gate", "Second", "--id", "39915")
	return tr
}

// plan says what is asked, half of it for accounts that misbehave, and returns
// the client_orderids in their order.
func (tr *trial) plan() []string {
	scenarios := simulator.Scenarios()
	plan := make([]string, killOrders())
	for i := range killOrders() {
		want := asked{account: fmt.Sprintf("55500%05d", i), amount: fmt.Sprintf("%d.%02d", 1+i/100, i%100)}
		if tr.random.IntN(2) == 0 {
			want.account = scenarios[tr.random.IntN(len(scenarios))].Account
		}
		id := fmt.Sprintf("kill-%d", i)
		tr.asked[id], plan[i] = want, id
	}
	return plan
}

// start starts the program and waits until it serves.
func (tr *trial) start(ctx context.Context) {
	tr.t.Helper()
	serves := make(chan string, 1)
	process := exec.CommandContext(ctx, tr.program, "serve", "--sandbox", "--listen", "127.0.0.1:0",
		"--rail-timeout", "1s", "--callback-timeout", "1s", "--grace", "10s",
		"--database", tr.site.database(), "--key-file", tr.site.keyFile(), "--simulator-book", tr.site.book())
	process.Args = append(process.Args, tr.flags...)
	process.Env = []string{"HOME=" + tr.site.dir}
	process.Stderr = &serveLog{t: tr.t, serves: serves}
	if err := process.Start(); err != nil {
		tr.t.Errorf("start payoutd: %v", err)
		return
	}
	select {
	case api := <-serves:
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.process, tr.base = process, "http://"+api+"/paynet"
	case <-ctx.Done():
		tr.t.Error("payoutd does not serve")
	}
}

// A serveLog reads the address that the program serves on from its log.
type serveLog struct {
	t      *testing.T
	serves chan<- string
	rest   []byte
}

func (l *serveLog) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		l.rest = rest
		var entry struct{ Level, Msg, API string }
		if err := json.Unmarshal(line, &entry); err != nil {
			l.t.Errorf("payoutd writes a line that is not JSON: %s", line)
		}
		if entry.Level == "ERROR" {
			l.t.Errorf("payoutd has an error: %s", line)
		}
		if entry.Msg == "payoutd serves" {
			l.serves <- entry.API
		}
	}
}

// killNowAndThen kills the program at random counts of acknowledged orders and,
// at last, of callbacks, and starts it again each time.
func (tr *trial) killNowAndThen(ctx context.Context) (kills int) {
	for part := range 4 {
		at := (part*killOrders() + tr.random.IntN(killOrders())) / 4
		tr.wait(ctx, "acknowledged orders", func() bool { return len(tr.orders) >= at })
		tr.kill(ctx)
	}
	at := killOrders()/2 + tr.random.IntN(killOrders()/4)
	tr.wait(ctx, "some callbacks", func() bool { return len(tr.statuses) >= at })
	tr.kill(ctx)
	return 5
}

func (tr *trial) kill(ctx context.Context) {
	tr.t.Helper()
	if tr.t.Failed() || tr.process == nil {
		return
	}
	if err := tr.process.Process.Kill(); err != nil {
		tr.t.Errorf("kill payoutd: %v", err)
	}
	var exit *exec.ExitError
	if err := tr.process.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		tr.t.Errorf("payoutd ended with %v, not by the kill", err)
	}
	tr.start(ctx)
}

// terminate stops the program the gentle way.
func (tr *trial) terminate() {
	tr.t.Helper()
	if err := errors.Join(tr.process.Process.Signal(syscall.SIGTERM), tr.process.Wait()); err != nil {
		tr.t.Errorf("payoutd was asked to stop: %v", err)
	}
}

// wait waits until a condition on the counts holds.
func (tr *trial) wait(ctx context.Context, what string, holds func() bool) {
	tr.t.Helper()
	for {
		tr.mu.Lock()
		done := holds()
		counts := fmt.Sprintf("%d orders are acknowledged, %d have a callback", len(tr.orders), len(tr.statuses))
		tr.mu.Unlock()
		if done {
			tr.signal() // somebody else may wait for the same
			return
		}
		select {
		case <-tr.progress:
		case <-ctx.Done():
			tr.paid(context.WithoutCancel(ctx)) // money first
			tr.t.Fatalf("waiting for %s: %v; %s", what, ctx.Err(), counts)
		}
	}
}

func (tr *trial) signal() {
	select {
	case tr.progress <- struct{}{}:
	default:
	}
}

// receive is the receiver of callbacks.
func (tr *trial) receive(_ http.ResponseWriter, r *http.Request) {
	got := r.URL.Query()
	status, orderID, clientOrderID := got.Get("status"), got.Get("orderid"), got.Get("client_orderid")
	if !sign.EqualControl(got.Get("control"), sign.CallbackControl(status, orderID, clientOrderID, testControl)) {
		tr.t.Errorf("a callback has a wrong control: %s", r.URL.RawQuery)
	}
	told := map[string]string{"status": status, "client_orderid": clientOrderID}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.callbacks++
	if before := tr.statuses[orderID]; before != nil && (before["status"] != status || before["client_orderid"] != clientOrderID) {
		tr.t.Errorf("order %s: a callback told %v, a later one %v", orderID, before, told)
	}
	tr.statuses[orderID] = told
	tr.signal()
}

// payUntilAnswered sends a payout again and again, with a fresh nonce, until it
// is acknowledged.
func (tr *trial) payUntilAnswered(ctx context.Context, id string) {
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		reply, err := tr.pay(ctx, id)
		switch {
		case err != nil:
		case reply.Get("type") == "async-response":
			tr.acknowledged(id, reply.Get("paynet-order-id"))
			return
		default:
			tr.t.Errorf("%s is answered %v", id, reply)
			return
		}
		tr.mu.Lock()
		tr.repeated[id] = true
		tr.mu.Unlock()
		select {
		case <-retry.C:
		case <-ctx.Done():
			tr.t.Errorf("%s was never answered: %v", id, err)
			return
		}
	}
}

func (tr *trial) acknowledged(id, orderID string) {
	order, err := payout.ParseOrderID(orderID)
	if err != nil {
		tr.t.Errorf("%s has the paynet-order-id %q: %v", id, orderID, err)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.orders[id] = order
	tr.signal()
}

func (tr *trial) pay(ctx context.Context, id string) (url.Values, error) {
	tr.mu.Lock()
	want, address := tr.asked[id], tr.base+"/api/v4/payout/39915"
	tr.mu.Unlock()
	form := []sign.Pair{{Name: "client_orderid", Value: id}, {Name: "account_number", Value: want.account}, {Name: "amount", Value: want.amount},
		{Name: "currency", Value: "EUR"}, {Name: "server_callback_url", Value: tr.receiver}}
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: address, Form: form},
		sign.Credentials{ConsumerKey: testLogin, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, tr.key)
	if err != nil {
		return nil, err
	}
	return tr.post(ctx, address, form, header)
}

// post sends a form. An error says that no complete answer came.
func (tr *trial) post(ctx context.Context, address string, form []sign.Pair, authorization string) (url.Values, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(sign.EncodeForm(form)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	response, err := tr.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return url.Values{"http": {response.Status}, "body": {string(body)}}, nil
	}
	return url.ParseQuery(strings.ReplaceAll(string(body), "\n", ""))
}

func (tr *trial) status(ctx context.Context, id string) (url.Values, error) {
	return tr.post(ctx, tr.base+"/api/v2/status/39915", []sign.Pair{{Name: "login", Value: testLogin}, {Name: "client_orderid", Value: id},
		{Name: "control", Value: sign.StatusControl(testLogin, id, "", testControl)}}, "")
}

// askStatuses asks where every acknowledged order stands; each must be final,
// and what the callback has told.
func (tr *trial) askStatuses(ctx context.Context) map[payout.OrderID]payout.Status {
	tr.t.Helper()
	told, count := make(map[payout.OrderID]payout.Status), make(map[payout.Status]int)
	for id, order := range tr.orders {
		reply, err := tr.status(ctx, id)
		if err != nil {
			tr.t.Fatalf("status of %s: %v", id, err)
		}
		status := payout.Status(reply.Get("status"))
		tr.mu.Lock() // a callback may come once more
		callback := tr.statuses[order.String()]
		tr.mu.Unlock()
		if !status.Final() || reply.Get("paynet-order-id") != order.String() || callback["status"] != string(status) || callback["client_orderid"] != id {
			tr.t.Errorf("%s: acknowledged as %s, callback %v, status %v", id, order, callback, reply)
		}
		told[order] = status
		count[status]++
	}
	for _, status := range []payout.Status{payout.StatusApproved, payout.StatusDeclined, payout.StatusError} {
		if count[status] == 0 {
			tr.t.Errorf("no order is %s", status)
		}
	}
	tr.t.Logf("%v", count)
	return told
}

// checkBook compares what the gateway has told with what the rail has done.
func (tr *trial) checkBook(ctx context.Context, told map[payout.OrderID]payout.Status) {
	tr.t.Helper()
	paid := tr.paid(ctx)
	for order, status := range told {
		if (paid[order] > 0) != (status == payout.StatusApproved) {
			tr.t.Errorf("order %s is %s and was paid %d times", order, status, paid[order])
		}
		delete(paid, order)
	}
	if len(paid) > 0 {
		tr.t.Errorf("the rail paid orders that nobody asked for: %v", paid)
	}
}

// paid counts the payments of each order: one at most, of what was asked.
func (tr *trial) paid(ctx context.Context) map[payout.OrderID]int {
	tr.t.Helper()
	rail, err := simulator.Open(tr.site.book(), simulator.Options{Now: time.Now})
	check(tr.t, err)
	defer rail.Close()
	book, err := rail.Book(ctx)
	check(tr.t, err)
	amounts := make(map[payout.OrderID]string)
	tr.mu.Lock()
	for id, order := range tr.orders {
		amounts[order] = tr.asked[id].amount
	}
	tr.mu.Unlock()
	paid := make(map[payout.OrderID]int)
	for _, entry := range book {
		if entry.State != simulator.StatePaid {
			continue
		}
		paid[entry.OrderID]++
		if entry.Amount.String() != amounts[entry.OrderID] || entry.Amount.Currency != "EUR" {
			tr.t.Errorf("the rail paid order %s %s %s, asked were %q EUR", entry.OrderID, entry.Amount, entry.Amount.Currency, amounts[entry.OrderID])
		}
	}
	for order, n := range paid {
		if n > 1 {
			tr.t.Errorf("order %s was paid %d times", order, n)
		}
	}
	return paid
}

// checkOrders looks into the database: a client_orderid has one order.
func (tr *trial) checkOrders(ctx context.Context) {
	tr.t.Helper()
	tr.site.with(func(db *storage.DB, _ *vault.Vault) error {
		all, err := db.LatestOrders(ctx, "", 2*killOrders())
		check(tr.t, err)
		stored := make(map[string][]*payout.Order)
		for _, o := range all {
			stored[o.ClientOrderID] = append(stored[o.ClientOrderID], o)
		}
		if len(all) != killOrders() || len(tr.orders) != killOrders() {
			tr.t.Errorf("%d orders are stored and %d acknowledged, want %d", len(all), len(tr.orders), killOrders())
		}
		for id, order := range tr.orders {
			if found := stored[id]; len(found) != 1 || found[0].ID != order || !found[0].Stage.Final() {
				tr.t.Errorf("%s was acknowledged as order %s and has %d orders", id, order, len(found))
			}
		}
		replayed := 0
		for id := range tr.repeated {
			requests, err := db.Requests(ctx, tr.orders[id])
			check(tr.t, err)
			if len(requests) > 1 {
				replayed++
			}
		}
		tr.t.Logf("%d orders were stored by requests whose answer was lost", replayed)
		return nil
	})
}
