package snapshot

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// csvRead is a reading of CSV files whose recipe leaves to DuckDB what is a number.
type csvRead struct {
	files []string
	typed string // a SELECT of all its columns
	text  string // the same, with every column as text
}

// stated are the arguments of read_csv by which a recipe itself says how numbers are written.
var stated = []string{"all_varchar", "columns", "types", "dtypes", "column_types", "decimal_separator", "thousands"}

// csvReadOf returns the reading of a table function, or nil where the recipe says how numbers are
// written.
func (p *preparer) csvReadOf(o object, files []string) *csvRead {
	for _, a := range list(child(o, "function"), "children")[1:] {
		if slices.Contains(stated, strings.ToLower(columnName(child(a, "left")))) {
			return nil
		}
	}
	sqlOf := func(reading object) string {
		node := p.template("SELECT * FROM x")
		reading["alias"], reading["column_name_alias"] = "", []any{}
		node["from_table"] = reading
		text, err := p.write(node)
		if err != nil {
			p.fail(err)
		}
		return text
	}
	typed, text := clone(o), clone(o)
	allText := child(child(p.template("FROM read_csv('x', all_varchar = true)"), "from_table"), "function")
	function := child(text, "function")
	function["children"] = append(function["children"].([]any), list(allText, "children")[1])
	return &csvRead{files: files, typed: sqlOf(typed), text: sqlOf(text)}
}

// sampledRows is how many rows tell of most columns that their points do not part thousands.
const sampledRows = 10_000

// points reports columns that DuckDB reads as numbers with decimals, and where every point has
// three zeros after it: 117.000 is more likely a hundred and seventeen thousand, as Danish tables
// write it, than 117.
func (s *staged) points(reads []*csvRead) (found bool, err error) {
	for _, r := range reads {
		columns, err := s.columnsOf("(" + r.typed + ")")
		if err != nil {
			continue // the SELECT itself fails then, and says why
		}
		var names []string
		for _, c := range columns {
			if c.kind == "DOUBLE" || strings.HasPrefix(c.kind, "DECIMAL") {
				names = append(names, c.name)
			}
		}
		for _, relation := range []string{fmt.Sprintf("(%s LIMIT %d)", r.text, sampledRows), "(" + r.text + ")"} {
			if names, err = s.pointed(relation, names); err != nil {
				return found, err
			}
		}
		for _, name := range names {
			var row int64
			var value string
			err := s.conn.QueryRowContext(s.ctx, fmt.Sprintf("SELECT row, value FROM (SELECT row_number() OVER () AS row, trim(%s) AS value FROM (%s)) WHERE contains(value, '.') ORDER BY row LIMIT 1", quoteName(name), r.text)).Scan(&row, &value)
			if err == sql.ErrNoRows {
				continue // numbers such as 1e3 have no point
			}
			if err != nil {
				return found, err
			}
			file, at := s.recipe.file, ""
			if len(r.files) == 1 {
				file, at = nameWithin(s.recipe.folder, r.files[0]), strconv.FormatInt(row, 10)
			}
			found = true
			s.add(Finding{Severity: Error, File: file, Row: at, Column: name, Rule: "type", Value: value, Rows: 1,
				Message: fmt.Sprintf("%q would be read as %s, and all points of the column have three zeros after them; if they part thousands, read the file with read_csv('…', decimal_separator = ',', thousands = '.'), else with read_csv('…', decimal_separator = '.')",
					value, value[:strings.IndexByte(value, '.')])})
		}
	}
	return found, nil
}

// pointed returns those of the columns where each value with a point has thousands of zeros.
func (s *staged) pointed(relation string, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	all, targets := make([]bool, len(names)), make([]any, len(names))
	var tests []string
	for i, name := range names {
		targets[i] = &all[i]
		tests = append(tests, fmt.Sprintf(`coalesce(bool_and(NOT contains(%[1]s, '.') OR regexp_full_match(trim(%[1]s), '[+-]?[1-9]\d{0,2}(\.000)+')), true)`, quoteName(name)))
	}
	if err := s.conn.QueryRowContext(s.ctx, "SELECT "+strings.Join(tests, ", ")+" FROM "+relation).Scan(targets...); err != nil {
		return nil, err
	}
	var out []string
	for i, name := range names {
		if all[i] {
			out = append(out, name)
		}
	}
	return out, nil
}
