package store

import (
	"context"
	"database/sql"

	"github.com/kvarter/kvarter/internal/fault"
)

// Answer is a respondent's answers of one code to an item of the survey: a cell, as fine as it must
// be for intervals that count respondents.
type Answer struct {
	Theme, Aspect    string // their codes
	Item, ActorType  string
	Respondent, Code int // 1 and up, no id; a level, 9 don't know, 0 no answer
	N                int64
	Weight           float64 // sum of the weights of the N answers
}

// Answers returns the answers of the survey, in the order of respondents and items.
func (s *Store) Answers(ctx context.Context) (_ []Answer, err error) {
	defer fault.Wrap(&err, "store.Answers()")
	if err := s.needs("actor_survey", "answers of actors"); err != nil {
		return nil, err
	}
	text, err := write("answers", s.columns["actor_survey"])
	if err != nil {
		return nil, err
	}
	var out []Answer
	err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var a Answer
		err := rows.Scan(&a.Theme, &a.Aspect, &a.Item, &a.ActorType, &a.Respondent, &a.Code, &a.N, &a.Weight)
		out = append(out, a)
		return err
	})
	return out, err
}
