package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestDirectStandardisationCase(t *testing.T) {
	c := openCase(t, "dsr_downs_fayfeuer_gamma")
	ages := map[string]int{}
	cells, standard := map[string][]Cell{}, map[string][]Cell{}
	for _, row := range c.rows() {
		if _, ok := ages[row["age"]]; !ok {
			ages[row["age"]] = len(ages)
		}
		key := []int{ages[row["age"]]}
		order := row["birth_order"]
		// counts of events in person-time: Σx² is not known and not used
		cells[order] = append(cells[order], Cell{Key: key, N: c.number(row["births"]), Sum: c.number(row["cases"])})
		standard[order] = append(standard[order], Cell{Key: key, N: c.number(row["standard"])})
	}
	for order := range cells {
		d, err := Direct(cells[order], standard[order], DirectOptions{Level: .95, Interval: FayFeuer, Multiplier: 1e5})
		if err != nil {
			t.Fatal(err)
		}
		c.check(d.Crude.Value, order, "crude.rate")
		c.check(d.Standardised.Value, order, "adj.rate")
		c.check(d.Standardised.Lower, order, "lci")
		c.check(d.Standardised.Upper, order, "uci")
	}
}

func TestIndirectStandardisationCase(t *testing.T) {
	c := openCase(t, "isr_phe_multiarea")
	bands := map[string]int{}
	cells, reference := map[string][]Cell{}, map[string][]Cell{}
	number := func(text string) float64 {
		if text == "" {
			return 0
		}
		return c.number(text)
	}
	for _, row := range c.rows() {
		if _, ok := bands[row["ageband"]]; !ok {
			bands[row["ageband"]] = len(bands)
		}
		key, area := []int{bands[row["ageband"]]}, row["area"]
		cells[area] = append(cells[area], Cell{Key: key, N: number(row["pop"]), Sum: number(row["count"])})
		reference[area] = append(reference[area], Cell{Key: key, N: number(row["refpop"]), Sum: number(row["refcount"])})
	}
	for area := range cells {
		for level, suffix := range map[float64]string{0.95: "95", 0.998: "998"} {
			r, err := Indirect(cells[area], reference[area], IndirectOptions{Level: level, Multiplier: 1e5})
			if err != nil {
				t.Fatal(err)
			}
			c.check(r.Observed, area, "observed")
			c.check(r.Expected, area, "expected")
			c.check(r.ReferenceRate, area, "ref_rate")
			c.check(r.Ratio.Value, area, "smr")
			c.check(r.Ratio.Lower, area, "smr_l"+suffix)
			c.check(r.Ratio.Upper, area, "smr_u"+suffix)
			c.check(r.Rate.Value, area, "isr")
			c.check(r.Rate.Lower, area, "isr_l"+suffix)
			c.check(r.Rate.Upper, area, "isr_u"+suffix)
		}
	}
}

func TestDirectByHand(t *testing.T) {
	cells := []Cell{{Key: []int{0}, N: 100, Sum: 20, SumSq: 20}, {Key: []int{1}, N: 50, Sum: 25, SumSq: 25}}
	standard := []Cell{{Key: []int{0}, N: 3}, {Key: []int{1}, N: 1}}
	d, err := Direct(cells, standard, DirectOptions{Level: .95, Multiplier: 1})
	if err != nil {
		t.Fatal(err)
	}
	variance := .75*.75*.2*.8/100 + .25*.25*.25/50
	near(t, "rate", d.Standardised.Value, .275, 1e-15)
	near(t, "SE", d.Standardised.SE, math.Sqrt(variance), 1e-15)
	n := .275 * .725 / variance
	w := Wilson(.275*n, n, .95)
	near(t, "lower", d.Standardised.Lower, w.Lower, 1e-14)

	// Dobson's formula by hand with Byar's bounds for 45 events
	d, err = Direct(cells, standard, DirectOptions{Level: .95, Multiplier: 1, Interval: DobsonByar})
	if err != nil {
		t.Fatal(err)
	}
	unit := math.Sqrt((.75*.75*20/1e4 + .25*.25*25/2500) / 45)
	near(t, "Dobson lower", d.Standardised.Lower, .275+unit*(Byar(45, .95).Lower-45), 1e-14)

	if _, err := Direct(cells[:1], standard, DirectOptions{Level: .95, Multiplier: 1,
		Dimensions: []Dimension{{Name: "age", Codes: []string{"0", "1-2"}}}}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "age 1-2") {
		t.Errorf("a stratum without observations: %v", err)
	}
	none := []Cell{{Key: []int{0}, N: 100}, {Key: []int{1}, N: 50}}
	for _, interval := range []Interval{EffectiveWilson, DobsonByar, FayFeuer} {
		d, err := Direct(none, standard, DirectOptions{Level: .95, Multiplier: 1, Interval: interval})
		if err != nil || d.Standardised.Value != 0 || len(d.Standardised.Warnings) == 0 {
			t.Errorf("%v without events: %+v, %v", interval, d.Standardised, err)
		}
		if interval == FayFeuer && !(d.Standardised.Lower == 0 && d.Standardised.Upper > 0) {
			t.Errorf("Fay-Feuer without events: %+v", d.Standardised)
		}
	}
}

func TestStandardise(t *testing.T) {
	rng := rand.New(rand.NewPCG(71, 72))
	a, b := randomCells(rng, []int{2, 3}, 60, 9, true), randomCells(rng, []int{2, 3}, 60, 30, true)
	k, err := Kitagawa(a, b, KitagawaOptions{Level: .95, ThreeComponents: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := Standardise(a, b, StandardiseOptions{Level: .95, RandomStandard: true})
	if err != nil {
		t.Fatal(err)
	}
	// With the composition of b the gap is the three-component rate part, and b's rate its crude one.
	near(t, "gap", s.Gap.Value, k.Rate.Value, 1e-14)
	near(t, "its SE", s.Gap.SE, k.Rate.SE, 1e-14)
	near(t, "B", s.B.Value, s.CrudeB.Value, 1e-14)
	fixed, err := Standardise(a, b, StandardiseOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	d, err := Direct(a, b, DirectOptions{Level: .95, Multiplier: 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "A", fixed.A.Value, d.Standardised.Value, 1e-14)
	near(t, "A's SE", fixed.A.SE, d.Standardised.SE, 1e-14)
	near(t, "A's lower bound", fixed.A.Lower, d.Standardised.Lower, 1e-13)
	near(t, "ratio's SE", fixed.Ratio.SE, fixed.Ratio.Value*math.Hypot(fixed.A.SE/fixed.A.Value, fixed.B.SE/fixed.B.Value),
		1e-13)
	inA, err := Standardise(a, b, StandardiseOptions{Level: .95, Standard: StandardA})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "A at its own composition", inA.A.Value, inA.CrudeA.Value, 1e-14)
	pooled, err := Standardise(a, b, StandardiseOptions{Level: .95, Standard: StandardPooled})
	if err != nil {
		t.Fatal(err)
	}
	nA, nB := Total(a).N, Total(b).N
	near(t, "pooled", pooled.Gap.Value, (nA*inA.Gap.Value+nB*fixed.Gap.Value)/(nA+nB), 1e-14)

	// At B's composition, with B containing A: the gap's SE is that from the sums of independent parts.
	whole := append(slices.Clone(a), b...)
	over, err := Standardise(a, whole, StandardiseOptions{Level: .95, Shared: a})
	if err != nil {
		t.Fatal(err)
	}
	naive, err := Standardise(a, whole, StandardiseOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	if !(over.Gap.SE < naive.Gap.SE) || over.Gap.Value != naive.Gap.Value {
		t.Errorf("overlap: %v against %v", over.Gap, naive.Gap)
	}
}

func TestIndirectBinomial(t *testing.T) {
	cells := []Cell{{Key: []int{0}, N: 100, Sum: 30, SumSq: 30}, {Key: []int{1}, N: 50, Sum: 25, SumSq: 25},
		{Key: []int{2}, N: 10, Sum: 5, SumSq: 5}}
	reference := []Cell{{Key: []int{0}, N: 1000, Sum: 200, SumSq: 200}, {Key: []int{1}, N: 1000, Sum: 400, SumSq: 400}}
	r, err := Indirect(cells, reference, IndirectOptions{Level: .95, Multiplier: 1, Binomial: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "observed", r.Observed, 55, 0)
	near(t, "expected", r.Expected, 40, 1e-12)
	near(t, "SE", r.Ratio.SE, 1.375*math.Sqrt((21+12.5)/(55*55)+(1e4*.16/1000+2500*.24/1000)/1600), 1e-12)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "6.25 %") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	poisson, err := Indirect(cells[:2], reference, IndirectOptions{Level: .95, Multiplier: 1})
	if err != nil || len(poisson.Warnings) != 1 {
		t.Errorf("a Poisson interval for a common outcome: %q, %v", poisson.Warnings, err)
	}
	if _, err := Indirect(cells[2:], reference, IndirectOptions{Level: .95,
		Multiplier: 1}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no reference: %v", err)
	}
	if e := SMR(3, 0, .95); !math.IsNaN(e.Value) || len(e.Warnings) == 0 {
		t.Errorf("nothing expected: %+v", e)
	}
}

func TestStandardiseIndirectly(t *testing.T) {
	rng := rand.New(rand.NewPCG(73, 74))
	a, b := randomCells(rng, []int{2, 3}, 60, 9, true), randomCells(rng, []int{2, 3}, 60, 30, true)
	s, err := StandardiseIndirectly(a, b, StandardiseOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	i, err := Indirect(a, b, IndirectOptions{Level: .95, Multiplier: 1, Binomial: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "ratio", s.Ratio.Value, i.Ratio.Value, 1e-12)
	near(t, "rate", s.A.Value, i.Rate.Value, 1e-12)
	near(t, "gap", s.Gap.Value, i.Rate.Value-s.CrudeB.Value, 1e-12)
	near(t, "gap's upper bound", s.Gap.Upper, s.A.Upper-s.CrudeB.Value, 1e-12)
}
