package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"payout/sign"
)

// callbackQuery is a callback with a right control.
func callbackQuery(status, order, client string) url.Values {
	return url.Values{"status": {status}, "orderid": {order}, "merchant_order": {client}, "client_orderid": {client},
		"control": {sign.CallbackControl(status, order, client, testControl)}}
}

func TestVerifyCallbackSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := callbackQuery("approved", "6982864", "A 1")
	with := func(name, value string) url.Values {
		changed := callbackQuery("approved", "6982864", "A 1")
		changed.Set(name, value)
		return changed
	}
	without := with("control", "")
	without.Del("control")
	twice := callbackQuery("approved", "6982864", "A 1")
	twice.Add("status", "declined")
	wrongOrder := with("client_orderid", "B 2")
	wrongOrder.Set("merchant_order", "A 1")
	for _, c := range []struct {
		message string
		code    int
		want    string
	}{
		{"https://merchant.example.com/callback?" + good.Encode(), 0, "verdict         VALID"},
		{"?" + good.Encode() + "#fragment", 0, "verdict         VALID"},
		{good.Encode() + "\n", 0, "string          approved6982864A 1 + control key"},
		{with("control", strings.ToUpper(good.Get("control"))).Encode(), 0, "VALID"},
		{with("status", "declined").Encode(), 1, "WRONG: it is the control of status approved: the status was changed on the way"},
		{with("client_orderid", "A+1").Encode(), 1, "a blank where it has +"},
		{with("client_orderid", "").Encode(), 1, "the value of merchant_order"},
		{wrongOrder.Encode(), 1, "the value of merchant_order"},
		{with("merchant_order", "B 2").Encode(), 1, "WRONG: merchant_order and client_orderid differ"},
		{with("orderid", "6982865").Encode(), 1, "another control key, or from other values"},
		{with("control", "abc").Encode(), 1, "no SHA-1 in hex: it has 3 characters, of 40"},
		{with("control", sign.CallbackControl("approved", "6982864", "A 1", "")).Encode(), 1, "without the control key"},
		{with("control", sign.CallbackControl("approved", "6982864", "A 1", testControl+"\n")).Encode(), 1, "line break"},
		{with("control", sign.CallbackControl("approved", "6982864", "A 1", strings.ToUpper(testControl))).Encode(), 1, "upper case"},
		{without.Encode(), 1, "control is missing"},
		{twice.Encode(), 1, "status is there twice"},
		{"a=%zz", 2, "the query cannot be read"},
		{"", 1, "status is missing"},
	} {
		for _, message := range []string{c.message, "-"} {
			r := execute(t.Context(), c.message, "verify-callback", "--control-key", testControl, "--", message)
			if r.code != c.code || !strings.Contains(r.out+r.err, c.want) {
				t.Errorf("%q: exit %d: %s%s, want %d and %q", c.message, r.code, r.out, r.err, c.code, c.want)
			}
			if strings.Contains(r.out+r.err, testControl) {
				t.Errorf("%q shows the key: %s%s", c.message, r.out, r.err)
			}
		}
	}
	var view checkedView
	r := execute(t.Context(), "", "verify-callback", "--control-key", testControl, "--json", good.Encode())
	check(t, json.Unmarshal([]byte(r.out), &view))
	if !view.Valid || view.OrderID != "6982864" || view.Computed != good.Get("control") {
		t.Errorf("--json: %s", r.out)
	}
}

func TestControlKeyComesFromAFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	query := callbackQuery("approved", "1", "a").Encode()
	for text, want := range map[string]string{
		testControl + "\n":                      "VALID",
		"  " + testControl + "\r\n":             "VALID",
		"":                                      "is empty",
		"\n":                                    "is empty",
		testControl + "\n" + testControl + "\n": "has more than one line",
		"-----BEGIN PRIVATE KEY-----":           "holds a PEM key",
	} {
		r := execute(t.Context(), "", "verify-callback", query, "--control-key-file", s.write("control", []byte(text)))
		if !strings.Contains(r.out+r.err, want) || strings.Contains(r.out+r.err, testControl) {
			t.Errorf("file %q: %s%s, want %q", text, r.out, r.err, want)
		}
	}
	r := execute(t.Context(), "", "verify-callback", query, "--control-key-file", s.file("none"))
	if r.code != 1 || !strings.Contains(r.err, "--control-key-file "+s.file("none")+" does not exist") {
		t.Errorf("exit %d: %s", r.code, r.err)
	}
}

// get asks an address and returns the answer's status.
func get(t *testing.T, address string) int {
	t.Helper()
	response, err := http.Get(address)
	check(t, err)
	check(t, response.Body.Close())
	return response.StatusCode
}

func TestListenPrintsAndVerifiesWhatComes(t *testing.T) {
	t.Parallel()
	listen := start(t, "listen", "--listen", "127.0.0.1:0", "--control-key", testControl, "--count", "3")
	callback, found := strings.CutPrefix(listen.line(), "server_callback_url=")
	redirect, also := strings.CutPrefix(listen.line(), "redirect_url=")
	if !found || !also {
		t.Fatal("listen does not tell its addresses")
	}
	go func() { // the pipe is read below
		if status := get(t, strings.TrimSuffix(callback, "callback")+"favicon.ico"); status != http.StatusNotFound {
			t.Errorf("what is no message is answered %d", status)
		}
		if status := get(t, callback+"?"+callbackQuery("approved", "6982864", "a b").Encode()); status != http.StatusOK {
			t.Errorf("a callback is answered %d", status)
		}
		bad := callbackQuery("approved", "6982864", "a")
		bad.Set("status", "declined")
		get(t, callback+"?"+bad.Encode())
		response, err := http.PostForm(redirect, callbackQuery("declined", "6982865", "b"))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("a redirect is answered %v, %v", response, err)
			return
		}
		_ = response.Body.Close() // nothing is read of it
	}()
	r := listen.rest()
	if r.code != 1 {
		t.Errorf("a wrong control was among the messages, and the exit code is %d", r.code)
	}
	for _, want := range []string{`Z  callback to /callback, answered 200\n(  .*\n)*  client_orderid=a b\n(  .*\n)*  control: VALID\n`,
		`control: WRONG: it is the control of status approved`, `redirect to /done, answered 200\n(  .*\n)*  control: VALID\n$`} {
		if !regexp.MustCompile(want).MatchString(r.out) {
			t.Errorf("no %s in\n%s", want, r.out)
		}
	}
	if strings.Contains(r.out+r.err, testControl) {
		t.Errorf("the key is shown: %s%s", r.out, r.err)
	}
}

func TestListenAnswersAsAsked(t *testing.T) {
	t.Parallel()
	listen := start(t, "listen", "--listen", "127.0.0.1:0", "--control-key", testControl, "--count", "1", "--answer", "500", "--slow", "1ms", "--json")
	go func() {
		callback := listen.says("server_callback_url=")
		if status := get(t, callback+"?"+callbackQuery("error", "1", "a").Encode()); status != http.StatusInternalServerError {
			t.Errorf("answered %d", status)
		}
	}()
	r := listen.rest()
	var view struct {
		At       time.Time
		Kind     string
		Fields   map[string]string
		Valid    bool
		Answered int
	}
	check(t, json.Unmarshal([]byte(r.out), &view))
	if r.code != 0 || !view.Valid || view.Kind != "callback" || view.Answered != 500 || view.Fields["status"] != "error" || view.At.IsZero() {
		t.Errorf("exit %d: %s", r.code, r.out)
	}
}

func TestListenRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--answer 199": {"--answer", "199"},
		"--answer 600": {"--answer", "600"},
		"--count":      {"--count", "-1"},
		"--slow":       {"--slow", "-1s"},
		"--listen":     {"--listen", "nowhere"},
	} {
		r := execute(t.Context(), "", append([]string{"listen", "--control-key", "x"}, args...)...)
		if r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("%q: exit %d: %s", args, r.code, r.err)
		}
	}
}
