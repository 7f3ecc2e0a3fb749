// Package duckdbtest makes small snapshots for tests: real DuckDB, real Parquet, invented rows.
package duckdbtest

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"path/filepath"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2" // the driver

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

var (
	//go:embed world.sql
	residents string
	//go:embed people.sql
	people string
	//go:embed activities.sql
	activities string
)

// World is the SQL that makes a small world with every table: three areas under two plans, some
// thousand children, residents, young people and adults, years 2014 to 2016, six activities, and a survey of
// 40 actors.
var World = residents + people + activities

// Contract returns the contract in force.
func Contract(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Facts returns a DuckDB in memory with the tables that the setup SQL makes; it is closed when the test
// ends.
func Facts(t testing.TB, setup string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := db.Exec(setup); err != nil {
		t.Fatalf("setup: %v", err)
	}
	return db
}

// Folder writes the tables that the setup SQL makes as a snapshot's Parquet, builds the cells, and
// returns the folder.
func Folder(t testing.TB, c *contract.Contract, setup string) string {
	t.Helper()
	folder := t.TempDir()
	db := Facts(t, setup)
	for _, table := range c.Tables {
		var there bool
		if err := db.QueryRow("SELECT count(*) > 0 FROM duckdb_tables() WHERE table_name = ?",
			table.Name).Scan(&there); err != nil {
			t.Fatal(err)
		}
		if !there {
			continue
		}
		if _, err := db.Exec(fmt.Sprintf("COPY %s TO '%s' (FORMAT parquet)", table.Name,
			filepath.Join(folder, table.Name+".parquet"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := duckdb.BuildCells(context.Background(), folder, c, duckdb.Options{}); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Open opens a snapshot made from the setup SQL; it is closed when the test ends.
func Open(t testing.TB, c *contract.Contract, setup string) *duckdb.Store {
	t.Helper()
	return OpenFolder(t, c, Folder(t, c, setup))
}

// OpenFolder opens the snapshot in the folder; it is closed when the test ends.
func OpenFolder(t testing.TB, c *contract.Contract, folder string) *duckdb.Store {
	t.Helper()
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
