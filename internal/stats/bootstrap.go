package stats

import (
	"math"
	"math/rand/v2"

	"github.com/kvarter/kvarter/internal/fault"
)

// webbClusters is the number of clusters below which the bootstrap draws Webb's six-point weights,
// since 2^G sign patterns are then too few to tell p values apart (Webb 2014).
const webbClusters = 12

// WildBootstrap is the wild cluster bootstrap for one linear combination of coefficients.
type WildBootstrap struct {
	Estimate Estimate // the interval holds all null values not rejected at 1 - Level
	PValue   float64  // of the null that the combination is 0
	Draws    int
	Seed     uint64
}

// WildClusterBootstrap gives a coefficient an interval that holds with few clusters, where
// cluster-robust ones are too short (Cameron, Gelbach, Miller 2008, Rev. Econ. Stat. 90:414).
//
// It is the restricted wild bootstrap-t: residuals under the null value are multiplied by one
// random weight per cluster (Rademacher's ±1; Webb's six points below 12 clusters) and the
// interval is all null values whose p value is at least 1 - level. It is computed from cluster sums
// as in Roodman, MacKinnon, Nielsen, Webb (2019, Stata J. 19:4), so a draw costs G times the terms. In a logit
// the scores take the place of residuals and move with the null value to first order (Kline,
// Santos 2012, J. Econometric Methods 1:23). The same seed gives the same answer.
//
// Fewer than two clusters are an error; with fewer than six the p value cannot be small and the
// interval may have no end, which is then NaN with a warning.
func (r *Regression) WildClusterBootstrap(term int, level float64, draws int, seed uint64) (WildBootstrap, error) {
	e := r.Coefficient(term, level)
	if math.IsNaN(e.Value) {
		return WildBootstrap{Estimate: e, PValue: math.NaN()}, nil
	}
	functional := make([]float64, len(r.coef))
	functional[term] = 1
	return r.wildBootstrap(e, functional, level, draws, seed)
}

// WildMarginalEffect is WildClusterBootstrap for the average marginal effect of a term, as a
// linear function of the coefficients around their estimate.
func (r *Regression) WildMarginalEffect(term int, level float64, draws int, seed uint64) (WildBootstrap, error) {
	e := r.MarginalEffect(term, level)
	if math.IsNaN(e.Value) || r.Model == Linear {
		return r.WildClusterBootstrap(term, level, draws, seed)
	}
	_, gradient := r.marginalEffect(term)
	return r.wildBootstrap(e, gradient, level, draws, seed)
}

// A draw of the bootstrap-t is (n0 + δ n1)/√(d0 + 2δ d1 + δ² d2), δ the distance from the estimate
// down to the null value.
type wildDraw struct{ n0, n1, d0, d1, d2 float64 }

func (r *Regression) wildBootstrap(e Estimate, functional []float64, level float64, draws int,
	seed uint64) (WildBootstrap, error) {
	if err := CheckLevel(level); err != nil {
		return WildBootstrap{}, err
	}
	if draws < 99 || draws > 100_000 {
		return WildBootstrap{}, fault.Invalidf("%d bootstrap draws; 99 to 100000 are possible, 999 is usual", draws)
	}
	if r.Clusters < 2 {
		return WildBootstrap{}, fault.Invalidf("all observations are in one cluster: the wild cluster bootstrap needs at " +
			"least two")
	}
	k := len(r.coef)
	scores, g := r.scores(), r.Clusters

	a := r.bread.times(functional)
	variance := dot(functional, a)
	// For cluster h under a null value δ below the estimate the score is s_h + δ·t_h.
	moves := r.informationTimes(a)
	q := make([][]float64, g)
	u0, u1 := make([]float64, g), make([]float64, g)
	for h := range g {
		t := moves[h]
		q[h] = r.bread.times(t)
		for j := range t {
			t[j] /= variance
		}
		u0[h], u1[h] = dot(a, scores[h]), dot(a, t)
	}

	rng := rand.New(rand.NewPCG(seed, uint64(k)))
	v := make([]float64, g)
	s, t := make([]float64, k), make([]float64, k) // Σ v_h s_h, Σ v_h t_h
	out := make([]wildDraw, draws)
	for b := range out {
		if b%256 == 0 && r.stop.now() {
			return WildBootstrap{}, r.stop.why()
		}
		clear(s)
		clear(t)
		for h := range v {
			v[h] = wildWeight(rng, g)
			for j := range k {
				s[j] += v[h] * scores[h][j]
				t[j] += v[h] * moves[h][j]
			}
		}
		d := &out[b]
		for i := range g {
			d.n0 += v[i] * u0[i]
			d.n1 += v[i] * u1[i]
			x, y := v[i]*u0[i]-dot(q[i], s), v[i]*u1[i]-dot(q[i], t)
			d.d0 += x * x
			d.d1 += x * y
			d.d2 += y * y
		}
	}
	var spread float64
	for _, u := range u0 {
		spread += u * u
	}
	spread = math.Sqrt(spread)
	if math.IsNaN(e.SE) { // what is left is rounding
		spread = 0
	}
	pValue := func(delta float64) float64 {
		if spread == 0 {
			return math.NaN()
		}
		sample := math.Abs(delta) / spread
		extreme := 0
		for i := range out {
			d := &out[i]
			top := math.Abs(d.n0 + delta*d.n1)
			bottom := math.Sqrt(math.Max(0, d.d0+2*delta*d.d1+delta*delta*d.d2))
			if top >= sample*bottom*(1-1e-12) {
				extreme++
			}
		}
		return float64(extreme) / float64(draws)
	}

	e.Method = "wild cluster bootstrap-t, " + r.Model.String()
	w := WildBootstrap{PValue: pValue(e.Value), Draws: draws, Seed: seed}
	alpha := 1 - level
	bound := func(sign float64) float64 {
		inside, outside := 0.0, spread*2
		for pValue(sign*outside) > alpha {
			inside, outside = outside, outside*2
			if outside > 1e4*spread {
				return math.NaN()
			}
		}
		for range 40 {
			mid := (inside + outside) / 2
			if pValue(sign*mid) > alpha {
				inside = mid
			} else {
				outside = mid
			}
		}
		return (inside + outside) / 2
	}
	if spread == 0 {
		e.withoutInterval("no variation between clusters: the bootstrap has nothing to draw from")
	} else {
		// A null value above the estimate is a negative δ.
		e.Lower, e.Upper = e.Value-bound(1), e.Value+bound(-1)
		if math.IsNaN(e.Lower) || math.IsNaN(e.Upper) {
			e.warnf("%d clusters are too few: at this level the interval has no end", g)
		}
	}
	w.Estimate = e
	return w, nil
}

// wildWeight draws a weight of mean 0 and variance 1.
func wildWeight(rng *rand.Rand, clusters int) float64 {
	if clusters >= webbClusters {
		return float64(2*rng.IntN(2) - 1)
	}
	i := rng.IntN(6)
	w := math.Sqrt([]float64{0.5, 1, 1.5}[i%3])
	if i >= 3 {
		return -w
	}
	return w
}
