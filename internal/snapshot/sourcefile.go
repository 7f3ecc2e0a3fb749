package snapshot

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// checkFile looks at a file of the user's before DuckDB reads it: that it is not empty, that it
// is text in UTF-8, and for JSON that it can be read and its rows look alike. name is what
// findings call it.
func checkFile(r read, file, name string) ([]Finding, error) {
	wrong := func(message string) []Finding {
		return []Finding{{Severity: Error, File: name, Rule: "file", Message: message, Rows: 1}}
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	lower := strings.ToLower(file)
	switch {
	case info.IsDir():
		return wrong("this is a folder; a file was expected"), nil
	case info.Size() == 0:
		return wrong("the file is empty; rows were expected"), nil
	case slices.Contains(rowReaders, r.function) && strings.Contains(r.function, "parquet"):
		whole, err := isParquet(file)
		if err == nil && !whole {
			return wrong("this is no whole Parquet file: it does not begin and end with PAR1; was it cut off when it was copied?"), nil
		}
		return nil, err
	case strings.Contains(r.function, "parquet") || r.encoding || strings.HasSuffix(lower, ".gz") || strings.HasSuffix(lower, ".zst"):
		return nil, nil // DuckDB says what is wrong with these
	}
	problem, err := checkText(file)
	if err != nil {
		return nil, err
	}
	if problem != "" {
		return wrong(problem), nil
	}
	if strings.HasPrefix(r.function, "read_csv") && !r.skips {
		if first, err := firstLine(file); err != nil {
			return nil, err
		} else if strings.HasPrefix(strings.ToLower(first), "sep=") {
			return wrong(fmt.Sprintf("line 1 is %q, a word to a spreadsheet and no header; read the file with read_csv('…', skip = 1)", first)), nil
		}
	}
	if !strings.Contains(r.function, "json") {
		return nil, nil
	}
	rows, err := readJSON(file)
	var broken *brokenJSON
	if errors.As(err, &broken) {
		return wrong(broken.Error()), nil
	}
	if err != nil {
		return nil, err
	}
	findings, err := rows.misspelt(file)
	if err != nil {
		return nil, err
	}
	findings = append(findings, rows.otherUnits()...)
	for i := range findings {
		findings[i].File = name
	}
	return findings, nil
}

// isParquet reports whether a file begins and ends as Parquet does.
func isParquet(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const mark = "PAR1"
	ends := make([]byte, 2*len(mark))
	if _, err := io.ReadFull(f, ends[:len(mark)]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if _, err := f.Seek(-int64(len(mark)), io.SeekEnd); err != nil {
		return false, err
	}
	_, err = io.ReadFull(f, ends[len(mark):])
	return string(ends) == mark+mark, err
}

// firstLine returns the first line of a text, or the first hundred bytes of it, without the mark
// of its encoding.
func firstLine(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 100))
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")), err
}

// checkText returns what is wrong with the encoding of a file and where, or "".
func checkText(file string) (problem string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	buffer := make([]byte, 0, 1<<20)
	for line, first := 1, true; ; first = false {
		n, err := f.Read(buffer[len(buffer):cap(buffer)])
		if err != nil && err != io.EOF {
			return "", err
		}
		text := buffer[:len(buffer)+n]
		if first && (bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff})) {
			return "the file is in UTF-16, as a spreadsheet saves \"Unicode text\"; save it as CSV in UTF-8, or read it with read_csv('…', encoding = 'utf-16')", nil
		}
		whole := len(text)
		for whole > 0 && err == nil && len(text)-whole < utf8.UTFMax && !endsInRune(text[:whole]) {
			whole-- // a character cut at the end of what was read
		}
		if bad := badByte(text[:whole]); bad >= 0 {
			line += bytes.Count(text[:bad], []byte{'\n'})
			if text[bad] == 0 {
				return fmt.Sprintf("line %d holds a zero byte; the file is no text", line), nil
			}
			return fmt.Sprintf("line %d is not UTF-8 (byte 0x%02X); it looks like Latin-1 (Windows-1252), as older systems write; save the file as UTF-8, or read it with read_csv('…', encoding = 'latin-1')", line, text[bad]), nil
		}
		if err == io.EOF {
			return "", nil
		}
		line += bytes.Count(text[:whole], []byte{'\n'})
		buffer = append(buffer[:0], text[whole:]...)
	}
}

// endsInRune reports whether text ends with a whole character, or with a byte that begins none.
func endsInRune(text []byte) bool {
	for back := 1; back <= utf8.UTFMax && back <= len(text); back++ {
		if tail := text[len(text)-back:]; utf8.RuneStart(tail[0]) {
			return utf8.FullRune(tail)
		}
	}
	return true
}

// badByte returns the place of the first byte that is zero or no UTF-8, or -1.
func badByte(text []byte) int {
	if zero := bytes.IndexByte(text, 0); zero >= 0 {
		return zero
	}
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; ; {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
}

// brokenJSON is a JSON file that cannot be read.
type brokenJSON struct {
	line, column int
	reason       string
}

func (e *brokenJSON) Error() string {
	return fmt.Sprintf("line %d, column %d is not JSON: %s", e.line, e.column, e.reason)
}

// jsonRows is what the objects in the arrays of a JSON file have in common. An array is known by
// its path, e.g. `2012`; arrays that lie side by side in one object are siblings.
type jsonRows struct {
	arrays map[string]*jsonArray
	order  []string
}

type jsonArray struct {
	path, parent string
	rows         int
	keys         map[string]*jsonKey
}

type jsonKey struct {
	rows     int
	positive int     // numbers above 0
	logs     float64 // the sum of their logarithms
	example  string  // the first of them
}

// readJSON reads a JSON file, or a file of one JSON value per line, once through.
func readJSON(file string) (*jsonRows, error) {
	out := &jsonRows{arrays: map[string]*jsonArray{}}
	err := walkJSON(file, func(array, _ string, object []jsonMember) {
		a := out.arrays[array]
		if a == nil {
			a = &jsonArray{path: array, keys: map[string]*jsonKey{}}
			if array != "" {
				a.parent = "." + array[:max(0, strings.LastIndexByte(array, '.'))]
			}
			out.arrays[array] = a
			out.order = append(out.order, array)
		}
		a.rows++
		for _, m := range object {
			k := a.keys[m.key]
			if k == nil {
				k = &jsonKey{}
				a.keys[m.key] = k
			}
			k.rows++
			if m.number > 0 {
				if k.positive++; k.positive == 1 {
					k.example = strconv.FormatFloat(m.number, 'f', -1, 64)
				}
				k.logs += math.Log10(m.number)
			}
		}
	})
	return out, err
}

// groups returns the arrays by their parent: the siblings together.
func (r *jsonRows) groups() [][]*jsonArray {
	var out [][]*jsonArray
	place := map[string]int{}
	for _, path := range r.order {
		a := r.arrays[path]
		i, ok := place[a.parent]
		if !ok {
			i = len(out)
			place[a.parent] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], a)
	}
	return out
}

// misspelt names the rows with a key that few rows have, in the place of a key of nearly the same
// name that nearly all others have.
func (r *jsonRows) misspelt(file string) ([]Finding, error) {
	type suspect struct{ array, key, usual string }
	suspects := map[suspect]bool{}
	for _, group := range r.groups() {
		rows, count := 0, map[string]int{}
		for _, a := range group {
			rows += a.rows
			for key, k := range a.keys {
				count[key] += k.rows
			}
		}
		for rare, n := range count {
			if n*20 > rows { // one row in twenty is no slip
				continue
			}
			for usual, m := range count {
				if m*10 >= rows*8 && (levenshtein.ComputeDistance(rare, usual) <= 1+len(rare)/8 || transposed(rare, usual)) {
					for _, a := range group {
						if a.keys[rare] != nil {
							suspects[suspect{a.path, rare, usual}] = true
						}
					}
				}
			}
		}
	}
	if len(suspects) == 0 {
		return nil, nil
	}
	var out []Finding
	err := walkJSON(file, func(array, place string, object []jsonMember) {
		has := func(key string) bool {
			return slices.ContainsFunc(object, func(m jsonMember) bool { return m.key == key })
		}
		for _, m := range object {
			for s := range suspects {
				if s.array == array && s.key == m.key && !has(s.usual) {
					out = append(out, Finding{Severity: Warning, Row: place, Column: m.key, Rule: "key", Value: m.text, Rows: 1,
						Message: fmt.Sprintf("the key %q is in few rows, and this one has no %q; a slip of the pen? Without a remedy in the SELECT the value is lost", m.key, s.usual)})
				}
			}
		}
	})
	return out, err
}

// otherUnits names the arrays whose numbers under a key are a hundred times larger or smaller than
// those of their siblings.
func (r *jsonRows) otherUnits() []Finding {
	const factor = 2 // powers of ten
	var out []Finding
	for _, group := range r.groups() {
		keys := map[string][]float64{}
		for _, a := range group {
			for key, k := range a.keys {
				if k.positive > 0 {
					keys[key] = append(keys[key], k.logs/float64(k.positive))
				}
			}
		}
		for _, a := range group {
			for _, key := range slices.Sorted(maps.Keys(a.keys)) {
				k := a.keys[key]
				means := slices.Sorted(slices.Values(keys[key]))
				if k.positive == 0 || len(means) < 3 {
					continue
				}
				mean, usual := k.logs/float64(k.positive), means[len(means)/2]
				if math.Abs(mean-usual) < factor {
					continue
				}
				out = append(out, Finding{Severity: Warning, Row: fmt.Sprintf("%s[0-%d]", a.path, a.rows-1), Column: key, Rule: "unit", Value: k.example, Rows: int64(a.rows),
					Message: fmt.Sprintf("values of about %.3g, where the other arrays have about %.0f; another unit, such as thousands? The SELECT must bring them to one", math.Pow(10, mean), math.Pow(10, usual))})
			}
		}
	}
	return out
}

// jsonMember is a member of an object; number is NaN where the value is none.
type jsonMember struct {
	key    string
	text   string
	number float64
}

// walkJSON calls visit for each object of each array in a file, with the array's path, e.g. `2012`,
// and the object's place, e.g. `2012[27]`. What a file of one value per line, or a list at the
// top, holds is in the array "", and its place is the row as DuckDB counts, from 1. It keeps one
// object at a time.
func walkJSON(file string, visit func(array, place string, object []jsonMember)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	d := json.NewDecoder(bufio.NewReaderSize(f, 1<<20))
	d.UseNumber()
	w := &jsonWalker{decoder: d, visit: visit}
	for i := 0; ; i++ {
		token, err := d.Token()
		if err == io.EOF && i > 0 {
			return nil
		}
		if err == nil && token == json.Delim('[') {
			err = w.array("", "")
		} else if err == nil {
			_, err = w.value(token, "", strconv.Itoa(i+1), true)
		}
		if err != nil {
			return locateJSON(file, d.InputOffset(), err)
		}
	}
}

type jsonWalker struct {
	decoder *json.Decoder
	visit   func(array, place string, object []jsonMember)
}

// value reads a value whose first token has been read, and returns it if it is no array or object.
func (w *jsonWalker) value(token json.Token, path, place string, isRow bool) (json.Token, error) {
	if token == json.Delim('[') {
		return nil, w.array(path, place)
	}
	if token != json.Delim('{') {
		return token, nil
	}
	join := func(prefix, name string) string {
		if prefix == "" {
			return name
		}
		return prefix + "." + name
	}
	var members []jsonMember
	for w.decoder.More() {
		key, err := w.decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := key.(string) // the decoder takes nothing else
		first, err := w.decoder.Token()
		if err != nil {
			return nil, err
		}
		inner := join(place, name)
		if path == "" && place == "1" {
			inner = name // a file of one object: its row says nothing
		}
		value, err := w.value(first, join(path, name), inner, false)
		if err != nil {
			return nil, err
		}
		m := jsonMember{key: name, number: math.NaN()}
		if value != nil {
			m.text = fmt.Sprint(value)
		}
		if n, ok := value.(json.Number); ok {
			if x, err := n.Float64(); err == nil {
				m.number = x
			}
		}
		members = append(members, m)
	}
	if _, err := w.decoder.Token(); err != nil {
		return nil, err
	}
	if isRow {
		w.visit(path, place, members)
	}
	return nil, nil
}

func (w *jsonWalker) array(path, place string) error {
	for i := 0; w.decoder.More(); i++ {
		token, err := w.decoder.Token()
		if err != nil {
			return err
		}
		inner := strconv.Itoa(i + 1)
		if path != "" {
			inner = fmt.Sprintf("%s[%d]", place, i)
		}
		if _, err := w.value(token, path, inner, true); err != nil {
			return err
		}
	}
	_, err := w.decoder.Token()
	return err
}

// locateJSON says in which line and column of the file reading ended.
func locateJSON(file string, offset int64, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	reason := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		reason = "the file ends too early"
	}
	f, openErr := os.Open(file)
	if openErr != nil {
		return openErr
	}
	defer f.Close()
	read, readErr := io.ReadAll(io.LimitReader(f, offset))
	if readErr != nil {
		return readErr
	}
	text := string(read)
	line := strings.Count(text, "\n") + 1
	column := len(text) - (strings.LastIndexByte(text, '\n') + 1)
	return &brokenJSON{line: line, column: max(column, 1), reason: reason}
}

// nameWithin is how findings call a file: relative to folder.
func nameWithin(folder, file string) string {
	if name, err := filepath.Rel(folder, file); err == nil {
		return filepath.ToSlash(name)
	}
	return file
}
