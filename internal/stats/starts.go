package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/fault"
)

// StartCells are the persons who started in one year, and those approached in the same year who
// did not take part. Cells of changes hold the sums of after - before by person, in units of the
// outcome; Key is not read, Cluster is the area.
type StartCells struct {
	Start             int // the year
	Treated, Controls []Cell
	// The outcome of the same persons before and after, for the gaps; all four or none.
	TreatedBefore, TreatedAfter, ControlsBefore, ControlsAfter []Cell
}

// StartEffect is what changed more among those who started in a year than among the controls of
// that year, or the average of that over years.
type StartEffect struct {
	Start             int // the year; 0 for an average
	Treated, Controls float64
	Clusters          int // areas that standard errors are robust to; 0 unless Clustered
	DoubleDifference
	// Mean outcomes before and after; NaN where only changes are known. In an average the years
	// of the controls count as much as those of the treated.
	TreatedBefore, TreatedAfter, ControlsBefore, ControlsAfter Estimate
}

// StartEffects are effects by year of start, in ascending order, and their average.
type StartEffects struct {
	ByStart []StartEffect
	Overall StartEffect
	// LeftOut are years that have nobody on one of the sides, with so many of the other.
	LeftOut                         []int
	TreatedLeftOut, ControlsLeftOut float64
	Warnings                        []string
}

// strongDifference is the gap before, divided by √(s1² + s0²), above which it warns: a quarter, the
// rule of thumb of Imbens, Wooldridge 2009 (J. Econ. Literature 47:5).
const strongDifference = 0.25

// ChangesByStart estimates the effect on the treated when persons start in different years. With d
// the change of a person, and the means over the n1g treated and n0g controls of year g,
//
//	θg = d̄1g - d̄0g and θ = Σ (n1g/N1) θg over the years,
//
// which is ATT(g,t) and its average by size of group (Callaway, Sant'Anna 2021, J. Econometrics
// 225:200) where each group has one period after and controls of its own. It is the
// effect if both sides would have changed alike without the treatment, which two periods cannot test.
//
// The standard error is from influence functions: a treated adds (d - d̄1g)/N1 + (θg - θ)/N1, a
// control -(n1g/N1)(d - d̄0g)/n0g. The second term counts that the shares of the years are
// estimated. Independent persons have a variance of their own in each arm and year,
//
//	V = Σ (n1g/N1)² (s1g²/n1g + s0g²/n0g) + Σ n1g (θg - θ)²/N1²,
//
// with Satterthwaite's degrees of freedom; Pooled takes one s² for all, over N - 2G degrees of
// freedom for G years. Clustered adds up within areas over all years and both arms, so that it knows
// what an area does to several starts and persons that are controls in several; it is multiplied by
// C/(C-1) for C areas and (N-1)/(N-2G), and intervals are t with C-1 degrees of freedom. With one
// year all three are those of DifferenceOfChanges.
//
// A sole person of an arm and year tells nothing about the variance there: in the average it gets the
// pooled one of that arm over the years, with a warning; its own year gets no interval. Nor does a
// clustered estimate with one area of an arm. Years with nobody on one side are left out with a
// warning. A year given twice, or no year with both sides, is an error.
//
// It warns if the treated differ strongly before the start: those picked for their value before
// drift back without any effect, which is then counted as one (regression to the mean; Daw, Hatfield
// 2018, Health Serv. Res. 53:4138).
func ChangesByStart(starts []StartCells, opts DifferenceOptions) (*StartEffects, error) {
	level := opts.Level
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	opts.Level = level
	if opts.Pooled && opts.Clustered {
		return nil, fault.Invalidf("a variance is pooled, as of independent persons, or clustered, not both")
	}
	starts = slices.Clone(starts)
	slices.SortStableFunc(starts, func(a, b StartCells) int { return cmp.Compare(a.Start, b.Start) })
	out := &StartEffects{}
	var used []StartCells
	var alone []string
	levels := true
	for i, s := range starts {
		if i > 0 && s.Start == starts[i-1].Start {
			return nil, fault.Invalidf("the start %d is given twice; its cells belong together", s.Start)
		}
		given, err := s.check()
		if err != nil {
			return nil, fault.Invalidf("start %d: %w", s.Start, err)
		}
		treated, controls := Total(s.Treated).N, Total(s.Controls).N
		if treated == 0 || controls == 0 {
			out.LeftOut = append(out.LeftOut, s.Start)
			out.TreatedLeftOut += treated
			out.ControlsLeftOut += controls
			if treated > 0 {
				alone = append(alone, strconv.Itoa(s.Start))
			}
			continue
		}
		used = append(used, s)
		levels = levels && given
	}
	if len(used) == 0 {
		return nil, fault.Invalidf("no start has both treated and controls; a difference of changes needs some of each " +
			"that start, or are approached, in the same year")
	}
	if len(alone) > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("starts without controls are left out, with %s treated: %s",
			formatCount(out.TreatedLeftOut), strings.Join(alone, ", ")))
	}
	for _, s := range used {
		own := (&startSample{starts: []StartCells{s}, opts: opts}).effect(s.levels() > 0)
		own.Start = s.Start
		out.ByStart = append(out.ByStart, own)
	}
	out.Overall = (&startSample{starts: used, opts: opts}).effect(levels)
	if !levels && slices.ContainsFunc(used, func(s StartCells) bool { return s.levels() > 0 }) {
		out.Warnings = append(out.Warnings,
			"values before and after are known of some starts only: there are no gaps over all starts")
	}
	return out, nil
}

// levels is how many of the four sides have the outcome itself.
func (s *StartCells) levels() (sides int) {
	for _, cells := range [][]Cell{s.TreatedBefore, s.TreatedAfter, s.ControlsBefore, s.ControlsAfter} {
		if Total(cells).N > 0 {
			sides++
		}
	}
	return sides
}

// check tells whether the outcome before and after is given.
func (s *StartCells) check() (levels bool, err error) {
	for _, cells := range [][]Cell{s.Treated, s.Controls, s.TreatedBefore, s.TreatedAfter, s.ControlsBefore,
		s.ControlsAfter} {
		for i := range cells {
			if _, err := checkCells(cells[i : i+1]); err != nil {
				return false, err
			}
		}
	}
	sides := s.levels()
	if sides == 0 {
		return false, nil
	}
	for _, side := range []struct {
		name, when       string
		changes, outcome []Cell
	}{
		{"treated", "before", s.Treated, s.TreatedBefore}, {"treated", "after", s.Treated, s.TreatedAfter},
		{"controls", "before", s.Controls, s.ControlsBefore}, {"controls", "after", s.Controls, s.ControlsAfter},
	} {
		if n, got := Total(side.changes).N, Total(side.outcome).N; math.Abs(got-n) > 1e-9*n {
			return false, fault.Invalidf("%s %s have a change but %s a value %s; both must be of the same persons",
				formatCount(n), side.name, formatCount(got), side.when)
		}
	}
	return true, nil
}

// startSample is the years to average over.
type startSample struct {
	starts []StartCells
	opts   DifferenceOptions
}

// effect is all there is to say of the years. With levels the outcome itself is known in all.
func (s *startSample) effect(levels bool) StartEffect {
	var out StartEffect
	for _, start := range s.starts {
		out.Treated += Total(start.Treated).N
		out.Controls += Total(start.Controls).N
	}
	changes := func(start *StartCells) (treated, controls []Cell) { return start.Treated, start.Controls }
	name := "difference of changes"
	if len(s.starts) > 1 {
		name += " by year of start"
	}
	switch {
	case s.opts.Clustered:
		name += ", cluster-robust"
	case s.opts.Pooled:
		name += ", pooled variance"
	}
	out.Effect = s.estimate(name, changes, 1, -1)
	for _, side := range []struct {
		name string
		n    float64
	}{{"treated", out.Treated}, {"controls", out.Controls}} {
		if side.n < fewObservations {
			out.Effect.warnf("fewer than %d %s", fewObservations, side.name)
		}
	}
	out.TreatedChange = s.estimate("mean change", changes, 1, 0)
	out.ControlChange = s.estimate("mean change", changes, 0, 1)
	if s.opts.Clustered {
		var treated []Cell
		areas := map[int]bool{}
		for _, start := range s.starts {
			treated = append(treated, start.Treated...)
			for _, c := range slices.Concat(start.Treated, start.Controls) {
				areas[c.Cluster] = areas[c.Cluster] || c.N > 0
			}
		}
		for _, used := range areas {
			if used {
				out.Clusters++
			}
		}
		out.Warnings = fewTreatedClusters(treated)
	}
	unknown := undefined("mean", s.opts.Level, "only changes are known")
	out.TreatedBefore, out.TreatedAfter, out.ControlsBefore, out.ControlsAfter = unknown, unknown, unknown, unknown
	unknown.Method = "gap"
	out.GapBefore, out.GapAfter = unknown, unknown
	if !levels {
		return out
	}
	before := func(start *StartCells) (treated, controls []Cell) { return start.TreatedBefore, start.ControlsBefore }
	after := func(start *StartCells) (treated, controls []Cell) { return start.TreatedAfter, start.ControlsAfter }
	out.TreatedBefore, out.ControlsBefore = s.estimate("mean", before, 1, 0), s.estimate("mean", before, 0, 1)
	out.TreatedAfter, out.ControlsAfter = s.estimate("mean", after, 1, 0), s.estimate("mean", after, 0, 1)
	out.GapBefore, out.GapAfter = s.estimate("gap", before, 1, -1), s.estimate("gap", after, 1, -1)
	out.Warnings = append(out.Warnings, s.regressionToTheMean(out.GapBefore.Value)...)
	return out
}

// regressionToTheMean warns of a gap before the start that is large beside the spread in each arm.
func (s *startSample) regressionToTheMean(gap float64) []string {
	var arms [2]Cell
	for _, start := range s.starts {
		for arm, cells := range [][]Cell{start.TreatedBefore, start.ControlsBefore} {
			c := Total(cells)
			arms[arm].N, arms[arm].Sum, arms[arm].SumSq = arms[arm].N+c.N, arms[arm].Sum+c.Sum, arms[arm].SumSq+c.SumSq
		}
	}
	var spread float64
	for _, c := range arms {
		if !(c.N > 1) {
			return nil
		}
		spread += c.squaredDeviations() / (c.N - 1)
	}
	if !(math.Abs(gap) > strongDifference*math.Sqrt(spread)) {
		return nil
	}
	than := "above"
	if gap < 0 {
		than = "below"
	}
	return []string{fmt.Sprintf("before the start the treated are %.3g %s the controls: persons picked for their value "+
		"before drift back without any effect (regression to the mean), and this difference counts that as an effect; hold "+
		"the value before equal instead", math.Abs(gap), than)}
}

// estimate averages a·(mean of the treated) + b·(mean of the controls) over the years, weighted by
// the treated of each.
func (s *startSample) estimate(method string, of func(*StartCells) (treated, controls []Cell), a, b float64) Estimate {
	years := float64(len(s.starts))
	totals := make([][2]Cell, len(s.starts))
	value := make([]float64, len(s.starts)) // by year
	var treated, all, overall float64
	for g := range s.starts {
		t, c := of(&s.starts[g])
		totals[g] = [2]Cell{Total(t), Total(c)}
		value[g] = a*totals[g][0].Mean() + b*totals[g][1].Mean()
		treated += totals[g][0].N
		all += totals[g][0].N + totals[g][1].N
	}
	for g := range totals {
		overall += totals[g][0].N / treated * value[g]
	}
	if math.IsNaN(overall) || math.IsInf(overall, 0) {
		return undefined(method, s.opts.Level, "the sums are too large to be averaged")
	}
	unknown := func(format string, args ...any) Estimate {
		e := undefined(method, s.opts.Level, format, args...)
		e.Value = overall
		return e
	}
	// weight is what a mean of an arm and year counts for.
	weight := func(g, arm int) float64 { return [2]float64{a, b}[arm] * totals[g][0].N / treated }

	if s.opts.Clustered {
		clusters, moves, independent := s.moves(of, totals, value, overall, weight)
		e := normalEstimate(method, overall, independent, s.opts.Level)
		e.Warnings = nil
		clusters.clustered(&e, moves, clusters.freedomOfBoth(moves))
		e.Denominator = math.Abs(a)*treated + math.Abs(b)*(all-treated)
		return e
	}
	var variance, q float64
	var warnings []string
	var within [2]Cell // Σ squares over years, and degrees of freedom in N
	for g := range totals {
		for arm, c := range totals[g] {
			if c.N > 1 {
				within[arm].Sum += c.squaredDeviations()
				within[arm].N += c.N - 1
			}
		}
	}
	type part struct{ v, df float64 }
	var parts []part
	var sole float64
	for g := range totals {
		for arm, c := range totals[g] {
			w := weight(g, arm)
			if w == 0 {
				continue
			}
			s2, df := c.squaredDeviations()/(c.N-1), c.N-1
			switch {
			case s.opts.Pooled:
				s2, df = within[0].Sum+within[1].Sum, all-2*years
				if !(df > 0) {
					return unknown("%s observations in %s groups tell nothing about their variance", formatCount(all),
						formatCount(2*years))
				}
				s2 /= df
			case !(c.N > 1):
				if within[arm].N == 0 {
					return unknown("one observation tells nothing about its uncertainty")
				}
				s2, df = within[arm].Sum/within[arm].N, within[arm].N
				sole++
			}
			parts = append(parts, part{w * w * s2 / c.N, df})
		}
		// Years differ as treated do who are drawn with their year.
		if treated > 1 {
			parts = append(parts, part{totals[g][0].N * (value[g] - overall) * (value[g] - overall) / treated / treated,
				treated - 1})
		}
	}
	for _, p := range parts {
		variance += p.v
	}
	if variance > 0 {
		var inverse float64 // of Satterthwaite's degrees of freedom
		for _, p := range parts {
			inverse += p.v / variance * (p.v / variance) / p.df
		}
		q = studentQuantile(s.opts.Level, 1/inverse)
		if s.opts.Pooled {
			q = studentQuantile(s.opts.Level, all-2*years)
		}
	}
	if sole > 0 {
		warnings = append(warnings, fmt.Sprintf("%s times an arm has one person in a year: the variance is that of the "+
			"arm in other years", formatCount(sole)))
	}
	var squares float64
	for _, c := range totals {
		squares += c[0].SumSq + c[1].SumSq
	}
	e := scaledEstimate(method, overall, leftOf(variance, 1e-6*squares/all/all), q, s.opts.Level)
	if math.IsNaN(variance) || math.IsInf(variance, 0) || math.IsInf(e.Lower, 0) || math.IsInf(e.Upper, 0) {
		return unknown("the sums are too large for a standard error")
	}
	e.Warnings = append(e.Warnings, warnings...)
	e.Denominator = math.Abs(a)*treated + math.Abs(b)*(all-treated)
	return e
}

// moves are what clusters move the average by, over all years and both arms (see sides.means), and its
// variance if observations were independent. With several years the squares add up to the sandwich times
// G/(G-1) and (n-1)/(n-2·years): a year whose arm is of one cluster fits it exactly, and what that cluster
// moves is only how the year differs, so that residuals cannot be divided by what it leaves to others.
func (s *startSample) moves(of func(*StartCells) (treated, controls []Cell), totals [][2]Cell, value []float64,
	overall float64, weight func(g, arm int) float64) (clusters *sides, moves []float64, independent float64) {
	var all [2][]Cell
	for g := range s.starts {
		t, c := of(&s.starts[g])
		all[0], all[1] = append(all[0], t...), append(all[1], c...)
		for arm, c := range totals[g] {
			independent += weight(g, arm) * weight(g, arm) * c.squaredDeviations() / c.N / c.N
		}
	}
	clusters = sidesOf(all[0], all[1])
	clusters.names = [2]string{"the treated are", "the controls are"}
	if len(s.starts) == 1 {
		return clusters, clusters.means(weight(0, 0), weight(0, 1)), independent
	}
	moves = make([]float64, len(clusters.a))
	g, n, years := float64(len(moves)), clusters.totalA.n+clusters.totalB.n, float64(len(s.starts))
	scale := math.Sqrt(g / (g - 1) * (n - 1) / (n - 2*years))
	treatedIn, controlsIn := clusters.counts()
	if treatedIn == 1 && weight(0, 0) != 0 || controlsIn == 1 && weight(0, 1) != 0 {
		scale = math.NaN()
	}
	for y := range s.starts {
		t, c := of(&s.starts[y])
		apart := (value[y] - overall) / clusters.totalA.n
		independent += totals[y][0].N * apart * apart
		for arm, cells := range [][]Cell{t, c} {
			for _, cell := range cells {
				if cell.N == 0 {
					continue
				}
				moved := weight(y, arm) * (cell.Sum - cell.N*totals[y][arm].Mean()) / totals[y][arm].N
				if arm == 0 {
					moved += cell.N * apart
				}
				moves[clusters.index.of(cell.Cluster)] += scale * moved
			}
		}
	}
	return clusters, moves, independent
}
