package docs

import (
	"html"
	"html/template"
	"regexp"
	"strings"

	"payout/web"
)

// A heading is a heading of a page that can be linked to.
type heading struct {
	Level int
	ID    string
	Text  string
}

// headingElement matches what templates and guides write: nothing nests in it
// but phrasing content.
var (
	headingElement = regexp.MustCompile(`(?s)<h([23])((?: [a-z-]+="[^"]*")*?) id="([^"]+)"((?: [a-z-]+="[^"]*")*)>(.*?)</h[23]>`)
	element        = regexp.MustCompile(`<[^>]*>`)
)

// plain is the text of a piece of HTML.
func plain(piece string) string {
	return strings.Join(strings.Fields(html.UnescapeString(element.ReplaceAllString(piece, ""))), " ")
}

// withAnchors gives every heading a link to itself, and lists the headings.
func withAnchors(content []byte, lang web.Lang, m *web.Messages) (template.HTML, []heading) {
	var headings []heading
	linked := headingElement.ReplaceAllStringFunc(string(content), func(whole string) string {
		part := headingElement.FindStringSubmatch(whole)
		h := heading{Level: int(part[1][0] - '0'), ID: part[3], Text: plain(part[5])}
		headings = append(headings, h)
		label, err := m.Text(lang, "anchor", "heading", h.Text)
		if err != nil {
			label = h.Text
		}
		return strings.TrimSuffix(whole, "</h"+part[1]+">") +
			` <a class="anchor" href="#` + h.ID + `" aria-label="` + html.EscapeString(label) + `">#</a></h` + part[1] + ">"
	})
	return template.HTML(linked), headings
}
