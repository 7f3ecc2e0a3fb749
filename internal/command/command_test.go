package command_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/kvarter/kvarter/internal/command"
)

// run carries out a command and returns what it printed, what it told of trouble, and its code.
func run(t testing.TB, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = command.Run(t.Context(), args, &o, &e)
	return o.String(), e.String(), code
}

func mustRun(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, code := run(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

// recipe writes a recipe of areas with their figures in a year, and returns its name.
func recipe(t testing.TB, year int, residents ...int) string {
	t.Helper()
	areas, figures := "area_id,name,municipality,supported\n", "area_id,year,residents\n"
	for i, n := range residents {
		areas += fmt.Sprintf("A%d,Area %d,461,true\n", i, i)
		figures += fmt.Sprintf("A%d,%d,%d\n", i, year, n)
	}
	folder := t.TempDir()
	for name, text := range map[string]string{"areas.csv": areas, "figures.csv": figures, "recipe.yaml": `name: areas
title: Areas
synthetic: true
licence: CC0-1.0
citation: none
sources: [{title: Invented, publisher: Kvarter}]
tables:
  area:
    select: SELECT *, 'invented' AS source FROM 'areas.csv'
  area_year:
    select: SELECT *, 'invented' AS source FROM 'figures.csv'
`} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "recipe.yaml")
}

// server is a `serve` that runs in this process.
type server struct {
	base string
	log  *record
	stop func() int // and the exit code
}

// record is a log that can be read while it is written.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(text)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *record) count(part string) int { return strings.Count(r.String(), part) }

func serve(t testing.TB, dir string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	s := &server{log: new(record)}
	code := make(chan int, 1)
	go func() {
		code <- command.Run(ctx, []string{"serve", "--addr", "127.0.0.1:0", "--data", dir}, out, s.log)
		_ = out.Close()
	}()
	s.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() {
		if got := s.stop(); got != 0 {
			t.Errorf("serve: exit %d, %s", got, s.log)
		}
	})
	lines := bufio.NewScanner(in)
	for s.base == "" && lines.Scan() {
		s.base = regexp.MustCompile(`http://[0-9.:]+`).FindString(lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	if s.base == "" {
		t.Fatalf("the server named no address: %v", lines.Err())
	}
	return s
}

type answer struct {
	status int
	text   string
	Data   map[string]any
	Errors []struct {
		Message    string
		Extensions struct{ Code string }
	}
}

func (s *server) ask(document, variables string) (a answer, err error) {
	question := map[string]any{"query": document}
	if variables != "" {
		question["variables"] = json.RawMessage(variables)
	}
	body, err := json.Marshal(question)
	if err != nil {
		return a, err
	}
	response, err := http.Post(s.base+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	a.status, a.text = response.StatusCode, string(text)
	return a, json.Unmarshal(text, &a)
}

// sizes returns the files of a folder with their sizes.
func sizes(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
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

// Trouble is told in a sentence, once: what was wrong and what would be right.
func TestWrongUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, want string }{
		{"serv", "did you mean serve?"},
		{"help nothing", `no command "nothing"`},
		{"serve now", `"now" was not expected`},
		{"schema now", `"now" was not expected`},
		{"serve --adr x", "did you mean --addr?"},
		{"serve --addr " + taken.Addr().String(), "choose another address with --addr"},
		{"serve --addr nonsense", "choose another address with --addr"},
		{"serve --log xml", "text and json are known"},
		{"serve --allow-host https://x.org", "without https:// and path"},
		{"generate --scale 0", "a scale from 0.001 to 200 was expected"},
		{"generate --scale -1", "a scale from 0.001 to 200 was expected"},
		{"generate --scale nan", "a scale from 0.001 to 200 was expected"},
		{"generate --scale inf", "a scale from 0.001 to 200 was expected"},
		{"generate --scale 0.0001", "a scale from 0.001 to 200 was expected"},
		{"generate --scale 201", "a scale from 0.001 to 200 was expected"},
		{"generate --scale 1e-9", "a scale from 0.001 to 200 was expected"},
		{"generate --scale x", "a scale from 0.001 to 200 was expected"},
		{"generate --seed -1", "a whole number from 0 to 18446744073709551615"},
		{"generate --seed 1.5", "a whole number from 0 to 18446744073709551615"},
		{"generate --seed 18446744073709551616", "a whole number from 0 to 18446744073709551615"},
		{"generate --world flat", "known are area-effect, area-variation, no-area-effect"},
		{"generate --world area-efect", "did you mean area-effect?"},
		{"generate --data " + file, "is a file; a folder for data sets was expected"},
		{"generate --data " + file + "/x", "not a directory"},
		{"serve --addr 127.0.0.1:0 --data " + file, "is a file; a folder for data sets was expected"},
		{"check --data " + file, "is a file; a folder for data sets was expected"},
		{"snapshots --data " + file, "is a file; a folder for data sets was expected"},
		{"import", "one recipe was expected"},
		{"import a b", "one recipe was expected"},
		{"import " + recipe(t, 2016, 1) + " --data " + file, "is a file; a folder for data sets was expected"},
		{"check --data " + dir, "holds no data set"},
		{"snapshots --data " + dir, "holds no data set"},
		{"snapshots use x --data " + dir, `has no data set "x"`},
		{"snapshots remove x --data " + dir, `has no data set "x"`},
		{"snapshots remove --data " + dir, "`remove NAME` was expected"},
		{"snapshots delete x --data " + dir, "`remove NAME` was expected"},
	} {
		t.Run(test.args, func(t *testing.T) {
			out, errs, code := run(t, strings.Fields(test.args)...)
			sentence(t, errs, test.want)
			if code != 2 || out != "" {
				t.Errorf("exit %d and %q; want exit 2", code, out)
			}
		})
	}
	if made := sizes(t, filepath.Dir(dir)); len(made) > 0 {
		t.Errorf("wrong use left %v", made)
	}
}

// sentence checks that trouble was told in one line, without our functions and DuckDB's search.
func sentence(t testing.TB, errs, want string) {
	t.Helper()
	if !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
		t.Errorf("%q; want one line with %q", errs, want)
	}
	if found := regexp.MustCompile(`snapshot\.|store\.|synth\.|rerun\.|web\.|Candidate|LINE 1| Error: `).FindString(
		strings.ReplaceAll(errs, "snapshot.json", "")); found != "" {
		t.Errorf("%q has %q in it", errs, found)
	}
}

func TestHelpAndVersion(t *testing.T) {
	out := mustRun(t, "help")
	for _, name := range []string{"serve", "generate", "import", "check", "snapshots", "verify", "jupyter",
		"schema", "version"} {
		if !strings.Contains(out, "\n  go run . "+name) && !strings.Contains(out, "\n  go run . ["+name+"]") {
			t.Errorf("help lists no %s: %s", name, out)
		}
		if one := mustRun(t, "help", name); one != mustRun(t, name, "--help") || !strings.HasPrefix(one,
			"go run . ") {
			t.Errorf("help %s: %s", name, one)
		}
	}
	if out := mustRun(t, "help", "serve"); !strings.Contains(out, "--addr HOST:PORT\n") || !strings.Contains(out,
		"127.0.0.1:8080 if not given") {
		t.Errorf("help serve: %s", out)
	}
	if out := mustRun(t,
		"version"); !regexp.MustCompile(`^kvarter .+\nGo +go1\..+\nDuckDB +v1\..+\n$`).MatchString(out) {
		t.Errorf("version: %q", out)
	}
}

// Where a data folder says of no data set that it is in use, serve says what is there, and neither
// deletes nor makes anything. What it says to do then serves.
func TestServeRefusesAFolderInTrouble(t *testing.T) {
	t.Chdir(filepath.Join("..", "..")) // verify is run in the repository
	dir := t.TempDir()
	mustRun(t, "import", recipe(t, 2016, 100), "--data", dir)
	name := only(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "current"), []byte("gone\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := sizes(t, dir)
	for _, args := range [][]string{{"serve", "--addr", "127.0.0.1:0"},
		{"verify", filepath.Join("notebooks", "01-poor-children.ipynb")}, {"check"}} {
		_, errs, code := run(t, append(args, "--data", dir)...)
		sentence(t, errs, "names the data set gone, which is not in")
		if code != 2 || !strings.Contains(errs, name) {
			t.Errorf("%v: exit %d, %q; want exit 2 and %s named", args, code, errs, name)
		}
	}
	if after := sizes(t, dir); !maps.Equal(after, before) {
		t.Errorf("there is %v, and was %v", after, before)
	}
	if out, _, code := run(t, "snapshots", "--data", dir); code != 1 || !strings.Contains(out, name) {
		t.Errorf("listed: exit %d, %s", code, out)
	}
	mustRun(t, "snapshots", "use", name, "--data", dir)
	if a, err := serve(t, dir).ask("{ areas { totalCount } }", ""); err != nil || len(a.Errors) > 0 {
		t.Errorf("%v %v", a, err)
	}
}

// only is the name of the one data set of the folder.
func only(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v %v", entries, err)
	}
	return entries[0].Name()
}

// An import that fails, for whatever reason, leaves a folder that serve puts no synthetic register in.
func TestServeAfterAFailedImport(t *testing.T) {
	wrong := recipe(t, 2016, -1)
	noRecipe := filepath.Join(t.TempDir(), "recipe.yaml")
	noYAML := filepath.Join(t.TempDir(), "recipe.yaml")
	if err := os.WriteFile(noYAML, []byte("tables: ["), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{wrong, noRecipe, noYAML} {
		dir := filepath.Join(t.TempDir(), "mine")
		if _, errs, code := run(t, "import", file, "--data", dir); code == 0 {
			t.Fatalf("it was imported: %s", errs)
		}
		_, errs, code := run(t, "serve", "--addr", "127.0.0.1:0", "--data", dir)
		sentence(t, errs, `has no file "current"`)
		if code != 2 {
			t.Errorf("serve: exit %d", code)
		}
		if left, err := os.ReadDir(filepath.Join(dir, "snapshots")); err == nil && len(left) > 0 {
			t.Errorf("there is %v", left)
		}
	}
}
