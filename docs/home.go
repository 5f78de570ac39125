package docs

import "payout/spec"

// homePage is the first page of a language.
func (h *Handler) homePage() *page {
	return &page{path: "", section: inGuides, unlisted: true, wide: false, template: "home.html",
		title:   spec.T("payoutd documentation", "Документация payoutd"),
		summary: spec.T("Send payouts, follow them, and check what comes back.", "Отправляйте выплаты, следите за ними и проверяйте ответы."),
		view: func(v *visit) (any, error) {
			return map[string]any{"Guides": h.site.guides, "Commands": h.commands()}, nil
		}}
}

// lostTemplate draws the page of addresses that lead nowhere.
const lostTemplate = "lost.html"

func (h *Handler) lostPage() *page {
	return &page{path: "", template: lostTemplate, wide: true, title: spec.T("Page not found", "Страница не найдена"),
		view: func(*visit) (any, error) { return nil, nil }}
}
