package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// TurnoverQuery asks how the persons of a cohort came and went between two years. Where is the cohort
// without its years: its conditions on an area, setting, municipality or region are the place, the
// others say who is counted there.
type TurnoverQuery struct {
	Table     *contract.Table
	Where     Filter
	Indicator *contract.Indicator
	From, To  int // From before To
}

// Turnover is the answer: sums over persons, and nothing about one.
type Turnover struct {
	Moves []Move // alike persons, in a fixed order
	// Elsewhere are the observations outside the place that stand for groups: who comes from there, or
	// goes there, cannot be followed.
	Elsewhere int64
}

// Move is what some persons did between two years.
type Move struct {
	Was, Becomes  Presence
	Before, After State
	Unborn        bool // Was is Absent, since they were not born; false where the table has no age in years
	Grown         bool // Becomes is Absent, since they are older than the table goes; likewise
	N             int64
}

// Presence is where a person is in a year.
type Presence int

// In no row, in a row of another place, in a row of the place.
const (
	Absent Presence = iota
	Elsewhere
	Here
)

// State is how a person counts in the share of the cohort in a year.
type State int

// Not in the cohort or its denominator, or the value is unknown; without the indicator; with it.
const (
	NotCounted State = iota
	Without
	With
)

// Turnover follows the persons of the cohort. It reads the facts: roll-ups hold no persons. Where the
// cohort has rows that stand for groups the error says how many.
func (s *Store) Turnover(ctx context.Context, q TurnoverQuery) (_ *Turnover, err error) {
	defer fault.Wrap(&err, "store.Turnover(%s, %d to %d)", q.Table.Name, q.From, q.To)
	year, err := s.contract.Dimension("YEAR")
	if err != nil {
		return nil, err
	}
	within := q.Where.And(Condition{Dimension: year, From: &q.From, To: &q.To})
	if err := s.check(Query{Table: q.Table, Where: within, Indicators: []*contract.Indicator{q.Indicator}}); err != nil {
		return nil, err
	}
	if q.From == q.To {
		return nil, fault.Invalidf("both years are %d; two different years were expected", q.From)
	}
	person := q.Table.Person
	if person == "" || !s.columns[q.Table.Name][person] {
		return nil, fault.NotRecordedf("this data set does not follow %s over the years: table %s has no %s, so who stayed and who moved is not known; `development` compares the years as they are", q.Table.Cohort, q.Table.Name, person)
	}
	here, hereValues, err := s.all(q, true)
	if err != nil {
		return nil, err
	}
	others, otherValues, err := s.all(q, false)
	if err != nil {
		return nil, err
	}
	data := struct {
		Person, Here, Counted, Has, Age, From, Weight string
		Earlier, Later, Years, Oldest                 int
	}{
		Person: quoteName(person), Here: here, Age: "NULL::INTEGER", From: quoteName(q.Table.Name), Weight: s.row(q.Table).weight,
		Counted: here + " AND " + others + " AND " + known(q.Table, q.Indicator),
		Has:     boolean(q.Table, q.Indicator.When),
		Earlier: q.From, Later: q.To, Years: q.To - q.From,
	}
	if c := q.Table.Column("age"); c != nil && s.columns[q.Table.Name][c.Name] {
		data.Age, data.Oldest = quoteName(c.Name)+"::INTEGER", int(c.Max)
	}
	out := &Turnover{}
	text, err := write("unfollowed", data)
	if err != nil {
		return nil, err
	}
	var groups int64
	values := slices.Concat(hereValues, hereValues, otherValues, hereValues)
	err = s.query(ctx, text, values, func(rows *sql.Rows) error { return rows.Scan(&groups, &out.Elsewhere) })
	if err != nil {
		return nil, err
	}
	if groups > 0 {
		return nil, fault.NotRecordedf("%d observations of this cohort in %d and %d stand for groups of %s (published cross-tabs without %s), who cannot be followed from year to year; narrow the cohort to where persons are recorded, such as the areas", groups, q.From, q.To, q.Table.Cohort, person)
	}
	if text, err = write("turnover", data); err != nil {
		return nil, err
	}
	values = slices.Concat(hereValues, hereValues, otherValues)
	err = s.query(ctx, text, values, func(rows *sql.Rows) error {
		var m Move
		err := rows.Scan(&m.Was, &m.Becomes, &m.Before, &m.After, &m.Unborn, &m.Grown, &m.N)
		out.Moves = append(out.Moves, m)
		return err
	})
	return out, err
}

// all writes the conditions of the cohort that make its place, or the others, as one that is never
// null, with its values.
func (s *Store) all(q TurnoverQuery, place bool) (string, []any, error) {
	parts := []string{"true"}
	var values []any
	for _, c := range q.Where.Conditions {
		if c.Dimension.Name == "YEAR" {
			return "", nil, fmt.Errorf("the years of a turnover are its own")
		}
		column := c.Dimension.Columns[q.Table.Name].Name
		if (column == "area_id" || column == "municipality") != place {
			continue
		}
		part, bound := condition(q.Table, c)
		parts, values = append(parts, "coalesce("+part+", false)"), append(values, bound...)
	}
	if !place {
		parts = append(parts, traits(q.Table, q.Where)...)
	}
	return "(" + strings.Join(parts, " AND ") + ")", values, nil
}
