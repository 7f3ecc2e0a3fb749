package contract_test

import (
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// A line of Go has at most 120 characters. What stands between back quotes does not count, since a
// break in it would be one of the text; nor do the signatures that gqlgen lays out.
func TestLinesAreAtMost120Characters(t *testing.T) {
	const most = 120
	sources(t, func(path string, text []byte) {
		if generated.Match(text) {
			return
		}
		resolvers := strings.HasSuffix(path, ".resolvers.go")
		for number, line := range strings.Split(withoutRawStrings(text), "\n") {
			if n := utf8.RuneCountInString(line); n > most && !(resolvers && strings.HasPrefix(line, "func (r *")) {
				t.Errorf("%s:%d: the line has %d characters; at most %d", path, number+1, n, most)
			}
		}
	})
}

// withoutRawStrings returns Go source with nothing between its back quotes but line breaks.
func withoutRawStrings(text []byte) string {
	var files = token.NewFileSet()
	var s scanner.Scanner
	file := files.AddFile("", -1, len(text))
	s.Init(file, text, nil, 0)
	var out strings.Builder
	from := 0
	for {
		pos, kind, literal := s.Scan()
		if kind == token.EOF {
			break
		}
		if kind == token.STRING && literal[0] == '`' {
			start := file.Offset(pos)
			out.Write(text[from:start])
			out.WriteString(strings.Repeat("\n", strings.Count(literal, "\n")))
			from = start + len(literal)
		}
	}
	out.Write(text[from:])
	return out.String()
}

func TestWithoutRawStrings(t *testing.T) {
	const source = "a := `b\nc` + \"`d`\" // `e`\nf(`g`)"
	if got, want := withoutRawStrings([]byte(source)), "a := \n + \"`d`\" // `e`\nf()"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
