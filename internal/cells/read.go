package cells

import (
	"context"
	"slices"
	"sync"
)

// read gathers which tables of the data set the answers to a request were computed from.
type read struct {
	mu     sync.Mutex
	tables []string
}

type readKey struct{}

// Reading returns a context under which it is gathered which tables are asked of, and what names them,
// in order, with those of places.
func Reading(ctx context.Context) (_ context.Context, tables func() []string) {
	r := &read{}
	return context.WithValue(ctx, readKey{}, r), r.names
}

// Note gathers the tables of the queries.
func Note(ctx context.Context, queries ...Query) {
	r, ok := ctx.Value(readKey{}).(*read)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range queries {
		if name := tableOf(q); !slices.Contains(r.tables, name) {
			r.tables = append(r.tables, name)
		}
	}
}

// placeTables are the tables that a catalogue is made of. They say which area is where and supported when,
// which every question may go by.
var placeTables = []string{"activity", "area", "plan"}

func (r *read) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Concat(placeTables, r.tables)
	slices.Sort(out)
	return slices.Compact(out)
}

func tableOf(q Query) string {
	switch q := q.(type) {
	case Observations:
		return q.Table.Name
	case Flows:
		return q.Table.Name
	case Responses:
		return "actor_survey"
	case KeyFigures:
		return "area_year"
	default: // Participants, Starts, Persons, EffectTypes
		return "participant"
	}
}
