package endtoend

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/resolvers"

	"log/slog"
)

// current is the default data set, with cells that fit the contract.
func current(b *testing.B) (c *contract.Contract, folder string, info snapshot.Info, stored snapshot.Cells) {
	b.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		b.Fatal(err)
	}
	folder, info, err = snapshot.Current(filepath.Join(root, "data"))
	if fault.KindOf(err) == fault.NotFound || err == nil && len(snapshot.Restructured(info, c)) > 0 {
		b.Skip("the default data set is not there, or of another contract; `go run . generate` makes it")
	}
	if err != nil {
		b.Fatal(err)
	}
	if stored, err = ingest.Fit(context.Background(), folder, b.TempDir(), info, c); err != nil {
		b.Fatal(err)
	}
	return c, folder, info, stored
}

// openStore opens the snapshot in the folder until the benchmark ends.
func openStore(b *testing.B, c *contract.Contract, folder string, stored snapshot.Cells) *duckdb.Store {
	b.Helper()
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{Cells: stored.Folder})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// served is the default data set behind a real HTTP server.
func served(b *testing.B) (*contract.Contract, *duckdb.Store, *httptest.Server) {
	b.Helper()
	c, folder, info, stored := current(b)
	s := openStore(b, c, folder, stored)
	limits := web.DefaultLimits()
	r := &resolvers.Resolver{Study: study.New(s, study.Settings{Cells: limits.Cells,
		Dataset: study.Dataset{Years: info.Years, Limits: &study.Limits{Cells: limits.Cells}}})}
	limits.Complexity *= 10 // the time is what is measured, not what is allowed
	server := httptest.NewServer(web.New(web.Config{Limits: limits,
		Schema: resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}),
			r), Log: slog.New(slog.DiscardHandler)}))
	b.Cleanup(server.Close)
	return c, s, server
}

func posted(b *testing.B, server *httptest.Server, body []byte) {
	response, err := http.Post(server.URL+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK || bytes.Contains(text, []byte(`"errors"`)) {
		b.Fatalf("%d %s (%v)", response.StatusCode, text, err)
	}
}

func document(b *testing.B, text string, variables map[string]any) []byte {
	body, err := json.Marshal(map[string]any{"query": text, "variables": variables})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// One share, and twenty in one document: of one indicator, of all in turn, of twenty aliased
// cohorts that are the same, and of eight cohorts. Each is asked for the first time (a document
// not seen before), of a known document with a new variable, and again, which is answered from
// memory. `of-one` is the time of one share asked likewise; the aim is at most twice that.
func BenchmarkShares(b *testing.B) {
	c, _, server := served(b)
	const cohort = `children(where: {years: {from: 2016, to: 2016}})`
	var same, each, cohorts, years string
	for i := range 20 {
		same += fmt.Sprintf("s%d: share(of: POOR, level: $level) { value lower upper } ", i)
		each += fmt.Sprintf("s%d: share(of: %s, level: $level) { value lower upper } ", i, c.Indicators[i%12].Name)
		cohorts += fmt.Sprintf("c%d: %s { share(of: %s, level: $level) { value lower upper } } ", i, cohort,
			c.Indicators[i%12].Name)
		years += fmt.Sprintf("c%d: children(where: {years: {from: %[2]d, to: %[2]d}}) { share(of: %[3]s, level: $level) { "+
			"value lower upper } } ", i, 2010+i%8, c.Indicators[i%12].Name)
	}
	count := 0
	one := map[string]float64{}
	for _, bench := range []struct{ name, document string }{
		{"shares=1", cohort + " { share(of: POOR, level: $level) { value lower upper } }"},
		{"shares=20/indicators=1", cohort + " { " + same + "}"},
		{"shares=20/indicators=12", cohort + " { " + each + "}"},
		{"shares=20/indicators=12/aliases=20", cohorts},
		{"shares=20/indicators=12/cohorts=8", years},
	} {
		for _, asked := range []string{"first", "varied", "again"} {
			b.Run(bench.name+"/asked="+asked, func(b *testing.B) {
				for b.Loop() {
					name, level := "Q", 0.95
					switch count++; asked {
					case "first":
						name = fmt.Sprintf("Q%d", count)
					case "varied":
						level = 0.9 + float64(count)*1e-9
					}
					posted(b, server, document(b, fmt.Sprintf("query %s($level: Float!) { %s }", name, bench.document),
						map[string]any{"level": level}))
				}
				perOp := float64(b.Elapsed()) / float64(b.N)
				if bench.name == "shares=1" {
					one[asked] = perOp
				} else if one[asked] > 0 {
					b.ReportMetric(perOp/one[asked], "of-one")
				}
			})
		}
	}
}

// The same question of a roll-up: as SQL that DuckDB runs over the roll-up's file, asked of the
// store, and over HTTP: a document not seen before, and a known one with a new variable. The aim is
// at most 3 ms more over HTTP than
// as SQL.
func BenchmarkRollup(b *testing.B) {
	c, s, server := served(b)
	folder, _, err := snapshot.Current(filepath.Join(root, "data"))
	if err != nil {
		b.Fatal(err)
	}
	q := cells.Observations{Table: c.CohortTable("children")}
	for _, name := range []string{"REGISTERED_ORIGIN", "FAMILY_TYPE", "SETTING"} {
		d, err := c.Dimension(name)
		if err != nil {
			b.Fatal(err)
		}
		q.By = append(q.By, d)
	}
	poor, err := c.Indicator("POOR")
	if err != nil {
		b.Fatal(err)
	}
	year, err := c.Dimension("YEAR")
	if err != nil {
		b.Fatal(err)
	}
	at := 2016
	q.Indicators, q.Where = []*contract.Indicator{poor}, cells.Filter{}.And(cells.Condition{Dimension: year, From: &at,
		To: &at})

	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	got, err := cells.One(context.Background(), s, q)
	if err != nil {
		b.Fatal(err)
	}
	total := got.Total()
	if n, observed, with := poorBySQL(b, db, folder); n != len(got.Cells) || observed != total.N.Value ||
		with != total.Indicators[0].Y.Value {
		b.Fatalf("SQL has %d cells, %d children, %d poor; the store %d, %d, %d", n, observed, with, len(got.Cells),
			total.N.Value, total.Indicators[0].Y.Value)
	}
	perOp := map[string]float64{}
	for _, run := range []struct {
		how string
		ask func()
	}{
		{"asSQL", func() { poorBySQL(b, db, folder) }},
		{"ofStore", func() {
			if _, err := cells.One(context.Background(), s, q); err != nil {
				b.Fatal(err)
			}
		}},
		{"overHTTP/first", asked(b, server, "first", rollupQuestion)},
		{"overHTTP/varied", asked(b, server, "varied", rollupQuestion)},
	} {
		b.Run("asked="+run.how, func(b *testing.B) {
			for b.Loop() {
				run.ask()
			}
			perOp[run.how] = float64(b.Elapsed()) / float64(b.N)
			if base := perOp["asSQL"]; base > 0 && run.how != "asSQL" {
				b.ReportMetric(perOp[run.how]/base, "of-SQL")
				b.ReportMetric((perOp[run.how]-base)/1e6, "ms-more")
			}
		})
	}
}

// poorBySQL asks DuckDB for a breakdown of the children of 2016 as SQL over a roll-up's file.
func poorBySQL(b *testing.B, db *sql.DB, folder string) (cells int, observed, with int64) {
	return bySQL(b, db, `SELECT registeredOrigin, familyType, setting, sum(n)::BIGINT, sum(poor_n)::BIGINT,
		sum(poor_y)::BIGINT, sum(poor_u)::BIGINT
		FROM read_parquet(?) WHERE year = 2016 GROUP BY ALL ORDER BY ALL`,
		filepath.Join(folder, "cells", "child_family.parquet"))
}

// bySQL reads rows of keys and, last, four counts.
func bySQL(b *testing.B, db *sql.DB, text string, values ...any) (cells int, observed, with int64) {
	rows, err := db.Query(text, values...)
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	keys, counts := make([]sql.NullInt64, len(columns)-4), make([]int64, 4)
	var targets []any
	for i := range keys {
		targets = append(targets, &keys[i])
	}
	for i := range counts {
		targets = append(targets, &counts[i])
	}
	for ; rows.Next(); cells++ {
		if err := rows.Scan(targets...); err != nil {
			b.Fatal(err)
		}
		observed, with = observed+counts[0], with+counts[2]
	}
	if rows.Err() != nil {
		b.Fatal(rows.Err())
	}
	return cells, observed, with
}

// rollupQuestion asks the same over HTTP.
const rollupQuestion = `children(where: {years: {from: 2016, to: 2016}}) {
	breakdown(of: POOR, by: [REGISTERED_ORIGIN, FAMILY_TYPE, SETTING], level: $level) {
	nodes { key { registeredOrigin familyType setting } estimate { value lower upper numerator denominator unknown } } } }`

// One decomposition over five dimensions, by each method; the aim is under 20 ms.
func BenchmarkDecomposition(b *testing.B) {
	_, _, server := served(b)
	for _, method := range []string{"KITAGAWA", "OAXACA_BLINDER", "FAIRLIE"} {
		body := document(b, `{ children(where: {years: {from: 2014, to: 2014}, ages: {from: 1, to: 2},
			setting: [SUPPORTED]}) {
			compare(to: {years: {from: 2014, to: 2014}, ages: {from: 1, to: 2}, setting: [REST]}) {
				decomposition(of: IN_DAY_CARE, by: [AGE, ORIGIN, PARENTS_STATUS, FAMILY_TYPE, INCOME_GROUP], method: `+method+`) {
					gap { value lower upper } composition { value lower upper } rate { value lower upper } outOfSupport { value }
					contributions { dimension code composition { value lower upper } } warnings } } } }`, nil)
		b.Run("method="+method, func(b *testing.B) {
			for b.Loop() {
				posted(b, server, body)
			}
		})
	}
}

// Five dimensions by cluster, as an interval that knows its clusters reads them: areas, and elsewhere
// municipalities, of a year and of all years; the aim is under 10 ms for a year. Then the same of the facts.
func BenchmarkClusters(b *testing.B) {
	c, folder, _, stored := current(b)
	bare := *c
	bare.Rollups = nil
	dimension := func(name string) *contract.Dimension {
		d, err := c.Dimension(name)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	enrolled, err := c.Indicator("IN_DAY_CARE")
	if err != nil {
		b.Fatal(err)
	}
	year, from, to := 2014, 1, 2
	setting := dimension("SETTING")
	for _, of := range []struct {
		name     string
		contract *contract.Contract
	}{{"rollup", c}, {"facts", &bare}} {
		s := openStore(b, of.contract, folder, stored)
		for _, years := range []string{"2014", "all"} {
			for cluster, group := range map[string]string{"AREA": "SUPPORTED", "MUNICIPALITY": "OTHER"} {
				q := cells.Observations{Table: c.CohortTable("children"), Indicators: []*contract.Indicator{enrolled},
					Where: cells.Filter{}.And(cells.Condition{Dimension: dimension("AGE"), From: &from, To: &to}).And(
						cells.Condition{Dimension: setting, Positions: []int{setting.Position(group)}})}
				if years != "all" {
					q.Where = q.Where.And(cells.Condition{Dimension: dimension("YEAR"), From: &year, To: &year})
				}
				for _, name := range []string{"AGE", "ORIGIN", "PARENTS_STATUS", "FAMILY_TYPE", "INCOME_GROUP", cluster} {
					q.By = append(q.By, dimension(name))
				}
				ask := func() int {
					table, err := cells.One(context.Background(), s, q)
					if err != nil {
						b.Fatal(err)
					}
					return len(table.Cells)
				}
				found := ask() // columns are read once
				b.Run(fmt.Sprintf("of=%s/years=%s/cluster=%s", of.name, years, cluster), func(b *testing.B) {
					for b.Loop() {
						ask()
					}
					b.ReportMetric(float64(found), "cells")
				})
			}
		}
	}
}

// From opening the data set to being able to answer; the aim is under a second.
func BenchmarkOpen(b *testing.B) {
	c, folder, info, stored := current(b)
	for b.Loop() {
		s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{Files: info.Facts(), Cells: stored.Folder,
			CellFiles: stored.Files})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// used is the processor time that this process has used so far, in milliseconds.
func used(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

// ratio runs ask under each name and reports its processor time as a multiple of the first's: the
// others' time that a busy machine takes is not in it.
func ratio(b *testing.B, base map[string]float64, of, name string, ask func()) {
	b.Run(name, func(b *testing.B) {
		ask() // columns are read once
		b.ReportAllocs()
		start := used(b)
		for b.Loop() {
			ask()
		}
		perOp := (used(b) - start) / float64(b.N)
		b.ReportMetric(perOp, "cpu-ms/op")
		if base[of] == 0 {
			base[of] = perOp
		}
		b.ReportMetric(perOp/base[of], "of-first")
	})
}

// asked asks a document whose figures have the level $level: never seen before, or known and with a new
// variable, so that its answer is not in memory.
func asked(b *testing.B, server *httptest.Server, how, text string) func() {
	count := 0
	return func() {
		count++
		name, level := "Q", 0.9+float64(count)*1e-9
		if how == "first" {
			name = fmt.Sprintf("Q%d", count)
		}
		posted(b, server, document(b, fmt.Sprintf("query %s($level: Float!) { %s }", name, text),
			map[string]any{"level": level}))
	}
}

// Different cohorts in one document; the aim is at most 2.5 times one for 20, and 20 times for 200.
func BenchmarkCohorts(b *testing.B) {
	_, _, server := served(b)
	cohorts := func(n int) string {
		var out strings.Builder
		for i := range n { // 8 years, 7 ages, 2 settings and both, 3 origins and all: no two alike
			fmt.Fprintf(&out, "c%d: children(where: {years: {from: %[2]d, to: %[2]d}, ages: {from: %[3]d, to: %[4]d}", i,
				2010+i%8, i%7, min(i%7+i%3, 6))
			out.WriteString([]string{"", ", setting: [SUPPORTED]", ", setting: [REST]"}[i/56%3])
			out.WriteString([]string{"", ", registeredOrigin: [IMMIGRANT_NON_WESTERN]"}[i/168%2])
			out.WriteString("}) { share(of: POOR, level: $level) { value lower upper } } ")
		}
		return out.String()
	}
	base := map[string]float64{}
	for _, how := range []string{"varied", "first"} {
		for _, n := range []int{1, 20, 200} {
			ratio(b, base, how, fmt.Sprintf("asked=%s/cohorts=%d", how, n), asked(b, server, how, cohorts(n)))
		}
	}
}

// A breakdown over HTTP and the same roll-up as SQL that DuckDB runs over its file; the aim is at most
// 1.5 times the processor time.
func BenchmarkBreakdown(b *testing.B) {
	_, _, server := served(b)
	folder, _, err := snapshot.Current(filepath.Join(root, "data"))
	if err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	base := map[string]float64{}
	cells := 0
	ratio(b, base, "", "asked=asSQL", func() {
		cells, _, _ = bySQL(b, db,
			`SELECT year, age, sex, incomeGroup, sum(n)::BIGINT, sum(poor_n)::BIGINT, sum(poor_y)::BIGINT, sum(poor_u)::BIGINT
			FROM read_parquet(?) GROUP BY ALL ORDER BY ALL`,
			filepath.Join(folder, "cells", "child_family.parquet"))
	})
	const question = `children { breakdown(of: POOR, by: [YEAR, AGE, SEX, INCOME_GROUP], level: $level) {
		nodes { key { year age sex incomeGroup } estimate { value lower upper numerator denominator unknown } } } }`
	b.Log(cells)
	for _, how := range []string{"varied", "first"} {
		ratio(b, base, "", "asked="+how, asked(b, server, how, question))
	}
}

// Comparisons and flows of the areas of a list; the aim is at most three times those of one.
func BenchmarkAreas(b *testing.B) {
	_, _, server := served(b)
	base := map[string]float64{}
	for _, n := range []int{1, 100} {
		ratio(b, base, "", fmt.Sprintf("areas=%d", n), asked(b, server, "varied",
			fmt.Sprintf(`areas(first: %d) { nodes { children {
			compare(to: {setting: [REST]}) { gap(of: POOR, level: $level) { value lower upper } }
			turnover(of: POOR, from: 2015, to: 2016, level: $level) { change { value lower upper } stayers { value }
			leavers { value } } } } }`, n)))
	}
}
