package command_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/notebooks"
)

// basic asks, of each table, what a data set that has it must answer.
var basic = map[string]string{
	"area":          `{ areas { totalCount nodes { name municipality { code } supported } } }`,
	"area_year":     `{ areas { nodes { name keyFigures { year residents } } } }`,
	"plan":          `{ plans { nodes { name start end } } }`,
	"child_year":    `{ children { size { value } description } }`,
	"resident_year": `{ residents { size { value } description } }`,
	"youth_year":    `{ youth { size { value } description } }`,
	"adult_year":    `{ adults { size { value } description } }`,
	"activity":      `{ activityMapping(by: [TYPE]) { type activities { value } } }`,
	"participant":   `{ targetGroup(type: LEISURE_JOB) { label participants { value } } }`,
	"actor_survey":  `{ perceivedEffect(by: [THEME]) { theme respondents status } }`,
}

// whole is answered by every data set, whatever it holds.
const whole = `{ dataset { name title years fingerprint rows { table rows } planted { indicator size } } variables { name parameters { id value } } }`

// Each table of the contract alone, with those it must refer to, is imported and served, with the
// required columns and with all. What it holds is answered; of the rest it is said that it is not
// recorded; nothing that the page or a notebook asks is an internal error.
func TestEachTableAlone(t *testing.T) {
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	if len(basic) != len(c.Tables) {
		t.Errorf("%d tables are asked about, and the contract has %d", len(basic), len(c.Tables))
	}
	questions, err := notebooks.Questions()
	if err != nil {
		t.Fatal(err)
	}
	asked := web.DefaultExamples()
	for _, q := range questions {
		asked = append(asked, web.Example{Title: q.Title, Document: q.Document, Variables: q.Variables})
	}
	for _, table := range c.Tables {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/all=%t", table.Name, all), func(t *testing.T) {
				t.Parallel()
				selects := map[string]string{}
				alone(c, table, all, selects)
				text := "name: alone\ntitle: Alone\nsynthetic: true\nlicence: CC0-1.0\ncitation: none\nsources: [{title: " +
					"Invented, publisher: Kvarter}]\ntables:\n"
				for name, columns := range selects {
					text += fmt.Sprintf("  %s:\n    select: SELECT %s\n", name, columns)
				}
				file := filepath.Join(t.TempDir(), "recipe.yaml")
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				if out, errs, code := run(t, "import", file, "--data", dir); code != 0 {
					t.Fatalf("exit %d\n%s%s%s", code, out, errs, text)
				}
				s := serve(t, dir)
				for name, document := range basic {
					a, err := s.ask(document, "")
					if err != nil {
						t.Fatal(err)
					}
					_, held := selects[name]
					// The figures of an area's years are fields of the area: none without area_year.
					held = held || name == "area_year" && selects["area"] != ""
					switch {
					case held && len(a.Errors) > 0:
						t.Errorf("%s is held, and gives %v", name, a.Errors)
					case !held && (len(a.Errors) != 1 || a.Errors[0].Extensions.Code != "NOT_RECORDED"):
						t.Errorf("%s is not held, and gives %s", name, a.text)
					}
				}
				if a, err := s.ask(whole, ""); err != nil || len(a.Errors) > 0 || !strings.Contains(a.text,
					table.Name) {
					t.Errorf("%s: %s %v", whole, a.text, err)
				}
				for _, q := range asked {
					a, err := s.ask(q.Document, q.Variables)
					if err != nil {
						t.Fatal(err)
					}
					for _, e := range a.Errors {
						if !slices.Contains([]string{"NOT_RECORDED", "NOT_FOUND", "INVALID"}, e.Extensions.Code) {
							t.Errorf("%s: %s %s", q.Title, e.Extensions.Code, e.Message)
						}
					}
				}
				if s.log.count("level=ERROR") > 0 {
					t.Error(s.log)
				}
				if out := mustRun(t, "check", "--data", dir); !strings.Contains(out, "\n0 errors, ") {
					t.Errorf("checked: %s", out)
				}
			})
		}
	}
}

// alone writes a row of the table, and of those that its columns refer to, into selects.
func alone(c *contract.Contract, table *contract.Table, all bool, selects map[string]string) {
	if _, ok := selects[table.Name]; ok {
		return
	}
	var columns []string
	selects[table.Name] = ""
	for _, column := range table.Columns {
		if column.Optional && (!all || column.Secret || groups[column.Name]) {
			continue
		}
		if referred, _, ok := strings.Cut(column.References, "."); ok {
			alone(c, c.Table(referred), all, selects)
		}
		columns = append(columns, value(table, column)+" AS "+`"`+column.Name+`"`)
	}
	row := strings.Join(columns, ", ")
	selects[table.Name] = row
	if table.Name == "participant" { // whoever took part is compared with someone
		selects[table.Name] = row + " UNION ALL SELECT " + strings.NewReplacer(`1 AS "person_id"`,
			`2 AS "person_id"`, `true AS "treated"`, `false AS "treated"`).Replace(row)
	}
}

// groups are the columns of a row that stands for several persons.
var groups = map[string]bool{"n": true, "gross_income_sd": true, "absence_sd": true, "mean_mark_sd": true}

// value writes a value of a column of the table, so that all of a row go together.
func value(table *contract.Table, c *contract.Column) string {
	age := table.Column("age")
	switch {
	case c == age && age.Min > 3:
		return fmt.Sprint(age.Min)
	case c.Name == "age_group" && age != nil:
		for _, group := range c.Codes.Codes {
			if float64(group.Range[0]) <= age.Min && age.Min <= float64(group.Range[1]) {
				return "'" + group.Code + "'"
			}
		}
	}
	special := map[string]string{"year": "2016", "start_year": "2016", "end_year": "2016",
		"start": "DATE '2014-01-01'", "end": "DATE '2018-01-01'",
		"age": fmt.Sprint(math.Max(3, c.Min)), "income_group": "NULL", "age_group": "'AGE_25_29'",
		"type": "'LEISURE_JOB'", "work_status": "NULL", "schooling": "NULL", "convicted": "NULL"}
	if text, ok := special[c.Name]; ok {
		return text
	}
	switch {
	case c.References != "" && c.Type == contract.Strings:
		return "['X']"
	case c.References != "":
		return "'X'"
	case c.Codes != nil:
		return "'" + c.Codes.Codes[0].Code + "'"
	}
	switch c.Type {
	case contract.Int, contract.Decimal:
		return fmt.Sprint(math.Max(1, math.Min(c.Max, math.Max(c.Min, 1))))
	case contract.Bool:
		return "true"
	case contract.Date:
		return "DATE '2016-01-01'"
	case contract.Strings:
		return "['X']"
	}
	return "'X'"
}
