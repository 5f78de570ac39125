package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// An entry is one of several things that are measured in turn, round by round, so
// that a machine that is slow for a while is slow for all of them.
type entry struct {
	label   string
	group   string // whose plots it is in; empty: all
	ceiling string // label of the entry that it is compared with; or empty
	store   string // label of the storage ceiling; or empty
	ready   func(context.Context) error
	measure func(context.Context) (measurement, error)
	hidden  bool // its rate and nothing else is known
}

// A score is what an entry reached in all rounds.
type score struct {
	entry
	rates, ofCeiling, ofStore []float64
	cpu                       []time.Duration
	waits                     latencies
	failures                  int
	withStore                 bool // some entry of the contest is compared with the storage ceiling
}

var (
	whatColumn  = column{"what", text, 40}
	waitColumns = []column{{"p50", wait, 10}, {"p90", wait, 10}, {"p99", wait, 10}, {"p99.9", wait, 10}, {"max", wait, 10}}
)

// waitsOf are the values of waitColumns.
func waitsOf(l *latencies) []any {
	if l == nil || l.count() == 0 {
		return []any{nil, nil, nil, nil, nil}
	}
	return []any{l.at(50), l.at(90), l.at(99), l.at(99.9), l.most()}
}

// contest measures entries in turn and reports each round, the medians, and plots.
// What stands in front must be measured first: an entry's ceiling comes before it,
// and is called against in the tables.
func (l *lab) contest(ctx context.Context, title, against string, rounds int, entries []entry) ([]*score, error) {
	scores := make([]*score, len(entries))
	for i, e := range entries {
		scores[i] = &score{entry: e, withStore: hasStore(entries)}
	}
	t := l.report.details(title+", each round", append([]column{{"round", count, 5}}, scoreColumns(against, entries)...)...)
	for round := 1; round <= rounds; round++ {
		for i, s := range scores {
			l.progress.show(title+", "+s.label, (round-1)*len(entries)+i, rounds*len(entries))
			if s.ready != nil {
				if err := s.ready(ctx); err != nil {
					return nil, fmt.Errorf("%s: %w", s.label, err)
				}
			}
			m, err := s.measure(ctx)
			if ctx.Err() != nil {
				return nil, ctx.Err() // half a measurement is none
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.label, err)
			}
			l.progress.clear()
			t.add(append([]any{round}, s.row(s.take(m, scores), m.waits, m.failures(), m.cpuEach())...)...)
			if m.first != nil {
				t.note("first error: %v", m.first)
			}
		}
	}
	l.medians(title, against, scores)
	return scores, nil
}

// hasStore reports whether an entry is compared with the storage ceiling.
func hasStore(entries []entry) bool {
	return slices.ContainsFunc(entries, func(e entry) bool { return e.store != "" })
}

// scoreColumns are the columns of tables of scores.
func scoreColumns(against string, entries []entry) []column {
	columns := []column{whatColumn, {"per second", rate, 10}, {"of " + against, ratio, 10}}
	if hasStore(entries) {
		columns = append(columns, column{"of pgbench", ratio, 10})
	}
	return slices.Concat(columns, waitColumns, []column{{"errors", count, 6}, {"CPU each", spent, 9}})
}

// A rating is a rate and its ratios, as they are told: nil where there is none.
type rating struct{ rate, ofCeiling, ofStore any }

// row are the values of scoreColumns.
func (s *score) row(r rating, waits *latencies, failures int, cpu time.Duration) []any {
	values := []any{s.label, r.rate, r.ofCeiling}
	if s.withStore {
		values = append(values, r.ofStore)
	}
	values = append(values, waitsOf(waits)...)
	if s.hidden {
		return values
	}
	values = append(values, failures)
	if cpu > 0 {
		values = append(values, cpu)
	}
	return values
}

// take adds a measurement to a score, and returns its rate and the ratios.
func (s *score) take(m measurement, scores []*score) rating {
	s.rates = append(s.rates, m.perSecond())
	s.waits.merge(m.waits)
	s.failures += m.failures()
	if m.cpu > 0 {
		s.cpu = append(s.cpu, m.cpuEach())
	}
	r := rating{rate: m.perSecond()}
	if c := scoreOf(scores, s.ceiling); c != nil && len(c.rates) == len(s.rates) {
		s.ofCeiling = append(s.ofCeiling, m.perSecond()/c.rates[len(c.rates)-1])
		r.ofCeiling = s.ofCeiling[len(s.ofCeiling)-1]
	}
	if c := scoreOf(scores, s.store); c != nil && len(c.rates) == len(s.rates) {
		s.ofStore = append(s.ofStore, m.perSecond()/c.rates[len(c.rates)-1])
		r.ofStore = s.ofStore[len(s.ofStore)-1]
	}
	return r
}

func scoreOf(scores []*score, label string) *score {
	for _, s := range scores {
		if label != "" && s.label == label {
			return s
		}
	}
	return nil
}

// medians reports the medians of all rounds, and plots them.
func (l *lab) medians(title, against string, scores []*score) {
	var entries []entry
	for _, s := range scores {
		entries = append(entries, s.entry)
	}
	t := l.report.table(title+": medians of rates and ratios, all waits", scoreColumns(against, entries)...)
	for _, s := range scores {
		cpu := time.Duration(0)
		if len(s.cpu) > 0 {
			cpu = median(s.cpu)
		}
		t.add(s.row(rating{median(s.rates), medianOrNil(s.ofCeiling), medianOrNil(s.ofStore)}, &s.waits, s.failures, cpu)...)
	}
	l.plotScores(title, scores)
}

// plotScores plots rates and waits, of each group by itself.
func (l *lab) plotScores(title string, scores []*score) {
	var groups []string
	for _, s := range scores {
		if s.group != "" && !slices.Contains(groups, s.group) {
			groups = append(groups, s.group)
		}
	}
	if len(groups) == 0 {
		groups = []string{""}
	}
	for _, group := range groups {
		name := title
		if len(groups) > 1 {
			name += ", " + group
		}
		var rates, curves []series
		for _, s := range scores {
			if s.group != "" && s.group != group {
				continue
			}
			points := make([][2]float64, len(s.rates))
			for i, r := range s.rates {
				points[i] = [2]float64{float64(i + 1), r}
			}
			reference := s.ceiling == "" && s.store == ""
			rates = append(rates, series{Name: s.label, Points: points, reference: reference})
			curves = append(curves, series{Name: s.label, Points: s.waits.curve(), reference: reference})
		}
		l.report.plot(plot{Title: name + ": rate in each round", X: axis{"round", whole}, Y: axis{"per second", linear}, Series: rates})
		l.report.plot(plot{Title: name + ": waits", X: axis{"percentile", nines}, Y: axis{"milliseconds", logarithmic}, Series: curves})
	}
}

// compare reports the ratio of two scores, taken round by round.
func compare(t *table, what string, a, b *score) {
	if a == nil || b == nil || len(a.rates) == 0 || len(a.rates) != len(b.rates) {
		return
	}
	ratios := make([]float64, len(a.rates))
	for i := range ratios {
		ratios[i] = a.rates[i] / b.rates[i]
	}
	t.add(what, median(ratios), slices.Min(ratios), slices.Max(ratios))
}

// comparisons begins a table for compare.
func (l *lab) comparisons() *table {
	return l.report.table("Comparisons, round by round", column{"what", text, 76}, column{"median", ratio, 8}, column{"least", ratio, 8}, column{"most", ratio, 8})
}

// median is the middle one of some values; of an even number, the higher of both.
func median[T ~float64 | ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func medianOrNil(values []float64) any {
	if len(values) == 0 {
		return nil
	}
	return median(values)
}

// storeEntry measures the storage ceiling of a house, if it has one.
func (l *lab) storeEntry(h *house, clients int, duration time.Duration) []entry {
	if h.engine != "postgres" {
		return nil
	}
	return []entry{{label: storeLabel(h), hidden: true, measure: func(ctx context.Context) (measurement, error) {
		tps, err := pgbench(ctx, l.work, h.database, clients, duration)
		seconds := max(duration, time.Second)
		return measurement{done: int(tps * seconds.Seconds()), took: seconds}, err
	}}}
}

func storeLabel(h *house) string {
	if h.engine != "postgres" {
		return ""
	}
	return "pgbench, one insert each"
}
