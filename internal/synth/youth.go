package synth

// Children and young people of 7-24 who are drawn singly: school, work and crime.

// Codes of education and parents' status that are asked for here.
const (
	basicEducation   = 0
	unknownEducation = 5
)

// young is what youth_year has of a person of 7-24; null (NullCode, nullShort) where it is not recorded
// for the age.
type young struct {
	parentsStatus, parentsSchooling uint8
	absence, mark                   int16 // tenths of a percent and of a mark
	exams, passed, begun, completed uint8
	leisureJob, status              uint8
	suspicions, charges             uint8
	offence, firstOffence, relapsed uint8
}

const nullShort = -1 << 15

var noYouth = young{parentsStatus: NullCode, parentsSchooling: NullCode, absence: nullShort, mark: nullShort,
	exams: NullCode, passed: NullCode, begun: NullCode, completed: NullCode, leisureJob: NullCode, status: NullCode,
	suspicions: NullCode, charges: NullCode, offence: NullCode, firstOffence: NullCode, relapsed: NullCode}

// effect is what the parents' status and schooling add to a logit.
func (m *member) effect(none, basic int) int {
	return when(m.parentsStatus == noneActive, none) + when(m.parentsSchooling == basicOnly, basic)
}

// rank is where the person stands in talent, from 0 to a million.
// It is the normal distribution within a percent.
func (m *member) rank() int { return logistic(int(m.talent) * 1_702 / 1_000) }

// lateEta is the logit of those who have not completed upper secondary at an age from 18 on; from 25 on it
// is basic schooling only. It falls with age, so who has completed it keeps it.
func (m *member) lateEta(model residentModel, age, y int) int {
	eta := model.basicEta() + m.effect(lateNoneActive, lateBasic)
	if age < 25 {
		eta += notCompleted[age-18] - completedTrend*y
	}
	return eta
}

// begun tells whether upper secondary has been begun at 16 or over.
func (m *member) begun(model residentModel, age int) uint8 {
	return bit(m.rank() >= logistic(model.basicEta()+m.effect(lateNoneActive, lateBasic)+notBegun[min(age, 20)-16]))
}

// education is the highest completed at 18 or over.
func (m *member) education(model residentModel, y int) uint8 {
	age := m.age(y)
	switch talent := int(m.talent); {
	case logistic(int(m.earning)*1_702/1_000) < schoolingUnknownPPM[m.origin]:
		return unknownEducation
	case m.rank() < logistic(m.lateEta(model, age, y)):
		return basicEducation
	case talent < generalTalent:
		return 2
	case talent < higherTalent || age < 24:
		return 1
	case talent < longTalent || age < 26:
		return 3
	}
	return 4
}

func schoolingOf(education uint8) uint8 {
	switch education {
	case basicEducation:
		return basicOnly
	case unknownEducation:
		return unknownSchooling
	}
	return moreSchooling
}

// workOf is the work status at 18-64 of one who is no parent in the register of children, and whether it
// would be neither work nor study without the plan, which adds plan to the probability of that.
func (m *member) workOf(model residentModel, education uint8, plan int) (status uint8, idleWithout bool) {
	shift := 0
	if model.group == group18 {
		shift = when(education == basicEducation, youngBasicOnIdle) + when(education != basicEducation, -youngBasicOnIdle)
	}
	model.hardship += shift
	unknown, idlePPM, studies := model.workPPM(model.group == group30 && education == basicEducation)
	u := int(m.work)
	idleWithout = u < idlePPM
	idlePPM = max(0, idlePPM+plan)
	switch {
	case u >= million-unknown:
		return unknownStatus, idleWithout
	case u < idlePPM:
		return idle, idleWithout
	case u < idlePPM+studies:
		return inEducation, idleWithout
	}
	return employed, idleWithout
}

// youth is what the register has of a person under 25, but crime.
func (m *member) youth(s *stream, model residentModel, age, y int, work, education uint8) young {
	r := noYouth
	r.parentsStatus, r.parentsSchooling = m.parentsStatus, m.parentsSchooling
	girl := m.sex == 1
	nonWestern := m.origin >= 3
	if age <= 16 {
		eta := absenceOfPlace[model.place] + absenceTeen*max(0, age-12) + m.effect(absenceNoneActive, absenceBasic) -
			int(m.talent)*absenceTalent/1_000 + s.normal()*absenceDeviation/1_000
		r.absence = int16(min(1_000, absenceMedian*exponential(eta)/million))
	}
	if age == 16 {
		r.exams = bit(s.chance(logistic(examsOfPlace[model.place] + int(m.talent)*examsTalent/1_000 -
			m.effect(examsNoneActive, examsBasic))))
		if r.exams == 1 {
			mark := markOfPlace[model.place] + when(girl, markGirl) + when(nonWestern, markNonWestern) -
				m.effect(markNoneActive, markBasic) + int(m.talent)*markDeviation/1_000
			r.mark = int16(min(120, max(-20, mark)))
			r.passed = bit(int(r.mark)+s.normal()*markNoise/1_000 >= markPassed)
		}
	}
	if age >= 13 && age <= 17 {
		r.leisureJob = bit(int(m.job) < logistic(leisureJobAge[age-13]+leisureJobTrend[y]+leisureJobOfPlace[model.place]+
			when(girl, leisureJobGirl)+when(nonWestern, leisureJobNonWestern)+m.effect(leisureJobNoneActive, 0)))
	}
	if age >= 16 {
		r.begun = m.begun(model, age)
		r.status = work
		if age < 18 {
			switch u := int(m.work); {
			case u < logistic(youngIdle+model.hardship+m.effect(youngIdleNoneActive, 0)-int(m.talent)*youngIdleTalent/1_000):
				r.status = idle
			case u >= million-youngEmployedPPM:
				r.status = employed
			default:
				r.status = inEducation
			}
		}
	}
	if age >= 18 {
		r.completed = bit(education != basicEducation && education != unknownEducation)
		r.begun = max(r.begun, r.completed)
	}
	return r
}

// An offender is a row of a place's year whose relapse is to be told.
type offender struct {
	y, row int
	m      *member
}

// suspect is a member at the ages of crime, with the draws of a year.
type suspect struct {
	row, age      int
	draw, eta     int
	times         int // suspicions or charges, if any
	m             *member
	first, counts bool // whether it would be the first; whether it counts among the target's origin
}

// offend draws the suspicions and charges of a year. In the areas those of ages 10-14 come to the
// published rate, those of 15-20 to the assumed one, and the slope over age is solved so that the mean age at
// first offence of the young of non-Western origin is the published.
func (w *world) offend(places []place, y int) {
	suspects := make([][]suspect, len(places))
	parallel(len(places), func(i int) { suspects[i] = places[i].suspects(y) })
	var small, grown []suspect // of the areas
	n := 0
	for _, list := range suspects[:areas] {
		for _, c := range list {
			switch {
			case c.age <= 14:
				small = append(small, c)
			case c.age <= 20:
				grown = append(grown, c)
				n++
			}
		}
	}
	sum := func(list []suspect, level, slope int) (times int) {
		for i := range list {
			if c := &list[i]; c.draw < logistic(level+slope*(c.age-17)+c.eta) {
				times += c.times
			}
		}
		return times
	}
	level := func(list []suspect, rate, slope int) int {
		want := (len(list)*rate + 5_000) / 10_000
		return largestCut(-logitBound, logitBound, want, func(x int) int { return sum(list, x, slope) })
	}
	young := level(small, suspicionRate[y], 0)
	firsts := func(list []suspect, level, slope int) (age, n int) {
		for i := range list {
			if c := &list[i]; c.first && c.counts && c.draw < logistic(level+slope*(c.age-17)+c.eta) {
				age += c.age
				n++
			}
		}
		return age, n
	}
	youngAge, youngN := firsts(small, young, 0)
	slope := largestCut(-steepest, steepest, firstOffenceAge[y], func(slope int) int {
		age, n := firsts(grown, level(grown, chargeRate[y], slope), slope)
		if n+youngN == 0 {
			return 0
		}
		return (age + youngAge) * 100 / (n + youngN)
	})
	old := level(grown, chargeRate[y], slope)
	parallel(len(places), func(i int) {
		p := &places[i]
		for _, c := range suspects[i] {
			level := young
			if c.age > 14 {
				level = old + slope*(min(c.age, 20)-17)
			}
			if p.area < 0 {
				level += socialOffence
			}
			p.record(c, c.draw < logistic(level+c.eta), y)
		}
	})
}

// suspects are those of 10-22, who are followed for two years after the last age that is recorded.
func (p *place) suspects(y int) (list []suspect) {
	for i, m := range p.members {
		age := m.age(y)
		if age < 10 || age > 22 {
			continue
		}
		c := suspect{row: i, age: age, draw: p.s.below(million), times: 1, m: m, first: !m.offendedBefore && m.offences == 0,
			counts: m.origin >= 3}
		for c.times < 9 && p.s.chance(againInYearPPM) {
			c.times++
		}
		c.eta = p.hardship/2 + int(m.offending)*offendingDeviation/1_000 - int(m.talent)*offendingTalent/1_000 +
			when(m.sex == 1, offendingGirl) + when(c.counts, offendingNonWestern) + m.effect(offendingNoneActive, offendingBasic)
		if recent := m.offences >> max(0, y-2) & 3; y > 0 && recent != 0 {
			c.eta += offendedRecently - offendedTrend*y
		}
		list = append(list, c)
	}
	return list
}

// record writes what a suspect did in a year.
func (p *place) record(c suspect, offends bool, y int) {
	r := &p.rows[y][c.row].young
	if offends {
		c.m.offences |= 1 << y
	}
	if c.age > 20 {
		return
	}
	times := uint8(0)
	if offends {
		times = uint8(c.times)
		p.offenders = append(p.offenders, offender{y, c.row, c.m})
	}
	if c.age <= 14 {
		r.suspicions = times
	} else {
		r.charges = times
	}
	r.offence, r.firstOffence = bit(offends), bit(offends && c.first)
}

// relapse tells of every offence whether another followed in the two calendar years after it, where both
// are in the register. Of one who left the register's social housing it is drawn.
func (w *world) relapse(places []place) {
	parallel(len(places), func(i int) {
		p := &places[i]
		for _, o := range p.offenders {
			if o.y+2 >= years {
				continue
			}
			again := o.m.offences>>(o.y+1)&3 != 0
			if !again && int(o.m.seen) < o.y+2 {
				again = p.s.chance(relapseElsewherePPM / (1 + int(bit(int(o.m.seen) == o.y+1))))
			}
			p.rows[o.y][o.row].relapsed = bit(again)
		}
	})
}
