package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// Gelbach splits what the controls take from a crude gap by control, in no order (Gelbach 2016, J. Labor
// Econ. 34:509). A control's part is what its estimated effects on the outcome make of the difference in the
// control between the groups: Σ Γβ, Γ the difference in each of its categories. The parts sum to crude less
// adjusted. Controls put in one after the other would each get what those before had left.
type Gelbach struct {
	Crude, Adjusted Estimate
	Total           Estimate // Crude - Adjusted
	Parts           []GelbachPart
	Covariance      [][]float64 // of the parts
	Warnings        []string
}

// GelbachPart is what one control, with all its categories, takes from the crude gap.
type GelbachPart struct {
	Control   string
	Dimension int // of the cells' keys; -1 for a number
	Part      Estimate
	Share     float64 // of Total; NaN if that is 0, and of little meaning where its interval holds 0
}

// Gelbach decomposes what the controls take from the coefficient of a term of zeros and ones. The covariance
// is that of all estimating equations stacked: of the effects of the controls, which taking as known would
// understate it by up to a half, and of the differences in the controls. Where the regression is clustered
// it adds up within clusters, with G/(G-1) and t at G-1 degrees of freedom; else every observation is a
// cluster. A logit, and a term that is not zero or one, are errors: what a logit's controls
// take from it does not add up.
func (r *Regression) Gelbach(term int, level float64) (*Gelbach, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	p, err := r.partial(term)
	if err != nil {
		return nil, err
	}
	controls := r.controls(term)
	s := gelbachSums{r: r, term: term, clustered: r.Covariance == Clustered}
	if err := s.difference(); err != nil {
		return nil, err
	}
	out := &Gelbach{}
	k := len(r.coef)
	values := make([]float64, 0, len(controls)+2)
	for _, c := range controls {
		weights := make([]float64, k)
		var part float64
		for _, j := range c.columns {
			weights[j] = s.apart[j]
			part += s.apart[j] * r.coef[j]
		}
		values = append(values, part)
		s.add(r.bread.times(weights), c.columns)
	}
	own := make([]float64, k)
	own[term] = 1
	s.add(r.bread.times(own), nil)
	values = append(values, p.coef)
	covariance, clusters := s.covariance()
	estimate := func(weights []float64) Estimate {
		q := normalQuantile(level)
		if s.clustered {
			q = studentQuantile(level, clusters-1)
		}
		e := scaledEstimate("Gelbach, stacked, "+r.Covariance.String(), dot(weights, values), covariance.variance(weights), q,
			level)
		if !s.clustered {
			e.Method = "Gelbach, stacked"
		}
		e.Denominator = r.Observations
		return e
	}
	one := func(at ...int) []float64 {
		w := make([]float64, len(values))
		for _, i := range at {
			w[i] = 1
		}
		return w
	}
	last := len(controls)
	all := make([]int, last)
	for i := range all {
		all[i] = i
	}
	out.Total, out.Adjusted, out.Crude = estimate(one(all...)), estimate(one(last)), estimate(one(append(all, last)...))
	for i, c := range controls {
		part := GelbachPart{Control: c.name, Dimension: c.dimension, Part: estimate(one(i)), Share: values[i] / out.Total.Value}
		if out.Total.Value == 0 {
			part.Share = math.NaN()
		}
		out.Parts = append(out.Parts, part)
		out.Covariance = append(out.Covariance, covariance.a[i*covariance.k:i*covariance.k+last])
	}
	if s.clustered {
		a, b := r.fitted(term)
		out.Warnings = append(fewInCohort("first", a), fewInCohort("second", b)...)
	}
	return out, nil
}

// gelbachSums gathers what observations add to the errors of the parts: γ(y - x'b) + h, with γ for the
// effects on the outcome and h for the differences in the controls, both linear in x.
type gelbachSums struct {
	r         *Regression
	term      int
	clustered bool
	apart     []float64    // mean covariates of the group less those of the rest
	means     [2][]float64 // by group
	n         [2]float64
	slopes    [][]float64 // by part: what an error of the outcome is multiplied by, in x
	columns   [][]int
}

func (s *gelbachSums) difference() error {
	k := len(s.r.coef)
	s.means = [2][]float64{make([]float64, k), make([]float64, k)}
	for _, row := range s.r.rows {
		x := row.X[s.term]
		if x != 0 && x != 1 {
			return fault.Invalidf("a gap is between two groups; %s has a value of %g, not 0 or 1",
				s.r.Design.Terms[s.term].Name, x)
		}
		arm := armOf(x == 1)
		s.n[arm] += row.N
		for j, v := range row.X {
			s.means[arm][j] += row.N * v
		}
	}
	s.apart = make([]float64, k)
	for arm := range s.means {
		for j := range s.means[arm] {
			s.means[arm][j] /= s.n[arm]
		}
	}
	for j := range s.apart {
		s.apart[j] = s.means[1][j] - s.means[0][j]
	}
	return nil
}

func (s *gelbachSums) add(slopes []float64, columns []int) {
	s.slopes, s.columns = append(s.slopes, slopes), append(s.columns, columns)
}

// covariance is that of the parts, and the number of clusters.
func (s *gelbachSums) covariance() (symmetric, float64) {
	parts := len(s.slopes)
	v := newSymmetric(parts)
	sums, slope, shift := make([]float64, parts), make([]float64, parts), make([]float64, parts)
	order := s.r.clusterOrder()
	typical := meanSquare(s.r.rows)
	var clusters float64
	for at, i := range order {
		row := &s.r.rows[i]
		fitted := dot(row.X, s.r.coef)
		arm, sign := armOf(row.X[s.term] == 1), 1.0
		if arm == 0 {
			sign = -1
		}
		for p := range sums {
			slope[p], shift[p] = dot(row.X, s.slopes[p]), 0
			for _, j := range s.columns[p] {
				shift[p] += sign * (row.X[j] - s.means[arm][j]) * s.r.coef[j] / s.n[arm]
			}
		}
		residual := row.Sum - row.N*fitted
		if !s.clustered {
			clusters += row.N
			v.addOuter(slope, squares(*row, fitted, typical))
			v.addOuter(shift, row.N)
			for p := range sums {
				for q := p; q < parts; q++ {
					v.a[p*parts+q] += residual * (slope[p]*shift[q] + slope[q]*shift[p])
				}
			}
			continue
		}
		for p := range sums {
			sums[p] += residual*slope[p] + row.N*shift[p]
		}
		if at == len(order)-1 || s.r.rows[order[at+1]].Cluster != row.Cluster {
			v.addOuter(sums, 1)
			clear(sums)
			clusters++
		}
	}
	v.fill()
	v.scale(clusters / (clusters - 1))
	return v, clusters
}

// Gelbach is the decomposition of the crude into the adjusted gap, in its unit. See Regression.Gelbach.
func (g *AdjustedGap) Gelbach(level float64) (*Gelbach, error) {
	out, err := g.Fit.Gelbach(groupTerm, level)
	if err != nil {
		return nil, err
	}
	out.Crude, out.Adjusted, out.Total = out.Crude.scale(g.factor), out.Adjusted.scale(g.factor), out.Total.scale(g.factor)
	for i := range out.Parts {
		out.Parts[i].Part = out.Parts[i].Part.scale(g.factor)
		for j := range out.Covariance[i] {
			out.Covariance[i][j] *= g.factor * g.factor
		}
	}
	return out, nil
}
