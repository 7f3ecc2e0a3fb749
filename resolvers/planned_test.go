package resolvers_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

// counting is a source that counts what it is asked.
type counting struct {
	cells.Source
	calls, tables atomic.Int64
}

func (c *counting) Tables(ctx context.Context, queries []cells.Query) []cells.Answer {
	c.calls.Add(1)
	c.tables.Add(int64(len(queries)))
	return c.Source.Tables(ctx, queries)
}

// What a document asks is planned as a whole: its questions share their tables, and a list of areas
// asks no more than one of them.
func TestDocumentsShareTheirTables(t *testing.T) {
	c := duckdbtest.Contract(t)
	source := &counting{Source: duckdbtest.Open(t, c, duckdbtest.World)}
	server := serve(t, c, source)
	const eight = `{ children(where: {years: {from: 2014, to: 2016}, setting: [SUPPORTED]}) {
		compare(to: {years: {from: 2014, to: 2016}, setting: [REST]}) {
		overlap { observations } gap(of: POOR) { value } ratio(of: POOR) { value }
		equivalence(of: POOR, margin: 0.02) { equivalent }
		standardised(of: POOR, by: [AGE, SEX]) { gap { value } }
		kitagawa: decomposition(of: POOR, by: [AGE, SEX]) { rate { value } }
		oaxaca: decomposition(of: POOR, by: [ORIGIN], method: OAXACA_BLINDER) { rate { value } }
		adjusted(of: POOR, controls: [ORIGIN]) { adjusted { value } } } } }`
	of := func(ids string) string {
		return fmt.Sprintf(`{ areas(where: {ids: [%s]}) { nodes { children { size { value }
			compare(to: {setting: [REST]}) { gap(of: POOR) { value } standardised(of: POOR, by: [AGE]) { gap { value } } }
			turnover(of: POOR, from: 2014, to: 2016) { change { value } } } } } }`, ids)
	}
	for _, test := range []struct {
		name, document string
		tables, calls  int64 // at most; the key figures of areas are read once
	}{
		{"a comparison with eight fields over two sets of dimensions", eight, 4, 1},
		{"one area", of(`"A1"`), 4, 2},
		{"two areas", of(`"A1", "A2"`), 4, 2},
		{"fields of one cohort", "{ children { a: share(of: POOR) { value } b: share(of: MOTHER_CONVICTED) { value } size " +
			"{ value } mean(of: EQUIVALISED_INCOME) { value } } }", 1, 1},
	} {
		source.calls.Store(0)
		source.tables.Store(0)
		if got := string(ask(t, server, test.document, nil)); strings.Contains(got, `"errors"`) {
			t.Errorf("%s: %s", test.name, got)
		}
		if calls, tables := source.calls.Load(), source.tables.Load(); calls > test.calls || tables > test.tables {
			t.Errorf("%s asks for %d tables in %d calls, want at most %d in %d", test.name, tables, calls, test.tables,
				test.calls)
		}
	}
}
