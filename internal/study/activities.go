package study

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/fault"
)

// notEmpty returns an error for a list of a filter that is there and empty.
func notEmpty[T any](field string, list []T) error {
	if list != nil && len(list) == 0 {
		return fault.Invalidf("%s is an empty list, which nothing matches; leave it out to keep all", field)
	}
	return nil
}

// notOf is the error of a filter on an area or a plan, asked of another, that nothing can match.
func notOf(field, name string) error {
	return fault.Invalidf("%s names others than %s, of which this is asked, so that nothing matches; leave it out", field,
		name)
}

// once returns an error if a dimension stands twice.
func once[T ~string](by []T) error {
	for i, d := range by {
		if slices.Contains(by[:i], d) {
			return fault.Invalidf("%s stands twice in `by`; once was expected", d)
		}
	}
	return nil
}

// Activities returns the activities that the filter keeps, in the order of their names; those of
// an area or a plan only where one is given.
func (s *Study) Activities(where *ActivityFilter, area *Area, plan *Plan) ([]*Activity, error) {
	if err := s.Catalogue.Needs("activity", "activities"); err != nil {
		return nil, err
	}
	if where == nil {
		where = &ActivityFilter{}
	}
	for _, err := range []error{notEmpty("theme", where.Theme), notEmpty("type", where.Type), notEmpty("area", where.Area),
		notEmpty("plan", where.Plan), s.checkYear(where.ActiveIn)} {
		if err != nil {
			return nil, err
		}
	}
	var areas, plans []string
	for _, id := range where.Area {
		own := strings.TrimPrefix(id, "Area:")
		if s.Catalogue.Area(own) == nil {
			return nil, fault.NotFoundf("no area %q in this data set; `areas` lists them", id)
		}
		areas = append(areas, own)
	}
	for _, id := range where.Plan {
		own := strings.TrimPrefix(id, "Plan:")
		if s.Catalogue.Plan(own) == nil {
			return nil, fault.NotFoundf("no plan %q in this data set; `plans` lists them", id)
		}
		plans = append(plans, own)
	}
	switch {
	case area != nil && where.Area != nil && !slices.Contains(areas, area.Area.ID):
		return nil, notOf("area", area.Name)
	case plan != nil && where.Plan != nil && !slices.Contains(plans, plan.Plan.ID):
		return nil, notOf("plan", plan.Name)
	}
	out := []*Activity{}
	for _, a := range s.Catalogue.Activities {
		switch {
		case area != nil && a.Area != area.Area, plan != nil && a.Plan != plan.Plan,
			where.Theme != nil && !slices.Contains(where.Theme, a.Theme),
			where.Type != nil && !slices.Contains(where.Type, a.Type),
			where.Area != nil && !slices.Contains(areas, a.Area.ID),
			where.Plan != nil && !slices.Contains(plans, a.Plan.ID),
			where.ActiveIn != nil && !a.ActiveIn(*where.ActiveIn):
		default:
			out = append(out, &Activity{a})
		}
	}
	sortActivities(out)
	return out, nil
}

// mapping is what the rows of one mapping have in common: what needs the participants is counted for
// all of them together.
type mapping struct {
	rows    []*mappingRow
	reached func() ([]*Reach, error)
}

// mappingRow is a row of a mapping: its key, one rank per dimension, and the activities that fall into it.
type mappingRow struct {
	key        []int
	activities []*cells.Activity
	year       *int
}

// ActivityCount is a row of a mapping.
type ActivityCount struct {
	Theme, Type *string
	Area        *Area
	Plan        *Plan
	Year        *int
	Activities  *Count

	row int // its place among the rows of the mapping
	of  *mapping
}

// Mapping counts activities by the dimensions.
func (r *Request) Mapping(ctx context.Context, by []ActivityDimension, where *ActivityFilter) ([]*ActivityCount,
	error) {
	if err := once(by); err != nil {
		return nil, err
	}
	activities, err := r.Activities(where, nil, nil)
	if err != nil {
		return nil, err
	}
	starts, err := r.starts(ctx)
	if err != nil && fault.KindOf(err) != fault.NotRecorded { // without participants a year has activities only
		return nil, err
	}
	m := &mapping{rows: r.mappingRows(by, activities, starts)}
	if limit := r.Cells; limit > 0 && len(m.rows) > limit {
		return nil, fault.Overf("cells", limit,
			"mapping activities by %v gives %d rows; the limit is %d; narrow the list or split by fewer "+
				"dimensions", by, len(m.rows), limit)
	}
	m.reached = sync.OnceValues(func() ([]*Reach, error) { return r.reach(ctx, m.rows) })
	out := []*ActivityCount{}
	for i, row := range m.rows {
		active := 0
		for _, a := range row.activities {
			if row.year == nil || a.ActiveIn(*row.year) {
				active++
			}
		}
		c := &ActivityCount{Activities: counted(active), Year: row.year, row: i, of: m}
		if len(row.activities) > 0 {
			first := row.activities[0]
			for _, d := range by {
				switch d {
				case ActivityDimensionTheme:
					c.Theme = &first.Theme
				case ActivityDimensionType:
					c.Type = &first.Type
				case ActivityDimensionArea:
					c.Area = &Area{first.Area}
				case ActivityDimensionPlan:
					c.Plan = &Plan{first.Plan}
				}
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// Participants counts the persons who took part in the activities of a row, each once.
func (r *Request) Participants(ctx context.Context, c *ActivityCount) (*Count, error) {
	q := cells.Persons{Groups: len(c.of.rows)}
	for i, row := range c.of.rows {
		for _, a := range row.activities {
			q.Members = append(q.Members, cells.Member{Activity: a, Year: row.year, Group: i})
		}
	}
	tables, err := r.tables(ctx, []need{{query: q}})
	if err != nil {
		return nil, err
	}
	return count(tables[0].Cells[c.row].N), nil
}

// Participations counts the times that somebody took up an activity of a row.
func (r *Request) Participations(ctx context.Context, c *ActivityCount) (*Count, error) {
	all, err := r.starts(ctx)
	if err != nil {
		return nil, err
	}
	row := c.of.rows[c.row]
	return participations(all, func(s start) bool {
		return s.activity != nil && slices.Contains(row.activities, s.activity) &&
			(row.year == nil || s.year != nil && *s.year == *row.year)
	}), nil
}

// ParticipationsOf counts the times that somebody took up an activity.
func (r *Request) ParticipationsOf(ctx context.Context, a *Activity) (*Count, error) {
	all, err := r.starts(ctx)
	if err != nil {
		return nil, err
	}
	return participations(all, func(s start) bool { return s.activity == a.Activity }), nil
}

func participations(all []start, keep func(start) bool) *Count {
	var n cells.Count
	for _, s := range all {
		if keep(s) {
			n = n.Plus(s.n)
		}
	}
	return count(n)
}

// Reach sets the participants of a row beside the residents of the target age.
func (r *Request) Reach(_ context.Context, c *ActivityCount) (*Reach, error) {
	reached, err := c.of.reached()
	if err != nil {
		return nil, err
	}
	return reached[c.row], nil
}

// start is how many took up an activity in a year.
type start struct {
	activity *cells.Activity // nil where it is not recorded
	year     *int            // nil where it is not recorded
	n        cells.Count
}

// starts returns the participations.
func (r *Request) starts(ctx context.Context) ([]start, error) {
	tables, err := r.tables(ctx, []need{{query: cells.Starts{}}})
	if err != nil {
		return nil, err
	}
	out := make([]start, len(tables[0].Cells))
	for i, c := range tables[0].Cells {
		out[i].n = c.N
		if c.Key[0] != cells.None {
			out[i].activity = r.Catalogue.Activities[c.Key[0]]
		}
		if c.Key[1] != cells.None {
			year := int(c.Key[1])
			out[i].year = &year
		}
	}
	return out, nil
}

// mappingRows puts the activities into rows, in order. Without dimensions there is one row.
func (s *Study) mappingRows(by []ActivityDimension, activities []*Activity, starts []start) []*mappingRow {
	if len(by) == 0 {
		row := &mappingRow{}
		for _, a := range activities {
			row.activities = append(row.activities, a.Activity)
		}
		return []*mappingRow{row}
	}
	rank := s.ranks()
	byYear := slices.Contains(by, ActivityDimensionYear)
	rows := map[string]*mappingRow{}
	for _, a := range activities {
		years := []*int{nil}
		if byYear {
			years = s.yearsOf(a.Activity, starts)
		}
		for _, year := range years {
			var key []int
			for _, d := range by {
				switch d {
				case ActivityDimensionTheme:
					key = append(key, s.Contract.Codelist("theme").Position(a.Theme))
				case ActivityDimensionType:
					key = append(key, s.Contract.Codelist("activity_type").Position(a.Type))
				case ActivityDimensionArea:
					key = append(key, rank["Area:"+a.Area.ID])
				case ActivityDimensionPlan:
					key = append(key, rank["Plan:"+a.Plan.ID])
				case ActivityDimensionYear:
					key = append(key, *year)
				}
			}
			name := fmt.Sprint(key)
			if rows[name] == nil {
				rows[name] = &mappingRow{key: key, year: year}
			}
			rows[name].activities = append(rows[name].activities, a.Activity)
		}
	}
	var out []*mappingRow
	for _, row := range rows {
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b *mappingRow) int { return slices.Compare(a.key, b.key) })
	return out
}

// ranks gives the place of every area and plan in the order of their names, by global id.
func (s *Study) ranks() map[string]int {
	out := map[string]int{}
	var areas []*Area
	for _, a := range s.Catalogue.Areas {
		areas = append(areas, &Area{a})
	}
	s.sortByName(areas)
	for i, a := range areas {
		out[a.GetID()] = i
	}
	var plans []*Plan
	for _, p := range s.Catalogue.Plans {
		plans = append(plans, &Plan{p})
	}
	sortPlans(plans)
	for i, p := range plans {
		out[p.GetID()] = i
	}
	return out
}

// yearsOf returns the years in which the activity was active or somebody started in it.
func (s *Study) yearsOf(a *cells.Activity, starts []start) []*int {
	years := map[int]bool{}
	for _, y := range s.mappedYears() {
		if a.ActiveIn(y) {
			years[y] = true
		}
	}
	for _, s := range starts {
		if s.activity == a && s.year != nil {
			years[*s.year] = true
		}
	}
	var out []*int
	for y := range years {
		out = append(out, &y)
	}
	return out
}

// mappedYears returns the years of the data set; of one whose tables have none, those from the
// first recorded start of an activity to the last recorded end.
func (s *Study) mappedYears() []int {
	if len(s.Dataset.Years) > 0 {
		return s.Dataset.Years
	}
	var known []int
	for _, a := range s.Catalogue.Activities {
		for _, day := range []*string{a.Start, a.End} {
			if day == nil {
				continue
			}
			if year, err := strconv.Atoi(strings.SplitN(*day, "-", 2)[0]); err == nil {
				known = append(known, year)
			}
		}
	}
	var out []int
	if len(known) > 0 {
		for y := slices.Min(known); y <= slices.Max(known); y++ {
			out = append(out, y)
		}
	}
	return out
}

// MappingWarnings says what a row of a mapping leaves out.
func (r *Request) MappingWarnings(ctx context.Context, c *ActivityCount) ([]string, error) {
	out := []string{}
	all, err := r.starts(ctx)
	if fault.KindOf(err) == fault.NotRecorded {
		return append(out, err.Error()), nil
	}
	if err != nil {
		return nil, err
	}
	var nowhere, undated int64
	var recorded []int
	for _, s := range all {
		if s.year != nil {
			recorded = append(recorded, *s.year)
		}
		switch {
		case s.activity == nil:
			nowhere += s.n.Value
		case s.year == nil:
			undated += s.n.Value
		}
	}
	if nowhere > 0 {
		out = append(out, fmt.Sprintf("participations of the data set without a recorded activity, which stand in no row: %d",
			nowhere))
	}
	if c.Year != nil && undated > 0 {
		out = append(out, fmt.Sprintf("participations of the data set without a recorded year of start, which stand in no "+
			"year: %d", undated))
	}
	if c.Year != nil && len(recorded) > 0 && (*c.Year < slices.Min(recorded) || *c.Year > slices.Max(recorded)) {
		out = append(out, fmt.Sprintf("starts are recorded from %d to %d, so that none in %d says nothing",
			slices.Min(recorded), slices.Max(recorded), *c.Year))
	}
	return out, nil
}
