package ingest

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fileKind is a kind of file that is known by how it begins, or by the end of its name.
type fileKind struct {
	name     string
	suffixes []string
	starts   []string // any of them
	advice   string

	format, compression string // of readings that take the kind as it is
}

// kindOf returns the kind of a file that begins with start, or nil.
func kindOf(file string, start []byte) *fileKind {
	for i, k := range fileKinds {
		if !slices.ContainsFunc(k.starts, func(s string) bool { return bytes.HasPrefix(start, []byte(s)) }) {
			continue
		}
		archive, err := zip.OpenReader(file)
		if err != nil {
			return &fileKinds[i]
		}
		defer archive.Close()
		for _, f := range archive.File {
			switch {
			case strings.HasPrefix(f.Name, "xl/"):
				return kindNamed(".xlsx")
			case f.Name == "content.xml":
				return kindNamed(".ods")
			}
		}
		return &fileKinds[i]
	}
	return nil
}

const (
	saveAsCSV   = "open it there and save the sheet as CSV UTF-8"
	exportTable = "export it as Parquet or CSV from there (in R: haven and write.csv)"
	longForm    = "get the table in long form, a row for each figure: StatBank Denmark's API (api.statbank.dk/v1/data) " +
		"gives it in the format CSV or BULK"
)

// fileKinds are the kinds of file that often lie where text was expected. The first bytes are
// from the formats' own specifications.
var fileKinds = []fileKind{
	{name: "a gzip file", suffixes: []string{".rds", ".rda", ".rdata"}, starts: []string{"\x1f\x8b"}, compression: gzipped,
		advice: "end its name in .gz, or read it with compression = 'gzip' if it holds text; from a file of R, export CSV"},
	{name: "a Zstandard file", starts: []string{"\x28\xb5\x2f\xfd"}, compression: zstandarded,
		advice: "end its name in .zst, or read it with compression = 'zstd'"},
	{name: "a Parquet file", starts: []string{"PAR1"}, format: parquetFormat, advice: "read it with read_parquet('…')"},
	{name: "a workbook of Excel (.xlsx)", suffixes: []string{".xlsx", ".xlsm"}, advice: saveAsCSV},
	{name: "a spreadsheet in OpenDocument (.ods)", suffixes: []string{".ods"}, advice: saveAsCSV},
	{name: "a zip archive", suffixes: []string{".zip"}, starts: []string{"PK\x03\x04", "PK\x05\x06"}, advice: "unpack it"},
	{name: "a workbook of Excel (.xls), or another document of old Office", suffixes: []string{".xls"},
		starts: []string{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, advice: saveAsCSV},
	{name: "a data file of SPSS", suffixes: []string{".sav", ".zsav", ".por"}, starts: []string{"$FL2", "$FL3"},
		advice: exportTable},
	{name: "a data set of Stata", suffixes: []string{".dta"}, starts: []string{"<stata_dta>", "\x71\x01\x01",
		"\x71\x02\x01", "\x72\x01\x01", "\x72\x02\x01", "\x73\x01\x01", "\x73\x02\x01"}, advice: exportTable},
	{name: "a data set of SAS", suffixes: []string{".sas7bdat", ".xpt"},
		starts: []string{"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc2\xea\x81\x60",
			"HEADER RECORD*******LIB"}, advice: exportTable},
	{name: "an Arrow (Feather) file", suffixes: []string{".feather", ".arrow"}, starts: []string{"ARROW1"},
		advice: "save it as Parquet"},
	{name: "a bzip2 file", suffixes: []string{".bz2"}, starts: []string{"BZh"}, advice: "unpack it"},
	{name: "an xz file", suffixes: []string{".xz"}, starts: []string{"\xfd7zXZ\x00"}, advice: "unpack it"},
	{name: "a 7-Zip archive", suffixes: []string{".7z"}, starts: []string{"7z\xbc\xaf\x27\x1c"}, advice: "unpack it"},
	{name: "a PDF", suffixes: []string{".pdf"}, starts: []string{"%PDF-"},
		advice: "get the table as CSV from where it was published"},
	{name: "a database of SQLite", suffixes: []string{".sqlite", ".sqlite3"}, starts: []string{"SQLite format 3\x00"},
		advice: "export its tables as CSV"},
	{name: "a PX file (PC-Axis)", suffixes: []string{".px"}, advice: longForm},
	{name: "XML", suffixes: []string{".xml"}, advice: "get the table as CSV, or from SDMX as SDMX-CSV"},
}

// kindNamed returns the kind that a file's name says, or nil.
func kindNamed(name string) *fileKind {
	for i, k := range fileKinds {
		if slices.Contains(k.suffixes, strings.ToLower(filepath.Ext(name))) {
			return &fileKinds[i]
		}
	}
	return nil
}

var (
	pxKeyword = regexp.MustCompile(`(?m)^\s*(CHARSET|AXIS-VERSION|CODEPAGE|LANGUAGES?|CREATION-DATE|SUBJECT-AREA|` +
		`SUBJECT-CODE|MATRIX|DECIMALS|TITLE|CONTENTS|UNITS|STUB|HEADING|VALUES)(\[\w+\])?(\("[^"]*"\))?\s*=`)
	webPage   = regexp.MustCompile(`(?i)^\s*<(!doctype html|html|head|body)\b`)
	markup    = regexp.MustCompile(`^\s*<[?!\w]`)
	jsonStart = regexp.MustCompile(`^\s*(\{\s*"|\[\s*[\{\[])`)
)

// checkCSV says what a text is that is read as CSV and is something else, or is a table of a
// statistical office that does not begin with its header.
func checkCSV(r read, head []byte) []Issue {
	say := func(severity Severity, format string, args ...any) []Issue {
		return []Issue{{Severity: severity, Rule: "file", Message: fmt.Sprintf(format, args...), Rows: 1}}
	}
	lower := bytes.ToLower(head)
	first, _, _ := bytes.Cut(head, []byte("\n"))
	first = bytes.TrimSpace(first)
	switch {
	case len(pxKeyword.FindAll(head, 2)) == 2 && pxKeyword.Match(first):
		return say(Error, "this is a PX file (PC-Axis), as statistical offices write; %s", longForm)
	case webPage.Match(head):
		return say(Error, "this is a web page; the address gave a page, perhaps with an error or a log-in, in the place of "+
			"the table")
	case markup.Match(head) && bytes.Contains(lower, []byte("sdmx")):
		return say(Error, "this is SDMX-ML, an exchange format of statistical offices in XML; get the table as SDMX-CSV, "+
			"or in another form with a row for each figure")
	case markup.Match(head) && bytes.Contains(lower, []byte("urn:schemas-microsoft-com:office:spreadsheet")):
		return say(Error, "this is a workbook of Excel in XML; %s", saveAsCSV)
	case markup.Match(head) && bytes.HasPrefix(bytes.TrimSpace(lower), []byte("<?xml")):
		return say(Error, "this is XML; a CSV file was expected")
	case jsonStat(head) != "":
		return say(Error, "%s", jsonStat(head))
	case jsonStart.Match(head):
		return say(Error, "this is JSON; read it with read_json('…')")
	case !r.skips && bytes.HasPrefix(bytes.ToLower(first), []byte("sep=")):
		return say(Error, "line 1 is %q, a word to a spreadsheet and no header; read the file with read_csv('…', skip = 1)",
			first)
	}
	rows := firstRows(head)
	if m := matrixOf(rows); m != nil && (m.nested || m.title != "" && !r.skips) {
		var has []string
		if m.title != "" {
			has = append(has, fmt.Sprintf("the title %q", clip(m.title)))
		}
		if m.nested {
			has = append(has, fmt.Sprintf("groups that are named once, above or beside their rows (line %d names none in its "+
				"first column)", m.nestedLine))
		}
		what := "this is a table laid out for readers, as StatBank and spreadsheets write, with " + strings.Join(has, " and ")
		if m.title != "" && !r.skips {
			return say(Error, "%s; its header is line %d; %s", what, m.headerLine, longForm)
		}
		return say(Warning, "%s; unless the SELECT takes the name from the row above, these rows are of no group; %s", what,
			longForm)
	}
	if totals := totalsOf(rows); totals != "" {
		return say(Warning, "this is the long form of a statistical office, with %s; leave totals out with WHERE, or what "+
			"they add up is counted twice, and take a code in front of its label with split_part(column, ' ', 1)", totals)
	}
	return nil
}

// jsonStat says what a JSON file is that holds a table as JSON-stat does, or "".
func jsonStat(head []byte) string {
	has := func(patterns ...string) bool {
		for _, p := range patterns {
			if !regexp.MustCompile(p).Match(head) {
				return false
			}
		}
		return true
	}
	if has(`^\s*\{`) && (has(`"class"\s*:\s*"(dataset|collection|dimension)"`, `"(id|size|dimension|link)"\s*:`) ||
		has(`"dimension"\s*:\s*\{`, `"size"\s*:\s*\[`, `"id"\s*:\s*\[`)) {
		return "this is JSON-stat, a cube of figures without a row for each; " + longForm
	}
	return ""
}

// row is a line of a CSV file.
type row struct {
	line   int
	fields []string
}

func (r row) filled() (n int) {
	for _, f := range r.fields {
		if f != "" {
			n++
		}
	}
	return n
}

// firstRows returns the first rows of a CSV file, without blanks around fields, whatever its
// separator.
func firstRows(head []byte) []row {
	if cut := bytes.LastIndexByte(head, '\n'); cut > 0 && len(head) >= headBytes {
		head = head[:cut]
	}
	separator, most := ',', 0
	for _, s := range ",;\t|" {
		if n := bytes.Count(head, []byte(string(s))); n > most {
			separator, most = s, n
		}
	}
	reader := csv.NewReader(bytes.NewReader(head))
	reader.Comma, reader.FieldsPerRecord, reader.LazyQuotes = separator, -1, true
	var rows []row
	for {
		fields, err := reader.Read()
		if err != nil { // the end, or quotes that DuckDB will complain of
			return rows
		}
		line, _ := reader.FieldPos(0)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		rows = append(rows, row{line, fields})
	}
}

// matrix is a table laid out for readers.
type matrix struct {
	title                  string // above the header
	nested                 bool   // groups are named on one of their rows, or on a row of its own
	nestedLine, headerLine int
}

// matrixOf returns what a table's layout is if it has the corner of a cross table: a header whose
// first field is empty. A table of rows and columns, which has one too, has neither title nor
// groups.
func matrixOf(rows []row) *matrix {
	var m matrix
	for i, r := range rows[:min(len(rows), 6)] {
		switch {
		case r.filled() <= 1 && (len(r.fields) < 2 || r.fields[len(r.fields)-1] == ""):
			if i == 0 {
				m.title = r.fields[0]
			}
		case r.fields[0] == "" && r.fields[len(r.fields)-1] != "":
			m.headerLine = r.line
			for _, later := range rows[i+1:] {
				if later.fields[0] == "" && later.filled() > 0 {
					m.nested, m.nestedLine = true, later.line
					break
				}
			}
			return &m
		default:
			return nil
		}
	}
	return nil
}

// totalCell matches how a total is written in a column of groups.
var totalCell = regexp.MustCompile(`(?i)^(000 \S.*|(TOT|IALT|_T)( .*)?|\S+ I alt|I alt|Total|Hele landet|All Denmark)$`)

// totalsOf names the totals in a table in long form: StatBank Denmark's, whose header ends in TID
// and INDHOLD, or SDMX-CSV.
func totalsOf(rows []row) string {
	if len(rows) == 0 {
		return ""
	}
	header := rows[0].fields
	names := func(name string) bool {
		return slices.ContainsFunc(header, func(f string) bool { return strings.EqualFold(f, name) })
	}
	if !(names("TID") && names("INDHOLD") || names("TIME_PERIOD") && names("OBS_VALUE")) {
		return ""
	}
	var found []string
	for i, name := range header {
		for _, r := range rows[1:] {
			if i < len(r.fields) && totalCell.MatchString(r.fields[i]) {
				found = append(found, fmt.Sprintf("the total %q in %s", r.fields[i], name))
				break
			}
		}
	}
	return strings.Join(found, " and ")
}

// footer matches the notes below a table of a statistical office.
var footer = regexp.MustCompile(`(?i)^["\s]*(kilde|source|anm(ærkning)?|noter?|notes|fodnoter?|footnotes?|` +
	`sidst opdateret|last updated|seneste opdatering|kontakt|contact|copyright)\b|^["\s]*(©|\*\)|\d\))`)

// isFooter reports whether a line that cannot be read is a note below the table.
func isFooter(line string) bool { return footer.MatchString(line) }
