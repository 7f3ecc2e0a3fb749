package resolvers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/store"
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
	return fault.Invalidf("%s names others than %s, of which this is asked, so that nothing matches; leave it out", field, name)
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

// activities returns the activities that the filter keeps, in the order of their names; those of
// an area or a plan only where one is given.
func (r *Resolver) activities(where *model.ActivityFilter, area *store.Area, plan *store.Plan) ([]*model.Activity, error) {
	all, err := r.Store.Activities()
	if err != nil {
		return nil, err
	}
	if where == nil {
		where = &model.ActivityFilter{}
	}
	for _, err := range []error{notEmpty("theme", where.Theme), notEmpty("type", where.Type), notEmpty("area", where.Area), notEmpty("plan", where.Plan), r.checkYear(where.ActiveIn)} {
		if err != nil {
			return nil, err
		}
	}
	var areas, plans []string
	for _, id := range where.Area {
		own := strings.TrimPrefix(id, "Area:")
		if r.Store.Area(own) == nil {
			return nil, fault.NotFoundf("no area %q in this data set; `areas` lists them", id)
		}
		areas = append(areas, own)
	}
	for _, id := range where.Plan {
		own := strings.TrimPrefix(id, "Plan:")
		if r.Store.Plan(own) == nil {
			return nil, fault.NotFoundf("no plan %q in this data set; `plans` lists them", id)
		}
		plans = append(plans, own)
	}
	switch {
	case area != nil && where.Area != nil && !slices.Contains(areas, area.ID):
		return nil, notOf("area", area.Name)
	case plan != nil && where.Plan != nil && !slices.Contains(plans, plan.ID):
		return nil, notOf("plan", plan.Name)
	}
	out := []*model.Activity{}
	for _, a := range all {
		switch {
		case area != nil && a.Area != area, plan != nil && a.Plan != plan,
			where.Theme != nil && !slices.Contains(where.Theme, a.Theme),
			where.Type != nil && !slices.Contains(where.Type, a.Type),
			where.Area != nil && !slices.Contains(areas, a.Area.ID),
			where.Plan != nil && !slices.Contains(plans, a.Plan.ID),
			where.ActiveIn != nil && !a.ActiveIn(*where.ActiveIn):
		default:
			out = append(out, &model.Activity{Activity: a})
		}
	}
	sortActivities(out)
	return out, nil
}

// activityPage makes a page of the activities that the filter keeps.
func (r *Resolver) activityPage(where *model.ActivityFilter, area *store.Area, plan *store.Plan, asked paging) (*model.ActivityConnection, error) {
	list, err := r.activities(where, area, plan)
	if err != nil {
		return nil, err
	}
	p, err := cut(list, (*model.Activity).GetID, asked, standardPage)
	if err != nil {
		return nil, err
	}
	out := &model.ActivityConnection{Nodes: p.nodes, Edges: []*model.ActivityEdge{}, PageInfo: p.info, TotalCount: len(list)}
	for i, a := range p.nodes {
		out.Edges = append(out.Edges, &model.ActivityEdge{Node: a, Cursor: p.cursors[i]})
	}
	return out, nil
}

// mappingRow is a row of a mapping: its key, one rank per dimension, and the activities that fall into it.
type mappingRow struct {
	key        []int
	activities []*store.Activity
	year       *int
}

// mapping counts activities by the dimensions.
func (r *Resolver) mapping(ctx context.Context, by []model.ActivityDimension, where *model.ActivityFilter) ([]*model.ActivityCount, error) {
	if err := once(by); err != nil {
		return nil, err
	}
	activities, err := r.activities(where, nil, nil)
	if err != nil {
		return nil, err
	}
	rows := r.mappingRows(by, activities)
	if limit := r.Dataset.Limits.Cells; len(rows) > limit {
		return nil, fault.Overf("cells", limit, "mapping activities by %v gives %d rows; the limit is %d; narrow the list or split by fewer dimensions", by, len(rows), limit)
	}
	persons := sync.OnceValues(func() ([]int64, error) {
		var members []store.Member
		for i, row := range rows {
			for _, a := range row.activities {
				members = append(members, store.Member{Activity: a, Year: row.year, Group: i})
			}
		}
		return r.Store.Persons(ctx, members, len(rows))
	})
	reached := sync.OnceValues(func() ([]*model.Reach, error) { return r.reach(ctx, rows) })
	out := []*model.ActivityCount{}
	for i, row := range rows {
		active := 0
		for _, a := range row.activities {
			if row.year == nil || a.ActiveIn(*row.year) {
				active++
			}
		}
		c := &model.ActivityCount{Activities: &model.Count{Value: &active, Status: model.StatusObserved}, Year: row.year, Row: i, Persons: persons, Reached: reached,
			Starts: func() ([]store.Start, error) { return r.startsOf(row) }}
		if len(row.activities) > 0 {
			first := row.activities[0]
			for _, d := range by {
				switch d {
				case model.ActivityDimensionTheme:
					c.Theme = &first.Theme
				case model.ActivityDimensionType:
					c.Type = &first.Type
				case model.ActivityDimensionArea:
					c.Area = &model.Area{Area: first.Area}
				case model.ActivityDimensionPlan:
					c.Plan = &model.Plan{Plan: first.Plan}
				}
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// mappingRows puts the activities into rows, in order. Without dimensions there is one row.
func (r *Resolver) mappingRows(by []model.ActivityDimension, activities []*model.Activity) []*mappingRow {
	if len(by) == 0 {
		row := &mappingRow{}
		for _, a := range activities {
			row.activities = append(row.activities, a.Activity)
		}
		return []*mappingRow{row}
	}
	rank := r.ranks()
	byYear := slices.Contains(by, model.ActivityDimensionYear)
	rows := map[string]*mappingRow{}
	for _, a := range activities {
		years := []*int{nil}
		if byYear {
			years = r.yearsOf(a.Activity)
		}
		for _, year := range years {
			var key []int
			for _, d := range by {
				switch d {
				case model.ActivityDimensionTheme:
					key = append(key, r.Contract.Codelist("theme").Position(a.Theme))
				case model.ActivityDimensionType:
					key = append(key, r.Contract.Codelist("activity_type").Position(a.Type))
				case model.ActivityDimensionArea:
					key = append(key, rank["Area:"+a.Area.ID])
				case model.ActivityDimensionPlan:
					key = append(key, rank["Plan:"+a.Plan.ID])
				case model.ActivityDimensionYear:
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
func (r *Resolver) ranks() map[string]int {
	out := map[string]int{}
	var areas []*model.Area
	for _, a := range r.Store.Areas() {
		areas = append(areas, &model.Area{Area: a})
	}
	r.sortAreas(areas, nil)
	for i, a := range areas {
		out[a.GetID()] = i
	}
	var plans []*model.Plan
	for _, p := range r.Store.Plans() {
		plans = append(plans, &model.Plan{Plan: p})
	}
	sortPlans(plans)
	for i, p := range plans {
		out[p.GetID()] = i
	}
	return out
}

// yearsOf returns the years in which the activity was active or somebody started in it.
func (r *Resolver) yearsOf(a *store.Activity) []*int {
	years := map[int]bool{}
	for _, y := range r.mappedYears() {
		if a.ActiveIn(y) {
			years[y] = true
		}
	}
	if starts, err := r.Store.Starts(); err == nil { // without participants a year has activities only
		for _, s := range starts {
			if s.Activity == a && s.Year != nil {
				years[*s.Year] = true
			}
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
func (r *Resolver) mappedYears() []int {
	if len(r.Dataset.Years) > 0 {
		return r.Dataset.Years
	}
	var known []int
	activities, _ := r.Store.Activities()
	for _, a := range activities {
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

// startsOf returns the participants of the row as cells.
func (r *Resolver) startsOf(row *mappingRow) ([]store.Start, error) {
	all, err := r.Store.Starts()
	if err != nil {
		return nil, err
	}
	var out []store.Start
	for _, s := range all {
		if s.Activity != nil && slices.Contains(row.activities, s.Activity) && (row.year == nil || s.Year != nil && *s.Year == *row.year) {
			out = append(out, s)
		}
	}
	return out, nil
}

// participants adds up participations; with an activity, its own.
func participants(starts []store.Start, of *store.Activity) *model.Count {
	n := 0
	for _, s := range starts {
		if of == nil || s.Activity == of {
			n += int(s.N)
		}
	}
	return &model.Count{Value: &n, Status: model.StatusObserved}
}

// mappingWarnings says what a row of a mapping leaves out.
func (r *Resolver) mappingWarnings(c *model.ActivityCount) ([]string, error) {
	out := []string{}
	all, err := r.Store.Starts()
	if fault.KindOf(err) == fault.NotRecorded {
		return append(out, err.Error()), nil
	}
	if err != nil {
		return nil, err
	}
	var nowhere, undated int64
	var recorded []int
	for _, s := range all {
		if s.Year != nil {
			recorded = append(recorded, *s.Year)
		}
		switch {
		case s.Activity == nil:
			nowhere += s.N
		case s.Year == nil:
			undated += s.N
		}
	}
	if nowhere > 0 {
		out = append(out, fmt.Sprintf("participations of the data set without a recorded activity, which stand in no row: %d", nowhere))
	}
	if c.Year != nil && undated > 0 {
		out = append(out, fmt.Sprintf("participations of the data set without a recorded year of start, which stand in no year: %d", undated))
	}
	if c.Year != nil && len(recorded) > 0 && (*c.Year < slices.Min(recorded) || *c.Year > slices.Max(recorded)) {
		out = append(out, fmt.Sprintf("starts are recorded from %d to %d, so that none in %d says nothing", slices.Min(recorded), slices.Max(recorded), *c.Year))
	}
	return out, nil
}
