package sign

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestEncodeMatchesTheVendorsTests(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"John Smith":                "John%20Smith",
		"a+b":                       "a%2Bb",
		"abcXYZ019-._~":             "abcXYZ019-._~",
		"é":                         "%C3%A9",
		"https://gateway.example/x": "https%3A%2F%2Fgateway.example%2Fx",
		"!*'()":                     "%21%2A%27%28%29",
		"\x00\xff":                  "%00%FF",
	} {
		if got := Encode(in); got != want {
			t.Errorf("Encode(%q) = %s, want %s", in, got, want)
		}
	}
}

// Vector A of api-facts 1.1.
func TestBaseStringMatchesTheVendorsTest(t *testing.T) {
	r := Request{Method: "POST", URL: "https://gateway.example/paynet/api/v4/sale/123",
		Form: []Pair{{"amount", "1.00"}, {"client_orderid", "hf-1"}}}
	expectBase(t, r, OAuth{Pairs: []Pair{{nameConsumerKey, "merchant"}}},
		"POST&https%3A%2F%2Fgateway.example%2Fpaynet%2Fapi%2Fv4%2Fsale%2F123&"+
			"amount%3D1.00%26client_orderid%3Dhf-1%26oauth_consumer_key%3Dmerchant")
}

// Vectors B and C of api-facts 1.1: the requests of two documentation pages.
// Their printed signature is not genuine and therefore not tested.
func TestBaseStringMatchesTheDocumentationExamples(t *testing.T) {
	o := OAuth{Pairs: []Pair{
		{nameConsumerKey, "TestMerchant"}, {nameNonce, "b5E31Tw6SVjauE29uOf2jOLnuUSXmVdE"},
		{nameSignatureMethod, SignatureMethod}, {nameTimestamp, "1677831012"}, {nameVersion, "1.0"}}}
	for _, c := range []struct{ url, body, want string }{
		{"https://sandbox.connpay.com/paynet/api/v4/payout/39915",
			"account_name=1234&account_number=1234&amount=10.42&client_orderid=1&currency=USD" +
				"&routing_number=15&server_callback_url=https%3A%2F%2Fhttpstat.us%2F200",
			"a7cd82dbca3358ff0b4b1a66eea6673bb4d9979ef3527ce9a075ca0c1188f010"},
		{"https://sandbox.payneteasy.com/paynet/api/v4/payout-pay/39915",
			"client_orderid=3&login=test-merchant&orderid=900258",
			"800fdde36cf48c075add207616ce24bad378ee7ef8da3d05bd2ef173cdde8365"},
	} {
		form, err := ParseForm(c.body)
		if err != nil {
			t.Fatal(err)
		}
		base, err := BaseString(Request{Method: "POST", URL: c.url, Form: form}, o)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256([]byte(base)); hex.EncodeToString(sum[:]) != c.want {
			t.Errorf("%s: SHA-256 %x of %s", c.url, sum, base)
		}
	}
}

func TestBaseStringMatchesTheExampleOfRFC5849(t *testing.T) {
	o, _ := parseAuthorization(`OAuth realm="Example", oauth_consumer_key="9djdj82h48djs9d2",` +
		` oauth_token="kkk9d7dh3k39sjv7", oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201",` +
		` oauth_nonce="7d8f3e4a", oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D"`)
	r := Request{Method: "POST", URL: "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b",
		Form: []Pair{{"c2", ""}, {"a3", "2 q"}}}
	expectBase(t, r, o, "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D"+
		"%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a"+
		"%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7")
}

func expectBase(t *testing.T, r Request, o OAuth, want string) {
	t.Helper()
	if got, err := BaseString(r, o); err != nil || got != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
}

func TestBaseURIIsWhatTheClientSees(t *testing.T) {
	for in, want := range map[string]string{
		"https://h.example/p":                "https://h.example/p",
		"HTTPS://H.Example/Path/%7e%2F?q#f":  "https://h.example/Path/%7e%2F",
		"https://h.example":                  "https://h.example/",
		"https://h.example?a=1":              "https://h.example/",
		"https://h.example#f":                "https://h.example/",
		"https://h.example//a/../b":          "https://h.example//a/../b",
		"https://h.example:443/":             "https://h.example/",
		"https://h.example:/":                "https://h.example/",
		"https://h.example:444/":             "https://h.example:444/",
		"https://h.example:80/":              "https://h.example:80/",
		"http://h.example:80/":               "http://h.example/",
		"http://h.example:443/":              "http://h.example:443/",
		"http://[::1]/":                      "http://[::1]/",
		"http://[2001:DB8::1]:80/":           "http://[2001:db8::1]/",
		"http://[::1]:8080/":                 "http://[::1]:8080/",
		"http://127.0.0.1:65535/":            "http://127.0.0.1:65535/",
		"https://h.example/cb?u=http://x#/y": "https://h.example/cb",
	} {
		u, err := parseBaseURI(Request{Method: "POST", URL: in})
		if err != nil || u.String() != want {
			t.Errorf("%s: %s, %v; want %s", in, u, err, want)
		}
	}
}

func TestBaseStringNeedsAMethodAndAnAbsoluteURL(t *testing.T) {
	for _, r := range []Request{
		{Method: "", URL: "https://h.example/"},
		{Method: "POST", URL: ""},
		{Method: "POST", URL: "/paynet/api/v4/payout/1"},
		{Method: "POST", URL: "ftp://h.example/"},
		{Method: "POST", URL: "https:///p"},
		{Method: "POST", URL: "https://:443/p"},
		{Method: "POST", URL: "https://user@h.example/"},
		{Method: "POST", URL: "https://h.example:8x/"},
		{Method: "POST", URL: "https://h.example:655350/"},
		{Method: "POST", URL: "https://h example/"},
	} {
		_, err := BaseString(r, OAuth{})
		expectRule(t, r.Method+" "+r.URL, err, RuleURL)
	}
	if _, err := BaseString(Request{Method: "GET", URL: "http://h/?a=%zz"}, OAuth{}); err == nil {
		t.Error("a query that cannot be decoded is accepted")
	}
}

func TestMethodIsSignedInUpperCase(t *testing.T) {
	expectBase(t, Request{Method: "post", URL: "http://h/"}, OAuth{}, "POST&http%3A%2F%2Fh%2F&")
}

func TestRealmOfTheBodyIsSignedAndOfTheHeaderIsNot(t *testing.T) {
	r := Request{Method: "POST", URL: "http://h/", Form: []Pair{{nameRealm, "body"}}}
	expectBase(t, r, OAuth{Pairs: []Pair{{nameRealm, "header"}}}, "POST&http%3A%2F%2Fh%2F&realm%3Dbody")
}

func TestBaseStringBufferNeverGrows(t *testing.T) {
	r, o := benchmarkRequest(t)
	buf, err := baseString(r, o)
	if err != nil || cap(buf) != len(buf)+len("%26") { // one separator less than pairs
		t.Errorf("%d bytes in a buffer of %d, %v", len(buf), cap(buf), err)
	}
}

// naiveBaseString is RFC 5849 3.4.1 word for word, to compare with.
func naiveBaseString(method, uri string, pairs []Pair) string {
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	var encoded [][2]string
	for _, p := range pairs {
		encoded = append(encoded, [2]string{escape(p.Name), escape(p.Value)})
	}
	slices.SortFunc(encoded, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var joined []string
	for _, p := range encoded {
		joined = append(joined, p[0]+"="+p[1])
	}
	return escape(strings.ToUpper(method)) + "&" + escape(uri) + "&" + escape(strings.Join(joined, "&"))
}

func FuzzBaseStringIsThatOfTheRFC(f *testing.F) {
	f.Add("a=1&a-=2&a=+&a~=%25", "b=2&a%20=1")
	f.Add("é=ü&z=%00&z=~&z=%7f", "")
	f.Fuzz(func(t *testing.T, body, query string) {
		form, err := ParseForm(body)
		if err != nil {
			return
		}
		queryPairs, err := ParseForm(query)
		if err != nil || strings.Contains(query, "#") {
			return
		}
		r := Request{Method: "POST", URL: "https://h.example:8443/P?" + query, Form: form}
		o := OAuth{Pairs: []Pair{{nameNonce, "n"}, {nameConsumerKey, "c d"}}}
		got, err := BaseString(r, o)
		if err != nil {
			return // oauth_ parameters of body or query
		}
		all := slices.Concat(queryPairs, form)
		all = slices.DeleteFunc(all, func(p Pair) bool { return strings.HasPrefix(p.Name, oauthPrefix) })
		all = append(all, o.Pairs...)
		if want := naiveBaseString("POST", "https://h.example:8443/P", all); got != want {
			t.Fatalf("got %s\nwant %s", got, want)
		}
	})
}

func BenchmarkBaseString(b *testing.B) {
	r, o := benchmarkRequest(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := baseString(r, o); err != nil {
			b.Fatal(err)
		}
	}
}
