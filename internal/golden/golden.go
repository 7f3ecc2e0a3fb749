// Package golden lets files of expected JSON hold on every processor: those that fuse a product and a
// sum into one operation, as arm64 does, differ from others in the last digits of a fraction.
package golden

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
)

// Tolerance is how far a fraction may be from the expected one, relative to it.
const Tolerance = 1e-9

// Keep returns got with each number written as want has it at the same place, if they differ by no
// more than rounding does: within Tolerance of each other, and not both whole numbers. Everything else
// stays as it is in got, so that got is as expected if what Keep returns is want byte for byte, and
// written to the file it changes no more than what has changed. A place is the path of keys and
// positions in lists from the top. Text that is not one JSON value is returned as it is.
func Keep(got, want []byte) []byte {
	gotten, err := numbers(got)
	if err != nil {
		return got
	}
	wanted, err := numbers(want)
	if err != nil {
		return got
	}
	expected := map[string]string{}
	for _, n := range wanted {
		expected[n.path] = n.text
	}
	var out bytes.Buffer
	done := 0
	for _, n := range gotten {
		if text, ok := expected[n.path]; ok && near(n.text, text) {
			out.Write(got[done : n.end-len(n.text)])
			out.WriteString(text)
			done = n.end
		}
	}
	out.Write(got[done:])
	return out.Bytes()
}

// near reports whether two numbers differ by no more than rounding does.
func near(got, want string) bool {
	if got == want {
		return true
	}
	if whole(got) && whole(want) {
		return false
	}
	x, errX := strconv.ParseFloat(got, 64)
	y, errY := strconv.ParseFloat(want, 64)
	return errX == nil && errY == nil && math.Abs(x-y) <= Tolerance*math.Abs(y)
}

func whole(text string) bool { return !strings.ContainsAny(text, ".eE") }

// number is a number of a JSON text, which ends before the byte at end.
type number struct {
	path, text string
	end        int
}

// numbers lists the numbers of a JSON value in the order in which they stand.
func numbers(text []byte) ([]number, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var out []number
	var walk func(path string) error
	walk = func(path string) error {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case json.Number:
			out = append(out, number{path, token.String(), int(decoder.InputOffset())})
		case json.Delim:
			for i := 0; decoder.More(); i++ {
				step := strconv.Itoa(i)
				if token == '{' {
					key, err := decoder.Token()
					if err != nil {
						return err
					}
					step = strconv.Quote(key.(string))
				}
				if err := walk(path + "/" + step); err != nil {
					return err
				}
			}
			_, err = decoder.Token() // the end of the list or object
		}
		return err
	}
	if err := walk(""); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return out, nil
}
