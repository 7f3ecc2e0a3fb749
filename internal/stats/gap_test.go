package stats

import (
	"math"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestEquivalenceByTwoOneSidedTests(t *testing.T) {
	// R TOSTER, TOSTtwo.prop(prop1 = .65, prop2 = .70, n1 = n2 = 100, bounds ±0.1), by its formula:
	// z = (-0.05 ± 0.1)/√(.65·.35/100 + .7·.3/100)
	se := math.Sqrt(.65*.35/100 + .7*.3/100)
	gap := Difference(65, 100, 70, 100, .95)
	q, err := TestEquivalence(gap, 0.1, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p lower", q.PLower, normalTail(.05/se), 1e-12)
	near(t, "p upper", q.PUpper, normalTail(.15/se), 1e-12)
	near(t, "p", q.PValue, q.PLower, 0)
	if q.Equivalent {
		t.Error("p = 0.22 is no equivalence")
	}
	near(t, "90 % bound", q.Gap.Upper, -.05+1.6448536269514722*se, 1e-12)

	// p < α exactly when the 1-2α interval lies inside the margin, for either statistic
	for x1 := 60.; x1 < 140; x1 += 7 {
		w, _ := TestEquivalence(Difference(x1, 200, 100, 200, .95), 0.12, .95)
		if w.Equivalent != (w.Gap.Lower > -.12 && w.Gap.Upper < .12) {
			t.Errorf("x1 = %g: interval and p value disagree: %+v", x1, w)
		}
	}
	none, err := TestEquivalence(Difference(0, 50, 0, 50, .95), 0.1, .95)
	if err != nil || none.Equivalent || !math.IsNaN(none.PValue) || len(none.Warnings) == 0 {
		t.Errorf("no variance: %+v, %v", none, err)
	}
	// 0 of 50 against 0 of 50 at ±0.1: restricted to δ = -0.1 the estimates are 0 and 0.1
	score, err := TestEquivalenceOfProportions(0, 50, 0, 50, 0.1, .95)
	if err != nil || !score.Equivalent {
		t.Errorf("score test: %+v, %v", score, err)
	}
	near(t, "score z", score.PLower, normalTail(.1/math.Sqrt(.1*.9/50)), 1e-9)

	for _, bad := range [][2]float64{{0, .95}, {-1, .95}, {math.NaN(), .95}, {.1, .4}, {.1, 95}} {
		if _, err := TestEquivalence(gap, bad[0], bad[1]); fault.KindOf(err) != fault.Invalid {
			t.Errorf("margin %g at level %g: %v", bad[0], bad[1], err)
		}
	}
}
