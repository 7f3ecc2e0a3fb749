package command

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/internal/cells"
	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/ingest"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/study"
	"github.com/kvarter/kvarter/internal/synth"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/notebooks"
	"github.com/kvarter/kvarter/resolvers"
)

// opened is a data set that questions can be asked of.
type opened struct {
	folder string
	store  *duckdb.Store
	info   snapshot.Info
	schema graphql.ExecutableSchema

	examples []web.Example
	ends     []func() error
}

// close lets go of the data set, once no question is answered from it any more.
func (d *opened) close() error {
	var errs []error
	for _, end := range slices.Backward(d.ends) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// open opens the data set in use in the data folder dir. If the folder holds nothing of ours it
// first makes the default one, or that of the world if one is given; the data set then has to be
// of it. A synthetic one that would be drawn otherwise today is drawn again. making is called before
// anything is made that takes a while, with what is being done.
func open(ctx context.Context, dir string, world synth.Kind, limits web.Limits, out io.Writer,
	making func(doing string)) (*opened, error) {
	c, err := parseContract()
	if err != nil {
		return nil, err
	}
	if err := snapshot.Sweep(dir); err != nil {
		return nil, err
	}
	folder, info, err := snapshot.Current(dir)
	o := defaultWorld
	o.World = cmp.Or(world, o.World)
	switch {
	case fault.KindOf(err) == fault.NotFound:
		fmt.Fprintf(out, "No data set in %s yet: making the synthetic one (some twenty seconds, once).\n", dir)
	case err != nil:
		return nil, err
	case world != "" && (info.Generator == nil || info.Generator.World != string(world)):
		return nil, fault.Invalidf("the data set %s in %s is not of the world %q; `go run . generate --data %s --world "+
			"%s` makes it", info.Name, dir, world, dir, world)
	case info.Generator == nil || drawnAsNow(info, c):
		if _, ok, err := snapshot.FindCells(folder, info, c); err == nil && !ok && usable(info) == nil {
			fmt.Fprintf(out, "The data contract has changed since %s was made: building its cells again from its facts (some "+
				"seconds, once).\n", info.Name)
			making("The cells are being built again, which takes some seconds")
		}
		return openFolder(ctx, folder, info, c, limits)
	default:
		fmt.Fprintln(out,
			"The tables of the data contract have changed, or the data set is of an earlier version: making the synthetic "+
				"data set again.")
		o = synth.Options{Seed: info.Generator.Seed, Scale: info.Generator.Scale,
			World: synth.Kind(info.Generator.World)}
	}
	making("The synthetic data set is being made, which takes some twenty seconds")
	made, err := draw(ctx, dir, c, o, out)
	if err != nil {
		return nil, err
	}
	tell(out, made, dir, "", "")
	if folder, info, err = snapshot.Current(dir); err != nil {
		return nil, err
	}
	return openFolder(ctx, folder, info, c, limits)
}

// usable returns an Invalid fault if this program cannot read the data set as it was meant.
func usable(info snapshot.Info) error {
	if info.Files != nil {
		return nil
	}
	again := "import its recipe again"
	if info.Generator != nil {
		again = "`go run . generate` draws it again"
	}
	return fault.Invalidf("the data set %s is of an earlier version, which kept no hashes of its files; %s", info.Name,
		again)
}

// drawnAsNow reports whether a synthetic data set has the tables, columns and structure that it would be
// drawn with today.
func drawnAsNow(info snapshot.Info, c *contract.Contract) bool {
	tables := (&synth.World{}).TableNames()
	if usable(info) != nil || len(info.Tables) != len(tables) || len(snapshot.Restructured(info, c)) > 0 {
		return false
	}
	return !slices.ContainsFunc(info.Tables, func(t snapshot.Table) bool {
		return !slices.Equal(slices.Sorted(slices.Values(t.Columns)), slices.Sorted(slices.Values(synth.Columns(t.Name))))
	})
}

// tell says which data set of the data folder dir is in use now, and what becomes of a server that
// answers from the one in the folder before; hint ends the sentence.
func tell(out io.Writer, info snapshot.Info, dir, before, hint string) {
	fmt.Fprintf(out, "The data set in use is now %q, fingerprint %.12s.%s\n", info.Title, info.Fingerprint, hint)
	folder, _, _ := snapshot.Current(dir)
	for _, served := range []string{before, folder} { // it may have switched already
		if held, err := snapshot.Held(served); served != "" && err == nil && held {
			fmt.Fprintln(out,
				"The server that is running switches to it by itself, within seconds and without losing a request.")
			return
		}
	}
}

// openFolder opens the snapshot in a folder, and keeps it from being removed until it is closed.
func openFolder(ctx context.Context, folder string, info snapshot.Info, c *contract.Contract,
	limits web.Limits) (_ *opened, err error) {
	if err := usable(info); err != nil {
		return nil, err
	}
	d := &opened{folder: folder, info: info}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	release, err := snapshot.Hold(folder)
	if err != nil {
		return nil, err
	}
	d.ends = append(d.ends, func() error { release(); return nil })
	scratch, remove, err := snapshot.Scratch()
	if err != nil {
		return nil, err
	}
	d.ends = append(d.ends, remove)
	stored, err := ingest.Fit(ctx, folder, scratch, info, c)
	if err != nil {
		return nil, err
	}
	d.store, err = duckdb.Open(ctx, folder, c, duckdb.Options{Spill: scratch, Files: info.Facts(), Cells: stored.Folder,
		CellFiles: stored.Files})
	if err != nil {
		return nil, err
	}
	d.ends = append(d.ends, d.store.Close)
	if d.examples, err = examples(info.Name); err != nil {
		return nil, err
	}
	rules, err := law.Parse(data.Law)
	if err != nil {
		return nil, err
	}
	stated, err := findings.Parse("data/findings.yaml", data.Findings,
		graph.NewExecutableSchema(graph.Config{}).Schema())
	if err != nil {
		return nil, err
	}
	r := &resolvers.Resolver{Study: study.New(d.store, study.Settings{Law: rules, Findings: stated,
		Dataset: dataset(info, limits), Cells: limits.Cells})}
	d.schema = resolvers.Schema(graph.NewExecutableSchema(graph.Config{Resolvers: r}), r)
	return d, nil
}

// dataset is what the API tells of the data set in use.
func dataset(info snapshot.Info, limits web.Limits) study.Dataset {
	out := study.Dataset{Name: info.Name, Title: info.Title, Synthetic: info.Synthetic,
		Fingerprint: info.Fingerprint, Years: info.Years,
		Citation: info.Citation, Licence: info.Licence, Rows: []*study.TableRows{}, Sources: []*study.Source{},
		Planted:    []*study.PlantedEffect{},
		Disclosure: &study.DisclosurePolicy{Method: study.DisclosureMethodNone},
		Limits: &study.Limits{Complexity: limits.Complexity, Depth: limits.Depth, Cells: limits.Cells,
			TimeoutMs: limits.TimeoutMS, Tokens: limits.Tokens, Bytes: limits.Bytes}}
	optional := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	for _, p := range info.Planted {
		e := &study.PlantedEffect{Indicator: p.Indicator, Of: study.PlantedOf(p.Of), Among: p.Among, Area: optional(p.Area),
			YearsSinceStart: p.YearsSinceStart, Scale: study.PlantedScale(p.Scale), Size: p.Size}
		if p.Deviation != 0 {
			e.Deviation = &p.Deviation
		}
		out.Planted = append(out.Planted, e)
	}
	for _, t := range info.Tables {
		out.Rows = append(out.Rows, &study.TableRows{Table: t.Name, Rows: int(t.Rows), Fingerprint: optional(t.Fingerprint)})
	}
	for _, s := range info.Sources {
		out.Sources = append(out.Sources, &study.Source{Title: s.Title, Publisher: s.Publisher,
			URL: optional(s.URL), Accessed: (*study.Date)(optional(s.Accessed)), Licence: optional(s.Licence)})
	}
	return out
}

// examples are the page's own questions, then those of the notebooks, without those of notebooks that read
// another data set than the one of this name.
func examples(dataset string) ([]web.Example, error) {
	questions, err := notebooks.Questions()
	out := web.DefaultExamples()
	for _, q := range questions {
		if q.DataSet != "" && q.DataSet != dataset {
			continue
		}
		out = append(out, web.Example{Title: q.Title, Document: q.Document, Variables: q.Variables,
			Group: q.Notebook})
	}
	return out, err
}

// handler answers from the data set, as c says for the rest.
func (d *opened) handler(c web.Config) http.Handler {
	c.Examples, c.Schema, c.Ready = d.examples, d.schema, d.store.Ready
	c.Reading = cells.Reading
	c.Title, c.Fingerprint, c.Synthetic = d.info.Title, d.info.Fingerprint, d.info.Synthetic
	// A data set outlives an edit of these, and may be asked of by another definition then.
	c.Definitions = fmt.Sprintf("%x", sha256.Sum256(slices.Concat(data.Contract, data.Law, data.Findings)))
	return web.New(c)
}
