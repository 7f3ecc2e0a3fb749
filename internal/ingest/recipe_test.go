package ingest

import (
	"strings"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
)

func contractInForce(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const wholeRecipe = `name: mine
title: Mine
synthetic: false
licence: CC-BY-4.0
citation: Mine, 2024
sources:
  - title: Population
    publisher: Statistics Denmark
    url: https://www.statbank.dk/
    accessed: 2024-05-01
    licence: CC-BY-4.0
tables:
  child_year:
    select: |
      SELECT year,
             age
      FROM 'children.csv'
  area: {select: SELECT 1}
`

func TestRecipe(t *testing.T) {
	r, err := parseRecipe("recipe.yaml", []byte(wholeRecipe), contractInForce(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "mine" || r.Title != "Mine" || r.Synthetic || r.Licence != "CC-BY-4.0" || r.Citation != "Mine, 2024" {
		t.Errorf("got %+v", r.Meta)
	}
	if len(r.Sources) != 1 || r.Sources[0] != (snapshot.Source{Title: "Population", Publisher: "Statistics Denmark",
		URL: "https://www.statbank.dk/", Accessed: "2024-05-01", Licence: "CC-BY-4.0"}) {
		t.Errorf("got %+v", r.Sources)
	}
	if len(r.tables) != 2 || r.tables[0].Name != "area" || r.tables[1].Name != "child_year" || r.tables[1].line != 15 ||
		r.tables[0].line != 18 || !strings.HasPrefix(r.tables[1].selects, "SELECT year,\n") {
		t.Errorf("got %+v", r.tables)
	}
}

func TestRecipeMistakes(t *testing.T) {
	tests := []struct{ name, old, new, want string }{
		{"an unknown key", "licence: CC-BY-4.0\ncitation", "license: CC-BY-4.0\ncitation",
			`recipe.yaml:4: the recipe has no "license"; did you mean licence?`},
		{"a key that is missing", "citation: Mine, 2024\n", "", `recipe.yaml:1: the recipe: "citation" is missing`},
		{"a colon in a title", "title: Mine", "title: Mine: 2024",
			`recipe.yaml:2: mapping value is not allowed in this context; a text with ": " in it needs quotes`},
		{"a tab at the first table", "  child_year:", "\tchild_year:",
			`cannot start any token; YAML is indented with blanks, not with tabs`},
		{"an unknown table", "  area:", "  aera:", `recipe.yaml:18: tables has no "aera"; did you mean area?`},
		{"an unknown key of a table", "{select: SELECT 1}", "{sql: SELECT 1}",
			`recipe.yaml:18: table area has no "sql"; known are select`},
		{"a table without a SELECT", "{select: SELECT 1}", "{select: }", `recipe.yaml:18: select: a text was expected`},
		{"an unknown key of a source", "    accessed", "    acessed",
			`recipe.yaml:10: a source has no "acessed"; did you mean accessed?`},
		{"a source without a publisher", "    publisher: Statistics Denmark\n", "", `a source: "publisher" is missing`},
		{"a date", "2024-05-01", "May 2024", `recipe.yaml:10: accessed: a date YYYY-MM-DD was expected, got "May 2024"`},
		{"synthetic or not", "synthetic: false", "synthetic: maybe",
			`recipe.yaml:3: synthetic: true (no real person is in the data) or false was expected`},
		{"a name that is no folder's", "name: mine", "name: ../mine",
			`recipe.yaml:1: name: 1 to 60 letters, digits, '-' and '_' were expected, got "../mine"`},
		{"a list where a text should be", "title: Mine", "title: [Mine]", `recipe.yaml:2: title: a text was expected`},
		{"a text where tables should be", "tables:\n", "tables: all\nmore:\n",
			`recipe.yaml:12: tables: a mapping was expected`},
		{"sources that are no list", "  - title: Population\n    publisher: Statistics Denmark\n",
			"  title: Population\n  publisher: Statistics Denmark\n", `recipe.yaml:`},
		{"broken YAML", "title: Mine", "title: \"Mine", `recipe.yaml:2: `},
		{"a tab", "  area:", "\tarea:", `recipe.yaml:18: `},
		{"two documents", "tables:", "---\ntables:", `recipe.yaml:1: one YAML document was expected, found 2`},
		{"a key twice", "title: Mine\n", "title: Mine\ntitle: Yours\n", `recipe.yaml:3: `},
	}
	c := contractInForce(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(wholeRecipe, test.old, test.new, 1)
			if text == wholeRecipe {
				t.Fatal("the mistake is not in the text")
			}
			_, err := parseRecipe("recipe.yaml", []byte(text), c)
			if err == nil || !strings.Contains(err.Error(), test.want) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if _, err := parseRecipe("recipe.yaml", nil, c); err == nil || !strings.Contains(err.Error(), "the recipe is empty") {
		t.Errorf("got %v", err)
	}
	// All mistakes are listed, not only the first.
	_, err := parseRecipe("recipe.yaml", []byte("nam: x\nsynthetic: 1\ntables: {}\n"), c)
	if err == nil || strings.Count(err.Error(), "recipe.yaml:") != 8 {
		t.Errorf("got %v", err)
	}
}

func FuzzRecipe(f *testing.F) {
	f.Add(wholeRecipe)
	f.Add("tables: {area: {select: |\n SELECT 1}}")
	f.Add("a: &a [*a]\n")
	f.Add("? [x]\n: y\n")
	f.Add("sources:\n- - x\n")
	c := contractInForce(f)
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseRecipe("recipe.yaml", []byte(text), c)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "recipe.yaml:") {
				t.Errorf("no mistake with its place: %v", err)
			}
			return
		}
		if r.Name == "" || len(r.Sources) == 0 || len(r.tables) == 0 || r.tables[0].selects == "" {
			t.Errorf("a recipe without what it must have: %+v", r)
		}
	})
}
