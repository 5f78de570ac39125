package server

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"payout"
	"payout/gateway"
)

// Config is what the operator sets before the start. What changes while the
// gateway runs (parties, endpoints, gates) is data in the database. The zero
// value runs a gateway on SQLite in ./data.
type Config struct {
	Listen        string        // address of the API; default 127.0.0.1:8080
	MetricsListen string        // address of /metrics; empty: no metrics
	Database      string        // SQLite file or postgres:// URL; default data/payoutd.db
	KeyFile       string        // master key file, made when missing; default data/master.key
	KeyCommand    string        // prints the master key, instead of the file
	MasterKey     payout.Secret // the master key itself, instead of the file
	SimulatorBook string        // SQLite file of the simulator rail; default data/simulator.db
	PublicURL     string        // scheme and host that clients sign, such as https://gate.example.com; default: from the request
	ContextPath   string        // path before /api/; default /paynet
	TLSCert       string        // PEM files; empty: no TLS
	TLSKey        string
	Sandbox       bool // callbacks may go to loopback addresses and any port
	// SandboxKey makes the gateway a sandbox for integrators: the merchant
	// gateway.SandboxLogin signs by it, the documentation's examples are signed by it
	// too, and who has a key may sign up as a merchant. Nil: none of it.
	SandboxKey      *rsa.PrivateKey
	Zone            string        // time zone of dates in replies, such as Europe/Moscow; default UTC
	Window          time.Duration // greatest distance of an oauth_timestamp; default 5 minutes, negative: not checked
	RailTimeout     time.Duration // longest call to a rail, at most 10 minutes; default 60 s
	CallbackTimeout time.Duration // longest delivery of one callback; default 30 s
	ConfirmWithin   time.Duration // life of a payout-check without payout-pay; default 24 h
	FormWithin      time.Duration // life of a payout form that nobody sends; default 30 min
	UnknownAfter    time.Duration // an order without an answer ends its wait page after this, as unknown; default 1 min
	Templates       string        // folder with the operator's own form.html, wait.html, finish.html; empty: ours
	BankFile        string        // CSV file of the SBP banks (number, name); empty: a small sample
	AddressHeader   string        // header in which a proxy tells a browser's address, such as X-Forwarded-For; empty: none
	FrameAncestors  []string      // origins that may show the pages in a frame; empty: none
	NoDocs          bool          // the documentation at /docs/ is not served
	NoPanel         bool          // the integration panel at /panel/ is not served, and no journal kept for it
	ReloadEvery     time.Duration // how often a changed set-up or master key is looked for; default 2 s
	Drain           time.Duration // how long /readyz says "stopping" before the doors close; default 0
	Grace           time.Duration // longest wait for work under way at the stop; default 30 s
	QueueWait       time.Duration // longest wait of a request for its commit to begin; default 5 s
	RequestsAtOnce  int           // of the API that are answered at once, more are told 503; default 8192
	OTLPEndpoint    string        // base URL of an OpenTelemetry collector, by OTLP over HTTP; empty: no traces
	Pprof           bool          // Go's profiles at /debug/pprof/ on MetricsListen
	Version         string        // of the program, for payoutd_build_info and the documentation; default development
}

// withDefaults fills in what was left out and checks the rest.
func (c Config) withDefaults() (Config, error) {
	def := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	def(&c.Listen, "127.0.0.1:8080")
	def(&c.Database, "data/payoutd.db")
	def(&c.KeyFile, "data/master.key")
	def(&c.SimulatorBook, "data/simulator.db")
	def(&c.ContextPath, "/paynet")
	def(&c.Zone, "UTC")
	for field, value := range map[*time.Duration]time.Duration{&c.Window: 5 * time.Minute, &c.Grace: 30 * time.Second, &c.QueueWait: 5 * time.Second} {
		if *field == 0 {
			*field = value
		}
	}
	if c.RequestsAtOnce == 0 {
		c.RequestsAtOnce = 8192
	}
	c.Window = max(c.Window, 0) // 0 from here on: not checked
	if min(c.RailTimeout, c.CallbackTimeout, c.ConfirmWithin, c.FormWithin, c.UnknownAfter, c.ReloadEvery, c.Drain, c.Grace, c.QueueWait) < 0 {
		return c, errors.New("timeouts must not be negative")
	}
	if c.RailTimeout > gateway.RailTimeoutMost {
		return c, fmt.Errorf("the rail timeout must be at most %s: nodes judge each other's work by it", gateway.RailTimeoutMost)
	}
	if c.RequestsAtOnce < 0 {
		return c, errors.New("requests at once must not be negative")
	}
	if c.SandboxKey != nil && !c.Sandbox {
		return c, errors.New("a sandbox key is for sandboxes only")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return c, errors.New("TLS needs both a certificate file and a key file")
	}
	if c.ContextPath != "/" && (!strings.HasPrefix(c.ContextPath, "/") || strings.HasSuffix(c.ContextPath, "/")) {
		return c, fmt.Errorf("context path %q must start with a slash and not end with one", c.ContextPath)
	}
	if c.Pprof && c.MetricsListen == "" {
		return c, errors.New("pprof is served on the address of the metrics: name one")
	}
	c.ContextPath = strings.TrimSuffix(c.ContextPath, "/")
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
			!strings.EqualFold(strings.TrimSuffix(c.PublicURL, "/"), u.Scheme+"://"+u.Host) {
			return c, fmt.Errorf("public URL %q must be scheme and host, such as https://gate.example.com", c.PublicURL)
		}
		c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	}
	return c, nil
}
