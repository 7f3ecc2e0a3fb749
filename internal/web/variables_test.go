package web_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// What a variable of each type takes and refuses; the oracle is the GraphQL specification (October
// 2021), sections 3.5 (scalars), 3.9 (enums), 3.10 (input objects), 3.11 (lists) and 6.1.2, but for
// whole numbers such as 2.0, which JSON does not tell from 2.
func TestVariables(t *testing.T) {
	server := world(t)
	first := "query ($v: Int!) { areas(first: $v) { nodes { name } } }"
	year := "query ($v: Int) { children(where: {years: {from: $v, to: $v}}) { size { value } } }"
	where := "query ($v: CohortFilter!) { children(where: $v) { size { value } } }"
	origins := "query ($v: [Origin!]) { children(where: {origin: $v}) { size { value } } }"
	level := "query ($v: Float!) { children { share(of: POOR, level: $v) { level } } }"
	area := "query ($v: ID!) { area(id: $v) { name } }"
	name := "query ($v: String) { areas(where: {nameContains: $v}) { totalCount } }"
	supported := "query ($v: Boolean) { areas(where: {supported: $v}) { totalCount } }"
	order := "query ($v: CellOrder) { children { breakdown(of: POOR, by: [SEX], orderBy: $v) { totalCount } } }"
	for _, test := range []struct {
		document, value string
		want            string // of the data where it starts with {, else of the error
	}{
		{first, `2`, `{"areas":{"nodes":[{"name":`},
		{first, `2.0`, `{"areas":{"nodes":[{"name":`},
		{first, `2e0`, `{"areas":{"nodes":[{"name":`},
		{first, `"2016"`, `variable $v: an Int was expected, got the text "2016"; leave out the quotation marks`},
		{first, `"many"`, `variable $v: an Int was expected, got the text "many"`},
		{first, `2016.5`, `variable $v: an Int was expected, a number without a fraction, got 2016.5`},
		{first, `1e-400`, `variable $v: an Int was expected, a number without a fraction, got 1e-400`},
		{year, `2147483647`, `year 2147483647 is after the data ends (2016)`},
		{first, `2147483648`, `variable $v: an Int is from -2,147,483,648 to 2,147,483,647, got 2147483648`},
		{first, `-2147483648`, `first and last must be 0 or more, got -2147483648`},
		{first, `-2147483649`, `variable $v: an Int is from -2,147,483,648 to 2,147,483,647, got -2147483649`},
		{first, `-2147483648.0`, `first and last must be 0 or more, got -2147483648`},
		{first, `20e-1`, `{"areas":{"nodes":[{"name":`},
		{first, `-0.0e5`, `{"areas":{"nodes":[]}}`},
		{first, `0.` + strings.Repeat("0", 5000) + `2e5001`, `{"areas":{"nodes":[{"name":`},
		{first, `2147483647.0000000001`,
			`variable $v: an Int was expected, a number without a fraction, got 2147483647.0000000001`},
		{first, `4294967297`, `variable $v: an Int is from -2,147,483,648 to 2,147,483,647, got 4294967297`},
		{first, `1e99999999999999999999`,
			`variable $v: an Int is from -2,147,483,648 to 2,147,483,647, got 1e99999999999999999999`},
		{first, `1e400`, `variable $v: an Int is from -2,147,483,648 to 2,147,483,647, got 1e400`},
		{first, `true`, `variable $v: an Int was expected, got true`},
		{first, `null`, `variable $v: an Int was expected, got null`},
		{first, `[2]`, `variable $v: an Int was expected, got a list`},
		{first, `{"n": 2}`, `variable $v: an Int was expected, got an object`},
		{first, ``, `variable $v: an Int was expected, and the variable is not given; the operation has no variable for ` +
			`what is given as other`},
		{year, `null`, `{"children":{"size":{"value":3487}}}`},
		{year, ``, `{"children":{"size":{"value":3487}}}`},
		{year, `2016`, `{"children":{"size":{"value":`},

		{where, `{"years": {"from": 2016.0, "to": 2016}, "origin": "DANISH", "sex": null}`, `{"children":{"size":{"value":`},
		{where, `{"orgin": ["DANISH"], "sex": ["MALE"]}`,
			`variable $v.orgin: CohortFilter has no such field; did you mean origin?`},
		{where, `{"years": {"from": 2016, "until": 2016}}`,
			`variable $v.years.until: IntRange has no such field; known are from, to`},
		{where, `{"years": {"from": "2016"}}`,
			`variable $v.years.from: an Int was expected, got the text "2016"; leave out the quotation marks`},
		{where, `{"years": 2016}`, `variable $v.years: an object of type IntRange was expected, got 2016`},
		{where, `{"origin": ["DANSK"]}`, `variable $v.origin[0]: Origin has no code "DANSK"; did you mean DANISH?`},
		{where, `{"origin": ["DANISH", null]}`, `variable $v.origin[1]: a code of Origin was expected, got null`},
		{where, `{"__typename": "CohortFilter"}`, `variable $v.__typename: CohortFilter has no such field`},
		{where, `"DANISH"`, `variable $v: an object of type CohortFilter was expected, got the text "DANISH"`},
		{where, `[{}]`, `variable $v: an object of type CohortFilter was expected, got a list`},

		{origins, `["WESTERN", "DANISH"]`, `{"children":{"size":{"value":`},
		{origins, `"WESTERN"`, `{"children":{"size":{"value":`},
		{origins, `null`, `{"children":{"size":{"value":3487}}}`},
		{origins, `["danish"]`, `variable $v[0]: Origin has no code "danish"; did you mean DANISH?`},
		{origins, `["WESTERN", 1]`, `variable $v[1]: a code of Origin was expected, got 1`},
		{origins, `[["WESTERN"]]`, `variable $v[0]: a code of Origin was expected, got a list`},
		{origins, `["` + strings.Repeat("x", 500_000) + `"]`, `variable $v[0]: Origin has no code "xxx`},

		{level, `0.9`, `{"children":{"share":{"level":0.9}}}`},
		{level, `"0.9"`, `variable $v: a Float was expected, got the text "0.9"; leave out the quotation marks`},
		{level, `1`, `confidence level 1 is not between 0 and 1`},
		{level, `1e400`, `variable $v: 1e400 is too large for a Float, of 64 bits`},

		{area, `"none"`, `{"area":null}`},
		{area, `12345678901234567890`, `{"area":null}`},
		{area, `1.5`, `variable $v: an ID was expected, got 1.5`},
		{area, `false`, `variable $v: an ID was expected, got false`},
		{name, `"no such name"`, `{"areas":{"totalCount":0}}`},
		{name, `7`, `variable $v: a text (String) was expected, got 7; put it in quotation marks`},
		{supported, `false`, `{"areas":{"totalCount":`},
		{supported, `"false"`, `variable $v: a Boolean was expected, got the text "false"; leave out the quotation marks`},
		{supported, `0`, `variable $v: a Boolean was expected, got 0`},

		{order, `{"field": "VALUE"}`, `{"children":{"breakdown":{"totalCount":2}}}`},
		{order, `{"direction": "DESC"}`,
			`variable $v.field: a code of CellOrderField was expected, and the field is not given`},
		{order, `{"field": "VALUE", "direction": null}`, `variable $v.direction: a code of Direction was expected, got null`},
	} {
		variables := `{"other": 1}`
		if test.value != "" {
			variables = fmt.Sprintf(`{"other": 1, "v": %s}`, test.value)
		}
		r := ask(t, server, test.document, json.RawMessage(variables))
		if strings.HasPrefix(test.want, "{") {
			if r.Errors != nil || !strings.HasPrefix(string(r.Data), test.want) {
				t.Errorf("%s with %.100s: got %.300s %s, want %s", test.document, test.value, r.Data, r.message(), test.want)
			}
			continue
		}
		if r.code() != "INVALID" || !strings.HasPrefix(r.message(), test.want) || len(r.message()) > 400 {
			t.Errorf("%s with %.100s: got %s %.500q, want %q", test.document, test.value, r.code(), r.message(), test.want)
		}
	}
}

// A default is read as a value that is given is.
func TestDefaultsOfVariables(t *testing.T) {
	server := world(t)
	r := ask(t, server, `query ($sex: [Sex!] = FEMALE, $where: CohortFilter = {sex: MALE}, $n: Int = 1,
		$level: Float = 0.5) {
		females: children(where: {sex: $sex}) { distribution(of: SEX) { key { sex } } }
		males: children(where: $where) { distribution(of: SEX) { key { sex } } share(of: POOR, level: $level) { level } }
		areas(first: $n) { nodes { name } }
	}`, nil)
	want := `{"females":{"distribution":[{"key":{"sex":"FEMALE"}}]},` +
		`"males":{"distribution":[{"key":{"sex":"MALE"}}],"share":{"level":0.5}},` +
		`"areas":{"nodes":[{"name":`
	if r.Errors != nil || !strings.HasPrefix(string(r.Data), want) {
		t.Errorf("got %s %s", r.Data, r.message())
	}
}

// A variable that is misspelt is not the same as one that is left out.
func TestMisspeltVariables(t *testing.T) {
	server := world(t)
	const document = `query ($year: Int, $years: Int, $sex: [Sex!] = [MALE, FEMALE], $n: Int) {
		children(where: {years: {from: $year, to: $years}, sex: $sex}) { size { value } } areas(first: $n) { totalCount } }`
	for given, want := range map[string]string{
		`{"yaer": 2016}`: "variable $yaer: the operation declares no such variable; did you " +
			"mean year?",
		`{"YEAR": 2016}`: "variable $YEAR: the operation declares no such variable; did you " +
			"mean year?",
		`{"year": 2014, "yers": 2016}`: "variable $yers: the operation declares no such variable; did you " +
			"mean years?",
		`{"Sex": "MALE"}`: "variable $Sex: the operation declares no such variable; did you " +
			"mean sex?",
		`{"year": 2014, "six": 1, "first": 2, "m": 1}`: "", // sent for other operations
		`{"years": 2016}`: "",
	} {
		r := ask(t, server, document, json.RawMessage(given))
		if want == "" && r.Errors != nil || want != "" && (r.code() != "INVALID" || r.message() != want) {
			t.Errorf("%s: got %s %q, want %q", given, r.code(), r.message(), want)
		}
	}
}
