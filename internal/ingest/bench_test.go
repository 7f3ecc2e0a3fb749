package ingest_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// BenchmarkImport imports children, one row each, from a CSV file of ten columns.
func BenchmarkImport(b *testing.B) {
	for _, rows := range []int{200_000, 2_000_000} {
		b.Run(fmt.Sprintf("rows-%d", rows), func(b *testing.B) {
			folder := b.TempDir()
			db, err := sql.Open("duckdb", "")
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(fmt.Sprintf(`COPY (SELECT i AS child_id, 2010 + i %% 5 AS year, i %% 7 AS age,
				if(i %% 2 = 0, 'MALE', 'FEMALE') AS sex, '461' AS municipality,
				if(i %% 3 = 0, 'DANISH', 'IMMIGRANT_WESTERN') AS origin, i %% 11 = 0 AS poor,
				100000 + (i * 7919) %% 300000 AS equivalised_income, (i * 31) %% 900000 - 1000 AS wealth, i // 2 AS family_id
				FROM range(%d) AS t(i)) TO '%s' (HEADER)`, rows, filepath.Join(folder, "children.csv"))); err != nil {
				b.Fatal(err)
			}
			recipe := filepath.Join(folder, "recipe.yaml")
			text := head + "tables:\n  child_year:\n    select: FROM 'children.csv'\n"
			if err := os.WriteFile(recipe, []byte(text), 0o644); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, issues, err := ingest.Import(context.Background(), recipe, b.TempDir(), theContract(b), nil); err != nil {
					b.Fatal(err, issues)
				}
			}
		})
	}
}
