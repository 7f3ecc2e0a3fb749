package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/store"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/resolvers"

	"log/slog"
)

// served is the default data set behind a real HTTP server.
func served(b *testing.B) (*contract.Contract, *store.Store, *httptest.Server) {
	b.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		b.Fatal(err)
	}
	folder, info, err := snapshot.Current(filepath.Join(root, "data"))
	if fault.KindOf(err) == fault.NotFound || err == nil && info.ContractHash != c.Hash {
		b.Skip("the default data set is not there; `go run . generate` makes it")
	}
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(context.Background(), folder, c, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	limits := web.DefaultLimits()
	r := &resolvers.Resolver{Contract: c, Store: s, Dataset: model.Dataset{Years: info.Years, Limits: &model.Limits{Cells: limits.Cells}}}
	server := httptest.NewServer(web.New(web.Config{Schema: resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r})), Log: slog.New(slog.DiscardHandler)}))
	b.Cleanup(server.Close)
	return c, s, server
}

func post(b *testing.B, server *httptest.Server, body []byte) {
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

func document(b *testing.B, text string) []byte {
	body, err := json.Marshal(map[string]string{"query": text})
	if err != nil {
		b.Fatal(err)
	}
	return body
}

// One share, and twenty in one document: of one indicator, of all in turn, and of twenty aliased
// cohorts. The aim is at most twice the time of one.
func BenchmarkShares(b *testing.B) {
	c, _, server := served(b)
	const cohort = `children(where: {years: {from: 2016, to: 2016}})`
	var same, each, cohorts string
	for i := range 20 {
		same += fmt.Sprintf("s%d: share(of: POOR) { value lower upper } ", i)
		each += fmt.Sprintf("s%d: share(of: %s) { value lower upper } ", i, c.Indicators[i%12].Name)
		cohorts += fmt.Sprintf("c%d: %s { share(of: %s) { value lower upper } } ", i, cohort, c.Indicators[i%12].Name)
	}
	for _, bench := range []struct{ name, document string }{
		{"shares=1", "{ " + cohort + " { share(of: POOR) { value lower upper } } }"},
		{"shares=20/indicators=1", "{ " + cohort + " { " + same + "} }"},
		{"shares=20/indicators=12", "{ " + cohort + " { " + each + "} }"},
		{"shares=20/indicators=12/cohorts=20", "{ " + cohorts + "}"},
	} {
		body := document(b, bench.document)
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				post(b, server, body)
			}
		})
	}
}

// The same question of a roll-up, over HTTP and asked of the store directly. The aim is at most
// 3 ms between them.
func BenchmarkRollup(b *testing.B) {
	c, s, server := served(b)
	body := document(b, `{ children(where: {years: {from: 2016, to: 2016}}) { breakdown(of: POOR, by: [ORIGIN, FAMILY_TYPE, SETTING]) { nodes { key { origin familyType setting } estimate { value lower upper } } } } }`)
	q := store.Query{Table: c.CohortTable("children")}
	for _, name := range []string{"ORIGIN", "FAMILY_TYPE", "SETTING"} {
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
	q.Indicators, q.Where = []*contract.Indicator{poor}, store.Filter{}.And(store.Condition{Dimension: year, From: &at, To: &at})
	b.Run("asked=directly", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Cells(context.Background(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("asked=overHTTP", func(b *testing.B) {
		for b.Loop() {
			post(b, server, body)
		}
	})
}

// What a decomposition asks of the store: two cohorts of a year, each split by five dimensions with
// all its indicators. The aim is a few milliseconds.
func BenchmarkDecomposition(b *testing.B) {
	c, s, _ := served(b)
	q := store.Query{Table: c.CohortTable("children")}
	for _, name := range []string{"AGE", "REGISTERED_ORIGIN", "PARENTS_STATUS", "FAMILY_TYPE", "INCOME_GROUP"} {
		d, err := c.Dimension(name)
		if err != nil {
			b.Fatal(err)
		}
		q.By = append(q.By, d)
	}
	year, err := c.Dimension("YEAR")
	if err != nil {
		b.Fatal(err)
	}
	setting, err := c.Dimension("SETTING")
	if err != nil {
		b.Fatal(err)
	}
	at := 2014
	for _, indicators := range []int{1, 12} {
		b.Run(fmt.Sprintf("indicators=%d", indicators), func(b *testing.B) {
			for b.Loop() {
				for position := range setting.Codes {
					q := q
					q.Indicators = c.Indicators[:indicators]
					q.Where = q.Where.And(store.Condition{Dimension: year, From: &at, To: &at}).And(store.Condition{Dimension: setting, Positions: []int{position}})
					if _, err := s.Cells(context.Background(), q); err != nil {
						b.Fatal(err)
					}
				}
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
		b.Skip("the default data set is not there; `go run . generate` makes it")
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(context.Background(), folder, c, store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
