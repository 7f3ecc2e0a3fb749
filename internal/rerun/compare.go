package rerun

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Kind is what is different.
type Kind string

// The kinds of difference.
const (
	Figure     Kind = "figure"      // a number, in a text, a table or a chart
	Text       Kind = "text"        // anything else in an output
	Picture    Kind = "picture"     // a PNG that shows something else
	Missing    Kind = "missing"     // an output, or a part of one, that is committed and did not come
	Additional Kind = "additional"  // an output, or a part of one, that came and is not committed
	Failed     Kind = "failed"      // the cell ended with an error
	Died       Kind = "kernel died" // the kernel ended while the cell ran
	TimedOut   Kind = "timed out"   // the cell took longer than its limit
	NotRun     Kind = "not run"     // the kernel was gone by then
	Moved      Kind = "moved"       // a cell, an output or a part of one that stands elsewhere
	Changed    Kind = "changed"     // a cell whose source is not the one that its outputs were written with
	Order      Kind = "order"       // the committed notebook was not executed from top to bottom
	OtherData  Kind = "other data"  // the committed outputs come from another data set
	Prose      Kind = "prose"       // a figure of the text that is not what its check gives, or has none
)

// Difference is one thing in which a cell's outputs are not the committed ones.
type Difference struct {
	Kind  Kind
	Where string // e.g. `table 1, row "Supported areas", column "Poor"`; "" for the whole cell
	Old   string // what is committed
	New   string // what the rerun gave
	By    string // for figures, how far New is from Old
}

func (d Difference) String() string {
	where := ""
	if d.Where != "" {
		where = d.Where + ": "
	}
	switch d.Kind {
	case Figure, Text, Picture:
		s := fmt.Sprintf("%swas %s, is %s", where, quote(d.Old), quote(d.New))
		if d.By != "" {
			s += ", by " + d.By
		}
		return s
	case Missing:
		return fmt.Sprintf("%smissing; committed is %s", where, quote(d.Old))
	case Additional:
		return fmt.Sprintf("%snot committed: %s", where, quote(d.New))
	case Moved:
		return fmt.Sprintf("%smoved: committed is %s, now it is %s", where, d.Old, d.New)
	case Changed:
		return fmt.Sprintf("%schanged since the notebook was written: %s", where, d.New)
	case Order:
		return fmt.Sprintf("%sexecution counter is %s, should be %s; execute the notebook from top to bottom", where, d.Old,
			d.New)
	case OtherData:
		return fmt.Sprintf("another data set: the committed outputs come from %s, the server has %s", d.Old, d.New)
	case Prose:
		return fmt.Sprintf("%s: %stells %s; %s", d.Kind, where, d.Old, d.New)
	default:
		return fmt.Sprintf("%s%s: %s", where, d.Kind, d.New)
	}
}

// quote keeps a value on one line and short enough for a terminal.
func quote(s string) string {
	s = strings.TrimRight(s, "\n")
	if first, rest, more := strings.Cut(s, "\n"); more {
		s = fmt.Sprintf("%s … (%d more lines)", first, 1+strings.Count(rest, "\n"))
	}
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	if s == "" {
		return `""`
	}
	return s
}

// counts is how much of a cell has been compared.
type counts struct{ texts, tables, charts, figures int }

func (c counts) String() string {
	var parts []string
	for _, part := range []struct {
		n    int
		name string
	}{{c.texts, "text"}, {c.tables, "table"}, {c.charts, "chart"}, {c.figures, "figure"}} {
		switch {
		case part.n == 1:
			parts = append(parts, "1 "+part.name)
		case part.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", part.n, part.name))
		}
	}
	if len(parts) == 0 {
		return "no output"
	}
	return strings.Join(parts, ", ")
}

// comparer compares the outputs of one cell.
type comparer struct {
	tolerance Tolerance
	found     []Difference
	seen      counts
}

func (c *comparer) add(d Difference) { c.found = append(c.found, d) }

// outputs compares what is committed with what came. What a program prints and what it
// displays reach the notebook on different ways, so the order is compared within each, and
// not between them.
func (c *comparer) outputs(old, fresh []object) {
	for _, name := range []string{"stdout", "stderr"} {
		c.stream(name, stream(old, name), stream(fresh, name))
	}
	a, b := displays(old), displays(fresh)
	same := func(i, j int) bool {
		trial := comparer{tolerance: c.tolerance}
		trial.display("", a[i], b[j])
		return len(trial.found) == 0
	}
	alike := func(i, j int) bool { return slices.Equal(sortedKeys(data(a[i])), sortedKeys(data(b[j]))) }
	for _, p := range align(len(a), len(b), same, alike) {
		switch {
		case p.new < 0:
			c.add(Difference{Kind: Missing, Where: outputName(p.old, a[p.old]), Old: gist(a[p.old])})
		case p.old < 0:
			c.add(Difference{Kind: Additional, Where: outputName(p.new, b[p.new]), New: gist(b[p.new])})
		case p.moved:
			c.add(Difference{Kind: Moved, Where: outputName(p.old, a[p.old]), Old: fmt.Sprintf("output %d", p.old+1),
				New: fmt.Sprintf("output %d", p.new+1)})
			fallthrough
		default:
			c.display(outputName(p.old, a[p.old]), a[p.old], b[p.new])
		}
	}
}

func data(display object) object {
	data, _ := display["data"].(object)
	return data
}

func stream(outputs []object, name string) string {
	var b strings.Builder
	for _, o := range outputs {
		if o["output_type"] == "stream" && o["name"] == name {
			text, _ := o["text"].(string)
			b.WriteString(text)
		}
	}
	return b.String()
}

func displays(outputs []object) []object {
	var out []object
	for _, o := range outputs {
		if o["output_type"] == "display_data" || o["output_type"] == "execute_result" {
			out = append(out, o)
		}
	}
	return out
}

// outputName is how a reader finds a display among the others of its cell.
func outputName(i int, o object) string {
	kind := "output"
	for mime, value := range data(o) {
		switch {
		case isJSON(mime) && strings.Contains(mime, "vega"):
			return fmt.Sprintf("chart (output %d)", i+1)
		case mime == "text/html" && strings.Contains(fmt.Sprint(value), "<table"):
			kind = "table"
		}
	}
	if kind == "table" {
		return fmt.Sprintf("table (output %d)", i+1)
	}
	return fmt.Sprintf("output %d", i+1)
}

// gist is a display in a few words.
func gist(o object) string {
	if text, ok := data(o)["text/plain"].(string); ok {
		return text
	}
	return strings.Join(sortedKeys(data(o)), ", ")
}

func (c *comparer) stream(name, old, fresh string) {
	switch {
	case old == fresh && old == "":
	case fresh == "":
		c.add(Difference{Kind: Missing, Where: name, Old: old})
	case old == "":
		c.add(Difference{Kind: Additional, Where: name, New: fresh})
	default:
		c.text(name, old, fresh)
	}
}

// display compares two displays form by form. The plain text of a table or a chart says
// again what its other forms say, so its differences count only where those show none.
func (c *comparer) display(name string, old, fresh object) {
	a, b := data(old), data(fresh)
	before := len(c.found)
	if old["output_type"] != fresh["output_type"] {
		c.add(Difference{Kind: Text, Where: name, Old: fmt.Sprint(old["output_type"]), New: fmt.Sprint(fresh["output_type"])})
	}
	// The fingerprint in the metadata has a difference of its own, and comes with no text.
	metadata := comparer{tolerance: c.tolerance}
	metadata.tree(name+", metadata", withoutFingerprint(old["metadata"]), withoutFingerprint(fresh["metadata"]))
	c.found = append(c.found, metadata.found...)
	mimes := sortedKeys(a)
	for mime := range b {
		if _, ok := a[mime]; !ok {
			mimes = append(mimes, mime)
		}
	}
	slices.Sort(mimes)
	for _, mime := range mimes {
		x, inOld := a[mime]
		y, inNew := b[mime]
		where := name
		switch {
		case mime == "text/plain" && len(mimes) > 1 && inOld && inNew:
			continue
		case !inNew:
			c.add(Difference{Kind: Missing, Where: where, Old: mime})
		case !inOld:
			c.add(Difference{Kind: Additional, Where: where, New: mime})
		case mime == "image/png":
			c.png(where, x, y)
		case mime == "text/html":
			c.html(where, fmt.Sprint(x), fmt.Sprint(y))
		case isJSON(mime):
			c.seen.charts++
			c.chart(where, x, y)
		default:
			c.text(where, fmt.Sprint(x), fmt.Sprint(y))
		}
	}
	x, inOld := a["text/plain"].(string)
	y, inNew := b["text/plain"].(string)
	if len(mimes) > 1 && inOld && inNew {
		text := comparer{tolerance: c.tolerance}
		text.text(name+", its plain text", x, y)
		if len(c.found) == before {
			c.found = append(c.found, text.found...)
		}
	}
}

// text compares two texts line by line.
func (c *comparer) text(where, old, fresh string) {
	c.seen.texts++
	a, b := strings.Split(strings.TrimRight(old, "\n"), "\n"), strings.Split(strings.TrimRight(fresh, "\n"), "\n")
	at := func(i int) string {
		if max(len(a), len(b)) == 1 {
			return where
		}
		return fmt.Sprintf("%s, line %d", where, i+1)
	}
	same := func(i, j int) bool { return c.sameLine(a[i], b[j]) }
	alike := func(i, j int) bool { return slices.Equal(plainTexts(a[i]), plainTexts(b[j])) }
	for _, p := range align(len(a), len(b), same, alike) {
		switch {
		case p.new < 0:
			c.add(Difference{Kind: Missing, Where: at(p.old), Old: a[p.old]})
		case p.old < 0:
			c.add(Difference{Kind: Additional, Where: at(p.new), New: b[p.new]})
		case p.moved:
			c.add(Difference{Kind: Moved, Where: fmt.Sprintf("%s, %q", where, a[p.old]), Old: fmt.Sprintf("line %d", p.old+1),
				New: fmt.Sprintf("line %d", p.new+1)})
			fallthrough
		default:
			c.line(at(p.old), a[p.old], b[p.new])
		}
	}
}

func (c *comparer) sameLine(old, fresh string) bool {
	trial := comparer{tolerance: c.tolerance}
	trial.line("", old, fresh)
	return len(trial.found) == 0
}

// plainTexts is what stands between the numbers of a line.
func plainTexts(line string) []string {
	var out []string
	for _, t := range tokens(line) {
		if !t.number {
			out = append(out, t.text)
		}
	}
	return out
}

// line compares two lines: numbers by the tolerance, everything else exactly.
func (c *comparer) line(where, old, fresh string) {
	a, b := tokens(old), tokens(fresh)
	for _, t := range a {
		if t.number {
			c.seen.figures++
		}
	}
	if old == fresh {
		return
	}
	same := len(a) == len(b)
	for i := 0; same && i < len(a); i++ {
		same = a[i].number == b[i].number && (a[i].number || a[i].text == b[i].text)
	}
	if !same {
		c.add(Difference{Kind: Text, Where: where, Old: old, New: fresh})
		return
	}
	for i := range a {
		if a[i].number && !c.tolerance.same(a[i].value, b[i].value) {
			c.add(Difference{Kind: Figure, Where: where, Old: old, New: fresh, By: by(a[i].value, b[i].value)})
			return
		}
	}
}

// html compares the tables of two HTML outputs cell by cell, and the text around them; where
// these are the same, also how they are marked up, since a style hides a row and an attribute
// holds a picture.
func (c *comparer) html(where, old, fresh string) {
	a, b := readHTML(old), readHTML(fresh)
	before := len(c.found)
	defer func() {
		if len(c.found) == before {
			markup := comparer{tolerance: c.tolerance}
			markup.text(where+", markup", a.markup, b.markup)
			c.found = append(c.found, markup.found...)
		}
	}()
	if len(a.tables) != len(b.tables) {
		c.add(Difference{Kind: Text, Where: where, Old: fmt.Sprintf("%d tables", len(a.tables)),
			New: fmt.Sprintf("%d tables", len(b.tables))})
		return
	}
	for i := range a.tables {
		at := where
		if len(a.tables) > 1 {
			at = fmt.Sprintf("%s, table %d", where, i+1)
		}
		c.table(at, a.tables[i], b.tables[i])
	}
	if a.text != "" || b.text != "" {
		c.text(where, a.text, b.text)
	}
}

func (c *comparer) table(where string, old, fresh grid) {
	c.seen.tables++
	same := func(i, j int) bool {
		return slices.EqualFunc(old[i], fresh[j], c.sameLine)
	}
	alike := func(i, j int) bool {
		return len(old[i]) > 0 && len(fresh[j]) > 0 && old[i][0] == fresh[j][0]
	}
	for _, p := range align(len(old), len(fresh), same, alike) {
		switch {
		case p.new < 0:
			c.add(Difference{Kind: Missing, Where: fmt.Sprintf("%s, row %d", where, p.old),
				Old: strings.Join(old[p.old], " | ")})
			continue
		case p.old < 0:
			c.add(Difference{Kind: Additional, Where: fmt.Sprintf("%s, row %d", where, p.new),
				New: strings.Join(fresh[p.new], " | ")})
			continue
		case p.moved:
			c.add(Difference{Kind: Moved, Where: fmt.Sprintf("%s, %s", where, quote(strings.Join(old[p.old], " | "))),
				Old: fmt.Sprintf("row %d", p.old), New: fmt.Sprintf("row %d", p.new)})
		}
		i, a, b := p.old, old[p.old], fresh[p.new]
		for j := range max(len(a), len(b)) {
			at := fmt.Sprintf("%s, %s", where, old.name(i, j))
			switch {
			case j >= len(b):
				c.add(Difference{Kind: Missing, Where: at, Old: a[j]})
			case j >= len(a):
				c.add(Difference{Kind: Additional, Where: at, New: b[j]})
			default:
				c.line(at, a[j], b[j])
			}
		}
	}
}

// chart compares two specifications of a chart, its data first. Of what else a specification holds,
// numbers such as the ends of the axes follow from the data and count only where the data is the
// same; texts such as the title always count. In a row of the data, texts that say its numbers again
// count only where these are the same.
func (c *comparer) chart(where string, old, fresh any) {
	a, b := rows(old), rows(fresh)
	before := len(c.found)
	at := func(i int, row any) string {
		if name := rowName(row); name != "" {
			return fmt.Sprintf("%s, point %d (%s)", where, i+1, name)
		}
		return fmt.Sprintf("%s, point %d", where, i+1)
	}
	same := func(i, j int) bool {
		trial := comparer{tolerance: c.tolerance}
		trial.tree("", a[i], b[j])
		return len(trial.found) == 0
	}
	alike := func(i, j int) bool { return rowName(a[i]) == rowName(b[j]) }
	for _, p := range align(len(a), len(b), same, alike) {
		switch {
		case p.new < 0:
			c.add(Difference{Kind: Missing, Where: at(p.old, a[p.old]), Old: compact(a[p.old])})
		case p.old < 0:
			c.add(Difference{Kind: Additional, Where: at(p.new, b[p.new]), New: compact(b[p.new])})
		case p.moved:
			c.add(Difference{Kind: Moved, Where: at(p.old, a[p.old]), Old: fmt.Sprintf("point %d", p.old+1),
				New: fmt.Sprintf("point %d", p.new+1)})
			fallthrough
		default:
			x, y := a[p.old], b[p.new]
			numbers, all := comparer{tolerance: c.tolerance}, comparer{tolerance: c.tolerance}
			numbers.tree(at(p.old, x), pointFigures(x), pointFigures(y))
			all.tree(at(p.old, x), x, y)
			if len(numbers.found) > 0 {
				c.found = append(c.found, numbers.found...)
			} else {
				c.found = append(c.found, all.found...)
			}
			c.seen.figures += numbers.seen.figures
		}
	}
	rest := comparer{tolerance: c.tolerance}
	if len(c.found) == before {
		rest.tree(where, old, fresh)
	} else {
		rest.tree(where, textsOf(old), textsOf(fresh))
	}
	c.found = append(c.found, rest.found...)
}

// textsOf is a specification without its inline data and without the value of any number.
func textsOf(value any) any {
	switch value := value.(type) {
	case object:
		out := object{}
		for key, v := range value {
			if key != "values" {
				out[key] = textsOf(v)
			}
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, v := range value {
			out[i] = textsOf(v)
		}
		return out
	case json.Number:
		return nil
	}
	return value
}

// rows is the inline data of a chart.
func rows(spec any) []any {
	tree, _ := spec.(object)
	data, _ := tree["data"].(object)
	values, _ := data["values"].([]any)
	return values
}

// pointFigures is the numbers of a row of a chart's data, without the place of its label.
func pointFigures(row any) object {
	all, _ := row.(object)
	out := object{}
	for key, value := range all {
		if _, ok := value.(json.Number); ok && key != "end" {
			out[key] = value
		}
	}
	return out
}

// tree compares two JSON values: numbers by the tolerance, everything else exactly.
func (c *comparer) tree(where string, old, fresh any) {
	switch a := old.(type) {
	case object:
		b, ok := fresh.(object)
		if !ok {
			break
		}
		keys := slices.Sorted(maps.Keys(a))
		for key := range b {
			if _, ok := a[key]; !ok {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			x, inOld := a[key]
			y, inNew := b[key]
			at := where + ", " + key
			switch {
			case !inNew:
				c.add(Difference{Kind: Missing, Where: at, Old: compact(x)})
			case !inOld:
				c.add(Difference{Kind: Additional, Where: at, New: compact(y)})
			default:
				c.tree(at, x, y)
			}
		}
		return
	case []any:
		b, ok := fresh.([]any)
		if !ok {
			break
		}
		for i := range max(len(a), len(b)) {
			at := fmt.Sprintf("%s %d", where, i+1)
			switch {
			case i >= len(b):
				c.add(Difference{Kind: Missing, Where: at, Old: compact(a[i])})
			case i >= len(a):
				c.add(Difference{Kind: Additional, Where: at, New: compact(b[i])})
			default:
				c.tree(at, a[i], b[i])
			}
		}
		return
	case json.Number:
		c.seen.figures++
		b, ok := fresh.(json.Number)
		if !ok {
			break
		}
		x, errX := a.Float64()
		y, errY := b.Float64()
		if a == b || errX == nil && errY == nil && c.tolerance.same(x, y) {
			return
		}
		c.add(Difference{Kind: Figure, Where: where, Old: a.String(), New: b.String(), By: by(x, y)})
		return
	case string:
		if b, ok := fresh.(string); ok {
			c.line(where, a, b)
			return
		}
	default:
		if old == fresh {
			return
		}
	}
	c.add(Difference{Kind: Text, Where: where, Old: compact(old), New: compact(fresh)})
}

// rowName is the category of a row of a chart's data.
func rowName(value any) string {
	row, _ := value.(object)
	var parts []string
	for _, key := range []string{"by", "series"} {
		if v, ok := row[key]; ok {
			if _, nested := v.(object); !nested {
				parts = append(parts, fmt.Sprint(v))
			}
		}
	}
	return strings.Join(parts, ", ")
}

func compact(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// withoutFingerprint is the metadata of a display without the fingerprint of its data set.
func withoutFingerprint(value any) object {
	metadata, _ := value.(object)
	out := object{}
	maps.Copy(out, metadata)
	if ours, ok := out["kvarter"].(object); ok {
		ours = maps.Clone(ours)
		delete(ours, "fingerprint")
		delete(ours, "tables")
		out["kvarter"] = ours
	}
	return out
}

var fingerprintLine = regexp.MustCompile(`Fingerprint: (\S+)`)

// fingerprint is that of the data set which the outputs name, or those of the tables, each after its
// name; "" if they name none.
func fingerprint(outputs []object) string {
	for _, o := range displays(outputs) {
		metadata, _ := o["metadata"].(object)
		about, _ := metadata["kvarter"].(object)
		if f, ok := about["fingerprint"].(string); ok {
			return f
		}
		if tables, ok := about["tables"].(object); ok {
			var parts []string
			for _, name := range slices.Sorted(maps.Keys(tables)) {
				parts = append(parts, fmt.Sprintf("%s %v", name, tables[name]))
			}
			return strings.Join(parts, ", ")
		}
		text, _ := data(o)["text/plain"].(string)
		if m := fingerprintLine.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	if m := fingerprintLine.FindStringSubmatch(stream(outputs, "stdout")); m != nil {
		return m[1]
	}
	return ""
}

// synthetic says in words whether the outputs tell that their data are.
func synthetic(outputs []object) string {
	for _, o := range displays(outputs) {
		metadata, _ := o["metadata"].(object)
		about, _ := metadata["kvarter"].(object)
		switch about["synthetic"] {
		case true:
			return "synthetic"
		case false:
			return "not synthetic"
		}
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
