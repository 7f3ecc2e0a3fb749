package nb

import (
	"math"
	"strconv"
	"strings"
)

// Format is how numbers are written: scaled, rounded, and with a unit. The zero Format
// writes a number as short as it can be and without separators, which suits years.
type Format struct {
	scale    float64 // 0 means the zero Format
	decimals int
	suffix   string
	unit     string
	signed   bool
}

// The formats of the study. Shares are between 0 and 1 in every answer.
var (
	// 5860 as 5,860
	Count = Format{scale: 1, unit: "number"}
	// 0.169 as 16.9%
	Percent = Format{scale: 100, decimals: 1, suffix: "%", unit: "%"}
	// 0.094 as +9.4 pp
	PercentagePoints = Format{scale: 100, decimals: 1, suffix: " pp", unit: "percentage points", signed: true}
	// 1.5 as 1.50
	Number = Format{scale: 1, decimals: 2}
)

// Decimals is f with n digits after the point.
func (f Format) Decimals(n int) Format {
	if f.scale == 0 {
		f.scale = 1
	}
	f.decimals = max(n, 0)
	return f
}

// Unit is f with the unit named after each number, like " DKK".
func (f Format) Unit(unit string) Format {
	if f.scale == 0 {
		f.scale = 1
	}
	f.unit, f.suffix = unit, " "+unit
	return f
}

// String writes x. What is not a number is written as "not available".
func (f Format) String(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "not available"
	}
	if f.scale == 0 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	digits := strconv.FormatFloat(math.Abs(x*f.scale), 'f', f.decimals, 64)
	zero := strings.Trim(digits, "0.") == ""
	whole, fraction, hasFraction := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if hasFraction {
		whole += "." + fraction
	}
	switch {
	case zero:
	case x < 0:
		whole = "-" + whole
	case f.signed:
		whole = "+" + whole
	}
	return whole + f.suffix
}

// vega is the same format as an expression of Vega over the value x.
func (f Format) vega(x string) string {
	switch {
	case f.scale == 0:
		return "format(" + x + ", '~f')"
	case f.signed:
		f.signed = false
		return "(" + x + " > 0 ? '+' : '') + " + f.vega(x)
	default:
		return "format(" + x + " * " + strconv.FormatFloat(f.scale, 'f', -1, 64) + ", ',." + strconv.Itoa(f.decimals) +
			"f') + '" + strings.ReplaceAll(f.suffix, "'", "\\'") + "'"
	}
}
