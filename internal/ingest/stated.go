package ingest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/duckdb"
)

// wholeKinds are the DuckDB types of whole numbers.
var wholeKinds = []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
	"UBIGINT", "UHUGEINT"}

// rounds writes the condition under which a text, written as d says, is another number once it is
// read as a DuckDB type; "" where no number is.
func (d dialect) rounds(column, kind string) string {
	number := fmt.Sprintf("TRY_CAST(replace(replace(trim(%s), %s, ''), %s, '.') AS DOUBLE)", duckdb.QuoteName(column),
		duckdb.QuoteText(d.thousands), duckdb.QuoteText(d.decimal))
	switch {
	case slices.Contains(wholeKinds, kind), strings.HasPrefix(kind, "DECIMAL(") && strings.HasSuffix(kind, ",0)"):
		return fmt.Sprintf("%[1]s <> trunc(%[1]s)", number)
	case kind == "FLOAT":
		return fmt.Sprintf("%[1]s = trunc(%[1]s) AND %[1]s::FLOAT::DOUBLE <> %[1]s", number)
	}
	return ""
}

// statedNumbers reports values of those columns that the recipe states are numbers, which would be
// rounded in silence, or could be read in two ways.
func (s *staged) statedNumbers(p *preparer, r *csvRead) (doubtful bool, err error) {
	kinds, columns := argument(r.table, typeArguments...), argument(r.table, "columns")
	if len(kinds) == 0 && len(columns) == 0 {
		return false, nil
	}
	given, err := s.columnsOf(p.relation(r.table))
	if err != nil {
		return false, s.ctx.Err() // the SELECT itself fails then, and says why
	}
	stated, named := map[string]bool{}, str(kinds, "function_name") == "struct_pack"
	for _, entry := range list(kinds, "children") {
		stated[strings.ToLower(str(entry, "alias"))] = true
	}
	texts := &csvRead{table: clone(r.table), how: r.how, files: r.files}
	if len(columns) > 0 {
		for _, entry := range list(argument(texts.table, "columns"), "children") {
			if value := child(entry, "value"); value["value"] != nil {
				value["value"] = "VARCHAR"
			}
		}
	} else {
		texts.dropTypes()
		p.state(texts.table, "all_varchar", "true")
	}
	d := texts.dialect()
	var numbers []*csvColumn
	var expressions []string
	var targets []any
	for i, c := range given {
		numeric := slices.Contains(wholeKinds, c.kind) || c.kind == "FLOAT" || c.kind == "DOUBLE" ||
			strings.HasPrefix(c.kind, "DECIMAL")
		if !numeric || len(columns) == 0 && (named && !stated[strings.ToLower(c.name)] || !named &&
			i >= len(list(kinds, "children"))) {
			continue
		}
		rounds := d.rounds(c.name, c.kind)
		if rounds == "" {
			rounds = "false"
		}
		numbers = append(numbers, &csvColumn{read: texts, name: c.name, kind: c.kind})
		expressions = append(expressions, "bit_or("+d.form(c.name)+")", "bool_or("+rounds+")")
		targets = append(targets, new(sql.NullInt64), new(sql.NullBool))
	}
	if len(numbers) == 0 {
		return false, nil
	}
	if err := s.conn.QueryRowContext(s.ctx, "SELECT "+strings.Join(expressions,
		", ")+" FROM "+p.relation(texts.table)).Scan(targets...); err != nil {
		return false, s.ctx.Err()
	}
	for i, c := range numbers {
		c.forms = forms(targets[2*i].(*sql.NullInt64).Int64)
		wrong, err := s.doubtful(p, c)
		if err != nil {
			return false, err
		}
		if !wrong && targets[2*i+1].(*sql.NullBool).Bool {
			wrong = true
			file, row, value, err := s.firstWhere(p, c, d.rounds(c.name, c.kind))
			if err != nil {
				return false, err
			}
			thousands := ""
			if d.unstated && pointsPartThousands(value) {
				thousands = "; if points part thousands, state decimal_separator = ',' and thousands = '.'"
			}
			s.add(Issue{Severity: Error, File: file, Row: row, Column: c.name, Rule: "type", Value: value, Rows: 1,
				Message: fmt.Sprintf("%q is no %s, as which the recipe states the column, and would be rounded; leave the type "+
					"out, or state DOUBLE, and write round(column) where that is meant%s", value, c.kind, thousands)})
		}
		doubtful = doubtful || wrong
	}
	return doubtful, nil
}

// roundedByCasts warns of numbers that a cast of the SELECT rounds.
func (s *staged) roundedByCasts(selected *selection) (err error) {
	aliases, told := bareAliases(selected.node), map[*csvColumn]bool{}
	walkExpressions(selected.node, func(o object) {
		kind := str(child(o, "cast_type"), "id")
		name := lastName(child(o, "child"))
		if err != nil || str(o, "class") != "CAST" || name == "" || !slices.Contains(wholeKinds, kind) {
			return
		}
		if aliases[name] != "" {
			name = aliases[name]
		}
		for _, r := range selected.csvs {
			for _, c := range r.columns {
				if strings.ToLower(c.name) != name || c.forms&fractionForms == 0 || told[c] {
					continue
				}
				told[c] = true
				file, row, value, missing := s.firstWhere(selected.preparer, c, r.dialect().rounds(c.name, kind))
				if missing == sql.ErrNoRows {
					continue // 1e3 and 5.0 are whole
				}
				if err = missing; err != nil {
					return
				}
				s.add(Issue{Severity: Warning, File: file, Row: row, Column: c.name, Rule: "type", Value: value, Rows: 1,
					Message: fmt.Sprintf("%q is rounded by the cast to %s in the SELECT; leave the cast out, and each value that is "+
						"no whole number is listed, or write round(column) where that is meant", value, kind)})
			}
		}
	})
	return err
}
