package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/snapshot"
)

// Fit returns the stored cells of the snapshot in folder that fit the contract in force. If it has none,
// because tables or roll-ups have changed since it was made, they are built from its facts, once those
// are seen to fit; the folder scratch takes what does not last. It is an Invalid fault, which names the
// tables and columns, if the facts do not fit.
func Fit(ctx context.Context, folder, scratch string, info snapshot.Info, c *contract.Contract) (_ snapshot.Cells,
	err error) {
	defer fault.Wrap(&err, "ingest.Fit(%s)", folder)
	found, ok, err := snapshot.FindCells(folder, info, c)
	if ok || err != nil {
		return found, err
	}
	if len(snapshot.Restructured(info, c)) > 0 {
		if err := fits(ctx, folder, scratch, info, c); err != nil {
			return snapshot.Cells{}, err
		}
	}
	return snapshot.BuildCells(ctx, folder, scratch, info, c, func(ctx context.Context, into string) error {
		return duckdb.BuildCells(ctx, folder, c, duckdb.Options{MemoryLimit: memoryLimit, Spill: scratch,
			Files: info.Facts(), Cells: into})
	})
}

// listedMisfits is how many rows or columns that do not fit a contract are named in one message.
const listedMisfits = 5

// fits checks every row of the snapshot by the rules of import under the contract in force.
func fits(ctx context.Context, folder, scratch string, info snapshot.Info, c *contract.Contract) (err error) {
	s, err := openStored(ctx, folder, scratch, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, t := range info.Tables {
		if err := s.open(t); err != nil {
			return err
		}
	}
	if err := s.all(); err != nil {
		return err
	}
	var misfits []string
	n := 0
	for _, f := range s.issues {
		if f.Severity != Error {
			continue
		}
		if n++; n <= listedMisfits {
			misfits = append(misfits, f.String())
		}
	}
	switch {
	case n == 0:
		return nil
	case n > listedMisfits:
		misfits = append(misfits, fmt.Sprintf("and %d more like these", n-listedMisfits))
	}
	return fault.Invalidf("the data set %s no longer fits the data contract: %s; take that change of the contract "+
		"back, or import the data anew as it now asks for them", info.Name, strings.Join(misfits, "; "))
}
