package nb

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// Want asserts a number (or a text) that the prose tells: it prints ✓ and the value where
// got is want, and stops the cell where it is not, or is missing. A tolerance is absolute;
// without one, numbers have to agree to nine digits. got may be a number, a string, a bool,
// a pointer to one, or an Estimate, whose value is then meant.
//
//	nb.Want("poor children in the supported areas, 2016", poor, 5860)
//	nb.Want("their share", share, 0.169, 0.0005)
func Want(what string, got, want any, tolerance ...float64) {
	line, err := check(what, got, want, tolerance)
	if err != nil {
		stop(err)
	}
	fmt.Println(line)
}

func check(what string, got, want any, tolerance []float64) (string, error) {
	if len(tolerance) > 1 || len(tolerance) == 1 && !(tolerance[0] >= 0) {
		return "", fmt.Errorf("%s: the tolerance of nb.Want is %v; it should be one number, zero or more", what, tolerance)
	}
	if e, ok := got.(Estimate); ok {
		if e.Value == nil {
			return "", fmt.Errorf("✗ %s: told is %v, and the answer has no value: %s", what, want, e.missing())
		}
		got = *e.Value
	}
	v := reflect.ValueOf(got)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if !v.IsValid() || v.Kind() == reflect.Pointer {
		return "", fmt.Errorf("✗ %s: told is %v, and the answer has no value", what, want)
	}
	g, gotNumber := number(v)
	w, wantNumber := number(reflect.ValueOf(want))
	if gotNumber && wantNumber {
		return checkNumber(what, g, w, tolerance)
	}
	if reflect.TypeOf(want) == nil || v.Kind() != reflect.TypeOf(want).Kind() ||
		(v.Kind() != reflect.String && v.Kind() != reflect.Bool) {
		return "", fmt.Errorf("%s: nb.Want can compare two numbers, two strings or two bools, not %T with %T", what, got,
			want)
	}
	if len(tolerance) > 0 {
		return "", fmt.Errorf("%s: a tolerance is for numbers, and %v is not one", what, want)
	}
	if fmt.Sprint(v) != fmt.Sprint(want) {
		return "", fmt.Errorf("✗ %s: told is %v, and the answer is %v", what, want, v)
	}
	return fmt.Sprintf("✓ %s: %v", what, v), nil
}

func checkNumber(what string, got, want float64, tolerance []float64) (string, error) {
	allowed, within := 1e-9*math.Max(math.Abs(got), math.Abs(want)), ""
	if len(tolerance) == 1 {
		allowed, within = tolerance[0], " within "+plain(tolerance[0])
	}
	// Rounding in the subtraction must not fail a difference that is just allowed.
	off := math.Abs(got - want)
	if !(off <= allowed*(1+1e-9)) {
		return "", fmt.Errorf("✗ %s: told is %s%s, and the answer is %s (off by %s)", what, plain(want), within, plain(got),
			plain(got-want))
	}
	told := ""
	if got != want && within != "" {
		told = fmt.Sprintf(" (told: %s%s)", plain(want), within)
	}
	return fmt.Sprintf("✓ %s: %s%s", what, plain(got), told), nil
}

func number(v reflect.Value) (float64, bool) {
	switch {
	case !v.IsValid():
		return 0, false
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// plain writes a number for a sentence: whole numbers in full and grouped, others to six
// significant digits.
func plain(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		if math.Abs(x) < 10000 { // a year reads as a year
			return strconv.FormatFloat(x, 'f', -1, 64)
		}
		return Count.String(x)
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}
