package study

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// PlanEffectOf asks what the plans change in the share of a cohort in the areas, by years since the start.
type PlanEffectOf struct {
	Cohort    *Cohort
	Indicator string
	Controls  PlanControls
	Level     float64
}

// PlanEffect is the effect of the plans by years since an area's first plan started.
type PlanEffect struct {
	Overall        *Estimate
	Effects        []*PlanEffectAt
	ByStart        []*PlanEffectOfStart
	Pretrends      *PretrendTest
	First, Mean    *PlanEffectRobustness
	Areas, Started int
	Warnings       []string
}

// PlanEffectAt is the effect some years after the start; negative ones are before it.
type PlanEffectAt struct {
	YearsSinceStart      int
	Effect, Simultaneous *Estimate
}

// PlanEffectOfStart is the mean effect in the areas whose first plan started in a year.
type PlanEffectOfStart struct {
	Year, Areas int
	Effect      *Estimate
}

// PretrendTest is a Wald test that all effects before the start are 0.
type PretrendTest struct{ Statistic, DegreesOfFreedom, PValue *float64 }

// PlanEffectRobustness is how an effect stands under bounds on how far trends were from parallel.
type PlanEffectRobustness struct {
	Effect                                 *Estimate
	YearsBefore                            int
	LargestBefore                          *float64
	Magnitudes, Curvatures                 []*PlanEffectUnderBound
	BreakdownMagnitude, BreakdownCurvature *float64
}

// PlanEffectUnderBound is the interval of an effect under one bound.
type PlanEffectUnderBound struct {
	Bound  float64
	Effect *Estimate
}

func (q PlanEffectOf) needs(s *Study) ([]need, error) {
	if len(s.Catalogue.Plans) == 0 {
		return nil, fault.NotRecordedf("no plans are recorded in this data set, so there is no start to count from; it " +
			"needs the " +
			"table plan, and area.plan_ids")
	}
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	i, err := s.Contract.Indicator(q.Indicator)
	if err != nil {
		return nil, err
	}
	by, err := s.dimensions("YEAR", "AREA")
	if err != nil {
		return nil, err
	}
	return q.Cohort.needs(s, cells.Observations{By: by, Indicators: []*contract.Indicator{i},
		MaxCells: maxComparisonCells})
}

func (q PlanEffectOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*PlanEffect, error) {
	starts, undated := r.planStarts()
	var outside, leftOut float64
	inside := slices.DeleteFunc(r.statsCells(tables[0], 1), func(c stats.Cell) bool {
		switch {
		case c.Cluster == 0: // no area, see statsCells
			outside += c.N
		case undated[c.Cluster]:
			leftOut += c.N
		default:
			return false
		}
		return true
	})
	var years []int
	for _, c := range inside {
		years = append(years, c.Key[0])
	}
	slices.Sort(years)
	years = slices.Compact(years)
	if len(years) < 2 {
		return nil, fault.Invalidf("the cohort has observations in areas in %d years, and a change needs two; widen "+
			"`years`, or take areas into the filter", len(years))
	}
	for i, y := range years[1:] {
		if y != years[i]+1 {
			return nil, fault.Invalidf("the cohort has observations in areas in %d and in %d and in no year between; ask for "+
				"years that follow one another", years[i], y)
		}
	}
	if last := years[len(years)-1]; !slices.ContainsFunc(areasOf(inside), func(area int) bool {
		return starts[area] > years[0] && starts[area] <= last
	}) {
		return nil, fault.Invalidf("in none of the areas a plan started from %d to %d, so no year of the cohort is before "+
			"a start and another after it; ask for more years", years[0]+1, last)
	}
	if q.Controls == PlanControlsNeverStarted && !slices.ContainsFunc(areasOf(inside), func(area int) bool {
		return starts[area] == 0
	}) {
		return nil, fault.Invalidf("every area of the cohort has a plan, so that none is left to compare with; ask " +
			"`controls: NOT_YET_STARTED`")
	}
	e, err := stats.EventStudyOf(years, inside, starts, stats.EventStudyOptions{Level: q.Level,
		NotYetTreated: q.Controls == PlanControlsNotYetStarted})
	if err != nil {
		return nil, err
	}
	out := &PlanEffect{Overall: derived(e.Effects.Overall), Areas: int(e.Areas), Started: int(e.Treated),
		Effects: []*PlanEffectAt{}, ByStart: []*PlanEffectOfStart{}, Warnings: notNil(e.Warnings),
		Pretrends: &PretrendTest{Statistic: number(e.Pretrends.Statistic), DegreesOfFreedom: number(e.Pretrends.DF),
			PValue: number(e.Pretrends.P)},
		First: robustness(e.First, -e.JudgedFrom), Mean: robustness(e.Mean, -e.JudgedFrom)}
	for i, part := range e.Effects.Parts {
		at := &PlanEffectAt{YearsSinceStart: part.At, Effect: derived(part.Effect)}
		if e.Effects.Simultaneous != nil {
			at.Simultaneous = derived(e.Effects.Simultaneous.Estimates[i])
		}
		out.Effects = append(out.Effects, at)
	}
	started := map[int]int{}
	for _, area := range areasOf(inside) {
		started[starts[area]]++
	}
	for _, part := range e.ByStart.Parts {
		out.ByStart = append(out.ByStart, &PlanEffectOfStart{Year: part.At, Areas: started[part.At],
			Effect: derived(part.Effect)})
	}
	if outside > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d observations outside the areas are left out.", int(outside)))
	}
	if leftOut > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d observations in areas with a plan whose start is not recorded "+
			"are "+
			"left out.", int(leftOut)))
	}
	return out, nil
}

// planStarts is the year in which the first plan of an area started, 0 where it has none, by cluster as
// statsCells numbers areas; undated are the areas with a plan whose start is not recorded.
func (s *Study) planStarts() (starts map[int]int, undated map[int]bool) {
	starts, undated = map[int]int{}, map[int]bool{}
	for i := range s.Catalogue.Areas {
		starts[i+1] = 0
	}
	for _, p := range s.Catalogue.Plans {
		for _, a := range p.Areas {
			at, ok := s.Catalogue.Place(a.ID)
			if !ok {
				continue
			}
			cluster := at + 1
			if p.Start == nil {
				undated[cluster] = true
				continue
			}
			year, err := strconv.Atoi((*p.Start)[:4])
			if err != nil {
				undated[cluster] = true
				continue
			}
			if starts[cluster] == 0 || year < starts[cluster] {
				starts[cluster] = year
			}
		}
	}
	return starts, undated
}

// areasOf lists the clusters of cells, each once.
func areasOf(list []stats.Cell) []int {
	var out []int
	for _, c := range list {
		out = append(out, c.Cluster)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func robustness(h *stats.HonestStudy, before int) *PlanEffectRobustness {
	if h == nil {
		return nil
	}
	under := func(list []stats.HonestInterval) []*PlanEffectUnderBound {
		out := []*PlanEffectUnderBound{}
		for _, i := range list {
			out = append(out, &PlanEffectUnderBound{Bound: i.Bound, Effect: derived(i.Effect)})
		}
		return out
	}
	return &PlanEffectRobustness{Effect: derived(h.Effect), YearsBefore: before, LargestBefore: number(h.LargestBefore),
		Magnitudes: under(h.Magnitudes), Curvatures: under(h.Curvatures), BreakdownMagnitude: number(h.BreakdownMagnitude),
		BreakdownCurvature: number(h.BreakdownCurvature)}
}
