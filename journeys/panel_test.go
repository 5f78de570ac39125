package journeys

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/storage"
)

// panelToken is what the operator does with payoutd party token.
func (s *site) panelToken(name string) string {
	s.t.Helper()
	var token payout.Secret
	s.open(func(db *storage.DB) {
		d, err := db.Directory(s.t.Context())
		check(s.t, err)
		check(s.t, db.Transact(s.t.Context(), time.Now(), func(tx *storage.Tx) (err error) {
			token, _, err = gateway.NewPanelToken(tx, d.PartyByLogin(login).ID, name, time.Now().Add(time.Hour))
			return err
		}))
	})
	return token.Reveal()
}

// pay sends a payout, signed by a key.
func (s *site) pay(clientOrderID string, key *rsa.PrivateKey) (status int, reply url.Values) {
	s.t.Helper()
	target := s.base + "/api/v4/payout/" + toAccount.String()
	form := []sign.Pair{{Name: "client_orderid", Value: clientOrderID}, {Name: "amount", Value: "10.42"}, {Name: "currency", Value: "USD"},
		{Name: "account_number", Value: "1234567890"}, {Name: "account_name", Value: "John Q. Public"}, {Name: "purpose", Value: "Выигрыш + ~"},
		{Name: "server_callback_url", Value: s.merchant.URL + "/callback"}}
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: target, Form: form},
		sign.Credentials{ConsumerKey: login, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, key)
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
	if response.StatusCode == http.StatusOK {
		reply, err = url.ParseQuery(strings.ReplaceAll(string(text), "\n", ""))
		check(s.t, err)
	}
	return response.StatusCode, reply
}

// reloaded reloads an address until its page has a text: the journal is written,
// and callbacks are delivered, a moment later.
func (b tab) reloaded(address, text string) {
	b.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		b.do(chromedp.Navigate(address), chromedp.WaitVisible(css("h1")))
		if strings.Contains(b.text(), text) {
			return
		}
		if b.ctx.Err() != nil {
			b.t.Fatalf("%s never shows %q", address, text)
		}
		<-tick.C
	}
}

// goes clicks what a selector finds and waits until the page's address has changed.
func (b tab) goes(selector, to string) {
	b.t.Helper()
	b.do(chromedp.Click(css(selector)))
	b.until("the address becomes "+to, fmt.Sprintf(`location.pathname.startsWith(%q) && document.readyState === "complete"`, to))
}

func (b tab) wants(texts ...string) {
	b.t.Helper()
	shown := b.text()
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			b.t.Errorf("the page does not show %q:\n%s", text, shown)
		}
	}
}

// From a 403 without a reason to the reason, and from a serial-number to a
// callback that comes again.
func TestIntegratorFindsOutWhy(t *testing.T) {
	s, b := newSite(t, nil), newTab(t)
	panel := strings.TrimSuffix(s.base, "/paynet") + "/panel/en/"
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)

	if status, _ := s.pay("WRONG-1", stranger); status != http.StatusForbidden {
		t.Fatalf("a wrong signature is answered %d", status)
	}
	b.do(chromedp.Navigate(panel), chromedp.WaitVisible(css("#token")), chromedp.SendKeys(css("#token"), s.panelToken("Ann")))
	b.do(chromedp.Click(css(`button.primary`)), chromedp.WaitVisible(css(".find")))
	b.reloaded(panel, "WRONG-1")
	b.wants("denied", "signature-mismatch")
	b.goes(".requests tbody th a", "/panel/en/requests/")
	b.wants("Either another private key has signed", sign.Fingerprint(&testKey().PublicKey), "POST&http%3A%2F%2F", "account_number=XXXXXX7890")
	if shown := b.text(); strings.Contains(shown, "1234567890") || strings.Contains(shown, "John") {
		t.Error("the page shows who is paid")
	}

	status, reply := s.pay("RIGHT-1", testKey())
	if status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	s.told("callback", s.called, payout.StatusApproved)
	b.reloaded(panel, "RIGHT-1")
	b.do(chromedp.SendKeys(css("#q"), reply.Get("serial-number")))
	b.goes(".find button", "/panel/en/requests/"+reply.Get("serial-number"))
	b.wants("RIGHT-1", "async-response")
	b.goes(`.summary a[href*="/orders/"]`, "/panel/en/orders/"+reply.Get("paynet-order-id"))
	order := panel + "orders/" + reply.Get("paynet-order-id")
	b.reloaded(order, "delivered")
	b.do(chromedp.Click(css(".callback form button")))
	b.shows(`[role="status"]`)
	b.wants("The callback is sent again now")
	s.told("second callback", s.called, payout.StatusApproved)
	b.reloaded(order, "No. 2")
	b.wants("Asked for again by Ann", "HTTP 200")
	b.do(chromedp.Click(css(".sign-out button")))
	b.shows("#token")
}

// No page of the panel breaks a serious rule of axe-core or is wider than a phone.
func TestPanelIsAccessible(t *testing.T) {
	script, s, b := axe(t), newSite(t, nil), newTab(t)
	panel := strings.TrimSuffix(s.base, "/paynet") + "/panel/"
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	s.pay("WRONG-1-with-an-identifier-that-is-as-long-as-those-of-some-merchants-902B4FF5-6982864", stranger)
	_, reply := s.pay("RIGHT-1", testKey())
	s.told("callback", s.called, payout.StatusApproved)
	b.narrow()
	look := func(what, path string) {
		t.Helper()
		for _, lang := range []string{"en", "ru"} {
			for _, scheme := range []string{"light", "dark"} {
				b.prefers(scheme)
				b.do(chromedp.Navigate(panel+lang+"/"+path), chromedp.WaitVisible(css("h1")))
				b.accessible(script, what+" in "+lang+", "+scheme)
				b.fits()
			}
		}
	}
	look("sign-in", "")
	b.do(chromedp.Navigate(panel+"en/"), chromedp.WaitVisible(css("#token")), chromedp.SendKeys(css("#token"), s.panelToken("Ann")))
	b.do(chromedp.Click(css(`button.primary`)), chromedp.WaitVisible(css(".find")))
	b.reloaded(panel+"en/", "RIGHT-1")
	wrong, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](
		`[...document.querySelectorAll(".requests tbody tr")].find(row => row.textContent.includes("WRONG-1")).querySelector("th a").getAttribute("href").split("/").pop()`))
	check(t, err)
	b.reloaded(panel+"en/orders/"+reply.Get("paynet-order-id"), "delivered")
	look("list", "")
	look("filtered list", "?client_orderid=RIGHT-1")
	look("empty list", "?verdict=busy")
	look("denied request", "requests/"+wrong)
	look("accepted request", "requests/"+reply.Get("serial-number"))
	look("order", "orders/"+reply.Get("paynet-order-id"))
	look("nothing", "nothing")
}
