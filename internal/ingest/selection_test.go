package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/duckdb"
)

// A SELECT that also tells the origin of its rows gives the same rows as the one that was written,
// and the origin is that of the first file of FROM; where that cannot be, no origin is told.
func TestOriginChangesNothing(t *testing.T) {
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.csv":    "id,year,n,town\n1,2014,10,Odense\n2,2014,20,Aarhus\n3,2015,30,Odense\n4,2015,,\n",
		"b.csv":    "town,code\nOdense,461\nAarhus,751\n",
		"wide.csv": "age,2014,2015\n1,10,11\n2,20,21\n",
		"c.json":   `[{"id": 1, "list": [1, 2]}, {"id": 2, "list": [3]}]`,
		"d.jsonl":  "{\"id\": 1}\n{\"id\": 2}\n",
		"semi.txt": "x;y\n1;2\n3;4\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx,
		"COPY (FROM read_csv("+duckdb.QuoteText(filepath.Join(folder,
			"a.csv"))+")) TO "+duckdb.QuoteText(filepath.Join(folder, "e.parquet"))); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		text   string
		origin string // "file row" of each row in order; "" where none can be told
	}{
		{"SELECT id, n FROM 'a.csv'", "a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT id, n FROM 'a.csv' WHERE year = 2015", "a.csv 3, a.csv 4"},
		{"FROM 'a.csv'", "a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT *, n + 1 AS more FROM 'a.csv' ORDER BY n DESC NULLS LAST", "a.csv 3, a.csv 2, a.csv 1, a.csv 4"},
		{"SELECT * EXCLUDE (town) REPLACE (n * 2 AS n) FROM read_csv('a.csv', nullstr = '')",
			"a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT a.id FROM 'a.csv'", "a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT a.*, b.code FROM 'a.csv' AS a LEFT JOIN 'b.csv' AS b USING (town) ORDER BY id",
			"a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT * FROM 'a.csv' JOIN 'b.csv' USING (town) ORDER BY id", "a.csv 1, a.csv 2, a.csv 3"},
		{"SELECT b.code, x.n FROM 'a.csv' x, 'b.csv' b WHERE x.town = b.town ORDER BY n", "a.csv 1, a.csv 2, a.csv 3"},
		{"WITH q AS (SELECT * FROM 'a.csv' WHERE n > 10) SELECT id FROM q", "a.csv 2, a.csv 3"},
		{"WITH q AS (SELECT id, n FROM 'a.csv') SELECT * FROM q AS z WHERE n > 10", "a.csv 2, a.csv 3"},
		{"SELECT id FROM (SELECT id, n FROM 'a.csv') AS s WHERE s.n > 10", "a.csv 2, a.csv 3"},
		{"UNPIVOT (FROM 'wide.csv') ON COLUMNS(* EXCLUDE (age)) INTO NAME year VALUE n",
			"wide.csv 1, wide.csv 1, wide.csv 2, wide.csv 2"},
		{"SELECT year::INT AS year, n FROM (UNPIVOT 'wide.csv' ON \"2014\", \"2015\" INTO NAME year VALUE n)",
			"wide.csv 1, wide.csv 1, wide.csv 2, wide.csv 2"},
		{"SELECT id, row_number() OVER (ORDER BY n) AS place FROM 'a.csv' ORDER BY id", "a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT id, len(list) AS n FROM 'c.json'", "c.json 1, c.json 2"},
		{"SELECT id FROM read_json('d.jsonl')", "d.jsonl 1, d.jsonl 2"},
		{"SELECT id, n FROM 'e.parquet'", "e.parquet 1, e.parquet 2, e.parquet 3, e.parquet 4"},
		{"SELECT x, y FROM read_csv('semi.txt', delim = ';')", "semi.txt 1, semi.txt 2"},
		{"SELECT i, j FROM read_csv('semi.txt', delim = ';') AS s(i, j)", "semi.txt 1, semi.txt 2"},
		{"SELECT id, (SELECT max(code) FROM 'b.csv') AS top FROM 'a.csv'", "a.csv 1, a.csv 2, a.csv 3, a.csv 4"},
		{"SELECT id FROM 'a.csv' UNION ALL SELECT id FROM 'd.jsonl'",
			"a.csv 1, a.csv 2, a.csv 3, a.csv 4, d.jsonl 1, d.jsonl 2"},
		{"SELECT n, id FROM 'a.csv' WHERE id > 2 UNION ALL BY NAME SELECT id FROM 'd.jsonl'",
			"a.csv 3, a.csv 4, d.jsonl 1, d.jsonl 2"},
		{"SELECT id FROM 'a.csv' WHERE n > 10 UNION ALL SELECT sum(id) FROM 'd.jsonl' UNION ALL SELECT id FROM 'd.jsonl'",
			"a.csv 2, a.csv 3, - -, d.jsonl 1, d.jsonl 2"},
		{"SELECT * FROM 'a.csv' JOIN 'b.csv' USING (town) UNION ALL SELECT 9, 9, 9, town, code FROM 'b.csv'",
			"a.csv 1, a.csv 2, a.csv 3, b.csv 1, b.csv 2"},
		{"WITH q AS (SELECT id FROM 'a.csv' UNION ALL SELECT id FROM 'd.jsonl') SELECT q.id FROM q WHERE id < 2",
			"a.csv 1, d.jsonl 1"},
		{"(SELECT id FROM 'a.csv' UNION ALL SELECT id FROM 'a.csv') UNION ALL (SELECT id FROM 'd.jsonl' ORDER BY id DESC)",
			"a.csv 1, a.csv 2, a.csv 3, a.csv 4, a.csv 1, a.csv 2, a.csv 3, a.csv 4, d.jsonl 2, d.jsonl 1"},

		{"SELECT year, sum(n) AS n FROM 'a.csv' GROUP BY year", ""},
		{"SELECT year, sum(n) AS n FROM 'a.csv' GROUP BY ALL", ""},
		{"SELECT sum(n) AS n FROM 'a.csv'", ""},
		{"SELECT DISTINCT year FROM 'a.csv'", ""},
		{"SELECT id FROM 'a.csv' ORDER BY id LIMIT 2", ""},
		{"SELECT id FROM 'a.csv' UNION SELECT id FROM 'd.jsonl'", ""},
		{"SELECT id FROM 'a.csv' EXCEPT ALL SELECT id FROM 'd.jsonl'", ""},
		{"SELECT 1 AS id UNION ALL SELECT 2", ""},
		{"SELECT id, unnest(list) AS x FROM 'c.json'", ""},
		{"SELECT j.id, u.x FROM 'c.json' AS j, unnest(j.list) AS u(x)", ""},
		{"SELECT a FROM 'a.csv' AS a", ""},
		{"SELECT COLUMNS(*)::VARCHAR FROM 'a.csv'", ""},
		{"SELECT id, 'page 3' AS _row FROM 'a.csv'", ""},
		{"SELECT 1 AS id", ""},
		{"SELECT i FROM range(3) AS t(i)", ""},
		{"PIVOT 'a.csv' ON year IN (2014, 2015) USING sum(n) GROUP BY town", ""},
		{"SELECT id FROM 'a.csv' TABLESAMPLE 100%", ""},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			selected, err := parseSelect(ctx, conn, test.text, &sources{ctx: ctx, folder: folder})
			if err != nil {
				t.Fatal(err)
			}
			s := &staged{checker: checker{ctx: ctx, conn: conn}}
			relation, columns, err := s.describe(selected)
			if err != nil {
				t.Fatalf("%v in %s", err, selected.text)
			}
			if told := relation == "("+selected.traced+")"; told != (test.origin != "") {
				t.Fatalf("origin told: %t; in %s", told, selected.traced)
			}
			var names []string
			for _, c := range columns {
				if c.name != fileColumn && c.name != rowColumn {
					names = append(names, duckdb.QuoteName(c.name))
				}
			}
			list := strings.Join(names, ", ")
			var different int
			err = conn.QueryRowContext(ctx,
				fmt.Sprintf(`SELECT (SELECT count(*) FROM (SELECT %[1]s FROM %[2]s EXCEPT ALL SELECT %[1]s FROM (%[3]s)))
					+ (SELECT count(*) FROM (SELECT %[1]s FROM (%[3]s) EXCEPT ALL SELECT %[1]s FROM %[2]s))`,
					list, relation, selected.text)).Scan(&different)
			if err != nil || different != 0 {
				t.Errorf("%d rows differ: %v", different, err)
			}
			if test.origin == "" {
				return
			}
			rows, err := conn.QueryContext(ctx, "SELECT _file, _row FROM "+relation)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for rows.Next() {
				var file sql.NullString
				var row sql.NullInt64
				if err := rows.Scan(&file, &row); err != nil {
					t.Fatal(err)
				}
				if !row.Valid {
					got = append(got, "- -")
					continue
				}
				got = append(got, fmt.Sprintf("%s %d", filepath.Base(file.String), row.Int64%branchRows))
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Fatal(err)
			}
			if strings.Join(got, ", ") != test.origin {
				t.Errorf("got %v, want %s", got, test.origin)
			}
		})
	}
}
