package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

// Texts that are yes or no, in small letters: of Danish and English, of registers and programs.
var (
	yesWords = []string{"true", "t", "yes", "y", "ja", "j", "sand", "1", "1.0"}
	noWords  = []string{"false", "f", "no", "n", "nej", "falsk", "0", "0.0"}
)

// yesOrNo writes the yes or no that a text means; null where it is neither.
func yesOrNo(text string) string {
	in := func(words []string) string {
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, duckdb.QuoteText(w))
		}
		return strings.Join(quoted, ", ")
	}
	return fmt.Sprintf("CASE WHEN lower(%[1]s) IN (%[2]s) THEN true WHEN lower(%[1]s) IN (%[3]s) THEN false END", text,
		in(yesWords), in(noWords))
}

// suggestYesOrNo says how a text is read that is neither yes nor no.
func suggestYesOrNo(value string) string {
	const known = "J and N, ja and nej, Y and N, yes and no, T and F, true and false, 1 and 0 are read"
	if value == "2" || value == "2.0" {
		one := strings.Replace(value, "2", "1", 1)
		return fmt.Sprintf("; %s. If 1 is yes and 2 is no, write CASE column::VARCHAR WHEN %s THEN 'yes' WHEN %s THEN 'no' "+
			"ELSE column::VARCHAR END", known, duckdb.QuoteText(one), duckdb.QuoteText(value))
	}
	return fmt.Sprintf("; %s. If it is one of them, write CASE column::VARCHAR WHEN %s THEN 'yes' ELSE column::VARCHAR "+
		"END, or 'no'; if it is not known, nullif(column::VARCHAR, "+
		"%s)", known, duckdb.QuoteText(value), duckdb.QuoteText(value))
}

// folding is an expression of a SELECT that makes yes or no of a value: x = 'J', x IN ('J', 'j'), or
// CASE WHEN x = 'J' THEN 1 ELSE 0 END. Of each value that it does not name it makes the same,
// of an unknown code too.
type folding struct {
	column string   // of the SELECT
	named  []string // the values that it names
	rest   bool     // what it makes of others
	both   bool     // it names values for yes and values for no
	empty  bool     // it makes the same of an empty value
	value  object   // the expression of the value
	of     object   // the SELECT that it stands in
}

// foldings returns the expressions of a SELECT that make yes or no of a value.
func (p *preparer) foldings(node object) (out []folding) {
	if str(node, "type") == "SET_OPERATION_NODE" {
		return append(p.foldings(child(node, "left")), p.foldings(child(node, "right"))...)
	}
	if str(node, "type") != "SELECT_NODE" || len(list(node, "group_expressions")) > 0 {
		return nil
	}
	whole := clone(node)
	whole["modifiers"] = []any{}
	for _, item := range list(node, "select_list") {
		f := folding{column: strings.ToLower(str(item, "alias"))}
		for str(item, "class") == "CAST" { // (x = 'J')::INT
			item = child(item, "child")
		}
		var operand object
		switch str(item, "type") {
		case "COMPARE_EQUAL", "COMPARE_IN":
			operand = f.name(item)
		case "CASE_EXPR":
			rest, ok := truth(child(item, "else_expr"))
			f.rest, f.empty = rest, true
			for i, check := range list(item, "case_checks") {
				answer, known := truth(child(check, "then_expr"))
				o := f.name(child(check, "when_expr"))
				f.both = f.both || answer == rest
				if ok = ok && known && o != nil && (i == 0 || p.same(o, operand)); i == 0 {
					operand = o
				}
			}
			if !ok {
				operand = nil
			}
		}
		if f.column == "" || operand == nil {
			continue
		}
		f.value, f.of = clone(operand), whole
		f.value["alias"] = ""
		out = append(out, f)
	}
	return out
}

// same reports whether two expressions are written alike.
func (p *preparer) same(a, b object) bool {
	plain := func(o object) string {
		o = clone(o)
		walk(o, func(o object) { delete(o, "query_location") })
		return fmt.Sprint(o)
	}
	return b != nil && plain(a) == plain(b)
}

// name adds the constants that a comparison names, and returns what it compares with them, or nil.
func (f *folding) name(comparison object) object {
	operands := list(comparison, "children")
	if str(comparison, "type") == "COMPARE_EQUAL" {
		operands = []object{child(comparison, "left"), child(comparison, "right")}
	} else if str(comparison, "type") != "COMPARE_IN" {
		return nil
	}
	if len(operands) < 2 || str(operands[0], "class") == "CONSTANT" {
		return nil
	}
	for _, o := range operands[1:] {
		value := child(o, "value")["value"]
		if str(o, "class") != "CONSTANT" || value == nil {
			return nil
		}
		f.named = append(f.named, fmt.Sprint(value))
	}
	return operands[0]
}

// truth returns what a constant means: true, or a number or text that is read as yes or no.
func truth(o object) (value, ok bool) {
	if str(o, "class") == "CAST" && str(child(o, "cast_type"), "id") == "BOOLEAN" {
		o = child(o, "child")
	}
	constant := child(o, "value")["value"]
	if str(o, "class") != "CONSTANT" || constant == nil {
		return false, false
	}
	text := strings.ToLower(fmt.Sprint(constant))
	yes := slices.Contains(yesWords, text)
	return yes, yes || slices.Contains(noWords, text)
}

// shownValues is how many values of a column an issue shows.
const shownValues = 5

// folded warns of values that a SELECT makes yes or no of, though it does not name them. One other
// value is the other answer; a second one, or a mark, is something else.
func (s *staged) folded(t recipeTable, foldings []folding) error {
	foldings = slices.DeleteFunc(slices.Clone(foldings), func(f folding) bool {
		c := t.Column(f.column)
		return c == nil || c.Type != contract.Bool
	})
	for _, f := range foldings {
		others, doubtful, err := s.unnamed(f)
		if err != nil {
			return err
		}
		if len(others) == 0 || len(others) == 1 && !f.both && !doubtful {
			continue
		}
		if more := len(others) - shownValues; more > 0 {
			others = append(others[:shownValues], fmt.Sprintf("%d more", more))
		}
		answer := "no"
		if f.rest {
			answer = "yes"
		}
		var named []string
		for _, name := range f.named {
			named = append(named, duckdb.QuoteText(name))
		}
		s.add(Issue{Severity: Warning, File: s.recipe.file, Row: fmt.Sprintf("line %d", t.line), Column: f.column,
			Rule: "yes or no", Rows: 1, Table: t.Name,
			Message: fmt.Sprintf("every value but %s becomes %s, and so do %s; leave the column as it is, or let what is not "+
				"known keep its text, as in CASE column WHEN 'a' THEN 'yes' WHEN 'b' THEN 'no' ELSE column END: import names it "+
				"then",
				strings.Join(named, ", "), answer, strings.Join(others, ", "))})
	}
	return nil
}

// unnamed returns the values that a folding does not name and that are not known for its answer,
// with their rows; doubtful, that one cannot be the other answer.
func (s *staged) unnamed(f folding) (others []string, doubtful bool, err error) {
	p := &preparer{ctx: s.ctx, conn: s.conn}
	f.of["select_list"] = []any{f.value}
	values, err := p.write(f.of)
	if err != nil {
		return nil, false, err
	}
	known := noWords
	if f.rest {
		known = yesWords
	}
	var quoted []string
	for _, name := range f.named {
		quoted = append(quoted, duckdb.QuoteText(name))
	}
	value := "value::VARCHAR"
	if f.empty {
		value = "coalesce(value::VARCHAR, '')"
	}
	rows, err := s.conn.QueryContext(s.ctx,
		fmt.Sprintf("SELECT %[1]s, count(*) FROM (%[2]s) AS given(value) WHERE %[1]s NOT IN (%[3]s) GROUP BY ALL ORDER BY "+
			"count(*) DESC, 1 LIMIT 100",
			value, values, strings.Join(quoted, ", ")))
	if err != nil {
		return nil, false, s.ctx.Err() // it is no value of the rows, such as another column of the SELECT
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var value string
		var n int64
		if err := rows.Scan(&value, &n); err != nil {
			return nil, false, err
		}
		plain := strings.ToLower(strings.TrimSpace(value))
		if slices.Contains(known, plain) {
			doubtful = true // the other answer is there already
			continue
		}
		doubtful = doubtful || plain == "" || meaningOf(value) != "" || suggestRest(value) != ""
		others = append(others, fmt.Sprintf("%q (%s)", clip(value), plural(n, "row")))
	}
	return others, doubtful, rows.Err()
}
