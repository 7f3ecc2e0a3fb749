package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// Simultaneous are intervals of several estimates that all hold at once with probability Level: those of one
// at a time, of which some look large by chance alone, the more one looks at.
type Simultaneous struct {
	// Estimates are those given with their wider intervals. One without a standard error keeps what it has
	// and is none of the Looks.
	Estimates []Estimate
	Looks     int
	Level     float64
	// Critical is the quantile of the largest |t| of all, in place of the normal one; Each the confidence
	// level at which an interval of one at a time is as wide, for intervals of another form.
	Critical, Each float64
	// Adjusted is the P value of no difference by the largest |t| of all; Holm's (1979) needs
	// nothing of how estimates hang together. NaN without a standard error.
	Adjusted, Holm []float64
	Method         string
	Warnings       []string
}

// Simultaneously widens the intervals of estimates by the joint normal distribution of their errors.
// covariance is nil for independent ones. df are the degrees of freedom of each, nil for the normal; a
// quantile of t is that of the same probability, which is on the safe side. Where errors are independent, or
// share one source (as differences from one reference do), the quantile is exact; else it is
// simulated, from the same draws every time.
func Simultaneously(estimates []Estimate, covariance [][]float64, df []float64, level float64) (*Simultaneous, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	k := len(estimates)
	if covariance != nil && len(covariance) != k || df != nil && len(df) != k {
		return nil, fault.Invalidf("%d estimates, %d rows of covariance and %d degrees of freedom do not go together", k,
			len(covariance), len(df))
	}
	out := &Simultaneous{Estimates: slices.Clone(estimates), Level: level, Adjusted: make([]float64, k)}
	alone := make([]float64, k)
	var used []int
	for i, e := range estimates {
		out.Adjusted[i], alone[i] = math.NaN(), math.NaN()
		if e.SE > 0 && !math.IsInf(e.SE, 0) && !math.IsNaN(e.Value) {
			used = append(used, i)
		}
	}
	if out.Looks = len(used); out.Looks == 0 {
		return nil, fault.Invalidf("none of %d estimates has a standard error: there is nothing to correct for", k)
	}
	correlation := newSymmetric(len(used))
	for a, i := range used {
		for b, j := range used {
			switch {
			case a == b:
				correlation.a[a*correlation.k+b] = 1
			case covariance != nil:
				if len(covariance[i]) != k {
					return nil, fault.Invalidf("row %d of the covariance has %d entries for %d estimates", i+1, len(covariance[i]), k)
				}
				r := covariance[i][j] / estimates[i].SE / estimates[j].SE
				if !(math.Abs(r) <= 1+1e-6) || math.Abs(covariance[i][j]-covariance[j][i]) > 1e-9*estimates[i].SE*estimates[j].SE {
					return nil, fault.Invalidf("a correlation of %g between estimates %d and %d is not possible", r, i+1, j+1)
				}
				correlation.a[a*correlation.k+b] = math.Max(-1, math.Min(1, r))
			}
		}
	}
	m := newLargest(correlation)
	out.Method = "max-t, " + m.method
	out.Critical = m.quantile(level)
	out.Each = 1 - 2*normalTail(out.Critical)
	for _, i := range used {
		freedom := math.Inf(1)
		if df != nil {
			freedom = df[i]
		}
		e := &out.Estimates[i]
		q := out.Critical
		if !math.IsInf(freedom, 1) {
			q = studentQuantile(out.Each, freedom)
		}
		e.Lower, e.Upper, e.Level, e.Method = e.Value-q*e.SE, e.Value+q*e.SE, level, e.Method+", simultaneous"
		alone[i] = twoSided(e.Value/e.SE, freedom)
		out.Adjusted[i] = math.Max(alone[i], m.beyond(normalQuantile(1-math.Min(alone[i], 1-smallestLevel))))
	}
	out.Holm = Holm(alone)
	return out, nil
}

// Holm adjusts P values so that with probability 1 - α none of the true hypotheses is among those at or
// below α, whatever their dependence (Holm 1979, Scand. J. Stat. 6:65). NaN stays and is not counted.
func Holm(p []float64) []float64 {
	out := slices.Clone(p)
	var order []int
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return 0
	})
	highest := 0.0
	for at, i := range order {
		highest = math.Max(highest, math.Min(1, float64(len(order)-at)*p[i]))
		out[i] = highest
	}
	return out
}

// largest is the distribution of max |Z| over normal Z of variance 1.
type largest struct {
	method   string
	k        int
	loadings []float64 // of Zi = li·F + √(1-li²)·Ei; nil if Z has no such form
	draws    []float64 // of the maximum, ascending
}

func newLargest(correlation symmetric) *largest {
	m := &largest{k: correlation.k, method: "exact"}
	if m.loadings = oneFactor(correlation); m.loadings == nil {
		factor := correlation.semidefiniteRoot()
		z, k := make([]float64, correlation.k), correlation.k
		m.simulate(k, k*(k+1)/2, func(rng *rand.Rand) float64 {
			for i := range z {
				z[i] = rng.NormFloat64()
			}
			highest := 0.0
			for i := range k {
				highest = math.Max(highest, math.Abs(dot(factor.a[i*k:i*k+i+1], z[:i+1])))
			}
			return highest
		})
	}
	return m
}

// drawsFor is how often to draw what costs so many products: a quantile of the maximum is then off by some
// hundredths at most.
func drawsFor(products int) int { return max(4000, min(50_000, 60_000_000/(products+1))) }

// simulate fills in draws of the maximum; each costs so many products.
func (m *largest) simulate(k, products int, draw func(rng *rand.Rand) float64) {
	rng := rand.New(rand.NewPCG(1, uint64(k)))
	m.draws = make([]float64, drawsFor(products))
	for i := range m.draws {
		m.draws[i] = draw(rng)
	}
	slices.Sort(m.draws)
	m.method = fmt.Sprintf("%d draws", len(m.draws))
}

// semidefiniteRoot is L with LL' = m for a positive semidefinite m.
func (m symmetric) semidefiniteRoot() symmetric {
	l := newSymmetric(m.k)
	for j := range m.k {
		rest := m.at(j, j)
		for p := range j {
			rest -= l.at(j, p) * l.at(j, p)
		}
		if rest <= 1e-10*m.at(j, j) {
			continue
		}
		pivot := math.Sqrt(rest)
		for i := j; i < m.k; i++ {
			v := m.at(i, j)
			for p := range j {
				v -= l.at(i, p) * l.at(j, p)
			}
			l.a[i*m.k+j] = v / pivot
		}
	}
	return l
}

// oneFactor are loadings l with correlations li·lj, nil if there are none.
func oneFactor(correlation symmetric) []float64 {
	const tolerance = 1e-10
	k := correlation.k
	l := make([]float64, k)
	pivot, most := 0, 0.0
	for i := range k {
		var sum float64
		for j := range k {
			if j != i {
				sum += math.Abs(correlation.at(i, j))
			}
		}
		if sum > most {
			pivot, most = i, sum
		}
	}
	if most <= tolerance {
		return l
	}
	// lp² = rpi·rpj/rij, from the pair that tells it best; of two any split of r will do
	square, strongest := math.NaN(), 0.0
	for i := range k {
		for j := range i {
			strength := math.Min(math.Abs(correlation.at(i, j)), math.Abs(correlation.at(pivot, i)*correlation.at(pivot, j)))
			if i != pivot && j != pivot && strength > strongest {
				strongest = strength
				square = correlation.at(pivot, i) * correlation.at(pivot, j) / correlation.at(i, j)
			}
		}
	}
	if strongest <= tolerance {
		square = 0
		for j := range k {
			if j != pivot {
				square = math.Max(square, math.Abs(correlation.at(pivot, j)))
			}
		}
	}
	if !(square > 0 && square <= 1+tolerance) {
		return nil
	}
	l[pivot] = math.Sqrt(math.Min(1, square))
	for j := range k {
		if j != pivot {
			l[j] = correlation.at(pivot, j) / l[pivot]
		}
	}
	for i := range k {
		if math.Abs(l[i]) > 1+tolerance {
			return nil
		}
		l[i] = math.Max(-1, math.Min(1, l[i]))
		for j := range i {
			if math.Abs(correlation.at(i, j)-l[i]*l[j]) > tolerance {
				return nil
			}
		}
	}
	return l
}

// beyond is P(max |Z| >= c).
func (m *largest) beyond(c float64) float64 {
	if m.draws != nil {
		return float64(len(m.draws)-sort.SearchFloat64s(m.draws, c)+1) / float64(len(m.draws)+1)
	}
	return 1 - m.within(c)
}

// quantile is c with P(max |Z| < c) = level.
func (m *largest) quantile(level float64) float64 {
	if m.draws != nil {
		return m.draws[min(len(m.draws)-1, int(math.Ceil(level*float64(len(m.draws))))-1)]
	}
	// The largest of one is below, that of as many independent ones above (Šidák 1967).
	low, high := normalQuantile(level), normalQuantile(math.Pow(level, 1/float64(m.k)))
	if slices.Max(absolutes(m.loadings)) == 0 {
		return high
	}
	return solve(low, high, func(c float64) float64 { return m.within(c) - level })
}

// oneSidedQuantile is z with P(Z < z) = level.
func oneSidedQuantile(level float64) float64 { return distuv.UnitNormal.Quantile(level) }

// solve finds the root of an increasing function between bounds, by the Illinois variant of false position.
func solve(low, high float64, f func(float64) float64) float64 {
	fLow, fHigh := f(low), f(high)
	for range 100 {
		if high-low <= 1e-12*(1+math.Abs(high)) || fLow >= 0 || fHigh <= 0 {
			break
		}
		x := (low*fHigh - high*fLow) / (fHigh - fLow)
		if !(x > low && x < high) {
			x = (low + high) / 2
		}
		switch y := f(x); {
		case math.Abs(y) <= 1e-13:
			return x
		case y < 0:
			low, fLow, fHigh = x, y, fHigh/2
		default:
			high, fHigh, fLow = x, y, fLow/2
		}
	}
	if fLow >= 0 {
		return low
	}
	return high
}

// sharpest is the standard deviation of what is left of a normal beside the common source below which it is
// taken as none: the probability then errs by its square.
const sharpest = 0.005

// within is P(max |Z| < c), over the common source of errors.
func (m *largest) within(c float64) float64 {
	end, narrow := 8.5, 1.0 // beyond it is less than 1e-16
	for _, l := range m.loadings {
		if rest := math.Sqrt(1 - l*l); rest < sharpest {
			end = math.Min(end, c/math.Abs(l))
		} else {
			narrow = math.Min(narrow, rest)
		}
	}
	const nodes = 16
	panels := int(math.Ceil(end / (3 * narrow)))
	x, w := make([]float64, nodes), make([]float64, nodes)
	var p float64
	for panel := range panels {
		from, to := end*float64(panel)/float64(panels), end*float64(panel+1)/float64(panels)
		quad.Legendre{}.FixedLocations(x, w, from, to)
		for i, z := range x {
			// even in z, so that half of it is enough
			product := 2 * w[i] * math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
			for _, l := range m.loadings {
				if rest := math.Sqrt(1 - l*l); rest >= sharpest {
					product *= normalTail((-c-l*z)/rest) - normalTail((c-l*z)/rest)
				}
				if product == 0 {
					break
				}
			}
			p += product
		}
	}
	return math.Min(1, p)
}
