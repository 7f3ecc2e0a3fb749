package stats

import (
	"math"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func checkMantelHaenszel(t *testing.T, c *publishedCase) {
	var a, b []Cell
	var strata []string
	for _, r := range c.rows() {
		s := slices.Index(strata, r["stratum"])
		if s < 0 {
			s, strata = len(strata), append(strata, r["stratum"])
		}
		y := c.number(r["y"])
		cell := Cell{Key: []int{s}, N: c.number(r["n"]), Sum: y, SumSq: y}
		if r["group"] == "1" {
			a = append(a, cell)
		} else {
			b = append(b, cell)
		}
	}
	m, err := CompareWithinStrata(a, b, .95)
	if err != nil {
		t.Fatal(err)
	}
	c.check(m.OddsRatio.Value, "or")
	c.check(math.Log(m.OddsRatio.Value), "log_or")
	c.check(m.OddsRatio.SE/m.OddsRatio.Value, "se_log_or_rbg")
	c.pair(m.OddsRatio, "or_ci")
	c.check(m.RiskDifference.Value, "rd")
	c.check(m.RiskDifference.SE, "se_rd_sato")
	c.pair(m.RiskDifference, "rd_ci")
	c.check(m.RiskRatio.Value, "rr")
	c.check(m.RiskRatio.SE/m.RiskRatio.Value, "se_log_rr")
	c.pair(m.RiskRatio, "rr_ci")
	c.check(m.ChiSquare, "cmh_chi2")
	c.check(m.PValue, "cmh_p")
	c.check(m.BreslowDay, "breslow_day")
	c.check(m.Tarone, "tarone")
	x, y := Total(a), Total(b)
	c.check(OddsRatio(x.Sum, x.N, y.Sum, y.N, .95).Value, "crude_or")
	c.check(x.Mean()-y.Mean(), "crude_rd")
	near(t, "strata", float64(m.Strata), float64(len(strata)), 0)
}

func TestMantelHaenszelCases(t *testing.T) {
	t.Run("bcg", func(t *testing.T) { checkMantelHaenszel(t, openCase(t, "mantel_haenszel_bcg")) })
	t.Run("ucb", func(t *testing.T) { checkMantelHaenszel(t, openCase(t, "mantel_haenszel_ucb")) })
}

// One stratum is the table itself; a stratum of one group alone changes nothing; pairs, of which each is a
// stratum, have McNemar's odds ratio and statistic.
func TestMantelHaenszelLaws(t *testing.T) {
	cell := func(stratum int, x, n float64) Cell { return Cell{Key: []int{stratum}, N: n, Sum: x, SumSq: x} }
	one := good(CompareWithinStrata([]Cell{cell(0, 7, 34)}, []Cell{cell(0, 1, 34)}, .95))
	near(t, "odds ratio", one.OddsRatio.Value, OddsRatio(7, 34, 1, 34, .95).Value, 1e-12)
	near(t, "its limits", one.OddsRatio.Upper, OddsRatio(7, 34, 1, 34, .95).Upper, 1e-9)
	near(t, "difference", one.RiskDifference.Value, 6./34, 1e-12)
	beside := good(CompareWithinStrata([]Cell{cell(0, 7, 34), cell(1, 3, 9)}, []Cell{cell(0, 1, 34)}, .95))
	near(t, "beside a stratum of one group", beside.OddsRatio.Value, one.OddsRatio.Value, 0)
	if beside.LeftOut != 9 || beside.Strata != 1 || len(beside.Warnings) != 1 {
		t.Errorf("%+v", beside)
	}
	var a, b []Cell
	for pair := range 60 { // 15 and 5 pairs disagree
		x, y := 1., 1.
		switch {
		case pair < 15:
			y = 0
		case pair < 20:
			x = 0
		case pair < 40:
			x, y = 0, 0
		}
		a, b = append(a, cell(pair, x, 1)), append(b, cell(pair, y, 1))
	}
	pairs := good(CompareWithinStrata(a, b, .95))
	near(t, "McNemar's odds ratio", pairs.OddsRatio.Value, 3, 1e-12)
	near(t, "McNemar's statistic", pairs.ChiSquare, 10.*10/20, 1e-12)
	near(t, "variance of its logarithm", square(pairs.OddsRatio.SE/pairs.OddsRatio.Value), 1./15+1./5, 1e-12)
	if _, err := CompareWithinStrata([]Cell{cell(0, 1, 2)}, []Cell{cell(1, 1, 2)},
		.95); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no stratum of both: %v", err)
	}
}
