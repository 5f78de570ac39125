package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"payout"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

type soakCmd struct {
	common
	orderFlags
	Duration time.Duration `default:"5m" help:"Length on each engine (default: ${default})."`
	Accepts  time.Duration `default:"2s" help:"Length of each of the three measurements of accepts alone, before (default: ${default})."`
}

const (
	samplesMost  = 600 // in one run
	sampleLeast  = time.Second
	linesWanted  = 20 // of the table
	acceptRounds = 3
	streamAhead  = 2048 // requests signed ahead
)

// Validate is called when the flags have been read.
func (c soakCmd) Validate() error {
	if len(c.Nodes) != 1 {
		return errors.New("--nodes must be one number")
	}
	return errors.Join(checkRounds(1, c.Duration), checkRounds(1, c.Accepts), c.check(), c.checkNodes(c.Nodes), c.common.Validate())
}

// Run measures.
func (c soakCmd) Run(ctx context.Context, t terminal) (err error) {
	l, err := c.open(ctx, t, fmt.Sprintf("soak: orders from request to callback for %s", c.Duration), []int{c.Bits}, c.Parties)
	defer func() { err = l.finish(err) }()
	if err != nil {
		return err
	}
	if err := l.openHouses(ctx, c.Nodes[0]); err != nil {
		return err
	}
	l.describe(c.Duration, 1)
	l.report.set("in flight at most", fmt.Sprint(c.InFlight))
	l.report.set("signing", "while it runs, by payoutbench, also of the accepts alone")
	var ends []soakEnd
	for _, h := range l.houses {
		end, err := c.house(ctx, l, h)
		if err != nil {
			return err
		}
		ends = append(ends, end)
	}
	table := l.report.table("The whole run", whatColumn, column{"accepts/s", rate, 10}, column{"ended/s", rate, 10}, column{"of accepts", ratio, 10},
		column{"errors", count, 6}, waitColumns[0], waitColumns[2], waitColumns[4], column{"bench CPU each", spent, 14})
	for _, e := range ends {
		table.add(e.house.name, e.accepts, e.whole.perSecond(), e.whole.perSecond()/e.accepts, e.whole.failures(),
			e.whole.waits.at(50), e.whole.waits.at(99), e.whole.waits.most(), e.whole.cpuEach())
		if e.whole.first != nil {
			table.note("first error: %v", e.whole.first)
		}
	}
	c.flatness(l, ends)
	c.plots(l, ends)
	return l.memory()
}

// A soakEnd is what a soak of one house found.
type soakEnd struct {
	house   *house
	accepts float64 // a second, alone, before
	whole   measurement
	samples []sample
}

// A sample is how things stand at one moment, and what was done since the one before.
type sample struct {
	at                          time.Duration // since the beginning
	accepted, ended             float64       // a second
	waits                       *latencies
	inFlight                    int
	oldestOrder, oldestCallback time.Duration // how long the oldest that nobody works on has been due
	memory, database            float64       // MiB, of all gateways
	acceptedCount, endedCount   int           // from the beginning
}

// house soaks one house.
func (c soakCmd) house(ctx context.Context, l *lab, h *house) (end soakEnd, err error) {
	end.house = h
	merchants := l.of(c.Bits, c.Parties)
	if end.accepts, err = c.accepts(ctx, l, h, merchants); err != nil {
		return end, err
	}
	orders, err := l.openFlights(c.orderFlags)
	if err != nil {
		return end, err
	}
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 2)
	take := stream(streaming, orders.payouts(merchants, gatePaying), func(err error) { failed <- err })
	ended := make(chan measurement, 1)
	before, err := ownCPU()
	if err != nil {
		return end, err
	}
	go func() {
		m, err := orders.measure(streaming, c.loop(c.Duration), h.nodes, take)
		if err != nil {
			failed <- err
		}
		ended <- m
	}()
	err = h.with(ctx, func(db *storage.DB, _ *vault.Vault) error {
		end.samples, end.whole, err = c.watch(ctx, l, h, db, orders, ended)
		if err != nil {
			stop()
			<-ended
		}
		return err
	})
	after, cpuErr := ownCPU()
	end.whole.cpu = after - before
	select {
	case failure := <-failed:
		err = errors.Join(err, failure)
	default:
	}
	return end, errors.Join(err, cpuErr, ctx.Err())
}

// accepts measures accepts alone, of orders that wait. They are signed while they are
// sent, as those of the soak: what is compared bears the same.
func (c soakCmd) accepts(ctx context.Context, l *lab, h *house, merchants []*merchant) (float64, error) {
	streaming, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	take := stream(streaming, l.payouts(spec.Payout, merchants, gateWaiting), func(err error) { failed <- err })
	var rates []float64
	for range acceptRounds {
		closed := loop{connections: c.Connections, duration: c.Accepts}
		got, err := measure(ctx, closed, h.nodes, target{dial: dialer(addresses(h.nodes), asyncAnswer), next: take})
		if err == nil {
			err = got.first
		}
		select {
		case failure := <-failed:
			err = errors.Join(err, failure)
		default:
		}
		if err != nil {
			return 0, fmt.Errorf("accepts alone: %w", err)
		}
		rates = append(rates, got.perSecond())
	}
	return median(rates), ctx.Err()
}

// stream makes requests while others are sent.
func stream(ctx context.Context, make1 func(i int) (shot, error), failed func(error)) supply {
	ahead := make(chan shot, streamAhead)
	go func() {
		defer close(ahead)
		for i := 0; ; i++ {
			s, err := make1(i)
			if err != nil {
				failed(err)
				return
			}
			select {
			case ahead <- s:
			case <-ctx.Done():
				return
			}
		}
	}()
	return func(ctx context.Context) (shot, bool) {
		select {
		case s, ok := <-ahead:
			return s, ok
		case <-ctx.Done():
			return shot{}, false
		}
	}
}

// watch takes samples until the run has ended, and prints some of them.
func (c soakCmd) watch(ctx context.Context, l *lab, h *house, db *storage.DB, orders *flights, ended <-chan measurement) ([]sample, measurement, error) {
	gate, err := gateNamed(ctx, db, gatePaying)
	if err != nil {
		return nil, measurement{}, err
	}
	table := l.report.details(h.name+" over time", column{"time", text, 8}, column{"accepted/s", rate, 10}, column{"ended/s", rate, 10}, waitColumns[0], waitColumns[2],
		column{"in flight", count, 9}, column{"oldest order", wait, 12}, column{"oldest callback", wait, 15}, column{"memory", size, 8}, column{"database", size, 10})
	began := time.Now()
	every := max(sampleLeast, c.Duration/samplesMost)
	tick := time.NewTicker(min(every, max(c.Duration/10, 10*time.Millisecond)))
	defer tick.Stop()
	var samples []sample
	last, printed := sample{}, time.Duration(0)
	for {
		select {
		case m := <-ended:
			return samples, m, nil
		case <-tick.C:
		}
		s, err := take(ctx, h, db, gate, orders, began, last)
		if err != nil {
			return nil, measurement{}, err
		}
		last = s
		if s.at > c.Duration {
			continue // the last orders end
		}
		samples = append(samples, s)
		l.progress.show("soak, "+h.name+", seconds", int(s.at.Seconds()), int(c.Duration.Seconds()))
		if s.at-printed >= c.Duration/linesWanted {
			printed = s.at
			l.progress.clear()
			table.add(s.at.Round(100*time.Millisecond).String(), s.accepted, s.ended, s.waits.at(50), s.waits.at(99), s.inFlight, s.oldestOrder, s.oldestCallback,
				s.memory, s.database)
		}
	}
}

// take takes a sample.
func take(ctx context.Context, h *house, db *storage.DB, gate payout.GateID, orders *flights, began time.Time, last sample) (s sample, err error) {
	s.acceptedCount, s.endedCount, s.inFlight, s.waits = orders.sample()
	now := time.Now()
	s.at = now.Sub(began)
	seconds := (s.at - last.at).Seconds()
	s.accepted, s.ended = float64(s.acceptedCount-last.acceptedCount)/seconds, float64(s.endedCount-last.endedCount)/seconds
	due, err := db.NextDue(ctx, gate, storage.AllDue)
	if err != nil {
		return s, err
	}
	callback, err := db.NextCallbackDue(ctx)
	if err != nil {
		return s, err
	}
	s.oldestOrder, s.oldestCallback = age(now, due), age(now, callback)
	for _, p := range h.nodes {
		m, err := p.memory("VmRSS")
		if err != nil {
			return s, err
		}
		s.memory += m
	}
	s.database, err = h.databaseSize(ctx)
	return s, err
}

// age is how long something has been due; 0 when it is not, or nothing is.
func age(now, due time.Time) time.Duration {
	if due.IsZero() {
		return 0
	}
	return max(0, now.Sub(due))
}

// databaseSize is the size of the house's database in MiB, with its log on SQLite.
func (h *house) databaseSize(ctx context.Context) (float64, error) {
	const mib = 1 << 20
	if h.engine == "postgres" {
		var bytes int64
		err := withConnection(ctx, h.database, func(conn *pgx.Conn) error {
			return conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&bytes)
		})
		return float64(bytes) / mib, err
	}
	sum := 0.0
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(h.database + suffix)
		if err != nil {
			return 0, err
		}
		sum += float64(info.Size()) / mib
	}
	return sum, nil
}

// flatness compares the last third of each run with the first one.
func (c soakCmd) flatness(l *lab, ends []soakEnd) {
	t := l.report.table("Medians of the first third and of the last", whatColumn, column{"ended/s", rate, 10}, column{"last", rate, 10}, column{"ratio", ratio, 8},
		column{"memory", size, 10}, column{"last", size, 10}, column{"ratio", ratio, 8}, column{"in flight", rate, 10}, column{"last", rate, 10}, column{"p99", wait, 10}, column{"last", wait, 10})
	for _, e := range ends {
		third := len(e.samples) / 3
		if third == 0 {
			t.note("%s: too short", e.house.name)
			continue
		}
		first, last := e.samples[:third], e.samples[len(e.samples)-third:]
		of := func(samples []sample, value func(sample) float64) float64 {
			var values []float64
			for _, s := range samples {
				values = append(values, value(s))
			}
			return median(values)
		}
		ended := func(s sample) float64 { return s.ended }
		memory := func(s sample) float64 { return s.memory }
		flying := func(s sample) float64 { return float64(s.inFlight) }
		p99 := func(s sample) float64 { return float64(s.waits.at(99)) }
		t.add(e.house.name, of(first, ended), of(last, ended), of(last, ended)/max(of(first, ended), 1), of(first, memory), of(last, memory), of(last, memory)/of(first, memory),
			of(first, flying), of(last, flying), time.Duration(of(first, p99)), time.Duration(of(last, p99)))
	}
}

// plots draws the samples over time.
func (c soakCmd) plots(l *lab, ends []soakEnd) {
	over := func(title, unit string, lines map[string]func(sample) float64, order ...string) {
		p := plot{Title: title, X: axis{"seconds", linear}, Y: axis{unit, linear}}
		for _, e := range ends {
			for _, name := range order {
				var points [][2]float64
				for _, s := range e.samples {
					points = append(points, [2]float64{s.at.Seconds(), lines[name](s)})
				}
				p.Series = append(p.Series, series{Name: e.house.name + name, Points: points})
			}
		}
		l.report.plot(p)
	}
	type line = map[string]func(sample) float64
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	over("Orders that ended", "per second", line{"": func(s sample) float64 { return s.ended }}, "")
	over("From request to callback", "milliseconds", line{", p50": func(s sample) float64 { return ms(s.waits.at(50)) }, ", p99": func(s sample) float64 { return ms(s.waits.at(99)) }}, ", p50", ", p99")
	over("Memory of the gateways", "MiB", line{"": func(s sample) float64 { return s.memory }}, "")
	over("Orders between request and callback", "orders", line{"": func(s sample) float64 { return float64(s.inFlight) }}, "")
	over("Longest time that something due has waited", "milliseconds", line{", order": func(s sample) float64 { return ms(s.oldestOrder) },
		", callback": func(s sample) float64 { return ms(s.oldestCallback) }}, ", order", ", callback")
	over("Size of the database", "MiB", line{"": func(s sample) float64 { return s.database }}, "")
	var curves []series
	for _, e := range ends {
		curves = append(curves, series{Name: e.house.name, Points: e.whole.waits.curve()})
	}
	l.report.plot(plot{Title: "From request to callback, all orders", X: axis{"percentile", nines}, Y: axis{"milliseconds", logarithmic}, Series: curves})
}
