package sign

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

type vector struct {
	Name, Key, Method, URL, Body, Authorization, Signature string
	Params                                                 [][2]string
	BaseString                                             string `json:"base_string"`
	BaseStringSHA256                                       string `json:"base_string_sha256"`
}

func readVectors(t testing.TB, name string) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors in " + name)
	}
	return vectors
}

func (v vector) request(t testing.TB) Request {
	t.Helper()
	form, err := ParseForm(v.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Method: v.Method, URL: v.URL, Form: form, Authorization: v.Authorization}
}

func (v vector) keys(t testing.TB) []*rsa.PublicKey {
	return []*rsa.PublicKey{readKey(t, v.Key+".pub.spki")}
}

// accept does what a server does.
func accept(r Request, keys []*rsa.PublicKey) error {
	o, err := ParseAuthorization(r.Authorization)
	if err != nil {
		return err
	}
	return Verify(r, o, keys)
}

func expectRule(t *testing.T, what string, err error, want Rule) {
	t.Helper()
	failure, ok := errors.AsType[*Failure](err)
	if !ok || failure.Rule != want {
		t.Errorf("%s: %v, want the rule %s", what, err, want)
	}
}

func TestAcceptVectorsVerify(t *testing.T) {
	for _, v := range readVectors(t, "oauth-accept.json") {
		t.Run(v.Name, func(t *testing.T) {
			r, keys := v.request(t), v.keys(t)
			for i, p := range v.Params {
				if i >= len(r.Form) || r.Form[i] != (Pair{p[0], p[1]}) {
					t.Errorf("form %q, want %q", r.Form, v.Params)
					break
				}
			}
			o, err := ParseAuthorization(v.Authorization)
			if err != nil {
				t.Fatal(err)
			}
			base, err := BaseString(r, o)
			if err != nil || base != v.BaseString {
				t.Errorf("%v\n got %s\nwant %s", err, base, v.BaseString)
			}
			if sum := sha256.Sum256([]byte(base)); hex.EncodeToString(sum[:]) != v.BaseStringSHA256 {
				t.Errorf("SHA-256 %x, want %s", sum, v.BaseStringSHA256)
			}
			if o.Signature != v.Signature {
				t.Errorf("signature %s, want %s", o.Signature, v.Signature)
			}
			if err := Verify(r, o, keys); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRejectVectorsBreakTheirRule(t *testing.T) {
	want := map[string]Rule{ // every other one: RuleSignature
		"n22-hmac-sha1":           RuleMethod,
		"n23-plaintext":           RuleMethod,
		"n25-no-signature":        RuleMissing,
		"n26-empty-signature":     RuleMissing,
		"n27-not-base64":          RuleBase64,
		"n29-truncated-signature": RuleSignatureLength,
		"n30-no-authorization":    RuleAuthorization,
		"n31-basic":               RuleScheme,
	}
	for _, v := range readVectors(t, "oauth-reject.json") {
		rule, ok := want[v.Name]
		if !ok {
			rule = RuleSignature
		}
		expectRule(t, v.Name, accept(v.request(t), v.keys(t)), rule)
	}
}

func TestCompatEqualOAuthParametersInBodyAreSignedOnce(t *testing.T) {
	v := readVectors(t, "oauth-compat.json")[0]
	r := v.request(t)
	o, err := ParseAuthorization(v.Authorization)
	if err != nil {
		t.Fatal(err)
	}
	expectBase(t, r, o, v.BaseString)
	if err := Verify(r, o, v.keys(t)); err != nil {
		t.Errorf("%s: %v", v.Name, err)
	}
	r.Form = append(r.Form, Pair{nameSignature, o.Signature})
	if err := Verify(r, o, v.keys(t)); err != nil {
		t.Errorf("the equal signature in the body: %v", err)
	}
}

func TestCompatEqualDuplicateSignedOnceIsRefused(t *testing.T) {
	v := readVectors(t, "oauth-compat.json")[1]
	expectRule(t, v.Name, accept(v.request(t), v.keys(t)), RuleSignature)
}

func TestOAuthParametersOfTheBodyEqualTheHeaders(t *testing.T) {
	v := readVectors(t, "oauth-compat.json")[0]
	for _, c := range []struct {
		what  string
		extra Pair
		want  Rule
	}{
		{"differs", Pair{nameNonce, "other"}, RuleBodyDiffers},
		{"differs in case", Pair{nameConsumerKey, "testmerchant"}, RuleBodyDiffers},
		{"signature differs", Pair{nameSignature, "x"}, RuleBodyDiffers},
		{"body only", Pair{"oauth_token", ""}, RuleBodyOnly},
		{"repeats", Pair{nameVersion, "1.0"}, RuleBodyRepeated},
	} {
		r := v.request(t)
		r.Form = append(r.Form, c.extra)
		expectRule(t, c.what, accept(r, v.keys(t)), c.want)
	}
	r := v.request(t)
	r.URL += "?oauth_version=1.0"
	expectRule(t, "in the query", accept(r, v.keys(t)), RuleQueryOAuth)
}

const header = `OAuth oauth_consumer_key="c", oauth_nonce="n", oauth_signature="s",` +
	` oauth_signature_method="RSA-SHA256", oauth_timestamp="1", oauth_version="1.0"`

func TestParseAuthorizationReadsEveryWayToWriteIt(t *testing.T) {
	want := OAuth{ConsumerKey: "c", Nonce: "n", SignatureMethod: SignatureMethod, Signature: "s", Version: "1.0", Timestamp: 1}
	for what, text := range map[string]string{
		"as the documentation": header,
		"scheme in lower case": "oauth" + header[5:],
		"no spaces":            "OAuth " + strings.ReplaceAll(header[6:], " ", ""),
		"spaces everywhere":    " OAuth  " + strings.NewReplacer(",", " ,\t ", "=", " = ").Replace(header[6:]) + " ",
		"no quotes":            strings.ReplaceAll(header, `"`, ""),
		"empty elements":       strings.ReplaceAll(header, ",", ",,") + ",",
		"realm in any case":    header + `, Realm="a, \"b\"=100%"`,
		"empty realm":          header + `, realm=""`,
		"empty token":          header + `, oauth_token=""`,
		"needless encoding":    strings.Replace(header, `oauth_nonce="n"`, `%6fauth_nonce="%6E"`, 1),
	} {
		got, err := ParseAuthorization(text)
		got.Pairs = nil
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func TestPlusOfTheHeaderStaysPlus(t *testing.T) {
	o, err := ParseAuthorization(strings.Replace(header, `"s"`, `"a+/b=="`, 1))
	if err != nil || o.Signature != "a+/b==" {
		t.Errorf("%q, %v", o.Signature, err)
	}
}

func TestParseAuthorizationRefuses(t *testing.T) {
	set := func(name, value string) string {
		before, after, _ := strings.Cut(header, name+`="`)
		_, after, _ = strings.Cut(after, `"`)
		return before + name + `="` + value + `"` + after
	}
	for _, c := range []struct {
		text string
		want Rule
	}{
		{"", RuleAuthorization},
		{"  ", RuleAuthorization},
		{"Basic abc=", RuleScheme},
		{"OAuth2 " + header[6:], RuleScheme},
		{"Bearer", RuleScheme},
		{"OAuth", RuleMissing},
		{"OAuth oauth_nonce", RuleHeader},
		{`OAuth "oauth_nonce"="n"`, RuleHeader},
		{`OAuth oauth_nonce="n`, RuleHeader},
		{`OAuth oauth_nonce="n\"`, RuleHeader},
		{`OAuth oauth_nonce="n" oauth_version="1.0"`, RuleHeader},
		{`OAuth oauth_nonce=n oauth_version=1.0`, RuleHeader},
		{set(nameNonce, "%zz"), RuleHeader},
		{set(nameNonce, "%ff"), RuleHeader},
		{set(nameNonce, "%00"), RuleHeader},
		{set(nameNonce, "a%7F"), RuleHeader},
		{set(nameNonce, `a\b`), RuleHeader},
		{header + `, %zz="1"`, RuleHeader},
		{header + `, oauth_nonce="n"`, RuleRepeated},
		{header + `, oauth_token="", oauth_token=""`, RuleRepeated},
		{header + `, realm="", REALM=""`, RuleRepeated},
		{header + `, amount="10.42"`, RuleUnknown},
		{strings.Replace(header, nameNonce, "OAuth_Nonce", 1), RuleUnknown},
		{set(nameConsumerKey, ""), RuleMissing},
		{set(nameNonce, ""), RuleMissing},
		{set(nameTimestamp, ""), RuleMissing},
		{set(nameSignature, ""), RuleMissing},
		{set(nameSignatureMethod, ""), RuleMissing},
		{strings.Replace(header, ` oauth_nonce="n",`, "", 1), RuleMissing},
		{set(nameSignatureMethod, "RSA-SHA1"), RuleMethod},
		{set(nameSignatureMethod, "rsa-sha256"), RuleMethod},
		{set(nameVersion, ""), RuleVersion},
		{set(nameVersion, "1"), RuleVersion},
		{set(nameVersion, "2.0"), RuleVersion},
		{set(nameTimestamp, "0"), RuleTimestamp},
		{set(nameTimestamp, "-1"), RuleTimestamp},
		{set(nameTimestamp, "+1"), RuleTimestamp},
		{set(nameTimestamp, "01"), RuleTimestamp},
		{set(nameTimestamp, "1.5"), RuleTimestamp},
		{set(nameTimestamp, "1_000"), RuleTimestamp},
		{set(nameTimestamp, "1e3"), RuleTimestamp},
		{set(nameTimestamp, " 1"), RuleTimestamp},
		{set(nameTimestamp, "9223372036854775808"), RuleTimestamp}, // TestTimestampHas63Bits has the other side
	} {
		o, err := ParseAuthorization(c.text)
		expectRule(t, c.text, err, c.want)
		if o.Pairs != nil {
			t.Errorf("%s: something is returned with the error", c.text)
		}
	}
}

func TestTimestampHas63Bits(t *testing.T) {
	o, err := ParseAuthorization(strings.Replace(header, `timestamp="1"`, `timestamp="9223372036854775807"`, 1))
	if err != nil || o.Timestamp != math.MaxInt64 {
		t.Errorf("%d, %v", o.Timestamp, err)
	}
}

func TestParseAuthorizationLimitsTheParameters(t *testing.T) {
	text := header
	for i := range OAuthPairsMax - 6 {
		text += fmt.Sprintf(`,oauth_x%d=""`, i)
	}
	if o, err := ParseAuthorization(text); err != nil || len(o.Pairs) != OAuthPairsMax {
		t.Errorf("%d parameters: %v", OAuthPairsMax, err)
	}
	_, err := ParseAuthorization(text + `,oauth_y=""`)
	expectRule(t, "one more", err, RuleHeader)
}

// signed returns a request that is signed with testKey.
func signed(t testing.TB) Request {
	t.Helper()
	r := Request{Method: "POST", URL: "https://pay.example:8443/paynet/api/v4/payout/1?x=%20",
		Form: []Pair{{"amount", "10.42"}, {"order_desc", "Тест + 1"}, {"empty", ""}}}
	authorization, err := Sign(r, Credentials{"Test Merchant+é", "n/1", 1677831012}, testKey())
	if err != nil {
		t.Fatal(err)
	}
	r.Authorization = authorization
	return r
}

func TestSignedRequestVerifies(t *testing.T) {
	r := signed(t)
	if err := accept(r, []*rsa.PublicKey{&testKey().PublicKey}); err != nil {
		t.Error(err)
	}
	o, err := ParseAuthorization(r.Authorization)
	if err != nil || o.ConsumerKey != "Test Merchant+é" || o.Nonce != "n/1" || o.Timestamp != 1677831012 || o.Version != Version {
		t.Errorf("%+v, %v", o, err)
	}
	if again := signed(t); again.Authorization != r.Authorization {
		t.Error("signing twice gives two headers")
	}
}

func TestAnyOfTheKeysMayHaveSigned(t *testing.T) {
	r, mine := signed(t), &testKey().PublicKey
	other, long := readKey(t, "key2048.pub.spki"), readKey(t, "key4096.pub.spki")
	for what, keys := range map[string][]*rsa.PublicKey{
		"alone": {mine}, "first": {mine, other}, "last": {nil, publicOf(2047), long, other, mine},
	} {
		if err := accept(r, keys); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, c := range []struct {
		keys []*rsa.PublicKey
		want Rule
	}{
		{nil, RuleKey},
		{[]*rsa.PublicKey{nil, {}, publicOf(2047), publicOf(4097)}, RuleKey},
		{[]*rsa.PublicKey{long}, RuleSignatureLength},
		{[]*rsa.PublicKey{other}, RuleSignature},
		{[]*rsa.PublicKey{long, other}, RuleSignature},
		{[]*rsa.PublicKey{other, long}, RuleSignature},
	} {
		expectRule(t, fmt.Sprint(len(c.keys), " keys"), accept(r, c.keys), c.want)
	}
}

func TestVerifyChecksAnOAuthMadeByHand(t *testing.T) {
	r := signed(t)
	o, err := ParseAuthorization(r.Authorization)
	if err != nil {
		t.Fatal(err)
	}
	keys := []*rsa.PublicKey{&testKey().PublicKey}
	expectRule(t, "no pairs", Verify(r, OAuth{ConsumerKey: "c", Signature: o.Signature}, keys), RuleMissing)
	i := slices.IndexFunc(o.Pairs, func(p Pair) bool { return p.Name == nameSignatureMethod })
	o.Pairs[i].Value = "PLAINTEXT"
	expectRule(t, "other method", Verify(r, o, keys), RuleMethod)
}

func TestSignatureInLinesOfBase64Verifies(t *testing.T) {
	r := signed(t)
	o, _ := parseAuthorization(r.Authorization)
	r.Authorization = strings.Replace(r.Authorization, Encode(o.Signature),
		Encode(o.Signature[:60]+"\n"+o.Signature[60:]+"\n"), 1)
	if err := accept(r, []*rsa.PublicKey{&testKey().PublicKey}); err != nil {
		t.Error(err)
	}
}

func TestSignRefusesWhatVerifyWouldRefuse(t *testing.T) {
	good := Credentials{"c", "n", 1}
	request := Request{Method: "POST", URL: "https://h.example/"}
	for _, c := range []struct {
		what string
		r    Request
		c    Credentials
		key  *rsa.PrivateKey
		want Rule
	}{
		{"no key", request, good, nil, RuleKey},
		{"short key", request, good, &rsa.PrivateKey{PublicKey: *publicOf(2047)}, RuleKey},
		{"no consumer key", request, Credentials{"", "n", 1}, testKey(), RuleMissing},
		{"no nonce", request, Credentials{"c", "", 1}, testKey(), RuleMissing},
		{"no timestamp", request, Credentials{"c", "n", 0}, testKey(), RuleTimestamp},
		{"control character", request, Credentials{"c", "n\n", 1}, testKey(), RuleHeader},
		{"not UTF-8", request, Credentials{"\xff", "n", 1}, testKey(), RuleHeader},
		{"no URL", Request{Method: "POST"}, good, testKey(), RuleURL},
		{"oauth_ in the body", Request{Method: "POST", URL: "https://h.example/", Form: []Pair{{"oauth_token", ""}}},
			good, testKey(), RuleBodyOnly},
	} {
		_, err := Sign(c.r, c.c, c.key)
		expectRule(t, c.what, err, c.want)
	}
}

// aside is a signer that is not an rsa.PrivateKey.
type aside struct{ crypto.Signer }

func TestSignByNeedsNoPrivateKeyAtHand(t *testing.T) {
	request := Request{Method: "POST", URL: "https://h.example/"}
	want, err := Sign(request, Credentials{"c", "n", 1}, testKey())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := SignBy(request, Credentials{"c", "n", 1}, aside{testKey()}); err != nil || got != want {
		t.Errorf("SignBy gave %s, %v; Sign gave %s", got, err, want)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = SignBy(request, Credentials{"c", "n", 1}, other)
	expectRule(t, "not an RSA key", err, RuleKey)
}

func TestFailureNamesTheParameterAndNoValue(t *testing.T) {
	r := signed(t)
	r.Form = append(r.Form, Pair{"oauth_token", "4111"})
	err := accept(r, []*rsa.PublicKey{&testKey().PublicKey})
	if !strings.Contains(err.Error(), "oauth_token") || strings.Contains(err.Error(), "4111") {
		t.Error(err)
	}
	_, err = ParseAuthorization(`OAuth 4111`)
	if strings.Contains(err.Error(), "4111") {
		t.Error(err)
	}
}

func TestEveryRuleHasATextOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range Rules() {
		if row.Text == "" || seen[row.Text] || seen[string(row.Rule)] || row.Rule.Text() != row.Text {
			t.Errorf("%+v", row)
		}
		seen[row.Text], seen[string(row.Rule)] = true, true
	}
	if got := Rule("none").Text(); got != "" {
		t.Errorf("a rule that does not exist says %q", got)
	}
}

func FuzzParseAuthorization(f *testing.F) {
	for _, s := range []string{header, "OAuth", `oauth realm="\"",oauth_x=%20`, `OAuth oauth_a="%zz"`, `OAuth ,="`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, failure := parseAuthorization(s)
		_ = Explain(Request{Method: "POST", URL: "http://h/", Authorization: s}, nil) // must not panic
		if failure != nil {
			return
		}
		text := "OAuth "
		for _, p := range o.Pairs {
			if p.Name != nameRealm {
				text += Encode(p.Name) + `="` + Encode(p.Value) + `",`
			}
		}
		again, failure := parseAuthorization(text)
		if failure != nil {
			t.Fatalf("%q became %q: %v", s, text, failure)
		}
		o.Pairs = slices.DeleteFunc(o.Pairs, func(p Pair) bool { return p.Name == nameRealm })
		if !slices.Equal(o.Pairs, again.Pairs) || o.Timestamp != again.Timestamp || o.Version != again.Version {
			t.Fatalf("%q: %+v became %+v", s, o, again)
		}
	})
}

func benchmarkRequest(t testing.TB) (Request, OAuth) {
	v := readVectors(t, "oauth-accept.json")[0]
	o, err := ParseAuthorization(v.Authorization)
	if err != nil {
		t.Fatal(err)
	}
	return v.request(t), o
}

func BenchmarkVerify(b *testing.B) {
	vectors := readVectors(b, "oauth-accept.json")
	for _, name := range []string{"key2048", "key4096"} {
		v := vectors[slices.IndexFunc(vectors, func(v vector) bool { return v.Key == name })]
		r, keys := v.request(b), v.keys(b)
		o, err := ParseAuthorization(r.Authorization)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Verify(r, o, keys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAuthorization(b *testing.B) {
	r, _ := benchmarkRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseAuthorization(r.Authorization); err != nil {
			b.Fatal(err)
		}
	}
}
