package cells

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Filter narrows a cohort. The zero Filter keeps every observation.
type Filter struct {
	Conditions []Condition           // all of them hold
	With       []*contract.Indicator // known to have all of these
	Without    []*contract.Indicator // known to have none of these
	// WithAny keeps, of each list, those known to have at least one: one that is known to be there
	// is enough, whatever is unknown of the others; where none is, unknown does not count as one.
	WithAny [][]*contract.Indicator
}

// Condition keeps the observations whose value of a dimension is one of those named. An integer
// dimension has From and To, both included and nil where open; a coded one has Positions, the
// places of the codes in Dimension.Codes; AREA has Areas.
type Condition struct {
	Dimension *contract.Dimension
	From, To  *int
	Positions []int
	Areas     []string
}

// And returns the filter narrowed by one more condition.
func (f Filter) And(c Condition) Filter {
	f.Conditions = append(slices.Clone(f.Conditions), c)
	return f
}

// Dimensions returns the dimensions that the filter reads.
func (f Filter) Dimensions() []*contract.Dimension {
	return mapped(f.Conditions, func(c Condition) *contract.Dimension { return c.Dimension })
}

// Indicators returns the indicators that the filter asks, once for each time it does.
func (f Filter) Indicators() []*contract.Indicator {
	return slices.Concat(f.With, f.Without, slices.Concat(f.WithAny...))
}

// Intersect returns the filter of the observations that both keep, and false where the conditions
// of one dimension exclude each other, so that there are none.
func (f Filter) Intersect(g Filter) (Filter, bool) {
	for _, a := range f.Conditions {
		for _, b := range g.Conditions {
			if a.Dimension == b.Dimension && a.excludes(b) {
				return Filter{}, false
			}
		}
	}
	return Filter{
		Conditions: slices.Concat(f.Conditions, g.Conditions),
		With:       slices.Concat(f.With, g.With),
		Without:    slices.Concat(f.Without, g.Without),
		WithAny:    slices.Concat(f.WithAny, g.WithAny),
	}, true
}

func (c Condition) excludes(d Condition) bool {
	before := func(to, from *int) bool { return to != nil && from != nil && *to < *from }
	switch {
	case c.Dimension.IsInteger():
		return before(c.To, d.From) || before(d.To, c.From)
	case c.Dimension.IsArea():
		return len(common(c.Areas, d.Areas)) == 0
	}
	return len(common(c.Positions, d.Positions)) == 0
}

func common[T comparable](a, b []T) []T {
	return slices.DeleteFunc(slices.Clone(a), func(x T) bool { return !slices.Contains(b, x) })
}

// Holds reports whether the condition keeps the observations with that key of its dimension; areas
// says which id a place of AREA has.
func (c Condition) Holds(key int32, areas []*Area) bool {
	switch {
	case c.Dimension.IsInteger():
		return c.From == nil && c.To == nil || key != None && (c.From == nil || *c.From <= int(key)) &&
			(c.To == nil || int(key) <= *c.To)
	case c.Dimension.IsArea():
		return key != None && slices.Contains(c.Areas, areas[key].ID)
	}
	return slices.Contains(c.Positions, int(key))
}

// canonical returns the filter that keeps the same, written one way: one condition a dimension, in
// the order of their names, without those that keep all, and lists in order without repetition.
func (f Filter) canonical() Filter {
	var out Filter
	for _, c := range f.Conditions {
		if c.Dimension.IsInteger() && c.From == nil && c.To == nil {
			continue
		}
		i := slices.IndexFunc(out.Conditions, func(o Condition) bool { return o.Dimension == c.Dimension })
		if i < 0 {
			out.Conditions = append(out.Conditions, c)
			continue
		}
		o := &out.Conditions[i]
		if o.From == nil || c.From != nil && *c.From > *o.From {
			o.From = c.From
		}
		if o.To == nil || c.To != nil && *c.To < *o.To {
			o.To = c.To
		}
		o.Positions, o.Areas = common(o.Positions, c.Positions), common(o.Areas, c.Areas)
	}
	for i := range out.Conditions {
		c := &out.Conditions[i]
		c.Positions, c.Areas = inOrder(c.Positions), inOrder(c.Areas)
	}
	slices.SortFunc(out.Conditions,
		func(a, b Condition) int { return strings.Compare(a.Dimension.Filter, b.Dimension.Filter) })
	byName := func(list []*contract.Indicator) []*contract.Indicator {
		list = slices.Clone(list)
		slices.SortFunc(list, func(a, b *contract.Indicator) int { return strings.Compare(a.Name, b.Name) })
		return slices.Compact(list)
	}
	out.With, out.Without = byName(f.With), byName(f.Without)
	for _, list := range f.WithAny {
		out.WithAny = append(out.WithAny, byName(list))
	}
	names := func(list []*contract.Indicator) string { return strings.Join(indicatorNames(list), ",") }
	slices.SortFunc(out.WithAny, func(a, b []*contract.Indicator) int { return strings.Compare(names(a), names(b)) })
	out.WithAny = slices.CompactFunc(out.WithAny, func(a, b []*contract.Indicator) bool { return names(a) == names(b) })
	return out
}

func inOrder[T int | string](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// String writes the filter as the query of a URL, e.g. `ages=1..2&setting=SUPPORTED&years=2014..`,
// the same for filters that keep the same in whatever order they were given. ReadFilter reads it.
func (f Filter) String() string {
	var parts []string
	f = f.canonical()
	for _, c := range f.Conditions {
		parts = append(parts, c.Dimension.Filter+"="+c.values())
	}
	for _, list := range []struct {
		word       string
		indicators []*contract.Indicator
	}{{"with", f.With}, {"without", f.Without}} {
		if len(list.indicators) > 0 {
			parts = append(parts, list.word+"="+strings.Join(indicatorNames(list.indicators), ","))
		}
	}
	for _, list := range f.WithAny {
		parts = append(parts, "withAny="+strings.Join(indicatorNames(list), ","))
	}
	return strings.Join(parts, "&")
}

func (c Condition) values() string {
	switch {
	case c.Dimension.IsInteger():
		end := func(n *int) string {
			if n == nil {
				return ""
			}
			return strconv.Itoa(*n)
		}
		return end(c.From) + ".." + end(c.To)
	case c.Dimension.IsArea():
		return strings.Join(mapped(c.Areas, url.QueryEscape), ",")
	}
	return strings.Join(mapped(c.Dimension.Said(c.Positions),
		func(w contract.Word) string { return url.QueryEscape(w.Code) }),
		",")
}

// ReadFilter reads what String writes.
func ReadFilter(c *contract.Contract, text string) (Filter, error) {
	var f Filter
	if text == "" {
		return f, nil
	}
	for part := range strings.SplitSeq(text, "&") {
		name, values, ok := strings.Cut(part, "=")
		if !ok {
			return f, fault.Invalidf("%q has no value; name=value was expected, such as ages=1..2, and & between one and the "+
				"next", part)
		}
		switch name {
		case "with", "without", "withAny":
			var list []*contract.Indicator
			for word := range strings.SplitSeq(values, ",") {
				i, err := c.Indicator(word)
				if err != nil {
					return f, err
				}
				list = append(list, i)
			}
			switch name {
			case "with":
				f.With = append(f.With, list...)
			case "without":
				f.Without = append(f.Without, list...)
			default:
				f.WithAny = append(f.WithAny, list)
			}
			continue
		}
		i := slices.IndexFunc(c.Dimensions, func(d *contract.Dimension) bool { return d.Filter == name })
		if i < 0 {
			known := append(mapped(c.Dimensions, func(d *contract.Dimension) string { return d.Filter }), "with", "without",
				"withAny")
			return f, fault.Invalidf("a cohort is not filtered by %q%s", name, fault.Suggest(name, known))
		}
		condition, err := readCondition(c.Dimensions[i], values)
		if err != nil {
			return f, err
		}
		f.Conditions = append(f.Conditions, condition)
	}
	return f, nil
}

func readCondition(d *contract.Dimension, values string) (Condition, error) {
	c := Condition{Dimension: d}
	if d.IsInteger() {
		from, to, ok := strings.Cut(values, "..")
		if !ok {
			to = from // one year is from it to it
		}
		expected := fault.Invalidf("%s=%s: a range such as 2014..2016, 2014.. or 2014 was expected", d.Filter, values)
		if values == "" {
			return c, expected
		}
		for _, end := range []struct {
			text string
			into **int
		}{{from, &c.From}, {to, &c.To}} {
			if end.text == "" {
				continue
			}
			n, err := strconv.Atoi(end.text)
			if err != nil {
				return c, expected
			}
			*end.into = &n
		}
		return c, nil
	}
	if values == "" {
		return c, nil // conditions that exclude each other leave no value
	}
	for word := range strings.SplitSeq(values, ",") {
		code, err := url.QueryUnescape(word)
		if err != nil {
			return c, fault.Invalidf("%s=%s: %q cannot be read (%w); commas part values, and other signs are written as in a "+
				"URL", d.Filter, values, word, err)
		}
		if d.IsArea() {
			c.Areas = append(c.Areas, code)
			continue
		}
		positions := d.Positions(code)
		if positions == nil {
			return c, fault.NotFoundf("%s: no %s %q%s", d.Filter, strings.ToLower(d.Name), code, fault.Suggest(code, d.Names()))
		}
		c.Positions = append(c.Positions, positions...)
	}
	return c, nil
}
