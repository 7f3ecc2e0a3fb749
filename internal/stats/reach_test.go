package stats

import (
	"math"
	"testing"
)

// The figures are counted by hand: ages 15-17 hold 30 persons, of whom a target of 13-16 takes two
// thirds if they are spread evenly, none at least, and all at most.
func TestReach(t *testing.T) {
	groups := []AgeGroup{{Label: "13-14", From: 13, To: 14, N: 20}, {Label: "15-17", From: 15, To: 17, N: 30},
		{Label: "65+", From: 65, To: 125, Open: true, N: 50}}
	for _, test := range []struct {
		name                         string
		targets                      [][2]int
		value, least, most, warnings float64
	}{
		{"whole groups", [][2]int{{13, 17}}, 10. / 50, 10. / 50, 10. / 50, 0},
		{"a group is cut", [][2]int{{13, 16}}, 10. / 40, 10. / 50, 10. / 20, 1},
		{"two targets together cut none, and nobody counts twice", [][2]int{{13, 16}, {14, 17}}, 10. / 50, 10. / 50, 10. / 50,
			0},
		{"two targets apart", [][2]int{{13, 13}, {17, 17}}, 10. / 20, 10. / 50, math.NaN(), 2},
		{"the oldest group is cut", [][2]int{{70, 200}}, math.NaN(), 10. / 50, math.NaN(), 1},
		{"everybody", [][2]int{{0, math.MaxInt}}, 10. / 100, 10. / 100, 10. / 100, 0},
		{"nobody of the age", [][2]int{{30, 40}}, math.NaN(), math.NaN(), math.NaN(), 0},
	} {
		got := SumReach([]ReachStratum{{Groups: groups, Targets: test.targets, Participants: 10}})
		for _, pair := range [][2]float64{{got.Value, test.value}, {got.Least, test.least}, {got.Most, test.most},
			{float64(len(got.Warnings)), test.warnings}} {
			if !(math.Abs(pair[0]-pair[1]) < 1e-12 || math.IsNaN(pair[0]) && math.IsNaN(pair[1])) {
				t.Errorf("%s: got %v (%+v), want %v", test.name, pair[0], got, pair[1])
			}
		}
	}
	if got := SumReach([]ReachStratum{{Groups: groups[:1], Targets: [][2]int{{13, 14}},
		Participants: 25}}); len(got.Warnings) != 1 || got.Value != 1.25 {
		t.Errorf("more participants than residents gave %+v, want 1.25 and a warning", got)
	}
	if got := SumReach(nil); !math.IsNaN(got.Value) || got.Participants != 0 {
		t.Errorf("nothing gave %+v", got)
	}
}

// Laws: strata add up, splitting an age group in two at a cut leaves only a tighter bound, and
// Least <= Value <= Most.
func TestReachLaws(t *testing.T) {
	for from := 10; from <= 30; from++ {
		for to := from; to <= 40; to++ {
			coarse := []AgeGroup{{Label: "10-19", From: 10, To: 19, N: 40}, {Label: "20-40", From: 20, To: 40, N: 63}}
			fine := []AgeGroup{{From: 10, To: 14, N: 20}, {From: 15, To: 19, N: 20}, {From: 20, To: 26, N: 21},
				{From: 27, To: 40, N: 42}}
			stratum := func(g []AgeGroup) ReachStratum {
				return ReachStratum{Groups: g, Targets: [][2]int{{from, to}}, Participants: 5}
			}
			a, b := SumReach([]ReachStratum{stratum(coarse)}), SumReach([]ReachStratum{stratum(fine)})
			if math.Abs(a.Residents-b.Residents) > 1e-9 || a.ResidentsLeast > b.ResidentsLeast ||
				a.ResidentsMost < b.ResidentsMost {
				t.Errorf("ages %d-%d: %+v, with finer groups %+v", from, to, a, b)
			}
			if a.ResidentsLeast > a.Residents || a.Residents > a.ResidentsMost {
				t.Errorf("ages %d-%d: %+v is out of its bounds", from, to, a)
			}
			both := SumReach([]ReachStratum{stratum(coarse), stratum(fine)})
			if math.Abs(both.Residents-a.Residents-b.Residents) > 1e-9 || both.Participants != 10 {
				t.Errorf("ages %d-%d: two strata gave %+v", from, to, both)
			}
		}
	}
}
