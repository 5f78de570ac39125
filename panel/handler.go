package panel

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"payout/gateway"
	"payout/storage"
	"payout/web"
)

const bodyMax = 8 << 10 // bytes of a sent form

// A visit is one request of a browser on its way to its page.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	lang    web.Lang
	path    string // below the language
	began   time.Time
	visitor gateway.PanelVisitor // whose session it is; its Party is nil when there is none
}

// root is the folder of the visit's language.
func (v *visit) root() string { return folder + string(v.lang) + "/" }

func (v *visit) reads() bool { return v.r.Method == http.MethodGet || v.r.Method == http.MethodHead }

// The reasons for which there is no page.
var (
	errTooMany = errors.New("too many attempts")
	errForeign = errors.New("the form was sent by another site")
	errMethod  = errors.New("another method is wanted")
)

// A page is what a visit is answered with.
type page struct {
	template string
	title    string // key of a message
	view     any
	status   int // 0: 200
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{w: w, r: r, began: h.Gateway.Now()}
	rest := strings.TrimPrefix(r.URL.Path, folder)
	if name, ok := strings.CutPrefix(rest, h.site.assets.Path()); ok {
		h.site.assets.Serve(w, r, name)
		return
	}
	name, path, ok := strings.Cut(rest, "/")
	v.lang, v.path = web.Choose(name, r.Header.Get("Accept-Language"), web.English), path
	if !ok || string(v.lang) != name {
		h.toLanguage(v, rest)
		return
	}
	what, p, err := h.route(v)
	h.answer(v, what, p, err)
}

// toLanguage sends a browser that has named no language to the start in its own.
func (h *Handler) toLanguage(v *visit, rest string) {
	if first, _, _ := strings.Cut(rest, "/"); rest != "" && rest != strings.TrimSuffix(folder, "/") && first != string(v.lang) {
		h.answer(v, "unknown", nil, storage.ErrNotFound)
		return
	}
	web.Policy{}.Set(v.w.Header())
	v.w.Header().Set("Vary", "Accept-Language")
	http.Redirect(v.w, v.r, v.root(), http.StatusFound)
}

// route finds what a path names. Whoever is not signed in sees the sign-in,
// whatever it is. A nil page has been answered already.
func (h *Handler) route(v *visit) (what string, p *page, err error) {
	if !v.reads() && v.r.Method != http.MethodPost {
		return "unknown", nil, errMethod
	}
	if !v.reads() {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, bodyMax)
		if err := h.sameSite(v.r); err != nil {
			return "unknown", nil, err
		}
	}
	if v.path == "sign-in" && !v.reads() {
		p, err = h.signIn(v)
		return "sign-in", p, err
	}
	if v.visitor, err = h.visitor(v.r); errors.Is(err, gateway.ErrNotSignedIn) {
		return "sign-in", h.signInPage(http.StatusUnauthorized, ""), nil
	}
	if err != nil {
		return "unknown", nil, err
	}
	first, id, _ := strings.Cut(v.path, "/")
	switch {
	case v.path == "" && v.reads():
		p, err = h.requests(v)
		return "requests", p, err
	case v.path == "find" && v.reads():
		return "find", nil, h.find(v)
	case first == "requests" && v.reads():
		p, err = h.request(v, id)
		return "request", p, err
	case first == "orders" && v.reads():
		p, err = h.order(v, id)
		return "order", p, err
	case v.path == "sign-in" && v.reads():
		http.Redirect(v.w, v.r, v.root(), http.StatusSeeOther)
		return "sign-in", nil, nil
	case v.path == "sign-out" && !v.reads():
		h.signOut(v)
		return "sign-out", nil, nil
	case first == "callbacks" && !v.reads():
		return "resend", nil, h.resend(v, strings.TrimSuffix(id, "/resend"))
	}
	return "unknown", nil, storage.ErrNotFound
}

// sameSite refuses a form that another site has sent.
func (h *Handler) sameSite(r *http.Request) error {
	protection := http.NewCrossOriginProtection()
	if h.PublicURL != "" {
		if err := protection.AddTrustedOrigin(h.PublicURL); err != nil {
			return err
		}
	}
	if err := protection.Check(r); err != nil {
		return errForeign
	}
	return nil
}

// answer shows a page, or the one of an error, and logs the visit: who, what and
// the verdict, never an address or what was searched for.
func (h *Handler) answer(v *visit, what string, p *page, err error) {
	level := slog.LevelInfo
	switch {
	case err == nil:
	case errors.Is(err, storage.ErrNotFound):
		p = troublePage("not-found", http.StatusNotFound)
	case errors.Is(err, errTooMany):
		p = troublePage("too-many", http.StatusTooManyRequests)
		v.w.Header().Set("Retry-After", "60")
	case errors.Is(err, errForeign):
		p = troublePage("foreign", http.StatusForbidden)
	case errors.Is(err, errMethod):
		p = troublePage("not-found", http.StatusMethodNotAllowed)
		v.w.Header().Set("Allow", "GET, HEAD, POST")
	case gateway.Busy(err): // surely nothing was stored
		p, level = troublePage("busy", http.StatusServiceUnavailable), slog.LevelError
		v.w.Header().Set("Retry-After", "1")
	default:
		p, level = troublePage("internal", http.StatusInternalServerError), slog.LevelError
	}
	if p != nil {
		if e := h.show(v, p); e != nil {
			err, level = errors.Join(err, e), slog.LevelError
			http.Error(v.w, "Internal Server Error", http.StatusInternalServerError)
		}
	}
	attrs := []slog.Attr{slog.String("page", what), slog.Duration("took", h.Gateway.Now().Sub(v.began)), slog.String("remote", h.remoteAddress(v.r))}
	if v.visitor.Party != nil {
		attrs = append(attrs, slog.String("login", v.visitor.Party.Login), slog.Int64("token", v.visitor.Token.ID))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	h.Log.LogAttrs(v.r.Context(), level, "panel", attrs...)
}

// show writes a page.
func (h *Handler) show(v *visit, p *page) error {
	title, err := h.site.messages.Text(v.lang, p.title)
	if err != nil {
		return err
	}
	f := frame{Lang: v.lang, Title: title, Root: v.root(), Assets: folder + h.site.assets.Path(), View: p.view}
	if v.visitor.Party != nil {
		f.Party = v.visitor.Party.Login
	}
	if h.Docs {
		f.Docs = "/docs/" + string(v.lang) + "/"
	}
	for _, lang := range web.Languages() {
		to := folder + string(lang) + "/"
		if v.reads() {
			to += (&url.URL{Path: v.path, RawQuery: v.r.URL.RawQuery}).String()
		}
		f.Languages = append(f.Languages, languageLink{lang, lang.Name(), to, lang == v.lang})
	}
	text, err := h.draw(v.lang, p.template, f)
	if err != nil {
		return err
	}
	header := v.w.Header()
	web.Policy{}.Set(header)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", string(v.lang))
	header.Set("Content-Length", strconv.Itoa(len(text)))
	v.w.WriteHeader(max(p.status, http.StatusOK))
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(text) // the browser is gone
	}
	return nil
}

// troublePage is shown instead of another page.
func troublePage(why string, status int) *page {
	return &page{template: "trouble.html", title: "trouble." + why, view: why, status: status}
}

func (h *Handler) remoteAddress(r *http.Request) string { return web.RemoteAddress(r, h.AddressHeader) }
