// Package journeys drives the pages in a real headless Chromium, on a running
// server: a Receiver's way from the Connecting Party's site through form and wait
// page back to it, and an integrator's with builder and checker.
package journeys

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"payout"
	"payout/server"
	"payout/sign"
	"payout/storage"
	"payout/vault"
)

const (
	login      = "TestMerchant"
	controlKey = "r45a019070772d1c4c2b503bbdc0fa22"
	patience   = 90 * time.Second // with a whole journey
)

// The endpoints, by what their form asks for.
const (
	toAccount = payout.EndpointID(39915)
	toCard    = payout.EndpointID(39925)
	toPhone   = payout.EndpointID(39935)
	nowhere   = payout.EndpointID(39945) // its gate is switched off: orders wait
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

// A site is a running gateway and the Connecting Party's own site.
type site struct {
	t        *testing.T
	config   server.Config
	base     string // of the gateway, such as http://127.0.0.1:1234/paynet
	merchant *httptest.Server
	returned chan url.Values // what browsers posted to the Connecting Party's page
	called   chan url.Values // its callbacks
}

func newSite(t *testing.T, change func(*server.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, returned: make(chan url.Values, 10), called: make(chan url.Values, 10),
		config: server.Config{Listen: "127.0.0.1:0", Database: filepath.Join(dir, "payoutd.db"), KeyFile: filepath.Join(dir, "master.key"),
			SimulatorBook: filepath.Join(dir, "simulator.db"), Sandbox: true}}
	if change != nil {
		change(&s.config)
	}
	s.open(func(db *storage.DB) {
		_, err := db.Migrate(t.Context())
		check(t, err)
		check(t, db.Transact(t.Context(), time.Now(), setUp))
	})
	site := http.NewServeMux()
	site.HandleFunc("POST /done", s.done)
	site.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) { s.called <- r.URL.Query() })
	s.merchant = httptest.NewServer(site)
	t.Cleanup(s.merchant.Close)

	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan server.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- server.Run(ctx, s.config, slog.New(slog.NewJSONHandler(io.Discard, nil)), func(a server.Addresses) { ready <- a })
	}()
	t.Cleanup(func() {
		stop()
		check(t, <-ended)
	})
	select {
	case a := <-ready:
		s.base = "http://" + a.API + "/paynet"
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	return s
}

// open opens the server's database beside it.
func (s *site) open(fn func(*storage.DB)) {
	s.t.Helper()
	v, err := vault.Open(s.config.KeyFile)
	check(s.t, err)
	db, err := storage.Open(s.t.Context(), s.config.Database, v)
	check(s.t, err)
	defer func() { check(s.t, db.Close()) }()
	fn(db)
}

func setUp(tx *storage.Tx) error {
	party, err := tx.AddParty(payout.ConnectingParty{Login: login, Name: "Test Merchant", ControlKey: controlKey, Enabled: true})
	if err != nil {
		return err
	}
	public := &testKey().PublicKey
	if err := tx.AddPartyKey(party, payout.PartyKey{Fingerprint: sign.Fingerprint(public), Public: public, Enabled: true}); err != nil {
		return err
	}
	project, err := tx.AddProject(payout.Project{Name: "Main", Enabled: true})
	if err != nil {
		return err
	}
	for id, required := range map[payout.EndpointID][]string{toAccount: nil, toCard: {"credit_card_number"}, toPhone: {"receiver_phone"}, nowhere: nil} {
		gate, err := tx.AddGate(payout.Gate{Name: id.String(), Processor: "simulator", Required: required, Concurrency: 8, Enabled: id != nowhere})
		if err != nil {
			return err
		}
		if _, err := tx.AddEndpoint(payout.Endpoint{ID: id, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true}); err != nil {
			return err
		}
	}
	return nil
}

// done is the Connecting Party's page that the browser returns to.
func (s *site) done(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.URL.Query().Get("session") != "1" {
		http.Error(w, "not as expected", http.StatusBadRequest)
		return
	}
	s.returned <- r.PostForm
	fmt.Fprint(w, "<!doctype html><title>Back</title><p id=back>Back at the merchant's site</p>")
}

// form asks for a payout form and returns its address and its order.
func (s *site) form(endpoint payout.EndpointID) (address string, id payout.OrderID) {
	s.t.Helper()
	target := s.base + "/api/v4/payout-form/" + endpoint.String()
	form := []sign.Pair{{Name: "client_orderid", Value: rand.Text()}, {Name: "amount", Value: "1234.50"}, {Name: "currency", Value: "RUB"},
		{Name: "order_desc", Value: "Winnings"}, {Name: "redirect_url", Value: s.merchant.URL + "/done?session=1"},
		{Name: "server_callback_url", Value: s.merchant.URL + "/callback"}}
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: target, Form: form},
		sign.Credentials{ConsumerKey: login, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, testKey())
	check(s.t, err)
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, target, strings.NewReader(sign.EncodeForm(form)))
	check(s.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", header)
	response, err := http.DefaultClient.Do(r)
	check(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(s.t, err)
	reply, err := url.ParseQuery(strings.ReplaceAll(string(text), "\n", ""))
	check(s.t, err)
	if reply.Get("type") != "async-form-response" {
		s.t.Fatalf("payout-form: %s", text)
	}
	id, err = payout.ParseOrderID(reply.Get("paynet-order-id"))
	check(s.t, err)
	return reply.Get("redirect-url"), id
}

// ends waits for the browser's return and for the callback, and checks that both
// are the gateway's own and tell the status.
func (s *site) ends(returned, called payout.Status) {
	s.t.Helper()
	s.told("return", s.returned, returned)
	s.told("callback", s.called, called)
}

// told waits for one message and checks it.
func (s *site) told(what string, from chan url.Values, want payout.Status) {
	s.t.Helper()
	select {
	case got := <-from:
		if got.Get("status") != string(want) {
			s.t.Errorf("the %s tells %q, want %q", what, got.Get("status"), want)
		}
		if got.Get("control") != sign.CallbackControl(got.Get("status"), got.Get("orderid"), got.Get("client_orderid"), controlKey) {
			s.t.Errorf("the %s is not authentic: %v", what, got)
		}
	case <-time.After(patience):
		s.t.Fatalf("no %s came", what)
	}
}

// once checks that no second return and no second payment happened.
func (s *site) once(id payout.OrderID) {
	s.t.Helper()
	s.open(func(db *storage.DB) {
		attempts, err := db.Transactions(s.t.Context(), id)
		check(s.t, err)
		if len(attempts) != 1 {
			s.t.Errorf("%d transactions, want 1", len(attempts))
		}
	})
	if len(s.returned) != 0 {
		s.t.Errorf("the browser returned %d times more", len(s.returned))
	}
}

// chromium finds the browser.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// browser is one Chromium for all journeys; each has tabs of its own.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := chromium()
	if path == "" {
		return nil, nil
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancelBrowser := chromedp.NewContext(allocator)
	closeBrowser = func() { cancelBrowser(); cancelAllocator() }
	return ctx, chromedp.Do(ctx)
})

var closeBrowser func()

func TestMain(m *testing.M) {
	code := m.Run()
	if closeBrowser != nil {
		closeBrowser()
	}
	os.Exit(code)
}

// A tab is one tab of the Receiver's browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func newTab(t *testing.T) tab {
	t.Helper()
	ctx, err := browser()
	if ctx == nil && err == nil {
		if os.Getenv("PAYOUTD_TEST_CHROMIUM_REQUIRED") != "" {
			t.Fatal("Chromium is not installed")
		}
		t.Skip("no Chromium: install Debian's package chromium, or run make test, which does")
	}
	check(t, err)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	limited, cancelLimit := context.WithTimeout(ctx, patience)
	t.Cleanup(cancelLimit)
	check(t, chromedp.Do(ctx))
	return tab{t, limited}
}

func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	check(b.t, chromedp.Do(b.ctx, steps...))
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

func named(name string) string { return `[name="` + name + `"]` }

// fill types into empty fields, by name.
func (b tab) fill(fields map[string]string) {
	b.t.Helper()
	for name, value := range fields {
		b.do(chromedp.WaitVisible(css(named(name))), chromedp.SendKeys(css(named(name)), value))
	}
}

func (b tab) send() {
	b.t.Helper()
	b.do(chromedp.Click(css(`main form button[type="submit"]`)))
}

// back waits until the tab shows the Connecting Party's page.
func (b tab) back() {
	b.t.Helper()
	b.do(chromedp.WaitVisible(css("#back")))
}

// shows waits until the page has an element. chromedp's own waiting misses pages
// that come back by history.back.
func (b tab) shows(selector string) {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`document.querySelector(%q) !== null`, selector)))
		if b.ctx.Err() != nil {
			b.t.Fatalf("the page never has %s", selector)
		}
		if err == nil && found {
			return
		}
		<-tick.C
	}
}

// text is what the page shows.
func (b tab) text() string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Text(css("body")))
	check(b.t, err)
	return text
}

// narrow makes the tab a phone's, 360 pixels wide.
func (b tab) narrow() { b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile)) }

// fits checks that nothing is wider than the screen.
func (b tab) fits() {
	b.t.Helper()
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	check(b.t, err)
	if wide > 0 {
		b.t.Errorf("the page is %d pixels wider than the screen", wide)
	}
}

func (b tab) withoutJavaScript() {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return none, err
	})
}

// prefers sets the colour scheme that the Receiver prefers, light or dark.
func (b tab) prefers(scheme string) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (none chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return none, err
	})
}

var public = map[string]string{"account_name": "John Q. Public", "account_number": "1234567890"}

func account(number string) map[string]string {
	return map[string]string{"account_name": "John Q. Public", "account_number": number}
}

func TestApproved(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toAccount)
	b.narrow()
	b.do(chromedp.Navigate(address))
	b.fits()
	b.fill(public)
	b.send()
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}

func TestDeclined(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toAccount)
	b.do(chromedp.Navigate(address))
	b.fill(account("0987654321"))
	b.send()
	b.back()
	s.ends(payout.StatusDeclined, payout.StatusDeclined)
	s.once(id)
}

func TestSlow(t *testing.T) {
	if testing.Short() {
		t.Skip("30 seconds")
	}
	t.Parallel()
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toAccount)
	b.do(chromedp.Navigate(address))
	b.fill(account("2000000030"))
	b.send()
	b.do(chromedp.WaitVisible(css(`[data-state="slow"]`)))
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}

// An order of whose payment nobody knows ends the page, not the order.
func TestUnknown(t *testing.T) {
	s, b := newSite(t, func(c *server.Config) { c.UnknownAfter = time.Second }), newTab(t)
	address, id := s.form(nowhere)
	b.do(chromedp.Navigate(address))
	b.fill(public)
	b.send()
	b.do(chromedp.WaitVisible(css(`[data-state="accepted"]`)))
	s.open(func(db *storage.DB) {
		for _, on := range []payout.Event{payout.Send, payout.Lose} {
			o, err := db.Order(t.Context(), id)
			check(t, err)
			to, _ := o.Stage.Next(on)
			moved, err := db.Move(storage.Move{OrderID: id, From: o.Stage, Version: o.Version, Event: on, To: to, At: time.Now(),
				DueAt: time.Now().Add(time.Hour), GateID: o.GateID, Attempts: 1})
			check(t, err)
			if !moved {
				t.Fatal("the order was moved meanwhile")
			}
		}
	})
	b.back()
	s.open(func(db *storage.DB) { // the rail is asked, and knows nothing of it
		o, err := db.Order(t.Context(), id)
		check(t, err)
		check(t, db.Postpone(o, 0, time.Now()))
	})
	s.ends(payout.StatusUnknown, payout.StatusError)
}

func TestErrorsAreCorrected(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toCard)
	b.narrow()
	b.do(chromedp.Navigate(address))
	b.withoutJavaScript() // so that the server's own checks answer
	b.fill(map[string]string{"credit_card_number": "4444555566661112"})
	b.send()
	b.do(chromedp.WaitVisible(css(`[aria-invalid="true"]`)))
	b.fits()
	page, err := chromedp.Run(b.ctx, chromedp.OuterHTML(css("html")))
	check(t, err)
	if strings.Contains(page, "4444555566661112") {
		t.Error("the page has the card number")
	}
	b.fill(map[string]string{"credit_card_number": "4444 5555 6666 1111"})
	b.send()
	b.do(chromedp.WaitVisible(css(`form[action^="`+s.merchant.URL+`"] button`)), chromedp.Click(css(`form[action^="`+s.merchant.URL+`"] button`)))
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}

func TestErrorsAreShownAsOneTypes(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toCard)
	b.do(chromedp.Navigate(address))
	b.fill(map[string]string{"credit_card_number": "4444555566661112"})
	b.do(chromedp.KeyEvent("\t"), chromedp.WaitVisible(css(`[name="credit_card_number"][aria-invalid="true"]`)))
	b.do(chromedp.SetValue(css(named("credit_card_number")), ""))
	b.fill(map[string]string{"credit_card_number": "4444555566661111"})
	if value, err := chromedp.Run(b.ctx, chromedp.Value(css(named("credit_card_number")))); err != nil || value != "4444 5555 6666 1111" {
		t.Errorf("the card number is shown as %q, %v", value, err)
	}
	b.send()
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}

func TestDoubleClick(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toAccount)
	b.do(chromedp.Navigate(address))
	b.fill(public)
	b.do(chromedp.DoubleClick(css(`main form button[type="submit"]`)))
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}

func TestBack(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toAccount)
	b.do(chromedp.Navigate(address))
	b.fill(public)
	b.send()
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	_, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`history.back(); true`))
	check(t, err)
	b.shows(".finish.approved")
	b.do(chromedp.Navigate(address)) // from now on the address shows the end
	b.shows(".finish.approved")
	s.once(id)
}

func TestTwoTabs(t *testing.T) {
	s, first, second := newSite(t, nil), newTab(t), newTab(t)
	address, id := s.form(toAccount)
	first.do(chromedp.Navigate(address))
	second.do(chromedp.Navigate(address))
	first.fill(public)
	second.fill(account("0987654321"))
	first.send()
	first.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	second.send()
	second.back()
	s.told("return of the second tab", s.returned, payout.StatusApproved)
	s.once(id)
}

func TestExpired(t *testing.T) {
	s, b := newSite(t, func(c *server.Config) { c.FormWithin = 10 * time.Second }), newTab(t)
	address, _ := s.form(toAccount)
	b.do(chromedp.Navigate(address))
	b.fill(public)
	s.told("callback", s.called, payout.StatusDeclined) // the worker has declined it
	b.send()
	b.do(chromedp.WaitVisible(css(`.finish.expired`)))
	b.back()
	s.told("return", s.returned, payout.StatusDeclined)
}

func TestWithoutJavaScript(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toPhone)
	b.withoutJavaScript()
	b.do(chromedp.Navigate(address))
	b.fill(map[string]string{"receiver_phone": "+7 903 123-45-67"})
	b.do(chromedp.SendKeys(css(`select[name="bank_id"]`), "Сбербанк"))
	b.send()
	button := css(`form[action^="` + s.merchant.URL + `"] button`)
	b.do(chromedp.WaitVisible(button), chromedp.Click(button)) // the wait page has read itself again until then
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}

func TestRussian(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	address, id := s.form(toAccount)
	b.do(chromedp.Navigate(address + "?lang=ru"))
	if text := b.text(); !strings.Contains(text, "1\u00a0234,50\u00a0₽") {
		t.Errorf("the amount is not written as Russians do:\n%s", text)
	}
	if lang, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.documentElement.lang`)); err != nil || lang != "ru" {
		t.Errorf("the page's language is %q, %v", lang, err)
	}
	b.fill(public)
	b.send()
	b.do(chromedp.WaitVisible(css(`.finish.approved`)))
	if lang, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.documentElement.lang`)); err != nil || lang != "ru" {
		t.Errorf("the last page's language is %q, %v", lang, err)
	}
	b.back()
	s.ends(payout.StatusApproved, payout.StatusApproved)
	s.once(id)
}
