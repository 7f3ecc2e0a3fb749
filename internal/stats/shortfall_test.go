package stats

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestShortfallByHand(t *testing.T) {
	at := func(key int, n, y float64) Cell { return Cell{Key: []int{key}, N: n, Sum: y, SumSq: y} }
	// 100 children, 70 enrolled, half of them of each group. The nation has 85 % and 75 % in the
	// groups, and 84 % in all: 84 would reach the nation, of whom composition accounts for 4.
	a := []Cell{at(0, 50, 40), at(1, 50, 30)}
	b := []Cell{at(0, 9000, 7650), at(1, 1000, 750)}
	s, err := ShortfallOf(a, b, nil, ShortfallOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "to the standard", s.ToStandard.Value, 14, 1e-9)
	near(t, "to the expected", s.ToExpected.Value, 10, 1e-9)
	near(t, "composition", s.Composition.Value, 4, 1e-9)
	near(t, "expected share", s.Expected.Value, .80, 1e-12)
	gap := Gap(Total(a), Total(b), Cell{}, .95)
	near(t, "lower", s.ToStandard.Lower, -100*gap.Upper, 1e-9)
	near(t, "upper", s.ToStandard.Upper, -100*gap.Lower, 1e-9)
	// Indirect standardisation's observed and expected.
	in, err := Indirect(a, b, IndirectOptions{Level: .95, Multiplier: 1, Binomial: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "expected less observed", s.ToExpected.Value, in.Expected-in.Observed, 1e-9)
	// Half a group more enrolled than the standard has is a surplus, not nothing.
	surplus, err := ShortfallOf([]Cell{at(0, 50, 49), at(1, 50, 45)}, b, nil, ShortfallOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "surplus", surplus.ToStandard.Value, -10, 1e-9)
	near(t, "surplus at its composition", surplus.ToExpected.Value, -14, 1e-9)

	// One cell: the standard error is n times that of the difference.
	one, err := ShortfallOf([]Cell{at(0, 100, 70)}, []Cell{at(0, 1000, 840)}, nil, ShortfallOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SE", one.ToExpected.SE, 100*Difference(70, 100, 840, 1000, .95).SE, 1e-9)
	near(t, "no composition", one.Composition.Value, 0, 1e-9)

	// A cell that the standard has not is left out and said.
	odd, err := ShortfallOf(append(a, at(2, 10, 3)), b, nil, ShortfallOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "left out", odd.ToExpected.Value, 10, 1e-9)
	near(t, "crude is of all", odd.ToStandard.Value, 110*.84-73, 1e-9)
	if len(odd.Warnings) != 1 || !strings.Contains(odd.Warnings[0], "10 observations") {
		t.Errorf("warnings %q", odd.Warnings)
	}
	for _, bad := range []func() (*Shortfall, error){
		func() (*Shortfall, error) {
			return ShortfallOf([]Cell{at(2, 5, 1)}, b, nil, ShortfallOptions{Level: .95})
		},
		func() (*Shortfall, error) { return ShortfallOf(nil, b, nil, ShortfallOptions{Level: .95}) },
		func() (*Shortfall, error) {
			return ShortfallOf([]Cell{{Key: []int{0}, N: 2, Sum: 5, SumSq: 9}}, b, nil, ShortfallOptions{Level: .95})
		},
		func() (*Shortfall, error) { return ShortfallOf(a, b, nil, ShortfallOptions{Level: 2}) },
	} {
		if _, err := bad(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	}
}

func FuzzShortfallLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, rest := cellsFrom(data)
		b := append(append([]Cell{}, rest...), a...) // contains a
		for _, c := range []struct{ standard, shared []Cell }{{rest, nil}, {b, a}} {
			total, clusters, err := ShortfallsOf(a, c.standard, c.shared, ShortfallOptions{Level: .95})
			if err != nil {
				continue
			}
			if len(total.Warnings) == 0 {
				same(t, "parts sum", total.ToExpected.Value+total.Composition.Value, total.ToStandard.Value)
			}
			var crude, n float64
			for _, own := range clusters {
				crude, n = crude+own.ToStandard.Value, n+own.Observed.Denominator
			}
			same(t, "clusters sum to the whole", crude, total.ToStandard.Value)
			same(t, "observations", n, total.Observed.Denominator)
			same(t, "expected", total.Expected.Value*total.ToExpected.Denominator-total.ToExpected.Value,
				observedWithin(a, c.standard))
			split, err := ShortfallOf(splitCells(a), splitCells(c.standard), splitCells(c.shared), ShortfallOptions{Level: .95})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "cells split in two", split.ToExpected.SE*split.ToExpected.SE, total.ToExpected.SE*total.ToExpected.SE)
		}
	})
}

// observedWithin counts those of a with the indicator in cells that b has.
func observedWithin(a, b []Cell) (y float64) {
	for _, c := range a {
		for _, d := range b {
			if d.N > 0 && d.Key[0] == c.Key[0] && d.Key[1] == c.Key[1] {
				y += c.Sum
				break
			}
		}
	}
	return y
}

// An area of 150 children drawn again and again beside a rest of 3,000, compared with the rest and with the
// population that contains it.
func TestShortfallStandardErrorsAgreeWithSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 14))
	area := world{shares: [6]float64{.10, .15, .05, .25, .25, .20}, rates: [6]float64{.80, .75, .85, .70, .65, .72}}
	rest := world{shares: [6]float64{.30, .25, .25, .08, .07, .05}, rates: [6]float64{.86, .84, .90, .76, .74, .78}}
	for _, contained := range []bool{false, true} {
		const draws, n, m = 3000, 150, 3000
		type tally struct{ sum, squares, errors, covered float64 }
		var to, composition tally
		var truthTo, truthComposition float64
		{ // the truth is the estimate from exact populations of the same proportions
			a, b := area.exact(), rest.exact()
			for i := range a {
				a[i].N, a[i].Sum, a[i].SumSq = a[i].N*n/m, a[i].Sum*n/m, a[i].SumSq*n/m
			}
			shared := []Cell(nil)
			if contained {
				b, shared = append(b, a...), a
			}
			s, err := ShortfallOf(a, b, shared, ShortfallOptions{Level: .95})
			if err != nil {
				t.Fatal(err)
			}
			scale := n / Total(a).N
			truthTo, truthComposition = s.ToExpected.Value*scale, s.Composition.Value*scale
		}
		for range draws {
			a, b := area.draw(rng, n), rest.draw(rng, m)
			shared := []Cell(nil)
			if contained {
				b, shared = append(b, a...), a
			}
			s, err := ShortfallOf(a, b, shared, ShortfallOptions{Level: .95})
			if err != nil {
				t.Fatal(err)
			}
			for _, of := range []struct {
				*tally
				e     Estimate
				truth float64
			}{{&to, s.ToExpected, truthTo}, {&composition, s.Composition, truthComposition}} {
				of.sum, of.squares, of.errors = of.sum+of.e.Value, of.squares+of.e.Value*of.e.Value, of.errors+of.e.SE
				if of.e.Lower <= of.truth && of.truth <= of.e.Upper {
					of.covered++
				}
			}
		}
		for name, x := range map[string]tally{"to the expected": to, "composition": composition} {
			mean := x.sum / draws
			deviation := math.Sqrt(x.squares/draws - mean*mean)
			if ratio := x.errors / draws / deviation; math.Abs(ratio-1) > .05 {
				t.Errorf("%s, contained %v: the standard error is %.3f of the deviation of the draws", name, contained, ratio)
			}
			if cover := x.covered / draws; math.Abs(cover-.95) > .015 {
				t.Errorf("%s, contained %v: 95 %% intervals cover %.3f", name, contained, cover)
			}
		}
	}
}
