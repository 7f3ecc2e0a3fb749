// Package synth generates the default data set: a synthetic national register of children aged
// 0-6, 2010-2017, of the residents of about a hundred invented housing areas, and of the rest of
// the country as cross-tabs. It is drawn from a seed and calibrated, so that the published
// figures in published.go come out; all else is assumed, in assumed.go.
//
// The same options give the same content on any machine and any number of threads: every draw
// is an integer from a stream named by its purpose, and what is compared or stored is an integer.
//
// A register of more than one country is drawn in parts, one after the other, so that memory holds
// one. Each is a country with persons of its own; the areas, their traits and their plans are the
// same in all, and what is counted of an area is the sum over them.
package synth

import (
	"runtime"
	"slices"
	"sync"

	"github.com/kvarter/kvarter/internal/fault"
)

// A Kind says which world to generate: what living in a supported area adds by itself. In all of them the
// plans have an effect, and those of activities are the same; Options.Planted and World.Effects have them.
type Kind string

const (
	NoAreaEffect   Kind = "no-area-effect" // day care does not depend on the area
	WithAreaEffect Kind = "area-effect"    // AreaEffect is added at ages 1-2 in supported areas
	// AreaVariation: areas differ in day care at ages 1-2 and in poverty, around 0, by DayCareDeviation
	// and PovertyDeviation
	AreaVariation Kind = "area-variation"
)

// Options says what to generate.
type Options struct {
	Seed  uint64
	Scale float64 // of every count, 0.001 to 200. Published counts hold at 1.
	World Kind
	Part  float64 // largest scale of a part, 0.002 to 1; 0 is 1
}

// World is a generated register, or a part of one. Its tables come from Batches, its truth from
// DayCare and Effects.
type World struct {
	Options Options
	w       *world
}

type world struct {
	seed  uint64
	part  int
	more  bool // parts follow
	scale int  // of the part, per million
	shift shifts

	sum               sums  // over the parts up to this one
	persons0, family0 int32 // numbers in use by those before

	areas    [areas]area
	plans    []plan
	families []family
	children []child
	dayCare  DayCare

	persons   [years][]person   // residents of supported areas, by area
	social    [years][]person   // of 7-64 in other social housing, by municipality
	crosstabs [years][]crosstab // the rest of the country, by municipality
	youths    [years][]youthGroup
	adults    [years][]adultGroup

	activities   []activity
	participants []participant
	answers      []answer

	draws []int32 // one latent draw per family and year, reused from trait to trait
}

// sums are over the parts drawn so far.
type sums struct {
	persons, families int // numbers in use
	dwellings         [areas]int
	children          [areas][years]int
	counts            [years]counts
	truths            [len(activityTypes)][outcomes]truth
}

// Generate draws a register, or its first part if it has several: Next draws the others. It reports
// an Invalid fault for a scale, part or world that is not known.
func Generate(o Options) (_ *World, err error) {
	defer fault.Wrap(&err, "synth.Generate(%+v)", o)
	if err := ValidScale(o.Scale); err != nil {
		return nil, err
	}
	if o.Part != 0 && !(o.Part >= 2*LeastScale && o.Part <= 1) {
		return nil, fault.Invalidf("a part of scale %g is not between %g and 1", o.Part, 2*LeastScale)
	}
	if err := Known(o.World); err != nil {
		return nil, err
	}
	return drawPart(o, 0, sums{}, DayCare{}), nil
}

// Next draws the part after w, which is empty from then on. It returns nil if w is the last.
func (w *World) Next() *World {
	if !w.w.more {
		return nil
	}
	part, sum, care := w.w.part+1, w.w.sum, w.w.dayCare
	w.w = &world{} // so that memory holds one
	return drawPart(w.Options, part, sum, care)
}

// Parts is the number of parts that a register is drawn in, about equal in size.
func (o Options) Parts() int {
	return (o.perMillion() + o.largest() - 1) / o.largest()
}

func (o Options) perMillion() int { return int(o.Scale*million + 0.5) }

// largest is the largest scale of a part, per million.
func (o Options) largest() int {
	if o.Part == 0 {
		return million
	}
	return int(o.Part*million + 0.5)
}

// drawPart draws a part; sum and care are those of the part before it.
func drawPart(o Options, part int, sum sums, care DayCare) *World {
	parts, scale := o.Parts(), o.perMillion()
	w := &world{seed: o.Seed, part: part, more: part+1 < parts, shift: shiftsOf(o.Seed, o.World),
		scale: scale*(part+1)/parts - scale*part/parts,
		sum:   sum, persons0: int32(sum.persons), family0: int32(sum.families), dayCare: care}
	w.placeAreas()
	w.settle()
	w.traits()
	w.incomes()
	w.houseFamilies()
	w.careForChildren()
	w.draws = nil
	w.populate()
	w.runActivities()
	w.survey()
	w.addUp()
	return &World{o, w}
}

// addUp adds what the tables about areas hold of the part to the sums, but what measureAreas added.
func (w *world) addUp() {
	for a, years := range w.childrenInAreas() {
		w.sum.dwellings[a] += w.areas[a].dwellings
		for y, n := range years {
			w.sum.children[a][y] += n
		}
	}
}

// LeastScale and MostScale bound Options.Scale.
const (
	LeastScale = 0.001
	MostScale  = 200
)

// ValidScale returns an Invalid fault that says what a scale may be, if it is none.
func ValidScale(scale float64) error {
	if !(scale >= LeastScale && scale <= MostScale) {
		return fault.Invalidf("scale %g is not between %g and %d; 1 is the whole country", scale, LeastScale, MostScale)
	}
	return nil
}

// Known returns an Invalid fault that says which worlds there are, if the kind is none of them.
func Known(k Kind) error {
	known := []string{string(NoAreaEffect), string(WithAreaEffect), string(AreaVariation)}
	if !slices.Contains(known, string(k)) {
		return fault.Invalidf("no world %q%s", k, fault.Suggest(string(k), known))
	}
	return nil
}

// scaled is a count at the world's scale, rounded half up.
func (w *world) scaled(n int) int { return (n*w.scale + million/2) / million }

// inBlocks calls do for consecutive blocks of n items, on as many threads as there are. What do
// draws must come from a stream of its block.
func inBlocks(n int, do func(block, from, to int)) {
	const size = 1 << 14
	parallel((n+size-1)/size, func(b int) { do(b, b*size, min((b+1)*size, n)) })
}

// parallel calls do for 0 to n-1, on as many threads as there are.
func parallel(n int, do func(i int)) {
	next := make(chan int)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}
