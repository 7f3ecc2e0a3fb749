package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// DoubleDifference is what changed more among the treated than among the controls. It is the effect
// on the treated if both would have changed alike without the treatment.
type DoubleDifference struct {
	Effect                       Estimate
	TreatedChange, ControlChange Estimate // after minus before
	GapBefore, GapAfter          Estimate // treated minus controls; NaN where only changes are known
	Warnings                     []string
}

// DifferenceOptions says how uncertain a difference in differences is. With a Level alone it takes the
// observations as independent with a variance of their own in each of the four groups.
type DifferenceOptions struct {
	Level float64 // confidence level, above 0 and below 1
	// Pooled takes one variance for all: √(s² Σ 1/n), s² over N-4 degrees of freedom, as least squares.
	Pooled bool
	// Clustered allows observations of a cluster, as an area treated as one, to be alike over both
	// times (Bertrand, Duflo, Mullainathan 2004, QJE 119:249). Few treated clusters make it too short; a
	// group in one cluster leaves no standard error.
	Clustered bool
}

// DifferenceInDifferences compares two groups before and after, each observed anew:
// (after - before among the treated) - (after - before among the controls). Without clusters the
// interval is Student's, with N-4 degrees of freedom if the variance is pooled and Satterthwaite's if
// not; it does not know persons observed twice, for whom DifferenceOfChanges is right. A group without
// observations is an error.
func DifferenceInDifferences(treatedBefore, treatedAfter, controlBefore, controlAfter []Cell,
	opts DifferenceOptions) (*DoubleDifference, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if _, err := checkCells(treatedBefore, treatedAfter, controlBefore, controlAfter); err != nil {
		return nil, err
	}
	groups := [...]struct {
		name           string
		cells          []Cell
		treated, after float64
	}{
		{"treated before", treatedBefore, 1, 0}, {"treated after", treatedAfter, 1, 1},
		{"controls before", controlBefore, 0, 0}, {"controls after", controlAfter, 0, 1},
	}
	var totals [4]Cell
	design := FreeDesign("treated", "after", "treated after")
	var patterns []Pattern
	var n float64
	for i, g := range groups {
		totals[i] = Total(g.cells)
		n += totals[i].N
		if totals[i].N == 0 {
			return nil, fault.Invalidf("there are no observations of the %s; a difference in differences needs all four groups",
				g.name)
		}
		for _, c := range g.cells {
			patterns = append(patterns, Pattern{X: []float64{1, g.treated, g.after, g.treated * g.after}, Cluster: c.Cluster,
				N: c.N, Sum: c.Sum, SumSq: c.SumSq})
		}
	}
	out := &DoubleDifference{}
	// The parts are sums of the groups' means with these signs, in the order of groups.
	parts := []struct {
		of    *Estimate
		signs [4]float64
	}{
		{&out.TreatedChange, [4]float64{-1, 1, 0, 0}}, {&out.ControlChange, [4]float64{0, 0, -1, 1}},
		{&out.GapBefore, [4]float64{1, 0, -1, 0}}, {&out.GapAfter, [4]float64{0, 1, 0, -1}},
		{&out.Effect, [4]float64{-1, 1, 1, -1}},
	}
	switch {
	case opts.Clustered:
		// by the coefficients of the constant, treated, after, and both
		combine := func(signs [4]float64) []float64 {
			g := make([]float64, 4)
			for i, sign := range signs {
				for j, x := range []float64{1, groups[i].treated, groups[i].after, groups[i].treated * groups[i].after} {
					g[j] += sign * x
				}
			}
			return g
		}
		fit, err := Fit(design, patterns, FitOptions{Covariance: Clustered})
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			*p.of = fit.combination(combine(p.signs), level)
			p.of.Method = "difference of means, cluster-robust"
			for i, g := range groups {
				if p.signs[i] != 0 {
					p.of.oneCluster(g.name, g.cells)
				}
			}
		}
		out.Effect.Method = "difference in differences, cluster-robust"
		out.Warnings = append(out.Warnings, fit.Warnings...)
		out.Warnings = append(out.Warnings, fewTreatedClusters(treatedBefore, treatedAfter)...)
	case opts.Pooled:
		var within float64
		for _, c := range totals {
			within += c.squaredDeviations()
		}
		for _, p := range parts {
			*p.of = pooledDifference(totals[:], p.signs[:], within, level)
		}
		out.Effect.Method = "difference in differences, pooled variance"
	default:
		out.TreatedChange, out.ControlChange = Gap(totals[1], totals[0], Cell{}, level), Gap(totals[3], totals[2], Cell{},
			level)
		out.GapBefore, out.GapAfter = Gap(totals[0], totals[2], Cell{}, level), Gap(totals[1], totals[3], Cell{}, level)
		value := totals[1].Mean() - totals[0].Mean() - totals[3].Mean() + totals[2].Mean()
		var variance, quartic float64
		for _, c := range totals {
			v := c.meanVariance()
			variance += v
			quartic += v * v / (c.N - 1)
		}
		const method = "difference in differences"
		if math.IsNaN(variance) {
			out.Effect = undefined(method, level, "a group of one observation tells nothing about its variance")
			out.Effect.Value = value
		} else {
			out.Effect = scaledEstimate(method, value, variance, studentQuantile(level, variance*variance/quartic), level)
		}
	}
	out.Effect.Denominator = n
	return out, nil
}

// pooledDifference is a sum of means of groups with these signs, whose observations all have the
// variance within/(N - number of groups), by Student's t.
func pooledDifference(groups []Cell, signs []float64, within, level float64) Estimate {
	const method = "difference of means, pooled variance"
	var value, inverse, n, used float64
	for i, c := range groups {
		n += c.N
		if signs[i] != 0 {
			value += signs[i] * c.Mean()
			inverse += 1 / c.N
			used += c.N
		}
	}
	df := n - float64(len(groups))
	var e Estimate
	if df > 0 {
		e = scaledEstimate(method, value, within/df*inverse, studentQuantile(level, df), level)
	} else {
		e = undefined(method, level, "%s observations in %d groups tell nothing about their variance", formatCount(n),
			len(groups))
		e.Value = value
	}
	e.Denominator = used
	return e
}

// DifferenceOfChanges compares changes of units observed before and after: the cells hold sums of
// after - before. Covariates that change the trend can be adjusted for by EstimateEffect on the same
// changes (Abadie 2005; Sant'Anna, Zhao 2020). A group without observations is an error.
func DifferenceOfChanges(treated, controls []Cell, opts DifferenceOptions) (*DoubleDifference, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if _, err := checkCells(treated, controls); err != nil {
		return nil, err
	}
	a, b := Total(treated), Total(controls)
	if a.N == 0 || b.N == 0 {
		return nil, fault.Invalidf("a difference of changes needs both groups; there are %s treated and %s controls",
			formatCount(a.N), formatCount(b.N))
	}
	unknown := undefined("gap", level, "only changes are known")
	out := &DoubleDifference{GapBefore: unknown, GapAfter: unknown}
	parts := []struct {
		of     *Estimate
		method string
		signs  []float64 // of treated and controls
	}{{&out.TreatedChange, "mean change", []float64{1, 0}}, {&out.ControlChange, "mean change",
		[]float64{0, 1}}, {&out.Effect, "difference of changes", []float64{1, -1}}}
	switch {
	case opts.Clustered:
		s := sidesOf(treated, controls)
		s.names = [2]string{"the treated are", "the controls are"}
		if len(s.a) < 2 {
			return nil, oneClusterInAll()
		}
		for _, p := range parts {
			wA, wB := p.signs[0], p.signs[1]
			*p.of = normalEstimate(p.method+", "+Clustered.String(), wA*a.Mean()+wB*b.Mean(),
				wA*wA*a.squaredDeviations()/a.N/a.N+wB*wB*b.squaredDeviations()/b.N/b.N, level)
			p.of.Warnings = nil
			moves := s.means(wA, wB)
			s.clustered(p.of, moves, s.freedomOfBoth(moves))
		}
		out.Warnings = append(out.Warnings, fewTreatedClusters(treated)...)
	case opts.Pooled:
		for _, p := range parts {
			*p.of = pooledDifference([]Cell{a, b}, p.signs, a.squaredDeviations()+b.squaredDeviations(), level)
			p.of.Method = p.method + ", pooled variance"
		}
	default:
		out.TreatedChange, out.ControlChange = Mean(a.N, a.Sum, a.SumSq, level), Mean(b.N, b.Sum, b.SumSq, level)
		va, vb := a.meanVariance(), b.meanVariance()
		q := studentQuantile(level, (va+vb)*(va+vb)/(va*va/(a.N-1)+vb*vb/(b.N-1)))
		out.Effect = scaledEstimate("difference of changes", a.Mean()-b.Mean(), va+vb, q, level)
		out.Effect.Warnings = append(out.Effect.Warnings, pairWarnings(out.TreatedChange, out.ControlChange)...)
	}
	out.Effect.Denominator = a.N + b.N
	return out, nil
}

// fewTreatedClusters warns if clustered standard errors rest on few treated clusters: they are then
// too small however many controls there are (MacKinnon, Webb 2017, J. Appl. Econometrics 32:233).
func fewTreatedClusters(sides ...[]Cell) []string {
	seen := map[int]bool{}
	for _, cells := range sides {
		for _, c := range cells {
			if c.N > 0 {
				seen[c.Cluster] = true
			}
		}
	}
	if len(seen) >= fewTreated {
		return nil
	}
	return []string{fewTreatedWarning(len(seen))}
}

const fewTreated = 10

func fewTreatedWarning(clusters int) string {
	return formatCount(float64(clusters)) +
		" treated clusters are few: the cluster-robust interval is too short, however many controls there are"
}

// oneCluster takes the standard error away where all of a group are in one cluster: their mean fits
// that cluster exactly, which looks like certainty and is none.
func (e *Estimate) oneCluster(name string, cells []Cell) {
	if len(byCluster(cells)) == 1 {
		e.withoutInterval("all " + name +
			" are in one cluster, which tells nothing about how clusters differ: there is no standard error")
	}
}
