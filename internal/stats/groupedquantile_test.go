package stats

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func checkGroupedQuantiles(t *testing.T, c *publishedCase) {
	var edges []float64
	rows := c.rows()
	for _, r := range rows {
		edges = append(edges, c.number(r["lower"]), c.number(r["upper"]))
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var cells []Cell
	var clusters []string
	for _, r := range rows {
		at := slices.Index(clusters, r["cluster"])
		if at < 0 {
			at, clusters = len(clusters), append(clusters, r["cluster"])
		}
		band, _ := slices.BinarySearch(edges, c.number(r["lower"]))
		cells = append(cells, Cell{Key: []int{band}, Cluster: at, N: c.number(r["n"])})
	}
	c.check(float64(len(clusters)), "G")
	for _, p := range []float64{.1, .25, .5, .75, .9} {
		key := fmt.Sprintf("p%g", p)
		q, err := QuantileOfBands(cells, edges, p, .95, true)
		if err != nil {
			t.Fatal(err)
		}
		c.check(q.Denominator, "N")
		c.check(q.Value, "interpolated", key, "q")
		c.check(q.ShareSE, "interpolated", key, "se_F")
		c.pair(q.Estimate, "interpolated", key, "ci")
		c.avoids(q.Lower, "not_to_be_reproduced", key, "ci_survey", 0)
		c.avoids(q.Upper, "not_to_be_reproduced", key, "ci_survey", 1)
		if !(q.BandLower <= q.Value && q.Value <= q.BandUpper) {
			t.Errorf("%s: %g is not from %g to %g", key, q.Value, q.BandLower, q.BandUpper)
		}
	}
}

func TestGroupedQuantileCases(t *testing.T) {
	t.Run("incomes", func(t *testing.T) { checkGroupedQuantiles(t, openCase(t, "grouped_income_quantile_sim")) })
	t.Run("schools", func(t *testing.T) { checkGroupedQuantiles(t, openCase(t, "grouped_quantile_apiclus1_api00")) })
}

func TestGroupedQuantileByHand(t *testing.T) {
	// 20, 60 and 20 persons in bands to 100, 200 and without end: the median is in the middle of the second.
	cells := []Cell{{Key: []int{0}, N: 20}, {Key: []int{1}, N: 60}, {Key: []int{2}, N: 20}}
	edges := []float64{0, 100, 200, math.Inf(1)}
	q := good(QuantileOfBands(cells, edges, .5, .95, false))
	near(t, "median", q.Value, 150, 1e-12)
	// those of the band count as half: 40·¼/100/99
	near(t, "standard error of the share", q.ShareSE, math.Sqrt(40*.25/100/99), 1e-12)
	near(t, "upper", q.Upper, 100+100*(.3+normalQuantile(.95)*q.ShareSE)/.6, 1e-9)
	near(t, "standard error", q.SE, 100*q.ShareSE/.6, 1e-9)
	var each []Cell
	for i := range 100 {
		band := 1
		if i < 20 {
			band = 0
		} else if i >= 80 {
			band = 2
		}
		each = append(each, Cell{Key: []int{band}, Cluster: i, N: 1})
	}
	near(t, "every person a cluster", good(QuantileOfBands(each, edges, .5, .95, true)).ShareSE, q.ShareSE, 1e-12)
	top := good(QuantileOfBands(cells, edges, .9, .95, false))
	if !math.IsNaN(top.Value) || len(top.Warnings) != 1 {
		t.Errorf("in the band without end: %+v", top)
	}
	near79 := good(QuantileOfBands(cells, edges, .79, .95, false))
	if !(near79.Value < 200) || !math.IsNaN(near79.Upper) || !(near79.Lower < near79.Value) {
		t.Errorf("a limit in the band without end: %+v", near79)
	}
	for name, err := range map[string]error{
		"a share of 1":   second(QuantileOfBands(cells, edges, 1, .95, false)),
		"edges":          second(QuantileOfBands(cells, []float64{3, 1}, .5, .95, false)),
		"a band":         second(QuantileOfBands(cells, edges[:3], .5, .95, false)),
		"nobody":         second(QuantileOfBands(nil, edges, .5, .95, false)),
		"no observation": second(QuantileOfBands([]Cell{{Key: []int{0}}}, edges, .5, .95, false)),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
