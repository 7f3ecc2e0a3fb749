package synth

// Young people and adults outside social housing: rows that stand for groups of like persons. They are what
// is left of the published figures of all Denmark once those who are drawn singly are counted.

// youthGroup is a row of youth_year that stands for n persons.
type youthGroup struct {
	n                              int32
	municipality, age, sex, origin uint8
	young
	absenceDeviation, markDeviation int16 // nullShort where there is no mean, or n is 1
}

// adultGroup is a row of adult_year that stands for n persons.
type adultGroup struct {
	crosstab
	education, support uint8
}

// youngIdleShift solves the shift of the logit of being neither in work nor education at 18-24 outside
// social housing, so that of all of 16-24 as many are as published.
func (w *world) youngIdleShift(y int, groups []alike, others []int) int {
	known, idles := 0, 0
	for _, list := range [2][]person{w.persons[y], w.social[y]} {
		for i := range list {
			if r := &list[i]; r.status != NullCode && r.status != unknownStatus {
				known++
				idles += int(bit(r.status == idle))
			}
		}
	}
	type part struct {
		n     int
		model residentModel
	}
	var grown []part
	minors := 0
	for i, g := range groups {
		switch {
		case others[i] == 0:
		case g.group == group18:
			grown = append(grown, part{others[i], residentModel{place: 1, group: group18, sex: g.sex, origin: g.origin,
				hardship: socialHousingHardship[0]}})
			known += others[i] - others[i]*statusUnknownPPM/million
		case g.group == group15:
			minors += others[i] * 2 / 3 // of 16 and 17
		}
	}
	known += minors
	want := known*neetPerTenThousand[y]/10_000 - idles - minors*youngIdleElsewherePPM/million
	return largestCut(-logitBound/2, logitBound/2, want, func(x int) int {
		sum := 0
		for _, p := range grown {
			p.model.idleShift = x
			_, idlePPM, _ := p.model.workPPM(false)
			sum += p.n * idlePPM / million
		}
		return sum
	})
}

// A pseudo is a row of a group with a member whose draws say where the row stands among the others.
type pseudo struct {
	youthGroup
	m member
}

// groupRest makes the rows of young people and adults outside social housing from the cross-tabs of the
// year, which have their numbers, work, schooling, convictions and income.
func (w *world) groupRest(y int) {
	s := w.stream("groups", y)
	w.groupYouth(s, y)
	w.groupAdults(s, y)
}

func (w *world) groupYouth(s *stream, y int) {
	type cell struct{ municipality, group, sex, origin, work uint8 }
	var cells []cell
	var sizes []int
	for _, c := range w.crosstabs[y] {
		if c.socialHousing == 1 || c.group == groupChild || c.group > group18 {
			continue
		}
		at := cell{c.municipality, c.group, c.sex, c.origin, c.work}
		if k := len(cells) - 1; k >= 0 && cells[k] == at {
			sizes[k] += int(c.n)
			continue
		}
		cells, sizes = append(cells, at), append(sizes, int(c.n))
	}
	var rows []pseudo
	for i, c := range cells {
		from, to := ageFrom[c.group], ageTo[c.group]
		spans := to - from + 1
		n := (sizes[i] + youthPerRow - 1) / youthPerRow
		start := s.below(spans)
		for k := range n {
			r := pseudo{m: *w.newMember(s, 0, 0, c.sex, c.origin)}
			r.n = int32(sizes[i]*(k+1)/n - sizes[i]*k/n)
			r.municipality, r.age, r.sex, r.origin = c.municipality, uint8(from+(start+k)%spans), c.sex, c.origin
			b := backgrounds[s.pick(elsewhereHomes[bit(c.origin >= 3)])]
			r.m.parentsStatus, r.m.parentsSchooling = b.status, b.schooling
			r.young = noYouth
			r.parentsStatus, r.parentsSchooling = b.status, b.schooling
			r.absenceDeviation, r.markDeviation = nullShort, nullShort
			r.status = c.work
			rows = append(rows, r)
		}
	}
	w.groupSchool(s, rows, y)
	w.groupWork(s, rows, y)
	rows = w.groupCrime(s, rows, y)
	w.youths[y] = merged(rows)
}

// merged are the rows, those alike in all but their number made one.
func merged(rows []pseudo) []youthGroup {
	list, place := make([]youthGroup, 0, len(rows)), make(map[youthGroup]int, len(rows))
	for _, r := range rows {
		g, n := r.youthGroup, r.n
		if n == 1 {
			g.absenceDeviation, g.markDeviation = nullShort, nullShort
		}
		g.n = 0
		if i, ok := place[g]; ok {
			list[i].n += n
			continue
		}
		place[g] = len(list)
		g.n = n
		list = append(list, g)
	}
	for i := range list {
		// Persons alike, each of whom was a row.
		if g := &list[i]; g.n > 1 {
			if g.absence != nullShort && g.absenceDeviation == nullShort {
				g.absenceDeviation = 0
			}
			if g.mark != nullShort && g.markDeviation == nullShort {
				g.markDeviation = 0
			}
		}
	}
	return list
}

// elsewhereModel is the model of those outside social housing.
func elsewhereModel(r *pseudo) residentModel {
	return residentModel{place: 1, group: int(groupOf(int(r.age))), sex: int(r.sex), origin: int(r.origin),
		hardship: socialHousingHardship[0]}
}

// reach sets a trait of rows, of those of least draw for their logit, so that want persons have it.
func reach(s *stream, rows []*pseudo, want int, eta func(r *pseudo) int, set func(r *pseudo, has bool)) {
	type drawn struct{ draw, eta, n int }
	list := make([]drawn, len(rows))
	for i, r := range rows {
		list[i] = drawn{s.below(million), eta(r), int(r.n)}
	}
	level := largestCut(-2*logitBound, 2*logitBound, want, func(x int) int {
		n := 0
		for i := range list {
			if d := &list[i]; d.draw < logistic(x+d.eta) {
				n += d.n
			}
		}
		return n
	})
	// What is left goes to the first rows that are small enough for it.
	for i := range list {
		if d := &list[i]; d.draw < logistic(level+d.eta) {
			want -= d.n
		}
	}
	for i, r := range rows {
		has := list[i].draw < logistic(level+list[i].eta)
		if !has && list[i].n <= want {
			has = true
			want -= list[i].n
		}
		set(r, has)
	}
}

// rest is how many of all persons should have a trait once those drawn singly who have it are counted.
// Those of rows are of the same ages.
func (w *world) rest(y, per10000 int, rows []*pseudo, has func(r *person) uint8) int {
	all, with := 0, 0
	for _, list := range [2][]person{w.persons[y], w.social[y]} {
		for i := range list {
			if b := has(&list[i]); b != NullCode {
				all++
				with += int(b)
			}
		}
	}
	for _, r := range rows {
		all += int(r.n)
	}
	return max(0, all*per10000/10_000-with)
}

func agedRows(rows []pseudo, from, to int) (list []*pseudo) {
	for i := range rows {
		if a := int(rows[i].age); from <= a && a <= to {
			list = append(list, &rows[i])
		}
	}
	return list
}

func (w *world) groupSchool(s *stream, rows []pseudo, y int) {
	for _, r := range agedRows(rows, 7, 16) {
		eta := absenceOfPlace[1] + absenceTeen*max(0, int(r.age)-12) + r.m.effect(absenceNoneActive, absenceBasic) +
			absenceElsewhere + s.normal()*absenceDeviation/8_000
		r.absence = int16(absenceMedian * exponential(eta) / million * absenceMeanPercent / 100)
		r.absenceDeviation = r.absence * absenceSpreadPercent / 100
	}
	leavers := agedRows(rows, 16, 16)
	want := w.rest(y, examsPerTenThousand[y], leavers, func(r *person) uint8 { return r.exams })
	reach(s, leavers, want, func(r *pseudo) int {
		return int(r.m.talent)*examsTalent/1_000 - r.m.effect(examsNoneActive, examsBasic)
	}, func(r *pseudo, has bool) { r.exams = bit(has) })
	var sat []*pseudo
	for _, r := range leavers {
		if r.exams == 1 {
			sat = append(sat, r)
		}
	}
	want = w.rest(y, passedPerTenThousand, sat, func(r *person) uint8 { return r.passed })
	reach(s, sat, want, func(r *pseudo) int {
		return int(r.m.talent) * passedTalent / 1_000
	}, func(r *pseudo, has bool) { r.passed = bit(has) })
	for sex, tenths := range markTenths[y] {
		sum, n, weight, raw := 0, 0, 0, 0
		for _, list := range [2][]person{w.persons[y], w.social[y]} {
			for i := range list {
				if r := &list[i]; r.mark != nullShort && int(r.sex) == sex {
					sum, n = sum+int(r.mark), n+1
				}
			}
		}
		mark := func(r *pseudo) int {
			return int(r.m.talent)*markDeviation/4_000 - r.m.effect(markNoneActive, markBasic) +
				when(r.origin >= 3, markNonWestern)
		}
		for _, r := range sat {
			if int(r.sex) == sex {
				weight += int(r.n)
				raw += int(r.n) * mark(r)
			}
		}
		if weight == 0 {
			continue
		}
		left := tenths*(n+weight) - sum - raw // to be shared by all, in tenths
		given := 0
		for _, r := range sat {
			if int(r.sex) != sex {
				continue
			}
			// What rounding leaves goes to the next row.
			given += int(r.n)
			each := left / weight
			if rest := left - each*weight; rest*given/weight-rest*(given-int(r.n))/weight >= (int(r.n)+1)/2 {
				each++
			}
			r.mark = int16(min(120, max(-20, mark(r)+each)))
			r.markDeviation = markDeviation * 97 / 100
		}
	}
	for _, r := range agedRows(rows, 16, 24) {
		model := elsewhereModel(r)
		r.begun = r.m.begun(model, int(r.age))
		if r.age >= 18 {
			model.hardship += when(r.status == idle, idleOnLate)
			r.completed = bit(r.m.rank() >= logistic(r.m.lateEta(model, int(r.age), y)))
			r.begun = max(r.begun, r.completed)
		}
	}
}

func (w *world) groupWork(s *stream, rows []pseudo, y int) {
	young := agedRows(rows, 13, 17)
	want := w.rest(y, leisureJobPerTenThousand[y], young, func(r *person) uint8 { return r.leisureJob })
	reach(s, young, want, func(r *pseudo) int {
		return leisureJobAge[r.age-13] + when(r.sex == 1, leisureJobGirl) + when(r.origin >= 3, leisureJobNonWestern) +
			r.m.effect(leisureJobNoneActive, 0)
	}, func(r *pseudo, has bool) { r.leisureJob = bit(has) })
	// What the others of 16-24 leave of the published share.
	minors := agedRows(rows, 16, 17)
	known, idles := 0, 0
	count := func(status uint8, n int) {
		if status != NullCode && status != unknownStatus {
			known += n
			idles += n * int(bit(status == idle))
		}
	}
	w.singly(y, 16, 24, func(p *person) { count(p.status, 1) })
	for _, r := range agedRows(rows, 18, 24) {
		count(r.status, int(r.n))
	}
	for _, r := range minors {
		known += int(r.n)
	}
	reach(s, minors, max(0, known*neetPerTenThousand[y]/10_000-idles), func(r *pseudo) int {
		return r.m.effect(youngIdleNoneActive, 0) - int(r.m.talent)*youngIdleTalent/1_000
	}, func(r *pseudo, has bool) {
		r.status = inEducation
		if has {
			r.status = idle
		} else if s.chance(youngEmployedPPM) {
			r.status = employed
		}
	})
}

// groupCrime splits from the rows those who are suspected or charged, so that the suspicions of all
// Denmark per 1,000 of 10-14 are the published.
func (w *world) groupCrime(s *stream, rows []pseudo, y int) []pseudo {
	for _, part := range [...]struct {
		from, to, per10000 int
		of                 func(r *young) *uint8
	}{
		{10, 14, suspicionsNationally, func(r *young) *uint8 { return &r.suspicions }},
		{15, 20, chargesNationally, func(r *young) *uint8 { return &r.charges }},
	} {
		list := agedRows(rows, part.from, part.to)
		all, done := 0, 0
		for _, people := range [2][]person{w.persons[y], w.social[y]} {
			for i := range people {
				if k := *part.of(&people[i].young); k != NullCode {
					all++
					done += int(k)
				}
			}
		}
		weights := make([]int, len(list))
		for i, r := range list {
			all += int(r.n)
			*part.of(&r.young), r.offence, r.firstOffence = 0, 0, 0
			if r.parentsStatus == unknownParents {
				continue // so few that a row of theirs would read as the total of the others
			}
			weights[i] = int(r.n) * logistic(offenceElsewhere+when(r.age > 14, offenceElsewhereAge*(int(r.age)-17))+
				when(r.sex == 1, offendingGirl)+when(r.origin >= 3, offendingNonWestern)+
				r.m.effect(offendingNoneActive, offendingBasic)) / 1_000
		}
		left := (all*part.per10000+5_000)/10_000 - done
		persons := left * 10 / offencesPerTen
		var split []pseudo
		for i, k := range spread(max(0, persons), weights, s) {
			k = min(k, int(list[i].n)-1) // somebody has to be left of the row
			for range k {
				if left <= 0 {
					break
				}
				times := 1
				for times < 9 && s.chance(againInYearPPM) {
					times++
				}
				times = min(times, left)
				left -= times
				r := *list[i]
				list[i].n--
				r.n, r.absenceDeviation, r.markDeviation = 1, nullShort, nullShort
				*part.of(&r.young), r.offence = uint8(times), 1
				r.firstOffence = bit(s.chance(max(300_000, million-(int(r.age)-10)*firstOffenceFallsPPM)))
				if y+2 < years {
					r.relapsed = bit(s.chance(relapseElsewherePPM))
				}
				split = append(split, r)
			}
		}
		rows = append(rows, split...)
	}
	return rows
}

// groupAdults splits the cross-tabs of 18-64 by education and public support.
func (w *world) groupAdults(s *stream, y int) {
	// At 18-24 as many have completed no more than basic schooling as the rows of young people tell.
	var basic, all [4]int // by work status
	for i := range w.youths[y] {
		if r := &w.youths[y][i]; r.age >= 18 {
			all[r.status] += int(r.n)
			basic[r.status] += int(r.n) * (1 - int(r.completed))
		}
	}
	for _, c := range w.crosstabs[y] {
		if c.socialHousing == 1 || c.group < group18 || c.group > group60 {
			continue
		}
		weights := elsewhereEducation[c.group-group18]
		if c.group == group18 && all[c.work] > 0 {
			more := 0
			for _, x := range weights[1:] {
				more += x
			}
			weights[basicEducation] = more * basic[c.work] / max(1, all[c.work]-basic[c.work])
		}
		var kinds []adultGroup
		var sizes []int
		for e, x := range weights {
			if c.group == group30 && schoolingOf(uint8(e)) != c.schooling {
				continue
			}
			for support, part := range [2]int{million - supportPPM[c.work], supportPPM[c.work]} {
				kinds = append(kinds, adultGroup{c, uint8(e), uint8(support)})
				sizes = append(sizes, x*part/1_000)
			}
		}
		if int(c.n) <= adultsPerRow {
			w.adults[y] = append(w.adults[y], kinds[s.pick(sizes)])
			continue
		}
		for i, n := range spread(int(c.n), sizes, s) {
			if n > 0 {
				kinds[i].n = int32(n)
				if n == 1 {
					kinds[i].deviation = 0
				}
				w.adults[y] = append(w.adults[y], kinds[i])
			}
		}
	}
}
