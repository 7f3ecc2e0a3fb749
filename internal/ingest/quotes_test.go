package ingest_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// Quotes are quotes where the first of them comes after all that DuckDB takes for its sample, also
// in a file that is read from a copy in UTF-8.
func TestLateQuotes(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("plan_id,name,start\n")
	for i := range 50_000 {
		fmt.Fprintf(&text, "P%d,Plan \xd8 %[1]d,2014-01-01\n", i)
	}
	text.WriteString("last,\"Plan, \xd8\",2014-01-01\n")
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "plans.csv"), text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	_, findings, err := importFolder(t, folder,
		plansRecipe+"SELECT plan_id, name, start FROM read_csv('plans.csv', encoding = 'latin-1')\n")
	if wrong, _ := ingest.Count(findings); err != nil || wrong > 0 {
		t.Errorf("got %v, %v", err, findings)
	}
}
