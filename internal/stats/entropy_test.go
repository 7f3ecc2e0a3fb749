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

// balancingCase are the rows of a case with the columns that it balances, and the outcome of that name.
func balancingCase(c *publishedCase, outcome string, numbers []string) (Design, []TreatmentRow, []float64) {
	design := FreeDesign(append([]string{"race_black", "race_hispan"}, numbers...)...)
	var rows []TreatmentRow
	var weights []float64
	for _, r := range c.rows() {
		x := []float64{1, float64(oneIf(r["race"] == "black")), float64(oneIf(r["race"] == "hispan"))}
		for _, name := range numbers {
			x = append(x, c.number(r[name]))
		}
		n, y, treated := c.number(r["n"]), c.number(r[outcome]), r["group"] == "1"
		rows = append(rows, TreatmentRow{Pattern: Pattern{X: x, N: n, Sum: y, SumSq: y * y / n}, Treated: treated})
		w := math.NaN()
		if !treated {
			w = c.number(r["weight"])
		}
		weights = append(weights, w)
	}
	return design, rows, weights
}

func (c *publishedCase) checkBalancing(outcome string, numbers []string) {
	c.t.Helper()
	design, rows, weights := balancingCase(c, outcome, numbers)
	e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Method: EntropyBalancing})
	if err != nil {
		c.t.Fatal(err)
	}
	c.check(e.Effect.Value, "att", outcome)
	c.check(e.WithTreatment.Value, "mean_treated", outcome)
	c.check(e.Without.Value, "mean_control_weighted", outcome)
	c.check(e.EffectiveControls, "ess_control")
	c.check(e.Treated, "n_treated")
	c.check(e.Controls, "n_control")
	s := newTreatmentSample(design, rows, EffectOptions{Level: .95})
	c.check(s.arms[0].Mean(), "mean_control_unweighted", outcome)
	for i, w := range weights {
		if !math.IsNaN(w) {
			near(c.t, fmt.Sprint("weight of row ", i+1), e.Weights[i], w, 1e-7*(1+w))
		}
	}
	b := newBalancing(s, s.columns(nil)[1:])
	if err := b.solve(nil); err != nil {
		c.t.Fatal(err)
	}
	largest := 0.0
	for i, share := range b.shares {
		largest = math.Max(largest, share/rows[i].N)
	}
	c.check(largest, "max_weight_share")
	for at, name := range b.names {
		c.check(b.lambda[at]/b.scale[at], "lambda", name)
		var target, before, after float64
		for i, row := range rows {
			if x := row.X[at+1]; row.Treated {
				target += x * row.N / s.arms[1].N
			} else {
				before += x * row.N / s.arms[0].N
				after += x * row.N * e.Weights[i] / s.arms[1].N
			}
		}
		c.check(target, "moments_target", name)
		c.check(before, "moments_before", name)
		near(c.t, name+" after", after, target, 1e-8*(1+math.Abs(target)))
	}
	for _, b := range e.Balance {
		if b.Term.Name != "(propensity)" && math.Abs(b.After) > 1e-8 {
			c.t.Errorf("%s is left with a difference of %g", b.Covariate, b.After)
		}
	}
}

func TestEntropyBalancingCases(t *testing.T) {
	t.Run("cells", func(t *testing.T) {
		c := openCase(t, "entropy_balance_lalonde_cells")
		c.checkBalancing("y", []string{"married", "nodegree"})
		c.checkBalancing("y_re78", []string{"married", "nodegree"})
	})
	t.Run("rows", func(t *testing.T) {
		c := openCase(t, "entropy_balance_lalonde_rows")
		// the order of the file's λ is that of its columns
		c.checkBalancing("y", []string{"age", "educ", "married", "nodegree", "re74", "re75"})
	})
}

// Where the terms tell every cell apart, entropy balancing is weighting by a propensity of every cell, with the
// same standard error.
func TestEntropyBalancingOfAllCells(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	var treated, controls []Cell
	for a := range 2 {
		for b := range 3 {
			n1, n0 := float64(20+rng.IntN(30)), float64(40+rng.IntN(90))
			y1, y0 := math.Round(n1*rng.Float64()), math.Round(n0*rng.Float64())
			// one dimension for the pair of a and b, so that the terms tell all cells apart
			key := []int{3*a + b}
			treated = append(treated, Cell{Key: key, Cluster: b, N: n1, Sum: y1, SumSq: y1})
			controls = append(controls, Cell{Key: key, Cluster: 2 - b, N: n0, Sum: y0, SumSq: y0})
		}
	}
	design, rows, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, clustered := range []bool{false, true} {
		a := good(EstimateEffect(design, rows, EffectOptions{Level: .95, Method: EntropyBalancing, Clustered: clustered}))
		b := good(EstimateEffect(design, rows, EffectOptions{Level: .95, Method: IPW, Clustered: clustered}))
		near(t, "effect", a.Effect.Value, b.Effect.Value, 1e-9)
		near(t, "standard error", a.Effect.SE, b.Effect.SE, 1e-9)
		near(t, "lower", a.Effect.Lower, b.Effect.Lower, 1e-8)
	}
}

// Selection on two covariates, both of which also drive the outcome, linearly: intervals of entropy balancing
// hold the effect on the treated, those of no adjustment do not.
func TestEntropyBalancingCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	const worlds = 300
	var held, unadjusted float64
	for range worlds {
		design := FreeDesign("x", "z")
		var rows []TreatmentRow
		for range 400 {
			x, z := rng.NormFloat64(), float64(rng.IntN(2))
			treated := rng.Float64() < logistic(-1+.8*x+.5*z)
			y := 1 + x - z + rng.NormFloat64()
			if treated {
				y += .5
			}
			rows = append(rows, TreatmentRow{Pattern: Pattern{X: []float64{1, x, z}, N: 1, Sum: y, SumSq: y * y},
				Treated: treated})
		}
		holds := func(m EffectMethod) float64 {
			e := good(EstimateEffect(design, rows, EffectOptions{Level: .95, Method: m})).Effect
			return float64(oneIf(e.Lower <= .5 && .5 <= e.Upper)) / worlds
		}
		held, unadjusted = held+holds(EntropyBalancing), unadjusted+holds(Unadjusted)
	}
	t.Logf("held in %.3f, unadjusted in %.3f", held, unadjusted)
	if held < .92 || unadjusted > .3 {
		t.Errorf("held in %.3f, unadjusted in %.3f", held, unadjusted)
	}
}

func TestEntropyBalancingWithoutOverlap(t *testing.T) {
	cell := func(n, y float64, key ...int) Cell { return Cell{Key: key, N: n, Sum: y, SumSq: y} }
	dimensions := []Dimension{{Name: "origin", Codes: []string{"A", "B", "C"}},
		{Name: "work", Codes: []string{"no", "yes"}}}
	of := func(treated, controls []Cell) (*TreatmentEffect, error) {
		design, rows, err := TreatmentRows(dimensions, treated, controls)
		if err != nil {
			t.Fatal(err)
		}
		return EstimateEffect(design, rows, EffectOptions{Level: .95, Method: EntropyBalancing})
	}
	_, err := of([]Cell{cell(9, 3, 0, 0), cell(9, 3, 1, 1), cell(5, 1, 2, 0)},
		[]Cell{cell(20, 5, 0, 0), cell(20, 9, 1, 1)})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "origin=C") {
		t.Errorf("no controls of an origin: %v", err)
	}
	// half of either in opposite pairs: the means alone can be had
	if _, err = of([]Cell{cell(9, 3, 0, 0), cell(9, 3, 1, 1)}, []Cell{cell(20, 5, 0, 1), cell(20, 9, 1, 0)}); err != nil {
		t.Errorf("opposite pairs: %v", err)
	}
	_, err = of([]Cell{cell(9, 3, 0, 0), cell(1, 1, 1, 0), cell(1, 1, 0, 1)},
		[]Cell{cell(20, 5, 0, 1), cell(20, 9, 1, 0), cell(4, 1, 1, 1)})
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "origin=B, work=yes together") {
		t.Errorf("means outside what pairs of the controls can have: %v", err)
	}
	e, err := of([]Cell{cell(9, 3, 0, 0), cell(9, 4, 0, 1)},
		[]Cell{cell(20, 5, 0, 0), cell(20, 9, 0, 1), cell(7, 1, 1, 1)})
	if err != nil || e.UnmatchedControls != 7 || e.Controls != 40 {
		t.Errorf("controls of an origin that no treated has: %+v, %v", e, err)
	}
	design, rows, err := TreatmentRows(dimensions, []Cell{cell(9, 3, 0, 0)}, []Cell{cell(9, 3, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = EstimateEffect(design, rows, EffectOptions{Level: .95, Method: EntropyBalancing, Estimand: OnAll})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("the effect on all: %v", err)
	}
}

// Areas differ in treatment and outcome for a reason that is not recorded: within areas the effect is found, by
// a dummy for each, by what the means of each are taken away from, and by exact matching on the area.
func TestEffectWithinAreas(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 12))
	var held, crude float64
	const worlds = 200
	for world := range worlds {
		var treated, controls []Cell
		for area := range 45 {
			u := rng.NormFloat64()
			for age := range 2 {
				for arm := range 2 {
					n := 8 + rng.IntN(8)
					if arm == 1 {
						n = 2 + int(12*logistic(u))
					}
					if area == 44 && arm == 0 {
						continue // treated without controls
					}
					c := Cell{Key: []int{age}, Cluster: area}
					for range n {
						y := u + .5*float64(age) + .3*float64(arm) + rng.NormFloat64()
						c.N, c.Sum, c.SumSq = c.N+1, c.Sum+y, c.SumSq+y*y
					}
					if arm == 1 {
						treated = append(treated, c)
					} else {
						controls = append(controls, c)
					}
				}
			}
		}
		design, rows, err := TreatmentRows(nil, treated, controls)
		if err != nil {
			t.Fatal(err)
		}
		within := good(EffectWithin(design, rows, .95))
		holds := func(e Estimate) float64 { return float64(oneIf(e.Lower <= .3 && .3 <= e.Upper)) / worlds }
		held += holds(within.Effect)
		crude += holds(good(EstimateEffect(design, rows, EffectOptions{Level: .95, Method: IPW, Clustered: true})).Effect)
		if world > 0 {
			continue
		}
		if within.Areas != 44 || within.LeftOut == 0 || len(within.Warnings) != 1 {
			t.Errorf("%+v", within)
		}
		withArea := func(cells []Cell) (out []Cell) {
			for _, c := range cells {
				c.Key = append(slices.Clone(c.Key), c.Cluster)
				out = append(out, c)
			}
			return out
		}
		of44 := func(cells []Cell) []Cell { return cells[:88] } // those of the last area come last
		dummies, dummyRows, err := TreatmentRows(nil, of44(withArea(treated)), of44(withArea(controls)))
		if err != nil {
			t.Fatal(err)
		}
		var patterns []Pattern
		for _, r := range dummyRows {
			patterns = append(patterns, r.Pattern)
			last := &patterns[len(patterns)-1]
			last.X = append(slices.Clone(last.X), float64(armOf(r.Treated)))
		}
		dummies.Terms = append(dummies.Terms, Term{Name: "treatment"})
		fit := good(Fit(dummies, patterns, FitOptions{}))
		last := len(dummies.Terms) - 1
		near(t, "by dummies", fit.Coef[last], within.Effect.Value, 1e-9)
		var variance float64 // the plain one, by area
		for area := range 44 {
			var sum float64
			for _, p := range patterns {
				if p.Cluster == area {
					sum += fit.bread.times(p.X)[last] * (p.Sum - p.N*dot(p.X, fit.coef))
				}
			}
			variance += sum * sum
		}
		// which few clusters make larger by some per cent, in either form
		if ratio := within.Effect.SE / math.Sqrt(variance); ratio < 1 || ratio > 1.05 {
			t.Errorf("standard error %g, plain by dummies %g", within.Effect.SE, math.Sqrt(variance))
		}
		keyed, keyedRows, err := TreatmentRows(nil, withArea(treated), withArea(controls))
		if err != nil {
			t.Fatal(err)
		}
		m := good(EstimateEffect(keyed, keyedRows, EffectOptions{Level: .95, Method: ExactMatching, Clustered: true}))
		if math.Abs(m.Effect.Value-within.Effect.Value) > .2 || m.UnmatchedTreated != within.LeftOut {
			t.Errorf("exact matching on the area: %+v, beside %+v", m.Effect, within.Effect)
		}
	}
	t.Logf("held in %.3f, between areas too in %.3f", held, crude)
	if held < .92 || crude > .1 {
		t.Errorf("held in %.3f, between areas too in %.3f", held, crude)
	}
	design, rows, _ := TreatmentRows(nil, []Cell{{N: 3, Sum: 1, SumSq: 1}}, []Cell{{N: 3, Sum: 1, SumSq: 1, Cluster: 1}})
	if _, err := EffectWithin(design, rows, .95); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no area with both arms: %v", err)
	}
}
