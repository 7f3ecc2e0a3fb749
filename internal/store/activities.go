package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
)

// Activity is an activity of a social housing plan in an area.
type Activity struct {
	ID          string
	Name        string
	Type, Theme string // their codes
	Plan        *Plan
	Area        *Area
	Start, End  *string // YYYY-MM-DD
	AgeMin      *int    // the target age in years, both included
	AgeMax      *int
	Capacity    *int
}

// ActiveIn reports whether the activity was active on some day of the year. It is open where its
// start or end is not recorded.
func (a *Activity) ActiveIn(year int) bool {
	first, last := fmt.Sprintf("%04d-01-01", year), fmt.Sprintf("%04d-12-31", year)
	return (a.Start == nil || *a.Start <= last) && (a.End == nil || *a.End >= first)
}

// Start is how many took up an activity in a year: a cell of the participants.
type Start struct {
	Activity *Activity // nil where it is not recorded
	Year     *int      // nil where it is not recorded
	N        int64
}

// Member puts the participants of an activity into a group; if Year is set, those who started then.
type Member struct {
	Activity *Activity
	Year     *int
	Group    int
}

// Activities returns the activities in the order of their ids, or an error that says what the data
// set holds if it holds none.
func (s *Store) Activities() ([]*Activity, error) {
	if err := s.needs("activity", "activities"); err != nil {
		return nil, err
	}
	return s.activities, nil
}

// Activity returns the activity with that id, or nil.
func (s *Store) Activity(id string) *Activity { return s.activityByID[id] }

// Starts returns the participants as cells, in the order of activity and year. Those recorded for
// comparison only are not in them.
func (s *Store) Starts() ([]Start, error) {
	if err := s.needs("participant", "participants"); err != nil {
		return nil, err
	}
	if !s.columns["participant"]["activity_id"] {
		return nil, fault.NotRecordedf("participants are not recorded by activity (participant.activity_id); %s", s.recorded("participant"))
	}
	return s.starts, nil
}

// Persons counts the persons who took part in each of the groups 0 to n-1, each once a group.
func (s *Store) Persons(ctx context.Context, members []Member, n int) (_ []int64, err error) {
	defer fault.Wrap(&err, "store.Persons(%d members, %d groups)", len(members), n)
	if _, err := s.Starts(); err != nil {
		return nil, err
	}
	ids, years, places := make([]string, len(members)), make([]int64, len(members)), make([]int64, len(members))
	for i, m := range members {
		ids[i], places[i] = m.Activity.ID, int64(m.Group)
		if m.Year != nil {
			years[i] = int64(*m.Year)
		}
	}
	text, err := write("persons", s.columns["participant"])
	if err != nil {
		return nil, err
	}
	out := make([]int64, n)
	err = s.query(ctx, text, []any{ids, years, places}, func(rows *sql.Rows) error {
		var place, count int64
		if err := rows.Scan(&place, &count); err != nil {
			return err
		}
		out[place] = count
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// needs returns an error that says what the data set holds if it has no such table.
func (s *Store) needs(table, what string) error {
	if _, ok := s.columns[table]; ok {
		return nil
	}
	return fault.NotRecordedf("this data set holds no %s (table %s); it holds %s", what, table, strings.Join(s.tables(), ", "))
}

// recorded says which columns of the table the data set has.
func (s *Store) recorded(table string) string {
	return listed("recorded are", s.contract.Table(table).Columns, func(c *contract.Column) (string, bool) { return c.Name, s.columns[table][c.Name] && !c.Secret })
}

// openActivities reads the activities and the counts of their participants: some hundreds of rows.
func (s *Store) openActivities(ctx context.Context) error {
	if columns, ok := s.columns["activity"]; ok {
		text, err := write("activities", columns)
		if err != nil {
			return err
		}
		err = s.query(ctx, text, nil, func(rows *sql.Rows) error {
			a := &Activity{}
			var plan, area string
			if err := rows.Scan(&a.ID, &a.Name, &plan, &area, &a.Theme, &a.Type, &a.Start, &a.End, &a.AgeMin, &a.AgeMax, &a.Capacity); err != nil {
				return err
			}
			if a.Plan = s.Plan(plan); a.Plan == nil {
				return fault.Invalidf("activity %s names the plan %q, which table plan has not", a.ID, plan)
			}
			if a.Area = s.Area(area); a.Area == nil {
				return fault.Invalidf("activity %s names the area %q, which table area has not", a.ID, area)
			}
			s.activities = append(s.activities, a)
			s.activityByID[a.ID] = a
			return nil
		})
		if err != nil {
			return err
		}
	}
	columns, ok := s.columns["participant"]
	if !ok {
		return nil
	}
	text, err := write("starts", columns)
	if err != nil {
		return err
	}
	return s.query(ctx, text, nil, func(rows *sql.Rows) error {
		var id *string
		var c Start
		if err := rows.Scan(&id, &c.Year, &c.N); err != nil {
			return err
		}
		if id != nil {
			c.Activity = s.Activity(*id)
		}
		// A data set may record participants without its activities: they are of none we know.
		s.starts = append(s.starts, c)
		return nil
	})
}
