package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

var statements = template.Must(template.ParseFS(sqlFiles, "sql/*.sql"))

// write fills in the statement of that name.
func write(name string, data any) (string, error) {
	var b strings.Builder
	err := statements.ExecuteTemplate(&b, name+".sql", data)
	return b.String(), err
}

// Cells answers a query from the smallest stored roll-up that covers it, else from the facts with
// one statement. The error lists what the data set records if it does not record what is asked.
// Cancelling ctx stops the work.
func (s *Store) Cells(ctx context.Context, q Query) (_ *Cells, err error) {
	defer fault.Wrap(&err, "store.Cells(%s)", q)
	if err := s.check(q); err != nil {
		return nil, err
	}
	out := &Cells{Query: q}
	if r := s.rollupFor(q); r != nil {
		out.Rows, err = r.cells(ctx, s, q)
	} else {
		out.Rows, err = s.cellsOfFacts(ctx, q)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// checkCount returns an error if n cells are more than q allows.
func (q Query) checkCount(n int) error {
	if q.MaxCells > 0 && n > q.MaxCells {
		return fault.Overf("cells", q.MaxCells, "splitting %s by %s gives more than %d cells, the limit; narrow the cohort or split by fewer dimensions", q.Table.Cohort, strings.Join(dimensionNames(q.By), ", "), q.MaxCells)
	}
	return nil
}

// cellsOfFacts answers q with one statement over the facts.
func (s *Store) cellsOfFacts(ctx context.Context, q Query) ([]Cell, error) {
	var where []string
	var values []any
	for _, c := range q.Where.Conditions {
		condition, bound := condition(q.Table, c)
		where = append(where, condition)
		values = append(values, bound...)
	}
	where = append(where, traits(q.Table, q.Where)...)
	sums := s.sums(q)
	text, err := s.cellsStatement(q, sums, where)
	if err != nil {
		return nil, err
	}
	var out []Cell
	err = s.query(ctx, text, values, func(rows *sql.Rows) error {
		if err := q.checkCount(len(out) + 1); err != nil {
			return err
		}
		cell := newCells(q, 1)[0]
		var targets []any
		for i := range cell.Key {
			targets = append(targets, keyTarget{s, &cell.Key[i]})
		}
		for _, sum := range sums {
			targets = append(targets, sum.target(&cell))
		}
		err := rows.Scan(targets...)
		out = append(out, cell)
		return err
	})
	return out, err
}

// newCells makes n cells of q in which nothing is counted.
func newCells(q Query, n int) []Cell {
	out := make([]Cell, n)
	keys, tallies, moments := make([]int32, n*len(q.By)), make([]Tally, n*len(q.Indicators)), make([]Moments, n*len(q.Measures))
	for i := range out {
		out[i].Key, keys = cut(keys, len(q.By))
		out[i].Indicators, tallies = cut(tallies, len(q.Indicators))
		out[i].Measures, moments = cut(moments, len(q.Measures))
	}
	return out
}

// cut returns the first n elements of list, to which nothing can be appended in place, and the rest.
func cut[T any](list []T, n int) (first, rest []T) { return list[:n:n], list[n:] }

// keyTarget reads a key: an integer, the place of a code, or the id of an area as its place.
type keyTarget struct {
	store *Store
	key   *int32
}

// Scan implements sql.Scanner.
func (t keyTarget) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*t.key = None
	case int32:
		*t.key = v
	case uint8:
		*t.key = int32(v)
	case string:
		place, ok := t.store.areaPosition[v]
		if !ok {
			return fmt.Errorf("a row has area_id %q, which table area has not", v)
		}
		*t.key = int32(place)
	default:
		return fmt.Errorf("a key is a %T; an integer or a text was expected", value)
	}
	return nil
}

// squareTarget reads an exact sum of squares as the nearest double.
type squareTarget struct{ sum *float64 }

// Scan implements sql.Scanner.
func (t squareTarget) Scan(value any) error {
	d, ok := value.(duckdb.Decimal)
	if !ok {
		return fmt.Errorf("a sum of squares is a %T; a decimal was expected", value)
	}
	*t.sum, _ = d.Value.Float64()
	return nil
}

// cellsStatement writes the statement over the facts that splits and sums as q asks, where the
// conditions hold.
func (s *Store) cellsStatement(q Query, sums []sum, where []string) (string, error) {
	type named struct{ Name, Expression, Type string }
	data := struct {
		Columns []string // of the facts, by which rows are first made one
		Carried []named  // what is then summed
		By      []named
		Sums    []named
		From    string
		Where   []string
	}{From: quoteName(q.Table.Name), Where: where}
	for _, d := range q.By {
		column := d.Columns[q.Table.Name].Name
		data.Columns = append(data.Columns, quoteName(column))
		key := named{Name: byName(d), Expression: quoteName(column)}
		switch {
		case d.IsInteger():
			key.Expression += "::INTEGER"
		case !d.IsArea():
			key.Expression = place(q.Table, d, key.Expression)
		}
		data.By = append(data.By, key)
	}
	for _, i := range q.Indicators {
		for _, column := range i.Columns() {
			data.Columns = append(data.Columns, quoteName(column))
		}
	}
	slices.Sort(data.Columns)
	data.Columns = slices.Compact(data.Columns)
	carried := map[string]bool{}
	for _, sum := range s.sums(Query{Table: q.Table, Measures: q.Measures, RecordKeys: q.RecordKeys}) {
		carried[sum.Name] = true
		data.Carried = append(data.Carried, named{sum.Name, sum.write(s.row(q.Table)), sum.Type})
	}
	for _, sum := range sums {
		expression := sum.Name
		if !carried[sum.Name] {
			expression = sum.write(row{weight: "n", key: "record_key"})
		}
		data.Sums = append(data.Sums, named{sum.Name, expression, sum.Type})
	}
	return write("cells", data)
}

// byName is the name of a key in the statement.
func byName(d *contract.Dimension) string { return quoteName("by_" + d.Field) }

// place writes the place of a column's value among the dimension's codes.
func place(t *contract.Table, d *contract.Dimension, column string) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, s := range d.Selections(t.Name) {
		fmt.Fprintf(&b, " WHEN %s THEN %d", selects(s, column), s.Position)
	}
	b.WriteString(" END::INTEGER")
	return b.String()
}

// selects writes the condition that the column's value is one of those of the selection.
func selects(s contract.Selection, column string) string {
	switch {
	case s.Range != nil:
		return fmt.Sprintf("%s BETWEEN %d AND %d", column, s.Range[0], s.Range[1])
	case s.Present != nil && *s.Present:
		return column + " IS NOT NULL"
	case s.Present != nil || s.Missing:
		return column + " IS NULL"
	}
	codes := make([]string, len(s.In))
	for i, code := range s.In {
		codes[i] = quoteText(code)
	}
	return column + " IN (" + strings.Join(codes, ", ") + ")"
}

// condition writes a condition of the filter, with its values to be bound.
func condition(t *contract.Table, c Condition) (string, []any) {
	d := c.Dimension
	column := quoteName(d.Columns[t.Name].Name)
	var parts []string
	var values []any
	switch {
	case d.IsInteger():
		if c.From != nil {
			parts, values = append(parts, column+" >= ?"), append(values, *c.From)
		}
		if c.To != nil {
			parts, values = append(parts, column+" <= ?"), append(values, *c.To)
		}
		if len(parts) == 0 {
			return "true", nil
		}
		return strings.Join(parts, " AND "), values
	case d.IsArea():
		return column + " IN (" + marks(len(c.Areas)) + ")", anys(c.Areas)
	}
	for _, s := range d.Selections(t.Name) {
		if slices.Contains(c.Positions, s.Position) {
			parts = append(parts, selects(s, column))
		}
	}
	if len(parts) == 0 {
		return "false", nil // the table cannot hold any of the codes
	}
	return "(" + strings.Join(parts, " OR ") + ")", nil
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = x
	}
	return out
}

// sum is one additive column of cells.
type sum struct {
	Name   string // of the column in a stored roll-up, quoted
	Type   string // BIGINT, or squares
	write  expression
	field  func(*Cell) *int64
	square func(*Cell) *float64 // instead of field, of squares
}

// squares is the type of a sum of squares, which stays exact until it is taken.
const squares = "DECIMAL(38,0)"

// target returns where the sum is scanned into a cell.
func (s sum) target(c *Cell) any {
	if s.Type == squares {
		return squareTarget{s.square(c)}
	}
	return s.field(c)
}

// expression writes what a row of facts adds to a sum. Only statements need it written, which
// takes longer than to answer from a roll-up.
type expression func(row) string

// row says how many observations a row of facts stands for and the sum of their record keys, in SQL.
type row struct{ weight, key string }

func (s *Store) row(t *contract.Table) row {
	out := row{weight: "1", key: "0"}
	if s.columns[t.Name]["n"] {
		out.weight = "coalesce(n, 1)"
	}
	if s.columns[t.Name]["record_key"] {
		out.key = "coalesce(record_key, 0)"
	}
	return out
}

// counted adds the observations of the rows where the condition holds.
func counted(where func() string) expression {
	return func(r row) string { return "CASE WHEN " + where() + " THEN " + r.weight + " ELSE 0 END" }
}

// keyed adds their record keys.
func keyed(where func() string) expression {
	return func(r row) string { return counted(where)(row{weight: r.key}) }
}

// sums returns what is summed within a cell of q.
func (s *Store) sums(q Query) []sum {
	var out []sum
	add := func(name string, e expression, field func(*Cell) *int64) {
		out = append(out, sum{Name: quoteName(name), Type: "BIGINT", write: e, field: field})
	}
	all := func() string { return "true" }
	add("n", counted(all), func(c *Cell) *int64 { return &c.N })
	if q.RecordKeys {
		add("record_key", keyed(all), func(c *Cell) *int64 { return &c.RecordKey })
	}
	for k, i := range q.Indicators {
		name := strings.ToLower(i.Name)
		is := func() string { return known(q.Table, i) }
		has := func() string { return known(q.Table, i) + " AND " + boolean(q.Table, i.When) }
		unknown := func() string {
			perhaps := "true"
			if i.Among != nil {
				perhaps = "(" + boolean(q.Table, i.Among) + ") IS NOT FALSE"
			}
			return perhaps + " AND NOT " + known(q.Table, i)
		}
		add(name+"_n", counted(is), func(c *Cell) *int64 { return &c.Indicators[k].N })
		add(name+"_y", counted(has), func(c *Cell) *int64 { return &c.Indicators[k].Y })
		add(name+"_u", counted(unknown), func(c *Cell) *int64 { return &c.Indicators[k].Unknown })
		if q.RecordKeys {
			add(name+"_nk", keyed(is), func(c *Cell) *int64 { return &c.Indicators[k].NKey })
			add(name+"_yk", keyed(has), func(c *Cell) *int64 { return &c.Indicators[k].YKey })
		}
	}
	for k, m := range q.Measures {
		name, x := strings.ToLower(m.Name), quoteName(m.Column)
		add(name+"_n", counted(func() string { return x + " IS NOT NULL" }), func(c *Cell) *int64 { return &c.Measures[k].N })
		add(name+"_s", func(r row) string { return r.weight + " * " + x }, func(c *Cell) *int64 { return &c.Measures[k].Sum })
		out = append(out, sum{Name: quoteName(name + "_q"), Type: squares, square: func(c *Cell) *float64 { return &c.Measures[k].SumSq }, write: func(r row) string {
			square := fmt.Sprintf("%s::HUGEINT * %s * %s", r.weight, x, x)
			if m.Deviation != "" && s.columns[q.Table.Name][m.Deviation] {
				square += fmt.Sprintf(" + coalesce((%s - 1) * %s::HUGEINT * %s, 0)", r.weight, quoteName(m.Deviation), quoteName(m.Deviation))
			}
			return square
		}})
		add(name+"_u", counted(func() string { return x + " IS NULL" }), func(c *Cell) *int64 { return &c.Measures[k].Unknown })
	}
	return out
}

// known writes the condition that an observation is in the indicator's denominator with a known
// value. It is never null.
func known(t *contract.Table, i *contract.Indicator) string {
	condition := "(" + boolean(t, i.When) + ") IS NOT NULL"
	if i.Among != nil {
		condition = "(" + boolean(t, i.Among) + ") IS TRUE AND " + condition
	}
	return "(" + condition + ")"
}

// traits writes the conditions that the filter sets on indicators, which together are never null.
func traits(t *contract.Table, f Filter) []string {
	var out []string
	for _, i := range f.With {
		out = append(out, known(t, i), boolean(t, i.When))
	}
	for _, i := range f.Without {
		out = append(out, known(t, i), "NOT "+boolean(t, i.When))
	}
	for _, list := range f.WithAny {
		out = append(out, hasAny(t, list))
	}
	return out
}

// hasAny writes the condition that an observation is known to have at least one of the indicators.
// It is never null: what is unknown is not known to be there.
func hasAny(t *contract.Table, list []*contract.Indicator) string {
	parts := make([]string, len(list))
	for k, i := range list {
		parts[k] = "(" + known(t, i) + " AND " + boolean(t, i.When) + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// boolean writes a condition of the contract, null where it is unknown.
func boolean(t *contract.Table, c *contract.Condition) string {
	join := func(list []*contract.Condition, word string) string {
		parts := make([]string, len(list))
		for i, part := range list {
			parts[i] = boolean(t, part)
		}
		return "(" + strings.Join(parts, word) + ")"
	}
	column := quoteName(c.Column)
	switch {
	case c.All != nil:
		return join(c.All, " AND ")
	case c.Any != nil:
		return join(c.Any, " OR ")
	case c.Is != nil:
		if *c.Is {
			return column
		}
		return "(NOT " + column + ")"
	case c.In != nil:
		value := column
		var unknown, codes []string
		for _, code := range t.Column(c.Column).Codes.Codes {
			if code.Unknown && !slices.Contains(c.In, code.Code) {
				unknown = append(unknown, quoteText(code.Code))
			}
		}
		for _, code := range c.In {
			codes = append(codes, quoteText(code))
		}
		is := value + " IN (" + strings.Join(codes, ", ") + ")"
		if len(unknown) > 0 {
			return "(CASE WHEN " + value + " IN (" + strings.Join(unknown, ", ") + ") THEN NULL ELSE " + is + " END)"
		}
		return "(" + is + ")"
	}
	var parts []string
	if c.From != nil {
		parts = append(parts, fmt.Sprintf("%s >= %d", column, *c.From))
	}
	if c.To != nil {
		parts = append(parts, fmt.Sprintf("%s <= %d", column, *c.To))
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
