package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestSimultaneousGapChangesCase(t *testing.T) {
	c := openCase(t, "maxt_gap_change_20")
	cells := map[string][]Cell{}
	for _, r := range c.rows() {
		y := c.number(r["y"])
		cells[r["mun"]+r["year"]+r["group"]] = []Cell{{N: c.number(r["n"]), Sum: y, SumSq: y}}
	}
	list := func(year, group string) (out [][]Cell) {
		for m := 1; m <= 20; m++ {
			out = append(out, cells[fmt.Sprintf("m%02d", m)+year+group])
		}
		return out
	}
	own := good(GapChanges(list("2015", "1"), list("2015", "0"), list("2020", "1"), list("2020", "0"),
		ContrastOptions{Level: .95}))
	common := good(GapChanges(list("2015", "1"), [][]Cell{cells["m0020150"]}, list("2020", "1"),
		[][]Cell{cells["m0020200"]}, ContrastOptions{Level: .95}))
	for key, x := range map[string]*Contrasts{"own_reference": own, "common_reference": common} {
		s := x.Simultaneous
		c.check(s.Critical, key, "critical")
		near(t, "looks", float64(s.Looks), 20, 0)
		for i, e := range s.Estimates {
			c.check(e.Value, key, "change", i)
			c.check(e.SE, key, "se", i)
			c.check(e.Lower, key, "lo", i)
			c.check(e.Upper, key, "hi", i)
			c.check(s.Adjusted[i], key, "p_adjusted", i)
			if one := x.Estimates[i]; !(one.Upper-one.Lower < e.Upper-e.Lower) {
				t.Errorf("%s %d: the interval of one at a time is the longer", key, i)
			}
			if s.Holm[i] < twoSided(e.Value/e.SE, math.Inf(1)) {
				t.Errorf("%s %d: Holm's P is smaller than that of one", key, i)
			}
		}
	}
	c.check(common.Covariance[0][1], "common_reference", "v0")
	c.check(normalQuantile(1-.05/20), "bonferroni")
	correlation := newSymmetric(20)
	for i := range 20 {
		for j := range 20 {
			correlation.a[i*20+j] = common.Covariance[i][j] / common.Estimates[i].SE / common.Estimates[j].SE
		}
	}
	k, factor, z := 20, correlation.semidefiniteRoot(), make([]float64, 20)
	m := &largest{k: k}
	m.simulate(k, k*(k+1)/2, func(rng *rand.Rand) float64 {
		highest := 0.0
		for i := range z {
			z[i] = rng.NormFloat64()
			highest = math.Max(highest, math.Abs(dot(factor.a[i*k:i*k+i+1], z[:i+1])))
		}
		return highest
	})
	c.check(m.quantile(.95), "simulated_critical_common")
}

func TestRankIntervalsCase(t *testing.T) {
	c := openCase(t, "rank_confidence_sets_12")
	var estimates []Estimate
	for _, r := range c.rows() {
		estimates = append(estimates, Wald(c.number(r["y"]), c.number(r["n"]), .95))
	}
	ranks := good(RankIntervals(estimates, .95))
	var errors []float64
	for _, e := range estimates {
		errors = append(errors, e.SE)
	}
	own, _ := rankQuantiles(errors, .95)
	c.check(ranks.Critical, "simultaneous", "critical")
	for i, r := range ranks.Ranks {
		c.check(estimates[i].Value, "p", i)
		c.check(estimates[i].SE, "se", i)
		c.check(float64(r.Rank), "naive_rank", i)
		c.check(float64(r.Best), "marginal", "lo", i)
		c.check(float64(r.Worst), "marginal", "hi", i)
		c.check(float64(r.AllBest), "simultaneous", "lo", i)
		c.check(float64(r.AllWorst), "simultaneous", "hi", i)
		var loadings []float64
		for j := range estimates {
			if j != i {
				loadings = append(loadings, estimates[i].SE/math.Hypot(estimates[i].SE, estimates[j].SE))
			}
		}
		exact := (&largest{k: 11, loadings: loadings}).quantile(.95)
		c.check(exact, "marginal", "critical", i)
		near(t, "simulated quantile", own[i], exact, .02)
	}
	if best := ranks.Best(); !slices.Equal(best, []int{4, 7, 10}) {
		t.Errorf("not to be told from the highest: %v", best)
	}
}

func TestRanksWithoutStandardError(t *testing.T) {
	estimates := []Estimate{Wilson(0, 30, .95), Wilson(15, 30, .95), undefined("none", .95, "no observations"),
		Wilson(30, 30, .95)}
	ranks := good(RankIntervals(estimates, .95))
	for i, want := range []Rank{{3, 3, 3, 3, 3}, {2, 2, 2, 2, 2}, {}, {1, 1, 1, 1, 1}} {
		if ranks.Ranks[i] != want {
			t.Errorf("%d: %+v, want %+v", i, ranks.Ranks[i], want)
		}
	}
	if len(ranks.Warnings) != 2 {
		t.Errorf("warnings: %q", ranks.Warnings)
	}
	if _, err := RankIntervals(estimates[2:], .95); fault.KindOf(err) != fault.Invalid {
		t.Errorf("one estimate: %v", err)
	}
}

// In 95 % of drawn worlds the intervals of ranks hold the true places: of one, and of all at once.
func TestRankCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	const worlds, k = 60, 8
	truth := []float64{0, .1, .2, .3, .4, .6, .9, 1.4}
	var one, all float64
	for range worlds {
		estimates := make([]Estimate, k)
		for i := range estimates {
			se := .1 + .2*float64(i%3)
			estimates[i] = normalEstimate("", truth[i]+se*rng.NormFloat64(), se*se, .95)
		}
		held := true
		for i, r := range good(RankIntervals(estimates, .95)).Ranks {
			place := k - i
			held = held && r.AllBest <= place && place <= r.AllWorst
			if i == 3 && r.Best <= place && place <= r.Worst {
				one++
			}
		}
		if held {
			all++
		}
	}
	t.Logf("one place %.3f, all %.3f", one/worlds, all/worlds)
	if one/worlds < .93 || all/worlds < .93 {
		t.Errorf("one place is held in %.3f of worlds, all in %.3f", one/worlds, all/worlds)
	}
}

// Holm 1979 by hand: .01·4, then the larger of that and .02·3, and so on.
func TestHolm(t *testing.T) {
	got := Holm([]float64{.02, .01, math.NaN(), .9, .5})
	for i, want := range []float64{.06, .04, math.NaN(), 1, 1} {
		near(t, "Holm", got[i], want, 1e-15)
	}
}

// The exact quantiles agree with simulated ones for a common source, for none, and for one that is nearly all.
func TestLargestOfNormals(t *testing.T) {
	for name, loadings := range map[string][]float64{"none": {0, 0, 0}, "equal": {.7, .7, .7, .7},
		"both signs": {-.9, .5, .2, .99}, "all": {1, 1, .3}, "two": {.8, .5}} {
		k := len(loadings)
		correlation := newSymmetric(k)
		for i := range loadings {
			for j := range loadings {
				correlation.a[i*k+j] = loadings[i] * loadings[j]
			}
			correlation.a[i*k+i] = 1
		}
		exact := newLargest(correlation)
		if exact.loadings == nil {
			t.Errorf("%s: the common source is not seen", name)
			continue
		}
		m := &largest{k: k}
		m.simulate(k, 1, func(rng *rand.Rand) float64 {
			f, highest := rng.NormFloat64(), 0.0
			for _, l := range loadings {
				highest = math.Max(highest, math.Abs(l*f+math.Sqrt(1-l*l)*rng.NormFloat64()))
			}
			return highest
		})
		near(t, name, exact.quantile(.95), m.quantile(.95), .03)
		near(t, name+", beyond 2", exact.beyond(2), m.beyond(2), .006)
	}
	tridiagonal := newSymmetric(3)
	copy(tridiagonal.a, []float64{1, -.5, 0, -.5, 1, -.5, 0, -.5, 1})
	if m := newLargest(tridiagonal); m.draws == nil {
		t.Error("changes from year to year have no common source")
	}
}

func TestGapsByHand(t *testing.T) {
	share := func(cluster int, y, n float64) Cell { return Cell{Cluster: cluster, N: n, Sum: y, SumSq: y} }
	a := [][]Cell{{share(1, 6, 10), share(2, 2, 10)}, {share(1, 5, 10), share(3, 5, 10)}}
	rest := [][]Cell{{share(4, 3, 10), share(5, 1, 10)}}
	g := good(GapsOf(a, rest, ContrastOptions{Level: .95}))
	near(t, "gap", g.Estimates[0].Value, .2, 1e-12)
	near(t, "variance", g.Covariance[0][0], .4*.6/20+.2*.8/20, 1e-12)
	near(t, "covariance by the reference", g.Covariance[0][1], .2*.8/20, 1e-12)
	g = good(GapsOf(a, rest, ContrastOptions{Level: .95, Clustered: true}))
	// residual sums over n: a0 ±.1, a1 0 and 0, reference ±.05; two clusters of one size in each
	near(t, "clustered variance", g.Covariance[0][0], 2*(.02+.005), 1e-12)
	near(t, "clustered covariance", g.Covariance[0][1], 2*.005, 1e-12)
	near(t, "degrees of freedom", g.DF[0], .05*.05/(.04*.04+.01*.01), 1e-12)
	if len(g.Warnings) != 1 {
		t.Errorf("no warning of few clusters: %q", g.Warnings)
	}
	one := good(GapsOf([][]Cell{{share(1, 3, 9)}}, rest, ContrastOptions{Level: .95, Clustered: true}))
	if e := one.Estimates[0]; !math.IsNaN(e.SE) || one.Simultaneous != nil {
		t.Errorf("one cluster: %+v", one)
	}
	empty := good(GapsOf([][]Cell{{}, {share(1, 3, 9)}}, rest, ContrastOptions{Level: .95}))
	if e := empty.Estimates; !math.IsNaN(e[0].Value) || !(e[1].SE > 0) || empty.Simultaneous.Looks != 1 {
		t.Errorf("an empty group: %+v", empty)
	}
	if _, err := GapsOf(a, [][]Cell{a[0], a[0], a[0]}, ContrastOptions{Level: .95}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("two groups beside three: %v", err)
	}
}

func BenchmarkRankIntervals(b *testing.B) {
	rng := rand.New(rand.NewPCG(4, 4))
	var estimates []Estimate
	for range 98 {
		estimates = append(estimates, Wald(50+50*rng.Float64(), 200+2000*rng.Float64(), .95))
	}
	for b.Loop() {
		if _, err := RankIntervals(estimates, .95); err != nil {
			b.Fatal(err)
		}
	}
}

// A gap of few areas beside many, with areas that differ: intervals of one at a time hold it, and those of all
// at once hold all, over gaps that share the many.
func TestGapsCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 15))
	const worlds, groups = 600, 4
	var one, all float64
	for range worlds {
		draw := func(first, clusters int, sd float64) (cells []Cell) {
			for i := range clusters {
				u := sd * rng.NormFloat64()
				c := Cell{Cluster: first + i, N: 20 + float64(rng.IntN(40))}
				for range int(c.N) {
					y := u + rng.NormFloat64()
					c.Sum, c.SumSq = c.Sum+y, c.SumSq+y*y
				}
				cells = append(cells, c)
			}
			return cells
		}
		var a [][]Cell
		for k := range groups {
			a = append(a, draw(1000+100*k, 6, .3))
		}
		g := good(GapsOf(a, [][]Cell{draw(0, 60, .3)}, ContrastOptions{Level: .95, Clustered: true}))
		held := true
		for k, e := range g.Estimates {
			one += float64(oneIf(e.Lower <= 0 && e.Upper >= 0)) / worlds / groups
			s := g.Simultaneous.Estimates[k]
			held = held && s.Lower <= 0 && s.Upper >= 0
		}
		all += float64(oneIf(held)) / worlds
	}
	t.Logf("one at a time %.3f, all at once %.3f", one, all)
	if one < .93 || all < .93 {
		t.Errorf("one at a time %.3f, all at once %.3f", one, all)
	}
}
