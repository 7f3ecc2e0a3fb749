package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/99designs/gqlgen/graphql"

	"github.com/kvarter/kvarter/data"
	"github.com/kvarter/kvarter/graph"
	"github.com/kvarter/kvarter/graph/model"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/findings"
	"github.com/kvarter/kvarter/internal/law"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/store"
	"github.com/kvarter/kvarter/internal/synth"
	"github.com/kvarter/kvarter/internal/web"
	"github.com/kvarter/kvarter/notebooks"
	"github.com/kvarter/kvarter/resolvers"
)

// opened is a data set in use.
type opened struct {
	store  *store.Store
	info   snapshot.Info
	schema graphql.ExecutableSchema

	examples []web.Example
}

// open opens the data set in use in the data folder dir. If there is none it first makes the default
// one, or that of the world if one is given; the data set then has to be of it. making is called
// before a data set is made, with what is being done.
func open(ctx context.Context, dir string, world synth.Kind, limits web.Limits, out io.Writer, making func(doing string)) (*opened, error) {
	c, err := parseContract()
	if err != nil {
		return nil, err
	}
	folder, info, err := snapshot.Current(dir)
	o := defaultWorld
	o.World = cmp.Or(world, o.World)
	switch {
	case err == nil && world != "" && (info.Generator == nil || info.Generator.World != string(world)):
		return nil, fault.Invalidf("the data set %s in %s is not of the world %q; `go run . generate --data %s --world %s` makes it", info.Name, dir, world, dir, world)
	case fault.KindOf(err) == fault.NotFound:
		fmt.Fprintf(out, "No data set in %s yet: making the synthetic one (some twenty seconds, once).\n", dir)
	case err != nil:
		return nil, err
	case info.ContractHash != c.Hash && info.Generator == nil:
		return nil, fault.Invalidf("the data set %s was imported under another data contract; import its recipe again", info.Name)
	case info.ContractHash != c.Hash:
		fmt.Fprintln(out, "The data contract has changed: making the synthetic data set again.")
		o = synth.Options{Seed: info.Generator.Seed, Scale: info.Generator.Scale, World: synth.Kind(info.Generator.World)}
	}
	if err != nil || info.ContractHash != c.Hash {
		making("The synthetic data set is being made, which takes some twenty seconds")
		made, err := draw(ctx, dir, c, o, out)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "The data set in use is now %q, fingerprint %.12s.\n", made.Title, made.Fingerprint)
		if folder, info, err = snapshot.Current(dir); err != nil {
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
