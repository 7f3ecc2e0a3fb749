package model

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/store"
)

// Cohort is a set of observations chosen by a filter, with what one request has asked of it: the
// fields of the request that need the same cells share one statement.
type Cohort struct {
	Table  *contract.Table
	Filter store.Filter

	mu      sync.Mutex
	answers map[string]*Answer
}

// Answer is one statement's worth of cells, fetched when the first field needs it.
type Answer struct {
	Query store.Query
	once  sync.Once
	cells *store.Cells
	err   error
}

// Answer returns the cohort's answer for the key, made with the query if there is none yet.
func (c *Cohort) Answer(key string, query func() store.Query) *Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[string]*Answer{}
	}
	a, ok := c.answers[key]
	if !ok {
		a = &Answer{Query: query()}
		c.answers[key] = a
	}
	return a
}

// Cells fetches the answer's cells the first time it is called.
func (a *Answer) Cells(fetch func(store.Query) (*store.Cells, error)) (*store.Cells, error) {
	a.once.Do(func() { a.cells, a.err = fetch(a.Query) })
	return a.cells, a.err
}

// Variable is a dimension, an indicator or a measure of the contract.
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

// Code is a code of a dimension.
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
