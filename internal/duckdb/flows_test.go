package duckdb_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/fault"
)

func TestTurnoverNeedsPersons(t *testing.T) {
	c := duckdbtest.Contract(t)
	s := duckdbtest.Open(t, c, duckdbtest.World)
	bare := duckdbtest.Open(t, c, `CREATE TABLE resident_year AS FROM (VALUES (2014, 'AGE_18_24', 'NEITHER'), (2016, 'AGE_18_24', 'NEITHER')) t(year, age_group, work_status)`)
	residents, children := c.CohortTable("residents"), c.CohortTable("children")
	outside, err := c.Indicator("OUTSIDE_WORK_AND_EDUCATION")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		s    *duckdb.Store
		q    cells.Flows
		kind fault.Kind
		want string
	}{
		{bare, cells.Flows{Table: residents, Indicator: outside, From: 2014, To: 2016}, fault.NotRecorded,
			"table resident_year has no person_id"},
		{s, cells.Flows{Table: children, Indicator: outside, From: 2014, To: 2016}, fault.NotRecorded,
			"OUTSIDE_WORK_AND_EDUCATION is not recorded for children"},
		{s, cells.Flows{Table: residents, Indicator: outside, From: 2016, To: 2014}, fault.Invalid,
			"from must be at most to"},
		{s, cells.Flows{Table: residents, Indicator: outside, From: 2014, To: 2014}, fault.Invalid, "both years are 2014"},
		{s, cells.Flows{Table: residents, Indicator: outside, From: 2014, To: 2024}, fault.Invalid,
			"year 2024 is after the data ends (2016)"},
	} {
		_, err := cells.One(context.Background(), test.s, test.q)
		if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v (%s), want …%s… (%s)", err, fault.KindOf(err), test.want, test.kind)
		}
	}
}
