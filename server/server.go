// Package server assembles the house: storage, processors, gateway and doors.
// It is the one place below the programs where the clock, randomness and
// listeners come from.
package server

import (
	"context"
	cryptorand "crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"payout/api"
	"payout/callback"
	"payout/docs"
	"payout/gateway"
	"payout/panel"
	"payout/payoutform"
	"payout/storage"
	"payout/vault"
)

// Limits on clients, so that a slow one holds a connection, not the server.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 20 * time.Second // for the whole request
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	headerMax     = 64 << 10 // bytes
)

// Addresses tells where a running server listens.
type Addresses struct {
	API     string // host:port
	Metrics string // host:port, or empty
}

// Run serves until the context ends. It stops in order: load balancers are told,
// doors close, the workers finish their step, then the database. ready is called, if not nil,
// when requests are answered.
func Run(ctx context.Context, config Config, log *slog.Logger, ready func(Addresses)) error {
	c, err := config.withDefaults()
	if err != nil {
		return err
	}
	s, err := assemble(ctx, c, log)
	if err != nil {
		return err
	}
	err = s.serve(ctx, ready)
	return errors.Join(err, s.close())
}

// A server is a house with its doors still closed.
type server struct {
	config  Config
	log     *slog.Logger
	db      *storage.DB
	gateway *gateway.Gateway
	rails   func() error // closes the processors
	health  *health
	clock   *clockWatch
	metrics *prometheus.Registry
	signed  *api.Handler
	zone    *time.Location
	tls     *tls.Config // of the main door, or nil
	pages   *payoutform.Handler
	docs    *docs.Handler            // nil: not served
	panel   *panel.Handler           // nil: not served
	sandbox *sandbox                 // nil: it is none for integrators
	traces  *sdktrace.TracerProvider // nil: none are wanted
	stopped context.CancelFunc       // ends what pages stream
	ready   atomic.Bool
}

func assemble(ctx context.Context, c Config, log *slog.Logger) (_ *server, err error) {
	s := &server{config: c, log: log, metrics: prometheus.NewRegistry()}
	if s.zone, err = time.LoadLocation(c.Zone); err != nil {
		return nil, fmt.Errorf("time zone %q is not known", c.Zone)
	}
	if c.TLSCert != "" {
		certificate, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("read TLS certificate: %w", err)
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{certificate}}
	}
	var v *vault.Vault
	if s.db, v, err = storage.OpenToServe(ctx, c.Database, vault.Source{File: c.KeyFile, Text: c.MasterKey, Command: c.KeyCommand}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if n, err := s.db.Migrate(ctx); err != nil {
		return nil, err
	} else if n > 0 {
		log.Info("database migrated", "migrations", n)
	}
	if flushed, err := s.db.Flush(ctx); err != nil {
		return nil, err
	} else if !flushed {
		log.Warn("others have the database open: its log was not put into it")
	}
	warnOfClocks(ctx, s.db, now, log)
	if c.SandboxKey != nil {
		if err := s.openSandbox(ctx, c.SandboxKey); err != nil {
			return nil, err
		}
	}
	rails, closeRails, err := openProcessors(c)
	if err != nil {
		return nil, err
	}
	s.rails = closeRails
	policy := callback.Policy{AllowLoopback: c.Sandbox}
	if err := s.openTraces(ctx); err != nil {
		return nil, err
	}
	if tracer := s.tracer(); tracer != nil {
		s.db.Trace(tracer)
	}
	s.db.LimitWait(c.QueueWait)
	s.watch(ctx)
	s.registerMetrics()
	s.gateway = &gateway.Gateway{
		DB: s.db, Vault: v, Processors: rails, URLs: policy,
		Callbacks: callback.NewSender(callback.Settings{Policy: policy, TotalTimeout: c.CallbackTimeout, Now: now}),
		Settings: gateway.Settings{RailTimeout: c.RailTimeout, CallbackTimeout: c.CallbackTimeout, ConfirmWithin: c.ConfirmWithin,
			FormWithin: c.FormWithin, ReloadEvery: c.ReloadEvery, NoJournal: c.NoPanel},
		Now: now, Random: rand.Float64, Log: log, Metrics: gateway.NewMetrics(s.metrics), Tracer: s.tracer(), Unfit: s.clock.apart,
	}
	s.metrics.MustRegister(s.gateway.Collector())
	if err := s.openPages(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.openDocs(), s.openPanel()); err != nil {
		return nil, err
	}
	s.openSigned()
	return s, s.gateway.Reload(ctx)
}

// openSigned makes the Connecting Party's door ready.
func (s *server) openSigned() {
	c := s.config
	s.signed = &api.Handler{Gateway: s.gateway, ContextPath: c.ContextPath, PublicURL: c.PublicURL, TimestampWindow: c.Window, Location: s.zone,
		Log: s.log, Metrics: api.NewMetrics(s.metrics), Tracer: s.tracer(), AtOnce: c.RequestsAtOnce}
	s.signed.Measure(s.metrics)
}

// watch makes ready what watches the database and our clock.
func (s *server) watch(ctx context.Context) {
	s.health = &health{db: s.db, log: s.log, now: now}
	s.clock = &clockWatch{shared: s.db.Shared(), clock: s.db.Clock, read: readClock(), log: s.log}
	s.clock.look(ctx)
}

// openDocs makes the documentation ready.
func (s *server) openDocs() error {
	if s.config.NoDocs {
		return nil
	}
	s.docs = &docs.Handler{ContextPath: s.config.ContextPath, PublicURL: s.config.PublicURL, Window: s.config.Window, Version: s.config.Version,
		Now: now, Nonce: cryptorand.Text, Log: s.log}
	if s.sandbox != nil {
		s.docs.Example, s.docs.SignUp, s.docs.Prepare = &s.sandbox.merchant, s.signUp, s.sandbox.prepare
	}
	return s.docs.Open()
}

// openPanel makes the integration panel ready.
func (s *server) openPanel() error {
	if s.config.NoPanel {
		return nil
	}
	s.panel = &panel.Handler{Gateway: s.gateway, PublicURL: s.config.PublicURL, AddressHeader: s.config.AddressHeader, Window: s.config.Window,
		Location: s.zone, Docs: !s.config.NoDocs, Log: s.log}
	return s.panel.Open()
}

// openPages makes the Receiver's door ready.
func (s *server) openPages() error {
	pages, err := payoutform.NewPages(s.config.Templates)
	if err != nil {
		return err
	}
	banks, err := payoutform.ReadBanks(s.config.BankFile)
	if err != nil {
		return err
	}
	stopping, stopped := context.WithCancel(context.Background())
	s.stopped = stopped
	s.pages = &payoutform.Handler{Gateway: s.gateway, Pages: pages, ContextPath: s.config.ContextPath, PublicURL: s.config.PublicURL,
		Directory: banks, Ancestors: s.config.FrameAncestors, AddressHeader: s.config.AddressHeader, UnknownAfter: s.config.UnknownAfter,
		Stopping: stopping.Done(), Log: s.log}
	return nil
}

func (s *server) close() error {
	var err error
	if s.gateway != nil {
		s.gateway.Callbacks.Close()
	}
	if s.rails != nil {
		err = s.rails()
	}
	err = errors.Join(err, s.db.Close())
	s.closeTraces()
	return err
}

// serve opens the doors, runs the workers, and stops both when ctx ends.
func (s *server) serve(ctx context.Context, ready func(Addresses)) error {
	listener, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	doors := []*http.Server{Door(s.handler(), s.log)}
	doors[0].TLSConfig = s.tls
	listeners := []net.Listener{listener}
	addresses := Addresses{API: listener.Addr().String()}
	if s.config.MetricsListen != "" {
		l, err := net.Listen("tcp", s.config.MetricsListen)
		if err != nil {
			return errors.Join(fmt.Errorf("listen for metrics: %w", err), listener.Close())
		}
		doors, listeners = append(doors, Door(s.metricsHandler(), s.log)), append(listeners, l)
		addresses.Metrics = l.Addr().String()
	}

	failed := make(chan error, len(doors))
	for i, door := range doors {
		go func() { failed <- serveDoor(door, listeners[i]) }()
	}
	workCtx, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		var workers sync.WaitGroup
		workers.Go(func() { s.health.run(workCtx) })
		workers.Go(func() { s.clock.run(workCtx) })
		workers.Go(func() { s.gateway.Run(workCtx) })
		workers.Wait()
	}()

	s.ready.Store(true)
	s.log.Info("payoutd serves", "api", addresses.API, "metrics", addresses.Metrics, "context_path", s.config.ContextPath,
		"sandbox", s.config.Sandbox)
	if ready != nil {
		ready(addresses)
	}
	select {
	case <-ctx.Done():
		err = s.drain(failed)
	case err = <-failed:
	}
	return errors.Join(err, s.stop(doors, stopWork, worked))
}

// serveDoor serves one door, by TLS when it has a certificate.
func serveDoor(door *http.Server, l net.Listener) error {
	var err error
	if door.TLSConfig != nil {
		err = door.ServeTLS(l, "", "")
	} else {
		err = door.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// drain tells load balancers to send nothing more and gives them time to hear
// it: once the doors begin to close, net/http answers nobody any more.
func (s *server) drain(failed <-chan error) error {
	s.ready.Store(false)
	s.log.Info("payoutd stops")
	timer := time.NewTimer(s.config.Drain)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case err := <-failed:
		return err
	}
}

// stop closes the doors, then lets the workers finish their step.
func (s *server) stop(doors []*http.Server, stopWork func(), worked <-chan struct{}) error {
	grace, cancel := context.WithTimeout(context.Background(), s.config.Grace)
	defer cancel()
	s.stopped()
	// Slow clients get half of the grace, so that the workers have some too.
	closing, cancelClosing := context.WithTimeout(grace, s.config.Grace/2)
	defer cancelClosing()
	var err error
	for _, door := range doors {
		if e := door.Shutdown(closing); e != nil {
			err = errors.Join(err, fmt.Errorf("close a door: %w", e), door.Close())
		}
	}
	stopWork()
	select {
	case <-worked:
	case <-grace.Done():
		s.log.Warn("stopped with work under way; it will be looked at again when its leases end")
	}
	return err
}

// Door makes the HTTP server of a door, with the limits on clients.
func Door(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerMax, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}

// handler is the main door. It does not use http.ServeMux, which redirects
// unclean paths: no client of this API follows redirects, and paths are signed.
func (s *server) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, s.config.ContextPath+"/api/"):
			s.signed.ServeHTTP(w, r)
		case s.pages.Serves(r.URL.Path):
			s.pages.ServeHTTP(w, r)
		case s.docs != nil && s.docs.Serves(r.URL.Path):
			s.docs.ServeHTTP(w, r)
		case s.panel != nil && s.panel.Serves(r.URL.Path):
			s.panel.ServeHTTP(w, r)
		case r.URL.Path == "/healthz":
			fmt.Fprintln(w, "ok")
		case r.URL.Path == "/readyz":
			s.readyz(w)
		default:
			http.NotFound(w, r)
		}
	})
}

// readyz tells a load balancer whether requests can be taken.
func (s *server) readyz(w http.ResponseWriter) {
	if !s.ready.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	if s.health.check() != nil {
		http.Error(w, "the database takes no writes", http.StatusServiceUnavailable)
		return
	}
	if why := s.clock.apart(); why != nil {
		http.Error(w, why.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}
