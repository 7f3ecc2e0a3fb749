package web

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// checkUTF8 returns an error that names the first byte that is not UTF-8, which JSON must be in (RFC 8259,
// section 8.1). encoding/json would read a replacement character in its place.
func checkUTF8(what string, text []byte) *httpError {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return badRequest("%s starts with a byte order mark; leave it out", what)
	}
	if utf8.Valid(text) {
		return nil
	}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r != utf8.RuneError || size > 1 {
			i += size
			continue
		}
		is, next := fmt.Sprintf("0x%02X", text[i]), byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch letter := charmap.Windows1252.DecodeByte(text[i]); {
		case i == 0 && (bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))):
			is += ", as UTF-16 starts"
		case text[i] == 0xED && next&0xE0 == 0xA0:
			is += ", which starts half of a surrogate pair"
		case text[i] == 0xC0, text[i] == 0xC1, text[i] == 0xE0 && next&0xE0 == 0x80, text[i] == 0xF0 && next&0xF0 == 0x80:
			is += ", which writes a letter longer than it is"
		case letter != utf8.RuneError:
			is += fmt.Sprintf(" (%c in Windows-1252)", letter)
		}
		return badRequest("%s is not UTF-8: byte %d%s is %s; write it in UTF-8", what, i+1, after(text[:i]), is)
	}
	return nil
}

// after quotes the end of what stands before a place.
func after(text []byte) string {
	runes := []rune(strings.Join(strings.Fields(string(text)), " "))
	if len(runes) == 0 {
		return ""
	}
	dots := ""
	if len(runes) > 20 {
		runes, dots = runes[len(runes)-20:], "…"
	}
	return fmt.Sprintf(", after `%s%s`,", dots, string(runes))
}

// checkJSON returns an error for what encoding/json reads as something else without a word: half of a
// surrogate pair, which is no letter, and a name that stands twice in an object, of which it takes the
// last. The text is valid JSON.
func checkJSON(what string, text []byte) *httpError {
	for i := 0; i < len(text); i++ {
		next := bytes.IndexByte(text[i:], '\\')
		if next < 0 {
			break
		}
		i += next
		first, isEscape := escaped(text[i:])
		if !isEscape {
			i++
			continue
		}
		second, _ := escaped(text[i+6:])
		switch {
		case !utf16.IsSurrogate(first):
			i += 5
		case utf16.DecodeRune(first, second) != utf8.RuneError:
			i += 11
		default:
			return badRequest("%s holds half of a surrogate pair at byte %d: %s; a letter is both halves, or itself", what, i+1,
				text[i:i+6])
		}
	}
	if name, twice := repeated(text); twice {
		return badRequest("%s gives `%s` twice; once was expected", what, name)
	}
	return nil
}

// escaped reads a \uXXXX with which the text starts.
func escaped(text []byte) (rune, bool) {
	var code [2]byte
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	_, err := hex.Decode(code[:], text[2:6])
	return rune(binary.BigEndian.Uint16(code[:])), err == nil
}

// repeated finds the first name that stands twice in one object, with the names of the objects around it.
// The text is valid JSON.
func repeated(text []byte) (path string, twice bool) {
	type level struct {
		names map[string]bool // nil in a list
		name  string
	}
	var levels []*level
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			levels = append(levels, &level{names: map[string]bool{}})
		case '[':
			levels = append(levels, &level{})
		case '}', ']':
			levels = levels[:len(levels)-1]
		case '"':
			end := i + 1
			for text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			quoted := text[i : end+1]
			i = end
			// A name is what a colon follows.
			if rest := bytes.TrimLeft(text[end+1:], " \t\r\n"); len(rest) == 0 || rest[0] != ':' {
				continue
			}
			in := levels[len(levels)-1]
			if err := json.Unmarshal(quoted, &in.name); err != nil {
				return "", false
			}
			if in.names[in.name] {
				var names []string
				for _, l := range levels {
					if l.names != nil {
						names = append(names, shorten(l.name, 50))
					}
				}
				return strings.Join(names, "."), true
			}
			in.names[in.name] = true
		}
	}
	return "", false
}
