package rerun

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// figure is a number that a text tells, in digits or in words.
type figure struct {
	text   string // with its sign and unit: "-5.3 %", "21.6 percentage points", "one in four"
	line   int    // of its cell, from 1
	around string // the words beside it
	near   []word // every word of its line, with how far it is from the figure
	kind   figureKind
	value  float64
	// Of digits: a value that rounds to these is meant. Of words: one between them.
	low, high float64
	unit      string // "%", "percentage points", "times" and the like; "" for none
	between   bool   // an end of a range of whole numbers, such as ages: 13-17
}

type figureKind int

const (
	inDigits figureKind = iota // 5,860: some check gives it, or some code states it
	ratio                      // one in four, twice as many, half: some check gives it
	counted                    // six: a check gives it, or it counts what the text itself lists
)

// word is a word of a line and its distance from a figure, in characters.
type word struct {
	text     string
	distance int
}

// What of a markdown cell tells no figure: code, where links lead, comments, the levels of
// intervals, and the numbers of slides, notebooks and sections.
var notProse = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`|\\]\\([^)\n]*\\)|<!--.*?-->|https?://\\S+|" +
	"\\b95 ?%|\\b9[09] ?%\\*{0,2} (?:confidence )?intervals?\\b|" +
	"\\b(?i:slide|notebook|section)s? \\d+(?:(?:, |-| and | to )\\d+)*\\b")

var (
	year = regexp.MustCompile(`^(19|20)\d\d$`)
	// A unit after a number, perhaps at the end of a range.
	unitAfter  = regexp.MustCompile(`^\*{0,3}[  ]?(%|percentage points?\b|per ?cent\b|pp\b|points\b|times\b)`)
	rangeEnd   = regexp.MustCompile(`^[-–]\d`)
	rangeStart = regexp.MustCompile(`\d[-–]$`)
	rangeAfter = regexp.MustCompile(`^\*{0,3}(?:[-–]| (?:to|and|or|against) )[-−+]?[\d.,]*\d\*{0,3}[  ]?` +
		`(%|percentage points?\b|per ?cent\b|pp\b)`)
)

// figures are the numbers that a markdown text tells, in order. Years are none.
func figures(source string) []figure {
	// What is left out leaves its line ends, so that lines keep their numbers.
	text := notProse.ReplaceAllStringFunc(source, func(s string) string {
		return " " + strings.Repeat("\n", strings.Count(s, "\n"))
	})
	var out []figure
	for i, line := range strings.Split(text, "\n") {
		for _, f := range figuresOfLine(line) {
			f.line = i + 1
			out = append(out, f)
		}
	}
	return out
}

// figuresOfLine reads digits and words from left to right; where both could be read, the
// words are ("4 times as often" is digits, "5 in 100" words).
func figuresOfLine(line string) []figure {
	var out []figure
	add := func(f figure, start, end int) {
		f.around = around(line, start, end)
		f.near = wordsNear(line, start, end)
		out = append(out, f)
	}
	inWords := wordFigures(line)
	next := 0 // of inWords
	for _, t := range tokens(line) {
		for ; next < len(inWords) && inWords[next].start < t.start+len(t.text); next++ {
			add(inWords[next].figure, inWords[next].start, inWords[next].end)
		}
		if !t.number || year.MatchString(t.text) || next > 0 && t.start < inWords[next-1].end {
			continue
		}
		f := figure{text: t.text, kind: inDigits, value: t.value}
		after := line[t.start+len(t.text):]
		if m := unitAfter.FindStringSubmatch(after); m != nil {
			f.text, f.unit = f.text+" "+m[1], m[1]
		} else if m := rangeAfter.FindStringSubmatch(after); m != nil {
			f.unit = m[1]
		}
		f.between = f.unit == "" && decimals(t.text) == 0 &&
			(rangeEnd.MatchString(after) || rangeStart.MatchString(line[:t.start]))
		half := 0.5 * math.Pow10(-decimals(t.text)) * (1 + 1e-9)
		f.low, f.high = math.Abs(t.value)-half, math.Abs(t.value)+half
		add(f, t.start, t.start+len(t.text))
	}
	return out
}

// around is a piece of a line with the words beside it.
func around(line string, start, end int) string {
	const most = 24 // characters on either side
	before, after := line[:start], line[end:]
	if r := []rune(before); len(r) > most {
		before = "…" + string(r[len(r)-most:])
	}
	if r := []rune(after); len(r) > most {
		after = string(r[:most]) + "…"
	}
	return strings.TrimSpace(before + line[start:end] + after)
}

var wordPattern = regexp.MustCompile(`\pL[\pL'’-]+|\b(?:19|20)\d\d\b`)

// Words that tell no check from another.
var stopWords = func() map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields("the and for with who whom that this their its are was were not from all have " +
		"has had if of in as is it to at by or on be an") {
		out[stem(w)] = true
	}
	return out
}()

// stems are the words of a text that can tell one check from another.
func stems(text string) []string {
	var out []string
	for _, w := range wordPattern.FindAllString(text, -1) {
		if s := stem(w); !stopWords[s] && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// stem makes "areas" and "area" one word.
func stem(word string) string {
	word = strings.ToLower(word)
	if len(word) > 3 {
		word = strings.TrimSuffix(word, "s")
	}
	return word
}

func wordsNear(line string, start, end int) []word {
	var out []word
	for _, m := range wordPattern.FindAllStringIndex(line, -1) {
		distance := max(start-m[1], m[0]-end, 0)
		out = append(out, word{stem(line[m[0]:m[1]]), distance})
	}
	return out
}

// Numbers in words.
var cardinals = map[string]float64{
	"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
	"eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
	"eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}

var ordinals = map[string]float64{
	"other": 2, "second": 2, "half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
	"eighth": 8, "ninth": 9, "tenth": 10, "twelfth": 12, "fifteenth": 15, "twentieth": 20,
	"fiftieth": 50, "hundredth": 100,
}

const (
	unitWords = `one|two|three|four|five|six|seven|eight|nine`
	tensWords = `twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety`
	cardinal  = `(?:(?:` + tensWords + `)[- ](?:` + unitWords + `)|(?:a |one )?hundred|(?:a |one )?thousand|` + tensWords +
		`|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|` + unitWords + `)`
	round   = `ten|twenty|fifty|hundred|thousand|10|100|1,?000`
	ordinal = `other|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|` +
		`twelfth|fifteenth|twentieth|fiftieth|hundredth`
	fraction = `(?:thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?)`
	hedge    = `(?:((?:a little |slightly |well )?(?:fewer|less|lower|more|higher) than|above|below|under|over|` +
		`at most|at least|up to|nearly|almost|about|around|roughly|just under|just over)[ *]+)?`
	whom = `(?: (?:times?|child(?:ren)?|persons?|people|areas?|famil(?:y|ies)|women|men|of them|out))?`
)

// Each form of a number in words: the first that matches where another could start counts.
var wordForms = []struct {
	kind figureKind
	form *regexp.Regexp
	read func(m []string) float64
}{
	{ratio, wordForm(`(` + cardinal + `|\d+)` + whom + ` in (?:every |each |a )?(` + round + `)`), quotient},
	{ratio, wordForm(`(` + cardinal + `)` + whom + ` in (?:every |each )?(` + cardinal + `|\d{1,3})`), quotient},
	{ratio, wordForm(`every (` + ordinal + `)`), func(m []string) float64 { return 1 / ordinals[m[1]] }},
	{ratio, wordForm(`(?:a )?factor of (` + cardinal + `)`), whole},
	{ratio, wordForm(`(` + cardinal + `) times (?:as|the|more|less|fewer|larger|smaller|higher|lower|that)`), whole},
	{ratio, wordForm(`(twice|thrice|double|triple|treble) (?:as|the|that|what|its|their)`), multiple},
	{ratio, wordForm(`(doubled|doubles|tripled|triples|trebled|halved|halves)`), multiple},
	{ratio, wordForm(`(` + unitWords + `) (` + fraction + `)`), parts},
	{ratio, wordForm(`(a|one) (` + fraction + `)(?: of| less| more| as)`), parts},
	{ratio, wordForm(`(?:by |a |one )?half(?: of| the| as| a)?`), func([]string) float64 { return 0.5 }},
	{ratio, wordForm(`(` + cardinal + `) (?:percentage points|percent|per cent)`), whole},
	{counted, wordForm(`(` + cardinal + `)`), whole},
}

func whole(m []string) float64    { return number(m[1]) }
func quotient(m []string) float64 { return number(m[1]) / number(m[2]) }

func parts(m []string) float64 {
	n := 1.0
	if m[1] != "a" {
		n = number(m[1])
	}
	return n / ordinals[strings.TrimSuffix(m[2], "s")]
}

func wordForm(form string) *regexp.Regexp { return regexp.MustCompile(`(?i)\b` + hedge + form + `\b`) }

func multiple(m []string) float64 {
	switch m[1][:2] {
	case "tw", "do":
		return 2
	case "ha":
		return 0.5
	}
	return 3
}

// number reads a cardinal number, in words or in digits.
func number(text string) float64 {
	if x, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64); err == nil {
		return x
	}
	var sum float64
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '-' }) {
		if x := cardinals[w]; w != "one" || sum != 0 || len(text) == len("one") {
			sum += x
		}
	}
	return sum
}

type wordFigure struct {
	figure
	start, end int
}

// wordFigures are the numbers in words of a line. A lone "one" is none: it is a pronoun more
// often than a number.
func wordFigures(line string) []wordFigure {
	var out []wordFigure
	next := make([][]int, len(wordForms)) // the next match of each form, once it is looked for
	for k, form := range wordForms {
		next[k] = form.form.FindStringSubmatchIndex(line)
	}
	for at := 0; ; {
		first := -1
		for k, form := range wordForms {
			if m := next[k]; m != nil && m[0] < at {
				if next[k] = form.form.FindStringSubmatchIndex(line[at:]); next[k] != nil {
					for j := range next[k] {
						if next[k][j] >= 0 {
							next[k][j] += at
						}
					}
				}
			}
			if next[k] != nil && (first < 0 || next[k][0] < next[first][0]) {
				first = k
			}
		}
		if first < 0 {
			return out
		}
		m, form := next[first], wordForms[first]
		// The first group is what hedges the number, the others are parts of it.
		var parts []string
		for k := 2; k < len(m); k += 2 {
			part := ""
			if m[k] >= 0 {
				part = strings.ToLower(line[m[k]:m[k+1]])
			}
			parts = append(parts, part)
		}
		f := figure{text: line[m[0]:m[1]], kind: form.kind, value: form.read(parts)}
		f.low, f.high = read(f.value, parts[0], f.kind)
		if f.kind == ratio && strings.Contains(f.text, " per") {
			f.unit = "%"
		}
		alone := f.kind == counted && f.value == 1
		if inWord := m[0] > 0 && line[m[0]-1] == '-'; !alone && !inWord {
			out = append(out, wordFigure{f, m[0], m[1]})
		}
		at = m[1]
	}
}

// read says between which values a number in words is meant: within a tenth of it; up to
// three tenths on the side that the words before it say; a number that counts is exact.
func read(x float64, hedge string, kind figureKind) (low, high float64) {
	hedge = strings.ToLower(hedge)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(hedge, w) })
	}
	switch {
	case has("fewer", "less", "lower", "below", "under", "most", "up to"):
		return 0.7 * x, x
	case has("more", "higher", "above", "over", "least"):
		return x, 1.3 * x
	case has("nearly", "almost", "about", "around", "roughly"):
		return 0.85 * x, 1.15 * x
	case kind == counted:
		return x - 0.5, x + 0.5
	}
	return 0.9 * x, 1.1 * x
}
