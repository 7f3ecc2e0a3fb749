package snapshot_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/synth"
)

func theContract(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// generated is a snapshot with a view per table.
type generated struct {
	folder string
	info   snapshot.Info
	db     *sql.DB
}

func generate(t testing.TB, dir string, o synth.Options) *generated {
	t.Helper()
	c := theContract(t)
	info, err := snapshot.Generate(context.Background(), dir, c, o, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	folder, _, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	db := openDuckDB(t)
	for _, table := range info.Tables {
		if _, err := db.Exec(fmt.Sprintf("CREATE VIEW %s AS FROM '%s'", table.Name,
			filepath.Join(folder, table.Name+".parquet"))); err != nil {
			t.Fatal(err)
		}
	}
	return &generated{folder, info, db}
}

func openDuckDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// number returns the one number that a query gives; NaN if it is null.
func (g *generated) number(t testing.TB, query string) float64 {
	t.Helper()
	var v sql.NullFloat64
	if err := g.db.QueryRow("SELECT (" + query + ")::DOUBLE").Scan(&v); err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	if !v.Valid {
		return math.NaN()
	}
	return v.Float64
}

// whole is the default world at scale 1, made once for all tests of this package.
var whole struct {
	sync.Once
	dir string
	*generated
}

func theWhole(t testing.TB) *generated {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the data set at scale 1, which takes several seconds to make")
	}
	whole.Do(func() {
		dir, err := os.MkdirTemp("", "kvarter-whole-")
		if err != nil {
			t.Fatal(err)
		}
		whole.dir = dir
		whole.generated = generate(t, dir, synth.Options{Seed: 1, Scale: 1, World: synth.NoAreaEffect})
	})
	if whole.generated == nil {
		t.Fatal("the data set at scale 1 could not be made")
	}
	return whole.generated
}

func TestMain(m *testing.M) {
	code := m.Run()
	if whole.dir != "" {
		_ = os.RemoveAll(whole.dir)
	}
	os.Exit(code)
}

// The figures that DOMAIN.md, section 2, marks V: counts exactly, percentages to the digit
// published. Those marked D and A come near what is said of them.
func TestPublishedFiguresComeOut(t *testing.T) {
	g := theWhole(t)
	percent := func(of, from string) string {
		return fmt.Sprintf("SELECT 100 * avg((%s)::INT) FROM child_year WHERE %s", of, from)
	}
	const nonWestern = "origin IN ('IMMIGRANT_NON_WESTERN', 'DESCENDANT_NON_WESTERN')"
	young := func(where string) string {
		return fmt.Sprintf(`SELECT 100 * sum(n) FILTER (%s) / sum(n) FROM resident_year WHERE year = 2015 AND
			age_group IN ('AGE_0_6', 'AGE_7_9', 'AGE_10_12', 'AGE_13_14', 'AGE_15_17') AND %s`, nonWestern, where)
	}
	type figure struct {
		name, query  string
		want, within float64
	}
	figures := []figure{
		{"poor children 2016", "SELECT count(*) FROM child_year WHERE year = 2016 AND poor", 34_657, 0},
		{"poor children in areas 2016", "SELECT count(*) FROM child_year WHERE year = 2016 AND poor AND area_id IS NOT NULL",
			5_860, 0},
		{"plans", "SELECT count(*) FROM plan", 89, 0},
		{"divisions", "SELECT sum(divisions) FROM area", 395, 0},
		{"residents in areas 2016", "SELECT sum(residents) FROM area_year WHERE year = 2016", 215_300, 0},

		{"residents of all social housing 2017",
			"SELECT sum(n) FROM resident_year WHERE year = 2017 AND (area_id IS NOT NULL OR social_housing)", 979_770, 0},
		{"non-Western children in other social housing 2015",
			percent(nonWestern, "year = 2015 AND social_housing"), 25, 0.05},
		{"non-Western children outside social housing 2015",
			percent(nonWestern, "year = 2015 AND NOT social_housing"), 5, 0.05},
		{"non-Western of 0-17 in other social housing 2015", young("social_housing"), 25, 0.499},
		{"non-Western of 0-17 outside social housing 2015", young("NOT social_housing"), 5, 0.499},

		{"poor among non-Western in areas 2016", percent("poor", "year = 2016 AND area_id IS NOT NULL AND "+nonWestern),
			100. / 3, 0.05},
		{"poor among non-Western elsewhere 2016", percent("poor", "year = 2016 AND area_id IS NULL AND "+nonWestern),
			100. / 3, 0.05},
		{"fathers convicted in areas, Danish", percent("father_convicted",
			"year = 2016 AND father_present AND area_id IS NOT NULL AND origin = 'DANISH'"), 20, 0.499},
		{"fathers convicted in areas, non-Western", percent("father_convicted",
			"year = 2016 AND father_present AND area_id IS NOT NULL AND "+nonWestern), 10, 0.499},
		{"fathers in drug treatment in areas, Danish", percent("father_drugs",
			"year = 2016 AND father_present AND area_id IS NOT NULL AND origin = 'DANISH'"), 6, 0.499},
		{"fathers in drug treatment in areas, non-Western", percent("father_drugs",
			"year = 2016 AND father_present AND area_id IS NOT NULL AND "+nonWestern), 2, 0.499},
		{"day care 1-2 in 2014, Danish", percent("enrolled", "year = 2014 AND age BETWEEN 1 AND 2 AND origin = 'DANISH'"), 86,
			0.499},
		{"day care 1-2 in 2014, non-Western descendants", percent("enrolled",
			"year = 2014 AND age BETWEEN 1 AND 2 AND origin = 'DESCENDANT_NON_WESTERN'"), 76, 0.499},
		{"day care 3-4 in 2014, Danish", percent("enrolled", "year = 2014 AND age BETWEEN 3 AND 4 AND origin = 'DANISH'"), 90,
			0.499},
		{"day care 3-4 in 2014, non-Western descendants", percent("enrolled",
			"year = 2014 AND age BETWEEN 3 AND 4 AND origin = 'DESCENDANT_NON_WESTERN'"), 91, 0.499},

		{"D: poverty share 2016", percent("poor", "year = 2016"), 8.16, 0.005},
		{"D: poverty share in areas 2016", percent("poor", "year = 2016 AND area_id IS NOT NULL"), 25, 0.5},
		{"D: children in areas 2016", "SELECT count(*) FROM child_year WHERE year = 2016 AND area_id IS NOT NULL", 23_440,
			200},
		{"A: poverty share by the SDG line 2016, as at ages 0-17", percent("poor_sdg", "year = 2016"), 4.5, 0.1},
		{"D: half the median income 2016", "SELECT median(equivalised_income) / 2 FROM child_year WHERE year = 2016", 117_000,
			0},
		{"A: non-Western share in areas 2014", percent(nonWestern, "year = 2014 AND area_id IS NOT NULL"), 57.5, 7.5},
		{"A: non-Western share 2014", percent(nonWestern, "year = 2014"), 10.5, 0.7},
		{"D: day care 1-2 in 2014, areas minus population, by composition alone",
			`SELECT 100 * (avg(enrolled::INT) FILTER (area_id IS NOT NULL) - avg(enrolled::INT)) FROM child_year
				WHERE year = 2014 AND age BETWEEN 1 AND 2`, -4.5, 0.6},
		{"V in words: day care 3-5 in 2014, areas equal the rest",
			`SELECT 100 * (avg(enrolled::INT) FILTER (area_id IS NOT NULL) - avg(enrolled::INT) FILTER (area_id IS NULL))
				FROM child_year WHERE year = 2014 AND age BETWEEN 3 AND 5`, 0, 1},
	}
	for i, year := range []int{2010, 2011, 2012, 2013, 2014, 2015, 2016, 2017} {
		all := []float64{457_637, 454_282, 448_136, 441_228, 433_292, 426_989, 424_821, 423_542}[i]
		young := []float64{131_245, 129_501, 126_154, 121_083, 117_349, 115_389, 115_289, 119_528}[i]
		older := []float64{196_837, 197_526, 197_609, 196_728, 193_303, 187_833, 183_140, 178_023}[i]
		count := fmt.Sprintf("SELECT sum(n) FROM child_year WHERE year = %d AND age BETWEEN ", year)
		figures = append(figures,
			figure{fmt.Sprint("children 0-6 in ", year), count + "0 AND 6", all, 0},
			figure{fmt.Sprint("children 1-2 in ", year), count + "1 AND 2", young, 0},
			figure{fmt.Sprint("children 3-5 in ", year), count + "3 AND 5", older, 0})
	}
	for _, f := range figures {
		if got := g.number(t, f.query); !(math.Abs(got-f.want) <= f.within) {
			t.Errorf("%s: got %.3f, want %g within %g", f.name, got, f.want, f.within)
		} else {
			t.Logf("%s: %.3f", f.name, got)
		}
	}
}

// Those in other social housing fare worse than the rest of the population, and those in the areas worse
// still (V, in words): on each of these, in every year.
func TestOtherSocialHousingLiesBetween(t *testing.T) {
	g := theWhole(t)
	for _, measure := range []struct{ name, table, share string }{
		{"poor", "child_year", "avg(poor::INT)"},
		{"no parent active", "child_year", "avg((parents_status = 'NONE_ACTIVE')::INT) FILTER (parents_status <> 'UNKNOWN')"},
		{"mother of basic schooling", "child_year",
			"avg((mother_education = 'BASIC')::INT) FILTER (mother_education <> 'UNKNOWN')"},
		{"mother convicted", "child_year", "avg(mother_convicted::INT)"},
		{"father convicted", "child_year", "avg(father_convicted::INT)"},
		{"mother with abuse", "child_year", "avg((mother_alcohol OR mother_drugs)::INT)"},
		{"father with abuse", "child_year", "avg((father_alcohol OR father_drugs)::INT)"},
		{"mother with psychiatric illness", "child_year", "avg(mother_psychiatric::INT)"},
		{"father with psychiatric illness", "child_year", "avg(father_psychiatric::INT)"},
		{"outside work", "resident_year",
			"sum(n) FILTER (work_status = 'NEITHER') / sum(n) FILTER (work_status <> 'UNKNOWN')"},
		{"convicted", "resident_year", "sum(n) FILTER (convicted) / sum(n) FILTER (convicted IS NOT NULL)"},
		{"basic schooling", "resident_year",
			"sum(n) FILTER (schooling = 'BASIC_ONLY') / sum(n) FILTER (schooling <> 'UNKNOWN')"},
		{"income, from above", "resident_year", "-sum(n * gross_income) / sum(n) FILTER (gross_income IS NOT NULL)"},
	} {
		between := g.number(t, fmt.Sprintf(`
			SELECT count(*) FROM (
				SELECT year, (SELECT %[1]s FROM %[2]s WHERE year = y.year AND area_id IS NOT NULL) AS areas,
				       (SELECT %[1]s FROM %[2]s WHERE year = y.year AND social_housing) AS social,
				       (SELECT %[1]s FROM %[2]s WHERE year = y.year AND NOT social_housing) AS other
				FROM (SELECT DISTINCT year FROM %[2]s) AS y) WHERE areas > social AND social > other`, measure.share, measure.table))
		if between != 8 {
			t.Errorf("%s: other social housing lies between in %.0f of 8 years", measure.name, between)
		}
	}
	moved := g.number(t, `
		SELECT avg((b.social_housing IS DISTINCT FROM true)::INT) FROM child_year AS a JOIN child_year AS b
		ON a.child_id = b.child_id AND a.year + 1 = b.year WHERE a.social_housing`)
	if moved < 0.05 || moved > 0.25 {
		t.Errorf("%.3f of the children of other social housing have left it a year later", moved)
	}
}

// Poverty by either line is what its definition, applied to the rows, gives: for every child of every year.
func TestPovertyFollowsItsDefinition(t *testing.T) {
	g := theWhole(t)
	wrong := g.number(t, `
		SELECT count(*) FROM child_year JOIN (
			SELECT year, median(equivalised_income) / 2 AS line FROM child_year GROUP BY year
		) AS m USING (year)
		WHERE poor IS DISTINCT FROM (equivalised_income < line)
			OR poor_sdg IS DISTINCT FROM (equivalised_income < line AND wealth < line AND NOT student_main_earner)`)
	if wrong != 0 {
		t.Errorf("%.0f children are not poor as the definitions say", wrong)
	}
	// Each part of the definition decides for someone.
	for _, part := range []string{"student_main_earner AND wealth < 117000",
		"NOT student_main_earner AND wealth >= 117000"} {
		if n := g.number(t, "SELECT count(*) FROM child_year WHERE year = 2016 AND poor AND NOT poor_sdg AND "+
			part); n < 1000 {
			t.Errorf("only %.0f children of 2016 have a low income and are not poor by the SDG line although %s", n, part)
		}
	}
	fifths := g.number(t, `
		SELECT max(abs(share - 0.2)) FROM (
			SELECT count(*) / sum(count(*)) OVER (PARTITION BY year) AS share FROM child_year GROUP BY year, income_group)`)
	if fifths > 0.001 {
		t.Errorf("a fifth of income is off by %g", fifths)
	}
	if n := g.number(t, `
		SELECT count(*) FROM (SELECT year, income_group, min(equivalised_income) AS low, max(equivalised_income) AS high
		FROM child_year GROUP BY ALL)
		AS a JOIN (SELECT year, income_group, min(equivalised_income) AS low FROM child_year GROUP BY ALL) AS b
		ON a.year = b.year AND a.income_group < b.income_group AND a.high >= b.low`); n != 0 {
		t.Errorf("%.0f pairs of fifths overlap", n)
	}
}
