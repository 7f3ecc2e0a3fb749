package snapshot

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

// describe fills in the tables, years and fingerprint of the snapshot in folder.
//
// The fingerprint is the SHA-256 of, for each table in the contract's order: its name, the names
// of the columns it has, its number of rows, and the sums over the rows of the two halves of the
// MD5 of a row's text. Sums know no order, and the text is made of values alone: the fingerprint
// is the same whatever wrote the Parquet, on any number of threads and with any DuckDB. That of a
// table is the SHA-256 of its part alone.
func describe(ctx context.Context, db *sql.DB, folder string, c *contract.Contract, info *Info) error {
	sum := sha256.New()
	years := map[int]bool{}
	for _, t := range c.Tables {
		path := filepath.Join(folder, t.Name+".parquet")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		table, part, err := describeTable(ctx, db, path, t)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		sum.Write(part)
		info.Tables = append(info.Tables, table)
		if slices.Contains(table.Columns, "year") {
			if err := addYears(ctx, db, path, years); err != nil {
				return err
			}
		}
	}
	for year := range years {
		info.Years = append(info.Years, year)
	}
	slices.Sort(info.Years)
	info.Fingerprint = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// Describe computes the fingerprints and the rest of what describes a snapshot's facts anew. The tables
// are those that it had when it was made, and they and their columns are in the order of then, which
// the contract may have changed since.
func Describe(ctx context.Context, folder string, made []Table, c *contract.Contract) (info Info, err error) {
	asMade := &contract.Contract{}
	for _, m := range made {
		now := c.Table(m.Name)
		if now == nil {
			continue
		}
		t := *now
		t.Columns = nil
		for _, name := range m.Columns {
			if column := now.Column(name); column != nil {
				t.Columns = append(t.Columns, column)
			}
		}
		asMade.Tables = append(asMade.Tables, &t)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return info, describe(ctx, db, folder, asMade, &info)
}

// describeTable describes a table, and returns its part of what the fingerprint of all is made of.
func describeTable(ctx context.Context, db *sql.DB, path string, t *contract.Table) (_ Table, part []byte, err error) {
	present := map[string]bool{}
	rows, err := db.QueryContext(ctx, "SELECT column_name FROM (DESCRIBE SELECT * FROM "+duckdb.Parquet(path)+")")
	if err != nil {
		return Table{}, nil, err
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return Table{}, nil, errors.Join(err, rows.Close())
		}
		present[name] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return Table{}, nil, err
	}
	table := Table{Name: t.Name}
	var texts []string
	for _, column := range t.Columns {
		if present[column.Name] {
			table.Columns = append(table.Columns, column.Name)
			texts = append(texts, canonical(column))
		}
	}
	var lower, upper string
	// md5_number is split here, since md5_number_lower and md5_number_upper would each hash the row.
	err = db.QueryRowContext(ctx, fmt.Sprintf(`
		SELECT count(*),
		       coalesce(sum((m & 18446744073709551615::UHUGEINT)::UBIGINT), 0)::VARCHAR,
		       coalesce(sum((m >> 64)::UBIGINT), 0)::VARCHAR
		FROM (SELECT md5_number(concat_ws(chr(31), %s)) AS m FROM %s)`,
		strings.Join(texts, ", "), duckdb.Parquet(path))).Scan(&table.Rows, &lower, &upper)
	if err != nil {
		return Table{}, nil, err
	}
	part = fmt.Appendf(nil, "%s\n%s\n%d %s %s\n", t.Name, strings.Join(table.Columns, " "), table.Rows, lower, upper)
	table.Fingerprint, table.Structure = hashOf(string(part)), hashOf(t.Structure(table.Columns))
	return table, part, nil
}

// canonical is the SQL of a column's text in a row: null is one control character, which no
// value is, and free text carries its length, so that no two rows have the same text.
func canonical(c *contract.Column) string {
	name := duckdb.QuoteName(c.Name)
	text := name + "::VARCHAR"
	switch {
	case c.Type == contract.Strings:
		text = "len(" + name + ") || ':' || array_to_string(" + name + ", chr(30))"
	case c.Type == contract.Decimal:
		text = name + "::DECIMAL(18,4)::VARCHAR"
	case c.Type == contract.String && c.Codes == nil:
		text = "length(" + name + ") || ':' || " + name
	}
	return "coalesce(" + text + ", chr(0))"
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func addYears(ctx context.Context, db *sql.DB, path string, years map[int]bool) error {
	rows, err := db.QueryContext(ctx, "SELECT DISTINCT year FROM "+duckdb.Parquet(path))
	if err != nil {
		return err
	}
	for rows.Next() {
		var year int
		if err := rows.Scan(&year); err != nil {
			return errors.Join(err, rows.Close())
		}
		years[year] = true
	}
	return errors.Join(rows.Err(), rows.Close())
}
