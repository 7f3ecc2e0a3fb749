package stats

import (
	"math"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestTrendCase(t *testing.T) {
	c := openCase(t, "trend_cochran_armitage_fleiss")
	var x, n []float64
	for _, row := range c.rows() {
		x, n = append(x, c.number(row["smokers"])), append(n, c.number(row["patients"]))
	}
	for name, scores := range map[string][]float64{"default": {1, 2, 3, 4}, "score_0001": {0, 0, 0, 1}} {
		r, err := Trend(x, n, scores, .95)
		if err != nil {
			t.Fatal(err)
		}
		c.check(r.ChiSquare, name, "chisq")
		c.check(r.PValue, name, "p")
	}
}

func TestTrendOfHerdsCase(t *testing.T) {
	c := openCase(t, "trend_cbpp_period")
	var x, n, scores []float64
	for _, row := range c.rows() {
		x, n, scores = append(x, c.number(row["y"])), append(n, c.number(row["n"])), append(scores, c.number(row["score"]))
	}
	r, err := Trend(x, n, scores, .95)
	if err != nil {
		t.Fatal(err)
	}
	c.check(r.ChiSquare, "chi2_trend")
	c.check(r.Z, "z")
	c.check(r.PValue, "p_two_sided")
	c.check(r.Slope.Value, "slope_wls")
	c.check(r.ChiSquare+r.Departure, "chi2_total")
	c.check(r.Departure, "chi2_departure")
	c.check(r.DepartureP, "p_departure")
}

func TestTrendByHand(t *testing.T) {
	// Armitage 1955, Biometrics 11:375, tonsil size of 1,398 children by carriers of Streptococcus
	// pyogenes: 19 of 516, 29 of 589, 24 of 293. Trend X² = 7.19, total 7.88, departure 0.69 (Agresti 1990).
	r, err := Trend([]float64{19, 29, 24}, []float64{516, 589, 293}, []float64{-1, 0, 1}, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "trend", r.ChiSquare, 7.19, 0.005)
	near(t, "departure", r.Departure, 0.69, 0.01)
	near(t, "departure df", r.DepartureDF, 1, 0)
	// neither the unit nor the origin of the scores matters, down to a billionth and out to dates
	for _, scores := range [][3]float64{{0, 1e-9, 2e-9}, {20180101, 20180102, 20180103}, {-1e200, 0, 1e200}, {3, 2, 1}} {
		again, err := Trend([]float64{19, 29, 24}, []float64{516, 589, 293}, scores[:], .95)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "trend in another unit", again.ChiSquare, r.ChiSquare, 1e-9)
		near(t, "slope in another unit", again.Slope.Value*(scores[1]-scores[0]), r.Slope.Value, 1e-9)
		near(t, "its SE", again.Slope.SE*math.Abs(scores[1]-scores[0]), r.Slope.SE, 1e-9)
	}
	// the slope is the difference of proportions for two groups one score apart
	two, err := Trend([]float64{10, 30}, []float64{100, 100}, []float64{3, 4}, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "slope", two.Slope.Value, .2, 1e-12)
	near(t, "slope SE", two.Slope.SE, math.Sqrt(.1*.9/100+.3*.7/100), 1e-12)
	// and X² that of the 2 × 2 table: 200(10·70 - 30·90)²/(40·160·100·100)
	near(t, "X²", two.ChiSquare, 200*2000.*2000/(40*160*1e4), 1e-9)
	if !math.IsNaN(two.DepartureP) {
		t.Errorf("two groups cannot depart from a line: p = %v", two.DepartureP)
	}
	for name, try := range map[string]func() error{
		"lengths":    func() error { _, err := Trend([]float64{1}, []float64{2, 3}, []float64{1, 2}, .95); return err },
		"one group":  func() error { _, err := Trend([]float64{1, 0}, []float64{2, 0}, []float64{1, 2}, .95); return err },
		"one score":  func() error { _, err := Trend([]float64{1, 1}, []float64{2, 4}, []float64{7, 7}, .95); return err },
		"all":        func() error { _, err := Trend([]float64{2, 4}, []float64{2, 4}, []float64{1, 2}, .95); return err },
		"proportion": func() error { _, err := Trend([]float64{3, 4}, []float64{2, 4}, []float64{1, 2}, .95); return err },
		"level":      func() error { _, err := Trend([]float64{1, 2}, []float64{2, 4}, []float64{1, 2}, 0); return err },
	} {
		if err := try(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSlopeIndexCase(t *testing.T) {
	c := openCase(t, "sii_rii_phe")
	values, populations := map[string][]float64{}, map[string][]float64{}
	for _, row := range c.rows() {
		values[row["Area"]] = append(values[row["Area"]], c.number(row["Value"]))
		populations[row["Area"]] = append(populations[row["Area"]], c.number(row["Population"]))
	}
	for area := range values {
		r, err := SlopeIndex(values[area], populations[area], nil, .95)
		if err != nil {
			t.Fatal(err)
		}
		if _, checked := c.expected[area]; !checked {
			continue
		}
		c.check(r.Slope.Value, area, "sii")
		c.check(r.Relative.Value, area, "rii")
	}
}

func TestSlopeIndexByHand(t *testing.T) {
	// Two halves: ridits 1/4 and 3/4, so the slope is twice the difference, the bottom y1 - diff/2.
	r, err := SlopeIndex([]float64{10, 20}, []float64{50, 50}, []float64{1, 2}, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SII", r.Slope.Value, 20, 1e-12)
	near(t, "SE", r.Slope.SE, 2*math.Sqrt(5), 1e-12)
	near(t, "RII", r.Relative.Value, 25./5, 1e-12)
	// top = 1.5 y2 - .5 y1, bottom = 1.5 y1 - .5 y2
	near(t, "RII SE", r.Relative.SE, 5*math.Sqrt(math.Pow(-.5/25-1.5/5, 2)+4*math.Pow(1.5/25+.5/5, 2)), 1e-12)
	scatter, err := SlopeIndex([]float64{10, 20}, []float64{50, 50}, nil, .95)
	if err != nil || !math.IsNaN(scatter.Slope.SE) || len(scatter.Warnings) == 0 {
		t.Errorf("two groups without standard errors: %+v, %v", scatter, err)
	}
	negative, err := SlopeIndex([]float64{1, 20}, []float64{50, 50}, []float64{1, 1}, .95)
	if err != nil || !math.IsNaN(negative.Relative.Lower) || len(negative.Relative.Warnings) == 0 {
		t.Errorf("a line below 0 at the bottom: %+v, %v", negative.Relative, err)
	}
	cells, err := SlopeIndexOf([]Cell{{Key: []int{2}, N: 100, Sum: 20, SumSq: 20},
		{Key: []int{1}, N: 100, Sum: 10, SumSq: 10}}, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "SII of cells", cells.Slope.Value, .2, 1e-12)
	if _, err := SlopeIndex([]float64{1}, []float64{1}, nil, .95); fault.KindOf(err) != fault.Invalid {
		t.Errorf("one group: %v", err)
	}
	if _, err := SlopeIndex([]float64{1, 2}, []float64{1, 0}, nil, .95); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an empty group: %v", err)
	}
}
