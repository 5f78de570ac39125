package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/callback"
	"payout/client"
	"payout/sign"
)

// news is a callback of payoutd with every field.
func news(t *testing.T) callback.Message {
	t.Helper()
	usd, err := payout.ParseCurrency("USD")
	if err != nil {
		t.Fatal(err)
	}
	amount, err := payout.ParseAmount("10.42", usd)
	if err != nil {
		t.Fatal(err)
	}
	return callback.Message{Status: payout.StatusDeclined, OrderID: 6982864, ClientOrderID: "Заказ+7 ~", Type: payout.TypePayout, Amount: amount,
		ErrorCode: 1000, ErrorMessage: "Declined = & by +", Descriptor: "d", ProcessorTxID: "tx", RRN: "r", ApprovalCode: "a", Name: "Ёлка", Email: "e@x",
		Phone: "+7", CardBIN: "444455", CardLastFour: "1111", CardType: "VISA", Cardholder: "J", MerchantData: "m\nn", Serial: 7, ControlKey: "key"}
}

// sameFields: the typed fields say what was sent.
func sameFields(t *testing.T, got any, sent []sign.Pair) {
	t.Helper()
	v := reflect.ValueOf(got)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("wire")
		if name != "" && v.Field(i).String() != strings.TrimSpace(get(sent, name)) {
			t.Errorf("%s: %q, sent %q", name, v.Field(i), get(sent, name))
		}
	}
}

func TestCallbacksAndRedirectsOfPayoutdAreRead(t *testing.T) {
	params := callback.Params(news(t))
	got, err := client.VerifyCallback("key", sign.EncodeForm(params))
	if err != nil {
		t.Fatal(err)
	}
	sameFields(t, got, params)
	if got.Name != "Ёлка" || got.Identity() != "declined\npayout\n6982864\nЗаказ+7 ~" {
		t.Errorf("%q %q", got.Name, got.Identity())
	}
	params = callback.Redirect(news(t))
	redirect, err := client.VerifyRedirect("key", sign.EncodeForm(params))
	if err != nil {
		t.Fatal(err)
	}
	sameFields(t, redirect, params)
}

// Sums that gateways of this format made (api-facts 2).
func TestRecordedControlSums(t *testing.T) {
	for _, query := range []string{
		"status=approved&orderid=1234567&client_orderid=hf-abc&control=652ace404c4dfe8bba069ecee594ec23a89340e1&key=test-merchant-control",
		"status=approved&orderid=123&merchant_order=invoice-1&control=5BC8EE48F9BA37C0FD1E0B052A9BC105C6DF87E1&key=AF4B5DE6-3468-424C-A922-C1DAD7CB4509",
		"status=approved&orderid=123&client_orderid=&merchant_order=invoice-1&control=+5bc8ee48f9ba37c0fd1e0b052a9bc105c6df87e1+&key=AF4B5DE6-3468-424C-A922-C1DAD7CB4509",
	} {
		query, key, _ := strings.Cut(query, "&key=")
		got, err := client.VerifyCallback(key, query)
		if err != nil || got.ClientOrderID == "" || got.ClientOrderID != "hf-abc" && got.ClientOrderID != "invoice-1" {
			t.Errorf("%s: %q %v", query, got.ClientOrderID, err)
		}
	}
}

func TestWhatTheControlSumDoesNotProveIsRefused(t *testing.T) {
	good := "status=approved&orderid=12&client_orderid=3&merchant_order=3&control=" + sign.CallbackControl("approved", "12", "3", "key")
	if _, err := client.VerifyCallback("key", good); err != nil {
		t.Fatal(err)
	}
	forged := sign.CallbackControl("approved", "12", "3", "")
	for name, c := range map[string]struct{ key, query string }{
		"another status":         {"key", strings.Replace(good, "approved", "declined", 1)},
		"another order":          {"key", strings.Replace(good, "orderid=12", "orderid=13", 1)},
		"another key":            {"key2", good},
		"no key, and its sum":    {"", "status=approved&orderid=12&client_orderid=3&control=" + forged},
		"a digit of the status":  {"key", strings.Replace(strings.Replace(good, "approved", "approved1", 1), "orderid=12", "orderid=2", 1)},
		"a letter of the order":  {"key", strings.Replace(strings.Replace(good, "approved", "approve", 1), "orderid=12", "orderid=d12", 1)},
		"two ids that differ":    {"key", strings.Replace(good, "merchant_order=3", "merchant_order=4", 1)},
		"a second status":        {"key", "status=declined&" + good},
		"a second status behind": {"key", good + "&status=approved"},
		"a second sum":           {"key", good + "&control="},
		"no sum":                 {"key", good[:strings.Index(good, "&control=")]},
		"an empty sum":           {"key", good[:strings.Index(good, "&control=")] + "&control="},
		"nothing":                {"key", ""},
		"no status":              {"key", "status=&orderid=12&client_orderid=3&control=" + sign.CallbackControl("", "12", "3", "key")},
		"no order":               {"key", "status=approved&orderid=&client_orderid=123&control=" + sign.CallbackControl("approved", "12", "3", "key")},
		"no order of ours":       {"key", "status=approved&orderid=123&client_orderid=&control=" + sign.CallbackControl("approved", "12", "3", "key")},
		"broken encoding":        {"key", good + "&x=%zz"},
	} {
		if got, err := client.VerifyCallback(c.key, c.query); err == nil || !reflect.DeepEqual(got, client.Callback{}) {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if _, err := client.VerifyRedirect(c.key, c.query); err == nil {
			t.Errorf("%s: accepted as a redirect", name)
		}
	}
}

// The sum joins the ids: the documentation tells callers to look for both, and
// this is why.
func TestTheControlSumCannotTellWhereTheOrderIDEnds(t *testing.T) {
	sum := sign.CallbackControl("approved", "12", "3", "key")
	if _, err := client.VerifyCallback("key", "status=approved&orderid=1&client_orderid=23&control="+sum); err != nil {
		t.Errorf("then the documentation of VerifyCallback is wrong: %v", err)
	}
}

func TestTheCallbackHandlerSays200OnlyForWhatIsHandled(t *testing.T) {
	query := sign.EncodeForm(callback.Params(news(t)))
	var log strings.Builder
	for name, c := range map[string]struct {
		method, query, key string
		err                error
		status, calls      int
	}{
		"handled":       {"GET", query, "key", nil, 200, 1},
		"not handled":   {"GET", query, "key", errors.New("disk full"), 500, 1},
		"forged":        {"GET", strings.Replace(query, "declined", "approved", 1), "key", nil, 403, 0},
		"not readable":  {"GET", query + "&%", "key", nil, 400, 0},
		"posted":        {"POST", query, "key", nil, 405, 0},
		"without a key": {"GET", query, "", nil, 500, 0},
	} {
		calls := 0
		h := &client.CallbackHandler{ControlKey: c.key, Log: slog.New(slog.NewTextHandler(&log, nil)), Handle: func(_ context.Context, got client.Callback) error {
			calls++
			sameFields(t, got, callback.Params(news(t)))
			return c.err
		}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, "/callback?"+c.query, nil))
		if w.Code != c.status || calls != c.calls {
			t.Errorf("%s: answered %d after %d calls, want %d after %d", name, w.Code, calls, c.status, c.calls)
		}
		if strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s: the caller is told %q", name, w.Body)
		}
	}
	if text := log.String(); !strings.Contains(text, "disk full") || strings.Contains(text, "444455") || strings.Contains(text, "control=") {
		t.Errorf("logged: %s", text)
	}
}

func TestTheRedirectHandlerShowsOnlyWhatIsVerified(t *testing.T) {
	form := sign.EncodeForm(callback.Redirect(news(t)))
	for name, c := range map[string]struct {
		method, form string
		status       int
		shown        bool
	}{
		"good":     {"POST", form, 200, true},
		"forged":   {"POST", strings.Replace(form, "declined", "approved", 1), 403, false},
		"by GET":   {"GET", form, 405, false},
		"too long": {"POST", form + "&x=" + strings.Repeat("x", 1<<20), 400, false},
	} {
		shown := false
		h := &client.RedirectHandler{ControlKey: "key", Show: func(w http.ResponseWriter, r *http.Request, got client.Redirect) {
			shown = true
			fmt.Fprint(w, got.Status, r.URL.Query().Get("token"))
		}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, "/done?token=7", strings.NewReader(c.form)))
		if w.Code != c.status || shown != c.shown || shown && w.Body.String() != "declined7" {
			t.Errorf("%s: answered %d %s, shown %v", name, w.Code, w.Body, shown)
		}
	}
}

func TestARealGatewaysCallbackIsHandled(t *testing.T) {
	s := need(t)
	got := make(chan client.Callback, 1)
	receiver := httptest.NewServer(&client.CallbackHandler{ControlKey: s.controlKey, Handle: func(_ context.Context, c client.Callback) error {
		got <- c
		return nil
	}})
	defer receiver.Close()
	c, id := s.client(), newOrderID()
	made, err := c.Payout(t.Context(), endpoint, client.PayoutRequest{ClientOrderID: id, Amount: "10.42", Currency: "USD", AccountNumber: approvedAccount,
		MerchantData: odd, ServerCallbackURL: receiver.URL + "/callback?" + url.Values{"shop": {"7 +"}}.Encode()})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case news := <-got:
		if news.OrderID != made.PaynetOrderID || news.ClientOrderID != id || news.Status != "approved" || news.MerchantData != odd || news.Reply.Get("shop") != "7 +" {
			t.Errorf("%v, shop %q", news, news.Reply.Get("shop"))
		}
	case <-time.After(20 * time.Second):
		t.Error("no callback came")
	}
}

// FuzzVerifyCallback: what is accepted has the sum of what it says, read without
// doubt.
func FuzzVerifyCallback(f *testing.F) {
	good := "status=approved&orderid=12&client_orderid=3&merchant_order=3&control=" + sign.CallbackControl("approved", "12", "3", "key")
	for _, seed := range []string{good, "a=b&" + good, strings.Replace(good, "=3&", "=%33&", 1), good + "&status=declined", good + ";", strings.ToUpper(good)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := client.VerifyCallback("key", query)
		if err != nil {
			return
		}
		pairs, err := sign.ParseForm(query)
		if err != nil || got.Status != get(pairs, "status") || got.OrderID != get(pairs, "orderid") ||
			!sign.EqualControl(got.Control, sign.CallbackControl(got.Status, got.OrderID, got.ClientOrderID, "key")) {
			t.Errorf("%q is read as %q %q %q", query, got.Status, got.OrderID, got.ClientOrderID)
		}
	})
}
