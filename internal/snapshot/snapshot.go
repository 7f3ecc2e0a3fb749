// Package snapshot writes data sets to disk and says which one is current.
//
// A data folder holds snapshots/<name>-<first 12 digits of the fingerprint>/ with the Parquet of
// each table, the stored cells, snapshot.json with a hash of each of them, and the hash of that; and
// a file named current with that folder's name. It is tied to the data contract by the structure of
// its tables; cells built since, of roll-ups that have changed, lie beside in a folder of their
// own. A snapshot is written beside the others and
// switched to by one atomic rename, so a crash at any moment leaves the old one current. Imported
// ones are readable by their owner only, and nothing but Remove ever deletes one.
package snapshot

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/synth"
)

// Meta is what whoever makes a data set says about it.
type Meta struct {
	Name      string     `json:"name"`  // letters, digits, '-' and '_'; part of the folder's name
	Title     string     `json:"title"` // one line
	Synthetic bool       `json:"synthetic"`
	Licence   string     `json:"licence"`
	Citation  string     `json:"citation"`
	Sources   []Source   `json:"sources"`
	Generator *Generator `json:"generator,omitempty"` // of a synthetic data set
	// the effects of areas and plans that a synthetic data set was drawn with
	Planted []synth.Planted `json:"planted,omitempty"`
}

// Source is a publication or register that the data come from or are calibrated against.
type Source struct {
	Title     string `json:"title"`
	Publisher string `json:"publisher"`
	URL       string `json:"url,omitempty"`
	Accessed  string `json:"accessed,omitempty"` // YYYY-MM-DD
	Licence   string `json:"licence,omitempty"`
}

// Generator says how a synthetic data set can be drawn again.
type Generator struct {
	Seed  uint64  `json:"seed"`
	Scale float64 `json:"scale"`
	World string  `json:"world"`
}

// Info describes a snapshot: what snapshot.json holds.
type Info struct {
	Meta
	Fingerprint string `json:"fingerprint"` // SHA-256 in hex, over logical content
	// FingerprintRule is how the fingerprints are computed: 2 as describe states, 0 as before.
	FingerprintRule int     `json:"fingerprintRule,omitempty"`
	Rollups         string  `json:"rollups"` // hash of duckdb.Rollups of the stored cells; "" without
	Created         string  `json:"created"` // UTC, RFC 3339
	CreatedBy       string  `json:"createdBy"`
	Years           []int   `json:"years"` // in order
	Tables          []Table `json:"tables"`

	Files []duckdb.File `json:"files"` // all but snapshot.json; nil in a snapshot of before they were kept
}

// Table describes a table of a snapshot.
type Table struct {
	Name        string   `json:"name"`
	Rows        int64    `json:"rows"`
	Columns     []string `json:"columns"`     // present, in the contract's order
	Fingerprint string   `json:"fingerprint"` // SHA-256 in hex, over logical content
	Structure   string   `json:"structure"`   // hash of contract.Table.Structure when its rows were written
}

// Create makes a snapshot of what write writes and switches to it. cells is called with the
// folder of the facts before the switch, to write the stored cells there; it may be nil. If
// anything fails, the snapshot that was current stays so, and nothing is left behind.
func Create(ctx context.Context, dir string, c *contract.Contract, meta Meta,
	write func(*Writer) error, cells func(ctx context.Context, folder string) error) (_ Info, err error) {
	defer fault.Wrap(&err, "snapshot.Create(%s, %s)", dir, meta.Name)
	if !ValidName(meta.Name) {
		return Info{}, fault.Invalidf("a data set's name is 1 to 60 letters, digits, '-' and '_', not %q", meta.Name)
	}
	all, err := filepath.Abs(filepath.Join(dir, snapshotsFolder))
	if err != nil {
		return Info{}, err
	}
	unlock, err := begin(dir, purposeOf(meta))
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if err := removeLeftovers(all); err != nil {
		return Info{}, err
	}
	if at, err := os.Lstat(filepath.Join(dir, currentFile)); err == nil && at.IsDir() {
		return Info{}, fault.Invalidf("%s is a folder; take it away, for a file of this name says which data set is in use",
			filepath.Join(dir, currentFile))
	}
	if err := os.MkdirAll(all, 0o755); err != nil {
		return Info{}, err
	}
	building, err := os.MkdirTemp(all, buildingPrefix) // its owner's only
	if err != nil {
		return Info{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(building))
		}
	}()
	info, err := fill(ctx, building, c, meta, write)
	if err != nil {
		return Info{}, err
	}
	if cells != nil {
		if err := cells(ctx, building); err != nil {
			return Info{}, err
		}
		if info.Rollups, err = rollupsOf(info, c); err != nil {
			return Info{}, err
		}
	}
	if err := seal(building, &info); err != nil {
		return Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	return info, publish(dir, all, building, info)
}

// ValidName reports whether a data set may have that name.
func ValidName(name string) bool {
	if name == "" || len(name) > 60 {
		return false
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return true
}

// fill writes the facts and their description into the folder.
func fill(ctx context.Context, folder string, c *contract.Contract, meta Meta,
	write func(*Writer) error) (_ Info, err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, setting := range []string{
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET memory_limit='1GB'", "SET preserve_insertion_order=false",
		"SET temp_directory=" + duckdb.QuoteText(filepath.Join(folder, ".spill")),
	} {
		if _, err := db.ExecContext(ctx, setting); err != nil {
			return Info{}, err
		}
	}
	w := &Writer{ctx: ctx, folder: folder, contract: c, tables: map[string]*written{}}
	if err := w.close(write(w)); err != nil {
		return Info{}, err
	}
	info := Info{Meta: meta, Created: time.Now().UTC().Format(time.RFC3339), CreatedBy: createdBy(), Years: []int{},
		Tables: []Table{}, FingerprintRule: fingerprintRule}
	if info.Sources == nil {
		info.Sources = []Source{}
	}
	if err := describe(ctx, db, folder, c, w.tables, &info); err != nil {
		return Info{}, err
	}
	if len(info.Tables) == 0 {
		return Info{}, fault.Invalidf("the data set has no table of the contract")
	}
	return info, os.RemoveAll(filepath.Join(folder, ".spill"))
}

// seal lists the files of the finished snapshot with their hashes, writes the description of it,
// and the hash of that, and lets others than the owner read them if no one's data are in them.
func seal(folder string, info *Info) error {
	names, err := FilesOf(folder)
	if err != nil {
		return err
	}
	if info.Files, err = filesIn(folder, names); err != nil {
		return err
	}
	if err := writeSealed(folder, InfoFile, info); err != nil {
		return err
	}
	return permit(folder, info)
}

// filesIn says what the files of those names in the folder are.
func filesIn(folder string, names []string) ([]duckdb.File, error) {
	out := []duckdb.File{}
	for _, name := range names {
		f, err := duckdb.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// writeSealed writes a description as JSON, and the hash of that beside it.
func writeSealed(folder, name string, description any) error {
	text, err := json.MarshalIndent(description, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+sumSuffix), []byte(sumOf(name, text)), 0o600)
}

// permit lets others than the owner read what is in the folder if no one's data are in it.
func permit(folder string, info *Info) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if entry.IsDir() {
			mode = 0o700
		}
		if info.Generator != nil {
			mode |= mode & 0o500 >> 3
			mode |= mode & 0o500 >> 6
		}
		return os.Chmod(path, mode)
	})
}

// sumOf is the hash of the text of a description of that name, as sha256sum writes and checks it.
func sumOf(name string, text []byte) string {
	return fmt.Sprintf("%x  %s\n", sha256.Sum256(text), name)
}

// FilesOf returns the files of a snapshot but its description and what was built beside it since, in
// the order of their names.
func FilesOf(folder string) (names []string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if isBeside(entry.Name()) && filepath.Dir(path) == folder {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(folder, path)
		if name != InfoFile && name != sumFile {
			names = append(names, filepath.ToSlash(name))
		}
		return err
	})
	return names, err
}

// createdBy is the program and its version, as far as the build knows it.
func createdBy() string {
	version := "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		if b.Main.Version != "" {
			version = b.Main.Version
		}
	}
	return "kvarter " + version
}

// publish gives the finished folder its name and makes it the current one.
func publish(dir, all, building string, info Info) error {
	previous, err := currentName(dir)
	if err != nil && fault.KindOf(err) == "" {
		return err // one that names no snapshot is replaced: it was asked for
	}
	if err := syncTree(building); err != nil {
		return err
	}
	base := info.Name + "-" + info.Fingerprint[:12]
	name := base
	for i := 2; ; i++ {
		if _, err := os.Lstat(filepath.Join(all, name)); errors.Is(err, os.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
	if err := os.Rename(building, filepath.Join(all, name)); err != nil {
		return err
	}
	if err := syncPath(all); err != nil {
		return err
	}
	if err := writeAtomically(filepath.Join(dir, currentFile), name+"\n", 0o644); err != nil {
		return errors.Join(err, os.RemoveAll(filepath.Join(all, name)))
	}
	return removeDrawnAgain(all, info, name, previous)
}

// writeAtomically replaces a file: whoever reads it sees the old content or the new.
func writeAtomically(path, content string, mode fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	// The switch is made; a folder that cannot be synced only delays it until the system writes.
	_ = syncPath(filepath.Dir(path))
	return nil
}

// removeDrawnAgain removes the registers that were drawn from the seed, at the scale and of the
// world that the new one was drawn from, but that which was in use until now and those that are
// held: each edit of the contract draws it anew, and nothing is lost that cannot be. What was
// imported, or drawn otherwise, stays.
func removeDrawnAgain(all string, info Info, keep ...string) error {
	if info.Generator == nil {
		return nil
	}
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, e := range entries {
		folder := filepath.Join(all, e.Name())
		if slices.Contains(keep, e.Name()) {
			continue
		}
		old, err := ReadInfo(folder)
		if err != nil || old.Generator == nil || *old.Generator != *info.Generator {
			continue
		}
		if _, err := removeUnlessHeld(folder); err != nil {
			return err
		}
	}
	return nil
}

// syncTree makes sure that a folder and all in it are on the disk.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
