package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/api"
	"payout/callback"
	"payout/gateway"
	"payout/processor"
	"payout/processor/simulator"
	"payout/sign"
	"payout/storage"
	"payout/storage/storagetest"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

const (
	login      = "TestMerchant"
	otherLogin = "OtherMerchant"
	controlKey = "r45a019070772d1c4c2b503bbdc0fa22" // of the documentation's example
	host       = "sandbox.connpay.com"
)

// testKey signs for every party of these tests.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// A sandbox is a gateway with its door, on a database of its own, with a clock
// of its own.
type sandbox struct {
	*api.Handler
	cards  map[string]string // placeholders of card ids
	t      *testing.T
	now    time.Time
	nonces int
	log    *bytes.Buffer
}

// newSandbox makes a sandbox on a fresh SQLite database.
func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	return newSandboxOn(t, storagetest.Open(t, storagetest.SQLite(t)))
}

// newSandboxOn makes a sandbox on a fresh database of storagetest.
func newSandboxOn(t *testing.T, db *storage.DB) *sandbox {
	t.Helper()
	s := newNode(t, db)
	check(t, db.Transact(t.Context(), s.now, s.setUp))
	check(t, s.Gateway.Reload(t.Context()))
	return s
}

// newNode makes a gateway with its door on a database of storagetest that may
// have others, or may have had one before.
func newNode(t *testing.T, db *storage.DB) *sandbox {
	t.Helper()
	s := &sandbox{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), log: new(bytes.Buffer), cards: make(map[string]string)}
	clock := func() time.Time { return s.now }
	rail, err := simulator.Open("", simulator.Options{Now: clock, Sleep: func(_ context.Context, d time.Duration) error {
		s.now = s.now.Add(d)
		return nil
	}})
	check(t, err)
	t.Cleanup(func() { check(t, rail.Close()) })
	policy := callback.Policy{}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	g := &gateway.Gateway{DB: db, Vault: storagetest.Vault(t, db), Processors: map[string]processor.Processor{"simulator": rail}, URLs: policy,
		Callbacks: callback.NewSender(callback.Settings{Policy: policy, Now: clock}), Now: clock, Random: func() float64 { return 0.5 }, Log: log}
	t.Cleanup(g.Callbacks.Close)
	check(t, g.Reload(t.Context()))
	s.Handler = &api.Handler{Gateway: g, ContextPath: "/paynet", PublicURL: "https://" + host, TimestampWindow: 5 * time.Minute, Log: log}
	return s
}

// setUp makes the parties, endpoints and groups that the text files speak of.
func (s *sandbox) setUp(tx *storage.Tx) error {
	public := &testKey().PublicKey
	parties := make(map[string]payout.PartyID)
	for _, name := range []string{login, otherLogin, "DisabledMerchant", "cool_merchant"} {
		id, err := tx.AddParty(payout.ConnectingParty{Login: name, Name: name, ControlKey: controlKey, Enabled: name != "DisabledMerchant"})
		check(s.t, err)
		check(s.t, tx.AddPartyKey(id, payout.PartyKey{Fingerprint: sign.Fingerprint(public), Public: public, Enabled: true}))
		parties[name] = id
	}
	project, err := tx.AddProject(payout.Project{Name: "Sandbox", Enabled: true})
	check(s.t, err)
	gate := func(g payout.Gate) payout.GateID {
		g.Processor, g.Concurrency, g.Enabled = "simulator", 8, true
		id, err := tx.AddGate(g)
		check(s.t, err)
		return id
	}
	first := gate(payout.Gate{Name: "First", Descriptor: "payoutd test"})
	second := gate(payout.Gate{Name: "Second"})
	demanding := gate(payout.Gate{Name: "Demanding", Required: []string{"purpose", "bank_name"}})
	asking := gate(payout.Gate{Name: "Asking", AskReceiver: true, Required: []string{"purpose", "bank_name"}})
	euro := gate(payout.Gate{Name: "Euro", Currencies: []payout.Currency{"EUR"}})
	for _, e := range []payout.Endpoint{
		{ID: 39915, Gates: []payout.GateID{first, second}, Enabled: true},
		{ID: 39916, PartyID: parties[otherLogin], Gates: []payout.GateID{first}, Enabled: true},
		{ID: 39917, Gates: []payout.GateID{first}},
		{ID: 39918, Gates: []payout.GateID{demanding}, Enabled: true},
		{ID: 39919, Gates: []payout.GateID{euro}, Currency: "EUR", Enabled: true},
		{ID: 39920, Gates: []payout.GateID{first}, Currency: "USD", Enabled: true},
		{ID: 39921, Gates: []payout.GateID{first}, Repeat: payout.RepeatAllow, Enabled: true},
		{ID: 39922, Gates: []payout.GateID{asking}, Enabled: true},
		{ID: 12175, PartyID: parties["cool_merchant"], Gates: []payout.GateID{first}, Enabled: true},
	} {
		if e.PartyID == 0 {
			e.PartyID = parties[login]
		}
		if e.Repeat == "" {
			e.Repeat = payout.RepeatReplay
		}
		e.ProjectID = project
		_, err := tx.AddEndpoint(e)
		check(s.t, err)
	}
	_, err = tx.AddGroup(payout.EndpointGroup{ID: 77, PartyID: parties[login], Endpoints: []payout.EndpointID{39919, 39920}, Enabled: true})
	return err
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A message is a request to be sent.
type message struct {
	method, path, login, body string
	header                    http.Header
	unsigned                  bool

	nonce string          // empty: a fresh one
	at    time.Time       // of the signature; zero: now
	key   *rsa.PrivateKey // nil: testKey
}

// signs reports whether the message gets a signature, as it has none of its own.
func (m message) signs() bool { return !m.unsigned && m.header["Authorization"] == nil }

// authorize signs a message.
func (s *sandbox) authorize(m message) string {
	s.t.Helper()
	form, _ := sign.ParseForm(m.body) // a body that cannot be read is refused before its signature is looked at
	if m.nonce == "" {
		s.nonces++
		m.nonce = fmt.Sprint("nonce", s.nonces)
	}
	if m.at.IsZero() {
		m.at = s.now
	}
	if m.key == nil {
		m.key = testKey()
	}
	header, err := sign.Sign(sign.Request{Method: m.method, URL: "https://" + host + m.path, Form: form},
		sign.Credentials{ConsumerKey: m.login, Nonce: m.nonce, Timestamp: m.at.Unix()}, m.key)
	check(s.t, err)
	return header
}

// send signs a message, unless it is unsigned, and has it answered.
func (s *sandbox) send(m message) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(m.method, "https://"+host+m.path, strings.NewReader(m.body))
	r.RemoteAddr = "192.0.2.1:50000"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if m.signs() {
		r.Header.Set("Authorization", s.authorize(m))
	}
	for name, values := range m.header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

// settle works until nothing is due within a minute; the clock follows.
func (s *sandbox) settle() {
	s.t.Helper()
	limit := s.now.Add(time.Minute)
	for {
		n, err := s.Gateway.WorkDue(s.t.Context())
		check(s.t, err)
		if n > 0 {
			continue
		}
		due, err := s.Gateway.NextDue(s.t.Context())
		check(s.t, err)
		if due.IsZero() || due.After(limit) {
			return
		}
		if due.After(s.now) {
			s.now = due
			continue
		}
		return // a callback is due: nobody listens here
	}
}

// TestExchanges plays the files in testdata: requests and answers as a reader
// of the documentation would write them. A file has a sandbox of its own.
//
//	# a comment
//	> POST /paynet/api/v4/payout/39915     the request, signed by TestMerchant
//	> POST ... as OtherMerchant            signed by another party
//	> POST ... unsigned
//	Header: value                          lines of this form are headers
//	name=value                             the body, joined without line feeds;
//	&name={control}                        {control} is the sum of v2/status
//	< 200 text/html;charset=utf-8          the answer, with its body
//	! work                                 the workers finish what is due
//	! later 24h                            the clock goes on
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	check(t, err)
	if len(files) == 0 {
		t.Fatal("no files in testdata")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			check(t, err)
			got := newSandbox(t).play(string(text))
			if *update {
				check(t, os.WriteFile(file, []byte(got), 0o644))
			} else if diff := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("answers differ (-want +got):\n%s", diff)
			}
		})
	}
}

// play answers every request of a file and returns the file with the answers.
func (s *sandbox) play(text string) string {
	var out strings.Builder
	var request []string
	answering := false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "> "):
			request, answering = []string{line}, false
		case strings.HasPrefix(line, "< "):
			out.WriteString(s.answer(request))
			request, answering = nil, true
			continue
		case strings.HasPrefix(line, "! work"):
			s.settle()
		case strings.HasPrefix(line, "! later "):
			d, err := time.ParseDuration(strings.TrimPrefix(line, "! later "))
			check(s.t, err)
			s.now = s.now.Add(d)
		case line == "":
			answering = false
		case answering:
			continue // replaced by what came
		case request != nil:
			request = append(request, line)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

var headerLine = regexp.MustCompile(`^([A-Z][A-Za-z-]+): (.*)$`)

func (s *sandbox) answer(request []string) string {
	s.t.Helper()
	words := strings.Fields(strings.TrimPrefix(request[0], "> "))
	m := message{method: words[0], path: words[1], login: login, header: http.Header{}}
	for i, word := range words[2:] {
		switch word {
		case "unsigned":
			m.unsigned = true
		case "as":
			m.login = words[i+3]
		}
	}
	for _, line := range request[1:] {
		if header := headerLine.FindStringSubmatch(line); header != nil {
			m.header.Set(header[1], header[2])
		} else {
			m.body += line
		}
	}
	if strings.Contains(m.body, "{control}") {
		m.body = strings.ReplaceAll(m.body, "{control}", controlOf(s.t, m.path, m.body))
	}
	for id, name := range s.cards {
		m.body = strings.ReplaceAll(m.body, name, id)
	}
	response := s.send(m)
	body, err := io.ReadAll(response.Body)
	check(s.t, err)
	answer := fmt.Sprintf("< %d %s\n", response.StatusCode, response.Header.Get("Content-Type"))
	if bytes.Contains(body, []byte("<!DOCTYPE html>")) {
		return answer + regexp.MustCompile(`(?s).*<body>\n(.*)</body>.*`).ReplaceAllString(string(body), "$1")
	}
	text := receiptID.ReplaceAllString(string(body), "receipt-id={receipt}")
	text = formToken.ReplaceAllString(text, "%2Fpaynet%2Fform%2F{token}")
	text = cardID.ReplaceAllStringFunc(text, func(found string) string {
		name, id, _ := strings.Cut(found, "=")
		return name + "=" + s.placeholder(id)
	})
	return answer + strings.TrimSuffix(text, "\n") + "\n"
}

// cardID finds the ids of cards and of references to them, which differ from run
// to run.
var cardID = regexp.MustCompile(`(?:card-ref-id|card-hash-id)=[0-9]+`)

// placeholder is what stands for a card's id in the files: {card1}, {card2} ...
func (s *sandbox) placeholder(id string) string {
	if s.cards[id] == "" {
		s.cards[id] = fmt.Sprintf("{card%d}", len(s.cards)+1)
	}
	return s.cards[id]
}

// receiptID is keyed with the test's own key, so it differs from run to run.
var receiptID = regexp.MustCompile(`receipt-id=[0-9a-f]{8}-[0-9a-f]{4}-3[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// formToken is keyed too: 128 bits in base64url.
var formToken = regexp.MustCompile(`%2Fpaynet%2Fform%2F[A-Za-z0-9_-]{22}\b`)

// controlOf is the control sum of a v2 body.
func controlOf(t *testing.T, path, body string) string {
	form, err := sign.ParseForm(body)
	check(t, err)
	value := func(name string) string {
		for _, pair := range form {
			if pair.Name == name {
				return pair.Value
			}
		}
		return ""
	}
	parts := strings.Split(path, "/")
	id, command := parts[len(parts)-1], strings.TrimPrefix(path, "/paynet/api/v2/")
	minor := strings.ReplaceAll(value("amount"), ".", "") // amounts stand in the files with all their decimals
	switch command, _, _ = strings.Cut(command, "/"); command {
	case "sale", "preauth":
		return sign.Control(id, value("client_orderid"), minor, value("email"), controlKey)
	case "account-verification":
		return sign.Control(id, value("client_orderid"), value("email"), controlKey)
	}
	return sign.StatusControl(value("login"), value("client_orderid"), value("orderid"), controlKey)
}
