package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"time"
)

//go:embed report.html
var pageText string

// page is the report in HTML: one file that asks nobody for anything.
var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"show": func(k kind, value any) string { return k.show(value) },
	"bar": func(k kind, value any) float64 {
		if v, ok := value.(float64); ok && k == ratio {
			return min(max(v, 0), 1)
		}
		return 0
	},
	"number": func(k kind) bool { return k != text },
	"svg":    plot.svg,
	"when":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") },
	"round":  func(d time.Duration) string { return d.Round(time.Second).String() },
}).Parse(pageText))

func (r *report) html() ([]byte, error) {
	var b bytes.Buffer
	err := page.Execute(&b, r)
	return b.Bytes(), err
}
