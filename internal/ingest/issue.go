package ingest

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

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// Severity says what an issue does: an error blocks an import, a warning is worth a look.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Issue is something wrong or odd in the data, with where it stands.
type Issue struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file"` // the file that holds it, relative to the recipe or the snapshot
	// its row there, counted from 1 after a header; "line N"; in a JSON tree its path, e.g. 2012[27]
	Row     string `json:"row,omitempty"`
	Column  string `json:"column,omitempty"` // of the contract; in an issue about a file, of the file
	Rule    string `json:"rule"`             // a word, e.g. code
	Value   string `json:"value,omitempty"`  // as it stands in the file
	Message string `json:"message"`          // what is wrong and what would be right
	Rows    int64  `json:"rows"`             // the rows it stands for: 1, or all that are not listed one by one

	// The row of the contract's table, from which Check knows again what an import has said.
	Table    string `json:"table,omitempty"`
	TableRow int64  `json:"tableRow,omitempty"`
}

// String is the issue in one line.
func (f Issue) String() string {
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

// Count returns how many rows the issues call wrong, and how many odd.
func Count(issues []Issue) (errors, warnings int64) {
	for _, f := range issues {
		if f.Severity == Error {
			errors += f.Rows
		} else {
			warnings += f.Rows
		}
	}
	return errors, warnings
}

// shownOfARule is how many issues of one rule Report prints; the file has all.
const shownOfARule = 10

// Report prints issues to w, errors first: the first of each rule, and how many more there are.
// Where not all are printed, all are in snapshot.ReportFile of the data folder dir; where that cannot be
// written, as in a folder that may only be read, it says so.
func Report(w io.Writer, dir string, issues []Issue) (err error) {
	list := filepath.Join(dir, snapshot.ReportFile)
	where, unlisted := ", in "+list, listIssues(dir, issues)
	if unlisted != nil {
		where = ""
	}
	for _, severity := range []Severity{Error, Warning} {
		shown, more := map[string]int{}, map[string]int64{}
		var rules []string
		for _, f := range issues {
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
			for _, f := range issues {
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
				if _, err := fmt.Fprintf(w, "%s (%s): and %s%s\n", severity, rule, plural(more[rule], "more row"),
					where); err != nil {
					return err
				}
			}
		}
	}
	if unlisted != nil {
		if _, err := fmt.Fprintf(w, "%s does not list these: %s\n", list, fault.Message(unlisted)); err != nil {
			return err
		}
	}
	e, o := Count(issues)
	_, err = fmt.Fprintf(w, "%s, %s\n", plural(e, "error"), plural(o, "warning"))
	return err
}

// listIssues writes the list if Report does not print all of the issues; else it takes an old one away,
// which would be taken for this one.
func listIssues(dir string, issues []Issue) error {
	shown := map[Issue]int{}
	for _, f := range issues {
		rule := Issue{Severity: f.Severity, Rule: f.Rule}
		if shown[rule]++; shown[rule] > shownOfARule {
			table, err := issueTable(issues)
			if err != nil {
				return err
			}
			return snapshot.WriteReport(dir, table)
		}
	}
	return snapshot.WriteReport(dir, "")
}

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.FormatInt(n, 10) + " " + word + "s"
}

// issueTable lists issues in CSV.
func issueTable(issues []Issue) (string, error) {
	var b strings.Builder
	rows := [][]string{{"severity", "file", "row", "column", "rule", "value", "message", "rows"}}
	for _, f := range issues {
		rows = append(rows, []string{string(f.Severity), f.File, f.Row, f.Column, f.Rule, f.Value, f.Message,
			strconv.FormatInt(f.Rows, 10)})
	}
	err := csv.NewWriter(&b).WriteAll(rows)
	return b.String(), err
}

// storedReport is the file of a snapshot that keeps what the import found: the user's files may be
// gone when the snapshot is checked. In one that was imported before it had this name it is
// formerReport.
const (
	storedReport = "import-report.json"
	formerReport = "findings.json"
)

func storeIssues(folder string, issues []Issue) error {
	text, err := json.MarshalIndent(issues, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, storedReport), append(text, '\n'), 0o600)
}

// loadIssues returns what the import found; none where the snapshot was not imported.
func loadIssues(folder string) ([]Issue, error) {
	for _, name := range []string{storedReport, formerReport} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var issues []Issue
		if err := json.Unmarshal(text, &issues); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(folder, name), err)
		}
		return issues, nil
	}
	return nil, nil
}
