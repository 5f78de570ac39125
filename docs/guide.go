package docs

import (
	"fmt"
	"path"
	"strings"

	"payout/spec"
	"payout/web"
)

// A guide is one text of guides/, in every language. Its file is named by its
// place and its address: 10-first-payout.md.
type guide struct {
	slug    string
	Title   spec.Text
	Summary spec.Text
	text    map[web.Lang]string // Markdown with placeholders
}

// glossarySlug is the guide that stands with the reference.
const glossarySlug = "glossary"

// readGuides reads the guides in the order of their numbers. Each has to be there
// in every language.
func readGuides() ([]*guide, error) {
	var all []*guide
	for n, lang := range web.Languages() {
		folder := "guides/" + string(lang)
		entries, err := files.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("read guides: %w", err)
		}
		i := 0
		for _, entry := range entries { // sorted by name
			if strings.HasPrefix(entry.Name(), ".") {
				continue
			}
			_, slug, ok := strings.Cut(strings.TrimSuffix(entry.Name(), ".md"), "-")
			if !ok || path.Ext(entry.Name()) != ".md" {
				return nil, fmt.Errorf("guide %s/%s: the name has to be NN-slug.md", folder, entry.Name())
			}
			if n == 0 {
				all = append(all, &guide{slug: slug, text: make(map[web.Lang]string)})
			}
			if i >= len(all) || all[i].slug != slug {
				return nil, fmt.Errorf("guide %s/%s is not there in every language", folder, entry.Name())
			}
			content, err := files.ReadFile(folder + "/" + entry.Name())
			if err != nil {
				return nil, fmt.Errorf("read guides: %w", err)
			}
			if err := all[i].read(lang, string(content)); err != nil {
				return nil, fmt.Errorf("guide %s/%s: %w", folder, entry.Name(), err)
			}
			i++
		}
		if i != len(all) {
			return nil, fmt.Errorf("guide %s is not there in %s", all[i].slug, lang.Name())
		}
	}
	return all, nil
}

// read takes the two lines at the top, "title: ..." and "summary: ...", an empty
// line, and the text.
func (g *guide) read(lang web.Lang, content string) error {
	first, rest, _ := strings.Cut(content, "\n")
	second, rest, _ := strings.Cut(rest, "\n")
	title, hasTitle := strings.CutPrefix(first, "title: ")
	summary, hasSummary := strings.CutPrefix(second, "summary: ")
	if !hasTitle || !hasSummary || !strings.HasPrefix(rest, "\n") {
		return fmt.Errorf("it has to begin with the lines title: ... and summary: ... and an empty line")
	}
	if lang == web.Russian {
		g.Title.RU, g.Summary.RU = title, summary
	} else {
		g.Title.EN, g.Summary.EN = title, summary
	}
	g.text[lang] = rest
	return nil
}

// Path is the guide's address below /docs/{lang}/.
func (g *guide) Path() string {
	if g.slug == glossarySlug {
		return "reference/" + g.slug
	}
	return "guides/" + g.slug
}

// guidePages are the guides but the glossary, which stands with the reference.
func (h *Handler) guidePages() []*page {
	var all []*page
	for _, g := range h.site.guides {
		if g.slug != glossarySlug {
			all = append(all, h.guidePage(g, inGuides))
		}
	}
	return all
}

func (h *Handler) guidePage(g *guide, s section) *page {
	return &page{path: g.Path(), section: s, title: g.Title, summary: g.Summary, template: "guide.html",
		view: func(v *visit) (any, error) { return h.rendered(v, g) }}
}
