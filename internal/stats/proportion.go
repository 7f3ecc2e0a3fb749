package stats

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// fewObservations is the number below which an estimate warns. It is the minimum that the
// UK's ACRO output rules ask of a cell (n >= 10).
const fewObservations = 10

// checkProportion returns the estimate x/n without an interval, and whether one can be added.
func checkProportion(method string, x, n, level float64) (Estimate, bool) {
	var e Estimate
	switch {
	case math.IsNaN(x) || math.IsNaN(n) || n < 0 || x < 0 || x > n || math.IsInf(n, 0):
		return undefined(method, level, "%g of %g is not a proportion", x, n), false
	case n == 0:
		e = undefined(method, level, "no observations")
		e.Numerator, e.Denominator = 0, 0
		return e, false
	}
	if err := CheckLevel(level); err != nil {
		return undefined(method, level, "%v", err), false
	}
	p := x / n
	e = Estimate{
		Value: p, Level: level, SE: standardError(p * (1 - p) / n),
		Numerator: x, Denominator: n, Method: method,
	}
	if n < fewObservations {
		e.warnf("fewer than %d observations", fewObservations)
	}
	return e, true
}

// Wilson estimates the proportion x/n with Wilson's score interval (Wilson 1927, JASA 22:209),
//
//	(x + z²/2 ± z √(x(1-p) + z²/4)) / (n + z²),
//
// clipped to [0, 1] and exact at its ends: the lower bound is 0 for x = 0, the upper 1 for
// x = n. SE is the plug-in √(p(1-p)/n), undefined at the ends; the interval does not use it.
// n = 0 gives NaN and a warning, as do counts that are no proportion. Averaged over p the
// interval covers close to its level; for one p and n it swings around it, as every
// interval for a count does.
func Wilson(x, n, level float64) Estimate {
	e, ok := checkProportion("Wilson score", x, n, level)
	if !ok {
		return e
	}
	e.Lower, e.Upper = wilsonBounds(x, n, normalQuantile(level))
	return e
}

func wilsonBounds(x, n, z float64) (lower, upper float64) {
	centre := x + z*z/2
	half := z * math.Sqrt(x*(1-x/n)+z*z/4)
	lower, upper = clip01((centre-half)/(n+z*z)), clip01((centre+half)/(n+z*z))
	if x == 0 {
		lower = 0
	}
	if x == n {
		upper = 1
	}
	return lower, upper
}

// ClopperPearson estimates x/n with the exact interval (Clopper, Pearson 1934, Biometrika
// 26:404), from quantiles of Beta(x, n-x+1) and Beta(x+1, n-x). It never covers less than its
// level, so on average it covers more and is wider than Wilson's. n = 0 gives NaN.
func ClopperPearson(x, n, level float64) Estimate {
	e, ok := checkProportion("Clopper-Pearson exact", x, n, level)
	if !ok {
		return e
	}
	tail := (1 - level) / 2
	e.Lower, e.Upper = 0, 1
	if x > 0 {
		// It holds x/n at every level; the inverse is good to some six digits of so many.
		e.Lower = math.Min(e.Value, mathext.InvRegIncBeta(x, n-x+1, tail))
	}
	if x < n {
		e.Upper = math.Max(e.Value, mathext.InvRegIncBeta(x+1, n-x, 1-tail))
	}
	return e
}

// AgrestiCoull estimates x/n with the interval of Agresti and Coull (1998, Am. Stat. 52:119):
// Wald's after adding z²/2 to x and z² to n, clipped to [0, 1]. Value stays x/n. n = 0 gives NaN.
func AgrestiCoull(x, n, level float64) Estimate {
	e, ok := checkProportion("Agresti-Coull", x, n, level)
	if !ok {
		return e
	}
	z := normalQuantile(level)
	n2 := n + z*z
	p := (x + z*z/2) / n2
	half := z * math.Sqrt(p*(1-p)/n2)
	e.Lower, e.Upper = clip01(p-half), clip01(p+half)
	return e
}

// Wald estimates x/n with p ± z·SE clipped to [0, 1]. It is here to reproduce published tables:
// it falls far short of its level for small n and for p near 0 or 1 (at n = 20 and p = 0.1 a
// 95 % interval covers 88 %), and is undefined at 0 and n. It warns; use Wilson.
func Wald(x, n, level float64) Estimate {
	e, ok := checkProportion("Wald", x, n, level)
	if !ok {
		return e
	}
	z := normalQuantile(level)
	e.Lower, e.Upper = clip01(e.Value-z*e.SE), clip01(e.Value+z*e.SE)
	if math.IsNaN(e.SE) {
		e.withoutSpread()
	}
	if x*(n-x) < 10*n {
		e.warnf("Wald's interval covers less than its level with so few observations; use Wilson's")
	}
	return e
}

// fewClusters is the number of clusters below which cluster-robust standard errors are known to
// be too small (Cameron, Miller 2015, J. Human Resources 50:317: between 20 and 50).
const fewClusters = 40

// byCluster adds up cells by their cluster, in ascending order of cluster; empty ones are left out.
func byCluster(cells []Cell) []Cell {
	sorted := append([]Cell(nil), cells...)
	slices.SortStableFunc(sorted, func(a, b Cell) int { return cmp.Compare(a.Cluster, b.Cluster) })
	var out []Cell
	for _, c := range sorted {
		if c.N == 0 {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Cluster != c.Cluster {
			out = append(out, Cell{Cluster: c.Cluster})
		}
		last := &out[len(out)-1]
		last.N += c.N
		last.Sum += c.Sum
		last.SumSq += c.SumSq
	}
	return out
}

// Mean estimates the mean of n independent observations from their sums, with Student's
// interval: mean ± t(n-1)·√(s²/n), s² = (Σx² - (Σx)²/n)/(n-1). It is exact for normal
// observations and good for others once n is in the tens. n = 0 gives NaN; n = 1, or observations that
// are all equal, give the value without an interval. s² loses digits where the mean is many times the
// standard deviation; from 1e7 times on they count as equal.
func Mean(n, sum, sumsq, level float64) Estimate {
	const method = "mean, Student t"
	if math.IsNaN(n+sum+sumsq) || n < 0 || math.IsInf(n+sum+sumsq, 0) {
		return undefined(method, level, "sums %g, %g over %g observations have no mean", sum, sumsq, n)
	}
	if err := CheckLevel(level); err != nil {
		return undefined(method, level, "%v", err)
	}
	if n == 0 {
		e := undefined(method, level, "no observations")
		e.Numerator, e.Denominator = 0, 0
		return e
	}
	mean := sum / n
	e := Estimate{
		Value: mean, Lower: math.NaN(), Upper: math.NaN(), SE: math.NaN(), Level: level,
		Numerator: sum, Denominator: n, Method: method,
	}
	if n <= 1 {
		e.warnf("one observation tells nothing about its uncertainty")
		return e
	}
	if n < fewObservations {
		e.warnf("fewer than %d observations", fewObservations)
	}
	if e.SE = standardError(Cell{N: n, Sum: sum, SumSq: sumsq}.meanVariance()); math.IsNaN(e.SE) {
		e.warnf("all %s observations are equal, which does not tell how far off their mean is: it has no standard error "+
			"and no interval", formatCount(n))
		return e
	}
	half := studentQuantile(level, n-1) * e.SE
	e.Lower, e.Upper = mean-half, mean+half
	return e
}

// Byar estimates a Poisson count with Byar's approximation (Breslow, Day 1987, vol. II, p. 69),
//
//	O(1 - 1/(9O) - z/(3√O))³ and (O+1)(1 - 1/(9(O+1)) + z/(3√(O+1)))³,
//
// as Public Health England uses it for O >= 10. A lower bound below 0 (O = 1 at level 0.998) is
// undefined and NaN, with a warning. For O = 0, where the formula divides by zero, the bounds are
// ExactCount's.
func Byar(count, level float64) Estimate {
	e, ok := checkCount("Byar", count, level)
	if !ok {
		return e
	}
	if count == 0 {
		return ExactCount(count, level)
	}
	z := normalQuantile(level)
	cube := func(o, sign float64) float64 {
		r := 1 - 1/(9*o) + sign*z/(3*math.Sqrt(o))
		return o * r * r * r
	}
	e.Lower, e.Upper = cube(count, -1), cube(count+1, 1)
	if e.Lower < 0 {
		e.Lower = math.NaN()
		e.warnf("Byar's lower bound is below 0, hence undefined; the exact interval has one")
	}
	return e
}

// ExactCount estimates a Poisson count with the exact interval (Garwood 1936), half the
// quantiles of χ² at 2O and 2O+2 degrees of freedom. The lower bound of 0 is 0.
func ExactCount(count, level float64) Estimate {
	e, ok := checkCount("exact Poisson", count, level)
	if !ok {
		return e
	}
	tail := (1 - level) / 2
	if count > 0 {
		e.Lower = gammaQuantile(tail, count)
	}
	e.Upper = gammaQuantile(1-tail, count+1)
	return e
}

func checkCount(method string, count, level float64) (Estimate, bool) {
	if math.IsNaN(count) || math.IsInf(count, 0) || count < 0 {
		return undefined(method, level, "%g is not a count", count), false
	}
	if err := CheckLevel(level); err != nil {
		return undefined(method, level, "%v", err), false
	}
	return Estimate{
		Value: count, SE: standardError(count), Level: level,
		Numerator: count, Denominator: math.NaN(), Method: method,
	}, true
}

// gammaQuantile is the p quantile of the Gamma distribution with the shape and scale 1.
func gammaQuantile(p, shape float64) float64 {
	return distuv.Gamma{Alpha: shape, Beta: 1}.Quantile(p)
}
