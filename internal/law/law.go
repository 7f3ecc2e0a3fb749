// Package law applies the official criteria for housing areas. The criteria are data; what is
// here reads them and asks each of an area's figures.
package law

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Law is all rule sets.
type Law struct {
	MinimumResidents int
	RuleSets         []RuleSet
}

// RuleSet is the criteria of some years.
type RuleSet struct {
	Name        string
	First, Last int // the years it was in force
	Criteria    []Criterion
	Kinds       []Kind
}

// Criterion is one threshold. Exactly one of Above, Below and NationalTimes is set.
type Criterion struct {
	Name          string
	Figure        string // the column of area_year
	Label         contract.Text
	Above, Below  *float64 // strict
	NationalTimes *float64 // met from this many times the national share
	Average       bool     // of the year and the one before
}

// Kind is a list that an area can be on.
type Kind struct {
	Name     string
	Kind     string // it must be on this list too; or ""
	Unless   string // it must not be on this list; or ""
	AtLeast  int    // of Of must be met
	Of, And  []string
	ForYears int // it must have been on Kind's list for so many years, this one included; 0: no such rule
}

type rawLaw struct {
	MinimumResidents int           `yaml:"minimum_residents"`
	RuleSets         yaml.MapSlice `yaml:"rule_sets"`
}

type rawRuleSet struct {
	Years    []int         `yaml:"years"`
	Criteria yaml.MapSlice `yaml:"criteria"`
	Kinds    yaml.MapSlice `yaml:"kinds"`
}

type rawCriterion struct {
	Figure        string        `yaml:"figure"`
	Label         contract.Text `yaml:"label"`
	Above         *float64      `yaml:"above"`
	Below         *float64      `yaml:"below"`
	NationalTimes *float64      `yaml:"national_times"`
	Average       bool          `yaml:"average"`
}

type rawKind struct {
	Kind     string   `yaml:"kind"`
	Unless   string   `yaml:"unless"`
	AtLeast  int      `yaml:"at_least"`
	Of       []string `yaml:"of"`
	And      []string `yaml:"and"`
	ForYears int      `yaml:"for_years"`
}

// Parse reads the rule sets from YAML.
func Parse(text []byte) (*Law, error) {
	var raw rawLaw
	if err := yaml.UnmarshalWithOptions(text, &raw, yaml.Strict(), yaml.UseOrderedMap()); err != nil {
		return nil, fault.Invalidf("law.yaml: %w", err)
	}
	out := &Law{MinimumResidents: raw.MinimumResidents}
	for _, item := range raw.RuleSets {
		r := RuleSet{Name: fmt.Sprint(item.Key)}
		var body rawRuleSet
		if err := decode(item.Value, &body); err != nil {
			return nil, fault.Invalidf("law.yaml, %s: %w", r.Name, err)
		}
		if len(body.Years) != 2 {
			return nil, fault.Invalidf("law.yaml, %s: years [first, last] were expected", r.Name)
		}
		r.First, r.Last = body.Years[0], body.Years[1]
		var names []string
		for _, c := range body.Criteria {
			var v rawCriterion
			if err := decode(c.Value, &v); err != nil {
				return nil, fault.Invalidf("law.yaml, %s, %v: %w", r.Name, c.Key, err)
			}
			set := 0
			for _, threshold := range []*float64{v.Above, v.Below, v.NationalTimes} {
				if threshold != nil {
					set++
				}
			}
			if set != 1 || v.Figure == "" {
				return nil, fault.Invalidf("law.yaml, %s, %v: a figure and one of above, below, national_times were expected",
					r.Name, c.Key)
			}
			names = append(names, fmt.Sprint(c.Key))
			r.Criteria = append(r.Criteria, Criterion{Name: fmt.Sprint(c.Key), Figure: v.Figure, Label: v.Label, Above: v.Above,
				Below: v.Below, NationalTimes: v.NationalTimes, Average: v.Average})
		}
		for _, k := range body.Kinds {
			var v rawKind
			if err := decode(k.Value, &v); err != nil {
				return nil, fault.Invalidf("law.yaml, %s, %v: %w", r.Name, k.Key, err)
			}
			for _, name := range slices.Concat(v.Of, v.And) {
				if !slices.Contains(names, name) {
					return nil, fault.Invalidf("law.yaml, %s, %v: no criterion %q%s", r.Name, k.Key, name, fault.Suggest(name, names))
				}
			}
			for _, before := range []string{v.Kind, v.Unless} {
				if before != "" && !slices.ContainsFunc(r.Kinds, func(k Kind) bool { return k.Name == before }) {
					return nil, fault.Invalidf("law.yaml, %s, %v: no kind %q stands before it", r.Name, k.Key, before)
				}
			}
			if before := slices.IndexFunc(r.Kinds, func(before Kind) bool { return before.Name == v.Kind }); v.ForYears > 0 &&
				(before < 0 || r.Kinds[before].ForYears > 0) {
				return nil, fault.Invalidf("law.yaml, %s, %v: for_years counts the years on the list of a kind that asks for "+
					"one year, which `kind` was expected to name", r.Name, k.Key)
			}
			r.Kinds = append(r.Kinds, Kind{Name: fmt.Sprint(k.Key), Kind: v.Kind, Unless: v.Unless, AtLeast: v.AtLeast, Of: v.Of,
				And: v.And, ForYears: v.ForYears})
		}
		out.RuleSets = append(out.RuleSets, r)
	}
	return out, nil
}

// decode reads an entry of a mapping whose order was kept.
func decode(value any, into any) error {
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	return yaml.UnmarshalWithOptions(text, into, yaml.Strict(), yaml.UseOrderedMap())
}

// In returns the rule set in force in the year, or an error that lists the years covered.
func (l *Law) In(year int) (*RuleSet, error) {
	for i, r := range l.RuleSets {
		if year >= r.First && year <= r.Last {
			return &l.RuleSets[i], nil
		}
	}
	return nil, fault.Invalidf("no rule set was in force in %d; the first is of %d; name one with ruleSet to apply it "+
		"to another year", year, l.RuleSets[0].First)
}

// Named returns the rule set of that name, or an error.
func (l *Law) Named(name string) (*RuleSet, error) {
	var known []string
	for i, r := range l.RuleSets {
		if r.Name == name {
			return &l.RuleSets[i], nil
		}
		known = append(known, r.Name)
	}
	return nil, fault.Invalidf("no rule set %q%s", name, fault.Suggest(name, known))
}

// Figures are what the criteria are asked of.
type Figures struct {
	// Area returns an area's figure of a year in percent, nil where there is none.
	Area func(figure string, year int) *float64
	// Residents returns the area's residents of a year, nil if unknown.
	Residents func(year int) *int
	// National returns the national share of a year in percent, nil if unknown.
	National func(figure string, year int) *float64
	// Averaged reports whether the area's figures of a year are averages over two years already.
	Averaged func(year int) bool
}

// Result is the answer for one area and year.
type Result struct {
	Kinds     []string // the lists it is on, in the order of the rule set
	Undecided []string // the lists of which the figures do not tell; empty with Kinds: on no list
	Criteria  []Met
	Warnings  []string
}

// Met says whether a criterion is met. Value and Threshold are in percent; nil where unknown.
type Met struct {
	Criterion Criterion
	Value     *float64
	Threshold *float64
	Met       *bool // nil where it cannot be told
}

// Apply applies the rule set to one area in one year. What is missing is neither met nor not met:
// a list that depends on it is undecided, with a warning, unless the rest decides.
func (l *Law) Apply(r *RuleSet, f Figures, year int) Result {
	out, is := l.apply(r, f, year)
	for _, k := range r.Kinds {
		if k.ForYears > 0 {
			is[k.Name] = l.lasting(&out, r, k, is[k.Kind], f, year)
		}
		switch on := is[k.Name]; {
		case on == nil:
			out.Undecided = append(out.Undecided, k.Name)
		case *on:
			out.Kinds = append(out.Kinds, k.Name)
		}
	}
	return out
}

// apply decides the criteria and, of the kinds that ask for one year only, whether the area is on
// their list: nil where it cannot be told.
func (l *Law) apply(r *RuleSet, f Figures, year int) (Result, map[string]*bool) {
	out := Result{}
	met := map[string]*bool{}
	for _, c := range r.Criteria {
		m := Met{Criterion: c}
		m.Value = out.figure(c, f, f.Area, year, f.Averaged(year))
		switch {
		case c.Above != nil:
			m.Threshold = c.Above
		case c.Below != nil:
			m.Threshold = c.Below
		default:
			if share := out.figure(c, f, f.National, year, false); share != nil {
				threshold := *share * *c.NationalTimes
				m.Threshold = &threshold
			}
		}
		if m.Value != nil && m.Threshold != nil {
			switch {
			case c.Below != nil:
				m.Met = known(*m.Value < *m.Threshold)
			case c.NationalTimes != nil:
				m.Met = known(*m.Value >= *m.Threshold)
			default:
				m.Met = known(*m.Value > *m.Threshold)
			}
		}
		met[c.Name] = m.Met
		out.Criteria = append(out.Criteria, m)
	}
	var enough *bool
	switch residents := f.Residents(year); {
	case residents == nil:
		out.Warnings = append(out.Warnings, fmt.Sprintf("The residents of %d are not recorded; the law asks for at least %d.",
			year, l.MinimumResidents))
	case *residents < l.MinimumResidents:
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("The area has %d residents, below the %d that the law asks for: it can be on no list.", *residents,
				l.MinimumResidents))
		enough = known(false)
	default:
		enough = known(true)
	}
	is := map[string]*bool{}
	for _, k := range r.Kinds {
		if k.ForYears > 0 {
			continue
		}
		count, unknown := 0, 0
		for _, name := range k.Of {
			switch m := met[name]; {
			case m == nil:
				unknown++
			case *m:
				count++
			}
		}
		var enoughMet *bool
		if count >= k.AtLeast || count+unknown < k.AtLeast {
			enoughMet = known(count >= k.AtLeast)
		}
		conditions := []*bool{enough, enoughMet}
		for _, name := range k.And {
			if met[name] == nil {
				unknown++
			}
			conditions = append(conditions, met[name])
		}
		if k.Kind != "" {
			conditions = append(conditions, is[k.Kind])
		}
		if k.Unless != "" {
			conditions = append(conditions, not(is[k.Unless]))
		}
		is[k.Name] = all(conditions...)
		if is[k.Name] == nil && unknown > 0 {
			out.Warnings = append(out.Warnings,
				fmt.Sprintf("Whether it is %s cannot be told: %d of its criteria have no figure.", k.Name, unknown))
		}
	}
	return out, is
}

// lasting decides whether the area, on the list of k.Kind this year as now says, has been on it
// for k.ForYears.
func (l *Law) lasting(out *Result, r *RuleSet, k Kind, now *bool, f Figures, year int) *bool {
	conditions := []*bool{now}
	missing := 0 // the latest year of which it cannot be told
	for y := year - 1; y > year-k.ForYears; y-- {
		_, is := l.apply(r, f, y)
		conditions = append(conditions, is[k.Kind])
		if is[k.Kind] == nil && missing == 0 {
			missing = y
		}
	}
	on := all(conditions...)
	if on == nil && missing != 0 {
		out.Warnings = append(out.Warnings,
			fmt.Sprintf("%s asks for %d years on the list of %s; of %d the data do not tell, so it cannot be told.", k.Name,
				k.ForYears, k.Kind, missing))
	}
	return on
}

func known(b bool) *bool { return &b }

// not and all are those of three-valued logic, in which nil is unknown: all is false if one is
// false, whatever is unknown of the others.
func not(b *bool) *bool {
	if b == nil {
		return nil
	}
	return known(!*b)
}

func all(list ...*bool) *bool {
	out := known(true)
	for _, b := range list {
		switch {
		case b == nil:
			out = nil
		case !*b:
			return b
		}
	}
	return out
}

// figure returns the figure that a criterion is asked of: of the year, or the mean of two years.
func (r *Result) figure(c Criterion, f Figures, of func(string, int) *float64, year int, averaged bool) *float64 {
	now := of(c.Figure, year)
	if now == nil || !c.Average || averaged {
		return now
	}
	before := of(c.Figure, year-1)
	if before == nil {
		w := fmt.Sprintf("%s: the law takes the mean of %d and %d, but %d is not recorded; %d is taken alone.", c.Label.EN,
			year-1, year, year-1, year)
		if !slices.Contains(r.Warnings, w) { // once for the area and the country
			r.Warnings = append(r.Warnings, w)
		}
		return now
	}
	mean := (*now + *before) / 2
	return &mean
}
