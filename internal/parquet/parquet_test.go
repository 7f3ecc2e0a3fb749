package parquet_test

import (
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/parquet"
)

const (
	nullCode = math.MaxUint8
	nullInt  = math.MinInt32
	nullText = "\x00"
)

var columns = []parquet.Column{
	{Name: "few", Kind: parquet.Int}, {Name: "many", Kind: parquet.Int}, {Name: "rising", Kind: parquet.Int},
	{Name: "percent", Kind: parquet.Decimal}, {Name: "day", Kind: parquet.Date}, {Name: "flag", Kind: parquet.Bool},
	{Name: "code", Kind: parquet.Text}, {Name: "text", Kind: parquet.Text}, {Name: "list", Kind: parquet.Texts},
}

// table is a group of rows as it is written and as it should be read.
type table struct {
	few, many, rising, percent, day []int32
	flag, code                      []uint8
	text                            []string
	list                            [][]string
	want                            []string
}

var codes = []string{"A", "", "Æblevej", "unused", "and a long one, beyond what is kept inline"}

// draw makes rows of which each value is null with the chance.
func draw(r *rand.Rand, rows int, null float64) (t table) {
	missing := func() bool { return r.Float64() < null }
	integer := func(draw func() int32) int32 {
		if missing() {
			return nullInt
		}
		return draw()
	}
	print := func(v int32) string {
		if v == nullInt {
			return "null"
		}
		return fmt.Sprint(v)
	}
	for i := range rows {
		t.few = append(t.few, integer(func() int32 { return 2010 + r.Int32N(8) }))
		t.many = append(t.many, integer(func() int32 { return r.Int32() - r.Int32() }))
		t.rising = append(t.rising, integer(func() int32 { return int32(1_000_000 + 3*i) }))
		t.percent = append(t.percent, integer(func() int32 { return r.Int32N(2_000_000) - 1_000_000 }))
		t.day = append(t.day, integer(func() int32 { return r.Int32N(40_000) - 20_000 }))
		flag, code := uint8(r.IntN(2)), uint8([]int{0, 1, 2, 4}[r.IntN(4)])
		if missing() {
			flag, code = nullCode, nullCode
		}
		t.flag, t.code = append(t.flag, flag), append(t.code, code)
		text := strings.Repeat("ø", r.IntN(4)) + fmt.Sprint(r.IntN(3000))
		if missing() {
			text = nullText
		}
		t.text = append(t.text, text)
		t.list = append(t.list, strings.Fields("P1 P2 P3 P4")[:r.IntN(5)])

		day := "null"
		if d := t.day[i]; d != nullInt {
			day = time.Unix(int64(d)*86_400, 0).UTC().Format(time.DateOnly)
		}
		words := []string{print(t.few[i]), print(t.many[i]), print(t.rising[i]), print(t.percent[i]), day, "null", "null", "null"}
		if flag != nullCode {
			words[5], words[6] = fmt.Sprint(flag == 1), "'"+codes[code]+"'"
		}
		if text != nullText {
			words[7] = "'" + text + "'"
		}
		t.want = append(t.want, strings.Join(append(words, fmt.Sprint(t.list[i])), " "))
	}
	return t
}

func (t table) encode() *parquet.Group {
	g := parquet.NewGroup(len(t.few))
	g.Ints(t.few, nullInt)
	g.Ints(t.many, nullInt)
	g.Ints(t.rising, nullInt)
	g.Ints(t.percent, nullInt)
	g.Days(t.day, nullInt)
	g.Bools(t.flag, nullCode)
	g.Codes(t.code, nullCode, codes)
	g.Texts(t.text, nullText)
	g.Lists(t.list)
	return g
}

func open(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// DuckDB reads back what was written, whatever the numbers of rows and nulls.
func TestReadBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	db := open(t)
	for _, null := range []float64{0, 0.001, 0.3, 1} {
		path := filepath.Join(t.TempDir(), "rows.parquet")
		f, err := parquet.Create(path, columns)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, rows := range []int{1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 256, 257, 258, 1000, 2049, 40_000} {
			part := draw(r, rows, null)
			if err := f.Append(part.encode()); err != nil {
				t.Fatal(err)
			}
			want = append(want, part.want...)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query("SELECT few, many, rising, (percent * 10000)::BIGINT, day, flag, code, text, list FROM '" +
			path + "'")
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for ; rows.Next(); i++ {
			var few, many, rising, percent sql.NullInt64
			var day sql.NullTime
			var flag sql.NullBool
			var code, text sql.NullString
			var list driver.Composite[[]string]
			if err := rows.Scan(&few, &many, &rising, &percent, &day, &flag, &code, &text, &list); err != nil {
				t.Fatal(err)
			}
			words := []string{}
			for _, v := range []sql.NullInt64{few, many, rising, percent} {
				if v.Valid {
					words = append(words, fmt.Sprint(v.Int64))
				} else {
					words = append(words, "null")
				}
			}
			words = append(words, "null", "null", "null", "null")
			if day.Valid {
				words[4] = day.Time.Format(time.DateOnly)
			}
			if flag.Valid {
				words[5] = fmt.Sprint(flag.Bool)
			}
			if code.Valid {
				words[6] = "'" + code.String + "'"
			}
			if text.Valid {
				words[7] = "'" + text.String + "'"
			}
			if got := strings.Join(append(words, fmt.Sprint(list.Get())), " "); i >= len(want) || got != want[i] {
				t.Fatalf("nulls %g, row %d: read %s, written %s", null, i, got, want[i])
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if i != len(want) {
			t.Fatalf("nulls %g: read %d rows, written %d", null, i, len(want))
		}
		rows.Close()
	}
}

// The types, minima, maxima and numbers of nulls that the file states are those of its rows: readers
// leave row groups out by them.
func TestStatements(t *testing.T) {
	part := draw(rand.New(rand.NewPCG(3, 4)), 5000, 0.2)
	path := filepath.Join(t.TempDir(), "rows.parquet")
	f, err := parquet.Create(path, columns)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Append(part.encode()); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	db := open(t)
	for column, kind := range map[string]string{"few": "BIGINT", "many": "BIGINT", "percent": "DECIMAL(18,4)", "day": "DATE",
		"flag": "BOOLEAN", "code": "VARCHAR", "text": "VARCHAR", "list": "VARCHAR[]"} {
		var got string
		if err := db.QueryRow("SELECT any_value(typeof(" + column + ")) FROM '" + path + "'").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != kind {
			t.Errorf("%s is read as %s, want %s", column, got, kind)
		}
		if column == "list" || column == "flag" {
			continue
		}
		var least, most, statedLeast, statedMost string
		var nulls, statedNulls int
		if err := db.QueryRow("SELECT min("+column+")::VARCHAR, max("+column+")::VARCHAR, count(*) - count("+column+") FROM (SELECT * FROM '"+
			path+"' OFFSET 0)").Scan(&least, &most, &nulls); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow("SELECT stats_min_value, stats_max_value, stats_null_count FROM parquet_metadata('"+path+
			"') WHERE path_in_schema = '"+column+"'").Scan(&statedLeast, &statedMost, &statedNulls); err != nil {
			t.Fatal(err)
		}
		if least != statedLeast || most != statedMost || nulls != statedNulls {
			t.Errorf("%s is said to be from %s to %s with %d nulls; it is from %s to %s with %d", column, statedLeast,
				statedMost, statedNulls, least, most, nulls)
		}
	}
}

func TestAGroupHasAllColumns(t *testing.T) {
	f, err := parquet.Create(filepath.Join(t.TempDir(), "rows.parquet"), columns)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g := parquet.NewGroup(1)
	g.Ints([]int32{1}, nullInt)
	if err := f.Append(g); err == nil || !strings.Contains(err.Error(), "1 columns, and the file 9") {
		t.Errorf("error %v", err)
	}
}
