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

func lostPage() *page {
	return &page{template: "lost.html", wide: true, title: spec.T("Page not found", "Страница не найдена"),
		view: func(*visit) (any, error) { return nil, nil }}
}
