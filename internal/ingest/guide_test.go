package ingest_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// The guide shows what import says of a copy of the example with these mistakes in it, and what it
// says of the example itself; both are what it says.
func TestGuideIsTrue(t *testing.T) {
	example := filepath.Join(root(t), "data", "example")
	text, err := os.ReadFile(filepath.Join(example, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	c := theContract(t)

	dir := t.TempDir()
	var told bytes.Buffer
	info, issues, err := ingest.Import(context.Background(), filepath.Join(example, "recipe.yaml"), dir, c, &told)
	if err != nil {
		t.Fatal(err)
	}
	if err := ingest.Report(&told, dir, issues); err != nil {
		t.Fatal(err)
	}
	if want := "    " + strings.ReplaceAll(strings.TrimSpace(told.String()), "\n", "\n    ") +
		"\n"; !strings.Contains(guide, want) {
		t.Errorf("the guide does not show\n%s", want)
	}
	if want := `"` + info.Title + `", fingerprint ` + info.Fingerprint[:12] + "."; !strings.Contains(guide, want) {
		t.Errorf("the guide does not show %s", want)
	}

	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ file, old, new string }{
		{"children.csv", "2014;0;1;;E2;751;0", "2014;0;9;;E2;751;0"},
		{"children.csv", "2014;3;1;;E3;101;0;", "2014;8;1;;E3;101;0;"},
		{"children.csv", "2015;1;1;;E1;461;0;", "2015;1;1;;E9;461;0;"},
		{"children.csv", "2015;1;1;;E1;461;1;", "2015;1;1;;E9;461;1;"},
		{"key_figures.csv", "E1,2015,1427,", "E1,2015,1.4,"},
		{"residents.csv", "2014,AGE_7_9,FEMALE,E1,", "2014,AGE_7_9,FEMALE,E1,E1,"},
	} {
		file := filepath.Join(folder, m.file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), m.old) != 1 {
			t.Fatalf("%s holds %q %d times", m.file, m.old, strings.Count(string(text), m.old))
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, issues, err = ingest.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), dir, c, nil)
	if err == nil {
		t.Fatal("the mistakes were not found")
	}
	told.Reset()
	if err := ingest.Report(&told, dir, issues); err != nil {
		t.Fatal(err)
	}
	told.WriteString("import: " + strings.Replace(err.Error(), folder, "../my-data", 1) + "\n")
	if want := "    " + strings.ReplaceAll(strings.TrimSpace(told.String()), "\n", "\n    ") +
		"\n"; !strings.Contains(guide, want) {
		t.Errorf("the guide does not show\n%s", want)
	}
}
