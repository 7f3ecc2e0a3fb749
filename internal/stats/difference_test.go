package stats

import (
	"math"
	"testing"
)

func TestDifferenceCase(t *testing.T) {
	c := openCase(t, "diff_proportions_fagerland")
	for method, f := range map[string]func(x1, n1, x2, n2, level float64) Estimate{
		"wald": WaldDifference, "agresti_caffo": AgrestiCaffo, "newcombe": Difference, "risk_ratio_katz_log": Ratio,
	} {
		e := f(7, 34, 1, 34, 0.95)
		c.check(e.Lower, method, 0)
		c.check(e.Upper, method, 1)
	}
}

func TestDifferenceIntervals(t *testing.T) {
	// Newcombe 1998, Stat. Med. 17:873, table II, method 10 (hybrid score)
	tests := []struct {
		x1, n1, x2, n2 float64
		hybrid         [2]float64
	}{
		{56, 70, 48, 80, [2]float64{0.0524, 0.3339}},
		{9, 10, 3, 10, [2]float64{0.1705, 0.8090}},
		{6, 7, 2, 7, [2]float64{0.0582, 0.8062}},
		{5, 56, 0, 29, [2]float64{-0.0381, 0.1926}},
		{0, 10, 0, 20, [2]float64{-0.1611, 0.2775}},
		{0, 10, 0, 10, [2]float64{-0.2775, 0.2775}},
		{10, 10, 0, 20, [2]float64{0.6791, 1}},
		{10, 10, 0, 10, [2]float64{0.6075, 1}},
	}
	for _, test := range tests {
		e := Difference(test.x1, test.n1, test.x2, test.n2, 0.95)
		near(t, "Newcombe lower", e.Lower, test.hybrid[0], 5e-5)
		near(t, "Newcombe upper", e.Upper, test.hybrid[1], 5e-5)
		m := MiettinenNurminen(test.x1, test.n1, test.x2, test.n2, 0.95)
		z := 1.959963984540054
		correction := (test.n1 + test.n2) / (test.n1 + test.n2 - 1)
		for _, bound := range []float64{m.Lower, m.Upper} {
			if math.Abs(bound) == 1 {
				continue
			}
			near(t, "the score at Miettinen-Nurminen's bound",
				math.Abs(scoreStatistic(test.x1, test.n1, test.x2, test.n2, bound, correction)), z, 1e-6)
		}
	}
	// The first eight are Newcombe's table II, method 6. All were found outside this package, by a
	// search for the largest likelihood under each difference.
	for _, c := range [][6]float64{
		{56, 70, 48, 80, .052830, .338173}, {9, 10, 3, 10, .170025, .840650}, {6, 7, 2, 7, .034176, .853405},
		{5, 56, 0, 29, -.032597, .193331}, {0, 10, 0, 20, -.165760, .284381}, {0, 10, 0, 10, -.287934, .287934},
		{10, 10, 0, 20, .715619, 1}, {10, 10, 0, 10, .663642, 1},
		{7, 34, 1, 34, .027042, .345291}, {1, 1000, 0, 5, -.433731, .005646}, {250, 251, 3, 999, .974632, .997484},
	} {
		m := MiettinenNurminen(c[0], c[1], c[2], c[3], .95)
		near(t, "Miettinen-Nurminen lower", m.Lower, c[4], 1e-6)
		near(t, "Miettinen-Nurminen upper", m.Upper, c[5], 1e-6)
	}
	// Rare outcomes are Poisson: a thousand times the observations make bounds a thousandth.
	for _, x := range [][2]float64{{0, 0}, {1, 0}, {3, 0}, {0, 4}, {5, 2}} {
		m, large := MiettinenNurminen(x[0], 1e7, x[1], 5e6, .95), MiettinenNurminen(x[0], 1e10, x[1], 5e9, .95)
		near(t, "lower bound of rare outcomes", 1e3*large.Lower, m.Lower, 1e-5*(m.Upper-m.Lower))
		near(t, "upper bound of rare outcomes", 1e3*large.Upper, m.Upper, 1e-5*(m.Upper-m.Lower))
		// not having it is the mirror image
		not := MiettinenNurminen(1e10-x[0], 1e10, 5e9-x[1], 5e9, .95)
		near(t, "mirrored", not.Upper, -large.Lower, 1e-5*(large.Upper-large.Lower))
	}
}

func TestRatioAndOddsRatio(t *testing.T) {
	// Closed form, 15/100 against 5/100: log 3 ± z√(1/15 - 1/100 + 1/5 - 1/100)
	se := math.Sqrt(1./15 - .01 + 1./5 - .01)
	e := Ratio(15, 100, 5, 100, .95)
	near(t, "ratio", e.Value, 3, 1e-12)
	near(t, "lower", e.Lower, 3*math.Exp(-1.959963984540054*se), 1e-12)
	near(t, "SE", e.SE, 3*se, 1e-12)
	// Closed form, 10/100 against 5/100
	or := OddsRatio(10, 100, 5, 100, .95)
	near(t, "odds ratio", or.Value, 10./90/(5./95), 1e-12)
	near(t, "upper", or.Upper, or.Value*math.Exp(1.959963984540054*math.Sqrt(.1+1./90+.2+1./95)), 1e-12)

	for name, f := range map[string]func(x1, n1, x2, n2, l float64) Estimate{"Ratio": Ratio, "OddsRatio": OddsRatio} {
		if e := f(0, 10, 5, 10, .95); e.Value != 0 || e.Lower != 0 || !(e.Upper > 0) || len(e.Warnings) == 0 {
			t.Errorf("%s with nobody in the first group: %+v", name, e)
		}
		if e := f(5, 10, 0, 10, .95); !math.IsNaN(e.Value) || !(e.Lower > 0) || !math.IsNaN(e.Upper) || len(e.Warnings) == 0 {
			t.Errorf("%s with nobody in the second group: %+v", name, e)
		}
		if e := f(0, 10, 0, 10, .95); !math.IsNaN(e.Value) || !math.IsNaN(e.Lower) {
			t.Errorf("%s with nobody at all: %+v", name, e)
		}
		if e := f(10, 10, 20, 20, .95); !math.IsNaN(e.Lower) || !math.IsNaN(e.Upper) || len(e.Warnings) == 0 {
			t.Errorf("%s with all of both groups: %+v, want no interval", name, e)
		}
	}
}

func TestGapOfOverlappingCohorts(t *testing.T) {
	group := Cell{N: 200, Sum: 60, SumSq: 60}
	rest := Cell{N: 1800, Sum: 300, SumSq: 300}
	population := Total([]Cell{group, rest})

	toRest := Gap(group, rest, Cell{}, .95)
	if d := Difference(60, 200, 300, 1800, .95); toRest.Lower != d.Lower || toRest.Value != d.Value {
		t.Errorf("without overlap the gap is Newcombe's: %+v, %+v", toRest, d)
	}
	// The gap to the population is (1-s) times the gap to the rest, and so are its bounds.
	toAll := Gap(group, population, group, .95)
	near(t, "gap to the population", toAll.Value, group.Mean()-population.Mean(), 1e-15)
	near(t, "gap to the population", toAll.Value, 0.9*toRest.Value, 1e-15)
	near(t, "its lower bound", toAll.Lower, 0.9*toRest.Lower, 1e-15)
	near(t, "its SE", toAll.SE, 0.9*toRest.SE, 1e-15)
	swapped := Gap(population, group, group, .95)
	near(t, "swapped", swapped.Value, -toAll.Value, 1e-15)
	near(t, "swapped lower", swapped.Lower, -toAll.Upper, 1e-15)
	if len(toAll.Warnings) == 0 {
		t.Error("an overlap was not reported")
	}

	// Neither contains the other: SE from the three independent pieces a\b, b\a, shared.
	a, b, shared := Cell{N: 300, Sum: 90, SumSq: 90}, Cell{N: 400, Sum: 80, SumSq: 80}, Cell{N: 100, Sum: 25, SumSq: 25}
	e := Gap(a, b, shared, .95)
	pa, pb := .3, .2
	va, vb := pa*(1-pa)/300, pb*(1-pb)/400
	cov := (25*(1-pa)*(1-pb) + 75*pa*pb) / (300. * 400)
	near(t, "partial overlap SE", e.SE, math.Sqrt(va+vb-2*cov), 1e-12)

	// A measure: Welch. R's sleep data, extra ~ group: t = -1.8608, df = 17.776, -3.3654832 to 0.2054832
	one := Cell{N: 10, Sum: 7.5, SumSq: 34.43}
	two := Cell{N: 10, Sum: 23.3, SumSq: 90.37}
	w := Gap(one, two, Cell{}, .95)
	near(t, "Welch lower", w.Lower, -3.3654832, 1e-6)
	near(t, "Welch upper", w.Upper, 0.2054832, 1e-6)

	for name, e := range map[string]Estimate{
		"more shared than there are": Gap(a, b, Cell{N: 500, Sum: 25, SumSq: 25}, .95),
		"empty":                      Gap(Cell{}, b, Cell{}, .95),
	} {
		if !math.IsNaN(e.Value) || len(e.Warnings) == 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if same := Gap(a, a, a, .95); same.Value != 0 || len(same.Warnings) == 0 {
		t.Errorf("the same cohort twice: %+v", same)
	}
}

// Equivalence follows its own definition: the tests say yes exactly where the interval at 1 - 2α lies
// inside the margin, whatever the cohorts have in common.
func TestEquivalenceIsItsInterval(t *testing.T) {
	none := func(n float64) Cell { return Cell{N: n} }
	yes := func(x, n float64) Cell { return Cell{N: n, Sum: x, SumSq: x} }
	for _, c := range []struct {
		name         string
		a, b, shared Cell
	}{
		{"none of both", none(105), none(101), Cell{}},
		{"all of both", yes(105, 105), yes(101, 101), Cell{}},
		{"apart", yes(30, 105), yes(33, 101), Cell{}},
		{"one observation each", none(1), none(1), Cell{}},
		{"the second contains the first", yes(10, 105), yes(40, 400), yes(10, 105)},
		{"the first contains the second", yes(40, 400), yes(10, 105), yes(10, 105)},
		{"none, the second contains the first", none(105), none(206), none(105)},
		{"they overlap", yes(30, 105), yes(60, 201), yes(20, 50)},
		{"none, they overlap", none(105), none(201), none(50)},
		{"a measure", Cell{N: 50, Sum: 100, SumSq: 300}, Cell{N: 60, Sum: 125, SumSq: 350}, Cell{}},
	} {
		wide := 0
		for _, margin := range []float64{.001, .01, .02, .03, .05, .1, .2, .4, .8, 1, 2} {
			q, err := TestEquivalenceOfGap(c.a, c.b, c.shared, margin, .95)
			if err != nil {
				t.Fatal(err)
			}
			inside := -margin < q.Gap.Lower && q.Gap.Upper < margin
			if !q.Decided || !(q.Gap.Lower < q.Gap.Upper) || q.Equivalent != inside || q.Equivalent != (q.PValue < .05) {
				t.Errorf("%s, margin %g: %+v", c.name, margin, q)
			}
			if q.Equivalent {
				wide++
			}
			swapped, err := TestEquivalenceOfGap(c.b, c.a, c.shared, margin, .95)
			if err != nil {
				t.Fatal(err)
			}
			near(t, c.name+": p of the gap the other way", swapped.PValue, q.PValue, 1e-9)
		}
		if wide == 0 || wide == 11 {
			t.Errorf("%s: equivalent at %d of 11 margins", c.name, wide)
		}
	}
	// Nothing varies in a measure: undecided, never equivalent.
	four := Cell{N: 9, Sum: 36, SumSq: 144}
	q, err := TestEquivalenceOfGap(four, four, Cell{}, 1, .95)
	if err != nil || q.Decided || q.Equivalent || !math.IsNaN(q.PValue) || len(q.Warnings) == 0 {
		t.Errorf("nine answers of 4 beside nine: %+v, %v", q, err)
	}
}
