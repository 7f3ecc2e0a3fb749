package resolvers

import (
	"slices"

	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
)

// variables lists the contract's variables in the order of the roles.
func (r *Resolver) variables(role *model.VariableRole) []*model.Variable {
	out := []*model.Variable{}
	add := func(v *model.Variable) {
		if role == nil || *role == v.Role {
			out = append(out, v)
		}
	}
	recorded := func(tables []string, has func(*contract.Table) bool) bool {
		return slices.ContainsFunc(tables, func(name string) bool { return has(r.Contract.Table(name)) })
	}
	for _, d := range r.Contract.Dimensions {
		codes := []*model.Code{}
		for _, c := range d.Codes {
			codes = append(codes, &model.Code{Code: c.Code, Labels: c.Label})
		}
		add(&model.Variable{Name: d.Name, Role: model.VariableRoleDimension, Labels: d.Label, Definition: d.Definition, Unit: unit(d.Unit), Codes: codes,
			Tables: d.Tables(), Available: recorded(d.Tables(), func(t *contract.Table) bool { return r.Store.HasDimension(t, d) }), Source: sourceText(d.Columns[d.Tables()[0]].Source), Assumed: d.Assumed})
	}
	for _, i := range r.Contract.Indicators {
		add(&model.Variable{Name: i.Name, Role: model.VariableRoleIndicator, Labels: i.Label, Definition: i.Definition, Codes: []*model.Code{},
			Tables: i.Tables, Available: recorded(i.Tables, func(t *contract.Table) bool { return r.Store.HasIndicator(t, i) }), Source: sourceText(i.Source), Assumed: i.Assumed})
	}
	for _, m := range r.Contract.Measures {
		add(&model.Variable{Name: m.Name, Role: model.VariableRoleMeasure, Labels: m.Label, Definition: m.Definition, Unit: unit(m.Unit), Codes: []*model.Code{},
			Tables: m.Tables, Available: recorded(m.Tables, func(t *contract.Table) bool { return r.Store.HasMeasure(t, m) }), Source: sourceText(m.Source), Assumed: m.Assumed})
	}
	effects := []string{contract.EffectTable}
	for _, v := range r.Contract.Covariates {
		codes := []*model.Code{}
		for _, c := range v.Codes {
			codes = append(codes, &model.Code{Code: c.Code, Labels: c.Label})
		}
		add(&model.Variable{Name: v.Name, Role: model.VariableRoleCovariate, Labels: v.Label, Definition: v.Definition, Unit: unit(v.Column.Unit), Codes: codes,
			Tables: effects, Available: r.Store.HasCovariate(v), Source: sourceText(v.Source), Assumed: v.Assumed})
	}
	for _, o := range r.Contract.Outcomes {
		add(&model.Variable{Name: o.Name, Role: model.VariableRoleOutcome, Labels: o.Label, Definition: o.Definition, Unit: unit(o.Column.Unit), Codes: []*model.Code{},
			Tables: effects, Available: r.Store.HasOutcome(o), Source: sourceText(o.Source), Assumed: o.Assumed})
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
