package ingest

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"
)

// The pages of a column are what their checksums and the footer say.
func TestPages(t *testing.T) {
	content := []byte("three values, as it were")
	zigzag := func(n int64) []byte { return binary.AppendVarint(nil, n) }
	page := func(content []byte, sum uint32) []byte {
		var b []byte
		b = append(append(b, 0x15), zigzag(0)...)                              // 1: a data page
		b = append(append(b, 0x15), zigzag(int64(len(content)))...)            // 2: uncompressed
		b = append(append(b, 0x15), zigzag(int64(len(content)))...)            // 3: compressed
		b = append(append(b, 0x15), zigzag(int64(int32(sum)))...)              // 4: its checksum
		b = append(append(append(b, 0x1c, 0x15), zigzag(3)...), 0x15, 0, 0x00) // 5: 3 values, plain
		return append(append(b, 0x00), content...)
	}
	column := func(values int64) thriftStruct { return thriftStruct{4: int64(0), 5: values} }
	good := page(content, crc32.ChecksumIEEE(content))
	tests := []struct {
		name   string
		pages  []byte
		column thriftStruct
		want   string
	}{
		{"two pages", append(bytes.Clone(good), good...), column(6), ""},
		{"a page too few", good, column(6), "the pages hold 3 values where the footer has 6"},
		{"another content", page(append(content[:5:5], "VALUES, as it were."...), crc32.ChecksumIEEE(content)), column(3),
			"page 1 is not what its checksum says"},
		{"cut", good[:len(good)-1], column(3), "the header of page 1 is broken"},
		{"no header", []byte("nothing of the kind"), column(3), "the header of page 1 is broken"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := checkPages(bytes.NewReader(test.pages), int64(len(test.pages)), test.column)
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got := checkPages(strings.NewReader(string(good[:len(good)-1])), int64(len(good)),
		column(3)); got != "page 1 ends too early" {
		t.Errorf("of a file that ends: got %q", got)
	}
}
