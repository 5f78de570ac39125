package sign

import (
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
)

// A Source says where a parameter stood.
type Source string

// The sources of parameters.
const (
	SourceHeader Source = "header"
	SourceQuery  Source = "query"
	SourceBody   Source = "body"
)

// A Param is one received parameter as Explain shows it.
type Param struct {
	Pair
	Source  Source
	Encoded string // name=value, both encoded once: a part of NormalizedParams
	Signed  bool   // false for realm, oauth_signature and the body's copies of the header
}

// A Report shows every step of verifying one request (RFC 5849 3.4.1). It holds
// all values, account numbers among them: it is for the terminal of the person
// who has the request anyway, not for a log.
type Report struct {
	Failure          *Failure // the first broken rule; nil if the signature is good
	OAuth            OAuth    // what could be decoded of the header
	URL              string   // base string URI, not yet encoded; empty if there is none
	Params           []Param  // as received: header, query, body
	NormalizedParams string   // RFC 5849 3.4.1.3.2
	BaseString       string   // empty if there is no usable URL
	KeyFingerprint   string   // of the key that has signed; empty if none has
}

// Explain verifies r by r.Authorization and shows how. It does as much as it
// can when a rule is broken: the base string is there even if the signature is
// missing, so that a client's author can compare it with their own. Parameters
// behind a malformed place of the header, and a malformed query, are left out.
func Explain(r Request, keys []*rsa.PublicKey) Report {
	var report Report
	report.OAuth, report.Failure = parseAuthorization(r.Authorization)
	note := func(f *Failure) {
		if report.Failure == nil {
			report.Failure = f
		}
	}
	uri, uriErr := parseBaseURI(r)
	if f, ok := errors.AsType[*Failure](uriErr); ok {
		note(f)
	}
	list, failure, err := gather(nil, r.Form, uri.query, report.OAuth)
	if err != nil {
		note(&Failure{RuleURL, "query: " + err.Error()})
	}
	note(failure)
	slices.SortFunc(list, comparePairs)
	report.NormalizedParams = normalize(list)
	report.Params = params(list, r.Form, uri.query, report.OAuth)
	if uriErr != nil {
		return report
	}
	base := writeBaseString(r.Method, uri, list)
	report.URL, report.BaseString = uri.String(), string(base)
	if report.Failure != nil {
		return report
	}
	key, failure := verify(base, report.OAuth, keys)
	note(failure)
	report.KeyFingerprint = Fingerprint(key)
	return report
}

func normalize(list []Pair) string {
	encoded := make([]string, len(list))
	for i, p := range list {
		encoded[i] = Encode(p.Name) + "=" + Encode(p.Value)
	}
	return strings.Join(encoded, "&")
}

// params lists all parameters as received. One is signed if it is in signed,
// which loses it then, so that a copy signed once is marked once.
func params(signed, form []Pair, query string, o OAuth) []Param {
	queryPairs, _ := ParseForm(query) // gather has told of the error
	left := slices.Clone(signed)
	var all []Param
	add := func(source Source, pairs []Pair) {
		for _, p := range pairs {
			i := slices.Index(left, p)
			if source == SourceHeader && !signedInHeader(p.Name) {
				i = -1
			}
			if i >= 0 {
				left = slices.Delete(left, i, i+1)
			}
			all = append(all, Param{p, source, Encode(p.Name) + "=" + Encode(p.Value), i >= 0})
		}
	}
	add(SourceHeader, o.Pairs)
	add(SourceQuery, queryPairs)
	add(SourceBody, form)
	return all
}
