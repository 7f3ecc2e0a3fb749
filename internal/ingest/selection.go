package ingest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
)

// selection is a recipe's SELECT as DuckDB parses it, made safe to run: its file names are
// absolute and within the recipe's folder, and lines of a CSV file that cannot be read are
// collected instead of ending the scan.
type selection struct {
	preparer *preparer
	node     object // the parse
	text     string // as SQL
	traced   string // the same with the columns _file and _row of each row's origin; or ""
	// A SELECT of _file and _row from each file, or pattern of files, that traced rows come from;
	// rows of the second count from branchRows, of the third from 2 * branchRows.
	origins []string
	reads   []read
	csvs    []*csvRead
	folds   []folding
}

// branchRows is above any number of rows: by it the rows of a UNION ALL tell their branch.
const branchRows = 1 << 40

// read is a file, or a pattern of files, that a selection reads.
type read struct {
	function string // e.g. read_csv
	path     string // absolute
	files    []string
	one      int  // reads with the same number are of one table function
	skips    bool // the recipe leaves out lines at the top, or says what to take for them
	lenient  bool // the recipe wants unreadable lines ignored
	byName   bool // DuckDB matches the columns of the files by their names

	stated      map[string]string // the arguments that the recipe states, with their values where plain
	encoding    string            // what the stated one is; "" is UTF-8
	compression string            // stated; "" goes by the name
}

// The columns in which a recipe may itself say where a row comes from.
const (
	fileColumn = "_file"
	rowColumn  = "_row"
)

// readerOf is the function by which DuckDB reads a file named in FROM, by the end of its name.
var readerOf = []struct{ suffix, function string }{
	{".csv", "read_csv"}, {".tsv", "read_csv"}, {".csv.gz", "read_csv"}, {".tsv.gz", "read_csv"}, {".csv.zst",
		"read_csv"}, {".tsv.zst", "read_csv"},
	{".json", "read_json"}, {".jsonl", "read_json"}, {".ndjson", "read_json"}, {".json.gz", "read_json"}, {".jsonl.gz",
		"read_json"}, {".ndjson.gz", "read_json"},
	{".json.zst", "read_json"}, {".jsonl.zst", "read_json"}, {".ndjson.zst", "read_json"},
	{".parquet", "read_parquet"},
}

// rowReaders are the functions whose result has a row per row of the file.
var rowReaders = []string{"read_csv", "read_csv_auto", "read_json", "read_json_auto", "read_ndjson", "read_ndjson_auto",
	"read_parquet", "parquet_scan"}

// fileReaders are all functions whose first argument names files.
var fileReaders = append([]string{"sniff_csv", "read_text", "read_blob", "glob", "read_json_objects",
	"read_json_objects_auto", "read_ndjson_objects", "parquet_metadata", "parquet_schema", "parquet_file_metadata",
	"parquet_kv_metadata"}, rowReaders...)

// object is a node of DuckDB's parse.
type object = map[string]any

// selectMistake is a mistake in a SELECT; line counts from 0 at the SELECT's first line.
type selectMistake struct {
	line    int
	message string
}

func (m *selectMistake) Error() string { return m.message }

func mistake(format string, args ...any) error {
	return &selectMistake{message: fmt.Sprintf(format, args...)}
}

// parseSelect parses and prepares a SELECT over the user's files.
func parseSelect(ctx context.Context, conn *sql.Conn, text string, files *sources) (*selection, error) {
	node, err := parseSQL(ctx, conn, text)
	if err != nil {
		return nil, err
	}
	p := &preparer{ctx: ctx, conn: conn, sources: files, ctes: ctes(node)}
	var names []object
	walk(node, func(o object) {
		switch {
		case str(o, "type") == "BASE_TABLE" && p.ctes[strings.ToLower(str(o, "table_name"))] == nil:
			names = append(names, o)
		case str(o, "type") == "TABLE_FUNCTION":
			p.prepare(o)
		}
	})
	for _, o := range names {
		p.baseTable(o)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &selection{preparer: p, node: node, reads: p.reads, csvs: p.csvs}, nil
}

// write writes the SELECT as it now stands.
func (s *selection) write() (err error) {
	p := s.preparer
	if s.text, err = p.write(s.node); err != nil {
		return err
	}
	s.traced, s.origins, p.origins = "", nil, nil
	s.folds = p.foldings(s.node)
	node := clone(s.node) // which is changed to tell the origin of rows
	p.ctes = ctes(node)
	if !p.trace(node) || p.err != nil {
		return p.err
	}
	for _, origin := range p.origins {
		text, err := p.write(origin)
		if err != nil {
			return err
		}
		s.origins = append(s.origins, text)
	}
	s.traced, err = p.write(node)
	return err
}

// dialectOf returns how the recipe says that numbers are written in the texts of a column, if it
// says so of all files alike and the SELECT takes the texts as they are.
func (s *selection) dialectOf(name string) (d dialect) {
	for i, r := range s.csvs {
		if i > 0 && r.dialect() != d {
			return dialect{}
		}
		d = r.dialect()
	}
	walkExpressions(s.node, func(o object) {
		for _, item := range list(o, "select_list") {
			if strings.EqualFold(str(item, "alias"), name) && lastName(item) == "" {
				d = dialect{}
			}
		}
	})
	return d
}

// ctes returns the queries that WITH names.
func ctes(node object) map[string]object {
	out := map[string]object{}
	walk(node, func(o object) {
		for _, entry := range list(child(o, "cte_map"), "map") {
			out[strings.ToLower(str(entry, "key"))] = child(child(child(entry, "value"), "query"), "node")
		}
	})
	return out
}

// parseSQL returns the node of the one SELECT that the text is.
func parseSQL(ctx context.Context, conn *sql.Conn, text string) (object, error) {
	var out string
	if err := conn.QueryRowContext(ctx,
		"SELECT json_serialize_sql("+duckdb.QuoteText(text)+"::VARCHAR)::VARCHAR").Scan(&out); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.UseNumber() // places "unknown" are larger than a float holds
	var parsed object
	if err := decoder.Decode(&parsed); err != nil {
		return nil, err
	}
	if parsed["error"] == true {
		if str(parsed, "error_type") == "not implemented" {
			return nil, mistake("one SELECT was expected; nothing else is run")
		}
		m := &selectMistake{message: str(parsed, "error_message")}
		if at, err := strconv.Atoi(str(parsed, "position")); err == nil && at <= len(text) {
			m.line = strings.Count(text[:at], "\n")
		}
		return nil, m
	}
	statements := list(parsed, "statements")
	if len(statements) != 1 {
		return nil, mistake("one SELECT was expected, found %d", len(statements))
	}
	return child(statements[0], "node"), nil
}

// preparer changes a parse in place.
type preparer struct {
	ctx  context.Context
	conn *sql.Conn
	*sources
	ctes  map[string]object
	reads []read
	csvs  []*csvRead
	// What trace has found: a SELECT of _file and _row from each relation that rows come from.
	origins []object
	err     error // the first
}

func (p *preparer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// write writes the parse of a SELECT as SQL.
func (p *preparer) write(node object) (text string, err error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(object{"error": false,
		"statements": []any{object{"node": node, "named_param_map": []any{}}}}); err != nil {
		return "", err
	}
	err = p.conn.QueryRowContext(p.ctx,
		"SELECT json_deserialize_sql("+duckdb.QuoteText(strings.TrimSpace(b.String()))+"::JSON)").Scan(&text)
	return text, err
}

// template parses SQL of our own.
func (p *preparer) template(text string) object {
	node, err := parseSQL(p.ctx, p.conn, text)
	if err != nil {
		p.fail(err)
		return object{}
	}
	return node
}

// baseTable turns a file named in FROM into the function that reads it.
func (p *preparer) baseTable(o object) {
	name := str(o, "table_name")
	for _, r := range readerOf {
		if !strings.HasSuffix(strings.ToLower(name), r.suffix) {
			continue
		}
		alias := str(o, "alias")
		if alias == "" {
			alias, _, _ = strings.Cut(filepath.Base(name), ".")
		}
		reading := child(p.template("FROM "+r.function+"("+duckdb.QuoteText(name)+")"), "from_table")
		reading["alias"], reading["column_name_alias"], reading["sample"] = alias, o["column_name_alias"], o["sample"]
		replace(o, reading)
		p.prepare(o)
		return
	}
	if kind := kindNamed(name); kind != nil {
		p.fail(mistake("%s is %s; %s", name, kind.name, kind.advice))
	} else if str(o, "schema_name") == "" && str(o, "catalog_name") == "" {
		p.fail(mistake("FROM %q names no file; a .csv, .tsv, .json, .jsonl, .ndjson or .parquet file of the recipe's "+
			"folder was expected, or read_csv('…'), read_json('…'), read_parquet('…')", name))
	}
}

// prepare makes the file names of a table function absolute, and its bad lines collected.
func (p *preparer) prepare(o object) {
	function := child(o, "function")
	name := strings.ToLower(str(function, "function_name"))
	arguments := list(function, "children")
	if !slices.Contains(fileReaders, name) || len(arguments) == 0 {
		return
	}
	for _, a := range arguments[1:] { // name := value, or name => value, becomes name = value
		if alias := str(a, "alias"); alias != "" {
			value := clone(a)
			value["alias"] = ""
			named := list(child(child(p.template("FROM read_csv('x', "+duckdb.QuoteName(alias)+" = 0)"), "from_table"),
				"function"), "children")[1]
			named["right"] = value
			replace(a, named)
		}
	}
	r, collects, before := read{function: name, stated: map[string]string{}}, false, len(p.reads)
	for _, a := range arguments[1:] {
		argument := strings.ToLower(columnName(child(a, "left")))
		if r.stated[argument] = "stated"; str(child(child(a, "right"), "value"), "value") != "" {
			r.stated[argument] = str(child(child(a, "right"), "value"), "value")
		}
		switch argument {
		case "encoding":
			value := child(child(a, "right"), "value")
			stated, _ := value["value"].(string)
			r.stated[argument] = stated
			var err error
			if r.encoding, err = encodingOf(stated); err != nil {
				p.fail(err)
				return
			}
			value["value"] = utf8Name // what its copy is in
		case "compression":
			r.compression, _ = child(child(a, "right"), "value")["value"].(string)
			r.compression = strings.ToLower(r.compression)
		case "skip", "comment", "names", "column_names", "columns":
			r.skips = true
		case "ignore_errors":
			r.lenient = true
		case "store_rejects":
			collects = true
		}
	}
	// DuckDB collects no lines of files whose columns it matches by their names.
	byName := argument(o, "union_by_name")
	r.byName = len(byName) > 0 && constant(child(byName, "child")) != "f"
	r.one = before
	constants := []object{arguments[0]}
	if str(arguments[0], "function_name") == "list_value" {
		constants = list(arguments[0], "children")
	}
	for _, c := range constants {
		value := child(c, "value")
		path, ok := value["value"].(string)
		if !ok {
			p.fail(mistake("%s: the name of a file, or a list of names, was expected as a plain text", name))
			return
		}
		r := r
		if r.path, ok = p.path(path); !ok {
			return
		}
		if r.path, r.files = p.files(path, r.path); r.files == nil {
			return
		}
		var err error
		if value["value"], err = p.open(r); err != nil {
			p.fail(err)
			return
		}
		p.reads = append(p.reads, r)
	}
	if strings.HasPrefix(name, "read_csv") && !collects && !r.byName {
		collecting := child(child(p.template("FROM read_csv('x', store_rejects = true)"), "from_table"), "function")
		function["children"] = append(function["children"].([]any), collecting["children"].([]any)[1])
	}
	if strings.HasPrefix(name, "read_csv") {
		var files []string
		for _, r := range p.reads[before:] {
			files = append(files, r.files...)
		}
		p.csvs = append(p.csvs, &csvRead{table: o, how: r, files: files})
	}
	if slices.Contains(rowReaders, name) && !slices.ContainsFunc(p.reads[before:],
		func(r read) bool { return strings.Contains(r.path[len(p.folder):], "=") }) {
		p.state(o, "hive_partitioning", "false") // year=2014 above the recipe's folder is no column
	}
	if slices.Contains(rowReaders, name) && strings.Contains(name, "json") {
		// DuckDB is to look at every value before it takes one for a number or a date, and at no
		// date whose day and month it would have to guess.
		p.state(o, "sample_size", "-1")
		p.state(o, "maximum_sample_files", "1000000")
		p.state(o, "dateformat", "'%Y-%m-%d'", "date_format")
	}
	if str(o, "alias") == "" {
		o["alias"] = name
	}
}

// path returns the absolute name of a file that a recipe names.
func (p *preparer) path(name string) (string, bool) {
	if strings.Contains(name, "://") {
		p.fail(mistake("%q is on a network, which a recipe does not reach; download the file into the recipe's folder and "+
			"name it there", name))
		return "", false
	}
	path := filepath.FromSlash(name)
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.folder, path)
	}
	path = filepath.Clean(path)
	if !strings.HasPrefix(path, p.folder+string(filepath.Separator)) {
		p.fail(mistake("%q is outside the recipe's folder, the one place a recipe reads; put the file, or the recipe, "+
			"elsewhere", name))
		return "", false
	}
	return path, true
}

// files returns the files that a name or pattern stands for, with the path that leads to them, or
// reports that there is none. A recipe's letters are composed; those of names that a Mac wrote
// are not.
func (p *preparer) files(name, path string) (string, []string) {
	files := p.glob(path)
	if parts := p.folder + norm.NFD.String(strings.TrimPrefix(path, p.folder)); len(files) == 0 && parts != path {
		if files = p.glob(parts); len(files) > 0 {
			path = parts
		}
	}
	if len(files) == 0 {
		if why := isMissing(path); why != "" {
			p.fail(mistake("%s %s", name, why))
			return path, nil
		}
		var there []string
		entries, _ := os.ReadDir(filepath.Dir(path)) // a folder that is not there holds no file to suggest
		for _, e := range entries {
			if !e.IsDir() {
				there = append(there, e.Name())
			}
		}
		p.fail(mistake("there is no file %s in the folder of the recipe%s", name, fault.Suggest(filepath.Base(name), there)))
	}
	for _, file := range files {
		leads, err := filepath.EvalSymlinks(file)
		if err != nil {
			p.fail(mistake("%s cannot be read: %v", name, err))
			return path, nil
		}
		if !strings.HasPrefix(leads, p.folder+string(filepath.Separator)) {
			p.fail(mistake("%s is a link to %s, outside the recipe's folder, the one place a recipe reads", name, leads))
			return path, nil
		}
	}
	return path, files
}

// glob returns the files that a path or pattern stands for.
func (p *preparer) glob(path string) (files []string) {
	rows, err := p.conn.QueryContext(p.ctx,
		"SELECT file FROM glob("+duckdb.QuoteText(literal(p.folder, path))+") ORDER BY file")
	if err != nil {
		p.fail(err)
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var file string
		if err := rows.Scan(&file); err != nil {
			p.fail(err)
			return nil
		}
		files = append(files, file)
	}
	if err := rows.Err(); err != nil {
		p.fail(err)
		return nil
	}
	return files
}

// trace changes a SELECT so that it also gives _file and _row, and keeps a SELECT of the two from
// each file that its rows come from. It returns false where rows come from no single row of one
// file, or where the two might change what the SELECT gives; the tree may then be changed.
func (p *preparer) trace(node object) bool {
	for _, m := range list(node, "modifiers") {
		if str(m, "type") != "ORDER_MODIFIER" {
			return false
		}
	}
	if str(node, "type") == "SET_OPERATION_NODE" {
		return p.traceUnion(node)
	}
	if str(node, "type") != "SELECT_NODE" || len(list(node, "group_expressions")) > 0 ||
		str(node, "aggregate_handling") != "STANDARD_HANDLING" {
		return false
	}
	alias, ok := p.traceFrom(child(node, "from_table"))
	if !ok {
		return false
	}
	starred, odd := false, false
	for _, item := range list(node, "select_list") {
		star := str(item, "class") == "STAR" && item["columns"] != true
		if relation := str(item, "relation_name"); star && (relation == "" || relation == alias) {
			starred = true
		}
		walk(item, func(o object) {
			switch name := columnName(o); {
			case name != "" && (name == fileColumn || name == rowColumn || name == alias):
				odd = true // the recipe tells the origin itself, or takes a whole row as a value
			case str(o, "class") == "STAR" && !star, strings.EqualFold(str(o, "function_name"), "unnest"):
				odd = true
			}
			if a := str(o, "alias"); a == fileColumn || a == rowColumn {
				odd = true
			}
		})
	}
	if odd || p.aggregates(node["select_list"]) {
		return false
	}
	if !starred {
		// Named by their relation: a file that is read twice, as parents are joined to their
		// children, has them twice.
		of := ""
		if alias != "" {
			of = duckdb.QuoteName(alias) + "."
		}
		items := p.template("SELECT " + of + fileColumn + ", " + of + rowColumn)
		node["select_list"] = append(node["select_list"].([]any), items["select_list"].([]any)...)
	}
	return true
}

// aggregates reports whether an expression takes many rows together.
func (p *preparer) aggregates(node any) bool {
	switch n := node.(type) {
	case object:
		if class := str(n, "class"); class == "SUBQUERY" {
			return false
		} else if class == "FUNCTION" {
			var is bool
			if err := p.conn.QueryRowContext(p.ctx,
				"SELECT count(*) > 0 FROM duckdb_functions() WHERE function_type = 'aggregate' AND function_name = "+
					"lower("+duckdb.QuoteText(str(n, "function_name"))+")").Scan(&is); err != nil {
				p.fail(err)
			}
			if is {
				return true
			}
		}
		for _, item := range n {
			if p.aggregates(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(n, p.aggregates)
	}
	return false
}

// traceUnion is trace for UNION ALL. Rows of a branch that cannot be traced have neither _file
// nor _row.
func (p *preparer) traceUnion(node object) bool {
	if !strings.HasPrefix(str(node, "setop_type"), "UNION") || node["setop_all"] != true {
		return false
	}
	found := false
	for _, side := range []string{"left", "right"} {
		branch, before := clone(child(node, side)), len(p.origins)
		items := "*, NULL::VARCHAR AS " + fileColumn + ", NULL::BIGINT AS " + rowColumn
		if p.trace(branch) {
			// Branches match by the order of their columns: the two are put last in each.
			items, found = "* EXCLUDE ("+fileColumn+", "+rowColumn+"), "+fileColumn+", "+rowColumn, true
		} else {
			branch, p.origins = clone(child(node, side)), p.origins[:before]
		}
		wrapped := p.template("SELECT " + items + " FROM (SELECT 1) AS branch")
		child(child(wrapped, "from_table"), "subquery")["node"] = branch
		node[side] = wrapped
	}
	return found
}

// traceFrom adds _file and _row to the first relation of a FROM, and returns the relation's alias
// and what trace does.
func (p *preparer) traceFrom(from object) (alias string, ok bool) {
	switch str(from, "type") {
	case "TABLE_FUNCTION":
		if !slices.Contains(rowReaders, strings.ToLower(str(child(from, "function"), "function_name"))) ||
			from["sample"] != nil {
			return "", false
		}
		alias = str(from, "alias")
		reading := clone(from)
		items := fmt.Sprintf("filename AS %s, row_number() OVER () + %d AS %s", fileColumn, len(p.origins)*branchRows,
			rowColumn)
		wrapped := child(p.template(fmt.Sprintf("FROM (SELECT *, %s FROM x) AS %s", items, duckdb.QuoteName(alias))),
			"from_table")
		child(child(wrapped, "subquery"), "node")["from_table"] = reading
		replace(from, wrapped)
		origin := p.template("SELECT " + items + " FROM x")
		origin["from_table"] = clone(reading)
		p.origins = append(p.origins, origin)
		return alias, true
	case "JOIN":
		right := child(from, "right")
		if strings.EqualFold(str(child(right, "function"), "function_name"), "unnest") {
			return "", false
		}
		return p.traceFrom(child(from, "left"))
	case "SUBQUERY":
		return str(from, "alias"), p.trace(child(child(from, "subquery"), "node"))
	case "BASE_TABLE":
		if cte := p.ctes[strings.ToLower(str(from, "table_name"))]; cte != nil {
			if alias = str(from, "alias"); alias == "" {
				alias = str(from, "table_name")
			}
			return alias, p.trace(cte)
		}
	case "PIVOT":
		if len(from["unpivot_names"].([]any)) == 0 || len(list(from, "aggregates")) > 0 {
			return "", false
		}
		for _, pivot := range list(from, "pivots") {
			for _, entry := range list(pivot, "entries") {
				if star := child(entry, "star_expr"); str(star, "class") == "STAR" {
					excluded, _ := star["exclude_list"].([]any)
					star["exclude_list"] = append(excluded, fileColumn, rowColumn)
				}
			}
		}
		_, ok = p.traceFrom(child(from, "source"))
		return str(from, "alias"), ok
	}
	return "", false
}

// columnName returns the name of a column reference without a table, or "".
func columnName(o object) string {
	names, _ := o["column_names"].([]any)
	if str(o, "class") != "COLUMN_REF" || len(names) != 1 {
		return ""
	}
	name, _ := names[0].(string)
	return name
}

func str(o object, key string) string {
	s, _ := o[key].(string)
	return s
}

// child returns the node under key, or an empty one.
func child(o object, key string) object {
	if c, ok := o[key].(object); ok {
		return c
	}
	return object{}
}

func list(o object, key string) []object {
	items, _ := o[key].([]any)
	out := make([]object, 0, len(items))
	for _, item := range items {
		if c, ok := item.(object); ok {
			out = append(out, c)
		}
	}
	return out
}

// walk calls visit for the node and every node under it.
func walk(node any, visit func(object)) {
	switch n := node.(type) {
	case object:
		visit(n)
		for _, key := range slices.Sorted(maps.Keys(n)) {
			walk(n[key], visit)
		}
	case []any:
		for _, item := range n {
			walk(item, visit)
		}
	}
}

// clone copies a node and all under it.
func clone(node object) object {
	return cloneAny(node).(object)
}

func cloneAny(node any) any {
	switch n := node.(type) {
	case object:
		out := make(object, len(n))
		for key, value := range n {
			out[key] = cloneAny(value)
		}
		return out
	case []any:
		out := make([]any, len(n))
		for i, item := range n {
			out[i] = cloneAny(item)
		}
		return out
	}
	return node
}

// replace makes o the node by.
func replace(o, by object) {
	clear(o)
	for key, value := range by {
		o[key] = value
	}
}
