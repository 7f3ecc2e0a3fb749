package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// WithinEffect is the difference that a treatment makes within areas: what differs between areas, recorded or
// not, is held equal by an indicator for each (area fixed effects).
type WithinEffect struct {
	Effect Estimate
	// Areas have both treated and controls: the others say nothing. TreatedElsewhere are in areas without
	// controls, or the only ones of theirs.
	Areas            int
	TreatedElsewhere float64
	Warnings         []string
}

// EffectWithin estimates the coefficient of treatment in a linear regression of the outcome on treatment, the
// design's terms and an indicator for each area (Cluster), with standard errors by area, times G/(G-1) and
// (n-1)/(n-k), and t at G-1 degrees of freedom for G areas with both arms. An area counts as much as
// treatment varies in it, n·p(1-p): where effects differ by area that is not the effect on the treated, which
// ExactMatching with the area among the dimensions gives. Fewer than two areas with both arms is an error.
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
	k := len(design.Terms) // the constant's place is the treatment's
	type area struct {
		rows  []int
		means []float64 // of treatment and terms
		total Cell
		arms  [2]float64
	}
	areas := map[int]*area{}
	var order []*area
	for i, r := range rows {
		if r.N == 0 {
			continue
		}
		a := areas[r.Cluster]
		if a == nil {
			a = &area{means: make([]float64, k)}
			areas[r.Cluster], order = a, append(order, a)
		}
		a.rows = append(a.rows, i)
		a.arms[armOf(r.Treated)] += r.N
		a.total.N, a.total.Sum, a.total.SumSq = a.total.N+r.N, a.total.Sum+r.Sum, a.total.SumSq+r.SumSq
		for j := 1; j < k; j++ {
			a.means[j] += r.N * r.X[j]
		}
		if r.Treated {
			a.means[0] += r.N
		}
	}
	out := &WithinEffect{}
	information, right := newSymmetric(k), make([]float64, k)
	var n, target float64
	moved := func(a *area, i int) []float64 {
		x := make([]float64, k)
		for j := range x {
			x[j] = rows[i].X[j] - a.means[j]/a.total.N
		}
		x[0] = float64(armOf(rows[i].Treated)) - a.means[0]/a.total.N
		return x
	}
	for _, a := range order {
		if a.arms[0] > 0 && a.arms[1] > 0 {
			out.Areas++
			target += a.arms[1]
		} else {
			out.TreatedElsewhere += a.arms[1]
		}
		n += a.total.N
		for _, i := range a.rows {
			x := moved(a, i)
			information.addOuter(x, rows[i].N)
			for j, v := range x {
				right[j] += v * (rows[i].Sum - rows[i].N*a.total.Mean())
			}
		}
	}
	if out.Areas < 2 {
		return nil, fault.Invalidf("%d areas have both treated and controls; what differs within areas is told by two at "+
			"least, and its error by some %d", out.Areas, fewClusters)
	}
	information.fill()
	inverse, omitted := information.inverse(nil)
	if omitted[0] {
		return nil, fault.Invalidf("treatment does not vary within areas")
	}
	coef := inverse.times(right)
	kept := 0.0
	for _, o := range omitted {
		kept += float64(oneIf(!o))
	}
	var variance float64
	for _, a := range order {
		var sum float64
		for _, i := range a.rows {
			x := moved(a, i)
			residual := rows[i].Sum - rows[i].N*(a.total.Mean()+dot(x, coef))
			sum += residual * dot(x, inverse.a[:k])
		}
		variance += sum * sum
	}
	g := float64(out.Areas)
	variance *= g / (g - 1) * (n - 1) / (n - kept)
	out.Effect = scaledEstimate("linear, area fixed effects, cluster-robust", coef[0], variance,
		studentQuantile(level, g-1), level)
	out.Effect.Denominator = target
	if out.Areas < fewClusters {
		out.Warnings = append(out.Warnings, formatCount(g)+" areas with both arms are few: the interval tends to be too "+
			"short")
	}
	if out.TreatedElsewhere > 0 {
		out.Warnings = append(out.Warnings, formatCount(out.TreatedElsewhere)+" treated are in areas without controls and "+
			"say nothing")
	}
	if math.IsNaN(out.Effect.SE) {
		out.Effect.warnf("areas differ in nothing that is left")
	}
	return out, nil
}
