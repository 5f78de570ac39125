package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A colour is red, green and blue from 0 to 1, as in sRGB.
type colour [3]float64

// The surfaces that an accent colour stands on (assets/page.css), and the
// contrast that text needs there (WCAG 2.2, 1.4.3, with a little to spare).
var (
	lightSurface = colour{1, 1, 1}
	darkSurface  = colour{0.086, 0.106, 0.133} // #161b22
	white        = colour{1, 1, 1}
	black        = colour{} // one of black and white has 4.58 on any colour
)

const contrastMin = 4.6

// AccentSheet returns the style sheet that gives pages an accent colour, such
// as #0a6cff. The colour is made darker on light pages, and lighter on dark
// ones, as far as links and buttons need it to be readable.
func AccentSheet(accent string) (string, error) {
	c, err := parseColour(accent)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(":root{%s}\n@media (prefers-color-scheme:dark){:root{%s}}\n", scheme(c, lightSurface), scheme(c, darkSurface)), nil
}

// scheme gives the variables of an accent colour on a surface: of buttons, of
// the text on them, and of links.
func scheme(accent, surface colour) string {
	onAccent := white
	if contrast(black, accent) > contrast(white, accent) {
		onAccent = black
	}
	toward := black
	if surface.luminance() < 0.5 {
		toward = white
	}
	link := accent
	for step := 0.0; contrast(link, surface) < contrastMin && step < 1; step += 0.02 {
		link = accent.mixed(toward, step)
	}
	return fmt.Sprintf("--accent:%s;--on-accent:%s;--accent-text:%s", accent, onAccent, link)
}

// parseColour reads a colour of three or six hexadecimal digits after a '#'.
func parseColour(s string) (colour, error) {
	digits, ok := strings.CutPrefix(s, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if !ok || err != nil || len(digits) != 6 {
		return colour{}, fmt.Errorf("a colour must be like #0a6cff")
	}
	return colour{float64(n>>16) / 255, float64(n>>8&0xff) / 255, float64(n&0xff) / 255}, nil
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(math.Round(c[0]*255)), int(math.Round(c[1]*255)), int(math.Round(c[2]*255)))
}

// mixed goes from c toward another colour, a part of the way.
func (c colour) mixed(other colour, part float64) colour {
	for i := range c {
		c[i] += (other[i] - c[i]) * part
	}
	return c
}

// luminance is the relative luminance of WCAG 2.2.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is the contrast ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b colour) float64 {
	la, lb := a.luminance(), b.luminance()
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}
