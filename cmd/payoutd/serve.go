package main

import (
	"context"
	"crypto/rsa"
	"log/slog"
	"time"

	"payout/server"
	"payout/storage"
)

type serveCmd struct {
	stored
	Listen          string        `default:"127.0.0.1:8080" env:"PAYOUTD_LISTEN" help:"Address of the API (default: ${default}; env $$${env})."`
	MetricsListen   string        `env:"PAYOUTD_METRICS_LISTEN" placeholder:"ADDRESS" help:"Address of Prometheus /metrics, such as 127.0.0.1:9464; empty: none (env $$${env})."`
	Pprof           bool          `env:"PAYOUTD_PPROF" help:"Serve Go's profiles at /debug/pprof/ on the address of the metrics; keep that address to yourself (env $$${env})."`
	OTLPEndpoint    string        `name:"otlp-endpoint" env:"PAYOUTD_OTLP_ENDPOINT,OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"Send traces to this OpenTelemetry collector by OTLP over HTTP, such as http://127.0.0.1:4318; the other OTEL_ variables hold (default: none; env $$PAYOUTD_OTLP_ENDPOINT or $$OTEL_EXPORTER_OTLP_ENDPOINT)."`
	PublicURL       string        `env:"PAYOUTD_PUBLIC_URL" placeholder:"URL" help:"Scheme and host that clients call and sign, such as https://gate.example.com. Needed behind a proxy (env $$${env})."`
	ContextPath     string        `default:"/paynet" env:"PAYOUTD_CONTEXT_PATH" help:"Path before /api/ (default: ${default}; env $$${env})."`
	TLSCert         string        `name:"tls-cert" env:"PAYOUTD_TLS_CERT" placeholder:"FILE" help:"Certificate chain, PEM; empty: no TLS (env $$${env})."`
	TLSKey          string        `name:"tls-key" env:"PAYOUTD_TLS_KEY" placeholder:"FILE" help:"The certificate's private key, PEM (env $$${env})."`
	Sandbox         bool          `env:"PAYOUTD_SANDBOX" help:"Allow callbacks to loopback addresses and any port (env $$${env})."`
	SandboxKey      string        `env:"PAYOUTD_SANDBOX_KEY" placeholder:"FILE" help:"With --sandbox: the private key of the merchant TestMerchant, made when missing. The documentation signs its examples by it, and visitors may sign up as merchants (env $$${env})."`
	TimeZone        string        `default:"UTC" env:"PAYOUTD_TIME_ZONE" help:"Zone of dates in replies, such as Europe/Moscow (default: ${default}; env $$${env})."`
	TimestampWindow time.Duration `default:"5m" env:"PAYOUTD_TIMESTAMP_WINDOW" help:"How far an oauth_timestamp may be off; 0 switches the check off (default: ${default}; env $$${env})."`
	RailTimeout     time.Duration `default:"60s" env:"PAYOUTD_RAIL_TIMEOUT" help:"Longest call to a rail, at most 10m (default: ${default}; env $$${env})."`
	CallbackTimeout time.Duration `default:"30s" env:"PAYOUTD_CALLBACK_TIMEOUT" help:"Longest delivery of one callback (default: ${default}; env $$${env})."`
	ConfirmWithin   time.Duration `default:"24h" env:"PAYOUTD_CONFIRM_WITHIN" help:"A payout-check without payout-pay is declined after this (default: ${default}; env $$${env})."`
	FormWithin      time.Duration `default:"30m" env:"PAYOUTD_FORM_WITHIN" help:"A payout form that nobody sends is declined after this (default: ${default}; env $$${env})."`
	UnknownAfter    time.Duration `default:"1m" env:"PAYOUTD_UNKNOWN_AFTER" help:"The wait page of an order without an answer from its rail ends after this, and says so (default: ${default}; env $$${env})."`
	Templates       string        `env:"PAYOUTD_TEMPLATES" placeholder:"FOLDER" help:"Folder with your own form.html, wait.html and finish.html (env $$${env})."`
	SBPBanks        string        `name:"sbp-banks" env:"PAYOUTD_SBP_BANKS" placeholder:"FILE" help:"CSV file of the SBP banks, two columns: number and name (default: a small sample; env $$${env})."`
	AddressHeader   string        `env:"PAYOUTD_ADDRESS_HEADER" placeholder:"NAME" help:"Header in which your proxy tells a browser's address, such as X-Forwarded-For; the limits on forms count by it (default: no proxy; env $$${env})."`
	FrameAncestors  []string      `env:"PAYOUTD_FRAME_ANCESTORS" placeholder:"ORIGIN" help:"Sites that may show the Receiver's pages in a frame (default: none; env $$${env})."`
	Panel           bool          `default:"true" negatable:"" env:"PAYOUTD_PANEL" help:"Serve the integration panel at /panel/, to those who have a token: payoutd party token (default: yes; env $$${env})."`
	Docs            bool          `default:"true" negatable:"" env:"PAYOUTD_DOCS" help:"Serve the documentation at /docs/ (default: yes; env $$${env})."`
	ReloadEvery     time.Duration `default:"2s" env:"PAYOUTD_RELOAD_EVERY" help:"How often a changed set-up or master key is looked for (default: ${default}; env $$${env})."`
	QueueWait       time.Duration `default:"5s" env:"PAYOUTD_QUEUE_WAIT" help:"Longest wait of a request for the database, before it is answered 503 and surely not stored (default: ${default}; env $$${env})."`
	RequestsAtOnce  int           `default:"8192" env:"PAYOUTD_REQUESTS_AT_ONCE" help:"Most requests of the API that are answered at once; one more is told 503 at once (default: ${default}; env $$${env})."`
	Drain           time.Duration `default:"0s" env:"PAYOUTD_DRAIN" help:"How long /readyz answers 503 before the doors close at the stop, for load balancers (default: ${default}; env $$${env})."`
	Grace           time.Duration `default:"30s" env:"PAYOUTD_GRACE" help:"Longest wait for work under way at the stop (default: ${default}; env $$${env})."`
	SimulatorBook   string        `default:"data/simulator.db" env:"PAYOUTD_SIMULATOR_BOOK" placeholder:"FILE" help:"Book of the simulator rail, an SQLite file: several nodes need the same one, so they are on one machine (default: ${default}; env $$${env})."`
	LogLevel        slog.Level    `default:"info" env:"PAYOUTD_LOG_LEVEL" help:"debug, info, warn or error (default: ${default}; env $$${env})."`
}

func (c serveCmd) config() (server.Config, error) {
	var sandboxKey *rsa.PrivateKey
	if c.SandboxKey != "" {
		var err error
		if sandboxKey, err = keyMadeWhenMissing(c.SandboxKey); err != nil {
			return server.Config{}, err
		}
	}
	window := c.TimestampWindow
	if window == 0 {
		window = -1 // switched off
	}
	return server.Config{Listen: c.Listen, MetricsListen: c.MetricsListen, Database: c.Database, KeyFile: c.KeyFile, KeyCommand: c.KeyCommand, MasterKey: c.MasterKey,
		SimulatorBook: c.SimulatorBook, PublicURL: c.PublicURL, ContextPath: c.ContextPath, TLSCert: c.TLSCert, TLSKey: c.TLSKey,
		Sandbox: c.Sandbox, SandboxKey: sandboxKey, Zone: c.TimeZone, Window: window, RailTimeout: c.RailTimeout,
		CallbackTimeout: c.CallbackTimeout, ConfirmWithin: c.ConfirmWithin, FormWithin: c.FormWithin, UnknownAfter: c.UnknownAfter,
		Templates: c.Templates, BankFile: c.SBPBanks, FrameAncestors: c.FrameAncestors, AddressHeader: c.AddressHeader,
		NoDocs: !c.Docs, NoPanel: !c.Panel, ReloadEvery: c.ReloadEvery, Drain: c.Drain, Grace: c.Grace, Version: version,
		OTLPEndpoint: c.OTLPEndpoint, Pprof: c.Pprof, QueueWait: c.QueueWait, RequestsAtOnce: c.RequestsAtOnce}, nil
}

// Run serves until the process is told to stop.
func (c serveCmd) Run(ctx context.Context, t terminal) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	if t.calm != nil && storage.IsPostgres(c.Database) {
		t.calm()
	}
	log := slog.New(slog.NewJSONHandler(t.err, &slog.HandlerOptions{Level: c.LogLevel}))
	server.Tune()
	return server.Run(ctx, config, log, nil)
}

type migrateCmd struct{ stored }

// Help tells when it is needed.
func (migrateCmd) Help() string {
	return `"payoutd serve" does the same when it starts, and other commands, but for backup, do not work on a database that waits for it. Stop all nodes of the former build first, and back up: there is no way back, and a build does not work on tables of a newer one.`
}

// Run migrates the database.
func (c migrateCmd) Run(ctx context.Context, t terminal) error {
	db, _, err := storage.OpenWithKey(ctx, c.Database, c.key())
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.Migrate(ctx)
	if err != nil {
		return err
	}
	t.printf("%d migrations run; the database is up to date.\n", n)
	return nil
}
