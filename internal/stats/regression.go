package stats

import (
	"math"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// Model is the link between covariates and the mean of the outcome.
type Model int

const (
	Linear Model = iota // E y = x'b; for an indicator the linear probability model
	Logit               // E y = 1/(1+exp(-x'b))
)

func (m Model) String() string {
	if m == Logit {
		return "logit"
	}
	return "linear"
}

// Covariance is the estimator of the covariance matrix of regression coefficients.
type Covariance int

const (
	// Robust is HC1, the sandwich times n/(n-k): right whatever the variance of the outcome, which
	// in a linear probability model is never constant (White 1980; MacKinnon, White 1985).
	Robust Covariance = iota
	// Classical takes the model at its word: σ²(X'X)⁻¹ with σ² = SSE/(n-k), or the inverse information.
	Classical
	HC0 // the plain sandwich
	HC2 // squared residuals divided by 1 - leverage
	HC3 // squared residuals divided by (1 - leverage)²
	// Clustered allows observations to be alike within Cluster, with what few clusters need. In the linear
	// model it is CR2 (Bell, McCaffrey 2002): residuals are divided by the root of what their cluster leaves
	// to others, and each coefficient has degrees of freedom of its own (Satterthwaite), or no standard
	// error where one cluster alone decides it. In the logit clusters are deleted one at a time, see
	// Jackknife.
	Clustered
)

func (c Covariance) String() string {
	return [...]string{"HC1", "classical", "HC0", "HC2", "HC3", "cluster-robust (CR2)"}[c]
}

// FitOptions says how to fit. The zero value is a linear model with robust standard errors.
type FitOptions struct {
	Model      Model
	Covariance Covariance
	// Observations is the number of rows when N are sampling weights: all sums are scaled so that
	// N adds up to it, which makes the mean weight 1. 0 takes N as counts.
	Observations float64
	Stop         Stop
}

// Regression is a fitted model. Coefficients that could not be estimated are NaN in Coef and named
// in Warnings.
type Regression struct {
	Model        Model
	Covariance   Covariance
	Design       Design
	Coef         []float64 // by term
	Observations float64   // used in the fit
	Settled      float64   // observations of a logit whose outcome is predicted perfectly; they are not in the fit
	Patterns     int       // rows used in the fit
	Clusters     int       // distinct clusters, settled ones among them, whether or not the covariance uses them
	DF           float64   // degrees of freedom of intervals; +Inf for the normal
	Sigma2       float64   // residual variance of the linear model; NaN for the logit
	LogLik       float64   // of the rows, without the binomial coefficient; NaN for the linear model
	Iterations   int
	Separated    []string // what predicts the outcome perfectly; see Settled
	Warnings     []string

	rows           []Pattern
	members        []member      // of the rows
	start          []float64     // where to fit from; nil for 0
	sides          *sides        // clusters by whether the group's column is 1
	plain          symmetric     // covariance of independent observations, beside one that is robust to clusters
	linked         *clusterFit   // of clusters in the linear model
	deleted        []*Regression // of clusters in the logit: fits without each cluster
	settledMembers []member      // of the settled rows
	settled        []Pattern     // rows whose outcome is predicted perfectly
	toward         [][]float64   // the directions in which the coefficients have no end, each larger than those after it
	coef           []float64     // Coef with 0 for what is NaN there
	omitted        []bool
	cov            symmetric
	bread          symmetric // inverse information, (X'WX)⁻¹
	stop           Stop
}

const (
	maxIterations = 60
	stepTolerance = 1e-9 // of the linear predictor; the next Newton error is its square
)

// Fit estimates a regression on grouped rows by iteratively reweighted least squares from b = 0;
// it equals the fit on single observations, as the sums of a pattern are sufficient
// (McCullagh, Nelder 1989, ch. 4). Patterns with N = 0 are skipped.
//
// Columns that are linear in those before them are omitted and named. In a logit, covariates that
// predict the outcome perfectly (separation: Albert, Anderson 1984, Biometrika 71:1) have no
// finite estimate. They are recognised when Newton's step stops shrinking: the step is then a
// direction that improves the fit for ever, and it is checked against every row before it is
// believed. Observations it settles are not in the fit, which is the limit of the likelihood for the
// other coefficients, and Separated and Warnings name them; their probability is 0 or 1, and averages
// over all observations count them (see MarginalEffect). If nothing is left, or the group
// indicator itself is the perfect predictor, Fit returns an error, as it does for a fit that does
// not converge within 60 steps.
func Fit(design Design, patterns []Pattern, opts FitOptions) (*Regression, error) {
	return fitMembers(design, patterns, nil, opts)
}

// fitMembers is Fit for rows of which clusters have parts: members, their clusters by number, add up to
// the rows. Without members each row is of one cluster.
func fitMembers(design Design, patterns []Pattern, members []member, opts FitOptions) (*Regression, error) {
	if err := checkPatterns(design, patterns); err != nil {
		return nil, err
	}
	if opts.Covariance < Robust || opts.Covariance > Clustered || opts.Model < Linear || opts.Model > Logit {
		return nil, fault.Invalidf("unknown model %d or covariance %d", opts.Model, opts.Covariance)
	}
	r := &Regression{Model: opts.Model, Covariance: opts.Covariance, Design: design, Sigma2: math.NaN(),
		LogLik: math.NaN(), stop: opts.Stop}
	var total Cell
	rowOf := make([]int32, len(patterns))
	for i, p := range patterns {
		rowOf[i] = int32(len(r.rows))
		if p.N == 0 {
			continue
		}
		if opts.Model == Logit && !(Cell{N: p.N, Sum: p.Sum, SumSq: p.SumSq}).IsIndicator() {
			return nil, fault.Invalidf("a logit needs an outcome of 0 and 1; a row has n = %g, Σx = %g, Σx² = %g", p.N, p.Sum,
				p.SumSq)
		}
		total.N, total.Sum, total.SumSq = total.N+p.N, total.Sum+p.Sum, total.SumSq+p.SumSq
		r.rows = append(r.rows, p)
	}
	if total.N == 0 {
		return nil, fault.Invalidf("no observations to fit a regression to")
	}
	if opts.Model == Logit && (total.Sum == 0 || total.Sum == total.N) {
		return nil, fault.Invalidf("the outcome does not vary: %g of %g observations have it; there is nothing to explain",
			total.Sum, total.N)
	}
	f := 1.0
	if opts.Observations > 0 {
		f = opts.Observations / total.N
		for i := range r.rows {
			r.rows[i].N, r.rows[i].Sum, r.rows[i].SumSq = f*r.rows[i].N, f*r.rows[i].Sum, f*r.rows[i].SumSq
		}
	}
	if members == nil {
		r.membersOfRows()
	}
	for _, m := range members {
		if m.n > 0 {
			r.members = append(r.members, member{rowOf[m.row], m.cluster, f * m.n, f * m.y})
		}
	}
	k := len(design.Terms)
	if err := r.converge(); err != nil {
		return nil, err
	}
	r.Coef = slices.Clone(r.coef)
	for j, omitted := range r.omitted {
		if omitted {
			r.Coef[j] = math.NaN()
			if r.isSettled(j) {
				continue // said already
			}
			r.Warnings = append(r.Warnings,
				design.Terms[j].Name+" is omitted: it has no observations or is determined by the terms before it")
		}
	}
	for _, p := range r.rows {
		r.Observations += p.N
	}
	r.Patterns = len(r.rows)
	kept := 0.0
	for j := range k {
		if !r.omitted[j] {
			kept++
		}
	}
	if err := r.covariance(kept); err != nil {
		return nil, err
	}
	return r, nil
}

// membersOfRows has each row be of its cluster alone.
func (r *Regression) membersOfRows() {
	cells := make([]Cell, len(r.rows))
	for i, p := range r.rows {
		cells[i] = Cell{Cluster: p.Cluster, N: p.N}
	}
	index := indexClusters([][]Cell{cells})
	r.members = make([]member, len(r.rows))
	for i, p := range r.rows {
		r.members[i] = member{int32(i), int32(index.of(p.Cluster)), p.N, p.Sum}
	}
}

// converge fits, and leaves out what is predicted perfectly.
func (r *Regression) converge() error {
	for {
		direction, err := r.iterate()
		if err != nil || direction == nil {
			return err
		}
		if err := r.leaveOutSeparated(direction); err != nil {
			return err
		}
	}
}

// iterate runs Newton's method from start, or 0. It returns a non-nil direction if the rows are separated.
func (r *Regression) iterate() (direction []float64, err error) {
	k := len(r.Design.Terms)
	b := make([]float64, k)
	eta := make([]float64, len(r.rows))
	if copy(b, r.start) > 0 {
		r.predict(eta, b)
	}
	r.omitted = nil
	tolerance := stepTolerance
	if r.Model == Linear {
		tolerance *= math.Sqrt(meanSquare(r.rows))
	}
	last := math.Inf(-1)
	step := make([]float64, k)
	for r.Iterations = 1; r.Iterations <= maxIterations; r.Iterations++ {
		if err := r.stop.why(); err != nil {
			return nil, err
		}
		information, score, objective := r.derivatives(eta)
		if objective < last-1e-12*math.Abs(last) && r.Model == Logit {
			// Newton overshot: go back half of the step.
			for j := range b {
				step[j] /= 2
				b[j] -= step[j]
			}
			r.predict(eta, b)
			continue
		}
		last = objective
		inverse, omitted := information.inverse(r.omitted)
		if r.omitted == nil {
			r.omitted = omitted
		}
		r.bread = inverse
		step = inverse.times(score)
		largest := 0.0
		for i := range r.rows {
			d := dot(r.rows[i].X, step)
			eta[i] += d
			largest = math.Max(largest, math.Abs(d))
		}
		for j := range b {
			b[j] += step[j]
		}
		switch {
		case math.IsNaN(largest):
			return nil, fault.Invalidf("the regression has no solution in floating point: its covariates are too far apart in " +
				"size")
		case largest <= tolerance:
			r.coef = b
			return nil, nil
		case r.Model == Logit && r.Iterations >= 10 && largest > 0.1 && r.separates(step, largest):
			return step, nil
		case r.Model == Linear && r.Iterations >= 10:
			// rounding is all that is left of the step
			r.coef = b
			return nil, nil
		}
	}
	return nil, fault.Invalidf("the %s did not converge in %d steps; fewer or coarser controls would help", r.Model,
		maxIterations)
}

func (r *Regression) predict(eta, b []float64) {
	for i := range r.rows {
		eta[i] = dot(r.rows[i].X, b)
	}
}

// derivatives returns the information, the score and the log likelihood at the linear predictor.
func (r *Regression) derivatives(eta []float64) (information symmetric, score []float64, objective float64) {
	k := len(r.Design.Terms)
	information, score = newSymmetric(k), make([]float64, k)
	for i := range r.rows {
		p := &r.rows[i]
		weight, residual := p.N, p.Sum-p.N*eta[i]
		if r.Model == Logit {
			mu := logistic(eta[i])
			weight, residual = p.N*mu*(1-mu), p.Sum-p.N*mu
			objective += p.Sum*eta[i] - p.N*softplus(eta[i])
		}
		information.addOuter(p.X, weight)
		for j, x := range p.X {
			score[j] += residual * x
		}
	}
	information.fill()
	return information, score, objective
}

func logistic(eta float64) float64 {
	if eta >= 0 {
		return 1 / (1 + math.Exp(-eta))
	}
	e := math.Exp(eta)
	return e / (1 + e)
}

// softplus is log(1 + exp(eta)) without overflow.
func softplus(eta float64) float64 {
	return math.Max(eta, 0) + math.Log1p(math.Exp(-math.Abs(eta)))
}

// separationTolerance is how far, relative to the largest, a direction may move a row that it
// should leave alone.
const separationTolerance = 1e-3

// separates tells whether moving along the direction raises the likelihood for ever: it moves rows
// where all have the outcome up only, rows where none has it down only, and no other row.
func (r *Regression) separates(direction []float64, largest float64) bool {
	for i := range r.rows {
		p := &r.rows[i]
		d := dot(p.X, direction) / largest
		if p.Sum < p.N && d > separationTolerance || p.Sum > 0 && d < -separationTolerance {
			return false
		}
	}
	return true
}

// leaveOutSeparated drops the rows that a separating direction settles, and says which they are.
func (r *Regression) leaveOutSeparated(direction []float64) error {
	largest := 0.0
	for i := range r.rows {
		largest = math.Max(largest, math.Abs(dot(r.rows[i].X, direction)))
	}
	var left, settled []Pattern
	dropped := make([]bool, len(r.rows))
	var n float64
	rowOf := make([]int32, len(r.rows))
	for i, p := range r.rows {
		dropped[i] = math.Abs(dot(p.X, direction)) > separationTolerance*largest
		if dropped[i] {
			rowOf[i] = int32(len(r.settled) + len(settled))
			settled = append(settled, p)
			n += p.N
		} else {
			rowOf[i] = int32(len(left))
			left = append(left, p)
		}
	}
	what := r.describeSeparation(direction, dropped)
	switch {
	case len(left) == 0:
		return fault.Invalidf("the covariates predict the outcome perfectly (%s): a logit has no finite estimate; leave "+
			"out what determines the outcome", strings.Join(what, "; "))
	case r.Design.group > 0 && math.Abs(direction[r.Design.group]) > 0.1*slices.Max(absolutes(direction)):
		constant := true
		for _, p := range left {
			constant = constant && p.X[r.Design.group] == left[0].X[r.Design.group]
		}
		if constant {
			return fault.Invalidf("within the controls all or none of one group have the outcome (%s): the logit has no "+
				"finite odds ratio; the linear model gives a difference", strings.Join(what, "; "))
		}
	}
	r.Separated = append(r.Separated, what...)
	r.Warnings = append(r.Warnings, "perfect prediction: "+strings.Join(what, "; ")+"; these "+formatCount(n)+
		" observations say nothing about the other coefficients, which are of the rest")
	for j := range direction {
		direction[j] /= largest
	}
	r.toward = append(r.toward, direction)
	r.rows, r.settled, r.Settled = left, append(r.settled, settled...), r.Settled+n
	var inFit []member
	for _, m := range r.members {
		to := &inFit
		if dropped[m.row] {
			to = &r.settledMembers
		}
		m.row = rowOf[m.row]
		*to = append(*to, m)
	}
	r.members = inFit
	return nil
}

// isSettled tells whether a term is omitted because all rows with it are predicted perfectly.
func (r *Regression) isSettled(term int) bool {
	return r.omitted[term] && slices.ContainsFunc(r.settled, func(p Pattern) bool { return p.X[term] != 0 }) &&
		!slices.ContainsFunc(r.rows, func(p Pattern) bool { return p.X[term] != 0 })
}

// probability is that of the outcome at covariates x, and its derivative by the linear predictor: where
// coefficients have no end it is the limit, 0 or 1.
func (r *Regression) probability(x []float64) (mu, slope float64) {
	for _, direction := range r.toward {
		switch d := dot(x, direction); {
		case d > separationTolerance:
			return 1, 0
		case d < -separationTolerance:
			return 0, 0
		}
	}
	mu = logistic(dot(x, r.coef))
	return mu, mu * (1 - mu)
}

func absolutes(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Abs(x)
	}
	return out
}

// describeSeparation names the categories whose rows are all settled, or else the terms involved.
func (r *Regression) describeSeparation(direction []float64, dropped []bool) (what []string) {
	describe := func(name string, member func(p *Pattern) bool) {
		var n, sum float64
		for i := range r.rows {
			if p := &r.rows[i]; member(p) {
				if !dropped[i] {
					return
				}
				n, sum = n+p.N, sum+p.Sum
			}
		}
		switch {
		case n == 0:
		case sum == 0:
			what = append(what, "none of "+formatCount(n)+" with "+name+" has the outcome")
		case sum == n:
			what = append(what, "all of "+formatCount(n)+" with "+name+" have the outcome")
		default:
			what = append(what, name+" together with the other terms decides the outcome of "+formatCount(n))
		}
	}
	for _, f := range r.Design.Factors {
		describe(f.Base.Name, func(p *Pattern) bool {
			for _, j := range f.Columns {
				if p.X[j] != 0 {
					return false
				}
			}
			return len(f.Columns) > 0
		})
		for _, j := range f.Columns {
			describe(r.Design.Terms[j].Name, func(p *Pattern) bool { return p.X[j] != 0 })
		}
	}
	if len(what) == 0 {
		var involved []string
		threshold := 0.1 * slices.Max(absolutes(direction))
		for j, v := range direction {
			if j > 0 && math.Abs(v) > threshold {
				involved = append(involved, r.Design.Terms[j].Name)
			}
		}
		what = []string{"a combination of " + strings.Join(involved, ", ")}
	}
	return what
}

// covariance fills in everything about uncertainty. kept is the number of coefficients.
func (r *Regression) covariance(kept float64) error {
	k := len(r.Design.Terms)
	n := r.Observations
	eta := make([]float64, len(r.rows))
	r.predict(eta, r.coef)
	information, _, loglik := r.derivatives(eta)
	r.bread, _ = information.inverse(r.omitted)
	var sse, outside float64
	typical := meanSquare(r.rows)
	for i, p := range r.rows {
		sse += squares(p, eta[i], typical)
		if eta[i] < 0 || eta[i] > 1 {
			outside += p.N
		}
	}
	r.DF = math.Inf(1)
	if r.Model == Linear {
		if n <= kept*(1+1e-9) { // weights add up to a whole number only nearly
			return fault.Invalidf("%g observations cannot tell %g coefficients and their uncertainty", n, kept)
		}
		r.Sigma2, r.DF = sse/(n-kept), n-kept
		if indicator := r.isIndicator(); indicator && outside > 0 {
			r.Warnings = append(r.Warnings,
				"the linear model predicts shares outside 0 to 1 for "+formatCount(outside)+" observations")
		}
	} else {
		r.LogLik = loglik
	}
	r.numberClusters()
	switch r.Covariance {
	case Classical:
		r.cov = symmetric{k, slices.Clone(r.bread.a)}
		if r.Model == Linear {
			r.cov.scale(r.Sigma2)
		}
		return nil
	case Clustered:
		r.plain = r.sandwich(eta, HC0)
		r.plain.scale(n / math.Max(1, n-kept))
		return r.clustered(information)
	}
	r.cov = r.sandwich(eta, r.Covariance)
	if r.Covariance == Robust {
		if n <= kept*(1+1e-9) { // weights add up to a whole number only nearly
			return fault.Invalidf("%g observations cannot tell %g coefficients and their uncertainty", n, kept)
		}
		r.cov.scale(n / (n - kept))
	}
	return nil
}

// sandwich is the covariance that takes observations as independent, without factor for few of them.
func (r *Regression) sandwich(eta []float64, covariance Covariance) symmetric {
	meat := newSymmetric(len(r.coef))
	typical := meanSquare(r.rows)
	for i, p := range r.rows {
		mu, slope := eta[i], 1.0
		if r.Model == Logit {
			mu = logistic(eta[i])
			slope = mu * (1 - mu)
		}
		w := squares(p, mu, typical)
		if covariance == HC2 || covariance == HC3 {
			rest := math.Max(1e-9, 1-slope*r.bread.form(p.X))
			w /= rest
			if covariance == HC3 {
				w /= rest
			}
		}
		meat.addOuter(p.X, w)
	}
	meat.fill()
	return r.bread.sandwich(meat)
}

// numberClusters counts the clusters in the fit, and lines them up on the sides of the group's column.
func (r *Regression) numberClusters() {
	highest := int32(-1)
	for _, list := range [][]member{r.members, r.settledMembers} {
		for _, m := range list {
			highest = max(highest, m.cluster)
		}
	}
	number := make([]int32, highest+1)
	lists := [][]member{r.members, r.settledMembers}
	for _, list := range lists {
		for _, m := range list {
			number[m.cluster] = 1
		}
	}
	r.Clusters = 0
	for g := range number {
		if number[g] == 1 {
			number[g] = int32(r.Clusters)
			r.Clusters++
		}
	}
	r.sides = &sides{a: make([]sums, r.Clusters), b: make([]sums, r.Clusters), names: cohorts}
	for i, list := range lists {
		rows := [][]Pattern{r.rows, r.settled}[i]
		for j := range list {
			m := &list[j]
			m.cluster = number[m.cluster]
			side, total := r.sides.a, &r.sides.totalA
			if group := r.Design.group; group > 0 && rows[m.row].X[group] == 0 {
				side, total = r.sides.b, &r.sides.totalB
			}
			side[m.cluster].add(sums{n: m.n, y: m.y})
			total.add(sums{n: m.n, y: m.y})
		}
		for _, p := range rows {
			r.sides.totalA.q += p.SumSq // of both, for what is rounding beside it
		}
	}
}

// clustered is the covariance of clusters (see Covariance).
func (r *Regression) clustered(information symmetric) error {
	if r.Clusters < 2 {
		return oneClusterInAll()
	}
	k := len(r.coef)
	r.DF = float64(r.Clusters - 1)
	if r.Model == Linear {
		var err error
		if r.linked, err = r.newClusterFit(information); err != nil {
			return err
		}
		r.cov = r.linked.covariance(r.scores(), -0.5)
		return nil
	}
	if r.Clusters > mostDeleted { // groups are as good as clusters, see Jackknife
		r.sides = r.sides.grouped(mostDeleted)
		for _, list := range [][]member{r.members, r.settledMembers} {
			for i := range list {
				list[i].cluster %= mostDeleted
			}
		}
	}
	r.cov = newSymmetric(k)
	r.deleted = make([]*Regression, min(r.Clusters, mostDeleted))
	rest := r.eachWithout()
	for g := range r.deleted {
		if err := r.stop.why(); err != nil {
			return err
		}
		d, err := rest(g)
		if err != nil {
			continue // nil: there is no fit without this cluster
		}
		r.deleted[g] = d
		moved := make([]float64, k)
		for j := range moved {
			moved[j] = d.coef[j] - r.coef[j]
		}
		r.cov.addOuter(moved, 1)
	}
	r.cov.fill()
	groups := float64(len(r.deleted))
	r.cov.scale((groups - 1) / groups)
	return nil
}

// eachWithout returns the function that fits again without a cluster, from the coefficients with it.
func (r *Regression) eachWithout() func(cluster int) (*Regression, error) {
	group := func(members []member) [][]member {
		out := make([][]member, len(r.deleted))
		for _, m := range members {
			out[m.cluster] = append(out[m.cluster], m)
		}
		return out
	}
	inFit, settled := group(r.members), group(r.settledMembers)
	return func(cluster int) (*Regression, error) {
		d := &Regression{Model: r.Model, Design: r.Design, start: r.coef, toward: slices.Clip(r.toward), stop: r.stop}
		d.rows, d.Observations = without(r.rows, inFit[cluster])
		d.settled, d.Settled = without(r.settled, settled[cluster])
		if err := d.converge(); err != nil {
			return nil, err
		}
		return d, nil
	}
}

// without takes members out of rows, which stay as they are, and counts the observations that are left.
func without(rows []Pattern, members []member) (left []Pattern, n float64) {
	left = slices.Clone(rows)
	for _, m := range members {
		p := &left[m.row]
		p.N, p.Sum = p.N-m.n, p.Sum-m.y
		p.SumSq = p.Sum // only a logit is fitted again
	}
	left = slices.DeleteFunc(left, func(p Pattern) bool { return p.N <= 0 })
	for _, p := range left {
		n += p.N
	}
	return left, n
}

// squares is Σ(y - mu)² over the observations of a pattern, 0 if it is rounding beside those of the
// pattern or of as many typical ones.
func squares(p Pattern, mu, typical float64) float64 {
	return leftOf(p.SumSq-2*mu*p.Sum+mu*mu*p.N, math.Max(p.SumSq+mu*mu*p.N, typical*p.N))
}

// meanSquare is Σy²/n.
func meanSquare(rows ...[]Pattern) float64 {
	var squares, n float64
	for _, list := range rows {
		for _, p := range list {
			squares, n = squares+p.SumSq, n+p.N
		}
	}
	return squares / n
}

func (r *Regression) isIndicator() bool {
	for _, p := range r.rows {
		if !(Cell{N: p.N, Sum: p.Sum, SumSq: p.SumSq}).IsIndicator() {
			return false
		}
	}
	return true
}

// Method names model and covariance, e.g. "logit, HC1".
func (r *Regression) Method() string {
	if r.Model == Logit && r.Covariance == Clustered {
		return r.Model.String() + ", " + jackknifed
	}
	return r.Model.String() + ", " + r.Covariance.String()
}

// Coefficient estimates the coefficient of a term: NaN if it was omitted.
func (r *Regression) Coefficient(term int, level float64) Estimate {
	if term < 0 || term >= len(r.Coef) {
		return undefined(r.Method(), level, "the regression has %d terms, no term %d", len(r.Coef), term)
	}
	if r.isSettled(term) {
		return undefined(r.Method(), level, "%s has no finite coefficient: the outcome of all with it is settled",
			r.Design.Terms[term].Name)
	}
	if r.omitted[term] {
		return undefined(r.Method(), level, "%s could not be estimated", r.Design.Terms[term].Name)
	}
	combination := make([]float64, len(r.coef))
	combination[term] = 1
	return r.linear(r.coef[term], combination, level, func(d *Regression) float64 {
		if d.omitted[term] {
			return math.NaN()
		}
		return d.coef[term]
	})
}

// OddsRatio is exp of a logit's coefficient, with the interval exp of the coefficient's.
func (r *Regression) OddsRatio(term int, level float64) Estimate {
	e := r.Coefficient(term, level)
	if r.Model != Logit {
		return undefined(r.Method(), level, "a linear model has no odds ratio")
	}
	variance, q := e.SE*e.SE, (e.Upper-e.Value)/e.SE
	if e.Value = math.Exp(e.Value); !(e.SE > 0) {
		return e
	}
	return e.onLogScale(variance, q)
}

// combination estimates a sum of coefficients with these weights.
func (r *Regression) combination(weights []float64, level float64) Estimate {
	return r.linear(dot(weights, r.coef), weights, level, func(d *Regression) float64 { return dot(weights, d.coef) })
}

// linear estimates what is a combination of coefficients, or in its neighbourhood moves as one does. again
// is its value in a fit without a cluster.
func (r *Regression) linear(value float64, combination []float64, level float64,
	again func(*Regression) float64) Estimate {
	variance := r.cov.variance(combination)
	if r.Model == Linear {
		// An SE under 1e-6 of what one would be if the model explained nothing is what rounding leaves of 0.
		variance = leftOf(variance, 100*meanSquare(r.rows)/r.Observations)
	}
	if r.Covariance != Clustered {
		q := normalQuantile(level)
		if !math.IsInf(r.DF, 1) {
			q = studentQuantile(level, r.DF)
		}
		e := scaledEstimate(r.Method(), value, variance, q, level)
		e.Denominator = r.Observations
		return e
	}
	e := normalEstimate(r.Method(), value, r.plain.variance(combination), level)
	e.Denominator, e.Warnings = r.Observations, nil
	if r.Model == Linear {
		r.sides.design(&e, variance, r.linked.freedom(combination))
		return e
	}
	changes := make([]float64, len(r.deleted))
	for g, d := range r.deleted {
		changes[g] = math.NaN()
		if d != nil {
			changes[g] = again(d) - value
		}
	}
	r.sides.jackknife(&e, changes)
	return e
}

// CoefficientCovariance is the estimated covariance of two coefficients; 0 for omitted ones.
func (r *Regression) CoefficientCovariance(i, j int) float64 { return r.cov.at(i, j) }

// MarginalEffect averages over all observations what a term changes in the expected outcome: for a
// category the change from the base category, for a column of zeros and ones that from 0 to 1, for
// any other column the derivative. In a linear model that is the coefficient. Observations that a
// logit predicts perfectly are among all: where the covariates settle the outcome with the term as
// without it they add 0 to the sum, and count in its denominator. The standard error
// is the delta method's for the coefficients, given the covariates (as in Stata's margins).
// Columns that are functions of each other, as a square, are moved alone: do not ask for those.
func (r *Regression) MarginalEffect(term int, level float64) Estimate {
	e := r.Coefficient(term, level)
	if math.IsNaN(e.Value) {
		return e
	}
	if term == 0 {
		return undefined(r.Method(), level, "the constant has no marginal effect")
	}
	if r.Model == Linear {
		return e
	}
	value, gradient := r.marginalEffect(term)
	e = r.linear(value, gradient, level, func(d *Regression) float64 {
		if d.omitted[term] {
			return math.NaN()
		}
		again, _ := d.marginalEffect(term)
		return again
	})
	e.Method = "average marginal effect, " + r.Method()
	e.Denominator = r.Observations + r.Settled
	return e
}

func (r *Regression) marginalEffect(term int) (value float64, gradient []float64) {
	k := len(r.coef)
	gradient = make([]float64, k)
	var columns []int
	if f := r.Design.factorOf(term); f >= 0 {
		columns = r.Design.Factors[f].Columns
	}
	all := slices.Concat(r.rows, r.settled)
	discrete := true
	for i := range all {
		discrete = discrete && (all[i].X[term] == 0 || all[i].X[term] == 1)
	}
	x := make([]float64, k)
	add := func(n, sign float64) {
		mu, slope := r.probability(x)
		value += sign * n * mu
		for j, v := range x {
			gradient[j] += sign * n * slope * v
		}
	}
	for i := range all {
		p := &all[i]
		copy(x, p.X)
		if !discrete {
			mu, slope := r.probability(x)
			slope *= p.N
			value += slope * r.coef[term]
			for j, v := range x {
				gradient[j] += slope * (1 - 2*mu) * r.coef[term] * v
			}
			gradient[term] += slope
			continue
		}
		for _, j := range columns {
			x[j] = 0
		}
		x[term] = 1
		add(p.N, 1)
		x[term] = 0
		add(p.N, -1)
	}
	n := r.Observations + r.Settled
	for j := range gradient {
		gradient[j] /= n
	}
	return value / n, gradient
}
