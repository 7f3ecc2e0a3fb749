package ingest

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/kvarter/kvarter/internal/duckdb"
)

// narrowed reports whole numbers of Parquet files that hold fractions, or what is no number, in a later
// file of the same reading: DuckDB reads all files in the types of the first, and rounds. It does not where the
// recipe states union_by_name.
func (s *staged) narrowed(reads []read) (found bool, err error) {
	kinds, first := map[string]string{}, ""
	for i, r := range reads {
		if r.format() != parquetFormat || r.stated["union_by_name"] != "" {
			continue
		}
		if i == 0 || reads[i-1].one != r.one {
			kinds, first = map[string]string{}, r.files[0]
		}
		for _, file := range r.files {
			relation := "read_parquet(" + duckdb.QuoteText(literal(file, file)) + ", hive_partitioning = false)"
			columns, err := s.columnsOf(relation)
			if err != nil {
				return found, err
			}
			for _, c := range columns {
				name := strings.ToLower(c.name)
				if file == first {
					kinds[name] = c.kind
				}
				rounds := dialect{decimal: "."}.rounds(c.name, kinds[name])
				if rounds == "" || c.kind == kinds[name] {
					continue
				}
				var row int64
				var value string
				switch err := s.conn.QueryRowContext(s.ctx,
					fmt.Sprintf("SELECT row, value FROM (SELECT row_number() OVER () AS row, value FROM (SELECT %[1]s::VARCHAR AS "+
						"value FROM %[2]s)) WHERE %[3]s OR value IS NOT NULL AND TRY_CAST(value AS %[4]s) IS NULL ORDER BY row LIMIT 1",
						duckdb.QuoteName(c.name), relation, dialect{decimal: "."}.rounds("value",
							kinds[name]), kinds[name])).Scan(&row, &value); err {
				case sql.ErrNoRows:
					continue
				case nil:
				default:
					return found, err
				}
				found = true
				s.add(Issue{Severity: Error, File: nameWithin(s.recipe.folder, file), Row: fmt.Sprint(row), Column: c.name,
					Rule: "type", Value: value, Rows: 1,
					Message: fmt.Sprintf("%q would be rounded, or does not fit: this file has the column as %s, and %s, the first "+
						"of the files, as %s, as which all are read; write read_parquet('…', union_by_name = true)",
						value, c.kind, nameWithin(s.recipe.folder, first), kinds[name])})
			}
		}
	}
	return found, nil
}
