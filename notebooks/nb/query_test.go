package nb

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// answering is a server that answers every request with a status and a body, and points
// KVARTER_URL at itself.
func answering(t *testing.T, status int, body string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/graphql-response+json")
		w.WriteHeader(status)
		w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	t.Setenv(urlVariable, server.URL+"/graphql")
}

type shareAnswer struct {
	Children struct{ Share Estimate }
}

func TestQueryReadsTheAnswer(t *testing.T) {
	answering(t, 200, `{"data":{"children":{"share":{"value":0.169,
		"numerator":5860,"denominator":34657,"status":"OBSERVED"}}}}`)
	got, err := QueryE[shareAnswer](`{…}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Children.Share; *s.Value != 0.169 || *s.Numerator != 5860 || s.Lower != nil || s.Status != "OBSERVED" {
		t.Errorf("share = %+v", s)
	}
}

func TestQuerySendsDocumentAndVariables(t *testing.T) {
	var body, accept, method string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buffer := make([]byte, 1000)
		n, _ := r.Body.Read(buffer)
		body, accept, method = string(buffer[:n]), r.Header.Get("Accept"), r.Method
		w.Write([]byte(`{"data":{"x":1}}`))
	}))
	defer server.Close()
	t.Setenv(urlVariable, server.URL)
	if _, err := QueryE[struct{ X int }](`query Q($y: Int) { x(year: $y) }`, map[string]any{"y": 2016}); err != nil {
		t.Fatal(err)
	}
	if want := `{"query":"query Q($y: Int) { x(year: $y) }","variables":{"y":2016}}`; body != want {
		t.Errorf("body = %s, want %s", body, want)
	}
	if method != "POST" || !strings.HasPrefix(accept, "application/graphql-response+json") {
		t.Errorf("%s with Accept %q", method, accept)
	}
}

// What a reader is told when the question or the server is wrong.
func TestQueryFailsWithAMessage(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   []string
	}{
		"an error at a field": {200,
			`{"errors":[{"message":"year 1992 is before the data starts (2010)","path":["children","share",0],
				"locations":[{"line":2,"column":5}],"extensions":{"code":"INVALID"}}],"data":null}`,
			[]string{"the server answered with an error:\n  - year 1992 is before the data starts (2010) (at " +
				"children.share[0]; line 2, column 5 of the query; INVALID)"}},
		"two errors before execution": {400,
			`{"errors":[{"message":"no field \"shares\""},
				{"message":"unknown enum value","locations":[{"line":1,"column":9}]}]}`,
			[]string{"2 errors", "  - no field \"shares\"\n  - unknown enum value (line 1, column 9 of the query)"}},
		"errors beside data": {200, `{"errors":[{"message":"too large"}],"data":{"children":{"share":{"value":1}}}}`,
			[]string{"too large"}},
		"not GraphQL": {404, "<html><body>404 page not found</body></html>",
			[]string{"404", "not a GraphQL answer", "404 page not found", urlVariable}},
		"nothing": {200, `{}`, []string{"neither data nor errors"}},
		"a field too many": {200, `{"data":{"children":{"share":{"value":1},"size":3}}}`,
			[]string{"data.children.size", "no field", "add Size"}},
		"a field too few": {200, `{"data":{"child":{}}}`, []string{"no data.children", "it has child"}},
		"a text for a number": {200, `{"data":{"children":{"share":{"value":"much"}}}}`,
			[]string{`data.children.share.value is "much"`, "does not fit"}},
		"null for an object": {200, `{"data":{"children":null}}`, []string{"data.children is null", "cannot hold a null"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			answering(t, test.status, test.body)
			_, err := QueryE[shareAnswer](`{…}`, nil)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error = %s\nlacks %q", err, want)
				}
			}
		})
	}
}

func TestAnswerErrorKeepsTheCodes(t *testing.T) {
	answering(t, 200, `{"errors":[{"message":"no","extensions":{"code":"FORBIDDEN"}}]}`)
	_, err := QueryE[shareAnswer](`{…}`, nil)
	var answer *AnswerError
	if !errors.As(err, &answer) || answer.Errors[0].Extensions["code"] != "FORBIDDEN" {
		t.Errorf("error = %#v", err)
	}
}

func TestNullNeverReadsAsZero(t *testing.T) {
	answering(t, 200, `{"data":{"n":null}}`)
	if _, err := QueryE[struct{ N int }](`{n}`, nil); err == nil || !strings.Contains(err.Error(), "*int") {
		t.Errorf("error = %v, want one that names *int", err)
	}
	got, err := QueryE[struct{ N *int }](`{n}`, nil)
	if err != nil || got.N != nil {
		t.Errorf("got %v, %v", got.N, err)
	}
	answering(t, 200, `{"data":{"list":[{"a":1},{"a":2}],"free":{"b":null}}}`)
	lists, err := QueryE[struct {
		List []struct{ A float64 }
		Free map[string]any
	}](`{…}`, nil)
	if err != nil || len(lists.List) != 2 || lists.List[1].A != 2 {
		t.Errorf("got %+v, %v", lists, err)
	}
	answering(t, 200, `{"data":{"list":[{"a":1},{"a":null}]}}`)
	if _, err := QueryE[struct{ List []struct{ A float64 } }](`{…}`, nil); err == nil ||
		!strings.Contains(err.Error(), "data.list[1].a is null") {
		t.Errorf("error = %v", err)
	}
}

func TestQueryWithoutServerSaysHowToStartIt(t *testing.T) {
	// A port that was just free, and is closed again.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String() + "/graphql"
	l.Close()
	t.Setenv(urlVariable, address)
	_, err = QueryE[shareAnswer](`{…}`, nil)
	if err == nil || !strings.Contains(err.Error(), "no server answers at "+address) ||
		!strings.Contains(err.Error(), "go run .") {
		t.Errorf("error = %v", err)
	}
	t.Setenv(urlVariable, "127.0.0.1:8080")
	if _, err := QueryE[shareAnswer](`{…}`, nil); err == nil || !strings.Contains(err.Error(), defaultURL) {
		t.Errorf("error = %v, want one that shows a right address", err)
	}
}

// The world with an area effect has an address of its own, and is started in another way.
func TestQueryOnAsksTheOtherServer(t *testing.T) {
	answering(t, 200, `{"data":{"x":1}}`)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"data":{"x":2}}`))
	}))
	t.Setenv(AreaEffectWorld.variable, other.URL)
	type answer struct{ X int }
	if here, there := Query[answer](`{x}`, nil).X, QueryOn[answer](AreaEffectWorld, `{x}`, nil).X; here != 1 ||
		there != 2 {
		t.Errorf("the default world answers %d and the other %d; want 1 and 2", here, there)
	}
	other.Close()
	_, err := query[answer](AreaEffectWorld, `{x}`, nil)
	if err == nil || !strings.Contains(err.Error(), "generate --data data/area-effect --world area-effect\n") ||
		!strings.Contains(err.Error(), AreaEffectWorld.variable) {
		t.Errorf("error = %v", err)
	}
}

// A notebook that states that it reads another world asks that one throughout, and is told if something
// else answers there.
func TestReadsOfAnotherWorld(t *testing.T) {
	const dataset = `{"data":{"dataset":{"name":%q,"title":"Lists","synthetic":false,"fingerprint":"3f2a91",
		"years":[2010],"rows":[
		{"table":"area_year","fingerprint":"aa"},{"table":"plan","fingerprint":null}]}}}`
	answering(t, 200, fmt.Sprintf(dataset, "children")) // the default world, which nobody asks
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, dataset, "official")
	}))
	defer other.Close()
	t.Setenv(OfficialLists.variable, other.URL)
	want := "Data set: Lists, 2010\nFingerprints of the tables it reads:\n  area_year: aa\n"
	if stdout, stderr, code := cell(t, "reads lists"); code != 0 || stdout != want {
		t.Errorf("code %d, stderr %q, stdout %q, want %q", code, stderr, stdout, want)
	}
	t.Setenv(OfficialLists.variable, os.Getenv(urlVariable))
	if _, stderr, code := cell(t, "reads lists"); code != 1 || !strings.Contains(stderr, `the data set "official"`) ||
		!strings.Contains(stderr, OfficialLists.start) {
		t.Errorf("another data set: code %d, stderr %q", code, stderr)
	}
	other.Close()
	t.Setenv(OfficialLists.variable, other.URL)
	if _, stderr, code := cell(t, "reads lists"); code != 1 ||
		!strings.Contains(stderr, "go run . import data/official/recipe.yaml --data data/official-lists\n") {
		t.Errorf("no server: code %d, stderr %q", code, stderr)
	}
}

// A cell is a program of its own: TestMain plays one where the environment asks for it.
func TestMain(m *testing.M) {
	switch os.Getenv("NB_TEST_CELL") {
	case "query":
		Query[shareAnswer](`{…}`, nil)
	case "want":
		Want("poor children", 5861, 5860)
	case "good":
		Want("poor children", 5860, 5860)
	case "chart":
		Chart{Kind: Bars, Title: "No points", Data: &Dataset{}}.Show()
	case "header":
		Header()
	case "reads":
		Reads("child_year")
		Header()
	case "reads lists":
		OfficialLists.Reads("area_year")
		Header()
	case "reads none":
		Reads("club")
		Header()
	case "":
		os.Exit(m.Run())
	}
	os.Exit(0)
}

// cell runs one of the programs above.
func cell(t *testing.T, name string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "NB_TEST_CELL="+name)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestAFailureStopsTheCell(t *testing.T) {
	answering(t, 200, `{"errors":[{"message":"no such year"}]}`)
	for name, want := range map[string]string{
		"query": "kvarter: the server answered with an error:\n  - no such year\n",
		"want":  "kvarter: ✗ poor children: told is 5860, and the answer is 5861 (off by 1)\n",
		"chart": "kvarter: the chart \"No points\": both axes, By and Value, need a title\n",
	} {
		stdout, stderr, code := cell(t, name)
		if code != 1 || stderr != want || stdout != "" {
			t.Errorf("%s: code %d, stderr %q, stdout %q", name, code, stderr, stdout)
		}
	}
	if stdout, stderr, code := cell(t, "good"); code != 0 || stdout != "✓ poor children: 5860\n" || stderr != "" {
		t.Errorf("good: code %d, stderr %q, stdout %q", code, stderr, stdout)
	}
}

func TestHeaderNamesTheDataSet(t *testing.T) {
	answering(t, 200, `{"data":{"dataset":{"name":"children","title":"Children of <Ærø>","synthetic":true,
		"fingerprint":"3f2a91","years":[2010,2011,2012],"rows":[]}}}`)
	stdout, stderr, code := cell(t, "header")
	want := "Data set: Children of <Ærø>, 2010 to 2012\nFingerprint: 3f2a91\n" + syntheticNotice + "\n"
	if code != 0 || stdout != want {
		t.Errorf("code %d, stderr %q, stdout %q, want %q", code, stderr, stdout, want)
	}
}

// A notebook that states what it reads shows the fingerprints of that, of no other table.
func TestHeaderNamesTheTables(t *testing.T) {
	answering(t, 200, `{"data":{"dataset":{"name":"children","title":"Children","synthetic":false,
		"fingerprint":"3f2a91","years":[2010],"rows":[
		{"table":"plan","fingerprint":"aa"},{"table":"child_year","fingerprint":"bb"},
		{"table":"resident_year","fingerprint":"cc"},{"table":"old","fingerprint":null}]}}}`)
	stdout, stderr, code := cell(t, "reads")
	want := "Data set: Children, 2010\nFingerprints of the tables it reads:\n  child_year: bb\n  plan: aa\n"
	if code != 0 || stdout != want {
		t.Errorf("code %d, stderr %q, stdout %q, want %q", code, stderr, stdout, want)
	}
	stdout, stderr, code = cell(t, "reads none")
	if code == 0 || !strings.Contains(stderr, `no table "club"`) ||
		!strings.Contains(stderr, "child_year, plan, resident_year") {
		t.Errorf("code %d, stderr %q, stdout %q", code, stderr, stdout)
	}
}

func TestReadingWhatIsNotStated(t *testing.T) {
	defer func() { stated = nil }()
	for _, test := range []struct {
		stated []string
		read   string
		want   string
	}{
		{nil, "area child_year", ""},
		{[]string{"child_year"}, "activity area child_year plan", ""},
		{[]string{"child_year"}, "", ""},
		{[]string{"child_year"}, "area child_year resident_year", "resident_year"},
		{[]string{}, "area child_year", "child_year"},
	} {
		stated = test.stated
		if err := checkStated(test.read); (err == nil) != (test.want == "") || err != nil &&
			!strings.Contains(err.Error(), "the table "+test.want+",") {
			t.Errorf("%q reading %q: %v", test.stated, test.read, err)
		}
	}
}
