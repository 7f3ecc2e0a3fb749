package ingest

import (
	"fmt"
	"slices"
	"strings"
)

// joins warns of a JOIN that leaves out rows of its left side which find no partner, and of one that
// repeats rows whose numbers the SELECT then adds up.
func (s *staged) joins(t recipeTable, selected *selection) (err error) {
	p, root := selected.preparer, selected.node
	walk(root, func(node object) {
		if str(node, "type") != "SELECT_NODE" {
			return
		}
		for join := child(node, "from_table"); err == nil && str(join, "type") == "JOIN"; join = child(join, "left") {
			err = s.join(t, p, root, node, join)
		}
	})
	return err
}

// join is joins for one of them, in the SELECT node.
func (s *staged) join(t recipeTable, p *preparer, root, node, join object) error {
	kind := str(join, "join_type")
	if kind != "INNER" && kind != "LEFT" || str(join, "ref_type") != "REGULAR" {
		return nil
	}
	reading := func(items string, from, where any) (string, error) {
		out := p.template("SELECT " + items + " FROM x")
		out["from_table"], out["where_clause"], out["cte_map"] = cloneAny(from), cloneAny(where), clone(node)["cte_map"]
		if len(list(child(node, "cte_map"), "map")) == 0 {
			out["cte_map"] = clone(root)["cte_map"]
		}
		return p.write(out)
	}
	// How many rows the join gives as one of another type; false if the condition of the SELECT needs
	// the right side, which then is chosen by it.
	count := func(kind string) (n int64, ok bool) {
		as := clone(join)
		as["join_type"] = kind
		text, err := reading("count(*)", as, node["where_clause"])
		return n, err == nil && s.conn.QueryRowContext(s.ctx, text).Scan(&n) == nil
	}
	warn := func(format string, args ...any) {
		issue := Issue{Severity: Warning, File: s.recipe.file, Row: fmt.Sprintf("line %d", t.line), Rule: "join", Rows: 1,
			Table: t.Name, Message: fmt.Sprintf(format, args...)}
		if !slices.Contains(s.issues, issue) { // a UNION ALL may join several files so
			s.add(issue)
		}
	}
	right := str(child(join, "right"), "alias")
	if right == "" {
		right = str(child(join, "right"), "table_name")
	}
	found, ok := count("SEMI")
	if !ok {
		return s.ctx.Err()
	}
	if kind == "INNER" {
		if lost, ok := count("ANTI"); ok && lost > 0 {
			warn("the JOIN with %s leaves out %s of %d, which find no partner there; if they are to be kept, write LEFT JOIN, "+
				"and import names what is missing; if not, say so with SEMI JOIN or WHERE",
				right, plural(lost, "row"), lost+found)
		}
	}
	if rows, ok := count("INNER"); !ok || rows == found {
		return s.ctx.Err()
	} else if added, err := s.addsUpLeft(node, join, reading); err != nil || added == "" {
		return err
	} else {
		warn("the JOIN with %s finds several partners for some rows, and makes %d rows of %d, whose %s the SELECT adds up; "+
			"join rows that are there once, as in SELECT DISTINCT, or tell them apart in ON",
			right, rows, found, added)
	}
	return nil
}

// addsUpLeft returns the first column of the left side of a join that a SELECT sums up, or "".
func (s *staged) addsUpLeft(node, join object,
	reading func(items string, from, where any) (string, error)) (added string, err error) {
	columns := map[string][]column{}
	for _, side := range []string{"left", "right"} {
		text, err := reading("*", join[side], nil)
		if err != nil {
			return "", err
		}
		if columns[side], err = s.columnsOf("(" + text + ")"); err != nil {
			return "", s.ctx.Err() // it reads nothing by itself
		}
	}
	has := func(side, name string) bool {
		return slices.ContainsFunc(columns[side], func(c column) bool { return strings.EqualFold(c.name, name) })
	}
	walkExpressions(node["select_list"], func(o object) {
		if str(o, "class") != "FUNCTION" || o["distinct"] == true ||
			!slices.Contains(summing, strings.ToLower(str(o, "function_name"))) {
			return
		}
		walkExpressions(o["children"], func(o object) {
			if name := lastName(o); added == "" && name != "" && has("left", name) && !has("right", name) {
				added = name
			}
		})
	})
	return added, nil
}
