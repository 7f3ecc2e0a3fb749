package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestIncineratorCase(t *testing.T) {
	c := openCase(t, "did_kielmc_wooldridge")
	var cells [2][2][]Cell // by near, after
	for _, r := range c.rows() {
		y := c.number(r["rprice"])
		near, after := int(c.number(r["nearinc"])), int(c.number(r["y81"]))
		cells[near][after] = append(cells[near][after], Cell{N: 1, Sum: y, SumSq: y * y})
	}
	d, err := DifferenceInDifferences(cells[1][0], cells[1][1], cells[0][0], cells[0][1],
		DifferenceOptions{Level: .95, Pooled: true})
	if err != nil {
		t.Fatal(err)
	}
	c.check(d.Effect.Value, "did")
	c.check(d.Effect.SE, "se")
	c.check(d.Effect.Denominator, "n")
	c.check(d.GapAfter.Value, "near1981")
	c.check(d.GapBefore.Value, "near1978")
}

// Card, Krueger 1994 (AER 84:772), table 3: full-time equivalent employment per store with its
// standard error. New Jersey 20.44 (.51) before and 21.03 (.52) after, change .59 (.54); Pennsylvania
// 23.33 (1.35) and 21.17 (.94), change -2.16 (1.25); gaps -2.89 (1.44) and -.14 (1.07). The
// difference of changes is 2.76 (1.36).
func TestDifferenceAgainstMinimumWages(t *testing.T) {
	cell := func(n, mean, se float64) []Cell {
		return []Cell{{N: n, Sum: n * mean, SumSq: n*mean*mean + (n-1)*n*se*se}}
	}
	d, err := DifferenceInDifferences(cell(321, 20.44, .51), cell(319, 21.03, .52), cell(77, 23.33, 1.35),
		cell(77, 21.17, .94), DifferenceOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "effect", d.Effect.Value, 2.76, .015)
	near(t, "standard error as if stores were drawn anew", d.Effect.SE, math.Sqrt(.51*.51+.52*.52+1.35*1.35+.94*.94), 1e-9)
	near(t, "gap before", d.GapBefore.Value, -2.89, .005)
	near(t, "its standard error", d.GapBefore.SE, 1.44, .005)
	near(t, "gap after", d.GapAfter.Value, -.14, .005)
	near(t, "its standard error", d.GapAfter.SE, 1.07, .005)
	c, err := DifferenceOfChanges(cell(331, .59, .54), cell(79, -2.16, 1.25), DifferenceOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "effect on the same stores", c.Effect.Value, 2.76, .015)
	near(t, "its standard error", c.Effect.SE, 1.36, .005)
}

func TestDifferenceOfChangesByHand(t *testing.T) {
	values := func(first int, ys ...float64) (cells []Cell) {
		for i, y := range ys {
			cells = append(cells, Cell{Cluster: first + i/2, N: 1, Sum: y, SumSq: y * y})
		}
		return cells
	}
	treated, controls := values(0, 1, 3, 5, 3), values(2, 0, 2, 1, 1, 0, 2)
	d, err := DifferenceOfChanges(treated, controls, DifferenceOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	// s² 8/3 over 4 and 4/5 over 6
	near(t, "effect", d.Effect.Value, 2, 1e-12)
	near(t, "variance", d.Effect.SE*d.Effect.SE, 8./12+4./30, 1e-12)
	pooled, err := DifferenceOfChanges(treated, controls, DifferenceOptions{Level: .95, Pooled: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "pooled variance", pooled.Effect.SE*pooled.Effect.SE, (8.+4)/8*(1./4+1./6), 1e-12)
	clustered, err := DifferenceOfChanges(treated, controls, DifferenceOptions{Level: .95, Clustered: true})
	if err != nil {
		t.Fatal(err)
	}
	// sums of residuals by cluster: treated -2, 2, over the root of 1 - 1/2; controls 0, 0, 0
	near(t, "clustered variance", clustered.Effect.SE*clustered.Effect.SE, 2*4./16/(1-.5), 1e-12)
	if !strings.Contains(strings.Join(clustered.Warnings, "\n"), "2 treated clusters") {
		t.Errorf("no warning of two treated clusters: %q", clustered.Warnings)
	}
	// Snow 1855, deaths per 10,000 houses 1849 and 1854, as in Cunningham's Mixtape: Lambeth 85 and 19,
	// Southwark and Vauxhall 135 and 147, a difference of -78. Two suppliers are two clusters: each mean
	// fits its cluster exactly, and nothing tells how suppliers differ.
	deaths := func(supplier int, n float64) []Cell { return []Cell{{Cluster: supplier, N: 1e4, Sum: n, SumSq: n}} }
	for _, opts := range []DifferenceOptions{{Level: .95}, {Level: .95, Pooled: true}, {Level: .95, Clustered: true}} {
		snow, err := DifferenceInDifferences(deaths(1, 85), deaths(1, 19), deaths(2, 135), deaths(2, 147), opts)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "cholera", 1e4*snow.Effect.Value, -78, 1e-9)
		if e := snow.Effect; math.IsNaN(e.SE) != opts.Clustered || math.IsNaN(e.Lower) != opts.Clustered || opts.Clustered &&
			len(e.Warnings) == 0 {
			t.Errorf("%+v: %+v", opts, e)
		}
	}
	for name, sides := range map[string][2][]Cell{"treated": {values(0, 1, 3), controls},
		"controls": {treated, values(9, 1, 3)}} {
		one, err := DifferenceOfChanges(sides[0], sides[1], DifferenceOptions{Level: .95, Clustered: true})
		if err != nil {
			t.Fatal(err)
		}
		if e := one.Effect; !math.IsNaN(e.SE) || !math.IsNaN(e.Lower) || len(e.Warnings) != 1 ||
			!strings.Contains(e.Warnings[0], name) {
			t.Errorf("one cluster of %s: %+v", name, e)
		}
	}
	alike, err := DifferenceOfChanges(values(0, 2, 2, 2), values(5, 1, 1), DifferenceOptions{Level: .95})
	if err != nil || !math.IsNaN(alike.Effect.SE) || !math.IsNaN(alike.Effect.Lower) ||
		!strings.Contains(strings.Join(alike.Effect.Warnings, " "), "nothing varies") {
		t.Errorf("no variation: %+v, %v", alike, err)
	}
	if !math.IsNaN(d.GapBefore.Value) {
		t.Errorf("changes tell no gap, got %g", d.GapBefore.Value)
	}
	for _, sides := range [][2][]Cell{{nil, controls}, {treated, nil}} {
		if _, err := DifferenceOfChanges(sides[0], sides[1],
			DifferenceOptions{Level: .95}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("an empty group: %v", err)
		}
		if _, err := DifferenceInDifferences(sides[0], treated, sides[1], controls,
			DifferenceOptions{Level: .95}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("an empty group: %v", err)
		}
	}
}

func FuzzDifferenceLaws(f *testing.F) {
	seedBytes(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		a, b := cellsFrom(data)
		cut := func(cells []Cell) (before, after []Cell) { return cells[:len(cells)/2], cells[len(cells)/2:] }
		a0, a1 := cut(a)
		b0, b1 := cut(b)
		for _, opts := range []DifferenceOptions{{Level: .95}, {Level: .95, Pooled: true}, {Level: .95, Clustered: true}} {
			d, err := DifferenceInDifferences(a0, a1, b0, b1, opts)
			if err != nil {
				if fault.KindOf(err) != fault.Invalid {
					t.Fatal(err)
				}
				continue
			}
			same(t, "gaps", d.GapAfter.Value-d.GapBefore.Value, d.Effect.Value)
			same(t, "changes", d.TreatedChange.Value-d.ControlChange.Value, d.Effect.Value)
			for law, cells := range map[string][4][]Cell{"groups swapped": {b0, b1, a0, a1}, "times swapped": {a1, a0, b1, b0}} {
				s, err := DifferenceInDifferences(cells[0], cells[1], cells[2], cells[3], opts)
				if err != nil {
					t.Fatal(err)
				}
				same(t, law, s.Effect.Value, -d.Effect.Value)
				same(t, law+", variance", s.Effect.SE*s.Effect.SE, d.Effect.SE*d.Effect.SE)
			}
			split, err := DifferenceInDifferences(splitCells(a0), splitCells(a1), splitCells(b0), splitCells(b1), opts)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "split cells", split.Effect.SE*split.Effect.SE, d.Effect.SE*d.Effect.SE)
		}
	})
}

// countyPanel reads the case's panel; covariates are a constant and the log of population.
func countyPanel(c *publishedCase) (periods []int, units []PanelUnit) {
	at := map[string]int{}
	for _, r := range c.rows() {
		year := int(c.number(r["year"]))
		if !slices.Contains(periods, year) {
			periods = append(periods, year)
		}
		i, ok := at[r["countyreal"]]
		if !ok {
			i = len(units)
			at[r["countyreal"]] = i
			units = append(units, PanelUnit{
				First: int(c.number(r["first_treat"])), Outcomes: make([]float64, 5), X: []float64{1,
					c.number(r["lpop"])}, Cluster: i,
			})
		}
		units[i].Outcomes[year-2003] = c.number(r["lemp"])
	}
	return periods, units
}

func TestStaggeredCountiesCase(t *testing.T) {
	c := openCase(t, "did_mpdta_callaway_santanna")
	periods, units := countyPanel(c)
	r, err := StaggeredEffects(periods, units, GroupTimeOptions{Level: .95, LargeSample: true})
	if err != nil {
		t.Fatal(err)
	}
	// Analytic standard errors of an independent computation; those printed are bootstrapped.
	errors := map[string]float64{
		"2004_2004": .0233, "2004_2005": .0310, "2004_2006": .0364, "2004_2007": .0344, "2006_2004": .0233,
		"2006_2005": .0196, "2006_2006": .0178, "2006_2007": .0202, "2007_2004": .0150, "2007_2005": .0164,
		"2007_2006": .0179, "2007_2007": .0167,
	}
	for _, e := range r.Effects {
		name := fmt.Sprintf("%d_%d", e.Group, e.Period)
		c.check(e.Effect.Value, "att_gt", name)
		near(t, "standard error of "+name, e.Effect.SE, errors[name], 6e-5)
	}
	if len(r.Effects) != 12 {
		t.Errorf("%d effects, want 12", len(r.Effects))
	}
	// P of the pre-test as printed in the same README.
	near(t, "pre-test", r.Pretrends.P, .16812, 5e-6)
	exposure, groups := r.ByExposure(), r.ByGroup()
	for _, p := range exposure.Parts {
		c.check(p.Effect.Value, "dynamic", fmt.Sprint(p.At))
	}
	for _, p := range groups.Parts {
		c.check(p.Effect.Value, "group", fmt.Sprint(p.At))
	}
	c.check(exposure.Overall.Value, "dynamic_overall")
	c.check(groups.Overall.Value, "group_overall")
	// Bootstrapped standard errors there: 0.0196 and 0.0123. They vary by some per cent.
	near(t, "overall by exposure", exposure.Overall.SE, .0196, .0015)
	near(t, "overall by group", groups.Overall.SE, .0123, .0008)

	// R did 2.5, doubly robust given ~lpop, as printed in its articles; P of the pre-test 0.23267.
	r, err = StaggeredEffects(periods, units, GroupTimeOptions{Level: .95, LargeSample: true, Method: AIPW,
		Design: FreeDesign("lpop")})
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{-.0145, -.0764, -.1404, -.1069, -.0005, -.0062, .0010, -.0413, .0267, -.0046, -.0284, -.0288}
	for i, e := range r.Effects {
		near(t, fmt.Sprintf("given population, %d in %d", e.Group, e.Period), e.Effect.Value, want[i], 5.1e-5)
	}
	near(t, "pre-test given population", r.Pretrends.P, .23267, 5e-6)
}

// drawPanel draws units in areas that start treatment in period 3 or 4 of five, or never. Units of
// higher covariate start more often and grow faster: without it trends are not parallel. The effect
// is .5 per period since the start.
func drawPanel(rng *rand.Rand, n int, parallel bool) (periods []int, units []PanelUnit) {
	for i := range n {
		x := rng.NormFloat64()
		u := PanelUnit{X: []float64{1, x}, Cluster: i / 4}
		switch p := rng.Float64(); {
		case p < .5*logistic(x):
			u.First = 3
		case p < .8*logistic(x):
			u.First = 4
		}
		growth := .3 * x
		if parallel {
			growth = 0
		}
		level := rng.NormFloat64()
		for t := 1; t <= 5; t++ {
			y := level + (.2+growth)*float64(t) + .5*rng.NormFloat64()
			if u.First > 0 && t >= u.First {
				y += .5 * float64(t-u.First+1)
			}
			u.Outcomes = append(u.Outcomes, y)
		}
		units = append(units, u)
	}
	return []int{1, 2, 3, 4, 5}, units
}

func (r *GroupTimeEffects) all() map[string]Estimate {
	out := map[string]Estimate{"simple": r.Simple()}
	for _, e := range r.Effects {
		out[fmt.Sprint(e.Group, " in ", e.Period)] = e.Effect
	}
	for name, a := range map[string]Aggregation{"group": r.ByGroup(), "exposure": r.ByExposure(), "period": r.ByPeriod()} {
		out[name] = a.Overall
		for _, p := range a.Parts {
			out[fmt.Sprint(name, " ", p.At)] = p.Effect
		}
	}
	return out
}

// TestStaggeredStandardErrorsAgainstJackknife leaves out one unit, or one cluster, at a time:
// (n-1)/n Σ (θ₋ᵢ - θ)² is the variance without its formula, to the order of 1/n.
func TestStaggeredStandardErrorsAgainstJackknife(t *testing.T) {
	periods, units := drawPanel(rand.New(rand.NewPCG(61, 62)), 160, false)
	for _, opts := range []GroupTimeOptions{
		{Level: .95}, {Level: .95, NotYetTreated: true}, {Level: .95, Universal: true, Anticipation: 1},
		{Level: .95, Method: AIPW, Design: FreeDesign("x")}, {Level: .95, Method: IPW, Design: FreeDesign("x"),
			NotYetTreated: true},
		{Level: .95, Method: RegressionAdjustment, Design: FreeDesign("x"), Clustered: true},
	} {
		r, err := StaggeredEffects(periods, units, opts)
		if err != nil {
			t.Fatal(err)
		}
		base := r.all()
		sum := map[string]float64{}
		n := 0.0
		for from := 0; from < len(units); n++ {
			to := from + 1
			for opts.Clustered && to < len(units) && units[to].Cluster == units[from].Cluster {
				to++
			}
			left, err := StaggeredEffects(periods, slices.Delete(slices.Clone(units), from, to), opts)
			if err != nil {
				t.Fatal(err)
			}
			for name, e := range left.all() {
				d := e.Value - base[name].Value
				sum[name] += d * d
			}
			from = to
		}
		for name, e := range base {
			if math.IsNaN(e.SE) {
				continue
			}
			want := math.Sqrt(sum[name] * (n - 1) / n)
			near(t, fmt.Sprintf("%v%+v: %s", opts.Method, opts.NotYetTreated, name), e.SE, want, .1*want)
		}
	}
}

func TestStaggeredIntervalsCoverTheirLevel(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulation of a second")
	}
	rng := rand.New(rand.NewPCG(63, 64))
	const draws = 500
	covered := map[string]int{}
	for range draws {
		periods, units := drawPanel(rng, 200, false)
		r, err := StaggeredEffects(periods, units, GroupTimeOptions{Level: .95, Method: AIPW, Design: FreeDesign("x")})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := StaggeredEffects(periods, units, GroupTimeOptions{Level: .95})
		if err != nil {
			t.Fatal(err)
		}
		exposure := r.ByExposure()
		for name, e := range map[string]Estimate{"exposure": exposure.Overall, "at the start": exposure.Parts[2].Effect,
			"unconditional": plain.ByExposure().Overall} {
			truth := 1.0 // mean of .5, 1, 1.5
			if name == "at the start" {
				truth = .5
			}
			if e.Lower <= truth && truth <= e.Upper {
				covered[name]++
			}
		}
		if exposure.Parts[2].At != 0 {
			t.Fatalf("parts %+v", exposure.Parts)
		}
	}
	for _, name := range []string{"exposure", "at the start"} {
		if share := float64(covered[name]) / draws; share < .925 || share > .975 {
			t.Errorf("%s covers %.1f %%", name, 100*share)
		} else {
			t.Logf("%s covers %.1f %%", name, 100*share)
		}
	}
	if share := float64(covered["unconditional"]) / draws; share > .5 {
		t.Errorf("without the covariate the trends are not parallel, yet the interval covers %.1f %%", 100*share)
	}
}

func TestStaggeredSaysWhatItLeavesOut(t *testing.T) {
	periods, units := drawPanel(rand.New(rand.NewPCG(65, 66)), 60, true)
	whole, err := StaggeredEffects(periods, units, GroupTimeOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	more := append(slices.Clone(units), PanelUnit{First: 1, Outcomes: make([]float64, 5)},
		PanelUnit{Outcomes: []float64{1, 2, math.NaN(), 4, 5}})
	r, err := StaggeredEffects(periods, more, GroupTimeOptions{Level: .95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "effect", r.Simple().Value, whole.Simple().Value, 0)
	if len(r.Warnings) != len(whole.Warnings)+2 {
		t.Errorf("warnings %q", r.Warnings)
	}
	var treated []PanelUnit
	for _, u := range units {
		if u.First != 0 {
			treated = append(treated, u)
		}
	}
	if _, err := StaggeredEffects(periods, treated, GroupTimeOptions{Level: .95}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("no unit is never treated: %v", err)
	}
	r, err = StaggeredEffects(periods, treated, GroupTimeOptions{Level: .95, NotYetTreated: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range r.Effects {
		if e.Period >= 4 && e.Controls > 0 {
			t.Errorf("%+v: everyone is treated by then", e)
		}
	}
	// Clustered, what counts is clusters: all of the group that starts in 3 are put into one.
	together := slices.Clone(units)
	for i := range together {
		if together[i].First == 3 {
			together[i].Cluster = 1000
		}
	}
	r, err = StaggeredEffects(periods, together, GroupTimeOptions{Level: .95, Clustered: true})
	if err != nil || !slices.Contains(r.Warnings, "group 3 has 1 clusters: its standard errors are uncertain") {
		t.Errorf("warnings %q, %v", r.Warnings, err)
	}
	for name, bad := range map[string]func(p *[]int, u []PanelUnit, o *GroupTimeOptions){
		"one period": func(p *[]int, u []PanelUnit, o *GroupTimeOptions) { *p = []int{1} },
		"descending": func(p *[]int, u []PanelUnit, o *GroupTimeOptions) { *p = []int{5, 4, 3, 2, 1} },
		"outcomes":   func(p *[]int, u []PanelUnit, o *GroupTimeOptions) { u[3].Outcomes = u[3].Outcomes[1:] },
		"covariates": func(p *[]int, u []PanelUnit, o *GroupTimeOptions) { o.Method = IPW },
		"method":     func(p *[]int, u []PanelUnit, o *GroupTimeOptions) { o.Method = ExactMatching },
		"level":      func(p *[]int, u []PanelUnit, o *GroupTimeOptions) { o.Level = 95 },
		"nobody": func(p *[]int, u []PanelUnit, o *GroupTimeOptions) {
			for i := range u {
				u[i].First = 0
			}
		},
	} {
		p, u, o := periods, slices.Clone(units), GroupTimeOptions{Level: .95}
		bad(&p, u, &o)
		if _, err := StaggeredEffects(p, u, o); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Pooled and Clustered hold for every part, not for the effect alone: with one variance, in which the
// means of all groups have 3 degrees of freedom, a change is known as well as least squares knows it.
func TestEveryPartOfADoubleDifferenceHasTheOptions(t *testing.T) {
	before, after := []Cell{{Cluster: 1, N: 3, Sum: 6, SumSq: 14}}, []Cell{{Cluster: 1, N: 2, Sum: 6, SumSq: 20},
		{Cluster: 2, N: 1, Sum: 5, SumSq: 25}}
	controls, later := []Cell{{Cluster: 3, N: 2, Sum: 3, SumSq: 5},
		{Cluster: 4, N: 2, Sum: 9, SumSq: 41}}, []Cell{{Cluster: 3, N: 3, Sum: 4, SumSq: 6}, {Cluster: 4, N: 1, Sum: 1,
		SumSq: 1}}
	var within, n float64
	for _, cells := range [][]Cell{before, after, controls, later} {
		c := Total(cells)
		within, n = within+c.squaredDeviations(), n+c.N
	}
	d, err := DifferenceInDifferences(before, after, controls, later, DifferenceOptions{Level: .95, Pooled: true})
	if err != nil {
		t.Fatal(err)
	}
	s2, q := within/(n-4), studentQuantile(.95, n-4)
	for name, p := range map[string]struct {
		e       Estimate
		inverse float64
	}{
		"change of the treated": {d.TreatedChange, 1./3 + 1./3}, "of the controls": {d.ControlChange, 1./4 + 1./4},
		"gap before": {d.GapBefore, 1./3 + 1./4}, "after": {d.GapAfter, 1./3 + 1./4}, "effect": {d.Effect,
			1./3 + 1./3 + 1./4 + 1./4},
	} {
		near(t, name, p.e.SE, math.Sqrt(s2*p.inverse), 1e-12)
		near(t, name+", interval", p.e.Upper-p.e.Value, q*p.e.SE, 1e-12)
	}
	near(t, "gaps make the effect", d.GapAfter.Value-d.GapBefore.Value, d.Effect.Value, 1e-12)
	near(t, "changes make the effect", d.TreatedChange.Value-d.ControlChange.Value, d.Effect.Value, 1e-12)
	c, err := DifferenceInDifferences(before, after, controls, later, DifferenceOptions{Level: .95, Clustered: true})
	if err != nil {
		t.Fatal(err)
	}
	if e := c.TreatedChange; !math.IsNaN(e.SE) || !strings.Contains(strings.Join(e.Warnings, " "),
		"all treated before are in one cluster") {
		t.Errorf("a group in one cluster: %+v", e)
	}
	if e := c.ControlChange; !(e.SE > 0) || e.SE == d.ControlChange.SE || !strings.Contains(e.Method, "cluster-robust") {
		t.Errorf("the controls are in two clusters: %+v", e)
	}
	changes, err := DifferenceOfChanges(after, later, DifferenceOptions{Level: .95, Pooled: true})
	if err != nil {
		t.Fatal(err)
	}
	a, b := Total(after), Total(later)
	s2 = (a.squaredDeviations() + b.squaredDeviations()) / (a.N + b.N - 2)
	near(t, "pooled change", changes.TreatedChange.SE, math.Sqrt(s2/a.N), 1e-12)
	near(t, "pooled change of controls", changes.ControlChange.SE, math.Sqrt(s2/b.N), 1e-12)
	near(t, "pooled effect", changes.Effect.SE, math.Sqrt(s2/a.N+s2/b.N), 1e-12)
}
