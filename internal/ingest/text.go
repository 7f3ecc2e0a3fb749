package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
)

// The names of the encodings that are Unicode; utf8Mark is the mark that may begin a file.
const (
	utf8Name  = "utf-8"
	utf16Name = "utf-16"
	utf8Mark  = "\ufeff"
)

// latin is what Denmark's files in "Latin-1" are: Windows-1252, which holds €, – and quotation
// marks where ISO 8859-1 has control characters. The WHATWG's Encoding Standard reads both names
// so too.
const latin = "windows-1252"

// charmaps are the encodings of one byte a letter.
var charmaps = map[string]*charmap.Charmap{
	latin:         charmap.Windows1252,
	"iso-8859-15": charmap.ISO8859_15,
	"cp850":       charmap.CodePage850,
	"cp865":       charmap.CodePage865,
	"macintosh":   charmap.Macintosh,
}

// undefined1252 are the bytes that Windows-1252 leaves without a letter.
const undefined1252 = "\x81\x8d\x8f\x90\x9d"

// encodingNames are the names by which a recipe may call an encoding, in small letters and
// without what stands between letters and digits.
var encodingNames = map[string]string{
	"utf8": "", "unicode11utf8": "", "ascii": "", "usascii": "",
	"utf16": utf16Name, "utf16le": utf16Name, "utf16be": utf16Name, "ucs2": utf16Name,
	"latin1": latin, "l1": latin, "iso88591": latin, "windows1252": latin, "cp1252": latin, "win1252": latin,
	"ansi": latin, "latin9": "iso-8859-15", "iso885915": "iso-8859-15",
	"cp850": "cp850", "ibm850": "cp850", "cp865": "cp865", "ibm865": "cp865",
	"macintosh": "macintosh", "macroman": "macintosh", "mac": "macintosh",
}

var between = regexp.MustCompile(`[^a-z0-9]`)

// encodingOf returns the encoding that a recipe states; "" is UTF-8.
func encodingOf(stated string) (string, error) {
	name, ok := encodingNames[between.ReplaceAllString(strings.ToLower(stated), "")]
	if !ok {
		known := []string{utf8Name, utf16Name, "latin-1"}
		for name := range charmaps {
			known = append(known, name)
		}
		return "", mistake("encoding %q is not known%s", stated, fault.Suggest(stated, known))
	}
	return name, nil
}

// decoded reads a text in an encoding other than UTF-8 as UTF-8.
func decoded(in *bufio.Reader, r read) (io.Reader, error) {
	start, err := in.Peek(512)
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, err
	}
	little, big := bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff})
	encoding, stated := r.encoding, fmt.Sprintf("the recipe states encoding = '%s', ", r.stated["encoding"])
	switch {
	case bytes.HasPrefix(start, []byte(utf8Mark)):
		return nil, &brokenFile{stated + "and the file begins with the mark of UTF-8; leave the encoding out"}
	case encoding != utf16Name && (little || big):
		return nil, &brokenFile{stated + "and the file begins with the mark of UTF-16; state encoding = 'utf-16'"}
	case encoding != utf16Name:
		d := &byteDecoder{in: in, encoding: encoding, line: 1}
		for b := range d.runes {
			d.runes[b] = charmaps[encoding].DecodeByte(byte(b))
		}
		if encoding == latin {
			for _, b := range []byte(undefined1252) {
				d.runes[b] = utf8.RuneError
			}
		}
		return d, nil
	case little || big:
		_, err := in.Discard(2)
		return &utf16Decoder{in: in, big: big, line: 1}, err
	case bytes.IndexByte(start, 0) < 0:
		return nil, &brokenFile{stated +
			"and the file is not: it begins with no mark of UTF-16, and none of its first bytes is zero; leave the encoding " +
			"out, or state 'latin-1'"}
	}
	// Without a mark: the first letter of a table, or a quotation mark, has no more than 8 bits.
	return &utf16Decoder{in: in, big: start[0] == 0, line: 1}, nil
}

// byteDecoder reads an encoding of one byte a letter.
type byteDecoder struct {
	in       io.Reader
	encoding string
	runes    [256]rune
	line     int
	raw      [1 << 15]byte
	out      []byte // decoded and not yet given
	buffer   []byte
	err      error
}

func (d *byteDecoder) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		var n int
		n, d.err = d.in.Read(d.raw[:])
		d.buffer = d.buffer[:0]
		for _, b := range d.raw[:n] {
			r := d.runes[b]
			if r == utf8.RuneError {
				d.err = &brokenFile{fmt.Sprintf("line %d holds the byte 0x%02X, which %s leaves without a letter%s", d.line, b,
					d.encoding, d.instead(b))}
				break
			}
			if b == '\n' {
				d.line++
			}
			d.buffer = utf8.AppendRune(d.buffer, r)
		}
		d.out = d.buffer
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// instead says in which encoding a byte is a letter.
func (d *byteDecoder) instead(b byte) string {
	if r := charmap.CodePage850.DecodeByte(b); strings.ContainsRune("ÅØ", r) {
		return fmt.Sprintf("; it is %c in cp850, as DOS wrote: state encoding = 'cp850' if the other letters are right in "+
			"it, else 'utf-8'", r)
	}
	return "; is the file in UTF-8, or damaged?"
}

// utf16Decoder reads UTF-16.
type utf16Decoder struct {
	in   *bufio.Reader
	big  bool
	line int
	out  []byte // decoded and not yet given
	err  error
}

func (d *utf16Decoder) Read(p []byte) (int, error) {
	if len(d.out) == 0 {
		d.out = d.out[:0]
		for d.err == nil && len(d.out) < 1<<15 {
			r, err := d.rune()
			if d.err = err; err == nil {
				d.out = utf8.AppendRune(d.out, r)
			}
		}
	}
	if len(d.out) == 0 {
		return 0, d.err
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

func (d *utf16Decoder) rune() (rune, error) {
	r, err := d.unit()
	if err != nil {
		return 0, err
	}
	if utf16.IsSurrogate(r) {
		second, err := d.unit()
		if err != nil && err != io.EOF {
			return 0, err
		}
		if r = utf16.DecodeRune(r, second); err == io.EOF || r == utf8.RuneError {
			return 0, &brokenFile{fmt.Sprintf("line %d holds half of a letter of UTF-16; was the file cut, or put together "+
				"from several?", d.line)}
		}
	}
	if r == '\n' {
		d.line++
	}
	return r, nil
}

// unit reads two bytes.
func (d *utf16Decoder) unit() (rune, error) {
	var b [2]byte
	if _, err := io.ReadFull(d.in, b[:]); errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, &brokenFile{fmt.Sprintf("the file ends within a letter of UTF-16, in line %d; was it cut off when it was "+
			"copied?", d.line)}
	} else if err != nil {
		return 0, err
	}
	if d.big {
		return rune(b[0])<<8 | rune(b[1]), nil
	}
	return rune(b[1])<<8 | rune(b[0]), nil
}

// scanned is what is known of a text after it was read to its end.
type scanned struct {
	head       []byte   // its beginning, in UTF-8
	count      int64    // its lines
	sum        uint64   // a hash of it, by contentSeed
	marked     bool     // it begins with the mark of UTF-8
	composed   bool     // some letters with a sign, such as Å, are one character
	decomposed oddLines // lines where some are two, as A and a ring
	misread    oddLines
	lost       oddLines
	oldLetters oddLines
}

// oddLines are lines with something odd in them: how many, and the first.
type oddLines struct {
	count int64
	first int
	word  string
}

func (o *oddLines) add(line int, word string) {
	if o.count++; o.count == 1 {
		o.first, o.word = line, word
	}
}

// contentSeed makes the hashes of all texts comparable.
var contentSeed = maphash.MakeSeed()

// headBytes is how much of a text tells what it is.
const headBytes = 1 << 16

// scan reads a text to its end. It returns what is wrong with it and where, or "".
func (s *sources) scan(r read, file string) (_ *scanned, problem string, err error) {
	t := &scanned{}
	in, err := s.reader(r, file)
	if err == nil {
		defer in.Close()
		if source, ok := in.(*sourceReader); ok {
			t.marked = source.marked
		}
		problem, err = t.read(in, r)
	}
	var broken *brokenFile
	if errors.As(err, &broken) {
		return t, broken.message, nil
	}
	return t, problem, err
}

func (t *scanned) read(in io.Reader, r read) (problem string, err error) {
	buffer := make([]byte, 0, 1<<20)
	var content maphash.Hash
	content.SetSeed(contentSeed)
	defer func() { t.sum = content.Sum64() }()
	for line, empty := 1, true; ; {
		n, err := io.ReadAtLeast(in, buffer[len(buffer):cap(buffer)], 1)
		if err != nil && err != io.EOF {
			return "", err
		}
		text := buffer[:len(buffer)+n]
		end := err == io.EOF
		if end && empty && len(text) == 0 {
			return "the file is empty; rows were expected", nil
		}
		empty = false
		if len(t.head) < headBytes {
			t.head = append(t.head, text[min(len(text), len(buffer)):min(len(text), len(buffer)+headBytes-len(t.head))]...)
		}
		whole := len(text)
		if !end {
			if cut := bytes.LastIndexByte(text, '\n') + 1; cut > 0 {
				whole = cut
			} else if len(text) < cap(buffer) {
				buffer = text
				continue
			} else if cut := norm.NFC.LastBoundary(text); cut > 0 {
				whole = cut // one line of a megabyte, as JSON may be
			}
		}
		content.Write(text[:whole])
		problem := t.lines(text[:whole], line, r)
		line += bytes.Count(text[:whole], []byte{'\n'})
		t.count = int64(line - 1)
		if end && whole > 0 && text[whole-1] != '\n' {
			t.count++
		}
		if problem != "" || end {
			return problem, nil
		}
		buffer = append(buffer[:0], text[whole:]...)
	}
}

// lines looks at a part of a text that begins in a line, and returns what is wrong with it.
func (t *scanned) lines(text []byte, line int, r read) (problem string) {
	if bad := badByte(text); bad >= 0 {
		return notText(text, bad, line+bytes.Count(text[:bad], []byte{'\n'}), r)
	}
	if mark := bytes.Index(text, []byte(utf8Mark)); mark >= 0 {
		return fmt.Sprintf("line %d holds the mark with which a file in UTF-8 begins; were two files put behind one "+
			"another? Name both in the SELECT, or delete the mark and a second header",
			line+bytes.Count(text[:mark], []byte{'\n'}))
	}
	t.composed = t.composed || !norm.NFD.IsNormal(text)
	if !norm.NFC.IsNormal(text) {
		at := line
		for one := range bytes.Lines(text) {
			if !norm.NFC.IsNormal(one) {
				t.decomposed.add(at, decomposedWord(string(one)))
			}
			at++
		}
	}
	for _, odd := range []struct {
		pattern *regexp.Regexp
		sign    []string // one of them is in every match
		lines   *oddLines
	}{
		{misread, []string{"Ã", "Â", "â€"}, &t.misread},
		{lost, []string{"\ufffd"}, &t.lost},
		{oldLetters, []string{"›", "†", "¿", "Œ"}, &t.oldLetters},
	} {
		for at, rest := line, text; ; {
			next := -1
			for _, sign := range odd.sign {
				if i := bytes.Index(rest, []byte(sign)); i >= 0 && (next < 0 || i < next) {
					next = i
				}
			}
			if next < 0 {
				break
			}
			begin := bytes.LastIndexByte(rest[:next], '\n') + 1
			end := len(rest)
			if i := bytes.IndexByte(rest[next:], '\n'); i >= 0 {
				end = next + i + 1
			}
			at += bytes.Count(rest[:begin], []byte{'\n'})
			if word := odd.pattern.Find(rest[begin:end]); word != nil {
				odd.lines.add(at, string(word))
			}
			at, rest = at+1, rest[end:]
		}
	}
	return ""
}

// The words that tell of letters gone wrong. A word is what has no separator in it.
var (
	// The two or three bytes of a letter of UTF-8, each read as a letter of Windows-1252 or
	// ISO 8859-1: Ã and the bytes 80 to BF for À to ÿ, Â for signs, â€ for dashes and quotes.
	misread = regexp.MustCompile(`[^\s,;"|]*(?:Ã` + continuation + `|Â[\x{80}-\x{bf}]|â€` + continuation + `)[^\s,;"|]*`)
	lost    = regexp.MustCompile(`[^\s,;"|]*\x{fffd}[^\s,;"|]*`)
	// ø and å of cp850 or cp865 read as Windows-1252, within a word; and those of a Macintosh.
	oldLetters = regexp.MustCompile(`\pL*\pL[›†¿Œ]\pL+`)
)

// continuation matches a byte from 80 to BF read as Windows-1252 or as ISO 8859-1.
const continuation = "[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"

// warnings says what is odd about a text.
func (t *scanned) warnings(r read) (found []Issue) {
	warn := func(odd oddLines, format string, args ...any) {
		if odd.count > 0 {
			found = append(found, Issue{Severity: Warning, Row: fmt.Sprintf("line %d", odd.first), Rule: "encoding",
				Value: clip(odd.word), Rows: odd.count,
				Message: fmt.Sprintf("%q ", clip(odd.word)) + fmt.Sprintf(format, args...) + t.others(odd)})
		}
	}
	switch again := read1252(t.misread.word); {
	case r.encoding != "":
		warn(t.misread, "looks like UTF-8 read as %s, for %q; leave encoding = '%[1]s' out if the file is UTF-8",
			r.stated["encoding"], again)
	default:
		warn(t.misread, "looks like UTF-8 that was read as Latin-1 and saved again, for %q; get the file again, saved as "+
			"UTF-8 once", again)
	}
	warn(t.lost, "holds the sign that stands for a letter lost when the file was made; get the file again, saved as UTF-8")
	if t.mixed() && r.format() != jsonFormat { // of JSON the rows are named
		warn(t.decomposed, "%s", inParts)
		found[len(found)-1].Rule = "name"
	}
	if r.encoding == latin {
		warn(t.oldLetters, "looks like the letters of an older system; state encoding = 'cp850' (DOS) or 'macintosh' if "+
			"words are right in it")
	}
	return found
}

// mixed reports whether letters with a sign are written in both of Unicode's ways.
func (t *scanned) mixed() bool { return t.composed && t.decomposed.count > 0 }

// inParts says what is odd about a word of a mixed text.
const inParts = "is written with letters and their signs apart (Unicode NFD), where the file has them in one " +
	"elsewhere; both are read as one letter (NFC)"

// decomposedWord returns the first word whose letters are not composed.
func decomposedWord(text string) string {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",;\t\"\r\n|", r) }) {
		if !norm.NFC.IsNormalString(word) {
			return word
		}
	}
	return ""
}

// misreadRows warns of rows with text that is UTF-8 read as Latin-1, in a table that comes from
// files that are no text.
func (s *staged) misreadRows(f *facts, reads []read) error {
	if !slices.ContainsFunc(reads, func(r read) bool { return r.format() == parquetFormat }) {
		return nil
	}
	for _, c := range f.columns {
		if c.Type != contract.String {
			continue
		}
		if err := s.list(f, rule{
			column: c.Name, name: "encoding", severity: Warning,
			rows: fmt.Sprintf("SELECT _at, %[1]s AS value, '' AS extra FROM %[2]s WHERE regexp_matches(%[1]s, %[3]s)",
				duckdb.QuoteName(c.Name), f.view, duckdb.QuoteText(misread.String())),
			message: func(value, _ string) string {
				return fmt.Sprintf("%q looks like UTF-8 that was read as Latin-1 and saved again, for %q; make the file again "+
					"from the text in its own encoding", value, read1252(value))
			},
		}); err != nil {
			return err
		}
	}
	return nil
}

func (t *scanned) others(odd oddLines) string {
	if odd.count == 1 {
		return ""
	}
	return fmt.Sprintf(" (and in %s)", plural(odd.count-1, "more line"))
}

// read1252 returns what a word was before its UTF-8 was read as Windows-1252.
func read1252(word string) string {
	var b []byte
	for _, r := range word {
		if c, ok := charmap.Windows1252.EncodeRune(r); ok {
			b = append(b, c)
		} else if r < 0x100 {
			b = append(b, byte(r))
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

// notText says what is wrong with a byte that is zero or no UTF-8.
func notText(text []byte, bad, line int, r read) string {
	remedy := func(encoding string) string {
		if r.format() == csvFormat {
			return fmt.Sprintf("; save the file as UTF-8, or read it with read_csv('…', encoding = '%s')", encoding)
		}
		return "; save the file as UTF-8"
	}
	switch b := text[bad]; {
	case line == 1 && (bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff})):
		return `the file is in UTF-16, as a spreadsheet saves "Unicode text"` + remedy(utf16Name)
	case b == 0 && line == 1 && bad < 2 && r.encoding == "":
		return "the file looks like UTF-16 without its mark: every second byte is zero" + remedy(utf16Name)
	case b == 0:
		return fmt.Sprintf("line %d holds a zero byte, which no text does; was the file damaged? Get it again, or delete "+
			"the byte", line)
	case strings.IndexByte("\x86\x8f\x9b\x9d", b) >= 0: // å, Å, ø and Ø
		return fmt.Sprintf("line %d is not UTF-8 (byte 0x%02X); it looks like cp850, as DOS wrote", line, b) + remedy("cp850")
	default:
		return fmt.Sprintf("line %d is not UTF-8 (byte 0x%02X); it looks like Latin-1 (Windows-1252), as older systems write",
			line, b) + remedy("latin-1")
	}
}

// badByte returns the place of the first byte that is zero or no UTF-8, or -1.
func badByte(text []byte) int {
	zero := bytes.IndexByte(text, 0)
	if utf8.Valid(text) {
		return zero
	}
	for at := 0; ; {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 || text[at] == 0 {
			return at
		}
		at += size
	}
}
