package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
)

// findings returns the findings of a slide, or all. A figure asks its document when a field needs it.
func (r *Resolver) findings(ctx context.Context, slide *int) ([]*model.Finding, error) {
	if ctx.Value(findingKey{}) != nil {
		return nil, fault.Invalidf("the document of a finding may not ask findings")
	}
	if slide != nil && (*slide < 1 || *slide > findings.LastSlide) {
		return nil, fault.Invalidf("slide %d; the presentation has 1 to %d", *slide, findings.LastSlide)
	}
	out := []*model.Finding{}
	for _, f := range r.Findings {
		if slide != nil && f.Slide != *slide {
			continue
		}
		answer := r.answerFields(ctx, f)
		finding := &model.Finding{Finding: f, Figures: []*model.Figure{}}
		for _, figure := range f.Figures {
			shown := &model.Figure{Figure: figure, Result: sync.OnceValues(func() (findings.Result, error) { return figure.Reproduce(answer) })}
			if s := figure.Source; s != nil {
				shown.Source = &model.Source{Title: s.Title, Publisher: s.Publisher}
			}
			finding.Figures = append(finding.Figures, shown)
		}
		out = append(out, finding)
	}
	return out, nil
}

// answerFields returns how the fields at the top of a finding's document are answered: each on its
// own and once, so that one that the data set does not record leaves the others their figures.
func (r *Resolver) answerFields(ctx context.Context, f *findings.Finding) findings.Answer {
	fields := map[string]func() (any, error){}
	for _, selection := range f.Query.Operations[0].SelectionSet {
		if field, ok := selection.(*ast.Field); ok {
			fields[field.Alias] = sync.OnceValues(func() (any, error) { return askField(ctx, f, field) })
		}
	}
	return func(name string) (any, error) {
		ask, ok := fields[name]
		if !ok {
			return nil, fmt.Errorf("the document of %s has no field %s", f.ID, name)
		}
		return ask()
	}
}

// findingKey marks the context of a finding's document.
type findingKey struct{}

// askField executes one field of the document of a finding against the schema that executes the
// request: in its context, with its time and its statements.
func askField(ctx context.Context, f *findings.Finding, field *ast.Field) (_ any, err error) {
	defer fault.Wrap(&err, "finding %s, field %s", f.ID, field.Alias)
	sc := scopeOf(ctx)
	if sc.schema == nil {
		return nil, errors.New("the schema of the request is not known; it is served through resolvers.Schema")
	}
	outer := graphql.GetOperationContext(ctx)
	operation := *f.Query.Operations[0]
	operation.SelectionSet = ast.SelectionSet{field}
	ctx = graphql.WithOperationContext(context.WithValue(ctx, findingKey{}, true), &graphql.OperationContext{
		RawQuery: f.Document, Doc: f.Query, Operation: &operation, Variables: map[string]any{},
		RecoverFunc: outer.RecoverFunc, ResolverMiddleware: outer.ResolverMiddleware, RootResolverMiddleware: outer.RootResolverMiddleware,
	})
	// Errors are read here, and shown by the field that asked.
	ctx = graphql.WithResponseContext(ctx, graphql.DefaultErrorPresenter, outer.RecoverFunc)
	response := sc.schema.Exec(ctx)(ctx)
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
	return data[field.Alias], nil
}

// describeExpression says where a figure stands in the answer; nil where none gives it.
func describeExpression(e *findings.Expression) *string {
	if e == nil {
		return nil
	}
	paths := make([]string, len(e.Paths))
	for i, p := range e.Paths {
		paths[i] = p.String()
	}
	text := strings.Join(paths, " and ")
	switch e.Operation {
	case findings.Value:
	case findings.Count:
		text = "count of " + paths[0]
		if e.Equals != "" {
			text += " equal to " + e.Equals
		}
	case findings.Difference:
		text = strings.Join(paths, " minus ")
	default:
		text = fmt.Sprintf("%s of %s", e.Operation, text)
	}
	if e.Times != 1 {
		text += fmt.Sprintf(", times %g", e.Times)
	}
	return &text
}

// optionalText returns a text that may be empty, which is null.
func optionalText(t *contract.Text, language *model.Language) *string {
	if t == nil || t.EN == "" {
		return nil
	}
	text := in(language)(*t)
	return &text
}

func marks(list []findings.Basis) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = string(b)
	}
	return out
}
