package main

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"payout/sign"
)

type oauthCmd struct {
	Sign   oauthSignCmd   `cmd:"" help:"Sign a request; prints its Authorization header."`
	Verify oauthVerifyCmd `cmd:"" help:"Verify a signed request; says which rule failed and shows the base string."`
}

// signed are the flags that describe a request.
type signed struct {
	Method string `default:"POST" help:"HTTP method (default: ${default})."`
	URL    string `required:"" help:"URL as the client calls it, query included."`
	Body   string `placeholder:"FILE" help:"Form-encoded body; - reads standard input."`
}

// request reads the described request.
func (s signed) request(t terminal) (sign.Request, error) {
	r := sign.Request{Method: s.Method, URL: s.URL}
	if s.Body == "" {
		return r, nil
	}
	var err error
	if r.Form, err = readFormFile(t, s.Body); err != nil {
		return r, fmt.Errorf("read body: %w", err)
	}
	return r, nil
}

type oauthSignCmd struct {
	signed
	Login      string `required:"" help:"Login: oauth_consumer_key."`
	PrivateKey string `required:"" placeholder:"FILE" help:"Private key, PKCS#1 or PKCS#8 PEM."`
	Nonce      string `help:"oauth_nonce (default: random)."`
	Timestamp  int64  `help:"oauth_timestamp in Unix seconds (default: now)."`
	BaseString bool   `help:"Print the signature base string too, on standard error."`
}

// Run signs.
func (c oauthSignCmd) Run(t terminal) error {
	r, err := c.request(t)
	if err != nil {
		return err
	}
	key, err := readPrivateKey(c.PrivateKey)
	if err != nil {
		return err
	}
	credentials := sign.Credentials{ConsumerKey: c.Login, Nonce: c.Nonce, Timestamp: c.Timestamp}
	if credentials.Nonce == "" {
		credentials.Nonce = rand.Text()
	}
	if credentials.Timestamp == 0 {
		credentials.Timestamp = time.Now().Unix()
	}
	header, err := sign.Sign(r, credentials, key)
	if err != nil {
		return err
	}
	if c.BaseString {
		r.Authorization = header
		fmt.Fprintln(t.err, sign.Explain(r, []*rsa.PublicKey{&key.PublicKey}).BaseString)
	}
	t.printf("%s\n", header)
	return nil
}

type oauthVerifyCmd struct {
	signed
	Authorization string   `required:"" help:"The Authorization header's value."`
	PublicKey     []string `required:"" placeholder:"FILE" help:"Public keys, SPKI or PKCS#1 PEM; any may have signed."`
}

// Run verifies. It prints the request's parameters, so its output is for the
// terminal of who owns them.
func (c oauthVerifyCmd) Run(t terminal) error {
	r, err := c.request(t)
	if err != nil {
		return err
	}
	r.Authorization = c.Authorization
	var keys []*rsa.PublicKey
	for _, file := range c.PublicKey {
		key, err := readPublicKey(file)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	report := sign.Explain(r, keys)
	t.printf("signed parameters\n")
	for _, p := range report.Params {
		mark := " "
		if p.Signed {
			mark = "*"
		}
		t.printf("  %s %-6s %s\n", mark, p.Source, p.Encoded)
	}
	t.printf("\nbase string\n  %s\n\n", report.BaseString)
	if ts := report.OAuth.Timestamp; ts != 0 {
		at := time.Unix(ts, 0).UTC()
		off := time.Since(at).Round(time.Second)
		t.printf("timestamp     %s, %s from now", at.Format(time.RFC3339), off)
		if off.Abs() > 5*time.Minute {
			t.printf("; a gateway refuses it when its window is the usual 5 minutes")
		}
		t.printf("\n")
	}
	if report.Failure != nil {
		t.printf("verdict       REFUSED\nrule          %s: %s\n", report.Failure.Rule, report.Failure.Rule.Text())
		if report.Failure.Detail != "" {
			t.printf("detail        %s\n", report.Failure.Detail)
		}
		return errQuiet
	}
	t.printf("verdict       VALID\nkey           %s\n", report.KeyFingerprint)
	return nil
}

type controlCmd struct {
	Status   controlStatusCmd   `cmd:"" help:"control of v2/status: login + client_orderid + orderid + key."`
	Callback controlCallbackCmd `cmd:"" help:"control of a callback: status + orderid + client_orderid + key."`
	Sum      controlSumCmd      `cmd:"" help:"SHA-1 of any parts and the key, put together in the given order."`
}

// controlKey is the flag for the secret of a control sum.
type controlKey struct {
	Key string `required:"" env:"PAYOUTD_CONTROL_KEY" placeholder:"KEY" help:"Control key (merchant_control); better in the environment, where the process list does not show it (env $$${env})."`
}

// print never shows the key. It has no errors; kong wants commands to return one.
func (k controlKey) print(t terminal, parts ...string) error {
	t.printf("string   %s + control key\ncontrol  %s\n", strings.Join(parts, ""), sign.Control(append(parts, k.Key)...))
	return nil
}

type controlStatusCmd struct {
	controlKey
	Login         string `required:"" help:"As in the request."`
	ClientOrderid string `required:"" help:"As in the request."`
	Orderid       string `help:"Left out when the request has none."`
}

// Run prints the sum.
func (c controlStatusCmd) Run(t terminal) error {
	return c.print(t, c.Login, c.ClientOrderid, c.Orderid)
}

type controlCallbackCmd struct {
	controlKey
	Status        string `required:"" help:"As in the callback."`
	Orderid       string `required:"" help:"As in the callback."`
	ClientOrderid string `required:"" help:"As in the callback."`
	Verify        string `placeholder:"CONTROL" help:"Compare with this control; exit 1 when it differs."`
}

// Run prints the sum, or verifies one.
func (c controlCallbackCmd) Run(t terminal) error {
	if err := c.print(t, c.Status, c.Orderid, c.ClientOrderid); err != nil {
		return err
	}
	if c.Verify != "" && !sign.EqualControl(c.Verify, sign.CallbackControl(c.Status, c.Orderid, c.ClientOrderid, c.Key)) {
		return errors.New("the control is WRONG")
	}
	return nil
}

type controlSumCmd struct {
	controlKey
	Part []string `arg:"" optional:"" help:"The values, in the command's order; amounts in minor units."`
}

// Run prints the sum.
func (c controlSumCmd) Run(t terminal) error { return c.print(t, c.Part...) }
