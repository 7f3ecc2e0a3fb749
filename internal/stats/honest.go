package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// HonestOptions says which departures from parallel trends an event study is to stand (Rambachan, Roth 2023,
// Rev. Econ. Stud. 90:2555). With a Level alone: the first period after the start, magnitudes of a half, one,
// one and a half and two, and a trend that goes on as a straight line.
type HonestOptions struct {
	Level float64 // confidence level, above 0 and below 1
	DF    float64 // degrees of freedom of the standard errors; 0 or +Inf for the normal
	// Weights of the periods after the start; nil is the first alone.
	Weights []float64
	// Magnitudes are bounds on the change, from one period to the next, in how treated and controls would
	// differ without treatment: in those of the largest such change before the start. nil is 0.5 to 2.
	Magnitudes []float64
	// Curvatures are bounds on how much the slope of that difference changes from one period to the next,
	// in units of the outcome; 0 is a straight line. nil is 0 alone.
	Curvatures []float64
}

// HonestStudy is an effect as it stands if trends were not parallel.
type HonestStudy struct {
	Effect Estimate // under parallel trends
	// LargestBefore is the largest change before the start, from one period to the next, of the difference
	// between treated and controls.
	LargestBefore          float64
	Magnitudes, Curvatures []HonestInterval
	// The bounds at which the interval comes to hold 0: 0 if it does already, +Inf if it never does.
	BreakdownMagnitude, BreakdownCurvature float64
}

// HonestInterval holds the effect under one bound with the level of the study.
type HonestInterval struct {
	Bound float64
	// Effect is the interval. Value is the estimate that it lies around: under a bound on the curvature one
	// that takes the trend before the start away.
	Effect Estimate
	// Low and High are where the effect is if the estimates were without error; NaN under a bound on curvature.
	Low, High float64
}

// Honest estimates the intervals from differences before and after the start, each in steps of one period;
// the reference period, with a difference of 0, lies between them. covariance is theirs, before first.
//
// Under a bound of M on relative magnitudes, what a change d before the start allows for the effect is
// M·b·|d|, b = Σ |Σ w| over the periods after and those to come. The interval is the union, over the
// changes before the start and their signs, of effect ± M·b·d with its own standard error: the true largest change
// is among them, so that the effect is held with the level at least. The conditional and hybrid
// tests of the paper make use of which is the largest, and are shorter: by 8 % in the published example.
//
// Under a bound on curvature it is the shortest of fixed length around an estimate that is linear in the
// differences, for the largest bias that the bound allows.
func Honest(before, after []float64, covariance [][]float64, opts HonestOptions) (*HonestStudy, error) {
	h, err := newHonest(before, after, covariance, opts)
	if err != nil {
		return nil, err
	}
	out := &HonestStudy{}
	out.Effect = scaledEstimate("event study under parallel trends", h.effect, h.variance(h.onEffect), h.q, opts.Level)
	if !(out.Effect.SE > 0) {
		return nil, fault.Invalidf("the effect has no standard error: there is no interval to hold against other trends")
	}
	for _, d := range h.changes {
		out.LargestBefore = math.Max(out.LargestBefore, math.Abs(dot(d, h.values)))
	}
	for _, m := range h.opts.Magnitudes {
		out.Magnitudes = append(out.Magnitudes, h.magnitude(m, out.LargestBefore))
	}
	for _, m := range h.opts.Curvatures {
		out.Curvatures = append(out.Curvatures, h.curvature(m))
	}
	out.BreakdownMagnitude = h.breakdownMagnitude()
	out.BreakdownCurvature = h.breakdownCurvature()
	return out, nil
}

// honest holds an event study: values before and after, in order, and the changes before as weights of them.
type honest struct {
	opts     HonestOptions
	values   []float64
	cov      symmetric
	before   int       // how many of the values
	onEffect []float64 // weights of the effect
	effect   float64
	changes  [][]float64
	reach    float64 // how often a change of one period counts in the effect, at most
	q        float64
}

func newHonest(before, after []float64, covariance [][]float64, opts HonestOptions) (*honest, error) {
	if err := CheckLevel(opts.Level); err != nil {
		return nil, err
	}
	if len(before) == 0 || len(after) == 0 {
		return nil, fault.Invalidf("%d periods before the reference and %d after the start; other trends are judged by at "+
			"least one of each", len(before), len(after))
	}
	if opts.Weights == nil {
		opts.Weights = make([]float64, len(after))
		opts.Weights[0] = 1
	}
	if opts.Magnitudes == nil {
		opts.Magnitudes = []float64{.5, 1, 1.5, 2}
	}
	if opts.Curvatures == nil {
		opts.Curvatures = []float64{0}
	}
	k := len(before) + len(after)
	h := &honest{opts: opts, before: len(before), cov: newSymmetric(k), onEffect: make([]float64, k),
		q: normalQuantile(opts.Level)}
	if opts.DF > 0 {
		h.q = studentQuantile(opts.Level, opts.DF)
	}
	h.values = append(append(h.values, before...), after...)
	if len(opts.Weights) != len(after) || len(covariance) != k {
		return nil, fault.Invalidf("%d weights for %d periods after the start, and %d rows of covariance for %d periods",
			len(opts.Weights), len(after), len(covariance), k)
	}
	for i, row := range covariance {
		if len(row) != k {
			return nil, fault.Invalidf("row %d of the covariance has %d entries for %d periods", i+1, len(row), k)
		}
		copy(h.cov.a[i*k:], row)
	}
	copy(h.onEffect[len(before):], opts.Weights)
	h.effect = dot(h.onEffect, h.values)
	var later float64
	for t := len(after) - 1; t >= 0; t-- {
		later += opts.Weights[t]
		h.reach += math.Abs(later)
	}
	for s := range before {
		d := make([]float64, k)
		d[s] = -1
		if s+1 < len(before) {
			d[s+1] = 1
		}
		h.changes = append(h.changes, d)
	}
	for _, list := range [][]float64{opts.Magnitudes, opts.Curvatures} {
		for _, m := range list {
			if !(m >= 0) || math.IsInf(m, 0) {
				return nil, fault.Invalidf("a bound of %g on other trends is not possible; 0 allows none", m)
			}
		}
	}
	return h, nil
}

func (h *honest) variance(weights []float64) float64 { return h.cov.variance(weights) }

// magnitude is the interval under a bound on relative magnitudes.
func (h *honest) magnitude(m, largest float64) HonestInterval {
	out := HonestInterval{Bound: m, Low: h.effect - m*h.reach*largest, High: h.effect + m*h.reach*largest}
	lower, upper := math.Inf(1), math.Inf(-1)
	weights := make([]float64, len(h.values))
	for _, d := range h.changes {
		for _, sign := range []float64{-1, 1} {
			for i := range weights {
				weights[i] = h.onEffect[i] + sign*m*h.reach*d[i]
			}
			at, margin := dot(weights, h.values), h.q*math.Sqrt(h.variance(weights))
			lower, upper = math.Min(lower, at-margin), math.Max(upper, at+margin)
		}
	}
	out.Effect = Estimate{Value: h.effect, Lower: lower, Upper: upper, Level: h.opts.Level, SE: math.NaN(),
		Numerator: math.NaN(), Denominator: math.NaN(), Method: "bound on relative magnitudes (Rambachan, Roth 2023), union"}
	return out
}

// breakdownMagnitude is the least bound at which one of the intervals that are united holds 0: where
// (effect - m·b·d)² = q²·variance.
func (h *honest) breakdownMagnitude() float64 {
	v := h.variance(h.onEffect)
	if h.effect*h.effect <= h.q*h.q*v {
		return 0
	}
	least := math.Inf(1)
	onChange := h.cov.times(h.onEffect)
	for _, d := range h.changes {
		x := h.reach * dot(d, h.values)
		c, w := h.reach*dot(d, onChange), h.reach*h.reach*h.variance(d)
		// m²(x² - q²w) + 2m(±)(effect·x - q²c) + effect² - q²v = 0, in both directions
		a, b, rest := x*x-h.q*h.q*w, h.effect*x-h.q*h.q*c, h.effect*h.effect-h.q*h.q*v
		for _, sign := range []float64{-1, 1} {
			for _, root := range quadraticRoots(a, 2*sign*b, rest) {
				if root > 0 {
					least = math.Min(least, root)
				}
			}
		}
	}
	return least
}

// quadraticRoots are the real roots of ax² + bx + c.
func quadraticRoots(a, b, c float64) []float64 {
	if a == 0 {
		if b == 0 {
			return nil
		}
		return []float64{-c / b}
	}
	d := b*b - 4*a*c
	if d < 0 {
		return nil
	}
	q := -(b + math.Copysign(math.Sqrt(d), b)) / 2
	if q == 0 {
		return []float64{0}
	}
	return []float64{q / a, c / q}
}

// curvature is the shortest interval of fixed length under a bound on the change of slope.
//
// Without treatment the differences are kt + Σ m(t-c) over the changes m of slope at c < t after the reference,
// and so before it, with k the slope. An estimate with weights w of the periods before has a bias from k
// unless Σ wp = Σ weights·t, p counting back from the reference; from the change of slope at p it has
// g(p) = Σ w(r)(r-p) over r > p. As w(p) = g(p-1) - 2g(p) + g(p+1), the g from 1 on are free: variance is
// quadratic in them and the bias their absolute sum, so that the least variance for a bias is a lasso.
func (h *honest) curvature(m float64) HonestInterval {
	p := h.before
	fixed := 0.0 // what changes of slope after the start add to the bias
	slope := 0.0
	after := h.opts.Weights
	for t, w := range after {
		slope += w * float64(t+1)
		var sum float64
		for later := t + 1; later < len(after); later++ {
			sum += after[later] * float64(later-t)
		}
		fixed += math.Abs(sum)
	}
	fixed += math.Abs(slope) // at the reference
	// columns of the weights by g; position before-r counts back from the reference
	k := len(h.values)
	column := func(g int) []float64 {
		w := make([]float64, k)
		for at, v := range [3]float64{1, -2, 1} {
			if r := g + 1 - at; r >= 1 && r <= p {
				w[p-r] = v
			}
		}
		return w
	}
	base := column(0)
	for i := range base {
		base[i] = slope*base[i] + h.onEffect[i]
	}
	l := lasso{quadratic: newSymmetric(p - 1), linear: make([]float64, p-1), g: make([]float64, p-1)}
	columns := make([][]float64, p-1)
	for i := range columns {
		columns[i] = column(i + 1)
		onColumn := h.cov.times(columns[i])
		l.linear[i] = dot(base, onColumn)
		for j := 0; j <= i; j++ {
			l.quadratic.a[i*(p-1)+j] = dot(columns[j], onColumn)
			l.quadratic.a[j*(p-1)+i] = l.quadratic.a[i*(p-1)+j]
		}
	}
	weights := make([]float64, k)
	at := func(penalty float64) (length float64) {
		l.solve(penalty)
		copy(weights, base)
		bias := fixed
		for i, g := range l.g {
			bias += math.Abs(g)
			for j, v := range columns[i] {
				weights[j] += g * v
			}
		}
		return halfLength(m*bias, math.Sqrt(h.variance(weights))*h.q/normalQuantile(h.opts.Level), h.opts.Level)
	}
	var best float64 // penalty; from the largest of the linear terms on all g are 0
	if most := largestOf(l.linear); m > 0 && most > 0 {
		best = math.Exp(leastOf(math.Log(most)-25, math.Log(most), func(x float64) float64 { return at(math.Exp(x)) }))
	}
	length := at(best)
	value := dot(weights, h.values)
	return HonestInterval{Bound: m, Low: math.NaN(), High: math.NaN(), Effect: Estimate{Value: value,
		Lower: value - length, Upper: value + length, Level: h.opts.Level, SE: math.Sqrt(h.variance(weights)),
		Numerator: math.NaN(), Denominator: math.NaN(), Method: "bound on curvature (Rambachan, Roth 2023), fixed length"}}
}

// breakdownCurvature is the least bound at which the interval holds 0, from where it is first seen to.
func (h *honest) breakdownCurvature() float64 {
	holds := func(m float64) bool {
		e := h.curvature(m).Effect
		return e.Lower <= 0 && e.Upper >= 0
	}
	if holds(0) {
		return 0
	}
	se := math.Sqrt(h.variance(h.onEffect))
	low, high := 0.0, se/64
	for !holds(high) {
		if low, high = high, 2*high; high > 1e6*(se+math.Abs(h.effect)) {
			return math.Inf(1)
		}
	}
	for range 30 {
		if middle := (low + high) / 2; holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// halfLength is h with P(|N(bias, se²)| <= h) = level.
func halfLength(bias, se, level float64) float64 {
	if !(se > 0) {
		return bias
	}
	b := bias / se
	if b > 6 { // the other tail is below 1e-9
		return bias + se*oneSidedQuantile(level)
	}
	z := normalQuantile(level)
	return se * solve(z, b+z, func(x float64) float64 { return 1 - normalTail(x-b) - normalTail(x+b) - level })
}

func largestOf(v []float64) (largest float64) {
	for _, x := range v {
		largest = math.Max(largest, math.Abs(x))
	}
	return largest
}

// leastOf is where a function of one minimum between bounds, beside flat ends, is least.
func leastOf(low, high float64, f func(float64) float64) float64 {
	const steps = 40
	best, least := low, math.Inf(1)
	step := (high - low) / steps
	for i := range steps + 1 {
		if y := f(low + float64(i)*step); y < least {
			best, least = low+float64(i)*step, y
		}
	}
	from, to := math.Max(low, best-step), math.Min(high, best+step)
	ratio := (math.Sqrt(5) - 1) / 2
	x1, x2 := to-ratio*(to-from), from+ratio*(to-from)
	y1, y2 := f(x1), f(x2)
	for range 40 {
		if y1 <= y2 {
			to, x2, y2 = x2, x1, y1
			x1 = to - ratio*(to-from)
			y1 = f(x1)
		} else {
			from, x1, y1 = x1, x2, y2
			x2 = from + ratio*(to-from)
			y2 = f(x2)
		}
	}
	if x := (from + to) / 2; f(x) <= least {
		return x
	}
	return best
}

// lasso minimises g'Qg/2 + b'g + penalty·Σ|g|.
type lasso struct {
	quadratic symmetric
	linear, g []float64 // g is where the next solution starts from
}

// solve goes through the coordinates in turn, and tries after some rounds what solves the equations of those
// that are not 0 at once.
func (l *lasso) solve(penalty float64) {
	k := len(l.g)
	for range 1000 {
		moved := 0.0
		for range 10 {
			for i := range k {
				q := l.quadratic.at(i, i)
				if q == 0 {
					continue
				}
				rest := l.linear[i] + dot(l.quadratic.a[i*k:(i+1)*k], l.g) - q*l.g[i]
				g := math.Copysign(math.Max(0, math.Abs(rest)-penalty)/q, -rest)
				moved = math.Max(moved, math.Abs(g-l.g[i])*math.Sqrt(q))
				l.g[i] = g
			}
		}
		if moved == 0 || l.settle(penalty) {
			return
		}
	}
}

// settle solves for the coordinates that are not 0 with the signs that they have, and keeps the solution if
// nothing then wants to move.
func (l *lasso) settle(penalty float64) bool {
	k := len(l.g)
	zero := make([]bool, k)
	right := make([]float64, k)
	for i, g := range l.g {
		zero[i] = g == 0
		right[i] = -l.linear[i]
		if g != 0 {
			right[i] -= math.Copysign(penalty, g)
		}
	}
	inverse, omitted := l.quadratic.inverse(zero)
	solution := inverse.times(right)
	for i := range k {
		if !zero[i] && (omitted[i] || solution[i]*l.g[i] < 0) {
			return false
		}
		slope := l.linear[i] + dot(l.quadratic.a[i*k:(i+1)*k], solution)
		if zero[i] && math.Abs(slope) > penalty*(1+1e-9) {
			return false
		}
	}
	copy(l.g, solution)
	return true
}

// Honest is that of the effects by the number of periods since the start (ByExposure), of the first of them
// with the weights of opts. It needs the universal base, without anticipation and every number of periods in
// between: changes from a base that varies are no trend. from is the earliest number of periods before the
// start to judge by, as -4: those far from it are of few groups. 0 takes all.
func (r *GroupTimeEffects) Honest(from int, opts HonestOptions) (*HonestStudy, error) {
	if !r.opts.Universal || r.opts.Anticipation > 0 {
		return nil, fault.Invalidf("other trends are judged by differences from one period, the last before the start; " +
			"ask for the universal base, without anticipation")
	}
	if from > 0 {
		return nil, fault.Invalidf("the earliest period to judge by is before the start, as -4, not %d", from)
	}
	study := r.ByExposure()
	var before, after []float64
	var kept []int
	last := 0
	for i, p := range study.Parts {
		if p.At == -1 || from < 0 && p.At < from {
			continue
		}
		if len(kept) > 0 && p.At != last+1 && !(last == -2 && p.At == 0) {
			return nil, fault.Invalidf("there is no estimate between %d and %d periods since the start: a trend needs every one",
				last, p.At)
		}
		if last = p.At; p.At < 0 {
			before = append(before, p.Effect.Value)
		} else if opts.Weights == nil && len(after) == 1 || len(after) > 0 && len(after) == len(opts.Weights) {
			continue
		} else {
			after = append(after, p.Effect.Value)
		}
		kept = append(kept, i)
	}
	covariance := make([][]float64, len(kept))
	for i := range kept {
		for _, j := range kept {
			covariance[i] = append(covariance[i], study.Covariance[kept[i]][j])
		}
	}
	opts.Level = r.opts.Level
	opts.DF = math.Inf(1)
	for _, i := range kept[len(before):] {
		opts.DF = math.Min(opts.DF, study.freedom[i])
	}
	return Honest(before, after, covariance, opts)
}
