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
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/resolvers"

	"log/slog"
)

// served is the default data set behind a real HTTP server.
func served(b *testing.B) (*contract.Contract, *duckdb.Store, *httptest.Server) {
	b.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		b.Fatal(err)
	}
	folder, info, err := snapshot.Current(filepath.Join(root, "data"))
	if fault.KindOf(err) == fault.NotFound || err == nil && info.ContractHash != c.Hash {
		b.Skip("the default data set is not there, or of another contract; `go run . generate` makes it")
	}
	if err != nil {
		b.Fatal(err)
	}
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	limits := web.DefaultLimits()
	r := &resolvers.Resolver{Study: study.New(s, study.Settings{Cells: limits.Cells, Dataset: study.Dataset{Years: info.Years, Limits: &study.Limits{Cells: limits.Cells}}})}
	server := httptest.NewServer(web.New(web.Config{Schema: resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}), r), Log: slog.New(slog.DiscardHandler)}))
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
		cohorts += fmt.Sprintf("c%d: %s { share(of: %s, level: $level) { value lower upper } } ", i, cohort, c.Indicators[i%12].Name)
		years += fmt.Sprintf("c%d: children(where: {years: {from: %[2]d, to: %[2]d}}) { share(of: %[3]s, level: $level) { value lower upper } } ", i, 2010+i%8, c.Indicators[i%12].Name)
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
					posted(b, server, document(b, fmt.Sprintf("query %s($level: Float!) { %s }", name, bench.document), map[string]any{"level": level}))
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
// store, and over HTTP for the first time and again. The aim is at most 3 ms more over HTTP than
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
	q.Indicators, q.Where = []*contract.Indicator{poor}, cells.Filter{}.And(cells.Condition{Dimension: year, From: &at, To: &at})

	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	bySQL := func() (cells int, observed, with int64) {
		rows, err := db.Query(`SELECT registeredOrigin, familyType, setting, sum(n)::BIGINT, sum(poor_n)::BIGINT, sum(poor_y)::BIGINT, sum(poor_u)::BIGINT
			FROM read_parquet(?) WHERE year = 2016 GROUP BY ALL ORDER BY ALL`, filepath.Join(folder, "cells", "child_family.parquet"))
		if err != nil {
			b.Fatal(err)
		}
		defer rows.Close()
		for ; rows.Next(); cells++ {
			var key [3]sql.NullInt64
			var all, known, y, unknown int64
			if err := rows.Scan(&key[0], &key[1], &key[2], &all, &known, &y, &unknown); err != nil {
				b.Fatal(err)
			}
			observed, with = observed+all, with+y
		}
		if rows.Err() != nil {
			b.Fatal(rows.Err())
		}
		return cells, observed, with
	}
	got, err := cells.One(context.Background(), s, q)
	if err != nil {
		b.Fatal(err)
	}
	total := got.Total()
	if n, observed, with := bySQL(); n != len(got.Cells) || observed != total.N.Value || with != total.Indicators[0].Y.Value {
		b.Fatalf("SQL has %d cells, %d children, %d poor; the store %d, %d, %d", n, observed, with, len(got.Cells), total.N.Value, total.Indicators[0].Y.Value)
	}
	count := 0
	perOp := map[string]float64{}
	for _, asked := range []struct {
		how string
		ask func()
	}{
		{"asSQL", func() { bySQL() }},
		{"ofStore", func() {
			if _, err := cells.One(context.Background(), s, q); err != nil {
				b.Fatal(err)
			}
		}},
		{"overHTTP/first", func() {
			count++
			posted(b, server, document(b, fmt.Sprintf("query Q%d %s", count, rollupQuestion), nil))
		}},
		{"overHTTP/again", func() { posted(b, server, document(b, rollupQuestion, nil)) }},
	} {
		b.Run("asked="+asked.how, func(b *testing.B) {
			for b.Loop() {
				asked.ask()
			}
			perOp[asked.how] = float64(b.Elapsed()) / float64(b.N)
			if base := perOp["asSQL"]; base > 0 && asked.how != "asSQL" {
				b.ReportMetric(perOp[asked.how]/base, "of-SQL")
				b.ReportMetric((perOp[asked.how]-base)/1e6, "ms-more")
			}
		})
	}
}

const rollupQuestion = `{ children(where: {years: {from: 2016, to: 2016}}) { breakdown(of: POOR, by: [REGISTERED_ORIGIN, FAMILY_TYPE, SETTING]) {
	nodes { key { registeredOrigin familyType setting } estimate { value lower upper numerator denominator unknown } } } } }`

// One decomposition over five dimensions, by each method; the aim is under 20 ms.
func BenchmarkDecomposition(b *testing.B) {
	_, _, server := served(b)
	for _, method := range []string{"KITAGAWA", "OAXACA_BLINDER", "FAIRLIE"} {
		body := document(b, `{ children(where: {years: {from: 2014, to: 2014}, ages: {from: 1, to: 2}, setting: [SUPPORTED]}) {
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

// From opening the data set to being able to answer; the aim is under a second.
func BenchmarkOpen(b *testing.B) {
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		b.Fatal(err)
	}
	folder, _, err := snapshot.Current(filepath.Join(root, "data"))
	if fault.KindOf(err) == fault.NotFound {
		b.Skip("the default data set is not there, or of another contract; `go run . generate` makes it")
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
