package ingest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// Whoever may only read the folder is told what was found all the same, and that it is listed nowhere.
func TestIssuesThatCannotBeListed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file") // which holds no list
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var issues []ingest.Issue
	for i := range 12 {
		issues = append(issues, ingest.Issue{Severity: ingest.Warning, File: "f", Rule: "jump", Value: fmt.Sprint(i),
			Rows: 1})
	}
	var out strings.Builder
	if err := ingest.Report(&out, file, issues); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 13 || lines[10] != "warning (jump): and 2 more rows" ||
		!strings.HasPrefix(lines[11], filepath.Join(file, "import-report.csv")+" does not list these: ") ||
		lines[12] != "0 errors, 12 warnings" {
		t.Errorf("%s", out.String())
	}
}
