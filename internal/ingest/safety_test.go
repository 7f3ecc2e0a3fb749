package ingest_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// recipeOf writes a recipe with these tables, and its files, and returns its name.
func recipeOf(t testing.TB, tables string, files ...txtar.File) string {
	t.Helper()
	folder := t.TempDir()
	writeFiles(t, folder, append(files, txtar.File{Name: "recipe.yaml", Data: []byte("tables:\n" + tables)}))
	return filepath.Join(folder, "recipe.yaml")
}

// persons is a table of n children, each followed over three years.
func persons(n int) string {
	return fmt.Sprintf("  child_year:\n    select: SELECT i AS child_id, 2014 + y AS year, i %% 4 + y AS age, CASE WHEN "+
		"i %% 5 = 0 THEN 'FEMALE' ELSE 'MALE' END AS sex FROM range(%d) t(i), range(3) u(y)\n", n)
}

func importOf(t testing.TB, recipe, dir string) snapshot.Info {
	t.Helper()
	info, issues, err := ingest.Import(context.Background(), recipe, dir, theContract(t), nil)
	if err != nil {
		t.Fatalf("%v %v", err, issues)
	}
	return info
}

// TestImportProcess is the process that TestKilledImport starts and kills.
func TestImportProcess(t *testing.T) {
	recipe, dir := os.Getenv("KVARTER_TEST_RECIPE"), os.Getenv("KVARTER_TEST_DATA")
	if recipe == "" {
		t.Skip("runs only as a process of TestKilledImport")
	}
	if _, _, err := ingest.Import(context.Background(), recipe, dir, theContract(t), os.Stdout); err != nil {
		t.Fatal(err)
	}
}

// Killed at the beginning of any step, an import leaves the data set that was current serving,
// and the next import leaves nothing of it behind.
func TestKilledImport(t *testing.T) {
	dir := t.TempDir()
	old := importOf(t, recipeOf(t, persons(100)), dir)
	recipe := recipeOf(t, persons(50_000))
	steps := []string{"Reading child_year", "Checking", "Writing the facts", "Taking the fingerprint",
		"Building the cells"}
	left := 0
	for _, step := range steps {
		process := exec.Command(os.Args[0], "-test.run=^TestImportProcess$")
		process.Env = append(os.Environ(), "KVARTER_TEST_RECIPE="+recipe, "KVARTER_TEST_DATA="+dir)
		out, err := process.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		killed := false
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if lines.Text() == step {
				killed = true
				if err := process.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := process.Wait(); err == nil || !killed {
			t.Fatalf("the import was not killed at %q", step)
		}
		building, err := filepath.Glob(filepath.Join(dir, "snapshots", ".building-*"))
		if err != nil {
			t.Fatal(err)
		}
		left += len(building)
		_, info, err := snapshot.Current(dir)
		if err != nil || info.Fingerprint != old.Fingerprint {
			t.Fatalf("killed at %q: the current data set is %v %v, want %v", step, info, err, old)
		}
		var got struct {
			Children struct{ Size struct{ Value int } }
		}
		if problems := ask(t, serve(t, dir), "{ children { size { value } } }", &got); problems != nil ||
			got.Children.Size.Value != 300 {
			t.Errorf("killed at %q: got %v %v, want 300", step, got, problems)
		}
	}
	if left == 0 {
		t.Error("no killed import left anything, so that nothing shows it is cleaned away")
	}
	whole := importOf(t, recipe, dir)
	building, err := filepath.Glob(filepath.Join(dir, "snapshots", ".building-*"))
	if err != nil || len(building) > 0 {
		t.Errorf("left behind: %v %v", building, err)
	}
	if _, info, err := snapshot.Current(dir); err != nil || info.Fingerprint != whole.Fingerprint ||
		whole.Fingerprint == old.Fingerprint {
		t.Errorf("after the next import the current data set is %v %v", info, err)
	}
}

// An import with errors, and one that is cancelled, switch nothing.
func TestFailedImportKeepsTheOld(t *testing.T) {
	dir := t.TempDir()
	old := importOf(t, recipeOf(t, persons(100)), dir)
	before := contents(t, dir, "lock")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for what, attempt := range map[string]func() error{
		"errors": func() error {
			_, issues, err := ingest.Import(context.Background(), recipeOf(t,
				"  child_year:\n    select: SELECT 2014 AS year, 9 AS age\n"), dir, theContract(t), nil)
			if errors, _ := ingest.Count(issues); errors != 1 || fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v %v", issues, err)
			}
			return err
		},
		"cancelled": func() error {
			_, _, err := ingest.Import(cancelled, recipeOf(t, persons(1000)), dir, theContract(t), nil)
			return err
		},
		"no recipe": func() error {
			_, _, err := ingest.Import(context.Background(), filepath.Join(t.TempDir(), "recipe.yaml"), dir, theContract(t), nil)
			return err
		},
	} {
		if err := attempt(); err == nil {
			t.Errorf("%s: no error", what)
		}
		after := contents(t, dir, "lock")
		for path, text := range before {
			if after[path] != text {
				t.Errorf("%s: %s changed", what, path)
			}
		}
		if len(after) != len(before) {
			t.Errorf("%s: %d files, before %d", what, len(after), len(before))
		}
	}
	if _, info, err := snapshot.Current(dir); err != nil || info.Fingerprint != old.Fingerprint {
		t.Errorf("got %v %v", info, err)
	}
}

// A person has one record key from 0 to 4095: the HMAC-SHA256 of the person's number, by Go's own
// implementation, under a secret that the data folder keeps for its owner alone.
func TestRecordKeys(t *testing.T) {
	dir := t.TempDir()
	importOf(t, recipeOf(t, persons(5000)), dir)
	file := filepath.Join(dir, "record-key")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(secret) != 32 {
		t.Fatalf("a secret of 32 bytes: %v", err)
	}
	first := recordKeys(t, dir)
	seen := map[int]bool{}
	for person, key := range first {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(strconv.Itoa(person)))
		want, err := strconv.ParseInt(hex.EncodeToString(mac.Sum(nil))[:3], 16, 64)
		if err != nil || int(want) != key {
			t.Fatalf("person %d has the key %d, want %d", person, key, want)
		}
		seen[key] = true
	}
	// 5,000 keys drawn from 4096 leave 4096 (1-1/4096)^5000 = 1208 out, give or take 25.
	if len(first) != 5000 || len(seen) < 2780 {
		t.Errorf("%d persons have %d keys", len(first), len(seen))
	}
	for path, text := range contents(t, filepath.Join(dir, "snapshots")) {
		if strings.Contains(text, hex.EncodeToString(secret)) || strings.Contains(text, string(secret)) {
			t.Errorf("%s holds the secret", path)
		}
	}
	// The next release has more persons, in another order; those of the first keep their keys.
	importOf(t, recipeOf(t, strings.Replace(persons(6000), "range(6000) t(i)",
		"(SELECT 5999 - i AS i FROM range(6000) r(i)) t", 1)), dir)
	second := recordKeys(t, dir)
	for person, key := range first {
		if second[person] != key {
			t.Fatalf("person %d had the key %d and has %d", person, key, second[person])
		}
	}
	// Another data folder has another secret.
	elsewhere := t.TempDir()
	importOf(t, recipeOf(t, persons(5000)), elsewhere)
	same := 0
	for person, key := range recordKeys(t, elsewhere) {
		if first[person] == key {
			same++
		}
	}
	if same > 20 { // 1 expected
		t.Errorf("%d of 5000 persons have the same key under another secret", same)
	}
	// A secret that is damaged is not replaced.
	if err := os.WriteFile(file, []byte("spoilt\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ingest.Import(context.Background(), recipeOf(t, persons(10)), dir, theContract(t), nil); err == nil ||
		!strings.Contains(err.Error(), "put back the one it held") {
		t.Errorf("got %v", err)
	}
}

// recordKeys reads the keys of the current snapshot's persons.
func recordKeys(t testing.TB, dir string) map[int]int {
	t.Helper()
	out := map[int]int{}
	query(t, dir, "SELECT child_id, min(record_key), max(record_key) FROM child_year GROUP BY child_id",
		func(scan func(...any) error) error {
			var person, low, high int
			if err := scan(&person, &low, &high); err != nil {
				return err
			}
			if low != high {
				t.Errorf("person %d has the keys %d and %d", person, low, high)
			}
			out[person] = low
			return nil
		})
	return out
}

// query runs SQL over the Parquet of the current snapshot.
func query(t testing.TB, dir, text string, each func(scan func(...any) error) error) {
	t.Helper()
	folder, info, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range info.Tables {
		if _, err := db.Exec(fmt.Sprintf("CREATE VIEW %s AS FROM '%s'", table.Name,
			filepath.Join(folder, table.Name+".parquet"))); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := db.Query(text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// Whatever is changed in a snapshot after it was made, check names the file. In one of before there
// were hashes it names what the change does to the content.
func TestCheckFindsWhatWasChanged(t *testing.T) {
	copyOver := func(text string) func(t testing.TB, folder string) {
		return func(t testing.TB, folder string) {
			t.Helper()
			db, err := sql.Open("duckdb", "")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(strings.ReplaceAll(text, "FOLDER", folder)); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"child_year.parquet", "cells/child_overview.parquet"} {
				if _, err := os.Stat(filepath.Join(folder, name+".new")); err == nil {
					if err := os.Rename(filepath.Join(folder, name+".new"), filepath.Join(folder, name)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	tests := map[string]struct {
		change func(t testing.TB, folder string)
		want   []string // rules without hashes, in order
	}{
		"nothing": {func(testing.TB, string) {}, nil},
		"a value": {copyOver("COPY (SELECT * REPLACE (CASE WHEN child_id = 7 AND year = 2014 THEN age + 1 ELSE age END AS " +
			"age) FROM 'FOLDER/child_year.parquet') TO 'FOLDER/child_year.parquet.new' (FORMAT parquet)"),
			[]string{"fingerprint", "cells"}},
		"an impossible value": {copyOver("COPY (SELECT * REPLACE (CASE WHEN child_id = 7 AND year = 2014 THEN 17 ELSE age " +
			"END AS age) FROM 'FOLDER/child_year.parquet') TO 'FOLDER/child_year.parquet.new' (FORMAT parquet)"),
			[]string{"range", "fingerprint", "cells"}},
		"a code": {copyOver("COPY (SELECT * REPLACE (CASE WHEN child_id = 7 THEN 'BOY' ELSE sex END AS sex) FROM " +
			"'FOLDER/child_year.parquet') TO 'FOLDER/child_year.parquet.new' (FORMAT parquet)"),
			[]string{"code", "code", "code", "fingerprint"}},
		"a row less": {copyOver("COPY (FROM 'FOLDER/child_year.parquet' WHERE NOT (child_id = 7 AND year = 2014)) TO " +
			"'FOLDER/child_year.parquet.new' (FORMAT parquet)"),
			[]string{"rows", "fingerprint", "cells"}},
		"a row twice": {copyOver("COPY (FROM 'FOLDER/child_year.parquet' UNION ALL FROM 'FOLDER/child_year.parquet' WHERE " +
			"child_id = 7 AND year = 2014) TO 'FOLDER/child_year.parquet.new' (FORMAT parquet)"),
			[]string{"rows", "duplicate", "fingerprint", "cells"}},
		"a type": {copyOver("COPY (SELECT * REPLACE (age::VARCHAR AS age) FROM 'FOLDER/child_year.parquet') TO " +
			"'FOLDER/child_year.parquet.new' (FORMAT parquet)"),
			[]string{"type"}},
		"a cell": {copyOver("COPY (SELECT * REPLACE (n + 1 AS n) FROM 'FOLDER/cells/child_overview.parquet') TO " +
			"'FOLDER/cells/child_overview.parquet.new' (FORMAT parquet)"),
			[]string{"cells"}},
		"a damaged file": {func(t testing.TB, folder string) {
			if err := os.WriteFile(filepath.Join(folder, "child_year.parquet"), bytes.Repeat([]byte("x"), 100),
				0o644); err != nil {
				t.Fatal(err)
			}
		}, []string{"file"}},
		"cells gone": {func(t testing.TB, folder string) {
			if err := os.Remove(filepath.Join(folder, "cells", "child_overview.parquet")); err != nil {
				t.Fatal(err)
			}
		}, []string{"cells"}},
	}
	// child_overview needs area_id and origin.
	tables := strings.Replace(persons(100), "SELECT i AS", "SELECT NULL::VARCHAR AS area_id, 'DANISH' AS origin, i AS", 1)
	tables = "  area:\n    select: SELECT 'A1' AS area_id, 'Nordlyset' AS name, '461' AS municipality, true AS " +
		"supported, 'test' AS source\n" + strings.Replace(tables, "NULL::VARCHAR AS area_id",
		"CASE WHEN i < 10 THEN 'A1' END AS area_id", 1)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			importOf(t, recipeOf(t, tables), dir)
			folder, _, err := snapshot.Current(dir)
			if err != nil {
				t.Fatal(err)
			}
			test.change(t, folder)
			rules := func() (got []string) {
				issues, err := ingest.Check(context.Background(), dir, theContract(t), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range issues {
					got = append(got, fmt.Sprint(f.Severity, " ", f.Rule))
					if f.File == "" || f.Message == "" {
						t.Errorf("an issue with file and message was expected: %+v", f)
					}
				}
				return got
			}
			var want []string
			if test.want != nil {
				want = []string{"error file"}
			}
			if got := rules(); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			withoutHashes(t, folder)
			want = []string{"warning file"}
			for _, rule := range test.want {
				want = append(want, "error "+rule)
			}
			if got := rules(); !slices.Equal(got, want) {
				t.Errorf("without hashes: got %v, want %v", got, want)
			}
		})
	}
}

// What an import found is kept with the snapshot for a check, also where it was imported when the
// file had another name.
func TestCheckTellsWhatTheImportFound(t *testing.T) {
	dir := t.TempDir()
	recipe := recipeOf(t, "  child_year:\n    select: FROM read_csv('children.csv', ignore_errors = true)\n",
		txtar.File{Name: "children.csv", Data: []byte(
			"child_id,year,age,sex\n1,2014,0,MALE\n2,2014,1,FEMALE\nSource: invented\n")})
	_, found, err := ingest.Import(context.Background(), recipe, dir, theContract(t), nil)
	if err != nil || !slices.ContainsFunc(found, func(f ingest.Issue) bool { return f.Rule == "line" }) {
		t.Fatalf("the import finds %v %v", found, err)
	}
	folder, _, err := snapshot.Current(dir)
	if err != nil {
		t.Fatal(err)
	}
	same := func(what string) {
		t.Helper()
		checked, err := ingest.Check(context.Background(), dir, theContract(t), nil)
		checked = slices.DeleteFunc(checked, func(f ingest.Issue) bool { return f.File == snapshot.InfoFile })
		if err != nil || !slices.Equal(checked, found) {
			t.Errorf("%s: check finds %v %v, where the import found %v", what, checked, err, found)
		}
	}
	same("as it was imported")
	withoutHashes(t, folder)
	if err := os.Rename(filepath.Join(folder, "import-report.json"), filepath.Join(folder, "findings.json")); err != nil {
		t.Fatal(err)
	}
	same("of before")
}

// withoutHashes makes a snapshot one of before the hashes of files were kept.
func withoutHashes(t testing.TB, folder string) {
	t.Helper()
	about := filepath.Join(folder, "snapshot.json")
	text, err := os.ReadFile(about)
	if err != nil {
		t.Fatal(err)
	}
	var info map[string]any
	if err := json.Unmarshal(text, &info); err != nil {
		t.Fatal(err)
	}
	delete(info, "files")
	if text, err = json.Marshal(info); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(about, text, 0o600), os.Remove(about+".sha256")); err != nil {
		t.Fatal(err)
	}
}
