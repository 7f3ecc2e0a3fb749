// Package web serves a GraphQL schema over HTTP: the GraphQL-over-HTTP protocol, the limits of
// one request, errors a user can read, and a console page that works without internet.
//
// Paths:
//
//	/                  the console page
//	/graphql           GraphQL over HTTP, POST and GET
//	/schema.graphqls   the schema as text
//	/healthz           200 while the process runs
//	/readyz            200 when questions can be answered, else 503 with the reason
//
// While there is no data set yet, Starting answers the same paths.
//
// The codes of errors (`extensions.code`) are the kinds of package fault, and
//
//	GRAPHQL_PARSE_FAILED       the document is not GraphQL
//	GRAPHQL_VALIDATION_FAILED  the document does not fit the schema
//	INTERNAL                   our mistake; the log has it under the id in the message
//
// A request over a limit, its time included, is FORBIDDEN; `extensions` then holds `limit` (the
// field of `dataset.limits`), `max` and, where it is known, `cost`.
package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
)

// Config says what to serve.
type Config struct {
	// Schema answers the questions. The same query must always have the same answer, for answers
	// are remembered.
	Schema graphql.ExecutableSchema
	// Limits bound one request; a field that is 0 takes its default.
	Limits Limits

	// Reading returns a context under which it is gathered which tables of the data set an answer is
	// computed from, and what names them; nil if that is not known.
	Reading func(context.Context) (context.Context, func() []string)
	// Title, Fingerprint and Synthetic describe the data set on the console page. Answers with
	// equal fingerprints by equal definitions are equal: the ETag of GET /graphql is made from both.
	Title       string
	Fingerprint string
	Synthetic   bool
	Definitions string // a hash of the contract, the law and whatever else says what an answer means

	// Examples are offered on the console page; nil means DefaultExamples.
	Examples []Example

	// AllowedOrigins are the origins (`https://maps.example.org`) whose pages may read answers;
	// "*" means any. Empty means none but this server's own.
	AllowedOrigins []string

	// AllowedHosts are the names, without a port, that the server answers to; requests to another
	// get status 421. "*" or an empty list means any.
	AllowedHosts []string

	// Ready returns nil when questions can be answered, else the reason why not. Nil means
	// always ready.
	Ready func(ctx context.Context) error

	// Log takes one line a request; nil means slog.Default.
	Log *slog.Logger
}

type server struct {
	Config
	schema    *ast.Schema
	exec      *executor.Executor
	documents memory[*ast.QueryDocument] // valid ones, by their text
	answers   memory[remembered]         // without errors, by their ETag
	etagSalt  string
}

func newServer(c Config) *server {
	c.Limits = c.Limits.WithDefaults()
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Examples == nil {
		c.Examples = DefaultExamples()
	}
	return &server{Config: c,
		documents: memory[*ast.QueryDocument]{most: documentBytes, longest: longestDocument},
		answers:   memory[remembered]{most: answerBytes, longest: longestAnswer}}
}

// New returns the handler of every path of the package.
func New(c Config) http.Handler {
	s := newServer(c)
	s.schema, s.exec = c.Schema.Schema(), executor.New(c.Schema)
	s.exec.SetErrorPresenter(s.present)
	s.exec.SetRecoverFunc(s.recovered)

	sdl := []byte(SDL(s.schema))
	if s.Reading == nil {
		s.Reading = func(ctx context.Context) (context.Context, func() []string) {
			return ctx, func() []string { return nil }
		}
	}
	s.etagSalt = fmt.Sprintf("%s %s %s %+v %x", s.Fingerprint, s.Definitions, revision(), s.Limits, sha256.Sum256(sdl))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.page())
	mux.Handle("GET /console/", consoleFiles())
	mux.HandleFunc("/graphql", s.graphql)
	mux.HandleFunc("GET /schema.graphqls", file("text/plain; charset=utf-8", sdl))
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		plain(w, http.StatusNotFound, fmt.Sprintf("nothing is at %q; try /, /graphql, /schema.graphqls, /healthz or /readyz",
			r.URL.Path))
	})
	return s.logged(s.named(mux))
}

func healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.Ready != nil {
		if err := s.Ready(r.Context()); err != nil {
			plain(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
	}
	plain(w, http.StatusOK, "ready")
}

// revision tells builds of the program apart as far as the toolchain recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	text := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" || setting.Key == "vcs.modified" {
			text += " " + setting.Value
		}
	}
	return text
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// file serves fixed content that a client keeps and asks about again.
func file(contentType string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	etag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("ETag", etag)
		h.Set("Cache-Control", "no-cache")
		if etagMatches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", contentType)
		_, _ = w.Write(content)
	}
}
