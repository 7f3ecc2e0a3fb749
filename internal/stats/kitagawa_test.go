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

func TestDasGuptaScalarFactorsCase(t *testing.T) {
	c := openCase(t, "dasgupta_scalar_factors")
	type example struct {
		factors, populations []string
		values               map[string]float64
	}
	examples := map[string]*example{}
	var names []string
	for _, row := range c.rows() {
		e := examples[row["example"]]
		if e == nil {
			e = &example{values: map[string]float64{}}
			examples[row["example"]] = e
			names = append(names, row["example"])
		}
		if !slices.Contains(e.factors, row["factor"]) {
			e.factors = append(e.factors, row["factor"])
		}
		if !slices.Contains(e.populations, row["population"]) {
			e.populations = append(e.populations, row["population"])
		}
		e.values[row["factor"]+row["population"]] = c.number(row["value"])
	}
	for _, name := range names {
		e := examples[name]
		first, second := e.populations[0], e.populations[1]
		var a, b [][]float64
		crudeA, crudeB := 1.0, 1.0
		for _, f := range e.factors {
			a = append(a, []float64{e.values[f+second]})
			b = append(b, []float64{e.values[f+first]})
			crudeA *= e.values[f+second]
			crudeB *= e.values[f+first]
		}
		effects, err := DasGupta(a, b)
		if err != nil {
			t.Fatal(err)
		}
		for k, f := range e.factors {
			c.check(effects[k].A, name, f, second)
			c.check(effects[k].B, name, f, first)
			c.check(effects[k].Effect, name, f, "diff")
			c.check(100*effects[k].Effect/(crudeA-crudeB), name, f, "pct")
		}
		c.check(crudeA, name, "crude", second)
		c.check(crudeB, name, "crude", first)
		c.check(crudeA-crudeB, name, "crude", "diff")
	}
}

func TestDasGuptaVectorFactorsCase(t *testing.T) {
	c := openCase(t, "dasgupta_vector3_taiwan")
	factors := []string{"bm", "mw", "wp"}
	values := map[string][][]float64{"1960": make([][]float64, 3), "1970": make([][]float64, 3)}
	for _, row := range c.rows() {
		for k, f := range factors {
			values[row["pop"]][k] = append(values[row["pop"]][k], c.number(row[f]))
		}
	}
	effects, err := DasGupta(values["1970"], values["1960"])
	if err != nil {
		t.Fatal(err)
	}
	var gap float64
	for _, e := range effects {
		gap += e.Effect
	}
	c.check(gap, "crude", "diff")
	for year, v := range values {
		var crude float64
		for age := range v[0] {
			crude += v[0][age] * v[1][age] * v[2][age]
		}
		c.check(crude, "crude", year)
	}
	for k, f := range factors {
		c.check(effects[k].A, f, "1970")
		c.check(effects[k].B, f, "1960")
		c.check(effects[k].Effect, f, "diff")
		c.check(100*effects[k].Effect/gap, f, "pct")
	}
}

func TestCrossClassifiedCase(t *testing.T) {
	c := openCase(t, "dasgupta_crossclassified_deathrates")
	var from, to []Cell
	for _, row := range c.rows() {
		n := c.number(row["size"])
		cell := Cell{Key: []int{int(c.number(row["race"])), int(c.number(row["age"]))}, N: n, Sum: n * c.number(row["rate"])}
		cell.SumSq = cell.Sum * cell.Sum / n
		if row["pop"] == "1970" {
			from = append(from, cell)
		} else {
			to = append(to, cell)
		}
	}
	d, err := Kitagawa(to, from, KitagawaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"collapsed", "cross_classified"} {
		c.check(d.Gap.Value, table, "crude", "diff")
		c.check(d.RateA.Value, table, "crude", "1985")
		c.check(d.RateB.Value, table, "crude", "1970")
		c.check(d.OwnRatesA, table, "rate", "1985")
		c.check(d.OwnRatesB, table, "rate", "1970")
		c.check(d.Rate.Value, table, "rate", "diff")
		c.check(d.RatePercent, table, "rate", "pct")
	}
	c.check(d.OwnCompositionA, "collapsed", "size", "1985")
	c.check(d.OwnCompositionB, "collapsed", "size", "1970")
	c.check(d.Composition.Value, "collapsed", "size", "diff")
	c.check(d.CompositionPercent, "collapsed", "size", "pct")
	for _, k := range d.Contributions {
		if k.Category != -1 {
			continue
		}
		name := []string{"race_struct", "age_struct"}[k.Dimension]
		c.check(k.StandardisedA, "cross_classified", name, "1985")
		c.check(k.StandardisedB, "cross_classified", name, "1970")
		c.check(k.Composition.Value, "cross_classified", name, "diff")
		c.check(100*k.Composition.Value/d.Gap.Value, "cross_classified", name, "pct")
	}
}

// deathRates are crude death rates by age in Mexico and England and Wales, 1962 and 1961, in the
// way that textbooks show Kitagawa's method: Preston, Heuveline, Guillot 2001, Demography, box 2.3
// has composition and rates of the same shape. The numbers are ours, so the parts are derived here
// from the definition, by hand: wA (.5, .3, .2), wB (.2, .3, .5), rA (.02, .05, .3), rB (.01, .04, .2).
func TestKitagawaByHand(t *testing.T) {
	a := []Cell{{Key: []int{0}, N: 5000, Sum: 100, SumSq: 100}, {Key: []int{1}, N: 3000, Sum: 150, SumSq: 150},
		{Key: []int{2}, N: 2000, Sum: 600, SumSq: 600}}
	b := []Cell{{Key: []int{0}, N: 4000, Sum: 40, SumSq: 40}, {Key: []int{1}, N: 6000, Sum: 240, SumSq: 240},
		{Key: []int{2}, N: 10000, Sum: 2000, SumSq: 2000}}
	d, err := Kitagawa(a, b, KitagawaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "gap", d.Gap.Value, .085-.114, 1e-15)
	near(t, "composition", d.Composition.Value, .3*.015-.3*.25, 1e-15)
	near(t, "rate", d.Rate.Value, .01*.35+.01*.3+.1*.35, 1e-15)
	three, err := Kitagawa(a, b, KitagawaOptions{Level: .95, ThreeComponents: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "composition at B", three.Composition.Value, .3*.01-.3*.2, 1e-15)
	near(t, "rate at B", three.Rate.Value, .01*.2+.01*.3+.1*.5, 1e-15)
	near(t, "interaction", three.Interaction.Value, .3*.01-.3*.1, 1e-15)

	// the variance formula as the doc comment prints it
	wA, wB := []float64{.5, .3, .2}, []float64{.2, .3, .5}
	rA, rB := []float64{.02, .05, .3}, []float64{.01, .04, .2}
	quadratic := func(w, x []float64) float64 { // x'S(w)x
		var mean, square float64
		for i := range w {
			mean += w[i] * x[i]
			square += w[i] * x[i] * x[i]
		}
		return square - mean*mean
	}
	var composition, rate float64
	r, delta := make([]float64, 3), make([]float64, 3)
	for i := range wA {
		v := rA[i]*(1-rA[i])/(wA[i]*10000) + rB[i]*(1-rB[i])/(wB[i]*20000)
		composition += (wA[i] - wB[i]) * (wA[i] - wB[i]) * v / 4
		rate += (wA[i] + wB[i]) * (wA[i] + wB[i]) * v / 4
		r[i], delta[i] = (rA[i]+rB[i])/2, (rA[i]-rB[i])/2
	}
	fixed, err := Kitagawa(a, b, KitagawaOptions{Level: .95, FixedWeights: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SE composition, fixed weights", fixed.Composition.SE, math.Sqrt(composition), 1e-14)
	near(t, "SE rate, fixed weights", fixed.Rate.SE, math.Sqrt(rate), 1e-14)
	composition += quadratic(wA, r)/10000 + quadratic(wB, r)/20000
	rate += quadratic(wA, delta)/10000 + quadratic(wB, delta)/20000
	near(t, "SE composition", d.Composition.SE, math.Sqrt(composition), 1e-14)
	near(t, "SE rate", d.Rate.SE, math.Sqrt(rate), 1e-14)
	for i, s := range d.Strata() {
		near(t, "stratum composition", s.Composition, (wA[i]-wB[i])*r[i], 1e-15)
		near(t, "stratum rate", s.Rate, 2*delta[i]*(wA[i]+wB[i])/2, 1e-15)
		near(t, "the one dimension's category", d.Contributions[i+1].Composition.Value, s.Composition, 1e-15)
		near(t, "the one dimension's category", d.Contributions[i+1].Rate.Value, s.Rate, 1e-15)
	}
}

func TestOutOfSupportTermsByHand(t *testing.T) {
	a := []Cell{{Key: []int{0}, N: 60, Sum: 30, SumSq: 30}, {Key: []int{1}, N: 40, Sum: 10, SumSq: 10}}
	b := []Cell{{Key: []int{0}, N: 80, Sum: 20, SumSq: 20}, {Key: []int{2}, N: 20, Sum: 16, SumSq: 16}}
	d, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Dimensions: []Dimension{{Name: "origin"}}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "composition", d.Composition.Value, 0, 0)
	near(t, "rate", d.Rate.Value, .5-.25, 1e-15)
	near(t, "out of support A", d.OutOfSupportA.Value, .4*(.25-.5), 1e-15)
	near(t, "out of support B", d.OutOfSupportB.Value, .2*(.25-.8), 1e-15)
	near(t, "gap", d.Gap.Value, .4-.36, 1e-15)
	near(t, "support of A", d.SupportA.Value, .6, 0)
	near(t, "support of both", d.CommonSupport.Value, .7, 0)
	if !strings.Contains(strings.Join(d.Warnings, "\n"), "40 % of the first and 20 % of the second") {
		t.Errorf("warnings: %q", d.Warnings)
	}

	borrowed, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Support: BorrowRate})
	if err != nil {
		t.Fatal(err)
	}
	// (.6-.8)(.5+.25)/2 + .4·.25 - .2·.8
	near(t, "composition, borrowed", borrowed.Composition.Value, -.2*.375+.1-.16, 1e-15)
	near(t, "rate, borrowed", borrowed.Rate.Value, .25*.7, 1e-15)
	near(t, "parts, borrowed", borrowed.Composition.Value+borrowed.Rate.Value, d.Gap.Value, 1e-15)

	if _, err := Kitagawa(a[1:], b, KitagawaOptions{Level: .95}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "coarser") {
		t.Errorf("no common support: %v", err)
	}
}

func TestCollapseMergesUntilAllCellsHaveBoth(t *testing.T) {
	cell := func(n, y float64, key ...int) Cell { return Cell{Key: key, N: n, Sum: y, SumSq: y} }
	a := []Cell{cell(10, 2, 0, 0), cell(10, 3, 0, 1), cell(10, 4, 1, 0)}
	b := []Cell{cell(10, 5, 0, 0), cell(20, 6, 1, 0), cell(10, 1, 1, 1)}
	d, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Support: CollapseCells})
	if err != nil {
		t.Fatal(err)
	}
	// (0,·) of A against (0,·) of B, (1,·) likewise
	near(t, "composition", d.Composition.Value, (2./3-1./4)*(.25+.5)/2+(1./3-3./4)*(.4+7./30)/2, 1e-15)
	near(t, "parts", d.Composition.Value+d.Rate.Value, d.Gap.Value, 1e-15)
	if len(d.Strata()) != 2 || d.Contributions != nil || d.SupportA.Value != 1 {
		t.Errorf("%d strata, %d contributions", len(d.Strata()), len(d.Contributions))
	}
	all, err := Kitagawa(a[:1], b[2:], KitagawaOptions{Level: .95, Support: CollapseCells})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "all merged: no composition", all.Composition.Value, 0, 0)
}

// decompositions makes one for every combination of options that has contributions.
func decompositions(t *testing.T, a, b, shared []Cell) map[string]*Decomposition {
	t.Helper()
	out := map[string]*Decomposition{}
	for _, attribution := range []Attribution{CrossClassified, OrderFree} {
		for _, three := range []bool{false, true} {
			for _, clustered := range []bool{false, true} {
				name := fmt.Sprintf("attribution %d, three %v, clustered %v", attribution, three, clustered)
				d, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Shared: shared, Attribution: attribution,
					ThreeComponents: three, Clustered: clustered})
				if err != nil {
					t.Fatal(err)
				}
				out[name] = d
			}
		}
	}
	return out
}

// quantities lists every estimate that has a delta-method standard error.
func (d *Decomposition) quantities() map[string]Estimate {
	q := map[string]Estimate{
		"composition": d.Composition, "rate": d.Rate, "interaction": d.Interaction,
		"out of support A": d.OutOfSupportA, "out of support B": d.OutOfSupportB,
	}
	for _, c := range d.Contributions {
		q[fmt.Sprintf("composition %d=%d", c.Dimension, c.Category)] = c.Composition
		q[fmt.Sprintf("rate %d=%d", c.Dimension, c.Category)] = c.Rate
	}
	return q
}

// TestStandardErrorsAgainstInfinitesimalJackknife moves the weight of every observation by a
// little and compares Σ (change)² with the variances, for independent cohorts and for cohorts that
// share observations.
func TestStandardErrorsAgainstInfinitesimalJackknife(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	sizes := []int{2, 3, 2}
	onlyA := randomCells(rng, sizes, 25, 9, true)
	onlyB := randomCells(rng, sizes, 25, 15, true)
	shared := randomCells(rng, sizes, 6, 6, true)
	onlyA = append(onlyA, Cell{Key: []int{0, 7, 0}, Cluster: 3, N: 9, Sum: 4, SumSq: 4}) // out of support
	onlyB = append(onlyB, Cell{Key: []int{1, 0, 9}, Cluster: 2, N: 5, Sum: 4, SumSq: 4})

	for _, common := range [][]Cell{nil, shared} {
		a, b := append(slices.Clone(onlyA), common...), append(slices.Clone(onlyB), common...)
		base := decompositions(t, a, b, common)
		const h = 1e-4
		type move struct {
			count  float64
			change map[string]map[string]float64
		}
		var moves []move
		perturb := func(cells []Cell, inA, inB, both bool) {
			for _, c := range cells {
				for y, count := range []float64{c.N - c.Sum, c.Sum} {
					if count == 0 {
						continue
					}
					more := Cell{Key: c.Key, Cluster: c.Cluster, N: h, Sum: h * float64(y), SumSq: h * float64(y)}
					a2, b2, s2 := a, b, common
					if inA {
						a2 = append(slices.Clone(a), more)
					}
					if inB {
						b2 = append(slices.Clone(b), more)
					}
					if both {
						s2 = append(slices.Clone(common), more)
					}
					m := move{count, map[string]map[string]float64{}}
					for name, d := range decompositions(t, a2, b2, s2) {
						m.change[name] = map[string]float64{}
						was := base[name].quantities()
						for q, e := range d.quantities() {
							m.change[name][q] = (e.Value - was[q].Value) / h
						}
					}
					moves = append(moves, m)
				}
			}
		}
		perturb(onlyA, true, false, false)
		perturb(onlyB, false, true, false)
		perturb(common, true, true, true)
		for name, d := range base {
			for q, e := range d.quantities() {
				if math.IsNaN(e.Value) {
					continue
				}
				if strings.Contains(name, "clustered true") {
					continue // see TestJackknifeDeletesClusters
				}
				var want float64
				for _, m := range moves {
					c := m.change[name][q]
					want += m.count * c * c
				}
				near(t, name+", "+q, e.SE, math.Sqrt(want), 2e-3*math.Sqrt(want)+1e-9)
			}
		}
	}
}

func TestCrossClassifiedAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	sizes := []int{2, 3, 4}
	a, b := randomCells(rng, sizes, 400, 9, true), randomCells(rng, sizes, 400, 9, true)
	d, err := Kitagawa(a, b, KitagawaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	// Structure factors by averaging conditional shares over all orders of the dimensions.
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	factors := func(cells []Cell, key []int) []float64 {
		count := func(set map[int]bool) (n float64) {
			for _, c := range cells {
				same := true
				for d := range set {
					same = same && c.Key[d] == key[d]
				}
				if same {
					n += c.N
				}
			}
			return n
		}
		logs := make([]float64, 3)
		for _, order := range orders {
			known := map[int]bool{}
			for _, d := range order {
				before := count(known)
				known[d] = true
				logs[d] += math.Log(count(known)/before) / 6
			}
		}
		for d := range logs {
			logs[d] = math.Exp(logs[d])
		}
		return logs
	}
	want := make([]float64, 3)
	var parts float64
	for _, s := range d.Strata() {
		if !s.InSupport {
			t.Fatal("the example is meant to have every cell in both cohorts")
		}
		fa, fb := factors(a, s.Key), factors(b, s.Key)
		near(t, "product of factors", fa[0]*fa[1]*fa[2], s.ShareA, 1e-12)
		effects, err := DasGupta([][]float64{{fa[0]}, {fa[1]}, {fa[2]}}, [][]float64{{fb[0]}, {fb[1]}, {fb[2]}})
		if err != nil {
			t.Fatal(err)
		}
		for f := range want {
			want[f] += effects[f].Effect * (s.RateA + s.RateB) / 2
		}
		parts += s.Composition + s.Rate
	}
	near(t, "strata sum to the gap", parts, d.Gap.Value, 1e-12)
	for _, c := range d.Contributions {
		if c.Category == -1 {
			near(t, "structure factor effect", c.Composition.Value, want[c.Dimension], 1e-12)
			near(t, "standardised difference", c.StandardisedA-c.StandardisedB, want[c.Dimension], 1e-12)
		}
	}
}

func TestOrderFreeAgainstDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	sizes := []int{2, 3, 2}
	a, b := randomCells(rng, sizes, 300, 9, false), randomCells(rng, sizes, 300, 9, false)
	d, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Attribution: OrderFree})
	if err != nil {
		t.Fatal(err)
	}
	effects, err := Shapley(3, func(in []bool) float64 {
		project := func(cells []Cell) []Cell {
			out := slices.Clone(cells)
			for i := range out {
				key := make([]int, 3)
				for f, has := range in {
					if has {
						key[f] = out[i].Key[f]
					}
				}
				out[i].Key = key
			}
			return out
		}
		part, err := Kitagawa(project(a), project(b), KitagawaOptions{Level: .95, TotalsOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		return part.Composition.Value
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range d.Contributions {
		if c.Category == -1 {
			near(t, "Shapley over dimensions", c.Composition.Value, effects[c.Dimension].Effect, 1e-12)
		}
	}
}

func TestSeveralPopulationsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	var populations [][]Cell
	for range 4 {
		populations = append(populations, randomCells(rng, []int{2, 2}, 100, 9, true))
	}
	rates, err := KitagawaPopulations(populations, nil)
	if err != nil {
		t.Fatal(err)
	}
	for p := range rates {
		for q := range rates {
			near(t, "parts of a difference", rates[p].Composition-rates[q].Composition+rates[p].Rate-rates[q].Rate,
				rates[p].Crude-rates[q].Crude, 1e-12)
		}
	}
	// eq. 6.11 as Das Gupta prints it, for effects of composition: d12 - Σ_j (d12 + d2j - d1j)/N
	d := func(p, q int) float64 {
		k, err := Kitagawa(populations[p], populations[q], KitagawaOptions{Level: .95, TotalsOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		return k.Composition.Value
	}
	want := d(0, 1)
	for j := 2; j < 4; j++ {
		want -= (d(0, 1) + d(1, j) - d(0, j)) / 4
	}
	near(t, "eq. 6.11", rates[0].Composition-rates[1].Composition, want, 1e-12)

	// eq. 6.5 for three: (s12 + s13)/2 + (s23 - s21 + s32 - s31)/6, s12 the rate of 1 standardised with 2
	three, err := KitagawaPopulations(populations[:3], nil)
	if err != nil {
		t.Fatal(err)
	}
	s := func(p, q int) float64 {
		k, err := Kitagawa(populations[p], populations[q], KitagawaOptions{Level: .95, TotalsOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		return k.OwnRatesA
	}
	near(t, "eq. 6.5", three[0].Rate, (s(0, 1)+s(0, 2))/2+(s(1, 2)-s(1, 0)+s(2, 1)-s(2, 0))/6, 1e-12)

	populations[2] = append(populations[2], Cell{Key: []int{5, 5}, N: 3})
	if _, err := KitagawaPopulations(populations, []Dimension{{Name: "age"}}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "age 5") {
		t.Errorf("a cell of one population only: %v", err)
	}
}

func TestKitagawaRejects(t *testing.T) {
	ok := []Cell{{Key: []int{0}, N: 4, Sum: 1, SumSq: 1}}
	for name, try := range map[string]func() error{
		"empty": func() error { _, err := Kitagawa(nil, ok, KitagawaOptions{Level: .95}); return err },
		"no n":  func() error { _, err := Kitagawa(ok, []Cell{{Key: []int{0}}}, KitagawaOptions{Level: .95}); return err },
		"no key": func() error {
			_, err := Kitagawa([]Cell{{N: 3}}, []Cell{{N: 3}}, KitagawaOptions{Level: .95})
			return err
		},
		"two keys": func() error {
			_, err := Kitagawa(ok, []Cell{{Key: []int{0, 1}, N: 3}}, KitagawaOptions{Level: .95})
			return err
		},
		"level": func() error { _, err := Kitagawa(ok, ok, KitagawaOptions{Level: 1.5}); return err },
		"negative": func() error {
			_, err := Kitagawa(ok, []Cell{{Key: []int{0}, N: -3}}, KitagawaOptions{Level: .95})
			return err
		},
		"infinite": func() error {
			_, err := Kitagawa(ok, []Cell{{Key: []int{0}, N: 3, Sum: math.Inf(1)}}, KitagawaOptions{Level: .95})
			return err
		},
		"clusters": func() error { _, err := Kitagawa(ok, ok, KitagawaOptions{Level: .95, Clustered: true}); return err },
		"shared": func() error {
			_, err := Kitagawa(ok, ok, KitagawaOptions{Level: .95, Shared: []Cell{{Key: []int{0}, N: 30}}})
			return err
		},
		"scalars":   func() error { _, err := DasGupta(nil, nil); return err },
		"one":       func() error { _, err := KitagawaPopulations([][]Cell{ok}, nil); return err },
		"uneven":    func() error { _, err := DasGupta([][]float64{{1}}, [][]float64{{1, 2}}); return err },
		"many":      func() error { _, err := Shapley(40, func([]bool) float64 { return 0 }); return err },
		"one world": func() error { _, err := DasGuptaPopulations([][][]float64{{{1}}}); return err },
	} {
		if err := try(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	wide := make([]int, 12)
	far := make([]int, 12)
	for d := range far {
		far[d] = 1000 * d
	}
	var cells []Cell
	for c := range 40 {
		key := slices.Clone(wide)
		for d := range key {
			key[d] = c * (d + 1) % 40
		}
		cells = append(cells, Cell{Key: key, N: 5, Sum: 1, SumSq: 1})
	}
	cells = append(cells, Cell{Key: far, N: 2})
	if _, err := Kitagawa(cells, cells, KitagawaOptions{Level: .95}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a table of 40^12 cells: %v", err)
	}
	if d, err := Kitagawa(cells, cells, KitagawaOptions{Level: .95, TotalsOnly: true}); err == nil &&
		d.Composition.Value != 0 {
		t.Errorf("equal cohorts have composition %v", d.Composition.Value)
	}
}

// BenchmarkKitagawa compares a few areas with a country: five dimensions with 3,360 combinations,
// some tens of thousands of cells since each area has its own.
func BenchmarkKitagawa(b *testing.B) {
	for _, cells := range []int{2_000, 24_000, 48_000} {
		rng := rand.New(rand.NewPCG(61, 62))
		sizes := []int{3, 4, 5, 7, 8}
		x := randomCells(rng, sizes, cells/6, 10, true)
		y := randomCells(rng, sizes, cells-cells/6, 30, true)
		for _, totals := range []bool{true, false} {
			b.Run(fmt.Sprintf("cells=%d/totals=%v", cells, totals), func(b *testing.B) {
				for b.Loop() {
					if _, err := Kitagawa(x, y, KitagawaOptions{Level: .95, TotalsOnly: totals}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
