package server

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	traceScope     = "payout"        // name of the instrumentation
	traceFlushMost = 5 * time.Second // longest wait for the last spans at the stop
	traceErrorsAt  = time.Minute     // between two lines in the log about spans that were not taken
)

// openTraces has spans sent to the collector that the configuration names, if it
// names one. What else the environment variables OTEL_... say holds: headers,
// certificates, sampling, attributes of the resource, sizes of the queue.
func (s *server) openTraces(ctx context.Context) error {
	if s.config.OTLPEndpoint == "" {
		return nil
	}
	endpoint, err := url.Parse(s.config.OTLPEndpoint)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return fmt.Errorf("OTLP endpoint must be a URL, such as http://127.0.0.1:4318")
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint.JoinPath("v1", "traces").String()))
	if err != nil {
		return fmt.Errorf("open traces: %w", err)
	}
	// Later sources win: the operator's own words over ours.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "payoutd"), attribute.String("service.version", cmp.Or(s.config.Version, "development"))),
		resource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("open traces: %w", err)
	}
	otel.SetErrorHandler(&traceErrors{log: s.log})
	s.traces = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	s.log.Info("traces are sent", "otlp_endpoint", endpoint.Redacted())
	return nil
}

// tracer makes spans; nil when nobody wants them.
func (s *server) tracer() trace.Tracer {
	if s.traces == nil {
		return nil
	}
	return s.traces.Tracer(traceScope)
}

// closeTraces sends the last spans. That a collector does not take them is no
// failure of the gateway.
func (s *server) closeTraces() {
	if s.traces == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceFlushMost)
	defer cancel()
	if err := s.traces.Shutdown(ctx); err != nil {
		s.log.Warn("the last traces were not taken", "error", err)
	}
}

// traceErrors logs that spans are not taken, now and then.
type traceErrors struct {
	log  *slog.Logger
	mu   sync.Mutex
	last time.Time
}

// Handle implements otel.ErrorHandler.
func (e *traceErrors) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := time.Now(); now.Sub(e.last) >= traceErrorsAt {
		e.last = now
		e.log.Warn("traces are not taken", "error", err)
	}
}
