package stats

import (
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// WithinEffect is the difference that a treatment makes within areas: what differs between areas, recorded or
// not, is held equal by an indicator for each (area fixed effects).
type WithinEffect struct {
	Effect Estimate
	// Areas have both treated and controls, the only ones that say anything; LeftOut are the treated elsewhere.
	Areas    int
	LeftOut  float64
	Warnings []string
}

// EffectWithin estimates the coefficient of treatment in a linear regression of the outcome on treatment, the
// design's terms and an indicator for each area (Cluster) that has treated and controls, with standard errors by
// area. The indicators are not fitted: the means of the area are taken away from everything instead, which
// is the same (Frisch, Waugh 1933). An area counts as much as treatment varies in it, n·p(1-p): where effects
// differ by area that is not the effect on the treated, which ExactMatching with the area among the
// dimensions gives. Fewer than two areas with both is an error.
func EffectWithin(design Design, rows []TreatmentRow, level float64) (*WithinEffect, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	patterns := make([]Pattern, len(rows))
	for i := range rows {
		patterns[i] = rows[i].Pattern
	}
	if err := checkPatterns(design, patterns); err != nil {
		return nil, err
	}
	type area struct {
		means    []float64 // of treatment, in the constant's place, and the terms
		total    Cell
		controls float64
	}
	areas := map[int]*area{}
	for i := range patterns {
		p := &patterns[i]
		p.X = slices.Clone(p.X)
		p.X[0] = float64(armOf(rows[i].Treated))
		a := areas[p.Cluster]
		if a == nil {
			a = &area{means: make([]float64, len(p.X))}
			areas[p.Cluster] = a
		}
		for j, x := range p.X {
			a.means[j] += p.N * x
		}
		a.controls += p.N * (1 - p.X[0])
		a.total.N, a.total.Sum = a.total.N+p.N, a.total.Sum+p.Sum
	}
	out := &WithinEffect{}
	var treated float64
	for _, a := range areas {
		n := a.total.N - a.controls
		treated += n
		if n > 0 && a.controls > 0 {
			out.Areas++
		} else {
			out.LeftOut += n
		}
	}
	if out.Areas < 2 {
		return nil, fault.Invalidf("%d areas have both treated and controls; what differs within areas is told by two at "+
			"least, and its error by some %d", out.Areas, fewClusters)
	}
	patterns = slices.DeleteFunc(patterns, func(p Pattern) bool {
		a := areas[p.Cluster]
		return p.N == 0 || a.controls == 0 || a.controls == a.total.N
	})
	for i := range patterns {
		p := &patterns[i]
		a := areas[p.Cluster]
		for j := range p.X {
			p.X[j] -= a.means[j] / a.total.N
		}
		mean := a.total.Mean()
		p.Sum, p.SumSq = p.Sum-p.N*mean, leftOf(p.SumSq-2*mean*p.Sum+p.N*mean*mean, p.SumSq)
	}
	design.Terms = slices.Clone(design.Terms)
	design.Terms[0] = Term{Name: "(treatment)", Dimension: -1, Category: -1}
	fit, err := Fit(design, patterns, FitOptions{Covariance: Clustered})
	if err != nil {
		return nil, err
	}
	out.Effect = fit.Coefficient(0, level)
	out.Effect.Method += ", area fixed effects"
	out.Effect.Denominator = treated - out.LeftOut
	out.Warnings = fit.Warnings
	if out.LeftOut > 0 {
		out.Warnings = append(out.Warnings, formatCount(out.LeftOut)+" treated are in areas without controls and say nothing")
	}
	return out, nil
}
