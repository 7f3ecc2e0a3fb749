package stats

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// treatmentRows reads rows of a case: covariates by name, "a=b" being 1 where column a holds b.
func treatmentRows(c *publishedCase, treatment, outcome string, covariates []string) (Design, []TreatmentRow) {
	var rows []TreatmentRow
	for _, r := range c.rows() {
		y := c.number(r[outcome])
		x := []float64{1}
		for _, name := range covariates {
			if column, code, ok := strings.Cut(name, "="); ok {
				v := 0.0
				if r[column] == code {
					v = 1
				}
				x = append(x, v)
				continue
			}
			x = append(x, c.number(r[name]))
		}
		rows = append(rows, TreatmentRow{Pattern: Pattern{X: x, N: 1, Sum: y, SumSq: y * y},
			Treated: c.number(r[treatment]) == 1})
	}
	return FreeDesign(covariates...), rows
}

// grouped merges rows of equal covariates and arm, in order of first appearance.
func grouped(rows []TreatmentRow) (out []TreatmentRow) {
	at := map[string]int{}
	for _, r := range rows {
		key := ""
		for _, x := range r.X {
			key += "," + formatCount(x)
		}
		if r.Treated {
			key += "t"
		}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, TreatmentRow{Pattern: Pattern{X: r.X, Cluster: r.Cluster}, Treated: r.Treated})
		}
		out[i].N += r.N
		out[i].Sum += r.Sum
		out[i].SumSq += r.SumSq
	}
	return out
}

func TestEffectsOfSmokingCase(t *testing.T) {
	c := openCase(t, "teffects_cattaneo2_stata")
	names := []string{"prenatal1_", "mmarried_", "mage", "mage2", "fbaby_", "medu"}
	design, rows := treatmentRows(c, "mbsmoke_", "bweight", names)
	rows = grouped(rows)
	t.Logf("%d rows after grouping", len(rows))
	for name, method := range map[string]EffectMethod{"ra": RegressionAdjustment, "ipw": IPW, "aipw": AIPW,
		"ipwra": IPWRA} {
		for key, estimand := range map[string]Estimand{"ATE": OnAll, "ATET": OnTreated} {
			if name == "aipw" && estimand == OnTreated {
				continue // Stata has no ATET of it
			}
			e, err := EstimateEffect(design, rows, EffectOptions{
				Level: .95, Caliper: .2, Subclasses: 6, Method: method, Estimand: estimand, Probit: true,
				PropensityTerms: []int{2, 3, 4, 5, 6}, OutcomeTerms: []int{1, 2, 3, 5},
			})
			if err != nil {
				t.Fatal(err)
			}
			c.check(e.Effect.Value, key, name, "effect")
			c.check(e.Effect.SE, key, name, "effect_se")
			c.check(e.Without.Value, key, name, "po_mean_0")
			c.check(e.Without.SE, key, name, "po_mean_0_se")
			if e.Treated != 864 || e.Controls != 3778 {
				t.Errorf("%s: %g treated and %g controls", name, e.Treated, e.Controls)
			}
		}
	}
	var took []Pattern
	for _, r := range rows {
		p := Pattern{X: append([]float64{1}, r.X[2:]...), N: r.N}
		if r.Treated {
			p.Sum, p.SumSq = r.N, r.N
		}
		took = append(took, p)
	}
	fit, err := Fit(FreeDesign(names[1:]...), took, FitOptions{Model: Logit, Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	coef, err := probitFrom(fit)
	if err != nil {
		t.Fatal(err)
	}
	for j, name := range []string{"_cons", "mmarried", "mage", "mage2", "fbaby", "medu"} {
		c.check(coef[j], "probit", name)
	}
}

func TestMatchingOfTrainingProgrammeCase(t *testing.T) {
	c := openCase(t, "matchit_lalonde_exact_subclass")
	names := []string{"age", "educ", "race=black", "race=hispan", "race=white", "nodegree", "married", "re74", "re75"}
	design, rows := treatmentRows(c, "treat", "re78", names)
	for key, estimand := range map[string]Estimand{"att": OnTreated, "ate": OnAll} {
		e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Method: ExactMatching, Estimand: estimand,
			PropensityTerms: []int{3, 4, 6, 7}})
		if err != nil {
			t.Fatal(err)
		}
		c.check(e.Effect.Value, "exact", key)
		if estimand == OnTreated {
			c.check(e.EffectiveControls, "exact", "ess_control")
			for i, r := range c.rows() {
				// MatchIt scales the weights of controls to their number
				want := c.number(r["matchit_exact_weight"])
				got := e.Weights[i]
				if !rows[i].Treated {
					got *= e.Controls / e.Treated
				}
				near(t, "weight", got, want, 1e-6)
			}
		}
	}
	e, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Subclasses: 6, Method: Subclassification,
		PropensityTerms: []int{1, 2, 3, 4, 6, 7, 8, 9}})
	if err != nil {
		t.Fatal(err)
	}
	c.check(e.Effect.Value, "subclass", "att")
	for k, stratum := range e.Strata {
		c.check(stratum.Treated, "subclass", "n_treated", k)
		c.check(stratum.Controls, "subclass", "n_control", k)
	}
	for i, r := range c.rows() {
		near(t, "propensity", e.Propensity[i], c.number(r["matchit_ps"]), 1e-8)
	}
	for _, b := range e.Balance {
		name := strings.ReplaceAll(b.Covariate, "=", "")
		if name == "(propensity)" {
			name = "distance"
		}
		c.check(b.Treated.Value, "balance_before", name, "mean_treated")
		c.check(b.Controls.Value, "balance_before", name, "mean_control")
		c.check(b.Before, "balance_before", name, "smd")
	}
	if len(e.Balance) != 10 {
		t.Errorf("%d rows of balance", len(e.Balance))
	}
	// Rows in another order must give the same match: ties are no matter of order.
	m, err := EstimateEffect(design, rows, EffectOptions{Level: .95, Caliper: .2, Method: PropensityMatching})
	if err != nil {
		t.Fatal(err)
	}
	back := slices.Clone(rows)
	slices.Reverse(back)
	r, err := EstimateEffect(design, back, EffectOptions{Level: .95, Caliper: .2, Method: PropensityMatching})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "matching, rows reversed", r.Effect.Value, m.Effect.Value, 1e-6)
	near(t, "its standard error", r.Effect.SE, m.Effect.SE, 1e-6)
	t.Logf("propensity matching: %.1f (%.1f), %g treated without a match", m.Effect.Value, m.Effect.SE, m.UnmatchedTreated)
}

// VanderWeele, Ding 2017: a risk ratio of 3.9 (1.8, 8.7) has E-values 7.26 and 3.0; one of 0.80
// (0.71, 0.91) has 1.81 and 1.43.
func TestEValueAgainstPaper(t *testing.T) {
	v := EValueOf(Estimate{Value: 3.9, Lower: 1.8, Upper: 8.7})
	near(t, "point", v.Point, 7.26, .005)
	near(t, "limit", v.Limit, 3.0, .005)
	v = EValueOf(Estimate{Value: .8, Lower: .71, Upper: .91})
	near(t, "protective point", v.Point, 1.81, .005)
	near(t, "protective limit", v.Limit, 1.43, .005)
	if v := EValueOf(Estimate{Value: 1.2, Lower: .9, Upper: 1.6}); v.Limit != 1 {
		t.Errorf("an interval with no effect in it has limit %g, want 1", v.Limit)
	}
	if v := EValueOf(Estimate{Value: math.NaN()}); !math.IsNaN(v.Point) || !math.IsNaN(v.Limit) {
		t.Errorf("an undefined ratio gives %v", v)
	}
}
