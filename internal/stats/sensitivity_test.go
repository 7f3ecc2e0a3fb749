package stats

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func (c *publishedCase) checkSensitivity(r *Regression, term int, controls ...string) {
	c.t.Helper()
	s, err := r.Sensitivity(term, SensitivityOptions{Level: .95, Part: 1})
	if err != nil {
		c.t.Fatal(err)
	}
	c.check(s.Estimate.Value, "estimate")
	c.check(s.Estimate.SE, "se")
	c.check(s.Estimate.Value/s.Estimate.SE, "t")
	c.check(r.DF, "df")
	c.check(s.PartialR2, "partial_r2")
	c.check(s.Value, "rv")
	c.check(s.OfInterval, "rv_alpha")
	p, err := r.partial(term)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, control := range r.controls(term) {
		if !slices.Contains(controls, control.name) {
			continue
		}
		withGroup, withOutcome, _ := p.of(control.columns)
		c.check(withGroup, "bounds", control.name, "R_d")
		c.check(withOutcome, "bounds", control.name, "R_y")
	}
	for _, b := range s.Bounds {
		if !slices.Contains(controls, b.Control) {
			continue
		}
		k := fmt.Sprintf("k%g", b.Times)
		c.check(b.WithGroup, "bounds", b.Control, k, "r2dz_x")
		c.check(b.WithOutcome, "bounds", b.Control, k, "r2yz_dx")
		c.check(s.Estimate.Value-b.Adjusted.Value, "bounds", b.Control, k, "bias")
		c.check(b.Adjusted.Value, "bounds", b.Control, k, "adjusted_estimate")
		c.check(b.Adjusted.SE, "bounds", b.Control, k, "adjusted_se")
		c.check(b.Adjusted.Value/b.Adjusted.SE, "bounds", b.Control, k, "adjusted_t")
		c.check(b.Adjusted.Lower, "bounds", b.Control, k, "adjusted_lo")
		c.check(b.Adjusted.Upper, "bounds", b.Control, k, "adjusted_hi")
	}
}

func TestSensitivityDarfurCase(t *testing.T) {
	c := openCase(t, "sensitivity_darfur_published")
	names := []string{"directlyharmed", "female", "age", "farmer", "herder", "pastvoted", "hhsize"}
	design := FreeDesign(names...)
	village := Factor{Name: "village"}
	seen := map[string]int{}
	rows := c.rows()
	for _, r := range rows {
		if _, ok := seen[r["village"]]; ok {
			continue
		}
		seen[r["village"]] = len(design.Terms)
		if len(seen) == 1 {
			village.Base = Term{Name: r["village"]}
			seen[r["village"]] = 0
			continue
		}
		village.Columns = append(village.Columns, len(design.Terms))
		design.Terms = append(design.Terms, Term{Name: r["village"]})
	}
	design.Factors = []Factor{village}
	var patterns []Pattern
	for _, r := range rows {
		x := make([]float64, len(design.Terms))
		for j, name := range names {
			x[j+1] = c.number(r[name])
		}
		x[seen[r["village"]]] = 1 // the base's column is the constant, which is 1 in all
		x[0] = 1
		y := c.number(r["y"])
		patterns = append(patterns, Pattern{X: x, N: 1, Sum: y, SumSq: y * y})
	}
	fit, err := Fit(design, patterns, FitOptions{Covariance: Classical})
	if err != nil {
		t.Fatal(err)
	}
	c.checkSensitivity(fit, 1, "female")
	s, err := fit.Sensitivity(1, SensitivityOptions{Level: .95, Part: 1})
	if err != nil {
		t.Fatal(err)
	}
	c.check(s.Estimate.Value, "published", "estimate")
	c.check(s.Estimate.SE, "published", "se")
	c.check(s.PartialR2, "published", "partial_r2")
	c.check(s.Value, "published", "rv")
	c.check(s.OfInterval, "published", "rv_alpha")
	for _, b := range s.Bounds {
		if b.Control != "female" {
			continue
		}
		k := int(b.Times) - 1
		c.check(b.WithGroup, "published", "bounds_female", "r2dz_x", k)
		c.check(b.WithOutcome, "published", "bounds_female", "r2yz_dx", k)
		c.check(b.Adjusted.Value, "published", "bounds_female", "adjusted_estimate", k)
		c.check(b.Adjusted.SE, "published", "bounds_female", "adjusted_se", k)
		c.check(b.Adjusted.Value/b.Adjusted.SE, "published", "bounds_female", "adjusted_t", k)
		c.check(b.Adjusted.Lower, "published", "bounds_female", "lo", k)
		c.check(b.Adjusted.Upper, "published", "bounds_female", "hi", k)
	}
}

func TestSensitivityTitanicCase(t *testing.T) {
	c := openCase(t, "sensitivity_titanic_cells")
	g := adjustCase(t, c, Classical, []string{"age", "class"}, []string{"Adult", "Crew"})
	c.checkSensitivity(g.Fit, groupTerm, "age", "class")
	if bounds := len(good(g.Sensitivity(SensitivityOptions{Level: .95, Part: 1})).Bounds); bounds != 6 {
		t.Errorf("%d bounds, want 3 for each of two controls", bounds)
	}
}

func good[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRobustnessCase(t *testing.T) {
	c := openCase(t, "sensitivity_formula_only")
	for _, r := range c.rows() {
		all, err := RobustnessOf(c.number(r["t"]), c.number(r["df"]), 1, .95)
		if err != nil {
			t.Fatal(err)
		}
		half, err := RobustnessOf(-c.number(r["t"]), c.number(r["df"]), .5, .95)
		if err != nil {
			t.Fatal(err)
		}
		c.check(all.PartialR2, r["case"], "partial_r2")
		c.check(all.Value, r["case"], "rv")
		c.check(all.OfInterval, r["case"], "rv_alpha")
		c.check(half.Value, r["case"], "rv_q_half")
		if r["case"] == "darfur" {
			c.check(all.PartialR2, "darfur_published", "partial_r2")
			c.check(all.Value, "darfur_published", "rv")
			c.check(all.OfInterval, "darfur_published", "rv_alpha")
		}
	}
}

// Something unrecorded of the strength of the robustness value takes the coefficient, or its limit, to 0
// when it is recorded: drawn with exactly that partial R² and put into the regression.
func TestRobustnessIsReached(t *testing.T) {
	c := openCase(t, "sensitivity_titanic_cells", "partial_r2")
	g := adjustCase(t, c, Robust, []string{"age", "class"}, []string{"Adult", "Crew"})
	s := good(g.Sensitivity(SensitivityOptions{Level: .95, Part: .5}))
	p := good(g.Fit.partial(groupTerm))
	classical := p.coef / p.se
	if !(s.Value > 0 && s.OfInterval < s.Value) {
		t.Errorf("%+v", s.Robustness)
	}
	c.check(s.PartialR2, "partial_r2")
	for _, strength := range []float64{s.Value, s.OfInterval} {
		// Bias and standard error of Cinelli, Hazlett, equations 7 and 8, at equal strengths.
		left := p.coef - p.se*math.Sqrt(p.df)*strength/math.Sqrt(1-strength)
		se := s.Estimate.SE * math.Sqrt(p.df/(p.df-1))
		want := .5 * p.coef
		if strength == s.OfInterval {
			want += (s.Estimate.Upper - s.Estimate.Value) / s.Estimate.SE * se
		}
		near(t, "what is left", left, want, 1e-9)
	}
	if classical == 0 {
		t.Error("no coefficient")
	}
}

func TestSensitivityOfContainedCohorts(t *testing.T) {
	c := openCase(t, "sensitivity_titanic_cells", "partial_r2")
	a, b, dimensions := c.groupCells([]string{"age", "class"}, []string{"Adult", "Crew"})
	whole := slices.Concat(a, b)
	apart := good(Adjust(a, b, AdjustOptions{Level: .95, Dimensions: dimensions}))
	within := good(Adjust(a, whole, AdjustOptions{Level: .95, Dimensions: dimensions, Shared: a}))
	rest := Total(b).N / Total(whole).N
	opts := SensitivityOptions{Level: .95, Part: 1}
	s, w := good(apart.Sensitivity(opts)), good(within.Sensitivity(opts))
	c.check(w.PartialR2, "partial_r2")
	near(t, "estimate", w.Estimate.Value, rest*s.Estimate.Value, 1e-12)
	near(t, "bound", w.Bounds[0].Adjusted.Value, rest*s.Bounds[0].Adjusted.Value, 1e-12)
	near(t, "robustness of the interval", w.OfInterval, s.OfInterval, 1e-12)
	o, v := good(apart.Oster(OsterRatio)), good(within.Oster(OsterRatio))
	near(t, "Oster's delta", v.Delta, o.Delta, 1e-9)
	near(t, "Oster's coefficient", v.Adjusted, rest*o.Adjusted, 1e-9)
	near(t, "Oster's delta for a value", v.DeltaFor(.1*rest), o.DeltaFor(.1), 1e-9)
}

func TestSensitivityRefuses(t *testing.T) {
	c := openCase(t, "sensitivity_titanic_cells", "partial_r2")
	a, b, dimensions := c.groupCells([]string{"age", "class"}, []string{"Adult", "Crew"})
	linear := good(Adjust(a, b, AdjustOptions{Level: .95, Dimensions: dimensions}))
	c.check(good(linear.Sensitivity(SensitivityOptions{Level: .95, Part: 1})).PartialR2, "partial_r2")
	logit := good(Adjust(a, b, AdjustOptions{Level: .95, Dimensions: dimensions, Model: Logit}))
	for name, err := range map[string]error{
		"a logit":          second(logit.Sensitivity(SensitivityOptions{Level: .95, Part: 1})),
		"a logit, Oster":   second(logit.Oster(OsterRatio)),
		"no part":          second(linear.Sensitivity(SensitivityOptions{Level: .95})),
		"no strength":      second(linear.Sensitivity(SensitivityOptions{Level: .95, Part: 1, Times: []float64{0}})),
		"a level":          second(linear.Sensitivity(SensitivityOptions{Part: 1})),
		"R² of 1":          second(linear.Fit.Oster(groupTerm, 1.5)),
		"a ratio":          second(linear.Oster(1)),
		"the constant":     second(linear.Fit.Oster(0, .9)),
		"degrees":          second(RobustnessOf(2, 1, 1, .95)),
		"a part":           second(RobustnessOf(2, 10, 0, .95)),
		"one without size": second(RobustnessOf(math.NaN(), 10, 1, .95)),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	far := good(linear.Sensitivity(SensitivityOptions{Level: .95, Part: 1, Times: []float64{100}})).Bounds
	last := far[len(far)-1].Adjusted
	if !math.IsNaN(last.Value) || !strings.Contains(strings.Join(last.Warnings, ""), "class") {
		t.Errorf("a hundred times as strong as class: %+v", last)
	}
}

func second[T any](_ T, err error) error { return err }

func checkOster(t *testing.T, c *publishedCase, columns, bases []string) {
	r := adjustCase(t, c, Classical, columns, bases).Fit
	for _, key := range []string{"r_max_1p3", "r_max_2x"} {
		o, err := r.Oster(groupTerm, c.at(key, "r_max").(float64))
		if err != nil {
			t.Fatal(err)
		}
		c.check(o.Short, "beta_short")
		c.check(o.Long, "beta_long")
		c.check(o.ShortR2, "r2_short")
		c.check(o.LongR2, "r2_long")
		c.check(o.outcome, "sigma_yy")
		c.check(o.group, "sigma_xx")
		c.check(o.groupLeft, "tau_x")
		c.check(o.MaxR2, key, "r_max")
		c.check(o.Delta, key, "delta_star")
		c.check(o.Adjusted, key, "beta_star_delta1")
		c.check(o.OtherRoot, key, "other_root")
		c.check(o.DeltaFor(o.Adjusted), key, "delta_at_beta_star")
		c.check(o.DeltaFor(o.OtherRoot), key, "delta_at_beta_star")
		c.avoids(o.Adjusted, key, "not_to_be_reproduced", "approx_beta_star")
		c.avoids(o.Delta, key, "not_to_be_reproduced", "approx_delta")
	}
	ratio := good(adjustCase(t, c, Robust, columns, bases).Oster(OsterRatio))
	c.check(ratio.Adjusted, "r_max_1p3", "beta_star_delta1")
}

func TestOsterCases(t *testing.T) {
	t.Run("sim", func(t *testing.T) {
		checkOster(t, openCase(t, "oster_sim"), []string{"edu", "origin", "fam"}, []string{"low", "dk", "couple"})
	})
	t.Run("hmda", func(t *testing.T) {
		checkOster(t, openCase(t, "oster_hmda"), []string{"chist", "phist", "single", "insurance"},
			[]string{"c1", "no", "no", "no"})
	})
}
