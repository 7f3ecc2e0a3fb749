package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The mode of the folded normal by looking at every θ.
func TestDensityCorrection(t *testing.T) {
	for _, d := range []struct{ a, b, A, B float64 }{{.02, .05, 300, 900}, {.1, .04, 80, 120}, {.05, .051, 500, 500},
		{0, .2, 40, 60}} {
		sigma := math.Sqrt(d.a*(1-d.a)/d.A + d.b*(1-d.b)/d.B)
		t0 := math.Abs(d.a-d.b) / sigma
		best, highest := 0.0, 0.0
		for theta := 0.0; theta < 20; theta += 1e-4 {
			density := math.Exp(-(t0-theta)*(t0-theta)/2) + math.Exp(-(t0+theta)*(t0+theta)/2)
			if density > highest {
				best, highest = theta, density
			}
		}
		near(t, "θσ", densityCorrected(d.a, d.b, d.A, d.B), best*sigma, 2e-4*sigma)
	}
}

// Of small units, the corrected index is nearer to the index of the true shares than the plain one and the one
// less random placement are.
func TestDensityCorrectionTakesBiasAway(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 14))
	const units, worlds = 60, 200
	var truth, plain, corrected float64
	p := make([]float64, units)
	var sumA, sumB float64
	for i := range p {
		p[i] = logistic(-1 + .8*rng.NormFloat64())
		sumA, sumB = sumA+p[i], sumB+1-p[i]
	}
	for i := range p {
		truth += math.Abs(p[i]/sumA-(1-p[i])/sumB) / 2
	}
	for range worlds {
		var a, b []Cell
		for i := range p {
			var x float64
			for range 25 {
				x += float64(oneIf(rng.Float64() < p[i]))
			}
			a, b = append(a, Cell{Key: []int{i}, N: x}), append(b, Cell{Key: []int{i}, N: 25 - x})
		}
		s := good(Segregate(a, b, nil, .95))
		plain, corrected = plain+s.Dissimilarity.Value/worlds, corrected+s.CorrectedDissimilarity/worlds
	}
	t.Logf("true %.4f, plain %.4f, corrected %.4f", truth, plain, corrected)
	if !(plain-truth > .02) || math.Abs(corrected-truth) > (plain-truth)/3 {
		t.Errorf("true %.4f, plain %.4f, corrected %.4f", truth, plain, corrected)
	}
}
