package resolvers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/study"
)

// filter reads a CohortFilter: the schema has checked its fields and codes, the contract says
// what they mean.
func (r *Resolver) filter(table *contract.Table, where map[string]any) (cells.Filter, error) {
	var f cells.Filter
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
	either, err := r.indicators("withAny", where)
	if either != nil {
		f.WithAny = [][]*contract.Indicator{either}
	}
	if err != nil {
		return f, err
	}
	return f, contradicted(f, either)
}

// contradicted returns an error for indicators that are asked for and excluded at once, which nobody can be.
func contradicted(f cells.Filter, either []*contract.Indicator) error {
	excluded := func(i *contract.Indicator) bool { return slices.Contains(f.Without, i) }
	if i := slices.IndexFunc(f.With, excluded); i >= 0 {
		return fault.Invalidf("%s stands in both with and without, and nobody is both; leave it out of one", f.With[i].Name)
	}
	if len(either) > 0 && !slices.ContainsFunc(either, func(i *contract.Indicator) bool { return !excluded(i) }) {
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
	case *study.IntRange:
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
			return nil, fault.Invalidf("withAny is an empty list, and nothing has at least one of nothing; leave it out to " +
				"keep all")
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

func (r *Resolver) condition(table *contract.Table, d *contract.Dimension, value any) (cells.Condition, error) {
	if d.IsInteger() {
		return interval(d, value)
	}
	c := cells.Condition{Dimension: d}
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
		positions := d.Positions(name)
		if positions == nil {
			return c, fault.NotFoundf("no %s %q%s", strings.ToLower(d.Name), name, study.SuggestCode(d, name))
		}
		c.Positions = append(c.Positions, positions...)
	}
	return c, nil
}

func interval(d *contract.Dimension, value any) (cells.Condition, error) {
	c := cells.Condition{Dimension: d}
	if r, ok := value.(*study.IntRange); ok {
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

// number is an argument that is a number, or 0, which no level is.
func number(value any) float64 {
	switch v := value.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case int:
		return float64(v)
	case json.Number:
		x, _ := v.Float64()
		return x
	}
	return 0
}

// cohortBy makes the cohort of a table that a CohortFilter keeps.
func (r *Resolver) cohortBy(table *contract.Table, where map[string]any) (*study.Cohort, error) {
	f, err := r.filter(table, where)
	if err != nil {
		return nil, err
	}
	return r.CohortBy(table, f)
}

// cohort makes the cohort of a field of that name.
func (r *Resolver) cohort(name string, where map[string]any) (*study.Cohort, error) {
	return r.cohortBy(r.Contract.CohortTable(name), where)
}

// cohortOf makes the cohort of an area.
func (r *Resolver) cohortOf(area *study.Area, name string, where map[string]any) (*study.Cohort, error) {
	c, err := r.cohort(name, where)
	if err != nil {
		return nil, err
	}
	return r.Of(area, c)
}
