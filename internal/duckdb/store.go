// Package duckdb is a cells.Source over a snapshot: DuckDB opens its Parquet read-only, builds the
// roll-ups, and counts what they do not cover. Persons exist only below it.
package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Store is an open snapshot. It is safe for concurrent use.
type Store struct {
	db            *sql.DB
	catalogue     *cells.Catalogue
	activityPlace map[string]int // by id, among the catalogue's
	seen          []seen         // the files that are read
	rollups       []*rollup

	life    context.Context // until the store is closed
	end     context.CancelFunc
	mu      sync.Mutex     // held where the store is closed, or work begun that Close waits for
	working sync.WaitGroup // of whileOpen
	turns   chan struct{}  // of those that work
}

var _ cells.Source = (*Store)(nil)

// Options bound what DuckDB may use. The zero Options leave it to DuckDB.
type Options struct {
	Threads     int
	MemoryLimit string // as DuckDB writes it, e.g. "4GB"
	Spill       string // the folder for what memory does not hold
	Files       []File // what is found must be these; nil where it is not known what was made

	Cells     string // the folder of the stored roll-ups; if empty, cells beside the facts
	CellFiles []File // as Files, of Cells; nil where it is not known, or Files has them
}

// cells returns the folder of the roll-ups of the snapshot in folder.
func (o Options) cells(folder string) string {
	return cmp.Or(o.Cells, filepath.Join(folder, cellsFolder))
}

// Open opens the snapshot in folder. Afterwards DuckDB reads nothing outside it and o.Cells, and no
// statement can change its settings. It is an Invalid fault if a file is not as it was made; one
// that changes while the store is open is not read: what needs it is an Unavailable fault.
func Open(ctx context.Context, folder string, c *contract.Contract, o Options) (_ *Store, err error) {
	defer fault.Wrap(&err, "duckdb.Open(%s)", folder)
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	if o.Cells, err = filepath.Abs(o.cells(folder)); err != nil {
		return nil, err
	}
	db, err := database(ctx, o)
	if err != nil {
		return nil, err
	}
	s := newStore(db, c)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.see(folder, o.Files); err != nil {
		return nil, err
	}
	if o.Files == nil || o.CellFiles != nil {
		if err := s.see(o.Cells, o.CellFiles); err != nil {
			return nil, err
		}
	}
	if err := s.openFacts(ctx, folder); err != nil {
		return nil, err
	}
	if err := s.openRollups(ctx, o.Cells); err != nil {
		return nil, err
	}
	if err := s.openPlaces(ctx); err != nil {
		return nil, err
	}
	if err := s.openParted(ctx); err != nil {
		return nil, err
	}
	if err := lock(ctx, db, folder, o.Cells); err != nil {
		return nil, err
	}
	if err := s.unchanged(); err != nil {
		return nil, err
	}
	return s, nil
}

func newStore(db *sql.DB, c *contract.Contract) *Store {
	life, end := context.WithCancel(context.Background())
	return &Store{db: db, activityPlace: map[string]int{}, life: life, end: end,
		turns: make(chan struct{}, statementsAtOnce),
		catalogue: &cells.Catalogue{Contract: c, Columns: map[string]map[string]bool{},
			Bounds: map[string]map[string][2]int{}, Parted: map[string]map[string][]int{}}}
}

// Catalogue implements cells.Source.
func (s *Store) Catalogue() *cells.Catalogue { return s.catalogue }

// Tables implements cells.Source. What a roll-up covers is counted in memory, the rest by statements
// over the facts.
func (s *Store) Tables(ctx context.Context, queries []cells.Query) []cells.Answer {
	out := make([]cells.Answer, len(queries))
	observed, places := make([]cells.Observations, 0, len(queries)), make([]int, 0, len(queries))
	for i, q := range queries {
		if err := s.catalogue.Check(q); err != nil {
			out[i].Err = err
			continue
		}
		if o, ok := q.(cells.Observations); ok {
			observed, places = append(observed, o), append(places, i)
			continue
		}
		table, err := s.table(ctx, q)
		if err != nil {
			fault.Wrap(&err, "%s", q)
			table = nil // what was read until then is no answer
		}
		out[i] = cells.Answer{Table: table, Err: err}
	}
	s.observations(ctx, observed, func(k int, t *cells.Table, err error) {
		if err != nil {
			fault.Wrap(&err, "%s", observed[k])
		}
		out[places[k]] = cells.Answer{Table: t, Err: err}
	})
	return out
}

func (s *Store) table(ctx context.Context, q cells.Query) (*cells.Table, error) {
	switch q := q.(type) {
	case cells.Flows:
		return s.flows(ctx, q)
	case cells.Participants:
		return s.participants(ctx, q)
	case cells.Starts:
		return s.starts(ctx)
	case cells.Persons:
		return s.persons(ctx, q)
	case cells.EffectTypes:
		return s.effectTypes(ctx)
	case cells.Responses:
		return s.responses(ctx)
	case cells.KeyFigures:
		return s.keyFigures(ctx)
	}
	return nil, fmt.Errorf("no table for a %T", q)
}

// Close closes the snapshot; a statement under way ends with an error.
func (s *Store) Close() error {
	s.mu.Lock()
	s.end()
	s.mu.Unlock()
	s.working.Wait()
	return s.db.Close()
}

// whileOpen begins some work that no request ends: it has a context that lasts until the store is closed,
// and is done beside other such work, but not beside much of it.
func (s *Store) whileOpen(work func(context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		go work(s.life) // which only says so
		return
	}
	s.working.Go(func() {
		s.turns <- struct{}{}
		defer func() { <-s.turns }()
		work(s.life)
	})
}

// Ready returns an error if the store cannot answer.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.unchanged(); err != nil {
		return err
	}
	var one int
	return s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// database opens an empty DuckDB in memory, bounded by o.
func database(ctx context.Context, o Options) (*sql.DB, error) {
	connector, err := driver.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	settings := []string{"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET parquet_metadata_cache=true"}
	if o.Threads > 0 {
		settings = append(settings, fmt.Sprintf("SET threads=%d", o.Threads))
	}
	if o.MemoryLimit != "" {
		settings = append(settings, "SET memory_limit="+QuoteText(o.MemoryLimit))
	}
	if o.Spill != "" {
		settings = append(settings, "SET temp_directory="+QuoteText(o.Spill))
	}
	for _, text := range settings {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// EngineVersion is the version of DuckDB.
func EngineVersion(ctx context.Context) (_ string, err error) {
	db, err := database(ctx, Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var version string
	err = db.QueryRowContext(ctx, "SELECT version()").Scan(&version)
	return version, err
}

// lock leaves DuckDB with the folders as the only places it reads.
func lock(ctx context.Context, db *sql.DB, folders ...string) error {
	var allowed []string
	for _, folder := range folders {
		allowed = append(allowed, QuoteText(folder+string(filepath.Separator)))
	}
	for _, text := range []string{
		"SET allowed_directories=[" + strings.Join(allowed, ", ") + "]",
		"SET enable_external_access=false",
		"SET lock_configuration=true",
	} {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// query runs a statement and calls each for every row. What was read from a file that is not the
// one that was opened is an error, whatever DuckDB made of it.
func (s *Store) query(ctx context.Context, text string, values []any, each func(*sql.Rows) error) (err error) {
	if err := s.unchanged(); err != nil {
		return err
	}
	defer func() {
		if changed := s.unchanged(); changed != nil {
			err = changed
		}
	}()
	rows, err := s.db.QueryContext(ctx, text, values...)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return stopped(ctx, rows.Err())
}

// stopped returns the reason ctx ended if it did, since DuckDB says only "interrupted".
func stopped(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Parquet writes the relation of a Parquet file's rows. DuckDB would make a column of each folder on
// the way that is named like year=2016.
func Parquet(file string) string {
	return "read_parquet(" + QuoteText(file) + ", hive_partitioning = false)"
}
