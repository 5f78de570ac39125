package docs

import "payout/spec"

// checkerPages are the signature checker.
func (h *Handler) checkerPages() []*page {
	return []*page{{path: "checker", section: inTools, wide: true,
		title:    spec.T("Signature checker", "Проверка подписи"),
		summary:  spec.T("Paste a failing request and see the first rule that it breaks.", "Вставьте отклонённый запрос и увидите первое нарушенное правило."),
		template: "checker.html", scripts: []string{"checker.js"},
		view: func(v *visit) (any, error) {
			return map[string]any{"Data": map[string]any{"base": v.install.Base()}}, nil
		}}}
}
