package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kvarter/kvarter/internal/fault"
)

const (
	snapshotsFolder = "snapshots"
	currentFile     = "current"
	sumSuffix       = ".sha256"
	sumFile         = InfoFile + sumSuffix
	lockFile        = "lock"
	buildingPrefix  = ".building-"
	removedPrefix   = ".removed-"
)

// InfoFile is the description of a snapshot, within its folder.
const InfoFile = "snapshot.json"

// What else lies in a data folder, beside the snapshots.
const (
	// ReportFile lists what is wrong or odd in the data of the last import or check.
	ReportFile = "import-report.csv"
	// KeyFile is the secret from which persons' record keys are made, so that a person has the same
	// key in every release. It is no part of a snapshot, and whoever has it could undo the
	// protection of cells.
	KeyFile = "record-key"
)

// formerReport is what ReportFile was called once.
const formerReport = "findings.csv"

// The lock of a data folder holds a word for what last built in it. A folder in which only the
// default data set was begun may be given it; one that someone imports into may not.
const (
	toGenerate = "generate"
	toImport   = "import"
)

func purposeOf(meta Meta) string {
	if meta.Generator != nil {
		return toGenerate
	}
	return toImport
}

// begin makes the data folder if need be, and locks it for building.
func begin(dir, purpose string) (unlock func(), err error) {
	if err := isFolder(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if whole, err := filepath.Abs(dir); err != nil {
		return nil, err
	} else if strings.Contains(whole, "?") {
		return nil, fault.Invalidf("%s has a ? in it, which DuckDB does not take in the name of a folder; choose another",
			whole)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return lock(filepath.Join(dir, lockFile), purpose)
}

// isFolder returns an error if the path of a data folder leads to something else, or to nothing.
func isFolder(dir string) error {
	at, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !at.IsDir():
		return fault.Invalidf("%s is a file; a folder for data sets was expected", dir)
	}
	return nil
}

// BeginImport makes the data folder if need be. From then on it is one that someone imports into,
// whatever comes of it. It is an Unavailable fault while another process builds there.
func BeginImport(dir string) (err error) {
	defer fault.Wrap(&err, "snapshot.BeginImport(%s)", dir)
	unlock, err := begin(dir, toImport)
	if err != nil {
		return err
	}
	unlock()
	return nil
}

// WriteReport replaces the import report of a data folder, which its owner only may read since it
// quotes values; "" removes it, for an old one would be taken for that of the data at hand.
func WriteReport(dir, report string) (err error) {
	defer fault.Wrap(&err, "snapshot.WriteReport(%s)", dir)
	old := []string{formerReport}
	if report == "" {
		old = append(old, ReportFile)
	} else if err := writeAtomically(filepath.Join(dir, ReportFile), report, 0o600); err != nil {
		return err
	}
	for _, name := range old {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			continue // also where the disk may only be read
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Current returns the folder of the current snapshot of a data folder and what it holds. It is a
// NotFound fault if the folder holds nothing of ours, and an Invalid one, which says what is there,
// if what it holds says of no snapshot that it is the current one.
func Current(dir string) (folder string, _ Info, err error) {
	defer fault.Wrap(&err, "snapshot.Current(%s)", dir)
	folder, err = CurrentFolder(dir)
	if err != nil {
		return "", Info{}, err
	}
	info, err := ReadInfo(folder)
	if err != nil {
		name := filepath.Base(folder)
		return "", Info{}, fault.Invalidf("the data set in use, %s, cannot be opened: %w; %s", name, err,
			instead(dir, name))
	}
	return folder, info, nil
}

// CurrentFolder returns the folder of the current snapshot of a data folder, which is there, and
// faults as Current does; what the snapshot holds may be damaged.
func CurrentFolder(dir string) (string, error) {
	name, err := currentName(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, snapshotsFolder, name), nil
}

// Switched returns when the data folder was last switched to a snapshot.
func Switched(dir string) (time.Time, error) {
	at, err := os.Stat(filepath.Join(dir, currentFile))
	if err != nil {
		return time.Time{}, err
	}
	return at.ModTime(), nil
}

// currentName returns the name of the current snapshot, whose folder is there.
func currentName(dir string) (string, error) {
	if err := isFolder(dir); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", noData(dir)
		}
		return "", err
	}
	file := filepath.Join(dir, currentFile)
	text, err := os.ReadFile(file)
	name := strings.TrimSpace(string(text))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		ours, err := traces(dir)
		if err != nil {
			return "", err
		}
		if len(ours) == 0 {
			return "", noData(dir)
		}
		return "", fault.Invalidf("%s has no file %q, which says which data set is in use, but holds %s; %s",
			dir, currentFile, strings.Join(ours, ", "), instead(dir, ""))
	case err != nil:
		return "", fault.Invalidf("the file %s, which says which data set is in use, cannot be read: %w; %s", file,
			err, instead(dir, ""))
	case name == "":
		return "", fault.Invalidf("%s is empty, and should name the data set in use; %s", file, instead(dir, ""))
	case !isName(name):
		return "", fault.Invalidf("%s holds %.80q, which is no name of a data set; %s", file, name, instead(dir,
			""))
	}
	if err := isFolder(filepath.Join(dir, snapshotsFolder, name)); err != nil {
		return "", fault.Invalidf("%s names the data set %s, which is not in %s; %s", file, name, filepath.Join(dir,
			snapshotsFolder), instead(dir, name))
	}
	return name, nil
}

func noData(dir string) error {
	return fault.NotFoundf("%s holds no data set; `go run . generate --data %s` makes the default one", dir, dir)
}

// isName reports whether a snapshot's folder may have that name.
func isName(name string) bool {
	return name != "" && name == filepath.Base(name) && !strings.HasPrefix(name, ".")
}

// traces returns what is in a data folder that only building in it leaves there.
func traces(dir string) (out []string, err error) {
	names, err := names(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		out = append(out, filepath.Join(snapshotsFolder, name))
	}
	for _, name := range []string{KeyFile, ReportFile, formerReport, lockFile} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) ||
			name == lockFile && strings.TrimSpace(string(text)) == toGenerate {
			continue
		}
		out = append(out, name)
	}
	return out, nil
}

// names returns the names of the snapshots of a data folder, whole or not.
func names(dir string) (out []string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, snapshotsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if isName(e.Name()) && e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// instead says what can be done about a data folder whose data set in use cannot be used.
func instead(dir, broken string) string {
	all, _ := names(dir)
	all = slices.DeleteFunc(all, func(name string) bool { return name == broken })
	if len(all) == 0 {
		return fmt.Sprintf("nothing was deleted; import your data again, or `go run . generate --data %s` makes a "+
			"synthetic data set there", dir)
	}
	return fmt.Sprintf("nothing was deleted; `go run . snapshots use NAME --data %s` takes another into use: %s",
		dir, strings.Join(all, ", "))
}

// ReadInfo reads the description of the snapshot in folder; it is an Invalid fault that says what
// is wrong if it is not as it was written. Info.Files is nil if the snapshot is of before they were
// kept.
func ReadInfo(folder string) (info Info, err error) {
	sealed, err := readSealed(folder, InfoFile, &info)
	if err != nil {
		return Info{}, err
	}
	if !sealed && info.Files != nil {
		return Info{}, fault.Invalidf("%s has no %s, so that nothing says whether %s is as it was written", folder,
			sumFile, InfoFile)
	}
	if info.Generator != nil && !info.Synthetic {
		return Info{}, fault.Invalidf("%s has a generator that drew the data set, and says that it is not synthetic",
			filepath.Join(folder, InfoFile))
	}
	return info, nil
}

// readSealed reads a description; it is an Invalid fault that says what is wrong if it is not as it was
// written. sealed is false if there is no hash of it to tell.
func readSealed(folder, name string, into any) (sealed bool, err error) {
	text, err := os.ReadFile(filepath.Join(folder, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, fault.Invalidf("%s has no %s", folder, name)
	case err != nil:
		return false, fault.Invalidf("%w", err)
	}
	sum, err := os.ReadFile(filepath.Join(folder, name+sumSuffix))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fault.Invalidf("%w", err)
	}
	sealed = err == nil
	if sealed && string(sum) != sumOf(name, text) {
		return false, fault.Invalidf("%s is not as it was written, by the hash in %s", filepath.Join(folder, name),
			name+sumSuffix)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return false, fault.Invalidf("%s is no description of a data set: %w", filepath.Join(folder, name), err)
	}
	return sealed, nil
}

// Hold keeps the snapshot in a folder from being removed until release is called or the process
// ends: a server answers from the files it has begun with. It is a NotFound fault if the snapshot
// is gone; ask Current again then.
func Hold(folder string) (release func(), err error) {
	defer fault.Wrap(&err, "snapshot.Hold(%s)", folder)
	release, err = share(filepath.Join(folder, InfoFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.NotFoundf("the data set in %s has been removed", folder)
	}
	return release, err
}

// Held reports whether a process holds the snapshot in a folder.
func Held(folder string) (bool, error) {
	release, free, err := claim(filepath.Join(folder, InfoFile))
	if err != nil || !free {
		return !free && err == nil, err
	}
	release()
	return false, nil
}

// Kept is a snapshot of a data folder.
type Kept struct {
	Name    string
	Info    Info
	Problem error // why its description cannot be read; Info is then empty
	Current bool
	Held    bool // by a server
	Bytes   int64
}

// List returns the snapshots of a data folder, in the order of their names.
func List(dir string) (out []Kept, err error) {
	defer fault.Wrap(&err, "snapshot.List(%s)", dir)
	current, err := currentName(dir)
	if err != nil && (fault.KindOf(err) != fault.Invalid || isFolder(dir) != nil) {
		return nil, err
	}
	all, err := names(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		folder := filepath.Join(dir, snapshotsFolder, name)
		k := Kept{Name: name, Current: name == current}
		if k.Info, k.Problem = ReadInfo(folder); k.Problem == nil {
			if k.Held, err = Held(folder); err != nil {
				return nil, err
			}
		}
		err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			at, err := entry.Info()
			if err == nil {
				k.Bytes += at.Size()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// Use makes the snapshot of that name the current one, if try, which is called with its folder and
// what it holds, finds that it can be.
func Use(dir, name string, try func(folder string, info Info) error) (err error) {
	defer fault.Wrap(&err, "snapshot.Use(%s, %s)", dir, name)
	unlock, err := change(dir, name)
	if err != nil {
		return err
	}
	defer unlock()
	folder := filepath.Join(dir, snapshotsFolder, name)
	info, err := ReadInfo(folder)
	if err != nil {
		return err
	}
	if err := try(folder, info); err != nil {
		return err
	}
	return writeAtomically(filepath.Join(dir, currentFile), name+"\n", 0o644)
}

// Remove deletes the snapshot of that name, unless it is the current one or held by a server.
func Remove(dir, name string) (err error) {
	defer fault.Wrap(&err, "snapshot.Remove(%s, %s)", dir, name)
	unlock, err := change(dir, name)
	if err != nil {
		return err
	}
	defer unlock()
	if current, err := os.ReadFile(filepath.Join(dir, currentFile)); err == nil &&
		strings.TrimSpace(string(current)) == name {
		return fault.Invalidf("%s is the data set in use; take another into use first, with `go run . snapshots use NAME "+
			"--data %s`", name, dir)
	}
	removed, err := removeUnlessHeld(filepath.Join(dir, snapshotsFolder, name))
	if err == nil && !removed {
		return fault.Unavailablef("a server answers from %s; stop it first, or wait until it has switched to the data set "+
			"in use", name)
	}
	return err
}

// change locks the data folder for a change to the snapshot of that name, which must be there.
func change(dir, name string) (unlock func(), err error) {
	all, err := names(dir)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(all, name) {
		return nil, fault.NotFoundf("%s has no data set %q%s", filepath.Join(dir, snapshotsFolder), name,
			fault.Suggest(name, all))
	}
	return lock(filepath.Join(dir, lockFile), toImport)
}

// removeUnlessHeld removes a snapshot, in one step for whoever looks, and returns whether it did.
func removeUnlessHeld(folder string) (removed bool, err error) {
	release, free, err := claim(filepath.Join(folder, InfoFile))
	switch {
	case errors.Is(err, fs.ErrNotExist): // no server can have opened it
	case err != nil || !free:
		return false, err
	default:
		defer release()
	}
	aside := filepath.Join(filepath.Dir(folder), removedPrefix+filepath.Base(folder))
	if err := os.Rename(folder, aside); err != nil {
		return false, err
	}
	return true, os.RemoveAll(aside)
}

// Sweep removes what a build that was killed has left in a data folder. It leaves all as it is
// while a process builds, and where it may not write.
func Sweep(dir string) (err error) {
	defer fault.Wrap(&err, "snapshot.Sweep(%s)", dir)
	if isFolder(dir) != nil {
		return nil // Current says so
	}
	unlock, err := lock(filepath.Join(dir, lockFile), "")
	switch {
	case fault.KindOf(err) == fault.Unavailable, errors.Is(err, fs.ErrNotExist), errors.Is(err,
		fs.ErrPermission), errors.Is(err, errReadOnly):
		return nil
	case err != nil:
		return err
	}
	defer unlock()
	return removeLeftovers(filepath.Join(dir, snapshotsFolder))
}

// removeLeftovers removes what builds left that did not end.
func removeLeftovers(all string) error {
	dir := filepath.Dir(all)
	leftovers := map[string][]string{
		all: {buildingPrefix, removedPrefix},
		dir: {"." + currentFile + "-", "." + ReportFile + "-", "." + formerReport + "-", KeyFile + ".new"},
	}
	snapshots, err := names(dir)
	if err != nil {
		return err
	}
	for _, name := range snapshots {
		folder := filepath.Join(all, name)
		leftovers[folder] = []string{buildingPrefix}
		err := removeOldCells(folder)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			delete(leftovers, folder) // another user's, or broken: whoever opens it says so
		} else if err != nil {
			return err
		}
	}
	for in, prefixes := range leftovers {
		entries, err := os.ReadDir(in)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.Name(), p) }) {
				if err := os.RemoveAll(filepath.Join(in, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
