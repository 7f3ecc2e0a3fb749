package command

import (
	"context"
	"flag"
	"io"

	"github.com/kvarter/kvarter/internal/ingest"
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
			issues, err := ingest.Check(ctx, *dir, c, out)
			if err != nil {
				return trouble, err
			}
			if err := ingest.Report(out, *dir, issues); err != nil {
				return trouble, err
			}
			if wrong, _ := ingest.Count(issues); wrong > 0 {
				return no, nil
			}
			return done, nil
		}
	},
}
