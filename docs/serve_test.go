package docs

import (
	"crypto/rand"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestServesItsOwnFolderAlone(t *testing.T) {
	h := newHandler(t, nil)
	for path, want := range map[string]bool{"/docs": true, "/docs/": true, "/docs/en/x": true, "/docsx": false, "/": false, "/paynet/docs/": false} {
		if h.Serves(path) != want {
			t.Errorf("%s: not %v", path, want)
		}
	}
}

func TestFirstAddressChoosesTheLanguage(t *testing.T) {
	h := newHandler(t, nil)
	for _, test := range []struct{ address, accept, want string }{
		{"/docs", "", "/docs/en/"},
		{"/docs/", "ru-RU,ru;q=0.9,en;q=0.8", "/docs/ru/"},
		{"/docs/", "en;q=0.8,ru;q=0.9", "/docs/ru/"},
		{"/docs/", "de, ru;q=0", "/docs/en/"},
		{"/docs/ru", "en", "/docs/ru/"},
	} {
		response, _ := get(t, h, test.address, "Accept-Language", test.accept)
		if got := response.Header.Get("Location"); got != test.want || response.StatusCode/100 != 3 {
			t.Errorf("%s for %q: %s %s, want %s", test.address, test.accept, response.Status, got, test.want)
		}
	}
}

func TestAddressesThatLeadNowhere(t *testing.T) {
	h := newHandler(t, nil)
	for address, want := range map[string]string{"/docs/en/none": "Page not found", "/docs/ru/commands/": "Страница не найдена", "/docs/de/": "Page not found",
		"/docs/en/commands/v4-payout/": "Page not found", "/docs/ru/../en/x": "", "/docs/assets/0000000000000000/site.css": "Page not found"} {
		response, text := get(t, h, address)
		if response.StatusCode != http.StatusNotFound || !strings.Contains(text, want) || !strings.Contains(text, `id="search"`) {
			t.Errorf("%s: %s", address, response.Status)
		}
		if cache := response.Header.Get("Cache-Control"); cache != "no-store" {
			t.Errorf("%s: Cache-Control %q", address, cache)
		}
	}
}

func TestMethods(t *testing.T) {
	h := newHandler(t, nil)
	for _, address := range []string{"/docs/", "/docs/en/", "/docs/en/commands/v4-payout", "/docs/" + h.site.assets.Path() + "site.css"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			response, _ := ask(t, h, method, address)
			if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %s, Allow %q", method, address, response.Status, response.Header.Get("Allow"))
			}
		}
		response, text := ask(t, h, http.MethodHead, address)
		if response.StatusCode >= 400 || text != "" {
			t.Errorf("HEAD %s: %s, %d bytes", address, response.Status, len(text))
		}
	}
}

// Pages of tables are asked for again by their ETag; pages with a signed example
// are never kept, by nobody.
func TestCaching(t *testing.T) {
	h := newHandler(t, sandbox)
	for _, encoding := range []string{"", "gzip"} {
		first, _ := get(t, h, "/docs/en/reference/errors", "Accept-Encoding", encoding)
		etag := first.Header.Get("ETag")
		if etag == "" || first.Header.Get("Cache-Control") != "no-cache" || first.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("a table: %v", first.Header)
		}
		again, text := get(t, h, "/docs/en/reference/errors", "Accept-Encoding", encoding, "If-None-Match", `"other", `+etag)
		if again.StatusCode != http.StatusNotModified || text != "" {
			t.Errorf("asked again: %s, %d bytes", again.Status, len(text))
		}
		other, _ := get(t, h, "/docs/ru/reference/errors", "Accept-Encoding", encoding, "If-None-Match", etag)
		if other.StatusCode != http.StatusOK {
			t.Errorf("another page for the same ETag: %s", other.Status)
		}
	}
	plain, _ := get(t, h, "/docs/en/reference/errors")
	zipped, _ := get(t, h, "/docs/en/reference/errors", "Accept-Encoding", "gzip")
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Error("two encodings have the same strong ETag")
	}
	signed, text := get(t, h, "/docs/en/commands/v4-payout")
	if signed.Header.Get("Cache-Control") != "no-store" || signed.Header.Get("ETag") != "" {
		t.Errorf("a signed example may be kept: %v", signed.Header)
	}
	if _, again := get(t, h, "/docs/en/commands/v4-payout"); again == text {
		t.Error("the same example came twice")
	}
}

// Who calls the gateway by another name reads that name.
func TestAddressesAreThoseOfTheCaller(t *testing.T) {
	h := newHandler(t, nil)
	_, text := get(t, h, "/docs/en/commands/v4-payout")
	if !strings.Contains(text, "http://gate.example.com/paynet/api/v4/payout/39915") {
		t.Error("the address is not the caller's")
	}
	public := newHandler(t, func(h *Handler) { h.PublicURL = "https://pay.example.org" })
	_, text = get(t, public, "/docs/en/commands/v4-payout")
	if !strings.Contains(text, "https://pay.example.org/paynet/api/v4/payout/39915") || strings.Contains(text, "gate.example.com/paynet") {
		t.Error("the address is not the public one")
	}
}

// However many names a gateway is called by, what is kept stays within its limit.
func TestKeptPagesAreLimited(t *testing.T) {
	h := newHandler(t, nil)
	k := &h.site.kept
	for n := range 40 {
		text := drawn{plain: make([]byte, 1<<20), zipped: make([]byte, 1<<10)}
		for range 2 {
			k.keep(keptKey{path: "x", origin: strconv.Itoa(n)}, text)
		}
		size := 0
		for _, text := range k.pages {
			size += len(text.plain) + len(text.zipped)
		}
		if size != k.size || size > keptMax || size == 0 {
			t.Fatalf("after %d pages %d bytes are kept and %d counted, at most %d", n+1, size, k.size, keptMax)
		}
	}
	if _, text := get(t, h, "/docs/en/reference/errors"); !strings.Contains(text, "code-305") {
		t.Error("a page is not drawn when others are kept")
	}
}

// Many readers at once read the same page, whoever is the first to open the site.
func TestManyReadersAtOnce(t *testing.T) {
	h := &Handler{ContextPath: "/paynet", Now: func() time.Time { return testTime }, Nonce: rand.Text, Log: slog.New(slog.DiscardHandler)}
	texts := make([]string, 8)
	var readers sync.WaitGroup
	for i := range texts {
		readers.Go(func() {
			_, texts[i] = get(t, h, "/docs/ru/reference/errors")
			get(t, h, "/docs/en/commands/v4-payout")
		})
	}
	readers.Wait()
	for i, text := range texts {
		if text != texts[0] || !strings.Contains(text, "code-305") {
			t.Errorf("reader %d sees another page", i)
		}
	}
}
