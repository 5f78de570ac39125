package server

import (
	"cmp"
	"net/http"
	"net/http/pprof"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// registerMetrics registers the metrics of the process and of the database; the
// gateway and the doors register their own.
func (s *server) registerMetrics() {
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.db.Measure(s.metrics, time.Now)
	engine := "sqlite"
	if s.db.Shared() {
		engine = "postgres"
	}
	s.metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "payoutd_build_info",
			Help:        "1; its labels tell the version, the Go version that built it, and the database engine.",
			ConstLabels: prometheus.Labels{"version": cmp.Or(s.config.Version, "development"), "go_version": runtime.Version(), "database": engine}},
			func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "payoutd_time_seconds",
			Help: "Our clock: seconds since 1970. Compare it with the clock of Prometheus."},
			func() float64 { return float64(now().UnixMicro()) / 1e6 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "payoutd_database_writable",
			Help: "1 while the database takes writes, as the last write that asked it has found; else 0, and requests are refused."},
			func() float64 {
				if s.health.sick() != nil {
					return 0
				}
				return 1
			}))
}

// metricsHandler serves the door of the metrics.
func (s *server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{}))
	if s.config.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}
