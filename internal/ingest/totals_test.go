package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// A table of groups with totals over some of its columns, and groups of unknown, at random: each
// total is named with its row and nothing else is. Where a table has none, nothing is.
func TestTotalsAreFound(t *testing.T) {
	c := theContract(t)
	values := map[string][]string{
		"sex": {"MALE", "FEMALE"}, "origin": {"DANISH", "IMMIGRANT_WESTERN", "DESCENDANT_NON_WESTERN",
			"IMMIGRANT_NON_WESTERN"},
		"municipality": {"101", "147", "461", "751"}, "poor": {"true", "false"}, "parents_status": {"BOTH_ACTIVE",
			"ONE_ACTIVE", "NONE_ACTIVE"},
	}
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			dims := []string{"municipality", "origin", "parents_status", "poor", "sex"}
			r.Shuffle(len(dims), func(i, j int) { dims[i], dims[j] = dims[j], dims[i] })
			dims = dims[:2+r.IntN(2)]
			over := map[string]bool{} // the columns with totals; seeds of a multiple of 4 have none
			if seed%4 > 0 {
				for _, d := range dims[:1+r.IntN(len(dims))] {
					over[d] = true
				}
			}
			// grand: there is no total but the one over all these columns at once.
			grand := len(over) > 1 && r.IntN(3) == 0
			unknown := r.IntN(2) == 0 // groups whose value of the last column is not known
			type row struct {
				cells []string
				n     int
				total bool
			}
			var rows []row
			for year := 2014; year < 2016; year++ {
				parts := []row{{cells: []string{fmt.Sprint(year), "3"}}}
				for i, d := range dims {
					var next []row
					for _, p := range parts {
						codes := values[d]
						if unknown && i == len(dims)-1 {
							codes = append(slices.Clone(codes), "")
						}
						for _, v := range codes {
							next = append(next, row{cells: append(slices.Clone(p.cells), v)})
						}
					}
					parts = next
				}
				for i := range parts {
					parts[i].n = 20 + r.IntN(400)
					if parts[i].cells[len(parts[i].cells)-1] == "" {
						parts[i].n = 1 + r.IntN(15)
					}
				}
				if r.IntN(2) == 0 { // not every group has people in it
					parts = slices.DeleteFunc(parts, func(row) bool { return r.IntN(4) == 0 })
				}
				rows = append(rows, parts...)
				sums := map[string]int{}
				for _, p := range parts {
					for set := 1; set < 1<<len(dims); set++ {
						cells, all, some := slices.Clone(p.cells), true, true
						for i, d := range dims {
							if in := set&(1<<i) != 0; in {
								some = some && over[d]
								cells[i+2] = "TOT"
							} else if over[d] {
								all = false
							}
						}
						if some && (all || !grand) {
							sums[strings.Join(cells, ",")] += p.n
						}
					}
				}
				for key, n := range sums {
					rows = append(rows, row{strings.Split(strings.ReplaceAll(key, "TOT", ""), ","), n, true})
				}
			}
			r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
			text := "year,age," + strings.Join(dims, ",") + ",n\n"
			twice := map[string]int{} // a total beside a group of unknown that is all of it: told by another rule
			for _, row := range rows {
				twice[fmt.Sprint(row.cells, row.n)]++
			}
			var want, got []string
			for i, row := range rows {
				text += fmt.Sprintf("%s,%d\n", strings.Join(row.cells, ","), row.n)
				if row.total && twice[fmt.Sprint(row.cells, row.n)] == 1 {
					want = append(want, fmt.Sprint(i+1))
				}
			}
			folder := t.TempDir()
			recipe := head + "tables:\n  child_year: {select: SELECT * FROM 'c.csv'}\n"
			for name, text := range map[string]string{"recipe.yaml": recipe, "c.csv": text} {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, issues, err := ingest.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), t.TempDir(), c, nil)
			if err != nil {
				t.Fatal(err, issues)
			}
			for _, f := range issues {
				if f.TableRow == 0 {
					continue
				}
				row := rows[f.TableRow-1]
				if f.Rule == "total" && twice[fmt.Sprint(row.cells, row.n)] == 1 {
					got = append(got, f.Row)
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(want, got) {
				t.Errorf("%v with totals over %v (over all only: %t, with unknown: %t): %d rows are totals, %d found\n%s", dims,
					over, grand, unknown, len(want), len(got), text)
			}
		})
	}
}
