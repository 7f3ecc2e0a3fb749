package resolvers_test

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/graph"
)

// The schema is public documentation: whatever a client can name is described.
func TestDescribed(t *testing.T) {
	schema := graph.NewExecutableSchema(graph.Config{}).Schema()
	described, undescribed := 0, []string(nil)
	check := func(name, description string) {
		described++
		if strings.TrimSpace(description) == "" {
			undescribed = append(undescribed, name)
		}
	}
	arguments := func(of string, list ast.ArgumentDefinitionList) {
		for _, a := range list {
			check(of+"("+a.Name+":)", a.Description)
		}
	}
	for _, d := range schema.Types {
		if d.BuiltIn {
			continue
		}
		check(d.Name, d.Description)
		for _, f := range d.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			check(d.Name+"."+f.Name, f.Description)
			arguments(d.Name+"."+f.Name, f.Arguments)
		}
		for _, v := range d.EnumValues {
			check(d.Name+"."+v.Name, v.Description)
		}
	}
	if len(undescribed) > 0 {
		t.Errorf("%d of %d without a description: %s", len(undescribed), described, strings.Join(undescribed, ", "))
	}
	if described < 700 {
		t.Errorf("only %d things were looked at", described)
	}
}
