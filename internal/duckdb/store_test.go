package duckdb_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/deadline"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/fault"
)

func dimension(t testing.TB, c *contract.Contract, name string) *contract.Dimension {
	t.Helper()
	d, err := c.Dimension(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWrongQuestionsSayWhatIsThere(t *testing.T) {
	c := duckdbtest.Contract(t)
	s := duckdbtest.Open(t, c, `CREATE TABLE child_year AS SELECT 2016 AS year, 3 AS age, 'A1' AS area_id;
		CREATE TABLE area AS SELECT 'A1' AS area_id, 'x' AS name, '101' AS municipality, true AS supported, 'test' AS source`)
	children, residents := c.CohortTable("children"), c.CohortTable("residents")
	year, age, groups := dimension(t, c, "YEAR"), dimension(t, c, "AGE"), dimension(t, c, "AGE_GROUP")
	setting := dimension(t, c, "SETTING")
	at := func(n int) *int { return &n }
	poor, err := c.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		q    cells.Observations
		kind fault.Kind
		want string
	}{
		{cells.Observations{Table: residents}, fault.NotRecorded,
			"this data set holds no residents (table resident_year); it holds area, child_year"},
		{cells.Observations{Table: children, By: []*contract.Dimension{dimension(t, c, "SEX")}}, fault.NotRecorded,
			"children are not recorded by SEX; they are by YEAR, AGE, AGE_GROUP, SETTING, AREA"},
		{cells.Observations{Table: children, Indicators: []*contract.Indicator{poor}}, fault.NotRecorded,
			"POOR is not recorded for children; nothing is recorded"},
		{cells.Observations{Table: children, Where: cells.Filter{With: []*contract.Indicator{poor}}}, fault.NotRecorded,
			"POOR is not recorded for children"},
		{cells.Observations{Table: children, By: []*contract.Dimension{age, age}}, fault.Invalid, "AGE stands twice"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: year, From: at(1992)})},
			fault.Invalid, "year 1992 is before the data starts (2016)"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: year, To: at(2030)})},
			fault.Invalid, "year 2030 is after the data ends (2016)"},
		{cells.Observations{Table: children,
			Where: cells.Filter{}.And(cells.Condition{Dimension: age, From: at(5),
				To: at(2)})}, fault.Invalid, "ages: the range from 5 to 2 is empty; from must be at most to"},
		{cells.Observations{Table: children,
			Where: cells.Filter{}.And(cells.Condition{Dimension: dimension(t, c, "AREA"),
				Areas: []string{"B7"}})}, fault.NotFound, `no area "B7" in this data set`},
		{cells.Observations{Table: children,
			Where: cells.Filter{}.And(cells.Condition{Dimension: dimension(t, c,
				"SETTING")})}, fault.Invalid, "setting is an empty list"},
		{cells.Observations{Table: children,
			Where: cells.Filter{}.And(cells.Condition{Dimension: setting,
				Positions: setting.Positions("SOCIAL_HOUSING")})}, fault.NotRecorded, "setting: SOCIAL_HOUSING is not recorded " +
			"for children (child_year.social_housing), so nobody is known to be of it; `setting: [REST]` keeps all of them"},
		{cells.Observations{Table: children,
			Where: cells.Filter{}.And(cells.Condition{Dimension: groups,
				Positions: []int{groups.Position("AGE_18_24")}})}, fault.NotRecorded, "ageGroup: AGE_18_24 is not recorded for " +
			"children; recorded are AGE_0, AGE_1_2, AGE_3_5, AGE_6"},
		{cells.Observations{Table: children,
			Where: cells.Filter{}.And(cells.Condition{Dimension: groups,
				Positions: []int{groups.Position("AGE_7_9"), groups.Position("AGE_6"),
					groups.Position("AGE_0_6")}})}, fault.NotRecorded, "ageGroup: AGE_7_9, AGE_0_6 are not recorded for children, " +
			"unlike AGE_6; recorded are AGE_0,"},
	} {
		_, err := cells.One(context.Background(), s, test.q)
		if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v (%s), want …%s… (%s)", test.q, err, fault.KindOf(err), test.want, test.kind)
		}
	}
}

// What is beyond what a cell can count is an error, and no other count.
func TestMoreThanACellCounts(t *testing.T) {
	c := duckdbtest.Contract(t)
	poor, err := c.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[string]string{
		"4398046511103": "", "4398046511104": "rows stand for 4398046511104 observations",
		"4398046511103), (2017, 3, 1": "a cell has 4398046511104 observations", "-1": "rows stand for -1 observations",
	} {
		s := duckdbtest.Open(t, c, `CREATE TABLE area AS SELECT 'A1' AS area_id, 'x' AS name, '101' AS municipality, true AS supported, 'test' AS source;
			CREATE TABLE child_year AS SELECT year, age, n, age = 3 AND n > 1 AS poor FROM (VALUES (2017, 3, `+n+`)) AS t(year, age, n)`)
		table, err := cells.One(context.Background(), s, cells.Observations{Table: c.CohortTable("children"),
			Indicators: []*contract.Indicator{poor}})
		if want == "" && (err != nil || table.Cells[0].Indicators[0].Y.Value != 4398046511103) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("n of %s: %v, %v; want an error with %q", n, table, err, want)
		}
	}
}

// Where social housing is recorded in some years only, those outside the areas are a code of their own in
// the others, and nobody there is counted as outside social housing, or in it.
func TestSocialHousingOfSomeYears(t *testing.T) {
	c := duckdbtest.Contract(t)
	s := duckdbtest.Open(t, c,
		`CREATE TABLE area AS SELECT 'A1' AS area_id, 'x' AS name, '101' AS municipality, true AS supported, 'test' AS source;
		CREATE TABLE child_year AS FROM (VALUES (2015, 3, 'A1', NULL), (2015, 3, NULL, NULL), (2015, 4, NULL, NULL),
			(2016, 3, 'A1', NULL), (2016, 3, NULL, true), (2016, 4, NULL, false), (2016, 4, NULL, false), (2016, 5, NULL, NULL)
		) AS t(year, age, area_id, social_housing)`)
	children, year, setting := c.CohortTable("children"), dimension(t, c, "YEAR"), dimension(t, c, "SETTING")
	in := func(from int, names ...string) cells.Observations {
		k := cells.Condition{Dimension: setting}
		for _, name := range names {
			k.Positions = append(k.Positions, setting.Positions(name)...)
		}
		return cells.Observations{Table: children, Where: cells.Filter{}.And(k).
			And(cells.Condition{Dimension: year, From: &from})}
	}
	for _, test := range []struct {
		q    cells.Observations
		n    int64
		want string // of the error
	}{
		{in(2016, "SOCIAL_HOUSING"), 1, ""},
		{in(2016, "OTHER"), 2, ""},
		{in(2016, "OUTSIDE_UNKNOWN"), 1, ""},
		{in(2016, "SUPPORTED", "SOCIAL_HOUSING"), 2, ""},
		{in(2015, "REST"), 6, ""},
		{in(2015, "OUTSIDE_UNKNOWN"), 3, ""},
		{in(2015, "SOCIAL_HOUSING"), 0, "setting: SOCIAL_HOUSING is not recorded for children in 2015 " +
			"(child_year.social_housing); it is in 2016: ask of `years` among these, or `setting: [REST]` keeps all of them"},
		{in(2015, "OTHER", "SOCIAL_HOUSING"), 0, "setting: SOCIAL_HOUSING, OTHER are not recorded for children in 2015"},
	} {
		table, err := cells.One(context.Background(), s, test.q)
		switch {
		case test.want != "" && (err == nil || fault.KindOf(err) != fault.NotRecorded ||
			!strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want …%s…", test.q, err, test.want)
		case test.want == "" && (err != nil || len(table.Cells) != 1 || table.Cells[0].N.Value != test.n):
			t.Errorf("%s: got %+v, %v, want %d", test.q, table, err, test.n)
		}
	}
}

func TestOpenIsLockedDown(t *testing.T) {
	c := duckdbtest.Contract(t)
	folder := duckdbtest.Folder(t, c, duckdbtest.World)
	outside := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(outside, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{Threads: 2, MemoryLimit: "1GB"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, text := range []string{
		"SELECT * FROM read_csv('" + outside + "')",
		"SET threads=1",
		"COPY (SELECT 1) TO '" + outside + "'",
		"ATTACH '" + outside + "'",
		"INSTALL httpfs",
	} {
		if err := duckdb.Exec(s, text); err == nil {
			t.Errorf("%s went through", text)
		}
	}
}

func TestCancelStopsTheQuery(t *testing.T) {
	c := duckdbtest.Contract(t)
	s := duckdbtest.Open(t, c, duckdbtest.World)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- duckdb.ExecContext(ctx, s,
			"SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range * b.range % 7 = 3")
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	case <-time.After(deadline.Patience(t)):
		t.Fatal("the query went on after it was cancelled")
	}
}

func TestMissingAndBrokenSnapshots(t *testing.T) {
	c := duckdbtest.Contract(t)
	ctx := context.Background()
	if _, err := duckdb.Open(ctx, t.TempDir(), c, duckdb.Options{}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an empty folder gave %v", err)
	}
	folder := duckdbtest.Folder(t, c, duckdbtest.World)
	if err := os.Remove(filepath.Join(folder, "cells", "child_place.parquet")); err != nil {
		t.Fatal(err)
	}
	if _, err := duckdb.Open(ctx, folder, c, duckdb.Options{}); err == nil ||
		!strings.Contains(err.Error(), "child_place.parquet is missing") {
		t.Errorf("a missing roll-up gave %v", err)
	}
	folder = duckdbtest.Folder(t, c, duckdbtest.World)
	if err := os.WriteFile(filepath.Join(folder, "child_year.parquet"), []byte("PAR1 no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := duckdb.Open(ctx, folder, c, duckdb.Options{}); err == nil ||
		!strings.Contains(err.Error(), "child_year") {
		t.Errorf("a broken file gave %v", err)
	}
}
