package storage

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// readMetricsMost is the longest time for what is read from the database when
// metrics are read: those who read them do not wait long.
const readMetricsMost = 2 * time.Second

// A collector tells about a database when metrics are read. What cannot be read
// is left out.
type collector struct {
	db      *DB
	clock   func() time.Time
	reading sync.Mutex // readers wait for each other instead of reading at the same time

	waiting, questions                *prometheus.Desc
	oldestNonce, clockAhead           *prometheus.Desc
	connections, waits, waitedSeconds *prometheus.Desc
	sqliteBytes, walBytes, freeBytes  *prometheus.Desc
}

func newCollector(db *DB, clock func() time.Time) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{db: db, clock: clock,
		waiting:   desc("payoutd_writes_waiting", "Writes that wait for a commit."),
		questions: desc("payoutd_questions_waiting", "Status questions that wait for those that read the database at this moment."),
		oldestNonce: desc("payoutd_nonce_oldest_age_seconds",
			"Age of the oldest nonce that is kept; much more than the timestamp window means that expired ones are not deleted."),
		clockAhead: desc("payoutd_database_clock_ahead_seconds", "How far the clock of the PostgreSQL server is ahead of ours; negative: behind."),
		connections: desc("payoutd_postgres_connections", "Connections of the pool by state: used, idle, opening; and max, how many there may be.",
			"state"),
		waits:         desc("payoutd_postgres_connection_waits_total", "Times that somebody waited because no connection of the pool was idle."),
		waitedSeconds: desc("payoutd_postgres_connection_wait_seconds_total", "Time waited for a connection of the pool."),
		sqliteBytes:   desc("payoutd_sqlite_bytes", "Size of the SQLite file."),
		walBytes:      desc("payoutd_sqlite_wal_bytes", "Size of SQLite's write-ahead log. It is used again from its beginning, and stays below 64 MiB unless a reader holds it up."),
		freeBytes:     desc("payoutd_sqlite_disk_free_bytes", "Free space on the disk of the SQLite file."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.waiting, c.questions, c.oldestNonce, c.clockAhead, c.connections, c.waits, c.waitedSeconds, c.sqliteBytes, c.walBytes, c.freeBytes} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.reading.Lock()
	defer c.reading.Unlock()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(c.waiting, float64(c.db.commits.queue.waiting()))
	gauge(c.questions, float64(c.db.stand.waits()))
	switch e := c.db.engine.(type) {
	case *postgresEngine:
		s := e.pool.Stat()
		gauge(c.connections, float64(s.AcquiredConns()), "used")
		gauge(c.connections, float64(s.IdleConns()), "idle")
		gauge(c.connections, float64(s.ConstructingConns()), "opening")
		gauge(c.connections, float64(s.MaxConns()), "max")
		out <- prometheus.MustNewConstMetric(c.waits, prometheus.CounterValue, float64(s.EmptyAcquireCount()))
		out <- prometheus.MustNewConstMetric(c.waitedSeconds, prometheus.CounterValue, s.EmptyAcquireWaitTime().Seconds())
	case *sqliteEngine:
		if file, err := os.Stat(e.path); err == nil {
			gauge(c.sqliteBytes, float64(file.Size()))
		}
		if wal, err := os.Stat(e.path + "-wal"); err == nil {
			gauge(c.walBytes, float64(wal.Size()))
		}
		if free, ok := freeOnDisk(e.path); ok {
			gauge(c.freeBytes, float64(free))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), readMetricsMost)
	defer cancel()
	before := c.clock()
	if at, err := c.db.Clock(ctx); err == nil && !at.IsZero() {
		after := c.clock()
		gauge(c.clockAhead, at.Sub(before.Add(after.Sub(before)/2)).Seconds())
	}
	if oldest, err := c.db.oldestNonce(ctx); err == nil {
		age := 0.0
		if oldest > 0 {
			age = max(0, c.clock().Sub(time.Unix(oldest, 0)).Seconds())
		}
		gauge(c.oldestNonce, age)
	}
}
