package api

import (
	"embed"
	"net/http"
)

//go:embed assets
var assets embed.FS

// addDocs serves the description of the API, for programs and for people.
func addDocs(mux *http.ServeMux) {
	serve := func(file, kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'")
			http.ServeFileFS(w, r, assets, "assets/"+file)
		}
	}
	mux.HandleFunc("GET /openapi.json", serve("openapi.json", "application/json"))
	mux.HandleFunc("GET /asyncapi.json", serve("asyncapi.json", "application/json"))
	mux.HandleFunc("GET /docs", serve("docs.html", "text/html; charset=utf-8"))
}
