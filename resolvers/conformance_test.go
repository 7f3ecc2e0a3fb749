package resolvers_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// asker asks the fields of a cohort, which it takes from the schema: a new one is asked by itself.
type asker struct {
	schema *ast.Schema
	*cells.Catalogue
	table *contract.Table
}

// argument writes a value that makes sense for the argument; "" leaves it out. An argument of a kind that is
// not known here fails the test: say what makes sense for it.
func (a asker) argument(t *testing.T, arg *ast.ArgumentDefinition, indicator, measure, dimension, to string) string {
	t.Helper()
	named := arg.Type.Name()
	switch {
	case named == "Indicator":
		return indicator
	case named == "Measure":
		return measure
	case named == "RegressionModel":
		return "LINEAR" // some figures are of a linear model alone
	case !arg.Type.NonNull || arg.DefaultValue != nil:
		return ""
	case named == "Dimension" && arg.Type.Elem != nil:
		return "[" + dimension + "]"
	case named == "Dimension":
		return dimension
	case named == "Int" && arg.Name == "from":
		return "2014"
	case named == "Int" && arg.Name == "to":
		return "2016"
	case named == "Float" && arg.Name == "margin":
		return "0.1"
	case named == "CohortFilter":
		return to
	}
	t.Fatalf("no value is known for argument %s of type %s", arg.Name, arg.Type)
	return ""
}

// selection writes every field of the type that needs no argument, as deep as four objects.
func (a asker) selection(name string, depth int) string {
	def := a.schema.Types[name]
	if def.Kind != ast.Object {
		return ""
	}
	var fields []string
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") || slices.ContainsFunc(f.Arguments,
			func(arg *ast.ArgumentDefinition) bool { return arg.Type.NonNull && arg.DefaultValue == nil }) {
			continue
		}
		if of := a.schema.Types[f.Type.Name()]; of.Kind != ast.Object {
			fields = append(fields, f.Name)
		} else if depth > 1 && of.Name != "Area" && of.Name != "CellKey" {
			fields = append(fields, f.Name+" "+a.selection(of.Name, depth-1))
		}
	}
	if len(fields) == 0 {
		fields = []string{"__typename"}
	}
	return "{ " + strings.Join(fields, " ") + " }"
}

// fieldsOf are the fields of a type that are figures of a cohort. Those of a comparison are asked one by one.
func (a asker) fieldsOf(name string) (fields []*ast.FieldDefinition) {
	for _, f := range a.schema.Types[name].Fields {
		if !strings.HasPrefix(f.Name, "__") {
			fields = append(fields, f)
		}
	}
	return fields
}

// question writes the field with arguments; inside is what is selected where it is not everything.
func (a asker) question(t *testing.T, f *ast.FieldDefinition, indicator, measure, dimension, to, inside string) string {
	t.Helper()
	var args []string
	for _, arg := range f.Arguments {
		if v := a.argument(t, arg, indicator, measure, dimension, to); v != "" {
			args = append(args, arg.Name+": "+v)
		}
	}
	text := f.Name
	if len(args) > 0 {
		text += "(" + strings.Join(args, ", ") + ")"
	}
	if inside == "" {
		inside = a.selection(f.Type.Name(), 4)
	}
	return text + " " + inside
}

// figures counts the figures of an answer that are given, and checks that none is there and is not.
func figures(t *testing.T, where string, answer any) (given int) {
	t.Helper()
	switch x := answer.(type) {
	case []any:
		for _, part := range x {
			given += figures(t, where, part)
		}
	case map[string]any:
		status, figure := x["status"]
		if value, asked := x["value"]; figure && asked {
			switch {
			case status != "OBSERVED":
			case value == nil:
				t.Errorf("%s: a figure is OBSERVED and null: %v", where, x)
			default:
				given++
			}
			if warnings, ok := x["warnings"].([]any); ok && status == "UNDEFINED" && len(warnings) == 0 {
				t.Errorf("%s: a figure is UNDEFINED and does not say why: %v", where, x)
			}
		}
		for _, part := range x {
			given += figures(t, where, part)
		}
	case string, float64:
		if x != "" && x != 0. {
			given++
		}
	}
	return given
}

// Every figure that is asked of a cohort is given for every cohort of the contract, or refused by an error
// that a client can act upon: it has a kind and says what was wrong.
func TestEveryFieldAnswersForEveryCohort(t *testing.T) {
	c := duckdbtest.Contract(t)
	store := duckdbtest.Open(t, c, duckdbtest.World)
	server := serve(t, c, store)
	schema := graph.NewExecutableSchema(graph.Config{}).Schema()
	for _, table := range c.Tables {
		if table.Cohort == "" {
			continue
		}
		t.Run(table.Cohort, func(t *testing.T) {
			a := asker{schema, store.Catalogue(), table}
			indicators := names(c.Indicators, func(i *contract.Indicator) (string, bool) {
				return i.Name, a.HasIndicator(table, i)
			})
			measures := names(c.Measures, func(m *contract.Measure) (string, bool) { return m.Name, a.HasMeasure(table, m) })
			dimensions := names(c.Dimensions, func(d *contract.Dimension) (string, bool) {
				return d.Name, a.HasDimension(table, d)
			})
			if len(indicators[1]) == 0 || len(measures[1]) == 0 || len(dimensions[1]) == 0 {
				t.Fatalf("recorded are indicators %v, measures %v, dimensions %v", indicators[1], measures[1], dimensions[1])
			}
			cohorts := []string{"", "(where: {setting: [SUPPORTED]})"}
			// answers asks of the cohort, and reports the figures given and the error, if there is one.
			answers := func(cohort, question string) (int, *problem) {
				t.Helper()
				query := "{ " + table.Cohort + cohort + " { " + question + " } }"
				var got struct {
					Errors []problem
					Data   map[string]any
				}
				if err := json.Unmarshal(ask(t, server, query, nil), &got); err != nil {
					t.Fatal(err)
				}
				if len(got.Errors) == 0 {
					return figures(t, query, got.Data), nil
				}
				for _, e := range got.Errors {
					if code := e.Extensions.Code; code != "INVALID" && code != "NOT_RECORDED" || len(e.Message) < 20 {
						t.Errorf("%s: %s: %q", query, code, e.Message)
					}
				}
				return 0, &got.Errors[0]
			}
			// of asks a field with everything that can stand in its place.
			of := func(f *ast.FieldDefinition, inside func(indicator, measure, dimension string) string) {
				t.Helper()
				field := func(indicator, measure, dimension string) string { return inside(indicator, measure, dimension) }
				takes := func(name string) bool {
					return slices.ContainsFunc(f.Arguments, func(arg *ast.ArgumentDefinition) bool {
						return arg.Type.Name() == name && arg.Type.NonNull && arg.DefaultValue == nil
					})
				}
				tried := func(list []string, name string) []string {
					if !takes(name) {
						return list[:1]
					}
					return list
				}
				given := 0
				for _, indicator := range tried(indicators[1], "Indicator") {
					for _, measure := range tried(measures[1], "Measure") {
						for i, dimension := range tried(dimensions[1], "Dimension") {
							if i > 0 && indicator != indicators[1][0] {
								break // one indicator by every dimension, and every indicator by one
							}
							for _, cohort := range cohorts {
								n, _ := answers(cohort, field(indicator, measure, dimension))
								given += n
							}
						}
					}
				}
				// No plan of this world starts after its first year; see TestPlansEffect.
				if given == 0 && f.Name != "planEffect" {
					_, err := answers(cohorts[1], field(indicators[1][0], measures[1][0], dimensions[1][0]))
					t.Errorf("%s.%s gives no figure at all: %v", table.Cohort, f.Name, err)
				}
				// What is not recorded is named, beside what is.
				for _, missing := range []struct {
					kind      string
					list      [2][]string
					indicator string
					measure   string
					dimension string
				}{
					{"Indicator", indicators, first(indicators[0]), measures[1][0], dimensions[1][0]},
					{"Measure", measures, indicators[1][0], first(measures[0]), dimensions[1][0]},
					{"Dimension", dimensions, indicators[1][0], measures[1][0], first(dimensions[0])},
				} {
					if !takes(missing.kind) || len(missing.list[0]) == 0 {
						continue
					}
					var said []string
					for _, cohort := range cohorts {
						if _, err := answers(cohort, field(missing.indicator, missing.measure, missing.dimension)); err != nil {
							said = append(said, err.Message)
						}
					}
					if !slices.ContainsFunc(said, func(message string) bool {
						return strings.Contains(message, missing.list[0][0]) && slices.ContainsFunc(missing.list[1],
							func(name string) bool { return strings.Contains(message, name) })
					}) {
						t.Errorf("%s.%s of %s, which is not recorded, says %q", table.Cohort, f.Name, missing.list[0][0], said)
					}
				}
			}
			for _, f := range a.fieldsOf("Cohort") {
				if f.Type.Name() != "Comparison" {
					of(f, func(indicator, measure, dimension string) string {
						return a.question(t, f, indicator, measure, dimension, "", "")
					})
					continue
				}
				for _, to := range []string{"{setting: [REST]}", "{sex: [MALE]}"} {
					for _, part := range a.fieldsOf("Comparison") {
						if to == "{setting: [REST]}" && part.Name == "segregation" {
							continue // nobody there has an area
						}
						if to == "{sex: [MALE]}" && part.Type.Name() == "Gaps" {
							continue // cohorts that overlap are refused
						}
						of(part, func(indicator, measure, dimension string) string {
							return a.question(t, f, indicator, measure, dimension, to,
								"{ "+a.question(t, part, indicator, measure, dimension, "", "")+" }")
						})
					}
				}
			}
		})
	}
}

// names are those that are not recorded, and those that are.
func names[T any](list []T, is func(T) (string, bool)) (out [2][]string) {
	for _, x := range list {
		name, recorded := is(x)
		at := 0
		if recorded {
			at = 1
		}
		out[at] = append(out[at], name)
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
