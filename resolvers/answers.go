package resolvers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/store"
)

// Schema returns the executable schema, in which the fields of one request share their scans.
func Schema(inner graphql.ExecutableSchema) graphql.ExecutableSchema { return scoped{inner} }

type scoped struct{ graphql.ExecutableSchema }

func (s scoped) Exec(ctx context.Context) graphql.ResponseHandler {
	handle := s.ExecutableSchema.Exec(ctx)
	sc := &scope{schema: s.ExecutableSchema, cohorts: map[string]map[string]*model.Answer{}}
	return func(ctx context.Context) *graphql.Response {
		return handle(context.WithValue(ctx, scopeKey{}, sc))
	}
}

type scopeKey struct{}

// scope holds the statements of one request, by cohort and then by the dimensions they split by,
// and what all of its root fields want, by cohort.
type scope struct {
	schema  graphql.ExecutableSchema // that executes the request, without a scope of its own
	mu      sync.Mutex
	cohorts map[string]map[string]*model.Answer
	wanted  map[string]wants
	effects map[string]func() ([]store.EffectCell, error) // by what is asked for
}

func scopeOf(ctx context.Context) *scope {
	if sc, ok := ctx.Value(scopeKey{}).(*scope); ok {
		return sc
	}
	return &scope{cohorts: map[string]map[string]*model.Answer{}}
}

// cohort makes the cohort of a root field. What every field of the request asks of the same
// cohort, under whatever alias, is found by looking ahead and fetched together.
func (r *Resolver) cohort(ctx context.Context, name string, where map[string]any) (*model.Cohort, error) {
	table := r.Contract.CohortTable(name)
	f, err := r.filter(table, where)
	if err != nil {
		return nil, err
	}
	key := cohortKey(name, f)
	sc := scopeOf(ctx)
	sc.mu.Lock()
	defer sc.mu.Unlock()
	answers, ok := sc.cohorts[key]
	if !ok {
		if sc.wanted == nil {
			sc.wanted = r.wanted(graphql.GetOperationContext(ctx))
		}
		answers = r.answers(ctx, table, f, nil, sc.wanted[key])
		sc.cohorts[key] = answers
	}
	return &model.Cohort{Table: table, Filter: f, Answers: answers}, nil
}

// wanted looks ahead from the cohorts among the root fields. What cannot be read is left out, so
// that the field itself fails.
func (r *Resolver) wanted(op *graphql.OperationContext) map[string]wants {
	out := map[string]wants{}
	for _, field := range graphql.CollectFields(op, op.Operation.SelectionSet, []string{"Query"}) {
		table := r.Contract.CohortTable(field.Name)
		if table == nil {
			continue
		}
		where, _ := field.ArgumentMap(op.Variables)["where"].(map[string]any)
		f, err := r.filter(table, where)
		if err != nil {
			continue
		}
		key := cohortKey(field.Name, f)
		if out[key] == nil {
			out[key] = wants{}
		}
		r.lookAhead(op, table, field.Selections, out[key])
	}
	return out
}

// cohortOf makes the cohort of one area. All areas of a list share statements split by AREA.
func (r *Resolver) cohortOf(ctx context.Context, area *store.Area, name string, where map[string]any) (*model.Cohort, error) {
	table := r.Contract.CohortTable(name)
	f, err := r.filter(table, where)
	if err != nil {
		return nil, err
	}
	dimension, err := r.Contract.Dimension("AREA")
	if err != nil {
		return nil, err
	}
	for _, c := range f.Conditions {
		if c.Dimension == dimension && !slices.Contains(c.Areas, area.ID) {
			return nil, notOf("area", area.Name)
		}
	}
	fc := graphql.GetFieldContext(ctx)
	key := fmt.Sprintf("%s of an area, selected at byte %d", cohortKey(name, f), fc.Field.Position.Start)
	sc := scopeOf(ctx)
	sc.mu.Lock()
	defer sc.mu.Unlock()
	shared, ok := sc.cohorts[key]
	if !ok {
		op := graphql.GetOperationContext(ctx)
		w := wants{}
		r.lookAhead(op, table, fc.Field.Selections, w)
		shared = r.answers(ctx, table, f, dimension, w)
		sc.cohorts[key] = shared
	}
	place := int32(slices.Index(r.Store.Areas(), area))
	own := map[string]*model.Answer{}
	for by, a := range shared {
		own[by] = &model.Answer{Query: a.Query, Within: &place, Fetch: a.Fetch}
	}
	return &model.Cohort{Table: table, Filter: f.And(store.Condition{Dimension: dimension, Areas: []string{area.ID}}), Answers: own}, nil
}

// cohortKey is the same for filters that say the same in the same words.
func cohortKey(name string, f store.Filter) string {
	var b strings.Builder
	b.WriteString(name)
	for _, c := range f.Conditions {
		fmt.Fprintf(&b, " %s", c.Dimension.Name)
		for _, end := range []*int{c.From, c.To} {
			if end == nil {
				b.WriteString(" open")
			} else {
				fmt.Fprintf(&b, " %d", *end)
			}
		}
		fmt.Fprintf(&b, " %v %q", c.Positions, c.Areas)
	}
	for _, i := range f.With {
		b.WriteString(" with " + i.Name)
	}
	for _, i := range f.Without {
		b.WriteString(" without " + i.Name)
	}
	for _, list := range f.WithAny {
		b.WriteString(" with any of")
		for _, i := range list {
			b.WriteString(" " + i.Name)
		}
	}
	return b.String()
}

// wants is what the fields of a request ask of a cohort, by the dimensions that they split by.
type wants map[string]*want

type want struct {
	by         []*contract.Dimension
	indicators []*contract.Indicator
	measures   []*contract.Measure
}

func byKey(by []*contract.Dimension) string {
	names := make([]string, len(by))
	for i, d := range by {
		names[i] = d.Name
	}
	return strings.Join(names, " ")
}

func (w wants) at(by []*contract.Dimension) *want {
	key := byKey(by)
	if w[key] == nil {
		w[key] = &want{by: by}
	}
	return w[key]
}

// lookAhead adds what the selected fields of a cohort will ask. What cannot be answered is left
// out, so that the field that asks it fails alone.
func (r *Resolver) lookAhead(op *graphql.OperationContext, table *contract.Table, selections ast.SelectionSet, w wants) {
	for _, field := range graphql.CollectFields(op, selections, []string{"Cohort"}) {
		args := field.ArgumentMap(op.Variables)
		of, _ := args["of"].(string)
		by, err := r.by(field.Name, of, args["by"])
		if err != nil || slices.ContainsFunc(by, func(d *contract.Dimension) bool { return !r.Store.HasDimension(table, d) }) {
			continue
		}
		switch field.Name {
		case "size", "distribution":
			w.at(by)
		case "share", "breakdown", "trend", "development", "jsonStat":
			if i, err := r.Contract.Indicator(of); err == nil && r.Store.HasIndicator(table, i) {
				if t := w.at(by); !slices.Contains(t.indicators, i) {
					t.indicators = append(t.indicators, i)
				}
			}
		case "mean", "meanDevelopment":
			if m, err := r.Contract.Measure(of); err == nil && r.Store.HasMeasure(table, m) {
				if t := w.at(by); !slices.Contains(t.measures, m) {
					t.measures = append(t.measures, m)
				}
			}
		}
	}
}

// by returns the dimensions that a field of a cohort splits by.
func (r *Resolver) by(field, of string, argument any) ([]*contract.Dimension, error) {
	names, err := texts(argument)
	if err != nil {
		return nil, err
	}
	switch field {
	case "distribution":
		names = append(slices.Clone(names), of)
	case "trend":
		names = append(slices.Clone(names), "YEAR")
	case "development", "meanDevelopment":
		names = []string{"YEAR", "AREA"}
	}
	var out []*contract.Dimension
	for _, name := range names {
		d, err := r.Contract.Dimension(name)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// answers makes the statements for what is wanted; each runs when its first field asks.
func (r *Resolver) answers(ctx context.Context, table *contract.Table, f store.Filter, first *contract.Dimension, w wants) map[string]*model.Answer {
	out := map[string]*model.Answer{}
	for key, t := range w {
		q := store.Query{Table: table, Where: f, By: t.by, Indicators: t.indicators, Measures: t.measures, MaxCells: r.Dataset.Limits.Cells}
		if first != nil {
			q.By = append([]*contract.Dimension{first}, t.by...)
		}
		out[key] = r.answer(ctx, q)
	}
	return out
}

func (r *Resolver) answer(ctx context.Context, q store.Query) *model.Answer {
	return &model.Answer{Query: q, Fetch: sync.OnceValues(func() (*store.Cells, error) { return r.Store.Cells(ctx, q) })}
}

// ask returns the cells that a field of the cohort needs: split by the dimensions, with the
// indicator or the measure if one is given, which is then the only one of the cells.
func (r *Resolver) ask(ctx context.Context, c *model.Cohort, by []*contract.Dimension, of *contract.Indicator, mean *contract.Measure) (*store.Cells, error) {
	a := c.Answers[byKey(by)]
	if a == nil || of != nil && !slices.Contains(a.Query.Indicators, of) || mean != nil && !slices.Contains(a.Query.Measures, mean) {
		// Not foreseen, so most likely wrong: asked alone, the store says why.
		q := store.Query{Table: c.Table, Where: c.Filter, By: by, MaxCells: r.Dataset.Limits.Cells}
		if of != nil {
			q.Indicators = []*contract.Indicator{of}
		}
		if mean != nil {
			q.Measures = []*contract.Measure{mean}
		}
		a = r.answer(ctx, q)
	}
	cells, err := a.Fetch()
	if err != nil {
		return nil, err
	}
	return pick(cells, by, a.Within, of, mean), nil
}

// pick returns the cells of one area, if within is set, with one indicator or measure.
func pick(cells *store.Cells, by []*contract.Dimension, within *int32, of *contract.Indicator, mean *contract.Measure) *store.Cells {
	out := &store.Cells{Query: cells.Query}
	i, m := slices.Index(cells.Query.Indicators, of), slices.Index(cells.Query.Measures, mean)
	out.Query.By, out.Query.Indicators, out.Query.Measures = by, one(cells.Query.Indicators, i), one(cells.Query.Measures, m)
	for _, cell := range cells.Rows {
		if within != nil {
			if cell.Key[0] != *within {
				continue
			}
			cell.Key = cell.Key[1:]
		}
		cell.Indicators, cell.Measures = one(cell.Indicators, i), one(cell.Measures, m)
		out.Rows = append(out.Rows, cell)
	}
	return out
}

// one returns the element at i as a list, and an empty list if i is negative.
func one[T any](list []T, i int) []T {
	if i < 0 {
		return nil
	}
	return list[i : i+1]
}
