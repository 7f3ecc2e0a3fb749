package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestClusteredMean(t *testing.T) {
	// Whole clusters alike: four observations in truth. Two clusters of 25 have it all, two not: residual
	// sums 12.5 each, over 1 - 1/4; deff is the variance over p(1-p)/N.
	cells := []Cell{{Cluster: 1, N: 25, Sum: 25, SumSq: 25}, {Cluster: 2, N: 25}, {Cluster: 3, N: 25, Sum: 25, SumSq: 25},
		{Cluster: 4, N: 25}}
	e := ClusteredMean(cells, .95)
	v := 4 * 12.5 * 12.5 / (100 * 100) / .75
	near(t, "value", e.Value, .5, 0)
	near(t, "SE", e.SE, math.Sqrt(v), 1e-12)
	near(t, "df of equal clusters", e.Design.DF, 3, 1e-12)
	near(t, "design effect", e.Design.DesignEffect, v/(.25/100), 1e-9)
	half := studentQuantile(.95, 3) * math.Sqrt(v) / .25
	near(t, "lower", e.Lower, logistic(-half), 1e-12)
	near(t, "upper", e.Upper, logistic(half), 1e-12)

	one := ClusteredMean([]Cell{{Cluster: 1, N: 25, Sum: 5, SumSq: 5}}, .95)
	if !math.IsNaN(one.SE) || !math.IsNaN(one.Lower) || !math.IsNaN(one.Upper) || one.Value != .2 ||
		!strings.Contains(strings.Join(one.Warnings, " "), "a single cluster") || one.Design.ClustersA != 1 {
		t.Errorf("one cluster: %+v", one)
	}
	none := ClusteredMean([]Cell{{Cluster: 1, N: 25}, {Cluster: 2, N: 30}}, .95)
	if w := Wilson(0, 55, .95); none.Lower != w.Lower || none.Upper != w.Upper || !math.IsNaN(none.SE) ||
		!strings.Contains(strings.Join(none.Warnings, " "), "takes observations as independent") {
		t.Errorf("none has it: %+v", none)
	}
	// Clusters that by chance are alike do not make the interval narrower than independence does.
	same := ClusteredMean([]Cell{{Cluster: 1, N: 50, Sum: 20, SumSq: 20}, {Cluster: 2, N: 51, Sum: 20, SumSq: 20},
		{Cluster: 3, N: 50, Sum: 20, SumSq: 20}}, .95)
	independent := Estimate{Value: 60. / 151}
	independent.insideUnit(normalQuantile(.95) * math.Sqrt(60./151*91/151/151))
	near(t, "narrowest", same.Upper-same.Lower, independent.Upper-independent.Lower, 1e-12)
}

// A single area beside all municipalities has no interval, in whatever way it is compared, and says why.
func TestOneTreatedPlace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	_, b := placeWorld{1, 30, .2}.draw(rng)
	a, _ := placeWorld{1, 1, .2}.draw(rng)
	for _, sides := range [][2][]Cell{{a, b}, {b, a}} {
		estimates, err := clusteredEstimates(sides[0], sides[1], true)
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range estimates {
			if name == "share" && len(byCluster(sides[0])) > 1 {
				continue
			}
			if math.IsNaN(e.Value) || !math.IsNaN(e.SE) || !math.IsNaN(e.Lower) || !math.IsNaN(e.Upper) || e.Design == nil ||
				min(e.Design.ClustersA, e.Design.ClustersB) > 1 ||
				!strings.Contains(strings.Join(e.Warnings, " "), "in a single cluster") {
				t.Errorf("%s of one place: %+v, %+v", name, e, e.Design)
			}
		}
	}
}

// Laws of clustered shares, gaps and ratios, and of the jackknife.
func TestClusterLaws(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 77))
		w := placeWorld{2 + rng.IntN(8), 2 + rng.IntN(20), .5 * rng.Float64()}
		a, b := w.draw(rng)
		if seed%2 == 0 { // clusters on both sides
			for i := range a {
				a[i].Cluster += 1000
			}
		}
		if seed%5 == 0 { // a rare outcome
			for _, cells := range [][]Cell{a, b} {
				for i := range cells {
					cells[i].Sum = binomial(rng, int(cells[i].Sum), .02)
					cells[i].SumSq = cells[i].Sum
				}
			}
		}
		gap, back := ClusteredGap(a, b, nil, .95), ClusteredGap(b, a, nil, .95)
		near(t, "sides change places", gap.Value, -back.Value, 1e-12)
		near(t, "sides change places: SE", gap.SE, back.SE, 1e-12)
		near(t, "sides change places: lower", gap.Lower, -back.Upper, 1e-9)
		for name, e := range map[string]Estimate{"share": ClusteredMean(a, .95), "gap": gap} {
			low := map[string]float64{"share": 0, "gap": -1}[name]
			if !math.IsNaN(e.Lower) && (e.Lower < low || e.Upper > 1 || e.Lower > e.Value || e.Upper < e.Value) {
				t.Errorf("seed %d: %s of %g to %g around %g", seed, name, e.Lower, e.Upper, e.Value)
			}
		}
		if d := gap.Design; !math.IsNaN(gap.SE) &&
			!(d.DF > 0 && d.DF <= float64(d.ClustersA+d.ClustersB-2)+1e-9) && seed%2 == 1 {
			t.Errorf("seed %d: %+v", seed, d)
		}
		// Splitting cells and renaming clusters change nothing.
		split := append(scaleCells(a, .25), scaleCells(a, .75)...)
		renamed := slices.Clone(b)
		for i := range renamed {
			renamed[i].Cluster = -3 * renamed[i].Cluster
		}
		for i := range split {
			split[i].Cluster = -3 * split[i].Cluster
		}
		again := ClusteredGap(split, renamed, nil, .95)
		near(t, "split and renamed", again.SE, gap.SE, 1e-9)
		near(t, "split and renamed: upper", again.Upper, gap.Upper, 1e-9)
		// A cohort that contains the other is compared without it.
		whole := ClusteredGap(a, slices.Concat(a, b), a, .95)
		share := Total(b).N / (Total(a).N + Total(b).N)
		near(t, "part of the whole", whole.Value, share*gap.Value, 1e-12)
		near(t, "part of the whole: SE", whole.SE, share*gap.SE, 1e-12)
		near(t, "part of the whole: lower", whole.Lower, share*gap.Lower, 1e-12)
		// Linear estimates by the jackknife: CV3 = (G-1)/G CR3.
		jackknifed, err := Jackknife(a, b, func(a, b []Cell) (map[string]Estimate, error) {
			return map[string]Estimate{"gap": Gap(Total(a), Total(b), Cell{}, .95)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fit := regressionOn(t, a, b)
		g := float64(fit.Clusters)
		if cr3 := fit.linked.covariance(fit.scores(), -1).at(1, 1); cr3 > 0 {
			near(t, "CV3", jackknifed["gap"].SE, math.Sqrt((g-1)/g*cr3), 1e-9)
		}
	}
}

// Observations of both cohorts move both: the variance is that of influences that are added up first.
func TestClusteredGapOfOverlappingCohorts(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	a, b := placeWorld{12, 15, .3}.draw(rng)
	shared := a[:30]
	b = append(b, shared...)
	e := ClusteredGap(a, b, shared, .95)
	totalA, totalB := Total(a), Total(b)
	near(t, "value", e.Value, totalA.Mean()-totalB.Mean(), 1e-12)
	sum := map[int][2]float64{}
	n := map[int][2]float64{}
	for side, cells := range [][]Cell{a, b} {
		for _, c := range cells {
			u, m := sum[c.Cluster], n[c.Cluster]
			u[side] += c.Sum - c.N*[2]float64{totalA.Mean(), totalB.Mean()}[side]
			m[side] += c.N
			sum[c.Cluster], n[c.Cluster] = u, m
		}
	}
	var v float64
	for g, u := range sum {
		m := u[0]/totalA.N/math.Sqrt(1-n[g][0]/totalA.N) - u[1]/totalB.N/math.Sqrt(1-n[g][1]/totalB.N)
		v += m * m
	}
	near(t, "SE", e.SE, math.Sqrt(v), 1e-12)
}

// The linear adjustment is the same from cells of a cluster as from its persons, and as a regression.
func TestClusteredAdjustmentOfPersons(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 4))
	a, b := placeWorld{6, 9, .3}.draw(rng)
	persons := func(cells []Cell) (out []Cell) {
		for _, c := range cells {
			for i := range int(c.N) {
				y := 0.0
				if i < int(c.Sum) {
					y = 1
				}
				out = append(out, Cell{Key: c.Key, Cluster: c.Cluster, N: 1, Sum: y, SumSq: y})
			}
		}
		return out
	}
	for _, model := range []Model{Linear, Logit} {
		opts := AdjustOptions{Level: .95, Model: model, Covariance: Clustered, Draws: 99}
		cells, err := Adjust(a, b, opts)
		if err != nil {
			t.Fatal(err)
		}
		single, err := Adjust(persons(a), persons(b), opts)
		if err != nil {
			t.Fatal(err)
		}
		design, err := NewDesign(nil, true, a, b)
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := design.Patterns(a, true)
		rest, _ := design.Patterns(b, false)
		fit, err := Fit(design, append(rows, rest...), FitOptions{Model: model, Covariance: Clustered})
		if err != nil {
			t.Fatal(err)
		}
		for j := range cells.Coefficients {
			want := cells.Coefficients[j].Estimate
			for name, got := range map[string]Estimate{"persons": single.Coefficients[j].Estimate,
				"rows by cluster": fit.Coefficient(j, .95)} {
				what := fmt.Sprintf("%v, %s, term %d", model, name, j)
				near(t, what, got.Value, want.Value, 1e-9)
				near(t, what+": SE", got.SE, want.SE, 1e-9)
				near(t, what+": df", got.Design.DF, want.Design.DF, 1e-6)
				near(t, what+": design effect", got.Design.DesignEffect, want.Design.DesignEffect, 1e-6)
			}
		}
	}
}

// Contributions by dimension have the jackknife to first order; composition by it is close to exact.
func TestLinearisedContributions(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 12))
	a, b := placeWorld{15, 25, .3}.draw(rng)
	for _, attribution := range []Attribution{CrossClassified, OrderFree} {
		opts := KitagawaOptions{Level: .95, Attribution: attribution}
		exact, err := Jackknife(a, b, func(a, b []Cell) (map[string]Estimate, error) {
			d, err := Kitagawa(a, b, opts)
			if err != nil {
				return nil, err
			}
			return d.quantities(), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		opts.Clustered = true
		d, err := Kitagawa(a, b, opts)
		if err != nil {
			t.Fatal(err)
		}
		for name, e := range d.quantities() {
			if want := exact[name]; want.SE > 0 {
				near(t, fmt.Sprint(attribution, ", ", name), e.SE, want.SE, .1*want.SE)
			}
		}
	}
}

// One person in several years is one observation of several: the interval of a trend knows.
func TestClusteredTrend(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 15))
	var cells []Cell
	for person := range 300 {
		y := 0.0
		if rng.Float64() < .3 {
			y = 1
		}
		for year := range 4 {
			if rng.Float64() < .1 {
				y = 1 - y
			}
			cells = append(cells, Cell{Key: []int{year}, Cluster: person, N: 1, Sum: y, SumSq: y})
		}
	}
	scores := []float64{2012, 2013, 2014, 2016}
	c, err := ClusteredTrend(cells, scores, .95)
	if err != nil {
		t.Fatal(err)
	}
	var x, n []float64
	for year := range 4 {
		sum := Total(slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Key[0] != year }))
		x, n = append(x, sum.Sum), append(n, sum.N)
	}
	plain, err := Trend(x, n, scores, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slope", c.Slope.Value, plain.Slope.Value, 1e-12)
	// A person who stays as they are says nothing of the slope, whose variance is thus less than of four persons.
	if d := c.Slope.Design; !(d.DesignEffect > .2 && d.DesignEffect < 1) || d.ClustersA != 300 || !(d.DF > 100) {
		t.Errorf("%+v", d)
	}
	near(t, "design effect", c.Slope.Design.DesignEffect, square(c.Slope.SE/plain.Slope.SE), 1e-9)
	for i := range cells {
		cells[i].Cluster = i
	}
	if c, err = ClusteredTrend(cells, scores, .95); err != nil {
		t.Fatal(err)
	}
	near(t, "of independent persons", c.Slope.SE, plain.Slope.SE, .01*plain.Slope.SE)
}

// What else is made of clusters agrees with leaving each out by hand.
func TestJackknifeOfOthers(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 16))
	a, b := placeWorld{9, 14, .3}.draw(rng)
	a = append(a, Cell{Key: []int{0, 5}, Cluster: 2, N: 8, Sum: 3, SumSq: 3},
		Cell{Key: []int{0, 5}, Cluster: 4, N: 7, Sum: 2, SumSq: 2}) // out of support
	shortfall, err := ShortfallOf(a, b, nil, ShortfallOptions{Level: .95, Clustered: true})
	if err != nil {
		t.Fatal(err)
	}
	kitagawa, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Clustered: true, TotalsOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	n := shortfall.ToExpected.Denominator
	exact, err := Jackknife(a, b, func(a, b []Cell) (map[string]Estimate, error) {
		s, err := ShortfallOf(a, b, nil, ShortfallOptions{Level: .95})
		if err != nil {
			return nil, err
		}
		k, err := Kitagawa(a, b, KitagawaOptions{Level: .95, TotalsOnly: true})
		if err != nil {
			return nil, err
		}
		return map[string]Estimate{"expected": s.Expected, "to expected": s.ToExpected.scale(1 / s.ToExpected.Denominator),
			"composition": s.Composition.scale(1 / s.Composition.Denominator), "out of support": k.OutOfSupport,
			"out of support A": k.OutOfSupportA}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]Estimate{"expected": shortfall.Expected,
		"to expected": shortfall.ToExpected.scale(1 / n), "composition": shortfall.Composition.scale(1 / n),
		"out of support": kitagawa.OutOfSupport, "out of support A": kitagawa.OutOfSupportA} {
		near(t, name, e.Value, exact[name].Value, 1e-12)
		near(t, name+": SE", e.SE, exact[name].SE, 1e-12)
		if e.Design == nil || !(e.Design.DF > 0) {
			t.Errorf("%s: %+v", name, e.Design)
		}
	}
	near(t, "to the standard", shortfall.ToStandard.SE, Total(a).N*ClusteredGap(a, b, nil, .95).SE, 1e-9)

	for i := range a {
		a[i].Key = a[i].Key[1:]
	}
	index, err := ClusteredSlopeIndex(a, .95)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := SlopeIndexOf(a, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slope", index.Slope.Value, plain.Slope.Value, 1e-12)
	near(t, "ratio", index.Relative.Value, plain.Relative.Value, 1e-12)
	if d := index.Relative.Design; !(index.Relative.Lower < plain.Relative.Value) || d == nil || d.ClustersB != 0 {
		t.Errorf("%+v, %+v", index.Relative, d)
	}
}

// The tests of equivalence and the interval of a gap by clusters agree.
func TestClusteredEquivalence(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 17))
	a, b := placeWorld{6, 9, .1}.draw(rng)
	gap := ClusteredGap(a, b, nil, .95)
	for _, margin := range []float64{.01, .05, .1, .2, .4} {
		q, err := TestEquivalence(gap, margin, .95)
		if err != nil {
			t.Fatal(err)
		}
		if inside := q.Gap.Lower > -margin && q.Gap.Upper < margin; q.Equivalent != inside || !q.Decided ||
			q.Gap.Design == nil {
			t.Errorf("margin %g: %+v", margin, q)
		}
		near(t, "half", q.Gap.Upper-gap.Value, studentQuantile(.9, gap.Design.DF)*gap.SE, 1e-12)
	}
	one, err := TestEquivalence(ClusteredGap(a[:1], b, nil, .95), .1, .95)
	if err != nil || one.Decided || !math.IsNaN(one.PValue) {
		t.Errorf("one place: %+v, %v", one, err)
	}
}

// Clusters as many as families: what is estimated again leaves out groups of them, the rest each one.
func TestManyClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 19))
	a, b := placeWorld{20, 20, 0}.draw(rng)
	families := func(cells []Cell, from int) (out []Cell) {
		for _, c := range cells {
			for i := range int(c.N) {
				y := 0.0
				if i < int(c.Sum) {
					y = 1
				}
				out = append(out, Cell{Key: c.Key, Cluster: from + len(out)/2, N: 1, Sum: y, SumSq: y})
			}
		}
		return out
	}
	a, b = families(a, 0), families(b, 1_000_000)
	robust, err := clusteredEstimates(a, b, true)
	if err != nil {
		t.Fatal(err)
	}
	naive, err := clusteredEstimates(a, b, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range robust {
		// Pairs are of the same category and mostly alike.
		if d := e.Design; name != "share" && (d.ClustersA < 500 || d.ClustersB < 500) || !(d.DF > 100) ||
			!(d.DesignEffect > .7 && d.DesignEffect < 2.4) {
			t.Errorf("%s: %+v", name, d)
		}
		near(t, name, e.Value, naive[name].Value, 1e-9)
	}
}

// A known design effect does to a standard error what its root says, and 1 does nothing.
func TestKnownDesignEffect(t *testing.T) {
	a, b := Cell{N: 400, Sum: 100, SumSq: 100}, Cell{N: 900, Sum: 150, SumSq: 150}
	for _, of := range []func(deff float64) Estimate{
		func(deff float64) Estimate { return MeanByDesignEffect(a, deff, .95) },
		func(deff float64) Estimate { return GapByDesignEffect(a, b, Cell{}, deff, .95) },
	} {
		one, four, less := of(1), of(4), of(.2)
		near(t, "SE", four.SE, 2*one.SE, 1e-12)
		near(t, "never below 1", less.SE, one.SE, 1e-12)
		if four.Value != one.Value || four.Denominator != 400 || four.Numerator != 100 || four.Design.DesignEffect != 4 ||
			!(four.Upper-four.Lower > 1.8*(one.Upper-one.Lower)) {
			t.Errorf("%+v", four)
		}
	}
	near(t, "of independent observations", MeanByDesignEffect(a, 1, .95).Upper, Wilson(100, 400, .95).Upper, 0)
	near(t, "gap of independent observations", GapByDesignEffect(a, b, Cell{}, 1, .95).Lower,
		Gap(a, b, Cell{}, .95).Lower, 0)
}
