package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

// A selectionWorld has two covariates that drive both treatment and outcome, by logits: what is
// compared without adjustment is not the effect.
type selectionWorld struct {
	treatment, outcome [4]float64 // constant, second category of the first, second and third of the second
	effect             float64    // on the outcome's linear predictor
	link               func(float64) float64
}

func (w selectionWorld) eta(b [4]float64, first, second int) float64 {
	return b[0] + b[1]*float64(first) + [3]float64{0, b[2], b[3]}[second]
}

func (w selectionWorld) share(first, second int) float64 {
	return []float64{.6, .4}[first] * []float64{.3, .45, .25}[second]
}

func (w selectionWorld) draw(rng *rand.Rand, n int) (treated, controls []Cell) {
	arms := [2][]Cell{}
	for arm := range arms {
		arms[arm] = make([]Cell, 6)
		for c := range 6 {
			arms[arm][c].Key = []int{c / 3, c % 3}
		}
	}
	for range n {
		first, second := 0, 0
		if rng.Float64() < .4 {
			first = 1
		}
		switch u := rng.Float64(); {
		case u < .25:
			second = 2
		case u < .7:
			second = 1
		}
		arm, shift := 0, 0.0
		if rng.Float64() < logistic(w.eta(w.treatment, first, second)) {
			arm, shift = 1, w.effect
		}
		c := &arms[arm][3*first+second]
		c.N++
		if rng.Float64() < w.link(w.eta(w.outcome, first, second)+shift) {
			c.Sum++
			c.SumSq++
		}
	}
	return arms[1], arms[0]
}

// truth is the mean effect in the population, and given covariates on the treated cells drawn.
func (w selectionWorld) truth(treated []Cell) (onTreated, onAll, onDrawn float64) {
	at := func(first, second int) float64 {
		eta := w.eta(w.outcome, first, second)
		return w.link(eta+w.effect) - w.link(eta)
	}
	var weight, drawn float64
	for c := range 6 {
		share := w.share(c/3, c%3)
		e := logistic(w.eta(w.treatment, c/3, c%3))
		onAll += share * at(c/3, c%3)
		onTreated += share * e * at(c/3, c%3)
		weight += share * e
	}
	for _, c := range treated {
		onDrawn += c.N * at(c.Key[0], c.Key[1])
		drawn += c.N
	}
	return onTreated / weight, onAll, onDrawn / drawn
}

var confounded = selectionWorld{
	treatment: [4]float64{-1.1, .9, .6, 1.1}, outcome: [4]float64{-.9, .8, .4, 1}, effect: .5, link: logistic,
}

var adjustingMethods = []EffectMethod{RegressionAdjustment, IPW, AIPW, IPWRA, ExactMatching, PropensityMatching,
	Subclassification}

// TestEffectStandardErrorsAgainstInfinitesimalJackknife moves the number of each row by a little:
// Σ n (∂θ/∂n)² is the variance of any smooth estimate, found without its formula.
func TestEffectStandardErrorsAgainstInfinitesimalJackknife(t *testing.T) {
	treated, controls := confounded.draw(rand.New(rand.NewPCG(31, 32)), 700)
	design, cells, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	var rows []TreatmentRow // one per value of the outcome
	for _, c := range cells {
		no, yes := c, c
		no.N, no.Sum, no.SumSq = c.N-c.Sum, 0, 0
		yes.N = c.Sum
		rows = append(rows, no, yes)
	}
	const h = 1e-3
	for _, method := range []EffectMethod{RegressionAdjustment, IPW, AIPW, IPWRA} {
		for _, opts := range []EffectOptions{
			{}, {Estimand: OnAll}, {Outcome: Logit}, {Estimand: OnAll, Outcome: Logit}, {Probit: true}, {Estimand: OnAll,
				Probit: true},
			{PropensityTerms: []int{1}, OutcomeTerms: []int{2, 3}}, {Estimand: OnAll, PropensityTerms: []int{2, 3},
				OutcomeTerms: []int{1}, Outcome: Logit},
		} {
			opts.Level, opts.Method = .95, method
			name := fmt.Sprintf("%v, %+v", method, opts)
			base, err := EstimateEffect(design, rows, opts)
			if err != nil {
				t.Fatal(err)
			}
			var effect, with, log float64
			for i := range rows {
				moved := slices.Clone(rows)
				for _, v := range []*float64{&moved[i].N, &moved[i].Sum, &moved[i].SumSq} {
					if *v > 0 {
						*v += h
					}
				}
				e, err := EstimateEffect(design, moved, opts)
				if err != nil {
					t.Fatal(err)
				}
				square := func(got, was float64) float64 { return rows[i].N * (got - was) / h * (got - was) / h }
				effect += square(e.Effect.Value, base.Effect.Value)
				with += square(e.WithTreatment.Value, base.WithTreatment.Value)
				log += square(math.Log(e.Ratio.Value), math.Log(base.Ratio.Value))
			}
			near(t, name+": effect", base.Effect.SE, math.Sqrt(effect), 2e-3*math.Sqrt(effect))
			near(t, name+": mean with treatment", base.WithTreatment.SE, math.Sqrt(with), 2e-3*math.Sqrt(with))
			near(t, name+": log ratio", base.Ratio.SE/base.Ratio.Value, math.Sqrt(log), 2e-3*math.Sqrt(log))
		}
	}
}

// Two cells by hand: treated 10 of 20 and 30 of 40, controls 8 of 40 and 12 of 20. On the treated
// the effect is (20 (.5-.2) + 40 (.75-.6))/60 = .2, on all (60·.3 + 60·.15)/120 = .225.
func TestEffectByHand(t *testing.T) {
	treated := []Cell{{Key: []int{0}, N: 20, Sum: 10, SumSq: 10}, {Key: []int{1}, N: 40, Sum: 30, SumSq: 30}}
	controls := []Cell{{Key: []int{0}, N: 40, Sum: 8, SumSq: 8}, {Key: []int{1}, N: 20, Sum: 12, SumSq: 12}}
	design, rows, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range adjustingMethods {
		for estimand, want := range map[Estimand]float64{OnTreated: .2, OnAll: .225} {
			e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Method: method, Estimand: estimand, Subclasses: 2,
				Caliper: math.Inf(1)})
			if err != nil {
				t.Fatal(err)
			}
			near(t, fmt.Sprint(method, estimand), e.Effect.Value, want, 1e-9)
			if !(e.Effect.SE > .05 && e.Effect.SE < .15) {
				t.Errorf("%v: standard error %g", method, e.Effect.SE)
			}
		}
	}
	e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Method: ExactMatching})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "variance", e.Effect.SE*e.Effect.SE, .25/19/9+.1875/39*4/9+.16/39/9+.24/19*4/9, 1e-12)
	near(t, "effective controls", e.EffectiveControls, 60*60/(40*.25+20*4.), 1e-9)
	near(t, "largest weight", e.LargestWeight, 2/60., 1e-12)
	// category 1: 2/3 of the treated, 1/3 of the controls, spread √(2/9)
	b := e.Balance[len(e.Balance)-1]
	near(t, "before", b.Before, (1./3)/math.Sqrt(2./9), 1e-12)
	near(t, "after", b.After, 0, 1e-12)
	direct, err := Direct(controls, treated, DirectOptions{Level: .95, Multiplier: 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "controls standardised to the treated", e.Without.Value, direct.Standardised.Value, 1e-12)
	// the propensity is 1/3 and 2/3
	near(t, "overlap", e.Overlap[3].Treated+e.Overlap[6].Controls, 40, 0)
	if e.OutsideOverlap != 0 {
		t.Errorf("%g outside", e.OutsideOverlap)
	}
}

// With nothing to adjust for, weighting is the difference of two proportions, and its interval is
// Newcombe's but for Student's quantile. Outcomes that nobody has still leave room for some.
func TestEffectOfRareOutcomes(t *testing.T) {
	arms := func(x1, n1, x0, n0 float64) []TreatmentRow {
		return []TreatmentRow{
			{Pattern: Pattern{X: []float64{1}, N: n1, Sum: x1, SumSq: x1}, Treated: true},
			{Pattern: Pattern{X: []float64{1}, N: n0, Sum: x0, SumSq: x0}},
		}
	}
	for _, x := range [][4]float64{{3, 400, 0, 600}, {300, 4000, 290, 6000}, {0, 500, 0, 500}} {
		for _, method := range []EffectMethod{IPW, ExactMatching} {
			e, err := EstimateEffect(FreeDesign(), arms(x[0], x[1], x[2], x[3]),
				EffectOptions{Level: .95, Caliper: .2, Subclasses: 6, Method: method})
			if err != nil {
				t.Fatal(err)
			}
			want := Difference(x[0], x[1], x[2], x[3], .95)
			near(t, fmt.Sprint(method, x), e.Effect.Value, want.Value, 1e-12)
			near(t, fmt.Sprint(method, x, " lower"), e.Effect.Lower, want.Lower, .015*(want.Upper-want.Lower))
			near(t, fmt.Sprint(method, x, " upper"), e.Effect.Upper, want.Upper, .015*(want.Upper-want.Lower))
		}
	}
}

func TestEffectCountsWhoIsLeftOut(t *testing.T) {
	// Nobody of category 2 is a control, nobody of 3 treated; category 1 has a propensity of 0.05.
	treated := []Cell{{Key: []int{0}, N: 30, Sum: 15, SumSq: 15}, {Key: []int{1}, N: 5, Sum: 3, SumSq: 3},
		{Key: []int{2}, N: 7, Sum: 7, SumSq: 7}}
	controls := []Cell{{Key: []int{0}, N: 60, Sum: 20, SumSq: 20}, {Key: []int{1}, N: 95, Sum: 20, SumSq: 20},
		{Key: []int{3}, N: 11, Sum: 1, SumSq: 1}}
	design, rows, err := TreatmentRows([]Dimension{{Name: "origin", Codes: []string{"A", "B", "C", "D"}}}, treated,
		controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range adjustingMethods[1:] {
		e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Caliper: .2, Method: method, Subclasses: 2})
		if err != nil {
			t.Fatal(err)
		}
		if e.UnmatchedTreated != 7 || e.UnmatchedControls != 11 || e.Treated != 35 || e.Controls != 155 {
			t.Errorf("%v: %g and %g unmatched, %g and %g used", method, e.UnmatchedTreated, e.UnmatchedControls, e.Treated,
				e.Controls)
		}
		near(t, fmt.Sprint(method), e.Effect.Value, (30*(.5-20./60)+5*(.6-20./95))/35, 1e-9)
		if len(e.Warnings) == 0 {
			t.Errorf("%v: left out without a warning", method)
		}
		near(t, "share outside", e.OutsideOverlap, (100.+7+11)/208, 1e-9)
	}
	e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Method: IPW, Trim: .1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "trimmed effect", e.Effect.Value, .5-20./60, 1e-9)
	if e.Trimmed != 100 || e.Treated != 30 || e.Controls != 60 {
		t.Errorf("%g trimmed, %g and %g used", e.Trimmed, e.Treated, e.Controls)
	}
	if e.Weights[1] != 0 || !math.IsNaN(e.Propensity[1]) {
		t.Errorf("a trimmed row has weight %g and propensity %g", e.Weights[1], e.Propensity[1])
	}
	for name, opts := range map[string]EffectOptions{
		"no regression without controls": {Level: .95, Method: RegressionAdjustment},
		"level":                          {Level: 2}, "trim": {Level: .95, Trim: .7}, "caliper": {Level: .95, Caliper: -1},
		"term":   {Level: .95, Method: IPW, PropensityTerms: []int{0}},
		"method": {Level: .95, Method: 12}, "one cluster": {Level: .95, Method: IPW, Clustered: true},
	} {
		if _, err := EstimateEffect(design, rows, opts); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := EstimateEffect(design, rows[:3], EffectOptions{Level: .95}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no controls: %v", err)
	}
}

// Covariates that are balanced already leave propensities that differ by rounding alone: all are
// ties, so that matching is the comparison of means, whatever the unit and order of the covariates.
func TestMatchingOfBalancedCovariates(t *testing.T) {
	one := func(treated bool, n, sum float64, x ...float64) TreatmentRow {
		return TreatmentRow{Pattern: Pattern{X: append([]float64{1}, x...), N: n, Sum: sum, SumSq: sum}, Treated: treated}
	}
	for _, unit := range []float64{1, -3e4, 1e-3} {
		rows := []TreatmentRow{
			one(true, 7, 5, 0, .3*unit), one(true, 7, 3, 1, .7*unit), one(true, 7, 2, 0, .1*unit),
			one(false, 21, 5, 0, .3*unit), one(false, 21, 12, 1, .7*unit), one(false, 21, 9, 0, .1*unit),
		}
		for range 2 {
			slices.Reverse(rows)
			e, err := EstimateEffect(FreeDesign("a", "b"), rows, EffectOptions{Level: .95, Caliper: .2,
				Method: PropensityMatching})
			if err != nil {
				t.Fatal(err)
			}
			near(t, "effect", e.Effect.Value, 10./21-26./63, 1e-12)
			near(t, "its variance", e.Effect.SE*e.Effect.SE, 10./21*11/20/21+26./63*37/62/63, 1e-12)
			if e.UnmatchedTreated != 0 {
				t.Errorf("%g of like propensity find no match", e.UnmatchedTreated)
			}
		}
	}
}

// The weights of the controls add up to the number of treated. Fewer treated than coefficients do
// not make the controls too few for their regression: with a category for each pattern it is exact
// matching.
func TestRegressionWithWeightsOfFewTreated(t *testing.T) {
	treated := []Cell{{Key: []int{0}, N: 1, Sum: 1, SumSq: 1}, {Key: []int{1}, N: 1}}
	controls := []Cell{{Key: []int{0}, N: 300, Sum: 100, SumSq: 100}, {Key: []int{1}, N: 500, Sum: 50, SumSq: 50},
		{Key: []int{2}, N: 100, Sum: 9, SumSq: 9}}
	design, rows, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []Model{Linear, Logit} {
		e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Method: IPWRA, Outcome: model})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "controls like the treated", e.Without.Value, (1./3+.1)/2, 1e-9)
		// the means of both cells, and their shares among the treated, of which one is in each
		near(t, "variance", e.Without.SE*e.Without.SE, (2./9/300+.09/500)/4+math.Pow(1./3-.1, 2)/4/2, 1e-9)
	}
}

// What a mean that fits its only cluster, or its only observation, adds to the error is 0 by
// construction. No standard error is the honest answer, and a reason.
func TestEffectWithoutAStandardErrorSaysSo(t *testing.T) {
	measure := func(treated bool, cluster int, n, sum, squares, x float64) TreatmentRow {
		return TreatmentRow{Pattern: Pattern{X: []float64{1, x}, Cluster: cluster, N: n, Sum: sum, SumSq: squares},
			Treated: treated}
	}
	controls := []TreatmentRow{measure(false, 3, 30, 25, 80, 0), measure(false, 4, 20, 22, 90, 1),
		measure(false, 5, 20, 12, 50, 1), measure(false, 6, 20, 19, 60, 0)}
	for name, c := range map[string]struct {
		treated   []TreatmentRow
		clustered bool
		reason    string
	}{
		"one cluster": {[]TreatmentRow{measure(true, 1, 20, 25, 90, 0), measure(true, 1, 30, 49, 120, 1)}, true,
			"one cluster"},
		"one observation": {[]TreatmentRow{measure(true, 1, 1, 5, 25, 0)}, false, "one observation"},
	} {
		for _, method := range []EffectMethod{Unadjusted, RegressionAdjustment, IPW, AIPW, IPWRA, ExactMatching} {
			e, err := EstimateEffect(FreeDesign("x"), append(slices.Clone(c.treated), controls...),
				EffectOptions{Level: .95, Caliper: .2, Subclasses: 6, Method: method, Clustered: c.clustered})
			if err != nil {
				t.Fatal(err)
			}
			if math.IsNaN(e.Effect.Value) || !math.IsNaN(e.Effect.SE) || !math.IsNaN(e.Effect.Lower) ||
				!math.IsNaN(e.EValue.Limit) {
				t.Errorf("%s, %v: %+v", name, method, e.Effect)
			}
			if !math.IsNaN(e.WithTreatment.SE) || math.IsNaN(e.Without.SE) {
				t.Errorf("%s, %v: only the treated lack a standard error: %g, %g", name, method, e.WithTreatment.SE, e.Without.SE)
			}
			if !strings.Contains(strings.Join(append(e.Effect.Warnings, e.Warnings...), " "), c.reason) {
				t.Errorf("%s, %v: no reason in %q, %q", name, method, e.Effect.Warnings, e.Warnings)
			}
		}
	}
	// Of an indicator that none or all have, the difference has a score interval; its ratio is 0 or has no
	// variance, and neither has an E-value.
	rows := func(x1, n1, x0, n0 float64) []TreatmentRow {
		return []TreatmentRow{
			{Pattern: Pattern{X: []float64{1}, N: n1, Sum: x1, SumSq: x1},
				Treated: true}, {Pattern: Pattern{X: []float64{1}, N: n0, Sum: x0, SumSq: x0}},
		}
	}
	for _, method := range []EffectMethod{Unadjusted, IPW} {
		none, err := EstimateEffect(FreeDesign(), rows(0, 40, 10, 50),
			EffectOptions{Level: .95, Caliper: .2, Subclasses: 6, Method: method})
		if err != nil || !(none.Effect.Upper < 0) || !math.IsNaN(none.EValue.Point) {
			t.Errorf("%v, none of the treated: %+v, %v", method, none, err)
		}
		all, err := EstimateEffect(FreeDesign(), rows(40, 40, 50, 50),
			EffectOptions{Level: .95, Caliper: .2, Subclasses: 6, Method: method})
		if err != nil || !(all.Effect.Upper > 0) || !math.IsNaN(all.Ratio.Lower) || len(all.Ratio.Warnings) == 0 {
			t.Errorf("%v, all of both: %+v, %v", method, all, err)
		}
	}
	if v := EValueOfDifference(Estimate{Value: 1, SE: 1e-8, Lower: 1, Upper: 1}, 1e-7); !math.IsNaN(v.Point) ||
		!math.IsNaN(v.Limit) {
		t.Errorf("ten million standard deviations have E-value %v", v)
	}
}

// TestBalanceAgainstInfinitesimalJackknife finds the variance of a binary covariate's standardised
// difference without its formula, and compares a measure's with Hedges and Olkin's by hand.
func TestBalanceAgainstInfinitesimalJackknife(t *testing.T) {
	treated, controls := confounded.draw(rand.New(rand.NewPCG(33, 34)), 500)
	design, rows, err := TreatmentRows(nil, treated, controls)
	if err != nil {
		t.Fatal(err)
	}
	base, err := Balance(design, rows, .95)
	if err != nil {
		t.Fatal(err)
	}
	sum := make([]float64, len(base))
	const h = 1e-4
	for i := range rows {
		moved := slices.Clone(rows)
		moved[i].N += h
		b, err := Balance(design, moved, .95)
		if err != nil {
			t.Fatal(err)
		}
		for k := range b {
			d := (b[k].Before - base[k].Before) / h
			sum[k] += rows[i].N * d * d
		}
	}
	for k, b := range base {
		near(t, b.Covariate, b.Difference.SE, math.Sqrt(sum[k]), 1e-3*b.Difference.SE)
		if !math.IsNaN(b.After) {
			t.Errorf("%s has a difference after no weighting", b.Covariate)
		}
	}
	if len(base) != 5 {
		t.Errorf("%d categories, want 2 and 3", len(base))
	}
	var measures []TreatmentRow
	for i, x := range []float64{1, 3, 5, 7, 2, 4, 6} { // treated mean 4, s² 20/3; controls 4, s² 4
		measures = append(measures, TreatmentRow{Pattern: Pattern{X: []float64{1, x}, N: 1}, Treated: i < 4})
	}
	measures[6].X[1] = 9 // controls mean 5, s² 13
	b, err := Balance(FreeDesign("x"), measures, .95)
	if err != nil {
		t.Fatal(err)
	}
	d := -1 / math.Sqrt(20./3)
	near(t, "measure", b[0].Before, d, 1e-12)
	near(t, "its variance", b[0].Difference.SE*b[0].Difference.SE, .25+13/(20./3)/3+d*d/6, 1e-12)
}

// In each cluster the treated are a half above the controls: the arms' errors cancel.
func TestClustersThatDifferAlikeHaveNoStandardError(t *testing.T) {
	var rows []TreatmentRow
	for cluster, sum := range []float64{1, 0} {
		for arm, y := range []float64{sum, sum + 1} {
			rows = append(rows, TreatmentRow{Treated: arm == 1, Pattern: Pattern{X: []float64{1}, Cluster: cluster + 1, N: 2,
				Sum: y, SumSq: y}})
		}
	}
	e, err := EstimateEffect(FreeDesign(), rows, EffectOptions{Level: .95, Clustered: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "effect", e.Effect.Value, .5, 1e-12)
	if !math.IsNaN(e.Effect.SE) || !math.IsNaN(e.Effect.Lower) ||
		!strings.Contains(strings.Join(e.Effect.Warnings, " "), "differ alike") {
		t.Errorf("got %+v", e.Effect)
	}
}

func FuzzEffectLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		treated, controls := cellsFrom(data)
		design, rows, err := TreatmentRows(nil, treated, controls)
		if err != nil {
			t.Fatal(err)
		}
		var swapped, split, opposite []TreatmentRow
		for _, r := range rows {
			other, half, not := r, r, r
			other.Treated = !r.Treated
			half.N, half.Sum, half.SumSq = r.N/2, r.Sum/2, r.SumSq/2
			not.Sum, not.SumSq = r.N-r.Sum, r.N-r.Sum
			swapped, split, opposite = append(swapped, other), append(split, half, half), append(opposite, not)
		}
		slices.Reverse(split)
		for method := Unadjusted; method <= Subclassification; method++ {
			for _, opts := range []EffectOptions{{}, {Estimand: OnAll}, {Clustered: true}, {Estimand: OnAll, Outcome: Logit}} {
				opts.Level, opts.Method, opts.Caliper, opts.Subclasses = .95, method, .2, 6
				e, err := EstimateEffect(design, rows, opts)
				if err != nil {
					if fault.KindOf(err) != fault.Invalid {
						t.Fatal(err)
					}
					continue
				}
				name := fmt.Sprintf("%v, %+v: ", method, opts)
				if e.Treated+e.UnmatchedTreated+e.Controls+e.UnmatchedControls+e.Trimmed > Total(treated).N+Total(controls).N+1e-9 {
					t.Errorf("%sobservations counted twice", name)
				}
				near(t, name+"difference", e.Effect.Value, e.WithTreatment.Value-e.Without.Value, 1e-9)
				if method == Unadjusted || method == IPW || method >= ExactMatching {
					if math.Abs(e.Effect.Value) > 1+1e-9 {
						t.Errorf("%sa difference of probabilities is %g", name, e.Effect.Value)
					}
				}
				if !(math.IsNaN(e.Effect.SE) || e.Effect.Lower <= e.Effect.Value+1e-9 && e.Effect.Value <= e.Effect.Upper+1e-9) {
					t.Errorf("%s%g is outside its interval %g to %g", name, e.Effect.Value, e.Effect.Lower, e.Effect.Upper)
				}
				for part, got := range map[string]Estimate{"effect": e.Effect, "with": e.WithTreatment, "without": e.Without,
					"ratio": e.Ratio, "E-value": {Value: e.EValue.Point, SE: e.EValue.Limit}} {
					if math.IsInf(got.Value, 0) || math.IsInf(got.Lower, 0) || math.IsInf(got.Upper, 0) || math.IsInf(got.SE, 0) {
						t.Errorf("%s%s is infinite: %+v", name, part, got)
					}
					if math.IsNaN(got.Lower) && len(got.Warnings)+len(e.Warnings) == 0 {
						t.Errorf("%s%s is undefined without a reason: %+v", name, part, got)
					}
				}
				// Of all treated it is known whether they vary; of those left after some find no match it is not.
				if opts.Clustered && e.Effect.SE*e.Effect.SE < 1e-24 && e.UnmatchedTreated == 0 && Total(treated).Sum > 0 &&
					Total(treated).Sum < Total(treated).N {
					t.Errorf("%sa standard error of %g", name, e.Effect.SE)
				}
				if e.EffectiveControls > e.Controls*(1+1e-9) {
					t.Errorf("%seffective %g of %g", name, e.EffectiveControls, e.Controls)
				}
				const tol = 1e-6 // large weights magnify what the propensity's last Newton step leaves
				check := func(law string, rows []TreatmentRow, sign float64) {
					got, err := EstimateEffect(design, rows, opts)
					if err != nil {
						t.Fatalf("%s%s: %v", name, law, err)
					}
					near(t, name+law, got.Effect.Value, sign*e.Effect.Value, tol)
					if law != "split rows" || method == IPW || method == AIPW {
						near(t, name+law+", SE²", got.Effect.SE*got.Effect.SE, e.Effect.SE*e.Effect.SE, tol*(1+e.Effect.SE*e.Effect.SE))
					}
				}
				check("split rows", split, 1)
				if opts.Outcome == Linear {
					check("opposite outcome", opposite, -1)
				}
				if opts.Estimand == OnAll && method != Subclassification && opts.Outcome == Linear {
					check("arms swapped", swapped, -1)
				}
			}
		}
	})
}

// TestEffectIntervalsCoverTheirLevel draws from a world with selection. Methods must cover 93.5 to
// 96.5 %; the unadjusted difference must not cover half.
func TestEffectIntervalsCoverTheirLevel(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulation of some seconds")
	}
	rng := rand.New(rand.NewPCG(2018, 77))
	type method struct {
		name  string
		opts  EffectOptions
		drawn bool // the truth is that on the treated drawn
	}
	methods := []method{
		{"IPW", EffectOptions{Level: .95, Method: IPW}, false}, {"IPW, ATE",
			EffectOptions{Level: .95, Method: IPW, Estimand: OnAll}, false},
		{"AIPW", EffectOptions{Level: .95, Method: AIPW}, false}, {"AIPW, ATE",
			EffectOptions{Level: .95, Method: AIPW, Estimand: OnAll}, false},
		{"AIPW, wrong outcome model", EffectOptions{Level: .95, Method: AIPW, OutcomeTerms: []int{1}}, false},
		{"AIPW, wrong propensity", EffectOptions{Level: .95, Method: AIPW, PropensityTerms: []int{1}, Outcome: Logit}, false},
		{"IPWRA", EffectOptions{Level: .95, Method: IPWRA, Outcome: Logit}, false},
		{"regression", EffectOptions{Level: .95, Method: RegressionAdjustment, Outcome: Logit, Estimand: OnAll}, false},
		{"exact", EffectOptions{Level: .95, Method: ExactMatching}, true},
		{"nearest", EffectOptions{Level: .95, Caliper: .2, Method: PropensityMatching}, true},
		{"unadjusted", EffectOptions{Level: .95}, false},
	}
	const draws = 1000
	covered := make([]int, len(methods))
	for range draws {
		treated, controls := confounded.draw(rng, 900)
		design, rows, err := TreatmentRows(nil, treated, controls)
		if err != nil {
			t.Fatal(err)
		}
		onTreated, onAll, onDrawn := confounded.truth(treated)
		for m, method := range methods {
			e, err := EstimateEffect(design, rows, method.opts)
			if err != nil {
				t.Fatal(err)
			}
			truth := onTreated
			switch {
			case method.drawn:
				truth = onDrawn
			case method.opts.Estimand == OnAll:
				truth = onAll
			}
			if e.Effect.Lower <= truth && truth <= e.Effect.Upper {
				covered[m]++
			}
		}
	}
	for m, method := range methods {
		share := float64(covered[m]) / draws
		t.Logf("%s covers %.1f %%", method.name, 100*share)
		if method.name == "unadjusted" {
			if share > .5 {
				t.Errorf("the unadjusted difference covers %.1f %%: the world has no selection", 100*share)
			}
		} else if share < .935 || share > .965 {
			t.Errorf("%s covers %.1f %%, want 93.5 to 96.5 %%", method.name, 100*share)
		}
	}
}
