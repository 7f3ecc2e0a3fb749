package duckdb_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/duckdb"
)

// filled is a table function of one chunk of one column, which is filled by a function.
type filled struct {
	info driver.TypeInfo
	fill func(duckdb.Vectors) error
	done bool
}

func (f *filled) ColumnInfos() []driver.ColumnInfo {
	return []driver.ColumnInfo{{Name: "x", T: f.info}}
}
func (f *filled) Cardinality() *driver.CardinalityInfo { return nil }
func (f *filled) Init()                                {}
func (f *filled) FillChunk(chunk driver.DataChunk) error {
	if f.done {
		return chunk.SetSize(0)
	}
	f.done = true
	vectors, err := duckdb.VectorsOf(chunk)
	if err != nil {
		return err
	}
	if err := f.fill(vectors); err != nil {
		return err
	}
	return chunk.SetSize(3)
}

// What is filled into a vector of its type is read there; what does not fit is an error, and nothing is
// written.
func TestFill(t *testing.T) {
	ints, codes := []int32{5, -1, 0}, []uint8{2, 255, 0}
	enum, err := driver.NewEnumInfo("A", "B", "C")
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 256)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	wide, err := driver.NewEnumInfo(many[0], many[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	decimal, err := driver.NewDecimalInfo(18, 4)
	if err != nil {
		t.Fatal(err)
	}
	info := func(kind driver.Type) driver.TypeInfo {
		info, err := driver.NewTypeInfo(kind)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	type vectors = duckdb.Vectors
	for name, try := range map[string]struct {
		info driver.TypeInfo
		fill func(v vectors) error
		want string // of the column as a list, or of the error
	}{
		"BIGINT": {info(driver.TYPE_BIGINT), func(v vectors) error { return duckdb.Fill[int64](v, 0, ints, -1) },
			"[5, NULL, 0]"},
		"DECIMAL": {decimal, func(v vectors) error { return duckdb.Fill[int64](v, 0, ints, 0) },
			"[0.0005, -0.0001, NULL]"},
		"DATE": {info(driver.TYPE_DATE), func(v vectors) error { return duckdb.Fill[int32](v, 0, ints, 5) },
			"[NULL, 1969-12-31, 1970-01-01]"},
		"ENUM": {enum, func(v vectors) error { return duckdb.Fill[uint8](v, 0, codes, 255) }, "[C, NULL, A]"},
		"BOOLEAN": {info(driver.TYPE_BOOLEAN),
			func(v vectors) error { return duckdb.Fill[uint8](v, 0, []uint8{1, 0, 9}, 9) }, "[true, false, NULL]"},
		"too narrow": {info(driver.TYPE_BIGINT), func(v vectors) error { return duckdb.Fill[int32](v, 0, ints, -1) },
			"4 bytes are to be put into a vector of 8"},
		"too wide": {info(driver.TYPE_DATE), func(v vectors) error { return duckdb.Fill[int64](v, 0, ints, -1) },
			"8 bytes are to be put into a vector of 4"},
		"a wide enumeration": {wide, func(v vectors) error { return duckdb.Fill[uint8](v, 0, codes, 255) },
			"1 bytes are to be put into a vector of 0"},
		"a type of no fixed width": {info(driver.TYPE_VARCHAR),
			func(v vectors) error { return duckdb.Fill[int64](v, 0, ints, -1) }, "into a vector of 0"},
		"no such column": {info(driver.TYPE_BIGINT), func(v vectors) error { return duckdb.Fill[int64](v, 1, ints, -1) },
			"column 1 of a chunk of 1"},
		"too many": {info(driver.TYPE_BIGINT),
			func(v vectors) error { return duckdb.Fill[int64](v, 0, make([]int32, 10_000), -1) }, "10000 values"},
	} {
		db, err := sql.Open("duckdb", "")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := driver.RegisterTableUDF(conn, "filled", driver.ChunkTableFunction{
			BindArguments: func(map[string]any, ...any) (driver.ChunkTableSource, error) {
				return &filled{info: try.info, fill: try.fill}, nil
			},
		}); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := conn.QueryRowContext(context.Background(), "SELECT list(x)::VARCHAR FROM filled()").Scan(&got); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, try.want) {
			t.Errorf("%s: got %s, want %s", name, got, try.want)
		}
		conn.Close()
		db.Close()
	}
	if _, err := duckdb.VectorsOf(driver.DataChunk{}); err == nil || !strings.Contains(err.Error(), "not made") {
		t.Errorf("a chunk of no one gives %v", err)
	}
}

// A driver that is laid out otherwise than this program expects is an error that says so.
func TestHandleOfAnotherDriver(t *testing.T) {
	type another struct{ conn *sql.Conn }
	for _, value := range []any{nil, 5, another{conn: nil}, &another{}, struct{ connection int }{}} {
		if handle, err := duckdb.HandleOf(value); err == nil || handle != nil ||
			!strings.Contains(err.Error(), "field conn") {
			t.Errorf("%T gives %v", value, err)
		}
	}
}
