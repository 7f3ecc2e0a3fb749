package stats

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// GroupedQuantile is a quantile of a quantity that is recorded in bands, as income.
type GroupedQuantile struct {
	// Estimate is in the unit of the edges, with Woodruff's interval (1952, JASA 47:635). SE is the length of
	// the interval over twice its quantile.
	Estimate
	Share float64 // the probability asked for
	// BandLower and BandUpper are the edges of the band that the quantile lies in: within it, it is drawn in
	// a straight line, as if all of the band were spread evenly.
	BandLower, BandUpper float64
	ShareSE              float64 // standard error of the share below the quantile
}

// QuantileOfBands estimates the quantile below which a share of all observations lies. The first key of a cell
// is its band, from 0; band b reaches from edges[b] to edges[b+1], and only N is read. The interval turns
// share ± t·SE around into the quantity, SE being that of the share below the quantile: from Cluster, with
// G/(G-1) and t at G-1 degrees of freedom, if clustered. A limit is NaN, with a warning, where it lies
// in a band without an end, or beyond 0 or 1; the quantile then too.
func QuantileOfBands(cells []Cell, edges []float64, share, level float64, clustered bool) (GroupedQuantile, error) {
	out := GroupedQuantile{Share: share}
	if err := CheckLevel(level); err != nil {
		return out, err
	}
	if !(share > 0 && share < 1) {
		return out, fault.Invalidf("a quantile is below a share between 0 and 1, not %g", share)
	}
	if len(edges) < 2 || !slices.IsSorted(edges) || slices.ContainsFunc(edges, math.IsNaN) {
		return out, fault.Invalidf("the edges of bands are ascending, one more than bands; they are %v", edges)
	}
	dims, err := checkCells(cells)
	if err != nil {
		return out, err
	}
	b := bands{edges: edges, n: make([]float64, len(edges)-1)}
	for _, c := range cells {
		if dims < 1 || c.Key[0] < 0 || c.Key[0] >= len(b.n) {
			return out, fault.Invalidf("a cell is in band %v; there are %d, from 0", c.Key, len(b.n))
		}
		b.n[c.Key[0]] += c.N
		b.total += c.N
	}
	if b.total == 0 {
		return out, fault.Invalidf("no observations in any band")
	}
	at, q := b.quantile(share)
	out.BandLower, out.BandUpper = edges[at], edges[at+1]
	out.Estimate = undefined("interpolated in bands, Woodruff", level, "the quantile lies in a band without an end")
	out.Denominator = b.total
	out.ShareSE = math.NaN()
	if math.IsNaN(q) {
		return out, nil
	}
	out.Value, out.Warnings = q, nil
	below := func(band int) float64 { // the part of a band that is below the quantile
		switch {
		case band < at:
			return 1
		case band > at:
			return 0
		}
		return (q - edges[at]) / (edges[at+1] - edges[at])
	}
	var variance float64
	z := normalQuantile(level)
	if clustered {
		var sums []Cell
		for _, c := range cells {
			sums = append(sums, Cell{Cluster: c.Cluster, N: c.N, Sum: c.N * below(c.Key[0])})
		}
		groups := byCluster(sums)
		g := float64(len(groups))
		for _, c := range groups {
			d := (c.Sum - c.N*share) / b.total
			variance += d * d * g / (g - 1)
		}
		z = studentQuantile(level, g-1)
		if g < 2 {
			out.withoutInterval("one cluster tells nothing about how clusters differ: there is no interval")
			return out, nil
		}
		if g < fewTreated {
			out.warnf("%g clusters are few: the interval is approximate", g)
		}
	} else {
		for band, n := range b.n {
			d := below(band) - share
			variance += n * d * d / b.total / math.Max(1, b.total-1)
		}
	}
	out.ShareSE = math.Sqrt(variance)
	limit := func(share float64) float64 {
		if !(share > 0 && share < 1) {
			out.warnf("a limit of the share below is beyond 0 or 1: too few observations tell the quantile")
			return math.NaN()
		}
		_, q := b.quantile(share)
		if math.IsNaN(q) {
			out.warnf("a limit lies in a band without an end")
		}
		return q
	}
	out.Lower, out.Upper = limit(share-z*out.ShareSE), limit(share+z*out.ShareSE)
	out.SE = (out.Upper - out.Lower) / 2 / z
	if out.ShareSE == 0 {
		out.withoutSpread()
	}
	return out, nil
}

type bands struct {
	edges, n []float64
	total    float64
}

// quantile is where the share below reaches a value, and in which band; NaN in a band without an end.
func (b *bands) quantile(share float64) (band int, at float64) {
	var below float64
	for i, n := range b.n {
		if n > 0 && below+n >= share*b.total*(1-1e-12) {
			width := b.edges[i+1] - b.edges[i]
			if math.IsInf(width, 0) {
				return i, math.NaN()
			}
			return i, b.edges[i] + width*math.Min(1, (share*b.total-below)/n)
		}
		below += n
	}
	return len(b.n) - 1, math.NaN()
}
