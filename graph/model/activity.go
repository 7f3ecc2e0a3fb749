package model

import (
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/store"
)

// Activity is an activity of the store as the API shows it.
type Activity struct{ *store.Activity }

// IsNode marks what `node` can return.
func (Activity) IsNode() {}

// GetID returns the global id.
func (a Activity) GetID() string { return "Activity:" + a.Activity.ID }

// ActivityCount is a row of a mapping. What needs the participants is fetched for all rows of the
// mapping together, when the first field asks.
type ActivityCount struct {
	Theme, Type *string
	Area        *Area
	Plan        *Plan
	Year        *int
	Activities  *Count

	Row     int // its place among the rows of the mapping
	Persons func() ([]int64, error)
	Starts  func() ([]store.Start, error) // of the row
	Reached func() ([]*Reach, error)
}

// LikertAnswer is a level of a scale with its share.
type LikertAnswer struct {
	Code   int
	Labels contract.Text
	Share  *Estimate
}
