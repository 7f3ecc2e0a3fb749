package stats

import (
	"fmt"
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
// it adds up within clusters, with G/(G-1) and t at Satterthwaite's degrees of freedom over the sides; else every
// observation is a cluster. A logit, and a term that is not zero or one, are errors: what a logit's controls
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
	covariance, moved, side := s.covariance()
	estimate := func(weights []float64) Estimate {
		q, method := normalQuantile(level), "Gelbach, stacked"
		if s.clustered {
			q, method = studentQuantile(level, sidesFreedom(moved, side, weights)), method+", cluster-robust"
		}
		e := scaledEstimate(method, dot(weights, values), covariance.variance(weights), q, level)
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
		part := GelbachPart{Control: c.name, Dimension: c.dimension, Part: estimate(one(i)),
			Share: values[i] / out.Total.Value}
		if out.Total.Value == 0 {
			part.Share = math.NaN()
		}
		out.Parts = append(out.Parts, part)
		out.Covariance = append(out.Covariance, covariance.a[i*covariance.k:i*covariance.k+last])
	}
	if s.clustered {
		for arm, name := range [2]string{"second", "first"} {
			n := 0
			for _, of := range side {
				n += oneIf(of == arm || of == 2)
			}
			if n < fewTreated {
				out.Warnings = append(out.Warnings, fmt.Sprintf("%d clusters in the %s cohort are few: intervals by cluster "+
					"cannot be relied on, however many the other has", n, name))
			}
		}
	}
	return out, nil
}

// sidesFreedom is Satterthwaite's number of degrees of freedom of a sum, from what clusters of the group, of
// the rest and of both add to its variance: the smaller side decides.
func sidesFreedom(moved [][]float64, side []int, weights []float64) float64 {
	variance, number := make([]float64, 3), make([]float64, 3)
	for i, m := range moved {
		d := dot(weights, m)
		variance[side[i]] += d * d
		number[side[i]]++
	}
	return satterthwaite(variance, number)
}

// satterthwaite is the number of degrees of freedom of a variance that is the sum of independent parts, each
// of so many squares around a mean; +Inf for a variance of 0.
func satterthwaite(parts, number []float64) float64 {
	var total, squares float64
	for k, v := range parts {
		if v > 0 {
			total += v
			squares += v * v / math.Max(1, number[k]-1)
		}
	}
	if squares == 0 {
		return math.Inf(1)
	}
	return total * total / squares
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

// covariance is that of the parts. Clustered, moved is what each cluster adds to them, and side whom it has:
// the group (1), the rest (0) or both (2).
func (s *gelbachSums) covariance() (v symmetric, moved [][]float64, side []int) {
	parts, r := len(s.slopes), s.r
	v = newSymmetric(parts)
	slope, shift := make([][]float64, len(r.rows)), make([][]float64, len(r.rows))
	fitted := make([]float64, len(r.rows))
	for i := range r.rows {
		row := &r.rows[i]
		fitted[i] = dot(row.X, r.coef)
		arm, sign := armOf(row.X[s.term] == 1), 1.0
		if arm == 0 {
			sign = -1
		}
		slope[i], shift[i] = make([]float64, parts), make([]float64, parts)
		for p := range parts {
			slope[i][p] = dot(row.X, s.slopes[p])
			for _, j := range s.columns[p] {
				shift[i][p] += sign * (row.X[j] - s.means[arm][j]) * r.coef[j] / s.n[arm]
			}
		}
	}
	if !s.clustered {
		typical := meanSquare(r.rows)
		for i, row := range r.rows {
			residual := row.Sum - row.N*fitted[i]
			v.addOuter(slope[i], squares(row, fitted[i], typical))
			v.addOuter(shift[i], row.N)
			for p := range parts {
				for q := p; q < parts; q++ {
					v.a[p*parts+q] += residual * (slope[i][p]*shift[i][q] + slope[i][q]*shift[i][p])
				}
			}
		}
		v.fill()
		v.scale(r.Observations / (r.Observations - 1))
		return v, nil, nil
	}
	r.sortMembers()
	list := r.members
	for at, part := range list {
		arm := armOf(r.rows[part.row].X[s.term] == 1)
		if at == 0 || part.cluster != list[at-1].cluster {
			moved, side = append(moved, make([]float64, parts)), append(side, arm)
		}
		last := len(moved) - 1
		if side[last] != arm {
			side[last] = 2
		}
		for p := range parts {
			moved[last][p] += (part.y-part.n*fitted[part.row])*slope[part.row][p] + part.n*shift[part.row][p]
		}
	}
	for _, m := range moved {
		v.addOuter(m, 1)
	}
	v.fill()
	g := float64(len(moved))
	v.scale(g / (g - 1))
	return v, moved, side
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
