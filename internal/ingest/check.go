package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/progress"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// Check validates the current snapshot of the data folder dir: that every byte of its files is as
// it was written, every row by the rules of import, that the facts are those of the fingerprint,
// and that the stored cells are those of the facts. A file whose bytes differ is read no further.
// What an import found in the user's files is among the issues, since they may be gone.
// report gets a line per step, and may be nil.
func Check(ctx context.Context, dir string, c *contract.Contract, report io.Writer) (_ []Issue, err error) {
	defer fault.Wrap(&err, "ingest.Check(%s)", dir)
	folder, err := snapshot.CurrentFolder(dir)
	if err != nil {
		return nil, err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	info, err := snapshot.ReadInfo(folder)
	if err != nil {
		return []Issue{{Severity: Error, File: snapshot.InfoFile, Rule: "file", Rows: 1, Message: err.Error()}}, nil
	}
	scratch, remove, err := snapshot.Scratch()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s, err := openStored(ctx, folder, scratch, c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	var steps *progress.Reporter
	if report != nil {
		steps = progress.New(report)
	}
	steps.Start("Reading the files", 0)
	if err := s.files(info); err != nil {
		return nil, err
	}
	steps.Done()
	for _, t := range info.Tables {
		if s.damaged[t.Name+".parquet"] {
			s.broken[t.Name] = true
		} else if err := s.open(t); err != nil {
			return nil, err
		}
	}
	steps.Start("Checking the rows", 0)
	if err := s.all(); err != nil {
		return nil, err
	}
	steps.Done()
	if !slices.Contains(slices.Collect(maps.Values(s.broken)), true) {
		again, err := s.facts()
		if err != nil {
			return nil, err
		}
		steps.Start("Taking the fingerprint", 0)
		if err := s.fingerprint(again, info); err != nil {
			return nil, err
		}
		steps.Done()
		steps.Start("Building the cells again", 0)
		if err := s.cells(again, info); err != nil {
			return nil, err
		}
		steps.Done()
	}
	if s.damaged[storedReport] || s.damaged[formerReport] {
		return s.issues, nil
	}
	imported, err := loadIssues(folder)
	if err != nil {
		return nil, err
	}
	return merge(imported, s.issues), nil
}

// stored are the tables of a snapshot.
type stored struct {
	checker
	folder  string
	scratch string          // a folder of this check's own
	damaged map[string]bool // by file: whether it is not as it was written
	close   func() error
}

// openStored begins a check of the snapshot in folder, with scratch for what memory does not hold.
func openStored(ctx context.Context, folder, scratch string, c *contract.Contract) (_ *stored, err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	for _, text := range []string{
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET memory_limit=" + duckdb.QuoteText(memoryLimit), "SET temp_directory=" +
			duckdb.QuoteText(filepath.Join(scratch, "spill")),
	} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	s := &stored{folder: folder, scratch: scratch, damaged: map[string]bool{},
		checker: checker{ctx: ctx, conn: conn, contract: c, tables: map[string]*facts{}, broken: map[string]bool{}}}
	s.close = func() error { return errors.Join(conn.Close(), db.Close()) }
	s.whole = snapshot.InfoFile
	s.place = func(f *facts, at int64, _, _ string) (string, string, error) {
		return f.Name + ".parquet", fmt.Sprint(at), nil
	}
	return s, nil
}

// unused tells of what the contract has not.
func (s *stored) unused(file, format string, args ...any) {
	s.add(Issue{Severity: Warning, File: file, Rule: "column", Rows: 1, Message: fmt.Sprintf(format, args...)})
}

func (s *stored) wrong(file, rule, format string, args ...any) {
	s.add(Issue{Severity: Error, File: file, Rule: rule, Rows: 1, Message: fmt.Sprintf(format, args...)})
}

// files compares every file with what the snapshot says it was when it was made.
func (s *stored) files(info snapshot.Info) error {
	if info.Files == nil {
		s.add(Issue{Severity: Warning, File: snapshot.InfoFile, Rule: "file", Rows: 1,
			Message: "the snapshot was made before hashes of its files were kept, so that only its content is checked; make " +
				"it again"})
		return nil
	}
	for _, f := range info.Files {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		difference, err := f.Differs(s.folder)
		if err != nil {
			difference = "it cannot be read: " + fault.Message(err)
		}
		if difference != "" {
			s.wrong(f.Name, "file", "%s; put the file back that it was, or make the snapshot again", difference)
			s.damaged[f.Name] = true
		}
	}
	names, err := snapshot.FilesOf(s.folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(info.Files, func(f duckdb.File) bool { return f.Name == name }) {
			s.wrong(name, "file", "it was not there when the snapshot was made, and nothing reads it; take it away")
		}
	}
	return nil
}

// open makes the view of a table, if it is what snapshot.json says.
func (s *stored) open(t snapshot.Table) error {
	file := t.Name + ".parquet"
	table := s.contract.Table(t.Name)
	if table == nil {
		s.unused(snapshot.InfoFile, "it lists a table %s, which the contract has not: nothing can be asked of it", t.Name)
		return nil
	}
	s.broken[t.Name] = true
	relation := "read_parquet(" + duckdb.QuoteText(filepath.Join(s.folder, file)) +
		", file_row_number = true, hive_partitioning = false)"
	types := map[string]string{}
	rows, err := s.conn.QueryContext(s.ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+relation+")")
	if err == nil {
		for rows.Next() {
			var name, kind string
			if err := rows.Scan(&name, &kind); err != nil {
				return errors.Join(err, rows.Close())
			}
			types[name] = kind
		}
		err = errors.Join(rows.Err(), rows.Close())
	}
	var n int64
	if err == nil {
		err = s.conn.QueryRowContext(s.ctx, "SELECT count(*) FROM "+relation).Scan(&n)
	}
	if err != nil {
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		s.wrong(file, "file", "it cannot be read: %s", oneLine(err.Error()))
		return nil
	}
	if n != t.Rows {
		s.wrong(file, "rows", "it has %d rows, where %s says %d", n, snapshot.InfoFile, t.Rows)
	}
	f := &facts{Table: table, view: duckdb.QuoteName("facts of " + t.Name), exact: map[string]bool{}}
	list := []string{"file_row_number + 1 AS _at", "NULL AS _file", "NULL AS _row"}
	for _, c := range table.Columns {
		kind, there := types[c.Name]
		switch {
		case !there && !c.Optional:
			s.wrong(file, "column", "it has no column %s, which the contract requires", c.Name)
		case there && kind != c.Type.SQL() && !(c.Type == contract.String && strings.HasPrefix(kind, "ENUM")):
			s.wrong(file, "type", "%s is %s, and the contract makes it %s", c.Name, kind, c.Type.SQL())
			return nil
		case there:
			f.columns, f.exact[c.Name] = append(f.columns, c), true
			list = append(list, fmt.Sprintf("%[1]s, %[1]s::VARCHAR AS %[2]s", duckdb.QuoteName(c.Name), raw(c.Name)))
		}
		delete(types, c.Name)
	}
	delete(types, "file_row_number")
	for _, name := range slices.Sorted(maps.Keys(types)) {
		s.unused(file, "it has a column %s, which the contract has not: nothing can be asked of it", name)
	}
	if _, err := s.conn.ExecContext(s.ctx, fmt.Sprintf("CREATE VIEW %s AS SELECT %s FROM %s", f.view,
		strings.Join(list, ", "), relation)); err != nil {
		return err
	}
	s.tables[t.Name] = f
	s.broken[t.Name] = false
	return nil
}

// facts makes a folder with the facts of the snapshot, and nothing else that may lie beside them.
func (s *stored) facts() (again string, err error) {
	again = filepath.Join(s.scratch, "again")
	if err := os.Mkdir(again, 0o755); err != nil {
		return "", err
	}
	for name := range s.tables {
		if err := os.Symlink(filepath.Join(s.folder, name+".parquet"), filepath.Join(again, name+".parquet")); err != nil {
			return "", err
		}
	}
	return again, nil
}

// fingerprint compares the facts, in the folder again, with what the snapshot says they are. The text of
// a row, and so its part of a fingerprint, is that of the structure under which it was written; of a
// table that the contract has restructured since, the hash of its file alone can tell.
func (s *stored) fingerprint(again string, info snapshot.Info) error {
	now, err := snapshot.Describe(s.ctx, again, info, s.contract)
	if err != nil {
		return err
	}
	restructured, told := snapshot.Restructured(info, s.contract), false
	for _, was := range info.Tables {
		i := slices.IndexFunc(now.Tables, func(t snapshot.Table) bool { return t.Name == was.Name })
		if i < 0 || slices.ContainsFunc(restructured, func(t snapshot.Table) bool { return t.Name == was.Name }) ||
			was.Fingerprint == now.Tables[i].Fingerprint {
			continue
		}
		told = true
		s.wrong(snapshot.InfoFile, "fingerprint",
			"table %s has the fingerprint %s, and it says %s; the table was changed after the snapshot was "+
				"made", was.Name, now.Tables[i].Fingerprint, was.Fingerprint)
	}
	if !told && len(restructured) == 0 && now.Fingerprint != info.Fingerprint {
		s.wrong(snapshot.InfoFile, "fingerprint", "the facts have the fingerprint %s, and it says %s", now.Fingerprint,
			info.Fingerprint)
	}
	return nil
}

// cells builds the stored roll-ups anew from the facts, in the folder again, and compares them, cell
// by cell, with those in use. If the contract has changed and none were built since, there is nothing to
// compare: the next start builds them.
func (s *stored) cells(again string, info snapshot.Info) error {
	inUse, ok, err := snapshot.FindCells(s.folder, info, s.contract)
	if err != nil {
		s.wrong(snapshot.InfoFile, "cells", "%s", fault.Message(err))
		return nil
	}
	if !ok {
		return nil
	}
	for _, f := range inUse.Files {
		if inUse.Folder == filepath.Join(s.folder, snapshot.CellsFolder) {
			break // they were among the snapshot's files
		}
		difference, err := f.Differs(inUse.Folder)
		if err != nil {
			return err
		}
		if difference != "" {
			s.wrong(filepath.Base(inUse.Folder)+"/"+f.Name, "file",
				"%s; take the folder away, and it is built again from the facts", difference)
			s.damaged[filepath.Base(inUse.Folder)+"/"+f.Name] = true
		}
	}
	if err := duckdb.BuildCells(s.ctx, again, s.contract, duckdb.Options{MemoryLimit: memoryLimit}); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(again, snapshot.CellsFolder, "*.parquet"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name := filepath.Join(filepath.Base(inUse.Folder), filepath.Base(file))
		if s.damaged[filepath.ToSlash(name)] {
			continue
		}
		var lost, added int64
		err := s.conn.QueryRowContext(s.ctx, fmt.Sprintf(`
			SELECT (SELECT count(*) FROM (FROM %[1]s EXCEPT ALL FROM %[2]s)),
			       (SELECT count(*) FROM (FROM %[2]s EXCEPT ALL FROM %[1]s))`,
			duckdb.Parquet(file), duckdb.Parquet(filepath.Join(s.folder, name)))).Scan(&lost, &added)
		switch {
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case err != nil:
			s.wrong(filepath.ToSlash(name), "cells", "it cannot be compared with the facts: %s", oneLine(err.Error()))
		case lost+added > 0:
			s.wrong(filepath.ToSlash(name), "cells",
				"%d of its cells are not those of the facts, and %d cells of the facts are not in it; make the snapshot "+
					"again", added, lost)
		}
	}
	return nil
}

// merge puts what an import found before what a check finds, without saying the same of a row
// twice: the import names the user's file.
func merge(imported, found []Issue) []Issue {
	type id struct {
		table, column, rule string
		row                 int64
	}
	of := func(f Issue) id { return id{f.Table, f.Column, f.Rule, f.TableRow} }
	said := map[id]bool{}
	for _, f := range imported {
		said[of(f)] = true
	}
	out := slices.Clone(imported)
	for _, f := range found {
		if f.Table == "" || !said[of(f)] {
			out = append(out, f)
		}
	}
	return out
}
