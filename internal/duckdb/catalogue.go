package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// openFacts makes a view for each table that the folder has.
func (s *Store) openFacts(ctx context.Context, folder string) error {
	for _, t := range s.catalogue.Contract.Tables {
		file := filepath.Join(folder, t.Name+".parquet")
		if !s.sees(file) {
			continue
		}
		if _, err := s.db.ExecContext(ctx, fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s", QuoteName(t.Name),
			Parquet(file))); err != nil {
			return err
		}
		columns := map[string]bool{}
		err := s.query(ctx, "SELECT column_name FROM duckdb_columns() WHERE table_name = ?", []any{t.Name},
			func(rows *sql.Rows) error {
				var name string
				err := rows.Scan(&name)
				columns[name] = true
				return err
			})
		if err != nil {
			return err
		}
		for _, c := range t.Columns {
			if !c.Optional && !columns[c.Name] {
				return fault.Invalidf("%s has no column %s, which the contract requires; make the snapshot again", file, c.Name)
			}
		}
		s.catalogue.Columns[t.Name] = columns
		if err := s.openBounds(ctx, t, columns); err != nil {
			return err
		}
	}
	if len(s.catalogue.Columns) == 0 {
		return fault.NotFoundf("%s holds no table of the contract; `go run . generate` makes the default data set", folder)
	}
	return nil
}

// openBounds reads the least and the largest value of the table's integer dimensions.
func (s *Store) openBounds(ctx context.Context, t *contract.Table, columns map[string]bool) error {
	var names, expressions []string
	for _, d := range s.catalogue.Contract.Dimensions {
		if c := d.Columns[t.Name]; c != nil && d.IsInteger() && columns[c.Name] && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
			expressions = append(expressions, fmt.Sprintf("min(%[1]s), max(%[1]s)", QuoteName(c.Name)))
		}
	}
	bounds := map[string][2]int{}
	s.catalogue.Bounds[t.Name] = bounds
	if len(names) == 0 {
		return nil
	}
	values := make([]sql.NullInt64, 2*len(names))
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	row := s.db.QueryRowContext(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+QuoteName(t.Name))
	if err := row.Scan(targets...); err != nil {
		return err
	}
	for i, name := range names {
		if values[2*i].Valid {
			bounds[name] = [2]int{int(values[2*i].Int64), int(values[2*i+1].Int64)}
		}
	}
	return nil
}

// openParted reads in which years the second column of a dimension is known of those whom it parts.
func (s *Store) openParted(ctx context.Context) error {
	year, err := s.catalogue.Contract.Dimension("YEAR")
	if err != nil {
		return nil // a contract without years
	}
	for _, d := range s.catalogue.Contract.Dimensions {
		for _, name := range d.Tables() {
			t := s.catalogue.Contract.Table(name)
			if !s.catalogue.Columns[name][d.Apart] || !s.catalogue.HasDimension(t, d) || !s.catalogue.HasDimension(t, year) {
				continue
			}
			answer := s.Tables(ctx, []cells.Query{cells.Observations{Table: t, By: []*contract.Dimension{year, d}}})[0]
			if answer.Err != nil {
				return answer.Err
			}
			var years []int
			for _, cell := range answer.Table.Cells {
				parts := func(s contract.Selection) bool {
					return s.Position == int(cell.Key[1]) && s.Apart != nil && s.Apart.Is != nil
				}
				if slices.ContainsFunc(d.Selections(name), parts) {
					years = append(years, int(cell.Key[0]))
				}
			}
			if s.catalogue.Parted[name] == nil {
				s.catalogue.Parted[name] = map[string][]int{}
			}
			s.catalogue.Parted[name][d.Apart] = slices.Compact(years)
		}
	}
	return nil
}

// openPlaces reads the areas, the plans and the activities: some hundreds of rows.
func (s *Store) openPlaces(ctx context.Context) error {
	c := s.catalogue
	if err := s.openPlans(ctx); err != nil {
		return err
	}
	if err := s.openAreas(ctx); err != nil {
		return err
	}
	if err := c.Index(); err != nil {
		return err
	}
	if err := s.openActivities(ctx); err != nil {
		return err
	}
	for i, a := range c.Activities {
		s.activityPlace[a.ID] = i
	}
	c.IndexActivities()
	return nil
}

func (s *Store) openPlans(ctx context.Context) error {
	return s.read(ctx, "plan", "plans", func(rows *sql.Rows) error {
		p := &cells.Plan{}
		s.catalogue.Plans = append(s.catalogue.Plans, p)
		return rows.Scan(&p.ID, &p.Name, &p.Start, &p.End)
	})
}

func (s *Store) openAreas(ctx context.Context) error {
	return s.read(ctx, "area", "areas", func(rows *sql.Rows) error {
		a := &cells.Area{}
		var plans any
		if err := rows.Scan(&a.ID, &a.Name, &a.Municipality, &a.Supported, &plans, &a.Divisions, &a.Dwellings,
			&a.Source); err != nil {
			return err
		}
		for _, id := range plans.([]any) {
			a.PlanIDs = append(a.PlanIDs, id.(string))
		}
		s.catalogue.Areas = append(s.catalogue.Areas, a)
		return nil
	})
}

func (s *Store) openActivities(ctx context.Context) error {
	return s.read(ctx, "activity", "activities", func(rows *sql.Rows) error {
		a := &cells.Activity{}
		var plan, area string
		if err := rows.Scan(&a.ID, &a.Name, &plan, &area, &a.Theme, &a.Type, &a.Start, &a.End, &a.AgeMin, &a.AgeMax,
			&a.Capacity); err != nil {
			return err
		}
		if a.Plan = s.catalogue.Plan(plan); a.Plan == nil {
			return fault.Invalidf("activity %s names the plan %q, which table plan has not", a.ID, plan)
		}
		if a.Area = s.catalogue.Area(area); a.Area == nil {
			return fault.Invalidf("activity %s names the area %q, which table area has not", a.ID, area)
		}
		s.catalogue.Activities = append(s.catalogue.Activities, a)
		return nil
	})
}

// read runs the statement of that name, which knows the columns of the table, if the data set has it.
func (s *Store) read(ctx context.Context, table, name string, each func(*sql.Rows) error) error {
	columns, ok := s.catalogue.Columns[table]
	if !ok {
		return nil
	}
	text, err := write(name, columns)
	if err != nil {
		return err
	}
	return s.query(ctx, text, nil, each)
}
