// Package notebooks holds the notebooks, so that the server can offer their questions.
package notebooks

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

//go:embed *.ipynb
var files embed.FS

// Question is a GraphQL document that a notebook asks.
type Question struct {
	Notebook  string // the notebook's title
	Title     string // the heading above the cell
	Document  string
	Variables string // a JSON object, or ""
	DataSet   string // the name of the data set that the notebook states it reads; "" for the one in use
}

// In a cell a document is a raw string that starts like one.
var (
	document = regexp.MustCompile("`((?:query[ (]|\\{)[^`]*)`")
	heading  = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	variable = regexp.MustCompile(`\$(\w+): *(\[?\w+!?\]?!?)`)
	reads    = regexp.MustCompile(`= nb\.(\w+)\.Reads\(`)
)

// datasets are the names of the data sets of the worlds of package nb that have one of their own, and the
// year that their questions are best asked of.
var datasets = map[string]struct {
	name string
	year int
}{"": {year: 2016}, "OfficialLists": {"official", 2014}}

// Questions returns the documents of all notebooks, in their order. The variable `year` is given
// as 2016, or as the last year of the lists; a document that needs another is left out, since a reader
// could not run it as it is.
func Questions() ([]Question, error) {
	names, err := fs.Glob(files, "*.ipynb")
	if err != nil {
		return nil, err
	}
	var out []Question
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var notebook struct {
			Cells []struct {
				Kind   string   `json:"cell_type"`
				Source []string `json:"source"`
			} `json:"cells"`
		}
		if err := json.Unmarshal(text, &notebook); err != nil {
			return nil, fmt.Errorf("notebooks/%s: %w", name, err)
		}
		title, section, dataset := name, "", datasets[""]
		for i, cell := range notebook.Cells {
			source := strings.Join(cell.Source, "")
			if cell.Kind == "markdown" {
				if found := heading.FindAllStringSubmatch(source, -1); found != nil {
					section = found[len(found)-1][1]
					if i == 0 {
						title = section
					}
				}
				continue
			}
			if found := reads.FindStringSubmatch(source); found != nil {
				dataset = datasets[found[1]]
			}
			for _, found := range document.FindAllStringSubmatch(source, -1) {
				q := Question{Notebook: title, Title: section, Document: strings.TrimSpace(found[1]),
					DataSet: dataset.name}
				if q.giveVariables(dataset.year) {
					out = append(out, q)
				}
			}
		}
	}
	return out, nil
}

// giveVariables fills in the variables that the document needs, and reports whether it could.
func (q *Question) giveVariables(year int) bool {
	declared, _, _ := strings.Cut(q.Document, "{")
	for _, v := range variable.FindAllStringSubmatch(declared, -1) {
		switch {
		case v[1] == "year" && v[2] == "Int!":
			q.Variables = fmt.Sprintf(`{ "year": %d }`, year)
		case strings.HasSuffix(v[2], "!"):
			return false
		}
	}
	return true
}
