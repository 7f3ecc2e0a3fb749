package store_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/store"
	"github.com/kvarter/kvarter/internal/store/storetest"
)

// Ten children, each with a story told by its row; the moves are what the stories say.
func TestTurnoverFollowsPersons(t *testing.T) {
	c := storetest.Contract(t)
	s := storetest.Open(t, c, `
	CREATE TABLE area AS FROM (VALUES ('A1', 'x', '101', true, 'test'), ('A2', 'y', '101', true, 'test')) t(area_id, name, municipality, supported, source);
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
	poor, err := c.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	area, ages := dimension(t, c, "AREA"), dimension(t, c, "AGE")
	q := store.TurnoverQuery{Table: c.CohortTable("children"), Indicator: poor, From: 2014, To: 2016, Where: store.Filter{}.And(store.Condition{Dimension: area, Areas: []string{"A1"}})}
	ask := func(q store.TurnoverQuery) map[store.Move]int64 {
		t.Helper()
		answer, err := s.Turnover(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		out := map[store.Move]int64{}
		for _, m := range answer.Moves {
			n := m.N
			m.N = 0
			out[m] += n
		}
		return out
	}
	expect := func(what string, got, want map[store.Move]int64) {
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
	const absent, elsewhere, here = store.Absent, store.Elsewhere, store.Here
	expect("one area", ask(q), map[store.Move]int64{
		{Was: here, Becomes: here, Before: store.Without, After: store.With}:       1,
		{Was: here, Becomes: here, Before: store.With, After: store.With}:          1,
		{Was: here, Becomes: elsewhere, Before: store.With}:                        1,
		{Was: elsewhere, Becomes: here, After: store.Without}:                      1,
		{Was: here, Becomes: absent, Before: store.With, Grown: true}:              1,
		{Was: here, Becomes: absent, Before: store.Without}:                        1,
		{Was: absent, Becomes: here, After: store.With, Unborn: true}:              1,
		{Was: absent, Becomes: here, After: store.Without}:                         1,
		{Was: here, Becomes: here, Before: store.NotCounted, After: store.Without}: 1,
	})
	// A condition that is no place: who grows beyond it has not moved.
	from, to := 1, 3
	q.Where = q.Where.And(store.Condition{Dimension: ages, From: &from, To: &to})
	expect("ages 1-3", ask(q), map[store.Move]int64{
		{Was: here, Becomes: here, Before: store.Without}:                 1, // child 1 is 4 in 2016
		{Was: here, Becomes: here, Before: store.With, After: store.With}: 1,
		{Was: here, Becomes: elsewhere, Before: store.With}:               1,
		{Was: absent, Becomes: here, After: store.With, Unborn: true}:     1,
		{Was: absent, Becomes: here, After: store.Without}:                1,
	})
	// The whole table is a place too, in which nobody moves.
	q.Where = store.Filter{With: q.Where.With}
	all := ask(q)
	for m := range all {
		if m.Was == elsewhere || m.Becomes == elsewhere {
			t.Errorf("somebody moved out of everywhere: %+v", m)
		}
	}
}

// Whatever the cohort, those counted in a year are those that the cells count.
func TestTurnoverAgreesWithCells(t *testing.T) {
	c := storetest.Contract(t)
	s := storetest.Open(t, c, storetest.World)
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
		q := store.TurnoverQuery{Table: table, Indicator: indicators[random.IntN(len(indicators))], From: 2014, To: 2015 + random.IntN(2)}
		for _, i := range random.Perm(len(dimensions))[:random.IntN(3)] {
			q.Where = q.Where.And(anyCondition(random, table, dimensions[i]))
		}
		switch random.IntN(4) {
		case 0:
			q.Where.With = indicators[:1]
		case 1:
			q.Where.Without = indicators[2:3]
		case 2:
			q.Where.WithAny = [][]*contract.Indicator{indicators[3:6]}
		}
		answer, err := s.Turnover(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for at, y := range []int{q.From, q.To} {
			cells, err := s.Cells(ctx, store.Query{Table: table, Where: q.Where.And(store.Condition{Dimension: year, From: &y, To: &y}), Indicators: []*contract.Indicator{q.Indicator}})
			if err != nil {
				t.Fatal(err)
			}
			var n, has int64
			for _, m := range answer.Moves {
				state, where := m.Before, m.Was
				if at == 1 {
					state, where = m.After, m.Becomes
				}
				if state != store.NotCounted {
					n += m.N
					if where != store.Here {
						t.Errorf("%v: %d persons count where they are not: %+v", q.Where, m.N, m)
					}
				}
				if state == store.With {
					has += m.N
				}
			}
			if want := cells.Total().Indicators[0]; n != want.N || has != want.Y {
				t.Errorf("%s of %v in %d: %d of %d persons, the cells count %d of %d", q.Indicator.Name, q.Where, y, has, n, want.Y, want.N)
			}
		}
	}
}

func TestTurnoverNeedsPersons(t *testing.T) {
	c := storetest.Contract(t)
	s := storetest.Open(t, c, storetest.World)
	bare := storetest.Open(t, c, `CREATE TABLE resident_year AS FROM (VALUES (2014, 'AGE_18_24', 'NEITHER'), (2016, 'AGE_18_24', 'NEITHER')) t(year, age_group, work_status)`)
	residents, children := c.CohortTable("residents"), c.CohortTable("children")
	outside, err := c.Indicator("OUTSIDE_WORK_AND_EDUCATION")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		s    *store.Store
		q    store.TurnoverQuery
		kind fault.Kind
		want string
	}{
		{s, store.TurnoverQuery{Table: residents, Indicator: outside, From: 2014, To: 2016}, fault.NotRecorded, "stand for groups of residents"},
		{bare, store.TurnoverQuery{Table: residents, Indicator: outside, From: 2014, To: 2016}, fault.NotRecorded, "table resident_year has no person_id"},
		{s, store.TurnoverQuery{Table: children, Indicator: outside, From: 2014, To: 2016}, fault.NotRecorded, "OUTSIDE_WORK_AND_EDUCATION is not recorded for children"},
		{s, store.TurnoverQuery{Table: residents, Indicator: outside, From: 2016, To: 2014}, fault.Invalid, "from must be at most to"},
		{s, store.TurnoverQuery{Table: residents, Indicator: outside, From: 2014, To: 2014}, fault.Invalid, "both years are 2014"},
		{s, store.TurnoverQuery{Table: residents, Indicator: outside, From: 2014, To: 2024}, fault.Invalid, "year 2024 is after the data ends (2016)"},
	} {
		_, err := test.s.Turnover(context.Background(), test.q)
		if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v (%s), want …%s… (%s)", err, fault.KindOf(err), test.want, test.kind)
		}
	}
}
