package resolvers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/resolvers"
)

// What is written as one value is written to the byte as gqlgen writes it field by field: whatever is
// selected, under whatever names, and whatever fails.
func TestAnswersAreWrittenAsFieldByField(t *testing.T) {
	c := duckdbtest.Contract(t)
	r := &resolvers.Resolver{Study: study.New(duckdbtest.Open(t, c, duckdbtest.World), study.Settings{Cells: 500})}
	byField := graph.NewExecutableSchema(graph.Config{Resolvers: r})
	listen := func(s graphql.ExecutableSchema) *httptest.Server {
		h := handler.New(s)
		h.AddTransport(transport.POST{})
		h.SetQueryCache(graphql.MapCache[*ast.QueryDocument]{})
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server
	}
	one, other := listen(byField), listen(resolvers.Schema(byField, r))
	answered, failed := 0, 0
	for seed := range uint64(520) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), schema: byField.Schema(), plainly: seed%2 == 0}
		document := g.document()
		for i, yes := range []bool{true, false, true} { // what is known of the document is used again
			variables := json.RawMessage(fmt.Sprintf(`{"yes": %t, "level": 0.%d}`, yes, 80+i))
			want, got := ask(t, one, document, variables), ask(t, other, document, variables)
			wanted, found := parse(t, want), parse(t, got)
			if !bytes.Equal(wanted.Data, found.Data) || !slices.Equal(wanted.problems(), found.problems()) {
				t.Fatalf("seed %d, %s with %s:\n%s, want\n%s", seed, document, variables, got, want)
			}
			answered += len(wanted.Data)
			failed += len(wanted.Errors)
		}
	}
	if answered < 100_000 || failed < 100 {
		t.Errorf("the documents have %d bytes of answers and %d errors; they try too little", answered, failed)
	}
}

type parsed struct {
	Data   json.RawMessage `json:"data"`
	Errors []problem       `json:"errors"`
}

func parse(t *testing.T, text []byte) (p parsed) {
	t.Helper()
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// problems are the errors in some order.
func (p parsed) problems() []string {
	var out []string
	for _, e := range p.Errors {
		out = append(out, fmt.Sprint(e.Path, e.Message))
	}
	slices.Sort(out)
	return out
}

// generator makes documents that are valid, and ask what may fail.
type generator struct {
	*rand.Rand
	schema    *ast.Schema
	plainly   bool // without directives and fragments
	fragments []string
}

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) document() string {
	var fields []string
	for range 1 + g.IntN(4) {
		fields = append(fields, g.field(g.schema.Query.Fields.ForName(g.one("children", "children", "children", "residents",
			"areas", "area")), 5))
	}
	return fmt.Sprintf("query Q($level: Float!%s) { %s %s level: children { share(of: POOR, level: $level) { level } } "+
		"} %s",
		g.unlessPlain(", $yes: Boolean!"), strings.Join(fields,
			" "), g.unlessPlain("seen: __typename @include(if: $yes)"), strings.Join(g.fragments, " "))
}

func (g *generator) unlessPlain(text string) string {
	if g.plainly {
		return ""
	}
	return text
}

// arguments of the fields that need some, and of those that answer more with them.
func (g *generator) arguments(f *ast.FieldDefinition) string {
	where := g.one("{}", "{years: {from: 2014, to: 2016}}", "{setting: [SUPPORTED]}",
		"{ages: {from: 1}, years: {to: 2015}}", "{with: [POOR]}", "{years: {from: 1900}}")
	level := g.one("", ", level: $level", ", level: 0.5", ", level: 2")
	of := g.one("POOR", "MOTHER_CONVICTED", "IN_DAY_CARE", "NEITHER")
	by := g.one("[]", "[AGE]", "[SETTING, ORIGIN]", "[AREA]", "[YEAR, MUNICIPALITY]", "[FAMILY_TYPE, SEX]",
		"[WORK_STATUS]")
	switch f.Name {
	case "children", "residents":
		return "(where: " + where + ")"
	case "compare":
		return "(to: " + where + ")"
	case "area":
		return g.one(`(id: "A1")`, `(id: "none")`)
	case "areas":
		return g.one("", "(first: 1)")
	case "share", "development", "gap", "ratio":
		return "(of: " + of + level + ")"
	case "mean", "meanDevelopment":
		return "(of: EQUIVALISED_INCOME" + level + ")"
	case "breakdown":
		return "(of: " + of + ", by: " + by + level + g.one("", ", first: 2", ", orderBy: {field: VALUE}") + ")"
	case "trend":
		return "(of: " + of + ", by: " + by + level + ")"
	case "distribution":
		return "(of: " + g.one("AGE", "ORIGIN", "AREA") + ", by: " + by + level + ")"
	case "standardised", "decomposition", "shortfall":
		return "(of: " + of + ", by: [AGE, SEX]" + level + ")"
	case "turnover":
		return "(of: " + of + ", from: 2014, to: 2015" + level + ")"
	}
	return ""
}

// field writes a field, under a name of its own if it has arguments.
func (g *generator) field(f *ast.FieldDefinition, depth int) string {
	out := f.Name
	if arguments := g.arguments(f); arguments != "" || g.IntN(4) == 0 {
		out = fmt.Sprintf("%s%d: %s%s", g.one("a", "B_", "_"), g.Uint32(), f.Name, arguments)
	}
	out += g.unlessPlain(g.one("", "", "", " @include(if: $yes)", " @skip(if: $yes)"))
	if of := g.schema.Types[f.Type.Name()]; of.IsCompositeType() {
		out += " { " + g.selection(of, depth-1) + " }"
	}
	return out
}

func (g *generator) selection(of *ast.Definition, depth int) string {
	var can []*ast.FieldDefinition
	for _, f := range of.Fields {
		needs := slices.ContainsFunc(f.Arguments,
			func(a *ast.ArgumentDefinition) bool { return a.Type.NonNull && a.DefaultValue == nil })
		composite := g.schema.Types[f.Type.Name()].IsCompositeType()
		if strings.HasPrefix(f.Name, "__") || needs && g.arguments(f) == "" || composite && depth <= 0 ||
			f.Name == "keyFigures" {
			continue
		}
		can = append(can, f)
	}
	out := []string{g.one("__typename", "t: __typename", "")}
	for range 1 + g.IntN(5) {
		if len(can) == 0 {
			break
		}
		text := g.field(can[g.IntN(len(can))], depth)
		switch way := g.IntN(8); {
		case way == 2:
			text += " " + text // twice is once
		case g.plainly:
		case way == 0:
			text = "... on " + of.Name + " { " + text + " }"
		case way == 1:
			name := fmt.Sprintf("F%d", len(g.fragments))
			g.fragments = append(g.fragments, fmt.Sprintf("fragment %s on %s { %s }", name, of.Name, text))
			text = "..." + name
		}
		out = append(out, text)
	}
	return strings.Join(append(out, "end: __typename"), " ")
}
