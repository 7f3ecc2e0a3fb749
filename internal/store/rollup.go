package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// rollup answers questions from the cells of a stored roll-up, which it holds in memory by
// column; a column is read when a question first needs it. DuckDB is not asked: it spends 0.3 ms
// on planning a statement and some 30 µs on each of its columns, however few the rows.
type rollup struct {
	*contract.Rollup
	file string
	rows int

	mu      sync.Mutex
	keys    map[*contract.Dimension]keys // by the dimensions of the roll-up
	columns map[string][]int64           // by expression over the file
}

// keys is a column of keys: that of a row is values[codes[row]].
type keys struct {
	values []int32 // as in Cell.Key
	codes  []int32
}

// openRollups finds the stored roll-ups.
func (s *Store) openRollups(ctx context.Context, folder string) error {
	for _, recorded := range s.recordedRollups() {
		r := &rollup{Rollup: recorded, file: filepath.Join(folder, cellsFolder, recorded.Name+".parquet"), keys: map[*contract.Dimension]keys{}, columns: map[string][]int64{}}
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
func (s *Store) rollupFor(q Query) *rollup {
	if len(q.Where.Indicators()) > 0 {
		return nil // roll-ups are not split by indicators
	}
	i := slices.IndexFunc(s.rollups, func(r *rollup) bool {
		return r.Table == q.Table && !slices.ContainsFunc(slices.Concat(q.By, q.Where.Dimensions()), func(d *contract.Dimension) bool { return r.stored(d) == nil })
	})
	if i < 0 {
		return nil
	}
	return s.rollups[i]
}

// stored returns the dimension of the roll-up that tells d: itself, or a finer one, or nil.
func (r *rollup) stored(d *contract.Dimension) *contract.Dimension {
	if slices.Contains(r.By, d) {
		return d
	}
	if i := slices.IndexFunc(r.By, func(f *contract.Dimension) bool { return f.Refines(d, r.Table.Name) }); i >= 0 {
		return r.By[i]
	}
	return nil
}

// cells answers q, which the roll-up must cover. The answer is that of cellsOfFacts to the bit.
func (r *rollup) cells(ctx context.Context, s *Store, q Query) ([]Cell, error) {
	sums := s.sums(q)
	dimensions, columns, err := r.load(ctx, s, slices.Concat(q.By, q.Where.Dimensions()), sums)
	if err != nil {
		return nil, err
	}
	by, where := dimensions[:len(q.By)], dimensions[len(q.By):]
	keeps := make([][]bool, len(where)) // by condition and code
	for i, c := range q.Where.Conditions {
		for _, key := range where[i].values {
			keeps[i] = append(keeps[i], s.holds(c, key))
		}
	}
	kept := make([]int32, 0, r.rows)
next:
	for row := range int32(r.rows) {
		for i, column := range where {
			if !keeps[i][column.codes[row]] {
				continue next
			}
		}
		kept = append(kept, row)
	}

	// Sorted by the last dimension first, each time keeping the order of equals, the rows of a
	// cell end up together and the cells in the order of their keys.
	for _, column := range slices.Backward(by) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		kept = column.sort(kept)
	}
	first := make([]bool, len(kept)+1) // whether a cell begins there, or all end
	first[0], first[len(kept)] = true, true
	for _, column := range by {
		for i := 1; i < len(kept); i++ {
			first[i] = first[i] || column.of(kept[i]) != column.of(kept[i-1])
		}
	}
	var rows [][]int32 // of each cell
	for i, start := 1, 0; i <= len(kept); i++ {
		if first[i] {
			rows = append(rows, kept[start:i])
			start = i
		}
	}
	if len(q.By) == 0 && len(rows) == 0 {
		rows = [][]int32{nil} // a cohort that is not split is a cell, be it empty
	}
	if err := q.checkCount(len(rows)); err != nil {
		return nil, err
	}
	out := newCells(q, len(rows))
	for i, of := range rows {
		for k, column := range by {
			out[i].Key[k] = column.of(of[0])
		}
	}
	total := func(column []int64, rows []int32) (sum int64) {
		for _, row := range rows {
			sum += column[row]
		}
		return sum
	}
	for k, sum := range sums {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range out {
			if sum.Type == squares {
				*sum.square(&out[i]) = joined(total(columns[k][0], rows[i]), total(columns[k][1], rows[i]))
			} else {
				*sum.field(&out[i]) = total(columns[k][0], rows[i])
			}
		}
	}
	return out, nil
}

// told returns the column of keys of d, a dimension of the table that the stored dimension tells.
func (k keys) told(t *contract.Table, stored, d *contract.Dimension) keys {
	if stored == d {
		return k
	}
	out := keys{codes: k.codes, values: make([]int32, len(k.values))}
	for i, key := range k.values {
		out.values[i] = None
		for _, s := range d.Selections(t.Name) {
			if selectsKey(s, t, stored, key) {
				out.values[i] = int32(s.Position)
				break
			}
		}
	}
	return out
}

// selectsKey reports whether the column value that has that key in the stored dimension is one of
// those of the selection.
func selectsKey(s contract.Selection, t *contract.Table, stored *contract.Dimension, key int32) bool {
	switch {
	case s.Range != nil:
		return key != None && s.Range[0] <= int(key) && int(key) <= s.Range[1]
	case s.Present != nil:
		return *s.Present == (key != None)
	case key == None:
		return s.Missing
	}
	return slices.ContainsFunc(stored.Selections(t.Name), func(of contract.Selection) bool {
		return of.Position == int(key) && (s.Missing && of.Missing || slices.ContainsFunc(of.In, func(code string) bool { return slices.Contains(s.In, code) }))
	})
}

// holds reports whether the condition keeps the observations with that key of its dimension.
func (s *Store) holds(c Condition, key int32) bool {
	switch {
	case c.Dimension.IsInteger():
		return c.From == nil && c.To == nil || key != None && (c.From == nil || *c.From <= int(key)) && (c.To == nil || int(key) <= *c.To)
	case c.Dimension.IsArea():
		return key != None && slices.Contains(c.Areas, s.areas[key].ID)
	}
	return slices.Contains(c.Positions, int(key))
}

// sort returns the rows in the order of their keys, those with equal keys in the order they have.
func (k keys) sort(rows []int32) []int32 {
	order := slices.Compact(slices.SortedFunc(slices.Values(k.values), CompareKeys))
	places := make([]int, len(k.values)) // by code
	for code, key := range k.values {
		places[code], _ = slices.BinarySearchFunc(order, key, CompareKeys)
	}
	next := make([]int, len(order)+1) // by place: where the next row with it goes
	for _, row := range rows {
		next[places[k.codes[row]]+1]++
	}
	for i := range order {
		next[i+1] += next[i]
	}
	out := make([]int32, len(rows))
	for _, row := range rows {
		place := places[k.codes[row]]
		out[next[place]] = row
		next[place]++
	}
	return out
}

// of returns the key of a row.
func (k keys) of(row int32) int32 { return k.values[k.codes[row]] }

// CompareKeys orders keys as DuckDB does, those without a value last.
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

// half is 2^40: an exact sum of squares is added up as high·half + low, with low under half, so
// that neither part of a sum over millions of cells outgrows 64 bits.
const half = 1 << 40

// parts returns the expressions of the integer columns of a sum in the file.
func (s sum) parts() []string {
	if s.Type == squares {
		return []string{fmt.Sprintf("(%s::HUGEINT // %d)::BIGINT", s.Name, half), fmt.Sprintf("(%s::HUGEINT %% %d)::BIGINT", s.Name, half)}
	}
	return []string{s.Name}
}

// joined returns the double nearest to high·half + low.
func joined(high, low int64) float64 {
	x := new(big.Int).Mul(big.NewInt(high), big.NewInt(half))
	out, _ := x.Add(x, big.NewInt(low)).Float64()
	return out
}

// load returns a column of keys for each of the dimensions, which the roll-up must tell, and the
// parts of each of the sums. It reads those that no question has asked for before.
func (r *rollup) load(ctx context.Context, s *Store, dimensions []*contract.Dimension, sums []sum) ([]keys, [][][]int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.read(ctx, s, dimensions, sums); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.file, err)
	}
	told := make([]keys, len(dimensions))
	for i, d := range dimensions {
		stored := r.stored(d)
		told[i] = r.keys[stored].told(r.Table, stored, d)
	}
	columns := make([][][]int64, len(sums))
	for i, sum := range sums {
		for _, part := range sum.parts() {
			columns[i] = append(columns[i], r.columns[part])
		}
	}
	return told, columns, nil
}

func (r *rollup) read(ctx context.Context, s *Store, dimensions []*contract.Dimension, sums []sum) error {
	var fresh []*contract.Dimension
	var expressions []string
	for _, d := range dimensions {
		d = r.stored(d)
		if _, ok := r.keys[d]; !ok && !slices.Contains(fresh, d) {
			fresh = append(fresh, d)
			expressions = append(expressions, quoteName(d.Field))
		}
	}
	for _, sum := range sums {
		for _, part := range sum.parts() {
			if _, ok := r.columns[part]; !ok && !slices.Contains(expressions, part) {
				expressions = append(expressions, part)
			}
		}
	}
	if len(expressions) == 0 {
		return nil
	}
	columnsOfKeys := make([]keys, len(fresh))
	codes := make([]map[int32]int32, len(fresh)) // by key
	columns := make([][]int64, len(expressions)-len(fresh))
	row := make([]int32, len(fresh))
	amounts := make([]int64, len(columns))
	var targets []any
	for i := range fresh {
		codes[i] = map[int32]int32{}
		targets = append(targets, keyTarget{s, &row[i]})
	}
	for i := range amounts {
		targets = append(targets, &amounts[i])
	}
	// Rows come in the order of the file, so what is read later is beside what is there.
	err := s.query(ctx, fmt.Sprintf("SELECT %s FROM %s", strings.Join(expressions, ", "), Parquet(r.file)), nil, func(rows *sql.Rows) error {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		for i, key := range row {
			column := &columnsOfKeys[i]
			code, ok := codes[i][key]
			if !ok {
				code = int32(len(column.values))
				codes[i][key] = code
				column.values = append(column.values, key)
			}
			column.codes = append(column.codes, code)
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
		r.keys[d] = columnsOfKeys[i]
	}
	for i, column := range columns {
		r.columns[expressions[len(fresh)+i]] = column
	}
	return nil
}
