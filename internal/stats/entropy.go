package stats

import (
	"math"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// byEntropy estimates the effect on the treated with the weights of entropy balancing. They minimise Σ w log w
// subject to the means of the treated, and are of the form exp(-λ'x): λ minimises the convex
//
//	log Σ exp(-λ'(x - x̄1)) over the controls,
//
// by Newton's method. The same weights make a regression of the outcome with x unnecessary, so that the error
// of the mean is that of its residuals, weighted, and of what it predicts for the treated (Zhao, Percival
// 2017, J. Causal Inference 5).
//
// Means that no weights of the controls have are an error that names the terms. Where all of the treated
// share the lowest or highest value of a term, controls with another can only have no weight: they are
// left out and counted as unmatched.
func (s *treatmentSample) byEntropy(out *TreatmentEffect) error {
	columns := s.columns(s.opts.PropensityTerms)
	if err := s.leaveOutBeyond(columns[1:], out); err != nil {
		return err
	}
	b := newBalancing(s, columns[1:])
	if err := b.solve(s.opts.Stop); err != nil {
		return err
	}
	n1 := s.arms[1].N
	s.weights = make([]float64, len(s.rows))
	for i := range s.rows {
		s.weights[i] = 1
		if !s.rows[i].Treated {
			s.weights[i] = b.shares[i] * n1 / s.rows[i].N
		}
	}
	// the regression among the controls, with the weights
	information, right := newSymmetric(len(columns)), make([]float64, len(columns))
	x := make([][]float64, len(s.rows))
	for i := range s.rows {
		p := &s.rows[i]
		x[i] = make([]float64, len(columns))
		x[i][0] = 1
		copy(x[i][1:], b.x[i])
		if p.Treated {
			continue
		}
		information.addOuter(x[i], s.weights[i]*p.N)
		for j, v := range x[i] {
			right[j] += s.weights[i] * p.Sum * v
		}
	}
	information.fill()
	inverse, _ := information.inverse(nil)
	coef := inverse.times(right)
	with, without := s.arms[1].Mean(), 0.0
	for i := range s.rows {
		if !s.rows[i].Treated {
			without += s.weights[i] * s.rows[i].Sum / n1
		}
	}
	onWith, onWithout := make([]affine, len(s.rows)), make([]affine, len(s.rows))
	for i := range s.rows {
		predicted := dot(x[i], coef)
		if s.rows[i].Treated {
			onWith[i] = affine{-with / n1, 1 / n1}
			onWithout[i].constant = (predicted - without) / n1
		} else {
			onWithout[i] = affine{-s.weights[i] * predicted / n1, s.weights[i] / n1}
		}
	}
	s.finish(out, with, without, s.variance(onWith, onWith), s.variance(onWithout, onWithout),
		s.variance(onWithout, onWith))
	return nil
}

// leaveOutBeyond drops controls that have a value of a term which lies beyond that of every treated, where all
// the treated have the same at the end of the controls' range, until there are none. A mean of the treated
// outside the controls' range is an error.
func (s *treatmentSample) leaveOutBeyond(columns []int, out *TreatmentEffect) error {
	var dropped float64
	for again := true; again; {
		again = false
		for _, j := range columns {
			low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
			var mean float64
			for i := range s.rows {
				arm, v := armOf(s.rows[i].Treated), s.rows[i].X[j]
				low[arm], high[arm] = math.Min(low[arm], v), math.Max(high[arm], v)
				if arm == 1 {
					mean += v * s.rows[i].N / s.arms[1].N
				}
			}
			name := s.design.Terms[j].Name
			if low[1] == high[1] {
				mean = low[1]
			}
			if mean < low[0] || mean > high[0] {
				return fault.Invalidf("no weights make the controls like the treated: their mean of %s is %.4g, and controls have "+
					"%.4g to %.4g; leave the term out, or those treated who have no counterpart", name, mean, low[0], high[0])
			}
			if low[0] == high[0] || mean > low[0] && mean < high[0] {
				continue
			}
			if low[1] != high[1] {
				return fault.Invalidf("no weights make the controls like the treated in %s: its mean of %.4g among the treated is "+
					"the end of what controls have; leave the term out", name, mean)
			}
			marked := make([]bool, len(s.rows))
			for i := range s.rows {
				marked[i] = !s.rows[i].Treated && s.rows[i].X[j] != mean
			}
			var none float64
			s.drop(marked, &none, &dropped)
			again = true
		}
	}
	if dropped > 0 {
		out.UnmatchedControls += dropped
		out.Warnings = append(out.Warnings,
			formatCount(dropped)+" controls have covariates that no treated has; they are left out")
	}
	return nil
}

// balancing is the dual problem, in columns that are centred at the means of the treated and scaled.
type balancing struct {
	names  []string
	x      [][]float64 // by row: (x - x̄1)/scale
	rows   []TreatmentRow
	lambda []float64
	scale  []float64
	shares []float64 // by row: of all weight; 0 for the treated
}

func newBalancing(s *treatmentSample, columns []int) *balancing {
	b := &balancing{rows: s.rows, lambda: make([]float64, len(columns)), scale: make([]float64, len(columns)),
		shares: make([]float64, len(s.rows))}
	means := make([]float64, len(columns))
	for at, j := range columns {
		b.names = append(b.names, s.design.Terms[j].Name)
		var squares float64
		for i := range s.rows {
			if s.rows[i].Treated {
				means[at] += s.rows[i].X[j] * s.rows[i].N / s.arms[1].N
			}
		}
		for i := range s.rows {
			if !s.rows[i].Treated {
				d := s.rows[i].X[j] - means[at]
				squares += d * d * s.rows[i].N / s.arms[0].N
			}
		}
		if b.scale[at] = math.Sqrt(squares); squares == 0 {
			b.scale[at] = 1
		}
	}
	for i := range s.rows {
		x := make([]float64, len(columns))
		for at, j := range columns {
			x[at] = (s.rows[i].X[j] - means[at]) / b.scale[at]
		}
		b.x = append(b.x, x)
	}
	return b
}

// value is the dual at λ; it leaves the shares there.
func (b *balancing) value(lambda []float64) float64 {
	highest, sum := math.Inf(-1), 0.0
	for i := range b.rows {
		if !b.rows[i].Treated {
			b.shares[i] = math.Log(b.rows[i].N) - dot(lambda, b.x[i])
			highest = math.Max(highest, b.shares[i])
		}
	}
	for i := range b.rows {
		if !b.rows[i].Treated {
			b.shares[i] = math.Exp(b.shares[i] - highest)
			sum += b.shares[i]
		}
	}
	for i := range b.shares {
		b.shares[i] /= sum
	}
	return highest + math.Log(sum)
}

// balanced is how far, in standard deviations of the controls, a mean may be from that of the treated.
const balanced = 1e-10

func (b *balancing) solve(stop Stop) error {
	k := len(b.lambda)
	trial := make([]float64, k)
	var left []float64
	for range 200 {
		if err := stop.why(); err != nil {
			return err
		}
		at := b.value(b.lambda)
		left = make([]float64, k)
		hessian := newSymmetric(k)
		for i, share := range b.shares {
			if share > 0 {
				hessian.addOuter(b.x[i], share)
				for j, v := range b.x[i] {
					left[j] += share * v
				}
			}
		}
		if largestOf(left) <= balanced {
			return nil
		}
		hessian.addOuter(left, -1)
		hessian.fill()
		inverse, _ := hessian.inverse(nil)
		step := inverse.times(left)
		gain := dot(left, step)
		if !(gain > 0) {
			break
		}
		length := 1.0
		for ; length > 1e-10; length /= 2 {
			for j := range trial {
				trial[j] = b.lambda[j] + length*step[j]
			}
			if b.value(trial) <= at-1e-4*length*gain+1e-14*math.Abs(at) {
				break
			}
		}
		copy(b.lambda, trial)
		if largestOf(b.lambda) > 1e3 {
			break // without end
		}
	}
	b.value(b.lambda)
	if largestOf(left) <= 1e-7 {
		return nil
	}
	var names []string
	for j, d := range left {
		if math.Abs(d) > .1*largestOf(left) {
			names = append(names, b.names[j])
		}
	}
	slices.Sort(names)
	return fault.Invalidf("no weights make the controls like the treated in %s together: there are no controls like "+
		"some of them; leave a term out, or match within coarser groups", strings.Join(names, ", "))
}
