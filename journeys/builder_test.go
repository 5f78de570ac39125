package journeys

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"payout/sign"
)

// workshop is a bare page from which a test can import the scripts of the
// documentation, without the pages around them.
func workshop(t *testing.T) tab {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/assets/", http.StripPrefix("/assets/", http.FileServer(http.Dir("../docs/assets"))))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>Workshop</title>")
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	b := newTab(t)
	b.do(chromedp.Navigate(s.URL))
	return b
}

// run awaits an expression of the page; arg is its value "input", and its result
// becomes result.
func (b tab) run(script string, arg, result any) {
	b.t.Helper()
	input, err := json.Marshal(arg)
	check(b.t, err)
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](
		fmt.Sprintf(`(async input => JSON.stringify(await (%s)))(%s)`, script, input), chromedp.EvalAwaitPromise))
	check(b.t, err)
	check(b.t, json.Unmarshal([]byte(text), result))
}

// A vector is one of the requests that package sign is tested with.
type vector struct {
	Name, Key, Method, URL, Body, Authorization string
	OAuth                                       map[string]string
	BaseString                                  string `json:"base_string"`
}

func readVectors(t *testing.T, names ...string) []vector {
	t.Helper()
	var all []vector
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("../sign/testdata", name))
		check(t, err)
		var vectors []vector
		check(t, json.Unmarshal(text, &vectors))
		all = append(all, vectors...)
	}
	if len(all) < 2 {
		t.Fatal("there are no vectors")
	}
	return all
}

func readPublicPEM(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../sign/testdata", name+".pub.spki.pem"))
	check(t, err)
	return string(text)
}

// A suspect is a request to check, with the public keys that may have signed it.
type suspect struct {
	Method, URL, Body, Authorization string
	Keys                             []string
}

// A verdict is what both Explain and the page say of it.
type verdict struct {
	Error            string // of the form
	Rule, Detail     string
	URL              string
	Normalized, Base string
	Params           []string
	Fingerprint      string
}

func (s suspect) explain(t *testing.T) verdict {
	t.Helper()
	form, err := sign.ParseForm(s.Body)
	if err != nil {
		return verdict{Error: err.Error()}
	}
	var keys []*rsa.PublicKey
	for _, text := range s.Keys {
		key, err := sign.ParsePublicKey([]byte(text))
		check(t, err)
		keys = append(keys, key)
	}
	report := sign.Explain(sign.Request{Method: s.Method, URL: s.URL, Form: form, Authorization: s.Authorization}, keys)
	v := verdict{URL: report.URL, Normalized: report.NormalizedParams, Base: report.BaseString, Fingerprint: report.KeyFingerprint}
	if report.Failure != nil {
		v.Rule, v.Detail = string(report.Failure.Rule), report.Failure.Detail
	}
	for _, p := range report.Params {
		v.Params = append(v.Params, fmt.Sprintf("%s %s %v", p.Source, p.Encoded, p.Signed))
	}
	return v
}

const explainInPage = `(async () => {
	const s = await import("/assets/sign.js"), k = await import("/assets/key.js");
	const keys = {};
	for (const text of new Set(input.flatMap(r => r.Keys ?? []))) keys[text] = await k.readPublicKey(text);
	const all = [];
	for (const r of input) {
		const {pairs, error} = s.parseForm(r.Body);
		if (error) { all.push({Error: error}); continue; }
		const report = await s.explain({method: r.Method, url: r.URL, form: pairs, authorization: r.Authorization},
			(r.Keys ?? []).map(text => keys[text]));
		all.push({Rule: report.failure?.rule, Detail: report.failure?.detail, URL: report.uri ? s.uriText(report.uri) : "",
			Normalized: report.normalized, Base: report.base, Fingerprint: report.key?.fingerprint,
			Params: report.params.map(p => p.source + " " + s.normalize([p]) + " " + p.signed)});
	}
	return all;
})()`

// compare runs suspects through the page and through Explain.
func (b tab) compare(suspects []suspect) map[string]int {
	b.t.Helper()
	var got []verdict
	b.run(explainInPage, suspects, &got)
	if len(got) != len(suspects) {
		b.t.Fatalf("%d verdicts of %d", len(got), len(suspects))
	}
	rules := make(map[string]int)
	for i, s := range suspects {
		want := s.explain(b.t)
		if len(got[i].Params) == 0 {
			got[i].Params = nil
		}
		if !reflect.DeepEqual(got[i], want) {
			b.t.Errorf("%+v:\n got %+v\nwant %+v", s, got[i], want)
		}
		rules[want.Rule]++
	}
	return rules
}

func TestCheckerInThePageAgreesWithExplainOnAllVectors(t *testing.T) {
	b := workshop(t)
	var suspects []suspect
	for _, v := range readVectors(t, "oauth-accept.json", "oauth-reject.json", "oauth-compat.json") {
		suspects = append(suspects, suspect{v.Method, v.URL, v.Body, v.Authorization, []string{readPublicPEM(t, v.Key)}})
	}
	rules := b.compare(suspects)
	t.Logf("%d vectors: %v", len(suspects), rules)
	if rules[""] < 26 || rules[string(sign.RuleSignature)] < 10 {
		t.Errorf("the vectors are not what they were: %v", rules)
	}
}

const goodHeader = `OAuth oauth_consumer_key="c", oauth_nonce="n", oauth_signature="s",` +
	` oauth_signature_method="RSA-SHA256", oauth_timestamp="1", oauth_version="1.0"`

// every way in which one request can be wrong, one suspect or more for each rule.
func wrongInOneWay(t *testing.T) []suspect {
	v := readVectors(t, "oauth-accept.json")[0]
	key, long := readPublicPEM(t, "key2048"), readPublicPEM(t, "key4096")
	var all []suspect
	add := func(change func(*suspect)) {
		s := suspect{v.Method, v.URL, v.Body, v.Authorization, []string{key}}
		change(&s)
		all = append(all, s)
	}
	set := func(name, value string) string {
		before, after, _ := strings.Cut(goodHeader, name+`="`)
		_, after, _ = strings.Cut(after, `"`)
		return before + name + `="` + value + `"` + after
	}
	headers := []string{"", "  ", "Basic abc=", "OAuth2 x", "Bearer", "OAuth", "oauth" + goodHeader[5:], "OAuth oauth_nonce", "OAuth 4111",
		`OAuth "oauth_nonce"="n"`, `OAuth oauth_nonce="n`, `OAuth oauth_nonce="n\"`, `OAuth oauth_nonce="n" oauth_version="1.0"`,
		`OAuth oauth_nonce=n oauth_version=1.0`, set("oauth_nonce", "%zz"), set("oauth_nonce", "%ff"), set("oauth_nonce", "%00"),
		set("oauth_nonce", "a%7F"), set("oauth_nonce", `a\b`), set("oauth_nonce", "%"), set("oauth_nonce", "%4"), goodHeader + `, %zz="1"`,
		goodHeader + `, oauth_nonce="n"`, goodHeader + `, realm="", REALM=""`, goodHeader + `, amount="10.42"`, goodHeader + `, Realm="a, \"b\"=100%"`,
		goodHeader + `,,, oauth_token=""`, set("oauth_signature_method", "rsa-sha256"), set("oauth_signature_method", "411111"),
		set("oauth_version", ""), set("oauth_version", "2.0"), set("oauth_signature", "a+/b=="), set("oauth_signature", "YQ="),
		strings.Replace(goodHeader, ` oauth_nonce="n",`, "", 1), strings.ReplaceAll(goodHeader, `"`, ""),
		"OAuth\u00a0" + goodHeader[6:], "OAuth\t" + goodHeader[6:]}
	for _, name := range []string{"oauth_consumer_key", "oauth_nonce", "oauth_timestamp", "oauth_signature", "oauth_signature_method"} {
		headers = append(headers, set(name, ""))
	}
	for _, moment := range []string{"0", "-1", "+1", "01", "1.5", "1e3", " 1", "9223372036854775807", "9223372036854775808"} {
		headers = append(headers, set("oauth_timestamp", moment))
	}
	for _, n := range []int{sign.OAuthPairsMax - 6, sign.OAuthPairsMax - 5} {
		header := goodHeader
		for i := range n {
			header += fmt.Sprintf(`,oauth_x%d=""`, i)
		}
		headers = append(headers, header)
	}
	for _, header := range headers {
		add(func(s *suspect) { s.Authorization = header })
	}
	for _, url := range []string{"", "/p", "ftp://h/", "https:///p", "https://:443/p", "https://u@h/", "http://h:8x/", "http://h:655350/", "HTTPS://H:443",
		"https://h?a=1", "https://h#f", "http://[::1]:80/", "http://[2001:DB8::1]:8080/x", "http://h/?oauth_x=1", "http://h/?b=%zz", "http://h/?b=%ff",
		"http://h/%7e?b=1+2", "https://h:/", "http://h:443/", "http://h%41/"} {
		add(func(s *suspect) { s.URL = url })
	}
	for _, body := range []string{"", "&&", "=", "=v", "a", "a=b=c", "a=1;b=2", "a=%zz", "%zz=1", "%ff=1", "a=%C3%28", "4111111=%zz", v.Body + "&oauth_token=",
		v.Body + "&oauth_version=1.0", v.Body + "&oauth_version=1.0&oauth_version=1.0", v.Body + "&oauth_nonce=x", "%EF%BB%BFa=%EF%BB%BF",
		strings.Repeat("a&", sign.FormPairsMax), strings.Repeat("a&", sign.FormPairsMax+1)} {
		add(func(s *suspect) { s.Body = body })
	}
	for _, method := range []string{"", "post", "GET", "P ST"} {
		add(func(s *suspect) { s.Method = method })
	}
	for _, keys := range [][]string{nil, {long}, {long, key}, {key, long}} {
		add(func(s *suspect) { s.Keys = keys })
		add(func(s *suspect) { s.Keys, s.Body = keys, "a=1" })
	}
	return all
}

func TestCheckerInThePageBreaksEveryRuleAsExplainDoes(t *testing.T) {
	rules := workshop(t).compare(wrongInOneWay(t))
	for _, row := range sign.Rules() {
		if rules[string(row.Rule)] == 0 {
			t.Errorf("nothing breaks %s", row.Rule)
		}
	}
}

// Requests put together at random, from pieces that have made trouble before.
func TestCheckerInThePageAgreesWithExplainOnRandomRequests(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	pieces := []string{"a", "B", "=", "&", "+", "%20", "%2B", "%7E", "~", "%", "%4", "%zz", "é", "%C3%A9", "%ff", "Т", "🙂", "*", "'", "\"", "\\", ",", ", ",
		" ", "\t", "\n", ";", "oauth_nonce", "oauth_x", "realm", "1", "?", "#", "/", ":", ":8443", "[", "]", "@", "\u2028", "\x7f", "%00"}
	mixed := func(most int) string {
		var b strings.Builder
		for range random.IntN(most + 1) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	suspects := make([]suspect, 3000)
	for i := range suspects {
		s := suspect{"POST", "https://h.example/p", mixed(8), goodHeader, nil}
		switch i % 3 {
		case 0:
			s.URL = "http" + []string{"", "s"}[random.IntN(2)] + "://" + mixed(6)
		case 1:
			s.Authorization = goodHeader + "," + mixed(10)
		case 2:
			s.Authorization = "OAuth " + mixed(12)
		}
		suspects[i] = s
	}
	t.Log(workshop(t).compare(suspects))
}

// bigKey is made once a run: 4096 bits take seconds.
var bigKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, sign.KeyBitsMax)
	if err != nil {
		panic(err)
	}
	return key
})

func pkcs1(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
