package stats

import (
	"math"

	"github.com/kvarter/kvarter/internal/fault"
)

// A Turnover is a change in a share between two times, split by who stayed, left and arrived.
type Turnover struct {
	Before, After Estimate // shares
	Change        Estimate // After - Before
	Stayers       Estimate // the change among stayers
	// What each group that left, and each that arrived, adds to the change.
	Leavers, Arrivals []Estimate
	// Shares of the stayers before and after; NaN without any.
	StayersBefore, StayersAfter Estimate

	level          float64
	persons        []personKind
	counted        float64     // persons
	inLeavers      [][]float64 // influences on each group's part, by kind of person
	inArrivals     [][]float64
	withoutStayers bool
}

// personKind is some persons alike in group and outcome.
type personKind struct {
	n               float64
	before, after   float64 // outcome; NaN where not counted
	leaver, arrival int     // group, or -1
}

// TurnoverOf splits a change in a share between two times exactly (Melitz, Polanec 2015, RAND J.
// Econ. 46:362). stayers[i][j] are the persons counted at both times with outcome i before and j
// after; each of leavers is a group counted before only, each of arrivals one counted after only,
// as sums of an indicator. With S the stayers, w a group's share of all counted at its time:
//
//	after - before = (p_S after - p_S before) + Σ w (p - p_S after) - Σ w (p - p_S before)
//	                                            arrivals              leavers
//
// so that a group adds what the share would lose without it. Swapping the times turns all signs and
// arrivals into leavers. A group is not compared with the other groups: splitting it in two leaves
// the sum as it was.
//
// Standard errors are the delta method's for persons drawn independently, each with a group and one or
// two outcomes: every person's influence on the part, squared and summed. A stayer's influence
// goes through both times, so that the covariance of the two shares is in it. In simulation 95 % intervals of
// all parts cover 94 to 95 % where six stayers are expected to change; where three are, that of the stayers
// covers 89 %, so fewer than five give a warning. Without stayers the parts are undefined (NaN, with
// a warning); Change is not.
func TurnoverOf(stayers [2][2]float64, leavers, arrivals []Cell, level float64) (*Turnover, error) {
	if err := CheckLevel(level); err != nil {
		return nil, err
	}
	t := &Turnover{level: level}
	add := func(n, before, after float64, leaver, arrival int) error {
		if !(n >= 0) || math.IsInf(n, 0) {
			return fault.Invalidf("%g persons cannot be counted", n)
		}
		t.persons = append(t.persons, personKind{n, before, after, leaver, arrival})
		t.counted += n
		return nil
	}
	nan := math.NaN()
	for before, row := range stayers {
		for after, n := range row {
			if err := add(n, float64(before), float64(after), -1, -1); err != nil {
				return nil, err
			}
		}
	}
	for g, c := range leavers {
		if err := errorsOf(c, add(c.Sum, 1, nan, g, -1), add(c.N-c.Sum, 0, nan, g, -1)); err != nil {
			return nil, err
		}
	}
	for g, c := range arrivals {
		if err := errorsOf(c, add(c.Sum, nan, 1, -1, g), add(c.N-c.Sum, nan, 0, -1, g)); err != nil {
			return nil, err
		}
	}

	// Sums at each time: of everyone, and of the stayers.
	var all, stay [2]struct{ n, y float64 }
	for _, p := range t.persons {
		for time, x := range [2]float64{p.before, p.after} {
			if math.IsNaN(x) {
				continue
			}
			all[time].n, all[time].y = all[time].n+p.n, all[time].y+p.n*x
			if p.stays() {
				stay[time].n, stay[time].y = stay[time].n+p.n, stay[time].y+p.n*x
			}
		}
	}
	share := func(s struct{ n, y float64 }) float64 { return s.y / s.n }
	t.Before, t.After = Wilson(all[0].y, all[0].n, level), Wilson(all[1].y, all[1].n, level)
	t.StayersBefore, t.StayersAfter = Wilson(stay[0].y, stay[0].n, level), Wilson(stay[1].y, stay[1].n, level)
	t.withoutStayers = stay[0].n == 0

	// own is a person's influence on a share.
	own := func(x, of, n float64) float64 {
		if math.IsNaN(x) || n == 0 {
			return 0
		}
		return (x - of) / n
	}
	p0, p1, s0, s1 := share(all[0]), share(all[1]), share(stay[0]), share(stay[1])
	ofChange, ofStayers := make([]float64, len(t.persons)), make([]float64, len(t.persons))
	for i, p := range t.persons {
		ofChange[i] = own(p.after, p1, all[1].n) - own(p.before, p0, all[0].n)
		if p.stays() {
			ofStayers[i] = own(p.after, s1, stay[1].n) - own(p.before, s0, stay[0].n)
		}
	}
	t.Change = t.estimate(p1-p0, ofChange, false)
	t.Stayers = t.estimate(s1-s0, ofStayers, t.withoutStayers)
	if changed := stayers[0][1] + stayers[1][0]; changed > 0 && changed < 5 {
		t.Stayers.warnf("fewer than 5 stayers changed: the interval is too short")
	}

	// What a group adds: its Σ(x - p_S)/N, with sign +1 for arrivals and -1 for leavers.
	part := func(c Cell, time int, sign, pS float64, in func(personKind) bool) (float64, []float64) {
		if c.N == 0 {
			return 0, make([]float64, len(t.persons))
		}
		value := sign * (c.Sum - c.N*pS) / all[time].n
		influence := make([]float64, len(t.persons))
		for i, p := range t.persons {
			x := [2]float64{p.before, p.after}[time]
			if math.IsNaN(x) {
				continue
			}
			influence[i] = -value / all[time].n // through the number of all
			switch {
			case in(p):
				influence[i] += sign * (x - pS) / all[time].n
			case p.stays():
				influence[i] -= sign * c.N / all[time].n * (x - pS) / stay[time].n
			}
		}
		return value, influence
	}
	for g, c := range leavers {
		v, in := part(c, 0, -1, s0, func(p personKind) bool { return p.leaver == g })
		t.inLeavers = append(t.inLeavers, in)
		t.Leavers = append(t.Leavers, t.estimate(v, in, t.withoutStayers))
	}
	for g, c := range arrivals {
		v, in := part(c, 1, 1, s1, func(p personKind) bool { return p.arrival == g })
		t.inArrivals = append(t.inArrivals, in)
		t.Arrivals = append(t.Arrivals, t.estimate(v, in, t.withoutStayers))
	}
	return t, nil
}

// errorsOf reports a group that is no group of persons with an indicator.
func errorsOf(c Cell, errs ...error) error {
	if !c.IsIndicator() {
		return fault.Invalidf("%g of %g persons are no share", c.Sum, c.N)
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p personKind) stays() bool { return p.leaver < 0 && p.arrival < 0 }

// Part is what several groups, given by their places, add together; without any it is 0, with no
// interval. Its interval takes into account that what they add hangs together.
func (t *Turnover) Part(leavers, arrivals []int) Estimate {
	var value float64
	influence := make([]float64, len(t.persons))
	add := func(v float64, in []float64) {
		value += v
		for i, x := range in {
			influence[i] += x
		}
	}
	for _, g := range leavers {
		add(t.Leavers[g].Value, t.inLeavers[g])
	}
	for _, g := range arrivals {
		add(t.Arrivals[g].Value, t.inArrivals[g])
	}
	if len(leavers)+len(arrivals) == 0 && !t.withoutStayers {
		none := untold(0, t.level, "nobody did this, which does not tell how far off it is: it has no standard error and "+
			"no interval")
		none.Denominator = t.counted
		return none
	}
	return t.estimate(value, influence, t.withoutStayers)
}

func (t *Turnover) estimate(value float64, influence []float64, withoutStayers bool) Estimate {
	const method = "delta method over persons"
	if withoutStayers {
		return undefined(method, t.level, "nobody was counted at both times: there are no stayers to compare with")
	}
	var variance float64
	for i, in := range influence {
		if n := t.persons[i].n; n > 0 {
			variance += n * in * in
		}
	}
	e := normalEstimate(method, value, variance, t.level)
	e.Denominator = t.counted
	if math.IsNaN(value) {
		e = undefined(method, t.level, "nobody was counted at one of the times")
		e.Denominator = 0
	}
	return e
}
