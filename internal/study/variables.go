package study

import (
	"slices"

	"github.com/kvarter/kvarter/internal/contract"
)

// Variables lists the contract's variables in the order of the roles.
func (s *Study) Variables(role *VariableRole) []*Variable {
	out := []*Variable{}
	add := func(v *Variable) {
		if v.Parameters == nil {
			v.Parameters = []*ParameterChoice{}
		}
		if role == nil || *role == v.Role {
			out = append(out, v)
		}
	}
	recorded := func(tables []string, has func(*contract.Table) bool) bool {
		return slices.ContainsFunc(tables, func(name string) bool { return has(s.Contract.Table(name)) })
	}
	for _, d := range s.Contract.Dimensions {
		codes := []*Code{}
		for _, c := range d.Codes {
			codes = append(codes, &Code{Code: c.Code, Labels: c.Label})
		}
		add(&Variable{Name: d.Name, Role: VariableRoleDimension, Labels: d.Label, Definition: d.Definition,
			Unit: unit(d.Unit), Codes: codes,
			Tables: d.Tables(), Available: recorded(d.Tables(),
				func(t *contract.Table) bool {
					return s.Catalogue.HasDimension(t, d)
				}), Source: sourceText(d.Columns[d.Tables()[0]].Source), Assumed: d.Assumed})
	}
	for _, i := range s.Contract.Indicators {
		add(&Variable{Name: i.Name, Role: VariableRoleIndicator, Labels: i.Label, Definition: i.Definition, Codes: []*Code{},
			Tables: i.Tables, Available: recorded(i.Tables,
				func(t *contract.Table) bool {
					return s.Catalogue.HasIndicator(t, i)
				}), Source: sourceText(i.Source), Assumed: i.Assumed, Parameters: choices(i.Choices)})
	}
	for _, m := range s.Contract.Measures {
		add(&Variable{Name: m.Name, Role: VariableRoleMeasure, Labels: m.Label, Definition: m.Definition, Unit: unit(m.Unit),
			Codes:  []*Code{},
			Tables: m.Tables, Available: recorded(m.Tables,
				func(t *contract.Table) bool {
					return s.Catalogue.HasMeasure(t, m)
				}), Source: sourceText(m.Source), Assumed: m.Assumed})
	}
	effects := []string{contract.EffectTable}
	for _, v := range s.Contract.Covariates {
		codes := []*Code{}
		for _, c := range v.Codes {
			codes = append(codes, &Code{Code: c.Code, Labels: c.Label})
		}
		add(&Variable{Name: v.Name, Role: VariableRoleCovariate, Labels: v.Label, Definition: v.Definition,
			Unit: unit(v.Column.Unit), Codes: codes,
			Tables: effects, Available: s.Catalogue.HasCovariate(v), Source: sourceText(v.Source), Assumed: v.Assumed})
	}
	for _, o := range s.Contract.Outcomes {
		add(&Variable{Name: o.Name, Role: VariableRoleOutcome, Labels: o.Label, Definition: o.Definition,
			Unit: unit(o.Column.Unit), Codes: []*Code{},
			Tables: effects, Available: s.Catalogue.HasOutcome(o), Source: sourceText(o.Source), Assumed: o.Assumed})
	}
	return out
}

func choices(list []contract.Choice) []*ParameterChoice {
	out := []*ParameterChoice{}
	for _, c := range list {
		p := &ParameterChoice{ID: c.Parameter.Name, Value: c.Value.Name, Default: c.Value == c.Parameter.Default,
			Labels: c.Parameter.Label, Definition: c.Value.Definition, Source: sourceText(c.Parameter.Source),
			Assumed: c.Parameter.Assumed}
		if p.Assumed {
			p.Reason = &c.Parameter.Reason
		}
		out = append(out, p)
	}
	return out
}

func sourceText(s *contract.Source) string { return s.Title + " (" + s.Publisher + ")" }

func unit(u string) *string {
	if u == "" {
		return nil
	}
	return &u
}
