package synth

import (
	"cmp"
	"math"
	"slices"
)

// Residents. Those of the supported areas are persons (households.go); children aged 0-6 among them are
// the children of the register, under the same number and record key. The rest of the country is
// cross-tabs, one row for like persons, as an office of statistics publishes them: those of other social
// housing under 65 counted from persons that youth_year and adult_year hold singly, the others made here.

const (
	groupChild = 0
	group7     = 1
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

// person is what the tables have of one person in a year.
type person struct {
	id, family   int32 // child_id where the person was a child of the register; negative until numbered
	key          uint16
	birth        int16
	sex          uint8
	origin       uint8
	area         uint8 // NullCode outside the areas
	municipality uint8
	group        uint8
	education    uint8 // from 18 on
	support      uint8 // at 18-64
	traits
	young
	income int32 // NullInt under 15
}

// traits are null (NullCode) outside the ages they are recorded for.
type traits struct{ work, schooling, convicted uint8 }

var noTraits = traits{NullCode, NullCode, NullCode}

// crosstab is a row of resident_year that stands for n.
type crosstab struct {
	n                                               int32
	municipality, group, sex, origin, socialHousing uint8
	traits
	income, deviation int32
}

func groupOf(age int) uint8 {
	for g := len(ageFrom) - 1; g > 0; g-- {
		if age >= ageFrom[g] {
			return uint8(g)
		}
	}
	return groupChild
}

// A residentModel gives the probabilities of a group of like residents.
type residentModel struct {
	place                        int // 0 in a supported area, 1 in the rest of the country
	group, sex, origin, hardship int
	social                       int // 1 in social housing outside the areas
	idleShift                    int
}

func (m residentModel) basicPPM() int { return logistic(m.basicEta()) }

func (m residentModel) basicEta() int {
	return residentBasic[m.place] + basicOfOrigin[m.origin] + m.hardship
}

// workPPM returns unknown, neither and in education; the rest is employed.
func (m residentModel) workPPM(basic bool) (unknown, idlePPM, studies int) {
	g := m.group - group18
	idlePPM = logistic(residentIdle[m.place][g] + idleOfOrigin[m.origin] + m.hardship + m.idleShift +
		when(basic, basicOnIdle))
	studies = residentStudies[m.place][g]
	return statusUnknownPPM, idlePPM, min(studies, million-idlePPM-statusUnknownPPM)
}

func (m residentModel) convictedPPM(isIdle bool) int { return logistic(m.convictedEta(isIdle)) }

func (m residentModel) convictedEta(isIdle bool) int {
	return residentConvicted[m.place][m.group-group18] + convictedOfOrigin[m.origin] + m.hardship +
		when(m.sex == 1, convictedWoman) + when(isIdle, convictedIdle)
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

// outside is who lives outside the areas in a year: its children aged 0-6 as cross-tabs, and how many of
// the others there should be, in social housing and out of it, so that all residents and the children of
// each municipality are as many as they should be.
func (w *world) outside(y int) (groups []alike, s *stream) {
	s = w.stream("rest of the country", y)
	var children [len(municipalities)][2][5][2]int // by sex, origin, and whether in social housing
	inAreas, childrenOutside, inSocialHousing := 0, 0, 0
	for a := range w.areas {
		inAreas += w.areas[a].residents[y]
	}
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
	for m := range municipalities {
		for sex := range children[m] {
			for origin := range children[m][sex] {
				for social, n := range children[m][sex][origin] {
					if n > 0 {
						w.crosstabs[y] = append(w.crosstabs[y], crosstab{n: int32(n), municipality: uint8(m), sex: uint8(sex),
							origin: uint8(origin), socialHousing: uint8(social),
							traits: noTraits, income: NullInt, deviation: NullInt})
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
					groups = append(groups, alike{n: k, municipality: m, group: g + 1, sex: sex, origin: origin})
				}
			}
		}
	}
	w.houseResidents(groups, w.scaled(socialHousing[y])-inAreas-inSocialHousing, s)
	return groups, s
}

// tabulateRest makes the rows of the country outside the areas in a year, but those of children aged 0-6.
// Those of other social housing under 65 are counted from the persons of the places.
func (w *world) tabulateRest(y int, groups []alike, s *stream) {
	type cell struct {
		municipality, group, sex, origin uint8
		traits
	}
	type sums struct{ n, income, squares int64 }
	counted := map[cell]*sums{}
	social := map[[4]int]int{}
	for i := range w.social[y] {
		r := &w.social[y][i]
		social[[4]int{int(r.municipality), int(r.group), int(r.sex), int(r.origin)}]++
		c := cell{r.municipality, r.group, r.sex, r.origin, r.traits}
		t := counted[c]
		if t == nil {
			t = new(sums)
			counted[c] = t
		}
		t.n++
		if r.income != NullInt {
			t.income += int64(r.income)
			t.squares += int64(r.income) * int64(r.income)
		}
	}
	rows := w.crosstabs[y]
	for c, t := range counted {
		row := crosstab{n: int32(t.n), municipality: c.municipality, group: c.group, sex: c.sex, origin: c.origin,
			socialHousing: 1, traits: c.traits, income: NullInt, deviation: NullInt}
		if c.group >= group15 {
			row.income, row.deviation = int32(t.income/t.n), 0
			if t.n > 1 {
				row.deviation = int32(math.Sqrt(float64((t.squares - t.income*t.income/t.n) / (t.n - 1))))
			}
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, compareCrosstabs)
	w.crosstabs[y] = rows
	// Where more of a group live in social housing than were aimed at, fewer of the group do elsewhere, and
	// where that is none, fewer of the others of the municipality.
	others := make([]int, len(groups))
	var over [len(municipalities)]int
	for i, g := range groups {
		in := g.social
		if g.group < group65 {
			in = social[[4]int{g.municipality, g.group, g.sex, g.origin}]
		}
		others[i] = g.n - in
		if others[i] < 0 {
			over[g.municipality] -= others[i]
			others[i] = 0
		}
	}
	for i := 0; i < len(groups); {
		from, m := i, groups[i].municipality
		for i < len(groups) && groups[i].municipality == m {
			i++
		}
		for k, n := range spread(over[m], others[from:i], s) {
			others[from+k] = max(0, others[from+k]-n)
		}
	}
	w.balanceOthers(y, groups, others)
	shift := w.youngIdleShift(y, groups, others)
	for i, g := range groups {
		if g.group == group65 && g.social > 0 {
			w.tabulateAlike(s, y, g.social, g.municipality, residentModel{place: 1, group: g.group, sex: g.sex, origin: g.origin,
				hardship: socialHousingHardship[1], social: 1})
		}
		if others[i] > 0 {
			model := residentModel{place: 1, group: g.group, sex: g.sex, origin: g.origin, hardship: socialHousingHardship[0]}
			if g.group == group18 {
				model.idleShift = shift
			}
			w.tabulateAlike(s, y, others[i], g.municipality, model)
		}
	}
}

// balanceOthers makes as many of those under 18 outside social housing of non-Western origin as is published,
// in exchange for others of the same municipality, age group and sex. Groups come with their five origins
// one after the other.
func (w *world) balanceOthers(y int, groups []alike, others []int) {
	all, nonWestern := 0, 0
	for _, c := range w.crosstabs[y] {
		if c.group == groupChild && c.socialHousing == 0 {
			all += int(c.n)
			nonWestern += int(c.n) * int(bit(c.origin >= 3))
		}
	}
	toDanish, fromDanish := make([]int, len(groups)), make([]int, len(groups))
	for i, g := range groups {
		if g.group > group15 {
			continue
		}
		all += others[i]
		switch {
		case g.origin >= 3:
			nonWestern += others[i]
			toDanish[i] = others[i]
		case g.origin == 0:
			fromDanish[i] = others[i]
		}
	}
	over := nonWestern - (all*nonWesternOutsideSocialHousingPercent+50)/100
	s := w.stream("origins outside social housing", y)
	for i, n := range spread(max(0, over), toDanish, s) {
		n = min(n, others[i])
		others[i] -= n
		others[i-groups[i].origin] += n
	}
	for i, n := range spread(max(0, -over), fromDanish, s) {
		n = min(n, others[i])
		others[i] -= n
		others[i+4-groups[i].origin] += n
	}
}

// compareCrosstabs is the order of rows: by municipality, and then by all that they tell.
func compareCrosstabs(a, b crosstab) int {
	key := func(c crosstab) uint64 {
		k := uint64(0)
		for _, x := range [...]uint8{c.municipality, c.group, c.sex, c.origin, c.socialHousing, c.work, c.schooling,
			c.convicted} {
			k = k<<8 | uint64(x)
		}
		return k
	}
	return cmp.Compare(key(a), key(b))
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
			origin: uint8(model.origin), socialHousing: uint8(model.social), traits: kinds[i], income: NullInt,
			deviation: NullInt}
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
