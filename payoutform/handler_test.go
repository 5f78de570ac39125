package payoutform_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"payout"
	"payout/callback"
	"payout/gateway"
	"payout/payoutform"
	"payout/processor"
	"payout/processor/simulator"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

const controlKey = "control key"

// The endpoints of the tests, by what their form asks for.
const (
	account = payout.EndpointID(39915)
	card    = payout.EndpointID(39925)
	phone   = payout.EndpointID(39935)
	much    = payout.EndpointID(39945)
	asking  = payout.EndpointID(39955) // a phone, also of a payout that does not tell it
)

// A site is the Receiver's door with a gateway behind it, whose clock and
// workers the test moves.
type site struct {
	*payoutform.Handler
	t    *testing.T
	db   *storage.DB
	now  time.Time
	mu   sync.Mutex
	log  strings.Builder
	made int
}

// Write takes the log.
func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func newSite(t *testing.T) *site { return newSiteOn(t, storagetest.Open(t, storagetest.SQLite(t))) }

func newSiteOn(t *testing.T, db *storage.DB) *site {
	s := &site{t: t, db: db, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	s.check(s.db.Transact(t.Context(), s.now, setUp))
	rail, err := simulator.Open(t.TempDir()+"/simulator.db", simulator.Options{Now: func() time.Time { return s.now }})
	s.check(err)
	t.Cleanup(func() { s.check(rail.Close()) })
	log := slog.New(slog.NewJSONHandler(s, nil))
	policy := callback.Policy{AllowLoopback: true}
	g := &gateway.Gateway{DB: s.db, Vault: storagetest.Vault(t, s.db), Processors: map[string]processor.Processor{"simulator": rail}, URLs: policy,
		Callbacks: callback.NewSender(callback.Settings{Policy: policy}), Now: func() time.Time { return s.now },
		Random: func() float64 { return 0.5 }, Log: log}
	t.Cleanup(g.Callbacks.Close)
	s.check(g.Reload(t.Context()))
	pages, err := payoutform.NewPages("")
	s.check(err)
	banks, err := payoutform.ReadBanks("")
	s.check(err)
	s.Handler = &payoutform.Handler{Gateway: g, Pages: pages, ContextPath: "/paynet", Directory: banks, Log: log}
	return s
}

func setUp(tx *storage.Tx) error {
	party, err := tx.AddParty(payout.ConnectingParty{Login: "TestMerchant", Name: "Test & Merchant", ControlKey: controlKey, Enabled: true})
	if err != nil {
		return err
	}
	project, err := tx.AddProject(payout.Project{Name: "Sandbox", Enabled: true})
	if err != nil {
		return err
	}
	for id, required := range map[payout.EndpointID][]string{account: nil, card: {"credit_card_number", "expire_month", "expire_year"},
		phone: {"receiver_phone"}, asking: {"receiver_phone"}, much: {"bank_code", "receiver_email"}} {
		gate, err := tx.AddGate(payout.Gate{Name: id.String(), Processor: "simulator", Required: required, AskReceiver: id == asking, Concurrency: 8, Enabled: true})
		if err != nil {
			return err
		}
		if _, err := tx.AddEndpoint(payout.Endpoint{ID: id, PartyID: party, ProjectID: project, Gates: []payout.GateID{gate},
			Repeat: payout.RepeatReplay, Enabled: true}); err != nil {
			return err
		}
	}
	return tx.SetBrand(card, payout.Brand{Name: "Northwind", Accent: "#0f766e", Language: "ru", Logo: []byte("\x89PNG\r\n\x1a\n")})
}

func (s *site) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// form makes a form order and returns it with the path of its form.
func (s *site) form(endpoint payout.EndpointID, more ...sign.Pair) (payout.OrderID, string) {
	s.t.Helper()
	s.made++
	form := append([]sign.Pair{{Name: "client_orderid", Value: "INV-" + strconv.Itoa(s.made)}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "USD"},
		{Name: "redirect_url", Value: "https://merchant.example/done?session=1"}}, more...)
	r, err := spec.PayoutForm.Parse(form)
	s.check(err)
	serial, err := s.db.NextSerial()
	s.check(err)
	order, err := s.Gateway.Payout(s.t.Context(), &gateway.Call{Command: spec.PayoutForm, Serial: serial, Now: s.now, EndpointID: endpoint,
		Party: s.Gateway.Directory().PartyByLogin("TestMerchant")}, r)
	s.check(err)
	return order.ID, "/paynet/form/" + s.Gateway.FormToken(order.ID)
}

// work lets the workers and the clock run until nothing is due within a while.
func (s *site) work() {
	s.t.Helper()
	for {
		n, err := s.Gateway.WorkDue(s.t.Context())
		s.check(err)
		due, err := s.Gateway.NextDue(s.t.Context())
		s.check(err)
		if n == 0 && (due.IsZero() || due.Sub(s.now) > 5*time.Minute) {
			return
		}
		if due.After(s.now) && n == 0 {
			s.now = due
		}
	}
}

func (s *site) do(method, path string, typed url.Values, change func(*http.Request)) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(method, "https://pay.example"+path, strings.NewReader(typed.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Test Browser/1.0")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func (s *site) get(path string) string {
	s.t.Helper()
	response := s.do(http.MethodGet, path, nil, nil)
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: HTTP %s", path, response.Status)
	}
	return text(s.t, response)
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func (s *site) send(path string, typed url.Values) *http.Response {
	s.t.Helper()
	return s.do(http.MethodPost, path, typed, nil)
}

func (s *site) order(id payout.OrderID) *payout.Order {
	s.t.Helper()
	o, err := s.db.Order(s.t.Context(), id)
	s.check(err)
	return o
}

func good() url.Values {
	return url.Values{"account_name": {"John Q. Public"}, "account_number": {" 1234 5678 90 "}}
}

var hidden = regexp.MustCompile(`(?s)<input[^>]*type="?hidden"?[^>]*>`)

// field reads a hidden input of a page.
func field(page, name string) (string, bool) {
	for _, input := range hidden.FindAllString(page, -1) {
		if strings.Contains(input, `name="`+name+`"`) {
			_, after, _ := strings.Cut(input, `value="`)
			value, _, _ := strings.Cut(after, `"`)
			return value, true
		}
	}
	return "", false
}

// The form leads to the payout that the Receiver asked for, and the browser back
// to the Connecting Party with a right control sum.
func TestSentFormIsPaidAndTheBrowserReturns(t *testing.T) {
	s := newSite(t)
	id, path := s.form(account, sign.Pair{Name: "order_desc", Value: "Winnings <b>"})
	page := s.get(path)
	for _, want := range []string{`name="account_number"`, `name="account_name"`, "Test &amp; Merchant", "Winnings &lt;b&gt;", "10.42"} {
		if !strings.Contains(page, want) {
			t.Errorf("the form does not have %s", want)
		}
	}
	response := s.send(path, good())
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != path {
		t.Fatalf("HTTP %s to %s", response.Status, response.Header.Get("Location"))
	}
	if o := s.order(id); o.Stage != payout.Starting || o.Params["account_number"] != "1234567890" || o.ReceiverMask != "******7890" {
		t.Errorf("order after its form: %s to %v", o.Stage, o.ReceiverMask)
	}
	if page := s.get(path); strings.Contains(page, "1234567890") || !strings.Contains(page, "7890") {
		t.Error("the wait page must show the account masked")
	}
	s.work()
	page = s.get(path)
	if o := s.order(id); o.Stage != payout.Approved {
		t.Fatalf("the order is %s", o.Stage)
	}
	if !strings.Contains(page, `action="https://merchant.example/done?session=1"`) {
		t.Error("the last page does not lead back to the Connecting Party")
	}
	want := sign.CallbackControl("approved", id.String(), "INV-1", controlKey)
	if control, _ := field(page, "control"); control != want {
		t.Errorf("control is %q, want %q", control, want)
	}
	token := strings.TrimPrefix(path, "/paynet/form/")
	for where, text := range map[string]string{"page": page, "log": s.log.String(), "database": storagetest.Dump(t, s.db)} {
		for what, secret := range map[string]string{"account": "1234567890", "name": "John Q. Public", "browser": "Test Browser/1.0", "token": token} {
			if strings.Contains(text, secret) && (where != "page" || what != "token") {
				t.Errorf("the %s has the %s", where, what)
			}
		}
	}
}

// Whatever is sent after the first time changes nothing, and is shown what became of the first.
func TestFormIsTakenOnce(t *testing.T) {
	s := newSite(t)
	id, path := s.form(account)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { s.send(path, good()) })
	}
	wait.Wait()
	other := good()
	other.Set("account_number", "0987654321")
	if response := s.send(path, other); response.StatusCode != http.StatusSeeOther {
		t.Errorf("a second tab: HTTP %s", response.Status)
	}
	s.work()
	if o := s.order(id); o.Stage != payout.Approved || o.Attempts != 1 {
		t.Errorf("the order is %s after %d attempts", o.Stage, o.Attempts)
	}
	if response := s.send(path, other); response.StatusCode != http.StatusSeeOther {
		t.Errorf("after the end: HTTP %s", response.Status)
	}
	history, err := s.db.History(t.Context(), id)
	s.check(err)
	if n := len(slices.DeleteFunc(history, func(m payout.Moved) bool { return m.Event != payout.Submit })); n != 1 {
		t.Errorf("the form was taken %d times", n)
	}
}

// A form lives to the last moment of its time, and not longer.
func TestFormExpires(t *testing.T) {
	s := newSite(t)
	early, earlyPath := s.form(account)
	late, latePath := s.form(account)
	s.now = s.now.Add(30*time.Minute - time.Microsecond)
	s.send(earlyPath, good())
	s.now = s.now.Add(time.Microsecond)
	if response := s.send(latePath, good()); response.StatusCode != http.StatusSeeOther {
		t.Errorf("a late form: HTTP %s", response.Status)
	}
	if response := s.send(latePath, nil); response.StatusCode != http.StatusSeeOther {
		t.Errorf("a late form with mistakes: HTTP %s", response.Status)
	}
	if page := s.get(latePath); strings.Contains(page, `name="account_number"`) {
		t.Error("an expired form is still shown")
	}
	s.work()
	if o := s.order(early); o.Stage != payout.Approved {
		t.Errorf("the form sent in time: %s", o.Stage)
	}
	if o := s.order(late); o.Stage != payout.Declined || o.ErrorCode != payout.CodeFormExpired {
		t.Errorf("the form sent too late: %s, %d", o.Stage, o.ErrorCode)
	}
	if page := s.get(latePath); !strings.Contains(page, "merchant.example") {
		t.Error("an expired form does not lead back")
	}
}

// Each field is checked by its row; what was typed survives, but for the card number.
func TestBadFieldsAreNamedAndNothingIsTaken(t *testing.T) {
	for _, test := range []struct {
		endpoint payout.EndpointID
		name     string // of the field that is wrong
		value    string
		kept     bool
	}{
		{account, "account_number", "", true}, {account, "account_number", strings.Repeat("1", 35), true},
		{account, "account_number", "GB82WEST12345698765423", true}, {account, "account_name", "a\x01b", true},
		{card, "credit_card_number", "4444555566661112", false}, {card, "credit_card_number", "444455556666111", false},
		{card, "expire_month", "13", true}, {card, "expire_year", "2020", true},
		{phone, "receiver_phone", "call me", true}, {phone, "bank_id", "100000000999", false}, {phone, "bank_id", "", true},
		{much, "receiver_email", "", true}, {much, "bank_code", strings.Repeat("1", 17), true},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			s := newSite(t)
			id, path := s.form(test.endpoint)
			typed := map[payout.EndpointID]url.Values{account: good(), card: {"credit_card_number": {"4444 5555 6666 1111"}, "expire_month": {"12"}, "expire_year": {"2099"}},
				phone: {"receiver_phone": {"+7 903 123-45-67"}, "bank_id": {"100000000111"}},
				much:  {"account_name": {"J"}, "account_number": {"1"}, "bank_code": {"044525225"}, "receiver_email": {"a@example.com"}}}[test.endpoint]
			wrong := url.Values{}
			for name, values := range typed {
				wrong[name] = values
			}
			wrong.Set(test.name, test.value)
			response := s.send(path, wrong)
			page := text(t, response)
			if response.StatusCode != http.StatusUnprocessableEntity || s.order(id).Stage != payout.AtForm {
				t.Fatalf("HTTP %s, order %s", response.Status, s.order(id).Stage)
			}
			if !strings.Contains(page, `aria-invalid="true"`) {
				t.Error("no field is marked")
			}
			if test.value != "" && test.value != "a\x01b" && strings.Contains(page, `value="`+test.value+`"`) != test.kept {
				t.Errorf("kept is not %v", test.kept)
			}
			if number := typed.Get("credit_card_number"); number != "" && strings.Contains(page, number) {
				t.Error("the page has the card number")
			}
			if response := s.send(path, typed); response.StatusCode != http.StatusSeeOther || s.order(id).Stage != payout.Starting {
				t.Errorf("mended: HTTP %s, order %s: %s", response.Status, s.order(id).Stage, text(t, response))
			}
		})
	}
}

// What the Connecting Party sent beforehand is there to be changed or emptied;
// its repeated request is still the same request.
func TestPrefilledFieldsCanBeChanged(t *testing.T) {
	s := newSite(t)
	id, path := s.form(account, sign.Pair{Name: "bank_name", Value: "First Bank"}, sign.Pair{Name: "account_name", Value: "J. Public"})
	if page := s.get(path); !strings.Contains(page, `value="First Bank"`) || !strings.Contains(page, `value="J. Public"`) {
		t.Error("the form is not prefilled")
	}
	typed := good()
	typed.Set("bank_name", "")
	s.send(path, typed)
	o := s.order(id)
	if o.Params["bank_name"] != "" || o.Params["account_name"] != "John Q. Public" {
		t.Errorf("the Receiver's changes were not taken: %q, %q", o.Params["bank_name"], o.Params["account_name"])
	}
	s.made--
	if again, _ := s.form(account, sign.Pair{Name: "bank_name", Value: "First Bank"}, sign.Pair{Name: "account_name", Value: "J. Public"}); again != id {
		t.Errorf("the repeated request made order %s", again)
	}
}

// A payout that leaves out where the money goes, at a gate that asks the
// Receiver, is paid by the same form.
func TestPayoutAtAnAskingGateIsPaidByItsForm(t *testing.T) {
	s := newSite(t)
	r, err := spec.Payout.Parse([]sign.Pair{{Name: "client_orderid", Value: "asked"}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "USD"}})
	s.check(err)
	serial, err := s.db.NextSerial()
	s.check(err)
	order, err := s.Gateway.Payout(t.Context(), &gateway.Call{Command: spec.Payout, Serial: serial, Now: s.now, EndpointID: asking,
		Party: s.Gateway.Directory().PartyByLogin("TestMerchant")}, r)
	s.check(err)
	s.send("/paynet/form/"+s.Gateway.FormToken(order.ID), url.Values{"receiver_phone": {"+7 903 123-45-67"}, "bank_id": {"100000000111"}})
	s.work()
	if o := s.order(order.ID); o.Stage != payout.Approved || o.ReceiverMask != "*******4567" {
		t.Errorf("the order is %s to %s", o.Stage, o.ReceiverMask)
	}
}

// A form that another site sends is refused; a browser's own is not.
func TestForeignFormIsRefused(t *testing.T) {
	s := newSite(t)
	id, path := s.form(account)
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-site"}} {
		response := s.do(http.MethodPost, path, good(), func(r *http.Request) { r.Header.Set(header[0], header[1]) })
		if response.StatusCode != http.StatusForbidden || s.order(id).Stage != payout.AtForm {
			t.Errorf("%v: HTTP %s", header, response.Status)
		}
	}
	response := s.do(http.MethodPost, path, good(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") })
	if response.StatusCode != http.StatusSeeOther {
		t.Errorf("same origin: HTTP %s", response.Status)
	}
}

// Attempts are limited by token and by address, and come back with time.
func TestAttemptsAreLimited(t *testing.T) {
	s := newSite(t)
	_, path := s.form(account)
	for n := range 10 {
		if response := s.send(path, nil); response.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("attempt %d: HTTP %s", n+1, response.Status)
		}
	}
	if response := s.send(path, good()); response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") == "" {
		t.Errorf("attempt 11: HTTP %s", response.Status)
	}
	s.now = s.now.Add(6 * time.Second)
	if response := s.send(path, good()); response.StatusCode != http.StatusSeeOther {
		t.Errorf("six seconds later: HTTP %s", response.Status)
	}
	for n := range 30 {
		if response := s.do(http.MethodGet, "/paynet/form/"+strconv.Itoa(n), nil, nil); response.StatusCode != http.StatusNotFound {
			t.Fatalf("wrong address %d: HTTP %s", n+1, response.Status)
		}
	}
	if response := s.do(http.MethodGet, "/paynet/form/31", nil, nil); response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("wrong address 31: HTTP %s", response.Status)
	}
	if response := s.do(http.MethodGet, path, nil, nil); response.StatusCode != http.StatusOK {
		t.Errorf("a right address after many wrong ones: HTTP %s", response.Status)
	}
	if response := s.do(http.MethodGet, "/paynet/form/31", nil, func(r *http.Request) { r.RemoteAddr = "192.0.2.9:1" }); response.StatusCode != http.StatusNotFound {
		t.Errorf("another browser: HTTP %s", response.Status)
	}
}

// Behind a proxy the browser's address is the last one that the proxy's header
// names: what stands before it the browser may have made up.
func TestAddressBehindAProxy(t *testing.T) {
	for _, test := range []struct{ header, value, want string }{
		{"", "203.0.113.7", "192.0.2.1"},
		{"X-Forwarded-For", "203.0.113.7", "203.0.113.7"},
		{"X-Forwarded-For", "10.0.0.1, 203.0.113.7", "203.0.113.7"},
		{"X-Forwarded-For", "2001:db8::7", "2001:db8::7"},
		{"X-Forwarded-For", "203.0.113.7, unknown", "192.0.2.1"},
		{"X-Forwarded-For", "", "192.0.2.1"},
	} {
		s := newSite(t)
		s.AddressHeader = test.header
		id, path := s.form(account)
		s.do(http.MethodPost, path, good(), func(r *http.Request) { r.Header.Set("X-Forwarded-For", test.value) })
		if got := s.order(id).Params[payout.ParamBrowserAddress]; got != test.want {
			t.Errorf("%q in %q: %s, want %s", test.value, test.header, got, test.want)
		}
	}
}

// The receipt of a final order is found by endpoint and receipt id, and by
// nothing else; account numbers are masked on it.
func TestReceipt(t *testing.T) {
	s := newSite(t)
	_, path := s.form(account)
	s.send(path, good())
	s.work()
	link := regexp.MustCompile(`/paynet/view-receipt/39915/[0-9a-f-]{36}/`).FindString(s.get(path))
	if link == "" {
		t.Fatal("the last page has no receipt")
	}
	for _, path := range []string{link, strings.TrimSuffix(link, "/"), link + "?lang=ru"} {
		if page := s.get(path); !strings.Contains(page, "7890") || strings.Contains(page, "1234567890") || !strings.Contains(page, "INV-1") {
			t.Errorf("receipt at %s:\n%s", path, page)
		}
	}
	for _, path := range []string{strings.Replace(link, "39915", "39925", 1), link[:len(link)-2] + "g/", "/paynet/view-receipt/39915/", "/paynet/view-receipt/x/" + link[29:]} {
		if response := s.do(http.MethodGet, path, nil, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: HTTP %s", path, response.Status)
		}
	}
}

// The page's state is told by polling and by events alike, until it is done.
func TestProgressIsTold(t *testing.T) {
	s := newSite(t)
	_, path := s.form(account)
	s.send(path, good())
	state := func() string { return s.get(path + "/state") }
	if got := state(); got != `{"state":"accepted"}` {
		t.Errorf("just sent: %s", got)
	}
	s.now = s.now.Add(20*time.Second - time.Microsecond)
	if got := state(); got != `{"state":"accepted"}` {
		t.Errorf("just under 20 seconds: %s", got)
	}
	s.now = s.now.Add(time.Microsecond)
	if got := state(); got != `{"state":"slow"}` {
		t.Errorf("after 20 seconds: %s", got)
	}
	s.work()
	if got := state(); got != `{"state":"done"}` {
		t.Errorf("paid: %s", got)
	}
	if got := s.get(path + "/events"); got != "event: state\ndata: {\"state\":\"done\"}\n\n" {
		t.Errorf("events: %q", got)
	}
}

// An open stream ends with the browser and with the server.
func TestStreamEndsWithTheServer(t *testing.T) {
	s := newSite(t)
	_, path := s.form(account)
	s.send(path, good())
	stopping, stop := context.WithCancel(t.Context())
	s.Stopping = stopping.Done()
	stop()
	if got := s.get(path + "/events"); got != "event: state\ndata: {\"state\":\"accepted\"}\n\n" {
		t.Errorf("events: %q", got)
	}
}

// A payment without an answer is not called a refusal, and the browser returns
// with the status unknown after a minute.
func TestUnknownOutcomeIsToldAsSuch(t *testing.T) {
	s := newSite(t)
	id, path := s.form(account)
	s.send(path, good())
	s.check(s.stall(id))
	if page := s.get(path); strings.Contains(page, "merchant.example") {
		t.Error("the browser returns before its time")
	}
	s.now = s.now.Add(time.Minute)
	if status, _ := field(s.get(path), "status"); status != "unknown" {
		t.Errorf("status is %q", status)
	}
}

// stall moves an order to where nobody knows its outcome.
func (s *site) stall(id payout.OrderID) error {
	for _, on := range []payout.Event{payout.Send, payout.Lose} {
		o := s.order(id)
		to, _ := o.Stage.Next(on)
		if _, err := s.db.Move(storage.Move{OrderID: id, From: o.Stage, Version: o.Version, Event: on, To: to, At: s.now, DueAt: s.now.Add(time.Hour),
			GateID: o.GateID}); err != nil {
			return err
		}
	}
	return nil
}

// A form that the database surely has not taken, and a page for which it cannot be read, are
// told so in the Receiver's language, and how soon to come again.
func TestDatabaseThatIsAwayIsToldAsThat(t *testing.T) {
	disk := storagetest.NewDisk(t)
	s := newSiteOn(t, storagetest.Open(t, disk.Database()))
	id, path := s.form(account)
	busy := func(what string, r *http.Response, says string) {
		t.Helper()
		if page := text(t, r); r.StatusCode != http.StatusServiceUnavailable || r.Header.Get("Retry-After") != "1" || !strings.Contains(page, says) || !strings.Contains(page, `<p class="more"><a href="`+path) {
			t.Errorf("%s: answered %s, Retry-After %q: %s", what, r.Status, r.Header.Get("Retry-After"), page)
		}
	}
	disk.Fail(func(c storagetest.DiskCall) int32 {
		if c.InLog() && !c.Sync {
			return storagetest.DiskFull
		}
		return storagetest.DiskFine
	})
	busy("a sent form", s.send(path, good()), "Try again in a moment")
	busy("a sent form", s.send(path+"?lang=ru", good()), "Попробуйте ещё раз")
	disk.Fail(nil)
	if o := s.order(id); o.Stage != payout.AtForm {
		t.Errorf("the order of the form that was not taken is %s", o.Stage)
	}
	s.Gateway.Unfit = func() error { return errors.New("a clock is off") }
	busy("a form that was sent to a node that is not fit", s.send(path, good()), "Try again in a moment")
	s.Gateway.Unfit = nil
	s.unsettle(disk)
	busy("the form's address", s.do(http.MethodGet, path, nil, nil), "Try again in a moment")
	busy("a sent form", s.send(path, good()), "Try again in a moment")
	if r := s.do(http.MethodGet, path+"/state", nil, nil); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the state: answered %s", r.Status)
	}
	disk.Fail(nil)
	s.form(account) // a commit in the place of the one that failed
	if r := s.send(path, good()); r.StatusCode != http.StatusSeeOther {
		t.Errorf("sent when the disk is well: answered %s", r.Status)
	}
	if s.work(); s.order(id).Stage != payout.Approved {
		t.Errorf("the order is %s", s.order(id).Stage)
	}
}

// unsettle has the disk fail a commit, so that nobody knows whether it is stored.
func (s *site) unsettle(disk *storagetest.Disk) {
	s.t.Helper()
	disk.Fail(unsynced)
	if err := s.db.Transact(s.t.Context(), s.now, func(tx *storage.Tx) error {
		_, err := tx.AddProject(payout.Project{Name: "Lost", Enabled: true})
		return err
	}); !errors.Is(err, storage.ErrUnknown) {
		s.t.Fatal(err)
	}
}

func unsynced(c storagetest.DiskCall) int32 {
	if c.InLog() && c.Sync {
		return storagetest.DiskUnsynced
	}
	return storagetest.DiskFine
}

// Who has sent a form of which nobody knows whether it was taken is not asked to fill it in
// again, but to open the address again: it shows what has become of it.
func TestFormThatMayBeTakenIsNotAskedForAgain(t *testing.T) {
	disk := storagetest.NewDisk(t)
	s := newSiteOn(t, storagetest.Open(t, disk.Database()))
	id, path := s.form(account)
	disk.Fail(unsynced)
	r := s.send(path, good())
	page := text(t, r)
	if r.StatusCode != http.StatusInternalServerError || r.Header.Get("Retry-After") != "" || !strings.Contains(page, "it shows where your payout stands") || strings.Contains(page, "<form") {
		t.Errorf("answered %s: %s", r.Status, page)
	}
	disk.Fail(nil)
	s.form(account) // a commit in the place of the one that failed
	s.get(path)
	if r := s.send(path, good()); r.StatusCode != http.StatusSeeOther {
		t.Errorf("sent once more: answered %s", r.Status)
	}
	if s.work(); s.order(id).Stage != payout.Approved {
		t.Errorf("the order is %s", s.order(id).Stage)
	}
}

// The pages have the headers that keep them safe, and name nobody else's site.
func TestHeadersOfPages(t *testing.T) {
	s := newSite(t)
	_, path := s.form(card)
	response := s.do(http.MethodGet, path, nil, nil)
	header := response.Header
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Content-Type": "text/html; charset=utf-8", "Content-Language": "ru"} {
		if got := header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if csp := header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
	page := text(t, response)
	for _, want := range []string{"/paynet/brand/39925/logo", "/paynet/brand/39925/accent.css", "Northwind"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if sheet := s.get("/paynet/brand/39925/accent.css"); !strings.Contains(sheet, "#0f766e") {
		t.Errorf("accent: %s", sheet)
	}
	if response := s.do(http.MethodGet, "/paynet/brand/39925/logo", nil, nil); response.Header.Get("Content-Type") != "image/png" {
		t.Errorf("logo: %s %s", response.Status, response.Header.Get("Content-Type"))
	}
	for _, path := range []string{"/paynet/brand/39915/logo", "/paynet/brand/39915/accent.css", "/paynet/brand/1/logo", "/paynet/assets/old/page.css", "/paynet/form/"} {
		if response := s.do(http.MethodGet, path, nil, nil); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: HTTP %s", path, response.Status)
		}
	}
}
