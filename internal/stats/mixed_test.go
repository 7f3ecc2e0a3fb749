package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

// mixed gives cells of two categories of which the first, 0 or 1, may be a number instead.
func mixed(cells [2][]Cell, asNumber bool) (dimensions []Dimension, numbers []string, out []TreatmentCell) {
	dimensions = []Dimension{{Name: "first", Codes: []string{"no", "yes"}},
		{Name: "second", Codes: []string{"a", "b", "c"}}}
	if asNumber {
		dimensions, numbers = dimensions[1:], []string{"first"}
	}
	for arm, side := range cells {
		for _, c := range side {
			m := TreatmentCell{Cell: c, Treated: arm == 1}
			if asNumber {
				m.Key, m.Numbers = c.Key[1:], []float64{float64(c.Key[0])}
			}
			out = append(out, m)
		}
	}
	return dimensions, numbers, out
}

// A number that is 0 or 1 is a category of two: whichever way it is given, every method says the
// same. Nor does it matter that cells are split, empty, or in another order.
func TestMixedTreatmentRows(t *testing.T) {
	treated, controls := confounded.draw(rand.New(rand.NewPCG(8, 1)), 900)
	sides := [2][]Cell{controls, treated}
	for i := range sides {
		for j := range sides[i] {
			sides[i][j].Cluster = j % 5
		}
	}
	dimensions, numbers, cells := mixed(sides, false)
	design, rows, err := MixedTreatmentRows(dimensions, numbers, cells)
	if err != nil {
		t.Fatal(err)
	}
	split := func(cells []TreatmentCell) []TreatmentCell {
		out := []TreatmentCell{{Cell: Cell{Key: cells[0].Key}, Numbers: cells[0].Numbers}}
		for _, c := range cells {
			half := c
			half.N, half.Sum, half.SumSq = c.N/2, c.Sum/2, c.SumSq/2
			out = append(out, half, half)
		}
		slices.Reverse(out)
		return out
	}
	dimensions2, numbers2, cells2 := mixed(sides, true)
	for name, given := range map[string]func() (Design, []TreatmentRow, error){
		"as a number": func() (Design, []TreatmentRow, error) { return MixedTreatmentRows(dimensions2, numbers2, cells2) },
		"as a number, split": func() (Design, []TreatmentRow, error) {
			return MixedTreatmentRows(dimensions2, numbers2, split(cells2))
		},
		"split":  func() (Design, []TreatmentRow, error) { return MixedTreatmentRows(dimensions, numbers, split(cells)) },
		"by arm": func() (Design, []TreatmentRow, error) { return TreatmentRows(dimensions, treated, controls) },
	} {
		otherDesign, otherRows, err := given()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range otherRows {
			if len(row.X) != len(otherDesign.Terms) || row.N == 0 {
				t.Fatalf("%s: a row of %d columns and %g observations; the design has %d terms", name, len(row.X), row.N,
					len(otherDesign.Terms))
			}
		}
		for _, method := range append(adjustingMethods, Unadjusted) {
			for _, opts := range []EffectOptions{{}, {Clustered: true}, {Outcome: Logit}} {
				opts.Level, opts.Method, opts.Caliper, opts.Subclasses = .95, method, .2, 6
				want, err := EstimateEffect(design, rows, opts)
				if err != nil {
					t.Fatal(err)
				}
				got, err := EstimateEffect(otherDesign, otherRows, opts)
				if err != nil {
					t.Fatal(err)
				}
				what := fmt.Sprintf("%s, %v, %+v", name, method, opts)
				near(t, what, got.Effect.Value, want.Effect.Value, 1e-8)
				near(t, what+": treated", got.Treated, want.Treated, 1e-9)
				if got.Clusters != want.Clusters || opts.Clustered != (got.Clusters == 5) {
					t.Errorf("%s: %d clusters, want %d", what, got.Clusters, want.Clusters)
				}
			}
		}
	}
}

func TestMixedTreatmentRowsRefuse(t *testing.T) {
	for name, cells := range map[string][]TreatmentCell{
		"numbers without a name": {{Cell: Cell{Key: []int{0}, N: 1}, Numbers: []float64{1, 2}}},
		"a name without numbers": {{Cell: Cell{Key: []int{0}, N: 1}}},
		"keys of two lengths": {{Cell: Cell{Key: []int{0}, N: 1}, Numbers: []float64{1}},
			{Cell: Cell{N: 1}, Numbers: []float64{1}}},
		"fewer than no persons": {{Cell: Cell{Key: []int{0}, N: -1}, Numbers: []float64{1}}},
	} {
		if _, _, err := MixedTreatmentRows(nil, []string{"age"}, cells); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Areas in which the same happened tell nothing about how areas differ: no interval is better than one
// without width. Persons who differ still have one.
func TestChangesByStartOfAreasThatAreAlike(t *testing.T) {
	var starts []StartCells
	for year := range 2 {
		s := StartCells{Start: 2012 + year}
		for area := range 4 {
			s.Treated = append(s.Treated, Cell{N: 6, Sum: -2, SumSq: 2, Cluster: area})
			s.Controls = append(s.Controls, Cell{N: 9, Sum: 3, SumSq: 3, Cluster: area})
		}
		starts = append(starts, s)
	}
	clustered, err := ChangesByStart(starts, DifferenceOptions{Level: .95, Clustered: true})
	if err != nil {
		t.Fatal(err)
	}
	e := clustered.Overall.Effect
	near(t, "effect", e.Value, -2./3, 1e-12)
	if !(e.Lower != e.Lower) || len(e.Warnings) == 0 || clustered.Overall.Clusters != 4 {
		t.Errorf("%g (%g to %g), %d areas, %v; want no interval and a reason", e.Value, e.Lower, e.Upper,
			clustered.Overall.Clusters, e.Warnings)
	}
	persons, err := ChangesByStart(starts, DifferenceOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	if e := persons.Overall.Effect; !(e.Lower < e.Value && e.Value < e.Upper) || persons.Overall.Clusters != 0 {
		t.Errorf("by persons: %g (%g to %g)", e.Value, e.Lower, e.Upper)
	}
}
