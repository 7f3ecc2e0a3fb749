package study_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/export"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/study"
)

// counting is a source that counts what it is asked.
type counting struct {
	cells.Source
	calls, tables atomic.Int64
	before        func(context.Context) // each call; nil: nothing
}

func (c *counting) Tables(ctx context.Context, queries []cells.Query) []cells.Answer {
	c.calls.Add(1)
	c.tables.Add(int64(len(queries)))
	if c.before != nil {
		c.before(ctx)
	}
	return c.Source.Tables(ctx, queries)
}

// taken returns the calls and the tables since it was last asked.
func (c *counting) taken() (calls, tables int64) { return c.calls.Swap(0), c.tables.Swap(0) }

func world(t testing.TB) *counting {
	t.Helper()
	return &counting{Source: duckdbtest.Open(t, duckdbtest.Contract(t), duckdbtest.World)}
}

func cohort(t testing.TB, s *study.Study, name, filter string) *study.Cohort {
	t.Helper()
	c, err := s.Cohort(name, filter)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// asked is the text of an answer, or of the error.
func asked[A any](ctx context.Context, r *study.Request, q study.Question[A]) string {
	answer, err := study.Ask(ctx, r, q)
	if err != nil {
		return "error: " + err.Error()
	}
	out, err := json.Marshal(answer)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(out)
}

// Three lines ask a question, and its answer is what plain SQL counts.
func TestThreeLines(t *testing.T) {
	source, ctx := world(t), context.Background()

	r := study.New(source, study.Settings{}).Request()
	c, err := r.Cohort("children", "ages=1..2&setting=SUPPORTED&years=2014")
	if err != nil {
		t.Fatal(err)
	}
	share, err := study.Ask(ctx, r, study.ShareOf{Cohort: c, Indicator: "IN_DAY_CARE", Level: 0.95})
	if err != nil {
		t.Fatal(err)
	}

	var in, of int
	row := duckdbtest.Facts(t,
		duckdbtest.World).QueryRow("SELECT count(*) FILTER (day_care_type <> 'NONE'), count(day_care_type) " +
		"FROM child_year WHERE year = 2014 AND age IN (1, 2) AND area_id IS NOT NULL")
	if err := row.Scan(&in, &of); err != nil {
		t.Fatal(err)
	}
	if *share.Numerator != in || *share.Denominator != of || *share.Value != float64(in)/float64(of) ||
		!(*share.Lower < *share.Value && *share.Value < *share.Upper) {
		t.Errorf("got %d of %d, want %d of %d", *share.Numerator, *share.Denominator, in, of)
	}
	for _, wrong := range []struct{ cohort, filter, want string }{
		{"childs", "", `no cohort "childs"; did you mean children?`},
		{"children", "ags=1", "did you mean ages?"},
	} {
		if _, err := r.Cohort(wrong.cohort, wrong.filter); err == nil || !strings.Contains(err.Error(), wrong.want) {
			t.Errorf("%s?%s: got %v, want …%s…", wrong.cohort, wrong.filter, err, wrong.want)
		}
	}
}

// What is foreseen is counted in one call, coarse tables within finer ones, and every answer is what it
// is alone.
func TestWhatIsForeseenIsCountedOnce(t *testing.T) {
	source, ctx := world(t), context.Background()
	s := study.New(source, study.Settings{})
	children, rest := cohort(t, s, "children", "years=2014.."), cohort(t, s, "children", "setting=REST")
	share := study.ShareOf{Cohort: children, Indicator: "POOR", Level: 0.95}
	convicted := study.ShareOf{Cohort: children, Indicator: "MOTHER_CONVICTED", Level: 0.9}
	mean := study.MeanOf{Cohort: children, Measure: "EQUIVALISED_INCOME", Level: 0.95}
	breakdown := study.BreakdownOf{Cohort: children, Indicator: "IN_DAY_CARE", By: []string{"AGE", "SEX"}, Level: 0.95}
	bySex := study.BreakdownOf{Cohort: children, Indicator: "POOR", By: []string{"SEX"}, Level: 0.95}
	other := study.SizeOf{Cohort: rest}
	all := []func(*study.Request) string{
		func(r *study.Request) string { return asked(ctx, r, share) },
		func(r *study.Request) string { return asked(ctx, r, convicted) },
		func(r *study.Request) string { return asked(ctx, r, mean) },
		func(r *study.Request) string { return asked(ctx, r, breakdown) },
		func(r *study.Request) string { return asked(ctx, r, bySex) },
		func(r *study.Request) string { return asked(ctx, r, other) },
	}
	want := make([]string, len(all))
	for i, ask := range all {
		if want[i] = ask(s.Request()); strings.HasPrefix(want[i], "error") {
			t.Fatal(want[i])
		}
	}
	foreseen := func() *study.Request {
		r := s.Request()
		for _, q := range []study.Foreseeable{share, convicted, mean, breakdown, bySex, other} {
			r.Foresee(q)
		}
		return r
	}
	source.taken()
	r := foreseen()
	for i, ask := range all {
		if got := ask(r); got != want[i] {
			t.Errorf("question %d: got\n%s\nalone it is\n%s", i, got, want[i])
		}
		if got := ask(r); got != want[i] {
			t.Errorf("question %d, asked again, gives\n%s", i, got)
		}
	}
	if calls, tables := source.taken(); calls != 1 || tables != 2 {
		t.Errorf("%d calls for %d tables, want one call for those of two cohorts", calls, tables)
	}
	// At once, by many.
	for range 5 {
		r, group := foreseen(), sync.WaitGroup{}
		for i := range 4 * len(all) {
			group.Go(func() {
				if got := all[i%len(all)](r); got != want[i%len(all)] {
					t.Errorf("question %d, asked at once with others, gives\n%s", i%len(all), got)
				}
			})
		}
		group.Wait()
	}
	source.taken()
	// What comes later, unforeseen, is coarsened from what is there.
	r = s.Request()
	asked(ctx, r, breakdown)
	size := study.SizeOf{Cohort: children}
	if got, want := asked(ctx, r, size), asked(ctx, s.Request(), size); got != want {
		t.Errorf("the size is %s, want %s", got, want)
	}
	if _, tables := source.taken(); tables != 2 {
		t.Errorf("%d tables were asked for, want that of the breakdown and that of the size alone", tables)
	}
}

// A question fails by what it asks itself, not by what others ask beside it.
func TestQuestionsFailAlone(t *testing.T) {
	source, ctx := world(t), context.Background()
	s := study.New(source, study.Settings{Cells: 10})
	children := cohort(t, s, "children", "")
	coarse := study.BreakdownOf{Cohort: children, Indicator: "POOR", By: []string{"AGE"}, Level: 0.95}
	fine := study.BreakdownOf{Cohort: children, Indicator: "POOR", By: []string{"AGE", "AREA"}, Level: 0.95}
	share := study.ShareOf{Cohort: children, Indicator: "POOR", Level: 0.95}
	wrong := study.ShareOf{Cohort: children, Indicator: "POR", Level: 0.95}
	unrecorded := study.ShareOf{Cohort: children, Indicator: "CONVICTED", Level: 0.95}
	nowhere := study.SizeOf{Cohort: cohort(t, s, "children", "area=B7")}
	want := map[string]string{"coarse": asked(ctx, s.Request(), coarse), "share": asked(ctx, s.Request(), share)}
	r := s.Request()
	for _, q := range []study.Foreseeable{fine, wrong, coarse, share, unrecorded, nowhere} {
		r.Foresee(q)
	}
	if got := asked(ctx, r, coarse); got != want["coarse"] {
		t.Errorf("beside a finer breakdown that has too many cells, it gives\n%s\nalone\n%s", got, want["coarse"])
	}
	if got := asked(ctx, r, share); got != want["share"] {
		t.Errorf("a share beside them gives\n%s\nalone\n%s", got, want["share"])
	}
	for _, test := range []struct{ got, want string }{
		{asked(ctx, r, fine), "splitting children by AGE, AREA gives more than 10 cells"},
		{asked(ctx, r, wrong), "did you mean POOR?"},
		{asked(ctx, r, unrecorded), "CONVICTED is not recorded for children"},
		{asked(ctx, r, nowhere), `no area "B7"`},
	} {
		if !strings.Contains(test.got, test.want) {
			t.Errorf("got %s, want …%s…", test.got, test.want)
		}
	}
	if got := asked(ctx, r, coarse); got != want["coarse"] {
		t.Errorf("asked again it gives\n%s", got)
	}
}

// How many cells a question may have is its own matter, whatever table its answer comes from: one of
// all areas has more than each of them.
func TestCellsAreCountedByQuestion(t *testing.T) {
	source, ctx := world(t), context.Background()
	free := study.New(source, study.Settings{})
	for _, test := range []struct {
		cells int
		by    []string
		right bool
	}{
		{7, []string{"AGE"}, true},
		{6, []string{"AGE"}, false},
		{14, []string{"AGE", "SEX"}, true},
		{13, []string{"AGE", "SEX"}, false},
	} {
		s := study.New(source, study.Settings{Cells: test.cells})
		areas, err := s.Areas(ctx, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(s *study.Study, r *study.Request, area *study.Area) string {
			c, err := s.Of(area, cohort(t, s, "children", ""))
			if err != nil {
				t.Fatal(err)
			}
			return asked(ctx, r, study.BreakdownOf{Cohort: c, Indicator: "POOR", By: test.by, Level: 0.95})
		}
		r := s.Request()
		for _, area := range areas {
			got, want := ask(s, r, area), ask(free, free.Request(), area)
			if empty := area.Area.ID == "A4"; !test.right && !empty {
				want = fmt.Sprintf("error: splitting children by %s gives more than %d cells",
					strings.Join(test.by, ", "), test.cells)
			}
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s by %v, at most %d cells: got %s\nwant %s", area.Name, test.by, test.cells, got, want)
			}
		}
	}
}

// Who goes away gets the reason, at once, and the others their answers.
func TestCancelledQuestions(t *testing.T) {
	source := world(t)
	s := study.New(source, study.Settings{})
	children := cohort(t, s, "children", "")
	share := study.ShareOf{Cohort: children, Indicator: "POOR", Level: 0.95}
	want := asked(context.Background(), s.Request(), share)

	// The one whose call of the source all wait for goes away while it counts.
	r := s.Request()
	ctx, cancel := context.WithCancel(context.Background())
	counts := make(chan struct{})
	var once sync.Once
	source.before = func(of context.Context) {
		once.Do(func() { close(counts); <-of.Done() })
	}
	gone, others := make(chan error), make(chan string)
	go func() {
		_, err := study.Ask(ctx, r, share)
		gone <- err
	}()
	<-counts
	for range 3 {
		go func() { others <- asked(context.Background(), r, share) }()
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("who went away got %v, want context.Canceled", err)
	}
	for range 3 {
		if got := <-others; got != want {
			t.Errorf("another got %s, want %s", got, want)
		}
	}
	if _, err := study.Ask(ctx, r, share); !errors.Is(err, context.Canceled) {
		t.Errorf("of a table that is there, who has gone got %v", err)
	}

	// One who waits for another's call goes away.
	r, counts, once = s.Request(), make(chan struct{}), sync.Once{}
	let := make(chan struct{})
	source.before = func(context.Context) {
		once.Do(func() { close(counts); <-let })
	}
	go func() { others <- asked(context.Background(), r, share) }()
	<-counts
	if _, err := study.Ask(ctx, r, share); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait got %v", err)
	}
	close(let)
	if got := <-others; got != want {
		t.Errorf("who waits got %s", got)
	}
}

// A share by dimensions is a table whose rows are the cells of the breakdown.
func TestShareTable(t *testing.T) {
	s, ctx := study.New(world(t), study.Settings{Dataset: study.Dataset{Title: "A small invented world",
		Synthetic: true, Fingerprint: "ab12"}}), context.Background()
	r := s.Request()
	children := cohort(t, s, "children", "years=2014")
	by := []string{"AREA", "AGE"}
	table, err := study.Ask(ctx, r, study.ShareTableOf{Cohort: children, Indicator: "IN_DAY_CARE", By: by, Level: 0.95,
		Language: study.LanguageEn})
	if err != nil {
		t.Fatal(err)
	}
	breakdown, err := study.Ask(ctx, r, study.BreakdownOf{Cohort: children, Indicator: "IN_DAY_CARE", By: by,
		Level: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) != len(breakdown.Cells) || len(table.Rows) == 0 {
		t.Fatalf("%d rows for %d cells", len(table.Rows), len(breakdown.Cells))
	}
	for i, c := range breakdown.Cells {
		e := c.Estimate
		var value any
		if e.Value != nil {
			value = *e.Value
		}
		row := table.Rows[i]
		if row[2] != value || row[5] != *e.Numerator || row[6] != *e.Denominator || row[7] != *e.Unknown ||
			row[8] != string(e.Status) {
			t.Errorf("row %d is %v, the cell is %+v", i, row, e)
		}
	}
	if table.Question != "In day care. Children aged 0-6, 2014" || !table.Synthetic || table.Fingerprint != "ab12" ||
		table.Cohort != "children" {
		t.Errorf("it says of itself %+v", table.Provenance)
	}
	var b strings.Builder
	if err := export.CSV(&b, table); err != nil || !strings.Contains(b.String(),
		"\r\nAREA,AREA_label,AGE,IN_DAY_CARE,lower,upper,numerator,denominator,unknown,status,warnings\r\n"+
			"Area:A1,Nordlunden,0,") {
		t.Errorf("%v: it is written\n%s", err, b.String())
	}
	if got := asked(ctx, r, study.JSONStatOf{Cohort: children, Indicator: "POOR", Level: 0.95}); !strings.Contains(got,
		"`by` is empty") {
		t.Errorf("a cube without dimensions gave %s", got)
	}
	over := study.New(r.Source, study.Settings{Cells: 25})
	if _, err := study.Ask(ctx, over.Request(), study.JSONStatOf{Cohort: children, Indicator: "POOR", By: by,
		Level: 0.95}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a cube over the limit gave %v", err)
	}
}
