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
	dimensions []Dimension
	dims       int
	levels     [][]int // by dimension: categories that occur, ascending
	level      []int32 // strata × dims: index into levels
	a, b       []sums
	shared     []sums
	totalA     sums
	totalB     sums
	// of the cells given, for clustered standard errors
	cellsA, cellsB []clusteredCell
	clusters       int
}

type sums struct{ n, y, q float64 }

func (s *sums) add(o sums) { s.n, s.y, s.q = s.n+o.n, s.y+o.y, s.q+o.q }

func (s sums) mean() float64 { return s.y / s.n }

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
// differ in length, sums are not finite, or more is shared than there is.
func crossTabulate(a, b, shared []Cell, dimensions []Dimension) (*crossTab, error) {
	dims, err := checkCells(a, b, shared)
	if err != nil {
		return nil, err
	}
	if dims == 0 {
		return nil, fault.Invalidf("no dimension to compare by; name at least one")
	}
	t := &crossTab{dims: dims, dimensions: dimensions, levels: make([][]int, dims)}
	sides := [][]Cell{a, b, shared}
	index := make([]levelIndex, dims)
	for d := range dims {
		index[d], t.levels[d] = indexLevels(sides, d)
	}
	product := 1.0
	for d := range dims {
		product *= float64(len(t.levels[d]))
	}
	if product > math.MaxInt64/2 {
		return nil, fault.Forbiddenf("%d dimensions span %g combinations of categories; use fewer dimensions", dims, product)
	}
	slotOf := t.slots(sides, index, int64(product))

	strata := len(t.level) / dims
	t.a, t.b = make([]sums, strata), make([]sums, strata)
	clusterIndex, clusterLevels := indexClusters(sides)
	t.clusters = len(clusterLevels)
	place := func(cells []Cell, into []sums, total *sums) []clusteredCell {
		placed := make([]clusteredCell, 0, len(cells))
		for i := range cells {
			c := &cells[i]
			if c.N == 0 {
				continue
			}
			s := slotOf(c.Key)
			v := sums{c.N, c.Sum, c.SumSq}
			into[s].add(v)
			total.add(v)
			placed = append(placed, clusteredCell{int32(s), int32(clusterIndex.of(c.Cluster)), v})
		}
		return placed
	}
	t.cellsA = place(a, t.a, &t.totalA)
	t.cellsB = place(b, t.b, &t.totalB)
	if len(shared) > 0 {
		var total sums
		t.shared = make([]sums, strata)
		place(shared, t.shared, &total)
		for s, v := range t.shared {
			if v.n > t.a[s].n || v.n > t.b[s].n {
				return nil, fault.Invalidf("%g observations of %s are said to be in both cohorts, which have %g and %g", v.n, keyName(dimensions, t.key(s)), t.a[s].n, t.b[s].n)
			}
		}
	}
	if t.totalA.n == 0 || t.totalB.n == 0 {
		return nil, fault.Invalidf("a cohort without observations cannot be compared (%s and %s observations)", formatCount(t.totalA.n), formatCount(t.totalB.n))
	}
	return t, nil
}

// slots fills t.level with the strata that occur and returns a function from keys to strata.
func (t *crossTab) slots(sides [][]Cell, index []levelIndex, product int64) func(key []int) int {
	code := func(key []int) int64 {
		var at int64
		for d, category := range key {
			at = at*int64(len(t.levels[d])) + int64(index[d].of(category))
		}
		return at
	}
	appendLevels := func(code int64) {
		start := len(t.level)
		t.level = append(t.level, make([]int32, t.dims)...)
		for d := t.dims - 1; d >= 0; d-- {
			n := int64(len(t.levels[d]))
			t.level[start+d] = int32(code % n)
			code /= n
		}
	}
	if product <= maxCombinations {
		slot := make([]int32, product)
		for _, cells := range sides {
			for i := range cells {
				if cells[i].N > 0 {
					slot[code(cells[i].Key)] = 1
				}
			}
		}
		strata := int32(0)
		for at := range slot {
			if slot[at] == 1 {
				slot[at] = strata
				strata++
				appendLevels(int64(at))
			}
		}
		return func(key []int) int { return int(slot[code(key)]) }
	}
	var codes []int64
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N > 0 {
				codes = append(codes, code(cells[i].Key))
			}
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	for _, c := range codes {
		appendLevels(c)
	}
	return func(key []int) int {
		at, _ := slices.BinarySearch(codes, code(key))
		return at
	}
}

// A levelIndex finds the position of a category among those that occur.
type levelIndex struct {
	low    int
	dense  []int32 // by category - low; used where the range is small
	levels []int
}

func (x levelIndex) of(category int) int {
	if x.dense != nil {
		return int(x.dense[category-x.low])
	}
	at, _ := slices.BinarySearch(x.levels, category)
	return at
}

func indexLevels(sides [][]Cell, d int) (levelIndex, []int) {
	return indexValues(sides, func(c *Cell) int { return c.Key[d] })
}

func indexClusters(sides [][]Cell) (levelIndex, []int) {
	return indexValues(sides, func(c *Cell) int { return c.Cluster })
}

func indexValues(sides [][]Cell, value func(c *Cell) int) (levelIndex, []int) {
	low, high, any := 0, 0, false
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N == 0 {
				continue
			}
			v := value(&cells[i])
			if !any {
				low, high, any = v, v, true
			}
			low, high = min(low, v), max(high, v)
		}
	}
	if !any {
		return levelIndex{}, nil
	}
	const denseRange = 1 << 16
	if uint64(high-low) < denseRange {
		x := levelIndex{low: low, dense: make([]int32, high-low+1)}
		for _, cells := range sides {
			for i := range cells {
				if cells[i].N > 0 {
					x.dense[value(&cells[i])-low] = 1
				}
			}
		}
		for at, present := range x.dense {
			if present == 1 {
				x.dense[at] = int32(len(x.levels))
				x.levels = append(x.levels, low+at)
			}
		}
		return x, x.levels
	}
	var x levelIndex
	for _, cells := range sides {
		for i := range cells {
			if cells[i].N > 0 {
				x.levels = append(x.levels, value(&cells[i]))
			}
		}
	}
	slices.Sort(x.levels)
	x.levels = slices.Compact(x.levels)
	return x, x.levels
}

// An influence says how single observations move an estimate: an observation y in stratum s of a
// cohort of n moves it by (constant[s] + slope[s]·y)/n. It is what a variance is made of, also
// where the cohorts share observations or observations are alike within clusters.
type influence struct {
	constantA, slopeA []float64
	constantB, slopeB []float64
}

func newInfluence(strata int) *influence {
	backing := make([]float64, 4*strata)
	return &influence{backing[:strata], backing[strata : 2*strata], backing[2*strata : 3*strata], backing[3*strata:]}
}

func (f *influence) clear() {
	clear(f.constantA)
	clear(f.slopeA)
	clear(f.constantB)
	clear(f.slopeB)
}

// variance of the estimate with this influence. Clustered: the squared sums of clusters, times
// G/(G-1). Else every observation is independent, and those in both cohorts count once, with
// their influence through either.
func (t *crossTab) variance(f *influence, clustered bool) float64 {
	na, nb := t.totalA.n, t.totalB.n
	if clustered {
		moved := make([]float64, t.clusters)
		for _, c := range t.cellsA {
			moved[c.cluster] += (c.n*f.constantA[c.stratum] + c.y*f.slopeA[c.stratum]) / na
		}
		for _, c := range t.cellsB {
			moved[c.cluster] += (c.n*f.constantB[c.stratum] + c.y*f.slopeB[c.stratum]) / nb
		}
		var v float64
		for _, m := range moved {
			v += m * m
		}
		g := float64(t.clusters)
		return v * g / (g - 1)
	}
	var va, vb, cov float64
	for s := range t.a {
		a, b := &t.a[s], &t.b[s]
		ca, sa, cb, sb := f.constantA[s], f.slopeA[s], f.constantB[s], f.slopeB[s]
		va += ca*(ca*a.n+2*sa*a.y) + sa*sa*a.q
		vb += cb*(cb*b.n+2*sb*b.y) + sb*sb*b.q
	}
	for s, v := range t.shared {
		ca, sa, cb, sb := f.constantA[s], f.slopeA[s], f.constantB[s], f.slopeB[s]
		cov += ca*cb*v.n + (ca*sb+cb*sa)*v.y + sa*sb*v.q
	}
	return va/(na*na) + vb/(nb*nb) + 2*cov/(na*nb)
}
