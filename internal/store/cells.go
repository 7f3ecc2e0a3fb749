package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"

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

// Cells answers a query from the smallest stored roll-up that covers it, else from the facts,
// with one statement. The error lists what the data set records if it does not record what is
// asked. Cancelling ctx stops the statement.
func (s *Store) Cells(ctx context.Context, q Query) (_ *Cells, err error) {
	defer fault.Wrap(&err, "store.Cells(%s)", q)
	if err := s.check(q); err != nil {
		return nil, err
	}
	text, values, places, err := s.statement(q)
	if err != nil {
		return nil, err
	}
	out := &Cells{Query: q}
	err = s.query(ctx, text, values, func(rows *sql.Rows) error {
		if q.MaxCells > 0 && len(out.Rows) == q.MaxCells {
			return fault.Forbiddenf("splitting %s by %s gives more than %d cells, the limit; narrow the cohort or split by fewer dimensions", q.Table.Cohort, strings.Join(dimensionNames(q.By), ", "), q.MaxCells)
		}
		cell, err := s.scan(q, places, rows)
		out.Rows = append(out.Rows, cell)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// statement writes the one statement that answers q, the values bound to it, and for each sum
// that scan reads the place of its column, negative where the sum is 0.
func (s *Store) statement(q Query) (string, []any, []int, error) {
	src := s.source(q)
	data := src.cells(q.By, q.Indicators, q.Measures, q.RecordKeys)
	// For a question of a roll-up most of the time goes into columns, each planned and fetched
	// apart, so no column is asked for twice.
	var places []int
	var distinct []sum
	for _, c := range data.Sums {
		i := slices.IndexFunc(distinct, func(d sum) bool { return d.Expression == c.Expression && d.Type == c.Type })
		if i < 0 && c.Expression != "0" {
			i = len(distinct)
			distinct = append(distinct, c)
		}
		places = append(places, i)
	}
	data.Sums = distinct
	var values []any
	for _, c := range q.Where.Conditions {
		condition, bound := src.condition(c)
		data.Where = append(data.Where, condition)
		values = append(values, bound...)
	}
	for _, i := range q.Where.With {
		data.Where = append(data.Where, known(q.Table, i))
		data.Where = append(data.Where, boolean(q.Table, i.When))
	}
	for _, i := range q.Where.Without {
		data.Where = append(data.Where, known(q.Table, i))
		data.Where = append(data.Where, "NOT "+boolean(q.Table, i.When))
	}
	text, err := write("cells", data)
	return text, values, places, err
}

// cellsData fills in cells.sql.
type cellsData struct {
	By    []grouping
	Sums  []sum
	From  string
	Where []string
}

// Nested reports whether the keys take two steps.
func (d cellsData) Nested() bool {
	return slices.ContainsFunc(d.By, func(g grouping) bool { return g.Outer != g.Name })
}

func (src source) cells(by []*contract.Dimension, indicators []*contract.Indicator, measures []*contract.Measure, keys bool) cellsData {
	data := cellsData{Sums: src.sums(indicators, measures, keys), From: quoteName(src.relation())}
	for _, d := range by {
		data.By = append(data.By, src.grouping(d))
	}
	return data
}

func (s *Store) scan(q Query, places []int, rows *sql.Rows) (Cell, error) {
	cell := Cell{Key: make([]int32, len(q.By)), Indicators: make([]Tally, len(q.Indicators)), Measures: make([]Moments, len(q.Measures))}
	keys := make([]sql.NullInt32, len(q.By))
	areas := make([]sql.NullString, len(q.By))
	targets := make([]any, len(q.By), len(q.By)+len(places))
	for i, d := range q.By {
		if d.IsArea() {
			targets[i] = &areas[i]
		} else {
			targets[i] = &keys[i]
		}
	}
	// Each sum has a target; sums of one column share it and are copied afterwards.
	var shared []func()
	first := map[int]*int64{}
	next := 0
	whole := func(target *int64) {
		place := places[next]
		next++
		switch from := first[place]; {
		case place < 0:
		case from != nil:
			shared = append(shared, func() { *target = *from })
		default:
			first[place] = target
			targets = append(targets, target)
		}
	}
	whole(&cell.N)
	if q.RecordKeys {
		whole(&cell.RecordKey)
	}
	for i := range cell.Indicators {
		t := &cell.Indicators[i]
		whole(&t.N)
		whole(&t.Y)
		whole(&t.Unknown)
		if q.RecordKeys {
			whole(&t.NKey)
			whole(&t.YKey)
		}
	}
	for i := range cell.Measures {
		m := &cell.Measures[i]
		whole(&m.N)
		whole(&m.Sum)
		targets = append(targets, &m.SumSq)
		next++
		whole(&m.Unknown)
	}
	if err := rows.Scan(targets...); err != nil {
		return cell, err
	}
	for _, copied := range shared {
		copied()
	}
	for i, d := range q.By {
		cell.Key[i] = None
		switch {
		case areas[i].Valid:
			position, ok := s.areaPosition[areas[i].String]
			if !ok {
				return cell, fmt.Errorf("%s has area_id %q, which table area has not", q.Table.Name, areas[i].String)
			}
			cell.Key[i] = int32(position)
		case keys[i].Valid && !d.IsArea():
			cell.Key[i] = keys[i].Int32
		}
	}
	return cell, nil
}

// source is what a query reads: the facts of a table, or a roll-up of them.
type source struct {
	table   *contract.Table
	columns map[string]bool  // the table's columns that the data set has
	rollup  *contract.Rollup // nil: the facts
	// complete holds the indicators without an unknown value in the table, each with the first
	// of them among the same observations.
	complete map[*contract.Indicator]*contract.Indicator
}

// facts returns the table itself as a source.
func (s *Store) facts(t *contract.Table) source {
	return source{table: t, columns: s.columns[t.Name], complete: s.complete[t.Name]}
}

// source returns the smallest roll-up that covers q, else the facts.
func (s *Store) source(q Query) source {
	best := s.facts(q.Table)
	if len(q.Where.With)+len(q.Where.Without) > 0 {
		return best // roll-ups are not split by indicators
	}
	rows := int64(-1)
	for _, r := range s.rollups {
		candidate := best
		candidate.rollup = r.Rollup
		if r.Table == q.Table && (rows < 0 || r.rows < rows) && candidate.covers(slices.Concat(q.By, q.Where.Dimensions())) {
			best, rows = candidate, r.rows
		}
	}
	return best
}

func (src source) covers(dimensions []*contract.Dimension) bool {
	return !slices.ContainsFunc(dimensions, func(d *contract.Dimension) bool { return src.stored(d) == nil })
}

// stored returns the dimension of the roll-up that tells d: itself, or a finer one.
func (src source) stored(d *contract.Dimension) *contract.Dimension {
	if slices.Contains(src.rollup.By, d) {
		return d
	}
	for _, f := range src.rollup.By {
		if f.Refines(d, src.table.Name) {
			return f
		}
	}
	return nil
}

func (src source) relation() string {
	if src.rollup != nil {
		return src.rollup.Name
	}
	return src.table.Name
}

// grouping is one key of the cells statement.
type grouping struct{ Name, Inner, Outer string }

func (src source) grouping(d *contract.Dimension) grouping {
	g := grouping{Name: quoteName("by_" + d.Field)}
	g.Outer = g.Name
	if src.rollup != nil {
		f := src.stored(d)
		g.Inner = quoteName(f.Field)
		if f != d {
			g.Inner = src.place(d, g.Inner)
		}
		return g
	}
	column := quoteName(d.Columns[src.table.Name].Name)
	switch {
	case d.IsInteger() || d.IsArea():
		g.Inner = column
	case d.Refines(d, src.table.Name) && src.isOwnCodes(d):
		// Comparing a text with a hundred codes is for the few groups, not for each row.
		g.Inner, g.Outer = column, src.place(d, g.Name)
	default:
		g.Inner = src.place(d, column)
	}
	return g
}

// isOwnCodes reports whether each code of the column is a code of the dimension.
func (src source) isOwnCodes(d *contract.Dimension) bool {
	for _, s := range d.Selections(src.table.Name) {
		if len(s.In) != 1 && !s.Missing {
			return false
		}
	}
	return true
}

// place writes the place of a column's value among the dimension's codes.
func (src source) place(d *contract.Dimension, expression string) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, s := range d.Selections(src.table.Name) {
		fmt.Fprintf(&b, " WHEN %s THEN %d", src.selects(d, s, expression), s.Position)
	}
	b.WriteString(" END")
	return b.String()
}

// selects writes the condition that the expression, a value of the stored column of d, is one of
// those of the selection. In the facts a code is its text, in a roll-up its place.
func (src source) selects(d *contract.Dimension, s contract.Selection, expression string) string {
	switch {
	case s.Range != nil:
		return fmt.Sprintf("%s BETWEEN %d AND %d", expression, s.Range[0], s.Range[1])
	case s.Present != nil && *s.Present:
		return expression + " IS NOT NULL"
	case s.Present != nil:
		return expression + " IS NULL"
	case s.Missing && src.rollup == nil:
		return expression + " IS NULL"
	case s.Missing:
		f := src.stored(d)
		for _, fine := range f.Selections(src.table.Name) {
			if fine.Missing {
				return fmt.Sprintf("%s = %d", expression, fine.Position)
			}
		}
		return expression + " IS NULL"
	}
	codes := make([]string, len(s.In))
	for i, code := range s.In {
		codes[i] = quoteText(code)
		if src.rollup != nil {
			codes[i] = strconv.Itoa(src.placeOf(src.stored(d), code))
		}
	}
	return expression + " IN (" + strings.Join(codes, ", ") + ")"
}

// placeOf returns the place in the stored dimension f of a code of its column.
func (src source) placeOf(f *contract.Dimension, code string) int {
	for _, s := range f.Selections(src.table.Name) {
		if slices.Contains(s.In, code) {
			return s.Position
		}
	}
	return -1
}

// condition writes a condition of the filter, with its values to be bound.
func (src source) condition(c Condition) (string, []any) {
	d := c.Dimension
	column := quoteName(d.Columns[src.table.Name].Name)
	stored := d
	if src.rollup != nil {
		stored = src.stored(d)
		column = quoteName(stored.Field)
	}
	switch {
	case d.IsInteger():
		var parts []string
		var values []any
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
	case src.rollup != nil && stored == d:
		return column + " IN (" + marks(len(c.Positions)) + ")", anys(c.Positions)
	}
	var parts []string
	var values []any
	for _, s := range d.Selections(src.table.Name) {
		if !slices.Contains(c.Positions, s.Position) {
			continue
		}
		switch {
		case s.Range != nil:
			parts, values = append(parts, column+" BETWEEN ? AND ?"), append(values, s.Range[0], s.Range[1])
		case len(s.In) > 0 && src.rollup == nil:
			parts, values = append(parts, column+" IN ("+marks(len(s.In))+")"), append(values, anys(s.In)...)
		case len(s.In) > 0:
			parts = append(parts, column+" IN ("+marks(len(s.In))+")")
			for _, code := range s.In {
				values = append(values, src.placeOf(stored, code))
			}
		default:
			parts = append(parts, src.selects(d, s, column))
		}
	}
	if len(parts) == 0 {
		return "false", nil // the table cannot hold any of the codes
	}
	return "(" + strings.Join(parts, " OR ") + ")", values
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
type sum struct{ Name, Expression, Type string }

// sums writes what is summed within a cell, in the order in which scan reads it. Where the data
// set has no unknown value of an indicator, its denominator is written like that of any other
// such indicator among the same observations, so that DuckDB sums it once.
func (src source) sums(indicators []*contract.Indicator, measures []*contract.Measure, keys bool) []sum {
	weight, key := "1", "0"
	if src.columns["n"] {
		weight = "coalesce(n, 1)"
	}
	if src.columns["record_key"] {
		key = "coalesce(record_key, 0)"
	}
	var out []sum
	add := func(name, stored, value, where, kind string) {
		expression := "sum(CASE WHEN " + where + " THEN " + value + " ELSE 0 END)"
		if src.rollup != nil {
			expression = "sum(" + quoteName(stored) + ")"
		}
		out = append(out, sum{Name: quoteName(name), Expression: expression, Type: kind})
	}
	add("n", "n", weight, "true", "BIGINT")
	if keys {
		add("record_key", "record_key", key, "true", "BIGINT")
	}
	for _, i := range indicators {
		name := strings.ToLower(i.Name)
		is, unknown := known(src.table, i), "true"
		if i.Among != nil {
			unknown = "(" + boolean(src.table, i.Among) + ") IS NOT FALSE"
		}
		when := boolean(src.table, i.When)
		n, nk := name+"_n", name+"_nk" // the stored columns of the denominator
		if first := src.complete[i]; first != nil {
			n, nk, is = strings.ToLower(first.Name)+"_n", strings.ToLower(first.Name)+"_nk", "true"
			if i.Among != nil {
				is = "(" + boolean(src.table, i.Among) + ")"
			} else {
				n, nk = "n", "record_key"
			}
		}
		add(name+"_n", n, weight, is, "BIGINT")
		add(name+"_y", name+"_y", weight, is+" AND "+when, "BIGINT")
		if src.complete[i] != nil {
			out = append(out, sum{Name: quoteName(name + "_u"), Expression: "0", Type: "BIGINT"})
		} else {
			add(name+"_u", name+"_u", weight, unknown+" AND NOT ("+is+")", "BIGINT")
		}
		if keys {
			add(name+"_nk", nk, key, is, "BIGINT")
			add(name+"_yk", name+"_yk", key, is+" AND "+when, "BIGINT")
		}
	}
	for _, m := range measures {
		name, x := strings.ToLower(m.Name), quoteName(m.Column)
		square := fmt.Sprintf("%s::HUGEINT * %s * %s", weight, x, x)
		if m.Deviation != "" && src.columns[m.Deviation] {
			square += fmt.Sprintf(" + coalesce((%s - 1) * %s::HUGEINT * %s, 0)", weight, quoteName(m.Deviation), quoteName(m.Deviation))
		}
		add(name+"_n", name+"_n", weight, x+" IS NOT NULL", "BIGINT")
		add(name+"_s", name+"_s", weight+" * "+x, "true", "BIGINT")
		add(name+"_q", name+"_q", square, x+" IS NOT NULL", "DOUBLE")
		add(name+"_u", name+"_u", weight, x+" IS NULL", "BIGINT")
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
