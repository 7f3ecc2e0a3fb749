package synth

import (
	"slices"

	"github.com/kvarter/kvarter/internal/fault"
)

// Covariates are what the probability of day care depends on, by the contract's codes.
type Covariates struct {
	Age           int    // 1 to 5
	Origin        string // registered origin, e.g. DESCENDANT_NON_WESTERN
	ParentsStatus string
	FamilyType    string
	IncomeGroup   string
	Area          string // the id of the supported area, or "": matters in the worlds where it does
}

// DayCare is the truth behind the column enrolled: the conditional probability of day care. It
// holds what was solved so that the published percentages come out.
type DayCare struct {
	intercept [2][5]int  // by ages 1-2, 3-5 and by registered origin
	shift     [areas]int // of the probability at ages 1-2, per million
}

// DayCare returns the truth about day care in this world.
func (w *World) DayCare() DayCare { return w.w.dayCare }

// Probability returns the probability, a whole number of millionths, that a child with these
// covariates is in day care. It reports an Invalid fault for an age outside 1-5 or an unknown code.
func (d DayCare) Probability(c Covariates) (float64, error) {
	if c.Age < 1 || c.Age > 5 {
		return 0, fault.Invalidf("day care is recorded at ages 1 to 5, not %d", c.Age)
	}
	var codes [4]int
	for i, x := range [4]struct {
		code string
		list []string
	}{{c.Origin, Origins}, {c.ParentsStatus, ParentsStatuses}, {c.FamilyType, FamilyTypes}, {c.IncomeGroup,
		IncomeGroups}} {
		if codes[i] = slices.Index(x.list, x.code); codes[i] < 0 {
			return 0, fault.Invalidf("no code %q%s", x.code, fault.Suggest(x.code, x.list))
		}
	}
	area, err := areaOf(c.Area)
	if err != nil {
		return 0, err
	}
	return float64(d.ppm(c.Age, codes[0], codes[1], codes[2], codes[3], area)) / million, nil
}

// ageBand is 0 for ages 1-2 and 1 for ages 3-5.
func ageBand(age int) int {
	if age <= 2 {
		return 0
	}
	return 1
}

// dayCareEta is the logit of day care without its intercept; it knows no area.
func dayCareEta(age, parentsStatus, kind, incomeGroup int) int {
	b := ageBand(age)
	return dayCareAge[b][age-1-2*b] + dayCareStatus[b][parentsStatus] + dayCareKind[b][kind] +
		dayCareIncome[b][incomeGroup]
}

func (d DayCare) ppm(age, origin, parentsStatus, kind, incomeGroup, area int) int {
	p := logistic(d.intercept[ageBand(age)][origin] + dayCareEta(age, parentsStatus, kind, incomeGroup))
	if area >= 0 && age <= 2 {
		p = max(0, min(p+d.shift[area], million))
	}
	return p
}

// registeredOrigin is the code of the child: a child born before the family arrived is an
// immigrant, one born here a descendant, unless the family is Danish.
func (f *family) registeredOrigin(birth int16) int {
	switch {
	case f.origin == danish:
		return 0
	case birth < f.arrived:
		return 2*int(f.origin) - 1
	}
	return 2 * int(f.origin)
}

// careForChildren draws who is in day care. The intercepts for Danish origin and for
// non-Western descendants are solved in the world without an area effect, so that the published
// percentages of October 2014 come out at ages 1-2 and 3-4; both worlds use the same draws.
func (w *world) careForChildren() {
	draws := make([]int32, len(w.children)*5) // at ages 1 to 5
	inBlocks(len(w.children), func(block, from, to int) {
		s := w.stream("day care", block)
		for i := from; i < to; i++ {
			u := int32(s.below(million))
			for age := 1; age <= 5; age++ {
				if age > 1 && s.chance(dayCareRenewalPPM) {
					u = int32(s.below(million))
				}
				draws[i*5+age-1] = u
			}
		}
	})
	if w.part == 0 {
		w.solveDayCare(draws)
	}
	inBlocks(len(w.children), func(_, from, to int) {
		for i := from; i < to; i++ {
			c := &w.children[i]
			f := &w.families[c.family]
			origin := f.registeredOrigin(c.birth)
			for y := int(c.first); y <= int(c.last); y++ {
				age := First + y - int(c.birth)
				if age < 1 || age > 5 {
					continue
				}
				p := w.dayCare.ppm(age, origin, int(f.parentsStatus[y]), int(f.kind[y]), int(f.incomeGroup[y]), int(f.area[y]))
				if int(draws[i*5+age-1]) < p {
					c.enrolled |= 1 << y
				}
			}
		}
	})
}

// solveDayCare sets the truth about day care, which holds in all parts of the register, from the
// draws of the first at ages 1 to 5.
func (w *world) solveDayCare(draws []int32) {
	const published = 2014 - First
	type member struct{ draw, eta int32 }
	var members [2][5][]member
	for i := range w.children {
		c := &w.children[i]
		age := 2014 - int(c.birth)
		if c.first > published || c.last < published || age < 1 || age > 4 {
			continue
		}
		f := &w.families[c.family]
		b, o := ageBand(age), f.registeredOrigin(c.birth)
		eta := dayCareEta(age, int(f.parentsStatus[published]), int(f.kind[published]), int(f.incomeGroup[published]))
		members[b][o] = append(members[b][o], member{draws[i*5+age-1], int32(eta)})
	}
	solve := func(list []member, percent int) int {
		return largestCut(-logitBound, logitBound, (len(list)*percent+50)/100, func(x int) int {
			n := 0
			for _, m := range list {
				if int(m.draw) < logistic(x+int(m.eta)) {
					n++
				}
			}
			return n
		})
	}
	percent := [2][2]int{
		{DayCareDanish1To2Percent, DayCareNonWestern1To2Percent},
		{DayCareDanish3To4Percent, DayCareNonWestern3To4Percent},
	}
	w.dayCare.shift = w.shift.dayCare
	for b := range percent {
		danishOrigin, nonWesternDescendant := solve(members[b][0], percent[b][0]), solve(members[b][4], percent[b][1])
		for o := range w.dayCare.intercept[b] {
			base := danishOrigin
			if o >= 3 {
				base = nonWesternDescendant
			}
			w.dayCare.intercept[b][o] = base + dayCareOrigin[b][o]
		}
	}
}

// Types of day care, in the order of the contract.
const (
	notEnrolled = iota
	childminder
	nursery
	kindergarten
	integrated
)

// dayCareType is the type that an enrolled child of an age goes to; childminders are commonest
// in municipalities without supported areas, and a child keeps to its type.
func (c *child) dayCareType(age, municipality int) int {
	rural := 1
	if municipalities[municipality].areas > 0 {
		rural = 0
	}
	k := int(c.place) * 1000 / 256
	if age <= 2 && k < childminderPerMille[rural] {
		return childminder
	}
	if (k*7)%1000 < integratedPerMille {
		return integrated
	}
	if age <= 2 {
		return nursery
	}
	return kindergarten
}
