package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/tools/txtar"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/ingest"
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

// forms are what a test case can do to a file's text, in the order that its name gives:
// "areas.csv.gz latin-1 gzip cut".
var forms = map[string]func([]byte) []byte{
	"empty":   func([]byte) []byte { return nil },
	"latin-1": encode(charmap.ISO8859_1), "windows-1252": encode(charmap.Windows1252),
	"cp850": encode(charmap.CodePage850), "utf-16": encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)),
	"utf-16be":  encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)),
	"mark":      func(text []byte) []byte { return append([]byte("\ufeff"), text...) },
	"decompose": norm.NFD.Bytes,
	"misread": func(text []byte) []byte { // as Windows-1252
		out, err := charmap.Windows1252.NewDecoder().Bytes(text)
		if err != nil {
			panic(err)
		}
		return out
	},
	"crlf": func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")) },
	"gzip": func(text []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(text); err != nil || w.Close() != nil {
			panic("gzip to memory")
		}
		return b.Bytes()
	},
	"zstd": func(text []byte) []byte {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b)
		if err != nil {
			panic(err)
		}
		if _, err := w.Write(text); err != nil || w.Close() != nil {
			panic("zstd to memory")
		}
		return b.Bytes()
	},
	"cut":     func(data []byte) []byte { return data[:len(data)-10] },
	"damaged": func(data []byte) []byte { data[len(data)-7] ^= 1; return data }, // the checksum of gzip
	"twice":   func(data []byte) []byte { return append(data, data...) },
	"tail":    func(data []byte) []byte { return append(data, "and something else"...) },
	"zero":    func(text []byte) []byte { return append(text, 0) },
	"xff":     func(text []byte) []byte { return append(text, 0x81) },
}

func encode(e encoding.Encoding) func([]byte) []byte {
	return func(text []byte) []byte {
		out, err := e.NewEncoder().Bytes(text)
		if err != nil {
			panic(err)
		}
		return out
	}
}

func theContract(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// writeFiles writes a test case's files.
func writeFiles(t testing.TB, folder string, files []txtar.File) {
	t.Helper()
	for _, f := range files {
		words := strings.Fields(f.Name)
		name, text := words[0], f.Data
		if name == "recipe.yaml" && bytes.HasPrefix(text, []byte("tables:")) {
			text = append([]byte(head), text...)
		}
		for _, form := range words[1:] {
			text = forms[form](bytes.Clone(text))
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
			_, issues, err := ingest.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), dir, c, nil)
			var out bytes.Buffer
			if reportErr := ingest.Report(&out, dir, issues); reportErr != nil {
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
				again, err := ingest.Check(context.Background(), dir, c, nil)
				if err != nil {
					t.Fatal(err)
				}
				if e, _ := ingest.Count(again); e != 0 || len(again) != len(issues) {
					t.Errorf("check finds %v, where import found %v", again, issues)
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
