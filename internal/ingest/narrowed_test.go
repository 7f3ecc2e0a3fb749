package ingest_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// Whole numbers in the first of several Parquet files make no whole numbers of the fractions in
// another, however the files are named.
func TestParquetOfSeveralTypes(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	folder := t.TempDir()
	for file, residents := range map[string]string{"2014.parquet": "1000", "2015.parquet": "1000.0::DOUBLE",
		"2016.parquet": "1000.6::DOUBLE"} {
		if _, err := db.Exec("COPY (SELECT 'P' AS plan_id, " + residents + " AS n) TO '" + filepath.Join(folder, file) +
			"'"); err != nil {
			t.Fatal(err)
		}
	}
	for reads, wrong := range map[string]bool{
		"'*.parquet'": true,
		"read_parquet(['2014.parquet', '2016.parquet'])":        true,
		"read_parquet('*.parquet', union_by_name = true)":       false,
		"read_parquet(['2014.parquet', '2015.parquet'])":        false,
		"read_parquet(['2016.parquet', '2014.parquet'])":        false, // DOUBLE holds both
		"'2014.parquet' UNION ALL SELECT n FROM '2016.parquet'": false,
	} {
		_, findings, err := importFolder(t, folder,
			plansRecipe+"|\n      SELECT 'P' || row_number() OVER () AS plan_id, n::VARCHAR AS name, DATE '2014-01-01' AS "+
				"start FROM (SELECT n FROM "+reads+")\n")
		got := slices.ContainsFunc(findings, func(f ingest.Issue) bool {
			return f.Rule == "type" && f.File == "2016.parquet" && f.Row == "1" && f.Value == "1000.6"
		})
		if got != wrong || wrong != (err != nil) {
			t.Errorf("%s: got %v, %v", reads, err, findings)
		}
	}
}

// What is no number is no whole number either: the file and row of it are named, not the engine's words.
func TestNotANumberInALaterParquetFile(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, odd := range []string{"NaN", "Infinity", "1e300"} {
		folder := t.TempDir()
		for file, n := range map[string]string{"2014.parquet": "1000", "2015.parquet": "'" + odd + "'::DOUBLE"} {
			if _, err := db.Exec("COPY (SELECT " + n + " AS n) TO '" + filepath.Join(folder, file) + "'"); err != nil {
				t.Fatal(err)
			}
		}
		_, findings, err := importFolder(t, folder,
			plansRecipe+"|\n      SELECT 'P' || row_number() OVER () AS plan_id, n::VARCHAR AS name, DATE '2014-01-01' AS "+
				"start FROM '*.parquet'\n")
		if err == nil || !slices.ContainsFunc(findings, func(f ingest.Issue) bool {
			return f.Rule == "type" && f.File == "2015.parquet" && f.Row == "1" && f.Column == "n"
		}) {
			t.Errorf("%s: got %v, %v", odd, err, findings)
		}
	}
}
