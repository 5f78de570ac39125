package docs

import (
	"fmt"
	"net/http"
	"strings"

	"payout/sign"
	"payout/spec"
)

// What the worked example is signed with: fixed, so that a reader's own code can
// be compared with it.
const (
	workedNonce     = "b5E31Tw6SVjauE29uOf2jOLnuUSXmVdE"
	workedTimestamp = 1700000000
)

// fixedExample is an example that never changes, with the tables' samples.
func fixedExample(i install, c *spec.Command) example {
	e := example{Command: c, URL: i.URL(c), Form: c.Example(), Nonce: workedNonce, Timestamp: workedTimestamp}
	e.set(spec.Login.Name, i.Login)
	if c.Auth == spec.Control {
		e.seal(i)
	}
	return e
}

// A worked example shows the steps of signing a request.
type worked struct {
	example
	Pairs      []string // name=value, encoded once, in the order of signing
	Normalized string
	Method     string
	EncodedURL string
	Encoded    string // Normalized, encoded again
	BaseString string
}

// workedOf goes the steps for the fixed example of a command.
func workedOf(i install, c *spec.Command) worked {
	w := worked{example: fixedExample(i, c), Method: http.MethodPost}
	if c.Auth == spec.Control {
		return w
	}
	header := fmt.Sprintf(`OAuth oauth_consumer_key="%s", oauth_nonce="%s", oauth_signature_method="%s", oauth_timestamp="%d", oauth_version="%s"`,
		sign.Encode(i.Login), w.Nonce, sign.SignatureMethod, w.Timestamp, sign.Version)
	report := sign.Explain(sign.Request{Method: w.Method, URL: w.URL, Form: w.Form, Authorization: header}, nil)
	w.Normalized, w.BaseString = report.NormalizedParams, report.BaseString
	w.Pairs = strings.Split(w.Normalized, "&")
	w.EncodedURL, w.Encoded = sign.Encode(report.URL), sign.Encode(w.Normalized)
	return w
}
