package resolvers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
	"github.com/kvarter/kvarter/internal/store"
)

// in returns how a text is read in the language; English where none is asked.
func in(language *model.Language) func(contract.Text) string {
	if language != nil && *language == model.LanguageDa {
		return func(t contract.Text) string { return t.DA }
	}
	return func(t contract.Text) string { return t.EN }
}

// askShare returns the cells for a share of a cohort, split as the field of that name splits.
func (r *Resolver) askShare(ctx context.Context, c *model.Cohort, field, of string, by []string, level float64) (*store.Cells, error) {
	if err := stats.CheckLevel(level); err != nil {
		return nil, err
	}
	i, err := r.Contract.Indicator(of)
	if err != nil {
		return nil, err
	}
	dimensions, err := r.by(field, of, by)
	if err != nil {
		return nil, err
	}
	return r.ask(ctx, c, dimensions, i, nil)
}

func (r *Resolver) node(id string) (model.Node, error) {
	kind, own, ok := strings.Cut(id, ":")
	if !ok {
		return nil, fault.Invalidf("%q is no global id; the field `id` of an area, a plan, an activity or a municipality gives one", id)
	}
	switch kind {
	case "Area":
		if a := r.Store.Area(own); a != nil {
			return &model.Area{Area: a}, nil
		}
	case "Plan":
		if p := r.Store.Plan(own); p != nil {
			return &model.Plan{Plan: p}, nil
		}
	case "Activity":
		if a := r.Store.Activity(own); a != nil {
			return &model.Activity{Activity: a}, nil
		}
	case "Municipality":
		if m := r.municipality(own); m != nil {
			return m, nil
		}
	default:
		return nil, fault.Invalidf("%q is no global id; the field `id` of an area, a plan, an activity or a municipality gives one", id)
	}
	return nil, nil
}

// areas returns the areas that the filter keeps.
func (r *Resolver) areas(where *model.AreaFilter) ([]*model.Area, error) {
	if !r.Store.Holds("area") {
		return nil, fault.NotRecordedf("this data set holds no areas (table area)")
	}
	if where == nil {
		where = &model.AreaFilter{}
	}
	for _, err := range []error{notEmpty("ids", where.Ids), notEmpty("municipality", where.Municipality), notEmpty("region", where.Region)} {
		if err != nil {
			return nil, err
		}
	}
	var codes []string
	for _, m := range where.Municipality {
		code := strings.TrimPrefix(m, "Municipality:")
		if r.municipality(code) == nil {
			d, err := r.Contract.Dimension("MUNICIPALITY")
			if err != nil {
				return nil, err
			}
			return nil, fault.NotFoundf("no municipality %q%s", m, suggestCode(d, m))
		}
		codes = append(codes, code)
	}
	regions, err := r.regions(where.Region)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range where.Ids {
		own := strings.TrimPrefix(id, "Area:")
		if r.Store.Area(own) == nil {
			return nil, fault.NotFoundf("no area %q in this data set", id)
		}
		ids = append(ids, own)
	}
	if err := r.checkYear(where.OnOfficialListIn); err != nil {
		return nil, err
	}
	if year := where.OnOfficialListIn; year != nil {
		switch recorded := r.Store.ListYears(); {
		case len(recorded) == 0:
			return nil, fault.NotRecordedf("onOfficialListIn: this data set does not record which areas were on the ministry's lists; `designations` applies the law's criteria to the key figures")
		case !slices.Contains(recorded, *year):
			return nil, fault.NotRecordedf("onOfficialListIn: the list of %d is not recorded; those of %s are", *year, strings.Trim(fmt.Sprint(recorded), "[]"))
		}
	}
	out := []*model.Area{}
	for _, a := range r.Store.Areas() {
		area := &model.Area{Area: a}
		switch m := r.municipality(a.Municipality); {
		case where.Ids != nil && !slices.Contains(ids, a.ID),
			where.NameContains != nil && !strings.Contains(strings.ToLower(a.Name), strings.ToLower(*where.NameContains)),
			where.Municipality != nil && !slices.Contains(codes, a.Municipality),
			where.Region != nil && (m == nil || !slices.Contains(regions, m.Region)),
			where.Supported != nil && a.Supported != *where.Supported,
			where.OnOfficialListIn != nil && !a.OnOfficialList(*where.OnOfficialListIn):
		default:
			out = append(out, area)
		}
	}
	return out, nil
}

// regions reads names or codes of regions; it returns their Danish names.
func (r *Resolver) regions(asked []string) ([]string, error) {
	list := r.Contract.Codelist("region")
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

// plans returns the plans that the filter keeps.
func (r *Resolver) plans(where *model.PlanFilter) ([]*model.Plan, error) {
	if !r.Store.Holds("plan") {
		return nil, fault.NotRecordedf("this data set holds no social housing plans (table plan)")
	}
	if where == nil {
		where = &model.PlanFilter{}
	}
	for _, err := range []error{notEmpty("area", where.Area), r.checkYear(where.ActiveIn)} {
		if err != nil {
			return nil, err
		}
	}
	var ids []string
	for _, id := range where.Area {
		own := strings.TrimPrefix(id, "Area:")
		if r.Store.Area(own) == nil {
			return nil, fault.NotFoundf("no area %q in this data set", id)
		}
		ids = append(ids, own)
	}
	out := []*model.Plan{}
	for _, p := range r.Store.Plans() {
		if where.Area != nil && !slices.ContainsFunc(p.Areas, func(a *store.Area) bool { return slices.Contains(ids, a.ID) }) {
			continue
		}
		if where.ActiveIn != nil && !activeIn(p, *where.ActiveIn) {
			continue
		}
		out = append(out, &model.Plan{Plan: p})
	}
	return out, nil
}

// activeIn reports whether the plan was active on some day of the year.
func activeIn(p *store.Plan, year int) bool {
	first, last := fmt.Sprintf("%04d-01-01", year), fmt.Sprintf("%04d-12-31", year)
	return (p.Start == nil || *p.Start <= last) && (p.End == nil || *p.End >= first)
}

// keyFigures returns the area's key figures of the years.
func (r *Resolver) keyFigures(a *model.Area, years *model.IntRange) ([]*model.AreaYear, error) {
	if years == nil {
		years = &model.IntRange{}
	}
	if years.From != nil && years.To != nil && *years.From > *years.To {
		return nil, fault.Invalidf("years: the range from %d to %d is empty; from must be at most to", *years.From, *years.To)
	}
	for _, end := range []*int{years.From, years.To} {
		if err := r.checkYear(end); err != nil {
			return nil, err
		}
	}
	out := []*model.AreaYear{}
	for _, y := range a.Years {
		if years.From != nil && y.Year < *years.From || years.To != nil && y.Year > *years.To {
			continue
		}
		out = append(out, &model.AreaYear{Year: y.Year, Residents: y.Residents, Children: y.Children, NonWestern: y.NonWestern, OutsideWorkAndEducation: y.OutsideWorkAndEducation,
			Convicted: y.Convicted, BasicSchoolingOnly: y.BasicSchoolingOnly, IncomeRatio: y.IncomeRatio, OnOfficialList: y.OnOfficialList, Source: y.Source})
	}
	return out, nil
}

// checkYear returns an error if the data set has nothing of the year.
func (r *Resolver) checkYear(year *int) error {
	years := r.Dataset.Years
	if year == nil || len(years) == 0 {
		return nil
	}
	if first := years[0]; *year < first {
		return fault.Invalidf("year %d is before the data starts (%d)", *year, first)
	}
	if last := years[len(years)-1]; *year > last {
		return fault.Invalidf("year %d is after the data ends (%d)", *year, last)
	}
	return nil
}

func (r *Resolver) municipalityName(a *model.Area) string {
	if m := r.municipality(a.Municipality); m != nil {
		return m.Name
	}
	return a.Municipality
}
