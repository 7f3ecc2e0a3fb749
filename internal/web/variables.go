package web

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/kvarter/kvarter/internal/fault"
)

// coerce reads the variables of a valid operation as the GraphQL specification has it (October
// 2021, sections 3.5, 3.9 to 3.11 and 6.1.2): an Int takes no text, a code stands as the enum has
// it, one value will do for a list of one, and an input object has no other fields than its own.
// Numbers come as json.Number; a whole one such as 2016.0 will do for an Int. Variables that the
// operation does not declare are left out, unless one is a variable misspelt that would then have its
// default, or none.
//
// In what is returned an Int is an int64, a Float a float64, an ID, a String and a code a string.
// The error names the variable and the place in it, and says what would be right.
func (s *server) coerce(op *ast.OperationDefinition, given map[string]any) (map[string]any, *gqlerror.Error) {
	out := map[string]any{}
	for _, v := range op.VariableDefinitions {
		place := "variable $" + v.Variable
		value, ok := given[v.Variable]
		if name := misspelt(op, v.Variable, given); !ok && name != "" && (v.DefaultValue != nil || !v.Type.NonNull) {
			return nil, refused(fault.Invalid, "variable $%s: the operation declares no such variable; did you mean %s?",
				shorten(name, 50), v.Variable)
		}
		if !ok && v.DefaultValue != nil {
			var err error
			if value, err = v.DefaultValue.Value(nil); err != nil {
				return nil, refused(fault.Invalid, "%s: its default cannot be read: %v", place, err)
			}
			ok = true
		}
		if !ok {
			if v.Type.NonNull {
				return nil, refused(fault.Invalid, "%s: %s was expected, and the variable is not given%s", place, s.article(v.Type),
					undeclared(op, given))
			}
			continue
		}
		coerced, e := (&coercion{s, op, v}).to(v.Type, v.DefaultValue, value, place)
		if e != nil {
			return nil, e
		}
		out[v.Variable] = coerced
	}
	return out, nil
}

// misspelt finds a name among those given that no variable of the operation is called and that is
// likely to be meant for one: the same but for case, one letter, or two letters that changed places.
func misspelt(op *ast.OperationDefinition, variable string, given map[string]any) string {
	var found []string
	for name := range given {
		if op.VariableDefinitions.ForName(name) != nil || len(name) > len(variable)+1 {
			continue
		}
		a, b := strings.ToLower(name), strings.ToLower(variable)
		swapped := false
		for i := range len(a) - 1 {
			swapped = swapped || a[:i]+a[i+1:i+2]+a[i:i+1]+a[i+2:] == b
		}
		if a == b || len(b) > 3 && (swapped || levenshtein.ComputeDistance(a, b) == 1) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// undeclared ends a message about a variable that is missing with those given that no variable of
// the operation is called, one of which may be meant.
func undeclared(op *ast.OperationDefinition, given map[string]any) string {
	var names []string
	for name := range given {
		if op.VariableDefinitions.ForName(name) == nil {
			names = append(names, shorten(name, 50))
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	return "; the operation has no variable for what is given as " + strings.Join(names, ", ")
}

// coercion reads the value of a variable of an operation.
type coercion struct {
	*server
	op       *ast.OperationDefinition
	variable *ast.VariableDefinition
}

// to reads a value of the type; standard is what stands for it when it is left out, nil for nothing.
func (c *coercion) to(t *ast.Type, standard *ast.Value, value any, place string) (any, *gqlerror.Error) {
	if value == nil {
		if t.NonNull {
			return nil, c.unexpectedNull(t, standard, place)
		}
		return nil, nil
	}
	if t.Elem != nil {
		list, ok := value.([]any)
		if !ok {
			one, e := c.to(t.Elem, nil, value, place)
			return []any{one}, e
		}
		out := make([]any, len(list))
		for i, x := range list {
			var e *gqlerror.Error
			if out[i], e = c.to(t.Elem, nil, x, fmt.Sprintf("%s[%d]", place, i)); e != nil {
				return nil, e
			}
		}
		return out, nil
	}
	switch def := c.schema.Types[t.NamedType]; def.Kind {
	case ast.Enum:
		return c.code(t, def, value, place)
	case ast.InputObject:
		return c.object(t, def, value, place)
	default:
		return c.scalar(t, value, place)
	}
}

func (c *coercion) code(t *ast.Type, enum *ast.Definition, value any, place string) (any, *gqlerror.Error) {
	code, ok := value.(string)
	if !ok {
		return nil, c.unexpected(t, value, place)
	}
	if enum.EnumValues.ForName(code) == nil {
		code = shorten(code, 50)
		var codes []string
		for _, v := range enum.EnumValues {
			codes = append(codes, v.Name)
		}
		suggestion := fault.Suggest(code, codes)
		if !strings.Contains(suggestion, "did you mean") {
			suggestion = "; its codes are " + strings.Join(codes, ", ")
		}
		return nil, refused(fault.Invalid, "%s: %s has no code %q%s", place, enum.Name, code, suggestion)
	}
	return code, nil
}

func (c *coercion) object(t *ast.Type, def *ast.Definition, value any, place string) (any, *gqlerror.Error) {
	object, ok := value.(map[string]any)
	if !ok {
		return nil, c.unexpected(t, value, place)
	}
	var fields, unknown []string
	for _, f := range def.Fields {
		fields = append(fields, f.Name)
	}
	for name := range object {
		if !slices.Contains(fields, name) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		name := shorten(slices.Min(unknown), 50)
		return nil, refused(fault.Invalid, "%s.%s: %s has no such field%s", place, name, def.Name,
			fault.Suggest(name, fields))
	}
	out := map[string]any{}
	for _, f := range def.Fields {
		within := place + "." + f.Name
		x, ok := object[f.Name]
		if !ok {
			switch {
			case f.DefaultValue != nil:
				var err error
				if x, err = f.DefaultValue.Value(nil); err != nil {
					return nil, refused(fault.Invalid, "%s: its default cannot be read: %v", within, err)
				}
			case f.Type.NonNull:
				return nil, refused(fault.Invalid, "%s: %s was expected, and the field is not given", within, c.article(f.Type))
			default:
				continue
			}
		}
		var e *gqlerror.Error
		if out[f.Name], e = c.to(f.Type, f.DefaultValue, x, within); e != nil {
			return nil, e
		}
	}
	return out, nil
}

func (c *coercion) scalar(t *ast.Type, value any, place string) (any, *gqlerror.Error) {
	number, isNumber := "", true
	switch v := value.(type) {
	case json.Number:
		number = v.String()
	case int64: // a default of the document
		number = strconv.FormatInt(v, 10)
	case float64:
		number = strconv.FormatFloat(v, 'g', -1, 64)
	default:
		isNumber = false
	}
	switch t.NamedType {
	case "Int":
		if !isNumber {
			break
		}
		n, isWhole, inRange := whole(number)
		if !isWhole {
			return nil, refused(fault.Invalid, "%s: an Int was expected, a number without a fraction, got %s", place,
				shorten(number, 50))
		}
		if !inRange {
			return nil, refused(fault.Invalid, "%s: an Int is from -2,147,483,648 to 2,147,483,647, got %s", place,
				shorten(number, 50))
		}
		return n, nil
	case "Float":
		if !isNumber {
			break
		}
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, refused(fault.Invalid, "%s: %s is too large for a Float, of 64 bits", place, shorten(number, 50))
		}
		return f, nil
	case "ID":
		if text, ok := value.(string); ok {
			return text, nil
		}
		if isNumber && !strings.ContainsAny(number, ".eE") {
			return number, nil
		}
	case "String":
		if text, ok := value.(string); ok {
			return text, nil
		}
	case "Boolean":
		if is, ok := value.(bool); ok {
			return is, nil
		}
	default: // a scalar of the schema's own reads its values itself
		return value, nil
	}
	return nil, c.unexpected(t, value, place)
}

// whole reads a JSON number that has no fraction and is in the range of 32 bits, to the last digit: a Float
// would take 2147483647.0000000001 for 2147483647, and 1e-400 for 0.
func whole(number string) (n int64, isWhole, inRange bool) {
	mantissa, exponent := number, 0
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		mantissa = number[:i]
		exponent, _ = strconv.Atoi(number[i+1:]) // one out of range is the largest or smallest int
		exponent = min(max(exponent, -1<<40), 1<<40)
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	integer, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(integer+fraction, "0")
	kept := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(kept) - len(fraction)
	switch {
	case kept == "":
		return 0, true, true
	case exponent < 0:
		return 0, false, false
	case len(kept)+exponent > 10: // digits of 2147483648
		return 0, true, false
	}
	n, err := strconv.ParseInt(sign+kept+strings.Repeat("0", exponent), 10, 64)
	return n, true, err == nil && n >= math.MinInt32 && n <= math.MaxInt32
}

// unexpectedNull says what was expected in place of null, for which argument, and what to do.
func (c *coercion) unexpectedNull(t *ast.Type, standard *ast.Value, place string) *gqlerror.Error {
	use := c.use()
	var advice string
	switch isWhole := place == "variable $"+c.variable.Variable; {
	case standard != nil:
		advice = "; leave it out, and " + standard.String() + " is used"
	case !isWhole && strings.HasSuffix(place, "]"):
		advice = "; leave it out"
	case !isWhole || use.expected == nil:
		advice = "; it must be given"
	case use.standard != nil || !use.expected.NonNull:
		advice = "; declare it as " + strings.TrimSuffix(t.String(), "!") + " and leave it out"
		if use.standard != nil {
			advice += ", and " + use.standard.String() + " is used"
		}
	default:
		advice = "; it must be given"
	}
	return refused(fault.Invalid, "%s: %s was expected, got null for %s%s", place, c.article(t), use.place, advice)
}

// unexpected says what was expected at the place and what is there.
func (c *coercion) unexpected(t *ast.Type, value any, place string) *gqlerror.Error {
	var got, hint string
	switch v := value.(type) {
	case string:
		got = fmt.Sprintf("the text %q", shorten(v, 50))
		if n := json.Number(v); t.NamedType == "Int" || t.NamedType == "Float" {
			if _, err := n.Float64(); err == nil {
				hint = "; leave out the quotation marks"
			}
		} else if t.NamedType == "Boolean" && (v == "true" || v == "false") {
			hint = "; leave out the quotation marks"
		}
	case bool:
		got = fmt.Sprint(v)
	case []any:
		got = "a list"
	case map[string]any:
		got = "an object"
	default:
		got = shorten(fmt.Sprint(v), 50)
		if t.NamedType == "String" {
			hint = "; put it in quotation marks"
		}
	}
	return refused(fault.Invalid, "%s: %s was expected, got %s%s", place, c.article(t), got, hint)
}

// article names a value of the type, e.g. "an Int" or "a code of Sex".
func (s *server) article(t *ast.Type) string {
	if t.Elem != nil {
		return "a list of " + strings.TrimSuffix(t.Elem.String(), "!")
	}
	name := t.NamedType
	switch s.schema.Types[name].Kind {
	case ast.Enum:
		return "a code of " + name
	case ast.InputObject:
		return "an object of type " + name
	}
	switch name {
	case "Int", "ID":
		return "an " + name
	case "String":
		return "a text (String)"
	}
	return "a " + name
}
