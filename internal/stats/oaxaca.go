package stats

import (
	"fmt"
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Reference is the coefficient vector b* at which a difference of characteristics is valued.
type Reference int

const (
	// Pooled is a regression over both cohorts with an indicator of b, whose coefficient is left out
	// of b* (Jann 2008; Fairlie 2005). It is the recommended default: without the indicator a difference
	// between the cohorts leaks into the explained part.
	Pooled     Reference = iota
	Neumark              // pooled without the indicator (Neumark 1988; Oaxaca, Ransom 1994), Stata's omega
	ReferenceA           // b of a: weight 1
	ReferenceB           // b of b: weight 0
	Reimers              // the mean of both (Reimers 1983)
	Cotton               // weighted by the sizes of the cohorts (Cotton 1988)
	// Given takes OaxacaOptions.Coefficients as known.
	Given
)

func (r Reference) String() string {
	return [...]string{"pooled", "Neumark", "first cohort", "second cohort", "Reimers", "Cotton", "given"}[r]
}

// OaxacaOptions says how to decompose. With a Level alone it is the pooled reference.
type OaxacaOptions struct {
	Level     float64 // confidence level, above 0 and below 1
	Reference Reference
	// Coefficients by term are b* of the reference Given; their uncertainty is not counted.
	Coefficients []float64
	// BaseCategories keeps the dummies of each factor relative to its base. By default they are
	// normalised to deviations from their mean (Yun 2005; Gardeazabal, Ugidos 2004), without which the
	// detailed unexplained part depends on which category is the base.
	BaseCategories bool
	// Robust takes the sandwich for all coefficients. Without it the classical covariance is used for
	// the references that are weights, if the outcome is a measure; an indicator, and the pooled
	// references, always get the sandwich, joint over all regressions.
	Robust bool
	// Clustered allows observations of cells to be alike within Cluster: parts have the interval of
	// Jackknife.
	Clustered  bool
	FixedX     bool        // takes the characteristics as known, not sampled
	Dimensions []Dimension // names for terms and warnings, used with cells
	// Shared are observations that both cohorts contain, used with cells. Where one contains the other
	// it is compared without it, and gap and parts are scaled to the whole (see Gap); where they merely
	// overlap the shared observations stay in a only.
	Shared []Cell
	Stop   Stop

	valuesOnly bool // no standard errors
}

// Oaxaca is a gap in means, split by regressions of both cohorts.
type Oaxaca struct {
	Method    string
	Reference Reference
	A, B, Gap Estimate // means within support, of observations not shared, and their difference
	// Threefold, seen from b: characteristics at b's coefficients, coefficients at b's
	// characteristics, and both together.
	Endowments, Coefficients, Interaction Estimate
	// Twofold at the reference: Unexplained is UnexplainedA + UnexplainedB.
	Explained, Unexplained, UnexplainedA, UnexplainedB Estimate
	// Cells with a category that the other cohort lacks are left out; OutOfSupport is what they add
	// to the gap of all observations. 0 if there are none.
	OutOfSupport float64
	Support      Estimate // share of observations that are used
	Terms        []OaxacaTerm
	Dimensions   []OaxacaTerm // sums over each factor; Category is -1
	Warnings     []string
}

// OaxacaTerm is what one term, or the sum over a factor, adds to each part.
type OaxacaTerm struct {
	Term                                  Term
	MeanA, MeanB                          float64 // of the column; NaN for a sum
	Endowments, Coefficients, Interaction Estimate
	Explained, Unexplained                Estimate
}

// OaxacaBlinder splits the gap between the means of two cohorts by linear regressions on dummies of
// the dimensions of their cells (Oaxaca 1973; Blinder 1973; Jann 2008, Stata J. 8:453):
//
//	endowments   = (xA - xB)'bB
//	coefficients = xB'(bA - bB)
//	interaction  = (xA - xB)'(bA - bB)
//	explained    = (xA - xB)'b*
//	unexplained  = xA'(bA - b*) + xB'(b* - bB)
//
// Threefold parts sum to the gap, and so do twofold parts. Standard errors are the delta method's
// with random characteristics, V(x'b) = x'V(b)x + b'V(x)b, as in Stata's oaxaca. Cells with a
// category that the other cohort lacks have no counterpart: they are left out, Support and a
// warning say how many, OutOfSupport what they add to the gap. An empty cohort, or fewer
// observations than coefficients, is an error. "Unexplained" is not discrimination and not the
// area: it is what these characteristics do not explain.
func OaxacaBlinder(a, b []Cell, opts OaxacaOptions) (*Oaxaca, error) {
	if opts.Clustered {
		out, factor, warnings, err := eachWithoutCluster(a, b, opts, OaxacaBlinder, (*Oaxaca).estimates)
		if err != nil {
			return nil, err
		}
		out.scale(factor)
		out.Warnings = append(warnings, out.Warnings...)
		return out, nil
	}
	s, err := prepareCells(a, b, opts)
	if err != nil {
		return nil, err
	}
	out, err := OaxacaBlinderOn(s.design, s.a, s.b, opts)
	if err != nil {
		return nil, err
	}
	out.Support, out.OutOfSupport = s.support, s.outOfSupport
	out.scale(s.factor)
	out.Warnings = append(s.warnings, out.Warnings...)
	return out, nil
}

// A termPart names an estimate of a decomposition by regressions.
type termPart struct {
	term Term
	part string
}

// whole are the parts of no single term, and the means of both sides.
func whole(part string) termPart { return termPart{Term{Dimension: -2, Category: -1}, part} }

func (t termPart) ofOneSide() bool { return t.part == "A" || t.part == "B" }

func (o *Oaxaca) estimates() map[termPart]*Estimate {
	all := map[termPart]*Estimate{whole("A"): &o.A, whole("B"): &o.B, whole("gap"): &o.Gap,
		whole("endowments"): &o.Endowments, whole("coefficients"): &o.Coefficients, whole("interaction"): &o.Interaction,
		whole("explained"): &o.Explained, whole("unexplained"): &o.Unexplained, whole("unexplained A"): &o.UnexplainedA,
		whole("unexplained B"): &o.UnexplainedB}
	for _, terms := range [][]OaxacaTerm{o.Terms, o.Dimensions} {
		for i := range terms {
			t := &terms[i]
			for part, e := range map[string]*Estimate{"endowments": &t.Endowments, "coefficients": &t.Coefficients,
				"interaction": &t.Interaction, "explained": &t.Explained, "unexplained": &t.Unexplained} {
				all[termPart{t.Term, part}] = e
			}
		}
	}
	return all
}

// scale turns parts of the gap of groups into those of the gap of cohorts (see disjoint).
func (o *Oaxaca) scale(factor float64) {
	scaleParts(o.estimates(), factor)
	o.OutOfSupport *= factor
}

func scaleParts(parts map[termPart]*Estimate, factor float64) {
	if factor == 1 {
		return
	}
	for name, e := range parts {
		if !name.ofOneSide() {
			*e = e.scale(factor)
		}
	}
}

// eachWithoutCluster decomposes, and again without each cluster (see Jackknife), the groups of disjoint.
func eachWithoutCluster[D any](a, b []Cell, opts OaxacaOptions,
	decompose func(a, b []Cell, opts OaxacaOptions) (D, error),
	estimates func(D) map[termPart]*Estimate) (all D, factor float64, warnings []string, err error) {
	defer opts.Stop.end(&err)
	if a, b, factor, warnings, err = disjoint(a, b, opts.Shared); err != nil {
		return all, 0, nil, err
	}
	opts.Clustered, opts.Shared = false, nil
	parts, err := Jackknife(a, b, func(a, b []Cell) (map[termPart]Estimate, error) {
		d, err := decompose(a, b, opts)
		if err != nil {
			return nil, err
		}
		if !opts.valuesOnly {
			all, opts.valuesOnly = d, true
		}
		out := map[termPart]Estimate{}
		for name, e := range estimates(d) {
			out[name] = *e
		}
		return out, nil
	})
	if err != nil {
		return all, 0, nil, err
	}
	for name, e := range estimates(all) {
		*e = parts[name]
	}
	return all, factor, warnings, nil
}

// preparedCells are the patterns of two cohorts whose every category occurs in both.
type preparedCells struct {
	design       Design
	a, b         []Pattern
	support      Estimate
	outOfSupport float64
	factor       float64 // from the difference of the patterns to that of the cohorts
	warnings     []string
}

func prepareCells(a, b []Cell, opts OaxacaOptions) (*preparedCells, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	dims, err := checkCells(a, b, opts.Shared)
	if err != nil {
		return nil, err
	}
	if dims == 0 {
		return nil, fault.Invalidf("no dimension to explain by; name at least one")
	}
	s := &preparedCells{}
	if a, b, s.factor, s.warnings, err = disjoint(a, b, opts.Shared); err != nil {
		return nil, err
	}
	totalA, totalB := Total(a), Total(b)
	if a, b, err = mergeCells(a, b); err != nil {
		return nil, err
	}
	for {
		keptA, lackingA := withCategoriesOf(a, b, dims)
		keptB, lackingB := withCategoriesOf(b, a, dims)
		a, b = keptA, keptB
		if !lackingA && !lackingB {
			break
		}
	}
	inA, inB := Total(a), Total(b)
	if inA.N == 0 || inB.N == 0 {
		return nil, fault.Invalidf("the cohorts have no category in common on some dimension: nothing can be compared; use " +
			"fewer or coarser dimensions")
	}
	s.support = Wilson(inA.N+inB.N, totalA.N+totalB.N, level)
	s.outOfSupport = (totalA.Mean() - totalB.Mean()) - (inA.Mean() - inB.Mean())
	if s.support.Value < 1 {
		s.warnings = append(s.warnings,
			fmt.Sprintf("%s of the first and %s of the second cohort have a category that the other does not have and are "+
				"left out",
				formatPercent(1-inA.N/totalA.N), formatPercent(1-inB.N/totalB.N)))
	} else {
		s.outOfSupport = 0
	}
	if s.design, err = NewDesign(opts.Dimensions, false, a, b); err != nil {
		return nil, err
	}
	if s.a, err = s.design.Patterns(a, false); err != nil {
		return nil, err
	}
	if s.b, err = s.design.Patterns(b, false); err != nil {
		return nil, err
	}
	return s, nil
}

// withCategoriesOf keeps the cells whose every category occurs in others.
func withCategoriesOf(cells, others []Cell, dims int) (kept []Cell, dropped bool) {
	known := make([]map[int]bool, dims)
	for d := range known {
		known[d] = map[int]bool{}
	}
	for _, c := range others {
		if c.N > 0 {
			for d, category := range c.Key {
				known[d][category] = true
			}
		}
	}
	for _, c := range cells {
		if c.N == 0 {
			continue
		}
		all := true
		for d, category := range c.Key {
			all = all && known[d][category]
		}
		if all {
			kept = append(kept, c)
		} else {
			dropped = true
		}
	}
	return kept, dropped
}

// OaxacaBlinderOn is OaxacaBlinder for rows of any design, continuous covariates among them. A term
// that a cohort lacks or cannot tell from others has no coefficient there; it counts as 0, as with
// Stata's relax option, and a warning says that the parts then mean little.
func OaxacaBlinderOn(design Design, a, b []Pattern, opts OaxacaOptions) (_ *Oaxaca, err error) {
	defer opts.Stop.end(&err)
	if opts.Clustered {
		return nil, clustersOfCells()
	}
	f, err := fitPair(design, a, b, Linear, opts)
	if err != nil {
		return nil, err
	}
	out := &Oaxaca{Method: "Oaxaca-Blinder, reference " + opts.Reference.String(), Reference: opts.Reference,
		Warnings: f.warnings}
	n := f.nA + f.nB
	out.Support = Wilson(n, n, f.level)

	all := make([]int, len(f.terms))
	for i := range all {
		all[i] = i
	}
	total := f.linearParts(all)
	out.Endowments, out.Coefficients, out.Interaction = total.Endowments, total.Coefficients, total.Interaction
	out.Explained, out.Unexplained = total.Explained, total.Unexplained
	sides := newDeltaGradient(len(f.terms))
	for _, i := range all {
		sides.bA[i], sides.star[i], sides.xA[i] = f.xA[i], -f.xA[i], f.bA[i]-f.star[i]
	}
	out.UnexplainedA = f.delta(dot(f.xA, sides.xA), sides)
	sides = newDeltaGradient(len(f.terms))
	for _, i := range all {
		sides.star[i], sides.bB[i], sides.xB[i] = f.xB[i], -f.xB[i], f.star[i]-f.bB[i]
	}
	out.UnexplainedB = f.delta(dot(f.xB, sides.xB), sides)

	mean := newDeltaGradient(len(f.terms))
	copy(mean.bA, f.xA)
	copy(mean.xA, f.bA)
	out.A = f.delta(dot(f.xA, f.bA), mean)
	out.A.Denominator = f.nA
	gap := newDeltaGradient(len(f.terms))
	copy(gap.bA, f.xA)
	copy(gap.xA, f.bA)
	mean = newDeltaGradient(len(f.terms))
	for i := range f.xB {
		mean.bB[i], mean.xB[i] = f.xB[i], f.bB[i]
		gap.bB[i], gap.xB[i] = -f.xB[i], -f.bB[i]
	}
	out.B = f.delta(dot(f.xB, f.bB), mean)
	out.B.Denominator = f.nB
	out.Gap = f.delta(out.A.Value-out.B.Value, gap)

	for i, term := range f.terms {
		t := f.linearParts([]int{i})
		t.Term, t.MeanA, t.MeanB = term, f.xA[i], f.xB[i]
		out.Terms = append(out.Terms, t)
	}
	for _, group := range f.groups {
		t := f.linearParts(group.terms)
		t.Term, t.MeanA, t.MeanB = group.term, math.NaN(), math.NaN()
		out.Dimensions = append(out.Dimensions, t)
	}
	return out, nil
}

func clustersOfCells() error {
	return fault.Invalidf("clusters are those of cells; rows of a design are taken as independent")
}

// linearParts adds up the parts over some terms.
func (f *pairFit) linearParts(terms []int) OaxacaTerm {
	k := len(f.terms)
	endowments, coefficients, interaction := newDeltaGradient(k), newDeltaGradient(k), newDeltaGradient(k)
	explained, unexplained := newDeltaGradient(k), newDeltaGradient(k)
	var e, c, i, x, u float64
	for _, t := range terms {
		dx, db := f.xA[t]-f.xB[t], f.bA[t]-f.bB[t]
		e += dx * f.bB[t]
		endowments.bB[t], endowments.xA[t], endowments.xB[t] = dx, f.bB[t], -f.bB[t]
		c += f.xB[t] * db
		coefficients.bA[t], coefficients.bB[t], coefficients.xB[t] = f.xB[t], -f.xB[t], db
		i += dx * db
		interaction.bA[t], interaction.bB[t], interaction.xA[t], interaction.xB[t] = dx, -dx, db, -db
		x += dx * f.star[t]
		explained.star[t], explained.xA[t], explained.xB[t] = dx, f.star[t], -f.star[t]
		above, below := f.bA[t]-f.star[t], f.star[t]-f.bB[t]
		u += f.xA[t]*above + f.xB[t]*below
		unexplained.bA[t], unexplained.bB[t], unexplained.star[t] = f.xA[t], -f.xB[t], -dx
		unexplained.xA[t], unexplained.xB[t] = above, below
	}
	return OaxacaTerm{
		Endowments: f.delta(e, endowments), Coefficients: f.delta(c, coefficients), Interaction: f.delta(i, interaction),
		Explained: f.delta(x, explained), Unexplained: f.delta(u, unexplained),
	}
}

// A pairFit holds regressions of two cohorts and the reference, with coefficients and means in the
// terms to report: those of the design and, if normalised, each factor's base.
type pairFit struct {
	design     Design
	opts       OaxacaOptions
	model      Model
	level, q   float64
	rowsA      []Pattern
	rowsB      []Pattern
	nA, nB     float64
	terms      []Term
	groups     []termGroup
	columnOf   []int // by term: column of the design, or -1 - factor for a factor's base
	normal     [][]weightedColumn
	bA, bB     []float64
	star       []float64
	xA, xB     []float64
	vA, vB     symmetric // of the means
	covariance symmetric // of (bA, bB, b*) in the design's columns, 3k × 3k
	warnings   []string
}

type termGroup struct {
	term  Term
	terms []int
}

type weightedColumn struct {
	column int
	weight float64
}

// deltaGradient holds the derivatives of a quantity by what it is made from, by term.
type deltaGradient struct{ bA, bB, star, xA, xB []float64 }

func newDeltaGradient(k int) *deltaGradient {
	v := make([]float64, 5*k)
	return &deltaGradient{v[:k], v[k : 2*k], v[2*k : 3*k], v[3*k : 4*k], v[4*k:]}
}

func fitPair(design Design, a, b []Pattern, model Model, opts OaxacaOptions) (*pairFit, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	if opts.Reference < Pooled || opts.Reference > Given {
		return nil, fault.Invalidf("unknown reference %d", opts.Reference)
	}
	if opts.Reference == Given && len(opts.Coefficients) != len(design.Terms) {
		return nil, fault.Invalidf("%d reference coefficients for %d terms", len(opts.Coefficients), len(design.Terms))
	}
	f := &pairFit{design: design, opts: opts, model: model, level: level, q: normalQuantile(level)}
	fitA, err := f.fit(design, a, "first")
	if err != nil {
		return nil, err
	}
	fitB, err := f.fit(design, b, "second")
	if err != nil {
		return nil, err
	}
	f.rowsA, f.rowsB, f.nA, f.nB = fitA.rows, fitB.rows, fitA.Observations, fitB.Observations

	k := len(design.Terms)
	star := make([]float64, k)
	weight := math.NaN()
	var starFit *Regression
	switch opts.Reference {
	case ReferenceA:
		weight = 1
	case ReferenceB:
		weight = 0
	case Reimers:
		weight = 0.5
	case Cotton:
		weight = f.nA / (f.nA + f.nB)
	case Given:
		copy(star, opts.Coefficients)
		for _, v := range star {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fault.Invalidf("the reference coefficients %v are not all finite", opts.Coefficients)
			}
		}
	default:
		if starFit, err = f.fitPooled(); err != nil {
			return nil, err
		}
		copy(star, starFit.coef)
	}
	if !math.IsNaN(weight) {
		for j := range star {
			star[j] = weight*fitA.coef[j] + (1-weight)*fitB.coef[j]
		}
	}
	indicator := fitA.isIndicator() && fitB.isIndicator() && model == Linear
	switch {
	case opts.valuesOnly:
	case opts.Robust || indicator || starFit != nil:
		if f.covariance, err = f.jointSandwich(fitA, fitB, starFit, weight); err != nil {
			return nil, err
		}
	default:
		f.covariance = blockCovariance(fitA.cov, fitB.cov, weight)
	}
	f.layOut()
	f.bA, f.bB, f.star = f.expand(fitA.coef), f.expand(fitB.coef), f.expand(star)
	f.xA, f.vA = f.means(f.rowsA, f.nA)
	f.xB, f.vB = f.means(f.rowsB, f.nB)
	return f, nil
}

func (f *pairFit) fit(design Design, rows []Pattern, which string) (*Regression, error) {
	r, err := Fit(design, rows, FitOptions{Model: f.model, Covariance: Classical, Stop: f.opts.Stop})
	if err != nil {
		if fault.KindOf(err) == fault.Invalid {
			return nil, fault.Invalidf("the %s cohort: %w", which, err)
		}
		return nil, err
	}
	if len(r.Separated) > 0 {
		return nil, fault.Invalidf("the %s cohort: %s; use coarser dimensions, or the linear decomposition", which,
			r.Separated[0])
	}
	for j, omitted := range r.omitted {
		if omitted {
			f.warnings = append(f.warnings,
				fmt.Sprintf("%s has no coefficient in the %s cohort (no observations, or determined by other terms); it counts "+
					"as 0 there, so the parts that value it mean little", design.Terms[j].Name, which))
		}
	}
	return r, nil
}

// fitPooled fits both cohorts together; with the reference Pooled the last column is 1 in b, so that
// the constant of b* is that of a. That matters to the logit only (Fairlie 2005 has it so).
func (f *pairFit) fitPooled() (*Regression, error) {
	design := f.design
	design.Terms = slices.Clone(design.Terms)
	withGroup := f.opts.Reference == Pooled
	if withGroup {
		design.Terms = append(design.Terms, Term{Name: "(group)", Dimension: -1, Category: -1})
	}
	rows := make([]Pattern, 0, len(f.rowsA)+len(f.rowsB))
	for side, from := range [][]Pattern{f.rowsA, f.rowsB} {
		for _, p := range from {
			if withGroup {
				x := make([]float64, len(design.Terms))
				copy(x, p.X)
				x[len(x)-1] = float64(side)
				p.X = x
			}
			rows = append(rows, p)
		}
	}
	return f.fit(design, rows, "pooled")
}

// blockCovariance is the covariance of (bA, bB, w·bA + (1-w)·bB) for independent bA and bB; the third
// is 0 if w is NaN.
func blockCovariance(a, b symmetric, w float64) symmetric {
	k := a.k
	out := newSymmetric(3 * k)
	wa, wb := w, 1-w
	if math.IsNaN(w) {
		wa, wb = 0, 0
	}
	for i := range k {
		for j := range k {
			va, vb := a.at(i, j), b.at(i, j)
			out.a[i*3*k+j] = va
			out.a[(k+i)*3*k+k+j] = vb
			out.a[(2*k+i)*3*k+2*k+j] = wa*wa*va + wb*wb*vb
			out.a[i*3*k+2*k+j], out.a[(2*k+j)*3*k+i] = wa*va, wa*va
			out.a[(k+i)*3*k+2*k+j], out.a[(2*k+j)*3*k+k+i] = wb*vb, wb*vb
		}
	}
	return out
}

// jointSandwich is the covariance of (bA, bB, b*) from the influence of every observation on all of
// them, times n/(n-1) as Stata's suest has it.
func (f *pairFit) jointSandwich(fitA, fitB, starFit *Regression, weight float64) (symmetric, error) {
	k := len(f.design.Terms)
	type piece struct {
		row           Pattern
		own, common   []float64 // influence per unit of residual on own coefficients and on b*
		muOwn, muStar float64
		at            int // where own coefficients start
	}
	var pieces []piece
	n := f.nA + f.nB
	pooled := 0
	for side, fit := range []*Regression{fitA, fitB} {
		for _, row := range fit.rows {
			if len(pieces)%1024 == 0 && f.opts.Stop.now() {
				return symmetric{}, f.opts.Stop.why()
			}
			p := piece{row: row, own: fit.bread.times(row.X), at: side * k}
			p.muOwn = f.mean(dot(row.X, fit.coef))
			if starFit != nil {
				wide := starFit.rows[pooled]
				pooled++
				p.common = starFit.bread.times(wide.X)[:k]
				p.muStar = f.mean(dot(wide.X, starFit.coef))
			} else {
				w := weight
				if side == 1 {
					w = 1 - w
				}
				if math.IsNaN(weight) {
					w = 0
				}
				p.common = make([]float64, k)
				for j, v := range p.own {
					p.common[j] = w * v
				}
				p.muStar = p.muOwn
			}
			pieces = append(pieces, p)
		}
	}
	out := newSymmetric(3 * k)
	typical := meanSquare(f.rowsA, f.rowsB)
	for i := range pieces {
		p := &pieces[i]
		product := func(mu, nu float64) float64 {
			v := p.row.SumSq - (mu+nu)*p.row.Sum + mu*nu*p.row.N
			return math.Copysign(leftOf(math.Abs(v), math.Max(p.row.SumSq, typical*p.row.N)), v)
		}
		oo, oc, cc := product(p.muOwn, p.muOwn), product(p.muOwn, p.muStar), product(p.muStar, p.muStar)
		for i := range k {
			for j := range k {
				out.a[(p.at+i)*3*k+p.at+j] += oo * p.own[i] * p.own[j]
				out.a[(p.at+i)*3*k+2*k+j] += oc * p.own[i] * p.common[j]
				out.a[(2*k+i)*3*k+2*k+j] += cc * p.common[i] * p.common[j]
			}
		}
	}
	for i := range 3 * k {
		for j := range i {
			out.a[i*3*k+j] = out.a[j*3*k+i]
		}
	}
	out.scale(n / (n - 1))
	return out, nil
}

// mean is the expected outcome at a linear predictor.
func (f *pairFit) mean(eta float64) float64 {
	if f.model == Logit {
		return logistic(eta)
	}
	return eta
}

// layOut lists the terms to report. A normalised coefficient is a combination of the design's:
// with a the mean over a factor's k levels, base 0, the constant gains a and every level loses it.
func (f *pairFit) layOut() {
	d := f.design
	add := func(term Term, columnOf int, columns ...weightedColumn) {
		f.terms = append(f.terms, term)
		f.columnOf = append(f.columnOf, columnOf)
		f.normal = append(f.normal, columns)
	}
	f.groups = make([]termGroup, len(d.Factors))
	meanOf := func(factor Factor, sign float64) (columns []weightedColumn) {
		for _, j := range factor.Columns {
			columns = append(columns, weightedColumn{j, sign / float64(len(factor.Columns)+1)})
		}
		return columns
	}
	for j, term := range d.Terms {
		at := d.factorOf(j)
		switch {
		case j == 0 && !f.opts.BaseCategories:
			columns := []weightedColumn{{0, 1}}
			for _, factor := range d.Factors {
				columns = append(columns, meanOf(factor, 1)...)
			}
			add(term, 0, columns...)
		case at < 0 || f.opts.BaseCategories:
			if at >= 0 {
				f.groups[at].terms = append(f.groups[at].terms, len(f.terms))
			}
			add(term, j, weightedColumn{j, 1})
		default:
			factor := d.Factors[at]
			if j == factor.Columns[0] {
				f.groups[at].terms = append(f.groups[at].terms, len(f.terms))
				add(factor.Base, -1-at, meanOf(factor, -1)...)
			}
			f.groups[at].terms = append(f.groups[at].terms, len(f.terms))
			add(term, j, append(meanOf(factor, -1), weightedColumn{j, 1})...)
		}
	}
	for at, factor := range d.Factors {
		f.groups[at].term = Term{Name: factor.Name, Dimension: factor.Base.Dimension, Category: -1}
	}
}

// expand turns coefficients of the design into those of the terms.
func (f *pairFit) expand(b []float64) []float64 {
	out := make([]float64, len(f.terms))
	for t, columns := range f.normal {
		for _, c := range columns {
			out[t] += c.weight * b[c.column]
		}
	}
	return out
}

// contract turns derivatives by the terms' coefficients into those by the design's.
func (f *pairFit) contract(g, into []float64) {
	for t, columns := range f.normal {
		if g[t] == 0 {
			continue
		}
		for _, c := range columns {
			into[c.column] += c.weight * g[t]
		}
	}
}

// covariates fills x with the columns of the terms for one row.
func (f *pairFit) covariates(p *Pattern, x []float64) {
	for t, j := range f.columnOf {
		if j >= 0 {
			x[t] = p.X[j]
			continue
		}
		x[t] = p.X[0]
		for _, other := range f.design.Factors[-1-j].Columns {
			x[t] -= p.X[other]
		}
	}
}

// means returns the means of the terms and the covariance of these, S/n with S of divisor n-1.
func (f *pairFit) means(rows []Pattern, n float64) ([]float64, symmetric) {
	k := len(f.terms)
	x, mean, v := make([]float64, k), make([]float64, k), newSymmetric(k)
	for i := range rows {
		f.covariates(&rows[i], x)
		for t := range x {
			mean[t] += rows[i].N * x[t] / n
		}
	}
	if f.opts.valuesOnly {
		return mean, v
	}
	for i := range rows {
		f.covariates(&rows[i], x)
		for t := range x {
			x[t] -= mean[t]
		}
		v.addOuter(x, rows[i].N)
	}
	v.fill()
	if n > 1 {
		v.scale(1 / (n * (n - 1)))
	}
	return mean, v
}

// delta is value with the variance of its gradient: coefficients and means are uncorrelated.
func (f *pairFit) delta(value float64, g *deltaGradient) Estimate {
	if f.opts.valuesOnly {
		return Estimate{Value: value}
	}
	variance := f.coefficientVariance(g)
	if !f.opts.FixedX {
		variance += f.vA.variance(g.xA) + f.vB.variance(g.xB)
	}
	return f.estimate(value, variance)
}

// estimate is value with a variance, 0 if that is rounding beside what one observation adds to a mean.
func (f *pairFit) estimate(value, variance float64) Estimate {
	return scaledEstimate("delta method", value, leftOf(variance, 1e-6*meanSquare(f.rowsA, f.rowsB)/(f.nA+f.nB)), f.q,
		f.level)
}

func (f *pairFit) coefficientVariance(g *deltaGradient) float64 {
	if f.opts.valuesOnly {
		return 0
	}
	k := len(f.design.Terms)
	b := make([]float64, 3*k)
	f.contract(g.bA, b[:k])
	f.contract(g.bB, b[k:2*k])
	f.contract(g.star, b[2*k:])
	return f.covariance.variance(b)
}
