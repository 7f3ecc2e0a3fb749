package resolvers

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/study"
)

// foresee tells the request of all that the document's fields will ask of cohorts and comparisons. What
// cannot be read is left out, so that the field itself fails.
func (r *Resolver) foresee(op *graphql.OperationContext, into *study.Request) {
	a := &ahead{Resolver: r, op: op, into: into}
	for _, field := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Query"}) {
		args := field.ArgumentMap(op.Variables)
		if table := r.Contract.CohortTable(field.Name); table != nil {
			a.cohort(table, args, field.Selections, nil)
			continue
		}
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
			q := study.EffectOf{Activity: text(args["type"]), Outcome: text(args["outcome"]), Method: study.EffectMethod(text(args["method"])), Level: number(args["level"]),
				Trim: number(args["trim"]), Caliper: number(args["caliper"])}
			if c, ok := args["clustered"].(bool); ok {
				q.Clustered = &c
			}
			into.Foresee(q)
		case "targetGroup":
			into.Foresee(study.TargetGroupOf{Activity: text(args["type"]), Level: number(args["level"])})
		}
	}
}

// ahead looks at the fields of a document before they are answered.
type ahead struct {
	*Resolver
	op   *graphql.OperationContext
	into *study.Request
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
			a.cohort(table, field.ArgumentMap(a.op.Variables), field.Selections, &study.Area{Area: a.Catalogue.Areas[0]})
		}
	}
}

// cohort looks at the fields of a cohort; of the part of it that lives in the area, if one is given.
func (a *ahead) cohort(table *contract.Table, args map[string]any, selections ast.SelectionSet, area *study.Area) {
	where, _ := args["where"].(map[string]any)
	c, err := a.cohortBy(table, where)
	if err != nil {
		return
	}
	if area != nil {
		if c, err = a.Of(area, c); err != nil {
			return
		}
	}
	for _, field := range a.fields(selections, "Cohort") {
		args := field.ArgumentMap(a.op.Variables)
		of, level := text(args["of"]), number(args["level"])
		by, err := texts(args["by"])
		if err != nil {
			continue
		}
		switch field.Name {
		case "size":
			a.into.Foresee(study.SizeOf{Cohort: c})
		case "share":
			a.into.Foresee(study.ShareOf{Cohort: c, Indicator: of, Level: level})
		case "mean":
			a.into.Foresee(study.MeanOf{Cohort: c, Measure: of, Level: level})
		case "breakdown", "jsonStat":
			a.into.Foresee(study.BreakdownOf{Cohort: c, Indicator: of, By: by, Level: level})
		case "trend":
			a.into.Foresee(study.TrendOf{Cohort: c, Indicator: of, By: by, Level: level})
		case "distribution":
			a.into.Foresee(study.DistributionOf{Cohort: c, Dimension: of, By: by, Level: level})
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
		case "compare":
			where, _ := args["to"].(map[string]any)
			if other, err := a.cohortBy(table, where); err == nil {
				a.comparison(&study.Comparison{This: c, Other: other}, field.Selections)
			}
		}
	}
}

// comparison looks at the fields of a comparison.
func (a *ahead) comparison(c *study.Comparison, selections ast.SelectionSet) {
	for _, field := range a.fields(selections, "Comparison") {
		args := field.ArgumentMap(a.op.Variables)
		gap := study.GapOf{Comparison: c, Indicator: text(args["of"]), Level: number(args["level"])}
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
