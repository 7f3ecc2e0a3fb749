package resolvers_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/golden"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/resolvers"
)

var update = flag.Bool("update", false, "write what the server answers into testdata; a person reads the diff")

// serve answers GraphQL over HTTP from a snapshot.
func serve(t testing.TB, c *contract.Contract, s cells.Source) *httptest.Server {
	t.Helper()
	rules, err := law.Parse(data.Law)
	if err != nil {
		t.Fatal(err)
	}
	stated, err := findings.Parse("findings.yaml", data.Findings, graph.NewExecutableSchema(graph.Config{}).Schema())
	if err != nil {
		t.Fatal(err)
	}
	return serveFindings(t, c, s, rules, stated)
}

func serveFindings(t testing.TB, c *contract.Contract, s cells.Source, rules *law.Law,
	stated []*findings.Finding) *httptest.Server {
	t.Helper()
	r := &resolvers.Resolver{Study: study.New(s, study.Settings{Law: rules, Findings: stated, Cells: 500,
		Dataset: study.Dataset{
			Name: "test", Title: "A small invented world", Synthetic: true, Fingerprint: "0123", Years: []int{2014, 2015, 2016},
			Rows: []*study.TableRows{}, Sources: []*study.Source{},
			Disclosure: &study.DisclosurePolicy{Method: study.DisclosureMethodNone},
			Limits:     &study.Limits{Complexity: 1000, Depth: 20, Cells: 500, TimeoutMs: 1000, Tokens: 1000, Bytes: 100000},
		}})}
	// The server's own handler, so that codes of errors and the reading of variables are what clients meet.
	server := httptest.NewServer(web.New(web.Config{
		Schema: resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}), r),
		Limits: web.Limits{Complexity: 10_000_000,
			TimeoutMS: int(time.Minute.Milliseconds())}, Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	return server
}

// problem is an error of an answer.
type problem struct {
	Message    string `json:"message"`
	Path       []any  `json:"path,omitempty"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

func ask(t testing.TB, server *httptest.Server, query string, variables json.RawMessage) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(server.URL+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	// Fields are answered side by side, so that errors come in any order.
	var parsed struct {
		Errors []problem       `json:"errors,omitempty"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(answer, &parsed); err != nil {
		t.Fatalf("%v: %s", err, answer)
	}
	slices.SortFunc(parsed.Errors, func(a, b problem) int {
		return strings.Compare(fmt.Sprint(a.Path), fmt.Sprint(b.Path))
	})
	pretty, err := json.MarshalIndent(parsed, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(pretty, '\n')
}

// Each file of testdata is one behaviour: a question and its answer. Where it has no setup.sql
// the world of package duckdbtest is asked.
func TestAnswers(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test cases: %v", err)
	}
	c := duckdbtest.Contract(t)
	world := serve(t, c, duckdbtest.Open(t, c, duckdbtest.World))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string][]byte{}
			for _, f := range archive.Files {
				parts[f.Name] = f.Data
			}
			server := world
			if setup, ok := parts["setup.sql"]; ok {
				server = serve(t, c, duckdbtest.Open(t, c, string(setup)))
			}
			got := golden.Keep(ask(t, server, string(parts["query.graphql"]), parts["vars.json"]), parts["want.json"])
			if *update {
				for i, f := range archive.Files {
					if f.Name == "want.json" {
						archive.Files[i].Data = got
					}
				}
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := parts["want.json"]; !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
