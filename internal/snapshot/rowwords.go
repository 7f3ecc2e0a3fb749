package snapshot

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/synth"
)

// The numbers of rows that the fingerprint is the sum of, as describe states them: computed from
// columns in memory as they are written, and by DuckDB from a file.

// rowFactor is 2^64 divided by the golden ratio.
const rowFactor = 0x9e3779b97f4a7c15

// contentSum is the sum of the numbers of some rows.
type contentSum struct {
	rows      int64
	high, low uint64
	stated    string // instead of high and low, if it was computed by DuckDB
}

func (s *contentSum) add(more contentSum) {
	var carry uint64
	s.rows += more.rows
	s.low, carry = bits.Add64(s.low, more.low, 0)
	s.high, _ = bits.Add64(s.high, more.high, carry)
}

// text is the sum in decimal digits.
func (s contentSum) text() string {
	if s.stated != "" {
		return s.stated
	}
	sum := new(big.Int).Lsh(new(big.Int).SetUint64(s.high), 64)
	return sum.Or(sum, new(big.Int).SetUint64(s.low)).String()
}

// columnWords make the words of a column's values.
type columnWords struct {
	name           string
	offset, factor uint64 // of numbers
	null           uint64
}

func wordsOf(column string) columnWords {
	w := columnWords{name: column, offset: wordOf(column), factor: wordOf(column+"\x1e") | 1}
	w.null = w.text(synth.NullText)
	return w
}

// wordOf is the first eight bytes of a text's MD5.
func wordOf(text string) uint64 {
	sum := md5.Sum([]byte(text))
	return binary.LittleEndian.Uint64(sum[:])
}

func (w columnWords) text(value string) uint64 { return wordOf(w.name + "\x1f" + value) }

func folded(x, factor uint64) uint64 {
	high, low := bits.Mul64(x, factor)
	return high ^ low
}

// rowWords holds the XOR of the words of each row's values.
type rowWords []uint64

func newRowWords(rows int) rowWords { return make(rowWords, rows) }

func (r rowWords) addCodes(w columnWords, values []uint8, codes []string) {
	var words [256]uint64
	for i, code := range codes {
		words[i] = w.text(code)
	}
	words[synth.NullCode] = w.null
	for i, v := range values {
		r[i] ^= words[v]
	}
}

func (r rowWords) addNumbers(w columnWords, values []int32) {
	for i, v := range values {
		if v == synth.NullInt {
			r[i] ^= w.null
		} else {
			r[i] ^= folded((uint64(v)+1<<63)^w.offset, w.factor)
		}
	}
}

func (r rowWords) addTexts(w columnWords, values []string) {
	known := map[string]uint64{}
	for i, v := range values {
		word, ok := known[v]
		if !ok {
			word = w.text(v)
			known[v] = word
		}
		r[i] ^= word
	}
}

func (r rowWords) addLists(w columnWords, values [][]string) {
	for i, list := range values {
		r[i] ^= w.text(fmt.Sprintf("%d:%s", len(list), strings.Join(list, "\x1e")))
	}
}

func (r rowWords) sum() contentSum {
	s := contentSum{rows: int64(len(r))}
	for _, x := range r {
		s.add(contentSum{low: folded(x, rowFactor)})
	}
	return s
}

// rowNumbers is the statement that computes the number of rows of a relation and the sum of the rows'
// numbers.
func rowNumbers(columns []*contract.Column, from string) string {
	row := "0::UBIGINT"
	for _, c := range columns {
		row = "xor(" + row + ", " + wordSQL(c) + ")"
	}
	return "SELECT count(*), coalesce(sum(" + foldedSQL("x", rowFactor) + "), 0)::VARCHAR FROM (SELECT " + row +
		" AS x FROM " + from + ")"
}

func foldedSQL(x string, factor uint64) string {
	product := fmt.Sprintf("(%s)::UHUGEINT * %d::UHUGEINT", x, factor)
	return fmt.Sprintf("xor((%s >> 64)::UBIGINT, (%[1]s & 18446744073709551615::UHUGEINT)::UBIGINT)", "("+product+")")
}

// wordSQL is the word of a column's value. Codes are looked up, since an MD5 for each row would take
// longer than all else.
func wordSQL(c *contract.Column) string {
	w, name := wordsOf(c.Name), duckdb.QuoteName(c.Name)
	md5 := func(text string) string {
		return "md5_number_upper(" + duckdb.QuoteText(c.Name) + " || chr(31) || " + text + ")"
	}
	number := func(integer string) string {
		return foldedSQL(fmt.Sprintf("xor((%s::HUGEINT + 9223372036854775808)::UBIGINT, %d::UBIGINT)", integer, w.offset),
			w.factor)
	}
	var word string
	switch {
	case c.Type == contract.Int:
		word = number(name)
	case c.Type == contract.Decimal:
		word = number("(" + name + "::DECIMAL(18,4)::DECIMAL(23,4) * 10000)")
	case c.Type == contract.Date:
		word = number("date_diff('day', DATE '1970-01-01', " + name + ")")
	case c.Type == contract.Bool:
		word = fmt.Sprintf("CASE WHEN %s THEN %d ELSE %d END::UBIGINT", name, w.text("true"), w.text("false"))
	case c.Type == contract.Strings:
		word = md5(listText(name))
	case c.Codes != nil:
		var texts, words []string
		for _, code := range c.Codes.Codes {
			texts, words = append(texts, duckdb.QuoteText(code.Code)), append(words, fmt.Sprint(w.text(code.Code)))
		}
		word = fmt.Sprintf("coalesce(map([%s], [%s]::UBIGINT[])[%s], %s)", strings.Join(texts, ", "),
			strings.Join(words, ", "), name, md5(name))
	default:
		word = md5(name)
	}
	return fmt.Sprintf("CASE WHEN %s IS NULL THEN %d::UBIGINT ELSE %s END", name, w.null, word)
}
