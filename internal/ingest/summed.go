package ingest

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/duckdb"
)

// summing are the aggregates that count rows of a total again; max and the like do not.
var summing = []string{"sum", "sum_no_overflow", "fsum", "kahan_sum", "sumkahan", "count", "count_star", "avg", "mean",
	"favg"}

// countryWords call a whole country, which is a total of areas, but no total of countries of birth.
var countryWords = []string{"danmark", "denmark"}

// leftOut begins the names of columns that a SELECT within another does not hand on.
const leftOut = "left out: "

// summedTotals warns of a SELECT that adds up, in one group, rows of a total and the rows that it is
// the total of: once they are one row, nothing shows it.
func (s *staged) summedTotals(t recipeTable, selected *selection) (err error) {
	p, told := selected.preparer, map[string]bool{}
	walk(selected.node, func(node object) {
		if err != nil || str(node, "type") != "SELECT_NODE" || !sums(node["select_list"]) {
			return
		}
		var found []namedValue
		found, err = s.totalsIn(p, selected.node, node)
		for _, total := range found {
			condition := fmt.Sprintf("%s <> %s", duckdb.QuoteName(total.column), duckdb.QuoteText(total.value))
			if told[condition] {
				continue
			}
			told[condition] = true
			s.add(Issue{Severity: Warning, File: s.recipe.file, Row: fmt.Sprintf("line %d", t.line), Rule: "total",
				Value: total.value, Rows: 1, Table: t.Name,
				Message: fmt.Sprintf("the SELECT adds up rows with different values of %s, and %q among them is the mark of a "+
					"total, which counts the others again; leave its rows out with WHERE %s, or group by %s",
					total.column, total.value, condition, total.column)})
		}
	})
	return err
}

// namedValue is a value of a column.
type namedValue struct{ column, value string }

// sums reports whether an expression adds up rows.
func sums(expression any) (found bool) {
	walkExpressions(expression, func(o object) {
		found = found || str(o, "class") == "FUNCTION" && o["distinct"] != true &&
			slices.Contains(summing, strings.ToLower(str(o, "function_name")))
	})
	return found
}

// totalsIn returns the columns of what a SELECT reads in which one of its groups holds a total and
// something else, with the total. Columns that the sums themselves look at are left to them.
func (s *staged) totalsIn(p *preparer, root, node object) (out []namedValue, err error) {
	node = clone(node)
	node["modifiers"] = []any{}
	if len(list(child(node, "cte_map"), "map")) == 0 {
		node["cte_map"] = clone(root)["cte_map"]
	}
	within := ctes(node)
	columns, err := s.handOn(p, node, within)
	if err != nil {
		return nil, err
	}
	looked := map[string]bool{}
	for _, item := range list(node, "select_list") {
		if sums(item) {
			walkExpressions(item, func(o object) { looked[lastName(o)] = true })
		}
	}
	var names []string
	for _, c := range columns {
		if c.kind == "VARCHAR" && !looked[strings.ToLower(c.name)] {
			names = append(names, c.name)
		}
	}
	words := slices.DeleteFunc(slices.Clone(totalWords), func(w string) bool { return slices.Contains(countryWords, w) })
	look := func(names []string) ([]sql.NullString, error) {
		looking := clone(node)
		var outer []string
		for i, name := range names {
			// T is true where F is all there is beside it, and a total beside M and F.
			column := duckdb.QuoteName(name)
			items := p.template(fmt.Sprintf(`SELECT CASE WHEN bool_or(%[2]s) AND NOT bool_and(coalesce(%[2]s, false))
				THEN max(%[1]s) FILTER (%[2]s)
				WHEN bool_or(trim(%[1]s) = 'T') AND bool_or(trim(%[1]s) NOT IN ('T', 'F')) THEN 'T' END AS "total %[3]d"`,
				column, calledTotal(column, words), i))
			looking["select_list"] = append(looking["select_list"].([]any), items["select_list"].([]any)...)
			outer = append(outer, fmt.Sprintf(`max("total %d")`, i))
		}
		text, err := p.write(looking)
		if err != nil {
			return nil, err
		}
		found := make([]sql.NullString, len(names))
		targets := make([]any, len(names))
		for i := range found {
			targets[i] = &found[i]
		}
		return found, s.conn.QueryRowContext(s.ctx, "SELECT "+strings.Join(outer, ", ")+" FROM ("+text+")").Scan(targets...)
	}
	if len(names) == 0 {
		return nil, nil
	}
	found, err := look(names)
	if err != nil { // a name that two joined files have: each column by itself
		found = nil
		for _, name := range names {
			one, err := look([]string{name})
			if s.ctx.Err() != nil {
				return nil, s.ctx.Err()
			} else if err != nil {
				one = make([]sql.NullString, 1)
			}
			found = append(found, one...)
		}
	}
	for i, value := range found {
		if value.Valid {
			out = append(out, namedValue{strings.TrimPrefix(names[i], leftOut), value.String})
		}
	}
	return out, nil
}

// handOn makes the SELECTs that a SELECT reads from give also the columns that they leave out, and
// returns the columns that it then reads.
func (s *staged) handOn(p *preparer, node object, within map[string]object) ([]column, error) {
	inner := child(node, "from_table")
	var from func(o object) error
	from = func(o object) error {
		var source object
		switch str(o, "type") {
		case "JOIN":
			if err := from(child(o, "left")); err != nil {
				return err
			}
			return from(child(o, "right"))
		case "SUBQUERY":
			source = child(child(o, "subquery"), "node")
		case "BASE_TABLE":
			name := strings.ToLower(str(o, "table_name"))
			if source = within[name]; source == nil {
				return nil
			}
			delete(within, name) // once
		default:
			return nil
		}
		renamed, _ := o["column_name_alias"].([]any)
		plain := len(renamed) == 0 && str(source, "type") == "SELECT_NODE" &&
			str(source, "aggregate_handling") == "STANDARD_HANDLING" &&
			len(list(source, "group_expressions")) == 0 && len(list(source, "modifiers")) == 0 &&
			!p.aggregates(source["select_list"])
		if !plain {
			return nil
		}
		columns, err := s.handOn(p, source, within)
		if err != nil {
			return err
		}
		named := map[string]bool{}
		for _, item := range list(source, "select_list") {
			if str(item, "class") == "STAR" {
				return nil
			}
			named[lastName(item)] = true
		}
		for _, c := range columns {
			if name := strings.TrimPrefix(c.name, leftOut); c.kind == "VARCHAR" && !named[strings.ToLower(c.name)] {
				items := p.template("SELECT " + duckdb.QuoteName(c.name) + " AS " + duckdb.QuoteName(leftOut+name))
				source["select_list"] = append(source["select_list"].([]any), items["select_list"].([]any)...)
			}
		}
		return nil
	}
	if err := from(inner); err != nil {
		return nil, err
	}
	reading := p.template("SELECT * FROM x")
	reading["from_table"], reading["cte_map"] = clone(inner), clone(node)["cte_map"]
	text, err := p.write(reading)
	if err != nil {
		return nil, err
	}
	columns, err := s.columnsOf("(" + text + ")")
	if err != nil {
		return nil, s.ctx.Err() // it reads nothing by itself, as a SELECT within a row's
	}
	return columns, nil
}
