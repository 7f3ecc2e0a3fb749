package rerun

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// differences are all that a rerun would tell of a notebook whose cells give what the notebook
// with these outputs, by id of cell, gave. Each starts with the name of its cell.
func differences(t *testing.T, n *Notebook, outputs map[string][]object) []string {
	t.Helper()
	code := n.code()
	counters, err := n.counters(code)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	fresh := make([][]object, len(code))
	for i, cell := range code {
		id, _ := cell.tree["id"].(string)
		fresh[i] = outputs[id]
		tolerance, err := n.tolerance(cell)
		if err != nil {
			t.Fatal(err)
		}
		r := CellResult{Number: i + 1, Tolerance: tolerance}
		r.compare(cell, execution{outputs: fresh[i]}, counters[i], func(s string) string { return s })
		for _, d := range r.Differences {
			out = append(out, fmt.Sprintf("cell %d: %s", r.Number, d))
		}
	}
	text, _, err := n.compareText(code, fresh, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range text {
		out = append(out, d.Where+": "+d.String())
	}
	return out
}

// change is one thing that a reader can see, done to a notebook. It returns what it did and
// names of cells of which one has to be told, and false if it found nothing to change.
type change func(r *rand.Rand, n *Notebook) (what string, cells []string, ok bool)

// pick is a random element.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// places are the cells of a kind.
func places(n *Notebook, kind string) []int {
	var out []int
	for i, c := range n.Cells {
		if c.Kind == kind && strings.TrimSpace(c.Source) != "" {
			out = append(out, i)
		}
	}
	return out
}

// inSource changes one match of a pattern in the source of a random cell of a kind.
func inSource(kind, pattern string, other func(r *rand.Rand, s string) string) change {
	form := regexp.MustCompile(pattern)
	return func(r *rand.Rand, n *Notebook) (string, []string, bool) {
		i := pick(r, places(n, kind))
		c := n.Cells[i]
		found := form.FindAllStringIndex(c.Source, -1)
		if len(found) == 0 {
			return "", nil, false
		}
		m := pick(r, found)
		old := c.Source[m[0]:m[1]]
		fresh := other(r, old)
		if fresh == old {
			return "", nil, false
		}
		c.Source = c.Source[:m[0]] + fresh + c.Source[m[1]:]
		return fmt.Sprintf("%q to %q at %d", old, fresh, m[0]), []string{n.cellName(i)}, true
	}
}

func otherDigit(r *rand.Rand, s string) string {
	return string('0' + (s[0]-'0'+byte(1+r.IntN(9)))%10)
}

func otherOf(words ...string) func(r *rand.Rand, s string) string {
	return func(r *rand.Rand, s string) string { return pick(r, words) }
}

// swappedFigures exchanges two figures of one text.
func swappedFigures(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "markdown"))
	c := n.Cells[i]
	found := regexp.MustCompile(`\d[\d,.]*\d|\d`).FindAllStringIndex(c.Source, -1)
	if len(found) < 2 {
		return "", nil, false
	}
	slices.SortFunc(found, func(a, b []int) int { return a[0] - b[0] })
	x := r.IntN(len(found) - 1)
	y := x + 1 + r.IntN(len(found)-x-1)
	a, b := found[x], found[y]
	p, q := c.Source[a[0]:a[1]], c.Source[b[0]:b[1]]
	if p == q {
		return "", nil, false
	}
	c.Source = c.Source[:a[0]] + q + c.Source[a[1]:b[0]] + p + c.Source[b[1]:]
	return fmt.Sprintf("%s and %s exchanged", p, q), []string{n.cellName(i)}, true
}

// shown is a piece of an output that a reader sees, and how to set it.
type shown struct {
	cell string
	mime string
	text string
	set  func(string)
}

// pieces are the texts of the outputs that a reader sees: what is printed, and HTML.
func pieces(n *Notebook) []shown {
	var out []shown
	for i, c := range n.Cells {
		for _, o := range c.Outputs {
			if text, ok := o["text"].(string); ok {
				out = append(out, shown{n.cellName(i), "stream", text, func(s string) { o["text"] = s }})
			}
			if text, ok := data(o)["text/html"].(string); ok {
				out = append(out, shown{n.cellName(i), "html", text, func(s string) { data(o)["text/html"] = s }})
			}
		}
	}
	return out
}

// inOutput changes one match of a pattern in a text that a cell prints or shows, outside of
// the tags of HTML.
func inOutput(pattern string, other func(r *rand.Rand, s string) string) change {
	form := regexp.MustCompile(pattern)
	hidden := regexp.MustCompile(`<[^>]*>|&[a-z#0-9]+;`)
	return func(r *rand.Rand, n *Notebook) (string, []string, bool) {
		p := pick(r, pieces(n))
		masked := p.text
		if p.mime == "html" {
			masked = hidden.ReplaceAllStringFunc(p.text, func(s string) string { return strings.Repeat("<", len(s)) })
		}
		found := form.FindAllStringIndex(masked, -1)
		if len(found) == 0 {
			return "", nil, false
		}
		m := pick(r, found)
		old := p.text[m[0]:m[1]]
		fresh := other(r, old)
		if fresh == old {
			return "", nil, false
		}
		p.set(p.text[:m[0]] + fresh + p.text[m[1]:])
		return fmt.Sprintf("%s: %q to %q", p.mime, old, fresh), []string{p.cell}, true
	}
}

// swappedParts exchanges two neighbours among the parts that a pattern finds in an output.
func swappedParts(mime, pattern string) change {
	form := regexp.MustCompile(pattern)
	return func(r *rand.Rand, n *Notebook) (string, []string, bool) {
		var able []shown
		for _, p := range pieces(n) {
			if p.mime == mime && len(form.FindAllString(p.text, -1)) > 1 {
				able = append(able, p)
			}
		}
		if len(able) == 0 {
			return "", nil, false
		}
		p := pick(r, able)
		found := form.FindAllStringIndex(p.text, -1)
		x := r.IntN(len(found) - 1)
		a, b := found[x], found[x+1]
		first, second := p.text[a[0]:a[1]], p.text[b[0]:b[1]]
		if first == second {
			return "", nil, false
		}
		p.set(p.text[:a[0]] + second + p.text[a[1]:b[0]] + first + p.text[b[1]:])
		return mime + ": two parts exchanged", []string{p.cell}, true
	}
}

// withoutPart takes one of the parts that a pattern finds out of an output.
func withoutPart(mime, pattern string) change {
	form := regexp.MustCompile(pattern)
	return func(r *rand.Rand, n *Notebook) (string, []string, bool) {
		p := pick(r, pieces(n))
		found := form.FindAllStringIndex(p.text, -1)
		if p.mime != mime || len(found) == 0 {
			return "", nil, false
		}
		m := pick(r, found)
		p.set(p.text[:m[0]] + p.text[m[1]:])
		return mime + ": a part taken out", []string{p.cell}, true
	}
}

// inChart changes a value of the specification of a chart: a text by a letter, or a number by
// its first digit.
func inChart(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "code"))
	type leaf struct {
		value any
		set   func(any)
	}
	var leaves []leaf
	var walk func(value any, set func(any))
	walk = func(value any, set func(any)) {
		switch value := value.(type) {
		case object:
			for _, key := range sortedKeys(value) {
				walk(value[key], func(v any) { value[key] = v })
			}
		case []any:
			for k := range value {
				walk(value[k], func(v any) { value[k] = v })
			}
		default:
			leaves = append(leaves, leaf{value, set})
		}
	}
	for _, o := range n.Cells[i].Outputs {
		for _, mime := range sortedKeys(data(o)) {
			if isJSON(mime) {
				walk(data(o)[mime], nil)
			}
		}
	}
	if len(leaves) == 0 {
		return "", nil, false
	}
	l := pick(r, leaves)
	switch value := l.value.(type) {
	case string:
		at := strings.IndexAny(value, "abcdefghijklmnopqrstuvwxyz")
		if at < 0 {
			return "", nil, false
		}
		l.set(value[:at] + "Q" + value[at+1:])
	case json.Number:
		at := strings.IndexAny(string(value), "123456789")
		if at < 0 {
			return "", nil, false
		}
		l.set(value[:at] + json.Number(otherDigit(r, string(value[at:at+1]))) + value[at+1:])
	default:
		return "", nil, false
	}
	return fmt.Sprintf("a chart's %v", l.value), []string{n.cellName(i)}, true
}

// swappedPoints exchanges two points of a chart's data.
func swappedPoints(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "code"))
	for _, o := range n.Cells[i].Outputs {
		for _, mime := range sortedKeys(data(o)) {
			if points := rows(data(o)[mime]); isJSON(mime) && len(points) > 1 {
				x := r.IntN(len(points) - 1)
				points[x], points[x+1] = points[x+1], points[x]
				return "two points exchanged", []string{n.cellName(i)}, true
			}
		}
	}
	return "", nil, false
}

// otherPicture draws over a part of a picture, or makes it grey.
func otherPicture(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "code"))
	for _, o := range n.Cells[i].Outputs {
		text, ok := data(o)["image/png"].(string)
		if !ok {
			continue
		}
		old, err := decodePNG(text)
		if err != nil {
			return "", nil, false
		}
		size := old.Bounds().Size()
		drawn := image.NewRGBA(image.Rect(0, 0, size.X, size.Y))
		draw.Draw(drawn, drawn.Bounds(), old, old.Bounds().Min, draw.Src)
		area, what := drawn.Bounds(), "a grey picture"
		if r.IntN(2) == 0 {
			// The size of a digit, in a colour that is not there.
			corner := image.Pt(r.IntN(size.X-8), r.IntN(size.Y-12))
			area, what = image.Rectangle{corner, corner.Add(image.Pt(8, 12))}, fmt.Sprintf("a digit's place at %v drawn over",
				corner)
		}
		draw.Draw(drawn, area, image.NewUniform(color.RGBA{120, 120, 120, 255}), image.Point{}, draw.Src)
		var b bytes.Buffer
		if err := png.Encode(&b, drawn); err != nil {
			panic(err)
		}
		data(o)["image/png"] = base64.StdEncoding.EncodeToString(b.Bytes())
		return what, []string{n.cellName(i)}, true
	}
	return "", nil, false
}

// swappedOutputs exchanges two outputs of a cell, missingOutput takes one out.
func swappedOutputs(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "code"))
	o := n.Cells[i].Outputs
	if len(o) < 2 {
		return "", nil, false
	}
	x := r.IntN(len(o) - 1)
	o[x], o[x+1] = o[x+1], o[x]
	return "two outputs exchanged", []string{n.cellName(i)}, true
}

func missingOutput(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "code"))
	c := n.Cells[i]
	if len(c.Outputs) == 0 {
		return "", nil, false
	}
	x := r.IntN(len(c.Outputs))
	c.Outputs = slices.Delete(c.Outputs, x, x+1)
	return fmt.Sprintf("output %d taken out", x+1), []string{n.cellName(i)}, true
}

// swappedCells exchanges two neighbours, missingCell takes a cell out.
func swappedCells(r *rand.Rand, n *Notebook) (string, []string, bool) {
	x := r.IntN(len(n.Cells) - 1)
	names := []string{n.cellName(x), n.cellName(x + 1)}
	n.Cells[x], n.Cells[x+1] = n.Cells[x+1], n.Cells[x]
	return "two cells exchanged", append(names, n.cellName(x), n.cellName(x+1)), true
}

func missingCell(r *rand.Rand, n *Notebook) (string, []string, bool) {
	x := r.IntN(len(n.Cells))
	name := n.cellName(x)
	n.Cells = slices.Delete(n.Cells, x, x+1)
	return "a cell taken out", []string{name}, true
}

func otherCounter(r *rand.Rand, n *Notebook) (string, []string, bool) {
	i := pick(r, places(n, "code"))
	n.Cells[i].Count += 1 + r.IntN(3)
	return "another execution counter", []string{n.cellName(i)}, true
}

// Every single change of a committed notebook that a reader can see is told, and with the
// name of its cell. What the cells give is what is committed: no kernel runs here.
func TestNoChangeOfANotebookEscapes(t *testing.T) {
	paths, err := filepath.Glob("../../notebooks/*.ipynb")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	const (
		row  = `(?s)<tr>.*?</tr>\n?`
		line = `[^\n]*\S[^\n]*\n`
	)
	changes := []change{
		inSource("markdown", `\d`, otherDigit),
		inSource("markdown", `\d`, otherDigit),
		swappedFigures,
		swappedFigures,
		inSource("markdown", `\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty)\b`,
			otherOf("two", "three", "four", "five", "seven", "eleven")),
		inSource("markdown", `\b(?:third|fourth|fifth|tenth|half|twice|times|none)\b`,
			otherOf("third", "fourth", "sixth", "half", "all")),
		inSource("markdown", `percentage points|%|\bpercent\b`, otherOf("percent", "percentage points", "‰")),
		inSource("markdown", `[-−]\d`, func(_ *rand.Rand, s string) string { return s[len(s)-1:] }),
		inSource("markdown", `\b(?:more|less|fewer|higher|lower|rose|fell|no|not|inside|outside)\b`,
			otherOf("more", "less", "rarely", "always")),
		inSource("code", `\d`, otherDigit),
		inOutput(`\d`, otherDigit),
		inOutput(`\d`, otherDigit),
		inOutput(`[a-z]{3,}`, func(_ *rand.Rand, s string) string { return s[:1] + "q" + s[2:] }),
		inOutput(`[a-z]{3,}`, func(_ *rand.Rand, s string) string { return "other " + s }),
		inOutput(`-\d`, func(_ *rand.Rand, s string) string { return s[1:] }),
		swappedParts("html", row),
		swappedParts("stream", line),
		withoutPart("html", row),
		withoutPart("stream", line),
		inChart,
		inChart,
		swappedPoints,
		otherPicture,
		otherPicture,
		swappedOutputs,
		missingOutput,
		swappedCells,
		missingCell,
		otherCounter,
	}
	const wanted = 500
	texts := make([][]byte, len(paths))
	outputs := make([]map[string][]object, len(paths))
	for i, path := range paths {
		if texts[i], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		n := readText(t, texts[i])
		outputs[i] = map[string][]object{}
		for _, c := range n.code() {
			id, _ := c.tree["id"].(string)
			outputs[i][id] = c.Outputs
		}
		if found := differences(t, readText(t, texts[i]), outputs[i]); len(found) > 0 {
			t.Errorf("%s as it is committed:\n  %s", path, strings.Join(found, "\n  "))
		}
	}
	if t.Failed() {
		return
	}
	r := rand.New(rand.NewPCG(8, 500))
	done := map[int]int{}
	for made := 0; made < wanted; {
		i, k := r.IntN(len(paths)), r.IntN(len(changes))
		n := readText(t, texts[i])
		what, cells, ok := changes[k](r, n)
		if !ok {
			continue
		}
		made++
		done[k]++
		found := differences(t, n, outputs[i])
		named := slices.ContainsFunc(found, func(d string) bool {
			return slices.ContainsFunc(cells, func(cell string) bool {
				return strings.HasPrefix(d, cell+":") || strings.HasPrefix(d, cell+",")
			})
		})
		if !named {
			t.Errorf("%s, %s: %s is not told of; told is\n  %s", filepath.Base(paths[i]), cells[0], what,
				strings.Join(found, "\n  "))
		}
	}
	for k := range changes {
		if done[k] == 0 {
			t.Errorf("change %d was never made", k)
		}
	}
}

func readText(t *testing.T, text []byte) *Notebook {
	t.Helper()
	n, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
