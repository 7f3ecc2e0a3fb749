package notebooks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestQuestions(t *testing.T) {
	questions, err := Questions()
	if err != nil {
		t.Fatal(err)
	}
	const listsTitle = "Which real areas came on the ministry's lists and went off, by which criterion, and how near?"
	found, ofLists := false, false
	for _, q := range questions {
		if strings.Count(q.Document, "{") != strings.Count(q.Document, "}") || q.Title == "" ||
			strings.Contains(q.Notebook, ".ipynb") {
			t.Errorf("not a whole question: %+v", q)
		}
		if lists := q.Notebook == listsTitle; (q.DataSet == "official") != lists || q.DataSet != "" && !lists {
			t.Errorf("%s reads the data set %q", q.Notebook, q.DataSet)
		}
		if q.DataSet != "" {
			ofLists = true
		}
		found = found || q.Title == "How many are poor?" && q.Variables != "" &&
			strings.Contains(q.Document, "share(of: POOR)")
	}
	if !found {
		t.Errorf("the first notebook's question is not among the %d found", len(questions))
	}
	if !ofLists {
		t.Errorf("no question of the official lists is among the %d found", len(questions))
	}
}

// From the guide every slide is one step from the heading that explains it.
func TestEverySlideLeadsToAHeading(t *testing.T) {
	guide, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	slides := map[string]bool{}
	link := regexp.MustCompile(`\]\(([^#)]+)#([^)]+)\)`)
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \| .*$`).FindAllStringSubmatch(string(guide), -1) {
		for _, m := range link.FindAllStringSubmatch(row[0], -1) {
			slides[row[1]] = true
			if !slices.Contains(headings(t, m[1]), m[2]) {
				t.Errorf("slide %s: %s has no heading #%s; it has %v", row[1], m[1], m[2], headings(t, m[1]))
			}
		}
	}
	for _, slide := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17") {
		if !slides[slide] {
			t.Errorf("slide %s is not in the guide's table", slide)
		}
	}
}

// A cell is read at one glance.
func TestCellsAreShort(t *testing.T) {
	files, err := filepath.Glob("*.ipynb")
	if err != nil || len(files) == 0 {
		t.Fatalf("notebooks: %v, %v", files, err)
	}
	for _, file := range files {
		for i, c := range cells(t, file) {
			if lines := len(c.Source); c.Type == "code" && lines > 15 {
				t.Errorf("%s: cell %d has %d lines; at most fifteen", file, i, lines)
			}
		}
	}
}

type cell struct {
	Type   string `json:"cell_type"`
	Source []string
}

func cells(t *testing.T, file string) []cell {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var notebook struct{ Cells []cell }
	if err := json.Unmarshal(text, &notebook); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return notebook.Cells
}

// headings returns the headings of a notebook as Jupyter links to them.
func headings(t *testing.T, file string) (out []string) {
	t.Helper()
	for _, c := range cells(t, file) {
		for _, line := range c.Source {
			if heading, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok && c.Type == "markdown" {
				out = append(out, strings.ReplaceAll(heading, " ", "-"))
			}
		}
	}
	return out
}
