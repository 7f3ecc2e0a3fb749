package stats

import (
	"math"
	"slices"
	"testing"
)

// avoids fails unless got is beyond the tolerance of a value that a tempting wrong way gives.
func (c *publishedCase) avoids(got float64, path ...any) {
	c.t.Helper()
	wrong, ok := c.at(path...).(float64)
	if !ok {
		c.t.Fatalf("%v: a number was expected there", path)
	}
	c.compared[placeOf(path)] = true
	if !(math.Abs(got-wrong) > 1e3*(c.tolerance.Abs+c.tolerance.Rel*math.Abs(wrong))) {
		c.t.Errorf("%v = %v is what is not to be reproduced", path, got)
	}
}

// pair checks the limits of an interval with a list of two.
func (c *publishedCase) pair(e Estimate, path ...any) {
	c.t.Helper()
	c.check(e.Lower, append(slices.Clone(path), 0)...)
	c.check(e.Upper, append(slices.Clone(path), 1)...)
}

// groupCells are the cells of a case by its column group, 1 first, with the columns as dimensions whose
// categories are in the order of the file but for the bases, which come first. n counts persons, y those with
// the outcome, and cluster, if the file has it, names the cluster.
func (c *publishedCase) groupCells(columns, bases []string) (a, b []Cell, dimensions []Dimension) {
	dimensions = make([]Dimension, len(columns))
	for d := range columns {
		dimensions[d] = Dimension{Name: columns[d], Codes: []string{bases[d]}}
	}
	var clusters []string
	position := func(list *[]string, value string) int {
		at := slices.Index(*list, value)
		if at < 0 {
			at = len(*list)
			*list = append(*list, value)
		}
		return at
	}
	for _, r := range c.rows() {
		y := c.number(r["y"])
		cell := Cell{N: c.number(r["n"]), Sum: y, SumSq: y}
		for d, column := range columns {
			cell.Key = append(cell.Key, position(&dimensions[d].Codes, r[column]))
		}
		if name, ok := r["cluster"]; ok {
			cell.Cluster = position(&clusters, name)
		}
		if r["group"] == "1" {
			a = append(a, cell)
		} else {
			b = append(b, cell)
		}
	}
	return a, b, dimensions
}

// adjustCase is the adjusted gap of a case by the linear model.
func adjustCase(t *testing.T, c *publishedCase, covariance Covariance, columns, bases []string) *AdjustedGap {
	t.Helper()
	a, b, dimensions := c.groupCells(columns, bases)
	g, err := Adjust(a, b, AdjustOptions{Level: .95, Covariance: covariance, Dimensions: dimensions, Draws: 99})
	if err != nil {
		t.Fatal(err)
	}
	return g
}
