package command

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/kvarter/kvarter/internal/rerun"
)

var jupyter = command{
	name: "jupyter",
	does: "install the Go kernel for this project, and say how to open the notebooks",
	declare: func(*flag.FlagSet) action {
		return func(ctx context.Context, _ []string, out, _ io.Writer) (int, error) {
			told, err := rerun.InstallKernel(ctx, ".")
			if err != nil {
				return trouble, err
			}
			fmt.Fprint(out, told)
			return done, nil
		}
	},
}
