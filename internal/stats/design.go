package stats

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"

	"github.com/kvarter/kvarter/internal/fault"
)

// Dimension names a position of Cell.Key and its categories, for the terms of a regression and
// for warnings. Without it they are called "dimension 1" and "3".
type Dimension struct {
	Name  string
	Codes []string // by category index
}

// Pattern is one row of a regression: covariates, and the sums of the observations that have
// them. A single observation y is N = 1, Sum = y, SumSq = y².
type Pattern struct {
	X       []float64 // one value per term of the design, the constant's 1 among them
	Cluster int
	N       float64
	Sum     float64
	SumSq   float64
}

// Term is a column of a design, or in decompositions a category or a sum over categories.
type Term struct {
	Name      string
	Dimension int // position in Cell.Key; -1 for the constant, the group, and free columns
	Category  int // category index; -1 where the term is no single category
}

// Factor is a categorical variable in a design: its categories but one have a column of zeros and
// ones, the base has none.
type Factor struct {
	Name    string
	Columns []int // of the categories other than the base
	Base    Term  // what the base is called
}

// Design names the columns of a regression. The first is the constant.
type Design struct {
	Terms      []Term
	Factors    []Factor
	dimensions []Dimension
	levels     [][]int // by dimension: categories in ascending order, the base first
	columns    [][]int // by dimension and level: its column, -1 for the base
	group      int     // column of the group indicator, 0 if there is none
}

// name returns how to speak of dimension d.
func dimensionName(dimensions []Dimension, d int) string {
	if d >= 0 && d < len(dimensions) && dimensions[d].Name != "" {
		return dimensions[d].Name
	}
	return "dimension " + strconv.Itoa(d+1)
}

func categoryName(dimensions []Dimension, d, category int) string {
	if d >= 0 && d < len(dimensions) && category >= 0 && category < len(dimensions[d].Codes) {
		return dimensions[d].Codes[category]
	}
	return strconv.Itoa(category)
}

func keyName(dimensions []Dimension, key []int) string {
	s := ""
	for d, category := range key {
		if d > 0 {
			s += ", "
		}
		s += dimensionName(dimensions, d) + " " + categoryName(dimensions, d, category)
	}
	return s
}

// checkCells reports cells that hold no sums, and keys of different lengths. It returns the
// number of dimensions.
func checkCells(sides ...[]Cell) (dims int, err error) {
	dims = -1
	for _, cells := range sides {
		for _, c := range cells {
			if dims == -1 {
				dims = len(c.Key)
			}
			if len(c.Key) != dims {
				return 0, fault.Invalidf("cells of %d and of %d dimensions cannot be compared", dims, len(c.Key))
			}
			if !(c.N >= 0) || math.IsInf(c.N, 0) || math.IsNaN(c.Sum+c.SumSq) || math.IsInf(c.Sum+c.SumSq, 0) {
				return 0, fault.Invalidf("cell %v holds n = %g, Σx = %g, Σx² = %g; n must be at least 0 and all must be finite",
					c.Key, c.N, c.Sum, c.SumSq)
			}
		}
	}
	return max(dims, 0), nil
}

// NewDesign makes a design with a constant and, for each dimension of the cells, a column per
// category but the lowest. Categories without observations on any side get none. With group a
// column that is 1 for the first side follows the constant.
func NewDesign(dimensions []Dimension, group bool, sides ...[]Cell) (Design, error) {
	dims, err := checkCells(sides...)
	if err != nil {
		return Design{}, err
	}
	d := Design{Terms: []Term{{Name: "(constant)", Dimension: -1, Category: -1}}, dimensions: dimensions}
	if group {
		d.group = 1
		d.Terms = append(d.Terms, Term{Name: "(group)", Dimension: -1, Category: -1})
	}
	for k := range dims {
		seen := map[int]bool{}
		var levels []int
		for _, cells := range sides {
			for _, c := range cells {
				if c.N > 0 && !seen[c.Key[k]] {
					seen[c.Key[k]] = true
					levels = append(levels, c.Key[k])
				}
			}
		}
		sort.Ints(levels)
		f := Factor{Name: dimensionName(dimensions, k)}
		columns := make([]int, len(levels))
		for l, category := range levels {
			term := Term{Name: f.Name + "=" + categoryName(dimensions, k, category), Dimension: k, Category: category}
			if l == 0 {
				f.Base, columns[0] = term, -1
				continue
			}
			columns[l] = len(d.Terms)
			f.Columns = append(f.Columns, len(d.Terms))
			d.Terms = append(d.Terms, term)
		}
		d.levels, d.columns = append(d.levels, levels), append(d.columns, columns)
		d.Factors = append(d.Factors, f)
	}
	return d, nil
}

// FreeDesign is a constant and one column per name, for covariates that are numbers and not
// categories.
func FreeDesign(names ...string) Design {
	d := Design{Terms: []Term{{Name: "(constant)", Dimension: -1, Category: -1}}}
	for _, name := range names {
		d.Terms = append(d.Terms, Term{Name: name, Dimension: -1, Category: -1})
	}
	return d
}

// Patterns gives the rows of the design for cells with observations; inGroup fills the group's
// column. Cells that differ in key or cluster stay apart.
func (d Design) Patterns(cells []Cell, inGroup bool) ([]Pattern, error) {
	k := len(d.Terms)
	backing := make([]float64, k*len(cells))
	patterns := make([]Pattern, 0, len(cells))
	for _, c := range cells {
		if c.N == 0 {
			continue
		}
		x := backing[:k:k]
		backing = backing[k:]
		x[0] = 1
		if d.group > 0 && inGroup {
			x[d.group] = 1
		}
		for dim, category := range c.Key {
			l, found := slices.BinarySearch(d.levels[dim], category)
			if !found {
				return nil, fault.Invalidf("%s has a category %s that the design does not know", dimensionName(d.dimensions, dim),
					categoryName(d.dimensions, dim, category))
			}
			if column := d.columns[dim][l]; column >= 0 {
				x[column] = 1
			}
		}
		patterns = append(patterns, Pattern{X: x, Cluster: c.Cluster, N: c.N, Sum: c.Sum, SumSq: c.SumSq})
	}
	return patterns, nil
}

// factorOf returns the factor that a column belongs to, or -1.
func (d Design) factorOf(column int) int {
	for f, factor := range d.Factors {
		if slices.Contains(factor.Columns, column) {
			return f
		}
	}
	return -1
}

func checkPatterns(d Design, patterns []Pattern) error {
	if len(d.Terms) == 0 {
		return fault.Invalidf("a regression needs at least a constant")
	}
	for i, p := range patterns {
		if len(p.X) != len(d.Terms) {
			return fault.Invalidf("row %d has %d covariates, the design has %d terms", i+1, len(p.X), len(d.Terms))
		}
		bad := !(p.N >= 0) || math.IsInf(p.N, 0) || math.IsNaN(p.Sum+p.SumSq) || math.IsInf(p.Sum+p.SumSq, 0)
		for _, x := range p.X {
			bad = bad || math.IsNaN(x) || math.IsInf(x, 0)
		}
		if bad {
			return fault.Invalidf("row %d is not finite: %s", i+1, fmt.Sprint(p))
		}
	}
	return nil
}
