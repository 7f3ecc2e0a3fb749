package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestStaggeredAreasCase(t *testing.T) {
	c := openCase(t, "did_staggered_sim")
	var periods []int
	starts := map[int]int{}
	var cells []Cell
	var names []string
	for _, r := range c.rows() {
		year, y := int(c.number(r["year"])), c.number(r["y"])
		if !slices.Contains(periods, year) {
			periods = append(periods, year)
		}
		area := slices.Index(names, r["area"])
		if area < 0 {
			area, names = len(names), append(names, r["area"])
		}
		starts[area] = int(c.number(r["first_treat"]))
		cells = append(cells, Cell{Key: []int{year}, Cluster: area, N: c.number(r["n"]), Sum: y, SumSq: y})
	}
	units := good(AreaPanel(periods, cells, starts))
	varying := good(StaggeredEffects(periods, units, GroupTimeOptions{Level: .95, LargeSample: true}))
	universal := good(StaggeredEffects(periods, units, GroupTimeOptions{Level: .95, Universal: true, LargeSample: true}))
	c.check(varying.Units, "areas")
	for _, e := range varying.Effects {
		c.check(e.Effect.Value, "varying", "att", fmt.Sprintf("%d_%d", e.Group, e.Period))
		c.check(e.Effect.SE, "varying", "se", fmt.Sprintf("%d_%d", e.Group, e.Period))
	}
	zero := func(e Estimate) float64 { // the file gives the base an error of 0
		if e.Value == 0 {
			return 0
		}
		return e.SE
	}
	for _, e := range universal.Effects {
		c.check(e.Effect.Value, "universal", "att", fmt.Sprintf("%d_%d", e.Group, e.Period))
		c.check(zero(e.Effect), "universal", "se", fmt.Sprintf("%d_%d", e.Group, e.Period))
	}
	dynamic, groups, base := varying.ByExposure(), varying.ByGroup(), universal.ByExposure()
	for _, p := range dynamic.Parts {
		c.check(p.Effect.Value, "dynamic", "att", fmt.Sprint(p.At))
		c.check(p.Effect.SE, "dynamic", "se", fmt.Sprint(p.At))
	}
	for _, p := range base.Parts {
		c.check(p.Effect.Value, "dynamic_universal", "att", fmt.Sprint(p.At))
		c.check(zero(p.Effect), "dynamic_universal", "se", fmt.Sprint(p.At))
	}
	for _, p := range groups.Parts {
		c.check(p.Effect.Value, "group", "att", fmt.Sprint(p.At))
		c.check(p.Effect.SE, "group", "se", fmt.Sprint(p.At))
	}
	for key, e := range map[string]Estimate{"simple": varying.Simple(), "dynamic_overall": dynamic.Overall,
		"group_overall": groups.Overall} {
		c.check(e.Value, key, "att")
		c.check(e.SE, key, "se")
	}
	for _, a := range []Aggregation{dynamic, base, groups} {
		for i, p := range a.Parts {
			if p.Effect.SE > 0 {
				near(t, "variance", a.Covariance[i][i], p.Effect.SE*p.Effect.SE, 1e-15)
			}
		}
		s := a.Simultaneous
		if one := normalQuantile(.95); !(s.Critical > one && s.Critical < normalQuantile(1-.05/float64(s.Looks))+.02) {
			t.Errorf("of %d looks the quantile is %g", s.Looks, s.Critical)
		}
	}
	h := good(universal.Honest(-4, HonestOptions{}))
	c.check(h.LargestBefore, "max_pre_difference")
	for _, m := range h.Magnitudes {
		key := fmt.Sprintf("mbar_%g", m.Bound)
		c.check(m.Bound, "relative_magnitudes", key, "mbar")
		c.check(m.Low, "relative_magnitudes", key, "identified_lo")
		c.check(m.High, "relative_magnitudes", key, "identified_hi")
		c.check(m.Effect.Lower, "relative_magnitudes", key, "conservative_ci_lo")
		c.check(m.Effect.Upper, "relative_magnitudes", key, "conservative_ci_hi")
	}
	before := base.Parts[4:7]
	for i, d := range []float64{before[1].Effect.Value - before[0].Effect.Value,
		before[2].Effect.Value - before[1].Effect.Value,
		-before[2].Effect.Value} {
		c.check(d, "pre_differences", i)
	}
	at := good(universal.Honest(-4, HonestOptions{Magnitudes: []float64{h.BreakdownMagnitude},
		Curvatures: []float64{h.BreakdownCurvature}}))
	near(t, "limit at the magnitude where 0 enters", at.Magnitudes[0].Effect.Lower, 0, 1e-9)
	near(t, "limit at the curvature where 0 enters", at.Curvatures[0].Effect.Lower, 0, 1e-6)
	if h.BreakdownMagnitude < 2 {
		t.Errorf("0 enters at %g, but at 2 it is outside", h.BreakdownMagnitude)
	}
	for name, err := range map[string]error{
		"a base that varies": second(varying.Honest(-4, HonestOptions{})),
		"from after":         second(universal.Honest(1, HonestOptions{})),
		"nothing before":     second(universal.Honest(-1, HonestOptions{})),
		"a negative bound":   second(universal.Honest(0, HonestOptions{Magnitudes: []float64{-1}})),
		"an area twice":      second(AreaPanel(periods, append(cells, Cell{Key: []int{1999}}), starts)),
		"no start":           second(AreaPanel(periods, cells, map[int]int{})),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// honestCase is the event study of the case.
func honestCase(c *publishedCase) (before, after []float64, covariance [][]float64) {
	rows := c.rows()
	for _, r := range rows {
		beta := c.number(r["beta"])
		if r["year"] < "2008" {
			before = append(before, beta)
		} else {
			after = append(after, beta)
		}
		var line []float64
		for _, other := range rows {
			line = append(line, c.number(r["v"+other["year"]]))
		}
		covariance = append(covariance, line)
	}
	return before, after, covariance
}

func TestHonestCase(t *testing.T) {
	c := openCase(t, "honest_bc_eventstudy")
	before, after, covariance := honestCase(c)
	h, err := Honest(before, after, covariance, HonestOptions{Level: .95, Magnitudes: []float64{1},
		Curvatures: []float64{0, .1, .2}})
	if err != nil {
		t.Fatal(err)
	}
	c.pair(h.Effect, "original")
	for _, m := range h.Curvatures {
		c.pair(m.Effect, "fixed_length", fmt.Sprint(m.Bound))
		c.check((m.Effect.Upper-m.Effect.Lower)/2, "fixed_length", fmt.Sprint(m.Bound), 2)
	}
	union := h.Magnitudes[0].Effect
	c.pair(union, "conditional")
	if lower, upper := c.at("conditional", 0).(float64), c.at("conditional", 1).(float64); union.Lower > lower ||
		union.Upper < upper {
		t.Errorf("the union, %g to %g, is to hold the conditional interval, %g to %g", union.Lower, union.Upper, lower, upper)
	}
	t.Logf("0 enters at a magnitude of %.3f and a curvature of %.4f", h.BreakdownMagnitude, h.BreakdownCurvature)
}

// worstBias is the largest that a linear estimate can be off by under a bound on curvature, by a linear
// program over every path of the differences: positions -p to q around the reference at 0.
func worstBias(t *testing.T, weights []float64, before int, bound float64) float64 {
	t.Helper()
	k := len(weights)
	// a path x = u - v of k values, and slacks s: |second difference| + s = bound
	rows := 2 * (k - 1)
	n := 2*k + rows
	a, b, cost := mat.NewDense(rows, n, nil), make([]float64, rows), make([]float64, n)
	column := func(position int) int { // of the value at a position, -1 at the reference
		switch {
		case position < 0:
			return before + position
		case position > 0:
			return before + position - 1
		}
		return -1
	}
	for i := range k - 1 {
		centre := i - before + 1
		for sign, row := range []int{2 * i, 2*i + 1} {
			s := 1 - 2*float64(sign)
			for at, v := range [3]float64{1, -2, 1} {
				if j := column(centre + at - 1); j >= 0 {
					a.Set(row, j, s*v)
					a.Set(row, k+j, -s*v)
				}
			}
			a.Set(row, 2*k+row, 1)
			b[row] = bound
		}
	}
	for j, w := range weights {
		cost[j], cost[k+j] = -w, w
	}
	least, _, err := lp.Simplex(cost, a, b, 1e-12, nil)
	if err != nil {
		t.Fatal(err)
	}
	return -least
}

// The bias that the intervals of fixed length allow for is the largest that there is, and no other weights
// that have a bounded bias make a shorter one.
func TestHonestAgainstLinearProgram(t *testing.T) {
	c := openCase(t, "honest_bc_eventstudy", "original")
	before, after, covariance := honestCase(c)
	rng := rand.New(rand.NewPCG(5, 5))
	for _, weights := range [][]float64{{1, 0, 0, 0}, {.25, .25, .25, .25}, {0, 0, -1, 2}} {
		for _, bound := range []float64{.001, .01, .1} {
			h := good(newHonest(before, after, covariance, HonestOptions{Level: .95, Weights: weights}))
			if weights[0] == 1 {
				e := scaledEstimate("", h.effect, h.variance(h.onEffect), h.q, .95)
				c.pair(e, "original")
			}
			m := h.curvature(bound)
			length := (m.Effect.Upper - m.Effect.Lower) / 2
			// The weights before the start follow from the estimate with each of the values moved alone.
			used := make([]float64, len(h.values))
			for i := range used {
				moved := slices.Clone(h.values)
				moved[i]++
				other := *h
				other.values = moved
				used[i] = other.curvature(bound).Effect.Value - m.Effect.Value
			}
			near(t, "half of the length", halfLength(worstBias(t, used, len(before), bound), m.Effect.SE, .95), length, 1e-8)
			for range 300 {
				tried := slices.Clone(used)
				slope := 0.0
				for i := range before[1:] {
					d := .3 * rng.NormFloat64() * rng.Float64()
					tried[i] += d
					slope += d * float64(len(before)-i)
				}
				tried[len(before)-1] -= slope
				if other := halfLength(worstBias(t, tried, len(before), bound), math.Sqrt(h.variance(tried)),
					.95); other < length-1e-9 {
					t.Errorf("bound %g: half of the length is %g, but %g is possible", bound, length, other)
				}
			}
		}
	}
	// Identified sets under magnitudes: the program whose changes after the start are bounded.
	h := good(Honest(before, after, covariance, HonestOptions{Level: .95, Weights: []float64{.5, -1, 0, 2},
		Magnitudes: []float64{.7}}))
	k := len(after)
	a, b, cost := mat.NewDense(2*k, 4*k, nil), make([]float64, 2*k), make([]float64, 4*k)
	for i := range k {
		for sign, row := range []int{2 * i, 2*i + 1} {
			s := 1 - 2*float64(sign)
			a.Set(row, i, s)
			a.Set(row, k+i, -s)
			if i > 0 {
				a.Set(row, i-1, -s)
				a.Set(row, k+i-1, s)
			}
			a.Set(row, 2*k+row, 1)
			b[row] = .7 * h.LargestBefore
		}
		w := []float64{.5, -1, 0, 2}[i]
		cost[i], cost[k+i] = -w, w
	}
	least, _, err := lp.Simplex(cost, a, b, 1e-12, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "largest bias under magnitudes", h.Magnitudes[0].High-h.Effect.Value, -least, 1e-9)
}

// In drawn event studies whose trends bend, but by no more than was allowed, the intervals hold the effect in
// 95 % at least, where that of parallel trends does not.
func TestHonestCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	const worlds, se = 300, .02
	// differences without treatment from four periods before to the start, without the reference
	for name, path := range map[string][]float64{"bends": {-.12, -.07, -.03, .02}, "one large": {.00, .00, .05, .05}} {
		covariance := make([][]float64, 4)
		for i := range covariance {
			covariance[i] = make([]float64, 4)
			for j := range covariance {
				covariance[i][j] = se * se / 2
			}
			covariance[i][i] = se * se
		}
		curvature, largest := 0.0, math.Abs(path[2])
		whole := []float64{path[0], path[1], path[2], 0, path[3]}
		for i := 1; i < 4; i++ {
			curvature = math.Max(curvature, math.Abs(whole[i+1]-2*whole[i]+whole[i-1]))
		}
		for i := range 3 {
			largest = math.Max(largest, math.Abs(whole[i+1]-whole[i]))
		}
		var magnitudes, curvatures, parallel float64
		for range worlds {
			shared := rng.NormFloat64()
			beta := make([]float64, 4)
			for i := range beta {
				beta[i] = path[i] + se*math.Sqrt(.5)*(shared+rng.NormFloat64())
			}
			h := good(Honest(beta[:3], beta[3:], covariance, HonestOptions{Level: .95,
				Magnitudes: []float64{math.Abs(path[3]) / largest}, Curvatures: []float64{curvature}}))
			holds := func(e Estimate) float64 { return float64(oneIf(e.Lower <= 0 && e.Upper >= 0)) }
			magnitudes += holds(h.Magnitudes[0].Effect) / worlds
			curvatures += holds(h.Curvatures[0].Effect) / worlds
			parallel += holds(h.Effect) / worlds
		}
		t.Logf("%s: magnitudes %.3f, curvature %.3f, parallel %.3f", name, magnitudes, curvatures, parallel)
		if magnitudes < .91 || curvatures < .91 {
			t.Errorf("%s: held in %.3f and %.3f", name, magnitudes, curvatures)
		}
		if parallel > .9 {
			t.Errorf("%s: parallel trends hold it too, in %.3f", name, parallel)
		}
	}
}

// Where effects grow with time, a regression with a dummy for each area and each year and one for being
// treated misses the average effect on the treated, as it takes those already treated for controls;
// group-time effects hold it.
func TestTwoWayFixedEffectsMiss(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	const worlds = 100
	periods := []int{1, 2, 3, 4, 5, 6, 7, 8}
	var held, missed, bias float64
	for range worlds {
		var units []PanelUnit
		names := []string{"treated"}
		for i := 1; i < 60; i++ {
			names = append(names, fmt.Sprint("area ", i))
		}
		for _, p := range periods[1:] {
			names = append(names, fmt.Sprint("year ", p))
		}
		design := FreeDesign(names...)
		var patterns []Pattern
		var truth, treated float64
		for i := range 60 {
			u := PanelUnit{First: []int{0, 3, 5, 7}[i%4], Cluster: i}
			own := rng.NormFloat64()
			for at, p := range periods {
				y, x := own+.1*float64(p)+.3*rng.NormFloat64(), make([]float64, len(design.Terms))
				x[0] = 1
				if u.First > 0 && p >= u.First {
					effect := .4 * float64(p-u.First+1)
					y, truth, treated, x[1] = y+effect, truth+effect, treated+1, 1
				}
				if i > 0 {
					x[1+i] = 1
				}
				if at > 0 {
					x[60+at] = 1
				}
				u.Outcomes = append(u.Outcomes, y)
				patterns = append(patterns, Pattern{X: x, Cluster: i, N: 1, Sum: y, SumSq: y * y})
			}
			units = append(units, u)
		}
		truth /= treated
		holds := func(e Estimate) bool { return e.Lower <= truth && truth <= e.Upper }
		held += float64(oneIf(holds(good(StaggeredEffects(periods, units, GroupTimeOptions{Level: .95})).Simple())))
		twoWay := good(Fit(design, patterns, FitOptions{Covariance: Clustered})).Coefficient(1, .95)
		missed += float64(oneIf(!holds(twoWay)))
		bias += (twoWay.Value - truth) / truth / worlds
	}
	t.Logf("group-time effects hold in %g of %d, two-way fixed effects miss in %g, %.0f %% off", held, worlds, missed,
		100*bias)
	if held < 88 || missed < 90 || bias > -.1 {
		t.Error("two-way fixed effects should miss, and group-time effects hold")
	}
}

// Few treated areas beside many controls: intervals hold the effect all the same, and of one there is none.
func TestStaggeredFewTreated(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	const worlds = 1500
	draw := func(treated int) (units []PanelUnit) {
		for i := range 40 {
			u := PanelUnit{Cluster: i}
			if i < treated {
				u.First = 3
			}
			for range 4 {
				u.Outcomes = append(u.Outcomes, rng.NormFloat64())
			}
			units = append(units, u)
		}
		return units
	}
	for _, treated := range []int{3, 6} {
		var held, normal float64
		for range worlds {
			e := good(StaggeredEffects([]int{1, 2, 3, 4}, draw(treated), GroupTimeOptions{Level: .95})).Simple()
			held += float64(oneIf(e.Lower <= 0 && e.Upper >= 0)) / worlds
			normal += float64(oneIf(math.Abs(e.Value) <= normalQuantile(.95)*e.SE)) / worlds
		}
		t.Logf("%d treated: held in %.3f, by the normal in %.3f", treated, held, normal)
		if held < .91 || normal > held-.02 {
			t.Errorf("%d treated: held in %.3f, by the normal in %.3f", treated, held, normal)
		}
	}
	one := good(StaggeredEffects([]int{1, 2, 3, 4}, draw(1), GroupTimeOptions{Level: .95}))
	if e := one.Simple(); !math.IsNaN(e.SE) || !strings.Contains(strings.Join(e.Warnings, ""), "one treated") {
		t.Errorf("one treated: %+v", e)
	}
	if e := one.Effects[0].Effect; !math.IsNaN(e.Lower) {
		t.Errorf("one treated: %+v", e)
	}
}

func TestAreaPanelKeepsUnknown(t *testing.T) {
	units := good(AreaPanel([]int{1, 2}, []Cell{{Key: []int{1}, Cluster: 7, N: 4, Sum: 1},
		{Key: []int{1}, Cluster: 7, N: 4, Sum: 3}, {Key: []int{2}, Cluster: 9, N: 2, Sum: 1}}, map[int]int{7: 2, 9: 0}))
	if len(units) != 2 || units[0].Outcomes[0] != .5 || !math.IsNaN(units[0].Outcomes[1]) || units[0].First != 2 ||
		units[1].Cluster != 9 || !strings.Contains(fmt.Sprint(units[1].Outcomes), "NaN 0.5") {
		t.Errorf("%+v", units)
	}
}

func TestEventStudyOfAreas(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 16))
	periods := []int{2012, 2013, 2014, 2015, 2016, 2017, 2018}
	draw := func(effect float64) (cells []Cell, starts, municipality map[int]int) {
		starts, municipality = map[int]int{}, map[int]int{}
		for area := range 60 {
			starts[area], municipality[area] = []int{0, 0, 2015, 2017}[area%4], area/3
			own := -1 + .3*rng.NormFloat64()
			for _, period := range periods {
				at := own + .05*float64(period-2012) + .1*rng.NormFloat64()
				if s := starts[area]; s > 0 && period >= s {
					at += effect
				}
				c := Cell{Key: []int{period}, Cluster: area}
				for range 80 {
					y := float64(oneIf(rng.Float64() < logistic(at)))
					c.N, c.Sum, c.SumSq = c.N+1, c.Sum+y, c.SumSq+y
				}
				cells = append(cells, c)
			}
		}
		return cells, starts, municipality
	}
	cells, starts, municipality := draw(.8)
	s := good(EventStudyOf(periods, cells, starts, EventStudyOptions{Level: .95}))
	if s.Areas != 60 || s.Treated != 30 || s.JudgedFrom != -3 || len(s.ByStart.Parts) != 2 || len(s.Effects.Parts) != 9 {
		t.Errorf("%+v", s)
	}
	if !(s.Effects.Overall.Lower > 0 && s.Mean.BreakdownMagnitude > 0) {
		t.Errorf("overall %+v, mean %+v", s.Effects.Overall, s.Mean)
	}
	near(t, "the mean of all", s.Mean.Effect.Value, s.Effects.Overall.Value, 1e-12)
	near(t, "its standard error", s.Mean.Effect.SE, s.Effects.Overall.SE, 1e-12)
	near(t, "the first effect", s.First.Effect.Value, s.Effects.Parts[5].Effect.Value, 1e-12)
	clustered := good(EventStudyOf(periods, cells, starts, EventStudyOptions{Level: .95, Clusters: municipality,
		NotYetTreated: true}))
	if !(clustered.Effects.Overall.SE > 0) || clustered.Effects.Overall.SE == s.Effects.Overall.SE {
		t.Errorf("by municipality: %+v", clustered.Effects.Overall)
	}
	late := map[int]int{}
	for area, start := range starts {
		if late[area] = start; start == 2015 {
			late[area] = 2013
		}
	}
	short := good(EventStudyOf(periods, cells, late, EventStudyOptions{Level: .95}))
	if short.First != nil || short.Mean != nil || len(short.Warnings) != 1 {
		t.Errorf("one period before: %+v", short)
	}
	delete(municipality, 3)
	_, err := EventStudyOf(periods, cells, starts, EventStudyOptions{Level: .95, Clusters: municipality})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("an area of no municipality: %v", err)
	}
	var zero float64
	const worlds = 200
	for range worlds {
		cells, starts, _ := draw(0)
		e := good(StaggeredEffects(periods, good(AreaPanel(periods, cells, starts)), GroupTimeOptions{Level: .95})).Simple()
		zero += float64(oneIf(e.Lower <= 0 && e.Upper >= 0)) / worlds
	}
	t.Logf("no effect is held in %.3f", zero)
	if zero < .91 {
		t.Errorf("no effect is held in %.3f", zero)
	}
}
