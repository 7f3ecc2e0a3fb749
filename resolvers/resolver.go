// Package resolvers answers the fields of the GraphQL schema: it reads arguments, asks a question of
// package study, and hands back. There is no SQL in it and no arithmetic.
package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/study"
)

// Resolver answers every field from a study.
type Resolver struct{ *study.Study }

// Schema returns the executable schema, in which the fields of a document are one request of the study:
// what they need is foreseen and counted together.
func Schema(inner graphql.ExecutableSchema, r *Resolver) graphql.ExecutableSchema {
	return planned{inner, r, &plans{}}
}

type planned struct {
	graphql.ExecutableSchema
	resolver *Resolver
	plans    *plans
}

func (p planned) Exec(ctx context.Context) graphql.ResponseHandler {
	handle := p.ExecutableSchema.Exec(ctx)
	asked := &document{Request: p.resolver.Request(), run: p.run}
	op := graphql.GetOperationContext(ctx)
	op.ResolverMiddleware = p.written(op.ResolverMiddleware)
	cohorts := p.foresee(op, asked.Request)
	return func(ctx context.Context) *graphql.Response {
		p.answer(ctx, op, cohorts)
		cohorts = nil // the handler is called until it has no more to say
		return handle(context.WithValue(ctx, documentKey{}, asked))
	}
}

// document is what the fields of one document share.
type document struct {
	*study.Request
	run study.Runner
}

type documentKey struct{}

// request returns the request that the fields of the document share.
func (r *Resolver) request(ctx context.Context) *study.Request {
	if d, ok := ctx.Value(documentKey{}).(*document); ok {
		return d.Request
	}
	return r.Request()
}

// ask asks a question within the document's request.
func ask[A any](ctx context.Context, r *Resolver, q study.Question[A]) (A, error) {
	return study.Ask(ctx, r.request(ctx), q)
}

// runner returns what runs the documents of findings.
func runner(ctx context.Context) (study.Runner, error) {
	d, ok := ctx.Value(documentKey{}).(*document)
	switch {
	case !ok:
		return nil, errors.New("what runs the documents of findings is not known; the schema is served through " +
			"resolvers.Schema")
	case ctx.Value(findingKey{}) != nil:
		return nil, fault.Invalidf("the document of a finding may not ask findings")
	}
	return d.run, nil
}

// findingKey marks the context of a finding's document.
type findingKey struct{}

// run executes one field of the document of a finding, in the context of the request that asks: with
// its time and its tables.
func (p planned) run(ctx context.Context, f *findings.Finding, name string) (_ any, err error) {
	defer fault.Wrap(&err, "finding %s, field %s", f.ID, name)
	operation := *f.Query.Operations[0]
	operation.SelectionSet = nil
	for _, selection := range f.Query.Operations[0].SelectionSet {
		if field, ok := selection.(*ast.Field); ok && field.Alias == name {
			operation.SelectionSet = ast.SelectionSet{field}
		}
	}
	if operation.SelectionSet == nil {
		return nil, fmt.Errorf("the document has no such field")
	}
	outer := graphql.GetOperationContext(ctx)
	inner := &graphql.OperationContext{
		RawQuery: f.Document, Doc: f.Query, Operation: &operation, Variables: map[string]any{},
		RecoverFunc: outer.RecoverFunc, ResolverMiddleware: outer.ResolverMiddleware,
		RootResolverMiddleware: outer.RootResolverMiddleware,
	}
	cohorts := p.foresee(inner, p.resolver.request(ctx))
	ctx = graphql.WithOperationContext(context.WithValue(ctx, findingKey{}, true), inner)
	// Errors are read here, and shown by the field that asked.
	ctx = graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, outer.RecoverFunc)
	p.answer(ctx, inner, cohorts)
	response := p.ExecutableSchema.Exec(ctx)(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if errs := graphql.GetErrors(ctx); len(errs) > 0 {
		var known *fault.Error
		if errors.As(errs[0], &known) {
			return nil, known // without the place in a document that nobody sent
		}
		return nil, errs[0]
	}
	decoder := json.NewDecoder(bytes.NewReader(response.Data))
	decoder.UseNumber()
	var data map[string]any
	if err := decoder.Decode(&data); err != nil {
		return nil, err
	}
	return data[name], nil
}
