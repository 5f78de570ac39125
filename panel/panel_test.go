package panel_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/api"
	"payout/callback"
	"payout/gateway"
	"payout/panel"
	"payout/processor"
	"payout/processor/simulator"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

const (
	login      = "TestMerchant"
	otherLogin = "OtherMerchant"
	controlKey = "r45a019070772d1c4c2b503bbdc0fa22"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A desk is a gateway with its API and its panel behind one address, with a clock
// of its own, and somebody's browser.
type desk struct {
	*panel.Handler
	t        *testing.T
	now      time.Time
	server   *httptest.Server
	browser  *http.Client
	log      *bytes.Buffer
	parties  map[string]payout.PartyID
	receiver *httptest.Server
	came     int // callbacks
	answers  int // HTTP status of the receiver's answers
}

func newDesk(t *testing.T, db *storage.DB, settings gateway.Settings) *desk {
	t.Helper()
	d := &desk{t: t, now: time.Now().Truncate(time.Second), log: new(bytes.Buffer), parties: make(map[string]payout.PartyID), answers: http.StatusOK}
	clock := func() time.Time { return d.now }
	log := slog.New(slog.NewJSONHandler(d.log, nil))
	rail, err := simulator.Open("", simulator.Options{Now: clock, Sleep: func(_ context.Context, wait time.Duration) error {
		d.now = d.now.Add(wait)
		return nil
	}})
	check(t, err)
	t.Cleanup(func() { check(t, rail.Close()) })
	policy := callback.Policy{AllowLoopback: true}
	g := &gateway.Gateway{DB: db, Vault: storagetest.Vault(t, db), Processors: map[string]processor.Processor{"simulator": rail}, URLs: policy, Settings: settings,
		Callbacks: callback.NewSender(callback.Settings{Policy: policy, Now: clock}), Now: clock, Random: func() float64 { return 0.5 }, Log: log}
	t.Cleanup(g.Callbacks.Close)
	check(t, db.Transact(t.Context(), d.now, d.setUp))
	check(t, g.Reload(t.Context()))
	d.Handler = &panel.Handler{Gateway: g, Window: 5 * time.Minute, Docs: true, Log: log}
	check(t, d.Open())
	signed := &api.Handler{Gateway: g, ContextPath: "/paynet", TimestampWindow: 5 * time.Minute, Log: log}
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.Serves(r.URL.Path) {
			d.ServeHTTP(w, r)
		} else {
			signed.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(d.server.Close)
	d.receiver = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d.came++
		w.WriteHeader(d.answers)
	}))
	t.Cleanup(d.receiver.Close)
	d.browser = d.newBrowser()
	return d
}

func (d *desk) newBrowser() *http.Client {
	jar, err := cookiejar.New(nil)
	check(d.t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (d *desk) setUp(tx *storage.Tx) error {
	public := &testKey().PublicKey
	project, err := tx.AddProject(payout.Project{Name: "Main", Enabled: true})
	check(d.t, err)
	gate, err := tx.AddGate(payout.Gate{Name: "Bank of the operator", Processor: "simulator", Concurrency: 8, Enabled: true})
	check(d.t, err)
	for i, name := range []string{login, otherLogin} {
		d.parties[name], err = tx.AddParty(payout.ConnectingParty{Login: name, Name: name, ControlKey: controlKey, Enabled: true})
		check(d.t, err)
		check(d.t, tx.AddPartyKey(d.parties[name], payout.PartyKey{Fingerprint: sign.Fingerprint(public), Public: public, Enabled: true}))
		_, err = tx.AddEndpoint(payout.Endpoint{ID: payout.EndpointID(39915 + i), PartyID: d.parties[name], ProjectID: project, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true})
		check(d.t, err)
	}
	return nil
}

// token makes a token for somebody of a party.
func (d *desk) token(login, name string) (token string, id int64) {
	d.t.Helper()
	check(d.t, d.Gateway.DB.Transact(d.t.Context(), d.now, func(tx *storage.Tx) error {
		secret, number, err := gateway.NewPanelToken(tx, d.parties[login], name, d.now.Add(24*time.Hour))
		token, id = secret.Reveal(), number
		return err
	}))
	return token, id
}

// An answer is what the browser got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (d *desk) get(path string) answer {
	d.t.Helper()
	return d.do(http.MethodGet, path, nil, nil)
}

func (d *desk) post(path string, form url.Values) answer {
	d.t.Helper()
	return d.do(http.MethodPost, path, form, http.Header{"Sec-Fetch-Site": {"same-origin"}})
}

func (d *desk) do(method, path string, form url.Values, header http.Header) answer {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+path, strings.NewReader(form.Encode()))
	check(d.t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := d.browser.Do(r)
	check(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(d.t, err)
	return answer{response.StatusCode, response.Header, string(body)}
}

// signIn signs the browser in as somebody of a party.
func (d *desk) signIn(login, name string) {
	d.t.Helper()
	token, _ := d.token(login, name)
	if got := d.post("/panel/en/sign-in", url.Values{"token": {token}}); got.status != http.StatusSeeOther || got.header.Get("Location") != "/panel/en/" {
		d.t.Fatalf("sign-in: %d %s", got.status, got.body)
	}
}

// A call is one request to the API.
type call struct {
	login, clientOrderID string
	endpoint             payout.EndpointID
	more                 []sign.Pair
	change               func(*http.Request)
	key                  *rsa.PrivateKey
	at                   time.Time
}

// pay sends a payout and returns the fields of its reply, if it has any.
func (d *desk) pay(c call) url.Values {
	d.t.Helper()
	if c.login == "" {
		c.login, c.endpoint = login, 39915
	}
	if c.key == nil {
		c.key = testKey()
	}
	if c.at.IsZero() {
		c.at = d.now
	}
	target := d.server.URL + "/paynet/api/v4/payout/" + c.endpoint.String()
	form := append([]sign.Pair{{Name: "client_orderid", Value: c.clientOrderID}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "USD"},
		{Name: "account_number", Value: "1234567890"}, {Name: "account_name", Value: "John Q. Public"}, {Name: "server_callback_url", Value: d.receiver.URL}}, c.more...)
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: target, Form: form},
		sign.Credentials{ConsumerKey: c.login, Nonce: rand.Text(), Timestamp: c.at.Unix()}, c.key)
	check(d.t, err)
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, target, strings.NewReader(sign.EncodeForm(form)))
	check(d.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", header)
	if c.change != nil {
		c.change(r)
	}
	response, err := http.DefaultClient.Do(r)
	check(d.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(d.t, err)
	d.write()
	if response.StatusCode == http.StatusForbidden {
		return nil
	}
	reply, err := url.ParseQuery(strings.ReplaceAll(string(body), "\n", ""))
	check(d.t, err)
	return reply
}

// write writes the journal, as the worker does within a second.
func (d *desk) write() {
	d.t.Helper()
	_, err := d.Gateway.WriteJournal()
	check(d.t, err)
}

// settle pays what is due and delivers its callbacks once.
func (d *desk) settle() {
	d.t.Helper()
	for range 5 {
		_, err := d.Gateway.WorkDue(d.t.Context())
		check(d.t, err)
	}
	_, err := d.Gateway.DeliverDue(d.t.Context())
	check(d.t, err)
}

// shows fails the test when a page does not have all texts.
func (a answer) shows(t *testing.T, texts ...string) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Errorf("answered %d", a.status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page does not show %q:\n%s", text, a.body)
		}
	}
}

func (a answer) hides(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			t.Errorf("the page shows %q", text)
		}
	}
}

func TestNobodySeesAnythingWithoutAToken(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	reply := d.pay(call{clientOrderID: "INV-1"})
	for _, path := range []string{"/panel/en/", "/panel/ru/", "/panel/en/requests/" + reply.Get("serial-number"), "/panel/en/orders/" + reply.Get("paynet-order-id"),
		"/panel/en/find?q=INV-1", "/panel/en/nothing", "/panel/en/sign-in"} {
		got := d.get(path)
		if got.status != http.StatusUnauthorized || !strings.Contains(got.body, `name="token"`) {
			t.Errorf("%s answers %d", path, got.status)
		}
		got.hides(t, login, "10.42", "v4/payout", "39915") // its own address may be in its links
	}
	for _, path := range []string{"/panel/en/sign-out", "/panel/en/callbacks/1/resend"} {
		if got := d.post(path, url.Values{"order": {reply.Get("paynet-order-id")}}); got.status != http.StatusUnauthorized {
			t.Errorf("%s answers %d", path, got.status)
		}
	}
	for path, want := range map[string]string{"/panel": "/panel/en/", "/panel/": "/panel/en/", "/panel/en": "/panel/en/"} {
		if got := d.get(path); got.status != http.StatusFound || got.header.Get("Location") != want {
			t.Errorf("%s answers %d to %q", path, got.status, got.header.Get("Location"))
		}
	}
	if got := d.do(http.MethodGet, "/panel/", nil, http.Header{"Accept-Language": {"ru"}}); got.header.Get("Location") != "/panel/ru/" {
		t.Errorf("a Russian browser is sent to %q", got.header.Get("Location"))
	}
	for path, want := range map[string]int{"/panel/de/": 404, "/panel/assets/": 404, "/panel/xx": 404} {
		if got := d.get(path); got.status != want {
			t.Errorf("%s answers %d, want %d", path, got.status, want)
		}
	}
}

func TestSessionIsKeptFromEverybodyElse(t *testing.T) {
	for publicURL, secure := range map[string]bool{"": false, "https://gate.example.com": true, "http://gate.example.com": false} {
		d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
		d.PublicURL = publicURL
		token, _ := d.token(login, "Ann")
		got := d.post("/panel/ru/sign-in", url.Values{"token": {token}})
		cookies := (&http.Response{Header: got.header}).Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%d cookies", len(cookies))
		}
		if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/panel/" || c.Secure != secure || c.Domain != "" ||
			!c.Expires.Equal(d.now.Add(12*time.Hour)) || strings.Contains(c.Value, token) {
			t.Errorf("with the public URL %q: %+v", publicURL, c)
		}
		if location := got.header.Get("Location"); location != "/panel/ru/" {
			t.Errorf("it goes on to %q", location)
		}
		if strings.Contains(d.log.String(), token) || !strings.Contains(d.log.String(), `"login":"TestMerchant"`) {
			t.Errorf("the log: %s", d.log)
		}
	}
}

func TestSignInAndOut(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := newDesk(t, db, gateway.Settings{})
		token, id := d.token(login, "Ann")
		if got := d.post("/panel/en/sign-in", url.Values{"token": {token + "A"}}); got.status != http.StatusForbidden || !strings.Contains(got.body, "not good") {
			t.Errorf("a wrong token is answered %d", got.status)
		}
		for _, site := range []string{"cross-site", "same-site"} {
			if got := d.do(http.MethodPost, "/panel/en/sign-in", url.Values{"token": {token}}, http.Header{"Sec-Fetch-Site": {site}}); got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
				t.Errorf("a sign-in from %s is answered %d", site, got.status)
			}
		}
		d.signIn(login, "Bob")
		d.get("/panel/en/").shows(t, login, "Latest requests")
		if got := d.get("/panel/en/sign-in"); got.status != http.StatusSeeOther {
			t.Errorf("sign-in again: %d", got.status)
		}
		if got := d.post("/panel/en/sign-out", nil); got.status != http.StatusSeeOther {
			t.Errorf("sign-out: %d", got.status)
		}
		if got := d.get("/panel/en/"); got.status != http.StatusUnauthorized {
			t.Errorf("after the sign-out: %d", got.status)
		}
		if got := d.post("/panel/en/sign-in", url.Values{"token": {token}}); got.status != http.StatusSeeOther {
			t.Fatalf("sign-in: %d", got.status)
		}
		check(t, db.Transact(t.Context(), d.now, func(tx *storage.Tx) error { return tx.RevokePanelToken(d.parties[login], id) }))
		if got := d.get("/panel/en/"); got.status != http.StatusUnauthorized {
			t.Errorf("after the token was revoked: %d", got.status)
		}
	})
}

func TestTokensCannotBeTriedForLong(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	token, _ := d.token(login, "Ann")
	for try := range 11 {
		got := d.post("/panel/en/sign-in", url.Values{"token": {fmt.Sprint("panel_", try)}})
		if want := map[bool]int{true: http.StatusForbidden, false: http.StatusTooManyRequests}[try < 10]; got.status != want {
			t.Errorf("try %d is answered %d, want %d", try+1, got.status, want)
		}
	}
	if got := d.post("/panel/en/sign-in", url.Values{"token": {token}}); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "60" {
		t.Errorf("the right one meanwhile: %d", got.status)
	}
	d.now = d.now.Add(time.Minute)
	if got := d.post("/panel/en/sign-in", url.Values{"token": {token}}); got.status != http.StatusSeeOther {
		t.Errorf("a minute later: %d", got.status)
	}
}

func TestPagesMayDoNothingElse(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	reply := d.pay(call{clientOrderID: "INV-1"})
	before := d.get("/panel/en/")
	d.signIn(login, "Ann")
	for what, got := range map[string]answer{"sign-in": before, "list": d.get("/panel/en/"), "request": d.get("/panel/en/requests/" + reply.Get("serial-number")),
		"order": d.get("/panel/en/orders/" + reply.Get("paynet-order-id")), "nothing": d.get("/panel/en/nothing")} {
		policy := got.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", what, policy)
		}
		if got.header.Get("Cache-Control") != "no-store" || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: %v", what, got.header)
		}
		if strings.Contains(got.body, "<style") || strings.Contains(got.body, " style=") || strings.Contains(got.body, " on") && strings.Contains(got.body, " onclick") ||
			strings.Contains(got.body, "//cdn") || len(got.body) > 200<<10 {
			t.Errorf("%s: the page has what it must not have", what)
		}
	}
	if got := d.do(http.MethodPut, "/panel/en/", nil, nil); got.status != http.StatusMethodNotAllowed {
		t.Errorf("PUT is answered %d", got.status)
	}
	if got := d.do(http.MethodHead, "/panel/en/", nil, nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("HEAD is answered %d %q", got.status, got.body)
	}
}

func TestOpenFindsItsFiles(t *testing.T) {
	h := &panel.Handler{Commands: spec.Commands}
	check(t, h.Open())
	for path, want := range map[string]bool{"/panel": true, "/panel/": true, "/panel/en/": true, "/panels": false, "/": false, "/paynet/panel/": false} {
		if h.Serves(path) != want {
			t.Errorf("serves %s: %v", path, !want)
		}
	}
}

func TestDatabaseThatIsAwayIsToldAsThat(t *testing.T) {
	disk := storagetest.NewDisk(t)
	d := newDesk(t, storagetest.Open(t, disk.Database()), gateway.Settings{})
	d.signIn("TestMerchant", "Ann")
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.InLog() && c.Sync {
			return storagetest.DiskUnsynced
		}
		return storagetest.DiskFine
	})
	lost := func(tx *storage.Tx) error {
		_, err := tx.AddProject(payout.Project{Name: "Lost", Enabled: true})
		return err
	}
	if err := d.Gateway.DB.Transact(t.Context(), d.now, lost); !errors.Is(err, storage.ErrUnknown) {
		t.Fatal(err)
	}
	for lang, says := range map[string]string{"en": "Try again in a moment", "ru": "Попробуйте через несколько секунд"} {
		page := d.get("/panel/" + lang + "/")
		if page.status != http.StatusServiceUnavailable || page.header.Get("Retry-After") != "1" || !strings.Contains(page.body, says) {
			t.Errorf("answered %d, Retry-After %q: %s", page.status, page.header.Get("Retry-After"), page.body)
		}
	}
	disk.Fail(nil)
	check(t, d.Gateway.DB.Transact(t.Context(), d.now, lost))
	if page := d.get("/panel/en/"); page.status != http.StatusOK {
		t.Errorf("answered %d when the disk is well", page.status)
	}
}
