package duckdb_test

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// A table of answers written as CSV is read by DuckDB without being told how. The file is what
// internal/export writes, as its test holds.
func TestCSVOfAnswersIsRead(t *testing.T) {
	file := filepath.Join("..", "export", "testdata", "table.csv")
	rows, err := duckdbtest.Facts(t, "SELECT 1").Query("SELECT AREA, AREA_label, YEAR::INT, POOR::DOUBLE, " +
		"denominator::BIGINT, status, warnings FROM read_csv('" + file + "')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var area, label, status string
		var year int
		var poor *float64
		var n *int
		var warnings *string
		if err := rows.Scan(&area, &label, &year, &poor, &n, &status, &warnings); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%q %q %d %s %s %s %s", area, label, year, orNull(poor), orNull(n), status,
			orNull(warnings)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`"#1" "Ådalen, \"Øst\"" 2014 0.3333333333333333 3 OBSERVED few; "very", few`,
		`"A2" "Nord\r\nlunden" 2014 null 0 NONE null`,
		fmt.Sprintf(`"A2" "Nord\r\nlunden" 2015 1e-300 %d OBSERVED null`, math.MaxInt64),
		`" A3" "Zone" 2015 0.1 null OBSERVED null`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// orNull writes what may not be there.
func orNull[T any](x *T) string {
	if x == nil {
		return "null"
	}
	return fmt.Sprint(*x)
}
