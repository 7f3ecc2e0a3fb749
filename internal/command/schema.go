package command

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/web"
)

var schema = command{
	name: "schema",
	does: "print the GraphQL schema",
	declare: func(*flag.FlagSet) action {
		return func(_ context.Context, _ []string, out, _ io.Writer) (int, error) {
			fmt.Fprint(out, web.SDL(graph.NewExecutableSchema(graph.Config{}).Schema()))
			return done, nil
		}
	},
}
