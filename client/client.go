package client

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"payout/sign"
	"payout/spec"
)

const (
	jsonType    = "application/vnd.pay+json"
	replyMax    = 4 << 20 // bytes of a reply; the longest known ones hold a page of HTML
	httpTimeout = 30 * time.Second
)

// A Client calls a gateway as one Connecting Party. Many goroutines may use it at
// once; its fields are not changed after the first call.
type Client struct {
	BaseURL    string          // scheme, host and context path, such as http://127.0.0.1:8080/paynet
	Login      string          // the Connecting Party's
	Key        *rsa.PrivateKey // signs the commands of version 4
	ControlKey string          // keys the control sums of version 2, of callbacks and of redirects
	HTTP       *http.Client    // nil: one that gives up after 30 seconds. Redirects are never followed
	JSON       bool            // replies are asked for in JSON instead of form encoding; it changes nothing else

	// Replays says that the gateway answers a repeated client_orderid with the order
	// that the first request made, instead of making a second one. payoutd does, on
	// endpoints that were not added with --repeat allow. Then a request whose answer
	// was lost is sent again; otherwise that is never done. See the package's
	// documentation before setting it.
	Replays  bool
	Attempts int // the most times that one request is sent; 0: 3

	WaitMax time.Duration // the longest Wait and WaitFinal; 0: 5 minutes

	Now   func() time.Time                           // nil: the clock
	Nonce func() string                              // nil: 128 random bits
	Sleep func(context.Context, time.Duration) error // nil: sleeps, or ends with the context's error
}

// Format prints the client without its keys, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.name()) }

// LogValue is what a log may have of the client.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.name()) }

func (c Client) name() string { return "client.Client{" + c.BaseURL + " as " + c.Login + "}" }

// ParsePrivateKey reads an RSA key of 2048 to 4096 bits from PEM that is not
// encrypted, PKCS#8 or PKCS#1. The errors never quote the text.
func ParsePrivateKey(text []byte) (*rsa.PrivateKey, error) { return sign.ParsePrivateKey(text) }

// Do sends any command of the API, by its table. The form needs neither login nor
// control: they are added where the command has them, unless the form has them
// already. Parameters are sent in the order of the form, empty ones too.
//
// Every error but a *LostError says that the request was not carried out. A
// refusal of the gateway is an *Error.
func (c *Client) Do(ctx context.Context, command *spec.Command, to Terminal, form []sign.Pair) (Reply, error) {
	return c.send(ctx, describe(command), to, form)
}

// A command is what a client has to know of a row of the API's table.
type command struct {
	path   string // such as v4/payout
	auth   spec.Auth
	login  bool // the login is a parameter too
	repeat spec.Repeat
	sum    []spec.SumPart
}

func describe(c *spec.Command) command {
	described := command{path: c.Path(), auth: c.Auth, repeat: c.Repeat, sum: c.Sum}
	for _, u := range c.Params {
		described.login = described.login || u.Name == spec.Login.Name
	}
	return described
}

// once sends a request one time.
func (c *Client) once(ctx context.Context, cmd command, to Terminal, form []sign.Pair) (Reply, error) {
	request, err := c.request(ctx, cmd, to, form)
	if err != nil {
		return Reply{}, fmt.Errorf("client: %s: %w", cmd.path, err)
	}
	if err := ctx.Err(); err != nil {
		return Reply{}, &unsentError{cmd.path, err}
	}
	sent := new(atomic.Bool)
	request = request.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	}))
	caller := c.http()
	response, err := caller.Do(request)
	if err != nil {
		if !sent.Load() && neverLeft(caller, err) {
			return Reply{}, &unsentError{cmd.path, err}
		}
		return Reply{}, &LostError{Command: cmd.path, ClientOrderID: valueOf(form, spec.ClientOrderID.Name), Err: err}
	}
	defer response.Body.Close()
	body, err := readBody(response.Body)
	if err != nil {
		return Reply{}, &LostError{Command: cmd.path, ClientOrderID: valueOf(form, spec.ClientOrderID.Name), HTTPStatus: response.StatusCode,
			Err: fmt.Errorf("read the reply: %w", err)}
	}
	return c.judge(cmd, form, response, body)
}

// request builds the signed request; each call has a nonce and a timestamp of its own.
func (c *Client) request(ctx context.Context, cmd command, to Terminal, form []sign.Pair) (*http.Request, error) {
	address, err := c.address(cmd, to)
	if err != nil {
		return nil, err
	}
	form, err = c.authenticate(cmd, to, form)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(sign.EncodeForm(form)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "payout-client")
	if c.JSON {
		r.Header.Set("Accept", jsonType)
	}
	if cmd.auth != spec.OAuthRSA {
		return r, nil
	}
	if c.Key == nil {
		return nil, errors.New("the command is signed, and Client.Key is nil")
	}
	authorization, err := sign.Sign(sign.Request{Method: r.Method, URL: address, Form: form},
		sign.Credentials{ConsumerKey: c.Login, Nonce: c.nonce(), Timestamp: c.now().Unix()}, c.Key)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", authorization)
	return r, nil
}

// address is where a command is posted to.
func (c *Client) address(cmd command, to Terminal) (string, error) {
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return "", errors.New("Client.BaseURL must be scheme, host and context path, such as https://gate.example.com/paynet")
	}
	if to.id <= 0 {
		return "", errors.New("the terminal has no id: use Endpoint or Group")
	}
	return strings.TrimRight(c.BaseURL, "/") + "/api/" + cmd.path + "/" + to.String(), nil
}

// authenticate adds login and control where the command has them.
func (c *Client) authenticate(cmd command, to Terminal, form []sign.Pair) ([]sign.Pair, error) {
	form = append([]sign.Pair(nil), form...)
	if cmd.login && !has(form, spec.Login.Name) {
		form = append(form, sign.Pair{Name: spec.Login.Name, Value: c.Login})
	}
	if cmd.auth != spec.Control || has(form, spec.ControlSum.Name) {
		return form, nil
	}
	if c.ControlKey == "" {
		return nil, errors.New("the command has a control sum, and Client.ControlKey is empty")
	}
	sum := (&spec.Command{Sum: cmd.sum}).Control(strconv.FormatInt(to.id, 10), form, c.ControlKey)
	return append(form, sign.Pair{Name: spec.ControlSum.Name, Value: sum}), nil
}

// http returns the client that sends. It does not follow redirects: they would
// carry card data and control sums to another address, and break signatures.
func (c *Client) http() *http.Client {
	caller := http.Client{Timeout: httpTimeout}
	if c.HTTP != nil {
		caller = *c.HTTP
	}
	caller.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &caller
}

// readBody reads a body to its end. One that is longer than replyMax is an error.
func readBody(r io.Reader) ([]byte, error) {
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(r, replyMax+1))
	if err == nil && n > replyMax {
		err = fmt.Errorf("it is longer than %d MiB", replyMax>>20)
	}
	return body.Bytes(), err
}

func has(form []sign.Pair, name string) bool {
	for _, p := range form {
		if p.Name == name {
			return true
		}
	}
	return false
}

func valueOf(form []sign.Pair, name string) string {
	for _, p := range form {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
