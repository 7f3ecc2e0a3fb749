package command

import (
	"context"
	"flag"
	"io"
	"strconv"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/duckdb"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/progress"
	"github.com/kvarter/kvarter/internal/snapshot"
	"github.com/kvarter/kvarter/internal/synth"
)

var generate = command{
	name: "generate",
	does: "make the synthetic data set and switch to it",
	declare: func(flags *flag.FlagSet) action {
		dir := dataFlag(flags)
		o := defaultWorld
		flags.Func("seed", "draw from the seed `N`, 0 or more; 1 if not given", func(text string) (err error) {
			if o.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
				return fault.Invalidf("a whole number from 0 to 18446744073709551615 was expected")
			}
			return nil
		})
		flags.Func("scale", "draw `X` times the published counts, 0.001 to 200; 1 if not given",
			func(text string) (err error) {
				if o.Scale, err = strconv.ParseFloat(text, 64); err != nil || synth.ValidScale(o.Scale) != nil {
					return fault.Invalidf("a scale from %g to %d was expected", synth.LeastScale, synth.MostScale)
				}
				return nil
			})
		flags.Func("world",
			"draw the world `no-area-effect|area-effect|area-variation`: without an effect of the area on day care, with "+
				"a planted one, or with areas that differ in day care and poverty, around none; no-area-effect if not given",
			func(text string) error {
				o.World = synth.Kind(text)
				return synth.Known(o.World)
			})
		return func(ctx context.Context, _ []string, out, _ io.Writer) (int, error) {
			c, err := parseContract()
			if err != nil {
				return trouble, err
			}
			before, _, _ := snapshot.Current(*dir)
			info, err := draw(ctx, *dir, c, o, out)
			if err != nil {
				return trouble, err
			}
			tell(out, info, *dir, before, "")
			return done, nil
		}
	},
}

// defaultWorld is the one that the notebooks are committed with.
var defaultWorld = synth.Options{Seed: 1, Scale: 1, World: synth.NoAreaEffect}

// draw makes a synthetic data set in the data folder dir and switches to it.
func draw(ctx context.Context, dir string, c *contract.Contract, o synth.Options, out io.Writer) (snapshot.Info,
	error) {
	cells := func(ctx context.Context, folder string) error {
		return duckdb.BuildCells(ctx, folder, c, duckdb.Options{MemoryLimit: "1GB"})
	}
	return snapshot.Generate(ctx, dir, c, o, cells, progress.New(out))
}
