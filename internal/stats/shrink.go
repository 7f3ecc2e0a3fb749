package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// Shrunken are estimates of many areas drawn towards their mean, those of few persons more: what one area
// says of itself and what all say of it, each by how much it knows (empirical Bayes; Morris 1983, JASA 78:47).
type Shrunken struct {
	Areas []ShrunkenArea // in the order given
	Mean  Estimate       // of the areas, each counted once
	// Spread is the standard deviation of the true values between areas; 0 where they differ by no more than
	// chance would have them.
	Spread   float64
	Method   string
	Warnings []string
}

// ShrunkenArea is one area.
type ShrunkenArea struct {
	// Estimate is the posterior mean. SE and interval count that mean and spread are estimated too (Kass,
	// Steffey 1989, JASA 84:717), to first order: of 20 areas of 12 to 150 persons, 95 % intervals hold the
	// truth in 93 %.
	Estimate Estimate
	// Weight is that of the area's own observations, from 0 to 1; the mean of all has the rest. NaN for an
	// area that is left out.
	Weight float64
	// Rank is the mean of the places that the area may have, 1 the highest: one does not rank by estimates
	// that differ in how far they are drawn in (Laird, Louis 1989). NaN for an area that is left out.
	Rank float64
}

// ShrinkShares shrinks the shares Sum of N of an indicator by area, as binomial around shares that have a beta
// distribution, whose mean and spread are of the highest marginal likelihood. Intervals are those of a beta
// distribution, within 0 and 1. An area without observations has the mean of all. Fewer than three
// with observations, or an outcome that all or none have, are errors.
func ShrinkShares(areas []Cell, level float64) (*Shrunken, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	var total Cell
	known := 0
	for i, a := range areas {
		if !(a.N >= 0) || !a.IsIndicator() {
			return nil, fault.Invalidf("area %d is no share: n = %g, Σx = %g, Σx² = %g", i+1, a.N, a.Sum, a.SumSq)
		}
		known += oneIf(a.N > 0)
		total = Total([]Cell{total, a})
	}
	if known < 3 {
		return nil, fault.Invalidf("%d areas with observations; how much areas differ is told by three at least", known)
	}
	if total.Sum == 0 || total.Sum == total.N {
		return nil, fault.Invalidf("the outcome does not vary: %g of %g observations have it", total.Sum, total.N)
	}
	const method = "empirical Bayes, beta-binomial by maximum marginal likelihood"
	out := &Shrunken{Method: method}
	pooled := total.Mean()
	m := betaBinomial{areas: areas}
	if m.excess(pooled) <= 0 {
		out.Mean = Wilson(total.Sum, total.N, level)
		out.alike(len(areas))
		return out, nil
	}
	if err := m.maximise(pooled); err != nil {
		return nil, err
	}
	mean, precision := m.mean, m.precision
	slope := []float64{mean * (1 - mean), 0} // by the logit of the mean and the log of the precision
	out.Mean = betaEstimate(method, mean, m.covariance.variance(slope), level)
	out.Spread = math.Sqrt(mean * (1 - mean) / (precision + 1))
	for _, area := range areas {
		n := precision + area.N
		at := (precision*mean + area.Sum) / n
		slope[0], slope[1] = precision*mean*(1-mean)/n, precision*(mean-at)/n
		e := betaEstimate(method, at, at*(1-at)/(n+1)+m.covariance.variance(slope), level)
		e.Numerator, e.Denominator = area.Sum, area.N
		out.Areas = append(out.Areas, ShrunkenArea{Estimate: e, Weight: area.N / n})
	}
	out.rank()
	return out, nil
}

// alike fills in that areas do not differ by more than chance.
func (s *Shrunken) alike(areas int) {
	const reason = "areas differ by no more than chance would have them: each has the mean of all, and how far one may " +
		"be from that is not told"
	s.Warnings = append(s.Warnings, reason)
	for range areas {
		a := ShrunkenArea{Estimate: s.Mean, Rank: float64(areas+1) / 2}
		a.Estimate.Method = s.Method
		a.Estimate.withoutInterval(reason)
		s.Areas = append(s.Areas, a)
	}
}

// rank fills in the mean of the places, as if what is not known of one area had nothing to do with another.
func (s *Shrunken) rank() {
	for i := range s.Areas {
		a := &s.Areas[i]
		if math.IsNaN(a.Weight) {
			continue
		}
		a.Rank = 1
		for j, b := range s.Areas {
			if j != i && !math.IsNaN(b.Weight) {
				a.Rank += normalTail((a.Estimate.Value - b.Estimate.Value) / math.Hypot(a.Estimate.SE, b.Estimate.SE))
			}
		}
	}
}

// betaEstimate has the equal-tailed interval of the beta distribution of that mean and variance.
func betaEstimate(method string, mean, variance, level float64) Estimate {
	n := mean*(1-mean)/variance - 1
	e := Estimate{Value: mean, SE: math.Sqrt(variance), Level: level, Numerator: math.NaN(), Denominator: math.NaN(),
		Method: method}
	if !(n > 0) {
		e.Lower, e.Upper = 0, 1
		return e
	}
	e.Lower, e.Upper = betaInterval(n*mean, n*(1-mean), level)
	return e
}

func betaInterval(a, b, level float64) (lower, upper float64) {
	d := distuv.Beta{Alpha: a, Beta: b}
	return d.Quantile((1 - level) / 2), d.Quantile((1 + level) / 2)
}

// betaBinomial is the marginal likelihood of counts by area, whose shares have a beta distribution with the
// parameters mean·precision and (1-mean)·precision.
type betaBinomial struct {
	areas           []Cell
	mean, precision float64
	loglik          float64
	covariance      symmetric // of the logit of the mean and the log of the precision
}

// excess is the score of the log likelihood for a spread of 0: above 0 if areas differ by more than chance.
func (m *betaBinomial) excess(p float64) (score float64) {
	for _, a := range m.areas {
		no := a.N - a.Sum
		score += a.Sum*(a.Sum-1)/p + no*(no-1)/(1-p) - a.N*(a.N-1)
	}
	return score
}

// derivatives are those of the log likelihood by the logit of the mean and the log of the precision, the second
// with the sign turned.
func (m *betaBinomial) derivatives(mean, precision float64) (loglik float64, score []float64, information symmetric) {
	lgamma := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	trigamma := func(x float64) float64 { return mathext.Zeta(2, x) }
	a, b := mean*precision, (1-mean)*precision
	var byA, byB, byAA, byBB, byAB float64 // by a and b
	for _, area := range m.areas {
		if area.N == 0 {
			continue
		}
		yes, no := area.Sum, area.N-area.Sum
		loglik += lgamma(a+yes) - lgamma(a) + lgamma(b+no) - lgamma(b) - lgamma(precision+area.N) + lgamma(precision)
		both := mathext.Digamma(precision) - mathext.Digamma(precision+area.N)
		byA += mathext.Digamma(a+yes) - mathext.Digamma(a) + both
		byB += mathext.Digamma(b+no) - mathext.Digamma(b) + both
		bend := trigamma(precision) - trigamma(precision+area.N)
		byAA += trigamma(a+yes) - trigamma(a) + bend
		byBB += trigamma(b+no) - trigamma(b) + bend
		byAB += bend
	}
	turn := precision * mean * (1 - mean) // of a by the logit; that of b is -turn
	score = []float64{turn * (byA - byB), a*byA + b*byB}
	information = newSymmetric(2)
	copy(information.a, []float64{
		-turn*turn*(byAA-2*byAB+byBB) - turn*(1-2*mean)*(byA-byB),
		-turn*(a*byAA+(b-a)*byAB-b*byBB) - turn*(byA-byB), 0,
		-(a*a*byAA + 2*a*b*byAB + b*b*byBB) - a*byA - b*byB})
	information.fill()
	return loglik, score, information
}

// maximise runs Newton's method from the moments, with halved steps.
func (m *betaBinomial) maximise(p float64) error {
	var pairs float64
	for _, a := range m.areas {
		pairs += a.N * (a.N - 1)
	}
	// Two of one area agree by 1/(precision + 1) more than by chance.
	m.mean, m.precision = p, math.Max(1, pairs/m.excess(p)-1)
	moved := func(step []float64, length float64) (mean, precision float64) {
		return logistic(math.Log(m.mean/(1-m.mean)) + length*step[0]), m.precision * math.Exp(length*step[1])
	}
	for range maxIterations {
		loglik, score, information := m.derivatives(m.mean, m.precision)
		inverse, omitted := information.inverse(nil)
		for j := range omitted {
			if omitted[j] { // away from the maximum the information need not be positive: climb there
				inverse.a[j*2+j] = 1 / (1 + math.Abs(score[j]))
			}
		}
		step := inverse.times(score)
		m.loglik, m.covariance = loglik, inverse
		if gain := dot(score, step); gain < 1e-9 && !omitted[0] && !omitted[1] {
			m.mean, m.precision = moved(step, 1)
			return nil
		}
		length := math.Min(1, 2/math.Max(math.Abs(step[0]), math.Abs(step[1])))
		for ; length > 1e-9; length /= 2 {
			mean, precision := moved(step, length)
			if next, _, _ := m.derivatives(mean, precision); next >= loglik-1e-12*math.Abs(loglik) {
				m.mean, m.precision = mean, precision
				break
			}
		}
	}
	return fault.Invalidf("how much areas differ could not be settled in %d steps: they differ by hardly more than chance",
		maxIterations)
}

// ShrinkEstimates shrinks estimates of any kind, as gaps, by their standard errors, as normal around values that
// are normal too: with B = se²/(se² + τ²), the value is Bμ + (1-B) times the area's own. τ² is DerSimonian's and
// Laird's (1986), μ the mean with weights 1/(se² + τ²). One without a standard error is left out and keeps what
// it has. Fewer than three is an error.
func ShrinkEstimates(estimates []Estimate, level float64) (*Shrunken, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	var used []int
	for i, e := range estimates {
		if e.SE > 0 && !math.IsInf(e.SE, 0) && !math.IsNaN(e.Value) {
			used = append(used, i)
		}
	}
	k := float64(len(used))
	if k < 3 {
		return nil, fault.Invalidf("%g of %d estimates have a standard error; how much areas differ is told by three at "+
			"least", k, len(estimates))
	}
	variance := func(i int) float64 { return estimates[i].SE * estimates[i].SE }
	weighted := func(between float64) (mean, weights, squares, q float64) {
		for _, i := range used {
			w := 1 / (variance(i) + between)
			mean, weights, squares = mean+w*estimates[i].Value, weights+w, squares+w*w
		}
		mean /= weights
		for _, i := range used {
			d := estimates[i].Value - mean
			q += d * d / (variance(i) + between)
		}
		return mean, weights, squares, q
	}
	mean, weights, squares, q := weighted(0)
	out := &Shrunken{Method: "empirical Bayes, normal, DerSimonian-Laird"}
	between := (q - (k - 1)) / (weights - squares/weights)
	if between <= 0 {
		out.Mean = normalEstimate(out.Method, mean, 1/weights, level)
		out.alike(len(estimates))
	} else {
		mean, weights, squares, _ = weighted(between)
		out.Spread = math.Sqrt(between)
		out.Mean = normalEstimate(out.Method, mean, 1/weights, level)
		ofBetween := 2 / squares // the variance of τ², of the likelihood
		if k > 3 {
			ofBetween *= k / (k - 3) // Morris 1983 for few areas
		}
		for _, e := range estimates {
			v := e.SE * e.SE
			drawn := v / (v + between)
			slope := drawn * drawn / v * (e.Value - mean)
			e = normalEstimate(out.Method, drawn*mean+(1-drawn)*e.Value,
				(1-drawn)*v+drawn*drawn/weights+slope*slope*ofBetween, level)
			out.Areas = append(out.Areas, ShrunkenArea{Estimate: e, Weight: 1 - drawn})
		}
	}
	left := len(estimates) - len(used)
	for i, e := range estimates {
		if !(e.SE > 0) || math.IsInf(e.SE, 0) || math.IsNaN(e.Value) {
			out.Areas[i] = ShrunkenArea{Estimate: e, Weight: math.NaN(), Rank: math.NaN()}
		}
	}
	if left > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d estimates without a standard error are left out", left))
	}
	if between > 0 {
		out.rank()
	}
	return out, nil
}
