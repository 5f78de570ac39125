package journeys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"payout/sign"
)

// A client signs in its own way: what it signs is made from the right base
// string's parts.
type mistake struct {
	name   string
	cause  string // that the checker must tell
	detail string
	url    string // that is called; empty: mistakeURL
	base   func(p parts) string
}

// parts are what a base string is made of.
type parts struct {
	method, url, base string
	list              []sign.Pair // sorted
	received          []sign.Pair // header, query, body
}

// gatewayOrigin is the address of the gateway that shows the checker.
const gatewayOrigin = "https://pay.example.com"

const mistakeURL = "https://gate.example.com:8443/paynet/api/v4/payout/39915?b=2&a=1"

// mistakeForm has everything that the mistakes differ in.
var mistakeForm = []sign.Pair{{Name: "client_orderid", Value: "1"}, {Name: "purpose", Value: "+7 (903)~*"}, {Name: "order_desc", Value: " Тест %41 "},
	{Name: "empty", Value: ""}, {Name: "twice", Value: "z"}, {Name: "twice", Value: "a"}, {Name: "Capital", Value: "x"}, {Name: "same", Value: "s"},
	{Name: "same", Value: "s"}, {Name: "pre", Value: "1"}, {Name: "pre-fix", Value: "2"}, {Name: "п", Value: "1"}, {Name: "~", Value: "1"}}

func encodedBy(encode func(string) string, list []sign.Pair) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = encode(p.Name) + "=" + encode(p.Value)
	}
	return strings.Join(texts, "&")
}

func (p parts) with(normalized string) string {
	return sign.Encode(p.method) + "&" + sign.Encode(p.url) + "&" + sign.Encode(normalized)
}

func (p parts) without(drop func(sign.Pair) bool) string {
	return p.with(encodedBy(sign.Encode, slices.DeleteFunc(slices.Clone(p.list), drop)))
}

func (p parts) sortedBy(compare func(a, b sign.Pair) int) string {
	list := slices.Clone(p.received)
	slices.SortStableFunc(list, compare)
	return p.with(encodedBy(sign.Encode, list))
}

func (p parts) at(url string) string {
	return sign.Encode(p.method) + "&" + sign.Encode(url) + "&" + sign.Encode(encodedBy(sign.Encode, p.list))
}

var component = strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*")

var mistakes = []mistake{
	{"values not encoded", "values-not-encoded", "", "", func(p parts) string {
		return p.with(encodedBy(func(s string) string { return s }, p.list))
	}},
	{"parts not encoded", "not-encoded", "", "", func(p parts) string {
		return p.method + "&" + sign.Encode(p.url) + "&" + encodedBy(sign.Encode, p.list)
	}},
	{"encoded twice", "encoded-twice", "", "", func(p parts) string {
		return p.with(encodedBy(func(s string) string { return sign.Encode(sign.Encode(s)) }, p.list))
	}},
	{"url.QueryEscape", "plus", "", "", func(p parts) string { return p.with(encodedBy(url.QueryEscape, p.list)) }},
	{"lower-case hex", "lower-hex", "", "", func(p parts) string {
		text := []byte(p.base)
		for i := range text {
			if i >= 2 && (text[i-1] == '%' || text[i-2] == '%') {
				text[i] |= 0x20
			}
		}
		return string(text)
	}},
	{"encodeURIComponent", "component", "", "", func(p parts) string {
		return p.with(encodedBy(func(s string) string { return component.Replace(sign.Encode(s)) }, p.list))
	}},
	{"encoded tilde", "tilde", "", "", func(p parts) string {
		return p.with(encodedBy(func(s string) string { return strings.ReplaceAll(sign.Encode(s), "~", "%7E") }, p.list))
	}},
	{"trimmed", "trimmed", "", "", func(p parts) string {
		return p.with(encodedBy(func(s string) string { return sign.Encode(strings.TrimSpace(s)) }, p.list))
	}},
	{"not sorted", "unsorted", "", "", func(p parts) string { return p.with(encodedBy(sign.Encode, p.received)) }},
	{"sorted without case", "sorted-by-case", "", "", func(p parts) string {
		return p.sortedBy(func(a, b sign.Pair) int {
			if c := strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)); c != 0 {
				return c
			}
			return strings.Compare(a.Value, b.Value)
		})
	}},
	{"sorted as texts", "sorted-as-text", "", "", func(p parts) string {
		return p.sortedBy(func(a, b sign.Pair) int {
			return strings.Compare(sign.Encode(a.Name)+"="+sign.Encode(a.Value), sign.Encode(b.Name)+"="+sign.Encode(b.Value))
		})
	}},
	{"sorted before encoding", "sorted-before-encoding", "", "", func(p parts) string {
		return p.sortedBy(func(a, b sign.Pair) int {
			if c := strings.Compare(a.Name, b.Name); c != 0 {
				return c
			}
			return strings.Compare(a.Value, b.Value)
		})
	}},
	{"method in lower case", "method", "post", "", func(p parts) string { return "post" + p.base[4:] }},
	{"query in the URL", "url", "query", "", func(p parts) string { return p.at(p.url + "?b=2&a=1") }},
	{"without the port", "url", "no-port", "", func(p parts) string { return p.at(strings.Replace(p.url, ":8443", "", 1)) }},
	{"with the default port", "url", "default-port", "https://gate.example.com/p", func(p parts) string { return p.at("https://gate.example.com:443/p") }},
	{"host as typed", "url", "as-typed", "https://Gate.Example.com/p", func(p parts) string { return p.at("https://Gate.Example.com/p") }},
	{"the gateway's own address", "url", "origin", "http://10.0.0.1:8080/p", func(p parts) string { return p.at(gatewayOrigin + "/p") }},
	{"http behind a proxy", "url", "scheme", "", func(p parts) string { return p.at(strings.Replace(p.url, "https", "http", 1)) }},
	{"a slash at the end", "url", "slash", "", func(p parts) string { return p.at(p.url + "/") }},
	{"path alone", "url", "path-only", "", func(p parts) string { return p.at("/paynet/api/v4/payout/39915") }},
	{"a parameter left out", "missing", "purpose", "", func(p parts) string {
		return p.without(func(q sign.Pair) bool { return q.Name == "purpose" })
	}},
	{"version left out", "missing", "oauth_version", "", func(p parts) string {
		return p.without(func(q sign.Pair) bool { return q.Name == "oauth_version" })
	}},
	{"empty values left out", "missing", "empty", "", func(p parts) string { return p.without(func(q sign.Pair) bool { return q.Value == "" }) }},
	{"repeated once", "duplicates-once", "", "", func(p parts) string { return p.with(encodedBy(sign.Encode, slices.Compact(slices.Clone(p.list)))) }},
	{"body left out", "body-left-out", "", "", func(p parts) string {
		return p.without(func(q sign.Pair) bool { return !strings.HasPrefix(q.Name, "oauth_") })
	}},
	{"query left out", "query-left-out", "", "", func(p parts) string {
		return p.without(func(q sign.Pair) bool { return q.Name == "a" || q.Name == "b" })
	}},
	{"header left out", "oauth-left-out", "", "", func(p parts) string {
		return p.without(func(q sign.Pair) bool { return strings.HasPrefix(q.Name, "oauth_") })
	}},
	{"empty token signed", "too-much", "oauth_token", "", func(p parts) string {
		list := append(slices.Clone(p.list), sign.Pair{Name: "oauth_token"})
		slices.SortFunc(list, func(a, b sign.Pair) int {
			if c := strings.Compare(sign.Encode(a.Name), sign.Encode(b.Name)); c != 0 {
				return c
			}
			return strings.Compare(sign.Encode(a.Value), sign.Encode(b.Value))
		})
		return p.with(encodedBy(sign.Encode, list))
	}},
}

// signedBy returns a request's header with a signature that somebody makes of it.
func signedBy(t *testing.T, address string, make func(parts) string) (header string, p parts, signed string) {
	t.Helper()
	request := sign.Request{Method: "POST", URL: address, Form: mistakeForm}
	right, err := sign.Sign(request, sign.Credentials{ConsumerKey: login, Nonce: "n", Timestamp: 1677831012}, testKey())
	check(t, err)
	request.Authorization = right
	report := sign.Explain(request, []*rsa.PublicKey{&testKey().PublicKey})
	p = parts{method: "POST", url: report.URL, base: report.BaseString}
	for _, param := range report.Params {
		if param.Signed {
			p.received = append(p.received, param.Pair)
		}
	}
	p.list, err = sign.ParseForm(report.NormalizedParams)
	check(t, err)
	signed = make(p)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, testKey(), crypto.SHA256, sum[:])
	check(t, err)
	return withSignature(right, report.OAuth.Signature, signature), p, signed
}

func withSignature(header, old string, signature []byte) string {
	return strings.Replace(header, sign.Encode(old), sign.Encode(base64.StdEncoding.EncodeToString(signature)), 1)
}

const diagnose = `(async () => {
	const d = await import("/assets/diagnosis.js"), k = await import("/assets/key.js");
	const keys = [await k.readPublicKey(input.Key)];
	return Promise.all(input.Cases.map(async c => {
		const found = await d.check({method: "POST", url: c.URL, body: c.Body, authorization: c.Header}, c.Keyless ? [] : keys, c.Own, input.Origin);
		return {Rule: found.report.failure?.rule ?? "", Cause: found.guess?.cause ?? "", Detail: found.guess?.detail ?? "",
			OwnCause: found.comparison?.cause ?? "", OwnDetail: found.comparison?.detail ?? "", At: found.comparison?.at ?? -2,
			Facts: (found.comparison?.facts ?? []).map(f => [f.fact, f.name ?? "", f.theirs ?? ""].join(" ").trim())};
	}));
})()`

type caseOfCheck struct {
	URL, Body, Header, Own string
	Keyless                bool
}

type finding struct {
	Rule, Cause, Detail, OwnCause, OwnDetail string
	At                                       int
	Facts                                    []string
}

func (b tab) diagnose(cases []caseOfCheck) []finding {
	b.t.Helper()
	var found []finding
	b.run(diagnose, map[string]any{"Key": pemOfPublic(b.t, &testKey().PublicKey), "Cases": cases, "Origin": gatewayOrigin}, &found)
	if len(found) != len(cases) {
		b.t.Fatalf("%d findings of %d", len(found), len(cases))
	}
	return found
}

// The checker finds out what a client does wrong, from its signature alone as
// well as from its base string.
func TestCheckerFindsTheMistake(t *testing.T) {
	var cases []caseOfCheck
	for _, m := range mistakes {
		address := m.url
		if address == "" {
			address = mistakeURL
		}
		header, p, signed := signedBy(t, address, m.base)
		if signed == p.base {
			t.Fatalf("%s makes the right base string", m.name)
		}
		c := caseOfCheck{URL: address, Body: sign.EncodeForm(mistakeForm), Header: header}
		own := c
		own.Own, own.Keyless = signed, true
		cases = append(cases, c, own)
	}
	found := workshop(t).diagnose(cases)
	for i, m := range mistakes {
		bySignature, byBase := found[2*i], found[2*i+1]
		if bySignature.Rule != string(sign.RuleSignature) || bySignature.Cause != m.cause || bySignature.Detail != m.detail {
			t.Errorf("%s, by the signature: %+v", m.name, bySignature)
		}
		if byBase.OwnCause != m.cause || byBase.OwnDetail != m.detail || byBase.At < 0 {
			t.Errorf("%s, by the base string: %+v", m.name, byBase)
		}
	}
}

func TestCheckerTellsOtherHashesAndPaddings(t *testing.T) {
	header, p, _ := signedBy(t, mistakeURL, func(p parts) string { return p.base })
	old, _, _ := strings.Cut(strings.SplitN(header, `oauth_signature="`, 2)[1], `"`)
	old, err := url.PathUnescape(old)
	check(t, err)
	sum1, sum256, sum384, sum512 := sha1.Sum([]byte(p.base)), sha256.Sum256([]byte(p.base)), sha512.Sum384([]byte(p.base)), sha512.Sum512([]byte(p.base))
	again := sha256.Sum256([]byte(hex.EncodeToString(sum256[:])))
	pkcs := func(hash crypto.Hash, sum []byte) []byte {
		signature, err := rsa.SignPKCS1v15(nil, testKey(), hash, sum)
		check(t, err)
		return signature
	}
	pss := func(salt int) []byte {
		signature, err := rsa.SignPSS(rand.Reader, testKey(), crypto.SHA256, sum256[:], &rsa.PSSOptions{SaltLength: salt})
		check(t, err)
		return signature
	}
	type row struct {
		detail    string
		signature []byte
	}
	rows := []row{{"sha1", pkcs(crypto.SHA1, sum1[:])}, {"sha384", pkcs(crypto.SHA384, sum384[:])}, {"sha512", pkcs(crypto.SHA512, sum512[:])},
		{"pss", pss(32)}, {"pss", pss(rsa.PSSSaltLengthAuto)}, {"hashed-twice", pkcs(crypto.SHA256, again[:])}}
	var cases []caseOfCheck
	for _, r := range rows {
		cases = append(cases, caseOfCheck{URL: mistakeURL, Body: sign.EncodeForm(mistakeForm), Header: withSignature(header, old, r.signature)})
	}
	for i, f := range workshop(t).diagnose(cases) {
		if f.Rule != string(sign.RuleSignature) || f.Cause != "signature-kind" || f.Detail != rows[i].detail {
			t.Errorf("%s: %+v", rows[i].detail, f)
		}
	}
}

// A mistake that is none of the known ones is told part by part, and what is
// right is not called wrong.
func TestCheckerTellsWhatDiffers(t *testing.T) {
	header, p, _ := signedBy(t, mistakeURL, func(p parts) string { return p.base })
	replaced := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(p.base) }
	rows := []struct {
		own   string
		at    int
		facts []string
	}{
		{p.base, -1, nil},
		{replaced("POST", "PATCH", "39915", "39916"), 1, []string{"method  PATCH", "url  https://gate.example.com:8443/paynet/api/v4/payout/39916"}},
		{replaced("client_orderid%3D1", "client_orderid%3D2", "pre%3D1%26", ""), -3, []string{"value client_orderid 2", "lacks pre"}},
		{replaced("client_orderid%3D1", "client_orderid%3D2%26more%3D1"), -3, []string{"value client_orderid 2", "adds more"}},
		{"POST", 4, []string{"parts  1"}},
		{p.base + " ", len(p.base), []string{"blank"}},
	}
	var cases []caseOfCheck
	for _, r := range rows {
		cases = append(cases, caseOfCheck{URL: mistakeURL, Body: sign.EncodeForm(mistakeForm), Header: header, Own: r.own})
	}
	for i, f := range workshop(t).diagnose(cases) {
		at := rows[i].at
		if at == -3 {
			at = strings.Index(p.base, "client_orderid%3D1") + len("client_orderid%3D")
		}
		if f.Rule != "" || f.At != at || !slices.Equal(f.Facts, rows[i].facts) && len(f.Facts)+len(rows[i].facts) > 0 {
			t.Errorf("%.80q: %+v, want %d %q", rows[i].own, f, at, rows[i].facts)
		}
	}
}

// Every reject vector whose signer's mistake is known is explained.
func TestCheckerExplainsTheRejectVectors(t *testing.T) {
	want := map[string]string{"n11-values-not-encoded": "values-not-encoded", "n13-lower-case-hex": "lower-hex", "n14-lower-case-method": "method post",
		"n17-version-left-out": "missing oauth_version", "n19-pss": "signature-kind pss", "n08-unsigned-query": "query-left-out", "c02-equal-duplicate-signed-once": "duplicates-once",
		"n06-other-port": "url no-port", "n01-body-changed": "", "n20-other-key": ""}
	b := workshop(t)
	for _, v := range readVectors(t, "oauth-reject.json", "oauth-compat.json") {
		cause, known := want[v.Name]
		if !known {
			continue
		}
		delete(want, v.Name)
		var got string
		b.run(`(async () => {
			const d = await import("/assets/diagnosis.js"), k = await import("/assets/key.js");
			const {guess} = await d.check({method: input.Method, url: input.URL, body: input.Body, authorization: input.Authorization}, [await k.readPublicKey(input.Key)], "");
			return guess ? (guess.cause + " " + guess.detail).trim() : "";
		})()`, map[string]string{"Method": v.Method, "URL": v.URL, "Body": v.Body, "Authorization": v.Authorization, "Key": readPublicPEM(t, v.Key)}, &got)
		if got != cause {
			t.Errorf("%s: %q, want %q", v.Name, got, cause)
		}
	}
	if len(want) > 0 {
		t.Errorf("not seen: %v", want)
	}
}

func TestRequestsAreReadAsPeopleHaveThem(t *testing.T) {
	type request struct {
		Method, URL, Authorization, Body, Problem string
		Several                                   bool
	}
	post := func(url, authorization, body string) request {
		return request{Method: "POST", URL: url, Authorization: authorization, Body: body}
	}
	const a = `OAuth oauth_nonce="n", oauth_version="1.0"`
	rows := []struct {
		text string
		want request
	}{
		{"POST /p?q=1 HTTP/1.1\r\nHost: h.example:8443\r\nauthorization: " + a + "\r\nContent-Length: 3\r\n\r\na=b\r\n", post("https://h.example:8443/p?q=1", a, "a=b")},
		{"POST /p HTTP/1.1\nHost: 127.0.0.1:80\n\n", post("http://127.0.0.1:80/p", "", "")},
		{"POST /p HTTP/1.1\nHost: Known.example\nAuthorization: OAuth oauth_nonce=\"n\",\n oauth_version=\"1.0\"\n\na=%20", post("http://known.example/p", a, "a=%20")},
		{"POST https://h/p HTTP/2\n\na=1", post("https://h/p", "", "a=1")},
		{"POST /p HTTP/1.1\nHost: h\nAuthorization: 1\nAuthorization: 2\n\n", request{Method: "POST", URL: "https://h/p", Authorization: "1", Several: true}},
		{"curl https://h/p -H 'Authorization: " + a + "' -d 'a=1' --data-raw \"b=\\\"2\\$\" --data-urlencode 'c=x y+z'", post("https://h/p", a, `a=1&b="2$&c=x%20y%2Bz`)},
		{"$ curl -sS -X POST \\\n  --url 'https://h/p' \\\n  -H\"Authorization: x\" --data-binary=a -o /dev/null -u me:pw", post("https://h/p", "x", "a")},
		{`curl h/p -d $'a=it\'s\n\u0416\x41' -G`, request{Method: "GET", URL: "http://h/p?a=it's\nЖA"}},
		{"curl --request PUT h", request{Method: "PUT", URL: "http://h"}},
		{"curl 'h", request{Problem: "quotes"}},
		{"curl -d a", request{Problem: "no-url"}},
		{"curl h -d @file", request{Problem: "data-file"}},
		{"curl h -F a=b", request{Problem: "not-form"}},
		{"", request{Problem: "empty"}},
		{"hello", request{Problem: "no-request"}},
		{"POST /p HTTP/1.1\nnonsense\n\n", request{Problem: "no-headers"}},
		{"POST /p HTTP/1.1\n\na=1", request{Problem: "no-host"}},
	}
	var texts []string
	for _, r := range rows {
		texts = append(texts, r.text)
	}
	var got []request
	workshop(t).run(`import("/assets/request.js").then(r => input.map(text => {
		const q = r.readRequest(text, {"known.example": "http://known.example"});
		return {Method: q.method, URL: q.url, Authorization: q.authorization, Body: q.body, Problem: q.problem, Several: q.several};
	}))`, texts, &got)
	for i, r := range rows {
		if got[i] != r.want {
			t.Errorf("%q:\n got %+v\nwant %+v", r.text, got[i], r.want)
		}
	}
}

// judged waits until the checker has a verdict and returns its text.
func (b tab) judged() string {
	b.t.Helper()
	b.until("there is a verdict", `document.getElementById("verdict").getAttribute("aria-busy") === "false"`)
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.getElementById("verdict").innerText`))
	check(b.t, err)
	return text
}

// Whoever pastes a failing request reads what is wrong with it.
func TestCheckersPage(t *testing.T) {
	d, b := newDesk(t, nil), newTab(t)
	header, p, signed := signedBy(t, mistakeURL, mistakes[3].base) // url.QueryEscape
	raw := "POST /paynet/api/v4/payout/39915?b=2&a=1 HTTP/1.1\r\nHost: gate.example.com:8443\r\nAuthorization: " + header + "\r\n\r\n" + sign.EncodeForm(mistakeForm)
	b.do(chromedp.Navigate(d.origin + "/docs/en/checker"))
	b.judged()
	before := len(d.requests())
	says := func(what string, wants ...string) {
		t.Helper()
		text := b.judged()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the checker does not say %q but\n%s", what, want, text)
			}
		}
	}
	b.set(map[string]string{"raw": raw})
	says("without a key", "No rule is broken up to the signature itself", "oauth_timestamp is", "days away", "This gateway accepts 5 min")
	if got := strings.TrimSpace(b.reads("out-base")); got != p.base {
		t.Errorf("the base string is %s, want %s", got, p.base)
	}
	b.set(map[string]string{"public-key": pemOfPublic(t, &testKey().PublicKey)})
	says("with the key", string(sign.RuleSignature), sign.RuleSignature.Text(), "Blanks are written as +", "differ from character")
	b.set(map[string]string{"own-base": signed, "public-key": ""})
	says("with the base string", "Blanks are written as +", "differ from character")
	b.set(map[string]string{"own-base": strings.Replace(p.base, "client_orderid%3D1", "client_orderid%3D", 1)})
	says("with another base string", "client_orderid has another value")
	b.set(map[string]string{"own-base": "", "authorization": strings.Replace(header, "RSA-SHA256", "HMAC-SHA1", 1)})
	says("another method", string(sign.RuleMethod), sign.RuleMethod.Text())
	b.set(map[string]string{"body": "a=%zz"})
	says("a broken body", "form parameter \"a\": broken percent-encoding")
	b.set(map[string]string{"raw": "curl " + d.base + "/api/v2/status/1 -d login=a"})
	b.set(map[string]string{"url": d.origin + "/paynet/api/v2/status/1"})
	says("a command with a control sum", "v2/status is not signed", string(sign.RuleAuthorization))
	b.set(map[string]string{"public-key": pkcs8(t, testKey())})
	b.until("the private key is taken out again", `document.getElementById("public-key").value === ""`)
	if now := len(d.requests()); now != before {
		t.Errorf("the checker has sent %q", d.requests()[before:])
	}
	b.do(chromedp.Navigate(d.origin + "/docs/ru/checker"))
	b.judged()
	b.set(map[string]string{"raw": raw, "public-key": pemOfPublic(t, &testKey().PublicKey)})
	says("in Russian", "Первое нарушенное правило", "oauth_signature не подходит", "Пробелы записаны как +", "различаются начиная с символа")
}
