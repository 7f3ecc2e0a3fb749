package web_test

import (
	"fmt"
	"testing"
)

// Fields are worked on at once; their errors stand as the document and its lists have the fields.
func TestErrorsStandInOrder(t *testing.T) {
	server := world(t)
	const document = `{ areas { nodes { children { development(of: POOR) { fixedIn } mean(of: GROSS_INCOME) { value } } } }
		residents { share(of: POOR) { value } } children { trend(of: POOR, by: [YEAR]) { key { year } } } }`
	for range 20 {
		r := ask(t, server, document, nil)
		if len(r.Errors) < 8 {
			t.Fatalf("%d errors: %v", len(r.Errors), r.Errors)
		}
		last := ""
		for _, e := range r.Errors {
			at := fmt.Sprintf("%03d %03d %v", e.Locations[0].Line, e.Locations[0].Column, e.Path)
			if at <= last {
				t.Fatalf("%s stands after %s", at, last)
			}
			last = at
		}
	}
}
