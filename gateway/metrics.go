package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/processor"
)

// Metrics counts what the gateway does. A nil Metrics counts nothing.
type Metrics struct {
	orders    *prometheus.CounterVec
	outcomes  *prometheus.CounterVec
	rails     *prometheus.HistogramVec
	whole     *prometheus.HistogramVec
	callbacks *prometheus.CounterVec
	lates     *prometheus.CounterVec
	unkepts   *prometheus.CounterVec
}

// NewMetrics makes the gateway's metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	seconds := []float64{0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600, 3600, 86400}
	m := &Metrics{
		orders: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_orders_accepted_total",
			Help: "Orders accepted, by command."}, []string{"command"}),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_rail_answers_total",
			Help: "Answers of rails, by gate and result; lost and unsent are failures."}, []string{"gate", "result"}),
		rails: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "payoutd_rail_seconds",
			Help: "Time that a call to a rail took.", Buckets: seconds}, []string{"gate"}),
		whole: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "payoutd_order_seconds",
			Help: "Time from acceptance to the final stage.", Buckets: seconds}, []string{"stage"}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_callback_attempts_total",
			Help: "Attempts to deliver callbacks, by what the callback was afterwards."}, []string{"state"}),
	}
	m.lates = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_late_outcomes_total",
		Help: "Outcomes that came after another worker had moved the order, by result; look at each that is approved or accepted."}, []string{"result"})
	m.unkepts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_journal_unkept_total",
		Help: "Requests that the integration panel's journal did not keep: pace (too many of a party, as it should be), queue (full) or write (failed)."}, []string{"why"})
	r.MustRegister(m.orders, m.outcomes, m.rails, m.whole, m.callbacks, m.lates, m.unkepts)
	return m
}

func (m *Metrics) accepted(o *payout.Order) {
	if m != nil {
		m.orders.WithLabelValues(o.Command).Inc()
	}
}

func (m *Metrics) called(gate *payout.Gate, o processor.Outcome, took time.Duration) {
	if m != nil {
		m.outcomes.WithLabelValues(gate.Name, string(or(o.Result, processor.ResultLost))).Inc()
		m.rails.WithLabelValues(gate.Name).Observe(took.Seconds())
	}
}

func (m *Metrics) finished(o *payout.Order, stage payout.Stage, at time.Time) {
	if m != nil {
		m.whole.WithLabelValues(string(stage)).Observe(at.Sub(o.CreatedAt).Seconds())
	}
}

func (m *Metrics) attempted(state payout.CallbackState) {
	if m != nil {
		m.callbacks.WithLabelValues(string(state)).Inc()
	}
}

func (m *Metrics) late(o processor.Outcome) {
	if m != nil {
		m.lates.WithLabelValues(string(or(o.Result, processor.ResultLost))).Inc()
	}
}

func (m *Metrics) unkept(why string, n int) {
	if m != nil {
		m.unkepts.WithLabelValues(why).Add(float64(n))
	}
}
