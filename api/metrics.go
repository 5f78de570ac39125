package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/spec"
)

// Metrics counts and times requests. A nil Metrics counts nothing.
type Metrics struct {
	seconds map[*spec.Command]map[payout.Verdict]prometheus.Observer // nil is for paths that are no command's
}

// unknownCommand stands for paths that are no command's.
const unknownCommand = "unknown"

// NewMetrics makes the metrics of the door and registers them. All of them are
// looked up here, so that a request costs no more than an atomic counter.
func NewMetrics(r prometheus.Registerer) *Metrics {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "payoutd_request_seconds",
		Help: "Time from a request to its answer, by command and verdict: ok, refused (with an error that says why), denied (not authentic), " +
			"busy (to be sent again) or failed (a fault of the gateway). Its _count is the number of requests.",
		Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 20}}, []string{"command", "verdict"})
	m := &Metrics{seconds: make(map[*spec.Command]map[payout.Verdict]prometheus.Observer)}
	for _, c := range append([]*spec.Command{nil}, spec.Commands...) {
		name := unknownCommand
		if c != nil {
			name = c.Path()
		}
		m.seconds[c] = make(map[payout.Verdict]prometheus.Observer)
		for _, v := range payout.Verdicts() {
			m.seconds[c][v] = seconds.WithLabelValues(name, string(v))
		}
	}
	r.MustRegister(seconds)
	return m
}

// Measure registers what the door tells of itself.
func (h *Handler) Measure(r prometheus.Registerer) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "payoutd_requests_under_way",
		Help: "Requests of the API that are being answered; as many as --requests-at-once at most, and those beyond it are told to come again."},
		func() float64 { return float64(h.underWay.Load()) }))
}

func (m *Metrics) answered(c *spec.Command, v payout.Verdict, took time.Duration) {
	if m != nil {
		m.seconds[c][v].Observe(max(0, took.Seconds()))
	}
}
