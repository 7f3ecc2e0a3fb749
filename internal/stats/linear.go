package stats

import "math"

// symmetric is a k × k symmetric matrix, all k² entries stored.
type symmetric struct {
	k int
	a []float64
}

func newSymmetric(k int) symmetric { return symmetric{k, make([]float64, k*k)} }

func (m symmetric) at(i, j int) float64 { return m.a[i*m.k+j] }

// addOuter adds w·x·x' to the upper triangle.
func (m symmetric) addOuter(x []float64, w float64) {
	var columns [32]int // of x that are not 0, few of many categories' dummies
	nonzero := columns[:0]
	for j, v := range x {
		if v != 0 {
			nonzero = append(nonzero, j)
		}
	}
	for at, i := range nonzero {
		wx := w * x[i]
		row := m.a[i*m.k : (i+1)*m.k]
		for _, j := range nonzero[at:] {
			row[j] += wx * x[j]
		}
	}
}

// fill copies the upper triangle to the lower.
func (m symmetric) fill() {
	for i := range m.k {
		for j := i + 1; j < m.k; j++ {
			m.a[j*m.k+i] = m.a[i*m.k+j]
		}
	}
}

func (m symmetric) times(x []float64) []float64 {
	y := make([]float64, m.k)
	for i := range y {
		y[i] = dot(m.a[i*m.k:(i+1)*m.k], x)
	}
	return y
}

// form is x'Mx.
func (m symmetric) form(x []float64) float64 { return dot(x, m.times(x)) }

// clearRounding sets to 0 what is rounding beside the largest of the terms that it is the sum of.
func clearRounding(sums [][]float64, size []float64) {
	const share = 1e-12
	for _, s := range sums {
		for j := range s {
			if math.Abs(s[j]) <= share*size[j] {
				s[j] = 0
			}
		}
	}
}

// variance is x'Mx for a covariance matrix M, 0 if it is rounding.
func (m symmetric) variance(x []float64) float64 {
	var value, size float64
	for i, xi := range x {
		for j, xj := range x {
			v := xi * xj * m.at(i, j)
			value += v
			size += math.Abs(v)
		}
	}
	return leftOf(value, size)
}

// sandwich is m·meat·m.
func (m symmetric) sandwich(meat symmetric) symmetric {
	half := make([]float64, m.k*m.k)
	multiply(half, m.a, meat.a, m.k)
	out := newSymmetric(m.k)
	multiply(out.a, half, m.a, m.k)
	return out
}

func multiply(out, a, b []float64, k int) {
	for i := range k {
		for l := range k {
			v := a[i*k+l]
			if v == 0 {
				continue
			}
			for j := range k {
				out[i*k+j] += v * b[l*k+j]
			}
		}
	}
}

func (m symmetric) scale(f float64) {
	for i := range m.a {
		m.a[i] *= f
	}
}

func dot(a, b []float64) float64 {
	var s float64
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// collinear is the share of a column's sum of squares that must be left after the columns before
// it, else the column is omitted. It is far above rounding (1e-15) and far below real data.
const collinear = 1e-12

// inverse inverts the positive semidefinite m. Columns that are linear in those before them are
// omitted: their rows and columns in the inverse are 0. fixed columns are omitted from the start.
func (m symmetric) inverse(fixed []bool) (inv symmetric, omitted []bool) {
	k := m.k
	li, omitted := m.inverseRoot(fixed)
	inv = newSymmetric(k)
	for p := range k {
		if omitted[p] {
			continue
		}
		for i := 0; i <= p; i++ {
			v := li[p*k+i]
			if v == 0 {
				continue
			}
			for j := i; j <= p; j++ {
				inv.a[i*k+j] += v * li[p*k+j]
			}
		}
	}
	inv.fill()
	return inv, omitted
}

// inverseRoot is the lower triangular R with R'R the inverse of m and RmR' the identity, as far as
// columns are not omitted (see inverse); k × k, by row.
func (m symmetric) inverseRoot(fixed []bool) (li []float64, omitted []bool) {
	k := m.k
	l := make([]float64, k*k) // lower triangle of the Cholesky factor
	omitted = make([]bool, k)
	for j := range k {
		omitted[j] = fixed != nil && fixed[j]
		if omitted[j] {
			continue
		}
		rest := m.a[j*k+j]
		for p := range j {
			rest -= l[j*k+p] * l[j*k+p]
		}
		if !(rest > collinear*m.a[j*k+j]) {
			omitted[j] = true
			for p := range j {
				l[j*k+p] = 0
			}
			continue
		}
		pivot := math.Sqrt(rest)
		l[j*k+j] = pivot
		for i := j + 1; i < k; i++ {
			v := m.a[i*k+j]
			for p := range j {
				v -= l[i*k+p] * l[j*k+p]
			}
			l[i*k+j] = v / pivot
		}
	}
	li = make([]float64, k*k)
	for j := range k {
		if omitted[j] {
			continue
		}
		li[j*k+j] = 1 / l[j*k+j]
		for i := j + 1; i < k; i++ {
			if omitted[i] {
				continue
			}
			var v float64
			for p := j; p < i; p++ {
				v -= l[i*k+p] * li[p*k+j]
			}
			li[i*k+j] = v / l[i*k+i]
		}
	}
	return li, omitted
}
