package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Ranks are places in an order of estimates with the places that they cannot be told from.
type Ranks struct {
	Ranks []Rank // in the order of the estimates
	Level float64
	// Critical is the quantile of the largest |t| over all pairs.
	Critical float64
	// Apart is the number of pairs of which one can be told to be higher, all at once.
	Apart, Pairs int
	Method       string
	Warnings     []string
}

// Rank is the place of one estimate; 1 is the highest, and equal ones share the best of their places.
type Rank struct {
	Rank int // 0 for an estimate that is left out
	// The true place of this one alone is from Best to Worst with probability Level; of all at once
	// from AllBest to AllWorst.
	Best, Worst       int
	AllBest, AllWorst int
}

// RankIntervals are confidence sets for ranks (Mogstad, Romano, Shaikh, Wilhelm 2024, Rev. Econ. Stud.
// 91:476), in a single step: an estimate is placed below those, and above those, from which its difference
// is beyond the quantile of the largest |difference|/SE: for one place over the differences from that estimate,
// for all at once over all pairs; both are simulated, from the same draws every time. Estimates are independent. One
// with an interval but no standard error, as a share of 0, counts with that which an interval of its
// length would have; one with neither is left out. Fewer than two is an error.
func RankIntervals(estimates []Estimate, level float64) (*Ranks, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	out := &Ranks{Ranks: make([]Rank, len(estimates)), Level: level}
	var used []int
	var values, errors []float64
	borrowed := 0
	for i, e := range estimates {
		se := e.SE
		if !(se > 0) {
			se = (e.Upper - e.Lower) / 2 / normalQuantile(e.Level)
			borrowed++
		}
		if !(se > 0) || math.IsInf(se, 0) || math.IsNaN(e.Value) {
			continue
		}
		used, values, errors = append(used, i), append(values, e.Value), append(errors, se)
	}
	k := len(used)
	if k < 2 {
		return nil, fault.Invalidf("%d of %d estimates have an interval; an order is of at least two", k, len(estimates))
	}
	if left := len(estimates) - k; left > 0 {
		out.Warnings = append(out.Warnings, formatCount(float64(left))+" estimates without an interval have no place")
		borrowed -= left
	}
	if borrowed > 0 {
		out.Warnings = append(out.Warnings, formatCount(float64(borrowed))+" estimates without a standard error are placed "+
			"by the length of their interval")
	}
	apart := func(i, j int) float64 { return math.Hypot(errors[i], errors[j]) }
	out.Pairs = k * (k - 1) / 2
	own, all := rankQuantiles(errors, level)
	out.Critical = all
	out.Method = fmt.Sprintf("confidence sets for ranks, single step, %d draws", drawsFor(out.Pairs))
	for i := range k {
		r := Rank{Rank: 1, Best: 1, Worst: k, AllBest: 1, AllWorst: k}
		for j := range k {
			switch t := (values[i] - values[j]) / apart(i, j); {
			case t < 0:
				r.Rank++
				r.Best += oneIf(-t > own[i])
				r.AllBest += oneIf(-t > out.Critical)
				out.Apart += oneIf(-t > out.Critical)
			case t > 0:
				r.Worst -= oneIf(t > own[i])
				r.AllWorst -= oneIf(t > out.Critical)
			}
		}
		out.Ranks[used[i]] = r
	}
	return out, nil
}

// rankQuantiles are those of the largest |difference|/SE from each estimate, and over all pairs.
func rankQuantiles(errors []float64, level float64) (own []float64, all float64) {
	k := len(errors)
	draws := drawsFor(k * (k - 1) / 2)
	maxima := make([][]float64, k+1) // by estimate, then of all pairs
	for i := range maxima {
		maxima[i] = make([]float64, draws)
	}
	inverse := make([]float64, k*k)
	for i := range k {
		for j := range i {
			inverse[i*k+j] = 1 / math.Hypot(errors[i], errors[j])
		}
	}
	rng := rand.New(rand.NewPCG(1, uint64(k)))
	z, highest := make([]float64, k), make([]float64, k)
	for draw := range draws {
		clear(highest)
		for i := range z {
			z[i] = errors[i] * rng.NormFloat64()
			most := 0.0
			for j, w := range inverse[i*k : i*k+i] {
				t := math.Abs(z[i]-z[j]) * w
				if t > highest[j] {
					highest[j] = t
				}
				if t > most {
					most = t
				}
			}
			highest[i] = most
		}
		for i, t := range highest {
			maxima[i][draw] = t
			maxima[k][draw] = math.Max(maxima[k][draw], t)
		}
	}
	for _, m := range maxima {
		slices.Sort(m)
		own = append(own, (&largest{draws: m}).quantile(level))
	}
	return own[:k], own[k]
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Best returns the positions of the estimates that cannot be told from the highest, all at once.
func (r *Ranks) Best() (at []int) {
	for i, x := range r.Ranks {
		if x.AllBest == 1 {
			at = append(at, i)
		}
	}
	return slices.Clip(at)
}
