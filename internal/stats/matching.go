package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/kvarter/kvarter/internal/fault"
)

// byStrata compares within strata: cells of equal covariates, or subclasses of the propensity.
// With t the observations of a stratum whose effect is asked for, T their number in all, the
// effect is Σ t/T (m1 - m0) and its variance Σ (t/T)² (s1²/n1 + s0²/n0). A single observation has
// no s²; it gets the mean s² within the strata of its arm.
func (s *treatmentSample) byStrata(out *TreatmentEffect) error {
	var stratum []int
	var count int
	if s.opts.Method == ExactMatching {
		stratum, count = s.cells()
	} else {
		stratum, count = s.subclasses()
	}
	sums := make([][2]Cell, count)
	bounds := make([][2]float64, count)
	for i, k := range stratum {
		c := &sums[k][armOf(s.rows[i].Treated)]
		p := &s.rows[i]
		c.N, c.Sum, c.SumSq = c.N+p.N, c.Sum+p.Sum, c.SumSq+p.SumSq
		if s.opts.Method == Subclassification {
			e := s.propensity.e[i]
			if bounds[k] == [2]float64{} {
				bounds[k] = [2]float64{e, e}
			}
			bounds[k] = [2]float64{math.Min(bounds[k][0], e), math.Max(bounds[k][1], e)}
		}
	}
	target := func(k int) float64 {
		if s.opts.Estimand == OnAll {
			return sums[k][0].N + sums[k][1].N
		}
		return sums[k][1].N
	}
	matched := func(k int) bool { return sums[k][0].N > 0 && sums[k][1].N > 0 }
	var total, unmatchedTreated, unmatchedControls float64
	var within, freedom [2]float64
	for k := range sums {
		if s.opts.Method == Subclassification {
			out.Strata = append(out.Strata, EffectStratum{
				From: bounds[k][0], To: bounds[k][1], Treated: sums[k][1].N, Controls: sums[k][0].N,
				Effect: sums[k][1].Mean() - sums[k][0].Mean(),
			})
		}
		if !matched(k) {
			unmatchedTreated += sums[k][1].N
			unmatchedControls += sums[k][0].N
			continue
		}
		total += target(k)
		for arm, c := range sums[k] {
			if c.N > 1 {
				within[arm] += c.squaredDeviations()
				freedom[arm] += c.N - 1
			}
		}
	}
	if total == 0 {
		return fault.Invalidf("no treated observation has a control with the same covariates; coarser covariates, or " +
			"weighting by the propensity, would help")
	}
	s.countUnmatched(out, unmatchedTreated, unmatchedControls)
	s.weights = make([]float64, len(s.rows))
	for i, k := range stratum {
		if matched(k) {
			s.weights[i] = target(k) / sums[k][armOf(s.rows[i].Treated)].N
		}
	}
	var mean, variance [2]float64
	unknown := false
	for k := range sums {
		if !matched(k) {
			continue
		}
		share := target(k) / total
		for arm, c := range sums[k] {
			mean[arm] += share * c.Mean()
			s2 := within[arm] / freedom[arm]
			if c.N > 1 {
				s2 = c.squaredDeviations() / (c.N - 1)
			}
			unknown = unknown || math.IsNaN(s2)
			variance[arm] += share * share * s2 / c.N
		}
	}
	if unknown {
		out.Warnings = append(out.Warnings, "all strata of an arm hold one observation: the standard error cannot be told")
	}
	covariance := 0.0
	if s.opts.Clustered {
		var influence [2][]affine
		for arm := range influence {
			influence[arm] = make([]affine, len(s.rows))
		}
		for i, k := range stratum {
			arm := armOf(s.rows[i].Treated)
			w := s.weights[i] / total
			influence[arm][i] = affine{-w * sums[k][arm].Mean(), w}
			if w == 0 {
				influence[arm][i] = affine{}
			}
		}
		variance[1], variance[0] = s.variance(influence[1], influence[1]), s.variance(influence[0], influence[0])
		covariance = s.variance(influence[1], influence[0])
	}
	s.finish(out, mean[1], mean[0], variance[1], variance[0], covariance)
	out.Effect.Denominator, out.WithTreatment.Denominator, out.Without.Denominator = total, total, total
	return nil
}

func (s *treatmentSample) countUnmatched(out *TreatmentEffect, treated, controls float64) {
	out.UnmatchedTreated += treated
	out.UnmatchedControls += controls
	if treated > 0 || controls > 0 && s.opts.Estimand == OnAll {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s treated and %s controls find no match and are left out; the effect is that on the matched",
				formatCount(treated), formatCount(controls)))
	}
}

// cells numbers the rows by their covariates.
func (s *treatmentSample) cells() (stratum []int, count int) {
	columns := s.columns(s.opts.PropensityTerms)
	compare := func(i, j int) int {
		for _, c := range columns {
			if d := cmp.Compare(s.rows[i].X[c], s.rows[j].X[c]); d != 0 {
				return d
			}
		}
		return 0
	}
	order := make([]int, len(s.rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, compare)
	stratum = make([]int, len(s.rows))
	for at, i := range order {
		if at > 0 && compare(order[at-1], i) != 0 {
			count++
		}
		stratum[i] = count
	}
	return stratum, count + 1
}

// subclasses cuts the propensity at quantiles (type 7: linear between order statistics) of the
// treated, for the ATE of all. Strata include their lower cut; values beyond the outer cuts belong
// to the outer strata.
func (s *treatmentSample) subclasses() (stratum []int, count int) {
	// Propensities of like observations differ in their last digits only; a cut must not part them.
	const same = 1e-9

	type mass struct{ e, n float64 }
	var values []mass
	var total float64
	for i := range s.rows {
		if s.target(i) > 0 {
			values = append(values, mass{s.propensity.e[i], s.rows[i].N})
			total += s.rows[i].N
		}
	}
	slices.SortFunc(values, func(a, b mass) int { return cmp.Compare(a.e, b.e) })
	orderStatistic := func(rank float64) float64 { // from 0
		var below float64
		for _, v := range values {
			below += v.n
			if rank < below-same*total {
				return v.e
			}
		}
		return values[len(values)-1].e
	}
	cuts := make([]float64, s.opts.Subclasses-1)
	for k := range cuts {
		h := (total - 1) * float64(k+1) / float64(s.opts.Subclasses)
		low := orderStatistic(math.Floor(h))
		cuts[k] = low + (h-math.Floor(h))*(orderStatistic(math.Floor(h)+1)-low)
	}
	stratum = make([]int, len(s.rows))
	for i := range s.rows {
		e := s.propensity.e[i]
		stratum[i] = sort.Search(len(cuts), func(k int) bool { return cuts[k] > e+same })
	}
	return stratum, s.opts.Subclasses
}

// nearestWindow is the number of observations of the same arm, nearest in propensity, whose spread
// stands for the variance of an observation's outcome.
const nearestWindow = 10

// byNearest matches each observation of the target to the nearest of the other arm by the logit of
// the propensity, with replacement, within the caliper. All that are nearest count, each by its
// number of observations: so ties, which single matches break by the order of the file, change
// nothing. Distances that differ by less than 1e-9, or 1e-9 standard deviations, are ties: where
// covariates are balanced already, propensities differ by rounding alone.
//
// The variance is Σ w² σ²/T², σ² from the nearest observations of the same arm (Abadie, Imbens
// 2006, Econometrica 74:235, the part given the propensity); that the propensity is estimated is
// not counted, which for the ATT may make it too long or too short (Abadie, Imbens 2016).
func (s *treatmentSample) byNearest(out *TreatmentEffect) error {
	position := make([]float64, len(s.rows)) // logit of the propensity
	var moments Cell
	for i := range s.rows {
		e := s.propensity.e[i]
		position[i] = math.Log(e) - math.Log1p(-e)
		moments.N += s.rows[i].N
		moments.Sum += s.rows[i].N * position[i]
		moments.SumSq += s.rows[i].N * position[i] * position[i]
	}
	deviation := 0.0
	if moments.N > 1 {
		deviation = math.Sqrt(moments.squaredDeviations() / (moments.N - 1))
	}
	caliper, tie := math.Inf(1), 1e-9*math.Max(1, deviation)
	if !math.IsInf(s.opts.Caliper, 1) {
		caliper = s.opts.Caliper * deviation
	}
	var arms [2][]int // rows by position
	for i := range s.rows {
		arm := armOf(s.rows[i].Treated)
		arms[arm] = append(arms[arm], i)
	}
	for _, list := range arms {
		slices.SortStableFunc(list, func(i, j int) int { return cmp.Compare(position[i], position[j]) })
	}

	s.weights = make([]float64, len(s.rows))
	var total, unmatchedTreated float64
	for i := range s.rows {
		if i%1024 == 0 && s.opts.Stop.now() {
			return s.opts.Stop.why()
		}
		if s.target(i) == 0 {
			continue
		}
		arm := armOf(s.rows[i].Treated)
		others := arms[1-arm]
		at := sort.Search(len(others), func(k int) bool { return position[others[k]] >= position[i] })
		nearest := math.Inf(1)
		if at < len(others) {
			nearest = position[others[at]] - position[i]
		}
		if at > 0 {
			nearest = math.Min(nearest, position[i]-position[others[at-1]])
		}
		if nearest > caliper+tie {
			if arm == 1 {
				unmatchedTreated += s.rows[i].N
			}
			continue
		}
		from := sort.Search(len(others), func(k int) bool { return position[others[k]] >= position[i]-nearest-tie })
		var tied []int
		var n float64
		for k := from; k < len(others) && position[others[k]] <= position[i]+nearest+tie; k++ {
			if math.Abs(position[others[k]]-position[i]) >= nearest-tie {
				tied = append(tied, others[k])
				n += s.rows[others[k]].N
			}
		}
		s.weights[i]++
		for _, j := range tied {
			s.weights[j] += s.rows[i].N / n
		}
		total += s.rows[i].N
	}
	if total == 0 {
		return fault.Invalidf("no observation has a match within %g standard deviations of the propensity; a wider caliper "+
			"would find some", s.opts.Caliper)
	}
	var unusedControls float64
	for i := range s.rows {
		if !s.rows[i].Treated && s.weights[i] == 0 {
			unusedControls += s.rows[i].N
		}
	}
	s.countUnmatched(out, unmatchedTreated, unusedControls)

	var mean, variance [2]float64
	for i := range s.rows {
		mean[armOf(s.rows[i].Treated)] += s.weights[i] * s.rows[i].Sum / total
	}
	var influence [2][]affine
	for arm := range influence {
		influence[arm] = make([]affine, len(s.rows))
		for at, i := range arms[arm] {
			if at%1024 == 0 && s.opts.Stop.now() {
				return s.opts.Stop.why()
			}
			if s.weights[i] == 0 {
				continue
			}
			near := s.window(arms[arm], position, at, tie)
			if near.N < 2 {
				return fault.Invalidf("one observation in an arm tells nothing about the uncertainty of a match")
			}
			s2 := near.squaredDeviations() / (near.N - 1)
			w := s.weights[i] / total
			variance[arm] += s.rows[i].N * w * w * s2
			influence[arm][i] = affine{-w * near.Mean(), w}
		}
	}
	covariance := 0.0
	if s.opts.Clustered {
		variance[1], variance[0] = s.variance(influence[1], influence[1]), s.variance(influence[0], influence[0])
		covariance = s.variance(influence[1], influence[0])
	}
	s.finish(out, mean[1], mean[0], variance[1], variance[0], covariance)
	out.Effect.Denominator, out.WithTreatment.Denominator, out.Without.Denominator = total, total, total
	return nil
}

// window adds up rows around the one at a place of a list sorted by position, nearest first, with
// all at the same distance (to within tie), until they hold enough observations.
func (s *treatmentSample) window(list []int, position []float64, at int, tie float64) (c Cell) {
	add := func(i int) {
		p := &s.rows[i]
		c.N, c.Sum, c.SumSq = c.N+p.N, c.Sum+p.Sum, c.SumSq+p.SumSq
	}
	here := position[list[at]]
	left, right := at-1, at
	for c.N < nearestWindow && (left >= 0 || right < len(list)) {
		distance := math.Inf(1)
		if left >= 0 {
			distance = here - position[list[left]]
		}
		if right < len(list) {
			distance = math.Min(distance, position[list[right]]-here)
		}
		for ; left >= 0 && here-position[list[left]] <= distance+tie; left-- {
			add(list[left])
		}
		for ; right < len(list) && position[list[right]]-here <= distance+tie; right++ {
			add(list[right])
		}
	}
	return c
}
