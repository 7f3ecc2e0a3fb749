package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// example makes the invented example's data set and returns its data folder.
func example(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	importOf(t, filepath.Join("..", "..", "data", "example", "recipe.yaml"), dir)
	return dir
}

// A byte changed anywhere in a snapshot is found by check, which names the file, and the snapshot is
// not opened. In each round a byte of each file is changed, and check has to name them all; but
// those of snapshot.json and of its hash, by which the other files are known, one by one.
func TestEveryChangedByteIsFound(t *testing.T) {
	const changes = 200
	dir := example(t)
	folder, info, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := theContract(t)
	files := map[string][]byte{}
	var names []string
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		names = append(names, path)
		files[path], err = os.ReadFile(path)
		return err
	})
	if err != nil || len(names) < 8 {
		t.Fatalf("%v: %v", names, err)
	}
	draw := rand.New(rand.NewPCG(1, 2))
	damage := func(path string) (what string) {
		text := slices.Clone(files[path])
		at := draw.IntN(len(text))
		text[at] ^= byte(1 + draw.IntN(255))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s, byte %d: %#02x for %#02x", path, at, text[at], files[path][at])
	}
	repair := func(paths ...string) {
		for _, path := range paths {
			if err := os.WriteFile(path, files[path], 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	found := func(paths ...string) {
		t.Helper()
		var want, got []string
		for _, path := range paths {
			want = append(want, strings.TrimPrefix(filepath.ToSlash(path[len(folder):]), "/"))
		}
		issues, err := ingest.Check(context.Background(), dir, c, nil)
		for _, f := range issues {
			got = append(got, f.File)
		}
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("check names %v (%v, %v), want %v", got, issues, err, want)
		}
	}
	about := filepath.Join(folder, "snapshot.json")
	others := slices.DeleteFunc(slices.Clone(names), func(path string) bool {
		return strings.HasPrefix(path,
			about)
	})
	for n := 0; n < changes; {
		for _, path := range []string{about, about + ".sha256"} {
			what := damage(path)
			if _, _, err = snapshot.Current(dir); fault.KindOf(err) != fault.Invalid ||
				!strings.Contains(err.Error(), "snapshot.json") {
				t.Errorf("%s: opened, it gives %v", what, err)
			}
			found(about)
			repair(path)
			n++
		}
		for _, path := range others {
			what := damage(path)
			if err := opens(c, folder, info); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(),
				path) {
				t.Errorf("%s: opened, it gives %v", what, err)
			}
			repair(path)
			n++
		}
		for _, path := range others {
			damage(path)
			n++
		}
		found(others...)
		repair(others...)
	}
	if issues, err := ingest.Check(context.Background(), dir, c, nil); err != nil || len(issues) > 0 {
		t.Errorf("with every byte put back: %v %v", issues, err)
	}
	if err := opens(c, folder, info); err != nil {
		t.Errorf("with every byte put back: %v", err)
	}
}

func opens(c *contract.Contract, folder string, info snapshot.Info) error {
	s, err := duckdb.Open(context.Background(), folder, c, duckdb.Options{Files: info.Files})
	if err != nil {
		return err
	}
	return s.Close()
}

// A file that is gone, cut, replaced or was not there is found as well.
func TestOtherDamageIsFound(t *testing.T) {
	whole, c := example(t), theContract(t)
	for name, test := range map[string]struct {
		damage func(folder string) error
		file   string
		serves bool
	}{
		"facts gone": {func(f string) error { return os.Remove(filepath.Join(f, "child_year.parquet")) },
			"child_year.parquet", false},
		"cells gone": {func(f string) error {
			return os.Remove(filepath.Join(f, "cells",
				"child_overview.parquet"))
		}, "cells/child_overview.parquet", false},
		"facts cut": {func(f string) error { return os.Truncate(filepath.Join(f, "area.parquet"), 100) },
			"area.parquet", false},
		"facts empty": {func(f string) error { return os.Truncate(filepath.Join(f, "area.parquet"), 0) },
			"area.parquet", false},
		"facts exchanged": {func(f string) error {
			return os.Rename(filepath.Join(f, "plan.parquet"), filepath.Join(f, "area.parquet"))
		}, "area.parquet", false},
		"facts unread": {func(f string) error {
			return errors.Join(os.Remove(filepath.Join(f, "plan.parquet")), os.Mkdir(filepath.Join(f,
				"plan.parquet"), 0o755))
		}, "plan.parquet", false},
		"facts added": {func(f string) error {
			return os.WriteFile(filepath.Join(f, "actor_survey.parquet"), []byte("x"), 0o600)
		}, "actor_survey.parquet", true},
		"issues gone": {func(f string) error { return os.Remove(filepath.Join(f, "import-report.json")) },
			"import-report.json", false},
		"a note added": {func(f string) error { return os.WriteFile(filepath.Join(f, "notes.txt"), nil, 0o600) },
			"notes.txt", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			folder, info, err := snapshot.Current(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := test.damage(folder); err != nil {
				t.Fatal(err)
			}
			issues, err := ingest.Check(context.Background(), dir, c, nil)
			if err != nil || len(issues) == 0 || issues[0].Rule != "file" ||
				issues[0].Severity != ingest.Error || issues[0].File != test.file {
				t.Errorf("check gives %v %v", issues, err)
			}
			if err := opens(c, folder, info); (err == nil) != test.serves {
				t.Errorf("opened, it gives %v", err)
			}
		})
	}
}
