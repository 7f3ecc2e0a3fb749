// Package cellstest says what every cells.Source must do. It is given a function that opens a source
// over the tables that some SQL makes, and sees nothing of it but the interface; what DuckDB says of the
// same tables in statements written by hand is the oracle.
package cellstest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/fault"
)

// Open opens a source over the tables that the setup SQL makes, until the test ends.
type Open func(t testing.TB, setup string) cells.Source

// Conformance runs the suite.
func Conformance(t *testing.T, open Open) {
	s := open(t, duckdbtest.World)
	for _, law := range []struct {
		name string
		of   func(*testing.T, cells.Source)
	}{
		{"together as alone", togetherAsAlone},
		{"coarser is coarsened", coarserIsCoarsened},
		{"by area is area by area", byAreaIsAreaByArea},
		{"flows agree with cells", flowsAgreeWithCells},
		{"mistakes are errors", mistakesAreErrors},
		{"cancelled", cancelled},
		{"too many cells", tooManyCells},
		{"plain SQL", plainSQL},
	} {
		t.Run(law.name, func(t *testing.T) { law.of(t, s) })
	}
	for _, test := range []struct {
		name string
		of   func(*testing.T, Open)
	}{
		{"contract is counted", contractIsCounted},
		{"persons are followed", personsAreFollowed},
		{"groups are counted apart", groupsAreCountedApart},
		{"largest contributions", largestContributions},
		{"without activities", withoutActivities},
		{"first questions at once", firstQuestionsAtOnce},
	} {
		t.Run(test.name, func(t *testing.T) { test.of(t, open) })
	}
}

// Agree asks two sources over the small world of duckdbtest the same and wants the same to the bit.
func Agree(t *testing.T, a, b cells.Source) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		Same(t, anyObservations(random, a.Catalogue()), a, b)
	}
}

// Same asks two sources a question and wants the same to the bit.
func Same(t *testing.T, q cells.Query, a, b cells.Source) {
	t.Helper()
	if x, y := asked(t, a, q), asked(t, b, q); x != y {
		t.Fatalf("%s: one gives\n%s\nthe other\n%s", q, x, y)
	}
}

// asked is the text of the answer to q, every number in it.
func asked(t testing.TB, s cells.Source, q cells.Query) string {
	t.Helper()
	return text(one(t, s, q))
}

func one(t testing.TB, s cells.Source, q cells.Query) *cells.Table {
	t.Helper()
	table, err := cells.One(context.Background(), s, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return table
}

func text(table *cells.Table) string {
	var b strings.Builder
	for _, k := range table.Keys {
		fmt.Fprintf(&b, "%s %q ", k.Name, k.Values)
	}
	for _, c := range table.Cells {
		fmt.Fprintf(&b, "\n%+v", c)
	}
	return b.String()
}

func dimension(t testing.TB, c *contract.Contract, name string) *contract.Dimension {
	t.Helper()
	d, err := c.Dimension(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// recorded returns those of the list that the data set has.
func recorded[T any](list []T, has func(*contract.Table, T) bool, table *contract.Table) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !has(table, x) })
}

func anyObservations(random *rand.Rand, c *cells.Catalogue) cells.Observations {
	cohorts := slices.DeleteFunc(slices.Clone(c.Contract.Tables),
		func(t *contract.Table) bool { return t.Cohort == "" || !c.Holds(t.Name) })
	table := cohorts[random.IntN(len(cohorts))]
	dimensions := recorded(c.Contract.Dimensions, c.HasDimension, table)
	indicators := recorded(c.Contract.Indicators, c.HasIndicator, table)
	q := cells.Observations{Table: table, Measures: recorded(c.Contract.Measures, c.HasMeasure, table)}
	for _, i := range random.Perm(len(indicators))[:random.IntN(len(indicators)+1)] {
		q.Indicators = append(q.Indicators, indicators[i])
	}
	for _, i := range random.Perm(len(dimensions))[:random.IntN(4)] {
		q.By = append(q.By, dimensions[i])
	}
	for _, i := range random.Perm(len(dimensions))[:random.IntN(3)] {
		q.Where = q.Where.And(anyCondition(random, c, table, dimensions[i]))
	}
	switch random.IntN(8) {
	case 0:
		q.Where.With = indicators[:1]
	case 1:
		q.Where.Without = indicators[1:2]
	case 2:
		q.Where.WithAny = [][]*contract.Indicator{indicators[:2]}
	case 3:
		q.Largest = true
	}
	return q
}

// everything asks one question of each other kind.
func everything(t testing.TB, c *cells.Catalogue) []cells.Query {
	poor, err := c.Contract.Indicator("POOR")
	if err != nil {
		t.Fatal(err)
	}
	children := c.Contract.CohortTable("children")
	year := 2014
	out := []cells.Query{
		cells.Flows{Table: children, Indicator: poor, From: 2014, To: 2016},
		cells.Flows{Table: children, Indicator: poor, From: 2014, To: 2015, ByArea: true},
		cells.Starts{}, cells.EffectTypes{}, cells.Responses{}, cells.KeyFigures{},
		cells.Persons{Groups: 3, Members: []cells.Member{{Activity: c.Activity("B1"), Group: 0},
			{Activity: c.Activity("B2"), Group: 0}, {Activity: c.Activity("B2"), Year: &year, Group: 2}}},
	}
	for i, o := range append([]*contract.Outcome{nil}, c.Contract.Outcomes...) {
		q := cells.Participants{Type: "LEISURE_JOB", Outcome: o, Start: i%2 == 1, Area: i%3 == 1}
		for k, v := range c.Contract.Covariates {
			if (k+i)%3 == 0 && c.HasCovariate(v) {
				q.Covariates = append(q.Covariates, v)
			}
		}
		out = append(out, q)
	}
	return out
}

// What is asked together is what is asked alone, whatever else is asked; cells come in the order of
// their keys, each once.
func togetherAsAlone(t *testing.T, s cells.Source) {
	random := rand.New(rand.NewPCG(11, 2))
	queries := everything(t, s.Catalogue())
	for range 40 {
		queries = append(queries, anyObservations(random, s.Catalogue()))
	}
	random.Shuffle(len(queries), func(i, j int) { queries[i], queries[j] = queries[j], queries[i] })
	for i, a := range s.Tables(context.Background(), queries) {
		if a.Err != nil {
			t.Fatalf("%s: %v", queries[i], a.Err)
		}
		if alone, together := asked(t, s, queries[i]), text(a.Table); alone != together {
			t.Errorf("%s: alone it is\n%s\namong others\n%s", queries[i], alone, together)
		}
		for k := 1; k < len(a.Table.Cells); k++ {
			if last, next := a.Table.Cells[k-1].Key, a.Table.Cells[k].Key; slices.CompareFunc(last, next,
				cells.CompareKeys) >= 0 {
				t.Errorf("%s: cell %v comes before %v", queries[i], last, next)
				break
			}
		}
	}
}

// A coarser table is the finer one coarsened, to the bit.
func coarserIsCoarsened(t *testing.T, s cells.Source) {
	random := rand.New(rand.NewPCG(11, 3))
	for range 40 {
		q := anyObservations(random, s.Catalogue())
		fine := one(t, s, q)
		places := random.Perm(len(q.By))[:random.IntN(len(q.By)+1)]
		coarse := q
		coarse.By = nil
		for _, p := range places {
			coarse.By = append(coarse.By, q.By[p])
		}
		if got, want := text(fine.Coarsen(places)), asked(t, s, coarse); got != want {
			t.Fatalf("%s, coarsened to %v, is\n%s\nasked so it is\n%s", q, places, got, want)
		}
	}
}

// What is asked of every area at once is what is asked of each.
func byAreaIsAreaByArea(t *testing.T, s cells.Source) {
	random := rand.New(rand.NewPCG(11, 4))
	c := s.Catalogue()
	area, year := dimension(t, c.Contract, "AREA"), dimension(t, c.Contract, "YEAR")
	for range 12 {
		drawn := anyObservations(random, c)
		indicators := recorded(c.Contract.Indicators, c.HasIndicator, drawn.Table)
		q := cells.Flows{Table: drawn.Table, Where: drawn.Where, Indicator: indicators[random.IntN(len(indicators))],
			From: 2014, To: 2015 + random.IntN(2), ByArea: true}
		q.Where.Conditions = slices.DeleteFunc(slices.Clone(q.Where.Conditions),
			func(k cells.Condition) bool { return k.Dimension == area || k.Dimension == year })
		together := one(t, s, q)
		for place, a := range c.Areas {
			alone := q
			alone.ByArea, alone.Where = false, q.Where.And(cells.Condition{Dimension: area, Areas: []string{a.ID}})
			got, want := together.Within(int32(place)), one(t, s, alone)
			if text(got) != text(want) {
				t.Fatalf("%s: of %s it is\n%s\nasked of it alone\n%s", q, a.ID, text(got), text(want))
			}
		}
	}
}

// What is wrong says so, with a kind that a user can read, and leaves the others their answers.
func mistakesAreErrors(t *testing.T, s cells.Source) {
	c := s.Catalogue()
	children := c.Contract.CohortTable("children")
	work, age, area := dimension(t, c.Contract, "WORK_STATUS"), dimension(t, c.Contract, "AGE"),
		dimension(t, c.Contract, "AREA")
	outside, err := c.Contract.Indicator("OUTSIDE_WORK_AND_EDUCATION")
	if err != nil {
		t.Fatal(err)
	}
	low, high := 1, 2
	right := cells.Observations{Table: children, By: []*contract.Dimension{age}}
	wrong := []struct {
		q    cells.Query
		kind fault.Kind
		want string
	}{
		{cells.Observations{Table: children, By: []*contract.Dimension{work}}, fault.NotRecorded,
			"not recorded by WORK_STATUS"},
		{cells.Observations{Table: children, Indicators: []*contract.Indicator{outside}}, fault.NotRecorded,
			"OUTSIDE_WORK_AND_EDUCATION is not recorded for children"},
		{cells.Observations{Table: children, By: []*contract.Dimension{age, age}}, fault.Invalid, "AGE stands twice"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: age, From: &high,
			To: &low})}, fault.Invalid, "from must be at most to"},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: area,
			Areas: []string{"A1", "B7"}})}, fault.NotFound, `no area "B7"`},
		{cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{Dimension: area})},
			fault.Invalid, "is an empty list"},
		{cells.Flows{Table: children, Indicator: outside, From: 2014, To: 2015}, fault.NotRecorded,
			"OUTSIDE_WORK_AND_EDUCATION is not recorded for children"},
	}
	var queries []cells.Query
	for _, w := range wrong {
		queries = append(queries, right, w.q)
	}
	answers := s.Tables(context.Background(), queries)
	want := asked(t, s, right)
	for i, w := range wrong {
		if a := answers[2*i]; a.Err != nil || text(a.Table) != want {
			t.Errorf("beside %s, a question that is right gave %v", w.q, a.Err)
		}
		if err := answers[2*i+1].Err; err == nil || fault.KindOf(err) != w.kind ||
			!strings.Contains(err.Error(), w.want) {
			t.Errorf("%s: got %v (%s), want …%s… (%s)", w.q, err, fault.KindOf(err), w.want, w.kind)
		}
	}
}

// A question that is cancelled ends with the reason, and spoils nothing for the next.
func cancelled(t *testing.T, s cells.Source) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	random := rand.New(rand.NewPCG(11, 6))
	queries := everything(t, s.Catalogue())
	for range 10 {
		queries = append(queries, anyObservations(random, s.Catalogue()))
	}
	for i, a := range s.Tables(ctx, queries) {
		if a.Table != nil || !errors.Is(a.Err, context.Canceled) {
			t.Errorf("%s, cancelled, gave %v, want context.Canceled", queries[i], a.Err)
		}
		if _, err := cells.One(ctx, s, queries[i]); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled, alone gave %v, want context.Canceled", queries[i], err)
		}
		one(t, s, queries[i])
	}
}

func tooManyCells(t *testing.T, s cells.Source) {
	c := s.Catalogue()
	q := cells.Observations{Table: c.Contract.CohortTable("children"),
		By: []*contract.Dimension{dimension(t, c.Contract, "AGE")}}
	all := asked(t, s, q)
	q.MaxCells = 7
	if got := asked(t, s, q); got != all {
		t.Errorf("as many cells as allowed are\n%s\nwant\n%s", got, all)
	}
	q.MaxCells = 6
	var over *fault.Error
	if _, err := cells.One(context.Background(), s, q); !errors.As(err, &over) || over.Kind != fault.Forbidden ||
		over.Limit != "cells" || over.Max != 6 {
		t.Errorf("more cells than allowed gave %v", err)
	}
}

// Many first questions at once agree, beside one that is cancelled.
func firstQuestionsAtOnce(t *testing.T, open Open) {
	s := open(t, duckdbtest.World)
	random := rand.New(rand.NewPCG(11, 7))
	queries := everything(t, s.Catalogue())
	for range 10 {
		queries = append(queries, anyObservations(random, s.Catalogue()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	answers := make(chan string)
	for i := range 8 {
		go func() {
			if i == 0 {
				go cancel()
				s.Tables(ctx, queries)
			}
			var b strings.Builder
			for _, a := range s.Tables(context.Background(), queries) {
				if a.Err != nil {
					fmt.Fprintln(&b, a.Err)
				} else {
					fmt.Fprintln(&b, text(a.Table))
				}
			}
			answers <- b.String()
		}()
	}
	var want strings.Builder
	for range 8 {
		got := <-answers
		if want.Len() == 0 {
			for _, q := range queries {
				fmt.Fprintln(&want, asked(t, s, q))
			}
		}
		if got != want.String() {
			t.Errorf("asked at once, one got\n%s\nwant\n%s", got, want.String())
		}
	}
}

func anyCondition(random *rand.Rand, catalogue *cells.Catalogue, table *contract.Table,
	d *contract.Dimension) cells.Condition {
	c := cells.Condition{Dimension: d}
	switch {
	case d.IsInteger():
		from, to := 2014, 2014+random.IntN(3)
		if d.Name == "AGE" {
			youngest := int(d.Columns[table.Name].Min)
			from, to = youngest+random.IntN(3), youngest+3+random.IntN(3)
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
		known := catalogue.Parted[table.Name][d.Apart] != nil
		possible := slices.DeleteFunc(d.Selections(table.Name), func(s contract.Selection) bool {
			return s.Apart != nil && s.Apart.Is != nil && !known
		})
		for range 1 + random.IntN(3) {
			c.Positions = append(c.Positions, possible[random.IntN(len(possible))].Position)
		}
	}
	return c
}
