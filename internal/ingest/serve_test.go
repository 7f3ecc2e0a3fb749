package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/findings"
	criteria "github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/resolvers"
)

// serve answers GraphQL over HTTP from the current snapshot of a data folder.
func serve(t testing.TB, dir string) *httptest.Server {
	t.Helper()
	c := theContract(t)
	folder, info, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := criteria.Parse(data.Law)
	if err != nil {
		t.Fatal(err)
	}
	stated, err := findings.Parse("findings.yaml", data.Findings, graph.NewExecutableSchema(graph.Config{}).Schema())
	if err != nil {
		t.Fatal(err)
	}
	r := &resolvers.Resolver{Study: study.New(s, study.Settings{Law: rules, Findings: stated, Cells: 500,
		Dataset: study.Dataset{Name: info.Name, Fingerprint: info.Fingerprint, Years: info.Years,
			Limits: &study.Limits{Complexity: 1000, Depth: 20, Cells: 500, TimeoutMs: 10000, Tokens: 1000, Bytes: 100000}}})}
	h := handler.New(resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}), r))
	h.AddTransport(transport.POST{})
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// ask sends a document and reads the answer's data into out; it returns the messages of errors.
func ask(t testing.TB, server *httptest.Server, query string, out any) (problems []string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(server.URL, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, e := range answer.Errors {
		problems = append(problems, e.Message)
	}
	if len(answer.Data) > 0 && len(problems) == 0 {
		if err := json.Unmarshal(answer.Data, out); err != nil {
			t.Fatalf("%v: %s", err, answer.Data)
		}
	}
	return problems
}
