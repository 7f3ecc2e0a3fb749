package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// checkParquet returns what is wrong with a Parquet file, or "": that it has its footer, that the
// pages of each column follow one another to the end that the footer gives, and that those with a
// checksum (their own, or gzip's) are what it says, which DuckDB does not test. The format is
// github.com/apache/parquet-format, PageHeader and ColumnMetaData in parquet.thrift.
func checkParquet(ctx context.Context, file string) (problem string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return unreadable(err), nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	const mark, trailer = "PAR1", 8
	ends := make([]byte, len(mark)+trailer)
	if info.Size() < int64(len(ends)) {
		return notWhole, nil
	}
	if _, err := f.ReadAt(ends[:len(mark)], 0); err != nil {
		return unreadable(err), nil
	}
	if _, err := f.ReadAt(ends[len(mark):], info.Size()-trailer); err != nil {
		return unreadable(err), nil
	}
	if start, end := string(ends[:len(mark)]), string(ends[len(ends)-len(mark):]); start == "PARE" || end == "PARE" {
		return "the Parquet file is encrypted; save it without encryption", nil
	} else if start != mark || end != mark {
		return notWhole, nil
	}
	size := int64(binary.LittleEndian.Uint32(ends[len(mark):]))
	footer := info.Size() - trailer - size
	if footer < int64(len(mark)) {
		return damagedParquet("its footer is longer than the file"), nil
	}
	d := &thriftDecoder{in: bufio.NewReaderSize(io.NewSectionReader(f, footer, size), 1<<16)}
	meta := d.fields(0)
	if d.err != nil {
		return damagedParquet("its footer cannot be read"), nil
	}
	for g, group := range structs(meta[4]) {
		for c, chunk := range structs(group[1]) {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			column, _ := chunk[3].(thriftStruct)
			if column == nil {
				return damagedParquet("its footer gives no place for a column"), nil
			}
			name := strings.Join(texts(column[3]), ".")
			begin, length := number(column[9]), number(column[7])
			if dictionary := number(column[11]); dictionary > 0 {
				begin = min(begin, dictionary)
			}
			if begin < int64(len(mark)) || length < 0 || length > footer-begin {
				return damagedParquet(fmt.Sprintf("column %s of row group %d (number %d) lies outside the rows", name, g+1, c+1)),
					nil
			}
			if problem := checkPages(io.NewSectionReader(f, begin, length), length, column); problem != "" {
				return damagedParquet(fmt.Sprintf("%s in column %s of row group %d", problem, name, g+1)), nil
			}
		}
	}
	return "", nil
}

const notWhole = "this is no whole Parquet file: it does not begin and end with PAR1; was it cut off when it was " +
	"copied?"

func damagedParquet(how string) string {
	return "the Parquet file is damaged: " + how + "; get it again, or write it again"
}

// checkPages returns what is wrong with the pages of a column, which take length bytes, or "".
func checkPages(in io.Reader, length int64, column thriftStruct) string {
	const gzipCodec = 2
	counted := &countingReader{in: bufio.NewReaderSize(in, 1<<16)}
	var held int64
	for page := 1; counted.n < length; page++ {
		d := &thriftDecoder{in: counted}
		header := d.fields(0)
		size := number(header[3])
		if d.err != nil || size < 0 || size > length-counted.n {
			return fmt.Sprintf("the header of page %d is broken", page)
		}
		levels := int64(0) // bytes before what is compressed
		if data, ok := header[5].(thriftStruct); ok {
			held += number(data[1])
		} else if data, ok := header[8].(thriftStruct); ok {
			held += number(data[1])
			levels = max(0, number(data[5])) + max(0, number(data[6]))
		}
		sum := crc32.NewIEEE()
		content := io.TeeReader(io.LimitReader(counted, size), sum)
		end := counted.n + size
		if number(column[4]) == gzipCodec && levels < size {
			_, err := io.CopyN(io.Discard, content, levels)
			if err == nil {
				err = readGzip(content)
			}
			if errors.Is(err, gzip.ErrChecksum) {
				return fmt.Sprintf("page %d is not what its checksum says", page)
			}
		}
		if _, err := io.Copy(io.Discard, content); err != nil || counted.n != end {
			return fmt.Sprintf("page %d ends too early", page)
		}
		if stated, ok := header[4].(int64); ok && uint32(stated) != sum.Sum32() {
			return fmt.Sprintf("page %d is not what its checksum says", page)
		}
	}
	if values := number(column[5]); held != values {
		return fmt.Sprintf("the pages hold %d values where the footer has %d", held, values)
	}
	return ""
}

// readGzip reads a gzip file to its end. What is no gzip, as a page may be that was not worth
// compressing, is DuckDB's to judge.
func readGzip(in io.Reader) error {
	z, err := gzip.NewReader(in)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, z)
	return err
}

// countingReader counts what was read from it.
type countingReader struct {
	in *bufio.Reader
	n  int64
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.n += int64(n)
	return n, err
}

func (r *countingReader) ReadByte() (byte, error) {
	b, err := r.in.ReadByte()
	if err == nil {
		r.n++
	}
	return b, err
}

// thriftStruct is a struct of Thrift by the numbers of its fields. A number is an int64, a text a
// string, a list a []any.
type thriftStruct = map[int16]any

// thriftDecoder reads Thrift's compact protocol
// (github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
type thriftDecoder struct {
	in interface {
		io.Reader
		io.ByteReader
	}
	err error
}

var errThrift = errors.New("not Thrift")

// maxDepth and maxLength bound what a damaged file can ask for.
const (
	maxDepth  = 20
	maxLength = 1 << 24
)

func (d *thriftDecoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *thriftDecoder) byte() byte {
	b, err := d.in.ReadByte()
	if err != nil {
		d.fail(err)
	}
	return b
}

// varint reads an unsigned number.
func (d *thriftDecoder) varint() uint64 {
	n, err := binary.ReadUvarint(d.in)
	if err != nil {
		d.fail(err)
	}
	return n
}

func (d *thriftDecoder) zigzag() int64 {
	n := d.varint()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *thriftDecoder) fields(depth int) thriftStruct {
	out := thriftStruct{}
	var id int16
	for d.err == nil {
		head := d.byte()
		if head == 0 || d.err != nil {
			break
		}
		if step := head >> 4; step > 0 {
			id += int16(step)
		} else {
			id = int16(d.zigzag())
		}
		out[id] = d.value(head&0x0f, depth, false)
	}
	return out
}

func (d *thriftDecoder) value(kind byte, depth int, inList bool) any {
	if depth > maxDepth {
		d.fail(errThrift)
		return nil
	}
	switch kind {
	case 1, 2: // true and false; in a list each has a byte
		if inList {
			d.byte()
		}
		return nil
	case 3:
		return int64(int8(d.byte()))
	case 4, 5, 6:
		return d.zigzag()
	case 7:
		return d.bytes(8)
	case 8:
		return d.bytes(d.varint())
	case 9, 10:
		head := d.byte()
		n := uint64(head >> 4)
		if n == 15 {
			n = d.varint()
		}
		var out []any
		for i := uint64(0); i < n && d.err == nil; i++ {
			out = append(out, d.value(head&0x0f, depth+1, true))
		}
		return out
	case 11:
		if n := d.varint(); n > 0 {
			kinds := d.byte()
			for i := uint64(0); i < n && d.err == nil; i++ {
				d.value(kinds>>4, depth+1, true)
				d.value(kinds&0x0f, depth+1, true)
			}
		}
		return nil
	case 12:
		return d.fields(depth + 1)
	case 13:
		return d.bytes(16)
	}
	d.fail(errThrift)
	return nil
}

func (d *thriftDecoder) bytes(n uint64) string {
	if n > maxLength {
		d.fail(errThrift)
		return ""
	}
	out := make([]byte, n)
	if _, err := io.ReadFull(d.in, out); err != nil {
		d.fail(err)
	}
	return string(out)
}

// structs returns those of a list; nil where the value is none.
func structs(value any) []thriftStruct {
	items, _ := value.([]any)
	out := make([]thriftStruct, 0, len(items))
	for _, item := range items {
		s, _ := item.(thriftStruct)
		out = append(out, s)
	}
	return out
}

func texts(value any) []string {
	items, _ := value.([]any)
	var out []string
	for _, item := range items {
		s, _ := item.(string)
		out = append(out, s)
	}
	return out
}

// number returns a number of a struct; one that is not there is below every bound.
func number(value any) int64 {
	if n, ok := value.(int64); ok {
		return n
	}
	return math.MinInt64
}
