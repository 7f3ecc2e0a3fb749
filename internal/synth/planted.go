package synth

import (
	"fmt"
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// PlantedOf says what a planted effect is one of.
type PlantedOf string

const (
	OfAreas PlantedOf = "AREAS" // of living in a supported area, the same in all
	OfArea  PlantedOf = "AREA"  // of living in one of them
	OfPlans PlantedOf = "PLANS" // of a plan, on those who live in its areas, from the year of its start on
)

// PlantedScale is what a planted effect adds to.
type PlantedScale string

const (
	OnProbability PlantedScale = "PROBABILITY"
	OnLogOdds     PlantedScale = "LOG_ODDS"
)

// Planted is an effect that a register was drawn with, on an indicator of the contract. It is the truth
// that a method can be marked by; those of 0 are promised to be none.
type Planted struct {
	Indicator string    `json:"indicator"`
	Of        PlantedOf `json:"of"`
	Among     string    `json:"among"`
	Area      string    `json:"area,omitempty"` // its id, of one area
	// of plans: years since the start of the area's first plan; the last holds from then on
	YearsSinceStart *int         `json:"yearsSinceStart,omitempty"`
	Scale           PlantedScale `json:"scale"`
	Size            float64      `json:"size"`
	// of one area: the standard deviation that the sizes of all areas were drawn with, around 0
	Deviation float64 `json:"deviation,omitempty"`
}

// Planted returns the effects of areas and plans that the register of these options is drawn with. Those of
// activities depend on who takes part: see World.Effects.
func (o Options) Planted() []Planted {
	const young, poor, grown, adult = "ages 1-2", "ages 0-6", "ages 18-64", "ages 18 and over"
	var list []Planted
	if o.World == AreaVariation {
		shift := shiftsOf(o.Seed, o.World)
		for a := range areas {
			list = append(list,
				Planted{Indicator: "IN_DAY_CARE", Of: OfArea, Among: young, Area: areaID(a), Scale: OnProbability,
					Size: float64(shift.dayCare[a]) / million, Deviation: DayCareDeviation},
				Planted{Indicator: "POOR", Of: OfArea, Among: poor, Area: areaID(a), Scale: OnLogOdds,
					Size: float64(shift.poverty[a]) / 1000, Deviation: PovertyDeviation})
		}
	}
	effect := 0.
	if o.World == WithAreaEffect {
		effect = AreaEffect
	}
	list = append(list, Planted{Indicator: "IN_DAY_CARE", Of: OfAreas, Among: young, Scale: OnProbability, Size: effect},
		Planted{Indicator: "IN_DAY_CARE", Of: OfAreas, Among: "ages 3-5", Scale: OnProbability})
	for since, ppm := range planOnIdlePPM {
		list = append(list, Planted{Indicator: "OUTSIDE_WORK_AND_EDUCATION", Of: OfPlans, Among: grown,
			YearsSinceStart: &since, Scale: OnProbability, Size: float64(ppm) / million})
	}
	for since := range planOnIdlePPM {
		list = append(list, Planted{Indicator: "CONVICTED", Of: OfPlans, Among: adult, YearsSinceStart: &since,
			Scale: OnProbability})
	}
	return list
}

// shifts are what living in an area adds.
type shifts struct {
	dayCare [areas]int // to the probability of day care at ages 1-2, per million
	poverty [areas]int // to the logit of poverty, thousandths
}

// shiftsOf returns the shifts of a world, the same at every scale and in all parts.
func shiftsOf(seed uint64, kind Kind) (out shifts) {
	switch kind {
	case WithAreaEffect:
		for a := range areas {
			out.dayCare[a] = areaEffectPPM
		}
	case AreaVariation:
		s := newStream(seed, "area variation", 0)
		for a := range areas {
			out.dayCare[a] = s.normal() * dayCareDeviationPPM / 1000
			out.poverty[a] = s.normal() * povertyDeviation / 1000
		}
		// Around 0: over the children of the areas the shifts add up to none.
		w := &world{seed: seed, scale: million}
		w.placeAreas()
		for _, list := range []*[areas]int{&out.dayCare, &out.poverty} {
			sum, all := 0, 0
			for a := range w.areas {
				n := w.areas[a].children[2014-First]
				sum, all = sum+n*list[a], all+n
			}
			for a := range list {
				list[a] -= sum / all
			}
		}
	}
	return out
}

// planEffect is what the plan of an area adds in a year to the probability of its residents to be
// outside work and education, per million.
func (a *area) planEffect(y int) int {
	since := First + y - a.planStart
	if since < 0 {
		return 0
	}
	return planOnIdlePPM[min(since, len(planOnIdlePPM)-1)]
}

func areaID(a int) string { return fmt.Sprintf("A%03d", a+1) }

// areaOf returns the place of the area with an id; -1 for "", outside the areas.
func areaOf(id string) (int, error) {
	if id == "" {
		return -1, nil
	}
	ids := make([]string, areas)
	for a := range ids {
		ids[a] = areaID(a)
	}
	a := slices.Index(ids, id)
	if a < 0 {
		return 0, fault.Invalidf("no area %q%s", id, fault.Suggest(id, ids))
	}
	return a, nil
}
