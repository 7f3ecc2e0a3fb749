package stats

import (
	"math"
	"slices"
)

// untold is a value whose uncertainty cannot be told: Lower, Upper and SE are NaN, and a warning says why.
func untold(value, level float64, reason string) Estimate {
	e := Estimate{Value: value, Level: level, Numerator: math.NaN(), Denominator: math.NaN(), Method: "no interval"}
	e.withoutInterval(reason)
	return e
}

// allInSupport is what observations out of the common support add where there are none: 0 by
// construction, with an interval without width.
func allInSupport(level float64) Estimate {
	return Estimate{Level: level, Numerator: math.NaN(), Denominator: math.NaN(), Method: "no observations out of support"}
}

// OutOfSupport is what observations out of the common support add to a gap in a decomposition that has
// no standard error for it.
func OutOfSupport(value float64, support Estimate) Estimate {
	if support.Value == 1 {
		return allInSupport(support.Level)
	}
	return untold(value, support.Level, "this method has no standard error and no interval of what is out of support")
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
