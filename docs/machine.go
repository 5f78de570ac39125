package docs

import (
	"log/slog"
	"net/http"

	"payout"
	"payout/openapi"
	"payout/postman"
	"payout/web"
)

// What programs read, by path below /docs/.
const (
	openAPIPath = "openapi.json"
	postmanPath = "postman.json" // and postman/v4-payout.json for one command
)

// A machineText makes what programs read for an install, in a language.
type machineText func(i install, lang web.Lang) ([]byte, error)

// machineDoors are the OpenAPI document and the collections for Postman. Their
// texts are English, or Russian with ?lang=ru.
func (h *Handler) machineDoors() map[string]http.HandlerFunc {
	doors := map[string]http.HandlerFunc{
		openAPIPath: h.machine(openAPIPath, func(i install, lang web.Lang) ([]byte, error) {
			endpoint, group := h.exampleIDs()
			return openapi.Document(h.commands(), openapi.Install{PublicURL: i.Origin, ContextPath: i.Context, Version: h.Version, Lang: string(lang), Endpoint: endpoint, Group: group})
		}),
		postmanPath: h.machine(postmanPath, func(i install, lang web.Lang) ([]byte, error) {
			return postman.Collection(h.commands(), h.postmanInstall(i, lang))
		}),
	}
	for _, c := range h.commands() {
		path := "postman/" + slug(c) + ".json"
		doors[path] = h.machine(path, func(i install, lang web.Lang) ([]byte, error) {
			return postman.Single(c, h.commands(), h.postmanInstall(i, lang))
		})
	}
	return doors
}

// exampleIDs are the endpoint and the group of a sandbox's examples, or zeros.
func (h *Handler) exampleIDs() (payout.EndpointID, payout.GroupID) {
	if h.Example == nil {
		return 0, 0
	}
	return h.Example.Endpoint, h.Example.Group
}

func (h *Handler) postmanInstall(i install, lang web.Lang) postman.Install {
	endpoint, group := h.exampleIDs()
	return postman.Install{PublicURL: i.Origin, ContextPath: i.Context, Login: i.Login, Endpoint: endpoint, Group: group, ControlKey: i.ControlKey, Lang: string(lang)}
}

// machine serves a text, made now or before.
func (h *Handler) machine(path string, text machineText) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lang := web.Choose(r.URL.Query().Get("lang"), "", web.English)
		i := h.installOf(r)
		content, err := h.site.kept.find(keptKey{path, i.Origin, lang}, func() ([]byte, bool, error) {
			content, err := text(i, lang)
			return content, true, err
		})
		if err != nil {
			h.Log.LogAttrs(r.Context(), slog.LevelError, "document for programs cannot be made", slog.String("path", path), slog.String("error", err.Error()))
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
			return
		}
		web.ServeContent(w, r, "application/json", content.plain, content.zipped)
	}
}
