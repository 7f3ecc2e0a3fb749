package stats

import (
	"math"
	"slices"
)

// Exact is a value without uncertainty of its own: Lower, Upper and SE are NaN.
func Exact(value, level float64) Estimate {
	nan := math.NaN()
	return Estimate{Value: value, Lower: nan, Upper: nan, SE: nan, Numerator: nan, Denominator: nan, Level: level, Method: "no interval"}
}

// Sum adds two independent estimates of the same level: variances add up, and the interval is
// value ± z·SE. Where either has no standard error the sum has none; what is true by construction, with
// an interval without width, leaves the other's as it is.
func Sum(a, b Estimate) Estimate {
	if a.SE == 0 {
		a, b = b, a
	}
	if b.SE == 0 {
		a.Value, a.Lower, a.Upper = a.Value+b.Value, a.Lower+b.Value, a.Upper+b.Value
		a.Warnings = append(slices.Clip(a.Warnings), b.Warnings...)
		return a
	}
	out := normalEstimate("sum of independent parts", a.Value+b.Value, a.SE*a.SE+b.SE*b.SE, a.Level)
	out.Warnings = append(append(out.Warnings, a.Warnings...), b.Warnings...)
	return out
}
