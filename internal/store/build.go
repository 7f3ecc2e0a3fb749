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

// BuildCells scans the facts of the snapshot in folder once for each stored roll-up of the
// contract, and writes the cells beside them. A roll-up over columns that the data set does not
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
	for _, r := range c.Rollups {
		if !s.records(r) {
			continue
		}
		text, err := s.rollupStatement(r)
		if err != nil {
			return err
		}
		file := filepath.Join(folder, cellsFolder, r.Name+".parquet")
		if _, err := db.ExecContext(ctx, fmt.Sprintf("COPY (%s) TO %s (FORMAT parquet, COMPRESSION zstd)", text, quoteText(file))); err != nil {
			return fmt.Errorf("roll-up %s: %w", r.Name, err)
		}
	}
	return nil
}

// records reports whether the data set has every dimension of the roll-up.
func (s *Store) records(r *contract.Rollup) bool {
	return !slices.ContainsFunc(r.By, func(d *contract.Dimension) bool { return !s.HasDimension(r.Table, d) })
}

// rollupStatement writes the statement whose rows are the roll-up's cells.
func (s *Store) rollupStatement(r *contract.Rollup) (string, error) {
	src := source{table: r.Table, columns: s.columns[r.Table.Name]}
	var indicators []*contract.Indicator
	for _, i := range s.contract.Indicators {
		if s.HasIndicator(r.Table, i) {
			indicators = append(indicators, i)
		}
	}
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
		stored := storedRollup{Rollup: r}
		if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+quoteName(r.Name)).Scan(&stored.rows); err != nil {
			return err
		}
		s.rollups = append(s.rollups, stored)
	}
	return nil
}
