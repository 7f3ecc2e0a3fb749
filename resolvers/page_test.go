package resolvers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// A cursor pages on in its own breakdown, also ordered or filtered otherwise or of another
// indicator, and in no other.
func TestCursorsOfBreakdowns(t *testing.T) {
	c := duckdbtest.Contract(t)
	server := serve(t, c, duckdbtest.Open(t, c, duckdbtest.World))
	read := func(query string, after *string) (cursors []string, problems []problem) {
		t.Helper()
		variables, err := json.Marshal(map[string]any{"after": after})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Errors []problem
			Data   map[string]struct {
				Breakdown struct{ Edges []struct{ Cursor string } }
			}
		}
		if err := json.Unmarshal(ask(t, server, "query ($after: String) {"+query+"}", variables), &got); err != nil {
			t.Fatal(err)
		}
		for _, cohort := range got.Data {
			for _, e := range cohort.Breakdown.Edges {
				cursors = append(cursors, e.Cursor)
			}
		}
		return cursors, got.Errors
	}
	whole, problems := read("children { breakdown(of: POOR, by: [SEX, ORIGIN], after: $after) { edges { cursor } } }", nil)
	if len(whole) != 6 || problems != nil {
		t.Fatalf("%d cells, %v", len(whole), problems)
	}
	for query, left := range map[string]int{
		"children { breakdown(of: POOR, by: [SEX, ORIGIN], after: $after) { edges { cursor } } " +
			"}": 4,
		"children { breakdown(of: POOR, by: [SEX, ORIGIN], after: $after, orderBy: {field: KEY, direction: DESC}) { edges " +
			"{ cursor } } }": 1,
		"children(where: {sex: [MALE]}) { breakdown(of: IN_DAY_CARE, by: [SEX, ORIGIN], after: $after, first: 9) { edges { " +
			"cursor } } }": 1,
		"children { breakdown(of: POOR, by: [ORIGIN, SEX], after: $after) { edges { cursor } } " +
			"}": -1,
		"children { breakdown(of: POOR, by: [SEX, PARENTS_STATUS], after: $after) { edges { cursor } } " +
			"}": -1,
		"children { breakdown(of: POOR, by: [SEX, ORIGIN, YEAR], after: $after) { edges { cursor } } " +
			"}": -1,
		"residents { breakdown(of: NON_WESTERN, by: [SEX, ORIGIN], after: $after) { edges { cursor } } " +
			"}": -1,
		"children: areas(after: $after) { edges { cursor } " +
			"}": -1,
		"children(where: {sex: [FEMALE]}) { breakdown(of: POOR, by: [SEX, ORIGIN], after: $after, first: 2) { edges { " +
			"cursor } } } # not in it": -1,
	} {
		query = strings.ReplaceAll(query, " # not in it", "")
		cursors, problems := read(query, &whole[1])
		switch {
		case left < 0 && (len(problems) != 1 || !strings.Contains(problems[0].Message,
			"is not of this list; give one that a page of the same list")):
			t.Errorf("%s: got %d cells, %v", query, len(cursors), problems)
		case left >= 0 && (len(cursors) != left || problems != nil):
			t.Errorf("%s: got %d cells, %v, want %d cells", query, len(cursors), problems, left)
		}
	}
}
