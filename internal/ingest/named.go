package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/duckdb"
)

// blanks are what trim takes from the ends of a text here: a no-break space is a blank, too.
const blanks = " \t\u00a0"

// comparedTexts returns the texts with which a SELECT compares each column as it is, by the name of
// the column in its file, in lower case.
func comparedTexts(node object) map[string][]string {
	out, aliases := map[string][]string{}, bareAliases(node)
	walkExpressions(node, func(o object) {
		switch str(o, "type") {
		case "COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_IN", "COMPARE_NOT_IN":
		default:
			return
		}
		operands := append(list(o, "children"), child(o, "left"), child(o, "right"))
		for _, operand := range operands {
			for str(operand, "class") == "CAST" && str(child(operand, "cast_type"), "id") == "VARCHAR" {
				operand = child(operand, "child")
			}
			name := lastName(operand)
			for _, other := range operands {
				text, isText := child(other, "value")["value"].(string)
				if name == "" || str(other, "class") != "CONSTANT" || !isText {
					continue
				}
				out[name] = append(out[name], text)
				if of := aliases[name]; of != "" && of != name {
					out[of] = append(out[of], text)
				}
			}
		}
	})
	return out
}

// nearlyNamed warns of values that a SELECT compares with a text from which only blanks or the case
// of letters keep them: 'M ' is not 'M', and its row is lost or of no code.
func (s *staged) nearlyNamed(_ recipeTable, selected *selection) (err error) {
	p, compared := selected.preparer, comparedTexts(selected.node)
	if len(compared) == 0 {
		return nil
	}
	walk(selected.node, func(table object) {
		if err == nil && str(table, "type") == "TABLE_FUNCTION" &&
			slices.Contains(rowReaders, strings.ToLower(str(child(table, "function"), "function_name"))) {
			err = s.nearlyNamedIn(p.relation(table), compared)
		}
	})
	return errors.Join(err, p.err)
}

// nearlyNamedIn is nearlyNamed for one reading of files.
func (s *staged) nearlyNamedIn(relation string, compared map[string][]string) error {
	columns, err := s.columnsOf(relation)
	if err != nil {
		return s.ctx.Err() // it reads nothing by itself
	}
	var names, counts, conditions []string
	for _, c := range columns {
		texts := compared[strings.ToLower(c.name)]
		if c.kind != "VARCHAR" || len(texts) == 0 {
			continue
		}
		name := duckdb.QuoteName(c.name)
		plain := func(text string) string { return fmt.Sprintf("lower(trim(%s, %s))", text, duckdb.QuoteText(blanks)) }
		var exact, near []string
		for _, text := range texts {
			exact, near = append(exact, duckdb.QuoteText(text)), append(near, plain(duckdb.QuoteText(text)))
		}
		names = append(names, c.name)
		conditions = append(conditions, fmt.Sprintf("%s NOT IN (%s) AND %s IN (%s)", name, strings.Join(exact, ", "),
			plain(name), strings.Join(near, ", ")))
		counts = append(counts, fmt.Sprintf("count(*) FILTER (%s)", conditions[len(conditions)-1]))
	}
	if len(names) == 0 {
		return nil
	}
	found, targets := make([]int64, len(names)), make([]any, len(names))
	for i := range found {
		targets[i] = &found[i]
	}
	if err := s.conn.QueryRowContext(s.ctx, "SELECT "+strings.Join(counts,
		", ")+" FROM "+relation).Scan(targets...); err != nil {
		return err
	}
	for i, name := range names {
		if found[i] == 0 {
			continue
		}
		file, row, value, err := s.firstIn(relation, name, conditions[i])
		if err != nil {
			return err
		}
		texts := compared[strings.ToLower(name)]
		trimmed := strings.Trim(value, blanks)
		text, differs, cure := trimmed, "blanks", fmt.Sprintf("trim(%s)", name)
		if !slices.Contains(texts, trimmed) {
			text = texts[slices.IndexFunc(texts,
				func(text string) bool { return strings.EqualFold(strings.Trim(text, blanks), trimmed) })]
			differs, cure = "the case of letters", fmt.Sprintf("lower(%s)", name)
			if trimmed != value {
				differs, cure = "blanks and the case of letters", fmt.Sprintf("lower(trim(%s))", name)
			}
		} else if strings.Trim(value, " ") != trimmed {
			cure = fmt.Sprintf(`regexp_replace(%s, '^[\s\p{Z}]+|[\s\p{Z}]+$', '', 'g')`, name) // trim takes no others
		}
		rows := ""
		if found[i] > 1 {
			rows = fmt.Sprintf(" (and so in %s)", plural(found[i]-1, "more row"))
		}
		issue := Issue{Severity: Warning, File: file, Row: row, Column: name, Rule: "spelling", Value: clip(value),
			Rows: found[i],
			Message: fmt.Sprintf("%q differs by %s from %s, with which the SELECT compares the column, and is not equal to "+
				"it%s; if it is meant, compare %s", clip(value), differs, duckdb.QuoteText(text), rows, cure)}
		if !slices.Contains(s.issues, issue) { // another SELECT may read the same file
			s.add(issue)
		}
	}
	return nil
}

// codings are the expressions of a SELECT, and of those within it, that give codes for the values of
// one expression and NULL for all others: CASE WHEN x = 'M' THEN 'MALE' WHEN x = 'K' THEN 'FEMALE' END.
func (p *preparer) codings(root object) (out []folding) {
	walk(root, func(node object) {
		if str(node, "type") != "SELECT_NODE" {
			return
		}
		for _, item := range list(node, "select_list") {
			f := folding{column: str(item, "alias")}
			for str(item, "class") == "CAST" {
				item = child(item, "child")
			}
			if rest := child(item, "else_expr"); str(item, "type") != "CASE_EXPR" || str(rest, "class") != "CONSTANT" ||
				child(rest, "value")["value"] != nil {
				continue
			}
			ok := true
			var operand object
			for i, check := range list(item, "case_checks") {
				o, then := f.name(child(check, "when_expr")), child(check, "then_expr")
				for str(then, "class") == "CAST" {
					then = child(then, "child")
				}
				if ok = ok && o != nil && str(then, "class") == "CONSTANT" && (i == 0 || p.same(o, operand)); i == 0 {
					operand = o
				}
			}
			if !ok {
				continue
			}
			f.of, f.value = clone(node), clone(operand)
			f.value["alias"] = "value"
			result := clone(item)
			result["alias"] = "result"
			f.of["select_list"] = []any{f.value, result}
			f.of["modifiers"], f.of["group_expressions"], f.of["group_sets"] = []any{}, []any{}, []any{}
			f.of["aggregate_handling"], f.of["having"], f.of["qualify"] = "STANDARD_HANDLING", nil, nil
			if len(list(child(node, "cte_map"), "map")) == 0 {
				f.of["cte_map"] = clone(root)["cte_map"]
			}
			out = append(out, f)
		}
	})
	return out
}

// unnamedCodes warns of values that a CASE without ELSE makes NULL of, though it does not name them
// and they are no known marks of a missing value.
func (s *staged) unnamedCodes(t recipeTable, selected *selection) error {
	for _, f := range selected.preparer.codings(selected.node) {
		others, first, err := s.madeNull(selected.preparer, f)
		if err != nil {
			return err
		}
		if len(others) == 0 {
			continue
		}
		if more := len(others) - shownValues; more > 0 {
			others = append(others[:shownValues], fmt.Sprintf("%d more", more))
		}
		cure := fmt.Sprintf("or WHEN %s THEN NULL for one that is not known", duckdb.QuoteText(first))
		if isTotal(first) {
			cure = "and leave out the rows of totals with WHERE"
		}
		issue := Issue{Severity: Warning, File: s.recipe.file, Row: fmt.Sprintf("line %d", t.line), Column: f.column,
			Rule: "unnamed", Rows: 1, Table: t.Name,
			Message: fmt.Sprintf("the CASE makes NULL of values that it does not name: %s; add ELSE with the text of the "+
				"column, as in ELSE column::VARCHAR, and import names each with its row, %s", strings.Join(others, ", "), cure)}
		if !slices.Contains(s.issues, issue) { // a UNION ALL may have the same CASE for several files
			s.add(issue)
		}
	}
	return nil
}

// madeNull returns the values of which a coding makes NULL and that are no known marks, with their
// rows, and the text of the first.
func (s *staged) madeNull(p *preparer, f folding) (others []string, first string, err error) {
	values, err := p.write(f.of)
	if err != nil {
		return nil, "", err
	}
	var quoted []string
	for _, name := range f.named {
		quoted = append(quoted, duckdb.QuoteText(name))
	}
	rows, err := s.conn.QueryContext(s.ctx,
		fmt.Sprintf("SELECT value::VARCHAR, count(*) FROM (%s) WHERE result IS NULL AND value IS NOT NULL AND "+
			"value::VARCHAR NOT IN (%s) GROUP BY ALL ORDER BY count(*) DESC, 1 LIMIT 100",
			values, strings.Join(quoted, ", ")))
	if err != nil {
		return nil, "", s.ctx.Err() // it is no value of the rows, such as another column of the SELECT
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var value string
		var n int64
		if err := rows.Scan(&value, &n); err != nil {
			return nil, "", err
		}
		plain := strings.Trim(value, blanks)
		if plain == "" || slices.Contains(missingWords, strings.ToUpper(plain)) || suggestRest(plain) != "" ||
			// a letter may be a code
			meaningOf(plain) != "" && !strings.ContainsAny(strings.ToLower(plain), "abcdefghijklmnopqrstuvwxyz") {
			continue
		}
		if first == "" {
			first = value
		}
		others = append(others, fmt.Sprintf("%q (%s)", clip(value), plural(n, "row")))
	}
	return others, first, rows.Err()
}
