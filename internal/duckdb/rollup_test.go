package duckdb_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/cells/cellstest"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/fault"
)

// A data set may have more areas than a byte tells apart, or no rows at all.
func TestRollupsOfManyAreasAndOfNone(t *testing.T) {
	c := duckdbtest.Contract(t)
	bare := *c
	bare.Rollups = nil
	for _, n := range []int{1000, 0} {
		folder := duckdbtest.Folder(t, c, fmt.Sprintf(`
			CREATE TABLE area AS SELECT 'A' || i AS area_id, 'x' AS name, '101' AS municipality, true AS supported, NULL::VARCHAR[] AS plan_ids,
				'test' AS source FROM range(%[1]d) t(i);
			CREATE TABLE child_year AS SELECT 2014 + i %% 3 AS year, i %% 7 AS age, 'A' || i AS area_id,
				['101', '751', '461'][i %% 3 + 1] AS municipality, 'MALE' AS sex, 'DANISH' AS origin, i %% 4 = 0 AS poor, i * 100000 AS equivalised_income FROM range(%[1]d) t(i);
			INSERT INTO child_year SELECT year, age, NULL, municipality, sex, origin, poor, -equivalised_income FROM child_year`, n))
		s, facts := duckdbtest.OpenFolder(t, c, folder), duckdbtest.OpenFolder(t, &bare, folder)
		income, err := c.Measure("EQUIVALISED_INCOME")
		if err != nil {
			t.Fatal(err)
		}
		for _, names := range [][]string{nil, {"AREA"}, {"MUNICIPALITY"}, {"REGION", "SETTING"},
			{"AREA", "MUNICIPALITY", "AGE"}} {
			q := cells.Observations{Table: c.CohortTable("children"), Measures: []*contract.Measure{income}}
			for _, name := range names {
				q.By = append(q.By, dimension(t, c, name))
			}
			if duckdb.Covering(s, q) == "" {
				t.Errorf("no roll-up covers %s", q)
			}
			cellstest.Same(t, q, s, facts)
		}
	}
}

// What a roll-up is asked for is read to its end, whether or not the one who asked first waits for it, and
// once; what could not be read is read when it is asked for again.
func TestRollupsAreReadOnce(t *testing.T) {
	c := duckdbtest.Contract(t)
	folder := duckdbtest.Folder(t, c, duckdbtest.World)
	s := duckdbtest.OpenFolder(t, c, folder)
	opened := len(duckdb.Columns(s)) // what opening reads
	q := cells.Observations{Table: c.CohortTable("children"), By: []*contract.Dimension{dimension(t, c, "AREA")}}
	file := filepath.Join(folder, "cells", duckdb.Covering(s, q)+".parquet")
	aside := filepath.Join(t.TempDir(), "aside.parquet")
	if err := os.Rename(file, aside); err != nil {
		t.Fatal(err)
	}
	if _, err := cells.One(context.Background(), s, q); fault.KindOf(err) != fault.Unavailable ||
		!strings.Contains(err.Error(), "is gone") {
		t.Errorf("without the file: %v", err)
	}
	if err := os.Rename(aside, file); err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := cells.One(gone, s, q); !errors.Is(err, context.Canceled) {
		t.Errorf("one who does not wait got %v", err)
	}
	first := duckdb.Columns(s)
	if len(first)-opened != 2 {
		t.Fatalf("the columns read are %v, want the keys and the number", first)
	}
	answers := make(chan error)
	for range 8 {
		go func() {
			_, err := cells.One(context.Background(), s, q)
			answers <- err
		}()
	}
	for range 8 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	for name, column := range duckdb.Columns(s) {
		if first[name] != column {
			t.Errorf("%s was read again", name)
		}
	}
}

// An area of a row that the data set does not have is an error, not a cell without one.
func TestAreaOfNoTable(t *testing.T) {
	c := duckdbtest.Contract(t)
	for _, areas := range []string{"",
		`CREATE TABLE area AS SELECT 'A1' AS area_id, 'x' AS name, '101' AS municipality, true AS supported,
		NULL::VARCHAR[] AS plan_ids, 'test' AS source;`} {
		s := duckdbtest.Open(t, c, areas+`CREATE TABLE child_year AS FROM (VALUES (2016, 1, 'A1', 'DANISH', '101'),
			(2016, 1, 'B''9', 'DANISH', '101')) t(year, age, area_id, origin, municipality)`)
		q := cells.Observations{Table: c.CohortTable("children"), By: []*contract.Dimension{dimension(t, c, "AREA")}}
		if duckdb.Covering(s, q) == "" {
			t.Error("no roll-up covers a split by area")
		}
		if _, err := cells.One(context.Background(), s, q); err == nil ||
			!strings.Contains(err.Error(), "which table area has not") {
			t.Errorf("a row of no area gave %v", err)
		}
	}
}

// A store can be closed while a roll-up is read.
func TestCloseWhileReading(t *testing.T) {
	c := duckdbtest.Contract(t)
	folder := duckdbtest.Folder(t, c, duckdbtest.World)
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := cells.Observations{Table: c.CohortTable("children"), By: []*contract.Dimension{dimension(t, c, "AREA")},
		Indicators: c.Indicators[:10]}
	gone, leave := context.WithCancel(context.Background())
	leave()
	if _, err := cells.One(gone, s, q); !errors.Is(err, context.Canceled) {
		t.Errorf("one who does not wait got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := cells.One(context.Background(), s, q); err == nil {
		t.Error("a store that is closed has answered")
	}
}
