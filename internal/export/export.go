// Package export writes tables of answers in the formats of others. A Table says of itself what a reader
// of the file needs: what each column is, and where the figures come from.
package export

import (
	"fmt"
	"math"
	"slices"
)

// Table is a table of answers. Of one with key columns no two rows have the same keys.
type Table struct {
	Columns []Column
	// Rows hold a value for each of Columns: nil where there is none, else what its Kind says.
	Rows [][]any
	Provenance
}

// Provenance says what a table answers and where its figures come from.
type Provenance struct {
	Question    string  // in words, e.g. "Poor. Children aged 0-6"
	Cohort      string  // whom it counts, as the contract names them
	Method      string  // of the intervals
	Level       float64 // of the intervals, over 0 and under 1
	Sources     string  // of the data
	Dataset     string  // its title
	Fingerprint string
	Synthetic   bool // no real person is in it
	Citation    string
	Licence     string
}

// Column is a column of a table.
type Column struct {
	Name       string
	Label      string
	Definition string
	Unit       string // e.g. "share, 0 to 1"
	Assumed    bool   // the definition is not the source's own
	Kind       Kind
	Role       Role
	// Of a Key all its categories, in order; of a Text that is coded, the codes that occur.
	Categories []Category
	// What stands in a dense cube where no row has the keys.
	Absent any
}

// Category is a code with its label.
type Category struct{ Code, Label string }

// Kind is what the values of a column are.
type Kind int

// The kinds.
const (
	Key    Kind = iota // string: the code of one of Categories
	Number             // float64, finite
	Count              // int
	Text               // string
	Texts              // []string
)

// Role is what a key is, beyond a category.
type Role string

// The roles that JSON-stat knows; none for the others.
const (
	Time Role = "time"
	Geo  Role = "geo"
)

// column returns the place of the column of that name, or -1.
func (t *Table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// keys returns the places of the key columns.
func (t *Table) keys() []int {
	var out []int
	for i, c := range t.Columns {
		if c.Kind == Key {
			out = append(out, i)
		}
	}
	return out
}

// check returns an error if a value is not what its column says.
func (t *Table) check() error {
	for i, c := range t.Columns {
		if t.column(c.Name) != i {
			return fmt.Errorf("two columns are called %s", c.Name)
		}
	}
	for r, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return fmt.Errorf("row %d has %d values for %d columns", r, len(row), len(t.Columns))
		}
		for i, c := range t.Columns {
			if !c.holds(row[i]) {
				return fmt.Errorf("row %d, column %s: %v (%T) is no value of it", r, c.Name, row[i], row[i])
			}
		}
	}
	return nil
}

// holds reports whether the column can have that value.
func (c Column) holds(value any) bool {
	switch v := value.(type) {
	case nil:
		return c.Kind != Key
	case float64:
		return c.Kind == Number && !math.IsNaN(v) && !math.IsInf(v, 0)
	case int:
		return c.Kind == Count
	case []string:
		return c.Kind == Texts
	case string:
		return c.Kind == Text || c.Kind == Key && c.place(v) >= 0
	}
	return false
}

// place returns the place of a code among the categories, or -1.
func (c Column) place(code string) int {
	return slices.IndexFunc(c.Categories, func(k Category) bool { return k.Code == code })
}
