package snapshot_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/kvarter/kvarter/internal/synth"
)

// law is a query that counts rows which should not be there.
type law struct{ name, query string }

func obey(t *testing.T, g *generated, laws []law) {
	t.Helper()
	for _, l := range laws {
		if n := g.number(t, l.query); n != 0 {
			t.Errorf("%s: %.0f rows do not", l.name, n)
		}
	}
}

// coherence holds at every scale and in both worlds.
var coherence = []law{
	{"a child is in a year once", "SELECT count(*) - count(DISTINCT (child_id, year)) FROM child_year"},
	{"a person is in a year once", "SELECT count(*) - count(DISTINCT (person_id, year)) FROM resident_year WHERE " +
		"person_id IS NOT NULL"},
	{"a child grows a year a year, and keeps sex, origin, family and record key", `
		SELECT count(*) FROM child_year AS a JOIN child_year AS b ON a.child_id = b.child_id AND b.year = a.year + 1
		WHERE b.age <> a.age + 1 OR b.sex <> a.sex OR b.origin <> a.origin OR b.family_id <> a.family_id OR b.record_key <> a.record_key`},
	{"a child is in the register without gaps", `
		SELECT count(*) FROM (SELECT max(year) - min(year) + 1 AS span, count(*) AS years FROM child_year GROUP BY child_id) WHERE span <> years`},
	{"siblings share home, parents and income", `
		SELECT count(*) FROM (SELECT count(DISTINCT (area_id, social_housing, municipality, family_type, equivalised_income, wealth, poor, parents_status,
			mother_status, mother_education, mother_convicted, mother_alcohol, mother_drugs, mother_psychiatric,
			father_status, father_education, father_convicted, father_alcohol, father_drugs, father_psychiatric)) AS homes
			FROM child_year GROUP BY family_id, year) WHERE homes > 1`},
	{"no family has two children born in the same year", `
		SELECT count(*) FROM (SELECT count(*) AS n FROM child_year GROUP BY family_id, year, age) WHERE n > 1`},
	{"an absent mother has no traits and a present one has all", `
		SELECT count(*) FROM child_year WHERE mother_present <> ALL ([mother_status IS NOT NULL, mother_education IS NOT NULL,
			mother_convicted IS NOT NULL, mother_alcohol IS NOT NULL, mother_drugs IS NOT NULL, mother_psychiatric IS NOT NULL])
			OR NOT mother_present AND coalesce(mother_status, mother_education, mother_convicted::VARCHAR, mother_alcohol::VARCHAR, mother_drugs::VARCHAR, mother_psychiatric::VARCHAR) IS NOT NULL`},
	{"an absent father has no traits and a present one has all", `
		SELECT count(*) FROM child_year WHERE father_present <> ALL ([father_status IS NOT NULL, father_education IS NOT NULL,
			father_convicted IS NOT NULL, father_alcohol IS NOT NULL, father_drugs IS NOT NULL, father_psychiatric IS NOT NULL])
			OR NOT father_present AND coalesce(father_status, father_education, father_convicted::VARCHAR, father_alcohol::VARCHAR, father_drugs::VARCHAR, father_psychiatric::VARCHAR) IS NOT NULL`},
	{"the family type says who is at home", `
		SELECT count(*) FROM child_year WHERE mother_present <> (family_type IN ('BOTH_PARENTS', 'MOTHER_AND_PARTNER', 'MOTHER_ALONE'))
			OR father_present <> (family_type IN ('BOTH_PARENTS', 'FATHER_AND_PARTNER', 'FATHER_ALONE'))`},
	{"the parents' status follows from the parents at home", `
		SELECT count(*) FROM (SELECT parents_status, list_filter([mother_status, father_status], s -> s IS NOT NULL) AS p FROM child_year)
		WHERE parents_status <> CASE
			WHEN len(p) = 0 OR list_contains(p, 'UNKNOWN') THEN 'UNKNOWN'
			WHEN NOT list_contains(p, 'NEITHER') THEN 'BOTH_ACTIVE'
			WHEN len(list_distinct(p)) = 1 THEN 'NONE_ACTIVE'
			ELSE 'ONE_ACTIVE' END`},
	{"day care is recorded at ages 1-5 alone, and its type agrees", `
		SELECT count(*) FROM child_year WHERE (enrolled IS NOT NULL) <> (age BETWEEN 1 AND 5) OR (day_care_type IS NOT NULL) <> (age BETWEEN 1 AND 5)
			OR enrolled <> (day_care_type <> 'NONE')`},
	{"nurseries and childminders are for ages 1-2, kindergartens for 3-5", `
		SELECT count(*) FROM child_year WHERE day_care_type IN ('NURSERY', 'CHILDMINDER') AND age > 2 OR day_care_type = 'KINDERGARTEN' AND age < 3`},
	{"a child in an area lives in its municipality",
		"SELECT count(*) FROM child_year JOIN area USING (area_id) WHERE child_year.municipality <> area.municipality"},
	{"an area's key figures count its children", `
		SELECT count(*) FROM area_year FULL JOIN (SELECT area_id, year, count(*) AS n FROM child_year WHERE area_id IS NOT NULL GROUP BY ALL) USING (area_id, year)
		WHERE children_0_6 <> coalesce(n, 0) OR children_0_6 IS NULL`},
	{"residents aged 0-6 in an area are the register's children", `
		SELECT count(*) FROM (SELECT * FROM resident_year WHERE age_group = 'AGE_0_6' AND area_id IS NOT NULL) AS r
		FULL JOIN (SELECT * FROM child_year WHERE area_id IS NOT NULL) AS c ON r.person_id = c.child_id AND r.year = c.year
		WHERE r.area_id IS DISTINCT FROM c.area_id OR r.origin <> c.origin OR r.sex <> c.sex OR r.record_key <> c.record_key`},
	{"social housing is recorded outside the areas, of everyone", `
		SELECT (SELECT count(*) FROM child_year WHERE (social_housing IS NULL) <> (area_id IS NOT NULL))
			+ (SELECT count(*) FROM resident_year WHERE (social_housing IS NULL) <> (area_id IS NOT NULL))`},
	{"residents aged 0-6 outside the areas are as many as the children, by municipality, housing, sex and origin", `
		SELECT count(*) FROM (SELECT year, municipality, social_housing, sex, origin, sum(n) AS n FROM resident_year WHERE age_group = 'AGE_0_6' AND area_id IS NULL GROUP BY ALL) AS r
		FULL JOIN (SELECT year, municipality, social_housing, sex, origin, count(*) AS n FROM child_year WHERE area_id IS NULL GROUP BY ALL) AS c
			USING (year, municipality, social_housing, sex, origin)
		WHERE r.n IS DISTINCT FROM c.n`},
	{"a resident keeps sex, origin and record key, and does not grow younger", `
		SELECT count(*) FROM resident_year AS a JOIN resident_year AS b ON a.person_id = b.person_id AND b.year = a.year + 1
		WHERE b.sex <> a.sex OR b.origin <> a.origin OR b.record_key <> a.record_key 
			OR b.age_group IN ('AGE_0_6', 'AGE_7_9') AND b.age_group < a.age_group OR b.age_group NOT IN ('AGE_0_6', 'AGE_7_9') AND a.age_group NOT IN ('AGE_0_6', 'AGE_7_9') AND b.age_group < a.age_group`},
	{"traits of residents are recorded for their ages alone", `
		SELECT count(*) FROM resident_year WHERE
			(work_status IS NOT NULL) <> (age_group IN ('AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64'))
			OR (schooling IS NOT NULL) <> (age_group = 'AGE_30_59')
			OR (convicted IS NOT NULL) <> (age_group IN ('AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64', 'AGE_65_PLUS'))
			OR (gross_income IS NOT NULL) <> (age_group IN ('AGE_15_17', 'AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64', 'AGE_65_PLUS'))`},
	{"persons stand for one and cross-tabs have no person", `
		SELECT count(*) FROM resident_year WHERE (person_id IS NULL) <> (area_id IS NULL) OR (record_key IS NULL) <> (person_id IS NULL)
			OR person_id IS NOT NULL AND n <> 1 OR n < 1 OR (gross_income_sd IS NOT NULL) <> (area_id IS NULL AND gross_income IS NOT NULL)`},
	{"a cross-tab has one row for like persons", `
		SELECT count(*) FROM (SELECT count(*) AS k FROM resident_year WHERE area_id IS NULL
			GROUP BY year, municipality, social_housing, age_group, sex, origin, work_status, schooling, convicted) WHERE k > 1`},
	{"the plans of areas are there, and every plan has an area", `
		SELECT count(*) FROM (SELECT unnest(plan_ids) AS plan_id, 1 AS named FROM area) FULL JOIN plan USING (plan_id) WHERE named IS NULL OR name IS NULL`},
	{"participants and those compared with them are residents of the area of that age group and sex", `
		SELECT count(*) FROM participant AS p LEFT JOIN (SELECT DISTINCT person_id, area_id, sex, origin FROM resident_year WHERE person_id IS NOT NULL) AS r USING (person_id, area_id, sex, origin)
		WHERE r.person_id IS NULL`},
	{"a participant took part in an activity of the type, place and ages, while it ran", `
		SELECT count(*) FROM participant AS p LEFT JOIN activity AS a USING (activity_id)
		WHERE p.treated <> (p.activity_id IS NOT NULL) OR p.treated <> (end_year IS NOT NULL) OR p.treated AND (a.activity_id IS NULL OR a.type <> p.type OR a.area_id <> p.area_id
			OR p.age NOT BETWEEN age_min AND age_max OR start_year < year(a.start) OR end_year < start_year OR end_year > year(a."end"))`},
	{"participants live in the area in the year of the start, and those compared with them in the year they were " +
		"approached", `
		SELECT count(*) FROM participant AS p LEFT JOIN resident_year AS r ON p.person_id = r.person_id AND r.year = p.start_year AND r.area_id = p.area_id
		WHERE r.person_id IS NULL`},
	{"those compared are approached in a year in which participants start", `
		SELECT count(*) FROM participant AS p WHERE NOT p.treated AND NOT EXISTS
			(FROM activity AS a WHERE a.type = p.type AND a.area_id = p.area_id AND p.age BETWEEN age_min AND age_max AND p.start_year BETWEEN year(a.start) AND year(a."end"))`},
	{"outcomes are recorded for their ages", `
		SELECT count(*) FROM participant WHERE (in_leisure_job IS NULL) <> (age < 13) OR (in_education IS NULL) <> (age < 15)
			OR (charged IS NULL) <> (age < 10) OR (absence IS NULL) <> (age >= 18)`},
	{"activities run while their plan does, in one of its areas", `
		SELECT count(*) FROM activity AS a LEFT JOIN plan AS p USING (plan_id) LEFT JOIN area USING (area_id)
		WHERE p.plan_id IS NULL OR NOT list_contains(plan_ids, plan_id) OR a.start < p.start OR a."end" > p."end" OR a."end" < a.start`},
	{"125 actors answer each item of their theme once, from 1 to 5 or 9", `
		SELECT (SELECT abs(count(DISTINCT respondent_id) - 125) FROM actor_survey)
			+ (SELECT count(*) FROM actor_survey WHERE answer NOT BETWEEN 1 AND 5 AND answer <> 9)
			+ (SELECT count(*) FROM (SELECT count(*) AS n, count(DISTINCT item) AS items, count(DISTINCT theme) AS themes FROM actor_survey GROUP BY respondent_id) WHERE n <> 9 OR items <> 9 OR themes <> 1)`},
	{"plans end after they start", `SELECT count(*) FROM plan WHERE NOT "end" > start`},
}

func TestSmallWorldsAreCoherent(t *testing.T) {
	for _, o := range []synth.Options{
		{Seed: 3, Scale: 0.01, World: synth.NoAreaEffect}, {Seed: 3, Scale: 0.01, World: synth.WithAreaEffect},
		{Seed: 4, Scale: 0.001, World: synth.NoAreaEffect},
		{Seed: 3, Scale: 0.01, World: synth.AreaVariation}, {Seed: 5, Scale: 0.05, World: synth.NoAreaEffect},
	} {
		t.Run(fmt.Sprintf("seed=%d,scale=%g,%s", o.Seed, o.Scale, o.World), func(t *testing.T) {
			g := generate(t, t.TempDir(), o)
			obey(t, g, coherence)
			obey(t, g, people)
			poor := g.number(t, "SELECT count(*) FROM child_year WHERE year = 2016 AND poor")
			if want := math.Round(34_657 * o.Scale); poor != want {
				t.Errorf("%g poor children in 2016, want %g", poor, want)
			}
		})
	}
}

func TestKeyFiguresFollowFromTheResidents(t *testing.T) {
	obey(t, theWhole(t), []law{
		{"the key figures follow from the residents", `
			SELECT count(*) FROM area_year JOIN (
				SELECT area_id, year, sum(n) AS residents,
					100 * sum(n) FILTER (origin LIKE '%NON_WESTERN') / sum(n) AS non_western,
					100 * sum(n) FILTER (work_status = 'NEITHER') / sum(n) FILTER (work_status <> 'UNKNOWN') AS outside,
					100 * coalesce(sum(n) FILTER (convicted), 0) / sum(n) FILTER (convicted IS NOT NULL) AS convicted,
					100 * sum(n) FILTER (schooling = 'BASIC_ONLY') / sum(n) FILTER (schooling <> 'UNKNOWN') AS basic,
					100 * avg(gross_income) FILTER (work_status <> 'IN_EDUCATION') AS income, any_value(r.region) AS region
				FROM resident_year JOIN area USING (area_id) JOIN (` + regionSQL + `) AS r ON area.municipality = r.municipality GROUP BY area_id, year
			) AS f USING (area_id, year) JOIN (
				SELECT year, region, sum(n * gross_income) / sum(n) AS income
				FROM resident_year JOIN (` + regionSQL + `) USING (municipality) WHERE work_status <> 'IN_EDUCATION' GROUP BY ALL
			) AS whole ON whole.year = area_year.year AND whole.region = f.region
			WHERE area_year.residents <> f.residents OR abs(percent_non_western - non_western) > 0.0001
				OR abs(percent_outside_work_and_education - outside) > 0.0001 OR abs(percent_convicted - f.convicted) > 0.0001
				OR abs(percent_basic_schooling_only - basic) > 0.0001 OR abs(income_ratio - f.income / whole.income) > 0.001`},
	})
}

// regionSQL gives each municipality's region, by the number ranges of the municipal codes.
const regionSQL = `SELECT DISTINCT municipality, CASE
	WHEN municipality < '253' OR municipality IN ('260', '270', '400') THEN 'HOVEDSTADEN'
	WHEN municipality < '400' THEN 'SJAELLAND'
	WHEN municipality < '615' OR municipality IN ('621', '630') THEN 'SYDDANMARK'
	WHEN municipality IN ('773', '787') OR municipality >= '810' THEN 'NORDJYLLAND'
	ELSE 'MIDTJYLLAND' END AS region FROM resident_year`

// Residents: the totals of every year are published; movement, work and convictions are assumed.
func TestResidentsOfTheWholeWorld(t *testing.T) {
	g := theWhole(t)
	for i, year := range []int{2010, 2011, 2012, 2013, 2014, 2015, 2016, 2017} {
		all := []float64{5_543_819, 5_566_856, 5_587_085, 5_608_784, 5_639_719, 5_678_348, 5_724_456, 5_760_694}[i]
		if got := g.number(t, fmt.Sprintf("SELECT sum(n) FROM resident_year WHERE year = %d", year)); got != all {
			t.Errorf("%g residents in %d, want %g", got, year, all)
		}
	}
	between := func(name, query string, low, high float64) {
		t.Helper()
		if got := g.number(t, query); !(got >= low && got <= high) {
			t.Errorf("%s: got %g, want %g to %g", name, got, low, high)
		} else {
			t.Logf("%s: %g", name, got)
		}
	}
	between("residents in areas in 2016", "SELECT sum(n) FROM resident_year WHERE year = 2016 AND area_id IS NOT NULL",
		215_300, 215_300)
	for year := 2010; year < 2017; year++ {
		between(fmt.Sprint("share of residents in areas who are gone the year after ", year), fmt.Sprintf(`
			SELECT avg((b.person_id IS NULL)::INT) FROM (FROM resident_year WHERE year = %d AND area_id IS NOT NULL) AS a
			LEFT JOIN (FROM resident_year WHERE year = %d) AS b USING (person_id)`, year, year+1), 0.12, 0.18)
	}
	const rate = "SELECT sum(n) FILTER (%s) / sum(n) FROM resident_year WHERE year = 2014 AND area_id IS %s NULL AND %s"
	in := func(of, among string) string { return fmt.Sprintf(rate, of, "NOT", among) }
	out := func(of, among string) string { return fmt.Sprintf(rate, of, "", among) }
	between("outside work and education in areas", in("work_status = 'NEITHER'", "work_status <> 'UNKNOWN'"), 0.34, 0.44)
	between("outside work and education elsewhere", out("work_status = 'NEITHER'", "work_status <> 'UNKNOWN'"), 0.12, 0.22)
	between("convicted in areas", in("convicted", "convicted IS NOT NULL"), 0.018, 0.028)
	between("convicted elsewhere", out("convicted", "convicted IS NOT NULL"), 0.005, 0.009)
	between("basic schooling only in areas", in("schooling = 'BASIC_ONLY'", "schooling <> 'UNKNOWN'"), 0.42, 0.55)
	between("basic schooling only elsewhere", out("schooling = 'BASIC_ONLY'", "schooling <> 'UNKNOWN'"), 0.13, 0.22)
	between("non-Western in areas", in("origin LIKE '%%NON_WESTERN'", "true"), 0.33, 0.48)
	between("non-Western in Denmark",
		"SELECT sum(n) FILTER (origin LIKE '%NON_WESTERN') / sum(n) FROM resident_year WHERE year = 2014", 0.065, 0.09)
	between("areas of 1,000 residents by the rule of 2010-13, 2 of 3", `
		SELECT count(*) FROM area_year WHERE year = 2012 AND residents >= 1000
		AND (percent_non_western > 50)::INT + (percent_outside_work_and_education > 40)::INT + (percent_convicted > 2.7)::INT >= 2`, 15, 45)
	between("areas of 1,000 residents by the rule of 2014-17, 3 of 5", `
		SELECT count(*) FROM area_year WHERE year = 2015 AND residents >= 1000
		AND (percent_non_western > 50)::INT + (percent_outside_work_and_education > 40)::INT + (percent_convicted > 2.7)::INT
			+ (percent_basic_schooling_only > 50)::INT + (income_ratio < 55)::INT >= 3`, 10, 40)
}

// Traits last over the years and hang together as they do in life, and the two forms of
// vulnerability are there: Danish parents in the areas fare worse on sentences, abuse and
// illness, non-Western ones on poverty and work.
func TestTraitsOfTheWholeWorld(t *testing.T) {
	g := theWhole(t)
	more := func(name, high, low string, atLeast float64) {
		t.Helper()
		a, b := g.number(t, high), g.number(t, low)
		if !(a-b >= atLeast) {
			t.Errorf("%s: %.4f is not %g above %.4f", name, a, atLeast, b)
		} else {
			t.Logf("%s: %.4f and %.4f", name, a, b)
		}
	}
	share := func(of, among string) string {
		return fmt.Sprintf("SELECT avg((%s)::INT) FROM child_year WHERE %s", of, among)
	}
	const danish, nonWestern = "year = 2016 AND area_id IS NOT NULL AND origin = 'DANISH'", "year = 2016 AND area_id IS " +
		"NOT NULL AND origin LIKE '%NON_WESTERN'"
	for _, parent := range []string{"mother", "father"} {
		more(parent+" convicted", share(parent+"_convicted", danish), share(parent+"_convicted", nonWestern), 0.02)
		more(parent+" alcohol or drugs", share(parent+"_alcohol OR "+parent+"_drugs", danish),
			share(parent+"_alcohol OR "+parent+"_drugs", nonWestern), 0.02)
		more(parent+" psychiatric", share(parent+"_psychiatric", danish), share(parent+"_psychiatric", nonWestern), 0.02)
		more(parent+" without work or study", share(parent+"_status = 'NEITHER'", nonWestern),
			share(parent+"_status = 'NEITHER'", danish), 0.05)
		more(parent+" convicted and drugs", share(parent+"_convicted", parent+"_drugs"),
			share(parent+"_convicted", "NOT "+parent+"_drugs"), 0.1)
		more(parent+" convicted and schooling", share(parent+"_convicted", parent+"_education = 'BASIC'"),
			share(parent+"_convicted", parent+"_education = 'LONG'"), 0.01)
		more(parent+" work and illness", share(parent+"_status = 'NEITHER'", parent+"_psychiatric"),
			share(parent+"_status = 'NEITHER'", "NOT "+parent+"_psychiatric"), 0.05)
	}
	more("poor", share("poor", nonWestern), share("poor", danish), 0.1)
	more("poor and work", share("poor", "parents_status = 'NONE_ACTIVE'"), share("poor", "parents_status = 'BOTH_ACTIVE'"),
		0.2)
	more("poor and lone mothers", share("poor", "family_type = 'MOTHER_ALONE'"),
		share("poor", "family_type = 'BOTH_PARENTS'"), 0.03)

	again := func(of string) string {
		return fmt.Sprintf(`SELECT avg((b.%[1]s)::INT) FROM child_year AS a JOIN child_year AS b ON a.child_id = b.child_id AND b.year = a.year + 1 WHERE a.%[1]s`, of)
	}
	for of, want := range map[string]float64{"poor": 0.6, "enrolled": 0.9, "father_convicted": 0.8,
		"mother_status = 'NEITHER'": 0.6} {
		more("again next year: "+of, again(of), "SELECT 0", want)
		more("not for ever: "+of, "SELECT 1", again(of), 0.005)
	}
	more("children in an area who are there next year", `
		SELECT avg((a.area_id IS NOT DISTINCT FROM b.area_id)::INT) FROM child_year AS a JOIN child_year AS b ON a.child_id = b.child_id AND b.year = a.year + 1
		WHERE a.area_id IS NOT NULL`, "SELECT 0", 0.8)
}

// The two worlds are one but for day care, and the planted effect is the size that is said.
func TestWorldsDifferInDayCareOnly(t *testing.T) {
	const scale = 0.03
	without := generate(t, t.TempDir(), synth.Options{Seed: 9, Scale: scale, World: synth.NoAreaEffect})
	with := generate(t, t.TempDir(), synth.Options{Seed: 9, Scale: scale, World: synth.WithAreaEffect})
	for _, table := range []string{"area", "area_year", "plan", "resident_year", "youth_year", "adult_year", "child_year",
		"activity", "participant",
		"actor_survey"} {
		columns := "*"
		if table == "child_year" {
			columns = "* EXCLUDE (enrolled, day_care_type)"
		}
		other := filepath.Join(with.folder, table+".parquet")
		if n := without.number(t, fmt.Sprintf("SELECT count(*) FROM (SELECT %[1]s FROM %[2]s EXCEPT ALL SELECT %[1]s FROM "+
			"'%[3]s')", columns, table, other)); n != 0 {
			t.Errorf("%.0f rows of %s differ", n, table)
		}
	}
	other := filepath.Join(with.folder, "child_year.parquet")
	change := func(among string) float64 {
		return without.number(t,
			fmt.Sprintf(`SELECT avg(b.enrolled::INT - a.enrolled::INT) FROM child_year AS a JOIN '%s' AS b USING (child_id, year) WHERE %s`, other, among))
	}
	if got := change("a.area_id IS NOT NULL AND a.age BETWEEN 1 AND 2"); math.Abs(got-synth.AreaEffect) > 0.025 {
		t.Errorf("the effect at ages 1-2 is %.4f, planted is %g", got, synth.AreaEffect)
	}
	if got := change("a.area_id IS NULL OR a.age > 2"); got != 0 {
		t.Errorf("day care changes by %g where nothing is planted", got)
	}
}

// Day care is drawn with the stated probability, in and out of areas, in all worlds.
func TestDayCareFollowsItsTruth(t *testing.T) {
	for _, kind := range []synth.Kind{synth.NoAreaEffect, synth.WithAreaEffect, synth.AreaVariation} {
		o := synth.Options{Seed: 11, Scale: 0.05, World: kind}
		g := generate(t, t.TempDir(), o)
		world, err := synth.Generate(o)
		if err != nil {
			t.Fatal(err)
		}
		truth := world.DayCare()
		rows, err := g.db.Query(`
			SELECT age, origin, parents_status, family_type, income_group, coalesce(area_id, ''), count(*), sum(enrolled::INT)
			FROM child_year WHERE age BETWEEN 1 AND 5 AND year <> 2014 GROUP BY ALL`)
		if err != nil {
			t.Fatal(err)
		}
		// z of the observed minus the expected number, in and out of areas and for the young and the older.
		var observed, expected, variance [2][2]float64
		for rows.Next() {
			var c synth.Covariates
			var n, enrolled float64
			if err := rows.Scan(&c.Age, &c.Origin, &c.ParentsStatus, &c.FamilyType, &c.IncomeGroup, &c.Area, &n,
				&enrolled); err != nil {
				t.Fatal(err)
			}
			p, err := truth.Probability(c)
			if err != nil {
				t.Fatal(err)
			}
			in, older := 0, 0
			if c.Area != "" {
				in = 1
			}
			if c.Age > 2 {
				older = 1
			}
			observed[in][older] += enrolled
			expected[in][older] += n * p
			variance[in][older] += n * p * (1 - p)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		for in := range 2 {
			for older := range 2 {
				// A child keeps its draw for 1 / dayCareRenewal years or so: up to five times the variance.
				if z := (observed[in][older] - expected[in][older]) / math.Sqrt(5*variance[in][older]); math.Abs(z) > 3.5 {
					t.Errorf("%s, in area %d, older %d: %.0f enrolled, %.0f expected, z = %.1f", kind, in, older, observed[in][older],
						expected[in][older], z)
				}
			}
		}
	}
}
