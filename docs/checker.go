package docs

import (
	"payout/spec"
	"payout/web"
)

// checkerPages are the signature checker. Its script calls nothing: what is pasted
// stays in the page.
func (h *Handler) checkerPages() []*page {
	return []*page{{path: "checker", section: inTools, wide: true, private: true,
		title: h.toolText("checkerTitle"), summary: h.toolText("checkerSummary"),
		template: "checker.html", scripts: []string{"checker.js"},
		connect: func(v *visit) []string { return []string{"http://" + v.r.Host + v.root() + searchPath} },
		view:    func(v *visit) (any, error) { return h.checkerView(v), nil }}}
}

// A checkerView is what the page of the checker shows.
type checkerView struct {
	Words  map[string]string
	Assets string
	Data   checkerData
}

// checkerData is what the script of the checker reads.
type checkerData struct {
	Origin   string            `json:"origin"`   // that clients sign
	Context  string            `json:"context"`  // such as /paynet
	Window   int64             `json:"window"`   // seconds; 0: timestamps are not checked
	Controls map[string]string `json:"controls"` // builders of the commands that are not signed, by path
	Rules    map[string]string `json:"rules"`    // texts by rule
	Words    map[string]string `json:"words"`
}

func (h *Handler) checkerView(v *visit) checkerView {
	words := h.toolWords(v.lang)
	d := checkerData{Origin: v.install.Origin, Context: v.install.Context, Window: int64(h.Window.Seconds()),
		Controls: make(map[string]string), Rules: ruleTexts(v.lang), Words: words}
	for _, c := range h.commands() {
		if c.Auth == spec.Control {
			d.Controls[c.Path()] = v.root() + "builder/" + slug(c)
		}
	}
	return checkerView{Words: words, Assets: "/docs/" + h.site.assets.Path(), Data: d}
}

// toolText is a text of the tools in all languages.
func (h *Handler) toolText(key string, pairs ...string) spec.Text {
	in := func(lang web.Lang) string {
		text, err := h.site.words.Text(lang, key, pairs...)
		if err != nil {
			panic(err) // Open draws every page: it is found at start
		}
		return text
	}
	return spec.T(in(web.English), in(web.Russian))
}

// toolWords are the texts of the tools in one language, by their keys. Their
// places are filled in the page.
func (h *Handler) toolWords(lang web.Lang) map[string]string {
	words := make(map[string]string)
	for _, key := range h.site.words.Keys() {
		words[key] = h.site.words.Raw(lang, key)
	}
	return words
}
