package cells

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Query asks for one table. Its text is the same for queries that ask the same, and another for
// others, so that it can stand for the query in memory and in logs.
type Query interface {
	fmt.Stringer
	isQuery()
}

// Observations asks for the cells of a cohort: the observations of Table that Where keeps, split By
// the dimensions, with the tallies of the indicators and the moments of the measures.
type Observations struct {
	Table      *contract.Table
	Where      Filter
	By         []*contract.Dimension
	Indicators []*contract.Indicator
	Measures   []*contract.Measure
	Largest    bool // also the two largest contributions to each measure
	MaxCells   int  // more cells than this are an error; 0: no limit
}

// Flows asks how the persons of a cohort came and went between two years. Where is the cohort without
// its years: its conditions on an area, setting, municipality or region are the place, the others say
// who is counted there. The keys are those of FlowKeys. With ByArea the place is each area in turn,
// which Where must then not name, and the keys have AREA first: the table of each area stands in its
// own part.
type Flows struct {
	Table     *contract.Table
	Where     Filter
	Indicator *contract.Indicator
	From, To  int // From before To
	ByArea    bool
}

// FlowKeys are the keys of a table of Flows: a Presence in either year, a State in either year,
// whether those absent before were not born (false where the table has no age in years), and whether
// those absent after are older than the table goes. N counts persons, but where Was is Groups:
// observations outside the place that stand for groups, whose coming and going cannot be followed.
var FlowKeys = []string{"was", "becomes", "before", "after", "unborn", "grown"}

// Presence is where a person is in a year.
type Presence = int32

// In no row, in a row of another place, in a row of the place.
const (
	Absent Presence = iota
	Elsewhere
	Here
	Groups
)

// State is how a person counts in the share of the cohort in a year.
type State = int32

// Not in the cohort or its denominator, or the value is unknown; without the indicator; with it.
const (
	NotCounted State = iota
	Without
	With
)

// Participants asks for those who took part in a type of activity and those like them who did not.
// The keys are treated (0 or 1), each covariate (the place of a category; the number of one that
// IsNumber; 0 or 1 of a bool), then start and area where asked for. The measures are the outcome
// after, then, of the persons whose outcome is known after and before, before and the change; the
// last two are empty where the outcome has none recorded before.
type Participants struct {
	Type       string                // code of activity_type
	Outcome    *contract.Outcome     // nil to count persons only
	Covariates []*contract.Covariate // to split by
	// split by the year of start too; of those who did not take part it is the year in which they could have
	Start bool
	Area  bool // split by area too, the place in Catalogue.Areas
}

// The measures of a table of Participants.
const (
	After = iota
	Before
	Change
)

// Starts asks for the participations, not of those recorded for comparison, by activity (the place in
// Catalogue.Activities) and year of start.
type Starts struct{}

// Persons asks how many persons took part in each of some groups of activities, each once a group.
// The key is the group.
type Persons struct {
	Members []Member
	Groups  int
}

// Member puts the participants of an activity into a group; if Year is set, those who started then.
type Member struct {
	Activity *Activity
	Year     *int
	Group    int
}

// EffectTypes asks how many took part, by type of activity (the place of its code).
type EffectTypes struct{}

// Responses asks for the answers of the survey. The keys are respondent (1 and up, no id), theme and
// aspect (places of their codes), item and actor type (places of texts) and code (a level, 9 don't know,
// 0 no answer). N counts answers, Weight sums their weights.
type Responses struct{}

// KeyFigures asks for the figures that publications give of areas. The keys are area (the place in
// Catalogue.Areas), year, and source (a place of a text); Figures hold FigureColumns.
type KeyFigures struct{}

// FigureColumns are the columns of table area_year that a cell of KeyFigures holds, in order; what is
// yes or no is 1 or 0.
var FigureColumns = []string{"residents", "children_0_6", "percent_non_western", "percent_outside_work_and_education",
	"percent_convicted",
	"percent_basic_schooling_only", "income_ratio", "averaged", "on_official_list"}

func (Observations) isQuery() {}
func (Flows) isQuery()        {}
func (Participants) isQuery() {}
func (Starts) isQuery()       {}
func (Persons) isQuery()      {}
func (EffectTypes) isQuery()  {}
func (Responses) isQuery()    {}
func (KeyFigures) isQuery()   {}

// Reads returns the dimensions that q reads: those it is split by, then those that it is filtered by.
func (q Observations) Reads() []*contract.Dimension {
	out := make([]*contract.Dimension, 0, len(q.By)+len(q.Where.Conditions))
	out = append(out, q.By...)
	for _, c := range q.Where.Conditions {
		out = append(out, c.Dimension)
	}
	return out
}

// Scope is the text of whom the query counts: tables of the same are coarsenings of one another.
func (q Observations) Scope() string { return q.Table.Cohort + "?" + q.Where.String() }

func (q Observations) String() string {
	return fmt.Sprintf("%s by %s of %s, at most %d, largest %t", q.Scope(), strings.Join(DimensionNames(q.By), " "),
		strings.Join(append(indicatorNames(q.Indicators), measureNames(q.Measures)...), " "), q.MaxCells, q.Largest)
}

func (q Flows) String() string {
	return fmt.Sprintf("flows of %s?%s in %s from %d to %d, by area %t", q.Table.Cohort, q.Where, q.Indicator.Name, q.From,
		q.To, q.ByArea)
}

func (q Participants) String() string {
	outcome := ""
	if q.Outcome != nil {
		outcome = q.Outcome.Name
	}
	var covariates []string
	for _, c := range q.Covariates {
		covariates = append(covariates, c.Name)
	}
	return fmt.Sprintf("participants of %s by %s, outcome %s, start %t, area %t", q.Type, strings.Join(covariates, " "),
		outcome, q.Start, q.Area)
}

func (Starts) String() string      { return "starts" }
func (EffectTypes) String() string { return "types of participants" }
func (Responses) String() string   { return "responses" }
func (KeyFigures) String() string  { return "key figures" }

func (q Persons) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "persons of %d groups:", q.Groups)
	for _, m := range q.Members {
		year := 0
		if m.Year != nil {
			year = *m.Year
		}
		fmt.Fprintf(&b, " %q %d %d", m.Activity.ID, year, m.Group)
	}
	return b.String()
}

// DimensionNames returns the names of dimensions.
func DimensionNames(list []*contract.Dimension) []string {
	return mapped(list, func(d *contract.Dimension) string { return d.Name })
}

func indicatorNames(list []*contract.Indicator) []string {
	return mapped(list, func(i *contract.Indicator) string { return i.Name })
}

func measureNames(list []*contract.Measure) []string {
	return mapped(list, func(m *contract.Measure) string { return m.Name })
}

func mapped[T, U any](list []T, f func(T) U) []U {
	out := make([]U, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

// CheckCount returns an error if n cells are more than q allows.
func (q Observations) CheckCount(n int) error {
	if q.MaxCells > 0 && n > q.MaxCells {
		return fault.Overf("cells", q.MaxCells,
			"splitting %s by %s gives more than %d cells, the limit; narrow the cohort or split by fewer dimensions",
			q.Table.Cohort, strings.Join(DimensionNames(q.By), ", "), q.MaxCells)
	}
	return nil
}

// New makes n cells of q in which nothing is counted.
func (q Observations) New(n int) []Cell {
	out := make([]Cell, n)
	keys, tallies, moments := make([]int32, n*len(q.By)), make([]Tally, n*len(q.Indicators)), make([]Moments,
		n*len(q.Measures))
	for i := range out {
		out[i].Key, keys = cut(keys, len(q.By))
		out[i].Indicators, tallies = cut(tallies, len(q.Indicators))
		out[i].Measures, moments = cut(moments, len(q.Measures))
	}
	return out
}

// cut returns the first n elements of list, to which nothing can be appended in place, and the rest.
func cut[T any](list []T, n int) (first, rest []T) { return list[:n:n], list[n:] }

// NewTable makes a table of q with those cells.
func (q Observations) NewTable(list []Cell) *Table {
	out := &Table{Cells: list, Indicators: q.Indicators, Measures: q.Measures}
	for _, d := range q.By {
		out.Keys = append(out.Keys, Key{Name: d.Name, Dimension: d})
	}
	return out
}

// Sum is what is added up over the observations of a cell, and where it stands in a cell of the query.
type Sum struct {
	Summed
	at int // the place of the indicator or measure in the query
}

// Summed says what a Sum adds up.
type Summed struct {
	Kind      SumKind
	Indicator *contract.Indicator // of Known, Having and Unknown
	Measure   *contract.Measure   // of the others but All
}

// Name is the name of the sum's column in a stored roll-up.
func (s Summed) Name() string {
	switch {
	case s.Indicator != nil:
		return strings.ToLower(s.Indicator.Name) + sumNames[s.Kind]
	case s.Measure != nil:
		return strings.ToLower(s.Measure.Name) + sumNames[s.Kind]
	}
	return sumNames[s.Kind]
}

var sumNames = [...]string{All: "n", Known: "_n", Having: "_y", Unknown: "_u", Measured: "_n", Total: "_s",
	Squares: "_q", Unmeasured: "_u"}

// SumKind is what a Sum adds up.
type SumKind int

// All observations; those with a known value, with the indicator, with an unknown value; of a
// measure, those with a known value, Σx, Σx², those without a known value.
const (
	All SumKind = iota
	Known
	Having
	Unknown
	Measured
	Total
	Squares
	Unmeasured
)

// Sums returns what is summed within a cell of q.
func (q Observations) Sums() []Sum {
	out := make([]Sum, 0, 1+3*len(q.Indicators)+4*len(q.Measures))
	out = append(out, Sum{Summed{All, nil, nil}, 0})
	for k, i := range q.Indicators {
		out = append(out, Sum{Summed{Known, i, nil}, k}, Sum{Summed{Having, i, nil}, k}, Sum{Summed{Unknown, i, nil}, k})
	}
	for k, m := range q.Measures {
		out = append(out, Sum{Summed{Measured, nil, m}, k}, Sum{Summed{Total, nil, m}, k}, Sum{Summed{Squares, nil, m}, k},
			Sum{Summed{Unmeasured, nil, m}, k})
	}
	return out
}

// Of returns where the sum stands in a cell; not of Squares, which are Measures[…].SumSq.
func (s Sum) Of(c *Cell) *int64 {
	switch s.Kind {
	case Known:
		return &c.Indicators[s.at].N.Value
	case Having:
		return &c.Indicators[s.at].Y.Value
	case Unknown:
		return &c.Indicators[s.at].Unknown.Value
	case Measured:
		return &c.Measures[s.at].N.Value
	case Total:
		return &c.Measures[s.at].Sum
	case Unmeasured:
		return &c.Measures[s.at].Unknown.Value
	}
	return &c.N.Value
}

// SquareOf returns where a sum of squares stands in a cell.
func (s Sum) SquareOf(c *Cell) *Square { return &c.Measures[s.at].SumSq }

// twice returns a dimension that q is split by twice, which is an error, or nil.
func (q Observations) twice() *contract.Dimension {
	for i, d := range q.By {
		if slices.Contains(q.By[:i], d) {
			return d
		}
	}
	return nil
}

// Covers reports whether a table of f, which counts the same people as g, holds all that g asks: then
// g is f, coarsened.
func (f Observations) Covers(g Observations) bool {
	return g.twice() == nil && (f.Largest || !g.Largest) && holdsAll(f.By, g.By) && holdsAll(f.Indicators, g.Indicators) &&
		holdsAll(f.Measures, g.Measures)
}

// Union returns the elements of both lists, each once, those of a first.
func Union[T comparable](a, b []T) []T {
	out := slices.Clip(a) // what is appended stands elsewhere
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func holdsAll[T comparable](list, wanted []T) bool {
	return !slices.ContainsFunc(wanted, func(x T) bool { return !slices.Contains(list, x) })
}
