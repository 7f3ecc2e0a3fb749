package study

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// DevelopmentOf asks how areas under a plan developed beside the population, year by year. One of the
// indicator and the measure is given.
type DevelopmentOf struct {
	Cohort             *Cohort
	Indicator, Measure string
	FixedIn            *int // the year whose areas are followed; nil: the first with a plan
	Level              float64
}

func (q DevelopmentOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	for _, name := range cells.DimensionNames(q.Cohort.where(s).Dimensions()) {
		if name == "SETTING" || name == "AREA" {
			return nil, fault.Invalidf("a development sets the areas beside the population, so the cohort must hold both: " +
				"leave `setting` and `area` out of its filter, and ask it of a root field, not of an area")
		}
	}
	by, err := s.dimensions("YEAR", "AREA")
	if err != nil {
		return nil, err
	}
	query := cells.Observations{By: by, MaxCells: s.Cells}
	if q.Measure != "" {
		m, err := s.Contract.Measure(q.Measure)
		if err != nil {
			return nil, err
		}
		query.Measures = []*contract.Measure{m}
	} else {
		i, err := s.Contract.Indicator(q.Indicator)
		if err != nil {
			return nil, err
		}
		query.Indicators = []*contract.Indicator{i}
	}
	if err := s.checkYear(q.FixedIn); err != nil {
		return nil, err
	}
	if _, err := s.plansInTime(); err != nil {
		return nil, err
	}
	return q.Cohort.needs(s, query)
}

func (q DevelopmentOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*Development, error) {
	table, level, fixedIn := tables[0], q.Level, q.FixedIn
	warnings, err := r.plansInTime()
	if err != nil {
		return nil, err
	}
	var years []int
	for _, cell := range table.Cells {
		years = append(years, int(cell.Key[0]))
	}
	years = slices.Compact(years) // the cells come in the order of their keys
	if fixedIn == nil {
		k := slices.IndexFunc(years, func(year int) bool { return len(r.underPlan(year)) > 0 })
		if k < 0 {
			return nil, fault.Invalidf("no plan was active in any year of the cohort; %s", r.planYears())
		}
		fixedIn = &years[k]
	}
	fixed := r.underPlan(*fixedIn)
	if len(fixed) == 0 {
		return nil, fault.Invalidf("no plan was active in %d, so no set of areas can be fixed there; %s", *fixedIn,
			r.planYears())
	}
	out := &Development{FixedIn: *fixedIn, FixedAreas: []*Area{}, Years: []*DevelopmentYear{}, Warnings: warnings}
	for area := range fixed {
		out.FixedAreas = append(out.FixedAreas, &Area{area})
	}
	r.sortByName(out.FixedAreas)
	figure := func(year int, in func(*cells.Area) bool) *Estimate {
		total := table.TotalOf(func(cell cells.Cell) bool { return int(cell.Key[0]) == year && in(r.areaAt(cell.Key[1])) })
		if q.Measure != "" {
			return mean(table.Measures[0], total.Measures[0], level)
		}
		return share(total.Indicators[0], level)
	}
	for _, year := range years {
		now := r.underPlan(year)
		set := func(areas map[*cells.Area]bool) *AreaSet {
			observed := 0
			for _, cell := range table.Cells {
				if int(cell.Key[0]) == year && areas[r.areaAt(cell.Key[1])] {
					observed++
				}
			}
			return &AreaSet{Areas: len(areas), Observed: observed, Estimate: figure(year,
				func(a *cells.Area) bool { return areas[a] })}
		}
		out.Years = append(out.Years, &DevelopmentYear{
			Year: year, Fixed: set(fixed), AsTheyWere: set(now),
			OutsideFixed:      figure(year, func(a *cells.Area) bool { return !fixed[a] }),
			OutsideAsTheyWere: figure(year, func(a *cells.Area) bool { return !now[a] }),
			Population:        figure(year, func(*cells.Area) bool { return true }),
		})
	}
	for _, y := range out.Years {
		if y.Fixed.Observed < y.Fixed.Areas {
			out.Warnings = append(out.Warnings,
				fmt.Sprintf("In %d the cohort has observations in %d of the %d areas of the fixed set, so the set is not quite "+
					"the same then.", y.Year, y.Fixed.Observed, y.Fixed.Areas))
		}
	}
	return out, nil
}

// areaAt returns the area of a cell's key, nil outside the areas.
func (s *Study) areaAt(key int32) *cells.Area {
	if key == cells.None {
		return nil
	}
	return s.Catalogue.Areas[key]
}

// underPlan returns the areas with a plan active on some day of the year.
func (s *Study) underPlan(year int) map[*cells.Area]bool {
	out := map[*cells.Area]bool{}
	for _, p := range s.Catalogue.Plans {
		if p.ActiveIn(year) {
			for _, a := range p.Areas {
				out[a] = true
			}
		}
	}
	return out
}

// plansInTime returns an error if the data set does not tell when areas were under a plan, and
// warnings where it tells only in part.
func (s *Study) plansInTime() ([]string, error) {
	const otherwise = "which areas were supported in a year is not known; `trend(by: [SETTING])` follows those that " +
		"the data set calls supported"
	plans := slices.DeleteFunc(slices.Clone(s.Catalogue.Plans), func(p *cells.Plan) bool { return len(p.Areas) == 0 })
	if len(plans) == 0 {
		return nil, fault.NotRecordedf("this data set records no plan with areas (table plan and the column plan_ids of "+
			"table area), so %s", otherwise)
	}
	started, ended := 0, 0
	for _, p := range plans {
		if p.Start != nil {
			started++
		}
		if p.End != nil {
			ended++
		}
	}
	if started+ended == 0 {
		return nil, fault.NotRecordedf("no plan of this data set has a start or an end, so %s", otherwise)
	}
	warnings := []string{}
	if n := len(plans) - started; n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d plans have no start and count as active in every year up to "+
			"their end.", n, len(plans)))
	}
	if n := len(plans) - ended; n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d plans have no end and count as active in every year from their "+
			"start.", n, len(plans)))
	}
	without := 0
	for _, a := range s.Catalogue.Areas {
		if a.Supported && len(a.PlanIDs) == 0 {
			without++
		}
	}
	if without > 0 {
		warnings = append(warnings, fmt.Sprintf("Areas that the data set calls supported but gives no plan, and that are "+
			"in no set: %d.", without))
	}
	return warnings, nil
}

// planYears says in which years of the data set plans are active.
func (s *Study) planYears() string {
	var years []int
	for _, y := range s.Dataset.Years {
		if len(s.underPlan(y)) > 0 {
			years = append(years, y)
		}
	}
	if len(years) == 0 {
		return "no plan of this data set was active in any of its years"
	}
	return fmt.Sprintf("of the data set's years plans are active in %d to %d", years[0], years[len(years)-1])
}

// TurnoverOf asks what of a change comes from those who stayed, and what from those who came and went.
type TurnoverOf struct {
	Cohort    *Cohort
	Indicator string
	From, To  int // From before To
	Level     float64
}

func (q TurnoverOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	i, err := s.Contract.Indicator(q.Indicator)
	if err != nil {
		return nil, err
	}
	if q.From == q.To {
		return nil, fault.Invalidf("from and to are both %d; two different years were expected", q.From)
	}
	if q.From > q.To {
		return nil, fault.Invalidf("from %d is after to %d; the earlier year was expected first", q.From, q.To)
	}
	flows := cells.Flows{Table: q.Cohort.Table, Where: q.Cohort.Filter, Indicator: i, From: q.From, To: q.To,
		ByArea: q.Cohort.within != nil}
	flows.Where.Conditions = nil
	for _, condition := range q.Cohort.Filter.Conditions {
		if condition.Dimension.Name != "YEAR" {
			flows.Where.Conditions = append(flows.Where.Conditions, condition)
			continue
		}
		for _, year := range []int{q.From, q.To} {
			if condition.From != nil && year < *condition.From || condition.To != nil && year > *condition.To {
				return nil, fault.Invalidf("the cohort's years do not hold %d; leave `years` out of its filter, or keep both "+
					"years of the turnover", year)
			}
		}
	}
	return []need{{query: flows, within: q.Cohort.within}}, nil
}

func (q TurnoverOf) answer(_ context.Context, _ *Request, tables []*cells.Table) (*Turnover, error) {
	for _, c := range tables[0].Cells {
		if m := moveOf(c); m.was == cells.Groups && m.before != cells.NotCounted {
			t := q.Cohort.Table
			return nil, fault.NotRecordedf("%d observations of this cohort in %d and %d stand for groups of %s (published "+
				"cross-tabs without %s), who cannot be followed from year to year; narrow the cohort to where persons are "+
				"recorded, such as the areas",
				m.n, q.From, q.To, t.Cohort, t.Person)
		}
	}
	return turnover(tables[0], q.Cohort.Table, q.From, q.To, q.Level)
}

// move is what some persons did between two years.
type move struct {
	was, becomes  cells.Presence
	before, after cells.State
	unborn, grown bool
	n             int64
}

func moveOf(c cells.Cell) move {
	return move{c.Key[0], c.Key[1], c.Key[2], c.Key[3], c.Key[4] == 1, c.Key[5] == 1, c.N.Value}
}

// flowOf names what some persons of the table did; "" if they count in neither year.
func flowOf(m move, t *contract.Table) Flow {
	switch {
	case m.before != cells.NotCounted && m.after != cells.NotCounted:
		return FlowStayed
	case m.after != cells.NotCounted:
		switch {
		case m.was == cells.Here:
			return FlowNewlyCounted
		case m.was == cells.Elsewhere:
			return FlowMovedIn
		case m.unborn && t.Column("age").Min > 0:
			return FlowAgedIn
		case m.unborn:
			return FlowBorn
		}
		return FlowNew
	case m.before != cells.NotCounted:
		switch {
		case m.becomes == cells.Here:
			return FlowNoLongerCounted
		case m.becomes == cells.Elsewhere:
			return FlowMovedOut
		case m.grown:
			return FlowAgedOut
		}
		return FlowGone
	}
	return ""
}

// leaves reports whether persons who did that count in the earlier year only.
func leaves(f Flow) bool {
	return slices.Contains([]Flow{FlowMovedOut, FlowAgedOut, FlowGone, FlowNoLongerCounted}, f)
}

func turnover(table *cells.Table, of *contract.Table, from, to int, level float64) (*Turnover, error) {
	elsewhere := false // do rows outside the place stand for groups?
	var stayers [2][2]float64
	groups := map[Flow]stats.Cell{}
	for _, c := range table.Cells {
		m := moveOf(c)
		if m.was == cells.Groups {
			elsewhere = true
			continue
		}
		flow, n := flowOf(m, of), float64(m.n)
		if flow == "" {
			continue
		}
		cell := groups[flow]
		cell.N += n
		if flow == FlowStayed {
			stayers[m.before-cells.Without][m.after-cells.Without] += n
		} else if m.before == cells.With || m.after == cells.With {
			cell.Sum, cell.SumSq = cell.Sum+n, cell.SumSq+n
		}
		groups[flow] = cell
	}
	var out, in []stats.Cell // the groups that left the count, and those that came into it
	place := map[Flow]int{}
	for _, flow := range AllFlow {
		cell, ok := groups[flow]
		switch {
		case !ok || flow == FlowStayed:
		case leaves(flow):
			place[flow] = len(out)
			out = append(out, cell)
		default:
			place[flow] = len(in)
			in = append(in, cell)
		}
	}
	t, err := stats.TurnoverOf(stayers, out, in, level)
	if err != nil {
		return nil, err
	}
	part := func(flows ...Flow) *Estimate {
		var leavers, arrivals []int
		for _, flow := range flows {
			k, ok := place[flow]
			switch {
			case ok && leaves(flow):
				leavers = append(leavers, k)
			case ok:
				arrivals = append(arrivals, k)
			}
		}
		return derived(t.Part(leavers, arrivals))
	}
	answered := &Turnover{From: from, To: to, Before: estimate(t.Before, nil), After: estimate(t.After, nil),
		Change: derived(t.Change), Stayers: derived(t.Stayers),
		Arrivals:  part(FlowMovedIn, FlowBorn, FlowAgedIn, FlowNew),
		Leavers:   part(FlowMovedOut, FlowAgedOut, FlowGone),
		Recounted: part(FlowNewlyCounted, FlowNoLongerCounted),
		Gained:    int(stayers[0][1]), Lost: int(stayers[1][0]), Groups: []*TurnoverGroup{}, Warnings: []string{}}
	for _, flow := range AllFlow {
		cell, ok := groups[flow]
		if !ok {
			continue
		}
		g := &TurnoverGroup{Flow: flow, Persons: int(cell.N)}
		own := estimate(stats.Wilson(cell.Sum, cell.N, level), nil)
		switch {
		case flow == FlowStayed:
			g.Before, g.After, g.Part = estimate(t.StayersBefore, nil), estimate(t.StayersAfter, nil), answered.Stayers
		case leaves(flow):
			g.Before, g.Part = own, part(flow)
		default:
			g.After, g.Part = own, part(flow)
		}
		answered.Groups = append(answered.Groups, g)
	}
	if elsewhere && (groups[FlowNew].N > 0 || groups[FlowGone].N > 0) {
		answered.Warnings = append(answered.Warnings,
			"Outside the cohort's place the data set has rows that stand for groups, so NEW and GONE hold those who moved "+
				"from and to there, beside births, deaths and migration.")
	}
	return answered, nil
}
