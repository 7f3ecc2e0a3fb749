package contract_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kvarter/kvarter/"

// below is what study sees.
var below = []string{"internal/cells", "internal/contract", "internal/export", "internal/fault", "internal/findings",
	"internal/law", "internal/stats"}

// may lists which packages of the project each package may import, itself or through others.
// A package that is not listed here fails the test, so that a new room is a decision.
var may = map[string][]string{
	"internal/fault":             {},
	"internal/golden":            {},
	"internal/deadline":          {},
	"internal/contract":          {"internal/fault"},
	"internal/contract/generate": {"internal/contract", "internal/fault"},
	"internal/stats":             {"internal/fault"},
	"internal/law":               {"internal/contract", "internal/fault"},
	"internal/findings":          {"internal/contract", "internal/fault"},
	"internal/cells":             {"internal/contract", "internal/fault"},
	"internal/cells/cellstest": {"data", "internal/cells", "internal/contract", "internal/duckdb",
		"internal/duckdb/duckdbtest", "internal/fault"},
	"internal/export":            {},
	"internal/study":             below,
	"internal/duckdb":            {"internal/cells", "internal/contract", "internal/fault"},
	"internal/duckdb/duckdbtest": {"data", "internal/cells", "internal/contract", "internal/duckdb", "internal/fault"},
	"internal/progress":          {},
	"internal/synth":             {"internal/fault"},
	"internal/snapshot": {"internal/cells", "internal/contract", "internal/duckdb", "internal/fault",
		"internal/progress", "internal/synth"},
	"internal/ingest": {"internal/cells", "internal/contract", "internal/duckdb", "internal/fault",
		"internal/progress", "internal/snapshot", "internal/synth"},
	"internal/rerun": {"internal/fault"},
	"internal/web":   {"internal/fault"},
	"internal/command": append([]string{"data", "graph", "graph/model", "internal/duckdb", "internal/ingest",
		"internal/progress", "internal/rerun", "internal/snapshot", "internal/study", "internal/synth",
		"internal/web", "notebooks", "resolvers"}, below...),
	"internal/endtoend": {},
	"notebooks":         {},
	"notebooks/nb":      {},
	"data":              {},
	"graph":             append([]string{"graph/model", "internal/study"}, below...),
	"graph/model":       append([]string{"internal/study"}, below...),
	"resolvers":         append([]string{"graph", "graph/model", "internal/study"}, below...),
}

// TestLinesBetweenPackages holds the dependency lines: what reasons about cells never sees SQL
// or GraphQL, what counts never sees GraphQL, what serves never sees DuckDB, a notebook's package imports
// nothing of ours.
func TestLinesBetweenPackages(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if p.ImportPath == strings.TrimSuffix(module, "/") {
			continue // the main package wires everything
		}
		allowed, ok := may[name]
		if !ok {
			t.Errorf("package %s is new: say here what it may import", name)
			continue
		}
		for _, d := range p.Deps {
			if ours, ok := strings.CutPrefix(d, module); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", name, ours)
			}
		}
		duckDB := slices.Contains(p.Deps, "github.com/duckdb/duckdb-go/v2")
		graphQL := slices.ContainsFunc(p.Deps,
			func(d string) bool { return strings.HasPrefix(d, "github.com/99designs/gqlgen") })
		switch name {
		case "internal/fault", "internal/contract", "internal/cells", "internal/export", "internal/study",
			"internal/findings", "internal/law", "internal/stats", "internal/synth", "internal/rerun", "data", "notebooks/nb":
			if duckDB || graphQL {
				t.Errorf("%s sees DuckDB (%t) or GraphQL (%t)", name, duckDB, graphQL)
			}
		case "internal/duckdb", "internal/ingest", "internal/snapshot":
			if graphQL {
				t.Errorf("%s sees GraphQL", name)
			}
		case "graph", "graph/model", "resolvers", "internal/web":
			if duckDB {
				t.Errorf("%s sees DuckDB", name)
			}
		}
	}
}
