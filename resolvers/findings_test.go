package resolvers_test

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/law"
)

// A finding that asks findings would ask itself; one that got past reading the file is stopped, as is
// one within another field.
func TestFindingsDoNotAskFindings(t *testing.T) {
	schema := graph.NewExecutableSchema(graph.Config{}).Schema()
	criteria, err := law.Parse(data.Law)
	if err != nil {
		t.Fatal(err)
	}
	const document = "{ findings { slide } }"
	query, errs := gqlparser.LoadQueryWithRules(schema, document, rules.NewDefaultRules())
	if errs != nil {
		t.Fatal(errs)
	}
	c := duckdbtest.Contract(t)
	server := serveFindings(t, c, duckdbtest.Open(t, c, duckdbtest.World), criteria, []*findings.Finding{{
		ID: "circular", Slide: 1, Document: document, Query: query, Notebook: "01.ipynb",
		Figures: []*findings.Figure{{Name: "slide", Label: contract.Text{DA: "a", EN: "a"}, Unit: "slide",
			Basis: findings.Assumed,
			Gives: &findings.Expression{Operation: findings.Value, Paths: []findings.Path{{"findings[0]", "slide"}}, Times: 1}}},
	}})
	if got := string(ask(t, server, "{ findings { figures { reproduced missing } } }", nil)); !strings.Contains(got,
		"may not ask findings") || !strings.Contains(got, `"reproduced": null`) {
		t.Errorf("got %s", got)
	}
}
