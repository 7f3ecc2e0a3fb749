package command

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/kvarter/kvarter/internal/duckdb"
)

var version = command{
	name: "version",
	does: "print the commit and the versions of Go and DuckDB",
	declare: func(*flag.FlagSet) action {
		return func(ctx context.Context, _ []string, out, _ io.Writer) (int, error) {
			engine, err := duckdb.EngineVersion(ctx)
			if err != nil {
				return trouble, err
			}
			fmt.Fprintf(out, "kvarter %s\nGo      %s %s/%s\nDuckDB  %s\n", commit(ctx), runtime.Version(),
				runtime.GOOS, runtime.GOARCH, engine)
			return done, nil
		}
	},
}

// commit is what the program was built from. `go run` does not record it; the program is then run
// in its repository, and git says what is there.
func commit(ctx context.Context) string {
	if built, ok := debug.ReadBuildInfo(); ok {
		settings := map[string]string{}
		for _, s := range built.Settings {
			settings[s.Key] = s.Value
		}
		if revision := settings["vcs.revision"]; revision != "" {
			return withChanges(revision, settings["vcs.modified"] == "true")
		}
		if v := built.Main.Version; v != "" && v != "(devel)" {
			return v
		}
	}
	revision, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "(commit not known)"
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no").Output()
	return withChanges(strings.TrimSpace(string(revision)), err != nil || len(changes) > 0)
}

func withChanges(revision string, changed bool) string {
	if changed {
		return revision + ", with changes"
	}
	return revision
}
