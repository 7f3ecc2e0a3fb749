package web

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/lexer"

	"github.com/kvarter/kvarter/internal/fault"
)

// Limits bound what one request may cost. They are what `dataset.limits` shows.
type Limits struct {
	Complexity int // largest cost of an operation; see cost
	Depth      int // most levels of fields, introspection apart
	Cells      int // most cells of one breakdown; the resolvers hold it
	TimeoutMS  int // longest time of one request, in milliseconds
	Tokens     int // most tokens of a document, comments included
	Bytes      int // largest request body, or URL query of a GET, in bytes
}

// DefaultLimits hold a request to what two cores answer in seconds: a thousand questions to the
// store, or 300,000 fields at hand, which are 10,000 cells, the most of one list of them, with thirty
// fields each. That is half a second and some ten megabytes.
func DefaultLimits() Limits {
	return Limits{Complexity: 300_000, Depth: 15, Cells: 10_000, TimeoutMS: 10_000, Tokens: 10_000, Bytes: 1 << 20}
}

// WithDefaults returns l with the default in place of each field that is 0 or less.
func (l Limits) WithDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct {
		value    *int
		standard int
	}{
		{&l.Complexity, d.Complexity}, {&l.Depth, d.Depth}, {&l.Cells, d.Cells},
		{&l.TimeoutMS, d.TimeoutMS}, {&l.Tokens, d.Tokens}, {&l.Bytes, d.Bytes},
	} {
		if *f.value <= 0 {
			*f.value = f.standard
		}
	}
	return l
}

// introspectionLevels is what tools need to read a schema: the introspection query of graphql-js
// 16 has 15 levels.
const introspectionLevels = 20

// overLimit is the error of a request that costs more than the limit, named as in `dataset.limits`.
func overLimit(limit string, cost, most int, format string, args ...any) *gqlerror.Error {
	e := refused(fault.Forbidden, format, args...)
	e.Extensions["limit"] = limit
	e.Extensions["max"] = most
	if cost > 0 {
		e.Extensions["cost"] = cost
	}
	return e
}

func overDepth(levels, most int) *gqlerror.Error {
	return overLimit("depth", levels, most, "the document has %s levels of fields; the limit is %s", thousands(levels),
		thousands(most))
}

// checkText holds a document to the limits of tokens and levels before it is parsed, so that
// what is over them costs no more than reading it once.
func (l Limits) checkText(document string) (errs gqlerror.List) {
	lex := lexer.New(&ast.Source{Input: document})
	tokens, levels, deepest, parens := 0, 0, 0, 0
	for {
		token, err := lex.ReadToken()
		if err != nil || token.Kind == lexer.EOF {
			break // the parser tells what is wrong with it
		}
		tokens++
		switch token.Kind {
		case lexer.ParenL:
			parens++
		case lexer.ParenR:
			parens--
		case lexer.BraceL:
			if parens == 0 { // else an argument's object
				levels++
				deepest = max(deepest, levels)
			}
		case lexer.BraceR:
			if parens == 0 {
				levels--
			}
		}
	}
	if deepest > max(l.Depth, introspectionLevels) {
		errs = append(errs, overDepth(deepest, l.Depth))
	}
	if tokens > l.Tokens {
		errs = append(errs, overLimit("tokens", tokens, l.Tokens,
			"the document has %s tokens; the limit is %s; values can go into variables", thousands(tokens), thousands(l.Tokens)))
	}
	return errs
}

// checkDepth holds a parsed document, which need not be valid, to the limit of levels.
func (l Limits) checkDepth(doc *ast.QueryDocument) *gqlerror.Error {
	d := depths{fragments: map[string]*ast.FragmentDefinition{}, known: map[string]int{}}
	for _, f := range doc.Fragments {
		d.fragments[f.Name] = f
	}
	deepest := 0
	for _, op := range doc.Operations {
		deepest = max(deepest, d.of(op.SelectionSet))
	}
	if deepest > l.Depth {
		return overDepth(deepest, l.Depth)
	}
	if d.introspection > introspectionLevels {
		return overDepth(d.introspection, introspectionLevels)
	}
	return nil
}

type depths struct {
	fragments     map[string]*ast.FragmentDefinition
	known         map[string]int // of each fragment; 0 while it is being measured, so that a cycle ends
	introspection int            // the deepest introspection
}

func (d *depths) of(set ast.SelectionSet) int {
	deepest := 0
	for _, selection := range set {
		depth := 0
		switch selection := selection.(type) {
		case *ast.Field:
			depth = 1 + d.of(selection.SelectionSet)
			if selection.Name == "__schema" || selection.Name == "__type" {
				d.introspection = max(d.introspection, depth)
				depth = 1
			}
		case *ast.InlineFragment:
			depth = d.of(selection.SelectionSet)
		case *ast.FragmentSpread:
			known, ok := d.known[selection.Name]
			if !ok && d.fragments[selection.Name] != nil {
				d.known[selection.Name] = 0
				known = d.of(d.fragments[selection.Name].SelectionSet)
				d.known[selection.Name] = known
			}
			depth = known
		}
		deepest = max(deepest, depth)
	}
	return deepest
}

const (
	pageLength = 50  // of a connection without `first` and `last`
	listLength = 10  // of a list whose length nothing tells; years, plans of an area, codes
	objectDim  = 100 // values of a dimension of objects: areas, municipalities
	costTop    = 1_000_000_000
)

// cost is an upper estimate of an operation's work, in units of one field that is already at hand: a
// microsecond or two of processor time and some bytes of the answer. What has to be worked out the
// schema prices with its directive cost, at 10 to 50 microseconds a unit: work is priced low, so that
// fields do not crowd it out. Only a question that no roll-up covers takes longer, up to 200
// microseconds a unit; of many such the limit of time is met first. What is selected in a list costs as
// often as the list is expected to be long: `first` or `last` of a connection, else pageLength, at most
// the ids that its filter names; for cells the product of the numbers of codes of the dimensions, at most
// `first` and the limit of cells; else listLength; work that is shared, such as the tables that the
// cohorts of all areas of a list are answered from, counts once in a list. Introspection costs 1 in all.
// It stops counting at costTop. The operation must be valid.
func (l Limits) cost(schema *ast.Schema, op *ast.OperationDefinition, variables map[string]any) int {
	c := costing{schema: schema, variables: variables, cells: l.Cells, fragments: map[fragmentPage]price{}}
	all := c.set(op.SelectionSet, 0)
	return min(all.each+all.shared, costTop)
}

type costing struct {
	schema    *ast.Schema
	variables map[string]any
	cells     int
	fragments map[fragmentPage]price
}

// fragmentPage is a fragment and the length of the page that it is spread in.
type fragmentPage struct {
	name string
	page int
}

// set returns the cost of a selection; page is the length of the connection it is made in.
func (c *costing) set(set ast.SelectionSet, page int) price {
	var sum price
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			sum = sum.plus(c.field(selection, page))
		case *ast.InlineFragment:
			sum = sum.plus(c.set(selection.SelectionSet, page))
		case *ast.FragmentSpread:
			key := fragmentPage{selection.Name, page}
			known, ok := c.fragments[key]
			if !ok {
				known = c.set(selection.Definition.SelectionSet, page)
				c.fragments[key] = known
			}
			sum = sum.plus(known)
		}
	}
	return sum
}

// price is what a selection costs for each element of the lists around it, and what all of them share.
type price struct{ each, shared int }

func (p price) plus(o price) price {
	return price{min(p.each+o.each, costTop), min(p.shared+o.shared, costTop)}
}

// times is the price of n elements.
func (p price) times(n int) price { return price{min(n*p.each, costTop), p.shared} }

func (c *costing) field(f *ast.Field, page int) price {
	if strings.HasPrefix(f.Name, "__") || f.Definition == nil {
		return price{each: 1}
	}
	own := c.work(f).plus(price{each: 1})
	isConnection := strings.HasSuffix(f.Definition.Type.Name(), "Connection")
	isList := f.Definition.Type.Elem != nil
	switch {
	case isConnection:
		return own.plus(c.set(f.SelectionSet, c.length(f, pageLength)))
	case isList && page > 0:
		return own.plus(c.set(f.SelectionSet, 0).times(page))
	case isList:
		return own.plus(c.set(f.SelectionSet, 0).times(c.length(f, listLength)))
	}
	return own.plus(c.set(f.SelectionSet, 0))
}

// work is what the schema prices the field at, and those of its arguments that are given.
func (c *costing) work(f *ast.Field) price {
	work, flags := stated(f.Definition.Directives)
	if flags["cells"] {
		work += c.length(f, 1)
	}
	var given map[string]any
	for _, a := range f.Definition.Arguments {
		more, _ := stated(a.Directives)
		if more == 0 {
			continue
		}
		if given == nil {
			given = f.ArgumentMap(c.variables)
		}
		if given[a.Name] != nil {
			work += more
		}
	}
	if flags["shared"] {
		return price{shared: work}
	}
	return price{each: work}
}

// stated reads the directive cost, of which there may be none.
func stated(list ast.DirectiveList) (work int, flags map[string]bool) {
	d := list.ForName("cost")
	if d == nil {
		return 0, nil
	}
	flags = map[string]bool{}
	for _, a := range d.Arguments {
		if a.Name == "work" {
			work, _ = strconv.Atoi(a.Value.Raw)
		} else {
			flags[a.Name] = a.Value.Raw == "true"
		}
	}
	return work, flags
}

// length estimates how many elements the list or connection f has.
func (c *costing) length(f *ast.Field, standard int) int {
	args := f.ArgumentMap(c.variables)
	length := standard
	if by, of := args["by"], args["of"]; by != nil || of != nil {
		row := c.schema.Types[f.Definition.Type.Name()]
		length = min(c.codes(by, row)*c.codes(of, row), c.cells)
		if f.Name == "trend" {
			length = min(length*listLength, c.cells)
		}
	}
	bound := costTop
	if args["by"] != nil {
		bound = length
	}
	if where, ok := args["where"].(map[string]any); ok {
		if ids, ok := where["ids"].([]any); ok {
			length, bound = min(length, len(ids)), min(bound, len(ids))
		}
	}
	for _, name := range []string{"first", "last"} {
		if n, ok := integer(args[name]); ok && n >= 0 {
			return min(n, bound)
		}
	}
	return length
}

// codes multiplies the numbers of values of the dimensions in an argument; what is not a
// dimension counts 1. The dimension AGE_GROUP is the field ageGroup of CellKey, THEME that of the
// row, where rows are their own key.
func (c *costing) codes(argument any, row *ast.Definition) int {
	switch argument := argument.(type) {
	case []any:
		product := 1
		for _, a := range argument {
			product = min(product*c.codes(a, row), costTop)
		}
		return product
	case string:
		var field *ast.FieldDefinition
		for _, key := range []*ast.Definition{c.schema.Types["CellKey"], row} {
			if key != nil && field == nil {
				field = key.Fields.ForName(lowerCamel(argument))
			}
		}
		if field == nil {
			return 1
		}
		switch t := c.schema.Types[field.Type.Name()]; {
		case t == nil:
			return 1
		case t.Kind == ast.Enum:
			return len(t.EnumValues)
		case t.Kind == ast.Scalar:
			return listLength
		default:
			return objectDim
		}
	}
	return 1
}

func integer(v any) (int, bool) {
	switch v := v.(type) {
	case int:
		return v, true
	case int64:
		return int(v), true
	case json.Number:
		n, err := v.Int64()
		return int(n), err == nil
	}
	return 0, false
}

func lowerCamel(constant string) string {
	words := strings.Split(strings.ToLower(constant), "_")
	for i := 1; i < len(words); i++ {
		if words[i] != "" {
			words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
		}
	}
	return strings.Join(words, "")
}

// usesDefer reports whether a valid operation asks for a part of its answer later, which one
// HTTP answer cannot give.
func usesDefer(doc *ast.QueryDocument) bool {
	var in func(ast.SelectionSet) bool
	in = func(set ast.SelectionSet) bool {
		for _, selection := range set {
			switch selection := selection.(type) {
			case *ast.Field:
				if in(selection.SelectionSet) {
					return true
				}
			case *ast.InlineFragment:
				if selection.Directives.ForName("defer") != nil || in(selection.SelectionSet) {
					return true
				}
			case *ast.FragmentSpread:
				if selection.Directives.ForName("defer") != nil {
					return true
				}
			}
		}
		return false
	}
	for _, f := range doc.Fragments {
		if in(f.SelectionSet) {
			return true
		}
	}
	for _, op := range doc.Operations {
		if in(op.SelectionSet) {
			return true
		}
	}
	return false
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
