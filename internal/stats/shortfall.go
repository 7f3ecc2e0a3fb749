package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// A Shortfall is how many more observations of a cohort would have to have an indicator for the cohort
// to reach a standard; negative for a surplus.
type Shortfall struct {
	Observed Estimate // the cohort's share
	Standard Estimate // the share of the standard
	Expected Estimate // the share expected from composition alone: Σ n r_standard / Σ n
	// Numbers of observations. ToStandard = ToExpected + Composition, unless cells are left out.
	ToStandard  Estimate
	ToExpected  Estimate
	Composition Estimate
	Warnings    []string
}

// ShortfallOptions says how a shortfall is estimated.
type ShortfallOptions struct {
	Level      float64     // confidence level, above 0 and below 1
	Dimensions []Dimension // names for errors
	// Clustered allows observations to be alike within Cluster: shares and ToStandard are those of
	// ClusteredMean and ClusteredGap, the others have the interval of Jackknife.
	Clustered bool
}

// ShortfallOf compares the cohort a with the standard b, of which shared is what both contain. With n
// observations by cell c, y of them with the indicator, r a share and R that of the standard:
//
//	ToStandard  = Σn R - Σy = -Σn (gap of the shares)
//	ToExpected  = Σ n_c R_c - Σy
//	Composition = Σ n_c (R - R_c)
//
// ToStandard has the interval of Gap. The others have the delta method's: each observation's influence,
// squared and summed, with Σ n_c R_c - Σy a sum of R_c - x over the cohort's observations, whose
// composition is drawn with them. It does not shrink where cells are small, as the variance within
// cells does. Σ n is taken as known, and observations in both cohorts count once, with their
// influence through either. Cells of a that b has not are left out of Expected, ToExpected and
// Composition, with a warning; none in common is an error.
func ShortfallOf(a, b, shared []Cell, opts ShortfallOptions) (*Shortfall, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if !Total(a).IsIndicator() || !Total(b).IsIndicator() {
		return nil, fault.Invalidf("a shortfall is of an indicator; the sums are not those of values 0 and 1")
	}
	t, err := crossTabulate(a, b, shared, opts.Dimensions, opts.Clustered)
	if err != nil {
		return nil, err
	}
	if opts.Clustered && t.clusters < 2 {
		return nil, oneClusterInAll()
	}
	out := &Shortfall{
		Observed: Wilson(t.totalA.y, t.totalA.n, level),
		Standard: Wilson(t.totalB.y, t.totalB.n, level),
	}
	out.ToStandard = Gap(Total(a), Total(b), Total(shared), level).scale(-t.nA)
	out.ToStandard.Method += ", times the number of observations"

	var n, y, expected float64 // in cells that the standard has
	for i, c := range t.a {
		if c.n > 0 && t.b[i].n > 0 {
			n, y, expected = n+c.n, y+c.y, expected+c.n*t.b[i].mean()
		}
	}
	if n == 0 {
		return nil, fault.Invalidf("the standard has no observations in any cell of the cohort: nothing can be expected; " +
			"use coarser dimensions")
	}
	if n < t.nA {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s observations are in cells that the standard does not have: nothing is expected of them, and they "+
				"are in neither toExpected nor composition", formatCount(t.nA-n)))
	}
	whole := t.totalB.mean()
	toExpected, composition := expected-y, n*whole-expected
	var vExpected, vTo, vComposition, spread float64 // spread: Σ (n_c/n)²/n of the standard's cell
	for i := range t.b {
		a, b := t.a[i], t.b[i]
		if b.n == 0 {
			continue
		}
		spread += a.n / n * a.n / n / b.n
		var both sums
		if t.shared != nil {
			both = t.shared[i]
		}
		r := b.mean()
		for _, of := range []struct {
			sums
			inA, inB bool
		}{
			{sums{n: a.n - both.n, y: a.y - both.y}, true, false},
			{sums{n: b.n - both.n, y: b.y - both.y}, false, true},
			{both, true, true},
		} {
			for x, count := range [2]float64{of.n - of.y, of.y} {
				if count <= 0 {
					continue
				}
				x := float64(x)
				var onExpected, onTo, onComposition float64
				if of.inA {
					onExpected += (r - expected/n) / n
					onTo += r - x - toExpected/n
					onComposition += whole - r - composition/n
				}
				if of.inB {
					onExpected += a.n / b.n * (x - r) / n
					onTo += a.n / b.n * (x - r)
					onComposition += n*(x-whole)/t.nB - a.n/b.n*(x-r)
				}
				vExpected += count * onExpected * onExpected
				vTo += count * onTo * onTo
				vComposition += count * onComposition * onComposition
			}
		}
	}
	out.Expected = scoreEstimate(EffectiveWilson.String(), clip01(expected/n), leftOf(vExpected, 1e-6/n), 1/spread,
		normalQuantile(level), level)
	out.ToExpected = shortfallEstimate(toExpected, vTo, n, level)
	out.Composition = shortfallEstimate(composition, vComposition, n, level)
	out.Expected.Denominator = n
	if opts.Clustered {
		out.jackknife(t, a, b, shared, level)
	}
	return out, nil
}

// jackknife gives a shortfall the uncertainty of clusters. Numbers of observations are shares times those of
// the cohort, which stay as they are.
func (out *Shortfall) jackknife(t *crossTab, a, b, shared []Cell, level float64) {
	out.Observed, out.Standard = ClusteredMean(a, level), ClusteredMean(b, level)
	method := out.ToStandard.Method
	out.ToStandard = ClusteredGap(a, b, shared, level).scale(-t.nA)
	out.ToStandard.Method = method + ", cluster-robust"
	changes := t.crossing(false, nil).changes(func(m crossMeans) []float64 {
		return []float64{m.aAtB, m.aAtB - m.ownA, m.allB.mean() - m.aAtB}
	})
	s := t.sides()
	expected := cv3(changes[0])
	out.Expected.mean(s, expected, s.freedomOf(expected), true)
	for i, e := range []*Estimate{&out.ToExpected, &out.Composition} {
		n := e.Denominator
		share := e.scale(1 / n)
		if q := s.jackknife(&share, changes[i+1]); !math.IsNaN(q) {
			share.Method = jackknifed
		}
		*e = share.scale(n)
	}
}

func shortfallEstimate(value, variance, n, level float64) Estimate {
	e := normalEstimate("delta method, composition random", value, leftOf(variance, 1e-6*n), level)
	e.Denominator = n
	return e
}

// ClusterShortfall is the shortfall of the observations of one cluster.
type ClusterShortfall struct {
	Cluster int
	Shortfall
}

// ShortfallsOf gives the shortfall of the whole cohort a and of each of its clusters with
// observations, in ascending order of cluster. b and shared are as in ShortfallOf, with clusters of
// shared as in a. A cluster none of whose cells the standard has keeps its crude shortfall; the rest is
// undefined, with a warning.
func ShortfallsOf(a, b, shared []Cell, opts ShortfallOptions) (*Shortfall, []ClusterShortfall, error) {
	total, err := ShortfallOf(a, b, shared, opts)
	if err != nil {
		return nil, nil, err
	}
	b, err = Subtract(withoutClusters(b), nil) // cells of the same key made one, since every cluster is set beside them
	if err != nil {
		return nil, nil, err
	}
	of := func(cells []Cell) map[int][]Cell {
		out := map[int][]Cell{}
		for _, c := range cells {
			out[c.Cluster] = append(out[c.Cluster], c)
		}
		return out
	}
	inA, inBoth := of(a), of(shared)
	var clusters []int
	for cluster, cells := range inA {
		if Total(cells).N > 0 {
			clusters = append(clusters, cluster)
		}
	}
	slices.Sort(clusters)
	var out []ClusterShortfall
	for _, cluster := range clusters {
		own, err := ShortfallOf(inA[cluster], b, inBoth[cluster], opts)
		if err != nil {
			level := total.Observed.Level
			own = &Shortfall{Observed: meanEstimate(Total(inA[cluster]), level), Standard: total.Standard,
				Warnings: []string{err.Error()}}
			own.ToStandard = Gap(Total(inA[cluster]), Total(b), Total(inBoth[cluster]), level).scale(-Total(inA[cluster]).N)
			own.Expected = undefined("", level, "%v", err)
			own.ToExpected, own.Composition = own.Expected, own.Expected
		}
		out = append(out, ClusterShortfall{cluster, *own})
	}
	return total, out, nil
}

func withoutClusters(cells []Cell) []Cell {
	out := slices.Clone(cells)
	for i := range out {
		out[i].Cluster = 0
	}
	return out
}
