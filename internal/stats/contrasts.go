package stats

import (
	"fmt"
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// Contrasts are differences of means, one at a time and all at once.
type Contrasts struct {
	Estimates    []Estimate // with intervals of one at a time
	DF           []float64  // of their intervals, Satterthwaite's over the means; +Inf for the normal
	Covariance   [][]float64
	Simultaneous *Simultaneous // nil if none has a standard error
	Warnings     []string
}

// ContrastOptions says how means are compared.
type ContrastOptions struct {
	Level float64 // confidence level, above 0 and below 1
	// Clustered reads Cell.Cluster: observations of one cluster may be alike, whichever mean they are in.
	// Without it observations are independent.
	Clustered bool
}

// GapsOf estimates the gaps mean(a[k]) - mean(b[k]), as by year, origin or area. b, or a, may be one group
// for all, whose error the gaps then share. The groups must not hold the same persons at the same time; those
// of one person at several times belong to one cluster.
func GapsOf(a, b [][]Cell, opts ContrastOptions) (*Contrasts, error) {
	return contrast([][][]Cell{a, b}, []float64{1, -1}, opts)
}

// GapChanges estimates how gaps changed: mean(aAfter[k]) - mean(bAfter[k]) - (mean(aBefore[k]) -
// mean(bBefore[k])). A list of one group is that group for all: GapChanges(a[:1], b[:1], a[1:], b[1:], opts)
// is the change since the first year in each of the others. See GapsOf.
func GapChanges(aBefore, bBefore, aAfter, bAfter [][]Cell, opts ContrastOptions) (*Contrasts, error) {
	return contrast([][][]Cell{aAfter, bAfter, aBefore, bBefore}, []float64{1, -1, -1, 1}, opts)
}

// contrast estimates Σ signs[s]·mean(sides[s][k]) for each k.
func contrast(sides [][][]Cell, signs []float64, opts ContrastOptions) (*Contrasts, error) {
	if err := CheckLevel(opts.Level); err != nil {
		return nil, err
	}
	k := 1
	for _, side := range sides {
		if len(side) > 1 && k > 1 && len(side) != k {
			return nil, fault.Invalidf("%d and %d groups cannot be compared one by one", k, len(side))
		}
		k = max(k, len(side))
	}
	var means []jointMean
	weights := make([][]float64, k)
	for s, side := range sides {
		if len(side) == 0 {
			return nil, fault.Invalidf("there is no group to compare with")
		}
		first := len(means)
		for _, cells := range side {
			if _, err := checkCells(cells); err != nil {
				return nil, err
			}
			means = append(means, newJointMean(cells))
		}
		for at := range weights {
			for len(weights[at]) < len(means) {
				weights[at] = append(weights[at], 0)
			}
			if len(side) == 1 {
				weights[at][first] += signs[s]
			} else {
				weights[at][first+at] += signs[s]
			}
		}
	}
	covariance := jointCovariance(means, opts.Clustered)
	out := &Contrasts{Covariance: make([][]float64, k)}
	few := math.Inf(1)
	for at, w := range weights {
		var value float64
		clusters, why := math.Inf(1), ""
		parts, number := make([]float64, len(w)), make([]float64, len(w)) // of the variance, by mean
		for i, weight := range w {
			if weight == 0 {
				continue
			}
			m := means[i]
			value += weight * m.total.Mean()
			switch {
			case m.total.N == 0:
				why = "a group without observations has no mean"
			case m.total.IsIndicator() && (m.total.Sum == 0 || m.total.Sum == m.total.N):
				why = "of one of the groups nobody has it, or everybody: that is no certainty, and has no standard error"
			case opts.Clustered:
				parts[i], number[i] = weight*weight*covariance.at(i, i), float64(len(m.clusters))
				clusters = math.Min(clusters, number[i])
			case m.total.N <= 1 && !m.total.IsIndicator():
				why = "one observation tells nothing about its variance"
			}
		}
		df, q := math.Inf(1), normalQuantile(opts.Level)
		method := "difference of means"
		if opts.Clustered {
			df, method = satterthwaite(parts, number), method+", cluster-robust"
			q = studentQuantile(opts.Level, df)
			few = math.Min(few, clusters)
			if why == "" && clusters < 2 {
				why = "a group that is one cluster tells nothing about how clusters differ: there is no standard error"
			}
		}
		e := scaledEstimate(method, value, covariance.variance(w), q, opts.Level)
		if why != "" {
			e.withoutInterval(why)
		}
		e.Denominator = means[firstOf(w)].total.N
		out.Estimates, out.DF = append(out.Estimates, e), append(out.DF, df)
		for other := range weights {
			out.Covariance[at] = append(out.Covariance[at], dot(w, covariance.times(weights[other])))
		}
	}
	if few < fewTreated {
		out.Warnings = append(out.Warnings, fmt.Sprintf("a group of %s clusters is few: its intervals cannot be relied on, "+
			"however many there are elsewhere", formatCount(few)))
	}
	for _, e := range out.Estimates {
		if e.SE > 0 {
			var err error
			out.Simultaneous, err = Simultaneously(out.Estimates, out.Covariance, out.DF, opts.Level)
			return out, err
		}
	}
	return out, nil
}

// firstOf is the position of the first weight that is not 0.
func firstOf(weights []float64) int {
	for i, w := range weights {
		if w != 0 {
			return i
		}
	}
	return 0
}

// jointMean is a group with its sums by cluster.
type jointMean struct {
	total    Cell
	clusters []Cell // in ascending order, without empty ones
}

func newJointMean(cells []Cell) jointMean { return jointMean{Total(cells), byCluster(cells)} }

// jointCovariance is that of the means. Clustered, it adds up what clusters add to the errors of all of
// them, each over √(1 - h), h the share of the mean's observations that it has (CR2; Bell, McCaffrey 2002): with
// clusters alike in size that is G/(G-1) in the variance, G the clusters of the mean.
func jointCovariance(means []jointMean, clustered bool) symmetric {
	v := newSymmetric(len(means))
	if !clustered {
		for i, m := range means {
			switch p := m.total.Mean(); {
			case m.total.N == 0:
			case m.total.IsIndicator():
				v.a[i*v.k+i] = p * (1 - p) / m.total.N
			case m.total.N > 1:
				v.a[i*v.k+i] = m.total.meanVariance()
			}
		}
		return v
	}
	at := make([]int, len(means))
	moved := make([]float64, len(means))
	for {
		next, found := 0, false
		for i, m := range means {
			if at[i] < len(m.clusters) && (!found || m.clusters[at[i]].Cluster < next) {
				next, found = m.clusters[at[i]].Cluster, true
			}
		}
		if !found {
			break
		}
		clear(moved)
		for i, m := range means {
			if at[i] < len(m.clusters) && m.clusters[at[i]].Cluster == next {
				c := m.clusters[at[i]]
				if c.N < m.total.N { // one alone leaves nothing to others
					moved[i] = (c.Sum - c.N*m.total.Mean()) / m.total.N / math.Sqrt(1-c.N/m.total.N)
				}
				at[i]++
			}
		}
		v.addOuter(moved, 1)
	}
	v.fill()
	return v
}
