package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func sampleReport(out io.Writer) *report {
	r := newReport(out, "a <b>title</b>")
	t := r.table("Medians & more", whatColumn, column{"per second", rate, 10}, column{"of ceiling", ratio, 10}, column{"p99", wait, 10}, column{"CPU each", spent, 10})
	t.add("<i>first</i>", 1234.5, 0.456, 12340*time.Microsecond, 56*time.Microsecond)
	t.add("second", nil, 1.5)
	t.note("a note of %d <words>", 3)
	r.plot(plot{Title: "waits <x>", X: axis{"percentile", nines}, Y: axis{"milliseconds", logarithmic}, Series: []series{
		{Name: "empty"}, {Name: "one & only", Points: [][2]float64{{50, 1}, {99, 10}, {99.9, 100}}}}})
	return r
}

func TestATableIsPrintedInColumns(t *testing.T) {
	var out bytes.Buffer
	sampleReport(&out)
	lines := strings.Split(out.String(), "\n")
	if want := "<i>first</i>                                    1234        0.46    12.34 ms       56 us"; !slices.Contains(lines, want) {
		t.Errorf("there is no line\n%s\nin\n%s", want, out.String())
	}
	if want := "second                                                      1.50"; !slices.Contains(lines, want) {
		t.Errorf("there is no line\n%s\nin\n%s", want, out.String())
	}
}

func TestWaitsAreShownAsPreciselyAsPeopleRead(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0.00 ms", 1234 * time.Microsecond: "1.23 ms", 99_990 * time.Microsecond: "99.99 ms", 100 * time.Millisecond: "100 ms",
		9999 * time.Millisecond: "9999 ms", 10 * time.Second: "10.0 s"} {
		if got := wait.show(d); got != want {
			t.Errorf("%s is shown as %q, want %q", d, got, want)
		}
	}
}

func TestJSONHasWaitsAsNumbersInTheirUnit(t *testing.T) {
	text, err := json.Marshal(sampleReport(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Tables[0].Rows[0]); got != "[<i>first</i> 1234.5 0.456 12.34 56]" {
		t.Errorf("the row is %s", got)
	}
	if got := r.Tables[0].Rows[1][3]; got != nil {
		t.Errorf("what is not there is %v", got)
	}
	if len(r.Plots) != 1 || len(r.Plots[0].Series) != 1 || r.Plots[0].Series[0].Name != "one & only" {
		t.Errorf("the plots are %+v", r.Plots)
	}
}

func TestThePageAsksNobodyForAnything(t *testing.T) {
	page, err := sampleReport(io.Discard).html()
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for _, way := range []string{"http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link"} {
		if strings.Contains(text, way) {
			t.Errorf("the page has %q", way)
		}
	}
	if !strings.Contains(text, "default-src 'none'") {
		t.Error("the page does not forbid requests")
	}
	for _, raw := range []string{"<b>title", "<i>first", "<words>", "<x>"} {
		if strings.Contains(text, raw) {
			t.Errorf("%q is not escaped", raw)
		}
	}
}

func TestAPlotIsWellFormedAndInsideItsFrame(t *testing.T) {
	for _, p := range []plot{
		sampleReport(io.Discard).Plots[0],
		{Title: "one point", X: axis{"round", linear}, Y: axis{"per second", linear}, Series: []series{{Name: "a", Points: [][2]float64{{1, 5}}}}},
		{Title: "nothing but 0", X: axis{"s", linear}, Y: axis{"n", linear}, Series: []series{{Name: "a", Points: [][2]float64{{0, 0}, {1, 0}}}}},
		{Title: "the same", X: axis{"s", linear}, Y: axis{"ms", logarithmic}, Series: []series{{Name: "a", Points: [][2]float64{{0, 7}, {1, 7}}}}},
	} {
		text := string(p.svg())
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: %s", p.Title, text)
		}
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", p.Title, err)
			}
		}
		f := newFrame(p)
		for _, s := range p.Series {
			for _, point := range s.Points {
				if x, y := f.at(point); x < plotLeft || x > plotWidth-plotRight || y < plotTop || y > plotHeight-plotBottom {
					t.Errorf("%s: %v is at %g, %g", p.Title, point, x, y)
				}
			}
		}
	}
}

func TestTicksAreRoundAndInside(t *testing.T) {
	for _, c := range []struct {
		scale     scale
		low, high float64
		want      string
	}{
		{linear, 0, 10, "[0 2 4 6 8 10]"},
		{linear, 0, 13200, "[0 5000 10000]"},
		{whole, 1, 3, "[1 2 3]"},
		{whole, 1, 100, "[20 40 60 80 100]"},
		{linear, 0.9, 1.1, "[0.9 0.95 1 1.05 1.1]"},
		{logarithmic, -1, 1, "[0.1 0.2 0.5 1 2 5 10]"},
		{logarithmic, -3, 3, "[0.001 0.01 0.1 1 10 100 1000]"},
		{nines, 0, 3.5, "[0 50 90 99 99.9]"},
	} {
		got := ticks(c.scale, c.low, c.high)
		for i := range got {
			got[i] = math.Round(got[i]*1e6) / 1e6
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s from %g to %g: %v, want %s", c.scale, c.low, c.high, got, c.want)
		}
	}
}

func TestMedianIsTheMiddleValue(t *testing.T) {
	if got := median([]float64{5, 1, 3}); got != 3 {
		t.Errorf("median of three is %g", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 3 {
		t.Errorf("median of four is %g, want the higher of both", got)
	}
}

func TestComparisonsAreMadeRoundByRound(t *testing.T) {
	r := newReport(io.Discard, "")
	l := &lab{report: r}
	table := l.comparisons()
	compare(table, "a / b", &score{rates: []float64{10, 20, 90}}, &score{rates: []float64{10, 10, 100}})
	compare(table, "a / nothing", &score{rates: []float64{10}}, nil)
	if got := fmt.Sprint(table.Rows); got != "[[a / b 1 0.9 2]]" {
		t.Errorf("compared %s", got)
	}
}

func TestProgressIsABarOnATerminalAndLinesElsewhere(t *testing.T) {
	var out bytes.Buffer
	at := time.Unix(0, 0)
	p := &progress{out: &out, now: func() time.Time { return at }, shown: at}
	for range 5 {
		at = at.Add(lineEvery / 2)
		p.show("storing", 1, 4)
	}
	p.clear()
	if got := out.String(); got != "storing: 1 of 4\nstoring: 1 of 4\n" {
		t.Errorf("lines: %q", got)
	}
	out.Reset()
	p.live = true
	at = at.Add(liveEvery)
	p.show("storing", 2, 4)
	p.clear()
	if got := out.String(); got != "\r[###############...............] storing: 2 of 4\x1b[K\r\x1b[K" {
		t.Errorf("bar: %q", got)
	}
}

func TestTheStorageCeilingIsReadFromPgbench(t *testing.T) {
	got, err := parsePgbench("latency average = 6.9 ms\ninitial connection time = 80.1 ms\ntps = 9273.481005 (without initial connection time)\n")
	if err != nil || got != 9273.481005 {
		t.Errorf("read %g, %v", got, err)
	}
	if _, err := parsePgbench("connection to server failed"); err == nil {
		t.Error("a rate was read from nothing")
	}
}

func TestSettingsOfAPoolAreNotForPgbench(t *testing.T) {
	for given, want := range map[string]string{
		"postgres:///x?host=/tmp&pool_max_conns=8":        "postgres:///x?host=/tmp",
		"postgres:///x?pool_max_conns=8&host=/tmp":        "postgres:///x?host=/tmp",
		"postgres://u@h/x?pool_max_conn_lifetime=1h":      "postgres://u@h/x",
		"postgres://u@h/x?sslmode=disable&user=poolowner": "postgres://u@h/x?sslmode=disable&user=poolowner",
	} {
		if got := plainURL(given); got != want {
			t.Errorf("%s became %s, want %s", given, got, want)
		}
	}
}
