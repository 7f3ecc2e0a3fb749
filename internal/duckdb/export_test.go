package duckdb

import (
	"context"
	"database/sql"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kvarter/kvarter/internal/cells"
)

// Exec runs any statement on the store's DuckDB, to see what it refuses.
func Exec(s *Store, text string) error {
	_, err := s.db.Exec(text)
	return err
}

// ExecContext runs any statement as the store runs its own.
func ExecContext(ctx context.Context, s *Store, text string) error {
	return s.query(ctx, text, nil, func(*sql.Rows) error { return nil })
}

// Covering returns the name of the roll-up that the question is answered from, or "".
func Covering(s *Store, q cells.Observations) string {
	if r := s.rollupFor(q); r != nil {
		return r.Name
	}
	return ""
}

// Columns returns what was asked for of roll-ups, by roll-up and name.
func Columns(s *Store) map[string]any {
	out := map[string]any{}
	for _, r := range s.rollups {
		r.mu.Lock()
		for name, c := range r.columns {
			out[r.Name+"."+name] = c
		}
		r.mu.Unlock()
	}
	return out
}

// HandleOf looks for the connection of DuckDB's C interface in a value.
func HandleOf(value any) (unsafe.Pointer, error) { return handleOf[mapping.Connection](value, "conn") }
