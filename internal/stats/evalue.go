package stats

import "math"

// EValue is how strong an unmeasured confounder would have to be to explain an effect away: the
// risk ratio it would need with the treatment and with the outcome, both, given the covariates
// (VanderWeele, Ding 2017, Ann. Intern. Med. 167:268). 1 means that nothing is needed.
type EValue struct {
	Point float64 // for the estimate
	Limit float64 // for the bound of the interval that is nearer to no effect; 1 if the interval holds no effect
}

// EValueOf takes a risk ratio: RR + √(RR(RR-1)), for RR below 1 of its inverse. NaN for a ratio
// that is undefined, 0 or infinite, and a NaN limit without an interval.
func EValueOf(ratio Estimate) EValue {
	if !(ratio.Value > 0) || math.IsInf(confounding(ratio.Value), 1) {
		return EValue{math.NaN(), math.NaN()}
	}
	v := EValue{Point: confounding(ratio.Value)}
	switch {
	case math.IsNaN(ratio.Lower) || math.IsNaN(ratio.Upper):
		v.Limit = math.NaN()
	case ratio.Lower <= 1 && ratio.Upper >= 1:
		v.Limit = 1
	case ratio.Lower > 1:
		v.Limit = confounding(ratio.Lower)
	default:
		v.Limit = confounding(ratio.Upper)
	}
	return v
}

// EValueOfDifference takes a difference of means and the standard deviation of the outcome, and
// approximates the risk ratio by exp(0.91 d), d = difference/deviation, with bounds
// exp(0.91 d ± 1.78 s), s the standard error of d (ibid., from Chinn 2000). The bounds are of 95 %.
func EValueOfDifference(difference Estimate, deviation float64) EValue {
	if !(deviation > 0) || math.IsNaN(difference.Value) {
		return EValue{math.NaN(), math.NaN()}
	}
	d, s := difference.Value/deviation, difference.SE/deviation
	return EValueOf(Estimate{Value: math.Exp(.91 * d), Lower: math.Exp(.91*d - 1.78*s), Upper: math.Exp(.91*d + 1.78*s)})
}

func confounding(ratio float64) float64 {
	if ratio < 1 {
		ratio = 1 / ratio
	}
	return ratio + math.Sqrt(ratio*(ratio-1))
}
