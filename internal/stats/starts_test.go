package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func startsOf(t *testing.T, starts []StartCells, opts DifferenceOptions) *StartEffects {
	t.Helper()
	r, err := ChangesByStart(starts, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// person is a cell of one.
func person(cluster int, y float64) Cell { return Cell{Cluster: cluster, N: 1, Sum: y, SumSq: y * y} }

func persons(first int, ys ...float64) (cells []Cell) {
	for i, y := range ys {
		cells = append(cells, person(first+i/2, y))
	}
	return cells
}

func TestChangesByStartByHand(t *testing.T) {
	starts := []StartCells{
		{Start: 2013, Treated: persons(0, 5, 7), Controls: persons(0, 1, 1, 3, 3)},
		{Start: 2012, Treated: persons(0, 1, 3, 5, 3), Controls: persons(2, 0, 2, 1, 1, 0, 2)},
		{Start: 2014, Treated: persons(0, 1, 2, 3)},
		{Start: 2015, Controls: persons(0, 1)},
	}
	r := startsOf(t, starts, DifferenceOptions{Level: .95})
	// 2012: means 3 and 1, effect 2; 2013: means 6 and 2, effect 4. Shares 4/6 and 2/6.
	near(t, "2012", r.ByStart[0].Effect.Value, 2, 1e-12)
	near(t, "2013", r.ByStart[1].Effect.Value, 4, 1e-12)
	near(t, "overall", r.Overall.Effect.Value, 8./3, 1e-12)
	// s² 8/3 over 4, 4/5 over 6; 2 over 2, 4/3 over 4; then 4(2-8/3)²/36 + 2(4-8/3)²/36.
	want := 4./9*(8./12+4./30) + 1./9*(1+1./3) + (4*4./9+2*16./9)/36
	near(t, "variance", r.Overall.Effect.SE*r.Overall.Effect.SE, want, 1e-12)
	near(t, "change of the treated", r.Overall.TreatedChange.Value, 4, 1e-12)
	near(t, "change of the controls", r.Overall.ControlChange.Value, 4./3, 1e-12)
	if r.Overall.Treated != 6 || r.Overall.Controls != 10 || r.TreatedLeftOut != 3 ||
		!slices.Equal(r.LeftOut, []int{2014, 2015}) {
		t.Errorf("%+v", r)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "3 treated: 2014") {
		t.Errorf("warnings %q", r.Warnings)
	}
	if !math.IsNaN(r.Overall.GapBefore.Value) || len(r.Overall.GapBefore.Warnings) == 0 {
		t.Errorf("gap before %+v, but only changes are given", r.Overall.GapBefore)
	}

	// Areas, by cluster. 2012: residuals of the treated -2, 0 in area 0 and 2, 0 in area 1, over 6;
	// of the controls 0 in each. 2013: treated -1, 1 in area 0; controls -1, -1 in area 0, 1, 1 in
	// area 1, times -2/6/4. Shares: 2 treated in areas 0 and 1 times -2/3/6, 2 in area 0 times 4/3/6.
	c := startsOf(t, starts, DifferenceOptions{Level: .95, Clustered: true})
	area0 := -2./6 + 2./12 - 4./18 + 8./18
	area1 := 2./6 - 2./12 - 4./18
	want = (area0*area0 + area1*area1) * 5 / 4 * 15 / 12 // areas 0 to 4; 16 persons in 4 groups
	near(t, "clustered variance", c.Overall.Effect.SE*c.Overall.Effect.SE, want, 1e-12)
	if len(c.Overall.Warnings) != 1 || !strings.Contains(c.Overall.Warnings[0], "2 treated clusters are few") {
		t.Errorf("warnings %q", c.Overall.Warnings)
	}
	if e := c.ByStart[1].Effect; !math.IsNaN(e.SE) || e.Value != 4 ||
		!strings.Contains(strings.Join(e.Warnings, " "), "the treated are in a single cluster") {
		t.Errorf("one treated area: %+v", e)
	}
}

// drawStarts draws persons in areas, who start in one of three years. A person's value changes by what the
// year does to all, what the area does to its residents, what the area's activity adds, and chance; the
// effect grows with the year. Every person is drawn with area, year and arm.
func drawStarts(rng *rand.Rand, areas, size int, byArea float64) (starts []StartCells) {
	starts = []StartCells{{Start: 2012}, {Start: 2013}, {Start: 2014}}
	for area := range areas {
		all, activity := byArea*rng.NormFloat64(), byArea*rng.NormFloat64()
		var cells [3][2][3]Cell // by year, arm, and change, before, after
		for range size/2 + rng.IntN(size) {
			g, arm := min(2, rng.IntN(4)), 0
			before := 2 + rng.NormFloat64()
			change := .3*float64(g) + all + rng.NormFloat64()
			if rng.Float64() < .3+.1*float64(g) {
				change += .5*float64(g) + activity
				arm = 1
			}
			for i, y := range []float64{change, before, before + change} {
				c := &cells[g][arm][i]
				*c = Cell{Cluster: area, N: c.N + 1, Sum: c.Sum + y, SumSq: c.SumSq + y*y}
			}
		}
		for g := range starts {
			s, c := &starts[g], cells[g]
			s.Controls, s.ControlsBefore, s.ControlsAfter = append(s.Controls, c[0][0]), append(s.ControlsBefore,
				c[0][1]), append(s.ControlsAfter, c[0][2])
			s.Treated, s.TreatedBefore, s.TreatedAfter = append(s.Treated, c[1][0]), append(s.TreatedBefore,
				c[1][1]), append(s.TreatedAfter, c[1][2])
		}
	}
	return starts
}

// With one start all is as DifferenceOfChanges has it, whatever the standard error.
func TestOneStartIsADifferenceOfChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(81, 82))
	for _, opts := range []DifferenceOptions{{Level: .95}, {Level: .95, Pooled: true}, {Level: .95, Clustered: true},
		{Level: .8}} {
		for i, s := range drawStarts(rng, 12, 8, .5) {
			want, err := DifferenceOfChanges(s.Treated, s.Controls, opts)
			if err != nil {
				t.Fatal(err)
			}
			all := startsOf(t, []StartCells{s}, opts)
			for _, got := range []StartEffect{all.Overall, all.ByStart[0]} {
				same(t, "effect", got.Effect.Value, want.Effect.Value)
				same(t, "standard error", got.Effect.SE, want.Effect.SE)
				same(t, "lower", got.Effect.Lower, want.Effect.Lower)
				same(t, "upper", got.Effect.Upper, want.Effect.Upper)
				same(t, "observations", got.Effect.Denominator, want.Effect.Denominator)
				if opts == (DifferenceOptions{Level: .95}) {
					same(t, "change of the treated", got.TreatedChange.Lower, want.TreatedChange.Lower)
					same(t, "change of the controls", got.ControlChange.Upper, want.ControlChange.Upper)
					gap := Gap(Total(s.TreatedBefore), Total(s.ControlsBefore), Cell{}, .95)
					same(t, "gap before", got.GapBefore.Lower, gap.Lower)
				}
			}
			if i == 0 {
				two := startsOf(t, []StartCells{s, {Start: 1, Treated: persons(0, 1, 2)}}, opts)
				same(t, "beside a start without controls", two.Overall.Effect.SE, want.Effect.SE)
			}
		}
	}
}

// A panel whose units never treated are controls of every start is the same problem: the effects in
// the period of the start, and their average, are those of StaggeredEffects. A unit is then a cluster,
// as it is a control more than once; small-sample factors are left out.
func TestChangesByStartAgainstStaggeredEffects(t *testing.T) {
	periods, units := drawPanel(rand.New(rand.NewPCG(83, 84)), 160, false)
	for i := range units {
		units[i].Cluster = i
	}
	want, err := StaggeredEffects(periods, units, GroupTimeOptions{Level: .95, Clustered: true, LargeSample: true})
	if err != nil {
		t.Fatal(err)
	}
	starts := []StartCells{{Start: 3}, {Start: 4}}
	var n float64
	for i, u := range units {
		for k := range starts {
			at := starts[k].Start - 1
			c := person(i, u.Outcomes[at]-u.Outcomes[at-1])
			switch u.First {
			case 0:
				starts[k].Controls = append(starts[k].Controls, c)
			case starts[k].Start:
				starts[k].Treated = append(starts[k].Treated, c)
			default:
				continue
			}
			n++
		}
	}
	got := startsOf(t, starts, DifferenceOptions{Level: .95, Clustered: true})
	for _, e := range want.Effects {
		if e.Group == e.Period {
			same(t, "effect", got.ByStart[e.Group-3].Effect.Value, e.Effect.Value)
		}
	}
	for _, p := range want.ByExposure().Parts {
		if p.At == 0 {
			same(t, "average", got.Overall.Effect.Value, p.Effect.Value)
			same(t, "variance", square(got.Overall.Effect.SE)*(n-4)/(n-1), square(p.Effect.SE))
		}
	}
	// Two periods and one group.
	var two []PanelUnit
	for _, u := range units {
		if u.First == 3 || u.First == 0 {
			two = append(two, PanelUnit{First: u.First / 3 * 2, Outcomes: u.Outcomes[1:3]})
		}
	}
	single, err := StaggeredEffects([]int{1, 2}, two, GroupTimeOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "simple", got.ByStart[0].Effect.Value, single.Simple().Value)
	same(t, "by group", got.ByStart[0].Effect.Value, single.ByGroup().Parts[0].Effect.Value)
}

// Simulation: over worlds drawn anew the estimates vary as their standard errors say, with areas
// that differ and with independent persons, and intervals cover their level.
func TestChangesByStartStandardErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulation of a second or two")
	}
	for _, world := range []struct {
		name   string
		byArea float64
		opts   DifferenceOptions
	}{{"independent persons", 0, DifferenceOptions{Level: .95}}, {"areas", .7,
		DifferenceOptions{Level: .95, Clustered: true}}, {"areas taken as independent " +
		"persons", .7, DifferenceOptions{Level: .95}}} {
		rng := rand.New(rand.NewPCG(85, 86))
		const draws = 2000
		// The effects are 0, .5 and 1; of those treated .3, .4 and 2·.5 of 1.7 start in each year.
		const truth = (.5*.4 + 1*2*.5) / 1.7
		var sum, squared, variance, covered float64
		var gap, gapSquared, gapVariance float64
		for range draws {
			// Two numbers of the many that ChangesByStart gives; an interval costs more than a draw.
			sample := startSample{drawStarts(rng, 60, 10, world.byArea), world.opts}
			effect := sample.estimate("", func(s *StartCells) (treated, controls []Cell) { return s.Treated, s.Controls }, 1, -1)
			after := sample.estimate("", func(s *StartCells) (treated, controls []Cell) {
				return s.TreatedAfter, s.ControlsAfter
			}, 1, -1)
			sum, squared, variance = sum+effect.Value, squared+square(effect.Value), variance+square(effect.SE)
			gap, gapSquared, gapVariance = gap+after.Value, gapSquared+square(after.Value), gapVariance+square(after.SE)
			if effect.Lower <= truth && truth <= effect.Upper {
				covered++
			}
		}
		mean := sum / draws
		ratio := math.Sqrt(variance / (squared - sum*mean))
		gapRatio := math.Sqrt(gapVariance / (gapSquared - gap*gap/draws))
		t.Logf("%s: mean %.4f, truth %.4f; standard error %.3f of the spread, of the gap after %.3f; covers %.1f %%",
			world.name, mean, truth, ratio, gapRatio, covered/draws*100)
		// The spread of 2000 draws has a relative error of 1.6 %, the coverage one of 0.5 points.
		if world.opts.Clustered == (world.byArea > 0) {
			if math.Abs(ratio-1) > .05 || math.Abs(gapRatio-1) > .05 || math.Abs(covered/draws-.95) > .015 {
				t.Errorf("%s: standard error %.3f of the spread, of the gap %.3f; covers %.1f %%", world.name, ratio, gapRatio,
					covered/draws*100)
			}
		} else if ratio > .9 {
			t.Errorf("%s: standard error %.3f of the spread; the areas of this world do not differ", world.name, ratio)
		}
		if math.Abs(mean-truth) > 4*math.Sqrt((squared-sum*mean)/draws/draws) {
			t.Errorf("%s: mean %.4f, truth %.4f", world.name, mean, truth)
		}
	}
}

func TestChangesByStartWarnsOfRegressionToTheMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(87, 88))
	warned := func(picked bool) bool {
		s := StartCells{Start: 2012}
		for range 2000 {
			usual := rng.NormFloat64()
			before, after := usual+rng.NormFloat64(), usual+rng.NormFloat64() // nothing changes
			if picked && before > 1 || !picked && rng.IntN(4) == 0 {
				s.Treated, s.TreatedBefore, s.TreatedAfter = append(s.Treated, person(0, after-before)), append(s.TreatedBefore,
					person(0, before)), append(s.TreatedAfter, person(0, after))
			} else {
				s.Controls, s.ControlsBefore, s.ControlsAfter = append(s.Controls,
					person(1, after-before)), append(s.ControlsBefore, person(1, before)), append(s.ControlsAfter, person(1, after))
			}
		}
		r := startsOf(t, []StartCells{s}, DifferenceOptions{Level: .95}).Overall
		if falsely := r.Effect.Upper < 0; falsely != picked {
			t.Errorf("picked %t: effect %.2f (%.2f to %.2f) where there is none", picked, r.Effect.Value, r.Effect.Lower,
				r.Effect.Upper)
		}
		same(t, "gaps", r.GapAfter.Value-r.GapBefore.Value, r.Effect.Value)
		same(t, "treated", r.TreatedAfter.Value-r.TreatedBefore.Value, r.TreatedChange.Value)
		same(t, "controls", r.ControlsAfter.Value-r.ControlsBefore.Value, r.ControlChange.Value)
		return strings.Contains(strings.Join(r.Warnings, " "), "regression to the mean")
	}
	if !warned(true) {
		t.Error("no warning though the treated are picked for their value before")
	}
	if warned(false) {
		t.Error("a warning though the treated are drawn by lot")
	}
}

func TestChangesByStartRefuses(t *testing.T) {
	good := StartCells{Start: 2012, Treated: persons(0, 1, 2, 3), Controls: persons(0, 1, 2)}
	nan := good
	nan.Treated = []Cell{{N: 1, Sum: math.NaN()}}
	levels := good
	levels.TreatedBefore = persons(0, 1, 2, 3)
	fewer := levels
	fewer.TreatedAfter, fewer.ControlsBefore, fewer.ControlsAfter = persons(0, 1, 2), persons(0, 1, 2), persons(0, 1, 2)
	for name, bad := range map[string]struct {
		starts []StartCells
		opts   DifferenceOptions
		want   string
	}{
		"nothing": {nil, DifferenceOptions{Level: .95}, "no start has both"},
		"no controls": {[]StartCells{{Start: 1, Treated: persons(0, 1)}}, DifferenceOptions{Level: .95},
			"no start has both"},
		"twice":        {[]StartCells{good, good}, DifferenceOptions{Level: .95}, "2012 is given twice"},
		"not a number": {[]StartCells{nan}, DifferenceOptions{Level: .95}, "start 2012: cell"},
		"one level": {[]StartCells{levels}, DifferenceOptions{Level: .95},
			"3 treated have a change but 0 a value after"},
		"levels of fewer": {[]StartCells{fewer}, DifferenceOptions{Level: .95},
			"3 treated have a change but 2 a value after"},
		"level":             {[]StartCells{good}, DifferenceOptions{Level: 95}, "95"},
		"pooled, clustered": {[]StartCells{good}, DifferenceOptions{Level: .95, Pooled: true, Clustered: true}, "not both"},
	} {
		_, err := ChangesByStart(bad.starts, bad.opts)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %v, want %q", name, err, bad.want)
		}
	}
	// One person in a year borrows a variance in the average, and has no interval alone.
	lone := startsOf(t, []StartCells{good, {Start: 2013, Treated: persons(0, 4), Controls: persons(0, 1, 2)}},
		DifferenceOptions{Level: .95})
	if e := lone.ByStart[1].Effect; e.Value != 2.5 || !math.IsNaN(e.SE) || len(e.Warnings) == 0 {
		t.Errorf("one treated: %+v", e)
	}
	if e := lone.Overall.Effect; !(e.SE > 0) || !strings.Contains(strings.Join(e.Warnings, " "), "one person in a year") {
		t.Errorf("one treated in one of two years: %+v", e)
	}
}

// startsFrom makes starts of small, odd cells from any bytes: empty, of less than one person, huge, tiny.
func startsFrom(data []byte) (starts []StartCells) {
	for len(data) >= 4 {
		year := int(data[0] % 5)
		at := slices.IndexFunc(starts, func(s StartCells) bool { return s.Start == year })
		if at < 0 {
			at = len(starts)
			starts = append(starts, StartCells{Start: year})
		}
		n := float64(data[1] % 8)
		mean := float64(int8(data[2])) / 8
		if data[3] > 250 {
			n, mean = n/7, mean*1e150
		}
		c := Cell{Cluster: int(data[3] / 2 % 8), N: n, Sum: n * mean, SumSq: n * (mean*mean + float64(data[3]%16))}
		if data[3]%2 == 0 {
			starts[at].Treated = append(starts[at].Treated, c)
		} else {
			starts[at].Controls = append(starts[at].Controls, c)
		}
		if data[0] > 128 { // whatever came before, now 1 higher
			shifted := c
			shifted.Sum, shifted.SumSq = c.Sum+c.N, c.SumSq+2*c.Sum+c.N
			still := Cell{Cluster: c.Cluster, N: n, Sum: n, SumSq: n}
			if data[3]%2 == 0 {
				starts[at].TreatedBefore, starts[at].TreatedAfter = append(starts[at].TreatedBefore,
					still), append(starts[at].TreatedAfter, shifted)
			} else {
				starts[at].ControlsBefore, starts[at].ControlsAfter = append(starts[at].ControlsBefore,
					still), append(starts[at].ControlsAfter, shifted)
			}
		}
		data = data[4:]
	}
	return starts
}

func FuzzChangesByStart(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		starts := startsFrom(data)
		for i := range starts { // levels of some of the persons are refused; drop those
			if _, err := starts[i].check(); err != nil {
				starts[i] = StartCells{Start: starts[i].Start, Treated: starts[i].Treated, Controls: starts[i].Controls}
			}
		}
		swapped, split, reversed := slices.Clone(starts), slices.Clone(starts), slices.Clone(starts)
		slices.Reverse(reversed)
		for i, s := range starts {
			swapped[i] = StartCells{s.Start, s.Controls, s.Treated, s.ControlsBefore, s.ControlsAfter, s.TreatedBefore,
				s.TreatedAfter}
			split[i] = StartCells{s.Start, splitCells(s.Treated), splitCells(s.Controls), splitCells(s.TreatedBefore),
				splitCells(s.TreatedAfter), splitCells(s.ControlsBefore), splitCells(s.ControlsAfter)}
		}
		for _, opts := range []DifferenceOptions{{Level: .95}, {Level: .95, Pooled: true}, {Level: .95, Clustered: true}} {
			r, err := ChangesByStart(starts, opts)
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Fatal(err)
				}
				continue
			}
			checkStart(t, r.Overall)
			var value, treated float64
			for _, s := range r.ByStart {
				checkStart(t, s)
				value += s.Treated * s.Effect.Value
				treated += s.Treated
			}
			agree(t, "overall", r.Overall.Effect.Value, value/treated)
			if len(r.LeftOut)+len(r.ByStart) != len(starts) {
				t.Fatalf("%d starts, of which %d are used and %v left out", len(starts), len(r.ByStart), r.LeftOut)
			}
			for _, law := range []struct {
				name   string
				starts []StartCells
			}{{"split cells", split}, {"another order", reversed}} {
				s := startsOf(t, law.starts, opts).Overall
				agree(t, law.name, s.Effect.Value, r.Overall.Effect.Value)
				agree(t, law.name+", variance", square(s.Effect.SE), square(r.Overall.Effect.SE))
			}
			for i, s := range startsOf(t, swapped, opts).ByStart {
				agree(t, "arms swapped", s.Effect.Value, -r.ByStart[i].Effect.Value)
				agree(t, "arms swapped, variance", square(s.Effect.SE), square(r.ByStart[i].Effect.SE))
			}
		}
	})
}

// agree allows rounding of numbers of any size, which cancellation makes relative to sums of 1e150.
func agree(t *testing.T, name string, got, want float64) {
	t.Helper()
	if math.Abs(want) < 1e100 && math.Abs(got) < 1e100 || math.IsNaN(got) != math.IsNaN(want) {
		same(t, name, got, want)
	}
}

// checkStart fails if a number is missing without a warning, infinite, or outside its interval.
func checkStart(t *testing.T, s StartEffect) {
	t.Helper()
	for name, e := range map[string]Estimate{
		"effect": s.Effect, "treated change": s.TreatedChange, "control change": s.ControlChange, "gap " +
			"before": s.GapBefore, "gap after": s.GapAfter,
		"treated before": s.TreatedBefore, "treated after": s.TreatedAfter, "controls before": s.ControlsBefore, "controls " +
			"after": s.ControlsAfter,
	} {
		for _, x := range []float64{e.Value, e.SE, e.Lower, e.Upper} {
			if math.IsInf(x, 0) || math.IsNaN(x) && len(e.Warnings) == 0 {
				t.Errorf("%s of %d: %+v", name, s.Start, e)
			}
		}
		if e.Lower > e.Value || e.Upper < e.Value || e.Method == "" {
			t.Errorf("%s of %d: %+v", name, s.Start, e)
		}
	}
	if !math.IsNaN(s.GapAfter.Value) && math.Abs(s.GapAfter.Value) < 1e100 {
		same(t, "gaps", s.GapAfter.Value-s.GapBefore.Value, s.Effect.Value)
	}
}
