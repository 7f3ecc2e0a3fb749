package snapshot_test

import (
	"fmt"
	"math"
	"testing"
)

// youngAges and grownAges are the age groups of residents that youth_year and adult_year hold.
const (
	youngAges = "('AGE_7_9', 'AGE_10_12', 'AGE_13_14', 'AGE_15_17', 'AGE_18_24')"
	grownAges = "('AGE_18_24', 'AGE_25_29', 'AGE_30_59', 'AGE_60_64')"
	ageGroup  = "CASE WHEN age < 10 THEN 'AGE_7_9' WHEN age < 13 THEN 'AGE_10_12' WHEN age < 15 THEN 'AGE_13_14' WHEN " +
		"age < 18 THEN 'AGE_15_17' ELSE 'AGE_18_24' END"
)

// One truth: young people and adults are the residents and the children of the other tables.
var people = []law{
	{"a young person is in a year once",
		"SELECT count(*) - count(DISTINCT (person_id, year)) FROM youth_year WHERE person_id IS NOT NULL"},
	{"an adult is in a year once",
		"SELECT count(*) - count(DISTINCT (person_id, year)) FROM adult_year WHERE person_id IS NOT NULL"},
	{"those in social housing are drawn singly, the others stand for groups", `
		SELECT count(*) FROM (SELECT person_id, n, record_key, family_id, area_id, social_housing FROM youth_year
			UNION ALL SELECT person_id, n, record_key, family_id, area_id, social_housing FROM adult_year)
		WHERE (area_id IS NOT NULL OR social_housing) <> ALL ([person_id IS NOT NULL, record_key IS NOT NULL, family_id IS NOT NULL])
			OR (area_id IS NULL) <> (social_housing IS NOT NULL) OR n < 1 OR person_id IS NOT NULL AND n <> 1`},
	{"a person keeps sex, origin and record key in all tables, and grows a year a year", `
		SELECT count(*) FROM (
			SELECT person_id FROM (
				SELECT child_id AS person_id, sex, origin, record_key, year - age AS born FROM child_year
				UNION ALL SELECT person_id, sex, origin, record_key, year - age FROM youth_year WHERE person_id IS NOT NULL
				UNION ALL SELECT person_id, sex, origin, record_key, year - age FROM adult_year WHERE person_id IS NOT NULL
				UNION ALL SELECT person_id, sex, origin, record_key, NULL FROM resident_year WHERE person_id IS NOT NULL)
			GROUP BY person_id HAVING count(DISTINCT (sex, origin, record_key)) > 1 OR count(DISTINCT born) > 1)`},
	{"residents of 7-24 are the young, by place, age group, sex and origin", `
		SELECT count(*) FROM (SELECT year, area_id, social_housing, municipality, sex, origin, age_group, sum(n) AS n FROM resident_year
			WHERE age_group IN ` + youngAges + ` GROUP BY ALL) AS r
		FULL JOIN (SELECT year, area_id, social_housing, municipality, sex, origin, ` + ageGroup + ` AS age_group, sum(n) AS n FROM youth_year GROUP BY ALL) AS y
		ON r.year = y.year AND r.area_id IS NOT DISTINCT FROM y.area_id AND r.social_housing IS NOT DISTINCT FROM y.social_housing
			AND r.municipality = y.municipality AND r.sex = y.sex AND r.origin = y.origin AND r.age_group = y.age_group
		WHERE r.n IS DISTINCT FROM y.n`},
	{"residents of 18-64 are the adults, by place, age group, sex, origin, work and convictions", `
		SELECT count(*) FROM (SELECT year, area_id, social_housing, municipality, sex, origin, age_group, work_status, convicted, sum(n) AS n FROM resident_year
			WHERE age_group IN ` + grownAges + ` GROUP BY ALL) AS r
		FULL JOIN (SELECT year, area_id, social_housing, municipality, sex, origin, age_group, work_status, convicted, sum(n) AS n FROM adult_year GROUP BY ALL) AS a
		ON r.year = a.year AND r.area_id IS NOT DISTINCT FROM a.area_id AND r.social_housing IS NOT DISTINCT FROM a.social_housing
			AND r.municipality = a.municipality AND r.sex = a.sex AND r.origin = a.origin AND r.age_group = a.age_group
			AND r.work_status = a.work_status AND r.convicted = a.convicted
		WHERE r.n IS DISTINCT FROM a.n`},
	{"the residents of the areas are the same persons with the same work, convictions, schooling and income", `
		SELECT count(*) FROM (FROM resident_year WHERE area_id IS NOT NULL AND age_group IN ` + grownAges + `) AS r
		FULL JOIN (FROM adult_year WHERE area_id IS NOT NULL) AS a USING (person_id, year)
		WHERE r.area_id IS DISTINCT FROM a.area_id OR r.work_status <> a.work_status OR r.convicted <> a.convicted OR r.gross_income <> a.gross_income
			OR r.schooling <> CASE a.education WHEN 'BASIC' THEN 'BASIC_ONLY' WHEN 'UNKNOWN' THEN 'UNKNOWN' ELSE 'MORE' END`},
	{"who is 18-24 is young and adult alike, with the same home and work", `
		SELECT count(*) FROM (FROM youth_year WHERE age >= 18 AND person_id IS NOT NULL) AS y
		FULL JOIN (FROM adult_year WHERE age <= 24 AND person_id IS NOT NULL) AS a USING (person_id, year)
		WHERE y.family_id IS DISTINCT FROM a.family_id OR y.area_id IS DISTINCT FROM a.area_id OR y.municipality <> a.municipality
			OR y.work_status <> a.work_status OR y.upper_secondary_completed <> (a.education NOT IN ('BASIC', 'UNKNOWN'))`},
	{"a child of the register in social housing at 6 who is there at 7 has the family of before", `
		SELECT count(*) FROM child_year AS c JOIN youth_year AS y ON c.child_id = y.person_id WHERE c.family_id <> y.family_id`},
	{"the parents of children in social housing are adults of the same home, with the work and education told of them", `
		SELECT count(*) FROM (
			SELECT DISTINCT year, family_id, area_id, municipality, 'FEMALE' AS sex, mother_status AS work_status, mother_education AS education
			FROM child_year WHERE mother_present AND (area_id IS NOT NULL OR social_housing)
			UNION ALL SELECT DISTINCT year, family_id, area_id, municipality, 'MALE', father_status, father_education
			FROM child_year WHERE father_present AND (area_id IS NOT NULL OR social_housing)) AS p
		LEFT JOIN adult_year AS a ON a.year = p.year AND a.family_id = p.family_id AND a.sex = p.sex AND a.municipality = p.municipality
			AND a.area_id IS NOT DISTINCT FROM p.area_id AND a.work_status = p.work_status AND a.education = p.education
		WHERE a.person_id IS NULL`},
	{"siblings in both tables have parents of the same status", `
		SELECT count(*) FROM child_year AS c JOIN youth_year AS y USING (family_id, year) WHERE y.age < 18 AND c.parents_status <> y.parents_status`},
	{"what is told of the young is told of their ages alone", `
		SELECT count(*) FROM youth_year WHERE (absence IS NOT NULL) <> (age <= 16) OR (exams_taken IS NOT NULL) <> (age = 16)
			OR (mean_mark IS NOT NULL) <> coalesce(exams_taken, false) OR (passed IS NOT NULL) <> coalesce(exams_taken, false)
			OR (upper_secondary_begun IS NOT NULL) <> (age >= 16) OR (upper_secondary_completed IS NOT NULL) <> (age >= 18)
			OR (leisure_job IS NOT NULL) <> (age BETWEEN 13 AND 17) OR (work_status IS NOT NULL) <> (age >= 16)
			OR (suspicions IS NOT NULL) <> (age BETWEEN 10 AND 14) OR (charges IS NOT NULL) <> (age BETWEEN 15 AND 20)
			OR (offence IS NOT NULL) <> (age BETWEEN 10 AND 20) OR (first_offence IS NOT NULL) <> (age BETWEEN 10 AND 20)
			OR (relapsed IS NOT NULL) <> coalesce(offence AND year <= 2015, false)
			OR parents_status IS NULL OR parents_schooling IS NULL
			OR (absence_sd IS NOT NULL) <> (absence IS NOT NULL AND n > 1) OR (mean_mark_sd IS NOT NULL) <> (mean_mark IS NOT NULL AND n > 1)`},
	{"who has completed upper secondary has begun it, and has it the year after", `
		SELECT (SELECT count(*) FROM youth_year WHERE upper_secondary_completed AND NOT upper_secondary_begun)
			+ (SELECT count(*) FROM youth_year AS a JOIN youth_year AS b ON a.person_id = b.person_id AND b.year = a.year + 1
				WHERE a.upper_secondary_completed AND NOT b.upper_secondary_completed AND b.parents_schooling = a.parents_schooling AND b.parents_status = a.parents_status)`},
	{"an offence is a suspicion or a charge, and first once", `
		SELECT (SELECT count(*) FROM youth_year WHERE offence <> (coalesce(suspicions, 0) + coalesce(charges, 0) > 0) OR first_offence AND NOT offence)
			+ (SELECT count(*) FROM youth_year AS a JOIN youth_year AS b USING (person_id) WHERE a.first_offence AND b.offence AND b.year < a.year)`},
	{"a relapse is an offence in one of the two years that follow", `
		SELECT count(*) FROM youth_year AS a JOIN youth_year AS b USING (person_id) WHERE a.offence AND b.offence AND b.year - a.year BETWEEN 1 AND 2 AND NOT a.relapsed`},
}

// Young people and adults: what is published of the study's own areas and of Denmark comes out to the digit
// printed, what is published in words holds, and what is assumed lies where it can be.
func TestPublishedFiguresOfYoungPeopleComeOut(t *testing.T) {
	g := theWhole(t)
	const areas = "area_id IS NOT NULL"
	rate := func(of, from string, year int) string {
		return fmt.Sprintf("SELECT 1000 * sum(n * %s) / sum(n) FROM youth_year WHERE %s IS NOT NULL AND year = %d AND %s",
			of, of, year, from)
	}
	percent := func(of, from string, year int) string {
		return fmt.Sprintf("SELECT 100 * sum(n) FILTER (%s) / sum(n) FROM youth_year WHERE year = %d AND (%s) IS NOT NULL "+
			"AND %s", of, year, of, from)
	}
	const first = "SELECT sum(n * age) / sum(n) FROM youth_year WHERE first_offence AND year = %d AND %s"
	const nonWestern = "area_id IS NOT NULL AND origin IN ('IMMIGRANT_NON_WESTERN', 'DESCENDANT_NON_WESTERN')"
	const neet = "CASE WHEN work_status <> 'UNKNOWN' THEN work_status = 'NEITHER' END"
	mark := func(from string) string {
		return "SELECT sum(n * mean_mark) / sum(n) / 10 FROM youth_year WHERE mean_mark IS NOT NULL AND year = 2017 AND " +
			from
	}
	for _, f := range []struct {
		name, query  string
		want, within float64
	}{
		{"V: suspicions per 1,000 in areas 2011", rate("suspicions", areas, 2011), 15, 0.499},
		{"V: suspicions per 1,000 in areas 2017", rate("suspicions", areas, 2017), 11, 0.499},
		{"V: suspicions per 1,000 in Denmark 2011", rate("suspicions", "true", 2011), 4, 0.499},
		{"V: suspicions per 1,000 in Denmark 2017", rate("suspicions", "true", 2017), 4, 0.499},
		{"V: age at first offence, non-Western origin in areas 2011", fmt.Sprintf(first, 2011, nonWestern), 16.5, 0.049},
		{"V: age at first offence, non-Western origin in areas 2017", fmt.Sprintf(first, 2017, nonWestern), 17, 0.049},
		{"D: leisure job 13-17 in 2014", percent("leisure_job", "true", 2014), 31.4, 0.049},
		{"V: neither in education nor in work, 16-24, 2015", percent(neet, "true", 2015), 10.5, 0.049},
		{"V: neither in education nor in work, 16-24, 2016", percent(neet, "true", 2016), 10.2, 0.049},
		{"A in 2017, V in 2019: did not sit all examinations", percent("NOT exams_taken", "true", 2017), 10, 0.499},
		{"A in 2017, D in 2016-19: below 02", percent("NOT passed", "true", 2017), 8.6, 0.049},
		{"A in 2017, V in 2017/18: mean mark of girls", mark("sex = 'FEMALE'"), 7.7, 0.049},
		{"A in 2017, V in 2017/18: mean mark of boys", mark("sex = 'MALE'"), 7.0, 0.049},
	} {
		if got := g.number(t, f.query); !(math.Abs(got-f.want) <= f.within) {
			t.Errorf("%s: got %.3f, want %g within %g", f.name, got, f.want, f.within)
		} else {
			t.Logf("%s: %.3f", f.name, got)
		}
	}
	less := func(name, low, high string) {
		t.Helper()
		if a, b := g.number(t, low), g.number(t, high); !(a < b) {
			t.Errorf("%s: %.3f is not less than %.3f", name, a, b)
		} else {
			t.Logf("%s: %.3f and %.3f", name, a, b)
		}
	}
	less("suspicions in areas rise from 2011 to 2013", rate("suspicions", areas, 2011), rate("suspicions", areas, 2013))
	for year := 2013; year < 2017; year++ {
		less(fmt.Sprint("they fall after ", year), rate("suspicions", areas, year+1), rate("suspicions", areas, year))
	}
	less("charges in areas fall", rate("charges", areas, 2017), rate("charges", areas, 2011))
	less("they fall less than suspicions", "SELECT 1 - ("+rate("charges", areas, 2017)+") / ("+
		rate("charges", areas, 2011)+")", "SELECT 4 / 15.")
	less("age at first offence rises in areas", fmt.Sprintf(first, 2011, areas), fmt.Sprintf(first, 2017, areas))
	less("age at first offence rises in Denmark", fmt.Sprintf(first, 2011, "true"), fmt.Sprintf(first, 2017, "true"))
	relapse := func(from string) string {
		return "SELECT avg(relapsed::INT) FROM youth_year WHERE area_id IS NOT NULL AND age < 15 AND offence AND year " + from
	}
	less("relapse falls in areas", relapse("BETWEEN 2013 AND 2015"), relapse("BETWEEN 2010 AND 2012"))
	for _, of := range []string{"NOT exams_taken", "NOT passed", neet, "NOT leisure_job"} {
		for _, year := range []int{2012, 2017} {
			less(fmt.Sprintf("%s: other social housing below the areas in %d", of, year), percent(of, "social_housing", year),
				percent(of, areas, year))
			less(fmt.Sprintf("%s: outside social housing below it in %d", of, year), percent(of, "NOT social_housing", year),
				percent(of, "social_housing", year))
		}
	}
}
