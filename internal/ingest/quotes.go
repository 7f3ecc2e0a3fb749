package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// swallowed is a text in quotes with the ends of lines in it, in which whole rows seem to lie.
type swallowed struct {
	first, last int // the lines of its record
	text        string
}

// findSwallowed returns the first record of a CSV text that takes several lines each of which has,
// for itself, as many fields as the record: a quotation mark without its partner has met another
// one further down, and the rows between are one text. A text of several lines has other numbers
// of separators in them. Lines to skip
// hold no rows. It returns nil where there is none, or where fields have no quotes.
func findSwallowed(in io.Reader, q sniffed, skip int) (*swallowed, error) {
	if len(q.quote) != 1 {
		return nil, nil
	}
	var (
		reader            = bufio.NewReaderSize(in, 1<<18)
		delimiter, quote  = []byte(q.delimiter), q.quote[0]
		inside            bool // within quotes at the end of a line
		fields            int  // separators of the record so far, those in quotes left out
		record            swallowed
		fewest, mostInner int // separators in a line of the record, and in one between the first and the last
	)
	end := byte('\n')
	if start, _ := reader.Peek(1 << 16); bytes.IndexByte(start, end) < 0 && bytes.IndexByte(start, '\r') >= 0 {
		end = '\r' // as an old Macintosh wrote
	}
	for number := 1; ; number++ {
		line, err := reader.ReadSlice(end)
		long := errors.Is(err, bufio.ErrBufferFull)
		if long { // a line of more than the buffer
			var rest []byte
			line = bytes.Clone(line)
			rest, err = reader.ReadBytes(end)
			line = append(line, rest...)
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		if number > skip && (inside || bytes.IndexByte(line, quote) >= 0) {
			begun := inside
			separators := bytes.Count(line, delimiter)
			var outside int
			outside, inside = quotedLine(line, delimiter, quote, q.escape, inside)
			switch {
			case !begun && inside:
				record, fields, fewest, mostInner = swallowed{first: number,
					text: strings.TrimRight(string(line), "\r\n")}, outside, separators, 0
			case begun:
				fields += outside
				if inside && len(bytes.TrimSpace(line)) == 0 {
					break
				}
				fewest = min(fewest, separators)
				if inside {
					mostInner = max(mostInner, separators)
				}
			}
			if begun && !inside && fields > 0 && fewest >= fields && mostInner <= fields {
				record.last = number
				return &record, nil
			}
		}
		if err == io.EOF {
			return nil, nil
		}
	}
}

// quotedLine reads one line, which begins within quotes or not. It returns the separators outside
// quotes, and whether the line ends within them.
func quotedLine(line, delimiter []byte, quote byte, escape string, inside bool) (separators int, _ bool) {
	start := !inside // of a field
	for i := 0; i < len(line); {
		switch {
		case inside && escape != "" && escape[0] != quote && line[i] == escape[0] && i+1 < len(line):
			i += 2
		case inside && line[i] == quote && escape != "" && escape[0] == quote && i+1 < len(line) && line[i+1] == quote:
			i += 2
		case inside:
			inside = line[i] != quote
			i++
		case start && line[i] == quote:
			inside, start = true, false
			i++
		case bytes.HasPrefix(line[i:], delimiter):
			separators++
			start = true
			i += len(delimiter)
		default:
			start = start && line[i] == ' '
			i++
		}
	}
	return separators, inside
}

// swallowedRows reports rows of a reading's files that lie within a text in quotes. It is an error,
// and a warning where the recipe itself says how texts are quoted. Files that have as many lines as
// rows and headers have no text of several lines, and are not read again.
func (s *staged) swallowedRows(p *preparer, r *csvRead) (wrong bool, err error) {
	var lines int64
	for _, file := range r.files {
		lines += s.sources.lines[file]
	}
	if lines == r.rows+int64(len(r.files)) {
		return false, nil
	}
	_, stated := r.how.stated["quote"]
	for _, file := range r.files {
		found, quote, err := s.swallowedIn(p, r, file)
		if err != nil {
			return wrong, err
		}
		if found == nil {
			continue
		}
		f := Issue{Severity: Error, File: nameWithin(s.recipe.folder, file), Row: fmt.Sprintf("line %d", found.first),
			Rule: "line", Value: clip(found.text), Rows: 1,
			Message: fmt.Sprintf("%q opens a text in quotes that ends in line %d, and each line of it has as many fields as a "+
				"row; a quotation mark without its partner makes one row of many. Mend it, or read the file with read_csv('…', "+
				"quote = '') where quotes are text; if it is one text, say so with quote = '%s'",
				clip(found.text), found.last, quote)}
		if stated {
			f.Severity = Warning
		}
		wrong = wrong || !stated
		if !slices.Contains(s.issues, f) { // another table may read the same file
			s.add(f)
		}
	}
	return wrong, nil
}

// swallowedIn looks for such rows in one file, and returns the quotation mark that it is read with.
func (s *staged) swallowedIn(p *preparer, r *csvRead, file string) (_ *swallowed, quote string, err error) {
	text := func(names ...string) string { return constant(argument(r.table, names...)) }
	q := sniffed{delimiter: text("delim", "sep", "delimiter"), quote: text("quote"), escape: text("escape")}
	if detect := argument(r.table, "auto_detect"); q.delimiter == "" && len(detect) == 0 {
		found, err := p.sniff(r.table, p.readable(r.how, file))
		if err != nil {
			return nil, "", s.ctx.Err() // reading it fails as well, and says why
		}
		q = found
	}
	if q.delimiter == "" {
		q.delimiter = "," // as DuckDB has it where it is not to look
	}
	if _, stated := r.how.stated["quote"]; q.quote == "" && !stated {
		q.quote = `"`
	}
	if q.escape == "" {
		q.escape = q.quote
	}
	in, err := s.sources.reader(r.how, file)
	if err != nil {
		return nil, "", err
	}
	skip, _ := strconv.Atoi(r.how.stated["skip"])
	found, err := findSwallowed(in, q, skip)
	return found, q.quote, errors.Join(err, in.Close())
}

// findOdd returns the first record of a CSV text in which a field's quotes do not end where the
// field does, or at all.
func findOdd(in io.Reader, delimiter []byte, quote byte) (*swallowed, error) {
	reader, record, inside := bufio.NewReaderSize(in, 1<<18), swallowed{}, false
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		text := bytes.TrimRight(line, "\r\n")
		if !inside {
			record = swallowed{first: number, text: string(text)}
		}
		start := !inside
		for i := 0; i < len(text); i++ {
			switch {
			case inside && text[i] == quote && i+1 < len(text) && text[i+1] == quote:
				i++ // it stands for one
			case inside && text[i] == quote:
				inside = false
				if rest := text[i+1:]; len(rest) > 0 && !bytes.HasPrefix(rest, delimiter) {
					record.last = number
					return &record, nil
				}
			case inside:
			case start && text[i] == quote:
				inside, start = true, false
			case bytes.HasPrefix(text[i:], delimiter):
				start = true
				i += len(delimiter) - 1
			default:
				start = start && text[i] == ' '
			}
		}
		if err == io.EOF {
			if inside {
				record.last = number
				return &record, nil
			}
			return nil, nil
		}
	}
}

// oddQuotes reports the first record with odd quotes in the files of a SELECT of which DuckDB's
// message says that it finds no way to read them.
func (s *staged) oddQuotes(selected *selection, message string) (found bool, err error) {
	if !strings.Contains(message, "automatically detect the CSV") {
		return false, nil
	}
	for _, r := range selected.csvs {
		if _, stated := r.how.stated["quote"]; stated {
			continue
		}
		for _, file := range r.files {
			header, err := s.sources.firstLine(r.how, file)
			if err != nil {
				return found, err
			}
			delimiter := constant(argument(r.table, "delim", "sep", "delimiter"))
			if delimiter == "" {
				delimiter = slices.MaxFunc([]string{",", ";", "\t", "|"},
					func(a, b string) int { return strings.Count(header, a) - strings.Count(header, b) })
			}
			in, err := s.sources.reader(r.how, file)
			if err != nil {
				return found, err
			}
			odd, err := findOdd(in, []byte(delimiter), '"')
			if err = errors.Join(err, in.Close()); err != nil {
				return found, err
			}
			if odd == nil {
				continue
			}
			found = true
			f := Issue{Severity: Error, File: nameWithin(s.recipe.folder, file), Row: fmt.Sprintf("line %d", odd.first),
				Rule: "line", Value: clip(odd.text), Rows: 1,
				Message: fmt.Sprintf("%q holds a quotation mark without its partner, or a text in quotes that goes on after "+
					"them; a quotation mark within a text in quotes is written twice. Mend it, or read the file with read_csv('…', "+
					"quote = '') where quotes are text", clip(odd.text))}
			if !slices.Contains(s.issues, f) {
				s.add(f)
			}
		}
	}
	return found, nil
}
