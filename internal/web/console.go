package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
)

//go:embed console
var consoleFS embed.FS

//go:embed examples
var exampleFS embed.FS

// Example is a question that the console page offers.
type Example struct {
	Title     string `json:"title"`
	Document  string `json:"document"`
	Variables string `json:"variables,omitempty"` // a JSON object, or ""
	Group     string `json:"group,omitempty"`     // examples of a group stand under its name
}

// DefaultExamples are the questions in examples/, in the order of their names. The comment
// that a document begins with is its title; variables are in the .json file beside it.
func DefaultExamples() []Example {
	names, err := fs.Glob(exampleFS, "examples/*.graphql")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	var examples []Example
	for _, name := range names {
		document, _ := fs.ReadFile(exampleFS, name)
		variables, _ := fs.ReadFile(exampleFS, strings.TrimSuffix(name, ".graphql")+".json")
		var title []string
		for line := range strings.Lines(string(document)) {
			comment, ok := strings.CutPrefix(line, "#")
			if !ok {
				break
			}
			title = append(title, strings.TrimSpace(comment))
		}
		examples = append(examples, Example{
			Title:     strings.Join(title, " "),
			Document:  string(document),
			Variables: string(variables),
			Group:     "Questions",
		})
	}
	return examples
}

// SDL writes a schema as text, descriptions included.
func SDL(schema *ast.Schema) string {
	var text bytes.Buffer
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchema(schema)
	return text.String()
}

// contentSecurityPolicy lets the page load nothing but what this server gives it.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page renders the console page.
func (s *server) page() http.HandlerFunc {
	t := template.Must(template.ParseFS(consoleFS, "console/index.html"))
	short := s.Fingerprint
	if len(short) > 12 {
		short = short[:12]
	}
	var html bytes.Buffer
	err := t.Execute(&html, map[string]any{
		"Title": s.Title, "Fingerprint": s.Fingerprint, "ShortFingerprint": short, "Synthetic": s.Synthetic,
		"Settings": map[string]any{"examples": s.Examples},
	})
	if err != nil {
		panic(fmt.Errorf("rendering the console page: %w", err))
	}
	serve := file("text/html; charset=utf-8", html.Bytes())
	return func(w http.ResponseWriter, r *http.Request) {
		secure(w)
		serve(w, r)
	}
}

func secure(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
	w.Header().Set("Referrer-Policy", "no-referrer")
}

// consoleFiles serves the page's scripts, styles and icon.
func consoleFiles() http.Handler {
	mux := http.NewServeMux()
	entries, err := consoleFS.ReadDir("console")
	if err != nil {
		panic(err) // it is embedded
	}
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml"}
	for _, entry := range entries {
		name := "console/" + entry.Name()
		contentType, ok := types[path.Ext(name)]
		if !ok {
			continue // the page itself
		}
		content, err := consoleFS.ReadFile(name)
		if err != nil {
			panic(err)
		}
		mux.HandleFunc("GET /"+name, file(contentType, content))
	}
	return mux
}
