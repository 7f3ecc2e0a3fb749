package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// cellsFolder is the folder within a snapshot that holds the stored roll-ups.
const cellsFolder = "cells"

// Rollups is the text of all that decides what the stored roll-ups of the contract hold of a data set
// with these columns, by table: the statement that makes each of them of the facts. Roll-ups of the
// same facts and the same text are the same.
func Rollups(c *contract.Contract, columns map[string]map[string]bool) (_ string, err error) {
	defer fault.Wrap(&err, "duckdb.Rollups")
	s := newStore(nil, c)
	s.catalogue.Columns = columns
	var b strings.Builder
	for _, r := range s.recordedRollups() {
		text, err := s.rollupStatement(r, nil)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\n%s\n", r.Name, text)
	}
	return b.String(), nil
}

// BuildCells writes the stored roll-ups of the contract, of the facts of the snapshot in folder,
// which must be o.Files if those are given, into o.Cells: one scan of the facts for each that no
// finer one covers. A roll-up over columns that
// the data set does not have is left out: nothing could be asked of it.
func BuildCells(ctx context.Context, folder string, c *contract.Contract, o Options) (err error) {
	defer fault.Wrap(&err, "duckdb.BuildCells(%s)", folder)
	into := o.cells(folder)
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	if o.Spill == "" {
		o.Spill = filepath.Join(into, ".spill")
		defer func() { err = errors.Join(err, os.RemoveAll(o.Spill)) }()
	}
	db, err := database(ctx, o)
	if err != nil {
		return err
	}
	s := newStore(db, c)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := s.see(folder, o.Files); err != nil {
		return err
	}
	if err := s.openFacts(ctx, folder); err != nil {
		return err
	}
	rollups := s.recordedRollups()
	// The finest first, so that a coarser one is made from its cells and not from the facts.
	slices.SortStableFunc(rollups, func(a, b *contract.Rollup) int { return len(b.By) - len(a.By) })
	for i, r := range rollups {
		text, err := s.rollupStatement(r, rollups[:i])
		if err != nil {
			return err
		}
		file := filepath.Join(into, r.Name+".parquet")
		for _, text := range []string{
			fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd)", text, QuoteText(file)),
			fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s", QuoteName(r.Name), Parquet(file)),
		} {
			if _, err := db.ExecContext(ctx, text); err != nil {
				return fmt.Errorf("roll-up %s: %w", r.Name, stopped(ctx, err))
			}
		}
	}
	return nil
}

// recordedRollups returns the roll-ups whose table and dimensions the data set has.
func (s *Store) recordedRollups() []*contract.Rollup {
	return filter(s.catalogue.Contract.Rollups, func(r *contract.Rollup) bool {
		return !slices.ContainsFunc(r.By, func(d *contract.Dimension) bool { return !s.catalogue.HasDimension(r.Table, d) })
	})
}

func filter[T any](list []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !keep(x) })
}

// rollupStatement writes the statement whose rows are the roll-up's cells: sums of the cells of
// one of the made roll-ups where one splits by all its dimensions, else of the facts.
func (s *Store) rollupStatement(r *contract.Rollup, made []*contract.Rollup) (string, error) {
	q := cells.Observations{Table: r.Table, By: r.By,
		Indicators: filter(s.catalogue.Contract.Indicators,
			func(i *contract.Indicator) bool { return s.catalogue.HasIndicator(r.Table, i) }),
		Measures: filter(s.catalogue.Contract.Measures,
			func(m *contract.Measure) bool { return s.catalogue.HasMeasure(r.Table, m) }),
	}
	sums := q.Sums()
	var keys, columns []string
	for _, d := range r.By {
		keys = append(keys, QuoteName(d.Field))
	}
	for _, f := range slices.Backward(made) { // the coarsest that will do
		if f.Table == r.Table && !slices.ContainsFunc(r.By,
			func(d *contract.Dimension) bool { return !slices.Contains(f.By, d) }) {
			columns = append(columns, keys...)
			for _, sum := range sums {
				columns = append(columns, fmt.Sprintf("sum(%s)::%s AS %[1]s", QuoteName(sum.Name()), typeOf(sum)))
			}
			return fmt.Sprintf("SELECT %s FROM %s GROUP BY ALL ORDER BY %s", strings.Join(columns, ", "), QuoteName(f.Name),
				strings.Join(keys, ", ")), nil
		}
	}
	text, err := s.cellsStatement(q, nil)
	if err != nil {
		return "", err
	}
	for i, d := range r.By {
		kind := "UTINYINT"
		switch {
		case d.IsInteger():
			kind = "INTEGER"
		case d.IsArea():
			kind = "VARCHAR"
		}
		columns = append(columns, fmt.Sprintf("%s::%s AS %s", byName(d), kind, keys[i]))
	}
	for _, sum := range sums {
		columns = append(columns, QuoteName(sum.Name()))
	}
	return fmt.Sprintf("SELECT %s FROM (%s)", strings.Join(columns, ", "), text), nil
}
