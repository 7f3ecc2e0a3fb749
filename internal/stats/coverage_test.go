package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// A world is a population that cohorts are drawn from: the share of each category pair and the
// probability of the outcome in it. Worlds are chosen so that no part is a product of two quantities
// that are both near 0: there no delta-method interval has its level.
type world struct {
	shares, rates [6]float64 // by 3*first + second
}

func (w world) draw(rng *rand.Rand, n int) (cells []Cell) {
	left := 1.0
	for c, share := range w.shares {
		count := float64(n)
		if c < 5 {
			count = binomial(rng, n, share/left)
		}
		left -= share
		n -= int(count)
		y := binomial(rng, int(count), w.rates[c])
		cells = append(cells, Cell{Key: []int{c / 3, c % 3}, N: count, Sum: y, SumSq: y})
	}
	return cells
}

// exact is the world as cells without sampling error.
func (w world) exact() (cells []Cell) {
	const n = 1e9
	for c := range w.shares {
		y := n * w.shares[c] * w.rates[c]
		cells = append(cells, Cell{Key: []int{c / 3, c % 3}, N: n * w.shares[c], Sum: y, SumSq: y})
	}
	return cells
}

func binomial(rng *rand.Rand, n int, p float64) float64 {
	if n == 0 {
		return 0
	}
	return distuv.Binomial{N: float64(n), P: p, Src: rng}.Rand()
}

// modelWorld has rates that a model with main effects describes exactly: a constant, the effect of
// the second category of the first dimension, and those of the second's second and third.
func modelWorld(link func(float64) float64, shares [6]float64, constant, first, second, third float64) world {
	w := world{shares: shares}
	for c := range w.rates {
		w.rates[c] = link(constant + first*float64(c/3) + [3]float64{0, second, third}[c%3])
	}
	return w
}

// drawAreas draws areas that each have an effect of their own on all their residents.
func drawAreas(rng *rand.Rand, first, areas int, shift float64) (cells []Cell) {
	for area := range areas {
		p := .4 + shift + .1*(2*rng.Float64()-1)
		for category := range 2 {
			y := binomial(rng, 12, p+.1*float64(category))
			cells = append(cells, Cell{Key: []int{category}, Cluster: first + area, N: 12, Sum: y, SumSq: y})
		}
	}
	return cells
}

// nonzero keeps the values that are not 0 by construction, as the explained part of a constant is.
func nonzero(t *testing.T, parts func() (map[string]Estimate, error)) map[string]float64 {
	t.Helper()
	all, err := parts()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for name, e := range all {
		if math.Abs(e.Value) > 1e-9 {
			out[name] = e.Value
		}
	}
	return out
}

func identity(x float64) float64 { return x }

// TestIntervalsCoverTheirLevel draws from known truths with a fixed seed. 95 % intervals must cover
// between 93.5 and 96.5 %; exceptions are named with what they cover and why.
func TestIntervalsCoverTheirLevel(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulation of some seconds")
	}
	few, many := [6]float64{.4125, .2625, .075, .12, .08, .05}, [6]float64{.15, .12, .33, .1, .08, .22}
	wa, wb := world{shares: few, rates: [6]float64{.6, .35, .3, .7, .4, .2}}, world{shares: many,
		rates: [6]float64{.55, .38, .35, .6, .42, .3}}
	logitA, logitB := modelWorld(logistic, few, .3, .7, -.5, .3), modelWorld(logistic, many, -.1, .7, -.5, .3)
	linearA, linearB := modelWorld(identity, few, .3, .25, .08, .28), modelWorld(identity, many, .4, .1, .03, .12)
	curvedA, curvedB := modelWorld(logistic, few, .2, 1, .3, 1.2), modelWorld(logistic, many, -.6, .4, .2, .6)
	level := 0.95

	type estimates map[string]Estimate
	simulations := []struct {
		name  string
		draws int
		truth func() map[string]float64
		draw  func(rng *rand.Rand) (estimates, error)
	}{
		{"proportions", 3000, func() map[string]float64 {
			return map[string]float64{
				"Wilson": .3, "Agresti-Coull": .3, "Clopper-Pearson": .3, "Newcombe": .12, "Miettinen-Nurminen": .12,
				"Agresti-Caffo": .12, "Katz": .3 / .18, "Woolf": .3 * .82 / (.7 * .18), "exact Poisson": 25, "Byar": 25,
				"part of whole": .12 * 200 / 350, "mean": 1, "Welch": -1,
			}
		}, func(rng *rand.Rand) (estimates, error) {
			x, y := binomial(rng, 150, .3), binomial(rng, 200, .18)
			var count, s1, q1, s2, q2 float64
			for at := rng.ExpFloat64(); at < 25; at += rng.ExpFloat64() {
				count++
			}
			for range 30 {
				v, w := 1+rng.NormFloat64(), 2+3*rng.NormFloat64()
				s1, q1, s2, q2 = s1+v, q1+v*v, s2+w, q2+w*w
			}
			group, rest := Cell{N: 150, Sum: x, SumSq: x}, Cell{N: 200, Sum: y, SumSq: y}
			return estimates{
				"Wilson": Wilson(x, 150, level), "Agresti-Coull": AgrestiCoull(x, 150, level), "Clopper-Pearson": ClopperPearson(x,
					150, level),
				"Newcombe": Difference(x, 150, y, 200, level), "Miettinen-Nurminen": MiettinenNurminen(x, 150, y, 200,
					level), "Agresti-Caffo": AgrestiCaffo(x, 150, y, 200, level),
				"Katz": Ratio(x, 150, y, 200, level), "Woolf": OddsRatio(x, 150, y, 200, level), "exact Poisson": ExactCount(count,
					level), "Byar": Byar(count, level),
				"part of whole": Gap(group, Total([]Cell{group, rest}), group, level),
				"mean":          Mean(30, s1, q1, level), "Welch": Gap(Cell{N: 30, Sum: s1, SumSq: q1},
					Cell{N: 30, Sum: s2, SumSq: q2}, Cell{}, level),
			}, nil
		}},
		{"partial overlap", 4000, func() map[string]float64 {
			return map[string]float64{"gap": (100*.2+100*.5)/200 - (100*.5+150*.3)/250}
		}, func(rng *rand.Rand) (estimates, error) {
			x, s, y := binomial(rng, 100, .2), binomial(rng, 100, .5), binomial(rng, 150, .3)
			return estimates{"gap": Gap(Cell{N: 200, Sum: x + s, SumSq: x + s}, Cell{N: 250, Sum: y + s, SumSq: y + s},
				Cell{N: 100, Sum: s, SumSq: s}, level)}, nil
		}},
		{"clustered proportion", 3000, func() map[string]float64 { return map[string]float64{"share": .3} },
			func(rng *rand.Rand) (estimates, error) {
				var cells []Cell
				for g := range 50 {
					p := .3 + .15*(2*rng.Float64()-1)
					y := binomial(rng, 20, p)
					cells = append(cells, Cell{Cluster: g, N: 20, Sum: y, SumSq: y})
				}
				return estimates{"share": ClusteredMean(cells, level)}, nil
			}},
		{"Kitagawa", 2000, func() map[string]float64 {
			out := map[string]float64{}
			for _, attribution := range []Attribution{CrossClassified, OrderFree} {
				d, err := Kitagawa(wa.exact(), wb.exact(), KitagawaOptions{Level: .95, Attribution: attribution})
				if err != nil {
					t.Fatal(err)
				}
				for q, e := range d.quantities() {
					if e.SE > 0 {
						out[fmt.Sprint(attribution, q)] = e.Value
					}
				}
			}
			return out
		}, func(rng *rand.Rand) (estimates, error) {
			a, b := wa.draw(rng, 1200), wb.draw(rng, 2400)
			out := estimates{}
			for _, attribution := range []Attribution{CrossClassified, OrderFree} {
				d, err := Kitagawa(a, b, KitagawaOptions{Level: .95, Attribution: attribution})
				if err != nil {
					return nil, err
				}
				for q, e := range d.quantities() {
					out[fmt.Sprint(attribution, q)] = e
				}
			}
			return out, nil
		}},
		{"Kitagawa against a population that contains the group", 3000, func() map[string]float64 {
			d, err := Kitagawa(wa.exact(), append(scaleCells(wa.exact(), 700./1500), wb.exact()...),
				KitagawaOptions{Level: .95, TotalsOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"composition": d.Composition.Value, "rate": d.Rate.Value, "gap": d.Gap.Value}
		}, func(rng *rand.Rand) (estimates, error) {
			a := wa.draw(rng, 700)
			d, err := Kitagawa(a, append(wb.draw(rng, 1500), a...), KitagawaOptions{Level: .95, TotalsOnly: true, Shared: a})
			if err != nil {
				return nil, err
			}
			return estimates{"composition": d.Composition, "rate": d.Rate, "gap": d.Gap}, nil
		}},
		{"out of support", 3000, func() map[string]float64 {
			d, err := Kitagawa(wa.exact()[:5], wb.exact()[1:], KitagawaOptions{Level: .95, TotalsOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"A": d.OutOfSupportA.Value, "B": d.OutOfSupportB.Value, "composition": d.Composition.Value,
				"rate": d.Rate.Value}
		}, func(rng *rand.Rand) (estimates, error) {
			d, err := Kitagawa(wa.draw(rng, 700)[:5], wb.draw(rng, 1500)[1:], KitagawaOptions{Level: .95, TotalsOnly: true})
			if err != nil {
				return nil, err
			}
			return estimates{"A": d.OutOfSupportA, "B": d.OutOfSupportB, "composition": d.Composition, "rate": d.Rate}, nil
		}},
		{"standardisation", 3000, func() map[string]float64 {
			s, err := Standardise(wa.exact(), wb.exact(), StandardiseOptions{Level: .95})
			if err != nil {
				t.Fatal(err)
			}
			i, err := Indirect(wa.exact(), wb.exact(), IndirectOptions{Level: .95, Multiplier: 1, Binomial: true})
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"A": s.A.Value, "gap": s.Gap.Value, "ratio": s.Ratio.Value, "direct": s.A.Value,
				"indirect": i.Ratio.Value}
		}, func(rng *rand.Rand) (estimates, error) {
			a, b := wa.draw(rng, 700), wb.draw(rng, 1500)
			s, err := Standardise(a, b, StandardiseOptions{Level: .95, RandomStandard: true})
			if err != nil {
				return nil, err
			}
			d, err := Direct(a, wb.exact(), DirectOptions{Level: .95, Multiplier: 1})
			if err != nil {
				return nil, err
			}
			i, err := Indirect(a, b, IndirectOptions{Level: .95, Multiplier: 1, Binomial: true})
			if err != nil {
				return nil, err
			}
			return estimates{"A": s.A, "gap": s.Gap, "ratio": s.Ratio, "direct": d.Standardised, "indirect": i.Ratio}, nil
		}},
		{"rare events", 4000, func() map[string]float64 {
			return map[string]float64{"Dobson-Byar": .5*.02 + .5*.04, "Fay-Feuer": .5*.02 + .5*.04}
		}, func(rng *rand.Rand) (estimates, error) {
			x, y := binomial(rng, 800, .02), binomial(rng, 500, .04)
			cells := []Cell{{Key: []int{0}, N: 800, Sum: x, SumSq: x}, {Key: []int{1}, N: 500, Sum: y, SumSq: y}}
			standard := []Cell{{Key: []int{0}, N: 1}, {Key: []int{1}, N: 1}}
			dobson, err := Direct(cells, standard, DirectOptions{Level: .95, Multiplier: 1, Interval: DobsonByar})
			if err != nil {
				return nil, err
			}
			gamma, err := Direct(cells, standard, DirectOptions{Level: .95, Multiplier: 1, Interval: FayFeuer})
			return estimates{"Dobson-Byar": dobson.Standardised, "Fay-Feuer": gamma.Standardised}, err
		}},
		{"adjustment", 1500, func() map[string]float64 {
			g, err := Adjust(scaleCells(logitA.exact(), 7), scaleCells(logitB.exact(), 15),
				AdjustOptions{Level: .95, Model: Logit})
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"linear": .06, "logit": g.Adjusted.Value, "odds ratio": math.Exp(.4)}
		}, func(rng *rand.Rand) (estimates, error) {
			linear, err := Adjust(modelWorld(identity, few, .36, .15, -.08, .1).draw(rng, 700),
				modelWorld(identity, many, .3, .15, -.08, .1).draw(rng, 1500), AdjustOptions{Level: .95})
			if err != nil {
				return nil, err
			}
			logit, err := Adjust(logitA.draw(rng, 700), logitB.draw(rng, 1500), AdjustOptions{Level: .95, Model: Logit})
			if err != nil {
				return nil, err
			}
			return estimates{"linear": linear.Adjusted, "logit": logit.Adjusted, "odds ratio": logit.OddsRatio}, nil
		}},
		{"Oaxaca-Blinder", 1500, func() map[string]float64 {
			return nonzero(t, func() (map[string]Estimate, error) {
				o, err := OaxacaBlinder(linearA.exact(), linearB.exact(), OaxacaOptions{Level: .95, Reference: Reimers})
				if err != nil {
					return nil, err
				}
				return o.parts(), nil
			})
		}, func(rng *rand.Rand) (estimates, error) {
			o, err := OaxacaBlinder(linearA.draw(rng, 700), linearB.draw(rng, 1500),
				OaxacaOptions{Level: .95, Reference: Reimers})
			if err != nil {
				return nil, err
			}
			return o.parts(), nil
		}},
		{"pooled Oaxaca-Blinder", 1500, func() map[string]float64 {
			o, err := OaxacaBlinder(scaleCells(linearA.exact(), 7), scaleCells(linearB.exact(), 15), OaxacaOptions{Level: .95})
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"explained": o.Explained.Value, "unexplained": o.Unexplained.Value}
		}, func(rng *rand.Rand) (estimates, error) {
			o, err := OaxacaBlinder(linearA.draw(rng, 700), linearB.draw(rng, 1500), OaxacaOptions{Level: .95})
			if err != nil {
				return nil, err
			}
			return estimates{"explained": o.Explained, "unexplained": o.Unexplained}, nil
		}},
		{"Fairlie", 1500, func() map[string]float64 {
			return nonzero(t, func() (map[string]Estimate, error) {
				f, err := Fairlie(curvedA.exact(), curvedB.exact(), OaxacaOptions{Level: .95, Reference: ReferenceB})
				if err != nil {
					return nil, err
				}
				return f.parts(), nil
			})
		}, func(rng *rand.Rand) (estimates, error) {
			f, err := Fairlie(curvedA.draw(rng, 700), curvedB.draw(rng, 1500), OaxacaOptions{Level: .95, Reference: ReferenceB})
			if err != nil {
				return nil, err
			}
			return f.parts(), nil
		}},
		{"clusters", 2500, func() map[string]float64 { return map[string]float64{"adjusted": .1} },
			func(rng *rand.Rand) (estimates, error) {
				g, err := Adjust(drawAreas(rng, 0, 30, .1), drawAreas(rng, 30, 30, 0),
					AdjustOptions{Level: .95, Draws: 999, Covariance: Clustered})
				if err != nil {
					return nil, err
				}
				return estimates{"adjusted": g.Adjusted}, nil
			}},
		{"few clusters", 600, func() map[string]float64 { return map[string]float64{"adjusted": .1} },
			func(rng *rand.Rand) (estimates, error) {
				g, err := Adjust(drawAreas(rng, 0, 6, .1), drawAreas(rng, 6, 6, 0),
					AdjustOptions{Level: .95, Covariance: Clustered, Seed: 1, Draws: 399})
				if err != nil {
					return nil, err
				}
				return estimates{"adjusted": g.Adjusted}, nil
			}},
		{"trend and gradient", 4000, func() map[string]float64 {
			// values .2, .3, .4, .5 in four groups of equal size
			return map[string]float64{"slope": .1, "SII": .1 * 4, "RII": .55 / .15}
		}, func(rng *rand.Rand) (estimates, error) {
			var x, n, scores []float64
			var cells []Cell
			for i := range 4 {
				y := binomial(rng, 150, .2+.1*float64(i))
				x, n, scores = append(x, y), append(n, 150), append(scores, float64(i))
				cells = append(cells, Cell{Key: []int{i}, N: 150, Sum: y, SumSq: y})
			}
			trend, err := Trend(x, n, scores, level)
			if err != nil {
				return nil, err
			}
			s, err := SlopeIndexOf(cells, level)
			if err != nil {
				return nil, err
			}
			return estimates{"slope": trend.Slope, "SII": s.Slope, "RII": s.Relative}, nil
		}},
		{"segregation", 4000, func() map[string]float64 {
			s, err := Segregate(units(8e8, 6e8, 4e8, 2e8), units(3e8, 6e8, 9e8, 12e8), nil, level)
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"dissimilarity": s.Dissimilarity.Value, "isolation": s.Isolation.Value}
		}, func(rng *rand.Rand) (estimates, error) {
			place := func(n int, shares []float64) (counts []float64) {
				counts = make([]float64, len(shares))
				for range n {
					u, i := rng.Float64(), 0
					for ; i < len(shares)-1 && u >= shares[i]; i++ {
						u -= shares[i]
					}
					counts[i]++
				}
				return counts
			}
			s, err := Segregate(units(place(200, []float64{.4, .3, .2, .1})...), units(place(300, []float64{.1, .2, .3, .4})...),
				nil, level)
			if err != nil {
				return nil, err
			}
			return estimates{"dissimilarity": s.Dissimilarity, "isolation": s.Isolation}, nil
		}},
		{"areas", 400, func() map[string]float64 {
			return map[string]float64{"variance": .5, "median odds ratio": math.Exp(.95387 * math.Sqrt(.5))}
		}, func(rng *rand.Rand) (estimates, error) {
			var cells []Cell
			for area := range 50 {
				y := binomial(rng, 40, logistic(-.5+math.Sqrt(.5)*rng.NormFloat64()))
				cells = append(cells, Cell{Cluster: area, N: 40, Sum: y, SumSq: y})
			}
			v, err := BetweenAreas(cells, nil, level, nil)
			if err != nil {
				return nil, err
			}
			return estimates{"variance": v.Before.Variance, "median odds ratio": v.Before.MedianOddsRatio}, nil
		}},
	}

	// What does not cover 93.5 to 96.5 %, by nature.
	exceptions := map[string][2]float64{
		"proportions: Clopper-Pearson": {0.95, 0.98},  // never below its level, so above on average
		"proportions: exact Poisson":   {0.95, 0.98},  // likewise
		"rare events: Fay-Feuer":       {0.95, 0.985}, // likewise
	}
	for i, s := range simulations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(2018, uint64(i)))
			truth := s.truth()
			covered, counted := map[string]int{}, map[string]int{}
			for range s.draws {
				drawn, err := s.draw(rng)
				if err != nil {
					t.Fatal(err)
				}
				for name, e := range drawn {
					want, known := truth[name]
					if !known {
						continue
					}
					counted[name]++
					if e.Lower <= want && want <= e.Upper {
						covered[name]++
					}
				}
			}
			var names []string
			for name := range truth {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				share := float64(covered[name]) / float64(counted[name])
				bounds, excepted := exceptions[s.name+": "+name]
				if !excepted {
					bounds = [2]float64{0.935, 0.965}
				}
				if share < bounds[0] || share > bounds[1] || counted[name] < s.draws*9/10 {
					t.Errorf("%s covers %.2f %% in %d draws, want %.1f to %.1f %%", name, 100*share, counted[name], 100*bounds[0],
						100*bounds[1])
				} else {
					t.Logf("%s covers %.2f %%", name, 100*share)
				}
			}
		})
	}
}
