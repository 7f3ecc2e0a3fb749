package resolvers

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// shortfalls says how many more of this cohort would reach the other's share, by area and in all.
func (r *Resolver) shortfalls(ctx context.Context, c *model.Comparison, of string, by []string, unknown model.UnknownValues, level float64) (*model.Shortfalls, error) {
	if len(by) == 0 {
		return nil, fault.Invalidf("`by` is empty; give at least one dimension that composition is made of")
	}
	area, err := r.Contract.Dimension("AREA")
	if err != nil {
		return nil, err
	}
	if slices.Contains(by, area.Name) {
		return nil, fault.Invalidf("`by` holds AREA: with the area itself held equal every area would be expected to be as it is; leave it out")
	}
	s, err := r.sidesWithin(ctx, c, of, by, []*contract.Dimension{area}, unknown, level)
	if err != nil {
		return nil, err
	}
	total, areas, err := stats.ShortfallsOf(s.a, s.b, s.shared, stats.ShortfallOptions{Level: level, Dimensions: s.dimensions})
	if err != nil {
		return nil, err
	}
	out := &model.Shortfalls{Standard: derived(total.Standard), Total: shortfall(total), Areas: []*model.AreaShortfall{}, Warnings: notNil(s.warnings)}
	byArea := map[string]*model.AreaShortfall{}
	var list []*model.Area
	outside := 0.0
	for i := range areas {
		a := &areas[i]
		if a.Cluster <= 0 { // no area, see statsCells
			outside += a.Observed.Denominator
			continue
		}
		place := &model.Area{Area: r.Store.Areas()[a.Cluster-1]}
		list = append(list, place)
		byArea[place.GetID()] = &model.AreaShortfall{Area: place, Shortfall: shortfall(&a.Shortfall)}
	}
	r.sortAreas(list, nil)
	for _, a := range list {
		out.Areas = append(out.Areas, byArea[a.GetID()])
	}
	if outside > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d observations outside the areas are in the total and in no area.", int(outside)))
	}
	return out, nil
}

func shortfall(s *stats.Shortfall) *model.Shortfall {
	return &model.Shortfall{Observed: derived(s.Observed), Expected: derived(s.Expected), ToStandard: derived(s.ToStandard), ToExpected: derived(s.ToExpected),
		Composition: derived(s.Composition), Warnings: notNil(s.Warnings)}
}
