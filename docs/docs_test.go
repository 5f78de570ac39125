package docs

import (
	"compress/gzip"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"payout/web"
)

var testTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// newHandler makes a handler of an install that is no sandbox; change may make it one.
func newHandler(t *testing.T, change func(*Handler)) *Handler {
	t.Helper()
	h := &Handler{ContextPath: "/paynet", Now: func() time.Time { return testTime }, Nonce: rand.Text, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(h)
	}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	return h
}

// get asks for an address as a browser does.
func get(t *testing.T, h *Handler, address string, headers ...string) (*http.Response, string) {
	t.Helper()
	return ask(t, h, http.MethodGet, address, headers...)
}

func ask(t *testing.T, h *Handler, method, address string, headers ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://gate.example.com"+address, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	response := w.Result()
	var body io.Reader = response.Body
	if response.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

// each draws every page in every language.
func each(t *testing.T, h *Handler, check func(t *testing.T, address string, p *page, response *http.Response, text string)) {
	for _, lang := range web.Languages() {
		for _, p := range h.site.pages {
			address := "/docs/" + string(lang) + "/" + p.path
			t.Run(string(lang)+"/"+p.path, func(t *testing.T) {
				response, text := get(t, h, address)
				check(t, address, p, response, text)
			})
		}
	}
}

func TestEveryPageIsDrawn(t *testing.T) {
	h := newHandler(t, nil)
	each(t, h, func(t *testing.T, address string, p *page, response *http.Response, text string) {
		csp := response.Header.Get("Content-Security-Policy")
		if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %s", address, response.Status)
		}
		if strings.Contains(csp, "unsafe") || !strings.HasPrefix(csp, "default-src 'none'; style-src 'self'; script-src 'self'") {
			t.Errorf("%s: policy %s", address, csp)
		}
		if !strings.HasSuffix(strings.TrimSpace(text), "</html>") || strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "placeholderZQ") {
			t.Errorf("%s: not a whole page:\n%s", address, text)
		}
	})
}
