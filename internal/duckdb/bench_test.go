package duckdb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// manyRows is the SQL of so many cells of the roll-up child_family_place, in the order of their keys: a
// part of the 13 million that its dimensions could make, as evenly as may be.
const manyRows = `SELECT (2010 + k // 1663200)::INTEGER AS year, (k // 237600 %% 7)::INTEGER AS age,
	(k // 118800 %% 2)::UTINYINT AS sex, (k // 23760 %% 5)::UTINYINT AS registeredOrigin,
	(k // 11880 %% 2)::UTINYINT AS setting,
	(k // 1980 %% 6)::UTINYINT AS familyType, (k // 495 %% 4)::UTINYINT AS parentsStatus,
	(k // 99 %% 5)::UTINYINT AS incomeGroup, (k %% 99)::UTINYINT AS municipality,
	(1 + hash(k) %% 30)::BIGINT AS n, (1 + hash(k) %% 25)::BIGINT AS poor_n, (hash(k) %% 9)::BIGINT AS poor_y,
	(hash(k) %% 3)::BIGINT AS poor_u, (hash(k) %% 200000)::BIGINT AS equivalised_income_s
	FROM (SELECT i * 13305600 // %[1]d AS k FROM range(%[1]d) t(i))`

// Questions of many cells held in memory, and DuckDB's time for the same as SQL over a table that it holds
// in memory. The aim is never to be slower; 1 million cells by three dimensions are to take 20 ms at most,
// 10 million 140 ms, on two processors.
func BenchmarkManyCells(b *testing.B) {
	c := duckdbtest.Contract(b)
	poor, err := c.Indicator("POOR")
	if err != nil {
		b.Fatal(err)
	}
	children := c.CohortTable("children")
	many := &contract.Rollup{Name: "many", Table: children}
	for _, name := range []string{"YEAR", "AGE", "SEX", "REGISTERED_ORIGIN", "SETTING", "FAMILY_TYPE", "PARENTS_STATUS",
		"INCOME_GROUP", "MUNICIPALITY"} {
		many.By = append(many.By, dimension(b, c, name))
	}
	c.Rollups = []*contract.Rollup{many}
	five := []string{"AGE", "REGISTERED_ORIGIN", "PARENTS_STATUS", "FAMILY_TYPE", "INCOME_GROUP"}
	at := 2016
	ofYear := cells.Filter{}.And(cells.Condition{Dimension: dimension(b, c, "YEAR"), From: &at, To: &at})
	ofIncome := cells.Filter{}.And(cells.Condition{Dimension: dimension(b, c, "INCOME_GROUP"), Positions: []int{0}})
	for _, n := range []int{1_000_000, 10_000_000} {
		folder := b.TempDir()
		db := duckdbtest.Facts(b, "CREATE TABLE cells AS "+fmt.Sprintf(manyRows, n))
		if err := os.Mkdir(filepath.Join(folder, "cells"), 0o755); err != nil {
			b.Fatal(err)
		}
		for _, text := range []string{
			`COPY (SELECT 2010 + i AS year, i AS age, 'MALE' AS sex, 'DANISH' AS origin, NULL::VARCHAR AS area_id,
				'101' AS municipality,
				'NEITHER' AS family_type, 'UNKNOWN' AS parents_status, 'Q1' AS income_group, true AS poor
				FROM range(8) t(i)) TO '%s/child_year.parquet'`,
			"COPY cells TO '%s/cells/many.parquet' (COMPRESSION zstd)",
		} {
			if _, err := db.Exec(fmt.Sprintf(text, folder)); err != nil {
				b.Fatal(err)
			}
		}
		s := duckdbtest.OpenFolder(b, c, folder)
		for _, bench := range []struct {
			name  string
			by    []string
			where cells.Filter
			sql   string
		}{
			{"split=none", nil, cells.Filter{}, ""},
			{"split=yearAgeSex", []string{"YEAR", "AGE", "SEX"}, cells.Filter{}, ""},
			{"split=originFamilyIncome", []string{"REGISTERED_ORIGIN", "FAMILY_TYPE", "INCOME_GROUP"}, cells.Filter{}, ""},
			{"split=ageMunicipalityIncome", []string{"AGE", "MUNICIPALITY", "INCOME_GROUP"}, cells.Filter{}, ""},
			{"split=oneYearByFive", five, ofYear, "WHERE year = 2016"},
			{"split=oneIncomeGroupByFour", five[:4], ofIncome, "WHERE incomeGroup = 0"},
		} {
			q := cells.Observations{Table: children, Where: bench.where, Indicators: []*contract.Indicator{poor}}
			text := "SELECT sum(n)::BIGINT, sum(poor_n)::BIGINT, sum(poor_y)::BIGINT, sum(poor_u)::BIGINT FROM cells " +
				bench.sql
			for i, name := range bench.by {
				q.By = append(q.By, dimension(b, c, name))
				text += []string{" GROUP BY ALL ORDER BY ", ", "}[min(i, 1)] + q.By[i].Field
				text = strings.Replace(text, "SELECT ", "SELECT "+q.By[i].Field+", ", 1)
			}
			ofStore := func() []cells.Cell {
				table, err := cells.One(context.Background(), s, q)
				if err != nil {
					b.Fatal(err)
				}
				return table.Cells
			}
			sums := make([]int64, 4)
			ofDuckDB := func(each func()) {
				rows, err := db.Query(text)
				if err != nil {
					b.Fatal(err)
				}
				defer rows.Close()
				targets := make([]any, 0, 9)
				for range bench.by {
					targets = append(targets, new(int64))
				}
				for i := range sums {
					targets = append(targets, &sums[i])
				}
				for rows.Next() {
					if err := rows.Scan(targets...); err != nil {
						b.Fatal(err)
					}
					each()
				}
				if rows.Err() != nil {
					b.Fatal(rows.Err())
				}
			}
			list := ofStore()
			ofDuckDB(func() {
				c, has := list[0], list[0].Indicators[0]
				if got := []int64{c.N.Value, has.N.Value, has.Y.Value, has.Unknown.Value}; !slices.Equal(got, sums) {
					b.Fatalf("%s: cell %v has %v, as SQL %v", q, c.Key, got, sums)
				}
				list = list[1:]
			})
			perOp := 0.0
			b.Run(fmt.Sprintf("cells=%d/%s/of=store", n, bench.name), func(b *testing.B) {
				for b.Loop() {
					ofStore()
				}
				perOp = float64(b.Elapsed()) / float64(b.N)
			})
			b.Run(fmt.Sprintf("cells=%d/%s/of=DuckDB", n, bench.name), func(b *testing.B) {
				for b.Loop() {
					ofDuckDB(func() {})
				}
				b.ReportMetric(float64(b.Elapsed())/float64(b.N)/perOp, "of-store")
			})
		}
	}
}
