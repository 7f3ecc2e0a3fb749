package study

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

// ordered puts cells, which come in the order of their keys, in another.
func ordered(table *cells.Table, by *CellOrder) *cells.Table {
	if by == nil {
		return table
	}
	descending := by.Direction == DirectionDesc
	turn := func(c int) int {
		if descending {
			return -c
		}
		return c
	}
	out := *table
	out.Cells = slices.Clone(table.Cells) // other questions of the request share the cells
	if by.Field == CellOrderFieldKey && descending {
		slices.Reverse(out.Cells)
	}
	slices.SortStableFunc(out.Cells, func(a, b cells.Cell) int {
		x, y := a.Indicators[0], b.Indicators[0]
		switch {
		case by.Field == CellOrderFieldDenominator:
			return turn(cmp.Compare(x.N.Value, y.N.Value))
		case by.Field == CellOrderFieldKey:
			return 0
		case x.N.Value == 0 || y.N.Value == 0: // without a value: last, whatever the direction
			return cmp.Compare(min(y.N.Value, 1), min(x.N.Value, 1))
		}
		return turn(cmp.Compare(x.Y.Value*y.N.Value, y.Y.Value*x.N.Value))
	})
	return &out
}

// cellName names a cell of a table split by the dimensions. The key alone would do within a
// breakdown, but means another cell in a breakdown by other dimensions.
func cellName(table *contract.Table, by []string, c cells.Cell) string {
	b := []byte(table.Name + " by " + strings.Join(by, " ") + ":")
	for _, k := range c.Key {
		b = binary.AppendVarint(b, int64(k))
	}
	return string(b)
}

// sortByName orders areas by name; equal ones stand in the order of their ids.
func (s *Study) sortByName(list []*Area) {
	s.sortAreas(list, AreaOrder{Field: AreaOrderFieldName, Direction: DirectionAsc}, nil)
}

// sortAreas orders areas; equal ones stand in the order of their ids. The order by residents needs the
// key figures.
func (s *Study) sortAreas(list []*Area, by AreaOrder, figures map[*cells.Area][]yearFigures) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b *Area) int {
		var c int
		switch by.Field {
		case AreaOrderFieldResidents:
			x, y := latestResidents(figures[a.Area]), latestResidents(figures[b.Area])
			if (x < 0) != (y < 0) { // without a number: last, whatever the direction
				return cmp.Compare(y, x)
			}
			c = cmp.Compare(x, y)
		case AreaOrderFieldMunicipality:
			c = danish.CompareString(s.municipalityName(a), s.municipalityName(b))
		default:
			c = danish.CompareString(a.Name, b.Name)
		}
		if by.Direction == DirectionDesc {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Area.ID, b.Area.ID))
	})
}

func latestResidents(years []yearFigures) int {
	for _, y := range slices.Backward(years) {
		if y.Residents != nil {
			return *y.Residents
		}
	}
	return -1
}

func sortPlans(list []*Plan) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b *Plan) int {
		return cmp.Or(danish.CompareString(a.Name, b.Name), cmp.Compare(a.Plan.ID, b.Plan.ID))
	})
}

// sortActivities orders activities by name; equal ones stand in the order of their ids.
func sortActivities(list []*Activity) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b *Activity) int {
		return cmp.Or(danish.CompareString(a.Name, b.Name), cmp.Compare(a.Activity.ID, b.Activity.ID))
	})
}

// sortDanish orders texts by the Danish alphabet.
func sortDanish(list []string) {
	danish := collate.New(language.Danish)
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(danish.CompareString(a, b), cmp.Compare(a, b)) })
}
