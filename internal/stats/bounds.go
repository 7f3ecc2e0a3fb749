package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// Bounds are all values of a quantity that the data allow without a word on what is not known. From and To
// are the limits of an interval that holds the true value, wherever within the bounds it is, with probability
// Level (Imbens, Manski 2004, Econometrica 72:1845); NaN where nothing tells an error.
type Bounds struct {
	Lower, Upper float64
	From, To     float64
	Level        float64
	// Empty tells that Lower is above Upper: the assumptions contradict the data.
	Empty    bool
	Warnings []string
}

// Partly is a group of whom the outcome, 0 or 1, is not known of all.
type Partly struct {
	Known   []Cell // with Cluster, if errors are to be by cluster
	Unknown []Cell // of these only N is read
}

// BoundOptions says how errors are computed.
type BoundOptions struct {
	Level     float64 // confidence level, above 0 and below 1
	Clustered bool    // by Cell.Cluster
}

// ShareBounds are the bounds of a share: none, or all, of the unknown have the outcome (Manski 1989).
func ShareBounds(group Partly, opts BoundOptions) (Bounds, error) {
	g, err := newPartly(opts, group)
	if err != nil {
		return Bounds{}, err
	}
	b := g.bounds(
		func(p [][3]float64) (float64, [][3]float64) { return p[0][yes], [][3]float64{{yes: 1}} },
		func(p [][3]float64) (float64, [][3]float64) { return 1 - p[0][no], [][3]float64{{no: -1}} })
	b.From = math.Max(0, b.From) // of a share; NaN stays
	return b, nil
}

// GapBounds are those of share(a) - share(b).
func GapBounds(a, b Partly, opts BoundOptions) (Bounds, error) {
	g, err := newPartly(opts, a, b)
	if err != nil {
		return Bounds{}, err
	}
	return g.bounds(
		func(p [][3]float64) (float64, [][3]float64) {
			return p[0][yes] - (1 - p[1][no]), [][3]float64{{yes: 1}, {no: 1}}
		},
		func(p [][3]float64) (float64, [][3]float64) {
			return 1 - p[0][no] - p[1][yes], [][3]float64{{no: -1}, {yes: -1}}
		}), nil
}

// LeeBounds bound the effect of being in a, beside b, on the share with the outcome among those whose outcome
// is known under both (Lee 2009, Rev. Econ. Stud. 76:1071): of the group that is known more often the excess,
// as a fraction of its mass, is taken from those with the outcome, or from those without. It needs that being in a
// moves the chance to be known in one direction for all, and that who is in a is as good as drawn.
func LeeBounds(a, b Partly, opts BoundOptions) (_ Bounds, trimmed float64, err error) {
	g, err := newPartly(opts, a, b)
	if err != nil {
		return Bounds{}, 0, err
	}
	known := func(side int) float64 { return 1 - g.shares[side][unknown] }
	more, sign := 0, 1.0 // the side that is known more often
	if known(1) > known(0) {
		more, sign = 1, -1
	}
	fewer := 1 - more
	if known(fewer) == 0 {
		return Bounds{}, 0, fault.Invalidf("nobody's outcome is known on one side: bounds by those known on both do not " +
			"exist")
	}
	// With s the share known of the other side, taking the excess from those of one kind leaves of the mean
	// the share of the whole side that is of the other kind, over s; not more than 1.
	extreme := func(kind int) func(p [][3]float64) (float64, [][3]float64) {
		return func(p [][3]float64) (float64, [][3]float64) {
			s := 1 - p[fewer][unknown]
			of, other := p[more][kind]/s, p[fewer][kind]/s
			d := make([][3]float64, 2)
			turn := 1.0 // a share of those without the outcome is 1 less that of those with it
			if kind == no {
				turn = -1
			}
			turn *= sign
			for k := range 2 { // yes and no are known
				d[fewer][k] = turn * other / s
			}
			d[fewer][kind] -= turn / s
			if of < 1 {
				d[more][kind] = turn / s
				for k := range 2 {
					d[fewer][k] -= turn * of / s
				}
			} else {
				of = 1
			}
			return turn * (of - other), d
		}
	}
	high, low := extreme(yes), extreme(no)
	if sign < 0 {
		high, low = low, high
	}
	return g.bounds(low, high), 1 - known(fewer)/known(more), nil
}

// EffectBounds bound the average effect if all were treated beside none, on an outcome of 0 and 1.
type EffectBounds struct {
	// Worst assumes nothing: what would have been of the treated without treatment, and of the others with it,
	// is not known. It is always 1 wide (Manski 1990).
	Worst Bounds
	// Monotone assumes that treatment takes the outcome from nobody (Manski 1997); Selected that those who are
	// treated would have it no less often, with treatment and without, than the others (Manski, Pepper 2000).
	Monotone, Selected, Both Bounds
}

// BoundEffect gives the bounds from the outcomes of the treated and of the controls, which together are all.
func BoundEffect(treated, controls []Cell, opts BoundOptions) (*EffectBounds, error) {
	// both as one group: treated with and without the outcome, controls with and without
	g, err := newPartly(opts, Partly{Known: treated}, Partly{Known: controls})
	if err != nil {
		return nil, err
	}
	n1, n0 := g.totals[0], g.totals[1]
	w := n1 / (n1 + n0)
	p1, p0 := g.shares[0][yes], g.shares[1][yes]
	out := &EffectBounds{}
	// of one person: yes of the treated, -yes of the controls, and what is not known at its worst
	low := g.pooled([2]float64{0, -1}, [2]float64{-1, 0})
	high := g.pooled([2]float64{1, 0}, [2]float64{0, 1})
	gap := g.variance([][3]float64{{yes: 1}, {yes: -1}})
	worstLow, worstHigh := w*p1-((1-w)*p0+w), w*p1+(1-w)-(1-w)*p0
	out.Worst = g.interval(worstLow, low, worstHigh, high)
	out.Monotone = g.interval(0, 0, worstHigh, high)
	out.Selected = g.interval(worstLow, low, p1-p0, gap)
	out.Both = g.interval(0, 0, p1-p0, gap)
	if out.Both.Empty {
		out.Both.Warnings = append(out.Both.Warnings, "the treated have the outcome less often: that treatment takes it "+
			"from nobody, and that the treated would have it no less often, cannot both be true")
	}
	return out, nil
}

const yes, no, unknown = 0, 1, 2

// partlyKnown counts groups by yes, no and unknown, in all and by cluster.
type partlyKnown struct {
	opts     BoundOptions
	totals   []float64
	shares   [][3]float64
	clusters [][]partlyCluster
}

type partlyCluster struct {
	cluster int
	counts  [3]float64
}

func newPartly(opts BoundOptions, groups ...Partly) (*partlyKnown, error) {
	if err := CheckLevel(opts.Level); err != nil {
		return nil, err
	}
	g := &partlyKnown{opts: opts}
	for i, group := range groups {
		if _, err := checkCells(group.Known); err != nil {
			return nil, err
		}
		if _, err := checkCells(group.Unknown); err != nil {
			return nil, err
		}
		if !Total(group.Known).IsIndicator() {
			return nil, fault.Invalidf("bounds are of an outcome of 0 and 1; Σx² is not Σx")
		}
		var list []partlyCluster
		known, missing := byCluster(group.Known), byCluster(group.Unknown)
		for len(known)+len(missing) > 0 {
			switch {
			case len(missing) == 0 || len(known) > 0 && known[0].Cluster < missing[0].Cluster:
				c := known[0]
				list, known = append(list, partlyCluster{c.Cluster, [3]float64{c.Sum, c.N - c.Sum, 0}}), known[1:]
			case len(known) == 0 || missing[0].Cluster < known[0].Cluster:
				list, missing = append(list, partlyCluster{missing[0].Cluster, [3]float64{0, 0, missing[0].N}}), missing[1:]
			default:
				c := known[0]
				list = append(list, partlyCluster{c.Cluster, [3]float64{c.Sum, c.N - c.Sum, missing[0].N}})
				known, missing = known[1:], missing[1:]
			}
		}
		var sums [3]float64
		for _, c := range list {
			for k, n := range c.counts {
				sums[k] += n
			}
		}
		total := sums[yes] + sums[no] + sums[unknown]
		if total == 0 {
			return nil, fault.Invalidf("group %d has no observations, known or unknown", i+1)
		}
		g.totals, g.clusters = append(g.totals, total), append(g.clusters, list)
		g.shares = append(g.shares, [3]float64{sums[yes] / total, sums[no] / total, sums[unknown] / total})
	}
	return g, nil
}

// variance of a function of the shares with these derivatives, by group. NaN for a group in one cluster.
func (g *partlyKnown) variance(derivatives [][3]float64) (v float64) {
	for i, d := range derivatives {
		mean, square := 0.0, 0.0
		for k, p := range g.shares[i] {
			mean += p * d[k]
			square += p * d[k] * d[k]
		}
		if !g.opts.Clustered {
			v += leftOf(square-mean*mean, square) / g.totals[i]
			continue
		}
		// clusters of one group alone: those of both would add their product
		for _, c := range g.clusters[i] {
			var sum float64
			for k, n := range c.counts {
				sum += n * (d[k] - mean) / g.totals[i]
			}
			v += sum * sum
		}
	}
	if g.opts.Clustered {
		v += 2 * g.across(derivatives)
		n := g.clusterCount()
		v *= n / (n - 1)
	}
	return v
}

// across are the products of what a cluster adds on both sides.
func (g *partlyKnown) across(derivatives [][3]float64) (v float64) {
	if len(derivatives) < 2 {
		return 0
	}
	sums := map[int]float64{}
	add := func(side int, then func(cluster int, sum float64)) {
		mean := 0.0
		for k, p := range g.shares[side] {
			mean += p * derivatives[side][k]
		}
		for _, c := range g.clusters[side] {
			var sum float64
			for k, n := range c.counts {
				sum += n * (derivatives[side][k] - mean) / g.totals[side]
			}
			then(c.cluster, sum)
		}
	}
	add(0, func(cluster int, sum float64) { sums[cluster] = sum })
	add(1, func(cluster int, sum float64) { v += sum * sums[cluster] })
	return v
}

func (g *partlyKnown) clusterCount() float64 {
	seen := map[int]bool{}
	for _, list := range g.clusters {
		for _, c := range list {
			seen[c.cluster] = true
		}
	}
	return float64(len(seen))
}

// pooled is the variance of the mean over all persons of a value that depends on the group and the outcome,
// yes first: groups are parts of one sample, so that their sizes vary too.
func (g *partlyKnown) pooled(treated, controls [2]float64) float64 {
	n := g.totals[0] + g.totals[1]
	one := &partlyKnown{opts: g.opts, totals: []float64{n}}
	var mean, square float64
	values := [2][2]float64{treated, controls}
	for side, v := range values {
		for k := range 2 {
			p := g.shares[side][k] * g.totals[side] / n
			mean, square = mean+p*v[k], square+p*v[k]*v[k]
		}
	}
	if !one.opts.Clustered {
		return leftOf(square-mean*mean, square) / n
	}
	sums := map[int]float64{}
	var order []int
	for side, v := range values {
		for _, c := range g.clusters[side] {
			if _, ok := sums[c.cluster]; !ok {
				order = append(order, c.cluster)
			}
			sums[c.cluster] += c.counts[yes]*(v[yes]-mean)/n + c.counts[no]*(v[no]-mean)/n
		}
	}
	var variance float64
	for _, cluster := range order {
		variance += sums[cluster] * sums[cluster]
	}
	clusters := float64(len(order))
	return variance * clusters / (clusters - 1)
}

// bounds are those of two functions of the shares, which give their value and derivatives.
func (g *partlyKnown) bounds(low, high func(p [][3]float64) (float64, [][3]float64)) Bounds {
	lower, onLower := low(g.shares)
	upper, onUpper := high(g.shares)
	return g.interval(lower, g.variance(onLower), upper, g.variance(onUpper))
}

// interval is Imbens' and Manski's: with Δ the width and s the larger standard error the limits are c standard
// errors away, Φ(c + Δ/s) - Φ(-c) = level. Degrees of freedom are those of the side with fewer clusters.
func (g *partlyKnown) interval(lower, ofLower, upper, ofUpper float64) Bounds {
	level := g.opts.Level
	out := Bounds{Lower: lower, Upper: upper, From: math.NaN(), To: math.NaN(), Level: level, Empty: lower > upper+1e-12}
	fewest := math.Inf(1)
	if g.opts.Clustered {
		for _, list := range g.clusters {
			fewest = math.Min(fewest, float64(len(list)))
		}
		if fewest < 2 {
			out.Warnings = append(out.Warnings, "a group in one cluster tells nothing about how clusters differ: the bounds "+
				"have no interval")
			return out
		}
		if fewest < fewTreated {
			out.Warnings = append(out.Warnings, formatCount(fewest)+" clusters in a group are few: the interval is approximate")
		}
	}
	a, b := math.Sqrt(ofLower), math.Sqrt(ofUpper)
	s := math.Max(a, b)
	if !(s > 0) || out.Empty {
		if !out.Empty {
			out.Warnings = append(out.Warnings, nothingVaries)
		}
		return out
	}
	width := (upper - lower) / s
	c := solve(oneSidedQuantile(level), normalQuantile(level),
		func(c float64) float64 { return 1 - normalTail(c+width) - normalTail(c) - level })
	if g.opts.Clustered {
		c = studentQuantile(1-2*normalTail(c), fewest-1)
	}
	out.From, out.To = math.Max(-1, lower-c*a), math.Min(1, upper+c*b)
	return out
}
