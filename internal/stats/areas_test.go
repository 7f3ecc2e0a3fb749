package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestRandomInterceptAgainstSeeds(t *testing.T) {
	// Crowder 1978, Appl. Stat. 27:34: seeds that germinate on 21 plates, two seeds by two root extracts.
	// Maximum likelihood by quadrature as in Breslow, Clayton 1993, JASA 88:9, table 4 (EGRET):
	// -0.548 (0.167), seed 0.097 (0.278), extract 1.337 (0.237), both -0.811 (0.385), σ 0.236 (0.110)
	r := []float64{10, 23, 23, 26, 17, 5, 53, 55, 32, 46, 10, 8, 10, 8, 23, 0, 3, 22, 15, 32, 3}
	n := []float64{39, 62, 81, 51, 39, 6, 74, 72, 51, 79, 13, 16, 30, 28, 45, 4, 12, 41, 30, 51, 7}
	var cells []Cell
	for i := range r {
		seed, extract := 0, 0
		if i >= 11 {
			seed = 1
		}
		if i >= 5 && i < 11 || i >= 16 {
			extract = 1
		}
		cells = append(cells, Cell{Key: []int{2*seed + extract}, Cluster: i, N: n[i], Sum: r[i], SumSq: r[i]})
	}
	v, err := BetweenAreas(cells, nil, .95, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := v.After.Terms
	near(t, "constant", b[0].Estimate.Value, -0.548, 0.001)
	near(t, "constant SE", b[0].Estimate.SE, 0.167, 0.001)
	near(t, "extract", b[1].Estimate.Value, 1.337, 0.001)
	near(t, "seed", b[2].Estimate.Value, 0.097, 0.001)
	near(t, "seed SE", b[2].Estimate.SE, 0.278, 0.001)
	near(t, "both", b[3].Estimate.Value-b[1].Estimate.Value-b[2].Estimate.Value, -0.811, 0.001)
	sigma := math.Sqrt(v.After.Variance.Value)
	near(t, "σ", sigma, 0.236, 0.001)
	near(t, "σ SE", v.After.Variance.SE/(2*sigma), 0.110, 0.001)
	near(t, "median odds ratio", v.After.MedianOddsRatio.Value, math.Exp(0.95387*sigma), 1e-4)
	if !(v.Explained > 0 && v.Explained < 1 && v.Before.PValue < 0.01) {
		t.Errorf("before %+v, explained %v", v.Before.Variance, v.Explained)
	}
	if len(v.After.Areas) != 21 || v.After.Areas[3].Observations != 51 {
		t.Errorf("%d areas", len(v.After.Areas))
	}
}

// bruteLogLik integrates over u on a fine grid instead of adaptive nodes.
func bruteLogLik(m *interceptModel, theta []float64) (total float64) {
	sigma := math.Exp(theta[m.k])
	for _, area := range m.areas {
		var sum float64
		const step = 0.002
		for u := -9.0; u <= 9; u += step {
			log := -u * u / 2
			for _, p := range area {
				eta := dot(p.X, theta[:m.k]) + sigma*u
				log += p.Sum*eta - p.N*softplus(eta)
			}
			sum += math.Exp(log+50) * step
		}
		total += math.Log(sum/math.Sqrt(2*math.Pi)) - 50
	}
	return total
}

func TestRandomInterceptDerivatives(t *testing.T) {
	rng := rand.New(rand.NewPCG(121, 122))
	cells := randomCells(rng, []int{2}, 30, 4, true)
	design, _ := NewDesign(nil, false, cells)
	patterns, _ := design.Patterns(cells, false)
	m := interceptModel{k: 2, areas: make([][]Pattern, 15)}
	m.nodes, m.weights = hermiteRule()
	for _, p := range patterns {
		m.areas[p.Cluster] = append(m.areas[p.Cluster], p)
	}
	theta := []float64{-0.8, 0.4, -0.3}
	d := m.derivatives(theta, true)
	near(t, "log likelihood", d.loglik, bruteLogLik(&m, theta), 1e-7)
	const h = 1e-5
	for i := range theta {
		up, down := append([]float64(nil), theta...), append([]float64(nil), theta...)
		up[i] += h
		down[i] -= h
		a, b := m.derivatives(up, true), m.derivatives(down, true)
		near(t, "gradient", d.gradient[i], (a.loglik-b.loglik)/(2*h), 1e-5)
		for j := range theta {
			near(t, "hessian", -d.hessian.at(i, j), (a.gradient[j]-b.gradient[j])/(2*h), 1e-4)
		}
	}
}

func TestAreasThatDoNotDiffer(t *testing.T) {
	var cells []Cell
	for area := range 10 {
		cells = append(cells, Cell{Key: []int{area % 2}, Cluster: area, N: 100, Sum: 30, SumSq: 30})
	}
	v, err := BetweenAreas(cells, nil, .95, nil)
	if err != nil {
		t.Fatal(err)
	}
	if e := v.Before.Variance; e.Value != 0 || e.Lower != 0 || !(e.Upper > 0 && e.Upper < 0.2) || len(e.Warnings) == 0 {
		t.Errorf("variance between equal areas: %+v", e)
	}
	if v.Before.MedianOddsRatio.Value != 1 || v.Before.PValue != 1 || !math.IsNaN(v.Explained) {
		t.Errorf("median odds ratio %v, p %v, explained %v", v.Before.MedianOddsRatio.Value, v.Before.PValue, v.Explained)
	}
}

func TestBetweenAreasRejects(t *testing.T) {
	cell := func(area int, n, y float64) Cell {
		return Cell{Key: []int{area % 2}, Cluster: area, N: n, Sum: y, SumSq: y}
	}
	for name, cells := range map[string][]Cell{
		"none":         nil,
		"two areas":    {cell(0, 5, 2), cell(1, 5, 3)},
		"no variation": {cell(0, 5, 0), cell(1, 5, 0), cell(2, 7, 0)},
		"a measure": {{Cluster: 0, N: 5, Sum: 9, SumSq: 30}, {Cluster: 1, N: 5, Sum: 9, SumSq: 30},
			{Cluster: 2, N: 5, Sum: 9, SumSq: 30}},
		"separation": {cell(0, 5, 5), cell(1, 5, 3), cell(2, 7, 7), cell(3, 4, 1)},
	} {
		if _, err := BetweenAreas(cells, nil, .95, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkBetweenAreas(b *testing.B) {
	rng := rand.New(rand.NewPCG(131, 132))
	cells := randomCells(rng, []int{3, 4, 3}, 3000, 20, true)
	for i := range cells {
		cells[i].Cluster = rng.IntN(89)
		// areas differ: some lack half of those with the outcome
		if cells[i].Cluster%3 == 0 {
			cells[i].Sum = math.Floor(cells[i].Sum / 2)
			cells[i].SumSq = cells[i].Sum
		}
	}
	for b.Loop() {
		if _, err := BetweenAreas(cells, nil, .95, nil); err != nil {
			b.Fatal(err)
		}
	}
}
