// Package diagram draws the pictures of the documentation as SVG, from tables:
// the life of an order from the stages and moves of package payout, and the
// flows of messages between the Receiver, the Connecting Party and the gateway.
// A drawing has no script and no style of its own; Stylesheet gives its colours,
// light and dark, and what it shows is told in its description too.
package diagram

import (
	"embed"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"payout"
)

// Stylesheet is the sheet that a page with drawings needs. It uses the colours
// of the pages where they are set (--text, --muted, --surface, --line).
//
//go:embed diagram.css
var Stylesheet string

//go:embed drawing.html
var files embed.FS

var drawingTemplate = template.Must(template.ParseFS(files, "drawing.html"))

// stagesName is the name of the drawing of an order's life.
const stagesName = "stages"

// Names lists what Draw can draw.
func Names() []string {
	names := []string{stagesName}
	for _, f := range flows {
		names = append(names, f.name)
	}
	return names
}

// Draw returns a drawing as an <svg> element, with its texts in a language, "en"
// or "ru". The name is one of Names.
func Draw(name, lang string) (template.HTML, error) {
	if name == stagesName {
		return stages(payout.Stages(), payout.Moves(), payout.Events(), lang)
	}
	i := slices.IndexFunc(flows, func(f flow) bool { return f.name == name })
	if i < 0 {
		return "", fmt.Errorf("no diagram %q", name)
	}
	return flows[i].draw(lang)
}

// A px is a length or a place in a drawing. A drawing is as wide as a phone, so
// that there a unit is about a pixel.
type px float64

// String writes the number as SVG wants it.
func (p px) String() string {
	return strings.TrimSuffix(strconv.FormatFloat(float64(p), 'f', 1, 64), ".0")
}

// A drawing is what the template makes an <svg> of. Shapes lie over those before them.
type drawing struct {
	Name          string
	Title, Desc   string
	Width, Height px
	Shapes        []shape
}

// A shape is a path, a rectangle, a circle or a text, by which of its fields are set.
type shape struct {
	Class string
	Title string // of a text: what a pointer that rests on it is told
	D     string // of a path
	X, Y  px
	W, H  px // of a rectangle
	R     px // radius of a circle or of a rectangle's corners
	Text  string
}

// Circle reports whether the shape is a circle.
func (s shape) Circle() bool { return s.D == "" && s.W == 0 && s.R != 0 }

func (d *drawing) path(class, format string, args ...any) {
	d.Shapes = append(d.Shapes, shape{Class: class, D: fmt.Sprintf(format, args...)})
}

func (d *drawing) rect(class string, x, y, w, h, r px) {
	d.Shapes = append(d.Shapes, shape{Class: class, X: x, Y: y, W: w, H: h, R: r})
}

func (d *drawing) circle(class string, x, y, r px) {
	d.Shapes = append(d.Shapes, shape{Class: class, X: x, Y: y, R: r})
}

func (d *drawing) text(class string, x, y px, text string) {
	d.Shapes = append(d.Shapes, shape{Class: class, X: x, Y: y, Text: text})
}

// arrowhead draws the point of an arrow that ends at x, y: towards the right
// (1, 0), the left (-1, 0) or downwards (0, 1).
func (d *drawing) arrowhead(class string, x, y, dx, dy px) {
	const length, half = 7, 3.6
	bx, by := x-dx*length, y-dy*length
	d.path("head "+class, "M%v %vL%v %vL%v %vZ", x, y, bx+dy*half, by+dx*half, bx-dy*half, by-dx*half)
}

func (d *drawing) html() (template.HTML, error) {
	var svg strings.Builder
	if err := drawingTemplate.ExecuteTemplate(&svg, "drawing.html", d); err != nil {
		return "", fmt.Errorf("draw %s: %w", d.Name, err)
	}
	return template.HTML(svg.String()), nil // made by html/template
}

// How wide a letter is, as a part of the size of its type; on the wide side, for
// nobody knows which fonts a reader has.
const letter, boldLetter, monoLetter = 0.58, 0.69, 0.61

// textWidth is about how wide a text is in the usual size.
func textWidth(text string) px { return px(utf8.RuneCountInString(text)) * textSize * letter }

// boldWidth is about how wide a text is in bold type.
func boldWidth(text string, size px) px { return px(utf8.RuneCountInString(text)) * size * boldLetter }

// monoWidth is how wide a text is in letters of one width.
func monoWidth(text string, size px) px { return px(utf8.RuneCountInString(text)) * size * monoLetter }

// wrap breaks a text into lines that are at most so wide. It breaks a word only
// after its hyphens, and only if it is wider than a line by more than slack.
func wrap(text string, most px, width func(string) px) []string {
	const slack = 12
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && width(line+" "+word) <= most {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
		for _, syllable := range strings.SplitAfter(word, "-") {
			if line != "" && width(word) > most+slack && width(line+syllable) > most {
				lines = append(lines, line)
				line = ""
			}
			line += syllable
		}
	}
	return append(lines, line)
}
