package cellstest

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

// move is the key of a cell of flows.
type move struct {
	Was, Becomes  cells.Presence
	Before, After cells.State
	Unborn, Grown bool
}

// moves reads a table of flows; what stands for groups is under Groups.
func moves(table *cells.Table) map[move]int64 {
	out := map[move]int64{}
	for _, c := range table.Cells {
		k := c.Key
		out[move{k[0], k[1], k[2], k[3], k[4] == 1, k[5] == 1}] += c.N.Value
	}
	return out
}

// Ten children, each with a story told by its row; the moves are what the stories say.
func personsAreFollowed(t *testing.T, open Open) {
	s := open(t, `
	CREATE TABLE area AS FROM (VALUES ('A1', 'x', '101', true, 'test'), ('A2', 'y', '101', true, 'test')) t(area_id,
	       name, municipality, supported, source);
	CREATE TABLE child_year AS FROM (VALUES
		(1,  2014, 2, 'A1', false), (1,  2016, 4, 'A1', true),  -- stays, becomes poor
		(2,  2014, 1, 'A1', true),  (2,  2016, 3, 'A1', true),  -- stays poor
		(3,  2014, 1, 'A1', true),  (3,  2016, 3, NULL, true),  -- moves out of the areas
		(4,  2014, 3, 'A2', false), (4,  2016, 5, 'A1', false), -- moves in from another area
		(5,  2014, 5, 'A1', true),                              -- grows out: 5 + 2 = 7
		(6,  2014, 4, 'A1', false),                             -- is gone at 6
		                            (7,  2016, 1, 'A1', true),  -- born since
		                            (8,  2016, 2, 'A1', false), -- was 0 in 2014, in no row
		(9,  2014, 2, 'A1', NULL),  (9,  2016, 4, 'A1', false), -- value known in the later year only
		(10, 2014, 2, NULL, true),  (10, 2016, 4, NULL, true),  -- never there
		(11, 2014, 2, 'A1', NULL),  (11, 2015, 3, 'A1', true)   -- counted in neither of the two years
	) t(child_id, year, age, area_id, poor)`)
	c := s.Catalogue().Contract
	poor, err := c.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	area, ages := dimension(t, c, "AREA"), dimension(t, c, "AGE")
	q := cells.Flows{Table: c.CohortTable("children"), Indicator: poor, From: 2014, To: 2016,
		Where: cells.Filter{}.And(cells.Condition{Dimension: area, Areas: []string{"A1"}})}
	ask := func(q cells.Flows) map[move]int64 {
		t.Helper()
		table, err := cells.One(context.Background(), s, q)
		if err != nil {
			t.Fatal(err)
		}
		return moves(table)
	}
	expect := func(what string, got, want map[move]int64) {
		t.Helper()
		for m, n := range want {
			if got[m] != n {
				t.Errorf("%s: %+v has %d persons, want %d", what, m, got[m], n)
			}
			delete(got, m)
		}
		for m, n := range got {
			t.Errorf("%s: %d persons who were not expected: %+v", what, n, m)
		}
	}
	const absent, elsewhere, here = cells.Absent, cells.Elsewhere, cells.Here
	expect("one area", ask(q), map[move]int64{
		{Was: here, Becomes: here, Before: cells.Without, After: cells.With}:       1,
		{Was: here, Becomes: here, Before: cells.With, After: cells.With}:          1,
		{Was: here, Becomes: elsewhere, Before: cells.With}:                        1,
		{Was: elsewhere, Becomes: here, After: cells.Without}:                      1,
		{Was: here, Becomes: absent, Before: cells.With, Grown: true}:              1,
		{Was: here, Becomes: absent, Before: cells.Without}:                        1,
		{Was: absent, Becomes: here, After: cells.With, Unborn: true}:              1,
		{Was: absent, Becomes: here, After: cells.Without}:                         1,
		{Was: here, Becomes: here, Before: cells.NotCounted, After: cells.Without}: 1,
	})
	// Asked of every area at once, each has what it has when asked alone.
	together := cells.Flows{Table: q.Table, Indicator: poor, From: 2014, To: 2016, ByArea: true}
	table, err := cells.One(context.Background(), s, together)
	if err != nil {
		t.Fatal(err)
	}
	for place, id := range []string{"A1", "A2"} {
		alone := q
		alone.Where = cells.Filter{}.And(cells.Condition{Dimension: area, Areas: []string{id}})
		expect(id+" among all", moves(table.Within(int32(place))), ask(alone))
	}
	// A condition that is no place: who grows beyond it has not moved.
	from, to := 1, 3
	q.Where = q.Where.And(cells.Condition{Dimension: ages, From: &from, To: &to})
	expect("ages 1-3", ask(q), map[move]int64{
		{Was: here, Becomes: here, Before: cells.Without}:                 1, // child 1 is 4 in 2016
		{Was: here, Becomes: here, Before: cells.With, After: cells.With}: 1,
		{Was: here, Becomes: elsewhere, Before: cells.With}:               1,
		{Was: absent, Becomes: here, After: cells.With, Unborn: true}:     1,
		{Was: absent, Becomes: here, After: cells.Without}:                1,
	})
	// The whole table is a place too, in which nobody moves.
	q.Where = cells.Filter{With: q.Where.With}
	all := ask(q)
	for m := range all {
		if m.Was == elsewhere || m.Becomes == elsewhere {
			t.Errorf("somebody moved out of everywhere: %+v", m)
		}
	}
}

// Rows that stand for groups are counted apart: those in the cohort, and those outside its place.
func groupsAreCountedApart(t *testing.T, open Open) {
	s := open(t, `
		CREATE TABLE area AS FROM (VALUES ('A1', 'x', '101', true, 'test'))
			t(area_id, name, municipality, supported, source);
		CREATE TABLE child_year AS FROM (VALUES (1, 2014, 1, 'A1', true, 1), (1, 2016, 3, 'A1', true, 1),
		       (NULL, 2014, 1, 'A1', true, 7), (NULL, 2016, 1, NULL, false, 90)) t(child_id, year, age, area_id, poor,
		       n)`)
	c := s.Catalogue().Contract
	poor, err := c.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	table, err := cells.One(context.Background(), s, cells.Flows{Table: c.CohortTable("children"), Indicator: poor,
		From: 2014, To: 2016, ByArea: true})
	if err != nil {
		t.Fatal(err)
	}
	got := moves(table.Within(0))
	want := map[move]int64{
		{Was: cells.Here, Becomes: cells.Here, Before: cells.With, After: cells.With}:     1,
		{Was: cells.Groups, Becomes: cells.Groups, Before: cells.With, After: cells.With}: 7,
		{Was: cells.Groups, Becomes: cells.Groups}:                                        90,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever the cohort, those counted in a year are those that the cells count.
func flowsAgreeWithCells(t *testing.T, s cells.Source) {
	c := s.Catalogue().Contract
	ctx := context.Background()
	random := rand.New(rand.NewPCG(5, 9))
	table, year := c.CohortTable("children"), dimension(t, c, "YEAR")
	var dimensions []*contract.Dimension
	for _, d := range c.Dimensions {
		if d.Columns[table.Name] != nil && d != year {
			dimensions = append(dimensions, d)
		}
	}
	var indicators []*contract.Indicator
	for _, i := range c.Indicators {
		if slices.Contains(i.Tables, table.Name) {
			indicators = append(indicators, i)
		}
	}
	for range 40 {
		q := cells.Flows{Table: table, Indicator: indicators[random.IntN(len(indicators))], From: 2014,
			To: 2015 + random.IntN(2)}
		for _, i := range random.Perm(len(dimensions))[:random.IntN(3)] {
			q.Where = q.Where.And(anyCondition(random, s.Catalogue(), table, dimensions[i]))
		}
		switch random.IntN(4) {
		case 0:
			q.Where.With = indicators[:1]
		case 1:
			q.Where.Without = indicators[2:3]
		case 2:
			q.Where.WithAny = [][]*contract.Indicator{indicators[3:6]}
		}
		answer, err := cells.One(ctx, s, q)
		if err != nil {
			t.Fatal(err)
		}
		for at, y := range []int{q.From, q.To} {
			counted, err := cells.One(ctx, s, cells.Observations{Table: table,
				Where:      q.Where.And(cells.Condition{Dimension: year, From: &y, To: &y}),
				Indicators: []*contract.Indicator{q.Indicator}})
			if err != nil {
				t.Fatal(err)
			}
			var n, has int64
			for m, people := range moves(answer) {
				if m.Was == cells.Groups {
					continue
				}
				state, where := m.Before, m.Was
				if at == 1 {
					state, where = m.After, m.Becomes
				}
				if state != cells.NotCounted {
					n += people
					if where != cells.Here {
						t.Errorf("%v: %d persons count where they are not: %+v", q.Where, people, m)
					}
				}
				if state == cells.With {
					has += people
				}
			}
			if want := counted.Total().Indicators[0]; n != want.N.Value || has != want.Y.Value {
				t.Errorf("%s of %v in %d: %d of %d persons, the cells count %d of %d", q.Indicator.Name, q.Where, y,
					has, n, want.Y.Value, want.N.Value)
			}
		}
	}
}
