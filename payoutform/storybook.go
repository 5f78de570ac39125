package payoutform

import (
	"bytes"
	"html/template"
	"io"
	"net/http"
	"strings"

	"payout/web"
)

// storyLogoFile is the logo of the branded stories.
const storyLogoFile = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 40" width="150" height="40"><rect width="40" height="40" rx="10" fill="#ffb000"/><circle cx="20" cy="20" r="9" fill="#7a3b00"/><g fill="#8a6d3b"><rect x="52" y="10" width="90" height="8" rx="4"/><rect x="52" y="24" width="58" height="7" rx="3.5"/></g></svg>`

var storyIndex = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Storybook</title>
<link rel="stylesheet" href="{{.Assets}}page.css"></head>
<body><main><div class="card"><h1>Every page in every state</h1><ul>
{{range $story := .Stories}}<li>{{.Name}}:{{range $.Languages}} <a href="/{{$story.Name}}?lang={{.}}">{{.Name}}</a>{{end}}</li>
{{end}}</ul></div></main></body></html>
`))

// Storybook serves an index and every story at /NAME?lang=, with the
// headers that the real pages have. It needs no database.
func Storybook(p *Pages) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		writeStory(w, func(page io.Writer) error {
			return storyIndex.Execute(page, map[string]any{"Assets": storyAssets + web.AssetsPath(), "Stories": Stories(), "Languages": web.Languages()})
		})
	})
	stories := make(map[string]Story)
	for _, story := range Stories() {
		stories[story.Name] = story
	}
	mux.HandleFunc(storyPath+"{name}", func(w http.ResponseWriter, r *http.Request) {
		story, ok := stories[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		lang := web.Choose(r.URL.Query().Get("lang"), r.Header.Get("Accept-Language"), web.English)
		writeStory(w, func(page io.Writer) error { return story.Draw(p, page, lang) })
	})
	mux.HandleFunc("/"+web.AssetsPath()+"{name}", func(w http.ResponseWriter, r *http.Request) {
		web.ServeAsset(w, r, r.PathValue("name"))
	})
	serve := func(path, contentType, content string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.Copy(w, strings.NewReader(content)) // the browser has gone away
		})
	}
	accent, err := web.AccentSheet("#ffb000")
	if err != nil {
		panic(err) // the colour is a constant
	}
	serve(storyAccent, "text/css; charset=utf-8", accent)
	serve(storyLogo, "image/svg+xml", storyLogoFile)
	serve("/returned", "text/plain; charset=utf-8", "Here is the Connecting Party's site.")
	for _, state := range waitStates {
		serve("/poll/"+string(state), "application/json", `{"state":"`+string(state)+`"}`)
	}
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// writeStory answers with a page, or with what went wrong.
func writeStory(w http.ResponseWriter, draw func(io.Writer) error) {
	var page bytes.Buffer
	if err := draw(&page); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	web.Policy{}.Set(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes()) // the browser has gone away
}
