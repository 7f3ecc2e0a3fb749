// Package cells is the line below which persons are: what crosses it is a Table of counts and sums
// by codes. A Source counts; everything above it reasons about counts and sees no person, no SQL and
// no engine. Every number in a cell adds up (the two largest contributors merge), so that a coarse
// table is made of a finer one.
package cells

import (
	"cmp"
	"context"
	"math/big"
	"math/bits"
	"slices"

	"github.com/kvarter/kvarter/internal/contract"
)

// Source counts. A snapshot read by DuckDB is one; rules that hide small counts decorate another.
// It is safe for concurrent use.
type Source interface {
	// Catalogue says what the data set records. Nothing in it counts people.
	Catalogue() *Catalogue
	// Tables answers all that one request asks, in the order of the queries, so that what they have in
	// common is counted once and what one would give away of another can be seen. A query that fails
	// leaves the others their answers. Cancelling ctx ends the work; what was counted by then is kept.
	Tables(ctx context.Context, queries []Query) []Answer
}

// Answer is the table of a query, or why there is none.
type Answer struct {
	Table *Table
	Err   error
}

// One asks a source for a single table.
func One(ctx context.Context, s Source, q Query) (*Table, error) {
	a := s.Tables(ctx, []Query{q})[0]
	return a.Table, a.Err
}

// Table is the answer to a Query.
type Table struct {
	Keys  []Key
	Cells []Cell // in the order of their keys
	// Per Cell.Indicators and Cell.Measures, of a table of Observations.
	Indicators []*contract.Indicator
	Measures   []*contract.Measure
}

// Key is what a table is split by.
type Key struct {
	Name      string
	Dimension *contract.Dimension // of Observations: keys are integers, places of codes, or places of areas
	Values    []string            // where keys are places of texts of the data
}

// Dimensions returns the dimensions of the keys.
func (t *Table) Dimensions() []*contract.Dimension {
	out := make([]*contract.Dimension, len(t.Keys))
	for i, k := range t.Keys {
		out[i] = k.Dimension
	}
	return out
}

// Cell is one combination of keys with what is counted and summed over it.
type Cell struct {
	Key        []int32 // per Table.Keys; None where there is no value
	N          Count   // observations, persons, participations or answers, as the query says
	Indicators []Tally
	Measures   []Moments
	Weight     float64  // of answers: the sum of their weights
	Figures    []Figure // of KeyFigures: per FigureColumns
}

// None is the key of an observation that has no value of a dimension.
const None int32 = -1 << 31

// Status says what became of a count on its way out.
type Status uint8

// The statuses. Of a sum, that of the least known part.
const (
	Observed  Status = iota // as it is in the data
	Protected               // moved by protection; Variance says how far
	Hidden                  // not given; Value says nothing
)

// Count is a number of observations.
type Count struct {
	Value    int64
	Variance float64 // that protection added; 0 where it is as counted
	Status   Status
}

// Plus adds a count of others.
func (c Count) Plus(o Count) Count {
	return Count{Value: c.Value + o.Value, Variance: c.Variance + o.Variance, Status: max(c.Status, o.Status)}
}

// Float is the value for arithmetic.
func (c Count) Float() float64 { return float64(c.Value) }

// Tally counts an indicator within a cell.
type Tally struct {
	N       Count // in the denominator, value known
	Y       Count // of them with the indicator
	Unknown Count // in the denominator, or perhaps in it, value unknown
}

// Plus adds the counts of others.
func (t Tally) Plus(o Tally) Tally {
	return Tally{N: t.N.Plus(o.N), Y: t.Y.Plus(o.Y), Unknown: t.Unknown.Plus(o.Unknown)}
}

// Moments are the sums of a measure within a cell, in the measure's unit.
type Moments struct {
	N       Count // observations with a known value
	Sum     int64 // Σx
	SumSq   Square
	Unknown Count
	// The two largest contributions to Sum that one observation makes, the largest first, where the query
	// asks for them; 0 in the place of one that is not there, as of a cell with N 1. They merge with those
	// of other cells, though they do not add.
	Largest [2]int64
}

// Plus adds the sums of others.
func (m Moments) Plus(o Moments) Moments {
	out := Moments{N: m.N.Plus(o.N), Sum: m.Sum + o.Sum, SumSq: m.SumSq.Plus(o.SumSq),
		Unknown: m.Unknown.Plus(o.Unknown)}
	largest := slices.Concat(m.largest(), o.largest())
	slices.SortFunc(largest, func(a, b int64) int { return cmp.Compare(b, a) })
	copy(out.Largest[:], largest)
	return out
}

// largest returns those of Largest that are there: a negative contribution is larger than none.
func (m *Moments) largest() []int64 { return m.Largest[:min(max(m.N.Value, 0), 2)] }

// Square is a sum of squares Σx², exact: 128 bits, since squares of kroner over a country pass 64.
type Square struct{ High, Low uint64 }

// Plus adds another sum.
func (s Square) Plus(o Square) Square {
	low, carry := bits.Add64(s.Low, o.Low, 0)
	return Square{High: s.High + o.High + carry, Low: low}
}

// Float is the nearest double.
func (s Square) Float() float64 {
	if s.High == 0 {
		return float64(s.Low)
	}
	x := new(big.Int).Lsh(new(big.Int).SetUint64(s.High), 64)
	out, _ := x.Add(x, new(big.Int).SetUint64(s.Low)).Float64()
	return out
}

// SquareOf is the sum that the integer is; it must not be negative and fit 128 bits.
func SquareOf(x *big.Int) Square {
	low := new(big.Int).And(x, new(big.Int).SetUint64(1<<64-1))
	return Square{High: new(big.Int).Rsh(x, 64).Uint64(), Low: low.Uint64()}
}

// Figure is a figure that a publication gives of an area in a year.
type Figure struct {
	Value float64 // NaN where none was published
	Count         // of residents or children: status and variance; its Value is not used
}

// add adds the counts and sums of others; what is added to must be the cell's own.
func (c *Cell) add(o Cell) {
	c.N, c.Weight = c.N.Plus(o.N), c.Weight+o.Weight
	for i := range c.Indicators {
		c.Indicators[i] = c.Indicators[i].Plus(o.Indicators[i])
	}
	for i := range c.Measures {
		c.Measures[i] = c.Measures[i].Plus(o.Measures[i])
	}
}

// Plus returns the cell of both; its key is that of c.
func (c Cell) Plus(o Cell) Cell {
	c.Indicators, c.Measures = slices.Clone(c.Indicators), slices.Clone(c.Measures)
	c.add(o)
	return c
}

// Total returns all cells as one; its key is empty.
func (t *Table) Total() Cell { return t.TotalOf(func(Cell) bool { return true }) }

// TotalOf returns the cells that keep holds for as one; its key is empty.
func (t *Table) TotalOf(keep func(Cell) bool) Cell {
	total := Cell{Indicators: make([]Tally, len(t.Indicators)), Measures: make([]Moments, len(t.Measures))}
	if len(t.Cells) > 0 { // the measures of participants are not among those of the contract
		total.Measures = make([]Moments, len(t.Cells[0].Measures))
	}
	for _, c := range t.Cells {
		if keep(c) {
			total.add(c)
		}
	}
	return total
}

// Coarsen returns the table split only by the keys at those places, in that order.
func (t *Table) Coarsen(places []int) *Table {
	out := &Table{Indicators: t.Indicators, Measures: t.Measures}
	for _, p := range places {
		out.Keys = append(out.Keys, t.Keys[p])
	}
	if len(places) == 0 {
		out.Cells = []Cell{t.Total()}
		return out
	}
	at := map[string]int{}
	var name []byte
	for _, c := range t.Cells {
		key := make([]int32, len(places))
		name = name[:0]
		for i, p := range places {
			key[i] = c.Key[p]
			name = append(name, byte(key[i]), byte(key[i]>>8), byte(key[i]>>16), byte(key[i]>>24))
		}
		i, ok := at[string(name)]
		if !ok {
			at[string(name)] = len(out.Cells)
			c.Key, c.Indicators, c.Measures = key, slices.Clone(c.Indicators), slices.Clone(c.Measures)
			out.Cells = append(out.Cells, c)
			continue
		}
		out.Cells[i].add(c)
	}
	Sort(out.Cells)
	return out
}

// Sort puts cells in the order of their keys.
func Sort(list []Cell) {
	slices.SortFunc(list, func(a, b Cell) int { return slices.CompareFunc(a.Key, b.Key, CompareKeys) })
}

// Within returns the cells whose first key is that, without it.
func (t *Table) Within(first int32) *Table {
	out := &Table{Keys: t.Keys[1:], Indicators: t.Indicators, Measures: t.Measures}
	from, _ := slices.BinarySearchFunc(t.Cells, first, func(c Cell, k int32) int { return CompareKeys(c.Key[0], k) })
	for _, c := range t.Cells[from:] {
		if c.Key[0] != first {
			break
		}
		c.Key = c.Key[1:]
		out.Cells = append(out.Cells, c)
	}
	if len(out.Keys) == 0 && len(out.Cells) == 0 {
		out.Cells = []Cell{out.Total()} // a cohort that is not split is a cell, be it empty
	}
	return out
}

// Select returns the table with those indicators and measures, which it must have, and no others.
func (t *Table) Select(indicators []*contract.Indicator, measures []*contract.Measure) *Table {
	if slices.Equal(t.Indicators, indicators) && slices.Equal(t.Measures, measures) {
		return t
	}
	out := &Table{Keys: t.Keys, Cells: slices.Clone(t.Cells), Indicators: indicators, Measures: measures}
	is, ms := places(t.Indicators, indicators), places(t.Measures, measures)
	tallies, moments := make([]Tally, len(t.Cells)*len(is)), make([]Moments, len(t.Cells)*len(ms))
	for k := range out.Cells {
		c := &out.Cells[k]
		from := *c
		c.Indicators, tallies = cut(tallies, len(is))
		c.Measures, moments = cut(moments, len(ms))
		for i, at := range is {
			c.Indicators[i] = from.Indicators[at]
		}
		for i, at := range ms {
			c.Measures[i] = from.Measures[at]
		}
	}
	return out
}

func places[T comparable](list, of []T) []int {
	return mapped(of, func(x T) int { return slices.Index(list, x) })
}

// CompareKeys orders keys, those without a value last.
func CompareKeys(a, b int32) int {
	switch {
	case a == b:
		return 0
	case a == None:
		return 1
	case b == None:
		return -1
	}
	return cmp.Compare(a, b)
}
