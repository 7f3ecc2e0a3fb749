package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// importFolder imports the files of a folder with a recipe of the given tables.
func importFolder(t *testing.T, folder, tables string) (dir string, issues []ingest.Issue, err error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, "recipe.yaml"), []byte(head+tables), 0o644); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "data [1]") // no pattern
	_, issues, err = ingest.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), dir, theContract(t), nil)
	left, readErr := os.ReadDir(filepath.Join(dir, "snapshots"))
	if readErr != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") }) {
		t.Errorf("left behind: %v %v", left, readErr)
	}
	return dir, issues, err
}

const plansRecipe = "tables:\n  plan:\n    select: "

// What stands in the place of a file is named as what it is, in one sentence.
func TestNamesThatAreNoFiles(t *testing.T) {
	tests := []struct {
		name   string
		make   func(path string) error
		reads  string
		want   string
		asUser bool // root may read anything
	}{
		{name: "a folder", make: func(p string) error { return os.Mkdir(p, 0o755) },
			want: `x.csv is a folder; a file was expected, or a pattern such as x.csv/*.csv`},
		{name: "a dangling link", make: func(p string) error { return os.Symlink("gone.csv", p) },
			want: `x.csv is a link to gone.csv, where no file is; put the file itself there`},
		{name: "a circle of links", make: func(p string) error { return os.Symlink("x.csv", p) },
			want: `x.csv is a link that leads back to itself; put the file itself there`},
		{name: "a pipe", make: func(p string) error { return exec.Command("mkfifo", p).Run() },
			want: `x.csv: this is a device or a pipe; a file was expected, which can be read more than once`},
		{name: "an unreadable file", make: func(p string) error {
			return os.WriteFile(p, []byte("plan_id,name\nP1,One\n"), 0o000)
		}, want: `x.csv: the file cannot be read: its permissions keep it from you`, asUser: true},
		{name: "a folder of Parquet", reads: "x.parquet", make: func(p string) error { return os.Mkdir(p, 0o755) },
			want: `x.parquet is a folder`},
		{name: "a link to a file of the folder", make: func(p string) error {
			if err := os.WriteFile(p+".real", []byte("plan_id,name\nP1,One\n"), 0o644); err != nil {
				return err
			}
			return os.Symlink("x.csv.real", p)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.asUser && os.Geteuid() == 0 {
				t.Skip("root may read any file")
			}
			folder := t.TempDir()
			if test.reads == "" {
				test.reads = "x.csv"
			}
			if err := test.make(filepath.Join(folder, test.reads)); err != nil {
				t.Fatal(err)
			}
			_, issues, err := importFolder(t, folder, plansRecipe+"FROM '"+test.reads+"'\n")
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v %v, want the file to be read", issues, err)
			case test.want != "" && (len(issues) != 1 || !strings.Contains(issues[0].String(), test.want)):
				t.Errorf("got %v %v, want %q", issues, err, test.want)
			}
		})
	}
}

// A gzip file cut anywhere, or with any byte of its content or checksum changed, is not imported.
func TestNoDamagedGzipIsImported(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("year,age,n\n")
	for i := range 30_000 {
		fmt.Fprintf(&text, "%d,%d,%d\n", 2010+i%8, i%7, i)
	}
	var whole bytes.Buffer
	w := gzip.NewWriter(&whole)
	if _, err := w.Write(text.Bytes()); err != nil || w.Close() != nil {
		t.Fatal("gzip to memory")
	}
	folder := t.TempDir()
	attempt := func(data []byte) ([]ingest.Issue, error) {
		if err := os.WriteFile(filepath.Join(folder, "children.csv.gz"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, issues, err := importFolder(t, folder, "tables:\n  child_year:\n    select: FROM 'children.csv.gz'\n")
		return issues, err
	}
	if issues, err := attempt(whole.Bytes()); err != nil {
		t.Fatalf("the whole file: %v %v", issues, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 8 {
		cut := 1 + random.IntN(whole.Len()-1)
		if issues, err := attempt(whole.Bytes()[:cut]); err == nil || len(issues) != 1 || issues[0].Rule != "file" {
			t.Errorf("cut after %d of %d bytes: %v %v", cut, whole.Len(), issues, err)
		}
		const header = 10 // its date and system may be anything
		at := header + random.IntN(whole.Len()-header)
		changed := bytes.Clone(whole.Bytes())
		changed[at] ^= byte(1 + random.IntN(255))
		if issues, err := attempt(changed); err == nil || len(issues) != 1 || issues[0].Rule != "file" {
			t.Errorf("byte %d of %d changed: %v %v", at, whole.Len(), issues, err)
		}
	}
}

// Names in every letter of Windows-1252 are stored as what they are, and rules name the user's
// file and row, of files of a pattern too.
func TestWindows1252IsRead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "from [x]?")
	var names []string
	var text bytes.Buffer
	text.WriteString("plan_id,name,start\n")
	for b := 0xff; b >= 0x80; b-- {
		if strings.IndexByte("\x81\x8d\x8f\x90\x9d\xa0", byte(b)) >= 0 {
			continue // no letters, and a blank
		}
		names = append(names, "x"+string(charmap.Windows1252.DecodeByte(byte(b)))+"x")
		fmt.Fprintf(&text, "P%d,x%cx,2014-01-01\n", b, rune(b))
	}
	var raw []byte
	for _, r := range text.String() {
		raw = append(raw, byte(r))
	}
	if err := os.MkdirAll(filepath.Join(folder, "in 2014"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{"in 2014/a.csv": raw,
		"in 2014/b.csv": []byte("plan_id,name,start\nP1,\xd8st,2014-13-01\n")} {
		if err := os.WriteFile(filepath.Join(folder, file), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	recipe := func(files string) string {
		return plansRecipe + "|\n      SELECT plan_id, name, start FROM read_csv('in*/" + files +
			"', encoding = 'latin-1', types = {'start': 'VARCHAR'})\n"
	}
	dir, issues, err := importFolder(t, folder, recipe("a.csv"))
	for _, f := range issues {
		if f.Severity == ingest.Error {
			t.Errorf("got %v", f)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	current, _, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var stored string
	if err := db.QueryRow("SELECT string_agg(name, ' ' ORDER BY plan_id[2:]::INT DESC) FROM read_parquet('" +
		strings.Replace(current, "[", "[[]", 1) + "/plan.parquet')").Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(names, " "); stored != want {
		t.Errorf("stored %s\nwant %s", stored, want)
	}
	if _, issues, _ = importFolder(t, folder, recipe("*.csv")); !slices.ContainsFunc(issues, func(f ingest.Issue) bool {
		return f.Severity == ingest.Error && f.File == "in 2014/b.csv" && f.Row == "1"
	}) {
		t.Errorf("got %v, want the date of in 2014/b.csv row 1", issues)
	}
}

// A damaged Parquet file is an error in words, never a failure of ours. Where its pages have
// checksums, as those that gzip compressed, no change of their content is imported.
func TestDamagedParquet(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	folder := t.TempDir()
	file := filepath.Join(folder, "x.parquet")
	random := rand.New(rand.NewPCG(3, 4))
	for _, compression := range []string{"gzip", "snappy", "zstd"} {
		if _, err := db.Exec("COPY (SELECT 2010 + range % 8 AS year, range % 7 AS age, 100 + range AS n FROM range(5000)) " +
			"TO '" + file + "' (COMPRESSION " + compression + ")"); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			at := random.IntN(len(whole))
			if i%3 == 0 {
				at = len(whole) - 1 - random.IntN(400) // the footer
			}
			changed := bytes.Clone(whole)
			changed[at] ^= byte(1 + random.IntN(255))
			if i == 0 {
				changed = whole[:len(whole)/2]
			}
			if err := os.WriteFile(file, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			_, issues, err := importFolder(t, folder, "tables:\n  child_year:\n    select: FROM 'x.parquet'\n")
			if wrong, _ := ingest.Count(issues); err != nil && wrong == 0 {
				t.Errorf("%s, byte %d of %d: %v", compression, at, len(whole), err)
			}
		}
	}
}

// An import that is interrupted while it copies leaves nothing.
func TestInterruptedCopy(t *testing.T) {
	folder := t.TempDir()
	row := []byte("P1,\xd8st og vest for alting og lidt til\n")
	if err := os.WriteFile(filepath.Join(folder, "plans.csv"), append([]byte("plan_id,name\n"),
		bytes.Repeat(row, 1<<20)...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "recipe.yaml"),
		[]byte(head+plansRecipe+"FROM read_csv('plans.csv', encoding = 'latin-1')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	copied := make(chan os.FileInfo, 1)
	go func() { // as soon as a copy is begun
		for ctx.Err() == nil {
			if begun, _ := filepath.Glob(filepath.Join(dir, "snapshots", ".*", "import.files")); len(begun) > 0 {
				if info, err := os.Stat(begun[0]); err == nil {
					copied <- info
					cancel()
				}
			}
		}
	}()
	if _, _, err := ingest.Import(ctx, filepath.Join(folder, "recipe.yaml"), dir, theContract(t), nil); err == nil {
		t.Error("an interrupted import ended well")
	}
	cancel()
	select {
	case info := <-copied:
		if info.Mode().Perm() != 0o700 {
			t.Errorf("others may look into the copies: %v", info.Mode())
		}
	default:
		t.Error("no copy was made")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "snapshots", "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "snapshots", ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// Text that was read as Latin-1 before it came into a Parquet file is warned of with its row, by
// import and by check; letters in parts are stored whole.
func TestLettersOfParquet(t *testing.T) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	folder := t.TempDir()
	if _, err := db.Exec("COPY (SELECT * FROM (VALUES ('P1', 'Lyset'), ('P2', 'SÃ¸nderÃ¥s'), ('P3', 'A\u030alyset')) AS " +
		"v(plan_id, name)) TO '" + filepath.Join(folder, "x.parquet") + "'"); err != nil {
		t.Fatal(err)
	}
	dir, issues, err := importFolder(t, folder, plansRecipe+"FROM 'x.parquet'\n")
	if err != nil {
		t.Fatal(err)
	}
	checked, err := ingest.Check(context.Background(), dir, theContract(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, found := range map[string][]ingest.Issue{"import": issues, "check": checked} {
		if len(found) != 1 || found[0].Rule != "encoding" || found[0].Row != "2" ||
			!strings.Contains(found[0].Message, `for "Sønderås"`) {
			t.Errorf("%s: got %v, want the one row", what, found)
		}
	}
	current, _, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	var whole int
	if err := db.QueryRow("SELECT count(*) FROM read_parquet('" + strings.Replace(current, "[", "[[]", 1) +
		"/plan.parquet') WHERE name = '\u00c5lyset'").Scan(&whole); err != nil || whole != 1 {
		t.Errorf("%d names in composed letters: %v", whole, err)
	}
}
