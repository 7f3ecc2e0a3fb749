package study

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// sides are the cells of a comparison: of this cohort, of the other, and of what both contain.
type sides struct {
	a, b, shared []stats.Cell
	dimensions   []stats.Dimension
	warnings     []string // about unknown values of the dimensions
	stop         stats.Stop
}

// comparing is what every question about two cohorts says.
type comparing struct {
	*Comparison
	of        string   // an indicator
	by        []string // dimensions
	clusterBy *string  // nil where observations are independent
	// the dimensions that tell an observation's cluster; nil for those of clusterBy
	clusterDimensions []*contract.Dimension
	unknown           UnknownValues
	level             float64
}

// needs returns the tables of both cohorts, and of what both contain where they do not exclude each other.
func (q comparing) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.level); err != nil {
		return nil, err
	}
	indicator, err := s.Contract.Indicator(q.of)
	if err != nil {
		return nil, err
	}
	dimensions, err := s.dimensions(q.by...)
	if err != nil {
		return nil, err
	}
	for _, d := range dimensions {
		if err := notTheOutcome(q.This.Table, d, indicator); err != nil {
			return nil, err
		}
	}
	cluster := q.clusterDimensions
	if cluster == nil {
		cluster, err = s.clusterDimensions(q.This.Table, q.clusterBy)
		if err != nil {
			return nil, err
		}
	}
	return q.both(s, cells.Observations{By: slices.Concat(dimensions, cluster),
		Indicators: []*contract.Indicator{indicator}, MaxCells: maxComparisonCells})
}

// both returns the need of a query of either cohort, and of what both contain.
func (c *Comparison) both(s *Study, query cells.Observations) ([]need, error) {
	out := make([]need, 0, 3)
	list := []*Cohort{c.This, c.Other}
	if shared, ok := c.shared(s); ok {
		list = append(list, shared)
	}
	for _, cohort := range list {
		n, err := cohort.need(s, query)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// shared is the cohort of what both contain, and false where they exclude each other.
func (c *Comparison) shared(s *Study) (*Cohort, bool) {
	if _, ok := c.This.where(s).Intersect(c.Other.where(s)); !ok {
		return nil, false
	}
	within := c.This.within
	if within == nil {
		within = c.Other.within
	}
	f, ok := c.This.Filter.Intersect(c.Other.Filter)
	return &Cohort{Table: c.This.Table, Filter: f, within: within}, ok
}

// sides reads the tables that needs names.
func (q comparing) sides(ctx context.Context, s *Study, tables []*cells.Table) (*sides, error) {
	out := &sides{stop: ctx.Err}
	for i, into := range []*[]stats.Cell{&out.a, &out.b, &out.shared}[:len(tables)] {
		*into = s.statsCells(tables[i], len(q.by))
	}
	dimensions, err := s.dimensions(q.by...)
	if err != nil {
		return nil, err
	}
	for _, d := range dimensions {
		out.dimensions = append(out.dimensions, s.statsDimension(d))
	}
	if err := unknowns(q.This.Table, dimensions, q.unknown, out); err != nil {
		return nil, err
	}
	if side := out.settledSide(); side != "" && len(q.by) > 0 {
		out.warnings = append(out.warnings, "Of "+side+" cohort all or none have the indicator. That is no certainty, but "+
			"intervals here take it as one and are too narrow; that of `gap` does not.")
	}
	if q.clusterBy == nil && len(q.by) > 0 {
		out.warnings = append(out.warnings, s.overYears(q.This)...)
	}
	if len(q.by) > 0 {
		if err := out.notDetermined(q.of, q.by); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// GapOf asks for the difference between the shares of two cohorts.
type GapOf struct {
	Comparison *Comparison
	Indicator  string
	Level      float64
}

func (q GapOf) comparing() comparing {
	return comparing{Comparison: q.Comparison, of: q.Indicator, level: q.Level}
}

func (q GapOf) needs(s *Study) ([]need, error) { return q.comparing().needs(s) }

func (q GapOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*Estimate, error) {
	s, err := q.comparing().sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	return derived(stats.Gap(stats.Total(s.a), stats.Total(s.b), stats.Total(s.shared), q.Level)).
		warn(r.overYears(q.Comparison.This)), nil
}

// RatioOf asks for the ratio of the shares of two cohorts.
type RatioOf GapOf

func (q RatioOf) needs(s *Study) ([]need, error) { return GapOf(q).needs(s) }

func (q RatioOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*Estimate, error) {
	s, err := GapOf(q).comparing().sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	e, err := ratio(s, q.Level)
	if err != nil {
		return nil, err
	}
	return e.warn(r.overYears(q.Comparison.This)), nil
}

// EquivalenceOf asks whether the shares of two cohorts are equal within a margin.
type EquivalenceOf struct {
	GapOf
	Margin float64
}

func (q EquivalenceOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*EquivalenceTest, error) {
	s, err := q.comparing().sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	e, err := equivalence(s, q.Margin, q.Level)
	if err != nil {
		return nil, err
	}
	e.Gap.warn(r.overYears(q.Comparison.This))
	return e, nil
}

// StandardisedOf asks for shares as they would be with the same composition.
type StandardisedOf struct {
	GapOf
	By       []string
	Method   StandardisationMethod
	Standard StandardPopulation
	Unknown  UnknownValues
}

func (q StandardisedOf) comparing() comparing {
	c := q.GapOf.comparing()
	c.by, c.unknown = q.By, q.Unknown
	return c
}

func (q StandardisedOf) needs(s *Study) ([]need, error) { return q.comparing().needs(s) }

func (q StandardisedOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*Standardisation, error) {
	s, err := q.comparing().sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	return standardisation(s, q.Method, q.Standard, q.Level)
}

// DecompositionOf asks how much of a gap is composition.
type DecompositionOf struct {
	GapOf
	By         []string
	Method     DecompositionMethod
	Components int
	Reference  DecompositionReference
	Unknown    UnknownValues
}

func (q DecompositionOf) comparing() comparing {
	c := q.GapOf.comparing()
	c.by, c.unknown = q.By, q.Unknown
	return c
}

func (q DecompositionOf) needs(s *Study) ([]need, error) { return q.comparing().needs(s) }

func (q DecompositionOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*Decomposition, error) {
	s, err := q.comparing().sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	return decomposition(s, q.By, q.Method, q.Components, q.Reference, q.Level)
}

// AdjustedOf asks for a gap with controls held equal.
type AdjustedOf struct {
	GapOf
	Controls  []string
	Model     RegressionModel
	ClusterBy *string
	Unknown   UnknownValues
}

func (q AdjustedOf) comparing() comparing {
	c := q.GapOf.comparing()
	c.by, c.clusterBy, c.unknown = q.Controls, q.ClusterBy, q.Unknown
	return c
}

func (q AdjustedOf) needs(s *Study) ([]need, error) {
	if q.ClusterBy != nil {
		if err := notHeld("controls", q.Controls, *q.ClusterBy, "which `clusterBy` names"); err != nil {
			return nil, err
		}
	}
	return q.comparing().needs(s)
}

func (q AdjustedOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*AdjustedGap, error) {
	s, err := q.comparing().sides(ctx, r.Study, tables)
	if err != nil {
		return nil, err
	}
	return adjusted(s, q.Model, q.ClusterBy != nil, q.Level)
}

// unknowns says how many observations have an unknown value of a dimension, and leaves them out if asked to.
func unknowns(table *contract.Table, dimensions []*contract.Dimension, what UnknownValues, s *sides) error {
	categories := unknownCategories(table, dimensions)
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
		if what != UnknownValuesCompleteCases {
			s.warnings = append(s.warnings,
				fmt.Sprintf("%s is unknown for %s of this cohort and %s of the other; unknown counts as a category of its own, "+
					"`unknown: COMPLETE_CASES` leaves it out.",
					d.Name, percent(byA[i], totals[0].N), percent(byB[i], totals[1].N)))
		}
	}
	if what != UnknownValuesCompleteCases {
		return nil
	}
	list := strings.Join(names, ", ")
	if anyA == totals[0].N || anyB == totals[1].N {
		return fault.Invalidf("there are no complete cases: of one of the cohorts nobody has known values of %s; leave "+
			"out a dimension, or ask `unknown: OWN_CATEGORY`", list)
	}
	for _, cells := range []*[]stats.Cell{&s.a, &s.b, &s.shared} {
		*cells = stats.CompleteCases(*cells, categories)
	}
	s.warnings = append(s.warnings,
		fmt.Sprintf("Complete cases: %d observations of this cohort (%s) and %d of the other (%s) have an unknown value of "+
			"%s and are left out; every figure here, crude ones too, is of those whose values are known.",
			int(anyA), percent(anyA, totals[0].N), int(anyB), percent(anyB, totals[1].N), list))
	return nil
}

// unknownCategories are the categories of stats cells, by dimension, that stand for an unknown value. To be in
// no area is no unknown area.
func unknownCategories(table *contract.Table, dimensions []*contract.Dimension) [][]int {
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
		return fault.Invalidf("%s is made of the column that %s is made of, so it would explain all of it; leave it out",
			d.Name, i.Name)
	}
	return nil
}

// settledSide names the cohort of which all or none have the indicator, where the other's observations differ; else it
// is empty: where nothing varies on either side, intervals are of another kind.
func (s *sides) settledSide() string {
	settled := func(side []stats.Cell) bool {
		t := stats.Total(side)
		return t.N > 0 && (t.Sum == 0 || t.Sum == t.N)
	}
	switch a, b := settled(s.a), settled(s.b); {
	case a && !b:
		return "this"
	case b && !a:
		return "the other"
	}
	return ""
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
	return fault.Invalidf("dimensions that determine the outcome: by %s, %s is settled, every cell is all or none of "+
		"it, so nothing is left to compare; leave out the dimension that says the same in other words", strings.Join(by,
		", "), of)
}

// clusterDimensions returns the dimensions that tell an observation's cluster. Outside the areas, which
// have no AREA, the municipality stands in for it.
func (s *Study) clusterDimensions(table *contract.Table, by *string) ([]*contract.Dimension, error) {
	if by == nil {
		return nil, nil
	}
	d, err := s.Contract.Dimension(*by)
	if err != nil || !d.IsArea() {
		return []*contract.Dimension{d}, err
	}
	m, err := s.Contract.Dimension("MUNICIPALITY")
	if err != nil || !s.Catalogue.HasDimension(table, m) {
		return []*contract.Dimension{d}, err
	}
	return []*contract.Dimension{d, m}, nil
}

// statsCells turns the store's cells of one indicator into those of package stats. The first n
// keys are the dimensions', what follows tells the cluster.
func (s *Study) statsCells(table *cells.Table, n int) []stats.Cell {
	out := make([]stats.Cell, 0, len(table.Cells))
	for _, c := range table.Cells {
		t := c.Indicators[0]
		cell := stats.Cell{Key: make([]int, n), N: t.N.Float(), Sum: t.Y.Float(), SumSq: t.Y.Float()}
		for i, k := range c.Key[:n] {
			cell.Key[i] = int(k)
			if k == cells.None { // a category of its own, after the codes
				cell.Key[i] = len(s.statsDimension(table.Keys[i].Dimension).Codes) - 1
			}
		}
		for i, k := range c.Key[n:] {
			if k != cells.None {
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

func (s *Study) statsDimension(d *contract.Dimension) stats.Dimension {
	out := stats.Dimension{Name: d.Name}
	switch {
	case d.IsArea():
		for _, a := range s.Catalogue.Areas {
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
func derived(e stats.Estimate) *Estimate { return estimate(e, nil) }

// notNil makes an empty list of none.
func notNil(warnings []string) []string {
	if warnings == nil {
		return []string{}
	}
	return warnings
}

func decomposition(s *sides, by []string, method DecompositionMethod, components int, reference DecompositionReference,
	level float64) (*Decomposition, error) {
	if components != 2 && components != 3 {
		return nil, fault.Invalidf("components is %d; 2 or 3 were expected", components)
	}
	if len(by) == 0 {
		return nil, fault.Invalidf("`by` is empty; give at least one dimension that composition is made of")
	}
	switch {
	case method == DecompositionMethodKitagawa && reference != DecompositionReferencePooled:
		return nil, fault.Invalidf("KITAGAWA has no reference such as %s; leave `reference` out, or ask OAXACA_BLINDER",
			reference)
	case components == 3 && reference != DecompositionReferencePooled && reference != DecompositionReferenceOther:
		return nil, fault.Invalidf("three components are seen from the other cohort, not by the reference %s; leave "+
			"`reference` out, or ask for two", reference)
	}
	gap := stats.Gap(stats.Total(s.a), stats.Total(s.b), stats.Total(s.shared), level)
	out := &Decomposition{Method: method, Gap: derived(gap)}
	switch method {
	case DecompositionMethodKitagawa:
		d, err := stats.Kitagawa(s.a, s.b, stats.KitagawaOptions{Level: level, Dimensions: s.dimensions, Shared: s.shared,
			ThreeComponents: components == 3, Stop: s.stop})
		if err != nil {
			return nil, err
		}
		out.Gap, out.Composition, out.Rate, out.CommonSupport = derived(d.Gap), derived(d.Composition), derived(d.Rate),
			derived(d.CommonSupport)
		if components == 3 {
			out.Interaction = derived(d.Interaction)
		}
		out.OutOfSupport = derived(stats.Sum(d.OutOfSupportA, d.OutOfSupportB))
		for _, c := range d.Contributions {
			out.Contributions = append(out.Contributions, contribution(by, s.dimensions, c.Dimension, c.Category, c.Composition,
				c.Rate))
		}
		out.Warnings = notNil(d.Warnings)
	case DecompositionMethodOaxacaBlinder:
		o, err := stats.OaxacaBlinder(s.a, s.b, stats.OaxacaOptions{Level: level, Reference: references[reference],
			Dimensions: s.dimensions, Shared: s.shared, Stop: s.stop})
		if err != nil {
			return nil, err
		}
		out.Composition, out.Rate, out.CommonSupport = derived(o.Explained), derived(o.Unexplained), derived(o.Support)
		if components == 3 {
			out.Composition, out.Rate, out.Interaction = derived(o.Endowments), derived(o.Coefficients), derived(o.Interaction)
		}
		out.OutOfSupport = derived(stats.OutOfSupport(o.OutOfSupport, o.Support))
		for _, t := range slices.Concat(o.Dimensions, o.Terms) {
			if t.Term.Dimension < 0 {
				continue // the constant belongs to no dimension
			}
			composition, rate := t.Explained, t.Unexplained
			if components == 3 {
				composition, rate = t.Endowments, t.Coefficients
			}
			out.Contributions = append(out.Contributions, contribution(by, s.dimensions, t.Term.Dimension, t.Term.Category,
				composition, rate))
		}
		out.Warnings = notNil(o.Warnings)
	case DecompositionMethodFairlie:
		if components == 3 {
			return nil, fault.Invalidf("FAIRLIE has two components; three are offered by KITAGAWA and OAXACA_BLINDER")
		}
		f, err := stats.Fairlie(s.a, s.b, stats.OaxacaOptions{Level: level, Reference: references[reference],
			Dimensions: s.dimensions, Shared: s.shared, Stop: s.stop})
		if err != nil {
			return nil, err
		}
		out.Composition, out.Rate, out.CommonSupport = derived(f.Explained), derived(f.Unexplained), derived(f.Support)
		out.OutOfSupport = derived(stats.OutOfSupport(f.OutOfSupport, f.Support))
		for _, t := range slices.Concat(f.Dimensions, f.Terms) {
			if t.Term.Dimension >= 0 {
				out.Contributions = append(out.Contributions, contribution(by, s.dimensions, t.Term.Dimension, t.Term.Category,
					t.Explained, t.Unexplained))
			}
		}
		out.Warnings = notNil(f.Warnings)
	}
	if out.Contributions == nil {
		out.Contributions = []*Contribution{}
	}
	out.Warnings = append(out.Warnings, s.warnings...)
	return out, nil
}

var references = map[DecompositionReference]stats.Reference{
	DecompositionReferencePooled: stats.Pooled, DecompositionReferenceNeumark: stats.Neumark,
	DecompositionReferenceThis: stats.ReferenceA, DecompositionReferenceOther: stats.ReferenceB,
	DecompositionReferenceMean: stats.Reimers, DecompositionReferenceSize: stats.Cotton,
}

func contribution(by []string, dimensions []stats.Dimension, dimension, category int, composition,
	rate stats.Estimate) *Contribution {
	out := &Contribution{Dimension: by[dimension], Composition: derived(composition), Rate: derived(rate)}
	if category >= 0 {
		code := strconv.Itoa(category)
		if codes := dimensions[dimension].Codes; category < len(codes) {
			code = codes[category]
		}
		out.Code = &code
	}
	return out
}

func standardisation(s *sides, method StandardisationMethod, standard StandardPopulation,
	level float64) (*Standardisation, error) {
	standardise := stats.Standardise
	if method == StandardisationMethodIndirect {
		if standard == StandardPopulationBoth {
			return nil, fault.Invalidf("INDIRECT has the composition of this cohort, not of %s; leave `standard` out, or ask "+
				"DIRECT", standard)
		}
		standardise = stats.StandardiseIndirectly
	}
	d, err := standardise(s.a, s.b, stats.StandardiseOptions{Level: level, Standard: standards[standard], Shared: s.shared,
		Dimensions: s.dimensions})
	if err != nil {
		return nil, err
	}
	return &Standardisation{Crude: derived(d.CrudeA), Standardised: derived(d.A), Other: derived(d.B), Gap: derived(d.Gap),
		Ratio:   derived(d.Ratio),
		Support: derived(d.SupportA), Warnings: append(notNil(d.Warnings), s.warnings...)}, nil
}

var standards = map[StandardPopulation]stats.Standard{
	StandardPopulationOther: stats.StandardB, StandardPopulationThis: stats.StandardA,
	StandardPopulationBoth: stats.StandardPooled,
}

func adjusted(s *sides, of RegressionModel, clustered bool, level float64) (*AdjustedGap, error) {
	options := stats.AdjustOptions{Level: level, Dimensions: s.dimensions, Shared: s.shared, Seed: bootstrapSeed,
		Draws: bootstrapDraws, Stop: s.stop}
	if of == RegressionModelLogit {
		options.Model = stats.Logit
	}
	if clustered {
		options.Covariance = stats.Clustered
	}
	g, err := stats.Adjust(s.a, s.b, options)
	if err != nil {
		return nil, err
	}
	out := &AdjustedGap{Model: of, Crude: derived(g.Crude), Adjusted: derived(g.Adjusted), PValue: number(g.PValue),
		Observations: int(g.Observations),
		Support:      derived(g.Support), Coefficients: []*Coefficient{}, Warnings: append(notNil(g.Warnings), s.warnings...),
		gap: g}
	if of == RegressionModelLogit {
		out.OddsRatio = derived(g.OddsRatio)
	}
	if clustered {
		out.Clusters = &g.Clusters
	}
	for _, c := range g.Coefficients {
		out.Coefficients = append(out.Coefficients, &Coefficient{Term: c.Term.Name, Estimate: derived(c.Estimate)})
	}
	return out, nil
}

// bootstrapSeed makes the wild cluster bootstrap give the same answer each time. It draws 999 times, as
// its authors do (Cameron, Gelbach, Miller 2008, Rev. Econ. Stat. 90:414).
const (
	bootstrapSeed  = 1
	bootstrapDraws = 999
)

// OverlapOf asks how many observations two cohorts have in common.
type OverlapOf struct{ Comparison *Comparison }

func (q OverlapOf) needs(s *Study) ([]need, error) { return q.Comparison.both(s, cells.Observations{}) }

func (q OverlapOf) answer(_ context.Context, _ *Request, tables []*cells.Table) (*Overlap, error) {
	this, other := tables[0].Total().N.Float(), tables[1].Total().N.Float()
	var both float64
	if len(tables) > 2 {
		both = tables[2].Total().N.Float()
	}
	return &Overlap{Observations: int(both), ShareOfThis: number(both / this), ShareOfOther: number(both / other)}, nil
}

// ratio is the ratio of the cohorts' shares; observations that both contain stay with this one.
func ratio(s *sides, level float64) (*Estimate, error) {
	rest, err := stats.Subtract(s.b, s.shared)
	if err != nil {
		return nil, err
	}
	a, b := stats.Total(s.a), stats.Total(rest)
	e := stats.Ratio(a.Sum, a.N, b.Sum, b.N, level)
	if len(s.shared) > 0 && stats.Total(s.shared).N > 0 {
		e.Warnings = append(e.Warnings,
			"The cohorts overlap; the other's share is that of its observations outside this cohort.")
	}
	return derived(e), nil
}

func equivalence(s *sides, margin, level float64) (*EquivalenceTest, error) {
	if margin >= 1 {
		return nil, fault.Invalidf("margin %g is not below 1, and no gap of shares is larger; 0.02 is 2 percentage points",
			margin)
	}
	t, err := stats.TestEquivalenceOfGap(stats.Total(s.a), stats.Total(s.b), stats.Total(s.shared), margin, level)
	if err != nil {
		return nil, err
	}
	t.Gap.Warnings = t.Warnings
	out := &EquivalenceTest{Gap: derived(t.Gap), Margin: margin, PValue: number(t.PValue)}
	if t.Decided {
		out.Equivalent = &t.Equivalent
	}
	return out, nil
}

// SegregationOf asks how unevenly two cohorts are spread over the codes of a dimension.
type SegregationOf struct {
	Comparison *Comparison
	Over       string
	Level      float64
}

func (q SegregationOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	by, err := s.dimensions(q.Over)
	if err != nil {
		return nil, err
	}
	return q.Comparison.both(s, cells.Observations{By: by})
}

func (q SegregationOf) answer(_ context.Context, _ *Request, tables []*cells.Table) (*Segregation, error) {
	without := 0
	var spread [3][]stats.Cell
	for i, table := range tables {
		for _, cell := range table.Cells {
			switch {
			case cell.Key[0] != cells.None:
				spread[i] = append(spread[i], stats.Cell{Key: []int{int(cell.Key[0])}, N: cell.N.Float()})
			case i < 2:
				without += int(cell.N.Value)
			}
		}
	}
	s, err := stats.Segregate(spread[0], spread[1], spread[2], q.Level)
	if err != nil && without > 0 {
		err = fault.Invalidf("%w; the %d observations of the two that have no %s are left out", err, without, q.Over)
	}
	if err != nil {
		return nil, err
	}
	warnings := notNil(s.Warnings)
	if without > 0 {
		warnings = append(warnings, fmt.Sprintf("%d observations of the two cohorts have no %s and are left out.", without,
			q.Over))
	}
	return &Segregation{Dissimilarity: derived(s.Dissimilarity), ExpectedDissimilarity: number(s.ExpectedDissimilarity),
		Isolation:   derived(s.Isolation),
		Interaction: derived(s.Interaction), Theil: number(s.Theil), Units: s.Units, Warnings: warnings}, nil
}

// BetweenAreasOf asks how much areas differ before and after adjustment.
type BetweenAreasOf struct {
	Cohort    *Cohort
	Indicator string
	Controls  []string
	Unknown   UnknownValues
	Level     float64
}

func (q BetweenAreasOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	indicator, err := s.Contract.Indicator(q.Indicator)
	if err != nil {
		return nil, err
	}
	if err := notHeld("controls", q.Controls, "AREA", "and areas held equal do not differ"); err != nil {
		return nil, err
	}
	dimensions, err := s.dimensions(append(slices.Clone(q.Controls), "AREA")...)
	if err != nil {
		return nil, err
	}
	for _, d := range dimensions[:len(q.Controls)] {
		if err := notTheOutcome(q.Cohort.Table, d, indicator); err != nil {
			return nil, err
		}
	}
	return q.Cohort.needs(s, cells.Observations{By: dimensions, Indicators: []*contract.Indicator{indicator},
		MaxCells: maxComparisonCells})
}

func (q BetweenAreasOf) answer(ctx context.Context, r *Request, tables []*cells.Table) (*BetweenAreas, error) {
	dimensions, err := r.dimensions(q.Controls...)
	if err != nil {
		return nil, err
	}
	var names []stats.Dimension
	for _, d := range dimensions {
		names = append(names, r.statsDimension(d))
	}
	outside := 0
	inside := slices.DeleteFunc(r.statsCells(tables[0], len(dimensions)), func(c stats.Cell) bool {
		if c.Cluster == 0 {
			outside += int(c.N)
		}
		return c.Cluster == 0
	})
	categories := unknownCategories(q.Cohort.Table, dimensions)
	by, incomplete := stats.Unknowns(inside, categories)
	all := stats.Total(inside).N
	if q.Unknown == UnknownValuesCompleteCases {
		inside = stats.CompleteCases(inside, categories)
	}
	v, err := stats.BetweenAreas(inside, names, q.Level, ctx.Err)
	if err != nil {
		return nil, err
	}
	out := &BetweenAreas{Method: v.Method, Before: variation(v.Before), After: variation(v.After),
		Explained: number(v.Explained)}
	switch {
	case incomplete == 0:
	case q.Unknown == UnknownValuesCompleteCases:
		warning := fmt.Sprintf("Complete cases: %d observations (%s) have an unknown value of a control and are left out, "+
			"before adjustment too.", int(incomplete), percent(incomplete, all))
		out.Before.Warnings, out.After.Warnings = append(out.Before.Warnings, warning), append(out.After.Warnings, warning)
	default:
		for i, d := range dimensions {
			if by[i] > 0 {
				out.After.Warnings = append(out.After.Warnings,
					fmt.Sprintf("%s is unknown for %s of the observations; unknown counts as a category of its own, `unknown: "+
						"COMPLETE_CASES` leaves it out.", d.Name, percent(by[i], all)))
			}
		}
	}
	if outside > 0 {
		out.Before.Warnings = append(out.Before.Warnings, fmt.Sprintf("%d observations outside the areas are left out.",
			outside))
	}
	return out, nil
}

func variation(v stats.AreaVariance) *AreaVariation {
	return &AreaVariation{Variance: derived(v.Variance), MedianOddsRatio: derived(v.MedianOddsRatio),
		Share: number(v.Share), PValue: number(v.PValue),
		Areas: len(v.Areas), Warnings: notNil(v.Warnings)}
}
