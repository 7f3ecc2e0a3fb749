package notebooks

import (
	"strings"
	"testing"
)

func TestQuestions(t *testing.T) {
	questions, err := Questions()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, q := range questions {
		if strings.Count(q.Document, "{") != strings.Count(q.Document, "}") || q.Title == "" || strings.Contains(q.Notebook, ".ipynb") {
			t.Errorf("not a whole question: %+v", q)
		}
		found = found || q.Title == "How many are poor?" && q.Variables != "" && strings.Contains(q.Document, "share(of: POOR)")
	}
	if !found {
		t.Errorf("the first notebook's question is not among the %d found", len(questions))
	}
}
