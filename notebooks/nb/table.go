package nb

import (
	"fmt"
	"html"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Table is shown as HTML where that can be, and as aligned text elsewhere.
//
//	t := nb.Table{Title: "Poor children, 2016", Columns: []nb.Column{
//		{Name: "Where"}, {Name: "Children", Format: nb.Count}, {Name: "Poor", Format: nb.Percent}}}
//	t.Row("Supported areas", areas.Denominator, areas)
//	t.Show()
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]any
	N       string // the observations behind the table, like "457,637 children"; "" if a column says it
	Source  string // "" for the title of the data set
	Note    string
	// Data is what the figures come from; nil asks the server. Where it is synthetic, the
	// table says so.
	Data *Dataset
}

// Column is a column with how its numbers are written.
type Column struct {
	Name   string
	Unit   string // shown after the name, like "children"
	Format Format
}

func (c Column) heading() string {
	if c.Unit == "" {
		return c.Name
	}
	return c.Name + " (" + c.Unit + ")"
}

// Row adds a row: for each column a string, a number, a bool, an Estimate, or a pointer to
// one of them, where nil is shown as "not available".
func (t *Table) Row(cells ...any) { t.Rows = append(t.Rows, cells) }

// Show displays the table; it stops the cell where the table is not well formed.
func (t Table) Show() {
	if t.Data == nil {
		t.Data = served()
	}
	cells, numeric, err := t.cells()
	if err != nil {
		stop(err)
	}
	display{text: t.text(cells, numeric), html: t.html(cells, numeric)}.show()
}

// cells are the texts of the table, and which columns hold numbers.
func (t Table) cells() (cells [][]string, numeric []bool, err error) {
	if len(t.Columns) == 0 {
		return nil, nil, fmt.Errorf("the table %q has no columns", t.Title)
	}
	numeric = make([]bool, len(t.Columns))
	for i, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return nil, nil, fmt.Errorf("row %d of the table %q has %d cells; its columns are %d", i+1, t.Title, len(row),
				len(t.Columns))
		}
		texts := make([]string, len(row))
		for j, value := range row {
			text, isNumber, err := t.Columns[j].cell(value)
			if err != nil {
				return nil, nil, fmt.Errorf("row %d of the table %q, column %q: %w", i+1, t.Title, t.Columns[j].Name, err)
			}
			texts[j], numeric[j] = text, numeric[j] || isNumber
		}
		cells = append(cells, texts)
	}
	return cells, numeric, nil
}

func (c Column) cell(value any) (text string, isNumber bool, err error) {
	v := reflect.ValueOf(value)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() == reflect.Pointer {
		return "not available", false, nil
	}
	if e, ok := v.Interface().(Estimate); ok {
		return e.In(c.Format), true, nil
	}
	if x, ok := number(v); ok {
		return c.Format.String(x), true, nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), false, nil
	case reflect.Bool:
		if v.Bool() {
			return "yes", false, nil
		}
		return "no", false, nil
	}
	return "", false, fmt.Errorf("a %T cannot be shown; use a string, a number, a bool or an Estimate", value)
}

// text is the table in characters, its columns two spaces apart.
func (t Table) text(cells [][]string, numeric []bool) string {
	headings := make([]string, len(t.Columns))
	widths := make([]int, len(t.Columns))
	for j, c := range t.Columns {
		headings[j] = oneLine(c.heading())
		widths[j] = utf8.RuneCountInString(headings[j])
		for i := range cells {
			cells[i][j] = oneLine(cells[i][j])
			widths[j] = max(widths[j], utf8.RuneCountInString(cells[i][j]))
		}
	}
	var b strings.Builder
	line := func(row []string) {
		var l strings.Builder
		for j, text := range row {
			space := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(text))
			if j > 0 {
				l.WriteString("  ")
			}
			switch {
			case numeric[j]:
				l.WriteString(space + text)
			case j == len(row)-1:
				l.WriteString(text)
			default:
				l.WriteString(text + space)
			}
		}
		b.WriteString(strings.TrimRight(l.String(), " "))
		b.WriteByte('\n')
	}
	if t.Title != "" {
		b.WriteString(t.Title + "\n\n")
	}
	line(headings)
	rules := make([]string, len(widths))
	for j, w := range widths {
		rules[j] = strings.Repeat("-", w)
	}
	line(rules)
	for _, row := range cells {
		line(row)
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(footer(t.N, t.Source, t.Note, t.Data), "\n"))
	return b.String()
}

func (t Table) html(cells [][]string, numeric []bool) string {
	var b strings.Builder
	b.WriteString("<table style=\"font-variant-numeric: tabular-nums\">\n")
	if t.Title != "" {
		fmt.Fprintf(&b, "<caption style=\"text-align: left; font-weight: bold\">%s</caption>\n", html.EscapeString(t.Title))
	}
	line := func(tag string, row []string) {
		b.WriteString("<tr>")
		for j, text := range row {
			align := "left"
			if numeric[j] {
				align = "right"
			}
			fmt.Fprintf(&b, "<%s style=\"text-align: %s\">%s</%s>", tag, align, html.EscapeString(text), tag)
		}
		b.WriteString("</tr>\n")
	}
	headings := make([]string, len(t.Columns))
	for j, c := range t.Columns {
		headings[j] = c.heading()
	}
	b.WriteString("<thead>")
	line("th", headings)
	b.WriteString("</thead>\n<tbody>\n")
	for _, row := range cells {
		line("td", row)
	}
	b.WriteString("</tbody>\n</table>\n<p><small>")
	for i, text := range footer(t.N, t.Source, t.Note, t.Data) {
		if i > 0 {
			b.WriteString("<br>\n")
		}
		b.WriteString(html.EscapeString(text))
	}
	b.WriteString("</small></p>")
	return b.String()
}

// footer is what stands below a table or a chart.
func footer(n, source, note string, data *Dataset) []string {
	var lines []string
	if n != "" {
		lines = append(lines, "n = "+n)
	}
	if source == "" {
		source = data.Title
	}
	lines = append(lines, "Source: "+source)
	if note != "" {
		lines = append(lines, "Note: "+note)
	}
	if data.Synthetic {
		lines = append(lines, syntheticNotice)
	}
	return lines
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
