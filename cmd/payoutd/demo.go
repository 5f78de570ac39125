package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"payout/gateway"
	"payout/server"
	"payout/sign"
	"payout/storage"
	"payout/vault"
)

type demoCmd struct {
	Tour   string `arg:"" optional:"" enum:"payout,cards,form,all" default:"all" help:"What to show: payout, cards (deposit to card in three steps), form (the Receiver's pages) or all (default: ${default})."`
	Dir    string `default:"data" placeholder:"FOLDER" help:"Where the sandbox keeps its files (default: ${default})."`
	Listen string `default:"127.0.0.1:8080" env:"PAYOUTD_LISTEN" help:"Address of the API; port 0 picks a free one (default: ${default}; env $$${env})."`
	Once   bool   `help:"Exit after the tour: 0 only if its orders were approved and their callbacks verified."`
}

// Run runs the demo.
func (c demoCmd) Run(ctx context.Context, t terminal) error {
	d := &demo{demoCmd: c, t: t, store: c.stored(),
		callbacks: make(chan url.Values, 16)}
	if err := d.setUp(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served, err := d.serve(ctx)
	if err != nil {
		return err
	}
	err = d.tour(ctx)
	if err == nil && !c.Once {
		err = d.forms(ctx)
	}
	if err == nil && !c.Once {
		d.hints()
		select {
		case err = <-served:
			return err
		case <-ctx.Done():
		}
	}
	stop()
	return errors.Join(err, <-served)
}

// stored is the sandbox's database and its key.
func (c demoCmd) stored() stored {
	return stored{Database: filepath.Join(c.Dir, "payoutd.db"), KeyFile: filepath.Join(c.Dir, "master.key")}
}

// A demo is one run of the sandbox.
type demo struct {
	demoCmd
	t         terminal
	store     stored
	key       *rsa.PrivateKey
	control   string
	base      string // of the API, such as http://127.0.0.1:8080/paynet
	receiver  string // URL of the callback receiver
	site      string // URL of the merchant's page that the Receiver returns to
	callbacks chan url.Values
	chapters  int // printed so far
}

func (d *demo) keyFile() string { return filepath.Join(d.Dir, gateway.SandboxLogin) }

func (d *demo) logFile() string { return filepath.Join(d.Dir, "payoutd.log") }

// setUp makes the sandbox's merchant, its keys and endpoints, unless an earlier
// run has done so.
func (d *demo) setUp(ctx context.Context) (err error) {
	if d.key, err = keyMadeWhenMissing(d.keyFile() + ".key"); err != nil {
		return err
	}
	return d.store.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		party, err := gateway.SetUpSandbox(ctx, db, time.Now(), &d.key.PublicKey)
		if err != nil {
			return err
		}
		d.control = party.ControlKey.Reveal()
		// For the commands that an integrator runs beside the demo.
		return os.WriteFile(d.keyFile()+".control", []byte(d.control+"\n"), 0o600)
	})
}

// serve starts the gateway and the callback receiver. The channel tells how
// the gateway ended.
func (d *demo) serve(ctx context.Context) (<-chan error, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for callbacks: %w", err)
	}
	d.receiver = "http://" + listener.Addr().String() + "/callback"
	d.site = "http://" + listener.Addr().String() + "/done"
	merchant := http.NewServeMux()
	merchant.HandleFunc("/callback", d.receive)
	merchant.HandleFunc("POST /done", d.done)
	receiver := &http.Server{Handler: merchant, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = receiver.Serve(listener) }() // ends with Close
	context.AfterFunc(ctx, func() { _ = receiver.Close() })

	logFile, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	served, ready := make(chan error, 1), make(chan server.Addresses, 1)
	go func() {
		err := server.Run(ctx, server.Config{Version: version, Listen: d.Listen, Database: d.store.Database, KeyFile: d.store.KeyFile,
			SimulatorBook: filepath.Join(d.Dir, "simulator.db"), Sandbox: true, SandboxKey: d.key},
			slog.New(slog.NewJSONHandler(logFile, nil)), func(a server.Addresses) { ready <- a })
		served <- errors.Join(err, logFile.Close())
	}()
	select {
	case err := <-served:
		return nil, err
	case a := <-ready:
		d.base = "http://" + a.API + "/paynet"
		return served, nil
	}
}

// receive is the merchant's side of the callback.
func (d *demo) receive(w http.ResponseWriter, r *http.Request) {
	select {
	case d.callbacks <- r.URL.Query():
	default: // nobody waits: callbacks of the user's own orders
	}
	fmt.Fprintln(w, "OK")
}

// post sends a form, signed if wanted, and prints the exchange.
func (d *demo) post(ctx context.Context, path string, form []sign.Pair, oauth bool) (url.Values, error) {
	body := sign.EncodeForm(form)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	d.t.printf("> POST %s\n", path)
	if oauth {
		header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: d.base + path, Form: form},
			sign.Credentials{ConsumerKey: gateway.SandboxLogin, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, d.key)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", header)
		d.t.printf("> Authorization: %s…\n", header[:72])
	}
	for _, pair := range strings.Split(body, "&") {
		d.t.printf(">   %s\n", pair)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	d.t.printf("< HTTP %s\n", response.Status)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		d.t.printf("<   %s\n", line)
	}
	d.t.printf("\n")
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered HTTP %s", path, response.Status)
	}
	return url.ParseQuery(strings.ReplaceAll(string(text), "\n", ""))
}

// hints prints what to try next.
func (d *demo) hints() {
	program, err := os.Executable()
	if err != nil {
		program = "payoutd"
	}
	d.t.printf("\n── The sandbox keeps serving (stop it with Ctrl-C). Its documentation, with a request builder to send from:\n\n  %s/docs/\n",
		strings.TrimSuffix(d.base, "/paynet"))
	d.t.printf("\n── The same from another terminal:\n\n%s", d.environment())
	d.t.printf(`  # a payout of your own, and what happens to it; --example fills in what you do not give
  %[1]s send payout --example --field amount=25.00 --field currency=EUR --wait
  # receive its callback: --field server_callback_url=...
  %[1]s listen
  # test accounts that decline, are slow or give no answer; all orders; the whole history of one
  %[1]s scenarios
  %[1]s order list
  %[1]s order show ID
  # a token for the integration panel: why a request was denied, callbacks to send again
  %[1]s party token %[2]s --public-url %[3]s
`, program, gateway.SandboxLogin, strings.TrimSuffix(d.base, "/paynet"))
}

// environment is what makes the sandbox the default of the other commands, where
// it is not: lines for a shell.
func (d *demo) environment() string {
	model, err := kong.New(new(cli))
	if err != nil {
		return ""
	}
	here := map[string]string{"url": d.base, "private-key": d.keyFile() + ".key", "control-key-file": d.keyFile() + ".control",
		"database": d.store.Database, "key-file": d.store.KeyFile}
	var lines strings.Builder
	for _, node := range model.Model.Leaves(true) {
		for _, flag := range node.Flags {
			if want, ok := here[flag.Name]; ok && flag.Default != want && len(flag.Tag.Envs) > 0 {
				fmt.Fprintf(&lines, "  export %s=%s\n", flag.Tag.Envs[0], quoted(want))
				delete(here, flag.Name)
			}
		}
	}
	return lines.String()
}
