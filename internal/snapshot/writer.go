package snapshot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/parquet"
	"github.com/kvarter/kvarter/internal/synth"
)

// A Writer writes the tables of a snapshot that is being made.
type Writer struct {
	folder   string
	contract *contract.Contract
	tables   map[string]*written
}

// written is a table that Write has written rows of.
type written struct {
	table   *contract.Table
	columns []*contract.Column // those it has, in the contract's order
	file    *parquet.File
	sum     contentSum
}

// Folder is that of the snapshot, for files that are kept beside the facts.
func (w *Writer) Folder() string { return w.folder }

// Path is the Parquet file of a table. Whoever has the rows in a database of their own may write
// it without Write, with the contract's column names and types.
func (w *Writer) Path(table string) string { return filepath.Join(w.folder, table+".parquet") }

// blockRows are encoded by one thread at a time: a row group of Parquet, so that the rows of a
// row group were neighbours and a year is found in few of them.
const blockRows = 122_880

// block is rows of a table as they are to be written.
type block struct {
	group *parquet.Group
	sum   contentSum
}

// Write writes rows of a table of the contract from batches of columns, after those of earlier calls;
// added is called with the number of rows as they are written, and may be nil. All batches of a table
// have the same columns. It reports an Invalid fault for a table or column that the contract does not
// have.
//
// Row groups are encoded, and what their rows add to the fingerprint computed, by as many threads as
// there are, and written in order: the file is the same whatever their number.
func (w *Writer) Write(ctx context.Context, table string, batches iter.Seq[*synth.Batch],
	added func(rows int)) (err error) {
	defer fault.Wrap(&err, "snapshot.Write(%s)", table)
	t := w.contract.Table(table)
	if t == nil {
		return fault.Invalidf("the contract has no table %q", table)
	}
	blocks := make(chan chan block, runtime.GOMAXPROCS(0))
	var of *written
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(blocks)
		for b := range batches {
			if of, err = w.open(t, b); err != nil {
				return err
			}
			columns, err := of.match(b)
			if err != nil {
				return err
			}
			for row := 0; row < b.Rows; row += blockRows {
				out := make(chan block, 1)
				select {
				case blocks <- out:
				case <-ctx.Done():
					return ctx.Err()
				}
				group.Go(func() error {
					encoded, err := of.encode(columns, row, min(row+blockRows, b.Rows))
					out <- encoded
					return err
				})
			}
		}
		return nil
	})
	group.Go(func() error {
		for out := range blocks {
			b := <-out
			if err := ctx.Err(); err != nil {
				return err
			}
			if b.group == nil {
				continue // the error is returned by who made it
			}
			if err := of.file.Append(b.group); err != nil {
				return err
			}
			of.sum.add(b.sum)
			if added != nil {
				added(int(b.sum.rows))
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if of == nil {
		return fault.Invalidf("table %s has no rows", table)
	}
	return nil
}

// open returns the table to write to, which has the columns of the batch if it is new.
func (w *Writer) open(t *contract.Table, b *synth.Batch) (*written, error) {
	if of := w.tables[t.Name]; of != nil {
		return of, nil
	}
	of := &written{table: t}
	var columns []parquet.Column
	for _, c := range t.Columns {
		i := slices.IndexFunc(b.Columns, func(have synth.Column) bool { return have.Name == c.Name })
		if i < 0 {
			continue
		}
		kind, err := kindOf(c, b.Columns[i])
		if err != nil {
			return nil, err
		}
		of.columns = append(of.columns, c)
		columns = append(columns, parquet.Column{Name: c.Name, Kind: kind})
	}
	for _, c := range b.Columns {
		if t.Column(c.Name) == nil {
			return nil, fault.Invalidf("table %s of the contract has no column %q", t.Name, c.Name)
		}
	}
	var err error
	if of.file, err = parquet.Create(w.Path(t.Name), columns); err != nil {
		return nil, err
	}
	w.tables[t.Name] = of
	return of, nil
}

// close ends the files of the tables that were written.
func (w *Writer) close() (err error) {
	for _, of := range w.tables {
		err = errors.Join(err, of.file.Close())
	}
	return err
}

// kindOf is the type in which a column is stored.
func kindOf(c *contract.Column, b synth.Column) (parquet.Kind, error) {
	kind, fits := parquet.Text, b.Code != nil || b.Text != nil
	switch c.Type {
	case contract.Int:
		kind, fits = parquet.Int, b.Int != nil
	case contract.Bool:
		kind, fits = parquet.Bool, b.Code != nil && len(b.Codes) == len(synth.Bools)
	case contract.Decimal:
		kind, fits = parquet.Decimal, b.Decimal != nil
	case contract.Date:
		kind, fits = parquet.Date, b.Date != nil
	case contract.Strings:
		kind, fits = parquet.Texts, b.Texts != nil
	}
	if !fits {
		return 0, fault.Invalidf("column %s is of type %s in the contract, and its values are not", c.Name, c.Type)
	}
	return kind, nil
}

// match returns the columns of the batch in the order of the table's, each with the type it has there.
func (of *written) match(b *synth.Batch) ([]synth.Column, error) {
	out := make([]synth.Column, len(of.columns))
	for i, c := range of.columns {
		k := slices.IndexFunc(b.Columns, func(have synth.Column) bool { return have.Name == c.Name })
		if k < 0 || len(b.Columns) != len(of.columns) {
			return nil, fault.Invalidf("the batches of table %s have different columns", of.table.Name)
		}
		if _, err := kindOf(c, b.Columns[k]); err != nil {
			return nil, err
		}
		out[i] = b.Columns[k]
	}
	return out, nil
}

// encode encodes the rows of the columns from one up to another.
func (of *written) encode(columns []synth.Column, from, to int) (block, error) {
	g := parquet.NewGroup(to - from)
	rows := newRowWords(to - from)
	for i, c := range columns {
		word := wordsOf(of.columns[i].Name)
		switch {
		case c.Code != nil:
			values := c.Code[from:to]
			for row, code := range values {
				if int(code) >= len(c.Codes) && code != synth.NullCode {
					return block{}, fmt.Errorf("column %s: row %d has code number %d of %d", c.Name, from+row, code, len(c.Codes))
				}
			}
			if of.columns[i].Type == contract.Bool {
				g.Bools(values, synth.NullCode)
			} else {
				g.Codes(values, synth.NullCode, c.Codes)
			}
			rows.addCodes(word, values, c.Codes)
		case c.Date != nil:
			g.Days(c.Date[from:to], synth.NullInt)
			rows.addNumbers(word, c.Date[from:to])
		case c.Texts != nil:
			g.Lists(c.Texts[from:to])
			rows.addLists(word, c.Texts[from:to])
		case c.Text != nil:
			g.Texts(c.Text[from:to], synth.NullText)
			rows.addTexts(word, c.Text[from:to])
		default:
			values := c.Int
			if c.Decimal != nil {
				values = c.Decimal
			}
			g.Ints(values[from:to], synth.NullInt)
			rows.addNumbers(word, values[from:to])
		}
	}
	return block{g, rows.sum()}, nil
}
