package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/unicode/norm"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
)

// facts is a table under check: a view with, for each column it has, the value in the contract's
// type under the column's name, and the value as it came under "raw:" and the name; _at, the
// row's number from 1; and _file and _row, where the user finds it.
type facts struct {
	*contract.Table
	view    string
	columns []*contract.Column
	exact   map[string]bool // columns that came in the contract's type
	located bool            // _row leads to the row; messages need no key of a person's row
	reads   []read          // the files that its SELECT reads
}

// readsCSV reports whether all files that the table comes from are CSV.
func (f *facts) readsCSV() bool {
	return len(f.reads) > 0 && !slices.ContainsFunc(f.reads,
		func(r read) bool { return !strings.HasPrefix(r.function, "read_csv") })
}

// stated returns the value of an argument by which the recipe reads all files of the table, or "".
func (f *facts) stated(argument string) string {
	value := ""
	for i, r := range f.reads {
		if i > 0 && r.stated[argument] != value {
			return ""
		}
		value = r.stated[argument]
	}
	return value
}

func (f *facts) has(column string) bool {
	return slices.ContainsFunc(f.columns, func(c *contract.Column) bool { return c.Name == column })
}

// came writes the value as it came, as it is cheapest to look at.
func (f *facts) came(column string) string {
	if f.exact[column] {
		return duckdb.QuoteName(column)
	}
	return raw(column)
}

func raw(column string) string { return duckdb.QuoteName("raw:" + column) }

// key writes the row's key as a text, e.g. `area_id A1, year 2014`.
func (f *facts) key() string {
	parts := []string{"NULL::VARCHAR"}
	for _, name := range f.Key {
		if f.has(name) && (f.Person == "" || name != f.Person) {
			parts = append(parts, fmt.Sprintf("%s || %s::VARCHAR", duckdb.QuoteText(name+" "), duckdb.QuoteName(name)))
		}
	}
	return "concat_ws(', ', " + strings.Join(parts, ", ") + ")"
}

// listedRows is how many rows that break one rule in one column are listed one by one; the rest
// are one issue with their number. A person can read no more, and a million rows with the same
// wrong code are one mistake.
const listedRows = 10_000

// checker applies the contract's rules to the tables of a data set.
type checker struct {
	ctx      context.Context
	conn     *sql.Conn
	contract *contract.Contract
	tables   map[string]*facts
	broken   map[string]bool // tables that could not be read, of which nothing can be said
	place    func(f *facts, at int64, file, row string) (string, string, error)
	whole    string // how issues name what is wrong with a table as a whole
	issues   []Issue
}

// all applies every rule to every table. A rule that needs a column which is not there is left out.
func (k *checker) all() error {
	for _, t := range k.contract.Tables {
		f := k.tables[t.Name]
		if f == nil {
			continue
		}
		for _, rule := range []func(*facts) error{
			k.rowRules, k.codes, k.duplicates, k.sizes, k.counts, k.repeated, k.totals, k.references, k.settings, k.recordKeys,
			k.jumps, k.units, k.scales, k.swapped, k.offTheList, k.gapInLists, k.names, k.alike, k.years} {
			if err := rule(f); err != nil {
				return fmt.Errorf("table %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

func (k *checker) add(f Issue) { k.issues = append(k.issues, f) }

// rule is what a set of rows breaks.
type rule struct {
	column   string
	name     string
	severity Severity
	rows     string // SELECT _at, value, extra
	message  func(value, extra string) string
}

// list adds an issue for each row that breaks the rule.
func (k *checker) list(f *facts, r rule) (err error) {
	from := fmt.Sprintf("FROM (%s) AS broken JOIN %s AS facts USING (_at)", r.rows, f.view)
	rows, err := k.conn.QueryContext(k.ctx,
		fmt.Sprintf("SELECT _at, facts._file::VARCHAR, facts._row::VARCHAR, %s, broken.value::VARCHAR, "+
			"broken.extra::VARCHAR %s ORDER BY _at, broken.value, broken.extra LIMIT %d", f.key(), from, listedRows))
	if err != nil {
		return fmt.Errorf("rule %s: %w", r.name, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	secret := f.Column(r.column) != nil && f.Column(r.column).Secret
	n := 0
	var file string
	for rows.Next() {
		var at int64
		var fileName, row, key, value, extra sql.NullString
		if err := rows.Scan(&at, &fileName, &row, &key, &value, &extra); err != nil {
			return err
		}
		if secret {
			value.String = "(secret)"
		}
		found := Issue{Severity: r.severity, Column: r.column, Rule: r.name, Value: clip(value.String),
			Message: r.message(clip(value.String), extra.String), Rows: 1, Table: f.Name, TableRow: at}
		if found.File, found.Row, err = k.place(f, at, fileName.String, row.String); err != nil {
			return err
		}
		if (!f.located || f.series() != nil) && key.String != "" {
			found.Message += " (" + key.String + ")"
		}
		file = found.File
		k.add(found)
		n++
	}
	if err := rows.Err(); err != nil || n < listedRows {
		return err
	}
	var all int64
	if err := k.conn.QueryRowContext(k.ctx, "SELECT count(*) "+from).Scan(&all); err != nil {
		return err
	}
	if more := all - int64(n); more > 0 {
		k.add(Issue{Severity: r.severity, File: file, Column: r.column, Rule: r.name, Rows: more, Table: f.Name,
			Message: fmt.Sprintf("%d more rows of %s break this rule; the first %d are listed", more, f.Name, n)})
	}
	return nil
}

// clip shortens a value to what fits in a line.
func clip(value string) string {
	const most = 80
	if r := []rune(value); len(r) > most {
		return string(r[:most]) + "…"
	}
	return value
}

// rowRules checks each row by itself: types, empty values, bounds, and combinations that
// the contract says cannot be. One scan counts; the rows are read where there are any.
func (k *checker) rowRules(f *facts) error {
	type check struct {
		rule
		where string
	}
	var checks []check
	for _, c := range f.columns {
		name, given := duckdb.QuoteName(c.Name), f.came(c.Name)
		add := func(r string, severity Severity, where string, message func(value, extra string) string) {
			checks = append(checks, check{rule{column: c.Name, name: r, severity: severity, message: message}, where})
		}
		if !f.exact[c.Name] {
			add("type", Error, fmt.Sprintf("%s IS NOT NULL AND %s IS NULL", given, name),
				func(value, _ string) string { return f.wrongType(c, value) })
		}
		if !c.Optional {
			add("empty", Error, given+" IS NULL",
				func(_, _ string) string { return "this is empty, and the contract requires " + describeColumn(c) })
		}
		var outside []string
		if !math.IsInf(c.Min, 0) {
			outside = append(outside, fmt.Sprintf("%s < %s", name, strconv.FormatFloat(c.Min, 'f', -1, 64)))
		}
		if !math.IsInf(c.Max, 0) {
			outside = append(outside, fmt.Sprintf("%s > %s", name, strconv.FormatFloat(c.Max, 'f', -1, 64)))
		}
		if len(outside) > 0 {
			add("range", Error, strings.Join(outside, " OR "), func(value, _ string) string {
				hint := ""
				if c.Unit == "years" {
					hint = suggestRest(value)
				}
				return fmt.Sprintf("%s is not %s%s", value, c.Bounds(), hint)
			})
		}
	}
	if f.Person != "" && f.has(f.Person) && f.has("n") {
		checks = append(checks, check{rule{column: "n", name: "combination", severity: Error,
			message: func(value, _ string) string {
				return fmt.Sprintf("the row has a %s and stands for %s; one person counts 1, and a group has no %s", f.Person,
					value,
					f.Person)
			}}, fmt.Sprintf("%s IS NOT NULL AND n <> 1", duckdb.QuoteName(f.Person))})
	}
	seen := map[string]bool{}
	for _, i := range k.contract.Indicators {
		if i.Among == nil || !slices.Contains(i.Tables, f.Name) ||
			slices.ContainsFunc(i.Columns(), func(c string) bool { return !f.has(c) }) {
			continue
		}
		among := duckdb.Predicate(f.Table, i.Among)
		for _, column := range i.When.Columns() {
			if id := column + among; !seen[id] && !slices.Contains(i.Among.Columns(), column) {
				seen[id] = true
				checks = append(checks, check{rule{column: column, name: "combination", severity: Warning,
					message: func(value, _ string) string {
						return fmt.Sprintf("the row has the value %s, but %s does not count it: %s", value, i.Name,
							sentence(i.Definition.EN))
					}}, fmt.Sprintf("%s IS NOT NULL AND NOT %s", duckdb.QuoteName(column), among)})
			}
		}
	}
	for _, d := range k.contract.Dimensions {
		first := d.Columns[f.Name]
		if d.Apart == "" || first == nil || !f.has(first.Name) || !f.has(d.Apart) {
			continue
		}
		apart := f.Column(d.Apart)
		checks = append(checks, check{rule{column: apart.Name, name: "combination", severity: Warning,
			message: func(value, _ string) string {
				return fmt.Sprintf("the row has %s, and then %s is not read: %s", first.Name, apart.Name,
					sentence(apart.Definition.EN))
			}}, fmt.Sprintf("%s IS NOT NULL AND %s IS FALSE", duckdb.QuoteName(first.Name), duckdb.QuoteName(apart.Name))})
	}
	const atOnce = 100 // expressions in one scan
	for part := range slices.Chunk(checks, atOnce) {
		counts, targets := make([]int64, len(part)), make([]any, len(part))
		var expressions []string
		for i, c := range part {
			targets[i] = &counts[i]
			expressions = append(expressions, fmt.Sprintf("count(*) FILTER (%s)", c.where))
		}
		if err := k.conn.QueryRowContext(k.ctx, "SELECT "+strings.Join(expressions,
			", ")+" FROM "+f.view).Scan(targets...); err != nil {
			return err
		}
		for i, c := range part {
			if counts[i] == 0 {
				continue
			}
			c.rows = fmt.Sprintf("SELECT _at, %s AS value, NULL AS extra FROM %s WHERE %s", raw(c.column), f.view, c.where)
			if err := k.list(f, c.rule); err != nil {
				return err
			}
		}
	}
	return nil
}

// codes: a coded column holds its codes. The values are counted first, since each is looked up in
// up to a hundred codes.
func (k *checker) codes(f *facts) error {
	for _, c := range f.columns {
		if c.Codes == nil {
			continue
		}
		var codes, quoted []string
		for _, code := range c.Codes.Codes {
			codes, quoted = append(codes, code.Code), append(quoted, duckdb.QuoteText(code.Code))
		}
		where := fmt.Sprintf("%s NOT IN (%s)", duckdb.QuoteName(c.Name), strings.Join(quoted, ", "))
		var wrong bool
		if err := k.conn.QueryRowContext(k.ctx, fmt.Sprintf("SELECT count(*) > 0 FROM (SELECT DISTINCT %s FROM %s) WHERE %s",
			duckdb.QuoteName(c.Name), f.view, where)).Scan(&wrong); err != nil {
			return err
		}
		if !wrong {
			continue
		}
		err := k.list(f, rule{column: c.Name, name: "code", severity: Error,
			rows: fmt.Sprintf("SELECT _at, %s AS value, NULL AS extra FROM %s WHERE %s", raw(c.Name), f.view, where),
			message: func(value, _ string) string {
				return fmt.Sprintf("%q is no code of %s%s", value, c.Codes.Name, f.suggestCode(c, value, codes))
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

var typeNames = map[contract.Type]string{contract.Int: "a whole number", contract.Decimal: "a number",
	contract.Bool:   "yes or no",
	contract.String: "a text", contract.Strings: "a list of texts", contract.Date: "a date YYYY-MM-DD"}

// describeColumn says what a column holds.
func describeColumn(c *contract.Column) string {
	text := typeNames[c.Type]
	if c.Codes != nil {
		text = "a code of " + c.Codes.Name
	}
	if b := c.Bounds(); b != "" {
		text += " " + b
	}
	if c.Unit != "" {
		text += " (" + c.Unit + ")"
	}
	return text
}

// wrongType says why a value is not what its column holds, and what would be read.
func (f *facts) wrongType(c *contract.Column, value string) string {
	hint := ""
	value = strings.TrimSpace(value)
	round := ""
	if c.Type == contract.Int {
		round = ", and round it"
	}
	switch {
	case value == "" && c.Type != contract.Bool:
		hint = "; it is an empty text, and nullstr says what marks a missing value: name both, as in nullstr = ['', 'null']"
	case isTotal(value):
		hint = suggestTotal(value, nil)
	case isNumber(c) && f.notFinite(value) != "":
		hint = f.notFinite(value)
	case f.suggestMissing(c, value) != "":
		hint = f.suggestMissing(c, value)
	case c.Type == contract.Int && pointsPartThousands(value) && f.stated("decimal_separator") == ",":
		hint = f.suggestThousands()
	case c.Type == contract.Int && pointsPartThousands(value):
		hint = "; if points part thousands, read the file with read_csv('…', decimal_separator = ',', thousands = '.'); " +
			"else write round(column::DOUBLE)"
	case c.Type == contract.Int && looksLike(decimalNumber, value):
		hint = "; write round(column), or 1000 * column if these are thousands"
	case c.Type == contract.Int && looksLike(commaThousands, value):
		hint = "; if commas part thousands, write replace(column, ',', ''); if it is a decimal comma, write " +
			"round(replace(column, ',', '.')::DOUBLE)"
	case isNumber(c) && looksLike(commaNumber, value):
		hint = f.suggestComma(value) + round
	case isNumber(c):
		hint = f.suggestAttached(c, value)
	case c.Type == contract.Date && looksLike(dayFirst, value) && !inCalendar(value):
		hint = "; read day, month, year, the calendar has no such day, and one such value makes a text of the whole column"
	case c.Type == contract.Date && looksLike(dayFirst, value) && f.stated("dateformat") != "":
		hint = fmt.Sprintf("; the file is read with dateformat = %s: is one of its values written otherwise?",
			duckdb.QuoteText(f.stated("dateformat")))
	case c.Type == contract.Date && looksLike(dayFirst, value):
		hint = "; read the file with read_csv('…', dateformat = '%d-%m-%Y'), with the points or slashes of the file"
	case c.Type == contract.Bool:
		hint = suggestYesOrNo(value)
	case c.Type == contract.Strings:
		hint = "; a text is split with string_split(column, ';')"
	}
	return fmt.Sprintf("%q is not %s%s", value, typeNames[c.Type], hint)
}

// Forms of numbers and dates that are common, and that the contract's types do not read.
const (
	decimalNumber = `[+-]?\d+\.\d+`
	commaNumber   = `[+-]?\d+(\.\d{3})*,\d+`
	// Commas after each three digits, as thousands are written in English; 1,000 may be either.
	commaThousands = `[+-]?[1-9]\d{0,2}(,\d{3})+`
	dayFirst       = `\d{1,2}[-./]\d{1,2}[-./]\d{2,4}`
	// Points after each three digits, as thousands are written in Danish; 1.000 may be either.
	pointedThousands = `[+-]?[1-9]\d{0,2}(\.\d{3})+`
)

func looksLike(form, value string) bool {
	return regexp.MustCompile("^(" + form + ")$").MatchString(value)
}

// inCalendar reports whether a value of the form dayFirst is a day, month and year.
func inCalendar(value string) bool {
	plain := strings.NewReplacer(".", "-", "/", "-").Replace(value)
	for _, layout := range []string{"2-1-2006", "2-1-06"} {
		if _, err := time.Parse(layout, plain); err == nil {
			return true
		}
	}
	return false
}

func pointsPartThousands(value string) bool { return looksLike(pointedThousands, value) }

// suggestCode suggests the code that a value means: by its spelling or its label. What is known for
// the mark of a total, or of a missing value, is no misspelt code.
func (f *facts) suggestCode(column *contract.Column, value string, codes []string) string {
	plain := strings.ToLower(strings.TrimSpace(norm.NFC.String(value)))
	if total := suggestTotal(value, column.Codes); total != "" {
		return total
	}
	if missing := f.suggestMissing(column, strings.TrimSpace(value)); missing != "" && column.Optional {
		return missing
	}
	best, nearest := "", len([]rune(plain))/3+1
	for _, c := range column.Codes.Codes {
		if code, _, ok := strings.Cut(plain, " "); ok && code == strings.ToLower(c.Code) {
			return fmt.Sprintf("; its code is %s (%s): write split_part(column, ' ', 1)", c.Code, c.Label.EN)
		}
		for _, name := range []string{c.Code, c.Label.DA, c.Label.EN} {
			if d := levenshtein.ComputeDistance(plain, strings.ToLower(name)); d < nearest {
				best, nearest = fmt.Sprintf("; did you mean %s (%s)?", c.Code, c.Label.EN), d
			}
		}
	}
	if best != "" {
		return best
	}
	return fault.Suggest(strings.TrimSpace(value), codes)
}

// sentence lowers the first letter of a definition and drops its last point.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + strings.TrimSuffix(text[1:], ".")
}

// duplicates: two rows may not have the same key.
func (k *checker) duplicates(f *facts) error {
	var names, given []string
	for _, name := range f.Key {
		if !f.has(name) {
			return nil
		}
		names, given = append(names, duckdb.QuoteName(name)), append(given, duckdb.QuoteName(name)+" IS NOT NULL")
	}
	if len(names) == 0 {
		return nil
	}
	keys, where := strings.Join(names, ", "), strings.Join(given, " AND ")
	shown := "concat_ws(', ', " + strings.Join(names, ", ") + ")"
	return k.list(f, rule{column: strings.Join(f.Key, ", "), name: "duplicate", severity: Error,
		rows: fmt.Sprintf(`SELECT _at, %s AS value, first_at AS extra
			FROM %s AS facts JOIN (SELECT %s, min(_at) AS first_at FROM %s WHERE %s GROUP BY ALL HAVING count(*) > 1) AS twice
			USING (%s)
			WHERE _at > first_at`, shown, f.view, keys, f.view, where, keys),
		message: func(value, first string) string {
			return fmt.Sprintf("%s stands already in row %s of the table %s; each %s may stand once", value, first, f.Name,
				strings.Join(f.Key, " and "))
		}})
}

// repeated: two rows of a cross-tab with the same values in all columns but n are one group
// counted twice, more often than they are two groups.
func (k *checker) repeated(f *facts) error {
	if f.Person == "" || !f.has("n") {
		return nil
	}
	var names, same []string
	where := "true"
	for _, c := range f.columns {
		switch {
		case c.Name == f.Person:
			where = duckdb.QuoteName(c.Name) + " IS NULL"
		case c.Name != "n" && !c.Secret:
			names = append(names, duckdb.QuoteName(c.Name))
			same = append(same, fmt.Sprintf("facts.%[1]s IS NOT DISTINCT FROM twice.%[1]s", duckdb.QuoteName(c.Name)))
		}
	}
	return k.list(f, rule{column: "n", name: "repeated", severity: Warning,
		rows: fmt.Sprintf(`SELECT _at, n AS value, first_at AS extra
			FROM %s AS facts JOIN (SELECT %s, min(_at) AS first_at FROM %s WHERE %s GROUP BY ALL HAVING count(*) > 1) AS twice
			ON %s
			WHERE %s AND _at > first_at`, f.view, strings.Join(names, ", "), f.view, where, strings.Join(same, " AND "), where),
		message: func(value, first string) string {
			return fmt.Sprintf("the row has the same values as row %s of the table %s in all columns but n; is the group "+
				"there twice? Both are counted", first, f.Name)
		}})
}

// references: a value that names a row of another table must name one.
func (k *checker) references(f *facts) error {
	for _, c := range f.columns {
		if c.References == "" {
			continue
		}
		table, column, _ := strings.Cut(c.References, ".")
		other := k.tables[table]
		if k.broken[table] {
			continue
		}
		if other == nil || !other.has(column) {
			var given bool
			if err := k.conn.QueryRowContext(k.ctx, fmt.Sprintf("SELECT coalesce(bool_or(%s IS NOT NULL), false) FROM %s",
				duckdb.QuoteName(c.Name), f.view)).Scan(&given); err != nil {
				return err
			}
			if given {
				k.add(Issue{Severity: Error, File: k.whole, Column: f.Name + "." + c.Name, Rule: "reference", Rows: 1,
					Table: f.Name,
					Message: fmt.Sprintf("its values name rows of the table %s, which is not there; add that table, or leave the "+
						"column out", table)})
			}
			continue
		}
		values := fmt.Sprintf("SELECT _at, %s AS value FROM %s", duckdb.QuoteName(c.Name), f.view)
		if c.Type == contract.Strings {
			values = fmt.Sprintf("SELECT _at, unnest(%s) AS value FROM %s", duckdb.QuoteName(c.Name), f.view)
		}
		err := k.list(f, rule{column: c.Name, name: "reference", severity: Error,
			rows: fmt.Sprintf("SELECT _at, value, NULL AS extra FROM (%s) AS given WHERE value IS NOT NULL AND NOT EXISTS "+
				"(SELECT 1 FROM %s AS other WHERE other.%s = value)", values, other.view, duckdb.QuoteName(column)),
			message: func(value, _ string) string {
				total := ""
				if isTotal(value) {
					total = suggestTotal(value, nil)
				}
				return fmt.Sprintf("%q is no %s of the table %s%s", value, column, table, total)
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// settings: who lives in an area counts as living under a plan, so the area has to be under one.
func (k *checker) settings(f *facts) error {
	area := k.tables["area"]
	if f.Person == "" || !f.has("area_id") || area == nil || !area.has("area_id") || !area.has("supported") {
		return nil
	}
	return k.list(f, rule{column: "area_id", name: "combination", severity: Error,
		rows: fmt.Sprintf("SELECT _at, area_id AS value, NULL AS extra FROM %s WHERE area_id IN (SELECT area_id FROM %s "+
			"WHERE NOT supported)", f.view, area.view),
		message: func(value, _ string) string {
			return fmt.Sprintf("the area %q is not under a social housing plan, since its row of the table area has supported "+
				"false; leave area_id empty for those in the rest of the country, or set supported to true", value)
		}})
}

// sizes: a row is a person, who has a number, or a group, which says how many it is. A table that
// has neither is one of persons who cannot be followed, of which recordKeys warns.
func (k *checker) sizes(f *facts) error {
	if f.Person == "" || !f.has("n") && !f.has(f.Person) {
		return nil
	}
	var missing []string
	for _, name := range []string{"n", f.Person} {
		if f.has(name) {
			missing = append(missing, f.came(name)+" IS NULL")
		}
	}
	r := rule{column: "n", name: "empty", severity: Error,
		rows: fmt.Sprintf("SELECT _at, NULL AS value, NULL AS extra FROM %s WHERE %s", f.view,
			strings.Join(missing, " AND ")),
		message: func(_, _ string) string {
			return fmt.Sprintf("this is empty, and the row has no %s; how many a group counts was expected. Leave out a row "+
				"whose number was not published", f.Person)
		}}
	if !f.has("n") {
		r.column, r.name, r.severity = f.Person, "record key", Warning
		r.message = func(_, _ string) string {
			return "this is empty; the row counts as one person, who is not followed over the years and has no record key"
		}
	}
	return k.list(f, r)
}

// recordKeys: a person has one secret key, the same in all years.
func (k *checker) recordKeys(f *facts) error {
	if f.Person != "" && !f.has(f.Person) && !f.has("n") {
		k.add(Issue{Severity: Warning, File: k.whole, Column: f.Name + "." + f.Person, Rule: "record key", Rows: 1,
			Table: f.Name,
			Message: fmt.Sprintf("each row is a person, and without %s a person is not followed over the years and has no "+
				"record key, from which cells are protected", f.Person)})
		return nil
	}
	i := slices.IndexFunc(f.columns, func(c *contract.Column) bool { return c.Secret })
	if f.Person == "" || !f.has(f.Person) || i < 0 {
		return nil
	}
	person, key := duckdb.QuoteName(f.Person), duckdb.QuoteName(f.columns[i].Name)
	return k.list(f, rule{column: f.columns[i].Name, name: "record key", severity: Error,
		rows: fmt.Sprintf(`SELECT min(_at) AS _at, NULL AS value, NULL AS extra FROM %s WHERE %s IS NOT NULL
			GROUP BY %s HAVING min(%s) <> max(%s) OR count(%s) < count(*)`, f.view, person, person, key, key, key),
		message: func(_, _ string) string {
			return "the person's record key is missing, or not the same in all rows; one secret integer per person was " +
				"expected, or no such column, and import makes them"
		}})
}

// series returns the columns that say what a table of key figures follows over the years, or none
// if it is no such table.
func (f *facts) series() []string {
	var out []string
	for _, name := range f.Key {
		if name != "year" {
			out = append(out, duckdb.QuoteName(name))
		}
	}
	if f.Person != "" || !f.has("year") || !slices.Contains(f.Key, "year") ||
		slices.ContainsFunc(f.Key, func(name string) bool { return !f.has(name) }) {
		return nil
	}
	return out
}

// jumps: a change from one year to the next above what the contract says is worth a look.
func (k *checker) jumps(f *facts) error {
	series := f.series()
	if series == nil {
		return nil
	}
	for _, c := range f.columns {
		if c.Jump == 0 {
			continue
		}
		err := k.list(f, rule{column: c.Name, name: "jump", severity: Warning,
			rows: fmt.Sprintf(`SELECT b._at, b.%[1]s::DOUBLE AS value, a.%[1]s::DOUBLE || ' in ' || a.year AS extra
				FROM %[2]s AS a JOIN %[2]s AS b USING (%[3]s)
				WHERE b.year = a.year + 1 AND abs(b.%[1]s - a.%[1]s) > %[4]g`,
				duckdb.QuoteName(c.Name), f.view, strings.Join(series, ", "), c.Jump),
			message: func(value, before string) string {
				return fmt.Sprintf("%s after %s: a change of more than %g from one year to the next", value, before, c.Jump)
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// farFromOthers is how many times larger or smaller than in its other years a count must be for
// another unit to be likely: no area grows tenfold.
const farFromOthers = 10

// units: a count far from the same area's other years may be in another unit.
func (k *checker) units(f *facts) error {
	series := f.series()
	if series == nil {
		return nil
	}
	for _, c := range f.columns {
		if c.Type != contract.Int || c.Jump > 0 || slices.Contains(f.Key, c.Name) {
			continue
		}
		err := k.list(f, rule{column: c.Name, name: "unit", severity: Warning,
			rows: fmt.Sprintf(`SELECT a._at, any_value(a.%[1]s) AS value, median(b.%[1]s)::BIGINT AS extra
				FROM %[2]s AS a JOIN %[2]s AS b USING (%[3]s)
				WHERE b.year <> a.year AND a.%[1]s > 0 AND b.%[1]s > 0
				GROUP BY a._at
				HAVING any_value(a.%[1]s) >= %[4]d * median(b.%[1]s) OR %[4]d * any_value(a.%[1]s) <= median(b.%[1]s)`,
				duckdb.QuoteName(c.Name), f.view, strings.Join(series, ", "), farFromOthers),
			message: func(value, other string) string {
				return fmt.Sprintf("%s, where the other years have about %s; another unit, such as thousands?", value, other)
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// lowestIncome is a yearly income in kroner that somebody in a table of incomes is above.
const lowestIncome = 5000

// scales: shares in the place of percentages, and thousands of kroner in the place of kroner, show
// only over a whole column.
func (k *checker) scales(f *facts) error {
	for _, c := range f.columns {
		most, message := 0.0, ""
		switch {
		case c.Type == contract.Decimal && c.Unit == "percent" && !math.IsInf(c.Max, 0):
			most, message = c.Max/100, "no value is above %s; are these shares? Percent were expected, 100 times as much"
		case slices.ContainsFunc(k.contract.Measures, func(m *contract.Measure) bool {
			return m.Unit == "DKK" && m.Column == c.Name && slices.Contains(m.Tables, f.Name)
		}):
			most, message = lowestIncome, "no value is above %s; are these thousands of kroner? Kroner were expected"
		default:
			continue
		}
		var highest sql.NullFloat64
		if err := k.conn.QueryRowContext(k.ctx, fmt.Sprintf("SELECT max(abs(%s))::DOUBLE FROM %s", duckdb.QuoteName(c.Name),
			f.view)).Scan(&highest); err != nil {
			return err
		}
		if highest.Float64 > 0 && highest.Float64 <= most {
			value := strconv.FormatFloat(highest.Float64, 'f', -1, 64)
			k.add(Issue{Severity: Warning, File: k.whole, Column: f.Name + "." + c.Name, Rule: "unit", Value: value, Rows: 1,
				Table: f.Name, Message: fmt.Sprintf(message, value)})
		}
	}
	return nil
}

// How two values of a row are told to have changed places: each lies near the other's usual
// value, together at least three times nearer than to its own, and the usual values are at least
// five units (percentage points) apart. Fewer than two other years say nothing.
const (
	swapNearer = 3
	swapApart  = 5
)

// swapped: two percentages of a row that fit the other years better the other way round.
func (k *checker) swapped(f *facts) error {
	series := f.series()
	if series == nil {
		return nil
	}
	for i, a := range f.columns {
		for _, b := range f.columns[i+1:] {
			if a.Type != contract.Decimal || b.Type != contract.Decimal || a.Unit == "" || a.Unit != b.Unit {
				continue
			}
			err := k.list(f, rule{column: a.Name + ", " + b.Name, name: "swapped", severity: Warning,
				rows: fmt.Sprintf(`SELECT _at, a || ' and ' || b AS value, printf('%%.1f and %%.1f', usual_a, usual_b) AS extra
					FROM (
						SELECT x._at, any_value(x.%[1]s)::DOUBLE AS a, any_value(x.%[2]s)::DOUBLE AS b,
						median(y.%[1]s)::DOUBLE AS usual_a, median(y.%[2]s)::DOUBLE AS usual_b
						FROM %[3]s AS x JOIN %[3]s AS y USING (%[4]s)
						WHERE y.year <> x.year AND x.%[1]s IS NOT NULL AND x.%[2]s IS NOT NULL AND y.%[1]s IS NOT NULL
						AND y.%[2]s IS NOT NULL
						GROUP BY x._at
						HAVING count(*) >= 2
					)
					WHERE abs(usual_a - usual_b) >= %[6]d
					AND %[5]d * (abs(a - usual_b) + abs(b - usual_a)) <= abs(a - usual_a) + abs(b - usual_b)`,
					duckdb.QuoteName(a.Name), duckdb.QuoteName(b.Name), f.view, strings.Join(series, ", "), swapNearer, swapApart),
				message: func(value, usual string) string {
					return fmt.Sprintf("%s, where the other years have about %s; have the two values changed places?", value, usual)
				}})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// offTheList: where nearly every row of a year is an area on the official list, the table is that
// list, and a row that is not on it is one that has left it, or a slip.
func (k *checker) offTheList(f *facts) error {
	const flag = "on_official_list"
	series := f.series()
	if series == nil || !f.has(flag) {
		return nil
	}
	return k.list(f, rule{column: flag, name: "not listed", severity: Warning,
		rows: fmt.Sprintf(`SELECT _at, %[1]s AS value,
			(SELECT max(b.year) FROM %[2]s AS b WHERE b.area_id = a.area_id AND b.%[1]s AND b.year < a.year) AS extra
			FROM %[2]s AS a
			WHERE NOT %[1]s AND year IN (SELECT year FROM %[2]s GROUP BY year HAVING avg(%[1]s::INT) BETWEEN 0.75 AND 0.9999)`,
			flag, f.view),
		message: func(_, before string) string {
			if before == "" {
				return "nearly all rows of the year are on the official list, this one is not, and no earlier year has it there " +
					"under this name; it is kept as a row and not counted as listed"
			}
			return "nearly all rows of the year are on the official list, and this one is not; it was in " + before +
				". It is kept as a row and not counted as listed"
		}})
}

// gapInLists: an area that is on the official list before and after a year, and has no row in it where
// other areas have, was likely forgotten.
func (k *checker) gapInLists(f *facts) error {
	const flag = "on_official_list"
	series := f.series()
	if series == nil || !f.has(flag) {
		return nil
	}
	return k.list(f, rule{column: flag, name: "gap", severity: Warning,
		rows: fmt.Sprintf(`SELECT _at, before AS value, missing AS extra
			FROM (
				SELECT _at, before, (SELECT min(b.year) FROM %[2]s AS b
					WHERE b.%[1]s AND b.year > a.before AND b.year < a.year) AS missing
				FROM (
					SELECT _at, year, %[1]s AS listed, lag(year) OVER of_one AS before, lag(%[1]s) OVER of_one AS was
					FROM %[2]s WINDOW of_one AS (PARTITION BY %[3]s ORDER BY year)
				) AS a
				WHERE listed AND was
			)
			WHERE missing IS NOT NULL`, flag, f.view, strings.Join(series, ", ")),
		message: func(before, year string) string {
			return fmt.Sprintf("on the official list now and in %s, and the list of %s has no row of it; is one missing?",
				before, year)
		}})
}

// named is a row of a table of names.
type named struct {
	id, name, group string
	years           []string // it is followed in, in order
	at              int64
	plain           string
	words           []string
}

// names: two names that are nearly the same, in the same place and never in the same year, are
// likely one, written in two ways.
func (k *checker) names(f *facts) error {
	if !f.has("name") || len(f.Key) != 1 || !f.has(f.Key[0]) || f.Column(f.Key[0]).Type != contract.String {
		return nil
	}
	group := "NULL"
	for _, c := range f.columns {
		if c.Codes != nil {
			group = duckdb.QuoteName(c.Name)
			break
		}
	}
	from := "(SELECT NULL AS id, NULL AS years) AS followed"
	for _, t := range k.contract.Tables {
		other := k.tables[t.Name]
		if other == nil || other.series() == nil || len(t.Key) != 2 {
			continue
		}
		if c := t.Column(other.Key[0]); c.References == f.Name+"."+f.Key[0] {
			from = fmt.Sprintf("(SELECT %s AS id, string_agg(DISTINCT year, ' ' ORDER BY year) AS years FROM %s GROUP BY ALL) "+
				"AS followed", duckdb.QuoteName(c.Name), other.view)
		}
	}
	id := duckdb.QuoteName(f.Key[0])
	rows, err := k.conn.QueryContext(k.ctx,
		fmt.Sprintf("SELECT _at, %s, name, coalesce(%s::VARCHAR, ''), coalesce(followed.years, '') FROM %s AS facts LEFT "+
			"JOIN %s ON followed.id = facts.%s WHERE %s IS NOT NULL AND name IS NOT NULL ORDER BY "+
			"ALL", id, group, f.view, from, id, id))
	if err != nil {
		return err
	}
	defer rows.Close()
	groups := map[string][]*named{}
	for rows.Next() {
		n := &named{}
		var years string
		if err := rows.Scan(&n.at, &n.id, &n.name, &n.group, &years); err != nil {
			return err
		}
		n.years = strings.Fields(years)
		n.plain = strings.ToLower(norm.NFC.String(n.name))
		n.words = strings.FieldsFunc(n.plain, func(r rune) bool { return strings.ContainsRune(" /,.-()&", r) })
		slices.Sort(n.words)
		groups[n.group] = append(groups[n.group], n)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	var pairs []string
	for _, group := range groups {
		for i, a := range group {
			for _, b := range group[i+1:] {
				if how := a.like(b); how != "" {
					later, earlier := b, a
					if len(a.years) > 0 && len(b.years) > 0 && a.years[0] > b.years[0] {
						later, earlier = a, b
					}
					extra := fmt.Sprintf("%q%s %s", earlier.name, earlier.span(), how)
					pairs = append(pairs, fmt.Sprintf("(%d, %s, %s)", later.at, duckdb.QuoteText(later.name), duckdb.QuoteText(extra)))
				}
			}
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	slices.Sort(pairs)
	return k.list(f, rule{column: "name", name: "name", severity: Warning,
		rows: "SELECT * FROM (VALUES " + strings.Join(pairs, ", ") + ") AS pairs(_at, value, extra)",
		message: func(value, other string) string {
			return fmt.Sprintf("%q may be the same as %s; if so, give both one %s", value, other, f.Key[0])
		}})
}

// span says which years a name is followed in.
func (n *named) span() string {
	switch len(n.years) {
	case 0:
		return ""
	case 1:
		return " of " + n.years[0]
	}
	return " of " + n.years[0] + "-" + n.years[len(n.years)-1]
}

// like says how two names are alike, or "". Names that only resemble one another are two, unless
// one is followed in other years than the other.
func (n *named) like(m *named) string {
	switch {
	case n.id == m.id:
		return "" // a duplicate, which has a rule of its own
	case n.name == m.name:
		return "(the same name)"
	case n.plain == m.plain && norm.NFC.String(n.name) != norm.NFC.String(m.name):
		return "(other capitals)"
	case n.plain == m.plain:
		return "(the same letters in other Unicode characters)"
	case len(n.years) == 0 || len(m.years) == 0:
		return ""
	case slices.ContainsFunc(n.years, func(y string) bool { return slices.Contains(m.years, y) }):
		return ""
	}
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	short, long := n.words, m.words
	if len(short) > len(long) {
		short, long = long, short
	}
	switch {
	case digits(n.plain) != digits(m.plain):
		return ""
	case slices.Equal(n.words, m.words):
		return "(the same words in another order)"
	case nearlyAlike(n.words, m.words), transposed(n.plain, m.plain):
		return "(one or two letters apart)"
	case len(short) > 0 && len(long) == len(short)+1 && len(short[0]) > 3 &&
		!slices.ContainsFunc(short, func(w string) bool { return !slices.Contains(long, w) }):
		return "(one word more)"
	}
	return ""
}

// nearlyAlike reports whether the words that only one of two names has differ by a letter, and by
// one more for every fourteen. Words in both, like "Plan for", say nothing about likeness.
func nearlyAlike(a, b []string) bool {
	without := func(words, other []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(words), func(w string) bool { return slices.Contains(other, w) }),
			" ")
	}
	x, y := without(a, b), without(b, a)
	return levenshtein.ComputeDistance(x, y) <= 1+min(len(x), len(y))/14
}

// transposed reports whether two texts differ by two neighbouring letters having changed places.
func transposed(a, b string) bool {
	x, y := []rune(a), []rune(b)
	if len(x) != len(y) {
		return false
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	return i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && slices.Equal(x[i+2:], y[i+2:])
}
