package study

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Node is what has a global id.
type Node interface {
	IsNode()
	GetID() string
}

// Node returns what has the global id, or nil.
func (s *Study) Node(id string) (Node, error) {
	kind, own, ok := strings.Cut(id, ":")
	if !ok {
		return nil, fault.Invalidf("%q is no global id; the field `id` of an area, a plan, an activity or a municipality "+
			"gives one", id)
	}
	switch kind {
	case "Area":
		if a := s.Catalogue.Area(own); a != nil {
			return &Area{a}, nil
		}
	case "Plan":
		if p := s.Catalogue.Plan(own); p != nil {
			return &Plan{p}, nil
		}
	case "Activity":
		if a := s.Catalogue.Activity(own); a != nil {
			return &Activity{a}, nil
		}
	case "Municipality":
		if m := s.Municipality(own); m != nil {
			return m, nil
		}
	default:
		return nil, fault.Invalidf("%q is no global id; the field `id` of an area, a plan, an activity or a municipality "+
			"gives one", id)
	}
	return nil, nil
}

// Areas returns the areas that the filter keeps, in an order; nil is by name.
func (s *Study) Areas(ctx context.Context, where *AreaFilter, by *AreaOrder) ([]*Area, error) {
	if !s.Catalogue.Holds("area") {
		return nil, fault.NotRecordedf("this data set holds no areas (table area)")
	}
	if where == nil {
		where = &AreaFilter{}
	}
	for _, err := range []error{notEmpty("ids", where.Ids), notEmpty("municipality", where.Municipality),
		notEmpty("region", where.Region)} {
		if err != nil {
			return nil, err
		}
	}
	figures, err := s.keyFigures(ctx)
	if err != nil {
		return nil, err
	}
	var codes []string
	for _, m := range where.Municipality {
		code := strings.TrimPrefix(m, "Municipality:")
		if s.Municipality(code) == nil {
			d, err := s.Contract.Dimension("MUNICIPALITY")
			if err != nil {
				return nil, err
			}
			return nil, fault.NotFoundf("no municipality %q%s", m, SuggestCode(d, m))
		}
		codes = append(codes, code)
	}
	regions, err := s.regions(where.Region)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range where.Ids {
		own := strings.TrimPrefix(id, "Area:")
		if s.Catalogue.Area(own) == nil {
			return nil, fault.NotFoundf("no area %q in this data set", id)
		}
		ids = append(ids, own)
	}
	if err := s.checkYear(where.OnOfficialListIn); err != nil {
		return nil, err
	}
	if year := where.OnOfficialListIn; year != nil {
		switch recorded := listYears(figures); {
		case len(recorded) == 0:
			return nil, fault.NotRecordedf("onOfficialListIn: this data set does not record which areas were on the " +
				"ministry's lists; `designations` applies the law's criteria to the key figures")
		case !slices.Contains(recorded, *year):
			return nil, fault.NotRecordedf("onOfficialListIn: the list of %d is not recorded; those of %s are", *year,
				strings.Trim(fmt.Sprint(recorded), "[]"))
		}
	}
	out := []*Area{}
	for _, a := range s.Catalogue.Areas {
		area := &Area{a}
		switch m := s.Municipality(a.Municipality); {
		case where.Ids != nil && !slices.Contains(ids, a.ID),
			where.NameContains != nil && !strings.Contains(strings.ToLower(a.Name), strings.ToLower(*where.NameContains)),
			where.Municipality != nil && !slices.Contains(codes, a.Municipality),
			where.Region != nil && (m == nil || !slices.Contains(regions, m.Region)),
			where.Supported != nil && a.Supported != *where.Supported,
			where.OnOfficialListIn != nil && !onOfficialList(figures[a], *where.OnOfficialListIn):
		default:
			out = append(out, area)
		}
	}
	if by == nil {
		s.sortByName(out)
	} else {
		s.sortAreas(out, *by, figures)
	}
	return out, nil
}

// listYears returns the years of which some area's source says whether it was on the ministry's list.
func listYears(figures map[*cells.Area][]yearFigures) []int {
	var out []int
	for _, years := range figures {
		for _, y := range years {
			if y.OnOfficialList != nil {
				out = append(out, y.Year)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// onOfficialList reports whether the area was on the ministry's list of the year.
func onOfficialList(years []yearFigures, year int) bool {
	y := atYear(years, year)
	return y != nil && y.OnOfficialList != nil && *y.OnOfficialList
}

// regions reads names or codes of regions; it returns their Danish names.
func (s *Study) regions(asked []string) ([]string, error) {
	list := s.Contract.Codelist("region")
	var out, known []string
	for _, c := range list.Codes {
		known = append(known, c.Label.DA)
	}
	for _, name := range asked {
		i := slices.IndexFunc(list.Codes, func(c contract.ListCode) bool {
			return strings.EqualFold(c.Code, name) || strings.EqualFold(c.Label.DA, name) || strings.EqualFold(c.Label.EN, name)
		})
		if i < 0 {
			return nil, fault.NotFoundf("no region %q%s", name, fault.Suggest(name, known))
		}
		out = append(out, known[i])
	}
	return out, nil
}

// Plans returns the plans that the filter keeps, by name.
func (s *Study) Plans(where *PlanFilter) ([]*Plan, error) {
	if !s.Catalogue.Holds("plan") {
		return nil, fault.NotRecordedf("this data set holds no social housing plans (table plan)")
	}
	if where == nil {
		where = &PlanFilter{}
	}
	for _, err := range []error{notEmpty("area", where.Area), s.checkYear(where.ActiveIn)} {
		if err != nil {
			return nil, err
		}
	}
	var ids []string
	for _, id := range where.Area {
		own := strings.TrimPrefix(id, "Area:")
		if s.Catalogue.Area(own) == nil {
			return nil, fault.NotFoundf("no area %q in this data set", id)
		}
		ids = append(ids, own)
	}
	out := []*Plan{}
	for _, p := range s.Catalogue.Plans {
		if where.Area != nil && !slices.ContainsFunc(p.Areas,
			func(a *cells.Area) bool { return slices.Contains(ids, a.ID) }) {
			continue
		}
		if where.ActiveIn != nil && !p.ActiveIn(*where.ActiveIn) {
			continue
		}
		out = append(out, &Plan{p})
	}
	sortPlans(out)
	return out, nil
}

// KeyFigures returns the area's key figures of the years.
func (s *Study) KeyFigures(ctx context.Context, a *Area, years *IntRange) ([]*AreaYear, error) {
	if years == nil {
		years = &IntRange{}
	}
	if years.From != nil && years.To != nil && *years.From > *years.To {
		return nil, fault.Invalidf("years: the range from %d to %d is empty; from must be at most to", *years.From, *years.To)
	}
	for _, end := range []*int{years.From, years.To} {
		if err := s.checkYear(end); err != nil {
			return nil, err
		}
	}
	figures, err := s.keyFigures(ctx)
	if err != nil {
		return nil, err
	}
	out := []*AreaYear{}
	for _, y := range figures[a.Area] {
		if years.From != nil && y.Year < *years.From || years.To != nil && y.Year > *years.To {
			continue
		}
		out = append(out, &y.AreaYear)
	}
	return out, nil
}

func (s *Study) municipalityName(a *Area) string {
	if m := s.Municipality(a.Municipality); m != nil {
		return m.Name
	}
	return a.Municipality
}

// PlansOf returns the plans of an area, by name.
func (s *Study) PlansOf(a *Area) []*Plan {
	out := []*Plan{}
	for _, id := range a.PlanIDs {
		out = append(out, &Plan{s.Catalogue.Plan(id)})
	}
	sortPlans(out)
	return out
}

// AreasOf returns the areas of a plan, by name.
func (s *Study) AreasOf(p *Plan) []*Area {
	out := []*Area{}
	for _, a := range p.Plan.Areas {
		out = append(out, &Area{a})
	}
	s.sortByName(out)
	return out
}
