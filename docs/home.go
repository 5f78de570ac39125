package docs

import "payout/spec"

// homePage is the first page of a language.
func (h *Handler) homePage() *page {
	return &page{section: inGuides, unlisted: true, template: "home.html",
		title:   spec.T("payoutd documentation", "Документация payoutd"),
		summary: spec.T("Send payouts, follow them, and check what comes back.", "Отправляйте выплаты, следите за ними и проверяйте ответы."),
		view: func(v *visit) (any, error) {
			return homeView{Guides: h.homeLinks(v, inGuides), Commands: h.commands(), Reference: h.homeLinks(v, inReference), Tools: h.homeLinks(v, inTools),
				Key: v.install.ControlKey.Reveal(), Grouped: v.install.Group != groupWord}, nil
		}}
}

// A homeView is what the first page shows.
type homeView struct {
	Guides, Reference, Tools []homeLink
	Commands                 []*spec.Command
	Key                      string // the control key of a sandbox's example
	Grouped                  bool   // there is a group to show
}

// A homeLink is a page as the first page shows it.
type homeLink struct {
	Title, Summary spec.Text
	URL            string
}

func (h *Handler) homeLinks(v *visit, s section) []homeLink {
	var all []homeLink
	for _, p := range h.site.pages {
		if p.section == s && !p.unlisted {
			link := homeLink{p.title, p.summary, v.root() + p.path}
			if p.menu != (spec.Text{}) {
				link.Title = p.menu
			}
			all = append(all, link)
		}
	}
	return all
}

// lostPage is shown for addresses that lead nowhere.
func lostPage() *page {
	return &page{template: "lost.html", wide: true, title: spec.T("Page not found", "Страница не найдена"),
		view: func(*visit) (any, error) { return nil, nil }}
}
