package resolvers

import (
	"cmp"
	"encoding/binary"
	"slices"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/store"
)

// standardPage is how many areas or plans are given when a client does not say.
const standardPage = 50

// order puts cells, which come in the order of their keys, in another.
func order(cells *store.Cells, by *model.CellOrder) {
	if by == nil {
		return
	}
	descending := by.Direction == model.DirectionDesc
	turn := func(c int) int {
		if descending {
			return -c
		}
		return c
	}
	rows := slices.Clone(cells.Rows) // other fields of the request share the cells
	if by.Field == model.CellOrderFieldKey && descending {
		slices.Reverse(rows)
	}
	slices.SortStableFunc(rows, func(a, b store.Cell) int {
		x, y := a.Indicators[0], b.Indicators[0]
		switch {
		case by.Field == model.CellOrderFieldDenominator:
			return turn(cmp.Compare(x.N, y.N))
		case by.Field == model.CellOrderFieldKey:
			return 0
		case x.N == 0 || y.N == 0: // without a value: last, whatever the direction
			return cmp.Compare(min(y.N, 1), min(x.N, 1))
		}
		return turn(cmp.Compare(x.Y*y.N, y.Y*x.N))
	})
	cells.Rows = rows
}

// cellName names the cells of a table split by the dimensions. The key alone would do within a
// breakdown, but means another cell in a breakdown by other dimensions.
func cellName(table *contract.Table, by []*contract.Dimension) func(store.Cell) string {
	list := table.Name + " by " + byKey(by) + ":"
	return func(c store.Cell) string {
		b := []byte(list)
		for _, k := range c.Key {
			b = binary.AppendVarint(b, int64(k))
		}
		return string(b)
	}
}

// sortAreas orders areas; equal ones stand in the order of their ids. Nil orders by name.
func (r *Resolver) sortAreas(list []*model.Area, by *model.AreaOrder) {
	if by == nil {
		by = &model.AreaOrder{Field: model.AreaOrderFieldName, Direction: model.DirectionAsc}
	}
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b *model.Area) int {
		var c int
		switch by.Field {
		case model.AreaOrderFieldResidents:
			x, y := latestResidents(a), latestResidents(b)
			if (x < 0) != (y < 0) { // without a number: last, whatever the direction
				return cmp.Compare(y, x)
			}
			c = cmp.Compare(x, y)
		case model.AreaOrderFieldMunicipality:
			c = danish.CompareString(r.municipalityName(a), r.municipalityName(b))
		default:
			c = danish.CompareString(a.Name, b.Name)
		}
		if by.Direction == model.DirectionDesc {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Area.ID, b.Area.ID))
	})
}

func latestResidents(a *model.Area) int {
	for _, y := range slices.Backward(a.Years) {
		if y.Residents != nil {
			return *y.Residents
		}
	}
	return -1
}

func sortPlans(list []*model.Plan) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b *model.Plan) int {
		return cmp.Or(danish.CompareString(a.Name, b.Name), cmp.Compare(a.Plan.ID, b.Plan.ID))
	})
}

// sortActivities orders activities by name; equal ones stand in the order of their ids.
func sortActivities(list []*model.Activity) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b *model.Activity) int {
		return cmp.Or(danish.CompareString(a.Name, b.Name), cmp.Compare(a.Activity.ID, b.Activity.ID))
	})
}

// sortDanish orders texts by the Danish alphabet.
func sortDanish(list []string) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(danish.CompareString(a, b), cmp.Compare(a, b)) })
}
