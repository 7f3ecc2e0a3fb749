package snapshot

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Severity says what a finding does: an error blocks an import, a warning is worth a look.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is something wrong or odd in the data, with where it stands.
type Finding struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"`             // the file that holds it, relative to the recipe or the snapshot
	Row      string   `json:"row,omitempty"`    // its row there, counted from 1 after a header; "line N"; in a JSON tree its path, e.g. 2012[27]
	Column   string   `json:"column,omitempty"` // of the contract; in a finding about a file, of the file
	Rule     string   `json:"rule"`             // a word, e.g. code
	Value    string   `json:"value,omitempty"`  // as it stands in the file
	Message  string   `json:"message"`          // what is wrong and what would be right
	Rows     int64    `json:"rows"`             // the rows it stands for: 1, or all that are not listed one by one

	// The row of the contract's table, from which Check knows again what an import has said.
	Table    string `json:"table,omitempty"`
	TableRow int64  `json:"tableRow,omitempty"`
}

// String is the finding in one line.
func (f Finding) String() string {
	where := f.File
	switch {
	case strings.HasPrefix(f.Row, "line "):
		where += " " + f.Row
	case f.Row != "":
		where += " row " + f.Row
	}
	if f.Column != "" {
		where += ", " + f.Column
	}
	return fmt.Sprintf("%s (%s): %s: %s", f.Severity, f.Rule, where, f.Message)
}

// Count returns how many rows the findings call wrong, and how many odd.
func Count(findings []Finding) (errors, warnings int64) {
	for _, f := range findings {
		if f.Severity == Error {
			errors += f.Rows
		} else {
			warnings += f.Rows
		}
	}
	return errors, warnings
}

// FindingsFile is where Report lists every finding, within the data folder.
const FindingsFile = "findings.csv"

// shownOfARule is how many findings of one rule Report prints; the file has all.
const shownOfARule = 10

// Report prints findings to w, errors first: the first of each rule, and how many more there are.
// Where not all are printed, all are in the file findings.csv of the data folder dir.
func Report(w io.Writer, dir string, findings []Finding) (err error) {
	list := filepath.Join(dir, FindingsFile)
	left := false
	for _, severity := range []Severity{Error, Warning} {
		shown, more := map[string]int{}, map[string]int64{}
		var rules []string
		for _, f := range findings {
			if f.Severity != severity {
				continue
			}
			if shown[f.Rule] == 0 {
				rules = append(rules, f.Rule)
			}
			if shown[f.Rule]++; shown[f.Rule] > shownOfARule {
				more[f.Rule] += f.Rows
			}
		}
		for _, rule := range rules {
			n := 0
			for _, f := range findings {
				if f.Severity != severity || f.Rule != rule {
					continue
				}
				if n++; n > shownOfARule {
					break
				}
				if _, err := fmt.Fprintln(w, f); err != nil {
					return err
				}
			}
			if more[rule] > 0 {
				left = true
				if _, err := fmt.Fprintf(w, "%s (%s): and %s, in %s\n", severity, rule, plural(more[rule], "more row"), list); err != nil {
					return err
				}
			}
		}
	}
	if left {
		if err := writeFindings(list, findings); err != nil {
			return err
		}
	} else if _, err := os.Lstat(list); err == nil {
		if err := os.Remove(list); err != nil {
			return err // an old list would be taken for this one
		}
	}
	e, o := Count(findings)
	_, err = fmt.Fprintf(w, "%s, %s\n", plural(e, "error"), plural(o, "warning"))
	return err
}

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.FormatInt(n, 10) + " " + word + "s"
}

func writeFindings(file string, findings []Finding) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	rows := [][]string{{"severity", "file", "row", "column", "rule", "value", "message", "rows"}}
	for _, f := range findings {
		rows = append(rows, []string{string(f.Severity), f.File, f.Row, f.Column, f.Rule, f.Value, f.Message, strconv.FormatInt(f.Rows, 10)})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return writeAtomically(file, b.String(), 0o600) // it holds values
}

// storedFindings is the file of a snapshot that keeps what the import found: the user's files
// may be gone when the snapshot is checked.
const storedFindings = "findings.json"

func storeFindings(folder string, findings []Finding) error {
	text, err := json.MarshalIndent(findings, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, storedFindings), append(text, '\n'), 0o600)
}

// loadFindings returns what the import found; none where the snapshot was not imported.
func loadFindings(folder string) ([]Finding, error) {
	text, err := os.ReadFile(filepath.Join(folder, storedFindings))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var findings []Finding
	if err := json.Unmarshal(text, &findings); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, storedFindings), err)
	}
	return findings, nil
}
