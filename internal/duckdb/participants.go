package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// participants counts those who took part in a type of activity and those like them who did not.
func (s *Store) participants(ctx context.Context, q cells.Participants) (*cells.Table, error) {
	data := struct {
		Keys            []string
		Outcome, Before string
	}{Outcome: "NULL::BIGINT", Before: "NULL::BIGINT"}
	out := &cells.Table{Keys: []cells.Key{{Name: "treated"}}}
	if q.Outcome != nil {
		data.Outcome = QuoteName(q.Outcome.Column.Name) + "::BIGINT"
	}
	if s.catalogue.HasBefore(q.Outcome) {
		data.Before = QuoteName(q.Outcome.Before.Name) + "::BIGINT"
	}
	for _, c := range q.Covariates {
		key := QuoteName(c.Column.Name)
		if c.Column.Codes == nil {
			key += "::BIGINT"
		}
		data.Keys = append(data.Keys, key)
		out.Keys = append(out.Keys, cells.Key{Name: c.Name})
	}
	if q.Start {
		data.Keys = append(data.Keys, "start_year")
		out.Keys = append(out.Keys, cells.Key{Name: "start"})
	}
	if q.Area {
		data.Keys = append(data.Keys, "area_id")
		out.Keys = append(out.Keys, cells.Key{Name: "AREA"})
	}
	text, err := write("participants", data)
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, text, []any{q.Type}, func(rows *sql.Rows) error {
		cell, err := s.scanParticipants(q, rows, len(out.Keys))
		out.Cells = append(out.Cells, cell)
		return err
	})
	out.Cells = merged(out.Cells) // several values of a column may be one category
	return out, err
}

// merged puts cells in the order of their keys and adds up those that have the same.
func merged(list []cells.Cell) []cells.Cell {
	cells.Sort(list)
	var out []cells.Cell
	for _, c := range list {
		if last := len(out) - 1; last >= 0 && slices.Equal(out[last].Key, c.Key) {
			out[last] = out[last].Plus(c)
			continue
		}
		out = append(out, c)
	}
	return out
}

func (s *Store) scanParticipants(q cells.Participants, rows *sql.Rows, keys int) (cells.Cell, error) {
	cell := cells.Cell{Key: make([]int32, keys), Measures: make([]cells.Moments, 3)}
	texts, numbers := make([]sql.NullString, len(q.Covariates)), make([]sql.NullInt64, len(q.Covariates))
	targets := []any{keyTarget{s.catalogue, &cell.Key[0]}}
	for i, c := range q.Covariates {
		if c.Column.Codes != nil {
			targets = append(targets, &texts[i])
		} else {
			targets = append(targets, &numbers[i])
		}
	}
	for i := 1 + len(q.Covariates); i < keys; i++ {
		targets = append(targets, keyTarget{s.catalogue, &cell.Key[i]})
	}
	after, before, change := &cell.Measures[cells.After], &cell.Measures[cells.Before], &cell.Measures[cells.Change]
	var afterSq, beforeSq, changeSq uint64
	targets = append(targets, &cell.N.Value, &after.N.Value, &after.Sum, &afterSq, &before.Sum, &beforeSq, &change.N.Value,
		&change.Sum, &changeSq)
	if err := rows.Scan(targets...); err != nil {
		return cell, err
	}
	after.SumSq, before.SumSq, change.SumSq = cells.Square{Low: afterSq}, cells.Square{Low: beforeSq},
		cells.Square{Low: changeSq}
	after.Unknown.Value = cell.N.Value - after.N.Value
	if s.catalogue.HasBefore(q.Outcome) {
		before.N = change.N
		change.Unknown.Value = cell.N.Value - change.N.Value
	} else {
		*before, *change = cells.Moments{}, cells.Moments{}
	}
	for i, c := range q.Covariates {
		cell.Key[1+i] = int32(numbers[i].Int64)
		if c.Codes == nil {
			continue
		}
		place := c.Category(texts[i].String, int(numbers[i].Int64))
		if !c.IsNumber() {
			cell.Key[1+i] = int32(place)
		}
		if place < 0 {
			value := texts[i].String
			if c.Column.Codes == nil {
				value = fmt.Sprint(numbers[i].Int64)
			}
			return cell, fault.Invalidf("%s.%s has the value %q, which is in no category of the covariate %s",
				contract.EffectTable, c.Column.Name, value, c.Name)
		}
	}
	return cell, nil
}

// effectTypes counts who took part by type of activity.
func (s *Store) effectTypes(ctx context.Context) (*cells.Table, error) {
	codes := s.catalogue.Contract.Table(contract.EffectTable).Column("type").Codes
	text, err := write("effect_types", nil)
	if err != nil {
		return nil, err
	}
	counts := make([]int64, len(codes.Codes))
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var code string
		var n int64
		if err := rows.Scan(&code, &n); err != nil {
			return err
		}
		p := codes.Position(code)
		if p < 0 {
			return fault.Invalidf("%s.type has the value %q, which the contract has not", contract.EffectTable, code)
		}
		counts[p] = n
		return nil
	})
	out := &cells.Table{Keys: []cells.Key{{Name: "type"}}}
	for p, n := range counts {
		if n > 0 {
			out.Cells = append(out.Cells, cells.Cell{Key: []int32{int32(p)}, N: cells.Count{Value: n}})
		}
	}
	return out, err
}

// starts counts the participations by activity and year of start.
func (s *Store) starts(ctx context.Context) (*cells.Table, error) {
	out := &cells.Table{Keys: []cells.Key{{Name: "activity"}, {Name: "year"}}}
	text, err := write("starts", s.catalogue.Columns["participant"])
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var id sql.NullString
		cell := cells.Cell{Key: []int32{cells.None, cells.None}}
		if err := rows.Scan(&id, keyTarget{s.catalogue, &cell.Key[1]}, &cell.N.Value); err != nil {
			return err
		}
		// A data set may record participants without its activities: they are of none we know.
		if i, ok := s.activityPlace[id.String]; ok && id.Valid {
			cell.Key[0] = int32(i)
		}
		out.Cells = append(out.Cells, cell)
		return nil
	})
	out.Cells = merged(out.Cells)
	return out, err
}

// persons counts the persons who took part in each group of activities, each once a group.
func (s *Store) persons(ctx context.Context, q cells.Persons) (*cells.Table, error) {
	ids, years, places := make([]string, len(q.Members)), make([]int64, len(q.Members)), make([]int64, len(q.Members))
	for i, m := range q.Members {
		ids[i], places[i] = m.Activity.ID, int64(m.Group)
		if m.Year != nil {
			years[i] = int64(*m.Year)
		}
	}
	text, err := write("persons", s.catalogue.Columns["participant"])
	if err != nil {
		return nil, err
	}
	out := &cells.Table{Keys: []cells.Key{{Name: "group"}}, Cells: make([]cells.Cell, q.Groups)}
	for i := range out.Cells {
		out.Cells[i].Key = []int32{int32(i)}
	}
	err = s.query(ctx, text, []any{ids, years, places}, func(rows *sql.Rows) error {
		var place, n int64
		err := rows.Scan(&place, &n)
		if err == nil {
			out.Cells[place].N.Value = n
		}
		return err
	})
	return out, err
}
