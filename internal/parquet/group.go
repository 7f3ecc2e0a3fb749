package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A Group is a row group that is being encoded: a chunk of each column, in the order of the file's.
// Each method adds the next one. A value that equals null is null.
type Group struct {
	rows   int
	chunks []chunk
}

// NewGroup begins a row group of that many rows.
func NewGroup(rows int) *Group { return &Group{rows: rows} }

// chunk is the values of a column in a row group.
type chunk struct {
	encoding      int64
	values, nulls int
	min, max      []byte // plain; nil if there is none
	pages         []byte
	data          int   // offset of the page of data in pages: after that of the dictionary, if there is one
	raw, packed   int64 // bytes of the pages with their headers, before and after compression
	at            int64 // offset in the file
}

// Codes adds a column of texts, each given by its place in texts. Every value but null has to be one.
func (g *Group) Codes(values []uint8, null uint8, texts []string) {
	var used [256]bool
	nulls := 0
	for _, v := range values {
		used[v] = true
	}
	if used[null] {
		for _, v := range values {
			if v == null {
				nulls++
			}
		}
	}
	// Places in the dictionary, which holds what is used alone.
	var place [256]uint16
	var plain, least, most []byte
	n := 0
	for code, text := range texts {
		if !used[code] || uint8(code) == null {
			continue
		}
		place[code] = uint16(n)
		plain = appendText(plain, text)
		least, most = widen(least, most, text)
		n++
	}
	packed := newPacker(len(values)-nulls, width(n))
	for _, v := range values {
		if v != null {
			packed.add(uint64(place[v]))
		}
	}
	g.dictionary(len(values), nulls, levels(values, null, nulls), plain, n, packed, least, most)
}

// Texts adds a column of texts.
func (g *Group) Texts(values []string, null string) {
	places := map[string]uint32{}
	codes := make([]uint32, 0, len(values))
	var plain, least, most []byte
	for _, v := range values {
		if v == null {
			continue
		}
		code, ok := places[v]
		if !ok {
			code = uint32(len(places))
			places[v] = code
			plain = appendText(plain, v)
			least, most = widen(least, most, v)
		}
		codes = append(codes, code)
	}
	nulls := len(values) - len(codes)
	g.dictionary(len(values), nulls, levels(values, null, nulls), plain, len(places), pack(codes, len(places)), least, most)
}

// Lists adds a column of lists of texts; nil is an empty one.
func (g *Group) Lists(values [][]string) {
	places := map[string]uint32{}
	var codes []uint32
	var repetition, definition []uint8
	var plain, least, most []byte
	for _, list := range values {
		if len(list) == 0 {
			repetition, definition = append(repetition, 0), append(definition, 1)
		}
		for i, v := range list {
			repetition, definition = append(repetition, uint8(min(i, 1))), append(definition, 3)
			code, ok := places[v]
			if !ok {
				code = uint32(len(places))
				places[v] = code
				plain = appendText(plain, v)
				least, most = widen(least, most, v)
			}
			codes = append(codes, code)
		}
	}
	both := append(packLevels(repetition, 1), packLevels(definition, 2)...)
	g.dictionary(len(definition), len(definition)-len(codes), both, plain, len(places), pack(codes, len(places)), least, most)
}

// Bools adds a column of Bool: 1 is true.
func (g *Group) Bools(values []uint8, null uint8) {
	nulls := 0
	for _, v := range values {
		if v == null {
			nulls++
		}
	}
	packed := newPacker(len(values)-nulls, 1)
	for _, v := range values {
		if v != null {
			packed.add(uint64(v))
		}
	}
	g.add(chunk{encoding: encodingPlain, values: len(values), nulls: nulls},
		append(levels(values, null, nulls), packed.bytes()...))
}

// Days adds a column of Date, in days since 1970-01-01.
func (g *Group) Days(values []int32, null int32) {
	c := chunk{encoding: encodingPlain, values: len(values)}
	least, most := int32(math.MaxInt32), int32(math.MinInt32)
	var plain []byte
	for _, v := range values {
		if v == null {
			c.nulls++
			continue
		}
		least, most = min(least, v), max(most, v)
		plain = binary.LittleEndian.AppendUint32(plain, uint32(v))
	}
	if c.nulls < c.values {
		c.min = binary.LittleEndian.AppendUint32(nil, uint32(least))
		c.max = binary.LittleEndian.AppendUint32(nil, uint32(most))
	}
	g.add(c, append(levels(values, null, c.nulls), plain...))
}

// mostPlaces is how far apart the values of a column may lie for it to be written as a dictionary.
const mostPlaces = 1 << 14

// Ints adds a column of Int or, in ten-thousandths, of Decimal.
func (g *Group) Ints(values []int32, null int32) {
	nulls := 0
	least, most := int32(math.MaxInt32), int32(math.MinInt32)
	for _, v := range values {
		if v == null {
			nulls++
		} else {
			least, most = min(least, v), max(most, v)
		}
	}
	var low, high []byte
	if nulls < len(values) {
		low = binary.LittleEndian.AppendUint64(nil, uint64(least))
		high = binary.LittleEndian.AppendUint64(nil, uint64(most))
	}
	defined := levels(values, null, nulls)
	if spread := int64(most) - int64(least); spread >= mostPlaces {
		if nulls > 0 {
			values = slices.DeleteFunc(slices.Clone(values), func(v int32) bool { return v == null })
		}
		g.add(chunk{encoding: encodingDelta, values: nulls + len(values), nulls: nulls, min: low, max: high},
			append(defined, deltas(values)...))
		return
	}
	var used [mostPlaces]bool
	for _, v := range values {
		if v != null {
			used[v-least] = true
		}
	}
	var place [mostPlaces]uint16
	var plain []byte
	n := 0
	for i, is := range used {
		if is {
			place[i] = uint16(n)
			plain = binary.LittleEndian.AppendUint64(plain, uint64(least)+uint64(i))
			n++
		}
	}
	packed := newPacker(len(values)-nulls, width(n))
	for _, v := range values {
		if v != null {
			packed.add(uint64(place[v-least]))
		}
	}
	g.dictionary(len(values), nulls, defined, plain, n, packed, low, high)
}

// dictionary adds a column of values given by their places in a dictionary of n values.
func (g *Group) dictionary(values, nulls int, levels, plain []byte, n int, places *packer, least, most []byte) {
	data := append(levels, byte(places.width))
	if places.n > 0 {
		data = binary.AppendUvarint(data, uint64(places.groups())<<1|1)
		data = append(data, places.bytes()...)
	}
	c := chunk{encoding: encodingByCode, values: values, nulls: nulls, min: least, max: most}
	var header thrift
	header.int(1, pageOfDictionary)
	c.page(&header, plain, func() {
		header.structure(7)
		header.int(1, int64(n))
		header.int(2, encodingPlain)
		header.end()
	})
	c.data = len(c.pages)
	g.add(c, data)
}

// add adds a column whose page of data is given, levels first.
func (g *Group) add(c chunk, data []byte) {
	var header thrift
	header.int(1, pageOfData)
	c.page(&header, data, func() {
		header.structure(5)
		header.int(1, int64(c.values))
		header.int(2, c.encoding)
		header.int(3, encodingRLE)
		header.int(4, encodingRLE)
		header.end()
	})
	g.chunks = append(g.chunks, c)
}

// encoders compress one page at a time each.
var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err) // of options that are the same every time
	}
	return e
}}

// page adds a page to the chunk: the header, of which the type is there and rest adds what belongs to
// it, and the content.
func (c *chunk) page(header *thrift, content []byte, rest func()) {
	e := encoders.Get().(*zstd.Encoder)
	packed := e.EncodeAll(content, nil)
	encoders.Put(e)
	header.int(2, int64(len(content)))
	header.int(3, int64(len(packed)))
	rest()
	header.stop()
	c.pages = append(append(c.pages, header.out...), packed...)
	c.raw += int64(len(header.out) + len(content))
	c.packed += int64(len(header.out) + len(packed))
}

// levels says which values of a column are there, as the run lengths that begin a page of data.
func levels[T comparable](values []T, null T, nulls int) []byte {
	if nulls == 0 || nulls == len(values) {
		there := byte(1)
		if nulls > 0 {
			there = 0
		}
		run := append(binary.AppendUvarint(make([]byte, 4, 16), uint64(len(values))<<1), there)
		binary.LittleEndian.PutUint32(run, uint32(len(run)-4))
		return run
	}
	there := newPacker(len(values), 1)
	for _, v := range values {
		bit := uint64(1)
		if v == null {
			bit = 0
		}
		there.add(bit)
	}
	return there.levels()
}

// packLevels packs levels of several bits.
func packLevels(list []uint8, width int) []byte {
	p := newPacker(len(list), width)
	for _, v := range list {
		p.add(uint64(v))
	}
	return p.levels()
}

func pack(codes []uint32, of int) *packer {
	p := newPacker(len(codes), width(of))
	for _, c := range codes {
		p.add(uint64(c))
	}
	return p
}

// width is the bits of a place among n values, at least 1.
func width(n int) int { return max(1, bits.Len(uint(max(n-1, 0)))) }

// A packer packs numbers of at most 32 bits one after the other, from the lowest bit on.
type packer struct {
	out      []byte
	width, n int
	word     uint64
	filled   int
}

func newPacker(n, width int) *packer {
	return &packer{out: make([]byte, 0, (n+7)/8*width+16), width: width}
}

func (p *packer) add(v uint64) {
	p.word |= v << p.filled
	p.filled += p.width
	p.n++
	if p.filled >= 32 {
		p.out = binary.LittleEndian.AppendUint32(p.out, uint32(p.word))
		p.word >>= 32
		p.filled -= 32
	}
}

// groups is the number of eights of numbers, the last filled up.
func (p *packer) groups() int { return (p.n + 7) / 8 }

// bytes returns what was packed, filled up to a multiple of eight numbers.
func (p *packer) bytes() []byte {
	out := p.out
	for word, filled := p.word, p.filled; filled > 0; word, filled = word>>8, filled-8 {
		out = append(out, byte(word))
	}
	for len(out) < p.groups()*p.width {
		out = append(out, 0)
	}
	return out
}

// levels returns what was packed as levels: one run, with its length before it.
func (p *packer) levels() []byte {
	out := binary.AppendUvarint(make([]byte, 4, len(p.out)+32), uint64(p.groups())<<1|1)
	out = append(out, p.bytes()...)
	binary.LittleEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

// Differences are packed in blocks of four parts.
const (
	blockValues = 256
	partValues  = blockValues / 4
)

// deltas encodes numbers as DELTA_BINARY_PACKED.
func deltas(values []int32) []byte {
	out := make([]byte, 0, len(values)*4+64)
	out = binary.AppendUvarint(out, blockValues)
	out = binary.AppendUvarint(out, blockValues/partValues)
	out = binary.AppendUvarint(out, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(out, 0)
	}
	out = binary.AppendVarint(out, int64(values[0]))
	last := int64(values[0])
	var block [blockValues]uint64 // differences less the least of them
	for rest := values[1:]; len(rest) > 0; {
		n := min(blockValues, len(rest))
		least := int64(math.MaxInt64)
		var steps [blockValues]int64
		for i, v := range rest[:n] {
			steps[i] = int64(v) - last
			last = int64(v)
			least = min(least, steps[i])
		}
		out = binary.AppendVarint(out, least)
		at := len(out)
		out = append(out, 0, 0, 0, 0)
		for i := range block {
			block[i] = 0
			if i < n {
				block[i] = uint64(steps[i] - least)
			}
		}
		for part := 0; part*partValues < n; part++ {
			list := block[part*partValues : (part+1)*partValues]
			all := uint64(0)
			for _, v := range list {
				all |= v
			}
			w := bits.Len64(all)
			out[at+part] = byte(w)
			if w > 0 {
				out = appendPacked(out, list, w)
			}
		}
		rest = rest[n:]
	}
	return out
}

// appendPacked packs numbers of at most 33 bits, in a multiple of eight.
func appendPacked(out []byte, list []uint64, width int) []byte {
	word, filled := uint64(0), 0
	for _, v := range list {
		word |= v << filled
		if filled += width; filled >= 64 {
			out = binary.LittleEndian.AppendUint64(out, word)
			filled -= 64
			word = v >> (width - filled)
		}
	}
	for ; filled > 0; word, filled = word>>8, filled-8 {
		out = append(out, byte(word))
	}
	return out
}

func appendText(out []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(text))), text...)
}

// widen returns the least and greatest text with one more.
func widen(least, most []byte, text string) (_, _ []byte) {
	if least == nil || text < string(least) {
		least = []byte(text)
	}
	if most == nil || text > string(most) {
		most = []byte(text)
	}
	return least, most
}
