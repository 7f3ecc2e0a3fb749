package synth

import "slices"

// Residents. Those of the supported areas are persons, who stay, age, leave and arrive; their
// children aged 0-6 are the children of the register, under the same number and record key. The
// rest of the country is cross-tabs, one row for like persons, as an office of statistics
// publishes them.

const (
	groupChild = 0
	group15    = 4
	group18    = 5
	group30    = 7
	group60    = 8
	group65    = 9
)

const (
	basicOnly = iota
	moreSchooling
	unknownSchooling
)

// person is a row of resident_year that stands for one.
type person struct {
	id     int32 // child_id where the person was a child of the register
	key    uint16
	birth  int16
	sex    uint8
	origin uint8
	area   uint8
	group  uint8
	traits
	income int32 // NullInt under 15
}

// traits are null (NullCode) outside the ages they are recorded for.
type traits struct{ work, schooling, convicted uint8 }

// crosstab is a row of resident_year that stands for n.
type crosstab struct {
	n                                               int32
	municipality, group, sex, origin, socialHousing uint8
	traits
	income, deviation int32
}

// latent is what a person keeps between years.
type latent struct {
	person
	work, conviction int32 // draws that last
	schooling        int32
	earning          int
}

func groupOf(age int) uint8 {
	for g := len(ageFrom) - 1; g > 0; g-- {
		if age >= ageFrom[g] {
			return uint8(g)
		}
	}
	return groupChild
}

// populate fills w.persons and w.crosstabs, and the areas' key figures.
func (w *world) populate() {
	homes := w.childrenByArea()
	var lives [areas][years][]person
	newcomers := make([]int, areas)
	parallel(areas, func(a int) { lives[a], newcomers[a] = w.live(a, homes[a]) })
	// Persons who never were children of the register are numbered area by area after them.
	offset := int32(len(w.children))
	for a := range lives {
		for y := range years {
			for i := range lives[a][y] {
				if p := &lives[a][y][i]; p.id < 0 {
					p.id = offset - p.id
				}
			}
			w.areas[a].residents[y] = len(lives[a][y])
		}
		offset += int32(newcomers[a])
	}
	w.sum.persons += int(offset)
	parallel(years, func(y int) {
		for a := range lives {
			w.persons[y] = append(w.persons[y], lives[a][y]...)
		}
		w.tabulateRest(y)
		w.measureAreas(y)
	})
}

// childrenByArea lists, for each area and year, the children of the register who live there, in
// order of their numbers.
func (w *world) childrenByArea() (homes [areas][years][]int32) {
	for i := range w.children {
		c := &w.children[i]
		for y := c.first; y <= c.last; y++ {
			if a := w.families[c.family].area[y]; a >= 0 {
				homes[a][y] = append(homes[a][y], int32(i))
			}
		}
	}
	return homes
}

// live takes the residents of an area through the years. Newcomers are numbered -1, -2, ….
func (w *world) live(a int, homes [years][]int32) (rows [years][]person, newcomers int) {
	s := w.stream("residents", a)
	area := &w.areas[a]
	var here []latent
	for y := range years {
		stay := here[:0]
		for _, p := range here {
			if !s.chance(moveOutPPM[p.group]) {
				stay = append(stay, p)
			}
		}
		here = stay
		if y > 0 {
			for _, i := range homes[y-1] {
				c := &w.children[i]
				if First+y-int(c.birth) == 7 && !s.chance(turnSevenLeavesPPM) {
					here = append(here, w.newLatent(s, person{id: i + 1, key: c.key, birth: c.birth, sex: c.sex,
						origin: uint8(w.families[c.family].registeredOrigin(c.birth))}))
				}
			}
		}
		adults := max(0, area.residents[y]-len(homes[y]))
		for len(here) > adults {
			i := s.below(len(here))
			here[i] = here[len(here)-1]
			here = here[:len(here)-1]
		}
		var have [len(ageFrom)]int
		for i := range here {
			here[i].group = groupOf(First + y - int(here[i].birth))
			have[here[i].group]++
		}
		lack := make([]int, len(areaAgeShares))
		for g, n := range apportion(adults, areaAgeShares) {
			lack[g] = max(0, n-have[g+1])*100 + 1
		}
		for len(here) < adults {
			newcomers++
			here = append(here, w.newLatent(s, w.newcomer(s, area, 1+s.pick(lack), y, -newcomers)))
		}
		for _, i := range homes[y] {
			c := &w.children[i]
			rows[y] = append(rows[y], person{id: i + 1, key: c.key, birth: c.birth, sex: c.sex, area: uint8(a), income: NullInt,
				origin: uint8(w.families[c.family].registeredOrigin(c.birth)), traits: traits{NullCode, NullCode, NullCode}})
		}
		for i := range here {
			rows[y] = append(rows[y], w.thisYear(s, &here[i], a, y))
		}
	}
	return rows, newcomers
}

// newcomer is a person who moves into an area in a year.
func (w *world) newcomer(s *stream, a *area, group, y, number int) person {
	age := ageFrom[group] + s.below(ageTo[group]-ageFrom[group]+1)
	if group == group65 {
		age = min(age, ageFrom[group]+s.below(ageTo[group]-ageFrom[group]+1))
	}
	p := person{id: int32(number), key: uint16(s.below(4096)), birth: int16(First + y - age), group: uint8(group)}
	p.sex = 0
	if s.below(1000) < womenPerMille[group] {
		p.sex = 1
	}
	family := danish
	switch {
	case s.below(1000) < a.nonWestern*nonWesternByAge[group]/100:
		family = nonWestern
	case s.below(1000) < westernPerMille:
		family = western
	}
	if family != danish {
		p.origin = uint8(2*family - 1)
		if s.below(100) < descendantPercent[nonWestern-family][group] {
			p.origin++
		}
	}
	return p
}

func (w *world) newLatent(s *stream, p person) latent {
	return latent{person: p, work: int32(s.below(million)), conviction: int32(s.below(million)),
		schooling: int32(s.below(million)), earning: s.normal()}
}

// thisYear is a person's row in a year; it renews what does not last.
func (w *world) thisYear(s *stream, l *latent, a, y int) person {
	if s.chance(residentRenewalPPM) {
		l.work = int32(s.below(million))
	}
	if !s.chance(convictionStaysPPM) {
		l.conviction = int32(s.below(million))
	}
	shock := s.normal()
	p := l.person
	p.area = uint8(a)
	p.group = groupOf(First + y - int(p.birth))
	p.traits = traits{NullCode, NullCode, NullCode}
	hardship := w.areas[a].hardship
	m := residentModel{place: 0, group: int(p.group), sex: int(p.sex), origin: int(p.origin), hardship: hardship}
	basic := false
	if p.group == group30 {
		unknown := schoolingUnknownPPM[p.origin]
		switch u := int(l.schooling); {
		case u >= million-unknown:
			p.schooling = unknownSchooling
		case u < m.basicPPM():
			p.schooling, basic = basicOnly, true
		default:
			p.schooling = moreSchooling
		}
	}
	if p.group >= group18 && p.group <= group60 {
		unknown, idlePPM, studies := m.workPPM(basic)
		switch u := int(l.work); {
		case u >= million-unknown:
			p.work = unknownStatus
		case u < idlePPM:
			p.work = idle
		case u < idlePPM+studies:
			p.work = inEducation
		default:
			p.work = employed
		}
	}
	if p.group >= group18 {
		p.convicted = 0
		if int(l.conviction) < m.convictedPPM(p.work == idle) {
			p.convicted = 1
		}
	}
	p.income = NullInt
	if p.group >= group15 {
		mean := m.meanIncome(p.work, y, municipalities[w.areas[a].municipality].region)
		p.income = int32(mean * exponential((l.earning*3+shock)*grossIncome.deviation/4000-grossIncome.deviation*grossIncome.deviation*5/16000) / million)
	}
	return p
}

// A residentModel gives the probabilities of a group of like residents.
type residentModel struct {
	place                        int // 0 in a supported area, 1 in the rest of the country
	group, sex, origin, hardship int
	social                       int // 1 in social housing outside the areas
}

func (m residentModel) basicPPM() int {
	return logistic(residentBasic[m.place] + basicOfOrigin[m.origin] + m.hardship)
}

// workPPM returns unknown, neither and in education; the rest is employed.
func (m residentModel) workPPM(basic bool) (unknown, idlePPM, studies int) {
	g := m.group - group18
	idlePPM = logistic(residentIdle[m.place][g] + idleOfOrigin[m.origin] + m.hardship + when(basic, basicOnIdle))
	studies = residentStudies[m.place][g]
	return statusUnknownPPM, idlePPM, min(studies, million-idlePPM-statusUnknownPPM)
}

func (m residentModel) convictedPPM(isIdle bool) int {
	return logistic(residentConvicted[m.place][m.group-group18] + convictedOfOrigin[m.origin] + m.hardship +
		when(m.sex == 1, convictedWoman) + when(isIdle, convictedIdle))
}

func (m residentModel) meanIncome(work uint8, y, region int) int {
	income := grossIncome.old
	switch {
	case m.group == group15:
		income = grossIncome.young
	case m.group == group65:
	case work == employed:
		income = grossIncome.employed[m.group-group18]
	case work == inEducation:
		income = grossIncome.inEducation
	case work == idle:
		income = grossIncome.idle
	case work == unknownStatus:
		income = grossIncome.unknown
	}
	if m.origin != 0 {
		income = income * 92 / 100
	}
	income = income * incomeIndex[y] / 1000 * regionIncome[region] / 1000 * residentIncomeShare[m.place] / 100
	if m.place == 1 {
		income = income * socialHousingIncome[m.social] / 100
	}
	return income
}

// spread splits total in proportion to the weights by rounding running sums: the parts sum to
// total, each is within one of its share, and none is favoured.
func spread(total int, weights []int, s *stream) []int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	parts := make([]int, len(weights))
	if total == 0 || sum == 0 {
		return parts
	}
	offset, running, before := int(s.Uint64()%uint64(sum)), 0, 0
	for i, w := range weights {
		running += w
		upTo := (running*total + offset) / sum
		parts[i] = upTo - before
		before = upTo
	}
	return parts
}

// tabulateRest makes the rows of the country outside the areas in a year, so that all residents
// and the children of each municipality are as many as they should be.
func (w *world) tabulateRest(y int) {
	s := w.stream("rest of the country", y)
	var children [len(municipalities)][2][5][2]int // by sex, origin, and whether in social housing
	inAreas, childrenOutside, inSocialHousing := len(w.persons[y]), 0, 0
	for i := range w.children {
		c := &w.children[i]
		f := &w.families[c.family]
		if int(c.first) <= y && int(c.last) >= y && f.area[y] < 0 {
			social := bit(f.socialHousing[y])
			children[f.municipality[y]][c.sex][f.registeredOrigin(c.birth)][social]++
			childrenOutside++
			inSocialHousing += int(social)
		}
	}
	weights := make([]int, len(municipalities))
	for m, mun := range municipalities {
		weights[m] = (mun.residents - mun.children) * w.scale / million
	}
	for a := range w.areas {
		m := w.areas[a].municipality
		weights[m] = max(0, weights[m]-w.areas[a].residents[y]*9/10)
	}
	older := apportion(max(0, w.scaled(residents[y])-inAreas-childrenOutside), weights)
	var groups []alike
	for m := range municipalities {
		for sex := range children[m] {
			for origin := range children[m][sex] {
				for social, n := range children[m][sex][origin] {
					if n > 0 {
						w.crosstabs[y] = append(w.crosstabs[y], crosstab{n: int32(n), municipality: uint8(m), sex: uint8(sex),
							origin: uint8(origin), socialHousing: uint8(social),
							traits: traits{NullCode, NullCode, NullCode}, income: NullInt, deviation: NullInt})
					}
				}
			}
		}
		shares := slices.Clone(restAgeShares)
		shares[group30-1] -= restAgeingShare * y
		shares[group65-1] += restAgeingShare * y
		if municipalities[m].areas > 1 {
			shares[group18-1] = shares[group18-1] * restUrbanYouth / 1000
			shares[group18] = shares[group18] * restUrbanYouth / 1000
		}
		for g, n := range spread(older[m], shares, s) {
			women := n * womenPerMille[g+1] / 1000
			for sex, k := range [2]int{n - women, women} {
				for origin, k := range spread(k, restOrigin[g], s) {
					if k > 0 {
						groups = append(groups, alike{n: k, municipality: m, group: g + 1, sex: sex, origin: origin})
					}
				}
			}
		}
	}
	w.houseResidents(groups, w.scaled(socialHousing[y])-inAreas-inSocialHousing, s)
	for _, g := range groups {
		for social, n := range [2]int{g.n - g.social, g.social} {
			if n > 0 {
				w.tabulateAlike(s, y, n, g.municipality, residentModel{place: 1, group: g.group, sex: g.sex, origin: g.origin,
					hardship: socialHousingHardship[social], social: social})
			}
		}
	}
}

// alike are n persons of a municipality of the same age group, sex and origin, of whom some are in social
// housing.
type alike struct{ n, municipality, group, sex, origin, social int }

// houseResidents says how many of each group live in social housing, so that all of them are total: of the
// young as many as the published shares make, the rest of those of 18 and over.
func (w *world) houseResidents(groups []alike, total int, s *stream) {
	var share [len(ageFrom)][5]int
	for g := groupChild + 1; g < len(share); g++ {
		share[g] = socialHousingPPM(g)
	}
	weights := func(grown bool) (list []int, sum int) {
		for _, g := range groups {
			weight := 0
			if (g.group >= group18) == grown {
				weight = g.n * share[g.group][g.origin]
			}
			list = append(list, weight)
			sum += weight
		}
		return list, sum
	}
	young, sum := weights(false)
	ofYoung := min(max(0, total), (sum+million/2)/million)
	grown, _ := weights(true)
	for i, n := range spread(ofYoung, young, s) {
		groups[i].social = min(n, groups[i].n)
	}
	for i, n := range spread(max(0, total-ofYoung), grown, s) {
		groups[i].social += min(n, groups[i].n)
	}
}

// tabulateAlike splits n persons alike in age, sex and origin by work, schooling and convictions.
func (w *world) tabulateAlike(s *stream, y, n, m int, model residentModel) {
	var kinds []traits
	var weights []int
	schools := []uint8{NullCode}
	if model.group == group30 {
		schools = []uint8{basicOnly, moreSchooling, unknownSchooling}
	}
	for _, school := range schools {
		p := million
		switch unknown, basic := schoolingUnknownPPM[model.origin], model.basicPPM(); school {
		case basicOnly:
			p = basic
		case unknownSchooling:
			p = unknown
		case moreSchooling:
			p = million - unknown - basic
		}
		works := []uint8{NullCode}
		if model.group >= group18 && model.group <= group60 {
			works = []uint8{employed, inEducation, idle, unknownStatus}
		}
		for _, work := range works {
			q := million
			if work != NullCode {
				unknown, idlePPM, studies := model.workPPM(school == basicOnly)
				q = [4]int{million - unknown - idlePPM - studies, studies, idlePPM, unknown}[work]
			}
			if model.group < group18 {
				kinds, weights = append(kinds, traits{work, school, NullCode}), append(weights, p)
				continue
			}
			guilty := model.convictedPPM(work == idle)
			pq := p * q / 1000
			kinds = append(kinds, traits{work, school, 0}, traits{work, school, 1})
			weights = append(weights, pq/1000*(million-guilty)/1000, pq/1000*guilty/1000)
		}
	}
	for i, k := range spread(n, weights, s) {
		if k == 0 {
			continue
		}
		row := crosstab{n: int32(k), municipality: uint8(m), group: uint8(model.group), sex: uint8(model.sex),
			origin: uint8(model.origin), socialHousing: uint8(model.social), traits: kinds[i], income: NullInt, deviation: NullInt}
		if model.group >= group15 {
			mean := model.meanIncome(row.work, y, municipalities[m].region)
			mean += mean * s.normal() / 1000 / 40
			row.income, row.deviation = int32(mean), 0
			if k > 1 {
				row.deviation = int32(mean * 35 / 100)
			}
		}
		w.crosstabs[y] = append(w.crosstabs[y], row)
	}
}

// keyFigures are an area's in a year, in ten-thousandths of a percent; NullInt where there is
// nobody to take a share of.
type keyFigures struct{ nonWestern, outside, convicted, basic, incomeRatio int32 }

// counts are what the key figures of a year are shares of.
type counts struct {
	places          [areas]tally
	earners, earned [regions]int
}

// A tally is of the residents of an area.
type tally struct{ all, nonWestern, workers, outside, grown, convicted, schooled, basic, earners, earned int }

// measureAreas counts the residents of the year in this part and computes the areas' key figures of
// all parts so far. Income counts ages 18-64 not in education: those of 15-17 are taken to be in
// education.
func (w *world) measureAreas(y int) {
	sum := &w.sum.counts[y]
	earns := func(group, work uint8) bool { return group >= group18 && group <= group60 && work != inEducation }
	for _, p := range w.persons[y] {
		t := &sum.places[p.area]
		t.all++
		t.nonWestern += int(bit(p.origin >= 3))
		if p.work != NullCode && p.work != unknownStatus {
			t.workers++
			t.outside += int(bit(p.work == idle))
		}
		if p.convicted != NullCode {
			t.grown++
			t.convicted += int(p.convicted)
		}
		if p.schooling != NullCode && p.schooling != unknownSchooling {
			t.schooled++
			t.basic += int(bit(p.schooling == basicOnly))
		}
		if earns(p.group, p.work) {
			t.earners++
			t.earned += int(p.income)
			r := municipalities[w.areas[p.area].municipality].region
			sum.earners[r]++
			sum.earned[r] += int(p.income)
		}
	}
	for _, c := range w.crosstabs[y] {
		if earns(c.group, c.work) {
			r := municipalities[c.municipality].region
			sum.earners[r] += int(c.n)
			sum.earned[r] += int(c.n) * int(c.income)
		}
	}
	percent := func(part, of int) int32 {
		if of == 0 {
			return NullInt
		}
		return int32((2*part*million + of) / (2 * of))
	}
	for a, t := range sum.places {
		k := keyFigures{percent(t.nonWestern, t.all), percent(t.outside, t.workers), percent(t.convicted, t.grown),
			percent(t.basic, t.schooled), NullInt}
		r := municipalities[w.areas[a].municipality].region
		if t.earners > 0 && sum.earned[r] > 0 {
			k.incomeRatio = percent(t.earned*1000/t.earners, sum.earned[r]*1000/sum.earners[r])
		}
		w.areas[a].figures[y] = k
	}
}
