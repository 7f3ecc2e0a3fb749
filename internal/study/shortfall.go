package study

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// ShortfallOf asks how many more of a cohort would reach the other's share, by area and in all.
type ShortfallOf struct {
	GapOf
	By      []string
	Unknown UnknownValues
}

func (q ShortfallOf) comparing(s *Study) (comparing, error) {
	c := q.GapOf.comparing()
	if len(q.By) == 0 {
		return c, fault.Invalidf("`by` is empty; give at least one dimension that composition is made of")
	}
	if slices.Contains(q.By, "AREA") {
		return c, fault.Invalidf("`by` holds AREA: with the area itself held equal every area would be expected to be as " +
			"it is; leave it out")
	}
	var err error
	c.by, c.unknown = q.By, q.Unknown
	c.clusterDimensions, err = s.dimensions("AREA")
	return c, err
}

func (q ShortfallOf) needs(s *Study) ([]need, error) {
	c, err := q.comparing(s)
	if err != nil {
		return nil, err
	}
	return c.needs(s)
}

func (q ShortfallOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*Shortfalls, error) {
	c, err := q.comparing(r.Study)
	if err != nil {
		return nil, err
	}
	s, err := c.sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	total, areas, err := stats.ShortfallsOf(s.a, s.b, s.shared,
		stats.ShortfallOptions{Level: q.Level, Dimensions: s.dimensions})
	if err != nil {
		return nil, err
	}
	out := &Shortfalls{Standard: derived(total.Standard), Total: shortfall(total), Areas: []*AreaShortfall{},
		Warnings: notNil(s.warnings)}
	byArea := map[string]*AreaShortfall{}
	var list []*Area
	outside := 0.0
	for i := range areas {
		a := &areas[i]
		if a.Cluster <= 0 { // no area, see statsCells
			outside += a.Observed.Denominator
			continue
		}
		place := &Area{r.Catalogue.Areas[a.Cluster-1]}
		list = append(list, place)
		byArea[place.GetID()] = &AreaShortfall{Area: place, Shortfall: shortfall(&a.Shortfall)}
	}
	r.sortByName(list)
	for _, a := range list {
		out.Areas = append(out.Areas, byArea[a.GetID()])
	}
	if outside > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d observations outside the areas are in the total and in no area.",
			int(outside)))
	}
	return out, nil
}

func shortfall(s *stats.Shortfall) *Shortfall {
	return &Shortfall{Observed: derived(s.Observed), Expected: derived(s.Expected), ToStandard: derived(s.ToStandard),
		ToExpected:  derived(s.ToExpected),
		Composition: derived(s.Composition), Warnings: notNil(s.Warnings)}
}
