package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Support says what a decomposition does with cells that only one cohort has.
type Support int

const (
	// CommonSupport leaves them out of composition and rate, and reports what they do to the gap as
	// terms of their own (Ñopo 2008, Rev. Econ. Stat. 90:290).
	CommonSupport Support = iota
	// CollapseCells merges such a cell with all cells that share its key without the last dimension,
	// and so on until every cell has both cohorts. There are then no contributions by dimension.
	CollapseCells
	// BorrowRate gives a missing rate that of the other cohort, which puts all of the cell into
	// composition.
	BorrowRate
)

// KitagawaOptions says how to decompose. With a Level alone it is two components on common
// support.
type KitagawaOptions struct {
	Level      float64     // confidence level, above 0 and below 1
	Dimensions []Dimension // names for warnings
	Shared     []Cell      // observations that both cohorts contain, by the same keys
	Support    Support
	// ThreeComponents evaluates composition at the rates of b and rate at the composition of b,
	// and reports the interaction that remains.
	ThreeComponents bool
	// FixedWeights takes both compositions as known, not sampled: standard errors of rates only.
	FixedWeights bool
	// Clustered allows observations of one Cluster to be alike: rates and gap are those of ClusteredMean
	// and ClusteredGap, parts have the interval of Jackknife, contributions its linear approximation.
	Clustered bool
	// TotalsOnly leaves Contributions empty.
	TotalsOnly bool
	// Attribution says how composition divides among dimensions.
	Attribution Attribution
	Stop        Stop
}

// Decomposition is a gap between two rates or means, split into parts.
type Decomposition struct {
	Method       string
	RateA, RateB Estimate
	Gap          Estimate // RateA - RateB
	Composition  Estimate // who lives there
	Rate         Estimate // what remains with composition held equal
	Interaction  Estimate // of three components; NaN with two
	// What the cells of only one cohort add to the gap; 0 where there are none.
	OutOfSupportA, OutOfSupportB Estimate
	OutOfSupport                 Estimate // both together
	// Shares of observations in cells that both cohorts have: of both together, of each.
	CommonSupport, SupportA, SupportB Estimate
	// Parts in percent of the gap, NaN for a gap of 0. They can exceed 100 and be negative.
	CompositionPercent, RatePercent float64
	// Standardised values within the common support: each with its own composition and the common
	// rates, and each with its own rates and the common composition.
	OwnCompositionA, OwnCompositionB float64
	OwnRatesA, OwnRatesB             float64
	Contributions                    []Contribution
	Warnings                         []string

	tab *crossTab
	sup *support
	mix float64
}

// Stratum is what one cell adds to composition and rate.
type Stratum struct {
	Key            []int
	ShareA, ShareB float64 // of the cohorts within common support; 0 outside
	RateA, RateB   float64 // NaN where a cohort has no observations
	Composition    float64
	Rate           float64
	Interaction    float64
	InSupport      bool
}

// A support is the part of a crossTab that two cohorts are compared on, as a sample of its own:
// composition w and rates r, by position in the list of strata.
type support struct {
	sample
	in             []int // strata of the crossTab
	wA, wB, rA, rB []float64
	spreadA        []float64 // variance within the stratum over w; 0 without observations
	spreadB        []float64
	borrowed       bool
}

// Kitagawa splits the gap between two rates or means into composition and rate parts (Kitagawa
// 1955, JASA 50:1168). a and b are cells over the same dimensions, w their composition over cells
// and r the mean in each cell:
//
//	gap         = Σ wA rA - Σ wB rB
//	composition = Σ (wA - wB)(rA + rB)/2
//	rate        = Σ (rA - rB)(wA + wB)/2
//
// The parts sum to the gap exactly. Three components are Σ (wA-wB) rB, Σ (rA-rB) wB and the
// interaction Σ (wA-wB)(rA-rB). Cells of one cohort only are treated as opts.Support says; by
// default w and r are those of the cells that both have, and
//
//	gap = composition + rate + out of support A + out of support B,
//	out of support A = share of A outside × (mean of A outside - mean of A inside),
//	out of support B = share of B outside × (mean of B inside - mean of B outside).
//
// Standard errors are the delta method's for random composition and rates: each observation's
// influence on the part, squared and summed. For independent cohorts that is
//
//	V(composition) = Σ (wA-wB)²(vA+vB)/4 + r'(S(wA)/NA + S(wB)/NB) r,   v = s²/n with divisor n,
//	V(rate)        = Σ w²(vA+vB)        + d'(S(wA)/NA + S(wB)/NB) d,   S(w) = diag(w) - ww',
//
// with r, w the averages and d = (rA-rB)/2. Observations in both cohorts (opts.Shared) count once,
// with their influence through either. In simulation 95 % intervals of both parts cover 94 to 95 %
// where the smallest cell of a cohort is expected to have twelve observations, 93 % at six and 89
// to 90 % at three; a warning tells of thin cells.
//
// An empty cohort, no dimension and no common support are errors. The rate part is what remains:
// an area effect, or whatever was not measured.
func Kitagawa(a, b []Cell, opts KitagawaOptions) (_ *Decomposition, err error) {
	defer opts.Stop.end(&err)
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	shared := opts.Shared
	collapsed := false
	if opts.Support == CollapseCells {
		var err error
		if a, b, shared, collapsed, err = collapse(a, b, shared); err != nil {
			return nil, err
		}
	}
	t, err := crossTabulate(a, b, shared, opts.Dimensions, opts.Clustered)
	if err != nil {
		return nil, err
	}
	if opts.Clustered && t.clusters < 2 {
		return nil, oneClusterInAll()
	}
	sup := t.support(opts.Support == BorrowRate)
	if len(sup.in) == 0 {
		return nil, fault.Invalidf("no cell has observations of both cohorts: composition and rate cannot be told apart; " +
			"use fewer or coarser dimensions")
	}
	d := &Decomposition{Method: "Kitagawa, two components", tab: t, sup: sup, mix: 0.5}
	if opts.ThreeComponents {
		d.Method, d.mix = "Kitagawa, three components at the second cohort", 0
	}
	e := estimator{tab: t, sup: sup, opts: opts, level: level, q: normalQuantile(level)}

	if opts.Clustered {
		clusters := t.sides() // parts are of independent observations first
		d.crude(e, clusters.cells(clusters.a), clusters.cells(clusters.b), byCluster(shared))
		d.parts(e)
		d.outOfSupport(e)
		e.clusters = clusters
		d.jackknife(e)
	} else {
		d.crude(e, a, b, shared)
		d.parts(e)
		d.outOfSupport(e)
	}
	d.warn(e, collapsed)
	if !opts.TotalsOnly && !collapsed {
		if err := d.attribute(e); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// support picks the strata to compare on; with borrow all of them, rates missing on one side being
// those of the other.
func (t *crossTab) support(borrow bool) *support {
	s := &support{borrowed: borrow}
	for i := range t.a {
		if borrow || t.a[i].n > 0 && t.b[i].n > 0 {
			s.in = append(s.in, i)
			s.nA += t.a[i].n
			s.nB += t.b[i].n
		}
	}
	n := len(s.in)
	s.clusters = t.clusters
	s.a, s.b = make([]sums, n), make([]sums, n)
	if t.shared != nil {
		s.shared = make([]sums, n)
	}
	backing := make([]float64, 6*n)
	for i, v := range []*[]float64{&s.wA, &s.wB, &s.rA, &s.rB, &s.spreadA, &s.spreadB} {
		*v = backing[i*n : (i+1)*n : (i+1)*n]
	}
	for at, i := range s.in {
		s.a[at], s.b[at] = t.a[i], t.b[i]
		if t.shared != nil {
			s.shared[at] = t.shared[i]
		}
		s.wA[at], s.rA[at], s.spreadA[at] = describeStratum(t.a[i], s.nA)
		s.wB[at], s.rB[at], s.spreadB[at] = describeStratum(t.b[i], s.nB)
		if t.a[i].n == 0 {
			s.rA[at] = s.rB[at]
		}
		if t.b[i].n == 0 {
			s.rB[at] = s.rA[at]
		}
	}
	if t.cellsA != nil {
		position := make([]int32, t.strata())
		for i := range position {
			position[i] = -1
		}
		for at, i := range s.in {
			position[i] = int32(at)
		}
		s.cellsA, s.cellsB = inSupport(t.cellsA, position), inSupport(t.cellsB, position)
	}
	return s
}

func inSupport(cells []clusteredCell, position []int32) (out []clusteredCell) {
	for _, c := range cells {
		if at := position[c.stratum]; at >= 0 {
			c.stratum = at
			out = append(out, c)
		}
	}
	return out
}

func describeStratum(v sums, total float64) (share, mean, spread float64) {
	if v.n == 0 {
		return 0, 0, 0
	}
	share, mean = v.n/total, v.mean()
	return share, mean, v.variance() / share
}

// An estimator turns values and gradients into estimates.
type estimator struct {
	tab   *crossTab
	sup   *support
	opts  KitagawaOptions
	level float64
	q     float64
	work  *influence // of strata in support
	// Of estimates that clusters have the uncertainty of; nil for independent observations.
	clusters           *sides
	withoutA, withoutB []clusteredShare
}

// A gradient holds the derivatives of a quantity by composition and rate of each supported stratum.
// Derivatives by composition need not be centred.
type gradient struct{ wA, rA, wB, rB []float64 }

func newGradient(n int) *gradient {
	backing := make([]float64, 4*n)
	return &gradient{backing[:n], backing[n : 2*n], backing[2*n : 3*n], backing[3*n:]}
}

func (g *gradient) clear() {
	clear(g.wA)
	clear(g.rA)
	clear(g.wB)
	clear(g.rB)
}

// estimate is value with the delta-method variance of its gradient.
func (e *estimator) estimate(value float64, g *gradient) Estimate {
	s := e.sup
	if e.opts.Stop.now() {
		return Estimate{}
	}
	if s.borrowed {
		s.passOnBorrowed(g)
	}
	out := scaledEstimate("delta method", value, e.variance(g), e.q, e.level)
	if e.clusters != nil {
		e.jackknifed(&out, g)
	}
	return out
}

// variance is the delta method's of a quantity with this gradient; 0 if it is rounding beside what one
// observation adds to a mean.
func (e *estimator) variance(g *gradient) (variance float64) {
	s := e.sup
	if s.shared == nil {
		variance = cohortVariance(s.wA, s.spreadA, g.wA, g.rA, e.opts.FixedWeights)/s.nA +
			cohortVariance(s.wB, s.spreadB, g.wB, g.rB, e.opts.FixedWeights)/s.nB
	} else {
		if e.work == nil {
			e.work = newInfluence(len(s.in))
		}
		e.opts.influence(s.wA, s.rA, g.wA, g.rA, e.work.constantA, e.work.slopeA)
		e.opts.influence(s.wB, s.rB, g.wB, g.rB, e.work.constantB, e.work.slopeB)
		variance = s.variance(e.work)
	}
	return leftOf(variance, e.rounded())
}

// rounded is a variance of which no share below rounding means anything.
func (e *estimator) rounded() float64 {
	t := e.tab
	n := t.totalA.n + t.totalB.n
	return 1e-6 * (t.totalA.q + t.totalB.q) / n / n
}

// cohortVariance is n times the variance that one cohort of n independent observations adds:
// Σ w (dw - Σ w dw)² for its composition, Σ dr² s²/w for its rates.
func cohortVariance(w, spread, dw, dr []float64, fixedWeights bool) float64 {
	var square, rates float64
	mean := dot(w, dw)
	for at, x := range dw {
		square += w[at] * (x - mean) * (x - mean)
		rates += dr[at] * dr[at] * spread[at]
	}
	if fixedWeights {
		return rates
	}
	return square + rates
}

// influence turns one cohort's derivatives into its influence.
func (o *KitagawaOptions) influence(w, r, dw, dr, constant, slope []float64) {
	mean := dot(w, dw)
	for at := range w {
		slope[at] = 0
		if w[at] > 0 {
			slope[at] = dr[at] / w[at]
		}
		constant[at] = -slope[at] * r[at]
		if !o.FixedWeights {
			constant[at] += dw[at] - mean
		}
	}
}

// passOnBorrowed gives the derivative by a borrowed rate to the rate that it was borrowed from.
func (s *support) passOnBorrowed(g *gradient) {
	for at := range s.in {
		if s.a[at].n == 0 {
			g.rB[at] += g.rA[at]
			g.rA[at] = 0
		}
		if s.b[at].n == 0 {
			g.rA[at] += g.rB[at]
			g.rB[at] = 0
		}
	}
}

// ofAll is an estimate from an influence over all strata, in support or not.
func (e *estimator) ofAll(method string, value float64, f *influence) Estimate {
	return scaledEstimate(method, value, leftOf(e.tab.variance(f), e.rounded()), e.q, e.level)
}

// crude fills in both rates and the gap.
func (d *Decomposition) crude(e estimator, a, b, shared []Cell) {
	totalA, totalB, both := Total(a), Total(b), Total(shared)
	d.RateA, d.RateB = meanEstimate(totalA, e.level), meanEstimate(totalB, e.level)
	d.Gap = Gap(totalA, totalB, both, e.level)
	if e.opts.Clustered {
		d.RateA, d.RateB, d.Gap = ClusteredMean(a, e.level), ClusteredMean(b, e.level), ClusteredGap(a, b, shared, e.level)
	}
}

// meanEstimate is Wilson's for an indicator and Student's for a measure.
func meanEstimate(total Cell, level float64) Estimate {
	if total.IsIndicator() {
		return Wilson(total.Sum, total.N, level)
	}
	return Mean(total.N, total.Sum, total.SumSq, level)
}

// parts fills in composition, rate and interaction, with their standardised values.
func (d *Decomposition) parts(e estimator) {
	s, m := e.sup, d.mix
	n := len(s.in)
	composition, rate, interaction := newGradient(n), newGradient(n), newGradient(n)
	var c, r, i float64
	for at := range s.in {
		dw, dr := s.wA[at]-s.wB[at], s.rA[at]-s.rB[at]
		commonRate, commonWeight := m*s.rA[at]+(1-m)*s.rB[at], m*s.wA[at]+(1-m)*s.wB[at]
		c += dw * commonRate
		r += dr * commonWeight
		i += (1 - 2*m) * dw * dr
		d.OwnCompositionA += s.wA[at] * commonRate
		d.OwnCompositionB += s.wB[at] * commonRate
		d.OwnRatesA += s.rA[at] * commonWeight
		d.OwnRatesB += s.rB[at] * commonWeight

		composition.wA[at], composition.wB[at] = commonRate, -commonRate
		composition.rA[at], composition.rB[at] = m*dw, (1-m)*dw
		rate.wA[at], rate.wB[at] = m*dr, (1-m)*dr
		rate.rA[at], rate.rB[at] = commonWeight, -commonWeight
		interaction.wA[at], interaction.wB[at] = (1-2*m)*dr, -(1-2*m)*dr
		interaction.rA[at], interaction.rB[at] = (1-2*m)*dw, -(1-2*m)*dw
	}
	d.Composition = e.estimate(c, composition)
	d.Rate = e.estimate(r, rate)
	if m == 0.5 {
		d.Interaction = undefined("delta method", e.level, "two components have no interaction")
	} else {
		d.Interaction = e.estimate(i, interaction)
	}
	d.CompositionPercent, d.RatePercent = 100*c/d.Gap.Value, 100*r/d.Gap.Value
	if d.Gap.Value == 0 {
		d.CompositionPercent, d.RatePercent = math.NaN(), math.NaN()
	}
	for _, part := range []*Estimate{&d.Composition, &d.Rate} {
		part.Denominator = s.nA + s.nB
	}
}

// outOfSupport fills in the shares in support and Ñopo's two terms.
func (d *Decomposition) outOfSupport(e estimator) {
	t, s := e.tab, e.sup
	na, nb := t.totalA.n, t.totalB.n
	inA, inB := s.nA, s.nB
	if s.borrowed {
		inA, inB = 0, 0
		for i := range t.a {
			if t.a[i].n > 0 && t.b[i].n > 0 {
				inA, inB = inA+t.a[i].n, inB+t.b[i].n
			}
		}
	}
	d.SupportA, d.SupportB = Wilson(inA, na, e.level), Wilson(inB, nb, e.level)
	d.CommonSupport = Wilson(inA+inB, na+nb, e.level)

	d.OutOfSupportA = allInSupport(e.level)
	d.OutOfSupportB = d.OutOfSupportA
	defer func() { d.OutOfSupport = Sum(d.OutOfSupportA, d.OutOfSupportB) }()
	if s.nA == na && s.nB == nb {
		return
	}
	meanA, meanB := t.totalA.mean(), t.totalB.mean()
	insideA, insideB := dot(s.wA, s.rA), dot(s.wB, s.rB)
	f, g := newInfluence(t.strata()), newInfluence(t.strata())
	for i := range t.a {
		f.constantA[i], f.slopeA[i] = -meanA, 1
		g.constantB[i], g.slopeB[i] = meanB, -1
	}
	for _, i := range s.in {
		f.constantA[i] += insideA * na / s.nA
		f.slopeA[i] -= na / s.nA
		g.constantB[i] -= insideB * nb / s.nB
		g.slopeB[i] += nb / s.nB
	}
	if s.nA < na {
		d.OutOfSupportA = e.ofAll("delta method", meanA-insideA, f)
	}
	if s.nB < nb {
		d.OutOfSupportB = e.ofAll("delta method", insideB-meanB, g)
	}
}

func (d *Decomposition) warn(e estimator, collapsed bool) {
	t, s := e.tab, e.sup
	warnf := func(format string, args ...any) { d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...)) }
	d.Warnings = append(d.Warnings, d.Gap.Warnings...)
	if shared := len(t.shared) > 0; shared && e.opts.Clustered {
		warnf("observations in both cohorts are taken to be in the same cluster in both")
	}
	if d.SupportA.Value < 1 || d.SupportB.Value < 1 {
		what := "composition and rate speak for the rest, the terms out of support for these"
		if s.borrowed {
			what = "their missing rates were taken from the other cohort, which puts them into composition"
		}
		warnf("%s of the first and %s of the second cohort are in cells that the other does not have; %s",
			formatPercent(1-d.SupportA.Value), formatPercent(1-d.SupportB.Value), what)
	}
	if collapsed {
		warnf("cells of one cohort only were merged with their neighbours; contributions by dimension are left out")
	}
	var thin float64
	for at := range s.in {
		if s.a[at].n < 5 || s.b[at].n < 5 {
			thin += s.wA[at]/2 + s.wB[at]/2
		}
	}
	if thin > 0.2 {
		warnf("%s of the compared observations are in cells with fewer than 5 of a cohort: standard errors are too small "+
			"there", formatPercent(thin))
	}
	if !(d.Gap.Lower > 0 || d.Gap.Upper < 0) {
		warnf("the gap is not clearly different from 0: parts in percent of it mean little")
	}
	if d.Composition.Value*d.Rate.Value < 0 {
		warnf("composition and rate have opposite signs: a part can exceed 100 %% of the gap")
	}
}

// Strata lists what each cell adds, in ascending order of key; cells out of support add nothing.
func (d *Decomposition) Strata() []Stratum {
	t, s, m := d.tab, d.sup, d.mix
	out := make([]Stratum, t.strata())
	for i := range out {
		out[i] = Stratum{Key: t.key(i), RateA: t.a[i].mean(), RateB: t.b[i].mean()}
	}
	for at, i := range s.in {
		dw, dr := s.wA[at]-s.wB[at], s.rA[at]-s.rB[at]
		o := &out[i]
		o.InSupport = true
		o.ShareA, o.ShareB = s.wA[at], s.wB[at]
		o.Composition = dw * (m*s.rA[at] + (1-m)*s.rB[at])
		o.Rate = dr * (m*s.wA[at] + (1-m)*s.wB[at])
		o.Interaction = (1 - 2*m) * dw * dr
	}
	return out
}

// collapsedDimension stands for "any category" in the key of a merged cell.
const collapsedDimension = math.MinInt

// collapse merges cells that only one side has with their neighbours: from the last dimension to
// the first, a key prefix below which some cell lacks a side becomes one cell.
func collapse(a, b, shared []Cell) (outA, outB, outShared []Cell, changed bool, err error) {
	dims, err := checkCells(a, b, shared)
	if err != nil {
		return nil, nil, nil, false, err
	}
	clone := func(cells []Cell) []Cell {
		out := slices.Clone(cells)
		for i := range out {
			out[i].Key = slices.Clone(out[i].Key)
		}
		return out
	}
	outA, outB, outShared = clone(a), clone(b), clone(shared)
	for d := dims - 1; d >= 0; d-- {
		t, err := crossTabulate(outA, outB, outShared, nil, false)
		if err != nil {
			return nil, nil, nil, false, err
		}
		var lacking [][]int // prefixes, in ascending order since strata are
		for i := range t.a {
			if t.a[i].n == 0 || t.b[i].n == 0 {
				prefix := t.key(i)[:d]
				if n := len(lacking); n == 0 || !slices.Equal(lacking[n-1], prefix) {
					lacking = append(lacking, prefix)
				}
			}
		}
		if len(lacking) == 0 {
			break
		}
		changed = true
		for _, cells := range [][]Cell{outA, outB, outShared} {
			for i := range cells {
				if _, found := slices.BinarySearchFunc(lacking, cells[i].Key[:d], slices.Compare[[]int]); found {
					cells[i].Key[d] = collapsedDimension
					for later := d + 1; later < dims; later++ {
						cells[i].Key[later] = collapsedDimension
					}
				}
			}
		}
	}
	return outA, outB, outShared, changed, nil
}
