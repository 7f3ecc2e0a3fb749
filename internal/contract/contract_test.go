package contract_test

import (
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
		{"when: {column: poor, is: true}", "when: {column: por, is: true}", `indicator POOR: table child_year has no column "por"; did you mean poor?`},
		{"tables: [child_year]\n    when: {column: poor", "tables: [child_years]\n    when: {column: poor", `no table "child_years"; did you mean child_year?`},
		{"when: {column: parents_status, in: [BOTH_ACTIVE]}", "when: {column: parents_status, in: [BOTH]}", `column parents_status has no code "BOTH"`},
		{"when: {column: poor, is: true}", "when: {column: poor}", "a condition was expected: {column, is}"},
		{"when: {column: poor, is: true}", "when: {column: age, is: true}", "age is int, not bool"},
		{"type: Origin\n", "type: Sex\n", "has the same type Sex but other codes"},
		{"by: [YEAR, AGE, REGISTERED_ORIGIN, SETTING]", "by: [YEAR, AGES]", `no dimension "AGES"; did you mean AGE?`},
		{"by: [YEAR, AGE, REGISTERED_ORIGIN, SETTING]", "by: [WORK_STATUS]", "table child_year does not record WORK_STATUS; recorded in resident_year"},
		{"record_key: {type: int,", "record_key: {type: integer,", `no type "integer"; known are int, decimal, bool, text, texts, date`},
		{"source: fund}", "source: funds}", `no source "funds"; did you mean fund?`},
		{"codes: sex, label", "codes: sexes, label", `no code list "sexes"; did you mean sex?`},
		{"    cohort: children\n", "    cohorts: children\n", `unknown field "cohorts"`},
		{"references: plan.plan_id", "references: plan.id", `references "plan.id"`},
		{"type: ActivityType\n", "type: activity_type\n", "a name such as ActivityType was expected"},
		{"type: ActivityType\n", "type: Theme\n", "code list theme is the enum Theme already"},
		{"type: ActivityType\n", "type: WorkStatus\n", "the enum WorkStatus is code list activity_type already"},
		{"code: LEISURE_JOB", "code: leisure job", `code "leisure job": upper-case letters`},
		{"from: [DANISH]", "from: [DANE]", `has no code "DANE"`},
		{"version: 1", "version: 2", "version 1 was expected"},
		{"range: [0, 0]", "range: [1, 0]", "with from at most to was expected"},
		{"label: {da: Fattig, en: Poor}\n    definition", "label: {da: Fattig}\n    definition", "a label in Danish (da) and English (en) was expected"},
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
		if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "contract.yaml:") || fault.KindOf(err) != fault.Invalid {
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
		{"AREA", "SETTING", "child_year", true},
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
	residents := d.Selections("resident_year")
	if len(residents) != 10 || residents[0].In[0] != "AGE_0_6" || residents[0].Position != 4 {
		t.Errorf("residents' age groups = %+v", residents)
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
