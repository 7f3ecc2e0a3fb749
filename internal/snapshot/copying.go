package snapshot

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/synth"
)

// copying is a COPY by DuckDB of the blocks of rows that it is sent, until blocks is closed. It is an
// instance of DuckDB of its own: its threads wait for rows, and no other COPY should wait for them.
type copying struct {
	blocks chan block
	ctx    context.Context
	stop   context.CancelCauseFunc
	ended  chan struct{} // closed when the file is whole, or err is why not
	err    error
	mu     sync.Mutex
	sum    contentSum
}

// block is rows of a table that are still to be copied.
type block struct {
	columns  []synth.Column
	row, end int
}

// mostThreads of a COPY: each keeps a row group of its table in memory.
const mostThreads = 8

// startCopy starts to write the file, in place of what is in it. of are the columns in the contract, and first
// those of a batch, by whose codes columns are enumerations: Parquet stores them as they are.
func startCopy(ctx context.Context, path string, of []*contract.Column, first []synth.Column) (*copying, error) {
	threads := min(runtime.GOMAXPROCS(0), mostThreads)
	rows := &source{columns: of, threads: threads, copying: &copying{
		blocks: make(chan block, threads), ended: make(chan struct{}),
	}}
	for i, c := range of {
		info, err := typeInfo(c, first[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		rows.infos = append(rows.infos, driver.ColumnInfo{Name: c.Name, T: info})
	}
	c := rows.copying
	c.ctx, c.stop = context.WithCancelCause(ctx)
	go func() {
		defer close(c.ended)
		defer c.stop(nil)
		if c.err = rows.copyTo(path); c.err != nil && c.ctx.Err() != nil {
			c.err = context.Cause(c.ctx)
		}
	}()
	return c, nil
}

// typeInfo is the DuckDB type in which a column travels.
func typeInfo(c *contract.Column, b synth.Column) (driver.TypeInfo, error) {
	text, err := driver.NewTypeInfo(driver.TYPE_VARCHAR)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Type == contract.Int:
		return driver.NewTypeInfo(driver.TYPE_BIGINT)
	case c.Type == contract.Bool:
		return driver.NewTypeInfo(driver.TYPE_BOOLEAN)
	case c.Type == contract.Decimal:
		return driver.NewDecimalInfo(18, 4)
	case c.Type == contract.Date:
		return driver.NewTypeInfo(driver.TYPE_DATE)
	case c.Type == contract.Strings:
		return driver.NewListInfo(text)
	case b.Code != nil:
		return driver.NewEnumInfo(b.Codes[0], b.Codes[1:]...)
	}
	return text, nil
}

// source is the table function that DuckDB reads the rows from, with its threads.
type source struct {
	*copying
	columns []*contract.Column
	infos   []driver.ColumnInfo
	threads int
}

// copyTo runs the COPY to its end.
func (s *source) copyTo(path string) (err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(s.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for _, setting := range []string{ // no temporary files: what it holds is some row groups
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET temp_directory=''", "SET preserve_insertion_order=false", fmt.Sprintf("SET threads=%d", s.threads),
	} {
		if _, err := conn.ExecContext(s.ctx, setting); err != nil {
			return err
		}
	}
	err = driver.RegisterTableUDF(conn, "facts", driver.ParallelChunkTableFunction{
		BindArguments: func(map[string]any, ...any) (driver.ParallelChunkTableSource, error) { return s, nil },
	})
	if err != nil {
		return err
	}
	result, err := conn.ExecContext(s.ctx, fmt.Sprintf("COPY (FROM facts()) TO %s "+
		"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d, USE_TMP_FILE false)", duckdb.QuoteText(path), blockRows))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, err := result.RowsAffected(); err != nil || n != s.sum.rows {
		return errors.Join(err, fmt.Errorf("DuckDB wrote %d of the %d rows that it was given", n, s.sum.rows))
	}
	return nil
}

func (s *source) ColumnInfos() []driver.ColumnInfo     { return s.infos }
func (s *source) Cardinality() *driver.CardinalityInfo { return nil }
func (s *source) Init() driver.ParallelTableSourceInfo {
	return driver.ParallelTableSourceInfo{MaxThreads: s.threads}
}

// NewLocalState is what a thread has left of the block that it took.
func (s *source) NewLocalState() any { return &block{} }

// send hands over a block. It does not wait for what becomes of it: where one thread has failed, the others
// learn that from the next block they take, or from the end.
func (c *copying) send(ctx context.Context, b block) error {
	select {
	case c.blocks <- b:
		return nil
	case <-c.ended:
		if c.err == nil {
			return errors.New("DuckDB has ended the table, and there are more rows")
		}
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// FillChunk gives a thread its next rows, and waits for them; none at the end.
func (s *source) FillChunk(local any, chunk driver.DataChunk) (err error) {
	defer func() {
		if err != nil {
			s.stop(err) // the first, which ends the waiting of all threads
		}
	}()
	b := local.(*block)
	if b.row == b.end {
		var more bool
		select {
		case *b, more = <-s.blocks:
			if !more {
				return chunk.SetSize(0)
			}
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		sum, err := b.content(s.columns)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.sum.add(sum)
		s.mu.Unlock()
	}
	vectors, err := duckdb.VectorsOf(chunk)
	if err != nil {
		return err
	}
	n := min(driver.GetDataChunkCapacity(), b.end-b.row)
	for i, c := range b.columns {
		if err := copyColumn(vectors, chunk, i, c, b.row, b.row+n); err != nil {
			return fmt.Errorf("column %s: rows from %d: %w", c.Name, b.row, err)
		}
	}
	b.row += n
	return chunk.SetSize(n)
}

// content is what the rows of a block add to the fingerprint. Its codes are found to be there.
func (b block) content(of []*contract.Column) (contentSum, error) {
	rows := newRowWords(b.end - b.row)
	for i, c := range b.columns {
		word := wordsOf(of[i].Name)
		switch {
		case c.Code != nil:
			values := c.Code[b.row:b.end]
			for row, code := range values {
				if int(code) >= len(c.Codes) && code != synth.NullCode {
					return contentSum{}, fmt.Errorf("column %s: row %d has code number %d of %d", c.Name, b.row+row, code,
						len(c.Codes))
				}
			}
			rows.addCodes(word, values, c.Codes)
		case c.Int != nil:
			rows.addNumbers(word, c.Int[b.row:b.end])
		case c.Decimal != nil:
			rows.addNumbers(word, c.Decimal[b.row:b.end])
		case c.Date != nil:
			rows.addNumbers(word, c.Date[b.row:b.end])
		case c.Texts != nil:
			rows.addLists(word, c.Texts[b.row:b.end])
		default:
			rows.addTexts(word, c.Text[b.row:b.end])
		}
	}
	return rows.sum(), nil
}

// copyColumn copies values of a column to column i of the chunk. Texts are set one by one: large tables have few.
func copyColumn(vectors duckdb.Vectors, chunk driver.DataChunk, i int, c synth.Column, from, to int) error {
	switch {
	case c.Code != nil:
		return duckdb.Fill[uint8](vectors, i, c.Code[from:to], synth.NullCode)
	case c.Int != nil:
		return duckdb.Fill[int64](vectors, i, c.Int[from:to], synth.NullInt)
	case c.Decimal != nil:
		return duckdb.Fill[int64](vectors, i, c.Decimal[from:to], synth.NullInt)
	case c.Date != nil:
		return duckdb.Fill[int32](vectors, i, c.Date[from:to], synth.NullInt)
	case c.Texts != nil:
		for row, v := range c.Texts[from:to] {
			if err := chunk.SetValue(i, row, v); err != nil {
				return err
			}
		}
		return nil
	}
	for row, v := range c.Text[from:to] {
		var err error
		if v == synth.NullText {
			err = chunk.SetValue(i, row, nil)
		} else {
			err = driver.SetChunkValue(chunk, i, row, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
