package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// PanelUnit is a unit, as an area or a person, observed in every period.
type PanelUnit struct {
	First    int       // the period in which treatment starts; 0 for never
	Outcomes []float64 // by period; NaN where unknown
	X        []float64 // one value per term of the design, known before treatment; nil without covariates
	Cluster  int       // e.g. the area of a person; only clustered standard errors read it
}

// GroupTimeOptions says how to compare. With a Level alone it is unconditional, against units never
// treated, with a base that varies before treatment.
type GroupTimeOptions struct {
	Level float64 // confidence level, above 0 and below 1
	// Method adjusts for the covariates: RegressionAdjustment, IPW or AIPW (Sant'Anna, Zhao 2020);
	// Unadjusted uses none.
	Method EffectMethod
	Design Design // of the covariates; the zero Design without them
	// NotYetTreated takes as controls also units that are treated later than both periods compared.
	NotYetTreated bool
	// Universal compares every period with the last before treatment. By default periods before
	// treatment are compared with the period before them.
	Universal bool
	// Anticipation is the number of periods before the start in which there may be an effect already.
	Anticipation int
	Clustered    bool
	// LargeSample leaves out the factor n/(n-1) of each group in variances, and takes normal quantiles, as
	// R's did: with few treated the intervals are then too short.
	LargeSample bool
}

// GroupTimeEffects are the effects of a treatment that starts at different times in different
// groups. A two-way fixed effects regression would weight some of them negatively; this does not.
type GroupTimeEffects struct {
	Effects []GroupTimeEffect // by group, then period
	// Pretrends tests that all effects before treatment are 0. It has little power with few units:
	// not rejecting is no proof of parallel trends.
	Pretrends WaldTest
	Units     float64 // used
	Warnings  []string

	opts     GroupTimeOptions
	groups   []int       // treated groups in ascending order
	share    []float64   // of units, by group
	group    []int       // by unit: position in groups, -1 for never treated
	cluster  []int       // by unit
	sampled  []int       // by unit: its position among what was sampled, units or clusters
	stratum  []int       // by what was sampled: 0 for never treated, else the position of its group + 1
	sizes    []float64   // by stratum
	typical  float64     // mean square of the outcomes
	moved    [][]float64 // by effect and unit: what the unit adds to the error
	reliable []bool      // by effect: it has a standard error
}

// GroupTimeEffect is ATT(g,t): the average effect in a period on the units whose treatment starts in
// another. It is the change since Base among them minus that among the controls.
type GroupTimeEffect struct {
	Group, Period, Base int
	Treated, Controls   float64 // units
	Effect              Estimate
}

// WaldTest is a test that several estimates are all 0. NaN if there is nothing to test.
type WaldTest struct{ Statistic, DF, P float64 }

// Aggregation averages group-time effects. Units of larger groups count more.
type Aggregation struct {
	Overall    Estimate
	Parts      []AggregatePart
	Covariance [][]float64 // of Parts; 0 where a base period is compared with itself
	// Simultaneous has the Parts with intervals that all hold at once; nil if none has a standard error.
	Simultaneous *Simultaneous

	freedom []float64 // degrees of freedom of Parts
}

// AggregatePart is the average at one group, period, or number of periods since the start.
type AggregatePart struct {
	At     int
	Effect Estimate
}

const oneTreated = "one treated unit, or cluster, of a start tells nothing about how those treated differ: there is " +
	"no standard error"

// fewInGroup is the number of units, or of clusters, in a group below which it warns, as R's did does.
const fewInGroup = 5

// StaggeredEffects estimates group-time average effects (Callaway, Sant'Anna 2021, J. Econometrics
// 225:200): for each group of units that start treatment in the same period g and each period t, the
// change of the outcome since the base period beside the change among controls. From the start
// (less Anticipation) on, the base is the last period before it. Standard errors come from
// influence functions, so that the same data give the same digits, with n/(n-1) for the units of each group, or
// clusters; intervals are t with Satterthwaite's degrees of freedom over the groups. Where each start
// is of one unit alone, nothing has an interval.
//
// periods are in ascending order, above 0, as Outcomes are. Units treated from the first period on,
// and units with an unknown outcome, are left out with a warning; units that start after the last
// period are never treated. Group and period pairs without controls are left out with a warning. No
// treated group, or no controls for any, is an error.
func StaggeredEffects(periods []int, units []PanelUnit, opts GroupTimeOptions) (*GroupTimeEffects, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	opts.Level = level
	if err := opts.check(periods, units); err != nil {
		return nil, err
	}
	r := &GroupTimeEffects{opts: opts, Pretrends: WaldTest{math.NaN(), math.NaN(), math.NaN()}}
	units = r.usable(periods, units)
	for _, u := range units {
		if u.First != 0 && !slices.Contains(r.groups, u.First) {
			r.groups = append(r.groups, u.First)
		}
	}
	slices.Sort(r.groups)
	if len(r.groups) == 0 {
		return nil, fault.Invalidf("no unit starts treatment after the first period (%d): there is no change to learn from",
			periods[0])
	}
	r.Units = float64(len(units))
	r.share = make([]float64, len(r.groups))
	for _, u := range units {
		k := slices.Index(r.groups, u.First)
		r.group, r.cluster = append(r.group, k), append(r.cluster, u.Cluster)
		if k >= 0 {
			r.share[k] += 1 / r.Units
		}
	}
	r.settleSampling()
	if opts.Clustered && len(r.stratum) < 2 {
		return nil, fault.Invalidf("all units are in one cluster: clustered standard errors need at least two")
	}
	for k, g := range r.groups {
		if n := r.sizes[k+1]; n < fewInGroup {
			what := "units"
			if opts.Clustered {
				what = "clusters"
			}
			r.Warnings = append(r.Warnings, fmt.Sprintf("group %d has %g %s: its standard errors are uncertain", g, n, what))
		}
	}
	var without []string
	for _, g := range r.groups {
		start := -1 // the last period before an effect may be felt
		for i, p := range periods {
			if p < g-opts.Anticipation {
				start = i
			}
		}
		if start < 0 {
			r.Warnings = append(r.Warnings,
				fmt.Sprintf("group %d has no period before treatment, with %d of anticipation; it has no effects", g,
					opts.Anticipation))
			continue
		}
		for at, period := range periods {
			base := start
			if period < g-opts.Anticipation && !opts.Universal {
				base = at - 1
			}
			if base < 0 {
				continue
			}
			found, err := r.add(units, periods, g, at, base)
			if err != nil {
				return nil, fault.Invalidf("group %d, period %d: %w", g, period, err)
			}
			if !found {
				without = append(without, fmt.Sprintf("%d in %d", g, period))
			}
		}
	}
	if len(r.Effects) == 0 {
		return nil, fault.Invalidf("no group has controls; not-yet-treated units, or units never treated, are needed")
	}
	if len(without) > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("no controls are left for %d pairs of group and period, the first %s",
			len(without), without[0]))
	}
	r.testPretrends()
	return r, nil
}

func (o *GroupTimeOptions) check(periods []int, units []PanelUnit) error {
	if o.Method > AIPW || o.Method < Unadjusted {
		return fault.Invalidf("group-time effects are unadjusted, by regression, by weighting or doubly robust, not by %s",
			o.Method)
	}
	if o.Anticipation < 0 {
		return fault.Invalidf("anticipation of %d periods is not possible; 0 is none", o.Anticipation)
	}
	if len(periods) < 2 {
		return fault.Invalidf("a change needs two periods; there are %d", len(periods))
	}
	for i, p := range periods {
		if p <= 0 || i > 0 && p <= periods[i-1] {
			return fault.Invalidf("periods must be above 0 and ascending; they are %v", periods)
		}
	}
	for i, u := range units {
		if len(u.Outcomes) != len(periods) {
			return fault.Invalidf("unit %d has %d outcomes for %d periods", i+1, len(u.Outcomes), len(periods))
		}
		if u.First < 0 {
			return fault.Invalidf("unit %d starts treatment in %d; 0 is never", i+1, u.First)
		}
		if o.Method != Unadjusted && len(u.X) != len(o.Design.Terms) {
			return fault.Invalidf("unit %d has %d covariates, the design has %d terms", i+1, len(u.X), len(o.Design.Terms))
		}
		for _, y := range u.Outcomes {
			if math.IsInf(y, 0) {
				return fault.Invalidf("unit %d has an infinite outcome", i+1)
			}
		}
	}
	if o.Method == Unadjusted || len(o.Design.Terms) <= 1 {
		o.Method, o.Design = Unadjusted, FreeDesign()
	}
	return nil
}

func (r *GroupTimeEffects) usable(periods []int, units []PanelUnit) (kept []PanelUnit) {
	var always, unknown int
	for _, u := range units {
		switch {
		case slices.ContainsFunc(u.Outcomes, math.IsNaN):
			unknown++
		case u.First != 0 && u.First <= periods[0]:
			always++
		default:
			if u.First > periods[len(periods)-1]+r.opts.Anticipation {
				u.First = 0
			}
			if r.opts.Method == Unadjusted {
				u.X = []float64{1}
			}
			kept = append(kept, u)
		}
	}
	for _, u := range kept {
		r.typical += dot(u.Outcomes, u.Outcomes) / float64(len(u.Outcomes)*len(kept))
	}
	if always > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d units are treated from the first period on and are left out", always))
	}
	if unknown > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d units with an unknown outcome in some period are left out", unknown))
	}
	return kept
}

// add estimates the effect on group g in the period at a position, and tells whether there are controls.
func (r *GroupTimeEffects) add(units []PanelUnit, periods []int, g, at, base int) (found bool, err error) {
	e := GroupTimeEffect{Group: g, Period: periods[at], Base: periods[base]}
	later := max(periods[at], periods[base]) + r.opts.Anticipation
	var rows []TreatmentRow
	var origin []int
	for i, u := range units {
		treated := u.First == g
		if !treated && u.First != 0 && !(r.opts.NotYetTreated && u.First > later) {
			continue
		}
		if treated {
			e.Treated++
		} else {
			e.Controls++
		}
		change := u.Outcomes[at] - u.Outcomes[base]
		rows = append(rows, TreatmentRow{Pattern: Pattern{X: u.X, Cluster: u.Cluster, N: 1, Sum: change,
			SumSq: change * change}, Treated: treated})
		origin = append(origin, i)
	}
	if e.Controls == 0 {
		return false, nil
	}
	moved := make([]float64, len(units))
	if at == base {
		e.Effect = undefined(r.method(), r.opts.Level, "the base period is compared with itself")
		e.Effect.Value = 0
		r.Effects, r.moved, r.reliable = append(r.Effects, e), append(r.moved, moved), append(r.reliable, false)
		return true, nil
	}
	patterns := make([]Pattern, len(rows))
	for i := range rows {
		patterns[i] = rows[i].Pattern
	}
	if err := checkPatterns(r.opts.Design, patterns); err != nil {
		return true, err
	}
	s := newTreatmentSample(r.opts.Design, rows, EffectOptions{Method: r.opts.Method, Level: r.opts.Level})
	out := &TreatmentEffect{Propensity: make([]float64, len(rows))}
	if err := s.addPropensity(out); err != nil {
		return true, err
	}
	with, err := s.arm(1, out)
	if err != nil {
		return true, err
	}
	without, err := s.arm(0, out)
	if err != nil {
		return true, err
	}
	for i, p := range s.rows {
		d := affine{with.influence[i].constant - without.influence[i].constant,
			with.influence[i].slope - without.influence[i].slope}
		moved[origin[s.origin[i]]] = d.constant + d.slope*p.Sum
	}
	e.Effect = r.estimate(with.value-without.value, moved)
	e.Effect.Denominator = e.Treated
	if out.UnmatchedTreated+out.UnmatchedControls > 0 {
		e.Effect.warnf("%s treated and %s controls have covariates that the other never has; they are left out",
			formatCount(out.UnmatchedTreated), formatCount(out.UnmatchedControls))
	}
	r.Effects, r.moved, r.reliable = append(r.Effects, e), append(r.moved, moved), append(r.reliable, true)
	return true, nil
}

func (r *GroupTimeEffects) method() string {
	m := "group-time effects, " + r.opts.Method.String()
	if r.opts.NotYetTreated {
		m += ", not-yet-treated controls"
	}
	if r.opts.Clustered {
		m += ", cluster-robust"
	}
	return m
}

func (r *GroupTimeEffects) estimate(value float64, moved []float64) Estimate {
	v := leftOf(r.covariance(moved, moved), 1e-6*r.typical/r.Units)
	df, alone := r.freedom(moved)
	e := scaledEstimate(r.method(), value, v, studentQuantile(r.opts.Level, df), r.opts.Level)
	if alone && v > 0 {
		e.withoutInterval(oneTreated)
	}
	return e
}

// settleSampling says what was sampled, units or clusters, and of which start each is. A cluster with units
// of several starts counts with the first.
func (r *GroupTimeEffects) settleSampling() {
	r.sampled, r.sizes = make([]int, len(r.group)), make([]float64, len(r.groups)+1)
	at := map[int]int{}
	for i, g := range r.group {
		k, ok := at[r.cluster[i]]
		if !ok || !r.opts.Clustered {
			k = len(r.stratum)
			at[r.cluster[i]] = k
			r.stratum = append(r.stratum, g+1)
		}
		if of := &r.stratum[k]; *of == 0 || g >= 0 && g+1 < *of {
			*of = g + 1
		}
		r.sampled[i] = k
	}
	for _, g := range r.stratum {
		r.sizes[g]++
	}
}

// sums adds up what the units of each that was sampled add to an error.
func (r *GroupTimeEffects) sums(moved []float64) []float64 {
	out := make([]float64, len(r.stratum))
	for i, m := range moved {
		out[r.sampled[i]] += m
	}
	return out
}

// covariance of two estimates from what units add to their errors.
func (r *GroupTimeEffects) covariance(a, b []float64) (v float64) {
	sumsA, sumsB, n := r.sums(a), r.sums(b), float64(len(r.stratum))
	if r.opts.LargeSample {
		if v = dot(sumsA, sumsB); r.opts.Clustered {
			v *= n / (n - 1)
		}
		return v
	}
	for k, g := range r.stratum {
		factor := 1.0
		if r.sizes[g] > 1 {
			factor = r.sizes[g] / (r.sizes[g] - 1)
		}
		v += factor * sumsA[k] * sumsB[k]
	}
	return v
}

// freedom is Satterthwaite's number of degrees of freedom of an estimate, from what each start adds to its
// variance: a few treated count as few, however many controls there are. alone tells that no start
// of more than one unit, or cluster, is behind the estimate.
func (r *GroupTimeEffects) freedom(moved []float64) (df float64, alone bool) {
	variance := make([]float64, len(r.sizes))
	for k, m := range r.sums(moved) {
		variance[r.stratum[k]] += m * m
	}
	alone = true
	for g, v := range variance {
		alone = alone && (g == 0 || r.sizes[g] < 2 || v == 0)
	}
	if r.opts.LargeSample {
		return math.Inf(1), alone
	}
	return satterthwaite(variance, r.sizes), alone
}

func (r *GroupTimeEffects) testPretrends() {
	var before []int
	for k, e := range r.Effects {
		if e.Period < e.Group-r.opts.Anticipation && e.Effect.SE > 0 {
			before = append(before, k)
		}
	}
	if len(before) == 0 {
		return
	}
	v := newSymmetric(len(before))
	value := make([]float64, len(before))
	for i, k := range before {
		value[i] = r.Effects[k].Effect.Value
		for j := i; j < len(before); j++ {
			v.a[i*v.k+j] = r.covariance(r.moved[k], r.moved[before[j]])
		}
	}
	v.fill()
	inverse, omitted := v.inverse(nil)
	df := 0.0
	for _, o := range omitted {
		if !o {
			df++
		}
	}
	if df == 0 {
		return
	}
	statistic := inverse.form(value)
	r.Pretrends = WaldTest{statistic, df, distuv.ChiSquared{K: df}.Survival(statistic)}
}

// average weights effects by the share of their groups and counts that the shares are estimated.
// It is not ok without effects.
func (r *GroupTimeEffects) average(keep func(e GroupTimeEffect) bool) (value float64, moved []float64, ok bool) {
	var total float64
	share := func(k int) float64 { return r.share[slices.Index(r.groups, r.Effects[k].Group)] }
	for k, e := range r.Effects {
		if keep(e) {
			total += share(k)
			value += share(k) * e.Effect.Value
		}
	}
	if total == 0 {
		return 0, nil, false
	}
	value /= total
	moved = make([]float64, len(r.group))
	byGroup := make([]float64, len(r.groups))
	for k, e := range r.Effects {
		if !keep(e) {
			continue
		}
		byGroup[slices.Index(r.groups, e.Group)] += (e.Effect.Value - value) / total / r.Units
		for i, m := range r.moved[k] {
			moved[i] += share(k) / total * m
		}
	}
	for i, g := range r.group {
		if g >= 0 {
			moved[i] += byGroup[g]
		}
	}
	return value, moved, true
}

// mean is the unweighted mean of averages.
func (r *GroupTimeEffects) mean(values []float64, moved [][]float64) Estimate {
	if len(values) == 0 {
		return undefined(r.method(), r.opts.Level, "there is no period after the start to average over")
	}
	total := make([]float64, len(r.group))
	var value float64
	for k := range values {
		value += values[k] / float64(len(values))
		for i, m := range moved[k] {
			total[i] += m / float64(len(values))
		}
	}
	return r.estimate(value, total)
}

func after(e GroupTimeEffect) bool { return e.Period >= e.Group }

// Simple averages all effects from the start of treatment on, each by the share of its group: groups
// that start early count more, as they have more periods.
func (r *GroupTimeEffects) Simple() Estimate {
	value, moved, ok := r.average(after)
	if !ok {
		return undefined(r.method(), r.opts.Level, "there is no period after the start to average over")
	}
	return r.estimate(value, moved)
}

// ByGroup averages the effects of each group over its periods since the start. Overall weights the
// groups by their share; it is the closest to the effect of a treatment that starts once.
func (r *GroupTimeEffects) ByGroup() Aggregation {
	out := Aggregation{}
	var moves [][]float64
	overall := *r
	overall.Effects, overall.moved, overall.reliable = nil, nil, nil
	for _, g := range r.groups {
		value, moved, ok := r.average(func(e GroupTimeEffect) bool { return e.Group == g && after(e) })
		if !ok {
			continue
		}
		e := r.estimate(value, moved)
		out.Parts = append(out.Parts, AggregatePart{g, e})
		overall.Effects = append(overall.Effects, GroupTimeEffect{Group: g, Period: g, Effect: e})
		overall.moved = append(overall.moved, moved)
		moves = append(moves, moved)
	}
	out.Overall = overall.Simple()
	r.join(&out, moves)
	return out
}

// join fills in how the parts hang together, from what units add to their errors.
func (r *GroupTimeEffects) join(out *Aggregation, moves [][]float64) {
	estimates, df := make([]Estimate, len(moves)), make([]float64, len(moves))
	sure := false
	for i, part := range out.Parts {
		row := make([]float64, len(moves))
		for j := range moves {
			row[j] = r.covariance(moves[i], moves[j])
		}
		out.Covariance = append(out.Covariance, row)
		df[i], _ = r.freedom(moves[i])
		estimates[i] = part.Effect
		sure = sure || part.Effect.SE > 0
	}
	out.freedom = df
	if sure {
		// What could be wrong with the input is not: the errors are of one sample.
		out.Simultaneous, _ = Simultaneously(estimates, out.Covariance, df, r.opts.Level)
	}
}

// ByExposure averages by the number of periods since the start (an event study), negative before it.
// Overall is the mean over the numbers from 0. Averages far from the start are of fewer groups.
func (r *GroupTimeEffects) ByExposure() Aggregation {
	return r.by(func(e GroupTimeEffect) int { return e.Period - e.Group }, func(GroupTimeEffect) bool { return true },
		func(at int) bool { return at >= 0 })
}

// ByPeriod averages, in each period, the effects on the groups treated by then. Overall is the mean
// over the periods.
func (r *GroupTimeEffects) ByPeriod() Aggregation {
	return r.by(func(e GroupTimeEffect) int { return e.Period }, after, func(int) bool { return true })
}

func (r *GroupTimeEffects) by(key func(GroupTimeEffect) int, keep func(GroupTimeEffect) bool,
	inOverall func(at int) bool) Aggregation {
	var keys []int
	reference := map[int]bool{} // nothing but base periods, compared with themselves
	for k, e := range r.Effects {
		at := key(e)
		if !keep(e) {
			continue
		}
		if !slices.Contains(keys, at) {
			keys = append(keys, at)
			reference[at] = true
		}
		reference[at] = reference[at] && !r.reliable[k]
	}
	slices.Sort(keys)
	var out Aggregation
	var values []float64
	var averaged, moves [][]float64
	for _, at := range keys {
		value, moved, _ := r.average(func(e GroupTimeEffect) bool { return keep(e) && key(e) == at })
		e := r.estimate(value, moved)
		if reference[at] {
			e = undefined(r.method(), r.opts.Level, "the base period is compared with itself")
			e.Value = 0
		} else if inOverall(at) {
			values, averaged = append(values, value), append(averaged, moved)
		}
		out.Parts, moves = append(out.Parts, AggregatePart{at, e}), append(moves, moved)
	}
	out.Overall = r.mean(values, averaged)
	r.join(&out, moves)
	return out
}
