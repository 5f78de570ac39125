package panel_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/storage"
	"payout/storage/storagetest"
)

func strangerKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	return key
}

func TestListShowsWhatBecameOfRequests(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := newDesk(t, db, gateway.Settings{})
		d.signIn(login, "Ann")
		d.get("/panel/en/").shows(t, "No request has come yet")
		accepted := d.pay(call{clientOrderID: "INV-1"})
		refused := d.pay(call{clientOrderID: "INV-2", more: []sign.Pair{{Name: "amount", Value: "1"}}})
		d.pay(call{clientOrderID: "INV-3", key: strangerKey(t)})
		d.pay(call{login: otherLogin, endpoint: 39916, clientOrderID: "THEIRS"})
		for lang, words := range map[string][]string{"en": {"accepted", "refused", "denied", "code 5", "sender unproven"}, "ru": {"принят", "отклонён", "нет доступа", "код 5"}} {
			got := d.get("/panel/" + lang + "/")
			got.shows(t, append(words, "v4/payout", "39915", "INV-1", "INV-2", "INV-3", "signature-mismatch", accepted.Get("paynet-order-id"),
				"/panel/"+lang+"/requests/"+accepted.Get("serial-number"), "/panel/"+lang+"/requests/"+refused.Get("serial-number"), "/docs/"+lang+"/reference/errors#code-5")...)
			got.hides(t, "THEIRS", "1234567890", "John")
		}
		for filter, want := range map[string]string{"verdict=ok": "INV-1", "verdict=refused": "INV-2", "verdict=denied": "INV-3", "client_orderid=INV-2": "INV-2",
			"order=" + accepted.Get("paynet-order-id"): "INV-1", "verdict=ok&client_orderid=INV-1": "INV-1"} {
			got := d.get("/panel/en/?" + filter)
			got.shows(t, ">"+want+"<", "Show all")
			for _, other := range []string{"INV-1", "INV-2", "INV-3"} {
				if other != want {
					got.hides(t, other)
				}
			}
		}
		d.get("/panel/en/?verdict=busy").shows(t, "No kept request fits")
		if got := d.get("/panel/en/?order=abc"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, "up to 18 digits") {
			t.Errorf("a wrong order number is answered %d", got.status)
		}
	})
}

func TestListGoesOnWithOlderRequestsAndTellsOfMissingOnes(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	d.signIn(login, "Ann")
	note := func(n int) {
		for i := range n {
			serial := payout.SerialNumber(10000 + d.now.Unix()%100000*1000 + int64(i))
			d.Gateway.Journal(d.parties[login], payout.ShareChanges, d.now, func() payout.JournalEntry {
				return payout.JournalEntry{Serial: serial, Command: "v4/payout", ClientOrderID: fmt.Sprintf("N-%d-%d", n, i), Verdict: payout.VerdictOK, HTTPStatus: 200}
			})
		}
		d.write()
		d.now = d.now.Add(time.Second)
	}
	note(350) // 300 are kept
	note(1)
	first := d.get("/panel/en/")
	first.shows(t, "requests came too fast to be kept here: 50", ">N-1-0<", ">N-350-299<")
	seen := strings.Count(first.body, ">N-")
	address, page := "", first
	for range 10 {
		_, rest, ok := strings.Cut(page.body, `<p><a class="button" href="/panel/en/?before=`)
		if !ok {
			break
		}
		address, _, _ = strings.Cut(rest, `"`)
		page = d.get("/panel/en/?before=" + html.UnescapeString(address))
		seen += strings.Count(page.body, ">N-")
	}
	if seen != 301 || !strings.Contains(page.body, ">N-350-0<") {
		t.Errorf("%d requests were seen on all pages", seen)
	}
	d.get("/panel/en/?before=nonsense").shows(t, ">N-1-0<")
}

func TestSearchFindsBySerialNumberOrderAndClientOrderID(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	d.signIn(login, "Ann")
	reply := d.pay(call{clientOrderID: "INV-1"})
	theirs := d.pay(call{login: otherLogin, endpoint: 39916, clientOrderID: "THEIRS"})
	serial, order := reply.Get("serial-number"), reply.Get("paynet-order-id")
	for text, want := range map[string]string{serial: "/panel/en/requests/" + serial, " " + strings.ToUpper(serial) + " ": "/panel/en/requests/" + serial,
		order: "/panel/en/orders/" + order, "INV-1": "/panel/en/?client_orderid=INV-1", "": "/panel/en/",
		theirs.Get("paynet-order-id"): "/panel/en/?client_orderid=" + theirs.Get("paynet-order-id")} {
		if got := d.get("/panel/en/find?" + url.Values{"q": {text}}.Encode()); got.status != http.StatusSeeOther || got.header.Get("Location") != want {
			t.Errorf("%q leads to %d %q, want %q", text, got.status, got.header.Get("Location"), want)
		}
	}
	d.get("/panel/en/?client_orderid=INV-1").shows(t, "Orders with this client_orderid", "/panel/en/orders/"+order)
}

func TestRequestIsShownMasked(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := newDesk(t, db, gateway.Settings{})
		d.signIn(login, "Ann")
		reply := d.pay(call{clientOrderID: "INV-1", more: []sign.Pair{{Name: "control_key", Value: controlKey}, {Name: "purpose", Value: "card 4444555566661111"}}})
		for _, lang := range []string{"en", "ru"} {
			got := d.get("/panel/" + lang + "/requests/" + reply.Get("serial-number"))
			got.shows(t, "INV-1", "10.42", "******7890", "**************", "card 444455******1111", "async-response", reply.Get("paynet-order-id"), "127.0.0.1",
				"/docs/"+lang+"/commands/v4-payout", "/panel/"+lang+"/orders/"+reply.Get("paynet-order-id"))
			got.hides(t, "1234567890", "John", "4444555566661111", controlKey)
		}
	})
}

// A serial-number is found though the journal does not have it.
func TestSerialNumberIsFoundWithoutTheJournal(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := newDesk(t, db, gateway.Settings{NoJournal: true})
		d.signIn(login, "Ann")
		reply := d.pay(call{clientOrderID: "INV-1"})
		again := d.pay(call{clientOrderID: "INV-1"})
		refused := d.pay(call{clientOrderID: "INV-2", more: []sign.Pair{{Name: "amount", Value: "1"}}})
		for _, r := range []url.Values{reply, again} {
			d.get("/panel/en/requests/"+r.Get("serial-number")).shows(t, "INV-1", r.Get("paynet-order-id"), "accepted", "The journal does not have this request")
		}
		d.get("/panel/ru/requests/"+refused.Get("serial-number")).shows(t, "INV-2", "отклонён", "код 5", "given more than once", "Подробностей этого запроса в журнале нет")
	})
}

// Another party's serial-numbers, orders and callbacks are as unknown as those
// that do not exist.
func TestOnePartySeesNothingOfAnother(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := newDesk(t, db, gateway.Settings{})
		theirs := d.pay(call{login: otherLogin, endpoint: 39916, clientOrderID: "THEIRS"})
		mine := d.pay(call{clientOrderID: "MINE"})
		d.settle()
		order, err := payout.ParseOrderID(theirs.Get("paynet-order-id"))
		check(t, err)
		callbacks, _, err := db.Callbacks(t.Context(), order)
		check(t, err)
		if len(callbacks) != 1 || callbacks[0].State != payout.CallbackDelivered {
			t.Fatalf("%+v", callbacks)
		}
		d.signIn(login, "Ann")
		nothing := d.get("/panel/en/orders/999999999999")
		for _, path := range []string{"/panel/en/requests/" + theirs.Get("serial-number"), "/panel/en/orders/" + theirs.Get("paynet-order-id"),
			"/panel/en/requests/00000000-0000-0000-0000-0000ffffffff", "/panel/en/requests/x", "/panel/en/orders/x", "/panel/en/orders/"} {
			got := d.get(path)
			if got.status != http.StatusNotFound {
				t.Errorf("%s is answered %d", path, got.status)
			}
			got.hides(t, "THEIRS", otherLogin)
			if strings.HasPrefix(path, "/panel/en/orders/1") && strings.ReplaceAll(got.body, theirs.Get("paynet-order-id"), "999999999999") != nothing.body {
				t.Errorf("%s differs from what does not exist", path)
			}
		}
		d.get("/panel/en/?client_orderid=THEIRS").hides(t, theirs.Get("paynet-order-id"), "Orders with this")
		d.get("/panel/en/?order="+theirs.Get("paynet-order-id")).hides(t, "THEIRS")
		came := d.came
		for _, order := range []string{mine.Get("paynet-order-id"), theirs.Get("paynet-order-id"), ""} {
			if got := d.post(fmt.Sprintf("/panel/en/callbacks/%d/resend", callbacks[0].ID), url.Values{"order": {order}}); got.status != http.StatusNotFound {
				t.Errorf("another party's callback with order %q: %d", order, got.status)
			}
		}
		d.settle()
		if d.came != came {
			t.Error("it was sent")
		}
	})
}

func TestOrderShowsItsHistoryAndCallbacksAndSendsThemAgain(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		d := newDesk(t, db, gateway.Settings{})
		d.signIn(login, "Ann")
		d.answers = http.StatusInternalServerError
		reply := d.pay(call{clientOrderID: "INV-1"})
		d.settle()
		path := "/panel/en/orders/" + reply.Get("paynet-order-id")
		got := d.get(path)
		got.shows(t, "approved", "payout_approved", "10.42", "******7890", "INV-1", "The rail paid.", "PNTEST", "HTTP 500", "waits", "Next attempt", strings.TrimPrefix(d.receiver.URL, "http://"),
			"What the callback tells", "Send this callback again", "/panel/en/requests/"+reply.Get("serial-number"))
		got.hides(t, "1234567890", "John", controlKey, "Bank of the operator")
		d.get("/panel/ru/orders/"+reply.Get("paynet-order-id")).shows(t, "Платёжный канал заплатил.", "Отправить обратный вызов ещё раз")

		_, rest, _ := strings.Cut(got.body, `action="/panel/en/callbacks/`)
		id, _, _ := strings.Cut(rest, `/resend"`)
		form := url.Values{"order": {reply.Get("paynet-order-id")}}
		resend := "/panel/en/callbacks/" + id + "/resend"
		if got := d.do(http.MethodPost, resend, form, http.Header{"Sec-Fetch-Site": {"cross-site"}}); got.status != http.StatusForbidden {
			t.Errorf("another site's form is answered %d", got.status)
		}
		if got := d.get(resend); got.status != http.StatusNotFound {
			t.Errorf("a link is answered %d", got.status)
		}
		d.answers = http.StatusOK
		for _, want := range []string{"sent", "later"} {
			if got := d.post(resend, form); got.status != http.StatusSeeOther || got.header.Get("Location") != path+"?callback="+want+"#callbacks" {
				t.Errorf("answered %d to %q, want %s", got.status, got.header.Get("Location"), want)
			}
		}
		d.settle()
		if d.came != 2 {
			t.Errorf("%d callbacks came, want 2", d.came)
		}
		d.get(path+"?callback=sent").shows(t, "The callback is sent again now", "HTTP 200", "delivered", "Asked for again by Ann")
		d.get(path+"?callback=later").shows(t, "is under way, or was asked for")
		for range 30 {
			d.post(resend, form)
		}
		if got := d.post(resend, form); got.status != http.StatusTooManyRequests {
			t.Errorf("the thirtieth wish is answered %d", got.status)
		}
	})
}

func TestDeniedRequestSaysWhyAndWhatToDo(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	d.signIn(login, "Ann")
	d.pay(call{clientOrderID: "INV-1", at: d.now.Add(-7 * time.Minute)})
	d.pay(call{clientOrderID: "INV-2", at: d.now.Add(7 * time.Minute)})
	d.pay(call{clientOrderID: "INV-3", change: func(r *http.Request) { r.Header.Del("Authorization") }})
	d.pay(call{clientOrderID: "INV-4", key: strangerKey(t)})
	fingerprint := sign.Fingerprint(&testKey().PublicKey)
	for clientOrderID, want := range map[string][]string{
		"INV-1": {"too far from the gateway", "was 420 s behind", "At most 300 s"},
		"INV-2": {"was 420 s ahead"},
		"INV-3": {"has no Authorization header", "Nobody knows who sent"},
		"INV-4": {"does not belong to this request", fingerprint, "2048 bits", "/docs/en/checker", "Base string"},
	} {
		d.get(d.requestOf(clientOrderID)).shows(t, append(want, "HTTP 403", "Access is denied")...)
	}
	check(t, d.Gateway.DB.Transact(t.Context(), d.now, func(tx *storage.Tx) error { return tx.SwitchKey(d.parties[login], fingerprint, false) }))
	check(t, d.Gateway.Reload(t.Context()))
	d.get(d.requestOf("INV-4")).shows(t, "No public key may sign")
	d.Docs = false
	d.get(d.requestOf("INV-4")).hides(t, "/docs/")
}

// requestOf is the address of the only request with a client_orderid.
func (d *desk) requestOf(clientOrderID string) string {
	d.t.Helper()
	entries, err := d.Gateway.DB.Journal(d.t.Context(), d.parties[login], storage.JournalFilter{ClientOrderID: clientOrderID}, 2)
	check(d.t, err)
	if len(entries) != 1 {
		d.t.Fatalf("%d requests with %s", len(entries), clientOrderID)
	}
	return "/panel/en/requests/" + entries[0].Serial.String()
}

// The base string on the page is the gateway's own, to the byte, but for what is
// hidden; nothing hidden can be read in it.
func TestBaseStringAgreesButForWhatIsHidden(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	d.signIn(login, "Ann")
	more := []sign.Pair{{Name: "purpose", Value: "Цель + ~ & *"}, {Name: "bank_name", Value: ""}, {Name: "receiver_phone", Value: "+79031234567"}}
	var sent *http.Request
	d.pay(call{clientOrderID: "INV-1", more: more, key: strangerKey(t), change: func(r *http.Request) {
		sent = r
		r.URL.RawQuery = "extra=%D1%8F"
	}})
	body, err := sent.GetBody()
	check(t, err)
	text, err := io.ReadAll(body)
	check(t, err)
	form, err := sign.ParseForm(string(text))
	check(t, err)
	for i, p := range form {
		switch p.Name {
		case "account_number", "receiver_phone":
			form[i].Value = strings.Repeat("X", len(p.Value)-4) + p.Value[len(p.Value)-4:]
		case "account_name":
			form[i].Value = strings.Repeat("X", len(p.Value))
		}
	}
	want := sign.Explain(sign.Request{Method: http.MethodPost, URL: d.server.URL + "/paynet/api/v4/payout/39915?extra=X", Form: form, Authorization: sent.Header.Get("Authorization")}, nil).BaseString
	page := d.get(d.requestOf("INV-1"))
	_, rest, _ := strings.Cut(page.body, `class="base"><code>`)
	got, _, _ := strings.Cut(rest, "</code>")
	if got := html.UnescapeString(got); got != want || want == "" {
		t.Errorf("the page has\n%s\nwant\n%s", got, want)
	}
	page.shows(t, "X stands for each character")
	page.hides(t, "79031234567", "1234567890", "John", "oauth_signature=")
}

func TestWrongControlSumIsExplained(t *testing.T) {
	d := newDesk(t, storagetest.Open(t, storagetest.SQLite(t)), gateway.Settings{})
	d.signIn(login, "Ann")
	response, err := http.PostForm(d.server.URL+"/paynet/api/v2/status/39915", url.Values{"login": {login}, "client_orderid": {"INV-1"}, "control": {"wrong"}})
	check(t, err)
	check(t, response.Body.Close())
	d.write()
	got := d.get(d.requestOf("INV-1"))
	got.shows(t, "code 300", "login = TestMerchant", "client_orderid = INV-1", "orderid = </code>", "the control key", "Nobody knows who sent")
	got.hides(t, controlKey, "wrong</code>")
}

// Every reason, verdict and share has its texts, in both languages.
func TestEverythingHasItsTexts(t *testing.T) {
	var keys []string
	for _, d := range gateway.Denials() {
		keys = append(keys, "reason."+string(d), "advice."+string(d))
	}
	for _, v := range payout.Verdicts() {
		keys = append(keys, "verdict."+string(v))
	}
	for _, s := range []payout.JournalShare{payout.ShareChanges, payout.ShareReads, payout.ShareUnproven} {
		keys = append(keys, "missed."+string(s))
	}
	for _, s := range []payout.CallbackState{payout.CallbackDue, payout.CallbackDelivered, payout.CallbackGivenUp} {
		keys = append(keys, "callback."+string(s))
	}
	var source strings.Builder
	for _, name := range []string{"frame", "sign-in", "requests", "request", "order", "trouble"} {
		text, err := os.ReadFile("templates/" + name + ".html")
		check(t, err)
		source.Write(text)
	}
	for _, name := range []string{"handler", "session", "requests", "request", "order", "hints"} {
		text, err := os.ReadFile(name + ".go")
		check(t, err)
		source.Write(text)
	}
	for _, lang := range []string{"en", "ru"} {
		content, err := os.ReadFile("messages/" + lang + ".json")
		check(t, err)
		var texts map[string]string
		check(t, json.Unmarshal(content, &texts))
		for _, key := range keys {
			if texts[key] == "" {
				t.Errorf("%s: there is no text for %s", lang, key)
			}
		}
		for key := range texts {
			family, _, _ := strings.Cut(key, ".")
			if !strings.Contains(source.String(), `"`+key+`"`) && !strings.Contains(source.String(), `"`+family+`."`) && !strings.Contains(source.String(), `"`+strings.TrimSuffix(key, ".text")) {
				t.Errorf("%s: nothing uses the text %s", lang, key)
			}
		}
	}
}
