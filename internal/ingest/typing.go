package ingest

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

// csvRead is a reading of CSV files. DuckDB would take from a sample what parts the fields and
// what type a column has, and read later rows by it: 3.482 as 3, where the sample held whole
// numbers. Here every row is looked at before a column is more than text.
type csvRead struct {
	table   object // the table function in the parse
	how     read
	files   []string
	stated  []any        // the types that the recipe states, as arguments of struct_pack
	rows    int64        // that can be read
	columns []*csvColumn // those that the SELECT may use and whose types are not stated
}

// csvColumn is a column of CSV files: the forms of its values, and the type it is read as.
type csvColumn struct {
	read  *csvRead
	name  string
	forms forms
	kind  string
}

// forms is a set of forms that values of a text have.
type forms int

const (
	wholeForm        forms = 1 << iota // 12, -7
	decimalForm                        // 0.5, or 0,5 where the recipe states the comma
	pointedForm                        // 3.482: decimals, or thousands
	zerosForm                          // 3.000: the same, and more likely thousands
	powerForm                          // 1e5
	shortenedForm                      // 2,35E+05, as a spreadsheet shows what does not fit
	booleanForm                        // true, false
	casedBooleanForm                   // TRUE, False
	dateForm                           // 2014-12-31
	timeForm                           // 2014-12-31 23:59
	dashForm                           // 31-12-2014
	dotForm                            // 31.12.2014
	slashForm                          // 31/12/2014
	dayFirstForm                       // of the three above, those whose second number is no day
	monthFirstForm                     // and those whose first is no month's day
	otherForm                          // any other text, 012 among them
)

const (
	fractionForms = decimalForm | pointedForm | zerosForm | powerForm
	numberForms   = wholeForm | fractionForms
	dayForms      = dashForm | dotForm | slashForm
)

// of reports whether there are values, and all have one of the forms.
func (f forms) of(other forms) bool { return f != 0 && f&^other == 0 }

// exact reports whether a column's type writes each value as the file has it.
func (c *csvColumn) exact() bool {
	return c.kind == "VARCHAR" || c.kind == "BIGINT" && c.forms.of(wholeForm) || c.kind == "DATE" &&
		c.forms.of(dateForm) || c.kind == "BOOLEAN" && c.forms.of(booleanForm)
}

// dialect is what the recipe states of numbers and dates.
type dialect struct {
	decimal, thousands, date, timestamp string
	unstated                            bool // points may be of decimals or of thousands
}

// dialect returns what the recipe states of a reading.
func (r *csvRead) dialect() dialect {
	text := func(names ...string) string { return constant(argument(r.table, names...)) }
	d := dialect{decimal: text("decimal_separator"), thousands: text("thousands"), date: text("dateformat", "date_format"),
		timestamp: text("timestampformat", "timestamp_format")}
	if d.decimal == "" {
		d.decimal, d.unstated = ".", d.thousands == ""
	}
	return d
}

// form writes the form of a column's value.
func (d dialect) form(column string) string {
	c, point := duckdb.QuoteName(column), "["+d.decimal+"]"
	whole, part := `0|[1-9]\d{0,17}`, `0|[1-9]\d{0,14}` // what BIGINT holds; what DOUBLE holds beside decimals
	if d.thousands != "" {
		grouped := `|[1-9]\d{0,2}([` + d.thousands + `]\d{3}){1,4}`
		whole, part = whole+grouped, part+grouped
	}
	type branch struct {
		pattern string
		form    string
	}
	is := func(f forms) string { return fmt.Sprint(int(f)) }
	branches := []branch{{"-?(" + whole + ")", is(wholeForm)}}
	if d.unstated {
		branches = append(branches, branch{`-?[1-9]\d{0,2}[.]000`, is(zerosForm)},
			branch{`-?[1-9]\d{0,2}[.]\d{3}`, is(pointedForm)})
	}
	day := func(separator string, f forms) branch {
		first, second := duckdb.QuoteText("%d"+separator+"%m"+separator+"%Y"),
			duckdb.QuoteText("%m"+separator+"%d"+separator+"%Y")
		return branch{`\d{1,2}[` + separator + `]\d{1,2}[` + separator + `]\d{4}`,
			fmt.Sprintf("CASE WHEN try_strptime(%[1]s, %[2]s) IS NULL AND try_strptime(%[1]s, %[3]s) IS NULL THEN %[4]d WHEN "+
				"try_strptime(%[1]s, %[3]s) IS NULL THEN %[5]d WHEN try_strptime(%[1]s, %[2]s) IS NULL THEN %[6]d ELSE %[7]d END",
				c, first, second, otherForm, f|dayFirstForm, f|monthFirstForm, f)}
	}
	valid := func(kind string, f forms) string {
		return fmt.Sprintf("if(TRY_CAST(%s AS %s) IS NULL, %d, %d)", c, kind, otherForm, f)
	}
	branches = append(branches,
		branch{"-?(" + part + ")?" + point + `\d+`, is(decimalForm)},
		branch{`-?\d(` + point + `\d{1,2})?E[+-]\d{2}`, is(shortenedForm)},
		branch{`-?\d(` + point + `\d+)?[eE][+-]?\d{1,2}`, is(powerForm)},
		branch{`\d{4}-\d{2}-\d{2}`, valid("DATE", dateForm)},
		branch{`\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}([.]\d+)?)?`, valid("TIMESTAMP", timeForm)},
		day("-", dashForm), day(".", dotForm), day("/", slashForm))
	var b strings.Builder
	fmt.Fprintf(&b, "CASE WHEN %s IS NULL THEN 0", c)
	for i, branch := range branches {
		fmt.Fprintf(&b, " WHEN regexp_full_match(%s, %s) THEN %s", c, duckdb.QuoteText(branch.pattern), branch.form)
		if i == 0 {
			// What begins with a letter has none of the other forms; most texts are told by this.
			fmt.Fprintf(&b, " WHEN %[1]s >= ':' THEN CASE WHEN %[1]s IN ('true', 'false') THEN %[2]d WHEN lower(%[1]s) IN "+
				"('true', 'false') THEN %[3]d ELSE %[4]d END", c, booleanForm, casedBooleanForm, otherForm)
		}
	}
	fmt.Fprintf(&b, " ELSE %d END", otherForm)
	return b.String()
}

// kind returns the DuckDB type that holds all values of a column, and the format of its dates.
func (f forms) kind() (kind, dateFormat string) {
	switch {
	case f.of(wholeForm):
		return "BIGINT", ""
	case f.of(numberForms):
		return "DOUBLE", ""
	case f.of(booleanForm | casedBooleanForm):
		return "BOOLEAN", ""
	case f.of(dateForm):
		return "DATE", "%Y-%m-%d"
	case f.of(dateForm | timeForm):
		return "TIMESTAMP", ""
	case f.of(dayForms | dayFirstForm): // a day above 12 tells which number is the day
		for separator, form := range map[string]forms{"-": dashForm, ".": dotForm, "/": slashForm} {
			if f == form|dayFirstForm {
				return "DATE", "%d" + separator + "%m" + separator + "%Y"
			}
		}
	case f == slashForm|monthFirstForm:
		return "DATE", "%m/%d/%Y"
	}
	return "VARCHAR", ""
}

// argument returns the argument of a table function, or an empty node.
func argument(table object, names ...string) object {
	for _, a := range list(child(table, "function"), "children")[1:] {
		if slices.Contains(names, strings.ToLower(columnName(child(a, "left")))) {
			return child(a, "right")
		}
	}
	return object{}
}

// constant returns the value of a node that is a constant text.
func constant(o object) string { return str(child(o, "value"), "value") }

// state adds an argument to a table function, unless the recipe states it.
func (p *preparer) state(table object, name, value string, synonyms ...string) {
	if len(argument(table, append(synonyms, name)...)) > 0 {
		return
	}
	function := child(table, "function")
	added := child(child(p.template("FROM "+str(function, "function_name")+"('x', "+name+" = "+value+")"), "from_table"),
		"function")
	function["children"] = append(function["children"].([]any), added["children"].([]any)[1])
}

// relation writes a SELECT of all that a table function reads.
func (p *preparer) relation(table object) string {
	node, reading := p.template("SELECT * FROM x"), clone(table)
	reading["alias"], reading["column_name_alias"] = "", []any{}
	node["from_table"] = reading
	text, err := p.write(node)
	if err != nil {
		p.fail(err)
	}
	return "(" + text + ")"
}

// sniffed is what DuckDB finds out about how a CSV file is written.
type sniffed struct{ delimiter, quote, escape string }

// sniff looks at one file of a reading.
func (p *preparer) sniff(table object, file string) (out sniffed, err error) {
	node, sniffing := p.template("SELECT Delimiter, Quote, Escape FROM sniff_csv('x')"), clone(table)
	from := child(node, "from_table")
	arguments := slices.DeleteFunc(child(sniffing, "function")["children"].([]any), func(a any) bool {
		return strings.EqualFold(columnName(child(a.(object), "left")), "columns") // which is no argument of sniff_csv
	})
	arguments[0] = child(from, "function")["children"].([]any)[0]
	child(arguments[0].(object), "value")["value"] = literal(file, file)
	child(from, "function")["children"] = arguments
	text, err := p.write(node)
	if err != nil {
		return out, err
	}
	err = p.conn.QueryRowContext(p.ctx, text).Scan(&out.delimiter, &out.quote, &out.escape)
	for _, s := range []*string{&out.delimiter, &out.quote, &out.escape} {
		if *s == "(empty)" {
			*s = ""
		}
	}
	return out, err
}

// settle states how a reading's files are written, so that it does not hang on which rows are in
// a sample: the first line is the header, and quotes are quotes also where they come late.
func (p *preparer) settle(r *csvRead) {
	table, files := r.table, r.files
	if strings.EqualFold(constant(child(argument(table, "auto_detect"), "child")), "f") {
		return
	}
	if len(argument(table, "columns", "names", "column_names")) == 0 {
		p.state(table, "header", "true")
	}
	p.state(table, "comment", "''")
	if len(files) > 1 {
		p.state(table, "files_to_sniff", "-1")
	}
	var found []sniffed
	sniffing := table
	if r.how.byName {
		sniffing = p.apart(table)
	}
	for _, file := range files {
		s, err := p.sniff(sniffing, p.readable(r.how, file))
		if err != nil {
			return // reading it fails as well, and says why
		}
		if !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	// Of files whose columns are matched by name, one that is taken to pieces otherwise would have
	// other columns, and rows of nothing.
	if other := slices.IndexFunc(found, func(s sniffed) bool { return s.delimiter != found[0].delimiter }); other > 0 &&
		r.how.byName && len(argument(table, "delim", "sep", "delimiter")) == 0 {
		p.fail(mistake("of the files that are read with union_by_name = true, one seems to part its fields with %q, "+
			"another with %q; if all are written alike, state delim = '%[1]s', else read them one by one with UNION ALL BY "+
			"NAME", found[0].delimiter, found[other].delimiter))
	}
	if len(found) != 1 {
		return
	}
	s := found[0]
	if s.quote == "" {
		s.quote = `"`
	}
	if s.escape == "" {
		s.escape = s.quote
	}
	p.state(table, "delim", duckdb.QuoteText(s.delimiter), "sep", "delimiter")
	if len(argument(table, "quote")) == 0 {
		p.state(table, "quote", duckdb.QuoteText(s.quote))
		p.state(table, "escape", duckdb.QuoteText(s.escape))
	}
}

// apart returns a reading whose files are to be read one by one, and not by the names of their
// columns: then lines that cannot be read are collected.
func (p *preparer) apart(table object) object {
	out := clone(table)
	function := child(out, "function")
	function["children"] = slices.DeleteFunc(function["children"].([]any), func(a any) bool {
		return strings.EqualFold(columnName(child(a.(object), "left")), "union_by_name")
	})
	p.state(out, "store_rejects", "true")
	return out
}

// rejectedByName reports the lines that cannot be read of files whose columns are matched by name.
func (s *staged) rejectedByName(selected *selection, r *csvRead) (bool, error) {
	p := selected.preparer
	for _, file := range r.files {
		table := p.apart(r.table)
		path := child(p.template("FROM read_csv("+duckdb.QuoteText(literal(p.readable(r.how, file),
			p.readable(r.how, file)))+")"), "from_table")
		child(table, "function")["children"].([]any)[0] = child(path, "function")["children"].([]any)[0]
		if _, err := s.conn.ExecContext(s.ctx, "SELECT count(COLUMNS(*)) FROM "+p.relation(table)); err != nil {
			return false, s.ctx.Err() // the SELECT itself fails then, and says why
		}
	}
	return s.rejected(selected, true)
}

// typeColumns decides, from every row of the CSV files that a SELECT reads, what type each column
// is read as where the recipe states none. It reports values that can be read in two ways.
func (s *staged) typeColumns(selected *selection) (doubtful bool, err error) {
	p, names, computed := selected.preparer, usedNames(selected.node), computedNames(selected.node)
	for _, r := range selected.csvs {
		p.settle(r)
		if r.how.byName {
			if wrong, err := s.rejectedByName(selected, r); err != nil {
				return false, err
			} else if wrong {
				doubtful = true
				continue
			}
		}
		if wrong, err := s.statedNumbers(p, r); err != nil {
			return false, err
		} else if wrong {
			doubtful = true
			continue
		}
		stated := argument(r.table, typeArguments...)
		// A list has a type for each column.
		if len(argument(r.table, "all_varchar", "columns")) > 0 || len(stated) > 0 &&
			str(stated, "function_name") != "struct_pack" {
			wrong, err := s.swallowedRows(p, r)
			if err != nil {
				return false, err
			}
			doubtful = doubtful || wrong
			continue
		}
		known := map[string]bool{}
		for _, entry := range list(stated, "children") {
			known[strings.ToLower(str(entry, "alias"))] = true
			r.stated = append(r.stated, entry)
		}
		p.state(r.table, "all_varchar", "true")
		columns, err := s.columnsOf(p.relation(r.table))
		if s.ctx.Err() != nil {
			return false, s.ctx.Err()
		} else if err != nil {
			continue // the SELECT itself fails then, and says why
		}
		renamed, _ := r.table["column_name_alias"].([]any)
		for i, c := range columns {
			used := names == nil || names[strings.ToLower(c.name)] || i < len(renamed)
			if c.kind == "VARCHAR" && c.name != "filename" && used && !known[strings.ToLower(c.name)] {
				r.columns = append(r.columns, &csvColumn{read: r, name: c.name, kind: "VARCHAR"})
			}
		}
		if err := s.lookAtForms(p, r, computed); err != nil {
			return false, err
		}
		for _, rule := range []func(*preparer, *csvRead) (bool, error){s.headerProblem, s.swallowedRows} {
			wrong, err := rule(p, r)
			if err != nil {
				return false, err
			}
			doubtful = doubtful || wrong
		}
		for _, c := range r.columns {
			wrong, err := s.doubtful(p, c)
			if err != nil {
				return false, err
			}
			doubtful = doubtful || wrong
		}
		p.setTypes(r)
	}
	if p.err != nil || doubtful {
		return doubtful, p.err
	}
	if err := s.roundedByCasts(selected); err != nil {
		return false, err
	}
	return s.comparedAsText(selected)
}

// lookAtForms reads all rows of a reading, and decides the types of its columns.
func (s *staged) lookAtForms(p *preparer, r *csvRead, computed map[string]bool) error {
	d := r.dialect()
	expressions, targets := []string{"count(*)"}, []any{&r.rows}
	found, dates, times := make([]sql.NullInt64, len(r.columns)), make([]sql.NullBool,
		len(r.columns)), make([]sql.NullBool, len(r.columns))
	add := func(target any, expression string) {
		targets, expressions = append(targets, target), append(expressions, expression)
	}
	for i, c := range r.columns {
		add(&found[i], "bit_or("+d.form(c.name)+")")
		if d.date != "" {
			add(&dates[i], fmt.Sprintf("bool_and(try_strptime(%s, %s) IS NOT NULL)", duckdb.QuoteName(c.name),
				duckdb.QuoteText(d.date)))
		}
		if d.timestamp != "" {
			add(&times[i], fmt.Sprintf("bool_and(try_strptime(%s, %s) IS NOT NULL)", duckdb.QuoteName(c.name),
				duckdb.QuoteText(d.timestamp)))
		}
	}
	if err := s.conn.QueryRowContext(s.ctx, "SELECT "+strings.Join(expressions,
		", ")+" FROM "+p.relation(r.table)).Scan(targets...); err != nil {
		return err
	}
	for i, c := range r.columns {
		c.forms = forms(found[i].Int64)
	}
	// DuckDB reads the dates of a file by one format; others stay text, and of those import itself
	// reads the form YYYY-MM-DD.
	const iso = "%Y-%m-%d"
	format := d.date
	for _, prefer := range []func(c *csvColumn, f string) bool{
		func(c *csvColumn, f string) bool { return f == iso && computed[strings.ToLower(c.name)] },
		func(_ *csvColumn, f string) bool { return f != iso },
		func(*csvColumn, string) bool { return true },
	} {
		for _, c := range r.columns {
			if kind, f := c.forms.kind(); format == "" && kind == "DATE" && prefer(c, f) {
				format = f
			}
		}
	}
	for i, c := range r.columns {
		kind, dateFormat := c.forms.kind()
		switch {
		case dates[i].Bool:
			kind = "DATE"
		case times[i].Bool:
			kind = "TIMESTAMP"
		case kind == "DATE" && format != dateFormat, kind == "TIMESTAMP" && d.timestamp != "":
			kind = "VARCHAR"
		}
		c.kind = kind
	}
	if format != "" {
		p.state(r.table, "dateformat", duckdb.QuoteText(format), "date_format")
	}
	return nil
}

// setTypes states the types of a reading's columns that are not text, beside those that the
// recipe states.
func (p *preparer) setTypes(r *csvRead) {
	var entries []string
	for _, c := range r.columns {
		if c.kind != "VARCHAR" {
			entries = append(entries, duckdb.QuoteText(c.name)+": "+duckdb.QuoteText(c.kind))
		}
	}
	r.dropTypes()
	if len(entries) == 0 && len(r.stated) == 0 {
		return
	}
	p.state(r.table, "types", "{"+strings.Join(append(entries, "'': ''"), ", ")+"}")
	types := argument(r.table, "types")
	own := types["children"].([]any)
	types["children"] = append(own[:len(own)-1], r.stated...)
}

// dropTypes leaves out what is stated of types.
func (r *csvRead) dropTypes() {
	function := child(r.table, "function")
	function["children"] = slices.DeleteFunc(function["children"].([]any), func(a any) bool {
		return slices.Contains(typeArguments, strings.ToLower(columnName(child(a.(object), "left"))))
	})
}

// typeArguments are the names that DuckDB has for the argument that states types of columns.
var typeArguments = []string{"types", "dtypes", "column_types"}

// headerProblem reports a header that fits none of the lines below it, where none of them could
// be read.
func (s *staged) headerProblem(_ *preparer, r *csvRead) (bool, error) {
	var tables, lines int
	if err := s.conn.QueryRowContext(s.ctx,
		"SELECT count(*) FROM duckdb_tables() WHERE table_name IN ('reject_errors', "+
			"'reject_scans')").Scan(&tables); err != nil || r.rows > 0 || tables < 2 {
		return false, err
	}
	var line, message sql.NullString
	if err := s.conn.QueryRowContext(s.ctx,
		"SELECT count(*), min_by(csv_line, line), min_by(error_message, line) FROM reject_errors WHERE error_type IN "+
			"('MISSING COLUMNS', 'TOO MANY COLUMNS')").Scan(&lines, &line, &message); err != nil || lines == 0 {
		return false, err
	}
	expected, got, _ := strings.Cut(strings.TrimPrefix(message.String, "Expected Number of Columns: "), " Found: ")
	header, err := s.sources.firstLine(r.how, r.files[0])
	if err != nil {
		return false, err
	}
	problem := fmt.Sprintf("no line has as many fields as the header, %s: the first, %q, has %s", expected,
		clip(strings.TrimSpace(line.String)), got)
	separator := constant(argument(r.table, "delim", "sep", "delimiter"))
	wanted, _ := strconv.Atoi(expected)
	given, _ := strconv.Atoi(got)
	switch {
	case given == wanted-1 && separator != "" && strings.HasSuffix(header, separator):
		problem += fmt.Sprintf("; the header ends with %q, as if one more column came: take it away", separator)
	case given == wanted+1:
		problem += "; if the first field of each line is its number or name, the header has none for it: add one, or save " +
			"the file without them"
	}
	s.add(Issue{Severity: Error, File: nameWithin(s.recipe.folder, r.files[0]), Rule: "line", Rows: 1, Message: problem})
	return true, s.dropRejects()
}

// doubtful reports a column of numbers that can be read in two ways.
func (s *staged) doubtful(p *preparer, c *csvColumn) (bool, error) {
	pointed := c.forms & (pointedForm | zerosForm)
	switch {
	case c.forms&shortenedForm != 0:
		return true, s.firstOf(p, c, shortenedForm, func(value string) string {
			return fmt.Sprintf("%q is how a spreadsheet shows a number that does not fit its column; the other digits are not "+
				"in the file. Show the column as a number, and save it again", value)
		})
	// 117.000 is more likely a hundred and seventeen thousand, as Danish tables write it, than
	// 117; so is 3.482 among whole numbers.
	case pointed != 0 && c.forms.of(wholeForm|pointed) && (pointed&zerosForm != 0 && pointed&pointedForm == 0 ||
		c.forms&wholeForm != 0):
		have := "three zeros"
		if pointed&pointedForm != 0 {
			have = "three digits"
		}
		return true, s.firstOf(p, c, pointed, func(value string) string {
			number := value
			if pointed == zerosForm {
				number = value[:strings.IndexByte(value, '.')]
			}
			return fmt.Sprintf("%q would be read as %s, and all points of the column have %s after them; if they part "+
				"thousands, read the file with read_csv('…', decimal_separator = ',', thousands = '.'), else with read_csv('…', "+
				"decimal_separator = '.')",
				value, number, have)
		})
	}
	return false, nil
}

// firstOf reports the first value of a column that has one of the forms.
func (s *staged) firstOf(p *preparer, c *csvColumn, f forms, message func(value string) string) error {
	file, row, value, err := s.first(p, c, f)
	if err != nil {
		return err
	}
	s.add(Issue{Severity: Error, File: file, Row: row, Column: c.name, Rule: "type", Value: value, Rows: 1,
		Message: message(value)})
	return nil
}

// first returns the file, row and text of the first value of a column that has one of the forms.
func (s *staged) first(p *preparer, c *csvColumn, f forms) (file, row, value string, err error) {
	return s.firstWhere(p, c, fmt.Sprintf("(%s) & %d <> 0", c.read.dialect().form(c.name), f))
}

// firstWhere returns the file, row and text of the first value of a column that meets a condition.
func (s *staged) firstWhere(p *preparer, c *csvColumn, condition string) (file, row, value string, err error) {
	whole := &csvRead{table: clone(c.read.table)}
	whole.dropTypes()
	return s.firstIn(p.relation(whole.table), c.name, condition)
}

// firstIn returns the file, row and text of the first value of a column of a relation of files that
// meets a condition.
func (s *staged) firstIn(relation, column, condition string) (file, row, value string, err error) {
	text, name := strings.Replace(relation, "SELECT *", "SELECT filename AS file, "+duckdb.QuoteName(column),
		1), duckdb.QuoteName(column)
	var at, before int64
	err = s.conn.QueryRowContext(s.ctx,
		fmt.Sprintf("WITH numbered AS (SELECT *, row_number() OVER () AS row FROM %s) SELECT file, row, %s, (SELECT "+
			"min(row) - 1 FROM numbered AS n WHERE n.file = f.file) FROM (FROM numbered WHERE %s ORDER BY row LIMIT 1) AS f",
			text, name, condition)).Scan(&file, &at, &value, &before)
	return nameWithin(s.recipe.folder, s.sources.original(file)), fmt.Sprint(at - before), value, err
}

// mixed returns those columns that are text only because of some of their values, by the names
// that they have in the SELECT.
func (r *csvRead) mixed() map[string]*csvColumn {
	out, renamed := map[string]*csvColumn{}, r.table["column_name_alias"].([]any)
	for i, c := range r.columns {
		if c.kind == "VARCHAR" && c.forms&numberForms != 0 {
			name := c.name
			if i < len(renamed) {
				name, _ = renamed[i].(string)
			}
			out[strings.ToLower(name)] = c
		}
	}
	return out
}

// undated returns those columns whose values are dates, and text because day and month cannot be
// told apart or are written in several ways, by the names that they have in the SELECT.
func (s *selection) undated() map[string]*csvColumn {
	out := map[string]*csvColumn{}
	for _, r := range s.csvs {
		for _, c := range r.columns {
			if c.kind == "VARCHAR" && c.forms.of(dayForms|dayFirstForm|monthFirstForm|dateForm) {
				out[strings.ToLower(c.name)] = c
			}
		}
	}
	for alias, name := range bareAliases(s.node) {
		if c := out[name]; c != nil && out[alias] == nil {
			out[alias] = c
		}
	}
	return out
}

// comparedAsText reports a column that is text because of some of its values, where the SELECT
// takes it for numbers and DuckDB would not object: = rounds the text to a whole number, and by
// the order of texts 9 is above 10.
func (s *staged) comparedAsText(selected *selection) (found bool, err error) {
	mixed, numbers := map[string]*csvColumn{}, map[string]bool{}
	for _, r := range selected.csvs {
		maps.Copy(mixed, r.mixed())
		for _, c := range r.columns {
			if c.kind == "BIGINT" || c.kind == "DOUBLE" {
				numbers[strings.ToLower(c.name)] = true
			}
		}
	}
	for alias, name := range bareAliases(selected.node) {
		if c := mixed[name]; c != nil && mixed[alias] == nil {
			mixed[alias] = c
		}
	}
	undated := selected.undated()
	if len(mixed) == 0 && len(undated) == 0 {
		return false, nil
	}
	isNumber := func(o object) bool {
		id := str(child(child(o, "value"), "type"), "id")
		return id == "INTEGER" || id == "BIGINT" || id == "HUGEINT" || id == "DECIMAL" || id == "DOUBLE" ||
			numbers[lastName(o)]
	}
	told := map[*csvColumn]bool{}
	report := func(c *csvColumn, odd forms, reason string) {
		if err != nil || told[c] || c.forms&odd == 0 {
			return
		}
		told[c], found = true, true
		err = s.makesText(selected.preparer, c, odd, reason)
	}
	const rounds = "compares it with a number, for which a text is rounded"
	const orders = "puts it in order, where as texts 9 is above 10"
	walkExpressions(selected.node, func(o object) {
		sides := append(list(o, "children"), child(o, "left"), child(o, "right"), child(o, "input"), child(o, "lower"),
			child(o, "upper"))
		ordered := false
		switch kind := str(o, "type"); {
		case kind == "COMPARE_EQUAL", kind == "COMPARE_NOTEQUAL", kind == "COMPARE_IN", kind == "COMPARE_NOT_IN",
			kind == "COMPARE_DISTINCT_FROM", kind == "COMPARE_NOT_DISTINCT_FROM":
			if slices.ContainsFunc(sides, isNumber) {
				for _, side := range sides {
					if c := mixed[lastName(side)]; c != nil {
						report(c, fractionForms, rounds)
					}
				}
			}
		case strings.HasPrefix(kind, "COMPARE_"):
			ordered = true
		case str(o, "class") == "FUNCTION" && slices.Contains(orderFunctions, strings.ToLower(str(o, "function_name"))):
			ordered = true
		case str(o, "class") == "WINDOW":
			sides = nil
			for _, order := range list(o, "orders") {
				sides = append(sides, child(order, "expression"))
			}
			ordered = true
		case str(o, "type") == "JOIN":
			using, _ := o["using_columns"].([]any)
			for _, u := range using {
				name, _ := u.(string)
				if c := mixed[strings.ToLower(name)]; c != nil && numbers[strings.ToLower(name)] {
					report(c, fractionForms, rounds)
				}
			}
		}
		for _, side := range sides {
			if c := mixed[lastName(side)]; ordered && c != nil {
				odd := c.forms &^ wholeForm
				if c.forms&otherForm != 0 {
					odd = otherForm
				}
				report(c, odd, orders)
			}
			if c := undated[lastName(side)]; ordered && c != nil && !told[c] && err == nil {
				told[c], found = true, true
				err = s.undatedValue(selected.preparer, c, "puts it in order as a text")
			}
		}
	})
	return found, err
}

// makesText reports a value that makes a text of a column of numbers, and what the SELECT does
// with it.
func (s *staged) makesText(p *preparer, c *csvColumn, odd forms, does string) error {
	return s.firstOf(p, c, odd, func(value string) string {
		return fmt.Sprintf("%q makes a text of the column, and the SELECT %s; mend it, or mark it as missing with nullstr, "+
			"or state what the column is with read_csv('…', types = {%s: 'VARCHAR'})", value, does, duckdb.QuoteText(c.name))
	})
}

// computedAsText reports the columns that a SELECT computes with, and that are text because of
// some of their values.
func (s *staged) computedAsText(selected *selection) (found bool, err error) {
	computed := computedNames(selected.node)
	for _, r := range selected.csvs {
		for name, c := range r.mixed() {
			if odd := c.forms &^ numberForms; computed[name] && odd != 0 {
				found, err = true, errors.Join(err, s.makesText(selected.preparer, c, odd, "computes with it"))
			}
		}
	}
	return found, err
}

// undatedArgument reports dates that are text, because the column does not tell the day from the
// month, where they are the argument of a function that DuckDB's message says takes no text.
func (s *staged) undatedArgument(selected *selection, message string) (found bool, err error) {
	undated := selected.undated()
	walkExpressions(selected.node, func(o object) {
		if name := str(o, "function_name"); str(o, "class") != "FUNCTION" || !strings.Contains(message, name+"(") {
			return
		}
		for _, a := range list(o, "children") {
			if c := undated[lastName(a)]; c != nil && !found && err == nil {
				found, err = true, s.undatedValue(selected.preparer, c, "takes "+str(o, "function_name")+" of it")
			}
		}
	})
	return found, err
}

// undatedValue reports the first date of a column that is text because of how its dates are
// written, and what the SELECT does with it.
func (s *staged) undatedValue(p *preparer, c *csvColumn, does string) error {
	return s.firstOf(p, c, dayForms, func(value string) string {
		return fmt.Sprintf("%q may be a date, of which the column does not tell the day from the month, and the SELECT %s; "+
			"say how dates are written with read_csv('…', dateformat = '%%d-%%m-%%Y') or the like", value, does)
	})
}

// orderFunctions are functions that take a text as well as a number, and order it.
var orderFunctions = []string{"min", "max", "greatest", "least", "arg_min", "arg_max", "argmin", "argmax", "min_by",
	"max_by", "median", "mode", "quantile", "quantile_disc"}

// lastName returns the name of a column reference without its table, in lower case, or "".
func lastName(o object) string {
	names, _ := o["column_names"].([]any)
	if str(o, "class") != "COLUMN_REF" || len(names) == 0 {
		return ""
	}
	name, _ := names[len(names)-1].(string)
	return strings.ToLower(name)
}

// walkExpressions is walk without the arguments of table functions, which look like comparisons.
func walkExpressions(node any, visit func(object)) {
	switch n := node.(type) {
	case object:
		if str(n, "type") == "TABLE_FUNCTION" {
			return
		}
		visit(n)
		for _, key := range slices.Sorted(maps.Keys(n)) {
			walkExpressions(n[key], visit)
		}
	case []any:
		for _, item := range n {
			walkExpressions(item, visit)
		}
	}
}

// usedNames returns the names of columns that a SELECT mentions, in lower case, or nil where it
// may use all of them.
func usedNames(node object) map[string]bool {
	names, all := map[string]bool{}, false
	walkExpressions(node, func(o object) {
		all = all || str(o, "class") == "STAR" || str(o, "ref_type") == "NATURAL" || str(o, "type") == "PIVOT" ||
			str(o, "class") == "POSITIONAL_REFERENCE"
		if parts, _ := o["column_names"].([]any); str(o, "class") == "COLUMN_REF" {
			for _, part := range parts {
				name, _ := part.(string)
				names[strings.ToLower(name)] = true
			}
		}
		using, _ := o["using_columns"].([]any)
		for _, u := range using {
			name, _ := u.(string)
			names[strings.ToLower(name)] = true
		}
	})
	if all {
		return nil
	}
	return names
}

// bareAliases returns, by the alias of each column that a SELECT, or one within it, takes as it
// is, the column's name.
func bareAliases(node object) map[string]string {
	out := map[string]string{}
	walkExpressions(node, func(o object) {
		for _, item := range list(o, "select_list") {
			if name, alias := lastName(item), strings.ToLower(str(item, "alias")); name != "" && alias != "" {
				out[alias] = name
			}
		}
	})
	return out
}

// describeAsTexts is describe, once those columns of CSV files are read as text whose type would
// lose something: a code 1.10 is no 1.1, and of years side by side one may hold a mark.
func (s *staged) describeAsTexts(t recipeTable, selected *selection) (string, []column, error) {
	relation, columns, err := s.describe(selected)
	if err != nil && (s.ctx.Err() != nil || !strings.Contains(err.Error(), "Cannot unpivot")) {
		return relation, columns, err
	}
	texts := map[string]bool{}
	for _, c := range t.Columns {
		if c.Type == contract.String && slices.ContainsFunc(columns,
			func(given column) bool { return strings.EqualFold(given.name, c.Name) && given.kind != "VARCHAR" }) {
			texts[c.Name] = true
		}
	}
	computed, aliases := computedNames(selected.node), bareAliases(selected.node)
	for range aliases { // as long as an alias may be the name of another
		for alias, name := range aliases {
			texts[name] = texts[name] || texts[alias]
			computed[name] = computed[name] || computed[alias]
		}
	}
	changed := false
	for _, r := range selected.csvs {
		for _, c := range r.columns {
			name := strings.ToLower(c.name)
			if c.kind != "VARCHAR" && !computed[name] && (err != nil || texts[name] && !c.exact()) {
				c.kind, changed = "VARCHAR", true
			}
		}
		selected.preparer.setTypes(r)
	}
	if changed {
		relation, columns, err = s.describe(selected)
	}
	return relation, columns, errors.Join(err, s.computedText(t, selected, columns))
}

// computedText returns the mistake of a SELECT that computes a text from a column whose type
// writes its values otherwise than the file.
func (s *staged) computedText(t recipeTable, selected *selection, columns []column) error {
	for _, c := range t.Columns {
		i := slices.IndexFunc(columns, func(given column) bool { return strings.EqualFold(given.name, c.Name) })
		if i < 0 || c.Type != contract.String || columns[i].kind == "VARCHAR" {
			continue
		}
		from := namesWithin(selected.node, c.Name)
		for _, r := range selected.csvs {
			for _, read := range r.columns {
				if read.kind == columns[i].kind && !read.exact() && from[strings.ToLower(read.name)] {
					return mistake("it computes the text %s from the column %q, whose values are taken for %s and written anew; "+
						"read it as text with read_csv('…', types = {%s: "+
						"'VARCHAR'})", c.Name, read.name, read.kind, duckdb.QuoteText(read.name))
				}
			}
		}
	}
	return nil
}

// namesWithin returns the names of columns from which a SELECT, and those within it, compute a
// column, in lower case.
func namesWithin(node object, column string) map[string]bool {
	out := map[string]bool{strings.ToLower(column): true}
	for before := 0; before < len(out); {
		before = len(out)
		walkExpressions(node, func(o object) {
			for _, item := range list(o, "select_list") {
				if out[strings.ToLower(str(item, "alias"))] {
					walkExpressions(item, func(o object) {
						if name := lastName(o); name != "" {
							out[name] = true
						}
					})
				}
			}
		})
	}
	return out
}

// computedNames returns the names of columns that a SELECT uses otherwise than as they are, in
// lower case.
func computedNames(node object) map[string]bool {
	count, bare := map[string]int{}, map[string]int{}
	walkExpressions(node, func(o object) {
		if name := lastName(o); name != "" {
			count[name]++
		}
		for _, item := range list(o, "select_list") {
			if name := lastName(item); name != "" {
				bare[name]++
			}
		}
	})
	out := map[string]bool{}
	for name, n := range count {
		out[name] = n > bare[name]
	}
	return out
}
