package ingest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/unicode/norm"
)

// opener opens a text that is read more than once.
type opener = func() (io.ReadCloser, error)

// checkJSON reports what is wrong with a JSON file: whether it can be read, and whether its rows
// look alike; in a text of mixed letters, which rows have them in parts.
func checkJSON(open opener, mixed bool) ([]Issue, error) {
	rows, err := readJSON(open)
	var broken *brokenJSON
	if errors.As(err, &broken) {
		return []Issue{{Severity: Error, Rule: "file", Message: broken.Error(), Rows: 1}}, nil
	}
	if err != nil {
		return nil, err
	}
	issues, err := rows.misspelt(open)
	if err != nil {
		return nil, err
	}
	issues = append(issues, rows.otherUnits()...)
	if !mixed {
		return issues, nil
	}
	listed := 0
	err = walkJSON(open, func(_, place string, object []jsonMember) {
		for _, m := range object {
			if !norm.NFC.IsNormalString(m.text) {
				if listed++; listed <= listedRows {
					issues = append(issues, Issue{Severity: Warning, Row: place, Column: m.key, Rule: "name", Value: clip(m.text),
						Rows: 1, Message: fmt.Sprintf("%q %s", clip(m.text), inParts)})
				} else {
					issues[len(issues)-1].Rows++
				}
			}
		}
	})
	return issues, err
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
func readJSON(open opener) (*jsonRows, error) {
	out := &jsonRows{arrays: map[string]*jsonArray{}}
	err := walkJSON(open, func(array, _ string, object []jsonMember) {
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
func (r *jsonRows) misspelt(open opener) ([]Issue, error) {
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
	var out []Issue
	err := walkJSON(open, func(array, place string, object []jsonMember) {
		has := func(key string) bool {
			return slices.ContainsFunc(object, func(m jsonMember) bool { return m.key == key })
		}
		for _, m := range object {
			for s := range suspects {
				if s.array == array && s.key == m.key && !has(s.usual) {
					out = append(out, Issue{Severity: Warning, Row: place, Column: m.key, Rule: "key", Value: m.text, Rows: 1,
						Message: fmt.Sprintf("the key %q is in few rows, and this one has no %q; a slip of the pen? Without a remedy "+
							"in the SELECT the value is lost", m.key, s.usual)})
				}
			}
		}
	})
	return out, err
}

// otherUnits names the arrays whose numbers under a key are a hundred times larger or smaller than
// those of their siblings.
func (r *jsonRows) otherUnits() []Issue {
	const factor = 2 // powers of ten
	var out []Issue
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
				out = append(out, Issue{Severity: Warning, Row: fmt.Sprintf("%s[0-%d]", a.path, a.rows-1), Column: key,
					Rule: "unit", Value: k.example, Rows: int64(a.rows),
					Message: fmt.Sprintf("values of about %.3g, where the other arrays have about %.0f; another unit, such as "+
						"thousands? The SELECT must bring them to one", math.Pow(10, mean), math.Pow(10, usual))})
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
func walkJSON(open opener, visit func(array, place string, object []jsonMember)) error {
	f, err := open()
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
			return locateJSON(open, d.InputOffset(), err)
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
func locateJSON(open opener, offset int64, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	reason := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		reason = "the file ends too early"
	}
	f, openErr := open()
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

// nameWithin is how issues call a file: relative to folder.
func nameWithin(folder, file string) string {
	if name, err := filepath.Rel(folder, file); err == nil {
		return filepath.ToSlash(name)
	}
	return file
}
