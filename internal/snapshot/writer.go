package snapshot

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/synth"
)

// A Writer writes the tables of a snapshot that is being made.
type Writer struct {
	folder   string
	contract *contract.Contract
	db       *sql.DB
}

// Folder is that of the snapshot, for files that are kept beside the facts.
func (w *Writer) Folder() string { return w.folder }

// Path is the Parquet file of a table. Whoever has the rows in a database of their own may write
// it without Write, with the contract's column names and types.
func (w *Writer) Path(table string) string { return filepath.Join(w.folder, table+".parquet") }

// Write writes a table of the contract from batches of columns; added is called with the number
// of rows as they are taken, from several threads, and may be nil. All batches have the same
// columns. It reports an Invalid fault for a table or column that the contract does not have.
//
// The batches are read by a DuckDB table function, a vector at a time where the Appender takes a
// call per value; codes travel as enumerations, which Parquet stores as they are.
func (w *Writer) Write(ctx context.Context, table string, batches iter.Seq[*synth.Batch],
	added func(rows int)) (err error) {
	defer fault.Wrap(&err, "snapshot.Write(%s)", table)
	t := w.contract.Table(table)
	if t == nil {
		return fault.Invalidf("the contract has no table %q", table)
	}
	// The batches are made by a goroutine of their own, since DuckDB asks for rows from its threads.
	made := make(chan *synth.Batch)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(made)
		for b := range batches {
			select {
			case made <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	first, ok := <-made
	if !ok {
		return fault.Invalidf("table %s has no rows", table)
	}
	src := &source{made: made, batch: first, added: added}
	var names []string
	for _, c := range t.Columns {
		for i, b := range first.Columns {
			if b.Name != c.Name {
				continue
			}
			info, err := typeInfo(c, b)
			if err != nil {
				return err
			}
			src.order = append(src.order, i)
			src.infos = append(src.infos, driver.ColumnInfo{Name: c.Name, T: info})
			names = append(names, duckdb.QuoteName(c.Name))
		}
	}
	for _, b := range first.Columns {
		if t.Column(b.Name) == nil {
			return fault.Invalidf("table %s of the contract has no column %q", table, b.Name)
		}
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	function := "rows_of_" + table
	err = driver.RegisterTableUDF(conn, function, driver.ParallelChunkTableFunction{
		BindArguments: func(map[string]any, ...any) (driver.ParallelChunkTableSource, error) { return src, nil },
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("COPY (SELECT %s FROM %s()) TO %s (FORMAT parquet, COMPRESSION zstd)", strings.Join(names, ", "),
		duckdb.QuoteName(function), duckdb.QuoteText(w.Path(table)))
	if _, err := conn.ExecContext(ctx, text); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

// typeInfo is the DuckDB type in which a column travels.
func typeInfo(c *contract.Column, b synth.Column) (driver.TypeInfo, error) {
	wrong := func() (driver.TypeInfo, error) {
		return nil, fault.Invalidf("column %s is of type %s in the contract, and its values are not", c.Name, c.Type)
	}
	switch c.Type {
	case contract.Int:
		if b.Int == nil {
			return wrong()
		}
		return driver.NewTypeInfo(driver.TYPE_BIGINT)
	case contract.Bool:
		if b.Code == nil || len(b.Codes) != len(synth.Bools) {
			return wrong()
		}
		return driver.NewTypeInfo(driver.TYPE_BOOLEAN)
	case contract.Decimal:
		if b.Decimal == nil {
			return wrong()
		}
		return driver.NewDecimalInfo(18, 4)
	case contract.Date:
		if b.Date == nil {
			return wrong()
		}
		return driver.NewTypeInfo(driver.TYPE_DATE)
	case contract.Strings:
		if b.Texts == nil {
			return wrong()
		}
		text, err := driver.NewTypeInfo(driver.TYPE_VARCHAR)
		if err != nil {
			return nil, err
		}
		return driver.NewListInfo(text)
	case contract.String:
		if b.Code != nil {
			return driver.NewEnumInfo(b.Codes[0], b.Codes[1:]...)
		}
		if b.Text == nil {
			return wrong()
		}
		return driver.NewTypeInfo(driver.TYPE_VARCHAR)
	}
	return wrong()
}

// blockRows are taken by one thread at a time: a row group of Parquet, so that the rows of a
// row group were neighbours and a year is found in few of them.
const blockRows = 122_880

// source hands the rows of the batches to DuckDB, a block to a thread.
type source struct {
	infos []driver.ColumnInfo
	order []int // of the batch's columns
	added func(rows int)

	mu    sync.Mutex
	made  <-chan *synth.Batch
	batch *synth.Batch // nil at the end
	row   int
}

// block is what one thread has left of the rows it took.
type block struct {
	batch    *synth.Batch
	row, end int
}

func (s *source) ColumnInfos() []driver.ColumnInfo     { return s.infos }
func (s *source) Cardinality() *driver.CardinalityInfo { return nil }
func (s *source) Init() driver.ParallelTableSourceInfo {
	return driver.ParallelTableSourceInfo{MaxThreads: runtime.GOMAXPROCS(0)}
}
func (s *source) NewLocalState() any { return &block{} }

// take gives the thread its next block; an empty one at the end.
func (s *source) take(b *block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.batch != nil && s.row == s.batch.Rows {
		s.batch, s.row = <-s.made, 0
	}
	if s.batch == nil {
		*b = block{}
		return
	}
	*b = block{s.batch, s.row, min(s.row+blockRows, s.batch.Rows)}
	s.row = b.end
}

func (s *source) FillChunk(local any, chunk driver.DataChunk) error {
	b := local.(*block)
	if b.row == b.end {
		s.take(b)
	}
	n := min(driver.GetDataChunkCapacity(), b.end-b.row)
	for i, j := range s.order {
		if n == 0 {
			break
		}
		if err := fillColumn(chunk, i, &b.batch.Columns[j], b.row, n); err != nil {
			return fmt.Errorf("column %s: %w", b.batch.Columns[j].Name, err)
		}
	}
	b.row += n
	if s.added != nil && n > 0 {
		s.added(n)
	}
	return chunk.SetSize(n)
}

func fillColumn(chunk driver.DataChunk, i int, c *synth.Column, from, n int) error {
	set := func(row int) error { return chunk.SetValue(i, row, nil) }
	switch {
	case c.Code != nil && len(c.Codes) == len(synth.Bools) && c.Codes[0] == synth.Bools[0]:
		for row, code := range c.Code[from : from+n] {
			if code == synth.NullCode {
				if err := set(row); err != nil {
					return err
				}
			} else if err := driver.SetChunkValue(chunk, i, row, code == 1); err != nil {
				return err
			}
		}
	case c.Code != nil:
		for row, code := range c.Code[from : from+n] {
			if code == synth.NullCode {
				if err := set(row); err != nil {
					return err
				}
			} else if int(code) >= len(c.Codes) {
				return fmt.Errorf("row %d has code number %d of %d", from+row, code, len(c.Codes))
			} else if err := driver.SetChunkValue(chunk, i, row, c.Codes[code]); err != nil {
				return err
			}
		}
	case c.Int != nil:
		return fillInts(chunk, i, c.Int[from:from+n], func(v int32) int64 { return int64(v) })
	case c.Decimal != nil:
		return fillInts(chunk, i, c.Decimal[from:from+n], func(v int32) int64 { return int64(v) })
	case c.Date != nil:
		return fillInts(chunk, i, c.Date[from:from+n], func(v int32) time.Time { return time.Unix(int64(v)*86_400, 0).UTC() })
	case c.Texts != nil:
		for row, v := range c.Texts[from : from+n] {
			if err := chunk.SetValue(i, row, v); err != nil {
				return err
			}
		}
	default:
		for row, v := range c.Text[from : from+n] {
			if v == synth.NullText {
				if err := set(row); err != nil {
					return err
				}
			} else if err := driver.SetChunkValue(chunk, i, row, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func fillInts[T any](chunk driver.DataChunk, i int, values []int32, as func(int32) T) error {
	for row, v := range values {
		if v == synth.NullInt {
			if err := chunk.SetValue(i, row, nil); err != nil {
				return err
			}
		} else if err := driver.SetChunkValue(chunk, i, row, as(v)); err != nil {
			return err
		}
	}
	return nil
}
