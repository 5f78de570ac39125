package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"payout/storage/storagetest"
)

// TestMain is payoutbench itself when payoutbench has started it as a server.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "serve-") {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// moment runs a command for a moment and returns what it printed and its report.
func moment(t *testing.T, args ...string) (string, report) {
	t.Helper()
	dir := t.TempDir()
	jsonFile, htmlFile := filepath.Join(dir, "report.json"), filepath.Join(dir, "report.html")
	var out, progress bytes.Buffer
	args = append(args, "--dir", dir, "--json", jsonFile, "--html", htmlFile)
	if err := run(t.Context(), terminal{&out, &progress}, args); err != nil {
		t.Fatalf("%v: %v\n%s\n%s", args, err, out.String(), progress.String())
	}
	text, err := os.ReadFile(jsonFile)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(htmlFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(page, []byte("<svg")) {
		t.Error("the page has no plot")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "run-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	return out.String(), r
}

// both runs a command for a moment on both engines, and checks that no request failed.
func both(t *testing.T, args ...string) report {
	t.Helper()
	out, r := moment(t, append(args, "--engine", "sqlite,postgres", "--database", storagetest.Postgres(t))...)
	for _, name := range []string{"SQLite", "PostgreSQL"} {
		if !strings.Contains(out, name) {
			t.Errorf("nothing was measured on %s:\n%s", name, out)
		}
	}
	failed := 0
	for _, table := range r.Tables {
		for i, c := range table.Columns {
			for _, row := range table.Rows {
				if n, ok := row[i].(float64); ok && c.Name == "errors" {
					failed += int(n)
				}
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d requests failed:\n%s", failed, out)
	}
	return r
}

// patiently measures until every figure is above zero: on a busy machine a moment
// may be too short for a single order. Each time is ten times as long.
func patiently(t *testing.T, measure func(times int) []float64) {
	t.Helper()
	var done []float64
	for _, times := range []int{1, 10, 100} {
		done = measure(times)
		if !slices.ContainsFunc(done, func(v float64) bool { return v <= 0 }) {
			return
		}
	}
	t.Errorf("nothing was done at the zeros of %v", done)
}

func ms(n int) string { return fmt.Sprint(n, "ms") }

// values finds the values of several rows in a column.
func (r report) values(t *testing.T, title, column string, rows ...string) (values []float64) {
	t.Helper()
	for _, row := range rows {
		values = append(values, r.value(t, title, row, column))
	}
	return values
}

// value finds a value of a report by its table's title, its row's first text that
// begins so, and its column.
func (r report) value(t *testing.T, title, row, column string) float64 {
	t.Helper()
	for _, table := range r.Tables {
		if table.Title != title {
			continue
		}
		for _, values := range table.Rows {
			for i, c := range table.Columns {
				if label, ok := values[labelOf(table)].(string); ok && strings.HasPrefix(label, row) && c.Name == column {
					if v, ok := values[i].(float64); ok {
						return v
					}
				}
			}
		}
	}
	t.Fatalf("there is no %q of %q in %q", column, row, title)
	return 0
}

func labelOf(table *table) int {
	for i, c := range table.Columns {
		if c.Kind == text {
			return i
		}
	}
	return 0
}

func TestAcceptMeasuresAllCases(t *testing.T) {
	const title = "Accepted orders: medians of rates and ratios, all waits"
	patiently(t, func(times int) []float64 {
		r := both(t, "accept", "--duration", ms(100*times), "--rounds", "1", "--connections", "4", "--per-second", "2000", "--parties", "1,3", "--nodes", "1,2")
		done := r.values(t, title, "per second", "ceiling, RSA-2048", "ceiling, RSA-2048, 2 processes", "SQLite, RSA-2048, 3 parties", "PostgreSQL, RSA-2048, 1 party, 2 nodes", "pgbench")
		return append(done, r.value(t, title, "PostgreSQL", "of pgbench"), r.value(t, title, "SQLite", "of ceiling"))
	})
}

func TestAcceptStartsAClusterOfItsOwnAndRemovesIt(t *testing.T) {
	if _, err := postgresPrograms(); err != nil {
		if os.Getenv("PAYOUTD_TEST_POSTGRES_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	// t.TempDir lies below a folder that PostgreSQL's own user may not enter.
	dir, err := os.MkdirTemp("", "payoutbench-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	var out, progress bytes.Buffer
	err = run(t.Context(), terminal{&out, &progress}, []string{"accept", "--engine", "postgres", "--duration", "50ms", "--rounds", "1", "--connections", "2",
		"--per-second", "1000", "--rate", "100", "--dir", dir})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestStatusMeasuresBothVersionsAndTheAcceptsBesideThem(t *testing.T) {
	patiently(t, func(times int) []float64 {
		r := both(t, "status", "--duration", ms(100*times), "--rounds", "1", "--connections", "4", "--per-second", "2000", "--orders", "50")
		done := r.values(t, "Answered questions: medians of rates and ratios, all waits", "per second",
			"ceiling, v4", "ceiling, v2", "SQLite, v4", "SQLite, v2", "PostgreSQL, v4", "PostgreSQL, v2")
		return append(done, r.values(t, "Accepts beside the same party's polls: medians of rates and ratios, all waits", "per second",
			"SQLite, those polls", "PostgreSQL, accepts beside polls")...)
	})
}

func TestE2EMeasuresOrdersUntilTheirCallbackIsAnswered(t *testing.T) {
	patiently(t, func(times int) []float64 {
		r := both(t, "e2e", "--duration", ms(300*times), "--rounds", "1", "--connections", "4", "--per-second", "1000", "--in-flight", "8", "--receivers", "2", "--parties", "2")
		return r.values(t, "Orders from request to callback: medians of rates and ratios, all waits", "per second",
			"SQLite, accepts", "SQLite, e2e", "PostgreSQL, accepts", "PostgreSQL, e2e")
	})
}

func TestCallbacksMeasuresTheOthersBesideAReceiverThatHangs(t *testing.T) {
	r := both(t, "callbacks", "--duration", "300ms", "--rate", "20", "--connections", "4", "--hanging", "30", "--receivers", "2")
	for _, row := range []string{"SQLite, others alone", "SQLite, others beside it", "PostgreSQL, others alone", "PostgreSQL, others beside it"} {
		if got := r.value(t, "Time from an order's end to its callback", row, "callbacks"); got != 6 {
			t.Errorf("%s: %g callbacks came, want 6", row, got)
		}
	}
}

func TestSoakTellsHowThingsStandOverTime(t *testing.T) {
	patiently(t, func(times int) []float64 {
		r := both(t, "soak", "--duration", ms(600*times), "--accepts", ms(50*times), "--connections", "4", "--in-flight", "8", "--receivers", "2")
		if len(r.Plots) != 7 {
			t.Errorf("%d plots", len(r.Plots))
		}
		done := r.values(t, "The whole run", "ended/s", "SQLite", "PostgreSQL")
		done = append(done, r.values(t, "The whole run", "accepts/s", "SQLite", "PostgreSQL")...)
		return append(done, r.values(t, "Medians of the first third and of the last", "memory", "SQLite", "PostgreSQL")...)
	})
}

func TestGrowMeasuresFewAndManyOrders(t *testing.T) {
	patiently(t, func(times int) (done []float64) {
		r := both(t, "grow", "--orders", "100,1000", "--duration", ms(50*times), "--rounds", "1", "--connections", "4", "--per-second", "1000", "--parties", "3", "--due", "64")
		for _, engine := range []string{"SQLite, ", "PostgreSQL, "} {
			done = append(done, r.values(t, "Accept, status and claim: medians of rates and ratios, all waits", "per second",
				engine+"100 orders: accept", engine+"1 000 orders: accept", engine+"1 000 orders: status", engine+"1 000 orders: claim")...)
		}
		return done
	})
}

func TestGrowTakesItsDatabaseAgain(t *testing.T) {
	dir := t.TempDir()
	once := func() {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), terminal{&out, &out}, []string{"grow", "--orders", "500", "--duration", "20ms", "--rounds", "1", "--connections", "2",
			"--per-second", "500", "--parties", "2", "--due", "64", "--dir", dir}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
	}
	once()
	database := filepath.Join(dir, "grow", "sqlite", "payoutbench_grow_500.db")
	before, err := os.Stat(database)
	if err != nil {
		t.Fatal(err)
	}
	once()
	after, err := os.Stat(database)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the second run made the database anew: %v", err)
	}
}

func TestAnInterruptedRunStopsAndRemovesWhatItStarted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &interrupter{after: "Accepted orders", interrupt: cancel}
	err := run(ctx, terminal{out, io.Discard}, []string{"accept", "--duration", "1h", "--per-second", "1", "--connections", "2", "--rate", "1", "--dir", dir})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// An interrupter interrupts a run when it has printed something.
type interrupter struct {
	after     string
	interrupt func()
}

func (i *interrupter) Write(text []byte) (int, error) {
	if bytes.Contains(text, []byte(i.after)) {
		i.interrupt()
	}
	return len(text), nil
}

func TestFlagsThatCannotBeAreRefusedByName(t *testing.T) {
	for _, c := range [][]string{{"accept", "--connections", "0"}, {"accept", "--rate", "-1"}, {"accept", "--rounds", "0"}, {"accept", "--parties", "0"}, {"accept", "--parties", ""}, {"accept", "--bits", ""},
		{"accept", "--nodes", ""}, {"accept", "--nodes", "0"}, {"accept", "--nodes", "17"}, {"accept", "--nodes", "3", "--engine", "sqlite"}, {"e2e", "--nodes", "17"}, {"soak", "--nodes", "3"}, {"accept", "--duration", "0s"}, {"accept", "--bits", "1024"}, {"accept", "--engine", "mysql"},
		{"accept", "--engine", "sqlite", "--database", "postgres:///x"}} {
		var out bytes.Buffer
		err := run(t.Context(), terminal{&out, &out}, c)
		if err == nil || !strings.Contains(err.Error(), c[1]) && !strings.Contains(err.Error(), c[len(c)-2]) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
