package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestPolicyOfAPage(t *testing.T) {
	const fixed = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; "
	for _, test := range []struct {
		policy  Policy
		csp     string
		options string
	}{
		{Policy{}, "form-action 'self'; base-uri 'none'; frame-ancestors 'none'", "DENY"},
		{Policy{FormAction: []string{"https://shop.example/back?a=1;b=2", "https://shop.example/other"}, FrameAncestors: []string{"https://shop.example:8443/"}},
			"form-action 'self' https://shop.example; base-uri 'none'; frame-ancestors https://shop.example:8443", ""},
		{Policy{FrameAncestors: []string{"'self'", "https://*.shop.example"}},
			"form-action 'self'; base-uri 'none'; frame-ancestors 'self' https://*.shop.example", ""},
		{Policy{FormAction: []string{"javascript:alert(1)", "//shop.example", "https://a;script-src *", "https://", "https://a b"}, FrameAncestors: []string{"*", "data:"}},
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'", "DENY"},
	} {
		h := make(http.Header)
		test.policy.Set(h)
		if got := h.Get("Content-Security-Policy"); got != fixed+test.csp {
			t.Errorf("%+v:\n%s\nwant\n%s", test.policy, got, fixed+test.csp)
		}
		if got := h.Get("X-Frame-Options"); got != test.options {
			t.Errorf("%+v: X-Frame-Options %q, want %q", test.policy, got, test.options)
		}
	}
}

func TestConnectNamesWhatScriptsMayCall(t *testing.T) {
	for _, test := range []struct {
		connect []string
		want    string
	}{
		{nil, "connect-src 'self';"},
		{[]string{"'self'", "https://gate.example/paynet/api/"}, "connect-src 'self' https://gate.example/paynet/api/;"},
		{[]string{"https://gate.example:8443/paynet/api/", "https://gate.example:8443/paynet/api/"}, "connect-src https://gate.example:8443/paynet/api/;"},
		{[]string{"https://gate.example/a b", "https://gate.example/a;script-src *", "https://gate.example/a?b", "//gate.example/", "https:"}, "connect-src 'self';"},
	} {
		h := make(http.Header)
		Policy{Connect: test.connect}.Set(h)
		if got := h.Get("Content-Security-Policy"); !strings.Contains(got, test.want) {
			t.Errorf("%v: %s, want %s", test.connect, got, test.want)
		}
	}
}

func TestPolicyKeepsThePageToItself(t *testing.T) {
	h := make(http.Header)
	Policy{}.Set(h)
	for name, want := range map[string]string{"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(h.Get("Content-Security-Policy"), "unsafe") || !strings.Contains(h.Get("Permissions-Policy"), "camera=()") {
		t.Error("the page may do too much")
	}
}

func TestPrivatePagesHaveNoFormsAndTellNoReferrer(t *testing.T) {
	for _, c := range []struct {
		policy          Policy
		forms, referrer string
	}{
		{Policy{Private: true, FormAction: []string{"https://h.example/x"}}, "form-action 'none';", "no-referrer"},
		{Policy{FormAction: []string{"https://h.example/x"}}, "form-action 'self' https://h.example;", "same-origin"},
	} {
		h := make(http.Header)
		c.policy.Set(h)
		if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, c.forms) || h.Get("Referrer-Policy") != c.referrer {
			t.Errorf("%+v: %s; %s", c.policy, policy, h.Get("Referrer-Policy"))
		}
	}
}
