// Package panel is the integration panel: pages on which people of a Connecting
// Party see what became of their requests, why one was denied, how their orders
// went on, and have callbacks sent again. They sign in by a token that the
// operator hands out, and see their own party only.
//
// It reads from storage and changes through the gateway. handler.go has the
// addresses, session.go the sign-in, requests.go, request.go and order.go the
// pages, hints.go what helps with a denied request.
package panel

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"payout"
	"payout/gateway"
	"payout/spec"
	"payout/web"
)

//go:embed templates messages assets
var files embed.FS

// folder is what all addresses of the panel begin with.
const folder = "/panel/"

// A Handler serves the panel. Its fields do not change once it serves.
type Handler struct {
	Gateway   *gateway.Gateway
	Commands  []*spec.Command // what parties may call; nil: spec.Commands
	PublicURL string          // scheme and host that browsers call; empty: from the request
	// AddressHeader is the header in which a proxy tells the browser's address, such
	// as X-Forwarded-For; empty: there is no proxy.
	AddressHeader string
	Window        time.Duration  // greatest distance of an oauth_timestamp; 0: not checked
	Location      *time.Location // zone of times; nil is UTC
	Docs          bool           // the documentation is served too, and linked to
	Log           *slog.Logger

	site   *site
	limits web.Limits
}

// A site is what the pages are drawn from.
type site struct {
	assets    *web.Assets
	messages  *web.Messages
	templates map[web.Lang]*template.Template
}

// Open reads templates, messages and assets: call it once before the first request.
func (h *Handler) Open() error {
	texts, err1 := fs.Sub(files, "messages")
	own, err2 := fs.Sub(files, "assets")
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s := &site{templates: make(map[web.Lang]*template.Template)}
	var err error
	if s.messages, err = web.ReadMessages(texts); err != nil {
		return fmt.Errorf("open panel: %w", err)
	}
	if s.assets, err = web.NewAssets(own, "site.css", "theme.js", "icon.svg"); err != nil {
		return fmt.Errorf("open panel: %w", err)
	}
	for _, lang := range web.Languages() {
		s.templates[lang], err = template.New("").Funcs(h.functions(s.messages, lang)).ParseFS(files, "templates/*.html")
		if err != nil {
			return fmt.Errorf("open panel: %w", err)
		}
	}
	h.site = s
	return nil
}

func (h *Handler) commands() []*spec.Command {
	if h.Commands == nil {
		return spec.Commands
	}
	return h.Commands
}

// command finds a command by its path, such as v4/payout, or returns nil.
func (h *Handler) command(path string) *spec.Command {
	for _, c := range h.commands() {
		if c.Path() == path {
			return c
		}
	}
	return nil
}

// functions are what templates may call.
func (h *Handler) functions(m *web.Messages, lang web.Lang) template.FuncMap {
	return template.FuncMap{
		"t":     func(key string, pairs ...string) (string, error) { return m.Text(lang, key, pairs...) },
		"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"at":    h.at,
		"took":  func(d time.Duration) (string, error) { return m.Text(lang, "took", "ms", milliseconds(d)) },
		"money": lang.Money,
		"pairs": func(pairs []payout.JournalPair, caption string) pairTable { return pairTable{pairs, caption} },
		"slug":  func(command string) string { return strings.ReplaceAll(command, "/", "-") },
	}
}

// A pairTable is a table of masked parameters or fields.
type pairTable struct {
	Pairs   []payout.JournalPair
	Caption string
}

// at writes a time so that it can be compared with a log: to the millisecond,
// with its zone.
func (h *Handler) at(t time.Time) string {
	zone := h.Location
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04:05.000 MST")
}

// milliseconds writes a duration without its unit.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64)
}

// draw draws a page as a whole: one that cannot be drawn is not half sent.
func (h *Handler) draw(lang web.Lang, name string, f frame) ([]byte, error) {
	var b bytes.Buffer
	if err := h.site.templates[lang].ExecuteTemplate(&b, name, f); err != nil {
		return nil, fmt.Errorf("draw page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// A frame is what surrounds a page, and the page's own view.
type frame struct {
	Lang      web.Lang
	Title     string
	Root      string // such as /panel/en/
	Assets    string
	Languages []languageLink
	Party     string // empty: nobody is signed in
	Docs      string // root of the documentation in the language; empty: none
	View      any
}

type languageLink struct {
	Lang    web.Lang
	Name    string
	URL     string
	Current bool
}

// Serves reports whether a path is one of the panel's.
func (h *Handler) Serves(path string) bool {
	return path == strings.TrimSuffix(folder, "/") || strings.HasPrefix(path, folder)
}

// publicURL is scheme and host as browsers see them.
func (h *Handler) publicURL(r *http.Request) string {
	switch {
	case h.PublicURL != "":
		return h.PublicURL
	case r.TLS != nil:
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
