package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// rollup is a stored roll-up. Its columns are held in memory; one is read when a question first needs
// it.
type rollup struct {
	*contract.Rollup
	file string
	rows int

	mu   sync.Mutex
	held cells.Rollup
}

// openRollups finds the stored roll-ups in folder.
func (s *Store) openRollups(ctx context.Context, folder string) error {
	for _, recorded := range s.recordedRollups() {
		r := &rollup{Rollup: recorded, file: filepath.Join(folder, recorded.Name+".parquet")}
		if !s.sees(r.file) {
			return fault.Invalidf("%s is missing; make the snapshot again", r.file)
		}
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+Parquet(r.file)).Scan(&r.rows); err != nil {
			return err
		}
		r.held = cells.Rollup{Table: r.Table, Rows: r.rows, Keys: map[*contract.Dimension]cells.Column{},
			Sums: map[string][]int64{}, Squares: map[string][]cells.Square{}}
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
	held, err := r.load(ctx, s, dimensions, all.Sums())
	if err != nil {
		for _, i := range places {
			give(i, nil, err)
		}
		return
	}
	for _, g := range groups(held, queries, places) {
		from := held
		if len(g.places) > 1 {
			if from, err = held.Coarsen(ctx, g.dimensions, all.Sums()); err != nil {
				for _, i := range g.places {
					give(i, nil, err)
				}
				continue
			}
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

// half is 2^40: an exact sum of squares is read as high·half + low, with low under half.
const half = 1 << 40

// load returns the roll-up with a column of keys for each of the dimensions, which it must tell, and
// the sums. It reads those that no question has asked for before.
func (r *rollup) load(ctx context.Context, s *Store, dimensions []*contract.Dimension, sums []cells.Sum) (*cells.Rollup,
	error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.read(ctx, s, dimensions, sums); err != nil {
		return nil, fmt.Errorf("%s: %w", r.file, err)
	}
	out := &cells.Rollup{Table: r.Table, Rows: r.rows, Keys: map[*contract.Dimension]cells.Column{},
		Sums: map[string][]int64{}, Squares: map[string][]cells.Square{}}
	for _, d := range dimensions {
		stored := cells.Stored(r.By, d, r.Table.Name)
		out.Keys[d] = r.held.Keys[stored].Told(r.Table, stored, d)
	}
	for _, sum := range sums {
		if sum.Kind == cells.Squares {
			out.Squares[sum.Name] = r.held.Squares[sum.Name]
		} else {
			out.Sums[sum.Name] = r.held.Sums[sum.Name]
		}
	}
	return out, nil
}

func (r *rollup) read(ctx context.Context, s *Store, dimensions []*contract.Dimension, sums []cells.Sum) error {
	var fresh []*contract.Dimension
	var expressions []string
	for _, d := range dimensions {
		d = cells.Stored(r.By, d, r.Table.Name)
		if _, ok := r.held.Keys[d]; !ok && !slices.Contains(fresh, d) {
			fresh = append(fresh, d)
			expressions = append(expressions, QuoteName(d.Field))
		}
	}
	var wanted []cells.Sum
	for _, sum := range sums {
		name := QuoteName(sum.Name)
		_, there := r.held.Sums[sum.Name]
		_, square := r.held.Squares[sum.Name]
		switch {
		case there || square:
			continue
		case sum.Kind == cells.Squares:
			expressions = append(expressions, fmt.Sprintf("(%s::HUGEINT // %d)::BIGINT", name, half),
				fmt.Sprintf("(%s::HUGEINT %% %d)::BIGINT", name, half))
		default:
			expressions = append(expressions, name)
		}
		wanted = append(wanted, sum)
	}
	if len(expressions) == 0 {
		return nil
	}
	keys, codes := make([]cells.Column, len(fresh)), make([]map[int32]int32, len(fresh))
	row := make([]int32, len(fresh))
	amounts := make([]int64, len(expressions)-len(fresh))
	columns := make([][]int64, len(amounts))
	var targets []any
	for i := range fresh {
		codes[i] = map[int32]int32{}
		targets = append(targets, keyTarget{s.catalogue, &row[i]})
	}
	for i := range amounts {
		targets = append(targets, &amounts[i])
	}
	// Rows come in the order of the file, so what is read later is beside what is there.
	err := s.query(ctx, fmt.Sprintf("SELECT %s FROM %s", strings.Join(expressions, ", "), Parquet(r.file)), nil,
		func(rows *sql.Rows) error {
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			for i, key := range row {
				keys[i].Add(key, codes[i])
			}
			for i, amount := range amounts {
				columns[i] = append(columns[i], amount)
			}
			return nil
		})
	if err != nil {
		return err
	}
	for i, d := range fresh {
		r.held.Keys[d] = keys[i]
	}
	for at, sum := range wanted {
		if sum.Kind != cells.Squares {
			r.held.Sums[sum.Name], columns = columns[0], columns[1:]
			continue
		}
		high, low := columns[0], columns[1]
		columns = columns[2:]
		joined := make([]cells.Square, len(high))
		for i := range high {
			x := new(big.Int).Mul(big.NewInt(high[i]), big.NewInt(half))
			joined[i] = cells.SquareOf(x.Add(x, big.NewInt(low[i])))
		}
		r.held.Squares[wanted[at].Name] = joined
	}
	return nil
}
