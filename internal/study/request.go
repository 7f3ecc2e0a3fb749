package study

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
)

// Request is what is asked together, such as one document. Tables that its questions have in common
// are asked for once, all that is foreseen in one call of the source, and kept while it lasts. It is
// safe for concurrent use.
type Request struct {
	*Study
	mu      sync.Mutex
	scopes  map[string][]*pending // by whom they count; of other queries than those of cohorts, by their text
	waiting []*pending            // not asked for yet
}

// Request begins a request.
func (s *Study) Request() *Request { return &Request{Study: s, scopes: map[string][]*pending{}} }

// pending is a table that is asked for once.
type pending struct {
	query   cells.Query
	scope   string
	started bool
	done    chan struct{} // closed once the answer is there
	answer  cells.Answer
}

// Foresee tells the request of a question that will be asked. One that is wrong is left out, so that it
// fails alone when it is asked.
func (r *Request) Foresee(q Foreseeable) {
	if needs, err := q.needs(r.Study); err == nil {
		r.foresee(needs)
	}
}

// Foresee tells the request of a question, like its method, and returns what asks it.
func Foresee[A any](r *Request, q Question[A]) func(context.Context) (A, error) {
	needs, err := q.needs(r.Study)
	if err == nil {
		r.foresee(needs)
	}
	return func(ctx context.Context) (A, error) { return answer(ctx, r, q, needs, err) }
}

func (r *Request) foresee(needs []need) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range needs {
		if n = n.scoped(); r.foreseen(n) == nil && r.Catalogue.Check(n.query) == nil {
			r.want(n)
		}
	}
}

// scoped is n with its scope.
func (n need) scoped() need {
	if n.scope != "" {
		return n
	}
	if o, ok := n.query.(cells.Observations); ok {
		n.scope = o.Scope()
	} else {
		n.scope = n.query.String()
	}
	return n
}

// foreseen returns the pending table that holds the need, or nil.
func (r *Request) foreseen(n need) *pending {
	o, ok := n.query.(cells.Observations)
	for _, p := range r.scopes[n.scope] {
		if !ok || p.query.(cells.Observations).Covers(o) {
			return p
		}
	}
	return nil
}

// want returns the pending table that will hold the need, and makes one if there is none.
func (r *Request) want(n need) *pending {
	if p := r.foreseen(n); p != nil {
		return p
	}
	if o, ok := n.query.(cells.Observations); ok {
		for _, p := range r.scopes[n.scope] {
			if f := p.query.(cells.Observations); !p.started && f.MaxCells == o.MaxCells && slices.Equal(f.By, o.By) {
				p.query = joined(f, o)
				return p
			}
		}
	}
	p := &pending{query: n.query, scope: n.scope, done: make(chan struct{})}
	r.scopes[n.scope] = append(r.scopes[n.scope], p)
	r.waiting = append(r.waiting, p)
	return p
}

// joined is f with all that g counts.
func joined(f, g cells.Observations) cells.Observations {
	f.Indicators, f.Measures = cells.Union(f.Indicators, g.Indicators), cells.Union(f.Measures, g.Measures)
	f.Largest = f.Largest || g.Largest
	return f
}

// start returns what is to be asked for now: all that waits, what is coarser folded into finer tables
// of the same people where there are any.
func (r *Request) start() []*pending {
	split := func(p *pending) int {
		if o, ok := p.query.(cells.Observations); ok {
			return len(o.By)
		}
		return 0
	}
	slices.SortStableFunc(r.waiting, func(a, b *pending) int { return split(b) - split(a) })
	var out []*pending
	asked := map[*pending]bool{}
next:
	for _, p := range r.waiting {
		if o, ok := p.query.(cells.Observations); ok {
			for _, k := range r.scopes[p.scope] {
				if f := joined(k.query.(cells.Observations), o); k != p && k.started && asked[k] && f.Covers(o) {
					k.query = f
					r.scopes[p.scope] = slices.DeleteFunc(r.scopes[p.scope], func(x *pending) bool { return x == p })
					continue next
				}
			}
		}
		p.started, asked[p] = true, true
		out = append(out, p)
	}
	r.waiting = nil
	return out
}

// tables returns the tables of the needs. The first that asks has everything counted that is foreseen.
func (r *Request) tables(ctx context.Context, needs []need) ([]*cells.Table, error) {
	from := make([]*pending, len(needs))
	r.mu.Lock()
	for i, n := range needs {
		n = n.scoped()
		needs[i] = n
		if from[i] = r.foreseen(n); from[i] != nil {
			continue
		}
		if err := r.Catalogue.Check(n.query); err != nil {
			r.mu.Unlock()
			return nil, err // before it is joined with others, which it would spoil
		}
		from[i] = r.want(n)
	}
	var fresh []*pending
	if slices.ContainsFunc(from, func(p *pending) bool { return !p.started }) {
		fresh = r.start()
		for i, n := range needs {
			from[i] = r.want(n) // the one that it was folded into
		}
	}
	r.mu.Unlock()
	r.count(ctx, fresh)
	out := make([]*cells.Table, len(needs))
	for i, n := range needs {
		select {
		case <-from[i].done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		table, err := derive(from[i], n.query)
		if err == nil {
			table, err = n.part(table)
		}
		if err != nil && ctx.Err() == nil && (isInterrupted(err) || n.alone != nil ||
			from[i].query.String() != n.query.String()) {
			// One question alone would not fail by the number of cells of a finer table, or of all areas, nor
			// because somebody else who asked for it has gone.
			table, err = r.alone(ctx, n)
		}
		if err != nil {
			return nil, err
		}
		out[i] = table
	}
	return out, nil
}

// part is what is needed of a table that serves all areas.
func (n need) part(table *cells.Table) (*cells.Table, error) {
	if n.within == nil {
		return table, nil
	}
	table = table.Within(*n.within)
	if n.alone == nil {
		return table, nil
	}
	return table, n.alone.CheckCount(len(table.Cells))
}

// alone returns the table of a need that is joined with no other.
func (r *Request) alone(ctx context.Context, n need) (*cells.Table, error) {
	q, part := n.query, n.part
	if n.alone != nil {
		q, part = *n.alone, func(t *cells.Table) (*cells.Table, error) { return t, nil }
	}
	scope := "alone " + q.String()
	for {
		r.mu.Lock()
		var fresh []*pending
		if len(r.scopes[scope]) == 0 {
			fresh = []*pending{{query: q, scope: scope, started: true, done: make(chan struct{})}}
			r.scopes[scope] = fresh
		}
		p := r.scopes[scope][0]
		r.mu.Unlock()
		r.count(ctx, fresh)
		select {
		case <-p.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !isInterrupted(p.answer.Err) || ctx.Err() != nil {
			if p.answer.Err != nil {
				return nil, p.answer.Err
			}
			return part(p.answer.Table)
		}
	}
}

// isInterrupted reports whether the error is that of a context that ended.
func isInterrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// count has the source answer what is pending. What is interrupted is forgotten, so that it is counted
// anew for who asks next.
func (r *Request) count(ctx context.Context, list []*pending) {
	if len(list) == 0 {
		return
	}
	queries := make([]cells.Query, len(list))
	for i, p := range list {
		queries[i] = p.query
	}
	var answers []cells.Answer
	defer func() { // also where the source panics: others wait
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, p := range list {
			if answers == nil {
				p.answer.Err = context.Canceled
			} else {
				p.answer = answers[i]
			}
			if isInterrupted(p.answer.Err) {
				r.scopes[p.scope] = slices.DeleteFunc(r.scopes[p.scope], func(x *pending) bool { return x == p })
			}
			close(p.done)
		}
	}()
	cells.Note(ctx, queries...)
	answers = r.Source.Tables(ctx, queries)
}

// derive makes the table that q asks for from one that holds it.
func derive(p *pending, q cells.Query) (*cells.Table, error) {
	if p.answer.Err != nil {
		return nil, p.answer.Err
	}
	o, ok := q.(cells.Observations)
	if !ok {
		return p.answer.Table, nil
	}
	table := p.answer.Table
	if f := p.query.(cells.Observations); !slices.Equal(f.By, o.By) {
		places := make([]int, len(o.By))
		for i, d := range o.By {
			places[i] = slices.Index(f.By, d)
		}
		table = table.Coarsen(places)
	}
	if err := o.CheckCount(len(table.Cells)); err != nil {
		return nil, err
	}
	return table.Select(o.Indicators, o.Measures), nil
}

// dimensions looks up dimensions by name.
func (s *Study) dimensions(names ...string) ([]*contract.Dimension, error) {
	var out []*contract.Dimension
	for _, name := range names {
		d, err := s.Contract.Dimension(name)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}
