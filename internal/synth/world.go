// Package synth generates the default data set: a synthetic national register of children aged
// 0-6, 2010-2017, of the residents of about a hundred invented housing areas, and of the rest of
// the country as cross-tabs. It is drawn from a seed and calibrated, so that the published
// figures in published.go come out; all else is assumed, in assumed.go.
//
// The same options give the same content on any machine and any number of threads: every draw
// is an integer from a stream named by its purpose, and what is compared or stored is an integer.
package synth

import (
	"runtime"
	"sync"

	"github.com/kvarter/kvarter/internal/fault"
)

// A Kind says which of the two worlds to generate. They differ in day care only.
type Kind string

const (
	NoAreaEffect   Kind = "no-area-effect" // day care does not depend on the area
	WithAreaEffect Kind = "area-effect"    // AreaEffect is added at ages 1-2 in supported areas
)

// Options says what to generate.
type Options struct {
	Seed  uint64
	Scale float64 // of every count, 0.001 to 1. Published counts hold at 1.
	World Kind
}

// World is a generated register. Its tables come from Tables, its truth from DayCare.
type World struct {
	Options Options
	w       *world
}

type world struct {
	seed   uint64
	scale  int // per million
	effect bool

	areas    [areas]area
	plans    []plan
	families []family
	children []child
	dayCare  DayCare

	persons   [years][]person   // residents of supported areas, by area
	crosstabs [years][]crosstab // the rest of the country, by municipality

	activities   []activity
	participants []participant
	truths       [len(activityTypes)][outcomes]truth
	answers      []answer

	draws []int32 // one latent draw per family and year, reused from trait to trait
}

// Generate draws a register. It reports an Invalid fault for a scale or world that is not known.
func Generate(o Options) (_ *World, err error) {
	defer fault.Wrap(&err, "synth.Generate(%+v)", o)
	if !(o.Scale >= LeastScale && o.Scale <= 1) {
		return nil, fault.Invalidf("scale %g is not between %g and 1; 1 is the whole country", o.Scale, LeastScale)
	}
	if err := Known(o.World); err != nil {
		return nil, err
	}
	w := &world{seed: o.Seed, scale: int(o.Scale*million + 0.5), effect: o.World == WithAreaEffect}
	w.placeAreas()
	w.settle()
	w.traits()
	w.incomes()
	w.careForChildren()
	w.draws = nil
	w.populate()
	w.runActivities()
	w.survey()
	return &World{Options: o, w: w}, nil
}

// LeastScale is the smallest Options.Scale.
const LeastScale = 0.001

// Known returns an Invalid fault that says which worlds there are, if the kind is none of them.
func Known(k Kind) error {
	if k != NoAreaEffect && k != WithAreaEffect {
		return fault.Invalidf("no world %q%s", k, fault.Suggest(string(k),
			[]string{string(NoAreaEffect), string(WithAreaEffect)}))
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
