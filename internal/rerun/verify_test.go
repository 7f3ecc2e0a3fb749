package rerun

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kvarter/kvarter/internal/golden"
)

var update = flag.Bool("update", false, "write the notebooks in testdata as executed")

func TestMain(m *testing.M) {
	flag.Parse()
	if *update {
		v, err := Verify(context.Background(), Options{Repo: "../..", Notebooks: []string{"testdata/two-groups.ipynb"},
			Update: true, Out: os.Stdout})
		if err != nil || !v.Notebooks[0].Updated {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// cell is a code cell of a test's notebook: its source, and what is committed of it.
type cell struct {
	code    string
	printed string   // on standard output
	outputs []object // displays
	count   int      // 0 means the place in the notebook
}

// The first cell of a notebook of ours: nothing is fetched from the network.
const first = "%noautoget\n%%\n"

// write writes a notebook for a test and returns its path.
func write(t *testing.T, cells ...cell) string {
	t.Helper()
	n := Notebook{tree: object{"metadata": object{}, "nbformat": 4, "nbformat_minor": 5}}
	for i, c := range cells {
		made := &Cell{tree: object{"cell_type": "code", "id": fmt.Sprint(i), "metadata": object{}}, Kind: "code",
			Source: c.code, Count: i + 1, Outputs: c.outputs}
		if c.count != 0 {
			made.Count = c.count
		}
		if c.printed != "" {
			made.Outputs = append(made.Outputs, object{"output_type": "stream", "name": "stdout", "text": c.printed})
		}
		n.Cells = append(n.Cells, made)
	}
	path := filepath.Join(t.TempDir(), "test.ipynb")
	if err := n.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// verify reruns notebooks with the kernel of this module.
func verify(t *testing.T, o Options) (Verdict, string) {
	t.Helper()
	var out bytes.Buffer
	o.Repo, o.Out = "../..", &out
	v, err := Verify(context.Background(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	return v, out.String()
}

// told is the differences of a cell as they are printed.
func told(c CellResult) []string {
	var lines []string
	for _, d := range c.Differences {
		lines = append(lines, d.String())
	}
	return lines
}

// expect checks the differences of a notebook's cells: for each cell the texts that its
// differences contain, one for each, in order.
func expect(t *testing.T, r Result, want ...[]string) {
	t.Helper()
	if len(r.Cells) != len(want) {
		t.Fatalf("%d cells, want %d", len(r.Cells), len(want))
	}
	for i, texts := range want {
		lines := told(r.Cells[i])
		same := len(lines) == len(texts)
		for j := 0; same && j < len(texts); j++ {
			same = strings.Contains(lines[j], texts[j])
		}
		if !same {
			t.Errorf("cell %d differs in\n  %s\nwant\n  %s", i+1, strings.Join(lines, "\n  "), strings.Join(texts, "\n  "))
		}
	}
}

func edit(t *testing.T, path string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(replace...).Replace(string(text))
	if changed == string(text) {
		t.Fatalf("nothing in %s to replace with %q", path, replace)
	}
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(to, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	return to
}

// The notebook in testdata has a table, a chart and an asserted number. One copy of it has
// another figure in each, as somebody may have typed it.
func TestFiguresOfTablesChartsAndAssertions(t *testing.T) {
	t.Parallel()
	report := filepath.Join(t.TempDir(), "report.html")
	changed := edit(t, "testdata/two-groups.ipynb",
		`\">16.9% (16.5% to 17.3%)</td>`, `\">16.8% (16.5% to 17.3%)</td>`,
		`"value": 0.075`, `"value": 0.0751`,
		`areas: 0.169\n"`, `areas: 0.168\n"`)
	var steps []string
	v, out := verify(t, Options{Notebooks: []string{"testdata/two-groups.ipynb", changed}, Report: report,
		Progress: func(notebook string, cell, cells int) { steps = append(steps, fmt.Sprintf("%d of %d", cell, cells)) }})
	if len(steps) != 6 || steps[5] != "3 of 3" {
		t.Errorf("progress = %v", steps)
	}
	expect(t, v.Notebooks[0], nil, nil, nil)
	expect(t, v.Notebooks[1], nil,
		[]string{
			`stdout: was ✓ poor children in the supported areas: 0.168, is ✓ poor children in the supported areas: 0.169, by ` +
				`+0.001 (+0.6%)`,
			`table (output 1), row 1 (Supported areas), column "Poor": was 16.8% (16.5% to 17.3%), is 16.9% (16.5% to 17.3%), ` +
				`by +0.1 (+0.6%)`,
		},
		[]string{`chart (output 1), point 2 (Population), value: was 0.0751, is 0.075, by -0.0001 (-0.13%)`})
	if v.Same() || !v.Notebooks[0].Same() {
		t.Error("the verdict should be that the second notebook alone differs")
	}
	for _, want := range []string{"internal/rerun/testdata/two-groups.ipynb: the same", "cell 2   DIFFERS", "was 16.8%",
		"Verdict: 1 of 2 notebooks differ: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 of 2 notebooks differ", "16.8% (16.5% to 17.3%)", "&#43;0.1 (&#43;0.6%)",
		"func poor()"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestWhatGoesWrongInACellIsNamed(t *testing.T) {
	t.Parallel()
	display := func(text string) []object {
		return []object{{"output_type": "display_data", "data": object{"text/plain": text}, "metadata": object{}}}
	}
	path := write(t,
		cell{code: first + "fmt.Println(\"poor:\", 5860)", printed: "poor: 5860\n"},
		cell{code: "%%\nfmt.Println(\"poor:\", 5860)", printed: "poor: 5861\n"},
		cell{code: "%%\nfmt.Fprintln(os.Stderr, \"no such year\"); os.Exit(1)", printed: "a figure\n"},
		cell{code: "%%\nreturn undefinedName", printed: "a figure\n"},
		cell{code: "%%\nvar none []int\nfmt.Println(none[3])"},
		cell{code: "%%\n_ = 1", printed: "a figure\n"},
		cell{code: "%%\nfmt.Println(\"more\")"},
		cell{code: "%%\nfmt.Fprintln(os.Stderr, \"a warning\")"},
		cell{code: "%%\n_ = 2", outputs: display("a table")},
		cell{code: "%%\nfmt.Println(\"the end\")", printed: "the end\n", count: 4},
	)
	v, out := verify(t, Options{Notebooks: []string{path}})
	expect(t, v.Notebooks[0],
		nil,
		[]string{"stdout: was poor: 5861, is poor: 5860, by -1 (-0.017%)"},
		[]string{"failed: no such year"},
		[]string{"failed: line 2: undefined: undefinedName"},
		[]string{"index out of range [3] with length 0"},
		[]string{"stdout: missing; committed is a figure"},
		[]string{"stdout: not committed: more"},
		[]string{"stderr: not committed: a warning"},
		[]string{"output 1: missing; committed is a table"},
		[]string{"execution counter is 4, should be 10"},
	)
	if strings.Contains(out, "gonb_") || strings.Contains(out, "\x1b") {
		t.Errorf("the output holds a temporary path or colours:\n%s", out)
	}
}

// The cells ask the server that Options name; its data set is not the one behind what is
// committed.
func TestAnotherDataSetIsNamed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"data":{"dataset":{"name":"children",
			"title":"Children","synthetic":true,"fingerprint":"f00d","years":[2016],"rows":[]}}}`)
	}))
	t.Cleanup(server.Close)
	header := []object{{"output_type": "display_data",
		"metadata": object{"kvarter": object{"fingerprint": "cafe", "synthetic": true}}, "data": object{
			"text/html": "<p><b>Data set:</b> Children, 2016<br><b>Fingerprint:</b> <code>cafe</code></p>\n<p><b>SYNTHETIC " +
				"DATA.</b> The people in it are invented; do not quote its figures as facts.</p>",
			"text/plain": "Data set: Children, 2016\nFingerprint: cafe\nSYNTHETIC DATA. The people in it are invented; do not " +
				"quote its figures as facts."}}}
	path := write(t, cell{code: "%noautoget\nimport " +
		"\"github.com/kvarter/kvarter/notebooks/nb\"\n\n%%\nnb.Header()\nfmt.Println(\"children:\", " +
		"7)", outputs: header, printed: "children: 8\n"})
	v, out := verify(t, Options{Notebooks: []string{path}, URL: server.URL})
	expect(t, v.Notebooks[0], []string{"another data set: the committed outputs come from cafe, the server has f00d",
		"children: 8"})
	if r := v.Notebooks[0]; r.Old != "cafe" || r.New != "f00d" || !strings.Contains(out, "another data set (cafe)") {
		t.Errorf("fingerprints %q and %q:\n%s", r.Old, r.New, out)
	}
}

func TestTheToleranceIsThatOfTheMetadata(t *testing.T) {
	t.Parallel()
	path := write(t,
		cell{code: first + "fmt.Println(1.0001)", printed: "1\n"},
		cell{code: "%%\nfmt.Println(1.0001)", printed: "1\n"})
	n, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n.Cells[1].tree["metadata"] = object{"kvarter": object{"tolerance": object{"absolute": json.Number("0.001")}}}
	if err := n.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	v, out := verify(t, Options{Notebooks: []string{path}})
	expect(t, v.Notebooks[0], []string{"by +0.0001 (+0.01%)"}, nil)
	if !strings.Contains(out, "cell 2   same     1 text, 1 figure; tolerance absolute 0.001\n") {
		t.Errorf("a tolerance of its own is not told:\n%s", out)
	}
	v.Notebooks[0].Cells[0].Differences = nil
	if !strings.HasPrefix(v.String(),
		"all the same: 1 notebook with 2 cells, of which 1 cell by a tolerance of its own, in ") {
		t.Errorf("the verdict does not tell a tolerance of its own: %s", v)
	}
}

func TestAKernelThatDiesIsNamed(t *testing.T) {
	t.Parallel()
	path := write(t,
		cell{code: first + "fmt.Println(\"alive\")", printed: "alive\n"},
		cell{code: "%%\np, _ := os.FindProcess(os.Getppid())\np.Kill()\ntime.Sleep(time.Hour)", printed: "7\n"},
		cell{code: "%%\nfmt.Println(8)", printed: "8\n"})
	v, _ := verify(t, Options{Notebooks: []string{path}, CellTimeout: time.Hour}) // it is not waited for
	expect(t, v.Notebooks[0], nil,
		[]string{"kernel died: the kernel ended (signal: killed)"},
		[]string{"not run: the kernel ended in cell 2"})
}

func TestACellThatTakesTooLongIsStopped(t *testing.T) {
	t.Parallel()
	path := write(t,
		cell{code: first + "time.Sleep(time.Hour)"},
		cell{code: "%%\nfmt.Println(8)", printed: "8\n"})
	v, _ := verify(t, Options{Notebooks: []string{path}, CellTimeout: time.Second})
	expect(t, v.Notebooks[0], []string{"timed out: it took longer than 1s"}, []string{"not run: cell 1 was stopped"})
}

func TestUpdateWritesWhatTheNextRerunFinds(t *testing.T) {
	t.Parallel()
	path := edit(t, "testdata/two-groups.ipynb", "16.9%", "99.9%", `"execution_count": 2`, `"execution_count": 8`)
	fails := write(t, cell{code: first + "os.Exit(1)"})
	shows := write(t, cell{code: first + "fmt.Println(os.Getenv(\"GONB_TMP_DIR\"))"})
	v, out := verify(t, Options{Notebooks: []string{path, fails, shows}, Update: true})
	if !v.Notebooks[0].Updated || v.Notebooks[1].Updated || v.Notebooks[2].Updated {
		t.Errorf("updated are %v, %v, %v; want the first alone\n%s", v.Notebooks[0].Updated, v.Notebooks[1].Updated,
			v.Notebooks[2].Updated, out)
	}
	for i, want := range []string{"", "cell 1: failed", "shows a path of this machine"} {
		if kept := v.Notebooks[i].Kept; !strings.Contains(kept, want) || (want == "") != (kept == "") {
			t.Errorf("notebook %d is kept since %q, want %q", i, kept, want)
		}
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("testdata/two-groups.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	// The dots of a picture are left out, as in a rerun: processors round them otherwise.
	picture := regexp.MustCompile(`"image/png": "[^"]+"`)
	undrawn := []byte(`"image/png": ""`)
	written, committed = picture.ReplaceAll(written, undrawn), picture.ReplaceAll(committed, undrawn)
	if !bytes.Equal(golden.Keep(written, committed), committed) {
		t.Errorf("an update does not give what is committed; it gives\n%s", written)
	}
}

func TestWrongUseIsSaidBeforeAnythingRuns(t *testing.T) {
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const good = "testdata/two-groups.ipynb"
	broken := file("broken.ipynb", "{\n\"cells\": [\n}")
	python := edit(t, good, `"language": "go"`, `"language": "python"`, `"name": "kvarter"`, `"name": "python3"`)
	for want, o := range map[string]Options{
		"there is no notebook nowhere.ipynb":          {Notebooks: []string{good, "nowhere.ipynb"}},
		"broken.ipynb cannot be read":                 {Notebooks: []string{broken}},
		"(line 3)":                                    {Notebooks: []string{broken}},
		"testdata is a folder; name a notebook in it": {Notebooks: []string{"testdata"}},
		"the file is empty":                           {Notebooks: []string{file("empty.ipynb", "\n")}},
		"it is a JSON array, not an object":           {Notebooks: []string{file("list.ipynb", "[1]")}},
		"it is JSON without an nbformat":              {Notebooks: []string{file("other.ipynb", `{"a": 1}`)}},
		"its nbformat is 3; it should be 4": {Notebooks: []string{file("old.ipynb",
			`{"nbformat": 3, "cells": []}`)}},
		"it has no code cell to run": {Notebooks: []string{file("blank.ipynb",
			`{"nbformat": 4, "cells": []}`)}},
		`it is a notebook in python (kernel "python3"), and verify runs notebooks in Go`: {Notebooks: []string{python}},
		"is named twice": {Notebooks: []string{good, "./" + good}},
		"there is no folder nowhere": {Notebooks: []string{good},
			Report: "nowhere/report.html"},
		"that is a folder; name a file in it": {Notebooks: []string{good}, Report: "testdata"},
		"would be written over the notebook":  {Notebooks: []string{good}, Report: good},
		"names a notebook; call it e.g. report.html": {Notebooks: []string{good},
			Report: filepath.Join(t.TempDir(), "report.ipynb")},
		"there is no notebook in " + os.TempDir(): {Repo: os.TempDir()},
		"kvarter.tolerance is -1; it should be zero": {Notebooks: []string{edit(t, good,
			`"language_info": {`, `"kvarter": {"tolerance": -1}, "language_info": {`)}},
		"kvarter.tolerance is relative 100, by which any figure is the same": {Notebooks: []string{edit(t, good,
			`"language_info": {`, `"kvarter": {"tolerance": {"relative": 100}}, "language_info": {`)}},
		"kvarter.tolerance is relative 1, by which any figure is the same": {Notebooks: []string{edit(t, good,
			`"language_info": {`, `"kvarter": {"tolerance": 1}, "language_info": {`)}},
		"kvarter.cells in its metadata is not a": {Notebooks: []string{edit(t, good,
			`"language_info": {`, `"kvarter": {"cells": 1}, "language_info": {`)}},
	} {
		if o.Repo == "" {
			o.Repo = "../.."
		}
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check: error = %v, want one with %q", err, want)
		}
		if _, err := Verify(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Verify: error = %v, want one with %q", err, want)
		}
	}
}

// The caller's locale, time zone and flags of Go do not reach the cells.
func TestTheCallersEnvironmentChangesNoOutput(t *testing.T) {
	for name, value := range map[string]string{"LC_ALL": "da_DK.UTF-8", "LANGUAGE": "da", "TZ": "Asia/Tokyo",
		"GOFLAGS": "-mod=nonsense", "GOOS": "plan9", "SECRET": "x"} {
		t.Setenv(name, value)
	}
	const code = "%noautoget\n!*bash -c 'echo $LC_ALL $LANGUAGE $SECRET'\n%%\nfmt.Println(time.Unix(0, 0), " +
		"os.Getenv(\"LC_ALL\"), os.Getenv(\"SECRET\") == \"\")"
	path := write(t, cell{code: code, printed: "C\n1970-01-01 00:00:00 +0000 UTC C true\n"})
	if v, out := verify(t, Options{Notebooks: []string{path}}); !v.Same() {
		t.Error(out)
	}
}

// Cells see the environment that the options add, and only notebooks that are to run are searched.
func TestEnvironmentAndMention(t *testing.T) {
	path := write(t, cell{code: first + `fmt.Println(os.Getenv("KVARTER_TEST_WORLD"))`, printed: "the other\n"})
	o := Options{Notebooks: []string{path}, Env: []string{"KVARTER_TEST_WORLD=the other"}}
	if v, out := verify(t, o); !v.Same() {
		t.Error(out)
	}
	if !o.Mention("KVARTER_TEST_WORLD") || o.Mention("nb.AreaEffectWorld") {
		t.Error("the notebook mentions KVARTER_TEST_WORLD, and no area effect")
	}
}
