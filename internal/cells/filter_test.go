package cells_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

func inForce(t testing.TB) *contract.Contract {
	t.Helper()
	c, err := contract.Parse("contract.yaml", data.Contract)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// areas have ids with every sign that the text of a filter uses itself.
var areas = []*cells.Area{{ID: "A1"}, {ID: "A,2"}, {ID: "a&b=c"}, {ID: "100 %"}, {ID: "Ådalen/Øst"}, {ID: "1..2"},
	{ID: "a+b"}, {ID: `"\#`}, {ID: "%2C"}}

func anyFilter(random *rand.Rand, c *contract.Contract) cells.Filter {
	var f cells.Filter
	for range random.IntN(5) {
		d := c.Dimensions[random.IntN(len(c.Dimensions))]
		condition := cells.Condition{Dimension: d}
		switch {
		case d.IsInteger():
			from, to := random.IntN(9)-2, 3+random.IntN(9)
			if random.IntN(3) > 0 {
				condition.From = &from
			}
			if random.IntN(3) > 0 {
				condition.To = &to
			}
		case d.IsArea():
			for range 1 + random.IntN(4) {
				condition.Areas = append(condition.Areas, areas[random.IntN(len(areas))].ID)
			}
		default:
			for range 1 + random.IntN(4) {
				condition.Positions = append(condition.Positions, random.IntN(len(d.Codes)))
			}
		}
		f.Conditions = append(f.Conditions, condition)
	}
	some := func(least int) []*contract.Indicator {
		list := slices.Clone(c.Indicators)
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:least+random.IntN(3)]
	}
	f.With, f.Without = some(0), some(0)
	for range random.IntN(3) {
		f.WithAny = append(f.WithAny, some(1))
	}
	return f
}

// rewritten is the same filter in another order, with some of it written twice.
func rewritten(random *rand.Rand, f cells.Filter) cells.Filter {
	out := cells.Filter{With: disordered(random, f.With), Without: disordered(random, f.Without),
		Conditions: disordered(random, f.Conditions)}
	for _, list := range disordered(random, f.WithAny) {
		out.WithAny = append(out.WithAny, disordered(random, list))
	}
	for i := range out.Conditions {
		k := &out.Conditions[i]
		k.Positions, k.Areas = disordered(random, k.Positions), disordered(random, k.Areas)
	}
	return out
}

func disordered[T any](random *rand.Rand, list []T) []T {
	out := slices.Clone(list)
	for _, x := range list {
		if random.IntN(3) == 0 {
			out = append(out, x)
		}
	}
	random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// keeps says which keys of each dimension the conditions keep, and what is asked of indicators.
func keeps(c *contract.Contract, f cells.Filter) string {
	var b strings.Builder
	for _, d := range c.Dimensions {
		keys := []int32{cells.None}
		for key := range int32(max(len(d.Codes), 14)) {
			if d.IsInteger() {
				keys = append(keys, key-3)
			} else if !d.IsArea() || int(key) < len(areas) {
				keys = append(keys, key)
			}
		}
		for _, key := range keys {
			if !slices.ContainsFunc(f.Conditions, func(k cells.Condition) bool {
				return k.Dimension == d &&
					!k.Holds(key, areas)
			}) {
				fmt.Fprintf(&b, "%s %d\n", d.Name, key)
			}
		}
	}
	names := func(list []*contract.Indicator) string {
		var out []string
		for _, i := range list {
			out = append(out, i.Name)
		}
		slices.Sort(out)
		return strings.Join(slices.Compact(out), " ")
	}
	var lists []string
	for _, list := range f.WithAny {
		lists = append(lists, names(list))
	}
	slices.Sort(lists)
	fmt.Fprintf(&b, "%s|%s|%q", names(f.With), names(f.Without), slices.Compact(lists))
	return b.String()
}

// A filter has one text, from which it can be read again.
func TestFilterText(t *testing.T) {
	c := inForce(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		f := anyFilter(random, c)
		text := f.String()
		if other := rewritten(random, f); other.String() != text {
			t.Fatalf("%s\nis, in another order,\n%s", text, other)
		}
		g, err := cells.ReadFilter(c, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if g.String() != text {
			t.Fatalf("%s\nis, once read,\n%s", text, g)
		}
		if got, want := keeps(c, g), keeps(c, f); got != want {
			t.Fatalf("%s: what is read keeps\n%s\nwhat was written keeps\n%s", text, got, want)
		}
	}
}

func TestFilterTextIsStable(t *testing.T) {
	c := inForce(t)
	for text, want := range map[string]string{
		"":                               "",
		"years=2014&ages=..3":            "ages=..3&years=2014..2014",
		"ages=..":                        "",
		"ages=1..5&ages=3..9":            "ages=3..5",
		"ages=1..2&ages=5..9":            "ages=5..2", // they exclude each other
		"setting=REST&setting=SUPPORTED": "setting=",
		"setting=REST,OTHER":             "setting=REST",
		"setting=OTHER,SOCIAL_HOUSING":   "setting=SOCIAL_HOUSING,OTHER",
		"setting=OUTSIDE_UNKNOWN,OTHER,SOCIAL_HOUSING,SUPPORTED": "setting=SUPPORTED,REST",
		"area=%C3%85dalen,A%2C2":                                 "area=A%2C2,%C3%85dalen",
		"area=a+b,a%2Bb":                                         "area=a+b,a%2Bb",
		"withAny=POOR,IN_DAY_CARE&with=POOR":                     "with=POOR&withAny=IN_DAY_CARE,POOR",
	} {
		f, err := cells.ReadFilter(c, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if f.String() != want {
			t.Errorf("%s: got %s, want %s", text, f, want)
		}
	}
}

func TestFilterTextMistakes(t *testing.T) {
	c := inForce(t)
	for _, test := range []struct {
		text string
		kind fault.Kind
		want string
	}{
		{"ages", fault.Invalid, `"ages" has no value; name=value was expected`},
		{"ages=1..2&", fault.Invalid, `"" has no value`},
		{"agse=1..2", fault.Invalid, `a cohort is not filtered by "agse"; did you mean ages?`},
		{"ages=", fault.Invalid, "ages=: a range such as 2014..2016, 2014.. or 2014 was expected"},
		{"ages=one", fault.Invalid, "ages=one: a range"},
		{"ages=1..2..3", fault.Invalid, "ages=1..2..3: a range"},
		{"ages=1-2", fault.Invalid, "ages=1-2: a range"},
		{"ages=1..99999999999999999999", fault.Invalid, "a range"},
		{"setting=SUPORTED", fault.NotFound, `setting: no setting "SUPORTED"; did you mean SUPPORTED?`},
		{"setting=supported", fault.NotFound, "did you mean SUPPORTED?"},
		{"setting=SUPPORTED,", fault.NotFound, `no setting ""`},
		{"area=100%", fault.Invalid, `"100%" cannot be read`},
		{"with=", fault.Invalid, `no indicator ""`},
		{"with=POR", fault.Invalid, "did you mean POOR?"},
		{"withAny=POOR,,", fault.Invalid, `no indicator ""`},
		{"With=POOR", fault.Invalid, "did you mean with?"},
	} {
		_, err := cells.ReadFilter(c, test.text)
		if err == nil || fault.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v (%s), want …%s… (%s)", test.text, err, fault.KindOf(err), test.want, test.kind)
		}
	}
}

func FuzzReadFilter(f *testing.F) {
	c := inForce(f)
	for _, text := range []string{"", "ages=1..2&setting=SUPPORTED&years=2014..",
		"area=A%2C2,%C3%85&with=POOR&withAny=POOR,IN_DAY_CARE", "setting=&ages=+5..", "area=,", "&&=", "area=%",
		"ages=-0..00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := cells.ReadFilter(c, text)
		if err != nil {
			if fault.KindOf(err) == "" {
				t.Fatalf("%q: %v is no error that a user can read", text, err)
			}
			return
		}
		written := filter.String()
		again, err := cells.ReadFilter(c, written)
		if err != nil || again.String() != written {
			t.Fatalf("%q is written %q, which reads as %q, %v", text, written, again, err)
		}
	})
}
