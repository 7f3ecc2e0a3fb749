// Command kvarter answers questions about housing areas and cohorts of children.
package main

//go:generate go run ./internal/contract/generate

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/progress"
	"github.com/kvarter/kvarter/internal/rerun"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/store"
	"github.com/kvarter/kvarter/internal/synth"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/notebooks"
	"github.com/kvarter/kvarter/resolvers"
)

const usage = `Kvarter answers questions about housing areas and cohorts of children.

  go run . [serve] [--addr 127.0.0.1:8080] [--data DIR] [--allow-origin ORIGIN] [--allow-host NAME] [--log text|json]
      serve GraphQL and the console page; makes the default data set first if DIR has none
  go run . generate [--data DIR] [--seed N] [--scale X] [--world no-area-effect|area-effect]
      make the synthetic data set and switch to it
  go run . import RECIPE.yaml [--data DIR]
      read your own data, check every row, and switch to it
  go run . check [--data DIR]
      check the data set in use, row by row
  go run . verify [NOTEBOOK.ipynb ...] [--data DIR] [--report FILE.html] [--update]
      rerun notebooks and compare every figure with what is committed
  go run . jupyter
      install the Go kernel for this project, and say how to open the notebooks
  go run . schema
      print the GraphQL schema

DIR is ` + "`data`" + ` if not given. Exit codes: 0 done; 1 the answer is no (a notebook differs, a row is
invalid); 2 wrong use, or it could not be tried.
`

// defaultSeed is the seed of the data set that the notebooks are committed with.
const defaultSeed = 1

// The exit codes.
const (
	done    = 0
	no      = 1
	trouble = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who interrupts a second time waits for nothing
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the flags of every command; each command takes those that its usage names.
type options struct {
	addr, data, log, world, report string
	origins, hosts                 list
	seed                           uint64
	scale                          float64
	update                         bool
}

type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// run carries out the command and returns the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	var o options
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	commands := map[string]struct {
		run   func(context.Context, options, []string, io.Writer) (int, error)
		flags string
	}{
		"serve":    {serve, "addr data log allow-origin allow-host"},
		"generate": {generate, "data seed scale world"},
		"import":   {importRecipe, "data"},
		"check":    {check, "data"},
		"verify":   {verify, "data report update"},
		"jupyter":  {jupyter, ""},
		"schema":   {schema, ""},
	}
	command, ok := commands[name]
	if name == "help" || len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(out, usage)
		return done
	}
	if !ok {
		known := []string{"help"}
		for k := range commands {
			known = append(known, k)
		}
		fmt.Fprintf(errs, "no command %q%s\n\n%s", name, fault.Suggest(name, known), usage)
		return trouble
	}
	for _, f := range strings.Fields(command.flags) {
		switch f {
		case "addr":
			flags.StringVar(&o.addr, f, "127.0.0.1:8080", "")
		case "data":
			flags.StringVar(&o.data, f, "data", "")
		case "log":
			flags.StringVar(&o.log, f, "text", "")
		case "allow-origin":
			flags.Var(&o.origins, f, "")
		case "allow-host":
			flags.Var(&o.hosts, f, "")
		case "seed":
			flags.Uint64Var(&o.seed, f, defaultSeed, "")
		case "scale":
			flags.Float64Var(&o.scale, f, 1, "")
		case "world":
			flags.StringVar(&o.world, f, string(synth.NoAreaEffect), "")
		case "report":
			flags.StringVar(&o.report, f, "", "")
		case "update":
			flags.BoolVar(&o.update, f, false, "")
		}
	}
	var operands []string
	for rest := args; ; { // flags may stand before or after what a command works on
		if err := flags.Parse(rest); err != nil {
			fmt.Fprintf(errs, "%s: %v\n\n%s", name, err, usage)
			return trouble
		}
		if flags.NArg() == 0 {
			break
		}
		operands, rest = append(operands, flags.Arg(0)), flags.Args()[1:]
	}
	code, err := command.run(ctx, o, operands, out)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(errs, "%s: %v\n", name, err)
	}
	return code
}

func noOperands(operands []string) error {
	if len(operands) > 0 {
		return fault.Invalidf("%q was not expected; `go run . help` lists the commands", operands[0])
	}
	return nil
}

func parseContract() (*contract.Contract, error) {
	return contract.Parse("data/contract.yaml", data.Contract)
}

// opened is a data set in use.
type opened struct {
	store  *store.Store
	info   snapshot.Info
	schema graphql.ExecutableSchema

	examples []web.Example
}

// open opens the data set in use. If there is none it first makes the default one, or that of
// the world which o names; if o names a world, the data set has to be of it. making is called
// before a data set is made, with what is being done.
func open(ctx context.Context, o options, limits web.Limits, out io.Writer, making func(doing string)) (*opened, error) {
	c, err := parseContract()
	if err != nil {
		return nil, err
	}
	folder, info, err := snapshot.Current(o.data)
	switch {
	case err == nil && o.world != "" && (info.Generator == nil || info.Generator.World != o.world):
		return nil, fault.Invalidf("the data set %s in %s is not of the world %q; `go run . generate --data %s --world %s` makes it", info.Name, o.data, o.world, o.data, o.world)
	case fault.KindOf(err) == fault.NotFound:
		fmt.Fprintf(out, "No data set in %s yet: making the synthetic one (some twenty seconds, once).\n", o.data)
	case err != nil:
		return nil, err
	case info.ContractHash != c.Hash && info.Generator == nil:
		return nil, fault.Invalidf("the data set %s was imported under another data contract; import its recipe again", info.Name)
	case info.ContractHash != c.Hash:
		fmt.Fprintln(out, "The data contract has changed: making the synthetic data set again.")
		o.seed, o.scale, o.world = info.Generator.Seed, info.Generator.Scale, info.Generator.World
	}
	if err != nil || info.ContractHash != c.Hash {
		making("The synthetic data set is being made, which takes some twenty seconds")
		if err != nil {
			o.seed, o.scale, o.world = defaultSeed, 1, cmp.Or(o.world, string(synth.NoAreaEffect))
		}
		if _, err := generate(ctx, o, nil, out); err != nil {
			return nil, err
		}
		if folder, info, err = snapshot.Current(o.data); err != nil {
			return nil, err
		}
	}
	// Newer data sets may be made while this process answers from the files of this one.
	if _, err := snapshot.Hold(folder); err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, folder, c, store.Options{})
	if err != nil {
		return nil, err
	}
	questions, err := examples()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	rules, err := law.Parse(data.Law)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	stated, err := findings.Parse("data/findings.yaml", data.Findings, graph.NewExecutableSchema(graph.Config{}).Schema())
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	r := &resolvers.Resolver{Contract: c, Law: rules, Findings: stated, Store: s, Dataset: dataset(info, limits)}
	return &opened{store: s, info: info, examples: questions, schema: resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}))}, nil
}

// dataset is what the API tells of the data set in use.
func dataset(info snapshot.Info, limits web.Limits) model.Dataset {
	out := model.Dataset{Name: info.Name, Title: info.Title, Synthetic: info.Synthetic, Fingerprint: info.Fingerprint, Years: info.Years,
		Citation: info.Citation, Licence: info.Licence, Rows: []*model.TableRows{}, Sources: []*model.Source{},
		Disclosure: &model.DisclosurePolicy{Method: model.DisclosureMethodNone},
		Limits:     &model.Limits{Complexity: limits.Complexity, Depth: limits.Depth, Cells: limits.Cells, TimeoutMs: limits.TimeoutMS, Tokens: limits.Tokens, Bytes: limits.Bytes}}
	for _, t := range info.Tables {
		out.Rows = append(out.Rows, &model.TableRows{Table: t.Name, Rows: int(t.Rows)})
	}
	optional := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	for _, s := range info.Sources {
		out.Sources = append(out.Sources, &model.Source{Title: s.Title, Publisher: s.Publisher, URL: optional(s.URL), Accessed: (*model.Date)(optional(s.Accessed)), Licence: optional(s.Licence)})
	}
	return out
}

// examples are the page's own questions, then those of the notebooks.
func examples() ([]web.Example, error) {
	questions, err := notebooks.Questions()
	out := web.DefaultExamples()
	for _, q := range questions {
		out = append(out, web.Example{Title: q.Title, Document: q.Document, Variables: q.Variables, Group: q.Notebook})
	}
	return out, err
}

// handler answers from the data set, as c says for the rest.
func (d *opened) handler(c web.Config) http.Handler {
	c.Examples, c.Schema, c.Ready = d.examples, d.schema, d.store.Ready
	c.Title, c.Fingerprint, c.Synthetic = d.info.Title, d.info.Fingerprint, d.info.Synthetic
	return web.New(c)
}

// front is a handler that can be exchanged while it is used.
type front struct{ now atomic.Pointer[http.Handler] }

func (f *front) set(h http.Handler) { f.now.Store(&h) }

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*f.now.Load()).ServeHTTP(w, r) }

// hosts are the names that the server answers to: on a loopback address those of this machine and
// what o allows, so that no other site's page can ask under a name of its own. A server bound to
// other addresses has names that it cannot know, and answers to any unless o allows some.
func hosts(o options, listener net.Listener) ([]string, error) {
	for _, name := range o.hosts {
		if name == "" || strings.ContainsAny(name, "/ ") {
			return nil, fault.Invalidf("--allow-host %q: a name such as kvarter.example.org was expected, without https:// and path", name)
		}
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if ok && !address.IP.IsLoopback() && len(o.hosts) == 0 {
		return nil, nil
	}
	out := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(o.addr); err == nil && host != "" {
		out = append(out, host)
	}
	out = append(out, o.hosts...)
	slices.Sort(out)
	return slices.Compact(out), nil
}

func serve(ctx context.Context, o options, operands []string, out io.Writer) (code int, err error) {
	if err := noOperands(operands); err != nil {
		return trouble, err
	}
	var handler slog.Handler
	switch o.log {
	case "text":
		handler = slog.NewTextHandler(os.Stderr, nil)
	case "json":
		handler = slog.NewJSONHandler(os.Stderr, nil)
	default:
		return trouble, fault.Invalidf("no log format %q; text and json are known", o.log)
	}
	log := slog.New(handler)
	// The address is taken first: twenty seconds of making data should not end in "in use".
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return trouble, fmt.Errorf("cannot listen on %s (%w); choose another address with --addr, e.g. --addr 127.0.0.1:0 for any free port", o.addr, err)
	}
	defer listener.Close()
	names, err := hosts(o, listener)
	if err != nil {
		return trouble, err
	}
	c := web.Config{Limits: web.DefaultLimits(), AllowedOrigins: o.origins, AllowedHosts: names, Log: log}
	base := "http://" + listener.Addr().String()

	var f front
	serving, end := context.WithCancel(ctx)
	defer end()
	stopped := make(chan error, 1)
	begin := sync.OnceFunc(func() { go func() { stopped <- serveOn(serving, listener, &f) }() })
	d, err := open(ctx, o, c.Limits, out, func(doing string) {
		f.set(web.Starting(c, doing))
		begin()
		fmt.Fprintf(out, "%s/ shows when it is there.\n", base)
	})
	if err != nil {
		return trouble, err
	}
	defer func() { err = errors.Join(err, d.store.Close()) }()
	f.set(d.handler(c))
	begin()
	notice := ""
	if d.info.Synthetic {
		notice = "\n  This data set is synthetic: no real person is in it."
	}
	fmt.Fprintf(out, "Kvarter serves %q, years %d-%d, fingerprint %.12s.%s\n\n  Look at it      %s/\n  GraphQL         %s/graphql\n  Notebooks       go run . jupyter\n  Stop            Ctrl-C\n\n",
		d.info.Title, d.info.Years[0], d.info.Years[len(d.info.Years)-1], d.info.Fingerprint, notice, base, base)
	return done, <-stopped
}

// serveOn serves until ctx ends, then lets requests under way finish.
func serveOn(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

func generate(ctx context.Context, o options, operands []string, out io.Writer) (int, error) {
	if err := noOperands(operands); err != nil {
		return trouble, err
	}
	c, err := parseContract()
	if err != nil {
		return trouble, err
	}
	info, err := snapshot.Generate(ctx, o.data, c, synth.Options{Seed: o.seed, Scale: o.scale, World: synth.Kind(o.world)}, cells(c), progress.New(out))
	if err != nil {
		return trouble, err
	}
	fmt.Fprintf(out, "The data set in use is now %q, fingerprint %.12s.\n", info.Title, info.Fingerprint)
	return done, nil
}

// cells builds the cells of a snapshot within the memory that generating may take.
func cells(c *contract.Contract) func(context.Context, string) error {
	return func(ctx context.Context, folder string) error {
		return store.BuildCells(ctx, folder, c, store.Options{MemoryLimit: "1GB"})
	}
}

func importRecipe(ctx context.Context, o options, operands []string, out io.Writer) (int, error) {
	if len(operands) != 1 {
		return trouble, fault.Invalidf("one recipe was expected, e.g. go run . import data/example/recipe.yaml --data mine")
	}
	c, err := parseContract()
	if err != nil {
		return trouble, err
	}
	info, findings, err := snapshot.Import(ctx, operands[0], o.data, c, out)
	if err == nil || len(findings) > 0 {
		if reported := snapshot.Report(out, o.data, findings); reported != nil {
			return trouble, errors.Join(err, reported)
		}
	}
	if wrong, _ := snapshot.Count(findings); wrong > 0 {
		return no, err
	}
	if err != nil {
		return trouble, err
	}
	fmt.Fprintf(out, "The data set in use is now %q, fingerprint %.12s. Serve it with go run . --data %s\n", info.Title, info.Fingerprint, o.data)
	return done, nil
}

func check(ctx context.Context, o options, operands []string, out io.Writer) (int, error) {
	if err := noOperands(operands); err != nil {
		return trouble, err
	}
	c, err := parseContract()
	if err != nil {
		return trouble, err
	}
	findings, err := snapshot.Check(ctx, o.data, c, out)
	if err != nil {
		return trouble, err
	}
	if err := snapshot.Report(out, o.data, findings); err != nil {
		return trouble, err
	}
	if wrong, _ := snapshot.Count(findings); wrong > 0 {
		return no, nil
	}
	return done, nil
}

// areaEffect is how a notebook names the world with a planted area effect (nb.AreaEffectWorld),
// where its address goes, and the folder of its data set within the data folder.
const (
	areaEffect       = "nb.AreaEffectWorld"
	areaEffectURL    = "KVARTER_AREA_EFFECT_URL"
	areaEffectFolder = "area-effect"
)

func verify(ctx context.Context, o options, paths []string, out io.Writer) (code int, err error) {
	r := rerun.Options{Repo: ".", Notebooks: paths, Report: o.report, Update: o.update, Out: out}
	// A mistyped name should not cost the making of a data set.
	if err := r.Check(); err != nil {
		return trouble, err
	}
	url, stop, err := aside(ctx, o, out)
	if err != nil {
		return trouble, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r.URL = url
	if r.Mention(areaEffect) {
		other := o
		other.data, other.world = filepath.Join(o.data, areaEffectFolder), string(synth.WithAreaEffect)
		url, stop, err := aside(ctx, other, out)
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
	if !verdict.Same() && !(o.update && verdict.Settled()) {
		return no, nil
	}
	return done, nil
}

// aside serves the data set in use, for the notebooks alone, until stop is called.
func aside(ctx context.Context, o options, out io.Writer) (url string, stop func() error, err error) {
	limits := web.DefaultLimits()
	d, err := open(ctx, o, limits, out, func(string) {})
	if err != nil {
		return "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, errors.Join(err, d.store.Close())
	}
	serving, end := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() {
		stopped <- serveOn(serving, listener, d.handler(web.Config{Limits: limits, Log: slog.New(slog.DiscardHandler)}))
	}()
	stop = func() error {
		end()
		return errors.Join(<-stopped, d.store.Close())
	}
	return "http://" + listener.Addr().String() + "/graphql", stop, nil
}

func jupyter(ctx context.Context, _ options, operands []string, out io.Writer) (int, error) {
	if err := noOperands(operands); err != nil {
		return trouble, err
	}
	told, err := rerun.InstallKernel(ctx, ".")
	if err != nil {
		return trouble, err
	}
	fmt.Fprint(out, told)
	return done, nil
}

func schema(_ context.Context, _ options, operands []string, out io.Writer) (int, error) {
	if err := noOperands(operands); err != nil {
		return trouble, err
	}
	fmt.Fprint(out, web.SDL(graph.NewExecutableSchema(graph.Config{}).Schema()))
	return done, nil
}
