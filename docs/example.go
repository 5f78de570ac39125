package docs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"payout/sign"
	"payout/spec"
)

// An example is one request as it goes over the wire.
type example struct {
	Command       *spec.Command
	URL           string
	Form          []sign.Pair
	Authorization string // empty: the command has none, or this one is not signed
	Nonce         string
	Timestamp     int64
	Sum           []sumPart // of a control command: what the sum is made of, the control key last
	Control       string    // the sum
	Unsigned      bool      // too many were signed lately
	Accepted      bool      // this gateway takes it, within the window of timestamps
	MadeUp        bool      // it is signed for this gateway, but names an order that is not there
}

// A sumPart is one value of a control sum.
type sumPart struct {
	Name   string
	Value  string
	Secret bool // the value is known to nobody but the parties
}

// Names in a control sum that are no parameters.
const controlKeyName = "control key"

// controlKeyWord stands for a control key that is not shown.
const controlKeyWord = "CONTROL-KEY"

// exampleOf makes an example of a command for the caller of a page, signed now.
func (h *Handler) exampleOf(v *visit, c *spec.Command) (example, error) {
	v.fresh = true
	signs := v.signs && h.site.signing.AllowN(h.Now(), 1)
	e := example{Command: c, URL: v.install.URL(c), Form: c.Example(), Unsigned: !signs, Nonce: h.Nonce(), Timestamp: h.Now().Unix()}
	e.set(spec.ClientOrderID.Name, orderName(e.Nonce))
	e.set(spec.Login.Name, v.install.Login)
	prepared := c.After == nil
	if h.Prepare != nil && signs {
		values, err := h.Prepare(v.r.Context(), c)
		if err != nil { // the page has the tables' samples then
			h.Log.Error("example cannot be prepared", "command", c.Path(), "error", err)
		}
		for _, pair := range values {
			e.set(pair.Name, pair.Value)
		}
		prepared = prepared || len(values) > 0
	}
	e.Accepted, e.MadeUp = v.install.Sandbox && signs && prepared, v.install.Sandbox && signs && !prepared
	if c.Auth == spec.Control {
		e.seal(v.install)
		return e, nil
	}
	if !signs {
		return e, nil
	}
	key := stranger()
	if h.Example != nil {
		key = h.Example.Key
	}
	return e, e.sign(v.install.Login, key)
}

// orderName makes a client_orderid out of a nonce, so that each example is an
// order of its own.
func orderName(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return strings.ToUpper(hex.EncodeToString(sum[:4]))
}

// set gives a parameter of the example its value.
func (e *example) set(name, value string) {
	for i := range e.Form {
		if e.Form[i].Name == name {
			e.Form[i].Value = value
		}
	}
}

// sign signs the example.
func (e *example) sign(login string, key *rsa.PrivateKey) error {
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: e.URL, Form: e.Form},
		sign.Credentials{ConsumerKey: login, Nonce: e.Nonce, Timestamp: e.Timestamp}, key)
	e.Authorization = header
	return err
}

// seal adds the control sum. Without a sandbox there is no key to show: the word
// in its place makes a sum that everybody can follow and no gateway takes.
func (e *example) seal(i install) {
	key := controlKeyWord
	if i.ControlKey.Reveal() != "" {
		key = i.ControlKey.Reveal()
	}
	for n, value := range e.Command.SumParts(i.Endpoint, e.Form) {
		e.Sum = append(e.Sum, sumPart{Name: string(e.Command.Sum[n]), Value: value})
	}
	e.Sum = append(e.Sum, sumPart{Name: controlKeyName, Value: key, Secret: true})
	e.Control = e.Command.Control(i.Endpoint, e.Form, key)
	e.Form = append(e.Form, sign.Pair{Name: spec.ControlSum.Name, Value: e.Control})
}

// stranger is a key that no gateway knows: examples of an install that is no
// sandbox have the right shape and are refused.
var stranger = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(fmt.Sprintf("docs: make a key: %v", err)) // only without a source of randomness
	}
	return key
})

// Body is the request's body.
func (e example) Body() string { return sign.EncodeForm(e.Form) }

// SumText is what the control sum is taken of.
func (e example) SumText() string {
	var b strings.Builder
	for _, part := range e.Sum {
		b.WriteString(part.Value)
	}
	return b.String()
}

// Raw is the request as bytes on the wire, but for the ends of its lines.
func (e example) Raw() string {
	u, err := url.Parse(e.URL)
	if err != nil {
		return ""
	}
	body := e.Body()
	var b strings.Builder
	fmt.Fprintf(&b, "POST %s HTTP/1.1\nHost: %s\n", u.EscapedPath(), u.Host)
	if e.Command.Auth == spec.OAuthRSA {
		b.WriteString("Authorization: " + e.authorization() + "\n")
	}
	b.WriteString("Content-Type: application/x-www-form-urlencoded\nContent-Length: " + strconv.Itoa(len(body)) + "\n\n" + body)
	return b.String()
}

// authorization is the header's value, with a word in the signature's place when
// the example is not signed.
func (e example) authorization() string {
	if e.Authorization != "" {
		return e.Authorization
	}
	return fmt.Sprintf(`OAuth oauth_consumer_key="…", oauth_nonce=%q, oauth_signature="…", oauth_signature_method=%q, oauth_timestamp="%d", oauth_version=%q`,
		e.Nonce, sign.SignatureMethod, e.Timestamp, sign.Version)
}

// Curl is the request as a command line.
func (e example) Curl() string {
	var b strings.Builder
	b.WriteString("curl -sS " + shellQuoted(e.URL))
	if e.Command.Auth == spec.OAuthRSA {
		b.WriteString(" \\\n  -H " + shellQuoted("Authorization: "+e.authorization()))
	}
	for _, pair := range e.Form {
		b.WriteString(" \\\n  --data-urlencode " + shellQuoted(pair.Name+"="+pair.Value))
	}
	return b.String()
}

// shellQuoted quotes a word for the shells of POSIX.
func shellQuoted(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
