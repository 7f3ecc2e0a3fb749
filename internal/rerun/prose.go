package rerun

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// What of a markdown cell tells no figure: code, where links lead, comments, the usual level of
// intervals, and the numbers of slides, notebooks and sections.
var notProse = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`|\\]\\([^)\n]*\\)|<!--.*?-->|https?://\\S+|\\b95 ?%|\\b(?i:slide|notebook|section)s? \\d+(?:(?:, |-| and | to )\\d+)*\\b")

var year = regexp.MustCompile(`^(19|20)\d\d$`)

// prose compares the numbers in the text of a notebook with those that its cells assert. A
// number is held by a ✓ line of nb.Want, as it stands there or as a percentage of it,
// rounded to the digits that the text gives; or by the code, where ages and
// margins stand. Years are left out, and so is a notebook that asserts nothing. fresh are
// the outputs of the rerun.
//
// It finds a digit typed wrongly in most places, not in all: a wrong number may happen to
// be another one that is asserted, and numbers in words are not read.
func (n *Notebook) prose(code []*Cell, fresh [][]object) []Difference {
	var held []float64
	asserts := false
	for i, cell := range code {
		held = append(held, numbersOf(cell.Source)...)
		for line := range strings.Lines(stream(fresh[i], "stdout")) {
			if strings.HasPrefix(line, "✓ ") {
				asserts = true
				held = append(held, numbersOf(line)...)
			}
		}
	}
	if !asserts {
		return nil
	}
	var out []Difference
	before := 0 // code cells so far
	for _, cell := range n.Cells {
		if slices.Contains(code, cell) {
			before++
		}
		if cell.Kind != "markdown" {
			continue
		}
		where := fmt.Sprintf("the text before cell %d", before+1)
		if before == len(code) {
			where = fmt.Sprintf("the text after cell %d", before)
		}
		// What is left out leaves its line ends, so that lines keep their numbers.
		text := notProse.ReplaceAllStringFunc(cell.Source, func(s string) string {
			return " " + strings.Repeat("\n", strings.Count(s, "\n"))
		})
		for i, line := range strings.Split(text, "\n") {
			all := tokens(line)
			for j, t := range all {
				if !t.number || year.MatchString(t.text) || isHeld(t, held) {
					continue
				}
				out = append(out, Difference{Kind: Prose, Where: fmt.Sprintf("%s, line %d, %q", where, i+1, around(all, j)), Old: t.text, New: nearest(t, held)})
			}
		}
	}
	return out
}

// around is a token with the words beside it.
func around(all []token, i int) string {
	before, after := "", ""
	for _, t := range all[:i] {
		before += t.text
	}
	for _, t := range all[i+1:] {
		after += t.text
	}
	const most = 24 // characters on either side
	if r := []rune(before); len(r) > most {
		before = "…" + string(r[len(r)-most:])
	}
	if r := []rune(after); len(r) > most {
		after = string(r[:most]) + "…"
	}
	return strings.TrimSpace(before + all[i].text + after)
}

func numbersOf(text string) []float64 {
	var out []float64
	for _, t := range tokens(text) {
		if t.number {
			out = append(out, math.Abs(t.value))
		}
	}
	return out
}

// decimals is how many digits a number is written with after the point.
func decimals(number string) int {
	_, after, _ := strings.Cut(number, ".")
	return len(after)
}

// isHeld says whether one of the numbers, or a hundred times it, rounds to the one told. A
// text tells sizes: the sign is in the words.
func isHeld(t token, held []float64) bool {
	told, half := math.Abs(t.value), 0.5*math.Pow10(-decimals(t.text))*(1+1e-9)
	for _, x := range held {
		if math.Abs(x-told) <= half || math.Abs(100*x-told) <= half {
			return true
		}
	}
	return false
}

// nearest is the number next to the one told, written as that one is.
func nearest(t token, held []float64) string {
	told, best := math.Abs(t.value), math.Inf(1)
	for _, x := range held {
		for _, x := range []float64{x, 100 * x} {
			if math.Abs(x-told) < math.Abs(best-told) {
				best = x
			}
		}
	}
	return grouped(fmt.Sprintf("%.*f", decimals(t.text), best))
}

// grouped parts the thousands of a number without a sign by commas.
func grouped(number string) string {
	whole, after, point := strings.Cut(number, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		return whole + "." + after
	}
	return whole
}
