package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"
)

// A report is what a run found: tables and plots, printed while it runs and
// written as JSON and HTML at its end.
type report struct {
	Title    string        `json:"title"`
	Settings []setting     `json:"settings"`
	Began    time.Time     `json:"began"`
	Took     time.Duration `json:"-"`
	Seconds  float64       `json:"seconds"`
	Tables   []*table      `json:"tables"`
	Plots    []plot        `json:"plots"`

	out io.Writer
}

// A setting is a name and a value that tell how a run was made.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newReport(out io.Writer, title string) *report {
	r := &report{Title: title, Began: time.Now(), out: out}
	r.set("machine", fmt.Sprintf("%d CPUs, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version()))
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		r.set("load before", strings.Join(strings.Fields(string(load))[:3], " "))
	}
	return r
}

func (r *report) set(name, value string) { r.Settings = append(r.Settings, setting{name, value}) }

// A kind says what the values of a column are: how they are printed, and their unit.
type kind string

const (
	text  kind = "text"
	count kind = "count"
	rate  kind = "per second"
	ratio kind = "ratio"
	wait  kind = "ms" // given as time.Duration
	spent kind = "us" // given as time.Duration
	size  kind = "MiB"
)

// A column is one of a table.
type column struct {
	Name  string `json:"name"`
	Kind  kind   `json:"kind"`
	width int    // characters; 0: as its kind needs
}

// A table is rows of values, each of its column's kind; nil where there is none.
type table struct {
	Title   string   `json:"title"`
	Columns []column `json:"columns"`
	Rows    [][]any  `json:"rows"`
	Notes   []string `json:"notes,omitempty"`
	Detail  bool     `json:"detail,omitempty"` // for those who look closer

	out io.Writer
}

// table begins a table and prints its head.
func (r *report) table(title string, columns ...column) *table {
	t := &table{Title: title, Columns: columns, Rows: [][]any{}, out: r.out}
	r.Tables = append(r.Tables, t)
	names := make([]any, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	fmt.Fprintf(r.out, "\n%s\n", title)
	t.print(names)
	return t
}

// details begins a table for those who look closer.
func (r *report) details(title string, columns ...column) *table {
	t := r.table(title, columns...)
	t.Detail = true
	return t
}

// add adds a row and prints it.
func (t *table) add(values ...any) {
	row := make([]any, len(t.Columns))
	copy(row, values)
	t.Rows = append(t.Rows, row)
	t.print(row)
}

// note adds a line below the table.
func (t *table) note(format string, args ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, args...))
	fmt.Fprintln(t.out, "  "+t.Notes[len(t.Notes)-1])
}

func (t *table) print(row []any) {
	var line strings.Builder
	for i, c := range t.Columns {
		width := max(c.width, len(c.Name), 8)
		if c.Kind == text {
			fmt.Fprintf(&line, "%-*s  ", width, c.Kind.show(row[i]))
		} else {
			fmt.Fprintf(&line, "%*s  ", width, c.Kind.show(row[i]))
		}
	}
	fmt.Fprintln(t.out, strings.TrimRight(line.String(), " "))
}

// show writes a value as people read it.
func (k kind) show(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case int:
		return fmt.Sprint(v)
	case time.Duration:
		switch {
		case k == spent:
			return fmt.Sprintf("%d us", v.Microseconds())
		case v >= 10*time.Second:
			return fmt.Sprintf("%.1f s", v.Seconds())
		case v >= 100*time.Millisecond:
			return fmt.Sprintf("%.0f ms", float64(v)/float64(time.Millisecond))
		}
		return fmt.Sprintf("%.2f ms", float64(v)/float64(time.Millisecond))
	case float64:
		switch k {
		case ratio:
			return fmt.Sprintf("%.2f", v)
		case size:
			return fmt.Sprintf("%.0f MiB", v)
		}
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprint(value)
}

// MarshalJSON writes the table with waits as numbers in the unit of their column.
func (t *table) MarshalJSON() ([]byte, error) {
	type plain table
	p := plain(*t)
	p.Rows = make([][]any, len(t.Rows))
	for i, row := range t.Rows {
		p.Rows[i] = make([]any, len(row))
		for j, value := range row {
			if d, ok := value.(time.Duration); ok {
				value = float64(d.Microseconds())
				if t.Columns[j].Kind == wait {
					value = float64(d.Microseconds()) / 1000
				}
			}
			p.Rows[i][j] = value
		}
	}
	return json.Marshal(p)
}

// A plot is lines over a common axis.
type plot struct {
	Title   string   `json:"title"`
	X       axis     `json:"x"`
	Y       axis     `json:"y"`
	Series  []series `json:"series"`
	Comment string   `json:"comment,omitempty"`
}

// An axis is one of a plot.
type axis struct {
	Label string `json:"label"`
	Scale scale  `json:"scale"`
}

// A scale says where on an axis a value is.
type scale string

const (
	linear      scale = "linear"
	whole       scale = "whole" // linear, with ticks at whole numbers
	logarithmic scale = "logarithmic"
	nines       scale = "nines" // a percentile: 90, 99 and 99.9 are equally far apart
)

// A series is one line of a plot.
type series struct {
	Name      string       `json:"name"`
	Points    [][2]float64 `json:"points"`
	colour    int
	reference bool // a ceiling: drawn dashed
}

// Class is the style of the series in the page.
func (s series) Class() string {
	class := fmt.Sprintf("s%d", s.colour%colours)
	if s.reference {
		class += " reference"
	}
	return class
}

// plot adds a plot, without the series that have no points.
func (r *report) plot(p plot) {
	var full []series
	for i, s := range p.Series {
		s.colour = i // also where others have no points
		if len(s.Points) > 0 {
			full = append(full, s)
		}
	}
	if p.Series = full; len(full) > 0 {
		r.Plots = append(r.Plots, p)
	}
}

// write writes the report's files, those that are named.
func (r *report) write(jsonFile, htmlFile string) error {
	r.Took = time.Since(r.Began)
	r.Seconds = r.Took.Seconds()
	if jsonFile != "" {
		text, err := json.MarshalIndent(r, "", "\t")
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		if err := os.WriteFile(jsonFile, append(text, '\n'), 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if htmlFile != "" {
		page, err := r.html()
		if err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
		if err := os.WriteFile(htmlFile, page, 0o644); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	}
	return nil
}
