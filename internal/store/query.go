package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Query asks for the cells of a cohort: the observations of Table that Where keeps, split By the
// dimensions, with the tallies of the indicators and the moments of the measures.
type Query struct {
	Table      *contract.Table
	Where      Filter
	By         []*contract.Dimension
	Indicators []*contract.Indicator
	Measures   []*contract.Measure
	RecordKeys bool // also sum the record keys, from which cells are protected
	MaxCells   int  // more cells than this are an error; 0: no limit
}

// Filter narrows a cohort. The zero Filter keeps every observation.
type Filter struct {
	Conditions []Condition           // all of them hold
	With       []*contract.Indicator // known to have all of these
	Without    []*contract.Indicator // known to have none of these
	// WithAny keeps, of each list, those known to have at least one: one that is known to be there
	// is enough, whatever is unknown of the others; where none is, unknown does not count as one.
	WithAny [][]*contract.Indicator
}

// Condition keeps the observations whose value of a dimension is one of those named. An integer
// dimension has From and To, both included and nil where open; a coded one has Positions, the
// places of the codes in Dimension.Codes; AREA has Areas.
type Condition struct {
	Dimension *contract.Dimension
	From, To  *int
	Positions []int
	Areas     []string
}

// And returns the filter narrowed by one more condition.
func (f Filter) And(c Condition) Filter {
	f.Conditions = append(slices.Clone(f.Conditions), c)
	return f
}

// Dimensions returns the dimensions that the filter reads.
func (f Filter) Dimensions() []*contract.Dimension {
	out := make([]*contract.Dimension, len(f.Conditions))
	for i, c := range f.Conditions {
		out[i] = c.Dimension
	}
	return out
}

// Indicators returns the indicators that the filter asks, once for each time it does.
func (f Filter) Indicators() []*contract.Indicator {
	return slices.Concat(f.With, f.Without, slices.Concat(f.WithAny...))
}

// Cells are the answer to a Query.
type Cells struct {
	Query Query
	Rows  []Cell // in the order of their keys
}

// Cell is one combination of codes with what is summed over its observations.
type Cell struct {
	Key        []int32   // per Query.By: an integer, the place of a code, the place of an area; None
	N          int64     // observations
	RecordKey  int64     // sum of their record keys, if asked for
	Indicators []Tally   // per Query.Indicators
	Measures   []Moments // per Query.Measures
}

// None is the key of an observation that has no value of a dimension.
const None int32 = -1 << 31

// Tally counts an indicator within a cell.
type Tally struct {
	N       int64 // in the denominator, value known
	Y       int64 // of them with the indicator
	Unknown int64 // in the denominator, or perhaps in it, value unknown
	NKey    int64 // sum of the record keys of N, if asked for
	YKey    int64 // sum of the record keys of Y, if asked for
}

// Moments are the sums of a measure within a cell, in the measure's unit.
type Moments struct {
	N       int64   // observations with a known value
	Sum     int64   // Σx
	SumSq   float64 // Σx², the nearest double to an exact integer sum
	Unknown int64
}

// Total returns all cells as one; its Key is empty.
func (c *Cells) Total() Cell { return c.TotalOf(func(Cell) bool { return true }) }

// TotalOf returns the cells that keep holds for as one; its Key is empty.
func (c *Cells) TotalOf(keep func(Cell) bool) Cell {
	total := Cell{Indicators: make([]Tally, len(c.Query.Indicators)), Measures: make([]Moments, len(c.Query.Measures))}
	for _, cell := range c.Rows {
		if !keep(cell) {
			continue
		}
		total.N += cell.N
		total.RecordKey += cell.RecordKey
		for i, t := range cell.Indicators {
			sum := &total.Indicators[i]
			sum.N, sum.Y, sum.Unknown, sum.NKey, sum.YKey = sum.N+t.N, sum.Y+t.Y, sum.Unknown+t.Unknown, sum.NKey+t.NKey, sum.YKey+t.YKey
		}
		for i, m := range cell.Measures {
			total.Measures[i].add(m)
		}
	}
	return total
}

// String is the query as a log shows it.
func (q Query) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s by %v", q.Table.Name, dimensionNames(q.By))
	if len(q.Where.Conditions) > 0 {
		fmt.Fprintf(&b, " where %v", dimensionNames(q.Where.Dimensions()))
	}
	return b.String()
}

func dimensionNames(list []*contract.Dimension) []string {
	out := make([]string, len(list))
	for i, d := range list {
		out[i] = d.Name
	}
	return out
}

// check returns an error that says what the data set records if it does not record what q asks.
func (s *Store) check(q Query) error {
	if _, ok := s.columns[q.Table.Name]; !ok {
		return fault.NotRecordedf("this data set holds no %s (table %s); it holds %s", q.Table.Cohort, q.Table.Name, strings.Join(s.tables(), ", "))
	}
	for i, d := range q.By {
		if slices.Contains(q.By[:i], d) {
			return fault.Invalidf("%s stands twice among the dimensions asked for; once was expected", d.Name)
		}
	}
	for _, d := range slices.Concat(q.By, q.Where.Dimensions()) {
		if !s.HasDimension(q.Table, d) {
			return fault.NotRecordedf("%s are not recorded by %s; %s", q.Table.Cohort, d.Name, listed("they are by", s.contract.Dimensions, func(d *contract.Dimension) (string, bool) { return d.Name, s.HasDimension(q.Table, d) }))
		}
	}
	for _, i := range slices.Concat(q.Indicators, q.Where.Indicators()) {
		if !s.HasIndicator(q.Table, i) {
			return fault.NotRecordedf("%s is not recorded for %s; %s", i.Name, q.Table.Cohort, listed("recorded are", s.contract.Indicators, func(i *contract.Indicator) (string, bool) { return i.Name, s.HasIndicator(q.Table, i) }))
		}
	}
	for _, m := range q.Measures {
		if !s.HasMeasure(q.Table, m) {
			return fault.NotRecordedf("%s is not recorded for %s; %s", m.Name, q.Table.Cohort, listed("recorded are", s.contract.Measures, func(m *contract.Measure) (string, bool) { return m.Name, s.HasMeasure(q.Table, m) }))
		}
	}
	for _, c := range q.Where.Conditions {
		if err := s.checkCondition(q.Table, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) checkCondition(table *contract.Table, c Condition) error {
	what := strings.ToLower(c.Dimension.Name)
	switch {
	case c.Dimension.IsInteger():
		bounds, ok := s.bounds[table.Name][c.Dimension.Columns[table.Name].Name]
		if c.From != nil && c.To != nil && *c.From > *c.To {
			return fault.Invalidf("%s: the range from %d to %d is empty; from must be at most to", c.Dimension.Filter, *c.From, *c.To)
		}
		for _, end := range []*int{c.From, c.To} {
			if end == nil || !ok {
				continue
			}
			if *end < bounds[0] {
				return fault.Invalidf("%s %d is before the data starts (%d)", what, *end, bounds[0])
			}
			if *end > bounds[1] {
				return fault.Invalidf("%s %d is after the data ends (%d)", what, *end, bounds[1])
			}
		}
	case c.Dimension.IsArea():
		for _, id := range c.Areas {
			if s.Area(id) == nil {
				return fault.NotFoundf("no area %q in this data set; `areas` lists them", id)
			}
		}
	default:
		if err := checkCodes(table, c); err != nil {
			return err
		}
	}
	if !c.Dimension.IsInteger() && len(c.Positions)+len(c.Areas) == 0 {
		return fault.Invalidf("%s is an empty list, which no observation matches; leave it out to keep all", c.Dimension.Filter)
	}
	return nil
}

// checkCodes returns an error if the table's column cannot hold one of the codes, however many
// others it can: the answer would count nobody for it, as if there were nobody. A code that the
// column could hold and this data set has not is no error.
func checkCodes(table *contract.Table, c Condition) error {
	var possible []int
	for _, s := range c.Dimension.Selections(table.Name) {
		possible = append(possible, s.Position)
	}
	var wrong, right []string
	for _, p := range c.Positions {
		name := c.Dimension.Codes[p].Code
		if slices.Contains(possible, p) {
			right = append(right, name)
		} else {
			wrong = append(wrong, name)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	is, others := "is", ""
	if len(wrong) > 1 {
		is = "are"
	}
	if len(right) > 0 {
		others = ", unlike " + strings.Join(right, ", ")
	}
	return fault.NotRecordedf("%s: %s %s not recorded for %s%s; %s", c.Dimension.Filter, strings.Join(wrong, ", "), is, table.Cohort, others,
		listed("recorded are", possible, func(p int) (string, bool) { return c.Dimension.Codes[p].Code, true }))
}

// listed writes the names after the words, e.g. "recorded are POOR", or that there are none.
func listed[T any](words string, all []T, name func(T) (string, bool)) string {
	var out []string
	for _, x := range all {
		if n, ok := name(x); ok {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return "nothing is recorded"
	}
	return words + " " + strings.Join(out, ", ")
}

// HasDimension reports whether the data set records the dimension for the table.
func (s *Store) HasDimension(table *contract.Table, d *contract.Dimension) bool {
	c := d.Columns[table.Name]
	return c != nil && s.columns[table.Name][c.Name]
}

// HasIndicator reports whether the data set records every column the indicator needs.
func (s *Store) HasIndicator(table *contract.Table, i *contract.Indicator) bool {
	return slices.Contains(i.Tables, table.Name) && hasAll(s.columns[table.Name], i.Columns())
}

// HasMeasure reports whether the data set records the measure for the table.
func (s *Store) HasMeasure(table *contract.Table, m *contract.Measure) bool {
	return slices.Contains(m.Tables, table.Name) && s.columns[table.Name][m.Column]
}

func hasAll(have map[string]bool, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !have[name] })
}

// Intersect returns the filter of the observations that both keep, and false where the conditions
// of one dimension exclude each other, so that there are none.
func (f Filter) Intersect(g Filter) (Filter, bool) {
	for _, a := range f.Conditions {
		for _, b := range g.Conditions {
			if a.Dimension == b.Dimension && a.excludes(b) {
				return Filter{}, false
			}
		}
	}
	return Filter{
		Conditions: slices.Concat(f.Conditions, g.Conditions),
		With:       slices.Concat(f.With, g.With),
		Without:    slices.Concat(f.Without, g.Without),
		WithAny:    slices.Concat(f.WithAny, g.WithAny),
	}, true
}

func (c Condition) excludes(d Condition) bool {
	before := func(to, from *int) bool { return to != nil && from != nil && *to < *from }
	switch {
	case c.Dimension.IsInteger():
		return before(c.To, d.From) || before(d.To, c.From)
	case c.Dimension.IsArea():
		return !slices.ContainsFunc(c.Areas, func(id string) bool { return slices.Contains(d.Areas, id) })
	}
	return !slices.ContainsFunc(c.Positions, func(p int) bool { return slices.Contains(d.Positions, p) })
}
