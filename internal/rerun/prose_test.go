package rerun

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each text stands before a cell that asserts 5860, and 0.249404 where 0.25 is told within
// 0.005; want is what is found in it, or "".
func TestProse(t *testing.T) {
	const printed = "✓ poor children, 2016: 5860\n✓ their share: 0.249404 (told: 0.25 within 0.005)\n"
	for _, c := range []struct{ text, want string }{
		{"In 2016, **5,860** children were poor, 24.9 % or 25% of them: 0.2494.", ""},
		{"In 2016, **5,880** children were poor.", `prose: the text before cell 1, line 1, "In 2016, **5,880** children were poor.": tells 5,880; the nearest that a cell asserts or the code holds is 5,860`},
		{"# A title\n\nIt was 24.8 %.", `line 3, "It was 24.8 %.": tells 24.8; the nearest that a cell asserts or the code holds is 24.9`},
		{"A gap of −5,860, or -5,860.", ""}, // a minus is in the words
		{"Ages 0-6, since the code asks for them.", ""},
		{"Ages 0-7.", "tells 7;"},
		{"From 1987 to 2015.", ""}, // years
		{"Slides 9, 10 and 11, section 61 a, and notebook 03 have intervals of 95 %.", ""},
		{"The 95 of them.", "tells 95;"},
		{"In 1,987 cases.", "tells 1,987;"},
		{"See [page 77](https://example.org/88/99) and `first: 88`.", `"See [page 77  and  .": tells 77;`},
		{"```\n17\n```\nand 18", "line 4,"},
		{"A cell of 1e3 rows, form B2, the 2nd.", "tells 1e3;"},
	} {
		n := &Notebook{Cells: []*Cell{
			{Kind: "markdown", Source: c.text},
			{Kind: "code", Source: "%%\nnb.Want(\"poor children\", poor(0, 6), 5860)"},
		}}
		fresh := [][]object{{{"output_type": "stream", "name": "stdout", "text": printed}}}
		var found []string
		for _, d := range n.prose(n.code(), fresh) {
			found = append(found, d.String())
		}
		if got := strings.Join(found, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) || len(found) > 1 {
			t.Errorf("%q: found %q, want %q", c.text, got, c.want)
		}
		// A notebook that asserts nothing has no such rule.
		fresh[0][0]["text"] = "poor children: 5860\n"
		if got := n.prose(n.code(), fresh); got != nil {
			t.Errorf("%q without assertions: found %v", c.text, got)
		}
	}
}

// A notebook whose outputs are all as committed, and whose text tells another number, is not
// the same.
func TestANumberInTheText(t *testing.T) {
	t.Parallel()
	path := write(t, cell{code: first + `fmt.Println("✓ poor children: 5860")`, printed: "✓ poor children: 5860\n"})
	n, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n.Cells = append(n.Cells, &Cell{tree: object{"cell_type": "markdown", "id": "text", "metadata": object{}}, Kind: "markdown", Source: "So 5,861 are poor.\n"})
	if err := n.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.html")
	v, out := verify(t, Options{Notebooks: []string{path}, Report: report})
	expect(t, v.Notebooks[0], nil)
	if v.Same() || !strings.Contains(out, `prose: the text after cell 1, line 1, "So 5,861 are poor.": tells 5,861; the nearest`) || !strings.Contains(out, "1 difference") {
		t.Errorf("told:\n%s", out)
	}
	if html, err := os.ReadFile(report); err != nil || !strings.Contains(string(html), `<td class="old">5,861</td>`) {
		t.Errorf("the report does not name it (%v):\n%s", err, html)
	}
	corrected := edit(t, path, "5,861", "5,860")
	if v, out := verify(t, Options{Notebooks: []string{corrected}}); !v.Same() {
		t.Errorf("corrected, told:\n%s", out)
	}
}
