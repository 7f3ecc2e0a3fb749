package duckdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/fault"
)

func count(n int64) cells.Count { return cells.Count{Value: n} }

func tally(n, y, unknown int64) cells.Tally {
	return cells.Tally{N: count(n), Y: count(y), Unknown: count(unknown)}
}

func dimension(t testing.TB, c *contract.Contract, name string) *contract.Dimension {
	t.Helper()
	d, err := c.Dimension(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Whatever is asked, a stored roll-up and the facts give the same cells.
func TestRollupsAgreeWithFacts(t *testing.T) {
	c := duckdbtest.Contract(t)
	folder := duckdbtest.Folder(t, c, duckdbtest.World)
	ctx := context.Background()
	with, err := duckdb.Open(ctx, folder, c, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	bare := *c
	bare.Rollups = nil
	without, err := duckdb.Open(ctx, folder, &bare, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()

	random := rand.New(rand.NewPCG(1, 2))
	for _, cohort := range []string{"children", "residents"} {
		table := c.CohortTable(cohort)
		var dimensions []*contract.Dimension
		for _, d := range c.Dimensions {
			if d.Columns[table.Name] != nil {
				dimensions = append(dimensions, d)
			}
		}
		var indicators []*contract.Indicator
		for _, i := range c.Indicators {
			if slices.Contains(i.Tables, table.Name) {
				indicators = append(indicators, i)
			}
		}
		var measures []*contract.Measure
		for _, m := range c.Measures {
			if slices.Contains(m.Tables, table.Name) {
				measures = append(measures, m)
			}
		}
		for range 30 {
			q := cells.Observations{Table: table, Indicators: indicators, Measures: measures}
			for _, i := range random.Perm(len(dimensions))[:random.IntN(4)] {
				q.By = append(q.By, dimensions[i])
			}
			for _, i := range random.Perm(len(dimensions))[:random.IntN(3)] {
				q.Where = q.Where.And(anyCondition(random, table, dimensions[i]))
			}
			a, err := cells.One(ctx, with, q)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			b, err := cells.One(ctx, without, q)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			if fmt.Sprintf("%+v", a.Cells) != fmt.Sprintf("%+v", b.Cells) {
				t.Fatalf("%s: the roll-up gives\n%+v\nthe facts give\n%+v", q, a.Cells, b.Cells)
			}
			whole, err := cells.One(ctx, without, cells.Observations{Table: table, Where: q.Where, Indicators: indicators, Measures: measures})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprintf("%+v", a.Total()), fmt.Sprintf("%+v", whole.Total()); got != want {
				t.Fatalf("%s: the cells add up to\n%s\nthe cohort has\n%s", q, got, want)
			}
		}
	}
}

func anyCondition(random *rand.Rand, table *contract.Table, d *contract.Dimension) cells.Condition {
	c := cells.Condition{Dimension: d}
	switch {
	case d.IsInteger():
		from, to := 2014, 2014+random.IntN(3)
		if d.Name == "AGE" {
			from, to = random.IntN(3), 3+random.IntN(3)
		}
		if random.IntN(3) > 0 {
			c.From = &from
		}
		if random.IntN(3) > 0 {
			c.To = &to
		}
	case d.IsArea():
		c.Areas = [][]string{{"A1"}, {"A1", "A3"}, {"A2"}}[random.IntN(3)]
	default:
		possible := d.Selections(table.Name)
		for range 1 + random.IntN(3) {
			c.Positions = append(c.Positions, possible[random.IntN(len(possible))].Position)
		}
	}
	return c
}

// The indicators of the contract, counted by hand-written SQL, are the oracle.
func TestCellsCountWhatTheContractSays(t *testing.T) {
	c := duckdbtest.Contract(t)
	setup := `CREATE TABLE child_year AS FROM (VALUES
		(2016, 0, true,  true,  NULL,  true,  NULL,  'BOTH_ACTIVE', 1, 5, 100),
		(2016, 1, NULL,  true,  true,  NULL,  false, 'UNKNOWN',     1, 6, 200),
		(2016, 2, false, false, NULL,  NULL,  NULL,  'NONE_ACTIVE', 3, 7, 300),
		(2015, 3, true,  NULL,  false, false, NULL,  NULL,          1, 8, NULL)
	) t(year, age, poor, mother_present, mother_alcohol, mother_drugs, enrolled, parents_status, n, record_key, equivalised_income)`
	s := duckdbtest.Open(t, c, setup)
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
		table, err := cells.One(context.Background(), s, cells.Observations{Table: c.CohortTable("children"), Indicators: []*contract.Indicator{i}})
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
	table, err := cells.One(context.Background(), s, cells.Observations{Table: c.CohortTable("children"), Measures: []*contract.Measure{m}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := table.Total().Measures[0], (cells.Moments{N: count(5), Sum: 1200, SumSq: cells.Square{Low: 320000}, Unknown: count(1)}); got != want {
		t.Errorf("income: got %+v, want %+v", got, want)
	}
}

func TestWrongQuestionsSayWhatIsThere(t *testing.T) {
	c := duckdbtest.Contract(t)
	s := duckdbtest.Open(t, c, `CREATE TABLE child_year AS SELECT 2016 AS year, 3 AS age, 'A1' AS area_id; CREATE TABLE area AS SELECT 'A1' AS area_id, 'x' AS name, '101' AS municipality, true AS supported, 'test' AS source`)
	children, residents := c.CohortTable("children"), c.CohortTable("residents")
	year, age, groups := dimension(t, c, "YEAR"), dimension(t, c, "AGE"), dimension(t, c, "AGE_GROUP")
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
		{cells.Observations{Table: residents}, fault.NotRecorded, "this data set holds no residents (table resident_year); it holds area, child_year"},
		{cells.Observations{Table: children, By: []*contract.Dimension{dimension(t, c, "SEX")}}, fault.NotRecorded, "children are not recorded by SEX; they are by YEAR, AGE, AGE_GROUP, SETTING, AREA"},
		{cells.Observations{Table: children, Indicators: []*contract.Indicator{poor}}, fault.NotRecorded, "POOR is not recorded for children; nothing is recorded"},
		{cells.Observations{Table: children, Where: cells.Filter{With: []*contract.Indicator{poor}}}, fault.NotRecorded, "POOR is not recorded for children"},
		{cells.Observations{Table: children, By: []*contract.Dimension{age, age}}, fault.Invalid, "AGE stands twice"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: year, From: at(1992)})}, fault.Invalid, "year 1992 is before the data starts (2016)"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: year, To: at(2030)})}, fault.Invalid, "year 2030 is after the data ends (2016)"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: age, From: at(5), To: at(2)})}, fault.Invalid, "ages: the range from 5 to 2 is empty; from must be at most to"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: dimension(t, c, "AREA"), Areas: []string{"B7"}})}, fault.NotFound, `no area "B7" in this data set`},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: dimension(t, c, "SETTING")})}, fault.Invalid, "setting is an empty list"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: groups, Positions: []int{groups.Position("AGE_18_24")}})}, fault.NotRecorded, "ageGroup: AGE_18_24 is not recorded for children; recorded are AGE_0, AGE_1_2, AGE_3_5, AGE_6"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: groups, Positions: []int{groups.Position("AGE_7_9"), groups.Position("AGE_6"), groups.Position("AGE_0_6")}})}, fault.NotRecorded, "ageGroup: AGE_7_9, AGE_0_6 are not recorded for children, unlike AGE_6; recorded are AGE_0,"},
	} {
		_, err := cells.One(context.Background(), s, test.q)
		if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v (%s), want …%s… (%s)", test.q, err, fault.KindOf(err), test.want, test.kind)
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
		done <- duckdb.ExecContext(ctx, s, "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range * b.range % 7 = 3")
	}()
	cancel()
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the query went on for a minute after it was cancelled")
	}
}

// The first questions read the roll-ups: many at once agree, and one that is cancelled leaves
// nothing half read.
func TestFirstQuestionsOfRollups(t *testing.T) {
	c := duckdbtest.Contract(t)
	s := duckdbtest.Open(t, c, duckdbtest.World)
	q := cells.Observations{Table: c.CohortTable("children"), By: []*contract.Dimension{dimension(t, c, "AGE"), dimension(t, c, "AREA")}, Indicators: c.Indicators[:3], Measures: c.Measures[:1]}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := cells.One(cancelled, s, q); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled question gave %v, want context.Canceled", err)
	}
	answers := make(chan string)
	for range 8 {
		go func() {
			table, err := cells.One(context.Background(), s, q)
			if err != nil {
				answers <- err.Error()
				return
			}
			answers <- fmt.Sprintf("%+v", table.Cells)
		}()
	}
	first := <-answers
	if !strings.Contains(first, "Indicators") {
		t.Fatal(first)
	}
	for range 7 {
		if other := <-answers; other != first {
			t.Errorf("asked at once, one got\n%s\nanother\n%s", first, other)
		}
	}
	if _, err := cells.One(cancelled, s, q); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled question of what is read gave %v, want context.Canceled", err)
	}
	q.MaxCells = 3
	var over *fault.Error
	if _, err := cells.One(context.Background(), s, q); !errors.As(err, &over) || over.Kind != fault.Forbidden || over.Limit != "cells" || over.Max != 3 || !strings.Contains(err.Error(), "more than 3 cells") {
		t.Errorf("more cells than allowed gave %+v", err)
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
	if _, err := duckdb.Open(ctx, folder, c, duckdb.Options{}); err == nil || !strings.Contains(err.Error(), "child_place.parquet is missing") {
		t.Errorf("a missing roll-up gave %v", err)
	}
	folder = duckdbtest.Folder(t, c, duckdbtest.World)
	if err := os.WriteFile(filepath.Join(folder, "child_year.parquet"), []byte("PAR1 no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := duckdb.Open(ctx, folder, c, duckdb.Options{}); err == nil || !strings.Contains(err.Error(), "child_year") {
		t.Errorf("a broken file gave %v", err)
	}
}

func TestTotalOfNothing(t *testing.T) {
	total := (&cells.Table{}).Total()
	if total.N.Value != 0 || len(total.Indicators) != 0 || total.N.Variance != 0 {
		t.Errorf("the total of no cells is %+v", total)
	}
}
