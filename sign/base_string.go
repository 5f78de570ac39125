package sign

import (
	"cmp"
	"slices"
	"strings"
)

// A Request is what the client signed. The server builds it from its configured
// public URL, not from its own host and port, which a proxy may have changed
// (RFC 5849 3.4.1.2, wire-facts 2.10).
//
// The query's and the body's parameters are signed as one list. A parameter
// that is moved from one to the other leaves the signature good, so a handler
// that reads the body only has to refuse a query.
type Request struct {
	Method        string // as on the request line; signed in upper case
	URL           string // absolute, with the query as the client sent it
	Form          []Pair // decoded body
	Authorization string // the header's value; read by Explain alone
}

// BaseString returns the signature base string of RFC 5849 3.4.1: the method in
// upper case, the URL without query, and all parameters in order, each
// encoded. The parameters are those of the query, the body and o.Pairs but
// realm and oauth_signature. Values are used as decoded and encoded anew, so it
// does not matter how the client wrote them. o's other fields are not looked
// at. The error is a *Failure, or a *FormError if the query cannot be decoded.
func BaseString(r Request, o OAuth) (string, error) {
	buf, err := baseString(r, o)
	return string(buf), err
}

func baseString(r Request, o OAuth) ([]byte, error) {
	uri, err := parseBaseURI(r)
	if err != nil {
		return nil, err
	}
	var stack [64]Pair // a payout has about twenty parameters: the list stays off the heap
	list, failure, err := gather(stack[:0], r.Form, uri.query, o)
	if err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	return writeBaseString(r.Method, uri, list), nil
}

// writeBaseString sorts list and writes the base string into one buffer, counted
// beforehand so that it never grows.
func writeBaseString(method string, uri baseURI, list []Pair) []byte {
	slices.SortFunc(list, comparePairs)
	method = strings.ToUpper(method)
	size := encodedLen(method) + len("&") + uri.encodedLen() + len("&")
	for _, p := range list {
		size += twiceEncodedLen(p.Name) + twiceEncodedLen(p.Value) + len("%3D%26")
	}
	buf := make([]byte, 0, size)
	buf = appendEncoded(buf, method)
	buf = append(buf, '&')
	buf = uri.appendEncoded(buf)
	buf = append(buf, '&')
	for i, p := range list {
		if i > 0 {
			buf = append(buf, "%26"...)
		}
		buf = appendTwiceEncoded(buf, p.Name)
		buf = append(buf, "%3D"...)
		buf = appendTwiceEncoded(buf, p.Value)
	}
	return buf
}

// gather appends all parameters to sign to list (RFC 5849 3.4.1.3.1): o.Pairs
// but realm and oauth_signature, the query's and the body's. failure is the
// first broken rule; list is complete nevertheless, so that Explain can show
// it. err tells of a query that cannot be decoded.
//
// Departure from the RFC: oauth_ parameters that stand in the body as well as
// in the header with the same value are signed once (oauth-compat c01). The RFC
// would sign both, but it also wants one place per request (3.5), and the C#
// client of a white label and the family's HMAC documentation send them twice
// and sign them once. Nothing is lost by it: every oauth_ parameter of the
// body has to equal the header's, which is signed. One that differs, that the
// header has not, or that the body repeats is refused, since then it would be
// open which of them counts; so is any in the query, where no client puts it.
//
// No departure: other parameters repeated with equal values are each signed
// (oauth-compat c02 is refused). A server that keeps values in a set would sign
// them once, but no recording shows such a server. The RFC's sorting rule
// (3.4.1.3.2) counts both, and signing them once would let anybody repeat a
// parameter in flight. The API refuses repeated parameters anyway.
func gather(list, form []Pair, query string, o OAuth) (_ []Pair, failure *Failure, err error) {
	for _, p := range o.Pairs {
		if signedInHeader(p.Name) {
			list = append(list, p)
		}
	}
	queryPairs, err := ParseForm(query)
	for _, p := range queryPairs {
		if strings.HasPrefix(p.Name, oauthPrefix) && failure == nil {
			failure = &Failure{RuleQueryOAuth, printableName(p.Name)}
		}
		list = append(list, p)
	}
	var seen uint32 // bit i: o.Pairs[i] stands in the body too
	for _, p := range form {
		if !strings.HasPrefix(p.Name, oauthPrefix) {
			list = append(list, p)
			continue
		}
		i := slices.IndexFunc(o.Pairs, func(q Pair) bool { return q.Name == p.Name })
		rule := bodyRule(o.Pairs, i, p, seen)
		if i >= 0 {
			seen |= 1 << i
		}
		if rule == "" {
			continue
		}
		if failure == nil {
			failure = &Failure{rule, printableName(p.Name)}
		}
		if p.Name != nameSignature {
			list = append(list, p)
		}
	}
	return list, failure, err
}

// signedInHeader tells the header's parameters that are signed from the two
// that are not.
func signedInHeader(name string) bool { return name != nameRealm && name != nameSignature }

// bodyRule returns the rule that the body's oauth_ parameter p breaks, or "". i
// is the place of its name in the header's pairs, or -1.
func bodyRule(header []Pair, i int, p Pair, seen uint32) Rule {
	switch {
	case i < 0:
		return RuleBodyOnly
	case header[i].Value != p.Value:
		return RuleBodyDiffers
	case i >= OAuthPairsMax, seen&(1<<i) != 0:
		return RuleBodyRepeated
	}
	return ""
}

// comparePairs orders by encoded name, then by encoded value (RFC 5849
// 3.4.1.3.2).
func comparePairs(a, b Pair) int {
	if c := compareEncoded(a.Name, b.Name); c != 0 {
		return c
	}
	return compareEncoded(a.Value, b.Value)
}

// compareEncoded compares Encode(a) with Encode(b) without writing them. An
// encoded byte begins with "%", which is less than every unreserved byte, and
// two encoded bytes differ in their hex digits as they do themselves.
func compareEncoded(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(rank(a[i]), rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

func rank(c byte) int {
	if unreserved(c) {
		return 256 + int(c)
	}
	return int(c)
}

// A baseURI is a request's URL in the parts that RFC 5849 3.4.1.2 asks for.
// Scheme and host are in lower case, port is empty or ":" and a port that is
// not the scheme's own, path is as the client sent it and at least "/".
type baseURI struct{ scheme, host, port, path, query string }

func parseBaseURI(r Request) (baseURI, error) {
	if r.Method == "" {
		return baseURI{}, &Failure{RuleURL, "the method is empty"}
	}
	scheme, rest, found := strings.Cut(r.URL, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return baseURI{}, &Failure{RuleURL, "the scheme is not http or https"}
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, "/"
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		authority, path = rest[:slash], rest[slash:]
	}
	host, port := authority, ""
	if colon := strings.LastIndexByte(authority, ':'); colon > strings.LastIndexByte(authority, ']') {
		host, port = authority[:colon], authority[colon:]
	}
	if !isHost(host) || !isPort(port) {
		return baseURI{}, &Failure{RuleURL, "host or port"}
	}
	if port == ":" || scheme == "http" && port == ":80" || scheme == "https" && port == ":443" {
		port = ""
	}
	return baseURI{scheme, strings.ToLower(host), port, path, query}, nil
}

// isHost tells a name or an address, the IPv6 one in brackets, from what must
// not be in a Host header, a user name with "@" above all.
func isHost(s string) bool {
	for i := range len(s) {
		if !unreserved(s[i]) && s[i] != ':' && s[i] != '[' && s[i] != ']' {
			return false
		}
	}
	return s != ""
}

func isPort(s string) bool {
	return len(s) <= len(":65535") && strings.Trim(s, "0123456789") == s[:min(len(s), 1)]
}

// String returns the base string URI, not yet encoded.
func (u baseURI) String() string { return u.scheme + "://" + u.host + u.port + u.path }

func (u baseURI) encodedLen() int {
	return len(u.scheme) + len("%3A%2F%2F") + encodedLen(u.host) + encodedLen(u.port) + encodedLen(u.path)
}

func (u baseURI) appendEncoded(buf []byte) []byte {
	buf = append(buf, u.scheme...)
	buf = append(buf, "%3A%2F%2F"...)
	buf = appendEncoded(buf, u.host)
	buf = appendEncoded(buf, u.port)
	return appendEncoded(buf, u.path)
}

// Encode percent-encodes s as RFC 5849 3.6 wants it: letters, digits and
// "-._~" stay, every other byte of the UTF-8 text becomes "%" and two
// upper-case hex digits, the space too.
func Encode(s string) string {
	size := encodedLen(s)
	if size == len(s) {
		return s
	}
	return string(appendEncoded(make([]byte, 0, size), s))
}

const upperHex = "0123456789ABCDEF"

func unreserved(c byte) bool {
	return isLetter(c) || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func encodedLen(s string) int { return len(s) + 2*reserved(s) }

func twiceEncodedLen(s string) int { return len(s) + 4*reserved(s) }

// reserved counts the bytes of s that have to be encoded.
func reserved(s string) int {
	n := 0
	for i := range len(s) {
		if !unreserved(s[i]) {
			n++
		}
	}
	return n
}

func appendEncodedByte(buf []byte, c byte) []byte {
	if unreserved(c) {
		return append(buf, c)
	}
	return append(buf, '%', upperHex[c>>4], upperHex[c&15])
}

func appendEncoded(buf []byte, s string) []byte {
	for i := range len(s) {
		buf = appendEncodedByte(buf, s[i])
	}
	return buf
}

// appendTwiceEncoded writes Encode(Encode(s)): only the "%" of the first round
// is encoded in the second.
func appendTwiceEncoded(buf []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			buf = append(buf, c)
		} else {
			buf = append(buf, '%', '2', '5', upperHex[c>>4], upperHex[c&15])
		}
	}
	return buf
}
