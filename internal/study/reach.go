package study

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// areaYear is an area in a year.
type areaYear struct {
	area *cells.Area
	year int
}

// reach sets the participants of each row beside the residents of the target age of its areas and years.
func (r *Request) reach(ctx context.Context, rows []*mappingRow) ([]*Reach, error) {
	starts, err := r.starts(ctx)
	if err != nil {
		return nil, err
	}
	var recorded []int // years of start
	for _, s := range starts {
		if s.year != nil {
			recorded = append(recorded, *s.year)
		}
	}
	if len(recorded) == 0 {
		return nil, fault.NotRecordedf("no participant has a recorded year of start (participant.start_year), so reach " +
			"cannot be said")
	}
	from, to := slices.Min(recorded), slices.Max(recorded)
	groups, err := r.ageGroups(ctx, rows)
	if err != nil {
		return nil, err
	}
	type place struct{ row, stratum int }
	var places []place
	var members []cells.Member
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
							members = append(members, cells.Member{Activity: other, Year: &year, Group: len(places)})
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
	tables, err := r.tables(ctx, []need{{query: cells.Persons{Members: members, Groups: len(places)}}})
	if err != nil {
		return nil, err
	}
	for i, p := range places {
		strata[p.row][p.stratum].Participants = tables[0].Cells[i].N.Float()
	}
	out := make([]*Reach, len(rows))
	for i := range rows {
		out[i] = reachOf(stats.SumReach(strata[i]))
		if missing[i] > 0 {
			out[i].Warnings = append(out[i].Warnings,
				fmt.Sprintf("an area in a year without recorded residents, or all of unknown age, is left out %d times of %d",
					missing[i], missing[i]+len(strata[i])))
		}
		if open[i] > 0 {
			out[i].Warnings = append(out[i].Warnings,
				fmt.Sprintf("%d of %d activities state no target age: everybody is taken as meant", open[i],
					len(rows[i].activities)))
		}
	}
	return out, nil
}

// target is the target age of an activity, open where it is not recorded.
func target(a *cells.Activity) [2]int {
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
func (r *Request) ageGroups(ctx context.Context, rows []*mappingRow) (map[areaYear][]stats.AgeGroup, error) {
	table := r.Contract.CohortTable("residents")
	by, err := r.dimensions("AREA", "YEAR", "AGE_GROUP")
	if err != nil {
		return nil, err
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
	tables, err := r.tables(ctx, []need{{query: cells.Observations{Table: table, By: by,
		Where: cells.Filter{}.And(cells.Condition{Dimension: by[0], Areas: ids})}}})
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
	for _, cell := range tables[0].Cells {
		if slices.Contains(cell.Key, cells.None) {
			continue
		}
		c := list.Codes[list.Position(by[2].Codes[cell.Key[2]].Code)]
		if c.Range == nil {
			continue
		}
		at := areaYear{r.Catalogue.Areas[cell.Key[0]], int(cell.Key[1])}
		out[at] = append(out[at], stats.AgeGroup{Label: c.Label.EN, From: c.Range[0], To: c.Range[1],
			Open: c.Range[1] == oldest, N: cell.N.Float()})
	}
	return out, nil
}

// reachOf hands back a reach.
func reachOf(x stats.Reach) *Reach {
	out := &Reach{Value: number(x.Value), Least: number(x.Least), Most: number(x.Most), Participants: int(x.Participants),
		Residents:      number(x.Residents),
		ResidentsLeast: int(x.ResidentsLeast), ResidentsMost: int(x.ResidentsMost), Status: StatusObserved,
		Warnings: notNil(x.Warnings)}
	if x.ResidentsMost == 0 {
		out.Status = StatusNoObservations
	}
	return out
}
