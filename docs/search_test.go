package docs

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"payout/web"
)

const indexSizeMax = 64 << 10 // bytes over the network

// Every entry of an index leads to a page and to a heading of it, every page is
// found, and no value of this sandbox stands in it.
func TestSearchIndex(t *testing.T) {
	h := newHandler(t, sandbox)
	for _, lang := range web.Languages() {
		root := folder + string(lang) + "/"
		response, text := get(t, h, root+searchPath, "Accept-Encoding", "gzip")
		if response.Header.Get("Content-Type") != "application/json" || response.ContentLength > indexSizeMax {
			t.Errorf("%s: %s, %d bytes, at most %d", lang, response.Header.Get("Content-Type"), response.ContentLength, indexSizeMax)
		}
		t.Logf("the index in %s has %d bytes, %d over the network", lang.Name(), len(text), response.ContentLength)
		if strings.Contains(text, h.Example.ControlKey.Reveal()) {
			t.Errorf("%s: the control key stands in the index", lang)
		}
		again, _ := get(t, h, root+searchPath, "Accept-Encoding", "gzip", "If-None-Match", response.Header.Get("ETag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked again: %s", lang, again.Status)
		}
		var entries []entry
		if err := json.Unmarshal([]byte(text), &entries); err != nil {
			t.Fatal(err)
		}
		found, pages := make(map[string]bool), make(map[string]string)
		for _, e := range entries {
			path, fragment, _ := strings.Cut(e.URL, "#")
			found[path] = true
			if pages[path] == "" {
				response, pages[path] = get(t, h, root+path)
				if response.StatusCode != http.StatusOK {
					t.Errorf("%s: %s", root+path, response.Status)
				}
			}
			if fragment != "" && !strings.Contains(pages[path], ` id="`+fragment+`"`) {
				t.Errorf("%s%s: there is no such id", root, e.URL)
			}
			if e.Page == "" || (e.Heading == "") != (fragment == "") || len([]rune(e.Text)) > indexMax {
				t.Errorf("%s: %q, %q, %d bytes of text", e.URL, e.Page, e.Heading, len(e.Text))
			}
		}
		for _, p := range h.site.pages {
			if !p.unlisted && !found[p.path] {
				t.Errorf("%s cannot be found", p.path)
			}
		}
	}
}

// Words of tables are found, words of samples are not doubled.
func TestEntriesOfAPage(t *testing.T) {
	p := &page{path: "a/b"}
	got := entriesOf(p, "Title", `<h1>Title</h1><p>One <code>two</code>.</p><h2 id="x">Three &amp; four</h2><table class="cards-on-phone"><thead><tr><th>Head</th></tr></thead>`+
		`<tr><td>five</td><td>six</td></tr></table><figure class="sample"><pre>seven</pre></figure><h3 class="k" id="y">Eight</h3>nine`)
	want := []entry{{"a/b", "Title", "", "One two."}, {"a/b#x", "Title", "Three & four", "five six"}, {"a/b#y", "Title", "Eight", "nine"}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
}
