package duckdb_test

import (
	"testing"

	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/cells/cellstest"
	"github.com/kvarter/kvarter/internal/duckdb/duckdbtest"
)

func withRollups(t testing.TB, setup string) cells.Source {
	return duckdbtest.Open(t, duckdbtest.Contract(t), setup)
}

func ofFactsAlone(t testing.TB, setup string) cells.Source {
	c := duckdbtest.Contract(t)
	c.Rollups = nil
	return duckdbtest.Open(t, c, setup)
}

func TestConformance(t *testing.T) {
	t.Run("roll-ups", func(t *testing.T) { cellstest.Conformance(t, withRollups) })
	t.Run("facts", func(t *testing.T) { cellstest.Conformance(t, ofFactsAlone) })
}

// Whatever is asked, stored roll-ups and the facts give the same cells.
func TestRollupsAgreeWithFacts(t *testing.T) {
	c := duckdbtest.Contract(t)
	bare := *c
	bare.Rollups = nil
	folder := duckdbtest.Folder(t, c, duckdbtest.World)
	cellstest.Agree(t, duckdbtest.OpenFolder(t, c, folder), duckdbtest.OpenFolder(t, &bare, folder))
}
