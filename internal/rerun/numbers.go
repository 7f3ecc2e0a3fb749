package rerun

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Tolerance is how far two numbers may be apart and still be the same: Absolute, or Relative
// to the larger of the two, whichever is more.
type Tolerance struct{ Relative, Absolute float64 }

// DefaultTolerance lets pass what the order of a summation changes, and nothing that a
// reader would see.
var DefaultTolerance = Tolerance{Relative: 1e-9}

func (t Tolerance) same(a, b float64) bool {
	return a == b || math.Abs(a-b) <= max(t.Absolute, t.Relative*max(math.Abs(a), math.Abs(b)))
}

// wide tells whether it lets pass more than DefaultTolerance does.
func (t Tolerance) wide() bool {
	return t.Relative > DefaultTolerance.Relative || t.Absolute > DefaultTolerance.Absolute
}

func (t Tolerance) String() string {
	switch {
	case t.Absolute == 0:
		return fmt.Sprintf("relative %g", t.Relative)
	case t.Relative == 0:
		return fmt.Sprintf("absolute %g", t.Absolute)
	default:
		return fmt.Sprintf("relative %g or absolute %g", t.Relative, t.Absolute)
	}
}

// token is a piece of a text: a number, or what stands between two.
type token struct {
	text   string
	start  int // where it starts in the text
	number bool
	value  float64
}

// tokens splits a text into numbers and what stands between. A number may have a sign,
// thousands separated by commas, decimals and an exponent. Digits within a word, as in a
// name or a fingerprint, are not a number.
func tokens(s string) []token {
	var out []token
	plain := 0
	for i := 0; i < len(s); {
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		start, end, value := numberAt(s, i, before)
		if end == 0 {
			// Not here: step over the whole word, or over one character.
			r, size := utf8.DecodeRuneInString(s[i:])
			for i += size; inWord(r) && i < len(s); i += size {
				if r, size = utf8.DecodeRuneInString(s[i:]); !inWord(r) {
					break
				}
			}
			continue
		}
		if start > plain {
			out = append(out, token{text: s[plain:start], start: plain})
		}
		out = append(out, token{text: s[start:end], start: start, number: true, value: value})
		i, plain = end, end
	}
	if plain < len(s) {
		out = append(out, token{text: s[plain:], start: plain})
	}
	return out
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// numberAt reads the number that starts at i, where before is the character before it. end
// is 0 if there is none.
func numberAt(s string, i int, before rune) (start, end int, value float64) {
	sign, j := 1.0, i
	switch {
	case strings.HasPrefix(s[j:], "−"): // U+2212
		sign, j = -1, j+len("−")
	case s[j] == '-':
		sign, j = -1, j+1
	case s[j] == '+':
		j++
	}
	if inWord(before) || j >= len(s) || !isDigit(s[j]) || j > i && before == ')' {
		return 0, 0, 0
	}
	digits := j
	for j < len(s) && (isDigit(s[j]) || groupedAt(s, digits, j)) {
		j++
	}
	if j+1 < len(s) && s[j] == '.' && isDigit(s[j+1]) {
		for j++; j < len(s) && isDigit(s[j]); j++ {
		}
	}
	if j < len(s) && (s[j] == 'e' || s[j] == 'E') {
		k := j + 1
		if k < len(s) && (s[k] == '+' || s[k] == '-') {
			k++
		}
		if k < len(s) && isDigit(s[k]) {
			for j = k; j < len(s) && isDigit(s[j]); j++ {
			}
		}
	}
	if after, _ := utf8.DecodeRuneInString(s[j:]); j < len(s) && inWord(after) {
		return 0, 0, 0
	}
	value, err := strconv.ParseFloat(strings.ReplaceAll(s[digits:j], ",", ""), 64)
	if err != nil { // beyond the range of a float64
		return 0, 0, 0
	}
	return i, j, sign * value
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// groupedAt says whether the comma at j groups thousands of the number that starts at from.
func groupedAt(s string, from, j int) bool {
	if s[j] != ',' || len(s) < j+4 || !isDigit(s[j+1]) || !isDigit(s[j+2]) || !isDigit(s[j+3]) || len(s) > j+4 &&
		isDigit(s[j+4]) {
		return false
	}
	run := j - from // the digits so far, which come in groups too
	if first := strings.IndexByte(s[from:j], ','); first >= 0 {
		return first <= 3 && (run-first)%4 == 0
	}
	return run <= 3
}

// by says how far new is from old in words: +0.1 (+0.6%).
func by(old, fresh float64) string {
	d := fresh - old
	text := strconv.FormatFloat(d, 'g', 6, 64)
	if d > 0 {
		text = "+" + text
	}
	if old == 0 {
		return text
	}
	percent := 100 * d / math.Abs(old)
	format := "%s (%+.2g%%)"
	if p := math.Abs(percent); p >= 99.5 && p < 1e6 {
		format = "%s (%+.0f%%)" // two digits would be +1e+02%
	}
	return fmt.Sprintf(format, text, percent)
}
