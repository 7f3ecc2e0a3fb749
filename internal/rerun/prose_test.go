package rerun

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFigures(t *testing.T) {
	for text, want := range map[string][]string{
		"In 2016, **5,860** children, 24.9 % of them, -5.3 percentage points.": {"5,860", "24.9 %", "-5.3 percentage points"},
		"One in four, every fourth, by a factor of three, half of them.": {"One in four", "every fourth",
			"a factor of three", "half of"},
		"Twice as many; two thirds; about thirty percentage points.": {"Twice as", "two thirds",
			"about thirty percentage points"},
		"Fewer than half the areas, five in six, 6 in 100, one in 20.": {"Fewer than half the", "five in six",
			"6 in 100", "one in 20"},
		"Six measures of one father, forty-five persons; at least one.":     {"Six", "forty-five"},
		"Slides 9, 10 and 11, notebook 03, `x: 3`, [page](a/77), 95 %, B2.": nil,
		"Aged 13-17: 2.8 to 3.5 and 50 to 65 %.":                            {"13", "17", "2.8", "3.5", "50", "65 %"},
	} {
		var got []string
		for _, f := range figures(text) {
			got = append(got, f.text)
		}
		if !slices.Equal(got, want) {
			t.Errorf("figures of %q = %q, want %q", text, got, want)
		}
	}
}

// The checks of these notebooks, as their one cell prints them.
const someChecks = `✓ poor children in the areas: 5860
✓ poor children in the population: 34,657
✓ share in the areas: 0.249404 (told: 0.25 within 0.005)
✓ times as often as elsewhere: 3.057 (told: 3.06 within 0.05)
✓ the gap, percentage points: -5.27409 (told: -5.3 within 0.05)
✓ its interval, from and to: -6.3 -4.3
✓ rules that list it: 12
✓ to: 7.1
✓ to: 8.2
`

// texted is a notebook with a text before a cell that prints someChecks.
func texted(text string) (*Notebook, [][]object) {
	n := &Notebook{tree: object{}, Cells: []*Cell{
		{tree: object{"id": "text"}, Kind: "markdown", Source: text},
		{tree: object{"id": "code"}, Kind: "code", Source: "%%\nages(0, 6)\nnb.Want(\"poor\", poor, 5860)"},
	}}
	return n, [][]object{printed(someChecks)}
}

func toldOf(t *testing.T, n *Notebook, fresh [][]object) string {
	t.Helper()
	found, _, err := n.prose(n.code(), fresh, true)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, d := range found {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

// A text is bound as it stands first; then it is edited, and want is what is told of it.
func TestFiguresAreThoseOfTheirChecks(t *testing.T) {
	const text = "In the areas **5,860** children aged 0-6 are poor, one in four of the share in the areas (24.9 %), in " +
		"the population 34,657. That is three times as often: a gap of -5.3 percentage points, its interval from -6.3 to " +
		"-4.3. All six of them, and twelve rules list it."
	for _, c := range []struct{ old, new, want string }{
		{"", "", ""},
		{"5,860", "5,861", `tells 5,861; its check gives 5860 (the check "poor children in the areas" in cell 1)`},
		{"one in four", "one in five", `tells one in five; its check gives 0.249404`},
		{"three times", "four times", `tells four times as; its check gives 3.057`},
		{"three times as often", "as often",
			`a figure: missing; committed is three times as (of the check "times as often as elsewhere")`},
		{"-5.3", "5.3", `tells 5.3 percentage points; it was written as -5.3 percentage points`},
		{"5.3 percentage points", "5.3 percent", `it was written as -5.3 percentage points`},
		{"-6.3 to -4.3", "-4.3 to -6.3", `tells -4.3; its check gives -6.3 -4.3`},
		{"twelve", "eleven", `tells eleven; its check gives 12`},
		{"six", "seven", `tells seven; it was written as six`},
		{"0-6", "0-7", `tells 7; it was written as 6`},
		{"24.9 %", "24.9 %, 5,860", `tells 5,860; it is bound to no check, and one gives 5860`},
		{"24.9 %", "24.9 %, 8.3 of them", `tells 8.3; no check gives it; the nearest is 8.2 (the check "to" in cell 1)`},
		{"24.9 %", "24.9 % to 8.2",
			`tells 8.2; no check gives it: the check "to" would, and cells 1 and 1 print two of that name`},
	} {
		n, fresh := texted(text)
		if _, err := n.bind(n.code(), fresh); err != nil {
			t.Fatal(err)
		}
		n.setRecord()
		if c.old != "" {
			n.Cells[0].Source = strings.Replace(text, c.old, c.new, 1)
			if n.Cells[0].Source == text {
				t.Fatalf("nothing to replace: %q", c.old)
			}
		}
		got := toldOf(t, n, fresh)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%q to %q: told is\n%s\nwant\n%s", c.old, c.new, got, c.want)
		}
		// What a check contradicts stays told after an update, which binds nothing anew in its place.
		if strings.Contains(c.want, "its check gives") {
			if _, err := n.bind(n.code(), fresh); err != nil {
				t.Fatal(err)
			}
			n.setRecord()
			if got := toldOf(t, n, fresh); !strings.Contains(got, c.want) {
				t.Errorf("%q to %q: after an update told is\n%s\nwant\n%s", c.old, c.new, got, c.want)
			}
		}
	}
}

// Two figures that change places differ, also where the order in the metadata is made to fit,
// and where the bindings are taken out.
func TestExchangedFigures(t *testing.T) {
	bound := func() (*Notebook, [][]object) {
		n, fresh := texted("In the areas 5,860 children are poor, in the population 34,657.")
		if _, err := n.bind(n.code(), fresh); err != nil {
			t.Fatal(err)
		}
		n.setRecord()
		n.Cells[0].Source = "In the areas 34,657 children are poor, in the population 5,860."
		return n, fresh
	}
	n, fresh := bound()
	const want = `tells 34,657; its check gives 5860 (the check "poor children in the areas" in cell 1)`
	if got := toldOf(t, n, fresh); !strings.Contains(got, want) {
		t.Errorf("told is\n%s", got)
	}
	old, _ := n.Cells[0].bindings()
	old[0].text, old[1].text = old[1].text, old[0].text
	n.Cells[0].bindTo(old)
	if got := toldOf(t, n, fresh); !strings.Contains(got, want) {
		t.Errorf("with the texts of the metadata exchanged too, told is\n%s", got)
	}
	for _, stated := range []string{"", "as everybody knows"} {
		n, fresh = bound()
		n.Cells[0].bindTo([]binding{{text: "34,657", stated: stated}, {text: "5,860", stated: stated}})
		if got := toldOf(t, n, fresh); strings.Count(got, "it is bound to no check, and one gives") != 2 {
			t.Errorf("without checks in the metadata, stated %q, told is\n%s", stated, got)
		}
	}
	setOurs(n.Cells[0].tree, "figures", nil)
	setOurs(n.tree, "cells", nil)
	if got := toldOf(t, n, fresh); !strings.Contains(got, "2 figures; none is bound") {
		t.Errorf("without any metadata, told is\n%s", got)
	}
}

// A figure that nothing computes may be stated by hand; an update keeps that.
func TestAStatedFigure(t *testing.T) {
	n, fresh := texted("Income below half the median.")
	bindings := []binding{{text: "below half the", stated: "the definition"}}
	n.Cells[0].bindTo(bindings)
	if _, err := n.bind(n.code(), fresh); err != nil {
		t.Fatal(err)
	}
	n.setRecord()
	if got := toldOf(t, n, fresh); got != "" {
		t.Errorf("told is %s", got)
	}
	if got, _ := n.Cells[0].bindings(); !slices.Equal(got, bindings) {
		t.Errorf("bindings are %v", got)
	}
}

// A notebook whose outputs are all as committed, and whose text tells another number, is not
// the same; corrected and bound it is.
func TestANumberInTheText(t *testing.T) {
	t.Parallel()
	path := write(t, cell{code: first + `fmt.Println("✓ poor children: 5860")`, printed: "✓ poor children: 5860\n"})
	n, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n.Cells = append(n.Cells, &Cell{tree: object{"cell_type": "markdown", "id": "text", "metadata": object{}},
		Kind: "markdown", Source: "So 5,861 are poor.\n"})
	if err := n.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.html")
	v, out := verify(t, Options{Notebooks: []string{path}, Report: report})
	expect(t, v.Notebooks[0], nil)
	if v.Same() || !strings.Contains(out,
		`prose: the text after cell 1, line 1, "So 5,861 are poor.": tells 5,861; no check gives it; the nearest is 5860 `+
			`(the check "poor children" in cell 1)`) || !strings.Contains(out, "1 difference") {
		t.Errorf("told:\n%s", out)
	}
	html, err := os.ReadFile(report)
	for _, want := range []string{`<td class="old">5,861</td>`, "<dt>Commit</dt>", "<dt>Go</dt><dd>1.", "<dt>DuckDB</dt>",
		"no cell shows it with nb.Header"} {
		if err != nil || !strings.Contains(string(html), want) {
			t.Errorf("the report lacks %q (%v):\n%s", want, err, html)
		}
	}
	corrected := edit(t, path, "5,861", "5,860")
	if v, out := verify(t, Options{Notebooks: []string{corrected}, Update: true}); !v.Settled() ||
		!strings.Contains(out, `5,860 is bound to the check "poor children"`) {
		t.Errorf("corrected, told:\n%s", out)
	}
	if v, out := verify(t, Options{Notebooks: []string{corrected}}); !v.Same() {
		t.Errorf("corrected and bound, told:\n%s", out)
	}
	wrong := edit(t, corrected, "5,860 are", "5,870 are")
	if v, out := verify(t, Options{Notebooks: []string{wrong}, Update: true}); v.Settled() ||
		!strings.Contains(out, "tells 5,870; its check gives 5860") {
		t.Errorf("wrong again, an update told:\n%s", out)
	}
}

// Cells that are missing, moved, new or changed since the notebook was written are named as that.
func TestCellsThatAreNotAsWritten(t *testing.T) {
	made := func() *Notebook {
		n := &Notebook{tree: object{}}
		for i := range 4 {
			n.Cells = append(n.Cells, &Cell{tree: object{"id": fmt.Sprint("t", i)}, Kind: "markdown",
				Source: fmt.Sprint("text ", i)},
				&Cell{tree: object{"id": fmt.Sprint("c", i)}, Kind: "code", Source: fmt.Sprint("code ", i), Count: i + 1,
					Outputs: printed("x")})
		}
		n.setRecord()
		return n
	}
	for name, c := range map[string]struct {
		change func(n *Notebook)
		want   []string
	}{
		"as written":  {func(n *Notebook) {}, nil},
		"white space": {func(n *Notebook) { n.Cells[0].Source = " text\n0" }, nil},
		"a cell missing": {func(n *Notebook) { n.Cells = slices.Delete(n.Cells, 5, 6) },
			[]string{"cell 3: missing; committed is the cell, which stood after the text before cell 3"}},
		"a text missing": {func(n *Notebook) { n.Cells = slices.Delete(n.Cells, 4, 5) },
			[]string{"the text before cell 3: missing; committed is the cell, which stood after cell 2"}},
		"a cell moved": {func(n *Notebook) { c := n.Cells[1]; n.Cells = append(slices.Delete(n.Cells, 1, 2), c) },
			[]string{"cell 4: moved: committed is after the text before cell 1, now it is after cell 3"}},
		"another word": {func(n *Notebook) { n.Cells[2].Source = "texts 1" },
			[]string{"the text before cell 2: changed since the notebook was written: its text is another"}},
		"another code": {func(n *Notebook) { n.Cells[3].Source = "code 7" },
			[]string{"cell 2: changed since the notebook was written: its code is another"}},
		"another output": {func(n *Notebook) { n.Cells[3].Outputs[0]["name"] = "stderr" },
			[]string{"cell 2: changed since the notebook was written: its outputs are stderr, and were written as stdout"}},
		"a cell that new": {func(n *Notebook) {
			n.Cells = append(n.Cells, &Cell{tree: object{"id": "n"}, Kind: "code", Source: "new"})
		}, []string{"cell 5: not committed: this cell"}},
	} {
		n := made()
		c.change(n)
		found, err := n.compareRecord()
		same := err == nil && len(found) == len(c.want)
		for i := 0; same && i < len(c.want); i++ {
			same = strings.HasPrefix(found[i].String(), c.want[i])
		}
		if !same {
			t.Errorf("%s: told is %v (%v), want %v", name, found, err, c.want)
		}
	}
}
