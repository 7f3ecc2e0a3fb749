package stats

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Robustness says how strong something unrecorded would have to be to overturn a coefficient of a linear
// regression (Cinelli, Hazlett 2020, J. R. Stat. Soc. B 82:39). Strengths are partial R²: shares, from 0 to
// 1, of what the regression leaves of the outcome, and of being in the group, that it would explain.
type Robustness struct {
	// PartialR2 is the share of what the controls leave of the outcome that the group explains. Something
	// that explained all of the rest of the outcome would have to explain this share of the group to take
	// the coefficient to 0.
	PartialR2 float64
	// Value is the strength with both, the outcome and the group, that takes Part of the coefficient away;
	// OfInterval that which has the interval reach what is left. 0 if it does already.
	Value, OfInterval float64
	Part, Level       float64
}

// RobustnessOf is the robustness of a coefficient from its t statistic and residual degrees of freedom
// alone: with f = part·|t|/√df,
//
//	RV = (√(f⁴ + 4f²) - f²)/2,
//
// and for the interval f less f* = t(level, df-1)/√(df-1); where f > 1/f* the bound that binds is another,
// (f² - f*²)/(1 + f²). part is what is to be taken away, above 0; 1 is all of it. df must be above 1.
func RobustnessOf(t, df, part, level float64) (Robustness, error) {
	return robustnessOf(t, df, part, level, studentQuantile(level, df-1))
}

// robustnessOf takes the quantile of the interval, in classical standard errors.
func robustnessOf(t, df, part, level, quantile float64) (Robustness, error) {
	if err := CheckLevel(level); err != nil {
		return Robustness{}, err
	}
	if !(df > 1) || math.IsNaN(t) || math.IsInf(t, 0) {
		return Robustness{}, fault.Invalidf("robustness needs a finite t and more than 1 residual degree of freedom; "+
			"t is %g at %g", t, df)
	}
	if !(part > 0) || math.IsInf(part, 0) {
		return Robustness{}, fault.Invalidf("a part of %g of a coefficient cannot be taken away; 1 is all of it", part)
	}
	r := Robustness{PartialR2: t * t / (t*t + df), Part: part, Level: level}
	value := func(f float64) float64 { return 2 * f / (f + math.Sqrt(f*f+4)) }
	f, critical := part*math.Abs(t)/math.Sqrt(df), quantile/math.Sqrt(df-1)
	r.Value = value(f)
	switch {
	case f <= critical:
	case f > 1/critical:
		r.OfInterval = (f*f - critical*critical) / (1 + f*f)
	default:
		r.OfInterval = value(f - critical)
	}
	return r, nil
}

// SensitivityOptions says against what a coefficient is held.
type SensitivityOptions struct {
	Level float64   // confidence level, above 0 and below 1
	Part  float64   // of the coefficient that is to be taken away, above 0; 1 is all of it
	Times []float64 // strengths in those of a control; nil is 1, 2 and 3
}

// Sensitivity is how a coefficient would change by something unrecorded.
type Sensitivity struct {
	Estimate Estimate // the coefficient as it stands
	Robustness
	Bounds   []SensitivityBound // by control, in the order of the design, then by Times
	Warnings []string
}

// SensitivityBound is what is left of a coefficient beside something unrecorded that is Times as strong as a
// recorded control, taken whole, in the direction that takes most away.
type SensitivityBound struct {
	Control   string
	Dimension int // of the cells' keys; -1 for a number
	Times     float64
	// WithGroup and WithOutcome are its partial R² with the group and with the outcome. Nothing that is linear
	// in the controls can have more.
	WithGroup, WithOutcome float64
	Adjusted               Estimate // undefined where nothing can be so strong
}

// Sensitivity is that of the coefficient of a term, of which a linear regression alone has one. A control
// with several categories is taken whole. The standard error of a bound is the classical one, times what that
// of the regression is to it, with the quantile of its interval: of clusters, or of a variance that differs,
// one knows no more. The classical one has the degrees of freedom that are left beside one more control.
//
// A logit, and a term that could not be estimated, are errors; so is a Part or a strength of 0 or less.
func (r *Regression) Sensitivity(term int, opts SensitivityOptions) (*Sensitivity, error) {
	p, err := r.partial(term)
	if err != nil {
		return nil, err
	}
	if opts.Times == nil {
		opts.Times = []float64{1, 2, 3}
	}
	if err := CheckLevel(opts.Level); err != nil {
		return nil, err
	}
	out := &Sensitivity{Estimate: r.Coefficient(term, opts.Level)}
	if p.df <= 1 || !(p.se > 0) {
		return nil, fault.Invalidf("the regression leaves nothing of the outcome unexplained: nothing unrecorded is left " +
			"to ask about")
	}
	inflation, quantile := 1.0, studentQuantile(opts.Level, p.df-1)
	if own := out.Estimate; r.Covariance != Classical && own.SE > 0 {
		inflation, quantile = own.SE/p.se, (own.Upper-own.Lower)/2/p.se
	}
	if out.Robustness, err = robustnessOf(p.coef/p.se, p.df, opts.Part, opts.Level, quantile); err != nil {
		return nil, err
	}
	for _, c := range r.controls(term) {
		withGroup, withOutcome, ok := p.of(c.columns)
		if !ok {
			out.Warnings = append(out.Warnings, c.name+" was not estimated: nothing is compared with it")
			continue
		}
		for _, k := range opts.Times {
			if !(k > 0) || math.IsInf(k, 0) {
				return nil, fault.Invalidf("nothing is %g times as strong as a control; 1, 2 and 3 are usual", k)
			}
			out.Bounds = append(out.Bounds, p.bound(c, k, withGroup, withOutcome, quantile, inflation, opts.Level))
		}
	}
	return out, nil
}

// bound is what something k times as strong as a control leaves of the coefficient.
func (p *partialled) bound(c control, k, withGroup, withOutcome, quantile, inflation, level float64) SensitivityBound {
	const method = "bound by a recorded control (Cinelli, Hazlett 2020)"
	b := SensitivityBound{Control: c.name, Dimension: c.dimension, Times: k}
	b.WithGroup = k * withGroup / (1 - withGroup)
	shared := k * withGroup * withGroup / ((1 - k*withGroup) * (1 - withGroup))
	if !(b.WithGroup < 1) || !(shared >= 0 && shared < 1) {
		b.WithGroup, b.WithOutcome = math.NaN(), math.NaN()
		b.Adjusted = undefined(method, level, "nothing can be %g times as strong as %s: that alone explains %s of what the "+
			"other controls leave of the group", k, c.name, formatPercent(withGroup))
		return b
	}
	root := (math.Sqrt(k) + math.Sqrt(shared)) / math.Sqrt(1-shared)
	b.WithOutcome = root * root * withOutcome / (1 - withOutcome)
	capped := b.WithOutcome > 1
	b.WithOutcome = math.Min(1, b.WithOutcome)
	bias := p.se * math.Sqrt(p.df) * math.Sqrt(b.WithOutcome*b.WithGroup/(1-b.WithGroup))
	se := p.se * math.Sqrt((1-b.WithOutcome)/(1-b.WithGroup)) * math.Sqrt(p.df/(p.df-1))
	b.Adjusted = Estimate{Value: p.coef - math.Copysign(bias, p.coef), SE: se * inflation, Level: level,
		Numerator: math.NaN(), Denominator: p.n, Method: method}
	b.Adjusted.Lower, b.Adjusted.Upper = b.Adjusted.Value-quantile*se, b.Adjusted.Value+quantile*se
	if capped {
		b.Adjusted.withoutInterval("something so strong explains all that is left of the outcome, which is no certainty")
	}
	return b
}

// Oster is a coefficient under selection on what is not recorded, in units of that on the controls (Oster
// 2019, J. Bus. Econ. Stat. 37:187).
type Oster struct {
	Short, Long     float64 // the coefficient without and with the controls
	ShortR2, LongR2 float64
	MaxR2           float64 // R² if all were recorded that is not: an assumption
	// Delta is how many times as strong as on the controls the selection would have to be for the coefficient
	// to be 0: under 1, less of it is enough. NaN where no selection takes the coefficient there.
	Delta float64
	// Adjusted is the coefficient if selection is as strong as on the controls, OtherRoot what solves the
	// same equation too: the root nearest to Long, unless it lies on the other side than the controls moved it.
	Adjusted, OtherRoot float64

	outcome, group, groupLeft float64 // variances: of the outcome, the group, and the group given the controls
}

// OsterRatio is the usual assumption of what R² is at most, in those of the controls (Oster 2019, from a
// sample of randomised studies). It speaks of measures; the R² of a share is low by its nature.
const OsterRatio = 1.3

// Oster estimates what of a coefficient would be left, with the R² that all unrecorded would give, above
// that with the controls and at most 1. It is for linear regressions; without controls it is an error.
func (r *Regression) Oster(term int, maxR2 float64) (*Oster, error) {
	p, err := r.partial(term)
	if err != nil {
		return nil, err
	}
	if len(r.controls(term)) == 0 {
		return nil, fault.Invalidf("without controls there is nothing to measure the strength of selection by")
	}
	var sum, group, squares, product float64
	for _, row := range r.rows {
		x := row.X[term]
		sum, group, squares, product = sum+row.Sum, group+row.N*x, squares+row.N*x*x, product+row.Sum*x
	}
	total, longR2 := p.explained()
	o := &Oster{Long: p.coef, LongR2: longR2, MaxR2: maxR2}
	o.outcome, o.group, o.groupLeft = total/(p.n-1), (squares-group*group/p.n)/(p.n-1), p.groupLeft/(p.n-1)
	covariance := (product - group*sum/p.n) / (p.n - 1)
	o.Short, o.ShortR2 = covariance/o.group, covariance*covariance/o.group/o.outcome
	if !(maxR2 > o.LongR2 && maxR2 <= 1) {
		return nil, fault.Invalidf("a largest R² of %.4g is not above that of the controls (%.4g) and at most 1",
			maxR2, o.LongR2)
	}
	o.Delta = o.DeltaFor(0)
	// With selection as strong as on the controls the cubic terms cancel.
	moved, free := o.Short-o.Long, (o.MaxR2-o.LongR2)*o.outcome
	linear := free*(o.group-o.groupLeft) - (o.LongR2-o.ShortR2)*o.outcome*o.groupLeft - o.group*o.groupLeft*moved*moved
	square := 2 * o.groupLeft * moved * o.group
	if math.Abs(moved) <= 1e-12*math.Max(math.Abs(o.Short), math.Abs(o.Long)) {
		o.Adjusted, o.OtherRoot = o.Long, math.NaN() // the controls move nothing, nor does what is like them
		return o, nil
	}
	root := math.Sqrt(linear*linear + 4*free*moved*moved*o.group*o.group*o.groupLeft)
	o.Adjusted, o.OtherRoot = o.Long-(-linear-root)/-square, o.Long-(-linear+root)/-square
	if math.Abs(o.Adjusted-o.Long) > math.Abs(o.OtherRoot-o.Long) {
		o.Adjusted, o.OtherRoot = o.OtherRoot, o.Adjusted
	}
	if (o.Adjusted > o.Long) != (o.Long > o.Short) && (o.OtherRoot > o.Long) == (o.Long > o.Short) {
		o.Adjusted, o.OtherRoot = o.OtherRoot, o.Adjusted
	}
	return o, nil
}

// DeltaFor is how many times as strong as on the controls selection would have to be for the coefficient to
// be a value.
func (o *Oster) DeltaFor(value float64) float64 {
	bias, moved := o.Long-value, o.Short-o.Long
	gained, free := (o.LongR2-o.ShortR2)*o.outcome, (o.MaxR2-o.LongR2)*o.outcome
	cubic := bias * bias * bias * o.groupLeft * (o.group - o.groupLeft)
	square := bias * bias * o.groupLeft * moved * o.group
	above := bias*gained*o.groupLeft + bias*o.group*o.groupLeft*moved*moved + 2*square + cubic
	below := free*moved*o.group + bias*free*(o.group-o.groupLeft) + square + cubic
	if below == 0 {
		return math.NaN()
	}
	return above / below
}

// partialled is a linear regression seen from one of its terms, the group.
type partialled struct {
	r         *Regression
	term      int
	coef, se  float64 // se is the classical one
	df, n     float64 // residual
	groupLeft float64 // sum of squares of the group that the controls leave
}

func (r *Regression) partial(term int) (*partialled, error) {
	switch {
	case r.Model != Linear:
		return nil, fault.Invalidf("how much an unrecorded control would explain is asked of the linear model; this is a %s",
			r.Model)
	case term < 1 || term >= len(r.coef):
		return nil, fault.Invalidf("no term %d; the regression has terms 1 to %d after its constant", term, len(r.coef)-1)
	case r.omitted[term]:
		return nil, fault.Invalidf("%s could not be estimated", r.Design.Terms[term].Name)
	}
	kept := 0.0
	for _, omitted := range r.omitted {
		if !omitted {
			kept++
		}
	}
	p := &partialled{r: r, term: term, coef: r.coef[term], n: r.Observations, df: r.Observations - kept,
		groupLeft: 1 / r.bread.at(term, term)}
	p.se = math.Sqrt(r.Sigma2 / p.groupLeft)
	return p, nil
}

// explained are the sum of squares of the outcome and the share of it that the regression explains.
func (p *partialled) explained() (total, r2 float64) {
	var t Cell
	for _, row := range p.r.rows {
		t.N, t.Sum, t.SumSq = t.N+row.N, t.Sum+row.Sum, t.SumSq+row.SumSq
	}
	total = t.squaredDeviations()
	return total, 1 - p.r.Sigma2*p.df/total
}

// A control is what is taken whole: a factor, or a number.
type control struct {
	name      string
	dimension int
	columns   []int
}

// controls are those beside a term, in the order of the design.
func (r *Regression) controls(term int) (list []control) {
	for j := 1; j < len(r.Design.Terms); j++ {
		switch f := r.Design.factorOf(j); {
		case j == term || f >= 0 && slices.Contains(r.Design.Factors[f].Columns, term):
		case f < 0:
			list = append(list, control{r.Design.Terms[j].Name, -1, []int{j}})
		case r.Design.Factors[f].Columns[0] == j:
			factor := r.Design.Factors[f]
			list = append(list, control{factor.Name, factor.Base.Dimension, factor.Columns})
		}
	}
	return list
}

// of are the partial R² of columns with the group, given the other controls, and with the outcome, given the
// group too. What a restricted regression would leave follows from the inverse of the full one: a block b of
// coefficients with covariance S takes b'S⁻¹b of the sum of squares.
func (p *partialled) of(columns []int) (withGroup, withOutcome float64, ok bool) {
	var kept []int
	for _, j := range columns {
		if !p.r.omitted[j] {
			kept = append(kept, j)
		}
	}
	if len(kept) == 0 {
		return math.NaN(), math.NaN(), false
	}
	b, d := p.r.bread, p.r.bread.at(p.term, p.term)
	outcome, group := newSymmetric(len(kept)), newSymmetric(len(kept))
	onOutcome, onGroup := make([]float64, len(kept)), make([]float64, len(kept))
	for i, row := range kept {
		onOutcome[i], onGroup[i] = p.r.coef[row], -b.at(row, p.term)/d
		for j, column := range kept {
			outcome.a[i*outcome.k+j] = b.at(row, column)
			group.a[i*group.k+j] = b.at(row, column) - b.at(row, p.term)*b.at(column, p.term)/d
		}
	}
	share := func(m symmetric, coef []float64, left float64) float64 {
		inverse, _ := m.inverse(nil)
		taken := inverse.form(coef)
		return taken / (taken + left)
	}
	return share(group, onGroup, p.groupLeft), share(outcome, onOutcome, p.r.Sigma2*p.df), true
}

// Sensitivity is that of the adjusted gap, in its unit. See Regression.Sensitivity.
func (g *AdjustedGap) Sensitivity(opts SensitivityOptions) (*Sensitivity, error) {
	s, err := g.Fit.Sensitivity(groupTerm, opts)
	if err != nil {
		return nil, err
	}
	s.Estimate = g.Adjusted
	for i := range s.Bounds {
		s.Bounds[i].Adjusted = s.Bounds[i].Adjusted.scale(g.factor)
	}
	return s, nil
}

// Oster is that of the adjusted gap, in its unit, with the R² of all unrecorded at most ratio times that of
// the controls, and 1; see OsterRatio and Regression.Oster.
func (g *AdjustedGap) Oster(ratio float64) (*Oster, error) {
	if !(ratio > 1) {
		return nil, fault.Invalidf("a largest R² of %g times that of the controls is not above it; %g is usual",
			ratio, OsterRatio)
	}
	p, err := g.Fit.partial(groupTerm)
	if err != nil {
		return nil, err
	}
	_, longR2 := p.explained()
	o, err := g.Fit.Oster(groupTerm, math.Min(1, ratio*longR2))
	if err != nil {
		return nil, err
	}
	for _, v := range []*float64{&o.Short, &o.Long, &o.Adjusted, &o.OtherRoot} {
		*v *= g.factor
	}
	// DeltaFor asks in the unit of the gap.
	o.group, o.groupLeft = o.group/g.factor/g.factor, o.groupLeft/g.factor/g.factor
	return o, nil
}
