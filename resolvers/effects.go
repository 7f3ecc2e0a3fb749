package resolvers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// effectQuestion is what activityEffect is asked.
type effectQuestion struct {
	activity, outcome    string
	method               model.EffectMethod
	level, trim, caliper float64
	clustered            *bool // nil: as the method does
}

// usualCaliper is the schema's default, in standard deviations of the propensity's logit (Austin 2011).
const usualCaliper = 0.2

// compared are those who took part in a type of activity and the others, as cells.
type compared struct {
	activity string
	outcome  *contract.Outcome
	cells    []store.EffectCell
	// Of the cells: the covariates with categories, and those that are numbers; some are both. The
	// places are those among EffectCell.Values.
	categories, numbers          []*contract.Covariate
	categoryPlaces, numberPlaces []int
	warnings                     []string
}

// targetGroup compares those who took part with the others on every covariate.
func (r *Resolver) targetGroup(ctx context.Context, activity string, level float64) ([]*model.Balance, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	c, err := r.compared(ctx, store.EffectQuery{Type: activity})
	if err != nil {
		return nil, err
	}
	return c.balance(level)
}

// balance compares the sides before any adjustment, whatever the outcome.
func (c *compared) balance(level float64) ([]*model.Balance, error) {
	design, rows, err := c.rows(func(cell store.EffectCell) (n, sum, sumSq float64) { return float64(cell.N), 0, 0 })
	if err != nil {
		return nil, err
	}
	list, err := stats.Balance(design, rows, level)
	if err != nil {
		return nil, err
	}
	return c.balances(list), nil
}

// effect estimates the effect of a type of activity.
func (r *Resolver) effect(ctx context.Context, q effectQuestion) (*model.EffectEstimate, error) {
	if err := stats.CheckLevel(q.level); err != nil {
		return nil, err
	}
	outcome, err := r.Contract.Outcome(q.outcome)
	if err != nil {
		return nil, err
	}
	if err := r.check(q, outcome); err != nil {
		return nil, err
	}
	isDouble := q.method == model.EffectMethodDifferenceInDifferences
	clustered := isDouble
	if q.clustered != nil {
		clustered = *q.clustered
	}
	c, err := r.compared(ctx, store.EffectQuery{Type: q.activity, Outcome: outcome, Start: isDouble, Area: clustered})
	if err != nil {
		return nil, err
	}
	var unknown int64
	for _, cell := range c.cells {
		if isDouble {
			unknown += cell.Change.Unknown
		} else {
			unknown += cell.Outcome.Unknown
		}
	}
	if err := r.recordedFor(ctx, c); err != nil {
		return nil, err
	}
	out := &model.EffectEstimate{Type: q.activity, Outcome: q.outcome, Method: q.method, Unit: "share", Unknown: count(unknown), Trimmed: count(0),
		Overlap: []*model.OverlapBin{}, Starts: []*model.StartEffect{}}
	if !outcome.IsIndicator() {
		out.Unit = outcome.Column.Unit
	}
	if r.Store.HasBefore(outcome) {
		out.DifferenceBefore = derived(c.differenceBefore(q.level))
	}
	if isDouble {
		return out, c.byStart(q, clustered, out)
	}
	return out, c.adjust(q, clustered, out)
}

// check returns an error for an outcome that makes no sense for the type or is not recorded before the
// start, and for options that the method has no use for.
func (r *Resolver) check(q effectQuestion, outcome *contract.Outcome) error {
	if !slices.Contains(outcome.Activities, q.activity) {
		list := named(r.Contract.OutcomesOf(q.activity))
		if list == "" {
			return fault.Invalidf("%s makes no sense for %s, nor does any other outcome; targetGroup says whom it reaches", outcome.Name, q.activity)
		}
		return fault.Invalidf("%s makes no sense for %s; its outcomes are %s", outcome.Name, q.activity, list)
	}
	switch q.method {
	case model.EffectMethodUnadjusted, model.EffectMethodExactMatching, model.EffectMethodDifferenceInDifferences:
		if q.trim != 0 {
			return fault.Invalidf("trim goes by the propensity, which %s has not; leave it out, or ask IPW, MATCHING or DOUBLY_ROBUST", q.method)
		}
	}
	if q.caliper != usualCaliper && q.method != model.EffectMethodMatching {
		return fault.Invalidf("a caliper bounds a match, which %s has not; leave it out, or ask MATCHING", q.method)
	}
	if q.method == model.EffectMethodDifferenceInDifferences && !r.Store.HasBefore(outcome) {
		have := slices.DeleteFunc(r.Contract.OutcomesOf(q.activity), func(o *contract.Outcome) bool { return !r.Store.HasBefore(o) || !r.Store.HasOutcome(o) })
		others := "no outcome of the type is"
		if len(have) > 0 {
			others = "those that are: " + named(have)
		}
		return fault.NotRecordedf("%s is not recorded before the start, which %s needs; %s", outcome.Name, q.method, others)
	}
	return nil
}

func named(list []*contract.Outcome) string {
	var out []string
	for _, o := range list {
		out = append(out, o.Name)
	}
	return strings.Join(out, ", ")
}

// recordedFor returns an error that lists the outcomes of the type if c has nobody with a known outcome
// on one side.
func (r *Resolver) recordedFor(ctx context.Context, c *compared) error {
	if c.hasBothSides() {
		return nil
	}
	var there []*contract.Outcome
	for _, o := range r.Contract.OutcomesOf(c.activity) {
		cells, err := r.effectCells(ctx, store.EffectQuery{Type: c.activity, Outcome: o})
		if err == nil && (&compared{cells: cells}).hasBothSides() {
			there = append(there, o)
		}
	}
	recorded := "nothing is recorded"
	if len(there) > 0 {
		recorded = "recorded are " + named(there)
	}
	return fault.NotRecordedf("%s is not recorded for %s, on both sides and at the ages of those who took part; %s", c.outcome.Name, c.activity, recorded)
}

// hasBothSides reports whether the outcome of somebody on each side is known.
func (c *compared) hasBothSides() bool {
	for _, treated := range []bool{true, false} {
		if !slices.ContainsFunc(c.cells, func(cell store.EffectCell) bool { return cell.Treated == treated && cell.Outcome.N > 0 }) {
			return false
		}
	}
	return true
}

// adjust estimates the effect from the outcomes after.
func (c *compared) adjust(q effectQuestion, clustered bool, out *model.EffectEstimate) error {
	design, rows, err := c.rows(func(cell store.EffectCell) (n, sum, sumSq float64) {
		return float64(cell.Outcome.N), float64(cell.Outcome.Sum), cell.Outcome.SumSq
	})
	if err != nil {
		return err
	}
	linear, banded := c.terms(design)
	o := stats.EffectOptions{Level: q.level, Trim: q.trim, Caliper: q.caliper, Clustered: clustered, PropensityTerms: linear, OutcomeTerms: linear}
	switch q.method {
	case model.EffectMethodIPW:
		o.Method = stats.IPW
	case model.EffectMethodMatching:
		o.Method = stats.PropensityMatching
	case model.EffectMethodExactMatching:
		o.Method, o.PropensityTerms = stats.ExactMatching, banded
	case model.EffectMethodDoublyRobust:
		o.Method = stats.AIPW
		if c.outcome.IsIndicator() {
			o.Outcome = stats.Logit
		}
	}
	e, err := stats.EstimateEffect(design, rows, o)
	if err != nil {
		return err
	}
	out.Effect, out.WithActivity, out.WithoutActivity = derived(e.Effect), derived(e.WithTreatment), derived(e.Without)
	if c.outcome.IsIndicator() {
		out.Ratio = derived(e.Ratio)
	}
	out.Treated, out.Controls = count(int64(e.Treated)), count(int64(e.Controls))
	out.Unmatched, out.UnmatchedControls, out.Trimmed = count(int64(e.UnmatchedTreated)), count(int64(e.UnmatchedControls)), count(int64(e.Trimmed))
	out.Clusters = clusters(e.Clusters)
	out.EffectiveTreated, out.EffectiveControls = number(e.EffectiveTreated), number(e.EffectiveControls)
	out.LargestWeight, out.OutsideOverlap = number(e.LargestWeight), number(e.OutsideOverlap)
	out.Balance = c.balances(e.Balance)
	for _, bin := range e.Overlap {
		out.Overlap = append(out.Overlap, &model.OverlapBin{From: bin.From, To: bin.To, Treated: count(int64(bin.Treated)), Controls: count(int64(bin.Controls))})
	}
	if point := number(e.EValue.Point); point != nil {
		out.EValue = &model.EValue{Point: point, Limit: number(e.EValue.Limit)}
	}
	out.Warnings = append(notNil(e.Warnings), c.warnings...)
	out.Estimand = "the average effect on those who took part (ATT)"
	if e.UnmatchedTreated > 0 || e.Trimmed > 0 {
		out.Estimand = "the average effect on those who took part and have comparable others (ATT of the rest)"
	}
	return nil
}

// byStart estimates the effect from changes, start by start.
func (c *compared) byStart(q effectQuestion, clustered bool, out *model.EffectEstimate) error {
	byYear := map[int]*stats.StartCells{}
	levels := true // are the outcomes after those of the persons whose change is known?
	var without int64
	others := false // is the start of any of them known?
	for _, cell := range c.cells {
		if cell.Start == nil {
			without += cell.Change.N
			continue
		}
		others = others || !cell.Treated
		s := byYear[*cell.Start]
		if s == nil {
			s = &stats.StartCells{Start: *cell.Start}
			byYear[*cell.Start] = s
		}
		levels = levels && cell.Outcome.N == cell.Change.N
		change, before, after := &s.Controls, &s.ControlsBefore, &s.ControlsAfter
		if cell.Treated {
			change, before, after = &s.Treated, &s.TreatedBefore, &s.TreatedAfter
		}
		*change = append(*change, momentsCell(cell.Change, cell.Area))
		*before = append(*before, momentsCell(cell.Before, cell.Area))
		*after = append(*after, momentsCell(cell.Outcome, cell.Area))
	}
	if !others {
		return fault.NotRecordedf("the year in which those who did not take part could have started is not recorded (%s.start_year), which %s needs; ask another method", contract.EffectTable, q.method)
	}
	var starts []stats.StartCells
	for _, s := range byYear {
		if !levels {
			s.TreatedBefore, s.TreatedAfter, s.ControlsBefore, s.ControlsAfter = nil, nil, nil, nil
		}
		starts = append(starts, *s)
	}
	slices.SortFunc(starts, func(a, b stats.StartCells) int { return cmp.Compare(a.Start, b.Start) })
	e, err := stats.ChangesByStart(starts, stats.DifferenceOptions{Level: q.level, Clustered: clustered})
	if err != nil {
		return err
	}
	if out.Balance, err = c.balance(q.level); err != nil {
		return err
	}
	all := e.Overall
	out.Effect, out.GapBefore, out.GapAfter = derived(all.Effect), derived(all.GapBefore), derived(all.GapAfter)
	out.Treated, out.Controls, out.Clusters = count(int64(all.Treated)), count(int64(all.Controls)), clusters(all.Clusters)
	out.Unmatched, out.UnmatchedControls = count(int64(e.TreatedLeftOut)), count(int64(e.ControlsLeftOut))
	for _, s := range e.ByStart {
		out.Starts = append(out.Starts, &model.StartEffect{Start: s.Start, Treated: count(int64(s.Treated)), Controls: count(int64(s.Controls)),
			Effect: derived(s.Effect), GapBefore: derived(s.GapBefore), GapAfter: derived(s.GapAfter)})
	}
	out.Warnings = slices.Concat(notNil(e.Warnings), all.Warnings, c.warnings)
	if without > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d persons whose year of start is not recorded are left out", without))
	}
	out.Estimand = "the average effect on those who took part (ATT), if without it they would have changed like the others of their year of start"
	return nil
}

func momentsCell(m store.Moments, cluster int) stats.Cell {
	return stats.Cell{N: float64(m.N), Sum: float64(m.Sum), SumSq: m.SumSq, Cluster: cluster}
}

// compared fetches the cells of both sides over all covariates that the data set records.
func (r *Resolver) compared(ctx context.Context, q store.EffectQuery) (*compared, error) {
	c := &compared{activity: q.Type, outcome: q.Outcome}
	for _, v := range r.Contract.Covariates {
		if r.Store.HasCovariate(v) {
			q.Covariates = append(q.Covariates, v)
		} else {
			c.warnings = append(c.warnings, v.Name+" is not recorded, and not held equal")
		}
	}
	var err error
	if c.cells, err = r.effectCells(ctx, q); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(c.cells, func(cell store.EffectCell) bool { return cell.Treated }) {
		types, err := r.Store.EffectTypes(ctx)
		if err != nil {
			return nil, err
		}
		return nil, fault.NotRecordedf("nobody is recorded to have taken part in %s; there are participants of %s", q.Type, cmp.Or(strings.Join(types, ", "), "no type"))
	}
	for _, isNumber := range []bool{false, true} {
		for i, v := range q.Covariates {
			value := func(cell store.EffectCell) int {
				if isNumber {
					return cell.Values[i]
				}
				return category(v, cell.Values[i])
			}
			varies := slices.ContainsFunc(c.cells, func(cell store.EffectCell) bool { return value(cell) != value(c.cells[0]) })
			switch {
			case !varies: // what is the same of everyone compares nothing
			case isNumber && v.IsNumber():
				c.numbers, c.numberPlaces = append(c.numbers, v), append(c.numberPlaces, i)
			case !isNumber && (v.Codes != nil || !v.IsNumber()):
				c.categories, c.categoryPlaces = append(c.categories, v), append(c.categoryPlaces, i)
			}
		}
	}
	return c, nil
}

// effectCells fetches cells once a request.
func (r *Resolver) effectCells(ctx context.Context, q store.EffectQuery) ([]store.EffectCell, error) {
	sc := scopeOf(ctx)
	name := ""
	if q.Outcome != nil {
		name = q.Outcome.Name
	}
	key := fmt.Sprint(q.Type, name, len(q.Covariates), q.Start, q.Area)
	sc.mu.Lock()
	fetch, ok := sc.effects[key]
	if !ok {
		fetch = sync.OnceValues(func() ([]store.EffectCell, error) { return r.Store.EffectCells(ctx, q) })
		if sc.effects == nil {
			sc.effects = map[string]func() ([]store.EffectCell, error){}
		}
		sc.effects[key] = fetch
	}
	sc.mu.Unlock()
	return fetch()
}

// rows gives the cells to package stats, with the sums that `of` picks.
func (c *compared) rows(of func(store.EffectCell) (n, sum, sumSq float64)) (stats.Design, []stats.TreatmentRow, error) {
	var dimensions []stats.Dimension
	for _, v := range c.categories {
		d := stats.Dimension{Name: v.Name}
		for _, code := range v.Codes {
			d.Codes = append(d.Codes, code.Code)
		}
		if v.Codes == nil {
			d.Codes = []string{"NO", "YES"}
		}
		dimensions = append(dimensions, d)
	}
	var names []string
	for _, v := range c.numbers {
		names = append(names, v.Name)
	}
	cells := make([]stats.TreatmentCell, len(c.cells))
	for i, cell := range c.cells {
		n, sum, sumSq := of(cell)
		cells[i] = stats.TreatmentCell{Treated: cell.Treated, Cell: stats.Cell{N: n, Sum: sum, SumSq: sumSq, Cluster: cell.Area}}
		for at, v := range c.categories {
			cells[i].Key = append(cells[i].Key, category(v, cell.Values[c.categoryPlaces[at]]))
		}
		for _, place := range c.numberPlaces {
			cells[i].Numbers = append(cells[i].Numbers, float64(cell.Values[place]))
		}
	}
	return stats.MixedTreatmentRows(dimensions, names, cells)
}

// category is the place of the category that a value of EffectCell.Values is in.
func category(v *contract.Covariate, value int) int {
	if v.Linear {
		return v.Category("", value)
	}
	return value
}

// terms are the columns of the design for models, in which numbers are linear, and for exact matching,
// in which those that have bands are in them (Iacus, King, Porro 2012, Political Analysis 20:1).
func (c *compared) terms(design stats.Design) (model, exact []int) {
	model, exact = []int{}, []int{}
	banded := map[string]bool{}
	for k, v := range c.categories {
		banded[v.Name] = true
		exact = append(exact, design.Factors[k].Columns...)
		if !v.Linear {
			model = append(model, design.Factors[k].Columns...)
		}
	}
	first := len(design.Terms) - len(c.numbers)
	for k, v := range c.numbers {
		model = append(model, first+k)
		if !banded[v.Name] {
			exact = append(exact, first+k)
		}
	}
	return model, exact
}

// differenceBefore is how much the sides differed in the outcome itself before the start.
func (c *compared) differenceBefore(level float64) stats.Estimate {
	var sides [2][]stats.Cell
	for _, cell := range c.cells {
		side := 0
		if cell.Treated {
			side = 1
		}
		sides[side] = append(sides[side], momentsCell(cell.Before, 0))
	}
	return stats.StandardisedDifference(stats.Total(sides[1]), stats.Total(sides[0]), level)
}

// clusters is null where nothing is clustered.
func clusters(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// balances hands back a balance in the contract's order, the mean of a number before its bands; the
// propensity is in `overlap`.
func (c *compared) balances(list []stats.CovariateBalance) []*model.Balance {
	out := []*model.Balance{}
	var places []int
	for _, b := range list {
		m := &model.Balance{Participants: estimate(b.Treated, nil), Comparison: estimate(b.Controls, nil), Before: number(b.Before), After: number(b.After), Difference: derived(b.Difference)}
		var v *contract.Covariate
		at := 0
		if b.Term.Dimension >= 0 {
			v, at = c.categories[b.Term.Dimension], 2*c.categoryPlaces[b.Term.Dimension]+1
			switch {
			case v.Codes != nil:
				code := v.Codes[b.Term.Category]
				m.Code = &code.Code
				m.Labels = contract.Text{DA: v.Label.DA + ": " + code.Label.DA, EN: v.Label.EN + ": " + code.Label.EN}
			case b.Term.Category == 0: // no says what yes says
				continue
			default:
				m.Labels = v.Label
			}
		} else if i := slices.IndexFunc(c.numbers, func(v *contract.Covariate) bool { return v.Name == b.Covariate }); i >= 0 {
			v, at = c.numbers[i], 2*c.numberPlaces[i]
			m.Labels = v.Label
		} else {
			continue
		}
		m.Covariate = v.Name
		place, _ := slices.BinarySearch(places, at+1)
		out, places = slices.Insert(out, place, m), slices.Insert(places, place, at)
	}
	return out
}
