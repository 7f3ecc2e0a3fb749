package contract_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

func parse(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMistakesAreReportedWithLineAndExpectation(t *testing.T) {
	text := string(data.Contract)
	for _, test := range []struct{ old, new, want string }{
		{"when: {column: poor, is: true}", "when: {column: por, is: true}",
			`indicator POOR: table child_year has no column "por"; did you mean poor?`},
		{"tables: [child_year]\n    when: {column: poor", "tables: [child_years]\n    when: {column: poor",
			`no table "child_years"; did you mean child_year?`},
		{"when: {column: parents_status, in: [BOTH_ACTIVE]}", "when: {column: parents_status, in: [BOTH]}",
			`column parents_status has no code "BOTH"`},
		{"when: {column: poor, is: true}", "when: {column: poor}", "a condition was expected: {column, is}"},
		{"when: {column: poor, is: true}", "when: {column: age, is: true}", "age is int, not bool"},
		{"type: Origin\n", "type: Sex\n", "has the same type Sex but other codes"},
		{"by: [YEAR, AGE, REGISTERED_ORIGIN, SETTING]", "by: [YEAR, AGES]", `no dimension "AGES"; did you mean AGE?`},
		{"by: [YEAR, AGE, REGISTERED_ORIGIN, SETTING]", "by: [WORK_STATUS]",
			"table child_year does not record WORK_STATUS; recorded in resident_year"},
		{"record_key: {type: int,", "record_key: {type: integer,",
			`no type "integer"; known are int, decimal, bool, text, texts, date`},
		{"source: fund}", "source: funds}", `no source "funds"; did you mean fund?`},
		{"codes: sex, label", "codes: sexes, label", `no code list "sexes"; did you mean sex?`},
		{"    cohort: children\n", "    cohorts: children\n", `unknown field "cohorts"`},
		{"apart: social_housing", "apart: social_house", `dimension SETTING: apart: table child_year has no column ` +
			`"social_house"; did you mean social_housing?`},
		{"apart: social_housing", "apart: sex", "apart: an optional column of type bool was expected, and child_year.sex " +
			"is none"},
		{"    apart: social_housing\n", "", "dimension SETTING, code SOCIAL_HOUSING: `apart` goes with `present: false`, " +
			"in a dimension with a column `apart`"},
		{"present: false, apart: false", "present: false", "code OTHER: `apart: true`, `apart: false` or `unknown: true` " +
			"was expected"},
		{"present: false, apart: false", "present: false, apart: true", "three codes with `present: false` were expected"},
		{"code: REST, of", "code: OTHER, of", `word "OTHER": a name of upper-case letters, digits and _ that no code has ` +
			`was expected`},
		{"of: [SOCIAL_HOUSING, OTHER,", "of: [SOCIAL_HOUSE, OTHER,", `word REST: no code "SOCIAL_HOUSE"; did you mean ` +
			`SOCIAL_HOUSING?`},
		{"of: [SOCIAL_HOUSING, OTHER, OUTSIDE_UNKNOWN]", "of: [OTHER]", "word REST: at least two codes were expected"},
		{"parameters: {poverty_line: SDG}", "parameters: {poverty_lines: SDG}",
			`indicator POOR_SDG: no parameter "poverty_lines"; did you mean poverty_line?`},
		{"parameters: {poverty_line: SDG}", "parameters: {poverty_line: SDGS}",
			`indicator POOR_SDG: parameter poverty_line has no value "SDGS"; did you mean SDG?`},
		{"default: INCOME_50", "default: INCOME",
			"parameter poverty_line: `default` was expected to be one of its values, got \"INCOME\""},
		{"    source: study\n", "    source: study\n    assumed: true\n",
			"parameter drug_window: a `reason` in Danish (da) and English (en) goes with `assumed: true`"},
		{"references: plan.plan_id", "references: plan.id", `references "plan.id"`},
		{"type: ActivityType\n", "type: activity_type\n", "a name such as ActivityType was expected"},
		{"type: ActivityType\n", "type: Theme\n", "code list theme is the enum Theme already"},
		{"type: ActivityType\n", "type: WorkStatus\n", "the enum WorkStatus is code list activity_type already"},
		{"code: LEISURE_JOB", "code: leisure job", `code "leisure job": upper-case letters`},
		{"from: [DANISH]", "from: [DANE]", `has no code "DANE"`},
		{"version: 1", "version: 2", "version 1 was expected"},
		{"column: lone_parent", "column: lone", `covariate LONE_PARENT: table participant has no column "lone"`},
		{"column: lone_parent", "column: activity_id",
			"covariate LONE_PARENT: column activity_id is optional; those who took part can be compared only on what is known " +
				"of everyone"},
		{"column: lone_parent", "column: area_id",
			"covariate LONE_PARENT: column area_id is text; an int, a bool or a text with codes was expected"},
		{"LONE_PARENT: {column", "loneParent: {column",
			"covariate loneParent: a name of upper-case letters, digits and _ was expected"},
		{"column: lone_parent,", "column: lone_parent, bands: [0, 1],",
			"covariate LONE_PARENT: `bands` were given, but lone_parent is bool, not int"},
		{"column: lone_parent,", "column: lone_parent, linear: true,",
			"covariate LONE_PARENT: `linear` and `unit` were given without `bands`"},
		{"column: lone_parent,", "column: lone_parent, as: ORIGIN,",
			"covariate LONE_PARENT: `as` was given, but lone_parent has no codes"},
		{"bands: [0, 5, 10, 15]", "bands: [0, 10, 5]",
			"covariate ABSENCE_BEFORE: `bands` were expected to be at least two numbers that rise"},
		{"bands: [0, 5, 10, 15]", "bands: [5, 10]", "the first no larger than the least value of absence_before"},
		{"unit: {da: procent, en: percent}", "unit: {da: procent}",
			"covariate ABSENCE_BEFORE, unit: a label in Danish (da) and English (en) was expected"},
		{"column: origin, as: ORIGIN", "column: origin, as: ORIGINS", `covariate ORIGIN: no dimension "ORIGINS"`},
		{"column: origin, as: ORIGIN", "column: origin, as: SEX",
			"covariate ORIGIN: dimension SEX has no code for DANISH of column origin"},
		{"column: in_education,", "column: in_educaton,",
			`outcome IN_EDUCATION: table participant has no column "in_educaton"; did you mean in_education?`},
		{"column: in_education,", "column: sex,", "outcome IN_EDUCATION: column sex is text; a bool or an int was expected"},
		{"before: job_before", "before: job_bfore",
			`outcome IN_LEISURE_JOB: table participant has no column "job_bfore"; did you mean job_before?`},
		{"before: job_before", "before: absence_before",
			"outcome IN_LEISURE_JOB: absence_before is int and in_leisure_job is bool; the same type was expected before and " +
				"after"},
		{"PROJECT_OR_EVENT, CREATIVE_LEARNING]", "PROJECT_OR_EVENT, CREATIVE]",
			`outcome ABSENCE: code list activity_type has no code "CREATIVE"`},
		{"activities: [POCKET_MONEY_JOB, LEISURE_JOB, MENTOR, FIRE_CADET, PROJECT_OR_EVENT, CREATIVE_LEARNING]",
			"activities: []", "outcome ABSENCE: `activities`, the types that it makes sense for, were expected"},
		{"per: 1000", "per: 0", "measure SUSPICIONS: `per` was expected to be at least 1, got 0"},
		{"divisor: 10", "divisor: -10", "measure ABSENCE: `divisor` was expected to be at least 1, got -10"},
		{"among: {column: age, from: 7, to: 16}, deviation", "among: {column: agee, from: 7, to: 16}, deviation",
			`measure ABSENCE: table youth_year has no column "agee"; did you mean age?`},
		{"range: [0, 0]", "range: [1, 0]", "with from at most to was expected"},
		{"label: {da: Fattig, en: Poor}\n    definition", "label: {da: Fattig}\n    definition",
			"a label in Danish (da) and English (en) was expected"},
	} {
		changed := strings.Replace(text, test.old, test.new, 1)
		if changed == text {
			t.Errorf("the contract has no %q any more", test.old)
			continue
		}
		_, err := contract.Parse("contract.yaml", []byte(changed))
		if err == nil {
			t.Errorf("%q passed", test.new)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "contract.yaml:") ||
			fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q gave\n%v\nwant …%s", test.new, err, test.want)
		}
	}
	// The line is the line of the mistake.
	changed := strings.Replace(text, "when: {column: poor, is: true}", "when: {column: por, is: true}", 1)
	_, err := contract.Parse("contract.yaml", []byte(changed))
	line := 1 + strings.Count(text[:strings.Index(text, "  POOR:")], "\n")
	if prefix := "contract.yaml:" + strconv.Itoa(line) + ": "; !strings.HasPrefix(err.Error(), prefix) {
		t.Errorf("got %v, want it to start with %s", err, prefix)
	}
}

func TestRefines(t *testing.T) {
	c := parse(t)
	dimension := func(name string) *contract.Dimension {
		d, err := c.Dimension(name)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		fine, coarse, table string
		want                bool
	}{
		{"AGE", "AGE_GROUP", "child_year", true},
		{"AGE_GROUP", "AGE", "child_year", false},
		{"AGE", "AGE_GROUP", "youth_year", true},
		{"AREA", "SETTING", "child_year", false}, // those in no area are in social housing or not
		{"SETTING", "SETTING", "child_year", true},
		{"SETTING", "AREA", "child_year", false},
		{"MUNICIPALITY", "REGION", "resident_year", true},
		{"REGION", "MUNICIPALITY", "resident_year", false},
		{"REGISTERED_ORIGIN", "ORIGIN", "child_year", true},
		{"ORIGIN", "REGISTERED_ORIGIN", "child_year", false},
		{"MOTHER_STATUS", "FATHER_STATUS", "child_year", false},
		{"MOTHER_STATUS", "MOTHER_STATUS", "child_year", true},
		{"MOTHER_STATUS", "MOTHER_STATUS", "resident_year", false},
	} {
		if got := dimension(test.fine).Refines(dimension(test.coarse), test.table); got != test.want {
			t.Errorf("%s refines %s on %s = %t, want %t", test.fine, test.coarse, test.table, got, test.want)
		}
	}
}

func TestSelectionsFollowTheColumn(t *testing.T) {
	c := parse(t)
	d, err := c.Dimension("AGE_GROUP")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Selections("child_year"); len(got) != 4 || *got[1].Range != [2]int{1, 2} {
		t.Errorf("children's age groups = %+v, want 0, 1-2, 3-5, 6", got)
	}
	youth := d.Selections("youth_year")
	if len(youth) != 5 || *youth[0].Range != [2]int{7, 9} || *youth[4].Range != [2]int{18, 24} {
		t.Errorf("age groups of youth = %+v, want 7-9, 10-12, 13-14, 15-17, 18-24", youth)
	}
	residents := d.Selections("resident_year")
	if len(residents) != 10 || residents[0].In[0] != "AGE_0_6" || residents[0].Position != 4 {
		t.Errorf("residents' age groups = %+v", residents)
	}
}

// A word stands for its codes in a filter and is no code itself; it is said where all of its codes are.
func TestWords(t *testing.T) {
	c := parse(t)
	d, err := c.Dimension("SETTING")
	if err != nil {
		t.Fatal(err)
	}
	if d.Position("REST") >= 0 {
		t.Error("REST is a code of SETTING; a cell could have it")
	}
	rest := d.Positions("REST")
	for _, test := range []struct {
		positions []int
		want      string
	}{
		{rest, "REST"},
		{slices.Concat(rest, rest), "REST"},
		{slices.Concat(rest, d.Positions("SUPPORTED")), "REST SUPPORTED"},
		{slices.Concat(d.Positions("OTHER"), d.Positions("SOCIAL_HOUSING")), "OTHER SOCIAL_HOUSING"},
		{d.Positions("OUTSIDE_UNKNOWN"), "OUTSIDE_UNKNOWN"},
		{d.Positions("REST OF IT"), ""},
	} {
		var said []string
		for _, w := range d.Said(test.positions) {
			said = append(said, w.Code)
			if w.Label.DA == "" || w.Label.EN == "" {
				t.Errorf("%s has no label", w.Code)
			}
		}
		if got := strings.Join(said, " "); got != test.want {
			t.Errorf("%v is said %q, want %q", test.positions, got, test.want)
		}
	}
	if got := d.UnknownCodes("child_year"); !slices.Equal(got, d.Positions("OUTSIDE_UNKNOWN")) {
		t.Errorf("unknown are %v, want OUTSIDE_UNKNOWN", got)
	}
}

// Categories hold every value of their column once; bands end where the next starts.
func TestCovariatesHoldEveryValue(t *testing.T) {
	c := parse(t)
	for _, v := range c.Covariates {
		if v.Codes == nil {
			if v.Column.Type == contract.String {
				t.Errorf("%s: no categories", v.Name)
			}
			continue
		}
		seen := map[int]bool{}
		if v.Column.Codes != nil {
			for _, code := range v.Column.Codes.Codes {
				seen[v.Category(code.Code, 0)] = true
			}
		} else {
			for number, last := 0, 0; number <= 130; number++ {
				at := v.Category("", number)
				if at < last || at > last+1 {
					t.Errorf("%s: %d is in category %d, the number before in %d", v.Name, number, at, last)
				}
				last, seen[at] = at, true
			}
			if at := v.Category("", -1); at != -1 {
				t.Errorf("%s: -1 is in category %d", v.Name, at)
			}
		}
		if len(seen) != len(v.Codes) || seen[-1] {
			t.Errorf("%s: values are in %d categories %v of %d", v.Name, len(seen), seen, len(v.Codes))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("version: 1\ntables: {a: {columns: [1]}}"))
	f.Add([]byte("version: 1\ndimensions:\n  A: {codes: [{}]}"))
	f.Add(data.Contract[:4000])
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := contract.Parse("f", text)
		if (c == nil) == (err == nil) {
			t.Fatalf("Parse gave %v and %v", c, err)
		}
	})
}
