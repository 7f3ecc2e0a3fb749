package cells_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

// A roll-up whatever its size, the number of its keys and the width of its numbers, answers what adding up
// its rows one by one does, and so does a coarser one made of it.
func TestRollupsOfAnySize(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	c := inForce(t)
	poor, err := c.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	income, err := c.Measure("EQUIVALISED_INCOME")
	if err != nil {
		t.Fatal(err)
	}
	q := cells.Observations{Table: c.CohortTable("children"), Indicators: []*contract.Indicator{poor},
		Measures: []*contract.Measure{income}}
	by := make([]*contract.Dimension, 4)
	for i, name := range []string{"YEAR", "AGE", "SEX", "ORIGIN"} {
		if by[i], err = c.Dimension(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		rows   int
		keys   [4]int32 // how many there are of each dimension
		sorted bool
		widths []int // of the columns of codes, in bytes
	}{
		{0, [4]int32{1, 1, 1, 1}, true, []int{1, 1, 1, 1}},
		{1, [4]int32{1, 1, 2, 3}, true, []int{1, 1, 1, 1}},
		{5000, [4]int32{8, 7, 2, 3}, true, []int{1, 1, 1, 1}},
		{5000, [4]int32{300, 256, 2, 3}, true, []int{2, 1, 1, 1}},
		{60_000, [4]int32{8, 100_000, 2, 3}, false, []int{1, 2, 1, 1}}, // more combinations than a table holds
		{300_000, [4]int32{8, 300, 2, 3}, true, []int{1, 2, 1, 1}},     // enough for two processors
		{300_000, [4]int32{3, 70_000, 2, 3}, false, []int{1, 4, 1, 1}},
	} {
		w := &wide{by: by, rows: make([]wideRow, test.rows)}
		for i := range w.rows {
			row := &w.rows[i]
			for k, n := range test.keys {
				row.key[k] = random.Int32N(n)
				if k == 1 && n > 2 {
					row.key[k] = 2*row.key[k] - n // some below zero, some far above
				}
				if k == 2 && row.key[k] == 1 {
					row.key[k] = cells.None
				}
			}
			row.sums = [7]int64{1, random.Int64N(250), random.Int64N(60_000), random.Int64N(1 << 31), random.Int64N(9),
				random.Int64N(1<<50) - 1<<49, random.Int64N(2)}
			row.square = cells.Square{High: random.Uint64() >> 20, Low: random.Uint64()}
		}
		if test.sorted {
			slices.SortFunc(w.rows, func(a, b wideRow) int { return slices.CompareFunc(a.key[:], b.key[:], cells.CompareKeys) })
		}
		r := w.rollup(q, test.widths, t)
		for range 6 {
			q := q
			for _, k := range random.Perm(4)[:random.IntN(5)] {
				q.By = append(q.By, by[k])
			}
			for _, k := range random.Perm(2)[:random.IntN(3)] {
				from := int(random.Int32N(test.keys[k]))
				to := from + random.IntN(int(test.keys[k]))
				q.Where = q.Where.And(cells.Condition{Dimension: by[k], From: &from, To: &to})
			}
			if random.IntN(3) == 0 {
				q.Where = q.Where.And(cells.Condition{Dimension: by[3], Positions: []int{2, 0}})
			}
			name := fmt.Sprintf("%d rows, %s", test.rows, q)
			want := w.count(q)
			sameCells(t, name, r, q, want)
			coarse, err := r.Coarsen(context.Background(), cells.Union(nil, q.Reads()), q.Sums())
			if err != nil {
				t.Fatal(err)
			}
			sameCells(t, name+", coarsened", coarse, q, want)
			if q.MaxCells = len(want) - 1; q.MaxCells > 0 {
				if _, err := r.Answer(context.Background(), q, nil); err == nil {
					t.Errorf("%s: %d cells were given", name, len(want))
				}
			}
		}
		done, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := r.Answer(done, q, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%d rows, cancelled, gave %v", test.rows, err)
		}
	}
}

type wideRow struct {
	key    [4]int32
	sums   [7]int64 // as Observations.Sums, but that of squares
	square cells.Square
}

type wide struct {
	by   []*contract.Dimension
	rows []wideRow
}

// rollup holds the rows by column, given in parts as they are read from a file.
func (w *wide) rollup(q cells.Observations, widths []int, t *testing.T) *cells.Rollup {
	r := &cells.Rollup{Table: q.Table, Rows: len(w.rows), Keys: map[*contract.Dimension]*cells.Column{},
		Sums: map[cells.Summed]*cells.Numbers{}, Squares: map[cells.Summed]*cells.SquareList{}}
	parts := slices.Collect(slices.Chunk(w.rows, 1500))
	for k, d := range w.by {
		var keys cells.Keys
		for _, part := range parts {
			var list []int32
			for _, row := range part {
				list = append(list, row.key[k])
			}
			keys.Append(list, len(w.rows))
		}
		r.Keys[d] = keys.Column()
		if got := r.Keys[d].CodeBytes(); got != widths[k] {
			t.Errorf("%s of %d values has codes of %d bytes, want %d", d.Name, len(r.Keys[d].Values), got, widths[k])
		}
	}
	at := 0
	for _, sum := range q.Sums() {
		if sum.Kind == cells.Squares {
			r.Squares[sum.Summed] = new(cells.SquareList)
		} else {
			r.Sums[sum.Summed] = new(cells.Numbers)
		}
		for _, part := range parts {
			var numbers []int64
			var squares []cells.Square
			for _, row := range part {
				numbers, squares = append(numbers, row.sums[at]), append(squares, row.square)
			}
			if sum.Kind == cells.Squares {
				r.Squares[sum.Summed].Append(squares, len(w.rows))
			} else {
				r.Sums[sum.Summed].Append(numbers, 0)
			}
		}
		if sum.Kind != cells.Squares {
			at++
		}
	}
	return r
}

// count adds up the rows one by one.
func (w *wide) count(q cells.Observations) []cells.Cell {
	type key = [4]int32
	found := map[key]*cells.Cell{}
next:
	for _, row := range w.rows {
		for _, k := range q.Where.Conditions {
			if !k.Holds(row.key[slices.Index(w.by, k.Dimension)], nil) {
				continue next
			}
		}
		var at key
		for k, d := range q.By {
			at[k] = row.key[slices.Index(w.by, d)]
		}
		c := found[at]
		if c == nil {
			c = &q.New(1)[0]
			copy(c.Key, at[:])
			found[at] = c
		}
		c.N.Value += row.sums[0]
		i, m := &c.Indicators[0], &c.Measures[0]
		i.N.Value, i.Y.Value, i.Unknown.Value = i.N.Value+row.sums[1], i.Y.Value+row.sums[2], i.Unknown.Value+row.sums[3]
		m.N.Value, m.Sum, m.SumSq = m.N.Value+row.sums[4], m.Sum+row.sums[5], m.SumSq.Plus(row.square)
		m.Unknown.Value += row.sums[6]
	}
	var out []cells.Cell
	for c := range maps.Values(found) {
		out = append(out, *c)
	}
	if len(q.By) == 0 && len(out) == 0 {
		return q.New(1)
	}
	cells.Sort(out)
	return out
}

func sameCells(t *testing.T, name string, r *cells.Rollup, q cells.Observations, want []cells.Cell) {
	t.Helper()
	got, err := r.Answer(context.Background(), q, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d cells, want %d", name, len(got), len(want))
	}
	for i, c := range got {
		if w := want[i]; !slices.Equal(c.Key, w.Key) || c.N != w.N || c.Indicators[0] != w.Indicators[0] ||
			c.Measures[0] != w.Measures[0] {
			t.Fatalf("%s: cell %d is\n%+v\nwant\n%+v", name, i, c, w)
		}
	}
}
