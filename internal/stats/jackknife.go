package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// jackknifed names the method in an estimate's.
const jackknifed = "cluster jackknife (CV3)"

// Jackknife gives what estimate makes of the cells of two cohorts the uncertainty of clusters: it is
// estimated again without each of them,
//
//	V = (G-1)/G Σ_g (θ_(-g) - θ)²,
//
// centred at the estimate of all (CV3: MacKinnon, Nielsen, Webb 2023, J. Appl. Econometrics 38:671; to
// centre at the mean of the replicates gives a little less). It holds for any smooth function of the
// cells, linear or not, and errs to the safe side with few clusters. Intervals are value ± t·SE with
// degrees of freedom that the smaller side decides (see SampleDesign).
//
// estimate gets one cell per key, in order of keys, and answers by name; its estimates take observations as
// independent, which the design effect is over. To leave a cluster out it is subtracted, nothing is built
// anew; of more than 400 clusters as many groups are left out in turn, each as good as a cluster, since
// clusters are independent (Kott 2001, J. Off. Stat. 17:521). b may be empty. A name that is not answered
// without some cluster has no interval: that cluster alone decides it. One cluster is an error, as is what
// estimate returns for all.
func Jackknife[K comparable](a, b []Cell, estimate func(a, b []Cell) (map[K]Estimate, error)) (map[K]Estimate, error) {
	t, err := lineUp(a, b, nil, nil, true)
	if err != nil {
		return nil, err
	}
	if t.clusters < 2 {
		return nil, oneClusterInAll()
	}
	s := t.groupClusters(mostDeleted)
	sizes := [2]int{}
	for i := range t.a {
		if t.a[i].n > 0 {
			sizes[0]++
		}
		if t.b[i].n > 0 {
			sizes[1]++
		}
	}
	keys := make([][]int, t.strata())
	for i := range keys {
		keys[i] = t.key(i)
	}
	cells := func(side int, of []sums) []Cell {
		out := make([]Cell, 0, sizes[side])
		for i, v := range of {
			if v.n > 0 {
				out = append(out, Cell{Key: keys[i], N: v.n, Sum: v.y, SumSq: v.q})
			}
		}
		return out
	}
	all, err := estimate(cells(0, t.a), cells(1, t.b))
	if err != nil {
		return nil, err
	}
	moves := make(map[K][]float64, len(all))
	for name := range all {
		moves[name] = make([]float64, t.clusters)
	}
	t.eachWithout(func(g int, _ []int32) {
		again, _ := estimate(cells(0, t.a), cells(1, t.b))
		for name, e := range all {
			moves[name][g] = math.NaN()
			if now, found := again[name]; found {
				moves[name][g] = now.Value - e.Value
			}
		}
	})
	for name, e := range all {
		s.jackknife(&e, moves[name])
		e.Method += ", " + jackknifed
		all[name] = e
	}
	return all, nil
}

// mostDeleted is the number of clusters up to which each is left out of what has to be estimated again.
const mostDeleted = 400

// groupClusters has at most so many groups take the place of the clusters, which it gives as sides.
func (t *crossTab) groupClusters(most int) *sides {
	s := t.sides()
	if t.clusters <= most {
		return s
	}
	t.clusters = most
	for _, cells := range [][]clusteredCell{t.cellsA, t.cellsB} {
		for i := range cells {
			cells[i].cluster %= int32(most)
		}
	}
	return s.grouped(most)
}

// grouped adds up clusters by their number modulo groups; they are counted as before.
func (s *sides) grouped(groups int) *sides {
	if len(s.a) <= groups {
		return s
	}
	out := &sides{a: make([]sums, groups), b: make([]sums, groups), totalA: s.totalA, totalB: s.totalB, names: s.names}
	out.countA, out.countB = s.counts()
	for g := range s.a {
		out.a[g%groups].add(s.a[g])
		out.b[g%groups].add(s.b[g])
	}
	return out
}

func oneClusterInAll() error {
	return fault.Invalidf("all observations are in one cluster, which tells nothing about how clusters differ: their " +
		"standard errors need at least two")
}

// jackknife is clustered for the changes of an estimate without each cluster.
func (s *sides) jackknife(e *Estimate, changes []float64) (q float64) {
	if math.IsNaN(e.Value) {
		return math.NaN()
	}
	moves := cv3(changes)
	return s.clustered(e, moves, s.freedomOfBoth(moves))
}

// cv3 turns the changes of an estimate without each cluster into moves, whose squares add up to its
// variance.
func cv3(changes []float64) []float64 {
	g := float64(len(changes))
	moves := make([]float64, len(changes))
	for i, c := range changes {
		moves[i] = c * math.Sqrt((g-1)/g)
	}
	return moves
}

// sides are the sums of the clusters of a table.
func (t *crossTab) sides() *sides {
	s := &sides{a: make([]sums, t.clusters), b: make([]sums, t.clusters), names: cohorts, index: t.cluster,
		totalA: t.totalA, totalB: t.totalB}
	for _, c := range t.cellsA {
		s.a[c.cluster].add(c.sums)
	}
	for _, c := range t.cellsB {
		s.b[c.cluster].add(c.sums)
	}
	return s
}

// cells are one for each cluster of a side.
func (s *sides) cells(of []sums) []Cell {
	out := make([]Cell, len(of))
	for g, v := range of {
		out[g] = Cell{Cluster: s.index.levels[g], N: v.n, Sum: v.y, SumSq: v.q}
	}
	return out
}

// eachWithout calls visit for each cluster while its observations are taken out of t.a and t.b, with the
// strata that it has observations in.
func (t *crossTab) eachWithout(visit func(cluster int, strata []int32)) {
	var kept []sums
	var strata []int32
	last := make([]int, len(t.a)) // by stratum: one more than the last cluster in it
	take := func(g int, from []sums, cells []clusteredCell) {
		for _, c := range cells {
			if last[c.stratum] <= g {
				last[c.stratum] = g + 1
				strata = append(strata, c.stratum)
			}
			v := &from[c.stratum]
			kept = append(kept, *v)
			if v.n -= c.n; v.n <= 0 {
				*v = sums{}
				continue
			}
			v.y, v.q = v.y-c.y, v.q-c.q
		}
	}
	put := func(into []sums, cells []clusteredCell, kept []sums) {
		for i := len(cells) - 1; i >= 0; i-- {
			into[cells[i].stratum] = kept[i]
		}
	}
	ofA, ofB := byNumber(t.cellsA, t.clusters), byNumber(t.cellsB, t.clusters)
	for g := range t.clusters {
		kept, strata = kept[:0], strata[:0]
		take(g, t.a, ofA[g])
		take(g, t.b, ofB[g])
		visit(g, strata)
		put(t.a, ofA[g], kept)
		put(t.b, ofB[g], kept[len(ofA[g]):])
	}
}

// byNumber sorts cells by their cluster, and divides them.
func byNumber(cells []clusteredCell, clusters int) [][]clusteredCell {
	starts := make([]int, clusters+1)
	for _, c := range cells {
		starts[c.cluster+1]++
	}
	for g := range clusters {
		starts[g+1] += starts[g]
	}
	sorted := make([]clusteredCell, len(cells))
	next := append([]int(nil), starts...)
	for _, c := range cells {
		sorted[next[c.cluster]] = c
		next[c.cluster]++
	}
	out := make([][]clusteredCell, clusters)
	for g := range out {
		out[g] = sorted[starts[g]:starts[g+1]]
	}
	return out
}

// crossMeans are the four means that composition and rates of two cohorts make, over the strata that both
// have: each at its own rates and at those of the other.
type crossMeans struct {
	ownA, aAtB, bAtA, ownB float64
	nA, nB                 float64 // observations in these strata, or their shares
	allA, allB             sums
}

func (m *crossMeans) add(o crossMeans, sign float64) {
	m.ownA, m.aAtB, m.bAtA, m.ownB = m.ownA+sign*o.ownA, m.aAtB+sign*o.aAtB, m.bAtA+sign*o.bAtA, m.ownB+sign*o.ownB
	m.nA, m.nB = m.nA+sign*o.nA, m.nB+sign*o.nB
	m.allA.add(sums{sign * o.allA.n, sign * o.allA.y, 0})
	m.allB.add(sums{sign * o.allB.n, sign * o.allB.y, 0})
}

// A crossing follows the means of a table as its strata change.
type crossing struct {
	t      *crossTab
	borrow bool
	wA, wB []float64 // known composition by stratum, or nil for the table's
	parts  []crossMeans
	all    crossMeans // sums of parts
}

// crossing of a table. With borrow a stratum of one cohort only has the other's rate; with known the
// composition is that one's and not the table's, over the strata that still have both.
func (t *crossTab) crossing(borrow bool, known *support) *crossing {
	c := &crossing{t: t, borrow: borrow, parts: make([]crossMeans, len(t.a))}
	if known != nil {
		c.wA, c.wB = make([]float64, len(t.a)), make([]float64, len(t.a))
		for at, i := range known.in {
			c.wA[i], c.wB[i] = known.wA[at], known.wB[at]
		}
	}
	for i := range c.parts {
		c.parts[i] = c.part(i)
		c.all.add(c.parts[i], 1)
	}
	return c
}

func (c *crossing) part(i int) crossMeans {
	a, b := c.t.a[i], c.t.b[i]
	m := crossMeans{allA: a, allB: b}
	wA, wB := a.n, b.n
	if c.wA != nil {
		wA, wB = c.wA[i], c.wB[i]
	}
	var rA, rB float64
	switch {
	case a.n > 0 && b.n > 0:
		rA, rB = a.y/a.n, b.y/b.n
	case !c.borrow || a.n == 0 && b.n == 0:
		return m
	default:
		rA = (a.y + b.y) / (a.n + b.n)
		rB = rA
	}
	m.ownA, m.aAtB, m.bAtA, m.ownB, m.nA, m.nB = wA*rA, wA*rB, wB*rA, wB*rB, wA, wB
	return m
}

// now are the means with these strata as they are now, and the others as they were.
func (c *crossing) now(strata []int32) crossMeans {
	m := c.all
	for _, i := range strata {
		m.add(c.parts[i], -1)
		m.add(c.part(int(i)), 1)
	}
	if !(m.nA > 1e-12*c.all.nA && m.nB > 1e-12*c.all.nB) { // none is left but for rounding
		m.nA, m.nB = math.NaN(), math.NaN()
	}
	m.ownA, m.aAtB, m.bAtA, m.ownB = m.ownA/m.nA, m.aAtB/m.nA, m.bAtA/m.nB, m.ownB/m.nB
	return m
}

// changes are those of values without each cluster.
func (c *crossing) changes(values func(crossMeans) []float64) [][]float64 {
	all := values(c.now(nil))
	out := make([][]float64, len(all))
	for i := range out {
		out[i] = make([]float64, c.t.clusters)
	}
	c.t.eachWithout(func(g int, strata []int32) {
		for i, v := range values(c.now(strata)) {
			out[i][g] = v - all[i]
		}
	})
	return out
}

// jackknife gives the parts of a gap the uncertainty of clusters.
func (d *Decomposition) jackknife(e estimator) {
	t, m := e.tab, d.mix
	var known *support
	if e.opts.FixedWeights {
		known = e.sup
	}
	parts := []*Estimate{&d.Composition, &d.Rate, &d.Interaction, &d.OutOfSupportA, &d.OutOfSupportB,
		&d.OutOfSupport}
	changes := t.crossing(e.sup.borrowed, known).changes(func(x crossMeans) []float64 {
		outA, outB := x.allA.mean()-x.ownA, x.ownB-x.allB.mean()
		return []float64{
			m*(x.ownA-x.bAtA) + (1-m)*(x.aAtB-x.ownB),
			m*(x.ownA-x.aAtB) + (1-m)*(x.bAtA-x.ownB),
			(1 - 2*m) * (x.ownA - x.aAtB - x.bAtA + x.ownB),
			outA, outB, outA + outB,
		}
	})
	for i, part := range parts {
		if i >= 3 && part.Value == 0 && part.SE == 0 {
			continue // all are in support, by construction
		}
		if q := e.clusters.jackknife(part, changes[i]); !math.IsNaN(q) {
			part.Method = jackknifed
		}
	}
}

// A clusteredShare is what deleting a cluster does in a stratum: to the composition of its cohort, and to the
// rate of the stratum.
type clusteredShare struct {
	stratum, cluster int32
	share, rate      float64
}

// withoutEach are those changes, exactly, for the strata in support.
func (s *support) withoutEach(cells []clusteredCell, of []sums, r []float64, n float64) []clusteredShare {
	out := make([]clusteredShare, 0, len(cells))
	at := make([]int, len(of)) // by stratum: one more than where its part of the cluster is in out
	for g, own := range byNumber(cells, s.clusters) {
		start, left := len(out), n
		for _, c := range own {
			left -= c.n
			if at[c.stratum] <= start {
				out = append(out, clusteredShare{stratum: c.stratum, cluster: int32(g)})
				at[c.stratum] = len(out)
			}
			x := &out[at[c.stratum]-1] // still n and y
			x.share, x.rate = x.share+c.n, x.rate+c.y
		}
		for i := start; i < len(out); i++ {
			x := &out[i]
			rest, residual := of[x.stratum].n-x.share, x.rate-r[x.stratum]*x.share
			x.share, x.rate = -x.share/left, 0
			if rest > 0 {
				x.rate = -residual / rest
			}
		}
	}
	return out
}

// jackknifed gives a contribution the uncertainty of clusters: what deleting one does to composition and
// rates is exact, what these do to the contribution is to first order, by its gradient.
func (e *estimator) jackknifed(out *Estimate, g *gradient) {
	s := e.sup
	if e.withoutA == nil {
		e.withoutA = s.withoutEach(s.cellsA, s.a, s.rA, s.nA)
		e.withoutB = s.withoutEach(s.cellsB, s.b, s.rB, s.nB)
	}
	changes := make([]float64, s.clusters)
	add := func(cells []clusteredShare, w, dw, dr []float64) {
		centred := make([]float64, len(dw))
		if mean := dot(w, dw); !e.opts.FixedWeights {
			for at, v := range dw {
				centred[at] = v - mean
			}
		}
		for i := range cells {
			c := &cells[i]
			changes[c.cluster] += c.rate*dr[c.stratum] + c.share*centred[c.stratum]
		}
	}
	add(e.withoutA, s.wA, g.wA, g.rA)
	add(e.withoutB, s.wB, g.wB, g.rB)
	if q := e.clusters.jackknife(out, changes); !math.IsNaN(q) {
		out.Method = "linearised " + jackknifed
	}
}

// ClusteredSlopeIndex is SlopeIndexOf for cells whose observations are alike within Cluster, by Jackknife;
// the ratio has its interval on the log scale.
func ClusteredSlopeIndex(cells []Cell, level float64) (*InequalityIndex, error) {
	var all *InequalityIndex
	parts, err := Jackknife(cells, nil, func(cells, _ []Cell) (map[bool]Estimate, error) {
		index, err := SlopeIndexOf(cells, level)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = index
		}
		log := index.Relative
		log.Value, log.SE = math.Log(log.Value), log.SE/log.Value
		return map[bool]Estimate{false: index.Slope, true: log}, nil
	})
	if err != nil {
		return nil, err
	}
	all.Slope = parts[false]
	if log := parts[true]; all.Relative.SE > 0 {
		all.Relative.SE, all.Relative.Lower, all.Relative.Upper = log.SE*all.Relative.Value, math.Exp(log.Lower),
			math.Exp(log.Upper)
		all.Relative.Design, all.Relative.Method, all.Relative.Warnings = log.Design, log.Method, log.Warnings
	}
	return all, nil
}
