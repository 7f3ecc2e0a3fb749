package cellstest

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// lines returns the rows of a statement, each as its values with bars between, in the order of the text.
func lines(t testing.TB, db *sql.DB, statement string) []string {
	t.Helper()
	rows, err := db.Query(fmt.Sprintf("SELECT coalesce(COLUMNS(*)::VARCHAR, '-') FROM (%s)", statement))
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		values, targets := make([]string, len(columns)), make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Join(values, "|"))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// value is a key as the facts write it.
func value(c *cells.Catalogue, k cells.Key, key int32) string {
	switch {
	case key == cells.None:
		return "-"
	case k.Name == "AREA":
		return c.Areas[key].ID
	case k.Name == "activity":
		return c.Activities[key].ID
	case k.Values != nil:
		return k.Values[key]
	case k.Dimension != nil && !k.Dimension.IsInteger():
		return k.Dimension.Codes[key].Code
	}
	return strconv.Itoa(int(key))
}

// numbers are what a cell holds, apart from its key.
func numbers(c cells.Cell, largest bool) []string {
	out := []string{fmt.Sprint(c.N.Value)}
	for _, i := range c.Indicators {
		out = append(out, fmt.Sprint(i.N.Value), fmt.Sprint(i.Y.Value), fmt.Sprint(i.Unknown.Value))
	}
	for _, m := range c.Measures {
		out = append(out, fmt.Sprint(m.N.Value), fmt.Sprint(m.Sum), fmt.Sprintf("%.0f", m.SumSq.Float()),
			fmt.Sprint(m.Unknown.Value))
		if largest {
			out = append(out, fmt.Sprint(m.Largest[0]), fmt.Sprint(m.Largest[1]))
		}
	}
	return out
}

// plainSQL counts the small world by statements written by hand.
func plainSQL(t *testing.T, s cells.Source) {
	db := duckdbtest.Facts(t, duckdbtest.World)
	c := s.Catalogue()
	children, residents := c.Contract.CohortTable("children"), c.Contract.CohortTable("residents")
	youth := c.Contract.CohortTable("youth")
	by := func(names ...string) []*contract.Dimension {
		var out []*contract.Dimension
		for _, name := range names {
			out = append(out, dimension(t, c.Contract, name))
		}
		return out
	}
	indicators := func(names ...string) []*contract.Indicator {
		var out []*contract.Indicator
		for _, name := range names {
			i, err := c.Contract.Indicator(name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, i)
		}
		return out
	}
	measures := func(name string) []*contract.Measure {
		m, err := c.Contract.Measure(name)
		if err != nil {
			t.Fatal(err)
		}
		return []*contract.Measure{m}
	}
	outcome := func(name string) *contract.Outcome {
		o, err := c.Contract.Outcome(name)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	covariate := func(name string) *contract.Covariate {
		return c.Contract.Covariates[slices.IndexFunc(c.Contract.Covariates,
			func(v *contract.Covariate) bool { return v.Name == name })]
	}
	from, to, year := 2014, 2015, 2014
	sex, setting := dimension(t, c.Contract, "SEX"), dimension(t, c.Contract, "SETTING")
	girls := cells.Filter{}.And(cells.Condition{Dimension: dimension(t, c.Contract, "YEAR"), From: &from,
		To: &to}).And(cells.Condition{Dimension: sex, Positions: []int{sex.Position("FEMALE")}})
	poor := indicators("POOR", "MOTHER_SUBSTANCE_ABUSE")
	boys := girls
	boys.Conditions = girls.Conditions[:1]
	boys.With, boys.Without = indicators("POOR"), indicators("MOTHER_CONVICTED")
	for _, test := range []struct {
		name      string
		query     cells.Query
		statement string
	}{
		{"children", cells.Observations{Table: children, Where: girls, By: by("AGE", "AREA"), Indicators: poor,
			Measures: measures("EQUIVALISED_INCOME"), Largest: true}, `
			SELECT age, area_id, count(*), count(poor), count(*) FILTER (poor), count(*) FILTER (poor IS NULL),
			       count(mother_alcohol OR mother_drugs) FILTER (mother_present),
			       count(*) FILTER (mother_present AND (mother_alcohol OR mother_drugs)),
			       count(*) FILTER (mother_present IS NOT FALSE AND (mother_alcohol OR mother_drugs) IS NULL),
			       count(equivalised_income), sum(equivalised_income),
			       sum(equivalised_income::HUGEINT * equivalised_income), count(*) FILTER (equivalised_income IS NULL),
			       max(equivalised_income), coalesce(max(equivalised_income, 2)[2], 0)
			FROM child_year WHERE year IN (2014, 2015) AND sex = 'FEMALE' GROUP BY ALL`},
		{"children with traits", cells.Observations{Table: children, Where: boys, By: by("ORIGIN")}, `
			SELECT CASE WHEN origin = 'DANISH' THEN 'DANISH' WHEN origin LIKE '%NON_WESTERN' THEN 'NON_WESTERN'
			       ELSE 'WESTERN' END, count(*)
			FROM child_year WHERE year < 2016 AND poor AND mother_present AND NOT mother_convicted GROUP BY ALL`},
		{"residents and groups", cells.Observations{Table: residents, By: by("YEAR", "SETTING"),
			Indicators: indicators("CONVICTED"), Measures: measures("GROSS_INCOME")}, `
			SELECT year, CASE WHEN area_id IS NOT NULL THEN 'SUPPORTED' WHEN social_housing THEN 'SOCIAL_HOUSING' ELSE 'OTHER' END,
			       sum(n),
			       sum(n) FILTER (convicted IS NOT NULL), coalesce(sum(n) FILTER (convicted), 0),
			       coalesce(sum(n) FILTER (age_group IN ('AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64',
			       'AGE_65_PLUS') AND convicted IS NULL), 0),
			       sum(n) FILTER (gross_income IS NOT NULL), sum(n * gross_income),
			       sum(n::HUGEINT * gross_income * gross_income
			           + coalesce((n - 1) * gross_income_sd::HUGEINT * gross_income_sd, 0)),
			       sum(n) FILTER (gross_income IS NULL)
			FROM resident_year GROUP BY ALL`},
		{"children by setting", cells.Observations{Table: children, Where: girls, By: by("SETTING", "SEX")}, `
			SELECT CASE WHEN area_id IS NOT NULL THEN 'SUPPORTED' WHEN social_housing THEN 'SOCIAL_HOUSING'
			       WHEN NOT social_housing THEN 'OTHER' ELSE 'OUTSIDE_UNKNOWN' END, sex, count(*)
			FROM child_year WHERE year IN (2014, 2015) AND sex = 'FEMALE' GROUP BY ALL`},
		{"children of other social housing", cells.Observations{Table: children, Where: girls.And(cells.Condition{
			Dimension: setting, Positions: setting.Positions("SOCIAL_HOUSING")}), By: by("YEAR", "MUNICIPALITY")}, `
			SELECT year, municipality, count(*) FROM child_year
			WHERE year IN (2014, 2015) AND sex = 'FEMALE' AND area_id IS NULL AND social_housing GROUP BY ALL`},
		{"children outside the areas", cells.Observations{Table: children, Where: cells.Filter{}.And(cells.Condition{
			Dimension: setting, Positions: setting.Positions("REST")}), By: by("YEAR", "AREA")}, `
			SELECT year, area_id, count(*) FROM child_year WHERE area_id IS NULL GROUP BY ALL`},
		{"measures of some ages", cells.Observations{Table: youth, By: by("YEAR", "AGE_GROUP"),
			Measures: slices.Concat(measures("ABSENCE"), measures("SUSPICIONS"), measures("AGE_AT_FIRST_OFFENCE"))}, `
			SELECT year, CASE WHEN age < 10 THEN 'AGE_7_9' WHEN age < 13 THEN 'AGE_10_12' WHEN age < 15 THEN 'AGE_13_14'
			       WHEN age < 18 THEN 'AGE_15_17' ELSE 'AGE_18_24' END, sum(n),
			       coalesce(sum(n) FILTER (absence IS NOT NULL AND age <= 16), 0),
			       coalesce(sum(n * absence) FILTER (age <= 16), 0),
			       coalesce(sum(n::HUGEINT * absence * absence + (n - 1) * coalesce(absence_sd::HUGEINT * absence_sd, 0))
			           FILTER (age <= 16), 0), coalesce(sum(n) FILTER (age <= 16 AND absence IS NULL), 0),
			       coalesce(sum(n) FILTER (age BETWEEN 10 AND 14), 0), coalesce(sum(n * suspicions), 0),
			       coalesce(sum(n::HUGEINT * suspicions * suspicions), 0), 0,
			       coalesce(sum(n) FILTER (first_offence), 0), coalesce(sum(n * age) FILTER (first_offence), 0),
			       coalesce(sum(n::HUGEINT * age * age) FILTER (first_offence), 0), 0
			FROM youth_year GROUP BY ALL`},
		{"largest of residents", cells.Observations{Table: residents, By: by("SEX"), Measures: measures("GROSS_INCOME"),
			Largest: true}, `
			SELECT sex, count(*), count(gross_income), sum(gross_income),
			       sum(gross_income::HUGEINT * gross_income) + any_value(spread),
			       count(*) FILTER (gross_income IS NULL), max(gross_income), max(gross_income, 2)[2]
			FROM (SELECT sex, gross_income, unnest(range(n)) FROM resident_year)
			JOIN (SELECT sex, sum((n - 1)::HUGEINT * gross_income_sd * gross_income_sd) AS spread FROM resident_year
			       GROUP BY sex) USING (sex)
			GROUP BY sex`},
		{"participants", cells.Participants{Type: "LEISURE_JOB", Outcome: outcome("ABSENCE"),
			Covariates: []*contract.Covariate{covariate("JOB_BEFORE")}, Start: true, Area: true}, `
			SELECT treated::INT, job_before::INT, start_year, area_id, count(*), count(absence), sum(absence),
			       sum(absence * absence), 0,
			       count(absence), sum(absence_before), sum(absence_before * absence_before), 0,
			       count(absence), sum(absence - absence_before),
			       sum((absence - absence_before) * (absence - absence_before)), 0
			FROM participant WHERE type = 'LEISURE_JOB' GROUP BY ALL`},
		{"participants in bands", cells.Participants{Type: "LEISURE_JOB",
			Covariates: []*contract.Covariate{covariate("AGE"), covariate("SEX")}}, `
			SELECT treated::INT, age - 13 + 3, list_position(['MALE', 'FEMALE'], sex) - 1, count(*), 0, 0, 0, count(*),
			       0, 0, 0, 0, 0, 0, 0, 0
			FROM participant WHERE type = 'LEISURE_JOB' GROUP BY ALL`},
		{"starts", cells.Starts{},
			"SELECT activity_id, start_year, count(*) FROM participant WHERE treated GROUP BY ALL"},
		{"persons", cells.Persons{Groups: 3, Members: []cells.Member{{Activity: c.Activity("B1"), Group: 0},
			{Activity: c.Activity("B2"), Group: 0}, {Activity: c.Activity("B2"), Year: &year, Group: 2}}}, `
			SELECT 0, count(DISTINCT person_id) FROM participant WHERE treated AND activity_id IN ('B1', 'B2')
			UNION ALL SELECT 1, 0
			UNION ALL SELECT 2, count(DISTINCT person_id) FROM participant
			       WHERE treated AND activity_id = 'B2' AND start_year = 2014`},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := one(t, s, test.query)
			o, _ := test.query.(cells.Observations)
			var got []string
			for _, cell := range table.Cells {
				var parts []string
				for i, k := range table.Keys {
					parts = append(parts, value(c, k, cell.Key[i]))
				}
				got = append(got, strings.Join(append(parts, numbers(cell, o.Largest)...), "|"))
			}
			slices.Sort(got)
			if want := lines(t, db, test.statement); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nplain SQL gives\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
	types := c.Contract.Table(contract.EffectTable).Column("type").Codes
	var got []string
	for _, cell := range one(t, s, cells.EffectTypes{}).Cells {
		got = append(got, fmt.Sprintf("%s|%d", types.Codes[cell.Key[0]].Code, cell.N.Value))
	}
	same(t, "types of participants", got,
		lines(t, db, "SELECT type, count(*) FROM participant WHERE treated GROUP BY type"))

	answers := one(t, s, cells.Responses{})
	themes, aspects := c.Contract.Codelist("theme"), c.Contract.Codelist("aspect")
	got = nil
	for _, a := range answers.Coarsen([]int{1, 2, 3, 4, 5}).Cells {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%d|%d|%.2f", themes.Codes[a.Key[0]].Code,
			aspects.Codes[a.Key[1]].Code, value(c, answers.Keys[3], a.Key[2]), value(c, answers.Keys[4], a.Key[3]),
			a.Key[4], a.N.Value, a.Weight))
	}
	same(t, "answers", got,
		lines(t, db, "SELECT theme, aspect, item, actor_type, coalesce(answer, 0), count(*), "+
			"sum(weight)::DECIMAL(18, 2) FROM actor_survey GROUP BY ALL"))
	got = nil
	for _, a := range answers.Coarsen([]int{0}).Cells {
		got = append(got, fmt.Sprint(a.N.Value))
	}
	same(t, "answers of a respondent", got, lines(t, db, "SELECT count(*) FROM actor_survey GROUP BY respondent_id"))

	figures := one(t, s, cells.KeyFigures{})
	got = nil
	for _, f := range figures.Cells {
		line := value(c, figures.Keys[0], f.Key[0]) + "|" + value(c, figures.Keys[1], f.Key[1]) + "|" +
			value(c, figures.Keys[2], f.Key[2])
		for _, name := range []string{"residents", "percent_convicted", "averaged", "on_official_list"} {
			x := f.Figures[slices.Index(cells.FigureColumns, name)].Value
			if x != x {
				line += "|-"
			} else {
				line += "|" + strconv.FormatFloat(x, 'f', 1, 64)
			}
		}
		got = append(got, line)
	}
	same(t, "key figures", got,
		lines(t, db, "SELECT area_id, year, source, residents::DECIMAL(9, 1), percent_convicted::DECIMAL(9, 1), "+
			"NULL, on_official_list::INT::DECIMAL(9, 1) FROM area_year"))
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nplain SQL gives\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The two largest contributions are those of observations: one that stands for several makes both, a debt
// is larger than nothing, and those of cells merge.
func largestContributions(t *testing.T, open Open) {
	s := open(t, `CREATE TABLE child_year AS FROM (VALUES
		(2014, 0, 5, 1), (2014, 0, 9, 1), (2014, 0, 9, 1),
		(2014, 1, 7, 20), (2014, 1, 3, 1),
		(2014, 2, 7, 1), (2014, 2, 3, 20),
		(2014, 3, -8, 1),
		(2014, 4, -8, 1), (2014, 4, -6, 1), (2014, 4, NULL, 1),
		(2014, 5, NULL, 4)
	) t(year, age, equivalised_income, n)`)
	c := s.Catalogue().Contract
	m, err := c.Measure("EQUIVALISED_INCOME")
	if err != nil {
		t.Fatal(err)
	}
	q := cells.Observations{Table: c.CohortTable("children"), By: []*contract.Dimension{dimension(t, c, "AGE")},
		Measures: []*contract.Measure{m}, Largest: true}
	table := one(t, s, q)
	for i, want := range [][2]int64{{9, 9}, {7, 7}, {7, 3}, {-8}, {-6, -8}, {}} {
		if got := table.Cells[i].Measures[0].Largest; got != want {
			t.Errorf("age %d: got %v, want %v", i, got, want)
		}
	}
	debts := table.TotalOf(func(c cells.Cell) bool { return c.Key[0] >= 3 })
	if got := debts.Measures[0].Largest; got != [2]int64{-6, -8} {
		t.Errorf("of cells with debts the largest are %v, want -6 and -8", got)
	}
	q.By = nil
	if got, want := asked(t, s, q), text(table.Coarsen(nil)); got != want {
		t.Errorf("in all they are\n%s\nmerged\n%s", got, want)
	}
}

// Participations whose activities the data set does not list are of none that is known: one cell a year.
func withoutActivities(t *testing.T, open Open) {
	setup := duckdbtest.World + "; DROP TABLE activity"
	s := open(t, setup)
	table := one(t, s, cells.Starts{})
	var got []string
	for _, c := range table.Cells {
		got = append(got, fmt.Sprintf("%s|%s|%d", value(s.Catalogue(), table.Keys[0], c.Key[0]),
			value(s.Catalogue(), table.Keys[1], c.Key[1]), c.N.Value))
	}
	same(t, "starts", got, lines(t, duckdbtest.Facts(t, setup),
		"SELECT '-', start_year, count(*) FROM participant WHERE treated GROUP BY start_year"))
}
