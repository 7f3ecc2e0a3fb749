package stats

import "math"

// Difference estimates p1 - p2 for independent groups with Newcombe's hybrid score interval
// (Newcombe 1998, Stat. Med. 17:873, method 10): with Wilson's bounds l, u of each,
//
//	d - √((p1-l1)² + (u2-p2)²) and d + √((u1-p1)² + (p2-l2)²).
//
// SE is the unpooled √(p1(1-p1)/n1 + p2(1-p2)/n2), undefined where both are 0 or 1. Numerator and
// Denominator are those of the first group. A group without observations gives NaN, and a denominator
// of 0. Groups that share observations need Gap.
func Difference(x1, n1, x2, n2, level float64) Estimate {
	e, a, b, ok := twoProportions("Newcombe hybrid score", x1, n1, x2, n2, level)
	if !ok {
		return e
	}
	z := normalQuantile(level)
	l1, u1 := wilsonBounds(x1, n1, z)
	l2, u2 := wilsonBounds(x2, n2, z)
	e.Lower = e.Value - math.Hypot(a.Value-l1, u2-b.Value)
	e.Upper = e.Value + math.Hypot(u1-a.Value, b.Value-l2)
	return e
}

// WaldDifference estimates p1 - p2 with d ± z·SE. It covers less than its level in small groups
// and with rare outcomes, and warns there; it is here to reproduce published tables.
func WaldDifference(x1, n1, x2, n2, level float64) Estimate {
	e, _, _, ok := twoProportions("Wald", x1, n1, x2, n2, level)
	if !ok {
		return e
	}
	half := normalQuantile(level) * e.SE
	e.Lower, e.Upper = math.Max(-1, e.Value-half), math.Min(1, e.Value+half)
	if math.IsNaN(half) {
		e.withoutSpread()
	}
	if x1*(n1-x1) < 10*n1 || x2*(n2-x2) < 10*n2 {
		e.warnf("Wald's interval covers less than its level with so few observations; use Newcombe's")
	}
	return e
}

// AgrestiCaffo estimates p1 - p2 with Wald's interval after adding one success and one failure to
// each group (Agresti, Caffo 2000, Am. Stat. 54:280). Value stays the observed difference.
func AgrestiCaffo(x1, n1, x2, n2, level float64) Estimate {
	e, _, _, ok := twoProportions("Agresti-Caffo", x1, n1, x2, n2, level)
	if !ok {
		return e
	}
	p1, p2 := (x1+1)/(n1+2), (x2+1)/(n2+2)
	half := normalQuantile(level) * math.Sqrt(p1*(1-p1)/(n1+2)+p2*(1-p2)/(n2+2))
	e.Lower, e.Upper = math.Max(-1, p1-p2-half), math.Min(1, p1-p2+half)
	return e
}

// MiettinenNurminen estimates p1 - p2 with the score interval (Miettinen, Nurminen 1985,
// Stat. Med. 4:213): all differences δ with |z(δ)| < z, where the variance in z(δ) is that of the
// maximum likelihood estimates under p1 - p2 = δ, times N/(N-1).
func MiettinenNurminen(x1, n1, x2, n2, level float64) Estimate {
	e, _, _, ok := twoProportions("Miettinen-Nurminen score", x1, n1, x2, n2, level)
	if !ok {
		return e
	}
	e.scoreBounds(x1, n1, x2, n2, (n1+n2)/(n1+n2-1))
	return e
}

// scoreBounds sets the interval of a difference of proportions to all that the score test does not reject.
func (e *Estimate) scoreBounds(x1, n1, x2, n2, correction float64) {
	z := normalQuantile(e.Level)
	inside := func(delta float64) bool {
		return math.Abs(scoreStatistic(x1, n1, x2, n2, delta, correction)) < z
	}
	bound := func(end float64) float64 {
		in, out := e.Value, end
		if in == end || inside(end) {
			return end
		}
		for range 100 {
			mid := (in + out) / 2
			if mid == in || mid == out {
				break
			}
			if inside(mid) {
				in = mid
			} else {
				out = mid
			}
		}
		return (in + out) / 2
	}
	e.Lower, e.Upper = bound(-1), bound(1)
}

// scoreStatistic is (p1 - p2 - delta)/√V with V at the maximum likelihood estimates restricted to
// a difference of delta (Farrington, Manning 1990, Stat. Med. 9:1447), times correction.
func scoreStatistic(x1, n1, x2, n2, delta, correction float64) float64 {
	if x1+x2 > (n1+n2)/2 { // the rarer outcome has more digits
		return -scoreStatistic(n1-x1, n1, n2-x2, n2, -delta, correction)
	}
	diff := x1/n1 - x2/n2 - delta
	r1, r2 := restrictedProportions(x1, n1, x2, n2, delta)
	variance := correction * (r1*(1-r1)/n1 + r2*(1-r2)/n2)
	if variance <= 0 {
		if math.Abs(diff) < 1e-12 {
			return 0
		}
		return math.Copysign(math.Inf(1), diff)
	}
	return diff / math.Sqrt(variance)
}

// restrictedProportions are the maximum likelihood estimates with p1 - p2 = delta. The score falls
// in p1, so that bisection finds its zero; the cubic's closed form loses the digits of rare
// outcomes, where two of its roots meet at 0. What is searched is how far both are above the
// lowest that delta allows.
func restrictedProportions(x1, n1, x2, n2, delta float64) (p1, p2 float64) {
	above1, above2 := math.Max(0, delta), math.Max(0, -delta)
	part := func(x, p float64) float64 {
		if x == 0 {
			return 0
		}
		return x / p
	}
	low, high := 0.0, 1-math.Abs(delta)
	for range 200 {
		if high-low <= 1e-16*high {
			break
		}
		mid := (low + high) / 2
		p1, p2 = above1+mid, above2+mid
		if part(x1, p1)+part(x2, p2) > part(n1-x1, 1-p1)+part(n2-x2, 1-p2) {
			low = mid
		} else {
			high = mid
		}
	}
	mid := (low + high) / 2
	return clip01(above1 + mid), clip01(above2 + mid)
}

func twoProportions(method string, x1, n1, x2, n2, level float64) (e, a, b Estimate, ok bool) {
	a, okA := checkProportion(method, x1, n1, level)
	b, okB := checkProportion(method, x2, n2, level)
	if !okA || !okB {
		e = undefined(method, level, "the first group: %s", warningOr(a, "usable"))
		e.warnf("the second group: %s", warningOr(b, "usable"))
		if n1 == 0 || n2 == 0 {
			e.Denominator = 0
		}
		return e, a, b, false
	}
	return Estimate{
		Value: a.Value - b.Value, SE: standardError(a.Value*(1-a.Value)/n1 + b.Value*(1-b.Value)/n2), Level: level,
		Numerator: x1, Denominator: n1, Method: method,
		Warnings: pairWarnings(a, b),
	}, a, b, true
}

func warningOr(e Estimate, otherwise string) string {
	if len(e.Warnings) == 0 {
		return otherwise
	}
	return e.Warnings[0]
}

func pairWarnings(a, b Estimate) (warnings []string) {
	for _, w := range a.Warnings {
		warnings = append(warnings, "first group: "+w)
	}
	for _, w := range b.Warnings {
		warnings = append(warnings, "second group: "+w)
	}
	return warnings
}

// Ratio estimates p1/p2 for independent groups with Katz's log interval (Katz et al. 1978,
// Biometrics 34:469): exp(log(p1/p2) ± z·√(1/x1 - 1/n1 + 1/x2 - 1/n2)). SE is that of the ratio,
// value times the standard error of its logarithm. Where x1 or x2 is 0 the logarithm is
// undefined: the bounds then come from adding one half to counts and denominators (Walter 1975),
// the value is 0 or NaN, an infinite upper bound is NaN, and a warning says so. Where all of both
// groups are counted the logarithm has a variance of 0, which is no certainty: no bounds are given.
func Ratio(x1, n1, x2, n2, level float64) Estimate {
	const method = "Katz log"
	e, a, b, ok := twoProportions(method, x1, n1, x2, n2, level)
	if !ok {
		return e
	}
	e.Value = a.Value / b.Value
	logVariance := 1/x1 - 1/n1 + 1/x2 - 1/n2
	return logRatio(e, x1, x2, logVariance, func() (float64, float64) {
		return math.Log((x1 + .5) / (n1 + .5) / (x2 + .5) * (n2 + .5)),
			1/(x1+.5) - 1/(n1+.5) + 1/(x2+.5) - 1/(n2+.5)
	})
}

// OddsRatio estimates x1(n2-x2)/((n1-x1)x2) with Woolf's log interval (Woolf 1955), SE of the log
// √(1/x1 + 1/(n1-x1) + 1/x2 + 1/(n2-x2)). Where a count is 0 the bounds come from adding one half
// to each of the four (Haldane 1956, Anscombe 1956), with a warning; the value is then 0 or NaN.
func OddsRatio(x1, n1, x2, n2, level float64) Estimate {
	e, _, _, ok := twoProportions("Woolf log", x1, n1, x2, n2, level)
	if !ok {
		return e
	}
	y1, y2 := n1-x1, n2-x2
	e.Value = x1 * y2 / (y1 * x2)
	return logRatio(e, x1*y2, x2*y1, 1/x1+1/y1+1/x2+1/y2, func() (float64, float64) {
		return math.Log((x1 + .5) * (y2 + .5) / (y1 + .5) / (x2 + .5)),
			1/(x1+.5) + 1/(y1+.5) + 1/(x2+.5) + 1/(y2+.5)
	})
}

// logRatio adds to e, whose value is set, an interval on the log scale. top and bottom are what
// makes the ratio 0 or infinite when it is 0; smoothed gives the log ratio and its variance after
// adding a half.
func logRatio(e Estimate, top, bottom, logVariance float64, smoothed func() (float64, float64)) Estimate {
	z := normalQuantile(e.Level)
	if top > 0 && bottom > 0 {
		return e.onLogScale(logVariance, z)
	}
	log, variance := smoothed()
	half := z * math.Sqrt(variance)
	e.SE, e.Lower, e.Upper = math.NaN(), math.Exp(log-half), math.Exp(log+half)
	switch {
	case top > 0:
		e.Value, e.Upper = math.NaN(), math.NaN()
		e.warnf("the ratio and its upper bound are infinite, as the second group has none or, of odds, the first has all; " +
			"the lower bound adds one half to the counts")
	case bottom > 0:
		e.Value, e.Lower = 0, 0
		e.warnf("the ratio is 0, as the first group has none or, of odds, the second has all; the upper bound adds one " +
			"half to the counts")
	default:
		e.Value, e.Lower, e.Upper = math.NaN(), math.NaN(), math.NaN()
		e.warnf("the groups tell no ratio: none of both have the outcome or, of odds, all of both")
	}
	return e
}

// onLogScale gives a ratio above 0 the interval value·exp(±q·se) for the variance se² of its logarithm, and
// takes away what is no bound: those of a logarithm without variance, and infinite ones.
func (e Estimate) onLogScale(variance, q float64) Estimate {
	se := math.Sqrt(math.Max(0, variance))
	e.SE, e.Lower, e.Upper = e.Value*se, e.Value*math.Exp(-q*se), e.Value*math.Exp(q*se)
	switch {
	case se <= roundingOfSE:
		e.withoutInterval("the logarithm of the ratio has no variance, as where all or none have the outcome in every " +
			"group: the ratio has no standard error and no interval")
	case math.IsInf(e.Upper, 1):
		e.Upper = math.NaN()
		if math.IsInf(e.SE, 1) {
			e.SE = math.NaN()
		}
		e.warnf("the upper bound of the ratio is too large to be written down")
	}
	return e
}
