package docs

import (
	"bytes"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/util"

	"payout"
	"payout/callback"
	"payout/diagram"
	"payout/spec"
	"payout/web"
)

// A placeholder is what a guide writes as {{name}} or {{name argument}}. A word
// stands within a text or a sample of code; a block is a paragraph of its own;
// some can be both.
type placeholder struct {
	word  func(h *Handler, v *visit, c *spec.Command) string
	link  func(h *Handler, v *visit, c *spec.Command) template.HTML
	block func(h *Handler, v *visit, c *spec.Command) (template.HTML, error)
	// command: the argument is a command's path, such as v4/payout.
	command bool
}

// placeholders are all of them by name.
func placeholders() map[string]placeholder {
	word := func(f func(install) string) placeholder {
		return placeholder{word: func(_ *Handler, v *visit, _ *spec.Command) string { return f(v.install) }}
	}
	table := func(part string, data func(h *Handler) any) placeholder {
		return placeholder{block: func(h *Handler, v *visit, _ *spec.Command) (template.HTML, error) {
			return h.part(v, part, data(h))
		}}
	}
	known := map[string]placeholder{
		"base":     word(install.Base),
		"origin":   word(func(i install) string { return i.Origin }),
		"context":  word(func(i install) string { return i.Context }),
		"login":    word(func(i install) string { return i.Login }),
		"endpoint": word(func(i install) string { return i.Endpoint }),
		"group":    word(func(i install) string { return i.Group }),
		"control-key": word(func(i install) string {
			if key := i.ControlKey.Reveal(); key != "" {
				return key
			}
			return controlKeyWord
		}),
		"link": {command: true, link: func(_ *Handler, v *visit, c *spec.Command) template.HTML {
			return template.HTML(`<a href="` + v.root() + "commands/" + slug(c) + `"><code>` + template.HTMLEscapeString(c.Path()) + `</code></a>`)
		}},
		"body": {command: true,
			word: func(h *Handler, v *visit, c *spec.Command) string { return fixedExample(v.install, c).Body() },
			block: func(h *Handler, v *visit, c *spec.Command) (template.HTML, error) {
				return h.part(v, "body", fixedExample(v.install, c))
			}},
		"base-string": {command: true, block: func(h *Handler, v *visit, c *spec.Command) (template.HTML, error) {
			return h.part(v, "base-string", workedOf(v.install, c))
		}},
		"example": {command: true, block: func(h *Handler, v *visit, c *spec.Command) (template.HTML, error) {
			e, err := h.exampleOf(v, c)
			if err != nil {
				return "", err
			}
			return h.part(v, "example", e)
		}},
		"stages":             table("stages", func(*Handler) any { return stageTable() }),
		"statuses":           table("statuses", func(*Handler) any { return statusTable() }),
		"errors":             table("errors", func(*Handler) any { return errorTable() }),
		"callback-fields":    table("fields", func(*Handler) any { return callbackTable() }),
		"redirect-fields":    table("fields", func(*Handler) any { return redirectTable() }),
		"scenarios":          table("scenarios", func(*Handler) any { return scenarioTable() }),
		"card-codes":         table("card-codes", func(*Handler) any { return cardCodeTable() }),
		"events":             table("events", func(*Handler) any { return payout.Events() }),
		"callback-timetable": table("timetable", func(*Handler) any { return attemptTable() }),
		"callback-attempts":  word(func(install) string { return strconv.Itoa(callback.Attempts) }),
		"commands":           table("commands", func(h *Handler) any { return h.commands() }),
	}
	for _, name := range diagram.Names() {
		known["diagram "+name] = placeholder{block: func(_ *Handler, v *visit, _ *spec.Command) (template.HTML, error) {
			return drawing(name, v.lang)
		}}
	}
	return known
}

// drawing is a diagram as a figure.
func drawing(name string, lang web.Lang) (template.HTML, error) {
	svg, err := diagram.Draw(name, string(lang))
	return `<figure class="drawing">` + svg + `</figure>`, err
}

// part draws a part of parts.html.
func (h *Handler) part(v *visit, name string, data any) (template.HTML, error) {
	var b bytes.Buffer
	err := h.site.templates[v.lang]["guide.html"].ExecuteTemplate(&b, name, map[string]any{"View": data, "Root": v.root(), "Install": v.install, "Lang": v.lang})
	return template.HTML(b.String()), err
}

// markdown reads CommonMark with tables; raw HTML is left out.
var markdown = goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(guideTables{}, 500))))

// rendered is a guide's text as HTML. What its placeholders stand for is put in
// after Markdown has been read, so that no value can be taken for Markdown.
func (h *Handler) rendered(v *visit, g *guide) (template.HTML, error) {
	x := expansion{h: h, v: v, known: placeholders()}
	text, err := x.expand(g.text[v.lang])
	if err != nil {
		return "", fmt.Errorf("guide %s in %s: %w", g.slug, v.lang.Name(), err)
	}
	var b bytes.Buffer
	context := parser.NewContext(parser.WithIDs(&headingIDs{used: make(map[string]bool)}))
	if err := markdown.Convert([]byte(text), &b, parser.WithContext(context)); err != nil {
		return "", fmt.Errorf("guide %s in %s: %w", g.slug, v.lang.Name(), err)
	}
	return h.withSamples(v.lang, strings.NewReplacer(x.replace...).Replace(b.String()))
}

// An expansion puts marks in the place of placeholders.
type expansion struct {
	h       *Handler
	v       *visit
	known   map[string]placeholder
	replace []string // mark, HTML
	marks   int
}

// mark stands for HTML until Markdown has been read: letters and digits that no
// text has, and that Markdown leaves alone everywhere.
func (x *expansion) mark(html string, block bool) string {
	x.marks++
	mark := "placeholderZQ" + strconv.Itoa(x.marks) + "QZ"
	if block {
		x.replace = append(x.replace, "<p>"+mark+"</p>", html)
	} else {
		x.replace = append(x.replace, mark, html)
	}
	return mark
}

func (x *expansion) expand(text string) (string, error) {
	lines, fenced := strings.Split(text, "\n"), false
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") {
			fenced = !fenced
			continue
		}
		name, alone := strings.CutPrefix(trimmed, "{{")
		name, closed := strings.CutSuffix(name, "}}")
		var err error
		if alone && closed && !fenced && !strings.Contains(name, "}}") {
			lines[i], err = x.paragraph(name)
		} else {
			lines[i], err = x.line(line, fenced)
		}
		if err != nil {
			return "", fmt.Errorf("line %d: %w", i+4, err)
		}
	}
	return strings.Join(lines, "\n"), nil
}

// paragraph is a placeholder that stands alone.
func (x *expansion) paragraph(text string) (string, error) {
	p, c, err := x.find(text)
	if err != nil {
		return "", err
	}
	if p.block == nil {
		return x.inline(p, c, text, false)
	}
	html, err := p.block(x.h, x.v, c)
	if err != nil {
		return "", err
	}
	return x.mark(string(html), true), nil
}

// line replaces the placeholders within a line.
func (x *expansion) line(line string, code bool) (string, error) {
	var b strings.Builder
	for {
		before, rest, open := strings.Cut(line, "{{")
		b.WriteString(before)
		if !open {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", fmt.Errorf("{{%s is not closed", rest)
		}
		p, c, err := x.find(name)
		if err != nil {
			return "", err
		}
		text, err := x.inline(p, c, name, code)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		line = after
	}
}

func (x *expansion) inline(p placeholder, c *spec.Command, text string, code bool) (string, error) {
	switch {
	case p.word != nil:
		return x.mark(template.HTMLEscapeString(p.word(x.h, x.v, c)), false), nil
	case p.link != nil && !code:
		return x.mark(string(p.link(x.h, x.v, c)), false), nil
	}
	return "", fmt.Errorf("{{%s}} has to stand alone in a paragraph", text)
}

func (x *expansion) find(text string) (placeholder, *spec.Command, error) {
	text = strings.TrimSpace(text)
	name, argument, _ := strings.Cut(text, " ")
	p, ok := x.known[name]
	if whole, is := x.known[text]; is && !whole.command { // a name with a blank, such as diagram stages
		return whole, nil, nil
	}
	if !ok {
		return p, nil, fmt.Errorf("there is no placeholder {{%s}}", text)
	}
	if !p.command {
		return p, nil, nil
	}
	for _, c := range x.h.commands() {
		if c.Path() == argument {
			return p, c, nil
		}
	}
	for _, c := range spec.Commands { // a guide may speak of a command that is not documented here
		if c.Path() == argument {
			return p, c, nil
		}
	}
	return p, nil, fmt.Errorf("{{%s}}: there is no command %q", text, argument)
}

// headingIDs makes ids of headings out of their text in any script.
type headingIDs struct{ used map[string]bool }

// Generate implements parser.IDs.
func (ids *headingIDs) Generate(value []byte, _ ast.NodeKind) []byte {
	id := slugOf(string(value))
	for base, n := id, 2; ids.used[id]; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	ids.used[id] = true
	return []byte(id)
}

// Put implements parser.IDs.
func (ids *headingIDs) Put(value []byte) { ids.used[string(value)] = true }
