// Package sign proves who sent a request and that nobody changed it on the way.
//
// Version 4 commands are signed with OAuth 1.0a (RFC 5849) and RSA-SHA256, a
// method the RFC does not know: RSASSA-PKCS1-v1_5 with SHA-256 over the
// signature base string. A server calls ParseAuthorization, finds the Connecting
// Party's keys by OAuth.ConsumerKey, and calls Verify; a client calls Sign.
// Explain shows every step to somebody whose signature is refused. Version 2
// commands and callbacks carry a SHA-1 control instead, see Control.
//
// The package is pure: time and randomness come from the caller, and so do the
// window of timestamps and the memory of nonces.
package sign

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SignatureMethod is the only oauth_signature_method accepted and sent.
const SignatureMethod = "RSA-SHA256"

// Version is the only oauth_version accepted and sent; it may be left out (RFC
// 5849 3.1).
const Version = "1.0"

// OAuthPairsMax is the most parameters an Authorization header may have. The
// protocol knows about ten.
const OAuthPairsMax = 32

// The parameters of the Authorization header (RFC 5849 3.1, 3.5.1).
const (
	oauthPrefix         = "oauth_"
	nameConsumerKey     = "oauth_consumer_key"
	nameNonce           = "oauth_nonce"
	nameSignature       = "oauth_signature"
	nameSignatureMethod = "oauth_signature_method"
	nameTimestamp       = "oauth_timestamp"
	nameVersion         = "oauth_version"
	nameRealm           = "realm"
)

// An OAuth is a decoded Authorization header. ParseAuthorization makes it.
type OAuth struct {
	ConsumerKey     string // the Connecting Party's login
	Nonce           string
	SignatureMethod string
	Signature       string // base64
	Version         string // empty if it was not sent
	Timestamp       int64  // Unix seconds
	Pairs           []Pair // all parameters as received, realm and oauth_signature too
}

// ParseAuthorization decodes an Authorization header of the scheme OAuth (RFC
// 5849 3.5.1) and checks everything that can be checked without the request:
// the scheme's name in any case; parameters in any order, with or without a
// space after the comma, none of them twice; consumer key, nonce, signature,
// method and timestamp present and not empty. Names and values are
// percent-decoded, not form-decoded: "+" stays "+". Quotes may be missing, as
// the reference's own verifier does not insist on them either.
//
// The RFC would sign any other parameter of the header. Here one that is
// neither oauth_* nor realm is refused: no client sends any, and a parameter
// moved there from the body would leave the signature good.
//
// The error is a *Failure.
func ParseAuthorization(header string) (OAuth, error) {
	o, failure := parseAuthorization(header)
	if failure != nil {
		return OAuth{}, failure
	}
	return o, nil
}

// DecodeAuthorization returns what can be read of an Authorization header, right or
// wrong: it proves nothing, and is for people who look why a request was refused.
func DecodeAuthorization(header string) OAuth {
	o, _ := parseAuthorization(header)
	return o
}

// parseAuthorization returns what it could decode even if a rule is broken.
func parseAuthorization(header string) (OAuth, *Failure) {
	pairs, failure := parsePairs(header)
	o := OAuth{Pairs: pairs}
	o.ConsumerKey, _ = o.value(nameConsumerKey)
	o.Nonce, _ = o.value(nameNonce)
	o.SignatureMethod, _ = o.value(nameSignatureMethod)
	o.Signature, _ = o.value(nameSignature)
	o.Version, _ = o.value(nameVersion)
	timestamp, _ := o.value(nameTimestamp)
	o.Timestamp = parseTimestamp(timestamp)
	if failure == nil {
		failure = o.check()
	}
	return o, failure
}

// value returns the first header parameter of that name.
func (o OAuth) value(name string) (value string, sent bool) {
	for _, p := range o.Pairs {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

var required = [...]string{nameConsumerKey, nameSignatureMethod, nameSignature, nameTimestamp, nameNonce}

// check looks at the values of the header's parameters, in the order of the
// table of rules.
func (o OAuth) check() *Failure {
	for _, name := range required {
		if value, _ := o.value(name); value == "" {
			return &Failure{RuleMissing, name}
		}
	}
	if method, _ := o.value(nameSignatureMethod); method != SignatureMethod {
		return &Failure{RuleMethod, printableName(method)}
	}
	if version, sent := o.value(nameVersion); sent && version != Version {
		return &Failure{RuleVersion, ""}
	}
	if timestamp, _ := o.value(nameTimestamp); parseTimestamp(timestamp) == 0 {
		return &Failure{RuleTimestamp, ""}
	}
	return nil
}

// parseTimestamp returns 0 for what is not a positive decimal integer (RFC 5849
// 3.3). Signs and leading zeros are refused: one moment, one text.
func parseTimestamp(s string) int64 {
	if s == "" || s[0] < '1' || s[0] > '9' {
		return 0
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return seconds
}

// parsePairs takes the header apart. It returns the pairs before the first
// broken one even if it fails.
func parsePairs(header string) ([]Pair, *Failure) {
	header = trimSpace(header)
	if header == "" {
		return nil, &Failure{RuleAuthorization, ""}
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "OAuth") {
		return nil, &Failure{RuleScheme, ""}
	}
	pairs := make([]Pair, 0, 10)
	for rest = trimSpace(rest); rest != ""; rest = trimSpace(rest) {
		if rest[0] == ',' { // RFC 9110 5.6.1: empty elements of a list are skipped
			rest = rest[1:]
			continue
		}
		var p Pair
		var failure *Failure
		p, rest, failure = parsePair(rest, len(pairs)+1)
		if failure != nil {
			return pairs, failure
		}
		for _, earlier := range pairs {
			if earlier.Name == p.Name {
				return pairs, &Failure{RuleRepeated, printableName(p.Name)}
			}
		}
		if len(pairs) == OAuthPairsMax {
			return pairs, &Failure{RuleHeader, "too many parameters"}
		}
		if p.Name != nameRealm && !strings.HasPrefix(p.Name, oauthPrefix) {
			return pairs, &Failure{RuleUnknown, printableName(p.Name)}
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// parsePair decodes the header parameter that s begins with, and returns what
// stands behind its comma. position is counted from 1.
func parsePair(s string, position int) (p Pair, rest string, failure *Failure) {
	malformed := func(problem string) (Pair, string, *Failure) {
		where := printableName(p.Name)
		if where == "" {
			where = fmt.Sprintf("number %d", position)
		}
		return Pair{}, "", &Failure{RuleHeader, "parameter " + where + ": " + problem}
	}
	rawName, after, found := strings.Cut(s, "=")
	if !found || strings.ContainsAny(rawName, `",`) {
		return malformed("no =")
	}
	name, problem := decodePercent(trimSpace(rawName))
	if problem != "" {
		return malformed(problem)
	}
	if strings.EqualFold(name, nameRealm) { // RFC 9110 11.2: names are compared without case
		name = nameRealm
	}
	p.Name = name
	raw, rest, problem := cutValue(trimSpace(after))
	if problem != "" {
		return malformed(problem)
	}
	if p.Name == nameRealm { // a plain quoted-string, not percent-encoded, never signed
		p.Value = raw
		return p, rest, nil
	}
	if p.Value, problem = decodePercent(raw); problem != "" {
		return malformed(problem)
	}
	if strings.IndexByte(raw, '\\') >= 0 {
		return malformed("a backslash")
	}
	// Lines of base64 are a habit of old libraries; base64 decoding skips "\n".
	if p.Name != nameSignature && hasControl(p.Value) {
		return malformed("a control character")
	}
	return p, rest, nil
}

// cutValue cuts a value, quoted or not, and the comma behind it from s.
func cutValue(s string) (raw, rest, problem string) {
	if s == "" || s[0] != '"' {
		raw, rest, _ = strings.Cut(s, ",")
		raw = trimSpace(raw)
		if strings.ContainsAny(raw, " \t\"") {
			return "", "", "no comma before the next parameter"
		}
		return raw, rest, ""
	}
	end := 1
	for end < len(s) && s[end] != '"' {
		if s[end] == '\\' {
			end++ // RFC 9110 5.6.4: a quoted-pair
		}
		end++
	}
	if end >= len(s) {
		return "", "", "no closing quote"
	}
	raw, rest = s[1:end], trimSpace(s[end+1:])
	if rest != "" && rest[0] != ',' {
		return "", "", "no comma before the next parameter"
	}
	return raw, strings.TrimPrefix(rest, ","), ""
}

// trimSpace cuts what RFC 9110 5.6.3 calls optional white space, and no more.
func trimSpace(s string) string { return strings.Trim(s, " \t") }

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Verify reports whether one of keys has signed r with the parameters of o (RFC
// 5849 3.2); more than one key lets a Connecting Party change its key. It reads
// o.Pairs, and checks them again, so that an OAuth made by hand gets no easier
// way. The error is a *Failure, or a *FormError if the query cannot be decoded.
// Whether the timestamp is near and the nonce new is for the caller to say.
func Verify(r Request, o OAuth, keys []*rsa.PublicKey) error {
	if failure := o.check(); failure != nil {
		return failure
	}
	base, err := baseString(r, o)
	if err != nil {
		return err
	}
	_, failure := verify(base, o, keys)
	return failure.orNil()
}

// verify returns the key that has signed base.
func verify(base []byte, o OAuth, keys []*rsa.PublicKey) (*rsa.PublicKey, *Failure) {
	text, _ := o.value(nameSignature)
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, &Failure{RuleBase64, ""}
	}
	failure := &Failure{RuleKey, ""}
	sum := sha256.Sum256(base)
	for _, key := range keys {
		if checkPublicKey(key) != nil {
			continue
		}
		if key.Size() != len(signature) {
			if failure.Rule == RuleKey {
				detail := fmt.Sprintf("it has %d bytes, the key wants %d", len(signature), key.Size())
				failure = &Failure{RuleSignatureLength, detail}
			}
			continue
		}
		if verifyRSA(key, sum, signature) == nil {
			return key, nil
		}
		failure = &Failure{RuleSignature, ""}
	}
	return nil, failure
}

// Credentials are what a client adds to a request to sign it. Each nonce is
// used once; the caller draws it at random and looks at the clock.
type Credentials struct {
	ConsumerKey string // the Connecting Party's login
	Nonce       string
	Timestamp   int64 // Unix seconds
}

// Sign returns the value of the Authorization header for r (RFC 5849 3.4, 3.5.1).
// The same arguments always give the same header. r.Form is what will be the
// body, r.URL what the server's clients call it. The error is a *Failure if a
// rule would be broken, or a *FormError if the query cannot be decoded.
func Sign(r Request, c Credentials, key *rsa.PrivateKey) (authorization string, err error) {
	if key == nil {
		return "", &Failure{RuleKey, ""}
	}
	return SignBy(r, c, key)
}

// SignBy is Sign for an RSA key that is not at hand, such as one in a hardware
// security module: the signer is given a SHA-256 sum and makes its signature by
// RSASSA-PKCS1-v1_5.
func SignBy(r Request, c Credentials, signer crypto.Signer) (authorization string, err error) {
	if public, ok := signer.Public().(*rsa.PublicKey); !ok || checkPublicKey(public) != nil {
		return "", &Failure{RuleKey, ""}
	}
	o := OAuth{Pairs: []Pair{
		{nameConsumerKey, c.ConsumerKey},
		{nameNonce, c.Nonce},
		{nameSignature, "to be made"},
		{nameSignatureMethod, SignatureMethod},
		{nameTimestamp, strconv.FormatInt(c.Timestamp, 10)},
		{nameVersion, Version},
	}}
	if failure := o.check(); failure != nil {
		return "", failure
	}
	for _, p := range o.Pairs {
		if hasControl(p.Value) || !utf8.ValidString(p.Value) {
			return "", &Failure{RuleHeader, "parameter " + p.Name + ": a control character or not UTF-8"}
		}
	}
	base, err := baseString(r, o)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(base)
	signature, err := signer.Sign(nil, sum[:], crypto.SHA256) // this padding needs no randomness
	if err != nil {
		return "", fmt.Errorf("sign base string: %w", err)
	}
	var header strings.Builder
	for i, p := range o.Pairs {
		if p.Name == nameSignature {
			p.Value = base64.StdEncoding.EncodeToString(signature)
		}
		separator := ", "
		if i == 0 {
			separator = "OAuth "
		}
		header.WriteString(separator + p.Name + `="` + Encode(p.Value) + `"`)
	}
	return header.String(), nil
}
