package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"payout"
	"payout/storage"
)

// readMetricsMost is the longest time for what is read from the database when
// metrics are read: those who read them do not wait long.
const readMetricsMost = 2 * time.Second

// The metrics that are made when they are read.
var (
	descOrders = prometheus.NewDesc("payoutd_orders",
		"Orders that are not final, by stage, on all nodes. Look at those that stay doubtful: only the rail or a person can tell whether they were paid.",
		[]string{"stage"}, nil)
	descOrdersAge = prometheus.NewDesc("payoutd_orders_oldest_due_age_seconds",
		"For how long the order that waits longest for a worker has been due, by gate; 0 when none waits. What a gate that is switched off does not send does not count.",
		[]string{"gate"}, nil)
	descCallbacksAge = prometheus.NewDesc("payoutd_callbacks_oldest_due_age_seconds",
		"For how long the callback that waits longest for its delivery has been due; 0 when none waits.", nil, nil)
	descDelivering = prometheus.NewDesc("payoutd_callbacks_under_way",
		"Callbacks that this node is delivering.", nil, nil)
	descWorking = prometheus.NewDesc("payoutd_gate_orders_under_way",
		"Orders that this node is working on, by gate; on all nodes together at most the gate's concurrency.", []string{"gate"}, nil)
	descShare = prometheus.NewDesc("payoutd_gate_share_orders",
		"Orders that this node may work on at once, by gate: its part of the gate's concurrency, beside the other nodes. 0 when it cannot reach the database, and on some nodes of a gate with fewer calls than nodes.",
		[]string{"gate"}, nil)
	descCircuit = prometheus.NewDesc("payoutd_gate_circuit_state",
		"Whether this node sends orders through a gate: 0 yes; 1 a few, to try it after a rest; 2 no, it rests because its rail does not answer.",
		[]string{"gate"}, nil)
	descJournal = prometheus.NewDesc("payoutd_journal_waiting",
		"Requests that wait to be written into the integration panel's journal; at most 1024.", nil, nil)
)

// A collector tells about a gateway when metrics are read.
type collector struct{ g *Gateway }

// Collector tells about the gateway when metrics are read: how much waits, and for
// how long. What cannot be read is left out.
func (g *Gateway) Collector() prometheus.Collector { return collector{g} }

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descOrders, descOrdersAge, descCallbacksAge, descDelivering, descWorking, descShare, descCircuit, descJournal} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	g, now := c.g, c.g.Now()
	gauge(descDelivering, float64(g.delivering.Load()))
	gauge(descJournal, float64(len(g.journal.entries())))
	gates := g.Directory().Gates
	for id, gate := range gates {
		if worker, ok := g.workers.Load(id); ok {
			gauge(descWorking, float64(worker.(*gateWorker).slots.inUse()), gate.Name)
			gauge(descShare, float64(worker.(*gateWorker).limit(gate)), gate.Name)
			gauge(descCircuit, float64(worker.(*gateWorker).circuit.state(now)), gate.Name)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), readMetricsMost)
	defer cancel()
	age := func(due time.Time) float64 {
		if due.IsZero() {
			return 0
		}
		return max(0, now.Sub(due).Seconds())
	}
	if due, err := g.DB.NextCallbackDue(ctx); err == nil {
		gauge(descCallbacksAge, age(due))
	}
	for id, gate := range gates {
		due, err := g.DB.NextDue(ctx, id, storage.Which(!gate.Enabled))
		if err != nil {
			return
		}
		gauge(descOrdersAge, age(due), gate.Name)
	}
	counts, err := g.DB.CountByStage(ctx)
	if err != nil {
		return
	}
	for _, row := range payout.Stages() {
		if !row.Stage.Final() {
			gauge(descOrders, float64(counts[row.Stage]), string(row.Stage))
		}
	}
}
