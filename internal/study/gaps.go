package study

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// GapsOf asks for the gap between two cohorts in each category of a dimension; by YEAR also for how it
// changed since the first one.
type GapsOf struct {
	GapOf
	By string
}

// Gaps are several gaps between two cohorts, in the order of their keys.
type Gaps struct {
	Cells     []*GapCell
	Looks     int
	EachLevel *float64
	Warnings  []string

	estimates []stats.Estimate
	level     float64
	overTime  bool
}

// GapCell is one of several gaps; Change is since the first year.
type GapCell struct {
	Key                        map[string]any
	Gap, Simultaneous          *Estimate
	PValue                     *float64
	Change, SimultaneousChange *Estimate
}

// GapRank is the place of a gap, 1 the largest, and the places that it may truly have, for all at once.
type GapRank struct {
	Key               map[string]any
	Rank, Best, Worst *int
}

// mostGaps bounds how many gaps are compared with one another.
const mostGaps = 1_000

// designOf returns the dimension and those by which observations are clustered, none where the places are
// named or not recorded; why says so.
func (q GapsOf) designOf(s *Study) (by *contract.Dimension, cluster []*contract.Dimension, why string, err error) {
	if by, err = s.Contract.Dimension(q.By); err != nil {
		return nil, nil, "", err
	}
	area, err := s.Contract.Dimension("AREA")
	if err != nil {
		return nil, nil, "", err
	}
	table := q.Comparison.This.Table
	switch {
	case by.IsArea() || by.Name == "MUNICIPALITY":
		return by, nil, "The places are those that are named, and observations within them are taken as independent" +
			s.alike(q.Comparison.This), nil
	case !s.Catalogue.HasDimension(table, area):
		return by, nil, "Areas are not recorded in this data set, and observations are taken as independent; those of one " +
			"place " +
			"are alike, so the intervals are too short.", nil
	}
	name := area.Name
	cluster, err = s.clusterDimensions(table, &name)
	return by, cluster, "", err
}

func (q GapsOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	indicator, err := s.Contract.Indicator(q.Indicator)
	if err != nil {
		return nil, err
	}
	by, cluster, _, err := q.designOf(s)
	if err != nil {
		return nil, err
	}
	if err := notTheOutcome(q.Comparison.This.Table, by, indicator); err != nil {
		return nil, err
	}
	return q.Comparison.both(s, cells.Observations{By: append([]*contract.Dimension{by}, cluster...),
		Indicators: []*contract.Indicator{indicator}, MaxCells: maxComparisonCells})
}

func (q GapsOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*Gaps, error) {
	if len(tables) > 2 && tables[2].Total().N.Value > 0 {
		return nil, fault.Invalidf("the cohorts have %d observations in common, which would stand on both sides of each "+
			"gap; "+
			"compare with a cohort that excludes this one, e.g. `setting: [REST]`", tables[2].Total().N.Value)
	}
	by, cluster, why, err := q.designOf(r.Study)
	if err != nil {
		return nil, err
	}
	out := &Gaps{Cells: []*GapCell{}, Warnings: []string{}, level: q.Level, overTime: by.Name == "YEAR"}
	if why != "" {
		out.Warnings = append(out.Warnings, why)
	}
	this, other := r.byKey(tables[0]), r.byKey(tables[1])
	var keys, alone []int32
	for k := range this {
		if other[k] != nil || by.IsArea() && k != cells.None {
			keys = append(keys, k)
		} else if !by.IsArea() {
			alone = append(alone, k)
		}
	}
	for k := range other {
		if this[k] == nil && !by.IsArea() {
			alone = append(alone, k)
		}
	}
	slices.SortFunc(keys, cells.CompareKeys)
	if len(alone) > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("Only one of the cohorts has observations where %s is %s: no gap "+
			"is given "+
			"there.", by.Name, r.named(by, alone)))
	}
	switch {
	case len(keys) == 0:
		return nil, fault.Invalidf("there is no category of %s in which both cohorts have observations", by.Name)
	case len(keys) > mostGaps:
		return nil, fault.Overf("gaps", mostGaps, "%d gaps are too many to be compared with one another, at most %d are; "+
			"narrow "+
			"the cohorts", len(keys), mostGaps)
	}
	var a, b [][]stats.Cell
	for _, k := range keys {
		a = append(a, this[k])
		if !by.IsArea() {
			b = append(b, other[k])
		}
	}
	if by.IsArea() { // the others have no area: each is compared with all of them
		b = [][]stats.Cell{r.statsCells(tables[1], 1)}
	}
	options := stats.ContrastOptions{Level: q.Level, Clustered: len(cluster) > 0}
	gaps, err := stats.GapsOf(a, b, options)
	if err != nil {
		return nil, err
	}
	out.Warnings, out.estimates = append(out.Warnings, gaps.Warnings...), gaps.Estimates
	if len(cluster) == 0 {
		independently(gaps, a, b, q.Level)
	}
	for i, k := range keys {
		cell := &GapCell{Key: r.key([]*contract.Dimension{by}, cells.Cell{Key: []int32{k}}), Gap: derived(gaps.Estimates[i])}
		if all := gaps.Simultaneous; all != nil {
			cell.Simultaneous, cell.PValue = derived(all.Estimates[i]), number(all.Adjusted[i])
			out.Looks, out.EachLevel = all.Looks, number(all.Each)
		}
		out.Cells = append(out.Cells, cell)
	}
	if by.Name != "YEAR" || len(keys) < 2 {
		return out, nil
	}
	changes, err := stats.GapChanges(a[:1], b[:1], a[1:], b[1:], options)
	if err != nil {
		return nil, err
	}
	for i, e := range changes.Estimates {
		out.Cells[i+1].Change = derived(e)
		if all := changes.Simultaneous; all != nil {
			out.Cells[i+1].SimultaneousChange = derived(all.Estimates[i])
		}
	}
	return out, nil
}

// independently gives gaps of independent observations the score intervals of single gaps, which hold also where
// nobody has the indicator; for all at once at the level at which one is as wide.
func independently(gaps *stats.Contrasts, a, b [][]stats.Cell, level float64) {
	of := func(i int, level float64) stats.Estimate {
		other := b[0]
		if len(b) > 1 {
			other = b[i]
		}
		return stats.Gap(stats.Total(a[i]), stats.Total(other), stats.Cell{}, level)
	}
	for i := range gaps.Estimates {
		gaps.Estimates[i] = of(i, level)
		if all := gaps.Simultaneous; all != nil {
			all.Estimates[i] = of(i, all.Each)
			all.Estimates[i].Level = level
		}
	}
}

// Ranks are the places in the order of the gaps; nil where fewer than two have an interval, and of years, in which
// the places are the same.
func (g *Gaps) Ranks() ([]*GapRank, error) {
	if g.Looks < 2 || g.overTime {
		return nil, nil
	}
	ranks, err := stats.RankIntervals(g.estimates, g.level)
	if err != nil {
		return nil, err
	}
	out := make([]*GapRank, len(g.Cells))
	for i, cell := range g.Cells {
		out[i] = &GapRank{Key: cell.Key}
		if of := ranks.Ranks[i]; of.Rank > 0 {
			out[i].Rank, out[i].Best, out[i].Worst = &of.Rank, &of.AllBest, &of.AllWorst
		}
	}
	return out, nil
}

// byKey sorts the cells of a table by its first key.
func (s *Study) byKey(table *cells.Table) map[int32][]stats.Cell {
	out := map[int32][]stats.Cell{}
	for i, c := range s.statsCells(table, 1) {
		if c.N > 0 { // whose value is unknown is in no share
			key := table.Cells[i].Key[0]
			out[key] = append(out[key], c)
		}
	}
	return out
}

// named lists keys of a dimension as they are written.
func (r *Request) named(d *contract.Dimension, keys []int32) string {
	slices.SortFunc(keys, cells.CompareKeys)
	var out []string
	for _, k := range keys {
		code, _ := r.category(d, k, In(nil))
		out = append(out, code)
	}
	return strings.Join(out, ", ")
}
