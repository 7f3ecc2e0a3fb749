package ingest_test

import (
	"context"
	"testing"

	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/synth"
)

// A register that is drawn in parts holds to every rule of a data set: its keys, its references, its
// fingerprint from the files, its cells from the facts.
func TestARegisterInPartsIsADataSet(t *testing.T) {
	dir, c := t.TempDir(), theContract(t)
	_, err := snapshot.Generate(context.Background(), dir, c,
		synth.Options{Seed: 2, Scale: 0.01, Part: 0.005, World: synth.NoAreaEffect},
		func(ctx context.Context, folder string) error {
			return duckdb.BuildCells(ctx, folder, c, duckdb.Options{})
		}, nil)
	if err != nil {
		t.Fatal(err)
	}
	issues, err := ingest.Check(context.Background(), dir, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range issues {
		if wrong, _ := ingest.Count([]ingest.Issue{i}); wrong > 0 {
			t.Error(i)
		}
	}
}
