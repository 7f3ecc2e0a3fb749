package ingest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

// What makes a year of a table look incomplete beside the years around it: less than half as much.
// A country's births, and the areas that are followed, do not halve from one year to the next. In
// fewer than fewRows rows or fewPeople people chance does that.
const (
	fallShare = 0.5
	fewRows   = 10
	fewPeople = 30
)

// years: a year that has far fewer rows or people than the one beside it, or none at all, may be a
// file cut short or left out.
func (k *checker) years(f *facts) error {
	if !f.has("year") {
		return nil
	}
	people := "count(*)"
	if f.Person != "" && f.has("n") {
		people = "sum(coalesce(n, 1))"
	}
	rows, err := k.conn.QueryContext(k.ctx,
		fmt.Sprintf("SELECT year, count(*), %s::DOUBLE FROM %s WHERE year IS NOT NULL GROUP BY year ORDER BY year", people,
			f.view))
	if err != nil {
		return err
	}
	defer rows.Close()
	type total struct {
		year, rows int64
		people     float64
	}
	var years []total
	for rows.Next() {
		var y total
		if err := rows.Scan(&y.year, &y.rows, &y.people); err != nil {
			return err
		}
		years = append(years, y)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	warn := func(year int64, rule, format string, args ...any) {
		k.add(Issue{Severity: Warning, File: k.whole, Column: f.Name + ".year", Rule: rule, Value: fmt.Sprint(year), Rows: 1,
			Table: f.Name, Message: fmt.Sprintf(format, args...)})
	}
	for i, y := range years {
		beside := i - 1
		if i == 0 {
			beside = 1 // the first year has only the next to be seen beside
		}
		if beside >= len(years) {
			continue
		}
		b := years[beside]
		var figures []string
		if b.rows >= fewRows && float64(y.rows) < fallShare*float64(b.rows) {
			figures = append(figures, fmt.Sprintf("%d rows, where %d has %d", y.rows, b.year, b.rows))
		}
		if f.Person != "" && f.has("n") && b.people >= fewPeople && y.people < fallShare*b.people {
			figures = append(figures, fmt.Sprintf("%.0f people, where %d has %.0f", y.people, b.year, b.people))
		}
		if len(figures) > 0 {
			warn(y.year, "year", "%d has %s; was a file cut short, or are rows left out? Less than half from one year to "+
				"another is seldom so in the population", y.year, strings.Join(figures, ", and "))
		}
	}
	// Every second year, or two years picked, is a plan; one gap among years in a row is none.
	step := int64(0)
	for i := 1; i < len(years); i++ {
		if gap := years[i].year - years[i-1].year; step == 0 || gap < step {
			step = gap
		}
	}
	for i := 1; i < len(years); i++ {
		from, to := years[i-1].year+step, years[i].year-step
		if from > to {
			continue
		}
		missing := fmt.Sprint(from)
		if to > from {
			missing = fmt.Sprintf("%d to %d", from, to)
		}
		warn(from, "year", "there are rows for %d and %d, and none for %s; is a file missing?", years[i-1].year,
			years[i].year, missing)
	}
	return nil
}

// largestCount is the largest Int of GraphQL (October 2021, 3.5.1), which counts are given as.
const largestCount = 1<<31 - 1

// counts: people that the API has no number for.
func (k *checker) counts(f *facts) error {
	if f.Person == "" {
		return nil
	}
	people := "count(*)"
	if f.has("n") {
		people = "sum(coalesce(n, 1))"
	}
	var over bool
	var text string
	if err := k.conn.QueryRowContext(k.ctx,
		fmt.Sprintf("SELECT coalesce(people, 0) > %d, coalesce(people, 0)::VARCHAR FROM (SELECT %s AS people FROM %s)",
			largestCount, people, f.view)).Scan(&over, &text); err != nil || !over {
		return err
	}
	k.add(Issue{Severity: Warning, File: k.whole, Column: f.Name + ".n", Rule: "size", Value: text, Rows: 1, Table: f.Name,
		Message: fmt.Sprintf("the rows count %s people together, more than %d, the largest Int of GraphQL: what counts "+
			"more, a client may refuse or spoil. Is n a number of people, and of each once?", text, largestCount)})
	return nil
}

// alikePeople is how many people must be counted before it is odd that all or none of them are
// something.
const alikePeople = 5

// alike: an indicator that is no for everyone, or yes for everyone, is often a code that was not
// read for what it means. Where all rows have one and the same code, that is what the table is of.
func (k *checker) alike(f *facts) error {
	type test struct{ column, name, yes, among string }
	var tests []test
	for _, i := range k.contract.Indicators {
		if !slices.Contains(i.Tables, f.Name) || slices.ContainsFunc(i.Columns(), func(c string) bool { return !f.has(c) }) {
			continue
		}
		among := "true"
		if i.Among != nil {
			among = duckdb.Predicate(f.Table, i.Among)
		}
		tests = append(tests, test{strings.Join(i.When.Columns(), ", "), i.Name, duckdb.Predicate(f.Table, i.When), among})
	}
	for _, o := range k.contract.Outcomes {
		if f.Name == contract.EffectTable && o.Column.Type == contract.Bool && f.has(o.Column.Name) {
			tests = append(tests, test{o.Column.Name, o.Name, duckdb.QuoteName(o.Column.Name), "true"})
		}
	}
	for _, i := range tests {
		n := "1"
		if f.Person != "" && f.has("n") {
			n = "coalesce(n, 1)"
		}
		c := f.Column(i.column) // nil where it is of several
		values := "0"
		if c != nil {
			values = "count(DISTINCT " + duckdb.QuoteName(c.Name) + ")"
		}
		var yes, no float64
		var different int64
		if err := k.conn.QueryRowContext(k.ctx,
			fmt.Sprintf("SELECT coalesce(sum(%[1]s) FILTER (%[2]s), 0)::DOUBLE, coalesce(sum(%[1]s) FILTER (NOT %[2]s), "+
				"0)::DOUBLE, %[5]s FROM %[3]s WHERE %[4]s",
				n, i.yes, f.view, i.among, values)).Scan(&yes, &no, &different); err != nil {
			return err
		}
		coded := c != nil && c.Codes != nil
		if yes+no < alikePeople || yes > 0 && no > 0 || coded && different < 2 {
			continue
		}
		answer := "no"
		if yes > 0 {
			answer = "yes"
		}
		cause := "is a code of the file read as another?"
		if !coded {
			cause = fmt.Sprintf("is a code of the file read as what it does not mean? Leave %s as it is in the file, and each "+
				"value that is not yes or no is named", i.column)
		}
		k.add(Issue{Severity: Warning, File: k.whole, Column: f.Name + "." + i.column, Rule: "alike", Value: answer, Rows: 1,
			Table:   f.Name,
			Message: fmt.Sprintf("%s is %s for all %.0f people of whom it is known; %s", i.name, answer, yes+no, cause)})
	}
	return nil
}
