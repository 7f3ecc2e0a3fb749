// Package store holds DuckDB: it opens a snapshot read-only, builds its cells, and answers cell
// queries. Persons exist only below it; nothing it returns is about one.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Store is an open snapshot. It is safe for concurrent use.
type Store struct {
	db       *sql.DB
	contract *contract.Contract
	columns  map[string]map[string]bool   // by table: the columns that the data set has
	bounds   map[string]map[string][2]int // by table: least and largest value of integer dimensions
	rollups  []*rollup
	seen     []seen // the files that are read

	areas        []*Area
	areaPosition map[string]int
	plans        []*Plan
	planByID     map[string]*Plan

	activities   []*Activity
	activityByID map[string]*Activity
	starts       []Start
}

// Options bound what DuckDB may use. The zero Options leave it to DuckDB.
type Options struct {
	Threads     int
	MemoryLimit string // as DuckDB writes it, e.g. "4GB"
	Spill       string // the folder for what memory does not hold
	Files       []File // what Open finds must be these; nil where it is not known what was made
}

// Open opens the snapshot in folder. Afterwards DuckDB reads nothing outside the folder and no
// statement can change its settings. It is an Invalid fault if a file is not as it was made; one
// that changes while the store is open is not read: what needs it is an Unavailable fault.
func Open(ctx context.Context, folder string, c *contract.Contract, o Options) (_ *Store, err error) {
	defer fault.Wrap(&err, "store.Open(%s)", folder)
	folder, err = filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	db, err := database(ctx, o)
	if err != nil {
		return nil, err
	}
	s := newStore(db, c)
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if err := s.see(folder, o.Files); err != nil {
		return nil, err
	}
	if err := s.openFacts(ctx, folder); err != nil {
		return nil, err
	}
	if err := s.openRollups(ctx, folder); err != nil {
		return nil, err
	}
	if err := s.openAreas(ctx); err != nil {
		return nil, err
	}
	if err := s.openActivities(ctx); err != nil {
		return nil, err
	}
	if err := lock(ctx, db, folder); err != nil {
		return nil, err
	}
	if err := s.unchanged(); err != nil {
		return nil, err
	}
	return s, nil
}

func newStore(db *sql.DB, c *contract.Contract) *Store {
	return &Store{db: db, contract: c, columns: map[string]map[string]bool{}, bounds: map[string]map[string][2]int{},
		areaPosition: map[string]int{}, planByID: map[string]*Plan{}, activityByID: map[string]*Activity{}}
}

// Close closes the snapshot; a statement under way ends with an error.
func (s *Store) Close() error { return s.db.Close() }

// Ready returns an error if the store cannot answer.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.unchanged(); err != nil {
		return err
	}
	var one int
	return s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// Contract returns the contract that the snapshot follows.
func (s *Store) Contract() *contract.Contract { return s.contract }

// database opens an empty DuckDB in memory, bounded by o.
func database(ctx context.Context, o Options) (*sql.DB, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	settings := []string{"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false", "SET parquet_metadata_cache=true"}
	if o.Threads > 0 {
		settings = append(settings, fmt.Sprintf("SET threads=%d", o.Threads))
	}
	if o.Spill != "" {
		settings = append(settings, "SET temp_directory="+quoteText(o.Spill))
	}
	if o.MemoryLimit != "" {
		settings = append(settings, "SET memory_limit="+quoteText(o.MemoryLimit))
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

// lock leaves DuckDB with the folder as the one place it reads.
func lock(ctx context.Context, db *sql.DB, folder string) error {
	for _, text := range []string{
		"SET allowed_directories=[" + quoteText(folder+string(filepath.Separator)) + "]",
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
	return "read_parquet(" + quoteText(file) + ", hive_partitioning = false)"
}

// tables returns the tables that the data set has, in the contract's order.
func (s *Store) tables() []string {
	var out []string
	for _, t := range s.contract.Tables {
		if _, ok := s.columns[t.Name]; ok {
			out = append(out, t.Name)
		}
	}
	return out
}

// openFacts makes a view for each table that the folder has.
func (s *Store) openFacts(ctx context.Context, folder string) error {
	for _, t := range s.contract.Tables {
		file := filepath.Join(folder, t.Name+".parquet")
		if !s.sees(file) {
			continue
		}
		if _, err := s.db.ExecContext(ctx, fmt.Sprintf("CREATE VIEW %s AS SELECT * FROM %s", quoteName(t.Name), Parquet(file))); err != nil {
			return err
		}
		columns := map[string]bool{}
		err := s.query(ctx, "SELECT column_name FROM duckdb_columns() WHERE table_name = ?", []any{t.Name}, func(rows *sql.Rows) error {
			var name string
			err := rows.Scan(&name)
			columns[name] = true
			return err
		})
		if err != nil {
			return err
		}
		for _, c := range t.Columns {
			if !c.Optional && !columns[c.Name] {
				return fault.Invalidf("%s has no column %s, which the contract requires; make the snapshot again", file, c.Name)
			}
		}
		s.columns[t.Name] = columns
		if err := s.openBounds(ctx, t, columns); err != nil {
			return err
		}
	}
	if len(s.columns) == 0 {
		return fault.NotFoundf("%s holds no table of the contract; `go run . generate` makes the default data set", folder)
	}
	return nil
}

// openBounds reads the least and the largest value of the table's integer dimensions.
func (s *Store) openBounds(ctx context.Context, t *contract.Table, columns map[string]bool) error {
	var names, expressions []string
	for _, d := range s.contract.Dimensions {
		if c := d.Columns[t.Name]; c != nil && d.IsInteger() && columns[c.Name] && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
			expressions = append(expressions, fmt.Sprintf("min(%[1]s), max(%[1]s)", quoteName(c.Name)))
		}
	}
	s.bounds[t.Name] = map[string][2]int{}
	if len(names) == 0 {
		return nil
	}
	values := make([]sql.NullInt64, 2*len(names))
	targets := make([]any, len(values))
	for i := range values {
		targets[i] = &values[i]
	}
	row := s.db.QueryRowContext(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+quoteName(t.Name))
	if err := row.Scan(targets...); err != nil {
		return err
	}
	for i, name := range names {
		if values[2*i].Valid {
			s.bounds[t.Name][name] = [2]int{int(values[2*i].Int64), int(values[2*i+1].Int64)}
		}
	}
	return nil
}

// Years returns the years that the table has from the first to the last, or none.
func (s *Store) Years(table *contract.Table) []int {
	b, ok := s.bounds[table.Name]["year"]
	if !ok {
		return nil
	}
	var out []int
	for y := b[0]; y <= b[1]; y++ {
		out = append(out, y)
	}
	return out
}
