package synth

// A trait of a parent comes from a latent draw that lasts over the years: the parent has it
// while the draw is below the probability that the parent's other traits give. The intercept of
// each group of families is solved, so that the group's share in 2016 is the one asked for.

const calibrated = 2016 - First

// A group of families shares intercepts: mobile or not, and origin.
func (f *family) group() (mobile, origin int) {
	if f.mobile {
		mobile = 1
	}
	return mobile, int(f.origin)
}

// step is how far from basic schooling an education is; unknown counts as one step.
func step(education uint8) int {
	if education == 5 {
		return 1
	}
	return int(education)
}

// draw fills w.draws with a latent draw per family and year, renewed with the given chance a year.
func (w *world) draw(purpose string, renewalPPM int) {
	if w.draws == nil {
		w.draws = make([]int32, len(w.families)*years)
	}
	inBlocks(len(w.families), func(block, from, to int) {
		s := w.stream(purpose, block)
		for i := from; i < to; i++ {
			u := int32(s.below(million))
			for y := range years {
				if y > 0 && s.chance(renewalPPM) {
					u = int32(s.below(million))
				}
				w.draws[i*years+y] = u
			}
		}
	})
}

type etaFunc func(f *family, y int) int

// intercepts solves, for each group, the intercept at which the share of children in 2016 with
// a draw below logistic(intercept + eta) is the target; among says whose children count.
func (w *world) intercepts(target [2][3]int, eta etaFunc, among func(f *family, y int) bool) (c [2][3]int) {
	type member struct{ draw, eta, children int32 }
	var members [2][3][]member
	var total [2][3]int
	for i := range w.families {
		f := &w.families[i]
		m, o := f.group()
		if f.children[calibrated] == 0 || m == 1 && f.area[calibrated] < 0 || !among(f, calibrated) {
			continue
		}
		n := int32(f.children[calibrated])
		members[m][o] = append(members[m][o], member{w.draws[i*years+calibrated], int32(eta(f, calibrated)), n})
		total[m][o] += int(n)
	}
	for m := range c {
		for o := range c[m] {
			want := (total[m][o]*target[m][o] + million/2) / million
			c[m][o] = largestCut(-logitBound, logitBound, want, func(x int) int {
				n := 0
				for _, k := range members[m][o] {
					if int(k.draw) < logistic(x+int(k.eta)) {
						n += int(k.children)
					}
				}
				return n
			})
		}
	}
	return c
}

// flag draws a trait and calls set for every family and year that has it.
func (w *world) flag(purpose string, target [2][3]int, eta etaFunc,
	among func(f *family, y int) bool, set func(f *family, y int)) {
	w.draw(purpose, traitRenewalPPM)
	c := w.intercepts(target, eta, among)
	inBlocks(len(w.families), func(_, from, to int) {
		for i := from; i < to; i++ {
			f := &w.families[i]
			m, o := f.group()
			for y := range years {
				if f.children[y] > 0 && among(f, y) && int(w.draws[i*years+y]) < logistic(c[m][o]+eta(f, y)) {
					set(f, y)
				}
			}
		}
	})
}

func when(has bool, effect int) int {
	if has {
		return effect
	}
	return 0
}

func (w *world) traits() {
	motherAtHome, fatherAtHome := (*family).motherPresent, (*family).fatherPresent
	type parent struct {
		name                                    string
		present                                 func(f *family, y int) bool
		traits                                  func(f *family, y int) *uint8
		education                               func(f *family) int
		psychiatric, drugs, alcohol, conviction [2][3]int
	}
	for _, p := range []parent{
		{"mother", motherAtHome, func(f *family, y int) *uint8 { return &f.mother[y] },
			func(f *family) int {
				return step(f.motherEducation)
			}, motherPsychiatric, motherDrugs, motherAlcohol, motherConvicted},
		{"father", fatherAtHome, func(f *family, y int) *uint8 { return &f.father[y] },
			func(f *family) int {
				return step(f.fatherEducation)
			}, fatherPsychiatric, fatherDrugs, fatherAlcohol, fatherConvicted},
	} {
		set := func(bit uint8) func(f *family, y int) { return func(f *family, y int) { *p.traits(f, y) |= bit } }
		has := func(f *family, y int, bit uint8) bool { return *p.traits(f, y)&bit != 0 }
		w.flag(p.name+" psychiatric", p.psychiatric, func(f *family, y int) int {
			return educationStep / 2 * p.education(f)
		}, p.present, set(psychiatric))
		w.flag(p.name+" drugs", p.drugs, func(f *family, y int) int {
			return educationStep*p.education(f) + when(has(f, y, psychiatric), illnessOnAbuse)
		}, p.present, set(drugs))
		w.flag(p.name+" alcohol", p.alcohol, func(f *family, y int) int {
			return educationStep*p.education(f) + when(has(f, y, psychiatric), illnessOnAbuse) +
				when(has(f, y, drugs), drugsOnAlcohol)
		}, p.present, set(alcohol))
		w.flag(p.name+" convicted", p.conviction, func(f *family, y int) int {
			return educationStep*p.education(f) + when(has(f, y, psychiatric), illnessOnConvict) +
				when(has(f, y, drugs), drugsOnConviction) + when(has(f, y, alcohol), alcoholOnConvict) + w.hardship(f, y)
		}, p.present, set(convicted))
	}
	w.work("mother", mother, motherIdle, motherStudies, func(f *family, y int) int {
		e := educationOnWork*step(f.motherEducation) + when(f.mother[y]&psychiatric != 0, illnessOnWork) +
			when(f.mother[y]&(drugs|alcohol) != 0, abuseOnWork)
		return e + when(First+y-int(f.youngest) < 3, infantOnMother) + w.hardship(f, y)
	}, motherAtHome, func(f *family, y int) *uint8 { return &f.motherStatus[y] })
	w.work("father", father, fatherIdle, fatherStudies, func(f *family, y int) int {
		e := educationOnWork*step(f.fatherEducation) + when(f.father[y]&psychiatric != 0, illnessOnWork) +
			when(f.father[y]&(drugs|alcohol) != 0, abuseOnWork)
		return e + when(f.father[y]&convicted != 0, illnessOnWork/2) + w.hardship(f, y)
	}, fatherAtHome, func(f *family, y int) *uint8 { return &f.fatherStatus[y] })

	for i := range w.families {
		f := &w.families[i]
		for y := range years {
			f.parentsStatus[y] = f.activeParents(y)
			f.student[y] = f.studentMainEarner(y)
		}
	}
}

// hardship is the area's own shift, none outside the areas.
func (w *world) hardship(f *family, y int) int {
	if a := f.area[y]; a >= 0 {
		return w.areas[a].hardship
	}
	return 0
}

// work draws a parent's work status: low draws neither work nor study, high draws study.
func (w *world) work(parent string, role int, idleShare, studyShare [2][3]int, eta etaFunc,
	present func(f *family, y int) bool, status func(f *family, y int) *uint8) {
	w.draw(parent+" work", workRenewalPPM)
	c := w.intercepts(idleShare, eta, present)
	inBlocks(len(w.families), func(block, from, to int) {
		s := w.stream(parent+" status unknown", block)
		for i := from; i < to; i++ {
			f := &w.families[i]
			m, o := f.group()
			for y := range years {
				unknown := statusUnknownPPM
				if int(f.arrived) == First+y {
					unknown = statusUnknownArrivalPPM
				}
				u, idlePPM := int(w.draws[i*years+y]), logistic(c[m][o]+eta(f, y))
				unknownNow := s.chance(unknown)
				if !unknownNow && u < idlePPM {
					f.idleWithout[role] |= 1 << y
				}
				if a := f.area[y]; a >= 0 {
					idlePPM = max(0, idlePPM+w.areas[a].planEffect(y))
				}
				switch {
				case unknownNow:
					*status(f, y) = unknownStatus
				case u < idlePPM:
					*status(f, y) = idle
				case u >= million-studyShare[m][o]:
					*status(f, y) = inEducation
				default:
					*status(f, y) = employed
				}
			}
		}
	})
}

// activeParents is the parents' status of the contract: parents at home alone count, and one
// whose status is unknown makes it unknown.
func (f *family) activeParents(y int) uint8 {
	at, active := 0, 0
	for _, p := range [2]struct {
		present bool
		status  uint8
	}{{f.motherPresent(y), f.motherStatus[y]}, {f.fatherPresent(y), f.fatherStatus[y]}} {
		if !p.present {
			continue
		}
		if p.status == unknownStatus {
			return unknownParents
		}
		at++
		if p.status != idle {
			active++
		}
	}
	switch {
	case at == 0:
		return unknownParents
	case active == at:
		return bothActive
	case active > 0:
		return oneActive
	}
	return noneActive
}

// studentMainEarner is true if a parent at home studies and no adult at home is employed; a
// parent's new partner is taken to be the main earner.
func (f *family) studentMainEarner(y int) bool {
	m := f.motherPresent(y) && f.motherStatus[y] == inEducation
	p := f.fatherPresent(y) && f.fatherStatus[y] == inEducation
	switch f.kind[y] {
	case bothParents:
		return (m || p) && f.motherStatus[y] != employed && f.fatherStatus[y] != employed
	case motherAlone, fatherAlone:
		return m || p
	}
	return false
}
