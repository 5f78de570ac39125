package gateway

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/processor"
	"payout/spec"
)

// Metrics counts what the gateway does. A nil Metrics counts nothing. What is
// counted for every request has been looked up beforehand.
type Metrics struct {
	orders    map[string]prometheus.Counter // by the command's path
	outcomes  *prometheus.CounterVec
	rails     *prometheus.HistogramVec
	gates     sync.Map // a gate's name to its *gateMetrics
	whole     map[payout.Stage]prometheus.Observer
	callbacks map[payout.CallbackState]prometheus.Counter
	delivery  prometheus.Histogram
	lates     map[processor.Result]prometheus.Counter
	unkepts   map[string]prometheus.Counter // by the reason
}

// gateMetrics are the metrics of one gate.
type gateMetrics struct {
	outcomes map[processor.Result]prometheus.Counter
	seconds  prometheus.Observer
}

// results are the kinds of answers, as the metrics have them.
var results = []processor.Result{processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted, processor.ResultUnsent,
	processor.ResultBroken, processor.ResultLost}

// Why the journal did not keep a request.
const (
	unkeptPace  = "pace"
	unkeptQueue = "queue"
	unkeptWrite = "write"
)

// NewMetrics makes the gateway's metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	seconds := []float64{0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600, 3600, 86400}
	m := &Metrics{orders: make(map[string]prometheus.Counter)}
	orders := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_orders_accepted_total",
		Help: "Orders accepted, by command."}, []string{"command"})
	for _, c := range spec.Commands {
		if c.Type != "" {
			m.orders[c.Path()] = orders.WithLabelValues(c.Path())
		}
	}
	m.outcomes = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_rail_answers_total",
		Help: "Answers of rails to payments, checks and questions, by gate and result; lost and unsent are failures of the rail, broken is its word that it failed."},
		[]string{"gate", "result"})
	m.rails = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "payoutd_rail_seconds",
		Help: "Time that a call to a rail took, by gate.", Buckets: seconds}, []string{"gate"})
	whole := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "payoutd_order_seconds",
		Help: "Time from acceptance to the final stage, by that stage.", Buckets: seconds}, []string{"stage"})
	m.whole = children(whole.WithLabelValues, payout.Approved, payout.Declined, payout.Failed)
	callbacks := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_callback_attempts_total",
		Help: "Attempts to deliver callbacks, by what the callback was afterwards: delivered, due (to be tried again) or given_up."}, []string{"state"})
	m.callbacks = children(callbacks.WithLabelValues, payout.CallbackDelivered, payout.CallbackDue, payout.CallbackGivenUp)
	m.delivery = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "payoutd_callback_seconds",
		Help: "Time that an attempt to deliver a callback took.", Buckets: []float64{0.01, 0.05, 0.2, 1, 5, 10, 30}})
	lates := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_late_outcomes_total",
		Help: "Outcomes that came after another worker had moved the order, by result; look at each that is approved or accepted."}, []string{"result"})
	m.lates = children(lates.WithLabelValues, results...)
	unkepts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_journal_unkept_total",
		Help: "Requests that the integration panel's journal did not keep: pace (too many of a party, as it should be), queue (full) or write (failed)."}, []string{"why"})
	m.unkepts = children(unkepts.WithLabelValues, unkeptPace, unkeptQueue, unkeptWrite)
	r.MustRegister(orders, m.outcomes, m.rails, whole, callbacks, m.delivery, lates, unkepts)
	return m
}

// children looks up the children of a metric with one label.
func children[K ~string, C any](of func(...string) C, values ...K) map[K]C {
	found := make(map[K]C, len(values))
	for _, value := range values {
		found[value] = of(string(value))
	}
	return found
}

// gate looks up the metrics of a gate, once.
func (m *Metrics) gate(name string) *gateMetrics {
	if found, ok := m.gates.Load(name); ok {
		return found.(*gateMetrics)
	}
	g := &gateMetrics{seconds: m.rails.WithLabelValues(name),
		outcomes: children(func(result ...string) prometheus.Counter { return m.outcomes.WithLabelValues(name, result[0]) }, results...)}
	found, _ := m.gates.LoadOrStore(name, g)
	return found.(*gateMetrics)
}

func (m *Metrics) accepted(o *payout.Order) {
	if m == nil {
		return
	}
	if counter := m.orders[o.Command]; counter != nil {
		counter.Inc()
	}
}

func (m *Metrics) called(gate *payout.Gate, o processor.Outcome, took time.Duration) {
	if m != nil {
		of := m.gate(gate.Name)
		of.outcomes[resultOf(o)].Inc()
		of.seconds.Observe(took.Seconds())
	}
}

// resultOf is the result that an outcome counts as.
func resultOf(o processor.Outcome) processor.Result {
	switch o.Result {
	case processor.ResultApproved, processor.ResultDeclined, processor.ResultAccepted, processor.ResultUnsent, processor.ResultBroken:
		return o.Result
	}
	return processor.ResultLost
}

func (m *Metrics) finished(o *payout.Order, stage payout.Stage, at time.Time) {
	if m != nil {
		m.whole[stage].Observe(at.Sub(o.CreatedAt).Seconds())
	}
}

func (m *Metrics) attempted(state payout.CallbackState, took time.Duration) {
	if m != nil {
		m.callbacks[state].Inc()
		m.delivery.Observe(took.Seconds())
	}
}

func (m *Metrics) late(o processor.Outcome) {
	if m != nil {
		m.lates[resultOf(o)].Inc()
	}
}

func (m *Metrics) unkept(why string, n int) {
	if m != nil {
		m.unkepts[why].Add(float64(n))
	}
}
