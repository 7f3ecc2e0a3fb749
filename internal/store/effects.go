package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// EffectQuery asks for the cells of those who took part in a type of activity and of those like
// them who did not.
type EffectQuery struct {
	Type       string                // code of activity_type
	Outcome    *contract.Outcome     // nil to count persons only
	Covariates []*contract.Covariate // to split by
	Start      bool                  // split by the year of start too; of those who did not take part it is the year in which they could have
	Area       bool                  // split by area too
}

// EffectCell is one combination of covariates in one arm.
type EffectCell struct {
	Treated bool
	Values  []int // per EffectQuery.Covariates: the place of a category; the number of one that IsNumber; 0 or 1 of a bool
	Start   *int  // nil where it is not recorded, or not asked for
	Area    int   // the area's place in Areas; -1 where not asked for
	N       int64 // persons
	Outcome Moments
	// Before and Change are of the persons whose outcome is known after and before; empty where the
	// outcome has none recorded before the start.
	Before, Change Moments
}

// EffectCells returns the cells of q, in an order that is the same each time. The error says what the
// data set holds if it lacks what is asked.
func (s *Store) EffectCells(ctx context.Context, q EffectQuery) (_ []EffectCell, err error) {
	defer fault.Wrap(&err, "store.EffectCells(%s)", q.Type)
	if err := s.needs(contract.EffectTable, "participants"); err != nil {
		return nil, err
	}
	if q.Outcome != nil && !s.HasOutcome(q.Outcome) {
		return nil, fault.NotRecordedf("the outcome %s is not recorded (%s.%s); %s", q.Outcome.Name, contract.EffectTable, q.Outcome.Column.Name, listed("recorded are", s.contract.Outcomes, func(o *contract.Outcome) (string, bool) { return o.Name, s.HasOutcome(o) }))
	}
	if q.Start && !s.columns[contract.EffectTable]["start_year"] {
		return nil, fault.NotRecordedf("the year of start is not recorded (%s.start_year); %s", contract.EffectTable, s.recorded(contract.EffectTable))
	}
	data := struct {
		Keys            []string
		Outcome, Before string
	}{Outcome: "NULL::BIGINT", Before: "NULL::BIGINT"}
	if q.Outcome != nil {
		data.Outcome = quoteName(q.Outcome.Column.Name) + "::BIGINT"
	}
	if s.HasBefore(q.Outcome) {
		data.Before = quoteName(q.Outcome.Before.Name) + "::BIGINT"
	}
	for _, c := range q.Covariates {
		key := quoteName(c.Column.Name)
		if c.Column.Codes == nil {
			key += "::BIGINT"
		}
		data.Keys = append(data.Keys, key)
	}
	if q.Start {
		data.Keys = append(data.Keys, "start_year")
	}
	if q.Area {
		data.Keys = append(data.Keys, "area_id")
	}
	text, err := write("effect_cells", data)
	if err != nil {
		return nil, err
	}
	var out []EffectCell
	places := map[string]int{} // several values of a column may be one category
	err = s.query(ctx, text, []any{q.Type}, func(rows *sql.Rows) error {
		cell, err := s.scanEffectCell(q, rows)
		if err != nil {
			return err
		}
		start := 0
		if cell.Start != nil {
			start = *cell.Start
		}
		key := fmt.Sprint(cell.Treated, cell.Values, start, cell.Area)
		at, ok := places[key]
		if !ok {
			places[key] = len(out)
			out = append(out, cell)
			return nil
		}
		sum := &out[at]
		sum.N += cell.N
		sum.Outcome.add(cell.Outcome)
		sum.Before.add(cell.Before)
		sum.Change.add(cell.Change)
		return nil
	})
	return out, err
}

// EffectTypes returns the codes of the types of activity that somebody took part in, in the contract's
// order.
func (s *Store) EffectTypes(ctx context.Context) (_ []string, err error) {
	defer fault.Wrap(&err, "store.EffectTypes()")
	if err := s.needs(contract.EffectTable, "participants"); err != nil {
		return nil, err
	}
	text, err := write("effect_types", nil)
	if err != nil {
		return nil, err
	}
	var found []string
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var code string
		err := rows.Scan(&code)
		found = append(found, code)
		return err
	})
	codes := s.contract.Table(contract.EffectTable).Column("type").Codes
	slices.SortFunc(found, func(a, b string) int { return codes.Position(a) - codes.Position(b) })
	return found, err
}

func (s *Store) scanEffectCell(q EffectQuery, rows *sql.Rows) (EffectCell, error) {
	cell := EffectCell{Values: make([]int, len(q.Covariates)), Area: -1}
	texts, numbers := make([]string, len(q.Covariates)), make([]int, len(q.Covariates))
	targets := []any{&cell.Treated}
	for i, c := range q.Covariates {
		if c.Column.Codes != nil {
			targets = append(targets, &texts[i])
		} else {
			targets = append(targets, &numbers[i])
		}
	}
	if q.Start {
		targets = append(targets, &cell.Start)
	}
	var area string
	if q.Area {
		targets = append(targets, &area)
	}
	var after, afterSq, before, beforeSq, change, changeSq int64
	targets = append(targets, &cell.N, &cell.Outcome.N, &after, &afterSq, &before, &beforeSq, &cell.Change.N, &change, &changeSq)
	if err := rows.Scan(targets...); err != nil {
		return cell, err
	}
	cell.Outcome = Moments{N: cell.Outcome.N, Sum: after, SumSq: float64(afterSq), Unknown: cell.N - cell.Outcome.N}
	if s.HasBefore(q.Outcome) {
		cell.Before = Moments{N: cell.Change.N, Sum: before, SumSq: float64(beforeSq)}
		cell.Change = Moments{N: cell.Change.N, Sum: change, SumSq: float64(changeSq), Unknown: cell.N - cell.Change.N}
	}
	for i, c := range q.Covariates {
		cell.Values[i] = numbers[i]
		if c.Codes == nil {
			continue
		}
		place := c.Category(texts[i], numbers[i])
		if !c.IsNumber() {
			cell.Values[i] = place
		}
		if place < 0 {
			value := texts[i]
			if c.Column.Codes == nil {
				value = fmt.Sprint(numbers[i])
			}
			return cell, fault.Invalidf("%s.%s has the value %q, which is in no category of the covariate %s", contract.EffectTable, c.Column.Name, value, c.Name)
		}
	}
	if q.Area {
		cell.Area = slices.IndexFunc(s.areas, func(a *Area) bool { return a.ID == area })
	}
	return cell, nil
}

// add adds the sums of other persons.
func (m *Moments) add(o Moments) {
	m.N, m.Sum, m.SumSq, m.Unknown = m.N+o.N, m.Sum+o.Sum, m.SumSq+o.SumSq, m.Unknown+o.Unknown
}

// HasOutcome reports whether the data set records the outcome.
func (s *Store) HasOutcome(o *contract.Outcome) bool {
	return s.columns[contract.EffectTable][o.Column.Name]
}

// HasBefore reports whether the data set records the outcome before the start; not of no outcome.
func (s *Store) HasBefore(o *contract.Outcome) bool {
	return o != nil && o.Before != nil && s.columns[contract.EffectTable][o.Before.Name]
}

// HasCovariate reports whether the data set records the covariate.
func (s *Store) HasCovariate(c *contract.Covariate) bool {
	return s.columns[contract.EffectTable][c.Column.Name]
}
