package rerun

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"slices"
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

// Data is the data sets that the cells of the notebooks saw, each with its fingerprint and
// whether it is synthetic.
func (v Verdict) Data() []string {
	var out []string
	for _, n := range v.Notebooks {
		if n.New == "" {
			continue
		}
		text := "fingerprint " + n.New
		if n.Data != "" {
			text = n.Data + ", " + text
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		out = append(out, "not known: no cell shows it with nb.Header")
	}
	return out
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
