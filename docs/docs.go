// Package docs is the integrator's desk, served by the gateway itself: guides,
// a page for each command, reference tables, a request builder and a signature
// checker, in English and Russian. Everything about the API is drawn from the
// tables of spec, payout, callback and the simulator, for the install that
// serves it; examples are signed at the moment at which they are read.
//
// page.go lists the pages and draws them, serve.go finds them by their address.
package docs

import (
	"context"
	"crypto/rsa"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"payout"
	"payout/diagram"
	"payout/sign"
	"payout/spec"
	"payout/web"
)

//go:embed templates messages assets all:guides
var files embed.FS

// A Handler serves the documentation below /docs/. Its fields do not change
// once it serves.
type Handler struct {
	Commands    []*spec.Command // what is documented; nil: spec.Commands
	ContextPath string          // such as /paynet, without a slash at the end
	PublicURL   string          // scheme and host that clients call; empty: from the request
	// Example is the Connecting Party of a sandbox whose key signs the examples. Nil:
	// they are signed by a key that no gateway knows, and say so.
	Example *Merchant
	// SignUp makes a Connecting Party of the sandbox for a key that was made in the
	// page. Nil: this is no sandbox.
	SignUp func(ctx context.Context, public *rsa.PublicKey) (Merchant, error)
	// Prepare gives the values, such as an orderid, that make an example of a command
	// acceptable now. Nil: the tables' samples are shown.
	Prepare func(ctx context.Context, c *spec.Command) ([]sign.Pair, error)
	Window  time.Duration // greatest distance of an oauth_timestamp; 0: it is not checked
	Now     func() time.Time
	Nonce   func() string // random, for oauth_nonce; at least 16 letters and digits
	Version string        // of the program, for documents that tell it; may be empty
	Log     *slog.Logger

	once   sync.Once
	site   *site
	failed error // why there is no site
}

// A Merchant is a Connecting Party of the sandbox.
type Merchant struct {
	Login      string
	Endpoint   payout.EndpointID
	Group      payout.GroupID  // 0: it has none
	Key        *rsa.PrivateKey // nil for one that signed up: its key never left the browser
	ControlKey payout.Secret
}

// A site is what is read once, when the first page is asked for or at Open.
type site struct {
	assets    *web.Assets
	messages  *web.Messages
	words     *web.Messages // of the tools
	templates map[web.Lang]map[string]*template.Template
	pages     []*page
	byPath    map[string]*page
	doors     map[string]http.HandlerFunc // by path below /docs/
	lost      *page                       // what addresses that lead nowhere show
	guides    []*guide
	indexes   map[web.Lang]index
	kept      kept
	signing   *rate.Limiter
	signUps   *rate.Limiter
}

// How many examples are signed: a signature of RSA-4096 takes about 5 ms, and an
// example may need an order of its own.
const (
	signaturesPerSecond = 5
	signaturesBurst     = 30
)

// diagramSheet is the style sheet of pages with drawings.
const diagramSheet = "diagram.css"

// Open reads templates and guides, draws every page once and builds the search
// indexes. A mistake in any of them is found here, at start.
func (h *Handler) Open() error {
	h.once.Do(func() { h.failed = h.open() })
	return h.failed
}

func (h *Handler) open() error {
	texts, err := fs.Sub(files, "messages")
	if err != nil {
		return err
	}
	words, err := fs.Sub(files, "messages/tools")
	if err != nil {
		return err
	}
	s := &site{signing: rate.NewLimiter(signaturesPerSecond, signaturesBurst), signUps: rate.NewLimiter(rate.Every(signUpEvery), signUpBurst)}
	h.site = s
	if s.messages, err = web.ReadMessages(texts); err != nil {
		return err
	}
	if s.words, err = web.ReadMessages(words); err != nil {
		return err
	}
	folder, err := fs.Sub(files, "assets")
	if err != nil {
		return err
	}
	contents, err := web.ReadAssets(folder, "site.css", "theme.js", "icon.svg")
	if err != nil {
		return err
	}
	contents[diagramSheet] = []byte(diagram.Stylesheet)
	if s.assets, err = web.AssetsOf(contents); err != nil {
		return err
	}
	if s.guides, err = readGuides(); err != nil {
		return err
	}
	if s.templates, err = readTemplates(s.messages); err != nil {
		return err
	}
	s.pages, s.byPath, s.lost = h.allPages(), make(map[string]*page), lostPage()
	for _, p := range s.pages {
		if s.byPath[p.path] != nil {
			return fmt.Errorf("docs: two pages at %q", p.path)
		}
		s.byPath[p.path] = p
	}
	s.doors = h.doors()
	s.indexes, err = h.buildIndexes()
	return err
}

// commands lists what is documented.
func (h *Handler) commands() []*spec.Command {
	if h.Commands == nil {
		return spec.Commands
	}
	return h.Commands
}
