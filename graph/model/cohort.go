package model

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/store"
)

// Cohort is a set of observations chosen by a filter, with the statements that the fields of the
// request ask of it: fields that need the same cells share one.
type Cohort struct {
	Table   *contract.Table
	Filter  store.Filter
	Answers map[string]*Answer // by the dimensions that the cells are split by; not changed once made
}

// Answer is one statement's worth of cells, fetched when the first field needs it.
type Answer struct {
	Query store.Query
	// Within, if set, is the place of an area: the answer is that area's share of a statement
	// that is split by AREA first and serves all areas of a list.
	Within *int32
	Fetch  func() (*store.Cells, error) // fetches once
}

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
}

// Code is a code of a dimension, or a category of a covariate.
type Code struct {
	Code   string
	Labels contract.Text
}

// Area is an area of the store as the API shows it.
type Area struct{ *store.Area }

// Plan is a plan of the store as the API shows it.
type Plan struct{ *store.Plan }

// Municipality is a municipality of the contract's code list.
type Municipality struct{ Code, Name, Region string }

// IsNode marks what `node` can return.
func (Area) IsNode() {}

// GetID returns the global id.
func (a Area) GetID() string { return "Area:" + a.Area.ID }

// IsNode marks what `node` can return.
func (Plan) IsNode() {}

// GetID returns the global id.
func (p Plan) GetID() string { return "Plan:" + p.Plan.ID }

// IsNode marks what `node` can return.
func (Municipality) IsNode() {}

// GetID returns the global id.
func (m Municipality) GetID() string { return "Municipality:" + m.Code }

// Date is a day, YYYY-MM-DD.
type Date string

// UnmarshalGQL reads a day.
func (d *Date) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("a day as YYYY-MM-DD was expected, got %v", v)
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return fmt.Errorf("a day as YYYY-MM-DD was expected, got %q", text)
	}
	*d = Date(text)
	return nil
}

// MarshalGQL writes a day.
func (d Date) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(string(d))) }

var _ graphql.Marshaler = Date("")

// Comparison is two cohorts of one table.
type Comparison struct {
	Table       *contract.Table
	This, Other store.Filter
}

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
