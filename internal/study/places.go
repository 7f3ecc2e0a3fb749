package study

import (
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/findings"
)

// Area is a housing area.
type Area struct{ *cells.Area }

// Plan is a social housing plan.
type Plan struct{ *cells.Plan }

// Activity is an activity of a social housing plan in an area.
type Activity struct{ *cells.Activity }

// Municipality is a municipality of the contract's code list.
type Municipality struct{ Code, Name, Region string }

// IsNode marks what is found by its global id.
func (Area) IsNode() {}

// GetID returns the global id.
func (a Area) GetID() string { return "Area:" + a.Area.ID }

// IsNode marks what is found by its global id.
func (Plan) IsNode() {}

// GetID returns the global id.
func (p Plan) GetID() string { return "Plan:" + p.Plan.ID }

// IsNode marks what is found by its global id.
func (Activity) IsNode() {}

// GetID returns the global id.
func (a Activity) GetID() string { return "Activity:" + a.Activity.ID }

// IsNode marks what is found by its global id.
func (Municipality) IsNode() {}

// GetID returns the global id.
func (m Municipality) GetID() string { return "Municipality:" + m.Code }

// Date is a day, YYYY-MM-DD.
type Date string

// Variable is a dimension, an indicator, a measure, a covariate or an outcome of the contract.
type Variable struct {
	Name       string
	Role       VariableRole
	Labels     contract.Text
	Definition contract.Text
	Unit       *string
	Codes      []*Code
	Tables     []string
	Available  bool
	Source     string
	Assumed    bool
	Parameters []*ParameterChoice
}

// ParameterChoice is what a variable takes of a choice that published definitions leave open.
type ParameterChoice struct {
	ID, Value  string
	Default    bool
	Labels     contract.Text
	Definition contract.Text
	Source     string
	Assumed    bool
	Reason     *contract.Text
}

// Code is a code of a dimension, or a category of a covariate.
type Code struct {
	Code   string
	Labels contract.Text
}

// Comparison is two cohorts of one table.
type Comparison struct{ This, Other *Cohort }

// Criterion is one criterion of the law, asked of an area.
type Criterion struct {
	Name             string
	Labels           contract.Text
	Value, Threshold *float64
	Met              *bool
}

// Balance is one covariate, or one category of it, of those who took part and of the others.
type Balance struct {
	Covariate                string
	Code                     *string
	Labels                   contract.Text
	Participants, Comparison *Estimate
	Before, After            *float64
	Difference               *Estimate
}

// LikertAnswer is a level of a scale with its share.
type LikertAnswer struct {
	Code   int
	Labels contract.Text
	Share  *Estimate
}

// Finding is a statement of the study whose figures can be asked for.
type Finding struct {
	*findings.Finding
	Figures []*Figure
}

// Figure is a figure of a finding.
type Figure struct {
	*findings.Figure
	Source *Source
	Result func() (findings.Result, error) // asks the finding's document, once
}
