package api_test

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"payout"
	"payout/callback"
	"payout/gateway"
	"payout/panel"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/storage/storagetest"
)

// statusShows and callbackShows list the fields that tell a Connecting Party
// what it has sent of a Receiver (3.5, AF 9). Nothing else shows it to anybody.
var (
	statusShows = map[string][]*spec.Param{
		spec.FieldEmail.Name:     {spec.ReceiverEmail, spec.SenderEmail},
		spec.FieldLastName.Name:  {spec.ReceiverLastName, spec.SenderLastName},
		spec.FieldFirstName.Name: {spec.ReceiverFirstName, spec.SenderFirstName},
		spec.FieldPhone.Name:     {spec.ReceiverPhone, spec.SenderPhone},

		spec.FieldCardholder.Name: {spec.CardPrintedName},
	}
	callbackShows = map[string][]*spec.Param{
		"name":  {spec.AccountName, spec.CardPrintedName, spec.ReceiverFirstName, spec.ReceiverLastName, spec.SenderFirstName, spec.SenderLastName},
		"email": {spec.ReceiverEmail, spec.SenderEmail},
		"phone": {spec.ReceiverPhone, spec.SenderPhone},

		"card-holder-name": {spec.CardPrintedName},
	}
)

const markedCard = "4987605555666606" // a card number that occurs nowhere else

const callbackToken = "SECRET-callback-token" // in the query of callback URLs

// A search sends values that nobody may read and looks for them everywhere.
type search struct {
	*sandbox
	values    map[string]string // what must not be found, to what it is
	receiver  *httptest.Server
	callbacks []url.Values
	orders    []string // client_orderids of the accepted orders
	ref       payout.CardRefID

	unsearched, journaled int // entries of the journal that wait, and that were searched
	panel                 *panel.Handler
	tokens                map[payout.PartyID]string // of the panel
	sessions              map[payout.PartyID]string // likewise
	signedIn              time.Time
	spans                 *tracetest.SpanRecorder
}

// marker returns a value of a Sensitive parameter that occurs nowhere else.
func marker(t *testing.T, p *spec.Param) string {
	t.Helper()
	switch p.Kind {
	case spec.Line, spec.String:
		return "SECRET-" + p.Name
	case spec.Digits:
		return "4987601234567891"
	case spec.Phone:
		return "+4987607654321"
	case spec.IP:
		return "198.18.76.54"
	case spec.Card:
		return markedCard
	case spec.Birthday:
		return "12311976"
	}
	t.Fatalf("no marker for %s: a Sensitive parameter of kind %s is new", p.Name, p.Kind)
	return ""
}

func newSearch(t *testing.T, db *storage.DB) *search {
	t.Helper()
	s := &search{sandbox: newSandboxOn(t, db), values: map[string]string{controlKey: "control key", callbackToken: "callback URL"}}
	for _, c := range spec.Commands {
		for _, u := range c.Params {
			if u.Sensitive && u.Param != spec.CVV2 { // three digits are everywhere; see TestCardCodeIsNeverStored
				s.values[strings.TrimPrefix(marker(t, u.Param), "+")] = u.Name
			}
		}
	}
	failed := make(map[string]bool)
	s.receiver = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.callbacks = append(s.callbacks, r.URL.Query()) // one at a time: DeliverDue waits for each
		if order := r.URL.Query().Get("orderid"); !failed[order] {
			failed[order] = true
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.receiver.Close)
	policy := callback.Policy{AllowLoopback: true}
	s.Gateway.URLs = policy
	s.Gateway.Callbacks = callback.NewSender(callback.Settings{Policy: policy, Now: s.Gateway.Now})
	t.Cleanup(s.Gateway.Callbacks.Close)
	s.openPanel()
	s.trace(db)
	return s
}

// trace keeps the spans of all that is done.
func (s *search) trace(db *storage.DB) {
	s.spans = tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans)).Tracer("")
	db.Trace(tracer)
	s.Tracer, s.Gateway.Tracer = tracer, tracer
}

// searchSpans searches everything that traces tell, and sees to it that they do.
func (s *search) searchSpans() {
	s.t.Helper()
	names := make(map[string]int)
	var text strings.Builder
	for _, span := range s.spans.Ended() {
		names[span.Name()]++
		fmt.Fprintln(&text, span.Name(), span.Attributes(), span.Events(), span.Links(), span.Status())
	}
	for _, name := range []string{"v4/payout", "commit", "rail sending", "rail doubtful", "callback"} {
		if names[name] == 0 {
			s.t.Errorf("no span %q was made: the search does not work; there are %v", name, names)
		}
	}
	s.find("the traces", text.String())
}

// openPanel makes a token for each party.
func (s *search) openPanel() {
	s.t.Helper()
	s.panel = &panel.Handler{Gateway: s.Gateway, Log: slog.New(slog.NewJSONHandler(s.log, nil))}
	s.tokens, s.sessions = make(map[payout.PartyID]string), make(map[payout.PartyID]string)
	check(s.t, s.panel.Open())
	for id, party := range s.Gateway.Directory().Parties {
		if !party.Enabled {
			continue
		}
		var token payout.Secret
		check(s.t, s.Gateway.DB.Transact(s.t.Context(), s.now, func(tx *storage.Tx) (err error) {
			token, _, err = gateway.NewPanelToken(tx, id, party.Login, s.now.AddDate(1, 0, 0))
			return err
		}))
		s.values[token.Reveal()], s.tokens[id] = "panel token", token.Reveal()
	}
}

// signIn signs somebody of each party in, unless they are.
func (s *search) signIn() {
	s.t.Helper()
	if s.now.Sub(s.signedIn) < 6*time.Hour {
		return
	}
	s.signedIn = s.now
	for id, token := range s.tokens {
		_, session, _, err := s.Gateway.PanelSignIn(s.t.Context(), token)
		check(s.t, err)
		s.values[session], s.sessions[id] = "panel session", session
	}
}

// look searches a page of a party's panel.
func (s *search) look(party payout.PartyID, path string) {
	s.t.Helper()
	if s.tokens[party] == "" {
		return // it is disabled
	}
	s.signIn()
	r := httptest.NewRequest(http.MethodGet, "/panel/ru/"+path, nil)
	r.AddCookie(&http.Cookie{Name: "payoutd_panel", Value: s.sessions[party]})
	w := httptest.NewRecorder()
	s.panel.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Errorf("the panel answers %d for %s", w.Code, path)
	}
	s.find("the panel's page "+path, html.UnescapeString(w.Body.String()))
}

// find fails the test for every secret value in a text, as it is or encoded.
func (s *search) find(where, text string) {
	s.t.Helper()
	for value, what := range s.values {
		if strings.Contains(text, value) || strings.Contains(text, url.QueryEscape(value)) {
			s.t.Errorf("%s shows the %s", where, what)
		}
	}
}

// form is a body of a command with a value in every parameter, the Sensitive
// ones with markers; parameters of other commands stand in it as unknown ones.
func (s *search) form(c *spec.Command, clientOrderID string) []sign.Pair {
	s.t.Helper()
	pairs := []sign.Pair{{Name: "control_key", Value: controlKey}}
	for _, command := range append([]*spec.Command{c}, spec.Commands...) {
		for _, u := range command.Params {
			if slices.ContainsFunc(pairs, func(p sign.Pair) bool { return p.Name == u.Name }) {
				continue
			}
			alias := func(own spec.Use) bool { return own.Param != u.Param && slices.Contains(own.Names(), u.Name) }
			value := u.Sample
			switch {
			case slices.ContainsFunc(c.Params, alias):
				continue // it means something else here, and would contradict
			case u.Param == spec.CreditCardNumber && !c.Type.Charges() || u.Param == spec.DestinationCardRef && c != spec.PayoutByRef:
				continue // they exclude what is sent
			case u.Sensitive && u.Param != spec.CVV2:
				value = marker(s.t, u.Param)
			case u.Param == spec.ClientOrderID:
				value = clientOrderID
			case u.Param == spec.ServerCallbackURL:
				value = s.receiver.URL + "/?token=" + callbackToken
			case u.Param == spec.ControlSum:
				value = controlKey // a client's slip
			case u.Param == spec.DestinationCardRef:
				value = s.cardRef()
			case u.Param == spec.NotifyURL || u.Param == spec.OrderNumber || u.Param == spec.ByRequestSN:
				continue
			}
			pairs = append(pairs, sign.Pair{Name: u.Name, Value: value})
		}
	}
	return pairs
}

// cardRef registers the marked card.
func (s *search) cardRef() string {
	s.t.Helper()
	if s.ref == 0 {
		s.ref = payout.NewCardRefID([8]byte{7})
		_, err := s.Gateway.DB.Accept(storage.Acceptance{Now: s.now, CardRef: &payout.CardRef{ID: s.ref, PartyID: 1, OrderID: 1, Card: markedCard}})
		check(s.t, err)
	}
	return s.ref.String()
}

// shows reports whether a field may show this value, which is a Sensitive
// parameter's, or two names with a blank between.
func (s *search) shows(params []*spec.Param, value string) bool {
	for word := range strings.FieldsSeq(value) {
		if !slices.ContainsFunc(params, func(p *spec.Param) bool { return word == marker(s.t, p) }) {
			return false
		}
	}
	return value != ""
}

func message4(c *spec.Command, form string) message {
	return message{method: http.MethodPost, path: "/paynet/api/" + c.Path() + "/39915", login: login, body: form, unsigned: c.Auth == spec.Control}
}

// sendAndFind sends a message for a form and for a JSON reply and searches both.
func (s *search) sendAndFind(what string, m message) {
	s.t.Helper()
	for _, accept := range []string{"*/*", "application/vnd.pay+json"} {
		m.header = http.Header{"Accept": {accept}}
		reply := s.send(m)
		s.find(fmt.Sprintf("the reply to %s with %s", m.path, what), read(s.t, reply)+fmt.Sprint(reply.Header))
		s.noted()
	}
}

// noted lets time go by, because the journal keeps a pace, and searches the journal
// now and then.
func (s *search) noted() {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	if s.unsearched++; s.unsearched == 100 {
		s.searchJournal()
	}
}

// searchJournal searches what the journal has kept since it was searched last: an
// opened entry must not hold more than people may see.
func (s *search) searchJournal() {
	s.t.Helper()
	s.unsearched = 0
	n, err := s.Gateway.WriteJournal()
	check(s.t, err)
	for _, party := range s.Gateway.Directory().Parties {
		latest, err := s.Gateway.DB.Journal(s.t.Context(), party.ID, storage.JournalFilter{}, n)
		check(s.t, err)
		for _, e := range latest {
			e, err := s.Gateway.DB.JournalEntry(s.t.Context(), party.ID, e.Serial)
			check(s.t, err)
			s.find("the journal of "+e.Command, fmt.Sprintf("%+v", e))
			s.look(party.ID, "requests/"+e.Serial.String())
			s.journaled++
		}
	}
}

// refused sends everything that Sensitive values can be wrong in. Commands that
// do not know a parameter ignore it.
func (s *search) refused(c *spec.Command) {
	s.t.Helper()
	form := func(pairs ...sign.Pair) string {
		return sign.EncodeForm(append(s.form(c, "refused-"+c.Name), pairs...))
	}
	s.sendAndFind("a wrong amount", message4(c, strings.Replace(form(), "amount=10.42", "amount=SECRET-amount", 1)))
	for _, u := range spec.Payout.Params {
		if !u.Sensitive {
			continue
		}
		value := marker(s.t, u.Param)
		encoded := sign.EncodeForm([]sign.Pair{{Name: u.Name, Value: value}})
		without := strings.Replace(form(), encoded, "", 1)
		s.sendAndFind("a repeated "+u.Name, message4(c, form(sign.Pair{Name: u.Name, Value: value})+"&"+encoded))
		for _, wrong := range []string{strings.Repeat(value, 1+u.Length()/len(value)), value + "\n", "\x00" + value} {
			s.sendAndFind("a wrong "+u.Name, message4(c, without+"&"+sign.EncodeForm([]sign.Pair{{Name: u.Name, Value: wrong}})))
		}
		for _, broken := range []string{"%ZZ", "%FF", "%"} {
			s.sendAndFind("a broken "+u.Name, message4(c, form()+"&"+encoded+broken))
		}
		inQuery := message4(c, without)
		inQuery.path += "?" + encoded
		s.sendAndFind("a query", inQuery)
		for _, alias := range u.Aliases {
			s.sendAndFind("another "+alias, message4(c, form(sign.Pair{Name: alias, Value: value + "1"})))
		}
	}
	s.unheard(c, form())
}

// unheard sends what is refused whatever the parameters are.
func (s *search) unheard(c *spec.Command, form string) {
	s.t.Helper()
	for _, change := range []func(*message){
		func(m *message) { m.unsigned = true },
		func(m *message) { m.key = newKey(s.t) },
		func(m *message) { m.login = controlKey },
		func(m *message) { m.login = "DisabledMerchant" },
		func(m *message) { m.method = http.MethodPut },
		func(m *message) { m.path = "/paynet/api/" + c.Path() + "/" + controlKey },
		func(m *message) { m.path = "/paynet/api/v4/" + controlKey + "/39915" },
		func(m *message) { m.path = strings.Replace(m.path, "39915", "39916", 1) },
		func(m *message) { m.path = strings.Replace(m.path, "39915", "39917", 1) },
		func(m *message) { m.body += strings.Repeat("&a=", sign.FormPairsMax) },
		func(m *message) { m.body += "&a=" + strings.Repeat("a", 1<<20) },
	} {
		m := message4(c, form)
		change(&m)
		s.sendAndFind("something else wrong", m)
	}
}

// accepted makes orders by a command, and repeats them with other values.
func (s *search) accepted(c *spec.Command) {
	s.t.Helper()
	if c.Reply != spec.AsyncReply || c == spec.PayoutPay {
		return
	}
	id := "accepted-" + c.Name
	form := s.form(c, id)
	m := message4(c, sign.EncodeForm(form))
	if c.Auth == spec.Control {
		m.body = strings.Replace(m.body, "control="+marker(s.t, spec.ControlSum), "control="+controlOf(s.t, m.path, m.body), 1)
	}
	s.wantAccepted(c.Path(), m)
	s.noted()
	s.orders = append(s.orders, id)
	for i, p := range form {
		if u := slices.IndexFunc(c.Params, func(u spec.Use) bool { return u.Name == p.Name && u.Sensitive }); u >= 0 {
			changed := slices.Clone(form)
			changed[i].Value = c.Params[u].Sample
			s.sendAndFind("another "+p.Name, message4(c, sign.EncodeForm(changed)))
		}
	}
}

// rails makes orders that the simulator treats in its ways.
func (s *search) rails() {
	s.t.Helper()
	closed := httptest.NewServer(nil)
	closed.Close()
	for i, account := range []string{"0987654321", "1987654321", "2000000010", "2000000020", "2000000021", "2000000040", "2000000050"} {
		s.values[account] = "account " + account
		m := goodPayout(fmt.Sprint("rail-", i))
		m.body = strings.Replace(m.body, "1234567890", account, 1)
		m.body += "&server_callback_url=" + url.QueryEscape(closed.URL+"/?token="+callbackToken)
		s.wantAccepted("account "+account, m)
		s.orders = append(s.orders, fmt.Sprint("rail-", i))
	}
}

// finish works and delivers until nothing is due any more.
func (s *search) finish() {
	s.t.Helper()
	for range 1000 {
		worked, err := s.Gateway.WorkDue(s.t.Context())
		check(s.t, err)
		delivered, err := s.Gateway.DeliverDue(s.t.Context())
		check(s.t, err)
		if worked+delivered > 0 {
			continue
		}
		due, err := s.Gateway.NextDue(s.t.Context())
		check(s.t, err)
		if due.IsZero() {
			return
		}
		s.now = due
	}
	s.t.Error("work does not come to an end")
}

// ask sends the status commands and searches the fields that may not show
// anything.
func (s *search) ask() {
	s.t.Helper()
	for _, id := range s.orders {
		for _, c := range []*spec.Command{spec.StatusV4, spec.StatusV2} {
			body := "login=TestMerchant&client_orderid=" + id
			if c.Auth == spec.Control {
				body += "&control=" + sign.StatusControl(login, id, "", controlKey)
			}
			reply := read(s.t, s.send(message4(c, body)))
			s.noted()
			if field(reply, "type") != "status-response" {
				s.t.Errorf("status of %s: %s", id, reply)
			}
			for line := range strings.Lines(reply) {
				name, value, _ := strings.Cut(strings.Trim(line, "&\n"), "=")
				if decoded, err := url.QueryUnescape(value); err != nil || !s.shows(statusShows[name], decoded) {
					s.find("field "+name+" of "+c.Path(), value)
				}
			}
		}
	}
}

// searchCallbacks searches the parameters of callbacks. The receiver's own
// token comes back to it alone.
func (s *search) searchCallbacks() {
	s.t.Helper()
	approved := 0
	for _, c := range s.callbacks {
		if c.Get("token") != callbackToken {
			s.t.Errorf("a callback came without the query of its URL: %v", c)
		}
		if c.Get("status") == string(payout.StatusApproved) {
			approved++
		}
		for name, values := range c {
			if name != "token" && !s.shows(callbackShows[name], values[0]) {
				s.find("parameter "+name+" of a callback", strings.Join(values, " "))
			}
		}
	}
	if approved == 0 {
		s.t.Error("no callback came")
	}
}

func TestNobodyReadsWhatIsSensitive(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := newSearch(t, db)
		for _, c := range spec.Commands {
			s.refused(c)
			s.accepted(c)
		}
		s.rails()
		s.find("the database before the work", storagetest.Dump(t, db))
		s.finish()
		s.ask()
		s.searchCallbacks()
		s.find("the log", s.log.String())
		s.searchSpans()
		s.searchJournal()
		for party := range s.tokens {
			s.look(party, "")
		}
		orders, err := db.LatestOrders(t.Context(), "", 1000)
		check(t, err)
		for _, o := range orders {
			s.look(o.PartyID, "orders/"+o.ID.String())
		}
		if len(orders) < len(s.orders) {
			t.Errorf("only the pages of %d orders were searched", len(orders))
		}
		if s.journaled < 1000 {
			t.Errorf("only %d entries of the journal were searched", s.journaled)
		}
		dump := storagetest.Dump(t, db)
		s.find("the database", dump)
		for _, id := range s.orders {
			if !strings.Contains(dump, id) {
				t.Errorf("the search does not work: the database does not show the client_orderid %s", id)
			}
		}
	})
}

func TestCardCodeIsNeverStored(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := newSandboxOn(t, db)
		m := message{method: http.MethodPost, path: "/paynet/api/v2/sale/39915", unsigned: true, body: "client_orderid=a&amount=10.42&currency=USD" +
			"&credit_card_number=4444555566661111&card_printed_name=JOHN&expire_month=12&expire_year=2099&cvv2=123"}
		m.body += "&control=" + controlOf(t, m.path, m.body)
		s.wantAccepted("sale", m)
		for _, when := range []string{"before", "after"} {
			orders, err := db.LatestOrders(t.Context(), "", 1)
			check(t, err)
			for name, value := range orders[0].Params {
				if name == spec.CVV2.Name || value == "123" {
					t.Errorf("%s the charge the order holds %s", when, name)
				}
			}
			s.settle()
		}
		if strings.Contains(s.log.String(), "cvv2") {
			t.Error("the log speaks of it")
		}
		_, err := s.Gateway.WriteJournal()
		check(t, err)
		entries, err := db.Journal(t.Context(), 1, storage.JournalFilter{}, 10)
		check(t, err)
		for _, e := range entries {
			e, err := db.JournalEntry(t.Context(), 1, e.Serial)
			check(t, err)
			for _, pair := range e.Content.Form {
				if pair.Name == spec.CVV2.Name && pair.Value != "" || pair.Value == "123" {
					t.Errorf("the journal has %+v", pair)
				}
			}
		}
		if len(entries) != 1 {
			t.Errorf("%d entries in the journal, want 1", len(entries))
		}
	})
}
