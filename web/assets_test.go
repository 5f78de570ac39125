package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func serve(method, name, encoding string) *http.Response {
	r := httptest.NewRequest(method, "/"+name, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	ServeAsset(w, r, name)
	return w.Result()
}

func TestAssetsAreKeptForEverUnderAHash(t *testing.T) {
	if !regexp.MustCompile(`^assets/[0-9a-f]{16}/$`).MatchString(AssetsPath()) {
		t.Errorf("the path is %s", AssetsPath())
	}
	for name, contentType := range map[string]string{"page.css": "text/css; charset=utf-8", "form.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
		plain, zipped := serve("GET", name, "br"), serve("GET", name, "br, gzip;q=0.8")
		want, _ := io.ReadAll(plain.Body)
		unzipped, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(unzipped); err != nil || !bytes.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: %d bytes zipped, %d plain, %v", name, len(got), len(want), err)
		}
		for _, answer := range []*http.Response{plain, zipped} {
			h := answer.Header
			if answer.StatusCode != 200 || h.Get("Content-Type") != contentType || h.Get("Vary") != "Accept-Encoding" ||
				!strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %s %v", name, answer.Status, h)
			}
		}
	}
}

func TestAssetsThatAreNot(t *testing.T) {
	for _, test := range []struct {
		method, name string
		status       int
	}{{"GET", "../lang.go", 404}, {"GET", "", 404}, {"GET", "none.js", 404}, {"POST", "page.css", 405}, {"HEAD", "page.css", 200}} {
		if got := serve(test.method, test.name, ""); got.StatusCode != test.status {
			t.Errorf("%s %s: %s, want %d", test.method, test.name, got.Status, test.status)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{"gzip": true, "br, GZIP": true, "gzip;q=0": false, "gzip; q=0.1": true, "gzip;q=0.000": false, "": false, "br": false} {
		if AcceptsGzip(header) != want {
			t.Errorf("%q: not %v", header, want)
		}
	}
}
