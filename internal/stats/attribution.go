package stats

import (
	"math"
	"math/bits"

	"github.com/kvarter/kvarter/internal/fault"
)

// Attribution says how the composition part divides among dimensions.
type Attribution int

const (
	// CrossClassified writes each cell's weight as a product of one structure factor per dimension
	// and averages the effect of each factor over the others (Das Gupta 1993, ch. 5). It reproduces
	// the published tables. It is not symmetric in the outcome: the contributions for "has it" and
	// "has it not" differ a little more than by their sign.
	CrossClassified Attribution = iota
	// OrderFree averages, over all orders in which dimensions may be brought in, what a dimension
	// adds to the composition part (Shapley over dimensions). Contributions change sign with the
	// outcome, and a category's is relative to the mean rate around it.
	OrderFree
)

// Contribution is what a dimension or one of its categories adds to composition and rate.
type Contribution struct {
	Dimension      int // position in Cell.Key
	Category       int // category index; -1 for the whole dimension
	ShareA, ShareB float64
	RateA, RateB   float64
	// Composition adds up over the categories to that of the dimension, and over dimensions to the
	// composition part. A category that is more frequent in A adds a positive amount whatever its rate;
	// Relative, which adds up to the same, says whether its rate is above or below the mean.
	Composition Estimate
	Relative    float64
	// Rate adds up over the categories of one dimension to the whole rate part, which no dimension
	// owns: it is the same for every whole dimension.
	Rate Estimate
	// Standardised rates of both cohorts that differ by this dimension's structure alone; NaN for a
	// category and for OrderFree.
	StandardisedA, StandardisedB float64
}

// A lattice is a table over all subsets of dimensions at once: each dimension has its categories and
// one more position, for the sum over them.
type lattice struct {
	sizes   []int // categories by dimension
	strides []int
	length  int
	offset  []int // by set of dimensions that are kept: index with all kept ones at 0
}

func newLattice(levels [][]int) (lattice, error) {
	k := len(levels)
	l := lattice{sizes: make([]int, k), strides: make([]int, k), length: 1, offset: make([]int, 1<<k)}
	for d := k - 1; d >= 0; d-- {
		l.sizes[d], l.strides[d] = len(levels[d]), l.length
		if l.length > maxCombinations/(l.sizes[d]+1) {
			return lattice{}, fault.Forbiddenf("%d dimensions span more than %d combinations of categories, too many to divide composition among them; use fewer or coarser dimensions, or ask for totals only", k, maxCombinations)
		}
		l.length *= l.sizes[d] + 1
	}
	for set := range l.offset {
		for d := range k {
			if set>>d&1 == 0 {
				l.offset[set] += l.sizes[d] * l.strides[d]
			}
		}
	}
	return l, nil
}

// indices fills at with the index, by set of kept dimensions, of the margin that a stratum is in.
func (l *lattice) indices(level []int32, at []int) {
	for set := range at {
		at[set] = l.offset[set]
	}
	for d, x := range level {
		step := int(x) * l.strides[d]
		if step == 0 {
			continue
		}
		for set := range at {
			if set>>d&1 == 1 {
				at[set] += step
			}
		}
	}
}

// sumOut fills every margin of v from its cells.
func (l *lattice) sumOut(v []float64) {
	for d, stride := range l.strides {
		l.along(d, func(start int) {
			end := start + l.sizes[d]*stride
			for inner := range stride {
				var sum float64
				for at := start + inner; at < end+inner; at += stride {
					sum += v[at]
				}
				v[end+inner] = sum
			}
		})
	}
}

// spread adds every margin of v to the entries that it is a margin of, except along skip.
func (l *lattice) spread(v []float64, skip int) {
	for d, stride := range l.strides {
		if d == skip {
			continue
		}
		l.along(d, func(start int) {
			end := start + l.sizes[d]*stride
			for at := start; at < end; at += stride {
				for inner, m := range v[end : end+stride] {
					v[at+inner] += m
				}
			}
		})
	}
}

// along calls visit with the start of every run of dimension d.
func (l *lattice) along(d int, visit func(start int)) {
	run := l.strides[d] * (l.sizes[d] + 1)
	for start := 0; start < l.length; start += run {
		visit(start)
	}
}

// attribute fills in d.Contributions.
func (d *Decomposition) attribute(e estimator) error {
	t, s := e.tab, e.sup
	k := t.dims
	if k > maxFactors {
		return fault.Invalidf("%d dimensions; composition can be divided among up to %d", k, maxFactors)
	}
	if s.borrowed && k > 1 {
		d.Warnings = append(d.Warnings, "cells without observations have no structure factors: contributions by dimension are left out where rates are borrowed")
		return nil
	}
	l, err := newLattice(t.levels)
	if err != nil {
		return err
	}
	a := &attribution{estimator: e, lattice: l, mix: d.mix, gradient: newGradient(len(s.in))}
	a.work = newInfluence(t.strata())
	a.cellIndex = make([]int, len(s.in))
	for at, i := range s.in {
		for d, x := range t.level[i*k : (i+1)*k] {
			a.cellIndex[at] += int(x) * l.strides[d]
		}
	}
	if e.opts.Attribution == OrderFree {
		d.Contributions = a.orderFree()
	} else {
		d.Contributions = a.crossClassified()
	}
	return nil
}

type attribution struct {
	estimator
	lattice   lattice
	mix       float64
	gradient  *gradient
	cellIndex []int // by supported stratum: its place in the lattice
}

// commonRate is the rate at which composition is evaluated, in supported stratum at.
func (a *attribution) commonRate(at int) float64 {
	return a.mix*a.sup.rA[at] + (1-a.mix)*a.sup.rB[at]
}

// levelOf is the position of dimension d's category in supported stratum at.
func (a *attribution) levelOf(at, d int) int {
	return int(a.tab.level[a.sup.in[at]*a.tab.dims+d])
}

// margins is the composition of one cohort, in every margin.
func (a *attribution) margins(w []float64) []float64 {
	v := make([]float64, a.lattice.length)
	for at, index := range a.cellIndex {
		v[index] += w[at]
	}
	a.lattice.sumOut(v)
	return v
}

// side is what crossClassified needs to know of one cohort.
type side struct {
	w       []float64
	margins []float64
	factors []float64 // strata × dimensions: structure factors, whose product is w
}

func (a *attribution) side(w []float64) side {
	k, l := a.tab.dims, &a.lattice
	out := side{w: w, margins: a.margins(w), factors: make([]float64, len(w)*k)}
	// log factor k = Σ over sets S without k of weight(|S|)·(log P(S and k) - log P(S))
	//              = Σ over T with k of (weight(|T|-1) + weight(|T|)) log P(T) - Σ over T of weight(|T|) log P(T)
	weight := append(shapleyWeights(k), 0)
	logs := make([]float64, l.length)
	for i, m := range out.margins {
		if m > 0 {
			logs[i] = math.Log(m)
		}
	}
	at := make([]int, 1<<k)
	sum := make([]float64, k)
	for c, i := range a.sup.in {
		l.indices(a.tab.level[i*k:(i+1)*k], at)
		clear(sum)
		var base float64
		for set := 1; set < len(at); set++ {
			v := logs[at[set]]
			size := bits.OnesCount(uint(set))
			base += weight[size] * v
			v *= weight[size-1] + weight[size]
			for rest := set; rest != 0; rest &= rest - 1 {
				sum[bits.TrailingZeros(uint(rest))] += v
			}
		}
		for f := range sum {
			out.factors[c*k+f] = math.Exp(sum[f] - base)
		}
	}
	return out
}

// gaussNodes returns the nodes and weights on [0, 1] that integrate polynomials of degree 2n-1
// exactly (Legendre).
func gaussNodes(n int) (nodes, weights []float64) {
	nodes, weights = make([]float64, n), make([]float64, n)
	for i := range n {
		x := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		var derivative float64
		for range 100 {
			p0, p1 := 1.0, x
			for j := 2; j <= n; j++ {
				p0, p1 = p1, (float64(2*j-1)*x*p1-float64(j-1)*p0)/float64(j)
			}
			derivative = float64(n) * (x*p1 - p0) / (x*x - 1)
			step := p1 / derivative
			x -= step
			if math.Abs(step) < 1e-15 {
				break
			}
		}
		nodes[i] = (1 - x) / 2
		weights[i] = 1 / ((1 - x*x) * derivative * derivative)
	}
	return nodes, weights
}

// crossClassified divides composition by structure factors. The effect of factor k in a cell,
// averaged over which of the other factors come from A or B, is
// (αk - βk)·∫ Π_{j≠k} (βj + t(αj - βj)) dt, since the weights of eq. 3.54 are Beta integrals.
func (a *attribution) crossClassified() []Contribution {
	s, k := a.sup, a.tab.dims
	n := len(s.in)
	A, B := a.side(s.wA), a.side(s.wB)
	nodes, weights := gaussNodes((k + 1) / 2)

	effect := make([]float64, n*k)   // of factor k in the cell, at rate 1
	pull := make([]float64, n*k*k*2) // d effect k / d log factor j of A, then of B
	standard := make([]float64, k*2) // Σ common rate × factor × mean of the others
	point := make([]float64, k)
	for c := range n {
		alpha, beta := A.factors[c*k:(c+1)*k], B.factors[c*k:(c+1)*k]
		rate := a.commonRate(c)
		row := pull[c*k*k*2 : (c+1)*k*k*2]
		for q, node := range nodes {
			product := weights[q]
			for j := range k {
				point[j] = beta[j] + node*(alpha[j]-beta[j])
				product *= point[j]
			}
			for f := range k {
				others := product / point[f]
				difference := alpha[f] - beta[f]
				effect[c*k+f] += difference * others
				standard[2*f] += rate * alpha[f] * others
				standard[2*f+1] += rate * beta[f] * others
				gradA, gradB := row[f*2*k:f*2*k+k], row[f*2*k+k:(f+1)*2*k]
				gradA[f] += alpha[f] * others
				gradB[f] -= beta[f] * others
				for j := range k {
					if j != f {
						twice := difference * others / point[j]
						gradA[j] += twice * node * alpha[j]
						gradB[j] += twice * (1 - node) * beta[j]
					}
				}
			}
		}
	}

	var out []Contribution
	at := make([]int, 1<<k)
	weight := append(shapleyWeights(k), 0)
	gain := [2][2][]float64{} // by cohort; [0] margins with f, [1] margins without f kept apart by f
	for cohort := range gain {
		gain[cohort] = [2][]float64{make([]float64, a.lattice.length), make([]float64, a.lattice.length)}
	}
	moves := make([]float64, 1<<k)
	for f := range k {
		for cohort, margins := range [2][]float64{A.margins, B.margins} {
			with, without := gain[cohort][0], gain[cohort][1]
			clear(with)
			clear(without)
			for c, i := range s.in {
				a.lattice.indices(a.tab.level[i*k:(i+1)*k], at)
				h := pull[c*k*k*2+f*2*k+cohort*k:]
				h = h[:k]
				rate := a.commonRate(c)
				// moves[T] = Σ of h over T
				var total float64
				moves[0] = 0
				for set := 1; set < len(moves); set++ {
					low := bits.TrailingZeros(uint(set))
					moves[set] = moves[set&(set-1)] + h[low]
				}
				total = moves[len(moves)-1]
				for set := 1; set < len(moves); set++ {
					size := bits.OnesCount(uint(set))
					v := rate * ((weight[size-1]+weight[size])*moves[set] - weight[size]*total)
					if set>>f&1 == 1 {
						with[at[set]] += v / margins[at[set]]
					} else {
						without[at[set|1<<f]] += v / margins[at[set]]
					}
				}
			}
			a.lattice.spread(with, f)
			a.lattice.spread(without, f)
		}
		out = append(out, a.crossClassifiedDimension(f, effect, gain, standard[2*f], standard[2*f+1])...)
	}
	return out
}

// crossClassifiedDimension makes the contributions of dimension f: effect holds the change of each
// cell's weight by each dimension, gain what an observation moves the composition part by through
// the margins, [0] those of its own category and [1], by category, those that categories share.
func (a *attribution) crossClassifiedDimension(f int, effect []float64, gain [2][2][]float64, standardA, standardB float64) []Contribution {
	s, k := a.sup, a.tab.dims
	stride, categories := a.lattice.strides[f], a.lattice.sizes[f]
	out := a.describe(f)
	moved := make([]float64, categories+1) // effect at rate 1
	composition := make([]float64, categories+1)
	var meanRate float64
	for at := range s.in {
		e, r := effect[at*k+f], a.commonRate(at)
		for _, into := range [2]int{0, a.levelOf(at, f) + 1} {
			composition[into] += e * r
			moved[into] += e
		}
		meanRate += (a.mix*s.wA[at] + (1-a.mix)*s.wB[at]) * r
	}
	out[0].StandardisedA, out[0].StandardisedB = standardA, standardB
	g := a.gradient
	for into := range out {
		o := &out[into]
		meanShare := a.mix*o.ShareA + (1-a.mix)*o.ShareB
		o.Relative = composition[into] - meanRate*(moved[into]-moved[0]*meanShare)
		for at := range s.in {
			x := a.levelOf(at, f)
			index := a.cellIndex[at]
			g.wA[at], g.wB[at], g.rA[at], g.rB[at] = 0, 0, 0, 0
			if into == 0 || x == into-1 {
				e := effect[at*k+f]
				g.rA[at], g.rB[at] = a.mix*e, (1-a.mix)*e
				g.wA[at], g.wB[at] = gain[0][0][index], gain[1][0][index]
			}
			index -= x * stride
			if into > 0 {
				g.wA[at] += gain[0][1][index+(into-1)*stride]
				g.wB[at] += gain[1][1][index+(into-1)*stride]
				continue
			}
			for end := index + categories*stride; index < end; index += stride {
				g.wA[at] += gain[0][1][index]
				g.wB[at] += gain[1][1][index]
			}
		}
		o.Composition = a.estimate("delta method", composition[into], g)
	}
	return occurring(out)
}

// describe starts the contributions of dimension f, the whole of it first: shares, rates, and the
// rate part.
func (a *attribution) describe(f int) []Contribution {
	s := a.sup
	out := make([]Contribution, a.lattice.sizes[f]+1)
	rate := make([]float64, len(out))
	for at := range s.in {
		for _, into := range [2]int{0, a.levelOf(at, f) + 1} {
			o := &out[into]
			o.ShareA += s.wA[at]
			o.ShareB += s.wB[at]
			o.RateA += s.wA[at] * s.rA[at]
			o.RateB += s.wB[at] * s.rB[at]
			rate[into] += (s.rA[at] - s.rB[at]) * (a.mix*s.wA[at] + (1-a.mix)*s.wB[at])
		}
	}
	g := a.gradient
	for into := range out {
		o := &out[into]
		o.Dimension, o.Category = f, -1
		o.RateA, o.RateB = o.RateA/o.ShareA, o.RateB/o.ShareB
		o.StandardisedA, o.StandardisedB = math.NaN(), math.NaN()
		if into > 0 {
			o.Category = a.tab.levels[f][into-1]
		}
		for at := range s.in {
			g.wA[at], g.wB[at], g.rA[at], g.rB[at] = 0, 0, 0, 0
			if into == 0 || a.levelOf(at, f) == into-1 {
				dr, w := s.rA[at]-s.rB[at], a.mix*s.wA[at]+(1-a.mix)*s.wB[at]
				g.wA[at], g.wB[at] = a.mix*dr, (1-a.mix)*dr
				g.rA[at], g.rB[at] = w, -w
			}
		}
		o.Rate = a.estimate("delta method", rate[into], g)
	}
	return out
}

// occurring drops categories that have no cell in support.
func occurring(contributions []Contribution) []Contribution {
	out := contributions[:0]
	for _, c := range contributions {
		if c.Category == -1 || c.ShareA > 0 || c.ShareB > 0 {
			out = append(out, c)
		}
	}
	return out
}

// orderFree divides composition by the order in which dimensions come in. With comp(T) the
// composition part by the dimensions T alone, dimension f adds Σ over S without f of
// weight(|S|)·(comp(S and f) - comp(S)), and its category j of that the terms with category j in
// Σ (wA-wB)(S and f)·(mean rate in S and f - mean rate in S).
func (a *attribution) orderFree() []Contribution {
	s, k, l := a.sup, a.tab.dims, &a.lattice
	product := func(w, r []float64) []float64 {
		out := make([]float64, len(w))
		for at := range out {
			out[at] = w[at] * r[at]
		}
		return out
	}
	w := [2][]float64{a.margins(s.wA), a.margins(s.wB)}
	r := [2][]float64{a.margins(product(s.wA, s.rA)), a.margins(product(s.wB, s.rB))}
	for cohort := range r {
		for i, share := range w[cohort] {
			if share > 0 {
				r[cohort][i] /= share
			}
		}
	}
	common := make([]float64, l.length)
	for i := range common {
		common[i] = a.mix*r[0][i] + (1-a.mix)*r[1][i]
	}
	weight := shapleyWeights(k)
	kept := l.keptDimensions()

	var out []Contribution
	direct := make([]float64, l.length)
	var own, other [2][2][]float64 // by cohort: per unit of rate, and at the mean rate
	for cohort := range own {
		for i := range 2 {
			own[cohort][i], other[cohort][i] = make([]float64, l.length), make([]float64, l.length)
		}
	}
	for f := range k {
		stride, size := l.strides[f], l.sizes[f]
		composition := make([]float64, size+1)
		for i := range direct {
			x := i / stride % (size + 1)
			direct[i] = 0
			for cohort := range own {
				own[cohort][0][i], own[cohort][1][i], other[cohort][0][i], other[cohort][1][i] = 0, 0, 0, 0
			}
			if x == size || w[0][i] == 0 {
				continue
			}
			without := i + (size-x)*stride // the same margin with f summed out
			v := weight[kept[i]-1]
			difference := v * (w[0][i] - w[1][i])
			direct[i] = v * (common[i] - common[without])
			composition[x+1] += difference * (common[i] - common[without])
			for cohort := range own {
				u := difference / w[cohort][i]
				own[cohort][0][i], own[cohort][1][i] = u, u*r[cohort][i]
				u = difference / w[cohort][without]
				other[cohort][0][i], other[cohort][1][i] = u, u*r[cohort][without]
			}
		}
		l.spread(direct, f)
		for cohort := range own {
			for i := range 2 {
				l.spread(own[cohort][i], f)
				l.spread(other[cohort][i], f)
			}
		}
		for _, c := range composition[1:] {
			composition[0] += c
		}

		contributions := a.describe(f)
		g := a.gradient
		mix := [2]float64{a.mix, 1 - a.mix}
		for into := range contributions {
			o := &contributions[into]
			o.Relative = composition[into]
			for at := range s.in {
				x := a.levelOf(at, f)
				index := a.cellIndex[at]
				var byShare, byRate [2]float64
				for cohort := range byShare {
					share, rate, sign := s.wA[at], s.rA[at], 1.0
					if cohort == 1 {
						share, rate, sign = s.wB[at], s.rB[at], -1
					}
					if into == 0 || x == into-1 {
						u := own[cohort][0][index]
						byShare[cohort] = sign*direct[index] + mix[cohort]*(rate*u-own[cohort][1][index])
						byRate[cohort] = mix[cohort] * share * u
					}
					start := index - x*stride
					first, last := start, start+(size-1)*stride
					if into > 0 {
						first = start + (into-1)*stride
						last = first
					}
					for there := first; there <= last; there += stride {
						u := other[cohort][0][there]
						byShare[cohort] -= mix[cohort] * (rate*u - other[cohort][1][there])
						byRate[cohort] -= mix[cohort] * share * u
					}
				}
				g.wA[at], g.wB[at], g.rA[at], g.rB[at] = byShare[0], byShare[1], byRate[0], byRate[1]
			}
			o.Composition = a.estimate("delta method", composition[into], g)
		}
		out = append(out, occurring(contributions)...)
	}
	return out
}

// keptDimensions counts, for every entry, the dimensions that are not summed out.
func (l *lattice) keptDimensions() []int {
	kept := make([]int, l.length)
	for d, stride := range l.strides {
		size := l.sizes[d]
		for i := range kept {
			if i/stride%(size+1) < size {
				kept[i]++
			}
		}
	}
	return kept
}
