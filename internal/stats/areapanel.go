package stats

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

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
