package ingest

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

// How rows are told to be the total of others. A sum met by chance is rare where many are compared,
// and cannot be told from a total where there is one: that is asked about.
const (
	// totalShare is the share of the people in rows that could be totals which the exact totals
	// must have. Groups of unknown, which meet the sum of the others now and then, have less.
	totalShare = 0.5
	// nearTotalShare is the same for sums that are only nearly met, since small numbers are hidden
	// or rounded; nearTotals are the fewest comparisons that say so, as one proves nothing.
	nearTotalShare, nearTotals = 0.8, 3
	// roundedBy is how far a number may lie from the true one: under 5, as offices round at random
	// to 3 or 5, and hide numbers under 3 to 5. The sum of a few numbers may lie as far for each,
	// and within nearTotal of the total.
	roundedBy, nearTotal = 4, 0.1
	// patterns is how many sets of empty columns are compared, those with the most people first; a
	// published table has a handful, and rows with values missing at random are no table of totals.
	patterns = 24
)

// totals: a row that is empty where others are not, and counts as many as they do together, is
// their total: its people would be counted twice. A persons' table has no totals.
func (k *checker) totals(f *facts) error {
	if f.Person == "" {
		return k.totalOfSeries(f)
	}
	if !f.has("n") {
		return nil
	}
	groups := "n IS NOT NULL"
	if f.has(f.Person) {
		groups += " AND " + duckdb.QuoteName(f.Person) + " IS NULL"
	}
	t := &totalled{checker: k, facts: f, groups: groups, relation: duckdb.QuoteName("groups of " + f.Name),
		named: duckdb.QuoteName("totals of " + f.Name)}
	for _, c := range f.columns {
		switch {
		case c.Name == f.Person || c.Name == "n" || c.Secret:
		case !c.Optional:
			t.fixed = append(t.fixed, c)
		case c.Codes != nil || c.Type == contract.Bool || c.References != "":
			t.split = append(t.split, c)
		}
	}
	if len(t.fixed) == 0 {
		return nil // the columns that the contract requires are not there, which is said
	}
	var largest int64
	if err := k.conn.QueryRowContext(k.ctx, fmt.Sprintf("SELECT coalesce(max(n), 0) FROM %s WHERE %s", f.view,
		groups)).Scan(&largest); err != nil {
		return err
	}
	if largest < 2 {
		return nil // no sum of two groups
	}
	return t.find()
}

// totalled is a table of groups in which totals are looked for.
type totalled struct {
	*checker
	*facts
	groups       string             // the condition for a row that is a group
	fixed, split []*contract.Column // what tells groups apart: columns always filled, and those that may be empty
	relation     string             // the groups by these columns: mask, n, largest and rows
	named        string             // the rows that are listed already
}

// mask writes the set of split columns in which a row tells nothing, as bits.
func (t *totalled) mask() string {
	parts := []string{"0::BIGINT"}
	for i, c := range t.split {
		parts = append(parts, fmt.Sprintf("(CASE WHEN %s IS NULL THEN %d ELSE 0 END)::BIGINT", told(c), 1<<i))
	}
	return strings.Join(parts, " + ")
}

// unknownCode returns the column's code for unknown, or "".
func unknownCode(c *contract.Column) string {
	if c.Codes != nil {
		for _, code := range c.Codes.Codes {
			if code.Unknown {
				return code.Code
			}
		}
	}
	return ""
}

// told writes the value of a column, null where it is the code for unknown.
func told(c *contract.Column) string {
	if code := unknownCode(c); code != "" {
		return fmt.Sprintf("nullif(%s, %s)", duckdb.QuoteName(c.Name), duckdb.QuoteText(code))
	}
	return duckdb.QuoteName(c.Name)
}

// find compares the rows that are empty in some columns with those that are empty in fewer.
func (t *totalled) find() (err error) {
	columns := []string{t.mask() + " AS mask"}
	for _, c := range slices.Concat(t.fixed, t.split) {
		columns = append(columns, told(c)+" AS "+duckdb.QuoteName(c.Name))
	}
	if _, err := t.conn.ExecContext(t.ctx, fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE %s AS
		SELECT %s, sum(n) AS n, max(n) AS largest, count(*) AS rows FROM %s WHERE %s GROUP BY ALL`,
		t.relation, strings.Join(columns, ", "), t.view, t.groups)); err != nil {
		return err
	}
	if _, err := t.conn.ExecContext(t.ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE %s (_at BIGINT)",
		t.named)); err != nil {
		return err
	}
	defer func() {
		for _, table := range []string{t.relation, t.named} {
			if _, dropErr := t.conn.ExecContext(t.ctx, "DROP TABLE IF EXISTS "+table); err == nil {
				err = dropErr
			}
		}
	}()
	rows, err := t.conn.QueryContext(t.ctx,
		fmt.Sprintf("SELECT mask FROM %s GROUP BY mask ORDER BY sum(n) DESC, mask LIMIT %d", t.relation, patterns))
	if err != nil {
		return err
	}
	var masks []uint64
	for rows.Next() {
		var mask uint64
		if err := rows.Scan(&mask); err != nil {
			rows.Close()
			return err
		}
		masks = append(masks, mask)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	// From those that tell most, each against what tells a little more than it first: a row that is
	// a total over two columns is named once, as the total of totals.
	slices.SortFunc(masks, func(a, b uint64) int { return bits.OnesCount64(a) - bits.OnesCount64(b) })
	for _, whole := range masks {
		found := false
		for _, part := range slices.Backward(masks) {
			if part&^whole != 0 || part == whole {
				continue
			}
			more, err := t.compare(whole, part)
			if err != nil {
				return err
			}
			found = found || more
		}
		if !found {
			if _, err = t.compare(whole, whole); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare lists the rows that are empty in the columns of whole where they are the totals of those
// that are empty in the columns of part, or, where the two are one, of the others like them.
func (t *totalled) compare(whole, part uint64) (found bool, err error) {
	var keys, same []string
	var over []*contract.Column
	meaning := false // that a column is empty says something, by the contract
	for i, c := range slices.Concat(t.split, t.fixed) {
		in := func(set uint64) bool { return i < len(t.split) && set&(1<<i) != 0 }
		if in(whole &^ part) {
			over = append(over, c)
			meaning = meaning || t.emptyMeans(c)
		}
		if !in(whole) { // no total over it
			keys = append(keys, duckdb.QuoteName(c.Name))
			same = append(same, fmt.Sprintf("fact.%[1]s = cell.%[1]s", duckdb.QuoteName(c.Name)))
		}
	}
	list := strings.Join(keys, ", ")
	// For each cell of what the totals tell: the largest row, what all its rows count, and what the
	// rows that tell more count: those of part, and those between the two, such as groups of unknown.
	// The largest row is the sum of the others, with or without those of unknown; or all rows are,
	// once or, since there are levels such as the regions and the country, several times.
	cells := fmt.Sprintf(`SELECT *, largest = detail AS exact, false AS levels, false AS near
		FROM (SELECT %s, sum(n) AS n, max(largest) AS largest, sum(n) - max(largest) AS detail, 0 AS between,
		sum(rows) - 1 AS parts
			FROM %s WHERE mask = %d GROUP BY ALL)`, list, t.relation, whole)
	if whole != part {
		cells = fmt.Sprintf(`SELECT *, largest IN (detail, detail + between, detail + n - largest) AS exact,
				detail > 0 AND n %% greatest(detail, 1) = 0 AND n // greatest(detail, 1) BETWEEN 1 AND rows AS levels,
				abs(largest - detail) <= least(%d * (parts + 1), %g * largest) AS near
			FROM (SELECT %[3]s, sum(n) AS n, max(largest) AS largest, sum(rows) AS rows FROM %[4]s WHERE mask = %[5]d
			GROUP BY ALL)
			JOIN (SELECT %[3]s, coalesce(sum(n) FILTER (mask = %[6]d), 0) AS detail,
			coalesce(sum(n) FILTER (mask <> %[6]d), 0) AS between, count(*) FILTER (n > 0) AS parts
				FROM %[4]s WHERE mask <> %[5]d AND mask & %[6]d = %[6]d AND mask | %[5]d = %[5]d GROUP BY ALL) USING (%[3]s)`,
			roundedBy, nearTotal, list, t.relation, whole, part)
	}
	cells = "SELECT * FROM (" + cells + ") WHERE detail > 0"
	var evidence int64
	var exact, near float64
	if err := t.conn.QueryRowContext(t.ctx, fmt.Sprintf(`SELECT count(*),
			coalesce(sum(largest) FILTER (exact OR levels) / sum(largest), 0),
			coalesce(sum(largest) FILTER (near OR exact OR levels) / sum(largest), 0)
		FROM (%s) WHERE parts > 1 AND largest > 1`, cells)).Scan(&evidence, &exact, &near); err != nil {
		return false, err
	}
	// Where most such rows are totals, so is one whose parts are hidden in some cell.
	condition := "exact OR levels"
	nearly := !meaning && near >= nearTotalShare && evidence >= nearTotals
	if nearly {
		condition += " OR near OR largest >= detail"
	}
	if exact < totalShare && !nearly {
		return false, nil
	}
	column := "n"
	if whole != part {
		column = columnNames(over, ", ")
	}
	totals := fmt.Sprintf(`SELECT _at, fact.n AS value,
			(CASE WHEN largest IN (detail + between, detail + cell.n - largest) THEN largest ELSE detail END)::VARCHAR AS extra
		FROM (SELECT *, %s AS mask FROM %s WHERE %s) AS fact JOIN (SELECT * FROM (%s) WHERE %s) AS cell ON %s
		WHERE fact.mask = %d AND (levels OR fact.n = largest) AND _at NOT IN (FROM %s)`,
		t.mask(), t.view, t.groups, cells, condition, strings.Join(same, " AND "), whole, t.named)
	if err := t.list(t.facts, rule{column: column, name: "total", severity: Warning, rows: totals,
		message: func(value, sum string) string { return totalMessage(value, sum, over, meaning) }}); err != nil {
		return false, err
	}
	_, err = t.conn.ExecContext(t.ctx, fmt.Sprintf("INSERT INTO %s SELECT _at FROM (%s)", t.named, totals))
	return true, err
}

// emptyMeans reports whether an empty value of the column says something by the contract, as an
// empty area_id does of the rest of the country.
func (t *totalled) emptyMeans(c *contract.Column) bool {
	for _, d := range t.contract.Dimensions {
		if d.Columns[t.Name] == c && slices.ContainsFunc(d.Selections(t.Name),
			func(s contract.Selection) bool { return s.Missing || s.Present != nil }) {
			return true
		}
	}
	return false
}

func columnNames(columns []*contract.Column, between string) string {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return strings.Join(names, between)
}

// totalMessage says that a row of value people is empty in the columns over, where the rows that
// are not count sum; meaning, that to be empty says something by the contract.
func totalMessage(value, sum string, over []*contract.Column, meaning bool) string {
	const mark = "by the file's own mark of a total, as in WHERE KØN <> 'TOT'"
	if len(over) == 0 {
		return fmt.Sprintf("the row counts %s, as the other rows with the same values in all columns but n do together; is "+
			"it their total, of groups by a column that is not taken? Its people are counted twice then; leave totals out "+
			"%s", value, mark)
	}
	so := "it is their total"
	if value != sum {
		so = "nearly as many, so it seems to be their total, with small numbers hidden or rounded, or a total of several " +
			"levels"
	}
	var filled []string
	for _, c := range over {
		condition := c.Name + " IS NOT NULL"
		if code := unknownCode(c); code != "" {
			condition = c.Name + " <> " + duckdb.QuoteText(code) // and not null
		}
		filled = append(filled, condition)
	}
	names := columnNames(over, " and no ")
	text := fmt.Sprintf("the row counts %s and has no %s; the rows beside it that have count %s together: %s, and its "+
		"people are counted twice. Leave totals out with WHERE %s, or %s",
		value, names, sum, so, strings.Join(filled, " AND "), mark)
	if meaning {
		text += fmt.Sprintf("; if the row is meant as the codebook says of one without %s, it is right",
			columnNames(over, " or "))
	}
	return text
}

// totalOfSeries: in a table of key figures, what counts in each of its years as many as all others
// do together is their total.
func (k *checker) totalOfSeries(f *facts) error {
	if err := k.namedTotal(f); err != nil {
		return err
	}
	series := f.series()
	if len(series) == 0 {
		return nil
	}
	for _, c := range f.columns {
		if c.Type != contract.Int || slices.Contains(f.Key, c.Name) {
			continue
		}
		err := k.list(f, rule{column: c.Name, name: "total", severity: Warning,
			rows: fmt.Sprintf(`SELECT _at, value, extra FROM (
					SELECT _at, %[1]s AS value, (sum(%[1]s) OVER (PARTITION BY year) - %[1]s)::VARCHAR AS extra,
						count(%[1]s) OVER (PARTITION BY year) AS together, %[2]s
					FROM %[3]s)
				WHERE value IS NOT NULL
				QUALIFY bool_and(value > 1 AND together > 2 AND value::VARCHAR = extra) OVER (PARTITION BY %[2]s)`,
				duckdb.QuoteName(c.Name), strings.Join(series, ", "), f.view),
			message: func(value, sum string) string {
				return fmt.Sprintf("%s, as many as all other rows of the year together (%s), in each year; is this their total? "+
					"Leave it out with WHERE %s <> '…'", value, sum, f.Key[0])
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// namedTotal: a row of the table of areas that is named as totals are.
func (k *checker) namedTotal(f *facts) error {
	for _, c := range f.columns {
		if c.Type != contract.String || !slices.Contains(append([]string{"name"}, f.Key...), c.Name) {
			continue
		}
		err := k.list(f, rule{column: c.Name, name: "total", severity: Warning,
			rows: fmt.Sprintf("SELECT _at, %[1]s AS value, NULL AS extra FROM %[2]s WHERE %[3]s", duckdb.QuoteName(c.Name),
				f.view, calledTotal(duckdb.QuoteName(c.Name), totalWords)),
			message: func(value, _ string) string {
				return fmt.Sprintf("%q%s", value, strings.Replace(suggestTotal(value, nil), "; it", "", 1))
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// What tables of statistical offices call the sum of their groups; a code often stands before its
// text, as in `TOT I alt` and `000 Hele landet`.
var (
	totalWords = []string{"000", "tot", "total", "totalt", "_t", "i alt", "ialt", "alle", "all", "sum", "hele landet",
		"danmark", "all denmark", "denmark", "whole country", "begge køn", "both sexes", "mænd og kvinder", "men and " +
			"women", "alle aldre", "all ages", "total population", "all persons"}
	totalForm  = regexp.MustCompile(`^(000|tot|i alt|ialt|_t)[ ,:]|^(total|all)[,:]|[ ,:](i alt|ialt|total)$`)
	regionForm = regexp.MustCompile(`^08[1-5]( |$)|^(\d+ )?(region|landsdel|province) `)
	restForm   = regexp.MustCompile(`^9{2,4}$`)
)

// calledTotal writes the condition that a text is one of the words for a total, or has the form of one.
func calledTotal(text string, words []string) string {
	var quoted []string
	for _, w := range words {
		quoted = append(quoted, duckdb.QuoteText(w))
	}
	return fmt.Sprintf("(lower(trim(%[1]s)) IN (%[2]s) OR regexp_matches(lower(trim(%[1]s)), %[3]s))", text,
		strings.Join(quoted, ", "), duckdb.QuoteText(totalForm.String()))
}

// isTotal reports whether a text is what statistical offices call a total.
func isTotal(value string) bool {
	plain := strings.ToLower(strings.Join(strings.Fields(value), " "))
	return strings.TrimSpace(value) == "T" || slices.Contains(totalWords, plain) || totalForm.MatchString(plain)
}

// suggestTotal says what to do with a value that is known for a total, or ""; codes is the list
// that the column has, or nil.
func suggestTotal(value string, codes *contract.Codelist) string {
	plain := strings.ToLower(strings.TrimSpace(value))
	out := fmt.Sprintf("leave its rows out, as in WHERE column <> %s", duckdb.QuoteText(value))
	switch {
	case isTotal(value):
		return "; it is the mark of a total, which counts its groups again: " + out
	case codes != nil && codes.Groups != nil && regionForm.MatchString(plain):
		return fmt.Sprintf("; it is the mark of a %s, the total of its rows of %s: %s", codes.Groups.Name, codes.Name, out)
	}
	return suggestRest(value)
}

// suggestRest says what to do with the nines by which many files mark what is not stated, or "".
func suggestRest(value string) string {
	if !restForm.MatchString(strings.TrimSpace(value)) {
		return ""
	}
	return fmt.Sprintf("; 99 and 999 mark what is not stated in many files, and a total in some: if not stated, write "+
		"nullif(column::VARCHAR, %[1]s); if a total, leave its rows out, as in WHERE column <> "+
		"%[1]s", duckdb.QuoteText(strings.TrimSpace(value)))
}
