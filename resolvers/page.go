package resolvers

import (
	"encoding/base64"
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/study"
)

// standardPage is how many areas, plans or activities are given when a client does not say.
const standardPage = 50

// cellPage makes a page of a breakdown.
func cellPage(b *study.Breakdown, asked paging) (*model.CellConnection, error) {
	places := make([]int, len(b.Cells))
	for i := range places {
		places[i] = i
	}
	p, err := cut(places, func(i int) string { return b.Names[i] }, asked, 0)
	if err != nil {
		return nil, err
	}
	out := &model.CellConnection{PageInfo: p.info, TotalCount: len(b.Cells), Total: b.Total, Nodes: []*study.Cell{},
		Edges: []*model.CellEdge{}}
	for i, at := range p.nodes {
		out.Nodes = append(out.Nodes, b.Cells[at])
		out.Edges = append(out.Edges, &model.CellEdge{Node: b.Cells[at], Cursor: p.cursors[i]})
	}
	return out, nil
}

// activityPage makes a page of the activities that the filter keeps; those of an area or a plan only
// where one is given.
func (r *Resolver) activityPage(where *study.ActivityFilter, area *study.Area, plan *study.Plan,
	asked paging) (*model.ActivityConnection, error) {
	list, err := r.Activities(where, area, plan)
	if err != nil {
		return nil, err
	}
	p, err := cut(list, (*study.Activity).GetID, asked, standardPage)
	if err != nil {
		return nil, err
	}
	out := &model.ActivityConnection{Nodes: p.nodes, Edges: []*model.ActivityEdge{}, PageInfo: p.info,
		TotalCount: len(list)}
	for i, a := range p.nodes {
		out.Edges = append(out.Edges, &model.ActivityEdge{Node: a, Cursor: p.cursors[i]})
	}
	return out, nil
}

// paging is the arguments of a Relay connection.
type paging struct {
	first, last   *int
	after, before *string
}

// page is the part of a list that was asked for.
type page[T any] struct {
	nodes   []T
	cursors []string
	info    *model.PageInfo
}

// cut returns the page of the list. name is unique in the list and stays the same, so that a
// cursor made from it holds its place whatever the order. Without first and last, the first
// standard items are given; 0 gives all of them.
func cut[T any](list []T, name func(T) string, p paging, standard int) (page[T], error) {
	from, to := 0, len(list)
	find := func(cursor string) (int, error) {
		text, err := base64.RawURLEncoding.DecodeString(cursor)
		i := slices.IndexFunc(list, func(x T) bool { return name(x) == string(text) })
		if err != nil || i < 0 {
			return 0, fault.Invalidf("the cursor %q is not of this list; give one that a page of the same list, with the same "+
				"arguments, gave", cursor)
		}
		return i, nil
	}
	for _, n := range []*int{p.first, p.last} {
		if n != nil && *n < 0 {
			return page[T]{}, fault.Invalidf("first and last must be 0 or more, got %d", *n)
		}
	}
	if p.first != nil && p.last != nil {
		return page[T]{}, fault.Invalidf("either first or last was expected, got both")
	}
	if p.after != nil {
		i, err := find(*p.after)
		if err != nil {
			return page[T]{}, err
		}
		from = i + 1
	}
	if p.before != nil {
		i, err := find(*p.before)
		if err != nil {
			return page[T]{}, err
		}
		to = max(i, from)
	}
	switch {
	case p.first != nil:
		to = min(to, from+*p.first)
	case p.last != nil:
		from = max(from, to-*p.last)
	case standard > 0:
		to = min(to, from+standard)
	}
	out := page[T]{nodes: list[from:to], info: &model.PageInfo{HasNextPage: to < len(list), HasPreviousPage: from > 0}}
	for _, x := range out.nodes {
		out.cursors = append(out.cursors, base64.RawURLEncoding.EncodeToString([]byte(name(x))))
	}
	if n := len(out.cursors); n > 0 {
		out.info.StartCursor, out.info.EndCursor = &out.cursors[0], &out.cursors[n-1]
	}
	return out, nil
}
