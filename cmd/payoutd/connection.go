package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"payout"
	"payout/client"
	"payout/sign"
	"payout/spec"
)

// connection are the flags that say which gateway is called, and as whom. Their
// defaults are the sandbox that payoutd demo runs.
type connection struct {
	URL        string `default:"http://127.0.0.1:8080/paynet" env:"PAYOUTD_URL" help:"Scheme, host and context path of the gateway, without /api (default: ${default}; env $$${env})."`
	Login      string `default:"TestMerchant" env:"PAYOUTD_LOGIN" help:"Login of the Connecting Party (default: ${default}; env $$${env})."`
	PrivateKey string `default:"data/TestMerchant.key" env:"PAYOUTD_PRIVATE_KEY" placeholder:"FILE" help:"Private key that signs, PKCS#1 or PKCS#8 PEM (default: ${default}; env $$${env})."`
	merchantControl
	Endpoint int64 `default:"39915" env:"PAYOUTD_ENDPOINT" placeholder:"ID" help:"Endpoint that is called (default: ${default}; env $$${env})."`
	Group    int64 `env:"PAYOUTD_GROUP" placeholder:"ID" help:"Endpoint group that is called, instead of the endpoint (env $$${env})."`
}

// terminal is what is called.
func (c connection) terminal() client.Terminal {
	if c.Group != 0 {
		return client.Group(c.Group)
	}
	return client.Endpoint(c.Endpoint)
}

// client makes a client that has the key that a way to authenticate needs, and
// sends each request once.
func (c connection) client(auth spec.Auth) (*client.Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	caller := &client.Client{BaseURL: c.URL, Login: c.Login, Attempts: 1}
	if auth == spec.Control {
		key, err := c.readControlKey()
		caller.ControlKey = key.Reveal()
		return caller, err
	}
	var err error
	caller.Key, err = readPrivateKey(c.PrivateKey)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("--private-key %s does not exist: payoutd demo makes data/TestMerchant.key, payoutd keygen a key of your own", c.PrivateKey)
	}
	return caller, err
}

// unsent is the error of a request that never left, in the words of the command line.
func (c connection) unsent(err error) error {
	if _, network := errors.AsType[*url.Error](err); !network {
		return err
	}
	return fmt.Errorf("%s. Is --url right, and the gateway running? payoutd demo runs a sandbox", strings.TrimPrefix(err.Error(), "client: "))
}

// check finds what is wrong with the address. It does not quote the URL, in which
// somebody may have put a password.
func (c connection) check() error {
	base, err := url.Parse(c.URL)
	switch {
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return wrongUsage("--url must be an absolute http or https URL, such as https://gate.example.com/paynet")
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return wrongUsage("--url must have no user name, query or fragment")
	case strings.Contains(base.Path+"/", "/api/"):
		return wrongUsage("--url must end before /api: commands add /api/v4/payout and the like")
	case c.Endpoint < 1:
		return wrongUsage("--endpoint %d: the id of an endpoint is at least 1", c.Endpoint)
	case c.Group < 0:
		return wrongUsage("--group %d: the id of an endpoint group is at least 1", c.Group)
	}
	return nil
}

// merchantControl are the flags for the secret of an integrator's control sums.
type merchantControl struct {
	ControlKey     payout.Secret `env:"PAYOUTD_CONTROL_KEY" placeholder:"KEY" help:"Control key (merchant_control); better in the environment or a file, where the process list does not show it (env $$${env})."`
	ControlKeyFile string        `default:"data/TestMerchant.control" env:"PAYOUTD_CONTROL_KEY_FILE" placeholder:"FILE" help:"File with the control key, where it is not given itself; payoutd demo writes it (default: ${default}; env $$${env})."`
}

// readControlKey returns the control key. The errors never quote it.
func (m merchantControl) readControlKey() (payout.Secret, error) {
	if m.ControlKey != "" {
		return m.ControlKey, nil
	}
	text, err := os.ReadFile(m.ControlKeyFile)
	switch key := strings.TrimSpace(string(text)); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no control key: --control-key-file %s does not exist, and neither --control-key nor $PAYOUTD_CONTROL_KEY is given", m.ControlKeyFile)
	case err != nil:
		return "", fmt.Errorf("--control-key-file: %w", err)
	case key == "":
		return "", fmt.Errorf("--control-key-file %s is empty", m.ControlKeyFile)
	case strings.Contains(key, "-----BEGIN"):
		return "", fmt.Errorf("--control-key-file %s holds a PEM key; the control key is the merchant_control, a short text", m.ControlKeyFile)
	case strings.ContainsAny(key, "\r\n"):
		return "", fmt.Errorf("--control-key-file %s has more than one line", m.ControlKeyFile)
	default:
		return payout.Secret(key), nil
	}
}

// readFormFile reads a form from a file, or from standard input if it is "-".
func readFormFile(t terminal, file string) ([]sign.Pair, error) {
	if file == "-" {
		return readForm(t.in)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readForm(f)
}

// readForm reads a form.
func readForm(r io.Reader) ([]sign.Pair, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return sign.ParseForm(strings.TrimRight(string(text), "\r\n")) // editors end files with a newline; a form never ends with one
}
