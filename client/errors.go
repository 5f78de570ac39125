package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"payout"
	"payout/sign"
	"payout/spec"
)

// ErrDenied says that the gateway did not believe who sends the request: HTTP 403.
// It does not say why. The text of the *Error that errors.Is finds it in says
// what to look at.
var ErrDenied = errors.New("access is denied")

// An Error is a refusal: the gateway answered, and did not carry the request out.
// errors.As finds it.
type Error struct {
	Command       string        // such as v4/payout
	Type          string        // validation-error or error; empty if something else than the API answered
	Code          int           // error-code; each install has its own, payoutd's are in its documentation
	Param         string        // the parameter that the message is about, if it is about one
	Message       string        // error-message
	HTTPStatus    int           // 200 for most refusals in form encoding
	Serial        string        // serial-number of the request, which the gateway's support asks for
	ClientOrderID string        // the order's, if the gateway repeated it
	RetryAfter    time.Duration // how long the gateway asks to wait; 0: it does not say
	Reply         Reply         // all that was answered
}

// Error names the command and the reason.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "client: %s refused: %s", e.Command, e.Message)
	if e.Type != "" {
		fmt.Fprintf(&b, " (%s %d", e.Type, e.Code)
		if e.Serial != "" {
			b.WriteString(", serial-number " + e.Serial)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// Is tells errors.Is that a refusal with HTTP 403 is ErrDenied.
func (e *Error) Is(target error) bool {
	return target == ErrDenied && e.HTTPStatus == http.StatusForbidden && e.Type == ""
}

// A LostError says that the gateway may have carried the request out, or may
// still do so: no answer came, or one that does not tell. It is no refusal. Ask
// for the status by the client_orderid; a new client_orderid could pay a second time.
type LostError struct {
	Command       string
	ClientOrderID string // of the request
	HTTPStatus    int    // 0: no answer
	Reply         Reply  // what could be read of the answer
	Attempts      int    // how often the request was sent
	Err           error
}

// Error names the command and what is known.
func (e *LostError) Error() string {
	order := ""
	if e.ClientOrderID != "" {
		order = " for " + e.ClientOrderID
	}
	return fmt.Sprintf("client: %s%s: it is not known whether the gateway carried the request out: %v", e.Command, order, e.Err)
}

// Unwrap returns what went wrong. It is never an *Error.
func (e *LostError) Unwrap() error { return e.Err }

// An unsentError says that the request surely did not reach the gateway.
type unsentError struct {
	command string
	err     error
}

func (e *unsentError) Error() string {
	return fmt.Sprintf("client: %s was not sent: %v", e.command, e.err)
}

func (e *unsentError) Unwrap() error { return e.err }

// passing reports whether an error is one that time may heal: what was not sent or
// not answered, but not a server that is the wrong one.
func passing(err error) bool {
	if _, wrong := errors.AsType[*tls.CertificateVerificationError](err); wrong {
		return false
	}
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal.HTTPStatus == http.StatusServiceUnavailable || refusal.HTTPStatus == http.StatusTooManyRequests
	}
	_, lost := errors.AsType[*LostError](err)
	_, unsent := errors.AsType[*unsentError](err)
	return lost || unsent
}

// neverLeft reports whether an error without a connection proves that nothing was
// sent. The standard transport tells of every connection that it uses; another
// one may have used some that it did not tell of, so there only what cannot
// come after a connection is a proof.
func neverLeft(caller *http.Client, err error) bool {
	if caller.Transport == nil {
		return true
	}
	if _, standard := caller.Transport.(*http.Transport); standard {
		return true
	}
	var (
		network     *net.OpError
		name        *net.DNSError
		certificate *tls.CertificateVerificationError
	)
	return errors.As(err, &network) && network.Op == "dial" || errors.As(err, &name) || errors.As(err, &certificate)
}

// judge says what an answer means.
func (c *Client) judge(cmd command, form []sign.Pair, response *http.Response, body []byte) (Reply, error) {
	status := response.StatusCode
	reply, err := parseReply(status, body)
	kind := reply.Get(spec.FieldType.Name)
	refused := kind == string(payout.KindError) || kind == string(payout.KindValidation)
	if status < 300 && err == nil && kind != "" && !refused {
		return reply, nil
	}
	refusal := c.refusal(cmd, response, reply)
	switch busy := status == http.StatusServiceUnavailable && kind == string(payout.KindError) && refusal.Code == int(payout.CodeBusy); {
	case busy, status >= 300 && status < 500:
		return Reply{}, refusal
	case status < 300 && refused && (cmd.repeat == spec.RepeatReads || reply.Get(spec.FieldPaynetOrder.Name) == ""):
		return Reply{}, refusal
	}
	lost := &LostError{Command: cmd.path, ClientOrderID: valueOf(form, spec.ClientOrderID.Name), HTTPStatus: status, Reply: reply}
	switch {
	case status >= 300:
		lost.Err = errors.New(refusal.Message)
	case refused:
		lost.Err = fmt.Errorf("refused, but with order %s: %s", reply.Get(spec.FieldPaynetOrder.Name), refusal.Message)
	case err == nil:
		lost.Err = errors.New("a reply without a type")
	default:
		lost.Err = err
	}
	return Reply{}, lost
}

// refusal makes the error of an answer that is no success.
func (c *Client) refusal(cmd command, response *http.Response, reply Reply) *Error {
	e := &Error{Command: cmd.path, Type: reply.Get(spec.FieldType.Name), Code: reply.Int(spec.FieldErrorCode.Name),
		Message: reply.Get(spec.FieldErrorMessage.Name), HTTPStatus: response.StatusCode, Serial: reply.Get(spec.FieldSerial.Name),
		ClientOrderID: reply.Get(spec.FieldMerchantOrder.Name), RetryAfter: c.retryAfter(response.Header), Reply: reply}
	e.Param = paramOf(e.Message)
	if e.Message != "" {
		return e
	}
	e.Message = "HTTP " + response.Status
	switch {
	case response.StatusCode == http.StatusForbidden:
		e.Message = c.denied(cmd, response.Header)
	case response.StatusCode >= 300 && response.StatusCode < 400:
		e.Message += "; Client.BaseURL must be the address that the gateway itself has, redirects are not followed"
	}
	return e
}

// denied says what to look at after a 403.
func (c *Client) denied(cmd command, header http.Header) string {
	text := ErrDenied.Error() + " (HTTP 403). The gateway does not say why. "
	if cmd.auth != spec.OAuthRSA {
		return text + "Is the caller's address allowed, and " + c.BaseURL + " the right install?"
	}
	text += "Is " + c.Login + " the login there, and enabled? Has the gateway the public key of Client.Key (fingerprint " +
		sign.Fingerprint(&c.Key.PublicKey) + ")? Is Client.BaseURL the gateway's own public address, whose scheme, host and port are signed?"
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		if skew := date.Sub(c.now()).Round(time.Second); skew.Abs() > clockTolerance {
			text += fmt.Sprintf(" The clocks differ: the gateway's is %v from ours.", skew)
		}
	}
	return text
}

// clockTolerance is the distance of clocks that is not worth a word. Gateways
// accept timestamps within minutes.
const clockTolerance = 30 * time.Second

// paramOf finds the name of the parameter in a message, by the table of messages.
// Other installs have the first of them too (wire-facts 1).
func paramOf(message string) string {
	const param, detail = "{param}", "{detail}"
	for _, row := range payout.ErrCodes() {
		before, after, found := strings.Cut(row.Text, param)
		if !found {
			continue
		}
		after, _, _ = strings.Cut(after, detail)
		rest, ok := strings.CutPrefix(message, before)
		if !ok {
			continue
		}
		name, _, found := strings.Cut(rest, after)
		if after == "" {
			name, found = rest, true
		}
		if found && name != "" && !strings.ContainsAny(name, " \t\n") {
			return name
		}
	}
	return ""
}
