package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Policy is what a page may do in the browser. The zero value is the
// strictest: our own styles and scripts from files, forms to ourselves, and no
// other site around it.
type Policy struct {
	FormAction     []string // addresses of other sites that its forms are posted to
	FrameAncestors []string // origins that may show it in a frame; 'self' is allowed
	Connect        []string // addresses that its scripts may call, and no others; none: ourselves. One that ends in / is a folder
	Private        bool     // it may hold a secret of its reader: it has no forms and tells no referrer
}

// self is our own origin in a Content-Security-Policy.
const self = "'self'"

// Set writes the headers of a page: the Content-Security-Policy (CSP level 3)
// without inline styles or scripts, and what else keeps the page and its
// address from others. Addresses that have no clear origin are left out, which
// is the strict side.
func (p Policy) Set(h http.Header) {
	forms, referrer := append([]string{self}, origins(p.FormAction)...), "same-origin"
	if p.Private {
		forms, referrer = []string{"'none'"}, "no-referrer"
	}
	connect := addresses(p.Connect)
	if len(connect) == 0 {
		connect = []string{self}
	}
	frames := origins(p.FrameAncestors)
	if len(frames) == 0 {
		frames = []string{"'none'"}
		h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	}
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self'", "connect-src " + strings.Join(connect, " "), "font-src 'none'",
		"form-action " + strings.Join(forms, " "), "base-uri 'none'", "frame-ancestors " + strings.Join(frames, " "),
	}, "; "))
	// Not no-referrer where there are forms: with it browsers send our own forms with "Origin: null"
	// (Fetch, append a request Origin header), and where they send no
	// Sec-Fetch-Site (plain HTTP) they could not be told from a foreign site's.
	// Other sites learn nothing by same-origin either.
	h.Set("Referrer-Policy", referrer)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// origins reduces addresses to what a source list may hold: scheme and host.
func origins(addresses []string) []string {
	var all []string
	for _, address := range addresses {
		origin := origin(address)
		if origin != "" && !slices.Contains(all, origin) {
			all = append(all, origin)
		}
	}
	return all
}

// addresses keeps what may stand in a source list with its path: scheme, host
// and a plain path. What could end the list or the directive is left out.
func addresses(all []string) []string {
	var kept []string
	for _, address := range all {
		o := origin(address)
		path := strings.TrimPrefix(address, o)
		if o == "" || strings.Trim(path, pathCharacters) != "" || path != "" && path[0] != '/' {
			continue
		}
		if !slices.Contains(kept, o+path) {
			kept = append(kept, o+path)
		}
	}
	return kept
}

// pathCharacters are those of a path in a source list that need no encoding.
const pathCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_~/"

// hostCharacters are those of a host, its port and a wildcard in a source list.
const hostCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:*[]"

func origin(address string) string {
	if address == self {
		return self
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Host, hostCharacters) != "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
