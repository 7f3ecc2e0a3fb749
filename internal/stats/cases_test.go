package stats

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// A publishedCase is a folder of ../shared/cases: inputs, expected values and their tolerance.
// Its pass rule is |got - expected| <= abs + rel·|expected|.
type publishedCase struct {
	t         *testing.T
	dir       string
	expected  map[string]any
	tolerance struct{ Abs, Rel float64 }
	checked   int
}

// openCase finds a published case from the repository's root, and skips the test where the
// folder of cases is not there. It fails a test that in the end compared nothing.
func openCase(t *testing.T, name string) *publishedCase {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(root)
		if parent == root {
			t.Fatal("no go.mod above the test")
		}
		root = parent
	}
	cases := filepath.Join(root, "..", "shared", "cases")
	if _, err := os.Stat(cases); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the folder of published cases is not beside the repository")
	}
	c := &publishedCase{t: t, dir: filepath.Join(cases, name)}
	text, err := os.ReadFile(filepath.Join(c.dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Expected  map[string]any
		Tolerance struct{ Abs, Rel float64 }
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	c.expected, c.tolerance = file.Expected, file.Tolerance
	t.Cleanup(func() {
		if c.checked == 0 {
			t.Error("the case was opened but nothing was compared")
		}
	})
	return c
}

// at walks the expected values.
func (c *publishedCase) at(path ...any) any {
	c.t.Helper()
	var v any = c.expected
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				c.t.Fatalf("%v: not an object at %q", path, step)
			}
			if v, ok = m[step]; !ok {
				c.t.Fatalf("%v: no %q", path, step)
			}
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

// check compares got with the expected value at path; an expected null is NaN.
func (c *publishedCase) check(got float64, path ...any) {
	c.t.Helper()
	c.checked++
	want, ok := c.at(path...).(float64)
	if !ok {
		if !math.IsNaN(got) {
			c.t.Errorf("%v = %v, want it undefined", path, got)
		}
		return
	}
	if !(math.Abs(got-want) <= c.tolerance.Abs+c.tolerance.Rel*math.Abs(want)) {
		c.t.Errorf("%v = %v, want %v", path, got, want)
	}
}

// rows reads input.csv into one map per row.
func (c *publishedCase) rows() []map[string]string {
	c.t.Helper()
	f, err := os.Open(filepath.Join(c.dir, "input.csv"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		c.t.Fatal(err)
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func (c *publishedCase) number(text string) float64 {
	c.t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// near fails unless got is within tol of want, or both are NaN.
func near(t *testing.T, name string, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(want) && math.IsNaN(got) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %.15g, want %.15g within %g", name, got, want, tol)
	}
}
