package synth

import "fmt"

// Activities of the plans, who took part in them, and comparable residents who did not. Taking
// part depends on who a person is, and so do the outcomes of the year after: a comparison
// without adjustment is wrong, by as much as it is in life. Given the covariates in the table,
// taking part does not depend on the outcomes: adjusted, the planted effects come out.

// Outcomes are the columns that an activity can change, for ages at which they are recorded.
const (
	inLeisureJob = iota // from 13
	inEducationNext
	charged
	absence
	outcomes
)

// OutcomeNames are the columns of participant that hold outcomes.
var OutcomeNames = []string{"in_leisure_job", "in_education", "charged", "absence"}

// An Effect is the truth about one activity type and one outcome.
type Effect struct {
	Activity string // code of activity_type
	Outcome  string // column of participant
	// OnParticipants is the average effect on those who took part (ATT): a difference of
	// probabilities, or percentage points of absence.
	OnParticipants float64
	// Ratio is that of the participants' probability with to that without the activity; 0 for absence.
	Ratio        float64
	Participants int // with the outcome recorded
}

// Effects returns the planted effects of all activity types on all outcomes that are recorded
// for their participants, those of zero included.
func (w *World) Effects() []Effect {
	var list []Effect
	for i, a := range activityTypes {
		for o := range outcomes {
			t := w.w.sum.truths[i][o]
			if t.n == 0 {
				continue
			}
			e := Effect{Activity: a.code, Outcome: OutcomeNames[o], Participants: t.n}
			unit := float64(million)
			if o == absence {
				unit = 1
			} else {
				e.Ratio = float64(t.with) / float64(t.without)
			}
			e.OnParticipants = float64(t.with-t.without) / float64(t.n) / unit
			list = append(list, e)
		}
	}
	return list
}

// truth sums the participants' expected outcomes with and without the activity.
type truth struct{ n, with, without int }

// logit is a linear predictor in thousandths.
type logit struct {
	// age per year from 15 to 20, active per parent, absence per percent
	base, age, female, nonWestern, lone, active, charged, job, absence int
}

func (l logit) of(p *participant) int {
	return l.base + l.age*(min(int(p.age), 20)-15) + when(p.sex == 1, l.female) + when(p.origin >= 3, l.nonWestern) +
		when(p.lone, l.lone) +
		l.active*int(p.active) + when(p.chargedBefore, l.charged) + when(p.jobBefore, l.job) + l.absence*int(p.absenceBefore)
}

type activityType struct {
	code, theme, name string
	ageMin, ageMax    int
	womenOnly         bool
	offeredPPM        int   // of areas
	takesPart         logit // who takes part
	// effect on the logit of an outcome; on absence in thousandths of a percentage point.
	effect [outcomes]int
}

type activity struct {
	id, name             string
	plan, area, kind     int
	start, end           int // days
	firstYear, lastYear  int // of participants' starts
	ageMin, ageMax, room int
}

type participant struct {
	person                              int32
	kind, area, age, sex, origin        uint8
	treated, lone                       bool
	active                              uint8
	chargedBefore, jobBefore            bool
	absenceBefore                       int16
	activity                            int32 // -1 if not treated
	startYear, endYear                  int32 // of the untreated the year approached, and NullInt
	leisureJob, education, chargedAfter uint8 // or NullCode
	absenceAfter                        int32 // or NullInt
	adult                               bool
}

func (w *world) runActivities() {
	s := newStream(w.seed, "activities", 0)
	for kind, t := range activityTypes {
		for a := range w.areas {
			if !s.chance(t.offeredPPM) {
				continue
			}
			area := &w.areas[a]
			plan := area.plans[s.below(len(area.plans))]
			first, last := w.plans[plan].startYear, w.plans[plan].endYear
			start := min(first+s.below(2), last-1)
			end := min(start+2+s.below(2), last)
			w.activities = append(w.activities, activity{
				id: fmt.Sprintf("ACT%04d", len(w.activities)+1), name: t.name + " i " + area.name,
				plan: plan, area: a, kind: kind, start: max(day(start, 3, 1), w.plans[plan].start), end: day(end, 12, 31),
				firstYear: start, lastYear: end, ageMin: t.ageMin, ageMax: t.ageMax, room: 10 + 5*s.below(9),
			})
		}
	}
	for kind := range activityTypes {
		w.enrol(kind)
	}
}

// enrol finds the participants of a type of activity and those to compare them with.
func (w *world) enrol(kind int) {
	t := &activityTypes[kind]
	s := w.stream("participants of "+t.code, 0)
	seen := map[int32]bool{}
	for i, act := range w.activities {
		if act.kind != kind {
			continue
		}
		for year := max(act.firstYear, First+1); year <= min(act.lastYear, Last-1); year++ {
			for _, r := range w.personsOf(act.area, year-First) {
				age := year - int(r.birth)
				if age < t.ageMin || age > t.ageMax || t.womenOnly && r.sex != 1 || seen[r.id] || !s.chance(approachedPPM) {
					continue
				}
				seen[r.id] = true
				p := w.before(r, act.area, age)
				p.kind = uint8(kind)
				p.treated = s.chance(logistic(t.takesPart.of(&p)))
				u := [outcomes]int{s.below(million), s.below(million), s.below(million), s.normal()}
				compared := s.chance(comparedPPM)
				long := s.below(2)
				if !p.treated && !compared {
					continue
				}
				p.activity, p.startYear, p.endYear = -1, int32(year), NullInt
				if p.treated {
					p.activity, p.endYear = int32(i), int32(min(year+long, act.lastYear))
				}
				w.after(t, &p, u)
				w.participants = append(w.participants, p)
			}
		}
	}
}

// personsOf returns the residents of an area in a year.
func (w *world) personsOf(area, y int) []person {
	from := 0
	for a := range area {
		from += w.areas[a].residents[y]
	}
	return w.persons[y][from : from+w.areas[area].residents[y]]
}

// before draws what is known of a person before the start. It is the person's own, so the same
// for every type of activity at the same age.
func (w *world) before(r person, area, age int) participant {
	s := w.stream("before activities", int(r.id))
	p := participant{person: r.id, area: uint8(area), age: uint8(age), sex: r.sex, origin: r.origin, adult: age >= 18}
	youth := min(age, 20) - 15
	p.lone = s.chance(loneParentPPM)
	work := logistic(parentActiveLogit - w.areas[area].hardship + when(r.origin >= 3, parentActiveNonWestern))
	if s.chance(work) {
		p.active++
	}
	if !p.lone && s.chance(work) {
		p.active++
	}
	u, v, x := s.below(million), s.below(million), s.below(1000)
	if age >= 10 {
		p.chargedBefore = u < logistic(chargedBefore+chargedBeforeAge*youth+when(r.sex == 1, chargedBeforeFemale)+when(p.lone,
			chargedBeforeLone))
	}
	switch {
	case p.adult:
		p.jobBefore = r.work == employed
	case age >= 13:
		p.jobBefore = v < logistic(jobBefore+jobBeforeAge*youth+when(r.origin >= 3,
			jobBeforeNonWestern)+jobBeforeActive*int(p.active))
	}
	if !p.adult {
		p.absenceBefore = int16(min(100, absenceLeast+x*x/1000*absenceSpread/1000+when(p.chargedBefore,
			absenceCharged)+when(p.lone, absenceLone)))
	}
	return p
}

// after draws the outcomes of the year after, and adds what they would have been with and without
// the activity to the truth.
func (w *world) after(t *activityType, p *participant, u [outcomes]int) {
	p.leisureJob, p.education, p.chargedAfter, p.absenceAfter = NullCode, NullCode, NullCode, NullInt
	for o, target := range [...]*uint8{&p.leisureJob, &p.education, &p.chargedAfter} {
		if int(p.age) < outcomeFrom[o] {
			continue
		}
		eta := outcomeLogit[o].of(p)
		with, without := logistic(eta+t.effect[o]), logistic(eta)
		chance := without
		if p.treated {
			chance = with
			w.sum.truths[p.kind][o].add(with, without)
		}
		*target = bit(u[o] < chance)
	}
	if p.adult {
		return
	}
	likely := absenceKept*int(p.absenceBefore) + absenceNext + when(p.chargedBefore, absenceNextCharged) +
		when(p.lone, absenceNextLone) + absenceNextActive*int(p.active) + absenceNoise*u[absence]/1000
	percent := func(thousandths int) int { return min(100, max(0, (thousandths+500)/1000)) }
	with, without := percent(likely+t.effect[absence]), percent(likely)
	p.absenceAfter = int32(without)
	if p.treated {
		p.absenceAfter = int32(with)
		w.sum.truths[p.kind][absence].add(with, without)
	}
}

func (t *truth) add(with, without int) {
	t.n++
	t.with += with
	t.without += without
}
