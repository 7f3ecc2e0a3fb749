package study

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// groupsWithin turns a range of ages into the age groups that it is made of, for a table that
// records groups only. A range that cuts a group is an error that lists the groups.
func groupsWithin(all *contract.Contract, table *contract.Table, c cells.Condition) (cells.Condition, error) {
	for _, d := range all.Dimensions {
		column := d.Columns[table.Name]
		if c.Dimension.Name != "AGE" || column == nil || column.Codes == nil || column.Codes.Codes[0].Range == nil {
			continue
		}
		out := cells.Condition{Dimension: d}
		for _, code := range column.Codes.Codes {
			from, to := code.Range[0], code.Range[1]
			in := (c.From == nil || *c.From <= from) && (c.To == nil || *c.To >= to)
			outside := (c.From != nil && *c.From > to) || (c.To != nil && *c.To < from)
			if !in && !outside {
				return out, fault.Invalidf("%s: %s are recorded by age group, and this range cuts %q; the groups are %s",
					c.Dimension.Filter, table.Cohort, code.Label.EN, strings.Join(labelsOf(column.Codes), ", "))
			}
			if in {
				out.Positions = append(out.Positions, d.Position(code.Code))
			}
		}
		if len(out.Positions) == 0 {
			return out, fault.Invalidf("%s: the range holds none of the age groups of %s, which are %s", c.Dimension.Filter,
				table.Cohort, strings.Join(labelsOf(column.Codes), ", "))
		}
		return out, nil
	}
	return c, nil // the store says what is recorded
}

func labelsOf(l *contract.Codelist) []string {
	out := make([]string, len(l.Codes))
	for i, c := range l.Codes {
		out[i] = c.Label.EN
	}
	return out
}

// Describe writes the cohort in words.
func (s *Study) Describe(c *Cohort, in func(contract.Text) string) string {
	f := c.where(s)
	parts := []string{in(c.Table.Label)}
	for _, c := range f.Conditions {
		switch {
		case c.Dimension.IsInteger():
			parts = append(parts, rangeInWords(c, in))
		case c.Dimension.IsArea():
			var names []string
			for _, id := range c.Areas {
				if a := s.Catalogue.Area(id); a != nil && !slices.Contains(names, a.Name) {
					names = append(names, a.Name)
				}
			}
			parts = append(parts, strings.Join(names, in(contract.Text{DA: " eller ", EN: " or "})))
		default:
			var labels []string
			for _, w := range c.Dimension.Said(c.Positions) {
				labels = append(labels, lowerFirst(in(w.Label), c.Dimension.Type))
			}
			what := ""
			if d := c.Dimension; d.Name != "SETTING" && d.Name != "MUNICIPALITY" && d.Name != "REGION" {
				what = lowerFirst(in(d.Label), "") + ": "
			}
			parts = append(parts, what+strings.Join(labels, in(contract.Text{DA: " eller ", EN: " or "})))
		}
	}
	for _, list := range []struct {
		word       contract.Text
		indicators []*contract.Indicator
	}{{contract.Text{DA: "med: ", EN: "with: "}, f.With}, {contract.Text{DA: "uden: ", EN: "without: "}, f.Without}} {
		for at, i := range list.indicators {
			if slices.Contains(list.indicators[:at], i) {
				continue
			}
			parts = append(parts, in(list.word)+lowerFirst(in(i.Label), ""))
		}
	}
	for _, list := range f.WithAny {
		var labels []string
		for at, i := range list {
			if !slices.Contains(list[:at], i) {
				labels = append(labels, lowerFirst(in(i.Label), ""))
			}
		}
		parts = append(parts, in(contract.Text{DA: "med mindst én af: ", EN: "with at least one of: "})+strings.Join(labels,
			in(contract.Text{DA: " eller ", EN: " or "})))
	}
	return strings.Join(parts, ", ")
}

func rangeInWords(c cells.Condition, in func(contract.Text) string) string {
	what := ""
	if c.Dimension.Name != "YEAR" {
		what = lowerFirst(in(c.Dimension.Label), "") + " "
	}
	switch {
	case c.From == nil && c.To == nil:
		return what + in(contract.Text{DA: "alle", EN: "all"})
	case c.From == nil:
		return what + in(contract.Text{DA: "til og med ", EN: "up to "}) + fmt.Sprint(*c.To)
	case c.To == nil:
		return what + in(contract.Text{DA: "fra ", EN: "from "}) + fmt.Sprint(*c.From)
	case *c.From == *c.To:
		return what + fmt.Sprint(*c.From)
	}
	return fmt.Sprintf("%s%d-%d", what, *c.From, *c.To)
}

// lowerFirst writes a label as it stands within a sentence. Names of places, and English names of
// peoples, keep their capital.
func lowerFirst(label, kind string) string {
	runes := []rune(label)
	if slices.Contains([]string{"Municipality", "Region", "Origin", "RegisteredOrigin"}, kind) || len(runes) == 0 {
		return label
	}
	return strings.ToLower(string(runes[0])) + string(runes[1:])
}

// SuggestCode ends a message about an unknown code; a municipality may have been named by its name.
func SuggestCode(d *contract.Dimension, name string) string {
	for _, c := range d.Codes {
		if strings.EqualFold(c.Label.DA, name) || strings.EqualFold(c.Label.EN, name) {
			return fmt.Sprintf("; the code of %s is %s", c.Label.DA, c.Code)
		}
	}
	return "; `variables(role: DIMENSION)` lists the codes"
}
