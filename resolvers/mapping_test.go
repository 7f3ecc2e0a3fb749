package resolvers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// Rows of a partition add up to the total: activities and participations, but for years, in which
// an activity stands as often as it was active.
func TestMappingAddsUp(t *testing.T) {
	c := duckdbtest.Contract(t)
	server := serve(t, c, duckdbtest.Open(t, c, duckdbtest.World))
	sums := func(by string) (activities, participations int) {
		var answer struct {
			Data struct {
				ActivityMapping []struct{ Activities, Participations, Participants struct{ Value int } }
			}
		}
		text := ask(t, server, "{ activityMapping(by: ["+by+"]) { activities { value } participations { value } "+
			"participants { value } } }", nil)
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
		for _, row := range answer.Data.ActivityMapping {
			if row.Participants.Value > row.Participations.Value {
				t.Errorf("by %s: %d persons in %d participations", by, row.Participants.Value, row.Participations.Value)
			}
			activities += row.Activities.Value
			participations += row.Participations.Value
		}
		return activities, participations
	}
	activities, participations := sums("")
	if activities != 6 || participations != 50 {
		t.Fatalf("the total is %d activities and %d participations, want 6 and 50", activities, participations)
	}
	for _, by := range []string{"THEME", "TYPE", "AREA", "PLAN", "THEME, TYPE", "AREA, PLAN, TYPE",
		"PLAN, THEME, AREA, TYPE"} {
		if a, p := sums(by); a != activities || p != participations {
			t.Errorf("by %s: %d activities and %d participations, want %d and %d", by, a, p, activities, participations)
		}
	}
	for _, by := range []string{"YEAR", "TYPE, YEAR"} {
		if _, p := sums(by); p != participations-1 { // one has no year of start
			t.Errorf("by %s: %d participations, want %d", by, p, participations-1)
		}
	}
}

// Those who are recorded for comparison change no count and no reach.
func TestComparableOthersAreNoParticipants(t *testing.T) {
	c := duckdbtest.Contract(t)
	const question = `{
		activityMapping(by: [TYPE, YEAR]) { type year activities { value } participants { value } participations { value }
		reach { value participants residents } warnings }
		activities { nodes { name participants { value } } }
	}`
	with := ask(t, serve(t, c, duckdbtest.Open(t, c, duckdbtest.World)), question, nil)
	without := ask(t, serve(t, c, duckdbtest.Open(t, c, duckdbtest.World+"; DELETE FROM participant WHERE NOT treated")),
		question, nil)
	if string(with) != string(without) {
		t.Errorf("without comparable others the answer is\n%s\nnot\n%s", without, with)
	}
	if !strings.Contains(string(with), `"participants": 8`) {
		t.Errorf("the reach of 2014 is not of the 8 who started:\n%s", with)
	}
}

// A year outside those in which starts are recorded has no participants, and says that this is no
// finding.
func TestAYearWithoutRecordedStartsIsNoZero(t *testing.T) {
	c := duckdbtest.Contract(t)
	server := serve(t, c, duckdbtest.Open(t, c, duckdbtest.World+"; DELETE FROM participant WHERE start_year = 2016"))
	text := string(ask(t, server, "{ activityMapping(by: [YEAR], where: {type: [LEISURE_JOB]}) { year reach { value "+
		"status } warnings } }", nil))
	for _, want := range []string{"starts are recorded from 2014 to 2015, so that none in 2016 says nothing",
		`"status": "NO_OBSERVATIONS"`} {
		if strings.Count(text, want) != 1 {
			t.Errorf("got\n%s\nwant %q once", text, want)
		}
	}
}
