package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// AdjustOptions says how Adjust compares two cohorts. With a Level alone it is a linear model with
// robust standard errors.
type AdjustOptions struct {
	Level      float64 // confidence level, above 0 and below 1
	Model      Model
	Covariance Covariance  // Clustered reads Cell.Cluster
	Dimensions []Dimension // names for terms and warnings
	// Shared are observations that a and b both contain. The regression compares the cohort that is
	// contained in the other with the rest of that one, and the gap is scaled to the whole (see Gap).
	// Of cohorts that merely overlap the shared observations stay in a only.
	Shared []Cell
	// Seed and Draws of the wild cluster bootstrap, which gives a second p value of the adjusted gap where
	// a side has fewer than 40 clusters. Draws are from 99 to 100,000; 999 is usual.
	Seed  uint64
	Draws int
	Stop  Stop
}

// AdjustedGap is the gap between two cohorts before and after adjustment for controls.
type AdjustedGap struct {
	Model     Model
	Crude     Estimate
	Adjusted  Estimate // same unit as Crude: a difference of means or shares
	OddsRatio Estimate // of the logit, adjusted; NaN for the linear model
	PValue    float64  // of no adjusted gap, by the method of Adjusted's interval
	// BootstrapP is the p value of the restricted wild cluster bootstrap (see WildClusterBootstrap), given
	// where a side has fewer than 40 clusters and both at most 400, else NaN. With a handful on one side it
	// is rarely small, and errs to the safe side.
	BootstrapP   float64
	Support      Estimate // share of observations in cells of the controls that both cohorts have
	Coefficients []Coefficient
	Observations float64
	Clusters     int // 0 unless the standard errors are clustered
	Fit          *Regression
	Warnings     []string

	factor float64 // what the coefficient is multiplied by, where one cohort holds the other; else 1
}

// groupTerm is the column of being in the first cohort, after the constant.
const groupTerm = 1

// Coefficient is a term of a regression with its estimate.
type Coefficient struct {
	Term     Term
	Estimate Estimate
}

// Adjust estimates the gap mean(a) - mean(b) with the dimensions of the cells held equal, by a
// regression of the outcome on being in a and on a dummy for each category but the lowest.
//
// Linear: the coefficient of being in a. Logit: its average marginal effect, the mean over all
// observations of the change in probability from not being in a to being in a, beside the odds ratio.
// Where a category has all or none, the change is 0 and its observations count. Without dimensions the
// adjusted gap is the crude one. Cells that only one cohort has are kept (the model extrapolates) and
// Support says how many observations are not in them; none is an error, as are an empty cohort, a
// logit that the controls or the group decide, one cluster, and controls that leave nothing of the
// outcome unexplained. With clusters the interval is that of CR2, of the logit's effect that of the
// jackknife (see Covariance), and a cohort in one cluster has none: its mean fits that cluster exactly,
// which looks like certainty.
//
// Nothing here makes the adjusted gap a causal effect: controls that come after the area (income,
// work) may carry its effect, and families choose areas for reasons not in the data.
func Adjust(a, b []Cell, opts AdjustOptions) (_ *AdjustedGap, err error) {
	defer opts.Stop.end(&err)
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	dims, err := checkCells(a, b, opts.Shared)
	if err != nil {
		return nil, err
	}
	out := &AdjustedGap{Model: opts.Model, PValue: math.NaN(), BootstrapP: math.NaN()}
	totalA, totalB := Total(a), Total(b)
	a, b, factor, warnings, err := disjoint(a, b, opts.Shared)
	if err != nil {
		return nil, err
	}
	out.Warnings = append(out.Warnings, warnings...)
	if shared := Total(opts.Shared); factor < 1 {
		out.Crude = Gap(totalA, totalB, shared, level)
	} else {
		out.Crude = Gap(Total(a), Total(b), Cell{}, level)
	}
	var t *crossTab
	if dims > 0 {
		if t, err = crossTabulate(a, b, nil, opts.Dimensions, opts.Covariance == Clustered); err != nil {
			return nil, err
		}
		a, b = t.merged()
	}
	both, all := commonSupport(a, b)
	out.Support = Wilson(both, all, level)
	out.Support.Method = "share of observations in cells of both cohorts"
	if dims > 0 && both == 0 {
		return nil, fault.Invalidf("no cell of the controls has observations of both cohorts: there is nothing to hold " +
			"equal; use fewer or coarser controls")
	}
	if both < 0.9*all {
		out.Warnings = append(out.Warnings,
			formatPercent(1-both/all)+" of observations are in cells that only one cohort has; the model extrapolates to them")
	}

	design, err := NewDesign(opts.Dimensions, true, a, b)
	if err != nil {
		return nil, err
	}
	patterns, err := design.Patterns(a, true)
	if err != nil {
		return nil, err
	}
	rest, err := design.Patterns(b, false)
	if err != nil {
		return nil, err
	}
	var members []member
	if t != nil && opts.Covariance == Clustered {
		members = t.members()
	}
	fit, err := fitMembers(design, append(patterns, rest...), members, FitOptions{Model: opts.Model,
		Covariance: opts.Covariance, Stop: opts.Stop})
	if err != nil {
		return nil, err
	}
	if fit.Model == Linear && fit.leavesNothing() && decided(a, b) {
		return nil, fault.Invalidf("the controls determine the outcome: nothing of it is left to compare; leave out the " +
			"control that is the outcome")
	}
	out.Fit, out.Observations = fit, fit.Observations+fit.Settled
	if opts.Covariance == Clustered {
		out.Clusters = fit.Clusters
	}
	out.Warnings = append(out.Warnings, fit.Warnings...)
	const group = groupTerm
	out.Adjusted = fit.MarginalEffect(group, level)
	if fit.Model == Logit {
		out.OddsRatio = fit.OddsRatio(group, level)
	} else {
		out.OddsRatio = undefined(fit.Method(), level, "a linear model has no odds ratio")
	}
	if out.Adjusted.SE > 0 {
		df := fit.DF
		if d := out.Adjusted.Design; d != nil {
			df = d.DF
		}
		out.PValue = twoSided(out.Adjusted.Value/out.Adjusted.SE, df)
	}
	if fit.Settled > 0 {
		out.Warnings = append(out.Warnings, fit.saySettled(group))
	}
	if d := out.Adjusted.Design; d != nil && min(d.ClustersA, d.ClustersB) < fewClusters && out.Adjusted.SE > 0 &&
		fit.Clusters <= mostDeleted {
		wild, err := fit.WildMarginalEffect(group, level, opts.Draws, opts.Seed)
		if err != nil {
			return nil, err
		}
		out.BootstrapP = wild.PValue
	}
	out.Adjusted, out.factor = out.Adjusted.scale(factor), factor
	for j, term := range design.Terms {
		out.Coefficients = append(out.Coefficients, Coefficient{term, fit.Coefficient(j, level)})
	}
	return out, nil
}

// saySettled says what the rows that a logit predicts perfectly add to the marginal effect of a term.
func (r *Regression) saySettled(term int) string {
	var moved float64
	x := make([]float64, len(r.coef))
	for _, p := range r.settled {
		copy(x, p.X)
		x[term] = 1
		with, _ := r.probability(x)
		x[term] = 0
		without, _ := r.probability(x)
		moved += p.N * (with - without)
	}
	n := r.Observations + r.Settled
	return fmt.Sprintf("%s of the %s observations are settled by perfect prediction: they stand in the average with "+
		"their settled probabilities, to which they add %.3g, and in no odds ratio or coefficient",
		formatCount(r.Settled), formatCount(n), moved/n)
}

// leavesNothing tells whether a linear model explains all variation that there is.
func (r *Regression) leavesNothing() bool {
	var t Cell
	for _, p := range r.rows {
		t.N, t.Sum, t.SumSq = t.N+p.N, t.Sum+p.Sum, t.SumSq+p.SumSq
	}
	spread := t.SumSq - t.Sum*t.Sum/t.N
	return spread > 0 && r.Sigma2*r.DF <= 1e-9*spread
}

// decided tells whether the outcome is the same within each cell of the controls, whatever the cohort.
func decided(a, b []Cell) bool {
	same := make([]Cell, 0, len(a)+len(b))
	for _, c := range slices.Concat(a, b) {
		same = append(same, Cell{Key: c.Key, N: c.N, Sum: c.Sum, SumSq: c.SumSq})
	}
	slices.SortStableFunc(same, func(x, y Cell) int { return slices.Compare(x.Key, y.Key) })
	for i := 0; i < len(same); {
		j := i
		for j < len(same) && slices.Equal(same[j].Key, same[i].Key) {
			j++
		}
		if Total(same[i:j]).squaredDeviations() > 0 {
			return false
		}
		i = j
	}
	return true
}

// twoSided is P(|T| > |t|) at df degrees of freedom, normal for +Inf.
func twoSided(t, df float64) float64 {
	t = math.Abs(t)
	if math.IsInf(df, 1) || df > 1e6 {
		return 2 * normalTail(t)
	}
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.CDF(-t)
}

// Subtract takes the observations of shared out of cells: sums of the same key and cluster are
// subtracted. It is an error if that leaves a negative number of observations. A cell that shared
// leaves empty is dropped; the order of the rest is by key and cluster.
func Subtract(cells, shared []Cell) ([]Cell, error) {
	if _, err := checkCells(cells, shared); err != nil {
		return nil, err
	}
	all := make([]Cell, 0, len(cells)+len(shared))
	all = append(all, cells...)
	for _, c := range shared {
		all = append(all, Cell{Key: c.Key, Cluster: c.Cluster, N: -c.N, Sum: -c.Sum, SumSq: -c.SumSq})
	}
	slices.SortStableFunc(all, func(x, y Cell) int {
		return cmp.Or(slices.Compare(x.Key, y.Key), cmp.Compare(x.Cluster, y.Cluster))
	})
	var out []Cell
	for _, c := range all {
		if last := len(out) - 1; last >= 0 && out[last].Cluster == c.Cluster && slices.Equal(out[last].Key, c.Key) {
			out[last].N, out[last].Sum, out[last].SumSq = out[last].N+c.N, out[last].Sum+c.Sum, out[last].SumSq+c.SumSq
			continue
		}
		out = append(out, c)
	}
	left := out[:0]
	for _, c := range out {
		switch tiny := 1e-9 * math.Max(1, math.Abs(c.N)); {
		case c.N > tiny:
			left = append(left, c)
		case c.N < -tiny:
			return nil, fault.Invalidf("%g more observations are said to be shared than cell %v has", -c.N, c.Key)
		}
	}
	return left, nil
}

// commonSupport counts the observations in cells that both sides have, and all.
func commonSupport(a, b []Cell) (both, all float64) {
	type mark struct {
		key  []int
		n    float64
		side int
	}
	var marks []mark
	for side, cells := range [][]Cell{a, b} {
		for _, c := range cells {
			if c.N > 0 {
				marks = append(marks, mark{c.Key, c.N, side})
			}
		}
	}
	slices.SortStableFunc(marks, func(x, y mark) int { return slices.Compare(x.key, y.key) })
	for i := 0; i < len(marks); {
		j, sides, n := i, [2]bool{}, 0.0
		for ; j < len(marks) && slices.Equal(marks[j].key, marks[i].key); j++ {
			sides[marks[j].side] = true
			n += marks[j].n
		}
		all += n
		if sides[0] && sides[1] {
			both += n
		}
		i = j
	}
	return both, all
}

func formatPercent(share float64) string {
	return strconv.FormatFloat(100*share, 'g', 3, 64) + " %"
}
