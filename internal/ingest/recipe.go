package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"golang.org/x/text/unicode/norm"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// Recipe says how a data set is made from a user's own files: what it is, and for each table of
// the contract that it has, a SELECT over CSV, JSON or Parquet files of the recipe's folder.
type Recipe struct {
	snapshot.Meta
	file   string // as the user named it
	folder string // absolute, without symbolic links; the only place its SELECTs read
	tables []recipeTable
}

// recipeTable is the SELECT for one table.
type recipeTable struct {
	*contract.Table
	selects string
	line    int // of the recipe, where the SELECT begins
}

// ReadRecipe reads and checks a recipe. Every mistake is listed, one a line, with file and line.
func ReadRecipe(file string, c *contract.Contract) (*Recipe, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.NotFoundf("there is no recipe %s", file)
	}
	if err != nil {
		return nil, fault.Invalidf("the recipe cannot be read: %w", err)
	}
	if bad := badByte(text); bad >= 0 {
		return nil, fault.Invalidf("%s:%d: the recipe is not UTF-8 (byte 0x%02X); save it as UTF-8", file,
			1+bytes.Count(text[:bad], []byte{'\n'}), text[bad])
	}
	r, err := parseRecipe(file, text, c)
	if err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	r.folder, err = filepath.EvalSymlinks(folder)
	return r, err
}

func parseRecipe(file string, text []byte, c *contract.Contract) (*Recipe, error) {
	p := &recipeParser{contract: c, recipe: &Recipe{file: file}}
	tree, err := parser.ParseBytes(text, 0)
	switch {
	case err != nil:
		var located yaml.Error
		if !errors.As(err, &located) || located.GetToken() == nil {
			return nil, fault.Invalidf("%s: %s", file, err)
		}
		p.wrong(located.GetToken().Position.Line, "%s%s", located.GetMessage(), yamlHint(located.GetMessage()))
	case len(tree.Docs) > 1:
		p.wrong(1, "one YAML document was expected, found %d", len(tree.Docs))
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil:
		p.wrong(1, "the recipe is empty; name, title, synthetic, licence, citation, sources and tables were expected")
	default:
		p.recipeNode(tree.Docs[0].Body)
	}
	if len(p.mistakes) > 0 {
		return nil, fault.Invalidf("%s", strings.Join(p.mistakes, "\n"))
	}
	return p.recipe, nil
}

// yamlHint says what most often is behind a message of the YAML parser.
func yamlHint(message string) string {
	switch {
	case strings.Contains(message, "mapping value is not allowed"):
		return `; a text with ": " in it needs quotes, and a SELECT of more than one line begins with select: |`
	case strings.Contains(message, "found character '\t'"):
		return "; YAML is indented with blanks, not with tabs"
	}
	return ""
}

type recipeParser struct {
	contract *contract.Contract
	recipe   *Recipe
	mistakes []string
}

func (p *recipeParser) wrong(line int, format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf("%s:%d: %s", p.recipe.file, line, fmt.Sprintf(format, args...)))
}

// entries calls each for every entry of a mapping whose keys must be among known; those of
// required that are not there are mistakes.
func (p *recipeParser) entries(node ast.Node, what string, known, required []string,
	each func(key string, line int, value ast.Node)) {
	m, ok := node.(ast.MapNode)
	if !ok {
		p.wrong(lineOf(node), "%s: a mapping was expected, with %s", what, strings.Join(known, ", "))
		return
	}
	line, seen := 0, map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		at := lineOf(it.Key())
		if line == 0 {
			line = at
		}
		switch {
		case !slices.Contains(known, key):
			p.wrong(at, "%s has no %q%s", what, key, fault.Suggest(key, known))
		case seen[key]:
			p.wrong(at, "%s: %q stands twice", what, key)
		default:
			each(key, at, it.Value())
		}
		seen[key] = true
	}
	for _, key := range required {
		if !seen[key] {
			p.wrong(max(line, 1), "%s: %q is missing", what, key)
		}
	}
}

func (p *recipeParser) recipeNode(node ast.Node) {
	known := []string{"name", "title", "synthetic", "licence", "citation", "sources", "tables"}
	m := &p.recipe.Meta
	p.entries(node, "the recipe", known, known, func(key string, line int, value ast.Node) {
		switch key {
		case "name":
			m.Name = p.text(key, value)
			if m.Name != "" && !snapshot.ValidName(m.Name) {
				p.wrong(line, "name: 1 to 60 letters, digits, '-' and '_' were expected, got %q", m.Name)
			}
		case "title":
			m.Title = p.text(key, value)
		case "licence":
			m.Licence = p.text(key, value)
		case "citation":
			m.Citation = p.text(key, value)
		case "synthetic":
			b, ok := value.(*ast.BoolNode)
			if !ok {
				p.wrong(lineOf(value), "synthetic: true (no real person is in the data) or false was expected")
				return
			}
			m.Synthetic = b.Value
		case "sources":
			p.sources(line, value)
		case "tables":
			p.tables(line, value)
		}
	})
}

var isoDate = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

func (p *recipeParser) sources(line int, node ast.Node) {
	list, ok := node.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		p.wrong(line, "sources: a list of at least one source, each with title and publisher, was expected")
		return
	}
	for _, item := range list.Values {
		var s snapshot.Source
		p.entries(item, "a source", []string{"title", "publisher", "url", "accessed", "licence"},
			[]string{"title", "publisher"}, func(key string, line int, value ast.Node) {
				switch text := p.text(key, value); key {
				case "title":
					s.Title = text
				case "publisher":
					s.Publisher = text
				case "url":
					s.URL = text
				case "licence":
					s.Licence = text
				case "accessed":
					s.Accessed = text
					if text != "" && !isoDate.MatchString(text) {
						p.wrong(line, "accessed: a date YYYY-MM-DD was expected, got %q", text)
					}
				}
			})
		p.recipe.Sources = append(p.recipe.Sources, s)
	}
}

func (p *recipeParser) tables(line int, node ast.Node) {
	var known []string
	for _, t := range p.contract.Tables {
		known = append(known, t.Name)
	}
	p.entries(node, "tables", known, nil, func(name string, line int, value ast.Node) {
		t := recipeTable{Table: p.contract.Table(name)}
		p.entries(value, "table "+name, []string{"select"}, []string{"select"}, func(_ string, _ int, value ast.Node) {
			t.selects, t.line = p.text("select", value), lineOf(value)
			if _, ok := value.(*ast.LiteralNode); ok {
				t.line++ // the text of a block begins on the line after its mark
			}
		})
		p.recipe.tables = append(p.recipe.tables, t)
	})
	if m, ok := node.(ast.MapNode); ok && !m.MapRange().Next() {
		p.wrong(line, "tables: at least one table of the contract was expected")
	}
	// In the contract's order, whatever the recipe's.
	slices.SortStableFunc(p.recipe.tables, func(a, b recipeTable) int {
		return slices.Index(p.contract.Tables, a.Table) - slices.Index(p.contract.Tables, b.Table)
	})
}

// text returns the text of a scalar that must not be empty, or reports what was expected.
func (p *recipeParser) text(key string, node ast.Node) string {
	var text string
	switch n := node.(type) {
	case *ast.StringNode:
		text = n.Value
	case *ast.LiteralNode:
		text = n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode:
		text = n.GetToken().Value
	}
	if strings.TrimSpace(text) == "" {
		p.wrong(lineOf(node), "%s: a text was expected", key)
	}
	return norm.NFC.String(strings.TrimRight(text, " \n"))
}

func lineOf(node ast.Node) int {
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 1
	}
	return max(node.GetToken().Position.Line, 1)
}
