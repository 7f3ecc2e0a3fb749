package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// Gap estimates mean(a) - mean(b) of two cohorts given as totals, of which shared is what both
// contain (the zero Cell if they have nothing in common).
//
// Independent cohorts: Newcombe's hybrid score interval for an indicator (see Difference), for a
// measure Welch's t. If one contains the other, as the population contains the supported areas,
// the gap is (1-s) times the gap to the rest, s = shared/N of the larger, and so is its interval:
// the two cohorts are not independent samples, the one and the rest are. If they merely overlap,
// the covariance of the means is Σ (x-ā)(x-b̄) over shared observations / (Na·Nb), and the
// interval is the square-and-add one with that correlation (Zou, Donner 2008, Stat. Med. 27:1693).
//
// An empty cohort, or more shared than there is, gives NaN and a warning, the former a denominator of 0.
// Two cohorts that are the same give 0 without an interval.
func Gap(a, b, shared Cell, level float64) Estimate {
	const method = "difference of means"
	if err := CheckLevel(level); err != nil {
		return undefined(method, level, "%v", err)
	}
	if !(a.N > 0 && b.N > 0) {
		e := undefined(method, level, "a cohort without observations has no gap (%g and %g observations)", a.N, b.N)
		e.Denominator = 0
		return e
	}
	if shared.N < 0 || shared.N > a.N || shared.N > b.N {
		return undefined(method, level, "%g shared observations do not fit into cohorts of %g and %g", shared.N, a.N, b.N)
	}
	switch {
	case shared.N == 0:
		return independentGap(a, b, level)
	case shared.N == a.N && shared.N == b.N:
		e := undefined(method, level, "the two cohorts are the same observations")
		e.Value, e.Numerator, e.Denominator = 0, a.Sum, a.N
		return e
	case shared.N == a.N:
		e := containedGap(a, b, level)
		e.warnf("the second cohort contains the first, %.3g %% of it: the gap is smaller than the gap to the rest by that "+
			"share", 100*a.N/b.N)
		return e
	case shared.N == b.N:
		e := containedGap(b, a, level).scale(-1)
		e.Numerator, e.Denominator = a.Sum, a.N
		e.warnf("the first cohort contains the second, %.3g %% of it: the gap is smaller than the gap from the rest by "+
			"that share", 100*b.N/a.N)
		return e
	}
	return overlappingGap(a, b, shared, level)
}

// overlappingGap is the gap of cohorts of which neither contains the other, though they share observations.
func overlappingGap(a, b, shared Cell, level float64) Estimate {
	meanA, meanB := meanEstimate(a, level), meanEstimate(b, level)
	indicator := a.IsIndicator() && b.IsIndicator()
	va, vb := a.meanVariance(), b.meanVariance()
	if indicator {
		va, vb = meanA.Value*(1-meanA.Value)/a.N, meanB.Value*(1-meanB.Value)/b.N
	}
	e := Estimate{
		Value: meanA.Value - meanB.Value, Level: level, Numerator: a.Sum, Denominator: a.N,
		Method: "square-and-add with overlap",
	}
	covariance := (shared.SumSq - (meanA.Value+meanB.Value)*shared.Sum + meanA.Value*meanB.Value*shared.N) / (a.N * b.N)
	if !indicator {
		// t(n-1)·SE either way, 0 for a mean of equal observations beside one that varies
		half := func(c Cell, v float64) float64 { return studentQuantile(level, c.N-1) * math.Sqrt(v) }
		meanA.Lower, meanA.Upper = meanA.Value-half(a, va), meanA.Value+half(a, va)
		meanB.Lower, meanB.Upper = meanB.Value-half(b, vb), meanB.Value+half(b, vb)
	}
	rho := 0.0
	switch {
	case va > 0 && vb > 0:
		rho = math.Max(-1, math.Min(1, covariance/math.Sqrt(va*vb)))
	case indicator && va == 0 && vb == 0 && meanA.Value == meanB.Value: // that of any outcome drawn anew
		rho = shared.N / math.Sqrt(a.N*b.N)
	}
	e.squareAndAdd(meanA, meanB, rho, leftOf(va+vb-2*covariance, va+vb))
	if !indicator {
		e.Warnings = append(e.Warnings, pairWarnings(meanA, meanB)...)
		if math.IsNaN(e.SE) && !math.IsNaN(e.Lower) {
			e.withoutSpread()
		}
	}
	e.warnf("%g observations are in both cohorts", shared.N)
	return e
}

// containedGap is the gap of part to a whole that contains it.
func containedGap(part, whole Cell, level float64) Estimate {
	rest := Cell{N: whole.N - part.N, Sum: whole.Sum - part.Sum, SumSq: whole.SumSq - part.SumSq}
	e := independentGap(part, rest, level).scale(rest.N / whole.N)
	e.Method += ", scaled from the gap to the rest"
	return e
}

func independentGap(a, b Cell, level float64) Estimate {
	if a.IsIndicator() && b.IsIndicator() {
		return Difference(a.Sum, a.N, b.Sum, b.N, level)
	}
	meanA, meanB := Mean(a.N, a.Sum, a.SumSq, level), Mean(b.N, b.Sum, b.SumSq, level)
	va, vb := a.meanVariance(), b.meanVariance()
	df := (va + vb) * (va + vb) / (va*va/(a.N-1) + vb*vb/(b.N-1))
	e := scaledEstimate("Welch t", meanA.Value-meanB.Value, va+vb, studentQuantile(level, df), level)
	e.Numerator, e.Denominator = a.Sum, a.N
	e.Warnings = append(e.Warnings, pairWarnings(meanA, meanB)...)
	return e
}

// disjoint makes two cohorts that share observations into groups that do not, and says by what
// the difference between the groups must be multiplied to be that between the cohorts: where one
// cohort contains the other, it is compared without it, and the factor is the share that is left.
// Where they merely overlap, shared observations stay with the first and the factor is 1.
func disjoint(a, b, shared []Cell) (groupA, groupB []Cell, factor float64, warnings []string, err error) {
	nA, nB, both := Total(a).N, Total(b).N, Total(shared).N
	switch {
	case nA == 0 || nB == 0:
		err = fault.Invalidf("a cohort without observations cannot be compared (%s and %s observations)", formatCount(nA),
			formatCount(nB))
		return nil, nil, 0, nil, err
	case both == 0:
		return a, b, 1, nil, nil
	case both == nA && both == nB:
		return nil, nil, 0, nil, fault.Invalidf("the two cohorts are the same observations: there is nothing to compare")
	case both == nB:
		if a, err = Subtract(a, shared); err != nil {
			return nil, nil, 0, nil, err
		}
		warnings = append(warnings, "the first cohort contains the second: the rest of it is compared with the second, and "+
			"differences are scaled to the whole")
		return a, b, (nA - nB) / nA, warnings, nil
	}
	if b, err = Subtract(b, shared); err != nil {
		return nil, nil, 0, nil, err
	}
	if both == nA {
		warnings = append(warnings, "the second cohort contains the first: the first is compared with the rest of it, and "+
			"differences are scaled to the whole")
		return a, b, (nB - nA) / nB, warnings, nil
	}
	warnings = append(warnings, formatCount(both)+" observations are in both cohorts; the first is compared with the "+
		"rest of the second")
	return a, b, 1, warnings, nil
}

// Equivalence is the answer of two one-sided tests whether a difference lies within ±Margin.
type Equivalence struct {
	Gap            Estimate // at level 1 - 2α: the gap is equivalent when this interval is inside ±Margin
	Margin         float64
	Alpha          float64 // 1 - level
	PLower, PUpper float64 // one-sided p values against gap <= -Margin, gap >= Margin
	PValue         float64 // the larger of the two; NaN where undecided
	Decided        bool    // is there an interval to decide by?
	Equivalent     bool    // PValue < Alpha
	Warnings       []string
}

// TestEquivalence asks whether an estimated difference is smaller than margin either way, by two
// one-sided tests (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657) at α = 1 - level:
// z = (gap ± margin)/SE, normal. The margin must be stated before looking; not to reject is no
// proof of a difference, as p > 0.05 is no proof of equality. A gap without a standard error is
// undecided: the p values are NaN with a warning. A gap by clusters has Student's distribution in place of
// the normal, with its degrees of freedom. For cohorts of independent observations TestEquivalenceOfGap
// has the interval of their gap.
func TestEquivalence(gap Estimate, margin, level float64) (Equivalence, error) {
	if err := checkMargin(margin, level); err != nil {
		return Equivalence{}, err
	}
	q := Equivalence{Margin: margin, Alpha: 1 - level, Warnings: gap.Warnings}
	method, df := "normal, for two one-sided tests", math.Inf(1)
	quantile := normalQuantile(2*level - 1)
	if gap.Design != nil && gap.Design.DF > 0 {
		method, df = "Student t, cluster-robust, for two one-sided tests", gap.Design.DF
		quantile = studentQuantile(2*level-1, df)
	}
	tail := func(t float64) float64 { // P(T > t)
		switch {
		case math.IsNaN(t):
			return t
		case t < 0:
			return 1 - twoSided(t, df)/2
		}
		return twoSided(t, df) / 2
	}
	q.Gap = scaledEstimate(method, gap.Value, gap.SE*gap.SE, quantile, 2*level-1)
	q.Gap.Numerator, q.Gap.Denominator, q.Gap.Design = gap.Numerator, gap.Denominator, gap.Design
	q.decide(tail((gap.Value+margin)/gap.SE), tail((margin-gap.Value)/gap.SE))
	return q, nil
}

// TestEquivalenceOfProportions is TestEquivalence for x1/n1 - x2/n2 with the score statistic of
// Farrington and Manning (1990, Stat. Med. 9:1447): the variance is that under a difference of
// exactly -margin or margin, so that groups with all or none are decided too. The interval holds the
// differences that the same statistic does not reject, so that it lies inside ±margin where the tests
// say so.
func TestEquivalenceOfProportions(x1, n1, x2, n2, margin, level float64) (Equivalence, error) {
	if err := checkMargin(margin, level); err != nil {
		return Equivalence{}, err
	}
	q := Equivalence{Margin: margin, Alpha: 1 - level}
	var ok bool
	q.Gap, _, _, ok = twoProportions("Farrington-Manning score", x1, n1, x2, n2, 2*level-1)
	q.Warnings = q.Gap.Warnings
	switch {
	case !ok:
		q.decide(math.NaN(), math.NaN())
		return q, nil
	case margin > 1: // no difference of shares is as large
		q.decide(0, 0)
	default:
		q.decide(normalTail(scoreStatistic(x1, n1, x2, n2, -margin, 1)),
			normalTail(-scoreStatistic(x1, n1, x2, n2, margin, 1)))
	}
	q.Gap.scoreBounds(x1, n1, x2, n2, 1)
	return q, nil
}

// TestEquivalenceOfGap is TestEquivalence for two cohorts given as totals, of which shared is what both
// contain. Shares of cohorts that have nothing in common, or of which one contains the other, have the
// tests of TestEquivalenceOfProportions, of the part that is theirs alone; else the tests ask at which α
// the interval of Gap at 1 - 2α reaches the margin.
func TestEquivalenceOfGap(a, b, shared Cell, margin, level float64) (Equivalence, error) {
	if err := checkMargin(margin, level); err != nil {
		return Equivalence{}, err
	}
	gap := Gap(a, b, shared, 2*level-1)
	less := func(c Cell) Cell {
		return Cell{N: c.N - shared.N, Sum: c.Sum - shared.Sum, SumSq: c.SumSq - shared.SumSq}
	}
	inA, inB, factor := a, b, 1.0
	switch {
	case shared.N == a.N && shared.N < b.N:
		inB = less(b)
		factor = inB.N / b.N
	case shared.N == b.N && shared.N < a.N:
		inA = less(a)
		factor = inA.N / a.N
	}
	if !math.IsNaN(gap.Value) && a.IsIndicator() && b.IsIndicator() && (shared.N == 0 || factor < 1) {
		q, err := TestEquivalenceOfProportions(inA.Sum, inA.N, inB.Sum, inB.N, margin/factor, level)
		if err != nil {
			return q, err
		}
		q.Gap = q.Gap.scale(factor)
		if factor < 1 {
			q.Gap.Method += ", scaled from the gap to the rest"
		}
		q.Margin, q.Warnings = margin, gap.Warnings
		q.Gap.Numerator, q.Gap.Denominator, q.Gap.Warnings = gap.Numerator, gap.Denominator, gap.Warnings
		return q, nil
	}
	q := Equivalence{Gap: gap, Margin: margin, Alpha: 1 - level, Warnings: gap.Warnings}
	if !(gap.Lower < gap.Upper) {
		q.decide(math.NaN(), math.NaN())
		return q, nil
	}
	// reached is the α at which a bound, which moves inwards with α, reaches a value.
	reached := func(above func(e Estimate) bool) float64 {
		low, high := 0.0, 1.0
		for range 60 {
			alpha := (low + high) / 2
			at := Gap(a, b, shared, math.Max(1e-15, math.Abs(1-2*alpha)))
			if alpha > 0.5 { // the bounds have changed places
				at.Lower, at.Upper = at.Upper, at.Lower
			}
			if above(at) {
				low = alpha
			} else {
				high = alpha
			}
		}
		return high
	}
	q.decide(reached(func(e Estimate) bool { return e.Lower <= -margin }),
		reached(func(e Estimate) bool { return e.Upper >= margin }))
	return q, nil
}

func (q *Equivalence) decide(pLower, pUpper float64) {
	q.PLower, q.PUpper, q.PValue = pLower, pUpper, math.Max(pLower, pUpper)
	if math.IsNaN(q.PValue) {
		q.Warnings = append(q.Warnings, "the gap has no interval: equivalence is undecided")
		return
	}
	q.Decided, q.Equivalent = true, q.PValue < q.Alpha
}

func checkMargin(margin, level float64) error {
	if err := CheckLevel(level); err != nil {
		return err
	}
	if level <= 0.5 {
		return fault.Invalidf("level %g leaves two one-sided tests no interval; it must be above 0.5, 0.95 is usual", level)
	}
	if !(margin > 0) || math.IsInf(margin, 0) {
		return fault.Invalidf("margin %g is not a positive difference, such as 0.02 for 2 percentage points", margin)
	}
	return nil
}

// normalTail is P(Z > z).
func normalTail(z float64) float64 { return 0.5 * math.Erfc(z/math.Sqrt2) }
