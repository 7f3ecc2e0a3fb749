package stats

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A publishedCase is a folder of testdata/cases: inputs, expected values and their tolerance.
// testdata/cases/README.md names where each comes from.
type publishedCase struct {
	t         *testing.T
	dir       string
	expected  map[string]any
	tolerance caseTolerance
	compared  map[string]bool // by path of the expected value
}

// caseTolerance is the pass rule |got - expected| <= Abs + Rel·|expected|. Of holds that of the
// expected values below a key which were printed to other digits than the rest.
type caseTolerance struct {
	Abs, Rel float64
	Of       map[string]caseTolerance
}

// openCase reads a published case. In the end every value that it expects must have been compared;
// of a case that several tests share, those below the parts, which are keys of the uppermost level.
func openCase(t *testing.T, name string, parts ...string) *publishedCase {
	t.Helper()
	c := &publishedCase{t: t, dir: filepath.Join("testdata", "cases", name), compared: map[string]bool{}}
	text, err := os.ReadFile(filepath.Join(c.dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Expected  map[string]any
		Tolerance caseTolerance
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	c.expected, c.tolerance = file.Expected, file.Tolerance
	t.Cleanup(func() {
		if len(c.compared) == 0 {
			t.Error("the case was opened but nothing was compared")
		}
		if t.Failed() {
			return
		}
		for key, v := range c.expected {
			if len(parts) == 0 || slices.Contains(parts, key) {
				c.mustBeCompared(v, key)
			}
		}
	})
	return c
}

// mustBeCompared fails for each value at or below v that no check looked at.
func (c *publishedCase) mustBeCompared(v any, path string) {
	c.t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			c.mustBeCompared(x, path+"/"+key)
		}
	case []any:
		for i, x := range v {
			c.mustBeCompared(x, fmt.Sprintf("%s/%d", path, i))
		}
	default:
		if !c.compared[path] {
			c.t.Errorf("%s is expected to be %v and was not compared", path, v)
		}
	}
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
			list, ok := v.([]any)
			if !ok || step >= len(list) {
				c.t.Fatalf("%v: no list that has a value at %d", path, step)
			}
			v = list[step]
		}
	}
	return v
}

// check compares got with the expected value at path; an expected null is NaN.
func (c *publishedCase) check(got float64, path ...any) {
	c.t.Helper()
	tolerance := c.tolerance
	for _, step := range path {
		if of, ok := c.tolerance.Of[fmt.Sprint(step)]; ok {
			tolerance = of
		}
	}
	expected := c.at(path...)
	c.compared[placeOf(path)] = true
	if expected == nil {
		if !math.IsNaN(got) {
			c.t.Errorf("%v = %v, want it undefined", path, got)
		}
		return
	}
	want, ok := expected.(float64)
	if !ok {
		c.t.Fatalf("%v: a number was expected there, not %v", path, expected)
	}
	if !(math.Abs(got-want) <= tolerance.Abs+tolerance.Rel*math.Abs(want)) {
		c.t.Errorf("%v = %v, want %v", path, got, want)
	}
}

// refuses fails unless got is undefined, where the source gives a value that is not to be believed.
func (c *publishedCase) refuses(got float64, path ...any) {
	c.t.Helper()
	if want := c.at(path...); !math.IsNaN(got) {
		c.t.Errorf("%v = %v, want it undefined, though %v was published", path, got, want)
	}
	c.compared[placeOf(path)] = true
}

// differs fails if got is what a source gives that is known to be wrong.
func (c *publishedCase) differs(got float64, path ...any) {
	c.t.Helper()
	wrong, ok := c.at(path...).(float64)
	if !ok || math.Abs(got-wrong) <= c.tolerance.Abs+c.tolerance.Rel*math.Abs(wrong) {
		c.t.Errorf("%v = %v, which is not to be reproduced: %v", path, got, wrong)
	}
	c.compared[placeOf(path)] = true
}

func placeOf(path []any) string {
	steps := make([]string, len(path))
	for i, step := range path {
		steps[i] = fmt.Sprint(step)
	}
	return strings.Join(steps, "/")
}

// rows reads input.csv into one map per row.
func (c *publishedCase) rows() []map[string]string {
	c.t.Helper()
	return c.read("input.csv")
}

// read turns a file of the case into one map per row.
func (c *publishedCase) read(file string) []map[string]string {
	c.t.Helper()
	f, err := os.Open(filepath.Join(c.dir, file))
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

// number reads a figure of the input. A column that is not there reads as "" and fails.
func (c *publishedCase) number(text string) float64 {
	c.t.Helper()
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// Every published case is opened by a test, and its source stands in the table of sources.
func TestEveryCaseIsRunAndSourced(t *testing.T) {
	folder := filepath.Join("testdata", "cases")
	sources, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		cases++
		name := entry.Name()
		if !strings.Contains(tests.String(), fmt.Sprintf("openCase(t, %q", name)) {
			t.Errorf("no test opens the case %s", name)
		}
		if strings.Count(string(sources), "\n| `"+name+"` |") != 1 {
			t.Errorf("README.md has not one row of the source of %s", name)
		}
		text, err := os.ReadFile(filepath.Join(folder, name, "expected.json"))
		if err != nil {
			t.Error(err)
			continue
		}
		var file map[string]json.RawMessage
		if err := json.Unmarshal(text, &file); err != nil || len(file["source"]) < 10 || len(file["tolerance"]) == 0 {
			t.Errorf("%s: a source and a tolerance were expected: %v", name, err)
		}
	}
	if rows := strings.Count(string(sources), "\n| `"); cases == 0 || rows != cases {
		t.Errorf("README.md names %d cases, and %d are there", rows, cases)
	}
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
