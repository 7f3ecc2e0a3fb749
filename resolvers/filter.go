package resolvers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/store"
)

// filter reads a CohortFilter: the schema has checked its fields and codes, the contract says
// what they mean.
func (r *Resolver) filter(table *contract.Table, where map[string]any) (store.Filter, error) {
	var f store.Filter
	for _, d := range r.Contract.Dimensions {
		value := where[d.Filter]
		if unset(value) {
			continue
		}
		c, err := r.condition(table, d, value)
		if err != nil {
			return f, err
		}
		f.Conditions = append(f.Conditions, c)
	}
	var err error
	if f.With, err = r.indicators("with", where); err != nil {
		return f, err
	}
	if f.Without, err = r.indicators("without", where); err != nil {
		return f, err
	}
	any, err := r.indicators("withAny", where)
	if any != nil {
		f.WithAny = [][]*contract.Indicator{any}
	}
	if err != nil {
		return f, err
	}
	return f, contradicted(f, any)
}

// contradicted returns an error for indicators that are asked for and excluded at once, which nobody can be.
func contradicted(f store.Filter, any []*contract.Indicator) error {
	excluded := func(i *contract.Indicator) bool { return slices.Contains(f.Without, i) }
	if i := slices.IndexFunc(f.With, excluded); i >= 0 {
		return fault.Invalidf("%s stands in both with and without, and nobody is both; leave it out of one", f.With[i].Name)
	}
	if len(any) > 0 && !slices.ContainsFunc(any, func(i *contract.Indicator) bool { return !excluded(i) }) {
		return fault.Invalidf("all of withAny stands in without too, and nobody is both; leave it out of one")
	}
	return nil
}

// unset says whether a field of a filter was left out or is null, which narrows nothing; gqlgen
// gives null the field's type.
func unset(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case *model.IntRange:
		return v == nil
	case []string:
		return v == nil
	}
	return false
}

func (r *Resolver) indicators(field string, where map[string]any) ([]*contract.Indicator, error) {
	names, err := texts(where[field])
	if err != nil {
		return nil, fault.Invalidf("%s: %s", field, err)
	}
	if !unset(where[field]) && len(names) == 0 {
		if field == "withAny" {
			return nil, fault.Invalidf("withAny is an empty list, and nothing has at least one of nothing; leave it out to keep all")
		}
		return nil, fault.Invalidf("%s is an empty list; leave it out to keep all", field)
	}
	var out []*contract.Indicator
	for _, name := range names {
		i, err := r.Contract.Indicator(name)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

func (r *Resolver) condition(table *contract.Table, d *contract.Dimension, value any) (store.Condition, error) {
	if d.IsInteger() {
		c, err := interval(d, value)
		if err != nil || d.Columns[table.Name] != nil {
			return c, err
		}
		return r.groupsWithin(table, c)
	}
	c := store.Condition{Dimension: d}
	names, err := texts(value)
	if err != nil {
		return c, fault.Invalidf("%s: %s", d.Filter, err)
	}
	for _, name := range names {
		name = strings.TrimPrefix(name, d.Type+":") // a global id is as good as the data's own
		if d.IsArea() {
			c.Areas = append(c.Areas, name)
			continue
		}
		position := d.Position(name)
		if position < 0 {
			return c, fault.NotFoundf("no %s %q%s", strings.ToLower(d.Name), name, suggestCode(d, name))
		}
		c.Positions = append(c.Positions, position)
	}
	return c, nil
}

// suggestCode ends a message about an unknown code; a municipality may have been named by its name.
func suggestCode(d *contract.Dimension, name string) string {
	for _, c := range d.Codes {
		if strings.EqualFold(c.Label.DA, name) || strings.EqualFold(c.Label.EN, name) {
			return fmt.Sprintf("; the code of %s is %s", c.Label.DA, c.Code)
		}
	}
	return "; `variables(role: DIMENSION)` lists the codes"
}

func interval(d *contract.Dimension, value any) (store.Condition, error) {
	c := store.Condition{Dimension: d}
	if r, ok := value.(*model.IntRange); ok {
		c.From, c.To = r.From, r.To
		return c, nil
	}
	// Looking ahead meets the argument before gqlgen has given it a type.
	fields, ok := value.(map[string]any)
	if !ok {
		return c, fault.Invalidf("%s: a range {from, to} was expected, got %v", d.Filter, value)
	}
	for name, end := range map[string]**int{"from": &c.From, "to": &c.To} {
		if fields[name] == nil {
			continue
		}
		n, err := integer(fields[name])
		if err != nil {
			return c, fault.Invalidf("%s.%s: %s", d.Filter, name, err)
		}
		*end = &n
	}
	return c, nil
}

// groupsWithin turns a range of ages into the age groups that it is made of, for a table that
// records groups only. A range that cuts a group is an error that lists the groups.
func (r *Resolver) groupsWithin(table *contract.Table, c store.Condition) (store.Condition, error) {
	for _, d := range r.Contract.Dimensions {
		column := d.Columns[table.Name]
		if c.Dimension.Name != "AGE" || column == nil || column.Codes == nil || column.Codes.Codes[0].Range == nil {
			continue
		}
		out := store.Condition{Dimension: d}
		for _, code := range column.Codes.Codes {
			from, to := code.Range[0], code.Range[1]
			in := (c.From == nil || *c.From <= from) && (c.To == nil || *c.To >= to)
			outside := (c.From != nil && *c.From > to) || (c.To != nil && *c.To < from)
			if !in && !outside {
				return out, fault.Invalidf("%s: %s are recorded by age group, and this range cuts %q; the groups are %s", c.Dimension.Filter, table.Cohort, code.Label.EN, strings.Join(labelsOf(column.Codes), ", "))
			}
			if in {
				out.Positions = append(out.Positions, d.Position(code.Code))
			}
		}
		if len(out.Positions) == 0 {
			return out, fault.Invalidf("%s: the range holds none of the age groups of %s, which are %s", c.Dimension.Filter, table.Cohort, strings.Join(labelsOf(column.Codes), ", "))
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

// texts reads a list of texts as GraphQL leaves it in an untyped input: one value stands for a
// list of one.
func texts(value any) ([]string, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []string:
		return v, nil
	case []any:
		var out []string
		for _, x := range v {
			one, err := texts(x)
			if err != nil || len(one) != 1 {
				return nil, fault.Invalidf("a list of codes was expected, got %v", value)
			}
			out = append(out, one...)
		}
		return out, nil
	case json.Number:
		return []string{v.String()}, nil
	case int, int64:
		return []string{fmt.Sprint(v)}, nil
	}
	return nil, fault.Invalidf("a list of codes was expected, got %v", value)
}

func integer(value any) (int, error) {
	switch v := value.(type) {
	case int:
		return v, nil
	case int64:
		return int(v), nil
	case float64:
		if v == float64(int(v)) {
			return int(v), nil
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n), nil
		}
	}
	return 0, fault.Invalidf("an integer was expected, got %v", value)
}

// describe writes the cohort in words.
func (r *Resolver) describe(table *contract.Table, f store.Filter, in func(contract.Text) string) string {
	parts := []string{in(table.Label)}
	for _, c := range f.Conditions {
		switch {
		case c.Dimension.IsInteger():
			parts = append(parts, rangeInWords(c, in))
		case c.Dimension.IsArea():
			var names []string
			for _, id := range c.Areas {
				if a := r.Store.Area(id); a != nil {
					names = append(names, a.Name)
				}
			}
			parts = append(parts, strings.Join(names, in(contract.Text{DA: " eller ", EN: " or "})))
		default:
			var labels []string
			for _, p := range c.Positions {
				labels = append(labels, lowerFirst(in(c.Dimension.Codes[p].Label), c.Dimension.Type))
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
		for _, i := range list.indicators {
			parts = append(parts, in(list.word)+lowerFirst(in(i.Label), ""))
		}
	}
	for _, list := range f.WithAny {
		var labels []string
		for _, i := range list {
			labels = append(labels, lowerFirst(in(i.Label), ""))
		}
		parts = append(parts, in(contract.Text{DA: "med mindst én af: ", EN: "with at least one of: "})+strings.Join(labels, in(contract.Text{DA: " eller ", EN: " or "})))
	}
	return strings.Join(parts, ", ")
}

func rangeInWords(c store.Condition, in func(contract.Text) string) string {
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
