package stats

import (
	"fmt"
	"math"
	"testing"
)

// Published examples typed in, so that the methods stay guarded where the folder of cases is not.

func TestDasGuptaPublished(t *testing.T) {
	// Das Gupta 1993, Standardization and Decomposition of Rates, Census P23-186 (US Government work).
	// Example 2.1, mean earnings, white less black: earnings per earner, share of earners.
	effects, err := DasGupta([][]float64{{16591}, {0.825974}}, [][]float64{{10930}, {0.717892}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "2.1 earnings", effects[0].Effect, 4369.913, 5e-4)
	near(t, "2.1 earners", effects[1].Effect, 1487.262, 5e-4)

	// Example 2.4, total fertility rate, 1980 less 1970, five factors
	effects, err = DasGupta([][]float64{{.72}, {.97}, {.97}, {.56}, {16.158}}, [][]float64{{.58}, {.76}, {.84}, {.66}, {16.573}})
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []float64{1.0909785, 1.2298438, 0.7278399, -0.8398707, -0.1290187} {
		near(t, "2.4 factor", effects[k].Effect, want, 5e-8)
	}

	// Example 4.3, births per 1,000 women in Taiwan, 1970 less 1960: marital fertility, share married, age
	to := [][]float64{{488, 452, 338, 156, 63, 22, 3}, {.082, .527, .866, .941, .942, .923, .876}, {.058, .038, .032, .03, .026, .023, .019}}
	from := [][]float64{{393, 407, 369, 274, 184, 90, 16}, {.122, .622, .903, .93, .916, .873, .8}, {.043, .041, .036, .032, .026, .02, .018}}
	effects, err = DasGupta(to, from)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []float64{-7.285632, -2.720633, -1.565181} {
		near(t, "4.3 factor", effects[k].Effect, want, 5e-7)
	}
}

func TestCrossClassifiedPublished(t *testing.T) {
	// Das Gupta 1993, example 5.3: deaths per 1,000 in the United States, 1985 less 1970, by race and age;
	// population in thousands.
	sizes := map[int][2][]float64{
		1985: {{3041, 11577, 27450, 32711, 35480, 27411, 19555, 19795, 15254, 8022, 2472}, {707, 2692, 6473, 6841, 6547, 4352, 3034, 2540, 1749, 804, 236}},
		1970: {{2968, 11484, 34614, 30992, 21983, 20314, 20928, 16897, 11339, 5720, 1315}, {535, 2162, 6120, 4781, 3096, 2718, 2363, 1767, 1149, 448, 117}},
	}
	rates := map[int][2][]float64{
		1985: {{9.163, .462, .248, .929, 1.084, 1.81, 4.715, 12.187, 27.728, 64.068, 157.57}, {17.208, .738, .328, 1.103, 2.045, 3.724, 8.052, 17.812, 34.128, 68.276, 125.161}},
		1970: {{18.469, .751, .391, 1.146, 1.287, 2.672, 6.636, 15.691, 34.723, 79.763, 176.837}, {36.993, 1.352, .541, 2.04, 3.523, 6.746, 12.967, 24.471, 45.091, 74.902, 123.205}},
	}
	cells := map[int][]Cell{}
	for year := range sizes {
		for race := range 2 {
			for age, n := range sizes[year][race] {
				deaths := n * rates[year][race][age]
				cells[year] = append(cells[year], Cell{Key: []int{race, age}, N: n, Sum: deaths, SumSq: deaths * deaths / n})
			}
		}
	}
	d, err := Kitagawa(cells[1985], cells[1970], KitagawaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "crude 1985", d.RateA.Value, 8.735618, 5e-7)
	near(t, "crude 1970", d.RateB.Value, 9.421833, 5e-7)
	near(t, "rate", d.Rate.Value, -2.2277254, 1e-6)
	near(t, "composition", d.Composition.Value, 1.5415096, 1e-6)
	near(t, "rate, % of the difference", d.RatePercent, 324.64, 0.006)
	for _, c := range d.Contributions {
		switch {
		case c.Category != -1:
		case c.Dimension == 0:
			near(t, "race", c.Composition.Value, 0.0197749, 1e-6)
		default:
			near(t, "age", c.Composition.Value, 1.5217347, 1e-6)
		}
	}
}

func TestFayFeuerPublished(t *testing.T) {
	// Down's syndrome by age of mother in Michigan 1950-64, first births and fifth or later, standardised
	// to the mean births over birth orders (Stark, Mantel 1966; Fay, Feuer 1997, table I): per 100,000
	// 92.3 (80.4, 105.8) and 75.5 (67.7, 188.3).
	births := [][]float64{{230061, 329449, 114920, 39487, 14208, 3052}, {327, 30666, 123419, 149919, 104088, 34392}}
	events := [][]float64{{107, 141, 60, 40, 39, 25}, {0, 8, 63, 112, 262, 295}}
	standard := []float64{63986.6, 186263.6, 157302.2, 97647, 47572.6, 12262.6}
	for i, want := range [][3]float64{{92.3, 80.4, 105.8}, {75.5, 67.7, 188.3}} {
		var cells, weights []Cell
		for age := range standard {
			cells = append(cells, Cell{Key: []int{age}, N: births[i][age], Sum: events[i][age]})
			weights = append(weights, Cell{Key: []int{age}, N: standard[age]})
		}
		d, err := Direct(cells, weights, DirectOptions{Level: .95, Interval: FayFeuer, Multiplier: 1e5})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "rate", d.Standardised.Value, want[0], 0.05)
		near(t, "lower", d.Standardised.Lower, want[1], 0.06)
		near(t, "upper", d.Standardised.Upper, want[2], 0.05)
	}
}

// effectOfPublished estimates by every method that holds one factor equal.
func effectOfPublished(t *testing.T, name string, treated, controls []Cell, estimand Estimand, with, without, tol float64) {
	t.Helper()
	design, rows, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range adjustingMethods {
		e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Subclasses: 6, Method: method, Estimand: estimand, Caliper: math.Inf(1)})
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
	treated, controls := indicatorCells([2]float64{1, 4}, [2]float64{6, 9}), indicatorCells([2]float64{1, 4}, [2]float64{2, 3})
	near(t, "crude", Total(treated).Mean()-Total(controls).Mean(), 7./13-3./7, 1e-15)
	effectOfPublished(t, "transplants", treated, controls, OnAll, .5, .5, 1e-9)

	// Charig, Webb, Payne, Wickham 1986, BMJ 292:879: kidney stones removed, small and large, by open
	// surgery and by nephrolithotomy. Peters, Janzing, Schölkopf, Elements of Causal Inference, example
	// 6.37: if all had one or the other .832 and .782, from shares rounded to two digits.
	open, closed := indicatorCells([2]float64{81, 87}, [2]float64{192, 263}), indicatorCells([2]float64{234, 270}, [2]float64{55, 80})
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
