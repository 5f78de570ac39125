package docs

import (
	"crypto/rsa"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"payout"
	"payout/web"
)

var (
	hrefAttribute = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	idAttribute   = regexp.MustCompile(` id="([^"]*)"`)
)

// TestEveryLinkLeadsSomewhere walks the whole site from its first pages: every
// address of ours answers, and every fragment is an id of its page.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	h := newHandler(t, sandbox)
	ids, links := make(map[string]map[string]bool), make(map[string][]string)
	queue := []string{"/docs/en/", "/docs/ru/"}
	for len(queue) > 0 {
		address := queue[0]
		queue = queue[1:]
		if ids[address] != nil {
			continue
		}
		response, text := get(t, h, address)
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s, linked from %v: %s", address, links[address], response.Status)
		}
		ids[address] = make(map[string]bool)
		for _, id := range idAttribute.FindAllStringSubmatch(text, -1) {
			if ids[address][id[1]] {
				t.Errorf("%s has the id %q twice", address, id[1])
			}
			ids[address][id[1]] = true
		}
		if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, m := range hrefAttribute.FindAllStringSubmatch(text, -1) {
			link := resolved(address, html.UnescapeString(m[1]))
			if link == "" {
				continue
			}
			links[link] = append(links[link], address)
			path, _, _ := strings.Cut(link, "#")
			queue = append(queue, path)
		}
	}
	for link, from := range links {
		path, fragment, ok := strings.Cut(link, "#")
		id, err := url.PathUnescape(fragment) // ids of Russian headings are Russian
		if ok && (err != nil || !ids[path][id]) {
			t.Errorf("%s, linked from %s: there is no such id", link, from[0])
		}
	}
	if len(ids) < 2*len(h.site.pages) {
		t.Errorf("only %d addresses were seen, there are %d pages in two languages", len(ids), len(h.site.pages))
	}
	for _, p := range h.site.pages {
		for _, lang := range web.Languages() {
			if address := folder + string(lang) + "/" + p.path; ids[address] == nil && !strings.HasPrefix(p.path, "builder/") {
				t.Errorf("nothing links to %s", address)
			}
		}
	}
}

// resolved is the address of a link within the site, from a page; empty when it
// leads elsewhere.
func resolved(page, link string) string {
	switch {
	case strings.HasPrefix(link, "#"):
		return page + link
	case strings.HasPrefix(link, "/"):
		return link
	case strings.Contains(link, ":"):
		return ""
	}
	folder := page[:strings.LastIndexByte(page, '/')+1]
	for strings.HasPrefix(link, "../") {
		folder = folder[:strings.LastIndexByte(strings.TrimSuffix(folder, "/"), '/')+1]
		link = strings.TrimPrefix(link, "../")
	}
	return folder + link
}

// Only the sandbox's examples and links to foreign sites in texts may name
// another host: a page loads nothing from elsewhere.
func TestNothingIsLoadedFromElsewhere(t *testing.T) {
	loads := regexp.MustCompile(`<(?:script|link|img|iframe|source)[^>]* (?:src|href)="([^"]*)"`)
	h := newHandler(t, sandbox)
	each(t, h, func(t *testing.T, address string, p *page, response *http.Response, text string) {
		for _, m := range loads.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "/docs/") {
				t.Errorf("%s loads %s", address, m[1])
			}
		}
		for _, inline := range []string{" style=\"", "<style", " onclick=", " onload=", "javascript:"} {
			if strings.Contains(text, inline) {
				t.Errorf("%s has %s, which its policy forbids", address, inline)
			}
		}
	})
}

const pageMax = 200 << 10 // bytes, with its own style sheets and scripts, before compression

func TestNoPageIsLarge(t *testing.T) {
	assets := regexp.MustCompile(`<(?:script|link)[^>]* (?:src|href)="(/docs/assets/[^"]*)"`)
	imports := regexp.MustCompile(`(?:from|import) "\./([^"]+)"`)
	h := newHandler(t, sandbox)
	largest := ""
	largestSize := 0
	each(t, h, func(t *testing.T, address string, p *page, response *http.Response, text string) {
		sum, seen := len(text), make(map[string]bool)
		var load func(string)
		load = func(asset string) {
			if seen[asset] {
				return
			}
			seen[asset] = true
			response, content := get(t, h, asset)
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", asset, response.Status)
			}
			sum += len(content)
			for _, m := range imports.FindAllStringSubmatch(content, -1) {
				load(asset[:strings.LastIndexByte(asset, '/')+1] + m[1])
			}
		}
		for _, m := range assets.FindAllStringSubmatch(text, -1) {
			load(m[1])
		}
		if sum > pageMax {
			t.Errorf("%s has %d bytes, at most %d", address, sum, pageMax)
		}
		if sum > largestSize {
			largest, largestSize = address, sum
		}
	})
	t.Logf("the largest page is %s: %d bytes", largest, largestSize)
}

// sandbox makes the install a sandbox, without its orders.
func sandbox(h *Handler) {
	h.Example = &Merchant{Login: "TestMerchant", Endpoint: payout.EndpointID(39915), Group: payout.GroupID(77), Key: testKey(), ControlKey: "AF4B5DE6-3468-424C-A922-C1DAD7CB4509"}
}

func publicOf(key *rsa.PrivateKey) []*rsa.PublicKey { return []*rsa.PublicKey{&key.PublicKey} }

func TestLanguagesHaveTheSamePages(t *testing.T) {
	h := newHandler(t, sandbox)
	for _, p := range h.site.pages {
		if p.title.EN == "" || p.title.RU == "" || p.summary.EN == "" || p.summary.RU == "" {
			t.Errorf("page %q: its title or summary is not in both languages", p.path)
		}
		for _, pair := range [][2]string{{"en", "ru"}, {"ru", "en"}} {
			_, text := get(t, h, "/docs/"+pair[0]+"/"+p.path)
			for _, want := range []string{
				fmt.Sprintf(`<html lang="%s"`, pair[0]),
				fmt.Sprintf(`<link rel="alternate" hreflang="%s" href="/docs/%s/%s">`, pair[1], pair[1], p.path),
				fmt.Sprintf(`<a href="/docs/%s/%s" lang="%s"`, pair[1], p.path, pair[1]),
			} {
				if !strings.Contains(text, want) {
					t.Errorf("page %q in %s has no %s", p.path, pair[0], want)
				}
			}
		}
	}
}
