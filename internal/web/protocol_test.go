package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

const (
	graphqlJSON = "application/graphql-response+json"
	legacyJSON  = "application/json"
)

// The 61 audits of the npm package graphql-http (1.22), each with its id and name: what it sends,
// and what it wants to see. MAY audits are held to the strict reading.
var audits = []struct {
	name, method, query, contentType, accept, body string
	status                                         int
	media                                          string
	data                                           bool // has data and no errors, else errors and no data
}{
	{"22EB SHOULD accept graphql-response+json and match the content-type", "POST", "", legacyJSON, graphqlJSON,
		`{"query":"{ __typename }"}`, 200, graphqlJSON, true},
	{"4655 MUST accept application/json and match the content-type", "POST", "", legacyJSON, legacyJSON,
		`{"query":"{ __typename }"}`, 200, legacyJSON, true},
	{"47DE SHOULD accept */* and use application/json for the content-type", "POST", "", legacyJSON, "*/*",
		`{"query":"{ __typename }"}`, 200, legacyJSON, true},
	{"80D8 SHOULD assume application/json content-type when accept is missing", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }"}`, 200, legacyJSON, true},
	{"82A3 MUST use utf-8 encoding when responding", "POST", "", legacyJSON, "", `{"query":"{ __typename }"}`, 200,
		legacyJSON, true},
	{"BF61 MUST accept utf-8 encoded request", "POST", "", "application/json; charset=utf-8", "",
		`{"query":"{ __type(name: \"Run🏃Swim🏊\") { name } }"}`, 200, legacyJSON, true},
	{"78D5 MUST assume utf-8 in request if encoding is unspecified", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }"}`, 200, legacyJSON, true},
	{"2C94 MUST accept POST requests", "POST", "", legacyJSON, "", `{"query":"{ __typename }"}`, 200, legacyJSON, true},
	{"5A70 MAY accept application/x-www-form-urlencoded formatted GET requests", "GET", "?query=%7B+__typename+%7D", "",
		"", "", 200, legacyJSON, true},
	{"9C48 MAY NOT allow executing mutations on GET requests", "GET", "?query=mutation+%7B+__typename+%7D", "",
		graphqlJSON, "", 400, graphqlJSON, false},
	{"9ABE SHOULD respond with 4xx status code if content-type is not supplied on POST requests", "POST", "", "", "",
		`{"query":"{ __typename }"}`, 415, legacyJSON, false},
	{"03D4 MUST accept application/json POST requests", "POST", "", legacyJSON, "", `{"query":"{ __typename }"}`, 200,
		legacyJSON, true},
	{"A5BF MAY use 400 status code when request body is missing on POST", "POST", "", legacyJSON, "", "", 400, legacyJSON,
		false},
	{"423L MAY use 400 status code on missing {query} parameter", "POST", "", legacyJSON, graphqlJSON,
		`{"notquery":"{ __typename }"}`, 400, graphqlJSON, false},
	{"LKJ0 MAY use 400 status code on object {query} parameter", "POST", "", legacyJSON, "", `{"query":{"obj":"ect"}}`,
		400, legacyJSON, false},
	{"LKJ1 MAY use 400 status code on number {query} parameter", "POST", "", legacyJSON, "", `{"query":0}`, 400,
		legacyJSON, false},
	{"LKJ2 MAY use 400 status code on boolean {query} parameter", "POST", "", legacyJSON, "", `{"query":false}`, 400,
		legacyJSON, false},
	{"LKJ3 MAY use 400 status code on array {query} parameter", "POST", "", legacyJSON, "", `{"query":["array"]}`, 400,
		legacyJSON, false},
	{"34A2 SHOULD allow string {query} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"query":"{ __typename }"}`, 200, graphqlJSON, true},
	{"13EE MUST allow string {query} parameter when accepting application/json", "POST", "", legacyJSON, legacyJSON,
		`{"query":"{ __typename }"}`, 200, legacyJSON, true},
	{"6C00 MAY use 400 status code on object {operationName} parameter", "POST", "", legacyJSON, "",
		`{"operationName":{"obj":"ect"},"query":"{ __typename }"}`, 400, legacyJSON, false},
	{"6C01 MAY use 400 status code on number {operationName} parameter", "POST", "", legacyJSON, "",
		`{"operationName":0,"query":"{ __typename }"}`, 400, legacyJSON, false},
	{"6C02 MAY use 400 status code on boolean {operationName} parameter", "POST", "", legacyJSON, "",
		`{"operationName":false,"query":"{ __typename }"}`, 400, legacyJSON, false},
	{"6C03 MAY use 400 status code on array {operationName} parameter", "POST", "", legacyJSON, "",
		`{"operationName":["array"],"query":"{ __typename }"}`, 400, legacyJSON, false},
	{"8161 SHOULD allow string {operationName} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"operationName":"Query","query":"query Query { __typename }"}`, 200, graphqlJSON, true},
	{"B8B3 MUST allow string {operationName} parameter when accepting application/json", "POST", "", legacyJSON,
		legacyJSON, `{"operationName":"Query","query":"query Query { __typename }"}`, 200, legacyJSON, true},
	{"94B0 SHOULD allow null {variables} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"query":"{ __typename }","variables":null}`, 200, graphqlJSON, true},
	{"0220 MUST allow null {variables} parameter when accepting application/json", "POST", "", legacyJSON, legacyJSON,
		`{"query":"{ __typename }","variables":null}`, 200, legacyJSON, true},
	{"94B1 SHOULD allow null {operationName} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"query":"{ __typename }","operationName":null}`, 200, graphqlJSON, true},
	{"0221 MUST allow null {operationName} parameter when accepting application/json", "POST", "", legacyJSON, legacyJSON,
		`{"query":"{ __typename }","operationName":null}`, 200, legacyJSON, true},
	{"94B2 SHOULD allow null {extensions} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"query":"{ __typename }","extensions":null}`, 200, graphqlJSON, true},
	{"0222 MUST allow null {extensions} parameter when accepting application/json", "POST", "", legacyJSON, legacyJSON,
		`{"query":"{ __typename }","extensions":null}`, 200, legacyJSON, true},
	{"4760 MAY use 400 status code on string {variables} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","variables":"string"}`, 400, legacyJSON, false},
	{"4761 MAY use 400 status code on number {variables} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","variables":0}`, 400, legacyJSON, false},
	{"4762 MAY use 400 status code on boolean {variables} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","variables":false}`, 400, legacyJSON, false},
	{"4763 MAY use 400 status code on array {variables} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","variables":["array"]}`, 400, legacyJSON, false},
	{"2EA1 SHOULD allow map {variables} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"query":"query Type($name: String!) { __type(name: $name) { name } }",
			"variables":{"name":"sometype"}}`, 200,
		graphqlJSON, true},
	{"28B9 MUST allow map {variables} parameter when accepting application/json", "POST", "", legacyJSON, legacyJSON,
		`{"query":"query Type($name: String!) { __type(name: $name) { name } }","variables":{"name":"sometype"}}`, 200,
		legacyJSON, true},
	{"D6D5 MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting graphql-response+json", "GET",
		"?query=query+Type%28%24name%3A+String%21%29+%7B+__type%28name%3A+%24name%29+%7B+name+%7D+%7D" +
			"&variables=%7B%22name%22%3A%22sometype%22%7D", "", graphqlJSON, "", 200, graphqlJSON, true},
	{"6A70 MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json", "GET",
		"?query=query+Type%28%24name%3A+String%21%29+%7B+__type%28name%3A+%24name%29+%7B+name+%7D+%7D" +
			"&variables=%7B%22name%22%3A%22sometype%22%7D", "", legacyJSON, "", 200, legacyJSON, true},
	{"58B0 MAY use 400 status code on string {extensions} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","extensions":"string"}`, 400, legacyJSON, false},
	{"58B1 MAY use 400 status code on number {extensions} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","extensions":0}`, 400, legacyJSON, false},
	{"58B2 MAY use 400 status code on boolean {extensions} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","extensions":false}`, 400, legacyJSON, false},
	{"58B3 MAY use 400 status code on array {extensions} parameter", "POST", "", legacyJSON, "",
		`{"query":"{ __typename }","extensions":["array"]}`, 400, legacyJSON, false},
	{"428F SHOULD allow map {extensions} parameter when accepting graphql-response+json", "POST", "", legacyJSON,
		graphqlJSON, `{"query":"{ __typename }","extensions":{"some":"value"}}`, 200, graphqlJSON, true},
	{"1B7A MUST allow map {extensions} parameter when accepting application/json", "POST", "", legacyJSON, legacyJSON,
		`{"query":"{ __typename }","extensions":{"some":"value"}}`, 200, legacyJSON, true},
	{"B6DC MAY use 2xx, 4xx, or 5xx status codes on JSON parsing failure when accepting application/json", "POST", "",
		legacyJSON, legacyJSON, `{ "not a JSON`, 400, legacyJSON, false},
	{"BCF8 SHOULD use 400 status code on JSON parsing failure when accepting application/json", "POST", "", legacyJSON,
		legacyJSON, `{ "not a JSON`, 400, legacyJSON, false},
	{"B7N8 SHOULD use 400 status code on JSON parsing failure when accepting graphql-response+json", "POST", "",
		legacyJSON, graphqlJSON, `{ "not a JSON`, 400, graphqlJSON, false},
	{"8764 MAY use 4xx or 5xx status codes if parameters are invalid", "POST", "", legacyJSON, "",
		`{"qeury":"{ __typename }"}`, 400, legacyJSON, false},
	{"3E3A MAY use 400 status code if parameters are invalid", "POST", "", legacyJSON, "", `{"qeury":"{ __typename }"}`,
		400, legacyJSON, false},
	{"572B SHOULD use 200 status code on document parsing failure when accepting application/json", "POST", "", legacyJSON,
		legacyJSON, `{"query":"{"}`, 200, legacyJSON, false},
	{"FDE2 SHOULD use 200 status code on document validation failure when accepting application/json", "POST", "",
		legacyJSON, legacyJSON, `{"query":"{ 8f31403dfe404bccbb0e835f2629c6a7 }"}`, 200, legacyJSON, false},
	{"7B9B SHOULD use a status code of 200 on variable coercion failure when accepting application/json", "POST", "",
		legacyJSON, legacyJSON, `{"query":"query CoerceFailure($id: ID!){ __typename }","variables":{"id":null}}`, 200,
		legacyJSON, false},
	{"865D SHOULD use 4xx or 5xx status codes on document parsing failure when accepting graphql-response+json", "POST",
		"", legacyJSON, graphqlJSON, `{"query":"{"}`, 400, graphqlJSON, false},
	{"556A SHOULD use 400 status code on document parsing failure when accepting graphql-response+json", "POST", "",
		legacyJSON, graphqlJSON, `{"query":"{"}`, 400, graphqlJSON, false},
	{"D586 SHOULD not contain the data entry on document parsing failure when accepting graphql-response+json", "POST", "",
		legacyJSON, graphqlJSON, `{"query":"{"}`, 400, graphqlJSON, false},
	{"51FE SHOULD use 4xx or 5xx status codes on document validation failure when accepting graphql-response+json", "POST",
		"", legacyJSON, graphqlJSON, `{"query":"{ 8f31403dfe404bccbb0e835f2629c6a7 }"}`, 400, graphqlJSON, false},
	{"74FF SHOULD use 400 status code on document validation failure when accepting graphql-response+json", "POST", "",
		legacyJSON, graphqlJSON, `{"query":"{ 8f31403dfe404bccbb0e835f2629c6a7 }"}`, 400, graphqlJSON, false},
	{"5E5B SHOULD not contain the data entry on document validation failure when accepting graphql-response+json", "POST",
		"", legacyJSON, graphqlJSON, `{"query":"{ 8f31403dfe404bccbb0e835f2629c6a7 }"}`, 400, graphqlJSON, false},
	{"86EE SHOULD use a status code of 400 on variable coercion failure when accepting graphql-response+json", "POST", "",
		legacyJSON, graphqlJSON, `{"query":"query CoerceFailure($id: ID!){ __typename }","variables":{"id":null}}`, 400,
		graphqlJSON, false},
}

func TestProtocol(t *testing.T) {
	server := serve(t, nil)
	for _, a := range audits {
		t.Run(a.name, func(t *testing.T) {
			request, err := http.NewRequest(a.method, server.URL+"/graphql"+a.query, strings.NewReader(a.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"Content-Type": a.contentType, "Accept": a.accept} {
				if value != "" {
					request.Header.Set(name, value)
				}
			}
			got := do(t, request)
			if got.status != a.status || got.Get("Content-Type") != a.media+"; charset=utf-8" {
				t.Errorf("got status %d and %s, want %d and %s: %s", got.status, got.Get("Content-Type"), a.status, a.media,
					got.body)
			}
			var answer map[string]json.RawMessage
			if err := json.Unmarshal(got.body, &answer); err != nil {
				t.Fatalf("%v: %s", err, got.body)
			}
			_, data := answer["data"]
			_, errors := answer["errors"]
			if data != a.data || errors == a.data {
				t.Errorf("got data: %v, errors: %v: %s", data, errors, got.body)
			}
		})
	}
	if len(audits) != 61 {
		t.Errorf("%d audits, there are 61", len(audits))
	}
}
