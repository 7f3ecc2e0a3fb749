package study

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
)

// Runner answers one field at the top of the document of a finding. Documents are GraphQL, which a
// reader copies; whoever serves them says how they are run.
type Runner func(ctx context.Context, f *findings.Finding, field string) (any, error)

// StatedOn returns the findings of a slide, or all. A figure asks its document when it is read: each
// field on its own and once, so that one that the data set does not record leaves the others their
// figures.
func (s *Study) StatedOn(ctx context.Context, slide *int, run Runner) ([]*Finding, error) {
	if slide != nil && (*slide < 1 || *slide > findings.LastSlide) {
		return nil, fault.Invalidf("slide %d; the presentation has 1 to %d", *slide, findings.LastSlide)
	}
	out := []*Finding{}
	for _, f := range s.Findings {
		if slide != nil && f.Slide != *slide {
			continue
		}
		answer := fieldsOf(ctx, f, run)
		finding := &Finding{Finding: f, Figures: []*Figure{}}
		for _, figure := range f.Figures {
			shown := &Figure{Figure: figure,
				Result: sync.OnceValues(func() (findings.Result, error) { return figure.Reproduce(answer) })}
			if s := figure.Source; s != nil {
				shown.Source = &Source{Title: s.Title, Publisher: s.Publisher}
			}
			finding.Figures = append(finding.Figures, shown)
		}
		out = append(out, finding)
	}
	return out, nil
}

// fieldsOf returns how the fields at the top of a finding's document are answered, each once.
func fieldsOf(ctx context.Context, f *findings.Finding, run Runner) findings.Answer {
	var mu sync.Mutex
	asked := map[string]func() (any, error){}
	return func(name string) (any, error) {
		mu.Lock()
		ask, ok := asked[name]
		if !ok {
			ask = sync.OnceValues(func() (any, error) { return run(ctx, f, name) })
			asked[name] = ask
		}
		mu.Unlock()
		return ask()
	}
}

// DescribeExpression says where a figure stands in the answer; nil where none gives it.
func DescribeExpression(e *findings.Expression) *string {
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

// OptionalText returns a text that may be empty, which is null.
func OptionalText(t *contract.Text, language *Language) *string {
	if t == nil || t.EN == "" {
		return nil
	}
	text := In(language)(*t)
	return &text
}

// Marks writes bases as texts.
func Marks(list []findings.Basis) []string {
	out := make([]string, len(list))
	for i, b := range list {
		out[i] = string(b)
	}
	return out
}
