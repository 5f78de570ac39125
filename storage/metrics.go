package storage

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics measure how the database takes writes. What happens for every request is
// counted by atomic counters that were looked up beforehand. A nil metrics
// measures nothing.
type metrics struct {
	clock     func() time.Time
	seconds   prometheus.Histogram
	writes    prometheus.Histogram
	rows      prometheus.Histogram
	ends      [len(commitEnds)]prometheus.Counter
	full      prometheus.Counter
	late      prometheus.Counter
	stored    prometheus.Counter // nonces
	forgotten prometheus.Counter // nonces
}

// A commitEnd is how a commit ended: an index of commitEnds.
type commitEnd int

const (
	endStored commitEnd = iota
	endRefused
	endUnavailable
	endUnknown
)

var commitEnds = [...]string{"stored", "refused", "unavailable", "unknown"}

// endOf names the end that an error means.
func endOf(err error) commitEnd {
	switch {
	case err == nil:
		return endStored
	case errors.Is(err, ErrUnknown):
		return endUnknown
	case errors.Is(err, ErrUnavailable):
		return endUnavailable
	}
	return endRefused
}

// Measure has the database count and time its writes by a clock, and tell about
// itself when metrics are read. It is called once, before the first write that is
// to be counted.
func (db *DB) Measure(r prometheus.Registerer, clock func() time.Time) {
	m := &metrics{clock: clock,
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "payoutd_commit_seconds",
			Help:    "Time of a commit: from the begin of its transaction until the database has said that it is on disk, or has failed.",
			Buckets: []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10, 30}}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "payoutd_commit_writes",
			Help:    "Writes of callers that shared a commit: accepted requests, moves, claims, postponements and callback attempts.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}}),
		rows: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "payoutd_commit_rows",
			Help: "Rows given to a commit to be stored or changed; those that claims take are not among them.", Buckets: []float64{1, 4, 16, 64, 256, 1024}}),
		stored: prometheus.NewCounter(prometheus.CounterOpts{Name: "payoutd_nonces_stored_total",
			Help: "Nonces used for the first time; each is stored."}),
		forgotten: prometheus.NewCounter(prometheus.CounterOpts{Name: "payoutd_nonces_forgotten_total",
			Help: "Expired nonces deleted."}),
	}
	ends := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_commits_total",
		Help: "Commits by their end: stored, refused (tried again, as a whole or write by write), unavailable (nothing was stored), or unknown."}, []string{"end"})
	for i, name := range commitEnds {
		m.ends[i] = ends.WithLabelValues(name)
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "payoutd_writes_refused_total",
		Help: "Requests that were told to come again, because the queue of writes was full, or because they came too late to their commit (--queue-wait). Nothing of them was stored."},
		[]string{"why"})
	m.full, m.late = refused.WithLabelValues("full"), refused.WithLabelValues("late")
	r.MustRegister(m.seconds, m.writes, m.rows, ends, refused, m.stored, m.forgotten, newCollector(db, clock))
	db.commits.metrics.Store(m)
}

// now is the clock's time; zero when nothing is measured.
func (m *metrics) now() time.Time {
	if m == nil {
		return time.Time{}
	}
	return m.clock()
}

// committed counts a commit of so many writes and rows.
func (m *metrics) committed(began time.Time, writes, rows int, err error) {
	if m == nil {
		return
	}
	end := endOf(err)
	m.ends[end].Inc()
	m.seconds.Observe(m.clock().Sub(began).Seconds())
	m.writes.Observe(float64(writes))
	if end == endStored {
		m.rows.Observe(float64(rows))
	}
}

func (m *metrics) refusedFull() {
	if m != nil {
		m.full.Inc()
	}
}

func (m *metrics) refusedLate() {
	if m != nil {
		m.late.Inc()
	}
}

func (m *metrics) noncesStored(n int) {
	if m != nil {
		m.stored.Add(float64(n))
	}
}

func (m *metrics) noncesForgotten(n int64) {
	if m != nil {
		m.forgotten.Add(float64(n))
	}
}

// A countingConn counts the rows that are given to a transaction.
type countingConn struct {
	conn
	rows int
}

func (c *countingConn) each(ctx context.Context, sql string, args [][]any) ([]int64, error) {
	c.rows += len(args)
	return c.conn.each(ctx, sql, args)
}

func (c *countingConn) later(ctx context.Context, sql string, args [][]any, told func([]int64)) error {
	c.rows += len(args)
	return c.conn.later(ctx, sql, args, told)
}
