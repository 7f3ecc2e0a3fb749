package study

import (
	"fmt"
	"math"

	"github.com/kvarter/kvarter/internal/fault"
	"github.com/kvarter/kvarter/internal/stats"
)

// Sensitivity says how strong something unrecorded would have to be to take a part of an adjusted gap away.
// Strengths are partial R², 0 to 1.
type Sensitivity struct {
	PartialR2, Robustness, Part float64
	RobustnessOfInterval        *float64 // nil where the gap has no interval
	Bounds                      []*SensitivityBound
	Warnings                    []string
}

// SensitivityBound is what is left of an adjusted gap beside something Times as strong as a control.
type SensitivityBound struct {
	Control                 string
	Times                   float64
	WithCohort, WithOutcome *float64 // nil where nothing can be so strong
	Adjusted                *Estimate
}

// Selection is an adjusted gap under selection on what is not recorded, in units of that on the controls.
type Selection struct {
	CrudeR2, ControlsR2, MaxR2 float64
	Delta, Adjusted, OtherRoot *float64
}

// Attribution is what the controls take from a crude gap, by control.
type Attribution struct {
	Crude, Adjusted, Total *Estimate
	Controls               []*ControlPart
	Warnings               []string
}

// ControlPart is what one control takes from a crude gap.
type ControlPart struct {
	Control      string
	Part         *Estimate
	ShareOfTotal *float64
}

// Sensitivity is that of the adjusted gap to something unrecorded that takes the part of it away, and what
// is left of it beside something that many times as strong as each control. A logit is an Invalid fault.
func (g *AdjustedGap) Sensitivity(part float64, times []float64) (*Sensitivity, error) {
	if err := g.linear("sensitivity"); err != nil {
		return nil, err
	}
	if !(part > 0) {
		return nil, fault.Invalidf("part is %g, and nothing would be taken away; 1 is all of the gap, 0.5 half of it", part)
	}
	s, err := g.gap.Sensitivity(stats.SensitivityOptions{Level: g.Adjusted.Level, Part: part, Times: times})
	if err != nil {
		return nil, err
	}
	out := &Sensitivity{PartialR2: s.PartialR2, Robustness: s.Value, Part: s.Part, Bounds: []*SensitivityBound{},
		Warnings: notNil(s.Warnings)}
	known := g.Adjusted.Lower != nil
	if known {
		out.RobustnessOfInterval = number(s.OfInterval)
	} else {
		out.Warnings = append(out.Warnings, withoutIntervals)
	}
	for _, b := range s.Bounds {
		if !known {
			b.Adjusted.SE, b.Adjusted.Lower, b.Adjusted.Upper = math.NaN(), math.NaN(), math.NaN()
		}
		out.Bounds = append(out.Bounds, &SensitivityBound{Control: b.Control, Times: b.Times, WithCohort: number(b.WithGroup),
			WithOutcome: number(b.WithOutcome), Adjusted: derived(b.Adjusted)})
	}
	return out, nil
}

// Selection is the adjusted gap if selection on what is not recorded is like that on the controls, with
// maxR2Ratio times the R² of the controls if all were recorded. A logit is an Invalid fault.
func (g *AdjustedGap) Selection(maxR2Ratio float64) (*Selection, error) {
	if err := g.linear("selection"); err != nil {
		return nil, err
	}
	o, err := g.gap.Oster(maxR2Ratio)
	if err != nil {
		return nil, err
	}
	for _, x := range []*float64{&o.Adjusted, &o.OtherRoot} {
		if math.Abs(*x) > 1 {
			*x = math.NaN() // no difference of shares
		}
	}
	return &Selection{CrudeR2: o.ShortR2, ControlsR2: o.LongR2, MaxR2: o.MaxR2, Delta: number(o.Delta),
		Adjusted: number(o.Adjusted), OtherRoot: number(o.OtherRoot)}, nil
}

// Attribution is what each control takes from the crude gap. A logit is an Invalid fault.
func (g *AdjustedGap) Attribution() (*Attribution, error) {
	if err := g.linear("attribution"); err != nil {
		return nil, err
	}
	a, err := g.gap.Gelbach(g.Adjusted.Level)
	if err != nil {
		return nil, err
	}
	out := &Attribution{Crude: derived(a.Crude), Adjusted: derived(a.Adjusted), Total: derived(a.Total),
		Controls: []*ControlPart{}, Warnings: notNil(a.Warnings)}
	known := g.Adjusted.Lower != nil
	if !known {
		out.Warnings = append(out.Warnings, withoutIntervals)
	}
	// The gaps themselves are those of the adjusted gap, with the intervals that it has.
	out.Adjusted = g.Adjusted
	for _, e := range []*Estimate{out.Crude, out.Total} {
		e.without(known)
	}
	for _, p := range a.Parts {
		out.Controls = append(out.Controls, &ControlPart{Control: p.Control, Part: derived(p.Part),
			ShareOfTotal: number(p.Share)})
		out.Controls[len(out.Controls)-1].Part.without(known)
	}
	if n := g.Clusters; n != nil && *n < fewClusters && known {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%d clusters are few: intervals of the parts go by their number "+
			"alone, "+
			"and may be too narrow.", *n))
	}
	return out, nil
}

// withoutIntervals is said where a gap has none.
const withoutIntervals = "The adjusted gap has no interval, for the reason that it gives, and nothing made of it " +
	"has one."

// fewClusters is the number below which intervals that go by it are warned of.
const fewClusters = 40

// without takes the interval from an estimate where there is to be none.
func (e *Estimate) without(known bool) {
	if !known {
		e.Lower, e.Upper, e.StandardError = nil, nil, nil
	}
}

// linear reports a gap of another model than what the field is defined for.
func (g *AdjustedGap) linear(field string) error {
	if g.Model != RegressionModelLinear {
		return fault.Invalidf("`%s` is defined for a linear model, and this gap is of %s; ask `model: LINEAR`",
			field, g.Model)
	}
	return nil
}
