package ingest_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/ingest"
)

// root is the repository's folder.
func root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			t.Fatal("no go.mod above the test")
		}
		folder = parent
	}
}

// The ministry's lists and the population by municipality and age, as published: the figures come
// out of the API, and each quirk of the files is named.
func TestOfficialFiles(t *testing.T) {
	folder, dir := filepath.Join(root(t), "data", "official"), t.TempDir()
	c := theContract(t)
	_, imported, err := ingest.Import(context.Background(), filepath.Join(folder, "recipe.yaml"), dir, c, nil)
	if err != nil {
		t.Fatalf("%v\n%v", err, imported)
	}
	if errors, _ := ingest.Count(imported); errors != 0 {
		t.Fatalf("%d errors: %v", errors, imported)
	}
	server := serve(t, dir)

	t.Run("lists", func(t *testing.T) {
		for year, want := range map[int]int{2010: 29, 2011: 26, 2012: 33, 2013: 39, 2014: 31} {
			var got struct{ Areas struct{ TotalCount int } }
			if problems := ask(t, server, fmt.Sprintf("{ areas(where: {onOfficialListIn: %d}) { totalCount } }", year),
				&got); problems != nil || got.Areas.TotalCount != want {
				t.Errorf("areas on the list of %d: got %d %v, want %d", year, got.Areas.TotalCount, problems, want)
			}
		}
	})

	// The law's criteria, applied to the figures by the server, give the flag of every row, save that of
	// Ringparken in 2012, where two figures look as if they had changed places.
	t.Run("flags", func(t *testing.T) {
		listed := map[int]int{}
		for year := 2010; year <= 2014; year++ {
			var got struct {
				Designations []struct {
					Area struct {
						Name       string
						KeyFigures []struct{ OnOfficialList bool }
					}
					Kinds, Undecided []string
				}
			}
			query := fmt.Sprintf("{ designations(year: %[1]d) { area { name keyFigures(years: {from: %[1]d, to: %[1]d}) { "+
				"onOfficialList } } kinds undecided } }", year)
			if problems := ask(t, server, query, &got); problems != nil {
				t.Fatal(problems)
			}
			for _, d := range got.Designations {
				if len(d.Area.KeyFigures) == 0 { // not printed that year, so nobody knows
					if len(d.Kinds) != 0 || !slices.Equal(d.Undecided, []string{"GHETTO"}) {
						t.Errorf("%d %s: %v, undecided %v, without any figure", year, d.Area.Name, d.Kinds, d.Undecided)
					}
					continue
				}
				on := slices.Equal(d.Kinds, []string{"GHETTO"})
				if on {
					listed[year]++
				}
				swapped := year == 2012 && strings.HasPrefix(d.Area.Name, "Ringparken")
				if flag := d.Area.KeyFigures[0].OnOfficialList; on == flag == swapped || len(d.Undecided) > 0 {
					t.Errorf("%d %s: %v, undecided %v; the list says %t", year, d.Area.Name, d.Kinds, d.Undecided, flag)
				}
			}
		}
		if want := map[int]int{2010: 29, 2011: 26, 2012: 32, 2013: 39, 2014: 31}; fmt.Sprint(listed) != fmt.Sprint(want) {
			t.Errorf("areas by the criteria: %v, want %v (the list of 2012 has Ringparken, too: 33)", listed, want)
		}
		var got any
		if problems := ask(t, server, "{ areas(where: {onOfficialListIn: 2016}) { totalCount } }",
			&got); len(problems) != 1 || !strings.Contains(problems[0], "the list of 2016 is not recorded; those of 2010 2011 "+
			"2012 2013 2014 are") {
			t.Errorf("a list that is not recorded: %v", problems)
		}
	})

	// Of the study's findings these files give those on the lists and on the population, and of the
	// others why they do not.
	t.Run("findings", func(t *testing.T) {
		var got struct {
			Findings []struct {
				ID      string
				Figures []struct {
					Name, Missing string
					Reproduced    *float64
					Agrees        *bool
				}
			}
		}
		if problems := ask(t, server, "{ findings { id figures { name reproduced agrees missing } } }",
			&got); problems != nil {
			t.Fatal(problems)
		}
		agree := map[string]int{}
		for _, f := range got.Findings {
			for _, figure := range f.Figures {
				switch {
				case (figure.Reproduced == nil) != (figure.Missing != ""), figure.Reproduced == nil && figure.Agrees != nil:
					t.Errorf("%s, %s: %+v", f.ID, figure.Name, figure)
				case figure.Agrees != nil && *figure.Agrees:
					agree[f.ID]++
				case figure.Agrees != nil:
					t.Errorf("%s, %s: %g does not agree", f.ID, figure.Name, *figure.Reproduced)
				}
			}
		}
		if want := map[string]int{"residents": 8, "children": 8, "day-care-1-2-by-origin": 8, "day-care-3-5": 8,
			"official-lists": 5}; fmt.Sprint(agree) != fmt.Sprint(want) {
			t.Errorf("figures that agree: %v, want %v", agree, want)
		}
	})

	t.Run("cohorts", func(t *testing.T) {
		children := []int{457_637, 454_282, 448_136, 441_228, 433_292, 426_989, 424_821, 423_542}
		young := []int{131_245, 129_501, 126_154, 121_083, 117_349, 115_389, 115_289, 119_528}
		residents := []int{5_543_819, 5_566_856, 5_587_085, 5_608_784, 5_639_719, 5_678_348, 5_724_456, 5_760_694}
		for i := range children {
			year := 2010 + i
			var got struct {
				Children, Young, Residents struct{ Size struct{ Value int } }
			}
			query := fmt.Sprintf("{ children(where: {years: {from: %[1]d, to: %[1]d}}) { size { value } } young: "+
				"children(where: {years: {from: %[1]d, to: %[1]d}, ages: {from: 1, to: 2}}) { size { value } } residents(where: "+
				"{years: {from: %[1]d, to: %[1]d}}) { size { value } } }", year)
			if problems := ask(t, server, query, &got); problems != nil || got.Children.Size.Value != children[i] ||
				got.Young.Size.Value != young[i] || got.Residents.Size.Value != residents[i] {
				t.Errorf("%d: got %+v %v, want %d children, %d aged 1-2, %d residents", year, got, problems, children[i], young[i],
					residents[i])
			}
		}
		// The one municipality of the two files whose children are known from a third.
		var got struct {
			Children struct{ Size struct{ Value int } }
		}
		if problems := ask(t, server,
			`{ children(where: {years: {from: 2016, to: 2016}, municipality: ["101"]}) { size { value } } }`,
			&got); problems != nil || got.Children.Size.Value != 51_096 {
			t.Errorf("children of Copenhagen in 2016: got %d %v, want 51096", got.Children.Size.Value, problems)
		}
	})

	t.Run("a named area", func(t *testing.T) {
		type year struct {
			Year, Residents                                                                 int
			NonWestern, OutsideWorkAndEducation, Convicted, BasicSchoolingOnly, IncomeRatio *float64
			OnOfficialList                                                                  bool
		}
		var got struct {
			Areas struct {
				Nodes []struct {
					Name         string
					Municipality struct{ Name string }
					KeyFigures   []year
				}
			}
		}
		problems := ask(t, server,
			`{ areas(where: {nameContains: "bispehaven"}) { nodes { name municipality { name }
				keyFigures { year residents nonWestern outsideWorkAndEducation convicted basicSchoolingOnly incomeRatio
				onOfficialList } } } }`, &got)
		if problems != nil || len(got.Areas.Nodes) != 1 || got.Areas.Nodes[0].Municipality.Name != "Aarhus" ||
			len(got.Areas.Nodes[0].KeyFigures) != 5 {
			t.Fatalf("got %+v %v", got, problems)
		}
		want := bispehaven(t, filepath.Join(folder, "area_years.csv"))
		for i, y := range got.Areas.Nodes[0].KeyFigures {
			if line := fmt.Sprintf("%d %d %s %s %s %s %s %t", y.Year, y.Residents, number(y.NonWestern),
				number(y.OutsideWorkAndEducation), number(y.Convicted), number(y.BasicSchoolingOnly), number(y.IncomeRatio),
				y.OnOfficialList); line != want[i] {
				t.Errorf("got %s, want %s", line, want[i])
			}
		}
	})

	// The question about real areas in the project's README has the answer that stands below it.
	t.Run("README", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(root(t), "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), "go run . --data ../official-data\n")
		block := func(language string) (inside string) {
			_, inside, _ = strings.Cut(after, "```"+language+"\n")
			inside, after, _ = strings.Cut(inside, "```")
			return inside
		}
		question, answer := block("graphql"), block("json")
		var got any
		if problems := ask(t, server, question, &got); problems != nil {
			t.Fatal(problems)
		}
		var want struct{ Data any }
		if err := json.Unmarshal([]byte(answer), &want); err != nil {
			t.Fatal(err)
		}
		if want.Data == nil || !reflect.DeepEqual(got, want.Data) {
			t.Errorf("%s\ngot %v, the README has %v", question, got, want.Data)
		}
	})

	t.Run("what is not recorded", func(t *testing.T) {
		var got any
		problems := ask(t, server, `{ children(where: {setting: [SUPPORTED]}) { size { value } } }`, &got)
		if len(problems) != 1 || !strings.Contains(problems[0], "not recorded by SETTING") ||
			!strings.Contains(problems[0], "MUNICIPALITY") {
			t.Errorf("got %v, want an error that SETTING is not recorded and what is", problems)
		}
		if problems := ask(t, server, `{ children { share(of: POOR) { value } } }`, &got); len(problems) != 1 ||
			!strings.Contains(problems[0], "POOR is not recorded") {
			t.Errorf("got %v, want an error that POOR is not recorded", problems)
		}
	})

	t.Run("quirks", func(t *testing.T) {
		type quirk struct{ file, row, column, rule string }
		quirks := []quirk{
			// letters in parts, in 2011
			{"area_years.csv", "line 57", "", "name"},
			// Ringparken, in 2012
			{"area_years.csv", "75", "percent_non_western, percent_outside_work_and_education", "swapped"},
			// Gellerupparken/Toveshøj in 2014, which has no row in 2013
			{"area_years.csv", "166", "on_official_list", "gap"},
		}
		for _, row := range []int{41, 44, 47, 52, 54, 58, 60} {
			quirks = append(quirks, quirk{"areas.csv", strconv.Itoa(row), "name", "name"})
		}
		for _, rows := range [][2]int{{56, 58}, {92, 96}, {136, 137}, {169, 175}} { // of 2011, 2012, 2013, 2014
			for row := rows[0]; row <= rows[1]; row++ {
				quirks = append(quirks, quirk{"area_years.csv", strconv.Itoa(row), "on_official_list", "not listed"})
			}
		}
		checked, err := ingest.Check(context.Background(), dir, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		for what, issues := range map[string][]ingest.Issue{"import": imported, "check": checked} {
			for _, q := range quirks {
				if !slices.ContainsFunc(issues, func(f ingest.Issue) bool {
					return f.Severity == ingest.Warning && f.Message != "" &&
						quirk{f.File, f.Row, f.Column, f.Rule} == q
				}) {
					t.Errorf("%s does not find %v", what, q)
				}
			}
			if len(issues) != len(quirks) {
				t.Errorf("%s finds %d things, where the files have %d quirks: %v", what, len(issues), len(quirks), issues)
			}
		}
	})
}

// number writes a figure in the fewest digits.
func number(x *float64) string {
	if x == nil {
		return "null"
	}
	return fmt.Sprint(*x)
}

// bispehaven reads an area's key figures from the published file, without any of our code.
func bispehaven(t testing.TB, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range rows[1:] {
		of := func(column string) string { return row[slices.Index(rows[0], column)] }
		if of("area_id") != "751-Bispehaven" {
			continue
		}
		figure := func(column string) *float64 {
			if of(column) == "" {
				return nil
			}
			x, err := strconv.ParseFloat(of(column), 64)
			if err != nil {
				t.Fatal(err)
			}
			return &x
		}
		line := fmt.Sprintf("%s %.0f", of("year"), *figure("residents")**figure("unit"))
		for _, column := range []string{"non_western", "outside_work", "convicted", "basic_schooling", "income"} {
			line += " " + number(figure(column))
		}
		out = append(out, line+" "+of("listed"))
	}
	if len(out) != 5 {
		t.Fatalf("%d years of Bispehaven in %s, want 5", len(out), file)
	}
	return out
}

// Whoever forgets that the first lists count residents in thousands is told, row by row.
func TestOfficialFilesInOneUnit(t *testing.T) {
	folder, dir := t.TempDir(), t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(root(t), "data", "official"))); err != nil {
		t.Fatal(err)
	}
	recipe := filepath.Join(folder, "recipe.yaml")
	text, err := os.ReadFile(recipe)
	if err != nil {
		t.Fatal(err)
	}
	const right, wrong = "unit * residents::DECIMAL(9, 3) AS residents", "residents"
	if strings.Count(string(text), right) != 1 {
		t.Fatalf("the recipe has no %q", right)
	}
	if err := os.WriteFile(recipe, []byte(strings.Replace(string(text), right, wrong, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	_, issues, err := ingest.Import(context.Background(), recipe, dir, theContract(t), nil)
	if err == nil {
		t.Fatal("residents in two units were imported")
	}
	for row := 1; row <= 58; row++ { // of 2010 and 2011
		if !slices.ContainsFunc(issues, func(f ingest.Issue) bool {
			return f.Severity == ingest.Error && f.File == "area_years.csv" &&
				f.Row == strconv.Itoa(row) && f.Column == "residents"
		}) {
			t.Errorf("row %d is not found", row)
		}
	}
}

// The example under data/example imports without an issue, and a server over it answers.
func TestExample(t *testing.T) {
	dir := t.TempDir()
	var told bytes.Buffer
	info, issues, err := ingest.Import(context.Background(), filepath.Join(root(t), "data", "example", "recipe.yaml"), dir,
		theContract(t), &told)
	if err != nil || len(issues) > 0 {
		t.Fatalf("%v %v", err, issues)
	}
	if info.Name != "example" || !info.Synthetic || len(info.Tables) != 5 ||
		!slices.Equal(info.Years, []int{2014, 2015, 2016}) {
		t.Errorf("got %+v", info)
	}
	if !strings.Contains(told.String(), "Reading child_year") || !strings.Contains(told.String(), "Building the cells") {
		t.Errorf("progress: %s", told.String())
	}
	var got struct {
		Supported, Rest struct {
			Share struct{ Numerator, Denominator int }
		}
		Residents struct{ Size struct{ Value int } }
		Areas     struct {
			Nodes []struct {
				Name, Region string
				Plans        []struct{ Name, Start string }
			}
		}
	}
	problems := ask(t, serve(t, dir), `{
		supported: children(where: {years: {from: 2016, to: 2016}, setting: [SUPPORTED]}) {
			share(of: POOR) { numerator denominator } }
		rest: children(where: {years: {from: 2016, to: 2016}, setting: [REST]}) { share(of: POOR) { numerator denominator } }
		residents(where: {years: {from: 2014, to: 2014}, area: ["Area:E1"]}) { size { value } }
		areas { nodes { name region plans { name start } } }
	}`, &got)
	if problems != nil {
		t.Fatal(problems)
	}
	// Sums of the CSV files by awk.
	if s := got.Supported.Share; s.Numerator != 109 || s.Denominator != 431 {
		t.Errorf("supported areas: got %+v", s)
	}
	if s := got.Rest.Share; s.Numerator != 691 || s.Denominator != 9781 {
		t.Errorf("rest: got %+v", s)
	}
	if n := got.Residents.Size.Value; n != 1410 {
		t.Errorf("residents of Nordlyset in 2014: got %d", n)
	}
	if n := got.Areas.Nodes; len(n) != 3 || n[0].Name != "Nordlyset" || len(n[1].Plans) != 2 ||
		n[1].Plans[0].Start != "2013-01-01" || n[2].Region != "Hovedstaden" {
		t.Errorf("areas: got %+v", n)
	}
}

// contents returns every file under a folder but those of names in except, with its text.
func contents(t testing.TB, folder string, except ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || slices.Contains(except, entry.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		out[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
