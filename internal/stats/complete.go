package stats

import "slices"

// Unknowns counts the observations of cells that have an unknown category: by dimension, and of any (either).
// unknown lists the categories by dimension that stand for an unknown value.
func Unknowns(cells []Cell, unknown [][]int) (by []float64, either float64) {
	by = make([]float64, len(unknown))
	for _, c := range cells {
		found := false
		for d, categories := range unknown {
			if slices.Contains(categories, c.Key[d]) {
				by[d] += c.N
				found = true
			}
		}
		if found {
			either += c.N
		}
	}
	return by, either
}

// CompleteCases keeps the cells none of whose categories is unknown; see Unknowns. An estimate of them is
// of complete cases: it speaks of everybody only if, within the categories, being known has nothing to do
// with the outcome (Little, Rubin 2019, ch. 3).
func CompleteCases(cells []Cell, unknown [][]int) []Cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool {
		for d, categories := range unknown {
			if slices.Contains(categories, c.Key[d]) {
				return true
			}
		}
		return false
	})
}
