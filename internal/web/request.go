package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/kvarter/kvarter/internal/fault"
)

const (
	// graphqlJSON answers a wrong document with 400; its status can be trusted.
	graphqlJSON = "application/graphql-response+json"
	// legacyJSON answers every well-formed request with 200, as clients of before that type expect.
	legacyJSON = "application/json"
)

// params are the parameters of a GraphQL-over-HTTP request.
type params struct {
	Query         string
	OperationName string
	Variables     map[string]any
}

// answer is the body of a response. Data is absent, not null, where nothing was executed.
type answer struct {
	Errors     gqlerror.List   `json:"errors,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	Extensions map[string]any  `json:"extensions,omitempty"`
}

// graphql serves /graphql.
func (s *server) graphql(w http.ResponseWriter, r *http.Request) {
	rec := recordOf(r.Context())
	s.allowOrigin(w, r)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Add("Vary", "Accept")
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if isBrowserVisit(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	media, acceptable := negotiate(r.Header.Values("Accept"))
	refuse := func(e *httpError) {
		rec.errors = gqlerror.List{e.shown}
		respond(w, e.status, media, answer{Errors: rec.errors})
	}
	if !acceptable {
		refuse(&httpError{http.StatusNotAcceptable, refused(fault.Invalid,
			"answers are %s or %s; the Accept header %q allows "+
				"neither", graphqlJSON, legacyJSON, strings.Join(r.Header.Values("Accept"), ", "))})
		return
	}

	var p params
	var bad *httpError
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p, bad = s.readURL(r)
	case http.MethodPost:
		p, bad = s.readBody(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST, OPTIONS")
		bad = &httpError{http.StatusMethodNotAllowed, refused(fault.Invalid,
			"the method %s is not for GraphQL; use POST, or GET for queries", r.Method)}
	}
	if bad != nil {
		refuse(bad)
		return
	}

	isGet := r.Method != http.MethodPost
	etag := s.etag(p, media)
	if isGet && etagMatches(r.Header.Get("If-None-Match"), etag) {
		keep(w, etag)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	var known remembered
	if known, rec.again = s.answers.get(etag); rec.again {
		rec.operation, rec.cost = known.operation, known.cost
	} else {
		ctx, tables := s.Reading(r.Context())
		result, executed := s.ask(ctx, p, isGet)
		if rec.errors = result.Errors; len(rec.errors) > 0 {
			status := http.StatusOK
			if !executed && media == graphqlJSON {
				status = http.StatusBadRequest
			}
			respond(w, status, media, result)
			return
		}
		// A request given up, or too late, has an error; what has none is complete.
		known = remembered{result.body(), rec.operation, rec.cost, strings.Join(tables(), " ")}
		if rec.isQuery {
			s.answers.put(etag, known, len(etag)+len(known.body))
		}
	}
	if isGet {
		keep(w, etag)
	}
	if known.tables != "" {
		w.Header().Set(tablesHeader, known.tables)
	}
	send(w, http.StatusOK, media, known.body)
}

// remembered is an answer without errors, and what the log tells of it.
type remembered struct {
	body      []byte
	operation string
	cost      int
	tables    string // that it was computed from
}

// tablesHeader names the tables of the data set that an answer was computed from, with blanks between:
// the answer is the same as long as their fingerprints are.
const tablesHeader = "Kvarter-Tables"

// readURL reads the parameters of a GET.
func (s *server) readURL(r *http.Request) (params, *httpError) {
	if size := len(r.URL.RawQuery); size > s.Limits.Bytes {
		return params{}, &httpError{http.StatusRequestURITooLong, tooLarge("the URL's query", size, s.Limits.Bytes)}
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return params{}, badRequest("the URL's query cannot be read: %v", err)
	}
	raw := map[string]json.RawMessage{}
	for name, value := range values {
		if e := checkName(name); e != nil {
			return params{}, e
		}
		if !slices.Contains(members, name) {
			continue
		}
		what := "`" + name + "` in the URL"
		if len(value) > 1 {
			return params{}, badRequest("%s stands %d times; once was expected", what, len(value))
		}
		if e := checkUTF8(what, []byte(value[0])); e != nil {
			return params{}, e
		}
		switch name {
		case "query", "operationName":
			raw[name], _ = json.Marshal(value[0])
		case "variables", "extensions":
			if value[0] == "" {
				continue
			}
			raw[name] = json.RawMessage(value[0])
			if json.Valid(raw[name]) {
				if e := checkJSON(what, raw[name]); e != nil {
					return params{}, e
				}
			}
		}
	}
	return readParams(raw)
}

// readBody reads the parameters of a POST.
func (s *server) readBody(w http.ResponseWriter, r *http.Request) (params, *httpError) {
	// A client that sends slower than an answer may take holds no connection: the deadline stays
	// until the body is read, or else the connection is closed. Writers that are not connections
	// have no deadline to set.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(time.Duration(s.Limits.TimeoutMS) * time.Millisecond))

	unsupported := func(format string, args ...any) (params, *httpError) {
		return params{}, &httpError{http.StatusUnsupportedMediaType, refused(fault.Invalid, format, args...)}
	}
	contentType := r.Header.Get("Content-Type")
	media, attributes, err := mime.ParseMediaType(contentType)
	if err != nil || media != legacyJSON {
		return unsupported("a POST needs the header `Content-Type: application/json`, got %q", contentType)
	}
	if charset := attributes["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return unsupported("the body must be in UTF-8, not in %q", charset)
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return unsupported("the body must not be compressed; it has the Content-Encoding %q", encoding)
	}

	tooLong := func(size int) (params, *httpError) {
		w.Header().Set("Connection", "close") // the rest of the body is not read
		return params{}, &httpError{http.StatusRequestEntityTooLarge, tooLarge("the request body", size, s.Limits.Bytes)}
	}
	if r.ContentLength > int64(s.Limits.Bytes) {
		return tooLong(int(r.ContentLength))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.Limits.Bytes)))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLong(0)
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return params{}, &httpError{http.StatusRequestTimeout, overLimit("timeoutMs", 0, s.Limits.TimeoutMS,
			"the request body did not arrive within %s ms", thousands(s.Limits.TimeoutMS))}
	case err != nil:
		recordOf(r.Context()).gone = true
		return params{}, badRequest("the request body ends too early: %v", err)
	}

	_ = connection.SetReadDeadline(time.Time{})

	if e := checkUTF8("the request body", body); e != nil {
		return params{}, e
	}
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return params{}, badRequest("the request body is empty; it must be a JSON object with `query`")
	case body[0] == '[':
		return params{}, badRequest("a list of requests is not supported; send one request at a time, or ask several " +
			"fields in one document with aliases")
	case body[0] != '{' && json.Valid(body):
		return params{}, badRequest("the request body must be a JSON object with `query`, got %s", kind(body))
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return params{}, badRequest("the request body is not JSON: at byte %d: %v", syntax.Offset, err)
		}
		return params{}, badRequest("the request body is not JSON: %v", err)
	}
	if e := checkJSON("the request body", body); e != nil {
		return params{}, e
	}
	for name := range raw {
		if e := checkName(name); e != nil {
			return params{}, e
		}
	}
	return readParams(raw)
}

// members are the parameters of a request.
var members = []string{"query", "operationName", "variables", "extensions"}

// checkName returns an error for a parameter that is likely to be one of members misspelt. Others are
// ignored, as the GraphQL-over-HTTP specification says.
func checkName(name string) *httpError {
	if slices.Contains(members, name) {
		return nil
	}
	for _, member := range members {
		suggestion := fault.Suggest(name, []string{member})
		// queryId is none
		if n := len(name) - len(member); n >= -1 && n <= 1 && strings.Contains(suggestion, "did you mean") {
			return badRequest("a request has no `%s`%s", name, suggestion)
		}
	}
	return nil
}

// readParams checks the type of each parameter.
func readParams(raw map[string]json.RawMessage) (p params, _ *httpError) {
	for _, text := range []struct {
		name  string
		value *string
	}{{"query", &p.Query}, {"operationName", &p.OperationName}} {
		value, ok := raw[text.name]
		if !ok || kind(value) == "null" {
			continue
		}
		if inner := bytes.Trim(value, `"`); len(inner) == len(value)-2 && !bytes.Contains(inner, []byte(`\`)) {
			*text.value = string(inner) // a long document need not be read once more
			continue
		}
		if err := json.Unmarshal(value, text.value); err != nil {
			return p, badRequest("`%s` must be a string, got %s", text.name, kind(value))
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		value, ok := raw[name]
		if !ok || kind(value) == "null" {
			continue
		}
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(value))
		decoder.UseNumber()
		if err := decoder.Decode(&object); err != nil || !json.Valid(value) {
			if kind(value) == "an object" {
				return p, badRequest("`%s` is not JSON: %v", name, cmpErr(err, "there is more after its end"))
			}
			return p, badRequest("`%s` must be an object such as {\"year\": 2016}, got %s", name, kind(value))
		}
		if name == "variables" {
			p.Variables = object
		}
	}
	if strings.TrimSpace(p.Query) == "" {
		return p, badRequest("`query` is missing; it must be a GraphQL document such as \"{ dataset { title } }\"")
	}
	return p, nil
}

func cmpErr(err error, otherwise string) string {
	if err != nil {
		return err.Error()
	}
	return otherwise
}

// kind names what a JSON value is, by its first byte.
func kind(value []byte) string {
	value = bytes.TrimSpace(value)
	if len(value) == 0 {
		return "nothing"
	}
	switch value[0] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

func tooLarge(what string, size, limit int) *gqlerror.Error {
	has := "more than " + thousands(limit)
	if size > 0 {
		has = thousands(size)
	}
	return overLimit("bytes", size, limit, "%s has %s bytes; the limit is %s", what, has, thousands(limit))
}

// negotiate chooses the media type of the answer: of the two that a client accepts alike,
// graphqlJSON if it names it, else legacyJSON, which clients that accept anything expect.
func negotiate(accept []string) (media string, ok bool) {
	header := strings.Join(accept, ",")
	if strings.TrimSpace(header) == "" {
		return legacyJSON, true
	}
	type rank struct {
		q           float64
		specificity int // 2 named, 1 application/*, 0 */*
	}
	best := map[string]rank{}
	for _, part := range strings.Split(header, ",") {
		name, attributes, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, given := attributes["q"]; given {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		for _, offer := range []string{graphqlJSON, legacyJSON} {
			specificity := -1
			switch name {
			case offer:
				specificity = 2
			case "application/*":
				specificity = 1
			case "*/*":
				specificity = 0
			}
			if old, seen := best[offer]; specificity >= 0 && (!seen || specificity > old.specificity) {
				best[offer] = rank{q, specificity}
			}
		}
	}
	g, l := best[graphqlJSON], best[legacyJSON]
	switch {
	case g.q <= 0 && l.q <= 0:
		return legacyJSON, false
	case g.q > l.q, g.q == l.q && g.specificity == 2:
		return graphqlJSON, true
	}
	return legacyJSON, true
}

// isBrowserVisit reports whether a person opened /graphql in a browser, with nothing asked.
func isBrowserVisit(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.RawQuery == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// allowOrigin lets pages of the configured origins read the answer.
func (s *server) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if len(s.AllowedOrigins) == 0 {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	anyOrigin := slices.Contains(s.AllowedOrigins, "*")
	if origin == "" || !anyOrigin && !slices.Contains(s.AllowedOrigins, origin) {
		return
	}
	if anyOrigin {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "ETag, Kvarter-Tables, X-Request-Id")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		h.Set("Access-Control-Allow-Headers", "Accept, Content-Type, If-None-Match, X-Request-Id")
		h.Set("Access-Control-Max-Age", "600")
	}
}

// etag names the answer to a question: it stays the same while the data set, the schema, the
// limits and the program do.
func (s *server) etag(p params, media string) string {
	variables, _ := json.Marshal(p.Variables) // keys in order; it came from JSON
	sum := sha256.New()
	for _, part := range []string{s.etagSalt, media, p.Query, p.OperationName, string(variables)} {
		fmt.Fprintf(sum, "%d:%s", len(part), part) // with its length, no two lists of parts read the same
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
}

func keep(w http.ResponseWriter, etag string) {
	w.Header().Set("ETag", etag)
	w.Header().Set("Cache-Control", "private, no-cache")
}

// etagMatches reports whether an If-None-Match header names the ETag.
func etagMatches(header, etag string) bool {
	for _, candidate := range strings.Split(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}

func respond(w http.ResponseWriter, status int, media string, a answer) {
	send(w, status, media, a.body())
}

// body writes the answer as JSON.
func (a answer) body() []byte {
	var body bytes.Buffer
	if len(a.Errors) == 0 && len(a.Extensions) == 0 {
		// The data is JSON already; encoding it would read all of it once more.
		body.Grow(len(a.Data) + 16)
		body.WriteString(`{"data":`)
		body.Write(a.Data)
		body.WriteString("}\n")
		return body.Bytes()
	}
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a); err != nil {
		panic(fmt.Errorf("encoding the answer: %w", err))
	}
	return body.Bytes()
}

func send(w http.ResponseWriter, status int, media string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone, which the log says
}
