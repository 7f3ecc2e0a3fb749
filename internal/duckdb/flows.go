package duckdb

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
)

// flows follows the persons of a cohort. It reads the facts: roll-ups hold no persons.
func (s *Store) flows(ctx context.Context, q cells.Flows) (*cells.Table, error) {
	here, hereValues := s.all(q, true)
	others, otherValues := s.all(q, false)
	place := "0" // one place: where the conditions hold
	if q.ByArea {
		place = "area_id"
	}
	data := struct {
		Person, Place, Here, Counted, Has, Age, From, Weight string
		Earlier, Later, Years, Youngest, Oldest              int
	}{
		Person: QuoteName(q.Table.Person), Place: place, Here: here, Age: "NULL::INTEGER", From: QuoteName(q.Table.Name),
		Weight: s.weight(q.Table), Counted: here + " AND " + others + " AND " + known(q.Table, q.Indicator),
		Has:     Predicate(q.Table, q.Indicator.When),
		Earlier: q.From, Later: q.To, Years: q.To - q.From,
	}
	if q.ByArea {
		data.Counted += " AND " + place + " IS NOT NULL"
	}
	if c := q.Table.Column("age"); c != nil && s.catalogue.Columns[q.Table.Name][c.Name] {
		data.Age, data.Youngest, data.Oldest = QuoteName(c.Name)+"::INTEGER", int(c.Min), int(c.Max)
	}
	sum := newFlowSum()
	text, err := write("flows", data)
	if err != nil {
		return nil, err
	}
	values := slices.Concat(hereValues, hereValues, otherValues)
	err = s.query(ctx, text, values, func(rows *sql.Rows) error {
		var at, to int32
		var before, after, unborn, grown bool
		var had, has, n int64
		if err := rows.Scan(keyTarget{s.catalogue, &at}, keyTarget{s.catalogue, &to}, &before, &after, &had, &has, &unborn,
			&grown, &n); err != nil {
			return err
		}
		for _, place := range slices.Compact([]int32{at, to}) {
			if place != cells.None {
				sum.add(place, presence(at, place, before), presence(to, place, after), state(at, place, had),
					state(to, place, has), flag(unborn), flag(grown), n)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if text, err = write("unfollowed", data); err != nil {
		return nil, err
	}
	var total int64 // observations that stand for groups
	groups, counted := map[int32]int64{}, map[int32]int64{}
	values = slices.Concat(hereValues, hereValues, otherValues)
	err = s.query(ctx, text, values, func(rows *sql.Rows) error {
		var place int32
		var n, of int64
		if err := rows.Scan(keyTarget{s.catalogue, &place}, &n, &of); err != nil {
			return err
		}
		total += n
		groups[place], counted[place] = n, of
		return nil
	})
	if err != nil {
		return nil, err
	}
	places := []int32{0}
	if q.ByArea {
		places = places[:0]
		for i := range s.catalogue.Areas {
			places = append(places, int32(i))
		}
	}
	for _, place := range places {
		if n := counted[place]; n > 0 {
			sum.add(place, cells.Groups, cells.Groups, cells.With, cells.With, 0, 0, n)
		}
		if n := total - groups[place]; n > 0 {
			sum.add(place, cells.Groups, cells.Groups, cells.NotCounted, cells.NotCounted, 0, 0, n)
		}
	}
	out := &cells.Table{Cells: sum.cells}
	cells.Sort(out.Cells)
	for _, name := range append([]string{"AREA"}, cells.FlowKeys...) {
		out.Keys = append(out.Keys, cells.Key{Name: name})
	}
	if !q.ByArea {
		out.Keys = out.Keys[1:]
		for i := range out.Cells {
			out.Cells[i].Key = out.Cells[i].Key[1:]
		}
	}
	return out, nil
}

// flowSum adds up persons by key.
type flowSum struct {
	cells []cells.Cell
	at    map[[7]int32]int
}

func newFlowSum() *flowSum { return &flowSum{at: map[[7]int32]int{}} }

// add counts n persons. Who counts in neither year is no flow.
func (f *flowSum) add(place int32, was, becomes cells.Presence, before, after cells.State, unborn, grown int32,
	n int64) {
	if before == cells.NotCounted && after == cells.NotCounted && was != cells.Groups {
		return
	}
	key := [7]int32{place, was, becomes, before, after, unborn, grown}
	i, ok := f.at[key]
	if !ok {
		i = len(f.cells)
		f.at[key] = i
		f.cells = append(f.cells, cells.Cell{Key: key[:]})
	}
	f.cells[i].N.Value += n
}

// presence is where somebody at a place, or nowhere in it, is as seen from another.
func presence(at, seenFrom int32, there bool) cells.Presence {
	switch {
	case at == seenFrom:
		return cells.Here
	case there:
		return cells.Elsewhere
	}
	return cells.Absent
}

// state is how somebody counts as seen from a place: not at all unless there.
func state(at, seenFrom int32, counts int64) cells.State {
	if at != seenFrom {
		return cells.NotCounted
	}
	return cells.State(counts)
}

func flag(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

// all writes the conditions of the cohort that make its place, or the others, as one that is never
// null, with its values.
func (s *Store) all(q cells.Flows, place bool) (string, []any) {
	parts := []string{"true"}
	var values []any
	for _, c := range q.Where.Conditions {
		column := c.Dimension.Columns[q.Table.Name].Name
		if (column == "area_id" || column == "municipality") != place {
			continue
		}
		part, bound := s.condition(q.Table, c)
		parts, values = append(parts, "coalesce("+part+", false)"), append(values, bound...)
	}
	if !place {
		parts = append(parts, traits(q.Table, q.Where)...)
	}
	return "(" + strings.Join(parts, " AND ") + ")", values
}
