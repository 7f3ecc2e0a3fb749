package resolvers

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// areaYear is an area in a year.
type areaYear struct {
	area *store.Area
	year int
}

// reach sets the participants of each row beside the residents of the target age of its areas and years.
func (r *Resolver) reach(ctx context.Context, rows []*mappingRow) ([]*model.Reach, error) {
	starts, err := r.Store.Starts()
	if err != nil {
		return nil, err
	}
	var recorded []int // years of start
	for _, s := range starts {
		if s.Year != nil {
			recorded = append(recorded, *s.Year)
		}
	}
	if len(recorded) == 0 {
		return nil, fault.NotRecordedf("no participant has a recorded year of start (participant.start_year), so reach cannot be said")
	}
	from, to := slices.Min(recorded), slices.Max(recorded)
	groups, err := r.ageGroups(ctx, rows)
	if err != nil {
		return nil, err
	}
	type place struct{ row, stratum int }
	var places []place
	var members []store.Member
	strata := make([][]stats.ReachStratum, len(rows))
	missing, open := make([]int, len(rows)), make([]int, len(rows))
	for i, row := range rows {
		found := map[areaYear]int{}
		for _, a := range row.activities {
			if a.AgeMin == nil && a.AgeMax == nil {
				open[i]++
			}
		}
		for year := from; year <= to; year++ {
			if row.year != nil && *row.year != year {
				continue
			}
			for _, a := range row.activities {
				if !a.ActiveIn(year) {
					continue
				}
				at := areaYear{a.Area, year}
				if _, ok := found[at]; !ok {
					if groups[at] == nil {
						missing[i]++
						found[at] = -1
						continue
					}
					found[at] = len(strata[i])
					strata[i] = append(strata[i], stats.ReachStratum{Groups: groups[at]})
					for _, other := range row.activities {
						if other.Area == a.Area {
							members = append(members, store.Member{Activity: other, Year: &year, Group: len(places)})
						}
					}
					places = append(places, place{i, found[at]})
				}
				if s := found[at]; s >= 0 {
					strata[i][s].Targets = append(strata[i][s].Targets, target(a))
				}
			}
		}
	}
	persons, err := r.Store.Persons(ctx, members, len(places))
	if err != nil {
		return nil, err
	}
	for i, p := range places {
		strata[p.row][p.stratum].Participants = float64(persons[i])
	}
	out := make([]*model.Reach, len(rows))
	for i := range rows {
		out[i] = reachOf(stats.SumReach(strata[i]))
		if missing[i] > 0 {
			out[i].Warnings = append(out[i].Warnings, fmt.Sprintf("an area in a year without recorded residents, or all of unknown age, is left out %d times of %d", missing[i], missing[i]+len(strata[i])))
		}
		if open[i] > 0 {
			out[i].Warnings = append(out[i].Warnings, fmt.Sprintf("%d of %d activities state no target age: everybody is taken as meant", open[i], len(rows[i].activities)))
		}
	}
	return out, nil
}

// target is the target age of an activity, open where it is not recorded.
func target(a *store.Activity) [2]int {
	out := [2]int{0, math.MaxInt}
	if a.AgeMin != nil {
		out[0] = *a.AgeMin
	}
	if a.AgeMax != nil {
		out[1] = *a.AgeMax
	}
	return out
}

// ageGroups returns the residents of the areas of the rows by year and age group.
func (r *Resolver) ageGroups(ctx context.Context, rows []*mappingRow) (map[areaYear][]stats.AgeGroup, error) {
	table := r.Contract.CohortTable("residents")
	var by []*contract.Dimension
	for _, name := range []string{"AREA", "YEAR", "AGE_GROUP"} {
		d, err := r.Contract.Dimension(name)
		if err != nil {
			return nil, err
		}
		by = append(by, d)
	}
	var ids []string
	for _, row := range rows {
		for _, a := range row.activities {
			if !slices.Contains(ids, a.Area.ID) {
				ids = append(ids, a.Area.ID)
			}
		}
	}
	out := map[areaYear][]stats.AgeGroup{}
	if len(ids) == 0 {
		return out, nil
	}
	cells, err := r.Store.Cells(ctx, store.Query{Table: table, By: by, Where: store.Filter{}.And(store.Condition{Dimension: by[0], Areas: ids})})
	if err != nil {
		return nil, err
	}
	list := by[2].Columns[table.Name].Codes
	oldest := 0
	for _, c := range list.Codes {
		if c.Range != nil {
			oldest = max(oldest, c.Range[1])
		}
	}
	for _, cell := range cells.Rows {
		if slices.Contains(cell.Key, store.None) {
			continue
		}
		c := list.Codes[list.Position(by[2].Codes[cell.Key[2]].Code)]
		if c.Range == nil {
			continue
		}
		at := areaYear{r.Store.Areas()[cell.Key[0]], int(cell.Key[1])}
		out[at] = append(out[at], stats.AgeGroup{Label: c.Label.EN, From: c.Range[0], To: c.Range[1], Open: c.Range[1] == oldest, N: float64(cell.N)})
	}
	return out, nil
}

// reachOf hands back a reach.
func reachOf(x stats.Reach) *model.Reach {
	out := &model.Reach{Value: number(x.Value), Least: number(x.Least), Most: number(x.Most), Participants: int(x.Participants), Residents: number(x.Residents),
		ResidentsLeast: int(x.ResidentsLeast), ResidentsMost: int(x.ResidentsMost), Status: model.StatusObserved, Warnings: notNil(x.Warnings)}
	if x.ResidentsMost == 0 {
		out.Status = model.StatusNoObservations
	}
	return out
}
