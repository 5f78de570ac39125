package gateway

import (
	"context"
	"fmt"
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
	descOrdersDue = prometheus.NewDesc("payoutd_orders_due",
		fmt.Sprintf("Orders that wait for a worker, by gate, at most %d. What a gate that is switched off does not send does not count.", storage.CountMost),
		[]string{"gate"}, nil)
	descDoubtfulAge = prometheus.NewDesc("payoutd_orders_oldest_doubtful_age_seconds",
		fmt.Sprintf("For how long the order has been doubtful that has been so for longest, by gate; 0 when none is. Looked for among the %d orders that its rail is asked about next: "+
			"while a gate has more, one that stays doubtful is seen now and then.", storage.CountMost),
		[]string{"gate"}, nil)
	descCallbacksDue = prometheus.NewDesc("payoutd_callbacks_due",
		fmt.Sprintf("Callbacks that wait for their delivery, at most %d.", storage.CountMost), nil, nil)
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
	for _, d := range []*prometheus.Desc{descOrders, descOrdersDue, descOrdersAge, descDoubtfulAge, descCallbacksDue, descCallbacksAge,
		descDelivering, descWorking, descShare, descCircuit, descJournal} {
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
	if c.collectCallbacks(ctx, now, gauge) != nil {
		return
	}
	for _, gate := range gates {
		if c.collectOrders(ctx, now, gate, gauge) != nil {
			return
		}
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

// collectCallbacks tells which callbacks are due.
func (c collector) collectCallbacks(ctx context.Context, now time.Time, gauge func(*prometheus.Desc, float64, ...string)) error {
	due, err := c.g.DB.NextCallbackDue(ctx)
	if err != nil {
		return err
	}
	gauge(descCallbacksAge, age(now, due))
	n, err := c.g.DB.CountCallbacksDue(ctx, now)
	if err != nil {
		return err
	}
	gauge(descCallbacksDue, float64(n))
	return nil
}

// collectOrders tells which orders of a gate are due, and which are doubtful.
func (c collector) collectOrders(ctx context.Context, now time.Time, gate *payout.Gate, gauge func(*prometheus.Desc, float64, ...string)) error {
	which := storage.Which(!gate.Enabled)
	due, err := c.g.DB.NextDue(ctx, gate.ID, which)
	if err != nil {
		return err
	}
	gauge(descOrdersAge, age(now, due), gate.Name)
	n, err := c.g.DB.CountDue(ctx, gate.ID, which, now)
	if err != nil {
		return err
	}
	gauge(descOrdersDue, float64(n), gate.Name)
	since, err := c.g.DB.DoubtfulSince(ctx, gate.ID)
	if err != nil {
		return err
	}
	gauge(descDoubtfulAge, age(now, since), gate.Name)
	return nil
}

// age is how long ago a time was; 0 when there is none, or it is still to come.
func age(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}
