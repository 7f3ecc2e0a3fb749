// Package stats turns cells into estimates: pure functions, no I/O.
//
// A cell holds the sums of one stratum. All sums are additive, so that an estimate from cells
// equals the estimate from the rows behind them. Inputs are cells of one or two cohorts and a
// confidence level; results carry their interval, the name of the method, and warnings.
//
// Data that cover a whole register still get an interval. It speaks of the process that made
// them (a superpopulation), not of sampling from a list of persons.
//
// Where a quantity is undefined its value is NaN and a warning says why. Where nothing varies that an
// estimate is made of, as with nine answers of 4, the data do not tell how far off it is: that is no
// certainty. A share of 0 or 1, and what is made of such shares alone, then has a score interval if
// there is one, and no standard error; anything else has neither, and a warning says so. Only what is
// true by construction has an interval without width. Input that no estimate can be made from is an
// error of package fault. Nothing here panics on data, and nothing
// depends on the order of a map, so that the same cells give the same bits.
package stats

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// Cell is one stratum of a group: a combination of category codes with its sums.
type Cell struct {
	Key     []int   // category index per dimension, in the order of the dimensions asked for
	Cluster int     // what observations may be alike within, e.g. an area's index; read by what says so
	N       float64 // observations with a known value
	Sum     float64 // Σx; for an indicator the number of observations with it
	SumSq   float64 // Σx²; for an indicator equal to Sum
}

// Estimate is a number with its uncertainty. Value, Lower, Upper and SE are NaN where they are
// undefined; Warnings then says why.
type Estimate struct {
	Value        float64
	Lower, Upper float64       // bounds of the two-sided interval
	Level        float64       // confidence level of the interval, e.g. 0.95
	SE           float64       // standard error of Value
	Numerator    float64       // what was counted; NaN where the estimate is not a quotient of counts
	Denominator  float64       // observations behind Value
	Method       string        // the interval or estimator, e.g. "Wilson score"
	Design       *SampleDesign // what likeness of observations the interval allows for; nil for none
	Warnings     []string
}

// Total adds up cells, whatever their keys and clusters.
func Total(cells []Cell) Cell {
	var t Cell
	for _, c := range cells {
		t.N += c.N
		t.Sum += c.Sum
		t.SumSq += c.SumSq
	}
	return t
}

// IsIndicator tells whether the sums are those of values 0 and 1 only: Σx² = Σx and 0 <= Σx <= N.
func (c Cell) IsIndicator() bool {
	return c.Sum >= 0 && c.Sum <= c.N && math.Abs(c.SumSq-c.Sum) <= 1e-9*math.Max(1, c.Sum)
}

// Mean returns Sum/N, NaN for a cell without observations.
func (c Cell) Mean() float64 { return c.Sum / c.N }

// rounding is the share of a sum of squares below which what is left of it, after the mean or a
// prediction is taken away, is rounding: of the digits of a difference so small not one is sure.
const rounding = 1e-14

// leftOf is a difference of sums of squares, 0 if it is rounding beside them.
func leftOf(difference, squares float64) float64 {
	if difference <= rounding*squares {
		return 0
	}
	return difference
}

// squaredDeviations is Σ (x - x̄)², 0 without observations.
func (c Cell) squaredDeviations() float64 {
	if c.N == 0 {
		return 0
	}
	return leftOf(c.SumSq-c.Sum*c.Mean(), c.SumSq)
}

// meanVariance is that of the mean, s²/n; NaN for one observation.
func (c Cell) meanVariance() float64 {
	if c.N <= 1 {
		return math.NaN()
	}
	return c.squaredDeviations() / (c.N - 1) / c.N
}

// CheckLevel reports a confidence level that is not strictly between 0 and 1.
func CheckLevel(level float64) error {
	switch {
	case !(level > 0 && level < 1):
		return fault.Invalidf("confidence level %g is not between 0 and 1; 0.95 is usual", level)
	case level < smallestLevel:
		return fault.Invalidf("confidence level %g is so small that an interval of it has no width; 0.95 is usual", level)
	}
	return nil
}

// smallestLevel is the least for which the ends of an interval differ from its middle in every digit
// that is read.
const smallestLevel = 1e-6

// undefined is an estimate that cannot be given, with the reason.
func undefined(method string, level float64, format string, args ...any) Estimate {
	nan := math.NaN()
	return Estimate{
		Value: nan, Lower: nan, Upper: nan, SE: nan, Numerator: nan, Denominator: nan,
		Level: level, Method: method, Warnings: []string{fmt.Sprintf(format, args...)},
	}
}

// normalEstimate is value ± z·se.
func normalEstimate(method string, value, variance, level float64) Estimate {
	return scaledEstimate(method, value, variance, normalQuantile(level), level)
}

// scaledEstimate is value ± q·se for a quantile q of the reference distribution; without interval if
// nothing varies (see withoutSpread).
func scaledEstimate(method string, value, variance, q, level float64) Estimate {
	se := math.Sqrt(math.Max(variance, 0))
	if math.IsNaN(variance) || math.IsInf(variance, 0) { // an infinite one is undefined too
		se = math.NaN()
	}
	e := Estimate{
		Value: value, Lower: value - q*se, Upper: value + q*se, Level: level, SE: se,
		Numerator: math.NaN(), Denominator: math.NaN(), Method: method,
	}
	if se == 0 || se <= roundingOfSE*math.Abs(value) {
		e.withoutSpread()
	}
	return e
}

// roundingOfSE is the share of a value below which its standard error is what rounding leaves of 0: the
// root of the rounding of a variance, with a digit to spare.
const roundingOfSE = 1e-9

const nothingVaries = "nothing varies in what this is made of, which is no certainty: it has no standard error and " +
	"no interval"

// withoutSpread takes standard error and interval away where nothing varies.
func (e *Estimate) withoutSpread() { e.withoutInterval(nothingVaries) }

// withoutInterval takes standard error and interval away, and says why; the reason that is said last stands.
func (e *Estimate) withoutInterval(reason string) {
	e.SE, e.Lower, e.Upper = math.NaN(), math.NaN(), math.NaN()
	e.Warnings = slices.DeleteFunc(slices.Clone(e.Warnings),
		func(w string) bool { return w == nothingVaries || w == reason })
	e.Warnings = append(e.Warnings, reason)
}

// standardError is the root of a variance, NaN for a variance of 0.
func standardError(variance float64) float64 {
	if !(variance > 0) {
		return math.NaN()
	}
	return math.Sqrt(variance)
}

func (e *Estimate) warnf(format string, args ...any) {
	e.Warnings = append(e.Warnings, fmt.Sprintf(format, args...))
}

// scale multiplies an estimate by a constant that is taken as known.
func (e Estimate) scale(k float64) Estimate {
	e.Value, e.Lower, e.Upper, e.SE = e.Value*k, e.Lower*k, e.Upper*k, e.SE*math.Abs(k)
	if k < 0 {
		e.Lower, e.Upper = e.Upper, e.Lower
	}
	return e
}

// normalQuantile is z with P(|Z| < z) = level; NaN for a level outside (0, 1).
func normalQuantile(level float64) float64 {
	if CheckLevel(level) != nil {
		return math.NaN()
	}
	// The tail is exact where 0.5 + level/2 would round to 1.
	return -distuv.UnitNormal.Quantile((1 - level) / 2)
}

// studentQuantile is t with P(|T| < t) = level at df degrees of freedom. Above a million
// degrees of freedom it is the normal quantile, which differs by less than 1e-6 of itself.
func studentQuantile(level, df float64) float64 {
	switch {
	case CheckLevel(level) != nil || !(df > 0):
		return math.NaN()
	case df > 1e6:
		return normalQuantile(level)
	}
	return -distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile((1 - level) / 2)
}

func clip01(p float64) float64 { return math.Min(1, math.Max(0, p)) }

// formatCount writes a number of observations for a warning.
func formatCount(n float64) string {
	if n == math.Trunc(n) {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'g', 6, 64)
}
