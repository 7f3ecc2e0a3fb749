package study

import (
	"context"
	"fmt"
	"math"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/stats"
)

// AreaSharesOf asks for the share of a cohort in each area, and how far it can be told from the others'.
type AreaSharesOf struct {
	Cohort    *Cohort
	Indicator string
	Level     float64
}

// AreaShares are the shares in the areas, by name.
type AreaShares struct {
	Areas          []*AreaShare
	Mean           *Estimate
	Spread, Centre float64
	Outside        []*FunnelCount
	Dispersion     *float64
	Warnings       []string
}

// AreaShare is the share in one area: as it is, drawn towards the mean of the areas, and beside what chance
// alone would keep it between.
type AreaShare struct {
	Area               *Area
	Observed, Shrunken *Estimate
	Weight, Rank       *float64
	Limits             []*FunnelLimits
}

// FunnelLimits are the shares between which chance keeps a share that is truly the centre.
type FunnelLimits struct {
	Level, Lower, Upper float64
	Outside             bool
}

// FunnelCount is how many areas lie beyond limits, and how many would by chance.
type FunnelCount struct {
	Level    float64
	Areas    int
	Expected float64
}

func (q AreaSharesOf) needs(s *Study) ([]need, error) {
	return q.Cohort.share(s, q.Indicator, []string{"AREA"}, q.Level)
}

func (q AreaSharesOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*AreaShares, error) {
	var outside int64
	tallies := map[string]cells.Tally{}
	var list []*Area
	for _, c := range tables[0].Cells {
		t := c.Indicators[0]
		switch {
		case c.Key[0] == cells.None:
			outside += c.N.Value
		case t.N.Value > 0:
			area := &Area{r.Catalogue.Areas[c.Key[0]]}
			tallies[area.GetID()] = t
			list = append(list, area)
		}
	}
	r.sortByName(list)
	counts := make([]stats.Cell, len(list))
	for i, a := range list {
		t := tallies[a.GetID()]
		counts[i] = stats.Cell{N: t.N.Float(), Sum: t.Y.Float(), SumSq: t.Y.Float()}
	}
	shrunken, err := stats.ShrinkShares(counts, q.Level)
	if err != nil {
		return nil, err
	}
	funnel, err := stats.FunnelOf(counts, math.NaN())
	if err != nil {
		return nil, err
	}
	out := &AreaShares{Areas: make([]*AreaShare, len(list)), Mean: derived(shrunken.Mean), Spread: shrunken.Spread,
		Centre: funnel.Centre, Outside: []*FunnelCount{}, Dispersion: number(funnel.Dispersion),
		Warnings: append(notNil(shrunken.Warnings), funnel.Warnings...)}
	out.Warnings = append(out.Warnings, "Observations of an area are taken as independent"+r.alike(q.Cohort))
	for i, level := range funnel.Levels {
		out.Outside = append(out.Outside, &FunnelCount{level, funnel.Outside[i], funnel.Expected[i]})
	}
	for i, a := range list {
		s := shrunken.Areas[i]
		area := &AreaShare{Area: a, Observed: share(tallies[a.GetID()], q.Level), Shrunken: derived(s.Estimate),
			Weight: number(s.Weight), Rank: number(s.Rank), Limits: []*FunnelLimits{}}
		for _, l := range funnel.Areas[i].Limits {
			area.Limits = append(area.Limits, &FunnelLimits{l.Level, l.Lower, l.Upper, l.Outside})
		}
		out.Areas[i] = area
	}
	if len(list) < fewAreas {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d areas are few: how much areas differ is hardly told, and the "+
			"interval of their mean is too narrow.", len(list)))
	}
	if outside > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d observations outside the areas are left out.", outside))
	}
	return out, nil
}

// fewAreas is the number below which what areas have in common is warned of.
const fewAreas = 20

// alike ends a warning that observations of the cohort are taken as independent.
func (s *Study) alike(c *Cohort) string {
	if years := s.spanned(c); years > 1 {
		return fmt.Sprintf("; a person counts once in each of %d years, so intervals and limits are far too narrow: ask for "+
			"one year.", years)
	}
	return "; those of one family are alike, so intervals and limits are somewhat narrow."
}
