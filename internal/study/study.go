// Package study asks the questions of the study: Go types for every question and every answer, whoever
// asks: GraphQL, an export, a page, a test. A question says which tables of cells it is computed from,
// and computes its answer from them; a Request gathers what its questions need, asks the Source for it
// once, and shares it. Nothing here sees a person, SQL or GraphQL.
//
//	r := study.New(source, study.Settings{}).Request()
//	c, err := r.Cohort("children", "ages=1..2&setting=SUPPORTED&years=2014")
//	share, err := study.Ask(ctx, r, study.ShareOf{Cohort: c, Indicator: "IN_DAY_CARE", Level: 0.95})
package study

import (
	"context"
	"sync"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/law"
)

// Study answers questions from a source. It is safe for concurrent use.
type Study struct {
	Settings
	Source    cells.Source
	Contract  *contract.Contract
	Catalogue *cells.Catalogue

	figures struct {
		sync.Mutex
		of map[*cells.Area][]yearFigures // nil until read
	}
}

// Settings are what a study knows beside its source.
type Settings struct {
	Law      *law.Law
	Findings []*findings.Finding
	Dataset  Dataset
	Cells    int // the most cells that one question may split into; 0: no limit
}

// New returns a study of what the source counts.
func New(source cells.Source, o Settings) *Study {
	c := source.Catalogue()
	return &Study{Settings: o, Source: source, Contract: c.Contract, Catalogue: c}
}

// Question is a question whose answer is an A.
type Question[A any] interface {
	Foreseeable
	answer(ctx context.Context, r *Request, tables []*cells.Table) (A, error)
}

// Foreseeable is a question of which a request may know before it is asked.
type Foreseeable interface {
	// needs returns what the answer is computed from, or what is wrong with the question.
	needs(s *Study) ([]need, error)
}

// need is a table that an answer is computed from.
type need struct {
	query cells.Query
	scope string // by whom it counts; of another query than a cohort's, its text; "": not known yet
	// within, if set, is the place of an area: the table is that area's part of one that is split by
	// AREA first, which serves all areas of a list.
	within *int32
	// alone is then, of observations, what would be asked of that area alone. It sets how many cells there
	// may be.
	alone *cells.Observations
}

// Ask answers a question within a request. Cancelling ctx ends the counting, the wait for what others have
// counted, and the computing.
func Ask[A any](ctx context.Context, r *Request, q Question[A]) (A, error) {
	needs, err := q.needs(r.Study)
	return answer(ctx, r, q, needs, err)
}

// answer answers a question that has those needs, or is wrong.
func answer[A any](ctx context.Context, r *Request, q Question[A], needs []need, err error) (A, error) {
	var none A
	if err != nil {
		return none, err
	}
	tables, err := r.tables(ctx, needs)
	if err != nil {
		return none, err
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	answer, err := q.answer(ctx, r, tables)
	if ended := ctx.Err(); err != nil && ended != nil {
		return none, ended
	}
	return answer, err
}

// checkYear returns an error if the data set has nothing of the year.
func (s *Study) checkYear(year *int) error {
	years := s.Dataset.Years
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

// In returns how a text is read in the language; English where none is asked.
func In(language *Language) func(contract.Text) string {
	if language != nil && *language == LanguageDa {
		return func(t contract.Text) string { return t.DA }
	}
	return func(t contract.Text) string { return t.EN }
}
