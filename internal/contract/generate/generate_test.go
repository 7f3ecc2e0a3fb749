package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// One dimension and one indicator more are two entries in the contract: after generation the API
// answers questions about them, with no other line changed. The copy is built and asked as a
// user would build and ask it; the expected counts are a hand-written SQL query's over the same world.
func TestANewVariableIsOneEntry(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a copy of the whole project; run without -short")
	}
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	for _, name := range append(rooms(t, root), "go.mod", "go.sum", "gqlgen.yml") {
		copyTree(t, filepath.Join(root, name), filepath.Join(copied, name))
	}
	before := contents(t, copied)
	name := filepath.Join(copied, "data", "contract.yaml")
	text := edit(t, name, "  DAY_CARE_TYPE: {field", `  WEALTH_SIGN:
    field: wealthSign
    type: WealthSign
    columns: [child_year.wealth]
    filter: wealthSign
    label: {da: Gæld eller formue, en: Debt or wealth}
    definition: {da: Fortegnet på nettoformuen., en: The sign of the net wealth.}
    codes:
      - {code: DEBT, range: [-2000000000, -1], label: {da: Gæld, en: Debt}}
      - {code: WEALTH, range: [0, 2000000000], label: {da: Formue, en: Wealth}}
  DAY_CARE_TYPE: {field`)
	if err := os.WriteFile(name, []byte(strings.Replace(text, "\nindicators:\n", `
indicators:
  STUDENT_FAMILY: {tables: [child_year], when: {column: student_main_earner, is: true}, 
    label: {da: Studerende familie, en: Student family}, source: statistics,
    definition: {da: Hovedforsørger studerer., en: The main earner studies.}}
`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "resolvers", "testdata", "new.txtar"),
		[]byte(`A variable added to the contract is answered.

-- query.graphql --
{ children(where: {wealthSign: [DEBT]}) { breakdown(of: STUDENT_FAMILY, by: [WEALTH_SIGN]) { 
  nodes { key { wealthSign } estimate { numerator denominator } } } } }
-- want.json --
{
  "data": {
    "children": {
      "breakdown": {
        "nodes": [
          {
            "key": {
              "wealthSign": "DEBT"
            },
            "estimate": {
              "numerator": 28,
              "denominator": 1188
            }
          }
        ]
      }
    }
  }
}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	test := filepath.Join("resolvers", "testdata", "new.txtar")
	t.Chdir(copied)
	if err := run("."); err != nil {
		t.Fatal(err)
	}
	after := contents(t, copied)
	program := built(t, root, copied, before, after)
	command := exec.Command(program, "-test.run", "TestAnswers/(new|share)$", "-test.v")
	command.Dir = filepath.Join(copied, "resolvers")
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAnswers/new") {
		t.Fatalf("%v\n%s", err, out)
	}
	// One file by hand, as CONTRIBUTING.md says; what else has changed is generated.
	var byHand []string
	for file, text := range after {
		generated := strings.HasSuffix(file, ".generated.go") || strings.HasSuffix(file, ".resolvers.go") ||
			slices.Contains([]string{filepath.Join("graph", "schema", "contract.graphqls"), filepath.Join("data", "README.md"),
				test, "go.mod", "go.sum"}, file)
		if text != before[file] && !generated {
			byHand = append(byHand, file)
		}
	}
	if want := []string{filepath.Join("data", "contract.yaml")}; !slices.Equal(byHand, want) {
		t.Errorf("a new variable touches %v by hand, want %v", byHand, want)
	}
}

// rooms returns the folders of the project's packages that the API and the generator are made of.
func rooms(t *testing.T, root string) (out []string) {
	t.Helper()
	list := exec.Command("go", "list", "-deps", "-test", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}",
		"./resolvers", "./internal/contract/generate")
	list.Dir = root
	text, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	for _, folder := range strings.Fields(string(text)) {
		name, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// built builds the tests of the API as they would be in the root with the files of the copy: the
// packages that have not changed are those of the root, and need not be compiled again.
func built(t *testing.T, root, copied string, before, after map[string]string) (program string) {
	t.Helper()
	replace := map[string]string{}
	for file, text := range after {
		if text != before[file] {
			replace[filepath.Join(root, file)] = filepath.Join(copied, file)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(list, overlay, 0o644); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(t.TempDir(), "resolvers.test")
	build := exec.Command("go", "test", "-overlay", list, "-c", "-o", program, "./resolvers")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	return program
}

// contents returns the texts of all files below the folder, by name.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(folder, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(folder, name)
		out[rest] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A mistake is reported with file, line and what was expected, and nothing is written.
func TestAMistakeWritesNothing(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	copyTree(t, filepath.Join(root, "data", "contract.yaml"), filepath.Join(copied, "data", "contract.yaml"))
	name := filepath.Join(copied, "data", "contract.yaml")
	text := edit(t, name, "when: {column: poor, is: true}", "when: {column: por, is: true}")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(copied)
	err = run(".")
	if err == nil || !strings.Contains(err.Error(), `contract.yaml:`) ||
		!strings.Contains(err.Error(), "did you mean poor?") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(copied, "graph")); err == nil {
		t.Error("something was written all the same")
	}
}

// edit returns the file's text with the first old replaced.
func edit(t *testing.T, name, old, changed string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q", name, old)
	}
	return strings.Replace(string(text), old, changed, 1)
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if entry.Name() == "snapshots" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rest), 0o755)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rest)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rest), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}
