package resolvers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// sides are the cells of a comparison: of this cohort, of the other, and of what both contain.
type sides struct {
	a, b, shared []stats.Cell
	dimensions   []stats.Dimension
	warnings     []string // about unknown values of the dimensions
}

// sides fetches the cells of both cohorts for one indicator over the dimensions. clusterBy is nil
// where observations are independent.
func (r *Resolver) sides(ctx context.Context, c *model.Comparison, of string, by []string, clusterBy *string, unknown model.UnknownValues, level float64) (*sides, error) {
	clusters, err := r.clusters(c.Table, clusterBy)
	if err != nil {
		return nil, err
	}
	return r.sidesWithin(ctx, c, of, by, clusters, unknown, level)
}

// sidesWithin fetches the cells of both cohorts within clusters, which the dimensions tell; see
// statsCells.
func (r *Resolver) sidesWithin(ctx context.Context, c *model.Comparison, of string, by []string, clusters []*contract.Dimension, unknown model.UnknownValues, level float64) (*sides, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	indicator, err := r.Contract.Indicator(of)
	if err != nil {
		return nil, err
	}
	dimensions, err := r.by("compare", of, by)
	if err != nil {
		return nil, err
	}
	for _, d := range dimensions {
		if err := notTheOutcome(c.Table, d, indicator); err != nil {
			return nil, err
		}
	}
	q := store.Query{Table: c.Table, By: slices.Concat(dimensions, clusters), Indicators: []*contract.Indicator{indicator}, MaxCells: maxComparisonCells}
	out := &sides{}
	group, ctx := errgroup.WithContext(ctx)
	fetch := func(where store.Filter, into *[]stats.Cell) {
		group.Go(func() error {
			q := q
			q.Where = where
			cells, err := r.Store.Cells(ctx, q)
			if err != nil {
				return err
			}
			*into = r.statsCells(cells, len(dimensions))
			return nil
		})
	}
	fetch(c.This, &out.a)
	fetch(c.Other, &out.b)
	if shared, ok := c.This.Intersect(c.Other); ok {
		fetch(shared, &out.shared)
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, d := range dimensions {
		out.dimensions = append(out.dimensions, r.statsDimension(d))
	}
	if err := r.unknowns(c.Table, dimensions, unknown, out); err != nil {
		return nil, err
	}
	if len(by) > 0 {
		if err := out.notDetermined(of, by); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unknowns says how many observations have an unknown value of a dimension, and leaves them out if asked to.
func (r *Resolver) unknowns(table *contract.Table, dimensions []*contract.Dimension, what model.UnknownValues, s *sides) error {
	categories := r.unknownCategories(table, dimensions)
	totals := []stats.Cell{stats.Total(s.a), stats.Total(s.b)}
	byA, anyA := stats.Unknowns(s.a, categories)
	byB, anyB := stats.Unknowns(s.b, categories)
	if anyA+anyB == 0 {
		return nil
	}
	var names []string
	for i, d := range dimensions {
		if byA[i]+byB[i] == 0 {
			continue
		}
		names = append(names, d.Name)
		if what == model.UnknownValuesOwnCategory {
			s.warnings = append(s.warnings, fmt.Sprintf("%s is unknown for %s of this cohort and %s of the other; unknown counts as a category of its own, `unknown: COMPLETE_CASES` leaves it out.",
				d.Name, percent(byA[i], totals[0].N), percent(byB[i], totals[1].N)))
		}
	}
	if what == model.UnknownValuesOwnCategory {
		return nil
	}
	list := strings.Join(names, ", ")
	if anyA == totals[0].N || anyB == totals[1].N {
		return fault.Invalidf("there are no complete cases: of one of the cohorts nobody has known values of %s; leave out a dimension, or ask `unknown: OWN_CATEGORY`", list)
	}
	for _, cells := range []*[]stats.Cell{&s.a, &s.b, &s.shared} {
		*cells = stats.CompleteCases(*cells, categories)
	}
	s.warnings = append(s.warnings, fmt.Sprintf("Complete cases: %d observations of this cohort (%s) and %d of the other (%s) have an unknown value of %s and are left out; every figure here, crude ones too, is of those whose values are known.",
		int(anyA), percent(anyA, totals[0].N), int(anyB), percent(anyB, totals[1].N), list))
	return nil
}

// unknownCategories are the categories of stats cells, by dimension, that stand for an unknown value. To be in
// no area is no unknown area.
func (r *Resolver) unknownCategories(table *contract.Table, dimensions []*contract.Dimension) [][]int {
	out := make([][]int, len(dimensions))
	for i, d := range dimensions {
		if d.IsArea() || d.IsInteger() {
			continue
		}
		out[i] = append(d.UnknownCodes(table.Name), len(d.Codes)) // the place of none, see statsCells
	}
	return out
}

// percent writes a share of observations.
func percent(n, of float64) string {
	if of == 0 {
		return "nobody"
	}
	return strconv.FormatFloat(100*n/of, 'g', 3, 64) + " %"
}

// maxComparisonCells bounds what one comparison fetches and fits; it is far above what a table of
// a study has, and a regression on as many cells still takes well under a second.
const maxComparisonCells = 200_000

// notTheOutcome reports a dimension that is made of the indicator's own column: it would explain
// all of it.
func notTheOutcome(table *contract.Table, d *contract.Dimension, i *contract.Indicator) error {
	column := d.Columns[table.Name]
	if column != nil && slices.Contains(i.When.Columns(), column.Name) {
		return fault.Invalidf("%s is made of the column that %s is made of, so it would explain all of it; leave it out", d.Name, i.Name)
	}
	return nil
}

// notDetermined reports dimensions whose every cell is all or none of the indicator, though cells
// have several observations: they are the outcome in other words.
func (s *sides) notDetermined(of string, by []string) error {
	for _, side := range [][]stats.Cell{s.a, s.b} {
		total := stats.Total(side)
		mixed := func(c stats.Cell) bool { return c.Sum > 0 && c.Sum < c.N }
		if !mixed(total) || total.N < 4*float64(len(side)) || slices.ContainsFunc(side, mixed) {
			return nil
		}
	}
	return fault.Invalidf("dimensions that determine the outcome: by %s, %s is settled, every cell is all or none of it, so nothing is left to compare; leave out the dimension that says the same in other words", strings.Join(by, ", "), of)
}

// clusters returns the dimensions that tell an observation's cluster. Outside the areas, which
// have no AREA, the municipality stands in for it.
func (r *Resolver) clusters(table *contract.Table, by *string) ([]*contract.Dimension, error) {
	if by == nil {
		return nil, nil
	}
	d, err := r.Contract.Dimension(*by)
	if err != nil || !d.IsArea() {
		return []*contract.Dimension{d}, err
	}
	m, err := r.Contract.Dimension("MUNICIPALITY")
	if err != nil || !r.Store.HasDimension(table, m) {
		return []*contract.Dimension{d}, err
	}
	return []*contract.Dimension{d, m}, nil
}

// statsCells turns the store's cells of one indicator into those of package stats. The first n
// keys are the dimensions', what follows tells the cluster.
func (r *Resolver) statsCells(cells *store.Cells, n int) []stats.Cell {
	out := make([]stats.Cell, 0, len(cells.Rows))
	for _, c := range cells.Rows {
		t := c.Indicators[0]
		cell := stats.Cell{Key: make([]int, n), N: float64(t.N), Sum: float64(t.Y), SumSq: float64(t.Y)}
		for i, k := range c.Key[:n] {
			cell.Key[i] = int(k)
			if k == store.None { // a category of its own, after the codes
				cell.Key[i] = len(r.statsDimension(cells.Query.By[i]).Codes) - 1
			}
		}
		for i, k := range c.Key[n:] {
			if k != store.None {
				// Clusters of the second dimension are told from those of the first by their sign.
				cell.Cluster = int(k) + 1
				if i > 0 {
					cell.Cluster = -cell.Cluster
				}
				break
			}
		}
		out = append(out, cell)
	}
	return out
}

func (r *Resolver) statsDimension(d *contract.Dimension) stats.Dimension {
	out := stats.Dimension{Name: d.Name}
	switch {
	case d.IsArea():
		for _, a := range r.Store.Areas() {
			out.Codes = append(out.Codes, a.Name)
		}
	default:
		for _, c := range d.Codes {
			out.Codes = append(out.Codes, c.Code)
		}
	}
	if !d.IsInteger() {
		out.Codes = append(out.Codes, "(none)")
	}
	return out
}

// derived hands back an estimate that is not a quotient of counts.
func derived(e stats.Estimate) *model.Estimate {
	return estimate(e, nil)
}

// notNil makes an empty list of none.
func notNil(warnings []string) []string {
	if warnings == nil {
		return []string{}
	}
	return warnings
}

func decomposition(s *sides, by []string, method model.DecompositionMethod, components int, reference model.DecompositionReference, level float64) (*model.Decomposition, error) {
	if components != 2 && components != 3 {
		return nil, fault.Invalidf("components is %d; 2 or 3 were expected", components)
	}
	if len(by) == 0 {
		return nil, fault.Invalidf("`by` is empty; give at least one dimension that composition is made of")
	}
	switch {
	case method == model.DecompositionMethodKitagawa && reference != model.DecompositionReferencePooled:
		return nil, fault.Invalidf("KITAGAWA has no reference such as %s; leave `reference` out, or ask OAXACA_BLINDER", reference)
	case components == 3 && reference != model.DecompositionReferencePooled && reference != model.DecompositionReferenceOther:
		return nil, fault.Invalidf("three components are seen from the other cohort, not by the reference %s; leave `reference` out, or ask for two", reference)
	}
	gap := stats.Gap(stats.Total(s.a), stats.Total(s.b), stats.Total(s.shared), level)
	out := &model.Decomposition{Method: method, Gap: derived(gap)}
	switch method {
	case model.DecompositionMethodKitagawa:
		d, err := stats.Kitagawa(s.a, s.b, stats.KitagawaOptions{Level: level, Dimensions: s.dimensions, Shared: s.shared, ThreeComponents: components == 3})
		if err != nil {
			return nil, err
		}
		out.Gap, out.Composition, out.Rate, out.CommonSupport = derived(d.Gap), derived(d.Composition), derived(d.Rate), derived(d.CommonSupport)
		if components == 3 {
			out.Interaction = derived(d.Interaction)
		}
		out.OutOfSupport = derived(stats.Sum(d.OutOfSupportA, d.OutOfSupportB))
		for _, c := range d.Contributions {
			out.Contributions = append(out.Contributions, contribution(by, s.dimensions, c.Dimension, c.Category, c.Composition, c.Rate))
		}
		out.Warnings = notNil(d.Warnings)
	case model.DecompositionMethodOaxacaBlinder:
		o, err := stats.OaxacaBlinder(s.a, s.b, stats.OaxacaOptions{Level: level, Reference: references[reference], Dimensions: s.dimensions, Shared: s.shared})
		if err != nil {
			return nil, err
		}
		out.Composition, out.Rate, out.CommonSupport = derived(o.Explained), derived(o.Unexplained), derived(o.Support)
		if components == 3 {
			out.Composition, out.Rate, out.Interaction = derived(o.Endowments), derived(o.Coefficients), derived(o.Interaction)
		}
		out.OutOfSupport = derived(stats.Exact(o.OutOfSupport, level))
		for _, t := range slices.Concat(o.Dimensions, o.Terms) {
			if t.Term.Dimension < 0 {
				continue // the constant belongs to no dimension
			}
			composition, rate := t.Explained, t.Unexplained
			if components == 3 {
				composition, rate = t.Endowments, t.Coefficients
			}
			out.Contributions = append(out.Contributions, contribution(by, s.dimensions, t.Term.Dimension, t.Term.Category, composition, rate))
		}
		out.Warnings = notNil(o.Warnings)
	case model.DecompositionMethodFairlie:
		if components == 3 {
			return nil, fault.Invalidf("FAIRLIE has two components; three are offered by KITAGAWA and OAXACA_BLINDER")
		}
		f, err := stats.Fairlie(s.a, s.b, stats.OaxacaOptions{Level: level, Reference: references[reference], Dimensions: s.dimensions, Shared: s.shared})
		if err != nil {
			return nil, err
		}
		out.Composition, out.Rate, out.CommonSupport = derived(f.Explained), derived(f.Unexplained), derived(f.Support)
		out.OutOfSupport = derived(stats.Exact(f.OutOfSupport, level))
		for _, t := range slices.Concat(f.Dimensions, f.Terms) {
			if t.Term.Dimension >= 0 {
				out.Contributions = append(out.Contributions, contribution(by, s.dimensions, t.Term.Dimension, t.Term.Category, t.Explained, t.Unexplained))
			}
		}
		out.Warnings = notNil(f.Warnings)
	}
	if out.Contributions == nil {
		out.Contributions = []*model.Contribution{}
	}
	out.Warnings = append(out.Warnings, s.warnings...)
	return out, nil
}

var references = map[model.DecompositionReference]stats.Reference{
	model.DecompositionReferencePooled: stats.Pooled, model.DecompositionReferenceNeumark: stats.Neumark,
	model.DecompositionReferenceThis: stats.ReferenceA, model.DecompositionReferenceOther: stats.ReferenceB,
	model.DecompositionReferenceMean: stats.Reimers, model.DecompositionReferenceSize: stats.Cotton,
}

func contribution(by []string, dimensions []stats.Dimension, dimension, category int, composition, rate stats.Estimate) *model.Contribution {
	out := &model.Contribution{Dimension: by[dimension], Composition: derived(composition), Rate: derived(rate)}
	if category >= 0 {
		code := strconv.Itoa(category)
		if codes := dimensions[dimension].Codes; category < len(codes) {
			code = codes[category]
		}
		out.Code = &code
	}
	return out
}

func standardisation(s *sides, method model.StandardisationMethod, standard model.StandardPopulation, level float64) (*model.Standardisation, error) {
	standardise := stats.Standardise
	if method == model.StandardisationMethodIndirect {
		if standard == model.StandardPopulationBoth {
			return nil, fault.Invalidf("INDIRECT has the composition of this cohort, not of %s; leave `standard` out, or ask DIRECT", standard)
		}
		standardise = stats.StandardiseIndirectly
	}
	d, err := standardise(s.a, s.b, stats.StandardiseOptions{Level: level, Standard: standards[standard], Shared: s.shared, Dimensions: s.dimensions})
	if err != nil {
		return nil, err
	}
	return &model.Standardisation{Crude: derived(d.CrudeA), Standardised: derived(d.A), Other: derived(d.B), Gap: derived(d.Gap), Ratio: derived(d.Ratio),
		Support: derived(d.SupportA), Warnings: append(notNil(d.Warnings), s.warnings...)}, nil
}

var standards = map[model.StandardPopulation]stats.Standard{
	model.StandardPopulationOther: stats.StandardB, model.StandardPopulationThis: stats.StandardA, model.StandardPopulationBoth: stats.StandardPooled,
}

func adjusted(s *sides, of model.RegressionModel, clustered bool, level float64) (*model.AdjustedGap, error) {
	options := stats.AdjustOptions{Level: level, Dimensions: s.dimensions, Shared: s.shared, Seed: bootstrapSeed, Draws: bootstrapDraws}
	if of == model.RegressionModelLogit {
		options.Model = stats.Logit
	}
	if clustered {
		options.Covariance = stats.Clustered
	}
	g, err := stats.Adjust(s.a, s.b, options)
	if err != nil {
		return nil, err
	}
	out := &model.AdjustedGap{Model: of, Crude: derived(g.Crude), Adjusted: derived(g.Adjusted), PValue: number(g.PValue), Observations: int(g.Observations),
		Support: derived(g.Support), Coefficients: []*model.Coefficient{}, Warnings: append(notNil(g.Warnings), s.warnings...)}
	if of == model.RegressionModelLogit {
		out.OddsRatio = derived(g.OddsRatio)
	}
	if clustered {
		out.Clusters = &g.Clusters
	}
	for _, c := range g.Coefficients {
		out.Coefficients = append(out.Coefficients, &model.Coefficient{Term: c.Term.Name, Estimate: derived(c.Estimate)})
	}
	return out, nil
}

// bootstrapSeed makes the wild cluster bootstrap give the same answer each time. It draws 999 times, as
// its authors do (Cameron, Gelbach, Miller 2008, Rev. Econ. Stat. 90:414).
const (
	bootstrapSeed  = 1
	bootstrapDraws = 999
)

// overlap counts the observations that both cohorts contain.
func (r *Resolver) overlap(ctx context.Context, c *model.Comparison) (*model.Overlap, error) {
	count := func(where store.Filter) (float64, error) {
		cells, err := r.Store.Cells(ctx, store.Query{Table: c.Table, Where: where})
		if err != nil {
			return 0, err
		}
		return float64(cells.Total().N), nil
	}
	this, err := count(c.This)
	if err != nil {
		return nil, err
	}
	other, err := count(c.Other)
	if err != nil {
		return nil, err
	}
	var both float64
	if shared, ok := c.This.Intersect(c.Other); ok {
		if both, err = count(shared); err != nil {
			return nil, err
		}
	}
	return &model.Overlap{Observations: int(both), ShareOfThis: number(both / this), ShareOfOther: number(both / other)}, nil
}

// ratio is the ratio of the cohorts' shares; observations that both contain stay with this one.
func ratio(s *sides, level float64) (*model.Estimate, error) {
	rest, err := stats.Subtract(s.b, s.shared)
	if err != nil {
		return nil, err
	}
	a, b := stats.Total(s.a), stats.Total(rest)
	e := stats.Ratio(a.Sum, a.N, b.Sum, b.N, level)
	if len(s.shared) > 0 && stats.Total(s.shared).N > 0 {
		e.Warnings = append(e.Warnings, "The cohorts overlap; the other's share is that of its observations outside this cohort.")
	}
	return derived(e), nil
}

func equivalence(s *sides, margin, level float64) (*model.EquivalenceTest, error) {
	if margin >= 1 {
		return nil, fault.Invalidf("margin %g is not below 1, and no gap of shares is larger; 0.02 is 2 percentage points", margin)
	}
	t, err := stats.TestEquivalenceOfGap(stats.Total(s.a), stats.Total(s.b), stats.Total(s.shared), margin, level)
	if err != nil {
		return nil, err
	}
	t.Gap.Warnings = t.Warnings
	out := &model.EquivalenceTest{Gap: derived(t.Gap), Margin: margin, PValue: number(t.PValue)}
	if t.Decided {
		out.Equivalent = &t.Equivalent
	}
	return out, nil
}

// segregation measures how unevenly the two cohorts are spread over units.
func (r *Resolver) segregation(ctx context.Context, c *model.Comparison, over string, level float64) (*model.Segregation, error) {
	d, err := r.Contract.Dimension(over)
	if err != nil {
		return nil, err
	}
	left := 0
	fetch := func(where store.Filter) ([]stats.Cell, error) {
		cells, err := r.Store.Cells(ctx, store.Query{Table: c.Table, Where: where, By: []*contract.Dimension{d}})
		if err != nil {
			return nil, err
		}
		var out []stats.Cell
		for _, cell := range cells.Rows {
			if cell.Key[0] == store.None {
				left += int(cell.N)
				continue
			}
			out = append(out, stats.Cell{Key: []int{int(cell.Key[0])}, N: float64(cell.N)})
		}
		return out, nil
	}
	a, err := fetch(c.This)
	if err != nil {
		return nil, err
	}
	b, err := fetch(c.Other)
	if err != nil {
		return nil, err
	}
	var shared []stats.Cell
	without := left
	if both, ok := c.This.Intersect(c.Other); ok {
		if shared, err = fetch(both); err != nil {
			return nil, err
		}
	}
	s, err := stats.Segregate(a, b, shared, level)
	if err != nil {
		return nil, err
	}
	warnings := notNil(s.Warnings)
	if without > 0 {
		warnings = append(warnings, fmt.Sprintf("%d observations of the two cohorts have no %s and are left out.", without, over))
	}
	return &model.Segregation{Dissimilarity: derived(s.Dissimilarity), ExpectedDissimilarity: number(s.ExpectedDissimilarity), Isolation: derived(s.Isolation),
		Interaction: derived(s.Interaction), Theil: number(s.Theil), Units: s.Units, Warnings: warnings}, nil
}

// betweenAreas measures how much areas differ before and after adjustment.
func (r *Resolver) betweenAreas(ctx context.Context, c *model.Cohort, of string, controls []string, unknown model.UnknownValues, level float64) (*model.BetweenAreas, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	indicator, err := r.Contract.Indicator(of)
	if err != nil {
		return nil, err
	}
	dimensions, err := r.by("betweenAreas", of, controls)
	if err != nil {
		return nil, err
	}
	area, err := r.Contract.Dimension("AREA")
	if err != nil {
		return nil, err
	}
	var names []stats.Dimension
	for _, d := range dimensions {
		if err := notTheOutcome(c.Table, d, indicator); err != nil {
			return nil, err
		}
		names = append(names, r.statsDimension(d))
	}
	cells, err := r.Store.Cells(ctx, store.Query{Table: c.Table, Where: c.Filter, By: append(dimensions, area), Indicators: []*contract.Indicator{indicator}, MaxCells: maxComparisonCells})
	if err != nil {
		return nil, err
	}
	outside := 0
	inside := slices.DeleteFunc(r.statsCells(cells, len(dimensions)), func(c stats.Cell) bool {
		if c.Cluster == 0 {
			outside += int(c.N)
		}
		return c.Cluster == 0
	})
	categories := r.unknownCategories(c.Table, dimensions)
	by, incomplete := stats.Unknowns(inside, categories)
	all := stats.Total(inside).N
	if unknown == model.UnknownValuesCompleteCases {
		inside = stats.CompleteCases(inside, categories)
	}
	v, err := stats.BetweenAreas(inside, names, level)
	if err != nil {
		return nil, err
	}
	out := &model.BetweenAreas{Method: v.Method, Before: variation(v.Before), After: variation(v.After), Explained: number(v.Explained)}
	switch {
	case incomplete == 0:
	case unknown == model.UnknownValuesCompleteCases:
		warning := fmt.Sprintf("Complete cases: %d observations (%s) have an unknown value of a control and are left out, before adjustment too.", int(incomplete), percent(incomplete, all))
		out.Before.Warnings, out.After.Warnings = append(out.Before.Warnings, warning), append(out.After.Warnings, warning)
	default:
		for i, d := range dimensions {
			if by[i] > 0 {
				out.After.Warnings = append(out.After.Warnings, fmt.Sprintf("%s is unknown for %s of the observations; unknown counts as a category of its own, `unknown: COMPLETE_CASES` leaves it out.", d.Name, percent(by[i], all)))
			}
		}
	}
	if outside > 0 {
		out.Before.Warnings = append(out.Before.Warnings, fmt.Sprintf("%d observations outside the areas are left out.", outside))
	}
	return out, nil
}

func variation(v stats.AreaVariance) *model.AreaVariation {
	return &model.AreaVariation{Variance: derived(v.Variance), MedianOddsRatio: derived(v.MedianOddsRatio), Share: number(v.Share), PValue: number(v.PValue),
		Areas: len(v.Areas), Warnings: notNil(v.Warnings)}
}
