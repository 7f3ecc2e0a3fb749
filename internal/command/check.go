package command

import (
	"context"
	"flag"
	"io"

	"github.com/kvarter/kvarter/internal/snapshot"
)

var check = command{
	name: "check",
	does: "check the data set in use, row by row",
	declare: func(flags *flag.FlagSet) action {
		dir := dataFlag(flags)
		return func(ctx context.Context, _ []string, out, _ io.Writer) (int, error) {
			c, err := parseContract()
			if err != nil {
				return trouble, err
			}
			findings, err := snapshot.Check(ctx, *dir, c, out)
			if err != nil {
				return trouble, err
			}
			if err := snapshot.Report(out, *dir, findings); err != nil {
				return trouble, err
			}
			if wrong, _ := snapshot.Count(findings); wrong > 0 {
				return no, nil
			}
			return done, nil
		}
	},
}
