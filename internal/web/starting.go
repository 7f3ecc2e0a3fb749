package web

import (
	"html/template"
	"net/http"
	"strconv"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/kvarter/kvarter/internal/fault"
)

// retrySeconds is after how many seconds a client is told to ask again, and the page does.
const retrySeconds = 2

// Starting returns a handler that answers every path of New while there is no data set yet, with
// what is being done; c.Schema is not needed. The process is healthy and not ready, and a question
// is UNAVAILABLE with status 503.
func Starting(c Config, doing string) http.Handler {
	s := newServer(c)
	unavailable := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds))
		w.Header().Set("Cache-Control", "no-store")
	}
	page := template.Must(template.ParseFS(consoleFS, "console/starting.html"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		unavailable(w)
		secure(w)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = page.Execute(w, map[string]any{"Doing": doing, "Seconds": retrySeconds}) // the client may be gone
	})
	mux.Handle("GET /console/", consoleFiles())
	mux.HandleFunc("/graphql", func(w http.ResponseWriter, r *http.Request) {
		if isBrowserVisit(r) {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		s.allowOrigin(w, r)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		unavailable(w)
		media, _ := negotiate(r.Header.Values("Accept"))
		errs := gqlerror.List{refused(fault.Unavailable, "%s; ask again in a moment", doing)}
		recordOf(r.Context()).errors = errs
		respond(w, http.StatusServiceUnavailable, media, answer{Errors: errs})
	})
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		unavailable(w)
		plain(w, http.StatusServiceUnavailable, "not ready: "+doing)
	})
	return s.logged(s.named(mux))
}
