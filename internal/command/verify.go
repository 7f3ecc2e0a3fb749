package command

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/kvarter/kvarter/internal/rerun"
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

// areaEffect is how a notebook names the world with a planted area effect (nb.AreaEffectWorld),
// where its address goes, and the folder of its data set within the data folder.
const (
	areaEffect       = "nb.AreaEffectWorld"
	areaEffectURL    = "KVARTER_AREA_EFFECT_URL"
	areaEffectFolder = "area-effect"
)

// rerunning reruns notebooks against the data set in use, and those that name it also against the
// world with an area effect.
func rerunning(ctx context.Context, dir string, r rerun.Options) (code int, err error) {
	// A mistyped name should not cost the making of a data set.
	if err := r.Check(); err != nil {
		return trouble, err
	}
	url, stop, err := aside(ctx, dir, "", r.Out)
	if err != nil {
		return trouble, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r.URL = url
	if r.Mention(areaEffect) {
		url, stop, err := aside(ctx, filepath.Join(dir, areaEffectFolder), synth.WithAreaEffect, r.Out)
		if err != nil {
			return trouble, err
		}
		defer func() { err = errors.Join(err, stop()) }()
		r.Env = append(r.Env, areaEffectURL+"="+url)
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

// aside serves the data set in use, for the notebooks alone, until stop is called.
func aside(ctx context.Context, dir string, world synth.Kind, out io.Writer) (url string, stop func() error,
	err error) {
	limits := web.DefaultLimits()
	d, err := open(ctx, dir, world, limits, out, func(string) {})
	if err != nil {
		return "", nil, err
	}
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
