package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// MantelHaenszel compares the shares of an outcome of two groups within strata and averages over them, with
// weights that stay sound where strata are many and small.
type MantelHaenszel struct {
	OddsRatio      Estimate // variance of Robins, Breslow and Greenland (1986)
	RiskDifference Estimate // variance of Sato, Greenland and Robins (1989)
	RiskRatio      Estimate // variance of Greenland and Robins (1985)
	// ChiSquare is that of no association in any stratum (Cochran; Mantel, Haenszel 1959), on 1 degree of
	// freedom, without a correction for continuity.
	ChiSquare, PValue float64
	// Breslow and Day's statistic of one odds ratio in all strata, on Strata - 1 degrees of freedom, and with
	// Tarone's correction; HomogeneityP is of the latter. Where it is small, the strata do not share
	// an odds ratio, and the average hides how they differ. NaN if it cannot be told.
	BreslowDay, Tarone, HomogeneityP float64
	Strata                           int     // with observations of both groups
	LeftOut                          float64 // observations in the others
	Warnings                         []string
}

// CompareWithinStrata is Mantel's and Haenszel's comparison of an indicator in a and in b within the strata
// that the keys of their cells name. Groups must not share observations. No stratum with both is an error, as
// is an outcome that is no indicator.
func CompareWithinStrata(a, b []Cell, level float64) (*MantelHaenszel, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if !Total(a).IsIndicator() || !Total(b).IsIndicator() {
		return nil, fault.Invalidf("Mantel's and Haenszel's averages are of an outcome of 0 and 1; Σx² is not Σx")
	}
	t, err := crossTabulate(a, b, nil, nil, false)
	if err != nil {
		return nil, err
	}
	out := &MantelHaenszel{}
	var orTop, orBottom, pr, psqr, qs float64          // odds ratio
	var rdTop, rdBottom, rdP, rdQ float64              // difference
	var rrTop, rrBottom, rrV, excess, variance float64 // ratio; χ²
	for i := range t.a {
		x1, n1, x0, n0 := t.a[i].y, t.a[i].n, t.b[i].y, t.b[i].n
		n := n1 + n0
		if n1 == 0 || n0 == 0 {
			out.LeftOut += n
			continue
		}
		out.Strata++
		y1, y0 := n1-x1, n0-x0
		p, q, r, s := (x1+y0)/n, (y1+x0)/n, x1*y0/n, y1*x0/n
		orTop, orBottom = orTop+r, orBottom+s
		pr, psqr, qs = pr+p*r, psqr+p*s+q*r, qs+q*s
		rdTop, rdBottom = rdTop+(x1*n0-x0*n1)/n, rdBottom+n1*n0/n
		rdP += (n1*n1*x0 - n0*n0*x1 + n1*n0*(n0-n1)/2) / (n * n)
		rdQ += (x1*y0 + x0*y1) / (2 * n)
		rrTop, rrBottom = rrTop+x1*n0/n, rrBottom+x0*n1/n
		m := x1 + x0
		rrV += (n1*n0*m/n - x1*x0) / n
		excess += x1 - n1*m/n
		if n > 1 {
			variance += n1 * n0 * m * (n - m) / (n * n * (n - 1))
		}
	}
	if out.Strata == 0 {
		return nil, fault.Invalidf("no stratum has observations of both groups: there is nothing to compare within")
	}
	z := normalQuantile(level)
	const method = "Mantel-Haenszel"
	ratio := func(top, bottom, logVariance float64) Estimate {
		if !(top > 0 && bottom > 0) {
			return undefined(method, level, "within the strata one of the groups has none, or all, of what the ratio is made of")
		}
		e := Estimate{Value: top / bottom, Level: level, Numerator: math.NaN(), Denominator: t.nA, Method: method}
		return e.onLogScale(logVariance, z)
	}
	out.OddsRatio = ratio(orTop, orBottom, pr/(2*orTop*orTop)+psqr/(2*orTop*orBottom)+qs/(2*orBottom*orBottom))
	out.RiskRatio = ratio(rrTop, rrBottom, rrV/(rrTop*rrBottom))
	difference := rdTop / rdBottom
	out.RiskDifference = normalEstimate(method, difference, (difference*rdP+rdQ)/(rdBottom*rdBottom), level)
	out.RiskDifference.Denominator = t.nA
	out.ChiSquare, out.PValue = excess*excess/variance, math.NaN()
	if variance > 0 {
		out.PValue = chiSquareTail(out.ChiSquare, 1)
	}
	out.homogeneity(t)
	if out.LeftOut > 0 {
		out.Warnings = append(out.Warnings, formatCount(out.LeftOut)+" observations are in strata that only one group has")
	}
	if out.HomogeneityP < .05 {
		out.Warnings = append(out.Warnings, "the strata do not share an odds ratio: an average hides how they differ")
	}
	return out, nil
}

// homogeneity compares the strata with what the common odds ratio makes of their margins.
func (m *MantelHaenszel) homogeneity(t *crossTab) {
	m.BreslowDay, m.Tarone, m.HomogeneityP = math.NaN(), math.NaN(), math.NaN()
	common := m.OddsRatio.Value
	if math.IsNaN(common) || m.Strata < 2 {
		return
	}
	var statistic, off, variance float64
	strata := 0.0
	for i := range t.a {
		x1, n1, x0, n0 := t.a[i].y, t.a[i].n, t.b[i].y, t.b[i].n
		all := x1 + x0
		if n1 == 0 || n0 == 0 || all == 0 || all == n1+n0 {
			continue // tells nothing of an odds ratio
		}
		// x of group a with x(n0 - all + x) = common·(n1 - x)(all - x)
		a, b, c := 1-common, n0-all+common*(n1+all), -common*n1*all
		x := -c / b
		if math.Abs(a) > 1e-12 {
			x = 2 * -c / (b + math.Sqrt(b*b-4*a*c))
		}
		v := 1 / (1/x + 1/(n1-x) + 1/(all-x) + 1/(n0-all+x))
		statistic += (x1 - x) * (x1 - x) / v
		off, variance = off+x1-x, variance+v
		strata++
	}
	if strata < 2 {
		return
	}
	m.BreslowDay, m.Tarone = statistic, statistic-off*off/variance
	m.HomogeneityP = chiSquareTail(m.Tarone, strata-1)
}
