package study

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/stats"
)

// estimate hands back an estimate of package stats. unknown is nil where it makes no sense.
func estimate(e stats.Estimate, unknown *int64) *Estimate {
	out := &Estimate{Value: number(e.Value), Lower: number(e.Lower), Upper: number(e.Upper), Level: e.Level,
		StandardError: number(e.SE),
		Numerator:     whole(e.Numerator), Denominator: whole(e.Denominator), Status: StatusObserved, Method: e.Method,
		Warnings: e.Warnings}
	if out.Warnings == nil {
		out.Warnings = []string{}
	}
	switch {
	case e.Denominator == 0:
		out.Status = StatusNoObservations
	case out.Value == nil:
		out.Status = StatusUndefined
	}
	if unknown != nil {
		u := int(*unknown)
		out.Unknown = &u
	}
	return out
}

// warn adds warnings to an estimate that has an interval.
func (e *Estimate) warn(warnings []string) *Estimate {
	if e.Lower != nil {
		e.Warnings = append(e.Warnings, warnings...)
	}
	return e
}

// number is null where a figure is undefined.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func whole(x float64) *int {
	if math.IsNaN(x) {
		return nil
	}
	n := int(x)
	return &n
}

// count hands back a number of observations.
func count(n cells.Count) *Count {
	out := &Count{Status: statusOf(n.Status)}
	if n.Status != cells.Hidden {
		value := int(n.Value)
		out.Value = &value
	}
	return out
}

// counted hands back a number that was counted here.
func counted(n int) *Count { return &Count{Value: &n, Status: StatusObserved} }

func statusOf(s cells.Status) Status {
	switch s {
	case cells.Protected:
		return StatusPerturbed
	case cells.Hidden:
		return StatusSuppressedPrimary
	}
	return StatusObserved
}

// share is the share of an indicator's tally.
func share(t cells.Tally, level float64) *Estimate {
	e := stats.Wilson(t.Y.Float(), t.N.Float(), level)
	// A count stays a count where there is nothing to divide by.
	e.Numerator, e.Denominator = t.Y.Float(), t.N.Float()
	return estimate(e, &t.Unknown.Value)
}

// mean is the mean of a measure.
func mean(of *contract.Measure, m cells.Moments, level float64) *Estimate {
	e := stats.Mean(m.N.Float(), float64(m.Sum), m.SumSq.Float(), level)
	for _, x := range []*float64{&e.Value, &e.Lower, &e.Upper, &e.SE} {
		*x = of.Of(*x)
	}
	e.Numerator, e.Denominator = math.NaN(), m.N.Float()
	return estimate(e, &m.Unknown.Value)
}

// key writes the typed key of a cell.
func (s *Study) key(by []*contract.Dimension, cell cells.Cell) map[string]any {
	out := map[string]any{}
	for i, d := range by {
		k := cell.Key[i]
		switch {
		case k == cells.None:
		case d.IsInteger():
			out[d.Field] = int(k)
		case d.IsArea():
			out[d.Field] = &Area{s.Catalogue.Areas[k]}
		case d.Type == "Municipality":
			out[d.Field] = s.Municipality(d.Codes[k].Code)
		default:
			out[d.Field] = d.Codes[k].Code
		}
	}
	return out
}

// Municipality returns the municipality with that code, or nil.
func (s *Study) Municipality(code string) *Municipality {
	list := s.Contract.Codelist("municipality")
	i := list.Position(code)
	if i < 0 {
		return nil
	}
	c := list.Codes[i]
	region := list.Groups.Codes[list.Groups.Position(c.Group)]
	return &Municipality{Code: c.Code, Name: c.Label.DA, Region: region.Label.DA}
}

// shares makes the cells of a breakdown or a trend from those of a table.
func (s *Study) shares(table *cells.Table, level float64) []*Cell {
	out := make([]*Cell, len(table.Cells))
	by := table.Dimensions()
	for i, cell := range table.Cells {
		out[i] = &Cell{Key: s.key(by, cell), Estimate: share(cell.Indicators[0], level)}
	}
	return out
}

// spread makes the cells of a distribution over the last dimension, within the groups of the
// dimensions before it. Observations without a value of it leave the denominator.
func (s *Study) spread(table *cells.Table, level float64) []*Cell {
	out := []*Cell{}
	by := table.Dimensions()
	last := len(by) - 1
	for rows := table.Cells; len(rows) > 0; {
		n := 1
		for n < len(rows) && slices.Equal(rows[n].Key[:last], rows[0].Key[:last]) {
			n++
		}
		var known, unknown cells.Count
		for _, cell := range rows[:n] {
			if cell.Key[last] == cells.None {
				unknown = unknown.Plus(cell.N)
			} else {
				known = known.Plus(cell.N)
			}
		}
		for _, cell := range rows[:n] {
			if cell.Key[last] != cells.None {
				out = append(out, &Cell{Key: s.key(by, cell), Estimate: share(cells.Tally{N: known, Y: cell.N, Unknown: unknown},
					level)})
			}
		}
		rows = rows[n:]
	}
	return out
}
