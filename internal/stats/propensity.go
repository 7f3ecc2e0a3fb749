package stats

import (
	"math"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// propensity is the probability of treatment by row, with what the standard errors of an estimate
// that uses it need: the score of one observation in row i is score[i]·x, and a change of the
// linear predictor by 1 changes e by slope[i].
type propensity struct {
	columns []int
	e       []float64
	slope   []float64
	score   []float64
	inverse symmetric // of the observed information of all rows
	// settled rows are those that the covariates assign to one arm with certainty. They have no
	// counterpart; e is 0 or 1 there and says nothing else.
	settled  []bool
	warnings []string
}

// fitPropensity estimates the probability of treatment given the terms in columns, by logit or
// probit. Separation does not depend on the link, so that the logit finds it for both.
func fitPropensity(design Design, columns []int, rows []TreatmentRow, probit bool, stop Stop) (*propensity, error) {
	sub := design.project(columns)
	patterns := make([]Pattern, len(rows))
	for i, row := range rows {
		// The row's position travels as its cluster, so that rows which the fit leaves out are known.
		patterns[i] = Pattern{X: project(row.X, columns), Cluster: i, N: row.N}
		if row.Treated {
			patterns[i].Sum, patterns[i].SumSq = row.N, row.N
		}
	}
	fit, err := Fit(sub, patterns, FitOptions{Model: Logit, Covariance: Classical, Stop: stop})
	if err != nil {
		return nil, fault.Invalidf("the propensity to take part cannot be estimated: %w", err)
	}
	p := &propensity{
		columns: columns, e: make([]float64, len(rows)), slope: make([]float64, len(rows)), score: make([]float64, len(rows)),
		settled: make([]bool, len(rows)), warnings: prefixed("propensity: ", fit.Warnings),
	}
	for i, row := range rows {
		p.settled[i] = true
		if row.Treated {
			p.e[i] = 1
		}
	}
	for _, kept := range fit.rows {
		p.settled[kept.Cluster] = false
	}
	b := append([]float64(nil), fit.coef...)
	if probit {
		if b, err = probitFrom(fit); err != nil {
			return nil, err
		}
	}
	information := newSymmetric(len(columns))
	for i := range rows {
		if p.settled[i] {
			continue
		}
		x := patterns[i].X
		eta := dot(x, b)
		var curvature float64
		if probit {
			p.e[i], p.slope[i] = distuv.UnitNormal.CDF(eta), distuv.UnitNormal.Prob(eta)
			p.score[i] = probitScore(eta, rows[i].Treated)
			curvature = p.score[i] * (p.score[i] + eta)
		} else {
			p.e[i] = logistic(eta)
			p.slope[i] = p.e[i] * (1 - p.e[i])
			p.score[i] = -p.e[i]
			if rows[i].Treated {
				p.score[i] = 1 - p.e[i]
			}
			curvature = p.slope[i]
		}
		if !(p.e[i] > 0 && p.e[i] < 1) {
			p.settled[i] = true // as good as certain: 1/e or 1/(1-e) overflows
			continue
		}
		information.addOuter(x, rows[i].N*curvature)
	}
	information.fill()
	p.inverse, _ = information.inverse(fit.omitted)
	return p, nil
}

// probitScore is the derivative of the log likelihood by the linear predictor.
func probitScore(eta float64, treated bool) float64 {
	if !treated {
		return -probitScore(-eta, true)
	}
	if eta < -30 {
		return -eta - 1/eta // Mills' ratio where the distribution function underflows
	}
	return distuv.UnitNormal.Prob(eta) / distuv.UnitNormal.CDF(eta)
}

// probitFrom estimates the probit on the rows of a logit by Newton's method with the observed
// information, which is positive definite, from the logit's coefficients times 0.6.
func probitFrom(logit *Regression) ([]float64, error) {
	k := len(logit.coef)
	b := make([]float64, k)
	for j, v := range logit.coef {
		b[j] = 0.6 * v
	}
	for range maxIterations {
		information, score := newSymmetric(k), make([]float64, k)
		for i := range logit.rows {
			p := &logit.rows[i]
			eta := dot(p.X, b)
			for _, side := range [...]struct {
				n       float64
				treated bool
			}{{p.Sum, true}, {p.N - p.Sum, false}} {
				if side.n == 0 {
					continue
				}
				s := probitScore(eta, side.treated)
				information.addOuter(p.X, side.n*s*(s+eta))
				for j, x := range p.X {
					score[j] += side.n * s * x
				}
			}
		}
		information.fill()
		inverse, _ := information.inverse(logit.omitted)
		step := inverse.times(score)
		for j := range b {
			b[j] += step[j]
		}
		largest := 0.0
		for i := range logit.rows {
			largest = math.Max(largest, math.Abs(dot(logit.rows[i].X, step)))
		}
		if largest <= stepTolerance {
			return b, nil
		}
	}
	return nil, fault.Invalidf("the probit of treatment did not converge in %d steps; the logit or fewer covariates "+
		"would help", maxIterations)
}

// project is the design of some of its terms. Factors are kept if all their columns are.
func (d Design) project(columns []int) Design {
	position := map[int]int{}
	var out Design
	for at, j := range columns {
		position[j] = at
		out.Terms = append(out.Terms, d.Terms[j])
	}
	for _, f := range d.Factors {
		kept := Factor{Name: f.Name, Base: f.Base}
		for _, j := range f.Columns {
			if at, ok := position[j]; ok {
				kept.Columns = append(kept.Columns, at)
			}
		}
		if len(kept.Columns) == len(f.Columns) {
			out.Factors = append(out.Factors, kept)
		}
	}
	return out
}

func project(x []float64, columns []int) []float64 {
	out := make([]float64, len(columns))
	for at, j := range columns {
		out[at] = x[j]
	}
	return out
}

// ofTreatment words what a fit of the treatment says of its outcome.
var ofTreatment = strings.NewReplacer("has the outcome", "is treated", "have the outcome", "are treated",
	"decides the outcome", "decides the treatment")

func prefixed(prefix string, warnings []string) (out []string) {
	for _, w := range warnings {
		out = append(out, prefix+ofTreatment.Replace(w))
	}
	return out
}
