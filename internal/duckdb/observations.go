package duckdb

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	driver "github.com/duckdb/duckdb-go/v2"
	"golang.org/x/sync/errgroup"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
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

// observations answers queries of cohorts: those that a roll-up covers from the smallest, what they have
// in common counted once; the others from the facts, with a statement each.
func (s *Store) observations(ctx context.Context, queries []cells.Observations, give func(int, *cells.Table, error)) {
	covered := map[*rollup][]int{}
	var group errgroup.Group
	group.SetLimit(statementsAtOnce)
	for i, q := range queries {
		if r := s.rollupFor(q); r != nil {
			covered[r] = append(covered[r], i)
			continue
		}
		group.Go(func() error {
			list, err := s.cellsOfFacts(ctx, q)
			if err != nil {
				give(i, nil, err)
				return nil
			}
			give(i, q.NewTable(list), nil)
			return nil
		})
	}
	for r, places := range covered {
		r.answer(ctx, s, queries, places, give)
	}
	_ = group.Wait() // what failed is given
}

// statementsAtOnce bounds the statements of one request: each uses all threads that DuckDB has.
const statementsAtOnce = 2

// cellsOfFacts answers q with one statement over the facts.
func (s *Store) cellsOfFacts(ctx context.Context, q cells.Observations) ([]cells.Cell, error) {
	var where []string
	var values []any
	for _, c := range q.Where.Conditions {
		condition, bound := s.condition(q.Table, c)
		where = append(where, condition)
		values = append(values, bound...)
	}
	where = append(where, traits(q.Table, q.Where)...)
	sums := q.Sums()
	text, err := s.cellsStatement(q, where)
	if err != nil {
		return nil, err
	}
	var out []cells.Cell
	err = s.query(ctx, text, values, func(rows *sql.Rows) error {
		if err := q.CheckCount(len(out) + 1); err != nil {
			return err
		}
		cell := q.New(1)[0]
		var targets []any
		for i := range cell.Key {
			targets = append(targets, keyTarget{s.catalogue, &cell.Key[i]})
		}
		for _, sum := range sums {
			targets = append(targets, target(sum, &cell))
		}
		if q.Largest {
			for i := range cell.Measures {
				targets = append(targets, largestTarget{&cell.Measures[i].Largest})
			}
		}
		err := rows.Scan(targets...)
		out = append(out, cell)
		return err
	})
	return out, err
}

// target returns where a sum is scanned into a cell.
func target(s cells.Sum, c *cells.Cell) any {
	if s.Kind == cells.Squares {
		return squareTarget{s.SquareOf(c)}
	}
	return s.Of(c)
}

// keyTarget reads a key: an integer, the place of a code, or the id of an area as its place.
type keyTarget struct {
	catalogue *cells.Catalogue
	key       *int32
}

// Scan implements sql.Scanner.
func (t keyTarget) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*t.key = cells.None
	case int64:
		*t.key = int32(v)
	case int32:
		*t.key = v
	case uint8:
		*t.key = int32(v)
	case bool:
		*t.key = 0
		if v {
			*t.key = 1
		}
	case string:
		place, ok := t.catalogue.Place(v)
		if !ok {
			return fmt.Errorf("a row has area_id %q, which table area has not", v)
		}
		*t.key = int32(place)
	default:
		return fmt.Errorf("a key is a %T; an integer or a text was expected", value)
	}
	return nil
}

// squareTarget reads an exact sum of squares.
type squareTarget struct{ sum *cells.Square }

// Scan implements sql.Scanner.
func (t squareTarget) Scan(value any) error {
	d, ok := value.(driver.Decimal)
	if !ok {
		return fmt.Errorf("a sum of squares is a %T; a decimal was expected", value)
	}
	*t.sum = cells.SquareOf(d.Value)
	return nil
}

// largestTarget reads the two largest contributions, of which there may be fewer.
type largestTarget struct{ largest *[2]int64 }

// Scan implements sql.Scanner.
func (t largestTarget) Scan(value any) error {
	list, ok := value.([]any)
	if !ok && value != nil {
		return fmt.Errorf("the largest contributions are a %T; a list was expected", value)
	}
	for i, x := range list {
		n, ok := x.(int64)
		if !ok {
			return fmt.Errorf("a contribution is a %T; an integer was expected", x)
		}
		t.largest[i] = n
	}
	return nil
}

// cellsStatement writes the statement over the facts that splits and sums as q asks, where the
// conditions hold.
func (s *Store) cellsStatement(q cells.Observations, where []string) (string, error) {
	type named struct{ Name, Expression, Type string }
	data := struct {
		Columns []string // of the facts, by which rows are first made one
		Carried []named  // what is then summed
		By      []named
		Sums    []named
		Largest []string
		Weight  string
		From    string
		Where   []string
	}{From: QuoteName(q.Table.Name), Where: where, Weight: s.weight(q.Table)}
	for _, d := range q.By {
		column := d.Columns[q.Table.Name].Name
		data.Columns = append(data.Columns, QuoteName(column))
		if s.catalogue.Columns[q.Table.Name][d.Apart] {
			data.Columns = append(data.Columns, QuoteName(d.Apart))
		}
		key := named{Name: byName(d), Expression: QuoteName(column)}
		switch {
		case d.IsInteger():
			key.Expression += "::INTEGER"
		case !d.IsArea():
			key.Expression = s.place(q.Table, d, key.Expression)
		}
		data.By = append(data.By, key)
	}
	for _, i := range q.Indicators {
		for _, column := range i.Columns() {
			data.Columns = append(data.Columns, QuoteName(column))
		}
	}
	slices.Sort(data.Columns)
	data.Columns = slices.Compact(data.Columns)
	carried := map[string]bool{}
	for _, sum := range (cells.Observations{Table: q.Table, Measures: q.Measures}).Sums() {
		carried[sum.Name()] = true
		data.Carried = append(data.Carried, named{QuoteName(sum.Name()), s.expression(q.Table, sum, data.Weight),
			typeOf(sum)})
	}
	for _, sum := range q.Sums() {
		expression := QuoteName(sum.Name())
		if !carried[sum.Name()] {
			expression = s.expression(q.Table, sum, "n")
		}
		data.Sums = append(data.Sums, named{QuoteName(sum.Name()), expression, typeOf(sum)})
	}
	if q.Largest {
		for _, m := range q.Measures {
			data.Largest = append(data.Largest, s.measured(q.Table, m))
		}
	}
	return write("cells", data)
}

// byName is the name of a key in the statement.
func byName(d *contract.Dimension) string { return QuoteName("by_" + d.Field) }

// place writes the place of a column's value among the dimension's codes.
func (s *Store) place(t *contract.Table, d *contract.Dimension, column string) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, of := range d.Selections(t.Name) {
		fmt.Fprintf(&b, " WHEN %s THEN %d", selects(of, column, s.apart(t, d)), of.Position)
	}
	b.WriteString(" END::INTEGER")
	return b.String()
}

// apart writes the second column of the dimension, which is null where the data set does not have it.
func (s *Store) apart(t *contract.Table, d *contract.Dimension) string {
	if s.catalogue.Columns[t.Name][d.Apart] {
		return QuoteName(d.Apart)
	}
	return "NULL::BOOLEAN"
}

// selects writes the condition that the values of the column, and of the second one, are those of the
// selection.
func selects(s contract.Selection, column, apart string) string {
	switch {
	case s.Apart != nil && s.Apart.Is == nil:
		return fmt.Sprintf("(%s IS NULL AND %s IS NULL)", column, apart)
	case s.Apart != nil:
		return fmt.Sprintf("(%s IS NULL AND %s IS %t)", column, apart, *s.Apart.Is)
	case s.Range != nil:
		return fmt.Sprintf("%s BETWEEN %d AND %d", column, s.Range[0], s.Range[1])
	case s.Present != nil && *s.Present:
		return column + " IS NOT NULL"
	case s.Present != nil || s.Missing:
		return column + " IS NULL"
	}
	codes := make([]string, len(s.In))
	for i, code := range s.In {
		codes[i] = QuoteText(code)
	}
	return column + " IN (" + strings.Join(codes, ", ") + ")"
}

// condition writes a condition of the filter, with its values to be bound.
func (s *Store) condition(t *contract.Table, c cells.Condition) (string, []any) {
	d := c.Dimension
	column := QuoteName(d.Columns[t.Name].Name)
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
	for _, of := range d.Selections(t.Name) {
		if slices.Contains(c.Positions, of.Position) {
			parts = append(parts, selects(of, column, s.apart(t, d)))
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

// squares is the type of a sum of squares, which stays exact until it is taken.
const squares = "DECIMAL(38,0)"

func typeOf(s cells.Sum) string {
	if s.Kind == cells.Squares {
		return squares
	}
	return "BIGINT"
}

// weight writes how many observations a row of facts stands for.
func (s *Store) weight(t *contract.Table) string {
	if s.catalogue.Columns[t.Name]["n"] {
		return "coalesce(n, 1)"
	}
	return "1"
}

// expression writes what a row of facts adds to a sum; weight is how many observations it stands for.
func (s *Store) expression(t *contract.Table, sum cells.Sum, weight string) string {
	counted := func(where string) string { return "CASE WHEN " + where + " THEN " + weight + " ELSE 0 END" }
	switch sum.Kind {
	case cells.Known:
		return counted(known(t, sum.Indicator))
	case cells.Having:
		return counted(known(t, sum.Indicator) + " AND " + Predicate(t, sum.Indicator.When))
	case cells.Unknown:
		perhaps := "true"
		if sum.Indicator.Among != nil {
			perhaps = "(" + Predicate(t, sum.Indicator.Among) + ") IS NOT FALSE"
		}
		return counted(perhaps + " AND NOT " + known(t, sum.Indicator))
	case cells.Measured, cells.Total, cells.Squares, cells.Unmeasured:
		x := s.measured(t, sum.Measure)
		switch sum.Kind {
		case cells.Measured:
			return counted(x + " IS NOT NULL")
		case cells.Unmeasured:
			perhaps := "true"
			if sum.Measure.Among != nil {
				perhaps = "(" + Predicate(t, sum.Measure.Among) + ") IS NOT FALSE"
			}
			return counted(perhaps + " AND " + x + " IS NULL")
		case cells.Total:
			return weight + " * " + x
		}
		square := fmt.Sprintf("%s::HUGEINT * %s * %s", weight, x, x)
		if d := sum.Measure.Deviation; d != "" && s.catalogue.Columns[t.Name][d] {
			square += fmt.Sprintf(" + coalesce((%s - 1) * %s::HUGEINT * %s, 0)", weight, QuoteName(d), QuoteName(d))
		}
		return square
	}
	return counted("true")
}

// measured writes the value of a measure's column where the observation is one whose mean it is; else null.
func (s *Store) measured(t *contract.Table, m *contract.Measure) string {
	if m.Among == nil {
		return QuoteName(m.Column)
	}
	return "CASE WHEN " + Predicate(t, m.Among) + " THEN " + QuoteName(m.Column) + " END"
}

// known writes the condition that an observation is in the indicator's denominator with a known
// value. It is never null.
func known(t *contract.Table, i *contract.Indicator) string {
	condition := "(" + Predicate(t, i.When) + ") IS NOT NULL"
	if i.Among != nil {
		condition = "(" + Predicate(t, i.Among) + ") IS TRUE AND " + condition
	}
	return "(" + condition + ")"
}

// traits writes the conditions that the filter sets on indicators, which together are never null.
func traits(t *contract.Table, f cells.Filter) []string {
	var out []string
	for _, i := range f.With {
		out = append(out, known(t, i), Predicate(t, i.When))
	}
	for _, i := range f.Without {
		out = append(out, known(t, i), "NOT "+Predicate(t, i.When))
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
		parts[k] = "(" + known(t, i) + " AND " + Predicate(t, i.When) + ")"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// Predicate writes a condition of the contract on the columns of a table: null where it is unknown,
// which a code that stands for "unknown" makes it as well.
func Predicate(t *contract.Table, c *contract.Condition) string {
	join := func(list []*contract.Condition, word string) string {
		parts := make([]string, len(list))
		for i, part := range list {
			parts[i] = Predicate(t, part)
		}
		return "(" + strings.Join(parts, word) + ")"
	}
	column := QuoteName(c.Column)
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
				unknown = append(unknown, QuoteText(code.Code))
			}
		}
		for _, code := range c.In {
			codes = append(codes, QuoteText(code))
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

// QuoteName writes a name in SQL, whatever is in it.
func QuoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteText writes a text in SQL, whatever is in it.
func QuoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
