package cells

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Catalogue says what a data set records: its tables and columns, and the places, plans and
// activities that its cells are split by. It does not change once made.
type Catalogue struct {
	Contract *contract.Contract
	Columns  map[string]map[string]bool   // by table: the columns that the data set has
	Bounds   map[string]map[string][2]int // by table and column: least and largest value of integer dimensions
	// by table and second column of a dimension: the years in which it is known of anyone whom it parts, in order
	Parted map[string]map[string][]int

	Areas      []*Area     // in the order of their ids; the key of a cell split by AREA is a place here
	Plans      []*Plan     // in the order of their ids
	Activities []*Activity // in the order of their ids

	area     map[string]int
	plan     map[string]*Plan
	activity map[string]*Activity
}

// Area is a housing area.
type Area struct {
	ID           string
	Name         string
	Municipality string // its code
	Supported    bool
	PlanIDs      []string
	Divisions    *int
	Dwellings    *int
	Source       string
}

// Plan is a social housing plan.
type Plan struct {
	ID    string
	Name  string
	Start *string // YYYY-MM-DD
	End   *string
	Areas []*Area // in the order of their ids
}

// ActiveIn reports whether the plan was active on some day of the year. It is open where its start or
// end is not recorded.
func (p *Plan) ActiveIn(year int) bool { return activeIn(p.Start, p.End, year) }

// Activity is an activity of a social housing plan in an area.
type Activity struct {
	ID          string
	Name        string
	Type, Theme string // their codes
	Plan        *Plan
	Area        *Area
	Start, End  *string // YYYY-MM-DD
	AgeMin      *int    // the target age in years, both included
	AgeMax      *int
	Capacity    *int
}

// ActiveIn reports whether the activity was active on some day of the year. It is open where its
// start or end is not recorded.
func (a *Activity) ActiveIn(year int) bool { return activeIn(a.Start, a.End, year) }

func activeIn(start, end *string, year int) bool {
	first, last := fmt.Sprintf("%04d-01-01", year), fmt.Sprintf("%04d-12-31", year)
	return (start == nil || *start <= last) && (end == nil || *end >= first)
}

// Index makes the areas and plans findable, once all are there. The error names a plan that is not.
func (c *Catalogue) Index() error {
	c.area, c.plan, c.activity = map[string]int{}, map[string]*Plan{}, map[string]*Activity{}
	for i, a := range c.Areas {
		c.area[a.ID] = i
	}
	for _, p := range c.Plans {
		c.plan[p.ID] = p
	}
	for _, a := range c.Areas {
		for _, id := range a.PlanIDs {
			p := c.plan[id]
			if p == nil {
				return fault.Invalidf("area %s names the plan %q, which table plan has not", a.ID, id)
			}
			p.Areas = append(p.Areas, a)
		}
	}
	return nil
}

// IndexActivities makes the activities findable.
func (c *Catalogue) IndexActivities() {
	for _, a := range c.Activities {
		c.activity[a.ID] = a
	}
}

// Area returns the area with that id, or nil.
func (c *Catalogue) Area(id string) *Area {
	if i, ok := c.area[id]; ok {
		return c.Areas[i]
	}
	return nil
}

// Place returns the place of the area with that id, and false if there is none.
func (c *Catalogue) Place(id string) (int, bool) {
	i, ok := c.area[id]
	return i, ok
}

// Plan returns the plan with that id, or nil.
func (c *Catalogue) Plan(id string) *Plan { return c.plan[id] }

// Activity returns the activity with that id, or nil.
func (c *Catalogue) Activity(id string) *Activity { return c.activity[id] }

// Holds reports whether the data set has the table.
func (c *Catalogue) Holds(table string) bool { return c.Columns[table] != nil }

// Tables returns the tables that the data set has, in the contract's order.
func (c *Catalogue) Tables() []string {
	var out []string
	for _, t := range c.Contract.Tables {
		if c.Holds(t.Name) {
			out = append(out, t.Name)
		}
	}
	return out
}

// HasDimension reports whether the data set records the dimension for the table.
func (c *Catalogue) HasDimension(table *contract.Table, d *contract.Dimension) bool {
	column := d.Columns[table.Name]
	return column != nil && c.Columns[table.Name][column.Name]
}

// HasIndicator reports whether the data set records every column the indicator needs.
func (c *Catalogue) HasIndicator(table *contract.Table, i *contract.Indicator) bool {
	return slices.Contains(i.Tables, table.Name) && c.records(table.Name, i.When) && c.records(table.Name, i.Among)
}

// records reports whether the data set has every column that the condition reads.
func (c *Catalogue) records(table string, k *contract.Condition) bool {
	missing := func(part *contract.Condition) bool { return !c.records(table, part) }
	return k == nil || (k.Column == "" || c.Columns[table][k.Column]) && !slices.ContainsFunc(k.All, missing) &&
		!slices.ContainsFunc(k.Any, missing)
}

// HasMeasure reports whether the data set records every column the measure needs for the table.
func (c *Catalogue) HasMeasure(table *contract.Table, m *contract.Measure) bool {
	return slices.Contains(m.Tables, table.Name) && c.Columns[table.Name][m.Column] && c.records(table.Name, m.Among)
}

// HasOutcome reports whether the data set records the outcome.
func (c *Catalogue) HasOutcome(o *contract.Outcome) bool {
	return c.Columns[contract.EffectTable][o.Column.Name]
}

// HasBefore reports whether the data set records the outcome before the start; not of no outcome.
func (c *Catalogue) HasBefore(o *contract.Outcome) bool {
	return o != nil && o.Before != nil && c.Columns[contract.EffectTable][o.Before.Name]
}

// HasCovariate reports whether the data set records the covariate.
func (c *Catalogue) HasCovariate(v *contract.Covariate) bool {
	return c.Columns[contract.EffectTable][v.Column.Name]
}

// Years returns the years that the table has from the first to the last, or none.
func (c *Catalogue) Years(table *contract.Table) []int {
	b, ok := c.Bounds[table.Name]["year"]
	if !ok {
		return nil
	}
	var out []int
	for y := b[0]; y <= b[1]; y++ {
		out = append(out, y)
	}
	return out
}

// Needs returns an error that says what the data set holds if it has no such table.
func (c *Catalogue) Needs(table, what string) error {
	if c.Holds(table) {
		return nil
	}
	return fault.NotRecordedf("this data set holds no %s (table %s); it holds %s", what, table,
		strings.Join(c.Tables(), ", "))
}

// NeedsColumn returns an error that says what the table records if it lacks the column.
func (c *Catalogue) NeedsColumn(table, column, words string) error {
	if c.Columns[table][column] {
		return nil
	}
	return fault.NotRecordedf("%s (%s.%s); %s", words, table, column, c.recorded(table))
}

// recorded says which columns of the table the data set has.
func (c *Catalogue) recorded(table string) string {
	return listed("recorded are", c.Contract.Table(table).Columns,
		func(k *contract.Column) (string, bool) { return k.Name, c.Columns[table][k.Name] && !k.Secret })
}

// Check returns an error that says what the data set records if it does not record what q asks, or
// what would be right if q asks nothing that could be.
func (c *Catalogue) Check(q Query) error {
	switch q := q.(type) {
	case Observations:
		return c.checkObservations(q)
	case Flows:
		return c.checkFlows(q)
	case Participants:
		return c.checkParticipants(q)
	case Starts, Persons:
		if err := c.Needs("participant", "participants"); err != nil {
			return err
		}
		return c.NeedsColumn("participant", "activity_id", "participants are not recorded by activity")
	case EffectTypes:
		return c.Needs(contract.EffectTable, "participants")
	case Responses:
		return c.Needs("actor_survey", "answers of actors")
	}
	return nil
}

func (c *Catalogue) checkObservations(q Observations) error {
	if err := c.Needs(q.Table.Name, q.Table.Cohort); err != nil {
		return err
	}
	if d := q.twice(); d != nil {
		return fault.Invalidf("%s stands twice among the dimensions asked for; once was expected", d.Name)
	}
	for _, d := range q.By {
		if err := c.needsDimension(q.Table, d); err != nil {
			return err
		}
	}
	for _, condition := range q.Where.Conditions {
		if err := c.needsDimension(q.Table, condition.Dimension); err != nil {
			return err
		}
	}
	for _, list := range [][]*contract.Indicator{q.Indicators, q.Where.Indicators()} {
		for _, i := range list {
			if !c.HasIndicator(q.Table, i) {
				return fault.NotRecordedf("%s is not recorded for %s; %s", i.Name, q.Table.Cohort,
					listed("recorded are", c.Contract.Indicators,
						func(i *contract.Indicator) (string, bool) { return i.Name, c.HasIndicator(q.Table, i) }))
			}
		}
	}
	for _, m := range q.Measures {
		if !c.HasMeasure(q.Table, m) {
			return fault.NotRecordedf("%s is not recorded for %s; %s", m.Name, q.Table.Cohort,
				listed("recorded are", c.Contract.Measures,
					func(m *contract.Measure) (string, bool) { return m.Name, c.HasMeasure(q.Table, m) }))
		}
	}
	for _, condition := range q.Where.Conditions {
		if err := c.checkCondition(q.Table, condition); err != nil {
			return err
		}
		if err := c.checkParted(q, condition); err != nil {
			return err
		}
	}
	return nil
}

// checkParted returns an error if the condition asks for some of those whom a second column parts, in a
// year in which it is known of none of them: they would be counted as nobody.
func (c *Catalogue) checkParted(q Observations, k Condition) error {
	var asked []string
	all := true
	for _, s := range k.Dimension.Selections(q.Table.Name) {
		switch {
		case s.Apart == nil:
		case !slices.Contains(k.Positions, s.Position):
			all = false
		case s.Apart.Is != nil:
			asked = append(asked, k.Dimension.Codes[s.Position].Code)
		}
	}
	if all || len(asked) == 0 {
		return nil
	}
	known := c.Parted[q.Table.Name][k.Dimension.Apart]
	is := "is"
	if len(asked) > 1 {
		is = "are"
	}
	what := fmt.Sprintf("%s: %s %s not recorded for %s", k.Dimension.Filter, strings.Join(asked, ", "), is, q.Table.Cohort)
	column := fmt.Sprintf("(%s.%s)", q.Table.Name, k.Dimension.Apart)
	if len(known) == 0 {
		return fault.NotRecordedf("%s %s, so nobody is known to be of it; %s", what, column, whole(k.Dimension))
	}
	var without []string
	for _, year := range c.Years(q.Table) {
		if q.Where.keepsYear(year) && !slices.Contains(known, year) {
			without = append(without, strconv.Itoa(year))
		}
	}
	if len(without) == 0 {
		return nil
	}
	return fault.NotRecordedf("%s in %s %s; it is in %s: ask of `years` among these, or %s", what,
		strings.Join(without, ", "), column, inYears(known), whole(k.Dimension))
}

// whole says which words keep all whom the second column of the dimension parts.
func whole(d *contract.Dimension) string {
	for _, w := range d.Words {
		return fmt.Sprintf("`%s: [%s]` keeps all of them", d.Filter, w.Code)
	}
	return "leave the condition out"
}

func inYears(years []int) string {
	return strings.Join(mapped(years, strconv.Itoa), ", ")
}

// keepsYear reports whether the conditions of the filter on years keep the year.
func (f Filter) keepsYear(year int) bool {
	return !slices.ContainsFunc(f.Conditions, func(c Condition) bool {
		return c.Dimension.Name == "YEAR" && !c.Holds(int32(year), nil)
	})
}

func (c *Catalogue) needsDimension(table *contract.Table, d *contract.Dimension) error {
	if c.HasDimension(table, d) {
		return nil
	}
	return fault.NotRecordedf("%s are not recorded by %s; %s", table.Cohort, d.Name,
		listed("they are by", c.Contract.Dimensions,
			func(d *contract.Dimension) (string, bool) { return d.Name, c.HasDimension(table, d) }))
}

func (c *Catalogue) checkCondition(table *contract.Table, k Condition) error {
	what := strings.ToLower(k.Dimension.Name)
	switch {
	case k.Dimension.IsInteger():
		bounds, ok := c.Bounds[table.Name][k.Dimension.Columns[table.Name].Name]
		if k.From != nil && k.To != nil && *k.From > *k.To {
			return fault.Invalidf("%s: the range from %d to %d is empty; from must be at most to", k.Dimension.Filter, *k.From,
				*k.To)
		}
		for _, end := range []*int{k.From, k.To} {
			if end == nil || !ok {
				continue
			}
			if *end < bounds[0] {
				return fault.Invalidf("%s %d is before the data starts (%d)", what, *end, bounds[0])
			}
			if *end > bounds[1] {
				return fault.Invalidf("%s %d is after the data ends (%d)", what, *end, bounds[1])
			}
		}
	case k.Dimension.IsArea():
		for _, id := range k.Areas {
			if c.Area(id) == nil {
				return fault.NotFoundf("no area %q in this data set; `areas` lists them", id)
			}
		}
	default:
		if err := checkCodes(table, k); err != nil {
			return err
		}
	}
	if !k.Dimension.IsInteger() && len(k.Positions)+len(k.Areas) == 0 {
		return fault.Invalidf("%s is an empty list, which no observation matches; leave it out to keep all",
			k.Dimension.Filter)
	}
	return nil
}

// checkCodes returns an error if the table's column cannot hold one of the codes, however many
// others it can: the answer would count nobody for it, as if there were nobody. A code that the
// column could hold and this data set has not is no error.
func checkCodes(table *contract.Table, k Condition) error {
	lacks := func(position int) bool { return !k.Dimension.Holds(table.Name, position) }
	if !slices.ContainsFunc(k.Positions, lacks) {
		return nil
	}
	var wrong, right []string
	for _, p := range k.Positions {
		name := k.Dimension.Codes[p].Code
		if !lacks(p) {
			right = append(right, name)
		} else {
			wrong = append(wrong, name)
		}
	}
	is, others := "is", ""
	if len(wrong) > 1 {
		is = "are"
	}
	if len(right) > 0 {
		others = ", unlike " + strings.Join(right, ", ")
	}
	return fault.NotRecordedf("%s: %s %s not recorded for %s%s; %s", k.Dimension.Filter, strings.Join(wrong, ", "), is,
		table.Cohort, others,
		listed("recorded are", k.Dimension.Selections(table.Name),
			func(s contract.Selection) (string, bool) { return k.Dimension.Codes[s.Position].Code, true }))
}

func (c *Catalogue) checkFlows(q Flows) error {
	year, err := c.Contract.Dimension("YEAR")
	if err != nil {
		return err
	}
	if slices.Contains(q.Where.Dimensions(), year) {
		return fmt.Errorf("the years of flows are their own")
	}
	within := q.Where.And(Condition{Dimension: year, From: &q.From, To: &q.To})
	if err := c.checkObservations(Observations{Table: q.Table, Where: within,
		Indicators: []*contract.Indicator{q.Indicator}}); err != nil {
		return err
	}
	if q.From == q.To {
		return fault.Invalidf("both years are %d; two different years were expected", q.From)
	}
	if person := q.Table.Person; person == "" || !c.Columns[q.Table.Name][person] {
		return fault.NotRecordedf("this data set does not follow %s over the years: table %s has no %s, so who stayed and "+
			"who moved is not known; `development` compares the years as they are",
			q.Table.Cohort, q.Table.Name, person)
	}
	return nil
}

func (c *Catalogue) checkParticipants(q Participants) error {
	if err := c.Needs(contract.EffectTable, "participants"); err != nil {
		return err
	}
	if q.Outcome != nil && !c.HasOutcome(q.Outcome) {
		return fault.NotRecordedf("the outcome %s is not recorded (%s.%s); %s", q.Outcome.Name, contract.EffectTable,
			q.Outcome.Column.Name,
			listed("recorded are", c.Contract.Outcomes,
				func(o *contract.Outcome) (string, bool) { return o.Name, c.HasOutcome(o) }))
	}
	if q.Start {
		return c.NeedsColumn(contract.EffectTable, "start_year", "the year of start is not recorded")
	}
	return nil
}

// listed writes the names after the words, e.g. "recorded are POOR", or that there are none.
func listed[T any](words string, all []T, name func(T) (string, bool)) string {
	var out []string
	for _, x := range all {
		if n, ok := name(x); ok {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return "nothing is recorded"
	}
	return words + " " + strings.Join(out, ", ")
}
