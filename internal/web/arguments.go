package web

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/kvarter/kvarter/internal/fault"
)

// argument is a value in a document, at an argument or within one.
type argument struct {
	place    string     // e.g. "the argument where.years.from of children"
	expected *ast.Type  // nil where the schema knows no such argument
	standard *ast.Value // what is used where it is left out; nil for nothing
	inList   bool
	value    *ast.Value
}

// eachArgument visits the arguments of a selection and of the fragments it spreads, each of these once,
// and the values within them. Of an execution it leaves out what @skip and @include do; without
// variables it leaves out nothing.
func (s *server) eachArgument(set ast.SelectionSet, variables map[string]any, visit func(argument)) {
	seen := map[string]bool{}
	var in func(ast.SelectionSet)
	in = func(set ast.SelectionSet) {
		for _, selection := range set {
			switch selection := selection.(type) {
			case *ast.Field:
				if s.eachOfDirectives(selection.Directives, variables, visit); skipped(selection.Directives, variables) {
					continue
				}
				for _, a := range selection.Arguments {
					var defined *ast.ArgumentDefinition
					if selection.Definition != nil {
						defined = selection.Definition.Arguments.ForName(a.Name)
					}
					s.argumentOf(selection.Name, defined, a, visit)
				}
				in(selection.SelectionSet)
			case *ast.InlineFragment:
				if s.eachOfDirectives(selection.Directives, variables, visit); !skipped(selection.Directives, variables) {
					in(selection.SelectionSet)
				}
			case *ast.FragmentSpread:
				s.eachOfDirectives(selection.Directives, variables, visit)
				if !skipped(selection.Directives, variables) && selection.Definition != nil && !seen[selection.Name] {
					seen[selection.Name] = true
					in(selection.Definition.SelectionSet)
				}
			}
		}
	}
	in(set)
}

func (s *server) eachOfDirectives(list ast.DirectiveList, variables map[string]any, visit func(argument)) {
	for _, d := range list {
		for _, a := range d.Arguments {
			var defined *ast.ArgumentDefinition
			if d.Definition != nil {
				defined = d.Definition.Arguments.ForName(a.Name)
			}
			s.argumentOf("@"+d.Name, defined, a, visit)
		}
	}
}

func skipped(list ast.DirectiveList, variables map[string]any) bool {
	for _, d := range list {
		arg := d.Arguments.ForName("if")
		if variables == nil || arg == nil || d.Name != "skip" && d.Name != "include" {
			continue
		}
		value, err := arg.Value.Value(variables)
		if is, ok := value.(bool); err == nil && ok && is == (d.Name == "skip") {
			return true
		}
	}
	return false
}

func (s *server) argumentOf(owner string, defined *ast.ArgumentDefinition, a *ast.Argument, visit func(argument)) {
	at := argument{value: a.Value}
	if defined != nil {
		at.expected, at.standard = defined.Type, defined.DefaultValue
	}
	s.within(at, "the argument "+a.Name, " of "+owner, visit)
}

// within visits a value and those in it; path and owner make up its place.
func (s *server) within(a argument, path, owner string, visit func(argument)) {
	a.place = path + owner
	visit(a)
	var inner *ast.Type
	var def *ast.Definition
	if a.expected != nil {
		inner, def = a.expected.Elem, s.schema.Types[a.expected.Name()]
	}
	for i, child := range a.value.Children {
		next := argument{value: child.Value}
		if a.value.Kind == ast.ListValue {
			next.expected, next.inList = inner, true
			s.within(next, fmt.Sprintf("%s[%d]", path, i), owner, visit)
			continue
		}
		if def != nil {
			if f := def.Fields.ForName(child.Name); f != nil {
				next.expected, next.standard = f.Type, f.DefaultValue
			}
		}
		s.within(next, path+"."+child.Name, owner, visit)
	}
}

// checkLiterals returns an error for each literal that is null or a number where the type takes none such,
// which the validator leaves out or says badly. It leaves the variables of the document to those that
// coerce gives: the validator ties them to one operation, though a fragment may be part of several.
func (s *server) checkLiterals(doc *ast.QueryDocument) (errs gqlerror.List) {
	seen := map[*ast.Value]bool{}
	check := func(a argument) {
		if seen[a.value] {
			return
		}
		seen[a.value] = true
		a.value.VariableDefinition = nil
		if e := s.checkLiteral(a); e != nil {
			errs = append(errs, gqlerror.ErrorPosf(a.value.Position, "%s", e.Message))
		}
	}
	for _, op := range doc.Operations {
		for _, v := range op.VariableDefinitions {
			if v.DefaultValue != nil {
				s.within(argument{expected: v.Type, value: v.DefaultValue}, "the default of variable $"+v.Variable, "", check)
			}
		}
		s.eachOfDirectives(op.Directives, nil, check)
		s.eachArgument(op.SelectionSet, nil, check)
	}
	return errs
}

func (s *server) checkLiteral(a argument) *gqlerror.Error {
	if a.expected == nil {
		return nil
	}
	name := a.expected.Name()
	switch v := a.value; {
	case v.Kind == ast.NullValue && a.expected.NonNull:
		return refused(fault.Invalid, "%s: %s was expected, got null%s", a.place, s.article(a.expected), leaveOut(a))
	case v.Kind == ast.IntValue && name == "ID":
		if _, err := strconv.ParseInt(v.Raw, 10, 64); err != nil {
			return refused(fault.Invalid, "%s: an ID of so many digits is a text; put it in quotation marks", a.place)
		}
	case v.Kind == ast.IntValue && name == "Float":
		if _, err := strconv.ParseInt(v.Raw, 10, 64); err != nil {
			return refused(fault.Invalid, "%s: a whole number of so many digits is written with a point or an exponent, as 1e20",
				a.place)
		}
	case (v.Kind == ast.StringValue || v.Kind == ast.BlockValue) && strings.ContainsRune(v.Raw, utf8.RuneError) &&
		surrogate.MatchString(v.Position.Src.Input):
		return refused(fault.Invalid, "%s: the text holds half of a surrogate pair; a letter is both halves, or itself",
			a.place)
	case v.Kind == ast.FloatValue && name == "Int":
		return refused(fault.Invalid, "%s: an Int was expected, digits without a point or an exponent, got %s", a.place,
			shorten(v.Raw, 50))
	case (v.Kind == ast.StringValue || v.Kind == ast.BlockValue) &&
		(name == "Int" || name == "Float" || name == "Boolean"):
		return (&coercion{server: s}).unexpected(ast.NamedType(name, nil), v.Raw, a.place)
	case v.Kind == ast.IntValue && name == "Int", v.Kind == ast.FloatValue && name == "Float":
		_, e := (&coercion{server: s}).scalar(ast.NamedType(name, nil), json.Number(v.Raw), a.place)
		return e
	}
	return nil
}

var surrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

// leaveOut says what to do in place of null.
func leaveOut(a argument) string {
	switch {
	case a.standard != nil:
		return "; leave it out, and " + a.standard.String() + " is used"
	case a.inList || !a.expected.NonNull:
		return "; leave it out"
	}
	return "; it must be given"
}

// checkNulls returns an error for the first null that an operation's variables bring to where the type
// takes none. A variable that may be null is valid there if one of both has a default (section 5.8.5
// of the GraphQL specification), which holds for a variable that is left out alone.
func (s *server) checkNulls(op *ast.OperationDefinition, variables map[string]any) (refusal *gqlerror.Error) {
	isNull := func(name string) bool {
		value, given := variables[name]
		return given && value == nil
	}
	some := false
	for _, v := range op.VariableDefinitions {
		some = some || isNull(v.Variable)
	}
	if !some {
		return nil
	}
	check := func(a argument) {
		if refusal == nil && a.value.Kind == ast.Variable && a.expected != nil && a.expected.NonNull && isNull(a.value.Raw) {
			refusal = (&coercion{s, op, op.VariableDefinitions.ForName(a.value.Raw)}).nullAt(a)
		}
	}
	s.eachOfDirectives(op.Directives, variables, check)
	s.eachArgument(op.SelectionSet, variables, check)
	return refusal
}

// nullAt is the error of a variable that is null where a takes no null.
func (c *coercion) nullAt(a argument) *gqlerror.Error {
	advice := leaveOut(a)
	switch standard := c.variable.DefaultValue; {
	case standard == nil:
	case standard.Kind == ast.NullValue:
		advice = "; leave out its default, which is null" + strings.TrimPrefix(advice, "; leave it out")
	default:
		advice = "; leave it out, and " + standard.String() + " is used"
	}
	return refused(fault.Invalid, "variable $%s: %s was expected, got null for %s%s", c.variable.Variable,
		c.article(a.expected), a.place, advice)
}

// use is where the operation uses the variable first.
func (c *coercion) use() (first argument) {
	find := func(a argument) {
		if first.place == "" && a.value.Kind == ast.Variable && a.value.Raw == c.variable.Variable {
			first = a
		}
	}
	c.eachOfDirectives(c.op.Directives, nil, find)
	c.eachArgument(c.op.SelectionSet, nil, find)
	return first
}
