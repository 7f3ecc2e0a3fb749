package resolvers

import (
	"math"
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// estimate hands back an estimate of package stats. unknown is nil where it makes no sense.
func estimate(e stats.Estimate, unknown *int64) *model.Estimate {
	out := &model.Estimate{Value: number(e.Value), Lower: number(e.Lower), Upper: number(e.Upper), Level: e.Level, StandardError: number(e.SE),
		Numerator: whole(e.Numerator), Denominator: whole(e.Denominator), Status: model.StatusObserved, Method: e.Method, Warnings: e.Warnings}
	if out.Warnings == nil {
		out.Warnings = []string{}
	}
	switch {
	case e.Denominator == 0:
		out.Status = model.StatusNoObservations
	case out.Value == nil:
		out.Status = model.StatusUndefined
	}
	if unknown != nil {
		u := int(*unknown)
		out.Unknown = &u
	}
	return out
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
func count(n int64) *model.Count {
	value := int(n)
	return &model.Count{Value: &value, Status: model.StatusObserved}
}

// share is the share of an indicator's tally.
func share(t store.Tally, level float64) *model.Estimate {
	e := stats.Wilson(float64(t.Y), float64(t.N), level)
	// A count stays a count where there is nothing to divide by.
	e.Numerator, e.Denominator = float64(t.Y), float64(t.N)
	return estimate(e, &t.Unknown)
}

// mean is the mean of a measure.
func mean(m store.Moments, level float64) *model.Estimate {
	e := stats.Mean(float64(m.N), float64(m.Sum), m.SumSq, level)
	e.Numerator, e.Denominator = math.NaN(), float64(m.N)
	return estimate(e, &m.Unknown)
}

// key writes the typed key of a cell.
func (r *Resolver) key(by []*contract.Dimension, cell store.Cell) map[string]any {
	out := map[string]any{}
	for i, d := range by {
		k := cell.Key[i]
		switch {
		case k == store.None:
		case d.IsInteger():
			out[d.Field] = int(k)
		case d.IsArea():
			out[d.Field] = &model.Area{Area: r.Store.Areas()[k]}
		case d.Type == "Municipality":
			out[d.Field] = r.municipality(d.Codes[k].Code)
		default:
			out[d.Field] = d.Codes[k].Code
		}
	}
	return out
}

// municipality returns the municipality with that code, or nil.
func (r *Resolver) municipality(code string) *model.Municipality {
	list := r.Contract.Codelist("municipality")
	i := list.Position(code)
	if i < 0 {
		return nil
	}
	c := list.Codes[i]
	region := list.Groups.Codes[list.Groups.Position(c.Group)]
	return &model.Municipality{Code: c.Code, Name: c.Label.DA, Region: region.Label.DA}
}

// shares makes the cells of a breakdown or a trend.
func (r *Resolver) shares(cells *store.Cells, level float64) []*model.Cell {
	out := make([]*model.Cell, len(cells.Rows))
	for i, cell := range cells.Rows {
		out[i] = &model.Cell{Key: r.key(cells.Query.By, cell), Estimate: share(cell.Indicators[0], level)}
	}
	return out
}

// spread makes the cells of a distribution over the last dimension, within the groups of the
// dimensions before it. Observations without a value of it leave the denominator.
func (r *Resolver) spread(cells *store.Cells, level float64) []*model.Cell {
	out := []*model.Cell{}
	last := len(cells.Query.By) - 1
	for rows := cells.Rows; len(rows) > 0; {
		n := 1
		for n < len(rows) && slices.Equal(rows[n].Key[:last], rows[0].Key[:last]) {
			n++
		}
		var known, unknown int64
		for _, cell := range rows[:n] {
			if cell.Key[last] == store.None {
				unknown += cell.N
			} else {
				known += cell.N
			}
		}
		for _, cell := range rows[:n] {
			if cell.Key[last] != store.None {
				out = append(out, &model.Cell{Key: r.key(cells.Query.By, cell), Estimate: share(store.Tally{N: known, Y: cell.N, Unknown: unknown}, level)})
			}
		}
		rows = rows[n:]
	}
	return out
}
