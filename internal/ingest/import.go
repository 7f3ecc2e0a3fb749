// Package ingest reads a user's own data: by a recipe, from CSV, JSON and Parquet files in whatever
// encoding, into the tables of the contract, and says of every row what is wrong or odd with it. A
// snapshot is checked by the same rules.
package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	driver "github.com/duckdb/duckdb-go/v2"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/progress"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// Import makes a data set from a user's own files by a recipe, and switches the data folder dir
// to it. It returns every issue, and a fault that nothing was switched if one of them is an
// error; whatever fails, and whenever the process ends, the data set that was current stays so.
// report gets a line per step, and may be nil.
func Import(ctx context.Context, recipe, dir string, c *contract.Contract, report io.Writer) (_ snapshot.Info,
	issues []Issue, err error) {
	defer fault.Wrap(&err, "ingest.Import(%s)", recipe)
	if err := snapshot.BeginImport(dir); err != nil {
		return snapshot.Info{}, nil, err
	}
	r, err := ReadRecipe(recipe, c)
	if err != nil {
		return snapshot.Info{}, nil, err
	}
	var steps *progress.Reporter
	if report != nil {
		steps = progress.New(report)
	}
	write := func(w *snapshot.Writer) error {
		issues, err = r.write(ctx, w, c, dir, steps)
		if err != nil {
			return err
		}
		if wrong, _ := Count(issues); wrong > 0 {
			return fault.Invalidf("%s: %s; nothing was imported, and the data set that was current stays so", recipe,
				plural(wrong, "error"))
		}
		steps.Start("Taking the fingerprint", 0)
		return storeIssues(w.Folder(), issues)
	}
	cells := func(ctx context.Context, folder string) error {
		steps.Done()
		steps.Start("Building the cells", 0)
		if err := duckdb.BuildCells(ctx, folder, c, duckdb.Options{MemoryLimit: memoryLimit}); err != nil {
			return err
		}
		steps.Done()
		// What cannot be opened must not be switched to.
		s, err := duckdb.Open(ctx, folder, c, duckdb.Options{})
		if err != nil {
			return err
		}
		return s.Close()
	}
	info, err := snapshot.Create(ctx, dir, c, r.Meta, write, cells)
	return info, issues, err
}

// memoryLimit is what DuckDB may take of memory before it uses the disk: an import runs beside a
// server, on the machine of a researcher.
const memoryLimit = "1GB"

// stagingFile is the database that holds the rows while they are checked, within the folder of
// the snapshot that is being made.
const stagingFile = "import.duckdb"

// copiesFolder holds the copies of files in UTF-8, within the folder of the snapshot that is
// being made.
const copiesFolder = "import.files"

// write runs the recipe's SELECTs, checks what they give, and writes the Parquet if nothing is
// wrong with it.
func (r *Recipe) write(ctx context.Context, w *snapshot.Writer, c *contract.Contract, dir string,
	steps *progress.Reporter) (_ []Issue, err error) {
	staging := filepath.Join(w.Folder(), stagingFile)
	sources := &sources{ctx: ctx, folder: r.folder, copies: filepath.Join(w.Folder(), copiesFolder)}
	db, err := sql.Open("duckdb", staging)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		for _, leftover := range []string{staging, staging + ".wal", staging + ".tmp", sources.copies} {
			err = errors.Join(err, os.RemoveAll(leftover))
		}
	}()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	within := func(folder string) string { return duckdb.QuoteText(folder + string(filepath.Separator)) }
	for _, text := range []string{
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false", "SET memory_limit=" +
			duckdb.QuoteText(memoryLimit),
		// What a SELECT can reach: the recipe's folder to read, and this import's own to write.
		// DuckDB holds patterns against it as they are written.
		fmt.Sprintf("SET allowed_directories=[%s, %s, %s, %s]", within(r.folder), within(literal(r.folder, r.folder)),
			within(w.Folder()), within(literal(w.Folder(), w.Folder()))),
		"SET enable_external_access=false", "SET lock_configuration=true",
	} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return nil, err
		}
	}
	s := newStaged(ctx, r, conn, c, sources)
	for _, t := range r.tables {
		steps.Start("Reading "+t.Name, 0)
		if err := s.load(t); err != nil {
			return s.issues, err
		}
		steps.Done()
		s.broken[t.Name] = s.tables[t.Name] == nil
	}
	steps.Start("Checking", 0)
	if err := s.all(); err != nil {
		return s.issues, err
	}
	steps.Done()
	if wrong, _ := Count(s.issues); wrong > 0 {
		return s.issues, nil
	}
	steps.Start("Writing the facts", 0)
	for _, t := range r.tables {
		if err := s.save(t.Table, dir, w.Path(t.Name)); err != nil {
			return s.issues, err
		}
	}
	steps.Done()
	return s.issues, nil
}

// staged are the tables of a recipe while they are read and checked.
type staged struct {
	checker
	recipe  *Recipe
	sources *sources
	origins map[string][]string         // by table: SELECTs of its files' rows with _file and _row
	offsets map[string]map[string]int64 // by SELECT and file: the rows of other files that DuckDB counts before
}

func newStaged(ctx context.Context, r *Recipe, conn *sql.Conn, c *contract.Contract, files *sources) *staged {
	s := &staged{recipe: r, checker: checker{ctx: ctx, conn: conn, contract: c, tables: map[string]*facts{},
		broken: map[string]bool{}},
		sources: files, origins: map[string][]string{}, offsets: map[string]map[string]int64{}}
	s.place, s.whole = s.locate, r.file
	return s
}

// load runs a table's SELECT into a table of its own, and makes the view of it in the contract's
// types. Where issues say why there are no rows to check, there is no view.
func (s *staged) load(t recipeTable) error {
	selected, err := parseSelect(s.ctx, s.conn, t.selects, s.sources)
	s.issues = append(s.issues, s.sources.issues...)
	s.sources.issues = nil
	if err != nil {
		return s.wrongSelect(t, err)
	}
	if s.sources.wrong(selected.reads) {
		return nil
	}
	if err := s.sameFiles(selected.reads); err != nil {
		return err
	}
	if found, err := s.narrowed(selected.reads); err != nil || found {
		return err
	}
	if doubtful, err := s.typeColumns(selected); err != nil {
		return s.wrongSelect(t, err)
	} else if doubtful {
		return nil
	}
	relation, columns, err := s.describeAsTexts(t, selected)
	if err != nil && strings.Contains(err.Error(), "VARCHAR") {
		for _, reason := range []func() (bool, error){
			func() (bool, error) { return s.computedAsText(selected) },
			func() (bool, error) { return s.undatedArgument(selected, err.Error()) },
		} {
			if found, err := reason(); err != nil || found {
				return err
			}
		}
	}
	if err != nil {
		if found, quoteErr := s.oddQuotes(selected, err.Error()); quoteErr != nil || found {
			return quoteErr
		}
		return s.wrongSelect(t, err)
	}
	f := &facts{Table: t.Table, view: duckdb.QuoteName("facts of " + t.Name), exact: map[string]bool{},
		reads: selected.reads}
	kinds, ok := s.columns(t, f, columns)
	if !ok {
		return nil
	}
	made, view := f.definitions(kinds, selected)
	rows := duckdb.QuoteName("rows of " + t.Name)
	for i, text := range []string{
		fmt.Sprintf("CREATE TABLE %s AS SELECT row_number() OVER () AS _at, %s FROM %s", rows, made, relation),
		fmt.Sprintf("CREATE VIEW %s AS SELECT _at, %s FROM %s", f.view, view, rows),
	} {
		if _, err := s.conn.ExecContext(s.ctx, text); err != nil && i == 0 {
			return s.wrongSelect(t, err)
		} else if err != nil {
			return err
		}
	}
	if err := s.folded(t, selected.folds); err != nil {
		return err
	}
	for _, rule := range []func(recipeTable, *selection) error{s.summedTotals, s.unnamedCodes, s.nearlyNamed, s.joins} {
		if err := rule(t, selected); err != nil {
			return err
		}
	}
	rejected, err := s.rejected(selected, false)
	if err != nil || rejected {
		return err
	}
	n, err := s.keepRecorded(f)
	if err != nil {
		return err
	}
	if n == 0 {
		return s.wrongSelect(t, mistake("it gives no rows; leave the table out if there is nothing to put in"))
	}
	if relation == "("+selected.traced+")" {
		s.origins[t.Name] = selected.origins
	}
	f.located = kinds[rowColumn] != ""
	s.tables[t.Name] = f
	return s.misreadRows(f, selected.reads)
}

// wrongSelect adds what is wrong with a table's SELECT to the issues. An error that is not the
// recipe's comes back.
func (s *staged) wrongSelect(t recipeTable, err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	line := t.line
	message := strings.ReplaceAll(s.sources.originals(oneLine(err.Error())), s.recipe.folder+string(filepath.Separator),
		"")
	var m *selectMistake
	var engine *driver.Error
	switch {
	case errors.As(err, &m):
		line += m.line
	case !errors.As(err, &engine) || engine.Type == driver.ErrorTypeInternal || engine.Type == driver.ErrorTypeFatal:
		return err
	case damaged.MatchString(message):
		message = "a Parquet file that it reads is damaged (" + message + "); get it again, or write it again"
	case strings.Contains(message, `Referenced column "column0`):
		message += "; the first line of a CSV file is its header, and one without a header is read with read_csv('…', " +
			"header = false)"
	case strings.Contains(message, "No function matches the given name and argument types") &&
		strings.Contains(message, "(VARCHAR"):
		message += "; a column is text if one of its values is no number: name the column without a function, and each " +
			"such value is listed with its row"
	case engine.Type == driver.ErrorTypeConversion:
		message += "; leave a column without a cast, and each value that cannot be read is listed with its row"
	}
	s.add(Issue{Severity: Error, File: s.recipe.file, Row: fmt.Sprintf("line %d", line), Rule: "select", Rows: 1,
		Message: fmt.Sprintf("the SELECT for %s: %s", t.Name, message)})
	return nil
}

// damaged matches what DuckDB says of pages that it cannot read.
var damaged = regexp.MustCompile(`(?i)decompress|TProtocolException|corrupt`)

// oneLine drops what DuckDB adds for its own shell: the kind of error, and the line of our SQL.
func oneLine(message string) string { return fault.EngineMessage(message) }

// describe returns the relation of what a SELECT gives, with the origin of rows where it can be
// told, and its columns with their types.
func (s *staged) describe(selected *selection) (string, []column, error) {
	if err := selected.write(); err != nil {
		return "", nil, err
	}
	if selected.traced != "" {
		relation := "(" + selected.traced + ")"
		if columns, err := s.columnsOf(relation); err == nil {
			return relation, columns, nil
		} else if s.ctx.Err() != nil {
			return "", nil, s.ctx.Err()
		}
		// The SELECT has a form in which the origin cannot be told; it stands as written.
	}
	relation := "(" + selected.text + ")"
	columns, err := s.columnsOf(relation)
	return relation, columns, err
}

// column is a column of a SELECT.
type column struct{ name, kind string }

func (s *staged) columnsOf(relation string) (_ []column, err error) {
	rows, err := s.conn.QueryContext(s.ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+relation+")")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.kind); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// columns finds the contract's columns among those of the SELECT, and reports those that are
// unknown, missing or of a type that cannot be read. It returns their DuckDB types, and false if
// the rows cannot be checked.
func (s *staged) columns(t recipeTable, f *facts, columns []column) (kinds map[string]string, ok bool) {
	var known []string
	for _, c := range t.Columns {
		known = append(known, c.Name)
	}
	wrong := func(column, rule, format string, args ...any) {
		s.add(Issue{Severity: Error, File: s.recipe.file, Row: fmt.Sprintf("line %d", t.line), Column: column, Rule: rule,
			Rows: 1, Table: t.Name, Message: fmt.Sprintf(format, args...)})
	}
	kinds = map[string]string{}
	for _, c := range columns {
		name := strings.ToLower(c.name)
		if name == fileColumn || name == rowColumn || slices.Contains(known, name) {
			kinds[name] = c.kind
		} else {
			wrong(c.name, "column", "the SELECT gives a column %q, which the table %s of the contract has not%s", c.name, t.Name,
				fault.Suggest(name, known))
		}
	}
	ok = true
	for _, c := range t.Columns {
		kind, given := kinds[c.Name]
		switch {
		case !given && !c.Optional:
			wrong(c.Name, "column", "the SELECT gives no column %s, which the contract requires: %s", c.Name, describeColumn(c))
		case given && typed(c, kind, dialect{}) == "":
			wrong(c.Name, "type", "the SELECT gives %s as %s; %s was expected", c.Name, kind, describeColumn(c))
			ok = false
		case given:
			f.columns = append(f.columns, c)
		}
	}
	return kinds, ok && len(f.columns) > 0
}

// definitions writes what the table of rows holds of the SELECT's result, and the view of it that
// rules read. The value as it came is kept where it is not the value in the contract's type.
func (f *facts) definitions(kinds map[string]string, selected *selection) (made, view string) {
	var table, shown []string
	for _, name := range []string{fileColumn, rowColumn} {
		if kinds[name] == "" {
			shown = append(shown, "NULL AS "+name)
			continue
		}
		table, shown = append(table, name), append(shown, name)
	}
	for _, c := range f.columns {
		kind := kinds[c.Name]
		table = append(table, typed(c, kind, selected.dialectOf(c.Name))+" AS "+duckdb.QuoteName(c.Name))
		shown = append(shown, duckdb.QuoteName(c.Name))
		if asItIs(c, kind) || c.Type == contract.Int && strings.HasSuffix(kind, "INTEGER") {
			shown = append(shown, duckdb.QuoteName(c.Name)+"::VARCHAR AS "+raw(c.Name))
			f.exact[c.Name] = true
		} else {
			table = append(table, given(c, kind)+" AS "+raw(c.Name))
			shown = append(shown, raw(c.Name))
		}
	}
	return strings.Join(table, ", "), strings.Join(shown, ", ")
}

// keepRecorded leaves out optional columns that are null throughout: they are not recorded. It
// returns the number of rows.
func (s *staged) keepRecorded(f *facts) (rows int64, err error) {
	counts := []string{"count(*)"}
	filled := make([]int64, len(f.columns))
	targets := []any{&rows}
	for i, c := range f.columns {
		targets = append(targets, &filled[i])
		counts = append(counts, "count("+f.came(c.Name)+")")
	}
	if err := s.conn.QueryRowContext(s.ctx, "SELECT "+strings.Join(counts,
		", ")+" FROM "+f.view).Scan(targets...); err != nil {
		return 0, err
	}
	var kept []*contract.Column
	for i, c := range f.columns {
		if filled[i] > 0 || !c.Optional {
			kept = append(kept, c)
		}
	}
	f.columns = kept
	return rows, nil
}

// locate names the file and row of an issue: the user's where known, else the row of the
// SELECT's result.
func (s *staged) locate(f *facts, at int64, file, row string) (string, string, error) {
	if row == "" {
		return s.recipe.file, fmt.Sprintf("%d of the SELECT for %s", at, f.Name), nil
	}
	if file == "" {
		return s.recipe.file, row, nil
	}
	name := nameWithin(s.recipe.folder, s.sources.original(file))
	if s.origins[f.Name] == nil {
		return s.sources.original(file), row, nil // as the recipe itself says
	}
	n, err := strconv.ParseInt(row, 10, 64)
	if err != nil {
		return "", "", err
	}
	origin := s.origins[f.Name][n/branchRows]
	offsets, ok := s.offsets[origin]
	if !ok {
		if offsets, err = s.countBefore(origin); err != nil {
			return "", "", err
		}
		s.offsets[origin] = offsets
	}
	return name, strconv.FormatInt(n-offsets[file], 10), nil
}

// countBefore returns, for each file of an origin, what DuckDB's count of rows is before its first:
// the rows of other files, and those of other branches.
func (s *staged) countBefore(origin string) (_ map[string]int64, err error) {
	rows, err := s.conn.QueryContext(s.ctx, "SELECT _file, min(_row) - 1 FROM ("+origin+") GROUP BY ALL")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out := map[string]int64{}
	for rows.Next() {
		var file string
		var before int64
		if err := rows.Scan(&file, &before); err != nil {
			return nil, err
		}
		out[file] = before
	}
	return out, rows.Err()
}

// given writes the value of a column as it came, as a text.
func given(c *contract.Column, kind string) string {
	name := duckdb.QuoteName(c.Name)
	switch {
	case kind == "JSON":
		return "(" + name + " ->> '$')::VARCHAR"
	case c.Type == contract.String && (kind == "FLOAT" || kind == "DOUBLE"): // a code 461 that other tools wrote as 461.0
		return fmt.Sprintf("if(%[1]s = trunc(%[1]s) AND abs(%[1]s) < %[2]d, %[1]s::BIGINT::VARCHAR, %[1]s::VARCHAR)", name,
			exactWhole)
	}
	return name + "::VARCHAR"
}

// asItIs reports whether a DuckDB type is the contract's, and no value of it needs a look.
func asItIs(c *contract.Column, kind string) bool {
	return kind == c.Type.SQL() && c.Type != contract.Date
}

// exactWhole is the first whole number that has a neighbour which DOUBLE cannot tell from it.
const exactWhole = 1 << 53

// typed writes the value of a column, which comes as the DuckDB type kind, in the contract's
// type; it is null where the value cannot be read as that. It is "" where no value can. Numbers in
// texts are written as d says.
func typed(c *contract.Column, kind string, d dialect) string {
	name := duckdb.QuoteName(c.Name)
	switch {
	case kind == "VARCHAR" && c.Type == contract.String:
		return "nfc_normalize(" + name + ")" // letters are compared in one form
	case asItIs(c, kind) && c.Type != contract.Strings:
		return name
	}
	base, _, _ := strings.Cut(kind, "(")
	isList := strings.HasSuffix(kind, "]")
	nested := isList || base == "STRUCT" || base == "MAP" || base == "UNION" || base == "BLOB"
	text := "trim(" + given(c, kind) + ")"
	switch c.Type {
	case contract.Strings:
		const composed = "list_transform(TRY_CAST(%s AS VARCHAR[]), lambda item: nfc_normalize(item))"
		if isList {
			return fmt.Sprintf(composed, name)
		}
		if kind == "VARCHAR" || kind == "JSON" {
			return fmt.Sprintf(composed, given(c, kind))
		}
		return ""
	case contract.String:
		if nested {
			return ""
		}
		return "nfc_normalize(" + given(c, kind) + ")"
	case contract.Bool:
		if nested || strings.HasPrefix(kind, "DATE") || strings.HasPrefix(kind, "TIME") {
			return ""
		}
		return yesOrNo(text)
	case contract.Date:
		switch {
		case kind == "DATE", strings.HasPrefix(kind, "TIMESTAMP"):
			return fmt.Sprintf("CASE WHEN year(%[1]s) >= 1000 THEN %[1]s::DATE END", name) // 31-12-14 is read as of the year 14
		case kind == "VARCHAR" || kind == "JSON":
			return fmt.Sprintf("CASE WHEN regexp_full_match(%[1]s, '\\d{4}-\\d{2}-\\d{2}') THEN TRY_CAST(%[1]s AS DATE) END",
				text)
		}
		return ""
	}
	switch base {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT":
		return fmt.Sprintf("TRY_CAST(%s AS %s)", name, c.Type.SQL())
	case "FLOAT", "DOUBLE", "DECIMAL":
		if c.Type == contract.Int {
			// 2440.0000000000005 is what a product of decimals looks like, not a fraction.
			return fmt.Sprintf("CASE WHEN abs(%[1]s - round(%[1]s)) < 1e-6 AND abs(%[1]s) < %[2]d THEN TRY_CAST(round(%[1]s) "+
				"AS BIGINT) END", name, exactWhole)
		}
		return fmt.Sprintf("TRY_CAST(%s AS %s)", name, c.Type.SQL())
	case "VARCHAR", "JSON", "ENUM":
		form := `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`
		if c.Type == contract.Int {
			form = `[+-]?\d+(\.0*)?`
		}
		if d.decimal == "," && kind == "VARCHAR" {
			form = strings.NewReplacer(`\.`, ",").Replace(form)
			if d.thousands != "" {
				form = strings.Replace(form, `\d+`, `(\d+|\d{1,3}([`+d.thousands+`]\d{3})+)`, 1)
			}
			read := fmt.Sprintf("replace(replace(%s, %s, ''), ',', '.')", text, duckdb.QuoteText(d.thousands))
			return asNumber(c, text, form, read)
		}
		if c.Type == contract.Int && kind != "JSON" { // in JSON a point is never one of thousands
			text = fmt.Sprintf("(CASE WHEN NOT regexp_full_match(%[1]s, '"+pointedThousands+"') THEN %[1]s END)", text)
		}
		return asNumber(c, text, form, text)
	}
	return ""
}

// asNumber writes what is read as a number where a text has a form, in the type of a column.
func asNumber(c *contract.Column, text, form, read string) string {
	if c.Type == contract.Int {
		read = fmt.Sprintf("TRY_CAST(%s AS DECIMAL(38,6))", read)
	}
	return fmt.Sprintf("CASE WHEN regexp_full_match(%s, %s) THEN TRY_CAST(%s AS %s) END", text, duckdb.QuoteText(form),
		read, c.Type.SQL())
}

// rejected reports the lines of CSV files that could not be read; byName, once files whose columns
// are matched by name were read one by one.
func (s *staged) rejected(selected *selection, byName bool) (found bool, err error) {
	lenient, collected := map[string]bool{}, false
	for _, r := range selected.reads {
		if strings.HasPrefix(r.function, "read_csv") {
			collected = collected || r.byName == byName
			for _, file := range r.files {
				lenient[file] = r.lenient
			}
		}
	}
	if !collected {
		return false, nil
	}
	// Were the tables not there, lines would be lost in silence: the query would fail.
	rows, err := s.conn.QueryContext(s.ctx,
		`SELECT DISTINCT s.file_path, e.line, coalesce(e.column_name, ''), e.error_type::VARCHAR, coalesce(e.csv_line, ''),
			e.error_message
		FROM reject_errors AS e JOIN reject_scans AS s USING (scan_id, file_id) ORDER BY ALL`)
	if err != nil {
		return false, fmt.Errorf("lines that could not be read: %w", err)
	}
	seen := map[string]bool{}
	for rows.Next() {
		var file, column, kind, line, message string
		var at int64
		if err := rows.Scan(&file, &at, &column, &kind, &line, &message); err != nil {
			return false, errors.Join(err, rows.Close())
		}
		file = s.sources.original(file)
		if id := fmt.Sprint(file, at); seen[id] {
			continue // one mistake of a line is enough
		} else {
			seen[id] = true
		}
		line = strings.TrimSpace(line) // it begins with the end of the line before, in files of Windows
		f := Issue{Severity: Error, File: nameWithin(s.recipe.folder, file), Row: fmt.Sprintf("line %d", at), Column: column,
			Rule: "line", Value: clip(line), Rows: 1,
			Message: fmt.Sprintf("%q cannot be read: %s", clip(line), rejection(kind, message))}
		switch {
		case line == "":
			f.Column, f.Message = "", "the line is blank; delete it, or leave such lines out with read_csv('…', ignore_errors "+
				"= true)"
		case isFooter(line):
			f.Message = fmt.Sprintf("%q is a note below the table, as statistical offices write, and no row", clip(line))
			if !lenient[file] {
				f.Message += "; leave such lines out with read_csv('…', ignore_errors = true), and each is a warning"
			}
		}
		if lenient[file] {
			f.Severity = Warning
		}
		found = found || f.Severity == Error
		if !slices.Contains(s.issues, f) { // another table may read the same file
			s.add(f)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return found, err
	}
	return found, s.dropRejects()
}

// dropRejects forgets the lines that could not be read.
func (s *staged) dropRejects() error {
	for _, table := range []string{"reject_errors", "reject_scans"} {
		if _, err := s.conn.ExecContext(s.ctx, "DROP TABLE IF EXISTS "+table); err != nil {
			return err
		}
	}
	return nil
}

// rejection says in words why a line was rejected.
func rejection(kind, message string) string {
	expected, got, _ := strings.Cut(strings.TrimPrefix(message, "Expected Number of Columns: "), " Found: ")
	switch kind {
	case "TOO MANY COLUMNS":
		return fmt.Sprintf("it has %s or more fields, the header %s; a text with the separator in it needs quotes", got,
			expected)
	case "MISSING COLUMNS":
		return fmt.Sprintf("it has fewer fields than the header, which has %s", expected)
	case "UNQUOTED VALUE":
		return strings.TrimSuffix(oneLine(message), ".") +
			`; a field that begins with " ends with it, and one within is written twice; where quotes are text, read the file ` +
			`with read_csv('…', quote = '')`
	}
	return oneLine(message)
}

// save writes a table's Parquet, with record keys for persons that have none.
func (s *staged) save(t *contract.Table, dir, file string) error {
	f := s.tables[t.Name]
	var list []string
	for _, c := range f.columns {
		list = append(list, duckdb.QuoteName(c.Name))
	}
	if i := slices.IndexFunc(t.Columns, func(c *contract.Column) bool { return c.Secret }); t.Person != "" && i >= 0 &&
		!f.has(t.Columns[i].Name) && f.has(t.Person) {
		if err := s.setRecordKey(dir); err != nil {
			return err
		}
		list = append(list, recordKey(duckdb.QuoteName(t.Person))+" AS "+duckdb.QuoteName(t.Columns[i].Name))
	}
	_, err := s.conn.ExecContext(s.ctx, fmt.Sprintf("COPY (SELECT %s FROM %s) TO %s (FORMAT parquet, COMPRESSION zstd)",
		strings.Join(list, ", "), f.view, duckdb.QuoteText(file)))
	return err
}

// setRecordKey reads the secret of snapshot.KeyFile, 32 random bytes in hex, or makes it once, and
// gives it to the connection for recordKey.
func (s *staged) setRecordKey(dir string) error {
	file := filepath.Join(dir, snapshot.KeyFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		text, err = makeRecordKey(file)
	}
	if err != nil {
		return err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != sha256.Size {
		return fault.Invalidf("%s does not hold a secret of 32 bytes in hex; put back the one it held, since another would "+
			"change every person's record key", file)
	}
	// HMAC (RFC 2104): the key, filled up to a block, with either pad.
	for name, pad := range map[string]byte{"record_key_inner": 0x36, "record_key_outer": 0x5c} {
		block := make([]byte, sha256.BlockSize)
		copy(block, key)
		for i := range block {
			block[i] ^= pad
		}
		if _, err := s.conn.ExecContext(s.ctx, fmt.Sprintf("SET VARIABLE %s = unhex(%s)", name,
			duckdb.QuoteText(hex.EncodeToString(block)))); err != nil {
			return errors.New("the secret for record keys could not be set") // DuckDB's message would show it
		}
	}
	return nil
}

// makeRecordKey writes a new secret, readable by its owner alone.
func makeRecordKey(file string) ([]byte, error) {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	text := []byte(hex.EncodeToString(key) + "\n")
	f, err := os.OpenFile(file+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	return text, os.Rename(file+".new", file)
}

// recordKey writes the record key of a person: 12 bits, 0 to 4095, of HMAC-SHA256 of the
// person's number under the data folder's secret; null without a number.
func recordKey(person string) string {
	inner := fmt.Sprintf("unhex(sha256(getvariable('record_key_inner') || %s::VARCHAR::BLOB))", person)
	return fmt.Sprintf("('0x' || substr(sha256(getvariable('record_key_outer') || %s), 1, 3))::BIGINT", inner)
}
