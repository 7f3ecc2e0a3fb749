package stats

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/integrate/quad"

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
}

func newLattice(levels [][]int) (lattice, error) {
	k := len(levels)
	l := lattice{sizes: make([]int, k), strides: make([]int, k), length: 1}
	for d := k - 1; d >= 0; d-- {
		l.sizes[d], l.strides[d] = len(levels[d]), l.length
		if l.length > maxCombinations/(l.sizes[d]+1) {
			return lattice{}, fault.Forbiddenf("%d dimensions span more than %d combinations of categories, too many to "+
				"divide composition among them; use fewer or coarser dimensions, or ask for totals only", k, maxCombinations)
		}
		l.length *= l.sizes[d] + 1
	}
	return l, nil
}

// steps fills delta with what keeping a dimension adds to an index that has it summed out, so that
// the index of the margin of a set of kept dimensions is that of the set without one plus its step.
func (l *lattice) steps(level []int32, delta []int) {
	for d, x := range level {
		delta[d] = (int(x) - l.sizes[d]) * l.strides[d]
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
		d.Warnings = append(d.Warnings,
			"cells without observations have no structure factors: contributions by dimension are left out where rates are "+
				"borrowed")
		return nil
	}
	l, err := newLattice(t.levels)
	if err != nil {
		return err
	}
	a := &attribution{estimator: e, lattice: l, mix: d.mix, gradient: newGradient(len(s.in))}
	a.cellIndex, a.levels = make([]int, len(s.in)), make([]int32, k*len(s.in))
	for at, i := range s.in {
		for d, x := range t.level[i*k : (i+1)*k] {
			a.cellIndex[at] += int(x) * l.strides[d]
			a.levels[d*len(s.in)+at] = x
		}
	}
	if e.opts.Attribution == OrderFree {
		d.Contributions = a.orderFree()
	} else {
		d.Contributions = a.crossClassified()
	}
	for i := range d.Contributions {
		if i == 0 || d.Contributions[i-1].Dimension != d.Contributions[i].Dimension { // a whole dimension
			d.Contributions[i].Rate = d.Rate // the same, and exact by clusters too
		}
	}
	return nil
}

type attribution struct {
	estimator
	lattice   lattice
	mix       float64
	gradient  *gradient
	cellIndex []int   // by supported stratum: its place in the lattice
	levels    []int32 // by dimension and supported stratum: position of its category
}

// commonRate is the rate at which composition is evaluated, in supported stratum at.
func (a *attribution) commonRate(at int) float64 {
	return a.mix*a.sup.rA[at] + (1-a.mix)*a.sup.rB[at]
}

// levelsOf is the position of dimension d's category in every supported stratum.
func (a *attribution) levelsOf(d int) []int32 {
	n := len(a.sup.in)
	return a.levels[d*n : (d+1)*n]
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
	logs := make([]float64, l.length)
	for i, m := range out.margins {
		if m > 0 {
			logs[i] = math.Log(m)
		}
	}
	sets := makeSets(k)
	at, delta := make([]int, 1<<k), make([]int, k)
	at[0] = l.length - 1
	sum := make([]float64, k)
	for c, i := range a.sup.in {
		l.steps(a.tab.level[i*k:(i+1)*k], delta)
		clear(sum)
		var base float64
		for set := 1; set < len(at); set++ {
			at[set] = at[set&(set-1)] + delta[sets[set].lowest]
			v := logs[at[set]]
			base += sets[set].outside * v
			v *= sets[set].inside
			for rest := set; rest != 0; rest &= rest - 1 {
				sum[sets[rest].lowest] += v
			}
		}
		for f := range sum {
			out.factors[c*k+f] = math.Exp(sum[f] - base)
		}
	}
	return out
}

// A dimensionSet is a set of dimensions, by its bits, with the weights of its log margin in the log
// of a structure factor.
type dimensionSet struct {
	lowest  int     // dimension
	inside  float64 // weight for a dimension in the set, plus outside
	outside float64 // minus the weight for one that is not
}

func makeSets(k int) []dimensionSet {
	weight := append(shapleyWeights(k), 0)
	sets := make([]dimensionSet, 1<<k)
	for set := 1; set < len(sets); set++ {
		size := bits.OnesCount(uint(set))
		sets[set] = dimensionSet{bits.TrailingZeros(uint(set)), weight[size-1] + weight[size], weight[size]}
	}
	return sets
}

// crossClassified divides composition by structure factors. The effect of factor k in a cell,
// averaged over which of the other factors come from A or B, is
// (αk - βk)·∫ Π_{j≠k} (βj + t(αj - βj)) dt, since the weights of eq. 3.54 are Beta integrals.
func (a *attribution) crossClassified() []Contribution {
	s, k := a.sup, a.tab.dims
	n := len(s.in)
	A, B := a.side(s.wA), a.side(s.wB)
	// n nodes integrate polynomials of degree 2n - 1 exactly; this one has degree k - 1.
	nodes, weights := make([]float64, (k+1)/2), make([]float64, (k+1)/2)
	quad.Legendre{}.FixedLocations(nodes, weights, 0, 1)

	effect := make([]float64, n*k)   // of factor k in the cell, at rate 1
	pull := make([]float64, n*k*k*2) // rate × d effect f / d log factor j of A, then of B
	standard := make([]float64, k*2) // Σ common rate × factor × mean of the others
	point, inverse := make([]float64, k), make([]float64, k)
	for c := range n {
		alpha, beta := A.factors[c*k:(c+1)*k], B.factors[c*k:(c+1)*k]
		rate := a.commonRate(c)
		row := pull[c*k*k*2 : (c+1)*k*k*2]
		for q, node := range nodes {
			product := weights[q]
			for j := range k {
				point[j] = beta[j] + node*(alpha[j]-beta[j])
				inverse[j] = 1 / point[j]
				product *= point[j]
			}
			for f := range k {
				others := product * inverse[f]
				difference := alpha[f] - beta[f]
				effect[c*k+f] += difference * others
				standard[2*f] += rate * alpha[f] * others
				standard[2*f+1] += rate * beta[f] * others
				gradA, gradB := row[f*2*k:f*2*k+k], row[f*2*k+k:(f+1)*2*k]
				others *= rate
				for j := range k {
					twice := difference * others * inverse[j]
					gradA[j] += twice * node * alpha[j]
					gradB[j] += twice * (1 - node) * beta[j]
				}
				twice := difference * others * inverse[f]
				gradA[f] += alpha[f] * (others - twice*node)
				gradB[f] -= beta[f] * (others + twice*(1-node))
			}
		}
	}

	var out []Contribution
	sets := makeSets(k)
	at, delta := make([]int, 1<<k), make([]int, k)
	at[0] = a.lattice.length - 1
	moves := make([]float64, 1<<k) // Σ over the set of what the log factors move
	gain := [2][2][]float64{}      // by cohort; [0] margins with f, [1] margins without f kept apart by f
	for cohort := range gain {
		gain[cohort] = [2][]float64{make([]float64, a.lattice.length), make([]float64, a.lattice.length)}
	}
	for f := range k {
		var having, lacking []int // sets with f, other sets but the empty one
		for set := 1; set < len(sets); set++ {
			if set>>f&1 == 1 {
				having = append(having, set)
			} else {
				lacking = append(lacking, set)
			}
		}
		for cohort := range gain {
			clear(gain[cohort][0])
			clear(gain[cohort][1])
		}
		if a.opts.Stop.now() {
			return nil
		}
		for c, i := range s.in {
			a.lattice.steps(a.tab.level[i*k:(i+1)*k], delta)
			for d, step := range delta {
				from, to := at[:1<<d], at[1<<d:2<<d]
				for rest, index := range from {
					to[rest] = index + step
				}
			}
			for cohort := range gain {
				h := pull[c*k*k*2+f*2*k+cohort*k:]
				h = h[:k]
				for d, v := range h {
					from, to := moves[:1<<d], moves[1<<d:2<<d]
					for rest, move := range from {
						to[rest] = move + v
					}
				}
				total := moves[len(moves)-1]
				with, without := gain[cohort][0], gain[cohort][1]
				for _, set := range having {
					with[at[set]] += sets[set].inside*moves[set] - sets[set].outside*total
				}
				for _, set := range lacking {
					without[at[set]+delta[f]] += sets[set].inside*moves[set] - sets[set].outside*total
				}
			}
		}
		for cohort, margins := range [2][]float64{A.margins, B.margins} {
			with, without := gain[cohort][0], gain[cohort][1]
			a.lattice.divide(with, without, margins, f)
			a.lattice.spread(with, f)
			a.lattice.spread(without, f)
		}
		out = append(out, a.crossClassifiedDimension(f, effect, gain, standard[2*f], standard[2*f+1])...)
	}
	return out
}

// divide divides with by the margins, and without by the margins that have f summed out.
func (l *lattice) divide(with, without, margins []float64, f int) {
	stride := l.strides[f]
	l.along(f, func(start int) {
		end := start + l.sizes[f]*stride
		for at := start; at < end; at += stride {
			for inner := range stride {
				if i := at + inner; margins[i] > 0 {
					with[i] /= margins[i]
					without[i] /= margins[end+inner]
				}
			}
		}
	})
}

// crossClassifiedDimension makes the contributions of dimension f: effect holds the change of each
// cell's weight by each dimension, gain what an observation moves the composition part by through
// the margins, [0] those of its own category and [1], by category, those that categories share.
func (a *attribution) crossClassifiedDimension(f int, effect []float64, gain [2][2][]float64, standardA,
	standardB float64) []Contribution {
	s, k := a.sup, a.tab.dims
	stride, categories := a.lattice.strides[f], a.lattice.sizes[f]
	out := a.describe(f)
	moved := make([]float64, categories+1) // effect at rate 1
	composition := make([]float64, categories+1)
	var meanRate float64
	levels := a.levelsOf(f)
	for at := range s.in {
		e, r := effect[at*k+f], a.commonRate(at)
		for _, into := range [2]int{0, int(levels[at]) + 1} {
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
			x := int(levels[at])
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
		o.Composition = a.estimate(composition[into], g)
	}
	return occurring(out)
}

// describe starts the contributions of dimension f, the whole of it first: shares, rates, and the
// rate part.
func (a *attribution) describe(f int) []Contribution {
	s := a.sup
	levels := a.levelsOf(f)
	out := make([]Contribution, a.lattice.sizes[f]+1)
	rate := make([]float64, len(out))
	for at := range s.in {
		for _, into := range [2]int{0, int(levels[at]) + 1} {
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
		g.clear()
		for at := range s.in {
			if into == 0 || int(levels[at]) == into-1 {
				dr, w := s.rA[at]-s.rB[at], a.mix*s.wA[at]+(1-a.mix)*s.wB[at]
				g.wA[at], g.wB[at] = a.mix*dr, (1-a.mix)*dr
				g.rA[at], g.rB[at] = w, -w
			}
		}
		o.Rate = a.estimate(rate[into], g)
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
		levels := a.levelsOf(f)
		g := a.gradient
		mix := [2]float64{a.mix, 1 - a.mix}
		for into := range contributions {
			o := &contributions[into]
			o.Relative = composition[into]
			for at := range s.in {
				x := int(levels[at])
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
			o.Composition = a.estimate(composition[into], g)
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
