package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

// responses reads the answers of the survey.
func (s *Store) responses(ctx context.Context) (*cells.Table, error) {
	text, err := write("answers", s.catalogue.Columns["actor_survey"])
	if err != nil {
		return nil, err
	}
	themes, aspects := s.catalogue.Contract.Codelist("theme"), s.catalogue.Contract.Codelist("aspect")
	var items, actors texts
	out := &cells.Table{}
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var theme, aspect, item, actor string
		cell := cells.Cell{Key: make([]int32, 6)}
		if err := rows.Scan(&theme, &aspect, &item, &actor, keyTarget{s.catalogue, &cell.Key[0]},
			keyTarget{s.catalogue, &cell.Key[5]}, &cell.N.Value, &cell.Weight); err != nil {
			return err
		}
		for i, code := range []struct {
			list *contract.Codelist
			code string
		}{{themes, theme}, {aspects, aspect}} {
			p := code.list.Position(code.code)
			if p < 0 {
				return fmt.Errorf("actor_survey has the %s %q, which the contract has not", code.list.Name, code.code)
			}
			cell.Key[1+i] = int32(p)
		}
		cell.Key[3], cell.Key[4] = items.place(item), actors.place(actor)
		out.Cells = append(out.Cells, cell)
		return nil
	})
	cells.Sort(out.Cells)
	out.Keys = []cells.Key{{Name: "respondent"}, {Name: "theme"}, {Name: "aspect"}, {Name: "item", Values: items.values},
		{Name: "actorType", Values: actors.values}, {Name: "code"}}
	return out, err
}

// texts gives places to texts of the data.
type texts struct {
	values []string
	places map[string]int32
}

func (t *texts) place(text string) int32 {
	p, ok := t.places[text]
	if !ok {
		if t.places == nil {
			t.places = map[string]int32{}
		}
		p = int32(len(t.values))
		t.places[text] = p
		t.values = append(t.values, text)
	}
	return p
}

// keyFigures reads the figures that publications give of areas.
func (s *Store) keyFigures(ctx context.Context) (*cells.Table, error) {
	out := &cells.Table{Keys: []cells.Key{{Name: "AREA"}, {Name: "YEAR"}, {Name: "source"}}}
	columns := s.catalogue.Columns["area_year"]
	if columns == nil {
		return out, nil
	}
	var data struct{ Columns []string }
	for _, name := range cells.FigureColumns {
		if columns[name] {
			data.Columns = append(data.Columns, name+"::DOUBLE")
		} else {
			data.Columns = append(data.Columns, "NULL::DOUBLE")
		}
	}
	text, err := write("key_figures", data)
	if err != nil {
		return nil, err
	}
	var sources texts
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		cell := cells.Cell{Key: make([]int32, 3), Figures: make([]cells.Figure, len(data.Columns))}
		var source string
		figures := make([]sql.NullFloat64, len(data.Columns))
		targets := []any{keyTarget{s.catalogue, &cell.Key[0]}, keyTarget{s.catalogue, &cell.Key[1]}}
		for i := range figures {
			targets = append(targets, &figures[i])
		}
		if err := rows.Scan(append(targets, &source)...); err != nil {
			return err
		}
		for i, f := range figures {
			cell.Figures[i].Value = f.Float64
			if !f.Valid {
				cell.Figures[i].Value = math.NaN()
			}
		}
		cell.Key[2] = sources.place(source)
		out.Cells = append(out.Cells, cell)
		return nil
	})
	cells.Sort(out.Cells)
	out.Keys[2].Values = sources.values
	return out, err
}
