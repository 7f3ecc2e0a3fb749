package store

import (
	"context"
	"database/sql"
	"slices"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Area is a housing area.
type Area struct {
	ID           string
	Name         string
	Municipality string // its code
	Supported    bool
	PlanIDs      []string
	Divisions    *int
	Dwellings    *int
	Source       string
	Years        []AreaYear // by year
}

// AreaYear holds an area's key figures in a year; nil where its source gives none.
type AreaYear struct {
	Year      int
	Residents *int
	Children  *int
	// In percent, from 0 to 100.
	NonWestern, OutsideWorkAndEducation, Convicted, BasicSchoolingOnly, IncomeRatio *float64
	Averaged                                                                        *bool // see the contract's column
	OnOfficialList                                                                  *bool
	Source                                                                          string
}

// Plan is a social housing plan.
type Plan struct {
	ID    string
	Name  string
	Start *string // YYYY-MM-DD
	End   *string
	Areas []*Area // in the order of their ids
}

// Holds reports whether the data set has the table.
func (s *Store) Holds(table string) bool { return s.columns[table] != nil }

// Areas returns the areas in the order of their ids. The key of a cell split by AREA is an
// area's place here.
func (s *Store) Areas() []*Area { return s.areas }

// Area returns the area with that id, or nil.
func (s *Store) Area(id string) *Area {
	if i, ok := s.areaPosition[id]; ok {
		return s.areas[i]
	}
	return nil
}

// Plans returns the social housing plans in the order of their ids.
func (s *Store) Plans() []*Plan { return s.plans }

// Plan returns the plan with that id, or nil.
func (s *Store) Plan(id string) *Plan { return s.planByID[id] }

// openAreas reads the areas, their key figures and the plans: some hundreds of rows.
func (s *Store) openAreas(ctx context.Context) error {
	if columns, ok := s.columns["plan"]; ok {
		text, err := write("plans", columns)
		if err != nil {
			return err
		}
		err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
			p := &Plan{}
			if err := rows.Scan(&p.ID, &p.Name, &p.Start, &p.End); err != nil {
				return err
			}
			s.plans = append(s.plans, p)
			s.planByID[p.ID] = p
			return nil
		})
		if err != nil {
			return err
		}
	}
	columns, ok := s.columns["area"]
	if !ok {
		return nil
	}
	text, err := write("areas", columns)
	if err != nil {
		return err
	}
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		a := &Area{}
		var plans any
		if err := rows.Scan(&a.ID, &a.Name, &a.Municipality, &a.Supported, &plans, &a.Divisions, &a.Dwellings, &a.Source); err != nil {
			return err
		}
		for _, id := range plans.([]any) {
			a.PlanIDs = append(a.PlanIDs, id.(string))
		}
		s.areaPosition[a.ID] = len(s.areas)
		s.areas = append(s.areas, a)
		return nil
	})
	if err != nil {
		return err
	}
	for _, a := range s.areas {
		for _, id := range a.PlanIDs {
			p := s.planByID[id]
			if p == nil {
				return fault.Invalidf("area %s names the plan %q, which table plan has not", a.ID, id)
			}
			p.Areas = append(p.Areas, a)
		}
	}
	return s.openKeyFigures(ctx)
}

func (s *Store) openKeyFigures(ctx context.Context) error {
	columns, ok := s.columns["area_year"]
	if !ok {
		return nil
	}
	var data struct{ Columns []string }
	for _, name := range []string{"residents", "children_0_6", "percent_non_western", "percent_outside_work_and_education", "percent_convicted", "percent_basic_schooling_only", "income_ratio", "averaged", "on_official_list"} {
		switch c := s.contract.Table("area_year").Column(name); {
		case !columns[name]:
			data.Columns = append(data.Columns, "NULL")
		case c.Type == contract.Decimal:
			data.Columns = append(data.Columns, name+"::DOUBLE")
		default:
			data.Columns = append(data.Columns, name)
		}
	}
	text, err := write("key_figures", data)
	if err != nil {
		return err
	}
	return s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var id string
		var y AreaYear
		if err := rows.Scan(&id, &y.Year, &y.Residents, &y.Children, &y.NonWestern, &y.OutsideWorkAndEducation, &y.Convicted, &y.BasicSchoolingOnly, &y.IncomeRatio, &y.Averaged, &y.OnOfficialList, &y.Source); err != nil {
			return err
		}
		a := s.Area(id)
		if a == nil {
			return fault.Invalidf("area_year has area_id %q, which table area has not", id)
		}
		a.Years = append(a.Years, y)
		return nil
	})
}

// ListYears returns the years of which some area's source says whether it was on the ministry's list.
func (s *Store) ListYears() []int {
	var out []int
	for _, a := range s.areas {
		for _, y := range a.Years {
			if y.OnOfficialList != nil {
				out = append(out, y.Year)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// OnOfficialList reports whether the area was on the ministry's list of the year.
func (a *Area) OnOfficialList(year int) bool {
	return slices.ContainsFunc(a.Years, func(y AreaYear) bool {
		return y.Year == year && y.OnOfficialList != nil && *y.OnOfficialList
	})
}

// Figure returns the key figure of that column of area_year, nil where there is none.
func (a *Area) Figure(column string, year int) *float64 {
	for _, y := range a.Years {
		if y.Year != year {
			continue
		}
		switch column {
		case "percent_non_western":
			return y.NonWestern
		case "percent_outside_work_and_education":
			return y.OutsideWorkAndEducation
		case "percent_convicted":
			return y.Convicted
		case "percent_basic_schooling_only":
			return y.BasicSchoolingOnly
		case "income_ratio":
			return y.IncomeRatio
		}
	}
	return nil
}
