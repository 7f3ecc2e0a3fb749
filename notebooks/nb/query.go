package nb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// World is a server, and the data set behind it, that a question can be asked of.
type World struct {
	variable string // the environment variable that names its endpoint
	url      string // where it is if that is not set
	start    string // how to start it
	dataset  string // the name of the data set that it has to serve; "" for any
}

var (
	// DefaultWorld is the server that Query asks, named by KVARTER_URL.
	DefaultWorld = World{variable: urlVariable, url: defaultURL, start: "    go run ."}

	// AreaEffectWorld serves a synthetic data set whose areas have a planted effect on day care
	// at ages 1-2, named by KVARTER_AREA_EFFECT_URL: what a method finds there is known to be there.
	AreaEffectWorld = World{variable: "KVARTER_AREA_EFFECT_URL", url: "http://127.0.0.1:8081/graphql",
		start: "    go run . generate --data data/area-effect --world area-effect\n    go run . serve --data " +
			"data/area-effect --addr 127.0.0.1:8081"}

	// OfficialLists serves real figures, named by KVARTER_OFFICIAL_LISTS_URL: the ministry's lists of housing
	// areas 2010-2014 and the population by municipality and age, as published (data/official).
	OfficialLists = World{variable: "KVARTER_OFFICIAL_LISTS_URL", url: "http://127.0.0.1:8082/graphql",
		start: "    go run . import data/official/recipe.yaml --data data/official-lists\n    go run . serve --data " +
			"data/official-lists --addr 127.0.0.1:8082", dataset: "official"}
)

// read is the world that the notebook reads: what Query, Header, tables and charts ask.
var read = DefaultWorld

const (
	urlVariable = "KVARTER_URL"
	defaultURL  = "http://127.0.0.1:8080/graphql"

	// A question that takes longer than this is over the server's own time limit by far.
	queryTimeout = 2 * time.Minute
	// The largest answer read; the server's limit on cells keeps answers far below it.
	maxAnswer = 256 << 20
)

// Query asks the server the GraphQL document doc with the variables vars (nil for none) and
// returns the answer's data as a T. The server is that of the world which the notebook reads (see
// World.Reads), DefaultWorld if it does not say. It stops the cell where that fails: the server is not
// there, the answer holds errors, or the answer and T are not the same shape (see QueryE).
func Query[T any](doc string, vars map[string]any) T {
	return QueryOn[T](read, doc, vars)
}

// QueryOn is Query, asked of another world.
func QueryOn[T any](w World, doc string, vars map[string]any) T {
	answer, err := query[T](w, doc, vars)
	if err != nil {
		stop(err)
	}
	return answer
}

// QueryE is Query with the error returned, for a cell that shows what happens to a wrong
// question. Errors of the server are an *AnswerError.
//
// T is a struct whose fields are those of the document, matched by name without regard to
// case, or by a json tag. Matching is strict both ways: a field of the answer that T lacks is
// an error, and so is a field of T that the document did not ask for (unless its tag says
// omitempty). A null is an error too, except where T has a pointer, a slice, a map or an any
// to hold it: a figure that is not there never reads as zero.
func QueryE[T any](doc string, vars map[string]any) (T, error) {
	return query[T](read, doc, vars)
}

func query[T any](w World, doc string, vars map[string]any) (answer T, err error) {
	endpoint, err := w.endpoint()
	if err != nil {
		return answer, err
	}
	if vars == nil {
		vars = map[string]any{}
	}
	body, err := json.Marshal(map[string]any{"query": doc, "variables": vars})
	if err != nil {
		return answer, fmt.Errorf("the variables of the query cannot be sent as JSON: %w", err)
	}
	request, err := http.NewRequest(http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/graphql-response+json, application/json;q=0.9")
	client := http.Client{Timeout: queryTimeout}
	response, err := client.Do(request)
	if err != nil {
		return answer, w.noServer(endpoint, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return answer, fmt.Errorf("the answer of %s broke off: %w", endpoint, err)
	}
	if len(text) > maxAnswer {
		return answer, fmt.Errorf("the answer of %s is larger than %d MB; ask for less, or page with first and after",
			endpoint, maxAnswer>>20)
	}
	data, err := w.readAnswer(endpoint, response, text)
	if err != nil {
		return answer, err
	}
	if w == read {
		if err := checkStated(response.Header.Get("Kvarter-Tables")); err != nil {
			return answer, err
		}
	}
	return answer, decode(data, &answer)
}

// endpoint is the address that queries go to.
func (w World) endpoint() (string, error) {
	address := os.Getenv(w.variable)
	if address == "" {
		return w.url, nil
	}
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", fmt.Errorf("%s is %q; it should be the address of the server's GraphQL endpoint, like %s", w.variable,
			address, w.url)
	}
	return address, nil
}

func (w World) noServer(endpoint string, err error) error {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("the server at %s did not answer within %s", endpoint, queryTimeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf(`no server answers at %s (the connection was refused).
Start it in the folder of the repository, then run this cell again:

%s

If it runs somewhere else, say where in a cell of its own:

    %%env %s http://HOST:PORT/graphql`, endpoint, w.start, w.variable)
	default:
		return fmt.Errorf(`the server at %s cannot be reached: %w
Is the address right? It comes from the environment variable %s.
The server is started in the folder of the repository with

%s`, endpoint, err, w.variable, w.start)
	}
}

// AnswerError holds the errors that a GraphQL server answered with.
type AnswerError struct {
	Errors []GraphQLError
}

// GraphQLError is one error as the GraphQL specification (section 7.1.2) has it.
type GraphQLError struct {
	Message    string         `json:"message"`
	Path       []any          `json:"path,omitempty"`
	Locations  []Location     `json:"locations,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// Location is a place in the document; both count from 1.
type Location struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

func (e *AnswerError) Error() string {
	var b strings.Builder
	if len(e.Errors) == 1 {
		b.WriteString("the server answered with an error:")
	} else {
		fmt.Fprintf(&b, "the server answered with %d errors:", len(e.Errors))
	}
	for _, one := range e.Errors {
		b.WriteString("\n  - " + one.String())
	}
	return b.String()
}

// String is the message with where it happened and its code, as far as the server said.
func (e GraphQLError) String() string {
	var where []string
	if len(e.Path) > 0 {
		where = append(where, "at "+pathString(e.Path))
	}
	if len(e.Locations) > 0 {
		where = append(where, fmt.Sprintf("line %d, column %d of the query", e.Locations[0].Line, e.Locations[0].Column))
	}
	if code, ok := e.Extensions["code"].(string); ok && code != "" {
		where = append(where, code)
	}
	if len(where) == 0 {
		return e.Message
	}
	return e.Message + " (" + strings.Join(where, "; ") + ")"
}

func pathString(path []any) string {
	var b strings.Builder
	for i, step := range path {
		switch step := step.(type) {
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		default:
			fmt.Fprintf(&b, "[%v]", step)
		}
	}
	return b.String()
}

// readAnswer takes the data out of a response, or says why there is none.
func (w World) readAnswer(endpoint string, response *http.Response, text []byte) (json.RawMessage, error) {
	var answer struct {
		Data   json.RawMessage `json:"data"`
		Errors []GraphQLError  `json:"errors"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		start := strings.Join(strings.Fields(string(text[:min(len(text), 200)])), " ")
		return nil, fmt.Errorf("%s answered %q, which is not a GraphQL answer: %q\nIs %s the address of the GraphQL "+
			"endpoint, like %s?",
			endpoint, response.Status, start, w.variable, w.url)
	}
	if len(answer.Errors) > 0 {
		return nil, &AnswerError{answer.Errors}
	}
	if len(answer.Data) == 0 || string(answer.Data) == "null" {
		return nil, fmt.Errorf("%s answered %q with neither data nor errors", endpoint, response.Status)
	}
	return answer.Data, nil
}
