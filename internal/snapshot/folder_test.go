package snapshot_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// drawn makes a snapshot as if it were drawn from the seed.
func drawn(t testing.TB, dir string, seed uint64, plan string) string {
	t.Helper()
	m := meta
	m.Name, m.Synthetic, m.Generator = "drawn", true, &snapshot.Generator{Seed: seed, Scale: 1, World: "no-area-effect"}
	_, err := snapshot.Create(context.Background(), dir, theContract(t), m, func(w *snapshot.Writer) error {
		return w.Write(context.Background(), "plan", each(plans(plan)), nil)
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(currentFolder(t, dir))
}

// imported makes a snapshot that is not drawn.
func imported(t testing.TB, dir, plan string) string {
	t.Helper()
	mustCreate(t, dir, plans(plan))
	return filepath.Base(currentFolder(t, dir))
}

// However many data sets are made, none is deleted but a register that the new one draws again, and
// of those neither the one in use until now nor one that a server holds.
func TestOnlyWhatIsDrawnAgainIsDeleted(t *testing.T) {
	dir := t.TempDir()
	var kept []string
	same := func(what string) {
		t.Helper()
		slices.Sort(kept)
		if got := snapshots(t, dir); !slices.Equal(got, kept) {
			t.Errorf("%s: there are %v, want %v", what, got, kept)
		}
	}
	kept = append(kept, imported(t, dir, "one"), imported(t, dir, "two"), imported(t, dir, "two"))
	if !strings.HasPrefix(kept[2], kept[1]+"-") {
		t.Errorf("made again, %s is %s", kept[1], kept[2])
	}
	first := drawn(t, dir, 1, "first")
	second := drawn(t, dir, 1, "second") // as another contract would draw it
	other := drawn(t, dir, 2, "first")
	kept = append(kept, first, second, other)
	same("drawn from two seeds")
	release, err := snapshot.Hold(filepath.Join(dir, "snapshots", first))
	if err != nil {
		t.Fatal(err)
	}
	third := drawn(t, dir, 1, "third")
	kept = append(slices.DeleteFunc(kept, func(name string) bool { return name == second }), third)
	same("drawn again while the first is held")
	release()
	kept = append(slices.DeleteFunc(kept, func(name string) bool { return name == first }), drawn(t, dir, 1,
		"fourth"))
	same("drawn again")
	kept = append(kept, imported(t, dir, "three"))
	same("imported")
	if _, err := snapshot.Hold(filepath.Join(dir, "snapshots", first)); fault.KindOf(err) != fault.NotFound {
		t.Errorf("holding what is gone: %v", err)
	}
}

// A data set is removed by its name only, and neither while it is in use nor while a server has it.
func TestRemoveAndUse(t *testing.T) {
	dir := t.TempDir()
	one, two := imported(t, dir, "one"), imported(t, dir, "two")
	refused := func(err error, kind fault.Kind, says string) {
		t.Helper()
		if fault.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %s with %q", err, kind, says)
		}
	}
	refused(snapshot.Remove(dir, two), fault.Invalid, "snapshots use NAME")
	for _, name := range []string{"", ".", "..", "../snapshots", one + "/", "nothing", one[:len(one)-1]} {
		refused(snapshot.Remove(dir, name), fault.NotFound, "has no data set")
	}
	release, err := snapshot.Hold(filepath.Join(dir, "snapshots", one))
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.GC() // a hold lasts though nothing refers to its file
	refused(snapshot.Remove(dir, one), fault.Unavailable, "a server answers from "+one)
	kept, err := snapshot.List(dir)
	if err != nil || len(kept) != 2 || kept[0].Held != (kept[0].Name == one) ||
		kept[1].Held != (kept[1].Name == one) ||
		kept[0].Current != (kept[0].Name == two) || kept[0].Bytes < 500 {
		t.Errorf("listed are %+v %v", kept, err)
	}
	release()

	boom := errors.New("boom")
	if err := snapshot.Use(dir, one, func(string, snapshot.Info) error { return boom }); !errors.Is(err, boom) ||
		filepath.Base(currentFolder(t, dir)) != two {
		t.Errorf("one that cannot be opened is used: %v", err)
	}
	try := func(folder string, info snapshot.Info) error {
		if filepath.Base(folder) != one || info.Title != meta.Title {
			t.Errorf("tried is %s %+v", folder, info)
		}
		return nil
	}
	if err := snapshot.Use(dir, one, try); err != nil || filepath.Base(currentFolder(t, dir)) != one {
		t.Errorf("%v: %s is in use", err, currentFolder(t, dir))
	}
	if err := snapshot.Remove(dir, two); err != nil || !slices.Equal(snapshots(t, dir), []string{one}) {
		t.Errorf("%v: left are %v", err, snapshots(t, dir))
	}
}

// A folder is fresh only while nothing of ours is in it. Whatever else it is: what is there is said,
// with what to do, and nothing is deleted or begun.
func TestWhatIsNoDataSetIsSaid(t *testing.T) {
	write := func(name, content string) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) {
			t.Helper()
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) {
			t.Helper()
			path := filepath.Join(dir, strings.ReplaceAll(name, "CURRENT", currentFolder(t, dir)[len(dir):]))
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	inSnapshot := func(name string, change func(text string) string) func(t testing.TB, dir string) {
		return func(t testing.TB, dir string) {
			t.Helper()
			path := filepath.Join(currentFolder(t, dir), name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(change(string(text))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		with   bool // a data set was made
		change func(t testing.TB, dir string)
		kind   fault.Kind
		says   string
	}{
		"nothing": {false, func(testing.TB, string) {}, fault.NotFound, "generate"},
		"no folder": {false, func(t testing.TB, dir string) { _ = os.Remove(dir) }, fault.NotFound,
			"generate"},
		"files of others":     {false, write("contract.yaml", "tables:\n"), fault.NotFound, "generate"},
		"a default set begun": {false, write("lock", "generate\n"), fault.NotFound, "generate"},
		"an import begun":     {false, write("lock", "import\n"), fault.Invalid, "lock"},
		"a lock of before":    {false, write("lock", ""), fault.Invalid, "lock"},
		"a record key":        {false, write("record-key", "00"), fault.Invalid, "record-key"},
		"a report":            {false, write("import-report.csv", ""), fault.Invalid, "import-report.csv"},
		"a report of before":  {false, write("findings.csv", ""), fault.Invalid, "findings.csv"},
		"a snapshot alone": {false, write("snapshots/mine-0123/area.parquet", ""), fault.Invalid,
			"mine-0123"},
		"what a killed build left": {false, write("snapshots/.building-1/area.parquet", ""), fault.NotFound,
			"generate"},
		"no current":            {true, remove("current"), fault.Invalid, `no file "current"`},
		"current is empty":      {true, write("current", ""), fault.Invalid, "is empty"},
		"current is blank":      {true, write("current", "\n"), fault.Invalid, "is empty"},
		"current names nothing": {true, write("current", "gone\n"), fault.Invalid, "names the data set gone"},
		"current leads elsewhere": {true, write("current", "../../etc\n"), fault.Invalid,
			"no name of a data set"},
		"current names a build": {true, write("current", ".building-1\n"), fault.Invalid,
			"no name of a data set"},
		"current is bytes": {true, write("current", "\x00\xff"), fault.Invalid, "current"},
		"current is a folder": {true, func(t testing.TB, dir string) {
			remove("current")(t,
				dir)
			write("current/x", "")(t, dir)
		}, fault.Invalid, "current"},
		"the folder is gone": {true, remove("CURRENT"), fault.Invalid, "is not in"},
		"no snapshot.json": {true, remove("CURRENT/snapshot.json"), fault.Invalid,
			"has no snapshot.json"},
		"snapshot.json is empty": {true, inSnapshot("snapshot.json", func(string) string { return "" }),
			fault.Invalid, "snapshot.json is not as it was written"},
		"snapshot.json is cut": {true, inSnapshot("snapshot.json",
			func(s string) string { return s[:len(s)/2] }), fault.Invalid, "snapshot.json is not as it was written"},
		"snapshot.json says another": {true, inSnapshot("snapshot.json",
			func(s string) string {
				return strings.Replace(s, "A test", "B test",
					1)
			}), fault.Invalid, "snapshot.json is not as it was written"},
		"no hash of snapshot.json": {true, remove("CURRENT/snapshot.json.sha256"), fault.Invalid,
			"has no snapshot.json.sha256"},
		"another hash": {true, inSnapshot("snapshot.json.sha256",
			func(s string) string { return strings.ToUpper(s) }), fault.Invalid, "by the hash in snapshot.json.sha256"},
		"malformed, without a hash": {true, func(t testing.TB, dir string) {
			about := filepath.Join(currentFolder(t, dir), "snapshot.json")
			if err := errors.Join(os.Remove(about+".sha256"), os.WriteFile(about, []byte("{}}"),
				0o600)); err != nil {
				t.Fatal(err)
			}
		}, fault.Invalid, "no description of a data set"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			other := ""
			if test.with {
				other = imported(t, dir, "before")
				mustCreate(t, dir, plans("one"))
			}
			test.change(t, dir)
			before := existing(t, dir)
			if err := snapshot.Sweep(dir); err != nil {
				t.Fatal(err)
			}
			_, _, err := snapshot.Current(dir)
			if fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.says) ||
				!strings.Contains(err.Error(), "go run . ") {
				t.Errorf("got %q %v, want %s with %q", fault.KindOf(err), err, test.kind, test.says)
			}
			if test.with && !strings.Contains(err.Error(), other) {
				t.Errorf("%v does not name %s, which could be used", err, other)
			}
			if after := existing(t, dir); !maps.Equal(after, before) {
				t.Errorf("there is %v, and was %v", after, before)
			}
			if !test.with {
				return
			}
			// What it says to do does it, unless a folder lies in the way.
			err = snapshot.Use(dir, other, func(string, snapshot.Info) error { return nil })
			if name == "current is a folder" {
				if err == nil {
					t.Error("a file took the place of a folder")
				}
			} else if err != nil || filepath.Base(currentFolder(t, dir)) != other {
				t.Errorf("the other cannot be used: %v", err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "data")
	write("data", "x")(t, filepath.Dir(file))
	if _, _, err := snapshot.Current(file); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(),
		"is a file") {
		t.Errorf("a data folder that is a file gives %v", err)
	}
	if _, err := create(t, file, plans("one")); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(),
		"is a file") {
		t.Errorf("made in a data folder that is a file: %v", err)
	}
}

// existing returns what files there are with their sizes, but those of a lock.
func existing(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || strings.Contains(path, ".building-") {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			out[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What killed builds left is swept at the next start, but not while another builds.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	mustCreate(t, dir, plans("one"))
	whole := existing(t, dir)
	left := []string{"snapshots/.building-1/child_year.parquet", "snapshots/.building-1/.spill/x.tmp",
		"snapshots/.removed-old/area.parquet", ".current-12", ".import-report.csv-12", ".findings.csv-12", "record-key.new"}
	for _, name := range left {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := snapshot.Create(context.Background(), dir, theContract(t), meta, func(w *snapshot.Writer) error {
		// This build is at work, and its own folder was not there before.
		if err := snapshot.Sweep(dir); err != nil {
			return err
		}
		if building, err := filepath.Glob(filepath.Join(dir, "snapshots", ".building-*")); err != nil ||
			len(building) != 1 {
			t.Errorf("while it builds there are %v %v", building, err)
		}
		return errors.New("no")
	}, nil)
	if err == nil {
		t.Fatal("it was made")
	}
	for _, name := range left {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := snapshot.Sweep(dir); err != nil {
		t.Fatal(err)
	}
	if now := existing(t, dir); !maps.Equal(now, whole) {
		t.Errorf("left are %v", now)
	}
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(dir, filepath.Dir(name))); filepath.Dir(name) != "." && err == nil {
			t.Errorf("%s is left", filepath.Dir(name))
		}
	}
}

// A scratch folder of a process that was killed is removed when the next is made; one in use stays.
func TestScratchOfAKilledProcess(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine, remove, err := snapshot.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(os.TempDir(), "kvarter-scratch-1")
	if err := os.Mkdir(killed, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock", "rows.parquet"} {
		if err := os.WriteFile(filepath.Join(killed, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, again, err := snapshot.Scratch()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if info, err := os.Stat(mine); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the one in use: %v %v", info, err)
	}
	if err := errors.Join(remove(), again()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left are %v %v", left, err)
	}
}

// What was imported only its owner can read, and the report of its import; a register that was drawn
// anybody can.
func TestWhoMayRead(t *testing.T) {
	dir := t.TempDir()
	modes := func(folder string) map[fs.FileMode]int {
		out := map[fs.FileMode]int{}
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err == nil {
				out[info.Mode()]++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	write := func(w *snapshot.Writer) error {
		return w.Write(context.Background(), "plan", each(plans("one")), nil)
	}
	cells := func(_ context.Context, folder string) error {
		folder = filepath.Join(folder, "cells")
		return errors.Join(os.Mkdir(folder, 0o755), os.WriteFile(filepath.Join(folder, "a.parquet"), nil, 0o644))
	}
	for _, test := range []struct {
		meta            snapshot.Meta
		file, directory fs.FileMode
	}{
		{meta, 0o600, 0o700},
		{snapshot.Meta{Name: "drawn", Synthetic: true, Generator: &snapshot.Generator{Seed: 1}}, 0o644, 0o755},
	} {
		if _, err := snapshot.Create(context.Background(), dir, theContract(t), test.meta, write, cells); err != nil {
			t.Fatal(err)
		}
		want := map[fs.FileMode]int{test.file: 4, fs.ModeDir | test.directory: 2}
		if got := modes(currentFolder(t, dir)); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", test.meta.Name, got, want)
		}
	}
	report := filepath.Join(dir, snapshot.ReportFile)
	if err := snapshot.WriteReport(dir, "a value"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(report); err != nil || info.Mode() != 0o600 {
		t.Errorf("the report: %v %v", info, err)
	}
}

// An import report of before is no report of the data at hand, whatever it was called then.
func TestReportIsReplaced(t *testing.T) {
	dir := t.TempDir()
	former := filepath.Join(dir, "findings.csv")
	for _, report := range []string{"of now", ""} {
		if err := os.WriteFile(former, []byte("of then"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := snapshot.WriteReport(dir, report); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, snapshot.ReportFile))
		if string(got) != report || errors.Is(err, fs.ErrNotExist) != (report == "") {
			t.Errorf("got %q %v, want %q", got, err, report)
		}
		if _, err := os.Stat(former); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("with %q, %s: %v", report, former, err)
		}
	}
}

// What was drawn cannot be passed off as what was observed, though the hash says so too.
func TestDrawnIsSynthetic(t *testing.T) {
	dir := t.TempDir()
	drawn(t, dir, 1, "drawn")
	about := filepath.Join(currentFolder(t, dir), "snapshot.json")
	text, err := os.ReadFile(about)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), `"synthetic": true`, `"synthetic": false`, 1)
	if edited == string(text) {
		t.Fatalf("%s does not say that it is synthetic", text)
	}
	sum := fmt.Sprintf("%x  snapshot.json\n", sha256.Sum256([]byte(edited)))
	if err := errors.Join(os.WriteFile(about, []byte(edited), 0o600),
		os.WriteFile(about+".sha256", []byte(sum), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := snapshot.Current(dir); fault.KindOf(err) != fault.Invalid ||
		!strings.Contains(err.Error(), "says that it is not synthetic") {
		t.Errorf("got %v", err)
	}
}

// The hash of snapshot.json is written as sha256sum reads it.
func TestSumFile(t *testing.T) {
	dir := t.TempDir()
	mustCreate(t, dir, plans("one"))
	text, err := os.ReadFile(filepath.Join(currentFolder(t, dir), "snapshot.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(currentFolder(t, dir), "snapshot.json.sha256"))
	if want := fmt.Sprintf("%x  snapshot.json\n", sha256.Sum256(text)); err != nil || string(sum) != want {
		t.Errorf("got %q %v, want %q", sum, err, want)
	}
}
