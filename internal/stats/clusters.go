package stats

import (
	"fmt"
	"math"
	"slices"
)

// A SampleDesign says which likeness of observations the uncertainty of an estimate allows for. An
// estimate without one takes observations as independent.
type SampleDesign struct {
	Unit string // what a cluster is, e.g. "area"; for the caller to name, who chose Cell.Cluster
	// Clusters with observations on the first side and on the second, which is 0 of one cohort alone. A
	// cluster that stands on both counts in both.
	ClustersA, ClustersB int
	// DF are the degrees of freedom of Student's quantile in the interval; NaN where there is none.
	DF float64
	// DesignEffect is the variance over that of as many independent observations; NaN if that is unknown.
	DesignEffect float64
}

// sides are the sums of two cohorts by cluster. A cluster that stands on both sides is one: what moves it
// moves both. Of one cohort alone b is empty.
type sides struct {
	a, b           []sums // by cluster
	totalA, totalB sums
	index          levelIndex // of Cell.Cluster, as far as sidesOf lined them up
	names          [2]string  // how a reason calls the sides
	countA, countB int        // of clusters, where groups of them stand here; else 0
}

var cohorts = [2]string{"the first cohort is", "the second cohort is"}

func sidesOf(a, b []Cell) *sides {
	cells := [][]Cell{a, b}
	index := indexClusters(cells)
	n := len(index.levels)
	s := &sides{a: make([]sums, n), b: make([]sums, n), index: index, names: cohorts}
	for side, into := range [][]sums{s.a, s.b} {
		for _, c := range cells[side] {
			if c.N > 0 {
				into[index.of(c.Cluster)].add(sums{c.N, c.Sum, c.SumSq})
			}
		}
	}
	for g := range n {
		s.totalA.add(s.a[g])
		s.totalB.add(s.b[g])
	}
	return s
}

// leverages are the shares of a cluster in the observations of either side.
func (s *sides) leverages(g int) (a, b float64) {
	if s.a[g].n > 0 {
		a = s.a[g].n / s.totalA.n
	}
	if s.b[g].n > 0 {
		b = s.b[g].n / s.totalB.n
	}
	return a, b
}

// means are what each cluster moves wA·mean(a) + wB·mean(b) by. Their squares add up to the variance
// after Bell and McCaffrey (2002, Survey Methodology 28:169): each residual sum is divided by the root of
// what its cluster leaves to others, so that without clustering the variance is right on average (CR2). A
// cluster that leaves nothing is NaN.
func (s *sides) means(wA, wB float64) []float64 {
	moves := make([]float64, len(s.a))
	move := func(w float64, c, total sums, leverage float64) float64 {
		switch {
		case c.n == 0 || w == 0:
			return 0
		case leverage == 1:
			return math.NaN()
		}
		residual := c.y - total.mean()*c.n
		if math.Abs(residual) <= 1e-12*math.Max(math.Abs(c.y), math.Sqrt(c.n*c.q)) {
			return 0
		}
		return w * residual / total.n / math.Sqrt(1-leverage)
	}
	for g := range moves {
		a, b := s.leverages(g)
		moves[g] = move(wA, s.a[g], s.totalA, a) + move(wB, s.b[g], s.totalB, b)
	}
	return moves
}

func sumOfSquares(moves []float64) float64 { return dot(moves, moves) }

// bySide divides the variance of moves among the sides; that of a cluster that stands on both by its
// shares in them.
func (s *sides) bySide(moves []float64) (a, b float64) {
	for g, m := range moves {
		inA, inB := s.leverages(g)
		if inA > 0 {
			a += m * m * inA / (inA + inB)
		}
		if inB > 0 {
			b += m * m * inB / (inA + inB)
		}
	}
	return a, b
}

// freedom is Satterthwaite's number of degrees of freedom of a variance that is expected to come from the
// sides in the ratio vA : vB and within each from clusters by their observations (Bell, McCaffrey 2002;
// Pustejovsky, Tipton 2018, J. Bus. Econ. Stat. 36:672). With the ratio 1/nA : 1/nB it is that of CR2 in a
// regression on the side; with the ratio of the variances as estimated the side whose clusters are few
// decides, if it is what the variance comes from (as in Welch's test), however many the other has.
func (s *sides) freedom(vA, vB float64) float64 {
	var trace, squares, across float64
	var aa, ab, bb float64
	for g := range s.a {
		la, lb := s.leverages(g)
		var own, da, db float64
		if la > 0 && la < 1 {
			own += vA * la / (1 - la)
			da = la * math.Sqrt(vA/(1-la))
		}
		if lb > 0 && lb < 1 {
			own += vB * lb / (1 - lb)
			db = lb * math.Sqrt(vB/(1-lb))
		}
		trace += own - da*da - db*db
		squares += own * own
		across += own * (da*da + db*db)
		aa, ab, bb = aa+da*da, ab+da*db, bb+db*db
	}
	return trace * trace / (squares - 2*across + aa*aa + 2*ab*ab + bb*bb)
}

// single says why there is no telling how clusters differ, or "".
func (s *sides) single() string {
	a, b := s.counts()
	const tells = "in a single cluster, which tells nothing about how clusters differ: there is no standard error and " +
		"no interval"
	switch {
	case b == 0 && a == 1:
		return "all observations are " + tells
	case a == 1 && b == 1:
		return "each side is " + tells
	case a == 1:
		return s.names[0] + " " + tells
	case b == 1:
		return s.names[1] + " " + tells
	}
	return ""
}

func (s *sides) counts() (a, b int) {
	if s.countA+s.countB > 0 {
		return s.countA, s.countB
	}
	for g := range s.a {
		if s.a[g].n > 0 {
			a++
		}
		if s.b[g].n > 0 {
			b++
		}
	}
	return a, b
}

// fewDF is the number of degrees of freedom below which Satterthwaite's approximation is poor
// (Pustejovsky, Tipton 2018).
const fewDF = 4

// clustered gives e, an estimate as if observations were independent, the standard error of the moves of
// clusters and the design that this is for. The bounds are value ± q·SE with q the quantile that is
// returned, NaN where there is no interval.
func (s *sides) clustered(e *Estimate, moves []float64, df float64) (q float64) {
	missing := 0
	for _, m := range moves {
		if math.IsNaN(m) {
			missing++
		}
	}
	if missing > 0 {
		reason := s.single()
		if reason == "" {
			reason = fmt.Sprintf("without one of its clusters it cannot be estimated (%d of %d): how clusters differ cannot be "+
				"told, and there is no standard error and no interval", missing, len(moves))
		}
		e.Design = s.sampleDesign()
		e.withoutInterval(reason)
		return math.NaN()
	}
	return s.design(e, sumOfSquares(moves), df)
}

// freedomOf are the degrees of freedom of moves, by what they say the sides add.
func (s *sides) freedomOf(moves []float64) float64 {
	return s.freedom(s.bySide(moves))
}

// freedomOfBoth are those of what both sides are compared in. Variances as estimated of few clusters are
// often too small and then leave the decision to the other side: degrees of freedom are no more than those of
// observations of equal variance.
func (s *sides) freedomOfBoth(moves []float64) float64 {
	vA, vB := s.bySide(moves)
	df := s.freedom(vA, vB)
	if vA > 0 && vB > 0 {
		df = math.Min(df, s.freedom(1/s.totalA.n, 1/s.totalB.n))
	}
	return df
}

// design is clustered for a variance with its degrees of freedom, of which there are 0 if a cluster alone
// decides what is estimated.
func (s *sides) design(e *Estimate, variance, df float64) (q float64) {
	e.Design = s.sampleDesign()
	independent := e.SE
	e.SE = math.Sqrt(math.Max(0, variance))
	switch {
	case df == 0:
		reason := s.single()
		if reason == "" {
			reason = "one cluster alone decides it, so that there is no telling how it differs between clusters: it has no " +
				"standard error and no interval"
		}
		e.withoutInterval(reason)
		return math.NaN()
	case !(e.SE > roundingOfSE*math.Abs(e.Value)) || !(df > 0) || variance <= s.noise():
		e.withoutInterval("clusters do not differ in what this is made of, which is no certainty: it has no standard " +
			"error and no interval")
		return math.NaN()
	}
	e.Warnings = slices.DeleteFunc(slices.Clone(e.Warnings), func(w string) bool { return w == nothingVaries })
	e.Design.DF, e.Design.DesignEffect = df, e.SE*e.SE/(independent*independent)
	if df < fewDF {
		e.warnf("the interval rests on %.2g degrees of freedom, so few are the clusters on the smaller side: in simulation "+
			"95 %% intervals of 5 clusters covered 95 to 98 %%, of 2 or 3 clusters 97 to 100 %%", df)
	}
	q = studentQuantile(e.Level, df)
	e.Lower, e.Upper = e.Value-q*e.SE, e.Value+q*e.SE
	return q
}

// noise is a variance that rounding leaves of 0, beside the mean square of the observations.
func (s *sides) noise() float64 {
	return 1e-22 * (s.totalA.q + s.totalB.q) / (s.totalA.n + s.totalB.n)
}

func (s *sides) sampleDesign() *SampleDesign {
	a, b := s.counts()
	return &SampleDesign{ClustersA: a, ClustersB: b, DF: math.NaN(), DesignEffect: math.NaN()}
}

// insideUnit moves the bounds value ± half of a share on the scale of its log odds, so that they are
// between 0 and 1.
func (e *Estimate) insideUnit(half float64) {
	p := e.Value
	odds := math.Log(p / (1 - p))
	e.Lower, e.Upper = logistic(odds-half/(p*(1-p))), logistic(odds+half/(p*(1-p)))
}

// ClusteredMean estimates the mean or share over cells whose observations are alike within Cluster: the
// variance is CR2, the interval Student's with Satterthwaite's degrees of freedom (see SampleDesign),
// which G clusters of equal size give G-1 of; that of a share is made on the scale of its log odds and so
// stays between 0 and 1. It is never narrower than as many independent observations would have it: a
// variance of few clusters can be small by chance. One cluster tells nothing of how clusters differ and
// leaves no interval; a share of 0 or 1 neither, and has that of independent observations, with a
// warning.
func ClusteredMean(cells []Cell, level float64) Estimate {
	e := meanEstimate(Total(cells), level)
	if math.IsNaN(e.Value) || CheckLevel(level) != nil {
		return e
	}
	s := sidesOf(cells, nil)
	moves := s.means(1, 0)
	e.mean(s, moves, s.freedomOfBoth(moves), s.totalA.indicator())
	return e
}

// mean is ClusteredMean for an estimate as of independent observations and the moves of clusters.
func (e *Estimate) mean(s *sides, moves []float64, df float64, indicator bool) {
	plain := *e
	q := s.clustered(e, moves, df)
	switch {
	case indicator && (e.Value <= 0 || e.Value >= 1) && s.single() == "":
		e.Lower, e.Upper, e.Warnings = plain.Lower, plain.Upper, plain.Warnings
		e.warnf("all or none have it, so that there is no telling how clusters differ: the interval takes observations " +
			"as independent")
		return
	case math.IsNaN(q):
		return
	}
	e.Method = "Student t, cluster-robust"
	half := q * e.SE
	if plain.SE > 0 {
		half = math.Max(half, normalQuantile(e.Level)*plain.SE)
	}
	e.Lower, e.Upper = e.Value-half, e.Value+half
	if indicator {
		e.Method = "log odds, Student t, cluster-robust"
		e.insideUnit(half)
	}
}

func (s sums) indicator() bool { return Cell{N: s.n, Sum: s.y, SumSq: s.q}.IsIndicator() }

// ClusteredGap is Gap for cells whose observations are alike within Cluster. The variance is CR2, of both
// sides together where a cluster stands on both, and the degrees of freedom Satterthwaite's with the
// variances of the sides as estimated, so that the side with few clusters decides, and no more than with
// equal variances of observations. The gap of shares has
// the interval that squares and adds those of both (see ClusteredMean; Zou, Donner 2008, Stat. Med.
// 27:1693), which stays between -1 and 1; that of means is value ± t·SE. A cohort in one cluster, as a
// single area beside all municipalities, leaves no interval.
//
// In simulation with places that differ by a standard deviation of 0.15 and 0.3 on the log odds, 5 to 100 of
// them beside 98, 95 % intervals covered 94 to 97 %, those of independent persons 62 to 91 %.
//
// Where one cohort contains the other it is compared without it, and the gap scaled to the whole.
func ClusteredGap(a, b, shared []Cell, level float64) Estimate {
	s, e, factor := clusteredPair(a, b, shared, level)
	if s == nil {
		return e
	}
	e.gap(s, s.means(1, 0), s.means(0, -1), 1/factor)
	return e
}

// MeanByDesignEffect estimates a mean or share where the design effect is known from elsewhere and clusters
// are not told: observations are as good as n over the design effect independent ones, which is at least 1.
func MeanByDesignEffect(total Cell, designEffect, level float64) Estimate {
	e := meanEstimate(total.effective(designEffect), level)
	e.byDesignEffect(total, designEffect)
	return e
}

// GapByDesignEffect is Gap so (see MeanByDesignEffect), with one design effect for both cohorts.
func GapByDesignEffect(a, b, shared Cell, designEffect, level float64) Estimate {
	e := Gap(a.effective(designEffect), b.effective(designEffect), shared.effective(designEffect), level)
	e.byDesignEffect(a, designEffect)
	return e
}

// effective are the sums of as many independent observations.
func (c Cell) effective(designEffect float64) Cell {
	designEffect = math.Max(1, designEffect)
	return Cell{N: c.N / designEffect, Sum: c.Sum / designEffect, SumSq: c.SumSq / designEffect}
}

func (e *Estimate) byDesignEffect(counted Cell, designEffect float64) {
	if !math.IsNaN(e.Numerator) {
		e.Numerator = counted.Sum
	}
	if !math.IsNaN(e.Denominator) {
		e.Denominator = counted.N
	}
	e.Method += ", by a known design effect"
	e.Design = &SampleDesign{DF: math.NaN(), DesignEffect: math.Max(1, designEffect)}
}

// clusteredPair lines up the clusters of two cohorts, and gives their gap as if observations were
// independent: it is factor times the difference of the sides. It gives no sides if there is no gap.
func clusteredPair(a, b, shared []Cell, level float64) (s *sides, gap Estimate, factor float64) {
	totalA, totalB, both := Total(a), Total(b), Total(shared)
	gap = Gap(totalA, totalB, both, level)
	if math.IsNaN(gap.Value) || both.N == totalA.N && both.N == totalB.N {
		return nil, gap, 1
	}
	factor = 1
	if both.N > 0 && (both.N == totalA.N || both.N == totalB.N) {
		restA, restB, scale, _, err := disjoint(a, b, shared)
		if err != nil {
			return nil, undefined(gap.Method, level, "%v", err), 1
		}
		a, b, factor = restA, restB, scale
	}
	return sidesOf(a, b), gap, factor
}

// gap gives e, the difference of two means over scale as of independent observations, the interval of the
// moves of clusters through either side.
func (e *Estimate) gap(s *sides, throughA, throughB []float64, scale float64) {
	plain := *e
	a := meanEstimate(Cell{N: s.totalA.n, Sum: s.totalA.y, SumSq: s.totalA.q}, e.Level)
	b := meanEstimate(Cell{N: s.totalB.n, Sum: s.totalB.y, SumSq: s.totalB.q}, e.Level)
	shares := s.totalA.indicator() && s.totalB.indicator()
	e.difference(s, a, b, throughA, throughB, s.freedomOfBoth(sumOf(throughA, throughB)), shares, scale)
	e.Numerator, e.Denominator = plain.Numerator, plain.Denominator
}

// difference gives e = (a - b)/scale the interval of the moves of clusters through a and through b.
func (e *Estimate) difference(s *sides, a, b Estimate, throughA, throughB []float64, df float64, shares bool,
	scale float64) {
	e.Value, e.SE = e.Value*scale, e.SE*scale
	q := s.clustered(e, sumOf(throughA, throughB), df)
	e.Method = "Student t, cluster-robust"
	if shares && !math.IsNaN(q) {
		vA, vB, cov := sumOfSquares(throughA), sumOfSquares(throughB), -dot(throughA, throughB)
		rho := 0.0
		if vA > 0 && vB > 0 {
			rho = math.Max(-1, math.Min(1, cov/math.Sqrt(vA*vB)))
		}
		for _, side := range []struct {
			e *Estimate
			v float64
		}{{&a, vA}, {&b, vB}} {
			if side.v > 0 && side.e.Value > 0 && side.e.Value < 1 {
				side.e.insideUnit(q * math.Sqrt(side.v))
			}
		}
		with := *e
		e.squareAndAdd(a, b, rho, e.SE*e.SE)
		with.Lower, with.Upper = e.Lower, e.Upper
		*e = with
		e.Method = "square-and-add of log odds, Student t, cluster-robust"
	}
	*e = e.scale(1 / scale)
}

func sumOf(x, y []float64) []float64 {
	out := make([]float64, len(x))
	for i := range out {
		out[i] = x[i] + y[i]
	}
	return out
}

// ClusteredRatio is the ratio of two means or shares for cells whose observations are alike within
// Cluster: exp(log ratio ± t·SE), variance and degrees of freedom as in ClusteredGap, of which the
// logarithm is a linear combination in its neighbourhood. Observations in both cohorts stay with the
// first. Means that are not both above 0 have no ratio with an interval.
func ClusteredRatio(a, b, shared []Cell, level float64) Estimate {
	const method = "log, Student t, cluster-robust"
	rest, err := Subtract(b, shared)
	if err != nil {
		return undefined(method, level, "%v", err)
	}
	s := sidesOf(a, rest)
	x, y := s.totalA, s.totalB
	e := Ratio(x.y, x.n, y.y, y.n, level)
	if !(x.y > 0 && y.y > 0) {
		if !math.IsNaN(e.Lower) || !math.IsNaN(e.Upper) {
			e.warnf("the interval takes observations as independent")
		}
		return e
	}
	if !(x.indicator() && y.indicator()) {
		e = Estimate{Value: x.mean() / y.mean(), Level: level, Numerator: x.y, Denominator: x.n}
		va, vb := x.variance()/x.n/(x.mean()*x.mean()), y.variance()/y.n/(y.mean()*y.mean())
		e.SE = e.Value * math.Sqrt(va+vb)
	}
	moves := s.means(1/x.mean(), -1/y.mean())
	e.ratio(s, moves, s.freedomOfBoth(moves))
	e.Method = method
	return e
}

// ratio gives e, a ratio as of independent observations, the interval of the moves of its logarithm.
func (e *Estimate) ratio(s *sides, moves []float64, df float64) {
	log := *e
	log.Value, log.SE = 0, e.SE/e.Value
	q := s.clustered(&log, moves, df)
	e.Design, e.Warnings = log.Design, log.Warnings
	if math.IsNaN(q) {
		e.SE, e.Lower, e.Upper = math.NaN(), math.NaN(), math.NaN()
		return
	}
	*e = e.onLogScale(log.SE*log.SE, q)
}

// ClusteredTrend is Trend for cells whose observations are alike within Cluster, as the answers of one
// person in several years: Key[0] is the index of the group in scores. The slope is that of the
// regression of the outcome on the score, with CR2 and Satterthwaite's degrees of freedom; ChiSquare and
// Z are of its t statistic. Departure from the line is not tested.
func ClusteredTrend(cells []Cell, scores []float64, level float64) (*TrendTest, error) {
	x, n := make([]float64, len(scores)), make([]float64, len(scores))
	for _, c := range cells {
		if len(c.Key) == 0 || c.Key[0] < 0 || c.Key[0] >= len(scores) {
			return nil, fmt.Errorf("cell %v is of none of the %d groups", c.Key, len(scores))
		}
		x[c.Key[0]], n[c.Key[0]] = x[c.Key[0]]+c.Sum, n[c.Key[0]]+c.N
	}
	out, err := Trend(x, n, scores, level)
	if err != nil {
		return nil, err
	}
	// In units of the range, as in Trend.
	low, high := math.Inf(1), math.Inf(-1)
	for i := range scores {
		if n[i] > 0 {
			low, high = math.Min(low, scores[i]), math.Max(high, scores[i])
		}
	}
	unit := high - low
	patterns := make([]Pattern, 0, len(cells))
	for _, c := range cells {
		patterns = append(patterns, Pattern{X: []float64{1, (scores[c.Key[0]] - low) / unit}, Cluster: c.Cluster, N: c.N,
			Sum: c.Sum, SumSq: c.SumSq})
	}
	fit, err := Fit(FreeDesign("score"), patterns, FitOptions{Covariance: Clustered})
	if err != nil {
		return nil, err
	}
	plain := out.Slope.SE
	out.Slope = fit.Coefficient(1, level).scale(1 / unit)
	out.Slope.Denominator = fit.Observations
	if d := out.Slope.Design; d != nil {
		d.DesignEffect = out.Slope.SE * out.Slope.SE / (plain * plain)
	}
	out.Departure, out.DepartureP = math.NaN(), math.NaN()
	t := out.Slope.Value / out.Slope.SE
	out.Z, out.ChiSquare, out.PValue = t, t*t, math.NaN()
	if out.Slope.SE > 0 {
		out.PValue = twoSided(t, out.Slope.Design.DF)
	}
	return out, nil
}
