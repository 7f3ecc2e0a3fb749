package findings_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
)

var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `
	type Query { children: Cohort! areas: [Area!]! findings: [String!]! }
	type Cohort { size: Int share: Float children: Cohort }
	type Area { name: String kinds: [String!]! undecided: [String!]! years: [Year!] }
	type Year { residents: Int }
`})

// valid is a file without a mistake; each test of a mistake changes one place of it.
const valid = `sources:
  study: {title: A study, publisher: VIVE}
findings:
  poor:
    slide: 5
    statement: {da: Fattige, en: Poor}
    notebook: 01-poor.ipynb
    document: |
      { children { size share } all: children { size } areas { name kinds undecided years { residents } } }
    figures:
      count: {label: {da: Antal, en: Number}, published: 12, unit: children, basis: PUBLISHED, source: study, gives: {value: children.size}}
      share: {label: {da: Andel, en: Share}, words: {da: hvert fjerde, en: every fourth}, within: [22, 29], how: {da: "Om 1/4", en: "About 1/4"}, unit: percent, basis: RELEASE, source: study, gives: {value: children.share, times: 100}}
      part: {label: {da: Del, en: Part}, unit: percent, basis: DERIVED, inputs: [PUBLISHED, ASSUMED], how: {da: "12 af alle", en: "12 of all"}, gives: {ratio: [children.size, all.size], times: 100}}
      more: {label: {da: Flere, en: More}, unit: children, basis: ASSUMED, gives: {difference: [all.size, children.size]}}
      residents: {label: {da: Beboere, en: Residents}, published: 10, tolerance: 0.5, unit: residents, basis: RELEASE, source: study, gives: {sum: "areas[].years[].residents"}}
      listed: {label: {da: Udpegede, en: Listed}, unit: areas, basis: ASSUMED, gives: {count: "areas[].kinds[]", undecided: "areas[].undecided[]", equals: GHETTO}}
      kinds: {label: {da: Slags, en: Kinds}, unit: kinds, basis: ASSUMED, gives: {count: "areas[].kinds[]"}}
      named: {label: {da: Navngivet, en: Named}, unit: residents, basis: ASSUMED, gives: {value: "areas[name=B].years[0].residents"}}
      first: {label: {da: "Første", en: First}, unit: residents, basis: ASSUMED, gives: {value: "areas[0].years[1].residents"}}
      interviews: {label: {da: Interview, en: Interviews}, published: 45, unit: actors, basis: PUBLISHED, source: study, missing: {da: Ingen interview, en: No interviews}}
`

func parse(t *testing.T) *findings.Finding {
	t.Helper()
	list, err := findings.Parse("f.yaml", []byte(valid), schema)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

func TestMistakesAreReportedWithTheirLine(t *testing.T) {
	parse(t)
	for _, test := range []struct{ old, new, want string }{
		{"slide: 5", "slide: 18", "f.yaml:4: finding poor: slide 18; 1 to 17 were expected"},
		{"slide: 5", "slid: 5", "f.yaml:5: "},
		{"slide: 5", "slide: five", "f.yaml:5: "},
		{"{da: Fattige, en: Poor}", "{da: Fattige}", "f.yaml:4: finding poor: a statement in Danish"},
		{"01-poor.ipynb", "01-poor", "f.yaml:4: finding poor: the file of a notebook was expected"},
		{"{ children { size share }", "{ children { size shar }",
			`f.yaml:4: finding poor: its document: Cannot query field "shar"`},
		{"{ children { size share }", "{ children { size share", "f.yaml:4: finding poor: its document: Expected"},
		{"{ children { size share }", "{ findings children { size share }",
			"f.yaml:4: finding poor: its document asks findings"},
		{"{ children { size share }", "query ($a: Int) { children { size share }", "f.yaml:4: finding poor: its document: "},
		{"published: 12, ", "", "f.yaml:11: finding poor, figure count: PUBLISHED was given, so the number printed was " +
			"expected"},
		{"basis: PUBLISHED, source: study, gives", "basis: PUBLISHED, gives",
			"f.yaml:11: finding poor, figure count: a source was expected"},
		{"source: study, gives: {value: children.size}", "source: studdy, gives: {value: children.size}",
			`f.yaml:11: finding poor, figure count: no source "studdy"; did you mean study?`},
		{"value: children.size", "value: children.sise", `the document does not select "sise" there; did you mean size?`},
		{"value: children.size", "value: children", "path children does not end at a value"},
		{"value: children.size", "value: areas.kinds", "[] was expected behind lists alone"},
		{"value: children.size", `value: "areas[].years[].residents"`, "sum and count are over what a list holds"},
		{"value: children.size", "sum: children.size", "sum and count are over what a list holds"},
		{"value: children.size", "value: children.size, sum: children.size",
			"one of value, sum, count, difference, ratio was expected"},
		{"areas[name=B]", "areas[nam=B]", `the document does not select "nam" of areas`},
		{"areas[name=B]", "areas[name=]", "none of field, field[], field[0] and field[code=X]"},
		{"ratio: [children.size, all.size]", "ratio: [children.size]", "ratio takes 2 paths, got 1"},
		{", gives: {value: children.size}", "",
			"f.yaml:11: finding poor, figure count: one of `gives` and `missing` was expected"},
		{"within: [22, 29]", "within: [29, 22]", "f.yaml:12: finding poor, figure share: within [from, to]"},
		{"within: [22, 29], ", "", "f.yaml:12: finding poor, figure share: `within` was expected"},
		{`how: {da: "Om 1/4", en: "About 1/4"}, `, "", "f.yaml:12: finding poor, figure share: `how` the words are read"},
		{"words: {da: hvert fjerde, en: every fourth}", "words: {en: every fourth}",
			"f.yaml:12: finding poor, figure share: texts in Danish (da) and English (en)"},
		{"inputs: [PUBLISHED, ASSUMED], ", "",
			"f.yaml:13: finding poor, figure part: DERIVED was given, so the marks of its `inputs`"},
		{"unit: percent, basis: DERIVED", "published: 3, unit: percent, basis: DERIVED",
			"f.yaml:13: finding poor, figure part: it is computed from what is ASSUMED"},
		{"unit: children, basis: ASSUMED", "published: 3, unit: children, basis: ASSUMED",
			"f.yaml:14: finding poor, figure more: what is ASSUMED has no `published`"},
		{"unit: children, basis: ASSUMED", "unit: children, basis: ASUMED",
			`f.yaml:14: finding poor, figure more: no basis "ASUMED"`},
		{"tolerance: 0.5", "tolerance: -1", "f.yaml:15: finding poor, figure residents: `tolerance` is at least 0"},
		{", equals: GHETTO", "", "f.yaml:16: finding poor, figure listed: `equals` is what `count` counts"},
		{"gives: {value: children.size}", "gives: {value: children.size, equals: GHETTO}",
			"f.yaml:11: finding poor, figure count: `equals` is what `count` counts"},
		{"      more:", "      part:", "f.yaml:14: "},
	} {
		if !strings.Contains(valid, test.old) {
			t.Fatalf("%q is not in the file", test.old)
		}
		_, err := findings.Parse("f.yaml", []byte(strings.Replace(valid, test.old, test.new, 1)), schema)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), test.want) {
			t.Errorf("%s: got %v, want …%s…", test.new, err, test.want)
		}
	}
}

func TestReproduce(t *testing.T) {
	const full = `{"children": {"size": 12, "share": 0.25}, "all": {"size": 40}, "areas": [
		{"kinds": ["GHETTO"], "undecided": [], "years": [{"residents": 4}, {"residents": 3}]},
		{"kinds": ["NONE"], "undecided": [], "years": [{"residents": 3.4}]}]}`
	for _, test := range []struct {
		figure, answer string
		want           string // the value and whether it agrees, or why it is missing
	}{
		{"count", full, "12 true"},
		{"count", `{"children": {"size": 13}}`, "13 false"},
		{"count", `{"children": {"size": null}}`, "This data set gives no value for children.size."},
		{"share", full, "25 true"},
		{"share", `{"children": {"share": 0.3}}`, "30 false"},
		{"part", full, "30 null"},
		{"part", `{"children": {"size": 12}, "all": {"size": 0}}`, "all.size is 0, so there is nothing to divide by."},
		{"more", full, "28 null"},
		{"residents", full, "10.4 true"},
		{"residents", `{"areas": []}`, "This data set has nothing at areas[].years[].residents."},
		{"residents", `{"areas": [{"years": null}]}`, "This data set has nothing at areas[].years[].residents."},
		{"residents", `{"areas": [{"years": [{"residents": 3}, {"residents": null}]}]}`,
			"This data set gives no value for areas[].years[].residents."},
		{"listed", full, "1 null"},
		{"listed", `{"areas": [{"kinds": ["NONE"], "undecided": []}]}`, "0 null"},
		{"listed", `{"areas": [{"kinds": ["GHETTO"], "undecided": []}, {"kinds": [], "undecided": ["GHETTO"]}]}`,
			"Whether 1 are GHETTO cannot be told: figures are missing."},
		{"listed", `{"areas": []}`, "This data set has nothing at areas[].undecided[]."},
		{"kinds", full, "2 null"},
		{"named", `{"areas": [{"name": "A", "years": [{"residents": 4}]},
			{"name": "B", "years": [{"residents": 7}]}, {"name": null}]}`, "7 null"},
		{"named", `{"areas": [{"name": "A", "years": [{"residents": 4}]}]}`,
			"This data set has nothing at areas[name=B].years[0].residents."},
		{"first", full, "3 null"},
		{"first", `{"areas": [{"years": [{"residents": 4}]}]}`, "This data set has nothing at areas[0].years[1].residents."},
		{"interviews", full, "No interviews"},
	} {
		var data map[string]any
		decoder := json.NewDecoder(strings.NewReader(test.answer))
		decoder.UseNumber()
		if err := decoder.Decode(&data); err != nil {
			t.Fatal(err)
		}
		f := figure(t, test.figure)
		result, err := f.Reproduce(func(field string) (any, error) { return data[field], nil })
		if err != nil {
			t.Errorf("%s of %s: %v", test.figure, test.answer, err)
			continue
		}
		got := ""
		if result.Value == nil {
			got = result.Missing.EN
			if result.Missing.DA == "" || f.Agrees(result.Value) != nil {
				t.Errorf("%s of %s: %+v", test.figure, test.answer, result)
			}
		} else {
			agrees, _ := json.Marshal(f.Agrees(result.Value))
			got = fmt.Sprintf("%g %s", *result.Value, agrees)
		}
		if got != test.want {
			t.Errorf("%s of %s: got %s, want %s", test.figure, test.answer, got, test.want)
		}
	}
}

func figure(t *testing.T, name string) *findings.Figure {
	t.Helper()
	for _, f := range parse(t).Figures {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no figure %s", name)
	return nil
}

// Two elements where one was expected are a mistake of ours, and neither is taken.
func TestTwoElementsOfOneName(t *testing.T) {
	areas := []any{map[string]any{"name": "B", "years": []any{}}, map[string]any{"name": "B", "years": []any{}}}
	if result, err := figure(t, "named").Reproduce(func(string) (any, error) { return areas, nil }); err == nil ||
		!strings.Contains(err.Error(), "2 elements have name=B") {
		t.Errorf("got %+v, %v", result, err)
	}
}

// What the data set does not hold is a reason; what went wrong is an error, and never a reason.
func TestErrorsOfAnswers(t *testing.T) {
	for _, test := range []struct {
		err     error
		missing bool
	}{
		{fault.NotRecordedf("POOR is not recorded"), true},
		{fault.Invalidf("year 2016 is after the data ends (2014)"), true},
		{fault.NotFoundf("no area A1"), true},
		{fault.Forbiddenf("over a limit"), false},
		{errors.New("the disk is broken"), false},
	} {
		result, err := figure(t, "count").Reproduce(func(string) (any, error) { return nil, test.err })
		if test.missing != (err == nil) || test.missing != (result.Missing != nil) || test.missing &&
			!strings.Contains(result.Missing.DA, test.err.Error()) {
			t.Errorf("%v: got %+v, %v", test.err, result, err)
		}
	}
}
