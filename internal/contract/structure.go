package contract

import (
	"fmt"
	"slices"
	"strings"
)

// Structure is the text of all that decides whether rows of the table fit the contract, where present
// are the columns that they have. Tables of equal structure take the same rows: labels, definitions,
// sources, units and columns that the rows do not need are not in it, nor is the order of anything.
func (t *Table) Structure(present []string) string {
	lines := []string{"key " + strings.Join(t.Key, " "), "person " + t.Person}
	for _, c := range t.Columns {
		switch {
		case slices.Contains(present, c.Name):
			line := fmt.Sprintf("%s %s optional=%t references=%s min=%g max=%g", c.Name, c.Type, c.Optional,
				c.References, c.Min, c.Max)
			if c.Codes != nil {
				var codes []string
				for _, code := range c.Codes.Codes {
					codes = append(codes, code.Code)
				}
				slices.Sort(codes)
				line += " codes=" + strings.Join(codes, " ")
			}
			lines = append(lines, line)
		case !c.Optional:
			lines = append(lines, c.Name+" is missing")
		}
	}
	for _, name := range present {
		if t.Column(name) == nil {
			lines = append(lines, name+" is unknown")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
