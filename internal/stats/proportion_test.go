package stats

import (
	"math"
	"testing"
)

func TestProportionIntervalsCase(t *testing.T) {
	c := openCase(t, "proportion_ci_binom")
	for _, row := range c.rows() {
		x, n := c.number(row["x"]), c.number(row["n"])
		key := row["x"] + "_" + row["n"]
		for method, f := range map[string]func(x, n, level float64) Estimate{
			"wilson": Wilson, "agresti-coull": AgrestiCoull, "exact": ClopperPearson, "asymptotic": Wald,
		} {
			e := f(x, n, 0.95)
			if method == "asymptotic" && (x == 0 || x == n) {
				c.refuses(e.Lower, key, method, 0) // the published interval has no width there
				c.refuses(e.Upper, key, method, 1)
				continue
			}
			c.check(e.Lower, key, method, 0)
			c.check(e.Upper, key, method, 1)
		}
	}
	e := Wilson(19, 38, 0.95)
	near(t, "Wilson(19,38) lower", e.Lower, 0.348499283643951, 1e-14)
	near(t, "Wilson(19,38) upper", e.Upper, 0.651500716356049, 1e-14)
}

func TestByarCase(t *testing.T) {
	c := openCase(t, "byar_counts_phe")
	for i, row := range c.rows() {
		e := Byar(c.number(row["x"]), c.number(row["cl"]))
		key := string(rune('0' + i))
		c.check(e.Lower, key, "lower")
		c.check(e.Upper, key, "upper")
	}
	e := Byar(1, 0.998)
	c.check(e.Lower, "x=1,cl=.998", "lower")
	c.check(e.Upper, "x=1,cl=.998", "upper")
	if len(e.Warnings) == 0 {
		t.Error("an undefined lower bound came without a warning")
	}
}

func TestProportionIntervals(t *testing.T) {
	tests := []struct {
		oracle       string
		got          Estimate
		lower, upper float64
		tol          float64
	}{
		// Newcombe 1998, Stat. Med. 17:857, table I, methods 3 (score) and 5 (exact)
		{"Newcombe 1998a, 81/263, score", Wilson(81, 263, 0.95), 0.2553, 0.3662, 5e-5},
		{"Newcombe 1998a, 15/148, score", Wilson(15, 148, 0.95), 0.0624, 0.1605, 5e-5},
		{"Newcombe 1998a, 0/20, score", Wilson(0, 20, 0.95), 0, 0.1611, 5e-5},
		{"Newcombe 1998a, 1/29, score", Wilson(1, 29, 0.95), 0.0061, 0.1718, 5e-5},
		{"Newcombe 1998a, 81/263, exact", ClopperPearson(81, 263, 0.95), 0.2527, 0.3676, 5e-5},
		{"Newcombe 1998a, 15/148, exact", ClopperPearson(15, 148, 0.95), 0.0578, 0.1617, 5e-5},
		{"Newcombe 1998a, 0/20, exact", ClopperPearson(0, 20, 0.95), 0, 0.1684, 5e-5},
		{"Newcombe 1998a, 1/29, exact", ClopperPearson(1, 29, 0.95), 0.0009, 0.1776, 5e-5},
		// closed forms: 1-(α/2)^(1/n) for 0 of n, z²/(n+z²) for Wilson's
		{"0/10, exact, closed form", ClopperPearson(0, 10, 0.95), 0, 1 - math.Pow(0.025, 0.1), 1e-12},
		{"10/10, exact, closed form", ClopperPearson(10, 10, 0.9), math.Pow(0.05, 0.1), 1, 1e-12},
		{"0/10, score, closed form", Wilson(0, 10, 0.95), 0, 3.841458820694124 / 13.841458820694124, 1e-12},
		// -log(α/2) for 0 events
		{"0 events, exact, closed form", ExactCount(0, 0.95), 0, -math.Log(0.025), 1e-10},
		// Garwood's table as in Ulm 1990, Am. J. Epidemiol. 131:373: 10 events
		{"10 events, exact", ExactCount(10, 0.95), 4.795389, 18.390356, 1e-6},
		{"0 events, Byar falls to exact", Byar(0, 0.95), 0, -math.Log(0.025), 1e-10},
	}
	for _, test := range tests {
		near(t, test.oracle+" lower", test.got.Lower, test.lower, test.tol)
		near(t, test.oracle+" upper", test.got.Upper, test.upper, test.tol)
	}
}

func TestUnusableCountsAreUndefinedNotZero(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, in := range [][3]float64{
		{0, 0, .95}, {-1, 5, .95}, {6, 5, .95}, {nan, 5, .95}, {1, nan, .95}, {1, inf, .95}, {1, -1, .95},
		{1, 5, 0}, {1, 5, 1}, {1, 5, 95}, {1, 5, nan},
	} {
		for name, f := range map[string]func(x, n, level float64) Estimate{
			"Wilson": Wilson, "ClopperPearson": ClopperPearson, "AgrestiCoull": AgrestiCoull, "Wald": Wald,
			"Difference":  func(x, n, l float64) Estimate { return Difference(x, n, 3, 7, l) },
			"Difference'": func(x, n, l float64) Estimate { return Difference(3, 7, x, n, l) },
			"MN":          func(x, n, l float64) Estimate { return MiettinenNurminen(3, 7, x, n, l) },
			"Ratio":       func(x, n, l float64) Estimate { return Ratio(3, 7, x, n, l) },
			"OddsRatio":   func(x, n, l float64) Estimate { return OddsRatio(x, n, 3, 7, l) },
			"Mean": func(x, n, l float64) Estimate {
				if n >= 0 && !math.IsInf(n, 0) && n != 0 {
					x = nan
				}
				return Mean(n, x, x, l)
			},
			"Byar":       func(x, n, l float64) Estimate { return Byar(min(-1, x-n), l) },
			"ExactCount": func(x, n, l float64) Estimate { return ExactCount(min(-1, x-n), l) },
		} {
			e := f(in[0], in[1], in[2])
			if !math.IsNaN(e.Value) || !math.IsNaN(e.Lower) || !math.IsNaN(e.Upper) || len(e.Warnings) == 0 {
				t.Errorf("%s(%v) = %+v, want it undefined with a warning", name, in, e)
			}
		}
	}
}

func TestMean(t *testing.T) {
	// Student 1908, Biometrika 6:1, the sleep data, second drug: mean 2.33, s 2.002
	xs := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	var sum, sumsq float64
	for _, x := range xs {
		sum += x
		sumsq += x * x
	}
	e := Mean(10, sum, sumsq, 0.95)
	near(t, "mean", e.Value, 2.33, 1e-12)
	near(t, "SE", e.SE, 2.002249/math.Sqrt(10), 1e-6)
	// t.test(extra[group == 2]) in R's example: 0.8976775 to 3.7623225
	near(t, "lower", e.Lower, 0.8976775, 1e-6)
	near(t, "upper", e.Upper, 3.7623225, 1e-6)
	if one := Mean(1, 4, 16, .95); one.Value != 4 || !math.IsNaN(one.Lower) || len(one.Warnings) != 1 {
		t.Errorf("a single observation gave %+v", one)
	}
	// constant values leave no variance, and rounding of Σx² - (Σx)²/n is none
	for _, off := range []float64{-1e-17, 0, 1e-17} {
		if e := Mean(3, 0.3, 0.03+off, .95); !math.IsNaN(e.SE) || !math.IsNaN(e.Lower) || len(e.Warnings) != 2 {
			t.Errorf("a constant: %+v", e)
		}
	}
}

// A level is between 0 and 1, and not so small that its interval would be of no width.
func TestCheckLevel(t *testing.T) {
	for level, right := range map[float64]bool{.95: true, .5: true, 1e-6: true, .999999: true, 0: false, 1: false,
		95: false, -.5: false, 1e-300: false, math.NaN(): false} {
		if err := CheckLevel(level); (err == nil) != right {
			t.Errorf("level %g: %v", level, err)
		}
	}
}
