package stats

import (
	"math"
	"math/bits"

	"github.com/kvarter/kvarter/internal/fault"
)

// maxFactors bounds the factors of a decomposition: each doubles the work.
const maxFactors = 16

// FactorEffect is what one factor does to the difference between two populations.
type FactorEffect struct {
	A, B   float64 // standardised for all other factors
	Effect float64 // A - B
}

// Shapley decomposes value(A) - value(B) over k factors (Das Gupta 1993, Census P23-186, eq. 3.54;
// the same as Shapley 1953). value is asked for the quantity with the factors marked true taken from
// A and the others from B. The effect of a factor averages, over all sets S of other factors,
// what taking it from A changes, with weights 1/(K·C(K-1,|S|)); effects sum to the difference.
func Shapley(k int, value func(fromA []bool) float64) ([]FactorEffect, error) {
	if k < 1 || k > maxFactors {
		return nil, fault.Invalidf("%d factors; 1 to %d can be decomposed", k, maxFactors)
	}
	values := make([]float64, 1<<k)
	from := make([]bool, k)
	for set := range values {
		for f := range from {
			from[f] = set>>f&1 == 1
		}
		values[set] = value(from)
	}
	weight := shapleyWeights(k)
	effects := make([]FactorEffect, k)
	for f := range effects {
		e := &effects[f]
		for set := range values {
			if set>>f&1 == 1 {
				continue
			}
			w := weight[bits.OnesCount(uint(set))]
			e.A += w * values[set|1<<f]
			e.B += w * values[set]
		}
		e.Effect = e.A - e.B
	}
	return effects, nil
}

// shapleyWeights is 1/(K·C(K-1, s)) by the size s of the set.
func shapleyWeights(k int) []float64 {
	w := make([]float64, k)
	choose := 1.0
	for s := range w {
		w[s] = 1 / (float64(k) * choose)
		choose = choose * float64(k-1-s) / float64(s+1)
	}
	return w
}

// DasGupta decomposes the difference between two rates that are sums over strata of products of
// factors, R = Σ_i Π_k f[k][i] (Das Gupta 1993, chs. 2-4). a[k][i] is factor k in stratum i of the
// first population; one stratum makes it a product of scalars.
func DasGupta(a, b [][]float64) ([]FactorEffect, error) {
	if err := checkFactors(a, b); err != nil {
		return nil, err
	}
	return Shapley(len(a), func(fromA []bool) float64 {
		var rate float64
		for i := range a[0] {
			product := 1.0
			for k, from := range fromA {
				if from {
					product *= a[k][i]
				} else {
					product *= b[k][i]
				}
			}
			rate += product
		}
		return rate
	})
}

func checkFactors(populations ...[][]float64) error {
	first := populations[0]
	if len(first) == 0 || len(first[0]) == 0 {
		return fault.Invalidf("a decomposition needs at least one factor and one stratum")
	}
	for p, population := range populations {
		if len(population) != len(first) {
			return fault.Invalidf("population %d has %d factors, the first has %d", p+1, len(population), len(first))
		}
		for k, factor := range population {
			if len(factor) != len(first[0]) {
				return fault.Invalidf("factor %d of population %d has %d strata, the first has %d", k+1, p+1, len(factor),
					len(first[0]))
			}
			for i, v := range factor {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fault.Invalidf("factor %d of population %d is %g in stratum %d", k+1, p+1, v, i+1)
				}
			}
		}
	}
	return nil
}

// DasGuptaPopulations compares several populations or years at once. It returns the standardised
// rate of each population (first index) under each factor (second): the difference between any two
// populations is the effect of that factor, effects over a chain of populations add up, and over
// factors they sum to the difference of the rates (Das Gupta 1993, ch. 6, eqs. 6.5 and 6.11).
//
// Pairwise effects d(p,q) do not add up over three populations; the standardised rate is
// mean over all ordered pairs of the pairwise standardised rates + Σ_q d(p,q)/N, which is the
// closest set of rates whose differences do.
func DasGuptaPopulations(populations [][][]float64) ([][]float64, error) {
	if len(populations) < 2 {
		return nil, fault.Invalidf("%d population; at least two can be compared", len(populations))
	}
	if err := checkFactors(populations...); err != nil {
		return nil, err
	}
	return reconcile(len(populations), len(populations[0]), func(p, q int) ([]FactorEffect, error) {
		return DasGupta(populations[p], populations[q])
	})
}

// reconcile turns pairwise effects into standardised rates whose differences add up.
func reconcile(populations, factors int, pair func(p, q int) ([]FactorEffect, error)) ([][]float64, error) {
	n := float64(populations)
	out := make([][]float64, populations)
	for p := range out {
		out[p] = make([]float64, factors)
	}
	level := make([]float64, factors)
	for p := range populations {
		for q := p + 1; q < populations; q++ {
			effects, err := pair(p, q)
			if err != nil {
				return nil, err
			}
			for k, e := range effects {
				level[k] += (e.A + e.B) / (n * (n - 1))
				out[p][k] += e.Effect / n
				out[q][k] -= e.Effect / n
			}
		}
	}
	for p := range out {
		for k := range level {
			out[p][k] += level[k]
		}
	}
	return out, nil
}

// PopulationRates are one population's crude rate and its rates standardised among several.
type PopulationRates struct {
	Crude       float64
	Composition float64 // differs between populations by composition alone
	Rate        float64 // differs between populations by rates alone
}

// KitagawaPopulations splits the differences among several populations, or years of one, into
// composition and rate so that they add up between any two (Das Gupta 1993, eq. 6.11). The crude
// difference of two populations is the sum of their differences in Composition and in Rate. Every
// population must have the same cells: one that some population lacks is an error that names
// it, since common support would differ from pair to pair.
func KitagawaPopulations(populations [][]Cell, dimensions []Dimension) ([]PopulationRates, error) {
	if len(populations) < 2 {
		return nil, fault.Invalidf("%d population; at least two can be compared", len(populations))
	}
	const level = 0.95 // of intervals that are not read
	rates, err := reconcile(len(populations), 2, func(p, q int) ([]FactorEffect, error) {
		d, err := Kitagawa(populations[p], populations[q], KitagawaOptions{Level: level, Dimensions: dimensions,
			TotalsOnly: true})
		if err != nil {
			return nil, err
		}
		if d.SupportA.Value < 1 || d.SupportB.Value < 1 {
			for _, s := range d.Strata() {
				if !s.InSupport {
					return nil, fault.Invalidf("%s occurs in one of populations %d and %d only: several populations can be compared "+
						"on cells that all of them have", keyName(dimensions, s.Key), p+1, q+1)
				}
			}
		}
		return []FactorEffect{
			{A: d.OwnCompositionA, B: d.OwnCompositionB, Effect: d.Composition.Value},
			{A: d.OwnRatesA, B: d.OwnRatesB, Effect: d.Rate.Value},
		}, nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]PopulationRates, len(populations))
	for p := range out {
		out[p] = PopulationRates{Crude: Total(populations[p]).Mean(), Composition: rates[p][0], Rate: rates[p][1]}
	}
	return out, nil
}
