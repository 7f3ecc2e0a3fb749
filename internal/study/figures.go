package study

import (
	"context"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
)

// yearFigures are an area's key figures in a year.
type yearFigures struct {
	AreaYear
	averaged *bool // see the contract's column
}

// keyFigures returns the key figures of the areas, by year. They are read once.
func (s *Study) keyFigures(ctx context.Context) (map[*cells.Area][]yearFigures, error) {
	cells.Note(ctx, cells.KeyFigures{}) // also where they were read before
	s.figures.Lock()
	defer s.figures.Unlock()
	if s.figures.of != nil {
		return s.figures.of, nil
	}
	table, err := cells.One(ctx, s.Source, cells.KeyFigures{})
	if err != nil {
		return nil, err
	}
	out := map[*cells.Area][]yearFigures{}
	for _, c := range table.Cells {
		number := func(name string) *float64 {
			f := c.Figures[slices.Index(cells.FigureColumns, name)]
			if math.IsNaN(f.Value) || f.Status == cells.Hidden {
				return nil
			}
			return &f.Value
		}
		integer := func(name string) *int {
			x := number(name)
			if x == nil {
				return nil
			}
			n := int(*x)
			return &n
		}
		yes := func(name string) *bool {
			x := number(name)
			if x == nil {
				return nil
			}
			is := *x == 1
			return &is
		}
		area := s.Catalogue.Areas[c.Key[0]]
		out[area] = append(out[area], yearFigures{
			AreaYear: AreaYear{Year: int(c.Key[1]), Residents: integer("residents"), Children: integer("children_0_6"),
				NonWestern: number("percent_non_western"), OutsideWorkAndEducation: number("percent_outside_work_and_education"),
				Convicted: number("percent_convicted"), BasicSchoolingOnly: number("percent_basic_schooling_only"),
				IncomeRatio: number("income_ratio"), OnOfficialList: yes("on_official_list"),
				Source: table.Keys[2].Values[c.Key[2]]},
			averaged: yes("averaged"),
		})
	}
	s.figures.of = out
	return out, nil
}

// atYear returns the figures of the year, or nil.
func atYear(list []yearFigures, year int) *yearFigures {
	i := slices.IndexFunc(list, func(y yearFigures) bool { return y.Year == year })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// figure returns the figure of that column of area_year in the year, nil where there is none.
func figure(list []yearFigures, column string, year int) *float64 {
	y := atYear(list, year)
	if y == nil {
		return nil
	}
	switch column {
	case "percent_non_western":
		return y.NonWestern
	case "percent_outside_work_and_education":
		return y.OutsideWorkAndEducation
	case "percent_convicted":
		return y.Convicted
	case "percent_basic_schooling_only":
		return y.BasicSchoolingOnly
	case "income_ratio":
		return y.IncomeRatio
	}
	return nil
}
