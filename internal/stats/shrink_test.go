package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestShrinkageAndFunnelCase(t *testing.T) {
	c := openCase(t, "eb_funnel_sim40")
	var areas []Cell
	var estimates []Estimate
	for _, r := range c.rows() {
		y := c.number(r["y"])
		areas = append(areas, Cell{N: c.number(r["n"]), Sum: y, SumSq: y})
	}
	pooled := Total(areas).Mean()
	for _, a := range areas {
		estimates = append(estimates, normalEstimate("", a.Mean(), pooled*(1-pooled)/a.N, .95))
	}
	c.check(pooled, "normal", "pooled_p")

	shares := good(ShrinkShares(areas, .95))
	m := betaBinomial{areas: areas}
	if err := m.maximise(pooled); err != nil {
		t.Fatal(err)
	}
	alpha, beta := m.mean*m.precision, (1-m.mean)*m.precision
	c.check(alpha, "beta_binomial", "alpha")
	c.check(beta, "beta_binomial", "beta")
	c.check(m.precision, "beta_binomial", "precision")
	c.check(m.loglik, "beta_binomial", "loglik_kernel")
	c.check(shares.Mean.Value, "beta_binomial", "mean")
	for i, a := range areas {
		lower, upper := betaInterval(alpha+a.Sum, beta+a.N-a.Sum, .95)
		e := shares.Areas[i].Estimate
		c.check(e.Value, "beta_binomial", "posterior_mean", i)
		c.check(lower, "beta_binomial", "posterior_lo", i)
		c.check(upper, "beta_binomial", "posterior_hi", i)
		if !(e.Upper-e.Lower > upper-lower) {
			t.Errorf("area %d: the interval does not count that mean and spread are estimated", i)
		}
	}

	normal := good(ShrinkEstimates(estimates, .95))
	between := normal.Spread * normal.Spread
	c.check(between, "normal", "tau2_dl")
	c.check(normal.Mean.Value, "normal", "mu_dl")
	var q float64
	var weights, mean float64
	for _, e := range estimates {
		weights, mean = weights+1/e.SE/e.SE, mean+e.Value/e.SE/e.SE
	}
	for _, e := range estimates {
		q += (e.Value - mean/weights) * (e.Value - mean/weights) / e.SE / e.SE
	}
	c.check(q, "normal", "Q")
	for i, a := range normal.Areas {
		known := a.Weight * estimates[i].SE * estimates[i].SE // variance with mean and spread as known
		c.check(1-a.Weight, "normal", "shrinkage", i)
		c.check(a.Estimate.Value, "normal", "posterior_mean", i)
		c.check(math.Sqrt(known), "normal", "posterior_sd", i)
		c.check(a.Estimate.Value-normalQuantile(.95)*math.Sqrt(known), "normal", "posterior_lo", i)
		c.check(a.Estimate.Value+normalQuantile(.95)*math.Sqrt(known), "normal", "posterior_hi", i)
		if !(a.Estimate.SE > math.Sqrt(known)) {
			t.Errorf("area %d: the standard error does not count that mean and spread are estimated", i)
		}
	}

	f := good(FunnelOf(areas, math.NaN()))
	c.check(f.Centre, "funnel", "centre")
	for i, a := range f.Areas {
		c.check(a.PLower, "funnel", "p_lower", i)
		c.check(a.PUpper, "funnel", "p_upper", i)
		for l, name := range []string{"95", "998"} {
			tail := (1 - f.Levels[l]) / 2
			c.check(binomialLimit(tail, a.N, f.Centre), "funnel", "lo"+name, i)
			c.check(binomialLimit(1-tail, a.N, f.Centre), "funnel", "hi"+name, i)
			c.check(binomialQuantile(tail, a.N, f.Centre)/a.N, "funnel", "step_lo"+name, i)
			c.check(binomialQuantile(1-tail, a.N, f.Centre)/a.N, "funnel", "step_hi"+name, i)
			c.check(float64(oneIf(a.Limits[l].Outside)), "funnel", "outside"+name, i)
		}
	}
	if f.Outside[1] != 8 || math.Abs(f.Expected[1]-.08) > 1e-12 || !(f.Dispersion > 3) || len(f.Warnings) != 1 {
		t.Errorf("outside %v of an expected %v, dispersion %g, %q", f.Outside, f.Expected, f.Dispersion, f.Warnings)
	}
}

// Efron, Morris 1977, Scientific American 236(5):119: averages of 18 batters after 45 times at bat of the season
// of 1970, .400 down to .156, are shrunk by a factor of .212 towards their mean of .265, where
// B = (k-3)/(k-1) of ours: p(1-p)/45 over the variance between the averages.
func TestShrinkageOfBatters(t *testing.T) {
	hits := []float64{18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7}
	var estimates []Estimate
	var total Cell
	for _, h := range hits {
		total.N, total.Sum = total.N+45, total.Sum+h
	}
	p := total.Mean()
	near(t, "mean of all", p, .265, .0005)
	for _, h := range hits {
		estimates = append(estimates, normalEstimate("", h/45, p*(1-p)/45, .95))
	}
	s := good(ShrinkEstimates(estimates, .95))
	// c = 1 - (k-3)σ²/Σ(y - ȳ)² there; DerSimonian and Laird have k - 1 for k - 3.
	near(t, "factor", 1-(1-s.Areas[0].Weight)*15/17, .212, .001)
	near(t, "Clemente", p+(1-(1-s.Areas[0].Weight)*15/17)*(18./45-p), .294, .0005)
	// The variance of B is Morris's 2B²/(k-3), so that of Clemente gains 2B²(y-ȳ)²/(k-3) by it.
	b, v := 1-s.Areas[0].Weight, p*(1-p)/45
	near(t, "variance", square(s.Areas[0].Estimate.SE), (1-b)*v+b*v/18+2./15*b*b*square(18./45-p), 1e-12)
}

// The intervals of areas hold the truth in as many as they say, on the average over areas and worlds; those
// of areas with few persons too. Where areas do not differ there is none.
func TestShrinkageCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	const worlds, k = 300, 20
	var shares, gaps, raw, places, of float64
	for range worlds {
		cells, estimates, truth := make([]Cell, k), make([]Estimate, k), make([]float64, k)
		for i := range cells {
			n := []float64{12, 40, 150}[i%3]
			truth[i] = logistic(-1 + .5*rng.NormFloat64())
			var y float64
			for range int(n) {
				y += float64(oneIf(rng.Float64() < truth[i]))
			}
			cells[i] = Cell{N: n, Sum: y, SumSq: y}
			se := .1 + .1*float64(i%3)
			estimates[i] = normalEstimate("", truth[i]+se*rng.NormFloat64(), se*se, .95)
		}
		a, err := ShrinkShares(cells, .95)
		if err != nil {
			t.Fatal(err)
		}
		b := good(ShrinkEstimates(estimates, .95))
		for i := range cells {
			of += 1. / k
			held := func(e Estimate) float64 { return float64(oneIf(e.Lower <= truth[i] && truth[i] <= e.Upper)) / k }
			shares += held(a.Areas[i].Estimate)
			raw += math.Abs(cells[i].Mean()-truth[i]) - math.Abs(a.Areas[i].Estimate.Value-truth[i])
			if b.Spread > 0 {
				gaps += held(b.Areas[i].Estimate)
				places += 1. / k
			}
		}
	}
	t.Logf("shares held in %.3f, gaps in %.3f of the %.0f worlds with a spread", shares/of, gaps/places, places)
	if shares/of < .92 || gaps/places < .92 || raw <= 0 {
		t.Errorf("shares held in %.3f, gaps in %.3f; shrinking gains %g", shares/of, gaps/places, raw)
	}
}

func TestShrinkageOfAlikeAreas(t *testing.T) {
	cells := []Cell{{N: 100, Sum: 30, SumSq: 30}, {N: 50, Sum: 15, SumSq: 15}, {N: 200, Sum: 60, SumSq: 60}, {}}
	s := good(ShrinkShares(cells, .95))
	if s.Spread != 0 || s.Areas[3].Estimate.Value != .3 || !math.IsNaN(s.Areas[0].Estimate.Lower) ||
		len(s.Warnings) != 1 ||
		s.Areas[1].Rank != 2.5 {
		t.Errorf("%+v", s)
	}
	var estimates []Estimate
	for _, c := range cells {
		estimates = append(estimates, Wilson(c.Sum, c.N, .95))
	}
	n := good(ShrinkEstimates(estimates, .95))
	if n.Spread != 0 || !math.IsNaN(n.Areas[3].Weight) || !math.IsNaN(n.Areas[0].Estimate.Lower) ||
		!strings.Contains(n.Warnings[len(n.Warnings)-1], "left out") {
		t.Errorf("%+v", n)
	}
	for name, err := range map[string]error{
		"two areas":     second(ShrinkShares(cells[:2], .95)),
		"two estimates": second(ShrinkEstimates(estimates[2:], .95)),
		"no outcome":    second(ShrinkShares([]Cell{{N: 3}, {N: 4}, {N: 5}}, .95)),
		"a measure":     second(ShrinkShares([]Cell{{N: 3, Sum: 5, SumSq: 9}, {N: 4}, {N: 5}}, .95)),
		"one in funnel": second(FunnelOf(cells[3:], .5)),
		"a centre of 0": second(FunnelOf(cells, 0)),
		"half a person": second(FunnelOf([]Cell{{N: 2.5, Sum: 1, SumSq: 1}, {N: 3}}, .5)),
		"a level":       second(FunnelOf(cells, .5, 95)),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
