package store_test

import (
	"context"
	"testing"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/store"
	"github.com/kvarter/kvarter/internal/store/storetest"
)

func BenchmarkCells(b *testing.B) {
	c := storetest.Contract(b)
	s := storetest.Open(b, c, storetest.World)
	poor, err := c.Indicator("POOR")
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name string
		q    store.Query
	}{
		{"source=rollup/indicators=1", store.Query{Table: c.CohortTable("children"), Indicators: []*contract.Indicator{poor}}},
		{"source=rollup/indicators=12", store.Query{Table: c.CohortTable("children"), Indicators: c.Indicators[:12]}},
		{"source=facts/indicators=1", store.Query{Table: c.CohortTable("children"), Where: store.Filter{With: []*contract.Indicator{poor}}, Indicators: []*contract.Indicator{poor}}},
		{"source=facts/indicators=12", store.Query{Table: c.CohortTable("children"), Where: store.Filter{With: []*contract.Indicator{poor}}, Indicators: c.Indicators[:12]}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Cells(context.Background(), bench.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
