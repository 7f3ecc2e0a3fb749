package stats

import (
	"math"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

// checkGelbach compares a case; names are those of its controls there, in the order of the columns.
func checkGelbach(t *testing.T, c *publishedCase, names, columns, bases []string) {
	g, err := adjustCase(t, c, Clustered, columns, bases).Gelbach(.95)
	if err != nil {
		t.Fatal(err)
	}
	clusters := c.at("G").(float64)
	c.check(clusters, "G")
	plain := math.Sqrt((clusters - 1) / clusters)
	c.check(g.Crude.Value, "crude")
	c.check(g.Adjusted.Value, "full")
	c.check(g.Total.Value, "total")
	c.check(g.Crude.SE, "se_crude")
	c.check(g.Adjusted.SE, "se_full")
	c.check(g.Total.SE, "se_total")
	c.check(g.Total.Denominator, "N")
	for i, p := range g.Parts {
		if p.Control != columns[i] || p.Dimension != i {
			t.Errorf("part %d is of %s", i, p.Control)
		}
		c.check(p.Part.Value, "contribution", names[i])
		c.check(p.Part.SE, "se", names[i])
		c.check(p.Part.SE*plain, "se_cr0", names[i])
		c.check(p.Share, "share", names[i])
		c.avoids(p.Part.SE, "not_to_be_reproduced", "se_beta_fixed", names[i])
		for j := range g.Parts {
			c.check(g.Covariance[i][j], "cov", i, j)
		}
	}
}

func TestGelbachCases(t *testing.T) {
	t.Run("sim", func(t *testing.T) {
		checkGelbach(t, openCase(t, "gelbach_sim"), []string{"education", "origin", "family"},
			[]string{"edu", "origin", "fam"}, []string{"low", "dk", "couple"})
	})
	t.Run("nhanes", func(t *testing.T) {
		checkGelbach(t, openCase(t, "gelbach_nhanes"), []string{"race", "age"}, []string{"race", "age"}, []string{"r1", "a0"})
	})
}

// Of independent persons every one is a cluster; the crude gap and the parts do not depend on the order of
// the controls.
func TestGelbachLaws(t *testing.T) {
	c := openCase(t, "gelbach_sim", "crude")
	columns, bases := []string{"edu", "origin", "fam"}, []string{"low", "dk", "couple"}
	a, b, dimensions := c.groupCells(columns, bases)
	adjust := func(a, b []Cell, covariance Covariance) *Gelbach {
		return good(good(Adjust(a, b, AdjustOptions{Level: .95, Covariance: covariance, Dimensions: dimensions,
			Draws: 99})).Gelbach(.95))
	}
	persons := 0
	of := func(cells []Cell) (out []Cell) {
		for _, cell := range cells {
			for i := range int(cell.N) {
				persons++
				y := 0.0
				if float64(i) < cell.Sum {
					y = 1
				}
				out = append(out, Cell{Key: cell.Key, Cluster: persons, N: 1, Sum: y, SumSq: y})
			}
		}
		return out
	}
	each := adjust(of(a), of(b), Clustered)
	together := adjust(a, b, Robust)
	c.check(together.Crude.Value, "crude")
	near(t, "sum of parts", together.Parts[0].Part.Value+together.Parts[1].Part.Value+together.Parts[2].Part.Value,
		together.Crude.Value-together.Adjusted.Value, 1e-12)
	for i := range together.Parts {
		near(t, "standard error", together.Parts[i].Part.SE, each.Parts[i].Part.SE, 1e-12)
	}
	near(t, "standard error of the crude", together.Crude.SE, each.Crude.SE, 1e-12)

	turn := func(cells []Cell) (out []Cell) {
		for _, cell := range cells {
			cell.Key = []int{cell.Key[2], cell.Key[0], cell.Key[1]}
			out = append(out, cell)
		}
		return out
	}
	dimensions = []Dimension{dimensions[2], dimensions[0], dimensions[1]}
	turned := adjust(turn(a), turn(b), Robust)
	near(t, "part in another order", turned.Parts[1].Part.Value, together.Parts[0].Part.Value, 1e-12)
	near(t, "its standard error", turned.Parts[1].Part.SE, together.Parts[0].Part.SE, 1e-12)

	whole := slices.Concat(turn(a), turn(b))
	within := good(good(Adjust(turn(a), whole, AdjustOptions{Level: .95, Dimensions: dimensions,
		Shared: turn(a)})).Gelbach(.95))
	rest := Total(b).N / Total(whole).N
	near(t, "part beside the whole", within.Parts[1].Part.Value, rest*together.Parts[0].Part.Value, 1e-12)
	near(t, "its variance", within.Covariance[1][1], rest*rest*together.Covariance[0][0], 1e-12)

	logit := good(Adjust(turn(a), turn(b), AdjustOptions{Level: .95, Dimensions: dimensions, Model: Logit}))
	if _, err := logit.Gelbach(.95); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a logit: %v", err)
	}
}
