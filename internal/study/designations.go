package study

import (
	"context"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/law"
)

// DesignationsOf asks which lists of the law areas are on.
type DesignationsOf struct {
	Areas   []*Area
	Year    int
	RuleSet *RuleSet // nil: the one in force
}

func (q DesignationsOf) needs(s *Study) ([]need, error) {
	table := s.Contract.CohortTable("residents")
	i, err := s.Contract.Indicator("CONVICTED")
	if err != nil {
		return nil, err
	}
	by, err := s.dimensions("YEAR")
	if err != nil {
		return nil, err
	}
	// The national share is not recorded by every data set; the law is then applied without it.
	all := cells.Observations{Table: table, By: by, Indicators: []*contract.Indicator{i}}
	if s.Catalogue.Check(all) != nil {
		return nil, nil
	}
	return []need{{query: all}}, nil
}

func (q DesignationsOf) answer(ctx context.Context, r *Request, tables []*cells.Table) ([]*Designation, error) {
	rules, err := r.Law.In(q.Year)
	if q.RuleSet != nil {
		rules, err = r.Law.Named(string(*q.RuleSet))
	}
	if err != nil {
		return nil, err
	}
	if err := r.checkYear(&q.Year); err != nil {
		return nil, err
	}
	national := map[int]float64{} // percent of all residents aged 18 and over who were convicted, by year
	for _, table := range tables {
		for _, c := range table.Cells {
			if t := c.Indicators[0]; t.N.Value > 0 {
				national[int(c.Key[0])] = 100 * t.Y.Float() / t.N.Float()
			}
		}
	}
	known, err := r.keyFigures(ctx)
	if err != nil {
		return nil, err
	}
	out := []*Designation{}
	for _, a := range q.Areas {
		result := r.Law.Apply(rules, lawFigures(known[a.Area], national), q.Year)
		d := &Designation{Area: a, Year: q.Year, RuleSet: RuleSet(rules.Name), Kinds: []DesignationKind{},
			Undecided: []DesignationKind{},
			Criteria:  []*Criterion{}, Warnings: notNil(result.Warnings)}
		for _, k := range result.Kinds {
			d.Kinds = append(d.Kinds, DesignationKind(k))
		}
		for _, k := range result.Undecided {
			d.Undecided = append(d.Undecided, DesignationKind(k))
		}
		if len(d.Kinds)+len(d.Undecided) == 0 {
			d.Kinds = append(d.Kinds, DesignationKindNone)
		}
		for _, m := range result.Criteria {
			d.Criteria = append(d.Criteria, &Criterion{Name: m.Criterion.Name, Labels: m.Criterion.Label, Value: m.Value,
				Threshold: m.Threshold, Met: m.Met})
		}
		out = append(out, d)
	}
	return out, nil
}

func lawFigures(years []yearFigures, national map[int]float64) law.Figures {
	return law.Figures{
		Area: func(column string, year int) *float64 { return figure(years, column, year) },
		Residents: func(year int) *int {
			if y := atYear(years, year); y != nil {
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
			y := atYear(years, year)
			return y != nil && y.averaged != nil && *y.averaged
		},
	}
}
