package journeys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"payout"
	"payout/sign"
	"payout/spec"
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

func TestSigningInThePageGivesTheBytesOfSign(t *testing.T) {
	type request struct{ Key, Method, URL, Body, Login, Nonce, Timestamp string }
	type signed struct{ Normalized, Base, Header, Hex, Fingerprint, Failure string }
	var requests []request
	var want []signed
	for _, key := range []*rsa.PrivateKey{testKey(), bigKey()} {
		for _, text := range []string{pkcs1(key), pkcs8(t, key)} {
			for _, v := range readVectors(t, "oauth-accept.json") {
				r := request{text, v.Method, v.URL, v.Body, v.OAuth["oauth_consumer_key"], v.OAuth["oauth_nonce"], v.OAuth["oauth_timestamp"]}
				requests = append(requests, r)
				form, err := sign.ParseForm(r.Body)
				check(t, err)
				seconds, err := strconv.ParseInt(r.Timestamp, 10, 64)
				check(t, err)
				header, err := sign.Sign(sign.Request{Method: r.Method, URL: r.URL, Form: form},
					sign.Credentials{ConsumerKey: r.Login, Nonce: r.Nonce, Timestamp: seconds}, key)
				check(t, err)
				report := sign.Explain(sign.Request{Method: r.Method, URL: r.URL, Form: form, Authorization: header}, []*rsa.PublicKey{&key.PublicKey})
				bytes, err := base64.StdEncoding.DecodeString(report.OAuth.Signature)
				check(t, err)
				want = append(want, signed{Normalized: report.NormalizedParams, Base: report.BaseString, Header: header,
					Hex: hex.EncodeToString(bytes), Fingerprint: sign.Fingerprint(&key.PublicKey)})
			}
		}
	}
	var got []signed
	workshop(t).run(`(async () => {
		const s = await import("/assets/sign.js"), k = await import("/assets/key.js");
		const keys = {};
		for (const text of new Set(input.map(r => r.Key))) keys[text] = await k.readPrivateKey(text);
		return Promise.all(input.map(async r => {
			const key = keys[r.Key];
			const made = s.prepare({method: r.Method, url: r.URL, form: s.parseForm(r.Body).pairs}, {login: r.Login, nonce: r.Nonce, timestamp: r.Timestamp});
			const signature = await s.signText(key.private, made.base);
			return {Normalized: made.normalized, Base: made.base, Header: s.authorization(made.pairs, s.base64(signature)), Hex: s.hex(signature),
				Fingerprint: key.public.fingerprint, Failure: made.failure?.rule};
		}));
	})()`, requests, &got)
	for i, r := range requests {
		if got[i] != want[i] {
			t.Errorf("%s:\n got %+v\nwant %+v", r.URL, got[i], want[i])
		}
	}
	if len(got) != len(requests) || len(got) < 4*20 {
		t.Errorf("%d requests were signed", len(got))
	}
}

func TestFormsAreWrittenInThePageAsByEncodeForm(t *testing.T) {
	var bodies, want, got []string
	for _, v := range readVectors(t, "oauth-accept.json") {
		form, err := sign.ParseForm(v.Body)
		check(t, err)
		bodies, want = append(bodies, v.Body), append(want, sign.EncodeForm(form))
	}
	workshop(t).run(`import("/assets/sign.js").then(s => input.map(body => s.encodeForm(s.parseForm(body).pairs)))`, bodies, &got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeysThatAreNoneGetTheirOwnWord(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	ecDER, err := x509.MarshalECPrivateKey(ec)
	check(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	public := readPublicPEM(t, "key2048")
	publicPKCS1 := block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&testKey().PublicKey))
	good := pkcs8(t, testKey())
	type row struct{ Text, Private, Public string }
	rows := []row{
		{good, "", "private"},
		{pkcs1(testKey()), "", "private"},
		{"\ufeff \r\n" + strings.ReplaceAll(good, "\n", "\r\n") + "\n\n", "", "private"},
		{"  " + strings.ReplaceAll(good, "\n", "\n  "), "", "private"},
		{public, "public", ""},
		{publicPKCS1, "public", ""},
		{"", "empty", "empty"},
		{"merchant.key", "no-pem", "no-pem"},
		{strings.Join(strings.Split(good, "\n")[1:3], "\n"), "no-pem", "no-pem"},
		{good + good, "several", "several"},
		{"Bag Attributes\n" + good, "around", "around"},
		{good + "x", "around", "around"},
		{strings.ReplaceAll(good, "\n", `\n`), "escaped", "escaped"},
		{"ssh-rsa AAAA", "openssh", "openssh"},
		{block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")), "openssh", "private"},
		{block("ENCRYPTED PRIVATE KEY", []byte{1}), "encrypted", "private"},
		{"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", "encrypted", "private"},
		{block("CERTIFICATE", []byte{1}), "certificate", "certificate"},
		{block("EC PRIVATE KEY", ecDER), "elliptic", "private"},
		{pkcs8(t, ec), "elliptic", "private"},
		{pkcs8(t, ed), "other", "private"},
		{pkcs8(t, small), "bits", "private"},
		{block("X509 CRL", []byte{1}), "kind", "kind"},
		{block("PRIVATE KEY", []byte{1}), "damaged", "private"},
		{strings.Replace(good, "M", "*", 1), "damaged", "private"},
		{block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(testKey())[:600]), "damaged", "private"},
		{pemOfPublic(t, &ec.PublicKey), "public", "elliptic"},
		{block("PUBLIC KEY", []byte{0x30, 0x80}), "public", "damaged"},
	}
	var got [][2]string
	workshop(t).run(`import("/assets/key.js").then(k => Promise.all(input.map(r => Promise.all([k.readPrivateKey, k.readPublicKey].map(
		read => read(r.Text).then(() => "", e => e.code ?? String(e)))))))`, rows, &got)
	for i, r := range rows {
		if got[i] != [2]string{r.Private, r.Public} {
			t.Errorf("%.60q: %q, want %q and %q", r.Text, got[i], r.Private, r.Public)
		}
	}
}

func pemOfPublic(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestKeysOf2047And4097BitsAreRefused(t *testing.T) {
	public := func(bits int) string {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return pemOfPublic(t, &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
	}
	var got []string
	workshop(t).run(`import("/assets/key.js").then(k => Promise.all(input.map(text => k.readPublicKey(text).then(key => "" + key.bits, e => e.code + e.number))))`,
		[]string{public(2047), public(2048), public(2049), public(4096), public(4097)}, &got)
	if want := []string{"bits2047", "2048", "2049", "4096", "bits4097"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What the page says of a value while it is typed is what Parse says of it.
func TestValuesAreCheckedInThePageAsByParse(t *testing.T) {
	values := []string{"a", "1", "+1", "12", "012", "13", "00", "-1", "1.5", "+7 (903) 123-45-67", "++7", "()", "903a", "4444555566661111", "4444555566661112",
		"0444555566661111", "444455556666111", "true", "false", "True", "USD", "usd", "XTS", "US", "us", "XK", "ZZ", "A1", "010190", "023090", "02302000", "02292000",
		"02291900", "022969", "022968", "130190", "01019", "127.0.0.1", "127.0.0.01", "256.1.1.1", "1.2.3", "::1", "::", "1::2::3", "2001:db8::1", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "fe80::1%eth0", "1.2.3.4::", "12345::", ":::", "1:2:3:4:5:6:1.2.3.4", "::1.2.3.400",
		"http://h", "https://h/p?q#f", "HTTP://H", "ftp://h", "http://", "http:///p", "http://u@h", "http://h/ x", "http://h/\u00a0", "http://[::1]:80/", "http://[::1",
		"http://h:8x", "http://h:", "http://h/%zz", "http://h?%zz", "http://h#%zz", "http://h%41/", "https://пример.рф/", "//h", "h", "http://h\u2028", "http://a b/",
		"http://h/@", "http://h\\x", "0", "007", "999999999999999999", "1000000000000000000", "00000000-0000-0000-0000-000002e2c322", "00000000-0000-0000-8000-000002e2c322",
		"00000000-0000-0000-0000-000002e2c32", "2030", "30", "203", "a\u0000b", "a\nb", "a\u0085b", "a\u00a0b", "é", "🙂", "\ufeff", strings.Repeat("é", 40),
		strings.Repeat("🙂", 40), strings.Repeat("1", 41), "12", "1\n", "true\n"}
	type row struct {
		Kind    spec.Kind `json:"kind"`
		Pattern string    `json:"pattern"`
		Values  []string  `json:"values"`
		Min     int       `json:"min"`
		Max     int       `json:"max"`
		Value   string    `json:"value"`
	}
	var rows []row
	var want []string
	for _, kind := range []spec.Kind{spec.String, spec.Line, spec.Digits, spec.Phone, spec.Currency, spec.URL, spec.IP, spec.OrderID, spec.Serial, spec.Card,
		spec.Month, spec.Year, spec.Country, spec.Bool, spec.Birthday} {
		for _, value := range values {
			r := row{kind, kind.Pattern(), kind.Values(), 2, 40, value}
			c := &spec.Command{Params: []spec.Use{{Param: &spec.Param{Name: "x", Kind: kind, Min: r.Min, Max: r.Max}, Need: spec.Optional}}}
			verdict := ""
			if _, err := c.Parse([]sign.Pair{{Name: "x", Value: value}}); err != nil {
				verdict = "refused"
				if e, ok := errors.AsType[*payout.Error](err); ok && (e.Code == payout.CodeTooLong || e.Code == payout.CodeTooShort) {
					verdict = map[payout.ErrCode]string{payout.CodeTooLong: "long", payout.CodeTooShort: "short"}[e.Code]
				}
			}
			rows, want = append(rows, r), append(want, verdict)
		}
	}
	var got []string
	workshop(t).run(`import("/assets/fields.js").then(f => input.map(r => {
		const code = f.problemOf(r, r.value)?.code ?? "";
		return code === "" || code === "long" || code === "short" ? code : "refused";
	}))`, rows, &got)
	for i, r := range rows {
		if got[i] != want[i] {
			t.Errorf("%s %q: the page says %q, Parse %q", r.Kind, r.Value, got[i], want[i])
		}
	}
}

func TestAmountsAreReadInThePageAsByParseAmount(t *testing.T) {
	exponents := make(map[string]int)
	for _, c := range payout.Currencies() {
		exponents[c.Code()] = c.Exponent()
	}
	type row struct{ Amount, Currency string }
	var rows []row
	var want []string
	for _, currency := range []string{"USD", "JPY", "KWD", "XXX", "constructor"} {
		for _, amount := range []string{"10.42", "10", "10.4", "010.40", "0.01", "0.001", "0", "0.00", "10.", ".5", "1e3", "-1", "+1", "1,5", "1.2.3", "9999999999", "", "1 0"} {
			rows = append(rows, row{amount, currency})
			minor := ""
			if c, err := payout.ParseCurrency(currency); err == nil {
				if a, err := payout.ParseAmount(amount, c); err == nil {
					minor = a.MinorString()
				}
			}
			want = append(want, minor)
		}
	}
	var got []string
	workshop(t).run(`import("/assets/fields.js").then(f => input.Rows.map(r => f.minorUnits(r.Amount, r.Currency, input.Exponents).minor ?? ""))`,
		map[string]any{"Rows": rows, "Exponents": exponents}, &got)
	for i, r := range rows {
		if got[i] != want[i] {
			t.Errorf("%+v: the page reads %q, ParseAmount %q", r, got[i], want[i])
		}
	}
}
