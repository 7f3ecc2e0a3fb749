package stats

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// maxCombinations is the number of cells that a dense table over all categories may have. A
// table of that size takes 32 MB.
const maxCombinations = 1 << 22

// A crossTab lines up the strata of two cohorts, in ascending order of key, with the observations
// that both contain. Strata that neither has are not in it.
type crossTab struct {
	sample
	dimensions []Dimension
	dims       int
	levels     [][]int // by dimension: categories that occur, ascending
	level      []int32 // strata × dims: index into levels
	totalA     sums
	totalB     sums
	cluster    levelIndex // of Cell.Cluster, if clustered
}

// A sample holds the sums of two cohorts by stratum.
type sample struct {
	a, b           []sums
	shared         []sums // observations in both; nil if there are none
	cellsA, cellsB []clusteredCell
	clusters       int
	nA, nB         float64
}

type sums struct{ n, y, q float64 }

func (s *sums) add(o sums) { s.n, s.y, s.q = s.n+o.n, s.y+o.y, s.q+o.q }

func (s sums) mean() float64 { return s.y / s.n }

// variance is that of the observations, with divisor n.
func (s sums) variance() float64 { return leftOf(s.q/s.n-s.mean()*s.mean(), s.q/s.n) }

type clusteredCell struct {
	stratum, cluster int32
	sums
}

func (t *crossTab) strata() int { return len(t.a) }

func (t *crossTab) key(stratum int) []int {
	key := make([]int, t.dims)
	for d := range key {
		key[d] = t.levels[d][t.level[stratum*t.dims+d]]
	}
	return key
}

// crossTabulate adds up the cells of a and b by key. It is an error if a cohort is empty, keys
// differ in length, sums are not finite, or more is shared than there is. Cells keep their
// clusters only if clustered.
func crossTabulate(a, b, shared []Cell, dimensions []Dimension, clustered bool) (*crossTab, error) {
	t, err := lineUp(a, b, shared, dimensions, clustered)
	switch {
	case err != nil:
		return nil, err
	case t.dims == 0:
		return nil, fault.Invalidf("no dimension to compare by; name at least one")
	case t.nA == 0 || t.nB == 0:
		return nil, fault.Invalidf("a cohort without observations cannot be compared (%s and %s observations)",
			formatCount(t.nA), formatCount(t.nB))
	}
	return t, nil
}

// lineUp is crossTabulate where a cohort may be empty and there may be no dimension.
func lineUp(a, b, shared []Cell, dimensions []Dimension, clustered bool) (*crossTab, error) {
	dims, err := checkCells(a, b, shared)
	if err != nil {
		return nil, err
	}
	t := &crossTab{dims: dims, dimensions: dimensions}
	sides := [][]Cell{a, b, shared}
	index := indexLevels(sides, dims)
	product := 1.0
	for d := range index {
		t.levels = append(t.levels, index[d].levels)
		product *= float64(len(index[d].levels))
	}
	if product > math.MaxInt64/2 {
		return nil, fault.Forbiddenf("%d dimensions span %g combinations of categories; use fewer dimensions", dims, product)
	}
	codes := make([]int64, 0, len(a)+len(b)+len(shared))
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N == 0 {
				continue
			}
			var code int64
			for d, category := range cells[i].Key {
				code = code*int64(len(index[d].levels)) + int64(index[d].of(category))
			}
			codes = append(codes, code)
		}
	}
	strata, stratumOf := t.number(codes, int64(product))
	t.a, t.b = make([]sums, strata), make([]sums, strata)
	if clustered {
		t.cluster = indexClusters(sides)
		t.clusters = len(t.cluster.levels)
	}
	next := 0
	place := func(cells []Cell, into []sums, total *sums) (placed []clusteredCell) {
		if clustered {
			placed = make([]clusteredCell, 0, len(cells))
		}
		for i := range cells {
			c := &cells[i]
			if c.N == 0 {
				continue
			}
			s := stratumOf(codes[next])
			next++
			v := sums{c.N, c.Sum, c.SumSq}
			into[s].add(v)
			total.add(v)
			if clustered {
				placed = append(placed, clusteredCell{int32(s), int32(t.cluster.of(c.Cluster)), v})
			}
		}
		return placed
	}
	t.cellsA = place(a, t.a, &t.totalA)
	t.cellsB = place(b, t.b, &t.totalB)
	if next < len(codes) {
		var total sums
		t.shared = make([]sums, strata)
		place(shared, t.shared, &total)
		for s, v := range t.shared {
			if v.n > t.a[s].n || v.n > t.b[s].n {
				return nil, fault.Invalidf("%g observations of %s are said to be in both cohorts, which have %g and %g", v.n,
					keyName(dimensions, t.key(s)), t.a[s].n, t.b[s].n)
			}
		}
	}
	t.nA, t.nB = t.totalA.n, t.totalB.n
	return t, nil
}

// number gives the codes that occur consecutive numbers in ascending order, fills t.level, and
// returns how many they are and the function from code to number.
func (t *crossTab) number(codes []int64, product int64) (strata int, of func(code int64) int) {
	appendLevels := func(code int64) {
		start := len(t.level)
		for range t.dims {
			t.level = append(t.level, 0)
		}
		for d := t.dims - 1; d >= 0; d-- {
			n := int64(len(t.levels[d]))
			t.level[start+d] = int32(code % n)
			code /= n
		}
	}
	if product <= maxCombinations {
		number := make([]int32, product)
		for _, code := range codes {
			number[code] = 1
		}
		for code := range number {
			if number[code] == 1 {
				number[code] = int32(strata)
				strata++
				appendLevels(int64(code))
			}
		}
		return strata, func(code int64) int { return int(number[code]) }
	}
	sorted := slices.Clone(codes)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	for _, code := range sorted {
		appendLevels(code)
	}
	return len(sorted), func(code int64) int {
		at, _ := slices.BinarySearch(sorted, code)
		return at
	}
}

// A levelIndex finds the position of a value among those that occur.
type levelIndex struct {
	low, high int
	position  []int32 // by value - low; nil where the range is large
	levels    []int
}

// denseRange is the range of category codes up to which positions are looked up in a table.
const denseRange = 1 << 16

func (x *levelIndex) of(value int) int {
	if x.position != nil {
		return int(x.position[value-x.low])
	}
	at, _ := slices.BinarySearch(x.levels, value)
	return at
}

func (x *levelIndex) widen(value int, first bool) {
	if first {
		x.low, x.high = value, value
	}
	x.low, x.high = min(x.low, value), max(x.high, value)
}

func (x *levelIndex) open() {
	if uint64(x.high-x.low) < denseRange {
		x.position = make([]int32, x.high-x.low+1)
	}
}

func (x *levelIndex) mark(value int) {
	if x.position != nil {
		x.position[value-x.low] = 1
	} else {
		x.levels = append(x.levels, value)
	}
}

func (x *levelIndex) close() {
	if x.position == nil {
		slices.Sort(x.levels)
		x.levels = slices.Compact(x.levels)
		return
	}
	for at, present := range x.position {
		if present == 1 {
			x.position[at] = int32(len(x.levels))
			x.levels = append(x.levels, x.low+at)
		}
	}
}

// indexLevels indexes the categories of every dimension that have observations.
func indexLevels(sides [][]Cell, dims int) []levelIndex {
	index := make([]levelIndex, dims)
	first := true
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N == 0 {
				continue
			}
			for d, category := range cells[i].Key {
				index[d].widen(category, first)
			}
			first = false
		}
	}
	if first {
		return index
	}
	for d := range index {
		index[d].open()
	}
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N == 0 {
				continue
			}
			for d, category := range cells[i].Key {
				index[d].mark(category)
			}
		}
	}
	for d := range index {
		index[d].close()
	}
	return index
}

func indexClusters(sides [][]Cell) (x levelIndex) {
	first := true
	for _, cells := range sides {
		for i := range cells {
			x.widen(cells[i].Cluster, first)
			first = false
		}
	}
	x.open()
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N > 0 {
				x.mark(cells[i].Cluster)
			}
		}
	}
	x.close()
	return x
}

// An influence says how single observations move an estimate: an observation y in stratum s of a
// cohort of n moves it by (constant[s] + slope[s]·y)/n. It is what a variance is made of, also
// where the cohorts share observations.
type influence struct {
	constantA, slopeA []float64
	constantB, slopeB []float64
}

func newInfluence(strata int) *influence {
	backing := make([]float64, 4*strata)
	return &influence{backing[:strata], backing[strata : 2*strata], backing[2*strata : 3*strata], backing[3*strata:]}
}

// variance of the estimate with this influence, observations independent: those in both cohorts count
// once, with their influence through either.
func (t *sample) variance(f *influence) float64 {
	var va, vb, cov float64
	for s := range t.a {
		a, b := &t.a[s], &t.b[s]
		ca, sa, cb, sb := f.constantA[s], f.slopeA[s], f.constantB[s], f.slopeB[s]
		va += leftOf(ca*(ca*a.n+2*sa*a.y)+sa*sa*a.q, sa*sa*a.q)
		vb += leftOf(cb*(cb*b.n+2*sb*b.y)+sb*sb*b.q, sb*sb*b.q)
	}
	for s, v := range t.shared {
		ca, sa, cb, sb := f.constantA[s], f.slopeA[s], f.constantB[s], f.slopeB[s]
		cov += ca*cb*v.n + (ca*sb+cb*sa)*v.y + sa*sb*v.q
	}
	va, vb = va/(t.nA*t.nA), vb/(t.nB*t.nB)
	return leftOf(va+vb+2*cov/(t.nA*t.nB), va+vb)
}

// mergeCells adds up the cells of each cohort by key, for what does not read clusters.
func mergeCells(a, b []Cell) (mergedA, mergedB []Cell, err error) {
	t, err := crossTabulate(a, b, nil, nil, false)
	if err != nil {
		return nil, nil, err
	}
	mergedA, mergedB = t.merged()
	return mergedA, mergedB, nil
}

// merged are the cells of each cohort by key, whatever their cluster.
func (t *crossTab) merged() (a, b []Cell) {
	for i := range t.a {
		key := t.key(i)
		if v := t.a[i]; v.n > 0 {
			a = append(a, Cell{Key: key, N: v.n, Sum: v.y, SumSq: v.q})
		}
		if v := t.b[i]; v.n > 0 {
			b = append(b, Cell{Key: key, N: v.n, Sum: v.y, SumSq: v.q})
		}
	}
	return a, b
}

// members are what clusters have of the merged cells, those of the second cohort after those of the first.
func (t *crossTab) members() []member {
	row := make([]int32, 2*len(t.a))
	next := int32(0)
	for side, of := range [][]sums{t.a, t.b} {
		for i, v := range of {
			if v.n > 0 {
				row[side*len(t.a)+i] = next
				next++
			}
		}
	}
	out := make([]member, 0, len(t.cellsA)+len(t.cellsB))
	for side, cells := range [][]clusteredCell{t.cellsA, t.cellsB} {
		for _, c := range cells {
			out = append(out, member{row[side*len(t.a)+int(c.stratum)], c.cluster, c.n, c.y})
		}
	}
	return out
}
