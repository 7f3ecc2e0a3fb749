package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Estimand is whose effect is asked for.
type Estimand int

const (
	OnTreated Estimand = iota // the average effect on those treated (ATT)
	OnAll                     // the average effect if all were treated, beside none (ATE)
)

func (e Estimand) String() string {
	if e == OnAll {
		return "ATE"
	}
	return "ATT"
}

// EffectMethod is how the treated are made comparable with the others. All but Unadjusted need that
// nothing outside the covariates drives both treatment and outcome.
type EffectMethod int

const (
	// Unadjusted compares the means as they are. It is the effect only if treatment is as good as drawn
	// by lot.
	Unadjusted EffectMethod = iota
	// RegressionAdjustment predicts what the outcome would have been from a regression in each arm.
	RegressionAdjustment
	// IPW weights by the inverse of the propensity e, normalised in each arm (Hájek): 1/e and 1/(1-e)
	// for the ATE; 1 and e/(1-e) for the ATT (Hirano, Imbens, Ridder 2003, Econometrica 71:1161).
	IPW
	// AIPW adds the weighted residuals of the regression to its predictions; it is right if either the
	// propensity or the regression is (Robins, Rotnitzky, Zhao 1994). For the ATT the weights of the
	// residuals are normalised (Sant'Anna, Zhao 2020, J. Econometrics 219:101).
	AIPW
	// IPWRA predicts from regressions fitted with the weights of IPW; it is doubly robust too
	// (Wooldridge 2007, J. Econometrics 141:1281).
	IPWRA
	// ExactMatching compares within cells of equal covariates, which is direct standardisation of the
	// controls to the treated. Its standard error takes the covariates as given.
	ExactMatching
	// PropensityMatching compares each treated with the controls nearest in propensity. See Caliper.
	PropensityMatching
	// Subclassification compares within strata of the propensity (Rosenbaum, Rubin 1984, JASA 79:516).
	Subclassification
	// EntropyBalancing gives controls the weights nearest to equal ones with which they have the same means as
	// the treated in every term (Hainmueller 2012, Pol. Analysis 20:25); it is of the treated alone.
	EntropyBalancing
)

func (m EffectMethod) String() string {
	return [...]string{
		"unadjusted", "regression adjustment", "inverse probability weighting", "doubly robust (AIPW)", "doubly robust " +
			"(IPWRA)",
		"exact matching", "propensity matching", "subclassification", "entropy balancing",
	}[m]
}

// weighs tells whether the method weights by the propensity, and models whether it has a regression.
func (m EffectMethod) weighs() bool { return m == IPW || m == AIPW || m == IPWRA }
func (m EffectMethod) models() bool { return m == RegressionAdjustment || m == AIPW || m == IPWRA }

// TreatmentRow is a covariate pattern of one arm, with the sums of the outcome. A single
// observation y is N = 1, Sum = y, SumSq = y².
type TreatmentRow struct {
	Pattern
	Treated bool
}

// A TreatmentCell is a cell of one arm, with covariates that are numbers beside the categories of its
// key.
type TreatmentCell struct {
	Cell
	Numbers []float64
	Treated bool
}

// TreatmentRows makes the design and the rows of treated and controls whose covariates are all
// categories.
func TreatmentRows(dimensions []Dimension, treated, controls []Cell) (Design, []TreatmentRow, error) {
	cells := make([]TreatmentCell, 0, len(treated)+len(controls))
	for _, c := range treated {
		cells = append(cells, TreatmentCell{Cell: c, Treated: true})
	}
	for _, c := range controls {
		cells = append(cells, TreatmentCell{Cell: c})
	}
	return MixedTreatmentRows(dimensions, nil, cells)
}

// MixedTreatmentRows makes the design and the rows of treated and controls. dimensions name the
// positions of the keys, numbers those of TreatmentCell.Numbers, which stand as they are in columns
// of their own after the categories. Cells without observations are left out.
func MixedTreatmentRows(dimensions []Dimension, numbers []string, cells []TreatmentCell) (Design, []TreatmentRow,
	error) {
	var keyed []Cell
	var used []TreatmentCell
	for _, c := range cells {
		if len(c.Numbers) != len(numbers) {
			return Design{}, nil, fault.Invalidf("a cell has %d numbers; %d are named", len(c.Numbers), len(numbers))
		}
		if c.N != 0 { // what is no number of persons is reported below
			keyed, used = append(keyed, c.Cell), append(used, c)
		}
	}
	design, err := NewDesign(dimensions, false, keyed)
	if err != nil {
		return Design{}, nil, err
	}
	patterns, err := design.Patterns(keyed, false)
	if err != nil {
		return Design{}, nil, err
	}
	rows := make([]TreatmentRow, len(patterns))
	for i, p := range patterns {
		p.X = append(p.X, used[i].Numbers...)
		rows[i] = TreatmentRow{Pattern: p, Treated: used[i].Treated}
	}
	for _, name := range numbers {
		design.Terms = append(design.Terms, Term{Name: name, Dimension: -1, Category: -1})
	}
	return design, rows, nil
}

// EffectOptions says how to estimate. With a Level alone it is the unadjusted ATT.
type EffectOptions struct {
	Level    float64 // confidence level, above 0 and below 1
	Estimand Estimand
	Method   EffectMethod
	Probit   bool  // the propensity is a probit, not a logit
	Outcome  Model // of the regressions; the logit needs an outcome of 0 and 1
	// Columns of the design, without the constant, that the propensity (and entropy balancing) and the
	// regressions use; nil means all.
	PropensityTerms, OutcomeTerms []int
	// Trim leaves out observations with a propensity outside Trim to 1 - Trim and estimates the
	// propensity anew on the rest (Crump et al. 2009, Biometrika 96:187, recommend 0.1). 0 leaves out
	// none. The effect is then that on the rest; Trimmed counts who is left out.
	Trim float64
	// Clustered allows observations to be alike within Cluster.
	Clustered bool
	// Caliper is the largest distance of a propensity match, in standard deviations of the logit of
	// the propensity over all observations: 0.2 is usual (Austin 2011, Pharm. Stat. 10:150), 0 takes equal
	// propensities alone, +Inf is none. The other methods do not read it.
	Caliper float64
	// Subclasses is the number of strata of Subclassification, cut at quantiles of the propensity of
	// the treated, for the ATE of all; 6 is usual, as in MatchIt. The other methods do not read it.
	Subclasses int
	Stop       Stop
}

// TreatmentEffect is an estimated effect with what is needed to judge it.
type TreatmentEffect struct {
	Method   EffectMethod
	Estimand Estimand
	Effect   Estimate
	// WithTreatment and Without are the means that the effect is the difference of: of the treated
	// (ATT) or of all (ATE), had they and had they not been treated.
	WithTreatment, Without Estimate
	// Ratio is WithTreatment/Without, with an interval on the log scale; NaN unless the outcome is an
	// indicator and both are above 0.
	Ratio Estimate

	Treated, Controls float64 // observations used
	// UnmatchedTreated and UnmatchedControls have no counterpart: their covariates occur in one arm
	// only, or no match is near enough. Trimmed are left out by EffectOptions.Trim.
	UnmatchedTreated, UnmatchedControls float64
	Trimmed                             float64
	Clusters                            int // that standard errors are robust to; 0 unless Clustered
	// OutsideOverlap is the share of all observations with a propensity outside 0.1 to 0.9 or settled
	// by the covariates, before any trimming. NaN without a propensity.
	OutsideOverlap float64
	// Effective sample sizes (Σw)²/Σw², and the largest share of the weight of an arm that one
	// observation has. NaN for regression adjustment, which has no weights of its own.
	EffectiveTreated, EffectiveControls, LargestWeight float64

	Balance    []CovariateBalance // by term and base category, before all the propensity if there is one
	Overlap    []OverlapBin       // nil without a propensity
	Strata     []EffectStratum    // of Subclassification, from the lowest propensity
	EValue     EValue             // NaN where the ratio or the spread of the outcome is
	Propensity []float64          // by row of the input; NaN where not estimated
	Weights    []float64          // by row of the input, of one observation; 0 where left out
	Warnings   []string
}

// CovariateBalance compares the arms on one covariate. Before and After are differences of means
// in standard deviations of the treated, √(p(1-p)) for a column of zeros and ones; after weighting
// or matching the divisor stays. Absolute values under 0.1 are usually called balanced. NaN where
// the treated do not vary (Before is 0 if the controls are the same), After also where there are no weights.
type CovariateBalance struct {
	Covariate         string
	Term              Term
	Treated, Controls Estimate // means before weighting
	Before, After     float64
	// Difference is Before with its interval: the delta method's, for measures that of normal values,
	// V = 1/n1 + s0²/(s1² n0) + d²/(2(n1-1)) (Hedges, Olkin 1985, ch. 5, after Glass).
	Difference Estimate
}

// OverlapBin counts observations with From <= propensity < To; the last bin includes 1.
type OverlapBin struct{ From, To, Treated, Controls float64 }

// EffectStratum is one stratum of a subclassification.
type EffectStratum struct {
	From, To          float64 // lowest and highest propensity in it
	Treated, Controls float64
	Effect            float64 // NaN with an empty arm
}

const (
	overlapLow, overlapHigh = 0.1, 0.9 // Crump et al. 2009
	overlapBins             = 10
	balancedBelow           = 0.1 // Austin 2009, Stat. Med. 28:3083
	maxSubclasses           = 10000
)

// EstimateEffect estimates the effect of a treatment on the mean of an outcome from grouped rows;
// grouping changes nothing, as the sums of a row are sufficient.
//
// Regression adjustment and weighting have standard errors from the influence functions of all
// estimating equations stacked, those of the propensity and the regressions among them
// (Stefanski, Boos 2002, Am. Stat. 56:29), as in Stata's teffects; clustered, they add up
// within clusters and are multiplied by G/(G-1), undefined for an arm in one cluster. They speak of
// the population the rows come from.
// Intervals are ± t·SE with Satterthwaite's degrees of freedom from the effective sample sizes of the
// arms; for an outcome of 0 and 1 each mean has Wilson's interval with as many observations
// as have its standard error, and the effect adds their squares with their correlation (Zou,
// Donner 2008), which for independent means is Newcombe's.
// Matching takes covariates, and the propensity, as given.
//
// Measured on 200 synthetic worlds at a scale of 0.15, 95 % intervals of the three headline effects of
// activities, with 140 to 420 participants, hold the truth in 94.8 % by IPW, 94.5 % by AIPW and 95.7 % by
// propensity matching, in 93.5 % at least for each effect; unadjusted ones hold it in 18.3 %.
//
// Rows whose arm the covariates settle with certainty have no counterpart. Methods with a
// propensity leave them out, count them as unmatched and warn. An error is returned if an arm is
// empty, nothing can be matched, or a regression would have to predict for a category that its arm
// never has.
func EstimateEffect(design Design, rows []TreatmentRow, opts EffectOptions) (_ *TreatmentEffect, err error) {
	defer opts.Stop.end(&err)
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	opts.Level = level
	if err := opts.check(design); err != nil {
		return nil, err
	}
	patterns := make([]Pattern, len(rows))
	for i := range rows {
		patterns[i] = rows[i].Pattern
	}
	if err := checkPatterns(design, patterns); err != nil {
		return nil, err
	}
	s := newTreatmentSample(design, rows, opts)
	if s.arms[0].N == 0 || s.arms[1].N == 0 {
		return nil, fault.Invalidf("an effect needs both arms; there are %s treated and %s controls",
			formatCount(s.arms[1].N), formatCount(s.arms[0].N))
	}
	out := &TreatmentEffect{
		Method: opts.Method, Estimand: opts.Estimand, OutsideOverlap: math.NaN(), LargestWeight: math.NaN(),
		EffectiveTreated: math.NaN(), EffectiveControls: math.NaN(),
		Propensity: make([]float64, len(rows)), Weights: make([]float64, len(rows)),
	}
	if opts.Clustered && s.clusters() < 2 {
		return nil, fault.Invalidf("all observations are in one cluster: clustered standard errors need at least two")
	}
	if err := s.addPropensity(out); err != nil {
		return nil, err
	}
	if err := s.estimate(out); err != nil {
		return nil, err
	}
	s.describe(out)
	return out, nil
}

func (o *EffectOptions) check(design Design) error {
	switch {
	case o.Method < Unadjusted || o.Method > EntropyBalancing || o.Estimand < OnTreated || o.Estimand > OnAll ||
		o.Outcome < Linear || o.Outcome > Logit:
		return fault.Invalidf("unknown method %d, estimand %d or outcome model %d", o.Method, o.Estimand, o.Outcome)
	case o.Method == EntropyBalancing && o.Estimand != OnTreated:
		return fault.Invalidf("entropy balancing makes the controls like the treated: it gives the effect on the treated, " +
			"not on all")
	case !(o.Trim >= 0 && o.Trim < 0.5):
		return fault.Invalidf("a trim of %g is not a propensity from 0 to below 0.5; 0.1 is usual", o.Trim)
	case !(o.Caliper >= 0):
		return fault.Invalidf("a caliper of %g is not a distance; 0.2 standard deviations is usual", o.Caliper)
	case o.Method == Subclassification && !(o.Subclasses >= 1 && o.Subclasses <= maxSubclasses):
		return fault.Invalidf("%d subclasses are not possible; 5 or 6 are usual, %d the most", o.Subclasses, maxSubclasses)
	}
	for _, terms := range [][]int{o.PropensityTerms, o.OutcomeTerms} {
		for _, j := range terms {
			if j < 1 || j >= len(design.Terms) {
				return fault.Invalidf("no term %d to adjust for; the design has terms 1 to %d after its constant", j,
					len(design.Terms)-1)
			}
		}
	}
	return nil
}

// treatmentSample is the rows in use.
type treatmentSample struct {
	design     Design
	opts       EffectOptions
	all        []TreatmentRow // of the input
	rows       []TreatmentRow // in use
	origin     []int          // position in the input, by row in use
	arms       [2]Cell        // controls, treated, over rows in use
	propensity *propensity    // by row in use; nil if there is none
	weights    []float64      // by row in use, of one observation; nil if the method has none
}

func newTreatmentSample(design Design, rows []TreatmentRow, opts EffectOptions) *treatmentSample {
	s := &treatmentSample{design: design, opts: opts, all: rows}
	keep := make([]int, 0, len(rows))
	for i := range rows {
		if rows[i].N > 0 {
			keep = append(keep, i)
		}
	}
	s.restrict(keep)
	return s
}

// restrict keeps the rows at these positions of the input.
func (s *treatmentSample) restrict(positions []int) {
	s.origin, s.rows, s.arms = positions, make([]TreatmentRow, len(positions)), [2]Cell{}
	for at, i := range positions {
		s.rows[at] = s.all[i]
		arm := &s.arms[armOf(s.all[i].Treated)]
		arm.N, arm.Sum, arm.SumSq = arm.N+s.all[i].N, arm.Sum+s.all[i].Sum, arm.SumSq+s.all[i].SumSq
	}
}

func armOf(treated bool) int {
	if treated {
		return 1
	}
	return 0
}

func (s *treatmentSample) clusters() int {
	seen := map[int]bool{}
	for i := range s.rows {
		seen[s.rows[i].Cluster] = true
	}
	return len(seen)
}

// columns are the constant and the terms chosen, all if none are.
func (s *treatmentSample) columns(chosen []int) []int {
	if chosen == nil {
		chosen = make([]int, len(s.design.Terms)-1)
		for j := range chosen {
			chosen[j] = j + 1
		}
	}
	return append([]int{0}, chosen...)
}

// addPropensity fits the propensity, describes overlap, and leaves out what has no counterpart and
// what is to be trimmed. Methods that do not use a propensity get it for the description only: one
// that cannot be estimated is then a warning.
func (s *treatmentSample) addPropensity(out *TreatmentEffect) error {
	for i := range out.Propensity {
		out.Propensity[i] = math.NaN()
	}
	columns := s.columns(s.opts.PropensityTerms)
	if len(columns) == 1 && s.opts.Method == Unadjusted {
		return nil
	}
	needed := s.opts.Method.weighs() || s.opts.Method == PropensityMatching || s.opts.Method == Subclassification ||
		s.opts.Trim > 0
	p, err := fitPropensity(s.design, columns, s.rows, s.opts.Probit, s.opts.Stop)
	if err != nil {
		if needed {
			return err
		}
		out.Warnings = append(out.Warnings, "overlap is not shown: "+err.Error())
		return nil
	}
	out.Overlap = make([]OverlapBin, overlapBins)
	for b := range out.Overlap {
		out.Overlap[b].From, out.Overlap[b].To = float64(b)/overlapBins, float64(b+1)/overlapBins
	}
	var outside, total float64
	for i, row := range s.rows {
		e := p.e[i]
		out.Propensity[s.origin[i]] = e
		bin := &out.Overlap[min(overlapBins-1, int(e*overlapBins))]
		if row.Treated {
			bin.Treated += row.N
		} else {
			bin.Controls += row.N
		}
		total += row.N
		if e < overlapLow || e > overlapHigh {
			outside += row.N
		}
	}
	out.OutsideOverlap = outside / total
	if !needed {
		s.propensity = p
		return nil
	}
	out.Warnings = append(out.Warnings, p.warnings...)
	var treated, controls float64
	for slices.Contains(p.settled, true) {
		s.drop(p.settled, &treated, &controls)
		if p, err = fitPropensity(s.design, columns, s.rows, s.opts.Probit, s.opts.Stop); err != nil {
			return err
		}
	}
	if treated+controls > 0 {
		out.UnmatchedTreated, out.UnmatchedControls = treated, controls
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s treated and %s controls have covariates that the other arm never has; they are left out",
				formatCount(treated), formatCount(controls)))
	}
	if s.opts.Trim > 0 {
		extreme := make([]bool, len(s.rows))
		for i := range s.rows {
			extreme[i] = p.e[i] < s.opts.Trim || p.e[i] > 1-s.opts.Trim
		}
		if slices.Contains(extreme, true) {
			treated, controls = 0, 0
			s.drop(extreme, &treated, &controls)
			out.Trimmed = treated + controls
			out.Warnings = append(out.Warnings,
				fmt.Sprintf("%s treated and %s controls with a propensity outside %g to %g are left out; the effect is that on "+
					"the rest",
					formatCount(treated), formatCount(controls), s.opts.Trim, 1-s.opts.Trim))
			if s.arms[0].N == 0 || s.arms[1].N == 0 {
				return fault.Invalidf("trimming at %g leaves %s treated and %s controls; a smaller trim would keep more",
					s.opts.Trim, formatCount(s.arms[1].N), formatCount(s.arms[0].N))
			}
			if p, err = fitPropensity(s.design, columns, s.rows, s.opts.Probit, s.opts.Stop); err != nil {
				return err
			}
			if slices.Contains(p.settled, true) {
				return fault.Invalidf("after trimming at %g the covariates still settle the arm of some; fewer covariates would "+
					"help", s.opts.Trim)
			}
		}
	} else if outside > 0 && s.opts.Method.weighs() {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%.3g %% of observations have a propensity outside %g to %g and are kept", 100*out.OutsideOverlap,
				overlapLow, overlapHigh))
	}
	for i := range out.Propensity {
		out.Propensity[i] = math.NaN()
	}
	for i := range s.rows {
		out.Propensity[s.origin[i]] = p.e[i]
	}
	s.propensity = p
	return nil
}

// drop leaves out the rows marked, and adds them up by arm.
func (s *treatmentSample) drop(marked []bool, treated, controls *float64) {
	var keep []int
	for i, row := range s.rows {
		switch {
		case !marked[i]:
			keep = append(keep, s.origin[i])
		case row.Treated:
			*treated += row.N
		default:
			*controls += row.N
		}
	}
	s.restrict(keep)
}

// estimate fills in the effect.
func (s *treatmentSample) estimate(out *TreatmentEffect) error {
	switch {
	case s.opts.Method == ExactMatching || s.opts.Method == Subclassification:
		return s.byStrata(out)
	case s.opts.Method == PropensityMatching:
		return s.byNearest(out)
	case s.opts.Method == EntropyBalancing:
		return s.byEntropy(out)
	case s.opts.Method == Unadjusted && !s.opts.Clustered:
		s.unadjusted(out)
		return nil
	}
	with, err := s.arm(1, out)
	if err != nil {
		return err
	}
	without, err := s.arm(0, out)
	if err != nil {
		return err
	}
	v11, v00, v10 := s.variance(with.influence, with.influence), s.variance(without.influence,
		without.influence), s.variance(with.influence, without.influence)
	if s.opts.Method != RegressionAdjustment {
		s.weights = make([]float64, len(s.rows))
		for i := range s.rows {
			s.weights[i], _ = s.weight(i, armOf(s.rows[i].Treated))
		}
	}
	s.finish(out, with.value, without.value, v11, v00, v10)
	return nil
}

func (s *treatmentSample) unadjusted(out *TreatmentEffect) {
	treated, controls := s.arms[1], s.arms[0]
	out.Effect = Gap(treated, controls, Cell{}, s.opts.Level)
	mean := func(c Cell) Estimate {
		if c.IsIndicator() {
			return Wilson(c.Sum, c.N, s.opts.Level)
		}
		return Mean(c.N, c.Sum, c.SumSq, s.opts.Level)
	}
	out.WithTreatment, out.Without = mean(treated), mean(controls)
	if treated.IsIndicator() && controls.IsIndicator() {
		out.Ratio = Ratio(treated.Sum, treated.N, controls.Sum, controls.N, s.opts.Level)
	} else {
		out.Ratio = undefined("ratio", s.opts.Level, "a ratio is given for an outcome of 0 and 1 only")
	}
	s.weights = make([]float64, len(s.rows))
	for i := range s.weights {
		s.weights[i] = 1
	}
	out.Warnings = append(out.Warnings, "unadjusted: treated and controls may differ in more than the treatment")
}

// finish turns two means and their covariance into the effect.
func (s *treatmentSample) finish(out *TreatmentEffect, with, without, v11, v00, v10 float64) {
	method := s.opts.Method.String() + ", " + s.opts.Estimand.String()
	n1, n0 := s.effectiveSizes()
	reasons := s.unknownVariances(v11, v00)
	if reasons[1] != "" {
		v11, v10 = math.NaN(), math.NaN()
	}
	if reasons[0] != "" {
		v00, v10 = math.NaN(), math.NaN()
	}
	q := normalQuantile(s.opts.Level)
	if df := (v11 + v00) * (v11 + v00) / (v11*v11/(n1-1) + v00*v00/(n0-1)); df > 0 {
		q = studentQuantile(s.opts.Level, math.Max(1, df))
	}
	if s.opts.Clustered {
		g := s.clusters()
		out.Clusters = g
		q = studentQuantile(s.opts.Level, float64(g-1))
		method += ", cluster-robust"
		if g < fewClusters {
			out.Warnings = append(out.Warnings,
				formatCount(float64(g))+" clusters are few: cluster-robust intervals tend to be too short")
		}
		if treated := s.armClusters()[1]; treated > 1 && treated < fewTreated {
			out.Warnings = append(out.Warnings, fewTreatedWarning(treated))
		}
	}
	target := s.arms[1].N
	if s.opts.Estimand == OnAll {
		target += s.arms[0].N
	}
	// What is rounding beside the spread of the outcome is no variance.
	none := 1e-6 * (s.arms[1].SumSq/n1 + s.arms[0].SumSq/n0) / (s.arms[1].N + s.arms[0].N)
	v11, v00 = leftOf(v11, none), leftOf(v00, none)
	if v11 == 0 || v00 == 0 {
		v10 = 0
	}
	score := s.isIndicator() && with >= 0 && with <= 1 && without >= 0 && without <= 1
	estimate := func(value, variance, n float64) Estimate {
		var e Estimate
		if score && n > 0 {
			e = scoreEstimate(method+", score interval", value, variance, n, q, s.opts.Level)
		} else {
			e = scaledEstimate(method, value, variance, q, s.opts.Level)
		}
		e.Denominator = target
		return e
	}
	out.Effect = estimate(with-without, leftOf(v11+v00-2*v10, v11+v00), 0)
	out.WithTreatment, out.Without = estimate(with, v11, n1), estimate(without, v00, n0)
	if score && !math.IsNaN(v11+v00) {
		rho := 0.0
		if v11 > 0 && v00 > 0 {
			rho = math.Max(-1, math.Min(1, v10/math.Sqrt(v11*v00)))
		}
		out.Effect.squareAndAdd(out.WithTreatment, out.Without, rho, leftOf(v11+v00-2*v10, v11+v00))
		out.Effect.Method += ", square-and-add score interval"
	}
	switch {
	case !s.isIndicator():
		out.Ratio = undefined(method, s.opts.Level, "a ratio is given for an outcome of 0 and 1 only")
	case !(with > 0 && without > 0):
		out.Ratio = undefined(method, s.opts.Level, "a ratio of %.3g and %.3g has no logarithm", with, without)
	default:
		apart := v11/with/with + v00/without/without
		out.Ratio = Estimate{Value: with / without, Level: s.opts.Level, Numerator: math.NaN(), Denominator: target,
			Method: method + ", log scale"}
		out.Ratio = out.Ratio.onLogScale(leftOf(apart-2*v10/with/without, apart), q)
	}
	// Where every cluster has the same difference, or ratio, the arms' errors cancel, which looks like
	// certainty.
	cancel := func(e *Estimate, v11, v00, v10 float64) {
		if s.opts.Clustered && v11+v00 > 1e-24 && v11+v00-2*v10 <= 1e-14*(v11+v00) {
			const alike = "the treated and the controls of all clusters differ alike, which tells nothing about how clusters " +
				"differ: there is no standard error"
			e.withoutInterval(alike)
			out.Warnings = append(out.Warnings, alike)
		}
	}
	cancel(&out.Effect, v11, v00, v10)
	cancel(&out.Ratio, v11/with/with, v00/without/without, v10/with/without)
	for arm, mean := range []*Estimate{&out.Without, &out.WithTreatment} {
		if reasons[arm] != "" {
			for _, e := range []*Estimate{mean, &out.Effect, &out.Ratio} {
				e.withoutInterval(reasons[arm])
			}
			out.Warnings = append(out.Warnings, reasons[arm])
		}
	}
}

// armClusters counts the clusters of the controls and of the treated in use.
func (s *treatmentSample) armClusters() (count [2]int) {
	var seen [2]map[int]bool
	for arm := range seen {
		seen[arm] = map[int]bool{}
	}
	for i := range s.rows {
		if s.weights == nil || s.weights[i] != 0 {
			seen[armOf(s.rows[i].Treated)][s.rows[i].Cluster] = true
		}
	}
	return [2]int{len(seen[0]), len(seen[1])}
}

// unknownVariances says by arm, controls first, why the variance of its mean cannot be told; "" if it
// can. What one observation of a measure, or one cluster, adds to the error is 0 by construction:
// that is no certainty.
func (s *treatmentSample) unknownVariances(v11, v00 float64) (reasons [2]string) {
	clusters := s.armClusters()
	for arm, v := range [2]float64{v00, v11} {
		name, c := [...]string{"controls", "treated"}[arm], s.arms[arm]
		spread := c.squaredDeviations()
		switch {
		case s.opts.Clustered && clusters[arm] < 2:
			reasons[arm] = "all " + name + " are in one cluster, which tells nothing about how clusters differ: there is no " +
				"standard error"
		case s.opts.Clustered && spread > 0 && v <= 1e-16*spread/c.N/c.N:
			reasons[arm] = "nothing varies between the clusters of the " + name +
				" that are compared: there is no standard error"
		case c.N <= 1 && !s.isIndicator():
			reasons[arm] = "one observation among the " + name + " tells nothing about its variance: there is no standard error"
		}
	}
	return reasons
}

// scoreEstimate is a share with Wilson's interval for as many observations as have its variance, or n where
// nothing varies. ±q·SE would be far too short for rare outcomes. NaN for a variance that is not known.
func scoreEstimate(method string, share, variance, n, q, level float64) Estimate {
	e := Estimate{Value: share, SE: standardError(variance), Level: level, Numerator: math.NaN(), Denominator: math.NaN(),
		Method: method}
	if p := share * (1 - share); p > 1e-12 && variance > 0 {
		n = p / variance
	}
	if math.IsNaN(variance) {
		n = math.NaN()
	}
	e.Lower, e.Upper = wilsonBounds(share*n, n, q)
	return e
}

// squareAndAdd gives a difference of two shares with score intervals the interval that squares and adds
// theirs, with their correlation (Zou, Donner 2008), and the standard error of its variance.
func (e *Estimate) squareAndAdd(a, b Estimate, rho, variance float64) {
	add := func(x, y float64) float64 { return math.Sqrt(math.Max(0, x*x-2*rho*x*y+y*y)) }
	*e = Estimate{
		Value: a.Value - b.Value, SE: standardError(variance), Level: e.Level, Numerator: e.Numerator,
		Denominator: e.Denominator, Method: e.Method, Lower: a.Value - b.Value - add(a.Value-a.Lower, b.Upper-b.Value),
		Upper: a.Value - b.Value + add(a.Upper-a.Value, b.Value-b.Lower),
	}
	if !(e.Lower < e.Upper) {
		e.withoutSpread()
	}
}

// effectiveSizes are (Σw)²/Σw² of treated and controls, or their numbers without weights.
func (s *treatmentSample) effectiveSizes() (treated, controls float64) {
	if s.weights == nil {
		return s.arms[1].N, s.arms[0].N
	}
	var sum, squares [2]float64
	for i := range s.rows {
		arm, w := armOf(s.rows[i].Treated), s.weights[i]
		sum[arm] += s.rows[i].N * w
		squares[arm] += s.rows[i].N * w * w
	}
	return sum[1] * sum[1] / squares[1], sum[0] * sum[0] / squares[0]
}

func (s *treatmentSample) isIndicator() bool {
	for i := range s.rows {
		if p := &s.rows[i]; !(Cell{N: p.N, Sum: p.Sum, SumSq: p.SumSq}).IsIndicator() {
			return false
		}
	}
	return true
}

// affine is constant + slope·y: what one observation y of a row adds to the error of an estimate.
type affine struct{ constant, slope float64 }

// variance is the covariance of two estimates from what observations add to their errors.
func (s *treatmentSample) variance(a, b []affine) (v float64) {
	if !s.opts.Clustered {
		for i := range s.rows {
			p := &s.rows[i]
			constant, slope := a[i].constant*b[i].constant*p.N, a[i].slope*b[i].slope*p.SumSq
			sum := constant + (a[i].constant*b[i].slope+a[i].slope*b[i].constant)*p.Sum + slope
			v += math.Copysign(leftOf(math.Abs(sum), math.Abs(constant)+math.Abs(slope)), sum)
		}
		return v
	}
	order := make([]int, len(s.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return s.rows[i].Cluster - s.rows[j].Cluster })
	var sumA, sumB, g float64
	for at, i := range order {
		p := &s.rows[i]
		sumA += a[i].constant*p.N + a[i].slope*p.Sum
		sumB += b[i].constant*p.N + b[i].slope*p.Sum
		if at == len(order)-1 || s.rows[order[at+1]].Cluster != p.Cluster {
			v += sumA * sumB
			sumA, sumB = 0, 0
			g++
		}
	}
	return v * g / (g - 1)
}

// armMean is the mean outcome under one arm, with what each row's observations add to its error.
type armMean struct {
	value     float64
	influence []affine
}

// weight is that of one observation of row i in the mean under an arm, and its derivative by the
// linear predictor of the propensity. Both are 0 for rows of the other arm.
func (s *treatmentSample) weight(i, arm int) (w, derivative float64) {
	switch {
	case armOf(s.rows[i].Treated) != arm:
		return 0, 0
	case !s.opts.Method.weighs() || s.opts.Estimand == OnTreated && arm == 1:
		return 1, 0
	}
	e, slope := s.propensity.e[i], s.propensity.slope[i]
	switch {
	case s.opts.Estimand == OnTreated:
		return e / (1 - e), slope / (1 - e) / (1 - e)
	case arm == 1:
		return 1 / e, -slope / e / e
	}
	return 1 / (1 - e), slope / (1 - e) / (1 - e)
}

// target tells whether the row is of those whose effect is asked for.
func (s *treatmentSample) target(i int) float64 {
	if s.opts.Estimand == OnAll || s.rows[i].Treated {
		return 1
	}
	return 0
}

// arm estimates the mean outcome of the target under an arm. With m the regression's prediction, w
// the weight and t the indicator of the target, it solves
//
//	weighting:  Σ w (y - μ) = 0
//	regression: Σ t (m - μ) = 0
//	AIPW:       μ = Σ t m / Σ t + Σ w (y - m) / D, D = Σ t for the ATE and Σ w for the ATT.
//
// The mean of the treated under treatment needs no model.
func (s *treatmentSample) arm(arm int, out *TreatmentEffect) (armMean, error) {
	weighs := s.opts.Method.weighs() && !(s.opts.Estimand == OnTreated && arm == 1)
	models := s.opts.Method.models() && !(s.opts.Estimand == OnTreated && arm == 1)
	w, dw := make([]float64, len(s.rows)), make([]float64, len(s.rows))
	var sumW, sumT float64
	for i := range s.rows {
		w[i], dw[i] = s.weight(i, arm)
		sumW += s.rows[i].N * w[i]
		sumT += s.rows[i].N * s.target(i)
	}
	a := armMean{influence: make([]affine, len(s.rows))}
	// byGamma is the derivative of the mean by the coefficients of the propensity.
	var byGamma []float64
	if weighs {
		byGamma = make([]float64, len(s.propensity.columns))
	}
	addByGamma := func(i int, factor float64) {
		if !weighs || factor == 0 {
			return
		}
		for at, j := range s.propensity.columns {
			byGamma[at] += factor * s.rows[i].X[j]
		}
	}
	if !models {
		for i := range s.rows {
			a.value += w[i] * s.rows[i].Sum / sumW
		}
		for i := range s.rows {
			p := &s.rows[i]
			a.influence[i] = affine{-w[i] * a.value / sumW, w[i] / sumW}
			addByGamma(i, dw[i]*(p.Sum-p.N*a.value)/sumW)
		}
		s.addPropensityScores(&a, byGamma)
		return a, nil
	}

	fit, err := s.regression(arm, w, out)
	if err != nil {
		return a, err
	}
	columns := s.columns(s.opts.OutcomeTerms)
	mean, slope, residual := make([]float64, len(s.rows)), make([]float64, len(s.rows)), 0.0
	predicted := 0.0
	for i := range s.rows {
		p := &s.rows[i]
		eta := 0.0
		for at, j := range columns {
			eta += fit.coef[at] * p.X[j]
		}
		mean[i], slope[i] = eta, 1
		if fit.Model == Logit {
			mean[i] = logistic(eta)
			slope[i] = mean[i] * (1 - mean[i])
		}
		predicted += s.target(i) * p.N * mean[i] / sumT
		residual += w[i] * (p.Sum - p.N*mean[i])
	}
	augmented := s.opts.Method == AIPW
	divisor, centre, residualCentre := sumT, predicted, 0.0
	a.value = predicted
	if augmented {
		if s.opts.Estimand == OnTreated {
			divisor = sumW
			residualCentre = residual / divisor
		}
		a.value += residual / divisor
		if s.opts.Estimand == OnAll {
			centre = a.value
		}
	}
	byBeta := make([]float64, len(columns))
	for i := range s.rows {
		p := &s.rows[i]
		factor := s.target(i) / sumT
		if augmented {
			factor -= w[i] / divisor
		}
		for at, j := range columns {
			byBeta[at] += factor * p.N * slope[i] * p.X[j]
		}
	}
	q := fit.bread.times(byBeta)
	for i := range s.rows {
		p := &s.rows[i]
		a.influence[i].constant += s.target(i) * (mean[i] - centre) / sumT
		if augmented {
			a.influence[i].constant -= w[i] * (mean[i] + residualCentre) / divisor
			a.influence[i].slope += w[i] / divisor
			addByGamma(i, dw[i]*(p.Sum-p.N*(mean[i]+residualCentre))/divisor)
		}
		if armOf(p.Treated) != arm {
			continue
		}
		pull := 0.0 // of the regression on the mean
		for at, j := range columns {
			pull += q[at] * p.X[j]
		}
		fitWeight := 1.0
		if s.opts.Method == IPWRA {
			fitWeight = w[i]
			addByGamma(i, dw[i]*pull*(p.Sum-p.N*mean[i]))
		}
		a.influence[i].constant -= fitWeight * pull * mean[i]
		a.influence[i].slope += fitWeight * pull
	}
	s.addPropensityScores(&a, byGamma)
	return a, nil
}

// addPropensityScores adds what estimating the propensity does to the error of a mean with this
// derivative by the propensity's coefficients.
func (s *treatmentSample) addPropensityScores(a *armMean, byGamma []float64) {
	if byGamma == nil {
		return
	}
	g := s.propensity.inverse.times(byGamma)
	for i := range s.rows {
		pull := 0.0
		for at, j := range s.propensity.columns {
			pull += g[at] * s.rows[i].X[j]
		}
		a.influence[i].constant += s.propensity.score[i] * pull
	}
}

// regression fits the outcome of an arm. A logit that predicts perfectly somewhere gives way to the
// linear model, with a warning.
func (s *treatmentSample) regression(arm int, w []float64, out *TreatmentEffect) (*Regression, error) {
	columns := s.columns(s.opts.OutcomeTerms)
	design := s.design.project(columns)
	armName := [...]string{"controls", "treated"}[arm]
	patterns := make([]Pattern, 0, len(s.rows))
	var weight float64
	everyone := newSymmetric(len(columns))
	for i := range s.rows {
		p := &s.rows[i]
		x := project(p.X, columns)
		if s.target(i) > 0 {
			everyone.addOuter(x, p.N)
		}
		if armOf(p.Treated) != arm {
			continue
		}
		f := 1.0
		if s.opts.Method == IPWRA {
			f = w[i]
		}
		weight += f * p.N
		patterns = append(patterns, Pattern{X: x, Cluster: p.Cluster, N: f * p.N, Sum: f * p.Sum, SumSq: f * p.SumSq})
	}
	// Weights of controls add up to the number of treated: few treated are no few controls.
	observations := s.arms[arm].N
	fit, err := Fit(design, patterns, FitOptions{Model: s.opts.Outcome, Covariance: HC0, Observations: observations,
		Stop: s.opts.Stop})
	if s.opts.Outcome == Logit && (err != nil || len(fit.Separated) > 0) {
		out.Warnings = append(out.Warnings,
			"the outcome of the "+armName+" is predicted perfectly in part, where a logit has no finite estimate; their "+
				"regression is linear")
		fit, err = Fit(design, patterns, FitOptions{Covariance: HC0, Observations: observations, Stop: s.opts.Stop})
	}
	if err != nil {
		return nil, fault.Invalidf("the outcome of the %s cannot be modelled: %w", armName, err)
	}
	fit.bread.scale(observations / weight) // that of the weights as they are
	everyone.fill()
	_, determined := everyone.inverse(nil)
	for at, omitted := range fit.omitted {
		if omitted && !determined[at] {
			return nil, fault.Invalidf("the %s do not tell the coefficient of %s, so that their outcome cannot be predicted "+
				"for the others; merge its category, leave it out of the regression, or match", armName, design.Terms[at].Name)
		}
	}
	return fit, nil
}

// describe fills in the counts, weights, balance and sensitivity.
func (s *treatmentSample) describe(out *TreatmentEffect) {
	for i := range s.rows {
		w := 1.0
		if s.weights != nil {
			w = s.weights[i]
		}
		if w == 0 {
			continue
		}
		if s.rows[i].Treated {
			out.Treated += s.rows[i].N
		} else {
			out.Controls += s.rows[i].N
		}
	}
	if s.weights != nil {
		var sum, largest [2]float64
		for i := range s.rows {
			arm, w := armOf(s.rows[i].Treated), s.weights[i]
			out.Weights[s.origin[i]] = w
			sum[arm] += s.rows[i].N * w
			largest[arm] = math.Max(largest[arm], w)
		}
		out.EffectiveTreated, out.EffectiveControls = s.effectiveSizes()
		out.LargestWeight = math.Max(largest[0]/sum[0], largest[1]/sum[1])
		if out.EffectiveControls < fewObservations || out.EffectiveTreated < fewObservations {
			out.Warnings = append(out.Warnings,
				fmt.Sprintf("the weights leave an effective sample of %.3g treated and %.3g controls", out.EffectiveTreated,
					out.EffectiveControls))
		}
	}
	s.balance(out)
	if s.isIndicator() {
		out.EValue = EValueOf(out.Ratio)
	} else {
		treated, controls := s.arms[1], s.arms[0]
		ss := treated.squaredDeviations() + controls.squaredDeviations()
		out.EValue = EValueOfDifference(out.Effect, math.Sqrt(ss/(treated.N+controls.N-2)))
	}
}

// Balance compares those treated with the controls on every term of the design and the base of every
// factor, whatever the outcome. After is NaN. An empty arm is an error.
func Balance(design Design, rows []TreatmentRow, level float64) ([]CovariateBalance, error) {
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
	s := newTreatmentSample(design, rows, EffectOptions{Level: level})
	if s.arms[0].N == 0 || s.arms[1].N == 0 {
		return nil, fault.Invalidf("a comparison needs both arms; there are %s treated and %s controls",
			formatCount(s.arms[1].N), formatCount(s.arms[0].N))
	}
	out := &TreatmentEffect{}
	s.balance(out)
	return out.Balance, nil
}

// StandardisedDifference is that of one variable between arms given as totals; see CovariateBalance.
func StandardisedDifference(treated, controls Cell, level float64) Estimate {
	return standardisedDifference(treated, controls, treated.IsIndicator() && controls.IsIndicator(), level)
}

// standardisedDifference is (mean1 - mean0)/s1, s1 the standard deviation of the treated.
func standardisedDifference(treated, controls Cell, binary bool, level float64) Estimate {
	const method = "standardised difference"
	m1, m0 := treated.Mean(), controls.Mean()
	var v1, v0 float64
	if binary {
		v1, v0 = m1*(1-m1), m0*(1-m0)
	} else {
		v1 = treated.squaredDeviations() / (treated.N - 1)
		v0 = controls.squaredDeviations() / (controls.N - 1)
	}
	if !(v1 > 0) {
		e := undefined(method, level, "the treated do not vary")
		if m1 == m0 {
			e.Value = 0
		}
		return e
	}
	s := math.Sqrt(v1)
	d := (m1 - m0) / s
	variance := 1/treated.N + v0/v1/controls.N + d*d/2/(treated.N-1)
	if binary {
		slope := (1 - d*(1-2*m1)/2/s) / s
		variance = slope*slope*v1/treated.N + v0/v1/controls.N
	}
	return normalEstimate(method, d, variance, level)
}

// balance compares the covariates of all rows of the input before, and of the rows in use after.
func (s *treatmentSample) balance(out *TreatmentEffect) {
	type column struct {
		name  string
		term  Term
		value func(x []float64) float64
	}
	var list []column
	add := func(j int) {
		t := s.design.Terms[j]
		list = append(list, column{t.Name, t, func(x []float64) float64 { return x[j] }})
	}
	for j := 1; j < len(s.design.Terms); j++ {
		if f := s.design.factorOf(j); f >= 0 && s.design.Factors[f].Columns[0] == j {
			factor := s.design.Factors[f]
			list = append(list, column{factor.Base.Name, factor.Base, func(x []float64) float64 {
				for _, c := range factor.Columns {
					if x[c] != 0 {
						return 0
					}
				}
				return 1
			}})
		}
		add(j)
	}
	compare := func(name string, term Term, before, after func(i int) float64) {
		var arms [2]Cell
		var weighted, weight [2]float64
		binary := true
		for i, row := range s.all {
			v := before(i)
			if row.N == 0 || math.IsNaN(v) {
				continue
			}
			binary = binary && (v == 0 || v == 1)
			c := &arms[armOf(row.Treated)]
			c.N, c.Sum, c.SumSq = c.N+row.N, c.Sum+row.N*v, c.SumSq+row.N*v*v
		}
		mean := func(c Cell) Estimate {
			if binary {
				return Wilson(c.Sum, c.N, s.opts.Level)
			}
			return Mean(c.N, c.Sum, c.SumSq, s.opts.Level)
		}
		b := CovariateBalance{Covariate: name, Term: term, Treated: mean(arms[1]), Controls: mean(arms[0]), After: math.NaN()}
		b.Difference = standardisedDifference(arms[1], arms[0], binary, s.opts.Level)
		b.Before = b.Difference.Value
		if s.weights != nil {
			for i, row := range s.rows {
				arm := armOf(row.Treated)
				weighted[arm] += row.N * s.weights[i] * after(i)
				weight[arm] += row.N * s.weights[i]
			}
			spread := b.Treated.SE * math.Sqrt(arms[1].N) // NaN where the treated do not vary
			b.After = (weighted[1]/weight[1] - weighted[0]/weight[0]) / spread
		}
		out.Balance = append(out.Balance, b)
	}
	if s.propensity != nil {
		compare("(propensity)", Term{Name: "(propensity)", Dimension: -1, Category: -1},
			func(i int) float64 { return out.Propensity[i] }, func(i int) float64 { return s.propensity.e[i] })
	}
	worst, name := 0.0, ""
	for _, c := range list {
		if s.opts.Stop.now() {
			return
		}
		compare(c.name, c.term, func(i int) float64 { return c.value(s.all[i].X) },
			func(i int) float64 { return c.value(s.rows[i].X) })
		if after := math.Abs(out.Balance[len(out.Balance)-1].After); after > worst {
			worst, name = after, c.name
		}
	}
	if worst > balancedBelow && s.opts.Method != Unadjusted {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s differs by %.2g standard deviations after adjustment; under %g is usually called balanced", name,
				worst, balancedBelow))
	}
}
