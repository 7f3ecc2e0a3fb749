package rerun

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"time"

	"github.com/kvarter/kvarter/internal/fault"
)

//go:embed report.html
var reportSource string

var report = template.Must(template.New("report").Funcs(template.FuncMap{
	"short":   func(d time.Duration) string { return d.Round(10 * time.Millisecond).String() },
	"summary": Result.summary,
	"plural":  plural,
	"total":   Result.differences,
}).Parse(reportSource))

// reportable finds out early whether the report can be written.
func reportable(path string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fault.Invalidf("the report cannot be written to %s: there is no folder %s", path, folder)
	}
	return nil
}

// writeReport writes the verdict as one HTML file that needs nothing else.
func (v Verdict) writeReport(path string) (err error) {
	defer fault.Wrap(&err, "writing the report")
	f, err := os.Create(path)
	if err != nil {
		return fault.Invalidf("the report cannot be written: %w", err)
	}
	if err := report.Execute(f, v); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Close()
}
