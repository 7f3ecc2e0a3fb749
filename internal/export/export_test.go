package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/export"
)

// table has every sign that a format uses itself, and values that are not there.
func table() *export.Table {
	return &export.Table{
		Columns: []export.Column{
			{Name: "AREA", Label: "Area", Kind: export.Key, Role: export.Geo,
				Categories: []export.Category{{"#1", `Ådalen, "Øst"`}, {"A2", "Nord\r\nlunden"}, {" A3", "Zone"}}},
			{Name: "YEAR", Label: "Year", Kind: export.Key, Role: export.Time,
				Categories: []export.Category{{"2014", "2014"}, {"2015", "2015"}}},
			{Name: "POOR", Label: "Poor", Definition: "Below\nthe line", Unit: "share, 0 to 1", Kind: export.Number,
				Assumed: true},
			{Name: "denominator", Label: "In the denominator", Kind: export.Count},
			{Name: "status", Label: "Status", Kind: export.Text,
				Categories: []export.Category{{"OBSERVED", "As it is"}, {"NONE", "Nobody"}}, Absent: "NONE"},
			{Name: "warnings", Label: "Warnings", Kind: export.Texts, Absent: []string{}},
		},
		Rows: [][]any{
			{"#1", "2014", 1.0 / 3, 3, "OBSERVED", []string{"few", `"very", few`}},
			{"A2", "2014", nil, 0, "NONE", []string{}},
			{"A2", "2015", 1e-300, math.MaxInt64, "OBSERVED", nil},
			{" A3", "2015", 0.1, nil, "OBSERVED", []string{}},
		},
		Provenance: export.Provenance{Question: "Poor. Children\nin areas", Cohort: "children", Method: "Wilson score",
			Level: 0.95, Sources: "a, b", Dataset: "Small, \"invented\"",
			Fingerprint: "ab12", Synthetic: true, Citation: "Somebody (2026)", Licence: "CC0"},
	}
}

func written(t *testing.T, x *export.Table) string {
	t.Helper()
	var b bytes.Buffer
	if err := export.CSV(&b, x); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is written is what encoding/csv reads.
func TestCSV(t *testing.T) {
	text := written(t, table())
	for _, want := range []string{"# Poor. Children in areas\r\n",
		"# data set: Small, \"invented\", synthetic: no real person is in it\r\n", "# fingerprint: ab12\r\n",
		"# licence: CC0\r\n",
		"# column POOR: Poor; share, 0 to 1; Below the line (assumed)\r\n",
		"# intervals: Wilson score at level 0.95\r\n", "; NONE: Nobody\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no line %q in\n%s", want, text)
		}
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comment = '#'
	got, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"AREA", "AREA_label", "YEAR", "POOR", "denominator", "status", "warnings"},
		{"#1", `Ådalen, "Øst"`, "2014", "0.3333333333333333", "3", "OBSERVED", `few; "very", few`},
		{"A2", "Nord\nlunden", "2014", "", "0", "NONE", ""}, // encoding/csv reads \r\n as \n
		{"A2", "Nord\nlunden", "2015", "1e-300", "9223372036854775807", "OBSERVED", ""},
		{" A3", "Zone", "2015", "0.1", "", "OBSERVED", ""},
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}

	// A test of internal/duckdb reads the file, so that this one does without DuckDB.
	file := filepath.Join("testdata", "table.csv")
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(stored) {
		t.Errorf("%s holds\n%q\nand written is\n%q", file, stored, text)
	}
}

func same[T comparable](got *T, want any) bool {
	if got == nil {
		return want == nil
	}
	return any(*got) == want
}

func TestJSONStat(t *testing.T) {
	text, err := export.JSONStat(table())
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID        []string
		Size      []int
		Role      map[string][]string
		Value     []*float64
		Status    []string
		Dimension map[string]struct{ Category struct{ Index []string } }
		Extension struct {
			Denominator []*int
			Warnings    [][]string
			Status      map[string]string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.ID, []string{"AREA", "YEAR"}) || !slices.Equal(got.Size, []int{3, 2}) ||
		fmt.Sprint(got.Role) != "map[geo:[AREA] time:[YEAR]]" {
		t.Errorf("id %v, size %v, role %v", got.ID, got.Size, got.Role)
	}
	if want := []string{"OBSERVED", "NONE", "NONE", "OBSERVED", "NONE", "OBSERVED"}; !slices.Equal(got.Status, want) {
		t.Errorf("got %v, want %v", got.Status, want)
	}
	for at, want := range []any{1.0 / 3, nil, nil, 1e-300, nil, 0.1} {
		if !same(got.Value[at], want) {
			t.Errorf("at %d stands %v, want %v", at, got.Value[at], want)
		}
	}
	if len(got.Extension.Denominator) != 6 || len(got.Extension.Warnings[0]) != 2 || len(got.Extension.Status) != 2 {
		t.Errorf("the extension is %+v", got.Extension)
	}
}

// A table that is not what it says is an error, not a file.
func TestWrongTables(t *testing.T) {
	for _, test := range []struct {
		what  string
		spoil func(*export.Table)
		want  string
	}{
		{"NaN", func(x *export.Table) { x.Rows[0][2] = math.NaN() }, "row 0, column POOR: NaN"},
		{"infinity", func(x *export.Table) { x.Rows[1][2] = math.Inf(-1) }, "row 1, column POOR: -Inf"},
		{"a text among counts", func(x *export.Table) { x.Rows[0][3] = "3" }, "row 0, column denominator: 3 (string)"},
		{"an unknown key", func(x *export.Table) { x.Rows[0][0] = "A9" }, "row 0, column AREA: A9"},
		{"no key", func(x *export.Table) { x.Rows[0][0] = nil }, "row 0, column AREA"},
		{"a short row", func(x *export.Table) { x.Rows[3] = x.Rows[3][:5] }, "row 3 has 5 values for 6 columns"},
		{"one name twice", func(x *export.Table) { x.Columns[3].Name = "AREA" }, "two columns are called AREA"},
	} {
		x := table()
		test.spoil(x)
		_, err := export.JSONStat(x)
		for _, err := range []error{err, export.CSV(new(bytes.Buffer), x)} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: got %v, want …%s…", test.what, err, test.want)
			}
		}
	}
	x := table()
	x.Rows = append(x.Rows, x.Rows[0])
	if _, err := export.JSONStat(x); err == nil || !strings.Contains(err.Error(), "two rows have the keys") {
		t.Errorf("a key twice gave %v", err)
	}
	x = table()
	x.Columns = x.Columns[2:]
	x.Rows = nil
	if _, err := export.JSONStat(x); err == nil || !strings.Contains(err.Error(), "needs a key") {
		t.Errorf("a cube without dimensions gave %v", err)
	}
	if err := export.CSV(full{}, table()); err == nil {
		t.Error("a disk that is full is no error")
	}
}

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, os.ErrClosed }
