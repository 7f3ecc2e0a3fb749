package rerun

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// A check is a line that nb.Want prints: ✓ NAME: VALUE, with what the text tells of it where
// that is within a tolerance.
type check struct {
	name string
	cell int // of the code cells that are executed, from 1
	text string
	// The numbers of the value; of what is told of it; and of the name, which the check
	// asserts too ("within the margin of 2 percentage points: true").
	values, told []float64
	named        []figure
}

var toldSuffix = regexp.MustCompile(` \(told: (\S+) within \S+\)$`)

// checks reads the checks that the outputs of a rerun print.
func checks(outputs [][]object) []check {
	var out []check
	for i, o := range outputs {
		for line := range strings.Lines(stream(o, "stdout")) {
			line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "✓ ")
			c := check{cell: i + 1}
			if m := toldSuffix.FindStringSubmatchIndex(line); m != nil {
				c.told, line = numbersOf(line[m[2]:m[3]]), line[:m[0]]
			}
			colon := strings.LastIndex(line, ": ")
			if !ok || colon < 0 {
				continue
			}
			c.name, c.text = line[:colon], line[colon+len(": "):]
			c.values = numbersOf(c.text)
			c.named = figuresOfLine(c.name)
			out = append(out, c)
		}
	}
	return out
}

func numbersOf(text string) []float64 {
	var out []float64
	for _, t := range tokens(text) {
		if t.number {
			out = append(out, t.value)
		}
	}
	return out
}

func digits(text string) int {
	n := 0
	for i := range len(text) {
		if isDigit(text[i]) {
			n++
		}
	}
	return n
}

// decimals is how many digits a number is written with after the point.
func decimals(number string) int {
	_, after, _ := strings.Cut(number, ".")
	return len(after)
}

// holds says whether the figure tells x; with percent, of x as a share. A minus that is
// written has to be there; one that is not may be in the words. Digits tell what rounds to
// them, but a number below ten without a unit counts something.
func (f figure) holds(x float64, percent bool) bool {
	if f.kind == inDigits && f.value < 0 && x > 0 || strings.HasPrefix(f.text, "+") && x < 0 {
		return false
	}
	if x = math.Abs(x); percent {
		x *= 100
	}
	if f.kind == counted || f.kind == inDigits && f.unit == "" && f.high < 10 && decimals(f.text) == 0 {
		return math.Abs(x-math.Abs(f.value)) <= 1e-9*x || f.kind == counted && f.low <= x && x <= f.high && x == math.Trunc(x)
	}
	return f.low <= x && x <= f.high
}

// asShare says whether the figure may be told of a share in percent.
func (f figure) asShare() bool {
	if f.unit == "" {
		return f.kind == inDigits && decimals(f.text) > 0
	}
	return f.unit != "times"
}

// tells says whether x is exactly what the figure tells.
func (f figure) tells(x float64) bool {
	told, x := math.Abs(f.value), math.Abs(x)
	return math.Abs(x-told) <= 1e-9*told || f.asShare() && math.Abs(100*x-told) <= 1e-9*told
}

// binding says which check gives a figure of a text. It stands in the metadata of the
// markdown cell, under kvarter.figures, one for each figure in their order.
type binding struct {
	text  string // the figure as it was written
	check string // the name of the check; "" where none gives it
	of    string // which of its numbers: "" the only one, "value 2", or "name"
	// Written by hand where nothing computes the figure: why it is what it is.
	stated string
}

const ofName = "name"

// gives says whether the check gives the figure: by the value that is meant, or by what the
// check tells of it, which is then within a tolerance of that value.
func (c check) gives(f figure, of string) bool {
	numbers := c.values
	var place int
	if _, err := fmt.Sscanf(of, "value %d", &place); err == nil {
		if place < 1 || place > len(c.values) {
			return false
		}
		numbers = c.values[place-1 : place]
	} else if of == ofName {
		// A name says "every fourth" where the text does, and 2 where the text says two.
		return slices.ContainsFunc(c.named, func(g figure) bool {
			return (f.kind == ratio && f.unit == "") == (g.kind == ratio && g.unit == "") &&
				math.Abs(f.value) == math.Abs(g.value)
		})
	} else if len(c.values) != 1 {
		return false
	}
	for _, x := range numbers {
		if f.holds(x, false) || f.asShare() && f.holds(x, true) {
			return true
		}
	}
	return of == "" && f.kind == inDigits && len(c.told) == 1 && f.tells(c.told[0])
}

// said is what a check gives, for a reader.
func (c check) said() string {
	return fmt.Sprintf("%s (the check %q in cell %d)", c.text, c.name, c.cell)
}

// source is where the figures of a notebook may come from.
type source struct {
	checks []check
	code   []float64 // the numbers that stand in the code, but for the lines that assert
}

func (n *Notebook) source(code []*Cell, fresh [][]object) source {
	s := source{checks: checks(fresh)}
	for _, cell := range code {
		for line := range strings.Lines(cell.Source) {
			if !strings.Contains(line, "nb.Want(") {
				s.code = append(s.code, numbersOf(line)...)
			}
		}
	}
	return s
}

// named finds the checks of one name. A name that stands for different values names none.
func (s source) named(name string) (found []check, ambiguous bool) {
	for _, c := range s.checks {
		if c.name == name {
			found = append(found, c)
			ambiguous = ambiguous || c.text != found[0].text
		}
	}
	return found, ambiguous
}

// isIn says whether numbers of the code state the figure, as it is or as a share.
func (f figure) isIn(code []float64) bool {
	return slices.ContainsFunc(code, func(x float64) bool {
		return math.Abs(math.Abs(x)-math.Abs(f.value)) <= 1e-9*math.Abs(x) || f.unit != "" && f.tells(x)
	})
}

// Below this nearness a check's name is hardly spoken of beside the figure.
const spokenOf = 0.25

// choose finds the check that gives a figure: of those whose value the figure tells, the one
// whose name is told in the words nearest to it. The binding has no check where none gives it.
// weak says that the value alone speaks for it.
func (s source) choose(f figure) (b binding, weak bool) {
	none := binding{text: f.text}
	if f.kind == inDigits && f.between && f.isIn(s.code) {
		return none, false
	}
	best, score := none, -1.0
	try := func(c check, of string) {
		if near := f.nearness(c, of); c.gives(f, of) && near > score {
			best, score = binding{text: f.text, check: c.name, of: of}, near
		}
	}
	for _, c := range s.checks {
		try(c, "")
		for i := range c.values {
			if len(c.values) > 1 {
				try(c, fmt.Sprintf("value %d", i+1))
			}
		}
	}
	least := 0.0
	switch f.kind {
	case counted: // most count what the text tells of
		least = spokenOf
	case ratio:
		least = 0.08
	}
	inCode := f.kind == inDigits && f.isIn(s.code)
	if inCode && score < 0.1 {
		return none, false
	}
	if (best.check == "" || score < least) && f.kind != counted {
		best, score = none, -1
		for _, c := range s.checks {
			if len(c.named) > 0 {
				try(c, ofName)
			}
		}
	}
	if _, ambiguous := s.named(best.check); ambiguous || score < least {
		return none, false
	}
	return best, score < spokenOf
}

// nearness is how close to the figure the words of a check's name stand in its line, from 0.
func (f figure) nearness(c check, of string) float64 {
	words := stems(c.name)
	if len(words) == 0 {
		return 0
	}
	var sum float64
	for _, stem := range words {
		nearest := math.Inf(1)
		for _, w := range f.near {
			if w.text == stem {
				nearest = min(nearest, float64(w.distance))
			}
		}
		sum += 1 / (1 + nearest/20)
	}
	sum /= math.Sqrt(float64(len(words)))
	// Points are the difference of two shares, not a share.
	if strings.Contains(f.unit, "point") && len(c.values) == 1 && math.Abs(c.values[0]) < 1 {
		sum /= 2
	}
	return sum
}

// bound is what gives a figure of the text, for the report.
type bound struct {
	Where string // e.g. `the text before cell 1, line 3`
	Told  string // the figure
	Text  string // and with the words beside it
	Check string // the name of the check; "" if none gives it
	Cell  int    // whose check it is; 0 for none
	Gives string // the value of the check
	Other string // where no check gives it: what does, or why it is told
}

// textCells calls f with each markdown cell and how a reader finds it.
func (n *Notebook) textCells(f func(where string, cell *Cell)) {
	for i, cell := range n.Cells {
		if cell.Kind == "markdown" {
			f(n.cellName(i), cell)
		}
	}
}

// prose compares the figures of the text with the checks that they are bound to. What the
// rerun printed is fresh, and complete only if ran; else the order of the figures alone is
// compared. A notebook that asserts nothing has no such rule.
func (n *Notebook) prose(code []*Cell, fresh [][]object, ran bool) (found []Difference, table []bound, err error) {
	s := n.source(code, fresh)
	written := n.written()
	if ran && len(s.checks) == 0 && !written {
		return nil, nil, nil
	}
	unbound := 0 // figures of a notebook that no update wrote which a check gives
	n.textCells(func(where string, cell *Cell) {
		told := figures(cell.Source)
		bindings, e := cell.bindings()
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", where, e)
		}
		if !written {
			bindings = nil
			for _, f := range told {
				bindings = append(bindings, binding{text: f.text})
			}
		}
		for _, p := range alignFigures(told, bindings) {
			add := func(f figure, format string, args ...any) {
				at := fmt.Sprintf("%s, line %d, %q", where, f.line, f.around)
				found = append(found, Difference{Kind: Prose, Where: at, Old: f.text, New: fmt.Sprintf(format, args...)})
			}
			if p.new < 0 {
				b := bindings[p.old]
				gone := Difference{Kind: Missing, Where: where + ", a figure", Old: b.text}
				if b.check != "" {
					gone.Old += fmt.Sprintf(" (of the check %q)", b.check)
				}
				found = append(found, gone)
				continue
			}
			f := told[p.new]
			b := binding{}
			if p.old >= 0 {
				b = bindings[p.old]
			}
			row := bound{Where: fmt.Sprintf("%s, line %d", where, f.line), Told: f.text, Text: f.around, Check: b.check}
			named, ambiguous := s.named(b.check)
			changed := p.old >= 0 && b.text != f.text
			switch {
			case !ran:
				if changed {
					add(f, "it was written as %s", b.text)
				}
			case b.check != "" && len(named) == 0:
				add(f, "it is bound to the check %q, and no cell prints one of that name", b.check)
			case b.check != "" && ambiguous:
				add(f, "it is bound to the check %q, and two of that name print different values "+
					"(cells %d and %d); give each a name of its own", b.check, named[0].cell, named[len(named)-1].cell)
			case b.check != "" && !named[0].gives(f, b.of):
				add(f, "its check gives %s", named[0].said())
			case changed:
				add(f, "it was written as %s", b.text)
			case b.check == "":
				c, weak := s.choose(f)
				switch {
				case b.stated != "" && (c.check == "" || weak || f.kind != inDigits || digits(f.text) < 3):
					// What is stated by hand is no way round a check that speaks of the figure.
					row.Other = "stated: " + b.stated
				case f.kind == counted && c.check == "":
					row.Other = "counts what the text tells of"
				case f.kind == inDigits && f.isIn(s.code) && c.check == "":
					row.Other = "the code"
				case c.check == "":
					add(f, "no check gives it%s. Assert it in a cell with nb.Want, correct the text, "+
						"or state in the metadata why it is told", s.nearest(f))
				case !written:
					unbound++
				default:
					named, _ := s.named(c.check)
					add(f, "it is bound to no check, and one gives %s; verify --update binds it", named[0].said())
				}
			}
			if len(named) > 0 {
				row.Cell, row.Gives = named[0].cell, named[0].text
			}
			table = append(table, row)
		}
	})
	if unbound > 0 {
		found = append(found, Difference{Kind: Prose, Where: "the text", Old: plural(unbound, "figure"),
			New: "none is bound to the check that gives it, so that two may have changed places; verify --update binds them"})
	}
	return found, table, err
}

// alignFigures pairs the bindings as written (old) with the figures as they stand (new). As
// many as before stand in the places where they stood, whatever they tell.
func alignFigures(told []figure, bindings []binding) []pairing {
	same := func(i, j int) bool { return bindings[i].text == told[j].text }
	if len(told) == len(bindings) {
		out := make([]pairing, len(told))
		for i := range out {
			out[i] = pairing{old: i, new: i}
		}
		return out
	}
	return align(len(bindings), len(told), same, func(i, j int) bool { return false })
}

// bind writes the bindings of the figures: those that are written stay, also where the figure
// is not what the check gives any more, which prose then tells; the others are chosen. It
// returns the new ones in words.
func (n *Notebook) bind(code []*Cell, fresh [][]object) (news []string, err error) {
	s := n.source(code, fresh)
	n.textCells(func(where string, cell *Cell) {
		told := figures(cell.Source)
		old, e := cell.bindings()
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", where, e)
		}
		bindings := make([]binding, len(told))
		for _, p := range alignFigures(told, old) {
			if p.new < 0 {
				continue
			}
			f := told[p.new]
			if p.old >= 0 {
				b := old[p.old]
				if found, _ := s.named(b.check); len(found) > 0 || b.stated != "" && b.text == f.text {
					b.text = f.text
					bindings[p.new] = b
					continue
				}
			}
			b, weak := s.choose(f)
			bindings[p.new] = b
			if b.check != "" {
				line := fmt.Sprintf("%s, line %d, %q: %s is bound to the check %q", where, f.line, f.around, f.text, b.check)
				if weak {
					line += ", for its value alone: see whether it is meant"
				}
				news = append(news, line)
			}
		}
		cell.bindTo(bindings)
	})
	return news, err
}

// nearest is the check that gives the number next to the figure, in words.
func (s source) nearest(f figure) string {
	best, text := math.Inf(1), ""
	for _, c := range s.checks {
		if named, ambiguous := s.named(c.name); ambiguous && c.gives(f, "") {
			return fmt.Sprintf(": the check %q would, and cells %d and %d print two of that name; "+
				"give each a name of its own", c.name, named[0].cell, named[len(named)-1].cell)
		}
		for _, x := range append(c.values[:len(c.values):len(c.values)], c.told...) {
			for _, x := range []float64{math.Abs(x), 100 * math.Abs(x)} {
				if off := math.Abs(x - math.Abs(f.value)); off < best {
					best, text = off, "; the nearest is "+c.said()
				}
			}
		}
	}
	return text
}
