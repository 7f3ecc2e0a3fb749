package snapshot

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/kvarter/kvarter/internal/contract"
	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/progress"
	"github.com/kvarter/kvarter/internal/synth"
)

// Generate draws a synthetic data set and makes it the current snapshot of dir. cells is as in
// Create; progress may be nil.
func Generate(ctx context.Context, dir string, c *contract.Contract, o synth.Options,
	cells func(ctx context.Context, folder string) error, report *progress.Reporter) (_ Info, err error) {
	defer fault.Wrap(&err, "snapshot.Generate(%s)", dir)
	unlock, err := begin(dir, toGenerate)
	if err != nil {
		return Info{}, err // before seconds of drawing
	}
	unlock()
	// What a part leaves is collected before the next is as large, and given back before DuckDB needs it.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(drawingMemory))
	parts, first, rest := o.Parts(), "Drawing the synthetic register", "Writing the facts"
	if parts > 1 {
		first = fmt.Sprintf("Drawing the first of %d parts of the synthetic register", parts)
		rest = "Writing the facts, and drawing the other parts"
	}
	report.Start(first, 0)
	world, err := draw(ctx, func() (*synth.World, error) { return synth.Generate(o) })
	if err != nil {
		return Info{}, err
	}
	report.Done()
	meta := syntheticMeta(o)
	write := func(w *Writer) error {
		rows := 0
		for _, table := range world.TableNames() {
			rows += world.Rows(table)
		}
		report.Start(rest, rows*parts) // all parts are about as large
		defer report.Done()
		for world != nil {
			for _, table := range world.TableNames() {
				if err := w.Write(ctx, table, world.Batches(table), report.Add); err != nil {
					return err
				}
			}
			var err error
			if world, err = draw(ctx, func() (*synth.World, error) { return world.Next(), nil }); err != nil {
				return err
			}
		}
		return nil
	}
	build := func(ctx context.Context, folder string) error {
		debug.FreeOSMemory()
		if cells == nil {
			return nil
		}
		report.Start("Building the cells", 0)
		defer report.Done()
		return cells(ctx, folder)
	}
	return Create(ctx, dir, c, meta, write, build)
}

// drawingMemory is what Go may hold before it collects at each step, in bytes: a part takes two thirds of it.
const drawingMemory = 1 << 30

// draw returns what part does, or as soon as ctx ends. The drawing then still runs to its end, some
// seconds, and what it gives is thrown away.
func draw(ctx context.Context, part func() (*synth.World, error)) (*synth.World, error) {
	type drawn struct {
		world *synth.World
		err   error
	}
	out := make(chan drawn, 1)
	go func() {
		world, err := part()
		out <- drawn{world, err}
	}()
	select {
	case d := <-out:
		return d.world, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func syntheticMeta(o synth.Options) Meta {
	world := "without an effect of the area on day care"
	if o.World == synth.WithAreaEffect {
		world = fmt.Sprintf("with a planted effect of the area on day care at ages 1-2 of %.0f percentage points",
			100*synth.AreaEffect)
	}
	if o.World == synth.AreaVariation {
		world = "with areas that differ in day care and poverty, and none on average"
	}
	return Meta{
		Name: "synthetic-" + string(o.World),
		Title: fmt.Sprintf("Synthetic register of children, young people, adults and residents, %d-%d, %s", synth.First,
			synth.Last, world),
		Synthetic: true,
		Licence:   "CC0-1.0",
		Citation: fmt.Sprintf("Kvarter: synthetic register drawn from seed %d at scale %g, world %s. No row describes a "+
			"real person or housing area.", o.Seed, o.Scale, o.World),
		Sources: []Source{
			{Title: "Boligsociale indsatser til småbørnsfamilier i udsatte boligområder (2018), presentation and press " +
				"release: published figures to calibrate against", Publisher: "VIVE"},
			{Title: "Population by single year of age and municipality: counts and weights", Publisher: "Danmarks Statistik"},
			{Title: "Statement on day care by origin, 16 September 2016: enrolment in October 2014",
				Publisher: "Ministry of Integration"},
			{Title: "Press releases on the 2011-14 funds: plans, divisions, residents", Publisher: "Landsbyggefonden"},
			{Title: "Press release on crime prevention, September 2019: suspicions per 1,000 aged 10-14", Publisher: "VIVE"},
			{Title: "Report on crime prevention, September 2019: age at first offence", Publisher: "Politiken"},
			{Title: "Leisure jobs at 13-17; the young neither in education nor in work (NYT cid 28511, 30249)",
				Publisher: "Danmarks Statistik"},
			{Title: "Ninth-grade marks, 25 October 2018, and examinations not sat, 12 January 2021",
				Publisher: "Ministry of Education"},
			{Title: "Ninth grade below 02 in Danish and mathematics, mean of 2016-19",
				Publisher: "Arbejderbevægelsens Erhvervsråd"},
		},
		Generator: &Generator{Seed: o.Seed, Scale: o.Scale, World: string(o.World)},
		Planted:   o.Planted(),
	}
}
