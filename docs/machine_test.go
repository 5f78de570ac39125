package docs

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"payout"
	"payout/spec"
	"payout/web"
)

// machinePaths are the documents for programs.
func machinePaths() []string {
	paths := []string{"openapi.json", "postman.json"}
	for _, c := range spec.Commands {
		paths = append(paths, "postman/"+slug(c)+".json")
	}
	return paths
}

func TestDocumentsForProgramsAreServed(t *testing.T) {
	h := newHandler(t, nil)
	texts := make(map[string]bool)
	for _, path := range machinePaths() {
		for _, lang := range []string{"", "?lang=ru"} {
			response, text := get(t, h, "/docs/"+path+lang)
			if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "application/json" || !json.Valid([]byte(text)) {
				t.Errorf("%s%s: %s, %s", path, lang, response.Status, response.Header.Get("Content-Type"))
			}
			if !strings.Contains(text, `http://gate.example.com`) || !strings.Contains(text, "/paynet") {
				t.Errorf("%s%s does not name the install", path, lang)
			}
			if texts[text] {
				t.Errorf("%s%s is served under two addresses", path, lang)
			}
			texts[text] = true
			etag := response.Header.Get("ETag")
			if again, _ := get(t, h, "/docs/"+path+lang, "If-None-Match", etag); etag == "" || again.StatusCode != http.StatusNotModified {
				t.Errorf("%s%s is sent again: %s", path, lang, again.Status)
			}
		}
	}
	if response, _ := get(t, h, "/docs/postman/v4-nothing.json"); response.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown command: %s", response.Status)
	}
	if response, _ := ask(t, h, http.MethodPost, "/docs/openapi.json"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}

func TestDocumentsForProgramsNameTheHostTheyCameFrom(t *testing.T) {
	h := newHandler(t, func(h *Handler) { h.PublicURL = "https://pay.example.org" })
	for _, path := range machinePaths() {
		if _, text := get(t, h, "/docs/"+path); !strings.Contains(text, "https://pay.example.org") || strings.Contains(text, "gate.example.com/paynet/api") {
			t.Errorf("%s does not name the public URL", path)
		}
	}
}

func TestPagesLinkToTheDocumentsForPrograms(t *testing.T) {
	h := newHandler(t, nil)
	for _, lang := range web.Languages() {
		_, home := get(t, h, "/docs/"+string(lang)+"/")
		for _, path := range machinePaths()[:2] {
			if !strings.Contains(home, `href="/docs/`+path+`?lang=`+string(lang)+`"`) {
				t.Errorf("the first page in %s does not link to %s", lang, path)
			}
		}
		for _, c := range spec.Commands {
			if _, page := get(t, h, "/docs/"+string(lang)+"/commands/"+slug(c)); !strings.Contains(page, `href="/docs/postman/`+slug(c)+`.json?lang=`+string(lang)+`"`) {
				t.Errorf("the page of %s in %s does not link to its collection", c.Path(), lang)
			}
		}
	}
}

func TestAFictitiousCommandIsInTheDocumentsForPrograms(t *testing.T) {
	letter := &spec.Command{Version: 4, Name: "post-letter", Auth: spec.OAuthRSA, Type: payout.TypePayout, Doc: spec.T("Posts a letter.", "Отправляет письмо."),
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}}, Reply: spec.AsyncReply}
	h := newHandler(t, func(h *Handler) { h.Commands = append(slices.Clone(spec.Commands), letter) })
	for _, path := range []string{"openapi.json", "postman.json", "postman/v4-post-letter.json"} {
		if response, text := get(t, h, "/docs/"+path); response.StatusCode != http.StatusOK || !strings.Contains(text, "/api/v4/post-letter/") {
			t.Errorf("%s: %s, without the command", path, response.Status)
		}
	}
}
