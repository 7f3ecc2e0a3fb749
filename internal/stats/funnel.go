package stats

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/kvarter/kvarter/internal/fault"
)

// Funnel tells areas whose share is beyond what chance would make of the same true share from those whose is
// not (Spiegelhalter 2005, Stat. Med. 24:1185).
type Funnel struct {
	Centre float64 // the share that all are held against
	Levels []float64
	Areas  []FunnelArea // in the order given
	// Outside counts the areas beyond the limits of each level, Expected how many chance alone would put there.
	Outside  []int
	Expected []float64
	// Dispersion is how many times as much as by chance areas vary: the mean of z², the tenth at either end
	// brought in. Well above 1 areas differ as such, and many are outside without being remarkable among
	// areas. DispersionP is of none, by χ².
	Dispersion, DispersionP float64
	Warnings                []string
}

// FunnelArea is one area with the limits for its number of observations.
type FunnelArea struct {
	Share          float64 // NaN without observations
	N              float64
	Limits         []FunnelLimits // by level
	PLower, PUpper float64        // of so few, and of so many, if the share were Centre
}

// FunnelLimits are the shares between which chance keeps a share with probability Level.
type FunnelLimits struct {
	Level, Lower, Upper float64
	Outside             bool
}

// FunnelLevels are those of the usual two pairs of limits.
var FunnelLevels = []float64{.95, .998}

// FunnelOf holds the shares Sum of N of an indicator by area against centre; NaN is the share of all together.
// Limits are those of the binomial distribution, interpolated between counts, with half of what is left of
// a level on either side. Counts must be whole numbers.
func FunnelOf(areas []Cell, centre float64, levels ...float64) (*Funnel, error) {
	total := Total(areas)
	if math.IsNaN(centre) {
		centre = total.Mean()
	}
	if len(levels) == 0 {
		levels = FunnelLevels
	}
	if !(centre > 0 && centre < 1) {
		return nil, fault.Invalidf("a funnel around a share of %g has no width; it is between 0 and 1", centre)
	}
	out := &Funnel{Centre: centre, Levels: levels, Outside: make([]int, len(levels)),
		Expected: make([]float64, len(levels))}
	var z []float64
	var q float64
	for i, a := range areas {
		if !(a.N >= 0) || !a.IsIndicator() || a.N != math.Trunc(a.N) || a.Sum != math.Trunc(a.Sum) || math.IsInf(a.N, 0) {
			return nil, fault.Invalidf("area %d is no count: %g of %g, Σx² = %g", i+1, a.Sum, a.N, a.SumSq)
		}
		of := FunnelArea{Share: a.Mean(), N: a.N, PLower: math.NaN(), PUpper: math.NaN()}
		if a.N > 0 {
			of.PLower, of.PUpper = binomialCDF(a.Sum, a.N, centre), 1-binomialCDF(a.Sum-1, a.N, centre)
			z = append(z, (of.Share-centre)/math.Sqrt(centre*(1-centre)/a.N))
			q += z[len(z)-1] * z[len(z)-1]
		}
		for l, level := range levels {
			if err := CheckLevel(level); err != nil {
				return nil, err
			}
			tail := (1 - level) / 2
			limits := FunnelLimits{Level: level, Lower: math.NaN(), Upper: math.NaN()}
			if a.N > 0 {
				limits.Lower, limits.Upper = clip01(binomialLimit(tail, a.N, centre)), clip01(binomialLimit(1-tail, a.N, centre))
				limits.Outside = of.Share < limits.Lower || of.Share > limits.Upper
				out.Outside[l] += oneIf(limits.Outside)
				out.Expected[l] += 1 - level
			}
			of.Limits = append(of.Limits, limits)
		}
		out.Areas = append(out.Areas, of)
	}
	if len(z) < 2 {
		return nil, fault.Invalidf("%d areas with observations; a funnel compares two at least", len(z))
	}
	out.DispersionP = chiSquareTail(q, float64(len(z)-1))
	slices.Sort(z)
	low, high := z[len(z)/10], z[len(z)-1-len(z)/10]
	for _, v := range z {
		v = math.Max(low, math.Min(high, v))
		out.Dispersion += v * v / float64(len(z))
	}
	if out.Dispersion > 1.5 && out.DispersionP < .05 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("areas vary %.2g times as much as by chance: to be outside is not "+
			"rare among them, and does not make an area remarkable", out.Dispersion))
	}
	return out, nil
}

// binomialCDF is P(X <= x) of n trials.
func binomialCDF(x, n, p float64) float64 {
	switch {
	case x < 0:
		return 0
	case x >= n:
		return 1
	}
	return distuv.Binomial{N: n, P: p}.CDF(x)
}

// binomialLimit is the share at which the distribution function, drawn in straight lines from count to count,
// reaches a probability. It is below 0 where no count is less probable than that.
func binomialLimit(probability, n, p float64) float64 {
	r := binomialQuantile(probability, n, p)
	at, before := binomialCDF(r, n, p), binomialCDF(r-1, n, p)
	return (r - (at-probability)/(at-before)) / n
}

// binomialQuantile is the least count that the distribution function is at or above a probability at.
func binomialQuantile(probability, n, p float64) float64 {
	low, high := -1.0, n // the function is below at low, and not at high
	for high-low > 1 {
		if middle := math.Floor((low + high) / 2); binomialCDF(middle, n, p) >= probability {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
