package cells

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kvarter/kvarter/internal/contract"
)

// Rows are counted in blocks, which with what is noted of their rows fit the first-level cache of a
// processor. Of each block it is known which codes it has, so that a filter leaves out most blocks of a
// roll-up whose rows are in the order of what it filters by.
const (
	blockRows = 2048
	// A processor takes blocks of some stretch of rows at a time, and another processor joins for so
	// many stretches: less is counted before it has begun.
	stretch        = 16 // blocks
	stretchesEach  = 4
	leastTableRoom = 1 << 12
	// Runs of fewer rows cost more to begin than it saves to add them up apart from others.
	longRun = 4
)

// span is the lowest and the highest of some codes.
type span struct{ low, high uint32 }

// batch is the rows of a block that are counted.
type batch struct {
	from, to int
	rows     []uint16 // those that are kept, counted from the first; nil: all
	groups   []uint32 // of each of them
	runs     []uint16 // where a run of one group begins, and where the last ends; nil if runs are short
}

// splitter says which rows of a roll-up are counted, and in which group each is. The id of a group is made
// of the places of its keys, so that ids are in the order of keys.
type splitter struct {
	rows  int
	by    []split
	where []sieve
	ids   uint64 // how many there can be
}

type split struct {
	column *Column
	stride uint64
	places []uint64 // by code: what its key adds to the id
}

type sieve struct {
	column *Column
	keeps  []uint8 // by code: 1 or 0
	before []int32 // by code: how many codes below it are kept
}

func (r *Rollup) splitter(by []*contract.Dimension, where Filter, areas []*Area) (*splitter, error) {
	p := &splitter{rows: r.Rows, by: make([]split, len(by)), where: make([]sieve, len(where.Conditions)), ids: 1}
	for i, d := range slices.Backward(by) {
		column := r.Keys[d]
		s := split{column, p.ids, make([]uint64, len(column.ranks))}
		for code, rank := range column.ranks {
			s.places[code] = uint64(rank) * p.ids
		}
		p.by[i] = s
		over, ids := bits.Mul64(p.ids, uint64(max(len(column.Values), 1)))
		if over > 0 {
			return nil, fmt.Errorf("%d dimensions have more combinations of keys than 64 bits tell apart", len(by))
		}
		p.ids = ids
	}
	for i, c := range where.Conditions {
		column := r.Keys[c.Dimension]
		s := sieve{column, make([]uint8, len(column.ranks)), make([]int32, len(column.ranks)+1)}
		for code, rank := range column.ranks {
			if c.Holds(column.Values[rank], areas) {
				s.keeps[code] = 1
			}
			s.before[code+1] = s.before[code] + int32(s.keeps[code])
		}
		p.where[i] = s
	}
	return p, nil
}

// blocks returns the blocks that may have a row that is kept.
func (p *splitter) blocks() []int {
	out := make([]int, 0, (p.rows+blockRows-1)/blockRows)
next:
	for block := range (p.rows + blockRows - 1) / blockRows {
		for _, s := range p.where {
			if kept, _ := s.keptOf(block); kept == 0 {
				continue next
			}
		}
		out = append(out, block)
	}
	return out
}

// keptOf returns how many codes between the lowest and the highest of the block are kept, of how many.
func (s *sieve) keptOf(block int) (kept, of int) {
	at := s.column.spans[block]
	return int(s.before[at.high+1] - s.before[at.low]), int(at.high-at.low) + 1
}

// key returns the key that a group has in one of the dimensions.
func (s *split) key(id uint64) int32 {
	return s.column.Values[id/s.stride%uint64(len(s.column.Values))]
}

// groups are those that rows were found in, numbered in the order they were found, with their sums.
type groups struct {
	ids   []uint64
	table []uint32 // by id: the number of the group, counted from 1; nil if there can be too many
	slots []uint32 // else the same by hash, a power of two of them, half of them empty at least
	sums  [][]int64
}

func (p *splitter) groups(rows, sums int) *groups {
	g := &groups{sums: make([][]int64, sums)}
	if p.ids <= uint64(max(leastTableRoom, 2*rows)) {
		g.table = make([]uint32, p.ids)
	} else {
		g.slots = make([]uint32, leastTableRoom)
	}
	return g
}

// number returns the number of the group with that id.
func (g *groups) number(id uint64) uint32 {
	at := g.slot(id)
	if *at == 0 {
		g.ids = append(g.ids, id)
		*at = uint32(len(g.ids))
		if g.table == nil && 2*len(g.ids) > len(g.slots) {
			g.slots = make([]uint32, 2*len(g.slots))
			for i, id := range g.ids {
				*g.slot(id) = uint32(i + 1)
			}
			return uint32(len(g.ids) - 1)
		}
	}
	return *at - 1
}

func (g *groups) slot(id uint64) *uint32 {
	if g.table != nil {
		return &g.table[id]
	}
	// Knuth's multiplicative hash: the upper bits of the product with 2^64 over the golden ratio.
	at := id * 0x9e3779b97f4a7c15 >> (bits.LeadingZeros64(uint64(len(g.slots))) + 1)
	for {
		at &= uint64(len(g.slots) - 1)
		if s := g.slots[at]; s == 0 || g.ids[s-1] == id {
			return &g.slots[at]
		}
		at++
	}
}

// grow makes room for the sums of groups that were found since.
func (g *groups) grow() {
	for k, sums := range g.sums {
		g.sums[k] = append(sums, make([]int64, len(g.ids)-len(sums))...)
	}
}

// add adds the groups of others.
func (g *groups) add(o *groups) {
	numbers := make([]uint32, len(o.ids))
	for i, id := range o.ids {
		numbers[i] = g.number(id)
	}
	g.grow()
	for k, sums := range o.sums {
		for i, sum := range sums {
			g.sums[k][numbers[i]] += sum
		}
	}
}

// order returns the groups in the order of their ids.
func (g *groups) order() []uint32 {
	out := make([]uint32, 0, len(g.ids))
	if g.table != nil {
		for _, number := range g.table {
			if number > 0 {
				out = append(out, number-1)
			}
		}
		return out
	}
	for i := range g.ids {
		out = append(out, uint32(i))
	}
	slices.SortFunc(out, func(a, b uint32) int { return cmp.Compare(g.ids[a], g.ids[b]) })
	return out
}

// each gives the sums, over the groups in that order: numbers or squares. The columns that were summed are
// those of Rollup.columns.
func (g *groups) each(sums []Sum, order []uint32, numbers func(Sum, []int64), squares func(Sum, []Square)) {
	at := 0
	column := func() []int64 {
		out := make([]int64, len(order))
		for i, group := range order {
			out[i] = g.sums[at][group]
		}
		at++
		return out
	}
	for _, sum := range sums {
		if sum.Kind != Squares {
			numbers(sum, column())
			continue
		}
		low, middle, high := column(), column(), column()
		list := make([]Square, len(order))
		for i := range list {
			list[i] = squareOfParts(low[i], middle[i], high[i])
		}
		squares(sum, list)
	}
}

// desk is what one processor counts a block on.
type desk struct {
	rows   [blockRows]uint16
	ids    [blockRows]uint64
	groups [blockRows]uint32
	runs   [blockRows + 1]uint16
}

var desks = sync.Pool{New: func() any { return new(desk) }}

// every row of a block, counted from its first.
var every = func() (out [blockRows]uint16) {
	for i := range out {
		out[i] = uint16(i)
	}
	return out
}()

// count counts the rows that are kept: the groups with their sums of each column. check says whether so
// many groups are too many.
func (p *splitter) count(ctx context.Context, columns []numbers, check func(groups int) error) (*groups, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	blocks := p.blocks()
	stretches := (len(blocks) + stretch - 1) / stretch
	workers := max(1, min(runtime.GOMAXPROCS(0), stretches/stretchesEach))
	parts := make([]*groups, workers)
	var next atomic.Int64
	work := func(ctx context.Context, g *groups) error {
		d := desks.Get().(*desk)
		defer desks.Put(d)
		for {
			at := int(next.Add(1)) - 1
			if at >= stretches {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			for _, block := range blocks[at*stretch : min((at+1)*stretch, len(blocks))] {
				p.countBlock(block, columns, g, d)
			}
			if err := check(len(g.ids)); err != nil {
				return err
			}
		}
	}
	for i := range parts {
		parts[i] = p.groups(len(blocks)*blockRows, len(columns))
	}
	if workers == 1 {
		return parts[0], work(ctx, parts[0])
	}
	group, within := errgroup.WithContext(ctx)
	for _, g := range parts {
		group.Go(func() error { return work(within, g) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, g := range parts[1:] {
		parts[0].add(g)
	}
	return parts[0], check(len(parts[0].ids))
}

func (p *splitter) countBlock(block int, columns []numbers, g *groups, d *desk) {
	b := batch{from: block * blockRows, to: min((block+1)*blockRows, p.rows)}
	n := b.to - b.from
	for i := range p.where {
		s := &p.where[i]
		if kept, of := s.keptOf(block); kept == of {
			continue
		}
		if b.rows == nil {
			b.rows = d.rows[:copy(d.rows[:n], every[:n])]
		}
		s.column.codes.sift(&b, s.keeps)
		if n = len(b.rows); n == 0 {
			return
		}
	}
	p.group(block, &b, n, g, d)
	g.grow()
	for k, column := range columns {
		column.sum(g.sums[k], &b)
	}
}

// group says in which group each of the n rows of the block is that are kept.
func (p *splitter) group(block int, b *batch, n int, g *groups, d *desk) {
	var same uint64 // what the ids of all rows have in common
	varies := false
	for _, s := range p.by {
		if at := s.column.spans[block]; at.low == at.high {
			same += s.places[at.low]
		} else {
			varies = true
		}
	}
	if !varies {
		d.groups[0], d.runs[0], d.runs[1] = g.number(same), 0, uint16(n)
		b.groups, b.runs = d.groups[:1], d.runs[:2]
		return
	}
	ids := d.ids[:n]
	for i := range ids {
		ids[i] = same
	}
	for _, s := range p.by {
		if at := s.column.spans[block]; at.low < at.high {
			s.column.codes.place(ids, b, s.places)
		}
	}
	b.groups = d.groups[:n]
	var group uint32
	runs := 0
	for i, id := range ids {
		if i == 0 || id != ids[i-1] {
			group = g.number(id)
			d.runs[runs] = uint16(i)
			runs++
		}
		b.groups[i] = group
	}
	if runs*longRun <= n {
		d.runs[runs] = uint16(n)
		b.runs = d.runs[:runs+1]
	}
}
