// Package resolvers answers the fields of the GraphQL schema: it reads arguments, asks the store,
// and hands back. There is no SQL in it and no arithmetic beyond calling package stats.
package resolvers

import (
	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/store"
)

// Resolver holds what every field is answered from.
type Resolver struct {
	Contract *contract.Contract
	Law      *law.Law
	Findings []*findings.Finding
	Store    *store.Store
	Dataset  model.Dataset // with its limits
}
