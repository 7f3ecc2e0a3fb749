package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/deadline"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/resolvers"
)

// root is the schema's real root with `area` answered by the test, so that a field can fail,
// panic or take its time.
type root struct {
	*resolvers.Resolver
	area func(ctx context.Context, id string) (*study.Area, error)
}

func (r root) Query() graph.QueryResolver { return query{r.Resolver.Query(), r.area} }

type query struct {
	graph.QueryResolver
	area func(ctx context.Context, id string) (*study.Area, error)
}

func (q query) Area(ctx context.Context, id string) (*study.Area, error) { return q.area(ctx, id) }

// areaOf answers `area` by its id.
func areaOf(ctx context.Context, id string) (*study.Area, error) {
	switch id {
	case "invalid":
		return nil, fault.Invalidf("year 1992 is before the data starts (2010)")
	case "wrapped":
		return nil, fmt.Errorf("reading the cells: %w", fault.NotFoundf("no area %q", id))
	case "forbidden":
		return nil, fault.Overf("cells", 500, "too many cells")
	case "unavailable":
		return nil, fault.NotRecordedf("not recorded")
	case "internal":
		return nil, errors.New("secret: /var/lib/kvarter/child_year.parquet is broken")
	case "panic":
		panic("secret: index out of range")
	case "slow":
		<-ctx.Done()
		return nil, fmt.Errorf("INTERRUPT Error: Interrupted! (secret)")
	}
	return nil, nil
}

// config is what serve serves; change may change it.
func config(t testing.TB) web.Config {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	r := &resolvers.Resolver{Study: &study.Study{Contract: c, Catalogue: &cells.Catalogue{Contract: c},
		Settings: study.Settings{Dataset: study.Dataset{Name: "test", Title: "A <small> world"}}}}
	return web.Config{
		Schema:      resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: root{r, areaOf}}), r),
		Title:       "A <small> world",
		Fingerprint: "0123456789abcdef",
		Synthetic:   true,
		Log:         slog.New(slog.DiscardHandler),
	}
}

func serve(t testing.TB, change func(*web.Config)) *httptest.Server {
	t.Helper()
	c := config(t)
	if change != nil {
		change(&c)
	}
	server := httptest.NewServer(web.New(c))
	t.Cleanup(server.Close)
	return server
}

type response struct {
	status int
	http.Header
	body []byte
}

func (r response) Get(name string) string { return r.Header.Get(name) }

func do(t testing.TB, request *http.Request) response {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	got, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{got.StatusCode, got.Header, body}
}

func get(t testing.TB, address string, headers ...string) response {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return do(t, request)
}

// reply is an answer as a client reads it.
type reply struct {
	status int
	Errors []struct {
		Message    string
		Path       []any
		Locations  []struct{ Line, Column int }
		Extensions map[string]any
	}
	Data json.RawMessage
}

// ask posts a question that wants the status to tell.
func ask(t testing.TB, server *httptest.Server, document string, variables any) reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return post(t, server, bytes.NewReader(body))
}

func post(t testing.TB, server *httptest.Server, body io.Reader) reply {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, server.URL+"/graphql", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", graphqlJSON)
	got := do(t, request)
	r := reply{status: got.status}
	if err := json.Unmarshal(got.body, &r); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return r
}

func (r reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return fmt.Sprint(r.Errors[0].Extensions["code"])
}

func (r reply) message() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Message
}

func healthy(t testing.TB, server *httptest.Server) {
	t.Helper()
	if r := ask(t, server, "{ __typename }", nil); string(r.Data) != `{"__typename":"Query"}` || r.Errors != nil {
		t.Errorf("the server is not healthy: %+v", r)
	}
}

func TestErrorsOfFields(t *testing.T) {
	var lines bytes.Buffer
	server := serve(t, func(c *web.Config) { c.Log = slog.New(slog.NewJSONHandler(&lines, nil)) })
	for _, test := range []struct{ id, code, message string }{
		{"invalid", "INVALID", "year 1992 is before the data starts (2010)"},
		{"wrapped", "NOT_FOUND", `no area "wrapped"`},
		{"forbidden", "FORBIDDEN", "too many cells"},
		{"unavailable", "NOT_RECORDED", "not recorded"},
		{"internal", "INTERNAL", "internal error; the log has it under id test-internal"},
		{"panic", "INTERNAL", "internal error; the log has it under id test-panic"},
	} {
		body := fmt.Sprintf(`{"query": "query Ask($id: ID!) {\n  dataset { title }\n  asked: area(id: $id) { name } }", `+
			`"variables": {"id": %q}}`, test.id)
		request, _ := http.NewRequest(http.MethodPost, server.URL+"/graphql", strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("X-Request-Id", "test-"+test.id)
		got := do(t, request)
		if got.Get("X-Request-Id") != "test-"+test.id {
			t.Errorf("%s: request id %q is not echoed", test.id, got.Get("X-Request-Id"))
		}
		var r reply
		if err := json.Unmarshal(got.body, &r); err != nil {
			t.Fatal(err)
		}
		if string(r.Data) != `{"dataset":{"title":"A <small> world"},"asked":null}` {
			t.Errorf("%s: data %s", test.id, r.Data)
		}
		if len(r.Errors) != 1 || r.code() != test.code || r.message() != test.message ||
			fmt.Sprint(r.Errors[0].Path) != "[asked]" {
			t.Errorf("%s: got %+v", test.id, r.Errors)
		}
		if e := r.Errors[0].Extensions; test.code == "FORBIDDEN" && (e["limit"] != "cells" || e["max"] != 500.0) ||
			test.code != "FORBIDDEN" && len(e) != 1 {
			t.Errorf("%s: extensions %v", test.id, e)
		}
		if bytes.Contains(got.body, []byte("secret")) {
			t.Errorf("%s: the answer gives away what is internal: %s", test.id, got.body)
		}
		log := lines.String()
		lines.Reset()
		if !strings.Contains(log, `"id":"test-`+test.id+`"`) || !strings.Contains(log, `"operation":"Ask"`) ||
			!strings.Contains(log, `"codes":"`+test.code+`"`) {
			t.Errorf("%s: the log lacks the request: %s", test.id, log)
		}
		if inside := test.code == "INTERNAL"; inside != strings.Contains(log, "secret") ||
			inside != strings.Contains(log, `"level":"ERROR"`) {
			t.Errorf("%s: the log should have the cause of internal errors, and only theirs: %s", test.id, log)
		}
		if test.id == "panic" && !strings.Contains(log, "areaOf") {
			t.Errorf("the log lacks the stack: %s", log)
		}
	}
	healthy(t, server)
}

func TestWrongQuestions(t *testing.T) {
	server := serve(t, nil)
	for _, test := range []struct {
		name, body string
		status     int
		code       string
		message    string // a part of it
	}{
		{"syntax", `{"query": "{ dataset { title "}`, 400, "GRAPHQL_PARSE_FAILED", "Expected Name, found <EOF>"},
		{"field", `{"query": "{ datset { title } }"}`, 400, "GRAPHQL_VALIDATION_FAILED", `Did you mean "dataset"?`},
		{"code", `{"query": "{ children { share(of: POR) { value } } }"}`, 400, "GRAPHQL_VALIDATION_FAILED",
			`Did you mean the enum value "POOR"?`},
		{"no operation", `{"query": "fragment f on Query { dataset { title } }"}`, 400, "GRAPHQL_VALIDATION_FAILED", ""},
		{"only a comment", `{"query": "# nothing"}`, 400, "GRAPHQL_VALIDATION_FAILED", "no operation"},
		{"missing variable", `{"query": "query($id: ID!) { area(id: $id) { name } }"}`, 400, "INVALID",
			"variable $id: an ID was expected, and the variable is not given"},
		{"variable in an object",
			`{"query": "query($w: CohortFilter) { children(where: $w) { size { value } } }",
			"variables": {"w": {"sex": ["MAN"]}}}`,
			400, "INVALID", `variable $w.sex[0]: Sex has no code "MAN"; its codes are MALE, FEMALE`},
		{"code like none", `{"query": "{ children(where: {sex: [OTHER]}) { size { value } } }"}`, 400,
			"GRAPHQL_VALIDATION_FAILED", `does not exist in "Sex!" enum; its codes are MALE, FEMALE`},
		{"no JSON", `not json`, 400, "INVALID", "the request body is not JSON: at byte 2"},
		{"unknown operation", `{"query": "query One { __typename }", "operationName": "Ome"}`, 400, "INVALID",
			`no operation "Ome"; did you mean One?`},
		{"which operation", `{"query": "query One { __typename } query Two { __typename }"}`, 400, "INVALID",
			"`operationName` must be one of One, Two"},
		{"batch", `[{"query": "{ __typename }"}]`, 400, "INVALID", "a list of requests is not supported"},
		{"text", `"{ __typename }"`, 400, "INVALID", "must be a JSON object with `query`, got a string"},
		{"more after the end", `{"query": "{ __typename }"} {}`, 400, "INVALID", "not JSON"},
		{"empty", `  `, 400, "INVALID", "the request body is empty"},
		{"variables of the wrong type", `{"query": "{ __typename }", "variables": [1]}`, 400, "INVALID",
			"`variables` must be an object such as {\"year\": 2016}, got a list"},
		{"cycle of fragments", `{"query": "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"}`, 400,
			"GRAPHQL_VALIDATION_FAILED", "Cannot spread fragment"},
		{"defer", `{"query": "{ ... @defer { dataset { title } } }"}`, 400, "INVALID", "@defer is not supported"},
		{"mutation", `{"query": "mutation { __typename }"}`, 400, "GRAPHQL_VALIDATION_FAILED", "mutation"},
		{"huge number", `{"query": "{ areas(first: 99999999999999999999) { totalCount } }"}`, 400, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := post(t, server, strings.NewReader(test.body))
			if r.status != test.status || r.Data != nil || len(r.Errors) == 0 {
				t.Fatalf("got %d, data %s, errors %+v", r.status, r.Data, r.Errors)
			}
			if test.code != "" && r.code() != test.code || !strings.Contains(r.message(), test.message) {
				t.Errorf("got %s %q, want %s … %q …", r.code(), r.message(), test.code, test.message)
			}
		})
	}
	healthy(t, server)
}

func TestManyErrorsAreCut(t *testing.T) {
	server := serve(t, nil)
	r := ask(t, server, "{ "+strings.Repeat("no ", 500)+"}", nil)
	last := r.Errors[len(r.Errors)-1].Message
	if len(r.Errors) != 21 || !strings.HasPrefix(last, "and ") || !strings.HasSuffix(last, " more errors") {
		t.Errorf("%d errors, the last %q", len(r.Errors), last)
	}
}

func TestLimits(t *testing.T) {
	server := serve(t, nil)
	limits := web.DefaultLimits()
	nested := func(levels int) string {
		return strings.Repeat("{ a ", levels) + strings.Repeat("}", levels)
	}
	relay := func(levels int) string {
		return "{ areas { nodes " + strings.Repeat("{ plans { areas ", levels) + "{ id }" + strings.Repeat("} }", levels) +
			" } }"
	}
	chain := "{ ...f0 } "
	for i := range 30 {
		chain += fmt.Sprintf("fragment f%d on Query { ...f%d } ", i, i+1)
	}
	chain += "fragment f30 on Query " + relay(7)
	var aliases strings.Builder
	for i := range 1100 {
		fmt.Fprintf(&aliases, "a%d: children { size { value } } ", i)
	}
	var cubes strings.Builder
	for i := range 500 {
		fmt.Fprintf(&cubes, "a%d: jsonStat(of: POOR, by: [MUNICIPALITY, AGE]) ", i)
	}
	var cells strings.Builder
	for i := range 3 {
		fmt.Fprintf(&cells, "a%d: breakdown(of: POOR, by: [MUNICIPALITY, AGE, SEX, ORIGIN, YEAR]) { nodes { key { "+
			"municipality { name } age sex origin } estimate { value lower upper numerator denominator } } }", i)
	}
	doubling := "{ ...d0 } "
	for i := range 40 {
		doubling += fmt.Sprintf("fragment d%d on Query { ...d%d ... on Query { ...d%d } } ", i, i+1, i+1)
	}
	doubling += "fragment d40 on Query { dataset { title } }"
	for _, test := range []struct {
		name, document, limit string
		cost                  int
		message               string
	}{
		{"10,000 levels", nested(10_000), "depth", 10_000, "10,000 levels"},
		{"16 levels", relay(7), "depth", 17, "the document has 17 levels of fields; the limit is 15"},
		{"levels through fragments", chain, "depth", 17, "17 levels"},
		{"tokens", "{" + strings.Repeat(" __typename", 20_000) + "}", "tokens", 20_002, "20,002 tokens; the limit is 10,000"},
		{"aliases", "{" + aliases.String() + "}", "complexity", 1100 * 303,
			"the operation costs 333,300; the limit is 300,000"},
		{"long lists of long lists", "{ areas(first: 1000) { nodes { keyFigures { year residents children } plans { areas " +
			"{ name plans { name } } } } } }", "complexity", 1 + 1000*(1+10*3+1+10*(1+10*(1+1+10))) + 1, "with `first`"},
		{"many cells", "{ children {" + cells.String() + "} }", "complexity", 1 + 3*(301+1+10_000*12), "the operation costs"},
		{"clusters in many areas", `{ areas(first: 200) { nodes { children { compare(to: {}) {
			adjusted(of: POOR, controls: [SEX], clusterBy: AREA) { observations } } } } } }`,
			"complexity", 2 + 200*(1+301+11_201+1), "with `first`"},
		{"many cubes, which have no fields", "{ children {" + cubes.String() + "} }", "complexity", 1 + 500*(1+300+100*10),
			"the operation costs"},
		{"doubling fragments", doubling, "complexity", 1_000_000_000, "the operation costs 1,000,000,000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			r := ask(t, server, test.document, nil)
			if took := time.Since(start); took > deadline.Patience(t) {
				t.Errorf("took %v to refuse", took)
			}
			if r.status != 400 || r.Data != nil || r.code() != "FORBIDDEN" || !strings.Contains(r.message(), test.message) {
				t.Fatalf("got %d %s %q", r.status, r.code(), r.message())
			}
			cost, _ := r.Errors[0].Extensions["cost"].(float64)
			most, _ := r.Errors[0].Extensions["max"].(float64)
			want := map[string]int{"depth": limits.Depth, "tokens": limits.Tokens, "complexity": limits.Complexity}[test.limit]
			if r.Errors[0].Extensions["limit"] != test.limit || int(most) != want || test.cost != 0 && int(cost) != test.cost ||
				cost <= most {
				t.Errorf("got %v", r.Errors[0].Extensions)
			}
		})
	}
	for name, document := range map[string]string{
		"15 levels":     relay(6),
		"introspection": introspection,
	} {
		if r := ask(t, server, document, nil); len(r.Errors) > 0 && r.Errors[0].Extensions["limit"] == "depth" {
			t.Errorf("%s is within the limit of levels, got %q", name, r.message())
		}
	}
	healthy(t, server)
}

// The introspection query of graphql-js 16, which tools send.
const introspection = `query IntrospectionQuery { __schema { description queryType { name kind }
	mutationType { name kind } subscriptionType { name kind }
types { ...FullType } directives { name description isRepeatable locations
args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL fields(includeDeprecated: true) { name description
args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

func TestIntrospection(t *testing.T) {
	r := ask(t, serve(t, nil), introspection, nil)
	if r.Errors != nil || !bytes.Contains(r.Data, []byte("Every number about people is asked of a cohort.")) {
		t.Errorf("got %+v", r.Errors)
	}
}

func TestBodySize(t *testing.T) {
	server := serve(t, nil)
	large := `{"query": "{ __typename }", "variables": {"x": "` + strings.Repeat("x", 5<<20) + `"}}`
	r := post(t, server, strings.NewReader(large))
	if want := fmt.Sprintf("the request body has 5,242,9%02d bytes; the limit is 1,048,576",
		len(large)-5242900); r.status != 413 || r.code() != "FORBIDDEN" || r.message() != want {
		t.Errorf("got %d %s %q, want %q", r.status, r.code(), r.message(), want)
	}
	// Without a length the size is known only to be too much.
	r = post(t, server, struct{ io.Reader }{strings.NewReader(large)})
	if r.status != 413 || r.message() != "the request body has more than 1,048,576 bytes; the limit is 1,048,576" {
		t.Errorf("chunked: got %d %q", r.status, r.message())
	}
	if got := get(t, serve(t, func(c *web.Config) { c.Limits.Bytes = 100 }).URL+"/graphql?query="+strings.Repeat("x",
		200)); got.status != 414 {
		t.Errorf("URL: got %d %s", got.status, got.body)
	}
	healthy(t, server)
}

func TestTimeout(t *testing.T) {
	server := serve(t, func(c *web.Config) { c.Limits.TimeoutMS = 50 })
	r := ask(t, server, `{ area(id: "slow") { name } }`, nil)
	if r.code() != "FORBIDDEN" || r.message() != "the answer took longer than the limit of 50 ms and was stopped; ask "+
		"for less at a time" ||
		r.Errors[0].Extensions["limit"] != "timeoutMs" || string(r.Data) != `{"area":null}` {
		t.Errorf("got %+v, data %s", r.Errors, r.Data)
	}
	healthy(t, server)

	// A body that does not come is given up, too.
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "+
		"100\r\n\r\n{")
	answer, err := io.ReadAll(connection)
	if err != nil || !bytes.Contains(answer, []byte("408 Request Timeout")) ||
		!bytes.Contains(answer, []byte("did not arrive within 50 ms")) {
		t.Errorf("got %v %s", err, answer)
	}
}

// A client that goes away in the middle ends what it asked, and is no error of ours.
func TestClientGone(t *testing.T) {
	var mu sync.Mutex
	var lines bytes.Buffer
	entered, left := make(chan bool, 100), make(chan bool, 100)
	before := runtime.NumGoroutine()
	server := serve(t, func(c *web.Config) {
		c.Log = slog.New(slog.NewJSONHandler(lockedWriter{&mu, &lines}, nil))
		r := &resolvers.Resolver{}
		c.Schema = graph.NewExecutableSchema(graph.Config{Resolvers: root{r,
			func(ctx context.Context, id string) (*study.Area, error) {
				entered <- true
				<-ctx.Done()
				left <- true
				return nil, ctx.Err()
			}}})
	})
	const clients = 20
	for range clients {
		ctx, cancel := context.WithCancel(context.Background())
		request, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/graphql",
			strings.NewReader(`{"query": "{ area(id: \"x\") { name } }"}`))
		request.Header.Set("Content-Type", "application/json")
		done := make(chan bool)
		go func() {
			if answer, err := http.DefaultClient.Do(request); err == nil {
				answer.Body.Close()
				t.Error("the request was answered")
			}
			close(done)
		}()
		<-entered
		cancel()
		<-left
		<-done
	}
	// And one that goes away before its body is there.
	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(connection, "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "+
		"100\r\n\r\n{")
	connection.Close()

	deadline.Until(t, "each client's line in the log", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Count(lines.String(), "given up by the client") == clients+1
	})
	mu.Lock()
	if strings.Contains(lines.String(), `"level":"ERROR"`) {
		t.Errorf("logged as an error: %s", lines.String())
	}
	mu.Unlock()
	healthy(t, server)
	http.DefaultClient.CloseIdleConnections()
	server.Close()
	deadline.Until(t, "every goroutine to end", func() bool { return runtime.NumGoroutine() <= before+2 })
}

type lockedWriter struct {
	mu  *sync.Mutex
	out io.Writer
}

func (w lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(b)
}

func TestRequestID(t *testing.T) {
	server := serve(t, nil)
	for given, kept := range map[string]bool{
		"4bf92f35-77b3:4da6.a3ce_929d": true, "": false, strings.Repeat("x",
			65): false, "a b": false, `x"y`: false, "-x": false,
	} {
		got := get(t, server.URL+"/healthz", "X-Request-Id", given).Get("X-Request-Id")
		if kept != (got == given) || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestETag(t *testing.T) {
	server := serve(t, nil)
	address := func(document, variables string) string {
		return server.URL + "/graphql?" + url.Values{"query": {document}, "variables": {variables}}.Encode()
	}
	first := get(t, address("query($id: ID!) { area(id: $id) { name } }", `{"id": "x", "y": 1}`))
	etag := first.Get("ETag")
	if first.status != 200 || etag == "" || first.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("got %d %q %q", first.status, etag, first.Get("Cache-Control"))
	}
	again := get(t, address("query($id: ID!) { area(id: $id) { name } }", `{"y": 1, "id":  "x"}`), "If-None-Match",
		`"other", W/`+etag)
	if again.status != 304 || len(again.body) != 0 || again.Get("ETag") != etag {
		t.Errorf("the same question: got %d %q", again.status, again.Get("ETag"))
	}
	for name, other := range map[string]response{
		"variables": get(t, address("query($id: ID!) { area(id: $id) { name } }", `{"id": "y"}`), "If-None-Match", etag),
		"document":  get(t, address("query($id: ID!) { area(id: $id) { id } }", `{"id": "x"}`), "If-None-Match", etag),
		"media type": get(t, address("query($id: ID!) { area(id: $id) { name } }", `{"id": "x", "y": 1}`), "If-None-Match",
			etag, "Accept", graphqlJSON),
		"fingerprint": get(t, strings.Replace(address("query($id: ID!) { area(id: $id) { name } }", `{"id": "x", "y": 1}`),
			server.URL, serve(t, func(c *web.Config) { c.Fingerprint = "fedcba" }).URL, 1), "If-None-Match", etag),
		"definition": get(t, strings.Replace(address("query($id: ID!) { area(id: $id) { name } }", `{"id": "x", "y": 1}`),
			server.URL, serve(t, func(c *web.Config) { c.Definitions = "other" }).URL, 1), "If-None-Match", etag),
	} {
		if other.status != 200 || other.Get("ETag") == etag {
			t.Errorf("another %s: got %d %q", name, other.status, other.Get("ETag"))
		}
	}
	for _, failing := range []string{address(`{ area(id: "invalid") { name } }`, ""), address("{ no }", "")} {
		if got := get(t, failing); got.Get("ETag") != "" || got.Get("Cache-Control") != "no-store" {
			t.Errorf("an error is kept: %v", got.Header)
		}
	}
}

func TestOrigins(t *testing.T) {
	closed := serve(t, nil)
	open := serve(t, func(c *web.Config) { c.AllowedOrigins = []string{"https://maps.example.org"} })
	anyone := serve(t, func(c *web.Config) { c.AllowedOrigins = []string{"*"} })
	for _, test := range []struct {
		server       *httptest.Server
		origin, want string
	}{
		{closed, "https://maps.example.org", ""},
		{open, "https://maps.example.org", "https://maps.example.org"},
		{open, "https://evil.example.org", ""},
		{open, "", ""},
		{anyone, "https://evil.example.org", "*"},
	} {
		for _, method := range []string{http.MethodOptions, http.MethodGet} {
			request, _ := http.NewRequest(method, test.server.URL+"/graphql?query={__typename}", nil)
			if test.origin != "" {
				request.Header.Set("Origin", test.origin)
			}
			got := do(t, request)
			if got.Get("Access-Control-Allow-Origin") != test.want {
				t.Errorf("%s from %q: got %q", method, test.origin, got.Get("Access-Control-Allow-Origin"))
			}
			if method == http.MethodOptions && (got.status != 204 || test.want != "" &&
				!strings.Contains(got.Get("Access-Control-Allow-Headers"), "Content-Type")) {
				t.Errorf("preflight from %q: got %d %v", test.origin, got.status, got.Header)
			}
		}
	}
}

func TestMethodsAndTypes(t *testing.T) {
	server := serve(t, nil)
	for _, test := range []struct {
		method, query, contentType, accept, body string
		status                                   int
		message                                  string
	}{
		{"PUT", "", legacyJSON, "", `{"query": "{ __typename }"}`, 405, "the method PUT is not for GraphQL"},
		{"POST", "", "text/plain", "", `{"query": "{ __typename }"}`, 415, "got \"text/plain\""},
		{"POST", "", "application/x-www-form-urlencoded", "", "query={__typename}", 415, "`Content-Type: application/json`"},
		{"POST", "", "application/json; charset=iso-8859-1", "", `{"query": "{ __typename }"}`, 415, "UTF-8"},
		{"POST", "", legacyJSON, "image/png", `{"query": "{ __typename }"}`, 406, "image/png"},
		{"POST", "", legacyJSON, "text/html, */*;q=0", `{"query": "{ __typename }"}`, 406, ""},
		{"GET", "", "", "", "", 400, "`query` is missing"},
		{"GET", "?query={__typename}&variables=[1]", "", "", "", 400, "`variables` must be an object"},
		{"GET", "?query={__typename}&variables={\"a\":", "", "", "", 400, "`variables` is not JSON"},
		{"GET", "?query=%zz", "", "", "", 400, "cannot be read"},
	} {
		request, err := http.NewRequest(test.method, server.URL+"/graphql", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		request.URL.RawQuery = strings.TrimPrefix(test.query, "?")
		for name, value := range map[string]string{"Content-Type": test.contentType, "Accept": test.accept} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
		got := do(t, request)
		var r reply
		if err := json.Unmarshal(got.body, &r); err != nil {
			t.Fatalf("%s: %v", got.body, err)
		}
		if got.status != test.status || r.code() != "INVALID" || !strings.Contains(r.message(), test.message) {
			t.Errorf("%+v: got %d %s", test, got.status, got.body)
		}
	}
	for accept, want := range map[string]string{
		"":                              legacyJSON,
		"*/*":                           legacyJSON,
		graphqlJSON + ", " + legacyJSON: graphqlJSON,
		legacyJSON + ", " + graphqlJSON + ";q=0.5":        legacyJSON,
		graphqlJSON + ";q=0.1, application/*;q=0.9":       legacyJSON,
		"application/json, text/plain, */*":               legacyJSON,
		"text/html,application/xhtml+xml,*/*;q=0.8":       legacyJSON,
		"APPLICATION/graphql-response+json;charset=utf-8": graphqlJSON,
	} {
		got := get(t, server.URL+"/graphql?query={__typename}", "Accept", accept)
		if accept == "" {
			got = get(t, server.URL+"/graphql?query={__typename}")
		}
		if got.Get("Content-Type") != want+"; charset=utf-8" || got.status != 200 {
			t.Errorf("Accept %q: got %d %s", accept, got.status, got.Get("Content-Type"))
		}
	}
}

func TestProbes(t *testing.T) {
	ready := errors.New("making the default data set: 40 %")
	server := serve(t, func(c *web.Config) { c.Ready = func(context.Context) error { return ready } })
	if got := get(t, server.URL+"/readyz"); got.status != 503 ||
		string(got.body) != "not ready: making the default data set: 40 %\n" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := get(t, server.URL+"/healthz"); got.status != 200 {
		t.Errorf("not ready is not unhealthy: got %d", got.status)
	}
	ready = nil
	if got := get(t, server.URL+"/readyz"); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := get(t, server.URL+"/nowhere"); got.status != 404 || !bytes.Contains(got.body, []byte("try /, /graphql")) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if got := get(t, server.URL+"/graphql", "Accept", "text/html,*/*"); got.status != 303 || got.Get("Location") != "/" {
		t.Errorf("a person at /graphql should see the console: %d %v", got.status, got.Header)
	}
}

func TestSchemaAsText(t *testing.T) {
	server := serve(t, nil)
	got := get(t, server.URL+"/schema.graphqls")
	for _, want := range []string{"type Query {", "enum Indicator {", "Every number about people is asked of a cohort.",
		"share(\n", "Confidence level of the intervals, above 0 and below 1.", "level: Float! = 0.95\n"} {
		if !strings.Contains(string(got.body), want) {
			t.Errorf("the schema lacks %q", want)
		}
	}
	if again := get(t, server.URL+"/schema.graphqls", "If-None-Match", got.Get("ETag")); again.status != 304 {
		t.Errorf("got %d", again.status)
	}
}

func TestPanicOutsideFields(t *testing.T) {
	var lines bytes.Buffer
	server := serve(t, func(c *web.Config) {
		c.Ready = func(context.Context) error { panic("secret") }
		c.Log = slog.New(slog.NewJSONHandler(&lines, nil))
	})
	got := get(t, server.URL+"/readyz")
	if got.status != 500 || !bytes.Contains(got.body,
		[]byte("internal error; the log has it under id "+got.Get("X-Request-Id"))) ||
		bytes.Contains(got.body, []byte("secret")) {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if !strings.Contains(lines.String(), "secret") || !strings.Contains(lines.String(), "TestPanicOutsideFields") {
		t.Errorf("the log lacks the panic: %s", lines.String())
	}
	healthy(t, server)
}

// world serves the real resolvers over real Parquet.
func world(t testing.TB) *httptest.Server {
	t.Helper()
	c := duckdbtest.Contract(t)
	l := web.DefaultLimits()
	stated, err := findings.Parse("findings.yaml", data.Findings, graph.NewExecutableSchema(graph.Config{}).Schema())
	if err != nil {
		t.Fatal(err)
	}
	rules, err := law.Parse(data.Law)
	if err != nil {
		t.Fatal(err)
	}
	r := &resolvers.Resolver{Study: study.New(duckdbtest.Open(t, c, duckdbtest.World),
		study.Settings{Law: rules, Findings: stated, Cells: l.Cells, Dataset: study.Dataset{
			Name: "test", Title: "A small world", Synthetic: true, Years: []int{2014, 2015,
				2016}, Rows: []*study.TableRows{}, Sources: []*study.Source{},
			Limits: &study.Limits{Complexity: l.Complexity, Depth: l.Depth, Cells: l.Cells, TimeoutMs: l.TimeoutMS,
				Tokens: l.Tokens, Bytes: l.Bytes},
		}})}
	server := httptest.NewServer(web.New(web.Config{Reading: cells.Reading,
		Schema: resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}),
			r), Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	return server
}

// An answer says which tables it was computed from, also where it is remembered or part of it was.
func TestTablesOfAnAnswer(t *testing.T) {
	server := world(t)
	for range 2 {
		for document, want := range map[string]string{
			`{ children { size { value } } }`: "activity area " +
				"child_year plan",
			`{ children { size { value } } residents { size { value } } }`: "activity area " +
				"child_year plan resident_year",
			`{ areas { nodes { keyFigures { residents } } } }`: "activity area " +
				"area_year plan",
			`{ areas { nodes { children { size { value } } } } }`: "activity area " +
				"area_year child_year plan",
			`{ targetGroup(type: LEISURE_JOB) { participants { value } } }`: "activity area " +
				"participant plan",
			`{ dataset { title } }`: "activity area " +
				"plan",
			`query($n: Boolean = false) { dataset { title } children @include(if: $n) { size { value } } }`: "activity area " +
				"plan",
		} {
			got := get(t, server.URL+"/graphql?query="+url.QueryEscape(document))
			if got.status != 200 || got.Get("Kvarter-Tables") != want {
				t.Errorf("%s: status %d, tables %q, want %q", document, got.status, got.Get("Kvarter-Tables"), want)
			}
		}
	}
}

// Every example of the console is answered without an error, and has something to show.
func TestExamples(t *testing.T) {
	server := world(t)
	examples := web.DefaultExamples()
	if len(examples) < 8 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, e := range examples {
		t.Run(e.Title, func(t *testing.T) {
			if e.Title == "" || strings.Contains(e.Title, "#") {
				t.Errorf("title %q", e.Title)
			}
			var variables any
			if e.Variables != "" {
				if err := json.Unmarshal([]byte(e.Variables), &variables); err != nil {
					t.Fatal(err)
				}
			}
			r := ask(t, server, e.Document, variables)
			if r.status != 200 || r.Errors != nil || len(r.Data) < 100 {
				t.Errorf("got %d %+v %s", r.status, r.Errors, r.Data)
			}
		})
	}
}

// What a question of activities costs lets every row of the finest mapping through, with every field.
func TestCostsOfActivities(t *testing.T) {
	server := world(t)
	row := "theme type area { id name } plan { id name } year activities { value status } participants { value status } " +
		"participations { value status } reach { value least most participants residents residentsLeast residentsMost " +
		"status warnings } warnings"
	for _, document := range []string{
		"{ activityMapping(by: [AREA, TYPE, YEAR]) {" + row + "} }",
		"{ activityMapping(by: [THEME, TYPE, AREA, PLAN, YEAR]) {" + row + "} }",
	} {
		if r := ask(t, server, document, nil); r.Errors != nil || len(r.Data) < 1000 {
			t.Errorf("%s: got %s %s", document, r.Data, r.message())
		}
	}
}

// A list whose filter names its items is no longer than these.
func TestCostsOfNamedAreas(t *testing.T) {
	costs := serve(t, func(c *web.Config) { c.Limits = web.Limits{Complexity: 1} })
	told := func(document string, variables any) any {
		return ask(t, costs, document, variables).Errors[0].Extensions["cost"]
	}
	const selection = "nodes { children { size { value } } } }"
	two := told("{ areas(first: 2) {"+selection+"}", nil)
	if all := told("{ areas {"+selection+"}", nil); two == nil || two == all {
		t.Fatalf("two areas cost %v, all of them %v", two, all)
	}
	for name, got := range map[string]any{
		"in the document": told(`{ areas(where: {ids: ["A1", "A2"]}) {`+selection+"}", nil),
		"in a variable": told("query ($where: AreaFilter) { areas(where: $where) {"+selection+"}",
			map[string]any{"where": map[string]any{"ids": []string{"A1", "A2"}}}),
		"of fewer": told(`{ areas(where: {ids: ["A1", "A2"]}, first: 9) {`+selection+"}", nil),
		"of more":  told(`{ areas(where: {ids: ["A1", "A2", "A3"]}, first: 2) {`+selection+"}", nil),
	} {
		if got != two {
			t.Errorf("%s: two areas by their ids cost %v, the first two %v", name, got, two)
		}
	}
}

// What one request may cost at most does not bring the server down: documents as large as the limits
// let through are answered, or stopped by the time limit.
func TestLargestWithinLimits(t *testing.T) {
	limits := web.DefaultLimits()
	// Servers that refuse every document tell what it costs without answering it.
	costs := serve(t, func(c *web.Config) { c.Limits = web.Limits{Complexity: 1} })
	tokens := serve(t, func(c *web.Config) { c.Limits = web.Limits{Tokens: 1} })
	told := func(server *httptest.Server, document string) int {
		r := ask(t, server, document, nil)
		if len(r.Errors) == 0 {
			t.Fatalf("%.100s was not refused", document)
		}
		cost, ok := r.Errors[0].Extensions["cost"].(float64)
		if !ok {
			t.Fatalf("%.100s: %s", document, r.message())
		}
		return int(cost)
	}
	// largest repeats the part as often as the limits let it.
	largest := func(part func(i int) string) string {
		one := "{ " + part(0) + " }"
		n := min(limits.Complexity/told(costs, one), (limits.Tokens-2)/(told(tokens, one)-2))
		var all strings.Builder
		for i := range n {
			all.WriteString(part(i) + " ")
		}
		return "{ " + all.String() + "}"
	}
	same := func(part string) string { return largest(func(int) string { return part }) }
	alias := func(part string) string {
		return largest(func(i int) string { return fmt.Sprintf("a%d: %s", i, part) })
	}
	var pairs strings.Builder
	for i := range 80 {
		fmt.Fprintf(&pairs, "fragment f%d on Query { ", i)
		for j := i + 1; j < 80; j++ {
			fmt.Fprintf(&pairs, "...f%d ", j)
		}
		pairs.WriteString("__typename } ")
	}
	server := world(t)
	full := 0
	for name, document := range map[string]string{
		"one object, many times": same("dataset { title }"),
		"one list, many times":   same("areas { nodes { plans { name } } }"),
		"many arguments":         same(`areas(where: {supported: true, nameContains: "x"}) { totalCount }`),
		"nested in one field":    same("areas { nodes { plans { areas { name } } } }"),
		"cohorts": largest(func(i int) string {
			return fmt.Sprintf("a%d: children(where: { ages: { from: %d, to: 6 } }) { s%d: size { value } }", i, i%7, i)
		}),
		"from the facts": largest(func(i int) string {
			return fmt.Sprintf("a%d: children(where: { ages: { from: %d, to: 6 }, dayCareType: NURSERY }) { share(of: POOR) { "+
				"value } }", i, i%7)
		}),
		"comparisons": largest(func(i int) string {
			return fmt.Sprintf("a%d: children(where: { setting: SUPPORTED, ages: { from: %d } }) { compare(to: { setting: "+
				"REST }) { decomposition(of: POOR, by: [ORIGIN, SEX]) { rate { value } } } }", i, i%7)
		}),
		"clustered": largest(func(i int) string {
			return fmt.Sprintf("a%d: children(where: { setting: SUPPORTED, ages: { from: %d } }) { compare(to: { setting: "+
				"REST }) { adjusted(of: POOR, controls: [ORIGIN, SEX], clusterBy: MUNICIPALITY) { adjusted { value } } } }", i, i%7)
		}),
		"shortfalls": largest(func(i int) string {
			return fmt.Sprintf("a%d: children(where: { setting: SUPPORTED, ages: { from: %d } }) { compare(to: { setting: "+
				"REST }) { shortfall(of: POOR, by: [ORIGIN]) { areas { area { name } shortfall { observed { value } } } } } "+
				"}", i, i%7)
		}),
		"developments": largest(func(i int) string {
			return fmt.Sprintf("a%d: children(where: { ages: { from: %d } }) { development(of: POOR) { years { year } } }", i,
				i%7)
		}),
		"turnovers": alias("residents(where: { setting: SUPPORTED }) { turnover(of: CONVICTED, from: 2014, to: " +
			"2016) { gained } }"),
		"mappings": alias("activityMapping(by: []) { participants { value } reach { value } }"),
		"the finest mapping": alias("activityMapping(by: [AREA, TYPE, YEAR]) { area { name } type year participants { " +
			"value } reach { value } }"),
		"target groups": alias("targetGroup(type: LEISURE_JOB) { covariate participants { value } }"),
		"effects": largest(func(i int) string {
			return fmt.Sprintf("a%d: activityEffect(type: LEISURE_JOB, outcome: CHARGED, method: %s) { effect { value } }", i,
				[]string{"IPW", "MATCHING", "DOUBLY_ROBUST"}[i%3])
		}),
		"the survey":            alias("perceivedEffect(by: [THEME, ASPECT, ITEM, ACTOR_TYPE]) { theme positive { value } }"),
		"one field, many times": "{ " + strings.Repeat("a: __typename ", 3300) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			cost := told(costs, document)
			if cost > limits.Complexity*9/10 && cost <= limits.Complexity {
				full++
			}
			start := time.Now()
			r := ask(t, server, document, nil)
			// depends on the machine
			t.Logf("cost %d: %d %s %s in %v, %d bytes", cost, r.status, r.code(), r.message(), time.Since(start), len(r.Data))
			if r.Errors != nil && r.Errors[0].Extensions["limit"] != "timeoutMs" || r.Errors == nil && len(r.Data) < 10 {
				t.Errorf("%.100s: %v %s", r.Data, r.Errors[:min(1, len(r.Errors))], r.message())
			}
		})
	}
	// One that costs beyond all limits is refused, and not reckoned out first.
	if r := ask(t, server, "{ ...f0 } "+pairs.String(), nil); r.code() != "FORBIDDEN" ||
		r.Errors[0].Extensions["limit"] != "complexity" {
		t.Errorf("fragments in pairs: %+v", r)
	}
	if full < 8 {
		t.Errorf("%d documents cost nearly what the limit is, 8 were expected", full)
	}
	healthy(t, server)
}

func TestConsole(t *testing.T) {
	server := serve(t, nil)
	page := get(t, server.URL+"/")
	html := string(page.body)
	if page.status != 200 || page.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %s", page.status, page.Get("Content-Type"))
	}
	policy := page.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") ||
		strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	for _, want := range []string{"A &lt;small&gt; world", "0123456789ab", "Synthetic: no real person is in this data",
		`"title":"How many children were poor in 2016, in the supported areas and in the whole country?"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if actual := get(t, serve(t, func(c *web.Config) {
		c.Synthetic = false
	}).URL+"/"); strings.Contains(string(actual.body), "Synthetic") {
		t.Error("a real data set is called synthetic")
	}
	// Whatever the page loads is here, and nothing of it is elsewhere.
	var loaded []string
	queue := []string{"/"}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if slices.Contains(loaded, at) {
			continue
		}
		loaded = append(loaded, at)
		got := get(t, server.URL+at)
		if got.status != 200 || got.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d", at, got.status)
		}
		text := strings.ReplaceAll(string(got.body), "http://www.w3.org/", "")
		if strings.Contains(text, "http://") || strings.Contains(text, "https://") || strings.Contains(text, "@import") {
			t.Errorf("%s names another server", at)
		}
		for _, quote := range strings.Split(text, `"`) {
			switch {
			case strings.HasPrefix(quote, "console/"):
				queue = append(queue, "/"+quote)
			case strings.HasPrefix(quote, "./") && strings.HasSuffix(quote, ".js"):
				queue = append(queue, "/console/"+quote[2:])
			}
		}
	}
	if len(loaded) < 8 {
		t.Errorf("only %v was loaded", loaded)
	}
}

// What HTTP, the parser and the limits add to an answer from a stored roll-up.
func BenchmarkShare(b *testing.B) {
	for name, document := range map[string]string{
		"nothing": "{ __typename }",
		"one":     "{ children(where: { years: { from: 2016, to: 2016 } }) { share(of: POOR) { value lower upper } } }",
		"twenty":  "{ children(where: { years: { from: 2016, to: 2016 } }) {" + strings.Join(twentyShares(), " ") + "} }",
	} {
		b.Run(name, func(b *testing.B) {
			server := world(b)
			for b.Loop() {
				if r := ask(b, server, document, nil); r.Errors != nil {
					b.Fatal(r.Errors)
				}
			}
		})
	}
}

func twentyShares() (fields []string) {
	for i := range 20 {
		fields = append(fields, fmt.Sprintf("s%d: share(of: %s) { value lower upper }", i,
			[]string{"POOR", "IN_DAY_CARE", "FATHER_CONVICTED", "NON_WESTERN"}[i%4]))
	}
	return fields
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"query": "{ __typename }"}`,
		`{"query": "query($w: CohortFilter) { children(where: $w) { size { value } } }", ` +
			`"variables": {"w": {"years": {"from": 1e9}}}}`,
		`{"query": "{ area(id: \"internal\") { name } }", "operationName": null}`, `[]`,
		`{"query": "{ ...a } fragment a on Query { ...a }"}`, `{"query": "{`, `{"variables": 3}`,
		`{"query": "query($y: IntRange = {from: 3}) { children(where: {years: $y, with: [POOR]}) { description } }"}`,
		`{"query": "query($n: Int!, $s: [Sex!]) { children(where: {sex: $s, years: {from: $n}}) { description } }", ` +
			`"variables": {"n": "2016", "s": ["MALE", 1.5e3, null, {"x": []}]}}`,
		`{"query": "{ plans(where: {activeIn: \"x\"}) { nodes { start } } }"}`, "\x00\xff", `{"query": "\ud800{a}"}`,
	} {
		f.Add([]byte(seed))
	}
	c := config(f)
	handler := web.New(c)
	f.Fuzz(func(t *testing.T, body []byte) {
		request := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", graphqlJSON)
		w := httptest.NewRecorder()
		late := time.AfterFunc(deadline.Patience(t), func() { panic(fmt.Sprintf("no answer to %q", body)) })
		handler.ServeHTTP(w, request)
		late.Stop()
		var r reply
		if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
			t.Fatalf("%v: %s", err, w.Body.Bytes())
		}
		if w.Code >= 500 || len(r.Errors) == 0 && r.Data == nil {
			t.Fatalf("got %d %s", w.Code, w.Body.Bytes())
		}
		for _, e := range r.Errors {
			if e.Message == "" || e.Extensions["code"] == nil {
				t.Fatalf("an error without message or code: %s", w.Body.Bytes())
			}
		}
	})
}

func TestHosts(t *testing.T) {
	open := serve(t, nil)
	own := serve(t, func(c *web.Config) {
		c.AllowedHosts = []string{"localhost", "127.0.0.1", "::1", "Kvarter.example.org"}
	})
	star := serve(t, func(c *web.Config) { c.AllowedHosts = []string{"localhost", "*"} })
	for _, test := range []struct {
		server *httptest.Server
		host   string
		ok     bool
	}{
		{own, "localhost:8080", true}, {own, "LOCALHOST", true}, {own, "localhost.", true}, {own, "127.0.0.1:1", true}, {own,
			"[::1]:8080", true}, {own, "[::1]", true},
		{own, "kvarter.example.org", true}, {own, "kvarter.example.org:443", true},
		{own, "evil.example.org", false}, {own, "evil.example.org:8080", false}, {own, "localhost.evil.example.org",
			false}, {own, "127.0.0.1.evil.example.org:80", false},
		{own, "0.0.0.0:8080", false}, {own, "evil.kvarter.example.org", false}, {own, "[::2]:8080", false},
		{open, "evil.example.org", true}, {star, "evil.example.org", true},
	} {
		for _, path := range []string{"/", "/graphql?query={__typename}", "/schema.graphqls", "/healthz", "/readyz",
			"/console/main.js"} {
			request, _ := http.NewRequest(http.MethodGet, test.server.URL+path, nil)
			request.Host = test.host
			request.Header.Set("Origin", "http://"+test.host)
			got := do(t, request)
			if want := map[bool]int{true: 200, false: 421}[test.ok]; got.status != want {
				t.Errorf("%s at %q: got %d, want %d", path, test.host, got.status, want)
			}
			if !test.ok && (!bytes.Contains(got.body, []byte("only to localhost, 127.0.0.1, ::1, kvarter.example.org; ")) ||
				!bytes.Contains(got.body, []byte("--allow-host "))) {
				t.Errorf("%s at %q says %s", path, test.host, got.body)
			}
			if !test.ok && strings.HasPrefix(path, "/graphql") && !bytes.HasPrefix(got.body,
				[]byte(`{"errors":[{"message":"this server does not answer to the name`)) {
				t.Errorf("at %q GraphQL says %s", test.host, got.body)
			}
		}
	}
}

func TestStarting(t *testing.T) {
	server := httptest.NewServer(web.Starting(web.Config{Log: slog.New(slog.DiscardHandler),
		AllowedHosts: []string{"127.0.0.1"}, AllowedOrigins: []string{"https://maps.example.org"}}, "The <small> world is "+
		"being made"))
	defer server.Close()
	for path, want := range map[string]string{
		"/": "The &lt;small&gt; world is being made. This page", "/readyz": "not ready: The <small> world is being " +
			"made", "/schema.graphqls": "not ready",
		"/graphql?query={__typename}": `{"errors":[{"message":"The <small> world is being made; ask again in a moment",` +
			`"extensions":{"code":"UNAVAILABLE"}}]}`,
	} {
		got := get(t, server.URL+path, "Origin", "https://maps.example.org")
		if got.status != 503 || got.Get("Retry-After") != "2" || got.Get("Cache-Control") != "no-store" ||
			!strings.Contains(string(got.body), want) {
			t.Errorf("%s: got %d %v %s", path, got.status, got.Header, got.body)
		}
		if strings.HasPrefix(path, "/graphql") && (got.Get("Access-Control-Allow-Origin") != "https://maps.example.org" ||
			got.Get("Content-Type") != legacyJSON+"; charset=utf-8") {
			t.Errorf("%s: got %v", path, got.Header)
		}
	}
	if page := get(t, server.URL+"/"); !bytes.Contains(page.body, []byte(`<meta http-equiv="refresh" content="2">`)) ||
		page.Get("Content-Security-Policy") == "" {
		t.Errorf("the page does not reload itself: %s", page.body)
	}
	if r := ask(t, server, "{ __typename }", nil); r.status != 503 || r.code() != "UNAVAILABLE" {
		t.Errorf("got %+v", r)
	}
	for _, path := range []string{"/healthz", "/console/style.css"} {
		if got := get(t, server.URL+path); got.status != 200 {
			t.Errorf("%s: got %d", path, got.status)
		}
	}
	request, _ := http.NewRequest(http.MethodGet, server.URL, nil)
	request.Host = "evil.example.org"
	if got := do(t, request); got.status != 421 {
		t.Errorf("under another name: got %d", got.status)
	}
}
