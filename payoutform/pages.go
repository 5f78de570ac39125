package payoutform

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"payout"
	"payout/web"
)

//go:embed templates messages
var files embed.FS

// Pages draws the pages.
type Pages struct {
	messages  *web.Messages
	templates map[web.Lang]*template.Template
}

// framePart is drawn by all pages; an operator's templates may use it too.
const framePart = "frame.html"

// ours lists the templates of pages, and replaceable those that an operator may
// replace by a file of the same name.
var (
	ours        = []string{"form.html", "wait.html", "finish.html", "receipt.html", "trouble.html"}
	replaceable = ours[:3]
)

// NewPages reads the templates: ours, or an operator's files form.html,
// wait.html and finish.html from a folder, where they exist. With no folder
// they are all ours. Every page is drawn once in every state and language, so
// that a mistake in an operator's file is found at start; errors name file and
// line.
func NewPages(folder string) (*Pages, error) {
	texts, err := fs.Sub(files, "messages")
	if err != nil {
		return nil, err
	}
	messages, err := web.ReadMessages(texts)
	if err != nil {
		return nil, err
	}
	p := &Pages{messages: messages, templates: make(map[web.Lang]*template.Template)}
	for _, lang := range web.Languages() {
		set := template.New("").Funcs(functions(messages, lang))
		for _, name := range append([]string{framePart}, ours...) {
			if err := add(set, folder, name); err != nil {
				return nil, err
			}
		}
		p.templates[lang] = set
	}
	for _, story := range Stories() {
		for _, lang := range web.Languages() {
			if err := story.Draw(p, io.Discard, lang); err != nil {
				return nil, fmt.Errorf("page %q in %s: %w", story.Name, lang.Name(), err)
			}
		}
	}
	return p, nil
}

// add reads one template into the set. Templates that call an operator's file
// find it under the plain name; the file itself is named by its path in errors.
func add(set *template.Template, folder, name string) error {
	content, err := files.ReadFile("templates/" + name)
	if err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	title := name
	if folder != "" && slices.Contains(replaceable, name) {
		path := filepath.Join(folder, name)
		theirs, err := os.ReadFile(path)
		switch {
		case err == nil:
			content, title = theirs, path
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("read template: %w", err)
		}
	}
	page, err := set.New(title).Parse(string(content))
	if err != nil || title == name {
		return err
	}
	_, err = set.AddParseTree(name, page.Tree)
	return err
}

// Form draws the payout form.
func (p *Pages) Form(w io.Writer, v FormView) error { return p.draw(w, "form.html", v.Lang, v) }

// Wait draws the page that waits for the outcome.
func (p *Pages) Wait(w io.Writer, v WaitView) error { return p.draw(w, "wait.html", v.Lang, v) }

// Finish draws the page of the end.
func (p *Pages) Finish(w io.Writer, v FinishView) error {
	return p.draw(w, "finish.html", v.Lang, v)
}

// Receipt draws the receipt.
func (p *Pages) Receipt(w io.Writer, v ReceiptView) error {
	return p.draw(w, "receipt.html", v.Lang, v)
}

// Trouble draws the page that is shown instead of another.
func (p *Pages) Trouble(w io.Writer, v TroubleView) error {
	return p.draw(w, "trouble.html", v.Lang, v)
}

// draw writes a page as a whole or not at all.
func (p *Pages) draw(w io.Writer, name string, lang web.Lang, view any) error {
	set, ok := p.templates[lang]
	if !ok {
		return fmt.Errorf("there are no pages in the language %q", lang)
	}
	var page bytes.Buffer
	if err := set.ExecuteTemplate(&page, name, view); err != nil {
		return err
	}
	_, err := w.Write(page.Bytes())
	return err
}

// functions are what templates may call.
func functions(m *web.Messages, lang web.Lang) template.FuncMap {
	words := words{m, lang}
	return template.FuncMap{
		"t":          words.text,
		"money":      func(a payout.Amount) string { return lang.Money(a) },
		"wide":       words.wide,
		"time":       lang.Time,
		"stamp":      stamp,
		"until":      words.until,
		"initial":    initial,
		"label":      words.label,
		"hint":       words.hint,
		"problem":    words.problem,
		"attributes": words.attributes,
		"countries":  words.countries,
		"rows":       rows,
		"wrong":      wrong,
		"states":     func() []WaitState { return waitStates },
		"dict":       dict,
	}
}
