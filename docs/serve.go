package docs

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"payout/web"
)

// folder is what all addresses of the site begin with.
const folder = "/docs/"

// Serves reports whether a path is one of the site's.
func (h *Handler) Serves(path string) bool {
	return path == strings.TrimSuffix(folder, "/") || strings.HasPrefix(path, folder)
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.Open(); err != nil {
		h.Log.Error("documentation cannot be opened", "error", err)
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	rest, below := strings.CutPrefix(r.URL.Path, folder)
	if name, ok := strings.CutPrefix(rest, h.site.assets.Path()); ok {
		h.site.assets.Serve(w, r, name)
		return
	}
	if door := h.site.doors[rest]; door != nil && below {
		door(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	if rest == "" || !below {
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Cache-Control", "no-cache")
		http.Redirect(w, r, folder+string(h.langOf(r))+"/", http.StatusFound)
		return
	}
	h.servePage(w, r, rest)
}

// doors are the addresses that are no pages, by their path below /docs/.
func (h *Handler) doors() map[string]http.HandlerFunc {
	doors := h.machineDoors()
	doors[signUpPath] = h.signUp
	return doors
}

func (h *Handler) langOf(r *http.Request) web.Lang {
	return web.Choose("", r.Header.Get("Accept-Language"), web.English)
}

// servePage answers for {lang}/{path of a page}.
func (h *Handler) servePage(w http.ResponseWriter, r *http.Request, rest string) {
	name, path, ok := strings.Cut(rest, "/")
	lang := web.Choose(name, r.Header.Get("Accept-Language"), web.English)
	known := string(lang) == name
	v := &visit{w: w, r: r, lang: lang, install: h.installOf(r), signs: r.Method == http.MethodGet}
	if known && !ok { // /docs/en
		http.Redirect(w, r, v.root(), http.StatusMovedPermanently)
		return
	}
	if known && path == searchPath {
		i := h.site.indexes[lang]
		web.ServeContent(w, r, "application/json", i.plain, i.zipped)
		return
	}
	p, status := h.site.byPath[path], http.StatusOK
	if p == nil || !known {
		p, status = h.site.lost, http.StatusNotFound
	}
	text, err := h.text(v, p)
	if err != nil {
		h.Log.LogAttrs(r.Context(), slog.LevelError, "documentation page cannot be drawn", slog.String("page", p.path), slog.String("error", err.Error()))
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h.send(v, p, status, text)
}

// send writes a page. One that is drawn from the tables alone is kept by the
// browser and asked for by its ETag; one with a signed example is not kept.
func (h *Handler) send(v *visit, p *page, status int, text drawn) {
	header := v.w.Header()
	var connect []string
	if p.connect != nil {
		connect = p.connect(v)
	}
	web.Policy{Connect: connect, Private: p.private}.Set(header)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", string(v.lang))
	header.Set("Vary", "Accept-Encoding")
	content, encoding := text.plain, ""
	if web.AcceptsGzip(v.r.Header.Get("Accept-Encoding")) {
		content, encoding = text.zipped, "gzip"
	}
	if !v.fresh && status == http.StatusOK {
		header.Set("Cache-Control", "no-cache")
		if web.Unchanged(v.w, v.r, web.ETag(content)) {
			return
		}
	}
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	header.Set("Content-Length", strconv.Itoa(len(content)))
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(content) // the browser has gone away
	}
}

// keptMax is how much is kept of drawn pages, in bytes. All pages are about a
// tenth of it, unless a gateway without a public URL is called by many names.
const keptMax = 32 << 20

// A drawn page is ready to be sent.
type drawn struct{ plain, zipped []byte }

// kept are drawn pages and documents.
type kept struct {
	sync.Mutex
	pages map[keptKey]drawn
	size  int // of all, in bytes
}

type keptKey struct {
	path, origin string
	lang         web.Lang
}

// find returns what is kept, or draws it; draw tells whether it may be kept.
func (k *kept) find(key keptKey, draw func() (text []byte, keep bool, err error)) (drawn, error) {
	k.Lock()
	text, ok := k.pages[key]
	k.Unlock()
	if ok {
		return text, nil
	}
	plain, keep, err := draw()
	text = drawn{plain, web.Gzip(plain)}
	if err == nil && keep {
		k.keep(key, text)
	}
	return text, err
}

func (k *kept) keep(key keptKey, text drawn) {
	k.Lock()
	defer k.Unlock()
	size := len(text.plain) + len(text.zipped)
	if k.size+size > keptMax || k.pages == nil {
		k.pages, k.size = make(map[keptKey]drawn), 0
	}
	if _, ok := k.pages[key]; !ok { // two readers may have asked for it at the same moment
		k.pages[key] = text
		k.size += size
	}
}

// text is a page's text, drawn now or before.
func (h *Handler) text(v *visit, p *page) (drawn, error) {
	return h.site.kept.find(keptKey{p.key(), v.install.Origin, v.lang}, func() ([]byte, bool, error) {
		text, err := h.draw(v, p)
		return text, !v.fresh && p != h.site.lost, err
	})
}
