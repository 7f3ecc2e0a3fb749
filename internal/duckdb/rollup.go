package duckdb

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// rollup is a stored roll-up. Its columns are held in memory; one is read when a question first needs it.
type rollup struct {
	*contract.Rollup
	file string
	rows int

	mu      sync.Mutex
	columns map[string]*column // by name in the file
	told    map[*contract.Dimension]*cells.Column
	coarser []coarser // that were made of it, the last first
}

// coarser is a roll-up that was made of another. It does not change.
type coarser struct {
	by []*contract.Dimension
	*cells.Rollup
}

// column is a column of a roll-up that was asked for. It is read whether or not those who asked still
// wait: the next to ask finds it there, or under way.
type column struct {
	read    chan struct{} // closed when it has been, or could not be
	err     error
	keys    *cells.Column
	numbers cells.Numbers
	squares cells.SquareList
}

// openRollups finds the stored roll-ups in folder.
func (s *Store) openRollups(ctx context.Context, folder string) error {
	for _, recorded := range s.recordedRollups() {
		r := &rollup{Rollup: recorded, file: filepath.Join(folder, recorded.Name+".parquet"),
			columns: map[string]*column{}, told: map[*contract.Dimension]*cells.Column{}}
		if !s.sees(r.file) {
			return fault.Invalidf("%s is missing; make the snapshot again", r.file)
		}
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+Parquet(r.file)).Scan(&r.rows); err != nil {
			return err
		}
		s.rollups = append(s.rollups, r)
	}
	slices.SortStableFunc(s.rollups, func(a, b *rollup) int { return a.rows - b.rows })
	return nil
}

// rollupFor returns the smallest roll-up that covers q, or nil.
func (s *Store) rollupFor(q cells.Observations) *rollup {
	if len(q.Where.Indicators()) > 0 || q.Largest && len(q.Measures) > 0 {
		return nil // roll-ups are not split by indicators, and hold no single contribution
	}
	reads := q.Reads()
	i := slices.IndexFunc(s.rollups, func(r *rollup) bool {
		return r.Table == q.Table && !slices.ContainsFunc(reads, func(d *contract.Dimension) bool {
			return cells.Stored(r.By, d, r.Table.Name) == nil
		})
	})
	if i < 0 {
		return nil
	}
	return s.rollups[i]
}

// shared is a group of queries that read few enough dimensions to be answered from one coarser roll-up.
type shared struct {
	places     []int
	dimensions []*contract.Dimension
}

// answer answers the queries at those places, which the roll-up covers, to the bit as the facts would.
// Those that together read few combinations are answered from one pass over the cells.
func (r *rollup) answer(ctx context.Context, s *Store, queries []cells.Observations, places []int,
	give func(int, *cells.Table, error)) {
	var dimensions []*contract.Dimension
	all := cells.Observations{Table: r.Table}
	for _, i := range places {
		q := queries[i]
		dimensions = cells.Union(dimensions, q.Reads())
		all.Indicators, all.Measures = cells.Union(all.Indicators, q.Indicators), cells.Union(all.Measures, q.Measures)
	}
	sums := all.Sums()
	held, err := r.load(ctx, s, dimensions, sums)
	if err != nil {
		for _, i := range places {
			give(i, nil, err)
		}
		return
	}
	for _, g := range groups(held, queries, places) {
		from, err := r.coarsen(ctx, held, g, sums)
		if err != nil {
			for _, i := range g.places {
				give(i, nil, err)
			}
			continue
		}
		for _, i := range g.places {
			list, err := from.Answer(ctx, queries[i], s.catalogue.Areas)
			if err != nil {
				give(i, nil, err)
				continue
			}
			give(i, queries[i].NewTable(list), nil)
		}
	}
}

// coarsen returns a roll-up that answers the group: a coarser one, if it was made before or is worth making,
// else held, which has the dimensions and the sums. Those made last are kept, with together as many cells as
// the roll-up has.
func (r *rollup) coarsen(ctx context.Context, held *cells.Rollup, g shared, sums []cells.Sum) (*cells.Rollup, error) {
	r.mu.Lock()
	found := r.found(g.dimensions)
	r.mu.Unlock()
	lacks := func(sum cells.Sum) bool { return !found.Has(sum) }
	switch {
	case !slices.ContainsFunc(sums, lacks):
		return found.Rollup, nil
	case len(g.places) == 1:
		return held, nil
	}
	made, err := held.Coarsen(ctx, found.by, filter(sums, lacks))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.coarser = slices.DeleteFunc(r.coarser, func(c coarser) bool { return c.Rollup == found.Rollup })
	found.Rollup = made.With(found.Rollup)
	r.coarser = slices.Insert(r.coarser, 0, found)
	rows := 0
	r.coarser = slices.DeleteFunc(r.coarser, func(c coarser) bool {
		rows += c.Rows
		return rows > r.rows
	})
	return found.Rollup, nil
}

// found returns the coarser roll-up by the dimensions, or one that holds nothing yet.
func (r *rollup) found(dimensions []*contract.Dimension) coarser {
	for _, c := range r.coarser {
		if len(c.by) == len(dimensions) &&
			!slices.ContainsFunc(dimensions, func(d *contract.Dimension) bool { return !slices.Contains(c.by, d) }) {
			return c
		}
	}
	return coarser{dimensions, &nothing}
}

var nothing cells.Rollup

// passSaves says what part of a roll-up's cells a coarser one may have, for two questions or more to
// be cheaper of it: a pass that makes it costs about as much as a question.
const passSaves = 4

// groups puts the queries that together read few combinations of keys with each other.
func groups(held *cells.Rollup, queries []cells.Observations, places []int) []shared {
	var out []shared
next:
	for _, i := range places {
		reads := cells.Union(nil, queries[i].Reads())
		for k, g := range out {
			if both := cells.Union(g.dimensions, reads); held.Combinations(both)*passSaves <= held.Rows {
				out[k] = shared{append(g.places, i), both}
				continue next
			}
		}
		out = append(out, shared{[]int{i}, reads})
	}
	return out
}

// load returns the roll-up with a column of keys for each of the dimensions, which it must tell, and
// the sums. It waits for those that have to be read until ctx ends; they are read all the same.
func (r *rollup) load(ctx context.Context, s *Store, dimensions []*contract.Dimension, sums []cells.Sum) (
	_ *cells.Rollup, err error) {
	out := &cells.Rollup{Table: r.Table, Rows: r.rows, Keys: map[*contract.Dimension]*cells.Column{},
		Sums: map[cells.Summed]*cells.Numbers{}, Squares: map[cells.Summed]*cells.SquareList{}}
	keys, totals := make([]*column, len(dimensions)), make([]*column, len(sums))
	for i, d := range dimensions {
		stored := cells.Stored(r.By, d, r.Table.Name)
		keys[i] = r.column(s, stored.Field, func(ctx context.Context, c *column) error {
			return r.readKeys(ctx, s, stored, c)
		})
	}
	for i, sum := range sums {
		totals[i] = r.column(s, sum.Name(), func(ctx context.Context, c *column) error {
			return r.readSum(ctx, s, sum, c)
		})
	}
	for _, c := range slices.Concat(keys, totals) {
		select {
		case <-c.read:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if c.err != nil && err == nil {
			err = fmt.Errorf("%s: %w", r.file, c.err)
		}
	}
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, d := range dimensions {
		if r.told[d] == nil {
			r.told[d] = keys[i].keys.Told(r.Table, cells.Stored(r.By, d, r.Table.Name), d)
		}
		out.Keys[d] = r.told[d]
	}
	for i, sum := range sums {
		if sum.Kind == cells.Squares {
			out.Squares[sum.Summed] = &totals[i].squares
		} else {
			out.Sums[sum.Summed] = &totals[i].numbers
		}
	}
	return out, nil
}

// column returns the column of that name, which read begins to read if no one has asked for it yet, or it
// could not be read when last asked for.
func (r *rollup) column(s *Store, name string, read func(context.Context, *column) error) *column {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.columns[name]; c != nil {
		return c
	}
	c := &column{read: make(chan struct{})}
	r.columns[name] = c
	s.whileOpen(func(ctx context.Context) {
		defer close(c.read)
		if c.err = read(ctx, c); c.err != nil {
			r.mu.Lock()
			delete(r.columns, name)
			r.mu.Unlock()
		}
	})
	return c
}

// readKeys reads the keys of a stored dimension. Rows come in the order of the file, as in every column.
func (r *rollup) readKeys(ctx context.Context, s *Store, d *contract.Dimension, c *column) error {
	name := QuoteName(d.Field)
	key := name + "::INTEGER"
	if d.IsArea() {
		key = s.areaKey(name)
	}
	var keys cells.Keys
	err := vectors(ctx, s, fmt.Sprintf("SELECT coalesce(%s, %d) FROM %s", key, cells.None, Parquet(r.file)),
		func(values []int32) { keys.Append(values, r.rows) })
	c.keys = keys.Column()
	return err
}

// areaKey writes the place among the catalogue's areas of the one whose id the column has.
func (s *Store) areaKey(column string) string {
	unknown := fmt.Sprintf("error('a row has area_id ' || %s || ', which table area has not')::INTEGER", column)
	var ids []string
	for _, a := range s.catalogue.Areas {
		ids = append(ids, QuoteText(a.ID))
	}
	if len(ids) == 0 {
		return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN %s END", column, unknown)
	}
	place := fmt.Sprintf("enum_code(try_cast(%s AS ENUM(%s)))", column, strings.Join(ids, ", "))
	return fmt.Sprintf("CASE WHEN %[1]s IS NULL THEN NULL WHEN %[2]s IS NULL THEN %[3]s ELSE %[2]s::INTEGER END", column,
		place, unknown)
}

func (r *rollup) readSum(ctx context.Context, s *Store, sum cells.Sum, c *column) error {
	const statement = "SELECT %s::%s FROM %s"
	name, file := QuoteName(sum.Name()), Parquet(r.file)
	if sum.Kind != cells.Squares {
		return vectors(ctx, s, fmt.Sprintf(statement, name, "BIGINT", file),
			func(values []int64) { c.numbers.Append(values, r.rows) })
	}
	return vectors(ctx, s, fmt.Sprintf(statement, name, "HUGEINT", file), func(values []hugeint) {
		list := make([]cells.Square, len(values))
		for i, v := range values {
			list[i] = cells.Square{High: uint64(v.high), Low: v.low}
		}
		c.squares.Append(list, r.rows)
	})
}
