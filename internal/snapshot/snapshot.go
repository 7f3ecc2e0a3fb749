// Package snapshot writes data sets to disk and says which one is current.
//
// A data folder holds snapshots/<name>-<first 12 digits of the fingerprint>/ with the Parquet of
// each table, the stored cells and snapshot.json, and a file named current with that folder's
// name. A snapshot is written beside the others and switched to by one atomic rename, so a crash
// at any moment leaves the old one current.
package snapshot

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
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
	Fingerprint  string  `json:"fingerprint"` // SHA-256 in hex, over logical content
	ContractHash string  `json:"contractHash"`
	CreatedBy    string  `json:"createdBy"`
	Years        []int   `json:"years"` // in order
	Tables       []Table `json:"tables"`
}

// Table describes a table of a snapshot.
type Table struct {
	Name    string   `json:"name"`
	Rows    int64    `json:"rows"`
	Columns []string `json:"columns"` // present, in the contract's order
}

const (
	snapshotsFolder = "snapshots"
	currentFile     = "current"
	infoFile        = "snapshot.json"
	lockFile        = "lock"
	buildingPrefix  = ".building-"
)

// Current returns the folder of the current snapshot of a data folder and what it holds. It is a
// NotFound fault if there is none.
func Current(dir string) (folder string, _ Info, err error) {
	defer fault.Wrap(&err, "snapshot.Current(%s)", dir)
	name, err := currentName(dir)
	if err != nil {
		return "", Info{}, err
	}
	if name == "" {
		return "", Info{}, fault.NotFoundf("%s holds no data set; `go run . generate --data %s` makes the default one", dir, dir)
	}
	folder = filepath.Join(dir, snapshotsFolder, name)
	text, err := os.ReadFile(filepath.Join(folder, infoFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", Info{}, fault.NotFoundf("%s names %s, which is not there; `go run . generate --data %s` makes the default data set", filepath.Join(dir, currentFile), name, dir)
	}
	if err != nil {
		return "", Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return "", Info{}, fault.Invalidf("%s is not a description of a snapshot: %w", filepath.Join(folder, infoFile), err)
	}
	return folder, info, nil
}

// Hold keeps the snapshot in a folder from being removed when newer ones are made, until release
// is called or the process ends: a server answers from the files it has begun with. It is a
// NotFound fault if the snapshot is gone; ask Current again then.
func Hold(folder string) (release func(), err error) {
	defer fault.Wrap(&err, "snapshot.Hold(%s)", folder)
	release, err = share(filepath.Join(folder, infoFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.NotFoundf("the data set in %s has been replaced by newer ones", folder)
	}
	return release, err
}

// currentName returns the name of the current snapshot's folder, or "" if there is none.
func currentName(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, currentFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(text))
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", fault.Invalidf("%s holds %q, which is not the name of a folder in %s", filepath.Join(dir, currentFile), name, filepath.Join(dir, snapshotsFolder))
	}
	return name, nil
}

// Create makes a snapshot of what write writes and switches to it. cells is called with the
// folder of the facts before the switch, to write the stored cells there; it may be nil. If
// anything fails, the snapshot that was current stays so, and nothing is left behind.
func Create(ctx context.Context, dir string, c *contract.Contract, meta Meta, write func(*Writer) error, cells func(ctx context.Context, folder string) error) (_ Info, err error) {
	defer fault.Wrap(&err, "snapshot.Create(%s, %s)", dir, meta.Name)
	if !validName(meta.Name) {
		return Info{}, fault.Invalidf("a data set's name is 1 to 60 letters, digits, '-' and '_', not %q", meta.Name)
	}
	all, err := filepath.Abs(filepath.Join(dir, snapshotsFolder))
	if err != nil {
		return Info{}, err
	}
	if err := os.MkdirAll(all, 0o755); err != nil {
		return Info{}, fault.Invalidf("cannot make the data folder: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, lockFile))
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	if err := removeLeftovers(all); err != nil {
		return Info{}, err
	}
	building, err := os.MkdirTemp(all, buildingPrefix)
	if err != nil {
		return Info{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(building))
		}
	}()
	if err := os.Chmod(building, 0o755); err != nil {
		return Info{}, err
	}
	info, err := fill(ctx, building, c, meta, write)
	if err != nil {
		return Info{}, err
	}
	if cells != nil {
		if err := cells(ctx, building); err != nil {
			return Info{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	return info, publish(dir, all, building, info)
}

func validName(name string) bool {
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
func fill(ctx context.Context, folder string, c *contract.Contract, meta Meta, write func(*Writer) error) (_ Info, err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, setting := range []string{
		"SET autoinstall_known_extensions=false", "SET autoload_known_extensions=false",
		"SET memory_limit='1GB'", "SET preserve_insertion_order=false",
		"SET temp_directory=" + quoteText(filepath.Join(folder, ".spill")),
	} {
		if _, err := db.ExecContext(ctx, setting); err != nil {
			return Info{}, err
		}
	}
	if err := write(&Writer{folder: folder, contract: c, db: db}); err != nil {
		return Info{}, err
	}
	info := Info{Meta: meta, ContractHash: c.Hash, CreatedBy: createdBy(), Years: []int{}, Tables: []Table{}}
	if info.Sources == nil {
		info.Sources = []Source{}
	}
	if err := describe(ctx, db, folder, c, &info); err != nil {
		return Info{}, err
	}
	if len(info.Tables) == 0 {
		return Info{}, fault.Invalidf("the data set has no table of the contract")
	}
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return Info{}, err
	}
	if err := os.WriteFile(filepath.Join(folder, infoFile), append(text, '\n'), 0o644); err != nil {
		return Info{}, err
	}
	return info, os.RemoveAll(filepath.Join(folder, ".spill"))
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

// publish gives the finished folder its name, makes it the current one and removes all older
// ones but the one that was current until now and those that are held.
func publish(dir, all, building string, info Info) error {
	previous, err := currentName(dir)
	if err != nil {
		return err
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
	if err := writeAtomically(filepath.Join(dir, currentFile), name+"\n"); err != nil {
		return errors.Join(err, os.RemoveAll(filepath.Join(all, name)))
	}
	return removeExcept(all, name, previous)
}

// writeAtomically replaces a file: whoever reads it sees the old content or the new.
func writeAtomically(path, content string) (err error) {
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
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	// The switch is made; a folder that cannot be synced only delays it until the system writes.
	_ = syncPath(filepath.Dir(path))
	return nil
}

// removeLeftovers removes what builds left that did not end.
func removeLeftovers(all string) error {
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), buildingPrefix) {
			if err := os.RemoveAll(filepath.Join(all, e.Name())); err != nil {
				return err
			}
		}
	}
	temporary, err := filepath.Glob(filepath.Join(filepath.Dir(all), "."+currentFile+"-*"))
	if err != nil {
		return err
	}
	for _, path := range temporary {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// removeExcept removes the snapshots that are not named; what is held, or no snapshot, is left
// alone.
func removeExcept(all string, keep ...string) error {
	entries, err := os.ReadDir(all)
	if err != nil {
		return err
	}
	for _, e := range entries {
		folder := filepath.Join(all, e.Name())
		if _, err := os.Stat(filepath.Join(folder, infoFile)); err != nil {
			continue
		}
		if slices.Contains(keep, e.Name()) {
			continue
		}
		release, free, err := claim(filepath.Join(folder, infoFile))
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		err = os.RemoveAll(folder)
		release()
		if err != nil {
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

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
func quoteName(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
