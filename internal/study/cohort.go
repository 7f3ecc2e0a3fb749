package study

import (
	"context"
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// Cohort is a set of observations chosen by a filter.
type Cohort struct {
	Table  *contract.Table
	Filter cells.Filter
	// within, if set, is the place of the area whose cohort it is, one of a list whose areas share
	// their tables: Filter is then that of all areas.
	within *int32
	scope  string // cells.Observations.Scope of it
}

// Cohort returns the cohort of that name, e.g. children, whose filter is written as Filter.String
// writes it.
func (s *Study) Cohort(name, filter string) (*Cohort, error) {
	table := s.Contract.CohortTable(name)
	if table == nil {
		var known []string
		for _, t := range s.Contract.Tables {
			if t.Cohort != "" {
				known = append(known, t.Cohort)
			}
		}
		return nil, fault.NotFoundf("no cohort %q%s", name, fault.Suggest(name, known))
	}
	f, err := cells.ReadFilter(s.Contract, filter)
	if err != nil {
		return nil, err
	}
	return s.CohortBy(table, f)
}

// CohortBy returns the cohort of a table that the filter keeps. A range of ages may stand for the age
// groups of a table that records groups only.
func (s *Study) CohortBy(table *contract.Table, f cells.Filter) (*Cohort, error) {
	f.Conditions = slices.Clone(f.Conditions)
	for i, c := range f.Conditions {
		if !c.Dimension.IsInteger() || c.Dimension.Columns[table.Name] != nil {
			continue
		}
		var err error
		if f.Conditions[i], err = groupsWithin(s.Contract, table, c); err != nil {
			return nil, err
		}
	}
	return &Cohort{Table: table, Filter: f, scope: cells.Observations{Table: table, Where: f}.Scope()}, nil
}

// Of returns the part of the cohort that lives in the area. The parts of all areas share their tables.
func (s *Study) Of(area *Area, c *Cohort) (*Cohort, error) {
	place, ok := s.Catalogue.Place(area.Area.ID)
	if !ok {
		return nil, fault.NotFoundf("no area %q in this data set; `areas` lists them", area.Area.ID)
	}
	for _, condition := range c.Filter.Conditions {
		if condition.Dimension.IsArea() && !slices.Contains(condition.Areas, area.Area.ID) {
			return nil, notOf("area", area.Name)
		}
	}
	within := int32(place)
	return &Cohort{Table: c.Table, Filter: c.Filter, within: &within, scope: c.scope}, nil
}

// where is the whole filter of the cohort, its area included.
func (c *Cohort) where(s *Study) cells.Filter {
	if c.within == nil {
		return c.Filter
	}
	d, err := s.Contract.Dimension("AREA")
	if err != nil {
		return c.Filter // without areas there is no cohort of one
	}
	return c.Filter.And(cells.Condition{Dimension: d, Areas: []string{s.Catalogue.Areas[*c.within].ID}})
}

// need is the table of the cohort that a query asks for; its Table and Where are set here.
func (c *Cohort) need(s *Study, q cells.Observations) (need, error) {
	q.Table, q.Where = c.Table, c.Filter
	if c.within == nil {
		return need{query: q, scope: c.scope}, nil
	}
	d, err := s.Contract.Dimension("AREA")
	if err != nil {
		return need{}, err
	}
	if slices.Contains(q.By, d) {
		// Split by its own area it is one more cell, not one more key.
		q.Where = c.where(s)
		return need{query: q}, nil
	}
	alone := q
	alone.Where = c.where(s)
	q.By = append([]*contract.Dimension{d}, q.By...)
	q.MaxCells *= 1 + len(s.Catalogue.Areas) // those outside the areas are one more
	return need{query: q, scope: c.scope, within: c.within, alone: &alone}, nil
}

// share is what a share of the cohort, split by the dimensions, is computed from.
func (c *Cohort) share(s *Study, of string, by []string, level float64) ([]need, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	i, err := s.Contract.Indicator(of)
	if err != nil {
		return nil, err
	}
	dimensions, err := s.dimensions(by...)
	if err != nil {
		return nil, err
	}
	return c.needs(s, cells.Observations{By: dimensions, Indicators: []*contract.Indicator{i}, MaxCells: s.Cells})
}

func (c *Cohort) needs(s *Study, queries ...cells.Observations) ([]need, error) {
	var out []need
	for _, q := range queries {
		n, err := c.need(s, q)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

// SizeOf asks how many observations a cohort has.
type SizeOf struct{ Cohort *Cohort }

func (q SizeOf) needs(s *Study) ([]need, error) {
	return q.Cohort.needs(s, cells.Observations{MaxCells: s.Cells})
}

func (q SizeOf) answer(_ context.Context, _ *Request, tables []*cells.Table) (*Count, error) {
	return count(tables[0].Total().N), nil
}

// ShareOf asks for the share of a cohort with an indicator.
type ShareOf struct {
	Cohort    *Cohort
	Indicator string
	Level     float64 // of the interval, over 0 and under 1
}

func (q ShareOf) needs(s *Study) ([]need, error) {
	return q.Cohort.share(s, q.Indicator, nil, q.Level)
}

func (q ShareOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*Estimate, error) {
	return share(tables[0].Total().Indicators[0], q.Level).warn(r.overYears(q.Cohort)), nil
}

// MeanOf asks for the mean of a measure over a cohort.
type MeanOf struct {
	Cohort  *Cohort
	Measure string
	Level   float64
}

func (q MeanOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	m, err := s.Contract.Measure(q.Measure)
	if err != nil {
		return nil, err
	}
	return q.Cohort.needs(s, cells.Observations{Measures: []*contract.Measure{m}, MaxCells: s.Cells})
}

func (q MeanOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*Estimate, error) {
	m := tables[0].Measures[0]
	out := mean(m, tables[0].Total().Measures[0], q.Level).warn(r.overYears(q.Cohort))
	if c := q.Cohort.Table.Column(m.Column); c != nil && c.Min >= 0 && out.Lower != nil && *out.Lower < 0 {
		out.warn([]string{"The interval reaches below 0, where " + m.Name + " cannot be: observations are too few for " +
			"Student's t, and its upper end is not to be relied on either."})
	}
	return out, nil
}

// BreakdownOf asks for the share of a cohort with an indicator, by dimensions.
type BreakdownOf struct {
	Cohort    *Cohort
	Indicator string
	By        []string
	Level     float64
	Order     *CellOrder // nil: by key
}

// Breakdown is a share by dimensions: all cells, and what they come to together.
type Breakdown struct {
	Cells []*Cell
	Names []string // of the cells: the same for a cell whatever their order
	Total *Estimate
}

func (q BreakdownOf) needs(s *Study) ([]need, error) {
	return q.Cohort.share(s, q.Indicator, q.By, q.Level)
}

func (q BreakdownOf) answer(_ context.Context, r *Request, tables []*cells.Table) (*Breakdown, error) {
	table := ordered(tables[0], q.Order)
	out := &Breakdown{Total: share(table.Total().Indicators[0], q.Level).warn(r.overYears(q.Cohort)),
		Cells: r.shares(table, q.Level), Names: make([]string, len(table.Cells))}
	warnings := r.overYears(q.Cohort, q.By...)
	for i, c := range table.Cells {
		out.Cells[i].Estimate.warn(warnings)
		out.Names[i] = cellName(q.Cohort.Table, q.By, c)
	}
	return out, nil
}

// TrendOf asks for the share of a cohort with an indicator year by year, within dimensions.
type TrendOf struct {
	Cohort    *Cohort
	Indicator string
	By        []string
	Level     float64
}

func (q TrendOf) needs(s *Study) ([]need, error) {
	if err := notHeld("by", q.By, "YEAR", "by which every trend is split"); err != nil {
		return nil, err
	}
	return q.Cohort.share(s, q.Indicator, append(slices.Clone(q.By), "YEAR"), q.Level)
}

func (q TrendOf) answer(_ context.Context, r *Request, tables []*cells.Table) ([]*Cell, error) {
	return r.shares(tables[0], q.Level), nil
}

// notHeld reports a dimension that a question splits by anyhow, where the list of an argument holds it too.
func notHeld(argument string, list []string, dimension, why string) error {
	if slices.Contains(list, dimension) {
		return fault.Invalidf("`%s` holds %s, %s; leave it out", argument, dimension, why)
	}
	return nil
}

// DistributionOf asks how a cohort is spread over a dimension, within others.
type DistributionOf struct {
	Cohort    *Cohort
	Dimension string
	By        []string
	Level     float64
}

func (q DistributionOf) needs(s *Study) ([]need, error) {
	if err := stats.CheckLevel(q.Level); err != nil {
		return nil, err
	}
	if err := notHeld("by", q.By, q.Dimension, "over which the cohort is to be spread"); err != nil {
		return nil, err
	}
	by, err := s.dimensions(append(slices.Clone(q.By), q.Dimension)...)
	if err != nil {
		return nil, err
	}
	return q.Cohort.needs(s, cells.Observations{By: by, MaxCells: s.Cells})
}

func (q DistributionOf) answer(_ context.Context, r *Request, tables []*cells.Table) ([]*Cell, error) {
	out := r.spread(tables[0], q.Level)
	for _, c := range out {
		c.Estimate.warn(r.overYears(q.Cohort, append(slices.Clone(q.By), q.Dimension)...))
	}
	return out, nil
}

// spanned is how many years of the data the cohort spans.
func (s *Study) spanned(c *Cohort) (n int) {
	for _, y := range s.Catalogue.Years(c.Table) {
		if !slices.ContainsFunc(c.Filter.Conditions, func(f cells.Condition) bool {
			return f.Dimension.Name == "YEAR" && (f.From != nil && y < *f.From || f.To != nil && y > *f.To)
		}) {
			n++
		}
	}
	return n
}

// overYears warns of an interval of observations of several years that are taken as independent; by are the
// dimensions that the figures are split by.
func (s *Study) overYears(c *Cohort, by ...string) []string {
	if slices.Contains(by, "YEAR") {
		return nil
	}
	years := s.spanned(c)
	if years < 2 {
		return nil
	}
	return []string{fmt.Sprintf("The cohort spans %d years, in each of which a person counts once; observations are "+
		"taken as independent, so the interval is too short. `trend`, or one year, gives intervals without that.", years)}
}
