package rerun

import (
	"context"
	"database/sql"
	"os/exec"
	"strings"
	"time"
)

// about is where and with what a verdict was reached; what is not known is "".
type about struct {
	Date   time.Time
	Commit string
	Dirty  bool // files differ from the commit
	Go     string
	DuckDB string
}

func newAbout(ctx context.Context, repo string, tools toolchain) about {
	a := about{Date: time.Now().UTC()}
	output := func(name string, args ...string) string {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = repo
		text, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(text))
	}
	a.Commit = output("git", "rev-parse", "HEAD")
	a.Dirty = a.Commit != "" && output("git", "status", "--porcelain") != ""
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir, cmd.Env = repo, tools.env
	if text, err := cmd.Output(); err == nil {
		a.Go = strings.TrimPrefix(strings.TrimSpace(string(text)), "go")
	}
	// The driver is that of the program which serves the data to the cells, if it does.
	if db, err := sql.Open("duckdb", ""); err == nil {
		defer db.Close()
		if db.QueryRowContext(ctx, "SELECT version()").Scan(&a.DuckDB) == nil {
			a.DuckDB = strings.TrimPrefix(a.DuckDB, "v")
		}
	}
	return a
}
