package study

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// EffectOf asks what a type of activity changes for those who take part.
type EffectOf struct {
	Activity, Outcome    string
	Method               EffectMethod
	Level, Trim, Caliper float64
	Clustered            *bool // nil: as the method does
}

// usualCaliper is the schema's default, in standard deviations of the propensity's logit (Austin 2011).
const usualCaliper = 0.2

// compared are those who took part in a type of activity and the others, as cells.
type compared struct {
	activity string
	outcome  *contract.Outcome
	cells    []effectCell
	// Of the cells: the covariates with categories, and those that are numbers; some are both. The
	// places are those among EffectCell.Values.
	categories, numbers          []*contract.Covariate
	categoryPlaces, numberPlaces []int
	warnings                     []string
}

// effectCell is one combination of covariates in one arm.
type effectCell struct {
	treated bool
	values  []int // per covariate: the place of a category; the number of one that IsNumber; 0 or 1 of a bool
	start   *int  // nil where it is not recorded, or not asked for
	area    int   // the area's place; -1 where not asked for
	n       int64 // persons
	outcome moments
	// before and change are of the persons whose outcome is known after and before; empty where the
	// outcome has none recorded before the start.
	before, change moments
}

// moments are the sums of an outcome.
type moments struct {
	n, unknown int64
	sum, sumSq float64
}

func momentsOf(m cells.Moments) moments {
	return moments{n: m.N.Value, unknown: m.Unknown.Value, sum: float64(m.Sum), sumSq: m.SumSq.Float()}
}

// effectCells reads a table of participants.
func effectCells(q cells.Participants, table *cells.Table) []effectCell {
	out := make([]effectCell, len(table.Cells))
	for i, c := range table.Cells {
		cell := effectCell{treated: c.Key[0] == 1, area: -1, n: c.N.Value,
			outcome: momentsOf(c.Measures[cells.After]), before: momentsOf(c.Measures[cells.Before]),
			change: momentsOf(c.Measures[cells.Change])}
		rest := c.Key[1:]
		for range q.Covariates {
			cell.values, rest = append(cell.values, int(rest[0])), rest[1:]
		}
		if q.Start {
			if rest[0] != cells.None {
				start := int(rest[0])
				cell.start = &start
			}
			rest = rest[1:]
		}
		if q.Area && rest[0] != cells.None {
			cell.area = int(rest[0])
		}
		out[i] = cell
	}
	return out
}

// TargetGroupOf asks how those who took part differ from the others on every covariate.
type TargetGroupOf struct {
	Activity string
	Level    float64
}

func (q TargetGroupOf) query(s *Study) cells.Participants {
	return cells.Participants{Type: q.Activity, Covariates: s.covariates()}
}

func (q TargetGroupOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	return []need{{query: q.query(s)}}, nil
}

func (q TargetGroupOf) answer(ctx context.Context, r *Request, tables []*cells.Table) ([]*Balance, error) {
	c, err := r.compared(ctx, q.query(r.Study), tables[0])
	if err != nil {
		return nil, err
	}
	return c.balance(q.Level)
}

// covariates are those that the data set records.
func (s *Study) covariates() []*contract.Covariate {
	var out []*contract.Covariate
	for _, v := range s.Contract.Covariates {
		if s.Catalogue.HasCovariate(v) {
			out = append(out, v)
		}
	}
	return out
}

// balance compares the sides before any adjustment, whatever the outcome.
func (c *compared) balance(level float64) ([]*Balance, error) {
	design, rows, err := c.rows(func(cell effectCell) (n, sum, sumSq float64) { return float64(cell.n), 0, 0 })
	if err != nil {
		return nil, err
	}
	list, err := stats.Balance(design, rows, level)
	if err != nil {
		return nil, err
	}
	return c.balances(list), nil
}

func (q EffectOf) query(s *Study) (cells.Participants, error) {
	outcome, err := s.Contract.Outcome(q.Outcome)
	return cells.Participants{Type: q.Activity, Outcome: outcome, Covariates: s.covariates(), Start: q.isDouble(),
		Area: q.isClustered()}, err
}

func (q EffectOf) isDouble() bool { return q.Method == EffectMethodDifferenceInDifferences }

func (q EffectOf) isClustered() bool {
	if q.Clustered != nil {
		return *q.Clustered
	}
	return q.isDouble()
}

func (q EffectOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	query, err := q.query(s)
	if err != nil {
		return nil, err
	}
	if err := q.check(s, query.Outcome); err != nil {
		return nil, err
	}
	return []need{{query: query}}, nil
}

func (q EffectOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*EffectEstimate, error) {
	query, err := q.query(r.Study)
	if err != nil {
		return nil, err
	}
	outcome, isDouble := query.Outcome, q.isDouble()
	c, err := r.compared(ctx, query, tables[0])
	if err != nil {
		return nil, err
	}
	var unknown int64
	for _, cell := range c.cells {
		if isDouble {
			unknown += cell.change.unknown
		} else {
			unknown += cell.outcome.unknown
		}
	}
	if err := r.recordedFor(ctx, c); err != nil {
		return nil, err
	}
	out := &EffectEstimate{Type: q.Activity, Outcome: q.Outcome, Method: q.Method, Unit: "share",
		Unknown: counted(int(unknown)), Trimmed: counted(0),
		Overlap: []*OverlapBin{}, Starts: []*StartEffect{}}
	if !outcome.IsIndicator() {
		out.Unit = outcome.Column.Unit
	}
	if r.Catalogue.HasBefore(outcome) {
		out.DifferenceBefore = derived(c.differenceBefore(q.Level))
	}
	if isDouble {
		return out, c.byStart(q, query.Area, out)
	}
	return out, c.adjust(ctx, q, query.Area, out)
}

// check returns an error for an outcome that makes no sense for the type or is not recorded before the
// start, and for options that the method has no use for.
func (q EffectOf) check(s *Study, outcome *contract.Outcome) error {
	if !slices.Contains(outcome.Activities, q.Activity) {
		list := named(s.Contract.OutcomesOf(q.Activity))
		if list == "" {
			return fault.Invalidf("%s makes no sense for %s, nor does any other outcome; targetGroup says whom it reaches",
				outcome.Name, q.Activity)
		}
		return fault.Invalidf("%s makes no sense for %s; its outcomes are %s", outcome.Name, q.Activity, list)
	}
	switch q.Method {
	case EffectMethodUnadjusted, EffectMethodExactMatching, EffectMethodDifferenceInDifferences,
		EffectMethodEntropyBalancing:
		if q.Trim != 0 {
			return fault.Invalidf("trim goes by the propensity, which %s has not; leave it out, or ask IPW, MATCHING or "+
				"DOUBLY_ROBUST", q.Method)
		}
	}
	if q.Caliper != usualCaliper && q.Method != EffectMethodMatching {
		return fault.Invalidf("a caliper bounds a match, which %s has not; leave it out, or ask MATCHING", q.Method)
	}
	if q.Method == EffectMethodDifferenceInDifferences && !s.Catalogue.HasBefore(outcome) {
		have := slices.DeleteFunc(s.Contract.OutcomesOf(q.Activity),
			func(o *contract.Outcome) bool { return !s.Catalogue.HasBefore(o) || !s.Catalogue.HasOutcome(o) })
		others := "no outcome of the type is"
		if len(have) > 0 {
			others = "those that are: " + named(have)
		}
		return fault.NotRecordedf("%s is not recorded before the start, which %s needs; %s", outcome.Name, q.Method, others)
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
func (r *Request) recordedFor(ctx context.Context, c *compared) error {
	if c.hasBothSides() {
		return nil
	}
	var there []*contract.Outcome
	for _, o := range r.Contract.OutcomesOf(c.activity) {
		q := cells.Participants{Type: c.activity, Outcome: o}
		if !r.Catalogue.HasOutcome(o) {
			continue
		}
		tables, err := r.tables(ctx, []need{{query: q}})
		if err != nil {
			return err
		}
		if (&compared{cells: effectCells(q, tables[0])}).hasBothSides() {
			there = append(there, o)
		}
	}
	recorded := "nothing is recorded"
	if len(there) > 0 {
		recorded = "recorded are " + named(there)
	}
	return fault.NotRecordedf("%s is not recorded for %s, on both sides and at the ages of those who took part; %s",
		c.outcome.Name, c.activity, recorded)
}

// hasBothSides reports whether the outcome of somebody on each side is known.
func (c *compared) hasBothSides() bool {
	for _, treated := range []bool{true, false} {
		if !slices.ContainsFunc(c.cells,
			func(cell effectCell) bool { return cell.treated == treated && cell.outcome.n > 0 }) {
			return false
		}
	}
	return true
}

// adjust estimates the effect from the outcomes after.
func (c *compared) adjust(ctx context.Context, q EffectOf, clustered bool, out *EffectEstimate) error {
	design, rows, err := c.rows(func(cell effectCell) (n, sum, sumSq float64) {
		return float64(cell.outcome.n), float64(cell.outcome.sum), cell.outcome.sumSq
	})
	if err != nil {
		return err
	}
	linear, banded := c.terms(design)
	o := stats.EffectOptions{Level: q.Level, Trim: q.Trim, Caliper: q.Caliper, Clustered: clustered,
		PropensityTerms: linear, OutcomeTerms: linear, Stop: ctx.Err}
	switch q.Method {
	case EffectMethodIPW:
		o.Method = stats.IPW
	case EffectMethodMatching:
		o.Method = stats.PropensityMatching
	case EffectMethodExactMatching:
		o.Method, o.PropensityTerms = stats.ExactMatching, banded
	case EffectMethodEntropyBalancing:
		o.Method = stats.EntropyBalancing
	case EffectMethodDoublyRobust:
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
	out.Treated, out.Controls = counted(int(e.Treated)), counted(int(e.Controls))
	out.Unmatched, out.UnmatchedControls, out.Trimmed = counted(int(e.UnmatchedTreated)),
		counted(int(e.UnmatchedControls)), counted(int(e.Trimmed))
	out.Clusters = clusterCount(e.Clusters)
	out.EffectiveTreated, out.EffectiveControls = number(e.EffectiveTreated), number(e.EffectiveControls)
	out.LargestWeight, out.OutsideOverlap = number(e.LargestWeight), number(e.OutsideOverlap)
	out.Balance = c.balances(e.Balance)
	for _, bin := range e.Overlap {
		out.Overlap = append(out.Overlap, &OverlapBin{From: bin.From, To: bin.To, Treated: counted(int(bin.Treated)),
			Controls: counted(int(bin.Controls))})
	}
	if point := number(e.EValue.Point); point != nil {
		out.EValue = &EValue{Point: point, Limit: number(e.EValue.Limit)}
	}
	out.Warnings = append(notNil(e.Warnings), c.warnings...)
	out.Estimand = "the average effect on those who took part (ATT)"
	if e.UnmatchedTreated > 0 || e.Trimmed > 0 {
		out.Estimand = "the average effect on those who took part and have comparable others (ATT of the rest)"
	}
	return nil
}

// byStart estimates the effect from changes, start by start.
func (c *compared) byStart(q EffectOf, clustered bool, out *EffectEstimate) error {
	byYear := map[int]*stats.StartCells{}
	levels := true // are the outcomes after those of the persons whose change is known?
	var without int64
	others := false // is the start of any of them known?
	for _, cell := range c.cells {
		if cell.start == nil {
			without += cell.change.n
			continue
		}
		others = others || !cell.treated
		s := byYear[*cell.start]
		if s == nil {
			s = &stats.StartCells{Start: *cell.start}
			byYear[*cell.start] = s
		}
		levels = levels && cell.outcome.n == cell.change.n
		change, before, after := &s.Controls, &s.ControlsBefore, &s.ControlsAfter
		if cell.treated {
			change, before, after = &s.Treated, &s.TreatedBefore, &s.TreatedAfter
		}
		*change = append(*change, momentsCell(cell.change, cell.area))
		*before = append(*before, momentsCell(cell.before, cell.area))
		*after = append(*after, momentsCell(cell.outcome, cell.area))
	}
	if !others {
		return fault.NotRecordedf("the year in which those who did not take part could have started is not recorded "+
			"(%s.start_year), which %s needs; ask another method", contract.EffectTable, q.Method)
	}
	var starts []stats.StartCells
	for _, s := range byYear {
		if !levels {
			s.TreatedBefore, s.TreatedAfter, s.ControlsBefore, s.ControlsAfter = nil, nil, nil, nil
		}
		starts = append(starts, *s)
	}
	slices.SortFunc(starts, func(a, b stats.StartCells) int { return cmp.Compare(a.Start, b.Start) })
	e, err := stats.ChangesByStart(starts, stats.DifferenceOptions{Level: q.Level, Clustered: clustered})
	if err != nil {
		return err
	}
	if out.Balance, err = c.balance(q.Level); err != nil {
		return err
	}
	all := e.Overall
	out.Effect, out.GapBefore, out.GapAfter = derived(all.Effect), derived(all.GapBefore), derived(all.GapAfter)
	out.Treated, out.Controls = counted(int(all.Treated)), counted(int(all.Controls))
	out.Clusters = clusterCount(all.Clusters)
	out.Unmatched, out.UnmatchedControls = counted(int(e.TreatedLeftOut)), counted(int(e.ControlsLeftOut))
	for _, s := range e.ByStart {
		out.Starts = append(out.Starts, &StartEffect{Start: s.Start, Treated: counted(int(s.Treated)),
			Controls: counted(int(s.Controls)),
			Effect:   derived(s.Effect), GapBefore: derived(s.GapBefore), GapAfter: derived(s.GapAfter)})
	}
	out.Warnings = slices.Concat(notNil(e.Warnings), all.Warnings, c.warnings)
	if without > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d persons whose year of start is not recorded are left out",
			without))
	}
	out.Estimand = "the average effect on those who took part (ATT), if without it they would have changed like the " +
		"others of their year of start"
	return nil
}

func momentsCell(m moments, cluster int) stats.Cell {
	return stats.Cell{N: float64(m.n), Sum: m.sum, SumSq: m.sumSq, Cluster: cluster}
}

// compared reads the cells of both sides over all covariates that the data set records.
func (r *Request) compared(ctx context.Context, q cells.Participants, table *cells.Table) (*compared, error) {
	c := &compared{activity: q.Type, outcome: q.Outcome, cells: effectCells(q, table)}
	for _, v := range r.Contract.Covariates {
		if !slices.Contains(q.Covariates, v) {
			c.warnings = append(c.warnings, v.Name+" is not recorded, and not held equal")
		}
	}
	if !slices.ContainsFunc(c.cells, func(cell effectCell) bool { return cell.treated }) {
		tables, err := r.tables(ctx, []need{{query: cells.EffectTypes{}}})
		if err != nil {
			return nil, err
		}
		var types []string
		for _, t := range tables[0].Cells {
			types = append(types, r.Contract.Table(contract.EffectTable).Column("type").Codes.Codes[t.Key[0]].Code)
		}
		return nil, fault.NotRecordedf("nobody is recorded to have taken part in %s; there are participants of %s", q.Type,
			cmp.Or(strings.Join(types, ", "), "no type"))
	}
	for _, isNumber := range []bool{false, true} {
		for i, v := range q.Covariates {
			value := func(cell effectCell) int {
				if isNumber {
					return cell.values[i]
				}
				return category(v, cell.values[i])
			}
			varies := slices.ContainsFunc(c.cells, func(cell effectCell) bool { return value(cell) != value(c.cells[0]) })
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

// rows gives the cells to package stats, with the sums that `of` picks.
func (c *compared) rows(of func(effectCell) (n, sum, sumSq float64)) (stats.Design, []stats.TreatmentRow, error) {
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
		cells[i] = stats.TreatmentCell{Treated: cell.treated, Cell: stats.Cell{N: n, Sum: sum, SumSq: sumSq,
			Cluster: cell.area}}
		for at, v := range c.categories {
			cells[i].Key = append(cells[i].Key, category(v, cell.values[c.categoryPlaces[at]]))
		}
		for _, place := range c.numberPlaces {
			cells[i].Numbers = append(cells[i].Numbers, float64(cell.values[place]))
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
		if cell.treated {
			side = 1
		}
		sides[side] = append(sides[side], momentsCell(cell.before, 0))
	}
	return stats.StandardisedDifference(stats.Total(sides[1]), stats.Total(sides[0]), level)
}

// clusterCount is null where nothing is clustered.
func clusterCount(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// balances hands back a balance in the contract's order, the mean of a number before its bands; the
// propensity is in `overlap`.
func (c *compared) balances(list []stats.CovariateBalance) []*Balance {
	out := []*Balance{}
	var places []int
	for _, b := range list {
		m := &Balance{Participants: estimate(b.Treated, nil), Comparison: estimate(b.Controls, nil), Before: number(b.Before),
			After: number(b.After), Difference: derived(b.Difference)}
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
		} else if i := slices.IndexFunc(c.numbers, func(v *contract.Covariate) bool {
			return v.Name == b.Covariate
		}); i >= 0 {
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
