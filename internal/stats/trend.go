package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// TrendTest is a test for a linear trend in proportions.
type TrendTest struct {
	ChiSquare float64 // of the trend, 1 degree of freedom
	PValue    float64 // two-sided
	Z         float64 // ChiSquare with the sign of the slope: √ChiSquare
	// Departure is what a line leaves of the differences between groups, k - 2 degrees of freedom.
	Departure   float64
	DepartureDF float64
	DepartureP  float64  // NaN for two groups
	Slope       Estimate // change in the proportion per unit of score
	Warnings    []string
}

// Trend tests for a linear trend in x[i] of n[i] over scores (Cochran 1954; Armitage 1955, Biometrics
// 11:375). With p the overall proportion and s̄ the n-weighted mean score
//
//	T = Σ x (s - s̄),  V = p(1-p) Σ n (s - s̄)²,  X² = T²/V
//
// on 1 degree of freedom; departure from the line is Pearson's X² less that, on k - 2. The slope
// is that of the n-weighted regression of the proportions, with a normal interval from the groups'
// own variances. Groups without observations are skipped. No variation in outcome or score is an
// error. Observations must be independent: cohorts that hold the same children in several years
// are not.
func Trend(x, n, scores []float64, level float64) (*TrendTest, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if len(x) != len(n) || len(x) != len(scores) {
		return nil, fault.Invalidf("%d counts, %d denominators and %d scores do not go together", len(x), len(n), len(scores))
	}
	var sumX, sumN, sumS float64
	low, high := math.Inf(1), math.Inf(-1) // scores
	groups := 0
	small := false
	for i := range x {
		if !(n[i] >= 0 && x[i] >= 0 && x[i] <= n[i]) || math.IsInf(n[i], 0) || math.IsNaN(scores[i]) ||
			math.IsInf(scores[i], 0) {
			return nil, fault.Invalidf("group %d: %g of %g at score %g is not a proportion at a score", i+1, x[i], n[i],
				scores[i])
		}
		if n[i] == 0 {
			continue
		}
		groups++
		sumX, sumN = sumX+x[i], sumN+n[i]
		low, high = math.Min(low, scores[i]), math.Max(high, scores[i])
	}
	if groups < 2 {
		return nil, fault.Invalidf("%d group with observations; a trend needs at least two", groups)
	}
	p := sumX / sumN
	if sumX == 0 || sumX == sumN {
		return nil, fault.Invalidf("the outcome does not vary: %g of %g have it; there is no trend to test", sumX, sumN)
	}
	// Scores count from the lowest in units of their range, so that neither a small unit nor a far
	// origin, as of dates, costs digits.
	unit := high - low
	if !(unit > 0) || math.IsInf(unit, 0) {
		return nil, fault.Invalidf("the scores go from %g to %g; a trend needs at least two scores, a finite distance apart",
			low, high)
	}
	for i := range x {
		if n[i] > 0 {
			sumS += n[i] * (scores[i] - low) / unit
		}
	}
	mean := sumS / sumN
	var t, spread, pearson, slopeVariance float64
	for i := range x {
		if n[i] == 0 {
			continue
		}
		d := (scores[i]-low)/unit - mean
		own := x[i] / n[i]
		t += x[i] * d
		spread += n[i] * d * d
		pearson += n[i] * (own - p) * (own - p) / (p * (1 - p))
		slopeVariance += d * d * n[i] * own * (1 - own)
		small = small || n[i]*p < 5 || n[i]*(1-p) < 5
	}
	out := &TrendTest{ChiSquare: t * t / (p * (1 - p) * spread), DepartureDF: float64(groups - 2), DepartureP: math.NaN()}
	out.Z = math.Copysign(math.Sqrt(out.ChiSquare), t)
	out.PValue = chiSquareTail(out.ChiSquare, 1)
	out.Departure = math.Max(0, pearson-out.ChiSquare)
	if groups > 2 {
		out.DepartureP = chiSquareTail(out.Departure, out.DepartureDF)
	}
	out.Slope = normalEstimate("weighted least squares", t/spread, slopeVariance/(spread*spread), level).scale(1 / unit)
	out.Slope.Denominator = sumN
	if small {
		out.Warnings = append(out.Warnings,
			"a group expects fewer than 5 with or without the outcome: the p values are approximate")
	}
	return out, nil
}

// chiSquareTail is P(X² > x).
func chiSquareTail(x, df float64) float64 {
	return distuv.ChiSquared{K: df}.Survival(x)
}

// InequalityIndex is a gradient over ranked groups.
type InequalityIndex struct {
	Slope    Estimate // SII: value at the top of the ranking less value at the bottom, on the line
	Relative Estimate // RII: their ratio
	Bottom   float64  // the line at rank 0
	Warnings []string
}

// SlopeIndex is the slope index of inequality and the relative index of inequality over groups that
// are ordered by rank, e.g. deprivation quintiles (Mackenbach, Kunst 1997, Soc. Sci. Med. 44:757):
// the weighted least squares line of the groups' values on the midpoints of their ranges of
// cumulated population, weights the shares of population. SII is its slope, RII (a + SII)/a with a
// the line at rank 0.
//
// errors are the standard errors of the values. With them SII ± z·SE has the variance of a linear
// combination, RII that of its logarithm by the delta method; nil takes the scatter around the line
// instead, with k - 2 degrees of freedom. Fewer than two groups (three for nil) are an error.
func SlopeIndex(values, populations, errors []float64, level float64) (*InequalityIndex, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	k := len(values)
	if len(populations) != k || errors != nil && len(errors) != k {
		return nil, fault.Invalidf("%d values, %d populations and %d standard errors do not go together", k, len(populations),
			len(errors))
	}
	if k < 2 {
		return nil, fault.Invalidf("%d group; a gradient needs at least two", k)
	}
	var total float64
	for i := range values {
		if !(populations[i] > 0) || math.IsInf(populations[i], 0) || math.IsNaN(values[i]) || math.IsInf(values[i], 0) ||
			errors != nil && !(errors[i] >= 0) {
			return nil, fault.Invalidf("group %d has value %g and population %g; values must be finite, populations positive, "+
				"standard errors not negative", i+1, values[i], populations[i])
		}
		total += populations[i]
	}
	ridit, weight := make([]float64, k), make([]float64, k)
	var below, meanX, meanY float64
	for i := range values {
		weight[i] = populations[i] / total
		ridit[i] = below + weight[i]/2
		below += weight[i]
		meanX += weight[i] * ridit[i]
		meanY += weight[i] * values[i]
	}
	var spread float64
	for i := range values {
		spread += weight[i] * (ridit[i] - meanX) * (ridit[i] - meanX)
	}
	onSlope, onBottom := make([]float64, k), make([]float64, k) // weight of each value in slope and bottom
	var slope, bottom float64
	for i := range values {
		onSlope[i] = weight[i] * (ridit[i] - meanX) / spread
		onBottom[i] = weight[i] - meanX*onSlope[i]
		slope += onSlope[i] * values[i]
		bottom += onBottom[i] * values[i]
	}
	out := &InequalityIndex{Bottom: bottom}
	q, method := normalQuantile(level), "weighted least squares on ridits"
	variance := make([]float64, k)
	if errors != nil {
		for i, e := range errors {
			variance[i] = e * e
		}
	} else {
		method += ", scatter around the line"
		var rest, squares float64
		for i, v := range values {
			d := v - bottom - slope*ridit[i]
			rest += weight[i] * d * d
			squares += weight[i] * v * v
		}
		rest = leftOf(rest, squares)
		q = studentQuantile(level, float64(k-2))
		for i := range variance {
			variance[i] = rest / float64(k-2) / weight[i]
		}
	}
	var vSlope, vLog, all float64
	for i, v := range variance {
		all += v
		vSlope += onSlope[i] * onSlope[i] * v
		top := (onBottom[i]+onSlope[i])/(bottom+slope) - onBottom[i]/bottom
		vLog += top * top * v
	}
	if errors == nil && k == 2 {
		vSlope, vLog = math.NaN(), math.NaN()
		out.Warnings = append(out.Warnings, "two groups lie on any line: without standard errors there is no interval")
	}
	// the middle group's weight may be rounding
	out.Slope = scaledEstimate(method, slope, leftOf(vSlope, 1e-6*all), q, level)
	out.Slope.Denominator = total
	if !(bottom > 0 && bottom+slope > 0) {
		out.Relative = undefined(method, level, "the line is %g at the bottom and %g at the top: their ratio is undefined",
			bottom, bottom+slope)
		if bottom != 0 {
			out.Relative.Value = (bottom + slope) / bottom
		}
		return out, nil
	}
	out.Relative = Estimate{Value: (bottom + slope) / bottom, Level: level, Numerator: math.NaN(), Denominator: math.NaN(),
		Method: method + ", log delta"}
	out.Relative = out.Relative.onLogScale(vLog, q)
	return out, nil
}

// SlopeIndexOf is SlopeIndex for cells of one dimension whose categories are in order of rank; the
// values are means, their variances s²/n with divisor n.
func SlopeIndexOf(cells []Cell, level float64) (*InequalityIndex, error) {
	t, err := crossTabulate(cells, cells, nil, nil, false)
	if err != nil {
		return nil, err
	}
	if t.dims != 1 {
		return nil, fault.Invalidf("%d dimensions; a gradient is over one, in order of rank", t.dims)
	}
	var values, populations, errors []float64
	for _, v := range t.a {
		mean := v.mean()
		values, populations = append(values, mean), append(populations, v.n)
		errors = append(errors, math.Sqrt(v.variance()/v.n))
	}
	return SlopeIndex(values, populations, errors, level)
}
