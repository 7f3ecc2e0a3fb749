package snapshot

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
)

const (
	// CellsFolder is where a snapshot keeps the stored cells that it was made with.
	CellsFolder = "cells"
	// besidePrefix begins the folders of the cells that were built since, for another contract.
	besidePrefix = CellsFolder + "-"
	besideFile   = "cells.json"
	// keptBeside is how many of those are kept: the last, and the one that it took the place of.
	keptBeside = 2
)

// Cells are the stored cells of a snapshot that fit the contract in force.
type Cells struct {
	Folder string
	Files  []duckdb.File // of Folder
}

// beside is the description of cells that were built beside a snapshot.
type beside struct {
	Key       string        `json:"key"`
	Created   string        `json:"created"` // UTC, RFC 3339
	CreatedBy string        `json:"createdBy"`
	Files     []duckdb.File `json:"files"`
}

// rollupsOf is the hash of what decides what the cells of the data set hold.
func rollupsOf(info Info, c *contract.Contract) (string, error) {
	columns := map[string]map[string]bool{}
	for _, t := range info.Tables {
		if c.Table(t.Name) == nil {
			continue
		}
		columns[t.Name] = map[string]bool{}
		for _, name := range t.Columns {
			columns[t.Name][name] = true
		}
	}
	text, err := duckdb.Rollups(c, columns)
	return hashOf(text), err
}

// structureOf is the hash of the structure that the contract gives the table now; "" if it has none.
func structureOf(t Table, c *contract.Contract) string {
	now := c.Table(t.Name)
	if now == nil {
		return ""
	}
	return hashOf(now.Structure(t.Columns))
}

// Restructured returns the tables of the data set to which the contract gives another structure than
// that under which their rows were checked. Whether the rows fit it has then to be checked again.
func Restructured(info Info, c *contract.Contract) []Table {
	var out []Table
	for _, t := range info.Tables {
		if structureOf(t, c) != t.Structure {
			out = append(out, t)
		}
	}
	return out
}

// FindCells returns the cells of the snapshot in folder that fit the contract. ok is false if there are
// none: BuildCells builds them. Cells that are there for a structure that has changed were built when
// the rows had been checked by it.
func FindCells(folder string, info Info, c *contract.Contract) (_ Cells, ok bool, err error) {
	defer fault.Wrap(&err, "snapshot.FindCells(%s)", folder)
	rollups, err := rollupsOf(info, c)
	if err != nil {
		return Cells{}, false, err
	}
	if rollups == info.Rollups && len(Restructured(info, c)) == 0 {
		made := Cells{Folder: filepath.Join(folder, CellsFolder), Files: []duckdb.File{}}
		for _, f := range info.Files {
			if name, within := strings.CutPrefix(f.Name, CellsFolder+"/"); within {
				f.Name = name
				made.Files = append(made.Files, f)
			}
		}
		return made, true, nil
	}
	key := keyOf(rollups, info, c)
	at := filepath.Join(folder, besidePrefix+key[:12])
	if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) {
		return Cells{}, false, nil
	}
	var b beside
	sealed, err := readSealed(at, besideFile, &b)
	if err == nil && (!sealed || b.Key != key || b.Files == nil) {
		err = fault.Invalidf("%s does not say of which roll-ups its cells are", filepath.Join(at, besideFile))
	}
	if err != nil {
		return Cells{}, false, fault.Invalidf("%w; take the folder %s away, and it is built again from the facts", err, at)
	}
	return Cells{Folder: at, Files: b.Files}, true, nil
}

// keyOf names cells built for another contract than that of when the data set was made.
func keyOf(rollups string, info Info, c *contract.Contract) string {
	key := rollups
	for _, t := range info.Tables {
		key += " " + t.Name + " " + structureOf(t, c)
	}
	return hashOf(key)
}

// Facts returns the files of a snapshot but its stored cells.
func (info Info) Facts() []duckdb.File {
	return slices.DeleteFunc(slices.Clone(info.Files), func(f duckdb.File) bool {
		return strings.HasPrefix(f.Name, CellsFolder+"/")
	})
}

// BuildCells builds the cells of the snapshot in folder for the contract, by build, which is called with
// the folder to write them to. They lie beside the snapshot from then on; in the folder scratch, if the
// data folder may not be written to, or another process builds in it.
func BuildCells(ctx context.Context, folder, scratch string, info Info, c *contract.Contract,
	build func(ctx context.Context, into string) error) (_ Cells, err error) {
	defer fault.Wrap(&err, "snapshot.BuildCells(%s)", folder)
	rollups, err := rollupsOf(info, c)
	if err != nil {
		return Cells{}, err
	}
	key := keyOf(rollups, info, c)
	building := filepath.Join(scratch, CellsFolder)
	unlock, err := lock(filepath.Join(filepath.Dir(filepath.Dir(folder)), lockFile), "")
	lasting := err == nil
	if lasting {
		defer unlock()
		if found, ok, err := FindCells(folder, info, c); ok || err != nil {
			return found, err // another process has built them since
		}
		if building, err = os.MkdirTemp(folder, buildingPrefix); isForbidden(err) {
			building, lasting = filepath.Join(scratch, CellsFolder), false
		} else if err != nil {
			return Cells{}, err
		}
	} else if fault.KindOf(err) != fault.Unavailable && !errors.Is(err, fs.ErrNotExist) && !isForbidden(err) {
		return Cells{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(building))
		}
	}()
	if err := build(ctx, building); err != nil {
		return Cells{}, err
	}
	names, err := FilesOf(building)
	if err != nil {
		return Cells{}, err
	}
	out := Cells{Folder: building}
	if out.Files, err = filesIn(building, names); err != nil || !lasting {
		return out, err
	}
	err = writeSealed(building, besideFile, beside{key, time.Now().UTC().Format(time.RFC3339), createdBy(), out.Files})
	if err != nil {
		return Cells{}, err
	}
	if err := permit(building, &info); err != nil {
		return Cells{}, err
	}
	if err := syncTree(building); err != nil {
		return Cells{}, err
	}
	out.Folder = filepath.Join(folder, besidePrefix+key[:12])
	if err := os.Rename(building, out.Folder); err != nil {
		return Cells{}, err
	}
	return out, syncPath(folder)
}

// isForbidden reports whether err says that a folder may not be written to.
func isForbidden(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, errReadOnly)
}

// isBeside reports whether a folder within a snapshot is of cells that were built since it was made.
func isBeside(name string) bool {
	return strings.HasPrefix(name, besidePrefix) || strings.HasPrefix(name, buildingPrefix)
}

// removeOldCells removes cells built for contracts of before, unless a server answers from the snapshot.
func removeOldCells(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var paths []string
	made := map[string]time.Time{}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), besidePrefix) {
			continue
		}
		at, err := e.Info()
		if err != nil {
			return err
		}
		path := filepath.Join(folder, e.Name())
		paths = append(paths, path)
		made[path] = at.ModTime()
	}
	if len(paths) <= keptBeside {
		return nil
	}
	release, free, err := claim(filepath.Join(folder, InfoFile))
	if err != nil || !free {
		return err
	}
	defer release()
	slices.SortFunc(paths, func(a, b string) int {
		return cmp.Or(made[b].Compare(made[a]), strings.Compare(a, b))
	})
	for _, path := range paths[keptBeside:] {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}
