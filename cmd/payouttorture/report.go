//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"payout"
	"payout/processor"
)

// A report is what a run did and found.
type report struct {
	*torture
	took     time.Duration
	findings []finding

	outcomes  map[string]int // orders by status
	callbacks map[payout.CallbackState]int
	delivered int            // callbacks that receivers were sent
	errors    map[string]int // lines of the nodes' logs above INFO, by message
	twice     int            // payments of which the rail told a second time
	unstored  int            // orders that a client gave up before anything was stored
}

// count counts what is in the books.
func (r *report) count(b books) {
	r.outcomes, r.callbacks, r.errors = make(map[string]int), make(map[payout.CallbackState]int), make(map[string]int)
	for _, o := range b.orders {
		name := string(o.stage.Status())
		if !o.stage.Final() {
			name = string(o.stage)
		}
		r.outcomes[name]++
		for _, l := range o.late {
			if l.Result == string(processor.ResultApproved) {
				r.twice++
			}
		}
		for _, c := range o.callbacks {
			r.callbacks[c.State]++
		}
	}
	r.unstored = len(b.journal) - len(b.orders)
	for _, d := range b.deliveries {
		r.delivered += d.Times
	}
}

// logged counts the errors and warnings in a node's log.
func (r *report) logged(text []byte) {
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg, Verdict string }
		if json.Unmarshal(line, &entry) != nil || entry.Level != "ERROR" && entry.Level != "WARN" {
			continue
		}
		name := entry.Level + " " + entry.Msg
		if entry.Verdict != "" {
			name += " " + entry.Verdict
		}
		r.errors[name]++
	}
}

// print prints the report.
func (r *report) print(w io.Writer) {
	t := tallyOf(r.merchants)
	fmt.Fprintf(w, "\nseed %d, %s in all\n", r.seed, r.took.Round(time.Second))
	starts, ended := 0, 0
	for _, n := range r.nodes {
		starts, ended = starts+n.starts, ended+n.ended
	}
	fmt.Fprintln(w, "\nfaults")
	for _, k := range slices.Sorted(maps.Keys(r.made)) {
		fmt.Fprintf(w, "  %-28s %6d\n", k, r.made[k])
	}
	fmt.Fprintf(w, "  %-28s %6d, %d of them after a start without a database or the like\n", "starts of nodes", starts, ended)
	moods := make(map[mood]int)
	for _, receiver := range r.receivers {
		receiver.mu.Lock()
		for m, n := range receiver.count {
			moods[m] += n
		}
		receiver.mu.Unlock()
	}
	for _, m := range slices.Sorted(maps.Keys(moods)) {
		fmt.Fprintf(w, "  %-28s %6d\n", "callbacks, receiver "+string(m), moods[m])
	}
	fmt.Fprintln(w, "\nclients")
	for _, row := range []struct {
		name string
		n    int
	}{{"orders wished", t.orders}, {"requests for them", t.sends}, {"acknowledged orders", t.acknowledged}, {"answers lost", t.lost},
		{"refused with 503", t.busy}, {"given up and never stored", r.unstored}} {
		fmt.Fprintf(w, "  %-28s %6d\n", row.name, row.n)
	}
	section(w, "orders", r.outcomes)
	fmt.Fprintf(w, "  %-28s %6d\n", "told twice to be paid", r.twice)
	section(w, "callbacks", r.callbacks)
	section(w, "logs of the nodes", r.errors)
	fmt.Fprintln(w)
	for _, f := range r.findings {
		fmt.Fprintf(w, "FOUND   %s: %s\n", f.rule, f.what)
	}
	for _, rule := range slices.Sorted(maps.Keys(r.seen)) {
		if n := r.seen[rule]; n > findingsMost {
			fmt.Fprintf(w, "FOUND   %s: and %d more\n", rule, n-findingsMost)
		}
	}
	if len(r.findings) == 0 {
		fmt.Fprintln(w, "The books of clients, gateway, rail and receivers agree.")
	}
}

func section[K ~string](w io.Writer, title string, counts map[K]int) {
	fmt.Fprintf(w, "\n%s\n", title)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %-28s %6d\n", name, counts[name])
	}
}

// A show tells how far a run is: a line that changes on a terminal, a line now
// and then elsewhere.
type show struct {
	out     io.Writer
	verbose bool
	live    bool

	mu    sync.Mutex
	began time.Time
	now   string // phase
	last  string // fault
	open  bool   // the line is not ended
}

func newShow(out io.Writer, verbose bool) *show {
	s := &show{out: out, verbose: verbose, began: time.Now()}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		s.live = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// phase begins a phase.
func (s *show) phase(name string) {
	s.mu.Lock()
	s.now, s.last = name, ""
	s.mu.Unlock()
	s.say(name)
}

// fault tells of a fault that begins.
func (s *show) fault(of stream, f fault) {
	text := fmt.Sprintf("%s: %s, %s", of.name, f.kind, f.lasts.Round(time.Millisecond))
	s.mu.Lock()
	s.last = text
	s.mu.Unlock()
	if s.verbose {
		s.say("        " + text)
	}
}

// say prints a line.
func (s *show) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		fmt.Fprintf(s.out, "\r%-110s\r", "")
	}
	s.open = false
	fmt.Fprintf(s.out, "%8s  %s\n", time.Since(s.began).Round(100*time.Millisecond), line)
}

// line shows how far it is.
func (s *show) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text = fmt.Sprintf("%s: %s", s.now, text)
	if s.last != "" {
		text += "; " + s.last
	}
	if !s.live {
		fmt.Fprintf(s.out, "%8s  %s\n", time.Since(s.began).Round(100*time.Millisecond), text)
		return
	}
	fmt.Fprintf(s.out, "\r%-110.110s", fmt.Sprintf("%8s  %s", time.Since(s.began).Round(time.Second), text))
	s.open = true
}

// progress shows how far the run is until the function that it returns is called.
func (t *torture) progress() (stop func()) {
	every := 15 * time.Second
	if t.show.live {
		every = time.Second
	}
	tick := time.NewTicker(every)
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			c := tallyOf(t.merchants)
			t.mu.Lock()
			var faults []string
			for _, k := range []kind{failover, killNode, stopNode} {
				faults = append(faults, fmt.Sprintf("%d %s", t.made[k], strings.ReplaceAll(string(k), ", ", " and ")))
			}
			t.mu.Unlock()
			t.show.line(fmt.Sprintf("%d acknowledged, %d lost, %d times 503; %s", c.acknowledged, c.lost, c.busy, strings.Join(faults, ", ")))
		}
	})
	return func() {
		tick.Stop()
		close(ended)
		running.Wait()
	}
}
