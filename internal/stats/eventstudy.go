package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// EventStudy is what changed in areas in which something started, as a social housing plan, by the time since
// the start, beside areas in which it did not (Callaway, Sant'Anna 2021): every area counts the same.
type EventStudy struct {
	// Effects are by the number of periods since the start, each against the last period before it, whose
	// effect is 0; negative ones show how areas differed in trend before. Effects.Overall is the mean
	// from the start on, Effects.Simultaneous has intervals that all hold at once.
	Effects Aggregation
	ByStart Aggregation // by the period of the start
	// Pretrends tests all effects before the start together. That it does not reject is no proof of
	// parallel trends, and to go on only if it does not makes the intervals too short (Roth 2022).
	Pretrends WaldTest
	// First and Mean are how the effect in the first period, and the mean of all, stand if trends were not
	// parallel, judged by the periods before that every start has; nil where there is none of those,
	// and a warning says so.
	First, Mean *HonestStudy
	JudgedFrom  int // the earliest number of periods before the start that First and Mean are judged by
	Areas       float64
	Treated     float64 // areas in which it started
	Warnings    []string
}

// EventStudyOptions says how to compare.
type EventStudyOptions struct {
	Level float64 // confidence level, above 0 and below 1
	// NotYetTreated takes as controls also areas in which it starts later.
	NotYetTreated bool
	// Clusters are what areas are alike within, as municipalities, by area; nil for areas on their own.
	Clusters map[int]int
}

// EventStudyOf estimates the effects from the cells of areas and periods (see AreaPanel), against areas in
// which it never starts. An area that is not observed in some period, or in which it had started at the
// first, is left out with a warning. Two-way fixed effects would take those that started earlier for
// controls, which a test shows to miss effects that grow.
func EventStudyOf(periods []int, cells []Cell, starts map[int]int, opts EventStudyOptions) (*EventStudy, error) {
	units, err := AreaPanel(periods, cells, starts)
	if err != nil {
		return nil, err
	}
	if opts.Clusters != nil {
		for i := range units {
			cluster, ok := opts.Clusters[units[i].Cluster]
			if !ok {
				return nil, fault.Invalidf("it is not said which cluster the area %d is in", units[i].Cluster)
			}
			units[i].Cluster = cluster
		}
	}
	units, alone := withoutSingleStarts(periods, units)
	if alone > 0 && !slices.ContainsFunc(units, func(u PanelUnit) bool {
		return u.First > periods[0] && u.First <= periods[len(periods)-1]
	}) {
		return nil, fault.Invalidf("no two areas share a start (%d areas have one of their own), and one area tells nothing "+
			"about how areas differ; take more areas", alone)
	}
	r, err := StaggeredEffects(periods, units, GroupTimeOptions{Level: opts.Level, Universal: true,
		NotYetTreated: opts.NotYetTreated, Clustered: opts.Clusters != nil})
	if err != nil {
		return nil, err
	}
	out := &EventStudy{Effects: r.ByExposure(), ByStart: r.ByGroup(), Pretrends: r.Pretrends, Areas: r.Units,
		Warnings: r.Warnings, JudgedFrom: periods[0] - r.groups[0]}
	if alone > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("areas left out, as the only ones of their start: %d; one area "+
			"tells "+
			"nothing about how areas differ", alone))
	}
	if r.Units < fewForPretrends {
		out.Warnings = append(out.Warnings, fmt.Sprintf("with %s areas the test of trends before the start, which goes by "+
			"χ², "+
			"rejects too often", formatCount(r.Units)))
	}
	for _, g := range r.group {
		out.Treated += float64(oneIf(g >= 0))
	}
	later := 0
	for _, part := range out.Effects.Parts {
		later += oneIf(part.At >= 0)
	}
	mean := make([]float64, later)
	for i := range mean {
		mean[i] = 1 / float64(later)
	}
	if out.First, err = r.Honest(out.JudgedFrom, HonestOptions{}); err == nil {
		out.Mean, err = r.Honest(out.JudgedFrom, HonestOptions{Weights: mean})
	}
	if err != nil {
		out.Warnings = append(out.Warnings, "how effects stand under other trends is not told: "+err.Error())
	}
	return out, nil
}

// fewForPretrends is the number of areas below which the χ² of the pre-trends is warned of.
const fewForPretrends = 40

// withoutSingleStarts leaves out the areas that started when no other did: an effect of a start that is one area
// would have the variance of its controls alone.
func withoutSingleStarts(periods []int, units []PanelUnit) (kept []PanelUnit, alone int) {
	starts := map[int]int{}
	for _, u := range units {
		starts[u.First]++
	}
	for _, u := range units {
		if u.First > periods[0] && u.First <= periods[len(periods)-1] && starts[u.First] == 1 {
			alone++
			continue
		}
		kept = append(kept, u)
	}
	return kept, alone
}

// AreaPanel makes units of areas for StaggeredEffects: the outcome of an area in a period is the mean of its
// cells, so that every area counts the same, however many live there. The first key of a cell is its
// period, Cluster the area; starts is the period in which treatment starts, by area, 0 for never. An area
// without observations in a period has an unknown outcome there. A cell of a period that is not
// asked for, or of an area whose start is not given, is an error.
func AreaPanel(periods []int, cells []Cell, starts map[int]int) ([]PanelUnit, error) {
	if dims, err := checkCells(cells); err != nil {
		return nil, err
	} else if dims < 1 {
		return nil, fault.Invalidf("cells without a key name no period")
	}
	sorted := make([][]Cell, len(periods))
	var areas []int
	for _, c := range cells {
		at := slices.Index(periods, c.Key[0])
		if at < 0 {
			return nil, fault.Invalidf("a cell is of the period %d, which is none of %v", c.Key[0], periods)
		}
		if _, ok := starts[c.Cluster]; !ok {
			return nil, fault.Invalidf("it is not said when the area %d starts; 0 is never", c.Cluster)
		}
		sorted[at] = append(sorted[at], c)
		areas = append(areas, c.Cluster)
	}
	slices.Sort(areas)
	areas = slices.Compact(areas)
	units := make([]PanelUnit, len(areas))
	for i, area := range areas {
		units[i] = PanelUnit{First: starts[area], Outcomes: make([]float64, len(periods)), Cluster: area}
		for at := range periods {
			units[i].Outcomes[at] = math.NaN()
		}
	}
	for at, list := range sorted {
		for _, c := range byCluster(list) {
			i, _ := slices.BinarySearch(areas, c.Cluster)
			units[i].Outcomes[at] = c.Mean()
		}
	}
	return units, nil
}
