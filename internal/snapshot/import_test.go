package snapshot_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kvarter/kvarter/internal/snapshot"
)

var update = flag.Bool("update", false, "write what imports find into testdata; a person reads the diff")

// head begins the recipes of the test cases, which hold their tables only.
const head = `name: case
title: A test case
synthetic: true
licence: CC0-1.0
citation: Invented for a test
sources:
  - {title: Invented for a test, publisher: Kvarter}
`

// writeFiles writes a test case's files. A name may end in an encoding: "areas.csv latin-1".
func writeFiles(t testing.TB, folder string, files []txtar.File) {
	t.Helper()
	for _, f := range files {
		name, encoding, _ := strings.Cut(f.Name, " ")
		text := f.Data
		if name == "recipe.yaml" && bytes.HasPrefix(text, []byte("tables:")) {
			text = append([]byte(head), text...)
		}
		switch encoding {
		case "latin-1":
			var out []byte
			for _, r := range string(text) {
				out = append(out, byte(r))
			}
			text = out
		case "utf-16":
			out := []byte{0xff, 0xfe}
			for _, r := range string(text) {
				out = append(out, byte(r), byte(r>>8))
			}
			text = out
		case "empty":
			text = nil
		}
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Each file of testdata/import is one import: the recipe, the files it reads, and what the user
// is told. After it the data set that was current before is current still, or the new one is.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("testdata/import/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test cases: %v", err)
	}
	c := theContract(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			folder, dir := t.TempDir(), t.TempDir()
			writeFiles(t, folder, archive.Files)
			_, findings, err := snapshot.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), dir, c, nil)
			var out bytes.Buffer
			if reportErr := snapshot.Report(&out, dir, findings); reportErr != nil {
				t.Fatal(reportErr)
			}
			folderNow, info, currentErr := snapshot.Current(dir)
			if err != nil {
				out.WriteString("import: " + err.Error() + "\n")
				if currentErr == nil {
					t.Error("a failed import made a data set")
				}
			} else {
				for _, table := range info.Tables {
					out.WriteString("table " + table.Name + ": " + strings.Join(table.Columns, " ") + "\n")
				}
				if _, err := os.Stat(filepath.Join(folderNow, "import.duckdb")); err == nil {
					t.Error("the rows under check were left in the snapshot")
				}
				again, err := snapshot.Check(context.Background(), dir, c, nil)
				if err != nil {
					t.Fatal(err)
				}
				if e, _ := snapshot.Count(again); e != 0 || len(again) != len(findings) {
					t.Errorf("check finds %v, where import found %v", again, findings)
				}
			}
			left, err := filepath.Glob(filepath.Join(dir, "snapshots", ".*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
			got := strings.NewReplacer(folder+string(filepath.Separator), "", dir, "DIR").Replace(out.String())
			var want string
			for i, f := range archive.Files {
				if f.Name == "want.txt" {
					want = string(f.Data)
					archive.Files[i].Data = []byte(got)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}
