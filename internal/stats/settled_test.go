package stats

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// settledCase reads one case of testdata/settled.txtar: both groups by category, and what is expected.
func settledCase(t *testing.T, name string) (in, out []Cell, expected map[string]float64) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/settled.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		switch f.Name {
		case name + "/expected.json":
			if err := json.Unmarshal(f.Data, &expected); err != nil {
				t.Fatal(err)
			}
		case name + "/input.csv":
			rows, err := csv.NewReader(bytes.NewReader(f.Data)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			var categories []string
			for _, row := range rows[1:] {
				k := slices.Index(categories, row[1])
				if k < 0 {
					k, categories = len(categories), append(categories, row[1])
				}
				n, errN := strconv.ParseFloat(row[2], 64)
				y, errY := strconv.ParseFloat(row[3], 64)
				if errN != nil || errY != nil {
					t.Fatal(row)
				}
				c := Cell{Key: []int{k}, N: n, Sum: y, SumSq: y}
				if row[0] == "1" {
					in = append(in, c)
				} else {
					out = append(out, c)
				}
			}
		}
	}
	if in == nil || out == nil || expected == nil {
		t.Fatalf("testdata/settled.txtar holds no case %s", name)
	}
	return in, out, expected
}

// Where a category has all or none the average marginal effect is still over all observations.
func TestSettledCategoriesStayInTheAverage(t *testing.T) {
	for _, name := range []string{"small", "titanic"} {
		t.Run(name, func(t *testing.T) {
			in, out, want := settledCase(t, name)
			near := func(what string, got float64) {
				t.Helper()
				if w, ok := want[what]; !ok || !(math.Abs(got-w) <= 1e-8+1e-7*math.Abs(w)) {
					t.Errorf("%s is %.12g, want %.12g", what, got, w)
				}
			}
			g, err := Adjust(in, out, AdjustOptions{Level: .95, Model: Logit, Covariance: Classical})
			if err != nil {
				t.Fatal(err)
			}
			near("ame_all", g.Adjusted.Value)
			near("ame_all_se_delta", g.Adjusted.SE)
			near("crude_gap", g.Crude.Value)
			near("coef_group", g.Coefficients[1].Estimate.Value)
			near("se_coef_group_model", g.Coefficients[1].Estimate.SE)
			near("N_all", g.Observations)
			near("N_all", g.Adjusted.Denominator)
			near("N_unsettled", g.Fit.Observations)
			near("N_settled", g.Fit.Settled)
			if !slices.ContainsFunc(g.Warnings, func(w string) bool {
				return strings.HasPrefix(w, formatCount(want["N_settled"])+" of the "+formatCount(want["N_all"])+" observations "+
					"are settled")
			}) {
				t.Errorf("no warning says what was settled: %q", g.Warnings)
			}
			// The logit on all cells, as it nears its limit: a little of the other outcome in every cell.
			const little = 1e-6
			near1 := func(cells []Cell) []Cell {
				moved := slices.Clone(cells)
				for i := range moved {
					if c := &moved[i]; c.Sum == 0 || c.Sum == c.N {
						c.Sum += little * c.N * (1 - 2*c.Mean())
						c.SumSq = c.Sum
					}
				}
				return moved
			}
			limit, err := Adjust(near1(in), near1(out), AdjustOptions{Level: .95, Model: Logit, Covariance: Classical})
			if err != nil {
				t.Fatal(err)
			}
			if d := math.Abs(limit.Adjusted.Value - g.Adjusted.Value); d > 1e-5 {
				t.Errorf("the limit of nearly settled cells is %g, settled ones give %g", limit.Adjusted.Value, g.Adjusted.Value)
			}
		})
	}
}

// Clusters that are settled as a whole tell nothing of how clusters differ, and the bootstrap averages
// over them all the same.
func TestSettledCategoriesInTheBootstrap(t *testing.T) {
	in, out, want := settledCase(t, "small")
	split := func(cells []Cell, first int) (all []Cell) {
		for _, c := range cells {
			for part := range 5 { // uneven parts, so that clusters differ
				share := float64(part+1) / 15
				x := share * c.Sum
				if c.Sum > 0 && c.Sum < c.N {
					x += (float64(part) - 2) / 50 * c.N * share // the parts need not add up to the whole
				}
				all = append(all, Cell{Key: c.Key, Cluster: first + part, N: share * c.N, Sum: x, SumSq: x})
			}
		}
		return all
	}
	g, err := Adjust(split(in, 1), split(out, 11), AdjustOptions{Level: .95, Model: Logit, Covariance: Clustered, Seed: 1,
		Draws: 999})
	if err != nil {
		t.Fatal(err)
	}
	fit := g.Fit
	if fit.Settled != want["N_settled"] || math.Abs(g.Observations-want["N_all"]) > 1e-9 {
		t.Fatalf("%g of %g observations are settled", fit.Settled, g.Observations)
	}
	if !(g.Adjusted.Lower < g.Adjusted.Value && g.Adjusted.Value < g.Adjusted.Upper) || g.Adjusted.Lower < -0.35 {
		t.Errorf("wild bootstrap %+v", g.Adjusted)
	}
	// Only the unsettled rows of the first group are in more than one cluster if the settled ones are
	// elsewhere: one cluster of unsettled rows is one cluster.
	var single []Cell
	for _, c := range in {
		c.Cluster = 1
		if c.Sum == 0 || c.Sum == c.N {
			c.Cluster = 2
		}
		single = append(single, c)
	}
	g, err = Adjust(single, split(out, 11), AdjustOptions{Level: .95, Model: Logit, Covariance: Clustered, Seed: 1,
		Draws: 999})
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(g.Adjusted.SE) || !math.IsNaN(g.Adjusted.Lower) {
		t.Errorf("the unsettled of a group are in one cluster, but there is an interval: %+v", g.Adjusted)
	}
}
