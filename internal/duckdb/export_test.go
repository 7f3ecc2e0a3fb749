package duckdb

import (
	"context"
	"database/sql"
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
