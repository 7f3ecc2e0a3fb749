package resolvers

import (
	"reflect"
	"runtime"
	"slices"
	"sync"
	"weak"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/internal/contract"
)

// plan is what is known of a document, whatever its variables are, for when it is asked again.
type plan struct {
	cohorts sync.Map // of named: the *study.Cohort

	// Where the document isFixed. The operation has no part of it, which would keep it from being
	// forgotten.
	isFixed   bool
	operation *graphql.OperationContext
	collected sync.Map // of *ast.Field: []graphql.CollectedField, the fields that are selected of it
	writers   sync.Map // of typed: write
}

type named struct {
	field *ast.Field
	table *contract.Table
}

type typed struct {
	field *ast.Field
	in    reflect.Type
}

// fields returns the fields that are selected of a field, whose type is an object of that name.
func (p *plan) fields(op *graphql.OperationContext, of graphql.CollectedField, name string) []graphql.CollectedField {
	if known, ok := p.collected.Load(of.Field); ok {
		return known.([]graphql.CollectedField)
	}
	out := graphql.CollectFields(op, of.Selections, []string{name})
	if p.isFixed {
		p.collected.Store(of.Field, out)
	}
	return out
}

// plans are the plans of the documents that somebody still holds, by weak pointers to them.
type plans struct{ sync.Map }

func (p *plans) of(doc *ast.QueryDocument) *plan {
	key := weak.Make(doc)
	if known, ok := p.Load(key); ok {
		return known.(*plan)
	}
	known, there := p.LoadOrStore(key, &plan{isFixed: isFixed(doc), operation: &graphql.OperationContext{}})
	if !there {
		runtime.AddCleanup(doc, func(key weak.Pointer[ast.QueryDocument]) { p.Delete(key) }, key)
	}
	return known.(*plan)
}

// isFixed reports whether the document has neither directives nor fragments in its selections: what is
// selected of a field is then the same wherever and whenever it is asked.
func isFixed(doc *ast.QueryDocument) bool {
	var fixed func(ast.SelectionSet) bool
	fixed = func(set ast.SelectionSet) bool {
		return !slices.ContainsFunc(set, func(s ast.Selection) bool {
			field, ok := s.(*ast.Field)
			return !ok || len(field.Directives) > 0 || !fixed(field.SelectionSet)
		})
	}
	return !slices.ContainsFunc(doc.Operations, func(o *ast.OperationDefinition) bool { return !fixed(o.SelectionSet) })
}
