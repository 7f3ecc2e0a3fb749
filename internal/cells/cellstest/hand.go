package cellstest

import (
	"context"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

func count(n int64) cells.Count { return cells.Count{Value: n} }

func tally(n, y, unknown int64) cells.Tally {
	return cells.Tally{N: count(n), Y: count(y), Unknown: count(unknown)}
}

// Four rows with everything that can be unknown, counted by hand.
func contractIsCounted(t *testing.T, open Open) {
	setup := `CREATE TABLE child_year AS FROM (VALUES
		(2016, 0, true,  true,  NULL,  true,  NULL,  'BOTH_ACTIVE', 1, 5, 100),
		(2016, 1, NULL,  true,  true,  NULL,  false, 'UNKNOWN',     1, 6, 200),
		(2016, 2, false, false, NULL,  NULL,  NULL,  'NONE_ACTIVE', 3, 7, 300),
		(2015, 3, true,  NULL,  false, false, NULL,  NULL,          1, 8, NULL)
	) t(year, age, poor, mother_present, mother_alcohol, mother_drugs, enrolled, parents_status, n, record_key,
	       equivalised_income)`
	s := open(t, setup)
	c := s.Catalogue().Contract
	for _, test := range []struct {
		indicator string
		want      cells.Tally
	}{
		{"POOR", tally(5, 2, 1)},
		// Alcohol or drugs: row 1 unknown or true is true; row 2 true or unknown is true; row 3's
		// mother is absent; row 4's presence is unknown, so whether she counts is.
		{"MOTHER_SUBSTANCE_ABUSE", tally(2, 2, 1)},
		// Ages 1-5 only; the second is known, the third and fourth are not.
		{"IN_DAY_CARE", tally(1, 0, 4)},
		// A code marked unknown and a null are both unknown.
		{"BOTH_PARENTS_ACTIVE", tally(4, 1, 2)},
	} {
		i, err := c.Indicator(test.indicator)
		if err != nil {
			t.Fatal(err)
		}
		table, err := cells.One(context.Background(), s, cells.Observations{Table: c.CohortTable("children"),
			Indicators: []*contract.Indicator{i}})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Total().Indicators[0]; got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.indicator, got, test.want)
		}
	}
	m, err := c.Measure("EQUIVALISED_INCOME")
	if err != nil {
		t.Fatal(err)
	}
	table, err := cells.One(context.Background(), s, cells.Observations{Table: c.CohortTable("children"),
		Measures: []*contract.Measure{m}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := table.Total().Measures[0], (cells.Moments{N: count(5), Sum: 1200, SumSq: cells.Square{Low: 320000},
		Unknown: count(1)}); got != want {
		t.Errorf("income: got %+v, want %+v", got, want)
	}
}
