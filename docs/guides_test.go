package docs

import (
	"html"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"payout"
	"payout/spec"
	"payout/web"
)

var (
	guideHeading     = regexp.MustCompile(`(?m)^(#+) `)
	guideFence       = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	guidePlaceholder = regexp.MustCompile(`\{\{[^}]+\}\}`)
	guideLink        = regexp.MustCompile(`\]\(([^)]+)\)`)
	guideRow         = regexp.MustCompile(`(?m)^(\||- |\d+\. )`)
	guideCode        = regexp.MustCompile("`[^`\n]+`")
	cyrillic         = regexp.MustCompile(`\p{Cyrillic}`)
)

// A shape is what the two languages of a guide have in common.
type shape struct {
	headings, rows             []string
	programs, placeholders     []string
	links, names               []string
	title, summary, wholeGuide string
}

// shapeOf takes a guide apart. What translators may move within a text is sorted.
func shapeOf(g *guide, lang web.Lang) shape {
	text := strings.ReplaceAll(g.text[lang], "/docs/"+string(lang)+"/", "/docs/LANG/")
	s := shape{title: g.Title.In(string(lang)), summary: g.Summary.In(string(lang)), wholeGuide: text}
	for _, m := range guideFence.FindAllStringSubmatch(text, -1) {
		s.programs = append(s.programs, m[1]+"\n"+m[2])
	}
	text = guideFence.ReplaceAllString(text, "")
	for _, m := range guideHeading.FindAllStringSubmatch(text, -1) {
		s.headings = append(s.headings, m[1])
	}
	for _, m := range guideRow.FindAllStringSubmatch(text, -1) {
		s.rows = append(s.rows, m[1])
	}
	for _, m := range guideLink.FindAllStringSubmatch(text, -1) {
		link, _, _ := strings.Cut(m[1], "#") // anchors are in the language
		s.links = append(s.links, link)
	}
	s.placeholders = guidePlaceholder.FindAllString(text, -1)
	for _, name := range guideCode.FindAllString(text, -1) {
		if !cyrillic.MatchString(name) { // a word for the reader to replace
			s.names = append(s.names, name)
		}
	}
	for _, sorted := range [][]string{s.links, s.placeholders} {
		slices.Sort(sorted)
	}
	slices.Sort(s.names)
	s.names = slices.Compact(s.names)
	return s
}

func TestGuidesAreTheSameInBothLanguages(t *testing.T) {
	h := newHandler(t, nil)
	if len(h.site.guides) < 16 {
		t.Errorf("only %d guides are here", len(h.site.guides))
	}
	for _, g := range h.site.guides {
		en, ru := shapeOf(g, web.English), shapeOf(g, web.Russian)
		for _, part := range []struct {
			name   string
			en, ru []string
		}{{"headings", en.headings, ru.headings}, {"rows and items", en.rows, ru.rows}, {"samples of code", en.programs, ru.programs},
			{"placeholders", en.placeholders, ru.placeholders}, {"links", en.links, ru.links}} {
			if !slices.Equal(part.en, part.ru) {
				t.Errorf("%s: the %s differ:\n%q\n%q", g.slug, part.name, part.en, part.ru)
			}
		}
		for _, name := range ru.names { // what is named in code in one language is in the other's text
			if !strings.Contains(en.wholeGuide, strings.Trim(name, "`")) {
				t.Errorf("%s: only the Russian text names %s", g.slug, name)
			}
		}
		for _, name := range en.names {
			if !strings.Contains(ru.wholeGuide, strings.Trim(name, "`")) && !strings.Contains(name, "NAME") {
				t.Errorf("%s: only the English text names %s", g.slug, name)
			}
		}
		if cyrillic.MatchString(en.title+en.summary) || !cyrillic.MatchString(ru.summary) {
			t.Errorf("%s: %q and %q", g.slug, en.summary, ru.summary)
		}
	}
}

func TestLinksOfGuidesResolve(t *testing.T) {
	h := newHandler(t, nil)
	seen := 0
	for _, g := range h.site.guides {
		for _, lang := range web.Languages() {
			for _, link := range shapeOf(g, lang).links {
				seen++
				if to := path.Join(path.Dir(g.Path()), link); link != "" && link[0] != '/' && h.site.byPath[to] == nil {
					t.Errorf("%s in %s links to %s: there is no page %s", g.slug, lang.Name(), link, to)
				}
			}
		}
	}
	if seen < 60 {
		t.Errorf("only %d links were looked at: the test is blind", seen)
	}
}

// saidCode finds error codes: "code 305", "код 305", and rows of tables that begin with one.
var saidCode = regexp.MustCompile(`(?m)(?:\bcodes? |код(?:ом|а)? |^\| |, )(1\d{3}|3\d{2})\b`)

func TestGuidesNameErrorCodesThatExist(t *testing.T) {
	h := newHandler(t, nil)
	known := make(map[string]bool)
	for _, row := range payout.ErrCodes() {
		known[strconv.Itoa(int(row.Code))] = true
	}
	seen := 0
	for _, g := range h.site.guides {
		for _, lang := range web.Languages() {
			for _, m := range saidCode.FindAllStringSubmatch(g.text[lang], -1) {
				seen++
				if !known[m[1]] && m[1] != "1000" {
					t.Errorf("%s in %s: there is no code %s", g.slug, lang.Name(), m[1])
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d codes were looked at: the test is blind", seen)
	}
}

// wireWord is a name with '_' or '-' that stands in the samples and texts of code.
var wireWord = regexp.MustCompile("^`([a-z][a-z0-9]*([_-][a-z0-9]+)+)`$")

// apiWords are the names of the API: parameters, fields, commands, stages and events.
func apiWords() map[string]bool {
	known := map[string]bool{"decide_after": true, "oauth_consumer_key": true, "oauth_nonce": true, "oauth_timestamp": true,
		"oauth_signature_method": true, "oauth_version": true, "oauth_signature": true, string(payout.KindValidation): true}
	for _, c := range spec.Commands {
		known[c.Name], known[c.Reply.Type] = true, true
		for _, u := range c.Params {
			for _, name := range u.Names() {
				known[name] = true
			}
		}
		for _, f := range append(slices.Clone(c.Reply.Fields), spec.ErrorReply.Fields...) {
			known[f.Name] = true
		}
	}
	for _, row := range payout.Stages() {
		known[row.Stage.OrderStage(payout.TypePayout)] = true
	}
	for _, row := range payout.Events() {
		known[string(row.Event)] = true
	}
	return known
}

func TestGuidesNameWhatExists(t *testing.T) {
	h, known, seen := newHandler(t, nil), apiWords(), 0
	for _, g := range h.site.guides {
		for _, lang := range web.Languages() {
			for _, name := range shapeOf(g, lang).names {
				m := wireWord.FindStringSubmatch(name)
				if m == nil {
					continue
				}
				seen++
				if !known[m[1]] {
					t.Errorf("%s in %s: nothing is named %s", g.slug, lang.Name(), name)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d names were looked at: the test is blind", seen)
	}
}

func TestSamplesOfGuidesCanBeCopied(t *testing.T) {
	h := newHandler(t, nil)
	for _, g := range h.site.guides {
		for _, lang := range web.Languages() {
			_, text := get(t, h, folder+string(lang)+"/"+g.Path())
			for _, m := range guideFence.FindAllStringSubmatch(g.text[lang], -1) {
				first, _, _ := strings.Cut(guidePlaceholder.Split(m[2], 2)[0], "\n")
				if !strings.Contains(html.UnescapeString(text), "<code>"+first) || strings.Contains(text, `class="language-`) {
					t.Errorf("%s in %s: %q is not drawn as a sample", g.slug, lang.Name(), first)
				}
			}
		}
	}
}

func TestWideTablesOfGuidesAreCardsOnAPhone(t *testing.T) {
	for source, want := range map[string]string{
		"| a | `b` | c |\n| --- | --- | --- |\n| 1 | 2 | \"3\" |\n": `<table class="cards-on-phone">
<thead>
<tr>
<th scope="col">a</th>
<th scope="col"><code>b</code></th>
<th scope="col">c</th>
</tr>
</thead>
<tbody>
<tr>
<td data-label="a">1</td>
<td data-label="b">2</td>
<td data-label="c">&quot;3&quot;</td>
</tr>
</tbody>
</table>
`,
		"| a |  |\n| --- | --- |\n| 1 | 2 |\n": `<table>
<thead>
<tr>
<th scope="col">a</th>
<th scope="col"></th>
</tr>
</thead>
<tbody>
<tr>
<td>1</td>
<td>2</td>
</tr>
</tbody>
</table>
`,
	} {
		var b strings.Builder
		if err := markdown.Convert([]byte(source), &b); err != nil || b.String() != want {
			t.Errorf("%v\n%s", err, b.String())
		}
	}
}

// guideLabel is what a guide prints bold.
var guideLabel = regexp.MustCompile(`\*\*([^*]+)\*\*`)

// The labels that the first guide tells to press are those of the builder.
func TestFirstPayoutNamesTheBuildersLabels(t *testing.T) {
	h := newHandler(t, sandbox)
	for _, lang := range web.Languages() {
		_, builder := get(t, h, folder+string(lang)+"/builder/v4-payout")
		text := h.site.guides[0].text[lang]
		_, steps, _ := strings.Cut(text, "\n1. ")
		steps, _, _ = strings.Cut(steps, "\n## ")
		labels := guideLabel.FindAllStringSubmatch(steps, -1)
		for _, label := range labels {
			if !strings.Contains(html.UnescapeString(builder), ">"+label[1]+"<") {
				t.Errorf("in %s the builder has no %q", lang.Name(), label[1])
			}
		}
		if len(labels) != 4 {
			t.Errorf("in %s there are %d labels", lang.Name(), len(labels))
		}
	}
}
