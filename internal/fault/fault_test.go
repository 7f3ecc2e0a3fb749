package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/fault"
)

func TestWrapKeepsWhatAUserMayRead(t *testing.T) {
	read := func(inner error) (err error) {
		defer fault.Wrap(&err, "store.Cells(%d)", 7)
		return inner
	}
	if err := read(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
	err := read(fault.Invalidf("year %d is before the data starts (2010)", 1992))
	if got, want := err.Error(), "year 1992 is before the data starts (2010)"; got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
	internal := read(io.ErrUnexpectedEOF)
	if fault.KindOf(internal) != "" || !errors.Is(internal, io.ErrUnexpectedEOF) ||
		!strings.HasPrefix(internal.Error(), "store.Cells(7): ") {
		t.Errorf("an internal error lost its context or its cause: %v", internal)
	}
	if got := fault.KindOf(fmt.Errorf("asking: %w", err)); got != fault.Invalid {
		t.Errorf("kind behind a wrap = %q, want INVALID", got)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"ORIGIN", "SETTING", "AREA"}
	for name, want := range map[string]string{
		"origen": "; did you mean ORIGIN?",
		"zzzzzz": "; known are AREA, ORIGIN, SETTING",
	} {
		if got := fault.Suggest(name, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
}
