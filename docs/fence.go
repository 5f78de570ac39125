package docs

import (
	"bytes"
	"html"
	"html/template"
	"regexp"

	"payout/web"
)

// fence is a sample of code as goldmark writes it.
var fence = regexp.MustCompile(`(?s)<pre><code(?: class="language-(\w+)")?>(.*?)\n?</code></pre>`)

// withSamples draws the samples of code of a guide as those of other pages: with a
// name and a button that copies them.
func (h *Handler) withSamples(lang web.Lang, guide string) (template.HTML, error) {
	var failed error
	text := fence.ReplaceAllStringFunc(guide, func(sample string) string {
		m := fence.FindStringSubmatch(sample)
		name, err := h.site.messages.Text(lang, "fence."+m[1])
		if err != nil {
			failed = err
			return ""
		}
		var b bytes.Buffer
		if err := h.site.templates[lang]["guide.html"].ExecuteTemplate(&b, "sample", map[string]any{"Name": name, "Text": html.UnescapeString(m[2])}); err != nil {
			failed = err
		}
		return b.String()
	})
	return template.HTML(text), failed
}
