package command_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kvarter/kvarter/internal/command"
)

// disk mounts a disk of that size in memory and returns its folder, and what makes it read-only.
func disk(t *testing.T, size string) (folder string, readOnly func()) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a disk can be mounted by root only: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder, func() {
		if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// many writes a recipe of more children than a small disk takes.
func many(t testing.TB) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "recipe.yaml")
	text := `{name: many, title: Many, synthetic: true, licence: CC0-1.0, citation: none,
sources: [{title: Invented, publisher: Kvarter}],
tables: {child_year: {select: "SELECT i AS child_id, 2014 AS year, i % 4 AS age FROM range(900000) t(i)"}}}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// On a disk that is full, each command says so in a sentence, leaves nothing of what it began, and
// the data set that was in use answers on.
func TestFullDisk(t *testing.T) {
	dir, _ := disk(t, "1500k")
	mustRun(t, "import", recipe(t, 2016, 100), "--data", dir)
	before := sizes(t, filepath.Join(dir, "snapshots"))
	for _, args := range [][]string{{"generate", "--scale", "0.02"}, {"import", many(t)}} {
		_, errs, code := run(t, append(args, "--data", dir)...)
		sentence(t, errs, "the disk is full")
		if after := sizes(t, filepath.Join(dir, "snapshots")); code != 2 || len(after) != len(before) {
			t.Errorf("%v: exit %d, and there is %v", args, code, after)
		}
	}
	if out := mustRun(t, "check", "--data", dir); !strings.Contains(out, "0 errors") {
		t.Error(out)
	}
}

// A folder that may only be read serves what it holds, and what would write says why it cannot.
func TestReadOnlyFolder(t *testing.T) {
	dir, readOnly := disk(t, "10m")
	mustRun(t, "import", recipe(t, 2016, 100), "--data", dir)
	mustRun(t, "import", recipe(t, 2016, 200), "--data", dir)
	readOnly()
	for _, args := range []string{"generate --scale 0.02", "import " + many(t), "snapshots use NAME",
		"snapshots remove NAME"} {
		for _, name := range []string{dir, filepath.Join(dir, "new")} {
			if strings.HasPrefix(args, "snapshots") && name != dir {
				continue
			}
			full := strings.Fields(strings.Replace(args, "NAME", first(t, dir), 1) + " --data " + name)
			_, errs, code := run(t, full...)
			sentence(t, errs, "the disk may only be read")
			if code != 2 {
				t.Errorf("%v: exit %d", full, code)
			}
		}
	}
	if a, err := serve(t, dir).ask(residents, ""); err != nil || len(a.Errors) > 0 {
		t.Errorf("%s %v", a.text, err)
	}
	mustRun(t, "snapshots", "--data", dir)
	mustRun(t, "check", "--data", dir)
}

func first(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	return entries[0].Name()
}

// Interrupted at the beginning of any step, a command says so in a sentence and leaves nothing.
func TestInterrupted(t *testing.T) {
	for _, step := range []string{"Drawing the synthetic register", "Writing the facts", "Building the cells"} {
		interrupt(t, step, "generate", "--scale", "0.05")
	}
	for _, step := range []string{"Reading child_year", "Checking", "Writing the facts", "Taking the fingerprint",
		"Building the cells"} {
		interrupt(t, step, "import", many(t))
	}
}

func interrupt(t *testing.T, step string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var errs strings.Builder
	code := command.Run(ctx, append(args, "--data", dir), at{step, cancel}, &errs)
	sentence(t, errs.String(), args[0]+": interrupted before it was done; no data set was changed")
	left, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if _, current := os.Stat(filepath.Join(dir, "current")); code != 2 || err == nil && len(left) > 0 ||
		current == nil {
		t.Errorf("%s at %q: exit %d, left are %v", args[0], step, code, left)
	}
}

// at calls then when the text is written.
type at struct {
	text string
	then func()
}

func (a at) Write(text []byte) (int, error) {
	if strings.HasPrefix(string(text), a.text) {
		a.then()
	}
	return len(text), nil
}
