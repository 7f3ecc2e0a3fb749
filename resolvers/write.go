package resolvers

import (
	"bytes"
	"context"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/study"
)

// written writes what a field answers as one text where nothing that is selected of it has a resolver: a
// list of cells is then one value, not some twenty a cell. The bytes are those that gqlgen writes. All
// else is left to it: resolvers below, and what is an error to write.
func (p planned) written(next graphql.FieldMiddleware) graphql.FieldMiddleware {
	return func(ctx context.Context, resolve graphql.Resolver) (any, error) {
		result, err := next(ctx, resolve)
		if err != nil || result == nil {
			return result, err
		}
		if field := graphql.GetFieldContext(ctx).Field; len(field.Selections) > 0 {
			if out, ok := p.writing(graphql.GetOperationContext(ctx)).field(nil, field, result); ok {
				return out, nil
			}
		}
		return result, nil
	}
}

// answer writes, likewise, each cohort of which nothing but figures is asked; if one of them fails, all of
// the cohort is left to gqlgen. They are answered one after the other before the other fields of the
// operation: they share their tables, and to begin a thread for each would take longer.
func (p planned) answer(ctx context.Context, op *graphql.OperationContext, cohorts map[*ast.Field][]figure) {
	if len(cohorts) == 0 {
		return
	}
	w := p.writing(op)
	known := make(map[*ast.Field]encoded, len(cohorts))
	for field, figures := range cohorts {
		if out, ok := w.cohort(ctx, figures); ok {
			known[field] = out
		}
	}
	next := op.RootResolverMiddleware
	op.RootResolverMiddleware = func(ctx context.Context, resolve graphql.RootResolver) graphql.Marshaler {
		if out, ok := known[graphql.GetRootFieldContext(ctx).Field.Field]; ok {
			return out
		}
		return next(ctx, resolve)
	}
}

// encoded is a value of an answer, as it is written.
type encoded []byte

// MarshalGQL implements graphql.Marshaler.
func (e encoded) MarshalGQL(w io.Writer) { _, _ = w.Write(e) }

func (w writing) cohort(ctx context.Context, figures []figure) (out encoded, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false // it will happen again to gqlgen, which says what it was
		}
	}()
	out = append(out, '{')
	for i, f := range figures {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(writeString(out, f.Alias), ':')
		if f.ask == nil {
			out = writeString(out, "Cohort")
			continue
		}
		result, err := f.ask(ctx)
		if err != nil {
			return nil, false
		}
		if out, ok = w.field(out, f.CollectedField, result); !ok {
			return nil, false
		}
	}
	return append(out, '}'), true
}

// field writes what a field answers.
func (w writing) field(out encoded, field graphql.CollectedField, result any) (encoded, bool) {
	v := reflect.ValueOf(result)
	key := typed{field.Field, v.Type()}
	known, ok := w.plan.writers.Load(key)
	if !ok {
		known = w.value(field.Definition.Type, v.Type(), field.Selections)
		if w.plan.isFixed {
			w.plan.writers.Store(key, known)
		}
	}
	if write := known.(write); write != nil {
		return write(out, v)
	}
	return nil, false
}

// write appends a value to a text; false if gqlgen is to do it.
type write func(out encoded, v reflect.Value) (encoded, bool)

type writing struct {
	op     *graphql.OperationContext
	schema *ast.Schema
	plan   *plan
}

func (p planned) writing(op *graphql.OperationContext) writing {
	w := writing{op, p.Schema(), p.plans.of(op.Doc)}
	if w.plan.isFixed {
		w.op = w.plan.operation
	}
	return w
}

// value returns what writes the values of a Go type as one of the schema's type, or nil.
func (w writing) value(of *ast.Type, in reflect.Type, selections ast.SelectionSet) write {
	switch {
	case in.Implements(marshaler) || in.Implements(contextMarshaler):
		return nil
	case in.Kind() == reflect.Pointer:
		element := w.value(of, in.Elem(), selections)
		if element == nil {
			return nil
		}
		return func(out encoded, v reflect.Value) (encoded, bool) {
			if v.IsNil() {
				return append(out, "null"...), !of.NonNull
			}
			return element(out, v.Elem())
		}
	case in.Kind() == reflect.Interface:
		return w.dynamic(of, selections)
	case of.Elem != nil:
		if in.Kind() != reflect.Slice {
			return nil
		}
		element := w.value(of.Elem, in.Elem(), selections)
		if element == nil {
			return nil
		}
		return list(of, element)
	}
	definition := w.schema.Types[of.NamedType]
	switch definition.Kind {
	case ast.Scalar, ast.Enum:
		if scalar := scalars[of.NamedType]; scalar.write != nil {
			if scalar.of != in.Kind() {
				return nil
			}
			return scalar.write
		}
		if definition.Kind == ast.Enum && in.Kind() == reflect.String {
			return writeText
		}
	case ast.Object:
		return w.object(definition, in, selections)
	}
	return nil
}

// dynamic writes values whose Go type is known once they are there.
func (w writing) dynamic(of *ast.Type, selections ast.SelectionSet) write {
	var known sync.Map // of reflect.Type: write
	return func(out encoded, v reflect.Value) (encoded, bool) {
		if v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		if !v.IsValid() {
			return append(out, "null"...), !of.NonNull
		}
		element, ok := known.Load(v.Type())
		if !ok {
			element = w.value(of, v.Type(), selections)
			known.Store(v.Type(), element)
		}
		if element := element.(write); element != nil {
			return element(out, v)
		}
		return out, false
	}
}

func list(of *ast.Type, element write) write {
	return func(out encoded, v reflect.Value) (encoded, bool) {
		if v.IsNil() && !of.NonNull {
			return append(out, "null"...), true
		}
		out = append(out, '[')
		for i := range v.Len() {
			if i > 0 {
				out = append(out, ',')
			}
			var ok bool
			if out, ok = element(out, v.Index(i)); !ok {
				return out, false
			}
		}
		return append(out, ']'), true
	}
}

// part is a field of an object that is selected.
type part struct {
	name  encoded // `"alias":`
	field place
	write write
}

func (w writing) object(definition *ast.Definition, in reflect.Type, selections ast.SelectionSet) write {
	if in.Kind() != reflect.Struct && in != stringMap {
		return nil
	}
	places := placesOf(definition, in)
	var parts []part
	for _, f := range graphql.CollectFields(w.op, selections, append([]string{definition.Name},
		definition.Interfaces...)) {
		p := part{name: append(writeString(nil, f.Alias), ':')}
		if f.Name == "__typename" {
			p.name = writeString(p.name, definition.Name)
			parts = append(parts, p)
			continue
		}
		var ok bool
		if p.field, ok = places[f.Name]; !ok {
			return nil
		}
		if p.write = w.value(f.Definition.Type, p.field.of, f.Selections); p.write == nil {
			return nil
		}
		parts = append(parts, p)
	}
	return func(out encoded, v reflect.Value) (encoded, bool) {
		if in == stringMap && v.IsNil() {
			return out, false
		}
		out = append(out, '{')
		for i, p := range parts {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, p.name...)
			if p.write == nil {
				continue
			}
			var ok bool
			if out, ok = p.write(out, p.field.in(v)); !ok {
				return out, false
			}
		}
		return append(out, '}'), true
	}
}

// place says where a Go value has the field of an object.
type place struct {
	of reflect.Type
	in func(v reflect.Value) reflect.Value
}

type object struct {
	name string
	in   reflect.Type
}

var objects sync.Map // of object: map[string]place

// placesOf returns where the Go type has the fields of a type of the schema: those that gqlgen reads
// without a resolver, method or argument.
func placesOf(definition *ast.Definition, in reflect.Type) map[string]place {
	of := object{definition.Name, in}
	if p, ok := objects.Load(of); ok {
		return p.(map[string]place)
	}
	out := map[string]place{}
	for _, f := range definition.Fields {
		same := func(name string) bool { return strings.EqualFold(name, f.Name) }
		field, ok := reflect.StructField{}, false
		if in.Kind() == reflect.Struct {
			field, ok = in.FieldByNameFunc(same)
		}
		switch pointer := reflect.PointerTo(in); {
		case len(f.Arguments) > 0 || resolved(definition.Name, same) || hasMethod(pointer, same):
		case in == stringMap:
			out[f.Name] = place{stringMap.Elem(),
				func(v reflect.Value) reflect.Value { return reflect.ValueOf(v.Interface().(map[string]any)[f.Name]) }}
		case f.Name == "id" && pointer.Implements(identified):
			out[f.Name] = place{reflect.TypeFor[string](),
				func(v reflect.Value) reflect.Value { return reflect.ValueOf(v.Addr().Interface().(study.Node).GetID()) }}
		case ok && field.IsExported():
			out[f.Name] = place{field.Type, func(v reflect.Value) reflect.Value { return v.FieldByIndex(field.Index) }}
		}
	}
	objects.Store(of, out)
	return out
}

// resolved reports whether a field of the type has a resolver.
func resolved(of string, field func(string) bool) bool {
	of = strings.ReplaceAll(of, "_", "")
	m, ok := reflect.TypeFor[graph.ResolverRoot]().MethodByName(of)
	return ok && hasMethod(m.Type.Out(0), field)
}

func hasMethod(in reflect.Type, name func(string) bool) bool {
	for i := range in.NumMethod() {
		if name(in.Method(i).Name) {
			return true
		}
	}
	return false
}

var (
	marshaler        = reflect.TypeFor[graphql.Marshaler]()
	contextMarshaler = reflect.TypeFor[graphql.ContextMarshaler]()
	identified       = reflect.TypeFor[study.Node]() // gqlgen.yml has the ids of nodes read from it
	stringMap        = reflect.TypeFor[map[string]any]()
)

// scalars are those that are written as gqlgen writes them by itself.
var scalars = map[string]struct {
	of    reflect.Kind
	write write
}{
	"String": {reflect.String, writeText},
	"ID":     {reflect.String, writeText},
	"Int": {reflect.Int, func(out encoded, v reflect.Value) (encoded, bool) {
		return strconv.AppendInt(out, v.Int(), 10), true
	}},
	"Boolean": {reflect.Bool, func(out encoded, v reflect.Value) (encoded, bool) {
		return strconv.AppendBool(out, v.Bool()), true
	}},
	"Float": {reflect.Float64, func(out encoded, v reflect.Value) (encoded, bool) {
		x := v.Float()
		return strconv.AppendFloat(out, x, 'g', -1, 64), !math.IsNaN(x) && !math.IsInf(x, 0)
	}},
}

func writeText(out encoded, v reflect.Value) (encoded, bool) {
	return writeString(out, v.String()), true
}

func writeString(out encoded, s string) encoded {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' {
			var quoted bytes.Buffer
			graphql.MarshalString(s).MarshalGQL(&quoted)
			return append(out, quoted.Bytes()...)
		}
	}
	out = append(out, '"')
	out = append(out, s...)
	return append(out, '"')
}
