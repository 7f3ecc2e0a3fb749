package duckdb_test

import (
	"context"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// A child in each of 30,000 cells of the roll-up child_family, whose dimensions are the columns.
const manyCells = `CREATE TABLE child_year AS SELECT
	2010 + i % 5 AS year, i // 5 % 5 AS age, ['MALE', 'FEMALE'][i // 25 % 2 + 1] AS sex,
	['DANISH', 'IMMIGRANT_WESTERN', 'DESCENDANT_WESTERN', 'IMMIGRANT_NON_WESTERN', 'DESCENDANT_NON_WESTERN'][i // 50 % 5 + 1] AS origin,
	NULL::VARCHAR AS area_id,
	['BOTH_PARENTS', 'MOTHER_AND_PARTNER', 'MOTHER_ALONE', 'FATHER_AND_PARTNER', 'FATHER_ALONE', 'NEITHER'][i // 250 % 6 + 1] AS family_type,
	['BOTH_ACTIVE', 'ONE_ACTIVE', 'NONE_ACTIVE', 'UNKNOWN'][i // 1500 % 4 + 1] AS parents_status,
	'Q' || (i // 6000 % 5 + 1) AS income_group, i % 7 = 0 AS poor
	FROM range(30000) t(i)`

func BenchmarkCells(b *testing.B) {
	c := duckdbtest.Contract(b)
	poor, err := c.Indicator("POOR")
	if err != nil {
		b.Fatal(err)
	}
	children := c.CohortTable("children")
	of := func(by ...string) cells.Observations {
		q := cells.Observations{Table: children, Indicators: []*contract.Indicator{poor}}
		for _, name := range by {
			q.By = append(q.By, dimension(b, c, name))
		}
		return q
	}
	at := 2012
	oneYear := of("AGE", "REGISTERED_ORIGIN", "PARENTS_STATUS", "FAMILY_TYPE", "INCOME_GROUP")
	oneYear.Where = oneYear.Where.And(cells.Condition{Dimension: dimension(b, c, "YEAR"), From: &at, To: &at})
	all := of()
	all.Indicators = c.Indicators[:12]
	facts, factsOfAll := of(), all
	facts.Where.With, factsOfAll.Where.With = facts.Indicators, facts.Indicators
	small, many := duckdbtest.Open(b, c, duckdbtest.World), duckdbtest.Open(b, c, manyCells)
	for _, bench := range []struct {
		name  string
		store *duckdb.Store
		q     cells.Observations
	}{
		{"source=rollup/indicators=1", small, of()},
		{"source=rollup/indicators=12", small, all},
		{"source=rollup/cells=30000/split=sex", many, of("SEX")},
		{"source=rollup/cells=30000/split=oneYearByFive", many, oneYear},
		{"source=rollup/cells=30000/split=all", many, of("YEAR", "AGE", "SEX", "REGISTERED_ORIGIN", "FAMILY_TYPE",
			"PARENTS_STATUS", "INCOME_GROUP")},
		{"source=facts/indicators=1", small, facts},
		{"source=facts/indicators=12", small, factsOfAll},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := cells.One(context.Background(), bench.store, bench.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
