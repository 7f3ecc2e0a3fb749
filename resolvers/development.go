package resolvers

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// development sets areas under a plan beside the population, year by year. One of the indicator and
// the measure is given.
func (r *Resolver) development(ctx context.Context, c *model.Cohort, i *contract.Indicator, m *contract.Measure, fixedIn *int, level float64) (*model.Development, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	for _, condition := range c.Filter.Conditions {
		if name := condition.Dimension.Name; name == "SETTING" || name == "AREA" {
			return nil, fault.Invalidf("a development sets the areas beside the population, so the cohort must hold both: leave `setting` and `area` out of its filter, and ask it of a root field, not of an area")
		}
	}
	if err := r.checkYear(fixedIn); err != nil {
		return nil, err
	}
	warnings, err := r.plansInTime()
	if err != nil {
		return nil, err
	}
	by, err := r.by("development", "", nil)
	if err != nil {
		return nil, err
	}
	cells, err := r.ask(ctx, c, by, i, m)
	if err != nil {
		return nil, err
	}
	var years []int
	for _, cell := range cells.Rows {
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
		return nil, fault.Invalidf("no plan was active in %d, so no set of areas can be fixed there; %s", *fixedIn, r.planYears())
	}
	out := &model.Development{FixedIn: *fixedIn, FixedAreas: []*model.Area{}, Years: []*model.DevelopmentYear{}, Warnings: warnings}
	for area := range fixed {
		out.FixedAreas = append(out.FixedAreas, &model.Area{Area: area})
	}
	r.sortAreas(out.FixedAreas, nil)
	figure := func(year int, in func(*store.Area) bool) *model.Estimate {
		total := cells.TotalOf(func(cell store.Cell) bool { return int(cell.Key[0]) == year && in(r.areaAt(cell.Key[1])) })
		if m != nil {
			return mean(total.Measures[0], level)
		}
		return share(total.Indicators[0], level)
	}
	for _, year := range years {
		now := r.underPlan(year)
		set := func(areas map[*store.Area]bool) *model.AreaSet {
			observed := 0
			for _, cell := range cells.Rows {
				if int(cell.Key[0]) == year && areas[r.areaAt(cell.Key[1])] {
					observed++
				}
			}
			return &model.AreaSet{Areas: len(areas), Observed: observed, Estimate: figure(year, func(a *store.Area) bool { return areas[a] })}
		}
		out.Years = append(out.Years, &model.DevelopmentYear{
			Year: year, Fixed: set(fixed), AsTheyWere: set(now),
			OutsideFixed:      figure(year, func(a *store.Area) bool { return !fixed[a] }),
			OutsideAsTheyWere: figure(year, func(a *store.Area) bool { return !now[a] }),
			Population:        figure(year, func(*store.Area) bool { return true }),
		})
	}
	for _, y := range out.Years {
		if y.Fixed.Observed < y.Fixed.Areas {
			out.Warnings = append(out.Warnings, fmt.Sprintf("In %d the cohort has observations in %d of the %d areas of the fixed set, so the set is not quite the same then.", y.Year, y.Fixed.Observed, y.Fixed.Areas))
		}
	}
	return out, nil
}

// areaAt returns the area of a cell's key, nil outside the areas.
func (r *Resolver) areaAt(key int32) *store.Area {
	if key == store.None {
		return nil
	}
	return r.Store.Areas()[key]
}

// underPlan returns the areas with a plan active on some day of the year.
func (r *Resolver) underPlan(year int) map[*store.Area]bool {
	out := map[*store.Area]bool{}
	for _, p := range r.Store.Plans() {
		if activeIn(p, year) {
			for _, a := range p.Areas {
				out[a] = true
			}
		}
	}
	return out
}

// plansInTime returns an error if the data set does not tell when areas were under a plan, and
// warnings where it tells only in part.
func (r *Resolver) plansInTime() ([]string, error) {
	const otherwise = "which areas were supported in a year is not known; `trend(by: [SETTING])` follows those that the data set calls supported"
	plans := slices.DeleteFunc(slices.Clone(r.Store.Plans()), func(p *store.Plan) bool { return len(p.Areas) == 0 })
	if len(plans) == 0 {
		return nil, fault.NotRecordedf("this data set records no plan with areas (table plan and the column plan_ids of table area), so %s", otherwise)
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
		warnings = append(warnings, fmt.Sprintf("%d of %d plans have no start and count as active in every year up to their end.", n, len(plans)))
	}
	if n := len(plans) - ended; n > 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d plans have no end and count as active in every year from their start.", n, len(plans)))
	}
	without := 0
	for _, a := range r.Store.Areas() {
		if a.Supported && len(a.PlanIDs) == 0 {
			without++
		}
	}
	if without > 0 {
		warnings = append(warnings, fmt.Sprintf("Areas that the data set calls supported but gives no plan, and that are in no set: %d.", without))
	}
	return warnings, nil
}

// planYears says in which years of the data set plans are active.
func (r *Resolver) planYears() string {
	var years []int
	for _, y := range r.Dataset.Years {
		if len(r.underPlan(y)) > 0 {
			years = append(years, y)
		}
	}
	if len(years) == 0 {
		return "no plan of this data set was active in any of its years"
	}
	return fmt.Sprintf("of the data set's years plans are active in %d to %d", years[0], years[len(years)-1])
}

// turnover splits a change into who stayed and who came and went.
func (r *Resolver) turnover(ctx context.Context, c *model.Cohort, of string, from, to int, level float64) (*model.Turnover, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	i, err := r.Contract.Indicator(of)
	if err != nil {
		return nil, err
	}
	if from == to {
		return nil, fault.Invalidf("from and to are both %d; two different years were expected", from)
	}
	if from > to {
		return nil, fault.Invalidf("from %d is after to %d; the earlier year was expected first", from, to)
	}
	q := store.TurnoverQuery{Table: c.Table, Where: c.Filter, Indicator: i, From: from, To: to}
	q.Where.Conditions = nil
	for _, condition := range c.Filter.Conditions {
		if condition.Dimension.Name != "YEAR" {
			q.Where.Conditions = append(q.Where.Conditions, condition)
			continue
		}
		for _, year := range []int{from, to} {
			if condition.From != nil && year < *condition.From || condition.To != nil && year > *condition.To {
				return nil, fault.Invalidf("the cohort's years do not hold %d; leave `years` out of its filter, or keep both years of the turnover", year)
			}
		}
	}
	answer, err := r.Store.Turnover(ctx, q)
	if err != nil {
		return nil, err
	}
	return turnover(answer, from, to, level)
}

// flowOf names what some persons did; "" if they count in neither year.
func flowOf(m store.Move) model.Flow {
	switch {
	case m.Before != store.NotCounted && m.After != store.NotCounted:
		return model.FlowStayed
	case m.After != store.NotCounted:
		switch {
		case m.Was == store.Here:
			return model.FlowNewlyCounted
		case m.Was == store.Elsewhere:
			return model.FlowMovedIn
		case m.Unborn:
			return model.FlowBorn
		}
		return model.FlowNew
	case m.Before != store.NotCounted:
		switch {
		case m.Becomes == store.Here:
			return model.FlowNoLongerCounted
		case m.Becomes == store.Elsewhere:
			return model.FlowMovedOut
		case m.Grown:
			return model.FlowAgedOut
		}
		return model.FlowGone
	}
	return ""
}

// leaves reports whether persons who did that count in the earlier year only.
func leaves(f model.Flow) bool {
	return slices.Contains([]model.Flow{model.FlowMovedOut, model.FlowAgedOut, model.FlowGone, model.FlowNoLongerCounted}, f)
}

func turnover(answer *store.Turnover, from, to int, level float64) (*model.Turnover, error) {
	var stayers [2][2]float64
	groups := map[model.Flow]stats.Cell{}
	for _, m := range answer.Moves {
		flow, n := flowOf(m), float64(m.N)
		if flow == "" {
			continue
		}
		cell := groups[flow]
		cell.N += n
		if flow == model.FlowStayed {
			stayers[m.Before-store.Without][m.After-store.Without] += n
		} else if m.Before == store.With || m.After == store.With {
			cell.Sum, cell.SumSq = cell.Sum+n, cell.SumSq+n
		}
		groups[flow] = cell
	}
	var out, in []stats.Cell // the groups that left the count, and those that came into it
	place := map[model.Flow]int{}
	for _, flow := range model.AllFlow {
		cell, ok := groups[flow]
		switch {
		case !ok || flow == model.FlowStayed:
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
	part := func(flows ...model.Flow) *model.Estimate {
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
	answered := &model.Turnover{From: from, To: to, Before: estimate(t.Before, nil), After: estimate(t.After, nil), Change: derived(t.Change), Stayers: derived(t.Stayers),
		Arrivals:  part(model.FlowMovedIn, model.FlowBorn, model.FlowNew),
		Leavers:   part(model.FlowMovedOut, model.FlowAgedOut, model.FlowGone),
		Recounted: part(model.FlowNewlyCounted, model.FlowNoLongerCounted),
		Gained:    int(stayers[0][1]), Lost: int(stayers[1][0]), Groups: []*model.TurnoverGroup{}, Warnings: []string{}}
	for _, flow := range model.AllFlow {
		cell, ok := groups[flow]
		if !ok {
			continue
		}
		g := &model.TurnoverGroup{Flow: flow, Persons: int(cell.N)}
		own := estimate(stats.Wilson(cell.Sum, cell.N, level), nil)
		switch {
		case flow == model.FlowStayed:
			g.Before, g.After, g.Part = estimate(t.StayersBefore, nil), estimate(t.StayersAfter, nil), answered.Stayers
		case leaves(flow):
			g.Before, g.Part = own, part(flow)
		default:
			g.After, g.Part = own, part(flow)
		}
		answered.Groups = append(answered.Groups, g)
	}
	if answer.Elsewhere > 0 && (groups[model.FlowNew].N > 0 || groups[model.FlowGone].N > 0) {
		answered.Warnings = append(answered.Warnings, "Outside the cohort's place the data set has rows that stand for groups, so NEW and GONE hold those who moved from and to there, beside births, deaths and migration.")
	}
	return answered, nil
}
