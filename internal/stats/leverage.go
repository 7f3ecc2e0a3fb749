package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/kvarter/kvarter/internal/fault"
)

// A member is what one cluster has of a row of a regression.
type member struct {
	row, cluster int32 // cluster counts from 0
	n, y         float64
}

// scores are Σ x(y - μ) of each cluster.
func (r *Regression) scores() [][]float64 {
	k := len(r.coef)
	sums := make([][]float64, r.Clusters)
	backing := make([]float64, r.Clusters*k)
	for g := range sums {
		sums[g] = backing[g*k : (g+1)*k]
	}
	mean, _ := r.means()
	size := make([]float64, k)
	for _, c := range r.members {
		mu := mean[c.row]
		residual, largest := c.y-c.n*mu, math.Max(math.Abs(c.y), c.n*math.Abs(mu))
		for j, v := range r.rows[c.row].X {
			if v != 0 {
				sums[c.cluster][j] += residual * v
				size[j] = math.Max(size[j], math.Abs(v)*largest)
			}
		}
	}
	clearRounding(sums, size)
	return sums
}

// means are the fitted means of rows, and the derivatives by their linear predictors.
func (r *Regression) means() (mean, weight []float64) {
	mean, weight = make([]float64, len(r.rows)), make([]float64, len(r.rows))
	for i := range r.rows {
		mean[i], weight[i] = dot(r.rows[i].X, r.coef), 1
		if r.Model == Logit {
			mean[i] = logistic(mean[i])
			weight[i] = mean[i] * (1 - mean[i])
		}
	}
	return mean, weight
}

// informationTimes is the information of each cluster, X'WX, times a.
func (r *Regression) informationTimes(a []float64) [][]float64 {
	_, weight := r.means()
	out := make([][]float64, r.Clusters)
	for g := range out {
		out[g] = make([]float64, len(a))
	}
	along := make([]float64, len(r.rows))
	for i := range r.rows {
		along[i] = weight[i] * dot(r.rows[i].X, a)
	}
	for _, c := range r.members {
		v := c.n * along[c.row]
		for j, x := range r.rows[c.row].X {
			out[c.cluster][j] += v * x
		}
	}
	return out
}

// leverage is what a cluster has of all information, whitened: M = Σ n zz' over its members, z the root of
// the inverse of all information times x. I - H of its observations has, beside ones, the eigenvalues 1 less
// those of M.
type leverage struct {
	trace   float64
	members []member
	values  []float64 // eigenvalues; nil where M is so small that series are exact
	vectors []float64 // by row: vectors[i*k+j] is component i of vector j
}

// smallLeverage is the trace of M below which a few powers of M are exact.
const smallLeverage = 0.01

// fixes is how near to 1 the leverage of a cluster is where it alone decides a direction.
const fixes = 1 - 1e-9

// crFactor is what the residuals of a cluster are multiplied by where its leverage is h: (1-h)^power, the
// root of the Moore-Penrose inverse of what is left where it decides a direction alone. The power is 0 in
// CR0, -1/2 in CR2, -1 in CR3.
func crFactor(h, power float64) float64 {
	switch {
	case power == 0:
		return 1
	case h >= fixes:
		return 0
	case power == -0.5:
		return 1 / math.Sqrt(1-h)
	}
	return math.Pow(1-h, power)
}

// A clusterFit is what the covariance of linear coefficients robust to clusters is made of.
type clusterFit struct {
	k         int
	root      []float64   // inverse root of the information
	white     [][]float64 // by row: root times its covariates
	leverages []leverage
}

// newClusterFit takes one eigenvalue decomposition of k × k per cluster, whatever the number of its
// observations (Pustejovsky, Tipton 2018, and the identity H = X root' root X'), and none for clusters as small as
// families.
func (r *Regression) newClusterFit(information symmetric) (*clusterFit, error) {
	k := len(r.coef)
	f := &clusterFit{k: k, white: make([][]float64, len(r.rows)), leverages: make([]leverage, r.Clusters)}
	f.root, _ = information.inverseRoot(r.omitted)
	square := make([]float64, len(r.rows))
	for i := range r.rows {
		f.white[i] = f.whiten(r.rows[i].X)
		square[i] = dot(f.white[i], f.white[i])
	}
	r.sortMembers()
	own, m := r.members, newSymmetric(k)
	var eigen mat.EigenSym
	var vectors mat.Dense
	for g := range f.leverages {
		l, end := &f.leverages[g], 0
		for ; end < len(own) && int(own[end].cluster) == g; end++ {
			l.trace += own[end].n * square[own[end].row]
		}
		l.members, own = own[:end], own[end:]
		if l.trace <= smallLeverage {
			continue
		}
		clear(m.a)
		for _, c := range l.members {
			m.addOuter(f.white[c.row], c.n)
		}
		m.fill()
		if !eigen.Factorize(mat.NewSymDense(k, m.a), true) {
			return nil, fault.Invalidf("the information of a cluster has no eigenvalues in floating point: the covariates are " +
				"too far apart in size")
		}
		eigen.VectorsTo(&vectors)
		l.values, l.vectors = eigen.Values(nil), slices.Clone(vectors.RawMatrix().Data)
	}
	return f, nil
}

// sortMembers sorts members by cluster.
func (r *Regression) sortMembers() {
	starts := make([]int, r.Clusters+1)
	for _, m := range r.members {
		starts[m.cluster+1]++
	}
	for g := range r.Clusters {
		starts[g+1] += starts[g]
	}
	sorted := make([]member, len(r.members))
	for _, m := range r.members {
		sorted[starts[m.cluster]] = m
		starts[m.cluster]++
	}
	r.members = sorted
}

// whiten is root·x.
func (f *clusterFit) whiten(x []float64) []float64 {
	out := make([]float64, f.k)
	for i := range out {
		out[i] = dot(f.root[i*f.k:i*f.k+i+1], x[:i+1])
	}
	return out
}

// times is M·x of a small cluster.
func (f *clusterFit) times(l *leverage, x []float64) []float64 {
	out := make([]float64, f.k)
	for _, c := range l.members {
		z := f.white[c.row]
		v := c.n * dot(z, x)
		for i := range out {
			out[i] += v * z[i]
		}
	}
	return out
}

// adjust is (I - M)^power x.
func (f *clusterFit) adjust(l *leverage, x []float64, power float64) []float64 {
	if l.values == nil {
		out := slices.Clone(x)
		term := x
		for j, coefficient, size := 1.0, 1.0, 1.0; size > 1e-15 && power != 0; j++ {
			term = f.times(l, term)
			coefficient *= (j - 1 - power) / j
			size *= l.trace
			for i, v := range term {
				out[i] += coefficient * v
			}
		}
		return out
	}
	out := make([]float64, f.k)
	for j, h := range l.values {
		part := l.component(j, x) * crFactor(h, power)
		for i := range out {
			out[i] += l.vectors[i*f.k+j] * part
		}
	}
	return out
}

// component of x along eigenvector j.
func (l *leverage) component(j int, x []float64) (part float64) {
	k := len(x)
	for i, v := range x {
		part += l.vectors[i*k+j] * v
	}
	return part
}

// covariance is that of CR0, CR2 or CR3 by power, see crFactor:
//
//	V = B Σ_g X_g' A_g u_g u_g' A_g X_g B,  A_g = (I - H_gg)^power,
//
// with the symmetric root taken of persons, of whom a row holds N alike, not of rows.
func (f *clusterFit) covariance(scores [][]float64, power float64) symmetric {
	k := f.k
	meat := newSymmetric(k)
	for g, score := range scores {
		meat.addOuter(f.adjust(&f.leverages[g], f.whiten(score), power), 1)
	}
	meat.fill()
	half := make([]float64, k*k)
	multiply(half, meat.a, f.root, k)
	out := newSymmetric(k)
	for p := range k {
		for i := range p + 1 { // root is lower triangular
			v := f.root[p*k+i]
			for j := range k {
				out.a[i*k+j] += v * half[p*k+j]
			}
		}
	}
	return out
}

// freedom is Satterthwaite's number of degrees of freedom of the CR2 variance of a combination of
// coefficients, as if observations were independent of equal variance: (Σp)²/Σp² with p the eigenvalues of
// the G × G matrix that is made of a diagonal less one of rank k. It is 0 if a cluster alone decides the
// combination: its residuals are 0 whatever the truth, so that a variance would hold the noise of others.
func (f *clusterFit) freedom(combination []float64) float64 {
	k := f.k
	c := f.whiten(combination)
	length := math.Sqrt(dot(c, c))
	products := newSymmetric(k)
	var trace, squares, across float64
	d := make([]float64, k)
	for g := range f.leverages {
		l := &f.leverages[g]
		var own float64 // c' M (I-M)⁻¹ c; d is M (I-M)^(-1/2) c
		clear(d)
		if l.values == nil {
			power, coefficient := c, 1.0 // M^j c, and that of (I-M)^(-1/2)
			for j, size := 1.0, 1.0; size > 1e-12; j++ {
				power = f.times(l, power)
				own += dot(c, power)
				for i, v := range power {
					d[i] += coefficient * v
				}
				coefficient *= (j - 0.5) / j
				size *= l.trace
			}
		} else {
			for j, h := range l.values {
				part := l.component(j, c)
				if h >= fixes {
					if math.Abs(part) > 1e-6*length {
						return 0
					}
					continue
				}
				h = math.Max(h, 0)
				own += h / (1 - h) * part * part
				scaled := h / math.Sqrt(1-h) * part
				for i := range d {
					d[i] += l.vectors[i*k+j] * scaled
				}
			}
		}
		dd := dot(d, d)
		trace += own - dd
		squares += own * own
		across += own * dd
		products.addOuter(d, 1)
	}
	products.fill()
	return trace * trace / (squares - 2*across + dot(products.a, products.a))
}
