package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// cellsFolder is the folder within a snapshot that holds the stored roll-ups.
const cellsFolder = "cells"

// BuildCells writes the stored roll-ups of the contract beside the facts of the snapshot in
// folder: one scan of the facts for each that no finer one covers. A roll-up over columns that the data set does not
// have is left out: nothing could be asked of it.
func BuildCells(ctx context.Context, folder string, c *contract.Contract, o Options) (err error) {
	defer fault.Wrap(&err, "store.BuildCells(%s)", folder)
	db, err := database(ctx, o)
	if err != nil {
		return err
	}
	s, err := newStore(db, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.openFacts(ctx, folder); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(folder, cellsFolder), 0o755); err != nil {
		return err
	}
	for _, t := range c.Tables {
		if err := s.findComplete(ctx, s.facts(t)); err != nil {
			return err
		}
	}
	// The finest first, so that a coarser one is made from its cells and not from the facts.
	order := slices.Clone(c.Rollups)
	slices.SortStableFunc(order, func(a, b *contract.Rollup) int { return len(b.By) - len(a.By) })
	for _, r := range order {
		if _, ok := s.columns[r.Table.Name]; !ok || !s.records(r) {
			continue
		}
		if err := s.buildRollup(ctx, r, filepath.Join(folder, cellsFolder, r.Name+".parquet")); err != nil {
			return fmt.Errorf("roll-up %s: %w", r.Name, err)
		}
	}
	return nil
}

func (s *Store) buildRollup(ctx context.Context, r *contract.Rollup, file string) error {
	text, err := s.rollupStatement(r)
	if err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s AS %s", quoteName(r.Name), text)); err != nil {
		return err
	}
	if _, err := s.db.ExecContext(ctx, fmt.Sprintf("COPY %s TO %s (FORMAT parquet, COMPRESSION zstd)", quoteName(r.Name), quoteText(file))); err != nil {
		return err
	}
	return s.addRollup(ctx, r)
}

// addRollup notes a roll-up whose table is there.
func (s *Store) addRollup(ctx context.Context, r *contract.Rollup) error {
	stored := storedRollup{Rollup: r}
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+quoteName(r.Name)).Scan(&stored.rows); err != nil {
		return err
	}
	s.rollups = append(s.rollups, stored)
	return nil
}

// indicators returns the indicators that the data set records for the table.
func (s *Store) indicators(t *contract.Table) []*contract.Indicator {
	var out []*contract.Indicator
	for _, i := range s.contract.Indicators {
		if s.HasIndicator(t, i) {
			out = append(out, i)
		}
	}
	return out
}

// findComplete finds the indicators without an unknown value, from any source of a table.
func (s *Store) findComplete(ctx context.Context, src source) error {
	indicators := s.indicators(src.table)
	if len(indicators) == 0 {
		return nil
	}
	var unknown []string
	for _, column := range src.sums(indicators, nil, false) {
		if strings.HasSuffix(column.Name, `_u"`) {
			unknown = append(unknown, "coalesce("+column.Expression+", 0)::BIGINT")
		}
	}
	counts := make([]int64, len(unknown))
	targets := make([]any, len(unknown))
	for i := range counts {
		targets[i] = &counts[i]
	}
	text := "SELECT " + strings.Join(unknown, ", ") + " FROM " + quoteName(src.relation())
	if err := s.db.QueryRowContext(ctx, text).Scan(targets...); err != nil {
		return err
	}
	complete := map[*contract.Indicator]*contract.Indicator{}
	first := map[string]*contract.Indicator{}
	for k, i := range indicators {
		if counts[k] > 0 {
			continue
		}
		among := ""
		if i.Among != nil {
			among = boolean(src.table, i.Among)
		}
		if first[among] == nil {
			first[among] = i
		}
		complete[i] = first[among]
	}
	s.complete[src.table.Name] = complete
	return nil
}

// records reports whether the data set has every dimension of the roll-up.
func (s *Store) records(r *contract.Rollup) bool {
	return !slices.ContainsFunc(r.By, func(d *contract.Dimension) bool { return !s.HasDimension(r.Table, d) })
}

// rollupStatement writes the statement whose rows are the roll-up's cells.
func (s *Store) rollupStatement(r *contract.Rollup) (string, error) {
	src := s.source(Query{Table: r.Table, By: r.By})
	indicators := s.indicators(r.Table)
	var measures []*contract.Measure
	for _, m := range s.contract.Measures {
		if s.HasMeasure(r.Table, m) {
			measures = append(measures, m)
		}
	}
	data := src.cells(r.By, indicators, measures, true)
	for i := range data.Sums {
		// A sum of squares must stay an exact integer until the last sum is taken.
		if data.Sums[i].Type == "DOUBLE" {
			data.Sums[i].Type = "DECIMAL(38,0)"
		}
	}
	text, err := write("cells", data)
	if err != nil {
		return "", err
	}
	var columns []string
	for i, d := range r.By {
		kind := "UTINYINT"
		switch {
		case d.IsInteger():
			kind = "INTEGER"
		case d.IsArea():
			kind = "VARCHAR"
		}
		columns = append(columns, fmt.Sprintf("%s::%s AS %s", data.By[i].Name, kind, quoteName(d.Field)))
	}
	for _, sum := range data.Sums {
		columns = append(columns, sum.Name)
	}
	return fmt.Sprintf("SELECT %s FROM (%s)", strings.Join(columns, ", "), text), nil
}

// openRollups reads the stored roll-ups into memory, where a question costs a millisecond or two
// less than on Parquet.
func (s *Store) openRollups(ctx context.Context, folder string) error {
	for _, r := range s.contract.Rollups {
		if _, ok := s.columns[r.Table.Name]; !ok || !s.records(r) {
			continue
		}
		file := filepath.Join(folder, cellsFolder, r.Name+".parquet")
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return fault.NotFoundf("%s is missing; make the snapshot again", file)
		} else if err != nil {
			return err
		}
		if _, err := s.db.ExecContext(ctx, fmt.Sprintf("CREATE TABLE %s AS SELECT * FROM read_parquet(%s)", quoteName(r.Name), quoteText(file))); err != nil {
			return err
		}
		if err := s.addRollup(ctx, r); err != nil {
			return err
		}
	}
	for _, t := range s.contract.Tables {
		src := s.facts(t)
		for _, r := range s.rollups {
			if r.Table == t {
				src.rollup = r.Rollup // any will do: they are sums of the same facts
			}
		}
		if err := s.findComplete(ctx, src); err != nil {
			return err
		}
	}
	return nil
}
