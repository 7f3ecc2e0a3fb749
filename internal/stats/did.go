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
func DifferenceInDifferences(treatedBefore, treatedAfter, controlBefore, controlAfter []Cell, opts DifferenceOptions) (*DoubleDifference, error) {
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
	for i, g := range groups {
		totals[i] = Total(g.cells)
		if totals[i].N == 0 {
			return nil, fault.Invalidf("there are no observations of the %s; a difference in differences needs all four groups", g.name)
		}
		for _, c := range g.cells {
			patterns = append(patterns, Pattern{X: []float64{1, g.treated, g.after, g.treated * g.after}, Cluster: c.Cluster, N: c.N, Sum: c.Sum, SumSq: c.SumSq})
		}
	}
	out := &DoubleDifference{
		TreatedChange: Gap(totals[1], totals[0], Cell{}, level), ControlChange: Gap(totals[3], totals[2], Cell{}, level),
		GapBefore: Gap(totals[0], totals[2], Cell{}, level), GapAfter: Gap(totals[1], totals[3], Cell{}, level),
	}
	value := totals[1].Mean() - totals[0].Mean() - totals[3].Mean() + totals[2].Mean()
	var n float64
	for _, c := range totals {
		n += c.N
	}
	switch {
	case opts.Clustered:
		fit, err := Fit(design, patterns, FitOptions{Covariance: Clustered})
		if err != nil {
			return nil, err
		}
		out.Effect = fit.Coefficient(3, level)
		out.Effect.Method = "difference in differences, cluster-robust"
		out.Warnings = append(out.Warnings, fit.Warnings...)
		out.Warnings = append(out.Warnings, fewTreatedClusters(treatedBefore, treatedAfter)...)
		for _, g := range groups {
			out.Effect.oneCluster(g.name, g.cells)
		}
	case opts.Pooled:
		var sse, inverse float64
		for _, c := range totals {
			sse += math.Max(0, c.SumSq-c.Sum*c.Mean())
			inverse += 1 / c.N
		}
		out.Effect = scaledEstimate("difference in differences, pooled variance", value, sse/(n-4)*inverse, studentQuantile(level, n-4), level)
		if !(n > 4) {
			out.Effect = undefined(out.Effect.Method, level, "%s observations in four groups tell nothing about their variance", formatCount(n))
			out.Effect.Value = value
		}
	default:
		var variance, quartic float64
		for _, c := range totals {
			v := math.Max(0, c.SumSq-c.Sum*c.Mean()) / (c.N - 1) / c.N
			variance += v
			quartic += v * v / (c.N - 1)
		}
		q := 0.0
		if variance > 0 {
			q = studentQuantile(level, variance*variance/quartic)
		}
		out.Effect = scaledEstimate("difference in differences", value, variance, q, level)
		if math.IsNaN(variance) || math.IsInf(variance, 0) {
			out.Effect = undefined(out.Effect.Method, level, "a group of one observation tells nothing about its variance")
			out.Effect.Value = value
		}
	}
	out.Effect.Denominator = n
	out.Effect.noSpread()
	return out, nil
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
		return nil, fault.Invalidf("a difference of changes needs both groups; there are %s treated and %s controls", formatCount(a.N), formatCount(b.N))
	}
	unknown := undefined("gap", level, "only changes are known")
	out := &DoubleDifference{
		TreatedChange: Mean(a.N, a.Sum, a.SumSq, level), ControlChange: Mean(b.N, b.Sum, b.SumSq, level),
		GapBefore: unknown, GapAfter: unknown,
	}
	covariance := Robust
	switch {
	case opts.Clustered:
		covariance = Clustered
	case opts.Pooled:
		covariance = Classical
	default:
		va, vb := out.TreatedChange.SE*out.TreatedChange.SE, out.ControlChange.SE*out.ControlChange.SE
		q := 0.0
		if va+vb > 0 {
			q = studentQuantile(level, (va+vb)*(va+vb)/(va*va/(a.N-1)+vb*vb/(b.N-1)))
		}
		out.Effect = scaledEstimate("difference of changes", a.Mean()-b.Mean(), va+vb, q, level)
		out.Effect.Denominator = a.N + b.N
		out.Effect.Warnings = pairWarnings(out.TreatedChange, out.ControlChange)
		out.Effect.noSpread()
		return out, nil
	}
	design := FreeDesign("treated")
	var patterns []Pattern
	for i, cells := range [][]Cell{controls, treated} {
		for _, c := range cells {
			patterns = append(patterns, Pattern{X: []float64{1, float64(i)}, Cluster: c.Cluster, N: c.N, Sum: c.Sum, SumSq: c.SumSq})
		}
	}
	fit, err := Fit(design, patterns, FitOptions{Covariance: covariance})
	if err != nil {
		return nil, err
	}
	out.Effect = fit.Coefficient(1, level)
	out.Effect.Method = "difference of changes, " + covariance.String()
	out.Warnings = append(out.Warnings, fit.Warnings...)
	if opts.Clustered {
		out.Warnings = append(out.Warnings, fewTreatedClusters(treated)...)
		out.Effect.oneCluster("treated", treated)
		out.Effect.oneCluster("controls", controls)
	}
	out.Effect.noSpread()
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
	return formatCount(float64(clusters)) + " treated clusters are few: the cluster-robust interval is too short, however many controls there are"
}

// oneCluster takes the standard error away where all of a group are in one cluster: their mean fits
// that cluster exactly, which looks like certainty and is none.
func (e *Estimate) oneCluster(name string, cells []Cell) {
	if len(byCluster(cells)) == 1 {
		e.SE, e.Lower, e.Upper = math.NaN(), math.NaN(), math.NaN()
		e.warnf("all %s are in one cluster, which tells nothing about how clusters differ: there is no standard error", name)
	}
}

// noSpread warns of an interval without width.
func (e *Estimate) noSpread() {
	if e.SE == 0 {
		e.warnf("nothing varies within any group: the interval has no width, which is no certainty")
	}
}
