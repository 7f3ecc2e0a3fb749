// Package contract reads and checks the data contract: the tables, columns, codes, dimensions,
// indicators, measures and roll-ups that every other part of Kvarter goes by. It does no I/O.
package contract

import (
	"math"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// Contract is a checked data contract. It is read-only after Parse.
type Contract struct {
	Sources    []*Source
	Codelists  []*Codelist
	Tables     []*Table
	Dimensions []*Dimension
	Parameters []*Parameter
	Indicators []*Indicator
	Measures   []*Measure
	Covariates []*Covariate
	Outcomes   []*Outcome
	Rollups    []*Rollup
}

// Text is a text in Danish and English.
type Text struct {
	DA string `yaml:"da"`
	EN string `yaml:"en"`
}

// Source is where a definition comes from.
type Source struct {
	Name      string
	Title     string
	Publisher string
}

// Codelist is the set of codes a column may hold.
type Codelist struct {
	Name       string
	Type       string    // the API's enum of these codes, e.g. Theme; or ""
	Definition Text      // what the enum says of itself; empty without Type
	Groups     *Codelist // the codes' groups, e.g. the regions of the municipalities; or nil
	Codes      []ListCode
}

// ListCode is one code of a Codelist.
type ListCode struct {
	Code    string
	Label   Text
	Group   string  // a code of Groups, or ""
	Range   *[2]int // the ages a code stands for, both included; or nil
	Unknown bool    // the register has no value: never counted as a no
}

// Position returns the place of code in the list, or -1.
func (l *Codelist) Position(code string) int {
	return slices.IndexFunc(l.Codes, func(c ListCode) bool { return c.Code == code })
}

// Type is the type of a column.
type Type string

// The types of columns. Decimal has four digits after the point; Texts is a list.
const (
	Int     Type = "int"
	Decimal Type = "decimal"
	Bool    Type = "bool"
	String  Type = "text"
	Strings Type = "texts"
	Date    Type = "date"
)

// SQL returns the DuckDB type.
func (t Type) SQL() string {
	switch t {
	case Int:
		return "BIGINT"
	case Decimal:
		return "DECIMAL(18,4)"
	case Bool:
		return "BOOLEAN"
	case Strings:
		return "VARCHAR[]"
	case Date:
		return "DATE"
	default:
		return "VARCHAR"
	}
}

// Table is a table of facts.
type Table struct {
	Name       string
	Label      Text
	Definition Text
	Cohort     string // the root field that asks of it, e.g. "children"; or ""
	Counts     Text   // what an observation of the cohort is
	Person     string // the column that follows a person over the years; or ""
	Key        []string
	Columns    []*Column
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Column is a column of a Table.
type Column struct {
	Name       string
	Type       Type
	Optional   bool      // may be null, or not there at all
	Codes      *Codelist // the codes a text may hold; or nil
	References string    // "table.column" whose values it must be among; or ""
	Min, Max   float64   // both included; infinite where the contract sets none
	Jump       float64   // a change from one year to the next above this is worth a look; 0: none
	Unit       string
	Secret     bool // never leaves the store
	Label      Text
	Definition Text
	Source     *Source
	Assumed    bool
}

// Dimension is a characteristic that cells are split by.
type Dimension struct {
	Name       string // as the API's enum Dimension has it, e.g. ORIGIN
	Field      string // as CellKey has it, e.g. origin
	Type       string // the API's type: an enum's name, "Area", "Municipality", or "" for an integer
	Filter     string // the field of CohortFilter, e.g. origin or years
	Label      Text
	Definition Text
	Unit       string
	Assumed    bool
	Codes      []Code             // in their order; empty for integers and areas
	Words      []Word             // that stand for several codes in a filter
	Columns    map[string]*Column // by table
	// a second column of each table, yes or no, that parts the rows with none in the first; or ""
	Apart  string
	tables []string // in the order of the contract
}

// Code is one value of a Dimension.
type Code struct {
	Code    string
	Label   Text
	from    []string
	ranges  *[2]int
	list    *Codelist
	present *bool
	missing bool
	apart   *bool
	unknown bool
}

// Word stands for several codes of a Dimension. A filter may say it; no cell has it.
type Word struct {
	Code      string
	Label     Text
	Positions []int // of the codes, in their order
}

// IsInteger reports whether the dimension's values are the integers of the column themselves.
func (d *Dimension) IsInteger() bool { return d.Type == "" }

// UnknownCodes returns the places of the codes that stand for a value the register of a table does not have.
func (d *Dimension) UnknownCodes(table string) (places []int) {
	column := d.Columns[table]
	if column == nil {
		return nil
	}
	known := func(code string) bool {
		i := column.Codes.Position(code)
		return i < 0 || !column.Codes.Codes[i].Unknown
	}
	for _, s := range d.Selections(table) {
		if d.Codes[s.Position].unknown || len(s.In) > 0 && !slices.ContainsFunc(s.In, known) {
			places = append(places, s.Position)
		}
	}
	return places
}

// IsArea reports whether the dimension's values are the areas of the data set.
func (d *Dimension) IsArea() bool { return d.Type == "Area" }

// Tables returns the names of the tables that record the dimension.
func (d *Dimension) Tables() []string { return d.tables }

// Position returns the place of code among Codes, or -1.
func (d *Dimension) Position(code string) int {
	return slices.IndexFunc(d.Codes, func(c Code) bool { return c.Code == code })
}

// Positions returns the places among Codes that a filter means by a code or a word; none for one that is neither.
func (d *Dimension) Positions(name string) []int {
	if p := d.Position(name); p >= 0 {
		return []int{p}
	}
	for _, w := range d.Words {
		if w.Code == name {
			return w.Positions
		}
	}
	return nil
}

// Said returns how a filter on the codes at those places is said, in their order and each once: a word
// stands for its codes where all of them are there.
func (d *Dimension) Said(positions []int) []Word {
	var out []Word
	for i, p := range positions {
		at := slices.IndexFunc(d.Words, func(w Word) bool {
			return slices.Contains(w.Positions, p) && !slices.ContainsFunc(w.Positions,
				func(p int) bool { return !slices.Contains(positions, p) })
		})
		said := Word{Positions: []int{p}}
		if at >= 0 {
			said = d.Words[at]
		} else {
			said.Code, said.Label = d.Codes[p].Code, d.Codes[p].Label
		}
		if !slices.Contains(positions[:i], p) && !slices.ContainsFunc(out, func(w Word) bool { return w.Code == said.Code }) {
			out = append(out, said)
		}
	}
	return out
}

// Names returns what a filter may name: the codes, then the words.
func (d *Dimension) Names() []string {
	var out []string
	for _, c := range d.Codes {
		out = append(out, c.Code)
	}
	for _, w := range d.Words {
		out = append(out, w.Code)
	}
	return out
}

// Selection says which values of a column make up one code of a dimension. One field is set; with
// Present Apart may be too.
type Selection struct {
	Position int      // of the code in Dimension.Codes
	In       []string // these codes of the column
	Range    *[2]int  // integers from the first to the second, both included
	Present  *bool    // true: not null; false: null
	Apart    *Apart   // and this of Dimension.Apart
	Missing  bool     // null
}

// Apart is what the second column of a dimension holds: yes, no, or, where Is is nil, null or no such column.
type Apart struct{ Is *bool }

// Selections returns how the dimension's codes are made from the table's column, in the order of
// the codes. Codes that the column cannot hold are left out.
func (d *Dimension) Selections(table string) []Selection {
	column := d.Columns[table]
	if column == nil {
		return nil
	}
	var out []Selection
	for i := range d.Codes {
		if s, ok := d.selection(column, i); ok {
			out = append(out, s)
		}
	}
	return out
}

// Holds reports whether the table's column can hold the code at that place of Codes.
func (d *Dimension) Holds(table string, position int) bool {
	column := d.Columns[table]
	if column == nil {
		return false
	}
	_, ok := d.selection(column, position)
	return ok
}

func (d *Dimension) selection(column *Column, position int) (Selection, bool) {
	s, c := Selection{Position: position}, d.Codes[position]
	switch {
	case c.present != nil:
		s.Present = c.present
		if d.Apart != "" && !*c.present {
			s.Apart = &Apart{c.apart}
		}
	case c.missing:
		s.Missing = true
	case column.Type == Int && c.ranges != nil && d.spans(column, position):
		s.Range = c.ranges
	case column.Codes != nil && len(c.from) > 0 && (c.list == nil || c.list == column.Codes):
		s.In = c.from
	default:
		return s, false
	}
	return s, true
}

// spans reports whether the code at that place is one that a column of integers is cut into: its range
// lies within the column's bounds and is apart from those of the codes before it.
func (d *Dimension) spans(column *Column, position int) bool {
	within := func(r *[2]int) bool {
		return r != nil && float64(r[0]) >= column.Min && float64(r[1]) <= column.Max
	}
	r := d.Codes[position].ranges
	return within(r) && !slices.ContainsFunc(d.Codes[:position], func(c Code) bool {
		return within(c.ranges) && c.ranges[0] <= r[1] && r[0] <= c.ranges[1]
	})
}

// Refines reports whether d tells at least as much as e where both are made from the same column
// of the table: an age tells the age group, a municipality the region. A dimension that a second
// column makes too is told by itself alone.
func (d *Dimension) Refines(e *Dimension, table string) bool {
	c := d.Columns[table]
	if c == nil || e.Columns[table] != c || d != e && e.Apart != "" {
		return false
	}
	if d == e || d.IsInteger() || d.IsArea() {
		return true
	}
	// A coded dimension tells the column itself where each of the column's codes has its own.
	seen := 0
	for _, s := range d.Selections(table) {
		if len(s.In) > 1 || s.Range != nil || s.Present != nil {
			return false
		}
		seen += len(s.In)
	}
	return c.Codes != nil && seen == len(c.Codes.Codes)
}

// Condition is a condition on the columns of a table, with SQL's three-valued logic: it is
// unknown where the column is null or holds a code marked unknown.
type Condition struct {
	Column string       `yaml:"column"`
	Is     *bool        `yaml:"is"`
	In     []string     `yaml:"in"`
	From   *int         `yaml:"from"`
	To     *int         `yaml:"to"`
	All    []*Condition `yaml:"all"`
	Any    []*Condition `yaml:"any"`
}

// Columns returns the columns the condition reads, without repeats.
func (c *Condition) Columns() []string {
	if c == nil {
		return nil
	}
	var out []string
	if c.Column != "" {
		out = append(out, c.Column)
	}
	for _, part := range slices.Concat(c.All, c.Any) {
		for _, name := range part.Columns() {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// Indicator is a yes-or-no characteristic whose share is asked for.
type Indicator struct {
	Name       string
	Label      Text
	Definition Text
	Tables     []string
	Among      *Condition // who is in the denominator; nil: everyone
	When       *Condition
	Choices    []Choice // the values of parameters that the definition takes
	Source     *Source
	Assumed    bool
}

// Parameter is a choice that published definitions leave open.
type Parameter struct {
	Name       string // its id, e.g. poverty_line
	Label      Text
	Definition Text
	Values     []*ParameterValue
	Default    *ParameterValue
	Source     *Source
	Assumed    bool
	Reason     Text // why Default was chosen; empty unless Assumed
}

// ParameterValue is a value that a Parameter may have.
type ParameterValue struct {
	Name       string // e.g. INCOME_50
	Definition Text
}

// Choice is the value of a parameter that a definition takes.
type Choice struct {
	Parameter *Parameter
	Value     *ParameterValue
}

// Columns returns the columns the indicator reads.
func (i *Indicator) Columns() []string {
	out := i.When.Columns()
	for _, name := range i.Among.Columns() {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Measure is a number whose mean is asked for.
type Measure struct {
	Name       string
	Label      Text
	Definition Text
	Unit       string
	Tables     []string
	Among      *Condition // whose mean it is; nil: everyone
	Column     string
	Deviation  string // the column with the standard deviation within a row of many; or ""
	Per        int    // a mean of the column is multiplied by this, as a rate per 1,000 is; at least 1
	Divisor    int    // and divided by this: the column holds so many times the measure; at least 1
	Source     *Source
	Assumed    bool
}

// Of returns the measure, in its unit, of a mean of its column.
func (m *Measure) Of(mean float64) float64 { return mean * float64(m.Per) / float64(m.Divisor) }

// Covariate is what those who took part in an activity are compared on: a category, yes or no, or a
// number, which may have bands too.
type Covariate struct {
	Name       string
	Label      Text
	Definition Text
	Column     *Column // of EffectTable
	// of a category, or the bands of a number, in their order; nil for a number without, and for a bool
	Codes    []EffectCode
	Linear   bool // a number, though it may have Codes
	Source   *Source
	Assumed  bool
	position map[string]int // of a code of the column among Codes
	bands    []int          // where each of Codes starts
}

// EffectCode is a category of a Covariate.
type EffectCode struct {
	Code  string
	Label Text
}

// EffectTable is the table of those who took part in activities, and of those like them who did not.
const EffectTable = "participant"

// IsNumber reports whether the covariate is a number, whose mean is compared.
func (c *Covariate) IsNumber() bool { return c.Linear || c.Codes == nil && c.Column.Type == Int }

// Category returns the place among Codes of a value of the column: a code's text, or a whole number;
// -1 for one that no category holds.
func (c *Covariate) Category(code string, number int) int {
	if c.bands == nil {
		if at, ok := c.position[code]; ok {
			return at
		}
		return -1
	}
	at, found := slices.BinarySearch(c.bands, number)
	if !found {
		at--
	}
	return at
}

// Outcome is what an activity may change.
type Outcome struct {
	Name       string
	Label      Text
	Definition Text
	Column     *Column  // of EffectTable; a bool is yes or no, an int a number
	Before     *Column  // the same before the start, of the same type; or nil
	Activities []string // codes of the types that it makes sense for
	Source     *Source
	Assumed    bool
}

// IsIndicator reports whether the outcome is yes or no.
func (o *Outcome) IsIndicator() bool { return o.Column.Type == Bool }

// Rollup is a stored set of cells of a table.
type Rollup struct {
	Name  string
	Table *Table
	By    []*Dimension
}

// Table returns the table of that name, or nil.
func (c *Contract) Table(name string) *Table { return find(c.Tables, name, (*Table).name) }

// Dimension returns the dimension of that name, or an error that suggests one.
func (c *Contract) Dimension(name string) (*Dimension, error) {
	return lookup(c.Dimensions, "dimension", name, (*Dimension).name)
}

// Indicator returns the indicator of that name, or an error that suggests one.
func (c *Contract) Indicator(name string) (*Indicator, error) {
	return lookup(c.Indicators, "indicator", name, (*Indicator).name)
}

// Measure returns the measure of that name, or an error that suggests one.
func (c *Contract) Measure(name string) (*Measure, error) {
	return lookup(c.Measures, "measure", name, (*Measure).name)
}

// Outcome returns the outcome of that name, or an error that suggests one.
func (c *Contract) Outcome(name string) (*Outcome, error) {
	return lookup(c.Outcomes, "outcome", name, (*Outcome).name)
}

// OutcomesOf returns the outcomes that make sense for a type of activity.
func (c *Contract) OutcomesOf(activity string) []*Outcome {
	var out []*Outcome
	for _, o := range c.Outcomes {
		if slices.Contains(o.Activities, activity) {
			out = append(out, o)
		}
	}
	return out
}

// Codelist returns the code list of that name, or nil.
func (c *Contract) Codelist(name string) *Codelist { return find(c.Codelists, name, (*Codelist).name) }

// CohortTable returns the table whose rows the root field of that name asks of, or nil.
func (c *Contract) CohortTable(cohort string) *Table {
	i := slices.IndexFunc(c.Tables, func(t *Table) bool { return t.Cohort == cohort })
	if i < 0 {
		return nil
	}
	return c.Tables[i]
}

func (t *Table) name() string     { return t.Name }
func (d *Dimension) name() string { return d.Name }
func (i *Indicator) name() string { return i.Name }
func (m *Measure) name() string   { return m.Name }
func (p *Parameter) name() string { return p.Name }
func (o *Outcome) name() string   { return o.Name }
func (l *Codelist) name() string  { return l.Name }
func (s *Source) name() string    { return s.Name }

func find[T any](list []*T, name string, nameOf func(*T) string) *T {
	for _, x := range list {
		if nameOf(x) == name {
			return x
		}
	}
	return nil
}

func lookup[T any](list []*T, what, name string, nameOf func(*T) string) (*T, error) {
	if x := find(list, name, nameOf); x != nil {
		return x, nil
	}
	return nil, fault.Invalidf("no %s %q%s", what, name, fault.Suggest(name, names(list, nameOf)))
}

func names[T any](list []*T, nameOf func(*T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = nameOf(x)
	}
	return out
}

// Bounds returns the column's bounds in words, e.g. "from 0 to 6", or "" where it has none.
func (c *Column) Bounds() string {
	var parts []string
	if !math.IsInf(c.Min, 0) {
		parts = append(parts, "from "+formatNumber(c.Min))
	}
	if !math.IsInf(c.Max, 0) {
		parts = append(parts, "to "+formatNumber(c.Max))
	}
	return strings.Join(parts, " ")
}
