package stats

import (
	"fmt"
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// Interval is how the interval of a directly standardised rate is made.
type Interval int

const (
	// EffectiveWilson takes Var = Σ W² r(1-r)/n, right for a share of persons, and gives Wilson's
	// interval with the n that a simple share of this variance would have. A measure instead of an
	// indicator gets value ± z·SE.
	EffectiveWilson Interval = iota
	// DobsonByar takes counts as Poisson, Var = Σ W² x/n², and stretches Byar's bounds for the total
	// count: D + √(Var/O)(O_L - O) (Dobson et al. 1991, Stat. Med. 10:457; Public Health England).
	DobsonByar
	// FayFeuer takes counts as Poisson and gives gamma bounds that are never too short (Fay, Feuer
	// 1997, Stat. Med. 16:791). The lower bound for no events is 0.
	FayFeuer
)

func (i Interval) String() string {
	return [...]string{"Wilson score with effective n", "Dobson-Byar", "Fay-Feuer gamma"}[i]
}

// few events make a standardised rate unstable: Public Health England withholds it below 10.
const fewEvents = 10

// DirectOptions says how to standardise directly.
type DirectOptions struct {
	Level      float64 // confidence level, above 0 and below 1
	Interval   Interval
	Multiplier float64     // e.g. 100000 for a rate per 100,000, 1 for a share
	Dimensions []Dimension // names for errors
}

func checkMultiplier(m float64) (float64, error) {
	if !(m > 0) || math.IsInf(m, 1) {
		return m, fault.Invalidf("a rate times %g says nothing; 1 gives a share, 100000 a rate per 100,000", m)
	}
	return m, nil
}

// DirectRate is a rate standardised to another composition.
type DirectRate struct {
	Crude, Standardised Estimate
}

// Direct standardises the rate of cells to the composition of standard, whose N are the weights:
//
//	D = Σ W r / Σ W,  Var = Σ (W/ΣW)² v.
//
// Weights are taken as known. A stratum of the standard in which the cohort has no observations
// leaves D undefined and is an error that names it; cells of the cohort without weight are not
// used. Fewer than ten events give a warning.
func Direct(cells, standard []Cell, opts DirectOptions) (DirectRate, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return DirectRate{}, err
	}
	if opts.Interval < EffectiveWilson || opts.Interval > FayFeuer {
		return DirectRate{}, fault.Invalidf("unknown interval %d", opts.Interval)
	}
	multiplier, err := checkMultiplier(opts.Multiplier)
	if err != nil {
		return DirectRate{}, err
	}
	t, err := crossTabulate(cells, standard, nil, opts.Dimensions, false)
	if err != nil {
		return DirectRate{}, err
	}
	total := Total(cells)
	indicator := total.IsIndicator()
	if opts.Interval != EffectiveWilson && total.Sum < 0 {
		return DirectRate{}, fault.Invalidf("%s needs counts of events; Σx is %g", opts.Interval, total.Sum)
	}
	var rate, variance, events, most, spread float64 // spread: Σ (W/ΣW)²/n
	for i := range t.a {
		weight, cell := t.b[i].n/t.nB, t.a[i]
		if weight == 0 {
			continue
		}
		if cell.n == 0 {
			return DirectRate{}, fault.Invalidf("%s has weight in the standard but no observations: the standardised rate is "+
				"undefined; use coarser dimensions", keyName(opts.Dimensions, t.key(i)))
		}
		r := cell.mean()
		rate += weight * r
		events += cell.y
		most = math.Max(most, weight/cell.n)
		spread += weight * weight / cell.n
		if opts.Interval == EffectiveWilson {
			variance += weight * weight * cell.variance() / cell.n
		} else {
			variance += weight * weight * cell.y / (cell.n * cell.n)
		}
	}
	var e Estimate
	switch {
	case opts.Interval != EffectiveWilson:
		e = Estimate{Value: rate, SE: standardError(variance), Level: level, Method: opts.Interval.String()}
	case indicator:
		e = scoreEstimate(EffectiveWilson.String(), rate, variance, 1/spread, normalQuantile(level), level)
	default:
		e = normalEstimate("delta method", rate, variance, level)
	}
	switch opts.Interval {
	case DobsonByar:
		e.Lower, e.Upper = math.NaN(), math.NaN()
		if events > 0 {
			count := Byar(events, level)
			unit := math.Sqrt(variance / events)
			e.Lower, e.Upper = rate+unit*(count.Lower-events), rate+unit*(count.Upper-events)
		} else {
			e.warnf("no events: the Dobson-Byar interval is undefined; the Fay-Feuer interval has an upper bound")
		}
	case FayFeuer:
		tail := (1 - level) / 2
		e.Lower = 0
		if rate > 0 {
			e.Lower = variance / rate * gammaQuantile(tail, rate*rate/variance)
		}
		d, v := rate+most, variance+most*most
		e.Upper = v / d * gammaQuantile(1-tail, d*d/v)
	}
	e.Numerator, e.Denominator = events, t.nA
	if events < fewEvents && (indicator || opts.Interval != EffectiveWilson) {
		e.warnf("fewer than %d events: the standardised rate is unstable", fewEvents)
	}
	return DirectRate{Crude: meanOrRate(total, indicator, level).scale(multiplier), Standardised: e.scale(multiplier)}, nil
}

// meanOrRate is the crude rate; counts per person-time that are no shares get an exact interval.
func meanOrRate(total Cell, indicator bool, level float64) Estimate {
	if indicator || total.Sum < 0 {
		return meanEstimate(total, level)
	}
	if total.SumSq > 0 {
		return Mean(total.N, total.Sum, total.SumSq, level)
	}
	e := ExactCount(total.Sum, level).scale(1 / total.N)
	e.Denominator = total.N
	return e
}

// SMR is the ratio of observed to expected events, as Public Health England gives it: below ten
// observed the exact Poisson interval, from ten on Byar's, divided by expected, which is taken as
// known. Nothing expected gives NaN. Two SMRs must not be compared with each other: each has the
// composition of its own cohort.
func SMR(observed, expected, level float64) Estimate {
	var e Estimate
	if observed < fewEvents {
		e = ExactCount(observed, level)
	} else {
		e = Byar(observed, level)
	}
	if math.IsNaN(e.Value) {
		return e
	}
	if !(expected > 0) {
		return undefined(e.Method, level, "%g events expected: the ratio is undefined", expected)
	}
	e = e.scale(1 / expected)
	e.Denominator = expected
	return e
}

// IndirectOptions says how to standardise indirectly.
type IndirectOptions struct {
	Level      float64     // confidence level, above 0 and below 1
	Multiplier float64     // of the rate, e.g. 100000 for one per 100,000
	Dimensions []Dimension // names for warnings
	// Binomial takes observations as persons who have the outcome or not, and the reference rates as
	// estimated: Var(log SMR) = Σ n r(1-r)/O² + Σ n² v_ref/E². Without it counts are Poisson, which is
	// far too wide where the outcome is common.
	Binomial bool
}

// IndirectRate is what a cohort would show if it had the reference's rates, against what it shows.
type IndirectRate struct {
	Observed, Expected float64
	Ratio              Estimate // observed / expected
	Rate               Estimate // ratio × crude rate of the reference
	ReferenceRate      float64  // crude, times the multiplier
	Warnings           []string
}

// Indirect standardises by applying the reference's rates to the cohort's composition: expected
// E = Σ n r_ref, ratio O/E (see SMR), rate ratio × crude reference rate. Strata of the cohort in
// which the reference has no observations are left out of O and E, with a warning; if none is
// left that is an error. Two ratios or rates made so must not be compared with each other.
func Indirect(cells, reference []Cell, opts IndirectOptions) (*IndirectRate, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	multiplier, err := checkMultiplier(opts.Multiplier)
	if err != nil {
		return nil, err
	}
	t, err := crossTabulate(cells, reference, nil, opts.Dimensions, false)
	if err != nil {
		return nil, err
	}
	out := &IndirectRate{ReferenceRate: multiplier * t.totalB.mean()}
	var used, within, expectedVariance float64
	for i, group := range t.a {
		if group.n == 0 || t.b[i].n == 0 {
			continue
		}
		ref := t.b[i].mean()
		used += group.n
		out.Observed += group.y
		out.Expected += group.n * ref
		within += group.n * group.variance()
		expectedVariance += group.n * group.n * t.b[i].variance() / t.b[i].n
	}
	if used == 0 {
		return nil, fault.Invalidf("the reference has no observations in any cell of the cohort: nothing can be expected; " +
			"use coarser dimensions")
	}
	if used < t.nA {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s of the cohort is in cells that the reference does not have and is left out of observed and expected",
				formatPercent(1-used/t.nA)))
	}
	if out.Observed < 0 || !(out.Expected > 0) {
		return nil, fault.Invalidf("%g events observed and %g expected have no ratio", out.Observed, out.Expected)
	}
	if opts.Binomial {
		out.Ratio = out.binomialRatio(within, expectedVariance, level)
	} else {
		out.Ratio = SMR(out.Observed, out.Expected, level)
		if share := out.Observed / used; share > 0.1 && Total(cells).IsIndicator() {
			out.Warnings = append(out.Warnings,
				fmt.Sprintf("%s have the outcome: a Poisson interval is too wide, the binomial one fits", formatPercent(share)))
		}
	}
	out.Warnings = append(out.Warnings, out.Ratio.Warnings...)
	out.Rate = out.Ratio.scale(out.ReferenceRate)
	return out, nil
}

func (r *IndirectRate) binomialRatio(within, expectedVariance, level float64) Estimate {
	const method = "log delta, binomial"
	if r.Observed == 0 {
		e := undefined(method, level, "no events: the log ratio is undefined")
		e.Value, e.Numerator, e.Denominator = 0, 0, r.Expected
		return e
	}
	value := r.Observed / r.Expected
	e := Estimate{Value: value, Level: level, Numerator: r.Observed, Denominator: r.Expected, Method: method}
	return e.onLogScale(within/(r.Observed*r.Observed)+expectedVariance/(r.Expected*r.Expected), normalQuantile(level))
}

// Standard is the composition that Standardise brings both cohorts to.
type Standard int

const (
	StandardB      Standard = iota // that of b: what a would show if it were composed like b
	StandardA                      // that of a
	StandardPooled                 // that of both together
)

// StandardiseOptions says how to standardise two cohorts to one composition.
type StandardiseOptions struct {
	Level      float64 // confidence level, above 0 and below 1
	Standard   Standard
	Shared     []Cell // observations that both cohorts contain, by the same keys
	Dimensions []Dimension
	Clustered  bool // see KitagawaOptions
	// RandomStandard counts the standard's composition as sampled. Without it the standard is known,
	// as is usual in direct standardisation.
	RandomStandard bool
}

// Standardised compares two cohorts as if they had the same composition.
type Standardised struct {
	CrudeA, CrudeB     Estimate
	A, B               Estimate // standardised
	Gap                Estimate // A - B, standardised
	Ratio              Estimate // A / B, standardised
	SupportA, SupportB Estimate // share of each cohort in cells that both have
	Warnings           []string
}

// Standardise compares two cohorts at one composition, over the cells that both have: A = Σ W rA,
// B = Σ W rB with W the standard's shares of these cells. Observations in other cells are left
// out, and SupportA, SupportB and a warning say how many; none in common is an error. Intervals:
// Wilson's with an effective n for shares, which where all or none have the outcome in every cell is
// 1/Σ(W²/n); delta method for the gap, or where nothing varies the squares of both intervals added; the
// log of the delta method for the ratio.
func Standardise(a, b []Cell, opts StandardiseOptions) (*Standardised, error) {
	if opts.Standard < StandardB || opts.Standard > StandardPooled {
		return nil, fault.Invalidf("unknown standard %d", opts.Standard)
	}
	d, err := Kitagawa(a, b, KitagawaOptions{
		Level: opts.Level, Dimensions: opts.Dimensions, Shared: opts.Shared, Clustered: opts.Clustered, TotalsOnly: true,
	})
	if err != nil {
		return nil, err
	}
	level, q := d.Gap.Level, normalQuantile(d.Gap.Level)
	e := estimator{tab: d.tab, sup: d.sup, level: level, q: q, opts: KitagawaOptions{FixedWeights: !opts.RandomStandard}}
	s := d.sup
	fromA, fromB := 0.0, 1.0
	switch opts.Standard {
	case StandardA:
		fromA, fromB = 1, 0
	case StandardPooled:
		fromA, fromB = s.nA/(s.nA+s.nB), s.nB/(s.nA+s.nB)
	}
	n := len(s.in)
	gA, gB, gap, log := newGradient(n), newGradient(n), newGradient(n), newGradient(n)
	var valueA, valueB, spreadA, spreadB float64 // spread: Σ w²/n
	for at := range s.in {
		w := fromA*s.wA[at] + fromB*s.wB[at]
		spreadA += w * w / s.a[at].n
		spreadB += w * w / s.b[at].n
		valueA += w * s.rA[at]
		valueB += w * s.rB[at]
		gA.rA[at], gA.wA[at], gA.wB[at] = w, fromA*s.rA[at], fromB*s.rA[at]
		gB.rB[at], gB.wA[at], gB.wB[at] = w, fromA*s.rB[at], fromB*s.rB[at]
	}
	for _, v := range []struct{ a, b, gap, log []float64 }{
		{gA.rA, gB.rA, gap.rA, log.rA}, {gA.rB, gB.rB, gap.rB, log.rB},
		{gA.wA, gB.wA, gap.wA, log.wA}, {gA.wB, gB.wB, gap.wB, log.wB},
	} {
		for at := range v.a {
			v.gap[at] = v.a[at] - v.b[at]
			v.log[at] = v.a[at]/valueA - v.b[at]/valueB
		}
	}
	indicator := Total(a).IsIndicator() && Total(b).IsIndicator()
	rate := func(value float64, g *gradient, n, effective float64) Estimate {
		variance := e.variance(g)
		out := scaledEstimate("delta method", value, variance, q, level)
		if indicator {
			out = scoreEstimate(EffectiveWilson.String(), clip01(value), variance, effective, q, level)
		}
		out.Denominator = n
		return out
	}
	out := &Standardised{
		CrudeA: d.RateA, CrudeB: d.RateB, SupportA: d.SupportA, SupportB: d.SupportB,
		A: rate(valueA, gA, s.nA, 1/spreadA), B: rate(valueB, gB, s.nB, 1/spreadB),
		Gap: e.estimate(valueA-valueB, gap),
	}
	if math.IsNaN(out.Gap.SE) && indicator && s.shared == nil {
		out.Gap.squareAndAdd(out.A, out.B, 0, 0)
		out.Gap.Method = "square-and-add score interval"
	}
	const method = "log delta method"
	switch {
	case valueA > 0 && valueB > 0:
		out.Ratio = Estimate{Value: valueA / valueB, Level: level, Numerator: math.NaN(), Denominator: math.NaN(),
			Method: method}
		out.Ratio = out.Ratio.onLogScale(e.variance(log), q)
	case valueB > 0:
		out.Ratio = undefined(method, level,
			"the standardised rate of the first cohort is 0, and so is the ratio, whose logarithm has no interval")
		out.Ratio.Value = 0
	default:
		out.Ratio = undefined(method, level, "the standardised rate of the second cohort is 0: there is no ratio to it")
	}
	if opts.Clustered {
		out.jackknife(d, opts, indicator)
	}
	if out.SupportA.Value < 1 || out.SupportB.Value < 1 {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s of the first and %s of the second cohort are in cells that the other does not have; they are left "+
				"out of the standardised rates",
				formatPercent(1-out.SupportA.Value), formatPercent(1-out.SupportB.Value)))
	}
	return out, nil
}

// jackknife gives standardised values, their gap and ratio the uncertainty of clusters. A standard that is
// known stays as it is without a cluster, over the strata that both cohorts still have.
func (out *Standardised) jackknife(d *Decomposition, opts StandardiseOptions, indicator bool) {
	t := d.tab
	var known *support
	if !opts.RandomStandard {
		known = d.sup
	}
	changes := t.crossing(false, known).changes(func(m crossMeans) []float64 {
		a, b := m.bAtA, m.ownB
		switch opts.Standard {
		case StandardA:
			a, b = m.ownA, m.aAtB
		case StandardPooled:
			nA, nB := m.nA, m.nB
			if known != nil { // sums of shares
				nA, nB = d.sup.nA, d.sup.nB
			}
			a, b = (nA*m.ownA+nB*m.bAtA)/(nA+nB), (nA*m.aAtB+nB*m.ownB)/(nA+nB)
		}
		return []float64{a, -b, math.Log(a / b)}
	})
	s := t.sides()
	throughA, throughB, logs := cv3(changes[0]), cv3(changes[1]), cv3(changes[2])
	out.Gap.difference(s, out.A, out.B, throughA, throughB, s.freedomOfBoth(sumOf(throughA, throughB)), indicator,
		1)
	out.A.mean(s, throughA, s.freedomOf(throughA), indicator)
	out.B.mean(s, throughB, s.freedomOf(throughB), indicator)
	if out.Ratio.SE > 0 {
		out.Ratio.ratio(s, logs, s.freedomOfBoth(logs))
	}
	for _, e := range []*Estimate{&out.A, &out.B, &out.Gap, &out.Ratio} {
		if e.SE > 0 {
			e.Method += ", " + jackknifed
		}
	}
}

// StandardiseIndirectly compares two cohorts by applying b's rates to a's composition: Ratio is
// Σ wA rA / Σ wA rB over the cells that both have, A is Ratio × b's crude rate, Gap is A less that
// rate. b's crude rate is taken as known. Standard errors are those of opts, as in Standardise; shared
// observations count once. Options.Standard is not read: the standard is a's composition.
func StandardiseIndirectly(a, b []Cell, opts StandardiseOptions) (*Standardised, error) {
	opts.Standard, opts.RandomStandard = StandardA, true
	out, err := Standardise(a, b, opts)
	if err != nil {
		return nil, err
	}
	reference := out.CrudeB.Value
	out.B = out.CrudeB
	out.A, out.Gap = out.Ratio.scale(reference), out.Ratio
	out.A.Method = "indirect, log delta method"
	e := &out.Gap
	e.Value, e.Lower, e.Upper = e.Value-1, e.Lower-1, e.Upper-1
	*e = e.scale(reference)
	e.Method = out.A.Method
	return out, nil
}
