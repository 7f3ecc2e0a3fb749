package snapshot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/synth"
)

// A Writer writes the tables of a snapshot that is being made.
type Writer struct {
	ctx      context.Context // of the whole snapshot
	folder   string
	contract *contract.Contract
	tables   map[string]*written
}

// written is a table that Write has written rows of.
type written struct {
	table   *contract.Table
	columns []*contract.Column // those it has, in the contract's order
	codes   [][]string         // of each
	copying *copying
	sum     contentSum // once it is closed
}

// Folder is that of the snapshot, for files that are kept beside the facts.
func (w *Writer) Folder() string { return w.folder }

// Path is the Parquet file of a table. Whoever has the rows in a database of their own may write
// it without Write, with the contract's column names and types.
func (w *Writer) Path(table string) string { return filepath.Join(w.folder, table+".parquet") }

// blockRows are taken by one thread at a time: a row group of Parquet, so that the rows of a
// row group were neighbours and a year is found in few of them.
const blockRows = 122_880

// Write writes rows of a table of the contract from batches of columns, after those of earlier calls;
// added is called with the number of rows as they are handed over, and may be nil. All batches of a table
// have the same columns, and the same codes in them. It reports an Invalid fault for a table or column
// that the contract does not have. Calls for different tables may take turns.
//
// The last rows may still be encoded when it returns, and the batches must not change: what then goes
// wrong is an error of a later call or of the snapshot, and so is every error of Write itself.
func (w *Writer) Write(ctx context.Context, table string, batches iter.Seq[*synth.Batch],
	added func(rows int)) (err error) {
	defer fault.Wrap(&err, "snapshot.Write(%s)", table)
	t := w.contract.Table(table)
	if t == nil {
		return fault.Invalidf("the contract has no table %q", table)
	}
	of := w.tables[table]
	defer func() {
		if err != nil && of != nil {
			of.copying.stop(err)
		}
	}()
	for b := range batches {
		if of == nil {
			if of, err = w.open(t, b); err != nil {
				return err
			}
			w.tables[table] = of
		}
		columns, err := of.match(b)
		if err != nil {
			return err
		}
		for row := 0; row < b.Rows; row += blockRows {
			next := block{columns: columns, row: row, end: min(row+blockRows, b.Rows)}
			if err := of.copying.send(ctx, next); err != nil {
				return err
			}
			if added != nil {
				added(next.end - row)
			}
		}
	}
	if of == nil {
		return fault.Invalidf("table %s has no rows", table)
	}
	return nil
}

// open begins to write a table, which has the columns of the batch.
func (w *Writer) open(t *contract.Table, b *synth.Batch) (*written, error) {
	of := &written{table: t}
	for _, c := range t.Columns {
		i := slices.IndexFunc(b.Columns, func(have synth.Column) bool { return have.Name == c.Name })
		if i >= 0 {
			of.columns, of.codes = append(of.columns, c), append(of.codes, b.Columns[i].Codes)
		}
	}
	for _, c := range b.Columns {
		if t.Column(c.Name) == nil {
			return nil, fault.Invalidf("table %s of the contract has no column %q", t.Name, c.Name)
		}
	}
	columns, err := of.match(b)
	if err != nil {
		return nil, err
	}
	// DuckDB would make a file that others may read.
	file, err := os.OpenFile(w.Path(t.Name), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	if of.copying, err = startCopy(w.ctx, w.Path(t.Name), of.columns, columns); err != nil {
		return nil, err
	}
	return of, nil
}

// close ends the tables that were written, whose files are then whole; if writing has failed, it stops
// them and returns why.
func (w *Writer) close(failed error) error {
	for _, of := range w.tables {
		if failed != nil {
			of.copying.stop(failed)
		}
		close(of.copying.blocks)
	}
	err := failed
	for name, of := range w.tables {
		<-of.copying.ended
		of.sum = of.copying.sum
		if failed == nil && of.copying.err != nil {
			err = errors.Join(err, fmt.Errorf("table %s: %w", name, of.copying.err))
		}
	}
	return err
}

// match returns the columns of the batch in the order of the table's, each with the type it has there.
func (of *written) match(b *synth.Batch) ([]synth.Column, error) {
	out := make([]synth.Column, len(of.columns))
	for i, c := range of.columns {
		k := slices.IndexFunc(b.Columns, func(have synth.Column) bool { return have.Name == c.Name })
		if k < 0 || len(b.Columns) != len(of.columns) {
			return nil, fault.Invalidf("the batches of table %s have different columns", of.table.Name)
		}
		out[i] = b.Columns[k]
		if !fits(c, out[i]) {
			return nil, fault.Invalidf("column %s is of type %s in the contract, and its values are not", c.Name, c.Type)
		}
		if !slices.Equal(out[i].Codes, of.codes[i]) {
			return nil, fault.Invalidf("the batches of table %s have different codes in column %s", of.table.Name, c.Name)
		}
	}
	return out, nil
}

// fits reports whether the values of a column are of the type that the contract says.
func fits(c *contract.Column, b synth.Column) bool {
	switch c.Type {
	case contract.Int:
		return b.Int != nil
	case contract.Bool:
		return b.Code != nil && slices.Equal(b.Codes, synth.Bools)
	case contract.Decimal:
		return b.Decimal != nil
	case contract.Date:
		return b.Date != nil
	case contract.Strings:
		return b.Texts != nil
	case contract.String:
		return b.Text != nil || b.Code != nil && len(b.Codes) > 0 && len(b.Codes) <= synth.NullCode
	}
	return false
}
