package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"payout"
	"payout/gateway"
	"payout/sign"
	"payout/storage"
	"payout/storage/storagetest"
)

// journalOf reads the journal of a party, newest first, with contents.
func (s *sandbox) journalOf(login string) []payout.JournalEntry {
	s.t.Helper()
	_, err := s.Gateway.WriteJournal()
	check(s.t, err)
	party := s.Gateway.Directory().PartyByLogin(login)
	entries, err := s.Gateway.DB.Journal(s.t.Context(), party.ID, storage.JournalFilter{}, 1000)
	check(s.t, err)
	for i, e := range entries {
		entries[i], err = s.Gateway.DB.JournalEntry(s.t.Context(), party.ID, e.Serial)
		check(s.t, err)
	}
	return entries
}

func pair(pairs []payout.JournalPair, name string) payout.JournalPair {
	for _, p := range pairs {
		if p.Name == name {
			return p
		}
	}
	return payout.JournalPair{}
}

func TestJournalTellsWhatWasAskedAndAnswered(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		s := newSandboxOn(t, db)
		reply := read(t, s.send(goodPayout("asked")))
		status := read(t, s.send(message{method: http.MethodPost, path: statusPath, login: login, body: "login=TestMerchant&client_orderid=asked"}))
		wrong := goodPayout("asked-wrong")
		wrong.body += "&amount=1"
		refusal := read(t, s.send(wrong))
		got := s.journalOf(login)
		if len(got) != 3 {
			t.Fatalf("%d entries", len(got))
		}
		for i, want := range []struct {
			reply, command, clientOrderID string
			share                         payout.JournalShare
			verdict                       payout.Verdict
			code                          payout.ErrCode
			order                         bool
		}{
			{refusal, "v4/payout", "asked-wrong", payout.ShareChanges, payout.VerdictRefused, payout.CodeRepeated, false},
			{status, "v4/status", "asked", payout.ShareReads, payout.VerdictOK, 0, true},
			{reply, "v4/payout", "asked", payout.ShareChanges, payout.VerdictOK, 0, true},
		} {
			e := got[i]
			if e.Serial.String() != field(want.reply, "serial-number") || e.Command != want.command || e.ClientOrderID != want.clientOrderID ||
				e.Share != want.share || e.Verdict != want.verdict || e.ErrorCode != want.code || (e.OrderID != 0) != want.order ||
				e.EndpointID != 39915 || e.HTTPStatus != 200 || e.RemoteAddress != "192.0.2.1" || !e.At.Equal(s.now) {
				t.Errorf("entry %d: %+v", i, e)
			}
			if e.OrderID != 0 && e.OrderID.String() != field(want.reply, "paynet-order-id") {
				t.Errorf("entry %d is of order %s: %s", i, e.OrderID, want.reply)
			}
			if got := pair(e.Content.Reply, "type").Value; got != field(want.reply, "type") {
				t.Errorf("entry %d: the reply's type is %q: %s", i, got, want.reply)
			}
		}
		c := got[2].Content
		if c.Method != "POST" || c.URL != "https://"+host+payoutPath || pair(c.Form, "amount").Value != "10.42" ||
			pair(c.Form, "account_number").Value != "******7890" || !pair(c.Form, "account_number").Masked {
			t.Errorf("content %+v", c)
		}
		if pair(c.OAuth, "oauth_consumer_key").Value != login || pair(c.OAuth, "oauth_nonce").Value == "" || pair(c.OAuth, "oauth_timestamp").Value == "" ||
			pair(c.OAuth, "oauth_signature") != (payout.JournalPair{Name: "oauth_signature", Masked: true}) {
			t.Errorf("header %+v", c.OAuth)
		}
	})
}

// The reason of a denial, which the caller is not told, stands in the journal of
// the party that the request names.
func TestJournalTellsWhyARequestWasDenied(t *testing.T) {
	for _, test := range []struct {
		what   string
		change func(*message)
		of     string
		reason gateway.Denial
		detail string
	}{
		{"another key", func(m *message) { m.key = newKey(t) }, login, gateway.Denial(sign.RuleSignature), ""},
		{"a body changed on the way", func(m *message) {
			m.header = http.Header{"Authorization": {"OAuth " + strings.TrimPrefix(sandboxHeader, "OAuth ")}}
		}, login, gateway.Denial(sign.RuleSignatureLength), "it has 3 bytes, the key wants 256"},
		{"no header", func(m *message) { m.unsigned = true }, login, gateway.Denial(sign.RuleAuthorization), ""},
		{"a login that nobody has", func(m *message) { m.login = "TestMerchnat" }, login, gateway.DeniedLogin, ""},
		{"a login that nobody has, at a group", func(m *message) { m.login, m.path = "TestMerchnat", "/paynet/api/v4/payout/group/77" }, login, gateway.DeniedLogin, ""},
		{"another party's login", func(m *message) { m.login, m.key = otherLogin, newKey(t) }, otherLogin, gateway.Denial(sign.RuleSignature), ""},
		{"a disabled party", func(m *message) { m.login = "DisabledMerchant" }, "DisabledMerchant", gateway.DeniedParty, ""},
		{"an old timestamp", func(m *message) { m.at = time.Date(2026, 11, 21, 11, 54, 59, 0, time.UTC) }, login, gateway.DeniedTimestamp, ""},
		{"two headers", func(m *message) { m.header = http.Header{"Authorization": {sandboxHeader, sandboxHeader}} }, login, gateway.DeniedHeaders, ""},
		{"a missing parameter", func(m *message) { m.header = http.Header{"Authorization": {`OAuth oauth_consumer_key="TestMerchant"`}} }, login, gateway.Denial(sign.RuleMissing), "oauth_signature_method"},
	} {
		t.Run(test.what, func(t *testing.T) {
			s := newSandbox(t)
			m := goodPayout("denied")
			test.change(&m)
			reply := s.send(m)
			if reply.StatusCode != http.StatusForbidden {
				t.Fatalf("answered %d", reply.StatusCode)
			}
			for _, party := range []string{login, otherLogin, "DisabledMerchant"} {
				got := s.journalOf(party)
				if party != test.of {
					if len(got) != 0 {
						t.Errorf("%s has %+v", party, got)
					}
					continue
				}
				if len(got) != 1 || got[0].Verdict != payout.VerdictDenied || got[0].Reason != string(test.reason) || got[0].Content.Detail != test.detail ||
					got[0].HTTPStatus != 403 || got[0].Share != payout.ShareUnproven || got[0].ClientOrderID != "denied" || pair(got[0].Content.Form, "amount").Value != "10.42" {
					t.Errorf("%+v", got)
				}
				if !slices.Contains(gateway.Denials(), gateway.Denial(got[0].Reason)) {
					t.Errorf("the reason %q is not listed", got[0].Reason)
				}
			}
		})
	}
}

// sandboxHeader is well-formed, but its signature is not.
const sandboxHeader = `OAuth oauth_consumer_key="TestMerchant", oauth_nonce="x", oauth_signature="AAAA", oauth_signature_method="RSA-SHA256", oauth_timestamp="1795262400", oauth_version="1.0"`

// What nobody has proven does not count as the party's, also where the caller is
// told the reason; what names no party is in no journal.
func TestJournalKeepsStrangersApart(t *testing.T) {
	s := newSandbox(t)
	s.wantAccepted("first", replayed("once"))
	s.wantDenied("the same again", replayed("once"), "nonce was used")
	control := message{method: http.MethodPost, path: "/paynet/api/v2/status/39915", unsigned: true, body: "login=TestMerchant&client_orderid=a&control=x"}
	read(t, s.send(control))
	plain := goodPayout("plain")
	plain.header = http.Header{"Content-Type": {"text/plain"}}
	read(t, s.send(plain))
	read(t, s.send(message{method: http.MethodGet, path: payoutPath, login: login}))
	read(t, s.send(message{method: http.MethodPost, path: "/paynet/api/v4/nothing/39915", unsigned: true}))
	var got []string
	for _, e := range s.journalOf(login) {
		got = append(got, strings.Join([]string{string(e.Share), string(e.Verdict), fmt.Sprint(int(e.ErrorCode)), e.Reason}, " "))
	}
	slices.Sort(got)
	want := []string{"changes ok 0 ", "unproven denied 0 nonce-used", "unproven refused 300 ", "unproven refused 310 ", "unproven refused 311 "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := s.Gateway.DB.JournalEntry(t.Context(), 99, 1); !errors.Is(err, storage.ErrNotFound) {
		t.Error(err)
	}
}

func replayed(nonce string) message {
	m := goodPayout("replayed")
	m.nonce = nonce
	return m
}

// What stands in the place of an id or a header's value by mistake is not shown.
func TestJournalDoesNotShowWhatStandsInAWrongPlace(t *testing.T) {
	s := newSandbox(t)
	m := goodPayout("a")
	m.path = "/paynet/api/v4/payout/SECRET-endpoint"
	read(t, s.send(m))
	m = goodPayout("a")
	m.path += "?SECRETname%201=SECRET-value&amount=4444555566661111"
	m.header = http.Header{"Authorization": {`OAuth oauth_consumer_key="TestMerchant", oauth_nonce="SECRET nonce", oauth_signature="SECRET+1", oauth_signature_method="SECRET-method", oauth_timestamp="SECRET", oauth_version="SECRET", oauth_SECRET="1"`}}
	read(t, s.send(m))
	for _, e := range s.journalOf(login) {
		text := strings.Join([]string{e.Content.URL, e.Reason, e.Content.Detail}, " ")
		for _, p := range slices.Concat(e.Content.OAuth, e.Content.Query, e.Content.Form, e.Content.Reply) {
			text += " " + p.Name + "=" + p.Value
		}
		if strings.Contains(text, "SECRET") && e.Reason != string(sign.RuleMethod) || strings.Contains(text, "4444555566661111") {
			t.Errorf("shown: %s", text)
		}
	}
}
