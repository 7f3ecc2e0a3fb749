package ingest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
)

// target is a column of the contract that values of a file's column x go into.
type target struct {
	name     string
	table    string
	column   string
	items    string // the other columns of the SELECT, of the file's column id
	key      string // the file's id, in SQL of the table
	ordinary func(i int) string
	text     bool // ordinary values are texts in JSON
	odd      []odd
	selects  []string // of x, in SQL
}

// odd is a value unlike the ordinary ones, and what it may be imported as, written as DuckDB does;
// nothing where it must be an error.
type odd struct {
	value string
	means []string
}

func means(value string, means ...string) odd { return odd{value, means} }

// same is a value that means itself.
func same(value string) odd { return odd{value, []string{value}} }

var (
	numberSelects = []string{"x", "x", "x + 0", "x * 1", "CASE WHEN x > -1000 THEN x END", "greatest(x, x)",
		"if(x = 3, 3, x)", "coalesce(x, x)"}
	wholeNumbers = []odd{means("3.482", "3482"), means("1.6"), means("3.000"), means("117.000"), means("012", "12"),
		means("1e5", "100000"), means("1E+05", "100000"), means("2,35E+05"),
		same("9007199254740993"), means("9007199254740993.0", "9007199254740993"), means("12345678901234567890"), means("+7",
			"7"), means(" 7", "7"), means("1 234", "1234"), means("1\u00a0234", "1234"), means("1.234.567", "1234567"),
		means("inf"), means("nan"), means("NaN"), means("0x1F"), means("1_000",
			"1000"), means("abc"), means("2,5"), means("7.0", "7"), means("-"), means(".."), means("true"), means("2014-01-02"),
		means("1/2"), means("3.4999999"), means("0.5"), means("1e-3")}
)

var targets = []target{
	{name: "whole", table: "child_year", column: "equivalised_income", items: "2014 AS year, 3 AS age, id AS child_id",
		key:      "child_id",
		ordinary: func(i int) string { return strconv.Itoa(100000 + i%5000) }, odd: wholeNumbers, selects: numberSelects},
	{name: "small", table: "child_year", column: "equivalised_income", items: "2014 AS year, 3 AS age, id AS child_id",
		key:      "child_id",
		ordinary: func(i int) string { return strconv.Itoa(i % 10) }, odd: wholeNumbers, selects: append(numberSelects,
			"sum(x)", "max(x)", "min(x)")},
	{name: "number", table: "area_year", column: "percent_convicted",
		items: "'A' || id AS area_id, 2014 AS year, 'test' AS source", key: "substr(area_id, 2)::INT",
		ordinary: func(i int) string { return strconv.Itoa(i%50) + "." + strconv.Itoa(i%9+1) }, selects: numberSelects[:5],
		odd: []odd{means("2,7"), means("1.234", "1.234"), means("inf"), means("nan"), means("-inf"), means("1e1", "10.0"),
			means("1E1", "10.0"), means(".5", "0.5"), means("0x10"), means("1_0.5"), means("1,5E+01"), means("5",
				"5.0"), means("07.5", "7.5"), means("+7.5", "7.5"), means("abc"), means("..")}},
	{name: "date", table: "plan", column: "start", items: "id::VARCHAR AS plan_id, 'N' || id AS name", key: "plan_id::INT",
		text:     true,
		ordinary: func(i int) string { return fmt.Sprintf("2014-%02d-%02d", i%12+1, i%28+1) }, selects: []string{"x",
			"coalesce(x, x)"},
		odd: []odd{means("01/02/2014"), means("31-12-2014", "2014-12-31"), means("2014-02-30"),
			means("2014-1-2", "2014-01-02"), means("20140102"), means("2014-01-02 23:00",
				"2014-01-02"), means("2014-01-02T23:00:00", "2014-01-02"), means("14-01-02"), means("x"), means("2014")}},
	{name: "day first", table: "plan", column: "start", items: "id::VARCHAR AS plan_id, 'N' || id AS name",
		key: "plan_id::INT", text: true,
		ordinary: func(i int) string { return fmt.Sprintf("%02d-%02d-2014", i%9+1, i%12+1) }, selects: []string{"x"},
		odd: []odd{means("31-12-2014", "2014-12-31"), means("12-31-2014"), means("31-02-2014"),
			means("31.12.2014", "2014-12-31"), means("2014-12-31", "2014-12-31"), means("x")}},
	{name: "yes", table: "child_year", column: "poor", items: "2014 AS year, 3 AS age, id AS child_id", key: "child_id",
		text:     true,
		ordinary: func(i int) string { return strconv.FormatBool(i%3 == 0) }, selects: []string{"x", "coalesce(x, x)"},
		odd: []odd{means("t", "true"), means("TRUE", "true"), means("2"), means("1.4"), means("0.4"), means("J", "true"),
			means("1", "true"), means("0", "false"), means("x"), means("2014-01-01")}},
	{name: "one", table: "child_year", column: "poor", items: "2014 AS year, 3 AS age, id AS child_id", key: "child_id",
		ordinary: func(i int) string { return strconv.Itoa(i % 2) }, selects: []string{"x"},
		odd: []odd{means("1.4"), means("0.6"), means("1.000"), means("1.0", "true"), means("01", "true"), means("x"),
			means("2,0"), means("1e0", "true")}},
	{name: "is one", table: "child_year", column: "poor", items: "2014 AS year, 3 AS age, id AS child_id", key: "child_id",
		ordinary: func(i int) string { return strconv.Itoa(i % 2) }, selects: []string{"x = 1", "x IN (1, 5)",
			"CASE x WHEN 1 THEN true ELSE false END", "x <> 0 AND x < 1.2"},
		odd: []odd{means("1.4", "false"), means("0.6", "false", "true"), means("1.000"), means("1.0", "true"),
			means("01", "true"), means("x"), means("2,0"), means("1e0", "true"), means("1.4x"), means("0,6")}},
}

func init() {
	// Texts that a sample takes for numbers, dates or yes and no.
	codes := []odd{same("012"), same("1.10"), same("A1"), same("1e5"), same("true"), same("2014-01-02"),
		same("01/02/2014"), same("9007199254740993"), same("99999999999999999999"), same("1.0"), same("inf"), same("+7"),
		same("00"), same("31-12-2014"), same("TRUE"), same("1,5"), same("Hansen, Ole"), same(`say "x"`), same("1.234")}
	for name, ordinary := range map[string]func(i int) string{
		"code":    func(i int) string { return strconv.Itoa(i%90 + 1) },
		"version": func(i int) string { return fmt.Sprintf("1.%d", i%9+1) },
		"word":    func(i int) string { return "name " + strconv.Itoa(i) },
		"day":     func(i int) string { return fmt.Sprintf("2014-01-%02d", i%28+1) },
		"answer":  func(i int) string { return strconv.FormatBool(i%2 == 0) },
	} {
		targets = append(targets, target{name: name, table: "plan", column: "name", items: "id::VARCHAR AS plan_id",
			key: "plan_id::INT", text: true,
			ordinary: ordinary, odd: codes, selects: []string{"x", "coalesce(x, x)", "trim(x)"}})
	}
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.name, b.name) })
}

// oddTable is a file, or two, with one odd value, and a recipe that reads it.
type oddTable struct {
	*target
	odd
	format   string // csv, csv;, jsonl, json
	at, rows int
	selected string
	from     string
}

func (o oddTable) String() string {
	return fmt.Sprintf("%s %q at %d of %d in %s: SELECT %s%s", o.name, o.value, o.at, o.rows, o.format, o.selected, o.from)
}

func drawTable(r *rand.Rand) oddTable {
	t := &targets[r.IntN(len(targets))]
	o := oddTable{target: t, odd: t.odd[r.IntN(len(t.odd))], rows: 3 + r.IntN(20),
		selected: t.selects[r.IntN(len(t.selects))]}
	if r.IntN(2) == 0 {
		o.rows = 30_002
	}
	o.at = []int{0, o.rows / 2, o.rows - 1}[r.IntN(3)]
	o.format = []string{"csv", "csv;", "jsonl", "json"}[r.IntN(4)]
	if whole, zeros, pointed := strings.Cut(o.value, "."); pointed && strings.Trim(zeros, "0") == "" &&
		strings.HasPrefix(o.format, "json") && !t.text {
		// in JSON a point never parts thousands
		o.means = append(slices.Clone(o.means), whole, strconv.FormatBool(whole == "1"))
	}
	o.from = []string{"F", "F", "(SELECT * FROM F) AS t", "(SELECT x, id FROM F WHERE id >= 0) AS t", "UNION",
		"GLOB"}[r.IntN(6)]
	return o
}

func (o oddTable) field(i int) string {
	if i == o.at {
		return o.value
	}
	return o.ordinary(i)
}

// write writes the table's files and the recipe into a folder.
func (o oddTable) write(t *testing.T, folder string) {
	t.Helper()
	parts, name, extension := 1, "f", strings.TrimSuffix(o.format, ";")
	if o.from == "GLOB" {
		parts = 2
	}
	for part := range parts {
		var b strings.Builder
		separator := ","
		switch o.format {
		case "csv;":
			separator = ";"
			fallthrough
		case "csv":
			b.WriteString("id" + separator + "x\n")
		case "json":
			b.WriteString("[")
		}
		first := true
		for i := part; i < o.rows; i += parts {
			value := o.field(i)
			if strings.HasPrefix(o.format, "csv") {
				if strings.ContainsAny(value, separator+`"`) {
					value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
				}
				fmt.Fprintf(&b, "%d%s%s\n", i, separator, value)
				continue
			}
			var number json.Number
			if bare := json.Unmarshal([]byte(value), &number) == nil && number != ""; o.text || !bare {
				value = strconv.Quote(value)
			}
			if !first && o.format == "json" {
				b.WriteString(",")
			}
			first = false
			fmt.Fprintf(&b, "{\"id\": %d, \"x\": %s}\n", i, value)
		}
		if o.format == "json" {
			b.WriteString("]")
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s%d.%s", name, part, extension)), []byte(b.String()),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	file := "'f0." + extension + "'"
	group := ""
	if strings.Contains(o.selected, "sum(") || strings.Contains(o.selected, "max(") ||
		strings.Contains(o.selected, "min(") {
		group = " GROUP BY id"
	}
	text := fmt.Sprintf("SELECT %s, %s AS %s FROM ", o.items, o.selected, o.column)
	switch o.from {
	case "UNION":
		if group != "" {
			text += file + group
			break
		}
		text = text + file + " WHERE id % 2 = 0 UNION ALL " + text + file + " WHERE id % 2 = 1"
	case "GLOB":
		text += "'f*." + extension + "'" + group
	default:
		text += strings.Replace(o.from, "F", file, 1) + group
	}
	recipe := "name: case\ntitle: A test case\nsynthetic: true\nlicence: CC0-1.0\ncitation: Invented for a " +
		"test\nsources:\n  - {title: Invented for a test, publisher: Kvarter}\n" +
		"tables:\n  " + o.table + ":\n    select: |\n      " + text + "\n"
	if err := os.WriteFile(filepath.Join(folder, "recipe.yaml"), []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
}

// got writes the imported value of a row as a text.
func (o oddTable) got() string {
	if o.name == "number" {
		return o.column + "::DOUBLE::VARCHAR"
	}
	return o.column + "::VARCHAR"
}

// meaning is what an ordinary value is imported as.
func (o oddTable) meaning(ordinary string) string {
	switch o.name {
	case "one", "is one":
		return strconv.FormatBool(ordinary == "1")
	case "day first":
		return ordinary[6:] + "-" + ordinary[3:5] + "-" + ordinary[:2]
	}
	return ordinary
}

// wrong imports the table, and returns what is wrong with what came of it without a word, or "".
func (o oddTable) wrong(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	o.write(t, folder)
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := ReadRecipe(filepath.Join(folder, "recipe.yaml"), c)
	if err != nil {
		t.Fatal(err)
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
	s := newStaged(ctx, recipe, conn, c, &sources{ctx: ctx, folder: recipe.folder,
		copies: filepath.Join(t.TempDir(), "copies")})
	if err := s.load(recipe.tables[0]); err != nil {
		t.Fatal(err)
	}
	f := s.tables[o.table]
	if f != nil {
		if err := s.rowRules(f); err != nil {
			t.Fatal(err)
		}
	}
	if wrong, _ := Count(s.issues); wrong > 0 {
		return ""
	}
	rows, err := conn.QueryContext(ctx, fmt.Sprintf("SELECT %s, coalesce(%s, 'null') FROM %s ORDER BY 1", o.key, o.got(),
		f.view))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id int
		var got string
		if err := rows.Scan(&id, &got); err != nil {
			t.Fatal(err)
		}
		switch ordinary := o.ordinary(id); {
		case id != n:
			return fmt.Sprintf("row %d is missing", n)
		case id == o.at && !slices.Contains(o.means, got):
			return fmt.Sprintf("row %d is %s; right were an error or %q", id, got, o.means)
		case id != o.at && got != o.meaning(ordinary):
			return fmt.Sprintf("row %d is %s, not %s", id, got, o.meaning(ordinary))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	if n != o.rows {
		return fmt.Sprintf("%d rows, not %d", n, o.rows)
	}
	return ""
}

// Of tables with one odd value, in the first row, in the middle or in the last, and with rows
// enough that no sample holds it, no import is wrong without a word.
func TestOddValues(t *testing.T) {
	tables := 100
	if testing.Short() {
		tables = 30
	}
	seed := rand.Uint64()
	if text := os.Getenv("ODD_SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for range tables {
		o := drawTable(r)
		t.Run(o.String(), func(t *testing.T) {
			t.Parallel()
			if problem := o.wrong(t); problem != "" {
				t.Errorf("%s (ODD_SEED=%d)", problem, seed)
			}
		})
	}
}
