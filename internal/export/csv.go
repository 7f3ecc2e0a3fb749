package export

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV writes the table by RFC 4180, in UTF-8: a header of the columns' names, then the rows; numbers to
// their last digit with a point, nothing where there is no value. A key is its code, and beside it, in a
// column that ends in _label, what the code means, where the two differ. What the table says of itself
// stands before the header in lines that begin with #, a sign that no other line begins with: readers of
// CSV know them as comments.
func CSV(w io.Writer, t *Table) error {
	if err := t.check(); err != nil {
		return fmt.Errorf("CSV: %w", err)
	}
	out := bufio.NewWriter(w)
	for _, line := range t.comments() {
		// A comment is one line, whatever is in it.
		fmt.Fprintf(out, "# %s\r\n", strings.Join(strings.Fields(line), " "))
	}
	labelled := make([]bool, len(t.Columns))
	var fields []string
	for i, c := range t.Columns {
		fields = append(fields, c.Name)
		for _, k := range c.Categories {
			labelled[i] = labelled[i] || c.Kind == Key && k.Code != k.Label
		}
		if labelled[i] {
			fields = append(fields, c.Name+"_label")
		}
	}
	record(out, fields)
	for _, row := range t.Rows {
		fields = fields[:0]
		for i, c := range t.Columns {
			fields = append(fields, field(row[i]))
			if labelled[i] {
				fields = append(fields, c.Categories[c.place(row[i].(string))].Label)
			}
		}
		record(out, fields)
	}
	return out.Flush() // the first error of any write
}

// comments says what the table is and what its columns are, a line each.
func (t *Table) comments() []string {
	kind := "of real persons"
	if t.Synthetic {
		kind = "synthetic: no real person is in it"
	}
	lines := []string{t.Question, "data set: " + t.Dataset + ", " + kind, "fingerprint: " + t.Fingerprint,
		"sources: " + t.Sources, "citation: " + t.Citation, "licence: " + t.Licence,
		fmt.Sprintf("intervals: %s at level %s", t.Method, field(t.Level))}
	for _, c := range t.Columns {
		line := "column " + c.Name + ": " + c.Label
		for _, more := range []string{c.Unit, c.Definition} {
			if more != "" {
				line += "; " + more
			}
		}
		if c.Assumed {
			line += " (assumed)"
		}
		if c.Kind == Text {
			for _, k := range c.Categories {
				line += "; " + k.Code + ": " + k.Label
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// field is the text of a value.
func field(value any) string {
	switch v := value.(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int:
		return strconv.Itoa(v)
	case string:
		return v
	case []string:
		return strings.Join(v, "; ")
	}
	return ""
}

// record writes one record. The writer of encoding/csv cannot quote a field for its first sign.
func record(w *bufio.Writer, fields []string) {
	for i, f := range fields {
		if i > 0 {
			w.WriteByte(',')
		}
		if strings.ContainsAny(f, ",\"\r\n") || strings.HasPrefix(f, "#") || strings.TrimSpace(f) != f || f == "" &&
			len(fields) == 1 {
			f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
		}
		w.WriteString(f)
	}
	w.WriteString("\r\n")
}
