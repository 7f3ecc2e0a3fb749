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

func TestOaxacaCreditCardCase(t *testing.T) {
	c := openCase(t, "oaxaca_ccard_statsmodels")
	names := []string{"AGE", "INCOME", "INCOMESQ"}
	var sides [2][]Pattern
	for _, in := range c.rows() {
		var x []float64
		for _, name := range names {
			x = append(x, c.number(in[name]))
		}
		side := 0
		if in["OWNRENT"] == "0" {
			side = 1
		}
		sides[side] = append(sides[side], row(c.number(in["AVGEXP"]), x...))
	}
	design := FreeDesign(names...)
	decompose := func(a, b []Pattern, reference Reference) *Oaxaca {
		t.Helper()
		o, err := OaxacaBlinderOn(design, a, b, OaxacaOptions{Level: .95, Reference: reference})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for reference, name := range map[Reference]string{Pooled: "pooled", Neumark: "neumark", ReferenceA: "weight_1",
		ReferenceB: "weight_0"} {
		o := decompose(sides[0], sides[1], reference)
		c.check(o.Gap.Value, "gap")
		c.check(o.Endowments.Value, "threefold", "endowments")
		c.check(o.Coefficients.Value, "threefold", "coefficients")
		c.check(o.Interaction.Value, "threefold", "interaction")
		c.check(o.Explained.Value, "twofold", name, "explained")
		c.check(o.Unexplained.Value, "twofold", name, "unexplained")
	}
	// "swapped" turns the groups round, and with them the sign of the gap
	o := decompose(sides[1], sides[0], Pooled)
	c.check(o.Endowments.Value, "threefold_swapped", "endowments")
	c.check(o.Coefficients.Value, "threefold_swapped", "coefficients")
	c.check(o.Interaction.Value, "threefold_swapped", "interaction")
}

func TestOaxacaNormalisedCase(t *testing.T) {
	c := openCase(t, "oaxaca_chicago_stata_normalize")
	levels := []string{"LTHS", "high.school", "some.college", "college", "advanced.degree"}
	for base := range levels {
		design := FreeDesign("age")
		factor := Factor{Name: "education", Base: Term{Name: levels[base]}}
		for i, level := range levels {
			if i != base {
				factor.Columns = append(factor.Columns, len(design.Terms))
				design.Terms = append(design.Terms, Term{Name: level})
			}
		}
		design.Factors = []Factor{factor}
		var sides [2][]Pattern
		for _, in := range c.rows() {
			if in["ln.real.wage"] == "" {
				continue
			}
			x := []float64{c.number(in["age"])}
			for i, level := range levels {
				if i != base {
					x = append(x, c.number(in[level]))
				}
			}
			side := int(c.number(in["female"]))
			sides[side] = append(sides[side], row(c.number(in["ln.real.wage"]), x...))
		}
		o, err := OaxacaBlinderOn(design, sides[0], sides[1], OaxacaOptions{Level: .95})
		if err != nil {
			t.Fatal(err)
		}
		c.check(o.A.Value, "totals", "group_1")
		c.check(o.B.Value, "totals", "group_2")
		c.check(o.Gap.Value, "totals", "difference")
		c.check(o.Endowments.Value, "totals", "endowments")
		c.check(o.Coefficients.Value, "totals", "coefficients")
		c.check(o.Interaction.Value, "totals", "interaction")
		c.check(o.Explained.Value, "totals", "pooled_explained")
		c.check(o.Unexplained.Value, "totals", "pooled_unexplained")
		if len(o.Terms) != 7 {
			t.Fatalf("%d terms, want 7", len(o.Terms))
		}
		for _, term := range o.Terms {
			name := strings.NewReplacer(".", "_", "(constant)", "(Intercept)").Replace(term.Term.Name)
			if name == "advanced_degree" || name == "(Intercept)" || name == "age" || name == "LTHS" || name == "college" ||
				name == "some_college" || name == "high_school" {
				c.check(term.Endowments.Value, "threefold", name, "endowments")
				c.check(term.Coefficients.Value, "threefold", name, "coefficients")
				c.check(term.Interaction.Value, "threefold", name, "interaction")
				c.check(term.Explained.Value, "pooled", name, "explained")
				c.check(term.Unexplained.Value, "pooled", name, "unexplained")
			} else {
				t.Errorf("unexpected term %q", name)
			}
		}
	}
}

func TestOaxacaEmptyCategoryCase(t *testing.T) {
	c := openCase(t, "oaxaca_empty_category_stata")
	names := []string{"LTHS", "some.college", "college", "high.school"}
	design := FreeDesign(names...)
	var sides [2][]Pattern
	for _, in := range c.rows() {
		if in["ln.real.wage"] == "" {
			continue
		}
		var x []float64
		for _, name := range names {
			x = append(x, c.number(in[name]))
		}
		side := int(c.number(in["too_young"]))
		sides[side] = append(sides[side], row(c.number(in["ln.real.wage"]), x...))
	}
	o, err := OaxacaBlinderOn(design, sides[0], sides[1], OaxacaOptions{Level: .95, Reference: ReferenceB})
	if err != nil {
		t.Fatal(err)
	}
	c.check(o.Gap.Value, "totals", "difference")
	c.check(o.Endowments.Value, "totals", "endowments")
	c.check(o.Coefficients.Value, "totals", "coefficients")
	c.check(o.Interaction.Value, "totals", "interaction")
	for _, term := range o.Terms {
		name := strings.NewReplacer(".", "_", "(constant)", "(Intercept)").Replace(term.Term.Name)
		c.check(term.Endowments.Value, "terms", name, "endowments")
		c.check(term.Coefficients.Value, "terms", name, "coefficients")
		c.check(term.Interaction.Value, "terms", name, "interaction")
	}
	if len(o.Warnings) != 3 || !strings.Contains(o.Warnings[0], "counts as 0") {
		t.Errorf("terms without a coefficient were not flagged: %q", o.Warnings)
	}
}

func fairlieRows(c *publishedCase, names []string, weighted bool) (white, black, others []Pattern) {
	for _, in := range c.rows() {
		w := 1.0
		if weighted {
			w = c.number(in["wgt"])
		}
		y := c.number(in["homecomp"])
		p := Pattern{X: []float64{1}, N: w, Sum: w * y, SumSq: w * y}
		for _, name := range names {
			p.X = append(p.X, c.number(in[name]))
		}
		switch {
		case in["white"] == "1":
			white = append(white, p)
		case in["black"] == "1":
			black = append(black, p)
		default:
			for _, race := range []string{"latino", "asian", "natamer"} {
				p.X = append(p.X, c.number(in[race]))
			}
			others = append(others, p)
		}
	}
	return white, black, others
}

func TestFairlieCase(t *testing.T) {
	c := openCase(t, "fairlie_homecomp_total", "n0", "n1", "pr0", "pr1", "diff", "expl", "weighted")
	names := []string{"female", "age", "hsgrad", "somecol", "college", "married", "prevmar"}
	design := FreeDesign(names...)
	white, black, others := fairlieRows(c, names, false)
	for reference, name := range map[Reference]string{ReferenceA: "ref0", ReferenceB: "ref1", Pooled: "pooled_black"} {
		f, err := FairlieOn(design, white, black, OaxacaOptions{Level: .95, Reference: reference})
		if err != nil {
			t.Fatal(err)
		}
		c.check(f.A.Denominator, "n0")
		c.check(f.B.Denominator, "n1")
		c.check(f.A.Value, "pr0")
		c.check(f.B.Value, "pr1")
		c.check(f.Gap.Value, "diff")
		c.check(f.Explained.Value, "expl", name)
		var explained, unexplained float64
		for _, term := range f.Terms {
			explained += term.Explained.Value
			unexplained += term.Unexplained.Value
		}
		near(t, name+" explained by term", explained, f.Explained.Value, 1e-12)
		near(t, name+" unexplained by term", unexplained, f.Unexplained.Value, 1e-12)
		near(t, name+" parts", f.Explained.Value+f.Unexplained.Value, f.Gap.Value, 1e-10)
	}
	// all races pooled, each with an indicator
	wide := FreeDesign(append(slices.Clone(names), "black", "latino", "asian", "natamer")...)
	var all []Pattern
	for side, rows := range [][]Pattern{white, black, others} {
		for _, p := range rows {
			races := make([]float64, 4)
			if side == 1 {
				races[0] = 1
			}
			if side == 2 {
				copy(races[1:], p.X[8:])
			}
			p.X = append(slices.Clone(p.X[:8]), races...)
			all = append(all, p)
		}
	}
	fit, err := Fit(wide, all, FitOptions{Model: Logit})
	if err != nil {
		t.Fatal(err)
	}
	f, err := FairlieOn(design, white, black, OaxacaOptions{Level: .95, Reference: Given, Coefficients: fit.Coef[:8]})
	if err != nil {
		t.Fatal(err)
	}
	c.check(f.Explained.Value, "expl", "pooled_all")

	white, black, _ = fairlieRows(c, names, true)
	for _, rows := range [][]Pattern{white, black} {
		var total float64
		for _, p := range rows {
			total += p.N
		}
		for i := range rows {
			scale := float64(len(rows)) / total
			rows[i].N, rows[i].Sum, rows[i].SumSq = scale*rows[i].N, scale*rows[i].Sum, scale*rows[i].SumSq
		}
	}
	if f, err = FairlieOn(design, white, black, OaxacaOptions{Level: .95, Reference: ReferenceA}); err != nil {
		t.Fatal(err)
	}
	c.check(f.A.Value, "weighted", "pr0")
	c.check(f.B.Value, "weighted", "pr1")
	c.check(f.Explained.Value, "weighted", "expl")
}

// TestOaxacaStandardErrorsByFormula recomputes the variances of Jann 2008 from regressions fitted apart.
func TestOaxacaStandardErrorsByFormula(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 82))
	var sides [2][]Pattern
	for side := range sides {
		for range 80 {
			x, z := rng.NormFloat64()+float64(side), rng.Float64()
			sides[side] = append(sides[side], row(1+2*x-z+rng.NormFloat64(), x, z))
		}
	}
	design := FreeDesign("x", "z")
	o, err := OaxacaBlinderOn(design, sides[0], sides[1], OaxacaOptions{Level: .95, Reference: ReferenceA})
	if err != nil {
		t.Fatal(err)
	}
	var b [2]*Regression
	var mean [2][]float64
	var vx [2]symmetric
	for side, rows := range sides {
		if b[side], err = Fit(design, rows, FitOptions{Covariance: Classical}); err != nil {
			t.Fatal(err)
		}
		mean[side], vx[side] = make([]float64, 3), newSymmetric(3)
		for _, p := range rows {
			for j, x := range p.X {
				mean[side][j] += x / 80
			}
		}
		for _, p := range rows {
			for i := range 3 {
				for j := range 3 {
					vx[side].a[i*3+j] += (p.X[i] - mean[side][i]) * (p.X[j] - mean[side][j]) / 79 / 80
				}
			}
		}
	}
	minus := func(a, b []float64) []float64 {
		out := make([]float64, len(a))
		for i := range a {
			out[i] = a[i] - b[i]
		}
		return out
	}
	dx, db := minus(mean[0], mean[1]), minus(b[0].Coef, b[1].Coef)
	se := func(v float64) float64 { return math.Sqrt(v) }
	near(t, "A", o.A.SE, se(b[0].cov.form(mean[0])+vx[0].form(b[0].Coef)), 1e-12)
	near(t, "endowments", o.Endowments.SE, se(b[1].cov.form(dx)+vx[0].form(b[1].Coef)+vx[1].form(b[1].Coef)), 1e-12)
	near(t, "coefficients", o.Coefficients.SE, se(b[0].cov.form(mean[1])+b[1].cov.form(mean[1])+vx[1].form(db)), 1e-12)
	near(t, "interaction", o.Interaction.SE, se(b[0].cov.form(dx)+b[1].cov.form(dx)+vx[0].form(db)+vx[1].form(db)), 1e-12)
	near(t, "explained at A", o.Explained.SE, se(b[0].cov.form(dx)+vx[0].form(b[0].Coef)+vx[1].form(b[0].Coef)), 1e-12)
	near(t, "unexplained at A", o.Unexplained.SE, o.Coefficients.SE, 1e-12)
	if o, err = OaxacaBlinderOn(design, sides[0], sides[1], OaxacaOptions{Level: .95, Reference: ReferenceB}); err != nil {
		t.Fatal(err)
	}
	near(t, "explained at B", o.Explained.SE, o.Endowments.SE, 1e-12)
	near(t, "unexplained at B", o.Unexplained.SE, se(b[0].cov.form(mean[0])+b[1].cov.form(mean[0])+vx[0].form(db)), 1e-12)
	for j, term := range o.Terms {
		near(t, "unexplained at B, by term", term.Unexplained.SE,
			se(mean[0][j]*mean[0][j]*(b[0].cov.at(j, j)+b[1].cov.at(j, j))+db[j]*db[j]*vx[0].at(j, j)), 1e-12)
	}
	if o, err = OaxacaBlinderOn(design, sides[0], sides[1], OaxacaOptions{Level: .95, Reference: Reimers}); err != nil {
		t.Fatal(err)
	}
	middle, half := make([]float64, 3), make([]float64, 3)
	for j := range middle {
		middle[j], half[j] = (mean[0][j]+mean[1][j])/2, db[j]/2
	}
	near(t, "unexplained at the mean", o.Unexplained.SE,
		se(b[0].cov.form(middle)+b[1].cov.form(middle)+vx[0].form(half)+vx[1].form(half)), 1e-12)
	fixed, err := OaxacaBlinderOn(design, sides[0], sides[1], OaxacaOptions{Level: .95, FixedX: true})
	if err != nil || !(fixed.Explained.SE < o.Explained.SE) {
		t.Errorf("fixed characteristics: %v, %v", fixed.Explained, err)
	}
}

// parts lists every estimate of both kinds of decomposition.
func (o *Oaxaca) parts() map[string]Estimate {
	p := map[string]Estimate{
		"A": o.A, "gap": o.Gap, "endowments": o.Endowments, "coefficients": o.Coefficients, "interaction": o.Interaction,
		"explained": o.Explained, "unexplained": o.Unexplained, "unexplained A": o.UnexplainedA, "unexplained " +
			"B": o.UnexplainedB,
	}
	for _, list := range [][]OaxacaTerm{o.Terms, o.Dimensions} {
		for _, t := range list {
			p["endowments "+t.Term.Name], p["coefficients "+t.Term.Name] = t.Endowments, t.Coefficients
			p["explained "+t.Term.Name], p["unexplained "+t.Term.Name] = t.Explained, t.Unexplained
		}
	}
	return p
}

func (o *NonlinearDecomposition) parts() map[string]Estimate {
	p := map[string]Estimate{
		"explained": o.Explained, "unexplained": o.Unexplained, "unexplained A": o.UnexplainedA, "unexplained " +
			"B": o.UnexplainedB,
	}
	for _, list := range [][]NonlinearTerm{o.Terms, o.Dimensions} {
		for _, t := range list {
			p["explained "+t.Term.Name], p["unexplained "+t.Term.Name] = t.Explained, t.Unexplained
		}
	}
	return p
}

// TestOaxacaStandardErrorsAgainstInfinitesimalJackknife moves the weight of each observation. The
// jackknife also has the covariance of means and coefficients, which is 0 in expectation only: so
// the outcome is drawn from the model, and the comparison allows a tenth.
func TestOaxacaStandardErrorsAgainstInfinitesimalJackknife(t *testing.T) {
	rng := rand.New(rand.NewPCG(91, 92))
	draw := func(shift float64) (cells []Cell) {
		for range 60 {
			key := []int{rng.IntN(2), rng.IntN(3)}
			p := logistic(shift + 0.6*float64(key[0]) - 0.5*float64(key[1]))
			n := 20 + rng.IntN(200)
			var y float64
			for range n {
				if rng.Float64() < p {
					y++
				}
			}
			cells = append(cells, Cell{Key: key, N: float64(n), Sum: y, SumSq: y})
		}
		return cells
	}
	a, b := draw(0.4), draw(-0.3)
	all := func(a, b []Cell) map[string]map[string]Estimate {
		out := map[string]map[string]Estimate{}
		for reference := Pooled; reference <= Cotton; reference++ {
			opts := OaxacaOptions{Level: .95, Reference: reference, Robust: true}
			o, err := OaxacaBlinder(a, b, opts)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprint("linear, ", reference)] = o.parts()
			f, err := Fairlie(a, b, opts)
			if err != nil {
				t.Fatal(err)
			}
			out[fmt.Sprint("logit, ", reference)] = f.parts()
		}
		return out
	}
	base := all(a, b)
	sum := map[string]map[string]float64{}
	const h = 1e-3
	for side, cells := range [][]Cell{a, b} {
		merged, _, err := mergeCells(cells, cells)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range merged {
			for y, count := range []float64{c.N - c.Sum, c.Sum} {
				more := Cell{Key: c.Key, N: h, Sum: h * float64(y), SumSq: h * float64(y)}
				a2, b2 := a, b
				if side == 0 {
					a2 = append(slices.Clone(a), more)
				} else {
					b2 = append(slices.Clone(b), more)
				}
				for name, parts := range all(a2, b2) {
					if sum[name] == nil {
						sum[name] = map[string]float64{}
					}
					for part, e := range parts {
						d := (e.Value - base[name][part].Value) / h
						sum[name][part] += count * d * d
					}
				}
			}
		}
	}
	for name, parts := range base {
		for part, e := range parts {
			want := math.Sqrt(sum[name][part])
			if math.IsNaN(e.SE) && want < 1e-9 {
				continue // 0 by construction
			}
			near(t, name+", "+part, e.SE, want, 0.1*want+1e-4)
		}
	}
}

// In saturated cells the threefold parts are Kitagawa's three components, and with one dimension
// every reference of weight 0 or 1 is one of its standards.
func TestOaxacaIsKitagawaOnSaturatedCells(t *testing.T) {
	rng := rand.New(rand.NewPCG(101, 102))
	a, b := randomCells(rng, []int{4}, 40, 9, false), randomCells(rng, []int{4}, 40, 9, false)
	k, err := Kitagawa(a, b, KitagawaOptions{Level: .95, ThreeComponents: true})
	if err != nil {
		t.Fatal(err)
	}
	o, err := OaxacaBlinder(a, b, OaxacaOptions{Level: .95, Reference: ReferenceB})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "endowments", o.Endowments.Value, k.Composition.Value, 1e-12)
	near(t, "coefficients", o.Coefficients.Value, k.Rate.Value, 1e-12)
	near(t, "interaction", o.Interaction.Value, k.Interaction.Value, 1e-12)
	half, err := OaxacaBlinder(a, b, OaxacaOptions{Level: .95, Reference: Reimers})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Kitagawa(a, b, KitagawaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "explained at the mean", half.Explained.Value, two.Composition.Value, 1e-12)
}

func TestDecompositionsHandleOutOfSupportAndSeparation(t *testing.T) {
	cell := func(n, y float64, key ...int) Cell { return Cell{Key: key, N: n, Sum: y, SumSq: y} }
	a := []Cell{cell(60, 30, 0, 0), cell(40, 10, 1, 1), cell(10, 5, 2, 0)}
	b := []Cell{cell(80, 20, 0, 0), cell(50, 16, 1, 1), cell(50, 10, 0, 1), cell(70, 10, 1, 0)}
	dims := []Dimension{{Name: "origin", Codes: []string{"DANISH", "WESTERN", "OTHER"}}, {Name: "sex"}}
	o, err := OaxacaBlinder(a, b, OaxacaOptions{Level: .95, Dimensions: dims})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "gap within support", o.Gap.Value, .4-56./250, 1e-12)
	near(t, "out of support", o.OutOfSupport, 45./110-.4, 1e-12)
	near(t, "support", o.Support.Value, 350./360, 1e-15)
	if !strings.Contains(strings.Join(o.Warnings, "\n"), "9.09 % of the first") {
		t.Errorf("warnings: %q", o.Warnings)
	}
	a[0].Sum, a[0].SumSq = 60, 60
	if _, err := Fairlie(a, b, OaxacaOptions{Level: .95, Dimensions: dims}); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "first cohort") {
		t.Errorf("perfect prediction: %v", err)
	}
	for name, try := range map[string]func() error{
		"nothing in common": func() error { _, err := OaxacaBlinder(a[2:], b, OaxacaOptions{Level: .95}); return err },
		"empty":             func() error { _, err := OaxacaBlinder(nil, b, OaxacaOptions{Level: .95}); return err },
		"no dimension": func() error {
			_, err := OaxacaBlinder([]Cell{{N: 1}}, []Cell{{N: 1}}, OaxacaOptions{Level: .95})
			return err
		},
		"level":     func() error { _, err := Fairlie(a, b, OaxacaOptions{Level: 7}); return err },
		"reference": func() error { _, err := Fairlie(a, b, OaxacaOptions{Level: .95, Reference: 77}); return err },
		"coefficients": func() error {
			_, err := OaxacaBlinder(a, b, OaxacaOptions{Level: .95, Reference: Given})
			return err
		},
		"one cluster": func() error {
			_, err := OaxacaBlinder(a[:2], b, OaxacaOptions{Level: .95, Clustered: true})
			return err
		},
		"a measure": func() error {
			_, err := Fairlie(a[:2], []Cell{cell(5, -3, 0, 0), cell(5, 9, 1, 1)}, OaxacaOptions{Level: .95})
			return err
		},
	} {
		if err := try(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	// cohorts of equal composition: nothing to explain, and no weight to divide it by
	f, err := Fairlie(b, scaleCells(b, 2), OaxacaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "nothing explained", f.Explained.Value, 0, 1e-12)
	near(t, "nothing unexplained", f.Unexplained.Value, 0, 1e-9)
}

func TestDecompositionsOfOverlappingCohorts(t *testing.T) {
	rng := rand.New(rand.NewPCG(103, 104))
	a, rest := randomCells(rng, []int{2, 3}, 60, 20, true), randomCells(rng, []int{2, 3}, 60, 40, true)
	population := append(slices.Clone(a), rest...)
	gap := Total(a).Mean() - Total(population).Mean()
	left := Total(rest).N / Total(population).N
	alone, err := OaxacaBlinder(a, rest, OaxacaOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	o, err := OaxacaBlinder(a, population, OaxacaOptions{Level: .95, Shared: a})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "gap", o.Gap.Value, gap, 1e-12)
	near(t, "parts", o.Explained.Value+o.Unexplained.Value+o.OutOfSupport, gap, 1e-12)
	near(t, "SE", o.Explained.SE, left*alone.Explained.SE, 1e-12)
	near(t, "a term", o.Terms[1].Unexplained.SE, left*alone.Terms[1].Unexplained.SE, 1e-12)
	f, err := Fairlie(a, population, OaxacaOptions{Level: .95, Shared: a})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Fairlie's parts", f.Explained.Value+f.Unexplained.Value+f.OutOfSupport, gap, 1e-9)
	swapped, err := Fairlie(population, a, OaxacaOptions{Level: .95, Shared: a, Reference: Neumark})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the other way", swapped.Explained.Value+swapped.Unexplained.Value, -gap, 1e-9)
	if _, err := OaxacaBlinder(a, a, OaxacaOptions{Level: .95, Shared: a}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("the same cohort twice: %v", err)
	}
	// merely overlapping
	some := randomCells(rng, []int{2, 3}, 10, 20, true)
	o, err = OaxacaBlinder(append(slices.Clone(a), some...), append(slices.Clone(rest), some...),
		OaxacaOptions{Level: .95, Shared: some})
	if err != nil || len(o.Warnings) == 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	near(t, "with the rest of the second", o.Gap.Value, Total(append(slices.Clone(a), some...)).Mean()-Total(rest).Mean(),
		1e-12)
}

func scaleCells(cells []Cell, by float64) []Cell {
	out := slices.Clone(cells)
	for i := range out {
		out[i].N, out[i].Sum, out[i].SumSq = by*out[i].N, by*out[i].Sum, by*out[i].SumSq
	}
	return out
}

func BenchmarkOaxaca(b *testing.B) {
	rng := rand.New(rand.NewPCG(111, 112))
	x := randomCells(rng, []int{4, 5, 3, 4}, 1000, 400, true)
	y := randomCells(rng, []int{4, 5, 3, 4}, 1000, 400, true)
	b.Run("linear", func(b *testing.B) {
		for b.Loop() {
			if _, err := OaxacaBlinder(x, y, OaxacaOptions{Level: .95}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("logit", func(b *testing.B) {
		for b.Loop() {
			if _, err := Fairlie(x, y, OaxacaOptions{Level: .95}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
