package resolvers

import (
	"context"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/store"
)

// designate applies the rule set, or the one in force, to areas.
func (r *Resolver) designate(ctx context.Context, areas []*model.Area, year int, named *model.RuleSet) ([]*model.Designation, error) {
	rules, err := r.Law.In(year)
	if named != nil {
		rules, err = r.Law.Named(string(*named))
	}
	if err != nil {
		return nil, err
	}
	if err := r.checkYear(&year); err != nil {
		return nil, err
	}
	national, err := r.nationalConvicted(ctx)
	if err != nil {
		return nil, err
	}
	out := []*model.Designation{}
	for _, a := range areas {
		result := r.Law.Apply(rules, figures(a.Area, national), year)
		d := &model.Designation{Area: a, Year: year, RuleSet: model.RuleSet(rules.Name), Kinds: []model.DesignationKind{}, Undecided: []model.DesignationKind{},
			Criteria: []*model.Criterion{}, Warnings: notNil(result.Warnings)}
		for _, k := range result.Kinds {
			d.Kinds = append(d.Kinds, model.DesignationKind(k))
		}
		for _, k := range result.Undecided {
			d.Undecided = append(d.Undecided, model.DesignationKind(k))
		}
		if len(d.Kinds)+len(d.Undecided) == 0 {
			d.Kinds = append(d.Kinds, model.DesignationKindNone)
		}
		for _, m := range result.Criteria {
			d.Criteria = append(d.Criteria, &model.Criterion{Name: m.Criterion.Name, Labels: m.Criterion.Label, Value: m.Value, Threshold: m.Threshold, Met: m.Met})
		}
		out = append(out, d)
	}
	return out, nil
}

func figures(a *store.Area, national map[int]float64) law.Figures {
	at := func(year int) *store.AreaYear {
		for i := range a.Years {
			if a.Years[i].Year == year {
				return &a.Years[i]
			}
		}
		return nil
	}
	return law.Figures{
		Area: a.Figure,
		Residents: func(year int) *int {
			if y := at(year); y != nil {
				return y.Residents
			}
			return nil
		},
		National: func(figure string, year int) *float64 {
			if share, ok := national[year]; ok && figure == "percent_convicted" {
				return &share
			}
			return nil
		},
		Averaged: func(year int) bool {
			y := at(year)
			return y != nil && y.Averaged != nil && *y.Averaged
		},
	}
}

// nationalConvicted returns the percent of all residents aged 18 and over who were convicted, by
// year; it is empty where the data set does not record it.
func (r *Resolver) nationalConvicted(ctx context.Context) (map[int]float64, error) {
	table := r.Contract.CohortTable("residents")
	i, err := r.Contract.Indicator("CONVICTED")
	if err != nil {
		return nil, err
	}
	year, err := r.Contract.Dimension("YEAR")
	if err != nil {
		return nil, err
	}
	out := map[int]float64{}
	if !r.Store.HasIndicator(table, i) {
		return out, nil
	}
	cells, err := r.Store.Cells(ctx, store.Query{Table: table, By: []*contract.Dimension{year}, Indicators: []*contract.Indicator{i}})
	if fault.KindOf(err) == fault.NotRecorded {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	for _, c := range cells.Rows {
		if t := c.Indicators[0]; t.N > 0 {
			out[int(c.Key[0])] = 100 * float64(t.Y) / float64(t.N)
		}
	}
	return out, nil
}
