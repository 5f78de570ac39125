package sign

import (
	"crypto/rsa"
	"strings"
	"testing"
)

func TestExplainAgreesWithVerifyOnAllVectors(t *testing.T) {
	for _, file := range []string{"oauth-accept.json", "oauth-reject.json", "oauth-compat.json"} {
		for _, v := range readVectors(t, file) {
			r, keys := v.request(t), v.keys(t)
			report, err := Explain(r, keys), accept(r, keys)
			if err == nil {
				if report.Failure != nil || report.KeyFingerprint != Fingerprint(keys[0]) || report.BaseString != v.BaseString {
					t.Errorf("%s: %+v", v.Name, report)
				}
				continue
			}
			if report.Failure == nil || report.Failure.Error() != err.Error() || report.KeyFingerprint != "" {
				t.Errorf("%s: %v, want %v", v.Name, report.Failure, err)
			}
			if report.BaseString == "" || report.URL == "" {
				t.Errorf("%s: no base string", v.Name)
			}
		}
	}
}

func TestExplainMarksWhatIsSigned(t *testing.T) {
	r := Request{Method: "POST", URL: "https://H.example:443/p?q=1+2", Authorization: header + `, realm="x"`,
		Form: []Pair{{"a", "é"}, {nameNonce, "n"}, {nameRealm, "x"}, {"a", "é"}}}
	report := Explain(r, nil)
	var got strings.Builder
	for _, p := range report.Params {
		mark := " "
		if p.Signed {
			mark = "*"
		}
		got.WriteString(mark + string(p.Source) + " " + p.Encoded + "\n")
	}
	want := `*header oauth_consumer_key=c
*header oauth_nonce=n
 header oauth_signature=s
*header oauth_signature_method=RSA-SHA256
*header oauth_timestamp=1
*header oauth_version=1.0
 header realm=x
*query q=1%202
*body a=%C3%A9
 body oauth_nonce=n
*body realm=x
*body a=%C3%A9
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	normalized := "a=%C3%A9&a=%C3%A9&oauth_consumer_key=c&oauth_nonce=n&oauth_signature_method=RSA-SHA256" +
		"&oauth_timestamp=1&oauth_version=1.0&q=1%202&realm=x"
	if report.NormalizedParams != normalized || report.URL != "https://h.example/p" ||
		report.BaseString != "POST&"+Encode(report.URL)+"&"+Encode(normalized) {
		t.Errorf("%+v", report)
	}
	if report.OAuth.ConsumerKey != "c" {
		t.Errorf("%+v", report.OAuth)
	}
}

func TestExplainShowsTheFirstBrokenRuleAndTheBaseString(t *testing.T) {
	body := []Pair{{"a", "1"}, {nameNonce, "other"}}
	for _, c := range []struct {
		r    Request
		rule Rule
		base string // the end of it
	}{
		{Request{Method: "POST", URL: "http://h/", Form: body}, RuleAuthorization, "a%3D1%26oauth_nonce%3Dother"},
		{Request{Method: "POST", URL: "http://h/", Form: body, Authorization: `OAuth oauth_nonce="n", x`}, RuleHeader,
			"a%3D1%26oauth_nonce%3Dn%26oauth_nonce%3Dother"},
		{Request{Method: "POST", URL: "http://h/?oauth_x=1", Form: body, Authorization: header}, RuleQueryOAuth, "oauth_x%3D1"},
		{Request{Method: "POST", URL: "http://h/?b=%zz", Authorization: header}, RuleURL, "oauth_version%3D1.0"},
		{Request{Method: "POST", URL: "/p", Authorization: header}, RuleURL, ""},
	} {
		report := Explain(c.r, []*rsa.PublicKey{&testKey().PublicKey})
		if report.Failure == nil || report.Failure.Rule != c.rule {
			t.Errorf("%+v: %v", c.r, report.Failure)
		}
		if !strings.HasSuffix(report.BaseString, c.base) || (report.BaseString == "") != (c.base == "") {
			t.Errorf("%+v: %s", c.r, report.BaseString)
		}
		if len(report.Params) == 0 || report.NormalizedParams == "" {
			t.Errorf("%+v: no parameters", c.r)
		}
	}
}
