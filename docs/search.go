package docs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"payout/web"
)

// searchPath is the address of a language's index below /docs/{lang}/.
const searchPath = "search.json"

// An index is what the search in the page reads, made once at start.
type index struct{ plain, zipped []byte }

// An entry is one part of a page that can be found: what stands under a heading.
type entry struct {
	URL     string `json:"u"` // below /docs/{lang}/, with the heading's fragment
	Page    string `json:"p"`
	Heading string `json:"h,omitempty"`
	Text    string `json:"t"`
}

// indexMax is the greatest text of an entry in characters: enough to find every
// word of a table's names, and no samples of code.
const indexMax = 6000

// buildIndexes draws every page in every language, which also proves that they
// can be drawn, and lists what they say.
func (h *Handler) buildIndexes() (map[web.Lang]index, error) {
	all := make(map[web.Lang]index)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://gate.example.com/docs/", nil)
	if err != nil {
		return nil, err
	}
	for _, lang := range web.Languages() {
		var entries []entry
		for _, p := range h.site.pages {
			v := &visit{r: r, lang: lang, install: h.installOf(r)}
			v.install.ControlKey = "" // nobody searches for it
			content, err := h.content(v, p)
			if err != nil {
				return nil, err
			}
			if _, err := h.framed(v, p, content); err != nil {
				return nil, err
			}
			if p.unlisted {
				continue
			}
			entries = append(entries, entriesOf(p, p.title.In(string(lang)), string(content))...)
		}
		text, err := json.Marshal(entries)
		if err != nil {
			return nil, fmt.Errorf("search index: %w", err)
		}
		all[lang] = index{text, web.Gzip(text)}
	}
	return all, nil
}

// What is not searched: samples, whose words stand in the tables, and what an
// entry has already as its title.
var (
	unsearched = regexp.MustCompile(`(?s)<(?:h1>.*?</h1|table class="sum">.*?</table|figure class="sample">.*?</figure|script.*?</script|svg.*?</svg|thead>.*?</thead|caption.*?</caption)>`)
	blockEnds  = strings.NewReplacer("</p>", " ", "</li>", " ", "</td>", " ", "</th>", " ", "</h1>", " ", "</dt>", " ", "</dd>", " ",
		"</figcaption>", " ", "</button>", " ", "</option>", " ", "</label>", " ")
)

// entriesOf cuts a page at its headings.
func entriesOf(p *page, title, content string) []entry {
	content = unsearched.ReplaceAllString(content, " ")
	cuts := headingElement.FindAllStringSubmatchIndex(content, -1)
	end := len(content)
	if len(cuts) > 0 {
		end = cuts[0][0]
	}
	all := []entry{{URL: p.path, Page: title, Text: searchable(content[:end])}}
	for i, cut := range cuts {
		end := len(content)
		if i+1 < len(cuts) {
			end = cuts[i+1][0]
		}
		all = append(all, entry{URL: p.path + "#" + content[cut[6]:cut[7]], Page: title, Heading: plain(content[cut[10]:cut[11]]), Text: searchable(content[cut[1]:end])})
	}
	return all
}

func searchable(piece string) string {
	text := []rune(plain(blockEnds.Replace(piece)))
	return string(text[:min(len(text), indexMax)])
}

// isWord tells letters and digits of any script, and what joins names.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_", r)
}
