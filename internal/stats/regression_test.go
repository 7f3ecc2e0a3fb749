package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func row(y float64, x ...float64) Pattern {
	return Pattern{X: append([]float64{1}, x...), N: 1, Sum: y, SumSq: y * y}
}

func TestLinearRegressionAgainstNorris(t *testing.T) {
	// NIST StRD, Norris: linear calibration, certified to 15 digits.
	// B0 -0.262323073774029 (0.232818234301152), B1 1.00211681802045 (0.429796848199937E-03), residual
	// SD 0.884796396144373
	y := []float64{0.1, 338.8, 118.1, 888.0, 9.2, 228.1, 668.5, 998.5, 449.1, 778.9, 559.2, 0.3, 0.1, 778.1, 668.8, 339.3,
		448.9, 10.8, 557.7, 228.3, 998.0, 888.8, 119.6, 0.3, 0.6, 557.6, 339.3, 888.0, 998.5, 778.9, 10.2, 117.6, 228.9,
		668.4, 449.2, 0.2}
	x := []float64{0.2, 337.4, 118.2, 884.6, 10.1, 226.5, 666.3, 996.3, 448.6, 777.0, 558.2, 0.4, 0.6, 775.5, 666.9, 338.0,
		447.5, 11.6, 556.0, 228.1, 995.8, 887.6, 120.2, 0.3, 0.3, 556.8, 339.1, 887.2, 999.0, 779.0, 11.1, 118.3, 229.2,
		669.1, 448.9, 0.5}
	var rows []Pattern
	for i := range y {
		rows = append(rows, row(y[i], x[i]))
	}
	fit, err := Fit(FreeDesign("x"), rows, FitOptions{Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "B0", fit.Coef[0], -0.262323073774029, 1e-11)
	near(t, "B1", fit.Coef[1], 1.00211681802045, 1e-13)
	near(t, "SE B0", fit.Coefficient(0, .95).SE, 0.232818234301152, 1e-9)
	near(t, "SE B1", fit.Coefficient(1, .95).SE, 0.429796848199937e-3, 1e-12)
	near(t, "residual SD", math.Sqrt(fit.Sigma2), 0.884796396144373, 1e-9)
	if fit.DF != 34 || fit.Observations != 36 {
		t.Errorf("df %g, n %g", fit.DF, fit.Observations)
	}
}

func TestLogitAgainstMenarche(t *testing.T) {
	// Milicer, Szczotka 1966, in Venables, Ripley, MASS data(menarche): age, girls, with menarche.
	// R: glm(cbind(Menarche, Total-Menarche) ~ Age, binomial): -21.22639 (0.77068), 1.63197 (0.05895)
	age := []float64{9.21, 10.21, 10.58, 10.83, 11.08, 11.33, 11.58, 11.83, 12.08, 12.33, 12.58, 12.83, 13.08, 13.33,
		13.58, 13.83, 14.08, 14.33, 14.58, 14.83, 15.08, 15.33, 15.58, 15.83, 17.58}
	total := []float64{376, 200, 93, 120, 90, 88, 105, 111, 100, 93, 100, 108, 99, 106, 105, 117, 98, 97, 120, 102, 122,
		111, 94, 114, 1049}
	has := []float64{0, 0, 0, 2, 2, 5, 10, 17, 16, 29, 39, 51, 47, 67, 81, 88, 79, 90, 113, 95, 117, 107, 92, 112, 1049}
	var rows []Pattern
	for i := range age {
		rows = append(rows, Pattern{X: []float64{1, age[i]}, N: total[i], Sum: has[i], SumSq: has[i]})
	}
	fit, err := Fit(FreeDesign("age"), rows, FitOptions{Model: Logit, Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "constant", fit.Coef[0], -21.22639, 5e-6)
	near(t, "age", fit.Coef[1], 1.63197, 5e-6)
	// R takes its standard errors from the iteration before the last: 1e-5 off
	near(t, "SE constant", fit.Coefficient(0, .95).SE, 0.77068, 1e-5)
	near(t, "SE age", fit.Coefficient(1, .95).SE, 0.05895, 5e-6)
	if len(fit.Separated) != 0 {
		t.Errorf("cells of 0 and of all are no separation here: %v", fit.Separated)
	}
}

func TestFairlieLogitCoefficientsCase(t *testing.T) {
	c := openCase(t, "fairlie_homecomp_total", "coef0", "se0")
	names := []string{"female", "age", "hsgrad", "somecol", "college", "married", "prevmar"}
	var rows []Pattern
	for _, in := range c.rows() {
		if in["white"] != "1" || in["homecomp"] == "" {
			continue
		}
		p := Pattern{X: []float64{1}, N: 1, Sum: c.number(in["homecomp"]), SumSq: c.number(in["homecomp"])}
		for _, name := range names {
			p.X = append(p.X, c.number(in[name]))
		}
		rows = append(rows, p)
	}
	fit, err := Fit(FreeDesign(names...), rows, FitOptions{Model: Logit, Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	for j, name := range append([]string{"(Intercept)"}, names...) {
		c.check(fit.Coef[j], "coef0", name)
		c.check(fit.Coefficient(j, .95).SE, "se0", name)
	}
}

// randomCells draws cells over the sizes given, with rates that depend on the key.
func randomCells(rng *rand.Rand, sizes []int, cells int, observations int, indicator bool) []Cell {
	var out []Cell
	for range cells {
		key := make([]int, len(sizes))
		rate := 0.3
		for d, size := range sizes {
			key[d] = rng.IntN(size)
			rate += 0.4 * (float64(key[d])/float64(size) - 0.5) / float64(len(sizes))
		}
		c := Cell{Key: key, Cluster: rng.IntN(15)}
		for range 1 + rng.IntN(observations) {
			y := 0.0
			if rng.Float64() < rate {
				y = 1
			}
			if !indicator {
				y += rng.NormFloat64()
			}
			c.N, c.Sum, c.SumSq = c.N+1, c.Sum+y, c.SumSq+y*y
		}
		out = append(out, c)
	}
	return out
}

// rowsOf makes one pattern per observation of indicator patterns.
func rowsOf(patterns []Pattern) (rows []Pattern) {
	for _, p := range patterns {
		for i := range int(p.N) {
			y := 0.0
			if i < int(p.Sum) {
				y = 1
			}
			rows = append(rows, Pattern{X: p.X, Cluster: p.Cluster, N: 1, Sum: y, SumSq: y})
		}
	}
	return rows
}

func TestCellsAndRowsGiveTheSameRegression(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	cells := randomCells(rng, []int{3, 4}, 60, 12, true)
	design, err := NewDesign(nil, false, cells)
	if err != nil {
		t.Fatal(err)
	}
	grouped, err := design.Patterns(cells, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []Model{Linear, Logit} {
		for _, covariance := range []Covariance{Robust, Classical, HC0, HC2, HC3, Clustered} {
			opts := FitOptions{Model: model, Covariance: covariance}
			g, err := Fit(design, grouped, opts)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Fit(design, rowsOf(grouped), opts)
			if err != nil {
				t.Fatal(err)
			}
			for j := range g.Coef {
				name := fmt.Sprint(model, covariance, design.Terms[j].Name)
				near(t, name, g.Coef[j], r.Coef[j], 1e-11)
				near(t, name+" SE", g.Coefficient(j, .95).SE, r.Coefficient(j, .95).SE, 1e-11)
				near(t, name+" effect", g.MarginalEffect(j, .95).Value, r.MarginalEffect(j, .95).Value, 1e-11)
				near(t, name+" effect SE", g.MarginalEffect(j, .95).SE, r.MarginalEffect(j, .95).SE, 1e-11)
			}
			if g.DF != r.DF || g.Observations != r.Observations || g.Clusters != r.Clusters {
				t.Errorf("%v %v: n, df or clusters differ", model, covariance)
			}
			for j := 1; j < 3; j++ {
				wg, err := g.WildMarginalEffect(j, .95, 199, 7)
				if err != nil {
					t.Fatal(err)
				}
				wr, _ := r.WildMarginalEffect(j, .95, 199, 7)
				near(t, "wild lower", wg.Estimate.Lower, wr.Estimate.Lower, 1e-6)
				near(t, "wild p", wg.PValue, wr.PValue, 1e-9)
			}
		}
	}
}

// TestWildBootstrapAgainstDefinition redraws the restricted wild bootstrap-t the long way: residuals
// under the null, a new outcome, a new regression and new cluster-robust errors for each draw. The
// null value of a coefficient is moved by adding a multiple of its column to the outcome.
func TestWildBootstrapAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	cells := randomCells(rng, []int{2, 3}, 50, 1, false)
	design, _ := NewDesign(nil, false, cells)
	base, _ := design.Patterns(cells, false)
	const term, draws, seed = 1, 99, 11
	for _, shift := range []float64{0, 0.4, 0.8, -0.6} {
		var rows, short []Pattern
		for _, p := range base {
			y := p.Sum + shift*p.X[term]
			p.Sum, p.SumSq = y, y*y
			rows = append(rows, p)
			p.X = slices.Delete(slices.Clone(p.X), term, term+1)
			short = append(short, p)
		}
		fit, err := Fit(design, rows, FitOptions{Covariance: Clustered})
		if err != nil {
			t.Fatal(err)
		}
		got, err := fit.WildClusterBootstrap(term, .95, draws, seed)
		if err != nil {
			t.Fatal(err)
		}
		null, err := Fit(Design{Terms: slices.Delete(slices.Clone(design.Terms), term, term+1)}, short,
			FitOptions{Covariance: Classical})
		if err != nil {
			t.Fatal(err)
		}
		var ids []int
		for _, p := range rows {
			if !slices.Contains(ids, p.Cluster) {
				ids = append(ids, p.Cluster)
			}
		}
		slices.Sort(ids)
		draw := rand.New(rand.NewPCG(seed, uint64(len(design.Terms))))
		sample := math.Abs(fit.Coef[term] / fit.Coefficient(term, .95).SE)
		extreme := 0
		for range draws {
			weight := map[int]float64{}
			for _, id := range ids {
				weight[id] = wildWeight(draw, fit.Clusters)
			}
			var starred []Pattern
			for i, p := range rows {
				mu := dot(short[i].X, null.Coef)
				y := mu + weight[p.Cluster]*(p.Sum-mu)
				starred = append(starred, Pattern{X: p.X, Cluster: p.Cluster, N: 1, Sum: y, SumSq: y * y})
			}
			again, err := Fit(design, starred, FitOptions{Covariance: Clustered})
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(again.Coef[term]/again.Coefficient(term, .95).SE) >= sample {
				extreme++
			}
		}
		near(t, "p value", got.PValue, float64(extreme)/draws, 1e-12)
		if e := got.Estimate; !(e.Lower < e.Value && e.Value < e.Upper) ||
			(got.PValue > .05) != (e.Lower < 0 && e.Upper > 0) {
			t.Errorf("p = %v, but the interval is %v to %v around %v", got.PValue, e.Lower, e.Upper, e.Value)
		}
	}
}

func TestSeparationIsReportedNotIterated(t *testing.T) {
	dims := []Dimension{{Name: "origin", Codes: []string{"DANISH", "WESTERN", "NON_WESTERN"}}}
	cells := []Cell{
		{Key: []int{0}, N: 50, Sum: 20, SumSq: 20}, {Key: []int{1}, N: 30, Sum: 30, SumSq: 30}, {Key: []int{2}, N: 40,
			Sum: 10, SumSq: 10},
	}
	design, err := NewDesign(dims, false, cells)
	if err != nil {
		t.Fatal(err)
	}
	patterns, _ := design.Patterns(cells, false)
	fit, err := Fit(design, patterns, FitOptions{Model: Logit})
	if err != nil {
		t.Fatal(err)
	}
	if len(fit.Separated) != 1 || fit.Separated[0] != "all of 30 with origin=WESTERN have the outcome" {
		t.Errorf("separated: %q", fit.Separated)
	}
	near(t, "the category left", fit.Coef[2], math.Log(10./30/(20./30)), 1e-9)
	if !math.IsNaN(fit.Coef[1]) || !math.IsNaN(fit.Coefficient(1, .95).Value) {
		t.Errorf("a separated coefficient came out as %v", fit.Coef[1])
	}
	if fit.Observations != 90 {
		t.Errorf("%g observations used, want 90", fit.Observations)
	}

	// the base category decides
	cells[0].Sum, cells[0].SumSq, cells[1].Sum, cells[1].SumSq = 0, 0, 12, 12
	patterns, _ = design.Patterns(cells, false)
	if fit, err = Fit(design, patterns, FitOptions{Model: Logit}); err != nil {
		t.Fatal(err)
	}
	if len(fit.Separated) != 1 || fit.Separated[0] != "none of 50 with origin=DANISH has the outcome" {
		t.Errorf("separated: %q", fit.Separated)
	}

	// complete separation by a free column, and a group that decides, are errors that explain
	if _, err := Fit(FreeDesign("age"), []Pattern{row(0, 1), row(0, 2), row(0, 3), row(1, 4), row(1, 5)},
		FitOptions{Model: Logit}); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "perfectly") {
		t.Errorf("complete separation: %v", err)
	}
	a := []Cell{{Key: []int{0}, N: 10, Sum: 10, SumSq: 10}, {Key: []int{1}, N: 10, Sum: 10, SumSq: 10}}
	b := []Cell{{Key: []int{0}, N: 10, Sum: 5, SumSq: 5}, {Key: []int{1}, N: 10, Sum: 3, SumSq: 3}}
	if _, err := Adjust(a, b, AdjustOptions{Level: .95, Model: Logit}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "odds ratio") {
		t.Errorf("a group that decides: %v", err)
	}
	// a quasi-separated point: overlap at a single value
	if _, err := Fit(FreeDesign("age"), []Pattern{row(0, 1), row(0, 2), row(0, 3), row(1, 3), row(1, 5)},
		FitOptions{Model: Logit}); err != nil && fault.KindOf(err) != fault.Invalid {
		t.Errorf("quasi-separation: %v", err)
	}
}

func TestAdjust(t *testing.T) {
	// Within each category both cohorts have the same rate: the crude gap is composition only.
	a := []Cell{{Key: []int{0}, Cluster: 1, N: 200, Sum: 172, SumSq: 172},
		{Key: []int{1}, Cluster: 2, N: 300, Sum: 228, SumSq: 228}}
	b := []Cell{{Key: []int{0}, Cluster: 3, N: 9000, Sum: 7740, SumSq: 7740},
		{Key: []int{1}, Cluster: 4, N: 1000, Sum: 760, SumSq: 760}}
	for _, model := range []Model{Linear, Logit} {
		g, err := Adjust(a, b, AdjustOptions{Level: .95, Model: model})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "crude", g.Crude.Value, .8-.85, 1e-12)
		near(t, "adjusted", g.Adjusted.Value, 0, 1e-10)
		if !(g.Adjusted.Lower < 0 && g.Adjusted.Upper > 0 && g.Crude.Upper < 0) {
			t.Errorf("%v: crude %+v, adjusted %+v", model, g.Crude, g.Adjusted)
		}
		near(t, "support", g.Support.Value, 1, 0)
		if model == Logit {
			near(t, "odds ratio", g.OddsRatio.Value, 1, 1e-9)
		}
		// against a population that contains it: the gap to the rest, scaled
		population := append(slices.Clone(a), b...)
		over, err := Adjust(a, population, AdjustOptions{Level: .95, Model: model, Shared: a})
		if err != nil {
			t.Fatal(err)
		}
		const rest = 10000. / 10500
		near(t, "overlap", over.Adjusted.SE, rest*g.Adjusted.SE, 1e-12)
		near(t, "overlap, crude", over.Crude.Value, .8-8900./10500, 1e-12)
		near(t, "overlap, crude", over.Crude.Lower, rest*g.Crude.Lower, 1e-12)
		if len(over.Warnings) == 0 {
			t.Error("an overlap was not reported")
		}
		other, err := Adjust(population, a, AdjustOptions{Level: .95, Model: model, Shared: a})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "overlap the other way", other.Adjusted.Lower, -over.Adjusted.Upper, 1e-10)
	}
	for name, try := range map[string]func() error{
		"empty cohort": func() error { _, err := Adjust(nil, b, AdjustOptions{Level: .95}); return err },
		"no common support": func() error {
			_, err := Adjust(a[:1], b[1:], AdjustOptions{Level: .95})
			return err
		},
		"one cluster": func() error {
			one := func(cells []Cell) []Cell {
				out := slices.Clone(cells)
				for i := range out {
					out[i].Cluster = 5
				}
				return out
			}
			_, err := Adjust(one(a), one(b), AdjustOptions{Level: .95, Draws: 999, Covariance: Clustered})
			return err
		},
		"the control is the outcome": func() error {
			yes := []Cell{{Key: []int{0}, N: 20}, {Key: []int{1}, N: 30, Sum: 30, SumSq: 30}}
			_, err := Adjust(yes, yes, AdjustOptions{Level: .95})
			return err
		},
		"the control is the outcome, logit": func() error {
			yes := []Cell{{Key: []int{0}, N: 20}, {Key: []int{1}, N: 30, Sum: 30, SumSq: 30}}
			_, err := Adjust(yes, yes, AdjustOptions{Level: .95, Model: Logit})
			return err
		},
		"no variation": func() error {
			none := []Cell{{Key: []int{0}, N: 20}}
			_, err := Adjust(none, none, AdjustOptions{Level: .95, Model: Logit})
			return err
		},
		"too much shared": func() error { _, err := Adjust(a, b, AdjustOptions{Level: .95, Shared: a}); return err },
		"mixed keys": func() error {
			_, err := Adjust(a, []Cell{{Key: []int{1, 2}, N: 4}}, AdjustOptions{Level: .95})
			return err
		},
		"nan": func() error {
			_, err := Adjust(a, []Cell{{Key: []int{1}, N: math.NaN()}}, AdjustOptions{Level: .95})
			return err
		},
		"a level of 95": func() error { _, err := Adjust(a, b, AdjustOptions{Level: 95}); return err },
	} {
		if err := try(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// With no effect, and areas that differ by chance, an interval by cluster of a cohort of one area would
// cover the 0 in one draw of five; it must not be shown. Of 20 areas beside 60 it covers.
func TestAdjustOfCohortsInFewClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	draw := func(areas int) (a, b []Cell) {
		for area := range areas + 60 {
			p := .3 + .05*rng.NormFloat64()
			for key := range 2 {
				c := Cell{Key: []int{key}, Cluster: area, N: 100}
				for range 100 {
					if rng.Float64() < p {
						c.Sum++
						c.SumSq++
					}
				}
				if area < areas {
					a = append(a, c)
				} else {
					b = append(b, c)
				}
			}
		}
		return a, b
	}
	one, others := draw(1)
	for _, model := range []Model{Linear, Logit} {
		for _, sides := range [][2][]Cell{{one, others}, {others, one}, {one, others[:20]}} {
			g, err := Adjust(sides[0], sides[1], AdjustOptions{Level: .95, Draws: 999, Model: model, Covariance: Clustered})
			if err != nil {
				t.Fatal(err)
			}
			for name, e := range map[string]Estimate{"gap": g.Adjusted, "odds ratio": g.OddsRatio,
				"coefficient": g.Coefficients[1].Estimate} {
				if !math.IsNaN(e.SE) || !math.IsNaN(e.Lower) || len(e.Warnings) == 0 || name == "gap" && math.IsNaN(e.Value) {
					t.Errorf("%v, %s of one area: %+v", model, name, e)
				}
			}
			if !math.IsNaN(g.PValue) {
				t.Errorf("%v: p = %g", model, g.PValue)
			}
		}
	}
	a, b := draw(5)
	g, err := Adjust(a, b, AdjustOptions{Level: .95, Draws: 999, Covariance: Clustered})
	if err != nil {
		t.Fatal(err)
	}
	d := g.Adjusted.Design
	if d == nil || d.ClustersA != 5 || d.ClustersB != 60 || !(d.DF > 3 && d.DF < 6) || !(d.DesignEffect > 1) {
		t.Errorf("5 areas beside 60: %+v", d)
	}
	if !(g.BootstrapP > 0 && g.BootstrapP <= 1) {
		t.Errorf("5 areas: p = %g by the bootstrap", g.BootstrapP)
	}
	near(t, "p value", g.PValue, twoSided(g.Adjusted.Value/g.Adjusted.SE, d.DF), 1e-12)
}

func TestSamplingWeightsAreScaled(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	cells := randomCells(rng, []int{3}, 40, 5, true)
	design, _ := NewDesign(nil, false, cells)
	plain, _ := design.Patterns(cells, false)
	heavy := slices.Clone(plain)
	var n float64
	for i := range heavy {
		n += plain[i].N
		heavy[i].N, heavy[i].Sum, heavy[i].SumSq = 2345*plain[i].N, 2345*plain[i].Sum, 2345*plain[i].SumSq
	}
	for _, model := range []Model{Linear, Logit} {
		p, err := Fit(design, plain, FitOptions{Model: model})
		if err != nil {
			t.Fatal(err)
		}
		h, err := Fit(design, heavy, FitOptions{Model: model, Observations: n})
		if err != nil {
			t.Fatal(err)
		}
		for j := range p.Coef {
			near(t, "coefficient", h.Coef[j], p.Coef[j], 1e-11)
			near(t, "SE", h.Coefficient(j, .95).SE, p.Coefficient(j, .95).SE, 1e-11)
		}
	}
}

func TestCollinearColumnsAreOmittedAndNamed(t *testing.T) {
	rows := []Pattern{row(1, 1, 2), row(3, 2, 4), row(2, 3, 6), row(5, 4, 8), row(4, 5, 10)}
	fit, err := Fit(FreeDesign("x", "twice x"), rows, FitOptions{Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slope", fit.Coef[1], 0.8, 1e-12)
	if !math.IsNaN(fit.Coef[2]) || len(fit.Warnings) != 1 || !strings.Contains(fit.Warnings[0], "twice x") {
		t.Errorf("coefficient %v, warnings %q", fit.Coef[2], fit.Warnings)
	}
}

func BenchmarkLogit(b *testing.B) {
	rng := rand.New(rand.NewPCG(7, 8))
	cells := randomCells(rng, []int{4, 5, 3, 4, 4}, 1000, 400, true)
	half := len(cells) / 2
	for b.Loop() {
		if _, err := Adjust(cells[:half], cells[half:], AdjustOptions{Level: .95, Model: Logit}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCovariancesByHand(t *testing.T) {
	// One dummy: the coefficient is a difference of means. HC2 has the unbiased variances of both
	// groups, HC0 those of divisor n, HC3 divides n-1 twice; one cluster per row is HC1 again.
	y := [2][]float64{{1, 2, 4, 8, 3}, {5, 9, 7, 20}}
	var rows []Pattern
	var ss [2]float64
	for g := range y {
		var mean float64
		for _, v := range y[g] {
			mean += v / float64(len(y[g]))
		}
		for _, v := range y[g] {
			ss[g] += (v - mean) * (v - mean)
			p := row(v, float64(g))
			p.Cluster = len(rows)
			rows = append(rows, p)
		}
	}
	hc0 := ss[0]/25 + ss[1]/16
	for covariance, want := range map[Covariance]float64{
		Classical: (ss[0] + ss[1]) / 7 * (1./5 + 1./4),
		HC0:       hc0,
		Robust:    hc0 * 9 / 7,
		HC2:       ss[0]/(5*4) + ss[1]/(4*3),
		HC3:       ss[0]/(4*4) + ss[1]/(3*3),
		Clustered: ss[0]/(5*4) + ss[1]/(4*3), // each row is a cluster of its own
	} {
		fit, err := Fit(FreeDesign("group"), rows, FitOptions{Covariance: covariance})
		if err != nil {
			t.Fatal(err)
		}
		near(t, covariance.String(), fit.Coefficient(1, .95).SE, math.Sqrt(want), 1e-12)
	}
}

func TestMarginalEffects(t *testing.T) {
	// without controls the effect is the difference of proportions, with its unpooled standard error
	a, b := []Cell{{Key: []int{0}, N: 80, Sum: 20, SumSq: 20}}, []Cell{{Key: []int{0}, N: 120, Sum: 60, SumSq: 60}}
	g, err := Adjust(a, b, AdjustOptions{Level: .95, Model: Logit, Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "difference", g.Adjusted.Value, -.25, 1e-12)
	near(t, "its SE", g.Adjusted.SE, math.Sqrt(.25*.75/80+.25/120), 1e-12)
	near(t, "odds ratio", g.OddsRatio.Value, 1./3, 1e-12)

	// the gradient of every kind of effect against a numerical one
	rng := rand.New(rand.NewPCG(9, 10))
	cells := randomCells(rng, []int{3, 2}, 40, 9, true)
	design, _ := NewDesign(nil, false, cells)
	design.Terms = append(design.Terms, Term{Name: "x"})
	patterns, _ := (Design{Terms: design.Terms[:4], levels: design.levels, columns: design.columns}).Patterns(cells, false)
	for i := range patterns {
		patterns[i].X = append(slices.Clone(patterns[i].X), rng.NormFloat64())
	}
	fit, err := Fit(design, patterns, FitOptions{Model: Logit})
	if err != nil {
		t.Fatal(err)
	}
	for term := 1; term < 5; term++ {
		_, gradient := fit.marginalEffect(term)
		for j := range gradient {
			const h = 1e-6
			was := fit.coef[j]
			fit.coef[j] = was + h
			up, _ := fit.marginalEffect(term)
			fit.coef[j] = was - h
			down, _ := fit.marginalEffect(term)
			fit.coef[j] = was
			near(t, "gradient of "+design.Terms[term].Name, gradient[j], (up-down)/(2*h), 1e-8)
		}
	}
}
