package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// A placeWorld is a country of places. A cohort is all who live in its places, which are drawn anew with
// each seed: a place has a size, a composition and an effect on the outcome of all its residents, each of
// its own.
type placeWorld struct {
	placesA, placesB int
	sd               float64 // of the effect of a place, on the log odds
}

func (w placeWorld) String() string {
	return fmt.Sprintf("%d beside %d places, sd %.2f", w.placesA, w.placesB, w.sd)
}

var (
	logits      = [2][3]float64{{-1.4, -.9, -.5}, {-.8, -.4, .1}} // of the outcome, by category
	commonness  = [2][6]float64{{.2, .5, .6, -.3, 0, .1}, {.9, .6, .1, .2, -.2, -.8}}
	sizes       = [2]struct{ median, spread float64 }{{70, .5}, {150, .8}} // of places, log-normal
	groupEffect = .25
)

// composition of a place of a side, whose log shares are moved by moves.
func composition(side int, moves func() float64) (shares [6]float64) {
	var sum float64
	for k := range shares {
		shares[k] = math.Exp(commonness[side][k] + .3*moves())
		sum += shares[k]
	}
	for k := range shares {
		shares[k] /= sum
	}
	return shares
}

func placeLogit(side, k int) float64 {
	return logits[k/3][k%3] + groupEffect*float64(1-side)
}

func (w placeWorld) draw(rng *rand.Rand) (a, b []Cell) {
	for side, places := range [2]int{w.placesA, w.placesB} {
		for place := range places {
			left := int(math.Ceil(sizes[side].median * math.Exp(sizes[side].spread*rng.NormFloat64())))
			effect, rest := w.sd*rng.NormFloat64(), 1.0
			for k, share := range composition(side, rng.NormFloat64) {
				n := float64(left)
				if k < 5 {
					n = binomial(rng, left, math.Min(1, share/rest))
				}
				left, rest = left-int(n), rest-share
				if n == 0 {
					continue
				}
				y := binomial(rng, int(n), logistic(placeLogit(side, k)+effect))
				c := Cell{Key: []int{k / 3, k % 3}, Cluster: 1000*side + place, N: n, Sum: y, SumSq: y}
				if side == 0 {
					a = append(a, c)
				} else {
					b = append(b, c)
				}
			}
		}
	}
	return a, b
}

// exact is the world of ever more places.
func (w placeWorld) exact() (a, b []Cell) {
	rng := rand.New(rand.NewPCG(1, 2))
	for side := range 2 {
		var mean [6]float64
		const draws = 50_000
		for range draws {
			for k, share := range composition(side, rng.NormFloat64) {
				mean[k] += share / draws
			}
		}
		for k, share := range mean {
			var rate float64
			const points = 400
			for i := range points {
				rate += logistic(placeLogit(side, k)+w.sd*distuv.UnitNormal.Quantile((float64(i)+.5)/points)) / points
			}
			n := 1e5 * sizes[side].median * math.Exp(sizes[side].spread*sizes[side].spread/2) *
				float64([2]int{w.placesA, w.placesB}[side]) * share
			c := Cell{Key: []int{k / 3, k % 3}, Cluster: side, N: n, Sum: rate * n, SumSq: rate * n}
			if side == 0 {
				a = append(a, c)
			} else {
				b = append(b, c)
			}
		}
	}
	return a, b
}

// clusteredEstimates are those whose intervals are to cover; without clusters, as of independent persons.
func clusteredEstimates(a, b []Cell, clustered bool) (map[string]Estimate, error) {
	const level = .95
	out := map[string]Estimate{}
	totalA, totalB := Total(a), Total(b)
	out["share"], out["gap"] = Wilson(totalA.Sum, totalA.N, level), Gap(totalA, totalB, Cell{}, level)
	out["ratio"] = Ratio(totalA.Sum, totalA.N, totalB.Sum, totalB.N, level)
	covariance := Robust
	if clustered {
		covariance = Clustered
		out["share"], out["gap"] = ClusteredMean(a, level), ClusteredGap(a, b, nil, level)
		out["ratio"] = ClusteredRatio(a, b, nil, level)
	}
	k, err := Kitagawa(a, b, KitagawaOptions{Level: level, Clustered: clustered})
	if err != nil {
		return nil, err
	}
	out["Kitagawa composition"], out["Kitagawa rate"] = k.Composition, k.Rate
	for _, c := range k.Contributions {
		if c.Category < 0 {
			out[fmt.Sprintf("contribution of dimension %d", c.Dimension+1)] = c.Composition
		}
	}
	s, err := Standardise(a, b, StandardiseOptions{Level: level, Clustered: clustered, RandomStandard: true})
	if err != nil {
		return nil, err
	}
	out["standardised"], out["standardised gap"], out["standardised ratio"] = s.A, s.Gap, s.Ratio
	for _, model := range []Model{Linear, Logit} {
		g, err := Adjust(a, b, AdjustOptions{Level: level, Model: model, Covariance: covariance, Draws: 99})
		if err != nil {
			return nil, err
		}
		out["adjusted, "+model.String()] = g.Adjusted
	}
	o, err := OaxacaBlinder(a, b, OaxacaOptions{Level: level, Clustered: clustered, Robust: !clustered})
	if err != nil {
		return nil, err
	}
	out["Oaxaca-Blinder explained"], out["Oaxaca-Blinder unexplained"] = o.Explained, o.Unexplained
	f, err := Fairlie(a, b, OaxacaOptions{Level: level, Clustered: clustered})
	if err != nil {
		return nil, err
	}
	out["Fairlie explained"], out["Fairlie unexplained"] = f.Explained, f.Unexplained
	return out, nil
}

// covering is how often an interval held the truth, and how long it was.
type covering struct {
	world, estimate                      string
	covered, naive, draws                int
	length, naiveLength, sd, se, freedom float64
}

func (w placeWorld) simulate(t *testing.T, draws int) (out []covering) {
	exactA, exactB := w.exact()
	truth, err := clusteredEstimates(exactA, exactB, false)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]*covering{}
	var names []string
	for name := range truth {
		results[name] = &covering{world: w.String(), estimate: name}
		names = append(names, name)
	}
	sort.Strings(names)
	for seed := range draws {
		a, b := w.draw(rand.New(rand.NewPCG(uint64(seed), 2018)))
		robust, err := clusteredEstimates(a, b, true)
		if err != nil {
			t.Fatal(err)
		}
		naive, err := clusteredEstimates(a, b, false)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range results {
			e, n, want := robust[name], naive[name], truth[name].Value
			if math.IsNaN(e.Lower) {
				continue
			}
			c.draws++
			if e.Lower <= want && want <= e.Upper {
				c.covered++
			}
			if n.Lower <= want && want <= n.Upper {
				c.naive++
			}
			c.length += (e.Upper - e.Lower)
			c.naiveLength += (n.Upper - n.Lower)
			c.sd += (e.Value - want) * (e.Value - want)
			c.se += e.SE * e.SE
			c.freedom += e.Design.DF
		}
	}
	for _, name := range names {
		c := results[name]
		n := float64(c.draws)
		for _, sum := range []*float64{&c.length, &c.naiveLength, &c.sd, &c.se, &c.freedom} {
			*sum /= n
		}
		if c.draws < draws*9/10 {
			t.Errorf("%s: %s has an interval in %d of %d draws", w, name, c.draws, draws)
		}
		out = append(out, *c)
	}
	return out
}

// short is the p value of an interval that covers at least least, one-sided, of as few as covered.
func (c covering) short(least float64) float64 {
	return distuv.Binomial{N: float64(c.draws), P: least}.CDF(float64(c.covered))
}

// holm returns the positions of p values that are rejected at alpha over all (Holm 1979, Scand. J. Stat. 6:65).
func holm(p []float64, alpha float64) (rejected []int) {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case p[i] < p[j]:
			return -1
		case p[i] > p[j]:
			return 1
		}
		return 0
	})
	for rank, i := range order {
		if p[i] > alpha/float64(len(p)-rank) {
			break
		}
		rejected = append(rejected, i)
	}
	return rejected
}

// TestClusteredIntervalsCover redraws places, as few as 5, and fails where a 95 % interval covers
// significantly less than 93 % (Holm over all). KVARTER_TEST_LONG=1 draws each world 1,000 times, which
// takes some minutes, and reports what covers more than 97 % with its length; without it fewer worlds are
// drawn, each a few dozen times.
func TestClusteredIntervalsCover(t *testing.T) {
	draws, worlds := 60, []placeWorld{{5, 98, .3}, {20, 98, .3}}
	if os.Getenv("KVARTER_TEST_LONG") != "" {
		draws, worlds = 1000, nil
		for _, sd := range []float64{.15, .3} {
			for _, places := range []int{5, 10, 20, 50, 100} {
				worlds = append(worlds, placeWorld{places, 98, sd})
			}
			worlds = append(worlds, placeWorld{50, 5, sd}, placeWorld{10, 10, sd})
		}
	} else if testing.Short() {
		t.Skip("a simulation of some seconds")
	}
	simulated := make([][]covering, len(worlds))
	var wait sync.WaitGroup
	for i, w := range worlds {
		wait.Go(func() { simulated[i] = w.simulate(t, draws) })
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	all := slices.Concat(simulated...)
	var p []float64
	var table strings.Builder
	fmt.Fprintf(&table, "%-34s %-28s %7s %7s %8s %8s %7s %6s\n", "world", "estimate", "covers", "naive", "length",
		"naive", "SE/SD", "df")
	for _, c := range all {
		p = append(p, c.short(.93))
		mark := ""
		if float64(c.covered) > .97*float64(c.draws) {
			mark = " long"
		}
		share := func(n int) float64 { return 100 * float64(n) / float64(c.draws) }
		fmt.Fprintf(&table, "%-34s %-28s %6.1f%% %6.1f%% %8.4f %8.4f %7.2f %6.1f%s\n", c.world, c.estimate, share(c.covered),
			share(c.naive), c.length, c.naiveLength, math.Sqrt(c.se/c.sd), c.freedom, mark)
	}
	t.Log("\n" + table.String())
	for _, i := range holm(p, .05) {
		c := all[i]
		t.Errorf("%s: %s covers %.1f %% of %d, significantly below 93 %%", c.world, c.estimate,
			100*float64(c.covered)/float64(c.draws), c.draws)
	}
}

// country draws 100 areas beside 98 municipalities, a year of two ages, by five dimensions.
func country() (a, b []Cell) {
	rng := rand.New(rand.NewPCG(7, 8))
	levels := []int{2, 3, 4, 5, 3}
	for side, places := range [2]int{100, 98} {
		for place := range places {
			n := math.Ceil([2]float64{60, 1000}[side] * math.Exp(.6*rng.NormFloat64()))
			effect := .3 * rng.NormFloat64()
			index := map[[5]int]int{}
			var own []Cell
			for range int(n) {
				var key [5]int
				eta := -1 + effect
				for d, size := range levels {
					key[d] = min(int(rng.ExpFloat64()*float64(size)/3), size-1)
					eta += .1 * float64(key[d])
				}
				at, found := index[key]
				if !found {
					at = len(own)
					index[key] = at
					own = append(own, Cell{Key: slices.Clone(key[:]), Cluster: 1000*side + place})
				}
				own[at].N++
				if rng.Float64() < logistic(eta) {
					own[at].Sum++
					own[at].SumSq++
				}
			}
			if side == 0 {
				a = append(a, own...)
			} else {
				b = append(b, own...)
			}
		}
	}
	return a, b
}

func BenchmarkClustered(b *testing.B) {
	x, y := country()
	totalX, totalY := byCluster(x), byCluster(y)
	families := func(cells []Cell, from int) (out []Cell) {
		for _, c := range cells {
			for range int(c.N) {
				share := c.Sum / c.N
				out = append(out, Cell{Key: c.Key, Cluster: from + len(out)/2, N: 1, Sum: share, SumSq: share})
			}
		}
		return out
	}
	familiesX, familiesY := families(x, 0), families(y, 1_000_000)
	for name, f := range map[string]func() error{
		"share":        func() error { ClusteredMean(totalY, .95); return nil },
		"gap":          func() error { ClusteredGap(totalX, totalY, nil, .95); return nil },
		"gap of cells": func() error { ClusteredGap(x, y, nil, .95); return nil },
		"Kitagawa": func() error {
			_, err := Kitagawa(x, y, KitagawaOptions{Level: .95, Clustered: true})
			return err
		},
		"Kitagawa, totals": func() error {
			_, err := Kitagawa(x, y, KitagawaOptions{Level: .95, Clustered: true, TotalsOnly: true})
			return err
		},
		"Kitagawa, order-free": func() error {
			_, err := Kitagawa(x, y, KitagawaOptions{Level: .95, Clustered: true, Attribution: OrderFree})
			return err
		},
		"Kitagawa, order-free, independent": func() error {
			_, err := Kitagawa(x, y, KitagawaOptions{Level: .95, Attribution: OrderFree})
			return err
		},
		"standardised": func() error {
			_, err := Standardise(x, y, StandardiseOptions{Level: .95, Clustered: true})
			return err
		},
		"adjusted": func() error {
			_, err := Adjust(x, y, AdjustOptions{Level: .95, Covariance: Clustered, Draws: 999})
			return err
		},
		"adjusted, independent": func() error {
			_, err := Adjust(x, y, AdjustOptions{Level: .95})
			return err
		},
		"adjusted, few": func() error {
			_, err := Adjust(x[:400], y, AdjustOptions{Level: .95, Covariance: Clustered, Draws: 999})
			return err
		},
		"adjusted, logit": func() error {
			_, err := Adjust(x, y, AdjustOptions{Level: .95, Model: Logit, Covariance: Clustered, Draws: 999})
			return err
		},
		"Oaxaca-Blinder": func() error {
			_, err := OaxacaBlinder(x, y, OaxacaOptions{Level: .95, Clustered: true})
			return err
		},
		"Fairlie": func() error {
			_, err := Fairlie(x, y, OaxacaOptions{Level: .95, Clustered: true})
			return err
		},
		"adjusted by families": func() error {
			_, err := Adjust(familiesX, familiesY, AdjustOptions{Level: .95, Covariance: Clustered, Draws: 999})
			return err
		},
		"gap by families": func() error { ClusteredGap(familiesX, familiesY, nil, .95); return nil },
		"Kitagawa by families": func() error {
			_, err := Kitagawa(familiesX, familiesY, KitagawaOptions{Level: .95, Clustered: true})
			return err
		},
	} {
		b.Run(fmt.Sprintf("%s/cells=%d", name, len(x)+len(y)), func(b *testing.B) {
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
