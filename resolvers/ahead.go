package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/study"
)

// foresee tells the request of all that the document's fields will ask of cohorts and comparisons, and
// returns the cohorts of which nothing but figures is asked. What cannot be read is left out, so that the
// field itself fails.
func (p planned) foresee(op *graphql.OperationContext, into *study.Request) map[*ast.Field][]figure {
	a := &ahead{Resolver: p.resolver, op: op, into: into, plan: p.plans.of(op.Doc)}
	cohorts := map[*ast.Field][]figure{}
	for _, field := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Query"}) {
		if table := a.Contract.CohortTable(field.Name); table != nil {
			if figures := a.cohort(table, field, nil); figures != nil {
				cohorts[field.Field] = figures
			}
			continue
		}
		args := field.ArgumentMap(op.Variables)
		switch field.Name {
		case "area":
			a.area(field.Selections)
		case "areas":
			for _, list := range a.fields(field.Selections, "AreaConnection") {
				switch list.Name {
				case "nodes":
					a.area(list.Selections)
				case "edges":
					for _, edge := range a.fields(list.Selections, "AreaEdge") {
						a.area(edge.Selections)
					}
				}
			}
		case "activityEffect":
			q := study.EffectOf{Activity: text(args["type"]), Outcome: text(args["outcome"]),
				Method: study.EffectMethod(text(args["method"])), Level: number(args["level"]),
				Trim: number(args["trim"]), Caliper: number(args["caliper"])}
			if c, ok := args["clustered"].(bool); ok {
				q.Clustered = &c
			}
			into.Foresee(q)
		case "targetGroup":
			into.Foresee(study.TargetGroupOf{Activity: text(args["type"]), Level: number(args["level"])})
		}
	}
	return cohorts
}

// figure is a field of a cohort that is a figure or a list of cells, which no field below asks more of.
type figure struct {
	graphql.CollectedField
	ask func(context.Context) (any, error) // nil of __typename
}

// foreseen tells the request of the question that a field will ask.
func foreseen[A any](a *ahead, field graphql.CollectedField, q study.Question[A]) figure {
	ask := study.Foresee(a.into, q)
	return figure{field, func(ctx context.Context) (any, error) { return ask(ctx) }}
}

// ahead looks at the fields of a document before they are answered.
type ahead struct {
	*Resolver
	op   *graphql.OperationContext
	into *study.Request
	plan *plan
}

func (a *ahead) fields(selections ast.SelectionSet, of string) []graphql.CollectedField {
	return graphql.CollectFields(a.op, selections, []string{of})
}

// area looks at the fields of an area. One area stands for all of a list, whose tables are the same.
func (a *ahead) area(selections ast.SelectionSet) {
	if len(a.Catalogue.Areas) == 0 {
		return
	}
	for _, field := range a.fields(selections, "Area") {
		if table := a.Contract.CohortTable(field.Name); table != nil {
			a.cohort(table, field, &study.Area{Area: a.Catalogue.Areas[0]})
		}
	}
}

// cohort looks at the fields of a cohort; of the part of it that lives in the area, if one is given. It
// returns them if all are figures.
func (a *ahead) cohort(table *contract.Table, of graphql.CollectedField, area *study.Area) []figure {
	c, err := a.filtered(table, of, "where")
	if err != nil {
		return nil
	}
	if area != nil {
		if c, err = a.Of(area, c); err != nil {
			return nil
		}
	}
	fields := a.plan.fields(a.op, of, "Cohort")
	figures := make([]figure, 0, len(fields))
	for _, field := range fields {
		args := field.ArgumentMap(a.op.Variables)
		of, level := text(args["of"]), number(args["level"])
		by, err := texts(args["by"])
		if err != nil {
			continue
		}
		switch field.Name {
		case "__typename":
			figures = append(figures, figure{CollectedField: field})
		case "size":
			figures = append(figures, foreseen(a, field, study.SizeOf{Cohort: c}))
		case "share":
			figures = append(figures, foreseen(a, field, study.ShareOf{Cohort: c, Indicator: of, Level: level}))
		case "mean":
			figures = append(figures, foreseen(a, field, study.MeanOf{Cohort: c, Measure: of, Level: level}))
		case "breakdown", "jsonStat":
			a.into.Foresee(study.BreakdownOf{Cohort: c, Indicator: of, By: by, Level: level})
		case "trend":
			figures = append(figures, foreseen(a, field, study.TrendOf{Cohort: c, Indicator: of, By: by, Level: level}))
		case "distribution":
			figures = append(figures, foreseen(a, field, study.DistributionOf{Cohort: c, Dimension: of, By: by, Level: level}))
		case "development":
			a.into.Foresee(study.DevelopmentOf{Cohort: c, Indicator: of, Level: level})
		case "meanDevelopment":
			a.into.Foresee(study.DevelopmentOf{Cohort: c, Measure: of, Level: level})
		case "turnover":
			from, errFrom := integer(args["from"])
			to, errTo := integer(args["to"])
			if errFrom == nil && errTo == nil {
				a.into.Foresee(study.TurnoverOf{Cohort: c, Indicator: of, From: from, To: to, Level: level})
			}
		case "betweenAreas":
			if controls, err := texts(args["controls"]); err == nil {
				a.into.Foresee(study.BetweenAreasOf{Cohort: c, Indicator: of, Controls: controls, Level: level})
			}
		case "areaShares":
			a.into.Foresee(study.AreaSharesOf{Cohort: c, Indicator: of, Level: level})
		case "planEffect":
			a.into.Foresee(study.PlanEffectOf{Cohort: c, Indicator: of, Level: level})
		case "compare":
			if other, err := a.filtered(table, field, "to"); err == nil {
				a.comparison(&study.Comparison{This: c, Other: other}, field.Selections)
			}
		}
	}
	if len(figures) < len(fields) {
		return nil
	}
	return figures
}

// filtered is the cohort that an argument of a field names. One without a variable is read once a document.
func (a *ahead) filtered(table *contract.Table, field graphql.CollectedField, argument string) (*study.Cohort, error) {
	key := named{field.Field, table}
	if c, ok := a.plan.cohorts.Load(key); ok {
		return c.(*study.Cohort), nil
	}
	where, _ := field.ArgumentMap(a.op.Variables)[argument].(map[string]any)
	c, err := a.cohortBy(table, where)
	if given := field.Arguments.ForName(argument); err == nil && (given == nil || !varies(given.Value)) {
		a.plan.cohorts.Store(key, c)
	}
	return c, err
}

// varies reports whether a value has a variable in it.
func varies(v *ast.Value) bool {
	return v.Kind == ast.Variable || slices.ContainsFunc(v.Children,
		func(c *ast.ChildValue) bool { return varies(c.Value) })
}

// comparison looks at the fields of a comparison.
func (a *ahead) comparison(c *study.Comparison, selections ast.SelectionSet) {
	for _, field := range a.fields(selections, "Comparison") {
		args := field.ArgumentMap(a.op.Variables)
		gap := study.GapOf{Comparison: c, Indicator: text(args["of"]), Level: number(args["level"])}
		if field.Name == "breakdown" {
			a.into.Foresee(study.GapsOf{GapOf: gap, By: text(args["by"])})
			continue
		}
		by, errBy := texts(args["by"])
		controls, errControls := texts(args["controls"])
		if errBy != nil || errControls != nil {
			continue
		}
		switch field.Name {
		case "overlap":
			a.into.Foresee(study.OverlapOf{Comparison: c})
		case "gap", "ratio", "equivalence":
			a.into.Foresee(gap)
		case "standardised", "decomposition":
			a.into.Foresee(study.StandardisedOf{GapOf: gap, By: by})
		case "adjusted":
			q := study.AdjustedOf{GapOf: gap, Controls: controls}
			if cluster := text(args["clusterBy"]); cluster != "" {
				q.ClusterBy = &cluster
			}
			a.into.Foresee(q)
		case "trend":
			a.into.Foresee(study.GapsOf{GapOf: gap, By: "YEAR"})
		case "shortfall":
			a.into.Foresee(study.ShortfallOf{GapOf: gap, By: by})
		case "segregation":
			a.into.Foresee(study.SegregationOf{Comparison: c, Over: text(args["over"]), Level: gap.Level})
		}
	}
}

// text is an argument that is a text, or "".
func text(value any) string {
	s, _ := value.(string)
	return s
}
