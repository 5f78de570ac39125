package docs

import (
	"net/http"

	"payout/spec"
	"payout/web"
)

// builderPages are the request builders, one for each command.
func (h *Handler) builderPages() []*page {
	var all []*page
	for i, c := range h.commands() {
		all = append(all, &page{path: "builder/" + slug(c), section: inTools, unlisted: i > 0, wide: true,
			title:    spec.T("Request builder", "Конструктор запросов"),
			summary:  spec.T("Builds and signs a request of "+c.Path()+" in the browser.", "Собирает и подписывает запрос "+c.Path()+" прямо в браузере."),
			template: "builder.html", scripts: []string{"builder.js"},
			connect: func(v *visit) []string { return []string{v.install.Base() + "/api/", v.install.Origin + "/docs/"} },
			view: func(v *visit) (any, error) {
				return map[string]any{"Command": c, "Commands": h.commands(), "Data": map[string]any{"path": c.Path(), "url": v.install.URL(c)}}, nil
			}})
	}
	return all
}

// signUp makes a merchant of the sandbox for a key that was made in the page.
func (h *Handler) signUp(w http.ResponseWriter, r *http.Request) {
	if h.SignUp == nil {
		http.NotFound(w, r)
		return
	}
	web.Policy{}.Set(w.Header())
	http.Error(w, "Not Implemented", http.StatusNotImplemented)
}
