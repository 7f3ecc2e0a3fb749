package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func (c *publishedCase) checkBounds(b Bounds, path ...any) {
	c.t.Helper()
	c.pair(Estimate{Lower: b.Lower, Upper: b.Upper}, path...)
}

func checkBoundsCase(t *testing.T, c *publishedCase) {
	groups := map[string]Partly{}
	response := map[string]float64{}
	for _, r := range c.rows() {
		n, obs, y := c.number(r["n"]), c.number(r["obs"]), c.number(r["y"])
		groups[r["group"]] = Partly{Known: []Cell{{N: obs, Sum: y, SumSq: y}}, Unknown: []Cell{{N: n - obs}}}
		response[r["group"]] = obs / n
	}
	a, b, opts := groups["1"], groups["0"], BoundOptions{Level: .95}
	for name, g := range groups {
		c.check(response[name], "response_rate", "g"+name)
		c.checkBounds(good(ShareBounds(g, opts)), "mean_bounds", "g"+name)
	}
	c.checkBounds(good(GapBounds(a, b, opts)), "gap_bounds")
	c.check(Total(a.Known).Mean()-Total(b.Known).Mean(), "complete_case_gap")
	e := good(BoundEffect(a.Known, b.Known, opts))
	c.checkBounds(e.Worst, "ate_bounds")
	c.checkBounds(e.Monotone, "mtr_bounds")
	c.checkBounds(e.Selected, "mts_bounds")
	c.check(float64(oneIf(e.Both.Empty)), "mtr_mts_empty")
	lee, trimmed, err := LeeBounds(a, b, opts)
	if err != nil {
		t.Fatal(err)
	}
	c.checkBounds(lee, "lee", "bounds")
	c.check(trimmed, "lee", "trim_share")
	c.check(float64(oneIf(response["1"] > response["0"])), "lee", "trimmed_group")
	turned, _, err := LeeBounds(b, a, opts)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "sides turned", turned.Lower, -lee.Upper, 1e-12)
	near(t, "limits with sides turned", turned.From, -lee.To, 1e-9)
	for _, x := range []Bounds{lee, e.Worst, good(GapBounds(a, b, opts))} {
		if !(x.From < x.Lower && x.To > x.Upper) {
			t.Errorf("the interval does not reach beyond the bounds: %+v", x)
		}
	}
}

func TestBoundsCases(t *testing.T) {
	t.Run("a", func(t *testing.T) { checkBoundsCase(t, openCase(t, "bounds_manski_lee_a")) })
	t.Run("b", func(t *testing.T) { checkBoundsCase(t, openCase(t, "bounds_manski_lee_b")) })
}

// Intervals hold a truth at the very end of the bounds in 95 % of worlds, for persons as for clusters that differ.
func TestBoundsCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 13))
	const worlds = 400
	type side = struct{ yes, no float64 } // shares; the rest is not known
	for name, spread := range map[string]float64{"persons": 0, "clusters": .6} {
		held := map[string]float64{}
		truth := [2]side{{.35, .45}, {.25, .45}}
		for range worlds {
			var groups [2]Partly
			for s, of := range truth {
				for cluster := range 40 {
					u := math.Exp(spread * rng.NormFloat64())
					// the known stay as many; who has the outcome varies by cluster, 2/3 in the mean over clusters
					p := of.yes / (of.yes + of.no)
					p = p * u / (p*u + 1 - p)
					var c Cell
					var none float64
					for range 10 {
						switch r := rng.Float64(); {
						case r > of.yes+of.no:
							none++
						case r < p*(of.yes+of.no):
							c.N, c.Sum, c.SumSq = c.N+1, c.Sum+1, c.SumSq+1
						default:
							c.N++
						}
					}
					c.Cluster = 40*s + cluster
					groups[s].Known = append(groups[s].Known, c)
					groups[s].Unknown = append(groups[s].Unknown, Cell{Cluster: c.Cluster, N: none})
				}
			}
			opts := BoundOptions{Level: .95, Clustered: spread > 0}
			lee, _, err := LeeBounds(groups[0], groups[1], opts)
			if err != nil {
				t.Fatal(err)
			}
			effect := good(BoundEffect(groups[0].Known, groups[1].Known, opts))
			gap := good(GapBounds(groups[0], groups[1], opts))
			for what, x := range map[string]Bounds{"lee": lee, "gap": gap, "effect": effect.Worst, "selected": effect.Selected} {
				low, high := populationBounds(what, truth, spread)
				held[what+" low"] += float64(oneIf(x.From <= low && low <= x.To)) / worlds
				held[what+" high"] += float64(oneIf(x.From <= high && high <= x.To)) / worlds
			}
		}
		for what, share := range held {
			t.Logf("%s, %s: %.3f", name, what, share)
			if share < .92 || share > .985 {
				t.Errorf("%s: the end %s is held in %.3f", name, what, share)
			}
		}
	}
}

// populationBounds are the ends without error, where the odds of the outcome vary by cluster as exp(spread·z).
func populationBounds(what string, truth [2]struct{ yes, no float64 }, spread float64) (low, high float64) {
	var yes, no [2]float64
	for s, of := range truth {
		known, p := of.yes+of.no, of.yes/(of.yes+of.no)
		const steps = 4000
		for i := range steps {
			u := math.Exp(spread * oneSidedQuantile((float64(i)+.5)/steps))
			yes[s] += known * p * u / (p*u + 1 - p) / steps
		}
		no[s] = known - yes[s]
	}
	switch what {
	case "gap":
		return yes[0] - (1 - no[1]), 1 - no[0] - yes[1]
	case "lee": // the first is known more often
		s := yes[1] + no[1]
		return (no[1] - no[0]) / s, (yes[0] - yes[1]) / s
	}
	k0, k1 := yes[0]+no[0], yes[1]+no[1]
	w, p1, p0 := k0/(k0+k1), yes[0]/k0, yes[1]/k1
	low, high = w*p1-(1-w)*p0-w, w*p1+(1-w)-(1-w)*p0
	if what == "selected" {
		high = p1 - p0
	}
	return low, high
}

func TestBoundsRefuse(t *testing.T) {
	known := Partly{Known: []Cell{{N: 5, Sum: 2, SumSq: 2}}}
	for name, err := range map[string]error{
		"nobody":        second(ShareBounds(Partly{}, BoundOptions{Level: .95})),
		"a measure":     second(ShareBounds(Partly{Known: []Cell{{N: 2, Sum: 5, SumSq: 13}}}, BoundOptions{Level: .95})),
		"a level":       second(GapBounds(known, known, BoundOptions{})),
		"an empty side": second(BoundEffect(known.Known, nil, BoundOptions{Level: .95})),
	} {
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := LeeBounds(known, Partly{Unknown: []Cell{{N: 3}}},
		BoundOptions{Level: .95}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("nobody known: %v", err)
	}
	one := good(ShareBounds(known, BoundOptions{Level: .95, Clustered: true}))
	if !math.IsNaN(one.From) || len(one.Warnings) != 1 || one.Lower != .4 {
		t.Errorf("one cluster: %+v", one)
	}
	none := good(ShareBounds(Partly{Known: []Cell{{N: 5}}}, BoundOptions{Level: .95}))
	if !math.IsNaN(none.From) || none.Upper != 0 {
		t.Errorf("nobody has it: %+v", none)
	}
}
