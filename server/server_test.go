package server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payout"
	"payout/server"
	"payout/sign"
	"payout/storage"
	"payout/vault"
)

const (
	login      = "TestMerchant"
	controlKey = "r45a019070772d1c4c2b503bbdc0fa22"
	slow3s     = "2000000003" // paid at once, answered after 3 seconds
	within     = 20 * time.Second
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newKey makes a key; testKey is the one that the party has.
func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

var testKey = sync.OnceValue(newKey)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A house is a running server with its files.
type house struct {
	t      *testing.T
	config server.Config
	addr   server.Addresses
	stop   context.CancelFunc
	ended  chan error // Run's error
	log    *log
	client *http.Client
	base   string // of the API, such as http://127.0.0.1:1234/paynet
}

// A log may be written and read at the same time.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newConfig is for a server in a fresh folder, with a party, a gate and the
// endpoint 39915.
func newConfig(t *testing.T) server.Config {
	t.Helper()
	dir := t.TempDir()
	c := server.Config{Listen: "127.0.0.1:0", Database: filepath.Join(dir, "payoutd.db"), KeyFile: filepath.Join(dir, "master.key"),
		SimulatorBook: filepath.Join(dir, "simulator.db"), Sandbox: true}
	setUp(t, c)
	return c
}

// setUp fills a database with what newConfig promises.
func setUp(t *testing.T, c server.Config) {
	t.Helper()
	change(t, c, func(tx *storage.Tx) {
		party, err := tx.AddParty(payout.ConnectingParty{Login: login, ControlKey: controlKey, Enabled: true})
		check(t, err)
		addKey(t, tx, party, testKey())
		project, err := tx.AddProject(payout.Project{Name: "Main", Enabled: true})
		check(t, err)
		gate, err := tx.AddGate(payout.Gate{Name: "Bank", Processor: "simulator", Concurrency: 8, Enabled: true})
		check(t, err)
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true})
		check(t, err)
	})
}

func addKey(t *testing.T, tx *storage.Tx, party payout.PartyID, key *rsa.PrivateKey) {
	t.Helper()
	check(t, tx.AddPartyKey(party, payout.PartyKey{Fingerprint: sign.Fingerprint(&key.PublicKey), Public: &key.PublicKey, Enabled: true}))
}

// open opens a server's database beside it.
func open(t *testing.T, c server.Config, fn func(*storage.DB)) {
	t.Helper()
	v, err := vault.Open(c.KeyFile)
	check(t, err)
	db, err := storage.Open(t.Context(), c.Database, v)
	check(t, err)
	defer func() { check(t, db.Close()) }()
	_, err = db.Migrate(t.Context())
	check(t, err)
	fn(db)
}

// change changes the set-up as the command line does, beside a running server.
func change(t *testing.T, c server.Config, fn func(*storage.Tx)) {
	t.Helper()
	open(t, c, func(db *storage.DB) {
		check(t, db.Transact(t.Context(), time.Now(), func(tx *storage.Tx) error { fn(tx); return nil }))
	})
}

// start runs a server until the test ends or stops it.
func start(t *testing.T, c server.Config) *house {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	h := &house{t: t, config: c, stop: stop, ended: make(chan error, 1), log: new(log), client: &http.Client{Transport: &http.Transport{}, Timeout: within}}
	ready := make(chan server.Addresses, 1)
	go func() {
		h.ended <- server.Run(ctx, c, slog.New(slog.NewJSONHandler(h.log, nil)), func(a server.Addresses) { ready <- a })
		close(h.ended)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-h.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		h.client.CloseIdleConnections()
	})
	select {
	case h.addr = <-ready:
		h.base = "http://" + h.addr.API + "/paynet"
	case err := <-h.ended:
		t.Fatalf("Run: %v", err)
	}
	return h
}

// get asks for a page.
func (h *house) get(url string) (status int, body string) {
	h.t.Helper()
	r, err := h.client.Get(url)
	check(h.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	check(h.t, err)
	return r.StatusCode, string(text)
}

// post sends a form to a path below the API's base, and signs it for another
// base if that is not empty.
func (h *house) post(path, signedBase string, key *rsa.PrivateKey, form ...sign.Pair) (int, url.Values) {
	h.t.Helper()
	if signedBase == "" {
		signedBase = h.base
	}
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: signedBase + path, Form: form},
		sign.Credentials{ConsumerKey: login, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, key)
	check(h.t, err)
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.base+path, strings.NewReader(sign.EncodeForm(form)))
	check(h.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", header)
	response, err := h.client.Do(r)
	check(h.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(h.t, err)
	reply, err := url.ParseQuery(strings.ReplaceAll(string(body), "\n", ""))
	if err != nil && response.StatusCode == http.StatusOK {
		h.t.Fatal(err)
	}
	return response.StatusCode, reply
}

func payoutForm(id, account string, more ...sign.Pair) []sign.Pair {
	return append([]sign.Pair{{Name: "client_orderid", Value: id}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "EUR"},
		{Name: "account_number", Value: account}}, more...)
}

// pay sends a payout to endpoint 39915 and returns the HTTP status and the order.
func (h *house) pay(id, account string, more ...sign.Pair) (int, payout.OrderID) {
	h.t.Helper()
	status, reply := h.post("/api/v4/payout/39915", "", testKey(), payoutForm(id, account, more...)...)
	if status != http.StatusOK {
		return status, 0
	}
	order, err := payout.ParseOrderID(reply.Get("paynet-order-id"))
	if err != nil {
		h.t.Fatalf("the payout was answered %v", reply)
	}
	return status, order
}

// status asks where an order stands.
func (h *house) status(id string) url.Values {
	h.t.Helper()
	_, reply := h.post("/api/v4/status/39915", "", testKey(), sign.Pair{Name: "login", Value: login}, sign.Pair{Name: "client_orderid", Value: id})
	return reply
}

// eventually polls until a condition holds, and fails after the limit.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(limit), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func TestProbesAnswerAndMetricsHaveADoorOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.MetricsListen = "127.0.0.1:0"
	h := start(t, c)
	api, metrics := "http://"+h.addr.API, "http://"+h.addr.Metrics
	h.pay("1", "1234567890")
	eventually(t, within, "the order is final", func() bool { return h.status("1").Get("status") == "approved" })
	h.pay("2", slow3s)
	eventually(t, within, "the metrics show the order that is being paid", func() bool {
		_, body := h.get(metrics + "/metrics")
		return strings.Contains(body, `payoutd_orders{stage="sending"} 1`)
	})
	for page, want := range map[string]string{
		api + "/healthz": "200 ok\n", api + "/readyz": "200 ready\n", api + "/metrics": "404", api + "/": "404", api + "/paynet": "404",
		metrics + "/metrics": "200 ", metrics + "/healthz": "404", metrics + "/paynet/api/v4/payout/39915": "404",
	} {
		status, body := h.get(page)
		if got := fmt.Sprintf("%d %s", status, body); !strings.HasPrefix(got, want) {
			t.Errorf("%s answers %.200q, want %q", page, got, want)
		}
	}
	_, body := h.get(metrics + "/metrics")
	for _, series := range []string{`payoutd_orders_accepted_total{command="v4/payout"} 2`, `payoutd_rail_answers_total{gate="Bank",result="approved"} 1`,
		`payoutd_order_seconds_count{stage="approved"} 1`, "payoutd_rail_seconds_bucket", "go_goroutines", "process_open_fds"} {
		if !strings.Contains(body, series) {
			t.Errorf("/metrics has no %s in\n%s", series, body)
		}
	}
}

// Profiles show how the program works inside: they are served where the metrics are,
// and only when they are asked for.
func TestProfilesAreServedBesideTheMetricsWhenAskedFor(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{true, false} {
		c := newConfig(t)
		c.MetricsListen, c.Pprof = "127.0.0.1:0", asked
		h := start(t, c)
		for page, want := range map[string]int{"/debug/pprof/": http.StatusOK, "/debug/pprof/heap?debug=1": http.StatusOK, "/debug/pprof/cmdline": http.StatusNotFound} {
			if !asked {
				want = http.StatusNotFound
			}
			if got, _ := h.get("http://" + h.addr.Metrics + page); got != want {
				t.Errorf("asked for: %t; %s answers %d, want %d", asked, page, got, want)
			}
			if got, _ := h.get("http://" + h.addr.API + page); got != http.StatusNotFound {
				t.Errorf("the API answers %s with %d", page, got)
			}
		}
	}
}

func TestNoMetricsUnlessAskedFor(t *testing.T) {
	t.Parallel()
	if h := start(t, newConfig(t)); h.addr.Metrics != "" {
		t.Errorf("metrics are at %q", h.addr.Metrics)
	}
}

// Work under way is finished; new connections are refused meanwhile.
func TestGracefulStopFinishesWorkAndRefusesNewOnes(t *testing.T) {
	t.Parallel()
	h := start(t, newConfig(t))
	_, order := h.pay("slow", slow3s)
	eventually(t, within, "the rail is called", func() bool { return h.status("slow").Get("order-stage") == "payout_processing" })
	h.client.CloseIdleConnections()
	h.stop()
	eventually(t, within, "new connections are refused", func() bool {
		c, err := net.Dial("tcp", h.addr.API)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	select {
	case err := <-h.ended:
		t.Fatalf("Run returned (%v) while the rail was being called", err)
	default:
	}
	check(t, <-h.ended)
	open(t, h.config, func(db *storage.DB) {
		o, err := db.Order(t.Context(), order)
		check(t, err)
		if o.Stage != payout.Approved {
			t.Errorf("after the stop the order is %s", o.Stage)
		}
		moves, err := db.History(t.Context(), order)
		check(t, err)
		if len(moves) != 2 {
			t.Errorf("it was moved %d times: %v", len(moves), moves)
		}
	})
}

// A load balancer hears of the stop while requests are still answered.
func TestReadyzSaysStoppingWhileItDrains(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.Drain = 2 * time.Second
	h := start(t, c)
	if status, body := h.get("http://" + h.addr.API + "/readyz"); status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz: %d %s", status, body)
	}
	h.stop()
	eventually(t, c.Drain, "/readyz tells of the stop", func() bool {
		status, body := h.get("http://" + h.addr.API + "/readyz")
		return status == http.StatusServiceUnavailable && body == "stopping\n"
	})
	if status, _ := h.pay("1", "1234567890"); status != http.StatusOK {
		t.Errorf("a late request is answered %d", status)
	}
	check(t, <-h.ended)
	if _, err := net.Dial("tcp", h.addr.API); err == nil {
		t.Error("the door is open after Run")
	}
}

func TestStopAfterGraceLeavesTheOrderToBeAskedAbout(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.Grace = 50 * time.Millisecond
	h := start(t, c)
	_, order := h.pay("slow", slow3s)
	eventually(t, within, "the rail is called", func() bool { return h.status("slow").Get("order-stage") == "payout_processing" })
	h.client.CloseIdleConnections()
	h.stop()
	check(t, <-h.ended)
	if !strings.Contains(h.log.String(), "stopped with work under way") {
		t.Errorf("the log does not tell:\n%s", h.log)
	}
	open(t, c, func(db *storage.DB) {
		o, err := db.Order(t.Context(), order)
		check(t, err)
		if due, err := db.NextDue(t.Context(), o.GateID, storage.AllDue); err != nil || o.Stage != payout.Sending || due.IsZero() {
			t.Errorf("the order is %s and due %v, %v", o.Stage, due, err)
		}
	})
	ended := regexp.MustCompile(`work on order failed|an outcome could not be kept"|an outcome came late|order is final`)
	eventually(t, within, "the abandoned worker ends", func() bool { return ended.MatchString(h.log.String()) })
}

func TestNothingStaysAfterRun(t *testing.T) {
	before := goleak.IgnoreCurrent()
	called := make(chan url.Values, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.Query() }))
	c := newConfig(t)
	c.MetricsListen = "127.0.0.1:0"
	h := start(t, c)
	_, order := h.pay("1", "1234567890", sign.Pair{Name: "server_callback_url", Value: receiver.URL})
	got := <-called
	if got.Get("orderid") != order.String() || !sign.EqualControl(got.Get("control"), sign.CallbackControl("approved", order.String(), "1", controlKey)) {
		t.Errorf("callback %v", got)
	}
	h.get("http://" + h.addr.Metrics + "/metrics")
	h.client.CloseIdleConnections()
	h.stop()
	check(t, <-h.ended)
	goleak.VerifyNone(t, before, goleak.IgnoreTopFunction("net/http/httptest.(*Server).wrap.func1"),
		goleak.IgnoreAnyFunction("net/http/httptest.(*Server).goServe.func1"), goleak.IgnoreAnyFunction("net/http.(*conn).serve"))
	receiver.Close()
	for _, door := range []string{h.addr.API, h.addr.Metrics} {
		l, err := net.Listen("tcp", door)
		if err != nil {
			t.Errorf("the address is still in use: %v", err)
			continue
		}
		l.Close()
	}
}

func TestTLSServesTheCertificateFiles(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	roots := writeCertificate(t, filepath.Dir(c.Database), "gate")
	c.TLSCert, c.TLSKey = filepath.Join(filepath.Dir(c.Database), "gate.crt"), filepath.Join(filepath.Dir(c.Database), "gate.key")
	c.MetricsListen = "127.0.0.1:0"
	h := start(t, c)
	h.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
	h.base = "https://" + h.addr.API + "/paynet"
	if status, body := h.get("https://" + h.addr.API + "/readyz"); status != http.StatusOK || body != "ready\n" {
		t.Errorf("/readyz: %d %s", status, body)
	}
	if status, _ := h.pay("1", "1234567890"); status != http.StatusOK {
		t.Errorf("a request signed for https is answered %d", status)
	}
	if status, _ := h.post("/api/v4/payout/39915", "http://"+h.addr.API+"/paynet", testKey(), payoutForm("2", "1234567890")...); status != http.StatusForbidden {
		t.Errorf("a request signed for http is answered %d", status)
	}
	if status, _ := h.get("http://" + h.addr.API + "/readyz"); status != http.StatusBadRequest {
		t.Errorf("without TLS: %d", status)
	}
	if status, _ := h.get("http://" + h.addr.Metrics + "/metrics"); status != http.StatusOK {
		t.Errorf("metrics: %d", status)
	}
	_, err := tls.Dial("tcp", h.addr.API, &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	if err == nil {
		t.Error("TLS 1.1 is accepted")
	}
}

// writeCertificate makes NAME.crt and NAME.key for 127.0.0.1.
func writeCertificate(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	check(t, os.WriteFile(filepath.Join(dir, name+".crt"), certificate, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return roots
}

func TestPublicURLIsWhatIsSigned(t *testing.T) {
	t.Parallel()
	for _, public := range []string{"https://gate.example.com", "https://gate.example.com/", "http://gate.example.com:8080"} {
		c := newConfig(t)
		c.PublicURL = public
		h := start(t, c)
		const path = "/api/v4/payout/39915"
		signed := strings.TrimSuffix(public, "/") + "/paynet"
		if status, reply := h.post(path, signed, testKey(), payoutForm("1", "1234567890")...); status != http.StatusOK || reply.Get("type") != "async-response" {
			t.Errorf("%s: signed for the public URL: %d %v", public, status, reply)
		}
		for _, other := range []string{h.base, "https://other.example.com/paynet", "https://gate.example.com:8443/paynet"} {
			if status, _ := h.post(path, other, testKey(), payoutForm("2", "1234567890")...); status != http.StatusForbidden {
				t.Errorf("%s: signed for %s: %d", public, other, status)
			}
		}
	}
}

func TestContextPathIsTheOperators(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", "/gate", "/a/b"} {
		c := newConfig(t)
		c.ContextPath = path
		h := start(t, c)
		want := map[string]string{"": "/paynet", "/": ""}[path]
		if len(path) > 1 {
			want = path
		}
		for _, prefix := range []string{"/paynet", "", "/gate", "/a/b", "/a"} {
			h.base = "http://" + h.addr.API + prefix
			status, reply := h.post("/api/v4/payout/39915", "", testKey(), payoutForm("1", "1234567890")...)
			if ok := status == http.StatusOK && reply.Get("type") == "async-response"; ok != (prefix == want) {
				t.Errorf("context path %q: %q is answered %d %v", path, prefix, status, reply)
			}
		}
	}
}

func TestDatesHaveTheOperatorsZone(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.Zone = "Europe/Moscow"
	h := start(t, c)
	h.pay("1", "1234567890")
	eventually(t, within, "the order is final", func() bool { return h.status("1").Get("status") == "approved" })
	if date := h.status("1").Get("transaction-date"); !strings.HasSuffix(date, " MSK") {
		t.Errorf("transaction-date is %q", date)
	}
}

func TestTimestampWindowIsTheOperators(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		window time.Duration
		age    time.Duration
		want   int
	}{
		{0, 4 * time.Minute, http.StatusOK}, {0, 6 * time.Minute, http.StatusForbidden},
		{time.Hour, 59 * time.Minute, http.StatusOK}, {time.Hour, 61 * time.Minute, http.StatusForbidden},
		{-1, 1000 * time.Hour, http.StatusOK},
	} {
		config := newConfig(t)
		config.Window = c.window
		h := start(t, config)
		form := []sign.Pair{{Name: "login", Value: login}, {Name: "client_orderid", Value: "none"}}
		for _, age := range []time.Duration{c.age, -c.age} {
			header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: h.base + "/api/v4/status/39915", Form: form},
				sign.Credentials{ConsumerKey: login, Nonce: rand.Text(), Timestamp: time.Now().Add(-age).Unix()}, testKey())
			check(t, err)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.base+"/api/v4/status/39915", strings.NewReader(sign.EncodeForm(form)))
			check(t, err)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", header)
			response, err := h.client.Do(r)
			check(t, err)
			response.Body.Close()
			if response.StatusCode != c.want {
				t.Errorf("window %s, timestamp %s old: %d, want %d", c.window, age, response.StatusCode, c.want)
			}
		}
	}
}

// What the command line changes, a running server knows within 5 seconds.
func TestChangeOfSetUpReachesTheRunningServer(t *testing.T) {
	t.Parallel()
	h := start(t, newConfig(t))
	second := newKey()
	paysWith := func(key *rsa.PrivateKey, endpoint string) int {
		status, reply := h.post("/api/v4/payout/"+endpoint, "", key, payoutForm(rand.Text(), "1234567890")...)
		if status == http.StatusOK && reply.Get("type") != "async-response" {
			return http.StatusNotFound // of no such endpoint
		}
		return status
	}
	var party *payout.ConnectingParty
	var endpoint *payout.Endpoint
	open(t, h.config, func(db *storage.DB) {
		d, err := db.Directory(t.Context())
		check(t, err)
		party, endpoint = d.PartyByLogin(login), d.Endpoints[39915]
	})
	for _, step := range []struct {
		what          string
		change        func(*storage.Tx)
		key           *rsa.PrivateKey
		endpoint      string
		before, after int
	}{
		{"a key is added", func(tx *storage.Tx) { addKey(t, tx, party.ID, second) }, second, "39915", http.StatusForbidden, http.StatusOK},
		{"a key is disabled", func(tx *storage.Tx) {
			check(t, tx.SwitchKey(party.ID, sign.Fingerprint(&second.PublicKey), false))
		}, second, "39915", http.StatusOK, http.StatusForbidden},
		{"an endpoint is added", func(tx *storage.Tx) {
			another := *endpoint
			another.ID = 39916
			_, err := tx.AddEndpoint(another)
			check(t, err)
		}, testKey(), "39916", http.StatusNotFound, http.StatusOK},
		{"an endpoint is disabled", func(tx *storage.Tx) { check(t, tx.Switch(storage.SwitchEndpoint, 39916, false)) },
			testKey(), "39916", http.StatusOK, http.StatusNotFound},
		{"a party is disabled", func(tx *storage.Tx) { check(t, tx.Switch(storage.SwitchParty, int64(party.ID), false)) },
			testKey(), "39915", http.StatusOK, http.StatusForbidden},
	} {
		if got := paysWith(step.key, step.endpoint); got != step.before {
			t.Errorf("before %s: %d, want %d", step.what, got, step.before)
		}
		change(t, h.config, step.change)
		eventually(t, 5*time.Second, step.what, func() bool { return paysWith(step.key, step.endpoint) == step.after })
	}
}

// A gate that is added gets a worker of its own without a restart.
func TestNewGatePaysWithoutARestart(t *testing.T) {
	t.Parallel()
	h := start(t, newConfig(t))
	change(t, h.config, func(tx *storage.Tx) {
		gate, err := tx.AddGate(payout.Gate{Name: "New", Processor: "simulator", Concurrency: 1, Enabled: true})
		check(t, err)
		_, err = tx.AddEndpoint(payout.Endpoint{ID: 40000, PartyID: 1, ProjectID: 1, Gates: []payout.GateID{gate}, Repeat: payout.RepeatReplay, Enabled: true})
		check(t, err)
	})
	eventually(t, 5*time.Second, "the endpoint is known", func() bool {
		_, reply := h.post("/api/v4/payout/40000", "", testKey(), payoutForm("1", "1234567890")...)
		return reply.Get("type") == "async-response"
	})
	eventually(t, within, "the order is final", func() bool { return h.status("1").Get("status") == "approved" })
}

func TestMistakesOfTheConfigAreTold(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer taken.Close()
	dir := t.TempDir()
	writeCertificate(t, dir, "gate")
	writeCertificate(t, dir, "other")
	file := func(name string) string { return filepath.Join(dir, name) }
	good := newConfig(t)
	for _, c := range []struct {
		why string
		set func(*server.Config)
	}{
		{`time zone "Mars/Olympus" is not known`, func(c *server.Config) { c.Zone = "Mars/Olympus" }},
		{"TLS needs both a certificate file and a key file", func(c *server.Config) { c.TLSCert = file("gate.crt") }},
		{"TLS needs both a certificate file and a key file", func(c *server.Config) { c.TLSKey = file("gate.key") }},
		{"read TLS certificate: ", func(c *server.Config) { c.TLSCert, c.TLSKey = file("none.crt"), file("gate.key") }},
		{"read TLS certificate: tls: private key does not match", func(c *server.Config) { c.TLSCert, c.TLSKey = file("gate.crt"), file("other.key") }},
		{`context path "paynet" must start with a slash`, func(c *server.Config) { c.ContextPath = "paynet" }},
		{`context path "/paynet/" must start with a slash and not end with one`, func(c *server.Config) { c.ContextPath = "/paynet/" }},
		{`public URL "gate.example.com" must be scheme and host`, func(c *server.Config) { c.PublicURL = "gate.example.com" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "ftp://gate.example.com" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "https://" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "https://:443" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "https://gate.example.com/paynet" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "https://gate.example.com?x=1" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "https://gate.example.com#x" }},
		{"must be scheme and host", func(c *server.Config) { c.PublicURL = "https://me@gate.example.com" }},
		{"pprof is served on the address of the metrics", func(c *server.Config) { c.Pprof = true }},
		{"OTLP endpoint must be a URL", func(c *server.Config) { c.OTLPEndpoint = "127.0.0.1:4318" }},
		{"timeouts must not be negative", func(c *server.Config) { c.RailTimeout = -time.Second }},
		{"timeouts must not be negative", func(c *server.Config) { c.CallbackTimeout = -time.Second }},
		{"listen: listen tcp " + taken.Addr().String(), func(c *server.Config) { c.Listen = taken.Addr().String() }},
		{"listen for metrics: listen tcp " + taken.Addr().String(), func(c *server.Config) { c.MetricsListen = taken.Addr().String() }},
		{"make the folder of the database: ", func(c *server.Config) { c.Database = file("gate.crt") + "/payoutd.db" }},
		{"open the simulator's book: ", func(c *server.Config) { c.SimulatorBook = file("gate.crt") + "/book.db" }},
	} {
		config := good
		c.set(&config)
		log := new(log)
		err := server.Run(t.Context(), config, slog.New(slog.NewJSONHandler(log, nil)), func(server.Addresses) { t.Errorf("%s: it serves", c.why) })
		if err == nil || !strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %q", err, c.why)
		}
	}
}

func TestRunEndsWithoutServingWhenItsContextHasEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := server.Run(ctx, newConfig(t), slog.New(slog.DiscardHandler), nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

var serialShape = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func TestLogHasOneJSONLinePerRequestWithItsSerial(t *testing.T) {
	t.Parallel()
	h := start(t, newConfig(t))
	const account = "4155551234567890"
	var serials []string
	for i, want := range []string{"ok", "refused", "denied"} {
		key, id := testKey(), fmt.Sprint(i)
		if want == "refused" {
			id = strings.Repeat("x", 200)
		}
		if want == "denied" {
			key = newKey()
		}
		_, reply := h.post("/api/v4/payout/39915", "", key, payoutForm(id, account)...)
		serials = append(serials, reply.Get("serial-number"))
	}
	h.get("http://" + h.addr.API + "/healthz")
	h.stop()
	check(t, <-h.ended)
	var verdicts []string
	for line := range strings.Lines(h.log.String()) {
		var entry struct {
			Time, Level, Msg, Serial, Verdict, Command string
			HTTPStatus                                 int `json:"http_status"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		// A time may have the amount's digits.
		if asked := strings.Replace(line, entry.Time, "", 1); strings.Contains(asked, account) || strings.Contains(asked, "10.42") {
			t.Errorf("the log tells what was asked: %s", line)
		}
		if entry.Msg != "request" {
			continue
		}
		n := len(verdicts)
		verdicts = append(verdicts, entry.Verdict)
		if !serialShape.MatchString(entry.Serial) || entry.Command != "v4/payout" || entry.HTTPStatus == 0 || n < 2 && entry.Serial != serials[n] {
			t.Errorf("the line %swant the serial-number of %v", line, serials)
		}
	}
	if got := strings.Join(verdicts, " "); got != "ok refused denied" {
		t.Errorf("verdicts are %s:\n%s", got, h.log)
	}
}

// Who sends its body slowly, as anybody can without a key, takes nobody's place among the
// requests that are answered at once.
func TestRequestOnItsWayTakesNobodysPlace(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.RequestsAtOnce = 1
	h := start(t, c)
	conn, err := net.Dial("tcp", h.addr.API)
	check(t, err)
	defer conn.Close()
	const body = "a=b"
	_, err = fmt.Fprintf(conn, "POST /paynet/api/v4/payout/39915 HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", len(body))
	check(t, err)
	for range 10 {
		r, err := h.client.Post(h.base+"/api/v4/payout/39915", "application/x-www-form-urlencoded", strings.NewReader(body))
		check(t, err)
		r.Body.Close()
		if r.StatusCode != http.StatusForbidden {
			t.Errorf("another one is answered %s", r.Status)
		}
	}
	_, err = io.WriteString(conn, body)
	check(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	check(t, err)
	if !strings.Contains(line, "403") {
		t.Errorf("when it has come it is answered %q", line)
	}
}

func TestRequestsAtOnceAreThoseOfTheConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ set, want int }{{0, 8192}, {7, 7}} {
		c := newConfig(t)
		c.RequestsAtOnce = test.set
		if got, err := server.AtOnce(t.Context(), c); err != nil || got != test.want {
			t.Errorf("%d: %d at once, %v; want %d", test.set, got, err, test.want)
		}
	}
}
