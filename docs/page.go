package docs

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"payout/spec"
	"payout/web"
)

// A page is one address of the site, in every language.
type page struct {
	path     string    // below /docs/{lang}/, such as commands/v4-payout
	section  section   // of the navigation
	title    spec.Text // also its heading
	short    string    // in the navigation, if not the title
	menu     spec.Text // likewise, in words
	summary  spec.Text
	template string                    // file of templates/ that defines "content"
	view     func(*visit) (any, error) // what the template draws, as .View
	scripts  []string                  // modules of assets/ besides site.js
	connect  func(*visit) []string     // what its scripts may call besides ourselves, as web.Policy.Connect; nil: ourselves alone
	unlisted bool                      // not in the navigation
	private  bool                      // it may hold a secret of its reader, as web.Policy.Private
	wide     bool                      // without the list of its headings
}

// key tells a page from documents, and the page that is not there from the first.
func (p *page) key() string { return p.template + "/" + p.path }

// A section is a part of the navigation.
type section string

// The sections, in the order of the navigation.
const (
	inGuides    section = "guides"
	inCommands  section = "commands"
	inReference section = "reference"
	inTools     section = "tools"
)

var sections = []section{inGuides, inCommands, inReference, inTools}

// allPages lists every page in the order of the navigation.
func (h *Handler) allPages() []*page {
	all := []*page{h.homePage()}
	all = append(all, h.guidePages()...)
	all = append(all, h.commandPages()...)
	all = append(all, h.referencePages()...)
	all = append(all, h.builderPages()...)
	return append(all, h.checkerPages()...)
}

// slug is a command's name in addresses, such as v4-payout.
func slug(c *spec.Command) string { return strings.ReplaceAll(c.Path(), "/", "-") }

// A visit is one request on its way to its page.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	lang    web.Lang
	install install
	signs   bool // examples are signed; not when only the text counts
	fresh   bool // the page holds what was made for this visit: it is not kept
}

// root is the folder of the visit's language.
func (v *visit) root() string { return "/docs/" + string(v.lang) + "/" }

// A frame is what the layout draws around a page.
type frame struct {
	Page       *page
	Lang       web.Lang
	Title      string
	Summary    string
	Root       string // such as /docs/en/
	Assets     string
	Languages  []languageLink
	Navigation []navigation
	Scripts    []string
	Content    template.HTML
	Headings   []heading // of the second level
	Install    install
	Home, Wide bool
	Drawings   bool // it has diagrams
}

type languageLink struct {
	Lang    web.Lang
	Name    string
	URL     string
	Current bool
}

type navigation struct {
	Section section
	Links   []navigationLink
}

type navigationLink struct {
	Title, URL string
	Code       bool // the title is a command's path
	Current    bool
}

// draw makes the whole text of a page.
func (h *Handler) draw(v *visit, p *page) ([]byte, error) {
	content, err := h.content(v, p)
	if err != nil {
		return nil, err
	}
	return h.framed(v, p, content)
}

// framed draws the layout around what is a page's own.
func (h *Handler) framed(v *visit, p *page, content []byte) ([]byte, error) {
	html, headings := withAnchors(content, v.lang, h.site.messages)
	f := frame{Page: p, Lang: v.lang, Title: p.title.In(string(v.lang)), Summary: p.summary.In(string(v.lang)), Root: v.root(),
		Assets: "/docs/" + h.site.assets.Path(), Navigation: h.navigation(v, p), Scripts: p.scripts, Content: html,
		Install: v.install, Home: p.path == "", Wide: p.wide, Drawings: bytes.Contains(content, []byte(`<svg class="diagram`))}
	for _, heading := range headings {
		if heading.Level == 2 {
			f.Headings = append(f.Headings, heading)
		}
	}
	for _, lang := range web.Languages() {
		f.Languages = append(f.Languages, languageLink{lang, lang.Name(), "/docs/" + string(lang) + "/" + p.path, lang == v.lang})
	}
	var b bytes.Buffer
	if err := h.site.templates[v.lang][p.template].ExecuteTemplate(&b, "layout.html", f); err != nil {
		return nil, fmt.Errorf("draw page %s: %w", p.path, err)
	}
	return b.Bytes(), nil
}

// content draws what is a page's own.
func (h *Handler) content(v *visit, p *page) ([]byte, error) {
	view, err := p.view(v)
	if err != nil {
		return nil, fmt.Errorf("view of page %s: %w", p.path, err)
	}
	set := h.site.templates[v.lang][p.template]
	if set == nil {
		return nil, fmt.Errorf("page %s: there is no template %s", p.path, p.template)
	}
	var b bytes.Buffer
	err = set.ExecuteTemplate(&b, "content", map[string]any{"View": view, "Lang": v.lang, "Root": v.root(), "Install": v.install,
		"Title": p.title.In(string(v.lang)), "Summary": p.summary.In(string(v.lang))})
	if err != nil {
		return nil, fmt.Errorf("draw page %s: %w", p.path, err)
	}
	return b.Bytes(), nil
}

func (h *Handler) navigation(v *visit, current *page) []navigation {
	var all []navigation
	for _, s := range sections {
		n := navigation{Section: s}
		for _, p := range h.site.pages {
			if p.section != s || p.unlisted {
				continue
			}
			link := navigationLink{Title: p.title.In(string(v.lang)), URL: v.root() + p.path, Current: p == current}
			if p.short != "" {
				link.Title, link.Code = p.short, true
			}
			if p.menu != (spec.Text{}) {
				link.Title = p.menu.In(string(v.lang))
			}
			n.Links = append(n.Links, link)
		}
		if len(n.Links) > 0 {
			all = append(all, n)
		}
	}
	return all
}

// layoutFiles are drawn by all pages; each of the others defines "content".
var layoutFiles = []string{"layout.html", "parts.html"}

func readTemplates(m *web.Messages) (map[web.Lang]map[string]*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := make(map[web.Lang]map[string]*template.Template)
	for _, lang := range web.Languages() {
		layout := template.New("").Funcs(functions(m, lang))
		for _, name := range layoutFiles {
			if err := parse(layout, name); err != nil {
				return nil, err
			}
		}
		all[lang] = make(map[string]*template.Template)
		for _, name := range names {
			name = path.Base(name)
			if all[lang][name], err = layout.Clone(); err != nil {
				return nil, err
			}
			if err := parse(all[lang][name], name); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func parse(set *template.Template, name string) error {
	text, err := files.ReadFile("templates/" + name)
	if err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	_, err = set.New(name).Parse(string(text))
	return err
}

// functions are what templates may call.
func functions(m *web.Messages, lang web.Lang) template.FuncMap {
	return template.FuncMap{
		"t":    func(key string, pairs ...string) (string, error) { return m.Text(lang, key, pairs...) },
		"code": func(key string, pairs ...string) (template.HTML, error) { return withCode(m.Text(lang, key, pairs...)) },
		"in":   func(text spec.Text) string { return text.In(string(lang)) },
		"dict": dict,
		"slug": slug,
	}
}

// withCode escapes a text and makes code of what stands between back quotes.
func withCode(text string, err error) (template.HTML, error) {
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		escaped := template.HTMLEscapeString(part)
		if i%2 == 1 {
			escaped = "<code>" + escaped + "</code>"
		}
		b.WriteString(escaped)
	}
	return template.HTML(b.String()), nil
}

// dict makes what a template hands on to another.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict: a value is missing")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
