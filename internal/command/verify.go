package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"

	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/rerun"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/synth"
	"github.com/kvarter/kvarter/internal/web"
)

var verify = command{
	name:     "verify",
	operands: "[NOTEBOOK.ipynb ...]",
	does:     "rerun notebooks and compare every figure with what is committed",
	declare: func(flags *flag.FlagSet) action {
		dir := dataFlag(flags)
		report := flags.String("report", "", "write the comparison to `FILE.html`")
		update := flags.Bool("update", false,
			"write what came out into the notebooks, and bind the figures of the text to their checks")
		return func(ctx context.Context, paths []string, out, _ io.Writer) (int, error) {
			return rerunning(ctx, *dir, rerun.Options{Repo: ".", Notebooks: paths, Report: *report, Update: *update,
				Out: out})
		}
	},
}

// opener opens a data set for notebooks to ask; dir is the data folder.
type opener func(ctx context.Context, dir string, limits web.Limits, out io.Writer) (*opened, error)

// beside is a data set that a notebook can ask beside the one in use.
type beside struct {
	name     string // in package nb
	variable string // that says where it is
	open     opener
}

var besides = []beside{
	{"AreaEffectWorld", "KVARTER_AREA_EFFECT_URL", openAreaEffect},
	{"OfficialLists", "KVARTER_OFFICIAL_LISTS_URL", importOfficialLists},
}

// openInUse opens the data set in use.
func openInUse(ctx context.Context, dir string, limits web.Limits, out io.Writer) (*opened, error) {
	return open(ctx, dir, "", limits, out, func(string) {})
}

// openAreaEffect opens the world with an area effect, which lies within the data folder.
func openAreaEffect(ctx context.Context, dir string, limits web.Limits, out io.Writer) (*opened, error) {
	return open(ctx, filepath.Join(dir, "area-effect"), synth.WithAreaEffect, limits, out, func(string) {})
}

// importOfficialLists imports the recipe of the official lists into a temporary folder. It is anew each
// time, which takes a second: what is verified is what the files of the repository give.
func importOfficialLists(ctx context.Context, _ string, limits web.Limits, out io.Writer) (_ *opened, err error) {
	recipe := filepath.Join("data", "official", "recipe.yaml")
	c, err := parseContract()
	if err != nil {
		return nil, err
	}
	scratch, remove, err := snapshot.Scratch()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	dir := filepath.Join(scratch, "data")
	fmt.Fprintf(out, "Importing %s\n", recipe)
	if _, issues, err := ingest.Import(ctx, recipe, dir, c, io.Discard); err != nil {
		return nil, errors.Join(err, ingest.Report(out, dir, issues))
	}
	folder, info, err := snapshot.Current(dir)
	if err != nil {
		return nil, err
	}
	d, err := openFolder(ctx, folder, info, c, limits)
	if err != nil {
		return nil, err
	}
	d.ends = slices.Insert(d.ends, 0, remove) // last of all
	return d, nil
}

// rerunning reruns notebooks against the data set in use, and those that name another against that too.
func rerunning(ctx context.Context, dir string, r rerun.Options) (code int, err error) {
	// A mistyped name should not cost the making of a data set.
	if err := r.Check(); err != nil {
		return trouble, err
	}
	var stops []func() error
	defer func() {
		for _, stop := range slices.Backward(stops) {
			err = errors.Join(err, stop())
		}
	}()
	start := func(open opener) (string, error) {
		url, stop, err := aside(ctx, dir, open, r.Out)
		if err == nil {
			stops = append(stops, stop)
		}
		return url, err
	}
	if r.URL, err = start(openInUse); err != nil {
		return trouble, err
	}
	for _, b := range besides {
		if r.Mention("nb." + b.name) {
			url, err := start(b.open)
			if err != nil {
				return trouble, err
			}
			r.Env = append(r.Env, b.variable+"="+url)
		}
	}
	verdict, err := rerun.Verify(ctx, r)
	if err != nil {
		return trouble, err
	}
	if !verdict.Same() && !(r.Update && verdict.Settled()) {
		return no, nil
	}
	return done, nil
}

// aside serves a data set, for the notebooks alone, until stop is called.
func aside(ctx context.Context, dir string, open opener, out io.Writer) (url string, stop func() error, err error) {
	limits := web.DefaultLimits()
	d, err := open(ctx, dir, limits, out)
	if err != nil {
		return "", nil, err
	}
	fmt.Fprintln(out, "The notebooks can ask", about(d.info))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, errors.Join(err, d.close())
	}
	serving, end := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		stopped <- serveOn(serving, listener, d.handler(web.Config{Limits: limits,
			Log: slog.New(slog.DiscardHandler)}))
	}()
	stop = func() error {
		end()
		return errors.Join(<-stopped, d.close())
	}
	return "http://" + listener.Addr().String() + "/graphql", stop, nil
}
