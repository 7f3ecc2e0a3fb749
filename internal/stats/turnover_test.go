package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func indicatorCell(n, y float64) Cell { return Cell{N: n, Sum: y, SumSq: y} }

func TestTurnoverByHand(t *testing.T) {
	// 100 before, 40 with it: 60 stayers with 18 (30 %), 40 leavers with 22 (55 %).
	// 90 after, 27 with it: 60 stayers with 15 (25 %), 30 arrivals with 12 (40 %).
	d, err := TurnoverOf([2][2]float64{{39, 3}, {6, 12}}, []Cell{indicatorCell(40, 22)}, []Cell{indicatorCell(30, 12)},
		.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "before", d.Before.Value, .40, 1e-12)
	near(t, "after", d.After.Value, .30, 1e-12)
	near(t, "change", d.Change.Value, -.10, 1e-12)
	near(t, "stayers", d.Stayers.Value, -.05, 1e-12)
	near(t, "arrivals", d.Arrivals[0].Value, 30./90*(.40-.25), 1e-12)
	near(t, "leavers", d.Leavers[0].Value, -40./100*(.55-.30), 1e-12)

	// The same persons twice: McNemar's standard error of a paired difference,
	// √(g + l - (g-l)²/n)/n (Agresti 2013, Categorical Data Analysis, eq. 11.2).
	paired, err := TurnoverOf([2][2]float64{{50, 14}, {6, 30}}, nil, nil, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "paired change", paired.Change.Value, .08, 1e-12)
	near(t, "paired SE", paired.Change.SE, math.Sqrt(20-64./100)/100, 1e-12)
	near(t, "stayers are all there is", paired.Stayers.SE, paired.Change.SE, 1e-15)

	// Nobody twice: the unpooled standard error of two independent shares, and no parts.
	apart, err := TurnoverOf([2][2]float64{}, []Cell{indicatorCell(50, 20)}, []Cell{indicatorCell(80, 24)}, .95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "independent SE", apart.Change.SE, Difference(24, 80, 20, 50, .95).SE, 1e-12)
	for _, e := range []Estimate{apart.Stayers, apart.Leavers[0], apart.Arrivals[0], apart.Part([]int{0}, []int{0})} {
		if !math.IsNaN(e.Value) || len(e.Warnings) == 0 {
			t.Errorf("without stayers a part is %+v", e)
		}
	}

	// What never changes has a change of 0 among stayers, and no interval that would claim to know it.
	fixed, err := TurnoverOf([2][2]float64{{40, 0}, {0, 20}}, []Cell{indicatorCell(10, 2)}, []Cell{indicatorCell(10, 6)},
		.95)
	if err != nil {
		t.Fatal(err)
	}
	if s := fixed.Stayers; s.Value != 0 || !math.IsNaN(s.Lower) || len(s.Warnings) != 1 {
		t.Errorf("stayers who cannot change: %+v", s)
	}
	few := must(t)(TurnoverOf([2][2]float64{{40, 3}, {1, 20}}, nil, nil, .95))
	if len(few.Stayers.Warnings) != 1 || len(d.Stayers.Warnings) != 0 {
		t.Errorf("few changes: %q, enough: %q", few.Stayers.Warnings, d.Stayers.Warnings)
	}
	if none := fixed.Part(nil, nil); none.Value != 0 || !math.IsNaN(none.SE) || len(none.Warnings) != 1 {
		t.Errorf("no groups add %+v", none)
	}
	if e := (must(t)(TurnoverOf([2][2]float64{}, []Cell{indicatorCell(5, 1)}, nil, .95))).Change; !math.IsNaN(e.Value) {
		t.Errorf("nobody after: the change is %+v", e)
	}
	for _, bad := range []func() (*Turnover, error){
		func() (*Turnover, error) { return TurnoverOf([2][2]float64{{-1, 0}, {0, 0}}, nil, nil, .95) },
		func() (*Turnover, error) { return TurnoverOf([2][2]float64{}, []Cell{indicatorCell(2, 3)}, nil, .95) },
		func() (*Turnover, error) {
			return TurnoverOf([2][2]float64{}, nil, []Cell{{N: 2, Sum: 1, SumSq: 9}}, .95)
		},
		func() (*Turnover, error) { return TurnoverOf([2][2]float64{}, nil, nil, 95) },
	} {
		if _, err := bad(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
	}
}

func must(t *testing.T) func(*Turnover, error) *Turnover {
	return func(d *Turnover, err error) *Turnover {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func FuzzTurnoverLaws(f *testing.F) {
	f.Add(uint16(39), uint16(3), uint16(6), uint16(12), uint16(40), uint16(22), uint16(30), uint16(12), uint16(5),
		uint16(5))
	f.Add(uint16(0), uint16(0), uint16(0), uint16(9), uint16(1), uint16(1), uint16(0), uint16(0), uint16(3), uint16(0))
	f.Add(uint16(0), uint16(0), uint16(0), uint16(0), uint16(1), uint16(1), uint16(2), uint16(0), uint16(3), uint16(0))
	f.Fuzz(func(t *testing.T, nn, ny, yn, yy, n1, y1, n2, y2, n3, y3 uint16) {
		group := func(n, y uint16) Cell { return indicatorCell(float64(n), math.Min(float64(n), float64(y))) }
		stayers := [2][2]float64{{float64(nn), float64(ny)}, {float64(yn), float64(yy)}}
		left, arrived, born := group(n1, y1), group(n2, y2), group(n3, y3)
		d := must(t)(TurnoverOf(stayers, []Cell{left}, []Cell{arrived, born}, .9))
		turned := [2][2]float64{{stayers[0][0], stayers[1][0]}, {stayers[0][1], stayers[1][1]}}
		back := must(t)(TurnoverOf(turned, []Cell{arrived, born}, []Cell{left}, .9))
		both := must(t)(TurnoverOf(stayers, []Cell{left}, []Cell{Total([]Cell{arrived, born})}, .9))

		flipped := func(name string, a, b Estimate) {
			same(t, name, a.Value, -b.Value)
			same(t, name+", SE", a.SE*a.SE, b.SE*b.SE)
			same(t, name+", bound", a.Lower, -b.Upper)
		}
		flipped("swapped: change", d.Change, back.Change)
		flipped("swapped: stayers", d.Stayers, back.Stayers)
		flipped("swapped: leavers", d.Leavers[0], back.Arrivals[0])
		flipped("swapped: arrivals", d.Arrivals[1], back.Leavers[1])
		sum := d.Part([]int{0}, []int{0, 1})
		same(t, "groups apart and together", d.Part(nil, []int{0, 1}).Value, both.Arrivals[0].Value)
		same(t, "groups apart and together, SE", square(d.Part(nil, []int{0, 1}).SE), square(both.Arrivals[0].SE))
		if !math.IsNaN(d.Stayers.Value) && !math.IsNaN(d.Change.Value) {
			same(t, "parts sum to the change", d.Stayers.Value+sum.Value, d.Change.Value)
		}
		if d.Change.Lower > d.Change.Value || d.Change.Upper < d.Change.Value {
			t.Errorf("the interval is beside its value: %+v", d.Change)
		}
	})
}

func square(x float64) float64 { return x * x }

// Persons drawn anew again and again: the standard errors are those of the draws, and 95 % intervals
// cover the truth some 95 % of the times. Taking the two years as independent would be wrong by
// the stayers' covariance.
func TestTurnoverStandardErrorsAgreeWithSimulation(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 31))
	// stayers nn, ny, yn, yy; leavers n, y; two groups of arrivals n, y.
	shares := [...]float64{.30, .05, .03, .12, .10, .12, .08, .10, .07, .03}
	build := func(c [10]float64) *Turnover {
		return must(t)(TurnoverOf([2][2]float64{{c[0], c[1]}, {c[2], c[3]}}, []Cell{indicatorCell(c[4]+c[5], c[5])},
			[]Cell{indicatorCell(c[6]+c[7], c[7]), indicatorCell(c[8]+c[9], c[9])}, .95))
	}
	parts := func(d *Turnover) []Estimate {
		return []Estimate{d.Change, d.Stayers, d.Leavers[0], d.Arrivals[0], d.Arrivals[1], d.Part([]int{0}, []int{0, 1})}
	}
	truth := parts(build(shares))
	const draws, persons = 4000, 1500
	sum, squares, errors, covered := make([]float64, len(truth)), make([]float64, len(truth)), make([]float64,
		len(truth)), make([]float64, len(truth))
	var naive float64
	for range draws {
		var c [10]float64
		left, n := 1.0, persons
		for i, p := range shares {
			c[i] = float64(n)
			if i < len(shares)-1 {
				c[i] = binomial(rng, n, p/left)
			}
			left, n = left-p, n-int(c[i])
		}
		d := build(c)
		naive += math.Hypot(d.Before.SE, d.After.SE)
		for i, e := range parts(d) {
			sum[i], squares[i], errors[i] = sum[i]+e.Value, squares[i]+e.Value*e.Value, errors[i]+e.SE
			if e.Lower <= truth[i].Value && truth[i].Value <= e.Upper {
				covered[i]++
			}
		}
	}
	for i, name := range []string{"change", "stayers", "leavers", "moved in", "born", "all movers"} {
		mean := sum[i] / draws
		deviation := math.Sqrt(squares[i]/draws - mean*mean)
		if ratio := errors[i] / draws / deviation; math.Abs(ratio-1) > .05 {
			t.Errorf("%s: the standard error is %.3f of the deviation of the draws", name, ratio)
		}
		if cover := covered[i] / draws; math.Abs(cover-.95) > .012 {
			t.Errorf("%s: 95 %% intervals cover %.3f", name, cover)
		}
	}
	if ratio := naive / errors[0]; ratio < 1.15 {
		t.Errorf("with the years taken as independent the error is %.2f of the right one: the simulation would not tell "+
			"the two apart", ratio)
	}
}
