package server_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout/server"
	"payout/sign"

	"payout/storage/storagetest"
)

var update = flag.Bool("update", false, "rewrite the table of METRICS.md")

// A metric is one row of METRICS.md.
type metric struct{ name, kind, labels, help string }

var (
	description = regexp.MustCompile(`^Desc\{fqName: "(\w+)", help: (".*"), unit: "\w*", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	constLabel  = regexp.MustCompile(`(\w+)="`)
)

// described are the server's own metrics as it describes them, by name.
func described(t *testing.T) map[string]metric {
	t.Helper()
	texts, err := server.Descriptions(t.Context(), newConfig(t))
	check(t, err)
	found := make(map[string]metric)
	for _, text := range texts {
		m := description.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s is not understood", text)
		}
		help, err := strconv.Unquote(m[2])
		check(t, err)
		check(t, err)
		var labels []string
		for _, c := range constLabel.FindAllStringSubmatch(m[3], -1) {
			labels = append(labels, c[1])
		}
		if m[4] != "" {
			labels = append(labels, strings.Split(m[4], ",")...)
		}
		if strings.HasPrefix(m[1], "payoutd_") {
			found[m[1]] = metric{name: m[1], labels: strings.Join(labels, ", "), help: help, kind: "gauge"}
		}
	}
	return found
}

// A scrape is what /metrics has answered: the value of each series.
type scrape map[string]float64

var kindLine = regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`)

// scrape reads the metrics, and notes what kinds they are.
func (h *house) scrape(kinds map[string]string) scrape {
	h.t.Helper()
	status, body := h.get("http://" + h.addr.Metrics + "/metrics")
	if status != http.StatusOK {
		h.t.Fatalf("/metrics answers %d %s", status, body)
	}
	s := make(scrape)
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := cutLast(line)
		n, err := strconv.ParseFloat(value, 64)
		check(h.t, err)
		s[name] = n
	}
	for _, m := range kindLine.FindAllStringSubmatch(body, -1) {
		kinds[m[1]] = m[2]
	}
	return s
}

func cutLast(line string) (before, after string, found bool) {
	i := strings.LastIndexByte(line, ' ')
	return line[:i], line[i+1:], i >= 0
}

// A moving metric says which series must have grown, or become something, when a
// deed was done; seen is asked again until it holds.
type moving struct {
	series string
	seen   func(before, after float64) bool
}

func grown(before, after float64) bool { return after > before }
func above0(_, after float64) bool     { return after > 0 }
func isOne(_, after float64) bool      { return after == 1 }
func hasRested(_, after float64) bool  { return after >= 1 }
func isAClock(_, after float64) bool {
	return time.Since(time.UnixMicro(int64(after*1e6))).Abs() < time.Minute
}
func smallNumber(_, after float64) bool { return after > -2 && after < 2 }

// deeds are done one after the other with a server, and after each one its
// metrics must have moved. What a running server cannot be brought to in a test is
// in elsewhere.
var deeds = []struct {
	name  string
	do    func(h *house, hanging string)
	moves []moving
}{
	{"nothing", func(*house, string) {}, []moving{
		{`payoutd_build_info{database="sqlite",go_version=`, isOne}, {"payoutd_time_seconds", isAClock}, {"payoutd_database_writable", isOne},
		{"payoutd_sqlite_bytes", above0}, {"payoutd_sqlite_wal_bytes", above0}, {"payoutd_sqlite_disk_free_bytes", above0},
	}},
	{"a payout whose callback is taken", func(h *house, _ string) {
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		h.t.Cleanup(receiver.Close)
		h.pay("good", "1234567890", callbackTo(receiver.URL))
	}, []moving{
		{`payoutd_orders_accepted_total{command="v4/payout"}`, grown}, {`payoutd_request_seconds_count{command="v4/payout",verdict="ok"}`, grown},
		{`payoutd_request_seconds_sum{command="v4/payout",verdict="ok"}`, grown},
		{`payoutd_rail_answers_total{gate="Bank",result="approved"}`, grown}, {`payoutd_rail_seconds_count{gate="Bank"}`, grown},
		{`payoutd_order_seconds_count{stage="approved"}`, grown}, {`payoutd_callback_attempts_total{state="delivered"}`, grown},
		{"payoutd_callback_seconds_count", grown}, {`payoutd_commits_total{end="stored"}`, grown}, {"payoutd_commit_seconds_sum", grown},
		{"payoutd_commit_writes_sum", grown}, {"payoutd_commit_rows_sum", grown}, {"payoutd_nonces_stored_total", grown},
	}},
	{"requests of strangers, too many for the journal", func(h *house, _ string) {
		for range 80 {
			r, err := h.client.Post(h.base+"/api/v4/payout/39915", "application/x-www-form-urlencoded", strings.NewReader("a=b"))
			check(h.t, err)
			r.Body.Close()
		}
	}, []moving{
		{`payoutd_request_seconds_count{command="v4/payout",verdict="denied"}`, grown}, {`payoutd_journal_unkept_total{why="pace"}`, grown},
	}},
	{"a rail that does not answer", func(h *house, _ string) { h.pay("silent", "2000000021") }, []moving{
		{`payoutd_orders{stage="doubtful"}`, above0}, {`payoutd_orders_oldest_doubtful_age_seconds{gate="Bank"}`, above0}, {`payoutd_rail_answers_total{gate="Bank",result="lost"}`, grown},
	}},
	{"more orders than the gate takes at once", func(h *house, _ string) {
		for i := range 20 {
			h.pay(fmt.Sprint("slow-", i), slow3s)
		}
	}, []moving{
		{`payoutd_gate_orders_under_way{gate="Bank"}`, above0}, {`payoutd_gate_share_orders{gate="Bank"}`, above0}, {`payoutd_orders_oldest_due_age_seconds{gate="Bank"}`, above0},
		{`payoutd_orders_due{gate="Bank"}`, above0},
	}},
	{"more callbacks than a receiver is sent at once", func(h *house, hanging string) {
		for i := range 40 {
			h.pay(fmt.Sprint("told-", i), "1234567890", callbackTo(hanging))
		}
	}, []moving{
		{`payoutd_callbacks_under_way`, above0}, {"payoutd_callbacks_oldest_due_age_seconds", above0}, {"payoutd_callbacks_due", above0},
	}},
	{"a rail that is down", func(h *house, _ string) {
		for i := range 8 {
			h.pay(fmt.Sprint("down-", i), "2000000040")
		}
	}, []moving{
		{`payoutd_gate_circuit_state{gate="Bank"}`, hasRested}, {`payoutd_rail_answers_total{gate="Bank",result="unsent"}`, grown},
	}},
	{"a request", func(h *house, _ string) { h.status("good") }, []moving{
		{`payoutd_request_seconds_count{command="v4/status",verdict="ok"}`, grown},
	}},
}

// onPostgres is what only a server on PostgreSQL has.
var onPostgres = []moving{
	{`payoutd_build_info{database="postgres",go_version=`, isOne}, {`payoutd_postgres_connections{state="max"}`, above0},
	{`payoutd_postgres_connections{state="idle"}`, above0}, {"payoutd_postgres_connection_waits_total", above0},
	{"payoutd_postgres_connection_wait_seconds_total", above0}, {"payoutd_database_clock_ahead_seconds", smallNumber},
}

// elsewhere names the test that moves what a healthy server cannot.
var elsewhere = map[string]string{
	"payoutd_requests_under_way":       "../api/overload_test.go",
	"payoutd_journal_waiting":          "../gateway/journal_test.go",
	"payoutd_late_outcomes_total":      "../gateway/chain_test.go",
	"payoutd_writes_refused_total":     "../storage/metrics_test.go",
	"payoutd_writes_waiting":           "../storage/metrics_test.go",
	"payoutd_questions_waiting":        "../storage/metrics_test.go",
	"payoutd_nonces_forgotten_total":   "../storage/metrics_test.go",
	"payoutd_nonce_oldest_age_seconds": "../storage/metrics_test.go",
}

func callbackTo(url string) sign.Pair { return sign.Pair{Name: "server_callback_url", Value: url} }

// hangingReceiver takes callbacks and does not answer until the test ends.
func hangingReceiver(t *testing.T) string {
	t.Helper()
	ended := make(chan struct{})
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-ended:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(ended); receiver.Close() })
	return receiver.URL
}

// value is a series' value. A series that ends in = stands for the only one that
// begins so.
func (s scrape) value(series string) (float64, bool) {
	if n, ok := s[series]; ok || !strings.HasSuffix(series, "=") {
		return n, ok
	}
	for name, n := range s {
		if strings.HasPrefix(name, series) {
			return n, true
		}
	}
	return 0, false
}

// watch waits until all series have moved.
func (h *house) watch(deed string, before scrape, moves []moving, kinds map[string]string) {
	h.t.Helper()
	for _, m := range moves {
		old, _ := before.value(m.series)
		eventually(h.t, within, deed+" moves "+m.series, func() bool {
			n, ok := h.scrape(kinds).value(m.series)
			return ok && m.seen(old, n)
		})
	}
}

// Each metric is described, documented, has its unit in its name, and is moved by
// what it counts.
func TestMetricsAreDocumentedAndMove(t *testing.T) {
	t.Parallel()
	metrics, kinds := described(t), make(map[string]string)
	moved := make(map[string]bool)
	noted := func(moves []moving) {
		for _, m := range moves {
			name, _, _ := strings.Cut(m.series, "{")
			for _, suffix := range []string{"", "_count", "_sum"} {
				moved[strings.TrimSuffix(name, suffix)] = true
			}
		}
	}
	c := newConfig(t)
	c.MetricsListen = "127.0.0.1:0"
	h := start(t, c)
	hanging := hangingReceiver(t)
	for _, d := range deeds {
		before := h.scrape(kinds)
		d.do(h, hanging)
		h.watch(d.name, before, d.moves, kinds)
		noted(d.moves)
	}
	noted(onPostgres)
	for name, file := range elsewhere {
		text, err := os.ReadFile(file)
		check(t, err)
		if !strings.Contains(string(text), `"`+name+`"`) {
			t.Errorf("%s does not look at %s", file, name)
		}
		moved[name] = true
	}
	for name := range metrics {
		if !moved[name] {
			t.Errorf("no test moves %s", name)
		}
	}
	document(t, metrics, kinds)
}

func TestMetricsOfPostgresMove(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.Database, c.MetricsListen = storagetest.Postgres(t), "127.0.0.1:0"
	setUp(t, c)
	h := start(t, c)
	h.watch("a start on PostgreSQL", scrape{}, onPostgres, make(map[string]string))
}

// units are the ends of names that say what is counted; what counts things has
// their name.
var units = regexp.MustCompile(`_(seconds|bytes|total|info|state|writable|rows|writes|waiting|due|under_way|orders|connections)$`)

// document compares METRICS.md with the program, or writes it.
func document(t *testing.T, metrics map[string]metric, kinds map[string]string) {
	t.Helper()
	var names []string
	for name := range metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	table := "\n| metric | kind | labels | what it tells |\n| --- | --- | --- | --- |\n"
	for _, name := range names {
		m := metrics[name]
		if kind, ok := kinds[name]; ok {
			m.kind = kind
		} else if strings.HasSuffix(name, "_total") {
			m.kind = "counter"
		}
		if (m.kind == "counter") != strings.HasSuffix(name, "_total") || !units.MatchString(name) {
			t.Errorf("%s is a %s: its name must say so, and have its unit", name, m.kind)
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
	}
	file := filepath.Join("..", "METRICS.md")
	text, err := os.ReadFile(file)
	check(t, err)
	const begin, end = "<!-- metrics -->", "<!-- end -->"
	head, rest, _ := strings.Cut(string(text), begin)
	old, tail, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no %s and %s", file, begin, end)
	}
	if *update {
		check(t, os.WriteFile(file, []byte(head+begin+table+end+tail), 0o644))
		return
	}
	if diff := cmp.Diff(strings.Split(old, "\n"), strings.Split(table, "\n")); diff != "" {
		t.Errorf("%s has changed; run go test ./server -run TestMetrics -update (-want +got):\n%s", file, diff)
	}
}
