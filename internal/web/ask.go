package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/kvarter/kvarter/internal/fault"
)

// ask answers a request. executed is false if the request was refused before any field of it
// was resolved; the answer then has errors and no data.
func (s *server) ask(ctx context.Context, p params, isGet bool) (_ answer, executed bool) {
	start := time.Now()
	ctx, stop := context.WithDeadline(ctx, start.Add(time.Duration(s.Limits.TimeoutMS)*time.Millisecond))
	defer stop()

	operation, refusal := s.prepare(ctx, p, isGet)
	if refusal != nil {
		return answer{Errors: refusal}, false
	}
	operation.Stats.OperationStart = start

	handler, ctx := s.exec.DispatchOperation(ctx, operation)
	response := handler(ctx)
	if response == nil { // the context ended before the first field
		e := cancelled()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			e = s.tooLate()
		}
		return answer{Errors: gqlerror.List{e}, Data: json.RawMessage("null")}, true
	}
	if len(response.Data) == 0 {
		response.Data = json.RawMessage("null")
	}
	slices.SortStableFunc(response.Errors, inDocument)
	return answer{Errors: response.Errors, Data: response.Data, Extensions: response.Extensions}, true
}

// inDocument orders errors as the document and its lists have their fields, which are worked on at
// once, so that the same document gives the same answer.
func inDocument(a, b *gqlerror.Error) int {
	if len(a.Locations) > 0 && len(b.Locations) > 0 {
		x, y := a.Locations[0], b.Locations[0]
		if c := cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column)); c != 0 {
			return c
		}
	}
	return slices.CompareFunc(a.Path, b.Path, func(p, q ast.PathElement) int {
		i, isIndex := p.(ast.PathIndex)
		j, alike := q.(ast.PathIndex)
		if isIndex && alike {
			return cmp.Compare(i, j)
		}
		return cmp.Compare(fmt.Sprint(p), fmt.Sprint(q))
	})
}

// prepare reads the document, chooses its operation, reads its variables and holds it to the
// limits.
func (s *server) prepare(ctx context.Context, p params, isGet bool) (*graphql.OperationContext, gqlerror.List) {
	rec := recordOf(ctx)
	rec.operation = shorten(p.OperationName, 100)
	doc, errs := s.document(p.Query)
	if errs != nil {
		return nil, errs
	}
	op, e := operationOf(doc, p.OperationName)
	if e != nil {
		return nil, gqlerror.List{e}
	}
	rec.operation, rec.isQuery = shorten(op.Name, 100), op.Operation == ast.Query
	if isGet && op.Operation != ast.Query {
		return nil, gqlerror.List{refused(fault.Invalid, "a GET may only query; send this %s by POST", op.Operation)}
	}
	variables, e := s.coerce(op, p.Variables)
	if e == nil {
		e = s.checkNulls(op, variables)
	}
	if e != nil {
		return nil, gqlerror.List{e}
	}
	rec.cost = s.Limits.cost(s.schema, op, variables)
	if rec.cost > s.Limits.Complexity {
		return nil, gqlerror.List{overLimit("complexity", rec.cost, s.Limits.Complexity,
			"the operation costs %s; the limit is %s; ask for fewer fields, or for shorter lists with `first`",
			thousands(rec.cost), thousands(s.Limits.Complexity))}
	}
	return &graphql.OperationContext{
		RawQuery:               p.Query,
		OperationName:          p.OperationName,
		Variables:              variables,
		Doc:                    doc,
		Operation:              op,
		RecoverFunc:            s.recovered,
		ResolverMiddleware:     func(ctx context.Context, next graphql.Resolver) (any, error) { return next(ctx) },
		RootResolverMiddleware: func(ctx context.Context, next graphql.RootResolver) graphql.Marshaler { return next(ctx) },
	}, nil
}

// document parses and validates; what passed once is remembered.
func (s *server) document(text string) (*ast.QueryDocument, gqlerror.List) {
	if doc, ok := s.documents.get(text); ok {
		return doc, nil
	}
	if errs := s.Limits.checkText(text); errs != nil {
		return nil, errs
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		return nil, coded(listOf(err), codeParse)
	}
	if e := s.Limits.checkDepth(doc); e != nil {
		return nil, gqlerror.List{e}
	}
	errs := validator.ValidateWithRules(s.schema, doc, rules.NewDefaultRules())
	if errs = withoutRepeats(s.checkLiterals(doc), errs); len(errs) > 0 {
		errs = coded(errs, codeValidation)
		for _, e := range errs {
			e.Message = s.withCodes(e.Message)
		}
		return nil, errs
	}
	if len(doc.Operations) == 0 {
		return nil, coded(gqlerror.List{gqlerror.Errorf("the document has no operation")}, codeValidation)
	}
	if usesDefer(doc) {
		return nil, gqlerror.List{refused(fault.Invalid,
			"@defer is not supported: an answer is given in one piece; leave it out")}
	}
	s.documents.put(text, doc, len(text))
	return doc, nil
}

func listOf(err error) gqlerror.List {
	var list gqlerror.List
	var one *gqlerror.Error
	switch {
	case errors.As(err, &list):
		return list
	case errors.As(err, &one):
		return gqlerror.List{one}
	}
	return gqlerror.List{gqlerror.Wrap(err)}
}

func operationOf(doc *ast.QueryDocument, name string) (*ast.OperationDefinition, *gqlerror.Error) {
	if op := doc.Operations.ForName(name); op != nil {
		return op, nil
	}
	var names []string
	for _, op := range doc.Operations {
		if op.Name != "" {
			names = append(names, op.Name)
		}
	}
	if name == "" {
		return nil, refused(fault.Invalid, "the document has %d operations; `operationName` must be one of %s", len(names),
			strings.Join(names, ", "))
	}
	return nil, refused(fault.Invalid, "the document has no operation %q%s", name, fault.Suggest(name, names))
}
