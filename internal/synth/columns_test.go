package synth

import (
	"slices"
	"testing"
)

// The columns are known without drawing: those of a drawn world are the same.
func TestColumnsAreThoseOfADrawnWorld(t *testing.T) {
	w, err := Generate(Options{Seed: 1, Scale: 0.001, World: NoAreaEffect})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range w.TableNames() {
		for b := range w.Batches(table) {
			var drawn []string
			for _, c := range b.Columns {
				drawn = append(drawn, c.Name)
			}
			if got := Columns(table); !slices.Equal(got, drawn) {
				t.Errorf("%s: columns %q, drawn are %q", table, got, drawn)
			}
			break
		}
	}
	if got := Columns("nothing"); got != nil {
		t.Errorf("a table that is not there has columns %q", got)
	}
}
