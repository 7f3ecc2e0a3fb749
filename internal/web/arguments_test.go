package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Null where no null is taken is one error, of whichever way it comes; the oracle of what is valid is the
// GraphQL specification (October 2021), sections 5.6.1, 5.8.5 and 6.4.1.
func TestNullArguments(t *testing.T) {
	server := world(t)
	const (
		level    = `{ children { share(of: POOR, level: $v) { level } } }`
		order    = `{ children { breakdown(of: POOR, by: [SEX], orderBy: {field: VALUE, direction: $v}) { totalCount } } }`
		whole    = `{ children { breakdown(of: POOR, by: [SEX], orderBy: $v) { totalCount } } }`
		controls = `{ children { betweenAreas(of: POOR, controls: $v) { method } } }`
		fragment = ` fragment F on Cohort { share(of: POOR, level: $v) { level } }`
	)
	for _, test := range []struct{ document, value, want string }{
		{`query ($v: Float)` + level, `null`,
			`variable $v: a Float was expected, got null for the argument level of share; leave it out, and 0.95 is used`},
		{`query ($v: Float)` + level, ``, `{"children":{"share":{"level":0.95}}}`},
		{`query ($v: Float = 0.9)` + level, `null`,
			`variable $v: a Float was expected, got null for the argument level of share; leave it out, and 0.9 is used`},
		{`query ($v: Float = 0.9)` + level, ``, `{"children":{"share":{"level":0.9}}}`},
		{`query ($v: Float = null)` + level, ``,
			`variable $v: a Float was expected, got null for the argument level of share; leave out its default, which is ` +
				`null, and 0.95 is used`},
		{`query ($v: Float! = 0.9)` + level, `null`,
			`variable $v: a Float was expected, got null for the argument level of share; leave it out, and 0.9 is used`},
		{`query ($v: Float!)` + level, `null`,
			`variable $v: a Float was expected, got null for the argument level of share; declare it as Float and leave it ` +
				`out, and 0.95 is used`},
		{`query ($v: Float) { children { ...F } }` + fragment, `null`,
			`variable $v: a Float was expected, got null for the argument level of share; leave it out, and 0.95 is used`},
		{`query ($v: Float) { children { size { value } ...F @skip(if: true) ... @include(if: false) { ...F } } }` + fragment,
			`null`, `{"children":{"size":{"value":3487}}}`},
		{`query ($v: Direction)` + order, `null`,
			`variable $v: a code of Direction was expected, got null for the argument orderBy.direction of breakdown; leave ` +
				`it out, and ASC is used`},
		{`query ($v: Direction)` + order, ``, `{"children":{"breakdown":{"totalCount":2}}}`},
		{`query ($v: CellOrder)` + whole, `{"field": "VALUE", "direction": null}`,
			`variable $v.direction: a code of Direction was expected, got null for the argument orderBy of breakdown; leave ` +
				`it out, and ASC is used`},
		{`query ($v: CellOrder)` + whole, `{"field": null}`,
			`variable $v.field: a code of CellOrderField was expected, got null for the argument orderBy of breakdown; it ` +
				`must be given`},
		{`query ($v: CellOrder)` + whole, `null`, `{"children":{"breakdown":{"totalCount":2}}}`},
		{`query ($v: [Dimension!])` + controls, `null`,
			`variable $v: a list of Dimension was expected, got null for the argument controls of betweenAreas; leave it out, ` +
				`and [] is used`},
		{`query ($v: [Dimension!])` + controls, `["SEX", null]`,
			`variable $v[1]: a code of Dimension was expected, got null for the argument controls of betweenAreas; leave it ` +
				`out`},
		{`query ($v: Sex = MALE) { children(where: {sex: [$v]}) { size { value } } }`, `null`,
			`variable $v: a code of Sex was expected, got null for the argument where.sex[0] of children; leave it out, and ` +
				`MALE is used`},
		{`query ($v: Sex) { children(where: {sex: [$v]}) { size { value } } }`, `null`,
			`Variable "$v" of type "Sex" used in position expecting type "Sex!".`},
		{`query ($v: Int!) { areas(first: $v) { totalCount } }`, `null`,
			`variable $v: an Int was expected, got null for the argument first of areas; declare it as Int and leave it out`},
		{`query ($v: ID!) { area(id: $v) { name } }`, `null`,
			`variable $v: an ID was expected, got null for the argument id of area; it must be given`},
		{`query ($v: Boolean = true) { dataset { title } children @skip(if: $v) { description } }`, `null`,
			`variable $v: a Boolean was expected, got null for the argument if of @skip; leave it out, and true is used`},
		{`query ($v: Boolean = true) { dataset { title } children @skip(if: $v) { description } }`, ``,
			`{"dataset":{"title":"A small world"}}`},

		{`{ children { share(of: POOR, level: null) { level } } }`, ``,
			`the argument level of share: a Float was expected, got null; leave it out, and 0.95 is used`},
		{`{ children { share(of: null) { level } } }`, ``,
			`the argument of of share: a code of Indicator was expected, got null; it must be given`},
		{`{ children { breakdown(of: POOR, by: [SEX, null]) { totalCount } } }`, ``,
			`the argument by[1] of breakdown: a code of Dimension was expected, got null; leave it out`},
		{`{ children { breakdown(of: POOR, by: [SEX], orderBy: {field: VALUE, direction: null}) { totalCount } } }`, ``,
			`the argument orderBy.direction of breakdown: a code of Direction was expected, got null; leave it out, and ASC ` +
				`is used`},
		{`{ dataset { title } children @include(if: null) { description } }`, ``,
			`the argument if of @include: a Boolean was expected, got null; it must be given`},
		{`query ($v: CellOrder = {field: null})` + whole, ``,
			`the default of variable $v.field: a code of CellOrderField was expected, got null; it must be given`},
		{`{ children(where: null) { size { value } } }`, ``, `{"children":{"size":{"value":3487}}}`},
	} {
		variables := `{}`
		if test.value != "" {
			variables = `{"v": ` + test.value + `}`
		}
		address := server.URL + "/graphql?query=" + url.QueryEscape(test.document) + "&variables=" +
			url.QueryEscape(variables)
		var byGet reply
		if err := json.Unmarshal(get(t, address, "Accept", graphqlJSON).body, &byGet); err != nil {
			t.Fatal(err)
		}
		for method, r := range map[string]reply{"POST": ask(t, server, test.document, json.RawMessage(variables)),
			"GET": byGet} {
			if strings.HasPrefix(test.want, "{") {
				if r.Errors != nil || string(r.Data) != test.want {
					t.Errorf("%s %s with %s: got %s %s, want %s", method, test.document, variables, r.Data, r.message(), test.want)
				}
			} else if len(r.Errors) != 1 || r.message() != test.want || r.code() != "INVALID" &&
				r.code() != "GRAPHQL_VALIDATION_FAILED" {
				t.Errorf("%s %s with %s: got %d errors, %s %q, want %q", method, test.document, variables, len(r.Errors), r.code(),
					r.message(), test.want)
			}
		}
	}
}

// A fragment that several operations spread has of each its own defaults.
func TestVariablesOfFragments(t *testing.T) {
	server := world(t)
	const document = `query None($to: Int) { ...F } query Late($to: Int = 2015) { ...F }
		query Early($to: Int = 2014) { ...F }
		fragment F on Query { children(where: {years: {to: $to}}) { description } }`
	for operation, want := range map[string]string{"None": "all", "Late": "up to 2015", "Early": "up to 2014"} {
		body, err := json.Marshal(map[string]any{"query": document, "operationName": operation})
		if err != nil {
			t.Fatal(err)
		}
		r := post(t, server, strings.NewReader(string(body)))
		if want = `{"children":{"description":"Children aged 0-6, ` + want + `"}}`; string(r.Data) != want {
			t.Errorf("%s: got %s %s, want %s", operation, r.Data, r.message(), want)
		}
	}
}

// A number in the document is held to its type as one in a variable is; the specification takes no
// point in an Int.
func TestNumbersInDocuments(t *testing.T) {
	server := world(t)
	const outside = "an Int is from -2,147,483,648 to 2,147,483,647, got "
	for document, want := range map[string]string{
		`{ areas(first: 2147483647) { totalCount } }`: `{"areas":{"totalCount":4}}`,
		`{ areas(first: 2147483648) { totalCount } }`: "the argument first of areas: " +
			outside + "2147483648",
		`{ areas(first: -2147483649) { totalCount } }`: "the argument first of areas: " +
			outside + "-2147483649",
		`{ areas(first: 4294967297) { totalCount } }`: "the argument first of areas: " +
			outside + "4294967297",
		`{ areas(first: 99999999999999999999) { totalCount } }`: "the argument first of areas: " +
			outside + "99999999999999999999",
		`{ children(where: {years: {from: 4294969310}}) { description } }`: "the argument where.years.from of children: " +
			outside + "4294969310",
		`{ areas { nodes { keyFigures(years: {to: 4294969310}) { year } } } }`: "the argument years.to of keyFigures: " +
			outside + "4294969310",
		`{ ...F } fragment F on Query { areas(last: 2147483648) { totalCount } }`: "the argument last of areas: " +
			outside + "2147483648",
		`query ($n: Int = 2147483648) { areas(first: $n) { totalCount } }`: "the default of variable $n: " +
			outside + "2147483648",
		`query ($n: Int = 99999999999999999999) { areas(first: $n) { totalCount } }`: "the default of variable $n: " +
			outside + "99999999999999999999",
		`query ($w: CohortFilter = {ages: {to: 4294967298}}) { children(where: $w) { description } }`: "the default of " +
			"variable $w.ages.to: " +
			outside + "4294967298",
		`{ areas(first: 1e3) { totalCount } }`: "the argument first of areas: an Int " +
			"was expected, digits without a point or an exponent, got 1e3",
		`{ areas(first: 1.0) { totalCount } }`: "the argument first of areas: an Int " +
			"was expected, digits without a point or an exponent, got 1.0",
		`{ areas(first: "1") { totalCount } }`: `the argument first of areas: an Int was expected, got the text "1"; leave ` +
			`out the quotation marks`,
		`{ children { share(of: POOR, level: 1e400) { level } } }`: "the argument level of share: 1e400 is " +
			"too large for a Float, of 64 bits",
		`{ children { share(of: POOR, level: 99999999999999999999) { level } } }`: "the argument level of share: a whole " +
			"number of so many digits is written with a point or an exponent, as 1e20",
		`{ area(id: 4294967296) { name } }`: `{"area":null}`,
		`{ area(id: 99999999999999999999) { name } }`: "the argument id of area: an ID of so " +
			"many digits is a text; put it in quotation marks",
		`{ area(id: "\ud83c\udfe0") { name } }`: `{"area":null}`,
		`{ area(id: "\ud83c!") { name } }`: "the argument id of area: the text " +
			"holds half of a surrogate pair; a letter is both halves, or itself",
		`{ children(where: {setting: ELSEWHERE}) { size { value } } }`: `Value "ELSEWHERE" does not exist in ` +
			`"[SettingFilter!]" ` +
			`enum; its codes are `,
	} {
		r := ask(t, server, document, nil)
		if strings.HasPrefix(want, "{") {
			if r.Errors != nil || string(r.Data) != want {
				t.Errorf("%s: got %s %s, want %s", document, r.Data, r.message(), want)
			}
		} else if len(r.Errors) != 1 || !strings.HasPrefix(r.message(), want) || r.code() != "GRAPHQL_VALIDATION_FAILED" {
			t.Errorf("%s: got %d errors, %s %q, want %q", document, len(r.Errors), r.code(), r.message(), want)
		}
	}
}

// What JSON would be read as something else is refused with its place.
func TestTextOfRequests(t *testing.T) {
	server := serve(t, nil)
	body := func(name string) string {
		return `{"query": "query ($n: String!) { __type(name: $n) { name } }", "variables": {"n": "` + name + `"}}`
	}
	for _, test := range []struct{ name, body, want string }{
		{"letters", body("Sønder Ådal 🏠"), ""},
		{"escapes", body(`\u00f8 \ud83c\udfe0 \\ud800 \\\\`), ""},
		{"the replacement character itself", body("\uFFFD"), ""},
		{"Windows-1252", body("S\xf8nder"),
			"the request body is not UTF-8: byte 85, after `…variables\": {\"n\": \"S`, is 0xF8 (ø in Windows-1252); write " +
				"it in UTF-8"},
		{"in the document", `{"query": "{ area(id: \"` + "\xe5" + `\") { name } }"}`,
			`the request body is not UTF-8: byte 25, after`},
		{"a name", `{"qu` + "\xe6" + `ry": "{ __typename }"}`,
			"the request body is not UTF-8: byte 5, after `{\"qu`, is 0xE6 (æ in Windows-1252); write it in UTF-8"},
		{"overlong", body("\xc0\xaf"), "the request body is not UTF-8: byte 84, after `…\"variables\": {\"n\": \"`, is " +
			"0xC0, which writes a letter longer than it is; write it in UTF-8"},
		{"overlong of three", body("\xe0\x80\xaf"),
			"the request body is not UTF-8: byte 84, after `…\"variables\": {\"n\": \"`, is 0xE0, which writes a letter longer"},
		{"half of a pair in UTF-8", body("\xed\xa0\xbd"),
			"the request body is not UTF-8: byte 84, after `…\"variables\": {\"n\": \"`, is 0xED, which starts half of a " +
				"surrogate pair"},
		{"cut off", `{"query": "` + "\xc3", `the request body is not UTF-8: byte 12`},
		{"byte order mark", "\ufeff" + body("x"), `the request body starts with a byte order mark; leave it out`},
		{"UTF-16", "\xff\xfe{\x00}\x00",
			`the request body is not UTF-8: byte 1 is 0xFF, as UTF-16 starts; write it in UTF-8`},
		{"first half", body(`a\ud83c!`),
			`the request body holds half of a surrogate pair at byte 85: \ud83c; a letter is both halves, or itself`},
		{"second half", body(`\uDFE0`), `the request body holds half of a surrogate pair at byte 84: \uDFE0`},
		{"halves turned", body(`\udfe0\ud83c`), `the request body holds half of a surrogate pair at byte 84: \udfe0`},
		{"half at the end", body(`\ud83c`), `the request body holds half of a surrogate pair at byte 84`},
		{"half before an escape", body(`\ud83c\n`), `the request body holds half of a surrogate pair at byte 84`},
		{"query twice", `{"query": "{ __typename }", "query": "{ dataset { title } }"}`,
			"the request body gives `query` twice; once was expected"},
		{"a variable twice",
			`{"query": "{ __typename }", "variables": {"w": {"a": [{"b": 1}, {"year": 2015, "\u0079ear": 2016}], "b": 1}}}`,
			"the request body gives `variables.w.a.year` twice; once was expected"},
		{"one name in two objects",
			`{"query": "{ __typename }", "variables": {"a": {"year": [1, 2]}, "b": {"year": {"a": 1e400}}, "year": null}}`, ""},
		{"misspelt", `{"query": "{ __typename }", "variabels": {}}`, "a request has no `variabels`; did you mean variables?"},
		{"capital", `{"query": "{ __typename }", "Variables": {}}`, "a request has no `Variables`; did you mean variables?"},
		{"underscore", `{"query": "{ __typename }", "operation_name": ""}`,
			"a request has no `operation_name`; did you mean operationName?"},
		// to be ignored, by the GraphQL-over-HTTP specification
		{"not ours", `{"query": "{ __typename }", "id": 1, "queryId": "x", "documentId": "x", "doc": 1}`, ""},
	} {
		r := post(t, server, strings.NewReader(test.body))
		if test.want == "" {
			if r.status != http.StatusOK || r.Errors != nil {
				t.Errorf("%s: got %d %s", test.name, r.status, r.message())
			}
		} else if r.status != http.StatusBadRequest || r.code() != "INVALID" || !strings.HasPrefix(r.message(), test.want) {
			t.Errorf("%s: got %d %s %q, want %q", test.name, r.status, r.code(), r.message(), test.want)
		}
	}
	for query, want := range map[string]string{
		"query=%7B__typename%7D&lang=%F8":   "",
		"query=%7B__typename%7D&variables=": "",
		"query=%7B__type(name:%22%F8%22)%7Bname%7D%7D": "`query` in the URL is not UTF-8: byte 15, after " +
			"`{__type(name:\"`, is 0xF8 (ø in Windows-1252); write it in UTF-8",
		"query=%7B__typename%7D&operationName=%C0%80": "`operationName` in the URL is not UTF-8: byte 1 " +
			"is 0xC0",
		"query=%7B__typename%7D&variables=%7B%22n%22:%22%E6%22%7D": "`variables` in the URL is not UTF-8: byte 7",
		"query=%7B__typename%7D&variables=%EF%BB%BF%7B%7D": "`variables` in the URL starts with a byte order " +
			"mark",
		"query=%7B__typename%7D&variables=%7B%22n%22:%22%5Cud800%22%7D": "`variables` in the URL holds half of a " +
			"surrogate pair at byte 7",
		"query=%7B__typename%7D&variables=%7B%22n%22:1,%22n%22:2%7D": "`variables` in the URL gives `n` twice; once " +
			"was expected",
		"query=%7B__typename%7D&variables=%7B%7D%7D": "`variables` is not JSON: there is more after " +
			"its end",
		"query=%7B__typename%7D&query=%7Bdataset%7Btitle%7D%7D": "`query` in the URL stands 2 times; once was " +
			"expected",
		"query=%7B__typename%7D&variable=%7B%22year%22:2016%7D": "a request has no `variable`; did you mean " +
			"variables?",
	} {
		got := get(t, server.URL+"/graphql?"+query, "Accept", graphqlJSON)
		var r reply
		if err := json.Unmarshal(got.body, &r); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			if got.status != http.StatusOK || r.Errors != nil {
				t.Errorf("%s: got %d %s", query, got.status, r.message())
			}
		} else if got.status != http.StatusBadRequest || r.code() != "INVALID" || !strings.HasPrefix(r.message(), want) {
			t.Errorf("%s: got %d %s %q, want %q", query, got.status, r.code(), r.message(), want)
		}
	}
}
