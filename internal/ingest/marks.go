package ingest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
)

// missingWords are words for a value that is missing, and nothing else.
var missingWords = []string{"NA", "N/A", "#N/A", "<NA>", "NULL", "NONE", "MISSING", "UOPLYST"}

// marks are what publishers write in the place of a number, with what they say it means. Most mean
// different things in different offices: which one, the notes of the file say.
var marks = map[string]string{
	"-":   "exactly zero in the keys of many statistical offices, missing in other files",
	"..":  "not known or not published in the keys of many statistical offices",
	"...": "not known, or not yet, in the keys of some statistical offices",
	".":   "not known or confidential in the keys of some statistical offices, impossible (zero) in others",
	":":   "not available in Eurostat's files, confidential in some",
	"*":   "mostly a number hidden because it is small, in some files zero",
	"**":  "mostly a number hidden because it is small, in some files zero",
	"x":   "hidden or confidential in some files, impossible (zero) in others",
	"#":   "hidden or not reliable in some files, zero when rounded in others",
	"c":   "confidential in most files",
	"u":   "not reliable in most files",
	"s":   "hidden in most files",
	"z":   "not applicable (zero) in most files",
}

// statistical are the missing values of SAS and Stata with a letter, such as .a.
var statistical = regexp.MustCompile(`^\.[a-z_]$`)

// meaningOf returns what a mark that stands for a number means, or "".
func meaningOf(value string) string {
	plain := strings.NewReplacer("–", "-", "—", "-", "−", "-", "…", "...").Replace(strings.ToLower(value))
	if statistical.MatchString(plain) {
		return "a missing value of SAS or Stata, whose letter says why"
	}
	return marks[plain]
}

// suggestMissing says what to do with a text that marks a missing value, or may, or "".
func (f *facts) suggestMissing(c *contract.Column, value string) string {
	missing := fmt.Sprintf("nullif(column, %s)", duckdb.QuoteText(value))
	switch {
	case f.readsCSV() && f.stated("nullstr") == "":
		missing = fmt.Sprintf("nullstr = ['', %s] in read_csv('…')", duckdb.QuoteText(value))
	case f.readsCSV():
		missing = fmt.Sprintf("%s, or add %s to the file's nullstr", missing, duckdb.QuoteText(value))
	}
	switch {
	case slices.Contains(missingWords, strings.ToUpper(value)):
		return "; it marks a missing value: write " + missing
	case strings.HasPrefix(value, "#") && strings.HasSuffix(value, "!"):
		return "; it is an error of a spreadsheet: mend it there, or, if it is to count as missing, write " + missing
	case meaningOf(value) == "", !isNumber(c) && strings.ContainsAny(strings.ToLower(value), "abcdefghijklmnopqrstuvwxyz"):
		return "" // a letter may be a code
	}
	ask := fmt.Sprintf("; it is a mark, and the file's notes say of what: %s. If missing, write %s", meaningOf(value),
		missing)
	if !isNumber(c) {
		return ask
	}
	if c.Name == "n" {
		ask += " and leave the row out, WHERE n IS NOT NULL"
	}
	return ask + fmt.Sprintf("; if zero, write %s",
		f.plainly(fmt.Sprintf("CASE column WHEN %s THEN '0' ELSE column END", duckdb.QuoteText(value)), ""))
}

func isNumber(c *contract.Column) bool { return c.Type == contract.Int || c.Type == contract.Decimal }

// plainly writes the text of an expression with the points and commas of its file as numbers are
// read: as the recipe states them, or as they stand in an example. One odd value makes a text of a
// column, and read_csv changes no text.
func (f *facts) plainly(expression, example string) string {
	comma, point := strings.LastIndex(example, ","), strings.Index(example, ".")
	if f.stated("thousands") == "." || 0 <= point && point < comma {
		expression = fmt.Sprintf("replace(%s, '.', '')", expression)
	}
	if f.stated("decimal_separator") == "," || comma >= 0 {
		expression = fmt.Sprintf("replace(%s, ',', '.')", expression)
	}
	return expression
}

// suggestComma says how a number with a decimal comma is read.
func (f *facts) suggestComma(value string) string {
	written := f.plainly("column", value)
	if f.stated("decimal_separator") == "," {
		return "; another value of the column is no number, and one makes a text of the whole: mend that one, or write " +
			written
	}
	if !f.readsCSV() {
		return "; write " + written
	}
	arguments := "decimal_separator = ','"
	if strings.Contains(value, ".") {
		arguments += ", thousands = '.'"
	}
	return fmt.Sprintf("; read the file with read_csv('…', %s), or with all_varchar write %s", arguments, written)
}

// suggestThousands says how points that part thousands are read, in a file whose commas are read.
func (f *facts) suggestThousands() string {
	if f.stated("thousands") == "" {
		return "; if points part thousands, add thousands = '.' to read_csv('…'); else write round(column::DOUBLE)"
	}
	return "; another value of the column is no number, and one makes a text of the whole: mend that one, or write " +
		f.plainly("column", "")
}

// attached finds the one number of a text, with what stands before and after it.
var attached = regexp.MustCompile(`^([^\d+\-−–]*)([+\-−–]?)\s*(\d[\d.,\p{Z}]*?)([^\d]*)$`)

// suggestAttached says what to do with a number that something stands beside, or "".
func (f *facts) suggestAttached(c *contract.Column, value string) string {
	parts := attached.FindStringSubmatch(value)
	if parts == nil {
		return ""
	}
	before, sign, number, after := strings.TrimSpace(parts[1]), parts[2], parts[3], strings.TrimSpace(parts[4])
	cure := func(expression string) string { return f.plainly(expression, number) }
	kept := cure("regexp_replace(column, '[^0-9.,+-]', '', 'g')")
	either := fmt.Sprintf("if the number is to be used, write %s; if not, nullif(column, %s)", kept,
		duckdb.QuoteText(value))
	switch {
	case before == "" && after == "" && (sign == "−" || sign == "–"):
		return fmt.Sprintf("; its minus is the character U+%04X, not a hyphen: write %s", []rune(sign)[0],
			cure(fmt.Sprintf("replace(column, '%s', '-')", sign)))
	case before == "" && after == "" && regexp.MustCompile(`\d\p{Z}\d`).MatchString(number):
		return "; blanks part its thousands: write " + cure(`regexp_replace(column, '\p{Z}', '', 'g')`)
	case before == "" && after == "%":
		return "; the percent sign is no part of the number: write " + cure("replace(column, '%', '')")
	case before == "(" && after == ")":
		return fmt.Sprintf("; it stands in brackets, and the file's notes say why: negative, uncertain, or few observed. "+
			"If negative, write %s; %s", cure("replace(replace(column, '(', '-'), ')', '')"), either)
	case strings.ContainsAny(before, "<>≤≥~≈") || before == "ca." || before == "ca" || before == "under" ||
		before == "over":
		return fmt.Sprintf("; it is a bound and no number; if it is not to be used, write nullif(column, %s)",
			duckdb.QuoteText(value))
	case before != "" && after != "":
		return ""
	case before+after != "":
		return fmt.Sprintf("; %q stands beside the number, and the file's notes say why: provisional, estimated, revised, "+
			"uncertain, or a unit; %s", before+after, either)
	}
	return ""
}

// notFinite says what to do with a number that is none, or "".
func (f *facts) notFinite(value string) string {
	missing := "write CASE WHEN isfinite(column::DOUBLE) THEN column END"
	if f.readsCSV() {
		missing = "name it in nullstr as the file writes it, as in read_csv('…', nullstr = ['', 'NaN', 'Inf'])"
	}
	switch strings.TrimLeft(strings.ToLower(value), "+-") {
	case "nan":
		return "; it is NaN (not a number), as pandas and R often write a missing value: if so, " + missing
	case "inf", "infinity":
		return "; it is infinite, as after a division by zero: if that is to count as missing, " + missing
	}
	return ""
}
