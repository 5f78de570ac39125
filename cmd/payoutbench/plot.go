package main

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
)

// The drawing of a plot, in units of its viewBox.
const (
	plotWidth, plotHeight                    = 600.0, 290.0
	plotLeft, plotRight, plotTop, plotBottom = 66.0, 26.0, 12.0, 48.0
	tickLength, tickGap                      = 4.0, 8.0
	tickBelow, labelBelow                    = 19.0, 41.0 // baselines under the axis
	dotsMost                                 = 40         // points of a series that are marked one by one
	ticksWanted                              = 5
	colours                                  = 8 // classes s0 to s7 of the page's style
	nineMost                                 = 99.999
)

// A frame places values in the drawing of a plot.
type frame struct {
	x, y                   axis
	left, right, low, high float64 // the ends of the axes, scaled
}

// scaled is where a value is on a scale.
func (s scale) scaled(v float64) float64 {
	switch s {
	case logarithmic:
		return math.Log10(max(v, 1e-6))
	case nines:
		return -math.Log10(1 - min(v, nineMost)/100)
	}
	return v
}

func newFrame(p plot) frame {
	f := frame{x: p.X, y: p.Y, left: math.Inf(1), right: math.Inf(-1), low: math.Inf(1), high: math.Inf(-1)}
	for _, s := range p.Series {
		for _, point := range s.Points {
			x, y := p.X.Scale.scaled(point[0]), p.Y.Scale.scaled(point[1])
			f.left, f.right = min(f.left, x), max(f.right, x)
			f.low, f.high = min(f.low, y), max(f.high, y)
		}
	}
	if p.Y.Scale == linear {
		f.low = min(f.low, 0)
		f.high += (f.high - f.low) * 0.05
	} else {
		f.low, f.high = f.low-0.05, f.high+0.05
	}
	if f.right == f.left {
		f.left, f.right = f.left-0.5, f.right+0.5
	}
	if f.high == f.low {
		f.high++
	}
	return f
}

// at places a point.
func (f frame) at(point [2]float64) (x, y float64) {
	x = plotLeft + (f.x.Scale.scaled(point[0])-f.left)/(f.right-f.left)*(plotWidth-plotLeft-plotRight)
	y = plotHeight - plotBottom - (f.y.Scale.scaled(point[1])-f.low)/(f.high-f.low)*(plotHeight-plotTop-plotBottom)
	return x, y
}

// svg draws a plot. Colours come from the page's style, so that they fit its scheme.
func (p plot) svg() template.HTML {
	f := newFrame(p)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(p.Title))
	p.drawAxes(&b, f)
	for _, s := range p.Series {
		fmt.Fprintf(&b, `<g class="%s"><polyline points="`, s.Class())
		for _, point := range s.Points {
			x, y := f.at(point)
			fmt.Fprintf(&b, "%.1f,%.1f ", x, y)
		}
		b.WriteString(`"/>`)
		if len(s.Points) <= dotsMost {
			for _, point := range s.Points {
				x, y := f.at(point)
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3"><title>%s: %s %s, %s %s</title></circle>`, x, y, html.EscapeString(s.Name),
					html.EscapeString(p.X.Label), tickText(point[0]), tickText(point[1]), html.EscapeString(p.Y.Label))
			}
		}
		b.WriteString("</g>")
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) // all texts in it are escaped
}

func (p plot) drawAxes(b *strings.Builder, f frame) {
	bottom := plotHeight - plotBottom
	for _, tick := range ticks(f.y.Scale, f.low, f.high) {
		_, y := f.at([2]float64{0, tick})
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="y" x="%g" y="%.1f">%s</text>`,
			plotLeft, plotWidth-plotRight, y, y, plotLeft-tickGap, y, tickText(tick))
	}
	for _, tick := range ticks(f.x.Scale, f.left, f.right) {
		x, _ := f.at([2]float64{tick, 1})
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text class="x" x="%.1f" y="%g">%s</text>`,
			x, x, bottom, bottom+tickLength, x, bottom+tickBelow, tickText(tick))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%g" x2="%g" y1="%g" y2="%g"/>`, plotLeft, plotWidth-plotRight, bottom, bottom)
	fmt.Fprintf(b, `<text class="label" x="%g" y="%g">%s</text>`, (plotLeft+plotWidth-plotRight)/2, bottom+labelBelow, html.EscapeString(p.X.Label))
	fmt.Fprintf(b, `<text class="label" transform="translate(14 %g) rotate(-90)">%s</text>`, (plotTop+bottom)/2, html.EscapeString(p.Y.Label))
}

// ticks are round values between the ends of an axis, which are scaled.
func ticks(s scale, low, high float64) []float64 {
	switch s {
	case nines:
		return within(s, []float64{0, 50, 90, 99, 99.9, 99.99}, low, high)
	case logarithmic:
		var all []float64
		for decade := math.Floor(low); decade <= high; decade++ {
			for _, step := range []float64{1, 2, 5} {
				all = append(all, step*math.Pow(10, decade))
			}
		}
		if all = within(s, all, low, high); len(all) > 2*ticksWanted {
			all = slices.DeleteFunc(all, func(v float64) bool { d := math.Log10(v); return math.Abs(d-math.Round(d)) > 1e-9 })
		}
		return all
	}
	step := niceStep((high - low) / ticksWanted)
	if s == whole {
		step = max(step, 1)
	}
	var all []float64
	for i := math.Ceil(low/step - 1e-9); i*step <= high+1e-9*step; i++ {
		all = append(all, i*step+0) // not -0
	}
	return all
}

func within(s scale, values []float64, low, high float64) []float64 {
	return slices.DeleteFunc(values, func(v float64) bool { return s.scaled(v) < low-1e-9 || s.scaled(v) > high+1e-9 })
}

// niceStep is the least of 1, 2, 5, 10, 20 ... that is not below a value; of such
// tenths and so on for values below 1.
func niceStep(value float64) float64 {
	if value <= 0 {
		return 1
	}
	decade := math.Pow(10, math.Floor(math.Log10(value)))
	for _, step := range []float64{1, 2, 5} {
		if step*decade >= value*(1-1e-9) {
			return step * decade
		}
	}
	return 10 * decade
}

// tickText writes a value with no more digits than it needs.
func tickText(v float64) string {
	if v >= 10000 {
		return strings.Replace(fmt.Sprintf("%.6gk", v/1000), ".000", "", 1)
	}
	return fmt.Sprintf("%.5g", v)
}
