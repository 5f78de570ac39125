package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"payout/client"
	"payout/sign"
	"payout/spec"
)

// read sends a request that needs no RSA key, and reads an answer.
func read(t testing.TB, status int, body string) (client.Reply, error) {
	t.Helper()
	c := &client.Client{BaseURL: "http://gate.example.com/paynet", Login: "m", ControlKey: "k", Attempts: 1,
		HTTP: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return answer(status, body), nil })}}
	return c.Do(t.Context(), spec.StatusV2, endpoint, nil)
}

// TestRepliesAreReadAsTolerantlyAsClientsOfThisFormatDo: wire-facts 2.1 and AF 0.
func TestRepliesAreReadAsTolerantlyAsClientsOfThisFormatDo(t *testing.T) {
	for name, body := range map[string]string{
		"as payoutd writes it":       "type=status-response\n&status=approved\n&purpose=a%2Bb+%D0%B9%3D%26\n&new-field=7\n",
		"without the last line feed": "type=status-response\n&status=approved\n&purpose=a%2Bb+%D0%B9%3D%26\n&new-field=7",
		"with blanks around":         " type = status-response \r\n& status=approved\r\n&purpose=+a%2Bb+%D0%B9%3D%26+\r\n&new-field=7\r\n\r\n",
		"without line feeds":         "type=status-response&status=approved&purpose=a%2Bb+%D0%B9%3D%26&new-field=7",
		"with the mark of an editor": "\ufefftype=status-response\n&status=approved\n&purpose=a%2Bb+%D0%B9=%26\n&new-field=7\n",
		"in JSON":                    `{"type":"status-response","status":"approved","purpose":"a+b й=&","new-field":"7"}`,
		"in JSON with numbers":       "\n{\"type\": \"status-response\", \"status\": \"approved\",\n \"purpose\": \"a+b \\u0439=&\", \"new-field\": 7}\n",
	} {
		reply, err := read(t, 200, body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := []sign.Pair{{Name: "type", Value: "status-response"}, {Name: "status", Value: "approved"}, {Name: "purpose", Value: "a+b й=&"}, {Name: "new-field", Value: "7"}}
		if got := reply.Fields(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q", name, got)
		}
		if reply.Int("new-field") != 7 || reply.Int("status") != 0 || reply.Get("absent") != "" || reply.HTTPStatus != 200 {
			t.Errorf("%s: %d %d", name, reply.Int("new-field"), reply.Int("status"))
		}
	}
}

func TestValuesThatAreBadlyWrittenAreKept(t *testing.T) {
	reply, err := read(t, 200, "type=status-response\n&html=100%\n&a=b=c\n&status=unknown\n&status=approved\n")
	if err != nil || reply.Get("html") != "100%" || reply.Get("a") != "b=c" || reply.Get("status") != "unknown" {
		t.Errorf("%v: %q", err, reply.Fields())
	}
	reply, err = read(t, 200, `{"type":"status-response","html":null,"card":{"bin":"4"},"list":[1, 2],"yes":true,"id":12345678901234567890}`)
	if err != nil || reply.Get("html") != "" || reply.Get("card") != `{"bin":"4"}` || reply.Get("yes") != "true" || reply.Get("id") != "12345678901234567890" {
		t.Errorf("%v: %q", err, reply.Fields())
	}
}

const replyMax = 4 << 20 // bytes, as in client.go

func TestAReplyIsReadToItsLimit(t *testing.T) {
	begin := "type=status-response\n&html="
	full := begin + strings.Repeat("x", replyMax-len(begin))
	if reply, err := read(t, 200, full); err != nil || len(reply.Get("html")) != replyMax-len(begin) {
		t.Errorf("4 MiB: %v", err)
	}
	if _, err := read(t, 200, full+"x"); kindOf(err) != isLost {
		t.Errorf("a byte more: %v", err)
	}
	endless := roundTrip(func(*http.Request) (*http.Response, error) {
		r := answer(200, "")
		r.Body = io.NopCloser(forever{})
		return r, nil
	})
	c := &client.Client{BaseURL: "http://h/paynet", Login: "m", ControlKey: "k", Attempts: 1, HTTP: &http.Client{Transport: endless}}
	if _, err := c.Do(t.Context(), spec.StatusV2, endpoint, nil); kindOf(err) != isLost {
		t.Errorf("an endless reply: %v", err)
	}
}

type forever struct{}

func (forever) Read(p []byte) (int, error) { return len(p), nil }

func FuzzReply(f *testing.F) {
	for _, seed := range []string{accepted, validation, internal, deniedPage, `{"type":"x","a":{"b":[1]}}`, `{"type":`, "&&=&\n", "type=%", "{}", "[]"} {
		f.Add(200, seed)
		f.Add(500, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			t.Skip("no status of a reply")
		}
		reply, err := read(t, status, body)
		refusal, refused := errors.AsType[*client.Error](err)
		lost, isLost := errors.AsType[*client.LostError](err)
		switch {
		case err == nil:
			if status >= 300 || reply.Get("type") == "" || reply.Get("type") == "error" || reply.Get("type") == "validation-error" {
				t.Errorf("HTTP %d %q is a success", status, body)
			}
		case refused == isLost:
			t.Errorf("neither refused nor lost, or both: %v", err)
		case refused && (refusal.HTTPStatus != status || refusal.Message == ""):
			t.Errorf("%+v", refusal)
		case isLost && (lost.HTTPStatus != status || lost.Err == nil):
			t.Errorf("%+v", lost)
		}
	})
}

func TestNothingSensitiveIsPrinted(t *testing.T) {
	secret := []string{"4444555566661111", "40817810", "79031234567", "Ёлка", "s3cr3t"}
	request := client.PayoutRequest{ClientOrderID: "902B4FF5", CreditCardNumber: secret[0], AccountNumber: secret[1], ReceiverPhone: secret[2],
		ReceiverFirstName: secret[3], Extra: []sign.Pair{{Name: "pin", Value: secret[4]}}}
	reply, err := read(t, 200, "type=status-response\n&status=approved\n&phone="+secret[2]+"\n&first-name="+secret[3]+"\n&unknown="+secret[4]+"\n")
	if err != nil {
		t.Fatal(err)
	}
	form := "status=approved&orderid=1&client_orderid=902B4FF5&name=" + secret[3] + "&pin=" + secret[4] + "&control=" + sign.CallbackControl("approved", "1", "902B4FF5", "key")
	news, err := client.VerifyCallback("key", form)
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := client.VerifyRedirect("key", form)
	if err != nil {
		t.Fatal(err)
	}
	s := need(t)
	caller := s.client()
	caller.ControlKey = secret[4]
	for shown, v := range map[string]any{"902B4FF5": request, "approved": reply, "status-response": client.StatusResponse{Type: "status-response", Phone: secret[2], Reply: reply},
		"orderid": news.Reply, "OrderID": news, "MerchantOrder": redirect, "TestMerchant": caller, "client.Client": *caller} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", v)
		text := fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) + log.String()
		for _, word := range secret {
			if strings.Contains(text, word) {
				t.Errorf("%T prints %s: %s", v, word, text)
			}
		}
		if shown != "MerchantOrder" && !strings.Contains(text, shown) {
			t.Errorf("%T does not print %s: %s", v, shown, text)
		}
	}
	if text, err := json.Marshal(request); err != nil || !strings.Contains(string(text), secret[0]) {
		t.Errorf("encoding/json is to give the plain values: %s %v", text, err)
	}
}
