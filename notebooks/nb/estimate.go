package nb

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Estimate holds what a query selects of the schema's Estimate; what it does not select
// stays nil. Value is nil too where the figure is suppressed or nothing was observed: Status
// says which, and a table or a chart then shows that in words.
type Estimate struct {
	Value         *float64 `json:"value,omitempty"`
	Lower         *float64 `json:"lower,omitempty"`
	Upper         *float64 `json:"upper,omitempty"`
	Level         *float64 `json:"level,omitempty"`
	StandardError *float64 `json:"standardError,omitempty"`
	Numerator     *int     `json:"numerator,omitempty"`
	Denominator   *int     `json:"denominator,omitempty"`
	Unknown       *int     `json:"unknown,omitempty"`
	Status        string   `json:"status,omitempty"`
	Warnings      []string `json:"warnings,omitempty"`
}

// Of is an estimate of value with the interval from lower to upper and n observations, for
// figures that a cell computes itself.
func Of(value, lower, upper float64, n int) Estimate {
	return Estimate{Value: &value, Lower: &lower, Upper: &upper, Denominator: &n}
}

// Exactly is an estimate without interval: a figure that was counted, or published bare.
func Exactly(value float64) Estimate { return Estimate{Value: &value} }

// Float is the value; it stops the cell where there is none.
func (e Estimate) Float() float64 {
	if e.Value == nil {
		stop(fmt.Errorf("an estimate was used as a number, and it has no value: %s", e.missing()))
	}
	return *e.Value
}

// In writes the estimate as a table does: 16.9% (16.5% to 17.3%).
func (e Estimate) In(f Format) string {
	if e.Value == nil {
		return e.missing()
	}
	if e.Lower == nil || e.Upper == nil {
		return f.String(*e.Value)
	}
	return fmt.Sprintf("%s (%s to %s)", f.String(*e.Value), f.String(*e.Lower), f.String(*e.Upper))
}

// missing says why there is no value.
func (e Estimate) missing() string {
	switch {
	case strings.HasPrefix(e.Status, "SUPPRESSED"):
		return "suppressed"
	case e.Status == "NO_OBSERVATIONS":
		return "no observations"
	case e.Status == "":
		return "not available"
	default:
		return "not available (" + strings.ToLower(strings.ReplaceAll(e.Status, "_", " ")) + ")"
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
