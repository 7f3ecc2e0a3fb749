// Package parquet writes Parquet files, a row group at a time, from columns as they lie in memory.
// Row groups may be encoded by several threads at once; the file is the same whatever their number.
// Columns of few values are written as dictionaries, others as packed differences of their values,
// and all is compressed by Zstandard.
//
// Format: Apache Parquet 2.10, https://github.com/apache/parquet-format.
package parquet

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// A Kind is the type of a column. Every column may hold null.
type Kind int

const (
	Int     Kind = iota // 64 bits
	Decimal             // 18 digits, 4 of them decimals
	Date
	Bool
	Text
	Texts // a list of texts
)

// A Column of a file.
type Column struct {
	Name string
	Kind Kind
}

// A File is a Parquet file that is being written.
type File struct {
	columns []Column
	f       *os.File
	out     *bufio.Writer
	at      int64
	rows    int64
	groups  []*Group
}

const magic = "PAR1"

// Create makes a file, or empties it. Its owner alone may read it.
func Create(path string, columns []Column) (*File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	file := &File{columns: columns, f: f, out: bufio.NewWriterSize(f, 1<<20)}
	if err := file.write([]byte(magic)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file, nil
}

func (f *File) write(b []byte) error {
	n, err := f.out.Write(b)
	f.at += int64(n)
	return err
}

// Append writes a row group, which has to have all columns, after those that are there.
func (f *File) Append(g *Group) error {
	if len(g.chunks) != len(f.columns) {
		return fmt.Errorf("parquet: a row group has %d columns, and the file %d", len(g.chunks), len(f.columns))
	}
	for i := range g.chunks {
		c := &g.chunks[i]
		c.at = f.at
		if err := f.write(c.pages); err != nil {
			return err
		}
		c.pages = nil
	}
	f.rows += int64(g.rows)
	f.groups = append(f.groups, g)
	return nil
}

// Close ends the file with the description of what is in it, without which nothing can read it.
func (f *File) Close() error {
	footer := f.footer()
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	err := f.write(append(footer, magic...))
	return errors.Join(err, f.out.Flush(), f.f.Close())
}

// Numbers of the format.
const (
	typeBoolean, typeInt32, typeInt64, typeByteArray          = 0, 1, 2, 6
	convertedUTF8, convertedList, convertedDecimal            = 0, 3, 5
	convertedDate, convertedInt64                             = 6, 18
	optional, repeated                                        = 1, 2
	encodingPlain, encodingRLE, encodingDelta, encodingByCode = 0, 3, 5, 8
	codecZstandard                                            = 6
	pageOfData, pageOfDictionary                              = 0, 2
)

func (k Kind) physical() int64 {
	switch k {
	case Bool:
		return typeBoolean
	case Date:
		return typeInt32
	case Text, Texts:
		return typeByteArray
	}
	return typeInt64
}

func (k Kind) converted() int64 {
	return map[Kind]int64{Int: convertedInt64, Decimal: convertedDecimal, Date: convertedDate, Text: convertedUTF8,
		Texts: convertedUTF8}[k]
}

// path is that of the column's values in the schema.
func (c Column) path() []string {
	if c.Kind == Texts {
		return []string{c.Name, "list", "element"}
	}
	return []string{c.Name}
}

// footer is the structure FileMetaData.
func (f *File) footer() []byte {
	var t thrift
	t.int(1, 2) // version
	elements := 1
	for _, c := range f.columns {
		elements += len(c.path())
	}
	t.list(2, ofStruct, elements)
	t.begin()
	t.text(4, "rows")
	t.int(5, int64(len(f.columns)))
	t.end()
	for _, c := range f.columns {
		path := c.path()
		for i, name := range path {
			t.begin()
			if i == len(path)-1 {
				t.int(1, c.Kind.physical())
			}
			if i == 1 {
				t.int(3, repeated)
			} else {
				t.int(3, optional)
			}
			t.text(4, name)
			switch {
			case i < len(path)-1:
				t.int(5, 1)
				if i == 0 {
					t.int(6, convertedList)
				}
			case c.Kind != Bool:
				t.int(6, c.Kind.converted())
			}
			if c.Kind == Decimal {
				t.int(7, 4)
				t.int(8, 18)
			}
			t.end()
		}
	}
	t.long(3, f.rows)
	t.list(4, ofStruct, len(f.groups))
	for _, g := range f.groups {
		t.begin()
		t.list(1, ofStruct, len(g.chunks))
		bytes := int64(0)
		for i, c := range g.chunks {
			bytes += c.raw
			t.begin()
			t.long(2, c.at)
			t.structure(3)
			c.describe(&t, f.columns[i])
			t.end()
			t.end()
		}
		t.long(2, bytes)
		t.long(3, int64(g.rows))
		t.end()
	}
	t.text(6, "kvarter")
	t.list(7, ofStruct, len(f.columns)) // the order of minima and maxima: that of the type
	for range f.columns {
		t.begin()
		t.structure(1)
		t.end()
		t.end()
	}
	t.stop()
	return t.out
}

// describe writes the structure ColumnMetaData.
func (c *chunk) describe(t *thrift, of Column) {
	t.int(1, of.Kind.physical())
	t.list(2, ofInt, 2)
	t.element(encodingRLE)
	t.element(c.encoding)
	path := of.path()
	t.list(3, ofText, len(path))
	for _, name := range path {
		t.elementText(name)
	}
	t.int(4, codecZstandard)
	t.long(5, int64(c.values))
	t.long(6, c.raw)
	t.long(7, c.packed)
	t.long(9, c.at+int64(c.data))
	if c.data > 0 {
		t.long(11, c.at)
	}
	t.structure(12)
	t.long(3, int64(c.nulls))
	if c.max != nil {
		t.text(5, string(c.max))
		t.text(6, string(c.min))
	}
	t.end()
}

// thrift writes structures in the compact protocol of Apache Thrift.
type thrift struct {
	out   []byte
	last  int
	above []int
}

// Types of elements and fields.
const (
	ofInt    = 5
	ofLong   = 6
	ofText   = 8
	ofList   = 9
	ofStruct = 12
)

func (t *thrift) field(id, kind int) {
	t.out = append(t.out, byte((id-t.last)<<4|kind)) // no field here is more than 15 after the one before
	t.last = id
}

// int writes a field of 32 bits.
func (t *thrift) int(id int, v int64) {
	t.field(id, ofInt)
	t.element(v)
}

// long writes a field of 64 bits.
func (t *thrift) long(id int, v int64) {
	t.field(id, ofLong)
	t.element(v)
}

func (t *thrift) text(id int, v string) {
	t.field(id, ofText)
	t.elementText(v)
}

func (t *thrift) list(id, of, n int) {
	t.field(id, ofList)
	if n < 15 {
		t.out = append(t.out, byte(n<<4|of))
		return
	}
	t.out = binary.AppendUvarint(append(t.out, byte(15<<4|of)), uint64(n))
}

func (t *thrift) element(v int64) { t.out = binary.AppendVarint(t.out, v) }

func (t *thrift) elementText(v string) {
	t.out = append(binary.AppendUvarint(t.out, uint64(len(v))), v...)
}

func (t *thrift) structure(id int) {
	t.field(id, ofStruct)
	t.begin()
}

// begin begins a structure that is an element of a list.
func (t *thrift) begin() { t.above, t.last = append(t.above, t.last), 0 }

func (t *thrift) end() {
	t.stop()
	t.last = t.above[len(t.above)-1]
	t.above = t.above[:len(t.above)-1]
}

func (t *thrift) stop() { t.out = append(t.out, 0) }
