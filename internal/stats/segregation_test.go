package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestSegregationCase(t *testing.T) {
	c := openCase(t, "segregation_schools00_theil")
	races := []string{"asian", "black", "hisp", "white", "native"}
	index := func(m map[string]int, name string) int {
		if _, ok := m[name]; !ok {
			m[name] = len(m)
		}
		return m[name]
	}
	states, schools := map[string]int{}, map[string]int{}
	groups := make([][]Cell, len(races))
	for _, row := range c.rows() {
		for g, race := range races {
			if row["race"] == race {
				groups[g] = append(groups[g], Cell{Key: []int{index(states, row["state"]), index(schools, row["school"])},
					N: c.number(row["n"])})
			}
		}
	}
	s, err := SegregateGroups(groups, 1)
	if err != nil {
		t.Fatal(err)
	}
	c.check(s.Information, "M")
	c.check(s.Theil, "H")
	c.check(s.Between, "M_between_states")
	c.check(s.TheilBetween, "H_between_states")
	c.check(s.Within, "M_within_states")
	for g, race := range races {
		c.check(s.Shares[g], "p", race)
	}
	// the raw local values, computed apart; those printed are corrected by the bootstrap
	for g, want := range []float64{0.6288, 0.8805, 0.7766, 0.1836, 1.4343} {
		near(t, "local "+races[g], s.Local[g], want, 6e-5)
	}
}

func units(counts ...float64) (cells []Cell) {
	for i, n := range counts {
		cells = append(cells, Cell{Key: []int{i}, N: n})
	}
	return cells
}

func TestSegregateByHand(t *testing.T) {
	// By hand: a = 80, 20; b = 20, 80: D = ½(.6 + .6) = .6, isolation .8·.8 + .2·.2 = .68, η² = .36
	s, err := Segregate(units(80, 20), units(20, 80), nil, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "D", s.Dissimilarity.Value, .6, 1e-15)
	near(t, "its SE", s.Dissimilarity.SE, math.Sqrt(.16/100+.16/100), 1e-15)
	near(t, "isolation", s.Isolation.Value, .68, 1e-15)
	near(t, "interaction", s.Interaction.Value, .32, 1e-15)
	near(t, "η²", s.EtaSquared, .36, 1e-15)
	near(t, "Gini", s.Gini, .6, 1e-15) // with two units it is D
	entropy := -.8*math.Log(.8) - .2*math.Log(.2)
	near(t, "H", s.Theil, 1-entropy/math.Ln2, 1e-15)
	near(t, "Atkinson", s.Atkinson, 1-80*80./(100*100), 1e-12)
	m, err := SegregateGroups([][]Cell{units(80, 20), units(20, 80)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "multigroup H of two", m.Theil, s.Theil, 1e-15)
	near(t, "multigroup D of two", m.Dissimilarity, s.Dissimilarity.Value, 1e-15)
	near(t, "all is within one unit", m.Within, m.Information, 0)

	for name, extreme := range map[string]struct {
		a, b []Cell
		want float64
	}{
		"apart":    {units(50, 0, 30), units(0, 20, 0), 1},
		"alike":    {units(50, 10, 30), units(100, 20, 60), 0},
		"one unit": {units(50), units(100), 0},
	} {
		s, err := Segregate(extreme.a, extreme.b, nil, .95)
		if err != nil {
			t.Fatal(err)
		}
		near(t, name+" D", s.Dissimilarity.Value, extreme.want, 1e-12)
		near(t, name+" H", s.Theil, extreme.want, 1e-12)
		near(t, name+" Gini", s.Gini, extreme.want, 1e-12)
		near(t, name+" η²", s.EtaSquared, extreme.want, 1e-12)
		near(t, name+" Atkinson", s.Atkinson, extreme.want, 1e-12)
	}
	// against a population that contains the group
	over, err := Segregate(units(80, 20), units(100, 100), units(80, 20), .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "against the rest", over.Dissimilarity.Value, .6, 1e-15)
	// and a population beside a group that it contains
	over, err = Segregate(units(100, 100), units(80, 20), units(80, 20), .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the rest against the group", over.Dissimilarity.Value, .6, 1e-15)
	near(t, "isolation of the rest", over.Isolation.Value, .68, 1e-15)
	for name, try := range map[string]func() error{
		"empty":     func() error { _, err := Segregate(nil, units(4), nil, .95); return err },
		"level":     func() error { _, err := Segregate(units(4), units(4), nil, 2); return err },
		"shared":    func() error { _, err := Segregate(units(4), units(4), units(9), .95); return err },
		"the same":  func() error { _, err := Segregate(units(4, 2), units(4, 2), units(4, 2), .95); return err },
		"one group": func() error { _, err := SegregateGroups([][]Cell{units(4)}, 0); return err },
		"no group":  func() error { _, err := SegregateGroups([][]Cell{units(4), units(0)}, 0); return err },
		"larger":    func() error { _, err := SegregateGroups([][]Cell{units(4), units(3)}, 5); return err },
	} {
		if err := try(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpectedDissimilarityUnderRandomPlacement(t *testing.T) {
	// the closed form against the sum over the hypergeometric distribution
	choose := func(n, k float64) float64 {
		v := 1.0
		for i := 1.0; i <= k; i++ {
			v *= (n - k + i) / i
		}
		return v
	}
	for _, c := range [][3]float64{{10, 20, 5}, {3, 40, 7}, {8, 8, 16}, {12, 5, 9}, {1, 1, 1}} {
		A, B, size := c[0], c[1], c[2]
		var want float64
		for x := math.Max(0, size-B); x <= math.Min(A, size); x++ {
			want += math.Abs(x-size*A/(A+B)) * choose(A, x) * choose(B, size-x) / choose(A+B, size)
		}
		near(t, "mean absolute deviation", randomDeviation(A, B, size), want, 1e-12)
	}
	// and against placement at random
	rng := rand.New(rand.NewPCG(141, 142))
	sizes := []int{5, 9, 14, 3, 22, 7}
	group := make([]int, 60)
	for i := range 18 {
		group[i] = 1
	}
	var mean float64
	var expected float64
	const draws = 4000
	for range draws {
		rng.Shuffle(len(group), func(i, j int) { group[i], group[j] = group[j], group[i] })
		a, b := make([]float64, len(sizes)), make([]float64, len(sizes))
		at := 0
		for u, size := range sizes {
			for range size {
				if group[at] == 1 {
					a[u]++
				} else {
					b[u]++
				}
				at++
			}
		}
		s, err := Segregate(units(a...), units(b...), nil, .95)
		if err != nil {
			t.Fatal(err)
		}
		mean += s.Dissimilarity.Value / draws
		expected = s.ExpectedDissimilarity
	}
	near(t, "mean D of random placement", mean, expected, 0.004)
}
