package stats

import (
	"fmt"
	"math"
	"testing"
)

// Published examples whose few figures stand in the test itself; larger ones are in testdata/cases.

// effectOfPublished estimates by every method that holds one factor equal.
func effectOfPublished(t *testing.T, name string, treated, controls []Cell, estimand Estimand, with, without,
	tol float64) {
	t.Helper()
	design, rows, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range adjustingMethods {
		e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Subclasses: 6, Method: method, Estimand: estimand,
			Caliper: math.Inf(1)})
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprint(name, ", ", method, ", with"), e.WithTreatment.Value, with, tol)
		near(t, fmt.Sprint(name, ", ", method, ", without"), e.Without.Value, without, tol)
	}
}

func indicatorCells(counts ...[2]float64) (cells []Cell) {
	for k, c := range counts {
		cells = append(cells, Cell{Key: []int{k}, N: c[1], Sum: c[0], SumSq: c[0]})
	}
	return cells
}

func TestAdjustmentPublished(t *testing.T) {
	// Hernán, Robins, Causal Inference: What If, table 2.2: deaths after a heart transplant of 20
	// persons, by severity. 7 of 13 against 3 of 7 died; standardised and weighted both risks are .5.
	treated, controls := indicatorCells([2]float64{1, 4}, [2]float64{6, 9}), indicatorCells([2]float64{1, 4},
		[2]float64{2, 3})
	near(t, "crude", Total(treated).Mean()-Total(controls).Mean(), 7./13-3./7, 1e-15)
	effectOfPublished(t, "transplants", treated, controls, OnAll, .5, .5, 1e-9)

	// Charig, Webb, Payne, Wickham 1986, BMJ 292:879: kidney stones removed, small and large, by open
	// surgery and by nephrolithotomy. Peters, Janzing, Schölkopf, Elements of Causal Inference, example
	// 6.37: if all had one or the other .832 and .782, from shares rounded to two digits.
	open, closed := indicatorCells([2]float64{81, 87}, [2]float64{192, 263}), indicatorCells([2]float64{234, 270},
		[2]float64{55, 80})
	if !(Total(open).Mean() < Total(closed).Mean()) {
		t.Error("crude, open surgery does worse")
	}
	surgery, nephrolithotomy := 357./700*81/87+343./700*192/263, 357./700*234/270+343./700*55/80
	near(t, "printed", surgery, .832, 5e-3)
	near(t, "printed", nephrolithotomy, .782, 5e-3)
	effectOfPublished(t, "kidney stones", open, closed, OnAll, surgery, nephrolithotomy, 1e-9)

	// Cunningham, Causal Inference: The Mixtape, section 5.1, after Cochran 1968: deaths per 100 by age.
	// Cigarette smokers, 65, 25 and 10 % of three ages, have 29; at the ages of pipe and cigar smokers 51.
	deaths := func(n ...float64) []Cell {
		return indicatorCells([2]float64{.2 * n[0], n[0]}, [2]float64{.4 * n[1], n[1]}, [2]float64{.6 * n[2], n[2]})
	}
	cigarettes, pipes := deaths(6500, 2500, 1000), deaths(1000, 2500, 6500)
	d, err := Direct(cigarettes, pipes, DirectOptions{Level: .95, Multiplier: 100})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "crude", d.Crude.Value, 29, 1e-9)
	near(t, "standardised", d.Standardised.Value, 51, 1e-9)
	effectOfPublished(t, "smokers", pipes, cigarettes, OnTreated, .51, .51, 1e-9)
}

func TestTwoGroupsPublished(t *testing.T) {
	// Physicians' Health Study, heart attacks of 11,034 on placebo and 11,037 on aspirin (Agresti,
	// Categorical Data Analysis, section 3.1): 95 % intervals of the risk ratio, odds ratio and difference.
	for _, c := range []struct {
		name                string
		e                   Estimate
		value, lower, upper float64
		tol                 float64
	}{
		{"risk ratio", Ratio(189, 11034, 104, 11037, .95), 1.82, 1.43, 2.31, .006},
		{"odds ratio", OddsRatio(189, 11034, 104, 11037, .95), 1.83, 1.44, 2.33, .006},
		{"difference", WaldDifference(189, 11034, 104, 11037, .95), .008, .005, .011, 5.1e-4},
		// nobody of 25 students a vegetarian (Agresti, Introduction to Categorical Data Analysis, 1.4.3)
		{"vegetarians", Wilson(0, 25, .95), 0, 0, .133, 5e-4},
	} {
		near(t, c.name, c.e.Value, c.value, c.tol)
		near(t, c.name+" lower", c.e.Lower, c.lower, c.tol)
		near(t, c.name+" upper", c.e.Upper, c.upper, c.tol)
	}
	// Hammond, Horn 1958, smoking and lung cancer, 10.73 (8.02, 14.36): VanderWeele, Ding 2017 give
	// E-values of 20.9 and 15.5.
	v := EValueOf(Estimate{Value: 10.73, Lower: 8.02, Upper: 14.36})
	near(t, "E-value", v.Point, 20.9, .05)
	near(t, "E-value of the limit", v.Limit, 15.5, .05)
	// Graubard, Korn 1987, Biometrics 43:471: malformed of infants by drinks a day; Agresti, section 5.3:
	// M² = (n - 1)r² = 6.57, which is (n - 1)/n of X².
	malformed, infants := []float64{48, 38, 5, 1, 1}, []float64{17114, 14502, 793, 127, 38}
	r, err := Trend(malformed, infants, []float64{0, .5, 1.5, 4, 7}, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "trend of malformations", r.ChiSquare*32573/32574, 6.57, .005)
	near(t, "its P", r.PValue, .010, 5e-4)
}
