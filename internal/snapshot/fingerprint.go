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
	"github.com/kvarter/kvarter/internal/fault"
)

// describe fills in the tables, years and fingerprint of the snapshot in folder; those of the tables
// that were written by Write are known.
//
// The fingerprint is the SHA-256 of, for each table in the contract's order: its name, the names of
// the columns it has, its number of rows, and the sum of its rows' numbers. Sums know no order, and a
// row's number is made of values alone: the fingerprint is the same whatever wrote the Parquet, on any
// number of threads and with any DuckDB. That of a table is the SHA-256 of its part alone.
//
// A row's number, of 64 bits, is folded(x · 0x9e3779b97f4a7c15), where x is the XOR of the words of its
// values, and folded is the upper half of a product of 128 bits XOR its lower half. With w(text) for
// the first eight bytes, lowest first, of the MD5 of a text, and c for the name of the column, the
// word is
//
//	w(c 0x1f text)                  of a code or a text, of true or false, of a list of texts
//	                                (their number, a colon, and the texts with 0x1e between them)
//	folded((u XOR w(c)) · (w(c 0x1e) OR 1))   of a number, ten-thousandths of a decimal number, or days
//	                                since 1970-01-01 of a date, where u is the number plus 2^63
//	w(c 0x1f 0x00)                  of null
func describe(ctx context.Context, db *sql.DB, folder string, c *contract.Contract, known map[string]*written,
	info *Info) error {
	sum := sha256.New()
	years := map[int]bool{}
	for _, t := range c.Tables {
		path := filepath.Join(folder, t.Name+".parquet")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		columns, content := []*contract.Column(nil), contentSum{}
		var err error
		if of := known[t.Name]; of != nil {
			columns, content = of.columns, of.sum
		} else if columns, content, err = contentOf(ctx, db, path, t, info.FingerprintRule); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		table := Table{Name: t.Name, Rows: content.rows}
		for _, column := range columns {
			table.Columns = append(table.Columns, column.Name)
		}
		part := fmt.Appendf(nil, "%s\n%s\n%d %s\n", t.Name, strings.Join(table.Columns, " "), content.rows, content.text())
		table.Fingerprint, table.Structure = hashOf(string(part)), hashOf(t.Structure(table.Columns))
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

// Describe computes the fingerprints and the rest of what describes a snapshot's facts anew, by the
// rule by which it was made. The tables are those that it had then, and they and their columns are in
// the order of then, which the contract may have changed since.
func Describe(ctx context.Context, folder string, made Info, c *contract.Contract) (info Info, err error) {
	asMade := &contract.Contract{}
	for _, m := range made.Tables {
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
	info.FingerprintRule = made.FingerprintRule
	return info, describe(ctx, db, folder, asMade, nil, &info)
}

// fingerprintRule is the rule that describe states. That of data sets without one was: the sums of the
// two halves of the MD5 of a row's text.
const fingerprintRule = 2

// contentOf computes what a table's part of the fingerprint is made of from its file.
func contentOf(ctx context.Context, db *sql.DB, path string, t *contract.Table, rule int) (
	columns []*contract.Column, content contentSum, err error) {
	present := map[string]bool{}
	rows, err := db.QueryContext(ctx, "SELECT column_name FROM (DESCRIBE SELECT * FROM "+duckdb.Parquet(path)+")")
	if err != nil {
		return nil, contentSum{}, err
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, contentSum{}, errors.Join(err, rows.Close())
		}
		present[name] = true
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, contentSum{}, err
	}
	for _, column := range t.Columns {
		if present[column.Name] {
			columns = append(columns, column)
		}
	}
	var text string
	switch rule {
	case fingerprintRule:
		text = rowNumbers(columns, duckdb.Parquet(path))
	case 0:
		text = rowTexts(columns, duckdb.Parquet(path))
	default:
		return nil, contentSum{}, fault.Invalidf("the fingerprint is of rule %d; this program knows those up to %d", rule,
			fingerprintRule)
	}
	err = db.QueryRowContext(ctx, text).Scan(&content.rows, &content.stated)
	return columns, content, err
}

// rowTexts is the statement of the earlier rule: the sums, each in its text.
func rowTexts(columns []*contract.Column, from string) string {
	var texts []string
	for _, column := range columns {
		texts = append(texts, canonical(column))
	}
	// md5_number is split here, since md5_number_lower and md5_number_upper would each hash the row.
	return "SELECT count(*), " +
		"coalesce(sum((m & 18446744073709551615::UHUGEINT)::UBIGINT), 0)::VARCHAR || ' ' || " +
		"coalesce(sum((m >> 64)::UBIGINT), 0)::VARCHAR " +
		"FROM (SELECT md5_number(concat_ws(chr(31), " + strings.Join(texts, ", ") + ")) AS m FROM " + from + ")"
}

// canonical is the SQL of a column's text in a row by the earlier rule: null is one control character,
// which no value is, and free text carries its length, so that no two rows have the same text.
func canonical(c *contract.Column) string {
	name := duckdb.QuoteName(c.Name)
	text := name + "::VARCHAR"
	switch {
	case c.Type == contract.Strings:
		text = listText(name)
	case c.Type == contract.Decimal:
		text = name + "::DECIMAL(18,4)::VARCHAR"
	case c.Type == contract.String && c.Codes == nil:
		text = "length(" + name + ") || ':' || " + name
	}
	return "coalesce(" + text + ", chr(0))"
}

func listText(name string) string {
	return "len(" + name + ") || ':' || array_to_string(" + name + ", chr(30))"
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
