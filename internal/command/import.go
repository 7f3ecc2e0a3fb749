package command

import (
	"context"
	"errors"
	"flag"
	"io"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/snapshot"
)

var importing = command{
	name:     "import",
	operands: "RECIPE.yaml",
	does:     "read your own data, check every row, and switch to it",
	declare: func(flags *flag.FlagSet) action {
		dir := dataFlag(flags)
		return func(ctx context.Context, operands []string, out, _ io.Writer) (int, error) {
			if len(operands) != 1 {
				return trouble, fault.Invalidf("one recipe was expected, e.g. go run . import data/example/recipe.yaml --data mine")
			}
			c, err := parseContract()
			if err != nil {
				return trouble, err
			}
			before, _, _ := snapshot.Current(*dir)
			info, issues, err := ingest.Import(ctx, operands[0], *dir, c, out)
			if err == nil || len(issues) > 0 {
				if reported := ingest.Report(out, *dir, issues); reported != nil {
					return trouble, errors.Join(err, reported)
				}
			}
			if wrong, _ := ingest.Count(issues); wrong > 0 {
				return no, err
			}
			if err != nil {
				return trouble, err
			}
			tell(out, info, *dir, before, " Serve it with go run . --data "+*dir)
			return done, nil
		}
	},
}
