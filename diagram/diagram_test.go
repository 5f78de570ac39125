package diagram

import (
	"encoding/xml"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"payout"
	"payout/spec"
)

// An element is one of a drawing, as a browser reads it.
type element struct {
	name  string
	attrs map[string]string
	text  string // directly in it
}

func (e element) has(class string) bool {
	return slices.Contains(strings.Fields(e.attrs["class"]), class)
}

func (e element) number(t *testing.T, attr string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(e.attrs[attr], 64)
	if err != nil {
		t.Fatalf("%s of %v: %v", attr, e, err)
	}
	return n
}

// elements reads a drawing; it has to be well-formed XML.
func elements(t *testing.T, svg string) []element {
	t.Helper()
	var all []element
	var open []int
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attrs: make(map[string]string)}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			open = append(open, len(all))
			all = append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(token)
			}
		}
	}
}

func drawn(t *testing.T, name, lang string) []element {
	t.Helper()
	svg, err := Draw(name, lang)
	if err != nil {
		t.Fatal(err)
	}
	return elements(t, string(svg))
}

// everyDrawing calls a test for each drawing in each language.
func everyDrawing(t *testing.T, test func(t *testing.T, name, lang string, all []element)) {
	for _, name := range Names() {
		for _, lang := range []string{"en", "ru"} {
			t.Run(name+" "+lang, func(t *testing.T) { test(t, name, lang, drawn(t, name, lang)) })
		}
	}
}

func TestDrawingsHaveNoStyleNoScriptAndNoOutsideWorld(t *testing.T) {
	everyDrawing(t, func(t *testing.T, _, _ string, all []element) {
		for _, e := range all {
			switch e.name {
			case "svg", "title", "desc", "text", "path", "rect", "circle":
			default:
				t.Errorf("there is a <%s>", e.name)
			}
			for name := range e.attrs {
				if name == "style" || name == "href" || strings.HasPrefix(name, "on") {
					t.Errorf("<%s> has an attribute %s", e.name, name)
				}
			}
		}
	})
}

func TestDrawingsAreToldInWords(t *testing.T) {
	everyDrawing(t, func(t *testing.T, name, lang string, all []element) {
		svg, title, desc := all[0], all[1], all[2]
		if svg.attrs["role"] != "img" || svg.attrs["aria-labelledby"] != title.attrs["id"] || svg.attrs["aria-describedby"] != desc.attrs["id"] {
			t.Errorf("a screen reader is not told: %v", svg.attrs)
		}
		if title.name != "title" || title.text == "" || desc.name != "desc" || desc.text == "" {
			t.Errorf("title %q, desc %q", title.text, desc.text)
		}
		if cyrillic := regexp.MustCompile(`\p{Cyrillic}`).MatchString(title.text); cyrillic != (lang == "ru") {
			t.Errorf("the title %q is not in the language %s", title.text, lang)
		}
		for _, e := range all {
			if e.name == "text" && e.has("said") && !strings.Contains(desc.text, e.text) {
				t.Errorf("%q is not told", e.text)
			}
		}
	})
}

// phone is how wide a drawing may be: a narrow phone without the page's margins.
const phone = 344

// A span is the place of a text.
type span struct {
	text                     string
	left, right, top, bottom float64
}

// spans finds the texts, as wide as they would be in a wide font.
func spans(t *testing.T, all []element) []span {
	var found []span
	for _, e := range all {
		if e.name != "text" {
			continue
		}
		wide, size := float64(textWidth(e.text)), 10.5
		x, middle := e.number(t, "x"), false
		switch {
		case e.has("event"), e.has("words"):
			wide = float64(monoWidth(e.text, smallSize))
		case e.has("name"):
			wide, size = float64(boldWidth(e.text, nameSize)), 13
		case e.has("who"), e.has("heading"):
			wide, middle = float64(boldWidth(e.text, headSize)), true
		case e.has("said") && !e.has("after") && !e.has("before"):
			middle = true
		case e.has("before"):
			x -= wide
		case e.has("count"):
			wide, middle = 11, true
		}
		if middle {
			x -= wide / 2
		}
		y := e.number(t, "y")
		found = append(found, span{e.text, x, x + wide, y - size*0.75, y + size*0.2})
	}
	return found
}

func TestTextsDoNotOverlapAndFitAPhone(t *testing.T) {
	everyDrawing(t, func(t *testing.T, _, _ string, all []element) {
		wide, high := all[0].number(t, "width"), all[0].number(t, "height")
		if wide > phone {
			t.Errorf("the drawing is %v wide", wide)
		}
		texts := spans(t, all)
		for i, a := range texts {
			if a.left < 0 || a.right > wide || a.top < 0 || a.bottom > high {
				t.Errorf("%q is cut off: %v", a.text, a)
			}
			for _, b := range texts[i+1:] {
				if a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom {
					t.Errorf("%q and %q overlap", a.text, b.text)
				}
			}
		}
	})
}

var commandPath = regexp.MustCompile(`v[24]/[a-z-]+`)

// wireName is a name of the wire as the flows write them: with a '-' or '_'.
var wireName = regexp.MustCompile(`^[a-z]+([-_][a-z]+)+$`)

func TestFlowsNameCommandsAndFieldsThatExist(t *testing.T) {
	known := make(map[string]bool)
	for _, c := range spec.Commands {
		known[c.Path()] = true
		for _, u := range c.Params {
			known[u.Name] = true
		}
		for _, f := range c.Reply.Fields {
			known[f.Name] = true
		}
	}
	seen := 0
	for _, f := range flows {
		for _, s := range f.steps {
			for _, text := range []string{s.text.EN, s.text.RU} {
				for _, path := range commandPath.FindAllString(text, -1) {
					seen++
					if !known[path] {
						t.Errorf("%s: there is no command %s", f.name, path)
					}
				}
				for _, word := range strings.Fields(text) {
					if word = strings.Trim(word, ",.:"); wireName.MatchString(word) {
						seen++
						if !known[word] {
							t.Errorf("%s: there is no parameter and no field %s", f.name, word)
						}
					}
				}
			}
			if s.kind != end && (s.text.EN == "" || s.text.RU == "") {
				t.Errorf("%s: a text is missing beside %v", f.name, s.text)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d names were looked at: the test is blind", seen)
	}
}

func TestEveryMessageOfAFlowIsDrawnInItsOrder(t *testing.T) {
	for _, f := range flows {
		for _, lang := range []string{"en", "ru"} {
			var want, got []string
			for _, s := range f.steps {
				if s.kind == ask || s.kind == reply {
					want = append(want, strconv.Itoa(len(want)+1))
				}
			}
			for _, e := range drawn(t, f.name, lang) {
				if e.has("count") {
					got = append(got, e.text)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s in %s has the messages %v, want %v", f.name, lang, got, want)
			}
		}
	}
}

func TestFlowsThatMakeNoSenseAreRefused(t *testing.T) {
	who, text := []payout.Text{receiver, gateway}, payout.T("a", "б")
	for name, steps := range map[string][]step{
		"nobody":      {{ask, 0, 2, text}},
		"never began": {{kind: end}},
		"never ends":  {{kind: begin, text: text}},
		"kind":        {{kind: "whisper", text: text}},
	} {
		if _, err := (flow{name: "f", title: text, who: who, steps: steps}).draw("en"); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (flow{name: "f", title: text, who: who, steps: []step{{ask, 0, 1, text}}}).draw("en"); err != nil {
		t.Error(err)
	}
	if _, err := Draw("nothing", "en"); err == nil {
		t.Error("a drawing that there is not")
	}
}

func TestWrapBreaksOnlyWhereItMust(t *testing.T) {
	letters := func(text string) px { return px(len([]rune(text))) }
	for _, tt := range []struct {
		text string
		most px
		want []string
	}{
		{"one two", 7, []string{"one two"}},
		{"one two", 6, []string{"one", "two"}},
		{"a-word-that-is-just-too-wide", 16, []string{"a-word-that-is-just-too-wide"}},
		{"a-word-that-is-just-too-wide", 15, []string{"a-word-that-is-", "just-too-wide"}},
		{"", 5, []string{""}},
	} {
		if got := wrap(tt.text, tt.most, letters); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %v: %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}
