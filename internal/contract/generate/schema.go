package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
)

// enum is an enum of the API that the contract defines.
type enum struct {
	name        string
	description string
	values      []value
}

type value struct{ name, description string }

// enums returns the enums in the order in which the schema lists them.
func enums(c *contract.Contract) []enum {
	indicators := enum{name: "Indicator", description: "A yes-or-no characteristic whose share can be asked for."}
	for _, i := range c.Indicators {
		indicators.values = append(indicators.values, value{i.Name, i.Definition.EN + note(i.Assumed)})
	}
	measures := enum{name: "Measure", description: "A number whose mean can be asked for."}
	for _, m := range c.Measures {
		measures.values = append(measures.values, value{m.Name,
			fmt.Sprintf("%s Unit: %s.", m.Definition.EN, m.Unit) + note(m.Assumed)})
	}
	dimensions := enum{name: "Dimension", description: "A characteristic that cells are split by."}
	for _, d := range c.Dimensions {
		dimensions.values = append(dimensions.values, value{d.Name, d.Definition.EN + note(d.Assumed)})
	}
	outcomes := enum{name: "Outcome", description: "What an activity may change."}
	for _, o := range c.Outcomes {
		outcomes.values = append(outcomes.values, value{o.Name, o.Definition.EN + note(o.Assumed)})
	}
	covariates := enum{name: "Covariate",
		description: "What those who took part in an activity are compared on with the others, as it was before the start."}
	for _, v := range c.Covariates {
		covariates.values = append(covariates.values, value{v.Name, v.Definition.EN + note(v.Assumed)})
	}
	out := []enum{indicators, measures, dimensions, outcomes, covariates}
	seen := map[string]bool{}
	for _, d := range c.Dimensions {
		if !isEnum(d) || seen[d.Type] {
			continue
		}
		seen[d.Type] = true
		e := enum{name: d.Type, description: d.Definition.EN}
		var alike []string
		for _, other := range c.Dimensions {
			if other.Type == d.Type {
				alike = append(alike, other.Name)
			}
		}
		if len(alike) > 1 { // what one of them is says nothing of the others
			e.description = "The codes of " + strings.Join(alike, ", ") + "."
		}
		for _, code := range d.Codes {
			e.values = append(e.values, value{code.Code, code.Label.EN + "."})
		}
		out = append(out, e)
		if d.Words == nil {
			continue
		}
		e = enum{name: filterType(d), description: "What a filter on " + d.Field + " may name: " + d.Type +
			", and words for several of its codes.", values: slices.Clone(e.values)}
		for _, w := range d.Words {
			var of []string
			for _, p := range w.Positions {
				of = append(of, d.Codes[p].Code)
			}
			e.values = append(e.values, value{w.Code, w.Label.EN + ": " + strings.Join(of, ", ") + "."})
		}
		out = append(out, e)
	}
	for _, l := range c.Codelists {
		if l.Type == "" {
			continue
		}
		e := enum{name: l.Type, description: l.Definition.EN}
		for _, code := range l.Codes {
			e.values = append(e.values, value{code.Code, code.Label.EN + "."})
		}
		out = append(out, e)
	}
	return out
}

func isEnum(d *contract.Dimension) bool {
	return !d.IsInteger() && !d.IsArea() && d.Type != "Municipality"
}

// filterType is the enum of what a filter on the dimension may name; cells have codes only, and so the
// enum of the codes.
func filterType(d *contract.Dimension) string {
	if d.Words == nil {
		return d.Type
	}
	return d.Type + "Filter"
}

func note(assumed bool) string {
	if assumed {
		return " ASSUMED: what was published does not settle it."
	}
	return ""
}

// schema writes the part of the GraphQL schema that follows from the contract.
func schema(c *contract.Contract) string {
	var b strings.Builder
	b.WriteString("# Generated from data/contract.yaml by `go generate ./...`; edit that file instead.\n")
	for _, e := range enums(c) {
		fmt.Fprintf(&b, "\n%s\nenum %s {\n", quote(e.description), e.name)
		for _, v := range e.values {
			fmt.Fprintf(&b, "  %s\n  %s\n", quote(v.description), v.name)
		}
		b.WriteString("}\n")
	}
	fmt.Fprintf(&b, "\n%s\ntype CellKey {\n",
		quote("Which cell it is: one field per dimension. Null where the cell is not split by the dimension, or where the "+
			"split leaves the value open (no area outside the supported areas; not registered)."))
	for _, d := range c.Dimensions {
		kind := d.Type
		if d.IsInteger() {
			kind = "Int"
		}
		fmt.Fprintf(&b, "  %s\n  %s: %s\n", quote(d.Definition.EN), d.Field, kind)
	}
	fmt.Fprintf(&b, "}\n\n%s\ninput CohortFilter {\n",
		quote("Every field narrows the cohort; a list means any of its values; a range includes both its ends. A field "+
			"that is left out, or null, does not narrow; an empty list is an error."))
	for _, d := range c.Dimensions {
		kind := "[" + filterType(d) + "!]"
		switch {
		case d.IsInteger():
			kind = "IntRange"
		case !isEnum(d):
			kind = "[ID!]"
		}
		fmt.Fprintf(&b, "  %s\n  %s: %s\n", quote(d.Definition.EN), d.Filter, kind)
	}
	fmt.Fprintf(&b, "  %s\n  with: [Indicator!]\n", quote("Only observations known to have all of these."))
	fmt.Fprintf(&b, "  %s\n  without: [Indicator!]\n",
		quote("Only observations known to have none of these. One that is in with too is an error."))
	fmt.Fprintf(&b, "  %s\n  withAny: [Indicator!]\n}\n",
		quote("Only observations known to have at least one of these. One that is known is enough, whatever is unknown of "+
			"the others; an observation of which none is known to be there is left out, be it without them or unknown."))
	var query, area strings.Builder
	for _, t := range cohorts(c) {
		fmt.Fprintf(&query, "  %s\n  %s(\n    %s\n    where: CohortFilter\n  ): Cohort!\n", quote(t.Counts.EN), t.Cohort,
			quote("Which "+t.Cohort+"; all of them if left out."))
		fmt.Fprintf(&area, "  %s\n  %s(\n    %s\n    where: CohortFilter\n  ): Cohort!\n",
			quote("The "+t.Cohort+" of the area."), t.Cohort,
			quote("Which "+t.Cohort+" of the area; all of them if left out. A filter on other areas is an error."))
	}
	fmt.Fprintf(&b, "\nextend type Query {\n%s}\n\nextend type Area {\n%s}\n", query.String(), area.String())
	return b.String()
}

// cohorts returns the tables that are asked of as cohorts.
func cohorts(c *contract.Contract) []*contract.Table {
	return slices.DeleteFunc(slices.Clone(c.Tables), func(t *contract.Table) bool { return t.Cohort == "" })
}

// resolvers writes what answers the fields of cohorts; gqlgen puts it in its own form.
func resolvers(c *contract.Contract) string {
	var b strings.Builder
	b.WriteString(`package resolvers

import (
	"context"

	"github.com/kvarter/kvarter/internal/study"
)
`)
	for _, t := range cohorts(c) {
		method := strings.ToUpper(t.Cohort[:1]) + t.Cohort[1:]
		fmt.Fprintf(&b, "\nfunc (r *areaResolver) %s(ctx context.Context, obj *study.Area, where map[string]any) "+
			"(*study.Cohort, error) {\n\treturn r.cohortOf(obj, %q, where)\n}\n", method, t.Cohort)
		fmt.Fprintf(&b, "\nfunc (r *queryResolver) %s(ctx context.Context, where map[string]any) (*study.Cohort, error) "+
			"{\n\treturn r.cohort(%q, where)\n}\n", method, t.Cohort)
	}
	return b.String()
}

// quote writes a GraphQL description.
func quote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }
